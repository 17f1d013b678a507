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
 */
#include "report/cost/cost_sql.h"

#include <stdio.h>

#include "base/must.h"

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

/* --- small things ---------------------------------------------------------------------------- */

enum err cost_sql_too_complex(struct cost_sql *s)
{
    cost_error_set(s->error, "The filter is too complex; use fewer values or fewer tags.");
    return ERR_BAD_PARAMETER;
}

enum err cost_sql_add(struct cost_sql *s, struct buf *out, const char *text)
{
    return buf_add_str(out, str_c(text)) ? ERR_OK : cost_sql_too_complex(s);
}

static enum err param_new(struct cost_sql *s, struct cost_param p, int *ret_at)
{
    if (s->param_count == COST_PARAMS_MAX)
        return cost_sql_too_complex(s);
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

/* --- tests ----------------------------------------------------------------------------------- */

bool cost_sql_set_known(const struct cost_sql *s, const void *test, const void *texts, int *ret_at)
{
    for (int i = 0; i < s->param_count; i++) {
        if (s->params[i].test == test && s->params[i].texts == texts && test) {
            *ret_at = i + 1;
            return true;
        }
    }
    return false;
}

enum err cost_sql_set(struct cost_sql *s, const void *test, const void *texts, struct str json, int *ret_at)
{
    return param_new(s, (struct cost_param){.test = test, .texts = texts, .json = json}, ret_at);
}

static enum err set_param(struct cost_sql *s, const struct vql_node *test, const struct cost_texts *texts, int *ret_at)
{
    struct str json;
    if (cost_sql_set_known(s, test, texts, ret_at))
        return ERR_OK;
    enum err e = cost_texts_set(texts, test, s->arena, &json);
    return e == ERR_OK ? cost_sql_set(s, test, texts, json, ret_at) : cost_sql_too_complex(s);
}

static enum err write_in(struct cost_sql *s, const struct vql_node *n, const char *column,
                         const struct cost_texts *texts, struct buf *out)
{
    int at;
    enum err e = set_param(s, n, texts, &at);
    if (e != ERR_OK)
        return e;
    return buf_printf(out, "%s IN (SELECT value FROM json_each(?%d))", column, at) ? ERR_OK : cost_sql_too_complex(s);
}

static enum err write_test(struct cost_sql *s, const struct vql_node *n, struct buf *out)
{
    const struct cost_column *c = &s->source->fields[n->field];
    if (!c->sql)
        return cost_sql_add(s, out, vql_match(n, c->constant) ? "1" : "0");
    if (!c->also)
        return write_in(s, n, c->sql, c->texts, out);
    enum err e = cost_sql_add(s, out, "(");
    if (e == ERR_OK)
        e = write_in(s, n, c->sql, c->texts, out);
    if (e == ERR_OK)
        e = cost_sql_add(s, out, " OR ");
    if (e == ERR_OK)
        e = write_in(s, n, c->also, c->also_texts, out);
    return e == ERR_OK ? cost_sql_add(s, out, ")") : e;
}

/* --- trees ----------------------------------------------------------------------------------- */

static enum err write_list(struct cost_sql *s, const struct vql_node *n, size_t from, size_t until, unsigned tag_depth,
                           struct buf *out)
{
    if (until - from == 1)
        return cost_sql_node(s, n->children[from], tag_depth, out);
    size_t middle = from + (until - from) / 2;
    enum err e = cost_sql_add(s, out, "(");
    if (e == ERR_OK)
        e = write_list(s, n, from, middle, tag_depth, out);
    if (e == ERR_OK)
        e = cost_sql_add(s, out, n->kind == VQL_AND ? " AND " : " OR ");
    if (e == ERR_OK)
        e = write_list(s, n, middle, until, tag_depth, out);
    return e == ERR_OK ? cost_sql_add(s, out, ")") : e;
}

static enum err write_leaf(struct cost_sql *s, const struct vql_node *n, unsigned tag_depth, struct buf *out)
{
    if (n->field == VQL_TAG_VALUE)
        return cost_tags_some(s, n->key, n, tag_depth, out);
    if (n->field != VQL_TAG_NAME)
        return write_test(s, n, out);
    if (n->op != VQL_NULL)
        return cost_tags_some(s, n, NULL, tag_depth, out);
    enum err e = cost_sql_add(s, out, "NOT ");
    return e == ERR_OK ? cost_tags_some(s, NULL, NULL, tag_depth, out) : e;
}

enum err cost_sql_node(struct cost_sql *s, const struct vql_node *n, unsigned tag_depth, struct buf *out)
{
    enum err e;
    switch (n->kind) {
    case VQL_AND:
    case VQL_OR:
        return write_list(s, n, 0, n->child_count, tag_depth, out);
    case VQL_NOT:
        e = cost_sql_add(s, out, "NOT (");
        if (e == ERR_OK)
            e = cost_sql_node(s, n->children[0], tag_depth, out);
        return e == ERR_OK ? cost_sql_add(s, out, ")") : e;
    case VQL_PAIRS:
        return cost_tags_pairs(s, n, tag_depth, out);
    case VQL_SHARE: /* in the filter of a tag: nothing to be shared */
        return cost_sql_add(s, out, "1");
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
enum err cost_sql_keep(struct cost_sql *s, struct buf *text, struct str *ret)
{
    *ret = arena_dup(s->arena, buf_str(text));
    buf_reset(text);
    return ret->p ? ERR_OK : cost_sql_too_complex(s);
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
        return cost_sql_too_complex(s);
    for (unsigned i = 0; i < a->count; i++) {
        for (unsigned k = 0; k < b->count; k++) {
            struct branch *to = &product.list[product.count++];
            if (!buf_printf(text, "(%.*s AND %.*s)", STR_ARG(a->list[i].sql), STR_ARG(b->list[k].sql)))
                return cost_sql_too_complex(s);
            enum err e = cost_sql_keep(s, text, &to->sql);
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
    enum err e = cost_sql_node(s, n, 0, text);
    return e == ERR_OK ? cost_sql_keep(s, text, &ret->list[0].sql) : e;
}

/* The children without a share as one condition. */
static enum err plain_children(struct cost_sql *s, const struct vql_node *n, struct buf *text, struct branches *ret)
{
    struct vql_node **plain = arena_alloc(s->arena, n->child_count * sizeof *plain);
    struct vql_node list = {.kind = n->kind, .children = plain};
    if (!plain)
        return cost_sql_too_complex(s);
    for (size_t i = 0; i < n->child_count; i++)
        if (!has_share(n->children[i]))
            plain[list.child_count++] = n->children[i];
    ret->count = 1;
    ret->list[0] = (struct branch){STR("1"), WEIGHT_ONE};
    if (!list.child_count)
        return ERR_OK;
    enum err e = write_list(s, &list, 0, list.child_count, 0, text);
    return e == ERR_OK ? cost_sql_keep(s, text, &ret->list[0].sql) : e;
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
            return cost_sql_too_complex(s);
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
    e = ok ? cost_sql_keep(s, text, &s->where) : cost_sql_too_complex(s);
    ok = buf_add_str(text, STR("CASE"));
    for (unsigned i = 0; ok && i < all.count; i++)
        ok = buf_printf(text, " WHEN %.*s THEN %u", STR_ARG(all.list[i].sql), i);
    ok = ok && buf_add_str(text, STR(" END"));
    if (e == ERR_OK)
        e = ok ? cost_sql_keep(s, text, &s->weight) : cost_sql_too_complex(s);
    return e;
}

static enum err compile_group(struct cost_sql *s, unsigned at, struct buf *text)
{
    enum cost_by by = s->q->groups[at].by;
    const struct cost_column *c = &s->source->groups[by];
    if (by == COST_BY_TAGGED)
        return cost_tags_tagged(s, at, text);
    if (by == COST_BY_TAG || by == COST_BY_SEGMENT)
        return cost_tags_group(s, at, text);
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
        return cost_sql_too_complex(s);
    buf_init(&text, COST_SQL_MAX);
    enum err e = compile_filters(s, &text);
    for (unsigned i = 0; e == ERR_OK && i < s->q->group_count; i++)
        e = compile_group(s, i, &text);
    bool ok = e == ERR_OK && s->split_count > 0 && buf_printf(&text, "(%.*s)", STR_ARG(s->where));
    for (unsigned i = 0; ok && i < s->split_count; i++)
        ok = buf_printf(&text, " AND %.*s", STR_ARG(s->splits[i].valid));
    if (e == ERR_OK && s->split_count)
        e = ok ? cost_sql_keep(s, &text, &s->where) : cost_sql_too_complex(s);
    buf_free(&text);
    return e;
}

/* --- what a ledger's statement is put together of -------------------------------------------- */

unsigned cost_sql_column_count(const struct cost_sql *s)
{
    return s->q->group_count + s->split_count;
}

bool cost_sql_columns(const struct cost_sql *s, struct buf *out)
{
    bool ok = true;
    for (unsigned i = 0; ok && i < s->q->group_count; i++)
        ok = buf_printf(out, ", %.*s", STR_ARG(s->groups[i]));
    for (unsigned i = 0; ok && i < s->split_count; i++)
        ok = buf_printf(out, ", %.*s", STR_ARG(s->splits[i].column));
    return ok;
}

bool cost_sql_joins(const struct cost_sql *s, struct buf *out)
{
    bool ok = true;
    for (unsigned i = 0; ok && i < s->split_count; i++)
        ok = buf_printf(out, " CROSS JOIN json_each(?%d) AS t%u", s->splits[i].param, i);
    return ok;
}

static uint32_t text_of(struct cost_table *t, const struct cost_texts *texts, int64_t id)
{
    struct str text = STR(""), name = STR("");
    return cost_texts_find(texts, id, &text, &name) ? cost_table_text(t, text, name) : 0;
}

enum err cost_sql_values(const struct cost_sql *s, struct cost_table *t, int64_t weight, const int64_t *columns,
                         struct cost_part *ret)
{
    if (weight < 0 || weight >= (int64_t)s->weight_count)
        return ERR_CORRUPT;
    ret->weight = s->weights[weight];
    for (unsigned i = 0; i < s->q->group_count; i++)
        ret->values[i] =
            s->texts[i] ? text_of(t, s->texts[i], columns[i]) : cost_table_text(t, s->constants[i], STR(""));
    ret->cut_count = s->split_count;
    for (unsigned i = 0; i < s->split_count; i++) {
        enum err e = cost_tags_cut(&s->splits[i], columns[s->q->group_count + i], &ret->cuts[s->splits[i].rank]);
        if (e != ERR_OK)
            return e;
    }
    return ERR_OK;
}

static void give_plan(const struct cost_sql *s, struct store_db *db, struct str sql)
{
    struct store_stmt *st;
    struct buf text;
    bool row = false;
    buf_init(&text, COST_SQL_MAX * 2);
    bool ok = buf_add_str(&text, STR("EXPLAIN QUERY PLAN ")) && buf_add_str(&text, sql) && buf_add_byte(&text, '\0');
    if (ok && store_prepare_once(db, buf_str(&text).p, &st) == ERR_OK) {
        while (store_step(st, &row) == ERR_OK && row)
            s->q->plan(s->q->plan_context, store_text(st, 3));
        store_drop(st);
    }
    buf_free(&text);
}

enum err cost_sql_prepare(struct cost_sql *s, struct store_db *db, const struct buf *sql, struct store_stmt **ret)
{
    struct str text = arena_dup(s->arena, buf_str(sql));
    if (!text.p)
        return cost_sql_too_complex(s);
    if (s->q->plan)
        give_plan(s, db, text);
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

static uint64_t tag_fields(const struct cost_tag *t)
{
    uint64_t bits = 0;
    for (size_t k = 0; k < t->count; k++) {
        bits |= fields_of(t->values[k].filter);
        for (size_t i = 0; i < t->values[k].within_count; i++)
            bits |= fields_of(t->values[k].within[i]);
    }
    return bits;
}

enum err cost_sql_fields(const struct cost_query *q, struct cost_error *error, uint64_t *ret_fields, bool *ret_tags)
{
    uint64_t bits = 0;
    bool tags = false;
    if (q->tag_count > COST_TAGS_MAX) {
        cost_error_set(error, "There are more than %d tags.", COST_TAGS_MAX);
        return ERR_BAD_PARAMETER;
    }
    for (size_t i = 0; i < q->filter_count; i++)
        bits |= fields_of(q->filters[i]);
    for (unsigned i = 0; i < q->group_count; i++) {
        tags = tags || q->groups[i].by == COST_BY_TAG || q->groups[i].by == COST_BY_TAGGED;
        if (q->groups[i].by == COST_BY_SEGMENT && q->segments)
            bits |= tag_fields(q->segments);
    }
    tags = tags || (bits & TAG_FIELDS);
    for (size_t i = 0; tags && i < q->tag_count; i++)
        bits |= tag_fields(&q->tags[i]);
    *ret_fields = bits;
    *ret_tags = tags;
    return ERR_OK;
}
