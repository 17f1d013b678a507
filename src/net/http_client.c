/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls and the pool.
 *
 * A connection is DIALING (no socket yet), BUSY (serves a call) or IDLE (in its origin's list,
 * newest first). Each connection belongs to an origin: host, port, TLS. One timer per connection
 * serves whatever limit applies now; as in http_server it is moved lazily.
 *
 * A request is repeated only when upstream cannot have acted on it: its connection came from the pool,
 * and either took no byte of it, or had been ended by upstream before the first of its bytes came
 * there. The kernel knows both: bytes that wait for an acknowledgement (SIOCOUTQ), and, after a reset,
 * whether an end in order came first (EPIPE rather than ECONNRESET).
 */
#include "net/http_client.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/digits.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/http_upstream.h"

#define MAGIC 0x7570636fu
#define READS_PER_TURN 2
#define IN_MAX (HTTP1_HEAD_MAX + LOOP_SCRATCH)
#define OUT_MAX (20u * 1024 * 1024) /* unsent; whoever kept the beginning of a body may give all of it at once */
#define DRAINED_BELOW (16 * 1024)
#define INTERIM_MAX 16
#define NARROW_BYTES 65536        /* of an answer, in the kernel, whoever reads it */
#define NARROW_UNTIL (256 * 1024) /* … until so much was passed on without a pause */

/* Time-outs. */

static void deadline_set(struct upstream_conn *u, uint64_t after_us)
{
    u->deadline_us = loop_now_us(u->client->loop) + after_us;
    if (!u->timer.slot || u->timer.due_us > u->deadline_us)
        loop_timer_set(u->client->loop, &u->timer, u->deadline_us);
}

static void deadline_update(struct upstream_conn *u)
{
    struct http_call *call = u->call;
    if (u->state != UPSTREAM_BUSY)
        return; /* dialing has a limit of its own */
    if (!call || u->paused || u->raw)
        u->deadline_us = UINT64_MAX;
    else if (u->head_done)
        deadline_set(u, call->idle_timeout_us);
    else
        deadline_set(u, call->first_byte_timeout_us);
}

/* Memory, ours and the kernel's. */

static void account(struct upstream_conn *u)
{
    size_t now = u->in.cap + u->out.cap;
    loop_hold(u->client->loop, u->held, now);
    u->held = now;
}

/*
 * How far upstream may run ahead of us. A caller that pauses is to find little in the kernel's buffer;
 * one that keeps up gets the window that the path can use.
 */
static void set_width(struct upstream_conn *u, bool wide)
{
    u->passed = 0;
    if (wide != u->wide)
        sock_receive_limit(&u->sock, wide ? 0 : NARROW_BYTES);
    u->wide = wide;
}

/* Closing. */

static void on_free(struct loop_grave *g)
{
    struct upstream_conn *u = list_entry(g, struct upstream_conn, grave);
    u->magic = 0;
    mem_free(u);
}

static void conn_close(struct upstream_conn *u)
{
    struct http_client *c = u->client;
    if (u->state == UPSTREAM_CLOSED_STATE)
        return;
    if (u->dial)
        dial_cancel(u->dial);
    if (u->state == UPSTREAM_IDLE)
        c->stats.idle--;
    u->dial = NULL;
    u->state = UPSTREAM_CLOSED_STATE;
    loop_remove(c->loop, &u->io);
    loop_timer_clear(c->loop, &u->timer);
    sock_close(&u->sock);
    buf_free(&u->in);
    buf_free(&u->out);
    account(u);
    list_remove(&u->node);
    list_remove(&u->all_node);
    u->origin->open--;
    c->stats.open--;
    if (u->call)
        u->call->conn = NULL;
    u->call = NULL;
    loop_bury(c->loop, &u->grave);
}

static void conn_dial(struct http_call *call, struct origin *o);

