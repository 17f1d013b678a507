/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports. First the combos that pass the filter, by id; then one pass over the rollups of the time
 * asked for, in which each combo leads straight to its group. Groups are kept in a hash table by the
 * numbers of their dimensions (texts by their ids) and sorted at the end.
 */
#include "ledger/query_cost.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "ledger/query_conn.h"
#include "ledger/rollup.h"
#include "ledger/schema.h"

#define FIRST_SLOTS 64
#define COMBOS_MAX 50000000 /* ids beyond are not ours */

/* The columns of combos, as they are selected. */
enum {
    COL_WORKSPACE,
    COL_KEY,
    COL_INTEGRATION,
    COL_OPERATION,
    COL_MODEL_ASKED,
    COL_MODEL_ANSWERED,
    COL_TIER,
    COL_STATUS_CLASS,
    COL_OUTCOME,
    COL_COST_STATE,
    COL_STREAM,
    COL_PROVIDER,
    COL_CONFIG,
    COL_CACHE,
    COL_DISCARDED,
    COL_COUNT
};

#define SELECT_COMBOS                                                                                      \
    "SELECT id, " ROLLUP_KEY_COLUMNS " FROM combos"                                                        \
    " WHERE (?1 = 0 OR workspace_id = ?1) AND (?2 = 0 OR key_id = ?2) AND (?3 = 0 OR integration_id = ?3)" \
    " AND (?4 = 0 OR model_asked = ?4 OR model_answered = ?4) AND (?5 = 0 OR operation = ?5)"              \
    " AND (?6 < 0 OR cost_state = ?6)"

#define SELECT_SUMS "SELECT hour, combo, " ROLLUP_SUM_COLUMNS " FROM rollups WHERE hour >= ?1 AND hour < ?2"

struct group {
    int64_t values[QUERY_DIMS_MAX];
    struct query_sums sums;
};

/* A combo that passes the filter. It is met once an hour, mostly for the same group as before. */
struct combo {
    int64_t values[COL_COUNT];
    struct group *group; /* of `bucket`; NULL = not looked up yet */
    int64_t bucket;
};

struct report {
    const struct query_cost *c;
    struct combo **combos; /* by id; owned; NULL = not wanted */
    size_t combo_count;
    struct group **slots; /* owned; NULL = empty */
    size_t slot_count, count;
};

static const struct {
    const char *text;
    bool is_text;
} dims[] = {
#define X(name, text, is_text, what) {text, is_text},
    QUERY_DIM_TABLE(X)
#undef X
};

const char *query_dim_text(enum query_dim d)
{
    must((unsigned)d < QUERY_DIM_COUNT);
    return dims[d].text;
}

bool query_dim_is_text(enum query_dim d)
{
    must((unsigned)d < QUERY_DIM_COUNT);
    return dims[d].is_text;
}

bool query_dim_parse(struct str text, enum query_dim *ret_dim)
{
    for (unsigned d = 0; d < QUERY_DIM_COUNT; d++) {
        if (str_eq(text, str_c(dims[d].text))) {
            *ret_dim = (enum query_dim)d;
            return true;
        }
    }
    return false;
}

/* --- groups ---------------------------------------------------------------------------------- */

static int64_t month_of(int64_t wall_us)
{
    struct clock_utc t = clock_utc_of(wall_us);
    return clock_wall_of((struct clock_utc){.year = t.year, .month = t.month, .day = 1});
}

