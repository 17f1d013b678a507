/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers are kept as they came, a few of them, under the account and the snapshot they were fetched with:
 * whatever is changed here, a key above all, makes them old.
 */
#include "console/blaxel/upstream_models.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json/jdoc.h"
#include "base/mem.h"
#include "console/console_inner.h"
#include "console/fetch.h"

#define KEPT 8
#define KEPT_US UINT64_C(60000000)
#define LIST_MAX 20000

struct upstream_models {
    struct kept_list {
        int64_t integration_id; /* 0 = empty */
        uint64_t generation, fetched_us;
        struct buf body;
    } kept[KEPT];
};

static struct kept_list *find(struct console *c, int64_t integration_id, uint64_t generation)
{
    uint64_t now_us = clock_mono_us();
    for (unsigned i = 0; c->upstream_models && i < KEPT; i++) {
        struct kept_list *k = &c->upstream_models->kept[i];
        if (k->integration_id == integration_id && k->generation == generation && now_us < k->fetched_us + KEPT_US)
            return k;
    }
    return NULL;
}

/* In the place of the oldest one. */
static void keep(struct console *c, int64_t integration_id, uint64_t generation, struct str body)
{
    if (!c->upstream_models)
        c->upstream_models = mem_zalloc(sizeof *c->upstream_models);
    struct kept_list *k = &c->upstream_models->kept[0];
    for (unsigned i = 1; i < KEPT; i++)
        if (c->upstream_models->kept[i].fetched_us < k->fetched_us)
            k = &c->upstream_models->kept[i];
    if (k->integration_id)
        buf_free(&k->body);
    *k = (struct kept_list){.integration_id = integration_id, .generation = generation, .fetched_us = clock_mono_us()};
    buf_init(&k->body, FETCH_BODY_MAX);
    if (!buf_add_str(&k->body, body))
        k->integration_id = 0;
}

void upstream_models_drop(struct console *c)
{
    for (unsigned i = 0; c->upstream_models && i < KEPT; i++)
        if (c->upstream_models->kept[i].integration_id)
            buf_free(&c->upstream_models->kept[i].body);
    mem_free(c->upstream_models);
    c->upstream_models = NULL;
}

/* Why the provider gave no list, in its own words where it has some. */
static void refuse(struct job *j, const struct fetch *f)
{
    struct buf text;
    struct jdoc doc;
    buf_init(&text, 1024);
    jdoc_init(&doc);
    struct str said = STR("");
    if (f->state == FETCH_THERE && jdoc_parse(&doc, buf_str(&f->body)))
        said = jdoc_text(jdoc_find(jdoc_find(jdoc_root(&doc), "error"), "message"), j->arena);
    bool ok = f->state == FETCH_THERE
                  ? buf_printf(&text, "The provider answered the request for its models with status %d%s%.*s",
                               f->status, said.n ? ": " : "", STR_ARG(str_head(said, 500)))
                  : buf_printf(&text, "The provider could not be asked for its models: %s", f->why);
    job_fail(j, f->state == FETCH_THERE ? ERR_UPSTREAM_BAD_HTTP : f->err, STR(""), ok ? buf_str(&text) : STR(""));
    jdoc_free(&doc);
    buf_free(&text);
}

static int by_id(const void *a, const void *b)
{
    const struct upstream_model *x = a, *y = b;
    return str_cmp(x->id, y->id);
}

/* {"data": [{"id": "gpt-4o", "created": 1686935002, "owned_by": "system"}]} */
static bool read_list(struct job *j, struct str body, struct upstream_model **ret_list, size_t *ret_count)
{
    struct jdoc doc;
    size_t n = 0;
    jdoc_init(&doc);
    bool ok = jdoc_parse(&doc, body);
    struct jval data = jdoc_find(jdoc_root(&doc), "data");
    size_t cap = ok && jdoc_kind(data) == JDOC_ARRAY ? jdoc_size(data) : 0;
    struct upstream_model *list = cap <= LIST_MAX ? arena_alloc(j->arena, (cap + 1) * sizeof *list) : NULL;
    for (struct jval v = jdoc_first(data); list && n < cap && jdoc_has(v); v = jdoc_next(data, v)) {
        struct upstream_model m = {.id = arena_dup(j->arena, jdoc_text(jdoc_find(v, "id"), j->arena)),
                                   .owner = arena_dup(j->arena, jdoc_text(jdoc_find(v, "owned_by"), j->arena)),
                                   .created_us =
                                       (int64_t)(jdoc_count(jdoc_find(v, "created"), 0) % 100000000000) * 1000000};
        if (m.id.n && m.owner.p)
            list[n++] = m;
    }
    jdoc_free(&doc);
    if (!list || !ok) {
        job_fail(j, ERR_UPSTREAM_BAD_HTTP, STR(""), STR("The provider's list of models is none, or too long."));
        return false;
    }
    qsort(list, n, sizeof *list, by_id);
    *ret_list = list;
    *ret_count = n;
    return true;
}

bool upstream_models_get(struct job *j, const struct snapshot_integration *i, struct upstream_model **ret_list,
                         size_t *ret_count)
{
    uint64_t generation = snapshot_generation(j->snapshot);
    struct kept_list *k = find(j->console, i->id, generation);
    if (k)
        return read_list(j, buf_str(&k->body), ret_list, ret_count);
    const struct fetch *f = fetch_get(j, i, STR("/models"));
    if (!f)
        return false;
    if (f->state == FETCH_FAILED || f->status != 200) {
        refuse(j, f);
        return false;
    }
    if (!read_list(j, buf_str(&f->body), ret_list, ret_count))
        return false;
    keep(j->console, i->id, generation, buf_str(&f->body));
    return true;
}
