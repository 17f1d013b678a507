/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_CATALOG_H
#define CONSOLE_CATALOG_H

/*
 * catalog: the price catalogue that handlers show. Reading the files takes a few milliseconds, and some
 * routes are open to everybody, so it is kept for a moment.
 */

#include <stddef.h>

struct console;
struct price_catalog;

/*
 * The catalogue as the files said at most ten seconds ago; NULL with a sentence in `why`. The console's; good
 * until the next call. On the console's thread only.
 */
const struct price_catalog *catalog_get(struct console *c, char *why, size_t why_cap);
/* For console_free. */
void catalog_drop(struct console *c);

#endif
