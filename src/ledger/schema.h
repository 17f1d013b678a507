/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_SCHEMA_H
#define LEDGER_SCHEMA_H

/*
 * schema: the tables of ledger.db and the migrations that make them. Migrations are append only.
 */

#include "base/err.h"
#include "store/sqlite.h"

#define SCHEMA_FILE "ledger.db"
#define SCHEMA_JOURNAL_DIR "journal"
#define SCHEMA_BODIES_DIR "bodies"
#define SCHEMA_PATH_MAX 4096

/* "DIR/NAME"; false when it is too long. */
bool schema_path(char out[SCHEMA_PATH_MAX], const char *dir, const char *name);

enum err schema_migrate(struct store_db *db) ERR_USE;
/* For readers: ERR_SCHEMA_NEWER or, when there is no schema yet, ERR_NOT_FOUND. */
enum err schema_check(struct store_db *db) ERR_USE;

/*
 * Texts that repeat (models, hosts, …) are rows of the table `dims`; columns hold their ids. Columns:
 * name, whether a text is taken in at its second appearance only (else at once, from rows that
 * upstream answered well). Append only: the database stores the number.
 */
#define SCHEMA_DIM_TABLE(X) \
    X(NONE, false)          \
    X(METHOD, true)         \
    X(PATH, true)           \
    X(OPERATION, false)     \
    X(MODEL, false)         \
    X(TIER, false)          \
    X(HOST, true)           \
    X(USER_AGENT, true)     \
    X(FINISH, true)         \
    X(ERR, true)            \
    X(METADATA, true)       \
    X(PROVIDER, false)      \
    X(CONFIG, false)        \
    X(ROUTE, true)

enum schema_dim {
#define X(name, second) SCHEMA_DIM_##name,
    SCHEMA_DIM_TABLE(X)
#undef X
        SCHEMA_DIM_COUNT
};

/* The ids of two texts that always are there: none, and one that has no row of its own. */
#define SCHEMA_DIM_EMPTY 0
#define SCHEMA_DIM_OTHER 1
#define SCHEMA_DIM_OTHER_TEXT "(other)"

#define SCHEMA_HOUR_US INT64_C(3600000000)

/* Numbers by name in the table `state`. */
#define SCHEMA_STATE_ROWS_FROM "rows_from"     /* rows with smaller ids have been removed */
#define SCHEMA_STATE_BODIES_FROM "bodies_from" /* body segments below this sequence have been removed */
/* 0 when it has never been set. */
enum err schema_state(struct store_db *db, const char *name, int64_t *ret_value) ERR_USE;
enum err schema_set_state(struct store_db *db, const char *name, int64_t value) ERR_USE;

#endif
