/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writing side of body segments.
 *
 * Rows gather in `raw`; a block is written when it is full or the batch ends. A row's place is that
 * of the block it is gathered in, known when the block begins: everything before it has been
 * written. Every process begins a segment of its own, so bytes that a kill left behind the last
 * committed block are never built upon and nothing about segments has to be remembered elsewhere.
 *
 * zstd level 1 on blocks of 256 KB gives most of what it gives on the whole; a batch of one or two
 * rows would compress badly on its own, so the first DICTIONARY_BYTES of bodies a process sees are
 * written as a dictionary in each of its segments and small blocks refer to it.
 */
#include "ledger/body_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include <zstd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/must.h"
#include "ledger/body_format.h"

#define MAGIC 0x62647374u
#define DICTIONARY_BYTES (64u << 10)
#define DICTIONARY_FOR_MAX (128u << 10) /* larger blocks compress well without */
#define RAW_KEEP_MAX (2u << 20)         /* a buffer that one large row has grown beyond this is given back */
#define SEGMENTS_MAX 1000000
#define LEVEL 1

struct body_store {
    unsigned magic;
    const char *dir;
    uint64_t segment_bytes;
    ZSTD_CCtx *packer;

    int fd;            /* -1: the next block begins a segment */
    uint64_t sequence; /* of the open segment, or of the newest there was */
    uint64_t offset;
    uint64_t committed; /* end of the committed blocks in the open segment */
    int64_t created_us;
    bool fresh; /* the open segment was made since the last commit */
    bool dirty; /* blocks written since the last finish */
    bool in_batch;

    struct buf raw; /* the block being gathered */
    uint32_t raw_rows;
    struct buf packed;

    struct buf sample; /* of bodies, until there is a dictionary */
    ZSTD_CDict *dictionary;
    uint64_t dictionary_offset; /* in the open segment; 0 = not written there */

    struct body_store_counts counts, committed_counts;
};

/* --- segments -------------------------------------------------------------------------------- */

struct newest {
    uint64_t sequence;
};

static bool take_newest(void *context, const char *name)
{
    struct newest *n = context;
    uint64_t sequence;
    if (body_name_parse(str_c(name), &sequence) && sequence > n->sequence)
        n->sequence = sequence;
    return true;
}

enum err body_store_open(const char *dir, uint64_t segment_bytes, uint64_t from_sequence, struct body_store **ret)
{
    struct newest newest = {0};
    enum err e = file_list(dir, take_newest, &newest);
    if (e != ERR_OK)
        return e;
    struct body_store *b = mem_zalloc(sizeof *b);
    b->magic = MAGIC;
    b->dir = dir;
    b->segment_bytes = segment_bytes ? segment_bytes : BODY_SEGMENT_BYTES_DEFAULT;
    b->packer = ZSTD_createCCtx();
    must(b->packer != NULL);
    b->fd = -1;
    b->sequence = newest.sequence;
    if (from_sequence > b->sequence + 1)
        b->sequence = from_sequence - 1;
    buf_init(&b->raw, BODY_RAW_MAX);
    buf_init(&b->packed, ZSTD_compressBound(BODY_RAW_MAX) + BODY_BLOCK_HEAD_BYTES);
    buf_init(&b->sample, DICTIONARY_BYTES);
    *ret = b;
    return ERR_OK;
}

void body_store_close(struct body_store *b)
{
    if (!b)
        return;
    must(b->magic == MAGIC);
    file_close(b->fd);
    buf_free(&b->raw);
    buf_free(&b->packed);
    buf_free(&b->sample);
    ZSTD_freeCCtx(b->packer);
    ZSTD_freeCDict(b->dictionary);
    b->magic = 0;
    mem_free(b);
}

static void leave_segment(struct body_store *b)
{
    file_close(b->fd);
    b->fd = -1;
    b->dictionary_offset = 0;
}

static enum err begin_segment(struct body_store *b)
{
    char path[BODY_PATH_MAX];
    int fd;
    must(b->sequence < BODY_SEQUENCE_MAX);
    b->sequence++; /* a name is used once, even if what had it could not be removed */
    if (!body_path(path, b->dir, b->sequence)) {
        errno = ENAMETOOLONG;
        return ERR_FILE_FAILED;
    }
    enum err e = file_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd);
    if (e != ERR_OK)
        return e;
    unsigned char head[BODY_HEAD_BYTES];
    b->created_us = clock_wall_us();
    body_put_head(head, b->sequence, b->created_us);
    e = file_write_at(fd, head, sizeof head, 0);
    if (e == ERR_OK)
        e = file_sync_dir(b->dir);
    if (e != ERR_OK) {
        int reason = errno;
        file_close(fd);
        if (file_unlink(path) == ERR_OK)
            errno = reason;
        return e;
    }
    b->fd = fd;
    b->offset = b->committed = sizeof head;
    b->dictionary_offset = 0;
    b->fresh = true;
    return ERR_OK;
}

