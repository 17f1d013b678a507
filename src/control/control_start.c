/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start: master key, first rows, owner key. Steps, each durable before the next:
 *
 *     1. control.db has its tables
 *     2. DIR/master.key, when no master key is given and nothing is sealed yet
 *     3. DIR/admin.key, when no admin key is given and the database has none
 *     4. one transaction: organization, workspace, member, data keys, pepper, owner key
 *
 * Whatever a crash leaves of them is used by the next start: a key file without rows is read, not
 * made again, so the key in the file is always the one that works. Once something is sealed a
 * missing master key is never replaced by a new one.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "control/control.h"
#include "control/control_inner.h"
#include "control/key_file.h"
#include "control/master_key.h"
#include "control/people/audit.h"
#include "control/people/rotate.h"
#include "control/snapshot.h"

#define MASTER_FILE "master.key"
#define ADMIN_FILE "admin.key"
#define PEPPER_ROW 1

static const struct crypt_place pepper_place = {"secret_setting", PEPPER_ROW, "sealed"};

/* ---- the master key ---- */

/* The id of the key that sealed what is stored; "" when nothing is. Inside a transaction. */
static enum err needed_master_id(struct control *c, char out[MASTER_KEY_ID_MAX], struct control_why *why)
{
    struct store_stmt *st;
    bool row;
    out[0] = '\0';
    enum err e = control_inner_sql(c, "SELECT wrapped FROM data_key ORDER BY id LIMIT 1", &st, why);
    if (e != ERR_OK)
        return e;
    e = store_step(st, &row);
    if (e != ERR_OK) {
        e = control_inner_store_failed(c, e, why);
    } else if (row) {
        struct str wrapped = store_text(st, 0);
        if (wrapped.n >= 1 + MASTER_KEY_ID_BYTES)
            master_key_id_text((const unsigned char *)wrapped.p + 1, out);
        else
            e = control_inner_fail(why, ERR_CORRUPT, "", "control.db: the first data key is damaged.");
    }
    store_done(st);
    return e;
}

static enum err find_master_key(const struct control_options *o, const char *needed_id, struct master_key *k,
                                struct control_why *why)
{
    char *text = why->text;
    size_t cap = sizeof why->text;
    if (o->master_key && o->master_key_file)
        return control_inner_fail(why, ERR_BAD_OPTION, "",
                                  "TOLLGATE_MASTER_KEY and TOLLGATE_MASTER_KEY_FILE are both set; set one of them.");
    if (o->master_key)
        return master_key_from_text(k, str_c(o->master_key), text, cap);
    if (o->master_key_file)
        return master_key_from_file(k, o->master_key_file, text, cap);
    enum err e = master_key_from_own_file(k, o->dir, MASTER_FILE, needed_id[0] == '\0', text, cap);
    if (e == ERR_NOT_FOUND)
        return control_inner_fail(why, ERR_BAD_MASTER_KEY, "",
                                  "The stored secrets were sealed with master key %s. Give it in TOLLGATE_MASTER_KEY "
                                  "or TOLLGATE_MASTER_KEY_FILE, or put %s/" MASTER_FILE " back.",
                                  needed_id, o->dir);
    return e;
}

/*
 * Opens the stored data keys. A damaged one of a workspace is left out: its integrations will be
 * shown as broken, and everybody else works. Inside a transaction.
 */
static enum err load_data_keys(struct control *c, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    enum err e = control_inner_sql(c, "SELECT id, workspace_id, wrapped FROM data_key ORDER BY id", &st, why);
    while (e == ERR_OK && row) {
        e = store_step(st, &row);
        if (e != ERR_OK) {
            e = control_inner_store_failed(c, e, why);
        } else if (row) {
            int64_t workspace_id = store_is_null(st, 1) ? 0 : store_i64(st, 1);
            e = crypt_add_key(c->crypt, store_i64(st, 0), workspace_id, store_text(st, 2), why->text, sizeof why->text);
            if (e == ERR_CORRUPT && workspace_id != 0)
                e = ERR_OK;
        }
    }
    store_done(st);
    return e;
}

static enum err open_crypt(struct control *c, const struct control_options *o, struct control_why *why)
{
    char needed_id[MASTER_KEY_ID_MAX];
    struct master_key k = {0};
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = needed_master_id(c, needed_id, why);
    c->own_master_file = !o->master_key && !o->master_key_file;
    if (e == ERR_OK && c->own_master_file)
        e = rotate_settle(o->dir, needed_id, why);
    if (e == ERR_OK)
        e = find_master_key(o, needed_id, &k, why);
    if (e == ERR_OK) {
        c->crypt = crypt_new(&k);
        e = load_data_keys(c, why);
    }
    control_inner_end_read(c);
    return e;
}

/* ---- the owner key ---- */

/* The live admin key: its id and whether its hash is this one. */
struct admin_row {
    int64_t id; /* 0 = no live one */
    bool any;   /* there is or was one */
    bool same;  /* the live one, or a revoked one, has this hash */
};

