/* SPDX-License-Identifier: Apache-2.0 */
/* One pass; a field is looked at byte by byte, since each of them may be the quote or the comma that ends it. */
#include "report/upload/csv.h"

#define BOM STR("\xEF\xBB\xBF")

void csv_init(struct csv *c, struct str text)
{
    *c = (struct csv){.rest = str_starts(text, BOM) ? str_from(text, BOM.n) : text, .line = 1};
}

static bool at(const struct csv *c, size_t i, char wanted)
{
    return i < c->rest.n && c->rest.p[i] == wanted;
}

/* Bytes of a line's end at `i`: 0 when it is none. */
static size_t end_at(const struct csv *c, size_t i)
{
    if (at(c, i, '\n'))
        return 1;
    return at(c, i, '\r') && at(c, i + 1, '\n') ? 2 : 0;
}

static void skip(struct csv *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        c->line += c->rest.p[i] == '\n';
    c->rest = str_from(c->rest, n);
}

/* Quotes written twice become one. */
static bool undo(struct str text, size_t doubled, struct arena *a, struct str *ret)
{
    char *out = doubled ? arena_alloc(a, text.n - doubled + 1) : NULL;
    size_t n = 0;
    *ret = text;
    if (!doubled)
        return true;
    for (size_t i = 0; out && i < text.n; i++) {
        out[n++] = text.p[i];
        i += text.p[i] == '"';
    }
    *ret = str_of(out, n);
    return out != NULL;
}

static enum csv_read read_quoted(struct csv *c, struct arena *a, struct str *ret)
{
    size_t i = 1, doubled = 0;
    for (; i < c->rest.n && (!at(c, i, '"') || at(c, i + 1, '"')); i++)
        if (at(c, i, '"')) {
            doubled++;
            i++;
        }
    if (i >= c->rest.n)
        return CSV_BAD_QUOTE;
    if (!undo(str_of(c->rest.p + 1, i - 1), doubled, a, ret))
        return CSV_NO_ROOM;
    skip(c, i + 1);
    return c->rest.n == 0 || at(c, 0, ',') || end_at(c, 0) ? CSV_RECORD : CSV_BAD_QUOTE;
}

static enum csv_read read_bare(struct csv *c, struct str *ret)
{
    size_t i = 0;
    while (i < c->rest.n && !at(c, i, ',') && !end_at(c, i)) {
        if (at(c, i, '"'))
            return CSV_BAD_QUOTE;
        i++;
    }
    *ret = str_head(c->rest, i);
    skip(c, i);
    return CSV_RECORD;
}

static enum csv_read failed(struct csv *c, enum csv_read why)
{
    c->rest = STR("");
    return why;
}

enum csv_read csv_next(struct csv *c, struct arena *a, struct csv_record *ret)
{
    for (size_t n; (n = end_at(c, 0)) != 0;)
        skip(c, n);
    ret->count = 0;
    ret->line = c->line;
    if (c->rest.n == 0)
        return CSV_END;
    for (;;) {
        if (ret->count == CSV_FIELDS_MAX)
            return failed(c, CSV_TOO_MANY);
        enum csv_read r =
            at(c, 0, '"') ? read_quoted(c, a, &ret->fields[ret->count]) : read_bare(c, &ret->fields[ret->count]);
        if (r != CSV_RECORD)
            return failed(c, r);
        ret->count++;
        if (!at(c, 0, ','))
            break;
        skip(c, 1);
    }
    skip(c, end_at(c, 0));
    return CSV_RECORD;
}
