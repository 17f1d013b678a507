/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 connections of clients.
 *
 * States of a connection: HANDSHAKE (TLS), HEAD (waiting for or reading a head), BODY (delivering a
 * request body), WAIT (request complete, answer under way), RAW (after 101), LINGER (answered before
 * the body was read: discard input for a while so that the answer is not lost to a reset), CLOSED.
 *
 * Input is read into the loop's scratch memory and used in place; only what cannot be used yet (a
 * partial head, a pipelined request) is kept in `in`. The driver `input_run` is the one place that
 * reads; it stops when paused and is requeued when resumed.
 */
#include "net/http_server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/http1_body.h"
#include "net/http_conn.h"
#include "net/listener.h"

#define OUT_MAX (64u * 1024 * 1024)
#define READS_PER_TURN 2
#define SEND_BUFFER 65536 /* in the kernel: more would only grow old there, and hide how slow a client is */
#define LINGER_US 10000000
#define LINGER_BYTES (64u << 20)
#define PIPELINED_MAX 4096 /* what is read of the next request while one is answered */
#define REFUSED_MAX 64     /* connections beyond the limit that may be told so at a time */

static void input_run(struct http_conn *c);
static void head_refuse(struct http_conn *c, enum err why);
static void give_up(struct http_conn *c, enum err why);

/* Time-outs: one timer, one deadline by state; a timer that fires early is set again. */

static void deadline_at(struct http_conn *c, uint64_t at_us)
{
    c->deadline_us = at_us;
    if (!c->timer.slot || c->timer.due_us > c->deadline_us)
        loop_timer_set(c->server->loop, &c->timer, c->deadline_us);
}

static void deadline_set(struct http_conn *c, uint64_t after_us)
{
    deadline_at(c, loop_now_us(c->server->loop) + after_us);
}

/* The client is to take what waits for it. */
static bool stalled(const struct http_conn *c)
{
    return c->blocked && buf_size(&c->out);
}

static void deadline_update(struct http_conn *c)
{
    const struct http_limits *limits = &c->server->limits;
    c->body_bytes = 0;
    if (stalled(c))
        deadline_at(c, c->moved_us + limits->stall_us);
    else if (c->state == CONN_BODY && !c->paused)
        deadline_set(c, limits->body_idle_us);
    else if (c->state == CONN_BODY || c->state == CONN_WAIT || c->state == CONN_RAW)
        c->deadline_us = UINT64_MAX;
}

/* Bytes came in. A body that only trickles does not move its time-out. */
static void input_moved(struct http_conn *c, size_t n)
{
    const struct http_limits *limits = &c->server->limits;
    if (c->state != CONN_BODY || stalled(c))
        return;
    c->body_bytes += n;
    if (c->body_bytes >= limits->body_rate_min * (limits->body_idle_us / 1000000))
        deadline_update(c);
}

static void on_time(struct loop_timer *t)
{
    struct http_conn *c = list_entry(t, struct http_conn, timer);
    must(c->magic == HTTP_CONN_MAGIC);
    if (c->deadline_us == UINT64_MAX)
        return;
    if (loop_now_us(c->server->loop) < c->deadline_us) {
        loop_timer_set(c->server->loop, t, c->deadline_us);
        return;
    }
    if (stalled(c))
        http_conn_close(c, ERR_CLIENT_STALLED);
    else if (c->state == CONN_HEAD && buf_size(&c->in))
        head_refuse(c, ERR_CLIENT_TIMEOUT);
    else
        give_up(c, ERR_CLIENT_TIMEOUT);
}

/* Closing. */

static void on_free(struct loop_grave *g)
{
    struct http_conn *c = list_entry(g, struct http_conn, grave);
    c->magic = 0;
    mem_free(c);
}

static void conn_release(struct http_conn *c, bool reset)
{
    struct http_server *s = c->server;
    c->state = CONN_CLOSED;
    loop_remove(s->loop, &c->io);
    loop_timer_clear(s->loop, &c->timer);
    if (reset)
        sock_abort(&c->sock);
    else
        sock_close(&c->sock);
    buf_free(&c->in);
    buf_free(&c->out);
    http_conn_account(c);
    list_remove(&c->node);
    s->connections--;
    loop_bury(s->loop, &c->grave);
}

void http_conn_close(struct http_conn *c, enum err why)
{
    if (c->state == CONN_CLOSED)
        return;
    bool told = !c->active;
    c->active = false;
    conn_release(c, !told);
    if (!told)
        c->server->app->on_closed(&c->x, why);
}

