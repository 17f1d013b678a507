/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules between fields, and between resources: two ways to say a date, trees that must stay trees.
 *
 * A tree is walked from its roots each time it changes: hierarchies are small, and a count kept beside them
 * could be wrong.
 */
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "report/bill/bill_decimal.h"
#include "report/docs/docs_inner.h"

#define TREE_MAX 1000

static struct str said(struct jval given, const char *name, struct arena *a)
{
    return jdoc_text(jdoc_get(given, name), a);
}

/* ---- before ---- */

/* The members of `more` stand before those of `given`: the first of two counts. */
struct merge {
    struct buf buf;
    struct json_write w;
    bool any;
};

static void merge_text(struct merge *m, const char *name, struct str value)
{
    m->any = true;
    json_write_member_string(&m->w, name, value);
}

static void merge_raw(struct merge *m, const char *name, const char *json)
{
    m->any = true;
    json_write_member_raw(&m->w, name, str_c(json));
}

static enum err pair(struct docs *d, struct jval given, const char *first, const char *second, struct arena *a,
                     bool *ret_both)
{
    struct str from = said(given, first, a), to = said(given, second, a);
    *ret_both = from.n && to.n;
    if (!from.n != !to.n)
        return DOCS_FAIL(d, ERR_BAD_PARAMETER, "%s and %s go together: give both or none", first, second);
    if (*ret_both && str_cmp(from, to) > 0)
        return DOCS_FAIL(d, ERR_BAD_PARAMETER, "%s must not be after %s", first, second);
    return ERR_OK;
}

static enum err given_dates(struct docs *d, bool made, const char *fallback, struct arena *a, struct jval given,
                            struct merge *m)
{
    struct str interval = said(given, "date_interval", a);
    bool dates, custom = str_eq(interval, STR("custom"));
    enum err e = pair(d, given, "start_date", "end_date", a, &dates);
    if (e != ERR_OK)
        return e;
    if (dates && interval.n && !custom)
        return DOCS_FAIL(d, ERR_BAD_PARAMETER, "give start_date and end_date, or date_interval, not both");
    if (custom && !dates && made)
        return DOCS_FAIL(d, ERR_BAD_PARAMETER, "date_interval custom needs start_date and end_date");
    if (dates) {
        merge_text(m, "date_interval", STR("custom"));
    } else if (interval.n && !custom) {
        merge_raw(m, "start_date", "null");
        merge_raw(m, "end_date", "null");
    } else if (made && fallback) {
        merge_text(m, "date_interval", str_c(fallback));
    }
    return ERR_OK;
}

static enum err given_report(struct docs *d, bool made, struct arena *a, struct jval given, struct merge *m)
{
    bool both;
    enum err e = pair(d, given, "previous_period_start_date", "previous_period_end_date", a, &both);
    return e == ERR_OK ? given_dates(d, made, "this_month", a, given, m) : e;
}

static enum err needs(struct docs *d, bool made, struct jval given, const char *name)
{
    if (made && !jdoc_has(jdoc_get(given, name)))
        return DOCS_FAIL(d, ERR_MISSING_PARAMETER, "%s is required", name);
    return ERR_OK;
}

/* Without a title it is that of the first report, and the day. */
static enum err given_annotation(struct docs *d, bool made, struct arena *a, struct jval given, struct merge *m)
{
    struct doc report;
    enum err e = needs(d, made, given, "date");
    if (e == ERR_OK)
        e = needs(d, made, given, "message");
    if (e != ERR_OK || !made || said(given, "title", a).n)
        return e;
    struct str token = jdoc_text(jdoc_first(jdoc_get(given, "report_tokens")), a);
    if (token.n && docs_find(d, DOCS_COST_REPORT, token, a, &report) == ERR_OK) {
        struct buf title;
        buf_init(&title, 4096);
        if (buf_printf(&title, "%.*s %.*s", STR_ARG(str_head(report.title, 2000)), STR_ARG(said(given, "date", a))))
            merge_text(m, "title", str_trim(buf_str(&title)));
        buf_free(&title);
    }
    return ERR_OK;
}

