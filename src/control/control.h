/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

/*
 * control: what an installation has: organization, workspaces, members, keys, integrations. Kept in
 * DIR/control.db; every committed change makes a new snapshot for the data path.
 *
 * First start makes the organization `default`, a workspace `default`, an owner and an owner key,
 * in steps of which each may be the last before a crash: the next start goes on.
 *
 *     DIR/control.db   tables (numbered migrations)
 *     DIR/control.lock held while open: one process at a time, since nobody would notice another's changes
 *     DIR/master.key   when neither TOLLGATE_MASTER_KEY nor _FILE is given; mode 0600
 *     DIR/admin.key    when TOLLGATE_ADMIN_KEY is not given; mode 0600; may be deleted once read
 *
 * Functions that change or read the database may wait for the disk: never call them on a worker's
 * loop. They may be called from any thread; a lock inside makes them one at a time.
 *
 * Failures are explained in a struct control_why: the parameter (as in an API request) and a
 * sentence. No sentence quotes a secret.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "control/apikey.h"
#include "control/kind.h"

struct control;
struct snapshot;

struct control_why {
    const char *param; /* static; "" when no single parameter is at fault */
    char text[400];
};

struct control_options {
    const char *dir;             /* must exist */
    const char *master_key;      /* TOLLGATE_MASTER_KEY; NULL = not set */
    const char *master_key_file; /* TOLLGATE_MASTER_KEY_FILE; NULL = not set */
    const char *admin_key;       /* TOLLGATE_ADMIN_KEY; NULL = not set, "" is refused */
};

struct control_start {
    bool first;              /* this start made the organization */
    bool admin_key_changed;  /* the owner key was set or replaced from TOLLGATE_ADMIN_KEY */
    struct secret admin_key; /* made by this start: print once, then wipe; empty otherwise */
};

/*
 * Opens or makes everything. ERR_BAD_MASTER_KEY names the key that is needed; ERR_BAD_OPTION is
 * about admin_key or both master keys given; ERR_CONFLICT: another process has it open;
 * ERR_FILE_FAILED, ERR_STORE_FAILED, ERR_SCHEMA_NEWER, ERR_CORRUPT.
 */
enum err control_open(const struct control_options *options, struct control **ret_control,
                      struct control_start *ret_start, struct control_why *why) ERR_USE;
void control_close(struct control *c); /* NULL does nothing */
/* "mk-0123456789abcdef" */
const char *control_master_key_id(const struct control *c);

/* The newest snapshot; the reference is the caller's. */
struct snapshot *control_snapshot(struct control *c);
/*
 * `fn` is called at once with the newest snapshot, so that no change between control_snapshot and here
 * is missed, and then after every change, in the thread that made it and before its call returns. The
 * snapshot is good during the call (take a reference to keep it). It must not call control.
 */
typedef void control_change_fn(void *arg, struct snapshot *s);
void control_on_change(struct control *c, control_change_fn *fn, void *arg);
/* Between these, changes make no snapshot; control_release makes one for all of them. */
void control_hold(struct control *c);
enum err control_release(struct control *c, struct control_why *why) ERR_USE;

/* ---- workspaces ---- */

struct control_workspace {
    int64_t id;
    struct str name, display_name;
    int64_t created_us;
    struct str description;
    struct str metadata;       /* JSON object put over that of keys and requests; "" = none */
    struct str default_config; /* slug; "" = none. Set with control_config_update */
};

/* A new workspace. Names are url-safe: lower-case letters, digits, '-', at most 63. */
enum err control_workspace_create(struct control *c, struct str name, struct str display_name, int64_t *ret_id,
                                  struct control_why *why) ERR_USE;
/* Results live in `a`. An empty name means `default`. */
enum err control_workspace_find(struct control *c, struct str name, struct arena *a,
                                struct control_workspace *ret_workspace, struct control_why *why) ERR_USE;
/* What to change; NULL = stays. */
struct control_workspace_change {
    const struct str *display_name;
    const struct str *metadata;    /* JSON object of strings; "" = none */
    const struct str *description; /* at most 500 bytes; "" = none */
};
enum err control_workspace_update(struct control *c, int64_t id, const struct control_workspace_change *change,
                                  struct control_why *why) ERR_USE;
/*
 * For ever: its keys are revoked, its accounts' keys and its configs destroyed, providers of its accounts in
 * other workspaces gone; old records keep speaking of it. ERR_IN_USE for `default`, which every start needs.
 */
enum err control_workspace_delete(struct control *c, int64_t id, struct control_why *why) ERR_USE;
enum err control_workspace_list(struct control *c, struct arena *a, struct control_workspace **ret_list,
                                size_t *ret_count, struct control_why *why) ERR_USE;

/* ---- keys: control_key.h; integrations: control_integration.h; configs: control_config.h ---- */

#endif
