/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many requests OpenAI counted for a model, from its usage pages. The bill has amounts only; the number of requests
 * tells an answer that broke off (as many as the gateway saw) from use around the gateway (more of them).
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

enum err reconcile_usage_read(struct reconcile_job *j)
{
    int64_t *accounts;
    size_t count;
    struct store_stmt *st;
    bool row;
    enum err e = reconcile_accounts(j, &accounts, &count);
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        e = store_prepare(j->bill, SELECT_REQUESTS, &st);
        if (e != ERR_OK)
            break;
        store_bind_i64(st, 1, accounts[i]);
        store_bind_i64(st, 2, j->q->from_day * HOURS);
        store_bind_i64(st, 3, j->q->until_day * HOURS);
        while ((e = store_step(st, &row)) == ERR_OK && row) {
            int64_t key[3], n = store_i64(st, 4);
            uint32_t place = match_billed(j->match, accounts[i], store_i64(st, 1), store_i64(st, 2));
            key_of(j, store_i64(st, 0), place, store_text(st, 3), key);
            add(&j->billed_requests, key, n > 0 ? (uint64_t)n : 0);
        }
    }
    return e == ERR_OK ? e : reconcile_store_failed(j, j->bill, e);
}
