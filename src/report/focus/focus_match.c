/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters and tags, evaluated for one row in memory. Elsewhere they become SQL (report/cost); here every row is read
 * anyway, and a row's tags are wanted as texts. A tag that is asked for while it is being worked out, because
 * tags follow from each other in a circle, counts as not there.
 */
#include "base/json_write.h"
#include "report/focus/focus_row.h"
#include "report/vql/vql.h"

#define TAGS_TEXT_MAX (60u << 10)

enum known { UNKNOWN, WORKING, KNOWN };

struct matching {
    const struct focus_query *q;
    const struct focus_subject *s;
    enum known known[COST_TAGS_MAX];
    struct str value[COST_TAGS_MAX]; /* p == NULL: none */
};

static bool passes(struct matching *m, const struct vql_node *n);

/* --- tags ------------------------------------------------------------------------------------ */

static bool holds(struct matching *m, const struct cost_tag_value *v)
{
    bool now = v->span_count == 0, all = true;
    for (size_t i = 0; !now && i < v->span_count; i++)
        now = m->s->day >= v->spans[i].from_day && m->s->day < v->spans[i].until_day;
    if (!now || (v->filter && vql_root(v->filter) && !passes(m, vql_root(v->filter))))
        return false;
    for (size_t i = 0; all && i < v->within_count; i++)
        all = !vql_root(v->within[i]) || passes(m, vql_root(v->within[i]));
    return all;
}

/* A charge that a tag splits has several values of it, so none that could be written. */
static struct str value_of(struct matching *m, size_t i)
{
    const struct cost_tag *t = &m->q->tags[i];
    if (m->known[i] != UNKNOWN)
        return m->known[i] == KNOWN ? m->value[i] : (struct str){NULL, 0};
    m->known[i] = WORKING;
    m->value[i] = (struct str){NULL, 0};
    size_t v = m->s->day < t->from_day ? t->count : 0;
    while (v < t->count && !holds(m, &t->values[v]))
        v++;
    if (v < t->count && !COST_TAG_IS_SPLIT(&t->values[v]))
        m->value[i] = t->values[v].value;
    m->known[i] = KNOWN;
    return m->value[i];
}

static bool pair_passes(const struct vql_node *key, const struct vql_node *value, struct str k, struct str v)
{
    return (!key || vql_match(key, k)) && (!value || vql_match(value, v));
}

/* One of the tags has a key and a value that pass. */
static bool some_tag(struct matching *m, const struct vql_node *key, const struct vql_node *value)
{
    for (size_t i = 0; i < m->s->own_count; i++)
        if (pair_passes(key, value, m->s->own[i].key, m->s->own[i].value))
            return true;
    for (size_t i = 0; i < m->q->tag_count; i++) {
        if (key && !vql_match(key, m->q->tags[i].key))
            continue;
        struct str v = value_of(m, i);
        if (v.p && pair_passes(NULL, value, m->q->tags[i].key, v))
            return true;
    }
    return false;
}

static bool has_pair(struct matching *m, struct str key, struct str value)
{
    for (size_t i = 0; i < m->s->own_count; i++)
        if (str_eq(m->s->own[i].key, key) && str_eq(m->s->own[i].value, value))
            return true;
    for (size_t i = 0; i < m->q->tag_count; i++)
        if (str_eq(m->q->tags[i].key, key)) {
            struct str v = value_of(m, i);
            return v.p && str_eq(v, value);
        }
    return false;
}

/* --- a tree ---------------------------------------------------------------------------------- */

static bool test(struct matching *m, const struct vql_node *n)
{
    if (n->field == VQL_TAG_NAME)
        return n->op == VQL_NULL ? !some_tag(m, NULL, NULL) : some_tag(m, n, NULL);
    if (n->field == VQL_TAG_VALUE)
        return n->op == VQL_NULL ? !some_tag(m, n->key, NULL) : some_tag(m, n->key, n);
    if (vql_match(n, m->s->fields[n->field]))
        return true;
    return n->field == VQL_MODEL && n->op != VQL_NULL && vql_match(n, m->s->model_short);
}

/* As deep as the language allows. */
static bool passes(struct matching *m, const struct vql_node *n)
{
    bool all = true;
    switch (n->kind) {
    case VQL_AND:
        for (size_t i = 0; all && i < n->child_count; i++)
            all = passes(m, n->children[i]);
        return all;
    case VQL_OR:
        for (size_t i = 0; i < n->child_count; i++)
            if (passes(m, n->children[i]))
                return true;
        return false;
    case VQL_NOT:
        return !passes(m, n->children[0]);
    case VQL_TEST:
        return test(m, n);
    case VQL_PAIRS:
        for (size_t i = 0; all && i + 1 < n->value_count; i += 2)
            all = has_pair(m, n->values[i], n->values[i + 1]);
        return all;
    case VQL_SHARE:
        return true;
    }
    return false;
}

/* --- tags as JSON ---------------------------------------------------------------------------- */

/* A key that a file has and a virtual tag too has the virtual one's value, as in reports. */
static enum err write_tags(struct matching *m, struct arena *a, struct str *ret)
{
    struct json_write w;
    struct buf out;
    bool any = false;
    buf_init(&out, TAGS_TEXT_MAX);
    json_write_init(&w, &out);
    json_write_object(&w);
    for (size_t i = 0; i < m->q->tag_count; i++) {
        struct str v = value_of(m, i);
        if (!v.p)
            continue;
        any = true;
        json_write_key(&w, m->q->tags[i].key);
        json_write_string(&w, v);
    }
    for (size_t i = 0; i < m->s->own_count; i++) {
        bool taken = false;
        for (size_t k = 0; k < m->q->tag_count; k++)
            taken = taken || (str_eq(m->q->tags[k].key, m->s->own[i].key) && value_of(m, k).p);
        if (taken)
            continue;
        any = true;
        json_write_key(&w, m->s->own[i].key);
        json_write_string(&w, m->s->own[i].value);
    }
    json_write_object_end(&w);
    bool ok = json_write_done(&w);
    *ret = !any ? STR("") : ok ? arena_dup(a, buf_str(&out)) : (struct str){NULL, 0};
    buf_free(&out);
    return ret->p ? ERR_OK : ERR_OVERLOADED;
}

enum err focus_match(const struct focus_query *q, const struct focus_subject *s, struct arena *a, bool *ret_passes,
                     struct str *ret_tags)
{
    struct matching m = {.q = q, .s = s};
    *ret_passes = true;
    *ret_tags = STR("");
    for (size_t i = 0; *ret_passes && i < q->filter_count; i++) {
        const struct vql_node *root = q->filters[i] ? vql_root(q->filters[i]) : NULL;
        *ret_passes = !root || passes(&m, root);
    }
    return *ret_passes && (q->tag_count || s->own_count) ? write_tags(&m, a, ret_tags) : ERR_OK;
}
