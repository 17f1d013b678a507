/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The drain.
 *
 * Memory that mirrors the database (dims, rollups, open attempts, positions) is right only after a
 * commit. When a batch fails, `loaded` is dropped, and the next batch begins by reading all of it
 * again; the same code runs at the start. Loading also reads each journal again from its low end to
 * its drained position, which brings back the open attempts that are in memory only.
 *
 * At first only segments of earlier processes are read. When all of them are stored, what is still
 * open belongs to a process that is gone: each becomes a row `interrupted`, with the reserved amount
 * as an estimate of its cost or, where nothing was reserved, unpriced. Then the tails go live.
 *
 * Deleting: a commit is durable only after one with full sync (the others may be undone by a power
 * cut). So when segments could go, the next batch is committed with full sync and they go after it.
 */
#include "ledger/drain/drain.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/must.h"
#include "ledger/drain/arrivals.h"
#include "ledger/drain/dims.h"
#include "ledger/drain/opens.h"
#include "ledger/drain/tail.h"
#include "ledger/record_codec.h"
#include "ledger/schema.h"

#define BATCH_ROWS 2000
#define BATCH_BYTES (16u << 20)
#define TURN_ENTRIES 256 /* of one worker before the next one's */
#define OPEN_IN_MEMORY_US (30 * UINT64_C(1000000))
#define REASON_MAX 256
#define NEW_IDS_MAX (BATCH_ROWS + TURN_ENTRIES)

_Static_assert(NEW_IDS_MAX <= ARRIVALS_ENTRY_MAX, "the ids of a batch are one entry");

struct source {
    struct tail tail;
    bool used;
    uint64_t low;       /* as committed */
    uint64_t committed; /* drained position, as committed */
};

struct drain {
    struct store_db *db;
    const char *journal_dir, *bodies_dir;
    struct row_writer writer;
    struct opens *opens;
    struct body_store *bodies;
    struct source sources[RECORD_WORKERS_MAX];
    bool loaded;
    bool live;        /* what earlier processes left is stored */
    bool delete_next; /* there are segments to delete: commit with full sync */
    bool keep_arrivals;
    char reason[REASON_MAX];
    /* Of the batch under way; added to `counts` by the commit. */
    struct drain_counts batch;
    size_t batch_rows, batch_bytes;
    uint64_t now_us; /* monotonic, when it began */
    int64_t new_ids[NEW_IDS_MAX];
    size_t new_id_count;
    struct drain_counts counts;
};

/* --- life ------------------------------------------------------------------------------------ */

static enum err store_failed(struct drain *d, enum err e)
{
    str_copy(d->reason, sizeof d->reason, str_c(store_reason(d->db)));
    return e;
}

static enum err file_failed(struct drain *d, enum err e, const char *what)
{
    snprintf(d->reason, sizeof d->reason, "%s: %s", what, file_failure());
    return e;
}

static enum err use_source(struct drain *d, unsigned worker, const struct drain_options *o)
{
    struct source *s = &d->sources[worker];
    s->used = true;
    tail_init(&s->tail, d->journal_dir, worker, o->journals[worker], o->live_from[worker]);
    return ERR_OK;
}

static enum err use_sources(struct drain *d, const struct drain_options *o)
{
    struct journal_segments found;
    enum err e = journal_list(d->journal_dir, &found);
    if (e != ERR_OK)
        return file_failed(d, e, d->journal_dir);
    for (unsigned w = 0; w < RECORD_WORKERS_MAX && e == ERR_OK; w++)
        if (o->journals[w])
            e = use_source(d, w, o);
    for (size_t i = 0; i < found.count && e == ERR_OK; i++)
        if (!d->sources[found.list[i].worker].used)
            e = use_source(d, found.list[i].worker, o);
    journal_segments_free(&found);
    return e;
}