/* Ends an exchange because of what the client did; with an answer that says so when none has begun. */
static void give_up(struct http_conn *c, enum err why)
{
    if (!c->active || c->head_ended || buf_size(&c->out)) {
        http_conn_close(c, why);
        return;
    }
    c->active = false;
    c->server->app->on_closed(&c->x, why);
    if (c->state != CONN_CLOSED)
        http_conn_refuse(c, why);
}

void http_abort(struct http_exchange *x)
{
    struct http_conn *c = http_conn_of(x);
    if (c->state == CONN_CLOSED)
        return;
    c->active = false;
    conn_release(c, true);
}

/* Output. */

/* Our sending ends here; the peer's may go on. */
static void send_fin(struct http_conn *c)
{
    if (!c->fin_sent)
        sock_end(&c->sock);
    c->fin_sent = true;
}

void http_conn_linger(struct http_conn *c)
{
    c->state = CONN_LINGER;
    c->paused = false;
    c->linger_left = LINGER_BYTES;
    buf_free(&c->in);
    if (!buf_size(&c->out))
        send_fin(c);
    deadline_set(c, LINGER_US);
    loop_requeue(c->server->loop, &c->io, LOOP_READ);
}

/* The answer is with the kernel: ready the connection for the next request, or end it. */
static void exchange_done(struct http_conn *c)
{
    c->active = false;
    c->server->app->on_done(&c->x);
    c->x.app_data = NULL;
    if (c->state == CONN_CLOSED)
        return;
    if (c->close_after || c->server->draining || c->state == CONN_RAW) {
        bool unread = c->state == CONN_BODY || c->state == CONN_RAW || c->read_more || buf_size(&c->in);
        if (unread && !c->input_ended)
            http_conn_linger(c);
        else
            conn_release(c, false);
        return;
    }
    must(c->state == CONN_WAIT);
    c->state = CONN_HEAD;
    c->paused = false;
    deadline_set(c, buf_size(&c->in) ? c->server->limits.head_timeout_us : c->server->limits.keep_alive_us);
    if (buf_size(&c->in) || c->read_more)
        loop_requeue(c->server->loop, &c->io, 0); /* read_more says it all: an edge seen meanwhile is not read twice */
}

void http_conn_after_output(struct http_conn *c)
{
    size_t unsent = buf_size(&c->out);
    if (unsent > HTTP_HIGH_WATER)
        c->was_high = true;
    if (!unsent) {
        buf_release(&c->out);
        http_conn_account(c);
    }
    if (c->state == CONN_LINGER && !unsent && !c->fin_sent) {
        send_fin(c);
        deadline_set(c, LINGER_US);
        return;
    }
    if (c->active && c->reply_ended && !unsent) {
        exchange_done(c);
        return;
    }
    if (c->state != CONN_CLOSED)
        deadline_update(c);
}

/* Flushing the end of an answer may end the exchange; that must not happen inside the caller's call. */
static void on_end_turn(struct http_conn *c)
{
    if (c->active && c->reply_ended)
        http_conn_after_output(c);
}

size_t http_unsent(const struct http_exchange *x)
{
    const struct http_conn *c = http_conn_of_const(x);
    return c->state == CONN_CLOSED ? 0 : buf_size(&c->out);
}

void http_pause(struct http_exchange *x)
{
    struct http_conn *c = http_conn_of(x);
    c->paused = true;
    if (c->state != CONN_CLOSED)
        deadline_update(c);
}

void http_resume(struct http_exchange *x)
{
    struct http_conn *c = http_conn_of(x);
    if (c->state == CONN_CLOSED || !c->paused)
        return;
    c->paused = false;
    deadline_update(c);
    loop_requeue(c->server->loop, &c->io, LOOP_READ);
}

void http_go_raw(struct http_exchange *x)
{
    struct http_conn *c = http_conn_of(x);
    if (c->state == CONN_CLOSED)
        return;
    c->raw = true;
    c->chunked = false;
    c->state = CONN_RAW;
    loop_requeue(c->server->loop, &c->io, LOOP_READ);
}

struct str http_peer(const struct http_exchange *x)
{
    return str_c(http_conn_of_const(x)->peer);
}

/* Input. */