static enum err given_kind(struct docs *d, enum docs_kind kind, bool made, struct arena *a, struct jval given,
                           struct merge *m)
{
    switch (kind) {
    case DOCS_COST_REPORT:
        return given_report(d, made, a, given, m);
    case DOCS_DASHBOARD:
        return given_dates(d, made, NULL, a, given, m);
    case DOCS_BUDGET_ALERT:
        return needs(d, made, given, "duration_in_days");
    case DOCS_ANNOTATION:
        return given_annotation(d, made, a, given, m);
    case DOCS_BUDGET:
        if (jdoc_size(jdoc_get(given, "child_budget_tokens"))) {
            merge_raw(m, "cost_report_token", "null");
            merge_raw(m, "periods", "[]");
        }
        return ERR_OK;
    default:
        return ERR_OK;
    }
}

enum err docs_rules_given(struct docs *d, enum docs_kind kind, bool made, struct arena *a, struct jval given,
                          struct str *ret_more)
{
    struct merge m = {.any = false};
    *ret_more = STR("");
    if (jdoc_kind(given) != JDOC_OBJECT)
        return DOCS_FAIL(d, ERR_BAD_PARAMETER, "the body must be a JSON object");
    buf_init(&m.buf, 2 * DOCS_BODY_MAX);
    json_write_init(&m.w, &m.buf);
    json_write_object(&m.w);
    enum err e = given_kind(d, kind, made, a, given, &m);
    if (e == ERR_OK && m.any) {
        for (struct jval n = jdoc_first(given); jdoc_has(n); n = jdoc_next(given, n)) {
            json_write_key(&m.w, jdoc_text(n, a));
            json_write_raw(&m.w, jdoc_raw(jdoc_value(n)));
        }
        json_write_object_end(&m.w);
        *ret_more = json_write_done(&m.w) ? arena_dup(a, buf_str(&m.buf)) : (struct str){0};
        if (!ret_more->p)
            e = DOCS_FAIL(d, ERR_BAD_PARAMETER, "the body is too long");
    }
    buf_free(&m.buf);
    return e;
}

/* ---- trees ---- */

struct tree {
    struct docs *d;
    struct arena *a;
    enum docs_kind kind;
    const char *field;  /* what names the children, or the parent */
    struct str changed; /* its body is not stored yet */
    struct jval body;
    struct str seen[TREE_MAX];
    size_t count;
};

static enum err seen(struct tree *t, struct str token)
{
    for (size_t i = 0; i < t->count; i++)
        if (str_eq(t->seen[i], token))
            return DOCS_FAIL(t->d, ERR_CONFLICT, "%.*s would stand in one hierarchy twice", STR_ARG(token));
    if (t->count == TREE_MAX)
        return DOCS_FAIL(t->d, ERR_CONFLICT, "a hierarchy may have at most %d members", TREE_MAX);
    t->seen[t->count++] = token;
    return ERR_OK;
}

/* Downwards: budgets name their children. */
static enum err walk_down(struct tree *t, struct str token, unsigned depth)
{
    struct jdoc parsed;
    struct doc doc = {.body = STR("{}")};
    bool stored = !str_eq(token, t->changed);
    enum err e = seen(t, token);
    if (e == ERR_OK && depth > DOCS_DEPTH_MAX)
        e = DOCS_FAIL(t->d, ERR_CONFLICT, "a hierarchy may be at most %d levels deep", DOCS_DEPTH_MAX);
    if (e == ERR_OK && stored)
        e = docs_find_any(t->d, t->kind, token, t->a, &doc);
    if (e != ERR_OK)
        return e;
    jdoc_init(&parsed);
    bool read = !stored || jdoc_parse(&parsed, doc.body);
    struct jval list = jdoc_get(!stored ? t->body : read ? jdoc_root(&parsed) : (struct jval){0}, t->field);
    for (struct jval v = jdoc_first(list); e == ERR_OK && jdoc_has(v); v = jdoc_next(list, v))
        e = walk_down(t, jdoc_text(v, t->a), depth + 1);
    jdoc_free(&parsed);
    return e;
}

/* From every root above the token: what nothing names. */
static enum err from_roots(struct tree *t, struct str token, unsigned depth)
{
    struct str *parents;
    size_t count;
    if (depth > DOCS_DEPTH_MAX)
        return DOCS_FAIL(t->d, ERR_CONFLICT, "a hierarchy may be at most %d levels deep", DOCS_DEPTH_MAX);
    enum err e = docs_users_any(t->d, t->kind, token, t->a, &parents, &count);
    if (e == ERR_OK && !count) {
        t->count = 0;
        return walk_down(t, token, 1);
    }
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        e = from_roots(t, parents[i], depth + 1);
    return e;
}

