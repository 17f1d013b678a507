/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spending in the form of Blaxel's account metrics: a total, groups by up to three dimensions, and for each
 * a series without holes. Beside Blaxel's dimensions there are ours: model, provider, connection, operation.
 *
 * What is grouped by billing dimension has a usage (tokens, seconds, images); others have a cost only,
 * as the units differ.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "console/blaxel/blaxel.h"
#include "console/blaxel/tenant.h"
#include "console/console_inner.h"
#include "console/native/filter.h"
#include "console/native/output.h"
#include "control/people/reach.h"
#include "ledger/ledger.h"
#include "ledger/query_cost.h"

#define DAY_US (INT64_C(86400) * 1000000)
#define FLUSH_MS 2000
#define GROUPS_MAX 2000
#define GROUP_DIMS_MAX 3
#define BUCKETS_MAX 1200
#define LIMIT_MAX_ROWS 100
#define CONFIG_PREFIX "models/"

enum resolution { HOURLY, DAILY, WEEKLY, MONTHLY };

/* Columns: name, text, the ledger's dimension (COUNT: none of its own). In the order they are shown in. */
#define ACCOUNT_DIMS(X)                                        \
    X(WORKSPACE, "workspace", QUERY_DIM_WORKSPACE)             \
    X(RESOURCE_TYPE, "resource_type", QUERY_DIM_CONFIG)        \
    X(RESOURCE_NAME, "resource_name", QUERY_DIM_CONFIG)        \
    X(RESOURCE_UUID, "resource_uuid", QUERY_DIM_CONFIG)        \
    X(BILLING_DIMENSION, "billing_dimension", QUERY_DIM_COUNT) \
    X(MODEL, "model", QUERY_DIM_MODEL_ANSWERED)                \
    X(PROVIDER, "provider", QUERY_DIM_PROVIDER)                \
    X(CONNECTION, "connection", QUERY_DIM_INTEGRATION)         \
    X(OPERATION, "operation", QUERY_DIM_OPERATION)

enum account_dim {
#define X(name, text, dim) DIM_##name,
    ACCOUNT_DIMS(X)
#undef X
        DIM_COUNT
};
static const struct {
    const char *text;
    enum query_dim dim;
} dims[] = {
#define X(name, text, dim) {text, dim},
    ACCOUNT_DIMS(X)
#undef X
};

struct account_group {
    struct str values[GROUP_DIMS_MAX];
    money_sum cost, *costs; /* one a bucket */
    uint64_t usage, *usages;
};

struct account_view {
    struct job *job;
    const struct names *names;
    int64_t from_us, to_us;
    enum resolution resolution;
    enum account_dim by[GROUP_DIMS_MAX];
    unsigned by_count;
    bool by_meter;
    struct query_cost query;
    int64_t *starts; /* of the buckets */
    size_t bucket_count;
    struct account_group *groups;
    size_t group_count;
    struct str only_type, only_name, only_meter;
    money_sum total;
    uint64_t total_usage;
    bool full;
};

static bool refuse(struct job *j, const char *param, const char *sentence)
{
    job_fail(j, ERR_BAD_PARAMETER, str_c(param), str_c(sentence));
    return false;
}

/* ---- time ---- */

static int64_t floor_of(enum resolution r, int64_t at_us)
{
    struct clock_utc t = clock_utc_of(at_us);
    int64_t day_us = at_us / DAY_US * DAY_US;
    switch (r) {
    case HOURLY:
        return at_us / 3600000000 * 3600000000;
    case DAILY:
        return day_us;
    case WEEKLY: /* Mondays; 1970-01-01 was a Thursday */
        return day_us - (day_us / DAY_US + 3) % 7 * DAY_US;
    case MONTHLY:
        return clock_wall_of((struct clock_utc){.year = t.year, .month = t.month, .day = 1});
    }
    return at_us;
}

static int64_t next_of(enum resolution r, int64_t start_us)
{
    static const int64_t lengths[] = {DAY_US / 24, DAY_US, 7 * DAY_US, 31 * DAY_US};
    return floor_of(r, start_us + lengths[r]);
}

static bool make_buckets(struct account_view *v)
{
    v->starts = arena_alloc(v->job->arena, BUCKETS_MAX * sizeof *v->starts);
    must(v->starts != NULL);
    for (int64_t at = floor_of(v->resolution, v->from_us); at < v->to_us; at = next_of(v->resolution, at)) {
        if (v->bucket_count == BUCKETS_MAX)
            return refuse(v->job, "startTime", "The time is too long for this resolution.");
        v->starts[v->bucket_count++] = at;
    }
    return true;
}