static void exchange_begin(struct http_conn *c)
{
    struct http_exchange *x = &c->x;
    x->started_us = clock_mono_us();
    x->has_body = !(x->head.framing == HTTP1_NO_BODY || (x->head.framing == HTTP1_LENGTH && !x->head.content_length));
    x->is_head = str_eq(x->head.method, STR("HEAD"));
    x->http10 = x->head.minor == 0;
    x->app_data = NULL;
    c->active = true;
    c->head_ended = c->reply_ended = c->raw = c->paused = c->was_high = c->blank_seen = false;
    c->chunked = c->counted = c->no_body = false;
    c->close_after = !x->head.keep_alive;
    c->state = x->has_body ? CONN_BODY : CONN_WAIT;
    http1_body_begin(&c->body, &x->head);
    bool expect = x->head.expect_continue && x->has_body && !x->http10;
    c->server->app->on_request(x);
    if (expect && c->state == CONN_BODY && !c->head_ended) {
        char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
        struct iovec iov = {line, sizeof line - 1};
        http_conn_write(c, &iov, 1);
    }
    if (c->state != CONN_CLOSED)
        deadline_update(c);
}

/* Answers what is not a request, and closes. */
static void head_refuse(struct http_conn *c, enum err why)
{
    if (c->server->app->on_refused)
        c->server->app->on_refused(c->server->ctx, why);
    http_conn_refuse(c, why);
}

/* RFC 9112 2.2: one empty line before the request line is passed over. False when more bytes are needed. */
static bool skip_blank(struct http_conn *c, struct str *bytes)
{
    if (c->blank_seen || c->head_seen || bytes->p[0] != '\r')
        return true;
    if (bytes->n >= 2 && bytes->p[1] == '\n') {
        *bytes = str_from(*bytes, 2);
        c->blank_seen = true;
    } else if (bytes->n == 1) {
        deadline_set(c, c->server->limits.head_timeout_us);
        return false;
    }
    return bytes->n > 0;
}

/* Reads a head from the front of *bytes. False when more is needed or the connection is refused. */
static bool feed_head(struct http_conn *c, struct str *bytes)
{
    struct http1_field fields[HTTP1_FIELDS_MAX];
    enum err e = ERR_OK;
    if (!skip_blank(c, bytes))
        return false;
    switch (http1_parse_request(*bytes, c->head_seen, fields, &c->x.head, &e)) {
    case HTTP1_PARTIAL:
        if (!c->head_seen)
            deadline_set(c, c->server->limits.head_timeout_us);
        c->head_seen = bytes->n;
        return false;
    case HTTP1_REFUSED:
        *bytes = str_of("", 0);
        head_refuse(c, e);
        return false;
    case HTTP1_COMPLETE:
        break;
    }
    c->head_seen = 0;
    *bytes = str_from(*bytes, c->x.head.size);
    exchange_begin(c);
    return true;
}

/* From here on the client owes nothing: its time-outs end. */
static void body_complete(struct http_conn *c)
{
    c->state = CONN_WAIT;
    deadline_update(c);
}

/* Delivers body content from the front of *bytes. False when the framing is broken. */
static bool feed_body(struct http_conn *c, struct str *bytes)
{
    while (c->state == CONN_BODY && !c->paused) {
        struct str data;
        switch (http1_body_next(&c->body, bytes, &data)) {
        case HTTP1_BODY_MORE:
            return true;
        case HTTP1_BODY_DATA:
            if (c->body.done)
                body_complete(c);
            if (c->active && !c->reply_ended)
                c->server->app->on_body(&c->x, data, c->body.done);
            break;
        case HTTP1_BODY_DONE:
            body_complete(c);
            if (c->active && !c->reply_ended)
                c->server->app->on_body(&c->x, str_of("", 0), true);
            break;
        case HTTP1_BODY_BAD:
            return false;
        }
    }
    return true;
}

/* Uses bytes as far as the state allows; returns how many were used. */
static size_t feed(struct http_conn *c, struct str bytes)
{
    size_t given = bytes.n;
    for (;;) {
        if (c->state == CONN_HEAD && bytes.n) {
            if (!feed_head(c, &bytes))
                break;
        } else if (c->state == CONN_BODY && !c->paused && (bytes.n || c->body.done)) {
            if (!feed_body(c, &bytes)) {
                give_up(c, ERR_BAD_HTTP);
                return given;
            }
            if (c->state == CONN_BODY)
                break;
        } else if (c->state == CONN_RAW && !c->paused && bytes.n) {
            struct str data = bytes;
            bytes = str_of("", 0);
            if (c->active && !c->reply_ended)
                c->server->app->on_body(&c->x, data, false);
        } else if (c->state == CONN_LINGER && bytes.n) {
            c->linger_left -= bytes.n < c->linger_left ? bytes.n : c->linger_left;
            bytes = str_of("", 0);
            if (!c->linger_left)
                http_conn_close(c, ERR_CLIENT_GONE);
        } else {
            break;
        }
    }
    return given - bytes.n;
}

