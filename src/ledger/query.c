/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading rows.
 *
 * A trace, a span, a request and a key have indices. For every other filter that the rollups know (model,
 * operation, status class, outcome, cost state, workspace, integration, provider, config, cache,
 * discarded) the rollups say which hours
 * have such rows at all; only those hours are read, newest first, until the page is full. So the
 * first page of a rare kind of row does not cost a walk over all rows.
 *
 * The statement is put together from literals, one condition per filter in use; values are bound.
 */
#include "ledger/query.h"

#include "base/buf.h"
#include "base/must.h"
#include "ledger/query_conn.h"
#include "ledger/schema.h"

#define LIMIT_DEFAULT 100
#define SQL_MAX 4096

/* The values of all conditions; every statement of this file uses the same numbers for them. */
enum {
    AT_FROM = 1, /* id, inclusive */
    AT_BELOW,    /* id, exclusive */
    AT_LIMIT,
    AT_WORKSPACE,
    AT_KEY,
    AT_INTEGRATION,
    AT_REQUEST,
    AT_MODEL_ID,
    AT_MODEL_TEXT,
    AT_OPERATION_ID,
    AT_OPERATION_TEXT,
    AT_TRACE,
    AT_STATUS,
    AT_STATUS_CLASS,
    AT_OUTCOME,
    AT_COST_STATE,
    AT_SPAN,
    AT_CONFIG_ID,
    AT_CONFIG_TEXT,
    AT_PROVIDER_ID,
    AT_PROVIDER_TEXT,
    AT_CACHE,
    AT_DISCARDED,
    AT_COUNT
};

struct search {
    struct query_conn *c;
    const struct query_filter *f;
    query_row_fn *each;
    void *context;
    int64_t from_id, below_id;
    int64_t model_id, operation_id, config_id, provider_id;
    struct row_packed trace, span;
    unsigned left; /* rows still wanted */
    bool enough;   /* the caller has said so */
};

struct query_filter query_filter_all(void)
{
    return (struct query_filter){.model = STR(""),
                                 .operation = STR(""),
                                 .trace_id = STR(""),
                                 .outcome = -1,
                                 .cost_state = -1,
                                 .cache = -1,
                                 .discarded = -1};
}

static void put(struct buf *sql, const char *text)
{
    bool fits = buf_add_str(sql, str_c(text));
    must(fits);
}

/* Prepares the text that has been put together, and frees it. */
static enum err prepare(struct search *s, struct buf *sql, struct store_stmt **ret)
{
    bool fits = buf_add_byte(sql, '\0');
    must(fits);
    enum err e = store_prepare_once(s->c->db, buf_str(sql).p, ret);
    buf_free(sql);
    return e;
}

static enum err search_init(struct search *s, struct query_conn *c, const struct query_filter *f)
{
    s->c = c;
    s->f = f;
    s->from_id = f->since_us > 0 ? record_id_floor(f->since_us) : 0;
    s->below_id = f->until_us > 0 ? record_id_floor(f->until_us) : INT64_MAX;
    if (f->before_id > 0 && f->before_id < s->below_id)
        s->below_id = f->before_id;
    s->left = f->limit ? f->limit : LIMIT_DEFAULT;
    if (s->left > QUERY_LIMIT_MAX)
        s->left = QUERY_LIMIT_MAX;
    row_pack(f->trace_id, &s->trace);
    row_pack(f->span_id, &s->span);
    enum err e = row_dim_find(&c->reader, SCHEMA_DIM_MODEL, f->model, &s->model_id);
    if (e == ERR_OK)
        e = row_dim_find(&c->reader, SCHEMA_DIM_OPERATION, f->operation, &s->operation_id);
    if (e == ERR_OK)
        e = row_dim_find(&c->reader, SCHEMA_DIM_CONFIG, f->config, &s->config_id);
    if (e == ERR_OK)
        e = row_dim_find(&c->reader, SCHEMA_DIM_PROVIDER, f->provider, &s->provider_id);
    return e;
}

/* Named by the record, or else that of the integration; `none` is how the table says "not named". */
static void put_provider(struct buf *sql, const struct query_filter *f, const char *none)
{
    must(f->provider_integration_count <= QUERY_INTEGRATIONS_MAX);
    put(sql, " AND (provider IN (?20, ?21)");
    for (size_t i = 0; i < f->provider_integration_count; i++) {
        put(sql, i ? ", " : none);
        bool fits = buf_printf(sql, "%lld", (long long)f->provider_integrations[i]);
        must(fits);
    }
    put(sql, f->provider_integration_count ? ")))" : ")");
}

