/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The billed ledger. A period is cut into at most three pieces: days before the first whole month, whole months,
 * days behind the last one; for bins shorter than a month there is one piece, of days. Each piece is one
 * statement over the smallest rollup that has what is asked for (bill_rollup), or, where that is packed,
 * one over the places and then the packs of its months (cost_packed).
 *
 * What lies before the first and behind the last day that was imported is empty, so the month of today
 * counts as whole.
 */
#include <stdio.h>

#include "base/must.h"
#include "report/bill/bill.h"
#include "report/bill/bill_line.h"
#include "report/cost/cost_dates.h"
#include "report/cost/cost_sql.h"

#define SQL_MAX (2u << 20)
#define FIXED_COLUMNS 3 /* bin, weight, unit */

struct piece {
    bool months;
    int64_t from, until; /* months or days */
};

/* --- texts ----------------------------------------------------------------------------------- */

static const char *const loads[COST_BILLED_TEXTS_COUNT] = {
    [COST_BILLED_TERMS] = "SELECT id, text, '' FROM terms",
    [COST_BILLED_BATCHES] = "SELECT id, CASE text WHEN 'batch' THEN 'true' ELSE 'false' END, '' FROM terms",
    [COST_BILLED_PROJECTS] = "SELECT id, ext, name FROM names WHERE kind = 1 UNION ALL SELECT 0, '', ''",
    [COST_BILLED_KEYS] = "SELECT id, ext, name FROM names WHERE kind = 2 UNION ALL SELECT 0, '', ''",
    [COST_BILLED_ACCOUNTS] = "SELECT id, organization, title FROM accounts",
    [COST_BILLED_ITEMS] = "SELECT id, line_item, '' FROM items",
};
_Static_assert(BILL_PROJECT == 1 && BILL_KEY == 2, "the kinds of names in the statements above");

static enum err load_charges(struct cost_billed *b)
{
    struct cost_texts_make m = {.arena = b->job->arena};
    enum err e = ERR_OK;
    for (unsigned c = 0; e == ERR_OK && c < BILL_CHARGE_COUNT; c++)
        e = cost_texts_add(&m, c, str_c(bill_charge_text((enum bill_charge)c)), STR(""));
    return e == ERR_OK ? cost_texts_end(&m, &b->texts[COST_BILLED_CHARGES]) : e;
}

/* Accounts of files are providers of their own. */
static enum err load_providers(struct cost_billed *b)
{
    struct cost_texts_make m = {.arena = b->job->arena};
    struct store_stmt *st;
    bool row = false;
    enum err e = store_prepare(b->db, "SELECT id, kind, title FROM accounts", &st);
    while (e == ERR_OK && (e = store_step(st, &row)) == ERR_OK && row) {
        char text[COST_PROVIDER_MAX];
        bool file = store_i64(st, 1) == BILL_FILES;
        size_t n = file ? cost_provider_format(store_i64(st, 0), text) : 0;
        struct str id = file ? arena_dup(m.arena, str_of(text, n)) : STR(VQL_OPEN_AI);
        struct str name = arena_dup(m.arena, file ? store_text(st, 2) : STR(""));
        b->files = b->files || file;
        e = id.p && name.p ? cost_texts_add(&m, store_i64(st, 0), id, name) : ERR_BAD_PARAMETER;
        if (e != ERR_OK)
            store_done(st);
    }
    return e == ERR_OK ? cost_texts_end(&m, &b->texts[COST_BILLED_PROVIDERS]) : e;
}

static enum err load_regions(struct cost_billed *b)
{
    struct cost_texts_make m = {.arena = b->job->arena};
    const struct cost_texts *items = &b->texts[COST_BILLED_ITEMS];
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < items->count; i++)
        e = cost_texts_add(&m, items->ids[i], bill_line_part(items->texts[i], BILL_LINE_REGION), STR(""));
    return e == ERR_OK ? cost_texts_end(&m, &b->texts[COST_BILLED_REGIONS]) : e;
}

