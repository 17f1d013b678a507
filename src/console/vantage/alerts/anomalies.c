/* SPDX-License-Identifier: Apache-2.0 */
/* Costs that were not to be expected; a person may archive one or have it ignored. */
#include "console/vantage/ask.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"
#include "report/watch/anomaly_store.h"

#define LIMIT 100
#define LIMIT_MAX 1000
#define FEEDBACK_MAX 2000

static void write_list(struct json_write *w, const char *name, struct str one)
{
    json_write_key(w, str_c(name));
    json_write_array(w);
    if (one.n)
        json_write_string(w, one);
    json_write_array_end(w);
}

static void write_anomaly(struct job *j, const struct anomaly *a)
{
    struct json_write *w = &j->json;
    json_write_object(w);
    json_write_member_string(w, "token", a->token);
    vantage_time(w, "created_at", a->created_us);
    vantage_time(w, "alerted_at", a->alerted_us);
    json_write_member_text(w, "category", a->category);
    json_write_member_string(w, "service", a->service);
    json_write_member_string(w, "provider", a->provider);
    json_write_member_string(w, "amount", a->amount);
    json_write_member_string(w, "previous_amount", a->previous);
    json_write_member_string(w, "seven_day_average", a->average);
    json_write_member_string(w, "status", a->status);
    json_write_member_text(w, "feedback", a->feedback);
    write_list(w, "resources", a->resource_name.n ? a->resource_name : a->resource);
    write_list(w, "resource_tokens", a->resource);
    json_write_member_string(w, "cost_report_token", a->report);
    json_write_object_end(w);
}

static bool narrow(struct job *j, const struct sight *s, struct anomaly_query *q)
{
    struct str start = ask_text(j, "start_date"), end = ask_text(j, "end_date");
    int64_t last = -1;
    q->workspaces = s->ids;
    q->workspace_count = s->count;
    q->provider = ask_text(j, "provider");
    q->service = ask_text(j, "service");
    q->category = ask_text(j, "cost_category");
    q->report = ask_text(j, "cost_report_token");
    if (str_eq(q->provider, STR("openai")))
        q->provider = STR("open_ai");
    if (!ask_day(j, "start_date", start, &q->from_day) || !ask_day(j, "end_date", end, &last))
        return false;
    q->until_day = last + 1;
    if (end.n && start.n && last < q->from_day) {
        vantage_fail(j, 400, "start_date must not be after end_date");
        return false;
    }
    return true;
}

void anomalies_list(struct job *j)
{
    struct vantage_page page;
    struct anomaly_query q = {.limit = 0};
    struct sight s;
    struct anomaly *rows;
    size_t count;
    uint64_t total;
    if (!vantage_page_read(j, LIMIT, LIMIT_MAX, &page) || !ask_sight(j, &s) || !narrow(j, &s, &q))
        return;
    q.skip = (page.page - 1) * page.limit;
    q.limit = page.limit;
    enum err e = anomaly_list(ask_docs(j), &q, j->arena, &rows, &count, &total);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
        return;
    }
    job_reply_json(j, 200);
    json_write_object(&j->json);
    vantage_links(j, &page, total, false);
    json_write_key(&j->json, STR("anomaly_alerts"));
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        write_anomaly(j, &rows[i]);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

/* One whose report the caller may see. False when the job was answered. */
static bool find(struct job *j, struct anomaly *ret)
{
    struct sight s;
    struct doc report;
    if (!ask_sight(j, &s))
        return false;
    enum err e = anomaly_find(ask_docs(j), ask_token(j, 0), j->arena, ret);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
        return false;
    }
    return ask_doc(j, &s, DOCS_COST_REPORT, ret->report, &report);
}

void anomalies_get(struct job *j)
{
    struct anomaly a;
    if (!find(j, &a))
        return;
    job_reply_json(j, 200);
    write_anomaly(j, &a);
}

void anomalies_update(struct job *j)
{
    static const char *const known[] = {ANOMALY_ACTIVE, ANOMALY_ARCHIVED, ANOMALY_IGNORED};
    struct anomaly a;
    struct jdoc body;
    bool fits = false;
    if (!find(j, &a) || !ask_body(j, &body))
        return;
    struct str status = jdoc_text(jdoc_get(jdoc_root(&body), "status"), j->arena);
    struct str feedback = jdoc_text(jdoc_get(jdoc_root(&body), "feedback"), j->arena);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        fits = fits || str_eq(status, str_c(known[i]));
    if (!fits || feedback.n > FEEDBACK_MAX) {
        vantage_fail(j, 400,
                     fits ? "feedback must be a text of at most 2,000 bytes"
                          : "status must be one of: active, archived, ignored");
        jdoc_free(&body);
        return;
    }
    enum err e = anomaly_update(ask_docs(j), a.token, status, feedback);
    jdoc_free(&body);
    if (e == ERR_OK)
        e = anomaly_find(ask_docs(j), a.token, j->arena, &a);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
        return;
    }
    job_reply_json(j, 200);
    write_anomaly(j, &a);
}
