/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, ids of texts, accounts, names, the log of pulls. */
#include "report/bill/bill_write.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "report/bill/bill_inner.h"

#define PATH_MAX_BYTES 4096
#define CACHE_KIB 16384
#define PULLS_KEPT "10000"
/* Goes into what is compared at start: raise it when bill_line_read reads anything in another way. */
#define LINE_VERSION "1\n"

void bill_inner_sha256(struct str bytes, unsigned char out[BILL_HASH_BYTES])
{
    unsigned n = 0;
    int ok = EVP_Digest(bytes.p, bytes.n, out, &n, EVP_sha256(), NULL);
    must(ok == 1 && n == BILL_HASH_BYTES);
}

enum err bill_inner_fail(struct bill *b, enum err e)
{
    if (e != ERR_BAD_PARAMETER)
        str_copy(b->reason, sizeof b->reason, str_c(store_reason(b->db)));
    store_rollback(b->db);
    return e;
}

enum err bill_inner_run(struct bill *b, const char *sql, const int64_t *values, int count)
{
    struct store_stmt *st;
    enum err e = store_prepare(b->db, sql, &st);
    if (e != ERR_OK)
        return e;
    for (int i = 0; i < count; i++)
        store_bind_i64(st, i + 1, values[i]);
    e = store_run(st);
    store_clear(st);
    return e;
}

static enum err finish(struct bill *b, enum err e)
{
    if (e == ERR_OK)
        e = store_commit(b->db);
    return e == ERR_OK ? e : bill_inner_fail(b, e);
}

/* --- ids ------------------------------------------------------------------------------------- */

/* The first column of the statement's one row; 0 when there is none. */
static enum err first_number(struct store_stmt *st, int64_t *ret)
{
    bool row;
    enum err e = store_step(st, &row);
    if (e == ERR_OK)
        *ret = row ? store_i64(st, 0) : 0;
    store_clear(st);
    return e;
}

enum err bill_inner_term(struct bill *b, struct str text, int64_t *ret_id)
{
    struct store_stmt *st;
    *ret_id = 0;
    if (!text.n)
        return ERR_OK;
    enum err e = store_prepare(b->db, "SELECT id FROM terms WHERE text=?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, text);
    e = first_number(st, ret_id);
    if (e != ERR_OK || *ret_id)
        return e;
    e = store_prepare(b->db, "INSERT INTO terms(text) VALUES(?1)", &st);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, text);
    e = store_run(st);
    store_clear(st);
    *ret_id = store_last_id(b->db);
    return e;
}

enum err bill_inner_name(struct bill *b, int64_t account, enum bill_name kind, struct str ext, int64_t *ret_id)
{
    struct store_stmt *st;
    *ret_id = 0;
    if (!ext.n)
        return ERR_OK;
    enum err e = store_prepare(b->db, "SELECT id FROM names WHERE account=?1 AND kind=?2 AND ext=?3", &st);
    for (int turn = 0; turn < 2 && e == ERR_OK && !*ret_id; turn++) {
        store_bind_i64(st, 1, account);
        store_bind_i64(st, 2, kind);
        store_bind_text(st, 3, ext);
        e = first_number(st, ret_id);
        if (e == ERR_OK && !*ret_id)
            e = store_prepare(b->db, "INSERT INTO names(account, kind, ext) VALUES(?1, ?2, ?3) RETURNING id", &st);
    }
    return e;
}

struct item_ids {
    int64_t service, category, subcategory, tier, model;
};

static enum err derive(struct bill *b, struct str line_item, struct item_ids *ret)
{
    struct bill_line *l = mem_alloc(sizeof *l);
    bill_line_read(line_item, b->services, l);
    enum err e = bill_inner_term(b, str_c(l->service), &ret->service);
    if (e == ERR_OK)
        e = bill_inner_term(b, str_c(l->category), &ret->category);
    if (e == ERR_OK)
        e = bill_inner_term(b, str_c(l->subcategory), &ret->subcategory);
    if (e == ERR_OK)
        e = bill_inner_term(b, str_c(l->tier), &ret->tier);
    if (e == ERR_OK)
        e = bill_inner_term(b, str_c(l->model), &ret->model);
    mem_free(l);
    return e;
}