static enum err load_texts(struct cost_billed *b)
{
    for (int i = 0; i < COST_BILLED_TEXTS_COUNT; i++) {
        struct store_stmt *st;
        if (!loads[i] || ((i == COST_BILLED_KEYS) && !(b->by & BILL_BY_KEY)))
            continue;
        enum err e = store_prepare(b->db, loads[i], &st);
        if (e == ERR_OK)
            e = cost_texts_load(st, b->job->arena, &b->texts[i]);
        if (e != ERR_OK)
            return e;
    }
    enum err e = load_charges(b);
    if (e == ERR_OK)
        e = load_providers(b);
    return e == ERR_OK && b->files ? load_regions(b) : e;
}

/* The accounts of the ledger that the scope has. */
static enum err make_accounts(struct cost_billed *b)
{
    const struct cost_scope *scope = &b->job->q->scope;
    struct buf out;
    struct store_stmt *st;
    bool row = false, fits;
    struct str wanted = cost_sql_list(b->job->arena, scope->accounts, scope->all ? 0 : scope->account_count);
    buf_init(&out, SQL_MAX);
    enum err e = store_prepare(b->db,
                               "SELECT id FROM accounts WHERE (kind=?1)=?2 AND"
                               " (?3 OR id IN (SELECT value FROM json_each(?4))) ORDER BY id",
                               &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, BILL_OLD_USAGE);
    store_bind_i64(st, 2, b->estimated);
    store_bind_i64(st, 3, scope->all);
    store_bind_text(st, 4, wanted);
    fits = wanted.p && buf_add_byte(&out, '[');
    while (fits && (e = store_step(st, &row)) == ERR_OK && row)
        fits = buf_printf(&out, "%s%lld", buf_size(&out) > 1 ? "," : "", (long long)store_i64(st, 0));
    store_clear(st);
    fits = fits && buf_add_byte(&out, ']');
    b->accounts = fits ? arena_dup(b->job->arena, buf_str(&out)) : (struct str){NULL, 0};
    buf_free(&out);
    return e;
}

static enum err make_lists(struct cost_billed *b)
{
    const struct cost_query *q = b->job->q;
    int64_t charges[BILL_CHARGE_COUNT];
    size_t n = 0;
    for (unsigned c = 0; c < BILL_CHARGE_COUNT; c++)
        if ((c != BILL_CHARGE_CREDIT || q->settings.include_credits) &&
            (c != BILL_CHARGE_REFUND || q->settings.include_refunds) &&
            (c != BILL_CHARGE_DISCOUNT || q->settings.include_discounts) &&
            (c != BILL_CHARGE_TAX || q->settings.include_tax))
            charges[n++] = c;
    b->charges = cost_sql_list(b->job->arena, charges, n);
    enum err e = make_accounts(b);
    return e != ERR_OK ? e : b->charges.p && b->accounts.p ? ERR_OK : ERR_BAD_PARAMETER;
}

/* --- columns --------------------------------------------------------------------------------- */

static const unsigned by_field[VQL_FIELD_COUNT] = {
    [VQL_ACCOUNT] = BILL_BY_PROJECT,   [VQL_SERVICE] = BILL_BY_SERVICE,
    [VQL_CATEGORY] = BILL_BY_CATEGORY, [VQL_SUBCATEGORY] = BILL_BY_SUBCATEGORY,
    [VQL_RESOURCE] = BILL_BY_KEY,      [VQL_MODEL] = BILL_BY_ITEM,
    [VQL_TIER] = BILL_BY_ITEM,         [VQL_BATCH] = BILL_BY_ITEM,
    [VQL_LINE_ITEM] = BILL_BY_ITEM,
};

static const unsigned by_group[COST_BY_COUNT] = {
    [COST_BY_ACCOUNT] = BILL_BY_PROJECT,   [COST_BY_SERVICE] = BILL_BY_SERVICE,
    [COST_BY_CATEGORY] = BILL_BY_CATEGORY, [COST_BY_SUBCATEGORY] = BILL_BY_SUBCATEGORY,
    [COST_BY_RESOURCE] = BILL_BY_KEY,      [COST_BY_MODEL] = BILL_BY_ITEM,
    [COST_BY_TIER] = BILL_BY_ITEM,         [COST_BY_BATCH] = BILL_BY_ITEM,
    [COST_BY_LINE_ITEM] = BILL_BY_ITEM,
};

