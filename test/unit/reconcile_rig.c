/* SPDX-License-Identifier: Apache-2.0 */
/* Rows straight into both databases; failures end the test with a sentence. */
#include "reconcile_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ledger/rollup.h"
#include "ledger/schema.h"
#include "openai/price.h"
#include "report/bill/bill_line.h"

static void make_links(struct reconcile_rig *r)
{
    static const struct {
        int64_t id;
        enum kind_integration kind;
        const char *name, *host, *hint;
    } links[] = {
        {RIG_ACCOUNT, KIND_INTEGRATION_OPENAI_ADMIN, "admin", "api.openai.com", "sk-…zzzz"},
        {RIG_ONE, KIND_INTEGRATION_OPENAI, "one", "api.openai.com", "sk-…aaaa"},
        {RIG_TWO, KIND_INTEGRATION_OPENAI, "two", "api.openai.com", "sk-…bbbb"},
        {RIG_THREE, KIND_INTEGRATION_OPENAI, "three", "eu.api.openai.com", "sk-…cccc"},
        {RIG_AZURE, KIND_INTEGRATION_AZURE_OPENAI, "azure", "x.openai.azure.com", "abc…dddd"},
    };
    r->link_count = sizeof links / sizeof links[0];
    for (size_t i = 0; i < r->link_count; i++)
        r->links[i] = (struct match_link){.integration = links[i].id,
                                          .workspace = 1,
                                          .kind = links[i].kind,
                                          .name = str_c(links[i].name),
                                          .host = str_c(links[i].host),
                                          .organization = STR(""),
                                          .project = STR(""),
                                          .key_hint = str_c(links[i].hint)};
}

static void make_names(struct reconcile_rig *r)
{
    const struct bill_name_put names[] = {
        {.kind = BILL_PROJECT, .ext = STR("proj_a"), .name = STR("Search"), .project = STR(""), .hint = STR("")},
        {.kind = BILL_PROJECT, .ext = STR("proj_b"), .name = STR("Support"), .project = STR(""), .hint = STR("")},
        {.kind = BILL_PROJECT, .ext = STR("proj_c"), .name = STR("Lab"), .project = STR(""), .hint = STR("")},
        {.kind = BILL_KEY,
         .ext = STR("key_1"),
         .name = STR("one"),
         .project = STR("proj_a"),
         .hint = STR("sk-proj-x***aaaa")},
        {.kind = BILL_KEY,
         .ext = STR("key_2"),
         .name = STR("two"),
         .project = STR("proj_a"),
         .hint = STR("sk-...bbbb")},
        {.kind = BILL_KEY,
         .ext = STR("key_3"),
         .name = STR("three"),
         .project = STR("proj_b"),
         .hint = STR("sk-…cccc")},
        {.kind = BILL_KEY,
         .ext = STR("key_9"),
         .name = STR("laptop"),
         .project = STR("proj_c"),
         .hint = STR("sk-...yyyy")},
    };
    assert_int_equal(bill_names_put(r->bill, RIG_ACCOUNT, names, sizeof names / sizeof names[0]), ERR_OK);
}

