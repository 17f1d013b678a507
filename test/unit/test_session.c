/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in with a password: who gets in, for how long, and what slows down guessing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "control/people/member.h"
#include "control/people/password.h"
#include "control/people/session.h"
#include "control/people/tries.h"
#include "control_bench.h"

#define GOOD "three plain words"

static int64_t ahead_us;

static int64_t later(void)
{
    return 1800000000 * INT64_C(1000000) + ahead_us;
}

static uint64_t mono(void)
{
    return 1;
}

struct rig {
    struct control *control;
    struct member ann;
};

/* Ann, with a password. */
static struct rig begin(struct bench *t)
{
    static const struct clock_source source = {.mono_us = mono, .wall_us = later};
    struct rig r;
    struct control_why why;
    const struct member_spec spec = {.name = STR("Ann"), .email = STR("ann@example.com"), .role = KIND_ROLE_ADMIN};
    ahead_us = 0;
    clock_set_source(&source);
    r.control = bench_open(t, NULL);
    if (member_create(r.control, &spec, t->arena, &r.ann, &why) != ERR_OK ||
        session_set_password(r.control, r.ann.id, (struct str){NULL, 0}, STR(GOOD), &why) != ERR_OK)
        fail_msg("%s", why.text);
    return r;
}

static int teardown(void **state)
{
    clock_set_source(NULL);
    return bench_teardown(state);
}

static enum err sign_in(struct bench *t, struct control *c, const char *email, const char *password, const char *peer,
                        struct secret *ret, struct session *ret_session)
{
    struct member m;
    struct session s;
    struct control_why why = {.param = ""};
    enum err e = session_sign_in(c, str_c(email), str_c(password), str_c(peer), t->arena, &m, ret, &s, &why);
    assert_true(e == ERR_OK || strlen(why.text) > 10);
    if (e == ERR_OK && ret_session)
        *ret_session = s;
    return e;
}

static void the_right_password_opens_a_session(void **state)
{
    struct bench *t = *state;
    struct rig r = begin(t);
    struct secret token = {0};
    struct session s;
    const struct snapshot_key *k;
    assert_int_equal(sign_in(t, r.control, "Ann@Example.COM", GOOD, "10.0.0.1", &token, &s), ERR_OK);
    struct snapshot *snap = control_snapshot(r.control);
    assert_int_equal(snapshot_judge(snap, secret_reveal(&token), clock_wall_us(), &k), SNAPSHOT_ADMITTED);
    assert_true(k->session);
    assert_int_equal(k->member_id, r.ann.id);
    assert_int_equal(k->role, KIND_ROLE_ADMIN);
    snapshot_unref(snap);
    secret_wipe(&token);
    control_close(r.control);
}

static void a_session_ends_unused_and_in_the_end_even_used(void **state)
{
    struct bench *t = *state;
    struct rig r = begin(t);
    struct secret token = {0}, idle = {0};
    struct session s;
    struct control_why why;
    assert_int_equal(sign_in(t, r.control, "ann@example.com", GOOD, "10.0.0.1", &token, &s), ERR_OK);
    assert_int_equal(sign_in(t, r.control, "ann@example.com", GOOD, "10.0.0.1", &idle, NULL), ERR_OK);
    while (ahead_us + SESSION_IDLE_US / 2 < SESSION_LASTS_US) {
        ahead_us += SESSION_IDLE_US / 2;
        const struct snapshot_key *k;
        struct snapshot *snap = control_snapshot(r.control);
        assert_int_equal(snapshot_judge(snap, secret_reveal(&token), clock_wall_us(), &k), SNAPSHOT_ADMITTED);
        assert_int_equal(session_touch(r.control, k->id, k->expires_us, &why), ERR_OK);
        snapshot_unref(snap);
    }
    assert_int_equal(bench_judge(r.control, secret_reveal(&idle)), SNAPSHOT_EXPIRED);
    ahead_us = SESSION_LASTS_US;
    assert_int_equal(bench_judge(r.control, secret_reveal(&token)), SNAPSHOT_EXPIRED);
    secret_wipe(&token);
    secret_wipe(&idle);
    control_close(r.control);
}

static void signing_out_ends_one_or_all(void **state)
{
    struct bench *t = *state;
    struct rig r = begin(t);
    struct secret one = {0}, two = {0};
    struct session s;
    struct control_why why;
    assert_int_equal(sign_in(t, r.control, "ann@example.com", GOOD, "10.0.0.1", &one, &s), ERR_OK);
    assert_int_equal(sign_in(t, r.control, "ann@example.com", GOOD, "10.0.0.1", &two, NULL), ERR_OK);
    assert_int_equal(session_sign_out(r.control, s.key_id, &why), ERR_OK);
    assert_int_equal(bench_judge(r.control, secret_reveal(&one)), SNAPSHOT_REVOKED);
    assert_int_equal(bench_judge(r.control, secret_reveal(&two)), SNAPSHOT_ADMITTED);
    assert_int_equal(session_sign_out_all(r.control, r.ann.id, &why), ERR_OK);
    assert_int_equal(bench_judge(r.control, secret_reveal(&two)), SNAPSHOT_REVOKED);
    /* a new password ends them too */
    assert_int_equal(sign_in(t, r.control, "ann@example.com", GOOD, "10.0.0.1", &one, NULL), ERR_OK);
    assert_int_equal(session_set_password(r.control, r.ann.id, STR("not the current"), STR("another good one"), &why),
                     ERR_KEY_INVALID);
    assert_int_equal(session_set_password(r.control, r.ann.id, STR(GOOD), STR("another good one"), &why), ERR_OK);
    assert_int_equal(bench_judge(r.control, secret_reveal(&one)), SNAPSHOT_REVOKED);
    assert_int_equal(sign_in(t, r.control, "ann@example.com", GOOD, "10.0.0.1", &one, NULL), ERR_KEY_INVALID);
    assert_int_equal(sign_in(t, r.control, "ann@example.com", "another good one", "10.0.0.1", &one, NULL), ERR_OK);
    secret_wipe(&one);
    secret_wipe(&two);
    control_close(r.control);
}

