/* SPDX-License-Identifier: Apache-2.0 */
/* What grants hide from whom, and that every change of a report resource reaches the audit log once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/clock.h"
#include "control/people/actor.h"
#include "control/people/audit.h"
#include "control_bench.h"
#include "report/docs/docs_audit.h"
#include "report/docs/docs_values.h"
#include "report/docs/docs_view.h"
#include "report/question/question.h"
#include "report/watch/anomaly_store.h"

#define PLACE 1

struct rig {
    struct bench *bench;
    struct control *control;
    struct docs *docs;
    struct arena *arena;
};

static struct rig open_rig(void **state)
{
    struct rig r = {.bench = *state};
    char why[300] = "";
    r.control = bench_open(r.bench, NULL);
    r.arena = r.bench->arena;
    assert_int_equal(docs_open(r.bench->dir, &r.docs, why, sizeof why), ERR_OK);
    return r;
}

static void close_rig(struct rig *r)
{
    char path[128];
    static const char *const names[] = {DOCS_FILE, DOCS_FILE "-wal", DOCS_FILE "-shm"};
    docs_close(r->docs);
    control_close(r->control);
    for (int i = 0; i < 3; i++) {
        bench_path(r->bench, names[i], path);
        (void)remove(path);
    }
}

static struct doc make(struct rig *r, enum docs_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static struct doc make(struct rig *r, enum docs_kind kind, const char *format, ...)
{
    char json[600];
    struct jdoc given;
    struct doc doc;
    const struct docs_new what = {.kind = kind, .workspace = PLACE};
    va_list args;
    va_start(args, format);
    vsnprintf(json, sizeof json, format, args);
    va_end(args);
    jdoc_init(&given);
    assert_true(jdoc_parse(&given, str_c(json)));
    if (docs_create(r->docs, &what, jdoc_root(&given), r->arena, &doc) != ERR_OK)
        fail_msg("%s: %s", json, docs_reason(r->docs));
    jdoc_free(&given);
    return doc;
}

static enum err change(struct rig *r, struct doc *doc, const char *json)
{
    struct jdoc given;
    jdoc_init(&given);
    assert_true(jdoc_parse(&given, str_c(json)));
    enum err e = docs_update(r->docs, doc, jdoc_root(&given), r->arena, doc);
    jdoc_free(&given);
    return e;
}

static void grant(struct rig *r, const struct doc *resource, const char *team, const char *access)
{
    (void)make(r, DOCS_ACCESS_GRANT, "{\"resource_token\":\"%s\",\"team_token\":\"%s\",\"access\":\"%s\"}",
               resource->token.p, team, access);
}

/* As somebody of these teams; "" = everybody's friend. */
static void look_as(struct rig *r, const char *first, const char *second)
{
    const struct str teams[] = {str_c(first), str_c(second)};
    const struct docs_viewer v = {.teams = teams, .team_count = 2};
    assert_int_equal(docs_view(r->docs, first[0] ? &v : NULL), ERR_OK);
}

static bool seen(struct rig *r, const struct doc *doc)
{
    struct doc again;
    struct doc *rows;
    size_t count;
    uint64_t total;
    bool listed = false;
    bool found = docs_find(r->docs, doc->kind, doc->token, r->arena, &again) == ERR_OK;
    const struct docs_query q = {.kind = doc->kind, .limit = 100};
    assert_int_equal(docs_list(r->docs, &q, r->arena, &rows, &count, &total), ERR_OK);
    for (size_t i = 0; i < count; i++)
        listed = listed || str_eq(rows[i].token, doc->token);
    assert_int_equal(total, count);
    assert_int_equal(found, listed);
    assert_int_equal(found, docs_view_sees(r->docs, doc->id));
    assert_int_equal(found, !docs_view_hides(r->docs, doc->token));
    assert_int_equal(docs_find_any(r->docs, doc->kind, doc->token, r->arena, &again), ERR_OK);
    return found;
}

static const char *segment_names(struct rig *r, char out[200])
{
    char why[QUESTION_WHY_MAX];
    struct question *q;
    size_t n = 0;
    assert_int_equal(question_new(r->docs, PLACE, r->arena, &q, why), ERR_OK);
    assert_int_equal(question_segments(q, why), ERR_OK);
    for (size_t i = 0; i < q->query.segments->count; i++)
        n += (size_t)snprintf(out + n, 200 - n, "%s%.*s", i ? "; " : "", STR_ARG(q->query.segments->values[i].value));
    question_free(q);
    return out;
}

