/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts: what is said, to whom, once; over late and restated bills, restarts and kills. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "report/watch/anomaly_store.h"
#include "watch_rig.h"

#define ALL "costs.provider = 'open_ai'"
#define CALLS_MAX 3000
#define PAGE_AND_MORE 130

static int set_up(void **state)
{
    struct watch_rig *r = mem_zalloc(sizeof *r);
    watch_rig_now("2026-03-20T10:00:00Z");
    watch_rig_open(r);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    watch_rig_close(*state);
    mem_free(*state);
    return 0;
}

static struct str make_report(struct watch_rig *r, const char *groupings)
{
    return watch_rig_make(r, DOCS_COST_REPORT, "{\"title\":\"R\",\"filter\":\"" ALL "\",\"groupings\":\"%s\"}",
                          groupings);
}

static void bill_days(struct watch_rig *r, const char *from, const char *to, const char *rows)
{
    for (int64_t day = watch_rig_day(from); day <= watch_rig_day(to); day++)
        watch_rig_bill(r, day, rows);
}

static bool contains(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* ---- budgets ---- */

static struct str march_budget(struct watch_rig *r, struct str report)
{
    return watch_rig_make(r, DOCS_BUDGET,
                          "{\"name\":\"B\",\"cost_report_token\":\"%s\",\"periods\":[{\"start_at\":\"2026-02-01\","
                          "\"end_at\":\"2026-02-28\",\"amount\":100},{\"start_at\":\"2026-03-01\",\"end_at\":"
                          "\"2026-03-31\",\"amount\":310}]}",
                          report.p);
}

static struct str budget_alert(struct watch_rig *r, struct str budget, int threshold, const char *more)
{
    return watch_rig_make(r, DOCS_BUDGET_ALERT,
                          "{\"budget_tokens\":[\"%s\"],\"threshold\":%d,\"recipient_emails\":[\"t%d@example.com\"]%s}",
                          budget.p, threshold, threshold, more[0] ? more : ",\"duration_in_days\":\"\"");
}

static void of_several_thresholds_only_the_highest_is_said(void **state)
{
    struct watch_rig *r = *state;
    struct str report = make_report(r, "service"), budget = march_budget(r, report);
    budget_alert(r, budget, 25, "");
    budget_alert(r, budget, 50, "");
    budget_alert(r, budget, 90, "");
    bill_days(r, "2026-03-01", "2026-03-17", "gpt-4o, input=10");
    watch_rig_round(r);
    const struct watch_rig_message *m = watch_rig_take(r, "budget_alert");
    assert_string_equal(m->to, "t50@example.com");
    assert_true(contains(m->subject, "$170.00 of $310.00 spent (54%; alert at 50%)"));
    assert_true(contains(m->json, "\"spent\":\"170.00\""));
    watch_rig_round(r);
    watch_rig_reopen(r);
    watch_rig_round(r);
    watch_rig_none(r);
    bill_days(r, "2026-03-18", "2026-03-20", "gpt-4o, input=40");
    watch_rig_round(r);
    assert_string_equal(watch_rig_take(r, "budget_alert")->to, "t90@example.com");
    watch_rig_none(r);
    assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM docs WHERE kind = 9"), 2); /* annotations */
}

static void a_late_bill_is_said_late_and_a_restated_one_is_not_said_again(void **state)
{
    struct watch_rig *r = *state;
    watch_rig_now("2026-02-10T10:00:00Z");
    struct str report = make_report(r, "service"), budget = march_budget(r, report);
    budget_alert(r, budget, 80, "");
    bill_days(r, "2026-02-01", "2026-02-28", "gpt-4o, input=2");
    watch_rig_now("2026-03-02T10:00:00Z");
    watch_rig_round(r);
    watch_rig_none(r);
    bill_days(r, "2026-02-28", "2026-02-28", "gpt-4o, input=40");
    watch_rig_round(r);
    assert_true(contains(watch_rig_take(r, "budget_alert")->text, "2026-02-01 to 2026-02-28"));
    bill_days(r, "2026-02-28", "2026-02-28", "gpt-4o, input=2");
    watch_rig_round(r);
    bill_days(r, "2026-02-28", "2026-02-28", "gpt-4o, input=50");
    watch_rig_round(r);
    watch_rig_none(r);
    budget_alert(r, budget, 90, ""); /* made after February: about March only */
    watch_rig_round(r);
    watch_rig_none(r);
}

static void the_first_and_the_last_days_of_a_month_are_windows(void **state)
{
    struct watch_rig *r = *state;
    watch_rig_now("2026-03-20T10:00:00Z");
    struct str report = make_report(r, "service"), budget = march_budget(r, report);
    budget_alert(r, budget, 40, ",\"duration_in_days\":\"10\",\"period_to_track\":\"start_of_the_month\"");
    budget_alert(r, budget, 60, ",\"duration_in_days\":\"5\",\"period_to_track\":\"end_of_the_month\"");
    bill_days(r, "2026-03-01", "2026-03-20", "gpt-4o, input=10");
    watch_rig_round(r);
    watch_rig_none(r); /* 100 in the first ten days are less than 124; the last five have not begun */
    watch_rig_bill(r, watch_rig_day("2026-03-03"), "gpt-4o, input=40");
    watch_rig_round(r);
    assert_string_equal(watch_rig_take(r, "budget_alert")->to, "t40@example.com");
    watch_rig_now("2026-03-26T10:00:00Z");
    watch_rig_round(r);
    watch_rig_none(r);
    watch_rig_now("2026-03-27T10:00:00Z");
    watch_rig_round(r);
    assert_string_equal(watch_rig_take(r, "budget_alert")->to, "t60@example.com");
    watch_rig_none(r);
}

static void a_parent_budget_is_the_sum_of_its_leaves(void **state)
{
    struct watch_rig *r = *state;
    struct str report = make_report(r, "service");
    struct str other = watch_rig_make(r, DOCS_COST_REPORT,
                                      "{\"title\":\"E\",\"filter\":\"" ALL " AND costs.service = 'Embeddings'\"}");
    struct str a = march_budget(r, report), b = march_budget(r, other);
    struct str parent =
        watch_rig_make(r, DOCS_BUDGET, "{\"name\":\"P\",\"child_budget_tokens\":[\"%s\",\"%s\"]}", a.p, b.p);
    budget_alert(r, parent, 50, "");
    bill_days(r, "2026-03-01", "2026-03-20", "gpt-4o, input=8;text-embedding-3-small, input=4");
    watch_rig_round(r);
    assert_true(contains(watch_rig_take(r, "budget_alert")->subject, "$320.00 of $620.00"));
    watch_rig_none(r);
}

/* 19 days at 10 are 190; twelve more foreseen make 310. */
static void what_is_foreseen_has_alerts_of_its_own(void **state)
{
    struct watch_rig *r = *state;
    struct str report = make_report(r, "service"), budget = march_budget(r, report);
    budget_alert(r, budget, 95, ",\"duration_in_days\":\"\",\"basis\":\"forecast\"");
    budget_alert(r, budget, 105, ",\"duration_in_days\":\"\",\"basis\":\"forecast\"");
    budget_alert(r, budget, 50, "");
    bill_days(r, "2026-02-01", "2026-03-19", "gpt-4o, input=10");
    watch_rig_round(r);
    const struct watch_rig_message *m = watch_rig_take(r, "budget_alert");
    assert_string_equal(m->to, "t50@example.com");
    m = watch_rig_take(r, "budget_alert");
    assert_string_equal(m->to, "t95@example.com");
    assert_true(contains(m->subject, "$310.00 of $310.00 foreseen (100%; alert at 95%)"));
    assert_true(contains(m->json, "\"basis\":\"forecast\",\"forecast\":\"310.00\""));
    watch_rig_round(r);
    watch_rig_none(r);
}

/* ---- cost alerts ---- */

static struct str cost_alert(struct watch_rig *r, struct str report, const char *interval, const char *more)
{
    return watch_rig_make(r, DOCS_COST_ALERT,
                          "{\"title\":\"A\",\"interval\":\"%s\",\"report_tokens\":[\"%s\"],"
                          "\"email_recipients\":[\"a@example.com\"],%s}",
                          interval, report.p, more);
}

static void weeks_go_from_sunday_to_saturday(void **state)
{
    struct watch_rig *r = *state;
    struct str report = make_report(r, "service");
    /* 2026-03-08 is a Sunday. Weeks from Monday would have seen no change. */
    bill_days(r, "2026-03-01", "2026-03-07", "gpt-4o, input=10");
    bill_days(r, "2026-03-08", "2026-03-08", "gpt-4o, input=500");
    bill_days(r, "2026-03-09", "2026-03-14", "gpt-4o, input=10");
    watch_rig_now("2026-03-15T10:00:00Z");
    cost_alert(r, report, "week", "\"threshold\":490,\"unit_type\":\"currency\"");
    watch_rig_round(r);
    const struct watch_rig_message *m = watch_rig_take(r, "cost_alert");
    assert_true(contains(m->subject, "Week over week costs for Chat and Completions increased by $490.00."));
    assert_true(contains(m->text, "2026-03-08 to 2026-03-14"));
    watch_rig_round(r);
    watch_rig_none(r);
    assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM alert_events WHERE change = '490.00'"), 1);
    assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM alert_events"), 1);
}

static void a_new_group_is_told_of_in_dollars_only(void **state)
{
    struct watch_rig *r = *state;
    struct str report = make_report(r, "service");
    cost_alert(r, report, "day", "\"threshold\":10,\"unit_type\":\"percentage\"");
    bill_days(r, "2026-03-17", "2026-03-18", "gpt-4o, input=10");
    watch_rig_bill(r, watch_rig_day("2026-03-19"), "gpt-4o, input=10;text-embedding-3-small, input=30");
    watch_rig_round(r);
    watch_rig_none(r);
    cost_alert(r, report, "day", "\"threshold\":25,\"unit_type\":\"currency\"");
    watch_rig_round(r);
    assert_true(contains(watch_rig_take(r, "cost_alert")->text, "Embeddings: $30.00, was $0.00 (new)"));
    watch_rig_none(r);
}

static void a_percentage_has_a_least_amount(void **state)
{
    struct watch_rig *r = *state;
    struct str report = make_report(r, "service");
    cost_alert(r, report, "day", "\"threshold\":50,\"unit_type\":\"percentage\",\"minimum_threshold\":20");
    watch_rig_bill(r, watch_rig_day("2026-03-18"), "gpt-4o, input=10;text-embedding-3-small, input=100");
    watch_rig_bill(r, watch_rig_day("2026-03-19"), "gpt-4o, input=29.99;text-embedding-3-small, input=149.99");
    watch_rig_round(r);
    watch_rig_none(r);
    watch_rig_bill(r, watch_rig_day("2026-03-19"), "gpt-4o, input=30;text-embedding-3-small, input=150");
    watch_rig_round(r);
    const struct watch_rig_message *m = watch_rig_take(r, "cost_alert"); /* both in one message, the bigger first */
    assert_true(
        contains(m->text, "Embeddings: $150.00, was $100.00 (+50%)\nChat and Completions: $30.00, was $10.00 (+200%)"));
    watch_rig_none(r);
    assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM alert_events"), 2);
}

static void ungrouped_reports_are_told_apart_by_provider_and_service(void **state)
{
    struct watch_rig *r = *state;
    struct str report = watch_rig_make(r, DOCS_COST_REPORT, "{\"title\":\"R\",\"filter\":\"" ALL "\"}");
    cost_alert(r, report, "month", "\"threshold\":50,\"unit_type\":\"currency\"");
    bill_days(r, "2026-02-10", "2026-02-10", "gpt-4o, input=10");
    bill_days(r, "2026-03-10", "2026-03-10", "gpt-4o, input=70");
    watch_rig_round(r);
    watch_rig_take(r, "cost_alert");
    assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM alert_events WHERE groupings = "
                                         "'[\"open_ai\",\"Chat and Completions\"]' AND change = '60.00'"),
                     1);
    watch_rig_none(r);
}

