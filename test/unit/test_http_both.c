/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our client against our server, plain and under TLS: many calls at once, with bodies of all sizes in
 * pieces of all sizes, with pauses on both sides, cut by either. What arrives is what was sent, or the
 * call fails; never less that looks like all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "http_rig.h"
#include "net/address.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/resolve.h"
#include "tls_ends.h"

#define SECOND UINT64_C(1000000)
#define CALLS 8
#define BODY_MAX 400000

static struct {
    struct http_server *server;
    struct http_client *client;
    struct resolver *resolver;
    struct dialer *dialer;
    struct address_set *allowed;
    struct tls_server *tls_server;
    struct tls_client *tls_client;
    struct rng_seeded rng;
    struct list replies;
    unsigned exchanges, done, closed, answered, failed, cancelled, cut;
} both;

static char content[BODY_MAX];

static uint64_t below(uint64_t bound)
{
    return rng_seeded_below(&both.rng, bound);
}

/* Sizes with many small ones, and some around the buffers'. */
static size_t some_size(void)
{
    static const size_t around[] = {4096, 16384, 65536, 131072, 262144};
    switch (below(4)) {
    case 0:
        return below(10);
    case 1:
        return below(3000);
    case 2:
        return around[below(5)] + below(3) - 1;
    default:
        return below(BODY_MAX);
    }
}

/* The server's side: takes the whole body, or answers while it comes. */

struct reply {
    struct list node;
    struct http_exchange *x;
    struct buf body; /* what came and is still to be sent back */
    bool duplex, ended, waiting, paused;
    uint64_t left_until_cut; /* of what is sent; 0: never */
};

static void reply_some(struct http_exchange *x);

static void on_request(struct http_exchange *x)
{
    struct reply *r = mem_zalloc(sizeof *r);
    buf_init(&r->body, 2 * BODY_MAX);
    x->app_data = r;
    r->x = x;
    list_append(&both.replies, &r->node);
    both.exchanges++;
    r->duplex = str_starts(x->head.path, STR("/duplex"));
    r->ended = !x->has_body;
    if (str_ends(x->head.path, STR("/cut")))
        r->left_until_cut = 1 + below(50000);
    if (r->duplex || r->ended) {
        http_head_begin(x, 200);
        http_head_end(x, HTTP1_CHUNKED, 0, false);
    }
    if (r->ended)
        reply_some(x);
}

static void reply_free(struct http_exchange *x)
{
    struct reply *r = x->app_data;
    list_remove(&r->node);
    buf_free(&r->body);
    mem_free(r);
    x->app_data = NULL;
}

/* Sends pieces until the client is slow, or nothing is left. */
static void reply_some(struct http_exchange *x)
{
    struct reply *r = x->app_data;
    r->waiting = false;
    while (buf_size(&r->body)) {
        if (http_unsent(x) > HTTP_HIGH_WATER) {
            r->waiting = true;
            return;
        }
        size_t n = 1 + below(buf_size(&r->body));
        if (r->left_until_cut && n >= r->left_until_cut) {
            both.cut++;
            reply_free(x);
            http_abort(x);
            return;
        }
        r->left_until_cut -= r->left_until_cut ? n : 0;
        http_send(x, str_head(buf_str(&r->body), n));
        buf_take(&r->body, n);
    }
    if (r->ended)
        http_end(x);
}

static void on_body(struct http_exchange *x, struct str bytes, bool last)
{
    struct reply *r = x->app_data;
    assert_false(r->ended);
    assert_true(buf_add_str(&r->body, bytes));
    r->ended = last;
    if (last && !r->duplex) {
        http_head_begin(x, 200);
        if (below(2))
            http_head_end(x, HTTP1_CHUNKED, 0, false);
        else
            http_head_end(x, HTTP1_LENGTH, buf_size(&r->body), below(10) == 0);
    }
    if (http_head_sent(x) && !r->waiting)
        reply_some(x);
    if (x->app_data && !last && below(8) == 0) {
        r->paused = true;
        http_pause(x);
    }
}

static void on_drained(struct http_exchange *x)
{
    struct reply *r = x->app_data;
    if (r->waiting)
        reply_some(x);
}

static void on_closed(struct http_exchange *x, enum err why)
{
    (void)why;
    both.closed++;
    reply_free(x);
}