static bool read_resolution(struct account_view *v)
{
    static const char *const names[] = {"hourly", "daily", "weekly", "monthly"};
    static const int64_t longest[] = {7 * DAY_US, 90 * DAY_US, 366 * DAY_US, INT64_MAX};
    struct str text = job_query(v->job, STR("resolution"));
    int64_t span_us = v->to_us - v->from_us;
    unsigned at = 0;
    if (!text.n) {
        v->resolution = span_us < 7 * DAY_US     ? HOURLY
                        : span_us < 90 * DAY_US  ? DAILY
                        : span_us < 365 * DAY_US ? WEEKLY
                                                 : MONTHLY;
        return make_buckets(v);
    }
    while (at < 4 && !str_eq(text, str_c(names[at])))
        at++;
    if (at == 4)
        return refuse(v->job, "resolution", "The resolution is hourly, daily, weekly or monthly.");
    if (span_us > longest[at])
        return refuse(v->job, "resolution", "hourly goes with at most 7 days, daily with 90, weekly with a year.");
    v->resolution = (enum resolution)at;
    return make_buckets(v);
}

static bool read_time(struct account_view *v)
{
    struct job *j = v->job;
    if (!filter_time(j, STR("endTime"), clock_wall_us(), &v->to_us) ||
        !filter_time(j, STR("startTime"), v->to_us - DAY_US, &v->from_us))
        return false;
    if (v->from_us >= v->to_us || v->from_us < 0)
        return refuse(j, "startTime", "startTime is before endTime.");
    return read_resolution(v);
}

/* ---- what is grouped by ---- */

static void add_query_dim(struct query_cost *q, enum query_dim d)
{
    for (unsigned i = 0; i < q->dim_count; i++)
        if (q->dims[i] == d)
            return;
    q->dims[q->dim_count++] = d;
}

static bool is_grouped(const struct account_view *v, enum account_dim d)
{
    for (unsigned i = 0; i < v->by_count; i++)
        if (v->by[i] == d)
            return true;
    return false;
}

/* In the order of the table, whatever the order of the words. */
static bool read_groups(struct account_view *v)
{
    struct str rest = job_query(v->job, STR("groupBy")), word;
    bool wanted[DIM_COUNT] = {false};
    while (rest.n && str_split(&rest, ',', &word)) {
        unsigned d = 0;
        while (d < DIM_COUNT && !str_eq(str_trim(word), str_c(dims[d].text)))
            d++;
        if (d == DIM_COUNT)
            return refuse(v->job, "groupBy", "Unknown dimension; see /metrics/enums/group-by.");
        wanted[d] = true;
    }
    for (unsigned d = 0; d < DIM_COUNT; d++) {
        if (!wanted[d])
            continue;
        if (v->by_count == GROUP_DIMS_MAX)
            return refuse(v->job, "groupBy", "At most three dimensions.");
        v->by[v->by_count++] = (enum account_dim)d;
        if (dims[d].dim != QUERY_DIM_COUNT)
            add_query_dim(&v->query, dims[d].dim);
    }
    v->by_meter = wanted[DIM_BILLING_DIMENSION];
    return true;
}

/* Other workspaces are for owners. */
static bool read_workspace(struct account_view *v)
{
    struct job *j = v->job;
    bool grouped = is_grouped(v, DIM_WORKSPACE), named = job_query(j, STR("workspace")).n > 0;
    bool owns = reach_organizes(j->key, KIND_ROLE_OWNER);
    if ((grouped || named) && !owns) {
        job_fail(j, ERR_FORBIDDEN, STR("workspace"), STR("Only owners may ask about workspaces."));
        return false;
    }
    bool all = owns && !named && !j->blaxel.workspace.n;
    v->query.workspace_id = all ? 0 : j->workspace_id;
    return true;
}

/* ---- adding up ---- */

static struct str config_name_of(struct str config)
{
    return str_starts(config, STR(CONFIG_PREFIX)) ? str_from(config, sizeof CONFIG_PREFIX - 1) : STR("");
}

static const struct query_dim_value *value_of(const struct account_view *v, const struct query_dim_value *values,
                                              enum query_dim d)
{
    for (unsigned i = 0; i < v->query.dim_count; i++)
        if (v->query.dims[i] == d)
            return &values[i];
    return NULL;
}