static void a_fall_waits_for_the_final_bill_and_a_quarter_is_three_months(void **state)
{
    struct watch_rig *r = *state;
    struct str report = make_report(r, "service");
    bill_days(r, "2025-11-01", "2025-11-01", "gpt-4o, input=900");
    bill_days(r, "2026-02-01", "2026-02-01", "gpt-4o, input=100");
    cost_alert(r, report, "quarter", "\"threshold\":-50,\"unit_type\":\"percentage\"");
    watch_rig_now("2026-04-02T10:00:00Z");
    watch_rig_round(r);
    watch_rig_none(r);
    watch_rig_now("2026-04-04T10:00:00Z");
    watch_rig_round(r);
    assert_true(contains(watch_rig_take(r, "cost_alert")->subject, "decreased by $800.00"));
    watch_rig_none(r);
}

static void a_late_day_is_said_once_however_often_it_is_restated(void **state)
{
    struct watch_rig *r = *state;
    struct str report = make_report(r, "service");
    watch_rig_now("2026-03-10T10:00:00Z");
    cost_alert(r, report, "day", "\"threshold\":100,\"unit_type\":\"currency\"");
    bill_days(r, "2026-03-10", "2026-03-19", "gpt-4o, input=10");
    watch_rig_now("2026-03-20T10:00:00Z");
    watch_rig_round(r);
    watch_rig_none(r);
    for (unsigned n = 0; n < 3; n++) {
        watch_rig_bill(r, watch_rig_day("2026-03-15"), n % 2 ? "gpt-4o, input=10" : "gpt-4o, input=150");
        watch_rig_round(r);
    }
    assert_true(contains(watch_rig_take(r, "cost_alert")->text, "2026-03-15"));
    watch_rig_none(r);
}

