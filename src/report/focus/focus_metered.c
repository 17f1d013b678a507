/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metered rows: hourly sums of the ledger, added up to days, a row a (workspace, key, integration, model, tier, state
 * of cost) and meter. What a request costs beyond what its meters explain is a row without a quantity. Rows come in the
 * order of what makes a group, so one group is held at a time.
 */
#include <stdio.h>

#include "base/must.h"
#include "ledger/rollup.h"
#include "openai/cost.h"
#include "report/focus/focus_row.h"
#include "report/reconcile/reconcile_inner.h"

#define HOURS 24
#define LIST_MAX (1u << 20)
#define ID_TEXT_MAX 24

/* What the rows of a group have in common; ids of control.db and of dims. */
struct group {
    int64_t workspace, key, integration, state;
    struct str operation, model, tier, provider; /* in the run's day arena */
    int64_t model_id;
    struct sums sums;
    bool open;
};

/* --- words ----------------------------------------------------------------------------------- */

static struct str kept(struct arena *a, struct str text)
{
    struct str copy = arena_dup(a, text);
    return copy.p ? copy : STR("");
}

static struct str service_of(struct str operation)
{
    static const struct {
        const char *begin, *service;
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
    };
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        if (str_starts(operation, str_c(services[i].begin)))
            return str_c(services[i].service);
    return STR("Other");
}

static struct str provider_name(struct str provider)
{
    if (!provider.n || str_eq(provider, STR("openai")))
        return STR("OpenAI");
    return str_eq(provider, STR("azure-openai")) ? STR("Microsoft") : provider;
}

/* Without "-YYYY-MM-DD"; "" when there is no date. */
static struct str undated(struct str model)
{
    static const char shape[] = "-0000-00-00";
    const size_t n = sizeof shape - 1;
    if (model.n <= n)
        return model;
    struct str tail = str_from(model, model.n - n);
    for (size_t i = 0; i < n; i++)
        if (shape[i] == '-' ? tail.p[i] != '-' : tail.p[i] < '0' || tail.p[i] > '9')
            return model;
    return str_head(model, model.n - n);
}

static struct str known(struct focus_run *r, focus_text_fn *text, int64_t id, struct str *ret_name)
{
    char number[ID_TEXT_MAX];
    struct str shown = STR(""), name = STR("");
    if (id && !(text && text(r->q->context, id, &shown, &name)))
        shown = str_of(number, (size_t)snprintf(number, sizeof number, "%lld", (long long)id));
    *ret_name = kept(r->row, name);
    return kept(r->row, shown);
}

static const struct match_link *link_of(const struct focus_run *r, int64_t integration, int64_t day)
{
    const struct match_link *found = NULL;
    for (size_t i = 0; i < r->q->link_count; i++)
        if (r->q->links[i].integration == integration && r->q->links[i].from_us < bill_day_us(day + 1))
            found = &r->q->links[i];
    return found;
}

/* --- a row ----------------------------------------------------------------------------------- */

/* Who bills it: the organization that the integration names, else the integration. */
static void set_account(struct focus_run *r, struct focus_row *row, const struct group *g, int64_t day)
{
    const struct match_link *link = link_of(r, g->integration, day);
    struct str unused;
    row->account_id = link && link->organization.n ? link->organization : link ? link->name : STR("");
    row->account_type = link && link->organization.n ? STR("Organization") : STR("Integration");
    if (!row->account_id.n)
        row->account_id = g->integration ? known(r, NULL, g->integration, &unused) : STR("(own key)");
    row->account_name = link ? link->name : row->account_id;
    row->provider = row->host = provider_name(g->provider);
}

static void set_place(struct focus_run *r, struct focus_row *row, const struct group *g)
{
    struct buf id;
    row->sub_id = known(r, r->q->workspace, g->workspace, &row->sub_name);
    row->sub_type = STR("Workspace");
    row->key = known(r, r->q->key, g->key, &row->resource_name);
    if (!row->key.n)
        return;
    buf_init(&id, 4096);
    bool ok = buf_printf(&id, "%.*s/%.*s", STR_ARG(row->sub_id), STR_ARG(row->key));
    row->resource_id = kept(r->row, ok ? buf_str(&id) : row->key);
    buf_free(&id);
}

