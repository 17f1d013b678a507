/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was asked of model APIs as lines of a log, as Blaxel's command line reads them: a map from the
 * model API's name to its lines, newest first, with counts over time.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "console/blaxel/blaxel.h"
#include "console/console_inner.h"
#include "console/native/output.h"
#include "control/model/model.h"
#include "ledger/ledger.h"
#include "ledger/query.h"

#define HOUR_US INT64_C(3600000000)
#define SPAN_MAX_US (72 * HOUR_US)
#define FLUSH_MS 2000
#define LINES_MAX 1000
#define ROWS_MAX 200000
#define BUCKETS_MAX 4400
#define WORKLOADS_MAX 100

/* OpenTelemetry's numbers. */
enum { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_ERROR, SEVERITY_COUNT };
static const struct {
    const char *name, *member;
    unsigned number;
} severities[] = {{"INFO", "info", 9}, {"WARNING", "warning", 13}, {"ERROR", "error", 17}};

struct model_log {
    struct job *job;
    struct query_filter filter;
    struct str search, severity;
    uint64_t offset, limit, total;
    int64_t step_us;
    size_t bucket_count;
    uint32_t (*buckets)[SEVERITY_COUNT];
    size_t seen, rows;
    int64_t last_id;
};

static unsigned severity_of(const struct record *r)
{
    return r->status >= 500 || !r->status ? SEVERITY_ERROR : r->status >= 400 ? SEVERITY_WARNING : SEVERITY_INFO;
}

/* In the list that is asked for; WARN is WARNING. */
static bool is_wanted(struct str list, unsigned severity)
{
    struct str word;
    bool found = !list.n;
    while (list.n && str_split(&list, ',', &word))
        found |= str_eq_nocase(str_trim(word), str_c(severities[severity].name)) ||
                 (severity == SEVERITY_WARNING && str_eq_nocase(str_trim(word), STR("WARN")));
    return found;
}

static bool write_message(struct buf *out, const struct record *r)
{
    struct str model = r->model_answered.n ? r->model_answered : r->model_asked;
    bool ok = buf_printf(out, "%.*s %.*s %u %.*s %llu ms, %llu tokens in, %llu out", STR_ARG(r->method),
                         STR_ARG(r->path), r->status, STR_ARG(model), (unsigned long long)(r->total_us / 1000),
                         (unsigned long long)r->usage.input_total_tok, (unsigned long long)r->usage.output_total_tok);
    if (r->err != ERR_OK)
        ok = ok && buf_printf(out, ": %s %.*s", err_info(r->err)->code, STR_ARG(str_head(r->err_detail, 500)));
    return ok;
}

static void write_line(struct json_write *w, const struct record *r, struct str message, unsigned severity)
{
    char own[RECORD_TRACE_TEXT_MAX];
    record_trace_format(r->request_id, own);
    json_write_object(w);
    output_time(w, "timestamp", r->started_us);
    json_write_member_string(w, "message", message);
    json_write_member_uint(w, "severity", severities[severity].number);
    json_write_member_string(w, "trace_id", r->trace_id.n ? r->trace_id : str_c(own));
    json_write_object_end(w);
}

static bool each_row(void *context, const struct record *r)
{
    struct model_log *l = context;
    unsigned severity = severity_of(r);
    struct buf message;
    l->last_id = r->id;
    l->seen++;
    if (!is_wanted(l->severity, severity))
        return ++l->rows < ROWS_MAX;
    buf_init(&message, 4096);
    bool ok = write_message(&message, r);
    if (ok && (!l->search.n || str_search(buf_str(&message), l->search) >= 0)) {
        size_t bucket = l->step_us ? (size_t)((r->started_us - l->filter.since_us) / l->step_us) : 0;
        if (l->buckets && bucket < l->bucket_count)
            l->buckets[bucket][severity]++;
        if (l->total >= l->offset && l->total - l->offset < l->limit)
            write_line(&l->job->json, r, buf_str(&message), severity);
        l->total++;
    }
    buf_free(&message);
    return ++l->rows < ROWS_MAX;
}

/* The lines of one model API, into an array that is open. */
static enum err write_lines(struct model_log *l, struct str model)
{
    char config[128];
    enum err e;
    l->filter.config =
        str_of(config, (size_t)snprintf(config, sizeof config, "models/%.*s", STR_ARG(str_head(model, 100))));
    l->filter.before_id = 0;
    l->total = l->rows = 0;
    do {
        l->seen = 0;
        e = query_attempts(l->job->console->query, &l->filter, each_row, l);
        l->filter.before_id = l->last_id;
    } while (!e && l->seen == QUERY_LIMIT_MAX && l->rows < ROWS_MAX);
    return e;
}