/*
 * Bills restated at random over three weeks of days that pass, with restarts: an event for each rise that was there at
 * the time of some round, found by other means, and none else.
 */
static void every_rise_that_was_there_is_one_event(void **state)
{
    static const char *const items[3] = {"gpt-4o, input", "text-embedding-3-small, input", "whisper-1, seconds"};
    enum { DAYS = 40, RISE = 30, LOOKED_AT = 7 };
    struct watch_rig *r = *state;
    unsigned cost[DAYS][3] = {{0}}, seed = 12345, wanted = 0;
    bool ever[DAYS][3] = {{false}};
    int64_t first = watch_rig_day("2026-03-01"), made = 10;
    struct str report = make_report(r, "service");
    for (int64_t today = made; today < 31; today++) {
        char time[40], date[BILL_DAY_TEXT_MAX];
        bill_day_format(first + today, date);
        snprintf(time, sizeof time, "%sT10:00:00Z", date);
        watch_rig_now(time);
        if (today == made)
            cost_alert(r, report, "day", "\"threshold\":30,\"unit_type\":\"currency\"");
        for (unsigned step = 0; step < 4; step++) {
            char rows[200];
            seed = seed * 1103515245 + 12345;
            int64_t day = today - (seed >> 16) % 10;
            for (unsigned i = 0; i < 3; i++) {
                seed = seed * 1103515245 + 12345;
                cost[day][i] = (seed >> 16) % 50;
            }
            snprintf(rows, sizeof rows, "%s=%u;%s=%u;%s=%u", items[0], cost[day][0], items[1], cost[day][1], items[2],
                     cost[day][2]);
            watch_rig_bill(r, first + day, rows);
            if (step == 2)
                watch_rig_reopen(r);
            watch_rig_round(r);
            for (int64_t d = today - LOOKED_AT; d <= today; d++)
                for (unsigned i = 0; i < 3; i++)
                    if ((d >= today - 1 || d >= made) && d > 0 && cost[d][i] >= cost[d - 1][i] + RISE && !ever[d][i]) {
                        ever[d][i] = true;
                        wanted++;
                    }
            r->count = 0; /* messages are not what is counted here */
        }
    }
    print_message("%u rises\n", wanted);
    assert_true(wanted > 20);
    assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM alert_events"), wanted);
}