/* "cached input" of "cached_input". */
static struct str meter_text(struct focus_run *r, unsigned meter)
{
    struct str from = str_c(meter_info((enum meter)meter)->text);
    char *to = arena_alloc(r->row, from.n + 1);
    for (size_t i = 0; to && i < from.n; i++)
        to[i] = from.p[i] == '_' ? ' ' : from.p[i];
    return to ? str_of(to, from.n) : STR("");
}

static struct focus_list list_of(struct focus_run *r, const struct group *g, unsigned meter, int64_t day)
{
    uint32_t at = match_meter(r->match, g->model, meter, g->tier, false);
    if (at == MATCH_NONE)
        return (struct focus_list){.known = false};
    struct reconcile_price_of p =
        reconcile_book_meter(r->book, g->model_id, g->model, match_sku(r->match, at), at, day).low;
    return (struct focus_list){.known = p.known, .num = p.num, .den = p.den};
}

static void set_subject(struct focus_subject *s, const struct focus_row *row, const struct group *g,
                        struct str subcategory)
{
    struct str *f = s->fields;
    f[VQL_PROVIDER] = !g->provider.n || str_eq(g->provider, STR("openai")) ? STR(VQL_OPEN_AI) : g->provider;
    f[VQL_MARKETPLACE] = f[VQL_BATCH] = STR("false");
    f[VQL_SERVICE] = service_of(g->operation);
    f[VQL_CATEGORY] = f[VQL_MODEL] = g->model;
    s->model_short = undated(g->model);
    f[VQL_SUBCATEGORY] = subcategory;
    f[VQL_RESOURCE] = row->key;
    f[VQL_CHARGE_TYPE] = STR("Usage");
    f[VQL_TIER] = g->tier;
    f[VQL_LEDGER] = STR("metered");
}

/* One meter of a group, or (METER_COUNT) what none explains. */
static enum err put_meter(struct focus_run *r, const struct group *g, int64_t day, unsigned meter, money_sum pusd)
{
    struct focus_subject s = {.day = day};
    bool other = meter == METER_COUNT;
    struct focus_row row = {.day = day,
                            .charge = FOCUS_CHARGE_USAGE,
                            .ledger = STR("metered"),
                            .state = str_c(cost_state_text((enum cost_state)g->state)),
                            .has_metered = true,
                            .metered = pusd,
                            .requests = g->sums.attempts};
    struct str subcategory = other ? STR("other") : meter_text(r, meter);
    row.used_unit = other ? STR("") : reconcile_unit(meter);
    row.used = other ? 0 : (money_sum)g->sums.quantity[meter] * reconcile_unit_scale(meter);
    row.metered_quantity = row.used;
    const struct focus_sku sku = {.model = g->model.n ? g->model : STR("(no model)"),
                                  .short_model = undated(g->model),
                                  .subcategory = subcategory,
                                  .tier = str_eq(g->tier, STR("default")) ? STR("") : g->tier,
                                  .unit = row.used_unit,
                                  .developer =
                                      str_eq(provider_name(g->provider), STR("OpenAI")) ? STR("OpenAI") : STR("")};
    set_account(r, &row, g, day);
    set_place(r, &row, g);
    focus_name_service(&row, service_of(g->operation), r->row);
    focus_name_sku(&row, &sku, r->row);
    row.description = row.meter;
    row.contracted = row.list = row.effective = pusd * COST_PER_PUSD;
    struct focus_list list = other ? (struct focus_list){.known = false} : list_of(r, g, meter, day);
    focus_price(&row, &list);
    set_subject(&s, &row, g, subcategory);
    enum err e = focus_put(r, &row, &s);
    arena_reset(r->row);
    return e;
}

static enum err put_group(struct focus_run *r, struct group *g, int64_t day)
{
    money_sum rest = g->sums.cost_pusd;
    enum err e = ERR_OK;
    if (!g->open)
        return ERR_OK;
    for (unsigned m = 0; e == ERR_OK && !r->enough && m < METER_COUNT; m++) {
        rest -= g->sums.part_pusd[m];
        if (g->sums.quantity[m] || g->sums.part_pusd[m])
            e = put_meter(r, g, day, m, g->sums.part_pusd[m]);
    }
    if (e == ERR_OK && !r->enough && rest)
        e = put_meter(r, g, day, METER_COUNT, rest);
    g->open = false;
    return e;
}

