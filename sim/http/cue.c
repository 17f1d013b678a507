/* SPDX-License-Identifier: Apache-2.0 */
/* Cues by the table of cue.h. Most requests have none, so the search begins with the common prefix. */
#include "sim/http/cue.h"

enum kind { COUNT, TEXT, FLAG };

struct row {
    struct str name;
    enum kind kind;
    const char *what;
};

static const struct row rows[CUE_NAME_COUNT] = {
#define X(name, header, kind, what) {{header, sizeof header - 1}, kind, what},
    CUE_TABLE(X)
#undef X
};

_Static_assert(CUE_NAME_COUNT <= 64, "a bit per cue");

const struct cue cue_none;

bool cue_text_is(const struct cue *c, enum cue_name n, const char *text)
{
    return cue_has(c, n) && str_eq(c->value[n].text, str_c(text));
}

bool cue_text_has(const struct cue *c, enum cue_name n, const char *word)
{
    return cue_has(c, n) && http1_has_token(c->value[n].text, str_c(word));
}

static bool same_name(struct str row, struct str name)
{
    if (row.n != name.n)
        return false;
    for (size_t i = 0; i < row.n; i++) {
        char c = name.p[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c + 32);
        if (row.p[i] != (c == '_' ? '-' : c))
            return false;
    }
    return true;
}

bool cue_set(struct cue *c, struct str name, struct str value)
{
    for (unsigned i = 0; i < CUE_NAME_COUNT; i++) {
        if (!same_name(rows[i].name, name))
            continue;
        uint64_t bit = UINT64_C(1) << i;
        c->given &= ~bit;
        c->value[i].text = value;
        if (rows[i].kind == COUNT && !str_to_u64(value, &c->value[i].count))
            return false;
        if (rows[i].kind == FLAG && (str_eq(value, STR("0")) || str_eq(value, STR("false"))))
            return true;
        c->given |= bit;
        return true;
    }
    return false;
}

const struct cue *cue_of_head(const struct http1_head *head, const struct cue *base, struct arena *a,
                              struct str *ret_wrong)
{
    const struct str prefix = STR("x-sim-");
    struct cue *made = NULL;
    for (unsigned i = 0; i < head->field_count; i++) {
        const struct http1_field *f = &head->fields[i];
        if (f->id != HTTP1_OTHER || f->name.n < prefix.n || !str_starts_nocase(f->name, prefix))
            continue;
        if (!made) {
            made = arena_alloc(a, sizeof *made);
            if (made && base)
                *made = *base;
        }
        struct str value = made ? arena_dup(a, f->value) : STR("");
        if (!made || !cue_set(made, str_from(f->name, prefix.n), value)) {
            *ret_wrong = f->name;
            return NULL;
        }
    }
    return made ? made : base ? base : &cue_none;
}

const char *cue_row(unsigned i, const char **ret_what)
{
    if (i >= CUE_NAME_COUNT)
        return NULL;
    *ret_what = rows[i].what;
    return rows[i].name.p;
}
