/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters as SQL.
 *
 * A test on texts is `column IN (SELECT value FROM json_each(?n))`, where ?n are the ids of the texts that
 * pass; on a column that is the same everywhere it is 1 or 0. Lists of AND and OR are written as balanced
 * trees, because SQLite bounds the depth of an expression.
 *
 * Shares. A tree with costs.allocation in it becomes a list of branches, each a condition with a weight; AND
 * multiplies lists, OR puts one after the other. The first branch that lets a row through says what
 * it counts, so rows are grouped by the number of that branch and multiplied afterwards, exactly.
 *
 * Tags. What a key's value is follows from filters: the first value whose filter is true (CASE). Filters of tags
 * may test tags; a circle shows as depth.
 */
#include <stdio.h>

#include "base/must.h"
#include "report/cost/cost_inner.h"

#define TAG_DEPTH_MAX 8
#define WEIGHT_ONE COST_PER_PUSD
#define PPM 1000000

struct branch {
    struct str sql;
    int64_t weight;
};
struct branches {
    struct branch list[COST_WEIGHTS_MAX];
    unsigned count;
};

static enum err write_node(struct cost_sql *s, const struct vql_node *n, unsigned tag_depth, struct buf *out);

/* --- small things ---------------------------------------------------------------------------- */

static enum err too_complex(struct cost_sql *s)
{
    cost_error_set(s->error, "The filter is too complex; use fewer values or fewer tags.");
    return ERR_BAD_PARAMETER;
}

static enum err add(struct cost_sql *s, struct buf *out, const char *text)
{
    return buf_add_str(out, str_c(text)) ? ERR_OK : too_complex(s);
}

static enum err param_new(struct cost_sql *s, struct cost_param p, int *ret_at)
{
    if (s->param_count == COST_PARAMS_MAX)
        return too_complex(s);
    s->params[s->param_count++] = p;
    *ret_at = s->param_count;
    return ERR_OK;
}

enum err cost_sql_number(struct cost_sql *s, int64_t value, int *ret_at)
{
    return param_new(s, (struct cost_param){.number = value}, ret_at);
}

enum err cost_sql_json(struct cost_sql *s, struct str json, int *ret_at)
{
    return param_new(s, (struct cost_param){.json = json}, ret_at);
}

struct str cost_sql_list(struct arena *a, const int64_t *ids, size_t count)
{
    size_t cap = count * 22 + 3, n = 1;
    char *out = arena_alloc(a, cap);
    if (!out)
        return (struct str){NULL, 0};
    out[0] = '[';
    for (size_t i = 0; i < count; i++)
        n += (size_t)snprintf(out + n, cap - n, "%s%lld", i ? "," : "", (long long)ids[i]);
    out[n++] = ']';
    return str_of(out, n);
}

const struct cost_tag *cost_sql_tag(const struct cost_query *q, struct str key)
{
    for (size_t i = 0; i < q->tag_count; i++)
        if (str_eq(q->tags[i].key, key))
            return &q->tags[i];
    return NULL;
}

/* --- tests ----------------------------------------------------------------------------------- */

static enum err set_param(struct cost_sql *s, const struct vql_node *test, const struct cost_texts *texts, int *ret_at)
{
    struct cost_param p = {.test = test, .texts = texts};
    for (int i = 0; i < s->param_count; i++) {
        if (s->params[i].test == test && s->params[i].texts == texts) {
            *ret_at = i + 1;
            return ERR_OK;
        }
    }
    enum err e = cost_texts_set(texts, test, s->arena, &p.json);
    return e == ERR_OK ? param_new(s, p, ret_at) : too_complex(s);
}

static enum err write_in(struct cost_sql *s, const struct vql_node *n, const char *column,
                         const struct cost_texts *texts, struct buf *out)
{
    int at;
    enum err e = set_param(s, n, texts, &at);
    if (e != ERR_OK)
        return e;
    return buf_printf(out, "%s IN (SELECT value FROM json_each(?%d))", column, at) ? ERR_OK : too_complex(s);
}

static enum err write_test(struct cost_sql *s, const struct vql_node *n, struct buf *out)
{
    const struct cost_column *c = &s->source->fields[n->field];
    if (!c->sql)
        return add(s, out, vql_match(n, c->constant) ? "1" : "0");
    if (!c->also)
        return write_in(s, n, c->sql, c->texts, out);
    enum err e = add(s, out, "(");
    if (e == ERR_OK)
        e = write_in(s, n, c->sql, c->texts, out);
    if (e == ERR_OK)
        e = add(s, out, " OR ");
    if (e == ERR_OK)
        e = write_in(s, n, c->also, c->also_texts, out);
    return e == ERR_OK ? add(s, out, ")") : e;
}

