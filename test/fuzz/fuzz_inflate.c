/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compressed answers from any bytes. Input: two bytes of choices, then the data. It never gives more than
 * its limits; pieces give the beginning of the same content; and what was compressed comes back.
 */
#include <string.h>

#include <zlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "gateway/inflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define KEPT_MAX (4 << 20)

struct result {
    struct buf content; /* the first of it */
    uint64_t bytes;
    bool ok;
};

static void on_out(void *arg, struct str bytes)
{
    struct result *r = arg;
    must(bytes.n > 0 && bytes.n <= 65536);
    r->bytes += bytes.n;
    if (buf_size(&r->content) + bytes.n <= KEPT_MAX)
        must(buf_add_str(&r->content, bytes));
}

static void run(bool zlib, struct str s, uint64_t seed, unsigned most, struct result *ret)
{
    struct rng_seeded rng = {seed};
    size_t given = s.n;
    *ret = (struct result){.ok = true};
    buf_init(&ret->content, KEPT_MAX);
    struct inflate *i = inflate_new(zlib, on_out, ret);
    while (s.n) {
        size_t n = most ? 1 + rng_seeded_below(&rng, most) : s.n;
        n = n < s.n ? n : s.n;
        char *copy = mem_alloc(n);
        memcpy(copy, s.p, n);
        bool ok = inflate_feed(i, str_of(copy, n));
        must(ret->ok || !ok); /* for good */
        ret->ok = ok;
        mem_free(copy);
        s = str_from(s, n);
    }
    inflate_free(i);
    must(ret->bytes <= INFLATE_TOTAL_MAX);
    must(ret->bytes <= (1 << 20) || ret->bytes <= (given + 1) * INFLATE_RATIO_MAX);
}

static void both_ways(bool zlib, struct str s, uint64_t seed, unsigned most, struct result *whole)
{
    struct result pieces;
    run(zlib, s, 0, 0, whole);
    run(zlib, s, seed, most, &pieces);
    struct str a = buf_str(&whole->content), b = buf_str(&pieces.content);
    /* Less may come out of pieces, when what came so far looks like a bomb. */
    must(str_starts(a, b) || str_starts(b, a));
    if (whole->ok && pieces.ok)
        must(whole->bytes == pieces.bytes);
    buf_free(&pieces.content);
}

static void pack(struct buf *out, struct str s, bool zlib, int level)
{
    z_stream z = {0};
    must(deflateInit2(&z, level, Z_DEFLATED, zlib ? 9 : 25, 1, Z_DEFAULT_STRATEGY) == Z_OK);
    size_t bound = deflateBound(&z, s.n);
    char *room = buf_reserve(out, bound);
    must(room);
    z.next_in = (unsigned char *)(uintptr_t)s.p;
    z.avail_in = (unsigned)s.n;
    z.next_out = (unsigned char *)room;
    z.avail_out = (unsigned)bound;
    must(deflate(&z, Z_FINISH) == Z_STREAM_END);
    buf_commit(out, bound - z.avail_out);
    deflateEnd(&z);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct result r;
    if (n < 2)
        return 0;
    bool zlib = p[0] & 1;
    struct str s = {(const char *)p + 2, n - 2};
    if (!(p[0] & 2)) {
        both_ways(zlib, s, p[1], 1 + p[1], &r);
    } else { /* compressed here, in two members where that may be; it must come back */
        struct buf packed;
        buf_init(&packed, 1 << 22);
        size_t cut = zlib ? s.n : s.n / 2;
        pack(&packed, str_head(s, cut), zlib, p[0] >> 2 & 7);
        if (!zlib)
            pack(&packed, str_from(s, cut), zlib, p[0] >> 5);
        both_ways(zlib, buf_str(&packed), p[1], 1 + p[1], &r);
        must(r.ok && str_eq(buf_str(&r.content), s));
        buf_free(&packed);
    }
    buf_free(&r.content);
    return 0;
}