/* They take their part of the costs all the same. */
static void hidden_segments_have_no_names(void **state)
{
    struct rig r = open_rig(state);
    char out[200];
    struct doc top = make(&r, DOCS_SEGMENT, "{\"title\":\"Search\",\"priority\":1,\"track_unallocated\":true}");
    struct doc below = make(&r, DOCS_SEGMENT,
                            "{\"title\":\"Ranking\",\"priority\":2,\"filter\":\"costs.provider = 'open_ai'\","
                            "\"parent_segment_token\":\"%s\"}",
                            top.token.p);
    (void)make(&r, DOCS_SEGMENT, "{\"title\":\"Ads\",\"priority\":3,\"filter\":\"costs.provider = 'open_ai'\"}");
    assert_string_equal(segment_names(&r, out), "Search / Ranking; Search / Unallocated; Ads");
    grant(&r, &below, "team_b", "denied");
    grant(&r, &top, "team_a", "denied");
    look_as(&r, "team_b", "team_b");
    assert_string_equal(segment_names(&r, out), "Search / (hidden); Search / Unallocated; Ads");
    look_as(&r, "team_a", "team_a");
    assert_string_equal(segment_names(&r, out), "(hidden); (hidden); Ads");
    look_as(&r, "", "");
    assert_string_equal(segment_names(&r, out), "Search / Ranking; Search / Unallocated; Ads");
    close_rig(&r);
}

static void the_best_grant_counts(void **state)
{
    struct rig r = open_rig(state);
    bool matters = true;
    struct doc report = make(&r, DOCS_COST_REPORT, "{\"title\":\"R\"}");
    assert_int_equal(docs_view_matters(r.docs, &matters), ERR_OK);
    assert_false(matters);
    look_as(&r, "team_all", "team_a");
    assert_true(seen(&r, &report));
    grant(&r, &report, "team_all", "denied");
    assert_int_equal(docs_view_matters(r.docs, &matters), ERR_OK);
    assert_true(matters);
    look_as(&r, "team_all", "team_a");
    assert_false(seen(&r, &report));
    look_as(&r, "", "");
    grant(&r, &report, "team_a", "allowed");
    look_as(&r, "team_all", "team_a");
    assert_true(seen(&r, &report));
    look_as(&r, "team_all", "team_b");
    assert_false(seen(&r, &report));
    look_as(&r, "team_x", "team_y"); /* teams that no grant speaks of */
    assert_true(seen(&r, &report));
    look_as(&r, "", "");
    assert_true(seen(&r, &report));
    close_rig(&r);
}

static void what_is_inside_or_about_it_is_hidden_too(void **state)
{
    struct rig r = open_rig(state);
    struct doc outer = make(&r, DOCS_FOLDER, "{\"title\":\"F\"}");
    struct doc inner = make(&r, DOCS_FOLDER, "{\"title\":\"G\",\"parent_folder_token\":\"%s\"}", outer.token.p);
    struct doc report = make(&r, DOCS_COST_REPORT, "{\"title\":\"R\",\"folder_token\":\"%s\"}", inner.token.p);
    struct doc shown = make(&r, DOCS_COST_REPORT, "{\"title\":\"S\",\"folder_token\":\"%s\"}", inner.token.p);
    struct doc other = make(&r, DOCS_COST_REPORT, "{\"title\":\"O\"}");
    struct doc budget = make(&r, DOCS_BUDGET, "{\"name\":\"B\",\"cost_report_token\":\"%s\"}", report.token.p);
    struct doc parent = make(&r, DOCS_BUDGET, "{\"name\":\"P\",\"child_budget_tokens\":[\"%s\"]}", budget.token.p);
    struct doc alert = make(&r, DOCS_BUDGET_ALERT,
                            "{\"budget_tokens\":[\"%s\"],\"threshold\":1,\"duration_in_days\":\"\"}", budget.token.p);
    struct doc note = make(&r, DOCS_ANNOTATION,
                           "{\"report_tokens\":[\"%s\"],\"date\":\"2026-01-01\",\"message\":\"m\"}", report.token.p);
    struct doc both =
        make(&r, DOCS_ANNOTATION, "{\"report_tokens\":[\"%s\",\"%s\"],\"date\":\"2026-01-01\",\"message\":\"m\"}",
             report.token.p, other.token.p);
    grant(&r, &outer, "team_all", "denied");
    grant(&r, &shown, "team_all", "allowed");
    look_as(&r, "team_all", "team_a");
    const struct doc *const hidden[] = {&outer, &inner, &report, &budget, &parent, &alert, &note};
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (seen(&r, hidden[i]))
            fail_msg("%s is seen", hidden[i]->token.p);
    assert_true(seen(&r, &shown));
    assert_true(seen(&r, &other));
    assert_true(seen(&r, &both));
    close_rig(&r);
}

