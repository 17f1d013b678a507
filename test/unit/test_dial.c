/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way out: which addresses are connected to, in which order and for how long; and the tunnel
 * through a proxy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "http_rig.h"
#include "net/address.h"
#include "net/dial.h"
#include "net/resolve.h"

#define SECOND UINT64_C(1000000)

static struct {
    struct resolver *resolver;
    struct dialer *dialer;
    struct address_set *allowed;
    struct dial_settings settings;
    char hosts[64];
    int listening;
    uint16_t port;
    struct sock sock; /* of the last that succeeded */
    bool starting;
} out;

static void on_done(void *ctx, enum err e, struct sock sock, const char *detail)
{
    assert_ptr_equal(ctx, &out);
    assert_false(out.starting); /* never from inside */
    rig_say("%s %s;", e ? err_info(e)->code : "connected", e ? detail : "");
    assert_true(!e || detail[0]);
    if (!e)
        out.sock = sock;
}

static int open_out(void **state)
{
    char why[128];
    rig_open(state);
    memset(&out, 0, sizeof out);
    out.allowed = address_set_new();
    assert_int_equal(address_set_add(out.allowed, STR("127.0.0.0/30"), why, sizeof why), ERR_OK);
    snprintf(out.hosts, sizeof out.hosts, "%s/test_dial.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : P_tmpdir);
    int fd = mkstemp(out.hosts);
    const char *hosts =
        "127.0.0.1 one.example\n127.0.0.2 two.example\n127.0.0.1 two.example\n"
        "10.1.2.3 inner.example\n127.0.0.9 near.example\n10.1.2.3 mixed.example\n127.0.0.1 mixed.example\n";
    must(write(fd, hosts, strlen(hosts)) == (ssize_t)strlen(hosts));
    close(fd);
    out.resolver = resolver_new(
        rig.loop,
        &(struct resolver_settings){.timeout_us = 3 * SECOND, .hosts_file = out.hosts, .servers = "127.0.0.1:1"});
    out.settings =
        (struct dial_settings){.resolver = out.resolver, .allowed = out.allowed, .connect_timeout_us = 5 * SECOND};
    out.dialer = dialer_new(rig.loop, &out.settings);
    out.listening = peer_listen(&out.port);
    sock_init(&out.sock, -1);
    return 0;
}

static int close_out(void **state)
{
    sock_close(&out.sock);
    rig_settle();
    dialer_free(out.dialer);
    resolver_free(out.resolver);
    address_set_free(out.allowed);
    close(out.listening);
    unlink(out.hosts);
    return rig_close(state);
}

/* With a proxy from now on. */
static void use_proxy(const char *url, const char *except)
{
    dialer_free(out.dialer);
    out.settings.http_proxy = str_c(url);
    out.settings.no_proxy = str_c(except);
    out.dialer = dialer_new(rig.loop, &out.settings);
}

static struct dial *dial_to(const char *host, uint16_t port)
{
    out.starting = true;
    struct dial *d = dial_start(out.dialer, &(struct dial_target){str_c(host), port, false}, on_done, &out);
    out.starting = false;
    return d;
}

/* Both ends of what was connected carry bytes. */
static void expect_joined(int peer)
{
    char got[8];
    size_t n = 0;
    rig_expect("connected");
    peer_send(peer, "hello");
    for (int i = 0; i < 1000 && sock_read(&out.sock, got, sizeof got, &n) == SOCK_AGAIN; i++)
        rig_settle();
    assert_int_equal(n, 5);
    sock_close(&out.sock);
    close(peer);
}

static unsigned descriptors(void)
{
    unsigned count = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        count++;
    closedir(d);
    return count;
}

/* Connecting. */

static void names_and_literals_are_connected_to(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "one.example"};
    for (size_t i = 0; i < 2; i++) {
        rig_forget();
        dial_to(hosts[i], out.port);
        expect_joined(peer_accept(out.listening));
    }
}

static void a_port_where_nobody_listens_is_named(void **state)
{
    (void)state;
    char wanted[64];
    close(out.listening);
    dial_to("127.0.0.1", out.port);
    snprintf(wanted, sizeof wanted, "upstream_unreachable 127.0.0.1:%u: ", out.port);
    rig_expect(wanted);
    out.listening = peer_listen(&out.port);
}

