/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tags that files of costs bring along. They are part of their line items (bill_line.h), in a normal form, so a value
 * is a filter on the text of line items, and everything that virtual tags can do they can do as well. A key
 * that is also a virtual tag's has that one's values first.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "report/bill/bill_line.h"
#include "report/question/question.h"

#define ITEMS_MAX 200000
#define FILTER_MAX 16384

struct pair {
    struct str key, value;
};
struct pairs {
    struct pair *list;
    size_t count, cap;
};

static int compare(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int d = str_cmp(x->key, y->key);
    return d ? d : str_cmp(x->value, y->value);
}

/* Each pair once. */
static void sort(struct pairs *p)
{
    size_t n = 0;
    if (p->count > 1)
        qsort(p->list, p->count, sizeof *p->list, compare);
    for (size_t i = 0; i < p->count; i++)
        if (!n || compare(&p->list[n - 1], &p->list[i]) != 0)
            p->list[n++] = p->list[i];
    p->count = n;
}

static bool add_item(struct pairs *p, struct str line_item, struct arena *a)
{
    struct jdoc doc;
    jdoc_init(&doc);
    struct str tags = bill_line_part(line_item, BILL_LINE_TAGS);
    struct jval object = tags.n && jdoc_parse(&doc, tags) ? jdoc_root(&doc) : (struct jval){0};
    bool fits = true;
    for (struct jval name = jdoc_first(object); fits && jdoc_has(name); name = jdoc_next(object, name)) {
        if (p->count == p->cap) {
            p->cap = p->cap ? p->cap * 2 : 64;
            p->list = mem_realloc(p->list, p->cap * sizeof *p->list);
        }
        struct pair one = {arena_dup(a, jdoc_text(name, a)), arena_dup(a, jdoc_text(jdoc_value(name), a))};
        fits = one.key.p && one.value.p;
        p->list[p->count++] = one;
    }
    jdoc_free(&doc);
    return fits;
}

/* What the line items of these accounts say; sorted now and then, so that few stay. */
static enum err load(struct store_db *db, struct str accounts, struct pairs *p, struct arena *a)
{
    struct store_stmt *st;
    bool row, fits = true;
    size_t sorted = 0, seen = 0;
    enum err e = store_prepare(db,
                               "SELECT line_item FROM items WHERE instr(line_item, char(9)) AND id IN (SELECT item"
                               " FROM places WHERE account IN (SELECT value FROM json_each(?1)))",
                               &st);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, accounts);
    while (fits && seen++ < ITEMS_MAX && (e = store_step(st, &row)) == ERR_OK && row) {
        fits = add_item(p, store_text(st, 0), a);
        if (p->count > 2 * sorted + 4096) {
            sort(p);
            sorted = p->count;
        }
    }
    store_clear(st);
    sort(p);
    return e == ERR_OK && !fits ? ERR_STORE_FAILED : e;
}

/* Four tabs stand before the tags, so nothing but the tags is looked at. A value's own '%' is written in another way. */
static bool write_pattern(struct buf *out, const struct pair *pair)
{
    struct buf json;
    buf_init(&json, FILTER_MAX);
    bool ok = json_write_quoted(&json, pair->key) && buf_add_byte(&json, ':') && json_write_quoted(&json, pair->value);
    struct str text = buf_str(&json);
    ok = ok && buf_add_str(out, STR("%\t%\t%\t%\t{%"));
    for (size_t i = 0; ok && i < text.n; i++)
        ok = text.p[i] == '%' ? buf_add_str(out, STR("\\u0025")) : buf_add_byte(out, text.p[i]);
    ok = ok && buf_add_byte(out, '%');
    buf_free(&json);
    return ok;
}

