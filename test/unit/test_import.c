/* SPDX-License-Identifier: Apache-2.0 */
/* The importer's parts without a network: windows over a clock of the test's, waits, and the reading of replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/clock.h"
#include "report/import/import_ask.h"
#include "report/import/import_page.h"
#include "report/import/import_window.h"

#define DAY_US BILL_DAY_US

static int64_t at(int year, int month, int day, int hour)
{
    return clock_wall_of((struct clock_utc){.year = year, .month = month, .day = day, .hour = hour});
}

static int64_t day_at(int year, int month, int day)
{
    return bill_day_of(at(year, month, day, 0));
}

/* --- windows --------------------------------------------------------------------------------- */

static size_t find_step(const struct import_plan *p, enum import_what what, size_t from)
{
    while (from < p->count && p->steps[from].what != what)
        from++;
    return from;
}

static void a_first_import_begins_with_the_newest_month(void **state)
{
    struct import_plan *p = calloc(1, sizeof *p);
    int64_t now = at(2026, 11, 22, 10), today = day_at(2026, 11, 22);
    struct bill_account a = {.backfill_day = today + 1 - 180};
    (void)state;
    import_window_plan(&a, now, 0, p);
    assert_true(p->first);
    assert_int_equal(p->steps[0].what, IMPORT_PROJECTS);
    assert_int_equal(p->steps[1].what, IMPORT_COSTS);
    assert_int_equal(p->steps[1].from, day_at(2026, 11, 1));
    assert_int_equal(p->steps[1].until, today + 1);
    assert_int_equal(p->steps[2].what, IMPORT_MEMBERS);
    int64_t end = today + 1, days = 0;
    for (size_t i = find_step(p, IMPORT_COSTS, 0); i < p->count; i = find_step(p, IMPORT_COSTS, i + 1)) {
        assert_true(p->steps[i].backfill);
        assert_int_equal(p->steps[i].until, end); /* without gaps, backwards */
        end = p->steps[i].from;
        days += p->steps[i].until - p->steps[i].from;
    }
    assert_int_equal(days, 180);
    int64_t covered[BILL_USAGE_COUNT] = {0};
    for (size_t i = 0; i < p->count; i++) {
        if (p->steps[i].what == IMPORT_USAGE_DAYS_OF) {
            assert_true(p->steps[i].until - p->steps[i].from <= 31);
            covered[p->steps[i].kind] += p->steps[i].until - p->steps[i].from;
        }
    }
    for (size_t k = 0; k < BILL_USAGE_COUNT; k++)
        assert_int_equal(covered[k], 180);
    free(p);
}

static void a_broken_import_goes_on_where_it_was(void **state)
{
    struct import_plan *p = calloc(1, sizeof *p);
    int64_t now = at(2026, 11, 22, 10), today = day_at(2026, 11, 22);
    struct bill_account a = {.backfill_day = today + 1 - 180, .back_day = day_at(2026, 9, 1)};
    (void)state;
    import_window_plan(&a, now, 0, p);
    assert_false(p->first);
    assert_int_equal(p->steps[1].from, today + 1 - 35); /* what may have changed meanwhile */
    assert_false(p->steps[1].backfill);
    size_t next = find_step(p, IMPORT_COSTS, 2);
    assert_int_equal(p->steps[next].until, day_at(2026, 9, 1));
    assert_true(p->steps[next].backfill);
    free(p);
}

