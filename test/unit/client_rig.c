/* SPDX-License-Identifier: Apache-2.0 */
/* The callers behind the client's tests. */
#include "client_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/address.h"
#include "net/resolve.h"

struct client client;
static struct resolver *resolver;
static struct dialer *dialer;
static struct address_set *allowed;

static void say(const struct http_call *call, const char *what)
{
    int i = (int)(call - client.call);
    if (i)
        rig_say("%d:", i);
    rig_say("%s", what);
}

static void on_head(struct http_call *call, const struct http1_head *head)
{
    char text[64];
    snprintf(text, sizeof text, "head %d;", head->status);
    say(call, text);
    if (client.on_head)
        client.on_head(call);
}

static void on_body(struct http_call *call, struct str bytes, bool last)
{
    char text[300];
    if (!client.quiet || last) {
        snprintf(text, sizeof text, "body %.*s%s;", client.quiet ? 0 : (int)bytes.n, bytes.p, last ? "." : "");
        say(call, text);
    }
    if (client.on_body)
        client.on_body(call, bytes, last);
    assert_true(buf_add_str(&client.got, bytes)); /* the view is good whatever the callback did */
}

static void on_drained(struct http_call *call)
{
    say(call, "drained;");
}

static void on_failed(struct http_call *call, enum err why, const char *detail)
{
    char text[64];
    assert_true(detail && detail[0]);
    snprintf(text, sizeof text, "failed %s;", err_info(why)->code);
    say(call, text);
}

static const struct http_call_app callbacks = {on_head, on_body, on_drained, on_failed};

int client_open(void **state)
{
    char why[128];
    rig_open(state);
    memset(&client, 0, sizeof client);
    buf_init(&client.got, 64 << 20);
    allowed = address_set_new();
    assert_int_equal(address_set_add(allowed, STR("127.0.0.0/8"), why, sizeof why), ERR_OK);
    resolver = resolver_new(rig.loop, &(struct resolver_settings){.timeout_us = 3 * SECOND});
    dialer = dialer_new(
        rig.loop, &(struct dial_settings){.resolver = resolver, .allowed = allowed, .connect_timeout_us = 3 * SECOND});
    client.http = http_client_new(
        rig.loop, dialer, &(struct http_client_settings){.pool_idle_us = 60 * SECOND, .connections_per_origin_max = 4});
    client.up.listening = peer_listen(&client.up.port);
    return 0;
}

int client_close(void **state)
{
    http_client_free(client.http);
    rig_settle();
    dialer_free(dialer);
    resolver_free(resolver);
    address_set_free(allowed);
    buf_free(&client.got);
    close(client.up.listening);
    return rig_close(state);
}

struct dial_target client_target(uint16_t port)
{
    return (struct dial_target){STR("127.0.0.1"), port, false};
}

static struct http_call_options options_of(const char *head)
{
    return (struct http_call_options){
        .first_byte_timeout_us = 10 * SECOND, .idle_timeout_us = 5 * SECOND, .to_head = strncmp(head, "HEAD ", 5) == 0};
}

static void init(int i)
{
    client.call[i] = (struct http_call){.app = &callbacks};
}

void client_begin_text(int i, const char *head, const char *body)
{
    struct dial_target target = client_target(client.up.port);
    struct http_call_options options = options_of(head);
    init(i);
    http_call_begin(client.http, &client.call[i], &target, &options, str_c(head), str_c(body));
}

void client_begin(int i)
{
    client_begin_text(i, REQUEST, "hello");
}

void client_begin_streamed(int i, const char *head, bool chunked)
{
    struct dial_target target = client_target(client.up.port);
    struct http_call_options options = options_of(head);
    options.chunked = chunked;
    init(i);
    http_call_begin_streamed(client.http, &client.call[i], &target, &options, str_c(head));
}

int client_asked(void)
{
    client_begin(0);
    int fd = peer_accept(client.up.listening);
    assert_string_equal(peer_read(fd, "hello"), REQUEST "hello");
    return fd;
}

int client_pooled(void)
{
    int fd = client_asked();
    peer_send(fd, OK_ANSWER);
    rig_expect("body ok.;");
    client_expect_pool(1, 1);
    rig_forget();
    buf_reset(&client.got);
    return fd;
}

void client_expect_pool(unsigned open, unsigned idle)
{
    rig_settle();
    struct http_client_stats stats = http_client_stats_of(client.http);
    assert_int_equal(stats.open, open);
    assert_int_equal(stats.idle, idle);
}
