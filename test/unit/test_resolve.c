/* SPDX-License-Identifier: Apache-2.0 */
/* Names to addresses, against a name server that misbehaves in every way of R25. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "dns_stub.h"
#include "net/address.h"
#include "net/resolve.h"

static const char no_server[] = "every name server failed (SERVFAIL), refused or cannot be reached";
static struct loop *loop;
static struct dns_stub *stub;
static struct resolver *resolver;
static uint64_t leap_us;

static uint64_t real_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t leaping_us(void)
{
    return real_us() + leap_us;
}

static int64_t wall_us(void)
{
    return 0;
}

static void open_with(const struct resolver_settings *settings)
{
    struct resolver_settings s = *settings;
    s.servers = dns_stub_server(stub);
    if (!s.hosts_file)
        s.hosts_file = "/dev/null";
    resolver = resolver_new(loop, &s);
    assert_non_null(resolver);
}

static int set_up(void **state)
{
    static const struct clock_source source = {leaping_us, wall_us};
    (void)state;
    clock_set_source(&source);
    stub = dns_stub_new();
    loop = loop_new();
    dns_stub_down = DNS_STUB_UP;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    resolver_free(resolver);
    resolver = NULL;
    loop_free(loop);
    dns_stub_free(stub);
    clock_set_source(NULL);
    return 0;
}

struct got {
    bool done;
    enum err e;
    size_t count;
    char text[2048]; /* the addresses, a space between */
    char detail[128];
    uint64_t took_us;
};

static void on_done(void *ctx, enum err e, const struct sockaddr_storage *addresses, size_t count, const char *detail)
{
    struct got *g = ctx;
    assert_false(g->done);
    g->done = true;
    g->e = e;
    g->count = count;
    str_copy(g->detail, sizeof g->detail, str_c(detail));
    g->text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        char one[ADDRESS_TEXT_MAX];
        address_format((const struct sockaddr *)&addresses[i], one);
        size_t n = strlen(g->text);
        snprintf(g->text + n, sizeof g->text - n, "%s%s", i ? " " : "", one);
    }
}

static void wait_for(struct got *g)
{
    uint64_t until = real_us() + 20000000;
    while (!g->done && real_us() < until)
        loop_turn(loop, 10000);
    assert_true(g->done);
}

static struct got ask(const char *host)
{
    struct got g = {.done = false};
    uint64_t begun = real_us();
    loop_turn(loop, 0);
    resolve_start(resolver, str_c(host), 443, on_done, &g);
    assert_false(g.done);
    wait_for(&g);
    g.took_us = real_us() - begun;
    return g;
}

#define expect(host, addresses)                  \
    do {                                         \
        struct got g_ = ask(host);               \
        if (g_.e)                                \
            fail_msg("%s: %s", host, g_.detail); \
        assert_string_equal(g_.text, addresses); \
    } while (0)

#define expect_failure(host, why)                 \
    do {                                          \
        struct got g_ = ask(host);                \
        assert_int_equal(g_.e, ERR_UPSTREAM_DNS); \
        assert_int_equal(g_.count, 0);            \
        assert_string_equal(g_.detail, why);      \
    } while (0)

static void literals_and_localhost_need_no_server(void **state)
{
    (void)state;
    open_with(&(struct resolver_settings){0});
    expect("127.0.0.1", "127.0.0.1:443");
    expect("2001:DB8:0::1", "[2001:db8::1]:443");
    expect("localhost", "127.0.0.1:443 [::1]:443");
    expect("API.LocalHost.", "127.0.0.1:443 [::1]:443");
    expect_failure("127.1", "it is neither a host name nor an address");
    expect_failure("2130706433", "it is neither a host name nor an address");
    expect_failure("0x7f.0.0.1", "it is neither a host name nor an address");
    expect_failure("a b", "it is neither a host name nor an address");
    expect_failure("", "it is neither a host name nor an address");
    expect_failure("[::1]", "it is neither a host name nor an address");
    assert_int_equal(dns_stub_asked(stub, "localhost"), 0);
}

