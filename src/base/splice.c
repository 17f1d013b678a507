/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the chunks and the ordered list of edits side by side. */
#include "base/splice.h"

#include "base/must.h"

void splicer_init(struct splicer *sp, const struct splice *list, size_t n)
{
    uint64_t free_from = 0;
    for (size_t i = 0; i < n; i++) {
        must(list[i].at >= free_from);
        free_from = list[i].at + list[i].remove;
    }
    *sp = (struct splicer){.list = list, .n = n};
}

/* The next edit begins here: its text comes next, and then its bytes go. */
static bool begin_edit(struct splicer *sp, struct str *ret_piece)
{
    const struct splice *edit = &sp->list[sp->next++];
    sp->skip = edit->remove;
    *ret_piece = edit->insert;
    return edit->insert.n > 0;
}

bool splicer_next(struct splicer *sp, struct str *chunk, struct str *ret_piece)
{
    while (chunk->n > 0) {
        size_t drop = sp->skip < chunk->n ? (size_t)sp->skip : chunk->n;
        sp->skip -= drop;
        sp->offset += drop;
        *chunk = str_from(*chunk, drop);
        if (chunk->n == 0)
            break;
        size_t pass = chunk->n;
        if (sp->next < sp->n && sp->list[sp->next].at - sp->offset < pass)
            pass = (size_t)(sp->list[sp->next].at - sp->offset);
        if (pass > 0) {
            *ret_piece = str_head(*chunk, pass);
            sp->offset += pass;
            *chunk = str_from(*chunk, pass);
            return true;
        }
        if (begin_edit(sp, ret_piece))
            return true;
    }
    return false;
}

bool splicer_end(struct splicer *sp, struct str *ret_piece)
{
    while (sp->next < sp->n && sp->list[sp->next].at == sp->offset)
        if (begin_edit(sp, ret_piece))
            return true;
    return false;
}

uint64_t splice_result_size(const struct splice *list, size_t n, uint64_t size)
{
    for (size_t i = 0; i < n; i++)
        size = size - list[i].remove + list[i].insert.n;
    return size;
}