/* --- tags ------------------------------------------------------------------------------------ */

static enum err write_filter(struct cost_sql *s, const struct vql *filter, unsigned tag_depth, struct buf *out)
{
    const struct vql_node *root = filter ? vql_root(filter) : NULL;
    if (tag_depth >= TAG_DEPTH_MAX) {
        cost_error_set(s->error, "Tags that follow from tags go too deep, or in a circle.");
        return ERR_BAD_PARAMETER;
    }
    return root ? write_node(s, root, tag_depth + 1, out) : add(s, out, "1");
}

static enum err write_has_value(struct cost_sql *s, const struct cost_tag *t, unsigned tag_depth, struct buf *out)
{
    enum err e = add(s, out, "CASE");
    for (size_t i = 0; e == ERR_OK && i < t->count; i++) {
        e = add(s, out, " WHEN ");
        if (e == ERR_OK)
            e = write_filter(s, t->values[i].filter, tag_depth, out);
        if (e == ERR_OK)
            e = add(s, out, " THEN 1");
    }
    if (e == ERR_OK && !t->count)
        e = add(s, out, " WHEN 0 THEN 0");
    return e == ERR_OK ? add(s, out, " ELSE 0 END") : e;
}

/* Whether the value is one that passes: a test, or (NULL) exactly `value`. */
static enum err write_value_is(struct cost_sql *s, const struct cost_tag *t, const struct vql_node *test,
                               struct str value, unsigned tag_depth, struct buf *out)
{
    enum err e = add(s, out, "CASE");
    for (size_t i = 0; e == ERR_OK && i < t->count; i++) {
        bool passes = test ? vql_match(test, t->values[i].value) : str_eq(value, t->values[i].value);
        e = add(s, out, " WHEN ");
        if (e == ERR_OK)
            e = write_filter(s, t->values[i].filter, tag_depth, out);
        if (e == ERR_OK)
            e = add(s, out, passes ? " THEN 1" : " THEN 0");
    }
    if (e == ERR_OK && !t->count)
        e = add(s, out, " WHEN 0 THEN 0");
    return e == ERR_OK ? add(s, out, " ELSE 0 END") : e;
}

/* One of the tags whose key passes `key` (NULL: any) has a value that passes `value` (NULL: any). */
static enum err write_some_tag(struct cost_sql *s, const struct vql_node *key, const struct vql_node *value,
                               unsigned tag_depth, struct buf *out)
{
    bool first = true;
    enum err e = add(s, out, "(");
    for (size_t i = 0; e == ERR_OK && i < s->q->tag_count; i++) {
        const struct cost_tag *t = &s->q->tags[i];
        if (key && !vql_match(key, t->key))
            continue;
        e = first ? ERR_OK : add(s, out, " OR ");
        first = false;
        if (e == ERR_OK)
            e = value ? write_value_is(s, t, value, STR(""), tag_depth, out) : write_has_value(s, t, tag_depth, out);
    }
    if (e == ERR_OK && first)
        e = add(s, out, "0");
    return e == ERR_OK ? add(s, out, ")") : e;
}

static enum err write_pairs(struct cost_sql *s, const struct vql_node *n, unsigned tag_depth, struct buf *out)
{
    enum err e = add(s, out, "(1");
    for (size_t i = 0; e == ERR_OK && i < n->value_count; i += 2) {
        const struct cost_tag *t = cost_sql_tag(s->q, n->values[i]);
        e = add(s, out, " AND ");
        if (e == ERR_OK)
            e = t ? write_value_is(s, t, NULL, n->values[i + 1], tag_depth, out) : add(s, out, "0");
    }
    return e == ERR_OK ? add(s, out, ")") : e;
}

/* --- trees ----------------------------------------------------------------------------------- */

static enum err write_list(struct cost_sql *s, const struct vql_node *n, size_t from, size_t until, unsigned tag_depth,
                           struct buf *out)
{
    if (until - from == 1)
        return write_node(s, n->children[from], tag_depth, out);
    size_t middle = from + (until - from) / 2;
    enum err e = add(s, out, "(");
    if (e == ERR_OK)
        e = write_list(s, n, from, middle, tag_depth, out);
    if (e == ERR_OK)
        e = add(s, out, n->kind == VQL_AND ? " AND " : " OR ");
    if (e == ERR_OK)
        e = write_list(s, n, middle, until, tag_depth, out);
    return e == ERR_OK ? add(s, out, ")") : e;
}