static struct str text_of(const struct account_view *v, enum account_dim d, const struct query_dim_value *values,
                          struct str meter)
{
    if (d == DIM_BILLING_DIMENSION)
        return meter;
    const struct query_dim_value *value = value_of(v, values, dims[d].dim);
    switch (d) {
    case DIM_WORKSPACE:
        return names_workspace(v->names, value->number);
    case DIM_CONNECTION:
        return names_integration(v->names, value->number);
    case DIM_RESOURCE_TYPE:
        return config_name_of(value->text).n ? STR("model") : STR("");
    case DIM_RESOURCE_NAME:
    case DIM_RESOURCE_UUID:
        return config_name_of(value->text);
    default:
        return value->text;
    }
}

static struct account_group *group_of(struct account_view *v, const struct query_dim_value *values, struct str meter)
{
    struct str wanted[GROUP_DIMS_MAX] = {{0}};
    for (unsigned i = 0; i < v->by_count; i++)
        wanted[i] = text_of(v, v->by[i], values, meter);
    for (size_t n = 0; n < v->group_count; n++) {
        bool same = true;
        for (unsigned i = 0; same && i < v->by_count; i++)
            same = str_eq(v->groups[n].values[i], wanted[i]);
        if (same)
            return &v->groups[n];
    }
    if (v->group_count == GROUPS_MAX)
        return NULL;
    struct account_group *g = &v->groups[v->group_count];
    g->costs = arena_alloc(v->job->arena, v->bucket_count * sizeof *g->costs);
    g->usages = arena_alloc(v->job->arena, v->bucket_count * sizeof *g->usages);
    if (!g->costs || !g->usages)
        return NULL;
    for (unsigned i = 0; i < v->by_count; i++)
        g->values[i] = arena_dup(v->job->arena, wanted[i]);
    v->group_count++;
    return g;
}

static void add(struct account_view *v, const struct query_dim_value *values, struct str meter, money_sum cost,
                unsigned __int128 usage)
{
    int64_t start_us = floor_of(v->resolution, values[v->query.dim_count - 1].number);
    size_t bucket = 0;
    uint64_t quantity = usage > UINT64_MAX ? UINT64_MAX : (uint64_t)usage;
    struct account_group *g = group_of(v, values, meter);
    v->full |= g == NULL;
    while (bucket + 1 < v->bucket_count && v->starts[bucket + 1] <= start_us)
        bucket++;
    if (!g)
        return;
    g->cost += cost;
    g->usage += quantity;
    g->costs[bucket] += cost;
    g->usages[bucket] += quantity;
    v->total += cost;
    v->total_usage += quantity;
}

static bool is_left_out(const struct account_view *v, const struct query_dim_value *values)
{
    if (!v->only_type.n && !v->only_name.n)
        return false;
    struct str name = config_name_of(value_of(v, values, QUERY_DIM_CONFIG)->text);
    bool type =
        !v->only_type.n || (name.n && (str_eq(v->only_type, STR("model")) || str_eq(v->only_type, STR("models"))));
    return !type || (v->only_name.n && !str_eq(v->only_name, name));
}

static bool each_group(void *context, const struct query_dim_value *values, const struct query_sums *sums)
{
    struct account_view *v = context;
    if (is_left_out(v, values))
        return true;
    if (!v->by_meter && !v->only_meter.n) {
        add(v, values, STR(""), sums->sums.cost_pusd, 0);
        return !v->full;
    }
    for (unsigned m = 0; m < METER_COUNT; m++) {
        struct str meter = str_c(meter_info((enum meter)m)->text);
        if ((sums->sums.quantity[m] || sums->sums.part_pusd[m]) && (!v->only_meter.n || str_eq(v->only_meter, meter)))
            add(v, values, meter, sums->sums.part_pusd[m], sums->sums.quantity[m]);
    }
    return !v->full;
}

/* ---- writing ---- */

static int dearest_first(const void *a, const void *b)
{
    const struct account_group *x = a, *y = b;
    if (x->cost != y->cost)
        return x->cost > y->cost ? -1 : 1;
    int by_value = 0;
    for (unsigned i = 0; i < GROUP_DIMS_MAX && !by_value; i++)
        by_value = str_cmp(x->values[i], y->values[i]);
    return by_value;
}

