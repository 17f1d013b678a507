/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every match in every string of the text is replaced: of all text parts of the last message, of all
 * choices. Strings without a match, and all else of the body, keep their bytes. An expression may be
 * written as "/…/flags"; of the flags i, m, s and x have a meaning, g goes without saying.
 */
#include "gateway/hooks/check_replace.h"

#include "base/buf.h"

#define FLAGS_MAX 8

/* "/abc/gi" as "(?i)abc". */
static struct str rule_of(struct str given, struct arena *a)
{
    size_t end = given.n;
    char flags[FLAGS_MAX] = "";
    size_t n = 0;
    while (end > 0 && strchr("gimsuyxd", given.p[end - 1]) && given.n - end < FLAGS_MAX)
        end--;
    if (given.n < 3 || given.p[0] != '/' || end < 3 || given.p[end - 1] != '/')
        return given;
    for (size_t i = end; i < given.n; i++)
        if (strchr("imsx", given.p[i]))
            flags[n++] = given.p[i];
    struct str inside = str_of(given.p + 1, end - 2);
    char *made = n ? arena_alloc(a, inside.n + n + 3) : NULL;
    if (!made)
        return n ? given : inside;
    memcpy(made, "(?", 2);
    memcpy(made + 2, flags, n);
    made[n + 2] = ')';
    memcpy(made + n + 3, inside.p, inside.n);
    return str_of(made, inside.n + n + 3);
}

struct editor {
    const struct check_input *in;
    struct check_outcome *out;
    struct str rule, by;
    struct buf body; /* up to `from` */
    const char *from;
    size_t found; /* strings with a match */
};

/* False, with an error, when it could not be done. */
static bool replace_in(struct editor *e, struct jval v)
{
    struct str text, raw = jdoc_raw(v);
    struct buf made;
    if (!check_value(e->in, v, &text, e->out) || !check_charge(e->in, text.n + 1, e->out))
        return false;
    buf_init(&made, PATTERN_TEXT_MAX);
    enum pattern_result r = pattern_replace(e->rule, text, e->by, &e->in->budget->pattern, &made);
    bool fits = r != PATTERN_BAD && r != PATTERN_TOO_MUCH;
    if (r == PATTERN_YES) {
        e->found++;
        fits = buf_add(&e->body, e->from, (size_t)(raw.p - e->from)) && json_write_quoted(&e->body, buf_str(&made));
        e->from = raw.p + raw.n;
    }
    buf_free(&made);
    if (!fits)
        check_error(e->out, "%s", pattern_text(r == PATTERN_BAD ? r : PATTERN_TOO_MUCH));
    return fits;
}

static bool replace_all(struct editor *e, struct jval body)
{
    struct jval *list = arena_alloc(e->in->arena, SUBJECT_STRINGS_MAX * sizeof *list);
    size_t n = 0;
    if (!list || !subject_strings(e->in->kind, e->in->when, body, list, &n)) {
        check_error(e->out, "The text has too many parts.");
        return false;
    }
    for (size_t i = 0; i < n; i++)
        if (!replace_in(e, list[i]))
            return false;
    return true;
}

static void finish(struct editor *e, struct str body)
{
    struct str made = STR("");
    if (buf_add(&e->body, e->from, (size_t)(body.p + body.n - e->from)))
        made = arena_dup(e->in->arena, buf_str(&e->body));
    if (made.n)
        e->out->body = made;
    else
        check_error(e->out, "There is no room for a text of this size.");
}

void check_replace_regex(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    struct jval root = in->when == HOOKS_BEFORE ? in->request : in->response, by = jdoc_get(parameters, "redactText");
    struct str body = jdoc_raw(root);
    struct editor e = {.in = in, .out = out, .by = STR("[REDACTED]"), .from = body.p};
    if (!check_string(in, parameters, "rule", &e.rule, out) ||
        (jdoc_kind(by) == JDOC_STRING && !check_value(in, by, &e.by, out)))
        return;
    json_write_member_string(out->data, "regexPattern", e.rule);
    e.rule = rule_of(e.rule, in->arena);
    buf_init(&e.body, body.n * 6 + PATTERN_TEXT_MAX);
    if (replace_all(&e, root)) {
        out->verdict = !e.found || !jdoc_true(jdoc_get(parameters, "failOnDetection"));
        json_write_member_bool(out->data, "verdict", out->verdict);
        check_explain(out, e.found ? "What was found was replaced." : "The pattern was not found.");
        if (e.found)
            finish(&e, body);
    }
    buf_free(&e.body);
}