/* A pooled connection that was dead before the request came; see above. */
static bool conn_stale(const struct upstream_conn *u)
{
    const struct http_call *call = u->call;
    int unacknowledged = 0;
    if (!call || !u->used_before || !call->whole || call->answered || call->retried)
        return false;
    if (u->head_seen || u->interims || buf_size(&u->in))
        return false; /* an answer has begun */
    if (!u->whole_sent)
        return true;
    return u->fin_first && ioctl(u->sock.fd, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged >= 0 &&
           (size_t)unacknowledged >= u->whole_sent;
}

/* Ends the call with an error, or repeats it where that is safe and of use. */
static void conn_fail(struct upstream_conn *u, enum err why, const char *detail)
{
    struct http_call *call = u->call;
    bool stale = why == ERR_UPSTREAM_CLOSED && conn_stale(u);
    struct origin *o = u->origin;
    conn_close(u);
    if (!call)
        return;
    if (stale) {
        call->retried = true;
        call->reused = false;
        conn_dial(call, o);
        return;
    }
    call->app->on_failed(call, why, detail);
}

static void on_time(struct loop_timer *t)
{
    struct upstream_conn *u = list_entry(t, struct upstream_conn, timer);
    must(u->magic == MAGIC);
    if (u->deadline_us == UINT64_MAX)
        return;
    if (loop_now_us(u->client->loop) < u->deadline_us) {
        loop_timer_set(u->client->loop, t, u->deadline_us);
        return;
    }
    if (u->state == UPSTREAM_IDLE)
        conn_close(u);
    else if (u->state == UPSTREAM_DIALING)
        conn_fail(u, ERR_UPSTREAM_BUSY, "the limit of connections to this upstream is reached");
    else if (u->head_done)
        conn_fail(u, ERR_UPSTREAM_IDLE, "upstream sent nothing for longer than the idle limit");
    else
        conn_fail(u, ERR_UPSTREAM_TIMEOUT, "upstream did not begin to answer in time");
}

/* Output. */

static bool write_all(struct upstream_conn *u, struct iovec *iov, int count, size_t *ret_written)
{
    size_t written = 0;
    int first = 0;
    while (first < count && !u->blocked) {
        size_t n = 0;
        if (!iov[first].iov_len) {
            first++;
            continue;
        }
        enum sock_io io = sock_write(&u->sock, iov + first, count - first, &n);
        if (io == SOCK_AGAIN)
            u->blocked = true;
        else if (io != SOCK_DONE)
            return false;
        written += n;
        while (first < count && n >= iov[first].iov_len)
            n -= iov[first++].iov_len;
        if (first < count) {
            iov[first].iov_base = (char *)iov[first].iov_base + n;
            iov[first].iov_len -= n;
        }
    }
    *ret_written = written;
    if (written && !u->head_done)
        deadline_update(u); /* upstream takes the request: the wait for its answer begins anew */
    return true;
}

/* Sends what there is to send of the call. False when the connection is broken. */
static bool output_run(struct upstream_conn *u)
{
    struct http_call *call = u->call;
    size_t written = 0;
    if (!call || u->state != UPSTREAM_BUSY)
        return true;
    if (u->broken)
        return false;
    if (call->whole && !call->answered) {
        size_t total = call->head.n + call->body.n, sent = u->whole_sent;
        if (sent == total)
            return true;
        struct str h = str_from(call->head, sent);
        struct str b = sent > call->head.n ? str_from(call->body, sent - call->head.n) : call->body;
        struct iovec iov[2] = {{(void *)(uintptr_t)h.p, h.n}, {(void *)(uintptr_t)b.p, b.n}};
        if (!write_all(u, iov, 2, &written))
            return false;
        u->whole_sent += written;
        return true;
    }
    if (buf_size(&u->out)) {
        struct iovec iov[1] = {{u->out.p + u->out.start, buf_size(&u->out)}};
        if (!write_all(u, iov, 1, &written))
            return false;
        buf_take(&u->out, written);
        buf_release(&u->out);
    }
    return true;
}

/* A connection that is of no use any more is reported from the loop, not from inside the caller's call. */
static void break_later(struct upstream_conn *u)
{
    u->broken = true;
    loop_requeue(u->client->loop, &u->io, LOOP_READ);
}

static void output_or_break(struct upstream_conn *u)
{
    if (!output_run(u))
        break_later(u);
}

static void out_add(struct upstream_conn *u, struct str s)
{
    if (!buf_add_str(&u->out, s))
        break_later(u); /* the caller ignored http_call_unsent: rather no request than one with a hole */
}

/* Writes what the socket takes and leaves the rest in `parts`. False when the connection is broken. */
static bool write_parts(struct upstream_conn *u, struct str parts[3])
{
    struct iovec iov[3];
    size_t written = 0;
    for (int i = 0; i < 3; i++)
        iov[i] = (struct iovec){(void *)(uintptr_t)parts[i].p, parts[i].n};
    if (!write_all(u, iov, 3, &written))
        return false;
    for (int i = 0; i < 3; i++) {
        size_t n = written < parts[i].n ? written : parts[i].n;
        parts[i] = str_from(parts[i], n);
        written -= n;
    }
    return true;
}

void http_call_body(struct http_call *call, struct str bytes)
{
    struct upstream_conn *u = call->conn;
    char line[DIGITS_HEX_MAX + 2];
    if (!u || !bytes.n || u->broken)
        return;
    must(!call->whole || u->raw);
    must(!call->request_ended || u->raw);
    struct str parts[3] = {{line, 0}, bytes, STR("")};
    if (call->chunked && !u->raw) {
        parts[0].n = digits_hex(bytes.n, line);
        line[parts[0].n++] = '\r';
        line[parts[0].n++] = '\n';
        parts[2] = STR("\r\n");
    }
    if (u->state == UPSTREAM_BUSY && !buf_size(&u->out) && !u->blocked && !write_parts(u, parts)) {
        break_later(u);
        return;
    }
    for (int i = 0; i < 3; i++)
        out_add(u, parts[i]);
    output_or_break(u);
    account(u);
    if (!u->head_done)
        deadline_update(u);
    if (buf_size(&u->out) > DRAINED_BELOW)
        u->was_high = true;
}

void http_call_body_end(struct http_call *call)
{
    struct upstream_conn *u = call->conn;
    if (!u || call->request_ended)
        return;
    call->request_ended = true;
    if (call->chunked)
        out_add(u, STR("0\r\n\r\n"));
    output_or_break(u);
    deadline_update(u);
}

size_t http_call_unsent(const struct http_call *call)
{
    return call->conn ? buf_size(&call->conn->out) : 0;
}

/* Input. */

static void conn_to_pool(struct upstream_conn *u)
{
    struct http_client *c = u->client;
    u->state = UPSTREAM_IDLE;
    u->used_before = true;
    u->head_done = u->was_high = false;
    set_width(u, false);
    list_prepend(&u->origin->idle, &u->node);
    c->stats.idle++;
    deadline_set(u, c->settings.pool_idle_us);
}

/* The answer is complete: gives the connection back, then tells the caller. */
static void call_done(struct upstream_conn *u, struct str bytes)
{
    struct http_call *call = u->call;
    bool sent = call->whole ? u->whole_sent == call->head.n + call->body.n || call->request_ended
                            : call->request_ended && !buf_size(&u->out);
    u->call = NULL;
    call->conn = NULL;
    if (u->keep_alive && sent && !u->raw && !u->hung_up && !u->ending && !u->broken && !buf_size(&u->out))
        conn_to_pool(u);
    else
        conn_close(u);
    call->app->on_body(call, bytes, true);
}

static void feed_body(struct upstream_conn *u, struct str *bytes)
{
    while (u->call && !u->paused) {
        struct str data;
        if (u->raw) {
            data = *bytes;
            *bytes = str_of("", 0);
            if (data.n)
                u->call->app->on_body(u->call, data, false);
            return;
        }
        switch (http1_body_next(&u->body, bytes, &data)) {
        case HTTP1_BODY_MORE:
            return;
        case HTTP1_BODY_DATA:
            if (u->body.done && u->body.framing == HTTP1_LENGTH) {
                if (bytes->n)
                    u->keep_alive = false; /* bytes nobody asked for */
                call_done(u, data);
                return;
            }
            u->call->app->on_body(u->call, data, false);
            break;
        case HTTP1_BODY_DONE:
            if (bytes->n)
                u->keep_alive = false;
            call_done(u, str_of("", 0));
            return;
        case HTTP1_BODY_BAD:
            conn_fail(u, ERR_UPSTREAM_BAD_HTTP, "upstream's chunked framing is broken");
            return;
        }
    }
}

/*
 * An answer that begins before the request is complete: unless it is a refusal, the rest of the request
 * is still wanted, but its views end here.
 */
static void keep_unsent(struct upstream_conn *u, int status)
{
    struct http_call *call = u->call;
    size_t total = call->head.n + call->body.n, sent = u->whole_sent;
    if (!call->whole || sent == total || status >= 300)
        return;
    struct str h = str_from(call->head, sent);
    struct str b = sent > call->head.n ? str_from(call->body, sent - call->head.n) : call->body;
    if (buf_add_str(&u->out, h) && buf_add_str(&u->out, b))
        u->whole_sent = total;
}

/* False when the connection is gone or more bytes are needed. */
static bool feed_head(struct upstream_conn *u, struct str *bytes)
{
    struct http1_field fields[HTTP1_FIELDS_MAX];
    struct http1_head head;
    enum err e = ERR_OK;
    switch (http1_parse_response(*bytes, u->head_seen, u->call->to_head, fields, &head, &e)) {
    case HTTP1_PARTIAL:
        u->head_seen = bytes->n;
        return false;
    case HTTP1_REFUSED:
        conn_fail(u, e, "upstream's answer is not valid HTTP/1.1");
        return false;
    case HTTP1_COMPLETE:
        break;
    }
    u->head_seen = 0;
    *bytes = str_from(*bytes, head.size);
    if (head.status < 200 && head.status != 101) {
        if (++u->interims <= INTERIM_MAX)
            return true;
        conn_fail(u, ERR_UPSTREAM_BAD_HTTP, "upstream sent too many interim answers");
        return false;
    }
    u->head_done = true;
    u->keep_alive = head.keep_alive;
    u->raw = head.status == 101;
    http1_body_begin(&u->body, &head);
    keep_unsent(u, head.status);
    u->call->request_ended |= u->call->whole && u->whole_sent == u->call->head.n + u->call->body.n;
    u->call->answered = true;
    deadline_update(u);
    u->call->app->on_head(u->call, &head);
    return u->call != NULL;
}

static size_t feed(struct upstream_conn *u, struct str bytes)
{
    size_t given = bytes.n;
    while (u->call && !u->paused) {
        if (!u->head_done) {
            if (!bytes.n || !feed_head(u, &bytes))
                break;
        } else {
            if (!bytes.n && !u->body.done)
                break;
            feed_body(u, &bytes);
            break;
        }
    }
    return given - bytes.n;
}

/*
 * The bytes are set aside: a callback may end the call, and the connection with it or for another call,
 * and views of them are good all the same until it returns.
 */
static void feed_kept(struct upstream_conn *u)
{
    struct buf kept = u->in;
    buf_init(&u->in, IN_MAX);
    size_t used = feed(u, buf_str(&kept));
    if (u->state != UPSTREAM_BUSY || used == buf_size(&kept)) {
        buf_free(&kept);
        return;
    }
    buf_take(&kept, used);
    u->in = kept;
}

static void feed_fresh(struct upstream_conn *u, struct str bytes)
{
    if (!u->call) { /* bytes on an idle connection: nobody asked, so it cannot be trusted */
        conn_close(u);
        return;
    }
    if (buf_size(&u->in)) {
        if (!buf_add_str(&u->in, bytes))
            conn_fail(u, ERR_UPSTREAM_BAD_HTTP, "upstream's head is too large");
        else
            feed_kept(u);
        return;
    }
    size_t used = feed(u, bytes);
    if (u->state == UPSTREAM_BUSY && used < bytes.n && !buf_add_str(&u->in, str_from(bytes, used)))
        conn_fail(u, ERR_UPSTREAM_BAD_HTTP, "upstream's head is too large");
}

static void input_end(struct upstream_conn *u, enum sock_io io)
{
    struct http_call *call = u->call;
    u->read_more = false;
    u->ending = true;
    u->fin_first |= io == SOCK_EOF && !u->broken;
    if (!call)
        conn_close(u);
    else if (u->head_done && io == SOCK_EOF && !u->broken && (u->raw || http1_body_ends_at_close(&u->body)))
        call_done(u, str_of("", 0));
    else
        conn_fail(u, ERR_UPSTREAM_CLOSED,
                  u->head_done ? "upstream closed the connection in the middle of its answer"
                               : "upstream closed the connection without an answer");
}

static void input_run(struct upstream_conn *u)
{
    if (buf_size(&u->in) && u->call)
        feed_kept(u);
    char *scratch = loop_scratch(u->client->loop);
    for (int reads = 0; u->state != UPSTREAM_CLOSED_STATE && u->read_more && !u->paused; reads++) {
        if (reads == READS_PER_TURN) {
            loop_requeue(u->client->loop, &u->io, LOOP_READ);
            return;
        }
        size_t n = 0;
        size_t room = loop_read_max(u->client->loop);
        enum sock_io io = sock_read(&u->sock, scratch, room, &n);
        if (io == SOCK_AGAIN) {
            u->read_more = false;
        } else if (io != SOCK_DONE) {
            input_end(u, io);
            return;
        } else {
            if (n < room && !u->sock.ssl && !u->hung_up && !u->ending)
                u->read_more = false;
            if (u->head_done)
                deadline_update(u);
            u->passed += n;
            feed_fresh(u, str_of(scratch, n));
            if (!u->wide && u->passed >= NARROW_UNTIL && u->state == UPSTREAM_BUSY)
                set_width(u, true);
        }
    }
}

/* Why the connection broke, before reading or writing takes the reason away. */
static void note_reset(struct upstream_conn *u)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(u->sock.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || !error)
        return;
    u->broken = true;
    u->fin_first |= error == EPIPE;
}

