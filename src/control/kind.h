/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_KIND_H
#define CONTROL_KIND_H

/*
 * kind: the small closed sets that control, snapshot and the wire agree on. Each is one table; the
 * text is what stands in the database, in JSON and on the command line. Append only.
 */

#include <stdbool.h>

#include "base/str.h"

/* What the bearer of a key may do, strongest first. Columns: name, text. */
#define KIND_ROLE_TABLE(X) \
    X(OWNER, "owner")      \
    X(ADMIN, "admin")      \
    X(MEMBER, "member")    \
    X(VIEWER, "viewer")

enum kind_role {
#define X(name, text) KIND_ROLE_##name,
    KIND_ROLE_TABLE(X)
#undef X
        KIND_ROLE_COUNT
};
const char *kind_role_text(enum kind_role role);
bool kind_role_from(struct str text, enum kind_role *ret_role);

/* What an integration speaks. Columns: name, text, takes requests of callers. */
#define KIND_INTEGRATION_TABLE(X)                   \
    X(OPENAI, "openai", true)                       \
    X(AZURE_OPENAI, "azure-openai", true)           \
    X(OPENAI_COMPATIBLE, "openai-compatible", true) \
    X(OPENAI_ADMIN, "openai-admin", false)          \
    X(OPENAI_LEGACY, "openai-legacy", false)

enum kind_integration {
#define X(name, text, serves) KIND_INTEGRATION_##name,
    KIND_INTEGRATION_TABLE(X)
#undef X
        KIND_INTEGRATION_COUNT
};
const char *kind_integration_text(enum kind_integration kind);
bool kind_integration_from(struct str text, enum kind_integration *ret_kind);
/* False for kinds that only read usage and bills. */
bool kind_integration_serves(enum kind_integration kind);

/* Whether request and response bodies are kept. Columns: name, text. */
#define KIND_BODIES_TABLE(X) \
    X(DEFAULT, "default")    \
    X(ON, "on")              \
    X(OFF, "off")

enum kind_bodies {
#define X(name, text) KIND_BODIES_##name,
    KIND_BODIES_TABLE(X)
#undef X
        KIND_BODIES_COUNT
};
const char *kind_bodies_text(enum kind_bodies bodies);
bool kind_bodies_from(struct str text, enum kind_bodies *ret_bodies);

#endif
