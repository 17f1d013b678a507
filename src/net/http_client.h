/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

/*
 * http_client: HTTP/1.1 calls to upstream over pooled keep-alive connections, one per worker.
 *
 * The caller renders the request head itself and gives head and body. A call whose request was
 * given whole is sent again on a fresh connection, once, when a pooled one turns out to have been
 * dead before any byte of the request came there; nothing else is ever retried here. The answer's
 * head and body come in callbacks; views are good until they return.
 *
 * The most recently used connection is lent first, so that few stay warm and the rest age out.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "net/dial.h"
#include "net/http1_head.h"
#include "net/loop.h"

struct http_call;
struct http_client;
struct upstream_conn;

struct http_call_app {
    /* The final answer's head (1xx answers but 101 are skipped). */
    void (*on_head)(struct http_call *call, const struct http1_head *head);
    /* Content; `last` comes exactly once, with or without bytes. The call is dead afterwards. */
    void (*on_body)(struct http_call *call, struct str bytes, bool last);
    /* Streamed request: what was unsent has drained, more may be given. */
    void (*on_drained)(struct http_call *call);
    /* The call failed, before or amid the answer. It is dead afterwards. */
    void (*on_failed)(struct http_call *call, enum err why, const char *detail);
};

/* Embedded in the caller's object; everything is private but app and app_data. */
struct http_call {
    const struct http_call_app *app;
    void *app_data;
    struct http_client *client;
    struct upstream_conn *conn; /* NULL before begin and when dead */
    struct str head, body;      /* whole requests: views until the answer begins */
    uint64_t first_byte_timeout_us, idle_timeout_us;
    bool whole, request_ended, to_head, chunked, answered, retried;
    bool reused; /* it ran on a pooled connection */
};

struct http_client_settings {
    uint64_t pool_idle_us; /* an unused connection is closed after this */
    unsigned connections_per_origin_max;
};

struct http_client *http_client_new(struct loop *l, struct dialer *d, const struct http_client_settings *settings);
void http_client_free(struct http_client *c); /* calls under way are dropped without callbacks */

struct http_call_options {
    uint64_t first_byte_timeout_us; /* last byte of the request taken → the answer's head complete */
    uint64_t idle_timeout_us;       /* between two reads of the answer */
    bool to_head;                   /* the method is HEAD */
    bool chunked;                   /* streamed request bodies are framed as chunks */
};

/*
 * Begins with a whole request. `head` and `body` stay the caller's and must not move before
 * on_head or on_failed.
 */
void http_call_begin(struct http_client *c, struct http_call *call, const struct dial_target *target,
                     const struct http_call_options *options, struct str head, struct str body);
/* Begins with a head; the body follows in pieces. */
void http_call_begin_streamed(struct http_client *c, struct http_call *call, const struct dial_target *target,
                              const struct http_call_options *options, struct str head);
/* One piece; copied where the socket does not take it. */
void http_call_body(struct http_call *call, struct str bytes);
void http_call_body_end(struct http_call *call);
/* Bytes of a streamed request that the socket has not taken. */
size_t http_call_unsent(const struct http_call *call);

void http_call_pause(struct http_call *call);
void http_call_resume(struct http_call *call);
/* Drops the call and its connection; no callback follows. Does nothing to a dead call. */
void http_call_cancel(struct http_call *call);

/* Counters of the pool. */
struct http_client_stats {
    unsigned open, idle;
    uint64_t dialed, reused;
};
struct http_client_stats http_client_stats_of(const struct http_client *c);

#endif
