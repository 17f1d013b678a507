/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What OpenAI's usage pages add to its bill. The number of requests for a model tells an answer that broke off (as many as
 * the gateway saw) from use around the gateway (more of them). And where the bill has amounts without quantities, as
 * bills of before August 2026 do, tokens are those of the usage pages.
 */
#include "report/bill/bill.h"
#include "report/reconcile/reconcile_inner.h"

#define HOURS 24

#define SELECT_REQUESTS                                                                               \
    "SELECT u.start / 24, u.project, u.key, IFNULL(t.text, ''), SUM(u.requests) FROM usage_rows AS u" \
    " LEFT JOIN terms AS t ON t.id = u.model WHERE u.account = ?1 AND u.grain = 0 AND u.start >= ?2"  \
    " AND u.start < ?3 AND u.kind IN (0, 1) GROUP BY 1, 2, 3, 4"
_Static_assert(BILL_USAGE_COMPLETIONS == 0 && BILL_USAGE_EMBEDDINGS == 1, "the kinds in the statement above");

/* A model at a place on a day: the sku of its input stands for it. */
static void key_of(const struct reconcile_job *j, int64_t day, uint32_t place, struct str model, int64_t key[3])
{
    key[0] = day;
    key[1] = place;
    key[2] = match_meter(j->match, model, METER_INPUT, STR(""), false);
}

static void add(struct match_table *t, const int64_t key[3], uint64_t n)
{
    uint32_t *value = match_table_at(t, key);
    *value = n > UINT32_MAX - *value ? UINT32_MAX : *value + (uint32_t)n;
}

void reconcile_usage_seen(struct reconcile_job *j, int64_t day, uint32_t place, struct str model, uint64_t attempts,
                          bool estimated)
{
    int64_t key[3];
    key_of(j, day, place, model, key);
    add(&j->seen_requests, key, attempts);
    if (estimated)
        add(&j->estimated_requests, key, attempts);
}

bool reconcile_usage_cut(const struct reconcile_job *j, const struct reconcile_cell *c)
{
    int64_t key[3];
    uint32_t billed, seen, estimated;
    key_of(j, c->day, c->place, match_sku(j->match, c->sku)->model, key);
    return match_table_get(&j->estimated_requests, key, &estimated) && estimated &&
           match_table_get(&j->seen_requests, key, &seen) && match_table_get(&j->billed_requests, key, &billed) &&
           billed <= seen;
}

/* --- quantities ------------------------------------------------------------------------------ */

#define SELECT_TOKENS                                                                                               \
    "SELECT u.start / 24, u.project, u.key, IFNULL(m.text, ''), IFNULL(t.text, ''), u.batch = 1, SUM(u.input_tok)," \
    " SUM(u.cached_tok), SUM(u.write_tok), SUM(u.write_12h_tok), SUM(u.output_tok), SUM(u.audio_in_tok),"           \
    " SUM(u.audio_cached_tok), SUM(u.audio_out_tok), SUM(u.image_in_tok), SUM(u.image_cached_tok),"                 \
    " SUM(u.image_out_tok) FROM usage_rows AS u LEFT JOIN terms AS m ON m.id = u.model LEFT JOIN terms AS t"        \
    " ON t.id = u.tier WHERE u.account = ?1 AND u.grain = 0 AND u.start >= ?2 AND u.start < ?3"                     \
    " AND u.kind IN (0, 1) GROUP BY 1, 2, 3, 4, 5, 6"

enum tokens {
    INPUT = 6,
    CACHED,
    WRITE,
    WRITE_12H,
    OUTPUT,
    AUDIO_IN,
    AUDIO_CACHED,
    AUDIO_OUT,
    IMAGE_IN,
    IMAGE_CACHED,
    IMAGE_OUT
};