static void a_hidden_token_is_neither_shown_nor_lost(void **state)
{
    struct rig r = open_rig(state);
    struct str body;
    struct doc report = make(&r, DOCS_COST_REPORT, "{\"title\":\"R\"}"),
               other = make(&r, DOCS_COST_REPORT, "{\"title\":\"O\"}");
    struct doc board =
        make(&r, DOCS_DASHBOARD,
             "{\"title\":\"D\",\"widgets\":[{\"widgetable_token\":\"%s\"},{\"widgetable_token\":\"%s\"}]}",
             report.token.p, other.token.p);
    grant(&r, &report, "team_all", "denied");
    look_as(&r, "team_all", "team_a");
    assert_int_equal(docs_view_body(r.docs, &board, r.arena, &body), ERR_OK);
    assert_true(str_search(body, report.token) < 0);
    assert_true(str_search(body, other.token) > 0);
    assert_int_equal(change(&r, &board, "{\"title\":\"E\"}"), ERR_OK);
    assert_true(str_search(board.body, report.token) > 0);
    char json[200];
    snprintf(json, sizeof json, "{\"widgets\":[{\"widgetable_token\":\"%s\"}]}", report.token.p);
    assert_int_equal(change(&r, &board, json), ERR_NOT_FOUND); /* what is not seen cannot be named */
    look_as(&r, "", "");
    assert_int_equal(docs_view_body(r.docs, &board, r.arena, &body), ERR_OK);
    assert_true(str_search(body, report.token) > 0);
    close_rig(&r);
}

static void anomalies_of_a_hidden_report_are_hidden(void **state)
{
    struct rig r = open_rig(state);
    struct anomaly *rows;
    size_t count;
    uint64_t total;
    const struct anomaly_query q = {.limit = 10};
    struct doc report = make(&r, DOCS_COST_REPORT, "{\"title\":\"R\"}");
    const struct anomaly one = {.token = STR("anmly_alrt_1"),
                                .workspace = PLACE,
                                .report = report.token,
                                .provider = STR("open_ai"),
                                .service = STR("s"),
                                .category = STR("c"),
                                .first_day = 1,
                                .last_day = 1,
                                .created_us = 1,
                                .amount = STR("1.0"),
                                .previous = STR("0.0"),
                                .average = STR("0.0"),
                                .expected = STR("0.0"),
                                .status = STR(ANOMALY_ACTIVE),
                                .feedback = STR(""),
                                .resource = STR(""),
                                .resource_name = STR("")};
    assert_int_equal(anomaly_insert(r.docs, &one), ERR_OK);
    grant(&r, &report, "team_all", "denied");
    look_as(&r, "team_all", "team_a");
    assert_int_equal(anomaly_list(r.docs, &q, r.arena, &rows, &count, &total), ERR_OK);
    assert_int_equal(total + count, 0);
    look_as(&r, "team_x", "team_y");
    assert_int_equal(anomaly_list(r.docs, &q, r.arena, &rows, &count, &total), ERR_OK);
    assert_int_equal(total, 1);
    close_rig(&r);
}

static void rules_that_hold_for_all_see_everything(void **state)
{
    struct rig r = open_rig(state);
    struct doc child = make(&r, DOCS_BUDGET, "{\"name\":\"C\"}");
    struct doc parent = make(&r, DOCS_BUDGET, "{\"name\":\"P\",\"child_budget_tokens\":[\"%s\"]}", child.token.p);
    char json[200];
    grant(&r, &parent, "team_all", "denied");
    grant(&r, &child, "team_all", "allowed");
    look_as(&r, "team_all", "team_a");
    assert_false(seen(&r, &parent));
    assert_true(seen(&r, &child));
    struct doc other = make(&r, DOCS_BUDGET, "{\"name\":\"X\"}");
    snprintf(json, sizeof json, "{\"child_budget_tokens\":[\"%s\"]}", other.token.p);
    assert_int_equal(change(&r, &child, json), ERR_OK);
    look_as(&r, "", "");
    snprintf(json, sizeof json, "{\"child_budget_tokens\":[\"%s\"]}", parent.token.p);
    look_as(&r, "team_x", "team_y");
    assert_int_equal(change(&r, &other, json), ERR_CONFLICT); /* a circle, through what others do not see */
    close_rig(&r);
}

