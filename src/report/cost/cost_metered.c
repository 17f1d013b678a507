/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metered ledger: hourly rollups joined with their combos (ledger/schema.c).
 *
 * Money and tokens are columns and are added up by the statement. What each meter used and cost is encoded
 * in a column of its own; when meters are to be told apart (subcategory, unit), every rollup comes once for
 * each meter and is decoded here. What no meter explains is a meter of its own, "other", so that
 * the parts add up.
 *
 * The gateway does not know OpenAI's projects and organizations: those columns are empty here.
 */
#include <stdio.h>

#include "base/must.h"
#include "ledger/rollup.h"
#include "ledger/schema.h"
#include "ledger/sums.h"
#include "openai/usage.h"
#include "report/bill/bill.h"
#include "report/cost/cost_dates.h"
#include "report/cost/cost_sql.h"

#define SQL_MAX (2u << 20)
#define METER_OTHER METER_COUNT
#define HOURS 24

enum texts { MODELS, SHORT_MODELS, TIERS, SERVICES, PROVIDERS, METERS, UNITS, TEXTS_COUNT };

struct metered {
    struct cost_job *job;
    struct store_db *db;
    struct cost_texts texts[TEXTS_COUNT];
    struct cost_who who;
    struct str workspaces, meters; /* JSON lists */
    bool by_meter;
    /* The rollup that was decoded last. */
    int64_t hour, combo;
    struct sums sums;
};

/* --- texts ----------------------------------------------------------------------------------- */

/* The beginning of an operation and its service, as bills name it. */
static const struct {
    const char *operation, *service;
} services[] = {
    {"chat.", "Chat and Completions"},
    {"responses", "Chat and Completions"},
    {"completions", "Chat and Completions"},
    {"embeddings", "Embeddings"},
    {"images", "Images"},
    {"audio", "Audio"},
    {"moderations", "Moderations"},
    {"fine_tuning", "Fine-tuning"},
    {"realtime", "Realtime"},
    {"vector_stores", "Tools"},
    {"containers", "Tools"},
    {"assistants", "Tools"},
    {"threads", "Tools"},
};

static struct str service_of(struct str operation)
{
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        if (str_starts(operation, str_c(services[i].operation)))
            return str_c(services[i].service);
    return STR("Other");
}

