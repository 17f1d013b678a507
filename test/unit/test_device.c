/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that ask a person to let them in: who may fetch what, once, and how many may ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/clock.h"
#include "control/people/account.h"
#include "control/people/device.h"
#include "control/people/grant.h"
#include "control/people/session.h"
#include "control/people/token.h"
#include "control_bench.h"

#define NOW (INT64_C(1800000000) * 1000000)

static int64_t ahead_us;

static int64_t wall(void)
{
    return NOW + ahead_us;
}

static uint64_t mono(void)
{
    return 1;
}

static struct device_codes ask(struct device_table *t, const char *peer, int64_t now_us)
{
    struct device_codes codes;
    assert_int_equal(device_ask(t, STR("tollgate"), str_c(peer), now_us, &codes), ERR_OK);
    return codes;
}

static enum device_state poll(struct device_table *t, const struct device_codes *codes, int64_t now_us, int64_t *ret)
{
    struct device_ask a;
    return device_poll(t, str_c(codes->device), now_us, ret, &a);
}

static void a_program_gets_in_once_and_only_when_somebody_says_so(void **state)
{
    struct device_table *t = device_table_new();
    struct device_codes codes = ask(t, "192.0.2.1", NOW), other = ask(t, "192.0.2.1", NOW);
    struct device_ask a;
    int64_t who = 0;
    (void)state;
    assert_int_equal(poll(t, &codes, NOW, &who), DEVICE_PENDING);
    assert_true(device_find(t, str_c(codes.user), NOW, &a));
    assert_string_equal(a.client, "tollgate");
    assert_string_equal(a.peer, "192.0.2.1");
    assert_true(device_answer(t, str_c(codes.user), 7, true, NOW, &a));
    assert_false(device_answer(t, str_c(codes.user), 8, true, NOW, &a)); /* one answer */
    assert_false(device_find(t, str_c(codes.user), NOW, &a));
    assert_int_equal(poll(t, &other, NOW, &who), DEVICE_PENDING);
    assert_int_equal(poll(t, &codes, NOW, &who), DEVICE_ALLOWED);
    assert_int_equal(who, 7);
    assert_int_equal(poll(t, &codes, NOW, &who), DEVICE_GONE);
    assert_true(device_answer(t, str_c(other.user), 7, false, NOW, &a));
    assert_int_equal(poll(t, &other, NOW, &who), DEVICE_REFUSED);
    assert_int_equal(poll(t, &other, NOW, &who), DEVICE_GONE);
    device_table_free(t);
}

static void a_code_is_good_for_ten_minutes(void **state)
{
    struct device_table *t = device_table_new();
    struct device_codes codes = ask(t, "p", NOW), answered = ask(t, "p", NOW);
    struct device_ask a;
    int64_t who;
    (void)state;
    assert_true(device_answer(t, str_c(answered.user), 1, true, NOW, &a));
    assert_int_equal(poll(t, &codes, NOW + DEVICE_LASTS_US - 1, &who), DEVICE_PENDING);
    assert_false(device_find(t, str_c(codes.user), NOW + DEVICE_LASTS_US, &a));
    assert_false(device_answer(t, str_c(codes.user), 1, true, NOW + DEVICE_LASTS_US, &a));
    assert_int_equal(poll(t, &codes, NOW + DEVICE_LASTS_US, &who), DEVICE_GONE);
    assert_int_equal(poll(t, &answered, NOW + DEVICE_LASTS_US, &who), DEVICE_GONE);
    device_table_free(t);
}

static void who_comes_too_often_is_told_to_slow_down(void **state)
{
    struct device_table *t = device_table_new();
    struct device_codes codes = ask(t, "p", NOW);
    int64_t who;
    (void)state;
    assert_int_equal(poll(t, &codes, NOW, &who), DEVICE_PENDING);
    assert_int_equal(poll(t, &codes, NOW + 500000, &who), DEVICE_TOO_FAST);
    assert_int_equal(poll(t, &codes, NOW + 3500000, &who), DEVICE_PENDING);
    device_table_free(t);
}

