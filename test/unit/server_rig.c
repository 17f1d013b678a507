/* SPDX-License-Identifier: Apache-2.0 */
/* The application behind the server's tests. */
#include "server_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct app app;

void app_answer(struct http_exchange *x, struct str text)
{
    http_reply(x, 200, STR(""), STR(""), text);
}

static void on_request(struct http_exchange *x)
{
    char path[128];
    str_copy(path, sizeof path, x->head.path);
    rig_say("request %.*s %s%s;", STR_ARG(x->head.method), path, x->has_body ? " +" : "");
    app.x = x;
    if (str_starts(x->head.path, STR("/now")))
        app_answer(x, x->head.path);
    else if (str_starts(x->head.path, STR("/echo")) && !x->has_body)
        app_answer(x, STR(""));
    else if (str_eq(x->head.path, STR("/abort")))
        http_abort(x);
    x->app_data = str_starts(x->head.path, STR("/echo")) ? x : NULL;
}

static void on_body(struct http_exchange *x, struct str bytes, bool last)
{
    if (!app.quiet)
        rig_say("body %.*s%s;", STR_ARG(bytes), last ? "." : "");
    app.body_bytes += bytes.n;
    for (size_t i = 0; i < bytes.n; i++)
        app.body_sum = app.body_sum * 31 + (unsigned char)bytes.p[i];
    if (app.on_body) {
        app.on_body(x, bytes, last);
    } else if (x->app_data) {
        assert_true(buf_add_str(&app.echo, bytes));
        if (last) {
            app_answer(x, buf_str(&app.echo));
            buf_reset(&app.echo);
        }
    }
}

static void on_drained(struct http_exchange *x)
{
    rig_say("drained;");
    if (app.on_drained)
        app.on_drained(x);
}

static void on_closed(struct http_exchange *x, enum err why)
{
    assert_ptr_equal(x, app.x);
    rig_say("closed %s;", err_info(why)->code);
    app.x = NULL;
    buf_reset(&app.echo);
}

static void on_done(struct http_exchange *x)
{
    assert_ptr_equal(x, app.x);
    rig_say("done;");
    app.x = NULL;
}

static void on_refused(void *ctx, enum err why)
{
    assert_ptr_equal(ctx, &app);
    rig_say("refused %s;", err_info(why)->code);
}

const struct http_app app_callbacks = {on_request, on_body, on_drained, on_closed, on_done, on_refused};

const struct http_limits app_limits = {.head_timeout_us = 10 * SECOND,
                                       .keep_alive_us = 75 * SECOND,
                                       .body_idle_us = 30 * SECOND,
                                       .body_rate_min = 100,
                                       .stall_us = 60 * SECOND,
                                       .connections_max = 50};

int server_open(void **state)
{
    char why[128];
    rig_open(state);
    memset(&app, 0, sizeof app);
    buf_init(&app.echo, 1 << 22);
    app.server = http_server_new(rig.loop, &app_callbacks, &app_limits, &app);
    assert_int_equal(http_server_listen(app.server, STR("127.0.0.1:0"), NULL, why, sizeof why), ERR_OK);
    app.port = http_server_port(app.server);
    return 0;
}

int server_close(void **state)
{
    http_server_free(app.server);
    buf_free(&app.echo);
    return rig_close(state);
}

int server_dial(void)
{
    int fd = peer_connect(app.port);
    rig_settle();
    return fd;
}

struct http_exchange *server_held(int fd, const char *request)
{
    peer_send(fd, request);
    rig_expect("request");
    rig_settle();
    assert_non_null(app.x);
    return app.x;
}

void server_left(unsigned connections)
{
    rig_settle();
    assert_int_equal(http_server_connections(app.server), connections);
}

void app_stream(struct http_exchange *x)
{
    http_head_begin(x, 200);
    http_head_end(x, HTTP1_CHUNKED, 0, false);
}

size_t app_fill(struct http_exchange *x)
{
    static char piece[10000];
    size_t sent = 0;
    memset(piece, 'p', sizeof piece);
    for (int i = 0; i < 2000 && http_unsent(x) <= HTTP_HIGH_WATER; i++, sent += sizeof piece)
        http_send(x, str_of(piece, sizeof piece));
    assert_in_range(http_unsent(x), HTTP_HIGH_WATER + 1, HTTP_HIGH_WATER + 2 * sizeof piece);
    return sent;
}
