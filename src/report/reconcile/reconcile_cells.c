/* SPDX-License-Identifier: Apache-2.0 */
/* Cells, and the small things that all steps need. */
#include <stdio.h>

#include "base/mem.h"
#include "report/reconcile/reconcile_inner.h"

#define FIRST_CELLS 256

static struct reconcile_cell *too_many(struct reconcile_job *j)
{
    str_copy(j->error->text, sizeof j->error->text, STR(RECONCILE_NO_ROOM));
    return NULL;
}

enum err reconcile_no_room(struct reconcile_job *j)
{
    too_many(j);
    return ERR_BAD_PARAMETER;
}

enum err reconcile_store_failed(struct reconcile_job *j, struct store_db *db, enum err e)
{
    if (!j->error->text[0])
        snprintf(j->error->text, sizeof j->error->text, "Bill or ledger cannot be read: %s.", store_reason(db));
    return e;
}

struct str reconcile_json(struct reconcile_job *j, const int64_t *ids, size_t count)
{
    size_t cap = count * 24 + 3, used = 0;
    char *text = arena_alloc(j->arena, cap);
    if (!text)
        return (struct str){NULL, 0};
    text[used++] = '[';
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, cap - used, "%s%lld", i ? "," : "", (long long)ids[i]);
    text[used++] = ']';
    return str_of(text, used);
}

struct reconcile_cell *reconcile_cell(struct reconcile_job *j, int64_t day, uint32_t place, uint32_t sku)
{
    const int64_t key[3] = {day, place, sku};
    uint32_t at;
    if (place == MATCH_NONE || sku == MATCH_NONE)
        return too_many(j);
    if (match_table_get(&j->index, key, &at))
        return &j->cells[at];
    if (j->cell_count >= RECONCILE_CELLS_MAX)
        return too_many(j);
    if (j->cell_count == j->cell_cap) {
        j->cell_cap = j->cell_cap ? j->cell_cap * 2 : FIRST_CELLS;
        j->cells = mem_realloc(j->cells, j->cell_cap * sizeof *j->cells);
    }
    at = (uint32_t)j->cell_count++;
    j->cells[at] = (struct reconcile_cell){.day = (int32_t)day, .place = place, .sku = sku};
    match_table_put(&j->index, key, at);
    return &j->cells[at];
}