/* True while reading more makes sense. */
static bool wants_input(const struct http_conn *c)
{
    if (c->input_ended)
        return false;
    switch (c->state) {
    case CONN_HEAD:
        return buf_size(&c->in) < HTTP1_HEAD_MAX;
    case CONN_BODY:
    case CONN_RAW:
        return !c->paused;
    case CONN_WAIT:
        return buf_size(&c->in) < PIPELINED_MAX;
    case CONN_LINGER:
        return true;
    default:
        return false;
    }
}

/* The bytes are set aside, so that views of them are good whatever a callback does to the connection. */
static void feed_kept(struct http_conn *c)
{
    struct buf kept = c->in;
    buf_init(&c->in, kept.max);
    size_t used = feed(c, buf_str(&kept));
    if (c->state == CONN_CLOSED || c->state == CONN_LINGER || used == buf_size(&kept)) {
        buf_free(&kept);
        return;
    }
    buf_take(&kept, used);
    c->in = kept;
}

/* Feeds fresh bytes; what cannot be used yet is kept. */
static void feed_fresh(struct http_conn *c, struct str bytes)
{
    if (buf_size(&c->in)) {
        if (!buf_add_str(&c->in, bytes))
            http_conn_close(c, ERR_HEAD_TOO_LARGE);
        else
            feed_kept(c);
        return;
    }
    size_t used = feed(c, bytes);
    if (c->state != CONN_CLOSED && used < bytes.n && !buf_add_str(&c->in, str_from(bytes, used)))
        http_conn_close(c, ERR_HEAD_TOO_LARGE);
}

static void input_end(struct http_conn *c, enum sock_io io)
{
    c->read_more = false;
    c->input_ended = true;
    if (io == SOCK_EOF && c->active && c->reply_ended) {
        c->close_after = true; /* it may be waiting for the rest of its answer */
        return;
    }
    if (io == SOCK_EOF && c->state == CONN_RAW && c->active) {
        c->server->app->on_body(&c->x, str_of("", 0), true);
        return;
    }
    http_conn_close(c, ERR_CLIENT_GONE);
}

/* Reads and feeds until the socket would block, or is to wait. */
static void read_on(struct http_conn *c)
{
    char *scratch = loop_scratch(c->server->loop);
    for (int reads = 0; c->state != CONN_CLOSED && c->read_more && wants_input(c); reads++) {
        if (reads == READS_PER_TURN) {
            loop_requeue(c->server->loop, &c->io, LOOP_READ);
            return;
        }
        size_t n = 0, room = c->state == CONN_WAIT ? PIPELINED_MAX : loop_read_max(c->server->loop);
        enum sock_io io = sock_read(&c->sock, scratch, room, &n);
        if (io == SOCK_AGAIN) {
            c->read_more = false;
        } else if (io != SOCK_DONE) {
            input_end(c, io);
            return;
        } else {
            if (n < room && !c->sock.ssl && !c->hung_up && !c->ending)
                c->read_more = false; /* a short read drained the socket; the edge comes back */
            input_moved(c, n);
            feed_fresh(c, str_of(scratch, n));
        }
    }
}

static void input_run(struct http_conn *c)
{
    if (buf_size(&c->in))
        feed_kept(c);
    read_on(c);
    http_conn_account(c);
    bool idle = c->state == CONN_HEAD && !c->read_more && !buf_size(&c->in) && !buf_size(&c->out);
    if (idle && c->server->draining)
        http_conn_close(c, ERR_DRAINING);
}

static void handshake_run(struct http_conn *c)
{
    char why[128];
    enum sock_io io = sock_tls_handshake(&c->sock, why, sizeof why);
    if (io == SOCK_AGAIN)
        return;
    if (io != SOCK_DONE) {
        log_debug("client_tls_failed", LOG_TEXT("peer", c->peer), LOG_TEXT("why", why));
        http_conn_close(c, ERR_CLIENT_GONE);
        return;
    }
    c->state = CONN_HEAD;
}