static void a_typed_code_is_read_kindly_and_nothing_else_is_one(void **state)
{
    struct device_table *t = device_table_new();
    struct device_codes codes = ask(t, "p", NOW);
    struct device_ask a;
    int64_t who;
    char typed[32];
    (void)state;
    assert_int_equal(strlen(codes.user), DEVICE_USER_CODE_LEN);
    assert_int_equal(codes.user[4], '-');
    assert_int_equal(strspn(codes.user, "BCDFGHJKLMNPQRSTVWXZ-"), DEVICE_USER_CODE_LEN);
    snprintf(typed, sizeof typed, " %.4s %s ", codes.user, codes.user + 5);
    for (char *c = typed; *c; c++)
        *c = (char)(*c >= 'A' ? *c | 0x20 : *c);
    assert_true(device_find(t, str_c(typed), NOW, &a));
    assert_string_equal(a.user, codes.user);
    static const char *const wrong[] = {"", "-", "BCDF", "BCDF-GHJKL", "AAAA-AAAA", "BCDF-GHJ\xc3"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(device_find(t, str_c(wrong[i]), NOW, &a));
    assert_false(device_find(t, str_of("BCDF\0GHJK", 9), NOW, &a));
    assert_int_equal(device_poll(t, STR("x"), NOW, &who, &a), DEVICE_GONE);
    assert_int_equal(device_poll(t, str_c(codes.user), NOW, &who, &a), DEVICE_GONE);
    device_table_free(t);
}

static void nobody_fills_the_table_alone_and_it_has_an_end(void **state)
{
    struct device_table *t = device_table_new();
    struct device_codes codes;
    char peer[32];
    (void)state;
    for (int i = 0; i < DEVICE_PEER_MAX; i++)
        ask(t, "one", NOW);
    assert_int_equal(device_ask(t, STR("x"), STR("one"), NOW, &codes), ERR_RATE_LIMITED);
    for (int i = DEVICE_PEER_MAX; i < DEVICE_MAX; i++) {
        snprintf(peer, sizeof peer, "peer %d", i / 50);
        ask(t, peer, NOW);
    }
    assert_int_equal(device_ask(t, STR("x"), STR("late"), NOW, &codes), ERR_OVERLOADED);
    ask(t, "one", NOW + DEVICE_LASTS_US);
    device_table_free(t);
}

/* ---- the tokens ---- */

struct rig {
    struct bench *bench;
    struct control *control;
    struct member ann;
    struct buf access, refresh;
};

static struct rig begin(struct bench *b)
{
    static const struct clock_source source = {.mono_us = mono, .wall_us = wall};
    struct rig r = {.bench = b};
    struct control_why why;
    const struct member_spec spec = {.name = STR("Ann"), .email = STR("ann@example.com"), .role = KIND_ROLE_ADMIN};
    ahead_us = 0;
    clock_set_source(&source);
    r.control = bench_open(b, NULL);
    buf_init(&r.access, TOKEN_MAX);
    buf_init(&r.refresh, TOKEN_MAX);
    if (member_create(r.control, &spec, b->arena, &r.ann, &why) != ERR_OK ||
        grant_open(r.control, r.ann.id, STR("tollgate"), STR("192.0.2.1"), &r.access, &r.refresh, &why) != ERR_OK)
        fail_msg("%s", why.text);
    return r;
}

static void end(struct rig *r)
{
    buf_free(&r->access);
    buf_free(&r->refresh);
    control_close(r->control);
    clock_set_source(NULL);
}

/* Trades the refresh token for new ones. */
static enum err refresh(struct rig *r)
{
    struct buf access, next;
    struct control_why why;
    buf_init(&access, TOKEN_MAX);
    buf_init(&next, TOKEN_MAX);
    enum err e = account_refresh(r->control, buf_str(&r->refresh), &access, &next, &why);
    if (e == ERR_OK) {
        buf_free(&r->access);
        buf_free(&r->refresh);
        r->access = access;
        r->refresh = next;
    } else {
        buf_free(&access);
        buf_free(&next);
    }
    return e;
}

static void tokens_of_a_person_reach_what_the_person_does(void **state)
{
    struct rig r = begin(*state);
    const struct snapshot_key *k;
    struct snapshot *s = control_snapshot(r.control);
    assert_int_equal(snapshot_judge(s, buf_str(&r.access), wall(), &k), SNAPSHOT_ADMITTED);
    assert_int_equal(k->member_id, r.ann.id);
    assert_int_equal(k->role, KIND_ROLE_ADMIN);
    assert_true(k->device);
    assert_false(k->session);
    assert_int_equal(snapshot_judge(s, buf_str(&r.refresh), wall(), &k), SNAPSHOT_UNKNOWN);
    snapshot_unref(s);
    ahead_us = (int64_t)TOKEN_ACCESS_S * 1000000;
    assert_int_equal(bench_judge(r.control, buf_str(&r.access)), SNAPSHOT_EXPIRED);
    assert_int_equal(refresh(&r), ERR_OK);
    assert_int_equal(bench_judge(r.control, buf_str(&r.access)), SNAPSHOT_ADMITTED);
    end(&r);
}

static void a_refreshed_login_lasts_at_most_ninety_days(void **state)
{
    struct rig r = begin(*state);
    int days = 0;
    while (days < 200) {
        ahead_us = (int64_t)days * 86400 * 1000000;
        if (refresh(&r) != ERR_OK)
            break;
        days += 20;
    }
    assert_int_equal(days, 100);
    end(&r);
}

static void a_login_that_is_not_used_for_a_month_ends(void **state)
{
    struct rig r = begin(*state);
    ahead_us = GRANT_IDLE_US;
    assert_int_equal(refresh(&r), ERR_KEY_INVALID);
    end(&r);
}

static void signing_out_everywhere_a_new_password_and_leaving_end_it(void **state)
{
    for (int way = 0; way < 4; way++) {
        struct rig r = begin(*state);
        struct control_why why;
        const struct snapshot_key *k;
        struct snapshot *s = control_snapshot(r.control);
        assert_int_equal(snapshot_judge(s, buf_str(&r.access), wall(), &k), SNAPSHOT_ADMITTED);
        enum err e = way == 0   ? session_sign_out_all(r.control, r.ann.id, &why)
                     : way == 1 ? session_set_password(r.control, r.ann.id, (struct str){NULL, 0},
                                                       STR("three plain words"), &why)
                     : way == 2 ? member_delete(r.control, r.ann.id, &why)
                                : session_sign_out(r.control, k->id, &why);
        assert_int_equal(e, ERR_OK);
        snapshot_unref(s);
        assert_int_equal(bench_judge(r.control, buf_str(&r.access)), SNAPSHOT_REVOKED);
        assert_int_equal(refresh(&r), ERR_KEY_INVALID);
        end(&r);
        bench_teardown(state);
        bench_setup(state);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_program_gets_in_once_and_only_when_somebody_says_so),
        cmocka_unit_test(a_code_is_good_for_ten_minutes),
        cmocka_unit_test(who_comes_too_often_is_told_to_slow_down),
        cmocka_unit_test(a_typed_code_is_read_kindly_and_nothing_else_is_one),
        cmocka_unit_test(nobody_fills_the_table_alone_and_it_has_an_end),
        CASE(tokens_of_a_person_reach_what_the_person_does),
        CASE(a_refreshed_login_lasts_at_most_ninety_days),
        CASE(a_login_that_is_not_used_for_a_month_ends),
        CASE(signing_out_everywhere_a_new_password_and_leaving_end_it),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
