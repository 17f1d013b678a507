/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CONTROL_INNER_H
#define CONTROL_CONTROL_INNER_H

/*
 * control_inner: what the control_*.c files share. Nobody else includes it.
 *
 * A change runs between control_inner_begin and control_inner_end, which take the lock, open and
 * close the transaction, and make the new snapshot from within it: a change that cannot be shown
 * to the data path is not committed, and one that cannot be committed is not shown.
 */

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/secret.h"
#include "control/control.h"
#include "control/crypt.h"
#include "control/scope.h"
#include "store/sqlite.h"

#define CONTROL_MAGIC 0x63746c00u
#define CONTROL_ORGANIZATION_ID 1

struct control {
    unsigned magic;
    pthread_mutex_t lock; /* guards all below */
    int lock_fd;
    struct store_db *db;
    struct crypt *crypt;
    struct secret pepper;
    struct snapshot *current;
    control_change_fn *on_change;
    void *on_change_arg;
    unsigned held;       /* depth of control_hold */
    bool stale;          /* a change was made while held */
    struct tries *tries; /* wrong passwords; people/tries.h */
    char *dir;
    bool own_master_file;     /* the master key is in DIR/master.key */
    pthread_mutex_t rotating; /* held through a rotation of the master key; taken before `lock` */
    int64_t fresh_key_from;   /* data keys from this id on are not committed yet; 0 = none */
};

/* The sentence; returns `e`. */
enum err control_inner_fail(struct control_why *why, enum err e, const char *param, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* For errors of the store: adds its reason. */
enum err control_inner_store_failed(struct control *c, enum err e, struct control_why *why);
/* When a caller's arena is full. */
enum err control_inner_arena_full(struct control_why *why);

/* For a change. On failure nothing is held. */
enum err control_inner_begin(struct control *c, struct control_why *why) ERR_USE;
/* `e` is how the change went; returns it, or why it could not be kept. */
enum err control_inner_end(struct control *c, enum err e, struct control_why *why) ERR_USE;
/* The same for a change of nothing that a snapshot shows. */
enum err control_inner_end_quiet(struct control *c, enum err e, struct control_why *why) ERR_USE;
/* For reading several things at one moment. */
enum err control_inner_begin_read(struct control *c, struct control_why *why) ERR_USE;
void control_inner_end_read(struct control *c);

/* Runs one statement without rows whose values have been bound. */
enum err control_inner_run(struct control *c, struct store_stmt *st, struct control_why *why) ERR_USE;
/* Prepares; the store's errors are explained. */
enum err control_inner_sql(struct control *c, const char *sql, struct store_stmt **ret_st,
                           struct control_why *why) ERR_USE;
/* The first column of the only row as a number, or `otherwise` when there is no row; values bound before. */
enum err control_inner_number(struct control *c, struct store_stmt *st, int64_t otherwise, int64_t *ret_number,
                              struct control_why *why) ERR_USE;

/* ERR_NOT_FOUND when the workspace is not there. Inside a transaction. */
enum err control_inner_need_workspace(struct control *c, int64_t workspace_id, struct control_why *why) ERR_USE;
/* Makes sure that secrets of this workspace (0 = the organization) can be sealed. Inside a change. */
enum err control_inner_need_data_key(struct control *c, int64_t workspace_id, struct control_why *why) ERR_USE;

/* control_load.c: everything in the database as a snapshot. Inside a transaction. */
enum err control_load(struct control *c, struct snapshot **ret_snapshot, struct control_why *why) ERR_USE;

/* control_start.c: brings an opened, migrated database to where it can be used. */
enum err control_start_up(struct control *c, const struct control_options *options, struct control_start *ret_start,
                          struct control_why *why) ERR_USE;

/* control_key.c: an owner key that always works is left. Inside a change, after it. */
enum err control_inner_check_owner_key(struct control *c, struct control_why *why) ERR_USE;

/* control_key.c: a key's row from its text. Inside a change. */
struct control_inner_key {
    int64_t workspace_id, member_id;
    struct str name;
    enum kind_role role;
    enum kind_bodies record_bodies;
    int64_t expires_us;
    bool is_admin_key;
    struct str text;   /* what callers will present */
    scope_set scopes;  /* 0 = all */
    int64_t config_id; /* 0 = none */
    bool config_fixed;
    struct str metadata;
    bool of_organization;
    struct str description, alert_emails; /* p may be NULL */
    int64_t overlap_us;
};
enum err control_inner_insert_key(struct control *c, const struct control_inner_key *key, int64_t *ret_id,
                                  struct control_why *why) ERR_USE;

#endif
