/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_WS_H
#define NET_WS_H

/*
 * ws: WebSocket frames (RFC 6455, with permessage-deflate of RFC 7692), read beside a relay.
 *
 * A scanner is given the bytes of one direction as they pass, in any pieces, and gives what is in
 * them: payload unmasked and inflated, told apart by message. It never holds, changes or delays the
 * bytes themselves. When they break the protocol the scanner says so and reads no further; whether
 * the connection goes on is for its two ends to decide.
 *
 * Inflating is bounded: WS_INFLATE_RATIO_MAX times what came in, beyond WS_INFLATE_FREE bytes a
 * message, and WS_INFLATE_MAX in all of a message. What is over the bound is reported as `lost`.
 *
 * A scanner has one owner and no heap, but for the window of a compressed direction (40 KB).
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define WS_INFLATE_FREE (256 * 1024)
#define WS_INFLATE_RATIO_MAX 100
#define WS_INFLATE_MAX (UINT64_C(256) << 20)
#define WS_CONTROL_MAX 125
#define WS_HEAD_MAX 14

enum ws_opcode {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10,
};

enum ws_from {
    WS_FROM_CLIENT, /* frames must be masked */
    WS_FROM_SERVER, /* frames must not be masked */
};

/* What is wrong with a stream. Columns: name, close code of RFC 6455 §7.4.1, sentence. */
#define WS_FAULT_TABLE(X)                                                                       \
    X(NONE, 1000, "")                                                                           \
    X(RESERVED_BITS, 1002, "a frame has reserved bits set")                                     \
    X(OPCODE, 1002, "a frame has an unknown opcode")                                            \
    X(MASK, 1002, "a client's frame is not masked, or a server's is")                           \
    X(LENGTH, 1002, "a frame's length is not in its shortest form, or has its highest bit set") \
    X(CONTROL, 1002, "a control frame is fragmented or longer than 125 bytes")                  \
    X(ORDER, 1002, "a message begins within another, or a continuation without one")            \
    X(CLOSE_CODE, 1002, "a close frame has a code that must not be sent, or half a code")       \
    X(UTF8, 1007, "a text message or a close reason is not UTF-8")                              \
    X(AFTER_CLOSE, 1002, "a frame follows the close frame")

enum ws_fault {
#define X(name, code, text) WS_FAULT_##name,
    WS_FAULT_TABLE(X)
#undef X
        WS_FAULT_COUNT
};
const char *ws_fault_text(enum ws_fault fault);
uint16_t ws_fault_code(enum ws_fault fault);

/* A part of a message, or a whole control frame. */
struct ws_piece {
    enum ws_opcode opcode; /* never WS_CONTINUATION */
    bool begin, end;       /* first and last of its message; both for control frames */
    bool compressed;       /* it came compressed; `bytes` are inflated */
    bool lost;             /* compressed, and not to be read: no more bytes of this message */
    struct str bytes;      /* good until the callback returns; may be empty */
    uint16_t close_code;   /* of WS_CLOSE: 1005 when there is none; `bytes` are the reason */
};
typedef void ws_piece_fn(void *ctx, const struct ws_piece *piece);

/* What was agreed on in Sec-WebSocket-Extensions. */
struct ws_deflate {
    bool on;
    bool client_fresh, server_fresh; /* that end forgets its window after each message */
};
/* From the field of the server's 101 answer (its values joined with commas). */
struct ws_deflate ws_deflate_from(struct str extensions);

struct ws_inflate;

/* Where in a character a text ended. */
struct ws_utf8 {
    uint8_t left, low, high; /* bytes to come; bounds of the next one */
};

/* Private but for `fault` and `closed`. */
struct ws_scan {
    enum ws_fault fault; /* the first one; the scanner reads no further */
    bool closed;         /* a close frame was seen */
    bool from_client, deflate, fresh;
    bool final, masked, compressed, in_message, begun, lost;
    uint8_t opcode, message;   /* of the frame; of the message it belongs to */
    uint8_t head_n, head_need; /* bytes of the head so far; its size, 0 = unknown yet */
    struct ws_utf8 utf8;
    uint8_t control_n;
    uint8_t head[WS_HEAD_MAX];
    uint8_t mask[4];
    uint8_t control[WS_CONTROL_MAX];
    uint64_t left, at;          /* payload bytes to come; those that were */
    struct ws_inflate *inflate; /* owned; NULL until it is needed */
    ws_piece_fn *on_piece;
    void *ctx;
};

/* `deflate` may be NULL. */
void ws_scan_init(struct ws_scan *s, enum ws_from from, const struct ws_deflate *deflate, ws_piece_fn *on_piece,
                  void *ctx);
void ws_scan_done(struct ws_scan *s);
/* False once the stream is at fault. */
bool ws_scan_feed(struct ws_scan *s, const void *p, size_t n);

/* Handshake. */

#define WS_KEY_MAX 29
/* Whether a Sec-WebSocket-Key is 16 bytes of base64. */
bool ws_key_valid(struct str key);
/* Sec-WebSocket-Accept for a valid key; returns its length, 28. */
size_t ws_accept_key(struct str key, char out[WS_KEY_MAX]);

/* Writing frames. */

/*
 * The head of a frame of `n` payload bytes; returns its length. `mask` is NULL for a server's
 * frame; a client masks the payload with the same four bytes.
 */
size_t ws_head(bool final, enum ws_opcode opcode, uint64_t n, const uint8_t mask[4], uint8_t out[WS_HEAD_MAX]);
/* Masks or unmasks `n` bytes that lie `at` bytes behind the frame's head; `to` may be `from`. */
void ws_mask(void *to, const void *from, size_t n, const uint8_t mask[4], uint64_t at);
/* Appends a whole frame; a client's with a random mask. False when it does not fit. */
bool ws_frame(struct buf *out, enum ws_from from, bool final, enum ws_opcode opcode, struct str payload)
    __attribute__((warn_unused_result));
/* Appends a close frame; the reason is cut to fit, at a character. */
bool ws_close_frame(struct buf *out, enum ws_from from, uint16_t code, struct str reason)
    __attribute__((warn_unused_result));
/* Whether an end may put this code into a close frame (RFC 6455 §7.4). */
bool ws_close_code_ok(uint16_t code);

#endif