static enum err make_filter(struct question *q, const struct pair *pair, const struct bill_account *accounts,
                            size_t count, const struct vql **ret)
{
    struct vql_error error;
    struct vql *filter;
    struct buf pattern, text;
    bool first = true, ok;
    buf_init(&pattern, FILTER_MAX);
    buf_init(&text, VQL_TEXT_MAX);
    ok = write_pattern(&pattern, pair) && buf_add_byte(&text, '(');
    for (size_t i = 0; ok && i < count; i++) {
        char provider[COST_PROVIDER_MAX];
        if (accounts[i].kind != BILL_FILES)
            continue;
        cost_provider_format(accounts[i].id, provider);
        ok = buf_printf(&text, "%scosts.provider = '%s'", first ? "" : " OR ", provider);
        first = false;
    }
    ok = ok && buf_add_str(&text, STR(") AND costs.line_item LIKE ")) && vql_print_string(buf_str(&pattern), &text) &&
         q->owned_count < QUESTION_FILTERS_MAX && vql_parse(buf_str(&text), &filter, &error) == ERR_OK;
    if (ok)
        *ret = q->owned[q->owned_count++] = filter;
    buf_free(&pattern);
    buf_free(&text);
    return ok ? ERR_OK : ERR_BAD_PARAMETER;
}

/* The tag of that key; made when there is none yet. NULL: there are enough. */
static struct cost_tag *tag_of(struct question *q, struct str key)
{
    for (size_t i = 0; i < q->query.tag_count; i++)
        if (str_eq(q->tags[i].key, key))
            return &q->tags[i];
    if (q->query.tag_count == COST_TAGS_MAX)
        return NULL;
    q->tags[q->query.tag_count] = (struct cost_tag){.key = key};
    return &q->tags[q->query.tag_count++];
}

/* All pairs of one key, behind the values that it has. */
static enum err add_key(struct question *q, const struct pair *pairs, size_t count, const struct bill_account *accounts,
                        size_t account_count)
{
    struct cost_tag *tag = tag_of(q, pairs[0].key);
    if (!tag)
        return ERR_OK;
    struct cost_tag_value *values = arena_alloc(q->arena, COST_TAG_VALUES_MAX * sizeof *values);
    if (!values)
        return ERR_STORE_FAILED;
    if (tag->count)
        memcpy(values, tag->values, tag->count * sizeof *values);
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < count && tag->count < COST_TAG_VALUES_MAX; i++) {
        values[tag->count] = (struct cost_tag_value){.value = pairs[i].value};
        e = make_filter(q, &pairs[i], accounts, account_count, &values[tag->count].filter);
        tag->count += e == ERR_OK;
    }
    tag->values = values;
    return e;
}

static bool has_files(const struct bill_account *accounts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (accounts[i].kind == BILL_FILES)
            return true;
    return false;
}

static struct str ids_of(const struct bill_account *accounts, size_t count, struct arena *a)
{
    struct buf out;
    buf_init(&out, 1u << 20);
    bool ok = buf_add_byte(&out, '[');
    for (size_t i = 0; ok && i < count; i++)
        if (accounts[i].kind == BILL_FILES)
            ok = buf_printf(&out, "%s%lld", buf_size(&out) > 1 ? "," : "", (long long)accounts[i].id);
    ok = ok && buf_add_byte(&out, ']');
    struct str text = ok ? arena_dup(a, buf_str(&out)) : (struct str){NULL, 0};
    buf_free(&out);
    return text;
}

enum err question_file_tags(struct question *q, struct bill_reader *r, const struct bill_account *accounts,
                            size_t count)
{
    struct pairs p = {NULL, 0, 0};
    if (!r || !has_files(accounts, count))
        return ERR_OK;
    struct str ids = ids_of(accounts, count, q->arena);
    struct cost_tag *tags = arena_alloc(q->arena, COST_TAGS_MAX * sizeof *tags);
    if (!ids.p || !tags)
        return ERR_STORE_FAILED;
    if (q->query.tag_count)
        memcpy(tags, q->tags, q->query.tag_count * sizeof *tags);
    q->query.tags = q->tags = tags;
    enum err e = load(bill_reader_db(r), ids, &p, q->arena);
    for (size_t i = 0, end; e == ERR_OK && i < p.count; i = end) {
        for (end = i + 1; end < p.count && str_eq(p.list[end].key, p.list[i].key); end++)
            continue;
        e = add_key(q, &p.list[i], end - i, accounts, count);
    }
    mem_free(p.list);
    return e;
}
