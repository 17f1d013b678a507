/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows in the order they came: the id is the age, and what is put again gets a new one. A row is the
 * answer's facts, its body compressed by zstd, and a CRC-32C over all of it and the key. How much
 * room the file takes is asked of the database itself (pages in use), so every overhead counts.
 *
 * An error inside a transaction ends it; what was in it is lost and nothing else. The index in
 * memory may then say "known" of what is not there, which costs the one who asks a look and is
 * corrected by it.
 */
#include "gateway/cache/disk.h"

#include <stdio.h>
#include <string.h>

#include <zstd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/wire.h"
#include "store/sqlite.h"

#define PATH_BYTES 4200
#define LEVEL 3
#define REOPEN_US 60000000 /* after the file could not be opened */
#define PAGE_BYTES 4096
#define ROW_BYTES (5 * PAGE_BYTES) /* the most a row adds beside facts and body: trees that are split */
#define OUT_AT_ONCE 16             /* rows removed in one go to make room */
#define SWEEP_ROWS 256
#define SHRINK_FROM 1024 /* free pages above which 256 at a time go back to the file system */
/* 8 MB of log: with less of it, the same pages of the keys' tree are copied back again and again. */
#define CHECKPOINT_PAGES 2000
#define PAGE_CACHE_KIB 4096

struct disk {
    struct disk_settings settings;
    char path[PATH_BYTES];
    struct store_db *db;
    uint64_t reopen_us; /* monotonic: not before */
    bool off;           /* for good: the file is of a later version */
    bool failing;       /* the last write failed, and that was logged */
    bool open_tx;
    enum err tx_err;
    uint64_t answers, bytes;
    ZSTD_CCtx *zip;
    ZSTD_DCtx *unzip;
    unsigned char *room; /* for compressed bodies */
    size_t room_size;
};

static const struct store_migration migrations[] = {
    {1, "answers and vectors",
     "CREATE TABLE answer (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, expires_us INTEGER NOT NULL,"
     " size INTEGER NOT NULL, crc INTEGER NOT NULL, facts BLOB NOT NULL, body BLOB NOT NULL);"
     "CREATE INDEX answer_expires ON answer (expires_us);"
     "CREATE TABLE vector (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, workspace_id INTEGER NOT NULL,"
     " kind BLOB NOT NULL, expires_us INTEGER NOT NULL, crc INTEGER NOT NULL, numbers BLOB NOT NULL);"
     "CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"},
};

static void path_of(char out[PATH_BYTES], const char *dir, const char *suffix)
{
    snprintf(out, PATH_BYTES, "%s/cache.db%s", dir, suffix);
}

bool disk_exists(const char *dir)
{
    char path[PATH_BYTES];
    struct file_facts facts;
    path_of(path, dir, "");
    return file_look(path, &facts) == ERR_OK;
}

struct disk *disk_new(const struct disk_settings *settings)
{
    struct disk *d = mem_zalloc(sizeof *d);
    d->settings = *settings;
    path_of(d->path, settings->dir, "");
    return d;
}

static void close_db(struct disk *d)
{
    store_close(d->db);
    d->db = NULL;
    d->open_tx = false;
    d->answers = d->bytes = 0;
}

void disk_free(struct disk *d)
{
    if (!d)
        return;
    if (d->db && store_checkpoint(d->db) != ERR_OK)
        log_warn("cache_file_not_tidy", LOG_TEXT("why", store_reason(d->db)));
    close_db(d);
    ZSTD_freeCCtx(d->zip);
    ZSTD_freeDCtx(d->unzip);
    mem_free(d->room);
    mem_free(d);
}

/* --- the file -------------------------------------------------------------------------------- */

/* The damaged file stays for whoever wants to look at it, until the next one. */
static void put_aside(struct disk *d, const char *why)
{
    char to[PATH_BYTES], log[PATH_BYTES];
    log_error("cache_file_damaged", LOG_TEXT("path", d->path), LOG_TEXT("why", why),
              LOG_TEXT("done", "renamed to cache.db.damaged; a new one is begun"));
    close_db(d);
    d->settings.on_cleared(d->settings.ctx);
    path_of(to, d->settings.dir, ".damaged");
    bool gone = file_rename(d->path, to) == ERR_OK;
    path_of(log, d->settings.dir, "-wal");
    gone = file_unlink(log) == ERR_OK && gone;
    path_of(log, d->settings.dir, "-shm");
    gone = file_unlink(log) == ERR_OK && gone;
    if (!gone)
        d->reopen_us = clock_mono_us() + REOPEN_US;
}

