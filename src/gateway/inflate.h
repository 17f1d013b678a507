/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_INFLATE_H
#define GATEWAY_INFLATE_H

/*
 * inflate: gzip and deflate, piece by piece, for reading on the side what passes by compressed.
 *
 * Bounded against bombs: it stops for good after INFLATE_TOTAL_MAX bytes of output, or when the
 * output is more than INFLATE_RATIO_MAX times the input (beyond the first megabyte), or when the
 * data is damaged. The window (32 KB) is the only memory.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define INFLATE_TOTAL_MAX (UINT64_C(256) << 20)
#define INFLATE_RATIO_MAX 100

struct inflate;

typedef void inflate_out_fn(void *arg, struct str bytes);

/* `zlib_format` false: gzip; true: the zlib wrapper that "deflate" means. */
struct inflate *inflate_new(bool zlib_format, inflate_out_fn *out, void *arg) __attribute__((returns_nonnull));
void inflate_free(struct inflate *i); /* NULL does nothing */
/* False once it has stopped for one of the reasons above. */
bool inflate_feed(struct inflate *i, struct str bytes);

#endif
