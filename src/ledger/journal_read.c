/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reading side of the journal.
 *
 * A reader keeps a window of the file in memory; an entry that is longer than the window makes it
 * grow, up to the longest entry there may be. When an entry does not pass its checks, the magic
 * bytes are searched for from the next byte on, and the first place where a whole entry passes is
 * where reading goes on: nothing is trusted but the checks.
 */
#include "ledger/journal_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/must.h"
#include "ledger/journal_format.h"

#define MAGIC 0x6a726561u
#define WINDOW_BYTES (1u << 20)
#define BLOCK_BYTES 4096 /* of the disk */
#define SEGMENTS_MAX (1u << 20)
#define NAME_BYTES (sizeof "wNN-SSSSSSSS-KKKKKKKKKKKKKKKK" JOURNAL_SUFFIX - 1)

struct journal_reader {
    unsigned magic;
    struct journal_segment segment;
    int fd;
    uint32_t seed;
    uint64_t offset; /* of the next item */
    uint32_t chain;  /* check of the entry before it */
    bool chain_known;
    bool has_last_id;
    bool tolerant; /* unreadable blocks are zeros */
    int64_t last_id;
    unsigned char *window;
    size_t window_cap;
    uint64_t window_from; /* offset in the file of its first byte */
    size_t window_n;
};

/* --- the directory --------------------------------------------------------------------------- */

static bool parse_name(struct str name, struct journal_segment *ret)
{
    uint64_t worker, sequence, key;
    if (name.n != NAME_BYTES || name.p[0] != 'w' || name.p[3] != '-' || name.p[12] != '-' ||
        !str_ends(name, STR(JOURNAL_SUFFIX)))
        return false;
    if (!str_to_u64(str_of(name.p + 1, 2), &worker) || !str_to_u64(str_of(name.p + 4, 8), &sequence) ||
        !str_hex_to_u64(str_of(name.p + 13, 16), &key))
        return false;
    if (worker >= RECORD_WORKERS_MAX || sequence == 0 || sequence > JOURNAL_SEQUENCE_MAX)
        return false;
    *ret = (struct journal_segment){.worker = (unsigned)worker, .sequence = sequence, .key = key};
    return true;
}

bool journal_path(char out[JOURNAL_PATH_MAX], const char *dir, const struct journal_segment *s)
{
    int n = snprintf(out, JOURNAL_PATH_MAX, "%s/w%02u-%08llu-%016llx%s", dir, s->worker,
                     (unsigned long long)s->sequence, (unsigned long long)s->key, JOURNAL_SUFFIX);
    return n > 0 && n < JOURNAL_PATH_MAX;
}

struct listing {
    struct journal_segments *found;
    size_t cap;
};

static bool take_name(void *context, const char *name)
{
    struct listing *l = context;
    struct journal_segment s;
    if (!parse_name(str_c(name), &s) || l->found->count >= SEGMENTS_MAX)
        return true;
    if (l->found->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->found->list = mem_realloc(l->found->list, l->cap * sizeof s);
    }
    l->found->list[l->found->count++] = s;
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct journal_segment *x = a, *y = b;
    if (x->worker != y->worker)
        return x->worker < y->worker ? -1 : 1;
    if (x->sequence != y->sequence)
        return x->sequence < y->sequence ? -1 : 1;
    return x->key < y->key ? -1 : x->key > y->key;
}

enum err journal_list(const char *dir, struct journal_segments *ret)
{
    struct journal_segments found = {NULL, 0};
    struct listing l = {&found, 0};
    enum err e = file_list(dir, take_name, &l);
    for (size_t i = 0; i < found.count && e == ERR_OK; i++) {
        char path[JOURNAL_PATH_MAX];
        if (!journal_path(path, dir, &found.list[i])) {
            errno = ENAMETOOLONG;
            e = ERR_FILE_FAILED;
        } else {
            struct file_facts facts;
            e = file_look(path, &facts);
            if (e == ERR_OK)
                found.list[i].size = facts.size;
        }
    }
    if (e != ERR_OK) {
        journal_segments_free(&found);
        return e;
    }
    if (found.count)
        qsort(found.list, found.count, sizeof *found.list, compare);
    *ret = found;
    return ERR_OK;
}

void journal_segments_free(struct journal_segments *s)
{
    mem_free(s->list);
    *s = (struct journal_segments){NULL, 0};
}

/* --- the window ------------------------------------------------------------------------------ */