/* --- a day ----------------------------------------------------------------------------------- */

#define MODEL "CASE c.model_answered WHEN 0 THEN c.model_asked ELSE c.model_answered END"
#define DIM(column) "(SELECT text FROM dims WHERE id = " column ")"
#define DAY_SQL                                                                                                             \
    "SELECT c.workspace_id, c.key_id, c.integration_id, c.cost_state, c.operation, " MODEL                                  \
    ", c.service_tier, c.provider, " ROLLUP_SUM_COLUMNS                                                                     \
    ", " DIM("c.operation") ", " DIM(MODEL) ", " DIM("c.service_tier") ", " DIM(                                            \
        "c.provider") " FROM rollups AS r CROSS JOIN combos AS c ON c.id = r.combo"                                         \
                      " WHERE r.hour >= ?1 AND r.hour < ?2 AND (?3 OR c.workspace_id IN (SELECT value FROM json_each(?4)))" \
                      " ORDER BY 1, 2, 3, 4, 5, 6, 7, 8"
#define IDS 8
#define SUM_COLUMNS 7

static void open_group(struct focus_run *r, struct group *g, struct store_stmt *st)
{
    *g = (struct group){.workspace = store_i64(st, 0),
                        .key = store_i64(st, 1),
                        .integration = store_i64(st, 2),
                        .state = store_i64(st, 3),
                        .model_id = store_i64(st, 5),
                        .operation = kept(r->day, store_text(st, IDS + SUM_COLUMNS)),
                        .model = kept(r->day, store_text(st, IDS + SUM_COLUMNS + 1)),
                        .tier = kept(r->day, store_text(st, IDS + SUM_COLUMNS + 2)),
                        .provider = kept(r->day, store_text(st, IDS + SUM_COLUMNS + 3)),
                        .open = true};
    g->state = g->state >= 0 && g->state < COST_STATE_COUNT ? g->state : COST_NONE;
}

static enum err add_row(struct focus_run *r, struct group *g, int64_t ids[IDS], int64_t day, struct store_stmt *st)
{
    bool same = g->open;
    for (int i = 0; i < IDS; i++) {
        same = same && ids[i] == store_i64(st, i);
        ids[i] = store_i64(st, i);
    }
    if (!same) {
        enum err e = put_group(r, g, day);
        if (e != ERR_OK)
            return e;
        arena_reset(r->day);
        open_group(r, g, st);
    }
    return rollup_add_to(st, IDS, &g->sums);
}

enum err focus_metered_day(struct focus_run *r, struct store_db *db, int64_t day)
{
    const struct cost_scope *scope = &r->q->scope;
    struct store_stmt *st;
    struct group g = {.open = false};
    int64_t ids[IDS];
    struct buf list;
    bool row, fits;
    buf_init(&list, LIST_MAX);
    fits = buf_add_byte(&list, '[');
    for (size_t i = 0; fits && !scope->all && i < scope->workspace_count; i++)
        fits = buf_printf(&list, "%s%lld", i ? "," : "", (long long)scope->workspaces[i]);
    fits = fits && buf_add_byte(&list, ']');
    enum err e = fits ? store_prepare(db, DAY_SQL, &st) : focus_no_room(r);
    if (e != ERR_OK) {
        buf_free(&list);
        return e;
    }
    store_bind_i64(st, 1, day * HOURS);
    store_bind_i64(st, 2, (day + 1) * HOURS);
    store_bind_i64(st, 3, scope->all);
    store_bind_text(st, 4, buf_str(&list));
    while (!r->enough && (e = store_step(st, &row)) == ERR_OK && row)
        if ((e = add_row(r, &g, ids, day, st)) != ERR_OK)
            break;
    store_clear(st);
    buf_free(&list);
    return e == ERR_OK && !r->enough ? put_group(r, &g, day) : e;
}
