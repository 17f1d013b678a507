/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocated ledger. Billed rows come by account and day; the rows of one such bucket are held until all
 * are there, because a cell's quantity is that of all its rows. Then each row is shared out, and shares are added up
 * by what statements can tell apart (a slot: the row's place without its key, and the target) and by bin. The
 * slots become a temporary table, so that filters, tags and groupings are the same SQL as everywhere.
 */
#include "report/cost/cost_shared.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "report/bill/bill.h"
#include "report/cost/cost_dates.h"
#include "report/match/match_links.h"

#define SQL_MAX (2u << 20)
#define QUANTITY_SCALE INT64_C(1000000000000000) /* weights by quantity are 10^-15 of the meter's unit */
#define SLOT_COLUMNS 7                           /* account, project, item, charge, unit, target, over_metered */
#define FIXED_COLUMNS 3                          /* slot, weight, unit */

struct row {
    int64_t project, key, item, charge, unit, micro, pico, quantity, nano;
    uint32_t place, sku, cell;
};

struct shared {
    struct cost_job *job;
    struct store_db *db;
    struct cost_billed billed;
    struct cost_who who;
    struct match *match;
    struct cost_metadata metadata;
    struct cost_traffic *traffic;
    /* The bucket that is being read. */
    int64_t account, day;
    struct row *rows; /* owned */
    size_t row_count, row_cap, rows_read;
    struct cost_ids *cells; /* place, sku → billed quantity in 10^-15 of the meter's unit, money */
    struct cost_portion *portions;
    size_t portion_cap;
    /* What comes of it. */
    struct cost_ids *slots, *sums; /* sums: bin, slot */
};

static enum err too_many(const struct shared *s)
{
    cost_error_set(s->job->error,
                   "Allocated costs are shared out row by row, and the bill has more than %d in this time; ask for a "
                   "shorter time.",
                   COST_SHARED_ROWS_MAX);
    return ERR_BAD_PARAMETER;
}

static enum err too_much(const struct shared *s)
{
    cost_error_set(s->job->error, "The bill has larger quantities than this program can hold.");
    return ERR_BAD_PARAMETER;
}

/* --- a row ----------------------------------------------------------------------------------- */

static int64_t bin_of(const struct cost_query *q, int64_t day)
{
    return q->bin == COST_BIN_TOTAL ? q->from_day : cost_dates_bin(q->bin, day, q->from_day);
}

/* A share of a row to a target (below 0: direct). */
static enum err add_share(struct shared *s, const struct row *r, int64_t target, bool over, money_sum pusd,
                          money_sum usage)
{
    const int64_t slot[SLOT_COLUMNS] = {s->account, r->project, r->item, r->charge, r->unit, target, over};
    if (!pusd && !usage)
        return ERR_OK;
    if (!cost_ids_find(s->slots, slot))
        return too_many(s);
    const int64_t at[] = {bin_of(s->job->q, s->day), (int64_t)cost_ids_last(s->slots)};
    struct cost_ids_sum *sum = cost_ids_find(s->sums, at);
    if (!sum)
        return too_many(s);
    sum->pusd += pusd;
    sum->usage += usage;
    sum->rows++;
    return ERR_OK;
}

static money_sum row_usage(const struct row *r)
{
    return (money_sum)r->quantity * COST_PER_PUSD + (money_sum)r->nano * 1000;
}

/* The weights of a cell's targets, and last that of what was direct. *ret_over: more was metered than billed. */
static size_t weigh(struct shared *s, const struct cost_ids_sum *cell, const struct cost_used *used, size_t count,
                    bool *ret_over)
{
    bool by_money = cell->usage <= 0;
    money_sum whole = by_money ? cell->pusd : cell->usage, sum = 0;
    if (count + 1 > s->portion_cap) {
        s->portion_cap = count + 1 + s->portion_cap;
        s->portions = mem_realloc(s->portions, s->portion_cap * sizeof *s->portions);
    }
    for (size_t i = 0; i < count; i++) {
        money_sum weight = by_money ? used[i].pusd : used[i].quantity * QUANTITY_SCALE;
        s->portions[i] = (struct cost_portion){.id = used[i].target, .weight = weight > 0 ? weight : 0};
        sum += s->portions[i].weight;
    }
    s->portions[count] = (struct cost_portion){.id = UINT32_MAX, .weight = whole > sum ? whole - sum : 0};
    *ret_over = !by_money && sum > whole;
    if (!sum)
        s->portions[count].weight = 1; /* nothing to share out by: all of it is direct */
    return count + 1;
}

static enum err add_portions(struct shared *s, const struct row *r, size_t count, bool over, bool of_money)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        const struct cost_portion *p = &s->portions[i];
        int64_t target = p->id == UINT32_MAX ? COST_TARGET_DIRECT : (int64_t)p->id;
        e = add_share(s, r, target, over, of_money ? p->share : 0, of_money ? 0 : p->share);
    }
    return e;
}

