/* SPDX-License-Identifier: Apache-2.0 */
/* The closed sets as data, both ways. */
#include "control/kind.h"

#include <stddef.h>

#include "base/must.h"

static const char *const role_texts[] = {
#define X(name, text) text,
    KIND_ROLE_TABLE(X)
#undef X
};

static const char *const integration_texts[] = {
#define X(name, text, serves) text,
    KIND_INTEGRATION_TABLE(X)
#undef X
};

static const bool integration_serves[] = {
#define X(name, text, serves) serves,
    KIND_INTEGRATION_TABLE(X)
#undef X
};

static const char *const bodies_texts[] = {
#define X(name, text) text,
    KIND_BODIES_TABLE(X)
#undef X
};

/* The text's place in the table, or -1. */
static int find(const char *const *texts, size_t count, struct str text)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(str_c(texts[i]), text))
            return (int)i;
    return -1;
}

const char *kind_role_text(enum kind_role role)
{
    must((unsigned)role < KIND_ROLE_COUNT);
    return role_texts[role];
}

bool kind_role_from(struct str text, enum kind_role *ret_role)
{
    int i = find(role_texts, KIND_ROLE_COUNT, text);
    if (i >= 0)
        *ret_role = (enum kind_role)i;
    return i >= 0;
}

const char *kind_integration_text(enum kind_integration kind)
{
    must((unsigned)kind < KIND_INTEGRATION_COUNT);
    return integration_texts[kind];
}

bool kind_integration_from(struct str text, enum kind_integration *ret_kind)
{
    int i = find(integration_texts, KIND_INTEGRATION_COUNT, text);
    if (i >= 0)
        *ret_kind = (enum kind_integration)i;
    return i >= 0;
}

bool kind_integration_serves(enum kind_integration kind)
{
    must((unsigned)kind < KIND_INTEGRATION_COUNT);
    return integration_serves[kind];
}

const char *kind_bodies_text(enum kind_bodies bodies)
{
    must((unsigned)bodies < KIND_BODIES_COUNT);
    return bodies_texts[bodies];
}

bool kind_bodies_from(struct str text, enum kind_bodies *ret_bodies)
{
    int i = find(bodies_texts, KIND_BODIES_COUNT, text);
    if (i >= 0)
        *ret_bodies = (enum kind_bodies)i;
    return i >= 0;
}