static void an_address_that_is_not_allowed_is_never_tried(void **state)
{
    (void)state;
    static const char *const hosts[] = {"10.1.2.3",  "inner.example", "127.0.0.9",      "near.example",
                                        "127.0.0.5", "0.0.0.0",       "192.168.1.1",    "169.254.169.254",
                                        "::1",       "fd00:ec2::254", "::ffff:10.1.2.3"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        rig_forget();
        dial_to(hosts[i], out.port);
        rig_expect("upstream_address_refused");
        rig_expect_not("connected");
    }
}

static void of_several_addresses_those_allowed_are_tried(void **state)
{
    (void)state;
    dial_to("mixed.example", out.port);
    expect_joined(peer_accept(out.listening));
    /* Nobody listens at the first of two: the second is tried at once. */
    rig_forget();
    dial_to("two.example", out.port);
    expect_joined(peer_accept(out.listening));
}

/* A listening socket that answers no more greetings; its full queue is kept open by `fill`. */
static int deaf_at(uint32_t address, uint16_t port, int fill[4])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(address)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
    must(listen(fd, 0) == 0);
    for (int i = 0; i < 4; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fill[i], (struct sockaddr *)&a, sizeof a);
    }
    return fd;
}

static void deaf_close(int fd, int fill[4])
{
    close(fd);
    for (int i = 0; i < 4; i++)
        close(fill[i]);
}

static void a_slow_address_is_overtaken_by_the_next(void **state)
{
    (void)state;
    int fill[4], deaf = deaf_at(INADDR_LOOPBACK + 1, out.port, fill);
    unsigned before = descriptors();
    dial_to("two.example", out.port);
    rig_expect_not("connected");
    rig_wait_us(SECOND / 2);
    expect_joined(peer_accept(out.listening));
    rig_settle();
    assert_int_equal(descriptors(), before); /* the slow one was given up */
    deaf_close(deaf, fill);
}

static void connecting_has_a_limit(void **state)
{
    (void)state;
    int fill[4];
    close(out.listening);
    int deaf = deaf_at(INADDR_LOOPBACK, out.port, fill);
    unsigned before = descriptors();
    dial_to("127.0.0.1", out.port);
    rig_settle();
    rig_wait_us(4 * SECOND);
    rig_expect_not("upstream");
    rig_wait_us(2 * SECOND);
    rig_expect_now("upstream_connect_timeout timed out while connecting;");
    assert_int_equal(descriptors(), before);
    deaf_close(deaf, fill);
    out.listening = peer_listen(&out.port);
}

/* The proxy. */

static char proxy_url[64];

static int proxied(const char *host, uint16_t port, const char *wanted)
{
    snprintf(proxy_url, sizeof proxy_url, "http://us%%65r:pa%%3ass@127.0.0.1:%u", out.port);
    use_proxy(proxy_url, "");
    dial_to(host, port);
    int peer = peer_accept(out.listening);
    assert_string_equal(peer_read(peer, "\r\n\r\n"), wanted);
    return peer;
}

#define CONNECT_TEXT \
    "CONNECT api.example:8080 HTTP/1.1\r\nHost: api.example:8080\r\nProxy-Authorization: Basic dXNlcjpwYTpzcw==\r\n\r\n"

static void a_tunnel_is_used_as_soon_as_it_is_open(void **state)
{
    (void)state;
    static const char *const answers[] = {"HTTP/1.1 200 Connection established\r\n\r\n",
                                          "HTTP/1.0 200 OK\r\nProxy-Agent: x\r\nContent-Length: 5\r\n\r\n",
                                          "HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n"};
    for (size_t i = 0; i < 3; i++) {
        for (size_t cut = 0; cut <= strlen(answers[i]); cut++) {
            rig_forget();
            int peer = proxied("api.example", 8080, CONNECT_TEXT); /* the name is the proxy's to resolve */
            peer_send_n(peer, answers[i], cut);
            rig_settle();
            if (cut < strlen(answers[i]))
                rig_expect_not("connected");
            peer_send(peer, answers[i] + cut);
            expect_joined(peer);
        }
    }
}

static void a_proxy_that_opens_no_tunnel_is_told_of(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *said;
    } cases[] = {
        {"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "status 407"},
        {"HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nno!", "status 403"},
        {"HTTP/1.1 302 x\r\nLocation: http://evil/\r\n\r\n", "status 302"},
        {"SSH-2.0\r\n\r\n", "not valid HTTP"},
        {"HTTP/1.1 200 OK\n\n", "not valid HTTP"},
        {"HTTP/1.1 200 OK\r\n\r\nearly", "before the tunnel was in use"},
        {"", "closed the connection"},
        {"HTTP/1.1 200 OK\r\n", "closed the connection"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int reset = 0; reset < 2; reset++) {
            rig_forget();
            int peer = proxied("api.example", 8080, CONNECT_TEXT);
            peer_send(peer, cases[i].answer);
            rig_settle();
            (reset ? peer_reset : peer_close)(peer);
            rig_expect("upstream_proxy_failed");
            rig_expect(cases[i].said);
            rig_expect_not("connected");
            rig_expect_not("pa:ss");
        }
    }
}

