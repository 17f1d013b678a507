/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request's object becomes a stored body: every field of the kind, in the table's order, in one spelling.
 * Clients that fill in forms send "" and null for what they leave out, and numbers as text, so those are
 * taken for what they mean.
 */
#include "base/clock.h"
#include "base/must.h"
#include "report/bill/bill_decimal.h"
#include "report/docs/docs_inner.h"
#include "report/docs/docs_view.h"

#define TEXT_MAX 20000
#define TITLE_SHOWN 60
#define ELEMENTS_MAX 1000
#define MONEY_PLACES 12

static bool refuse(struct docs_body *b, enum err e, const char *field, const char *what)
{
    if (b->err == ERR_OK)
        b->err = DOCS_FAIL(b->docs, e, "%.80s %.300s", field, what);
    return false;
}

static bool is_word_of(const char *choices, struct str word)
{
    struct str rest = str_c(choices), choice;
    while (str_split(&rest, ' ', &choice))
        if (str_eq(choice, word))
            return true;
    return false;
}

static bool is_text(struct jval v)
{
    return jdoc_kind(v) == JDOC_STRING;
}

/* ---- scalars ---- */

static bool write_text(struct docs_body *b, const struct docs_field *f, struct jval v)
{
    struct str text = jdoc_text(v, b->arena);
    if (!is_text(v) || text.n > TEXT_MAX)
        return refuse(b, ERR_BAD_PARAMETER, f->name, "must be a text of at most 20,000 bytes");
    json_write_string(&b->w, text);
    return true;
}

static bool write_bool(struct docs_body *b, const struct docs_field *f, struct jval v)
{
    bool yes = jdoc_kind(v) == JDOC_TRUE || jdoc_is(v, "true");
    if (!yes && jdoc_kind(v) != JDOC_FALSE && !jdoc_is(v, "false"))
        return refuse(b, ERR_BAD_PARAMETER, f->name, "must be true or false");
    json_write_bool(&b->w, yes);
    return true;
}

static struct str digits_of(struct docs_body *b, struct jval v)
{
    return is_text(v) ? jdoc_text(v, b->arena) : jdoc_kind(v) == JDOC_NUMBER ? jdoc_raw(v) : STR("");
}

static bool write_int(struct docs_body *b, const struct docs_field *f, struct jval v)
{
    int64_t number;
    if (!str_to_i64(digits_of(b, v), &number) || number < -1000000000 || number > 1000000000)
        return refuse(b, ERR_BAD_PARAMETER, f->name, "must be a whole number");
    json_write_int(&b->w, number);
    return true;
}

/* Exact: the digits are read as a whole number of pico-units, and written from that. */
static bool write_number(struct docs_body *b, const struct docs_field *f, struct jval v, bool as_text)
{
    char out[MONEY_TEXT_MAX];
    money_sum value;
    bool exact;
    if (!bill_decimal_read(digits_of(b, v), MONEY_PLACES, &value, &exact))
        return refuse(b, ERR_BAD_PARAMETER, f->name, "must be a number");
    if (as_text)
        json_write_string(&b->w, str_of(out, money_format(value, out)));
    else if (jdoc_kind(v) == JDOC_NUMBER)
        json_write_raw(&b->w, jdoc_raw(v));
    else
        json_write_raw(&b->w, str_of(out, money_format(value, out)));
    return true;
}

static bool write_date(struct docs_body *b, const struct docs_field *f, struct jval v)
{
    char out[CLOCK_TEXT_MAX];
    int64_t us;
    if (!is_text(v) || !clock_parse(jdoc_text(v, b->arena), &us))
        return refuse(b, ERR_BAD_PARAMETER, f->name, "must be a date, YYYY-MM-DD");
    clock_format(us, 0, out);
    json_write_string(&b->w, str_of(out, 10));
    return true;
}

static bool write_choice(struct docs_body *b, const struct docs_field *f, struct jval v)
{
    struct str word = is_text(v) ? jdoc_text(v, b->arena) : STR("");
    if (!word.n || !is_word_of(f->choices, word)) {
        char what[300];
        snprintf(what, sizeof what, "must be one of: %.280s", f->choices);
        return refuse(b, ERR_BAD_PARAMETER, f->name, what);
    }
    json_write_string(&b->w, word);
    return true;
}

static bool write_filter(struct docs_body *b, const struct docs_field *f, struct jval v)
{
    char why[300] = "";
    struct str text = jdoc_text(v, b->arena);
    if (!is_text(v))
        return refuse(b, ERR_BAD_PARAMETER, f->name, "must be a text in the query language");
    if (b->docs->filter && b->docs->filter(b->docs->filter_ctx, text, why, sizeof why) != ERR_OK) {
        if (b->err == ERR_OK)
            b->err = DOCS_FAIL(b->docs, ERR_BAD_PARAMETER, "%s", why);
        return false;
    }
    json_write_string(&b->w, text);
    return true;
}