static void answers_come_in_an_order_to_try(void **state)
{
    (void)state;
    open_with(&(struct resolver_settings){0});
    expect("a.test", "192.0.2.1:443");
    expect("six.test", "[2001:db8::1]:443");
    struct got g = ask("both.test");
    assert_int_equal(g.e, ERR_OK);
    assert_int_equal(g.count, 2);
    /* Which comes first depends on the routes of this machine. */
    assert_true(strcmp(g.text, "[2001:db8::1]:443 192.0.2.1:443") == 0 ||
                strcmp(g.text, "192.0.2.1:443 [2001:db8::1]:443") == 0);
    expect("cname.test", "192.0.2.1:443");
    expect("spoof.test", "192.0.2.1:443");
}

static void failures_say_what_is_wrong(void **state)
{
    (void)state;
    open_with(&(struct resolver_settings){.timeout_us = 1500000, .stale = true});
    expect_failure("nx.test", "the name does not exist");
    expect_failure("empty.test", "the name has no address");
    expect_failure("loop.test", "the name has no address");
    expect_failure("fail.test", no_server);
    expect_failure("refuse.test", no_server);
    struct got g = ask("silent.test");
    assert_int_equal(g.e, ERR_UPSTREAM_DNS);
    assert_string_equal(g.detail, "the name servers did not answer in time");
    assert_in_range(g.took_us, 1400000, 1900000);
    g = ask("garbage.test");
    assert_int_equal(g.e, ERR_UPSTREAM_DNS);
    assert_true(g.took_us < 1900000);
}

static void no_server_at_all_is_told_at_once(void **state)
{
    (void)state;
    resolver = resolver_new(loop, &(struct resolver_settings){.servers = "127.0.0.1:1", .hosts_file = "/dev/null"});
    assert_non_null(resolver);
    struct got g = ask("a.test");
    assert_int_equal(g.e, ERR_UPSTREAM_DNS);
    assert_string_equal(g.detail, no_server);
    assert_true(g.took_us < 1000000);
}

static void a_truncated_answer_is_asked_for_over_tcp(void **state)
{
    (void)state;
    open_with(&(struct resolver_settings){0});
    struct got g = ask("many.test");
    assert_int_equal(g.e, ERR_OK);
    assert_int_equal(g.count, RESOLVE_ADDRESSES_MAX);
    assert_int_equal(strncmp(g.text, "192.0.2.0:443 192.0.2.1:443 ", 28), 0);
}

static void a_family_that_is_never_answered_delays_nobody(void **state)
{
    (void)state;
    open_with(&(struct resolver_settings){0});
    struct got g = ask("silent6.test");
    assert_int_equal(g.e, ERR_OK);
    assert_string_equal(g.text, "192.0.2.1:443");
    assert_in_range(g.took_us, 45000, 300000);
    g = ask("silent6.test"); /* kept, though the other question is still open */
    assert_true(g.took_us < 20000);
    /* Every time the answer grows old while that question is open, the name is asked for again. */
    for (int i = 0; i < 3; i++) {
        leap_us += 61000000;
        assert_string_equal(ask("silent6.test").text, "192.0.2.1:443");
    }
    g = ask("late6.test");
    assert_int_equal(g.count, 2);
}

static void answers_are_kept_for_their_time(void **state)
{
    (void)state;
    open_with(&(struct resolver_settings){0});
    expect("change.test", "192.0.2.1:443");
    expect("change.test", "192.0.2.1:443");
    leap_us += 1500000;
    expect("CHANGE.test.", "192.0.2.1:443");
    leap_us += 700000;
    expect("change.test", "192.0.2.2:443");
    /* TTL 0 is kept for a second, so that a burst of connections asks once. */
    expect("ttl0.test", "192.0.2.1:443");
    expect("ttl0.test", "192.0.2.1:443");
    assert_int_equal(dns_stub_asked(stub, "ttl0"), 2);
    leap_us += 1100000;
    expect("ttl0.test", "192.0.2.1:443");
    assert_int_equal(dns_stub_asked(stub, "ttl0"), 4);
    /* The shortest life in a chain of aliases counts. */
    expect("cname.test", "192.0.2.1:443");
    leap_us += 5500000;
    expect("cname.test", "192.0.2.1:443");
    assert_int_equal(dns_stub_asked(stub, "cname"), 4);
    /* So are failures, for a second. */
    expect_failure("nx.test", "the name does not exist");
    expect_failure("nx.test", "the name does not exist");
    unsigned asked = dns_stub_asked(stub, "nx");
    leap_us += 1100000;
    expect_failure("nx.test", "the name does not exist");
    assert_true(dns_stub_asked(stub, "nx") > asked);
}