/* ---- anomalies ---- */

static void five_weeks(struct watch_rig *r, const char *until)
{
    int64_t last = watch_rig_day(until);
    for (int64_t day = last - 41; day <= last; day++) {
        char rows[200];
        bool weekend = (day + 3) % 7 >= 5;
        snprintf(rows, sizeof rows, "gpt-4o, input=%lld@key_a;gpt-4o, output=%d@key_b",
                 (long long)((weekend ? 10 : 40) + day % 3), weekend ? 5 : 20);
        watch_rig_bill(r, day, rows);
    }
}

static void a_spike_is_one_anomaly_and_archived_after_seven_days(void **state)
{
    struct watch_rig *r = *state;
    struct anomaly *found;
    size_t count;
    uint64_t total;
    struct anomaly_query all = {.limit = 10};
    struct str report = make_report(r, "account_id");
    watch_rig_make(r, DOCS_ANOMALY_NOTIFICATION,
                   "{\"cost_report_token\":\"%s\",\"threshold\":100,\"recipient_emails\":[\"n@example.com\"]}",
                   report.p);
    watch_rig_make(r, DOCS_ANOMALY_NOTIFICATION,
                   "{\"cost_report_token\":\"%s\",\"threshold\":1000,\"recipient_emails\":[\"no@example.com\"]}",
                   report.p);
    five_weeks(r, "2026-03-19");
    watch_rig_round(r);
    watch_rig_none(r);
    watch_rig_bill(r, watch_rig_day("2026-03-20"), "gpt-4o, input=280@key_a;gpt-4o, output=20@key_b");
    watch_rig_round(r);
    const struct watch_rig_message *m = watch_rig_take(r, "anomaly_summary");
    assert_string_equal(m->to, "n@example.com");
    assert_true(contains(m->text, "mostly by the key key_a"));
    all.report = report;
    assert_int_equal(anomaly_list(r->docs, &all, r->arena, &found, &count, &total), ERR_OK);
    assert_int_equal(count, 1);
    /* 13, 14, 17, 18, 19 March on weekdays, 14 and 15 on the weekend: Fri 13 to Thu 19. */
    money_sum sum = 0;
    for (int64_t day = watch_rig_day("2026-03-13"); day <= watch_rig_day("2026-03-19"); day++)
        sum += ((day + 3) % 7 >= 5 ? 15 : 60) + day % 3;
    char text[MONEY_TEXT_MAX];
    size_t n = money_format((2 * sum * MONEY_PUSD_PER_USD + 7) / 14, text);
    assert_memory_equal(found[0].average.p, text, n < 8 ? n : 8);
    assert_string_equal(found[0].amount.p, "300.0");
    assert_string_equal(found[0].status.p, "active");
    assert_true(found[0].alerted_us > 0);
    /* The next day goes on: the same anomaly, no message. */
    watch_rig_bill(r, watch_rig_day("2026-03-21"), "gpt-4o, input=280@key_a");
    watch_rig_now("2026-03-21T12:00:00Z");
    watch_rig_round(r);
    watch_rig_none(r);
    assert_int_equal(watch_rig_number(r, "SELECT last_day - first_day FROM anomalies"), 1);
    watch_rig_now("2026-03-27T09:00:00Z");
    watch_rig_round(r);
    assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM anomalies WHERE status = 'active'"), 2);
    watch_rig_now("2026-03-27T11:00:00Z");
    watch_rig_round(r);
    assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM anomalies WHERE status = 'archived'"), 2);
    watch_rig_none(r);
}