/* What a failure leads to; logged once until something works again. */
static void failed(struct disk *d, enum err e)
{
    char why[256];
    str_copy(why, sizeof why, str_c(d->db ? store_reason(d->db) : store_open_reason()));
    if (e == ERR_CORRUPT) {
        put_aside(d, why);
        return;
    }
    if (!d->failing)
        log_warn("cache_file_fails", LOG_TEXT("path", d->path), LOG_TEXT("why", why));
    d->failing = true;
}

static int64_t number_of(struct disk *d, const char *sql, enum err *e)
{
    struct store_stmt *st;
    bool row = false;
    int64_t n = 0;
    if (*e == ERR_OK)
        *e = store_prepare(d->db, sql, &st);
    if (*e != ERR_OK)
        return 0;
    *e = store_step(st, &row);
    if (*e == ERR_OK && row) {
        n = store_i64(st, 0);
        store_done(st);
    }
    return n;
}

static enum err measure(struct disk *d)
{
    enum err e = ERR_OK;
    int64_t pages = number_of(d, "PRAGMA page_count", &e), unused = number_of(d, "PRAGMA freelist_count", &e);
    int64_t size = number_of(d, "PRAGMA page_size", &e);
    if (e == ERR_OK)
        d->bytes = (uint64_t)(pages - unused) * (uint64_t)size;
    return e;
}

/* Whose vectors they are. */
static bool same_model(struct disk *d, enum err *e)
{
    struct store_stmt *st;
    bool row = false, same = false;
    *e = store_prepare(d->db, "SELECT value FROM setting WHERE name = 'model'", &st);
    if (*e == ERR_OK)
        *e = store_step(st, &row);
    if (*e == ERR_OK && row) {
        same = str_eq(store_text(st, 0), str_c(d->settings.model));
        store_done(st);
    }
    return same;
}

static enum err set_model(struct disk *d)
{
    struct store_stmt *st;
    enum err e = store_prepare(d->db, "INSERT OR REPLACE INTO setting (name, value) VALUES ('model', ?1)", &st);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, str_c(d->settings.model));
    return store_run(st);
}

/* Room that is given up goes back to the file system only if the file was made so. */
static enum err prepare_file(struct disk *d)
{
    int version = 0;
    enum err e = store_version(d->db, &version);
    if (e == ERR_OK && version == 0)
        e = store_exec(d->db, "PRAGMA auto_vacuum=INCREMENTAL; VACUUM");
    if (e == ERR_OK)
        e = store_migrate(d->db, migrations, sizeof migrations / sizeof migrations[0]);
    if (e == ERR_OK && version == 0)
        e = set_model(d);
    if (e == ERR_OK)
        d->answers = (uint64_t)number_of(d, "SELECT count(*) FROM answer", &e);
    return e == ERR_OK ? measure(d) : e;
}

/* The file is open when this says so. */
static bool ready(struct disk *d)
{
    static const struct store_options options = {.checkpoint_pages = CHECKPOINT_PAGES, .cache_kib = PAGE_CACHE_KIB};
    if (d->db)
        return true;
    for (int attempt = 0; attempt < 2 && !d->off && clock_mono_us() >= d->reopen_us; attempt++) {
        enum err e = store_open(d->path, &options, &d->db);
        if (e == ERR_OK)
            e = prepare_file(d);
        if (e == ERR_OK)
            return true;
        failed(d, e);
        d->off = e == ERR_SCHEMA_NEWER;
        close_db(d);
        if (e == ERR_CORRUPT)
            continue;
        d->reopen_us = clock_mono_us() + REOPEN_US;
    }
    return false;
}

/* --- rows ------------------------------------------------------------------------------------ */

