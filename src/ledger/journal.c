/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writing side of the journal.
 *
 * Entries are encoded at the end of `turn`, checks included, as if they stood behind what the file
 * holds already. journal_flush writes the buffer at that offset and, when all of it is there, moves
 * `written` on, which is how other threads learn of it. Bodies that are long are not copied: the
 * turn so far, the entry and its bodies go out in one call at once. Should that or a buffer that
 * runs full fail in the middle of a turn, the turn's flush says so.
 *
 * A write that fails leaves bytes behind the end. They are cut off again; if even that fails, no
 * write is tried before it has worked (`torn`). Everything of the turn is dropped and counted in
 * `gap`, which goes out as an entry of its own with the next write that works.
 *
 * The worker alone opens segments; it hands descriptors to the thread that syncs, and only that
 * one (or journal_close) closes them. `lock` guards the handing over, once per segment.
 */
#include "ledger/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "ledger/journal_format.h"
#include "ledger/journal_read.h"
#include "ledger/record_codec.h"

#define MAGIC 0x6a726e6cu
#define TURN_SOFT_BYTES (256u << 10) /* written at once when the turn is longer */
#define DIRECT_BYTES (32u << 10)     /* bodies this long are not copied */
#define ENTRY_MAX \
    (JOURNAL_ENTRY_HEAD_BYTES + RECORD_ENCODED_MAX + DIRECT_BYTES + RECORD_PART_COUNT * RECORD_PART_HEAD_MAX)
#define MORE_MAX (2 * RECORD_PART_COUNT) /* pieces of an entry that are not copied */
#define TURN_MAX (TURN_SOFT_BYTES + 2 * ENTRY_MAX)
#define RETIRED_MAX 8
#define AGAIN_US 1000000 /* between two tries of what failed and can wait */

struct journal {
    unsigned magic;
    unsigned worker;
    const char *dir;
    uint64_t segment_bytes;
    const _Atomic bool *full;

    /* The worker's. */
    struct buf turn;
    uint64_t sequence, next_sequence;
    uint64_t offset; /* end of the good bytes in the file */
    uint32_t seed;
    uint32_t chain;      /* check of the last entry in the file */
    uint32_t turn_chain; /* check of the last entry in the turn */
    int64_t last_id;
    bool torn;        /* there may be bytes behind `offset` */
    bool turn_failed; /* a part of this turn could not be written */
    uint64_t turn_records, turn_opens;
    struct record_gap turn_gap; /* what the turn's entries would be as a gap */
    struct record_gap gap;      /* lost, and not yet recorded as lost */
    uint64_t rotate_not_before_us, gap_not_before_us;
    struct journal_counts counts;

    /* Shared. */
    _Atomic uint64_t written, synced;
    _Atomic uint64_t shown_records, shown_opens, shown_bytes, shown_lost, shown_failures;
    pthread_mutex_t lock;
    int fd;
    int retired[RETIRED_MAX];
    unsigned retired_count;
    bool dir_changed;
};

static void show(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}

/* --- segments -------------------------------------------------------------------------------- */

static void put_segment_head(unsigned char head[JOURNAL_HEAD_BYTES], const struct journal *j, uint64_t sequence,
                             uint64_t key)
{
    memset(head, 0, JOURNAL_HEAD_BYTES);
    memcpy(head, "TGJ1", 4);
    unsigned char *p = wire_put_u32(head + 4, JOURNAL_VERSION);
    p = wire_put_u32(p, j->worker) + 4;
    p = wire_put_u64(p, sequence);
    p = wire_put_u64(p, key);
    p = wire_put_u64(p, (uint64_t)clock_wall_us());
    p = wire_put_u64(p, (uint64_t)j->last_id);
    wire_put_u32(p, j->chain);
    wire_put_u32(head + JOURNAL_HEAD_BYTES - 4, crc32c(0, head, JOURNAL_HEAD_BYTES - 4));
}

/*
 * Makes the next segment and moves to it; on failure the journal stays where it is. A sequence whose
 * file could neither be finished nor removed is not used again.
 */