/* A year of hours: how many days back each pull asks. */
static void the_open_window_is_read_every_hour_day_and_month(void **state)
{
    struct import_plan *p = calloc(1, sizeof *p);
    int64_t begin = at(2026, 1, 1, 0);
    unsigned pulls[3] = {0};
    struct bill_account a = {.backfill_day = bill_day_of(begin) - 400, .back_day = bill_day_of(begin) - 400};
    (void)state;
    for (int64_t hour = 0; hour < 365 * 24; hour++) {
        int64_t now = begin + hour * IMPORT_HOUR_US;
        import_window_plan(&a, now, 0, p);
        size_t i = find_step(p, IMPORT_COSTS, 0);
        int64_t days = p->steps[i].until - p->steps[i].from;
        assert_int_equal(p->steps[i].until, bill_day_of(now) + 1);
        assert_int_equal(find_step(p, IMPORT_COSTS, i + 1), p->count);
        assert_int_equal(find_step(p, IMPORT_MEMBERS, 0) < p->count, p->daily);
        pulls[days == 3 ? 0 : days == 35 ? 1 : 2]++;
        assert_true(days == 3 || days == 35 || days == 100);
        a.hourly_us = now;
        a.daily_us = p->daily ? now : a.daily_us;
        a.monthly_us = p->monthly ? now : a.monthly_us;
    }
    assert_int_equal(pulls[2], 13);
    assert_int_equal(pulls[1], 365 - 13);
    assert_int_equal(pulls[0], 365 * 24 - 365);
    free(p);
}

static void a_pull_since_a_day_takes_everything_from_there(void **state)
{
    struct import_plan *p = calloc(1, sizeof *p);
    int64_t now = at(2026, 11, 22, 10), today = day_at(2026, 11, 22), since = day_at(2023, 12, 1);
    struct bill_account a = {
        .backfill_day = since, .back_day = today - 180, .hourly_us = now, .daily_us = now, .monthly_us = now};
    int64_t oldest = today;
    (void)state;
    import_window_plan(&a, now, since, p);
    for (size_t i = find_step(p, IMPORT_COSTS, 0); i < p->count; i = find_step(p, IMPORT_COSTS, i + 1))
        oldest = p->steps[i].from;
    assert_int_equal(oldest, since);
    assert_true(p->count < IMPORT_STEPS_MAX);
    import_window_plan(&a, now, today + 50, p); /* a day that is to come: today */
    assert_int_equal(p->steps[1].from, today);
    free(p);
}

static void waits_grow_and_are_bounded(void **state)
{
    static const uint64_t seconds[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    (void)state;
    for (unsigned i = 0; i < sizeof seconds / sizeof seconds[0]; i++)
        assert_int_equal(import_ask_wait(0, i + 1), seconds[i] * 1000000);
    assert_int_equal(import_ask_wait(10, 3), 40);
    assert_int_equal(import_window_next(0, 0), IMPORT_HOUR_US);
    assert_int_equal(import_window_next(0, 1), INT64_C(300) * 1000000);
    assert_int_equal(import_window_next(0, 3), INT64_C(900) * 1000000);
    assert_int_equal(import_window_next(0, 1000000), IMPORT_HOUR_US);
}

/* --- replies --------------------------------------------------------------------------------- */

struct reading {
    struct arena *arena;
    struct jdoc doc;
    struct import_page page;
    char why[IMPORT_PAGE_WHY_MAX];
};

static int begin_reading(void **state)
{
    struct reading *t = calloc(1, sizeof *t);
    t->arena = arena_new(1024, 1u << 20);
    jdoc_init(&t->doc);
    *state = t;
    return 0;
}

static int end_reading(void **state)
{
    struct reading *t = *state;
    jdoc_free(&t->doc);
    arena_free(t->arena);
    free(t);
    return 0;
}

static enum err open_page(struct reading *t, const char *text)
{
    return import_page_open(&t->doc, str_c(text), t->arena, &t->page, t->why);
}

static struct jval parse(struct reading *t, const char *text)
{
    if (!jdoc_parse(&t->doc, str_c(text)))
        fail_msg("not JSON: %s", text);
    return jdoc_root(&t->doc);
}

static void pages_say_whether_there_is_more(void **state)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"data\":{},\"has_more\":false}",
                                      "{\"data\":[]}",
                                      "{\"data\":[],\"has_more\":null}",
                                      "{\"data\":[],\"has_more\":true}",
                                      "{\"data\":[],\"has_more\":true,\"next_page\":7}",
                                      "{\"data\":[],\"has_more\":true,\"next_page\":null,\"last_id\":\"a\"}",
                                      "{\"data\":[],\"has_more\":false"};
    struct reading *t = *state;
    assert_int_equal(open_page(t, "{\"data\":[],\"has_more\":false,\"next_page\":null}"), ERR_OK);
    assert_false(t->page.has_more);
    assert_int_equal(open_page(t, "{\"data\":[],\"has_more\":true,\"next_page\":\"page_\\u0041\"}"), ERR_OK);
    assert_true(t->page.has_more && str_eq(t->page.next, STR("page_A")));
    assert_int_equal(open_page(t, "{\"data\":[],\"has_more\":true,\"last_id\":\"proj_1\"}"), ERR_OK);
    assert_true(str_eq(t->page.next, STR("proj_1")));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (open_page(t, bad[i]) == ERR_OK)
            fail_msg("%s was taken", bad[i]);
        assert_true(strlen(t->why) > 10);
    }
}