static void on_ready(struct loop_io *io, unsigned ready)
{
    struct upstream_conn *u = list_entry(io, struct upstream_conn, io);
    must(u->magic == MAGIC);
    if (ready & LOOP_READ)
        u->read_more = true;
    if (ready & LOOP_WRITE)
        u->blocked = false;
    if (ready & LOOP_HUP)
        u->hung_up = true;
    if (ready & LOOP_END)
        u->ending = true;
    if (u->hung_up && u->used_before && u->call && !u->call->answered)
        note_reset(u);
    /* A broken write is looked at again by reading: an early answer may be waiting there. */
    if (!u->blocked && !output_run(u))
        u->broken = true;
    if (u->broken || u->hung_up)
        u->read_more = true;
    if (u->call && u->was_high && buf_size(&u->out) < DRAINED_BELOW && !u->broken) {
        u->was_high = false;
        if (u->call->app->on_drained)
            u->call->app->on_drained(u->call);
    }
    if (u->state != UPSTREAM_CLOSED_STATE)
        input_run(u);
    account(u);
    if (u->broken && u->state == UPSTREAM_BUSY && !u->paused && !u->read_more)
        conn_fail(u, ERR_UPSTREAM_CLOSED, "the connection to upstream broke while the request was being sent");
}

/* Connections and origins. */

