/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces of time in which tags are the same. Only tags that the query can meet count: those it groups by, those
 * its filters may speak of, and those that the filters of these speak of.
 */
#include <stdlib.h>

#include "base/must.h"
#include "report/bill/bill.h"
#include "report/cost/cost_sql.h"

#define CUTS_MAX (2 * COST_PIECES_MAX)

struct work {
    const struct cost_query *q;
    struct arena *arena;
    struct cost_error *error;
    bool wanted[COST_TAGS_MAX];
    struct cost_tag tags[COST_TAGS_MAX]; /* those wanted, with shares in place of metrics */
    size_t tag_count;
    bool monthly; /* some shares differ from month to month */
    int64_t cuts[CUTS_MAX];
    size_t cut_count;
};

static enum err no_room(struct work *w)
{
    cost_error_set(w->error, "The tags change too often, or have too many values; ask for a shorter time.");
    return ERR_BAD_PARAMETER;
}

/* --- which tags ------------------------------------------------------------------------------ */

static bool want(struct work *w, size_t i);

/* Tags whose key passes a test; NULL: all. True when there was a new one. */
static bool want_passing(struct work *w, const struct vql_node *test)
{
    bool more = false;
    for (size_t i = 0; i < w->q->tag_count; i++)
        if (!test || vql_match(test, w->q->tags[i].key))
            more = want(w, i) || more;
    return more;
}

static bool want_key(struct work *w, struct str key)
{
    bool more = false;
    for (size_t i = 0; i < w->q->tag_count; i++)
        if (str_eq(w->q->tags[i].key, key))
            more = want(w, i) || more;
    return more;
}

/* The tree is at most VQL_DEPTH_MAX deep. */
static void want_tree(struct work *w, const struct vql_node *n)
{
    for (size_t i = 0; i < n->child_count; i++)
        want_tree(w, n->children[i]);
    for (size_t i = 0; n->kind == VQL_PAIRS && i < n->value_count; i += 2)
        want_key(w, n->values[i]);
    if (n->kind != VQL_TEST)
        return;
    if (n->field == VQL_TAG_NAME)
        want_passing(w, n->op == VQL_NULL ? NULL : n);
    else if (n->field == VQL_TAG_VALUE)
        want_passing(w, n->key);
}

static void want_filter(struct work *w, const struct vql *filter)
{
    if (filter && vql_root(filter))
        want_tree(w, vql_root(filter));
}

static void want_values(struct work *w, const struct cost_tag *t)
{
    for (size_t i = 0; i < t->count; i++) {
        want_filter(w, t->values[i].filter);
        for (size_t k = 0; k < t->values[i].within_count; k++)
            want_filter(w, t->values[i].within[k]);
    }
}

static bool want(struct work *w, size_t i)
{
    if (w->wanted[i])
        return false;
    w->wanted[i] = true;
    want_values(w, &w->q->tags[i]);
    return true;
}

static void find_wanted(struct work *w)
{
    const struct cost_query *q = w->q;
    for (size_t i = 0; i < q->filter_count; i++)
        want_filter(w, q->filters[i]);
    for (unsigned i = 0; i < q->group_count; i++) {
        if (q->groups[i].by == COST_BY_TAG)
            want_key(w, q->groups[i].tag);
        else if (q->groups[i].by == COST_BY_TAGGED)
            want_passing(w, NULL);
        else if (q->groups[i].by == COST_BY_SEGMENT && q->segments)
            want_values(w, q->segments);
    }
}

/* --- shares by other costs ------------------------------------------------------------------- */

static enum err shares_of(struct work *w, const struct cost_result *r, struct cost_tag_value *v)
{
    struct cost_share *list = arena_alloc(w->arena, (r->row_count + 1) * sizeof *list);
    if (!list)
        return no_room(w);
    v->share_count = 0;
    for (size_t i = 0; i < r->row_count; i++) {
        struct str value = arena_dup(w->arena, r->rows[i].values[0]);
        if (!value.p)
            return no_room(w);
        if (value.n)
            list[v->share_count++] = (struct cost_share){.month = bill_month_of(bill_day_of(r->rows[i].start_us)),
                                                         .value = value,
                                                         .weight = cost_amount_pusd(r->rows[i].amount)};
    }
    v->shares = list;
    return ERR_OK;
}

static enum err ask_metric(struct work *w, struct cost_tag_value *v, cost_again_fn *run, void *context)
{
    struct cost_query q = *w->q;
    struct cost_result *r;
    q.filters = &v->metric;
    q.filter_count = v->metric ? 1 : 0;
    q.from_day = bill_month_day(bill_month_of(q.from_day));
    q.until_day = bill_month_day(bill_month_of(q.until_day - 1) + 1);
    q.groups[0] = (struct cost_group){COST_BY_TAG, v->metric_tag};
    q.group_count = 1;
    q.bin = COST_BIN_MONTH;
    q.limit = q.page = 0;
    q.plan = NULL;
    enum err e = run(context, &q, &r, w->error);
    if (e != ERR_OK)
        return e;
    e = shares_of(w, r, v);
    cost_result_free(r);
    return e;
}

