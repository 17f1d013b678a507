/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts of many: what fails, is full, is long or is nobody's business keeps no other alert waiting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ledger/ledger.h"
#include "ledger_fixture.h"
#include "report/bill/bill_upload.h"
#include "watch_rig.h"

#define ALL "costs.provider = 'open_ai'"
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

static struct str cost_alert(struct watch_rig *r, struct str report, const char *interval, const char *more)
{
    return watch_rig_make(r, DOCS_COST_ALERT,
                          "{\"title\":\"A\",\"interval\":\"%s\",\"report_tokens\":[\"%s\"],"
                          "\"email_recipients\":[\"a@example.com\"],%s}",
                          interval, report.p, more);
}

/* More of them than one look takes, all below the threshold: what comes behind them is told of. */
static void summaries_get_past_what_nobody_wants(void **state)
{
    struct watch_rig *r = *state;
    struct str report = make_report(r, "account_id");
    char sql[2048];
    watch_rig_make(r, DOCS_ANOMALY_NOTIFICATION,
                   "{\"cost_report_token\":\"%s\",\"threshold\":50,\"recipient_emails\":[\"n@example.com\"]}",
                   report.p);
    snprintf(
        sql, sizeof sql,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250) INSERT INTO anomalies (token,"
        " workspace, report, provider, service, category, first_day, last_day, created_us, alerted_us, amount, previous,"
        " average, expected, status, feedback, resource, resource_name) SELECT 'anmly_' || i, 7, '%s', 'open_ai', 'S', i, 20532, 20532,"
        " %lld, %lld, iif(i = 250, '300', '30'), '20', '20', '20', 'active', '', '', '' FROM n",
        report.p, (long long)clock_wall_us(), (long long)clock_wall_us());
    if (store_exec(docs_db(r->docs), sql) != ERR_OK)
        fail_msg("%s", store_reason(docs_db(r->docs)));
    watch_rig_round(r);
    watch_rig_round(r);
    assert_true(strstr(watch_rig_take(r, "anomaly_summary")->subject, "1 unusual cost in R") != NULL);
    watch_rig_round(r);
    watch_rig_none(r);
}

/* One request each to `count` models without a price. */
static void call_unpriced(struct watch_rig *r, int64_t workspace, unsigned count)
{
    char why[LEDGER_WHY_MAX], model[32];
    const struct ledger_options o = {.dir = r->dir, .workers = 1, .drain_ms = 5};
    struct fixture_record *f = mem_alloc(sizeof *f);
    struct record_ids ids = {0};
    struct ledger *ledger;
    int64_t at = clock_wall_us() - 3600000000;
    clock_set_source(NULL);
    if (ledger_open(&o, &ledger, why) != ERR_OK)
        fail_msg("%s", why);
    for (unsigned i = 0; i < count; i++) {
        fixture_record(f, 7, (unsigned)workspace, record_ids_next(&ids, at + workspace), false);
        snprintf(model, sizeof model, "made-up-%u", i);
        f->r.started_us = at;
        f->r.request_id = f->r.id;
        f->r.workspace_id = workspace;
        f->r.model_asked = f->r.model_answered = str_c(model);
        f->r.cost = (struct cost){.state = COST_UNPRICED, .reason = COST_REASON_MODEL, .meter = METER_INPUT};
        journal_add(ledger_journal(ledger, 0), &f->r);
        assert_int_equal(journal_flush(ledger_journal(ledger, 0)), ERR_OK);
    }
    assert_int_equal(ledger_flush(ledger, 60000), ERR_OK);
    ledger_close(ledger, 60000);
    mem_free(f);
    watch_rig_now("2026-03-20T10:00:00Z");
}

static void one_workspace_keeps_no_other_from_hearing_of_models(void **state)
{
    struct watch_rig *r = *state;
    call_unpriced(r, WATCH_RIG_PLACE, 30);
    call_unpriced(r, WATCH_RIG_PLACE + 1, 1);
    watch_rig_round(r);
    assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM alert_fired WHERE workspace = 7"), 20);
    assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM alert_fired WHERE workspace = 8"), 1);
    watch_rig_round(r);
    watch_rig_round(r);
    for (int i = 0; i < 31; i++)
        watch_rig_take(r, "unpriced_model");
    watch_rig_none(r);
}

