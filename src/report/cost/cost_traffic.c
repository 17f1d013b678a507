/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was metered, by day, place, sku and target. Rollups have all of that but metadata; so with metadata the
 * attempts themselves are read, and rollups only of hours whose attempts are no longer kept.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json/jdoc.h"
#include "base/mem.h"
#include "base/must.h"
#include "ledger/record.h"
#include "ledger/row.h"
#include "ledger/schema.h"
#include "report/bill/bill.h"
#include "report/cost/cost_shared.h"

#define HOURS 24
#define CELL_COLUMNS 4 /* day, place, sku, target */
#define TARGET_COLUMNS (3 + COST_METADATA_MAX)
#define METADATA_KEY_MAX 128

struct entry {
    int64_t day;
    uint32_t place, sku;
    struct cost_used used;
};

struct cost_traffic {
    const struct cost_job *job;
    struct match *match;
    const struct cost_metadata *metadata;
    struct cost_texts models, tiers, texts;
    struct cost_ids *targets, *skus, *cells;
    struct cost_table *known; /* numbers of metadata's texts */
    struct cost_texts_make make;
    struct jdoc json;
    struct cost_target *list; /* owned */
    struct entry *entries;    /* by cell; owned */
    struct cost_used *used;   /* of the same; owned */
    size_t target_count, entry_count;
};

/* What one rollup or attempt is of. */
struct origin {
    int64_t at_us, workspace, integration, model, tier;
    struct cost_target target;
    bool batch;
};

static enum err too_many(const struct cost_job *j)
{
    cost_error_set(j->error, "Too much was metered in this time to share costs out by it; ask for a shorter time.");
    return ERR_BAD_PARAMETER;
}

/* --- which metadata -------------------------------------------------------------------------- */

static bool add_key(struct cost_metadata *m, struct str key)
{
    for (unsigned i = 0; i < m->count; i++)
        if (str_eq(m->keys[i], key))
            return true;
    if (m->count == COST_METADATA_MAX)
        return false;
    m->keys[m->count++] = key;
    return true;
}

/* Keys that a filter names: the tree is at most VQL_DEPTH_MAX deep. */
static bool add_tree(struct cost_metadata *m, const struct vql_node *n)
{
    bool ok = true;
    for (size_t i = 0; ok && i < n->child_count; i++)
        ok = add_tree(m, n->children[i]);
    for (size_t i = 0; ok && n->kind == VQL_PAIRS && i < n->value_count; i += 2)
        ok = add_key(m, n->values[i]);
    if (n->kind == VQL_TEST && n->field == VQL_TAG_NAME && (n->op == VQL_EQ || n->op == VQL_IN))
        for (size_t i = 0; ok && i < n->value_count; i++)
            ok = add_key(m, n->values[i]);
    return ok;
}

static bool add_filter(struct cost_metadata *m, const struct vql *filter)
{
    return !filter || !vql_root(filter) || add_tree(m, vql_root(filter));
}

static bool add_tag(struct cost_metadata *m, const struct cost_tag *t)
{
    bool ok = add_key(m, t->key);
    for (size_t i = 0; ok && i < t->collapsed_count; i++)
        ok = add_key(m, t->collapsed[i]);
    for (size_t i = 0; ok && i < t->count; i++)
        ok = add_filter(m, t->values[i].filter);
    return ok;
}

enum err cost_traffic_metadata(const struct cost_job *j, struct cost_metadata *ret)
{
    bool ok = true;
    *ret = (struct cost_metadata){.count = 0};
    for (unsigned i = 0; ok && i < j->q->group_count; i++)
        if (j->q->groups[i].by == COST_BY_TAG)
            ok = add_key(ret, j->q->groups[i].tag);
    for (size_t i = 0; ok && i < j->q->filter_count; i++)
        ok = add_filter(ret, j->q->filters[i]);
    bool tags = ret->count > 0 || (j->fields >> VQL_TAG_VALUE & 1);
    for (size_t i = 0; ok && tags && i < j->piece->tag_count; i++)
        ok = add_tag(ret, &j->piece->tags[i]);
    if (!ok)
        cost_error_set(j->error, "More than %d tags in one question about allocated costs.", COST_METADATA_MAX);
    return ok ? ERR_OK : ERR_BAD_PARAMETER;
}

/* --- adding up ------------------------------------------------------------------------------- */

static bool is_seen(const struct cost_scope *s, int64_t workspace)
{
    for (size_t i = 0; !s->all && i < s->workspace_count; i++)
        if (s->workspaces[i] == workspace)
            return true;
    return s->all;
}