enum err drain_open(const struct drain_options *o, struct drain **ret)
{
    struct drain *d = mem_zalloc(sizeof *d);
    d->db = o->db;
    d->journal_dir = o->journal_dir;
    d->bodies_dir = o->bodies_dir;
    d->keep_arrivals = o->keep_arrivals;
    d->writer = (struct row_writer){.db = o->db, .dims = dims_new(o->db), .rollup = rollup_new(o->db)};
    d->opens = opens_new(o->db);
    int64_t bodies_from;
    enum err e = schema_state(o->db, SCHEMA_STATE_BODIES_FROM, &bodies_from);
    if (e == ERR_OK)
        e = body_store_open(o->bodies_dir, 0, (uint64_t)bodies_from, &d->bodies);
    if (e == ERR_OK)
        e = use_sources(d, o);
    if (e != ERR_OK) {
        drain_close(d);
        return e;
    }
    *ret = d;
    return ERR_OK;
}

void drain_close(struct drain *d)
{
    if (!d)
        return;
    for (unsigned w = 0; w < RECORD_WORKERS_MAX; w++)
        if (d->sources[w].used)
            tail_done(&d->sources[w].tail);
    body_store_close(d->bodies);
    opens_free(d->opens);
    rollup_free(d->writer.rollup);
    dims_free(d->writer.dims);
    mem_free(d);
}

/* --- loading --------------------------------------------------------------------------------- */

static enum err load_positions(struct drain *d)
{
    struct store_stmt *st;
    bool row;
    for (unsigned w = 0; w < RECORD_WORKERS_MAX; w++)
        d->sources[w].low = d->sources[w].committed = journal_pos(1, 0);
    enum err e = store_prepare(d->db, "SELECT worker, drained, low FROM positions", &st);
    if (e != ERR_OK)
        return e;
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        int64_t w = store_i64(st, 0);
        if (w < 0 || w >= RECORD_WORKERS_MAX)
            continue;
        d->sources[w].committed = (uint64_t)store_i64(st, 1);
        d->sources[w].low = (uint64_t)store_i64(st, 2);
    }
    return e;
}

static enum err replay_entry(struct drain *d, unsigned worker, const struct tail_item *item)
{
    enum record_kind kind;
    int64_t id;
    if (record_kind_of(item->payload, &kind) != ERR_OK || record_decode_id(item->payload, &id) != ERR_OK)
        return ERR_OK; /* reported when it was first met */
    if (kind == RECORD_KIND_OPEN)
        opens_add(d->opens, worker, item->from, id, item->payload, d->now_us);
    return kind == RECORD_KIND_CLOSE ? opens_remove(d->opens, id) : ERR_OK;
}

/* Brings back the open attempts between the low end and the drained position. */
static enum err replay(struct drain *d, unsigned worker)
{
    struct source *s = &d->sources[worker];
    struct tail_item item;
    tail_seek(&s->tail, s->low);
    while (s->tail.pos < s->committed) {
        enum err e = tail_next(&s->tail, &item);
        if (e != ERR_OK)
            return file_failed(d, e, "the journal cannot be read");
        if (item.found == TAIL_NONE)
            break;
        if (item.found != TAIL_ENTRY || item.to > s->committed)
            continue;
        e = replay_entry(d, worker, &item);
        if (e != ERR_OK)
            return store_failed(d, e);
    }
    tail_seek(&s->tail, s->committed);
    return ERR_OK;
}

static enum err load(struct drain *d)
{
    rollup_forget(d->writer.rollup);
    body_store_rollback(d->bodies);
    enum err e = dims_load(d->writer.dims);
    if (e == ERR_OK)
        e = opens_load(d->opens);
    if (e == ERR_OK)
        e = load_positions(d);
    if (e != ERR_OK)
        return store_failed(d, e);
    for (unsigned w = 0; w < RECORD_WORKERS_MAX && e == ERR_OK; w++)
        if (d->sources[w].used)
            e = replay(d, w);
    d->loaded = e == ERR_OK;
    return e;
}

/* --- entries --------------------------------------------------------------------------------- */

struct loss {
    const char *what;
    unsigned worker;
    uint64_t from;
    uint64_t bytes;
    struct record_gap gap;
};