static enum err begin_segment(struct journal *j)
{
    uint64_t sequence = j->next_sequence;
    struct journal_segment s = {.worker = j->worker, .sequence = sequence, .key = rng_u64()};
    char path[JOURNAL_PATH_MAX];
    must(sequence <= JOURNAL_SEQUENCE_MAX);
    if (!journal_path(path, j->dir, &s)) {
        errno = ENAMETOOLONG;
        return ERR_FILE_FAILED;
    }
    int fd;
    enum err e = file_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd);
    if (e != ERR_OK)
        return e;
    unsigned char head[JOURNAL_HEAD_BYTES];
    put_segment_head(head, j, sequence, s.key);
    e = file_write_at(fd, head, sizeof head, 0);
    if (e != ERR_OK) {
        int reason = errno;
        file_close(fd);
        if (file_unlink(path) != ERR_OK)
            j->next_sequence++;
        errno = reason;
        return e;
    }
    pthread_mutex_lock(&j->lock);
    if (j->fd >= 0)
        j->retired[j->retired_count++] = j->fd;
    j->fd = fd;
    j->dir_changed = true;
    j->sequence = sequence;
    j->next_sequence = sequence + 1;
    j->offset = sizeof head;
    atomic_store_explicit(&j->written, journal_pos(sequence, j->offset), memory_order_release);
    pthread_mutex_unlock(&j->lock);
    j->seed = journal_seed(s.key, sequence, j->worker);
    j->counts.bytes += sizeof head;
    show(&j->shown_bytes, j->counts.bytes);
    return ERR_OK;
}

/*
 * A segment that has its size is left for the next one. When that cannot be made, or the syncing
 * thread is far behind, the old one just grows.
 */
static void rotate(struct journal *j)
{
    if (j->offset < j->segment_bytes || j->torn)
        return;
    uint64_t now_us = clock_mono_us();
    if (now_us < j->rotate_not_before_us)
        return;
    pthread_mutex_lock(&j->lock);
    bool room = j->retired_count < RETIRED_MAX;
    pthread_mutex_unlock(&j->lock);
    if (!room || begin_segment(j) != ERR_OK)
        j->rotate_not_before_us = now_us + AGAIN_US;
}

enum err journal_open(const struct journal_options *o, struct journal **ret_journal)
{
    must(o->worker < RECORD_WORKERS_MAX);
    must(o->first_sequence > 0);
    must(o->first_sequence < JOURNAL_SEQUENCE_MAX);
    struct journal *j = mem_zalloc(sizeof *j);
    j->magic = MAGIC;
    j->worker = o->worker;
    j->dir = o->dir;
    j->segment_bytes = o->segment_bytes ? o->segment_bytes : JOURNAL_SEGMENT_BYTES_DEFAULT;
    j->full = o->full;
    j->last_id = o->last_id;
    j->fd = -1;
    buf_init(&j->turn, TURN_MAX);
    pthread_mutex_init(&j->lock, NULL);
    j->next_sequence = o->first_sequence;
    enum err e = begin_segment(j);
    if (e != ERR_OK) {
        journal_close(j);
        return e;
    }
    *ret_journal = j;
    return ERR_OK;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    must(j->magic == MAGIC);
    for (unsigned i = 0; i < j->retired_count; i++)
        file_close(j->retired[i]);
    file_close(j->fd);
    buf_free(&j->turn);
    pthread_mutex_destroy(&j->lock);
    j->magic = 0;
    mem_free(j);
}

/* --- adding ---------------------------------------------------------------------------------- */

static void begin_turn(struct journal *j)
{
    buf_reset(&j->turn);
    j->turn_chain = j->chain;
    j->turn_records = j->turn_opens = 0;
    j->turn_gap = (struct record_gap){0};
}

static void gap_merge(struct record_gap *to, const struct record_gap *from)
{
    bool first = to->records + to->opens == 0;
    if (from->records + from->opens == 0)
        return;
    if (first || from->since_us < to->since_us)
        to->since_us = from->since_us;
    if (first || from->until_us > to->until_us)
        to->until_us = from->until_us;
    to->records += from->records;
    to->opens += from->opens;
    to->cost_pusd += from->cost_pusd;
    to->unpriced += from->unpriced;
}

/* The turn could not be written: nothing of it is in the file. */
static void drop_turn(struct journal *j)
{
    gap_merge(&j->gap, &j->turn_gap);
    j->counts.records_lost += j->turn_records;
    j->counts.flush_failures++;
    show(&j->shown_lost, j->counts.records_lost);
    show(&j->shown_failures, j->counts.flush_failures);
    j->turn_failed = true;
    begin_turn(j);
}

static void turn_written(struct journal *j, uint64_t bytes)
{
    j->offset += bytes;
    j->chain = j->turn_chain;
    j->counts.records += j->turn_records;
    j->counts.opens += j->turn_opens;
    j->counts.bytes += bytes;
    show(&j->shown_records, j->counts.records);
    show(&j->shown_opens, j->counts.opens);
    show(&j->shown_bytes, j->counts.bytes);
    atomic_store_explicit(&j->written, journal_pos(j->sequence, j->offset), memory_order_release);
    begin_turn(j);
}

/* Cuts off what a failed write left; false when that is not possible now. */
static bool mend(struct journal *j)
{
    if (j->torn && file_truncate(j->fd, j->offset) == ERR_OK)
        j->torn = false;
    return !j->torn;
}

static bool may_write(struct journal *j)
{
    bool full = j->full && atomic_load_explicit(j->full, memory_order_relaxed);
    return !full && mend(j);
}

