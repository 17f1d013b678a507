/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A step looks at the next ROWS_AT_ONCE rows by key and rewrites those whose cost changes. An hour
 * without an unpriced rollup has no unpriced row, so the first pass jumps over it.
 *
 * Rows of interrupted attempts keep their estimate, the reserved amount: no usage is known to price.
 * Answers out of the cache cost nothing, whatever the prices; what they saved stays what it was then.
 */
#include "ledger/drain/reprice.h"

#include <string.h>

#include "ledger/record_codec.h"

#define ROWS_AT_ONCE 1000

void reprice_init(struct reprice *p, const struct ledger_reprice *job, struct store_db *db)
{
    *p = (struct reprice){
        .job = job,
        .next_id = record_id_floor(job->since_us),
        .end_id = job->until_us > 0 ? record_id_floor(job->until_us) : INT64_MAX,
    };
    row_reader_init(&p->reader, db);
}

void reprice_done(struct reprice *p)
{
    row_reader_done(&p->reader);
}

/* Moves next_id to the next hour that has unpriced rows; to the end when there is none. */
static enum err skip_priced(struct reprice *p, struct store_db *db)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(db,
                               "SELECT hour FROM rollups WHERE hour >= ?1 AND combo IN"
                               " (SELECT id FROM combos WHERE cost_state = ?2) ORDER BY hour LIMIT 1",
                               &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, rollup_hour(p->next_id));
    store_bind_i64(st, 2, COST_UNPRICED);
    e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    int64_t from = row ? record_id_floor(store_i64(st, 0) * SCHEMA_HOUR_US) : p->end_id;
    store_done(st);
    if (from > p->next_id)
        p->next_id = from < p->end_id ? from : p->end_id;
    return ERR_OK;
}

static bool costs_differ(const struct cost *a, const struct cost *b)
{
    return a->total_pusd != b->total_pusd || a->state != b->state || a->reason != b->reason || a->meter != b->meter ||
           a->tier != b->tier || a->match != b->match || a->long_context != b->long_context ||
           memcmp(a->part_pusd, b->part_pusd, sizeof a->part_pusd) != 0;
}

static enum err update_row(struct store_db *db, const struct record *r)
{
    struct store_stmt *st;
    unsigned char extra[RECORD_ENCODED_MAX];
    enum err e = store_prepare(db, "UPDATE attempts SET cost_pusd=?2, cost_state=?3, extra=?4 WHERE id=?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, r->id);
    if (r->cost.state == COST_UNPRICED)
        store_bind_null(st, 2);
    else
        store_bind_i64(st, 2, r->cost.total_pusd);
    store_bind_i64(st, 3, r->cost.state);
    store_bind_blob(st, 4, str_of((const char *)extra, record_encode_extra(r, extra)));
    e = store_run(st);
    store_clear(st);
    return e;
}

static bool from_cache(const struct record *r)
{
    return r->routing.cache == RECORD_CACHE_HIT || r->routing.cache == RECORD_CACHE_SEMANTIC_HIT;
}

/* The row at `st` gets its new cost, if that is another one. */
static enum err price_row(struct reprice *p, struct row_writer *w, struct store_stmt *st, struct ledger_repriced *done)
{
    struct record old;
    struct rollup_key key = row_key(st);
    enum err e = row_read(&p->reader, st, &old);
    if (e == ERR_CORRUPT)
        return ERR_OK; /* for verify to report */
    if (e != ERR_OK)
        return e;
    done->looked_at++;
    if ((old.outcome == RECORD_INTERRUPTED && old.usage.source == USAGE_UNKNOWN) || from_cache(&old))
        return ERR_OK;
    struct record new = old;
    p->job->price(p->job->context, &old, &new.cost, &new.catalog_version);
    if (new.cost.state == COST_UNPRICED)
        done->still_unpriced++;
    if (!costs_differ(&old.cost, &new.cost))
        return ERR_OK;
    done->changed++;
    done->before_pusd += old.cost.total_pusd;
    done->after_pusd += new.cost.total_pusd;
    e = rollup_add(w->rollup, &key, &old, -1);
    key.cost_state = new.cost.state;
    if (e == ERR_OK)
        e = rollup_add(w->rollup, &key, &new, 1);
    return e == ERR_OK ? update_row(w->db, &new) : e;
}

static enum err price_id(struct reprice *p, struct row_writer *w, int64_t id, struct ledger_repriced *done)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(w->db, "SELECT " ROW_COLUMNS " FROM attempts WHERE id=?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    e = store_step(st, &row);
    if (e != ERR_OK || !row)
        return e;
    e = price_row(p, w, st, done);
    store_done(st);
    return e;
}

struct chunk {
    int64_t ids[ROWS_AT_ONCE];
    size_t count;
    int64_t next_id; /* where the next chunk begins */
};

/* The rows of this pass among the next ROWS_AT_ONCE. */
static enum err next_chunk(struct reprice *p, struct store_db *db, struct chunk *ret)
{
    struct store_stmt *st;
    bool row;
    size_t seen = 0;
    ret->count = 0;
    enum err e =
        store_prepare(db, "SELECT id, cost_state FROM attempts WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, p->next_id);
    store_bind_i64(st, 2, p->end_id);
    store_bind_i64(st, 3, ROWS_AT_ONCE);
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        bool unpriced = store_i64(st, 1) == COST_UNPRICED;
        ret->next_id = store_i64(st, 0) + 1;
        if (unpriced != p->second_pass)
            ret->ids[ret->count++] = store_i64(st, 0);
        seen++;
    }
    if (seen < ROWS_AT_ONCE)
        ret->next_id = p->end_id;
    return e;
}

static enum err step(struct reprice *p, struct row_writer *w, struct chunk *chunk, struct ledger_repriced *done)
{
    enum err e = p->second_pass ? ERR_OK : skip_priced(p, w->db);
    if (e == ERR_OK)
        e = next_chunk(p, w->db, chunk);
    for (size_t i = 0; i < chunk->count && e == ERR_OK; i++)
        e = price_id(p, w, chunk->ids[i], done);
    return e == ERR_OK ? rollup_store(w->rollup) : e;
}

enum err reprice_step(struct reprice *p, struct row_writer *w, bool *ret_more)
{
    struct chunk chunk = {.count = 0};
    struct ledger_repriced done = p->result;
    enum err e = store_begin(w->db);
    if (e != ERR_OK)
        return e;
    e = step(p, w, &chunk, &done);
    if (e == ERR_OK)
        e = store_commit(w->db);
    if (e != ERR_OK) {
        store_rollback(w->db);
        return e;
    }
    p->result = done;
    p->next_id = chunk.next_id;
    *ret_more = true;
    if (p->next_id >= p->end_id) {
        *ret_more = !p->second_pass && !p->job->unpriced_only;
        p->second_pass = true;
        p->next_id = record_id_floor(p->job->since_us);
    }
    return ERR_OK;
}
