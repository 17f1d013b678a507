/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes as texts and bits. Under a hundred names: looking through them is fast enough for who makes a key. */
#include "control/scope.h"

#include "base/must.h"

static const char *const texts[] = {
#define X(name, text) text,
    SNAPSHOT_SCOPE_TABLE(X)
#undef X
};

_Static_assert(SNAPSHOT_SCOPE_COUNT < 128, "a bit for each, and never all of them");

const char *scope_text(enum snapshot_scope scope)
{
    must(scope < SNAPSHOT_SCOPE_COUNT);
    return texts[scope];
}

bool scope_from_text(struct str text, enum snapshot_scope *ret_scope)
{
    for (unsigned i = 0; i < SNAPSHOT_SCOPE_COUNT; i++) {
        if (str_eq(text, str_c(texts[i]))) {
            *ret_scope = (enum snapshot_scope)i;
            return true;
        }
    }
    return false;
}

bool scope_list_read(struct str list, scope_set *ret_scopes, struct str *ret_unknown)
{
    scope_set scopes = 0;
    struct str part;
    while (str_split(&list, ',', &part)) {
        enum snapshot_scope scope;
        part = str_trim(part);
        if (!part.n)
            continue;
        if (!scope_from_text(part, &scope)) {
            *ret_unknown = part;
            return false;
        }
        scopes |= SCOPE_BIT(scope);
    }
    *ret_scopes = scopes ? scopes : SNAPSHOT_SCOPES_ALL;
    return true;
}

bool scope_list_write(scope_set scopes, struct buf *out)
{
    bool ok = true, any = false;
    if (scopes == SNAPSHOT_SCOPES_ALL)
        return true;
    for (unsigned i = 0; i < SNAPSHOT_SCOPE_COUNT; i++) {
        if (!(scopes >> i & 1))
            continue;
        ok = ok && (!any || buf_add_byte(out, ',')) && buf_add_str(out, str_c(texts[i]));
        any = true;
    }
    return ok;
}