static void on_done(struct http_exchange *x)
{
    both.done++;
    reply_free(x);
}

static const struct http_app server_app = {on_request, on_body, on_drained, on_closed, on_done, NULL};

/* The client's side. */

struct talk {
    struct http_call call;
    size_t n, sent, got;
    bool live, whole, chunked, drained, ended, paused, may_fail;
    char head[256];
};

static struct talk talks[CALLS];

static void talk_on_head(struct http_call *call, const struct http1_head *head)
{
    (void)call;
    assert_int_equal(head->status, 200);
}

static void talk_on_body(struct http_call *call, struct str bytes, bool last)
{
    struct talk *t = call->app_data;
    assert_true(t->live);
    assert_true(t->got + bytes.n <= t->n);
    assert_memory_equal(bytes.p, content + t->got, bytes.n);
    t->got += bytes.n;
    if (last) {
        assert_int_equal(t->got, t->n);
        t->live = false;
        both.answered++;
    } else if (below(8) == 0) {
        t->paused = true;
        http_call_pause(call);
    } else if (t->may_fail && below(20) == 0) {
        http_call_cancel(call);
        t->live = false;
        both.cancelled++;
    }
}

static void talk_on_drained(struct http_call *call)
{
    struct talk *t = call->app_data;
    t->drained = true;
}

static void talk_on_failed(struct http_call *call, enum err why, const char *detail)
{
    struct talk *t = call->app_data;
    if (!t->may_fail || why != ERR_UPSTREAM_CLOSED)
        fail_msg("%s: %s, after %zu of %zu bytes", err_info(why)->code, detail, t->got, t->n);
    t->live = false;
    both.failed++;
}

static const struct http_call_app client_app = {talk_on_head, talk_on_body, talk_on_drained, talk_on_failed};

static void talk_begin(struct talk *t)
{
    const struct dial_target target = {STR("127.0.0.1"), http_server_port(both.server), both.tls_server != NULL};
    const struct http_call_options base = {.first_byte_timeout_us = 60 * SECOND, .idle_timeout_us = 60 * SECOND};
    struct http_call_options options = base;
    *t = (struct talk){.n = some_size(), .live = true, .drained = true};
    t->whole = below(2);
    t->chunked = options.chunked = !t->whole && below(2);
    bool duplex = below(5) == 0;
    t->may_fail = below(5) == 0;
    t->call.app = &client_app;
    t->call.app_data = t;
    snprintf(t->head, sizeof t->head, "POST %s%s HTTP/1.1\r\nHost: h\r\n", duplex ? "/duplex" : "/collect",
             t->may_fail && below(2) ? "/cut" : "");
    size_t at = strlen(t->head);
    if (t->chunked)
        snprintf(t->head + at, sizeof t->head - at, "Transfer-Encoding: chunked\r\n\r\n");
    else
        snprintf(t->head + at, sizeof t->head - at, "Content-Length: %zu\r\n\r\n", t->n);
    if (t->whole)
        http_call_begin(both.client, &t->call, &target, &options, str_c(t->head), str_of(content, t->n));
    else
        http_call_begin_streamed(both.client, &t->call, &target, &options, str_c(t->head));
    t->ended = t->whole;
}

/* Sends a little more, and goes on after a pause. */
static void talk_turn(struct talk *t)
{
    if (t->paused && below(4) == 0) {
        t->paused = false;
        http_call_resume(&t->call);
    }
    while (t->live && !t->ended && t->drained) {
        size_t n = 1 + below(t->n + 1);
        n = n < t->n - t->sent ? n : t->n - t->sent;
        http_call_body(&t->call, str_of(content + t->sent, n));
        t->sent += n;
        t->drained = http_call_unsent(&t->call) <= HTTP_HIGH_WATER;
        if (t->sent == t->n) {
            http_call_body_end(&t->call);
            t->ended = true;
        }
        if (below(3) == 0)
            break;
    }
}

static void server_turn(void)
{
    for (struct list *n = both.replies.next; n != &both.replies; n = n->next) {
        struct reply *r = list_entry(n, struct reply, node);
        if (r->paused && below(4) == 0) {
            r->paused = false;
            http_resume(r->x);
        }
    }
}

