/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the query language, and the object that holds a query. */
#include "report/vql/vql.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/must.h"
#include "report/vql/vql_inner.h"

static const char *const fields[] = {
#define X(name, text, type) text,
    VQL_FIELD_TABLE(X)
#undef X
};

static const char *const ledgers[VQL_LEDGER_COUNT] = {"billed", "metered", "allocated", "estimated"};

const char *vql_field_text(enum vql_field f)
{
    must((unsigned)f < VQL_FIELD_COUNT);
    return fields[f];
}

const char *vql_ledger_text(enum vql_ledger l)
{
    must((unsigned)l < VQL_LEDGER_COUNT);
    return ledgers[l];
}

void vql_error_set(struct vql_error *error, size_t at, const char *format, ...)
{
    va_list args;
    int n = snprintf(error->text, sizeof error->text, "VQL: ");
    must(n > 0);
    error->at = at;
    va_start(args, format);
    vsnprintf(error->text + n, sizeof error->text - (size_t)n, format, args);
    va_end(args);
}

void vql_free(struct vql *q)
{
    if (!q)
        return;
    arena_free(q->arena);
    mem_free(q);
}

const struct vql_node *vql_root(const struct vql *q)
{
    return q->root;
}

unsigned vql_ledgers(const struct vql *q)
{
    return q->ledgers;
}

bool vql_uses(const struct vql *q, enum vql_field f)
{
    must((unsigned)f < VQL_FIELD_COUNT);
    return q->uses[f];
}
