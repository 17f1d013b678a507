/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vector stores. A store's files keep the ids of the uploaded ones; their bytes count as storage.
 * Search is by words: a file's score is the share of the query's words that it contains.
 */
#include <stdio.h>

#include "base/must.h"
#include "sim/http/apierr.h"
#include "sim/http/reply.h"
#include "sim/objects/objects.h"

#define EXCERPT 400
#define RESULTS_MAX 50

/* The store's counts and bytes, from its files. */
static void count_files(struct call *c, struct shelf_item *store)
{
    struct shelf *s = c->sim->shelf;
    struct str files = call_format(c, "vector_stores/%s/files", store->id);
    uint64_t n = shelf_count(s, files), bytes = 0;
    for (struct shelf_item *i = shelf_first(s, files, false); i; i = shelf_next(i, false)) {
        uint64_t size = 0;
        if (str_to_u64(crud_member(c, i, "usage_bytes"), &size))
            bytes += size;
    }
    crud_change_text(c, store,
                     call_format(c,
                                 "{\"usage_bytes\":%llu,\"file_counts\":{\"in_progress\":0,\"completed\":%llu,"
                                 "\"failed\":0,\"cancelled\":0,\"total\":%llu},\"last_active_at\":%lld}",
                                 (unsigned long long)bytes, (unsigned long long)n, (unsigned long long)n,
                                 (long long)call_now(c)));
}

/* Puts an uploaded file into a store; NULL when there is no such file. `raw`: members to set, or "". */
static struct shelf_item *attach(struct call *c, struct str store_id, struct str file_id, struct jval settings)
{
    struct shelf_item *file = shelf_get(c->sim->shelf, STR("files"), file_id);
    struct buf out;
    struct json_write w;
    if (!file)
        return NULL;
    struct str old = c->args[0];
    c->args[0] = store_id;
    buf_init(&out, 1 << 20);
    json_write_init(&w, &out);
    crud_fill(c, &w, str_c(objects_vector_file.shape), file_id, false);
    must(json_write_done(&w));
    struct shelf_item *i = shelf_put(c->sim->shelf, crud_collection(c, &objects_vector_file), file_id, buf_str(&out));
    buf_free(&out);
    crud_change_text(c, i, call_format(c, "{\"usage_bytes\":%.*s}", STR_ARG(crud_member(c, file, "bytes"))));
    struct str attributes = jdoc_raw(jdoc_find(settings, "attributes"));
    if (attributes.n)
        crud_change_text(c, i, call_format(c, "{\"attributes\":%.*s}", STR_ARG(attributes)));
    c->args[0] = old;
    return i;
}

static uint64_t attach_all(struct call *c, struct str store_id, struct jval body)
{
    uint64_t n = 0;
    struct jval ids = jdoc_find(body, "file_ids"), files = jdoc_find(body, "files");
    for (struct jval e = jdoc_first(ids); jdoc_has(e); e = jdoc_next(ids, e))
        n += attach(c, store_id, jdoc_text(e, c->arena), body) != NULL;
    for (struct jval e = jdoc_first(files); jdoc_has(e); e = jdoc_next(files, e))
        n += attach(c, store_id, jdoc_text(jdoc_find(e, "file_id"), c->arena), e) != NULL;
    return n;
}

void objects_store_made(struct call *c, struct shelf_item *store)
{
    if (attach_all(c, str_c(store->id), c->json))
        count_files(c, store);
}

void objects_vector_attach(struct call *c)
{
    struct shelf_item *store = crud_find(c, &objects_vector_store), *i;
    if (!store || !crud_check_required(c, "file_id"))
        return;
    struct str file_id = jdoc_text(jdoc_find(c->json, "file_id"), c->arena);
    i = attach(c, str_c(store->id), file_id, c->json);
    if (!i) {
        apierr_no_such(c, "File", file_id);
        return;
    }
    count_files(c, store);
    answer_header(c, "openai-poll-after-ms", STR("20"));
    crud_answer(c, i);
}

void objects_vector_batch_create(struct call *c)
{
    struct shelf_item *store = crud_find(c, &objects_vector_store);
    if (!store)
        return;
    uint64_t n = attach_all(c, str_c(store->id), c->json);
    count_files(c, store);
    struct shelf_item *batch = crud_make(c, &objects_vector_batch);
    if (!batch)
        return;
    crud_change_text(c, batch,
                     call_format(c,
                                 "{\"file_counts\":{\"in_progress\":0,\"completed\":%llu,\"failed\":0,\"cancelled\":0,"
                                 "\"total\":%llu}}",
                                 (unsigned long long)n, (unsigned long long)n));
    answer_header(c, "openai-poll-after-ms", STR("20"));
    crud_answer(c, batch);
}