/* Those that say how an attempt was routed; columns are named alike in `attempts` and `combos`, but for what is none. */
static void put_routing(struct buf *sql, const struct query_filter *f, bool combos)
{
    if (f->config.n)
        put(sql, " AND config IN (?18, ?19)");
    if (f->provider.n)
        put_provider(sql, f,
                     combos ? " OR (provider = 0 AND integration_id IN ("
                            : " OR (provider IS NULL AND integration_id IN (");
    if (f->cache >= 0)
        put(sql, combos ? " AND cache = ?22" : " AND ifnull(cache, 0) = ?22");
    if (f->discarded >= 0)
        put(sql, combos ? " AND discarded = ?23" : " AND ifnull(discarded, 0) = ?23");
}

static void bind_routing(struct store_stmt *st, const struct search *s)
{
    const struct query_filter *f = s->f;
    if (f->config.n) {
        store_bind_i64(st, AT_CONFIG_ID, s->config_id);
        store_bind_text(st, AT_CONFIG_TEXT, f->config);
    }
    if (f->provider.n) {
        store_bind_i64(st, AT_PROVIDER_ID, s->provider_id);
        store_bind_text(st, AT_PROVIDER_TEXT, f->provider);
    }
    if (f->cache >= 0)
        store_bind_i64(st, AT_CACHE, f->cache);
    if (f->discarded >= 0)
        store_bind_i64(st, AT_DISCARDED, f->discarded);
}

/* The conditions of the filter on columns named as in `attempts`; each begins with AND. */
static void put_conditions(struct buf *sql, const struct query_filter *f)
{
    if (f->workspace_id)
        put(sql, " AND workspace_id = ?4");
    if (f->key_id)
        put(sql, " AND key_id = ?5");
    if (f->integration_id)
        put(sql, " AND integration_id = ?6");
    if (f->request_id)
        put(sql,
            " AND id IN (SELECT id FROM attempts WHERE id = ?7 UNION SELECT id FROM attempts WHERE request_id = ?7)");
    if (f->model.n)
        put(sql, " AND (model_asked IN (?8, ?9) OR model_answered IN (?8, ?9))");
    if (f->operation.n)
        put(sql, " AND operation IN (?10, ?11)");
    if (f->trace_id.n)
        put(sql, " AND trace_id = ?12");
    if (f->span_id.n)
        put(sql, " AND span_id = ?17");
    if (f->status)
        put(sql, " AND status = ?13");
    if (f->status_class)
        put(sql, " AND status / 100 = ?14");
    if (f->outcome >= 0)
        put(sql, " AND outcome = ?15");
    if (f->cost_state >= 0)
        put(sql, " AND cost_state = ?16");
    put_routing(sql, f, false);
}

static void bind_conditions(struct store_stmt *st, const struct search *s)
{
    const struct query_filter *f = s->f;
    if (f->workspace_id)
        store_bind_i64(st, AT_WORKSPACE, f->workspace_id);
    if (f->key_id)
        store_bind_i64(st, AT_KEY, f->key_id);
    if (f->integration_id)
        store_bind_i64(st, AT_INTEGRATION, f->integration_id);
    if (f->request_id)
        store_bind_i64(st, AT_REQUEST, f->request_id);
    if (f->model.n) {
        store_bind_i64(st, AT_MODEL_ID, s->model_id);
        store_bind_text(st, AT_MODEL_TEXT, f->model);
    }
    if (f->operation.n) {
        store_bind_i64(st, AT_OPERATION_ID, s->operation_id);
        store_bind_text(st, AT_OPERATION_TEXT, f->operation);
    }
    if (f->trace_id.n)
        row_bind_packed(st, AT_TRACE, &s->trace);
    if (f->span_id.n)
        row_bind_packed(st, AT_SPAN, &s->span);
    if (f->status)
        store_bind_i64(st, AT_STATUS, f->status);
    if (f->status_class)
        store_bind_i64(st, AT_STATUS_CLASS, f->status_class);
    if (f->outcome >= 0)
        store_bind_i64(st, AT_OUTCOME, f->outcome);
    if (f->cost_state >= 0)
        store_bind_i64(st, AT_COST_STATE, f->cost_state);
    bind_routing(st, s);
}