/* Where the next entry's payload goes; the entry is counted by end_entry. */
static unsigned char *begin_entry(struct journal *j)
{
    char *room = buf_reserve(&j->turn, ENTRY_MAX);
    must(room != NULL);
    return (unsigned char *)room + JOURNAL_ENTRY_HEAD_BYTES;
}

/* The check over head and payload, of which `n` bytes stand behind the head; the rest is in `more`. */
static void seal(struct journal *j, unsigned char *payload, size_t n, const struct iovec *more, int more_count)
{
    size_t length = n;
    for (int i = 0; i < more_count; i++)
        length += more[i].iov_len;
    must(length <= JOURNAL_PAYLOAD_MAX);
    unsigned char *head = payload - JOURNAL_ENTRY_HEAD_BYTES;
    uint64_t offset = j->offset + buf_size(&j->turn);
    uint32_t check = journal_put_entry_head(head, j->seed, offset, (uint32_t)length, j->turn_chain);
    check = crc32c(check, payload, n);
    for (int i = 0; i < more_count; i++)
        check = crc32c(check, more[i].iov_base, more[i].iov_len);
    wire_put_u32(head + JOURNAL_ENTRY_HEAD_BYTES - 4, check);
    j->turn_chain = check;
    buf_commit(&j->turn, JOURNAL_ENTRY_HEAD_BYTES + n);
}

static void add_gap_entry(struct journal *j)
{
    unsigned char *payload = begin_entry(j);
    seal(j, payload, record_encode_gap(&j->gap, payload), NULL, 0);
}

/* Writes the turn and, behind it, `more`, which the last entry's check already covers. */
static enum err write_turn(struct journal *j, const struct iovec *more, int more_count)
{
    struct iovec parts[MORE_MAX + 1];
    must(more_count <= MORE_MAX);
    bool with_gap = j->gap.records + j->gap.opens > 0 && more_count == 0;
    if (!may_write(j)) {
        drop_turn(j);
        return ERR_JOURNAL_FAILED;
    }
    if (with_gap)
        add_gap_entry(j);
    struct str turn = buf_str(&j->turn);
    uint64_t bytes = turn.n;
    parts[0] = (struct iovec){j->turn.p + j->turn.start, turn.n};
    for (int i = 0; i < more_count; i++) {
        parts[i + 1] = more[i];
        bytes += more[i].iov_len;
    }
    enum err e = more_count ? file_write_parts_at(j->fd, parts, more_count + 1, j->offset)
                            : file_write_at(j->fd, turn.p, turn.n, j->offset);
    if (e != ERR_OK) {
        j->torn = true;
        mend(j);
        drop_turn(j);
        return ERR_JOURNAL_FAILED;
    }
    if (with_gap)
        j->gap = (struct record_gap){0};
    turn_written(j, bytes);
    return ERR_OK;
}

/* A turn that has grown long goes out early; a failure is kept for the flush. */
static void write_if_long(struct journal *j)
{
    if (buf_size(&j->turn) >= TURN_SOFT_BYTES && write_turn(j, NULL, 0) != ERR_OK)
        j->turn_failed = true;
}

static void count_record(struct journal *j, const struct record *r)
{
    struct record_gap one = {.records = 1, .since_us = r->started_us, .until_us = r->started_us};
    one.cost_pusd = r->cost.total_pusd;
    one.unpriced = r->cost.state == COST_UNPRICED;
    gap_merge(&j->turn_gap, &one);
    j->turn_records++;
    if (r->id > j->last_id)
        j->last_id = r->id;
}

/* What is kept of a record beside its fields, by enum record_part. */
struct parts {
    struct str list[RECORD_PART_COUNT];
    size_t bytes;
};

static struct parts parts_of(const struct record *r)
{
    struct parts p = {.bytes = 0};
    if (!r->bodies_kept)
        return p;
    p.list[RECORD_REQUEST_BODY] = r->request_body.bytes;
    p.list[RECORD_RESPONSE_BODY] = r->response_body.bytes;
    must(r->request_body.bytes.n + r->response_body.bytes.n <= RECORD_BODIES_MAX);
    if (r->request_headers.n <= RECORD_HEADERS_MAX)
        p.list[RECORD_REQUEST_HEADERS] = r->request_headers;
    if (r->response_headers.n <= RECORD_HEADERS_MAX)
        p.list[RECORD_RESPONSE_HEADERS] = r->response_headers;
    for (unsigned i = 0; i < RECORD_PART_COUNT; i++)
        p.bytes += p.list[i].n;
    return p;
}

