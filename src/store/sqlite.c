/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embedded database (https://sqlite.org/c3ref/intro.html).
 *
 * Connections are opened without the library's own locking (a connection is one thread's at a
 * time). Statements are kept in a list per connection, found by the address of their text first and
 * by the text itself second; their number is bounded by the literals of this program.
 */
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <sqlite3.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/must.h"

#define DB_MAGIC 0x73716c64u
#define STATEMENTS_MAX 512
#define BUSY_MS 5000
#define CACHE_KIB 2048
#define CHECKPOINT_PAGES 1000
#define REASON_MAX 256
#define TICK_STEPS 100000 /* virtual machine steps between two calls of `tick` */

struct store_stmt {
    sqlite3_stmt *raw;
    struct store_db *db;
    const char *text; /* as it was asked for: a literal, as a rule */
    uint64_t hash;    /* of the text */
    bool too_big;     /* a value was refused; the next step reports it */
    struct store_stmt *next;
};

struct store_db {
    unsigned magic;
    sqlite3 *raw;
    struct store_stmt *statements;
    unsigned count;
    char reason[REASON_MAX]; /* of the last failure */
};

static _Thread_local char open_reason[REASON_MAX];

static enum err err_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return ERR_OK;
    case SQLITE_CONSTRAINT:
        return ERR_CONFLICT;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    default:
        return ERR_STORE_FAILED;
    }
}

/* The library's message is kept, because the rollback that follows would replace it. */
static enum err result_of(struct store_db *db, int code)
{
    enum err e = err_of(code);
    if (e != ERR_OK)
        str_copy(db->reason, sizeof db->reason, str_c(db->raw ? sqlite3_errmsg(db->raw) : "out of memory"));
    return e;
}

const char *store_reason(const struct store_db *db)
{
    must(db->magic == DB_MAGIC);
    return db->reason;
}

const char *store_open_reason(void)
{
    return open_reason;
}

enum err store_exec(struct store_db *db, const char *sql)
{
    must(db->magic == DB_MAGIC);
    return result_of(db, sqlite3_exec(db->raw, sql, NULL, NULL, NULL));
}

static enum err set_pragma(struct store_db *db, const char *name, long long value)
{
    char sql[96];
    snprintf(sql, sizeof sql, "PRAGMA %s=%lld", name, value);
    return store_exec(db, sql);
}

/*
 * The change to the write-ahead log takes a lock that the busy handler does not wait for, so of
 * two processes that open a fresh file at once one is refused for a moment.
 */
static enum err enter_wal(struct store_db *db, unsigned busy_ms)
{
    enum err e = ERR_OK;
    for (unsigned waited = 0; waited <= busy_ms; waited += 5) {
        e = store_exec(db, "PRAGMA journal_mode=WAL");
        if (e == ERR_OK || (sqlite3_errcode(db->raw) & 0xff) != SQLITE_BUSY)
            break;
        const struct timespec pause = {0, 5000000};
        nanosleep(&pause, NULL);
    }
    return e;
}

static enum err configure(struct store_db *db, const struct store_options *o)
{
    unsigned busy_ms = o->busy_ms ? o->busy_ms : BUSY_MS;
    sqlite3_busy_timeout(db->raw, (int)busy_ms);
    sqlite3_extended_result_codes(db->raw, 1);
    enum err e = set_pragma(db, "cache_size", -(long long)(o->cache_kib ? o->cache_kib : CACHE_KIB));
    if (e == ERR_OK)
        e = store_exec(db, "PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF");
    if (e == ERR_OK && o->read_only)
        return store_exec(db, "PRAGMA query_only=ON");
    if (e == ERR_OK)
        e = enter_wal(db, busy_ms);
    if (e == ERR_OK)
        e = store_set_sync_full(db, o->sync_full);
    if (e == ERR_OK)
        e = set_pragma(db, "wal_autocheckpoint", o->checkpoint_pages ? o->checkpoint_pages : CHECKPOINT_PAGES);
    return e;
}

/* The library would make the file with the process's default mode; it holds what users sent. */
static enum err make_file(const char *path)
{
    int fd;
    enum err e = file_open(path, O_RDWR | O_CREAT, 0600, &fd);
    if (e == ERR_OK)
        file_close(fd);
    return e;
}

/*
 * Nobody asks the library how much memory it has, and counting takes a lock at each allocation. It
 * refuses when something else in the process has used it before, and then counts on.
 */