static enum err target_of(struct cost_traffic *t, const struct origin *o, uint32_t *ret)
{
    int64_t key[TARGET_COLUMNS] = {COST_TARGET_ELSEWHERE, COST_TARGET_ELSEWHERE, COST_TARGET_ELSEWHERE};
    if (is_seen(&t->job->q->scope, o->workspace)) {
        key[0] = o->target.key;
        key[1] = o->workspace;
        key[2] = o->target.config;
        memcpy(key + 3, o->target.metadata, sizeof o->target.metadata);
    }
    if (!cost_ids_find(t->targets, key))
        return too_many(t->job);
    *ret = (uint32_t)cost_ids_last(t->targets);
    return ERR_OK;
}

/* Kept by ids, because texts take long to compare. */
static enum err sku_of(struct cost_traffic *t, const struct origin *o, unsigned meter, uint32_t *ret)
{
    const int64_t key[] = {o->model, o->tier, o->batch, meter};
    struct cost_ids_sum *known = cost_ids_find(t->skus, key);
    struct str model = STR(""), tier = STR(""), none;
    if (!known)
        return too_many(t->job);
    if (!known->rows) {
        (void)cost_texts_find(&t->models, o->model, &model, &none);
        (void)cost_texts_find(&t->tiers, o->tier, &tier, &none);
        known->rows = (uint64_t)match_meter(t->match, model, meter, tier, o->batch) + 1;
    }
    *ret = (uint32_t)(known->rows - 1);
    return ERR_OK;
}

static enum err add_meter(struct cost_traffic *t, const struct origin *o, uint32_t place, uint32_t target,
                          unsigned meter, money_sum quantity, money_sum pusd)
{
    uint32_t sku;
    enum err e = sku_of(t, o, meter, &sku);
    if (e != ERR_OK || sku == MATCH_NONE)
        return e;
    const int64_t cell[CELL_COLUMNS] = {bill_day_of(o->at_us), place, sku, target};
    struct cost_ids_sum *sum = cost_ids_find(t->cells, cell);
    if (!sum)
        return too_many(t->job);
    sum->usage += quantity;
    sum->pusd += pusd;
    return ERR_OK;
}

/* Where it belongs; false: on no bill of the scope. */
static bool place_of(const struct cost_traffic *t, const struct origin *o, uint32_t *ret)
{
    enum match_miss miss;
    *ret = match_metered(t->match, o->integration, o->workspace, o->at_us, &miss);
    return *ret != MATCH_NONE;
}

/* --- rollups --------------------------------------------------------------------------------- */

#define MODEL_SQL "CASE c.model_answered WHEN 0 THEN c.model_asked ELSE c.model_answered END"

static enum err add_rollup(struct cost_traffic *t, struct store_stmt *st)
{
    struct sums sums = {0};
    uint32_t place, target;
    struct origin o = {.at_us = store_i64(st, 0) * SCHEMA_HOUR_US,
                       .workspace = store_i64(st, 1),
                       .target = {.key = store_i64(st, 2), .config = store_i64(st, 4)},
                       .integration = store_i64(st, 3),
                       .model = store_i64(st, 5),
                       .tier = store_i64(st, 6)};
    if (!place_of(t, &o, &place))
        return ERR_OK;
    enum err e = rollup_read(st, 7, &sums);
    if (e == ERR_OK)
        e = target_of(t, &o, &target);
    for (unsigned i = 0; e == ERR_OK && i < METER_COUNT; i++)
        if (sums.quantity[i] || sums.part_pusd[i])
            e = add_meter(t, &o, place, target, i, (money_sum)sums.quantity[i], sums.part_pusd[i]);
    return e;
}

static enum err read_rollups(struct cost_traffic *t, struct store_db *ledger, int64_t from_hour, int64_t until_hour)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(ledger,
                               "SELECT r.hour, c.workspace_id, c.key_id, c.integration_id, c.config, " MODEL_SQL
                               ", c.service_tier, " ROLLUP_SUM_COLUMNS
                               " FROM rollups AS r CROSS JOIN combos AS c WHERE c.id = r.combo AND r.hour >= ?1"
                               " AND r.hour < ?2",
                               &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, from_hour);
    store_bind_i64(st, 2, until_hour);
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        e = add_rollup(t, st);
        if (e != ERR_OK)
            break;
    }
    store_clear(st);
    return e;
}

/* --- attempts -------------------------------------------------------------------------------- */

/* The number of a metadata's text; new ones are kept. */
static enum err text_number(struct cost_traffic *t, struct str text, int64_t *ret)
{
    *ret = cost_table_text(t->known, text, STR(""));
    if (!text.n || (t->make.count && *ret <= t->make.rows[t->make.count - 1].id))
        return ERR_OK;
    struct str own = arena_dup(t->job->arena, text);
    return own.p ? cost_texts_add(&t->make, *ret, own, STR("")) : too_many(t->job);
}

