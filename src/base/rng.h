/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

/*
 * rng: randomness. The default source is the kernel (getrandom(2)); tests and the simulator put a
 * seeded source in its place so that a run can be repeated.
 */

#include <stddef.h>
#include <stdint.h>

/* Fills `n` bytes. Never fails: a kernel without randomness ends the program. */
void rng_bytes(void *out, size_t n);
uint64_t rng_u64(void);

/* A small deterministic generator (splitmix64) for simulators and tests; not for secrets. */
struct rng_seeded {
    uint64_t state;
};
uint64_t rng_seeded_u64(struct rng_seeded *g);
/* Uniform in [0, bound); bound ≥ 1. */
uint64_t rng_seeded_below(struct rng_seeded *g, uint64_t bound);

/* Replaces the source of rng_bytes; NULL restores the kernel. Call before threads start. */
typedef void rng_source_fn(void *out, size_t n);
void rng_set_source(rng_source_fn *source);

#endif