static void count_no_memory(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    /* Else each connection touches 20 pages when it is opened, and most need a few. */
    (void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
}

enum err store_open(const char *path, const struct store_options *options, struct store_db **ret_db)
{
    static const struct store_options defaults;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, count_no_memory);
    const struct store_options *o = options ? options : &defaults;
    if (!o->read_only && make_file(path) != ERR_OK) {
        str_copy(open_reason, sizeof open_reason, str_c(file_failure()));
        return ERR_STORE_FAILED;
    }
    struct store_db *db = mem_zalloc(sizeof *db);
    db->magic = DB_MAGIC;
    int flags = (o->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
    enum err e = result_of(db, sqlite3_open_v2(path, &db->raw, flags, NULL));
    if (e == ERR_OK)
        e = configure(db, o);
    if (e != ERR_OK) {
        str_copy(open_reason, sizeof open_reason, str_c(db->reason));
        store_close(db);
        return e;
    }
    *ret_db = db;
    return ERR_OK;
}

void store_close(struct store_db *db)
{
    if (!db)
        return;
    must(db->magic == DB_MAGIC);
    while (db->statements) {
        struct store_stmt *st = db->statements;
        db->statements = st->next;
        sqlite3_finalize(st->raw);
        mem_free(st);
    }
    if (db->raw) {
        int code = sqlite3_close(db->raw);
        must(code == SQLITE_OK);
    }
    db->magic = 0;
    mem_free(db);
}

/* --- statements ------------------------------------------------------------------------------ */

/* The same literal again; the text is compared too, should it be none. */
static struct store_stmt *find_same(struct store_db *db, const char *sql)
{
    for (struct store_stmt *st = db->statements; st; st = st->next)
        if (st->text == sql && strcmp(sqlite3_sql(st->raw), sql) == 0 && !sqlite3_stmt_busy(st->raw))
            return st;
    return NULL;
}

static struct store_stmt *find_idle(struct store_db *db, const char *sql, uint64_t hash)
{
    for (struct store_stmt *st = db->statements; st; st = st->next)
        if (st->hash == hash && strcmp(sqlite3_sql(st->raw), sql) == 0 && !sqlite3_stmt_busy(st->raw))
            return st;
    return NULL;
}

static enum err prepare(struct store_db *db, const char *sql, unsigned flags, struct store_stmt **ret_st)
{
    sqlite3_stmt *raw = NULL;
    const char *tail = NULL;
    int code = sqlite3_prepare_v3(db->raw, sql, -1, flags, &raw, &tail);
    if (code != SQLITE_OK)
        return result_of(db, code);
    must(raw != NULL);
    must(tail[0] == '\0');
    *ret_st = mem_alloc(sizeof **ret_st);
    **ret_st = (struct store_stmt){.raw = raw, .db = db};
    return ERR_OK;
}

enum err store_prepare_once(struct store_db *db, const char *sql, struct store_stmt **ret_st)
{
    must(db->magic == DB_MAGIC);
    return prepare(db, sql, 0, ret_st);
}

void store_drop(struct store_stmt *st)
{
    sqlite3_finalize(st->raw);
    mem_free(st);
}

enum err store_prepare(struct store_db *db, const char *sql, struct store_stmt **ret_st)
{
    must(db->magic == DB_MAGIC);
    uint64_t hash = 0;
    struct store_stmt *st = find_same(db, sql);
    if (!st) {
        hash = str_hash(str_c(sql));
        st = find_idle(db, sql, hash);
    }
    if (st) {
        store_clear(st);
        *ret_st = st;
        return ERR_OK;
    }
    must(db->count < STATEMENTS_MAX);
    enum err e = prepare(db, sql, SQLITE_PREPARE_PERSISTENT, &st);
    if (e != ERR_OK)
        return e;
    st->text = sql;
    st->hash = hash;
    st->next = db->statements;
    db->statements = st;
    db->count++;
    *ret_st = st;
    return ERR_OK;
}

static void bound(struct store_stmt *st, int code)
{
    must(code == SQLITE_OK || code == SQLITE_TOOBIG || code == SQLITE_NOMEM);
    if (code != SQLITE_OK)
        st->too_big = true;
}

void store_bind_i64(struct store_stmt *st, int at, int64_t v)
{
    bound(st, sqlite3_bind_int64(st->raw, at, v));
}

void store_bind_text(struct store_stmt *st, int at, struct str text)
{
    bound(st, sqlite3_bind_text64(st->raw, at, text.p ? text.p : "", text.n, SQLITE_STATIC, SQLITE_UTF8));
}

void store_bind_blob(struct store_stmt *st, int at, struct str bytes)
{
    bound(st, sqlite3_bind_blob64(st->raw, at, bytes.p ? bytes.p : "", bytes.n, SQLITE_STATIC));
}

void store_bind_null(struct store_stmt *st, int at)
{
    bound(st, sqlite3_bind_null(st->raw, at));
}

enum err store_step(struct store_stmt *st, bool *ret_row)
{
    if (st->too_big) {
        st->too_big = false;
        str_copy(st->db->reason, REASON_MAX, STR("a value is too large for the database"));
        return ERR_STORE_FAILED;
    }
    int code = sqlite3_step(st->raw);
    if (code == SQLITE_ROW) {
        *ret_row = true;
        return ERR_OK;
    }
    must(code != SQLITE_MISUSE);
    enum err e = result_of(st->db, code);
    sqlite3_reset(st->raw);
    if (e == ERR_OK)
        *ret_row = false;
    return e;
}

enum err store_run(struct store_stmt *st)
{
    bool row;
    enum err e;
    do
        e = store_step(st, &row);
    while (e == ERR_OK && row);
    return e;
}

void store_done(struct store_stmt *st)
{
    sqlite3_reset(st->raw);
}

void store_clear(struct store_stmt *st)
{
    sqlite3_reset(st->raw);
    sqlite3_clear_bindings(st->raw);
    st->too_big = false;
}

int64_t store_i64(struct store_stmt *st, int column)
{
    return sqlite3_column_int64(st->raw, column);
}

struct str store_text(struct store_stmt *st, int column)
{
    const void *p = sqlite3_column_blob(st->raw, column);
    int n = sqlite3_column_bytes(st->raw, column);
    return p ? str_of(p, (size_t)n) : STR("");
}

bool store_is_null(struct store_stmt *st, int column)
{
    return sqlite3_column_type(st->raw, column) == SQLITE_NULL;
}

bool store_is_text(struct store_stmt *st, int column)
{
    return sqlite3_column_type(st->raw, column) == SQLITE_TEXT;
}

bool store_is_blob(struct store_stmt *st, int column)
{
    return sqlite3_column_type(st->raw, column) == SQLITE_BLOB;
}

int64_t store_changes(struct store_db *db)
{
    return sqlite3_changes64(db->raw);
}

int64_t store_last_id(struct store_db *db)
{
    return sqlite3_last_insert_rowid(db->raw);
}

/* --- transactions ---------------------------------------------------------------------------- */

static enum err run_literal(struct store_db *db, const char *sql)
{
    struct store_stmt *st;
    enum err e = store_prepare(db, sql, &st);
    return e == ERR_OK ? store_run(st) : e;
}

enum err store_begin(struct store_db *db)
{
    must(sqlite3_get_autocommit(db->raw));
    return run_literal(db, "BEGIN IMMEDIATE");
}

enum err store_begin_read(struct store_db *db)
{
    must(sqlite3_get_autocommit(db->raw));
    return run_literal(db, "BEGIN");
}

enum err store_commit(struct store_db *db)
{
    must(!sqlite3_get_autocommit(db->raw));
    return run_literal(db, "COMMIT");
}

void store_rollback(struct store_db *db)
{
    /* Some failures (disk full among them) have ended the transaction already. */
    if (sqlite3_get_autocommit(db->raw))
        return;
    for (struct store_stmt *st = db->statements; st; st = st->next)
        sqlite3_reset(st->raw);
    int code = sqlite3_exec(db->raw, "ROLLBACK", NULL, NULL, NULL);
    must(code == SQLITE_OK || sqlite3_get_autocommit(db->raw));
}

enum err store_set_sync_full(struct store_db *db, bool full)
{
    must(sqlite3_get_autocommit(db->raw));
    return store_exec(db, full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
}

enum err store_checkpoint(struct store_db *db)
{
    return result_of(db, sqlite3_wal_checkpoint_v2(db->raw, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
}

/* --- schema ---------------------------------------------------------------------------------- */

enum err store_version(struct store_db *db, int *ret_version)
{
    struct store_stmt *st;
    bool row;
    enum err e =
        store_prepare(db, "SELECT count(*) FROM sqlite_schema WHERE type='table' AND name='tollgate_schema'", &st);
    if (e == ERR_OK)
        e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    bool known = store_i64(st, 0) > 0;
    store_done(st);
    if (!known) {
        *ret_version = 0;
        return ERR_OK;
    }
    e = store_prepare(db, "SELECT max(version) FROM tollgate_schema", &st);
    if (e == ERR_OK)
        e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    *ret_version = (int)store_i64(st, 0);
    store_done(st);
    return ERR_OK;
}

/* One migration, inside the transaction the caller has begun. */
static enum err apply(struct store_db *db, const struct store_migration *m)
{
    enum err e = store_exec(db, "CREATE TABLE IF NOT EXISTS tollgate_schema("
                                "version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_s INTEGER NOT NULL)");
    if (e == ERR_OK)
        e = store_exec(db, m->sql);
    struct store_stmt *st;
    if (e == ERR_OK)
        e = store_prepare(db, "INSERT INTO tollgate_schema VALUES(?1, ?2, unixepoch())", &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, m->version);
    store_bind_text(st, 2, str_c(m->name));
    return store_run(st);
}

/* Looks at the version under the lock: another process may have been faster. */
static enum err apply_next(struct store_db *db, const struct store_migration *list, unsigned count)
{
    int version;
    enum err e = store_version(db, &version);
    if (e == ERR_OK && version > (int)count) {
        str_copy(db->reason, REASON_MAX, STR("the file was written by a newer version of this program"));
        return ERR_SCHEMA_NEWER;
    }
    if (e != ERR_OK || version == (int)count)
        return e;
    must(list[version].version == version + 1);
    return apply(db, &list[version]);
}

enum err store_migrate(struct store_db *db, const struct store_migration *list, unsigned count)
{
    must(db->magic == DB_MAGIC);
    for (unsigned turn = 0; turn <= count; turn++) {
        int version;
        enum err e = store_version(db, &version);
        if (e == ERR_OK && version == (int)count && turn > 0)
            (void)sqlite3_db_release_memory(db->raw); /* pages that only making the tables took */
        if (e != ERR_OK || version == (int)count)
            return e;
        e = store_begin(db);
        if (e != ERR_OK)
            return e;
        e = apply_next(db, list, count);
        if (e == ERR_OK)
            e = store_commit(db);
        if (e != ERR_OK) {
            store_rollback(db);
            return e;
        }
    }
    return ERR_OK;
}

struct check {
    bool (*tick)(void *context);
    void *context;
};

static int check_progress(void *context)
{
    struct check *c = context;
    return c->tick(c->context) ? 0 : 1;
}

enum err store_check(struct store_db *db, void (*each)(void *context, struct str complaint),
                     bool (*tick)(void *context), void *context)
{
    struct check c = {tick, context};
    struct store_stmt *st;
    enum err e = store_prepare(db, "PRAGMA integrity_check(1000)", &st);
    if (e != ERR_OK)
        return e;
    if (tick)
        sqlite3_progress_handler(db->raw, TICK_STEPS, check_progress, &c);
    bool row;
    while ((e = store_step(st, &row)) == ERR_OK && row)
        if (!str_eq(store_text(st, 0), STR("ok")))
            each(context, store_text(st, 0));
    sqlite3_progress_handler(db->raw, 0, NULL, NULL);
    return e;
}

/* --- system calls ---------------------------------------------------------------------------- */

void store_use_file_calls(void)
{
    static const struct {
        const char *name;
        sqlite3_syscall_ptr call;
    } calls[] = {
        {"open", (sqlite3_syscall_ptr)file_sys_open},       {"read", (sqlite3_syscall_ptr)file_sys_read},
        {"pread", (sqlite3_syscall_ptr)file_sys_pread},     {"pread64", (sqlite3_syscall_ptr)file_sys_pread},
        {"write", (sqlite3_syscall_ptr)file_sys_write},     {"pwrite", (sqlite3_syscall_ptr)file_sys_pwrite},
        {"pwrite64", (sqlite3_syscall_ptr)file_sys_pwrite}, {"ftruncate", (sqlite3_syscall_ptr)file_sys_ftruncate},
        {"unlink", (sqlite3_syscall_ptr)file_sys_unlink},
    };
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    must(vfs != NULL);
    for (unsigned i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        int code = vfs->xSetSystemCall(vfs, calls[i].name, calls[i].call);
        must(code == SQLITE_OK || code == SQLITE_NOTFOUND);
    }
}
