/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /metrics, in Prometheus' text format.
 *
 * A worker answers this by itself, so it must be quick: the counts by label are added up in memory,
 * the text of each combination's labels is made once, and lines are put together by copying. With
 * the most combinations there can be (SERIES_MAX) it is some 10,000 lines.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/digits.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/utf8.h"
#include "console/console_inner.h"
#include "console/native/native.h"
#include "gateway/cache/cache.h"
#include "gateway/gateway.h"
#include "gateway/limits/limits.h"
#include "gateway/series.h"
#include "ledger/ledger.h"
#include "net/http_client.h"
#include "report/import/import.h"
#include "report/notify/notify.h"
#include "report/otlp/otlp.h"
#include "report/watch/watch.h"

#define LABELS_MAX 1024 /* of one combination: five short names, escaped */
#define NUMBER_MAX 40

static void put(struct job *j, struct str s)
{
    bool ok = buf_add_str(&j->reply, s);
    (void)ok; /* a few megabytes of sixty-four */
}

static void put_head(struct job *j, const char *name, const char *kind, const char *help)
{
    bool ok = buf_printf(&j->reply, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
    (void)ok;
}

static void put_metric(struct job *j, const char *name, const char *kind, const char *help, uint64_t v)
{
    put_head(j, name, kind, help);
    bool ok = buf_printf(&j->reply, "%s %llu\n", name, (unsigned long long)v);
    (void)ok;
}

/* --- labels ---------------------------------------------------------------------------------- */

struct row {
    char labels[LABELS_MAX]; /* workspace="…",provider="…",…, without braces */
    size_t n;
    struct series_values *values;
};

static void add_label(struct row *r, const char *name, struct str value)
{
    size_t at = r->n;
    int head = snprintf(r->labels + at, LABELS_MAX - at, "%s%s=\"", at ? "," : "", name);
    at += (size_t)head;
    for (size_t i = 0; i < value.n && at + 4 < LABELS_MAX; i++) {
        char c = value.p[i];
        if (c == '\\' || c == '"' || c == '\n')
            r->labels[at++] = '\\';
        r->labels[at++] = c == '\n' ? 'n' : c;
    }
    must(at + 1 < LABELS_MAX);
    r->labels[at++] = '"';
    r->n = at;
}

/* "SEMANTIC HIT" as "semantic_hit" */
static struct str cache_label(enum record_cache cache, char room[32])
{
    str_copy(room, 32, str_c(record_cache_text(cache)));
    for (char *p = room; *p; p++)
        *p = *p == ' ' ? '_' : (char)(*p >= 'A' && *p <= 'Z' ? *p | 0x20 : *p);
    return str_c(room);
}

static struct str workspace_label(const struct snapshot *s, int64_t id, char room[NUMBER_MAX])
{
    const struct snapshot_workspace *w = snapshot_workspace_of(s, id);
    if (w)
        return w->name;
    return id ? str_of(room, digits_decimal((uint64_t)id, room)) : STR("none");
}

static struct str provider_label(const struct snapshot *s, const struct series_sample *sample)
{
    if (sample->provider.n)
        return sample->provider;
    const struct snapshot_integration *i = snapshot_integration_of(s, sample->integration_id);
    return i ? str_c(kind_integration_text(i->kind)) : STR("none");
}

/* Names come from callers and providers: what is not UTF-8 is no label. */
static struct str as_label(struct str name)
{
    return utf8_valid(name) ? name : STR("unknown");
}

static void fill_labels(struct row *r, const struct snapshot *s, const struct series_sample *sample)
{
    static const char *const classes[SERIES_CLASSES] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    char number[NUMBER_MAX], cache[32];
    struct str other = STR("other");
    bool o = sample->other;
    r->n = 0;
    add_label(r, "workspace", o ? other : workspace_label(s, sample->workspace_id, number));
    add_label(r, "provider", o ? other : as_label(provider_label(s, sample)));
    add_label(r, "model", o ? other : as_label(sample->model));
    add_label(r, "status", str_c(classes[sample->status_class]));
    add_label(r, "cache", o ? other : cache_label(sample->cache, cache));
}

/* Combinations that have one text (two accounts of one kind) become one. */
static unsigned make_rows(struct row *rows, const struct snapshot *s, struct series_sum *sum)
{
    unsigned count, made = 0;
    struct series_sample *samples = series_sum_get(sum, &count);
    for (unsigned i = 0; i < count; i++) {
        struct row *r = &rows[made];
        unsigned same = 0;
        fill_labels(r, s, &samples[i]);
        while (same < made && !str_eq(str_of(rows[same].labels, rows[same].n), str_of(r->labels, r->n)))
            same++;
        if (same < made) {
            series_add(rows[same].values, &samples[i].values);
            continue;
        }
        r->values = &samples[i].values;
        made++;
    }
    return made;
}

/* --- lines ----------------------------------------------------------------------------------- */

/* name{labels,extra} value */
static void put_line(struct job *j, struct str name, const struct row *r, struct str extra, struct str value)
{
    put(j, name);
    put(j, STR("{"));
    put(j, str_of(r->labels, r->n));
    put(j, extra);
    put(j, STR("} "));
    put(j, value);
    put(j, STR("\n"));
}

static void put_count(struct job *j, struct str name, const struct row *r, struct str extra, uint64_t v)
{
    char digits[DIGITS_DECIMAL_MAX];
    put_line(j, name, r, extra, str_of(digits, digits_decimal(v, digits)));
}

/* v / 10^digits without trailing zeros: exact, and no floating point. */
static struct str decimal(uint64_t v, unsigned digits, char out[NUMBER_MAX])
{
    uint64_t unit = 1;
    for (unsigned i = 0; i < digits; i++)
        unit *= 10;
    int n = snprintf(out, NUMBER_MAX, "%llu.%0*llu", (unsigned long long)(v / unit), (int)digits,
                     (unsigned long long)(v % unit));
    while (out[n - 1] == '0')
        n--;
    return str_of(out, (size_t)(out[n - 1] == '.' ? n - 1 : n));
}

#define MICRO 6
#define NANO 9

static void put_histogram(struct job *j, const struct row *r, struct str name, enum series_histogram h,
                          const struct str *les)
{
    char text[80], number[NUMBER_MAX];
    uint64_t total = 0;
    struct str bucket = str_of(text, (size_t)snprintf(text, sizeof text, "%.*s_bucket", STR_ARG(name)));
    for (int b = 0; b <= SERIES_BUCKETS; b++) {
        total += r->values->bucket[h][b];
        put_count(j, bucket, r, les[b], total);
    }
    struct str sum = str_of(text, (size_t)snprintf(text, sizeof text, "%.*s_sum", STR_ARG(name)));
    put_line(j, sum, r, STR(""), decimal(r->values->sum_us[h], MICRO, number));
    struct str count = str_of(text, (size_t)snprintf(text, sizeof text, "%.*s_count", STR_ARG(name)));
    put_count(j, count, r, STR(""), total);
}

static void put_histograms(struct job *j, const struct row *rows, unsigned count)
{
    static const char *const names[][2] = {
#define X(name, text, help) {text, help},
        SERIES_HISTOGRAM_TABLE(X)
#undef X
    };
    for (int h = 0; h < SERIES_HISTOGRAM_COUNT; h++) {
        char texts[SERIES_BUCKETS + 1][NUMBER_MAX + 8], number[NUMBER_MAX];
        struct str les[SERIES_BUCKETS + 1];
        for (int b = 0; b <= SERIES_BUCKETS; b++) {
            struct str bound =
                b < SERIES_BUCKETS ? decimal(series_bounds((enum series_histogram)h)[b], MICRO, number) : STR("+Inf");
            int n = snprintf(texts[b], sizeof texts[b], ",le=\"%.*s\"", STR_ARG(bound));
            les[b] = str_of(texts[b], (size_t)n);
        }
        put_head(j, names[h][0], "histogram", names[h][1]);
        for (unsigned i = 0; i < count; i++)
            put_histogram(j, &rows[i], str_c(names[h][0]), (enum series_histogram)h, les);
    }
}

static void put_counters(struct job *j, const struct row *rows, unsigned count)
{
    char number[NUMBER_MAX];
    put_head(j, "tollgate_attempts_total", "counter", "Exchanges with a provider, and answers from the cache.");
    for (unsigned i = 0; i < count; i++)
        put_count(j, STR("tollgate_attempts_total"), &rows[i], STR(""), rows[i].values->attempts);
    put_head(j, "tollgate_attempts_unpriced_total", "counter", "Those that have usage but no price.");
    for (unsigned i = 0; i < count; i++)
        put_count(j, STR("tollgate_attempts_unpriced_total"), &rows[i], STR(""), rows[i].values->unpriced);
    /* Gauges by type: readers put "_total" behind counters that do not end in it, and these names are known as they are. */
    put_head(j, "llm_cost_sum", "gauge", "Cost so far, in dollars, of what has a price.");
    for (unsigned i = 0; i < count; i++)
        put_line(j, STR("llm_cost_sum"), &rows[i], STR(""), decimal(rows[i].values->cost_nusd, NANO, number));
    put_head(j, "llm_token_sum", "gauge", "Tokens so far, as the provider counts them.");
    for (unsigned i = 0; i < count; i++) {
        put_count(j, STR("llm_token_sum"), &rows[i], STR(",type=\"input\""), rows[i].values->input_tok);
        put_count(j, STR("llm_token_sum"), &rows[i], STR(",type=\"output\""), rows[i].values->output_tok);
    }
}

static void put_series(struct job *j, const struct gateway *g)
{
    struct series_sum *sum = series_sum_new();
    gateway_series(g, sum);
    struct row *rows = mem_alloc(SERIES_MAX * sizeof *rows);
    unsigned count = make_rows(rows, j->snapshot, sum);
    put_counters(j, rows, count);
    put_histograms(j, rows, count);
    mem_free(rows);
    series_sum_free(sum);
}

/* --- the parts of the program ---------------------------------------------------------------- */

static void put_gateway(struct job *j, const struct gateway *g)
{
#define X(id, name, kind, help) put_metric(j, name, kind, help, gateway_metric(g, METRIC_##id));
    METRICS_TABLE(X)
#undef X
    put_series(j, g);
}

static void put_ledger(struct job *j)
{
    struct ledger_status s;
    ledger_status(j->console->settings.ledger, &s);
    put_metric(j, "tollgate_ledger_rows_total", "counter", "Rows stored in the ledger by this process.", s.rows_stored);
    put_metric(j, "tollgate_ledger_lag_bytes", "gauge", "Journal bytes that are not in the ledger yet.", s.lag_bytes);
    put_metric(j, "tollgate_ledger_spool_bytes", "gauge", "Size of the journal files.", s.spool_bytes);
    put_metric(j, "tollgate_ledger_open_attempts", "gauge", "Attempts that have begun and not ended.", s.open_attempts);
    put_metric(j, "tollgate_ledger_store_failing", "gauge", "1 while the ledger's database cannot be written.",
               s.store_failing);
    put_metric(j, "tollgate_ledger_store_failures_total", "counter", "Ledger transactions that had to be repeated.",
               s.store_failures);
    put_metric(j, "tollgate_journal_records_lost_total", "counter", "Records that could not be written to a journal.",
               s.records_lost);
    put_metric(j, "tollgate_journal_damaged_bytes_total", "counter", "Journal bytes that could not be read.",
               s.damaged_bytes);
}

static void put_cache(struct job *j, struct cache *c)
{
    struct cache_stats s;
    cache_stats_of(c, &s);
    put_metric(j, "tollgate_cache_entries", "gauge", "Answers kept in memory.", s.entries);
    put_metric(j, "tollgate_cache_memory_bytes", "gauge", "Memory they take.", s.memory_bytes);
    put_metric(j, "tollgate_cache_disk_entries", "gauge", "Answers kept on the disk.", s.disk_entries);
    put_metric(j, "tollgate_cache_disk_bytes", "gauge", "Room they take.", s.disk_bytes);
    put_metric(j, "tollgate_cache_vectors", "gauge", "Questions that are found by meaning.", s.vectors);
    put_metric(j, "tollgate_cache_evictions_total", "counter", "Answers dropped to make room.", s.evictions);
    put_metric(j, "tollgate_cache_dropped_total", "counter", "Answers that did not reach the disk.", s.dropped);
}

static void put_limits(struct job *j, const struct limits *l)
{
    struct limits_counts n;
    limits_count(l, &n);
    put_metric(j, "tollgate_limits_refused_budget_total", "counter", "Requests refused by a budget.", n.refused_budget);
    put_metric(j, "tollgate_limits_refused_rate_total", "counter", "Requests refused by a rate limit.", n.refused_rate);
    put_metric(j, "tollgate_limits_refused_cap_total", "counter", "Requests refused by a cap on tokens.",
               n.refused_cap);
    put_metric(j, "tollgate_limits_refused_full_total", "counter", "Requests refused for want of a counter.",
               n.refused_counters);
    put_metric(j, "tollgate_limits_alerts_total", "counter", "Alert thresholds that were crossed.", n.alerts);
    put_metric(j, "tollgate_limits_unpriced_total", "counter", "Attempts without a price, counted at the ceiling.",
               n.unpriced);
    put_metric(j, "tollgate_limits_beyond_total", "counter", "Attempts that used more than a hard limit had reserved.",
               n.beyond);
    put_metric(j, "tollgate_limits_counters", "gauge", "Counters of rules and their groups.", n.counters);
    put_metric(j, "tollgate_limits_holds", "gauge", "Attempts under way that have something reserved.", n.holds);
}

static void put_watch(struct job *j, struct watch *w)
{
    struct watch_counts c;
    watch_count(w, &c);
    uint64_t age = c.done_us ? (uint64_t)((clock_wall_us() - c.done_us) / 1000000) : 0;
    put_metric(j, "tollgate_watch_age_seconds", "gauge", "Since alerts were last looked at; 0 before that.", age);
    put_metric(j, "tollgate_watch_busy", "gauge", "1 while alerts are looked at.", c.busy);
    put_metric(j, "tollgate_watch_turns_total", "counter", "Times that alerts were looked at.", c.turns);
    put_metric(j, "tollgate_watch_failures_total", "counter", "Kinds of alerts that could not be looked at.", c.failed);
    put_metric(j, "tollgate_watch_fired_total", "counter", "Alerts and notifications that were said.", c.fired);
}

static void put_import(struct job *j, struct import *im)
{
    struct import_counts c;
    import_count(im, &c);
    int64_t age_us = c.oldest_success_us ? clock_wall_us() - c.oldest_success_us : 0;
    put_metric(j, "tollgate_import_accounts", "gauge", "Admin keys whose bill is imported.", c.accounts);
    put_metric(j, "tollgate_import_failing", "gauge", "Those of them whose last import failed.", c.failing);
    put_metric(j, "tollgate_import_age_seconds", "gauge",
               "Since the last good import of the account that has waited longest; 0 before there is one.",
               age_us > 0 ? (uint64_t)age_us / 1000000 : 0);
    put_metric(j, "tollgate_import_pulls_total", "counter", "Imports that have ended.", c.pulls);
    put_metric(j, "tollgate_import_failures_total", "counter", "Those of them that failed.", c.failed);
    put_metric(j, "tollgate_import_rows_total", "counter", "Rows of costs and usage that were read.", c.rows);
    put_metric(j, "tollgate_import_requests_total", "counter", "Requests to OpenAI's administration API.", c.requests);
    put_metric(j, "tollgate_import_limited_total", "counter", "Those of them that were answered with 429.", c.limited);
}

static void put_otlp(struct job *j, struct otlp *o)
{
    struct otlp_status s;
    otlp_status(o, &s);
    put_metric(j, "tollgate_otlp_spans_total", "counter", "Spans that the collector has taken.", s.exported);
    put_metric(j, "tollgate_otlp_spans_rejected_total", "counter", "Spans that the collector did not want.",
               s.rejected);
    put_metric(j, "tollgate_otlp_rows_gone_total", "counter", "Rows removed before the collector took them.", s.gone);
    put_metric(j, "tollgate_otlp_failures_total", "counter", "Batches that the collector did not take.", s.failed);
    put_metric(j, "tollgate_otlp_waiting_rows", "gauge", "Rows that are not sent to the collector yet.", s.waiting);
    put_metric(j, "tollgate_otlp_lag_seconds", "gauge", "Age of the oldest of them.", s.lag_seconds);
    put_metric(j, "tollgate_otlp_failing", "gauge", "1 while the collector takes nothing.", s.failing);
}

/* One line for each channel. */
static void put_notify(struct job *j, struct notify *n)
{
    static const struct {
        const char *name, *kind, *help;
    } metrics[] = {{"tollgate_notify_sent_total", "counter", "Messages to people that somebody has taken."},
                   {"tollgate_notify_failed_total", "counter", "Messages that were given up."},
                   {"tollgate_notify_tries_total", "counter", "Tries to send one."},
                   {"tollgate_notify_waiting", "gauge", "Messages that wait to be sent."}};
    struct notify_counts counts[NOTIFY_CHANNEL_COUNT];
    notify_count(n, counts);
    for (size_t m = 0; m < sizeof metrics / sizeof metrics[0]; m++) {
        put_head(j, metrics[m].name, metrics[m].kind, metrics[m].help);
        for (unsigned i = 0; i < NOTIFY_CHANNEL_COUNT; i++) {
            const uint64_t values[] = {counts[i].sent, counts[i].failed, counts[i].tries, counts[i].waiting};
            bool ok = buf_printf(&j->reply, "%s{channel=\"%s\"} %llu\n", metrics[m].name, notify_channel_text(i),
                                 (unsigned long long)values[m]);
            (void)ok;
        }
    }
}

void prometheus_metrics(struct job *j)
{
    const struct console_settings *s = &j->console->settings;
    struct gateway *g = j->console->gateway;
    job_reply_bytes(j, 200, STR("text/plain; version=0.0.4; charset=utf-8"), STR(""));
    if (g)
        put_gateway(j, g);
    put_ledger(j);
    if (s->cache)
        put_cache(j, s->cache);
    if (s->limits)
        put_limits(j, s->limits);
    if (s->otlp)
        put_otlp(j, s->otlp);
    if (s->import)
        put_import(j, s->import);
    if (s->watch)
        put_watch(j, s->watch);
    if (s->notify)
        put_notify(j, s->notify);
}