/* Regions are of files' line items. */
static bool wants_regions(const struct cost_job *j)
{
    bool wanted = j->fields >> VQL_REGION & 1;
    for (unsigned i = 0; i < j->q->group_count; i++)
        wanted = wanted || j->q->groups[i].by == COST_BY_REGION;
    return wanted;
}

static unsigned needs(const struct cost_job *j)
{
    unsigned by = 0;
    for (unsigned f = 0; f < VQL_FIELD_COUNT; f++)
        if (j->fields >> f & 1)
            by |= by_field[f];
    for (unsigned i = 0; i < j->q->group_count; i++)
        by |= by_group[j->q->groups[i].by];
    return by;
}

static struct cost_column column(const struct cost_billed *b, const char *sql, enum cost_billed_texts texts)
{
    return (struct cost_column){.sql = sql, .texts = &b->texts[texts]};
}

static struct cost_column constant(struct str text)
{
    return (struct cost_column){.constant = text};
}

static void set_fields(const struct cost_billed *b, bool item, struct cost_column *f)
{
    f[VQL_PROVIDER] = b->files ? column(b, "r.account", COST_BILLED_PROVIDERS) : constant(STR(VQL_OPEN_AI));
    if (b->files && wants_regions(b->job))
        f[VQL_REGION] = column(b, "r.item", COST_BILLED_REGIONS);
    f[VQL_MARKETPLACE] = constant(STR("false"));
    f[VQL_LEDGER] = constant(b->estimated ? STR("estimated") : STR("billed"));
    f[VQL_LINE_ITEM] = column(b, "r.item", COST_BILLED_ITEMS);
    f[VQL_ACCOUNT] = column(b, "r.project", COST_BILLED_PROJECTS);
    f[VQL_BILLING_ACCOUNT] = column(b, "r.account", COST_BILLED_ACCOUNTS);
    f[VQL_SERVICE] = column(b, item ? "i.service" : "r.service", COST_BILLED_TERMS);
    f[VQL_CATEGORY] = column(b, item ? "i.category" : "r.category", COST_BILLED_TERMS);
    f[VQL_SUBCATEGORY] = column(b, item ? "i.subcategory" : "r.subcategory", COST_BILLED_TERMS);
    f[VQL_RESOURCE] = column(b, "r.key", COST_BILLED_KEYS);
    f[VQL_CHARGE_TYPE] = column(b, "r.charge", COST_BILLED_CHARGES);
    f[VQL_TIER] = column(b, "i.tier", COST_BILLED_TERMS);
    f[VQL_BATCH] = column(b, "i.tier", COST_BILLED_BATCHES);
    f[VQL_MODEL] = column(b, "i.model", COST_BILLED_TERMS);
    f[VQL_MODEL].also = "i.category";
    f[VQL_MODEL].also_texts = f[VQL_MODEL].texts;
}

static void set_groups(const struct cost_billed *b, const struct cost_column *f, struct cost_column *g)
{
    g[COST_BY_PROVIDER] = f[VQL_PROVIDER];
    g[COST_BY_LEDGER] = f[VQL_LEDGER];
    g[COST_BY_REGION] = f[VQL_REGION];
    g[COST_BY_ACCOUNT] = f[VQL_ACCOUNT];
    g[COST_BY_BILLING_ACCOUNT] = f[VQL_BILLING_ACCOUNT];
    g[COST_BY_SERVICE] = f[VQL_SERVICE];
    g[COST_BY_CATEGORY] = f[VQL_CATEGORY];
    g[COST_BY_SUBCATEGORY] = f[VQL_SUBCATEGORY];
    g[COST_BY_RESOURCE] = f[VQL_RESOURCE];
    g[COST_BY_CHARGE_TYPE] = f[VQL_CHARGE_TYPE];
    g[COST_BY_TIER] = f[VQL_TIER];
    g[COST_BY_BATCH] = f[VQL_BATCH];
    g[COST_BY_UNIT] = column(b, "r.unit", COST_BILLED_TERMS);
    g[COST_BY_MODEL] = column(b, "CASE i.model WHEN 0 THEN i.category ELSE i.model END", COST_BILLED_TERMS);
    g[COST_BY_LINE_ITEM] = column(b, "r.item", COST_BILLED_ITEMS);
}

