/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tags as SQL. What a key's value is follows from filters: the first value whose filter is true (CASE). Filters of
 * tags may test tags; a circle shows as depth.
 *
 * A value is a number: value × SHARES + share, or NATIVES + the id of a metadata's text, or below 0 none. Where some
 * of a tag's values are split, its rows come once for each share (cost_sql.h), and the number of the share
 * picks the alternative in tests and groups alike; so a filter on such a tag counts the share only.
 */
#include <stdio.h>

#include "base/must.h"
#include "report/cost/cost_sql.h"

#define TAG_DEPTH_MAX 8
#define SHARES 4096
#define NATIVES (INT64_C(1) << 32)
#define NATIVES_TEXT "4294967296"
#define NONE (-1)
#define DIRECT (-2)
#define NATIVES_MAX 8
#define WHOLE_MAX (INT64_MAX / 4)

_Static_assert(SHARES > COST_SHARES_MAX + 1, "a share's number fits");

/* A key that charges may have a value of. */
struct key {
    struct str text;
    const struct cost_tag *tag; /* NULL: metadata only */
    const char *first;          /* SQL: metadata that goes before the tag's values; NULL: none */
    const char *rest[NATIVES_MAX];
    unsigned rest_count;
    const struct cost_split *split; /* NULL: none of its values is split */
};

static enum err write_id(struct cost_sql *s, const struct key *k, unsigned tag_depth, struct buf *out);

/* --- shares ---------------------------------------------------------------------------------- */

static bool counts(const struct cost_share *share, int64_t month)
{
    return (share->month == COST_MONTH_ANY || share->month == month) && share->weight > 0;
}

static enum err too_many_shares(struct cost_sql *s, const struct cost_tag *t)
{
    cost_error_set(s->error, "A value of the tag %.*s has more than %d shares in a month.",
                   STR_ARG(str_head(t->key, 100)), COST_SHARES_MAX);
    return ERR_BAD_PARAMETER;
}

/* What the weights add up to and the number of those that count. */
static bool sum_up(const struct cost_tag_value *v, int64_t month, money_sum *ret_sum, size_t *ret_count)
{
    *ret_sum = 0;
    *ret_count = 0;
    for (size_t i = 0; i < v->share_count; i++) {
        if (!counts(&v->shares[i], month))
            continue;
        ++*ret_count;
        if (__builtin_add_overflow(*ret_sum, v->shares[i].weight, ret_sum))
            return false;
    }
    return *ret_count <= COST_SHARES_MAX;
}

static enum err make_alternatives(struct cost_sql *s, const struct cost_tag *t, const struct cost_tag_value *v,
                                  struct cost_alternatives *ret)
{
    money_sum sum, at = 0, whole;
    size_t count;
    unsigned shift = 0;
    *ret = (struct cost_alternatives){.of = v};
    if (!sum_up(v, s->piece->month, &sum, &count))
        return too_many_shares(s, t);
    if (!count)
        return ERR_OK;
    whole = v->whole > sum ? v->whole : sum;
    while (whole >> shift > WHOLE_MAX)
        shift++;
    struct cost_alternative *list = arena_alloc(s->arena, (count + 1) * sizeof *list);
    if (!list)
        return cost_sql_too_complex(s);
    for (size_t i = 0; i < v->share_count; i++) {
        if (!counts(&v->shares[i], s->piece->month))
            continue;
        int64_t from = (int64_t)(at >> shift);
        at += v->shares[i].weight;
        list[ret->count++] = (struct cost_alternative){v->shares[i].value, from, (int64_t)(at >> shift)};
    }
    if (whole > sum)
        list[ret->count++] = (struct cost_alternative){STR(""), (int64_t)(sum >> shift), (int64_t)(whole >> shift)};
    ret->list = list;
    ret->whole = (int64_t)(whole >> shift);
    return ERR_OK;
}

/* --- keys ------------------------------------------------------------------------------------ */

static const char *native_of(const struct cost_sql *s, struct str key)
{
    for (size_t i = 0; i < s->source->native_count; i++)
        if (str_eq(s->source->natives[i].key, key))
            return s->source->natives[i].sql;
    return NULL;
}

static void add_rest(struct key *k, const char *sql)
{
    if (sql && k->rest_count < NATIVES_MAX)
        k->rest[k->rest_count++] = sql;
}

static bool is_split(const struct cost_tag *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (COST_TAG_IS_SPLIT(&t->values[i]))
            return true;
    return false;
}