static void on_ready(struct loop_io *io, unsigned ready)
{
    struct http_conn *c = list_entry(io, struct http_conn, io);
    must(c->magic == HTTP_CONN_MAGIC);
    if (ready & LOOP_READ)
        c->read_more = true;
    if (ready & LOOP_WRITE)
        c->blocked = false;
    if (ready & LOOP_HUP)
        c->hung_up = true;
    if (ready & LOOP_END)
        c->ending = true;
    if (c->broken || (c->hung_up && (c->state == CONN_WAIT || c->paused || c->input_ended))) {
        http_conn_close(c, ERR_CLIENT_GONE);
        return;
    }
    if (c->state == CONN_HANDSHAKE)
        handshake_run(c);
    if (!c->blocked && buf_size(&c->out) && c->state != CONN_CLOSED && (c->head_ended || !c->active)) {
        if (!http_conn_output(c, NULL, 0)) {
            http_conn_close(c, ERR_CLIENT_GONE);
            return;
        }
        http_conn_after_output(c);
        if (c->was_high && c->active && buf_size(&c->out) < HTTP_LOW_WATER) {
            c->was_high = false;
            c->server->app->on_drained(&c->x);
        }
    }
    if (c->state != CONN_CLOSED)
        on_end_turn(c);
    if (c->state != CONN_CLOSED)
        input_run(c);
}

/* Accepting. */

static void on_accept(void *ctx, int fd, const char *peer, struct tls_server *tls)
{
    struct http_server *s = ctx;
    struct http_conn *c = mem_zalloc(sizeof *c);
    *c = (struct http_conn){.magic = HTTP_CONN_MAGIC, .server = s, .state = CONN_HEAD, .read_more = true};
    c->io = (struct loop_io){on_ready, -1};
    c->timer.on_time = on_time;
    c->grave.on_free = on_free;
    c->x.loop = s->loop;
    c->x.server_ctx = s->ctx;
    str_copy(c->peer, sizeof c->peer, str_c(peer));
    buf_init(&c->in, HTTP1_HEAD_MAX + 2 * LOOP_SCRATCH);
    buf_init(&c->out, OUT_MAX);
    sock_init(&c->sock, fd);
    sock_tune(&c->sock, SEND_BUFFER, 0);
    list_append(&s->conns, &c->node);
    s->connections++;
    unsigned most = s->limits.connections_max;
    if (s->connections > most + REFUSED_MAX || !loop_add(s->loop, &c->io, fd)) {
        http_conn_close(c, ERR_OVERLOADED);
        return;
    }
    if (s->connections > most && !tls) {
        http_conn_refuse(c, ERR_OVERLOADED);
        return;
    }
    if (tls) {
        c->state = CONN_HANDSHAKE;
        if (s->connections > most || sock_tls_accept(&c->sock, tls) != ERR_OK) {
            http_conn_close(c, ERR_INTERNAL);
            return;
        }
    }
    deadline_set(c, s->limits.head_timeout_us);
}

struct http_server *http_server_new(struct loop *l, const struct http_app *app, const struct http_limits *limits,
                                    void *ctx)
{
    struct http_server *s = mem_zalloc(sizeof *s);
    *s = (struct http_server){.loop = l, .app = app, .limits = *limits, .ctx = ctx};
    list_init(&s->conns);
    return s;
}

enum err http_server_listen(struct http_server *s, struct str address, struct tls_server *tls, char *why,
                            size_t why_cap)
{
    must(s->listener_count < HTTP_LISTENERS_MAX);
    struct listener *made = listener_new(s->loop, address, tls, on_accept, s, why, why_cap);
    if (!made)
        return ERR_LISTEN_FAILED;
    s->listeners[s->listener_count++] = made;
    return ERR_OK;
}

uint16_t http_server_port(const struct http_server *s)
{
    return s->listener_count ? listener_port(s->listeners[s->listener_count - 1]) : 0;
}

unsigned http_server_connections(const struct http_server *s)
{
    return s->connections;
}

void http_server_drain(struct http_server *s)
{
    s->draining = true;
    for (unsigned i = 0; i < s->listener_count; i++)
        listener_free(s->listeners[i]);
    s->listener_count = 0;
    struct list *n = s->conns.next;
    while (n != &s->conns) {
        struct http_conn *c = list_entry(n, struct http_conn, node);
        n = n->next;
        if (c->state == CONN_HEAD) /* a last look: a request may have come just now */
            loop_requeue(s->loop, &c->io, LOOP_READ);
    }
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    http_server_drain(s);
    while (!list_empty(&s->conns))
        http_conn_close(list_entry(s->conns.next, struct http_conn, node), ERR_DRAINING);
    mem_free(s);
}