static int64_t value_of(enum query_dim d, int64_t hour, const int64_t *v)
{
    switch (d) {
    case QUERY_DIM_HOUR:
        return hour * SCHEMA_HOUR_US;
    case QUERY_DIM_DAY:
        return hour / 24 * 24 * SCHEMA_HOUR_US;
    case QUERY_DIM_MONTH:
        return month_of(hour * SCHEMA_HOUR_US);
    case QUERY_DIM_WORKSPACE:
        return v[COL_WORKSPACE];
    case QUERY_DIM_KEY:
        return v[COL_KEY];
    case QUERY_DIM_INTEGRATION:
        return v[COL_INTEGRATION];
    case QUERY_DIM_OPERATION:
        return v[COL_OPERATION];
    case QUERY_DIM_MODEL_ASKED:
        return v[COL_MODEL_ASKED];
    case QUERY_DIM_MODEL_ANSWERED:
        return v[COL_MODEL_ANSWERED] ? v[COL_MODEL_ANSWERED] : v[COL_MODEL_ASKED];
    case QUERY_DIM_TIER:
        return v[COL_TIER];
    case QUERY_DIM_STATUS_CLASS:
        return v[COL_STATUS_CLASS];
    case QUERY_DIM_OUTCOME:
        return v[COL_OUTCOME];
    case QUERY_DIM_COST_STATE:
        return v[COL_COST_STATE];
    case QUERY_DIM_STREAM:
        return v[COL_STREAM];
    case QUERY_DIM_PROVIDER:
        return v[COL_PROVIDER];
    case QUERY_DIM_CONFIG:
        return v[COL_CONFIG];
    case QUERY_DIM_CACHE:
        return v[COL_CACHE];
    case QUERY_DIM_DISCARDED:
        return v[COL_DISCARDED];
    case QUERY_DIM_COUNT:
        break;
    }
    must(d < QUERY_DIM_COUNT);
    return 0;
}

/* Hours of one bucket belong to the same groups. */
static int64_t bucket_of(const struct query_cost *c, int64_t hour)
{
    int64_t bucket = 0;
    for (unsigned i = 0; i < c->dim_count; i++) {
        if (c->dims[i] == QUERY_DIM_HOUR)
            return hour + 1;
        if (c->dims[i] == QUERY_DIM_DAY)
            bucket = hour / 24 + 1;
        else if (c->dims[i] == QUERY_DIM_MONTH && !bucket)
            bucket = month_of(hour * SCHEMA_HOUR_US) / SCHEMA_HOUR_US + 1;
    }
    return bucket;
}

static struct group **find(const struct report *r, const int64_t *values)
{
    uint64_t hash = str_hash(str_of((const char *)values, sizeof(int64_t) * QUERY_DIMS_MAX));
    size_t i = hash & (r->slot_count - 1);
    while (r->slots[i] && memcmp(r->slots[i]->values, values, sizeof r->slots[i]->values) != 0)
        i = (i + 1) & (r->slot_count - 1);
    return &r->slots[i];
}

static void grow(struct report *r)
{
    struct group **old = r->slots;
    size_t old_count = r->slot_count;
    r->slot_count = old_count ? old_count * 2 : FIRST_SLOTS;
    r->slots = mem_zalloc(r->slot_count * sizeof *r->slots);
    for (size_t i = 0; i < old_count; i++)
        if (old[i])
            *find(r, old[i]->values) = old[i];
    mem_free(old);
}

static enum err find_group(struct report *r, struct combo *combo, int64_t hour)
{
    int64_t values[QUERY_DIMS_MAX] = {0};
    for (unsigned i = 0; i < r->c->dim_count; i++)
        values[i] = value_of(r->c->dims[i], hour, combo->values);
    if (r->count * 2 >= r->slot_count)
        grow(r);
    struct group **slot = find(r, values);
    if (!*slot) {
        if (r->count == QUERY_GROUPS_MAX)
            return ERR_BAD_PARAMETER;
        *slot = mem_zalloc(sizeof **slot);
        memcpy((*slot)->values, values, sizeof values);
        r->count++;
    }
    combo->group = *slot;
    return ERR_OK;
}

