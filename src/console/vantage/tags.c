/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tag keys of billed costs: the virtual ones, and those that files of costs bring along. Hiding a key is for people's
 * lists; here it is always shown.
 */
#include "base/must.h"
#include "console/console_inner.h"
#include "console/vantage/accounts.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"
#include "report/question/question.h"

/* `made`: by people; else files bring it. */
static void write_providers(struct json_write *w, bool made)
{
    json_write_key(w, STR("providers"));
    json_write_array(w);
    json_write_string(w, made ? STR("open_ai") : STR("custom_provider"));
    json_write_array_end(w);
}

static void write_tag(struct json_write *w, const struct doc *doc)
{
    struct jdoc body;
    jdoc_init(&body);
    bool ok = jdoc_parse(&body, doc->body);
    must(ok); /* ours */
    json_write_object(w);
    json_write_member_string(w, "tag_key", doc->title);
    json_write_member_bool(w, "hidden", jdoc_true(jdoc_get(jdoc_root(&body), "hidden")));
    json_write_member_bool(w, "preferred", jdoc_true(jdoc_get(jdoc_root(&body), "preferred")));
    write_providers(w, doc->id != 0);
    json_write_object_end(w);
    jdoc_free(&body);
}

/* The tags of everything that the caller sees. NULL when there are no files, or they cannot be read. */
static struct question *file_tags(struct job *j, size_t *ret_first)
{
    char why[QUESTION_WHY_MAX];
    struct question *q = NULL;
    struct accounts seen;
    struct sight s;
    if (!ask_sight(j, &s))
        return NULL;
    struct bill_reader *r = accounts_reader(j);
    bool ok = r && accounts_seen(j, r, &s, 0, &seen) &&
              question_new(ask_docs(j), j->key->workspace_id, j->arena, &q, why) == ERR_OK;
    *ret_first = ok ? q->query.tag_count : 0;
    ok = ok && question_file_tags(q, r, seen.list, seen.count) == ERR_OK;
    bill_reader_close(r);
    if (ok)
        return q;
    question_free(q);
    return NULL;
}

/* Keys that only files have, behind the others, as tags that nobody made. */
static void add_file_tags(struct job *j, struct str search, struct doc **list, size_t *count)
{
    size_t first;
    struct question *q = file_tags(j, &first);
    size_t more = q ? q->query.tag_count - first : 0;
    struct doc *all = more ? arena_alloc(j->arena, (*count + more) * sizeof *all) : NULL;
    if (all) {
        if (*count)
            memcpy(all, *list, *count * sizeof *all);
        for (size_t i = first; i < q->query.tag_count; i++)
            if (!search.n || str_search(q->query.tags[i].key, search) >= 0)
                all[(*count)++] = (struct doc){.title = q->query.tags[i].key, .body = STR("{}")};
        *list = all;
    }
    question_free(q);
}

/* All tags, or those found by a text. False when the job was answered. */
static bool read_tags(struct job *j, struct str search, struct doc **ret, size_t *ret_count)
{
    struct docs_query q = {.kind = DOCS_VIRTUAL_TAG, .search = search, .limit = DOCS_COUNT_MAX};
    uint64_t total;
    enum err e = docs_list(ask_docs(j), &q, j->arena, ret, ret_count, &total);
    if (e != ERR_OK)
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
    return e == ERR_OK;
}

static void sort_tags(struct doc *list, size_t count, bool down)
{
    for (size_t i = 1; i < count; i++) { /* few */
        struct doc one = list[i];
        size_t at = i;
        for (; at && (down ? str_cmp(list[at - 1].title, one.title) < 0 : str_cmp(list[at - 1].title, one.title) > 0);
             at--)
            list[at] = list[at - 1];
        list[at] = one;
    }
}

