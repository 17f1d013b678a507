/* SPDX-License-Identifier: Apache-2.0 */
/* All kinds of report resources have the same five calls; the kind is the path's second word. */
#include "base/must.h"
#include "console/console_inner.h"
#include "console/vantage/ask.h"
#include "console/vantage/budgets.h"
#include "console/vantage/business_metrics.h"
#include "console/vantage/report_forecasts.h"
#include "console/vantage/resource_write.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"

#define LIMIT 100
#define LIMIT_MAX 1000
#define LIMIT_MAX_LONG 5000

static enum docs_kind kind_of(const struct job *j)
{
    enum docs_kind kind;
    struct str rest = str_from(j->route->path, 4), word;
    bool known = str_split(&rest, '/', &word) && docs_kind_find(word, &kind);
    must(known);
    return kind;
}

/* Not in a workspace, but everybody's. */
static bool is_shared(enum docs_kind kind)
{
    return kind == DOCS_VIRTUAL_TAG || kind == DOCS_BUSINESS_METRIC;
}

/* ---- reading ---- */

/* What a list may be narrowed by, apart from q and the workspace. */
static struct str target_of(struct job *j, enum docs_kind kind)
{
    static const struct {
        enum docs_kind kind;
        const char *name;
    } by[] = {{DOCS_COST_REPORT, "folder_token"},
              {DOCS_BUDGET_ALERT, "budget_token"},
              {DOCS_ANNOTATION, "report_token"},
              {DOCS_ANOMALY_NOTIFICATION, "cost_report_token"},
              {DOCS_REPORT_FORECAST, "cost_report_token"}};
    for (size_t i = 0; i < sizeof by / sizeof by[0]; i++)
        if (by[i].kind == kind)
            return ask_text(j, by[i].name);
    return STR("");
}

static bool narrow(struct job *j, const struct sight *s, struct docs_query *q)
{
    static int64_t one; /* the console has one thread */
    struct str place = ask_text(j, "workspace_token");
    q->workspaces = s->ids;
    q->workspace_count = s->count;
    q->search = ask_text(j, "q");
    q->target = target_of(j, q->kind);
    if (!place.n || is_shared(q->kind))
        return true;
    if (!ask_workspace(j, s, place, &one))
        return false;
    q->workspaces = &one;
    q->workspace_count = 1;
    return true;
}

static bool make_defaults(struct job *j, const struct sight *s)
{
    struct doc doc;
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < s->count; i++)
        e = docs_default_report(ask_docs(j), s->ids[i], j->arena, &doc);
    if (e != ERR_OK)
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
    return e == ERR_OK;
}

void resources_list(struct job *j)
{
    struct docs_query q = {.kind = kind_of(j)};
    struct vantage_page page;
    struct sight s;
    struct doc *rows;
    size_t count;
    uint64_t total;
    bool is_long = q.kind == DOCS_ANNOTATION || q.kind == DOCS_COST_ALERT || q.kind == DOCS_BUSINESS_METRIC;
    if (!vantage_page_read(j, LIMIT, is_long ? LIMIT_MAX_LONG : LIMIT_MAX, &page) || !ask_sight(j, &s) ||
        !narrow(j, &s, &q) || (q.kind == DOCS_COST_REPORT && !make_defaults(j, &s)))
        return;
    q.skip = (page.page - 1) * page.limit;
    q.limit = page.limit;
    enum err e = docs_list(ask_docs(j), &q, j->arena, &rows, &count, &total);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
        return;
    }
    job_reply_json(j, 200);
    json_write_object(&j->json);
    if (!is_shared(q.kind))
        vantage_links(j, &page, total, false);
    json_write_key(&j->json, str_c(docs_kind_info(q.kind)->path));
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        resource_write(j, &rows[i], STR(""));
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

static void reply(struct job *j, int status, const struct sight *s, const struct doc *doc)
{
    struct str performance = STR("");
    if (doc->kind == DOCS_BUDGET && !budgets_performance(j, s, doc, &performance))
        return;
    job_reply_json(j, status);
    resource_write(j, doc, performance);
}

void resources_get(struct job *j)
{
    struct sight s;
    struct doc doc;
    if (!ask_sight(j, &s) || !ask_doc(j, &s, kind_of(j), ask_token(j, 0), &doc))
        return;
    reply(j, 200, &s, &doc);
}

/* ---- writing ---- */