static enum err split_list(struct cost_sql *s, struct cost_split *p)
{
    size_t most = 1;
    struct cost_alternatives *values = arena_alloc(s->arena, (p->tag->count + 1) * sizeof *values);
    enum err e = values ? ERR_OK : cost_sql_too_complex(s);
    for (size_t i = 0; e == ERR_OK && i < p->tag->count; i++) {
        e = make_alternatives(s, p->tag, &p->tag->values[i], &values[i]);
        most = e == ERR_OK && values[i].count > most ? values[i].count : most;
    }
    int64_t *numbers = e == ERR_OK ? arena_alloc(s->arena, most * sizeof *numbers) : NULL;
    if (!numbers)
        return e == ERR_OK ? cost_sql_too_complex(s) : e;
    for (size_t i = 0; i < most; i++)
        numbers[i] = (int64_t)i;
    struct str json = cost_sql_list(s->arena, numbers, most);
    p->values = values;
    return json.p ? cost_sql_json(s, json, &p->param) : cost_sql_too_complex(s);
}

static enum err write_filters(struct cost_sql *s, const struct cost_tag_value *v, unsigned tag_depth, struct buf *out);

/* "t0.value < CASE WHEN … THEN 2 ELSE 1 END" */
static enum err write_valid(struct cost_sql *s, const struct key *k, unsigned tag_depth, struct buf *out)
{
    enum err e = buf_printf(out, "t%td.value < CASE", k->split - s->splits) ? ERR_OK : cost_sql_too_complex(s);
    if (e == ERR_OK && k->first)
        e = buf_printf(out, " WHEN %s > 0 THEN 1", k->first) ? ERR_OK : cost_sql_too_complex(s);
    for (size_t i = 0; e == ERR_OK && i < k->tag->count; i++) {
        size_t count = k->split->values[i].count;
        e = cost_sql_add(s, out, " WHEN ");
        if (e == ERR_OK)
            e = write_filters(s, &k->tag->values[i], tag_depth, out);
        if (e == ERR_OK)
            e = buf_printf(out, " THEN %zu", count ? count : 1) ? ERR_OK : cost_sql_too_complex(s);
    }
    return e == ERR_OK ? cost_sql_add(s, out, " ELSE 1 END") : e;
}

/* The tag's split; made at its first use. */
static enum err find_split(struct cost_sql *s, struct key *k, unsigned tag_depth)
{
    struct buf text;
    for (unsigned i = 0; i < s->split_count; i++) {
        if (s->splits[i].tag == k->tag) {
            k->split = &s->splits[i];
            return ERR_OK;
        }
    }
    if (s->split_count == COST_SPLITS_MAX) {
        cost_error_set(s->error, "More than %d tags with shares in one question.", COST_SPLITS_MAX);
        return ERR_BAD_PARAMETER;
    }
    struct cost_split *p = &s->splits[s->split_count++];
    *p = (struct cost_split){.tag = k->tag, .valid = STR("1"), .column = STR("0")};
    k->split = p;
    enum err e = split_list(s, p);
    if (e != ERR_OK)
        return e;
    buf_init(&text, COST_SQL_MAX);
    e = write_valid(s, k, tag_depth, &text);
    if (e == ERR_OK)
        e = cost_sql_keep(s, &text, &p->valid);
    if (e == ERR_OK)
        e = write_id(s, k, tag_depth, &text);
    if (e == ERR_OK)
        e = cost_sql_keep(s, &text, &p->column);
    p->rank = s->ranked++; /* behind those that its filters test */
    buf_free(&text);
    return e;
}

static enum err key_of(struct cost_sql *s, struct str text, const struct cost_tag *t, unsigned tag_depth,
                       struct key *ret)
{
    const char *own = native_of(s, text);
    *ret = (struct key){.text = text, .tag = t};
    if (t && !t->overridable)
        ret->first = own;
    add_rest(ret, own); /* behind `first` only what is not above 0 */
    for (size_t i = 0; t && i < t->collapsed_count; i++)
        add_rest(ret, native_of(s, t->collapsed[i]));
    return t && is_split(t) ? find_split(s, ret, tag_depth) : ERR_OK;
}

static const struct cost_tag *tag_of(const struct cost_sql *s, struct str key)
{
    for (size_t i = 0; i < s->piece->tag_count; i++)
        if (str_eq(s->piece->tags[i].key, key))
            return &s->piece->tags[i];
    return NULL;
}

/* --- pieces of SQL --------------------------------------------------------------------------- */

static enum err write_filter(struct cost_sql *s, const struct vql *filter, unsigned tag_depth, struct buf *out)
{
    const struct vql_node *root = filter ? vql_root(filter) : NULL;
    return root ? cost_sql_node(s, root, tag_depth, out) : cost_sql_add(s, out, "1");
}