/* --- blocks ---------------------------------------------------------------------------------- */

/* Packs and writes one block at the end; rows 0 for a dictionary. */
static enum err write_block(struct body_store *b, struct str raw, uint32_t rows)
{
    bool with_dictionary = rows && b->dictionary_offset && raw.n <= DICTIONARY_FOR_MAX;
    size_t bound = ZSTD_compressBound(raw.n);
    buf_reset(&b->packed);
    char *room = buf_reserve(&b->packed, BODY_BLOCK_HEAD_BYTES + bound);
    must(room != NULL);
    char *out = room + BODY_BLOCK_HEAD_BYTES;
    size_t n = with_dictionary ? ZSTD_compress_usingCDict(b->packer, out, bound, raw.p, raw.n, b->dictionary)
                               : ZSTD_compressCCtx(b->packer, out, bound, raw.p, raw.n, LEVEL);
    must(!ZSTD_isError(n));
    struct body_block_head head = {
        .raw_n = (uint32_t)raw.n,
        .packed_n = (uint32_t)n,
        .rows = rows,
        .dictionary_offset = with_dictionary ? (uint32_t)b->dictionary_offset : 0,
    };
    body_put_block_head((unsigned char *)room, &head, b->sequence, b->offset, out);
    b->dirty = true;
    enum err e = file_write_at(b->fd, room, BODY_BLOCK_HEAD_BYTES + n, b->offset);
    if (e != ERR_OK)
        return e;
    b->offset += BODY_BLOCK_HEAD_BYTES + n;
    b->counts.file_bytes += BODY_BLOCK_HEAD_BYTES + n;
    if (b->packed.cap > RAW_KEEP_MAX)
        buf_free(&b->packed);
    return ERR_OK;
}

/* The first bytes of bodies become the dictionary of this process. */
static void gather_sample(struct body_store *b)
{
    size_t room = DICTIONARY_BYTES - buf_size(&b->sample);
    struct str part = str_head(buf_str(&b->raw), room);
    if (b->dictionary || !room)
        return;
    bool added = buf_add_str(&b->sample, part);
    must(added);
    if (buf_size(&b->sample) == DICTIONARY_BYTES)
        b->dictionary = ZSTD_createCDict(b->sample.p + b->sample.start, DICTIONARY_BYTES, LEVEL);
}

/* The dictionary goes into a segment once, before the first block that it can help. */
static enum err write_dictionary(struct body_store *b)
{
    uint64_t at = b->offset;
    enum err e = write_block(b, buf_str(&b->sample), 0);
    if (e == ERR_OK)
        b->dictionary_offset = at;
    return e;
}

static enum err end_block(struct body_store *b)
{
    if (b->raw_rows == 0)
        return ERR_OK;
    enum err e = write_block(b, buf_str(&b->raw), b->raw_rows);
    if (e != ERR_OK)
        return e;
    gather_sample(b);
    b->counts.raw_bytes += buf_size(&b->raw);
    b->raw_rows = 0;
    buf_reset(&b->raw);
    if (b->raw.cap > RAW_KEEP_MAX)
        buf_free(&b->raw);
    return ERR_OK;
}

/* Before the first row of a block: there is a segment, and its end is where the block will be. */
static enum err begin_block(struct body_store *b)
{
    enum err e = ERR_OK;
    bool old = b->fd >= 0 && clock_wall_us() - b->created_us > (int64_t)BODY_SEGMENT_SECONDS * 1000000;
    if (!b->in_batch && b->fd >= 0 && (old || b->offset >= b->segment_bytes))
        leave_segment(b);
    b->in_batch = true;
    if (b->fd < 0)
        e = begin_segment(b);
    if (e == ERR_OK && b->dictionary && !b->dictionary_offset)
        e = write_dictionary(b);
    return e;
}

enum err body_store_add(struct body_store *b, const struct record *r, int64_t *ret_place)
{
    must(b->magic == MAGIC);
    size_t n = r->request_body.bytes.n + r->response_body.bytes.n;
    must(n <= RECORD_BODIES_MAX);
    must(r->request_headers.n <= RECORD_HEADERS_MAX);
    must(r->response_headers.n <= RECORD_HEADERS_MAX);
    n += r->request_headers.n + r->response_headers.n;
    enum err e = ERR_OK;
    if (buf_size(&b->raw) + n > BODY_BLOCK_BYTES)
        e = end_block(b);
    if (e == ERR_OK && b->raw_rows == 0)
        e = begin_block(b);
    if (e != ERR_OK)
        return e;
    char *room = buf_reserve(&b->raw, n + BODY_ROW_HEAD_MAX);
    must(room != NULL);
    unsigned char *p = body_put_row((unsigned char *)room, r);
    buf_commit(&b->raw, (size_t)(p - (unsigned char *)room));
    b->raw_rows++;
    b->counts.rows++;
    *ret_place = body_place(b->sequence, b->offset);
    return ERR_OK;
}