static void write_group(const struct account_view *v, const struct account_group *g)
{
    struct json_write *w = &v->job->json;
    json_write_object(w);
    for (unsigned i = 0; i < v->by_count; i++)
        json_write_member_string(w, dims[v->by[i]].text, g->values[i]);
    json_write_key(w, STR("summary"));
    json_write_object(w);
    json_write_member_money(w, "cost", g->cost);
    if (v->by_meter)
        json_write_member_uint(w, "usage", g->usage);
    json_write_object_end(w);
    json_write_key(w, STR("timeseries"));
    json_write_array(w);
    for (size_t i = 0; i < v->bucket_count; i++) {
        json_write_object(w);
        output_time(w, "timestamp", v->starts[i]);
        json_write_member_money(w, "cost", g->costs ? g->costs[i] : 0);
        if (v->by_meter)
            json_write_member_uint(w, "usage", g->usages ? g->usages[i] : 0);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_write_object_end(w);
}

static void reply(struct account_view *v, uint64_t limit, uint64_t skip)
{
    static const char *const names[] = {"hourly", "daily", "weekly", "monthly"};
    struct job *j = v->job;
    struct json_write *w = &j->json;
    char cursor[24] = "";
    if (!v->group_count && !v->by_count)
        v->group_count = 1; /* nothing was spent, and that is a series of zeros */
    qsort(v->groups, v->group_count, sizeof *v->groups, dearest_first);
    bool more = v->group_count > skip + limit;
    if (more)
        snprintf(cursor, sizeof cursor, "%llu", (unsigned long long)(skip + limit));
    job_reply_json(j, 200);
    json_write_object(w);
    output_time(w, "startTime", v->from_us);
    output_time(w, "endTime", v->to_us);
    json_write_member_string(w, "resolution", str_c(names[v->resolution]));
    json_write_key(w, STR("summary"));
    json_write_object(w);
    json_write_member_money(w, "totalCost", v->total);
    if (v->by_meter && v->by_count == 1)
        json_write_member_uint(w, "totalUsage", v->total_usage);
    json_write_object_end(w);
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = skip; i < v->group_count && i - skip < limit; i++)
        write_group(v, &v->groups[i]);
    json_write_array_end(w);
    json_write_key(w, STR("meta"));
    json_write_object(w);
    json_write_member_bool(w, "hasMore", more);
    json_write_member_string(w, "nextCursor", str_c(cursor));
    json_write_object_end(w);
    json_write_object_end(w);
}

void account_metrics_get(struct job *j)
{
    struct account_view v = {.job = j, .query = {.cost_state = -1}};
    uint64_t limit, skip;
    v.only_type = job_query(j, STR("resourceType"));
    v.only_name = job_query(j, STR("resourceName"));
    v.only_meter = job_query(j, STR("billingDimension"));
    if (!v.only_name.n)
        v.only_name = job_query(j, STR("resourceUuid"));
    if (!read_time(&v) || !read_groups(&v) || !read_workspace(&v))
        return;
    if (!job_query_u64(j, STR("limit"), LIMIT_MAX_ROWS, LIMIT_MAX_ROWS, &limit) || !limit ||
        !job_query_u64(j, STR("cursor"), 0, GROUPS_MAX, &skip)) {
        refuse(j, "limit", "The limit is a number from 1 to 100, the cursor one that was given out here.");
        return;
    }
    if (v.only_type.n || v.only_name.n)
        add_query_dim(&v.query, QUERY_DIM_CONFIG);
    add_query_dim(&v.query, v.resolution == HOURLY ? QUERY_DIM_HOUR : QUERY_DIM_DAY);
    v.query.since_us = v.from_us;
    v.query.until_us = v.to_us;
    v.names = names_load(j);
    v.groups = mem_zalloc(GROUPS_MAX * sizeof *v.groups);
    struct query_sums ignored;
    if (ledger_flush(j->console->settings.ledger, FLUSH_MS))
        log_debug("ledger_lags");
    enum err e = query_cost(j->console->query, &v.query, each_group, &v, &ignored);
    if (e)
        job_fail(j, e, STR(""), str_c(query_reason()));
    else if (v.full)
        refuse(j, "groupBy", "There are too many groups; ask for less time or fewer dimensions.");
    else
        reply(&v, limit, skip);
    mem_free(v.groups);
}

/* ---- what there is to choose from ---- */

void account_metrics_group_by(struct job *j)
{
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_key(w, STR("values"));
    json_write_array(w);
    for (unsigned d = 0; d < DIM_COUNT; d++)
        json_write_string(w, str_c(dims[d].text));
    json_write_array_end(w);
    json_write_object_end(w);
}

void account_metrics_types(struct job *j)
{
    job_reply_bytes(j, 200, STR("application/json"), STR("{\"values\":[\"model\"]}"));
}
