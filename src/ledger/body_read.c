/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reading side of body segments. A place names a block; the block's check is compared before it
 * is unpacked, and the row is found by its id. Lengths are taken from the file only after the check
 * over them has passed, and even then within the limits of the writer.
 */
#include "ledger/body_read.h"

#include <errno.h>
#include <fcntl.h>

#include <zstd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/must.h"
#include "ledger/body_format.h"
#include "ledger/body_store.h"

struct block {
    char *raw; /* owned */
    size_t raw_n;
};

uint64_t body_place_sequence(int64_t place)
{
    return (uint64_t)place >> BODY_OFFSET_BITS;
}

uint64_t body_place_offset(int64_t place)
{
    return (uint64_t)place & ((UINT64_C(1) << BODY_OFFSET_BITS) - 1);
}

static enum err read_whole(int fd, void *out, size_t n, uint64_t offset)
{
    size_t got;
    enum err e = file_read_at(fd, out, n, offset, &got);
    if (e != ERR_OK)
        return e;
    return got == n ? ERR_OK : ERR_CORRUPT;
}

/* The packed bytes of the block, checked; freed by the caller. */
static enum err read_packed(int fd, uint64_t sequence, uint64_t offset, struct body_block_head *ret_head,
                            char **ret_packed)
{
    unsigned char head[BODY_BLOCK_HEAD_BYTES];
    enum err e = read_whole(fd, head, sizeof head, offset);
    if (e != ERR_OK)
        return e;
    struct body_block_head h;
    if (!body_get_block_head(head, &h) || h.raw_n > BODY_RAW_MAX || h.packed_n > ZSTD_compressBound(BODY_RAW_MAX))
        return ERR_CORRUPT;
    char *packed = mem_alloc(h.packed_n);
    e = read_whole(fd, packed, h.packed_n, offset + sizeof head);
    if (e == ERR_OK && body_block_check(head, sequence, offset, packed, h.packed_n) != h.check)
        e = ERR_CORRUPT;
    if (e != ERR_OK) {
        mem_free(packed);
        return e;
    }
    *ret_head = h;
    *ret_packed = packed;
    return ERR_OK;
}

static enum err read_block(int fd, uint64_t sequence, uint64_t offset, bool dictionary, struct block *ret);

static enum err unpack(int fd, uint64_t sequence, const struct body_block_head *h, const char *packed,
                       struct block *ret)
{
    struct block dictionary = {NULL, 0};
    if (h->dictionary_offset) {
        enum err e = read_block(fd, sequence, h->dictionary_offset, true, &dictionary);
        if (e != ERR_OK)
            return e;
    }
    ZSTD_DCtx *unpacker = ZSTD_createDCtx();
    must(unpacker != NULL);
    char *raw = mem_alloc(h->raw_n);
    size_t n =
        ZSTD_decompress_usingDict(unpacker, raw, h->raw_n, packed, h->packed_n, dictionary.raw, dictionary.raw_n);
    ZSTD_freeDCtx(unpacker);
    mem_free(dictionary.raw);
    if (ZSTD_isError(n) || n != h->raw_n) {
        mem_free(raw);
        return ERR_CORRUPT;
    }
    *ret = (struct block){raw, n};
    return ERR_OK;
}

/* A dictionary has no rows and no dictionary; so there is no chain to follow. */
static enum err read_block(int fd, uint64_t sequence, uint64_t offset, bool dictionary, struct block *ret)
{
    struct body_block_head h = {0};
    char *packed = NULL;
    enum err e = read_packed(fd, sequence, offset, &h, &packed);
    if (e != ERR_OK)
        return e;
    if (dictionary != (h.rows == 0) || (dictionary && h.dictionary_offset))
        e = ERR_CORRUPT;
    else
        e = unpack(fd, sequence, &h, packed, ret);
    mem_free(packed);
    return e;
}

static enum err find_row(const struct block *block, int64_t id, struct body_pair *ret)
{
    struct wire w = wire_of(block->raw, block->raw_n);
    int64_t found;
    while (body_get_row(&w, &found, ret))
        if (found == id)
            return ERR_OK;
    return ERR_CORRUPT;
}

static enum err load_block(const char *dir, int64_t place, struct block *ret)
{
    uint64_t sequence = body_place_sequence(place);
    char path[BODY_PATH_MAX];
    int fd;
    if (place <= 0 || !body_path(path, dir, sequence))
        return ERR_NOT_FOUND;
    enum err e = file_open(path, O_RDONLY, 0, &fd);
    if (e != ERR_OK)
        return errno == ENOENT ? ERR_NOT_FOUND : e;
    e = read_block(fd, sequence, body_place_offset(place), false, ret);
    file_close(fd);
    return e;
}

enum err body_read(const char *dir, int64_t place, int64_t id, struct body_pair *ret)
{
    struct block block;
    enum err e = load_block(dir, place, &block);
    if (e != ERR_OK)
        return e;
    struct body_pair pair = {.memory = block.raw};
    e = find_row(&block, id, &pair);
    if (e != ERR_OK) {
        mem_free(block.raw);
        return e;
    }
    *ret = pair;
    return ERR_OK;
}

/* --- many reads ------------------------------------------------------------------------------ */

struct body_reader {
    const char *dir;
    int64_t place; /* of the block in memory; 0 = none */
    struct block block;
};

struct body_reader *body_reader_new(const char *dir)
{
    struct body_reader *r = mem_zalloc(sizeof *r);
    r->dir = dir;
    return r;
}

void body_reader_free(struct body_reader *r)
{
    if (!r)
        return;
    mem_free(r->block.raw);
    mem_free(r);
}

enum err body_reader_get(struct body_reader *r, int64_t place, int64_t id, struct body_pair *ret)
{
    if (place != r->place || !r->place) {
        mem_free(r->block.raw);
        r->block = (struct block){NULL, 0};
        r->place = 0;
        enum err e = load_block(r->dir, place, &r->block);
        if (e != ERR_OK)
            return e;
        r->place = place;
    }
    struct body_pair pair = {.memory = NULL};
    enum err e = find_row(&r->block, id, &pair);
    if (e == ERR_OK)
        *ret = pair;
    return e;
}

void body_pair_free(struct body_pair *p)
{
    mem_free(p->memory);
    *p = (struct body_pair){.memory = NULL};
}