/* Numbers, true and false as they are written; null, lists and objects are no values. */
static struct str text_of(const struct cost_traffic *t, struct jval v)
{
    enum jdoc_kind kind = jdoc_kind(v);
    bool plain = kind == JDOC_NUMBER || kind == JDOC_TRUE || kind == JDOC_FALSE;
    return plain ? jdoc_raw(v) : jdoc_text(v, t->job->arena);
}

static enum err read_metadata(struct cost_traffic *t, struct str text, struct cost_target *ret)
{
    char name[METADATA_KEY_MAX];
    enum err e = ERR_OK;
    if (!text.n || !jdoc_parse(&t->json, text))
        return ERR_OK;
    for (unsigned i = 0; e == ERR_OK && i < t->metadata->count; i++) {
        if (t->metadata->keys[i].n >= sizeof name)
            continue;
        str_copy(name, sizeof name, t->metadata->keys[i]);
        e = text_number(t, text_of(t, jdoc_get(jdoc_root(&t->json), name)), &ret->metadata[i]);
    }
    return e;
}

static enum err add_attempt(struct cost_traffic *t, struct row_reader *rows, struct store_stmt *st)
{
    struct record r;
    uint32_t place, target;
    struct rollup_key key = row_key(st);
    struct origin o = {.at_us = record_id_time_us(store_i64(st, ROW_ID)),
                       .workspace = key.workspace_id,
                       .target = {.key = key.key_id, .config = key.config},
                       .integration = key.integration_id,
                       .model = key.model_answered ? key.model_answered : key.model_asked,
                       .tier = key.service_tier};
    if (!place_of(t, &o, &place))
        return ERR_OK;
    enum err e = row_read(rows, st, &r);
    if (e == ERR_OK)
        e = read_metadata(t, r.metadata, &o.target);
    if (e == ERR_OK)
        e = target_of(t, &o, &target);
    for (unsigned i = 0; e == ERR_OK && i < METER_COUNT; i++)
        if (r.usage.quantity[i] || r.cost.part_pusd[i])
            e = add_meter(t, &o, place, target, i, (money_sum)r.usage.quantity[i], (money_sum)r.cost.part_pusd[i]);
    return e;
}

static enum err too_many_requests(const struct cost_job *j)
{
    cost_error_set(
        j->error,
        "More than %d requests in this time, and metadata is read request by request; ask for a shorter time, "
        "or group by api_key, member, workspace or model_api.",
        COST_SHARED_REQUESTS_MAX);
    return ERR_BAD_PARAMETER;
}

static enum err read_attempts(struct cost_traffic *t, struct store_db *ledger, int64_t from_hour, int64_t until_hour)
{
    struct store_stmt *st;
    struct row_reader rows;
    bool row;
    size_t n = 0;
    enum err e = store_prepare(ledger, "SELECT " ROW_COLUMNS " FROM attempts WHERE id >= ?1 AND id < ?2", &st);
    if (e != ERR_OK || from_hour >= until_hour)
        return e;
    row_reader_init(&rows, ledger);
    store_bind_i64(st, 1, record_id_floor(from_hour * SCHEMA_HOUR_US));
    store_bind_i64(st, 2, record_id_floor(until_hour * SCHEMA_HOUR_US));
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        e = ++n > COST_SHARED_REQUESTS_MAX ? too_many_requests(t->job) : add_attempt(t, &rows, st);
        if (e != ERR_OK)
            break;
    }
    store_clear(st);
    row_reader_done(&rows);
    return e;
}

/* Hours that have lost some of their attempts are read from rollups. */
static enum err read_both(struct cost_traffic *t, struct store_db *ledger, int64_t from_hour, int64_t until_hour)
{
    int64_t kept_id, kept = from_hour;
    enum err e = schema_state(ledger, SCHEMA_STATE_ROWS_FROM, &kept_id);
    if (e == ERR_OK && kept_id)
        kept = rollup_hour(kept_id) + 1;
    kept = kept < from_hour ? from_hour : kept > until_hour ? until_hour : kept;
    if (e == ERR_OK && kept > from_hour)
        e = read_rollups(t, ledger, from_hour, kept);
    return e == ERR_OK ? read_attempts(t, ledger, kept, until_hour) : e;
}

/* --- in order -------------------------------------------------------------------------------- */

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    if (x->sku != y->sku)
        return x->sku < y->sku ? -1 : 1;
    return (x->used.target > y->used.target) - (x->used.target < y->used.target);
}