static enum err write_leaf(struct cost_sql *s, const struct vql_node *n, unsigned tag_depth, struct buf *out)
{
    if (n->field == VQL_TAG_VALUE)
        return write_some_tag(s, n->key, n, tag_depth, out);
    if (n->field != VQL_TAG_NAME)
        return write_test(s, n, out);
    if (n->op != VQL_NULL)
        return write_some_tag(s, n, NULL, tag_depth, out);
    enum err e = add(s, out, "NOT ");
    return e == ERR_OK ? write_some_tag(s, NULL, NULL, tag_depth, out) : e;
}

static enum err write_node(struct cost_sql *s, const struct vql_node *n, unsigned tag_depth, struct buf *out)
{
    enum err e;
    switch (n->kind) {
    case VQL_AND:
    case VQL_OR:
        return write_list(s, n, 0, n->child_count, tag_depth, out);
    case VQL_NOT:
        e = add(s, out, "NOT (");
        if (e == ERR_OK)
            e = write_node(s, n->children[0], tag_depth, out);
        return e == ERR_OK ? add(s, out, ")") : e;
    case VQL_PAIRS:
        return write_pairs(s, n, tag_depth, out);
    case VQL_SHARE: /* in the filter of a tag: nothing to be shared */
        return add(s, out, "1");
    case VQL_TEST:
        break;
    }
    return write_leaf(s, n, tag_depth, out);
}

/* --- shares ---------------------------------------------------------------------------------- */

static bool has_share(const struct vql_node *n)
{
    bool found = n->kind == VQL_SHARE;
    for (size_t i = 0; !found && i < n->child_count; i++)
        found = has_share(n->children[i]);
    return found;
}

/* What is in `text`, kept; the buffer is empty afterwards. */
static enum err keep(struct cost_sql *s, struct buf *text, struct str *ret)
{
    *ret = arena_dup(s->arena, buf_str(text));
    buf_reset(text);
    return ret->p ? ERR_OK : too_complex(s);
}

static enum err multiply_weights(struct cost_sql *s, int64_t a, int64_t b, int64_t *ret)
{
    __int128 product = (__int128)a * b;
    if (product % WEIGHT_ONE) {
        cost_error_set(s->error,
                       "Values of costs.allocation that are multiplied have more than twelve decimals together.");
        return ERR_BAD_PARAMETER;
    }
    *ret = (int64_t)(product / WEIGHT_ONE);
    return ERR_OK;
}

/* a := a × b */
static enum err multiply(struct cost_sql *s, struct branches *a, const struct branches *b, struct buf *text)
{
    struct branches product = {.count = 0};
    if (a->count * b->count > COST_WEIGHTS_MAX)
        return too_complex(s);
    for (unsigned i = 0; i < a->count; i++) {
        for (unsigned k = 0; k < b->count; k++) {
            struct branch *to = &product.list[product.count++];
            if (!buf_printf(text, "(%.*s AND %.*s)", STR_ARG(a->list[i].sql), STR_ARG(b->list[k].sql)))
                return too_complex(s);
            enum err e = keep(s, text, &to->sql);
            if (e == ERR_OK)
                e = multiply_weights(s, a->list[i].weight, b->list[k].weight, &to->weight);
            if (e != ERR_OK)
                return e;
        }
    }
    *a = product;
    return ERR_OK;
}

static enum err branches_of(struct cost_sql *s, const struct vql_node *n, struct buf *text, struct branches *ret);

static enum err one_branch(struct cost_sql *s, const struct vql_node *n, struct buf *text, struct branches *ret)
{
    ret->count = 1;
    ret->list[0].weight = WEIGHT_ONE;
    if (n->kind == VQL_SHARE) {
        ret->list[0] = (struct branch){STR("1"), (int64_t)n->share_ppm * (WEIGHT_ONE / PPM)};
        return ERR_OK;
    }
    enum err e = write_node(s, n, 0, text);
    return e == ERR_OK ? keep(s, text, &ret->list[0].sql) : e;
}