/* Gives the rows of a statement that is bound to the caller. */
static enum err give_rows(struct search *s, struct store_stmt *st)
{
    bool row;
    enum err e;
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        struct record r;
        e = row_read(&s->c->reader, st, &r);
        if (e != ERR_OK)
            break;
        s->left--;
        if (!s->each(s->context, &r)) {
            s->enough = true;
            break;
        }
    }
    store_done(st);
    return e;
}

/* The rows with ids in [from, below). */
static enum err give_range(struct search *s, struct store_stmt *st, int64_t from, int64_t below)
{
    store_clear(st);
    bind_conditions(st, s);
    store_bind_i64(st, AT_FROM, from);
    store_bind_i64(st, AT_BELOW, below);
    store_bind_i64(st, AT_LIMIT, s->left);
    return give_rows(s, st);
}

/* --- hours worth reading --------------------------------------------------------------------- */

static bool rollups_help(const struct query_filter *f)
{
    return f->integration_id || f->model.n || f->operation.n || f->status || f->status_class || f->outcome >= 0 ||
           f->cost_state >= 0 || f->workspace_id || f->config.n || f->provider.n || f->cache >= 0 || f->discarded >= 0;
}

/* The filter on the columns of `combos`; what rollups do not know is left out. */
static void put_combo_conditions(struct buf *sql, const struct query_filter *f)
{
    if (f->workspace_id)
        put(sql, " AND workspace_id = ?4");
    if (f->integration_id)
        put(sql, " AND integration_id = ?6");
    if (f->model.n)
        put(sql, " AND (model_asked IN (?8, ?9) OR model_answered IN (?8, ?9))");
    if (f->operation.n)
        put(sql, " AND operation IN (?10, ?11)");
    if (f->status)
        put(sql, " AND status_class = ?13 / 100");
    if (f->status_class)
        put(sql, " AND status_class = ?14");
    if (f->outcome >= 0)
        put(sql, " AND outcome = ?15");
    if (f->cost_state >= 0)
        put(sql, " AND cost_state = ?16");
    put_routing(sql, f, true);
}

static enum err prepare_hours(struct search *s, struct store_stmt **ret)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX);
    put(&sql, "SELECT DISTINCT hour FROM rollups WHERE hour >= ?1 AND hour <= ?2"
              " AND combo IN (SELECT id FROM combos WHERE 1");
    put_combo_conditions(&sql, s->f);
    put(&sql, ") ORDER BY hour DESC");
    enum err e = prepare(s, &sql, ret);
    if (e != ERR_OK)
        return e;
    bind_conditions(*ret, s);
    store_bind_i64(*ret, AT_FROM, rollup_hour(s->from_id));
    store_bind_i64(*ret, AT_BELOW, rollup_hour(s->below_id));
    return ERR_OK;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static enum err give_hours(struct search *s, struct store_stmt *rows)
{
    struct store_stmt *hours;
    bool row;
    enum err e = prepare_hours(s, &hours);
    if (e != ERR_OK)
        return e;
    while (s->left && !s->enough && (e = store_step(hours, &row)) == ERR_OK && row) {
        int64_t hour = store_i64(hours, 0);
        int64_t from = record_id_floor(hour * SCHEMA_HOUR_US), below = record_id_floor((hour + 1) * SCHEMA_HOUR_US);
        e = give_range(s, rows, later(from, s->from_id), below < s->below_id ? below : s->below_id);
        if (e != ERR_OK)
            break;
    }
    store_drop(hours);
    return e;
}

/* --- calls ----------------------------------------------------------------------------------- */

static enum err prepare_rows(struct search *s, struct store_stmt **ret)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX);
    put(&sql, "SELECT " ROW_COLUMNS " FROM attempts WHERE id >= ?1 AND id < ?2");
    put_conditions(&sql, s->f);
    put(&sql, " ORDER BY id DESC LIMIT ?3");
    return prepare(s, &sql, ret);
}

static enum err run_search(struct search *s)
{
    struct store_stmt *rows;
    const struct query_filter *f = s->f;
    enum err e = prepare_rows(s, &rows);
    if (e != ERR_OK)
        return e;
    bool indexed = f->trace_id.n || f->span_id.n || f->request_id || f->key_id;
    if (indexed || !rollups_help(f))
        e = give_range(s, rows, s->from_id, s->below_id);
    else
        e = give_hours(s, rows);
    store_drop(rows);
    return e;
}

enum err query_attempts(struct query *q, const struct query_filter *f, query_row_fn *each, void *context)
{
    struct search s = {.each = each, .context = context};
    struct query_conn *c;
    enum err e = query_begin(q, &c);
    if (e != ERR_OK)
        return e;
    e = search_init(&s, c, f);
    if (e == ERR_OK && s.from_id < s.below_id)
        e = run_search(&s);
    return query_end(q, c, e);
}

