/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports. One pass over the rollups of the time asked for; groups are gathered in a hash table by
 * the numbers of their dimensions (texts by their ids) and sorted at the end.
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

/* Columns of the statement; the sums follow. */
enum {
    COL_HOUR,
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
    COL_SUMS
};

#define SELECT                                                                                                 \
    "SELECT r.hour, c.workspace_id, c.key_id, c.integration_id, c.operation, c.model_asked, c.model_answered," \
    " c.service_tier, c.status_class, c.outcome, c.cost_state, c.stream, r." ROLLUP_SUM_COLUMNS                \
    " FROM rollups r JOIN combos c ON c.id = r.combo"                                                          \
    " WHERE r.hour >= ?1 AND r.hour < ?2"                                                                      \
    " AND (?3 = 0 OR c.workspace_id = ?3) AND (?4 = 0 OR c.key_id = ?4)"                                       \
    " AND (?5 = 0 OR c.integration_id = ?5)"                                                                   \
    " AND (?6 = 0 OR c.model_asked = ?6 OR c.model_answered = ?6) AND (?7 = 0 OR c.operation = ?7)"            \
    " AND (?8 < 0 OR c.cost_state = ?8)"

struct group {
    int64_t values[QUERY_DIMS_MAX];
    struct query_sums sums;
};

struct report {
    const struct query_cost *c;
    struct group **slots; /* owned; NULL = empty */
    size_t slot_count, count;
    struct query_sums total;
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

static int64_t value_of(enum query_dim d, struct store_stmt *st)
{
    int64_t hour = store_i64(st, COL_HOUR);
    switch (d) {
    case QUERY_DIM_HOUR:
        return hour * SCHEMA_HOUR_US;
    case QUERY_DIM_DAY:
        return hour / 24 * 24 * SCHEMA_HOUR_US;
    case QUERY_DIM_MONTH:
        return month_of(hour * SCHEMA_HOUR_US);
    case QUERY_DIM_WORKSPACE:
        return store_i64(st, COL_WORKSPACE);
    case QUERY_DIM_KEY:
        return store_i64(st, COL_KEY);
    case QUERY_DIM_INTEGRATION:
        return store_i64(st, COL_INTEGRATION);
    case QUERY_DIM_OPERATION:
        return store_i64(st, COL_OPERATION);
    case QUERY_DIM_MODEL_ASKED:
        return store_i64(st, COL_MODEL_ASKED);
    case QUERY_DIM_MODEL_ANSWERED:
        return store_i64(st, store_i64(st, COL_MODEL_ANSWERED) ? COL_MODEL_ANSWERED : COL_MODEL_ASKED);
    case QUERY_DIM_TIER:
        return store_i64(st, COL_TIER);
    case QUERY_DIM_STATUS_CLASS:
        return store_i64(st, COL_STATUS_CLASS);
    case QUERY_DIM_OUTCOME:
        return store_i64(st, COL_OUTCOME);
    case QUERY_DIM_COST_STATE:
        return store_i64(st, COL_COST_STATE);
    case QUERY_DIM_STREAM:
        return store_i64(st, COL_STREAM);
    case QUERY_DIM_COUNT:
        break;
    }
    must(d < QUERY_DIM_COUNT);
    return 0;
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

static void add(struct query_sums *to, const struct sums *s, int64_t outcome, int64_t cost_state)
{
    sums_add(&to->sums, s);
    if (outcome != RECORD_COMPLETED)
        to->errors += s->attempts;
    if (cost_state == COST_UNPRICED)
        to->unpriced += s->attempts;
    if (cost_state == COST_ESTIMATED) {
        to->estimated += s->attempts;
        to->estimated_pusd += s->cost_pusd;
    }
}

static enum err add_row(struct report *r, struct store_stmt *st)
{
    int64_t values[QUERY_DIMS_MAX] = {0};
    struct sums s;
    enum err e = rollup_read(st, COL_SUMS, &s);
    if (e != ERR_OK)
        return e;
    for (unsigned i = 0; i < r->c->dim_count; i++)
        values[i] = value_of(r->c->dims[i], st);
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
    add(&(*slot)->sums, &s, store_i64(st, COL_OUTCOME), store_i64(st, COL_COST_STATE));
    add(&r->total, &s, store_i64(st, COL_OUTCOME), store_i64(st, COL_COST_STATE));
    return ERR_OK;
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

static enum err gather(struct report *r, struct query_conn *conn)
{
    const struct query_cost *c = r->c;
    struct store_stmt *st;
    int64_t model, operation;
    bool row;
    enum err e = filter_id(conn, SCHEMA_DIM_MODEL, c->model, &model);
    if (e == ERR_OK)
        e = filter_id(conn, SCHEMA_DIM_OPERATION, c->operation, &operation);
    if (e == ERR_OK)
        e = store_prepare(conn->db, SELECT, &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, c->since_us > 0 ? c->since_us / SCHEMA_HOUR_US : 0);
    store_bind_i64(st, 2, hour_below(c->until_us));
    store_bind_i64(st, 3, c->workspace_id);
    store_bind_i64(st, 4, c->key_id);
    store_bind_i64(st, 5, c->integration_id);
    store_bind_i64(st, 6, model);
    store_bind_i64(st, 7, operation);
    store_bind_i64(st, 8, c->cost_state);
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        e = add_row(r, st);
        if (e != ERR_OK)
            break;
    }
    store_done(st);
    return e;
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

enum err query_cost(struct query *q, const struct query_cost *c, query_cost_fn *each, void *context,
                    struct query_sums *ret_total)
{
    struct report r = {.c = c};
    struct query_conn *conn;
    must(c->dim_count <= QUERY_DIMS_MAX);
    enum err e = query_begin(q, &conn);
    if (e != ERR_OK)
        return e;
    e = gather(&r, conn);
    if (e == ERR_OK && each)
        e = give(&r, conn, each, context);
    if (e == ERR_OK)
        *ret_total = r.total;
    for (size_t i = 0; i < r.slot_count; i++)
        mem_free(r.slots[i]);
    mem_free(r.slots);
    return query_end(q, conn, e);
}