static void a_proxy_s_endless_answer_has_an_end(void **state)
{
    (void)state;
    int peer = proxied("api.example", 8080, CONNECT_TEXT);
    peer_send(peer, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 2000 && !rig_count("upstream"); i++) {
        peer_write(peer, "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n", 37);
        loop_turn(rig.loop, 0);
    }
    rig_expect("upstream_proxy_failed the proxy's answer to CONNECT is too long;");
    peer_close(peer);
    rig_forget();
    peer = proxied("api.example", 8080, CONNECT_TEXT);
    peer_send(peer, "HTTP/1.1 200 OK\r\n");
    rig_wait_us(6 * SECOND);
    rig_expect_now("upstream_connect_timeout timed out while the proxy opened a tunnel;");
    peer_close(peer);
}

static void the_proxy_is_no_way_around_the_address_check(void **state)
{
    (void)state;
    snprintf(proxy_url, sizeof proxy_url, "http://127.0.0.1:%u", out.port);
    use_proxy(proxy_url, "");
    static const char *const hosts[] = {"10.1.2.3", "169.254.169.254", "::1"};
    for (size_t i = 0; i < 3; i++) {
        rig_forget();
        dial_to(hosts[i], 80);
        rig_expect("upstream_address_refused");
    }
    use_proxy("http://10.9.9.9:3128", "one.example,127.0.0.1"); /* which names go straight */
    rig_forget();
    dial_to("one.example", out.port);
    expect_joined(peer_accept(out.listening));
}

static void a_proxy_that_cannot_be_used_is_named(void **state)
{
    (void)state;
    static const char *const urls[] = {"https://127.0.0.1:3128", "socks5://127.0.0.1:1080", "http://"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        rig_forget();
        use_proxy(urls[i], "");
        dial_to("127.0.0.1", out.port);
        rig_expect("upstream_proxy_failed the proxy's URL is not valid");
    }
}

static void a_cancelled_dial_is_silent_at_each_stage(void **state)
{
    (void)state;
    unsigned before = descriptors();
    for (int stage = 0; stage < 5; stage++) {
        int peer = -1;
        snprintf(proxy_url, sizeof proxy_url, "http://127.0.0.1:%u", out.port);
        use_proxy(stage >= 3 ? proxy_url : "", "");
        struct dial *d = dial_to("one.example", out.port);
        if (stage == 1)
            loop_turn(rig.loop, 0);
        if (stage == 2)
            for (int i = 0; i < 3 && !rig_count("connected"); i++)
                loop_turn(rig.loop, 0);
        if (stage >= 3) {
            peer = peer_accept(out.listening);
            peer_read(peer, "\r\n\r\n");
        }
        if (stage == 4)
            peer_send(peer, "HTTP/1.1 200");
        if (rig_count("connected")) { /* it was faster */
            sock_close(&out.sock);
        } else {
            dial_cancel(d);
            rig_expect_not("connected");
        }
        rig_settle();
        if (peer >= 0)
            close(peer);
        int waiting = fcntl(out.listening, F_GETFL);
        fcntl(out.listening, F_SETFL, waiting | O_NONBLOCK);
        int late;
        while ((late = accept(out.listening, NULL, NULL)) >= 0)
            close(late);
        fcntl(out.listening, F_SETFL, waiting);
        assert_int_equal(descriptors(), before);
        rig_forget();
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_out, close_out)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(names_and_literals_are_connected_to),           CASE(a_port_where_nobody_listens_is_named),
        CASE(an_address_that_is_not_allowed_is_never_tried), CASE(of_several_addresses_those_allowed_are_tried),
        CASE(a_slow_address_is_overtaken_by_the_next),       CASE(connecting_has_a_limit),
        CASE(a_tunnel_is_used_as_soon_as_it_is_open),        CASE(a_proxy_that_opens_no_tunnel_is_told_of),
        CASE(a_proxy_s_endless_answer_has_an_end),           CASE(the_proxy_is_no_way_around_the_address_check),
        CASE(a_proxy_that_cannot_be_used_is_named),          CASE(a_cancelled_dial_is_silent_at_each_stage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