static struct str provider_of(struct str name)
{
    return name.n == 0 || str_eq(name, STR("openai")) ? STR(VQL_OPEN_AI) : name;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Without "-YYYY-MM-DD" at its end. */
static struct str undated(struct str model)
{
    static const char shape[] = "-0000-00-00";
    const size_t n = sizeof shape - 1;
    if (model.n <= n)
        return model;
    struct str tail = str_from(model, model.n - n);
    for (size_t i = 0; i < n; i++)
        if (shape[i] == '-' ? tail.p[i] != '-' : !is_digit(tail.p[i]))
            return model;
    return str_head(model, model.n - n);
}

static struct str same(struct str text)
{
    return text;
}

#define SELECT_DIMS \
    "SELECT id, text, '' FROM dims WHERE kind = ?1 UNION ALL SELECT 0, '', '' UNION ALL SELECT 1, '(other)', ''"

static enum err load_dims(struct metered *m, enum schema_dim kind, struct str (*map)(struct str), enum texts to)
{
    struct cost_texts raw;
    struct cost_texts_make make = {.arena = m->job->arena};
    struct store_stmt *st;
    enum err e = store_prepare(m->db, SELECT_DIMS, &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, kind);
    e = cost_texts_load(st, m->job->arena, &raw);
    for (size_t i = 0; e == ERR_OK && i < raw.count; i++)
        e = cost_texts_add(&make, raw.ids[i], map(raw.texts[i]), STR(""));
    return e == ERR_OK ? cost_texts_end(&make, &m->texts[to]) : e;
}

/* "cached input" for "cached_input": the words of the bill. */
static struct str meter_text(struct arena *a, unsigned meter)
{
    if (meter == METER_OTHER)
        return STR("other");
    struct str from = str_c(meter_info((enum meter)meter)->text);
    char *to = arena_alloc(a, from.n + 1);
    for (size_t i = 0; to && i < from.n; i++)
        to[i] = from.p[i] == '_' ? ' ' : from.p[i];
    return str_of(to, from.n);
}

static const struct {
    const char *from, *to;
    int64_t scale; /* 10^-12 of the unit on the right in one of that on the left */
} units[] = {
    {"tokens", "Tokens", 1000000000000},         {"milliseconds", "Seconds", 1000000000},
    {"characters", "Characters", 1000000000000}, {"images", "Images", 1000000000000},
    {"calls", "Requests", 1000000000000},        {"sessions", "Sessions", 1000000000000},
};

static unsigned unit_of(unsigned meter)
{
    unsigned i = 0;
    while (meter != METER_OTHER && strcmp(units[i].from, meter_info((enum meter)meter)->unit) != 0)
        must(++i < sizeof units / sizeof units[0]);
    return i;
}

static enum err load_meters(struct metered *m)
{
    struct cost_texts_make names = {.arena = m->job->arena}, kinds = {.arena = m->job->arena};
    int64_t ids[METER_COUNT + 1];
    enum err e = ERR_OK;
    for (unsigned i = 0; e == ERR_OK && i <= METER_OTHER; i++) {
        struct str text = meter_text(m->job->arena, i);
        ids[i] = i;
        e = text.p ? cost_texts_add(&names, i, text, STR("")) : ERR_BAD_PARAMETER;
        if (e == ERR_OK)
            e = cost_texts_add(&kinds, i, i == METER_OTHER ? STR("") : str_c(units[unit_of(i)].to), STR(""));
    }
    m->meters = cost_sql_list(m->job->arena, ids, METER_COUNT + 1);
    if (e == ERR_OK)
        e = m->meters.p ? cost_texts_end(&names, &m->texts[METERS]) : ERR_BAD_PARAMETER;
    return e == ERR_OK ? cost_texts_end(&kinds, &m->texts[UNITS]) : e;
}

static enum err load_texts(struct metered *m)
{
    const struct cost_scope *scope = &m->job->q->scope;
    enum err e = load_dims(m, SCHEMA_DIM_MODEL, same, MODELS);
    if (e == ERR_OK)
        e = load_dims(m, SCHEMA_DIM_MODEL, undated, SHORT_MODELS);
    if (e == ERR_OK)
        e = load_dims(m, SCHEMA_DIM_TIER, same, TIERS);
    if (e == ERR_OK)
        e = load_dims(m, SCHEMA_DIM_OPERATION, service_of, SERVICES);
    if (e == ERR_OK)
        e = load_dims(m, SCHEMA_DIM_PROVIDER, provider_of, PROVIDERS);
    if (e == ERR_OK)
        e = cost_who_load(m->job, m->db, &m->who);
    if (e == ERR_OK)
        e = load_meters(m);
    m->workspaces = cost_sql_list(m->job->arena, scope->workspaces, scope->all ? 0 : scope->workspace_count);
    return e == ERR_OK && !m->workspaces.p ? ERR_BAD_PARAMETER : e;
}

/* --- columns --------------------------------------------------------------------------------- */

#define MODEL_SQL "CASE c.model_answered WHEN 0 THEN c.model_asked ELSE c.model_answered END"

static struct cost_column column(const struct metered *m, const char *sql, enum texts texts)
{
    return (struct cost_column){.sql = sql, .texts = &m->texts[texts]};
}

static struct cost_column constant(struct str text)
{
    return (struct cost_column){.constant = text};
}

static void set_columns(const struct metered *m, struct cost_source *s)
{
    struct cost_column *f = s->fields, *g = s->groups;
    f[VQL_PROVIDER] = g[COST_BY_PROVIDER] = column(m, "c.provider", PROVIDERS);
    f[VQL_LEDGER] = g[COST_BY_LEDGER] = constant(STR("metered"));
    f[VQL_MARKETPLACE] = f[VQL_BATCH] = g[COST_BY_BATCH] = constant(STR("false"));
    f[VQL_CHARGE_TYPE] = g[COST_BY_CHARGE_TYPE] = constant(STR("Usage"));
    f[VQL_SERVICE] = g[COST_BY_SERVICE] = column(m, "c.operation", SERVICES);
    f[VQL_CATEGORY] = g[COST_BY_CATEGORY] = column(m, MODEL_SQL, MODELS);
    cost_who_columns(&m->who, "c.key_id", "c.workspace_id", "c.config", f, g);
    f[VQL_TIER] = g[COST_BY_TIER] = column(m, "c.service_tier", TIERS);
    f[VQL_SUBCATEGORY] = g[COST_BY_SUBCATEGORY] = column(m, "m.value", METERS);
    g[COST_BY_UNIT] = column(m, "m.value", UNITS);
    g[COST_BY_MODEL] = column(m, MODEL_SQL, SHORT_MODELS);
    f[VQL_MODEL] = column(m, MODEL_SQL, MODELS);
    f[VQL_MODEL].also = MODEL_SQL;
    f[VQL_MODEL].also_texts = &m->texts[SHORT_MODELS];
}

static bool wants_meters(const struct cost_job *j)
{
    bool wanted = j->fields >> VQL_SUBCATEGORY & 1;
    for (unsigned i = 0; i < j->q->group_count; i++)
        wanted = wanted || j->q->groups[i].by == COST_BY_SUBCATEGORY || j->q->groups[i].by == COST_BY_UNIT;
    return wanted;
}

/* --- the statement --------------------------------------------------------------------------- */

static const char *bin_sql(enum cost_bin bin)
{
    return bin == COST_BIN_HOUR ? "r.hour" : bin == COST_BIN_TOTAL ? "0" : "r.hour / 24";
}

static bool write_select(const struct metered *m, const struct cost_sql *s, int meters, struct buf *out)
{
    bool ok = buf_printf(out, "SELECT %s, %.*s", bin_sql(s->q->bin), STR_ARG(s->weight));
    ok = ok && cost_sql_columns(s, out);
    if (m->by_meter)
        return ok &&
               buf_printf(out,
                          ", r.hour, r.combo, m.value, " ROLLUP_SUM_COLUMNS
                          " FROM rollups AS r CROSS JOIN combos AS c CROSS JOIN json_each(?%d) AS m",
                          meters) &&
               cost_sql_joins(s, out);
    return ok &&
           buf_add_str(out, STR(", SUM(r.carry), SUM(r.cost_pusd / 1000000), SUM(r.cost_pusd % 1000000),"
                                " SUM(r.input_tok + r.output_tok), SUM(r.attempts)"
                                " FROM rollups AS r CROSS JOIN combos AS c")) &&
           cost_sql_joins(s, out);
}

static enum err write_statement(const struct metered *m, struct cost_sql *s, struct buf *out)
{
    const struct cost_query *q = s->q;
    int meters = 0, workspaces, from, until;
    enum err e = m->by_meter ? cost_sql_json(s, m->meters, &meters) : ERR_OK;
    if (e == ERR_OK)
        e = cost_sql_json(s, m->workspaces, &workspaces);
    if (e == ERR_OK)
        e = cost_sql_number(s, s->piece->from_day * HOURS, &from);
    if (e == ERR_OK)
        e = cost_sql_number(s, s->piece->until_day * HOURS, &until);
    if (e != ERR_OK)
        return e;
    bool ok = write_select(m, s, meters, out) &&
              buf_printf(out, " WHERE c.id = r.combo AND r.hour >= ?%d AND r.hour < ?%d", from, until);
    if (ok && q->scope.all)
        ok = buf_printf(out, " AND ?%d IS NOT NULL", workspaces);
    else
        ok = ok && buf_printf(out, " AND c.workspace_id IN (SELECT value FROM json_each(?%d))", workspaces);
    ok = ok && buf_printf(out, " AND %.*s", STR_ARG(s->where));
    if (ok && !m->by_meter)
        ok = buf_add_str(out, STR(" GROUP BY 1, 2"));
    for (unsigned i = 0; ok && !m->by_meter && i < cost_sql_column_count(s); i++)
        ok = buf_printf(out, ", %u", 3 + i);
    if (!ok)
        cost_error_set(s->error, "The filter is too complex; use fewer values or fewer tags.");
    return ok ? ERR_OK : ERR_BAD_PARAMETER;
}

/* --- rows ------------------------------------------------------------------------------------ */

static int64_t start_of(const struct cost_query *q, int64_t bin)
{
    if (q->bin == COST_BIN_HOUR)
        return bin * SCHEMA_HOUR_US;
    return bill_day_us(q->bin == COST_BIN_TOTAL ? q->from_day : cost_dates_bin(q->bin, bin, q->from_day));
}

/* What one meter has of the rollup the statement stands at, its columns from `first` on. */
static enum err read_meter(struct metered *m, struct store_stmt *st, int first, struct cost_part *p)
{
    int64_t hour = store_i64(st, first), combo = store_i64(st, first + 1), meter = store_i64(st, first + 2);
    if (hour != m->hour || combo != m->combo) {
        enum err e = rollup_read(st, first + 3, &m->sums);
        if (e != ERR_OK)
            return e;
        m->hour = hour;
        m->combo = combo;
    }
    must(meter >= 0 && meter <= METER_OTHER);
    if (meter < METER_OTHER) {
        unsigned unit = unit_of((unsigned)meter);
        p->pusd = m->sums.part_pusd[meter];
        p->usage = (money_sum)m->sums.quantity[meter] * units[unit].scale;
        p->unit = p->usage ? cost_table_text(m->job->table, str_c(units[unit].to), STR("")) : 0;
    } else {
        p->pusd = m->sums.cost_pusd;
        for (unsigned i = 0; i < METER_COUNT; i++)
            p->pusd -= m->sums.part_pusd[i];
    }
    p->rows = p->pusd || p->usage ? m->sums.attempts : 0;
    return ERR_OK;
}

static void read_sums(struct metered *m, struct store_stmt *st, int first, struct cost_part *p)
{
    p->pusd = (money_sum)store_i64(st, first) * INT64_C(1000000000000000000) +
              (money_sum)store_i64(st, first + 1) * 1000000 + store_i64(st, first + 2);
    p->usage = (money_sum)store_i64(st, first + 3) * COST_PER_PUSD;
    p->unit = p->usage ? cost_table_text(m->job->table, STR("Tokens"), STR("")) : 0;
    p->rows = (uint64_t)store_i64(st, first + 4);
}

static enum err add_row(struct metered *m, const struct cost_sql *s, struct store_stmt *st)
{
    int64_t columns[COST_COLUMNS_MAX];
    unsigned n = cost_sql_column_count(s);
    int first = 2 + (int)n;
    struct cost_part part = {.start_us = start_of(s->q, store_i64(st, 0))};
    enum err e = ERR_OK;
    if (m->by_meter)
        e = read_meter(m, st, first, &part);
    else
        read_sums(m, st, first, &part);
    if (e != ERR_OK || (m->by_meter && !part.rows))
        return e;
    for (unsigned i = 0; i < n; i++)
        columns[i] = store_i64(st, 2 + (int)i);
    e = cost_sql_values(s, m->job->table, store_i64(st, 1), columns, &part);
    return e == ERR_OK ? cost_table_add(m->job->table, &part, m->job->error) : e;
}

static enum err run_statement(struct metered *m, struct cost_sql *s, const struct buf *sql)
{
    struct store_stmt *st;
    bool row;
    enum err e = cost_sql_prepare(s, m->db, sql, &st);
    if (e != ERR_OK)
        return e;
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        e = add_row(m, s, st);
        if (e != ERR_OK)
            break;
    }
    store_drop(st);
    return e;
}

enum err cost_metered_run(struct cost_job *j, struct store_db *db)
{
    struct metered m = {.job = j, .db = db, .by_meter = wants_meters(j), .hour = -1};
    struct cost_source source = {.ledger = VQL_METERED};
    struct cost_sql s = {.arena = j->arena, .q = j->q, .piece = j->piece, .source = &source, .error = j->error};
    struct buf sql;
    enum err e = load_texts(&m);
    if (e != ERR_OK)
        return e;
    set_columns(&m, &source);
    buf_init(&sql, SQL_MAX);
    e = cost_sql_compile(&s);
    if (e == ERR_OK)
        e = write_statement(&m, &s, &sql);
    if (e == ERR_OK)
        e = run_statement(&m, &s, &sql);
    buf_free(&sql);
    return e;
}