static enum err prepare_ids(struct search *s, struct store_stmt **ret)
{
    struct buf sql;
    buf_init(&sql, SQL_MAX);
    put(&sql, "SELECT " ROW_COLUMNS " FROM attempts WHERE id >= ?1 AND id < ?2");
    put_conditions(&sql, s->f);
    put(&sql, " LIMIT ?3");
    return prepare(s, &sql, ret);
}

enum err query_ids(struct query *q, const int64_t *ids, size_t count, const struct query_filter *f, query_row_fn *each,
                   void *context)
{
    struct search s = {.each = each, .context = context};
    struct query_conn *c;
    struct store_stmt *rows = NULL;
    enum err e = query_begin(q, &c);
    if (e != ERR_OK)
        return e;
    e = search_init(&s, c, f);
    if (e == ERR_OK)
        e = prepare_ids(&s, &rows);
    for (size_t i = 0; i < count && e == ERR_OK && s.left && !s.enough; i++)
        if (ids[i] >= s.from_id && ids[i] < s.below_id)
            e = give_range(&s, rows, ids[i], ids[i] + 1);
    if (rows)
        store_drop(rows);
    return query_end(q, c, e);
}

enum err query_attempt(struct query *q, int64_t id, query_row_fn *each, void *context)
{
    struct query_conn *c;
    struct store_stmt *st;
    struct record r;
    bool row;
    enum err e = query_begin(q, &c);
    if (e != ERR_OK)
        return e;
    e = store_prepare(c->db, "SELECT " ROW_COLUMNS " FROM attempts WHERE id = ?1", &st);
    if (e != ERR_OK)
        return query_end(q, c, e);
    store_bind_i64(st, 1, id);
    e = store_step(st, &row);
    if (e == ERR_OK && !row)
        e = ERR_NOT_FOUND;
    if (e == ERR_OK)
        e = row_read(&c->reader, st, &r);
    if (e == ERR_OK)
        each(context, &r);
    store_done(st);
    return query_end(q, c, e);
}

enum err query_bodies(struct query *q, int64_t id, struct body_pair *ret)
{
    struct query_conn *c;
    struct store_stmt *st;
    bool row;
    int64_t place = 0;
    enum err e = query_begin(q, &c);
    if (e != ERR_OK)
        return e;
    e = store_prepare(c->db, "SELECT body_place FROM attempts WHERE id = ?1", &st);
    if (e != ERR_OK)
        return query_end(q, c, e);
    store_bind_i64(st, 1, id);
    e = store_step(st, &row);
    if (e == ERR_OK && row)
        place = store_i64(st, 0);
    store_done(st);
    e = query_end(q, c, e);
    if (e != ERR_OK)
        return e;
    return place ? body_read(query_bodies_dir(q), place, id, ret) : ERR_NOT_FOUND;
}

/* --- losses ---------------------------------------------------------------------------------- */

static struct query_loss read_loss(struct store_stmt *st)
{
    return (struct query_loss){
        .found_us = store_i64(st, 0),
        .what = store_text(st, 1),
        .worker = (unsigned)store_i64(st, 2),
        .sequence = (uint64_t)store_i64(st, 3),
        .offset = (uint64_t)store_i64(st, 4),
        .bytes = (uint64_t)store_i64(st, 5),
        .records = (uint64_t)store_i64(st, 6),
        .since_us = store_i64(st, 7),
        .until_us = store_i64(st, 8),
        .cost_pusd = sums_join_cost(store_i64(st, 9), store_i64(st, 10)),
        .unpriced = (uint64_t)store_i64(st, 11),
    };
}

enum err query_losses(struct query *q, unsigned limit, query_loss_fn *each, void *context)
{
    struct query_conn *c;
    struct store_stmt *st;
    bool row;
    enum err e = query_begin(q, &c);
    if (e != ERR_OK)
        return e;
    e = store_prepare(c->db,
                      "SELECT found_us, what, worker, sequence, offset, bytes, records, since_us, until_us, carry,"
                      " cost_pusd, unpriced FROM losses ORDER BY id DESC LIMIT ?1",
                      &st);
    if (e != ERR_OK)
        return query_end(q, c, e);
    store_bind_i64(st, 1, limit);
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        struct query_loss loss = read_loss(st);
        if (!each(context, &loss))
            break;
    }
    store_done(st);
    return query_end(q, c, e);
}
