/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eight bytes are folded at a time by a 128-bit product; long texts in four lanes, which do not wait
 * for each other.
 */
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

#define LANES 4

static uint64_t word_at(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

uint64_t simid_hash(uint64_t seed, struct str bytes)
{
    uint64_t h = seed ^ fold(bytes.n ^ K0, K1), last = 0;
    size_t i = 0;
    if (bytes.n >= 8 * LANES) {
        uint64_t lane[LANES] = {h, h ^ K0, h ^ K1, ~h};
        for (; i + 8 * LANES <= bytes.n; i += 8 * LANES)
            for (int k = 0; k < LANES; k++)
                lane[k] = fold(lane[k] ^ word_at(bytes.p + i + 8 * k) ^ K0, K1);
        for (int k = 0; k < LANES; k++)
            h = fold(h ^ lane[k] ^ K0, K1);
    }
    for (; i + 8 <= bytes.n; i += 8)
        h = fold(h ^ word_at(bytes.p + i) ^ K0, K1);
    if (i < bytes.n) {
        memcpy(&last, bytes.p + i, bytes.n - i);
        h = fold(h ^ last ^ K0, K1);
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