static void callers_at_the_same_time_share_a_question(void **state)
{
    (void)state;
    open_with(&(struct resolver_settings){0});
    struct got g[20] = {{0}};
    struct resolve *w[20];
    for (int i = 0; i < 20; i++)
        w[i] = resolve_start(resolver, STR("late6.test"), (uint16_t)(1000 + i), on_done, &g[i]);
    for (int i = 0; i < 20; i += 2)
        resolve_cancel(w[i]);
    for (int i = 1; i < 20; i += 2)
        wait_for(&g[i]);
    for (int i = 0; i < 20; i++)
        assert_int_equal(g[i].done, i % 2);
    assert_non_null(strstr(g[1].text, ":1001"));
    assert_non_null(strstr(g[19].text, ":1019"));
    assert_int_equal(dns_stub_asked(stub, "late6"), 2);
}

static void an_old_answer_bridges_a_failure_of_servers(void **state)
{
    (void)state;
    open_with(&(struct resolver_settings){.stale = true});
    expect("down.test", "192.0.2.1:443");
    dns_stub_down = DNS_STUB_FAILS;
    leap_us += 61000000;
    expect("down.test", "192.0.2.1:443");
    leap_us += 3500000000;
    expect("down.test", "192.0.2.1:443");
    leap_us += 200000000;
    expect_failure("down.test", no_server);
    dns_stub_down = DNS_STUB_UP;
    leap_us += 1100000;
    expect("down.test", "192.0.2.1:443");
}

static void an_old_answer_bridges_silence_after_a_second(void **state)
{
    (void)state;
    open_with(&(struct resolver_settings){.stale = true});
    expect("down.test", "192.0.2.1:443");
    dns_stub_down = DNS_STUB_SILENT;
    leap_us += 61000000;
    struct got g = ask("down.test");
    assert_string_equal(g.text, "192.0.2.1:443");
    assert_in_range(g.took_us, 900000, 1300000);
    /* The question is still open; nobody else waits a second for it. */
    g = ask("down.test");
    assert_string_equal(g.text, "192.0.2.1:443");
    assert_true(g.took_us < 100000);
}

static void an_old_answer_is_not_used_unless_allowed(void **state)
{
    (void)state;
    open_with(&(struct resolver_settings){.stale = false});
    expect("down.test", "192.0.2.1:443");
    dns_stub_down = DNS_STUB_FAILS;
    leap_us += 61000000;
    expect_failure("down.test", no_server);
}

/* The hook: what tests and simulators put in place of servers. */
struct world {
    const char *text;
    uint32_t ttl_s;
    unsigned asked;
};

static const char *on_hook(void *ctx, const char *host, uint32_t *ret_ttl_s)
{
    struct world *w = ctx;
    w->asked++;
    *ret_ttl_s = w->ttl_s;
    return strcmp(host, "known.test") == 0 ? w->text : NULL;
}

static void a_hook_stands_in_for_servers(void **state)
{
    (void)state;
    struct world w = {"10.0.0.1 not-an-address 10.0.0.2", 10, 0};
    open_with(&(struct resolver_settings){.hook = on_hook, .hook_ctx = &w, .stale = true});
    expect("known.test", "10.0.0.1:443 10.0.0.2:443");
    w.text = "10.0.0.3";
    expect("known.test", "10.0.0.1:443 10.0.0.2:443");
    leap_us += 11000000;
    expect("known.test", "10.0.0.3:443");
    assert_int_equal(w.asked, 2);
    expect_failure("unknown.test", "the name does not exist");
    /* A name that is gone is gone: no old answer. */
    w.text = "";
    leap_us += 11000000;
    expect_failure("known.test", "the name has no address");
}

