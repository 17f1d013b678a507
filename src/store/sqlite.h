/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

/*
 * sqlite: a thin driver for the embedded database.
 *
 * A store_db is one connection. It belongs to one thread at a time; several connections to one file
 * work side by side (write-ahead log: readers never wait for the writer). All SQL is a literal of
 * this program, prepared once per connection and kept; values are always bound, never pasted.
 *
 * Errors: ERR_CONFLICT a constraint said no, ERR_CORRUPT the file is damaged or no database,
 * ERR_SCHEMA_NEWER (store_migrate only), ERR_STORE_FAILED everything else (disk full, I/O error,
 * still locked after the busy time). store_reason() has the words. After any error the statement
 * has been reset; a transaction is still to be ended with store_rollback().
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct store_db;
struct store_stmt;

struct store_options {
    bool read_only;            /* the file must exist */
    bool sync_full;            /* a commit is on the disk when it returns; else a power cut may undo the last ones */
    unsigned busy_ms;          /* how long to wait for another connection's lock; 0 = 5000 */
    unsigned cache_kib;        /* page cache; 0 = 2048 */
    unsigned checkpoint_pages; /* write-ahead log length that is copied back; 0 = 1000 */
};

/* Opens the file, made with mode 0600 when missing. `options` may be NULL. */
enum err store_open(const char *path, const struct store_options *options, struct store_db **ret_db) ERR_USE;
void store_close(struct store_db *db); /* NULL does nothing; ends an open transaction by rolling back */

/* Why the last call that failed on this connection did; good until the next failure. */
const char *store_reason(const struct store_db *db);
/* Why this thread's last failed store_open did. */
const char *store_open_reason(void);

/* Statements without values, separated by semicolons: schema and pragmas. */
enum err store_exec(struct store_db *db, const char *sql) ERR_USE;

/* --- statements ------------------------------------------------------------------------------ */

/*
 * The prepared form of `sql`, a literal with ?1, ?2, … for values, all NULL now. Owned and kept by
 * the connection. Asking again for the same text while the first is between its rows gives a second
 * one; ask, bind and step before asking for the same text again.
 */
enum err store_prepare(struct store_db *db, const char *sql, struct store_stmt **ret_st) ERR_USE;

/*
 * For the few statements that are put together from literals at run time: prepared anew, the caller's
 * until store_drop, which must come before store_close.
 */
enum err store_prepare_once(struct store_db *db, const char *sql, struct store_stmt **ret_st) ERR_USE;
void store_drop(struct store_stmt *st);

/* Values; `at` counts from 1. Bytes must stay where they are until the statement is done. */
void store_bind_i64(struct store_stmt *st, int at, int64_t v);
void store_bind_text(struct store_stmt *st, int at, struct str text);
void store_bind_blob(struct store_stmt *st, int at, struct str bytes);
void store_bind_null(struct store_stmt *st, int at);

/* *ret_row is false at the end; then, and on errors, the statement is ready for new values. */
enum err store_step(struct store_stmt *st, bool *ret_row) ERR_USE;
/* Steps to the end. */
enum err store_run(struct store_stmt *st) ERR_USE;
/* Ends a statement that still has rows. */
void store_done(struct store_stmt *st);
/* Also forgets the values. */
void store_clear(struct store_stmt *st);

/* Columns of the row stepped to, from 0. Views are good until the next step, done or clear. */
int64_t store_i64(struct store_stmt *st, int column);
struct str store_text(struct store_stmt *st, int column); /* text or blob; "" when NULL */
bool store_is_null(struct store_stmt *st, int column);
bool store_is_text(struct store_stmt *st, int column);
bool store_is_blob(struct store_stmt *st, int column);

/* Rows changed by the last INSERT, UPDATE or DELETE; the rowid of the last INSERT. */
int64_t store_changes(struct store_db *db);
int64_t store_last_id(struct store_db *db);

/* --- transactions ---------------------------------------------------------------------------- */

enum err store_begin(struct store_db *db) ERR_USE;      /* for writing: takes the lock now */
enum err store_begin_read(struct store_db *db) ERR_USE; /* one picture for several reads */
enum err store_commit(struct store_db *db) ERR_USE;
void store_rollback(struct store_db *db); /* without a transaction: nothing */

/* From the next commit on; not inside a transaction. */
enum err store_set_sync_full(struct store_db *db, bool full) ERR_USE;
/* Copies the write-ahead log back and cuts it to nothing, as far as readers allow. */
enum err store_checkpoint(struct store_db *db) ERR_USE;

/* --- schema ---------------------------------------------------------------------------------- */

struct store_migration {
    int version;      /* 1, 2, 3, … without gaps */
    const char *name; /* a few words */
    const char *sql;  /* statements without values */
};
/*
 * Brings the file to the last migration of the list. Each runs in a transaction of its own together
 * with its row in the table tollgate_schema, so a kill leaves it whole or absent; of several
 * processes that start at once one does the work and the others wait. Other tables are not touched.
 * ERR_SCHEMA_NEWER, and nothing changed, when the file has a version the list does not know.
 */
enum err store_migrate(struct store_db *db, const struct store_migration *list, unsigned count) ERR_USE;
/* The file's version; 0 for a fresh one. */
enum err store_version(struct store_db *db, int *ret_version) ERR_USE;

/*
 * Full check of the file's structure. `each` is called for every complaint; `tick`, if not NULL,
 * now and then while it runs, and may end it by returning false (the result is then ERR_STORE_FAILED).
 */
enum err store_check(struct store_db *db, void (*each)(void *context, struct str complaint),
                     bool (*tick)(void *context), void *context) ERR_USE;

/* Tests: sends the database's system calls through base/file.h, so that faults reach them. */
void store_use_file_calls(void);

#endif
