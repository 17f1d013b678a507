/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers filters, groupings, settings and virtual tags of stored resources; report/cost does the rest. */
#include "report/question/question.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/must.h"

#define FAIL(e, ...) (snprintf(why, QUESTION_WHY_MAX, __VA_ARGS__), (enum err)(e))
#define PLACES_TOKEN_MAX 40

static struct str text_of(struct question *q, struct jval object, const char *name)
{
    struct str text = jdoc_text(jdoc_get(object, name), q->arena);
    return text.n ? arena_dup(q->arena, text) : STR("");
}

/* ---- filters ---- */

static struct vql *parse(struct question *q, struct str text, char why[QUESTION_WHY_MAX])
{
    struct vql_error error;
    struct vql *parsed;
    if (q->owned_count == QUESTION_FILTERS_MAX) {
        snprintf(why, QUESTION_WHY_MAX, "there are too many filters");
        return NULL;
    }
    if (vql_parse(text, &parsed, &error) != ERR_OK) {
        snprintf(why, QUESTION_WHY_MAX, "%s", error.text);
        return NULL;
    }
    return q->owned[q->owned_count++] = parsed;
}

enum err question_parse(struct question *q, struct str text, const struct vql **ret, char why[QUESTION_WHY_MAX])
{
    const struct vql *filter = parse(q, text, why);
    if (!filter)
        return ERR_BAD_PARAMETER;
    *ret = filter;
    return ERR_OK;
}

enum err question_filter(struct question *q, struct str text, char why[QUESTION_WHY_MAX])
{
    if (!str_trim(text).n)
        return ERR_OK;
    if (q->query.filter_count == COST_FILTERS_MAX)
        return FAIL(ERR_BAD_PARAMETER, "there are too many saved filters on this report and its folders");
    const struct vql *filter = parse(q, text, why);
    if (filter)
        q->filters[q->query.filter_count++] = filter;
    return filter ? ERR_OK : ERR_BAD_PARAMETER;
}

static enum err add_saved(struct question *q, struct jval list, char why[QUESTION_WHY_MAX])
{
    enum err e = ERR_OK;
    for (struct jval v = jdoc_first(list); e == ERR_OK && jdoc_has(v); v = jdoc_next(list, v)) {
        struct doc saved;
        struct jdoc body;
        if (docs_find_any(q->docs, DOCS_SAVED_FILTER, jdoc_text(v, q->arena), q->arena, &saved) != ERR_OK)
            continue;
        jdoc_init(&body);
        if (jdoc_parse(&body, saved.body))
            e = question_filter(q, text_of(q, jdoc_root(&body), "filter"), why);
        jdoc_free(&body);
    }
    return e;
}

static enum err add_folders(struct question *q, struct str token, char why[QUESTION_WHY_MAX])
{
    enum err e = ERR_OK;
    for (unsigned depth = 0; e == ERR_OK && token.n && depth < DOCS_DEPTH_MAX; depth++) {
        struct doc folder;
        struct jdoc body;
        if (docs_find_any(q->docs, DOCS_FOLDER, token, q->arena, &folder) != ERR_OK)
            break;
        jdoc_init(&body);
        bool read = jdoc_parse(&body, folder.body);
        must(read); /* ours */
        e = add_saved(q, jdoc_get(jdoc_root(&body), "saved_filter_tokens"), why);
        token = text_of(q, jdoc_root(&body), "parent_folder_token");
        jdoc_free(&body);
    }
    return e;
}

enum err question_own(struct question *q, struct jval body, char why[QUESTION_WHY_MAX])
{
    return question_filter(q, text_of(q, body, "filter"), why);
}

enum err question_saved(struct question *q, struct jval body, char why[QUESTION_WHY_MAX])
{
    enum err e = add_saved(q, jdoc_get(body, "saved_filter_tokens"), why);
    return e == ERR_OK ? add_folders(q, text_of(q, body, "folder_token"), why) : e;
}

/* ---- groupings, settings ---- */

static enum err add_group(struct question *q, struct str word, char why[QUESTION_WHY_MAX])
{
    if (word.n >= 2 && word.p[0] == '"' && word.p[word.n - 1] == '"')
        word = str_of(word.p + 1, word.n - 2);
    if (!word.n)
        return ERR_OK;
    if (q->query.group_count == COST_GROUPS_MAX)
        return FAIL(ERR_BAD_PARAMETER, "there are too many groupings");
    word = arena_dup(q->arena, word);
    if (!word.p || !cost_group_parse(word, &q->query.groups[q->query.group_count]))
        return FAIL(ERR_BAD_PARAMETER, "unknown grouping: %.*s", STR_ARG(str_head(word, 100)));
    bool segment = q->query.groups[q->query.group_count++].by == COST_BY_SEGMENT;
    return segment && !q->query.segments ? question_segments(q, why) : ERR_OK;
}

/* Commas between quotes belong to a word. */
enum err question_groups(struct question *q, struct str text, char why[QUESTION_WHY_MAX])
{
    size_t begin = 0;
    bool quoted = false;
    enum err e = ERR_OK;
    q->query.group_count = 0;
    if (!text.n)
        text = STR("provider,service,account_id");
    for (size_t i = 0; e == ERR_OK && i <= text.n; i++) {
        if (i < text.n && text.p[i] == '"')
            quoted = !quoted;
        if (i < text.n && (text.p[i] != ',' || quoted))
            continue;
        e = add_group(q, str_trim(str_of(text.p + begin, i - begin)), why);
        begin = i + 1;
    }
    return e;
}