static struct origin *origin_of(struct http_client *c, const struct dial_target *t)
{
    struct origin **slot = &c->origins[(str_hash(t->host) ^ t->port) % ORIGIN_BUCKETS];
    for (struct origin *o = *slot; o; o = o->next)
        if (o->port == t->port && o->tls == t->tls && str_eq(str_of(o->host, o->host_n), t->host))
            return o;
    struct origin *o = mem_zalloc(sizeof *o + t->host.n + 1);
    list_init(&o->idle);
    o->port = t->port;
    o->tls = t->tls;
    o->host_n = t->host.n;
    memcpy(o->host, t->host.p, t->host.n);
    o->next = *slot;
    *slot = o;
    return o;
}

static void begin_on(struct upstream_conn *u)
{
    u->state = UPSTREAM_BUSY;
    u->interims = 0;
    u->head_done = false;
    u->whole_sent = 0;
    deadline_update(u);
    output_or_break(u);
}

static void on_dialed(void *ctx, enum err e, struct sock sock, const char *detail)
{
    struct upstream_conn *u = ctx;
    must(u->magic == MAGIC && u->state == UPSTREAM_DIALING);
    u->dial = NULL;
    if (e) {
        struct http_call *call = u->call;
        conn_close(u);
        call->app->on_failed(call, e, detail);
        return;
    }
    u->sock = sock;
    sock_tune(&u->sock, 0, NARROW_BYTES);
    sock_watch(sock.fd);
    if (!loop_add(u->client->loop, &u->io, sock.fd)) {
        conn_fail(u, ERR_UPSTREAM_BUSY, "the kernel refused to watch the connection");
        return;
    }
    u->read_more = true;
    begin_on(u);
}

