/* SPDX-License-Identifier: Apache-2.0 */
/* Limits in the database: made, changed, replaced, reset, removed; what the next request sees of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/control_key.h"
#include "control/limit/rule.h"
#include "control/limit/ruleset.h"
#include "control_bench.h"
#include "limits_rig.h"

#define ADMIN "an-admin-key-for-the-tests-A"

static struct control_why why;

static struct control *open_with_key(struct bench *t, int64_t *ret_key)
{
    struct control *c = bench_open(t, ADMIN);
    struct secret text = {0};
    bench_make_key(t, c, "limited", KIND_ROLE_MEMBER, &text);
    struct snapshot *s = control_snapshot(c);
    *ret_key = snapshot_find_key(s, secret_reveal(&text))->id;
    snapshot_unref(s);
    secret_wipe(&text);
    return c;
}

/* The newest snapshot's rule; good until the next change. */
static const struct ruleset_rule *seen(struct control *c, int64_t id)
{
    struct snapshot *s = control_snapshot(c);
    const struct ruleset_rule *r = ruleset_rule_of(snapshot_limits(s), id);
    snapshot_unref(s);
    return r;
}

static size_t count_on(struct control *c, enum limit_attach attach, int64_t id, int64_t workspace)
{
    struct snapshot *s = control_snapshot(c);
    size_t n = ruleset_find(snapshot_limits(s), attach, id, workspace).count;
    snapshot_unref(s);
    return n;
}

static void a_rule_is_stored_and_in_force_at_once(void **state)
{
    struct bench *t = *state;
    int64_t key, id = 0;
    struct control *c = open_with_key(t, &key);
    struct limit rule = limits_rig_budget(LIMIT_KEY, key, 5000, LIMIT_HARD), back;
    rule.workspace_id = 99; /* is taken from the key */
    rule.alert_at = 4 * USD;
    rule.source = rule.name = rule.conditions = rule.group_by = STR("");
    assert_int_equal(rule_create(c, &rule, &id, &why), ERR_OK);
    assert_int_equal(count_on(c, LIMIT_KEY, key, 0), 1);
    control_close(c);
    c = bench_open(t, ADMIN);
    assert_int_equal(count_on(c, LIMIT_KEY, key, 0), 1);
    assert_int_equal(rule_find(c, 1, id, t->arena, &back, &why), ERR_OK);
    assert_int_equal(back.workspace_id, 1);
    assert_int_equal(back.max, 5 * USD);
    assert_int_equal(back.alert_at, 4 * USD);
    assert_int_equal(back.mode, LIMIT_HARD);
    assert_int_equal(back.window.unit, WINDOW_MONTH);
    assert_true(back.counted_from_us > 0 && back.counted_from_us == back.created_us);
    assert_int_equal(rule_find(c, 2, id, t->arena, &back, &why), ERR_NOT_FOUND);
    assert_int_equal(rule_remove(c, 2, id, &why), ERR_NOT_FOUND);
    assert_int_equal(rule_remove(c, 1, id, &why), ERR_OK);
    assert_int_equal(rule_remove(c, 1, id, &why), ERR_NOT_FOUND);
    assert_int_equal(count_on(c, LIMIT_KEY, key, 0), 0);
    control_close(c);
}

static void a_change_goes_on_counting_unless_it_counts_something_else(void **state)
{
    struct bench *t = *state;
    int64_t key, id = 0;
    struct control *c = open_with_key(t, &key);
    struct limit rule = limits_rig_budget(LIMIT_KEY, key, 5000, LIMIT_HARD);
    assert_int_equal(rule_create(c, &rule, &id, &why), ERR_OK);
    int64_t from = seen(c, id)->limit.counted_from_us;
    rule.max = 7 * USD;
    rule.mode = LIMIT_SOFT;
    assert_int_equal(rule_update(c, 1, id, &rule, &why), ERR_OK);
    assert_int_equal(seen(c, id)->limit.max, 7 * USD);
    assert_int_equal(seen(c, id)->limit.mode, LIMIT_SOFT);
    assert_int_equal(seen(c, id)->limit.counted_from_us, from);
    rule.window = (struct window){WINDOW_DAY, 1, 0};
    assert_int_equal(rule_update(c, 1, id, &rule, &why), ERR_OK);
    assert_true(seen(c, id)->limit.counted_from_us > from);
    from = seen(c, id)->limit.counted_from_us;
    assert_int_equal(rule_reset(c, 1, id, &why), ERR_OK);
    assert_true(seen(c, id)->limit.counted_from_us > from);
    control_close(c);
}

