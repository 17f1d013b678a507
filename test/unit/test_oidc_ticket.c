/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets of sign-ins under way: only ours, only unaltered, only for a while, only once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "console/people/oidc.h"
#include "console/people/oidc_ticket.h"

#define NOW (INT64_C(1800000000) * 1000000)

struct rig {
    struct arena *arena;
    struct ticket_box box;
    struct ticket ticket;
    struct str sealed;
};

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    r->arena = arena_new(4096, 1 << 20);
    ticket_box_init(&r->box);
    ticket_draw(&r->ticket, STR("/console/device?user_code=BCDF-GHJK"), NOW);
    r->sealed = ticket_seal(&r->box, &r->ticket, r->arena);
    assert_non_null(r->sealed.p);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    arena_free(r->arena);
    free(r);
    return 0;
}

static void a_ticket_comes_back_as_it_was(void **state)
{
    struct rig *r = *state;
    struct ticket t, other;
    assert_true(ticket_open(&r->box, r->sealed, NOW, r->arena, &t));
    assert_string_equal(t.state, r->ticket.state);
    assert_string_equal(t.nonce, r->ticket.nonce);
    assert_string_equal(t.verifier, r->ticket.verifier);
    assert_true(str_eq(t.return_to, r->ticket.return_to));
    ticket_draw(&other, STR(""), NOW);
    assert_string_not_equal(other.state, t.state);
    assert_string_not_equal(other.verifier, t.verifier);
    assert_true(str_search(r->sealed, str_c(t.state)) < 0);
}

static void an_altered_ticket_does_not_open(void **state)
{
    struct rig *r = *state;
    struct ticket t;
    char text[2048];
    for (size_t i = 0; i < r->sealed.n; i++) {
        str_copy(text, sizeof text, r->sealed);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        assert_false(ticket_open(&r->box, str_of(text, r->sealed.n), NOW, r->arena, &t));
    }
    for (size_t n = 0; n < r->sealed.n; n++)
        assert_false(ticket_open(&r->box, str_head(r->sealed, n), NOW, r->arena, &t));
    memset(text, 'A', sizeof text);
    assert_false(ticket_open(&r->box, str_of(text, sizeof text), NOW, r->arena, &t));
}

static void a_ticket_of_another_process_does_not_open(void **state)
{
    struct rig *r = *state;
    struct ticket_box other;
    struct ticket t;
    ticket_box_init(&other);
    assert_false(ticket_open(&other, r->sealed, NOW, r->arena, &t));
}

static void a_ticket_is_good_for_ten_minutes(void **state)
{
    struct rig *r = *state;
    struct ticket t;
    assert_true(ticket_open(&r->box, r->sealed, NOW + TICKET_LASTS_US - 1, r->arena, &t));
    assert_false(ticket_open(&r->box, r->sealed, NOW + TICKET_LASTS_US, r->arena, &t));
    assert_false(ticket_open(&r->box, r->sealed, NOW - 1, r->arena, &t));
}

static void a_ticket_is_spent_once(void **state)
{
    struct rig *r = *state;
    struct ticket t;
    assert_true(ticket_spend(&r->box, &r->ticket));
    for (int i = 0; i < TICKET_SPENT_MAX - 1; i++) {
        assert_false(ticket_spend(&r->box, &r->ticket));
        ticket_draw(&t, STR(""), NOW);
        assert_true(ticket_spend(&r->box, &t));
    }
}

/* RFC 7636, appendix B. */
static void the_challenge_is_the_verifiers_digest(void **state)
{
    struct ticket t = {.verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"};
    char out[TICKET_CHALLENGE_MAX];
    (void)state;
    assert_true(str_eq(ticket_challenge(&t, out), STR("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")));
}

static void people_are_led_to_the_console_alone(void **state)
{
    static const char *const good[] = {"/console/", "/console/device?user_code=BCDF-GHJK",
                                       "/console/#/invitation/ti-x"};
    static const char *const bad[] = {
        "",           "/",           "/console",    "//evil.example", "/console//evil", "https://x/console/",
        "/consoles/", "/console/\\", "/console/ x", "/console/\n",    "/console/\x7f",  "/console/\xc3\xa9"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(oidc_return_ok(str_c(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(oidc_return_ok(str_c(bad[i])));
}

static void an_issuer_is_https_or_on_this_machine(void **state)
{
    static const char *const good[] = {"https://id.example",    "https://id.example/realms/a", "https://id.example/",
                                       "http://127.0.0.1:9000", "http://localhost:9000/x",     "http://[::1]:9000"};
    static const char *const bad[] = {"",
                                      "id.example",
                                      "http://id.example",
                                      "http://10.0.0.1",
                                      "ftp://id.example",
                                      "https://",
                                      "https://user@id.example",
                                      "https://id.example?x=1",
                                      "http://localhost.evil.example"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (oidc_issuer_fault(str_c(good[i])))
            fail_msg("%s: %s", good[i], oidc_issuer_fault(str_c(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_non_null(oidc_issuer_fault(str_c(bad[i])));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest cases[] = {
        CASE(a_ticket_comes_back_as_it_was),
        CASE(an_altered_ticket_does_not_open),
        CASE(a_ticket_of_another_process_does_not_open),
        CASE(a_ticket_is_good_for_ten_minutes),
        CASE(a_ticket_is_spent_once),
        CASE(the_challenge_is_the_verifiers_digest),
        CASE(people_are_led_to_the_console_alone),
        CASE(an_issuer_is_https_or_on_this_machine),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