void objects_vector_batch_files(struct call *c)
{
    if (crud_find(c, &objects_vector_batch))
        crud_answer_list(c, crud_collection(c, &objects_vector_file), 0, "status");
}

void objects_vector_content(struct call *c)
{
    struct shelf_item *i = crud_find(c, &objects_vector_file);
    struct str bytes;
    struct reply r;
    if (!i)
        return;
    if (!objects_file_bytes(c, str_c(i->id), &bytes)) {
        apierr_no_such(c, "File", str_c(i->id));
        return;
    }
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", STR("vector_store.file_content.page"));
    json_write_key(w, STR("data"));
    json_write_array(w);
    json_write_object(w);
    json_write_member_string(w, "type", STR("text"));
    json_write_member_string(w, "text", bytes);
    json_write_object_end(w);
    json_write_array_end(w);
    json_write_member_bool(w, "has_more", false);
    json_write_member_null(w, "next_page");
    reply_send(c, &r, 200);
}

static bool contains_word(struct str text, struct str word)
{
    for (size_t i = 0; i + word.n <= text.n; i++)
        if (str_eq_nocase(str_of(text.p + i, word.n), word))
            return true;
    return false;
}

/* In thousandths. */
static unsigned score_of(struct str text, struct str query)
{
    unsigned words = 0, found = 0;
    struct str word;
    text = str_head(text, 1 << 20);
    while (query.n && str_split(&query, ' ', &word)) {
        if (!word.n)
            continue;
        words++;
        found += contains_word(text, word);
    }
    return words ? found * 1000 / words : 0;
}

static void write_found(struct call *c, struct json_write *w, const struct shelf_item *i, struct str text,
                        unsigned score)
{
    char number[16];
    struct shelf_item *file = shelf_get(c->sim->shelf, STR("files"), str_c(i->id));
    int n = snprintf(number, sizeof number, "%u.%03u", score / 1000, score % 1000);
    json_write_object(w);
    json_write_member_string(w, "file_id", str_c(i->id));
    json_write_member_string(w, "filename", file ? crud_member_text(c, file, "filename") : STR(""));
    json_write_member_raw(w, "score", str_of(number, (size_t)n));
    json_write_member_raw(w, "attributes", crud_member(c, i, "attributes"));
    json_write_key(w, STR("content"));
    json_write_array(w);
    json_write_object(w);
    json_write_member_string(w, "type", STR("text"));
    json_write_member_string(w, "text", str_head(text, EXCERPT));
    json_write_object_end(w);
    json_write_array_end(w);
    json_write_object_end(w);
}

void objects_vector_search(struct call *c)
{
    struct shelf_item *store = crud_find(c, &objects_vector_store);
    struct reply r;
    if (!store || !crud_check_required(c, "query"))
        return;
    struct jval query = jdoc_find(c->json, "query");
    struct str text, words = jdoc_text(jdoc_kind(query) == JDOC_ARRAY ? jdoc_first(query) : query, c->arena);
    uint64_t limit = jdoc_count(jdoc_find(c->json, "max_num_results"), 10), n = 0;
    if (limit > RESULTS_MAX)
        limit = RESULTS_MAX;
    struct str files = call_format(c, "vector_stores/%s/files", store->id);
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", STR("vector_store.search_results.page"));
    json_write_key(w, STR("search_query"));
    if (jdoc_kind(query) == JDOC_ARRAY) {
        json_write_raw(w, jdoc_raw(query));
    } else {
        json_write_array(w);
        json_write_raw(w, jdoc_raw(query));
        json_write_array_end(w);
    }
    json_write_key(w, STR("data"));
    json_write_array(w);
    /* Full matches first, then the rest: two walks are enough to order what a test puts in. */
    for (int full = 1; full >= 0; full--) {
        for (struct shelf_item *i = shelf_first(c->sim->shelf, files, false); i && n < limit;
             i = shelf_next(i, false)) {
            if (!objects_file_bytes(c, str_c(i->id), &text))
                continue;
            unsigned score = score_of(text, words);
            if (score && (score == 1000) == full) {
                write_found(c, w, i, text, score);
                n++;
            }
        }
    }
    json_write_array_end(w);
    json_write_member_bool(w, "has_more", false);
    json_write_member_null(w, "next_page");
    reply_send(c, &r, 200);
}