static void reply(struct job *j, const struct vantage_page *page, const struct doc *list, size_t count)
{
    job_reply_json(j, 200);
    json_write_object(&j->json);
    vantage_links(j, page, count, false);
    json_write_key(&j->json, STR("tags"));
    json_write_array(&j->json);
    for (size_t i = (page->page - 1) * page->limit, n = 0; i < count && n < page->limit; i++, n++)
        write_tag(&j->json, &list[i]);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

void tags_list(struct job *j)
{
    struct vantage_page page;
    struct str providers[ASK_LIST_MAX];
    struct doc *list;
    size_t count, asked;
    bool ours = true;
    if (!vantage_page_read(j, 100, 1000, &page) || !ask_list(j, "providers", providers, &asked) ||
        !read_tags(j, ask_text(j, "search_query"), &list, &count))
        return;
    if (!asked)
        add_file_tags(j, ask_text(j, "search_query"), &list, &count);
    for (size_t i = 0; i < asked; i++)
        ours = i == 0 ? str_eq(providers[i], STR("open_ai")) : ours || str_eq(providers[i], STR("open_ai"));
    sort_tags(list, count, str_eq(ask_text(j, "sort_direction"), STR("desc")));
    reply(j, &page, list, ours ? count : 0);
}

static bool is_named(struct job *j, struct jval given, struct str key)
{
    struct jval many = jdoc_get(given, "tag_keys");
    if (str_eq(jdoc_text(jdoc_get(given, "tag_key"), j->arena), key))
        return true;
    for (struct jval v = jdoc_first(many); jdoc_kind(many) == JDOC_ARRAY && jdoc_has(v); v = jdoc_next(many, v))
        if (str_eq(jdoc_text(v, j->arena), key))
            return true;
    return false;
}

static void update(struct job *j, struct jval given)
{
    const struct vantage_page page = {1, 1000};
    struct jval only[2] = {jdoc_get(given, "hidden"), jdoc_get(given, "preferred")};
    struct doc *list;
    struct jdoc change;
    size_t count, found = 0;
    struct buf text;
    if (!read_tags(j, STR(""), &list, &count))
        return;
    buf_init(&text, 4096);
    jdoc_init(&change);
    bool flags = (!jdoc_has(only[0]) || jdoc_kind(only[0]) == JDOC_TRUE || jdoc_kind(only[0]) == JDOC_FALSE) &&
                 (!jdoc_has(only[1]) || jdoc_kind(only[1]) == JDOC_TRUE || jdoc_kind(only[1]) == JDOC_FALSE);
    struct str hidden = jdoc_has(only[0]) ? jdoc_raw(only[0]) : STR("null");
    struct str preferred = jdoc_has(only[1]) ? jdoc_raw(only[1]) : STR("null");
    bool ok = flags && buf_printf(&text, "{\"hidden\":%.*s,\"preferred\":%.*s}", STR_ARG(hidden), STR_ARG(preferred)) &&
              jdoc_parse(&change, buf_str(&text));
    enum err e = ERR_OK;
    for (size_t i = 0; ok && e == ERR_OK && i < count; i++)
        if (is_named(j, given, list[i].title)) {
            e = docs_update(ask_docs(j), &list[i], jdoc_root(&change), j->arena, &list[i]);
            list[found++] = list[i];
        }
    if (!ok)
        vantage_fail(j, 400, "hidden and preferred must be true or false");
    else if (e != ERR_OK)
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
    else if (!found)
        vantage_fail(j, 404, "There is no such tag; tag_key or tag_keys[] name some");
    else
        reply(j, &page, list, found);
    jdoc_free(&change);
    buf_free(&text);
}

void tags_update(struct job *j)
{
    struct jdoc body;
    if (!ask_body(j, &body))
        return;
    update(j, jdoc_root(&body));
    jdoc_free(&body);
}

static void write_value(struct job *j, struct str value, bool made)
{
    if (!value.n)
        return;
    json_write_object(&j->json);
    json_write_member_string(&j->json, "tag_value", value);
    write_providers(&j->json, made);
    json_write_object_end(&j->json);
}

/* Values by metrics and by other costs are not known before costs are asked for. */
static void write_values(struct job *j, struct jval list)
{
    for (struct jval v = jdoc_first(list); jdoc_has(v); v = jdoc_next(list, v)) {
        struct jval shares = jdoc_get(v, "percentages");
        write_value(j, jdoc_text(jdoc_get(v, "name"), j->arena), true);
        for (struct jval s = jdoc_first(shares); jdoc_has(s); s = jdoc_next(shares, s))
            write_value(j, jdoc_text(jdoc_get(s, "value"), j->arena), true);
    }
}

/* Values of a key that only files have. */
static void list_file_values(struct job *j, const struct vantage_page *page, struct str key)
{
    size_t first;
    struct question *q = file_tags(j, &first);
    const struct cost_tag *tag = NULL;
    for (size_t i = q ? first : 0; q && i < q->query.tag_count; i++)
        if (str_eq(q->query.tags[i].key, key))
            tag = &q->query.tags[i];
    if (!tag) {
        vantage_fail(j, 404, "There is no such tag");
    } else {
        job_reply_json(j, 200);
        json_write_object(&j->json);
        vantage_links(j, page, tag->count, false);
        json_write_key(&j->json, STR("tag_values"));
        json_write_array(&j->json);
        for (size_t i = 0; i < tag->count; i++)
            write_value(j, tag->values[i].value, false);
        json_write_array_end(&j->json);
        json_write_object_end(&j->json);
    }
    question_free(q);
}

void tags_values(struct job *j)
{
    struct vantage_page page;
    struct doc *list;
    struct jdoc body;
    struct str key = ask_token(j, 0);
    size_t count, at = 0;
    if (!vantage_page_read(j, 1000, 1000, &page) || !read_tags(j, STR(""), &list, &count))
        return;
    while (at < count && !str_eq(list[at].title, key))
        at++;
    if (at == count) {
        list_file_values(j, &page, key);
        return;
    }
    jdoc_init(&body);
    bool ok = jdoc_parse(&body, list[at].body);
    must(ok);
    struct jval values = jdoc_get(jdoc_root(&body), "values");
    job_reply_json(j, 200);
    json_write_object(&j->json);
    vantage_links(j, &page, jdoc_size(values), false);
    json_write_key(&j->json, STR("tag_values"));
    json_write_array(&j->json);
    write_values(j, values);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
    jdoc_free(&body);
}