enum err body_store_finish(struct body_store *b)
{
    must(b->magic == MAGIC);
    enum err e = end_block(b);
    if (e == ERR_OK && b->dirty)
        e = file_sync(b->fd);
    if (e == ERR_OK)
        b->dirty = false;
    return e;
}

void body_store_commit(struct body_store *b)
{
    must(b->raw_rows == 0);
    must(!b->dirty);
    b->committed = b->offset;
    b->committed_counts = b->counts;
    b->fresh = false;
    b->in_batch = false;
}

void body_store_rollback(struct body_store *b)
{
    must(b->magic == MAGIC);
    buf_reset(&b->raw);
    b->raw_rows = 0;
    b->counts = b->committed_counts;
    b->in_batch = false;
    b->dirty = false;
    char path[BODY_PATH_MAX];
    if (b->fd < 0)
        return;
    if (b->fresh) {
        /* The name is not used again, so it does not matter if the file stays. */
        leave_segment(b);
        if (body_path(path, b->dir, b->sequence))
            (void)!file_unlink(path);
        b->fresh = false;
        return;
    }
    if (b->dictionary_offset >= b->committed)
        b->dictionary_offset = 0;
    if (b->offset > b->committed && file_truncate(b->fd, b->committed) != ERR_OK)
        leave_segment(b);
    b->offset = b->committed;
}

struct body_store_counts body_store_counts(const struct body_store *b)
{
    return b->committed_counts;
}

/* --- retention ------------------------------------------------------------------------------- */

struct listing {
    uint64_t *list; /* sequences, owned */
    size_t count, cap;
};

static bool take_segment(void *context, const char *name)
{
    struct listing *l = context;
    uint64_t sequence;
    if (!body_name_parse(str_c(name), &sequence) || l->count >= SEGMENTS_MAX)
        return true;
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->list = mem_realloc(l->list, l->cap * sizeof *l->list);
    }
    l->list[l->count++] = sequence;
    return true;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static enum err list_segments(const struct body_store *b, struct listing *ret)
{
    struct listing l = {NULL, 0, 0};
    enum err e = file_list(b->dir, take_segment, &l);
    if (e != ERR_OK) {
        mem_free(l.list);
        return e;
    }
    if (l.count)
        qsort(l.list, l.count, sizeof *l.list, compare);
    *ret = l;
    return ERR_OK;
}

static bool look(const struct body_store *b, uint64_t sequence, struct file_facts *ret)
{
    char path[BODY_PATH_MAX];
    return body_path(path, b->dir, sequence) && file_look(path, ret) == ERR_OK;
}

enum err body_store_expired(struct body_store *b, int64_t before_us, uint64_t bytes_max, uint64_t *ret_below)
{
    must(b->magic == MAGIC);
    struct listing l;
    struct file_facts facts;
    uint64_t held = 0, below = 0;
    enum err e = list_segments(b, &l);
    if (e != ERR_OK)
        return e;
    for (size_t i = 0; i < l.count; i++)
        if (look(b, l.list[i], &facts))
            held += facts.size;
    for (size_t i = 0; i < l.count; i++) {
        if (!look(b, l.list[i], &facts))
            continue;
        if (facts.changed_us >= before_us && (bytes_max == 0 || held <= bytes_max))
            break;
        below = l.list[i] + 1;
        held -= facts.size < held ? facts.size : held;
    }
    mem_free(l.list);
    *ret_below = below;
    return ERR_OK;
}

enum err body_store_remove(struct body_store *b, uint64_t below, uint64_t *ret_segments)
{
    must(b->magic == MAGIC);
    must(!b->in_batch);
    struct listing l;
    char path[BODY_PATH_MAX];
    uint64_t removed = 0;
    enum err e = list_segments(b, &l);
    if (e != ERR_OK)
        return e;
    if (b->fd >= 0 && b->sequence < below)
        leave_segment(b);
    for (size_t i = 0; i < l.count && l.list[i] < below && e == ERR_OK; i++) {
        bool fits = body_path(path, b->dir, l.list[i]);
        must(fits);
        e = file_unlink(path);
        removed += e == ERR_OK;
    }
    mem_free(l.list);
    *ret_segments = removed;
    return e;
}