static enum err find_admin_row(struct control *c, const unsigned char hash[APIKEY_HASH_BYTES], struct admin_row *ret,
                               struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    struct admin_row found = {0};
    enum err e = control_inner_sql(c, "SELECT id, revoked_us, hash FROM api_key WHERE is_admin_key = 1", &st, why);
    while (e == ERR_OK && row) {
        e = store_step(st, &row);
        if (e != ERR_OK) {
            e = control_inner_store_failed(c, e, why);
        } else if (row) {
            found.any = true;
            if (store_i64(st, 1) == 0)
                found.id = store_i64(st, 0);
            if (hash && str_eq(store_text(st, 2), str_of((const char *)hash, APIKEY_HASH_BYTES)))
                found.same = true;
        }
    }
    store_done(st);
    if (e == ERR_OK)
        *ret = found;
    return e;
}

/* The text in DIR/admin.key, which is made when there is none. */
static enum err admin_key_from_file(const struct control_options *o, struct secret *ret_text, struct control_why *why)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" ADMIN_FILE, o->dir);
    enum err e = key_file_read(path, true, ret_text, why->text, sizeof why->text);
    if (e == ERR_OK) {
        char reason[200];
        struct str text = secret_reveal(ret_text);
        if (apikey_shape_of(text) != APIKEY_OURS && apikey_check_own(text, reason, sizeof reason) != ERR_OK)
            return control_inner_fail(why, ERR_BAD_OPTION, "", "%s does not hold a usable key; remove it.", path);
        return ERR_OK;
    }
    if (e != ERR_NOT_FOUND)
        return e;
    apikey_make(ret_text);
    return key_file_make(o->dir, ADMIN_FILE, secret_reveal(ret_text), why->text, sizeof why->text);
}

/* A file with another key than the one in force would only mislead. */
static enum err drop_stale_file(const struct control_options *o, struct control_why *why)
{
    char path[PATH_MAX];
    struct secret text = {0};
    snprintf(path, sizeof path, "%s/" ADMIN_FILE, o->dir);
    enum err e = key_file_read(path, false, &text, why->text, sizeof why->text);
    bool stale = e == ERR_OK && !str_eq(secret_reveal(&text), str_c(o->admin_key));
    secret_wipe(&text);
    return stale ? key_file_remove(o->dir, ADMIN_FILE, why->text, sizeof why->text) : ERR_OK;
}

static enum err insert_admin_key(struct control *c, struct str text, struct control_why *why)
{
    struct control_inner_key key = {
        .workspace_id = 1,
        .member_id = 1,
        .name = STR("owner"),
        .role = KIND_ROLE_OWNER,
        .record_bodies = KIND_BODIES_DEFAULT,
        .is_admin_key = true,
        .text = text,
    };
    int64_t id;
    return control_inner_insert_key(c, &key, &id, why);
}

/* In place, so that the key keeps its id and its history. */
static enum err replace_admin_key(struct control *c, int64_t id, struct str text,
                                  const unsigned char hash[APIKEY_HASH_BYTES], struct control_why *why)
{
    struct store_stmt *st;
    char last[APIKEY_LAST + 1];
    enum err e = control_inner_sql(c,
                                   "UPDATE api_key SET hash = ?2, last = ?3, disabled = 0, expires_us = 0, "
                                   "role = 'owner', updated_us = ?4 WHERE id = ?1",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    apikey_last(text, last);
    store_bind_i64(st, 1, id);
    store_bind_blob(st, 2, str_of((const char *)hash, APIKEY_HASH_BYTES));
    store_bind_text(st, 3, str_c(last));
    store_bind_i64(st, 4, clock_wall_us());
    return control_inner_run(c, st, why);
}

/* Whether another key has this text. */
static enum err is_taken(struct control *c, const unsigned char hash[APIKEY_HASH_BYTES], int64_t *ret_taken,
                         struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c, "SELECT 1 FROM api_key WHERE hash = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_blob(st, 1, str_of((const char *)hash, APIKEY_HASH_BYTES));
    return control_inner_number(c, st, 0, ret_taken, why);
}

/* TOLLGATE_ADMIN_KEY is set: it is or becomes the owner key. Inside a change. */
static enum err adopt_admin_key(struct control *c, struct str text, bool *ret_changed, struct control_why *why)
{
    unsigned char hash[APIKEY_HASH_BYTES];
    struct admin_row row = {0};
    int64_t taken = 0;
    bool hashed = apikey_hash((const unsigned char *)secret_reveal(&c->pepper).p, text, hash);
    must(hashed);
    enum err e = find_admin_row(c, hash, &row, why);
    if (e != ERR_OK || row.same)
        return e;
    e = is_taken(c, hash, &taken, why);
    if (e == ERR_OK && taken)
        return control_inner_fail(why, ERR_BAD_OPTION, "",
                                  "TOLLGATE_ADMIN_KEY is the text of another key made here; choose a new one.");
    if (e == ERR_OK)
        e = row.id ? replace_admin_key(c, row.id, text, hash, why) : insert_admin_key(c, text, why);
    if (e == ERR_OK)
        *ret_changed = true;
    return e;
}

/* TOLLGATE_ADMIN_KEY is not set: there is an owner key, or one is made. Inside a change. */
static enum err need_admin_key(struct control *c, const struct control_options *o, struct control_start *start,
                               struct control_why *why)
{
    struct admin_row row = {0};
    enum err e = find_admin_row(c, NULL, &row, why);
    if (e != ERR_OK || row.any)
        return e;
    e = admin_key_from_file(o, &start->admin_key, why);
    return e == ERR_OK ? insert_admin_key(c, secret_reveal(&start->admin_key), why) : e;
}

/* ---- the first rows ---- */

static enum err make_pepper(struct control *c, struct control_why *why)
{
    unsigned char bytes[APIKEY_PEPPER_BYTES];
    struct store_stmt *st;
    struct buf sealed;
    enum err e = control_inner_need_data_key(c, 0, why);
    if (e != ERR_OK)
        return e;
    rng_bytes(bytes, sizeof bytes);
    secret_set(&c->pepper, str_of((const char *)bytes, sizeof bytes));
    mem_wipe(bytes, sizeof bytes);
    buf_init(&sealed, APIKEY_PEPPER_BYTES + CRYPT_OVERHEAD);
    crypt_seal(c->crypt, 0, pepper_place, secret_reveal(&c->pepper), &sealed);
    e = control_inner_sql(c, "INSERT INTO secret_setting(id, name, sealed) VALUES (?1, 'pepper', ?2)", &st, why);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, PEPPER_ROW);
        store_bind_blob(st, 2, buf_str(&sealed));
        e = control_inner_run(c, st, why);
    }
    buf_free(&sealed);
    return e;
}

