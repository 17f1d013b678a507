/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_HTTP1_HEAD_H
#define NET_HTTP1_HEAD_H

/*
 * http1_head: strict parsing of HTTP/1.x message heads (RFC 9110, RFC 9112).
 *
 * Whatever two parsers could read differently is refused: bare CR or LF, NUL, obs-fold, a space
 * before the colon, an empty or odd name, two Content-Length fields, Content-Length beside
 * Transfer-Encoding, any transfer coding but a single "chunked", more than one Host; in requests
 * also two credentials or two content types, a path with dot segments, a backslash in the target,
 * and the methods CONNECT and TRACE. A head is parsed in place; the views point into the caller's
 * bytes and are good as long as those are.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define HTTP1_HEAD_MAX 65536 /* bytes of a head, final blank line included */
#define HTTP1_FIELDS_MAX 128
#define HTTP1_TARGET_MAX 16384

/* Fields the program acts on or must not forward. Columns: name, field name in lower case, hop-by-hop. */
#define HTTP1_FIELD_TABLE(X)                               \
    X(OTHER, "", 0)                                        \
    X(HOST, "host", 0)                                     \
    X(CONNECTION, "connection", 1)                         \
    X(KEEP_ALIVE, "keep-alive", 1)                         \
    X(PROXY_CONNECTION, "proxy-connection", 1)             \
    X(PROXY_AUTHENTICATE, "proxy-authenticate", 1)         \
    X(PROXY_AUTHORIZATION, "proxy-authorization", 1)       \
    X(TE, "te", 1)                                         \
    X(TRAILER, "trailer", 1)                               \
    X(TRANSFER_ENCODING, "transfer-encoding", 1)           \
    X(UPGRADE, "upgrade", 1)                               \
    X(HTTP2_SETTINGS, "http2-settings", 1)                 \
    X(CONTENT_LENGTH, "content-length", 0)                 \
    X(CONTENT_TYPE, "content-type", 0)                     \
    X(CONTENT_ENCODING, "content-encoding", 0)             \
    X(ACCEPT_ENCODING, "accept-encoding", 0)               \
    X(EXPECT, "expect", 1)                                 \
    X(DATE, "date", 0)                                     \
    X(SERVER, "server", 0)                                 \
    X(COOKIE, "cookie", 0)                                 \
    X(SET_COOKIE, "set-cookie", 0)                         \
    X(AUTHORIZATION, "authorization", 0)                   \
    X(API_KEY, "api-key", 0)                               \
    X(X_API_KEY, "x-api-key", 0)                           \
    X(USER_AGENT, "user-agent", 0)                         \
    X(FORWARDED, "forwarded", 0)                           \
    X(VIA, "via", 0)                                       \
    X(X_REAL_IP, "x-real-ip", 0)                           \
    X(X_REQUEST_ID, "x-request-id", 0)                     \
    X(RETRY_AFTER, "retry-after", 0)                       \
    X(TRACEPARENT, "traceparent", 0)                       \
    X(SEC_WEBSOCKET_PROTOCOL, "sec-websocket-protocol", 0) \
    X(OPENAI_ORGANIZATION, "openai-organization", 0)       \
    X(OPENAI_PROJECT, "openai-project", 0)                 \
    X(X_PORTKEY_API_KEY, "x-portkey-api-key", 0)           \
    X(X_PORTKEY_TRACE_ID, "x-portkey-trace-id", 0)         \
    X(X_PORTKEY_SPAN_ID, "x-portkey-span-id", 0)           \
    X(X_PORTKEY_PARENT, "x-portkey-parent-span-id", 0)     \
    X(X_PORTKEY_METADATA, "x-portkey-metadata", 0)

enum http1_field_id {
#define X(name, text, hop) HTTP1_##name,
    HTTP1_FIELD_TABLE(X)
#undef X
        HTTP1_FIELD_COUNT
};

struct http1_field {
    struct str name;  /* as sent */
    struct str value; /* without surrounding white space */
    enum http1_field_id id;
};

enum http1_framing {
    HTTP1_NO_BODY,
    HTTP1_LENGTH, /* content_length bytes */
    HTTP1_CHUNKED,
    HTTP1_UNTIL_CLOSE, /* responses only */
};

struct http1_head {
    /* Request line. */
    struct str method;
    struct str target; /* origin form: path and query; "*" for OPTIONS */
    struct str path;   /* target up to '?' */
    struct str query;  /* after '?', or empty */
    /* Status line. */
    int status;
    struct str reason;

    int minor;                  /* HTTP/1.minor */
    struct http1_field *fields; /* the caller's array */
    unsigned field_count;

    enum http1_framing framing;
    uint64_t content_length;
    bool keep_alive; /* may the connection be used again, as far as this message says */
    bool expect_continue;
    bool upgrade_websocket; /* a GET without a body that asks for it (RFC 6455 4.2.1) */
    struct str host;
    unsigned connections; /* Connection fields that are not empty; their tokens name hop-by-hop fields */
    size_t size;          /* bytes of the head */
};

enum http1_parse {
    HTTP1_COMPLETE,
    HTTP1_PARTIAL, /* more bytes are needed */
    HTTP1_REFUSED, /* *ret_err says why */
};

/*
 * Parses a head at the front of `bytes`. `fields` has room for HTTP1_FIELDS_MAX. `seen` is how much
 * of `bytes` an earlier call has looked at already (0 at first), to keep slow senders linear.
 */
enum http1_parse http1_parse_request(struct str bytes, size_t seen, struct http1_field *fields,
                                     struct http1_head *ret_head, enum err *ret_err);
/* `to_head` / status decide whether a body follows: answers to HEAD, 1xx, 204 and 304 have none. */
enum http1_parse http1_parse_response(struct str bytes, size_t seen, bool to_head, struct http1_field *fields,
                                      struct http1_head *ret_head, enum err *ret_err);

/* Which field a name is; HTTP1_OTHER for most. */
enum http1_field_id http1_field_id_of(struct str name);
/* True for fields that end at this hop, by name or because a Connection field names them. */
bool http1_hop_by_hop(const struct http1_head *head, const struct http1_field *field);
/* The first field of that name (lower case), or NULL. */
const struct http1_field *http1_find(const struct http1_head *head, struct str name);
const struct http1_field *http1_find_id(const struct http1_head *head, enum http1_field_id id);
/* True when the comma-separated value contains the token, ignoring case. */
bool http1_has_token(struct str value, struct str token);
/* A value that may be sent: no control characters but tab. */
bool http1_value_valid(struct str value);
/* A byte that field names and methods are made of (RFC 9110 5.6.2). */
bool http1_token_byte(unsigned char c);
/* The standard reason phrase; "" when unknown. */
const char *http1_reason(int status);

#endif
