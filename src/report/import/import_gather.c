/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages are copied as they come and stay where they are, since everything read out of them is a view. Cursors are
 * compared by their hashes.
 */
#include "report/import/import_gather.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "net/url.h"

#define PATH_MAX_BYTES 8192
#define ARENA_MAX (64u << 20)

struct import_held {
    char *body; /* owned; the document is a view of it */
    struct jdoc doc;
    uint64_t cursor; /* hash of the cursor that led here */
};

void import_gather_init(struct import_gathered *g)
{
    *g = (struct import_gathered){.arena = arena_new(16384, ARENA_MAX)};
}

void import_gather_free(struct import_gathered *g)
{
    for (size_t i = 0; i < g->page_count; i++) {
        jdoc_free(&g->pages[i].doc);
        mem_free(g->pages[i].body);
    }
    mem_free(g->pages);
    mem_free(g->buckets);
    mem_free(g->objects);
    arena_free(g->arena);
    *g = (struct import_gathered){0};
}

static enum err broken(struct import_gathered *g, const char *what)
{
    snprintf(g->why, sizeof g->why, "upstream's pages are not usable: %s", what);
    return ERR_UPSTREAM_BAD_HTTP;
}

static void *grown(void *list, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return list;
    *cap = *cap ? *cap * 2 : 64;
    return mem_realloc(list, *cap * size);
}

static enum err keep_buckets(struct import_gathered *g, struct jval data, int64_t width_s)
{
    for (struct jval v = jdoc_first(data); jdoc_has(v); v = jdoc_next(data, v)) {
        struct import_bucket b;
        if (!width_s) {
            g->objects = grown(g->objects, g->object_count, &g->object_cap, sizeof *g->objects);
            g->objects[g->object_count++] = v;
            continue;
        }
        enum err e = import_page_bucket(v, width_s, &b.start, &b.results, g->why);
        if (e != ERR_OK)
            return e;
        g->buckets = grown(g->buckets, g->bucket_count, &g->bucket_cap, sizeof *g->buckets);
        g->buckets[g->bucket_count++] = b;
    }
    return ERR_OK;
}

static void add_hash(struct import_gathered *g, struct str body)
{
    unsigned char both[64];
    unsigned n;
    int ok = EVP_Digest(body.p, body.n, both + 32, &n, EVP_sha256(), NULL);
    memcpy(both, g->hash, 32);
    ok &= EVP_Digest(both, 64, g->hash, &n, EVP_sha256(), NULL);
    must(ok == 1);
}

/* One page: *ret_next is the cursor to the one behind it, "" at the end. */
static enum err add_page(struct import_gathered *g, struct str body, uint64_t cursor, int64_t width_s,
                         struct str *ret_next)
{
    struct import_page page;
    char reason[IMPORT_PAGE_WHY_MAX];
    if (g->page_count == IMPORT_PAGES_MAX)
        return broken(g, "there are more than 1000 of them");
    if (body.n > IMPORT_GATHER_BYTES_MAX - g->bytes)
        return broken(g, "they are more than 256 MB together");
    for (size_t i = 0; i < g->page_count; i++)
        if (g->pages[i].cursor == cursor)
            return broken(g, "a cursor comes for the second time");
    /* Documents do not move once they are parsed: values point at them. */
    if (!g->pages)
        g->pages = mem_zalloc(IMPORT_PAGES_MAX * sizeof *g->pages);
    struct import_held *h = &g->pages[g->page_count++];
    *h = (struct import_held){.body = mem_strndup(body.p, body.n), .cursor = cursor};
    jdoc_init(&h->doc);
    g->bytes += body.n;
    add_hash(g, body);
    enum err e = import_page_open(&h->doc, str_of(h->body, body.n), g->arena, &page, reason);
    if (e == ERR_OVERLOADED)
        return broken(g, "their texts are too long together");
    if (e != ERR_OK) {
        str_copy(g->why, sizeof g->why, str_c(reason));
        return e;
    }
    *ret_next = page.has_more ? page.next : STR("");
    return keep_buckets(g, page.data, width_s);
}

static int compare(const void *a, const void *b)
{
    const struct import_bucket *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

enum err import_gather(struct import_gathered *g, struct import_ask *k, struct str path, int64_t width_s)
{
    struct import_reply reply;
    struct str next = STR("");
    struct buf whole;
    enum err e = ERR_OK;
    buf_init(&whole, PATH_MAX_BYTES);
    do {
        uint64_t cursor = str_hash(next);
        buf_reset(&whole);
        bool fits = buf_add_str(&whole, path);
        if (next.n)
            fits = fits && buf_add_str(&whole, width_s ? STR("&page=") : STR("&after=")) && url_encode(&whole, next);
        e = fits ? import_ask_get(k, buf_str(&whole), &reply) : broken(g, "a cursor is too long");
        if (!fits)
            break;
        g->status = reply.status;
        if (e != ERR_OK)
            str_copy(g->why, sizeof g->why, str_c(reply.why));
        else
            e = add_page(g, reply.body, cursor, width_s, &next);
    } while (e == ERR_OK && next.n);
    buf_free(&whole);
    if (e == ERR_OK && g->bucket_count > 1)
        qsort(g->buckets, g->bucket_count, sizeof *g->buckets, compare);
    return e;
}