static enum err share_out(struct shared *s, const struct row *r)
{
    const struct cost_used *used;
    struct cost_ids_sum cell;
    const int64_t *key;
    bool over;
    money_sum pusd = bill_money(r->micro, r->pico), usage = row_usage(r);
    size_t count = r->cell == MATCH_NONE ? 0 : cost_traffic_find(s->traffic, s->day, r->place, r->sku, &used);
    if (!count)
        return add_share(s, r, COST_TARGET_DIRECT, false, pusd, usage);
    bool known = cost_ids_get(s->cells, r->cell, &key, &cell);
    must(known);
    count = weigh(s, &cell, used, count, &over);
    cost_amount_share(pusd, s->portions, count);
    enum err e = add_portions(s, r, count, over, true);
    if (e != ERR_OK)
        return e;
    cost_amount_share(usage, s->portions, count);
    return add_portions(s, r, count, over, false);
}

/* --- a bucket -------------------------------------------------------------------------------- */

/* Rows that metered traffic can be of get a cell; it has the quantity of them all. */
static enum err find_cell(struct shared *s, struct row *r)
{
    r->cell = MATCH_NONE;
    if (r->charge != BILL_CHARGE_USAGE)
        return ERR_OK;
    r->place = match_billed(s->match, s->account, r->project, r->key);
    r->sku = match_item(s->match, r->item);
    if (r->place == MATCH_NONE || r->sku == MATCH_NONE || !match_place(s->match, r->place)->linked)
        return ERR_OK;
    const int64_t key[] = {r->place, r->sku};
    struct cost_ids_sum *cell = cost_ids_find(s->cells, key);
    struct str unit = STR(""), name;
    if (!cell)
        return too_many(s);
    r->cell = (uint32_t)cost_ids_last(s->cells);
    (void)cost_texts_find(&s->billed.texts[COST_BILLED_TERMS], r->unit, &unit, &name);
    money_sum billionths = (money_sum)r->quantity * 1000000000 + r->nano, usage;
    if (__builtin_mul_overflow(billionths, (money_sum)match_unit(match_sku(s->match, r->sku)->meter, unit), &usage) ||
        __builtin_add_overflow(cell->usage, usage, &cell->usage))
        return too_much(s);
    cell->pusd += bill_money(r->micro, r->pico);
    return ERR_OK;
}

static enum err end_bucket(struct shared *s)
{
    enum err e = ERR_OK;
    cost_ids_free(s->cells);
    s->cells = cost_ids_new(2);
    for (size_t i = 0; e == ERR_OK && i < s->row_count; i++)
        e = find_cell(s, &s->rows[i]);
    for (size_t i = 0; e == ERR_OK && i < s->row_count; i++)
        e = share_out(s, &s->rows[i]);
    s->row_count = 0;
    return e;
}

static enum err add_row(struct shared *s, struct store_stmt *st)
{
    int64_t account = store_i64(st, 0), day = store_i64(st, 1);
    enum err e = account != s->account || day != s->day ? end_bucket(s) : ERR_OK;
    if (e != ERR_OK)
        return e;
    if (++s->rows_read > COST_SHARED_ROWS_MAX)
        return too_many(s);
    s->account = account;
    s->day = day;
    if (s->row_count == s->row_cap) {
        s->row_cap = s->row_cap ? s->row_cap * 2 : 1024;
        s->rows = mem_realloc(s->rows, s->row_cap * sizeof *s->rows);
    }
    s->rows[s->row_count++] = (struct row){store_i64(st, 2),
                                           store_i64(st, 3),
                                           store_i64(st, 4),
                                           store_i64(st, 5),
                                           store_i64(st, 6),
                                           store_i64(st, 7),
                                           store_i64(st, 8),
                                           store_i64(st, 9),
                                           store_i64(st, 10),
                                           0,
                                           0,
                                           0};
    return ERR_OK;
}

static enum err read_bill(struct shared *s)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(s->db,
                               "SELECT account, day, project, key, item, charge, unit, micro, pico, quantity, nano"
                               " FROM bill_rows WHERE account IN (SELECT value FROM json_each(?1)) AND day >= ?2"
                               " AND day < ?3 AND charge IN (SELECT value FROM json_each(?4)) ORDER BY account, day",
                               &st);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, s->billed.accounts);
    store_bind_i64(st, 2, s->job->piece->from_day);
    store_bind_i64(st, 3, s->job->piece->until_day);
    store_bind_text(st, 4, s->billed.charges);
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        e = add_row(s, st);
        if (e != ERR_OK)
            break;
    }
    store_clear(st);
    return e == ERR_OK ? end_bucket(s) : e;
}

/* --- the slots as a table -------------------------------------------------------------------- */