static void a_grant_goes_with_its_resource_and_is_given_once(void **state)
{
    struct rig r = open_rig(state);
    struct doc *rows;
    size_t count;
    uint64_t total;
    struct jdoc given;
    struct doc doc;
    char json[200];
    const struct docs_new what = {.kind = DOCS_ACCESS_GRANT, .workspace = PLACE};
    struct doc report = make(&r, DOCS_COST_REPORT, "{\"title\":\"R\"}");
    grant(&r, &report, "team_a", "denied");
    snprintf(json, sizeof json, "{\"resource_token\":\"%s\",\"team_token\":\"team_a\"}", report.token.p);
    jdoc_init(&given);
    assert_true(jdoc_parse(&given, str_c(json)));
    assert_int_equal(docs_create(r.docs, &what, jdoc_root(&given), r.arena, &doc), ERR_CONFLICT);
    jdoc_free(&given);
    assert_int_equal(docs_remove(r.docs, &report), ERR_OK);
    const struct docs_query q = {.kind = DOCS_ACCESS_GRANT};
    assert_int_equal(docs_list(r.docs, &q, r.arena, &rows, &count, &total), ERR_OK);
    assert_int_equal(total, 0);
    close_rig(&r);
}

/* ---- the audit log ---- */

static size_t log_of(struct rig *r, struct str object, struct audit_row **rows)
{
    struct control_why why = {.param = ""};
    const struct audit_filter f = {.object_id = object};
    size_t count = 0;
    uint64_t total;
    assert_int_equal(audit_list(r->control, &f, 100, r->arena, rows, &count, &total, &why), ERR_OK);
    return count;
}

static void every_change_is_a_line_of_the_log(void **state)
{
    struct rig r = open_rig(state);
    struct audit_row *rows;
    const struct actor ann = {.key_id = 7,
                              .key = STR("key"),
                              .name = STR("ann"),
                              .source = STR("vantage"),
                              .ip = STR("ip"),
                              .request_id = STR("id")};
    docs_audit_to(r.docs, r.control);
    actor_set(&ann);
    struct doc report = make(&r, DOCS_COST_REPORT, "{\"title\":\"R\"}");
    struct doc note =
        make(&r, DOCS_REPORT_NOTIFICATION,
             "{\"title\":\"N\",\"cost_report_token\":\"%s\",\"frequency\":\"daily\",\"change\":\"dollars\"}",
             report.token.p);
    struct doc board =
        make(&r, DOCS_DASHBOARD, "{\"title\":\"D\",\"widgets\":[{\"widgetable_token\":\"%s\"}]}", report.token.p);
    assert_int_equal(change(&r, &report, "{\"title\":\"S\"}"), ERR_OK);
    assert_int_equal(change(&r, &report, "{\"title\":\"S\"}"), ERR_OK); /* changes nothing */
    assert_int_equal(docs_remove(r.docs, &report), ERR_OK);
    actor_set(NULL);
    assert_int_equal(log_of(&r, report.token, &rows), 3);
    assert_string_equal(rows[2].action.p, "cost_report.create");
    assert_string_equal(rows[1].action.p, "cost_report.update");
    assert_true(str_search(rows[1].before, STR("\"title\":\"R\"")) > 0);
    assert_true(str_search(rows[1].after, STR("\"title\":\"S\"")) > 0);
    assert_string_equal(rows[0].action.p, "cost_report.delete");
    assert_true(rows[0].before.n && !rows[0].after.n);
    assert_string_equal(rows[0].name.p, "ann");
    assert_int_equal(rows[0].key_id, 7);
    assert_int_equal(rows[0].workspace_id, PLACE);
    assert_int_equal(log_of(&r, note.token, &rows), 2); /* it went with its report */
    assert_string_equal(rows[0].action.p, "report_notification.delete");
    assert_int_equal(log_of(&r, board.token, &rows), 2); /* it lost a widget */
    assert_string_equal(rows[0].action.p, "dashboard.update");
    close_rig(&r);
}