static void what_the_outbox_has_no_room_for_reaches_admins_later_too(void **state)
{
    struct watch_rig *r = *state;
    assert_int_equal(
        store_exec(docs_db(r->docs),
                   "INSERT INTO alert_fired (kind, key, workspace, at_us, open, message) VALUES ('unpriced_model',"
                   " 'k', 7, 1, 1, '{\"subject\":\"S\",\"text\":\"T\",\"json\":{},\"admins\":true,"
                   "\"to\":[]}')"),
        ERR_OK);
    r->answer = ERR_OVERLOADED;
    assert_int_not_equal(watch_round(r->watch, true), ERR_OK);
    assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM alert_fired WHERE open"), 1);
    r->answer = ERR_OK;
    watch_rig_round(r);
    assert_string_equal(watch_rig_take(r, "unpriced_model")->subject, "S");
    assert_int_equal(watch_rig_number(r, "SELECT count(*) FROM alert_fired WHERE open"), 0);
}

/* Quoted, with a comma, or what is between two lists; returns how long that is. */
static size_t add_channel(char *out, int number, int each, int length)
{
    const char *between = number == each ? "],\"teams_channels\":[" : number ? "," : "";
    int n = snprintf(out, 64, "%s\"https://%d.example/", between, number);
    memset(out + n, 'x', (size_t)length);
    n += length;
    out[n++] = '"';
    return (size_t)n;
}

/* As many and as long ones as fit into a resource. */
static void long_lists_of_channels_are_told(void **state)
{
    enum { EACH = 65, LENGTH = 1984 };
    struct watch_rig *r = *state;
    struct str report = make_report(r, "service");
    char *names = mem_alloc(2 * EACH * (LENGTH + 64)), *at = names;
    for (int i = 0; i < 2 * EACH; i++)
        at += add_channel(at, i, EACH, LENGTH);
    *at = '\0';
    watch_rig_make(r, DOCS_COST_ALERT,
                   "{\"title\":\"A\",\"interval\":\"day\",\"threshold\":100,\"unit_type\":\"currency\","
                   "\"report_tokens\":[\"%s\"],\"slack_channels\":[%s]}",
                   report.p, names);
    mem_free(names);
    bill_days(r, "2026-03-18", "2026-03-18", "gpt-4o, input=10");
    bill_days(r, "2026-03-19", "2026-03-19", "gpt-4o, input=300");
    watch_rig_round(r);
    for (int i = 0; i < 2 * EACH; i++)
        watch_rig_take(r, "cost_alert");
    watch_rig_none(r);
}

static void what_fails_does_not_keep_others_waiting(void **state)
{
    struct watch_rig *r = *state;
    struct watch_counts before, after;
    struct str report = make_report(r, "service");
    for (int i = 0; i < WATCH_DOCS_MAX + PAGE_AND_MORE; i++)
        cost_alert(r, report, "quarter", "\"threshold\":100,\"unit_type\":\"currency\"");
    watch_rig_bill(r, watch_rig_day("2026-03-19"), "gpt-4o, input=300");
    r->answer = ERR_OVERLOADED;
    watch_count(r->watch, &before);
    assert_int_not_equal(watch_round(r->watch, true), ERR_OK);
    watch_count(r->watch, &after);
    assert_int_equal(after.fired - before.fired, WATCH_DOCS_MAX + PAGE_AND_MORE);
}

/* The bill was refreshed after eight; a file that came weeks ago will not be. */
static void files_are_not_waited_for(void **state)
{
    struct watch_rig *r = *state;
    struct bill_account a;
    int64_t files;
    struct str report = make_report(r, "service");
    assert_int_equal(bill_files_create(r->bill, WATCH_RIG_PLACE, STR("Acme"), STR(""), 1, &files), ERR_OK);
    watch_rig_make(r, DOCS_REPORT_NOTIFICATION,
                   "{\"title\":\"D\",\"cost_report_token\":\"%s\",\"frequency\":\"daily\",\"change\":\"dollars\","
                   "\"recipient_emails\":[\"d@example.com\"]}",
                   report.p);
    watch_rig_now("2026-03-21T08:05:00Z");
    assert_int_equal(bill_account_find(bill_db(r->bill), 3, r->arena, &a), ERR_OK);
    a.success_us = clock_wall_us();
    assert_int_equal(bill_account_set(r->bill, &a), ERR_OK);
    watch_rig_round(r);
    watch_rig_take(r, "report_notification");
    watch_rig_none(r);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(summaries_get_past_what_nobody_wants),
        CASE(one_workspace_keeps_no_other_from_hearing_of_models),
        CASE(what_the_outbox_has_no_room_for_reaches_admins_later_too),
        CASE(long_lists_of_channels_are_told),
        CASE(files_are_not_waited_for),
        CASE(what_fails_does_not_keep_others_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
