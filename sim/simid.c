/* SPDX-License-Identifier: Apache-2.0 */
/* Eight bytes are taken at a time and folded by a 128-bit product. */
#include "sim/simid.h"

#include <string.h>

#define K0 UINT64_C(0x9e3779b97f4a7c15)
#define K1 UINT64_C(0xd1b54a32d192ed03)

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

uint64_t simid_mix(uint64_t a, uint64_t b)
{
    return fold(a ^ K0, fold(b ^ K1, K0 | 1) ^ K1);
}

uint64_t simid_hash(uint64_t seed, struct str bytes)
{
    uint64_t h = seed ^ fold(bytes.n ^ K0, K1), w;
    size_t i = 0;
    for (; i + 8 <= bytes.n; i += 8) {
        memcpy(&w, bytes.p + i, 8);
        h = fold(h ^ w ^ K0, K1);
    }
    if (i < bytes.n) {
        w = 0;
        memcpy(&w, bytes.p + i, bytes.n - i);
        h = fold(h ^ w ^ K0, K1);
    }
    return simid_mix(h, bytes.n);
}

static void letters_of(struct rng_seeded *g, char *out, size_t n, const char *alphabet, unsigned size)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        if (i % 10 == 0)
            bits = rng_seeded_u64(g);
        out[i] = alphabet[bits % size];
        bits /= size;
    }
}

void simid_letters(struct rng_seeded *g, char *out, size_t n)
{
    letters_of(g, out, n, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 62);
}

void simid_hex(struct rng_seeded *g, char *out, size_t n)
{
    letters_of(g, out, n, "0123456789abcdef", 16);
}