static void bind_item(struct store_stmt *st, const struct item_ids *ids)
{
    store_bind_i64(st, 2, ids->service);
    store_bind_i64(st, 3, ids->category);
    store_bind_i64(st, 4, ids->subcategory);
    store_bind_i64(st, 5, ids->tier);
    store_bind_i64(st, 6, ids->model);
}

enum err bill_inner_item(struct bill *b, struct str line_item, int64_t *ret_id)
{
    struct store_stmt *st;
    struct item_ids ids;
    *ret_id = 0;
    enum err e = store_prepare(b->db, "SELECT id FROM items WHERE line_item=?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, line_item);
    e = first_number(st, ret_id);
    if (e != ERR_OK || *ret_id)
        return e;
    e = derive(b, line_item, &ids);
    if (e == ERR_OK)
        e = store_prepare(b->db,
                          "INSERT INTO items(line_item, service, category, subcategory, tier, model)"
                          " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                          &st);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, line_item);
    bind_item(st, &ids);
    e = store_run(st);
    store_clear(st);
    *ret_id = store_last_id(b->db);
    return e;
}

/* --- derived columns anew -------------------------------------------------------------------- */

static enum err derive_again(struct bill *b, int64_t id, struct arena *a)
{
    struct store_stmt *st;
    struct item_ids ids;
    bool row;
    enum err e = store_prepare(b->db, "SELECT line_item FROM items WHERE id=?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    e = store_step(st, &row);
    if (e != ERR_OK || !row)
        return e;
    arena_reset(a);
    struct str line_item = arena_dup(a, store_text(st, 0));
    store_clear(st);
    must(line_item.p != NULL);
    e = derive(b, line_item, &ids);
    if (e == ERR_OK)
        e = store_prepare(
            b->db, "UPDATE items SET service=?2, category=?3, subcategory=?4, tier=?5, model=?6 WHERE id=?1", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    bind_item(st, &ids);
    e = store_run(st);
    store_clear(st);
    return e;
}

static enum err derive_all(struct bill *b, struct str version)
{
    struct store_stmt *st;
    int64_t last = 0;
    struct arena *a = arena_new(4096, 64u << 20);
    enum err e = store_prepare(b->db, "SELECT MAX(id) FROM items", &st);
    if (e == ERR_OK)
        e = first_number(st, &last);
    for (int64_t id = 1; id <= last && e == ERR_OK; id++)
        e = derive_again(b, id, a);
    arena_free(a);
    if (e == ERR_OK && last)
        e = bill_inner_rebuild(b);
    if (e == ERR_OK)
        e = store_prepare(b->db, "INSERT OR REPLACE INTO settings VALUES('services', ?1)", &st);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, version);
    e = store_run(st);
    store_clear(st);
    return e;
}

/* `text` is the administrator's table. */
static enum err follow_services(struct bill *b, struct str text)
{
    struct buf all;
    unsigned char hash[BILL_HASH_BYTES];
    char version[2 * 8 + 1];
    struct store_stmt *st;
    bool row, same = false;
    buf_init(&all, BILL_SERVICES_MAX + 64);
    bool fits = buf_add_str(&all, STR(LINE_VERSION)) && buf_add_str(&all, text);
    must(fits);
    bill_inner_sha256(buf_str(&all), hash);
    buf_free(&all);
    for (int i = 0; i < 8; i++)
        snprintf(version + 2 * i, 3, "%02x", hash[i]);
    enum err e = store_begin(b->db);
    if (e == ERR_OK)
        e = store_prepare(b->db, "SELECT value FROM settings WHERE name='services'", &st);
    if (e == ERR_OK)
        e = store_step(st, &row);
    if (e == ERR_OK) {
        same = row && str_eq(store_text(st, 0), str_c(version));
        store_clear(st);
    }
    if (e == ERR_OK && !same)
        e = derive_all(b, str_c(version));
    return finish(b, e);
}

/* --- opening --------------------------------------------------------------------------------- */

static enum err read_services(struct bill *b, const char *dir, struct buf *text, char *why, size_t why_cap)
{
    char path[PATH_MAX_BYTES], reason[BILL_LINE_WHY_MAX];
    char chunk[4096];
    size_t n;
    bool fits = true;
    snprintf(path, sizeof path, "%s/%s", dir, BILL_SERVICES_FILE);
    FILE *f = fopen(path, "rb");
    if (!f)
        return ERR_OK;
    while (fits && (n = fread(chunk, 1, sizeof chunk, f)) > 0)
        fits = buf_add(text, chunk, n);
    fclose(f);
    if (!fits) {
        snprintf(why, why_cap, "%s is larger than %u bytes", path, BILL_SERVICES_MAX);
        return ERR_BAD_CONFIG;
    }
    enum err e = bill_services_read(buf_str(text), &b->services, reason);
    if (e != ERR_OK)
        snprintf(why, why_cap, "%s, %s", path, reason);
    return e;
}

static enum err prepare_connection(struct bill *b)
{
    enum err e = bill_schema_migrate(b->db);
    return e == ERR_OK ? store_exec(b->db, "CREATE TEMP TABLE delta(project, key, item, charge, unit, service,"
                                           " category, subcategory, rows, micro, pico, quantity, nano)")
                       : e;
}

enum err bill_open(const char *dir, struct bill **ret, char *why, size_t why_cap)
{
    const struct store_options options = {.sync_full = true, .cache_kib = CACHE_KIB};
    char path[PATH_MAX_BYTES];
    struct buf text;
    int n = snprintf(path, sizeof path, "%s/%s", dir, BILL_FILE);
    if (n < 0 || (size_t)n + 32 >= sizeof path) {
        snprintf(why, why_cap, "the data directory's name is too long");
        return ERR_FILE_FAILED;
    }
    struct bill *b = mem_zalloc(sizeof *b);
    buf_init(&text, BILL_SERVICES_MAX);
    enum err e = read_services(b, dir, &text, why, why_cap);
    if (e == ERR_OK) {
        e = store_open(path, &options, &b->db);
        if (e != ERR_OK)
            snprintf(why, why_cap, "%s: %s", path, store_open_reason());
    }
    if (b->db && e == ERR_OK) {
        e = prepare_connection(b);
        if (e == ERR_OK)
            e = follow_services(b, buf_str(&text));
        if (e != ERR_OK)
            snprintf(why, why_cap, "%s: %s", path, store_reason(b->db));
    }
    buf_free(&text);
    if (e != ERR_OK) {
        bill_close(b);
        return e;
    }
    *ret = b;
    return ERR_OK;
}

void bill_close(struct bill *b)
{
    if (!b)
        return;
    store_close(b->db);
    bill_services_free(b->services);
    mem_free(b);
}

const char *bill_reason(const struct bill *b)
{
    return b->reason;
}

struct store_db *bill_db(struct bill *b)
{
    return b->db;
}

/* --- accounts -------------------------------------------------------------------------------- */

enum err bill_account_put(struct bill *b, int64_t id, int64_t workspace, struct str slug, int64_t backfill_day,
                          int64_t now_us)
{
    struct store_stmt *st;
    enum err e = store_prepare(b->db,
                               "INSERT INTO accounts(id, workspace, slug, status, created_us, backfill_day)"
                               " VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET workspace=?2, slug=?3,"
                               " backfill_day=MIN(backfill_day, ?6)",
                               &st);
    if (e != ERR_OK)
        return bill_inner_fail(b, e);
    store_bind_i64(st, 1, id);
    store_bind_i64(st, 2, workspace);
    store_bind_text(st, 3, slug);
    store_bind_i64(st, 4, BILL_PENDING);
    store_bind_i64(st, 5, now_us);
    store_bind_i64(st, 6, backfill_day);
    e = store_run(st);
    store_clear(st);
    return e == ERR_OK ? e : bill_inner_fail(b, e);
}

enum err bill_account_set(struct bill *b, const struct bill_account *a)
{
    struct store_stmt *st;
    enum err e = store_prepare(
        b->db,
        "UPDATE accounts SET organization=?2, title=?3, status=?4, error=?5, failures=?6, success_us=?7, refresh_us=?8,"
        " back_day=?9, names_us=?10, hourly_us=?11, daily_us=?12, monthly_us=?13, no_keys=?14, kept=?15 WHERE id=?1",
        &st);
    if (e != ERR_OK)
        return bill_inner_fail(b, e);
    const int64_t numbers[] = {a->failures,  a->success_us, a->refresh_us, a->back_day, a->names_us,
                               a->hourly_us, a->daily_us,   a->monthly_us, a->no_keys,  a->kept};
    store_bind_i64(st, 1, a->id);
    store_bind_text(st, 2, a->organization);
    store_bind_text(st, 3, a->title);
    store_bind_i64(st, 4, a->status);
    store_bind_text(st, 5, a->error);
    for (int i = 0; i < 10; i++)
        store_bind_i64(st, 6 + i, numbers[i]);
    e = store_run(st);
    store_clear(st);
    return e == ERR_OK ? e : bill_inner_fail(b, e);
}

enum err bill_account_remove(struct bill *b, int64_t id)
{
    static const char *const statements[] = {
#define X(table, period, dims, by, item) "DELETE FROM " #table " WHERE account=?1",
        BILL_ROLLUP_TABLE(X)
#undef X
            "DELETE FROM month_pack WHERE account=?1",
        "DELETE FROM places WHERE account=?1",
        "DELETE FROM bill_rows WHERE account=?1",
        "DELETE FROM days WHERE account=?1",
        "DELETE FROM corrections WHERE account=?1",
        "DELETE FROM usage_rows WHERE account=?1",
        "DELETE FROM usage_buckets WHERE account=?1",
        "DELETE FROM pulls WHERE account=?1",
        "DELETE FROM names WHERE account=?1",
        "DELETE FROM upload_rows WHERE account=?1",
        "DELETE FROM uploads WHERE account=?1",
        "DELETE FROM accounts WHERE id=?1",
    };
    enum err e = store_begin(b->db);
    for (size_t i = 0; i < sizeof statements / sizeof statements[0] && e == ERR_OK; i++)
        e = bill_inner_run(b, statements[i], &id, 1);
    return finish(b, e);
}

/* --- names ----------------------------------------------------------------------------------- */

static enum err put_name(struct bill *b, int64_t account, const struct bill_name_put *n)
{
    struct store_stmt *st;
    int64_t id, project;
    enum err e = bill_inner_name(b, account, BILL_PROJECT, n->project, &project);
    if (e == ERR_OK)
        e = bill_inner_name(b, account, n->kind, n->ext, &id);
    if (e == ERR_OK)
        e = store_prepare(b->db,
                          "UPDATE names SET name=?2, hint=?3, archived=?4,"
                          " project=CASE WHEN ?5=0 THEN project ELSE ?5 END WHERE id=?1",
                          &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    store_bind_text(st, 2, n->name);
    store_bind_text(st, 3, n->hint);
    store_bind_i64(st, 4, n->archived);
    store_bind_i64(st, 5, project);
    e = store_run(st);
    store_clear(st);
    return e;
}

enum err bill_names_put(struct bill *b, int64_t account, const struct bill_name_put *list, size_t count)
{
    enum err e = store_begin(b->db);
    for (size_t i = 0; i < count && e == ERR_OK; i++)
        if (list[i].ext.n)
            e = put_name(b, account, &list[i]);
    return finish(b, e);
}

/* --- the log --------------------------------------------------------------------------------- */

enum err bill_pull_add(struct bill *b, const struct bill_pull *p)
{
    struct store_stmt *st;
    enum err e = store_begin(b->db);
    if (e == ERR_OK)
        e = store_prepare(b->db,
                          "INSERT INTO pulls(account, at_us, endpoint, from_day, until_day, rows, changed, ms, pages,"
                          " status, error, hash) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                          &st);
    if (e != ERR_OK)
        return finish(b, e);
    const int64_t numbers[] = {p->from_day,    p->until_day,      (int64_t)p->rows, (int64_t)p->changed,
                               (int64_t)p->ms, (int64_t)p->pages, p->status};
    store_bind_i64(st, 1, p->account);
    store_bind_i64(st, 2, p->at_us);
    store_bind_text(st, 3, str_c(p->endpoint));
    for (int i = 0; i < 7; i++)
        store_bind_i64(st, 4 + i, numbers[i]);
    store_bind_text(st, 11, str_c(p->error));
    if (p->hash)
        store_bind_blob(st, 12, str_of((const char *)p->hash, BILL_HASH_BYTES));
    e = store_run(st);
    store_clear(st);
    if (e == ERR_OK)
        e = bill_inner_run(b, "DELETE FROM pulls WHERE id<=(SELECT MAX(id) FROM pulls)-" PULLS_KEPT, NULL, 0);
    return finish(b, e);
}