static void weak_passwords_are_refused(void **state)
{
    struct bench *t = *state;
    struct rig r = begin(t);
    struct control_why why;
    static const char *const weak[] = {"", "short", "aaaaaaaaaaaaaaaa", "ann@example.com"};
    for (size_t i = 0; i < sizeof weak / sizeof weak[0]; i++)
        assert_int_equal(session_set_password(r.control, r.ann.id, (struct str){NULL, 0}, str_c(weak[i]), &why),
                         ERR_BAD_PARAMETER);
    assert_int_equal(session_set_password(r.control, 1, (struct str){NULL, 0}, STR(GOOD), &why), ERR_BAD_PARAMETER);
    control_close(r.control);
}

static void guessing_is_stopped_for_an_account_and_for_a_peer(void **state)
{
    struct bench *t = *state;
    struct rig r = begin(t);
    struct secret token = {0};
    for (int i = 0; i < SESSION_ACCOUNT_TRIES; i++) {
        char peer[32];
        snprintf(peer, sizeof peer, "10.0.1.%d", i);
        assert_int_equal(sign_in(t, r.control, "ann@example.com", "wrong wrong wrong", peer, &token, NULL),
                         ERR_KEY_INVALID);
    }
    assert_int_equal(sign_in(t, r.control, "ann@example.com", GOOD, "10.0.0.1", &token, NULL), ERR_RATE_LIMITED);
    ahead_us = SESSION_TRIES_US;
    assert_int_equal(sign_in(t, r.control, "ann@example.com", GOOD, "10.0.0.1", &token, NULL), ERR_OK);
    for (int i = 0; i < SESSION_PEER_TRIES; i++) {
        char email[48];
        snprintf(email, sizeof email, "nobody%d@example.com", i);
        assert_int_equal(sign_in(t, r.control, email, "wrong wrong wrong", "10.0.0.1", &token, NULL), ERR_KEY_INVALID);
    }
    assert_int_equal(sign_in(t, r.control, "ann@example.com", GOOD, "10.0.0.1", &token, NULL), ERR_RATE_LIMITED);
    assert_int_equal(sign_in(t, r.control, "ann@example.com", GOOD, "10.0.0.2", &token, NULL), ERR_OK);
    secret_wipe(&token);
    control_close(r.control);
}

static double seconds_of(struct str stored, const char *given, bool expected)
{
    struct timespec a, b;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    assert_int_equal(password_check(stored, str_c(given)), expected);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

static void nobody_takes_as_long_as_somebody(void **state)
{
    (void)state;
    unsigned char stored[PASSWORD_STORED_BYTES], other[PASSWORD_STORED_BYTES];
    password_make(STR(GOOD), stored);
    password_make(STR(GOOD), other);
    assert_memory_not_equal(stored, other, sizeof stored); /* each has a salt of its own */
    struct str there = str_of((const char *)stored, sizeof stored);
    double right = seconds_of(there, GOOD, true), wrong = seconds_of(there, "wrong", false);
    double nobody = seconds_of(STR(""), GOOD, false);
    print_message("right %.3f s, wrong %.3f s, nobody %.3f s\n", right, wrong, nobody);
    assert_true(nobody > wrong / 3);
    assert_true(nobody < wrong * 3);
    for (size_t i = 0; i < sizeof stored; i++) {
        if (i == 1 || i == 2 || i == 3)
            continue; /* the cost: another one takes longer, and is wrong as well */
        stored[i] ^= 1;
        assert_false(i % 16 == 0 && password_check(there, STR(GOOD)));
        stored[i] ^= 1;
    }
}

static void a_flood_of_names_does_not_drive_out_who_is_attacked(void **state)
{
    (void)state;
    static struct tries t;
    int64_t now = 1;
    for (int i = 0; i < 10; i++)
        tries_failed(&t, STR("victim"), SESSION_TRIES_US, now);
    for (int i = 0; i < 100000; i++) {
        char name[32];
        int n = snprintf(name, sizeof name, "flood%d", i);
        tries_failed(&t, str_of(name, (size_t)n), SESSION_TRIES_US, now);
    }
    assert_false(tries_allowed(&t, STR("victim"), 10, SESSION_TRIES_US, now));
    assert_true(tries_allowed(&t, STR("victim"), 10, SESSION_TRIES_US, now + SESSION_TRIES_US));
    tries_forget(&t, STR("victim"));
    assert_true(tries_allowed(&t, STR("victim"), 10, SESSION_TRIES_US, now));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, bench_setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(the_right_password_opens_a_session),
        CASE(a_session_ends_unused_and_in_the_end_even_used),
        CASE(signing_out_ends_one_or_all),
        CASE(weak_passwords_are_refused),
        CASE(guessing_is_stopped_for_an_account_and_for_a_peer),
        CASE(nobody_takes_as_long_as_somebody),
        CASE(a_flood_of_names_does_not_drive_out_who_is_attacked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
