/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_HTTP1_BODY_H
#define NET_HTTP1_BODY_H

/*
 * http1_body: takes a message's framing off its body, in whatever pieces the bytes arrive.
 *
 * Chunked coding is read strictly (RFC 9112 7.1): hexadecimal size of at most 15 digits, CRLF and
 * nothing else, extensions bounded and without control characters, trailers bounded, checked and
 * dropped. The content comes out as views into the caller's bytes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "net/http1_head.h"

enum http1_body_state {
    HTTP1_BODY_MORE, /* all given bytes are used up, the body goes on */
    HTTP1_BODY_DATA, /* *ret_data is content; call again for the rest */
    HTTP1_BODY_DONE, /* the body is complete; what is left belongs to the next message */
    HTTP1_BODY_BAD,  /* the framing is broken */
};

struct http1_body {
    enum http1_framing framing;
    unsigned char state; /* chunked: where in the grammar */
    bool done;
    uint16_t line_bytes; /* chunked: of the size line or of the trailers, against their bound */
    uint8_t digits;
    uint64_t left; /* bytes to come of the body or of the chunk */
};

void http1_body_begin(struct http1_body *b, const struct http1_head *head);
/* Takes from the front of *bytes. */
enum http1_body_state http1_body_next(struct http1_body *b, struct str *bytes, struct str *ret_data);
/* True when the connection's end completes the body rather than cutting it. */
bool http1_body_ends_at_close(const struct http1_body *b);

#endif
