/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of time buckets. All matching rows are collected and sorted by bucket and group; then one
 * walk writes the page. Buckets begin at multiples of their width, days at midnight UTC.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "sim/http/apierr.h"
#include "sim/http/reply.h"
#include "sim/org/org.h"

struct width {
    const char *name;
    int64_t seconds;
    uint64_t count, max;
};

static const struct width widths[] = {{"1d", 86400, 7, 31}, {"1h", 3600, 24, 168}, {"1m", 60, 60, 1440}};
static const struct width cost_width = {"1d", 86400, 7, 180};

static const struct {
    const char *group, *filter;
    enum orgsum_dimension dimension;
} dimensions[] = {
    {"project_id", "project_ids", ORGSUM_BY_PROJECT},  {"user_id", "user_ids", ORGSUM_BY_USER},
    {"api_key_id", "api_key_ids", ORGSUM_BY_KEY},      {"model", "models", ORGSUM_BY_MODEL},
    {"service_tier", "service_tiers", ORGSUM_BY_TIER}, {"size", "sizes", ORGSUM_BY_SIZE},
    {"source", "sources", ORGSUM_BY_SOURCE},           {"line_item", "line_items", ORGSUM_BY_LINE},
};
#define DIMENSIONS (sizeof dimensions / sizeof dimensions[0])

static bool read_groups(struct call *c, struct org_query *q)
{
    static const char *const known[] = {"api_source", "vector_store_id", "context_level"};
    struct str names[16];
    size_t n = call_query_all(c, "group_by", names, 16);
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t k = 0; k < DIMENSIONS; k++) {
            if (!str_eq(names[i], str_c(dimensions[k].group)))
                continue;
            q->group |= 1u << dimensions[k].dimension;
            found = true;
        }
        if (str_eq(names[i], STR("batch")))
            found = q->group_batch = true;
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
            found |= str_eq(names[i], str_c(known[k]));
        if (!found) {
            apierr_invalid(c, "group_by", "Invalid value: '%.*s'.", STR_ARG(str_head(names[i], 40)));
            return false;
        }
    }
    return true;
}

static void read_filters(struct call *c, struct org_query *q)
{
    for (size_t k = 0; k < DIMENSIONS; k++) {
        enum orgsum_dimension d = dimensions[k].dimension;
        q->filters[d] = call_query_all(c, dimensions[k].filter, q->filter[d], ORG_FILTERS_MAX);
    }
    struct str batch = call_query(c, "batch");
    q->batch = !batch.p ? -1 : str_eq(batch, STR("true"));
}

static const struct width *read_width(struct call *c, bool only_days)
{
    struct str name = call_query(c, "bucket_width");
    if (only_days)
        return !name.p || str_eq(name, STR("1d")) ? &cost_width : NULL;
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++)
        if (name.p ? str_eq(name, str_c(widths[i].name)) : i == 0)
            return &widths[i];
    return NULL;
}

/* "page_" and the number of the first bucket in hexadecimal. */
static bool read_page(struct call *c, uint64_t *ret_first)
{
    struct str page = call_query(c, "page");
    *ret_first = 0;
    if (!page.n)
        return true;
    return str_starts(page, STR("page_")) && str_hex_to_u64(str_from(page, 5), ret_first);
}

bool org_query_read(struct call *c, struct org_query *q, bool only_days)
{
    uint64_t start = 0, end = (uint64_t)call_now(c) + 1;
    const struct width *width = read_width(c, only_days);
    *q = (struct org_query){.batch = -1};
    if (!str_to_u64(call_query(c, "start_time"), &start)) {
        apierr_missing(c, "start_time");
        return false;
    }
    struct str end_text = call_query(c, "end_time");
    if ((end_text.p && !str_to_u64(end_text, &end)) || end <= start || end > UINT32_MAX * UINT64_C(60)) {
        apierr_invalid(c, "end_time", "'end_time' must be after 'start_time'.");
        return false;
    }
    if (!width) {
        apierr_invalid(c, "bucket_width", "Invalid value for 'bucket_width'.");
        return false;
    }
    q->count = call_query_count(c, "limit", width->count);
    if (q->count < 1 || q->count > width->max) {
        apierr_invalid(c, "limit", "'limit' must be from 1 to %llu.", (unsigned long long)width->max);
        return false;
    }
    if (!read_page(c, &q->first)) {
        apierr_invalid(c, "page", "Invalid page token.");
        return false;
    }
    q->width = width->seconds;
    q->start = (int64_t)start / q->width * q->width;
    q->end = (int64_t)end;
    q->total = (uint64_t)((q->end - q->start + q->width - 1) / q->width);
    read_filters(c, q);
    return read_groups(c, q);
}

