/* SPDX-License-Identifier: Apache-2.0 */
/* Templates are ours, so a name in them without an entry is a bug; a value is anybody's. */
#include "report/notify/texts.h"

#include "base/must.h"
#include "base/utf8.h"
#include "report/notify/notify.h"

static const struct {
    const char *kind, *subject, *text;
} table[TEXTS_COUNT] = {
#define X(name, kind, subject, text) {kind, subject, text},
    TEXTS_TABLE(X)
#undef X
};

const char *texts_kind(enum texts_name name)
{
    return table[name].kind;
}

static struct str value_of(struct str name, const struct texts_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(name, str_c(values[i].name)))
            return values[i].value;
    must(false);
    return STR("");
}

static bool add_value(struct buf *out, struct str value)
{
    if (!utf8_valid(value))
        return buf_add_byte(out, '?');
    bool ok = true;
    for (size_t i = 0; ok && i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        ok = buf_add_byte(out, c < 0x20 || c == 0x7f ? ' ' : (char)c);
    }
    return ok;
}

/* *ret_empty: it has names, and none of them a value. */
static bool fill_line(struct str line, const struct texts_value *values, size_t count, struct buf *out, bool *ret_empty)
{
    bool ok = true, named = false, valued = false;
    while (ok && line.n) {
        ptrdiff_t open = str_find(line, '{');
        if (open < 0)
            break;
        ok = buf_add_str(out, str_head(line, (size_t)open));
        line = str_from(line, (size_t)open + 1);
        ptrdiff_t end = str_find(line, '}');
        must(end > 0);
        struct str value = value_of(str_head(line, (size_t)end), values, count);
        ok = ok && add_value(out, value);
        named = true;
        valued = valued || value.n;
        line = str_from(line, (size_t)end + 1);
    }
    *ret_empty = named && !valued;
    return ok && buf_add_str(out, line);
}

/* At a character's end, with "…". */
static void cut(struct buf *b, size_t max)
{
    if (buf_size(b) <= max)
        return;
    size_t n = max - 3;
    while (n && ((unsigned char)buf_str(b).p[n] & 0xc0) == 0x80)
        n--;
    buf_cut(b, n);
    bool ok = buf_add_str(b, STR("\xe2\x80\xa6"));
    must(ok);
}

bool texts_fill(enum texts_name name, const struct texts_value *values, size_t count, struct buf *subject,
                struct buf *text)
{
    struct str line, rest = str_c(table[name].text);
    bool empty, ok = fill_line(str_c(table[name].subject), values, count, subject, &empty);
    cut(subject, NOTIFY_SUBJECT_MAX);
    while (ok && str_split(&rest, '\n', &line) && rest.p) {
        size_t before = buf_size(text);
        ok = fill_line(line, values, count, text, &empty);
        if (empty)
            buf_cut(text, before);
        else
            ok = ok && buf_add_byte(text, '\n');
    }
    return ok;
}
