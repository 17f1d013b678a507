/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traces of requests to model APIs, as Blaxel published them once. Every request is kept, so there is nothing
 * to be forced by debug=true. Durations are nanoseconds.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/must.h"
#include "console/blaxel/blaxel.h"
#include "console/console_inner.h"
#include "console/native/filter.h"
#include "console/native/output.h"
#include "ledger/ledger.h"
#include "ledger/query.h"

#define FLUSH_MS 2000
#define DAY_US (INT64_C(86400) * 1000000)
#define LIMIT_DEFAULT 100
#define LIMIT_MOST 1000
#define CONFIG_PREFIX "models/"

struct trace_row {
    struct str id;
    int64_t begin_us, end_us;
    unsigned status;
    bool failed;
};

struct trace_list {
    struct job *job;
    struct trace_row *rows;
    size_t count, cap;
};

/* The caller's id, or the one that is worked out from the request's. */
static struct str trace_id_of(struct job *j, const struct record *r)
{
    char own[RECORD_TRACE_TEXT_MAX];
    record_trace_format(r->request_id, own);
    struct str id = arena_dup(j->arena, r->trace_id.n ? r->trace_id : str_c(own));
    return id.p ? id : STR("");
}

static bool each_row(void *context, const struct record *r)
{
    struct trace_list *l = context;
    int64_t end_us = r->started_us + (int64_t)(r->total_us < INT32_MAX ? r->total_us : INT32_MAX);
    size_t at = 0;
    if (!str_starts(r->routing.config, STR(CONFIG_PREFIX)))
        return true;
    struct str id = trace_id_of(l->job, r);
    while (at < l->count && !str_eq(l->rows[at].id, id))
        at++;
    if (at == l->cap)
        return false;
    struct trace_row *t = &l->rows[at];
    if (at == l->count) {
        *t = (struct trace_row){.id = id, .begin_us = r->started_us, .end_us = end_us, .status = r->status};
        l->count++;
    }
    t->begin_us = r->started_us < t->begin_us ? r->started_us : t->begin_us;
    t->end_us = end_us > t->end_us ? end_us : t->end_us;
    t->failed |= r->status >= 400 || !r->status;
    return true;
}

static void write_trace(struct json_write *w, const struct trace_row *t)
{
    json_write_object(w);
    json_write_member_string(w, "traceID", t->id);
    output_time(w, "startTime", t->begin_us);
    json_write_member_int(w, "duration", (t->end_us - t->begin_us) * 1000);
    json_write_member_bool(w, "hasError", t->failed);
    json_write_member_uint(w, "statusCode", t->status);
    json_write_object_end(w);
}

static void list_traces(struct job *j, struct str model)
{
    struct query_filter f = query_filter_all();
    struct trace_list l = {.job = j};
    struct buf config;
    uint64_t limit;
    if (!filter_time(j, STR("endTime"), clock_wall_us(), &f.until_us) ||
        !filter_time(j, STR("startTime"), f.until_us - DAY_US, &f.since_us))
        return;
    if (!job_query_u64(j, STR("limit"), LIMIT_DEFAULT, LIMIT_MOST, &limit) || !limit) {
        job_fail(j, ERR_BAD_PARAMETER, STR("limit"), STR("The limit is a number from 1 to 1000."));
        return;
    }
    l.rows = arena_alloc(j->arena, limit * sizeof *l.rows);
    must(l.rows != NULL);
    l.cap = limit;
    buf_init(&config, 256);
    bool ok = !model.n || buf_printf(&config, CONFIG_PREFIX "%.*s", STR_ARG(str_head(model, 100)));
    f.config = ok ? buf_str(&config) : STR("");
    f.workspace_id = j->workspace_id;
    f.limit = QUERY_LIMIT_MAX;
    if (ledger_flush(j->console->settings.ledger, FLUSH_MS))
        log_debug("ledger_lags");
    enum err e = query_attempts(j->console->query, &f, each_row, &l);
    buf_free(&config);
    if (e) {
        job_fail(j, e, STR(""), str_c(query_reason()));
        return;
    }
    job_reply_json(j, 200);
    json_write_array(&j->json);
    for (size_t i = 0; i < l.count; i++)
        write_trace(&j->json, &l.rows[i]);
    json_write_array_end(&j->json);
}

void model_traces_all(struct job *j)
{
    list_traces(j, job_query(j, STR("workloadId")));
}

void model_traces_of(struct job *j)
{
    list_traces(j, j->params[0]);
}

static bool each_span(void *context, const struct record *r)
{
    struct trace_list *l = context;
    struct json_write *w = &l->job->json;
    char id[RECORD_ID_TEXT_MAX];
    json_write_object(w);
    json_write_member_string(w, "spanID", r->span_id.n ? r->span_id : str_of(id, record_id_format(r->id, id)));
    json_write_member_text(w, "parentSpanID", r->parent_span_id);
    json_write_member_string(w, "name", r->operation);
    output_time(w, "startTime", r->started_us);
    json_write_member_uint(w, "duration", r->total_us * 1000);
    json_write_member_bool(w, "hasError", r->status >= 400 || !r->status);
    json_write_member_uint(w, "statusCode", r->status);
    json_write_member_text(w, "model", r->model_answered.n ? r->model_answered : r->model_asked);
    json_write_member_string(w, "workloadId", str_from(r->routing.config, sizeof CONFIG_PREFIX - 1));
    json_write_object_end(w);
    l->count++;
    return true;
}

void model_traces_get(struct job *j)
{
    struct query_filter f = query_filter_all();
    struct trace_list l = {.job = j};
    struct json_write *w = &j->json;
    if (!record_trace_parse(j->params[0], &f.request_id))
        f.trace_id = j->params[0];
    f.workspace_id = j->workspace_id;
    f.limit = LIMIT_MOST;
    if (ledger_flush(j->console->settings.ledger, FLUSH_MS))
        log_debug("ledger_lags");
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "traceID", j->params[0]);
    json_write_key(w, STR("spans"));
    json_write_array(w);
    enum err e = query_attempts(j->console->query, &f, each_span, &l);
    json_write_array_end(w);
    json_write_object_end(w);
    if (e)
        job_fail(j, e, STR(""), str_c(query_reason()));
    else if (!l.count)
        job_fail(j, ERR_NOT_FOUND, STR("traceId"), STR("There is no such trace in this workspace."));
}