static bool passes(struct call *c, const struct org_query *q, const struct orgsum_row *r)
{
    for (unsigned d = 0; d < ORGSUM_DIMENSION_COUNT; d++) {
        bool found = q->filters[d] == 0;
        struct str text = str_c(orgsum_text(c->sim->orgsum, r->by[d]));
        for (size_t i = 0; i < q->filters[d] && !found; i++)
            found = str_eq(q->filter[d][i], text);
        if (!found)
            return false;
    }
    return q->batch < 0 || r->batch == (q->batch == 1);
}

static int compare_groups(const struct org_query *q, const struct org_match *a, const struct org_match *b)
{
    if (a->bucket != b->bucket)
        return a->bucket < b->bucket ? -1 : 1;
    for (unsigned d = 0; d < ORGSUM_DIMENSION_COUNT; d++)
        if (q->group >> d & 1 && a->row->by[d] != b->row->by[d])
            return a->row->by[d] < b->row->by[d] ? -1 : 1;
    return q->group_batch ? (int)a->row->batch - (int)b->row->batch : 0;
}

bool org_query_same(const struct org_query *q, const struct org_match *a, const struct org_match *b)
{
    return compare_groups(q, a, b) == 0;
}

static int compare(const void *a, const void *b, void *query)
{
    return compare_groups(query, a, b);
}

struct org_match *org_query_match(struct call *c, const struct org_query *q, uint8_t work, size_t *ret_n)
{
    struct org_match *found = NULL;
    size_t n = 0, cap = 0;
    const struct orgsum_row *r;
    int64_t from = q->start + (int64_t)q->first * q->width, to = from + (int64_t)q->count * q->width;
    for (uint32_t i = 0; (r = orgsum_row(c->sim->orgsum, i)) != NULL; i++) {
        int64_t at = (int64_t)r->minute * 60;
        if (r->work != work || at < from || at >= to || at >= q->end || !passes(c, q, r))
            continue;
        if (n == cap) {
            cap = cap ? cap * 2 : 256;
            found = mem_realloc(found, cap * sizeof *found);
        }
        found[n++] = (struct org_match){(uint64_t)((at - q->start) / q->width), r};
    }
    if (n)
        qsort_r(found, n, sizeof *found, compare, (void *)(uintptr_t)q);
    *ret_n = n;
    return found;
}

void org_query_answer(struct call *c, const struct org_query *q, struct org_match *matches, size_t n,
                      org_result_fn *write)
{
    struct reply r;
    struct json_write *w = reply_begin(&r);
    size_t at = 0;
    uint64_t last = q->first + q->count < q->total ? q->first + q->count : q->total;
    json_write_member_string(w, "object", STR("page"));
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (uint64_t b = q->first; b < last; b++) {
        int64_t start = q->start + (int64_t)b * q->width;
        json_write_object(w);
        json_write_member_string(w, "object", STR("bucket"));
        json_write_member_int(w, "start_time", start);
        json_write_member_int(w, "end_time", start + q->width);
        json_write_key(w, STR("results"));
        json_write_array(w);
        while (at < n && matches[at].bucket == b) {
            size_t end = at + 1;
            while (end < n && org_query_same(q, &matches[at], &matches[end]))
                end++;
            write(c, w, q, &matches[at], end - at);
            at = end;
        }
        json_write_array_end(w);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_write_member_bool(w, "has_more", last < q->total);
    if (last < q->total)
        json_write_member_string(w, "next_page", call_format(c, "page_%012llx", (unsigned long long)last));
    else
        json_write_member_null(w, "next_page");
    reply_send(c, &r, 200);
    mem_free(matches);
}

void org_write_dimension(struct call *c, struct json_write *w, const struct org_query *q, const char *name,
                         enum orgsum_dimension d, const struct orgsum_row *row)
{
    if (q->group >> d & 1)
        json_write_member_string(w, name, str_c(orgsum_text(c->sim->orgsum, row->by[d])));
    else
        json_write_member_null(w, name);
}