/* All filters of a value. */
static enum err write_filters(struct cost_sql *s, const struct cost_tag_value *v, unsigned tag_depth, struct buf *out)
{
    if (tag_depth >= TAG_DEPTH_MAX) {
        cost_error_set(s->error, "Tags that follow from tags go too deep, or in a circle.");
        return ERR_BAD_PARAMETER;
    }
    enum err e = write_filter(s, v->filter, tag_depth + 1, out);
    for (size_t i = 0; e == ERR_OK && i < v->within_count; i++) {
        e = cost_sql_add(s, out, " AND ");
        if (e == ERR_OK)
            e = write_filter(s, v->within[i], tag_depth + 1, out);
    }
    return e;
}

/* The rest of the metadata as one id: the first that is not 0. */
static bool add_natives(const struct key *k, struct buf *out)
{
    bool ok = buf_add_str(out, STR("COALESCE("));
    for (unsigned i = 0; ok && i < k->rest_count; i++)
        ok = buf_printf(out, "NULLIF(%s, 0), ", k->rest[i]);
    return ok && buf_add_str(out, STR("0)"));
}

/* ELSE what metadata says, `format` around its id, or `none`. END. */
static enum err write_else(struct cost_sql *s, const struct key *k, const char *none, struct buf *out)
{
    if (!k->rest_count)
        return buf_printf(out, " ELSE %s END", none) ? ERR_OK : cost_sql_too_complex(s);
    bool ok = buf_add_str(out, STR(" ELSE CASE WHEN ")) && add_natives(k, out) &&
              buf_add_str(out, STR(" > 0 THEN " NATIVES_TEXT " + ")) && add_natives(k, out) &&
              buf_add_str(out, STR(" WHEN ")) && add_natives(k, out) &&
              buf_printf(out, " < 0 THEN %d ELSE %s END END", DIRECT, none);
    return ok ? ERR_OK : cost_sql_too_complex(s);
}

/* The number of the value that a charge has. */
static enum err write_id(struct cost_sql *s, const struct key *k, unsigned tag_depth, struct buf *out)
{
    enum err e = cost_sql_add(s, out, "CASE");
    if (e == ERR_OK && k->first)
        e = buf_printf(out, " WHEN %s > 0 THEN " NATIVES_TEXT " + %s", k->first, k->first) ? ERR_OK
                                                                                           : cost_sql_too_complex(s);
    for (size_t i = 0; k->tag && e == ERR_OK && i < k->tag->count; i++) {
        bool split = k->split && k->split->values[i].count;
        e = cost_sql_add(s, out, " WHEN ");
        if (e == ERR_OK)
            e = write_filters(s, &k->tag->values[i], tag_depth, out);
        if (e == ERR_OK)
            e = buf_printf(out, " THEN %zu", i * SHARES) ? ERR_OK : cost_sql_too_complex(s);
        if (e == ERR_OK && split)
            e = buf_printf(out, " + t%td.value", k->split - s->splits) ? ERR_OK : cost_sql_too_complex(s);
    }
    if (e == ERR_OK && !k->first && !(k->tag && k->tag->count))
        e = cost_sql_add(s, out, " WHEN 0 THEN 0");
    return e == ERR_OK ? write_else(s, k, "-1", out) : e;
}

/* --- tests ----------------------------------------------------------------------------------- */

/* What a value must be: pass a test, be a text, or (neither) be there. */
struct wanted {
    const struct vql_node *test;
    const struct str *text;
};

static bool passes(const struct wanted *w, struct str value)
{
    if (w->test)
        return vql_match(w->test, value);
    return w->text ? str_eq(*w->text, value) : value.n > 0;
}

static const void *name_of(const struct wanted *w)
{
    static const char any[] = "any";
    return w->test ? (const void *)w->test : w->text ? (const void *)w->text : any;
}

/* " IN (SELECT value FROM json_each(?n))" of the numbers from 0 on, or ids, whose text passes. */
static enum err write_passing(struct cost_sql *s, const struct wanted *w, const struct cost_alternatives *list,
                              const struct cost_texts *texts, struct buf *out)
{
    size_t count = list ? list->count : texts->count, n = 0;
    int at;
    if (!cost_sql_set_known(s, name_of(w), list ? (const void *)list : (const void *)texts, &at)) {
        int64_t *ids = arena_alloc(s->arena, (count + 1) * sizeof *ids);
        for (size_t i = 0; ids && i < count; i++) {
            struct str text = list ? list->list[i].value : texts->texts[i];
            int64_t id = list ? (int64_t)i : texts->ids[i];
            if (text.n && id >= 0 && passes(w, text))
                ids[n++] = id;
        }
        struct str json = ids ? cost_sql_list(s->arena, ids, n) : STR("");
        enum err e = json.n ? cost_sql_set(s, name_of(w), list ? (const void *)list : (const void *)texts, json, &at)
                            : cost_sql_too_complex(s);
        if (e != ERR_OK)
            return e;
    }
    return buf_printf(out, " IN (SELECT value FROM json_each(?%d))", at) ? ERR_OK : cost_sql_too_complex(s);
}

