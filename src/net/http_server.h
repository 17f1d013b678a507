/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

/*
 * http_server: the client-facing side of HTTP/1.1, one per worker.
 *
 * A connection carries one exchange at a time. The application gets the head, then the body in
 * pieces as they arrive, and answers whenever it likes: head, body pieces, end. Bytes given to
 * http_send go to the socket at once, without a copy, and only what the socket does not take is
 * kept. The application looks at http_unsent() and stops its source until on_drained when the
 * client is slow; it stops the client with http_pause when its own sink is slow.
 *
 * Everything runs on the loop's thread. An exchange is dead after on_closed or on_done returned.
 * Callbacks may answer, end or abort the exchange; views they get are good until they return.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "net/http1_head.h"
#include "net/loop.h"

struct http_exchange;
struct http_server;
struct tls_server;

struct http_app {
    /* A request's head is complete. x->head is good until this returns. */
    void (*on_request)(struct http_exchange *x);
    /* Body content. `last` comes exactly once, with or without bytes; not for requests without a body. */
    void (*on_body)(struct http_exchange *x, struct str bytes, bool last);
    /* The unsent output fell below HTTP_LOW_WATER after having been above HTTP_HIGH_WATER. */
    void (*on_drained)(struct http_exchange *x);
    /* The client is gone or was given up before the answer was complete. */
    void (*on_closed)(struct http_exchange *x, enum err why);
    /* The last byte of the answer was handed to the kernel. */
    void (*on_done)(struct http_exchange *x);
    /* A request was refused before it became an exchange (bad HTTP); for counters. May be NULL. */
    void (*on_refused)(void *ctx, enum err why);
};

struct http_limits {
    uint64_t head_timeout_us; /* first byte of a request → its head complete */
    uint64_t keep_alive_us;   /* between requests */
    uint64_t body_idle_us;    /* without progress of a request body */
    uint64_t body_rate_min;   /* bytes a second: what is progress; 0: any byte */
    uint64_t stall_us;        /* output waiting, nothing taken by the client */
    unsigned connections_max; /* what comes beyond is answered with 503 */
};

#define HTTP_HIGH_WATER (16 * 1024)
#define HTTP_LOW_WATER (4 * 1024)

/* The public part of an exchange. */
struct http_exchange {
    struct http1_head head; /* good during on_request only */
    void *app_data;         /* the application's */
    void *server_ctx;       /* http_server's ctx */
    struct loop *loop;
    uint64_t started_us; /* monotonic, when the head was complete */
    bool has_body;       /* a request body follows the head */
    bool is_head;        /* method HEAD: an answer has no body */
    bool http10;
};

struct http_server *http_server_new(struct loop *l, const struct http_app *app, const struct http_limits *limits,
                                    void *ctx);
/*
 * Listens on "host:port" ("[::1]:80", ":8787", port 0 = any) with SO_REUSEPORT. `tls` may be NULL.
 * On failure `why` says what the system said.
 */
enum err http_server_listen(struct http_server *s, struct str address, struct tls_server *tls, char *why,
                            size_t why_cap) ERR_USE;
/* The port of the last listener. */
uint16_t http_server_port(const struct http_server *s);
/* Stops accepting, closes idle connections, tells busy ones to close after their answer. */
void http_server_drain(struct http_server *s);
/* Open connections. */
unsigned http_server_connections(const struct http_server *s);
/* Ends every connection and frees the server. Exchanges get on_closed. */
void http_server_free(struct http_server *s);

/* Answering. Head first: begin, fields, end. Nothing is sent before the first http_send or http_end. */
void http_head_begin(struct http_exchange *x, int status);
void http_head_field(struct http_exchange *x, struct str name, struct str value);
/* Complete lines "Name: value\r\n". */
void http_head_lines(struct http_exchange *x, struct str lines);
/*
 * Ends the head. HTTP1_LENGTH announces `length` bytes; HTTP1_CHUNKED is what the client's version
 * allows; HTTP1_NO_BODY for 1xx, 204, 304 (no length field). `close` ends the connection afterwards.
 */
void http_head_end(struct http_exchange *x, enum http1_framing framing, uint64_t length, bool close);
bool http_head_sent(const struct http_exchange *x);

/*
 * Body bytes, at any time after the head. An answer that does not keep the length it announced breaks
 * the connection; what follows a head that allows no body is dropped.
 */
void http_send(struct http_exchange *x, struct str bytes);
/* The answer is complete. on_done follows when the kernel has it. */
void http_end(struct http_exchange *x);
/* Both in one write. */
void http_send_end(struct http_exchange *x, struct str bytes);
/* Breaks the connection so that the client sees an error, not an end. No further callback. */
void http_abort(struct http_exchange *x);

/* A whole answer of our own. `lines` are extra header lines. */
void http_reply(struct http_exchange *x, int status, struct str content_type, struct str lines, struct str body);

size_t http_unsent(const struct http_exchange *x);
void http_pause(struct http_exchange *x);
void http_resume(struct http_exchange *x);

/*
 * After a 101 head (http_head_end with HTTP1_NO_BODY): both directions are raw bytes from now on;
 * on_body delivers them, http_send sends them unframed.
 */
void http_go_raw(struct http_exchange *x);

/* The peer's address as text, "127.0.0.1". Good while the exchange lives. */
struct str http_peer(const struct http_exchange *x);

#endif
