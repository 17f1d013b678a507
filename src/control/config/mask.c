/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A config's text without its secrets. Whatever is called a key, token, secret or password is
 * masked, wherever it stands: fields of other providers and parameters of webhooks too, which the
 * compiler does not look at. So are all header fields for a webhook, and of its URL what follows the
 * host: receivers that know a caller by the address alone are common.
 */
#include "base/json/jdoc.h"
#include "base/json_text.h"
#include "control/config/config.h"
#include "control/config/fields.h"

#define STARS "********"
#define SHOWN_MIN 8 /* shorter ones are hidden as a whole */
#define MASK_NAME_MAX 128

static const char *const secret_names[] = {"api_key",
                                           "azure_ad_token",
                                           "azure_entra_client_secret",
                                           "aws_access_key_id",
                                           "aws_secret_access_key",
                                           "aws_session_token",
                                           "vertex_service_account_json",
                                           "authorization",
                                           "proxy_authorization",
                                           "cookie"};
static const char *const url_names[] = {"webhook_url", "log_url"};
/* In lower case, without '_' and '-'. */
static const char *const secret_endings[] = {"apikey", "token", "secret", "password", "accesskey", "authorization"};

/* Lower case letters and digits only. */
static struct str bare(struct str name, char out[MASK_NAME_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < name.n && n < MASK_NAME_MAX; i++) {
        char c = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] | 0x20) : name.p[i];
        if (c != '_' && c != '-')
            out[n++] = c;
    }
    return str_of(out, n);
}

static bool is_url(struct jval member)
{
    char name[MASK_NAME_MAX + 1], space[MASK_NAME_MAX], other[MASK_NAME_MAX];
    json_unescape_copy(jdoc_escaped(member), name, sizeof name);
    for (size_t i = 0; i < sizeof url_names / sizeof url_names[0]; i++)
        if (str_eq(bare(str_c(name), space), bare(str_c(url_names[i]), other)))
            return true;
    return false;
}

static bool is_headers(struct jval member)
{
    char name[MASK_NAME_MAX + 1];
    json_unescape_copy(jdoc_escaped(member), name, sizeof name);
    return str_eq_nocase(str_c(name), STR("headers"));
}

static bool is_secret(struct jval member)
{
    char name[MASK_NAME_MAX + 1], space[MASK_NAME_MAX];
    json_unescape_copy(jdoc_escaped(member), name, sizeof name);
    for (size_t i = 0; i < sizeof secret_names / sizeof secret_names[0]; i++)
        if (fields_is(str_c(name), secret_names[i]))
            return true;
    struct str plain = bare(str_c(name), space);
    for (size_t i = 0; i < sizeof secret_endings / sizeof secret_endings[0]; i++)
        if (str_ends(plain, str_c(secret_endings[i])))
            return true;
    return false;
}

/* Characters of several bytes or with escapes can not be shown in part. */
static bool is_plain(struct str raw)
{
    for (size_t i = 0; i < raw.n; i++)
        if ((unsigned char)raw.p[i] >= 0x80 || raw.p[i] == '\\')
            return false;
    return true;
}

static bool add_mask(struct buf *out, struct jval secret)
{
    struct str raw = jdoc_escaped(secret);
    if (raw.n < SHOWN_MIN || !is_plain(raw))
        return buf_add_str(out, STR("\"" STARS "\""));
    return buf_add_byte(out, '"') && buf_add(out, raw.p, 2) && buf_add_str(out, STR(STARS)) &&
           buf_add(out, raw.p + raw.n - 3, 3) && buf_add_byte(out, '"');
}

struct masking {
    struct str text;
    size_t done; /* bytes of the text that are written or masked */
    struct buf *out;
};

/* Scheme, host and port stay; what is no such URL is hidden as a whole. */
static bool add_url_mask(struct buf *out, struct jval url)
{
    struct str raw = jdoc_escaped(url);
    ptrdiff_t slashes = str_search(raw, STR("://"));
    size_t end = slashes < 0 ? 0 : (size_t)slashes + 3;
    while (slashes >= 0 && end < raw.n && raw.p[end] != '/' && raw.p[end] != '?' && raw.p[end] != '#')
        end++;
    if (slashes < 0 || !is_plain(raw) || str_find(str_head(raw, end), '@') >= 0)
        return buf_add_str(out, STR("\"" STARS "\""));
    struct str rest = end + 1 < raw.n ? STR("/" STARS) : str_from(raw, end);
    return buf_add_byte(out, '"') && buf_add(out, raw.p, end) && buf_add_str(out, rest) && buf_add_byte(out, '"');
}

static bool mask_value(struct masking *m, struct jval value, bool (*add)(struct buf *out, struct jval value))
{
    struct str raw = jdoc_raw(value);
    size_t at = (size_t)(raw.p - m->text.p);
    if (!buf_add(m->out, m->text.p + m->done, at - m->done))
        return false;
    m->done = at + raw.n;
    return add(m->out, value);
}

/*
 * Numbers and literals are no secrets. `headers`: the container holds header fields. Nesting is
 * bounded by JDOC_DEPTH_MAX.
 */
static bool mask_inside(struct masking *m, struct jval container, bool headers)
{
    bool object = jdoc_kind(container) == JDOC_OBJECT;
    for (struct jval e = jdoc_first(container); jdoc_has(e); e = jdoc_next(container, e)) {
        struct jval value = object ? jdoc_value(e) : e;
        enum jdoc_kind kind = jdoc_kind(value);
        bool scalar = kind != JDOC_STRING && kind != JDOC_OBJECT && kind != JDOC_ARRAY;
        if (scalar)
            continue;
        bool text = kind == JDOC_STRING, ok;
        if (object && ((headers && text) || is_secret(e) || (text && is_headers(e))))
            ok = mask_value(m, value, add_mask);
        else if (object && text && is_url(e))
            ok = mask_value(m, value, add_url_mask);
        else
            ok = mask_inside(m, value, headers || (object && is_headers(e)));
        if (!ok)
            return false;
    }
    return true;
}

bool config_masked(const struct config *c, struct buf *out)
{
    struct jdoc d;
    struct masking m = {.text = c->text, .out = out};
    jdoc_init(&d);
    bool ok = jdoc_parse(&d, c->text) && mask_inside(&m, jdoc_root(&d), false) &&
              buf_add(out, m.text.p + m.done, m.text.n - m.done);
    jdoc_free(&d);
    return ok;
}