/* What follows from the combo: `attempts` of it, costing `cost` together. */
static void count_combo(struct query_sums *to, const int64_t *values, uint64_t attempts, money_sum cost)
{
    if (values[COL_OUTCOME] != RECORD_COMPLETED)
        to->errors += attempts;
    if (values[COL_COST_STATE] == COST_UNPRICED)
        to->unpriced += attempts;
    if (values[COL_COST_STATE] == COST_ESTIMATED) {
        to->estimated += attempts;
        to->estimated_pusd += cost;
    }
    if (values[COL_DISCARDED]) {
        to->discarded += attempts;
        to->wasted_pusd += cost;
    }
    if (values[COL_CACHE] == RECORD_CACHE_HIT || values[COL_CACHE] == RECORD_CACHE_SEMANTIC_HIT)
        to->cache_hits += attempts;
}

/* The rollup the statement stands at. */
static enum err add_rollup(struct report *r, struct store_stmt *st, int64_t hour, int64_t bucket)
{
    int64_t id = store_i64(st, 1);
    struct combo *combo = id >= 0 && (size_t)id < r->combo_count ? r->combos[id] : NULL;
    enum err e = ERR_OK;
    if (!combo)
        return ERR_OK;
    if (!combo->group || combo->bucket != bucket)
        e = find_group(r, combo, hour);
    if (e != ERR_OK)
        return e;
    combo->bucket = bucket;
    struct query_sums *to = &combo->group->sums;
    uint64_t attempts = (uint64_t)store_i64(st, 2);
    money_sum cost_before = to->sums.cost_pusd;
    e = rollup_add_to(st, 2, &to->sums);
    count_combo(to, combo->values, attempts, to->sums.cost_pusd - cost_before);
    return e;
}

/* --- the pass -------------------------------------------------------------------------------- */

/* The dim's id to compare with; 0 when the filter is not set. A text without an id matches nothing. */
static enum err filter_id(struct query_conn *c, enum schema_dim kind, struct str text, int64_t *ret_id)
{
    enum err e = row_dim_find(&c->reader, kind, text, ret_id);
    if (e == ERR_OK && *ret_id == SCHEMA_DIM_OTHER && !str_eq(text, STR(SCHEMA_DIM_OTHER_TEXT)))
        *ret_id = -1;
    return e;
}

static int64_t hour_below(int64_t until_us)
{
    return until_us > 0 ? until_us / SCHEMA_HOUR_US + (until_us % SCHEMA_HOUR_US > 0) : INT64_MAX;
}

static void keep_combo(struct report *r, struct store_stmt *st)
{
    int64_t id = store_i64(st, 0);
    if (id < 0 || id >= COMBOS_MAX)
        return;
    if ((size_t)id >= r->combo_count) {
        size_t count = ((size_t)id | 1023) + 1;
        r->combos = mem_realloc(r->combos, count * sizeof(struct combo *));
        for (size_t i = r->combo_count; i < count; i++)
            r->combos[i] = NULL;
        r->combo_count = count;
    }
    struct combo *combo = mem_zalloc(sizeof *combo);
    for (int i = 0; i < COL_COUNT; i++)
        combo->values[i] = store_i64(st, i + 1);
    r->combos[id] = combo;
}

static enum err gather_combos(struct report *r, struct query_conn *conn)
{
    const struct query_cost *c = r->c;
    struct store_stmt *st;
    int64_t model, operation;
    bool row;
    enum err e = filter_id(conn, SCHEMA_DIM_MODEL, c->model, &model);
    if (e == ERR_OK)
        e = filter_id(conn, SCHEMA_DIM_OPERATION, c->operation, &operation);
    if (e == ERR_OK)
        e = store_prepare(conn->db, SELECT_COMBOS, &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, c->workspace_id);
    store_bind_i64(st, 2, c->key_id);
    store_bind_i64(st, 3, c->integration_id);
    store_bind_i64(st, 4, model);
    store_bind_i64(st, 5, operation);
    store_bind_i64(st, 6, c->cost_state);
    while ((e = store_step(st, &row)) == ERR_OK && row)
        keep_combo(r, st);
    return e;
}