_Static_assert(COST_METADATA_MAX == 8, "the columns below");
#define METADATA_COLUMNS "m0, m1, m2, m3, m4, m5, m6, m7"

static void bind_target(const struct shared *s, struct store_stmt *st, int at, int64_t target)
{
    static const struct cost_target direct = {.key = COST_TARGET_DIRECT,
                                              .workspace = COST_TARGET_DIRECT,
                                              .config = COST_TARGET_DIRECT,
                                              .metadata = {-1, -1, -1, -1, -1, -1, -1, -1}};
    const struct cost_target *t = target < 0 ? &direct : cost_traffic_target(s->traffic, (uint32_t)target);
    store_bind_i64(st, at++, t->key);
    store_bind_i64(st, at++, t->workspace);
    store_bind_i64(st, at++, t->config);
    for (int i = 0; i < COST_METADATA_MAX; i++)
        store_bind_i64(st, at++, t->metadata[i]);
}

static enum err put_slots(struct shared *s)
{
    struct store_stmt *st;
    struct cost_ids_sum none;
    const int64_t *key;
    enum err e = store_prepare(s->db,
                               "INSERT INTO temp.shared VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
                               " ?14, ?15, ?16, ?17)",
                               &st);
    for (size_t i = 0; e == ERR_OK && cost_ids_get(s->slots, i, &key, &none); i++) {
        store_bind_i64(st, 1, (int64_t)i);
        for (int k = 0; k < 5; k++)
            store_bind_i64(st, 2 + k, key[k]);
        bind_target(s, st, 7, key[5]);
        e = store_run(st);
    }
    return e;
}

/* The connection only reads; a temporary table is its own. */
static enum err make_table(struct shared *s)
{
    enum err e = store_exec(s->db, "PRAGMA query_only=OFF");
    if (e == ERR_OK)
        e = store_exec(s->db, "CREATE TEMP TABLE IF NOT EXISTS shared(id INTEGER PRIMARY KEY, account, project, item,"
                              " charge, unit, key, workspace, config, " METADATA_COLUMNS ");"
                              "DELETE FROM temp.shared");
    if (e == ERR_OK)
        e = put_slots(s);
    enum err back = store_exec(s->db, "PRAGMA query_only=ON");
    return e == ERR_OK ? back : e;
}

/* --- the statement --------------------------------------------------------------------------- */

static void set_columns(struct shared *s, struct cost_source *source, struct cost_native *natives)
{
    static const char *const columns[COST_METADATA_MAX] = {"r.m0", "r.m1", "r.m2", "r.m3",
                                                           "r.m4", "r.m5", "r.m6", "r.m7"};
    cost_billed_columns(&s->billed, true, source->fields, source->groups);
    source->fields[VQL_LEDGER] = source->groups[COST_BY_LEDGER] = (struct cost_column){.constant = STR("allocated")};
    cost_who_columns(&s->who, "r.key", "r.workspace", "r.config", source->fields, source->groups);
    for (unsigned i = 0; i < s->metadata.count; i++)
        natives[i] = (struct cost_native){s->metadata.keys[i], columns[i]};
    source->natives = natives;
    source->native_count = s->metadata.count;
    source->native_texts = cost_traffic_texts(s->traffic);
}

/* Sums by slot, so that a slot's bins are found when the statement names it. */
struct bin_sum {
    int64_t slot, day;
    struct cost_ids_sum sum;
};

static int compare_sums(const void *a, const void *b)
{
    const struct bin_sum *x = a, *y = b;
    return x->slot != y->slot ? (x->slot < y->slot ? -1 : 1) : (x->day > y->day) - (x->day < y->day);
}

/* Owned by the caller; behind the last one stands one of no slot. */
static struct bin_sum *sums_by_slot(const struct shared *s)
{
    struct cost_ids_sum sum;
    const int64_t *key;
    size_t n = 0;
    while (cost_ids_get(s->sums, n, &key, &sum))
        n++;
    struct bin_sum *list = mem_alloc((n + 1) * sizeof *list);
    for (size_t i = 0; cost_ids_get(s->sums, i, &key, &sum); i++)
        list[i] = (struct bin_sum){key[1], key[0], sum};
    if (n)
        qsort(list, n, sizeof *list, compare_sums);
    list[n] = (struct bin_sum){.slot = INT64_MAX};
    return list;
}