static enum err load_pepper(struct control *c, struct control_why *why)
{
    struct store_stmt *st;
    bool row;
    enum err e = control_inner_sql(c, "SELECT sealed FROM secret_setting WHERE id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, PEPPER_ROW);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (!row || crypt_open(c->crypt, 0, pepper_place, store_text(st, 0), &c->pepper) != ERR_OK ||
             c->pepper.n != APIKEY_PEPPER_BYTES)
        e = control_inner_fail(why, ERR_CORRUPT, "", "control.db: the secret that keys are hashed with is damaged.");
    store_done(st);
    return e;
}

static enum err make_first_rows(struct control *c, struct control_why *why)
{
    static const char organization[] =
        "INSERT INTO organization(id, name, generation, created_us) VALUES (1, 'default', 0, ?1)";
    static const char workspace[] = "INSERT INTO workspace(id, organization_id, name, display_name, created_us) "
                                    "VALUES (1, 1, 'default', 'default', ?1)";
    static const char member[] =
        "INSERT INTO member(id, organization_id, name, role, created_us) VALUES (1, 1, 'owner', 'owner', ?1)";
    static const char *const inserts[] = {organization, workspace, member};
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < sizeof inserts / sizeof inserts[0]; i++) {
        struct store_stmt *st;
        e = control_inner_sql(c, inserts[i], &st, why);
        if (e != ERR_OK)
            break;
        store_bind_i64(st, 1, clock_wall_us());
        e = control_inner_run(c, st, why);
    }
    if (e == ERR_OK)
        e = make_pepper(c, why);
    return e == ERR_OK ? control_inner_need_data_key(c, 1, why) : e;
}

/* What the program itself did at its start. */
static enum err note(struct control *c, const char *action, const char *type, struct str id, struct control_why *why)
{
    const struct audit_change change = {.action = action, .object_type = type, .object_id = id};
    return audit_note(c, &change, why);
}

static enum err start_rows(struct control *c, const struct control_options *o, struct control_start *start,
                           struct control_why *why)
{
    struct store_stmt *st;
    int64_t there = 0;
    enum err e = control_inner_sql(c, "SELECT 1 FROM organization", &st, why);
    if (e == ERR_OK)
        e = control_inner_number(c, st, 0, &there, why);
    if (e != ERR_OK)
        return e;
    e = there ? load_pepper(c, why) : make_first_rows(c, why);
    if (e != ERR_OK)
        return e;
    start->first = !there;
    if (start->first)
        e = note(c, "organization.create", "organization", STR("default"), why);
    if (e == ERR_OK)
        e = o->admin_key ? adopt_admin_key(c, str_c(o->admin_key), &start->admin_key_changed, why)
                         : need_admin_key(c, o, start, why);
    bool new_key = start->admin_key_changed || start->admin_key.n > 0;
    return e == ERR_OK && new_key ? note(c, "key.adopt", "key", STR("owner"), why) : e;
}

enum err control_start_up(struct control *c, const struct control_options *o, struct control_start *ret_start,
                          struct control_why *why)
{
    enum err e = open_crypt(c, o, why);
    if (e == ERR_OK)
        e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_end(c, start_rows(c, o, ret_start, why), why);
    if (e == ERR_OK && o->admin_key)
        e = drop_stale_file(o, why);
    return e;
}