static void what_makes_no_sense_is_refused(void **state)
{
    struct bench *t = *state;
    int64_t key, id = 0;
    struct control *c = open_with_key(t, &key);
    struct limit good = limits_rig_budget(LIMIT_KEY, key, 5000, LIMIT_HARD), bad;
    bad = good, bad.attach_id = 4711;
    assert_int_equal(rule_create(c, &bad, &id, &why), ERR_NOT_FOUND);
    bad = good, bad.max = 0;
    assert_int_equal(rule_create(c, &bad, &id, &why), ERR_BAD_PARAMETER);
    bad = good, bad.max = -1;
    assert_int_equal(rule_create(c, &bad, &id, &why), ERR_BAD_PARAMETER);
    bad = good, bad.alert_at = bad.max + 1;
    assert_int_equal(rule_create(c, &bad, &id, &why), ERR_BAD_PARAMETER);
    bad = good, bad.measure = LIMIT_REQUESTS;
    assert_int_equal(rule_create(c, &bad, &id, &why), ERR_BAD_PARAMETER);
    bad = good, bad.window.step = 0;
    assert_int_equal(rule_create(c, &bad, &id, &why), ERR_BAD_PARAMETER);
    bad = good, bad.conditions = STR("[]");
    assert_int_equal(rule_create(c, &bad, &id, &why), ERR_BAD_PARAMETER);
    bad = good, bad.input_max = 5;
    assert_int_equal(rule_create(c, &bad, &id, &why), ERR_BAD_PARAMETER);
    bad = good, bad.attach = LIMIT_POLICY, bad.attach_id = 0, bad.name = STR("p"), bad.group_by = STR("{}");
    assert_int_equal(rule_create(c, &bad, &id, &why), ERR_BAD_PARAMETER);
    assert_string_equal(why.param, "group_by");
    for (int i = 0; i < LIMIT_ATTACHED_MAX; i++)
        assert_int_equal(rule_create(c, &good, &id, &why), ERR_OK);
    assert_int_equal(rule_create(c, &good, &id, &why), ERR_IN_USE);
    control_close(c);
}

static void a_list_takes_the_place_of_another(void **state)
{
    struct bench *t = *state;
    int64_t key;
    struct control *c = open_with_key(t, &key);
    const struct rule_place place = {.attach = LIMIT_KEY, .attach_id = key};
    const struct rule_place other = {.attach = LIMIT_KEY, .attach_id = key, .source = STR("policy:x")};
    struct limit list[3] = {limits_rig_rate(LIMIT_KEY, key, LIMIT_REQUESTS, 60, WINDOW_MINUTE),
                            limits_rig_rate(LIMIT_KEY, key, LIMIT_TOKENS, 9000, WINDOW_MINUTE),
                            limits_rig_rate(LIMIT_KEY, key, LIMIT_REQUESTS, 5000, WINDOW_DAY)};
    struct limit *rows;
    size_t n;
    int64_t id = 0;
    const struct rule_filter f = {.workspace_id = 1, .attach = LIMIT_KEY, .attach_id = key, .kind = LIMIT_RATE};
    struct limit budget = limits_rig_budget(LIMIT_KEY, key, 1000, LIMIT_HARD);
    assert_int_equal(rule_create(c, &budget, &id, &why), ERR_OK);
    assert_int_equal(rule_replace(c, &other, LIMIT_RATE, list, 1, &why), ERR_OK);
    assert_int_equal(rule_replace(c, &place, LIMIT_RATE, list, 3, &why), ERR_OK);
    assert_int_equal(rule_list(c, &f, t->arena, &rows, &n, &why), ERR_OK);
    assert_int_equal(n, 4);
    int64_t kept = rows[3].id, from = rows[3].counted_from_us;
    list[2].max = 7000;
    assert_int_equal(rule_replace(c, &place, LIMIT_RATE, &list[2], 1, &why), ERR_OK);
    assert_int_equal(rule_list(c, &f, t->arena, &rows, &n, &why), ERR_OK);
    assert_int_equal(n, 2); /* the other source's, and one */
    assert_int_equal(rows[1].id, kept);
    assert_int_equal(rows[1].max, 7000);
    assert_int_equal(rows[1].counted_from_us, from);
    assert_int_equal(rule_reset_place(c, &place, &why), ERR_OK);
    assert_true(seen(c, id)->limit.counted_from_us > budget.counted_from_us);
    assert_int_equal(seen(c, kept)->limit.counted_from_us, from); /* rates are not reset */
    assert_int_equal(rule_replace(c, &place, LIMIT_RATE, NULL, 0, &why), ERR_OK);
    assert_int_equal(count_on(c, LIMIT_KEY, key, 0), 2);
    control_close(c);
}