static bool write_own(struct docs_body *b, const struct docs_field *f, struct jval v)
{
    struct str token = is_text(v) ? jdoc_text(v, b->arena) : STR("");
    bool ours = str_starts(token, str_c(f->choices)) && token.n < DOCS_TOKEN_MAX;
    json_write_string(&b->w, ours ? token : docs_new_token(f->choices, b->arena));
    return true;
}

/* ---- tokens ---- */

static bool add_link(struct docs_body *b, const struct docs_field *f, struct str token)
{
    for (size_t i = 0; i < b->link_count; i++)
        if (str_eq(b->links[i].token, token) && b->links[i].field == b->top)
            return true;
    if (b->link_count == DOCS_LINKS_MAX)
        return refuse(b, ERR_BAD_PARAMETER, f->name, "names too many resources");
    b->links[b->link_count++] = (struct docs_link){b->top, token, (f->flags & DOCS_DIES) != 0};
    return true;
}

static bool write_ref(struct docs_body *b, const struct docs_field *f, struct jval v)
{
    struct doc doc;
    struct str token = is_text(v) ? jdoc_text(v, b->arena) : STR("");
    if (!token.n)
        return refuse(b, ERR_BAD_PARAMETER, f->name, "must be a token");
    enum err e = docs_lookup(b->docs, token, b->arena, &doc);
    bool near = e == ERR_OK && (b->keeping || docs_view_sees(b->docs, doc.id)) &&
                (doc.workspace == b->workspace || !doc.workspace || !b->workspace);
    if (e != ERR_OK && e != ERR_NOT_FOUND) {
        b->err = e;
        return false;
    }
    if (!near || !(f->kinds >> doc.kind & 1)) {
        char what[160];
        snprintf(what, sizeof what, "names %.60s, which is not there", token.p);
        return refuse(b, ERR_NOT_FOUND, f->name, what);
    }
    json_write_string(&b->w, token);
    return add_link(b, f, token);
}

/* ---- lists ---- */

static bool is_grouping(struct str word)
{
    static const char known[] =
        "account_id billing_account_id charge_type cost_category cost_subcategory provider "
        "region resource_id service tagged usage_unit organization project operation model "
        "api_key user_id service_tier batch ledger line_item workspace member model_api segment";
    bool tag = str_starts(word, STR("tag:")) || str_starts(word, STR("\"tag:"));
    return tag ? word.n > 4 : is_word_of(known, word);
}

/* Commas between quotes belong to a word. */
static bool check_groups(struct str text)
{
    size_t begin = 0;
    bool quoted = false;
    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && text.p[i] == '"')
            quoted = !quoted;
        if (i < text.n && (text.p[i] != ',' || quoted))
            continue;
        if (!is_grouping(str_trim(str_of(text.p + begin, i - begin))))
            return false;
        begin = i + 1;
    }
    return !quoted;
}

static bool write_groups(struct docs_body *b, const struct docs_field *f, struct jval v)
{
    struct buf joined;
    buf_init(&joined, TEXT_MAX);
    bool ok = true;
    if (jdoc_kind(v) == JDOC_ARRAY) {
        for (struct jval e = jdoc_first(v); jdoc_has(e); e = jdoc_next(v, e)) {
            struct str word = jdoc_text(e, b->arena);
            bool quote = str_find(word, ',') >= 0;
            ok = ok && is_text(e) && (!buf_size(&joined) || buf_add_byte(&joined, ','));
            ok = ok && (!quote || buf_add_byte(&joined, '"')) && buf_add_str(&joined, word) &&
                 (!quote || buf_add_byte(&joined, '"'));
        }
    } else {
        ok = is_text(v) && buf_add_str(&joined, jdoc_text(v, b->arena));
    }
    struct str text = buf_str(&joined);
    ok = ok && (!text.n || check_groups(text));
    if (ok && text.n)
        json_write_string(&b->w, text);
    else if (ok)
        json_write_null(&b->w);
    buf_free(&joined);
    return ok || refuse(b, ERR_BAD_PARAMETER, f->name, "has a grouping that is not known");
}

static bool write_elements(struct docs_body *b, const struct docs_field *f, struct jval v)
{
    unsigned max = f->max ? f->max : ELEMENTS_MAX;
    bool ok = true;
    if (jdoc_kind(v) != JDOC_ARRAY)
        return refuse(b, ERR_BAD_PARAMETER, f->name, "must be a list");
    if (jdoc_size(v) > max) {
        char what[80];
        snprintf(what, sizeof what, "may have at most %u elements", max);
        return refuse(b, ERR_BAD_PARAMETER, f->name, what);
    }
    json_write_array(&b->w);
    for (struct jval e = jdoc_first(v); ok && jdoc_has(e); e = jdoc_next(v, e)) {
        if (f->type == DOCS_OBJECTS)
            ok = docs_body_write(b, f->shape, e, (struct jval){0});
        else
            ok = f->type == DOCS_REFS ? write_ref(b, f, e) : write_text(b, f, e);
    }
    if (ok)
        json_write_array_end(&b->w);
    return ok;
}

/* ---- fields ---- */