enum err journal_reader_open(const char *dir, const struct journal_segment *s, struct journal_reader **ret)
{
    char path[JOURNAL_PATH_MAX];
    int fd;
    if (!journal_path(path, dir, s)) {
        errno = ENAMETOOLONG;
        return ERR_FILE_FAILED;
    }
    enum err e = file_open(path, O_RDONLY, 0, &fd);
    if (e != ERR_OK)
        return e;
    struct journal_reader *r = mem_zalloc(sizeof *r);
    r->magic = MAGIC;
    r->segment = *s;
    r->fd = fd;
    r->seed = journal_seed(s->key, s->sequence, s->worker);
    r->window_cap = WINDOW_BYTES;
    r->window = mem_alloc(r->window_cap);
    *ret = r;
    return ERR_OK;
}

void journal_reader_close(struct journal_reader *r)
{
    if (!r)
        return;
    must(r->magic == MAGIC);
    file_close(r->fd);
    mem_free(r->window);
    r->magic = 0;
    mem_free(r);
}

/* Fills the window with what can be read of `want` bytes; the blocks that cannot are zeros. */
static void read_blocks(struct journal_reader *r, size_t want)
{
    while (r->window_n < want) {
        size_t n = want - r->window_n < BLOCK_BYTES ? want - r->window_n : BLOCK_BYTES, got = 0;
        if (file_read_at(r->fd, r->window + r->window_n, n, r->window_from + r->window_n, &got) != ERR_OK) {
            memset(r->window + r->window_n, 0, n);
            got = n;
        }
        r->window_n += got;
        if (got < n)
            break;
    }
}

/*
 * The `n` bytes at `offset`, all before `limit`; *ret_p is NULL when the file ends before them.
 * Good until the next call.
 */
static enum err bytes_at(struct journal_reader *r, uint64_t offset, size_t n, uint64_t limit,
                         const unsigned char **ret_p)
{
    must(offset + n <= limit);
    if (offset >= r->window_from && offset + n <= r->window_from + r->window_n) {
        *ret_p = r->window + (offset - r->window_from);
        return ERR_OK;
    }
    if (n > r->window_cap) {
        mem_free(r->window);
        r->window = mem_alloc(n);
        r->window_cap = n;
    }
    size_t want = limit - offset < r->window_cap ? (size_t)(limit - offset) : r->window_cap;
    r->window_n = 0;
    r->window_from = offset;
    enum err e = file_read_at(r->fd, r->window, want, offset, &r->window_n);
    if (e != ERR_OK && r->tolerant) {
        read_blocks(r, want);
        e = ERR_OK;
    }
    if (e != ERR_OK)
        return e;
    *ret_p = r->window_n >= n ? r->window : NULL;
    return ERR_OK;
}

/* Is there a good entry at `offset`? Then *ret is filled; else *ret_good is false. */
static enum err entry_at(struct journal_reader *r, uint64_t offset, uint64_t limit, struct journal_item *ret,
                         struct journal_entry_head *ret_head, bool *ret_good)
{
    const unsigned char *p;
    *ret_good = false;
    if (limit - offset < JOURNAL_ENTRY_HEAD_BYTES)
        return ERR_OK;
    enum err e = bytes_at(r, offset, JOURNAL_ENTRY_HEAD_BYTES, limit, &p);
    if (e != ERR_OK || !p || !journal_get_entry_head(p, r->seed, offset, ret_head))
        return e;
    uint64_t whole = JOURNAL_ENTRY_HEAD_BYTES + (uint64_t)ret_head->length;
    if (limit - offset < whole)
        return ERR_OK;
    e = bytes_at(r, offset, (size_t)whole, limit, &p);
    if (e != ERR_OK || !p)
        return e;
    struct str payload = {(const char *)p + JOURNAL_ENTRY_HEAD_BYTES, ret_head->length};
    if (crc32c(ret_head->head_check, payload.p, payload.n) != ret_head->check)
        return ERR_OK;
    *ret = (struct journal_item){.found = JOURNAL_ENTRY, .offset = offset, .end = offset + whole, .payload = payload};
    *ret_good = true;
    return ERR_OK;
}

/*
 * What the window has from `at` on, at least the head of an entry; *ret_p is NULL at the end. A hit
 * in the middle of the window must not read the file again: bytes sent by clients may be full of
 * them.
 */
static enum err window_from(struct journal_reader *r, uint64_t at, uint64_t limit, const unsigned char **ret_p,
                            size_t *ret_n)
{
    enum err e = bytes_at(r, at, JOURNAL_ENTRY_HEAD_BYTES, limit, ret_p);
    if (e == ERR_OK && *ret_p)
        *ret_n = r->window_n - (size_t)(at - r->window_from);
    return e;
}

