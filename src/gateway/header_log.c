/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header fields for the log.
 *
 * A name is judged without its case, dashes and underscores: x-api-key, apiKey and api_key are one.
 * Names that end in "token" are secrets and those that end in "tokens" are counts. Nothing here
 * looks at values to guess: a value under an innocent name is shown as it is.
 *
 * Fields whose value is JSON are copied as they stand but for the strings and numbers that are to be
 * masked; below a secret name ("credentials") all of them are. x-portkey-metadata is the caller's own
 * data, and shown. A config that is not JSON cannot be judged and is not shown at all.
 */
#include "gateway/header_log.h"

#include "base/json/jdoc.h"
#include "base/json_text.h"
#include "base/json_write.h"

#define NAME_MAX_BYTES 128
#define VALUE_MAX (2 * HTTP1_HEAD_MAX)
#define SHOWN_FIRST 2
#define SHOWN_LAST 3
#define STARS "********"
#define BEARER "Bearer "
#define CONFIG_FIELD "x-portkey-config"
#define METADATA_FIELD "x-portkey-metadata"

bool header_log_secret(struct str name)
{
    static const char *const parts[] = {"apikey",        "secret",          "password",      "passphrase",
                                        "authorization", "credential",      "privatekey",    "accesskey",
                                        "cookie",        "subscriptionkey", "serviceaccount"};
    char plain[NAME_MAX_BYTES];
    size_t n = 0;
    for (size_t i = 0; i < name.n && n < sizeof plain; i++) {
        char c = name.p[i];
        if (c != '-' && c != '_' && c != ' ')
            plain[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    struct str text = str_of(plain, n);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (str_search(text, str_c(parts[i])) >= 0)
            return true;
    /* A browser's WebSocket carries its key among the protocols. */
    return str_ends(text, STR("token")) || str_eq(text, STR("secwebsocketprotocol"));
}

static bool listed(const struct config_strings *list, struct str name)
{
    for (size_t i = 0; list && i < list->n; i++)
        if (str_eq_nocase(list->list[i], name))
            return true;
    return false;
}

bool header_log_mask(struct str value, struct buf *out)
{
    if (str_starts_nocase(value, STR(BEARER)))
        value = str_trim(str_from(value, sizeof BEARER - 1));
    if (value.n <= SHOWN_FIRST + SHOWN_LAST)
        return buf_add_str(out, STR(STARS));
    return buf_add_str(out, str_head(value, SHOWN_FIRST)) && buf_add_str(out, STR(STARS)) &&
           buf_add_str(out, str_from(value, value.n - SHOWN_LAST));
}

/* --- JSON values ----------------------------------------------------------------------------- */

/* The text of a document on its way to `out`; what is not replaced is copied. */
struct copy {
    struct str text;
    size_t done; /* bytes of the text that are in `out`, or replaced there */
    struct buf *out;
    bool failed;
};

static void copy_until(struct copy *c, size_t at)
{
    if (!buf_add(c->out, c->text.p + c->done, at - c->done))
        c->failed = true;
    c->done = at;
}

static void replace(struct copy *c, struct jval v)
{
    struct buf plain, masked;
    struct str raw = jdoc_raw(v);
    buf_init(&plain, VALUE_MAX);
    buf_init(&masked, VALUE_MAX);
    copy_until(c, (size_t)(raw.p - c->text.p));
    /* Not longer than its text, which fits. */
    bool ok = jdoc_kind(v) != JDOC_STRING || json_unescape_buf(jdoc_escaped(v), &plain);
    ok = ok && header_log_mask(buf_str(&plain), &masked) && json_write_quoted(c->out, buf_str(&masked));
    c->done += raw.n;
    c->failed = c->failed || !ok;
    buf_free(&plain);
    buf_free(&masked);
}

/* Nobody has a reason to write a name with escapes but to hide it. */
static bool secret_member(struct str escaped)
{
    /* Parameters of webhooks: the address alone may be what lets in. */
    static const char *const of_hooks[] = {"webhookURL", "webhook_url", "logURL", "log_url", "headers"};
    for (size_t i = 0; i < sizeof of_hooks / sizeof of_hooks[0]; i++)
        if (str_eq_nocase(escaped, str_c(of_hooks[i])))
            return true;
    return header_log_secret(escaped) || str_find(escaped, '\\') >= 0;
}

/* As deep as jdoc lets a document be. */
static void mask_value(struct copy *c, struct jval v, bool secret)
{
    enum jdoc_kind kind = jdoc_kind(v);
    if (kind == JDOC_OBJECT) {
        for (struct jval name = jdoc_first(v); jdoc_has(name); name = jdoc_next(v, name))
            mask_value(c, jdoc_value(name), secret || secret_member(jdoc_escaped(name)));
    } else if (kind == JDOC_ARRAY) {
        for (struct jval e = jdoc_first(v); jdoc_has(e); e = jdoc_next(v, e))
            mask_value(c, e, secret);
    } else if (secret && (kind == JDOC_STRING || kind == JDOC_NUMBER)) {
        replace(c, v);
    }
}

/* False: it is no JSON, or too long once masked. */
static bool mask_json(struct str text, struct buf *out)
{
    struct jdoc doc;
    jdoc_init(&doc);
    bool good = jdoc_parse(&doc, text);
    if (good) {
        struct copy c = {.text = text, .out = out};
        mask_value(&c, jdoc_root(&doc), false);
        copy_until(&c, text.n);
        good = !c.failed;
    }
    jdoc_free(&doc);
    return good;
}

/* --- fields ---------------------------------------------------------------------------------- */

static bool add_value(const struct http1_field *f, const struct config_strings *sensitive, struct buf *value)
{
    bool config = str_eq_nocase(f->name, STR(CONFIG_FIELD));
    if (header_log_secret(f->name) || listed(sensitive, f->name))
        return header_log_mask(f->value, value);
    if (!f->value.n || (f->value.p[0] != '{' && f->value.p[0] != '[') || str_eq_nocase(f->name, STR(METADATA_FIELD)))
        return buf_add_str(value, f->value);
    size_t before = buf_size(value);
    if (mask_json(f->value, value))
        return true;
    buf_cut(value, before);
    return buf_add_str(value, config ? STR(STARS) : f->value);
}

static bool is_first(const struct http1_field *fields, unsigned at)
{
    for (unsigned i = 0; i < at; i++)
        if (str_eq_nocase(fields[i].name, fields[at].name))
            return false;
    return true;
}

/* All values of the field at `at` and those of its name behind it. */
static bool join_values(const struct http1_field *fields, unsigned count, unsigned at,
                        const struct config_strings *sensitive, struct buf *value)
{
    bool ok = true;
    buf_reset(value);
    for (unsigned i = at; i < count && ok; i++)
        if (i == at || str_eq_nocase(fields[i].name, fields[at].name))
            ok = (i == at || buf_add_str(value, STR(", "))) && add_value(&fields[i], sensitive, value);
    return ok;
}

static void write_name(struct json_write *w, struct str name)
{
    char lower[NAME_MAX_BYTES];
    size_t n = 0;
    for (; n < name.n && n < sizeof lower; n++)
        lower[n] = name.p[n] >= 'A' && name.p[n] <= 'Z' ? (char)(name.p[n] + 32) : name.p[n];
    json_write_key(w, str_of(lower, n));
}

bool header_log_json(const struct http1_field *fields, unsigned count, const struct config_strings *sensitive,
                     struct buf *out)
{
    struct json_write w;
    struct buf value;
    bool ok = true;
    json_write_init(&w, out);
    buf_init(&value, VALUE_MAX);
    json_write_object(&w);
    for (unsigned i = 0; i < count; i++) {
        if (!is_first(fields, i))
            continue;
        ok = join_values(fields, count, i, sensitive, &value) && ok;
        write_name(&w, fields[i].name);
        json_write_string(&w, buf_str(&value));
    }
    json_write_object_end(&w);
    buf_free(&value);
    return json_write_done(&w) && ok;
}
