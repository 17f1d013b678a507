/* SPDX-License-Identifier: Apache-2.0 */
/* One catalogue and the time it was read; the console has one thread, so there is no lock. */
#include "console/catalog.h"

#include "base/clock.h"
#include "console/console_inner.h"
#include "openai/price.h"

#define KEPT_US 10000000

const struct price_catalog *catalog_get(struct console *c, char *why, size_t why_cap)
{
    const struct console_settings *s = &c->settings;
    uint64_t now_us = clock_mono_us();
    if (c->catalog && now_us < c->catalog_read_us + KEPT_US)
        return c->catalog;
    catalog_drop(c);
    c->catalog = s->load_prices(s->ctx, why, why_cap);
    c->catalog_read_us = now_us;
    return c->catalog;
}

void catalog_drop(struct console *c)
{
    price_catalog_free(c->catalog);
    c->catalog = NULL;
}
