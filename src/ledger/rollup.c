/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rollups in memory: two hash tables of owned nodes, combos by key and hours' sums by (hour, combo).
 * Both are emptied between transactions when they have grown beyond their limits; everything in them
 * can be read back.
 */
#include "ledger/rollup.h"

#include "base/mem.h"
#include "base/must.h"
#include "ledger/schema.h"

#define BUCKETS 4096
#define SUMS_KEPT_MAX 4096
#define COMBOS_KEPT_MAX 16384

struct combo {
    struct combo *next;
    uint64_t hash;
    struct rollup_key key;
    int64_t id;
};

struct node {
    struct node *next;
    int64_t hour, combo;
    struct sums sums;
    bool dirty;
    struct node *next_dirty;
};

struct rollup {
    struct store_db *db;
    struct combo *combos[BUCKETS];
    struct node *nodes[BUCKETS];
    struct node *dirty;
    size_t combo_count, node_count;
};

/* --- reading --------------------------------------------------------------------------------- */

int64_t rollup_hour(int64_t id)
{
    return record_id_time_us(id) / SCHEMA_HOUR_US;
}

enum err rollup_add_to(struct store_stmt *st, int first, struct sums *s)
{
    s->attempts += (uint64_t)store_i64(st, first);
    s->requests += (uint64_t)store_i64(st, first + 1);
    s->cost_pusd += sums_join_cost(store_i64(st, first + 2), store_i64(st, first + 3));
    sums_add_tokens(s, (uint64_t)store_i64(st, first + 4), (uint64_t)store_i64(st, first + 5));
    return sums_add_encoded(store_text(st, first + 6), s);
}

enum err rollup_read(struct store_stmt *st, int first, struct sums *ret)
{
    struct sums s = {0};
    enum err e = rollup_add_to(st, first, &s);
    if (e == ERR_OK)
        *ret = s;
    return e;
}

/* --- memory ---------------------------------------------------------------------------------- */

struct rollup *rollup_new(struct store_db *db)
{
    struct rollup *u = mem_zalloc(sizeof *u);
    u->db = db;
    return u;
}

static void forget_nodes(struct rollup *u)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (u->nodes[i]) {
            struct node *n = u->nodes[i];
            u->nodes[i] = n->next;
            mem_free(n);
        }
    }
    u->dirty = NULL;
    u->node_count = 0;
}

static void forget_combos(struct rollup *u)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (u->combos[i]) {
            struct combo *c = u->combos[i];
            u->combos[i] = c->next;
            mem_free(c);
        }
    }
    u->combo_count = 0;
}

void rollup_forget(struct rollup *u)
{
    forget_nodes(u);
    forget_combos(u);
}

void rollup_free(struct rollup *u)
{
    if (!u)
        return;
    rollup_forget(u);
    mem_free(u);
}

static void bind_key(struct store_stmt *st, const struct rollup_key *k)
{
    const int64_t values[] = {k->workspace_id,   k->key_id,       k->integration_id, k->operation, k->model_asked,
                              k->model_answered, k->service_tier, k->status_class,   k->outcome,   k->cost_state,
                              k->stream,         k->provider,     k->config,         k->cache,     k->discarded};
    _Static_assert(sizeof values / sizeof values[0] == ROLLUP_KEY_COLUMN_COUNT, "one value a column");
    for (int i = 0; i < ROLLUP_KEY_COLUMN_COUNT; i++)
        store_bind_i64(st, i + 1, values[i]);
}

static enum err combo_from_db(struct rollup *u, const struct rollup_key *key, int64_t *ret_id)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(u->db,
                               "SELECT id FROM combos WHERE workspace_id=?1 AND key_id=?2 AND integration_id=?3"
                               " AND operation=?4 AND model_asked=?5 AND model_answered=?6 AND service_tier=?7"
                               " AND status_class=?8 AND outcome=?9 AND cost_state=?10 AND stream=?11 AND provider=?12"
                               " AND config=?13 AND cache=?14 AND discarded=?15",
                               &st);
    if (e != ERR_OK)
        return e;
    bind_key(st, key);
    e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    if (row) {
        *ret_id = store_i64(st, 0);
        store_done(st);
        return ERR_OK;
    }
    e = store_prepare(u->db,
                      "INSERT INTO combos(" ROLLUP_KEY_COLUMNS
                      ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
                      &st);
    if (e != ERR_OK)
        return e;
    bind_key(st, key);
    e = store_run(st);
    if (e == ERR_OK)
        *ret_id = store_last_id(u->db);
    return e;
}