static void both_open(bool tls)
{
    char why[128];
    void *state = NULL;
    rig_open(&state);
    memset(&both, 0, sizeof both);
    both.rng.state = tls ? 11 : 7;
    list_init(&both.replies);
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (char)(i * 2654435761u >> 13);
    struct http_limits limits = {.head_timeout_us = 60 * SECOND,
                                 .keep_alive_us = 60 * SECOND,
                                 .body_idle_us = 60 * SECOND,
                                 .stall_us = 60 * SECOND,
                                 .connections_max = 100};
    both.allowed = address_set_new();
    assert_int_equal(address_set_add(both.allowed, STR("127.0.0.0/8"), why, sizeof why), ERR_OK);
    if (tls) {
        both.tls_server = ends_server();
        both.tls_client = ends_client(ends.ca_path);
    }
    both.server = http_server_new(rig.loop, &server_app, &limits, NULL);
    assert_int_equal(http_server_listen(both.server, STR("127.0.0.1:0"), both.tls_server, why, sizeof why), ERR_OK);
    both.resolver = resolver_new(rig.loop, &(struct resolver_settings){.timeout_us = SECOND});
    both.dialer = dialer_new(rig.loop, &(struct dial_settings){.resolver = both.resolver,
                                                               .tls = both.tls_client,
                                                               .allowed = both.allowed,
                                                               .connect_timeout_us = 10 * SECOND});
    both.client = http_client_new(
        rig.loop, both.dialer,
        &(struct http_client_settings){.pool_idle_us = 30 * SECOND, .connections_per_origin_max = 2 * CALLS});
}

static void both_close(void)
{
    http_client_free(both.client);
    http_server_free(both.server);
    rig_settle();
    dialer_free(both.dialer);
    resolver_free(both.resolver);
    address_set_free(both.allowed);
    tls_server_free(both.tls_server);
    tls_client_free(both.tls_client);
    rig_close(NULL);
}

static void converse(bool tls, unsigned exchanges)
{
    unsigned begun = 0, live = 1;
    both_open(tls);
    for (unsigned turn = 0; live || begun < exchanges; turn++) {
        live = 0;
        for (int i = 0; i < CALLS; i++) {
            if (!talks[i].live && begun < exchanges) {
                talk_begin(&talks[i]);
                begun++;
            }
            if (talks[i].live)
                talk_turn(&talks[i]);
            live += talks[i].live;
        }
        server_turn();
        loop_turn(rig.loop, 0);
        if (turn > 2000000)
            fail_msg("%u of %u calls do not end", live, begun);
    }
    while (!list_empty(&both.replies))
        loop_turn(rig.loop, 1000);
    struct http_client_stats stats = http_client_stats_of(both.client);
    assert_int_equal(both.answered + both.failed + both.cancelled, exchanges);
    assert_true(both.answered > exchanges / 2);
    assert_true(both.failed > 0 && both.cancelled > 0 && both.cut > 0);
    assert_true(both.done >= both.answered); /* of a cancelled one the answer may have been complete */
    assert_true(stats.reused > 0 && stats.dialed > 0);
    assert_int_equal(stats.open, stats.idle);
    both_close();
}

static void plain_conversations_lose_nothing(void **state)
{
    (void)state;
    converse(false, 1500);
}

static void conversations_under_tls_lose_nothing(void **state)
{
    (void)state;
    converse(true, 400);
}

/* Ends under TLS, against OpenSSL's own. */

