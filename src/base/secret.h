/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

/*
 * secret: bytes that must not be seen. No log, error or JSON function accepts this type; the only
 * way to the bytes is secret_reveal, which is easy to search for. Wiped on release.
 */

#include <stddef.h>

#include "base/str.h"

struct secret {
    char *p; /* owned, NULL when empty */
    size_t n;
};

void secret_set(struct secret *s, struct str bytes); /* wipes what was there */
void secret_wipe(struct secret *s);
/* The bytes, good until the secret is set or wiped. For the wire and the cipher only. */
struct str secret_reveal(const struct secret *s);

#define SECRET_HINT_MAX 16
/* What may be shown: the first three characters, "…", the last four; all of it hidden when short. */
void secret_hint(struct str secret_bytes, char out[SECRET_HINT_MAX]);

#endif
