/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open-addressing table of (kind, text) → id, at most half full. A text that must appear twice
 * is remembered by its hash in a small direct-mapped table the first time; a collision there only
 * delays or hastens its admission.
 */
#include "ledger/drain/dims.h"

#include "base/mem.h"
#include "base/must.h"

#define FIRST_SLOTS 256
#define SEEN_SLOTS 1024
#define RECENT 4 /* of a kind: most rows repeat what the ones before them had */

struct slot {
    uint64_t hash;
    int64_t id; /* 0 = empty */
    char *text; /* owned */
    uint32_t n;
    uint32_t kind;
};

struct dims {
    struct store_db *db;
    struct slot *slots;
    size_t slot_count, used;
    unsigned per_kind[SCHEMA_DIM_COUNT];
    uint64_t seen[SEEN_SLOTS];
    size_t recent[SCHEMA_DIM_COUNT][RECENT]; /* places in `slots`, from 1 */
};

static const bool at_second[] = {
#define X(name, second) second,
    SCHEMA_DIM_TABLE(X)
#undef X
};

struct dims *dims_new(struct store_db *db)
{
    struct dims *d = mem_zalloc(sizeof *d);
    d->db = db;
    d->slot_count = FIRST_SLOTS;
    d->slots = mem_zalloc(d->slot_count * sizeof *d->slots);
    return d;
}

static void forget(struct dims *d)
{
    for (size_t i = 0; i < d->slot_count; i++)
        mem_free(d->slots[i].text);
    memset(d->slots, 0, d->slot_count * sizeof *d->slots);
    memset(d->per_kind, 0, sizeof d->per_kind);
    memset(d->recent, 0, sizeof d->recent);
    d->used = 0;
}

void dims_free(struct dims *d)
{
    if (!d)
        return;
    forget(d);
    mem_free(d->slots);
    mem_free(d);
}

static uint64_t hash_of(enum schema_dim kind, struct str text)
{
    return str_hash(text) * 31 + (uint64_t)kind;
}

/* The slot that has the text, or the empty one where it belongs. */
static struct slot *find(const struct dims *d, uint64_t hash, enum schema_dim kind, struct str text)
{
    for (size_t i = hash & (d->slot_count - 1);; i = (i + 1) & (d->slot_count - 1)) {
        struct slot *s = &d->slots[i];
        if (s->id == 0 || (s->hash == hash && s->kind == (uint32_t)kind && str_eq(str_of(s->text, s->n), text)))
            return s;
    }
}

static void grow(struct dims *d)
{
    struct slot *old = d->slots;
    size_t old_count = d->slot_count;
    d->slot_count *= 2;
    memset(d->recent, 0, sizeof d->recent);
    d->slots = mem_zalloc(d->slot_count * sizeof *d->slots);
    for (size_t i = 0; i < old_count; i++)
        if (old[i].id)
            *find(d, old[i].hash, (enum schema_dim)old[i].kind, str_of(old[i].text, old[i].n)) = old[i];
    mem_free(old);
}

static void keep(struct dims *d, enum schema_dim kind, struct str text, int64_t id)
{
    if (d->used * 2 >= d->slot_count)
        grow(d);
    uint64_t hash = hash_of(kind, text);
    struct slot *s = find(d, hash, kind, text);
    must(s->id == 0);
    *s = (struct slot){hash, id, mem_strndup(text.p, text.n), (uint32_t)text.n, (uint32_t)kind};
    d->used++;
    d->per_kind[kind]++;
}

enum err dims_load(struct dims *d)
{
    struct store_stmt *st;
    bool row;
    forget(d);
    enum err e = store_prepare(d->db, "SELECT id, kind, text FROM dims WHERE id > 1", &st);
    if (e != ERR_OK)
        return e;
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        int64_t kind = store_i64(st, 1);
        struct str text = store_text(st, 2);
        if (kind <= 0 || kind >= SCHEMA_DIM_COUNT || store_i64(st, 0) <= 0)
            continue;
        if (find(d, hash_of((enum schema_dim)kind, text), (enum schema_dim)kind, text)->id == 0)
            keep(d, (enum schema_dim)kind, text, store_i64(st, 0));
    }
    return e;
}

static enum err insert(struct dims *d, enum schema_dim kind, struct str text, int64_t *ret_id)
{
    struct store_stmt *st;
    enum err e = store_prepare(d->db, "INSERT INTO dims(kind, text) VALUES(?1, ?2)", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, kind);
    store_bind_text(st, 2, text);
    e = store_run(st);
    store_clear(st);
    if (e == ERR_OK)
        *ret_id = store_last_id(d->db);
    return e;
}

static bool admitted(struct dims *d, enum schema_dim kind, struct str text, uint64_t hash, bool trusted)
{
    if (d->per_kind[kind] >= DIMS_PER_KIND_MAX || text.n > DIMS_TEXT_MAX)
        return false;
    if (!at_second[kind])
        return trusted;
    uint64_t *seen = &d->seen[hash >> 32 & (SEEN_SLOTS - 1)];
    if (*seen == hash)
        return true;
    *seen = hash;
    return false;
}

enum err dims_id(struct dims *d, enum schema_dim kind, struct str text, bool trusted, int64_t *ret_id)
{
    must(kind > SCHEMA_DIM_NONE && kind < SCHEMA_DIM_COUNT);
    if (text.n == 0) {
        *ret_id = SCHEMA_DIM_EMPTY;
        return ERR_OK;
    }
    size_t *recent = &d->recent[kind][text.n % RECENT];
    const struct slot *s = *recent ? &d->slots[*recent - 1] : NULL;
    if (s && str_eq(str_of(s->text, s->n), text)) {
        *ret_id = s->id;
        return ERR_OK;
    }
    uint64_t hash = hash_of(kind, text);
    s = find(d, hash, kind, text);
    if (s->id) {
        *recent = (size_t)(s - d->slots) + 1;
        *ret_id = s->id;
        return ERR_OK;
    }
    if (!admitted(d, kind, text, hash, trusted)) {
        *ret_id = SCHEMA_DIM_OTHER;
        return ERR_OK;
    }
    int64_t id;
    enum err e = insert(d, kind, text, &id);
    if (e != ERR_OK)
        return e;
    keep(d, kind, text, id);
    *ret_id = id;
    return ERR_OK;
}
