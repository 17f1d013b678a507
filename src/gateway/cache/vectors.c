/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring keeps its columns apart: a piece of the group's hash, the first HEAD numbers of each vector,
 * the length of what is left of it, the rest. Most vectors of the right group are far away, and that
 * shows early: what the rest can add to the product is at most the product of the two rests' lengths
 * (Cauchy-Schwarz). So the search reads the heads only, and the rest of the few that could still be
 * near enough; it is exact, but for rounding, which SLACK covers.
 *
 * A free or forgotten place has no expiry left (0) and is passed over.
 */
#include "gateway/cache/vectors.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"

#define HEAD 64
#define SLACK 1e-4f
#define RING_MIN 64
#define RINGS_MAX 4096
#define LANES 16

struct ring {
    int64_t workspace_id;
    unsigned dimensions, head; /* head: numbers of a vector in `heads` */
    unsigned cap, count, next; /* places; used; the next to be written */
    unsigned live;
    uint64_t *pieces;
    int64_t *expires_us; /* 0 = forgotten */
    unsigned char (*groups)[CACHE_KEY_BYTES];
    unsigned char (*keys)[CACHE_KEY_BYTES];
    float *heads, *rests;
    float *rest_lengths;
    struct ring *chain;
};

struct vectors {
    struct ring *rings;
    unsigned ring_count, ring_max;
    uint64_t bytes, max_bytes, live;
};