static uint32_t add_number(uint32_t crc, int64_t v)
{
    unsigned char bytes[8];
    wire_put_u64(bytes, (uint64_t)v);
    return crc32c(crc, bytes, sizeof bytes);
}

static uint32_t answer_crc(struct str key, int64_t expires_us, int64_t size, struct str facts, struct str body)
{
    uint32_t crc = crc32c(0, key.p, key.n);
    crc = add_number(add_number(crc, expires_us), size);
    crc = crc32c(crc, facts.p, facts.n);
    return crc32c(crc, body.p, body.n);
}

static uint32_t vector_crc(struct str key, int64_t workspace_id, struct str kind, int64_t expires_us,
                           struct str numbers)
{
    uint32_t crc = crc32c(0, key.p, key.n);
    crc = add_number(crc, workspace_id);
    crc = crc32c(crc, kind.p, kind.n);
    crc = add_number(crc, expires_us);
    return crc32c(crc, numbers.p, numbers.n);
}

static struct str key_str(const unsigned char key[CACHE_KEY_BYTES])
{
    return str_of((const char *)key, CACHE_KEY_BYTES);
}

static enum err run_with_key(struct disk *d, const char *sql, struct str key)
{
    struct store_stmt *st;
    enum err e = store_prepare(d->db, sql, &st);
    if (e != ERR_OK)
        return e;
    store_bind_blob(st, 1, key);
    return store_run(st);
}

static enum err remove_answer(struct disk *d, const unsigned char key[CACHE_KEY_BYTES])
{
    enum err e = run_with_key(d, "DELETE FROM answer WHERE key = ?1", key_str(key));
    if (e != ERR_OK)
        return e;
    if (store_changes(d->db) > 0 && d->answers > 0)
        d->answers--;
    d->settings.on_known(d->settings.ctx, key, false);
    return run_with_key(d, "DELETE FROM vector WHERE key = ?1", key_str(key));
}

/* Keys that `st` gives, up to `max`; those of a wrong length are none of ours. */
static enum err keys_of(struct store_stmt *st, unsigned char (*out)[CACHE_KEY_BYTES], unsigned max, unsigned *ret_n)
{
    bool row = true;
    enum err e = ERR_OK;
    *ret_n = 0;
    while (*ret_n < max && (e = store_step(st, &row)) == ERR_OK && row) {
        struct str key = store_text(st, 0);
        if (key.n == CACHE_KEY_BYTES)
            memcpy(out[(*ret_n)++], key.p, CACHE_KEY_BYTES);
    }
    if (e == ERR_OK && row)
        store_done(st);
    return e;
}

/* The oldest rows. *ret_n: how many went. */
static enum err remove_oldest(struct disk *d, unsigned *ret_n)
{
    unsigned char keys[OUT_AT_ONCE][CACHE_KEY_BYTES];
    struct store_stmt *st;
    enum err e = store_prepare(d->db, "SELECT key FROM answer ORDER BY id LIMIT ?1", &st);
    *ret_n = 0;
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, OUT_AT_ONCE);
    e = keys_of(st, keys, OUT_AT_ONCE, ret_n);
    for (unsigned i = 0; e == ERR_OK && i < *ret_n; i++)
        e = remove_answer(d, keys[i]);
    return e == ERR_OK ? measure(d) : e;
}

/* *ret_fits: `bytes` more will stay within the caps. */
static enum err make_room(struct disk *d, size_t bytes, bool *ret_fits)
{
    enum err e = measure(d);
    uint64_t need = bytes + ROW_BYTES;
    unsigned removed = need <= d->settings.max_bytes;
    *ret_fits = false;
    while (e == ERR_OK && removed > 0) {
        if (d->bytes + need <= d->settings.max_bytes && d->answers < DISK_ANSWERS_MAX) {
            *ret_fits = true;
            break;
        }
        e = remove_oldest(d, &removed);
    }
    return e;
}

/* --- transactions ---------------------------------------------------------------------------- */