static void make_entries(struct cost_traffic *t)
{
    struct cost_ids_sum sum;
    const int64_t *key;
    size_t n = 0;
    while (cost_ids_get(t->cells, n, &key, &sum))
        n++;
    t->entries = mem_alloc((n + 1) * sizeof *t->entries);
    t->used = mem_alloc((n + 1) * sizeof *t->used);
    for (size_t i = 0; cost_ids_get(t->cells, i, &key, &sum); i++)
        t->entries[i] =
            (struct entry){key[0], (uint32_t)key[1], (uint32_t)key[2], {(uint32_t)key[3], sum.usage, sum.pusd}};
    if (n)
        qsort(t->entries, n, sizeof *t->entries, compare_entries);
    for (size_t i = 0; i < n; i++)
        t->used[i] = t->entries[i].used;
    t->entry_count = n;
}

static void make_targets(struct cost_traffic *t)
{
    struct cost_ids_sum sum;
    const int64_t *key;
    while (cost_ids_get(t->targets, t->target_count, &key, &sum))
        t->target_count++;
    t->list = mem_zalloc((t->target_count + 1) * sizeof *t->list);
    for (size_t i = 0; cost_ids_get(t->targets, i, &key, &sum); i++) {
        t->list[i] = (struct cost_target){.key = key[0], .workspace = key[1], .config = key[2]};
        memcpy(t->list[i].metadata, key + 3, sizeof t->list[i].metadata);
    }
}

static enum err load_texts(struct cost_traffic *t, struct store_db *ledger, enum schema_dim kind,
                           struct cost_texts *ret)
{
    struct store_stmt *st;
    enum err e = store_prepare(ledger, "SELECT id, text, '' FROM dims WHERE kind = ?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, kind);
    return cost_texts_load(st, t->job->arena, ret);
}

static enum err load(struct cost_traffic *t, struct store_db *ledger)
{
    int64_t from = t->job->piece->from_day * HOURS, until = t->job->piece->until_day * HOURS;
    enum err e = load_texts(t, ledger, SCHEMA_DIM_MODEL, &t->models);
    if (e == ERR_OK)
        e = load_texts(t, ledger, SCHEMA_DIM_TIER, &t->tiers);
    if (e == ERR_OK)
        e = t->metadata->count ? read_both(t, ledger, from, until) : read_rollups(t, ledger, from, until);
    return e == ERR_OK ? cost_texts_end(&t->make, &t->texts) : e;
}

enum err cost_traffic_load(const struct cost_job *j, struct store_db *ledger, struct match *m,
                           const struct cost_metadata *metadata, struct cost_traffic **ret)
{
    struct cost_traffic *t = mem_zalloc(sizeof *t);
    *t = (struct cost_traffic){.job = j, .match = m, .metadata = metadata, .make = {.arena = j->arena}};
    t->targets = cost_ids_new(TARGET_COLUMNS);
    t->skus = cost_ids_new(4);
    t->cells = cost_ids_new(CELL_COLUMNS);
    t->known = cost_table_new(j->q);
    jdoc_init(&t->json);
    enum err e = ledger ? load(t, ledger) : cost_texts_end(&t->make, &t->texts);
    make_entries(t);
    make_targets(t);
    if (e == ERR_OK)
        *ret = t;
    else
        cost_traffic_free(t);
    return e;
}

void cost_traffic_free(struct cost_traffic *t)
{
    if (!t)
        return;
    cost_ids_free(t->targets);
    cost_ids_free(t->skus);
    cost_ids_free(t->cells);
    cost_table_free(t->known);
    jdoc_free(&t->json);
    mem_free(t->list);
    mem_free(t->entries);
    mem_free(t->used);
    mem_free(t);
}

size_t cost_traffic_find(const struct cost_traffic *t, int64_t day, uint32_t place, uint32_t sku,
                         const struct cost_used **ret)
{
    const struct entry wanted = {.day = day, .place = place, .sku = sku};
    size_t low = 0, high = t->entry_count, n = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_entries(&t->entries[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + n < t->entry_count && t->entries[low + n].day == day && t->entries[low + n].place == place &&
           t->entries[low + n].sku == sku)
        n++;
    *ret = t->used + low;
    return n;
}

size_t cost_traffic_targets(const struct cost_traffic *t)
{
    return t->target_count;
}

const struct cost_target *cost_traffic_target(const struct cost_traffic *t, uint32_t number)
{
    must(number < t->target_count);
    return &t->list[number];
}

const struct cost_texts *cost_traffic_texts(const struct cost_traffic *t)
{
    return &t->texts;
}
