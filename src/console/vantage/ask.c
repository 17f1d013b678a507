/* SPDX-License-Identifier: Apache-2.0 */
/* Clients write what they were not given as words of their language, so words are read as that. */
#include "console/vantage/ask.h"

#include <stdio.h>

#include "base/must.h"
#include "console/console_inner.h"
#include "console/vantage/vantage_reply.h"
#include "control/people/reach.h"
#include "net/url.h"
#include "report/bill/bill.h"
#include "report/cost/cost_dates.h"

static struct str meant(struct str text)
{
    bool nothing = !text.n || str_eq(text, STR("undefined")) || str_eq(text, STR("null"));
    return nothing ? STR("") : text;
}

struct str ask_text(struct job *j, const char *name)
{
    struct str value;
    return url_query_find(j->query, str_c(name), j->arena, &value) ? meant(value) : STR("");
}

struct str ask_member(struct job *j, const char *name, const char *key)
{
    struct url_query q;
    struct url_param p;
    url_query_init(&q, j->query, j->arena);
    while (url_query_next(&q, &p))
        if (p.bracket && str_eq(p.name, str_c(name)) && str_eq(p.key, str_c(key)))
            return meant(p.value);
    return STR("");
}

/* One word of a list; quotes around it go, and two of them inside are one. */
static struct str unquoted(struct job *j, struct str word)
{
    word = str_trim(word);
    if (word.n < 2 || word.p[0] != '"' || word.p[word.n - 1] != '"')
        return word;
    char *out = arena_alloc(j->arena, word.n);
    size_t n = 0;
    must(out);
    for (size_t i = 1; i + 1 < word.n; i++) {
        out[n++] = word.p[i];
        i += word.p[i] == '"' && word.p[i + 1] == '"';
    }
    return str_of(out, n);
}

static bool split_words(struct job *j, struct str text, struct str list[ASK_LIST_MAX], size_t *count)
{
    size_t begin = 0;
    bool quoted = false;
    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && text.p[i] == '"')
            quoted = !quoted;
        if (i < text.n && (text.p[i] != ',' || quoted))
            continue;
        struct str word = meant(unquoted(j, str_of(text.p + begin, i - begin)));
        begin = i + 1;
        if (word.n && *count == ASK_LIST_MAX)
            return false;
        if (word.n)
            list[(*count)++] = word;
    }
    return true;
}

bool ask_words(struct job *j, struct str text, struct str list[ASK_LIST_MAX], size_t *ret_count)
{
    *ret_count = 0;
    return split_words(j, text, list, ret_count);
}

bool ask_list(struct job *j, const char *name, struct str list[ASK_LIST_MAX], size_t *ret_count)
{
    struct url_query q;
    struct url_param p;
    bool ok = true;
    *ret_count = 0;
    url_query_init(&q, j->query, j->arena);
    while (ok && url_query_next(&q, &p))
        if (str_eq(p.name, str_c(name)) && !p.key.n)
            ok = split_words(j, p.value, list, ret_count);
    if (!ok)
        vantage_fail(j, 400, "a list in the query is too long");
    return ok;
}

bool ask_day(struct job *j, const char *name, struct str text, int64_t *ret)
{
    char why[100];
    if (!text.n || cost_dates_day_parse(text, ret))
        return true;
    snprintf(why, sizeof why, "%s must be a date, YYYY-MM-DD", name);
    vantage_fail(j, 400, why);
    return false;
}

bool ask_body(struct job *j, struct jdoc *ret)
{
    struct str text = str_trim(buf_str(&j->body));
    jdoc_init(ret);
    if (jdoc_parse(ret, text.n ? text : STR("{}")) && jdoc_kind(jdoc_root(ret)) == JDOC_OBJECT)
        return true;
    jdoc_free(ret);
    vantage_fail(j, 400, "the body must be a JSON object");
    return false;
}

bool ask_contains(struct str text, struct str part)
{
    for (size_t i = 0; i + part.n <= text.n; i++)
        if (str_starts_nocase(str_from(text, i), part))
            return true;
    return false;
}

struct str ask_token(struct job *j, unsigned n)
{
    struct str token;
    return url_decode(j->params[n], URL_IN_PATH, j->arena, &token) ? token : STR("");
}

/* ---- forms ---- */

/* The part's content, when it has the name; *ret_file: the name of a file. */
static bool part_of(struct str part, const char *name, struct str *ret, struct str *ret_file)
{
    char wanted[80];
    ptrdiff_t end = str_search(part, STR("\r\n\r\n"));
    snprintf(wanted, sizeof wanted, "name=\"%.60s\"", name);
    if (end < 0 || str_search(str_head(part, (size_t)end), str_c(wanted)) < 0)
        return false;
    *ret = str_from(part, (size_t)end + 4);
    ptrdiff_t file = str_search(str_head(part, (size_t)end), STR("filename=\""));
    struct str rest = file >= 0 ? str_from(str_head(part, (size_t)end), (size_t)file + 10) : STR("");
    *ret_file = str_head(rest, str_find(rest, '"') > 0 ? (size_t)str_find(rest, '"') : 0);
    return true;
}

