/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets: a type of their own, wiped when they go. */
#include "base/secret.h"

#include <stdio.h>

#include "base/mem.h"

void secret_set(struct secret *s, struct str bytes)
{
    char *copy = bytes.n ? mem_strndup(bytes.p, bytes.n) : NULL;
    secret_wipe(s);
    s->p = copy;
    s->n = bytes.n;
}

void secret_wipe(struct secret *s)
{
    if (s->p) {
        mem_wipe(s->p, s->n);
        mem_free(s->p);
    }
    s->p = NULL;
    s->n = 0;
}

struct str secret_reveal(const struct secret *s)
{
    return str_of(s->p ? s->p : "", s->n);
}

void secret_hint(struct str bytes, char out[SECRET_HINT_MAX])
{
    if (bytes.n < 16)
        str_copy(out, SECRET_HINT_MAX, STR("…"));
    else
        snprintf(out, SECRET_HINT_MAX, "%.3s…%.4s", bytes.p, bytes.p + bytes.n - 4);
}