static enum err find_combo(struct rollup *u, const struct rollup_key *key, int64_t *ret_id)
{
    uint64_t hash = str_hash(str_of((const char *)key, sizeof *key));
    struct combo **bucket = &u->combos[hash & (BUCKETS - 1)];
    for (struct combo *c = *bucket; c; c = c->next) {
        if (c->hash == hash && memcmp(&c->key, key, sizeof *key) == 0) {
            *ret_id = c->id;
            return ERR_OK;
        }
    }
    int64_t id;
    enum err e = combo_from_db(u, key, &id);
    if (e != ERR_OK)
        return e;
    struct combo *c = mem_alloc(sizeof *c);
    *c = (struct combo){*bucket, hash, *key, id};
    *bucket = c;
    u->combo_count++;
    *ret_id = id;
    return ERR_OK;
}

static enum err sums_from_db(struct rollup *u, int64_t hour, int64_t combo, struct sums *ret)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(u->db, "SELECT " ROLLUP_SUM_COLUMNS " FROM rollups WHERE hour=?1 AND combo=?2", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, hour);
    store_bind_i64(st, 2, combo);
    e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    if (!row) {
        *ret = (struct sums){0};
        return ERR_OK;
    }
    e = rollup_read(st, 0, ret);
    store_done(st);
    return e;
}

static enum err find_node(struct rollup *u, int64_t hour, int64_t combo, struct node **ret)
{
    struct node **bucket = &u->nodes[((uint64_t)hour * 1031 + (uint64_t)combo) & (BUCKETS - 1)];
    for (struct node *n = *bucket; n; n = n->next) {
        if (n->hour == hour && n->combo == combo) {
            *ret = n;
            return ERR_OK;
        }
    }
    struct sums sums;
    enum err e = sums_from_db(u, hour, combo, &sums);
    if (e != ERR_OK)
        return e;
    struct node *n = mem_alloc(sizeof *n);
    *n = (struct node){.next = *bucket, .hour = hour, .combo = combo, .sums = sums};
    *bucket = n;
    u->node_count++;
    *ret = n;
    return ERR_OK;
}

enum err rollup_add(struct rollup *u, const struct rollup_key *key, const struct record *r, int sign)
{
    int64_t combo;
    struct node *n;
    enum err e = find_combo(u, key, &combo);
    if (e == ERR_OK)
        e = find_node(u, rollup_hour(r->id), combo, &n);
    if (e != ERR_OK)
        return e;
    sums_add_record(&n->sums, r, sign);
    if (!n->dirty) {
        n->dirty = true;
        n->next_dirty = u->dirty;
        u->dirty = n;
    }
    return ERR_OK;
}

/* --- storing --------------------------------------------------------------------------------- */

static enum err store_node(struct rollup *u, const struct node *n)
{
    struct store_stmt *st;
    unsigned char sums[SUMS_BYTES_MAX];
    int64_t carry, rest;
    enum err e = store_prepare(u->db,
                               "INSERT OR REPLACE INTO rollups(hour, combo, " ROLLUP_SUM_COLUMNS ")"
                               " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                               &st);
    if (e != ERR_OK)
        return e;
    sums_split_cost(n->sums.cost_pusd, &carry, &rest);
    store_bind_i64(st, 1, n->hour);
    store_bind_i64(st, 2, n->combo);
    store_bind_i64(st, 3, (int64_t)n->sums.attempts);
    store_bind_i64(st, 4, (int64_t)n->sums.requests);
    store_bind_i64(st, 5, carry);
    store_bind_i64(st, 6, rest);
    store_bind_i64(st, 7, (int64_t)n->sums.input_tok);
    store_bind_i64(st, 8, (int64_t)n->sums.output_tok);
    store_bind_blob(st, 9, str_of((const char *)sums, sums_encode(&n->sums, sums)));
    e = store_run(st);
    store_clear(st);
    return e;
}

static enum err remove_node(struct rollup *u, const struct node *n)
{
    struct store_stmt *st;
    enum err e = store_prepare(u->db, "DELETE FROM rollups WHERE hour=?1 AND combo=?2", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, n->hour);
    store_bind_i64(st, 2, n->combo);
    return store_run(st);
}

enum err rollup_store(struct rollup *u)
{
    while (u->dirty) {
        struct node *n = u->dirty;
        enum err e = n->sums.attempts ? store_node(u, n) : remove_node(u, n);
        if (e != ERR_OK)
            return e;
        u->dirty = n->next_dirty;
        n->dirty = false;
    }
    if (u->node_count > SUMS_KEPT_MAX)
        forget_nodes(u);
    if (u->combo_count > COMBOS_KEPT_MAX)
        forget_combos(u);
    return ERR_OK;
}
