/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a virtual tag must be: few enough, values that say what they are, a key of its own, and no circle. A tag follows
 * from those that its filters name and from the one whose costs it is shared by; from itself it may not, also
 * not through others.
 */
#include "report/bill/bill_decimal.h"
#include "report/docs/docs_inner.h"
#include "report/vql/vql.h"

#define TAGS_MAX 50 /* of all workspaces: that is where they hold */
#define TAG_VALUES_MAX 100
#define HUNDRED ((money_sum)100 * MONEY_PUSD_PER_USD)

struct graph {
    struct docs *d;
    struct arena *a;
    const struct doc *others;
    size_t count;
    struct str key;           /* of the tag that is stored */
    bool seen[TAGS_MAX + 64]; /* by place in `others` */
    bool circle;
};

static enum err check_value(struct docs *d, struct jval v)
{
    struct jval shares = jdoc_get(v, "percentages");
    unsigned said_by = (unsigned)(jdoc_has(jdoc_find(v, "name")) + jdoc_has(jdoc_find(v, "business_metric_token")) +
                                  jdoc_has(jdoc_find(v, "cost_metric")) + (jdoc_size(shares) > 0));
    money_sum sum = 0, one;
    bool exact;
    if (said_by != 1)
        return DOCS_FAIL(d, ERR_BAD_PARAMETER,
                         "a value needs one of name, business_metric_token, cost_metric and percentages");
    for (struct jval s = jdoc_first(shares); jdoc_has(s); s = jdoc_next(shares, s))
        if (bill_decimal_read(jdoc_raw(jdoc_get(s, "pct")), 12, &one, &exact) && one > 0)
            sum += one;
        else
            return DOCS_FAIL(d, ERR_BAD_PARAMETER, "a percentage must be more than 0");
    return sum > HUNDRED ? DOCS_FAIL(d, ERR_BAD_PARAMETER, "percentages must not be more than 100 together") : ERR_OK;
}

/* --- circles --------------------------------------------------------------------------------- */

static void follow(struct graph *g, struct str key);

/* The keys that a filter names. */
static void follow_tree(struct graph *g, const struct vql_node *n)
{
    for (size_t i = 0; i < n->child_count; i++)
        follow_tree(g, n->children[i]);
    bool names = n->kind == VQL_TEST && n->field == VQL_TAG_NAME;
    for (size_t i = 0; (names || n->kind == VQL_PAIRS) && i < n->value_count; i += names ? 1 : 2)
        follow(g, n->values[i]);
}

static void follow_filter(struct graph *g, struct str text)
{
    struct vql *filter;
    struct vql_error error;
    if (!text.n || vql_parse(text, &filter, &error) != ERR_OK)
        return;
    if (vql_root(filter))
        follow_tree(g, vql_root(filter));
    vql_free(filter);
}

static void follow_body(struct graph *g, struct jval body)
{
    struct jval list = jdoc_get(body, "values");
    for (struct jval v = jdoc_first(list); jdoc_has(v); v = jdoc_next(list, v)) {
        struct jval metric = jdoc_get(v, "cost_metric");
        follow_filter(g, jdoc_text(jdoc_get(v, "filter"), g->a));
        follow_filter(g, jdoc_text(jdoc_get(metric, "filter"), g->a));
        struct str tag = jdoc_text(jdoc_get(jdoc_get(metric, "aggregation"), "tag"), g->a);
        if (tag.n)
            follow(g, tag);
    }
}

/* As deep as there are tags: each is followed once. */
static void follow(struct graph *g, struct str key)
{
    g->circle = g->circle || str_eq(key, g->key);
    for (size_t i = 0; !g->circle && i < g->count; i++) {
        struct jdoc body;
        if (g->seen[i] || !str_eq(g->others[i].title, key))
            continue;
        g->seen[i] = true;
        jdoc_init(&body);
        if (jdoc_parse(&body, g->others[i].body))
            follow_body(g, jdoc_root(&body));
        jdoc_free(&body);
    }
}

/* --- all of it ------------------------------------------------------------------------------- */

enum err docs_tags_check(struct docs *d, struct str token, struct jval body, struct arena *a)
{
    struct jval values = jdoc_get(body, "values");
    struct doc *others;
    size_t count, n = 0;
    uint64_t total;
    struct docs_query q = {.kind = DOCS_VIRTUAL_TAG, .limit = TAGS_MAX + 64, .unseen = true};
    if (jdoc_size(values) > TAG_VALUES_MAX)
        return DOCS_FAIL(d, ERR_LIMIT_REACHED, "a virtual tag may have at most %d values", TAG_VALUES_MAX);
    for (struct jval v = jdoc_first(values); jdoc_has(v); v = jdoc_next(values, v)) {
        enum err e = check_value(d, v);
        if (e != ERR_OK)
            return e;
    }
    enum err e = docs_list(d, &q, a, &others, &count, &total);
    if (e != ERR_OK)
        return e;
    struct graph g = {.d = d, .a = a, .others = others, .key = jdoc_text(jdoc_get(body, "key"), a)};
    for (size_t i = 0; i < count; i++)
        if (!str_eq(others[i].token, token))
            others[n++] = others[i];
    g.count = n;
    for (size_t i = 0; i < n; i++)
        if (str_eq(others[i].title, g.key))
            return DOCS_FAIL(d, ERR_CONFLICT, "there is a virtual tag with this key already");
    if (n == count && n >= TAGS_MAX) /* a new one */
        return DOCS_FAIL(d, ERR_LIMIT_REACHED, "there may be at most %d virtual tags", TAGS_MAX);
    follow_body(&g, body);
    return g.circle ? DOCS_FAIL(d, ERR_CONFLICT, "a virtual tag must not follow from itself, also not through others")
                    : ERR_OK;
}
