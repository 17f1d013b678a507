/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checker. Four parts, each reading its files on its own; what is wrong becomes a finding, what
 * cannot be read at all an error.
 *
 * Beside a serving process the last segment of each worker may end in bytes that are just being
 * written; only while no one holds the ledger's lock is such a tail a finding.
 */
#include "ledger/verify.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/must.h"
#include "ledger/body_read.h"
#include "ledger/journal.h"
#include "ledger/journal_read.h"
#include "ledger/record_codec.h"
#include "ledger/rollup.h"
#include "ledger/row.h"
#include "ledger/schema.h"
#include "store/sqlite.h"

#define TEXT_MAX 512
#define TICK_EVERY 4096 /* items between two calls of progress */

struct verify {
    const struct verify_options *o;
    struct verify_result *result;
    char journal_dir[SCHEMA_PATH_MAX], bodies_dir[SCHEMA_PATH_MAX], path[SCHEMA_PATH_MAX];
    struct store_db *db;
    struct row_reader rows;
    int64_t bodies_from; /* body segments below this sequence have been removed */
    bool served;         /* another process has the ledger open */
    bool ended;          /* progress said so */
};

const char *verify_part_text(enum verify_part p)
{
    static const char *const texts[] = {"journal", "database", "rollups", "bodies"};
    must((unsigned)p < VERIFY_PART_COUNT);
    return texts[p];
}

__attribute__((format(printf, 3, 4))) static void finding(struct verify *v, enum verify_part part, const char *format,
                                                          ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    v->result->findings++;
    if (v->o->finding)
        v->o->finding(v->o->context, part, str_of(text, n < TEXT_MAX ? (size_t)n : TEXT_MAX - 1));
}

static bool tick(struct verify *v, enum verify_part part, uint64_t done, uint64_t total)
{
    if (v->o->progress && !v->o->progress(v->o->context, part, done, total))
        v->ended = true;
    return !v->ended;
}

/* --- journal --------------------------------------------------------------------------------- */

struct walk {
    struct verify *v;
    const struct journal_segment *s;
    bool last; /* of its worker */
    bool after_damage;
    uint64_t positions[2]; /* stored ones in this segment that must be ends of entries; 0 = none */
    uint64_t total_bytes;
};

static void check_payload(const struct walk *w, const struct journal_item *item)
{
    enum record_kind kind;
    struct record r;
    struct record_open o;
    struct record_gap g;
    bool good = record_kind_of(item->payload, &kind) == ERR_OK;
    if (good && kind == RECORD_KIND_OPEN)
        good = record_decode_open(item->payload, &o) == ERR_OK;
    else if (good && kind == RECORD_KIND_CLOSE)
        good = record_decode(item->payload, &r) == ERR_OK;
    else if (good)
        good = record_decode_gap(item->payload, &g) == ERR_OK;
    if (!good)
        finding(w->v, VERIFY_JOURNAL, "worker %u segment %llu: the entry at %llu is not readable", w->s->worker,
                (unsigned long long)w->s->sequence, (unsigned long long)item->offset);
}

static void check_item(struct walk *w, const struct journal_item *item)
{
    unsigned long long sequence = w->s->sequence, from = item->offset, to = item->end;
    switch (item->found) {
    case JOURNAL_ENTRY:
        w->v->result->entries++;
        if (!item->follows && !w->after_damage)
            finding(w->v, VERIFY_JOURNAL, "worker %u segment %llu: entries are missing before %llu", w->s->worker,
                    sequence, from);
        check_payload(w, item);
        for (unsigned i = 0; i < 2; i++)
            if (w->positions[i] == item->offset || w->positions[i] == item->end)
                w->positions[i] = 0;
        break;
    case JOURNAL_DAMAGE:
        finding(w->v, VERIFY_JOURNAL, "worker %u segment %llu: bytes %llu to %llu are damaged", w->s->worker, sequence,
                from, to);
        break;
    case JOURNAL_TAIL:
        if (!w->last || !w->v->served)
            finding(w->v, VERIFY_JOURNAL, "worker %u segment %llu: bytes %llu to %llu, the end, are damaged",
                    w->s->worker, sequence, from, to);
        break;
    case JOURNAL_END:
        break;
    }
    w->after_damage = item->found == JOURNAL_DAMAGE;
}