void reconcile_rig_open(struct reconcile_rig *r, int64_t first_day)
{
    const struct price_source source = price_source_builtin();
    struct price_fault fault;
    char why[256], path[128];
    *r = (struct reconcile_rig){.first = first_day};
    snprintf(r->dir, sizeof r->dir, "/tmp/test_reconcile.XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    if (bill_open(r->dir, &r->bill, why, sizeof why) != ERR_OK)
        fail_msg("%s", why);
    assert_int_equal(bill_account_put(r->bill, RIG_ACCOUNT, 1, STR("admin"), first_day, 1), ERR_OK);
    assert_int_equal(store_exec(bill_db(r->bill), "PRAGMA synchronous = OFF"), ERR_OK);
    snprintf(path, sizeof path, "%s/" SCHEMA_FILE, r->dir);
    assert_int_equal(store_open(path, NULL, &r->ledger), ERR_OK);
    assert_int_equal(schema_migrate(r->ledger), ERR_OK);
    assert_int_equal(store_exec(r->ledger, "PRAGMA synchronous = OFF"), ERR_OK);
    r->rollup = rollup_new(r->ledger);
    assert_int_equal(price_catalog_new(&source, &r->prices, &fault), ERR_OK);
    record_ids_init(&r->ids, 0, 0);
    make_links(r);
    make_names(r);
    for (size_t i = 0; i < 64; i++)
        r->rows[i] = calloc(RIG_ROWS_MAX, sizeof *r->rows[i]);
}

void reconcile_rig_close(struct reconcile_rig *r)
{
    char command[128];
    for (size_t i = 0; i < 64; i++)
        free(r->rows[i]);
    rollup_free(r->rollup);
    store_close(r->ledger);
    bill_close(r->bill);
    price_catalog_free(r->prices);
    snprintf(command, sizeof command, "rm -rf '%s'", r->dir);
    assert_int_equal(system(command), 0);
}

void reconcile_rig_clear(struct reconcile_rig *r, int64_t first_day)
{
    rollup_free(r->rollup);
    assert_int_equal(store_exec(r->ledger, "DELETE FROM rollups; DELETE FROM combos"), ERR_OK);
    r->rollup = rollup_new(r->ledger);
    assert_int_equal(bill_account_remove(r->bill, RIG_ACCOUNT), ERR_OK);
    assert_int_equal(bill_account_put(r->bill, RIG_ACCOUNT, 1, STR("admin"), first_day, 1), ERR_OK);
    make_names(r);
    r->first = first_day;
    memset(r->row_count, 0, sizeof r->row_count);
    record_ids_init(&r->ids, 0, 0);
}

/* --- metered --------------------------------------------------------------------------------- */

static int64_t dim(struct reconcile_rig *r, enum schema_dim kind, const char *text)
{
    struct store_stmt *st;
    bool row;
    if (!text[0])
        return 0;
    assert_int_equal(store_prepare(r->ledger, "INSERT OR IGNORE INTO dims(kind, text) VALUES(?1, ?2)", &st), ERR_OK);
    store_bind_i64(st, 1, kind);
    store_bind_text(st, 2, str_c(text));
    assert_int_equal(store_run(st), ERR_OK);
    assert_int_equal(store_prepare(r->ledger, "SELECT id FROM dims WHERE kind = ?1 AND text = ?2", &st), ERR_OK);
    store_bind_i64(st, 1, kind);
    store_bind_text(st, 2, str_c(text));
    assert_int_equal(store_step(st, &row), ERR_OK);
    assert_true(row);
    int64_t id = store_i64(st, 0);
    store_done(st);
    return id;
}

static const char *operation_of(const char *model)
{
    return strstr(model, "embedding") ? "embeddings"
           : strstr(model, "dall-e")  ? "images.generations"
                                      : "chat.completions";
}

static struct usage usage_of(const struct rig_call *c)
{
    struct usage u = {.source = c->estimated ? USAGE_ESTIMATED : USAGE_REPORTED};
    memcpy(u.quantity, c->quantity, sizeof u.quantity);
    return u;
}

struct cost reconcile_rig_cost(const struct reconcile_rig *r, const struct rig_call *c)
{
    struct usage usage = usage_of(c);
    struct cost cost;
    const struct price_query q = {.model = str_c(c->model),
                                  .operation = str_c(operation_of(c->model)),
                                  .service_tier = str_c(c->tier),
                                  .quality = STR(""),
                                  .size = STR(""),
                                  .container = STR(""),
                                  .when_us = bill_day_us(c->day) + c->second * INT64_C(1000000)};
    cost_of(r->prices, &q, &usage, &cost);
    return cost;
}

money_sum reconcile_rig_meter(struct reconcile_rig *r, const struct rig_call *c)
{
    struct record rec = {.usage = usage_of(c), .cost = reconcile_rig_cost(r, c)};
    int64_t at = bill_day_us(c->day) + c->second * INT64_C(1000000);
    rec.id = rec.request_id = record_id_floor(at) + 1;
    if (c->cached) {
        rec.cost = (struct cost){.state = COST_FREE, .meter = METER_COUNT};
        rec.routing.cache = RECORD_CACHE_HIT;
    }
    const struct rollup_key key = {.workspace_id = 1,
                                   .key_id = 1,
                                   .integration_id = c->integration,
                                   .operation = dim(r, SCHEMA_DIM_OPERATION, operation_of(c->model)),
                                   .model_asked = dim(r, SCHEMA_DIM_MODEL, c->model),
                                   .model_answered = dim(r, SCHEMA_DIM_MODEL, c->model),
                                   .service_tier = dim(r, SCHEMA_DIM_TIER, c->tier),
                                   .status_class = 2,
                                   .cost_state = rec.cost.state,
                                   .cache = rec.routing.cache};
    assert_int_equal(rollup_add(r->rollup, &key, &rec, 1), ERR_OK);
    return rec.cost.total_pusd;
}

void reconcile_rig_store(struct reconcile_rig *r)
{
    assert_int_equal(store_begin(r->ledger), ERR_OK);
    assert_int_equal(rollup_store(r->rollup), ERR_OK);
    assert_int_equal(store_commit(r->ledger), ERR_OK);
}

/* --- billed ---------------------------------------------------------------------------------- */

void reconcile_rig_bill_row(struct reconcile_rig *r, int64_t day, const struct rig_row *row)
{
    size_t at = (size_t)(day - r->first);
    assert_true(day >= r->first && at < 64);
    struct rig_row *list = r->rows[at];
    for (size_t i = 0; i < r->row_count[at]; i++) {
        if (strcmp(list[i].line, row->line) == 0 && strcmp(list[i].key, row->key) == 0 &&
            strcmp(list[i].project, row->project) == 0) {
            list[i].pusd += row->pusd;
            list[i].quantity += row->quantity;
            return;
        }
    }
    assert_true(r->row_count[at] < RIG_ROWS_MAX);
    list[r->row_count[at]++] = *row;
}

static void line_of(const struct rig_call *c, unsigned meter, bool long_context, char out[96])
{
    char words[32];
    bool tier = strcmp(c->tier, "priority") == 0 || strcmp(c->tier, "flex") == 0;
    str_copy(words, sizeof words, str_c(meter_info((enum meter)meter)->text));
    for (char *p = words; *p; p++)
        if (*p == '_')
            *p = ' ';
    snprintf(out, 96, "%s%s%s, %s%s", tier ? c->tier : "", tier ? " | " : "", c->model, words,
             long_context ? ", long context" : "");
}

money_sum reconcile_rig_bill(struct reconcile_rig *r, const struct rig_call *c, unsigned num, unsigned den)
{
    struct cost cost = reconcile_rig_cost(r, c);
    money_sum sum = 0;
    for (unsigned m = 0; m < METER_COUNT; m++) {
        struct rig_row row = {.unit = "tokens", .quantity = (int64_t)c->quantity[m]};
        if (!c->quantity[m])
            continue;
        row.pusd = (money_sum)cost.part_pusd[m] * num / den;
        snprintf(row.project, sizeof row.project, "%s", c->project);
        snprintf(row.key, sizeof row.key, "%s", c->key);
        line_of(c, m, cost.long_context, row.line);
        reconcile_rig_bill_row(r, c->day, &row);
        sum += row.pusd;
    }
    return sum;
}

void reconcile_rig_import(struct reconcile_rig *r, int64_t day, size_t leave, int64_t now_us)
{
    size_t at = (size_t)(day - r->first), n = r->row_count[at] - (leave < r->row_count[at] ? leave : r->row_count[at]);
    struct bill_cost *costs = calloc(n + 1, sizeof *costs);
    char(*amounts)[MONEY_TEXT_MAX] = calloc(n + 1, sizeof *amounts);
    char(*quantities)[24] = calloc(n + 1, sizeof *quantities);
    struct bill_stored stored;
    for (size_t i = 0; i < n; i++) {
        const struct rig_row *row = &r->rows[at][i];
        size_t len = money_format(row->pusd, amounts[i]);
        int q = snprintf(quantities[i], sizeof quantities[i], "%lld", (long long)row->quantity);
        costs[i] = (struct bill_cost){.project = str_c(row->project),
                                      .key = str_c(row->key),
                                      .line_item = str_c(row->line),
                                      .unit = str_c(row->unit),
                                      .amount = str_of(amounts[i], len),
                                      .quantity = row->quantity < 0 ? STR("") : str_of(quantities[i], (size_t)q)};
    }
    const struct bill_day d = {.account = RIG_ACCOUNT, .day = day, .costs = costs, .count = n, .now_us = now_us};
    assert_int_equal(bill_day_put(r->bill, &d, &stored), ERR_OK);
    free(costs);
    free(amounts);
    free(quantities);
}

void reconcile_rig_import_all(struct reconcile_rig *r, int64_t now_us)
{
    for (int64_t i = 0; i < 64; i++)
        reconcile_rig_import(r, r->first + i, 0, now_us);
    reconcile_rig_store(r);
}

/* --- asking ---------------------------------------------------------------------------------- */

struct reconcile_query reconcile_rig_query(const struct reconcile_rig *r, int64_t from, int64_t until, int64_t now_us)
{
    return (struct reconcile_query){.scope = {.all = true},
                                    .links = r->links,
                                    .link_count = r->link_count,
                                    .prices = r->prices,
                                    .from_day = from,
                                    .until_day = until,
                                    .now_us = now_us};
}

struct reconcile *reconcile_rig_run(const struct reconcile_rig *r, const struct reconcile_query *q)
{
    struct reconcile *result = NULL;
    struct cost_error error;
    if (reconcile_run(r->dir, q, &result, &error) != ERR_OK)
        fail_msg("%s", error.text);
    return result;
}
