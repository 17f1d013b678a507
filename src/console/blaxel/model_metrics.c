/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics of model APIs in the form that Blaxel published last. Durations are milliseconds. "Previous" is
 * the time of the same length before. What a gateway has nothing to say about (memory, billable time,
 * countries) is left out or empty.
 */
#include <stdio.h>

#include "base/clock.h"
#include "console/blaxel/blaxel.h"
#include "console/blaxel/samples.h"
#include "console/blaxel/tenant.h"
#include "console/console_inner.h"
#include "console/native/filter.h"
#include "console/native/output.h"
#include "control/model/model.h"

#define SECOND_US INT64_C(1000000)
#define WINDOW_US (24 * 3600 * SECOND_US)
#define WINDOW_MAX_US (366 * WINDOW_US)
#define BUCKETS_DEFAULT 24
#define BUCKETS_MAX 2000
#define LAST_REQUESTS 20

struct metrics_view {
    struct job *job;
    struct samples all;
    int64_t from_us, to_us, step_us;
    struct samples_span now, previous;
};

/* ---- numbers ---- */

static void member_decimal(struct json_write *w, const char *name, uint64_t micro)
{
    char text[40];
    int n = snprintf(text, sizeof text, "%llu.%06llu", (unsigned long long)(micro / 1000000),
                     (unsigned long long)(micro % 1000000));
    json_write_member_raw(w, name, str_of(text, (size_t)n));
}

static void member_ms(struct json_write *w, const char *name, uint64_t us)
{
    member_decimal(w, name, us * 1000);
}

/* Requests a second, in millionths. */
static uint64_t rate(size_t count, int64_t length_us)
{
    return length_us > 0 ? (uint64_t)((unsigned __int128)count * 1000000 * 1000000 / (uint64_t)length_us) : 0;
}

static void write_code_key(struct json_write *w, unsigned status)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%u", status);
    json_write_key(w, str_of(text, (size_t)n));
}

/* ---- parts ---- */

static void write_counts(struct json_write *w, const char *total, const char *per_code, struct samples_span span)
{
    struct samples_code codes[SAMPLES_CODES_MAX];
    size_t n = samples_codes(span, codes);
    json_write_member_uint(w, total, span.count);
    json_write_key(w, str_c(per_code));
    json_write_object(w);
    for (size_t i = 0; i < n; i++) {
        write_code_key(w, codes[i].status);
        json_write_uint(w, codes[i].count);
    }
    json_write_object_end(w);
}

static void write_rates(struct json_write *w, const char *total, const char *per_code, struct samples_span span,
                        int64_t length_us)
{
    struct samples_code codes[SAMPLES_CODES_MAX];
    char name[16];
    size_t n = samples_codes(span, codes);
    member_decimal(w, total, rate(span.count, length_us));
    json_write_key(w, str_c(per_code));
    json_write_object(w);
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%u", codes[i].status);
        member_decimal(w, name, rate(codes[i].count, length_us));
    }
    json_write_object_end(w);
}

static void write_stats(struct json_write *w, struct samples_stats s)
{
    member_ms(w, "average", s.average_us);
    member_ms(w, "p50", s.p50_us);
    member_ms(w, "p90", s.p90_us);
    member_ms(w, "p99", s.p99_us);
}