static enum err walk_segment(struct walk *w)
{
    struct journal_reader *r;
    struct journal_item item;
    uint64_t count = 0;
    enum err e = journal_reader_open(w->v->journal_dir, w->s, &r);
    if (e != ERR_OK)
        return w->v->served ? ERR_OK : e; /* stored and deleted in the meantime */
    do {
        e = journal_read(r, w->s->size, &item);
        if (e != ERR_OK)
            break;
        check_item(w, &item);
        if (++count % TICK_EVERY == 0 &&
            !tick(w->v, VERIFY_JOURNAL, w->v->result->journal_bytes + item.end, w->total_bytes))
            e = ERR_CLIENT_GONE;
    } while (e == ERR_OK && (item.found == JOURNAL_ENTRY || item.found == JOURNAL_DAMAGE));
    journal_reader_close(r);
    w->v->result->segments++;
    w->v->result->journal_bytes += w->s->size;
    for (unsigned i = 0; i < 2 && e == ERR_OK; i++)
        if (w->positions[i] > JOURNAL_HEAD_BYTES && w->positions[i] <= w->s->size)
            finding(w->v, VERIFY_JOURNAL, "worker %u segment %llu: the stored position %llu is not between two entries",
                    w->s->worker, (unsigned long long)w->s->sequence, (unsigned long long)w->positions[i]);
    return e;
}

/* The stored positions that lie in this segment. */
static enum err positions_in(struct verify *v, const struct journal_segment *s, uint64_t ret[2])
{
    struct store_stmt *st;
    bool row;
    ret[0] = ret[1] = 0;
    enum err e = store_prepare(v->db, "SELECT drained, low FROM positions WHERE worker=?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, s->worker);
    e = store_step(st, &row);
    for (int i = 0; i < 2 && e == ERR_OK && row; i++) {
        uint64_t pos = (uint64_t)store_i64(st, i);
        if (journal_pos_sequence(pos) == s->sequence)
            ret[i] = journal_pos_offset(pos);
    }
    store_done(st);
    return e;
}

static enum err verify_journal(struct verify *v)
{
    struct journal_segments all;
    struct walk w = {.v = v};
    enum err e = journal_list(v->journal_dir, &all);
    if (e != ERR_OK)
        return e;
    for (size_t i = 0; i < all.count; i++)
        w.total_bytes += all.list[i].size;
    for (size_t i = 0; i < all.count && e == ERR_OK; i++) {
        w.s = &all.list[i];
        w.last = i + 1 == all.count || all.list[i + 1].worker != w.s->worker;
        w.after_damage = false;
        e = positions_in(v, w.s, w.positions);
        if (e == ERR_OK)
            e = walk_segment(&w);
    }
    journal_segments_free(&all);
    return e;
}

/* --- database -------------------------------------------------------------------------------- */

static void complain(void *context, struct str complaint)
{
    finding(context, VERIFY_DATABASE, "%.*s", STR_ARG(complaint));
}

static bool tick_database(void *context)
{
    return tick(context, VERIFY_DATABASE, 0, 0);
}

static enum err count_losses(struct verify *v)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(v->db, "SELECT coalesce(sum(records), 0) FROM losses", &st);
    if (e == ERR_OK)
        e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    v->result->not_stored = (uint64_t)store_i64(st, 0);
    store_done(st);
    return ERR_OK;
}

static enum err verify_database(struct verify *v)
{
    enum err e = store_check(v->db, complain, tick_database, v);
    if (v->ended)
        return ERR_CLIENT_GONE;
    if (e == ERR_CORRUPT) {
        finding(v, VERIFY_DATABASE, "%s", store_reason(v->db));
        return ERR_OK;
    }
    return e == ERR_OK ? count_losses(v) : e;
}

/* --- rollups --------------------------------------------------------------------------------- */

static bool sums_equal(const struct sums *a, const struct sums *b)
{
    return a->attempts == b->attempts && a->requests == b->requests && a->cost_pusd == b->cost_pusd &&
           memcmp(a->quantity, b->quantity, sizeof a->quantity) == 0 &&
           memcmp(a->part_pusd, b->part_pusd, sizeof a->part_pusd) == 0 && a->input_tok == b->input_tok &&
           a->output_tok == b->output_tok && a->reasoning_tok == b->reasoning_tok &&
           a->first_byte_count == b->first_byte_count && a->first_byte_us == b->first_byte_us &&
           a->total_us == b->total_us && a->overhead_us == b->overhead_us && a->request_bytes == b->request_bytes &&
           a->response_bytes == b->response_bytes && a->saved_pusd == b->saved_pusd && a->retries == b->retries &&
           a->fallbacks == b->fallbacks;
}

/* The sums of one hour by combo, from rows on one side and from rollups on the other. */
struct combo_sums {
    struct combo_sums *next;
    struct rollup_key key;
    struct sums from_rows;
    bool seen; /* in the rollups */
};

struct hour {
    int64_t hour; /* -1 = none yet */
    struct combo_sums *buckets[256];
};

static struct combo_sums *combo_of(struct hour *h, const struct rollup_key *key, bool make)
{
    uint64_t hash = str_hash(str_of((const char *)key, sizeof *key));
    struct combo_sums **bucket = &h->buckets[hash & 255];
    for (struct combo_sums *c = *bucket; c; c = c->next)
        if (memcmp(&c->key, key, sizeof *key) == 0)
            return c;
    if (!make)
        return NULL;
    struct combo_sums *c = mem_zalloc(sizeof *c);
    c->key = *key;
    c->next = *bucket;
    *bucket = c;
    return c;
}