/* The entry's parts stay where they are and go out at once with everything before them. */
static void add_direct(struct journal *j, unsigned char *payload, size_t n, const struct parts *parts)
{
    unsigned char heads[RECORD_PART_COUNT][RECORD_PART_HEAD_MAX];
    struct iovec more[MORE_MAX];
    int count = 0;
    for (unsigned i = 0; i < RECORD_PART_COUNT; i++) {
        struct str bytes = parts->list[i];
        if (!bytes.n)
            continue;
        more[count++] = (struct iovec){heads[i], record_encode_part_head((enum record_part)i, bytes.n, heads[i])};
        more[count++] = (struct iovec){(void *)(uintptr_t)bytes.p, bytes.n};
    }
    seal(j, payload, n, more, count);
    if (write_turn(j, more, count) != ERR_OK)
        j->turn_failed = true;
}

static size_t copy_parts(unsigned char *p, const struct parts *parts)
{
    size_t n = 0;
    for (unsigned i = 0; i < RECORD_PART_COUNT; i++) {
        struct str bytes = parts->list[i];
        if (!bytes.n)
            continue;
        n += record_encode_part_head((enum record_part)i, bytes.n, p + n);
        memcpy(p + n, bytes.p, bytes.n);
        n += bytes.n;
    }
    return n;
}

void journal_add(struct journal *j, const struct record *r)
{
    must(j->magic == MAGIC);
    struct parts parts = parts_of(r);
    unsigned char *payload = begin_entry(j);
    size_t n = record_encode(r, payload);
    count_record(j, r);
    if (parts.bytes > DIRECT_BYTES) {
        add_direct(j, payload, n, &parts);
        return;
    }
    n += copy_parts(payload + n, &parts);
    seal(j, payload, n, NULL, 0);
    write_if_long(j);
}

void journal_add_open(struct journal *j, const struct record_open *o)
{
    must(j->magic == MAGIC);
    unsigned char *payload = begin_entry(j);
    seal(j, payload, record_encode_open(o, payload), NULL, 0);
    struct record_gap one = {.opens = 1, .since_us = o->started_us, .until_us = o->started_us};
    gap_merge(&j->turn_gap, &one);
    j->turn_opens++;
    if (o->id > j->last_id)
        j->last_id = o->id;
    write_if_long(j);
}

/* Without a turn to write, a gap waits for no one: it is tried now and then. */
static void write_gap(struct journal *j)
{
    uint64_t now_us = clock_mono_us();
    if (now_us < j->gap_not_before_us || !may_write(j))
        return;
    j->gap_not_before_us = now_us + AGAIN_US;
    if (write_turn(j, NULL, 0) != ERR_OK)
        j->turn_failed = false;
}

enum err journal_flush(struct journal *j)
{
    must(j->magic == MAGIC);
    bool failed = j->turn_failed;
    j->turn_failed = false;
    if (buf_size(&j->turn) > 0)
        failed = write_turn(j, NULL, 0) != ERR_OK || failed;
    else if (j->gap.records + j->gap.opens > 0)
        write_gap(j);
    j->turn_failed = false;
    rotate(j);
    return failed ? ERR_JOURNAL_FAILED : ERR_OK;
}

/* --- other threads --------------------------------------------------------------------------- */

uint64_t journal_written(const struct journal *j)
{
    return atomic_load_explicit(&j->written, memory_order_acquire);
}

uint64_t journal_synced(const struct journal *j)
{
    return atomic_load_explicit(&j->synced, memory_order_acquire);
}

struct journal_counts journal_counts(const struct journal *j)
{
    return (struct journal_counts){
        .records = atomic_load_explicit(&j->shown_records, memory_order_relaxed),
        .opens = atomic_load_explicit(&j->shown_opens, memory_order_relaxed),
        .bytes = atomic_load_explicit(&j->shown_bytes, memory_order_relaxed),
        .records_lost = atomic_load_explicit(&j->shown_lost, memory_order_relaxed),
        .flush_failures = atomic_load_explicit(&j->shown_failures, memory_order_relaxed),
    };
}

enum err journal_sync(struct journal *j)
{
    must(j->magic == MAGIC);
    if (journal_synced(j) == journal_written(j))
        return ERR_OK;
    int retired[RETIRED_MAX];
    pthread_mutex_lock(&j->lock);
    unsigned count = j->retired_count;
    memcpy(retired, j->retired, sizeof retired);
    j->retired_count = 0;
    int fd = j->fd;
    bool dir_changed = j->dir_changed;
    j->dir_changed = false;
    uint64_t target = journal_written(j);
    pthread_mutex_unlock(&j->lock);

    enum err e = dir_changed ? file_sync_dir(j->dir) : ERR_OK;
    for (unsigned i = 0; i < count; i++) {
        if (e == ERR_OK)
            e = file_sync(retired[i]);
        int reason = errno;
        file_close(retired[i]);
        errno = reason;
    }
    if (e == ERR_OK)
        e = file_sync(fd);
    if (e == ERR_OK)
        atomic_store_explicit(&j->synced, target, memory_order_release);
    return e;
}
