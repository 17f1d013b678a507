/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts of a column. A test on a text becomes a set of ids here, in C, so that what a user typed never comes
 * near a statement: the statement gets the ids, as one parameter (json_each).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "report/cost/cost_inner.h"

#define ROWS_FIRST 256
#define SET_MAX (64u << 20)

static int compare_ids(const void *a, const void *b)
{
    const struct cost_text_row *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

enum err cost_texts_add(struct cost_texts_make *m, int64_t id, struct str text, struct str name)
{
    if (m->count == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : ROWS_FIRST;
        struct cost_text_row *rows = arena_alloc(m->arena, cap * sizeof *rows);
        if (!rows)
            return ERR_BAD_PARAMETER;
        if (m->count)
            memcpy(rows, m->rows, m->count * sizeof *rows);
        m->rows = rows;
        m->cap = cap;
    }
    m->rows[m->count++] = (struct cost_text_row){id, text, name};
    return ERR_OK;
}

enum err cost_texts_end(struct cost_texts_make *m, struct cost_texts *ret)
{
    int64_t *ids = arena_alloc(m->arena, (m->count + 1) * sizeof *ids);
    struct str *texts = arena_alloc(m->arena, (m->count + 1) * sizeof *texts);
    struct str *names = arena_alloc(m->arena, (m->count + 1) * sizeof *names);
    if (!ids || !texts || !names)
        return ERR_BAD_PARAMETER;
    if (m->count)
        qsort(m->rows, m->count, sizeof *m->rows, compare_ids);
    for (size_t i = 0; i < m->count; i++) {
        ids[i] = m->rows[i].id;
        texts[i] = m->rows[i].text;
        names[i] = m->rows[i].name;
    }
    *ret = (struct cost_texts){ids, texts, names, m->count};
    return ERR_OK;
}

enum err cost_texts_load(struct store_stmt *st, struct arena *a, struct cost_texts *ret)
{
    struct cost_texts_make m = {.arena = a};
    bool row;
    enum err e;
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        struct str text = arena_dup(a, store_text(st, 1)), name = arena_dup(a, store_text(st, 2));
        e = text.p && name.p ? cost_texts_add(&m, store_i64(st, 0), text, name) : ERR_BAD_PARAMETER;
        if (e != ERR_OK) {
            store_done(st);
            return e;
        }
    }
    return e == ERR_OK ? cost_texts_end(&m, ret) : e;
}

bool cost_texts_find(const struct cost_texts *t, int64_t id, struct str *ret_text, struct str *ret_name)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == t->count || t->ids[low] != id)
        return false;
    *ret_text = t->texts[low];
    *ret_name = t->names[low];
    return true;
}

enum err cost_texts_set(const struct cost_texts *t, const struct vql_node *test, struct arena *a, struct str *ret_json)
{
    struct buf out;
    buf_init(&out, SET_MAX);
    bool ok = buf_add_byte(&out, '[');
    for (size_t i = 0; ok && i < t->count; i++)
        if (vql_match(test, t->texts[i]))
            ok = buf_printf(&out, "%s%lld", buf_size(&out) > 1 ? "," : "", (long long)t->ids[i]);
    ok = ok && buf_add_byte(&out, ']');
    *ret_json = ok ? arena_dup(a, buf_str(&out)) : (struct str){NULL, 0};
    buf_free(&out);
    return ret_json->p ? ERR_OK : ERR_BAD_PARAMETER;
}