/* Totals contain their parts; meters are disjoint. */
static int64_t of_meter(struct store_stmt *st, unsigned meter)
{
    int64_t audio = store_i64(st, AUDIO_IN) - store_i64(st, AUDIO_CACHED);
    int64_t image = store_i64(st, IMAGE_IN) - store_i64(st, IMAGE_CACHED);
    switch (meter) {
    case METER_INPUT:
        return store_i64(st, INPUT) - store_i64(st, CACHED) - store_i64(st, WRITE) - audio - image;
    case METER_CACHED:
        return store_i64(st, CACHED) - store_i64(st, AUDIO_CACHED) - store_i64(st, IMAGE_CACHED);
    case METER_CACHE_WRITE:
        return store_i64(st, WRITE) - store_i64(st, WRITE_12H);
    case METER_CACHE_WRITE_12H:
        return store_i64(st, WRITE_12H);
    case METER_OUTPUT:
        return store_i64(st, OUTPUT) - store_i64(st, AUDIO_OUT) - store_i64(st, IMAGE_OUT);
    case METER_AUDIO_INPUT:
        return audio;
    case METER_AUDIO_CACHED:
        return store_i64(st, AUDIO_CACHED);
    case METER_AUDIO_OUTPUT:
        return store_i64(st, AUDIO_OUT);
    case METER_IMAGE_INPUT:
        return image;
    case METER_IMAGE_CACHED:
        return store_i64(st, IMAGE_CACHED);
    case METER_IMAGE_OUTPUT:
        return store_i64(st, IMAGE_OUT);
    default:
        return 0;
    }
}

static void fill_cells(struct reconcile_job *j, struct store_stmt *st, uint32_t place)
{
    for (unsigned meter = 0; meter < METER_COUNT; meter++) {
        int64_t tokens = of_meter(st, meter);
        uint32_t at, sku;
        if (tokens <= 0)
            continue;
        sku = match_meter(j->match, store_text(st, 3), meter, store_text(st, 4), store_i64(st, 5) != 0);
        const int64_t key[3] = {store_i64(st, 0), place, sku};
        struct reconcile_cell *c = match_table_get(&j->index, key, &at) ? &j->cells[at] : NULL;
        /* Not where some of its rows have quantities: usage is of all of them. */
        if (!c || !c->no_quantity || c->billed_quantity != c->plain_quantity)
            continue;
        c->billed_quantity += (money_sum)tokens * reconcile_unit_scale(meter);
        c->plain_quantity = c->billed_quantity;
    }
}

/* --- both ------------------------------------------------------------------------------------ */

/* A statement over one account's usage, from row to row. */
typedef void usage_row_fn(struct reconcile_job *j, struct store_stmt *st, uint32_t place);

static void count_requests(struct reconcile_job *j, struct store_stmt *st, uint32_t place)
{
    int64_t key[3], n = store_i64(st, 4);
    key_of(j, store_i64(st, 0), place, store_text(st, 3), key);
    add(&j->billed_requests, key, n > 0 ? (uint64_t)n : 0);
}

static enum err read_usage(struct reconcile_job *j, const char *sql, int64_t account, usage_row_fn *fn)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(j->bill, sql, &st);
    if (e != ERR_OK)
        return reconcile_store_failed(j, j->bill, e);
    store_bind_i64(st, 1, account);
    store_bind_i64(st, 2, j->q->from_day * HOURS);
    store_bind_i64(st, 3, j->q->until_day * HOURS);
    while ((e = store_step(st, &row)) == ERR_OK && row)
        fn(j, st, match_billed(j->match, account, store_i64(st, 1), store_i64(st, 2)));
    return e == ERR_OK ? e : reconcile_store_failed(j, j->bill, e);
}

enum err reconcile_usage_read(struct reconcile_job *j)
{
    int64_t *accounts;
    size_t count;
    enum err e = reconcile_accounts(j, &accounts, &count);
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        e = read_usage(j, SELECT_REQUESTS, accounts[i], count_requests);
    for (size_t i = 0; e == ERR_OK && j->no_quantity && i < count; i++)
        e = read_usage(j, SELECT_TOKENS, accounts[i], fill_cells);
    return e;
}
