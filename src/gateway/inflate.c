/* SPDX-License-Identifier: Apache-2.0 */
/* Streaming decompression by zlib with a limit on what may come out. */
#include "gateway/inflate.h"

#include <zlib.h>

#include "base/mem.h"
#include "base/must.h"

#define OUT_BYTES 16384
#define RATIO_FROM (1u << 20)

struct inflate {
    z_stream z;
    inflate_out_fn *out;
    void *arg;
    uint64_t in_bytes, out_bytes;
    bool gzip, stopped;
    bool ended, over; /* a member has ended, and what follows is none */
};

struct inflate *inflate_new(bool zlib_format, inflate_out_fn *out, void *arg)
{
    struct inflate *i = mem_zalloc(sizeof *i);
    i->out = out;
    i->arg = arg;
    i->gzip = !zlib_format;
    int status = inflateInit2(&i->z, zlib_format ? 15 : 15 + 16);
    must(status == Z_OK);
    return i;
}

void inflate_free(struct inflate *i)
{
    if (!i)
        return;
    inflateEnd(&i->z);
    mem_free(i);
}

/* A gzip file may have several members (RFC 1952 2.2). What follows the last one is passed over. */
static bool next_member(struct inflate *i)
{
    if (!i->z.avail_in || i->over)
        return false;
    i->over = !i->gzip || *i->z.next_in != 0x1f;
    if (i->over)
        return false;
    int status = inflateReset(&i->z);
    must(status == Z_OK);
    i->ended = false;
    return true;
}

bool inflate_feed(struct inflate *i, struct str bytes)
{
    unsigned char out[OUT_BYTES];
    must(bytes.n <= UINT32_MAX);
    i->in_bytes += bytes.n;
    i->z.next_in = (unsigned char *)(uintptr_t)bytes.p;
    i->z.avail_in = (unsigned)bytes.n;
    while (!i->stopped && (!i->ended || next_member(i))) {
        i->z.next_out = out;
        i->z.avail_out = sizeof out;
        int status = inflate(&i->z, Z_NO_FLUSH);
        size_t n = sizeof out - i->z.avail_out;
        i->out_bytes += n;
        i->ended = status == Z_STREAM_END;
        if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
            i->stopped = true;
        if (i->out_bytes > INFLATE_TOTAL_MAX ||
            (i->out_bytes > RATIO_FROM && i->out_bytes / INFLATE_RATIO_MAX > i->in_bytes))
            i->stopped = true;
        if (n && !i->stopped)
            i->out(i->arg, str_of((const char *)out, n));
        if (i->z.avail_out && !i->ended)
            break; /* the input is used up */
    }
    return !i->stopped;
}
