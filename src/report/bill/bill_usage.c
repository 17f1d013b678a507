/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets of usage. Rows of one place are added up by the database; the rest is as for days of costs. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "report/bill/bill_inner.h"

#define PLACE_COLUMNS 12

static int compare(const void *a, const void *b)
{
    const struct bill_used *const *px = a, *const *py = b;
    const struct bill_used *x = *px, *y = *py;
    const struct str left[] = {x->project, x->user, x->key, x->model, x->tier, x->extra, x->source};
    const struct str right[] = {y->project, y->user, y->key, y->model, y->tier, y->extra, y->source};
    int d = x->batch - y->batch;
    for (size_t i = 0; i < 7 && !d; i++)
        d = str_cmp(left[i], right[i]);
    for (size_t i = 0; i < BILL_FIGURE_COUNT && !d; i++)
        d = (x->figure[i] > y->figure[i]) - (x->figure[i] < y->figure[i]);
    return d;
}

static bool add_row(struct buf *out, const struct bill_used *u)
{
    const struct str texts[] = {u->project, u->user, u->key, u->model, u->tier, u->extra, u->source};
    bool fits = buf_add(out, &u->batch, sizeof u->batch) && buf_add(out, u->figure, sizeof u->figure);
    for (size_t i = 0; i < 7 && fits; i++)
        fits = buf_printf(out, "%zu:", texts[i].n) && buf_add_str(out, texts[i]);
    return fits;
}

static enum err hash_rows(const struct bill_bucket *k, unsigned char hash[BILL_HASH_BYTES])
{
    struct buf all;
    bool fits = true;
    const struct bill_used **sorted = mem_alloc((k->count + 1) * sizeof *sorted);
    for (size_t i = 0; i < k->count; i++)
        sorted[i] = &k->rows[i];
    if (k->count > 1)
        qsort(sorted, k->count, sizeof *sorted, compare);
    buf_init(&all, SIZE_MAX / 4);
    for (size_t i = 0; i < k->count && fits; i++)
        fits = add_row(&all, sorted[i]);
    bill_inner_sha256(buf_str(&all), hash);
    buf_free(&all);
    mem_free(sorted);
    return fits ? ERR_OK : ERR_OVERLOADED;
}

static void bind_place(struct store_stmt *st, const struct bill_bucket *k)
{
    store_bind_i64(st, 1, k->account);
    store_bind_i64(st, 2, k->kind);
    store_bind_i64(st, 3, k->hourly);
    store_bind_i64(st, 4, k->start);
}

static enum err look_up(struct bill *b, const struct bill_bucket *k, const unsigned char *hash, bool *ret_same)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(
        b->db, "SELECT hash FROM usage_buckets WHERE account=?1 AND kind=?2 AND grain=?3 AND start=?4", &st);
    if (e != ERR_OK)
        return e;
    bind_place(st, k);
    e = store_step(st, &row);
    if (e == ERR_OK)
        *ret_same = row && str_eq(store_text(st, 0), str_of((const char *)hash, BILL_HASH_BYTES));
    store_clear(st);
    return e;
}

static enum err ids_of(struct bill *b, int64_t account, const struct bill_used *u, int64_t ids[8])
{
    const struct {
        struct str text;
        int kind; /* 0: a term */
    } parts[] = {{u->project, BILL_PROJECT},
                 {u->user, BILL_USER},
                 {u->key, BILL_KEY},
                 {u->model, 0},
                 {STR(""), 0},
                 {u->tier, 0},
                 {u->extra, 0},
                 {u->source, 0}};
    enum err e = ERR_OK;
    for (size_t i = 0; i < 8 && e == ERR_OK; i++)
        e = parts[i].kind ? bill_inner_name(b, account, (enum bill_name)parts[i].kind, parts[i].text, &ids[i])
                          : bill_inner_term(b, parts[i].text, &ids[i]);
    ids[4] = u->batch;
    return e;
}

#define PUT_SQL                                                                                                      \
    "INSERT INTO usage_rows VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18," \
    " ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35)"                          \
    " ON CONFLICT DO UPDATE SET account=account"
#define X(name, member, column) ", " #column "=" #column "+excluded." #column
#define PUT_SUMS BILL_FIGURE_TABLE(X)

static enum err put_row(struct bill *b, const struct bill_bucket *k, const struct bill_used *u)
{
    struct store_stmt *st;
    int64_t ids[8];
    _Static_assert(PLACE_COLUMNS + BILL_FIGURE_COUNT == 35, "one value a column");
    enum err e = ids_of(b, k->account, u, ids);
    if (e == ERR_OK)
        e = store_prepare(b->db, PUT_SQL PUT_SUMS, &st);
    if (e != ERR_OK)
        return e;
    bind_place(st, k);
    for (int i = 0; i < 8; i++)
        store_bind_i64(st, 5 + i, ids[i]);
    for (int i = 0; i < BILL_FIGURE_COUNT; i++)
        store_bind_i64(st, PLACE_COLUMNS + 1 + i, u->figure[i]);
    e = store_run(st);
    store_clear(st);
    return e;
}
#undef X

static enum err replace(struct bill *b, const struct bill_bucket *k)
{
    const int64_t place[] = {k->account, k->kind, k->hourly, k->start};
    enum err e =
        bill_inner_run(b, "DELETE FROM usage_rows WHERE account=?1 AND kind=?2 AND grain=?3 AND start=?4", place, 4);
    for (size_t i = 0; i < k->count && e == ERR_OK; i++)
        e = put_row(b, k, &k->rows[i]);
    return e;
}

static enum err put_bucket(struct bill *b, const struct bill_bucket *k, const unsigned char *hash)
{
    struct store_stmt *st;
    enum err e = store_prepare(b->db, "INSERT OR REPLACE INTO usage_buckets VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)", &st);
    if (e != ERR_OK)
        return e;
    bind_place(st, k);
    store_bind_blob(st, 5, str_of((const char *)hash, BILL_HASH_BYTES));
    store_bind_i64(st, 6, (int64_t)k->count);
    store_bind_i64(st, 7, k->now_us);
    e = store_run(st);
    store_clear(st);
    return e;
}

enum err bill_usage_put(struct bill *b, const struct bill_bucket *k, bool *ret_changed)
{
    unsigned char hash[BILL_HASH_BYTES];
    bool same = false;
    enum err e = hash_rows(k, hash);
    if (e == ERR_OK)
        e = store_begin(b->db);
    if (e == ERR_OK)
        e = look_up(b, k, hash, &same);
    if (e == ERR_OK && !same)
        e = replace(b, k);
    if (e == ERR_OK)
        e = put_bucket(b, k, hash);
    if (e == ERR_OK)
        e = store_commit(b->db);
    if (e != ERR_OK)
        return bill_inner_fail(b, e);
    *ret_changed = !same;
    return ERR_OK;
}
