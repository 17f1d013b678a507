/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two small tables with open addressing. One holds names, so that a combination is five integers;
 * the other holds combinations. Slots are bytes that number the entries from 1; entries are
 * published by their count (release), after which they do not move or change but for their values,
 * which are written by one thread with plain relaxed stores.
 */
#include "gateway/series.h"

#include "base/mem.h"
#include "base/must.h"
#include "openai/cost.h"

#define NAME_SLOTS 256
#define CELL_SLOTS 512
#define PUSD_PER_NUSD 1000
#define OTHER_FIRST (SERIES_MAX - SERIES_CLASSES) /* the last places are kept for "other" */

_Static_assert(SERIES_NAMES_MAX < NAME_SLOTS / 2 && SERIES_MAX < CELL_SLOTS / 2, "tables at most half full");

enum { NAME_NONE, NAME_UNKNOWN, NAME_FIRST }; /* numbers of names; those from FIRST on stand in the table */

struct name {
    uint64_t hash;
    uint8_t size;
    char text[SERIES_NAME_BYTES];
};

struct key {
    int64_t workspace_id, integration_id;
    uint8_t provider, model, status_class, cache;
};

struct cell {
    struct key key;
    uint64_t cost_rest_pusd; /* the writer's only */
    struct series_values values;
};

struct series {
    unsigned name_count, cell_count; /* published */
    uint8_t name_slots[NAME_SLOTS];
    uint8_t cell_slots[CELL_SLOTS];
    struct name names[SERIES_NAMES_MAX];
    struct cell *cells[OTHER_FIRST];
    struct cell others[SERIES_CLASSES];
};

static const uint64_t long_bounds[SERIES_BUCKETS] = {10000,    25000,    50000,     100000,   250000,
                                                     500000,   1000000,  2500000,   5000000,  10000000,
                                                     30000000, 60000000, 120000000, 300000000};
static const uint64_t short_bounds[SERIES_BUCKETS] = {25,   50,    100,   250,   500,    1000,   2500,
                                                      5000, 10000, 25000, 50000, 100000, 250000, 1000000};

const uint64_t *series_bounds(enum series_histogram h)
{
    return h == SERIES_OVERHEAD ? short_bounds : long_bounds;
}

struct series *series_new(void)
{
    return mem_zalloc(sizeof(struct series));
}

void series_free(struct series *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < s->cell_count; i++)
        mem_free(s->cells[i]);
    mem_free(s);
}

/* One writer, any readers. */

static void grow(uint64_t *value, uint64_t by)
{
    __atomic_store_n(value, *value + by, __ATOMIC_RELAXED);
}

static uint64_t read_value(const uint64_t *value)
{
    return __atomic_load_n(value, __ATOMIC_RELAXED);
}

/* The number of a name; NAME_UNKNOWN when it is new and may not, or can not, come in. */
static uint8_t name_number(struct series *s, struct str text, bool may_enter)
{
    if (!text.n)
        return NAME_NONE;
    text = str_head(text, SERIES_NAME_BYTES);
    uint64_t hash = str_hash(text);
    unsigned at = (unsigned)(hash % NAME_SLOTS);
    for (; s->name_slots[at]; at = (at + 1) % NAME_SLOTS) {
        const struct name *n = &s->names[s->name_slots[at] - 1];
        if (n->hash == hash && str_eq(str_of(n->text, n->size), text))
            return (uint8_t)(s->name_slots[at] - 1 + NAME_FIRST);
    }
    unsigned i = s->name_count;
    if (!may_enter || i == SERIES_NAMES_MAX)
        return NAME_UNKNOWN;
    struct name *n = &s->names[i];
    n->hash = hash;
    n->size = (uint8_t)text.n;
    memcpy(n->text, text.p, text.n);
    s->name_slots[at] = (uint8_t)(i + 1);
    __atomic_store_n(&s->name_count, i + 1, __ATOMIC_RELEASE);
    return (uint8_t)(i + NAME_FIRST);
}

static bool key_eq(const struct key *a, const struct key *b)
{
    return a->workspace_id == b->workspace_id && a->integration_id == b->integration_id && a->provider == b->provider &&
           a->model == b->model && a->status_class == b->status_class && a->cache == b->cache;
}

static uint64_t key_hash(const struct key *k)
{
    uint64_t small =
        (uint64_t)k->provider | (uint64_t)k->model << 8 | (uint64_t)k->status_class << 16 | (uint64_t)k->cache << 24;
    uint64_t h = (small << 32 ^ (uint64_t)k->workspace_id ^ (uint64_t)k->integration_id << 17) + small;
    h *= UINT64_C(0x9e3779b97f4a7c15); /* spreads neighbouring ids */
    return h >> 32;
}

static struct cell *cell_of(struct series *s, const struct key *key)
{
    unsigned at = (unsigned)(key_hash(key) % CELL_SLOTS);
    for (; s->cell_slots[at]; at = (at + 1) % CELL_SLOTS) {
        struct cell *c = s->cells[s->cell_slots[at] - 1];
        if (key_eq(&c->key, key))
            return c;
    }
    unsigned i = s->cell_count;
    if (i == OTHER_FIRST)
        return &s->others[key->status_class];
    struct cell *c = mem_zalloc(sizeof *c);
    c->key = *key;
    s->cells[i] = c;
    s->cell_slots[at] = (uint8_t)(i + 1);
    __atomic_store_n(&s->cell_count, i + 1, __ATOMIC_RELEASE);
    return c;
}

static void observe(struct series_values *v, enum series_histogram h, uint64_t us)
{
    const uint64_t *bounds = series_bounds(h);
    unsigned i = 0;
    while (i < SERIES_BUCKETS && us > bounds[i])
        i++;
    grow(&v->bucket[h][i], 1);
    grow(&v->sum_us[h], us);
}

