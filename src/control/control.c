/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing, and how a change becomes a snapshot. The order of a change: lock, begin, the
 * statements, build the snapshot from inside the transaction, commit, swap, tell, unlock. So there is
 * no moment at which stored and shown differ for a reason other than the process being killed
 * between commit and swap, and then the next start shows what is stored.
 *
 * Lock order: `lock` is the only one here and is held while on_change runs, hence its rule not to
 * call back.
 */
#include "control/control.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/must.h"
#include "control/control_inner.h"
#include "control/control_schema.h"
#include "control/people/tries.h"
#include "control/snapshot.h"

enum err control_inner_fail(struct control_why *why, enum err e, const char *param, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    why->param = param;
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    return e;
}

enum err control_inner_store_failed(struct control *c, enum err e, struct control_why *why)
{
    /* A constraint that says no although everything was checked before is a fault of the store's content. */
    return control_inner_fail(why, e == ERR_CONFLICT ? ERR_STORE_FAILED : e, "", "control.db: %s", store_reason(c->db));
}

enum err control_inner_arena_full(struct control_why *why)
{
    return control_inner_fail(why, ERR_OVERLOADED, "", "The answer is too large; ask for less at once.");
}

enum err control_inner_sql(struct control *c, const char *sql, struct store_stmt **ret_st, struct control_why *why)
{
    enum err e = store_prepare(c->db, sql, ret_st);
    return e == ERR_OK ? ERR_OK : control_inner_store_failed(c, e, why);
}

enum err control_inner_run(struct control *c, struct store_stmt *st, struct control_why *why)
{
    enum err e = store_run(st);
    store_clear(st);
    return e == ERR_OK ? ERR_OK : control_inner_store_failed(c, e, why);
}

enum err control_inner_number(struct control *c, struct store_stmt *st, int64_t otherwise, int64_t *ret_number,
                              struct control_why *why)
{
    bool row;
    enum err e = store_step(st, &row);
    if (e == ERR_OK)
        *ret_number = row ? store_i64(st, 0) : otherwise;
    store_done(st);
    store_clear(st);
    return e == ERR_OK ? ERR_OK : control_inner_store_failed(c, e, why);
}

enum err control_inner_begin(struct control *c, struct control_why *why)
{
    must(c->magic == CONTROL_MAGIC);
    pthread_mutex_lock(&c->lock);
    enum err e = store_begin(c->db);
    if (e == ERR_OK)
        return ERR_OK;
    control_inner_store_failed(c, e, why);
    pthread_mutex_unlock(&c->lock);
    return e;
}

/* Takes over the reference. */
static void swap_in(struct control *c, struct snapshot *s)
{
    snapshot_unref(c->current);
    c->current = s;
    if (c->on_change)
        c->on_change(c->on_change_arg, s);
}

static enum err commit(struct control *c, struct control_why *why)
{
    struct store_stmt *st;
    struct snapshot *fresh = NULL;
    enum err e = control_inner_sql(c, "UPDATE organization SET generation = generation + 1", &st, why);
    if (e == ERR_OK)
        e = control_inner_run(c, st, why);
    if (e == ERR_OK && c->held == 0)
        e = control_load(c, &fresh, why);
    if (e != ERR_OK)
        return e;
    e = store_commit(c->db);
    if (e != ERR_OK) {
        snapshot_unref(fresh);
        return control_inner_store_failed(c, e, why);
    }
    c->fresh_key_from = 0;
    if (fresh)
        swap_in(c, fresh);
    else
        c->stale = true;
    return ERR_OK;
}

enum err control_inner_end(struct control *c, enum err e, struct control_why *why)
{
    if (e == ERR_OK)
        e = commit(c, why);
    if (e != ERR_OK) {
        store_rollback(c->db);
        if (c->fresh_key_from != 0)
            crypt_forget_from(c->crypt, c->fresh_key_from);
        c->fresh_key_from = 0;
    }
    crypt_rewrap_end(c->crypt, e == ERR_OK);
    pthread_mutex_unlock(&c->lock);
    return e;
}

enum err control_inner_end_quiet(struct control *c, enum err e, struct control_why *why)
{
    if (e == ERR_OK && (e = store_commit(c->db)) != ERR_OK)
        control_inner_store_failed(c, e, why);
    if (e != ERR_OK)
        store_rollback(c->db);
    pthread_mutex_unlock(&c->lock);
    return e;
}

enum err control_inner_begin_read(struct control *c, struct control_why *why)
{
    must(c->magic == CONTROL_MAGIC);
    pthread_mutex_lock(&c->lock);
    enum err e = store_begin_read(c->db);
    if (e == ERR_OK)
        return ERR_OK;
    control_inner_store_failed(c, e, why);
    pthread_mutex_unlock(&c->lock);
    return e;
}