static void amounts_are_numbers_or_strings(void **state)
{
    struct reading *t = *state;
    struct bill_cost c;
    struct import_page_organization o;
    const char *text =
        "{\"amount\":{\"value\":\"0.0000330000000000000000\",\"currency\":\"usd\"},\"line_item\":\"DALL\\u00b7E 3\","
        "\"project_id\":\"proj_1\",\"api_key_id\":null,\"quantity\":12,\"quantity_unit\":\"tokens\","
        "\"organization_id\":\"org-1\",\"new_field\":{\"a\":[1]}}";
    assert_int_equal(import_page_cost(parse(t, text), t->arena, &c, &o, t->why), ERR_OK);
    assert_true(str_eq(c.amount, STR("0.0000330000000000000000")) && str_eq(c.quantity, STR("12")));
    assert_true(str_eq(c.line_item, STR("DALL·E 3")) && str_eq(c.key, STR("")) && str_eq(o.id, STR("org-1")));
    text = "{\"amount\":{\"value\":3.4e-05}}";
    assert_int_equal(import_page_cost(parse(t, text), t->arena, &c, &o, t->why), ERR_OK);
    assert_true(str_eq(c.amount, STR("3.4e-05")) && str_eq(c.line_item, STR("")));
}

static void costs_of_an_unknown_form_are_refused(void **state)
{
    static const char *const bad[] = {"{}",
                                      "[]",
                                      "null",
                                      "{\"amount\":5}",
                                      "{\"amount\":{}}",
                                      "{\"amount\":{\"value\":null}}",
                                      "{\"amount\":{\"value\":true}}",
                                      "{\"amount\":{\"value\":1,\"currency\":\"eur\"}}",
                                      "{\"amount\":{\"value\":1,\"currency\":5}}",
                                      "{\"amount\":{\"value\":1},\"quantity\":[]}",
                                      "{\"amount\":{\"value\":1},\"line_item\":{}}",
                                      "{\"amount\":{\"value\":1},\"project_id\":1}"};
    struct reading *t = *state;
    struct bill_cost c;
    struct import_page_organization o;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (import_page_cost(parse(t, bad[i]), t->arena, &c, &o, t->why) == ERR_OK)
            fail_msg("%s was taken", bad[i]);
}