void disk_begin(struct disk *d)
{
    must(!d->open_tx);
    d->tx_err = ERR_STORE_FAILED;
    if (!ready(d))
        return;
    d->tx_err = store_begin(d->db);
    d->open_tx = d->tx_err == ERR_OK;
    if (!d->open_tx)
        failed(d, d->tx_err);
}

bool disk_end(struct disk *d)
{
    if (!d->open_tx)
        return false;
    if (d->tx_err == ERR_OK)
        d->tx_err = measure(d);
    if (d->tx_err == ERR_OK)
        d->tx_err = store_commit(d->db);
    d->open_tx = false;
    if (d->tx_err == ERR_OK) {
        d->failing = false;
        return true;
    }
    enum err why = d->tx_err, e = ERR_OK;
    failed(d, why);
    if (!d->db)
        return false;
    store_rollback(d->db);
    d->answers = (uint64_t)number_of(d, "SELECT count(*) FROM answer", &e);
    if (e == ERR_OK)
        e = measure(d);
    if (e != ERR_OK)
        failed(d, e);
    return false;
}

static bool compress(struct disk *d, struct str body, struct str *ret)
{
    size_t most = ZSTD_compressBound(body.n);
    if (!d->zip)
        d->zip = ZSTD_createCCtx();
    must(d->zip != NULL);
    if (d->room_size < most) {
        mem_free(d->room);
        d->room = mem_alloc(most);
        d->room_size = most;
    }
    size_t n = ZSTD_compressCCtx(d->zip, d->room, d->room_size, body.p, body.n, LEVEL);
    if (ZSTD_isError(n))
        return false;
    *ret = str_of((const char *)d->room, n);
    return true;
}

