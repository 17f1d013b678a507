/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger gives rows newest first, some thousand at a time. */
#include "console/blaxel/samples.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "console/console_inner.h"
#include "ledger/ledger.h"
#include "ledger/query.h"

#define FLUSH_MS 2000
#define NAMES_MAX 5000u
#define SLOTS 16384u /* a power of two above twice the names */
#define CONFIG_PREFIX "models/"

struct loading {
    struct job *job;
    struct samples *to;
    uint32_t *slots; /* index of a name plus one */
    int64_t last_id;
    size_t seen; /* rows of this page */
    size_t cap;
};

/* False when there are too many. */
static bool name_index(struct loading *l, struct str name, uint32_t *ret)
{
    struct samples *s = l->to;
    uint64_t at = str_hash(name) & (SLOTS - 1);
    for (; l->slots[at]; at = (at + 1) & (SLOTS - 1)) {
        *ret = l->slots[at] - 1;
        if (str_eq(s->names[*ret], name))
            return true;
    }
    struct str copy = arena_dup(l->job->arena, name);
    if (s->name_count == NAMES_MAX || !copy.p)
        return false;
    *ret = (uint32_t)s->name_count;
    s->names[s->name_count++] = copy;
    l->slots[at] = *ret + 1;
    return true;
}

static uint32_t cut(uint64_t v)
{
    return v < UINT32_MAX ? (uint32_t)v : UINT32_MAX;
}

static bool each_row(void *context, const struct record *r)
{
    struct loading *l = context;
    struct samples *s = l->to;
    uint32_t workload;
    l->last_id = r->id;
    l->seen++;
    if (!str_starts(r->routing.config, STR(CONFIG_PREFIX)) ||
        !name_index(l, str_from(r->routing.config, sizeof CONFIG_PREFIX - 1), &workload))
        return true;
    if (s->count == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 1024;
        s->list = mem_realloc(s->list, l->cap * sizeof *s->list);
    }
    s->list[s->count++] = (struct sample){.at_us = r->started_us,
                                          .total_us = r->total_us,
                                          .first_byte_us = r->first_byte_us,
                                          .input_tok = cut(r->usage.input_total_tok),
                                          .output_tok = cut(r->usage.output_total_tok),
                                          .workload = workload,
                                          .status = r->status,
                                          .stream = r->stream};
    return s->count < SAMPLES_MAX;
}

/* Ids are given when a request begins, by several workers: almost in order. */
static int newest_first(const void *a, const void *b)
{
    const struct sample *x = a, *y = b;
    return x->at_us > y->at_us ? -1 : x->at_us < y->at_us;
}

bool samples_load(struct job *j, struct str model, int64_t from_us, int64_t to_us, struct samples *ret)
{
    struct query_filter f = query_filter_all();
    struct loading l = {.job = j, .to = ret};
    char config[128];
    *ret = (struct samples){.names = arena_alloc(j->arena, NAMES_MAX * sizeof(struct str))};
    l.slots = mem_zalloc(SLOTS * sizeof *l.slots);
    must(ret->names != NULL);
    f.since_us = from_us;
    f.until_us = to_us;
    f.workspace_id = j->workspace_id;
    f.discarded = 0;
    f.limit = QUERY_LIMIT_MAX;
    if (model.n)
        f.config = str_of(config,
                          (size_t)snprintf(config, sizeof config, CONFIG_PREFIX "%.*s", STR_ARG(str_head(model, 100))));
    enum err e = ledger_flush(j->console->settings.ledger, FLUSH_MS);
    if (e)
        log_debug("ledger_lags");
    do {
        l.seen = 0;
        e = query_attempts(j->console->query, &f, each_row, &l);
        f.before_id = l.last_id;
    } while (!e && l.seen == QUERY_LIMIT_MAX && ret->count < SAMPLES_MAX);
    mem_free(l.slots);
    if (ret->count)
        qsort(ret->list, ret->count, sizeof *ret->list, newest_first);
    if (e)
        job_fail(j, e, STR(""), str_c(query_reason()));
    return !e;
}

void samples_free(struct samples *s)
{
    mem_free(s->list);
    s->list = NULL;
}

/* How many began at `at_us` or later: they stand in front. */
static size_t since(const struct samples *s, int64_t at_us)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->list[middle].at_us >= at_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct samples_span samples_between(const struct samples *s, int64_t from_us, int64_t to_us)
{
    size_t begin = since(s, to_us), end = since(s, from_us);
    return (struct samples_span){s->count ? s->list + begin : NULL, end > begin ? end - begin : 0};
}

bool samples_duration(const struct sample *s, uint64_t *ret_us)
{
    *ret_us = s->total_us;
    return true;
}

bool samples_first_token(const struct sample *s, uint64_t *ret_us)
{
    *ret_us = s->first_byte_us;
    return s->stream && s->first_byte_us > 0;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Nearest rank. */
static uint64_t at_percent(const uint64_t *sorted, size_t n, unsigned percent)
{
    size_t rank = (n * percent + 99) / 100;
    return n ? sorted[rank ? rank - 1 : 0] : 0;
}

struct samples_stats samples_stats_of(struct samples_span span, samples_value_fn *value, unsigned status)
{
    uint64_t *values = mem_alloc((span.count + 1) * sizeof *values), sum = 0;
    struct samples_stats stats = {0};
    for (size_t i = 0; i < span.count; i++) {
        if ((!status || span.list[i].status == status) && value(&span.list[i], &values[stats.count]))
            sum += values[stats.count++];
    }
    qsort(values, stats.count, sizeof *values, by_value);
    stats.average_us = stats.count ? sum / stats.count : 0;
    stats.p50_us = at_percent(values, stats.count, 50);
    stats.p90_us = at_percent(values, stats.count, 90);
    stats.p99_us = at_percent(values, stats.count, 99);
    mem_free(values);
    return stats;
}

size_t samples_codes(struct samples_span span, struct samples_code out[SAMPLES_CODES_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < span.count; i++) {
        unsigned status = span.list[i].status;
        size_t at = 0;
        while (at < n && out[at].status < status)
            at++;
        if (at < n && out[at].status == status) {
            out[at].count++;
        } else if (n < SAMPLES_CODES_MAX) {
            memmove(&out[at + 1], &out[at], (n - at) * sizeof *out);
            out[at] = (struct samples_code){status, 1};
            n++;
        }
    }
    return n;
}