static enum err gather_sums(struct report *r, struct query_conn *conn)
{
    const struct query_cost *c = r->c;
    struct store_stmt *st;
    int64_t hour_before = -1, bucket = 0;
    bool row;
    enum err e = store_prepare(conn->db, SELECT_SUMS, &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, c->since_us > 0 ? c->since_us / SCHEMA_HOUR_US : 0);
    store_bind_i64(st, 2, hour_below(c->until_us));
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        int64_t hour = store_i64(st, 0);
        if (hour != hour_before)
            bucket = bucket_of(c, hour);
        hour_before = hour;
        e = add_rollup(r, st, hour, bucket);
        if (e != ERR_OK)
            break;
    }
    store_done(st);
    return e;
}

static struct query_sums total_of(const struct report *r)
{
    struct query_sums total = {.errors = 0};
    for (size_t i = 0; i < r->slot_count; i++) {
        const struct query_sums *s = r->slots[i] ? &r->slots[i]->sums : NULL;
        if (!s)
            continue;
        sums_add(&total.sums, &s->sums);
        total.errors += s->errors;
        total.unpriced += s->unpriced;
        total.estimated += s->estimated;
        total.estimated_pusd += s->estimated_pusd;
        total.discarded += s->discarded;
        total.wasted_pusd += s->wasted_pusd;
        total.cache_hits += s->cache_hits;
    }
    return total;
}

/* Most money first, then most attempts, then by the values, so that the order is always the same. */
static int compare(const void *a, const void *b)
{
    const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;
    if (x->sums.sums.cost_pusd != y->sums.sums.cost_pusd)
        return x->sums.sums.cost_pusd > y->sums.sums.cost_pusd ? -1 : 1;
    if (x->sums.sums.attempts != y->sums.sums.attempts)
        return x->sums.sums.attempts > y->sums.sums.attempts ? -1 : 1;
    for (unsigned i = 0; i < QUERY_DIMS_MAX; i++)
        if (x->values[i] != y->values[i])
            return x->values[i] < y->values[i] ? -1 : 1;
    return 0;
}

static enum err give(struct report *r, struct query_conn *conn, query_cost_fn *each, void *context)
{
    size_t n = 0;
    for (size_t i = 0; i < r->slot_count; i++)
        if (r->slots[i])
            r->slots[n++] = r->slots[i];
    r->slot_count = n; /* a list from here on */
    if (n)
        qsort(r->slots, n, sizeof(struct group *), compare);
    for (size_t i = 0; i < n; i++) {
        struct query_dim_value values[QUERY_DIMS_MAX];
        for (unsigned k = 0; k < r->c->dim_count; k++) {
            values[k] = (struct query_dim_value){.number = r->slots[i]->values[k], .text = STR("")};
            if (!query_dim_is_text(r->c->dims[k]))
                continue;
            enum err e = row_dim_text(&conn->reader, values[k].number, &values[k].text);
            if (e != ERR_OK)
                return e;
        }
        if (!each(context, values, &r->slots[i]->sums))
            break;
    }
    return ERR_OK;
}

static void report_done(struct report *r)
{
    for (size_t i = 0; i < r->slot_count; i++)
        mem_free(r->slots[i]);
    for (size_t i = 0; i < r->combo_count; i++)
        mem_free(r->combos[i]);
    mem_free(r->slots);
    mem_free(r->combos);
}

enum err query_cost(struct query *q, const struct query_cost *c, query_cost_fn *each, void *context,
                    struct query_sums *ret_total)
{
    struct report r = {.c = c};
    struct query_conn *conn;
    must(c->dim_count <= QUERY_DIMS_MAX);
    enum err e = query_begin(q, &conn);
    if (e != ERR_OK)
        return e;
    e = gather_combos(&r, conn);
    if (e == ERR_OK)
        e = gather_sums(&r, conn);
    struct query_sums total = total_of(&r);
    if (e == ERR_OK && each)
        e = give(&r, conn, each, context);
    if (e == ERR_OK)
        *ret_total = total;
    report_done(&r);
    return query_end(q, conn, e);
}