/* The boundary is the first line: some clients do not say it in the head. */
static bool find_part(struct str body, const char *name, struct str *ret, struct str *ret_file)
{
    ptrdiff_t eol = str_search(body, STR("\r\n"));
    if (!str_starts(body, STR("--")) || eol < 3 || eol > 200)
        return false;
    struct str boundary = str_head(body, (size_t)eol), rest = str_from(body, (size_t)eol + 2);
    for (ptrdiff_t at; (at = str_search(rest, boundary)) >= 2; rest = str_from(rest, (size_t)at + boundary.n + 2))
        if (part_of(str_head(rest, (size_t)at - 2), name, ret, ret_file))
            return true;
    return false;
}

struct str ask_form(struct job *j, const char *name)
{
    struct str file;
    return ask_form_file(j, name, j->arena, &file);
}

struct str ask_form_file(struct job *j, const char *name, struct arena *a, struct str *ret_name)
{
    struct str body = buf_str(&j->body), value;
    char prefix[80];
    *ret_name = STR("");
    if (find_part(body, name, &value, ret_name))
        return value;
    snprintf(prefix, sizeof prefix, "%.60s=", name);
    if (str_starts(body, str_c(prefix)) && url_query_find(body, str_c(name), a, &value))
        return value;
    return str_starts(body, STR("--")) || str_starts(body, STR("{")) ? STR("") : body;
}

/* ---- workspaces ---- */

bool ask_sight(struct job *j, struct sight *ret)
{
    struct control_why why;
    struct reach reach;
    size_t all;
    enum err e = control_workspace_list(j->console->settings.control, j->arena, &ret->list, &all, &why);
    if (e != ERR_OK) {
        job_fail_why(j, e, &why);
        return false;
    }
    ret->count = 0;
    ret->ids = arena_alloc(j->arena, (all + 1) * sizeof *ret->ids);
    must(ret->ids);
    for (size_t i = 0; i < all; i++)
        if (reach_workspace(j->snapshot, j->key, ret->list[i].id, &reach) &&
            console_may_call(j->key, reach.role, j->route)) {
            ret->list[ret->count] = ret->list[i];
            ret->ids[ret->count++] = ret->list[i].id;
        }
    ret->everything = ret->count == all;
    return true;
}

bool ask_sees(const struct sight *s, int64_t workspace)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->ids[i] == workspace)
            return true;
    return workspace == 0;
}

struct str ask_id_token(struct job *j, const char *prefix, int64_t id)
{
    char text[ASK_TOKEN_MAX];
    int n = snprintf(text, sizeof text, "%s%016llx", prefix, (unsigned long long)id);
    struct str token = arena_dup(j->arena, str_of(text, (size_t)n));
    must(token.p);
    return token;
}

bool ask_id(struct str token, const char *prefix, int64_t *ret)
{
    uint64_t id;
    if (!str_starts(token, str_c(prefix)))
        return false;
    struct str digits = str_from(token, strlen(prefix));
    if (digits.n != 16 || !str_hex_to_u64(digits, &id) || id > INT64_MAX)
        return false;
    *ret = (int64_t)id;
    return true;
}

bool ask_workspace(struct job *j, const struct sight *s, struct str token, int64_t *ret)
{
    if (!token.n && s->count == 1) {
        *ret = s->ids[0];
        return true;
    }
    if (!token.n) {
        vantage_fail(j, 400, "workspace_token is required: this token sees several workspaces");
        return false;
    }
    if (ask_id(token, "wrkspc_", ret) && *ret && ask_sees(s, *ret))
        return true;
    vantage_fail(j, 404, "There is no such workspace");
    return false;
}

/* ---- resources ---- */

struct docs *ask_docs(struct job *j)
{
    return j->console->docs;
}

bool ask_may_share(struct job *j, const struct sight *s)
{
    if (!s->everything)
        vantage_fail(j, 403, "This is everybody's; a token that reaches every workspace may change it");
    return s->everything;
}

bool ask_doc(struct job *j, const struct sight *s, enum docs_kind kind, struct str token, struct doc *ret)
{
    enum err e = docs_find(ask_docs(j), kind, token, j->arena, ret);
    if (e == ERR_OK && !ask_sees(s, ret->workspace)) {
        char why[200];
        snprintf(why, sizeof why, "There is no %s %.*s", docs_kind_info(kind)->text, STR_ARG(str_head(token, 60)));
        vantage_fail(j, 404, why);
        return false;
    }
    if (e != ERR_OK)
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
    else if (!ret->workspace && !str_eq(j->route->method, STR("GET")))
        return ask_may_share(j, s);
    return e == ERR_OK;
}