static void one_summary_a_day(void **state)
{
    struct watch_rig *r = *state;
    struct str report = make_report(r, "account_id");
    watch_rig_make(r, DOCS_ANOMALY_NOTIFICATION,
                   "{\"cost_report_token\":\"%s\",\"recipient_emails\":[\"n@example.com\"]}", report.p);
    for (int64_t day = watch_rig_day("2026-02-01"); day < watch_rig_day("2026-03-20"); day++)
        watch_rig_bill(r, day, "gpt-4o, input=20;text-embedding-3-small, input=20");
    watch_rig_bill(r, watch_rig_day("2026-03-20"), "gpt-4o, input=200;text-embedding-3-small, input=20");
    watch_rig_round(r);
    assert_true(contains(watch_rig_take(r, "anomaly_summary")->subject, "1 unusual cost in R"));
    watch_rig_bill(r, watch_rig_day("2026-03-20"), "gpt-4o, input=200;text-embedding-3-small, input=200");
    watch_rig_round(r);
    watch_rig_none(r); /* not twice on one day */
    watch_rig_now("2026-03-21T00:30:00Z");
    watch_rig_round(r);
    assert_true(contains(watch_rig_take(r, "anomaly_summary")->text, "Embeddings"));
    watch_rig_none(r);
}

/* ---- report notifications ---- */

