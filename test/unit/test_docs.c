/* SPDX-License-Identifier: Apache-2.0 */
/* Report resources: what is stored of what was given, what a removal takes along, what may not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "report/docs/docs.h"
#include "report/docs/docs_values.h"

#define PLACE 7

struct rig {
    char dir[64];
    struct docs *docs;
    struct arena *arena;
};

static enum err no_red(void *ctx, struct str filter, char *why, size_t why_cap)
{
    (void)ctx;
    snprintf(why, why_cap, "red is no filter");
    return str_eq(filter, STR("red")) ? ERR_BAD_PARAMETER : ERR_OK;
}

static int set_up(void **state)
{
    struct rig *r = mem_zalloc(sizeof *r);
    char why[300] = "";
    snprintf(r->dir, sizeof r->dir, "/tmp/tollgate-docs-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    assert_int_equal(docs_open(r->dir, &r->docs, why, sizeof why), ERR_OK);
    docs_set_filter_check(r->docs, no_red, NULL);
    r->arena = arena_new(65536, 64u << 20);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    char path[128];
    static const char *const ends[] = {"", "-wal", "-shm"};
    docs_close(r->docs);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s%s", r->dir, DOCS_FILE, ends[i]);
        unlink(path);
    }
    rmdir(r->dir);
    arena_free(r->arena);
    mem_free(r);
    return 0;
}

static enum err make(struct rig *r, enum docs_kind kind, const char *json, struct doc *ret)
{
    const struct docs_new what = {.kind = kind, .workspace = PLACE};
    struct jdoc given;
    jdoc_init(&given);
    assert_true(jdoc_parse(&given, str_c(json)));
    enum err e = docs_create(r->docs, &what, jdoc_root(&given), r->arena, ret);
    jdoc_free(&given);
    return e;
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

static bool has(const struct doc *doc, const char *text)
{
    return str_search(doc->body, str_c(text)) >= 0;
}

static void assert_has(const struct doc *doc, const char *text)
{
    if (!has(doc, text))
        fail_msg("%.*s has no %s", STR_ARG(doc->body), text);
}

/* Two texts for two "%.*s". */
static char text[400];
#define format(pattern, a, b) (snprintf(text, sizeof text, pattern, STR_ARG(a), STR_ARG(b)), text)

static void a_body_has_every_field_of_its_kind(void **state)
{
    struct rig *r = *state;
    struct doc doc;
    assert_int_equal(make(r, DOCS_COST_REPORT, "{\"title\":\"T\",\"unknown\":[1],\"folder_token\":\"\"}", &doc),
                     ERR_OK);
    const struct docs_kind_info *info = docs_kind_info(DOCS_COST_REPORT);
    struct jdoc body;
    jdoc_init(&body);
    assert_true(jdoc_parse(&body, doc.body));
    assert_int_equal(jdoc_size(jdoc_root(&body)), info->shape.count);
    for (unsigned i = 0; i < info->shape.count; i++)
        assert_true(jdoc_has(jdoc_get(jdoc_root(&body), info->shape.fields[i].name)));
    jdoc_free(&body);
    assert_true(str_starts(doc.token, STR("rprt_")));
    assert_int_equal(doc.token.n, 5 + 16);
    assert_has(&doc, "\"folder_token\":null");
    assert_has(&doc, "\"date_interval\":\"this_month\"");
    assert_false(has(&doc, "unknown"));
}

static void what_an_update_does_not_name_stays(void **state)
{
    struct rig *r = *state;
    struct doc doc, again;
    assert_int_equal(
        make(r, DOCS_COST_REPORT,
             "{\"title\":\"T\",\"settings\":{\"include_credits\":\"true\"},\"groupings\":[\"service\",\"tag:a,b\"]}",
             &doc),
        ERR_OK);
    assert_has(&doc, "\"groupings\":\"service,\\\"tag:a,b\\\"\"");
    assert_int_equal(change(r, &doc, "{\"settings\":{\"include_tax\":false},\"title\":null}"), ERR_OK);
    assert_has(&doc, "\"include_credits\":true");
    assert_has(&doc, "\"include_tax\":false");
    assert_has(&doc, "\"title\":\"T\"");
    assert_int_equal(docs_find(r->docs, DOCS_COST_REPORT, doc.token, r->arena, &again), ERR_OK);
    assert_true(str_eq(again.body, doc.body));
}

static void amounts_are_exact(void **state)
{
    struct rig *r = *state;
    struct doc doc;
    assert_int_equal(
        make(
            r, DOCS_BUDGET,
            "{\"name\":\"B\",\"periods\":[{\"start_at\":\"2026-01-01\",\"amount\":123456789012.01},"
            "{\"start_at\":\"2026-02-01\",\"amount\":\"0.1\"},{\"start_at\":\"2026-03-01T05:00:00Z\",\"amount\":1e3}]}",
            &doc),
        ERR_OK);
    assert_has(&doc, "\"123456789012.01\"");
    assert_has(&doc, "\"0.10\"");
    assert_has(&doc, "{\"start_at\":\"2026-03-01\",\"end_at\":null,\"amount\":\"1000.00\"}");
}

