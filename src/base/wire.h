/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

/*
 * wire: numbers as bytes in files of ours. Fixed-width numbers are little-endian; varints have
 * seven bits a byte, lowest first, and one text per value (no needless zero bytes).
 *
 * Writers take a pointer with enough room and return the pointer behind what they wrote. Readers
 * work on a struct wire and never pass its end: the first thing that is not there or not valid sets
 * `bad`, and from then on everything reads as zero. Check `bad` once, at the end.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

#define WIRE_VARINT_MAX 10

struct wire {
    const unsigned char *p, *end;
    bool bad;
};

static inline struct wire wire_of(const void *p, size_t n)
{
    return (struct wire){(const unsigned char *)p, (const unsigned char *)p + n, false};
}

static inline unsigned char *wire_put_u16(unsigned char *p, uint16_t v)
{
    p[0] = (unsigned char)v;
    p[1] = (unsigned char)(v >> 8);
    return p + 2;
}

static inline unsigned char *wire_put_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (8 * i));
    return p + 4;
}

static inline unsigned char *wire_put_u64(unsigned char *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(v >> (8 * i));
    return p + 8;
}

/* At most WIRE_VARINT_MAX bytes. */
static inline unsigned char *wire_put_varint(unsigned char *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (unsigned char)(v | 0x80);
        v >>= 7;
    }
    *p++ = (unsigned char)v;
    return p;
}

/* Small magnitudes of either sign become small numbers. */
static inline uint64_t wire_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (v < 0 ? ~UINT64_C(0) : 0);
}

static inline int64_t wire_unzigzag(uint64_t v)
{
    return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}

static inline unsigned char *wire_put_bytes(unsigned char *p, struct str s)
{
    if (s.n)
        memcpy(p, s.p, s.n);
    return p + s.n;
}

static inline size_t wire_left(const struct wire *w)
{
    return (size_t)(w->end - w->p);
}

/* The next `n` bytes, or the empty view when they are not there. */
static inline struct str wire_bytes(struct wire *w, size_t n)
{
    if (w->bad || n > wire_left(w)) {
        w->bad = true;
        return (struct str){"", 0};
    }
    struct str s = {(const char *)w->p, n};
    w->p += n;
    return s;
}

static inline uint64_t wire_get_fixed(struct wire *w, unsigned width)
{
    struct str s = wire_bytes(w, width);
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++)
        v |= (uint64_t)(unsigned char)s.p[i] << (8 * i);
    return v;
}

static inline uint8_t wire_u8(struct wire *w)
{
    return (uint8_t)wire_get_fixed(w, 1);
}

static inline uint16_t wire_u16(struct wire *w)
{
    return (uint16_t)wire_get_fixed(w, 2);
}

static inline uint32_t wire_u32(struct wire *w)
{
    return (uint32_t)wire_get_fixed(w, 4);
}

static inline uint64_t wire_u64(struct wire *w)
{
    return wire_get_fixed(w, 8);
}

static inline uint64_t wire_varint(struct wire *w)
{
    uint64_t v = 0;
    if (!w->bad && w->p < w->end && *w->p < 0x80)
        return *w->p++;
    for (unsigned shift = 0; !w->bad && w->p < w->end && shift < 64; shift += 7) {
        unsigned char c = *w->p++;
        if ((shift == 63 && c > 1) || (shift > 0 && c == 0))
            break;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return v;
    }
    w->bad = true;
    return 0;
}

#endif