static void notifications_come_by_the_calendar(void **state)
{
    struct watch_rig *r = *state;
    struct str report = make_report(r, "service");
    watch_rig_now("2026-01-15T10:00:00Z");
    for (unsigned i = 0; i < 3; i++) {
        static const char *const frequencies[] = {"daily", "weekly", "monthly"};
        watch_rig_make(r, DOCS_REPORT_NOTIFICATION,
                       "{\"title\":\"%s\",\"cost_report_token\":\"%s\",\"frequency\":\"%s\",\"change\":\"%s\","
                       "\"recipient_emails\":[\"%s@example.com\"]}",
                       frequencies[i], report.p, frequencies[i], i ? "percentage" : "dollars", frequencies[i]);
    }
    bill_days(r, "2025-12-01", "2025-12-31", "gpt-4o, input=1");
    bill_days(r, "2026-01-01", "2026-02-28", "gpt-4o, input=2;text-embedding-3-small, input=1");
    unsigned daily = 0, weekly = 0, monthly = 0;
    for (int64_t day = watch_rig_day("2026-01-16"); day < watch_rig_day("2026-03-01"); day++) {
        char text[BILL_DAY_TEXT_MAX], at[64];
        bill_day_format(day, text);
        snprintf(at, sizeof at, "%sT07:59:59Z", text);
        watch_rig_now(at);
        watch_rig_round(r);
        watch_rig_none(r);
        snprintf(at, sizeof at, "%sT10:00:00Z", text);
        watch_rig_now(at);
        watch_rig_round(r);
        watch_rig_round(r);
        const struct watch_rig_message *m = watch_rig_take(r, "report_notification");
        assert_string_equal(m->to, "daily@example.com");
        daily++;
        if ((day + 3) % 7 == 0) {
            m = watch_rig_take(r, "report_notification");
            assert_string_equal(m->to, "weekly@example.com");
            assert_true(contains(m->text, "Total: $21.00"));
            weekly++;
        }
        if (str_ends(str_c(text), STR("-02"))) {
            m = watch_rig_take(r, "report_notification");
            assert_string_equal(m->to, "monthly@example.com");
            assert_string_equal(text, "2026-02-02");
            assert_true(contains(m->text, "2026-01-01 to 2026-01-31"));
            assert_true(contains(m->text, "Total: $93.00 (+200%), before: $31.00"));
            assert_true(contains(m->text, "\nChat and Completions: $62.00 (+100%)\nEmbeddings: $31.00 (new)\n"));
            monthly++;
        }
        watch_rig_none(r);
    }
    assert_int_equal(daily, 44);
    assert_int_equal(weekly, 6);
    assert_int_equal(monthly, 1);
}

static void what_was_missed_is_made_up_for_but_not_for_ever(void **state)
{
    struct watch_rig *r = *state;
    struct str report = make_report(r, "service");
    watch_rig_make(r, DOCS_REPORT_NOTIFICATION,
                   "{\"title\":\"W\",\"cost_report_token\":\"%s\",\"frequency\":\"weekly\",\"change\":\"dollars\","
                   "\"recipient_emails\":[\"w@example.com\"]}",
                   report.p);
    watch_rig_now("2026-03-25T08:00:00Z"); /* three days after Monday's eight o'clock are over in an hour */
    watch_rig_now("2026-03-26T08:00:00Z");
    watch_rig_round(r);
    watch_rig_none(r);
    watch_rig_now("2026-04-01T07:59:00Z");
    watch_rig_round(r);
    assert_true(contains(watch_rig_take(r, "report_notification")->text, "2026-03-23 to 2026-03-29"));
    watch_rig_none(r);
}