/* What decides the workspace when it is named: the folder, the report, the parent. */
static bool place_by_other(struct job *j, const struct sight *s, struct jval given, int64_t *ret)
{
    static const struct {
        const char *name;
        enum docs_kind kind;
        bool list;
    } by[] = {{"folder_token", DOCS_FOLDER, false},          {"parent_folder_token", DOCS_FOLDER, false},
              {"parent_segment_token", DOCS_SEGMENT, false}, {"cost_report_token", DOCS_COST_REPORT, false},
              {"report_tokens", DOCS_COST_REPORT, true},     {"budget_tokens", DOCS_BUDGET, true},
              {"child_budget_tokens", DOCS_BUDGET, true}};
    for (size_t i = 0; i < sizeof by / sizeof by[0]; i++) {
        struct jval v = jdoc_get(given, by[i].name);
        struct str token = jdoc_text(by[i].list ? jdoc_first(v) : v, j->arena);
        struct doc doc;
        if (token.n && docs_find(ask_docs(j), by[i].kind, token, j->arena, &doc) == ERR_OK &&
            ask_sees(s, doc.workspace)) {
            *ret = doc.workspace;
            return true;
        }
    }
    return false;
}

static bool place(struct job *j, const struct sight *s, enum docs_kind kind, struct jval given, int64_t *ret)
{
    *ret = 0;
    if (is_shared(kind))
        return ask_may_share(j, s);
    if (place_by_other(j, s, given, ret))
        return true;
    return ask_workspace(j, s, jdoc_text(jdoc_get(given, "workspace_token"), j->arena), ret);
}

/* A metric may come with its values, a forecast with a wish. */
static bool add_values(struct job *j, const struct doc *doc, struct jval given)
{
    if (doc->kind == DOCS_REPORT_FORECAST)
        return report_forecasts_given(j, doc, given);
    return doc->kind != DOCS_BUSINESS_METRIC || business_metrics_given(j, doc, given);
}

/*
 * What is behind a channel's name admins store: an address here would be called for whoever makes an alert, and be shown to
 * everybody who reads it, credential or not. False when the job was answered.
 */
static bool check_channels(struct job *j, struct jval given)
{
    static const char *const names[] = {"recipient_channels", "slack_channels", "teams_channels"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct jval list = jdoc_get(given, names[i]);
        for (struct jval v = jdoc_first(list); jdoc_kind(list) == JDOC_ARRAY && jdoc_has(v); v = jdoc_next(list, v))
            if (str_search(jdoc_text(v, j->arena), STR("://")) >= 0) {
                vantage_fail(j, 422,
                             "A channel is named, not addressed; an admin stores it with PUT "
                             "/tollgate/v1/channels/NAME");
                return false;
            }
    }
    return true;
}

void resources_create(struct job *j)
{
    struct docs_new what = {.kind = kind_of(j)};
    struct sight s;
    struct jdoc body;
    struct doc doc;
    if (!ask_sight(j, &s) || !ask_body(j, &body))
        return;
    if (check_channels(j, jdoc_root(&body)) && place(j, &s, what.kind, jdoc_root(&body), &what.workspace)) {
        what.created_by = ask_id_token(j, "usr_", j->key->member_id);
        enum err e = docs_create(ask_docs(j), &what, jdoc_root(&body), j->arena, &doc);
        if (e != ERR_OK) {
            vantage_fail_err(j, e, docs_reason(ask_docs(j)));
        } else if (add_values(j, &doc, jdoc_root(&body))) {
            reply(j, 201, &s, &doc);
        }
    }
    jdoc_free(&body);
}

void resources_update(struct job *j)
{
    struct sight s;
    struct jdoc body;
    struct doc before, doc;
    if (!ask_sight(j, &s) || !ask_doc(j, &s, kind_of(j), ask_token(j, 0), &before) || !ask_body(j, &body))
        return;
    if (check_channels(j, jdoc_root(&body))) {
        enum err e = docs_update(ask_docs(j), &before, jdoc_root(&body), j->arena, &doc);
        if (e != ERR_OK)
            vantage_fail_err(j, e, docs_reason(ask_docs(j)));
        else if (add_values(j, &doc, jdoc_root(&body)))
            reply(j, 200, &s, &doc);
    }
    jdoc_free(&body);
}

void resources_delete(struct job *j)
{
    struct sight s;
    struct doc doc;
    if (!ask_sight(j, &s) || !ask_doc(j, &s, kind_of(j), ask_token(j, 0), &doc))
        return;
    enum err e = docs_remove(ask_docs(j), &doc);
    if (e != ERR_OK)
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
    else
        job_reply_empty(j, 204);
}