/* --- a piece --------------------------------------------------------------------------------- */

static const char *bin_sql(enum cost_bin bin, bool months)
{
    if (bin == COST_BIN_TOTAL)
        return "0";
    if (months)
        return bin == COST_BIN_QUARTER ? "r.month / 3" : "r.month";
    if (bin == COST_BIN_WEEK)
        return "(r.day + 3) / 7";
    return bin == COST_BIN_MONTH || bin == COST_BIN_QUARTER ? "0" : "r.day";
}

/* The first day of the bin that the statement calls `bin`. */
static int64_t bin_day(const struct cost_query *q, const struct piece *p, int64_t bin)
{
    if (q->bin == COST_BIN_TOTAL)
        return q->from_day;
    if (p->months)
        return bill_month_day(q->bin == COST_BIN_QUARTER ? bin * 3 : bin);
    if (q->bin == COST_BIN_WEEK)
        return bin * 7 - 3;
    if (q->bin == COST_BIN_MONTH || q->bin == COST_BIN_QUARTER)
        return cost_dates_bin(q->bin, p->from, 0);
    return bin;
}

static bool write_select(const struct cost_billed *b, const struct cost_sql *s, const struct bill_rollup *rollup,
                         const struct piece *p, struct buf *out)
{
    const struct cost_query *q = b->job->q;
    bool own = strcmp(rollup->table, "bill_rows") == 0;
    bool join = rollup->item && (b->by & (BILL_BY_SKU | BILL_BY_ITEM));
    const char *first = rollup->packed ? "r.id" : bin_sql(q->bin, p->months);
    bool ok = buf_printf(out, "SELECT %s, %.*s, r.unit", first, STR_ARG(s->weight));
    ok = ok && cost_sql_columns(s, out);
    if (!rollup->packed)
        ok = ok && buf_printf(out, ", r.micro, r.pico, r.quantity, r.nano, %s", own ? "1" : "r.rows");
    ok = ok && buf_printf(out, " FROM %s AS r", rollup->table);
    if (join)
        ok = ok && buf_add_str(out, STR(" JOIN items AS i ON i.id = r.item"));
    return ok && cost_sql_joins(s, out);
}

static enum err write_statement(const struct cost_billed *b, struct cost_sql *s, const struct bill_rollup *rollup,
                                const struct piece *p, struct buf *out)
{
    int accounts, charges, from = 0, until = 0;
    enum err e = cost_sql_json(s, b->accounts, &accounts);
    if (e == ERR_OK)
        e = cost_sql_json(s, b->charges, &charges);
    if (e == ERR_OK && !rollup->packed)
        e = cost_sql_number(s, p->from, &from);
    if (e == ERR_OK && !rollup->packed)
        e = cost_sql_number(s, p->until, &until);
    if (e != ERR_OK)
        return e;
    bool ok = write_select(b, s, rollup, p, out) &&
              buf_printf(out, " WHERE r.account IN (SELECT value FROM json_each(?%d))", accounts);
    if (!rollup->packed)
        ok = ok && buf_printf(out, " AND r.%s >= ?%d AND r.%s < ?%d", rollup->period, from, rollup->period, until);
    ok = ok &&
         buf_printf(out, " AND r.charge IN (SELECT value FROM json_each(?%d)) AND %.*s", charges, STR_ARG(s->where));
    if (!ok)
        cost_error_set(s->error, "The filter is too complex; use fewer values or fewer tags.");
    return ok ? ERR_OK : ERR_BAD_PARAMETER;
}