static void lines_of_others_are_carried_over_once(void **state)
{
    struct rig r = open_rig(state);
    struct audit_row *rows;
    struct control_why why = {.param = ""};
    const struct audit_verify quiet = {.finding = NULL};
    struct audit_result result;
    struct doc report = make(&r, DOCS_COST_REPORT, "{\"title\":\"R\"}");
    assert_int_equal(log_of(&r, report.token, &rows), 0); /* this connection has no log */
    /* As after a kill between the log's commit and the outbox's: the line is there already. */
    struct store_stmt *st;
    assert_int_equal(store_exec(docs_db(r.docs), "CREATE TEMP TABLE kept AS SELECT * FROM changes"), ERR_OK);
    docs_audit_to(r.docs, r.control);
    assert_int_equal(log_of(&r, report.token, &rows), 1);
    assert_int_equal(store_exec(docs_db(r.docs), "INSERT INTO changes SELECT * FROM kept"), ERR_OK);
    docs_audit_to(r.docs, r.control);
    assert_int_equal(log_of(&r, report.token, &rows), 1);
    bool row;
    assert_int_equal(store_prepare(docs_db(r.docs), "SELECT count(*) FROM changes", &st), ERR_OK);
    assert_int_equal(store_step(st, &row), ERR_OK);
    assert_int_equal(store_i64(st, 0), 0);
    store_done(st);
    assert_int_equal(audit_verify(r.bench->dir, &quiet, 0, NULL, &result, &why), ERR_OK);
    assert_int_equal(result.findings, 0);
    close_rig(&r);
}

static void values_of_metrics_are_counted_in_the_log(void **state)
{
    struct rig r = open_rig(state);
    struct audit_row *rows;
    uint64_t gone;
    const struct docs_value values[] = {{.day = 1, .label = STR(""), .amount = STR("1")},
                                        {.day = 2, .label = STR(""), .amount = STR("2")}};
    const struct docs_value_query q = {.from_day = 2, .until_day = 3};
    docs_audit_to(r.docs, r.control);
    struct doc metric = make(&r, DOCS_BUSINESS_METRIC, "{\"title\":\"M\"}");
    struct docs_value_query of = q;
    of.metric = metric.id;
    assert_int_equal(docs_values_put(r.docs, metric.id, false, values, 2), ERR_OK);
    assert_int_equal(docs_values_delete(r.docs, &of, &gone), ERR_OK);
    assert_int_equal(gone, 1);
    assert_int_equal(docs_values_delete(r.docs, &of, &gone), ERR_OK); /* nothing is left to delete, or to note */
    assert_int_equal(log_of(&r, metric.token, &rows), 3);
    assert_string_equal(rows[1].before.p, "{\"values\":0}");
    assert_string_equal(rows[1].after.p, "{\"values\":2,\"values_written\":2}");
    assert_string_equal(rows[0].after.p, "{\"values\":1,\"values_deleted\":1}");
    close_rig(&r);
}

static void many_lines_wait_in_order(void **state)
{
    struct rig r = open_rig(state);
    struct audit_row *rows;
    struct doc report = make(&r, DOCS_COST_REPORT, "{\"title\":\"T0\"}");
    for (int i = 1; i < 60; i++) {
        char json[40];
        snprintf(json, sizeof json, "{\"title\":\"T%d\"}", i);
        assert_int_equal(change(&r, &report, json), ERR_OK);
    }
    docs_audit_to(r.docs, r.control);
    assert_int_equal(log_of(&r, report.token, &rows), 60);
    for (int i = 0; i < 60; i++) {
        char title[40];
        snprintf(title, sizeof title, "\"title\":\"T%d\"", 59 - i);
        assert_true(str_search(rows[i].after, str_c(title)) > 0);
        assert_true(i == 0 || rows[i].time_us < rows[i - 1].time_us);
    }
    close_rig(&r);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_best_grant_counts),
        CASE(hidden_segments_have_no_names),
        CASE(what_is_inside_or_about_it_is_hidden_too),
        CASE(a_hidden_token_is_neither_shown_nor_lost),
        CASE(anomalies_of_a_hidden_report_are_hidden),
        CASE(rules_that_hold_for_all_see_everything),
        CASE(a_grant_goes_with_its_resource_and_is_given_once),
        CASE(every_change_is_a_line_of_the_log),
        CASE(lines_of_others_are_carried_over_once),
        CASE(values_of_metrics_are_counted_in_the_log),
        CASE(many_lines_wait_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
