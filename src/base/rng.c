/* SPDX-License-Identifier: Apache-2.0 */
/* Randomness behind one replaceable function. */
#include "base/rng.h"

#include <errno.h>
#include <sys/random.h>

#include "base/must.h"

static rng_source_fn *source_override;

static void kernel_bytes(void *out, size_t n)
{
    unsigned char *p = out;
    while (n) {
        ssize_t got = getrandom(p, n > 256 ? 256 : n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        must(got > 0);
        p += got;
        n -= (size_t)got;
    }
}

void rng_bytes(void *out, size_t n)
{
    if (source_override)
        source_override(out, n);
    else
        kernel_bytes(out, n);
}

uint64_t rng_u64(void)
{
    uint64_t v;
    rng_bytes(&v, sizeof v);
    return v;
}

uint64_t rng_seeded_u64(struct rng_seeded *g)
{
    uint64_t z = (g->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t rng_seeded_below(struct rng_seeded *g, uint64_t bound)
{
    must(bound > 0);
    return (uint64_t)(((unsigned __int128)rng_seeded_u64(g) * bound) >> 64);
}

void rng_set_source(rng_source_fn *source)
{
    source_override = source;
}