static uint32_t text_of(struct cost_billed *b, const struct cost_texts *texts, int64_t id)
{
    struct str text = STR(""), name = STR("");
    if (!cost_texts_find(texts, id, &text, &name))
        return 0;
    return cost_table_text(b->job->table, text, name);
}

static enum err too_many(const struct cost_billed *b)
{
    cost_error_set(b->job->error, "Too many groups; ask for a shorter time or fewer groupings.");
    return ERR_BAD_PARAMETER;
}

/* The row the statement stands at: ids first, then what is to be added up. */
static enum err add_row(const struct cost_billed *b, const struct cost_sql *c, struct cost_ids *ids,
                        struct store_stmt *st)
{
    int64_t key[FIXED_COLUMNS + COST_COLUMNS_MAX];
    int sums = FIXED_COLUMNS + (int)cost_sql_column_count(c);
    for (int i = 0; i < sums; i++)
        key[i] = store_i64(st, i);
    struct cost_ids_sum *s = cost_ids_find(ids, key);
    if (!s)
        return too_many(b);
    s->pusd += bill_money(store_i64(st, sums), store_i64(st, sums + 1));
    s->usage += (money_sum)store_i64(st, sums + 2) * COST_PER_PUSD + (money_sum)store_i64(st, sums + 3) * 1000;
    s->rows += (uint64_t)store_i64(st, sums + 4);
    return ERR_OK;
}

/* A group and where its ids come from. */
struct turn {
    struct cost_billed *b;
    struct cost_sql *s;
};

/* Ids become texts. */
static enum err make_part(void *context, const int64_t *key, struct cost_part *ret)
{
    const struct turn *t = context;
    struct cost_billed *b = t->b;
    *ret = (struct cost_part){.unit = text_of(b, &b->texts[COST_BILLED_TERMS], key[2])};
    return cost_sql_values(t->s, b->job->table, key[1], key + FIXED_COLUMNS, ret);
}

static enum err add_group(struct cost_billed *b, struct cost_sql *s, const struct piece *p, const int64_t *key,
                          const struct cost_ids_sum *sum)
{
    struct turn t = {b, s};
    struct cost_part part;
    enum err e = make_part(&t, key, &part);
    if (e != ERR_OK)
        return e;
    part.start_us = bill_day_us(bin_day(b->job->q, p, key[0]));
    part.pusd = sum->pusd;
    part.usage = sum->usage;
    part.rows = sum->rows;
    b->job->by_day = b->job->by_day || b->job->q->bin == COST_BIN_HOUR;
    return cost_table_add(b->job->table, &part, b->job->error);
}

static enum err gather(const struct cost_billed *b, struct cost_sql *s, struct cost_ids *ids, const struct buf *sql)
{
    struct store_stmt *st;
    bool row;
    enum err e = cost_sql_prepare(s, b->db, sql, &st);
    if (e != ERR_OK)
        return e;
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        e = add_row(b, s, ids, st);
        if (e != ERR_OK)
            break;
    }
    store_drop(st);
    return e;
}

static enum err run_statement(struct cost_billed *b, struct cost_sql *s, const struct piece *p, const struct buf *sql)
{
    struct cost_ids *ids = cost_ids_new(FIXED_COLUMNS + cost_sql_column_count(s));
    struct cost_ids_sum sum;
    const int64_t *key;
    enum err e = gather(b, s, ids, sql);
    for (size_t i = 0; e == ERR_OK && cost_ids_get(ids, i, &key, &sum); i++)
        e = add_group(b, s, p, key, &sum);
    cost_ids_free(ids);
    return e;
}

static enum err run_packed(struct cost_billed *b, struct cost_sql *s, const struct piece *p, const struct buf *sql)
{
    struct turn t = {b, s};
    struct cost_packed packed = {.s = s,
                                 .db = b->db,
                                 .table = b->job->table,
                                 .accounts = b->accounts,
                                 .from = p->from,
                                 .until = p->until,
                                 .sql = sql,
                                 .part = make_part,
                                 .context = &t};
    return cost_packed_run(&packed);
}