static enum err insert_answer(struct disk *d, const struct cache_entry *entry, struct str facts, struct str body)
{
    const struct cache_answer *a = &entry->answer;
    struct store_stmt *st;
    enum err e = store_prepare(d->db,
                               "INSERT INTO answer (key, expires_us, size, crc, facts, body)"
                               " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                               &st);
    if (e != ERR_OK)
        return e;
    store_bind_blob(st, 1, key_str(entry->key));
    store_bind_i64(st, 2, a->expires_us);
    store_bind_i64(st, 3, (int64_t)a->body.n);
    store_bind_i64(st, 4, answer_crc(key_str(entry->key), a->expires_us, (int64_t)a->body.n, facts, body));
    store_bind_blob(st, 5, facts);
    store_bind_blob(st, 6, body);
    return store_run(st);
}

void disk_put(struct disk *d, const struct cache_entry *entry)
{
    unsigned char facts[ENTRY_FACTS_MAX];
    struct str body;
    bool fits = false;
    if (!d->open_tx || d->tx_err != ERR_OK || !compress(d, entry->answer.body, &body))
        return;
    size_t n = entry_facts_write(&entry->answer, facts);
    d->tx_err = remove_answer(d, entry->key);
    if (d->tx_err == ERR_OK)
        d->tx_err = make_room(d, n + body.n, &fits);
    if (d->tx_err != ERR_OK || !fits)
        return;
    d->tx_err = insert_answer(d, entry, str_of((const char *)facts, n), body);
    if (d->tx_err != ERR_OK)
        return;
    d->answers++;
    d->settings.on_known(d->settings.ctx, entry->key, true);
}

static enum err insert_vector(struct disk *d, const struct vectors_item *item)
{
    struct str key = key_str(item->key), kind = key_str(item->group);
    struct str numbers = str_of((const char *)item->vector, item->dimensions * sizeof(float));
    struct store_stmt *st;
    enum err e = store_prepare(d->db,
                               "INSERT INTO vector (key, workspace_id, kind, expires_us, crc, numbers)"
                               " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                               &st);
    if (e != ERR_OK)
        return e;
    store_bind_blob(st, 1, key);
    store_bind_i64(st, 2, item->workspace_id);
    store_bind_blob(st, 3, kind);
    store_bind_i64(st, 4, item->expires_us);
    store_bind_i64(st, 5, vector_crc(key, item->workspace_id, kind, item->expires_us, numbers));
    store_bind_blob(st, 6, numbers);
    return store_run(st);
}

void disk_put_vector(struct disk *d, const struct vectors_item *item)
{
    bool fits = false;
    disk_forget_vector(d, item->key);
    if (!d->open_tx || d->tx_err != ERR_OK)
        return;
    d->tx_err = make_room(d, item->dimensions * sizeof(float), &fits);
    if (d->tx_err == ERR_OK && fits)
        d->tx_err = insert_vector(d, item);
}

void disk_forget_vector(struct disk *d, const unsigned char key[CACHE_KEY_BYTES])
{
    if (d->open_tx && d->tx_err == ERR_OK)
        d->tx_err = run_with_key(d, "DELETE FROM vector WHERE key = ?1", key_str(key));
}

/* --- reading --------------------------------------------------------------------------------- */

/* The row that `st` stands on, made whole again; NULL when anything in it is not as it was written. */
static struct cache_entry *entry_of_row(struct disk *d, struct store_stmt *st, const unsigned char key[CACHE_KEY_BYTES])
{
    struct str facts = store_text(st, 3), body = store_text(st, 4);
    int64_t expires_us = store_i64(st, 0), size = store_i64(st, 1);
    struct cache_answer a;
    if (size < 0 || size > CACHE_ENTRY_MAX ||
        store_i64(st, 2) != answer_crc(key_str(key), expires_us, size, facts, body) || !entry_facts_read(facts, &a) ||
        a.expires_us != expires_us)
        return NULL;
    if (!d->unzip)
        d->unzip = ZSTD_createDCtx();
    must(d->unzip != NULL);
    char *text = mem_alloc((size_t)size + 1);
    struct cache_entry *e = NULL;
    if (ZSTD_decompressDCtx(d->unzip, text, (size_t)size, body.p, body.n) == (size_t)size) {
        a.body = str_of(text, (size_t)size);
        if (entry_cost(&a) != SIZE_MAX)
            e = entry_new(key, &a);
    }
    mem_free(text);
    return e;
}

static void drop_answer(struct disk *d, const unsigned char key[CACHE_KEY_BYTES])
{
    disk_begin(d);
    if (d->open_tx)
        d->tx_err = remove_answer(d, key);
    (void)disk_end(d);
}

struct cache_entry *disk_read(struct disk *d, const unsigned char key[CACHE_KEY_BYTES], int64_t now_us)
{
    struct cache_entry *entry = NULL;
    struct store_stmt *st;
    bool row = false;
    if (!ready(d))
        return NULL;
    enum err e = store_prepare(d->db, "SELECT expires_us, size, crc, facts, body FROM answer WHERE key = ?1", &st);
    if (e == ERR_OK) {
        store_bind_blob(st, 1, key_str(key));
        e = store_step(st, &row);
    }
    if (e != ERR_OK) {
        failed(d, e);
        return NULL;
    }
    if (row) {
        entry = entry_of_row(d, st, key);
        store_done(st);
        if (!entry)
            log_warn("cache_row_damaged", LOG_TEXT("done", "the answer was removed"));
    }
    if (entry && entry->answer.expires_us <= now_us) {
        cache_release(entry);
        entry = NULL;
    }
    if (row && !entry)
        drop_answer(d, key);
    if (!row)
        d->settings.on_known(d->settings.ctx, key, false);
    return entry;
}

/* --- start ----------------------------------------------------------------------------------- */

static enum err load_keys(struct disk *d)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(d->db, "SELECT key FROM answer", &st);
    if (e != ERR_OK)
        return e;
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        struct str key = store_text(st, 0);
        if (key.n == CACHE_KEY_BYTES)
            d->settings.on_known(d->settings.ctx, (const unsigned char *)key.p, true);
    }
    return e;
}

static enum err tidy_vectors(struct disk *d)
{
    enum err e;
    bool same = same_model(d, &e);
    if (e == ERR_OK)
        e = store_exec(d->db,
                       same ? "DELETE FROM vector WHERE key NOT IN (SELECT key FROM answer)" : "DELETE FROM vector");
    return e != ERR_OK || same ? e : set_model(d);
}