static bool setting(struct jval body, const char *name, bool missing)
{
    struct jval v = jdoc_get(jdoc_get(body, "settings"), name);
    return jdoc_has(v) ? jdoc_true(v) : missing;
}

enum err question_report(struct question *q, struct jval body, char why[QUESTION_WHY_MAX])
{
    enum err e = question_own(q, body, why);
    if (e == ERR_OK)
        e = question_saved(q, body, why);
    if (e == ERR_OK)
        e = question_groups(q, text_of(q, body, "groupings"), why);
    q->query.settings = (struct cost_settings){.include_credits = setting(body, "include_credits", false),
                                               .include_refunds = setting(body, "include_refunds", false),
                                               .include_discounts = setting(body, "include_discounts", true),
                                               .include_tax = setting(body, "include_tax", true),
                                               .amortize = setting(body, "amortize", true),
                                               .unallocated = setting(body, "unallocated", false)};
    return e;
}

/* ---- whose costs ---- */

static struct str id_token(const char *prefix, int64_t id, char out[PLACES_TOKEN_MAX])
{
    int n = snprintf(out, PLACES_TOKEN_MAX, "%s%016llx", prefix, (unsigned long long)id);
    return str_of(out, (size_t)n);
}

static bool is_seen(struct docs *d, const struct bill_account *account, int64_t workspace, struct arena *a,
                    int64_t *ret_first)
{
    struct doc doc;
    struct jdoc body;
    char own[PLACES_TOKEN_MAX], place[PLACES_TOKEN_MAX];
    struct str wanted = id_token("wrkspc_", workspace, place), prefix = STR("wrkspc_");
    *ret_first = account->workspace;
    if (docs_find(d, DOCS_INTEGRATION, id_token("accss_crdntl_", account->id, own), a, &doc) != ERR_OK)
        return account->workspace == workspace;
    bool seen = false;
    uint64_t first = 0;
    jdoc_init(&body);
    struct jval list = jdoc_parse(&body, doc.body) ? jdoc_get(jdoc_root(&body), "workspace_tokens") : (struct jval){0};
    for (struct jval v = jdoc_first(list); !seen && jdoc_has(v); v = jdoc_next(list, v)) {
        struct str token = jdoc_text(v, a);
        seen = str_eq(token, wanted);
        if (!first && !(str_starts(token, prefix) && str_hex_to_u64(str_from(token, prefix.n), &first)))
            first = 0;
    }
    jdoc_free(&body);
    *ret_first = first <= INT64_MAX ? (int64_t)first : 0;
    return seen;
}

int64_t question_told(struct docs *d, const struct bill_account *account, struct arena *a)
{
    int64_t first;
    return is_seen(d, account, account->workspace, a, &first) ? account->workspace : first;
}

enum err question_accounts(struct docs *d, struct bill_reader *r, int64_t workspace, struct arena *a,
                           struct bill_account **ret, size_t *ret_count)
{
    size_t all = 0;
    int64_t first;
    *ret = NULL;
    *ret_count = 0;
    enum err e = r ? bill_accounts(bill_reader_db(r), 0, a, ret, &all) : ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < all; i++)
        if (is_seen(d, &(*ret)[i], workspace, a, &first))
            (*ret)[(*ret_count)++] = (*ret)[i];
    return e;
}

enum err question_scope(struct question *q, struct bill_reader *r)
{
    struct bill_account *rows;
    size_t count;
    enum err e = question_accounts(q->docs, r, q->workspace, q->arena, &rows, &count);
    int64_t *ids = e == ERR_OK ? arena_alloc(q->arena, (count + 1) * sizeof *ids) : NULL;
    if (e != ERR_OK || !ids)
        return e != ERR_OK ? e : ERR_STORE_FAILED;
    for (size_t i = 0; i < count; i++)
        ids[i] = rows[i].id;
    q->query.scope =
        (struct cost_scope){.accounts = ids, .account_count = count, .workspaces = &q->workspace, .workspace_count = 1};
    return question_file_tags(q, r, rows, count);
}

/* ---- life ---- */

enum err question_new(struct docs *d, int64_t workspace, struct arena *a, struct question **ret,
                      char why[QUESTION_WHY_MAX])
{
    struct question *q = mem_zalloc(sizeof *q);
    *q = (struct question){.query = cost_query_all(), .workspace = workspace, .docs = d, .arena = a};
    q->owned = mem_zalloc(QUESTION_FILTERS_MAX * sizeof(struct vql *));
    q->query.scope = (struct cost_scope){.workspaces = &q->workspace, .workspace_count = 1};
    q->query.filters = q->filters;
    enum err e = question_virtual_tags(q, why);
    if (e == ERR_OK)
        *ret = q;
    else
        question_free(q);
    return e;
}

void question_free(struct question *q)
{
    if (!q)
        return;
    for (size_t i = 0; i < q->owned_count; i++)
        vql_free(q->owned[i]);
    mem_free(q->owned);
    mem_free(q);
}

enum err question_run(struct question *q, struct cost_reader *r, struct cost_result **ret, char why[QUESTION_WHY_MAX])
{
    struct cost_error error = {.text = ""};
    enum err e = cost_run(r, &q->query, ret, &error);
    return e == ERR_OK ? e : FAIL(e, "%s", error.text);
}