static enum err write_value(struct cost_sql *s, const struct key *k, size_t i, const struct wanted *w, struct buf *out)
{
    const struct cost_tag_value *v = &k->tag->values[i];
    if (!k->split || !COST_TAG_IS_SPLIT(v))
        return cost_sql_add(s, out, v->value.n && passes(w, v->value) ? "1" : "0");
    const struct cost_alternatives *list = &k->split->values[i];
    if (!list->count)
        return cost_sql_add(s, out, "0");
    if (!buf_printf(out, "t%td.value", k->split - s->splits))
        return cost_sql_too_complex(s);
    return write_passing(s, w, list, NULL, out);
}

static enum err write_native(struct cost_sql *s, const char *before, const struct wanted *w, struct buf *out)
{
    enum err e = cost_sql_add(s, out, before);
    return e == ERR_OK ? write_passing(s, w, NULL, s->source->native_texts, out) : e;
}

/* Whether the key's value is one of those wanted. */
static enum err write_is(struct cost_sql *s, const struct key *k, const struct wanted *w, unsigned tag_depth,
                         struct buf *out)
{
    enum err e = cost_sql_add(s, out, "CASE");
    if (e == ERR_OK && k->first) {
        e = buf_printf(out, " WHEN %s > 0 THEN ", k->first) ? ERR_OK : cost_sql_too_complex(s);
        if (e == ERR_OK)
            e = write_native(s, k->first, w, out);
    }
    for (size_t i = 0; k->tag && e == ERR_OK && i < k->tag->count; i++) {
        e = cost_sql_add(s, out, " WHEN ");
        if (e == ERR_OK)
            e = write_filters(s, &k->tag->values[i], tag_depth, out);
        if (e == ERR_OK)
            e = cost_sql_add(s, out, " THEN ");
        if (e == ERR_OK)
            e = write_value(s, k, i, w, out);
    }
    if (e == ERR_OK && !k->first && !(k->tag && k->tag->count))
        e = cost_sql_add(s, out, " WHEN 0 THEN 0");
    if (e == ERR_OK && k->rest_count) {
        bool ok = buf_add_str(out, STR(" ELSE ")) && add_natives(k, out);
        e = ok ? write_native(s, "", w, out) : cost_sql_too_complex(s);
        return e == ERR_OK ? cost_sql_add(s, out, " END") : e;
    }
    return e == ERR_OK ? cost_sql_add(s, out, " ELSE 0 END") : e;
}

static enum err write_one(struct cost_sql *s, struct str text, const struct cost_tag *t, const struct wanted *w,
                          unsigned tag_depth, struct buf *out)
{
    struct key k;
    enum err e = key_of(s, text, t, tag_depth, &k);
    return e == ERR_OK ? write_is(s, &k, w, tag_depth, out) : e;
}

enum err cost_tags_some(struct cost_sql *s, const struct vql_node *key, const struct vql_node *value,
                        unsigned tag_depth, struct buf *out)
{
    const struct wanted w = {.test = value};
    size_t tags = s->piece->tag_count;
    bool first = true;
    enum err e = cost_sql_add(s, out, "(");
    for (size_t i = 0; e == ERR_OK && i < tags + s->source->native_count; i++) {
        const struct cost_tag *t = i < tags ? &s->piece->tags[i] : NULL;
        struct str text = t ? t->key : s->source->natives[i - tags].key;
        if ((key && !vql_match(key, text)) || (!t && tag_of(s, text)))
            continue;
        e = first ? ERR_OK : cost_sql_add(s, out, " OR ");
        first = false;
        if (e == ERR_OK)
            e = write_one(s, text, t, &w, tag_depth, out);
    }
    if (e == ERR_OK && first)
        e = cost_sql_add(s, out, "0");
    return e == ERR_OK ? cost_sql_add(s, out, ")") : e;
}