static enum err add_slot(struct shared *s, const struct cost_sql *c, struct store_stmt *st, const struct bin_sum *sums)
{
    int64_t columns[COST_COLUMNS_MAX], slot = store_i64(st, 0);
    struct cost_part part = {.start_us = 0};
    struct str unit = STR(""), name = STR("");
    struct cost_ids_sum none;
    const int64_t *key;
    for (unsigned i = 0; i < cost_sql_column_count(c); i++)
        columns[i] = store_i64(st, FIXED_COLUMNS + (int)i);
    bool known = cost_ids_get(s->slots, (size_t)slot, &key, &none);
    must(known);
    (void)cost_texts_find(&s->billed.texts[COST_BILLED_TERMS], store_i64(st, 2), &unit, &name);
    part.unit = cost_table_text(s->job->table, unit, name);
    part.over_metered = key[6];
    enum err e = cost_sql_values(c, s->job->table, store_i64(st, 1), columns, &part);
    for (; e == ERR_OK && sums->slot == slot; sums++) {
        part.start_us = bill_day_us(sums->day);
        part.pusd = sums->sum.pusd;
        part.usage = sums->sum.usage;
        part.rows = sums->sum.rows;
        e = cost_table_add(s->job->table, &part, s->job->error);
    }
    return e;
}

/* The statement's rows ascend by slot. */
static enum err read_slots(struct shared *s, struct cost_sql *c, const struct buf *sql)
{
    struct store_stmt *st;
    bool row;
    struct bin_sum *sums = sums_by_slot(s), *at = sums;
    enum err e = cost_sql_prepare(c, s->db, sql, &st);
    if (e != ERR_OK) {
        mem_free(sums);
        return e;
    }
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        while (at->slot < store_i64(st, 0))
            at++;
        e = add_slot(s, c, st, at);
        if (e != ERR_OK)
            break;
    }
    store_drop(st);
    mem_free(sums);
    return e;
}

static enum err ask(struct shared *s)
{
    struct cost_native natives[COST_METADATA_MAX];
    struct cost_source source = {.ledger = VQL_ALLOCATED};
    struct cost_sql c = {
        .arena = s->job->arena, .q = s->job->q, .piece = s->job->piece, .source = &source, .error = s->job->error};
    struct buf sql;
    set_columns(s, &source, natives);
    buf_init(&sql, SQL_MAX);
    enum err e = cost_sql_compile(&c);
    bool ok = e == ERR_OK && buf_printf(&sql, "SELECT r.id, %.*s, r.unit", STR_ARG(c.weight)) &&
              cost_sql_columns(&c, &sql) && buf_add_str(&sql, STR(" FROM temp.shared AS r CROSS JOIN items AS i")) &&
              cost_sql_joins(&c, &sql) &&
              buf_printf(&sql, " WHERE i.id = r.item AND %.*s ORDER BY r.id", STR_ARG(c.where));
    if (e == ERR_OK)
        e = ok ? read_slots(s, &c, &sql) : cost_sql_too_complex(&c);
    buf_free(&sql);
    return e;
}

/* --- all of it ------------------------------------------------------------------------------- */

static enum err find_traffic(struct shared *s, struct store_db *ledger)
{
    const struct cost_query *q = s->job->q;
    const struct cost_scope *scope = &q->scope;
    const struct cost_known *k = &q->known;
    bool *used = arena_alloc(s->job->arena, k->link_count + 1);
    const struct match_scope seen = {.accounts = scope->accounts,
                                     .account_count = scope->account_count,
                                     .workspaces = scope->workspaces,
                                     .workspace_count = scope->workspace_count,
                                     .all = scope->all,
                                     .used = used};
    if (!used)
        return too_many(s);
    /* Of the whole time that is asked about, as reconciliation has it, not of this piece of it. */
    enum err e = match_links_used(ledger, k->links, k->link_count, q->from_day, q->until_day, used);
    if (e == ERR_OK)
        e = match_new(s->db, &seen, k->links, k->link_count, &s->match);
    if (e == ERR_OK)
        e = cost_traffic_metadata(s->job, &s->metadata);
    if (e == ERR_OK)
        e = cost_traffic_load(s->job, ledger, s->match, &s->metadata, &s->traffic);
    return e == ERR_OK ? cost_who_load(s->job, ledger, &s->who) : e;
}

enum err cost_shared_run(struct cost_job *j, struct store_db *bill, struct store_db *ledger)
{
    struct shared s = {.job = j, .db = bill};
    s.slots = cost_ids_new(SLOT_COLUMNS);
    s.sums = cost_ids_new(2);
    s.cells = cost_ids_new(2);
    enum err e = cost_billed_load(j, bill, false, &s.billed);
    if (e == ERR_OK)
        e = find_traffic(&s, ledger);
    if (e == ERR_OK)
        e = read_bill(&s);
    if (e == ERR_OK)
        e = make_table(&s);
    if (e == ERR_OK)
        e = ask(&s);
    j->by_day = j->by_day || j->q->bin == COST_BIN_HOUR;
    cost_traffic_free(s.traffic);
    match_free(s.match);
    cost_ids_free(s.slots);
    cost_ids_free(s.sums);
    cost_ids_free(s.cells);
    mem_free(s.rows);
    mem_free(s.portions);
    return e;
}