static void hour_clear(struct hour *h)
{
    for (unsigned i = 0; i < 256; i++) {
        while (h->buckets[i]) {
            struct combo_sums *c = h->buckets[i];
            h->buckets[i] = c->next;
            mem_free(c);
        }
    }
}

static struct rollup_key combo_key(struct store_stmt *st)
{
    return (struct rollup_key){store_i64(st, 0),  store_i64(st, 1),  store_i64(st, 2),  store_i64(st, 3),
                               store_i64(st, 4),  store_i64(st, 5),  store_i64(st, 6),  store_i64(st, 7),
                               store_i64(st, 8),  store_i64(st, 9),  store_i64(st, 10), store_i64(st, 11),
                               store_i64(st, 12), store_i64(st, 13), store_i64(st, 14)};
}

static void compare_combo(struct verify *v, struct hour *h, struct store_stmt *st)
{
    struct rollup_key key = combo_key(st);
    struct sums stored;
    struct combo_sums *c = combo_of(h, &key, false);
    v->result->rollups++;
    if (rollup_read(st, ROLLUP_KEY_COLUMN_COUNT, &stored) != ERR_OK)
        finding(v, VERIFY_ROLLUPS, "hour %lld: a rollup is not readable", (long long)h->hour);
    else if (!c)
        finding(v, VERIFY_ROLLUPS, "hour %lld: a rollup of key %lld has no rows", (long long)h->hour,
                (long long)key.key_id);
    else if (!sums_equal(&stored, &c->from_rows))
        finding(v, VERIFY_ROLLUPS, "hour %lld: a rollup of key %lld is not the sum of its rows (%llu, %llu attempts)",
                (long long)h->hour, (long long)key.key_id, (unsigned long long)stored.attempts,
                (unsigned long long)c->from_rows.attempts);
    if (c)
        c->seen = true;
}

/* All rows of the hour have been added up: compare with what is stored, and begin anew. */
static enum err end_hour(struct verify *v, struct hour *h)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(v->db,
                               "SELECT " ROLLUP_KEY_COLUMNS ", " ROLLUP_SUM_COLUMNS
                               " FROM rollups JOIN combos ON combos.id = combo WHERE hour=?1",
                               &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, h->hour);
    while ((e = store_step(st, &row)) == ERR_OK && row)
        compare_combo(v, h, st);
    for (unsigned i = 0; i < 256; i++)
        for (const struct combo_sums *c = h->buckets[i]; c; c = c->next)
            if (!c->seen)
                finding(v, VERIFY_ROLLUPS, "hour %lld: %llu rows of key %lld are in no rollup", (long long)h->hour,
                        (unsigned long long)c->from_rows.attempts, (long long)c->key.key_id);
    hour_clear(h);
    return e;
}

static enum err add_row(struct verify *v, struct hour *h, struct store_stmt *st)
{
    struct record r;
    struct rollup_key key = row_key(st);
    enum err e = row_read(&v->rows, st, &r);
    if (e == ERR_CORRUPT) {
        finding(v, VERIFY_ROLLUPS, "the row %lld is not readable", (long long)store_i64(st, ROW_ID));
        return ERR_OK;
    }
    if (e != ERR_OK)
        return e;
    if (rollup_hour(r.id) != h->hour) {
        e = h->hour >= 0 ? end_hour(v, h) : ERR_OK;
        h->hour = rollup_hour(r.id);
    }
    sums_add_record(&combo_of(h, &key, true)->from_rows, &r, 1);
    v->result->rows++;
    return e;
}

/* Hours whose first rows retention has removed cannot be compared. */
static enum err first_whole_hour(struct verify *v, int64_t *ret_id)
{
    int64_t from;
    enum err e = schema_state(v->db, SCHEMA_STATE_ROWS_FROM, &from);
    if (e == ERR_OK)
        *ret_id = from ? record_id_floor((rollup_hour(from) + 1) * SCHEMA_HOUR_US) : 0;
    return e;
}

static enum err verify_hours(struct verify *v, struct hour *h)
{
    struct store_stmt *st;
    int64_t from;
    bool row;
    enum err e = first_whole_hour(v, &from);
    if (e == ERR_OK)
        e = store_prepare(v->db, "SELECT " ROW_COLUMNS " FROM attempts WHERE id >= ?1 ORDER BY id", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, from);
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        e = add_row(v, h, st);
        if (e == ERR_OK && v->result->rows % TICK_EVERY == 0 && !tick(v, VERIFY_ROLLUPS, v->result->rows, 0))
            e = ERR_CLIENT_GONE;
        if (e != ERR_OK)
            break;
    }
    store_done(st);
    return e == ERR_OK && h->hour >= 0 ? end_hour(v, h) : e;
}