static void a_bad_field_is_named(void **state)
{
    struct rig *r = *state;
    struct doc doc;
    static const struct {
        enum docs_kind kind;
        const char *json, *text;
        enum err err;
    } cases[] = {
        {DOCS_FOLDER, "{}", "title is required", ERR_MISSING_PARAMETER},
        {DOCS_FOLDER, "[]", "object", ERR_BAD_PARAMETER},
        {DOCS_FOLDER, "{\"title\":5}", "title must be a text", ERR_BAD_PARAMETER},
        {DOCS_FOLDER, "{\"title\":\"a\",\"parent_folder_token\":\"fldr_x\"}", "fldr_x", ERR_NOT_FOUND},
        {DOCS_SAVED_FILTER, "{\"title\":\"a\",\"filter\":\"red\"}", "red is no filter", ERR_BAD_PARAMETER},
        {DOCS_COST_REPORT, "{\"title\":\"a\",\"chart_type\":\"cake\"}", "chart_type must be one of", ERR_BAD_PARAMETER},
        {DOCS_COST_REPORT, "{\"title\":\"a\",\"settings\":[]}", "settings must be an object", ERR_BAD_PARAMETER},
        {DOCS_COST_REPORT, "{\"title\":\"a\",\"groupings\":\"tag:\"}", "grouping", ERR_BAD_PARAMETER},
        {DOCS_COST_REPORT, "{\"title\":\"a\",\"groupings\":\"\\\"tag:a\"}", "grouping", ERR_BAD_PARAMETER},
        {DOCS_BUDGET, "{\"name\":\"a\",\"periods\":[{\"start_at\":\"2026-01-01\",\"amount\":\"x\"}]}", "amount",
         ERR_BAD_PARAMETER},
        {DOCS_VIRTUAL_TAG, "{\"key\":\"a\",\"overridable\":true,\"values\":[{\"filter\":\"x\"}]}", "one of",
         ERR_BAD_PARAMETER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(make(r, cases[i].kind, cases[i].json, &doc), cases[i].err);
        if (!strstr(docs_reason(r->docs), cases[i].text))
            fail_msg("%s: %s", cases[i].json, docs_reason(r->docs));
    }
    assert_int_equal(store_version(docs_db(r->docs), &(int){0}), ERR_OK); /* no transaction is left open */
}

static void a_removed_token_disappears_everywhere(void **state)
{
    struct rig *r = *state;
    struct doc filter, folder, report, board, note, found;
    assert_int_equal(make(r, DOCS_SAVED_FILTER, "{\"title\":\"f\"}", &filter), ERR_OK);
    assert_int_equal(make(r, DOCS_FOLDER, "{\"title\":\"f\"}", &folder), ERR_OK);
    assert_int_equal(
        make(r, DOCS_COST_REPORT,
             format(
                 "{\"title\":\"quote \\\" and \\u00e9\",\"saved_filter_tokens\":[\"%.*s\"],\"folder_token\":\"%.*s\"}",
                 filter.token, folder.token),
             &report),
        ERR_OK);
    assert_int_equal(
        make(r, DOCS_DASHBOARD,
             format("{\"title\":\"d\",\"widgets\":[{\"widgetable_token\":\"%.*s\"}]%.*s}", report.token, STR("")),
             &board),
        ERR_OK);
    assert_int_equal(make(r, DOCS_ANOMALY_NOTIFICATION,
                          format("{\"cost_report_token\":\"%.*s\"%.*s}", report.token, STR("")), &note),
                     ERR_OK);
    assert_int_equal(docs_remove(r->docs, &filter), ERR_OK);
    assert_int_equal(docs_remove(r->docs, &folder), ERR_OK);
    assert_int_equal(docs_find(r->docs, DOCS_COST_REPORT, report.token, r->arena, &found), ERR_OK);
    assert_has(&found, "\"saved_filter_tokens\":[]");
    assert_has(&found, "\"folder_token\":null");
    assert_true(str_eq(found.title, report.title));
    assert_int_equal(docs_remove(r->docs, &report), ERR_OK);
    assert_int_equal(docs_find(r->docs, DOCS_DASHBOARD, board.token, r->arena, &found), ERR_OK);
    assert_has(&found, "\"widgets\":[]");
    assert_int_equal(docs_find(r->docs, DOCS_ANOMALY_NOTIFICATION, note.token, r->arena, &found), ERR_NOT_FOUND);
}

static void trees_stay_trees(void **state)
{
    struct rig *r = *state;
    struct doc a, b, c;
    assert_int_equal(make(r, DOCS_FOLDER, "{\"title\":\"a\"}", &a), ERR_OK);
    assert_int_equal(
        make(r, DOCS_FOLDER, format("{\"title\":\"b\",\"parent_folder_token\":\"%.*s\"%.*s}", a.token, STR("")), &b),
        ERR_OK);
    assert_int_equal(change(r, &a, format("{\"parent_folder_token\":\"%.*s\"%.*s}", b.token, STR(""))), ERR_CONFLICT);
    assert_int_equal(change(r, &a, format("{\"parent_folder_token\":\"%.*s\"%.*s}", a.token, STR(""))), ERR_CONFLICT);
    assert_int_equal(make(r, DOCS_BUDGET, "{\"name\":\"a\"}", &a), ERR_OK);
    assert_int_equal(
        make(r, DOCS_BUDGET, format("{\"name\":\"b\",\"child_budget_tokens\":[\"%.*s\"]%.*s}", a.token, STR("")), &b),
        ERR_OK);
    assert_int_equal(make(r, DOCS_BUDGET,
                          format("{\"name\":\"c\",\"child_budget_tokens\":[\"%.*s\",\"%.*s\"]}", a.token, b.token), &c),
                     ERR_CONFLICT);
    assert_int_equal(change(r, &a, format("{\"child_budget_tokens\":[\"%.*s\"]%.*s}", b.token, STR(""))), ERR_CONFLICT);
    /* A child may stand in several hierarchies. */
    assert_int_equal(
        make(r, DOCS_BUDGET, format("{\"name\":\"c\",\"child_budget_tokens\":[\"%.*s\"]%.*s}", a.token, STR("")), &c),
        ERR_OK);
}

static void lists_are_searched_narrowed_and_paged(void **state)
{
    struct rig *r = *state;
    struct doc doc, *rows;
    size_t count;
    uint64_t total;
    const int64_t here = PLACE, elsewhere = PLACE + 1;
    struct docs_query q = {.kind = DOCS_FOLDER, .workspaces = &here, .workspace_count = 1, .limit = 2, .skip = 2};
    for (int i = 0; i < 5; i++)
        assert_int_equal(make(r, DOCS_FOLDER, i == 4 ? "{\"title\":\"Other\"}" : "{\"title\":\"A Thing\"}", &doc),
                         ERR_OK);
    assert_int_equal(docs_list(r->docs, &q, r->arena, &rows, &count, &total), ERR_OK);
    assert_int_equal(count, 2);
    assert_int_equal(total, 5);
    q.search = STR("thing");
    assert_int_equal(docs_list(r->docs, &q, r->arena, &rows, &count, &total), ERR_OK);
    assert_int_equal(total, 4);
    q.workspaces = &elsewhere;
    assert_int_equal(docs_list(r->docs, &q, r->arena, &rows, &count, &total), ERR_OK);
    assert_int_equal(total, 0);
    q.workspace_count = 0;
    assert_int_equal(docs_list(r->docs, &q, r->arena, &rows, &count, &total), ERR_OK);
    assert_int_equal(total, 0);
}

static void the_default_report_is_made_once_and_stays(void **state)
{
    struct rig *r = *state;
    struct doc first, second;
    assert_int_equal(docs_default_report(r->docs, PLACE, r->arena, &first), ERR_OK);
    assert_int_equal(docs_default_report(r->docs, PLACE, r->arena, &second), ERR_OK);
    assert_true(str_eq(first.token, second.token));
    assert_string_equal(first.title.p, "All Resources");
    assert_int_equal(docs_remove(r->docs, &first), ERR_CONFLICT);
}

static void values_of_metrics_are_exact_and_all_or_none(void **state)
{
    struct rig *r = *state;
    struct doc m;
    struct docs_value *rows;
    size_t count;
    uint64_t gone;
    static const struct docs_value good[] = {
        {20454, {"", 0}, {"0.1", 3}}, {20455, {"", 0}, {"0.2", 3}}, {20454, {"eu", 2}, {"1e2", 3}}};
    static const struct docs_value bad[] = {{20456, {"", 0}, {"5", 1}}, {20457, {"", 0}, {"five", 4}}};
    struct docs_value_query q = {.from_day = 0, .until_day = 30000, .limit = 10, .by_month = true};
    assert_int_equal(make(r, DOCS_BUSINESS_METRIC, "{\"title\":\"m\"}", &m), ERR_OK);
    assert_int_equal(docs_values_put(r->docs, m.id, false, good, 3), ERR_OK);
    assert_int_equal(docs_values_put(r->docs, m.id, false, bad, 2), ERR_BAD_PARAMETER);
    q.metric = m.id;
    assert_int_equal(docs_values_list(r->docs, &q, r->arena, &rows, &count), ERR_OK);
    assert_int_equal(count, 2);
    assert_string_equal(rows[0].amount.p, "0.30");
    assert_string_equal(rows[1].amount.p, "100.00");
    q.by_label = true;
    assert_int_equal(docs_values_delete(r->docs, &q, &gone), ERR_OK);
    assert_int_equal(gone, 2);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_body_has_every_field_of_its_kind),
        CASE(what_an_update_does_not_name_stays),
        CASE(amounts_are_exact),
        CASE(a_bad_field_is_named),
        CASE(a_removed_token_disappears_everywhere),
        CASE(trees_stay_trees),
        CASE(lists_are_searched_narrowed_and_paged),
        CASE(the_default_report_is_made_once_and_stays),
        CASE(values_of_metrics_are_exact_and_all_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
