/* SPDX-License-Identifier: Apache-2.0 */
/* Memory first (shards), then, on the cache's thread, the disk and the vectors (jobs). */
#include "gateway/cache/cache.h"

#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "gateway/cache/inner.h"

enum err cache_open(const struct cache_settings *settings, struct cache **ret_cache, char *why, size_t why_cap)
{
    struct cache *c = mem_zalloc(sizeof *c);
    c->shards = shards_new(settings->memory_max_bytes);
    struct jobs_settings s = {.cache = settings, .shards = c->shards};
    if (!jobs_new(&s, &c->jobs, why, why_cap)) {
        shards_free(c->shards);
        mem_free(c);
        return ERR_STORE_FAILED;
    }
    *ret_cache = c;
    return ERR_OK;
}

void cache_close(struct cache *c)
{
    if (!c)
        return;
    jobs_free(c->jobs);
    shards_free(c->shards);
    mem_free(c);
}

const struct cache_entry *cache_find(struct cache *c, const unsigned char key[CACHE_KEY_BYTES], int64_t now_us,
                                     bool *ret_on_disk)
{
    bool known;
    const struct cache_entry *e = shards_find(c->shards, key, now_us, &known);
    *ret_on_disk = !e && (known || jobs_loading(c->jobs));
    return e;
}

struct cache_fetch *cache_fetch(struct cache *c, const unsigned char key[CACHE_KEY_BYTES], struct loop *l,
                                cache_fetch_fn *fn, void *ctx)
{
    return jobs_look(c->jobs, key, NULL, l, fn, ctx);
}

const struct cache_entry *inner_keep(struct cache *c, const unsigned char key[CACHE_KEY_BYTES],
                                     const struct cache_answer *answer)
{
    size_t cost = entry_cost(answer);
    if (cost == SIZE_MAX)
        return NULL;
    bool in_memory = shards_reserve(c->shards, cost);
    if (!in_memory && !jobs_have_disk(c->jobs))
        return NULL;
    struct cache_entry *e = entry_new(key, answer);
    must(e->bytes == cost);
    if (in_memory)
        shards_put(c->shards, e);
    return e;
}

void cache_put(struct cache *c, const unsigned char key[CACHE_KEY_BYTES], const struct cache_answer *answer)
{
    const struct cache_entry *e = inner_keep(c, key, answer);
    if (e && jobs_have_disk(c->jobs))
        jobs_write(c->jobs, e, NULL);
    cache_release(e);
}

void cache_stats_of(struct cache *c, struct cache_stats *ret)
{
    struct shards_stats memory;
    struct jobs_stats rest;
    shards_stats_of(c->shards, &memory);
    jobs_stats_of(c->jobs, &rest);
    *ret = (struct cache_stats){.entries = memory.entries,
                                .memory_bytes = memory.bytes,
                                .disk_entries = rest.disk_entries,
                                .disk_bytes = rest.disk_bytes,
                                .vectors = rest.vectors,
                                .evictions = memory.evictions,
                                .index_bytes = memory.index_bytes,
                                .dropped = rest.dropped};
}