static void a_notification_waits_for_the_bill_but_not_long(void **state)
{
    struct watch_rig *r = *state;
    struct bill_account a;
    struct str report = make_report(r, "service");
    watch_rig_make(r, DOCS_REPORT_NOTIFICATION,
                   "{\"title\":\"D\",\"cost_report_token\":\"%s\",\"frequency\":\"daily\",\"change\":\"dollars\","
                   "\"recipient_emails\":[\"d@example.com\"]}",
                   report.p);
    watch_rig_now("2026-03-21T08:05:00Z");
    watch_rig_round(r);
    watch_rig_none(r);
    assert_int_equal(bill_account_find(bill_db(r->bill), 3, r->arena, &a), ERR_OK);
    a.success_us = (watch_rig_day("2026-03-21") * 86400 + 8 * 3600 + 60) * INT64_C(1000000);
    assert_int_equal(bill_account_set(r->bill, &a), ERR_OK);
    watch_rig_round(r);
    watch_rig_take(r, "report_notification");
    watch_rig_now("2026-03-22T09:29:00Z");
    watch_rig_round(r);
    watch_rig_none(r);
    watch_rig_now("2026-03-22T09:30:00Z");
    watch_rig_round(r);
    watch_rig_take(r, "report_notification");
    watch_rig_none(r);
}

/* ---- once ---- */

static void an_outbox_that_is_full_gets_it_later(void **state)
{
    struct watch_rig *r = *state;
    struct str report = make_report(r, "service"), budget = march_budget(r, report);
    budget_alert(r, budget, 50, "");
    bill_days(r, "2026-03-01", "2026-03-20", "gpt-4o, input=10");
    r->answer = ERR_OVERLOADED;
    assert_int_not_equal(watch_round(r->watch, true), ERR_OK);
    watch_rig_none(r);
    r->answer = ERR_OK;
    watch_rig_reopen(r);
    watch_rig_round(r);
    watch_rig_take(r, "budget_alert");
    watch_rig_none(r);
    assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM docs WHERE kind = 9"), 1);
}

/* More than a page and more than a turn takes; each is said once. */
static void many_alerts_take_several_turns(void **state)
{
    struct watch_rig *r = *state;
    struct watch_counts before, after;
    struct str report = make_report(r, "service");
    enum { MANY = WATCH_DOCS_MAX + PAGE_AND_MORE };
    for (int i = 0; i < MANY; i++)
        cost_alert(r, report, "quarter",
                   i % 100 == 99 ? "\"threshold\":100,\"unit_type\":\"currency\""
                                 : "\"threshold\":100000,\"unit_type\":\"currency\"");
    watch_rig_bill(r, watch_rig_day("2026-03-19"), "gpt-4o, input=300");
    watch_count(r->watch, &before);
    watch_rig_round(r);
    watch_count(r->watch, &after);
    assert_int_equal(after.turns - before.turns, 2);
    assert_int_equal(after.fired - before.fired, MANY / 100);
    for (int i = 0; i < MANY / 100; i++)
        watch_rig_take(r, "cost_alert");
    watch_rig_none(r);
    watch_rig_round(r);
    watch_rig_none(r);
}

static void what_goes_takes_its_events_along(void **state)
{
    struct watch_rig *r = *state;
    struct doc doc;
    struct str report = make_report(r, "service");
    cost_alert(r, report, "day", "\"threshold\":100,\"unit_type\":\"currency\"");
    five_weeks(r, "2026-03-18");
    watch_rig_bill(r, watch_rig_day("2026-03-19"), "gpt-4o, input=500");
    watch_rig_round(r);
    watch_rig_take(r, "cost_alert");
    assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM anomalies"), 2); /* also in All Resources */
    assert_int_equal(docs_find(r->docs, DOCS_COST_REPORT, report, r->arena, &doc), ERR_OK);
    assert_int_equal(docs_remove(r->docs, &doc), ERR_OK);
    watch_rig_round(r);
    assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM anomalies"), 1);
}

/* In the forked process: one round; ids of what the outbox has taken go to the log. */
static int round_once(struct watch_rig *r, struct file_faults *f)
{
    struct watch_rig *own = mem_zalloc(sizeof *own);
    char why[WATCH_WHY_MAX];
    (void)why;
    *own = *r;
    watch_rig_reopen(own);
    file_set_faults(f);
    enum err e = watch_round(own->watch, true);
    file_set_faults(NULL);
    return e != ERR_OK;
}