struct bare {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

static void bare_pump(struct bare *b, int (*step)(SSL *))
{
    for (int i = 0; i < 2000; i++) {
        int ok = step(b->ssl);
        loop_turn(rig.loop, 0);
        if (ok == 1)
            return;
    }
    fail_msg("the handshake does not end");
}

static struct bare bare_dial(void)
{
    struct bare b = {.ctx = ends_raw_context(NULL, false), .fd = peer_connect(http_server_port(both.server))};
    int on = 1;
    assert_int_equal(ioctl(b.fd, FIONBIO, &on), 0);
    b.ssl = ends_raw(b.ctx, b.fd, false);
    bare_pump(&b, SSL_do_handshake);
    return b;
}

static void bare_close(struct bare *b)
{
    SSL_free(b->ssl);
    SSL_CTX_free(b->ctx);
    close(b->fd);
    rig_settle();
}

/* What comes until an end; whether it was one in order. */
static bool bare_read(struct bare *b, char *out, size_t cap)
{
    size_t n = 0;
    for (int i = 0; i < 5000; i++) {
        int got = SSL_read(b->ssl, out + n, (int)(cap - 1 - n));
        if (got > 0) {
            n += (size_t)got;
            continue;
        }
        int why = SSL_get_error(b->ssl, got);
        if (why != SSL_ERROR_WANT_READ) {
            out[n] = '\0';
            return why == SSL_ERROR_ZERO_RETURN;
        }
        loop_turn(rig.loop, 1000);
    }
    fail_msg("no end comes");
    return false;
}

static void answers_under_tls_end_in_order(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "GET /x HTTP/1.0\r\n\r\n",                                                                 /* until close */
        "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",                                 /* closed after it */
        "GET /x\r\n\r\n",                                                                          /* refused */
        "POST /duplex HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\nGET /", /* lingered */
    };
    both_open(true);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        char got[4096];
        struct bare b = bare_dial();
        assert_int_equal(SSL_write(b.ssl, requests[i], (int)strlen(requests[i])), strlen(requests[i]));
        assert_true(bare_read(&b, got, sizeof got)); /* close_notify, so nothing was cut off */
        assert_memory_equal(got, "HTTP/1.1 ", 9);
        bare_close(&b);
    }
    assert_int_equal(http_server_connections(both.server), 0);
    both_close();
}

static void what_is_no_tls_is_let_go(void **state)
{
    (void)state;
    both_open(true);
    int fd = peer_connect(http_server_port(both.server));
    peer_send(fd, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_int_not_equal(peer_end(fd, true), PEER_OPEN);
    peer_close(fd);
    fd = peer_connect(http_server_port(both.server)); /* never a byte */
    rig_settle();
    rig_wait_us(61 * SECOND);
    assert_int_not_equal(peer_end(fd, true), PEER_OPEN);
    peer_close(fd);
    fd = peer_connect(http_server_port(both.server)); /* half a greeting */
    peer_send_n(fd, "\x16\x03\x01\x02\x00\x01", 6);
    peer_reset(fd);
    assert_int_equal(http_server_connections(both.server), 0);
    both_close();
}

/* An answer until close, from an upstream that ends with close_notify or without. */
static bool answer_until_close(bool in_order)
{
    uint16_t port;
    int listening = peer_listen(&port), on = 1;
    struct talk *t = &talks[0];
    const struct dial_target target = {STR("127.0.0.1"), port, true};
    const struct http_call_options options = {.first_byte_timeout_us = 60 * SECOND, .idle_timeout_us = 60 * SECOND};
    *t = (struct talk){.live = true, .may_fail = true, .n = 5};
    t->call.app = &client_app;
    t->call.app_data = t;
    unsigned answered = both.answered;
    http_call_begin(both.client, &t->call, &target, &options, STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), STR(""));
    struct bare b = {.ctx = ends_raw_context(&ends.good, true), .fd = peer_accept(listening)};
    assert_int_equal(ioctl(b.fd, FIONBIO, &on), 0);
    b.ssl = ends_raw(b.ctx, b.fd, true);
    bare_pump(&b, SSL_do_handshake);
    char text[64] = "HTTP/1.1 200 OK\r\n\r\n";
    memcpy(text + 19, content, 5);
    assert_int_equal(SSL_write(b.ssl, text, 24), 24);
    if (in_order)
        SSL_shutdown(b.ssl);
    shutdown(b.fd, SHUT_WR);
    for (int i = 0; i < 2000 && t->live; i++)
        loop_turn(rig.loop, 1000);
    assert_false(t->live);
    bare_close(&b);
    close(listening);
    return both.answered > answered;
}

static void under_tls_only_close_notify_ends_an_answer_until_close(void **state)
{
    (void)state;
    both_open(true);
    assert_true(answer_until_close(true));
    assert_false(answer_until_close(false));
    both_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_conversations_lose_nothing),
        cmocka_unit_test(conversations_under_tls_lose_nothing),
        cmocka_unit_test(answers_under_tls_end_in_order),
        cmocka_unit_test(what_is_no_tls_is_let_go),
        cmocka_unit_test(under_tls_only_close_notify_ends_an_answer_until_close),
    };
    return cmocka_run_group_tests(tests, ends_open, ends_close);
}