static void windows_of_days_keep_their_beginning(void **state)
{
    struct bench *t = *state;
    int64_t key, id = 0, now = clock_wall_us();
    struct control *c = open_with_key(t, &key);
    const struct rule_place place = {.attach = LIMIT_KEY, .attach_id = key};
    struct limit rule = limits_rig_budget(LIMIT_KEY, key, 1000, LIMIT_HARD);
    const struct rule_filter f = {.workspace_id = 1, .attach = LIMIT_KEY, .attach_id = key, .kind = -1};
    struct limit *rows;
    size_t n;
    (void)id;
    rule.window = (struct window){WINDOW_ANCHOR, 30, 0};
    assert_int_equal(rule_replace(c, &place, LIMIT_BUDGET, &rule, 1, &why), ERR_OK);
    assert_int_equal(rule_list(c, &f, t->arena, &rows, &n, &why), ERR_OK);
    struct window_span first = window_at(&rows[0].window, now);
    int64_t day = INT64_C(86400000000);
    assert_int_equal(first.start_us % day, 0);
    assert_true(first.start_us <= now && now - first.start_us < day);
    /* Given back as it was shown, or one round later: the same windows, the same count. */
    rule.window.anchor_us = first.end_us;
    assert_int_equal(rule_replace(c, &place, LIMIT_BUDGET, &rule, 1, &why), ERR_OK);
    assert_int_equal(rule_replace(c, &place, LIMIT_BUDGET, &rule, 1, &why), ERR_OK);
    struct limit *again;
    assert_int_equal(rule_list(c, &f, t->arena, &again, &n, &why), ERR_OK);
    assert_int_equal(n, 1);
    assert_int_equal(again[0].id, rows[0].id);
    assert_int_equal(again[0].counted_from_us, rows[0].counted_from_us);
    assert_int_equal(window_at(&again[0].window, now).start_us, first.start_us);
    control_close(c);
}

static void groups_are_reset_one_by_one(void **state)
{
    struct bench *t = *state;
    int64_t key, id = 0;
    struct control *c = open_with_key(t, &key);
    struct limit rule = limits_rig_rate(LIMIT_POLICY, 0, LIMIT_REQUESTS, 5, WINDOW_DAY);
    rule.name = STR("per user");
    rule.group_by = STR("[{\"key\":\"metadata._user\"}]");
    assert_int_equal(rule_create(c, &rule, &id, &why), ERR_OK);
    int64_t from = seen(c, id)->limit.counted_from_us;
    assert_int_equal(rule_reset_group(c, 1, id, STR("ann"), &why), ERR_OK);
    assert_true(ruleset_counted_from(seen(c, id), STR("ann")) > from);
    assert_int_equal(ruleset_counted_from(seen(c, id), STR("bob")), from);
    assert_int_equal(rule_reset_group(c, 1, id, STR(""), &why), ERR_BAD_PARAMETER);
    assert_int_equal(rule_reset(c, 1, id, &why), ERR_OK);
    assert_int_equal(seen(c, id)->reset_count, 0);
    assert_int_equal(count_on(c, LIMIT_POLICY, 0, 1), 1);
    assert_int_equal(count_on(c, LIMIT_POLICY, 0, 0), 0);
    control_close(c);
}

static void rules_on_what_is_gone_are_not_in_force(void **state)
{
    struct bench *t = *state;
    int64_t key, id = 0;
    struct control *c = open_with_key(t, &key);
    struct limit rule = limits_rig_budget(LIMIT_KEY, key, 5000, LIMIT_HARD);
    struct limit own = limits_rig_budget(LIMIT_WORKSPACE, 1, 5000, LIMIT_HARD);
    struct snapshot *s = control_snapshot(c);
    struct str public_id = arena_dup(t->arena, snapshot_key_of(s, key)->public_id);
    snapshot_unref(s);
    assert_int_equal(rule_create(c, &rule, &id, &why), ERR_OK);
    assert_int_equal(rule_create(c, &own, &id, &why), ERR_OK);
    assert_int_equal(control_key_revoke(c, 1, public_id, &why), ERR_OK);
    assert_int_equal(count_on(c, LIMIT_KEY, key, 0), 0);
    assert_int_equal(count_on(c, LIMIT_WORKSPACE, 1, 0), 1);
    assert_int_equal(rule_create(c, &rule, &id, &why), ERR_NOT_FOUND);
    control_close(c);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        T(a_rule_is_stored_and_in_force_at_once),  T(a_change_goes_on_counting_unless_it_counts_something_else),
        T(what_makes_no_sense_is_refused),         T(a_list_takes_the_place_of_another),
        T(windows_of_days_keep_their_beginning),   T(groups_are_reset_one_by_one),
        T(rules_on_what_is_gone_are_not_in_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