static void write_chart(struct model_log *l)
{
    struct json_write *w = &l->job->json;
    static const char *const never[] = {"debug", "fatal", "trace", "unknown"};
    json_write_key(w, STR("chart"));
    json_write_array(w);
    for (size_t i = 0; i < l->bucket_count; i++) {
        uint32_t sum = 0;
        json_write_object(w);
        output_time(w, "timestamp", l->filter.since_us + (int64_t)i * l->step_us);
        for (unsigned s = 0; s < SEVERITY_COUNT; s++) {
            json_write_member_uint(w, severities[s].member, l->buckets[i][s]);
            sum += l->buckets[i][s];
        }
        for (size_t k = 0; k < sizeof never / sizeof never[0]; k++)
            json_write_member_uint(w, never[k], 0);
        json_write_member_uint(w, "count", sum);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static bool refuse(struct job *j, const char *param, const char *sentence)
{
    job_fail(j, ERR_BAD_PARAMETER, str_c(param), str_c(sentence));
    return false;
}

/* A time of the command line has no zone and is UTC. */
static bool read_time(struct job *j, const char *name, int64_t fallback, int64_t *ret)
{
    struct str text = job_query(j, str_c(name));
    *ret = fallback;
    return !text.n || clock_parse(text, ret) || refuse(j, name, "It is a time such as 2026-12-31T00:00:00.");
}

/* False when the job was answered. */
static bool read_parameters(struct job *j, struct model_log *l)
{
    uint64_t step_s;
    *l = (struct model_log){.job = j, .filter = query_filter_all()};
    if (!read_time(j, "end", clock_wall_us(), &l->filter.until_us) ||
        !read_time(j, "start", l->filter.until_us - HOUR_US, &l->filter.since_us))
        return false;
    int64_t span_us = l->filter.until_us - l->filter.since_us;
    if (span_us <= 0 || span_us > SPAN_MAX_US)
        return refuse(j, "start", "start is before end, by at most three days.");
    if (!job_query_u64(j, STR("limit"), 100, LINES_MAX, &l->limit))
        return refuse(j, "limit", "The limit is a number up to 1000.");
    if (!job_query_u64(j, STR("offset"), 0, ROWS_MAX, &l->offset))
        return refuse(j, "offset", "The offset is a number up to 200000.");
    if (!job_query_u64(j, STR("interval"), 60, 86400, &step_s) || !step_s ||
        span_us / 1000000 / (int64_t)step_s >= BUCKETS_MAX)
        return refuse(j, "interval", "The interval is in seconds, for at most 4400 steps.");
    l->step_us = (int64_t)step_s * 1000000;
    l->bucket_count = (size_t)(span_us / l->step_us) + 1;
    l->search = job_query(j, STR("search"));
    l->severity = job_query(j, STR("severity"));
    l->filter.trace_id = job_query(j, STR("traceId"));
    l->filter.workspace_id = j->workspace_id;
    l->filter.discarded = 0;
    l->filter.limit = QUERY_LIMIT_MAX;
    if (ledger_flush(j->console->settings.ledger, FLUSH_MS))
        log_debug("ledger_lags");
    return true;
}

/* "a,b,c", or all model APIs there are. */
static bool read_workloads(struct job *j, struct str names[WORKLOADS_MAX], size_t *ret_count)
{
    struct str list = job_query(j, STR("workloadIds")), name;
    struct model_row *rows = NULL;
    struct control_why why = {.param = ""};
    size_t count = 0;
    *ret_count = 0;
    while (list.n && *ret_count < WORKLOADS_MAX && str_split(&list, ',', &name))
        if (str_trim(name).n)
            names[(*ret_count)++] = str_trim(name);
    if (*ret_count)
        return true;
    enum err e = model_list(j->console->settings.control, j->workspace_id, j->arena, &rows, &count, &why);
    if (e)
        job_fail_why(j, e, &why);
    for (size_t i = 0; !e && i < count && i < WORKLOADS_MAX; i++)
        names[(*ret_count)++] = rows[i].name;
    return !e;
}

void model_logs_map(struct job *j)
{
    struct model_log l;
    struct str names[WORKLOADS_MAX], type = job_query(j, STR("resourceType"));
    struct json_write *w = &j->json;
    size_t count;
    enum err e = ERR_OK;
    if (!read_parameters(j, &l) || !read_workloads(j, names, &count))
        return;
    bool models = !type.n || str_eq(type, STR("models")) || str_eq(type, STR("model"));
    l.buckets = mem_alloc(l.bucket_count * sizeof *l.buckets);
    job_reply_json(j, 200);
    json_write_object(w);
    for (size_t i = 0; !e && i < count; i++) {
        memset(l.buckets, 0, l.bucket_count * sizeof *l.buckets);
        l.total = 0;
        json_write_key(w, names[i]);
        json_write_object(w);
        json_write_key(w, STR("logs"));
        json_write_array(w);
        if (models)
            e = write_lines(&l, names[i]);
        json_write_array_end(w);
        json_write_member_uint(w, "totalCount", l.total);
        write_chart(&l);
        json_write_object_end(w);
    }
    json_write_object_end(w);
    mem_free(l.buckets);
    if (e)
        job_fail(j, e, STR(""), str_c(query_reason()));
}

void model_logs_list(struct job *j)
{
    struct model_log l;
    if (!read_parameters(j, &l))
        return;
    job_reply_json(j, 200);
    json_write_array(&j->json);
    enum err e = write_lines(&l, j->params[0]);
    json_write_array_end(&j->json);
    if (e)
        job_fail(j, e, STR(""), str_c(query_reason()));
}