/* Rollups of hours without any row, after the first whole hour: their rows are gone. */
static enum err verify_empty_hours(struct verify *v)
{
    struct store_stmt *st;
    int64_t from;
    bool row;
    enum err e = first_whole_hour(v, &from);
    if (e == ERR_OK)
        e = store_prepare(v->db,
                          "SELECT DISTINCT hour FROM rollups WHERE hour >= ?1 AND NOT EXISTS (SELECT 1 FROM attempts"
                          " WHERE id >= ((hour * 3600000000 - 1577836800000000) << 12)"
                          " AND id < (((hour + 1) * 3600000000 - 1577836800000000) << 12))",
                          &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, from ? rollup_hour(from) : 0);
    while ((e = store_step(st, &row)) == ERR_OK && row)
        finding(v, VERIFY_ROLLUPS, "hour %lld: there are rollups and no rows", (long long)store_i64(st, 0));
    return e;
}

static enum err verify_rollups(struct verify *v)
{
    struct hour h = {.hour = -1};
    enum err e = verify_hours(v, &h);
    hour_clear(&h);
    return e == ERR_OK ? verify_empty_hours(v) : e;
}

/* --- bodies ---------------------------------------------------------------------------------- */

static enum err check_body(struct verify *v, struct body_reader *reader, int64_t id, int64_t place)
{
    struct body_pair pair;
    bool removed = body_place_sequence(place) < (uint64_t)v->bodies_from;
    enum err e = removed ? ERR_NOT_FOUND : body_reader_get(reader, place, id, &pair);
    if (e == ERR_OK)
        v->result->bodies++;
    else if (removed || (e == ERR_NOT_FOUND && v->served))
        v->result->bodies_expired++;
    else
        finding(v, VERIFY_BODIES, "the bodies of row %lld cannot be read: segment %llu, offset %llu", (long long)id,
                (unsigned long long)body_place_sequence(place), (unsigned long long)body_place_offset(place));
    uint64_t done = v->result->bodies + v->result->bodies_expired;
    return done % TICK_EVERY == 0 && !tick(v, VERIFY_BODIES, done, 0) ? ERR_CLIENT_GONE : ERR_OK;
}

static enum err verify_bodies(struct verify *v)
{
    struct store_stmt *st;
    bool row;
    struct body_reader *reader = body_reader_new(v->bodies_dir);
    enum err e = schema_state(v->db, SCHEMA_STATE_BODIES_FROM, &v->bodies_from);
    if (e == ERR_OK)
        e = store_prepare(v->db, "SELECT id, body_place FROM attempts WHERE body_place IS NOT NULL ORDER BY id", &st);
    while (e == ERR_OK && (e = store_step(st, &row)) == ERR_OK && row) {
        e = check_body(v, reader, store_i64(st, 0), store_i64(st, 1));
        if (e != ERR_OK)
            store_done(st);
    }
    body_reader_free(reader);
    return e;
}

/* --- all of it ------------------------------------------------------------------------------- */

static enum err open_parts(struct verify *v, const char *dir)
{
    const struct store_options options = {.read_only = true, .cache_kib = 16384};
    char lock_path[SCHEMA_PATH_MAX];
    int fd;
    if (!schema_path(v->path, dir, SCHEMA_FILE) || !schema_path(v->journal_dir, dir, SCHEMA_JOURNAL_DIR) ||
        !schema_path(v->bodies_dir, dir, SCHEMA_BODIES_DIR) || !schema_path(lock_path, dir, "ledger.lock"))
        return ERR_FILE_FAILED;
    enum err e = file_lock(lock_path, &fd);
    v->served = e == ERR_CONFLICT;
    if (e == ERR_OK)
        file_close(fd);
    e = store_open(v->path, &options, &v->db);
    if (e != ERR_OK)
        return e;
    row_reader_init(&v->rows, v->db);
    return schema_check(v->db);
}

static enum err verify_parts(struct verify *v)
{
    enum err e = store_begin_read(v->db);
    if (e == ERR_OK)
        e = verify_journal(v);
    if (e == ERR_OK)
        e = verify_database(v);
    if (e == ERR_OK)
        e = verify_rollups(v);
    if (e == ERR_OK)
        e = verify_bodies(v);
    store_rollback(v->db);
    return e;
}

enum err verify_ledger(const char *dir, const struct verify_options *options, struct verify_result *ret)
{
    struct verify v = {.o = options, .result = ret};
    *ret = (struct verify_result){0};
    enum err e = open_parts(&v, dir);
    if (e == ERR_OK)
        e = verify_parts(&v);
    if (v.db) {
        row_reader_done(&v.rows);
        store_close(v.db);
    }
    return e;
}