/* The children without a share as one condition. */
static enum err plain_children(struct cost_sql *s, const struct vql_node *n, struct buf *text, struct branches *ret)
{
    struct vql_node **plain = arena_alloc(s->arena, n->child_count * sizeof *plain);
    struct vql_node list = {.kind = n->kind, .children = plain};
    if (!plain)
        return too_complex(s);
    for (size_t i = 0; i < n->child_count; i++)
        if (!has_share(n->children[i]))
            plain[list.child_count++] = n->children[i];
    ret->count = 1;
    ret->list[0] = (struct branch){STR("1"), WEIGHT_ONE};
    if (!list.child_count)
        return ERR_OK;
    enum err e = write_list(s, &list, 0, list.child_count, 0, text);
    return e == ERR_OK ? keep(s, text, &ret->list[0].sql) : e;
}

static enum err and_branches(struct cost_sql *s, const struct vql_node *n, struct buf *text, struct branches *ret)
{
    struct branches child;
    enum err e = plain_children(s, n, text, ret);
    for (size_t i = 0; e == ERR_OK && i < n->child_count; i++) {
        if (!has_share(n->children[i]))
            continue;
        e = branches_of(s, n->children[i], text, &child);
        if (e == ERR_OK)
            e = multiply(s, ret, &child, text);
    }
    return e;
}

static enum err or_branches(struct cost_sql *s, const struct vql_node *n, struct buf *text, struct branches *ret)
{
    struct branches child;
    ret->count = 0;
    for (size_t i = 0; i < n->child_count; i++) {
        enum err e = branches_of(s, n->children[i], text, &child);
        if (e != ERR_OK)
            return e;
        if (ret->count + child.count > COST_WEIGHTS_MAX)
            return too_complex(s);
        memcpy(&ret->list[ret->count], child.list, child.count * sizeof child.list[0]);
        ret->count += child.count;
    }
    return ERR_OK;
}

static enum err branches_of(struct cost_sql *s, const struct vql_node *n, struct buf *text, struct branches *ret)
{
    if (n->kind == VQL_SHARE || !has_share(n))
        return one_branch(s, n, text, ret);
    return n->kind == VQL_AND ? and_branches(s, n, text, ret) : or_branches(s, n, text, ret);
}

/* --- the whole ------------------------------------------------------------------------------- */

static enum err all_filters(struct cost_sql *s, struct buf *text, struct branches *ret)
{
    struct branches one;
    enum err e = ERR_OK;
    ret->count = 1;
    ret->list[0] = (struct branch){STR("1"), WEIGHT_ONE};
    for (size_t i = 0; e == ERR_OK && i < s->q->filter_count; i++) {
        const struct vql_node *root = vql_root(s->q->filters[i]);
        if (!root)
            continue;
        e = branches_of(s, root, text, &one);
        if (e == ERR_OK)
            e = multiply(s, ret, &one, text);
    }
    return e;
}

/* "(c1 OR c2)" and "CASE WHEN c1 THEN 0 WHEN c2 THEN 1 END". */
static enum err compile_filters(struct cost_sql *s, struct buf *text)
{
    struct branches all;
    enum err e = all_filters(s, text, &all);
    if (e != ERR_OK)
        return e;
    s->weight_count = all.count;
    s->weight = STR("0");
    s->where = all.list[0].sql;
    for (unsigned i = 0; i < all.count; i++)
        s->weights[i] = all.list[i].weight;
    if (all.count == 1)
        return ERR_OK;
    bool ok = true;
    for (unsigned i = 0; ok && i < all.count; i++)
        ok = buf_printf(text, "%s%.*s", i ? " OR " : "(", STR_ARG(all.list[i].sql));
    ok = ok && buf_add_byte(text, ')');
    e = ok ? keep(s, text, &s->where) : too_complex(s);
    ok = buf_add_str(text, STR("CASE"));
    for (unsigned i = 0; ok && i < all.count; i++)
        ok = buf_printf(text, " WHEN %.*s THEN %u", STR_ARG(all.list[i].sql), i);
    ok = ok && buf_add_str(text, STR(" END"));
    if (e == ERR_OK)
        e = ok ? keep(s, text, &s->weight) : too_complex(s);
    return e;
}

static enum err compile_tagged(struct cost_sql *s, unsigned at, struct buf *text)
{
    static const int64_t ids[] = {0, 1};
    static const struct str texts[] = {{"false", 5}, {"true", 4}}, names[] = {{"", 0}, {"", 0}};
    static const struct cost_texts table = {ids, texts, names, 2};
    enum err e = write_some_tag(s, NULL, NULL, 0, text);
    s->texts[at] = &table;
    return e == ERR_OK ? keep(s, text, &s->groups[at]) : e;
}

