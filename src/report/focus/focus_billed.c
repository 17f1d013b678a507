/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Billed rows. A day of an account is one statement. A row of a closed month that was corrected is put out as it
 * was (what it is now, less its corrections), then each correction by itself.
 *
 * What Vantage's files call a charge, and FOCUS does not know, becomes: Fee a Purchase, Discount a Credit, Refund an
 * Adjustment. Where an account is prepaid, use is drawn from what was bought before: BilledCost is 0 and
 * EffectiveCost the cost; its fees are what was bought: EffectiveCost is 0.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json/jdoc.h"
#include "base/mem.h"
#include "base/must.h"
#include "report/bill/bill_line.h"
#include "report/focus/focus_row.h"
#include "report/reconcile/reconcile_inner.h"

#define FILE_TAGS_MAX 64
#define NANO 1000 /* 10^-12 in a billionth */

/* --- what reconciliation says ---------------------------------------------------------------- */

struct checked {
    struct reconcile_billed *list;
    size_t count, cap;
};

static int compare(const void *a, const void *b)
{
    const struct reconcile_billed *x = a, *y = b;
    if (x->project != y->project)
        return x->project < y->project ? -1 : 1;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

static bool collect(void *context, const struct reconcile_billed *row)
{
    struct checked *c = context;
    if (c->count == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 256;
        c->list = mem_realloc(c->list, c->cap * sizeof *c->list);
    }
    c->list[c->count++] = *row;
    return true;
}

/* Of one account and day, by place and item. */
static enum err check_day(struct focus_run *r, const struct bill_account *account, int64_t day, struct checked *ret)
{
    const struct focus_query *q = r->q;
    struct reconcile_query ask = reconcile_query_month(bill_month_of(day), q->now_us);
    ask.scope = (struct cost_scope){.accounts = &account->id,
                                    .account_count = 1,
                                    .workspaces = q->scope.workspaces,
                                    .workspace_count = q->scope.workspace_count};
    ask.links = q->links;
    ask.link_count = q->link_count;
    ask.prices = q->prices;
    ask.from_day = day;
    ask.until_day = day + 1;
    *ret = (struct checked){NULL, 0, 0};
    if (account->kind != BILL_IMPORTED_COSTS)
        return ERR_OK;
    enum err e = reconcile_each(q->dir, &ask, collect, ret, r->error);
    if (ret->count > 1)
        qsort(ret->list, ret->count, sizeof *ret->list, compare);
    return e;
}

/*
 * What was metered for a place and item. Several rows may have them, which differ by unit: the first one has it all, so
 * that a file's rows add up to what was metered.
 */
static void set_checked(struct focus_row *row, struct checked *c, int64_t project, int64_t key, int64_t item)
{
    const struct reconcile_billed wanted = {.project = project, .key = key, .item = item};
    struct reconcile_billed *found = c->count ? bsearch(&wanted, c->list, c->count, sizeof *c->list, compare) : NULL;
    if (!found)
        return;
    while (found > c->list && compare(&found[-1], &wanted) == 0)
        found--;
    row->state = str_c(reconcile_status_text(found->status));
    row->has_metered = true;
    for (; found < c->list + c->count && compare(found, &wanted) == 0; found++) {
        row->metered += found->metered;
        row->metered_quantity += found->metered_quantity;
        row->requests += found->attempts;
        found->metered = found->metered_quantity = 0;
        found->attempts = 0;
    }
}

/* --- a charge -------------------------------------------------------------------------------- */

static enum focus_charge charge_of(enum bill_charge c, struct str line_item)
{
    static const enum focus_charge charges[BILL_CHARGE_COUNT] = {
        [BILL_CHARGE_USAGE] = FOCUS_CHARGE_USAGE,     [BILL_CHARGE_CREDIT] = FOCUS_CHARGE_CREDIT,
        [BILL_CHARGE_TAX] = FOCUS_CHARGE_TAX,         [BILL_CHARGE_REFUND] = FOCUS_CHARGE_ADJUSTMENT,
        [BILL_CHARGE_DISCOUNT] = FOCUS_CHARGE_CREDIT, [BILL_CHARGE_FEE] = FOCUS_CHARGE_PURCHASE,
    };
    return str_eq(line_item, STR(BILL_UNATTRIBUTED)) ? FOCUS_CHARGE_ADJUSTMENT : charges[c];
}

/* What was used, as a list price of it is known. */
static struct focus_list list_of(struct focus_run *r, int64_t item, struct str line_item, struct str unit, int64_t day)
{
    struct focus_list none = {.known = false};
    uint32_t at = match_item(r->match, item);
    const struct match_sku *sku = at == MATCH_NONE ? NULL : match_sku(r->match, at);
    if (!sku || sku->meter == METER_COUNT || !str_eq(unit, reconcile_unit(sku->meter)))
        return none;
    struct reconcile_price_of p = reconcile_book_item(r->book, item, line_item, sku, day);
    return (struct focus_list){.known = p.known, .num = p.num, .den = p.den};
}

static void set_costs(struct focus_row *row, const struct bill_account *account, cost_sum cost,
                      const struct focus_list *list)
{
    bool bought = account->prepaid && row->charge == FOCUS_CHARGE_PURCHASE;
    bool drawn = account->prepaid && row->charge == FOCUS_CHARGE_USAGE;
    row->contracted = row->list = cost;
    row->billed = drawn ? 0 : cost;
    row->effective = bought ? 0 : cost;
    if (row->correction) {
        row->used_unit = row->used ? row->used_unit : STR("");
        row->consumed = row->charge == FOCUS_CHARGE_USAGE && row->used;
        row->contracted = row->list = row->billed; /* without a unit price they are one */
    } else if (row->charge == FOCUS_CHARGE_USAGE) {
        focus_price(row, list);
    } else if (row->charge == FOCUS_CHARGE_PURCHASE) {
        focus_price_one(row);
    }
}

/* --- whose ----------------------------------------------------------------------------------- */

static struct str dup(struct focus_run *r, struct str text)
{
    struct str copy = arena_dup(r->row, text);
    return copy.p ? copy : STR("");
}

static void set_account(struct focus_run *r, struct focus_row *row, const struct bill_account *account)
{
    char id[COST_PROVIDER_MAX];
    bool file = account->kind == BILL_FILES;
    struct str provider = STR("OpenAI");
    row->account_id = account->organization.n ? account->organization : account->slug;
    row->account_name = account->title.n ? account->title : row->account_id;
    row->account_type = STR("Organization");
    if (file) {
        provider = account->title;
        row->account_id =
            str_from(dup(r, str_of(id, cost_provider_format(account->id, id))), STR("custom_provider:").n);
        row->account_type = STR("Custom Provider");
    }
    row->provider = row->host = provider;
}

static void set_place(struct focus_run *r, struct focus_row *row, const struct bill_account *account,
                      struct store_stmt *st)
{
    struct buf id;
    struct str key = dup(r, store_text(st, 14));
    row->sub_id = dup(r, store_text(st, 12));
    row->sub_name = dup(r, store_text(st, 13));
    row->sub_type = account->kind == BILL_FILES ? STR("Sub Account") : STR("Project");
    row->resource_name = dup(r, store_text(st, 15));
    row->key = key;
    if (!key.n)
        return;
    buf_init(&id, 4096);
    bool ok = buf_printf(&id, "%.*s/%.*s/%.*s", STR_ARG(row->account_id), STR_ARG(row->sub_id), STR_ARG(key));
    row->resource_id = dup(r, ok ? buf_str(&id) : key);
    buf_free(&id);
}

/* --- what ------------------------------------------------------------------------------------ */

/* Tags of a file's line item. */
static size_t read_tags(struct focus_run *r, struct str line_item, struct focus_tag_pair pairs[FILE_TAGS_MAX])
{
    struct jdoc doc;
    size_t n = 0;
    struct str tags = bill_line_part(line_item, BILL_LINE_TAGS);
    jdoc_init(&doc);
    struct jval object = tags.n && jdoc_parse(&doc, tags) ? jdoc_root(&doc) : (struct jval){0};
    for (struct jval v = jdoc_first(object); jdoc_has(v) && n < FILE_TAGS_MAX; v = jdoc_next(object, v))
        pairs[n++] = (struct focus_tag_pair){dup(r, jdoc_text(v, r->row)), dup(r, jdoc_text(jdoc_value(v), r->row))};
    jdoc_free(&doc);
    return n;
}

struct words {
    struct str service, category, subcategory, tier, model;
};

static void set_what(struct focus_run *r, struct focus_row *row, const struct bill_account *account,
                     const struct words *w)
{
    struct focus_sku sku = {.model = w->category,
                            .short_model = w->model,
                            .subcategory = w->subcategory,
                            .tier = w->tier,
                            .unit = row->used_unit,
                            .developer = STR("OpenAI")};
    focus_name_service(row, w->service, r->row);
    row->description = row->line_item;
    if (account->kind == BILL_FILES) {
        row->service = w->service;
        row->category = STR("Other");
        row->subcategory = STR("Other (Other)");
        row->region = bill_line_part(row->line_item, BILL_LINE_REGION);
        row->description = w->subcategory.n ? w->subcategory : w->category.n ? w->category : w->service;
        sku.model = w->category.n ? w->category : w->service;
        sku.developer = STR("");
    }
    if (row->charge == FOCUS_CHARGE_USAGE || row->charge == FOCUS_CHARGE_PURCHASE)
        focus_name_sku(row, &sku, r->row);
}

static void set_subject(struct focus_subject *s, const struct focus_row *row, const struct bill_account *account,
                        const struct words *w, enum bill_charge charge, char provider[COST_PROVIDER_MAX])
{
    bool file = account->kind == BILL_FILES;
    struct str *f = s->fields;
    f[VQL_PROVIDER] = file ? str_of(provider, cost_provider_format(account->id, provider)) : STR(VQL_OPEN_AI);
    f[VQL_REGION] = row->region;
    f[VQL_MARKETPLACE] = STR("false");
    f[VQL_ACCOUNT] = row->sub_id;
    f[VQL_BILLING_ACCOUNT] = account->organization;
    f[VQL_SERVICE] = w->service;
    f[VQL_CATEGORY] = w->category;
    f[VQL_SUBCATEGORY] = w->subcategory;
    f[VQL_RESOURCE] = row->key;
    f[VQL_CHARGE_TYPE] = str_c(bill_charge_text(charge));
    f[VQL_MODEL] = w->category;
    s->model_short = w->model;
    f[VQL_TIER] = w->tier;
    f[VQL_BATCH] = str_eq(w->tier, STR("batch")) ? STR("true") : STR("false");
    f[VQL_LEDGER] = STR("billed");
    f[VQL_LINE_ITEM] = row->line_item;
}

/* --- a day ----------------------------------------------------------------------------------- */

#define SUMS "SUM(micro) AS micro, SUM(pico) AS pico, SUM(quantity) AS quantity, SUM(nano) AS nano"
#define NOT_NOTHING " HAVING SUM(micro)<>0 OR SUM(pico)<>0 OR SUM(quantity)<>0 OR SUM(nano)<>0"
#define TERM(column) ", (SELECT text FROM terms WHERE id=" column ")"
#define DAY_SQL                                                                                                                                \
    "SELECT x.correction, x.project, x.key, x.item, x.charge, x.micro, x.pico, x.quantity, x.nano,"                                            \
    " i.line_item" TERM("x.unit") TERM("i.service") ", p.ext, p.name, k.ext, k.name" TERM("i.category")                                        \
        TERM("i.subcategory") TERM("i.tier") TERM(                                                                                             \
            "i.model") " FROM (SELECT 0 AS correction, project, key, item,"                                                                    \
                       " charge, unit, " SUMS                                                                                                  \
                       " FROM (SELECT project, key, item, charge, unit, micro, pico, quantity, nano"                                           \
                       " FROM bill_rows WHERE account=?1 AND day=?2 UNION ALL SELECT project, key, item, charge, unit, -micro, -pico,"         \
                       " -quantity, -nano FROM corrections WHERE account=?1 AND day=?2) GROUP BY project, key, item, charge, unit" NOT_NOTHING \
                       " UNION ALL SELECT id, project, key, item, charge, unit, micro, pico, quantity, nano"                                   \
                       " FROM corrections WHERE account=?1 AND day=?2) x JOIN items i ON i.id=x.item"                                          \
                       " LEFT JOIN names p ON p.id=x.project LEFT JOIN names k ON k.id=x.key"                                                  \
                       " ORDER BY x.project, x.key, x.item, x.charge, x.unit, x.correction"

static enum err put_row(struct focus_run *r, const struct bill_account *account, int64_t day, struct checked *c,
                        struct store_stmt *st)
{
    struct focus_tag_pair tags[FILE_TAGS_MAX];
    struct focus_subject s = {.day = day, .own = tags};
    char provider[COST_PROVIDER_MAX];
    int64_t charge = store_i64(st, 4), item = store_i64(st, 3);
    must(charge >= 0 && charge < BILL_CHARGE_COUNT);
    struct focus_row row = {.day = day,
                            .correction = store_i64(st, 0) != 0,
                            .line_item = dup(r, store_text(st, 9)),
                            .used_unit = dup(r, store_text(st, 10)),
                            .used = (money_sum)store_i64(st, 7) * COST_PER_PUSD + (money_sum)store_i64(st, 8) * NANO,
                            .ledger = STR("billed"),
                            .state = STR("")};
    const struct words w = {dup(r, store_text(st, 11)), dup(r, store_text(st, 16)), dup(r, store_text(st, 17)),
                            dup(r, store_text(st, 18)), dup(r, store_text(st, 19))};
    row.charge = charge_of((enum bill_charge)charge, row.line_item);
    set_account(r, &row, account);
    set_place(r, &row, account, st);
    set_what(r, &row, account, &w);
    struct focus_list list = list_of(r, item, row.line_item, row.used_unit, day);
    set_costs(&row, account, (cost_sum)bill_money(store_i64(st, 5), store_i64(st, 6)) * COST_PER_PUSD, &list);
    if (!row.correction && charge == BILL_CHARGE_USAGE)
        set_checked(&row, c, store_i64(st, 1), store_i64(st, 2), item);
    set_subject(&s, &row, account, &w, (enum bill_charge)charge, provider);
    s.own_count = read_tags(r, row.line_item, tags);
    enum err e = focus_put(r, &row, &s);
    arena_reset(r->row);
    return e;
}

enum err focus_billed_day(struct focus_run *r, struct store_db *db, const struct bill_account *account, int64_t day)
{
    struct checked c;
    struct store_stmt *st;
    bool row;
    enum err e = check_day(r, account, day, &c);
    if (e == ERR_OK)
        e = store_prepare(db, DAY_SQL, &st);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, account->id);
        store_bind_i64(st, 2, day);
        while (!r->enough && (e = store_step(st, &row)) == ERR_OK && row)
            if ((e = put_row(r, account, day, &c, st)) != ERR_OK)
                break;
        store_clear(st);
    }
    mem_free(c.list);
    return e;
}