/* The tag with shares in place of metrics. */
static enum err resolve(struct work *w, const struct cost_tag *from, struct cost_tag *to, cost_again_fn *run,
                        void *context)
{
    struct cost_tag_value *values = arena_alloc(w->arena, (from->count + 1) * sizeof *values);
    enum err e = values ? ERR_OK : no_room(w);
    *to = *from;
    to->values = values;
    for (size_t i = 0; e == ERR_OK && i < from->count; i++) {
        values[i] = from->values[i];
        if (values[i].metric_tag.n)
            e = ask_metric(w, &values[i], run, context);
        for (size_t k = 0; e == ERR_OK && k < values[i].share_count; k++)
            w->monthly = w->monthly || values[i].shares[k].month != COST_MONTH_ANY;
    }
    return e;
}

/* --- cuts ------------------------------------------------------------------------------------ */

static enum err add_cut(struct work *w, int64_t day)
{
    if (day <= w->q->from_day || day >= w->q->until_day)
        return ERR_OK;
    if (w->cut_count == CUTS_MAX - 2)
        return no_room(w);
    w->cuts[w->cut_count++] = day;
    return ERR_OK;
}

static enum err tag_cuts(struct work *w, const struct cost_tag *t)
{
    enum err e = t->from_day ? add_cut(w, t->from_day) : ERR_OK;
    for (size_t i = 0; i < t->count; i++)
        for (size_t k = 0; e == ERR_OK && k < t->values[i].span_count; k++) {
            e = add_cut(w, t->values[i].spans[k].from_day);
            if (e == ERR_OK)
                e = add_cut(w, t->values[i].spans[k].until_day);
        }
    return e;
}

static int compare_days(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static enum err find_cuts(struct work *w)
{
    int64_t last = bill_month_of(w->q->until_day);
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < w->tag_count; i++)
        e = tag_cuts(w, &w->tags[i]);
    for (int64_t m = bill_month_of(w->q->from_day); w->monthly && e == ERR_OK && m <= last; m++)
        e = add_cut(w, bill_month_day(m));
    if (e != ERR_OK)
        return e;
    w->cuts[w->cut_count++] = w->q->from_day;
    w->cuts[w->cut_count++] = w->q->until_day;
    qsort(w->cuts, w->cut_count, sizeof w->cuts[0], compare_days);
    return ERR_OK;
}

/* --- pieces ---------------------------------------------------------------------------------- */

static bool holds(const struct cost_tag_value *v, const struct cost_piece *p)
{
    for (size_t i = 0; i < v->span_count; i++)
        if (v->spans[i].from_day <= p->from_day && v->spans[i].until_day >= p->until_day)
            return true;
    return !v->span_count;
}

static enum err fill(struct work *w, struct cost_piece *p)
{
    struct cost_tag *tags = arena_alloc(w->arena, (w->tag_count + 1) * sizeof *tags);
    if (!tags)
        return no_room(w);
    p->month = w->monthly ? bill_month_of(p->from_day) : COST_MONTH_ANY;
    p->tags = tags;
    for (size_t i = 0; i < w->tag_count; i++) {
        struct cost_tag *t = &tags[p->tag_count++];
        *t = w->tags[i];
        struct cost_tag_value *values = arena_alloc(w->arena, (t->count + 1) * sizeof *values);
        if (!values)
            return no_room(w);
        t->count = 0;
        for (size_t k = 0; k < w->tags[i].count && t->from_day <= p->from_day; k++)
            if (holds(&w->tags[i].values[k], p))
                values[t->count++] = w->tags[i].values[k];
        t->values = values;
    }
    return ERR_OK;
}

static enum err make(struct work *w, struct cost_piece **ret, size_t *ret_count)
{
    struct cost_piece *list = arena_alloc(w->arena, w->cut_count * sizeof *list);
    size_t n = 0;
    if (!list)
        return no_room(w);
    for (size_t i = 0; i + 1 < w->cut_count; i++) {
        if (w->cuts[i] == w->cuts[i + 1] && !(i == 0 && w->cut_count == 2))
            continue;
        if (n == COST_PIECES_MAX)
            return no_room(w);
        list[n] = (struct cost_piece){.from_day = w->cuts[i], .until_day = w->cuts[i + 1]};
        enum err e = fill(w, &list[n++]);
        if (e != ERR_OK)
            return e;
    }
    *ret = list;
    *ret_count = n;
    return ERR_OK;
}

enum err cost_pieces_make(const struct cost_query *q, bool tags_wanted, struct arena *a, cost_again_fn *run,
                          void *context, struct cost_piece **ret, size_t *ret_count, struct cost_error *error)
{
    struct work *w = arena_alloc(a, sizeof *w);
    must(w);
    *w = (struct work){.q = q, .arena = a, .error = error};
    must(q->tag_count <= COST_TAGS_MAX);
    if (tags_wanted)
        find_wanted(w);
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < q->tag_count; i++)
        if (w->wanted[i])
            e = resolve(w, &q->tags[i], &w->tags[w->tag_count++], run, context);
    if (e == ERR_OK)
        e = find_cuts(w);
    return e == ERR_OK ? make(w, ret, ret_count) : e;
}