/* An answer that says nothing about whether the model exists is that of a refusal or of a bad request. */
static bool model_exists(const struct record *rec, unsigned status)
{
    return rec->model_answered.n || (status >= 200 && status < 400) || status == 429 || status >= 500;
}

static void key_of(struct series *s, const struct record *rec, unsigned status, struct key *ret)
{
    struct str provider = rec->routing.provider;
    unsigned status_class = status / 100;
    *ret = (struct key){.workspace_id = rec->workspace_id, .cache = (uint8_t)rec->routing.cache};
    ret->integration_id = provider.n ? 0 : rec->integration_id;
    ret->provider = name_number(s, provider, true);
    struct str model = rec->model_asked.n ? rec->model_asked : rec->model_answered;
    ret->model = name_number(s, model, model_exists(rec, status));
    ret->status_class = (uint8_t)(status_class < SERIES_CLASSES ? status_class : 0);
}

void series_count(struct series *s, const struct record *rec, const struct cost *cost)
{
    struct key key;
    key_of(s, rec, rec->status ? rec->status : rec->upstream_status, &key);
    struct cell *c = cell_of(s, &key);
    struct series_values *v = &c->values;
    grow(&v->attempts, 1);
    if (cost->state == COST_UNPRICED)
        grow(&v->unpriced, 1);
    if (cost->total_pusd > 0) {
        uint64_t pusd = c->cost_rest_pusd + (uint64_t)cost->total_pusd;
        grow(&v->cost_nusd, pusd / PUSD_PER_NUSD);
        c->cost_rest_pusd = pusd % PUSD_PER_NUSD;
    }
    if (rec->usage.input_total_tok | rec->usage.output_total_tok) {
        grow(&v->input_tok, rec->usage.input_total_tok);
        grow(&v->output_tok, rec->usage.output_total_tok);
    }
    if (rec->first_byte_us)
        observe(v, SERIES_FIRST_BYTE, rec->first_byte_us);
    observe(v, SERIES_TOTAL, rec->total_us);
    observe(v, SERIES_OVERHEAD, rec->overhead_us);
}

/* --- sums ------------------------------------------------------------------------------------ */

struct series_sum {
    unsigned count;
    struct series_sample samples[SERIES_MAX];
};

struct series_sum *series_sum_new(void)
{
    return mem_zalloc(sizeof(struct series_sum));
}

void series_sum_free(struct series_sum *sum)
{
    mem_free(sum);
}

struct series_sample *series_sum_get(struct series_sum *sum, unsigned *ret_count)
{
    *ret_count = sum->count;
    return sum->samples;
}

static struct str name_text(const struct series *s, uint8_t number)
{
    if (number == NAME_NONE)
        return STR("");
    if (number == NAME_UNKNOWN)
        return STR("unknown");
    const struct name *n = &s->names[number - NAME_FIRST];
    return str_of(n->text, n->size);
}

static bool same_labels(const struct series_sample *a, const struct series_sample *b)
{
    if (a->status_class != b->status_class || a->other != b->other)
        return false;
    return a->other || (a->workspace_id == b->workspace_id && a->integration_id == b->integration_id &&
                        a->cache == b->cache && str_eq(a->model, b->model) && str_eq(a->provider, b->provider));
}

/* Its place among the sums; a new combination becomes "other" when only the places kept for those are left. */
static struct series_sample *sum_place(struct series_sum *sum, const struct series_sample *labels)
{
    for (unsigned i = 0; i < sum->count; i++)
        if (same_labels(&sum->samples[i], labels))
            return &sum->samples[i];
    unsigned plain = 0;
    for (unsigned i = 0; i < sum->count; i++)
        plain += !sum->samples[i].other;
    if (!labels->other && plain == OTHER_FIRST) {
        struct series_sample other = {.other = true, .status_class = labels->status_class};
        return sum_place(sum, &other);
    }
    must(sum->count < SERIES_MAX);
    sum->samples[sum->count] = *labels;
    return &sum->samples[sum->count++];
}

void series_add(struct series_values *to, const struct series_values *from)
{
    to->attempts += read_value(&from->attempts);
    to->unpriced += read_value(&from->unpriced);
    to->cost_nusd += read_value(&from->cost_nusd);
    to->input_tok += read_value(&from->input_tok);
    to->output_tok += read_value(&from->output_tok);
    for (int h = 0; h < SERIES_HISTOGRAM_COUNT; h++) {
        to->sum_us[h] += read_value(&from->sum_us[h]);
        for (int b = 0; b <= SERIES_BUCKETS; b++)
            to->bucket[h][b] += read_value(&from->bucket[h][b]);
    }
}

void series_sum_add(struct series_sum *sum, const struct series *s)
{
    unsigned count = __atomic_load_n(&s->cell_count, __ATOMIC_ACQUIRE);
    for (unsigned i = 0; i < count; i++) {
        const struct cell *c = s->cells[i];
        struct series_sample labels = {.workspace_id = c->key.workspace_id,
                                       .provider = name_text(s, c->key.provider),
                                       .integration_id = c->key.integration_id,
                                       .model = name_text(s, c->key.model),
                                       .status_class = c->key.status_class,
                                       .cache = (enum record_cache)c->key.cache};
        series_add(&sum_place(sum, &labels)->values, &c->values);
    }
    for (unsigned i = 0; i < SERIES_CLASSES; i++) {
        struct series_sample labels = {.other = true, .status_class = i};
        if (read_value(&s->others[i].values.attempts))
            series_add(&sum_place(sum, &labels)->values, &s->others[i].values);
    }
}
