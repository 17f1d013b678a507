/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_PRICE_TEXT_H
#define CONSOLE_PRICE_TEXT_H

/*
 * price_text: prices as exact decimal numbers, for answers. Never through a double.
 */

#include "base/buf.h"
#include "openai/price.h"

#define PRICE_TEXT_CENT UINT64_C(10000000000)     /* pico-dollars */
#define PRICE_TEXT_DOLLAR UINT64_C(1000000000000) /* pico-dollars */

/* What `units` of the meter cost, counted in coins of `coin_pusd`; appended. False beyond 128 bits, or the buffer. */
bool price_text_add(struct buf *out, const struct price_unit *p, uint64_t units, uint64_t coin_pusd)
    __attribute__((warn_unused_result));

#endif