static enum err run_piece(struct cost_billed *b, const struct piece *p)
{
    const struct bill_rollup *rollup = bill_rollup(b->by | (p->months ? 0 : BILL_BY_DAY));
    struct cost_source source = {.ledger = VQL_BILLED};
    struct cost_sql s = {
        .arena = b->job->arena, .q = b->job->q, .piece = b->job->piece, .source = &source, .error = b->job->error};
    struct buf sql;
    if (p->from >= p->until)
        return ERR_OK;
    must(strcmp(rollup->period, p->months ? "month" : "day") == 0);
    set_fields(b, rollup->item, source.fields);
    set_groups(b, source.fields, source.groups);
    buf_init(&sql, SQL_MAX);
    enum err e = cost_sql_compile(&s);
    if (e == ERR_OK)
        e = write_statement(b, &s, rollup, p, &sql);
    if (e == ERR_OK)
        e = rollup->packed ? run_packed(b, &s, p, &sql) : run_statement(b, &s, p, &sql);
    buf_free(&sql);
    return e;
}

/* --- the period ------------------------------------------------------------------------------ */

/* [*from, *until) cut to what was imported, and drawn out to whole months where nothing lies between. */
static enum err fit_period(struct cost_billed *b, int64_t *from, int64_t *until)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(b->db,
                               "SELECT MIN(day), MAX(day) FROM days WHERE account IN"
                               " (SELECT value FROM json_each(?1))",
                               &st);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, b->accounts);
    e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    must(row);
    bool none = store_is_null(st, 0);
    int64_t first = store_i64(st, 0), last = store_i64(st, 1);
    store_done(st);
    if (none || *from > last || *until <= first) {
        *until = *from;
        return ERR_OK;
    }
    if (*from <= first)
        *from = bill_month_day(bill_month_of(first));
    if (*until > last)
        *until = bill_month_day(bill_month_of(last) + 1);
    return ERR_OK;
}

static enum err run_pieces(struct cost_billed *b)
{
    enum cost_bin bin = b->job->q->bin;
    int64_t from = b->job->piece->from_day, until = b->job->piece->until_day;
    enum err e = fit_period(b, &from, &until);
    if (e != ERR_OK || from >= until)
        return e;
    if (bin != COST_BIN_MONTH && bin != COST_BIN_QUARTER && bin != COST_BIN_TOTAL)
        return run_piece(b, &(struct piece){false, from, until});
    int64_t first = bill_month_of(from), last = bill_month_of(until);
    first += bill_month_day(first) < from;
    if (first > last) /* within a month */
        return run_piece(b, &(struct piece){false, from, until});
    e = run_piece(b, &(struct piece){false, from, bill_month_day(first)});
    if (e == ERR_OK)
        e = run_piece(b, &(struct piece){true, first, last});
    if (e == ERR_OK)
        e = run_piece(b, &(struct piece){false, bill_month_day(last), until});
    return e;
}

enum err cost_billed_load(struct cost_job *j, struct store_db *db, bool estimated, struct cost_billed *ret)
{
    *ret = (struct cost_billed){.job = j, .db = db, .by = needs(j), .estimated = estimated};
    enum err e = load_texts(ret);
    if (e == ERR_OK)
        e = make_lists(ret);
    if (ret->files && wants_regions(j))
        ret->by |= BILL_BY_ITEM;
    return e;
}

void cost_billed_columns(const struct cost_billed *b, bool item, struct cost_column *fields, struct cost_column *groups)
{
    set_fields(b, item, fields);
    set_groups(b, fields, groups);
}

static enum err run(struct cost_job *j, struct store_db *db, bool estimated)
{
    struct cost_billed b;
    enum err e = cost_billed_load(j, db, estimated, &b);
    return e == ERR_OK ? run_pieces(&b) : e;
}

enum err cost_billed_run(struct cost_job *j, struct store_db *db)
{
    return run(j, db, false);
}

enum err cost_estimated_run(struct cost_job *j, struct store_db *db)
{
    return run(j, db, true);
}
