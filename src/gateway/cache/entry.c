/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kept answers as objects. Costs include what the allocator and the shard's table add, so that the
 * sum over all entries is what the process really holds for them.
 */
#include "gateway/cache/entry.h"

#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/wire.h"

#define TEXT_MAX 256   /* of content type and model */
#define ALLOC_BYTES 16 /* the allocator's own and its rounding */
#define TABLE_BYTES 16 /* the shard's table has at most two places for an entry */
#define FACTS_VERSION 1

size_t entry_cost(const struct cache_answer *answer)
{
    if (answer->body.n > CACHE_ENTRY_MAX || answer->content_type.n > TEXT_MAX || answer->model.n > TEXT_MAX)
        return SIZE_MAX;
    size_t n = sizeof(struct cache_entry) + answer->body.n + answer->content_type.n + answer->model.n;
    return ((n + 15) & ~(size_t)15) + ALLOC_BYTES + TABLE_BYTES;
}

static struct str put_text(char **at, struct str s)
{
    struct str copy = {*at, s.n};
    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

struct cache_entry *entry_new(const unsigned char key[CACHE_KEY_BYTES], const struct cache_answer *answer)
{
    size_t cost = entry_cost(answer);
    must(cost != SIZE_MAX);
    struct cache_entry *e = mem_alloc(sizeof *e + answer->body.n + answer->content_type.n + answer->model.n);
    char *at = (char *)(e + 1);
    atomic_init(&e->references, 1);
    memcpy(e->key, key, CACHE_KEY_BYTES);
    e->answer = *answer;
    e->answer.body = put_text(&at, answer->body);
    e->answer.content_type = put_text(&at, answer->content_type);
    e->answer.model = put_text(&at, answer->model);
    e->bytes = cost;
    e->chain = NULL;
    e->used = 0;
    list_init(&e->recent);
    return e;
}

/* Entries are handed out as const: nobody but the shard and the count below changes them. */
static struct cache_entry *own(const struct cache_entry *e)
{
    return (struct cache_entry *)(uintptr_t)e;
}

void entry_hold(const struct cache_entry *e)
{
    unsigned before = atomic_fetch_add_explicit(&own(e)->references, 1, memory_order_relaxed);
    must(before > 0);
}

void cache_release(const struct cache_entry *e)
{
    if (!e)
        return;
    unsigned before = atomic_fetch_sub_explicit(&own(e)->references, 1, memory_order_acq_rel);
    must(before > 0);
    if (before == 1)
        mem_free(own(e));
}

const struct cache_answer *cache_answer_of(const struct cache_entry *e)
{
    return &e->answer;
}

/* --- facts ----------------------------------------------------------------------------------- */

static unsigned char *put_str(unsigned char *p, struct str s)
{
    return wire_put_bytes(wire_put_varint(p, s.n), s);
}

static struct str get_str(struct wire *w, size_t max)
{
    uint64_t n = wire_varint(w);
    if (n > max)
        w->bad = true;
    return wire_bytes(w, w->bad ? 0 : (size_t)n);
}

static unsigned char *put_usage(unsigned char *p, const struct usage *u)
{
    p = wire_put_varint(p, u->source);
    p = wire_put_varint(p, METER_COUNT);
    for (int i = 0; i < METER_COUNT; i++)
        p = wire_put_varint(p, u->quantity[i]);
    p = wire_put_varint(p, u->input_total_tok);
    p = wire_put_varint(p, u->output_total_tok);
    p = wire_put_varint(p, u->reasoning_tok);
    p = wire_put_varint(p, u->prediction_accepted_tok);
    p = wire_put_varint(p, u->prediction_rejected_tok);
    p = wire_put_varint(p, u->inconsistent);
    p = put_str(p, str_c(u->service_tier));
    p = put_str(p, str_c(u->quality));
    return put_str(p, str_c(u->size));
}

static void get_usage(struct wire *w, struct usage *u)
{
    memset(u, 0, sizeof *u);
    uint64_t source = wire_varint(w), meters = wire_varint(w);
    if (source >= USAGE_SOURCE_COUNT || meters > METER_COUNT)
        w->bad = true;
    u->source = (enum usage_source)(w->bad ? 0 : source);
    for (uint64_t i = 0; !w->bad && i < meters; i++)
        u->quantity[i] = wire_varint(w);
    u->input_total_tok = wire_varint(w);
    u->output_total_tok = wire_varint(w);
    u->reasoning_tok = wire_varint(w);
    u->prediction_accepted_tok = wire_varint(w);
    u->prediction_rejected_tok = wire_varint(w);
    u->inconsistent = wire_varint(w) != 0;
    str_copy(u->service_tier, sizeof u->service_tier, get_str(w, USAGE_TEXT_MAX - 1));
    str_copy(u->quality, sizeof u->quality, get_str(w, USAGE_TEXT_MAX - 1));
    str_copy(u->size, sizeof u->size, get_str(w, USAGE_TEXT_MAX - 1));
}

/* The most that put_usage writes, and all of it together. */
#define USAGE_BYTES_MAX ((METER_COUNT + 8) * WIRE_VARINT_MAX + 3 * (WIRE_VARINT_MAX + USAGE_TEXT_MAX))
_Static_assert(6 * WIRE_VARINT_MAX + 2 * (WIRE_VARINT_MAX + TEXT_MAX) + USAGE_BYTES_MAX <= ENTRY_FACTS_MAX,
               "facts need more room");

size_t entry_facts_write(const struct cache_answer *answer, unsigned char out[ENTRY_FACTS_MAX])
{
    unsigned char *p = wire_put_varint(out, FACTS_VERSION);
    must(answer->content_type.n <= TEXT_MAX);
    must(answer->model.n <= TEXT_MAX);
    p = wire_put_varint(p, answer->stream);
    p = wire_put_varint(p, wire_zigzag(answer->cost_pusd));
    p = wire_put_varint(p, wire_zigzag(answer->created_us));
    p = wire_put_varint(p, wire_zigzag(answer->expires_us));
    p = put_str(p, answer->content_type);
    p = put_str(p, answer->model);
    return (size_t)(put_usage(p, &answer->usage) - out);
}

bool entry_facts_read(struct str bytes, struct cache_answer *ret_answer)
{
    struct wire w = wire_of(bytes.p, bytes.n);
    struct cache_answer a = {.body = STR("")};
    if (wire_varint(&w) != FACTS_VERSION)
        return false;
    a.stream = wire_varint(&w) != 0;
    a.cost_pusd = wire_unzigzag(wire_varint(&w));
    a.created_us = wire_unzigzag(wire_varint(&w));
    a.expires_us = wire_unzigzag(wire_varint(&w));
    a.content_type = get_str(&w, TEXT_MAX);
    a.model = get_str(&w, TEXT_MAX);
    get_usage(&w, &a.usage);
    if (w.bad || wire_left(&w))
        return false;
    *ret_answer = a;
    return true;
}