static enum err store_loss(struct drain *d, const struct loss *l)
{
    struct store_stmt *st;
    enum err e = store_prepare(d->db,
                               "INSERT INTO losses(found_us, what, worker, sequence, offset, bytes, records, since_us,"
                               " until_us, carry, cost_pusd, unpriced)"
                               " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                               &st);
    if (e != ERR_OK)
        return e;
    const money_sum unit = (money_sum)1000000 * MONEY_PUSD_PER_USD;
    store_bind_i64(st, 1, clock_wall_us());
    store_bind_text(st, 2, str_c(l->what));
    store_bind_i64(st, 3, l->worker);
    store_bind_i64(st, 4, (int64_t)journal_pos_sequence(l->from));
    store_bind_i64(st, 5, (int64_t)journal_pos_offset(l->from));
    store_bind_i64(st, 6, (int64_t)l->bytes);
    if (l->gap.records) {
        store_bind_i64(st, 7, (int64_t)l->gap.records);
        store_bind_i64(st, 8, l->gap.since_us);
        store_bind_i64(st, 9, l->gap.until_us);
        store_bind_i64(st, 10, (int64_t)(l->gap.cost_pusd / unit));
        store_bind_i64(st, 11, (int64_t)(l->gap.cost_pusd % unit));
        store_bind_i64(st, 12, (int64_t)l->gap.unpriced);
    }
    e = store_run(st);
    store_clear(st);
    return e;
}

static enum err damaged(struct drain *d, const char *what, unsigned worker, const struct tail_item *item)
{
    struct loss l = {.what = what, .worker = worker, .from = item->from};
    if (journal_pos_sequence(item->to) == journal_pos_sequence(item->from))
        l.bytes = item->to - item->from;
    d->batch.damaged_places++;
    d->batch.damaged_bytes += l.bytes;
    enum err e = store_loss(d, &l);
    return e == ERR_OK ? e : store_failed(d, e);
}

/* What was stored since the last call, for those who must not miss it. */
static enum err note_arrivals(struct drain *d)
{
    if (!d->keep_arrivals)
        return ERR_OK;
    return arrivals_add(d->db, d->new_ids, d->new_id_count);
}

/* A record that has ended, from a journal or made up for one that was interrupted. */
static enum err store_record(struct drain *d, const struct record *r)
{
    int64_t place = 0;
    bool inserted;
    enum err e = ERR_OK;
    if (r->request_body.bytes.n || r->response_body.bytes.n || r->request_headers.n || r->response_headers.n)
        e = body_store_add(d->bodies, r, &place);
    if (e != ERR_OK)
        return file_failed(d, e, d->bodies_dir);
    e = row_insert(&d->writer, r, place, &inserted);
    if (e != ERR_OK)
        return store_failed(d, e);
    d->batch_rows++;
    if (!inserted) {
        d->batch.duplicates++;
        return ERR_OK;
    }
    d->batch.rows++;
    must(d->new_id_count < NEW_IDS_MAX);
    d->new_ids[d->new_id_count++] = r->id;
    return ERR_OK;
}

static enum err apply_close(struct drain *d, unsigned worker, const struct tail_item *item)
{
    struct record r;
    if (record_decode(item->payload, &r) != ERR_OK)
        return damaged(d, "record not readable", worker, item);
    enum err e = store_record(d, &r);
    if (e != ERR_OK)
        return e;
    e = opens_remove(d->opens, r.id);
    return e == ERR_OK ? e : store_failed(d, e);
}

static enum err apply_gap(struct drain *d, unsigned worker, const struct tail_item *item)
{
    struct loss l = {.what = "not recorded", .worker = worker, .from = item->from};
    if (record_decode_gap(item->payload, &l.gap) != ERR_OK)
        return damaged(d, "gap not readable", worker, item);
    enum err e = store_loss(d, &l);
    return e == ERR_OK ? e : store_failed(d, e);
}

static enum err apply(struct drain *d, unsigned worker, const struct tail_item *item)
{
    enum record_kind kind;
    int64_t id;
    d->batch_bytes += item->payload.n;
    if (item->found == TAIL_LOSS)
        return damaged(d, "journal damaged", worker, item);
    if (record_kind_of(item->payload, &kind) != ERR_OK)
        return damaged(d, "entry not readable", worker, item);
    switch (kind) {
    case RECORD_KIND_OPEN:
        if (record_decode_id(item->payload, &id) != ERR_OK)
            return damaged(d, "open record not readable", worker, item);
        opens_add(d->opens, worker, item->from, id, item->payload, d->now_us);
        return ERR_OK;
    case RECORD_KIND_CLOSE:
        return apply_close(d, worker, item);
    case RECORD_KIND_GAP:
        break;
    }
    return apply_gap(d, worker, item);
}

/* --- interrupted attempts -------------------------------------------------------------------- */

static enum err interrupt(void *context, struct str payload)
{
    struct drain *d = context;
    struct record_open o;
    if (record_decode_open(payload, &o) != ERR_OK) {
        const struct loss l = {.what = "open record not readable", .bytes = payload.n};
        d->batch.damaged_places++;
        d->batch.damaged_bytes += l.bytes;
        return store_loss(d, &l);
    }
    struct record r = {
        .id = o.id,
        .request_id = o.request_id,
        .attempt = o.attempt,
        .started_us = o.started_us,
        .workspace_id = o.workspace_id,
        .key_id = o.key_id,
        .integration_id = o.integration_id,
        .method = o.method,
        .path = o.path,
        .operation = o.operation,
        .model_asked = o.model_asked,
        .trace_id = o.trace_id,
        .user = o.user,
        .metadata = o.metadata,
        .routing = {.provider = o.provider, .config = o.config, .target = o.target},
        .stream = o.stream,
        .outcome = RECORD_INTERRUPTED,
        .err = ERR_INTERRUPTED,
        .usage.source = USAGE_UNKNOWN,
        .request_body.size_bytes = o.request_bytes,
        .cost = {.state = o.reserved_pusd > 0 ? COST_ESTIMATED : COST_UNPRICED,
                 .reason = COST_REASON_USAGE,
                 .meter = METER_COUNT,
                 .total_pusd = o.reserved_pusd > 0 ? o.reserved_pusd : 0},
    };
    uint64_t rows_before = d->batch.rows;
    enum err e = ERR_OK;
    if (d->new_id_count == NEW_IDS_MAX) { /* there may be any number of them; followers learn of the last ones */
        e = note_arrivals(d);
        d->new_id_count = 0;
    }
    if (e == ERR_OK)
        e = store_record(d, &r);
    d->batch.interrupted += d->batch.rows - rows_before;
    return e;
}

/* All earlier journals are stored: what is open now will never end. */
static enum err end_recovery(struct drain *d)
{
    enum err e = opens_take_all(d->opens, interrupt, d);
    return e == ERR_OK || d->reason[0] ? e : store_failed(d, e);
}

/* --- batches --------------------------------------------------------------------------------- */

/* Up to TURN_ENTRIES of one worker; *ret_any and *ret_left say if there were some and are more. */
static enum err read_source(struct drain *d, unsigned worker, bool *ret_any, bool *ret_left)
{
    struct source *s = &d->sources[worker];
    struct tail_item item;
    *ret_left = true;
    for (unsigned i = 0; i < TURN_ENTRIES; i++) {
        enum err e = tail_next(&s->tail, &item);
        if (e != ERR_OK)
            return file_failed(d, e, "the journal cannot be read");
        if (item.found == TAIL_NONE) {
            *ret_left = false;
            return ERR_OK;
        }
        *ret_any = true;
        e = apply(d, worker, &item);
        if (e != ERR_OK)
            return e;
        if (d->batch_bytes >= BATCH_BYTES)
            break;
    }
    return ERR_OK;
}

static bool batch_full(const struct drain *d)
{
    return d->batch_rows >= BATCH_ROWS || d->batch_bytes >= BATCH_BYTES;
}

static enum err read_sources(struct drain *d, bool *ret_any, bool *ret_left)
{
    bool left = true;
    while (left && !batch_full(d)) {
        left = false;
        for (unsigned w = 0; w < RECORD_WORKERS_MAX && !batch_full(d); w++) {
            bool more = false;
            if (!d->sources[w].used)
                continue;
            enum err e = read_source(d, w, ret_any, &more);
            if (e != ERR_OK)
                return e;
            left = left || more;
        }
    }
    *ret_left = left || batch_full(d);
    return ERR_OK;
}

/* Is there anything to do at all? Cheap: compares positions only. */
static bool anything_new(const struct drain *d)
{
    for (unsigned w = 0; w < RECORD_WORKERS_MAX; w++) {
        const struct source *s = &d->sources[w];
        if (s->used && s->tail.live && journal_written(s->tail.live) > s->tail.pos)
            return true;
    }
    return !d->live || d->delete_next;
}

static enum err store_positions(struct drain *d)
{
    uint64_t before_us = d->now_us > OPEN_IN_MEMORY_US ? d->now_us - OPEN_IN_MEMORY_US : 0;
    for (unsigned w = 0; w < RECORD_WORKERS_MAX; w++) {
        struct source *s = &d->sources[w];
        struct store_stmt *st;
        if (!s->used)
            continue;
        uint64_t segment_begin = journal_pos(journal_pos_sequence(s->tail.pos), 0);
        enum err e = opens_store(d->opens, w, segment_begin, before_us);
        uint64_t low = opens_low(d->opens, w, s->tail.pos);
        if (e == ERR_OK && s->tail.pos == s->committed && low == s->low)
            continue;
        if (e == ERR_OK)
            e = store_prepare(d->db, "INSERT OR REPLACE INTO positions(worker, drained, low) VALUES(?1, ?2, ?3)", &st);
        if (e != ERR_OK)
            return e;
        store_bind_i64(st, 1, w);
        store_bind_i64(st, 2, (int64_t)s->tail.pos);
        store_bind_i64(st, 3, (int64_t)low);
        e = store_run(st);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static enum err finish_bodies(struct drain *d)
{
    enum err e = body_store_finish(d->bodies);
    return e == ERR_OK ? e : file_failed(d, e, d->bodies_dir);
}

static enum err fill(struct drain *d, bool *ret_left)
{
    bool any = false;
    enum err e = read_sources(d, &any, ret_left);
    if (e == ERR_OK && !d->live && !*ret_left)
        e = end_recovery(d);
    if (e == ERR_OK)
        e = finish_bodies(d);
    if (e != ERR_OK)
        return e;
    e = rollup_store(d->writer.rollup);
    if (e == ERR_OK)
        e = note_arrivals(d);
    if (e == ERR_OK)
        e = store_positions(d);
    return e == ERR_OK ? e : store_failed(d, e);
}

static enum err commit(struct drain *d)
{
    enum err e = store_commit(d->db);
    if (e != ERR_OK)
        return store_failed(d, e);
    body_store_commit(d->bodies);
    d->counts.rows += d->batch.rows;
    d->counts.duplicates += d->batch.duplicates;
    d->counts.interrupted += d->batch.interrupted;
    d->counts.damaged_bytes += d->batch.damaged_bytes;
    d->counts.damaged_places += d->batch.damaged_places;
    d->counts.batches++;
    for (unsigned w = 0; w < RECORD_WORKERS_MAX; w++) {
        struct source *s = &d->sources[w];
        if (!s->used)
            continue;
        s->committed = s->tail.pos;
        s->low = opens_low(d->opens, w, s->committed);
    }
    return ERR_OK;
}

static void go_live(struct drain *d)
{
    d->live = true;
    for (unsigned w = 0; w < RECORD_WORKERS_MAX; w++)
        if (d->sources[w].used)
            tail_go_live(&d->sources[w].tail);
}

/* Deletes what is stored for good, or only asks if there is any. */
static bool delete_segments(struct drain *d, bool ask)
{
    struct journal_segments found;
    bool any = false;
    if (journal_list(d->journal_dir, &found) != ERR_OK)
        return false;
    for (size_t i = 0; i < found.count; i++) {
        const struct journal_segment *s = &found.list[i];
        char path[JOURNAL_PATH_MAX];
        if (!d->sources[s->worker].used || s->sequence >= journal_pos_sequence(d->sources[s->worker].low))
            continue;
        any = true;
        if (!ask && journal_path(path, d->journal_dir, s) && file_unlink(path) == ERR_OK)
            d->counts.deleted_bytes += s->size;
    }
    journal_segments_free(&found);
    return any;
}

/* After a commit: has the low end of any journal moved into another segment? */
static void plan_deletion(struct drain *d, const uint64_t *low_before, bool first)
{
    bool moved = first;
    for (unsigned w = 0; w < RECORD_WORKERS_MAX && !moved; w++)
        moved = d->sources[w].used && journal_pos_sequence(d->sources[w].low) != journal_pos_sequence(low_before[w]);
    d->delete_next = moved && delete_segments(d, true);
}

static enum err transaction(struct drain *d, bool *ret_left)
{
    enum err e = store_begin(d->db);
    if (e != ERR_OK)
        return store_failed(d, e);
    e = fill(d, ret_left);
    if (e == ERR_OK)
        e = commit(d);
    if (e != ERR_OK) {
        store_rollback(d->db);
        drain_invalidate(d);
    }
    return e;
}

/* With full sync, so that the segments which are stored can go. */
static enum err transaction_and_delete(struct drain *d, bool *ret_left)
{
    enum err e = store_set_sync_full(d->db, true);
    if (e != ERR_OK)
        return store_failed(d, e);
    e = transaction(d, ret_left);
    if (store_set_sync_full(d->db, false) != ERR_OK)
        d->reason[0] = '\0'; /* slower commits than asked for, no more */
    if (e == ERR_OK) {
        delete_segments(d, false);
        d->delete_next = false;
    }
    return e;
}

enum err drain_batch(struct drain *d, bool *ret_more)
{
    bool left = false, first = !d->loaded;
    uint64_t low_before[RECORD_WORKERS_MAX];
    d->reason[0] = '\0';
    d->batch = (struct drain_counts){0};
    d->batch_rows = d->batch_bytes = d->new_id_count = 0;
    d->now_us = clock_mono_us();
    enum err e = d->loaded ? ERR_OK : load(d);
    if (e == ERR_OK && !anything_new(d)) {
        *ret_more = false;
        return ERR_OK;
    }
    for (unsigned w = 0; w < RECORD_WORKERS_MAX; w++)
        low_before[w] = d->sources[w].low;
    if (e == ERR_OK)
        e = d->delete_next ? transaction_and_delete(d, &left) : transaction(d, &left);
    if (e != ERR_OK) {
        d->counts.failures++;
        d->new_id_count = 0;
        return e;
    }
    bool recovered = !d->live && !left;
    if (recovered)
        go_live(d);
    if (!d->delete_next)
        plan_deletion(d, low_before, first || recovered);
    *ret_more = left || recovered || d->delete_next;
    return ERR_OK;
}

/* --- access ---------------------------------------------------------------------------------- */

const char *drain_reason(const struct drain *d)
{
    return d->reason;
}

uint64_t drain_position(const struct drain *d, unsigned worker)
{
    must(worker < RECORD_WORKERS_MAX);
    return d->sources[worker].committed;
}

const int64_t *drain_new_ids(const struct drain *d, size_t *ret_count)
{
    *ret_count = d->new_id_count;
    return d->new_ids;
}

struct drain_counts drain_counts(const struct drain *d)
{
    struct drain_counts c = d->counts;
    c.open_attempts = opens_count(d->opens);
    c.recovering = !d->live;
    return c;
}

struct row_writer *drain_writer(struct drain *d)
{
    return &d->writer;
}

struct body_store *drain_bodies(struct drain *d)
{
    return d->bodies;
}

void drain_invalidate(struct drain *d)
{
    d->loaded = false;
}