/* True when the row was taken over; false: it is of no use. */
static bool load_vector(struct store_stmt *st, struct vectors *vectors, unsigned char lost[CACHE_KEY_BYTES],
                        bool *ret_has_lost)
{
    float vector[VECTORS_DIMENSIONS_MAX];
    struct str key = store_text(st, 0), kind = store_text(st, 2), numbers = store_text(st, 5);
    int64_t workspace_id = store_i64(st, 1), expires_us = store_i64(st, 3);
    *ret_has_lost = false;
    if (key.n != CACHE_KEY_BYTES || kind.n != CACHE_KEY_BYTES || numbers.n < sizeof(float) ||
        numbers.n > sizeof vector || numbers.n % sizeof(float) ||
        store_i64(st, 4) != vector_crc(key, workspace_id, kind, expires_us, numbers))
        return false;
    memcpy(vector, numbers.p, numbers.n);
    struct vectors_item item = {.workspace_id = workspace_id,
                                .group = (const unsigned char *)kind.p,
                                .key = (const unsigned char *)key.p,
                                .vector = vector,
                                .dimensions = (unsigned)(numbers.n / sizeof(float)),
                                .expires_us = expires_us};
    return vectors_add(vectors, &item, lost, ret_has_lost);
}

static enum err load_vectors(struct disk *d, struct vectors *vectors)
{
    unsigned char lost[CACHE_KEY_BYTES];
    struct store_stmt *st;
    bool row, has_lost;
    enum err e =
        store_prepare(d->db, "SELECT key, workspace_id, kind, expires_us, crc, numbers FROM vector ORDER BY id", &st);
    if (e != ERR_OK)
        return e;
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        if (!load_vector(st, vectors, lost, &has_lost)) {
            memcpy(lost, store_text(st, 0).p, store_text(st, 0).n == CACHE_KEY_BYTES ? CACHE_KEY_BYTES : 0);
            has_lost = store_text(st, 0).n == CACHE_KEY_BYTES;
        }
        if (has_lost)
            disk_forget_vector(d, lost);
        if (d->tx_err != ERR_OK) {
            store_done(st);
            return d->tx_err;
        }
    }
    return e;
}

void disk_load(struct disk *d, struct vectors *vectors)
{
    bool fits;
    disk_begin(d);
    if (!d->open_tx)
        return;
    d->tx_err = make_room(d, 0, &fits);
    if (d->tx_err == ERR_OK)
        d->tx_err = load_keys(d);
    if (d->tx_err == ERR_OK)
        d->tx_err = tidy_vectors(d);
    if (d->tx_err == ERR_OK)
        d->tx_err = load_vectors(d, vectors);
    (void)disk_end(d);
}

/* --- what is done at leisure ----------------------------------------------------------------- */

/* Free pages go back to the file system; true when there are more. */
static bool shrink(struct disk *d)
{
    enum err e = ERR_OK;
    if (number_of(d, "PRAGMA freelist_count", &e) > SHRINK_FROM) {
        e = store_exec(d->db, "PRAGMA incremental_vacuum(256)");
        if (e == ERR_OK)
            return true;
    }
    if (e != ERR_OK)
        failed(d, e);
    return false;
}

bool disk_sweep(struct disk *d, int64_t now_us)
{
    unsigned char keys[SWEEP_ROWS][CACHE_KEY_BYTES];
    struct store_stmt *st;
    unsigned n = 0;
    if (!d->db)
        return false;
    disk_begin(d);
    if (!d->open_tx)
        return false;
    d->tx_err = store_prepare(d->db, "SELECT key FROM answer WHERE expires_us <= ?1 LIMIT ?2", &st);
    if (d->tx_err == ERR_OK) {
        store_bind_i64(st, 1, now_us);
        store_bind_i64(st, 2, SWEEP_ROWS);
        d->tx_err = keys_of(st, keys, SWEEP_ROWS, &n);
    }
    for (unsigned i = 0; d->tx_err == ERR_OK && i < n; i++)
        d->tx_err = remove_answer(d, keys[i]);
    if (!disk_end(d))
        return false;
    return n > 0 || shrink(d);
}

void disk_stats_of(const struct disk *d, struct disk_stats *ret)
{
    *ret = (struct disk_stats){d->answers, d->bytes};
}