static enum err compile_tag(struct cost_sql *s, unsigned at, struct buf *text)
{
    const struct cost_tag *t = cost_sql_tag(s->q, s->q->groups[at].tag);
    struct cost_texts_make m = {.arena = s->arena};
    struct cost_texts *table = arena_alloc(s->arena, sizeof *table);
    s->groups[at] = STR("0");
    s->constants[at] = STR("");
    if (!t || !t->count)
        return ERR_OK;
    enum err e = table ? cost_texts_add(&m, -1, STR(""), STR("")) : too_complex(s);
    if (e == ERR_OK)
        e = add(s, text, "CASE");
    for (size_t i = 0; e == ERR_OK && i < t->count; i++) {
        e = add(s, text, " WHEN ");
        if (e == ERR_OK)
            e = write_filter(s, t->values[i].filter, 0, text);
        if (e == ERR_OK)
            e = buf_printf(text, " THEN %zu", i) ? ERR_OK : too_complex(s);
        if (e == ERR_OK)
            e = cost_texts_add(&m, (int64_t)i, t->values[i].value, STR(""));
    }
    if (e == ERR_OK)
        e = add(s, text, " ELSE -1 END");
    if (e == ERR_OK)
        e = keep(s, text, &s->groups[at]);
    s->texts[at] = table;
    return e == ERR_OK ? cost_texts_end(&m, table) : e;
}

static enum err compile_group(struct cost_sql *s, unsigned at, struct buf *text)
{
    enum cost_by by = s->q->groups[at].by;
    const struct cost_column *c = &s->source->groups[by];
    if (by == COST_BY_TAGGED)
        return compile_tagged(s, at, text);
    if (by == COST_BY_TAG)
        return compile_tag(s, at, text);
    s->groups[at] = c->sql ? str_c(c->sql) : STR("0");
    s->texts[at] = c->sql ? c->texts : NULL;
    s->constants[at] = c->constant;
    return ERR_OK;
}

enum err cost_sql_compile(struct cost_sql *s)
{
    struct buf text;
    s->params = arena_alloc(s->arena, COST_PARAMS_MAX * sizeof *s->params);
    if (!s->params)
        return too_complex(s);
    buf_init(&text, COST_SQL_MAX);
    enum err e = compile_filters(s, &text);
    for (unsigned i = 0; e == ERR_OK && i < s->q->group_count; i++)
        e = compile_group(s, i, &text);
    buf_free(&text);
    return e;
}

enum err cost_sql_prepare(struct cost_sql *s, struct store_db *db, const struct buf *sql, struct store_stmt **ret)
{
    struct str text = arena_dup(s->arena, buf_str(sql));
    if (!text.p)
        return too_complex(s);
    enum err e = store_prepare_once(db, text.p, ret);
    for (int i = 0; e == ERR_OK && i < s->param_count; i++) {
        if (s->params[i].json.p)
            store_bind_text(*ret, i + 1, s->params[i].json);
        else
            store_bind_i64(*ret, i + 1, s->params[i].number);
    }
    return e;
}

/* --- what is needed -------------------------------------------------------------------------- */

static uint64_t fields_of(const struct vql *filter)
{
    uint64_t bits = 0;
    for (unsigned f = 0; filter && f < VQL_FIELD_COUNT; f++)
        bits |= (uint64_t)vql_uses(filter, (enum vql_field)f) << f;
    return bits;
}

#define TAG_FIELDS ((1u << VQL_TAG_NAME) | (1u << VQL_TAG_VALUE))

enum err cost_sql_fields(const struct cost_query *q, struct cost_error *error, uint64_t *ret_fields)
{
    uint64_t bits = 0;
    bool tags = false;
    if (q->tag_count > COST_TAGS_MAX) {
        cost_error_set(error, "There are more than %d tags.", COST_TAGS_MAX);
        return ERR_BAD_PARAMETER;
    }
    for (size_t i = 0; i < q->filter_count; i++)
        bits |= fields_of(q->filters[i]);
    for (unsigned i = 0; i < q->group_count; i++)
        tags = tags || q->groups[i].by == COST_BY_TAG || q->groups[i].by == COST_BY_TAGGED;
    if (tags || (bits & TAG_FIELDS))
        for (size_t i = 0; i < q->tag_count; i++)
            for (size_t k = 0; k < q->tags[i].count; k++)
                bits |= fields_of(q->tags[i].values[k].filter);
    *ret_fields = bits;
    return ERR_OK;
}
