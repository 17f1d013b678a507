/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_SIMID_H
#define SIM_SIMID_H

/*
 * simid: numbers and names that follow from a seed and nothing else, so that a run can be repeated.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "base/str.h"

/* A number that follows from both, spread over 64 bits. */
uint64_t simid_mix(uint64_t a, uint64_t b);
/* The same for bytes; several GB/s. Not for secrets, and the same in every run. */
uint64_t simid_hash(uint64_t seed, struct str bytes);
/* `n` characters a-z A-Z 0-9. No NUL. */
void simid_letters(struct rng_seeded *g, char *out, size_t n);
/* `n` lower-case hexadecimal digits. No NUL. */
void simid_hex(struct rng_seeded *g, char *out, size_t n);

#endif