/* Upwards: folders and segments name their parent. How far below it reaches is not asked. */
static enum err walk_up(struct tree *t)
{
    struct str token = t->changed, next = jdoc_text(jdoc_get(t->body, t->field), t->a);
    unsigned depth = 1;
    enum err e = seen(t, token);
    while (e == ERR_OK && next.n) {
        struct jdoc parsed;
        struct doc doc;
        if (++depth > DOCS_DEPTH_MAX)
            return DOCS_FAIL(t->d, ERR_CONFLICT, "a hierarchy may be at most %d levels deep", DOCS_DEPTH_MAX);
        e = seen(t, next);
        if (e == ERR_OK)
            e = docs_find_any(t->d, t->kind, next, t->a, &doc);
        if (e != ERR_OK)
            return e;
        jdoc_init(&parsed);
        next = jdoc_parse(&parsed, doc.body) ? arena_dup(t->a, jdoc_text(jdoc_get(jdoc_root(&parsed), t->field), t->a))
                                             : STR("");
        jdoc_free(&parsed);
    }
    return e;
}

static enum err check_tree(struct docs *d, enum docs_kind kind, const char *field, struct str token, struct jval body,
                           struct arena *a)
{
    struct tree *t = mem_zalloc(sizeof *t);
    *t = (struct tree){.d = d, .a = a, .kind = kind, .field = field, .changed = token, .body = body};
    enum err e = kind == DOCS_BUDGET ? from_roots(t, token, 1) : walk_up(t);
    mem_free(t);
    return e;
}

/* ---- access ---- */

/* One grant for a resource and a team: which of two would hold? */
static enum err check_grant(struct docs *d, struct str token, struct jval body, struct arena *a)
{
    struct doc *others;
    size_t count;
    uint64_t total;
    struct str team = said(body, "team_token", a);
    struct docs_query q = {
        .kind = DOCS_ACCESS_GRANT, .target = said(body, "resource_token", a), .limit = DOCS_COUNT_MAX, .unseen = true};
    enum err e = docs_list(d, &q, a, &others, &count, &total);
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        struct jdoc other;
        jdoc_init(&other);
        if (!str_eq(others[i].token, token) && jdoc_parse(&other, others[i].body) &&
            str_eq(said(jdoc_root(&other), "team_token", a), team))
            e = DOCS_FAIL(d, ERR_CONFLICT, "there is a grant for this team and resource already: %.60s",
                          others[i].token.p);
        jdoc_free(&other);
    }
    return e;
}

/* ---- after ---- */

static enum err check_periods(struct docs *d, struct jval body, struct arena *a)
{
    struct jval list = jdoc_get(body, "periods");
    for (struct jval p = jdoc_first(list); jdoc_has(p); p = jdoc_next(list, p)) {
        struct str from = said(p, "start_at", a), to = said(p, "end_at", a);
        if (to.n && str_cmp(from, to) > 0)
            return DOCS_FAIL(d, ERR_BAD_PARAMETER, "a period must not end before it begins");
        if (jdoc_text(jdoc_get(p, "amount"), a).p[0] == '-')
            return DOCS_FAIL(d, ERR_BAD_PARAMETER, "the amount of a period must not be negative");
    }
    return ERR_OK;
}

enum err docs_rules_body(struct docs *d, enum docs_kind kind, struct str token, struct jval body, struct arena *a)
{
    enum err e = ERR_OK;
    switch (kind) {
    case DOCS_FOLDER:
        return check_tree(d, kind, "parent_folder_token", token, body, a);
    case DOCS_SEGMENT:
        return check_tree(d, kind, "parent_segment_token", token, body, a);
    case DOCS_BUDGET:
        e = check_periods(d, body, a);
        return e == ERR_OK ? check_tree(d, kind, "child_budget_tokens", token, body, a) : e;
    case DOCS_VIRTUAL_TAG:
        return docs_tags_check(d, token, body, a);
    case DOCS_ACCESS_GRANT:
        return check_grant(d, token, body, a);
    case DOCS_REPORT_FORECAST:
        return jdoc_size(jdoc_get(body, "scenario_model_tokens"))
                   ? DOCS_FAIL(d, ERR_CONFLICT, "scenario models are not supported; leave scenario_model_tokens empty")
                   : ERR_OK;
    default:
        return ERR_OK;
    }
}