/* Powers of two of a millisecond; empty ones are left out. */
static void write_histogram(struct json_write *w, struct samples_span span, samples_value_fn *value, unsigned status)
{
    size_t counts[40] = {0};
    for (size_t i = 0; i < span.count; i++) {
        uint64_t us;
        unsigned bin = 0;
        if ((status && span.list[i].status != status) || !value(&span.list[i], &us))
            continue;
        while (bin < 39 && us >= UINT64_C(1000) << bin)
            bin++;
        counts[bin]++;
    }
    json_write_array(w);
    for (unsigned bin = 0; bin < 40; bin++) {
        if (!counts[bin])
            continue;
        json_write_object(w);
        json_write_member_uint(w, "start", bin ? UINT64_C(1) << (bin - 1) : 0);
        json_write_member_uint(w, "end", UINT64_C(1) << bin);
        json_write_member_uint(w, "count", counts[bin]);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void write_latency(struct json_write *w, const char *name, struct samples_span span, samples_value_fn *value)
{
    struct samples_code codes[SAMPLES_CODES_MAX];
    size_t n = samples_codes(span, codes);
    json_write_key(w, str_c(name));
    json_write_object(w);
    json_write_key(w, STR("globalStats"));
    json_write_object(w);
    write_stats(w, samples_stats_of(span, value, 0));
    json_write_object_end(w);
    json_write_key(w, STR("globalHistogram"));
    write_histogram(w, span, value, 0);
    json_write_key(w, STR("statsPerCode"));
    json_write_object(w);
    for (size_t i = 0; i < n; i++) {
        write_code_key(w, codes[i].status);
        json_write_object(w);
        write_stats(w, samples_stats_of(span, value, codes[i].status));
        json_write_object_end(w);
    }
    json_write_object_end(w);
    json_write_key(w, STR("histogramPerCode"));
    json_write_object(w);
    for (size_t i = 0; i < n; i++) {
        write_code_key(w, codes[i].status);
        write_histogram(w, span, value, codes[i].status);
    }
    json_write_object_end(w);
    json_write_object_end(w);
}

/* Calls `each` for every bucket of the time, oldest first. */
static void for_buckets(const struct metrics_view *v, const char *name,
                        void (*each)(struct json_write *w, struct samples_span span, int64_t length_us))
{
    struct json_write *w = &v->job->json;
    json_write_key(w, str_c(name));
    json_write_array(w);
    for (int64_t at = v->from_us; at < v->to_us; at += v->step_us) {
        int64_t end = at + v->step_us < v->to_us ? at + v->step_us : v->to_us;
        json_write_object(w);
        output_time(w, "timestamp", at);
        each(w, samples_between(&v->all, at, end), end - at);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void bucket_requests(struct json_write *w, struct samples_span span, int64_t length_us)
{
    json_write_member_uint(w, "requestTotal", span.count);
    member_decimal(w, "rate", rate(span.count, length_us));
}

static void bucket_errors(struct json_write *w, struct samples_span span, int64_t length_us)
{
    size_t errors = 0;
    for (size_t i = 0; i < span.count; i++)
        errors += span.list[i].status >= 400 || !span.list[i].status;
    json_write_member_uint(w, "requestTotal", errors);
    member_decimal(w, "rate", rate(errors, length_us));
}

static void bucket_durations(struct json_write *w, struct samples_span span, int64_t length_us)
{
    (void)length_us;
    write_stats(w, samples_stats_of(span, samples_duration, 0));
}

static void bucket_first_tokens(struct json_write *w, struct samples_span span, int64_t length_us)
{
    (void)length_us;
    write_stats(w, samples_stats_of(span, samples_first_token, 0));
}

static void sum_tokens(struct samples_span span, uint64_t *ret_input, uint64_t *ret_output)
{
    *ret_input = *ret_output = 0;
    for (size_t i = 0; i < span.count; i++) {
        *ret_input += span.list[i].input_tok;
        *ret_output += span.list[i].output_tok;
    }
}

static void bucket_tokens_in(struct json_write *w, struct samples_span span, int64_t length_us)
{
    uint64_t in, out;
    sum_tokens(span, &in, &out);
    (void)length_us;
    json_write_member_uint(w, "tokenTotal", in);
}

static void bucket_tokens_out(struct json_write *w, struct samples_span span, int64_t length_us)
{
    uint64_t in, out;
    sum_tokens(span, &in, &out);
    (void)length_us;
    json_write_member_uint(w, "tokenTotal", out);
}

static void bucket_tokens(struct json_write *w, struct samples_span span, int64_t length_us)
{
    uint64_t in, out;
    sum_tokens(span, &in, &out);
    (void)length_us;
    json_write_member_uint(w, "tokenTotal", in + out);
}

static void write_tokens(const struct metrics_view *v)
{
    struct json_write *w = &v->job->json;
    uint64_t in, out, n = v->now.count ? v->now.count : 1;
    sum_tokens(v->now, &in, &out);
    json_write_key(w, STR("tokenTotal"));
    json_write_object(w);
    json_write_member_uint(w, "tokenInput", in);
    json_write_member_uint(w, "tokenOutput", out);
    json_write_member_uint(w, "tokenTotal", in + out);
    member_decimal(w, "averageTokenInputPerRequest", in * 1000000 / n);
    member_decimal(w, "averageTokenOutputPerRequest", out * 1000000 / n);
    member_decimal(w, "averageTokenPerRequest", (in + out) * 1000000 / n);
    json_write_object_end(w);
    json_write_key(w, STR("tokenRate"));
    json_write_object(w);
    for_buckets(v, "tokenRate", bucket_tokens);
    for_buckets(v, "tokenRateInput", bucket_tokens_in);
    for_buckets(v, "tokenRateOutput", bucket_tokens_out);
    json_write_object_end(w);
}

static void write_last(const struct metrics_view *v)
{
    struct json_write *w = &v->job->json;
    json_write_key(w, STR("lastNRequests"));
    json_write_array(w);
    for (size_t i = 0; i < v->now.count && i < LAST_REQUESTS; i++) {
        const struct sample *s = &v->now.list[i];
        json_write_object(w);
        output_time(w, "date", s->at_us);
        json_write_member_uint(w, "statusCode", s->status);
        json_write_member_string(w, "workloadId", v->all.names[s->workload]);
        json_write_member_string(w, "workloadType", STR("models"));
        json_write_member_string(w, "workspace", tenant_name(v->job));
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

/* ---- handlers ---- */

/* The time that is asked about. False when the job was answered. */
static bool read_view(struct job *j, struct metrics_view *v)
{
    uint64_t step_s;
    *v = (struct metrics_view){.job = j};
    int64_t now_us = clock_wall_us();
    if (!filter_time(j, STR("endTime"), now_us, &v->to_us) ||
        !filter_time(j, STR("startTime"), v->to_us - WINDOW_US, &v->from_us))
        return false;
    int64_t length_us = v->to_us - v->from_us;
    if (length_us <= 0 || length_us > WINDOW_MAX_US) {
        job_fail(j, ERR_BAD_PARAMETER, STR("startTime"), STR("startTime is before endTime, by at most 366 days."));
        return false;
    }
    uint64_t default_s = (uint64_t)(length_us / SECOND_US / BUCKETS_DEFAULT);
    if (!job_query_u64(j, STR("interval"), default_s ? default_s : 1, 366 * 86400, &step_s) || !step_s ||
        (uint64_t)(length_us / SECOND_US) / step_s > BUCKETS_MAX) {
        job_fail(j, ERR_BAD_PARAMETER, STR("interval"), STR("The interval is in seconds, for at most 2000 steps."));
        return false;
    }
    v->step_us = (int64_t)step_s * SECOND_US;
    return true;
}

static bool load(struct metrics_view *v, struct str model)
{
    int64_t length_us = v->to_us - v->from_us;
    if (!samples_load(v->job, model, v->from_us - length_us, v->to_us, &v->all))
        return false;
    v->now = samples_between(&v->all, v->from_us, v->to_us);
    v->previous = samples_between(&v->all, v->from_us - length_us, v->from_us);
    return true;
}

static void write_model_metrics(const struct metrics_view *v)
{
    struct json_write *w = &v->job->json;
    int64_t length_us = v->to_us - v->from_us;
    json_write_object(w);
    output_time(w, "startTime", v->from_us);
    output_time(w, "endTime", v->to_us);
    write_counts(w, "requestTotal", "requestTotalPerCode", v->now);
    write_counts(w, "requestTotalPrevious", "requestTotalPerCodePrevious", v->previous);
    write_rates(w, "rps", "rpsPerCode", v->now, length_us);
    write_rates(w, "rpsPrevious", "rpsPerCodePrevious", v->previous, length_us);
    for_buckets(v, "inferenceGlobal", bucket_requests);
    for_buckets(v, "inferenceErrorsGlobal", bucket_errors);
    write_last(v);
    write_latency(w, "latency", v->now, samples_duration);
    write_latency(w, "latencyPrevious", v->previous, samples_duration);
    json_write_key(w, STR("requestDurationOverTime"));
    json_write_object(w);
    for_buckets(v, "requestDurationOverTime", bucket_durations);
    json_write_object_end(w);
    write_latency(w, "modelTtft", v->now, samples_first_token);
    json_write_key(w, STR("modelTtftOverTime"));
    json_write_object(w);
    for_buckets(v, "timeToFirstTokenOverTime", bucket_first_tokens);
    json_write_object_end(w);
    write_tokens(v);
    json_write_member_raw(w, "requestTotalByOrigin", STR("{}"));
    json_write_object_end(w);
}

void model_metrics_get(struct job *j)
{
    struct metrics_view v;
    struct model_row m;
    struct control_why why = {.param = ""};
    enum err e = model_find(j->console->settings.control, j->workspace_id, j->params[0], j->arena, &m, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    if (!read_view(j, &v))
        return;
    if (load(&v, m.name)) {
        job_reply_json(j, 200);
        write_model_metrics(&v);
    }
    samples_free(&v.all);
}

/* One row for each model API and status. */
static void write_items(const struct metrics_view *v)
{
    struct json_write *w = &v->job->json;
    size_t counts[600];
    json_write_key(w, STR("items"));
    json_write_array(w);
    for (size_t name = 0; name < v->all.name_count; name++) {
        memset(counts, 0, sizeof counts);
        for (size_t i = 0; i < v->now.count; i++)
            if (v->now.list[i].workload == name && v->now.list[i].status < 600)
                counts[v->now.list[i].status]++;
        for (unsigned status = 0; status < 600; status++) {
            if (!counts[status])
                continue;
            json_write_object(w);
            json_write_member_string(w, "workloadId", v->all.names[name]);
            json_write_member_string(w, "workloadType", STR("models"));
            json_write_member_string(w, "workspace", tenant_name(v->job));
            json_write_member_uint(w, "statusCode", status);
            json_write_member_uint(w, "requestTotal", counts[status]);
            json_write_object_end(w);
        }
    }
    json_write_array_end(w);
}

void model_metrics_workspace(struct job *j)
{
    struct metrics_view v;
    struct json_write *w = &j->json;
    if (!read_view(j, &v))
        return;
    if (load(&v, STR(""))) {
        int64_t length_us = v.to_us - v.from_us;
        job_reply_json(j, 200);
        json_write_object(w);
        output_time(w, "startTime", v.from_us);
        output_time(w, "endTime", v.to_us);
        write_items(&v);
        json_write_key(w, STR("models"));
        json_write_object(w);
        write_counts(w, "requestTotal", "requestTotalPerCode", v.now);
        write_rates(w, "rps", "rpsPerCode", v.now, length_us);
        json_write_object_end(w);
        static const char *const others[] = {"agents", "functions", "jobs", "sandboxes"};
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
            json_write_member_raw(w, others[i], STR("{}"));
        for_buckets(&v, "inferenceGlobal", bucket_requests);
        for_buckets(&v, "inferenceErrorGlobal", bucket_errors);
        write_last(&v);
        write_counts(w, "requestTotal", "requestTotalPerCode", v.now);
        write_rates(w, "rps", "rpsPerCode", v.now, length_us);
        json_write_object_end(w);
    }
    samples_free(&v.all);
}
