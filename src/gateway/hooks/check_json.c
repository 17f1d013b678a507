/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON in a text is looked for in this order: the whole text; what stands in fenced blocks; objects
 * and lists amid words. Of several, one that passes is enough; but `none` holds only when it holds
 * for all.
 */
#include "gateway/hooks/check_json.h"

#include "base/json_bytes.h"
#include "base/json_text.h"
#include "gateway/hooks/json_schema.h"

#define CANDIDATES_MAX 32
#define SHOWN_MAX 4096 /* bytes of the JSON that data shows */

/* --- finding ----------------------------------------------------------------------------------------- */

struct finder {
    const struct check_input *in;
    struct check_outcome *out;
    struct str rest;
    enum { WHOLE, FENCED, AMID, OVER } where;
    bool any;       /* something was found */
    unsigned tried; /* pieces of text */
    struct jdoc doc;
};

/* Behind the bracket that closes the one at the front; 0 when none does. */
static size_t closed_at(struct str s)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

static bool next_fenced(struct str *rest, struct str *ret)
{
    ptrdiff_t open = rest->n ? str_search(*rest, STR("```")) : -1;
    if (open < 0)
        return false;
    struct str s = str_from(*rest, (size_t)open + 3);
    ptrdiff_t close = s.n ? str_search(s, STR("```")) : -1;
    if (close < 0)
        return false;
    *rest = str_from(s, (size_t)close + 3);
    s = str_head(s, (size_t)close);
    ptrdiff_t line = str_find(s, '\n');
    if (line >= 0 && (line == 0 || (s.p[0] | 0x20) == 'j' || s.p[0] == ' ' || s.p[0] == '\r'))
        s = str_from(s, (size_t)line);
    *ret = s;
    return true;
}

static bool next_amid(struct str *rest, struct str *ret)
{
    size_t at = 0;
    while (at < rest->n && rest->p[at] != '{' && rest->p[at] != '[')
        at++;
    if (at == rest->n)
        return false;
    struct str s = str_from(*rest, at);
    size_t n = closed_at(s);
    *ret = str_head(s, n);
    *rest = str_from(s, 1);
    return true;
}

/* The next piece of text that may be JSON. False when there is none. */
static bool next_piece(struct finder *f, struct str *ret)
{
    if (f->where == WHOLE) {
        *ret = f->in->text;
        return true;
    }
    if (f->where == FENCED && next_fenced(&f->rest, ret))
        return true;
    return f->where == AMID && next_amid(&f->rest, ret);
}

/* The next JSON value of the text; absent when there is no further one, or an error. */
static struct jval next_json(struct finder *f)
{
    struct str piece;
    while (f->where != OVER) {
        bool more = f->tried < CANDIDATES_MAX && next_piece(f, &piece);
        if (more && !check_charge(f->in, f->where == AMID ? f->rest.n + 1 : piece.n + 1, f->out))
            break;
        bool was_whole = f->where == WHOLE;
        if (!more || was_whole) {
            f->where = f->any && !was_whole ? OVER : (f->where + 1);
            f->rest = f->in->text;
        }
        if (!more)
            continue;
        f->tried++;
        if (!piece.n || !jdoc_parse(&f->doc, piece))
            continue;
        f->any = true;
        if (was_whole)
            f->where = OVER;
        else if (f->where == AMID)
            f->rest = str_of(piece.p + piece.n, (size_t)(f->in->text.p + f->in->text.n - piece.p) - piece.n);
        return jdoc_root(&f->doc);
    }
    return (struct jval){NULL, 0};
}

static void begin(struct finder *f, const struct check_input *in, struct check_outcome *out)
{
    *f = (struct finder){.in = in, .out = out, .rest = in->text, .where = WHOLE};
    jdoc_init(&f->doc);
}

static void show(struct check_outcome *out, struct str json)
{
    json_write_member_raw(out->data, "matchedJson", json.n && json.n <= SHOWN_MAX ? json : STR("null"));
}

/* --- jsonSchema -------------------------------------------------------------------------------------- */

static struct jval schema_of(struct jval parameters, const struct check_input *in, struct jdoc *doc)
{
    struct jval schema = jdoc_get(parameters, "schema");
    if (jdoc_kind(schema) == JDOC_STRING && jdoc_parse(doc, jdoc_text(schema, in->arena)))
        schema = jdoc_root(doc);
    enum jdoc_kind kind = jdoc_kind(schema);
    return kind == JDOC_OBJECT || kind == JDOC_TRUE || kind == JDOC_FALSE ? schema : (struct jval){NULL, 0};
}