float vectors_dot(const float *a, const float *b, unsigned n)
{
    float lane[LANES] = {0};
    unsigned i = 0;
    for (; i + LANES <= n; i += LANES)
        for (unsigned j = 0; j < LANES; j++)
            lane[j] += a[i + j] * b[i + j];
    float sum = 0;
    for (unsigned j = 0; j < LANES; j++)
        sum += lane[j];
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

struct vectors *vectors_new(unsigned ring_max, uint64_t max_bytes)
{
    struct vectors *v = mem_zalloc(sizeof *v);
    v->max_bytes = max_bytes;
    v->ring_max = ring_max;
    return v;
}

static size_t place_bytes(unsigned dimensions)
{
    return sizeof(uint64_t) + sizeof(int64_t) + 2 * CACHE_KEY_BYTES + (dimensions + 1) * sizeof(float);
}

static void ring_empty(struct vectors *v, struct ring *r)
{
    v->bytes -= (uint64_t)r->cap * place_bytes(r->dimensions);
    v->live -= r->live;
    mem_free(r->pieces);
    mem_free(r->expires_us);
    mem_free(r->groups);
    mem_free(r->keys);
    mem_free(r->heads);
    mem_free(r->rests);
    mem_free(r->rest_lengths);
    *r =
        (struct ring){.workspace_id = r->workspace_id, .dimensions = r->dimensions, .head = r->head, .chain = r->chain};
}

void vectors_clear(struct vectors *v)
{
    while (v->rings) {
        struct ring *r = v->rings;
        v->rings = r->chain;
        ring_empty(v, r);
        mem_free(r);
    }
    v->ring_count = 0;
    must(v->bytes == 0);
    must(v->live == 0);
}

void vectors_free(struct vectors *v)
{
    if (!v)
        return;
    vectors_clear(v);
    mem_free(v);
}

static struct ring *ring_find(const struct vectors *v, int64_t workspace_id, unsigned dimensions)
{
    for (struct ring *r = v->rings; r; r = r->chain)
        if (r->workspace_id == workspace_id && r->dimensions == dimensions)
            return r;
    return NULL;
}

static struct ring *ring_make(struct vectors *v, int64_t workspace_id, unsigned dimensions)
{
    if (v->ring_count >= RINGS_MAX)
        return NULL;
    struct ring *r = mem_zalloc(sizeof *r);
    r->workspace_id = workspace_id;
    r->dimensions = dimensions;
    r->head = dimensions < HEAD ? dimensions : HEAD;
    r->chain = v->rings;
    v->rings = r;
    v->ring_count++;
    return r;
}

/* More places; false when this ring or all of them have as many as they may. */
static bool ring_grow(struct vectors *v, struct ring *r)
{
    unsigned cap = r->cap ? (r->cap < v->ring_max / 2 ? r->cap * 2 : v->ring_max) : RING_MIN;
    cap = cap < v->ring_max ? cap : v->ring_max;
    if (cap <= r->cap || v->bytes + (uint64_t)(cap - r->cap) * place_bytes(r->dimensions) > v->max_bytes)
        return false;
    v->bytes += (uint64_t)(cap - r->cap) * place_bytes(r->dimensions);
    unsigned rest = r->dimensions - r->head;
    r->pieces = mem_realloc(r->pieces, cap * sizeof *r->pieces);
    r->expires_us = mem_realloc(r->expires_us, cap * sizeof *r->expires_us);
    r->groups = mem_realloc(r->groups, cap * sizeof *r->groups);
    r->keys = mem_realloc(r->keys, cap * sizeof *r->keys);
    r->heads = mem_realloc(r->heads, (size_t)cap * r->head * sizeof *r->heads);
    r->rests = mem_realloc(r->rests, (size_t)cap * rest * sizeof *r->rests);
    r->rest_lengths = mem_realloc(r->rest_lengths, cap * sizeof *r->rest_lengths);
    r->cap = cap;
    return true;
}

static void give_up_largest(struct vectors *v)
{
    struct ring *largest = NULL;
    for (struct ring *r = v->rings; r; r = r->chain)
        if (!largest || (uint64_t)r->cap * r->dimensions > (uint64_t)largest->cap * largest->dimensions)
            largest = r;
    if (largest)
        ring_empty(v, largest);
}

static uint64_t piece_of(const unsigned char *group)
{
    uint64_t piece;
    memcpy(&piece, group, sizeof piece);
    return piece;
}

/* Its length is 1 then. False when it has no direction: all zeros, or numbers that are none. */
static bool unit(const struct vectors_item *item, float *out)
{
    double square = 0;
    for (unsigned i = 0; i < item->dimensions; i++)
        square += (double)item->vector[i] * (double)item->vector[i];
    if (!isfinite(square) || square <= 0)
        return false;
    double scale = 1 / sqrt(square);
    for (unsigned i = 0; i < item->dimensions; i++)
        out[i] = (float)((double)item->vector[i] * scale);
    return true;
}

static float length_of(const float *p, unsigned n)
{
    return sqrtf(vectors_dot(p, p, n));
}

static void forget_place(struct vectors *v, struct ring *r, unsigned i)
{
    if (r->expires_us[i] == 0)
        return;
    r->expires_us[i] = 0;
    must(r->live > 0);
    must(v->live > 0);
    r->live--;
    v->live--;
}

bool vectors_add(struct vectors *v, const struct vectors_item *item, unsigned char ret_lost[CACHE_KEY_BYTES],
                 bool *ret_has_lost)
{
    float vector[VECTORS_DIMENSIONS_MAX];
    must(item->dimensions > 0);
    must(item->dimensions <= VECTORS_DIMENSIONS_MAX);
    *ret_has_lost = false;
    if (v->ring_max == 0 || item->expires_us <= 0 || !unit(item, vector))
        return false;
    struct ring *r = ring_find(v, item->workspace_id, item->dimensions);
    if (!r && !(r = ring_make(v, item->workspace_id, item->dimensions)))
        return false;
    if (r->count == r->cap && ring_grow(v, r))
        r->next = r->count;
    if (r->cap == 0) {
        give_up_largest(v);
        if (!ring_grow(v, r))
            return false;
    }
    if (r->next == r->cap)
        r->next = 0;
    unsigned at = r->next++, rest = r->dimensions - r->head;
    if (at < r->count && r->expires_us[at]) {
        memcpy(ret_lost, r->keys[at], CACHE_KEY_BYTES);
        *ret_has_lost = true;
        forget_place(v, r, at);
    }
    r->count = r->count > at ? r->count : at + 1;
    r->pieces[at] = piece_of(item->group);
    r->expires_us[at] = item->expires_us;
    memcpy(r->groups[at], item->group, CACHE_KEY_BYTES);
    memcpy(r->keys[at], item->key, CACHE_KEY_BYTES);
    memcpy(r->heads + (size_t)at * r->head, vector, r->head * sizeof(float));
    memcpy(r->rests + (size_t)at * rest, vector + r->head, rest * sizeof(float));
    r->rest_lengths[at] = length_of(vector + r->head, rest);
    r->live++;
    v->live++;
    return true;
}

struct search {
    const float *vector;
    float rest_length, best;
    unsigned at;
    bool found;
};

static void look(const struct ring *r, unsigned i, struct search *s)
{
    unsigned rest = r->dimensions - r->head;
    float near = vectors_dot(s->vector, r->heads + (size_t)i * r->head, r->head);
    if (near + s->rest_length * r->rest_lengths[i] + SLACK < s->best)
        return;
    near += vectors_dot(s->vector + r->head, r->rests + (size_t)i * rest, rest);
    if (near < s->best)
        return;
    s->best = near;
    s->at = i;
    s->found = true;
}

bool vectors_nearest(const struct vectors *v, const struct vectors_item *question, float threshold, int64_t now_us,
                     const unsigned char **ret_key)
{
    float vector[VECTORS_DIMENSIONS_MAX];
    must(question->dimensions > 0);
    must(question->dimensions <= VECTORS_DIMENSIONS_MAX);
    const struct ring *r = ring_find(v, question->workspace_id, question->dimensions);
    if (!r || !unit(question, vector))
        return false;
    struct search s = {
        .vector = vector, .rest_length = length_of(vector + r->head, r->dimensions - r->head), .best = threshold};
    uint64_t piece = piece_of(question->group);
    for (unsigned i = 0; i < r->count; i++)
        if (r->pieces[i] == piece && r->expires_us[i] > now_us &&
            memcmp(r->groups[i], question->group, CACHE_KEY_BYTES) == 0)
            look(r, i, &s);
    if (s.found)
        *ret_key = r->keys[s.at];
    return s.found;
}

void vectors_forget(struct vectors *v, int64_t workspace_id, const unsigned char key[CACHE_KEY_BYTES])
{
    for (struct ring *r = v->rings; r; r = r->chain)
        for (unsigned i = 0; r->workspace_id == workspace_id && i < r->count; i++)
            if (r->expires_us[i] && memcmp(r->keys[i], key, CACHE_KEY_BYTES) == 0)
                forget_place(v, r, i);
}

uint64_t vectors_count(const struct vectors *v)
{
    return v->live;
}

uint64_t vectors_bytes(const struct vectors *v)
{
    return v->bytes;
}