void control_inner_end_read(struct control *c)
{
    store_rollback(c->db);
    pthread_mutex_unlock(&c->lock);
}

/* ---- life ---- */

static enum err open_database(struct control *c, const char *dir, struct control_why *why)
{
    char path[PATH_MAX];
    const struct store_options options = {.sync_full = true};
    snprintf(path, sizeof path, "%s/control.db", dir);
    enum err e = store_open(path, &options, &c->db);
    if (e != ERR_OK)
        return control_inner_fail(why, e, "", "%s: %s", path, store_open_reason());
    /* What a deleted row held is overwritten, not just forgotten. */
    e = store_exec(c->db, "PRAGMA secure_delete=ON");
    if (e == ERR_OK)
        e = store_migrate(c->db, control_schema, control_schema_count);
    return e == ERR_OK ? ERR_OK : control_inner_fail(why, e, "", "%s: %s", path, store_reason(c->db));
}

static enum err open_all(struct control *c, const struct control_options *options, struct control_start *ret_start,
                         struct control_why *why)
{
    char path[PATH_MAX];
    if (strlen(options->dir) > PATH_MAX - 64)
        return control_inner_fail(why, ERR_FILE_FAILED, "", "The data directory's path is too long.");
    /* Before anything is made: a refused key leaves nothing behind. */
    enum err e = ERR_OK;
    if (options->admin_key)
        e = apikey_check_own(str_c(options->admin_key), why->text, sizeof why->text);
    if (e != ERR_OK)
        return e;
    snprintf(path, sizeof path, "%s/control.lock", options->dir);
    e = file_lock(path, &c->lock_fd);
    if (e == ERR_CONFLICT)
        return control_inner_fail(why, e, "", "%s is in use by another process.", options->dir);
    if (e != ERR_OK)
        return control_inner_fail(why, e, "", "%s: %s", path, file_failure());
    e = open_database(c, options->dir, why);
    return e == ERR_OK ? control_start_up(c, options, ret_start, why) : e;
}

enum err control_open(const struct control_options *options, struct control **ret_control,
                      struct control_start *ret_start, struct control_why *why)
{
    struct control *c = mem_zalloc(sizeof *c);
    struct control_start start = {0};
    c->magic = CONTROL_MAGIC;
    c->lock_fd = -1;
    must(pthread_mutex_init(&c->lock, NULL) == 0);
    must(pthread_mutex_init(&c->rotating, NULL) == 0);
    c->dir = mem_strdup(options->dir);
    c->tries = mem_zalloc(sizeof *c->tries);
    *why = (struct control_why){.param = ""};
    enum err e = open_all(c, options, &start, why);
    if (e != ERR_OK) {
        secret_wipe(&start.admin_key);
        control_close(c);
        return e;
    }
    *ret_control = c;
    *ret_start = start;
    return ERR_OK;
}

void control_close(struct control *c)
{
    if (!c)
        return;
    must(c->magic == CONTROL_MAGIC);
    snapshot_unref(c->current);
    crypt_free(c->crypt);
    secret_wipe(&c->pepper);
    store_close(c->db);
    file_close(c->lock_fd);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->rotating);
    mem_free(c->dir);
    mem_free(c->tries);
    c->magic = 0;
    mem_free(c);
}

const char *control_master_key_id(const struct control *c)
{
    return crypt_master_id(c->crypt);
}

/* ---- snapshots ---- */

struct snapshot *control_snapshot(struct control *c)
{
    pthread_mutex_lock(&c->lock);
    struct snapshot *s = snapshot_ref(c->current);
    pthread_mutex_unlock(&c->lock);
    return s;
}

void control_on_change(struct control *c, control_change_fn *fn, void *arg)
{
    pthread_mutex_lock(&c->lock);
    c->on_change = fn;
    c->on_change_arg = arg;
    if (fn)
        fn(arg, c->current);
    pthread_mutex_unlock(&c->lock);
}

void control_hold(struct control *c)
{
    pthread_mutex_lock(&c->lock);
    c->held++;
    pthread_mutex_unlock(&c->lock);
}

enum err control_release(struct control *c, struct control_why *why)
{
    struct snapshot *fresh = NULL;
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    must(c->held > 0);
    c->held--;
    if (c->held == 0 && c->stale)
        e = control_load(c, &fresh, why);
    store_rollback(c->db);
    if (fresh) {
        c->stale = false;
        swap_in(c, fresh);
    }
    pthread_mutex_unlock(&c->lock);
    return e;
}
