/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_TARGET_OPTIONS_METADATA_H
#define GATEWAY_TARGET_OPTIONS_METADATA_H

/* options_metadata: W3C baggage as metadata. Merging (options_metadata itself) is declared in options.h. */

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

#define OPTIONS_METADATA_MAX 8192   /* bytes of one source; a longer one counts as bad */
#define OPTIONS_METADATA_MEMBERS 64 /* of all sources together; more are left out */
#define OPTIONS_METADATA_CHARS 128  /* of one value; the rest is cut off */

/*
 * "k=v;property,k2=v2" as a JSON object, percent-decoded; *ret stays as it is when nothing is in it
 * or when it is set already. False when the arena is full.
 */
bool options_metadata_baggage(struct str value, struct arena *a, struct str *ret) __attribute__((warn_unused_result));

#endif