static bool write_given(struct docs_body *b, const struct docs_field *f, struct jval v, struct jval before)
{
    switch (f->type) {
    case DOCS_TEXT:
        return write_text(b, f, v);
    case DOCS_BOOL:
        return write_bool(b, f, v);
    case DOCS_INT:
        return write_int(b, f, v);
    case DOCS_NUMBER:
    case DOCS_AMOUNT:
        return write_number(b, f, v, f->type == DOCS_AMOUNT);
    case DOCS_DATE:
        return write_date(b, f, v);
    case DOCS_CHOICE:
        return write_choice(b, f, v);
    case DOCS_FILTER:
        return write_filter(b, f, v);
    case DOCS_GROUPS:
        return write_groups(b, f, v);
    case DOCS_OWN:
        return write_own(b, f, v);
    case DOCS_REF:
        return write_ref(b, f, v);
    case DOCS_OBJECT:
        return docs_body_write(b, f->shape, v, before);
    case DOCS_TEXTS:
    case DOCS_REFS:
    case DOCS_OBJECTS:
        return write_elements(b, f, v);
    }
    return false;
}

/* Nothing was said, or something that stands for nothing. */
static bool is_void(const struct docs_field *f, struct jval v)
{
    bool empty = is_text(v) && !jdoc_escaped(v).n;
    return !jdoc_has(v) || jdoc_kind(v) == JDOC_NULL || (empty && f->type != DOCS_TEXT) ||
           (empty && (f->flags & DOCS_NULL));
}

static bool write_field(struct docs_body *b, const struct docs_field *f, struct jval given, struct jval before)
{
    struct jval v = jdoc_get(given, f->name), old = jdoc_get(before, f->name);
    json_write_key(&b->w, str_c(f->name));
    bool stays = !jdoc_has(v) || (f->flags & DOCS_FIXED) || (is_void(f, v) && !(f->flags & DOCS_NULL));
    if (jdoc_has(old) && stays) {
        bool keeping = b->keeping, ok = true;
        b->keeping = true;
        if (jdoc_kind(old) != JDOC_NULL)
            ok = write_given(b, f, old, (struct jval){0});
        else
            json_write_null(&b->w);
        b->keeping = keeping;
        return ok;
    }
    if (!is_void(f, v))
        return write_given(b, f, v, old);
    if (f->flags & DOCS_REQUIRED)
        return refuse(b, ERR_MISSING_PARAMETER, f->name, "is required");
    if (f->type == DOCS_OBJECT && !f->missing)
        return docs_body_write(b, f->shape, (struct jval){0}, old);
    if (f->type == DOCS_OWN)
        return write_own(b, f, v);
    json_write_raw(&b->w, str_c(f->missing));
    return true;
}

static bool is_left_out(const struct docs_field *f, struct jval given, struct jval before)
{
    struct jval v = jdoc_get(given, f->name);
    return (f->flags & DOCS_OURS) && (jdoc_has(v) ? is_void(f, v) : !jdoc_has(jdoc_get(before, f->name)));
}

bool docs_body_write(struct docs_body *b, const struct docs_shape *shape, struct jval given, struct jval before)
{
    bool ok = true, outermost = !b->top;
    if (jdoc_has(given) && jdoc_kind(given) != JDOC_OBJECT)
        return refuse(b, ERR_BAD_PARAMETER, b->top ? b->top : "the body", "must be an object");
    json_write_object(&b->w);
    before = jdoc_kind(before) == JDOC_OBJECT ? before : (struct jval){0};
    for (unsigned i = 0; ok && i < shape->count; i++) {
        if (is_left_out(&shape->fields[i], given, before))
            continue;
        if (outermost)
            b->top = shape->fields[i].name;
        ok = write_field(b, &shape->fields[i], given, before);
    }
    if (ok)
        json_write_object_end(&b->w);
    return ok;
}

/* ---- taking a token out ---- */

static bool names(struct jval object, struct str token)
{
    for (struct jval n = jdoc_first(object); jdoc_has(n); n = jdoc_next(object, n))
        if (str_eq(jdoc_escaped(jdoc_value(n)), token))
            return true;
    return false;
}

void docs_scrub(struct json_write *w, struct jval v, struct str token)
{
    enum jdoc_kind kind = jdoc_kind(v);
    if (kind == JDOC_OBJECT) {
        json_write_object(w);
        for (struct jval n = jdoc_first(v); jdoc_has(n); n = jdoc_next(v, n)) {
            json_write_key(w, jdoc_escaped(n));
            docs_scrub(w, jdoc_value(n), token);
        }
        json_write_object_end(w);
    } else if (kind == JDOC_ARRAY) {
        json_write_array(w);
        for (struct jval e = jdoc_first(v); jdoc_has(e); e = jdoc_next(v, e))
            if (!str_eq(jdoc_escaped(e), token) && !(jdoc_kind(e) == JDOC_OBJECT && names(e, token)))
                docs_scrub(w, e, token);
        json_write_array_end(w);
    } else if (kind == JDOC_STRING && str_eq(jdoc_escaped(v), token)) {
        json_write_null(w);
    } else {
        json_write_raw(w, jdoc_raw(v));
    }
}