static size_t lines_of(const char *path, size_t *ret_different)
{
    static char ids[4096][NOTIFY_ID_MAX];
    char line[NOTIFY_ID_MAX + 2];
    size_t count = 0;
    *ret_different = 0;
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        bool known = false;
        for (size_t i = 0; i < *ret_different && !known; i++)
            known = strcmp(ids[i], line) == 0;
        if (!known) {
            assert_true(*ret_different < 4096);
            str_copy(ids[(*ret_different)++], NOTIFY_ID_MAX, str_c(line));
        }
        count++;
    }
    fclose(f);
    return count;
}

/* Whatever is cut off where: after the next round there is one budget alert, one cost alert, one annotation each. */
static void killed_at_any_file_call_nothing_is_lost_or_doubled(void **state)
{
    struct watch_rig *r = *state;
    struct file_faults *f = mmap(NULL, sizeof *f, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = -1;
    char path[128];
    uint64_t at = 1, kills = 0;
    assert_true(f != MAP_FAILED);
    struct str report = make_report(r, "service"), budget = march_budget(r, report);
    budget_alert(r, budget, 50, "");
    cost_alert(r, report, "day", "\"threshold\":100,\"unit_type\":\"currency\"");
    bill_days(r, "2026-03-01", "2026-03-19", "gpt-4o, input=10");
    watch_rig_bill(r, watch_rig_day("2026-03-20"), "gpt-4o, input=300");
    for (; at < CALLS_MAX && status != 0; at++) {
        size_t different;
        assert_int_equal(store_exec(docs_db(r->docs), "DELETE FROM alert_fired; DELETE FROM alert_events; DELETE FROM "
                                                      "anomalies; DELETE FROM docs WHERE kind = 9"),
                         ERR_OK);
        snprintf(path, sizeof path, "%s/sent", r->dir);
        unlink(path);
        r->log = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
        r->count = 0;
        *f = (struct file_faults){
            .calls = FILE_CALL_BIT(FILE_WRITE) | FILE_CALL_BIT(FILE_SYNC), .kind = FILE_FAULT_KILL, .at = at};
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            store_use_file_calls();
            _exit(round_once(r, f));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
        kills += status != 0;
        watch_rig_reopen(r);
        watch_rig_round(r);
        watch_rig_round(r);
        close(r->log);
        size_t lines = lines_of(path, &different);
        assert_int_equal(different, 2);
        assert_true(lines >= 2); /* the outbox may hear of one twice, with the same id */
        assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM alert_events"), 1);
        assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM docs WHERE kind = 9"), 2);
        assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM alert_fired WHERE open"), 0);
    }
    munmap(f, sizeof *f);
    r->log = -1;
    assert_int_equal(status, 0);
    assert_true(kills > 5);
    print_message("killed at each of %llu file calls\n", (unsigned long long)kills);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(of_several_thresholds_only_the_highest_is_said),
        CASE(a_late_bill_is_said_late_and_a_restated_one_is_not_said_again),
        CASE(the_first_and_the_last_days_of_a_month_are_windows),
        CASE(a_parent_budget_is_the_sum_of_its_leaves),
        CASE(what_is_foreseen_has_alerts_of_its_own),
        CASE(weeks_go_from_sunday_to_saturday),
        CASE(a_new_group_is_told_of_in_dollars_only),
        CASE(a_percentage_has_a_least_amount),
        CASE(ungrouped_reports_are_told_apart_by_provider_and_service),
        CASE(a_fall_waits_for_the_final_bill_and_a_quarter_is_three_months),
        CASE(a_late_day_is_said_once_however_often_it_is_restated),
        CASE(every_rise_that_was_there_is_one_event),
        CASE(a_spike_is_one_anomaly_and_archived_after_seven_days),
        CASE(one_summary_a_day),
        CASE(notifications_come_by_the_calendar),
        CASE(what_was_missed_is_made_up_for_but_not_for_ever),
        CASE(a_notification_waits_for_the_bill_but_not_long),
        CASE(an_outbox_that_is_full_gets_it_later),
        CASE(many_alerts_take_several_turns),
        CASE(what_goes_takes_its_events_along),
        CASE(killed_at_any_file_call_nothing_is_lost_or_doubled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