enum err cost_tags_pairs(struct cost_sql *s, const struct vql_node *n, unsigned tag_depth, struct buf *out)
{
    enum err e = cost_sql_add(s, out, "(1");
    for (size_t i = 0; e == ERR_OK && i < n->value_count; i += 2) {
        const struct wanted w = {.text = &n->values[i + 1]};
        const struct cost_tag *t = tag_of(s, n->values[i]);
        e = cost_sql_add(s, out, " AND ");
        if (e == ERR_OK)
            e = t || native_of(s, n->values[i]) ? write_one(s, n->values[i], t, &w, tag_depth, out)
                                                : cost_sql_add(s, out, "0");
    }
    return e == ERR_OK ? cost_sql_add(s, out, ")") : e;
}

/* --- groups ---------------------------------------------------------------------------------- */

static enum err add_text(struct cost_sql *s, struct cost_texts_make *m, int64_t id, struct str text)
{
    enum err e = cost_texts_add(m, id, text, STR(""));
    return e == ERR_OK ? e : cost_sql_too_complex(s);
}

static enum err add_value_texts(struct cost_sql *s, const struct key *k, struct cost_texts_make *m)
{
    enum err e = ERR_OK;
    for (size_t i = 0; k->tag && e == ERR_OK && i < k->tag->count; i++) {
        size_t count = k->split ? k->split->values[i].count : 0;
        if (!count)
            e = add_text(s, m, (int64_t)i * SHARES, k->tag->values[i].value);
        for (size_t a = 0; e == ERR_OK && a < count; a++)
            e = add_text(s, m, (int64_t)(i * SHARES + a), k->split->values[i].list[a].value);
    }
    return e;
}

static enum err make_texts(struct cost_sql *s, const struct key *k, struct str none, struct cost_texts *ret)
{
    struct cost_texts_make m = {.arena = s->arena};
    const struct cost_texts *natives = s->source->native_texts;
    enum err e = add_text(s, &m, NONE, none);
    if (e == ERR_OK)
        e = add_text(s, &m, DIRECT, STR(COST_DIRECT));
    if (e == ERR_OK)
        e = add_value_texts(s, k, &m);
    for (size_t i = 0; (k->first || k->rest_count) && e == ERR_OK && i < natives->count; i++)
        if (natives->ids[i] > 0)
            e = add_text(s, &m, NATIVES + natives->ids[i], natives->texts[i]);
    return e == ERR_OK ? cost_texts_end(&m, ret) : e;
}

enum err cost_tags_group(struct cost_sql *s, unsigned at, struct buf *text)
{
    bool segments = s->q->groups[at].by == COST_BY_SEGMENT;
    const struct cost_tag *t = segments ? s->q->segments : tag_of(s, s->q->groups[at].tag);
    struct str none = segments ? STR(COST_UNALLOCATED) : STR("");
    struct cost_texts *texts = arena_alloc(s->arena, sizeof *texts);
    struct key k;
    enum err e = texts ? ERR_OK : cost_sql_too_complex(s);
    if (e == ERR_OK)
        e = key_of(s, segments ? STR("") : s->q->groups[at].tag, t, 0, &k);
    if (e == ERR_OK)
        e = k.split ? ERR_OK : write_id(s, &k, 0, text);
    if (e == ERR_OK && k.split)
        s->groups[at] = k.split->column;
    else if (e == ERR_OK)
        e = cost_sql_keep(s, text, &s->groups[at]);
    s->texts[at] = texts;
    return e == ERR_OK ? make_texts(s, &k, none, texts) : e;
}

enum err cost_tags_tagged(struct cost_sql *s, unsigned at, struct buf *text)
{
    static const int64_t ids[] = {0, 1};
    static const struct str texts[] = {{"false", 5}, {"true", 4}}, names[] = {{"", 0}, {"", 0}};
    static const struct cost_texts table = {ids, texts, names, 2};
    enum err e = cost_tags_some(s, NULL, NULL, 0, text);
    s->texts[at] = &table;
    return e == ERR_OK ? cost_sql_keep(s, text, &s->groups[at]) : e;
}

enum err cost_tags_cut(const struct cost_split *split, int64_t column, struct cost_cut *ret)
{
    *ret = (struct cost_cut){0, 1, 1};
    if (column < 0 || column >= NATIVES)
        return ERR_OK;
    size_t value = (size_t)(column / SHARES), share = (size_t)(column % SHARES);
    if (value >= split->tag->count || share >= SHARES)
        return ERR_CORRUPT;
    const struct cost_alternatives *list = &split->values[value];
    if (!list->count)
        return ERR_OK;
    if (share >= list->count)
        return ERR_CORRUPT;
    *ret = (struct cost_cut){list->list[share].from, list->list[share].to, list->whole};
    return ERR_OK;
}