static void conn_dial(struct http_call *call, struct origin *o)
{
    struct http_client *c = call->client;
    struct upstream_conn *u = mem_zalloc(sizeof *u);
    *u = (struct upstream_conn){.magic = MAGIC, .client = c, .origin = o, .call = call};
    u->io = (struct loop_io){on_ready, -1};
    u->timer.on_time = on_time;
    u->grave.on_free = on_free;
    u->deadline_us = UINT64_MAX;
    list_init(&u->node);
    list_append(&c->all, &u->all_node);
    buf_init(&u->in, IN_MAX);
    buf_init(&u->out, OUT_MAX);
    sock_init(&u->sock, -1);
    o->open++;
    c->stats.open++;
    call->conn = u;
    if (o->open > c->settings.connections_per_origin_max) {
        deadline_set(u, 0); /* refused from the loop, not from inside the caller's call */
        return;
    }
    c->stats.dialed++;
    u->dial = dial_start(c->dialer, &(struct dial_target){str_of(o->host, o->host_n), o->port, o->tls}, on_dialed, u);
}

/* Nothing came, not even an end, since the connection was put into the pool. */
static bool conn_quiet(const struct upstream_conn *u)
{
    char byte;
    return recv(u->sock.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

static void call_attach(struct http_client *c, struct http_call *call, const struct dial_target *target)
{
    struct origin *o = origin_of(c, target);
    call->client = c;
    while (!list_empty(&o->idle)) {
        struct upstream_conn *u = list_entry(o->idle.next, struct upstream_conn, node);
        must(u->magic == MAGIC && u->state == UPSTREAM_IDLE);
        if (!call->whole && !conn_quiet(u)) { /* what is streamed cannot be repeated */
            conn_close(u);
            continue;
        }
        list_remove(&u->node);
        c->stats.idle--;
        c->stats.reused++;
        u->call = call;
        call->conn = u;
        call->reused = true;
        u->state = UPSTREAM_BUSY;
        return;
    }
    conn_dial(call, o);
}

static void call_init(struct http_call *call, const struct http_call_options *options)
{
    call->conn = NULL;
    call->head = call->body = str_of("", 0);
    call->first_byte_timeout_us = options->first_byte_timeout_us;
    call->idle_timeout_us = options->idle_timeout_us;
    call->to_head = options->to_head;
    call->chunked = options->chunked;
    call->whole = call->request_ended = call->answered = call->retried = call->reused = false;
}

void http_call_begin(struct http_client *c, struct http_call *call, const struct dial_target *target,
                     const struct http_call_options *options, struct str head, struct str body)
{
    call_init(call, options);
    call->whole = true;
    call->head = head;
    call->body = body;
    call_attach(c, call, target);
    if (call->conn->state == UPSTREAM_BUSY)
        begin_on(call->conn);
}

void http_call_begin_streamed(struct http_client *c, struct http_call *call, const struct dial_target *target,
                              const struct http_call_options *options, struct str head)
{
    call_init(call, options);
    call_attach(c, call, target);
    struct upstream_conn *u = call->conn;
    out_add(u, head);
    if (u->state == UPSTREAM_BUSY)
        begin_on(u);
}

void http_call_pause(struct http_call *call)
{
    if (!call->conn)
        return;
    call->conn->paused = true;
    set_width(call->conn, false);
    deadline_update(call->conn);
}

void http_call_resume(struct http_call *call)
{
    struct upstream_conn *u = call->conn;
    if (!u || !u->paused)
        return;
    u->paused = false;
    u->read_more = true;
    deadline_update(u);
    loop_requeue(u->client->loop, &u->io, LOOP_READ);
}

void http_call_cancel(struct http_call *call)
{
    struct upstream_conn *u = call->conn;
    if (!u)
        return;
    u->call = NULL;
    call->conn = NULL;
    conn_close(u);
}

struct http_client *http_client_new(struct loop *l, struct dialer *d, const struct http_client_settings *settings)
{
    struct http_client *c = mem_zalloc(sizeof *c);
    *c = (struct http_client){.loop = l, .dialer = d, .settings = *settings};
    list_init(&c->all);
    return c;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    while (!list_empty(&c->all)) {
        struct upstream_conn *u = list_entry(c->all.next, struct upstream_conn, all_node);
        conn_close(u);
    }
    for (unsigned i = 0; i < ORIGIN_BUCKETS; i++) {
        while (c->origins[i]) {
            struct origin *o = c->origins[i];
            c->origins[i] = o->next;
            mem_free(o);
        }
    }
    mem_free(c);
}

struct http_client_stats http_client_stats_of(const struct http_client *c)
{
    return c->stats;
}