static void usage_has_all_its_figures(void **state)
{
    struct reading *t = *state;
    struct bill_used u;
    const char *text =
        "{\"input_tokens\":10,\"input_cached_tokens\":4,\"output_tokens\":7.0,\"num_model_requests\":\"2\","
        "\"project_id\":\"p\",\"batch\":true,\"service_tier\":\"default\",\"model\":\"gpt-4o\",\"seconds\":null}";
    assert_int_equal(import_page_used(parse(t, text), BILL_USAGE_COMPLETIONS, t->arena, &u, t->why), ERR_OK);
    assert_int_equal(u.figure[BILL_FIGURE_INPUT], 10);
    assert_int_equal(u.figure[BILL_FIGURE_CACHED], 4);
    assert_int_equal(u.figure[BILL_FIGURE_OUTPUT], 7);
    assert_int_equal(u.figure[BILL_FIGURE_REQUESTS], 2);
    assert_int_equal(u.figure[BILL_FIGURE_SECONDS], 0);
    assert_int_equal(u.batch, 1);
    assert_true(str_eq(u.tier, STR("default")));
    text = "{\"images\":3,\"size\":\"1024x1024\",\"source\":\"image.edit\"}";
    assert_int_equal(import_page_used(parse(t, text), BILL_USAGE_IMAGES, t->arena, &u, t->why), ERR_OK);
    assert_true(str_eq(u.extra, STR("1024x1024")) && str_eq(u.source, STR("image.edit")) && u.batch == -1);
    text = "{\"input_tokens\":-1}";
    assert_int_equal(import_page_used(parse(t, text), BILL_USAGE_IMAGES, t->arena, &u, t->why), ERR_UPSTREAM_BAD_HTTP);
    text = "{\"input_tokens\":1e20}";
    assert_int_equal(import_page_used(parse(t, text), BILL_USAGE_IMAGES, t->arena, &u, t->why), ERR_UPSTREAM_BAD_HTTP);
}

static void buckets_begin_where_one_can(void **state)
{
    struct reading *t = *state;
    int64_t start;
    struct jval results;
    assert_int_equal(
        import_page_bucket(parse(t, "{\"start_time\":1728000,\"results\":[]}"), 86400, &start, &results, t->why),
        ERR_OK);
    assert_int_equal(start, 20);
    static const char *const bad[] = {"{\"start_time\":1728001,\"results\":[]}",
                                      "{\"start_time\":-5,\"results\":[]}",
                                      "{\"results\":[]}",
                                      "{\"start_time\":1728000}",
                                      "{\"start_time\":99999999999999,\"results\":[]}",
                                      "[]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (import_page_bucket(parse(t, bad[i]), 86400, &start, &results, t->why) == ERR_OK)
            fail_msg("%s was taken", bad[i]);
}

static void names_need_an_id(void **state)
{
    struct reading *t = *state;
    struct bill_name_put n;
    assert_int_equal(import_page_name(parse(t, "{\"id\":\"proj_1\",\"name\":\"A\",\"status\":\"archived\"}"),
                                      BILL_PROJECT, STR(""), t->arena, &n, t->why),
                     ERR_OK);
    assert_true(n.archived && str_eq(n.name, STR("A")));
    assert_int_equal(import_page_name(parse(t, "{\"id\":\"key_1\",\"redacted_value\":\"sk-…1\"}"), BILL_KEY,
                                      STR("proj_1"), t->arena, &n, t->why),
                     ERR_OK);
    assert_true(str_eq(n.project, STR("proj_1")) && str_eq(n.hint, STR("sk-…1")) && str_eq(n.name, STR("")));
    assert_int_equal(import_page_name(parse(t, "{\"name\":\"A\"}"), BILL_USER, STR(""), t->arena, &n, t->why),
                     ERR_UPSTREAM_BAD_HTTP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_import_begins_with_the_newest_month),
        cmocka_unit_test(a_broken_import_goes_on_where_it_was),
        cmocka_unit_test(the_open_window_is_read_every_hour_day_and_month),
        cmocka_unit_test(a_pull_since_a_day_takes_everything_from_there),
        cmocka_unit_test(waits_grow_and_are_bounded),
        cmocka_unit_test_setup_teardown(pages_say_whether_there_is_more, begin_reading, end_reading),
        cmocka_unit_test_setup_teardown(amounts_are_numbers_or_strings, begin_reading, end_reading),
        cmocka_unit_test_setup_teardown(costs_of_an_unknown_form_are_refused, begin_reading, end_reading),
        cmocka_unit_test_setup_teardown(usage_has_all_its_figures, begin_reading, end_reading),
        cmocka_unit_test_setup_teardown(buckets_begin_where_one_can, begin_reading, end_reading),
        cmocka_unit_test_setup_teardown(names_need_an_id, begin_reading, end_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