/* The offset of the first good entry from `from` on, or `limit`. */
static enum err search(struct journal_reader *r, uint64_t from, uint64_t limit, uint64_t *ret_offset)
{
    uint64_t at = from;
    while (limit - at >= JOURNAL_ENTRY_HEAD_BYTES) {
        const unsigned char *p;
        size_t n = 0;
        enum err e = window_from(r, at, limit, &p, &n);
        if (e != ERR_OK)
            return e;
        if (!p)
            break;
        const unsigned char *hit = memmem(p, n, JOURNAL_ENTRY_MAGIC, JOURNAL_ENTRY_MAGIC_BYTES);
        if (!hit) {
            at += n - (JOURNAL_ENTRY_MAGIC_BYTES - 1);
            continue;
        }
        at += (uint64_t)(hit - p);
        struct journal_item item;
        struct journal_entry_head head;
        bool good;
        e = entry_at(r, at, limit, &item, &head, &good);
        if (e != ERR_OK)
            return e;
        if (good) {
            *ret_offset = at;
            return ERR_OK;
        }
        at++;
    }
    *ret_offset = limit;
    return ERR_OK;
}

/* --- items ----------------------------------------------------------------------------------- */

static bool head_is_good(const unsigned char *p, const struct journal_segment *s)
{
    struct wire w = wire_of(p + 4, JOURNAL_HEAD_BYTES - 4);
    bool same = memcmp(p, "TGJ1", 4) == 0 && wire_u32(&w) == JOURNAL_VERSION && wire_u32(&w) == s->worker;
    wire_u32(&w);
    same = same && wire_u64(&w) == s->sequence && wire_u64(&w) == s->key;
    struct wire end = wire_of(p + JOURNAL_HEAD_BYTES - 4, 4);
    return same && wire_u32(&end) == crc32c(0, p, JOURNAL_HEAD_BYTES - 4);
}

/* At offset 0. True when the head is good and reading goes on behind it. */
static enum err read_head(struct journal_reader *r, uint64_t limit, bool *ret_good)
{
    const unsigned char *p;
    *ret_good = false;
    if (limit < JOURNAL_HEAD_BYTES)
        return ERR_OK;
    enum err e = bytes_at(r, 0, JOURNAL_HEAD_BYTES, limit, &p);
    if (e != ERR_OK || !p || !head_is_good(p, &r->segment))
        return e;
    struct wire w = wire_of(p + 40, 12);
    r->last_id = (int64_t)wire_u64(&w);
    r->has_last_id = true;
    r->chain = wire_u32(&w);
    r->chain_known = true;
    r->offset = JOURNAL_HEAD_BYTES;
    *ret_good = true;
    return ERR_OK;
}

enum err journal_read(struct journal_reader *r, uint64_t limit, struct journal_item *ret)
{
    must(r->magic == MAGIC);
    must(limit >= r->offset);
    bool good = false;
    enum err e = ERR_OK;
    if (r->offset == 0 && limit > 0)
        e = read_head(r, limit, &good);
    if (e != ERR_OK)
        return e;
    if (r->offset == limit) {
        *ret = (struct journal_item){.found = JOURNAL_END, .offset = limit, .end = limit};
        return ERR_OK;
    }
    struct journal_entry_head head;
    struct journal_item item;
    if (r->offset > 0) {
        e = entry_at(r, r->offset, limit, &item, &head, &good);
        if (e != ERR_OK)
            return e;
    }
    if (r->offset > 0 && good) {
        item.follows = !r->chain_known || head.chain == r->chain;
        r->chain = head.check;
        r->chain_known = true;
        r->offset = item.end;
        *ret = item;
        return ERR_OK;
    }
    uint64_t next = limit;
    e = search(r, r->offset + 1, limit, &next);
    if (e != ERR_OK)
        return e;
    *ret =
        (struct journal_item){.found = next < limit ? JOURNAL_DAMAGE : JOURNAL_TAIL, .offset = r->offset, .end = next};
    if (next < limit) {
        r->offset = next;
        r->chain_known = false;
    }
    return ERR_OK;
}

void journal_reader_seek(struct journal_reader *r, uint64_t offset)
{
    must(r->magic == MAGIC);
    r->offset = offset;
    r->chain_known = false;
}

uint64_t journal_reader_offset(const struct journal_reader *r)
{
    return r->offset;
}

void journal_reader_tolerate(struct journal_reader *r)
{
    r->tolerant = true;
}

enum err journal_reader_size(const struct journal_reader *r, uint64_t *ret_size)
{
    return file_size(r->fd, ret_size);
}

bool journal_reader_last_id(const struct journal_reader *r, int64_t *ret_id)
{
    if (r->has_last_id)
        *ret_id = r->last_id;
    return r->has_last_id;
}