static void the_hosts_file_comes_before_servers(void **state)
{
    (void)state;
    char path[128];
    const char *tmp = getenv("TMPDIR");
    snprintf(path, sizeof path, "%.80s/test_resolve.XXXXXX", tmp ? tmp : P_tmpdir);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    const char *text = "# a comment a.test\n"
                       "\n"
                       "10.1.1.1\tA.test  other.test # nx.test\n"
                       "not-an-address a.test\n"
                       "  2001:db8::7 six.test alias.test\r\n"
                       "10.1.1.2 a.test";
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    open_with(&(struct resolver_settings){.hosts_file = path});
    expect("a.test", "10.1.1.1:443 10.1.1.2:443");
    expect("other.test", "10.1.1.1:443");
    expect("alias.test", "[2001:db8::7]:443");
    expect_failure("nx.test", "the name does not exist");
    assert_int_equal(dns_stub_asked(stub, "a"), 0);
    unlink(path);
}

static void too_many_names_at_once_are_refused_and_room_is_made(void **state)
{
    (void)state;
    static struct got g[RESOLVE_NAMES_MAX + 1];
    static struct resolve *w[RESOLVE_NAMES_MAX];
    memset(g, 0, sizeof g);
    open_with(&(struct resolver_settings){0});
    for (int i = 0; i < RESOLVE_NAMES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "silent.n%d", i);
        w[i] = resolve_start(resolver, str_c(name), 1, on_done, &g[i]);
    }
    expect_failure("a.test", "too many names are being resolved at once");
    for (int i = 0; i < RESOLVE_NAMES_MAX; i++)
        resolve_cancel(w[i]);
    /* Known names are forgotten for new ones. */
    resolver_free(resolver);
    struct world many = {NULL, 100, 0};
    open_with(&(struct resolver_settings){.hook = on_hook, .hook_ctx = &many});
    for (int i = 0; i < 2 * RESOLVE_NAMES_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%d.test", i);
        expect_failure(name, "the name does not exist");
    }
}

static void everything_is_dropped_when_the_resolver_ends(void **state)
{
    (void)state;
    struct got g[4] = {{0}};
    open_with(&(struct resolver_settings){0});
    resolve_start(resolver, STR("silent.test"), 1, on_done, &g[0]);
    resolve_start(resolver, STR("127.0.0.1"), 1, on_done, &g[1]);
    resolve_start(resolver, STR("silent6.test"), 1, on_done, &g[2]);
    resolve_start(resolver, STR("many.test"), 1, on_done, &g[3]);
    loop_turn(loop, 5000);
    resolver_free(resolver);
    resolver = NULL;
    for (int i = 0; i < 5; i++)
        loop_turn(loop, 5000);
    assert_false(g[0].done);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(literals_and_localhost_need_no_server),
        CASE(answers_come_in_an_order_to_try),
        CASE(failures_say_what_is_wrong),
        CASE(no_server_at_all_is_told_at_once),
        CASE(a_truncated_answer_is_asked_for_over_tcp),
        CASE(a_family_that_is_never_answered_delays_nobody),
        CASE(answers_are_kept_for_their_time),
        CASE(callers_at_the_same_time_share_a_question),
        CASE(an_old_answer_bridges_a_failure_of_servers),
        CASE(an_old_answer_bridges_silence_after_a_second),
        CASE(an_old_answer_is_not_used_unless_allowed),
        CASE(a_hook_stands_in_for_servers),
        CASE(the_hosts_file_comes_before_servers),
        CASE(too_many_names_at_once_are_refused_and_room_is_made),
        CASE(everything_is_dropped_when_the_resolver_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