static void write_report(struct check_outcome *out, const struct json_schema_report *report, bool fits)
{
    json_write_key(out->data, STR("validationErrors"));
    json_write_array(out->data);
    if (!fits) {
        json_write_object(out->data);
        json_write_member_string(out->data, "path", str_c(report->path));
        json_write_member_string(out->data, "message", str_c(report->keyword));
        json_write_object_end(out->data);
    }
    json_write_array_end(out->data);
}

/* Whether some JSON of the text fits. False, with an error, when the question is wrong. */
static bool find_fitting(const struct check_input *in, struct jval schema, struct finder *f, bool *ret_fits,
                         struct json_schema_report *report, struct str *ret_json)
{
    *ret_fits = false;
    for (struct jval v; !*ret_fits && jdoc_has(v = next_json(f));) {
        struct json_schema_report own;
        enum json_schema_result r = json_schema_check(schema, v, in->arena, &in->budget->pattern, &own);
        if (r == JSON_SCHEMA_BAD)
            check_error(f->out, "The schema is not valid at the keyword '%s'.", own.keyword);
        else if (r == JSON_SCHEMA_TOO_MUCH)
            check_error(f->out, "Checking against the schema takes too long.");
        if (f->out->error[0])
            return false;
        *ret_fits = r == JSON_SCHEMA_FITS;
        if (*ret_fits || !ret_json->n) {
            *report = own;
            *ret_json = jdoc_raw(v);
        }
    }
    return !f->out->error[0];
}

void check_json_schema(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    struct jdoc doc;
    struct finder f;
    struct json_schema_report report = {.keyword = ""};
    struct str json = STR("");
    bool is_fitting;
    jdoc_init(&doc);
    begin(&f, in, out);
    struct jval schema = schema_of(parameters, in, &doc);
    if (!jdoc_has(schema)) {
        check_error(out, "The parameter 'schema' must be a JSON schema.");
    } else if (find_fitting(in, schema, &f, &is_fitting, &report, &json)) {
        show(out, json);
        if (f.any) {
            check_decide(parameters, is_fitting, out);
            check_explain(out, is_fitting ? "The JSON fits the schema." : "The JSON does not fit the schema.");
            write_report(out, &report, is_fitting);
        } else {
            check_explain(out, "There is no JSON in the text.");
        }
    }
    jdoc_free(&f.doc);
    jdoc_free(&doc);
}

/* --- jsonKeys ---------------------------------------------------------------------------------------- */

static size_t mark_keys(struct jval object, const struct check_words *keys, bool *hit)
{
    size_t found = 0;
    for (size_t i = 0; i < keys->n; i++) {
        hit[i] = false;
        for (struct jval e = jdoc_first(object); jdoc_has(e) && !hit[i]; e = jdoc_next(object, e))
            hit[i] = json_string_eq(jdoc_escaped(e), keys->list[i]);
        found += hit[i];
    }
    return found;
}

/* Looks at the objects of the text until the verdict is clear; *hit are the keys of the last one. */
static void look_for_keys(struct finder *f, enum check_operator op, const struct check_words *keys, bool *hit)
{
    struct str json = STR("");
    bool any = false, clear = false;
    for (struct jval v; !clear && jdoc_has(v = next_json(f));) {
        if (jdoc_kind(v) != JDOC_OBJECT)
            continue;
        if (!check_charge(f->in, (uint64_t)keys->n * (jdoc_raw(v).n / 4 + 1), f->out))
            break;
        any = true;
        json = jdoc_raw(v);
        f->out->verdict = check_operator_holds(op, mark_keys(v, keys, hit), keys->n);
        clear = f->out->verdict != (op == CHECK_NONE);
    }
    if (f->out->error[0])
        return;
    show(f->out, json);
    json_write_member_bool(f->out->data, "verdict", f->out->verdict);
    check_explain(f->out, any ? "The object has these keys." : "There is no JSON object in the text.");
    check_words_write(f->out, "presentKeys", keys, hit, true);
    check_words_write(f->out, "missingKeys", keys, hit, false);
}

void check_json_keys(const struct check_input *in, struct jval parameters, struct check_outcome *out)
{
    enum check_operator op;
    struct check_words keys;
    struct finder f;
    if (!check_operator_of(parameters, &op, out) ||
        !check_words_of(in, jdoc_get(parameters, "keys"), "keys", &keys, out))
        return;
    bool *hit = keys.n ? arena_alloc(in->arena, keys.n) : NULL;
    if (!hit) {
        check_error(out, "The parameter 'keys' must be a list of names that is not empty.");
        return;
    }
    begin(&f, in, out);
    look_for_keys(&f, op, &keys, hit);
    jdoc_free(&f.doc);
}
