/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_HTTP_CONN_H
#define NET_HTTP_CONN_H

/*
 * http_conn: the inside of http_server, shared by its files only.
 */

#include "base/buf.h"
#include "base/list.h"
#include "base/must.h"
#include "net/http1_body.h"
#include "net/http_server.h"
#include "net/sock.h"

#define HTTP_LISTENERS_MAX 4
#define HTTP_PEER_MAX 46
#define HTTP_CONN_MAGIC 0x68636f6eu

struct listener;

struct http_server {
    struct loop *loop;
    const struct http_app *app;
    struct http_limits limits;
    void *ctx;
    struct listener *listeners[HTTP_LISTENERS_MAX];
    unsigned listener_count;
    struct list conns;
    unsigned connections;
    bool draining;
};

enum conn_state {
    CONN_HANDSHAKE, /* TLS is being agreed on */
    CONN_HEAD,      /* between requests, or a head is incomplete */
    CONN_BODY,      /* a request body is being delivered */
    CONN_WAIT,      /* the request is complete, the answer is not */
    CONN_RAW,       /* upgraded: bytes both ways */
    CONN_LINGER,    /* answered early: input is discarded for a while */
    CONN_CLOSED,    /* waits to be freed at the end of the turn */
};

struct http_conn {
    unsigned magic;
    enum conn_state state;
    struct http_server *server;
    struct http_exchange x;
    struct sock sock;
    struct loop_io io;
    struct loop_timer timer;
    struct loop_grave grave;
    struct list node;
    uint64_t deadline_us;
    uint64_t moved_us; /* when the socket last took output */
    uint64_t promised; /* bytes of the answer that are still to come, when its length was announced */
    struct buf in;     /* bytes that cannot be used yet */
    struct buf out;    /* bytes the socket did not take yet */
    struct http1_body body;
    size_t head_seen; /* bytes of `in` already searched for the end of a head */
    size_t linger_left;
    size_t held;       /* of `in` and `out`, as the loop knows it */
    size_t body_bytes; /* of the request body, since its time-out was last set */
    bool read_more;    /* the socket may have input */
    bool blocked;      /* the socket took no more output */
    bool hung_up;      /* the peer is gone */
    bool ending;       /* the peer ended its sending; the end is still to be read */
    bool broken;       /* a write failed */
    bool overflow;     /* `out` passed its maximum */
    bool active;       /* an exchange is under way and the application knows it */
    bool paused;
    bool was_high;
    bool blank_seen;  /* the one empty line that may stand before a request */
    bool input_ended; /* the end of the peer's sending was read */
    bool fin_sent;
    bool head_ended, reply_ended, close_after, raw;
    bool chunked, counted, no_body; /* the answer's framing; none of them: until the end of the connection */
    char peer[HTTP_PEER_MAX];
};

static inline struct http_conn *http_conn_of(struct http_exchange *x)
{
    struct http_conn *c = list_entry(x, struct http_conn, x);
    must(c->magic == HTTP_CONN_MAGIC);
    return c;
}

static inline const struct http_conn *http_conn_of_const(const struct http_exchange *x)
{
    const char *inner = (const char *)x;
    const struct http_conn *c = (const void *)(inner - offsetof(struct http_conn, x));
    must(c->magic == HTTP_CONN_MAGIC);
    return c;
}

/* After a change of `in` or `out`. */
static inline void http_conn_account(struct http_conn *c)
{
    size_t now = c->in.cap + c->out.cap;
    if (now == c->held)
        return;
    loop_hold(c->server->loop, c->held, now);
    c->held = now;
}

/* Writes what is kept and then the vector, keeps the rest; false when the connection is broken. */
bool http_conn_output(struct http_conn *c, const struct iovec *more, int more_count) ERR_USE;
/* The same; a connection that broke is reported later, once, from a clean stack. */
void http_conn_write(struct http_conn *c, const struct iovec *iov, int count);
/* To be called after output: ends an answer that is with the kernel, else sets the time-outs. */
void http_conn_after_output(struct http_conn *c);
/* Answers what is not a request, and closes. */
void http_conn_refuse(struct http_conn *c, enum err why);
/* Discards input for a while, so that what was sent is not lost to a reset, then closes. */
void http_conn_linger(struct http_conn *c);
/* Ends the connection from our side or theirs; an exchange under way is told. */
void http_conn_close(struct http_conn *c, enum err why);

#endif
