/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rotation of the master key. The crypt is switched to the new key inside the change, under control's
 * lock, and switched back by control_inner_end if the change cannot be kept: no data key is ever made
 * under a key that the database does not agree with.
 */
#include "control/people/rotate.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "control/key_file.h"
#include "control/people/people_inner.h"

#define MASTER_FILE "master.key"
#define NEXT_FILE "master.key.next"

/* ---- files ---- */

/* False when there is no such file or no key in it. */
static bool read_key(const char *dir, const char *name, struct master_key *k)
{
    char path[PATH_MAX], ignored[200];
    struct secret text = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    bool ok = key_file_read(path, true, &text, ignored, sizeof ignored) == ERR_OK &&
              master_key_from_text(k, secret_reveal(&text), ignored, sizeof ignored) == ERR_OK;
    secret_wipe(&text);
    return ok;
}

static enum err write_key(const char *dir, const char *name, const struct master_key *k, struct control_why *why)
{
    char hex[ENCODE_HEX_MAX(MASTER_KEY_BYTES)];
    struct str bytes = secret_reveal(&k->bytes);
    must(bytes.n == MASTER_KEY_BYTES);
    size_t n = encode_hex(bytes.p, bytes.n, hex);
    enum err e = key_file_make(dir, name, str_of(hex, n), why->text, sizeof why->text);
    mem_wipe(hex, sizeof hex);
    return e;
}

static enum err finish_files(const char *dir, const struct master_key *k, struct control_why *why)
{
    enum err e = write_key(dir, MASTER_FILE, k, why);
    return e == ERR_OK ? key_file_remove(dir, NEXT_FILE, why->text, sizeof why->text) : e;
}

enum err rotate_settle(const char *dir, const char *needed_id, struct control_why *why)
{
    struct master_key next = {0}, now = {0};
    enum err e = ERR_OK;
    why->param = "";
    if (!read_key(dir, NEXT_FILE, &next))
        return ERR_OK;
    bool is_next = strcmp(next.id, needed_id) == 0;
    bool is_now = read_key(dir, MASTER_FILE, &now) && strcmp(now.id, needed_id) == 0;
    if (is_next)
        e = finish_files(dir, &next, why);
    else if (is_now)
        e = key_file_remove(dir, NEXT_FILE, why->text, sizeof why->text);
    /* Neither: another key is needed, and who brings it back may want to see both files. */
    master_key_wipe(&next);
    master_key_wipe(&now);
    return e;
}

/* ---- the database ---- */

/* The data keys, each wrapped anew; rows are written while the crypt is switched already. */
static enum err rewrap_one(struct control *c, int64_t key_id, int64_t workspace_id, struct control_why *why)
{
    struct store_stmt *st;
    struct buf wrapped;
    buf_init(&wrapped, CRYPT_WRAPPED_BYTES);
    if (!crypt_rewrap_key(c->crypt, key_id, &wrapped)) {
        buf_free(&wrapped);
        return control_inner_fail(why, ERR_CORRUPT, "",
                                  "Data key %lld of workspace %lld is damaged, so it cannot be wrapped anew; restore "
                                  "control.db from a backup first.",
                                  (long long)key_id, (long long)workspace_id);
    }
    enum err e = control_inner_sql(c, "UPDATE data_key SET wrapped = ?2 WHERE id = ?1", &st, why);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, key_id);
        store_bind_blob(st, 2, buf_str(&wrapped));
        e = control_inner_run(c, st, why);
    }
    buf_free(&wrapped);
    return e;
}

static enum err rewrap_all(struct control *c, struct control_why *why)
{
    struct store_stmt *st;
    int64_t id = 0, workspace_id = 0;
    bool row = true;
    enum err e = ERR_OK;
    while (e == ERR_OK && row) {
        e = control_inner_sql(c, "SELECT id, workspace_id FROM data_key WHERE id > ?1 ORDER BY id LIMIT 1", &st, why);
        if (e != ERR_OK)
            return e;
        store_bind_i64(st, 1, id);
        e = store_step(st, &row);
        if (e != ERR_OK) {
            e = control_inner_store_failed(c, e, why);
        } else if (row) {
            id = store_i64(st, 0);
            workspace_id = store_i64(st, 1);
        }
        store_done(st);
        store_clear(st);
        if (e == ERR_OK && row)
            e = rewrap_one(c, id, workspace_id, why);
    }
    return e;
}

static enum err note(struct control *c, const char *before, const char *after, struct control_why *why)
{
    struct audit_text old, new;
    audit_text_begin(&old);
    audit_text_begin(&new);
    json_write_member_string(&old.w, "id", str_c(before));
    json_write_member_string(&new.w, "id", str_c(after));
    const struct audit_change change = {.action = "master_key.rotate",
                                        .object_type = "master_key",
                                        .object_id = str_c(after),
                                        .before = audit_text_end(&old),
                                        .after = audit_text_end(&new)};
    enum err e = audit_note(c, &change, why);
    audit_text_free(&old);
    audit_text_free(&new);
    return e;
}

static enum err rewrap(struct control *c, const struct master_key *k, struct control_why *why)
{
    char before[MASTER_KEY_ID_MAX];
    str_copy(before, sizeof before, str_c(crypt_master_id(c->crypt)));
    crypt_rewrap_begin(c->crypt, k);
    enum err e = rewrap_all(c, why);
    return e == ERR_OK ? note(c, before, k->id, why) : e;
}

/* ---- all of it ---- */

static enum err make_key(struct control *c, struct str text, struct master_key *k, struct control_why *why)
{
    if (text.n)
        return master_key_from_text(k, text, why->text, sizeof why->text) == ERR_OK ? ERR_OK : ERR_BAD_PARAMETER;
    if (!c->own_master_file)
        return control_inner_fail(why, ERR_MISSING_PARAMETER, "new_key",
                                  "The master key comes from TOLLGATE_MASTER_KEY or TOLLGATE_MASTER_KEY_FILE; bring "
                                  "the new one ('openssl rand -hex 32') and set it there afterwards.");
    unsigned char bytes[MASTER_KEY_BYTES];
    char hex[ENCODE_HEX_MAX(MASTER_KEY_BYTES)];
    rng_bytes(bytes, sizeof bytes);
    size_t n = encode_hex(bytes, sizeof bytes, hex);
    enum err e = master_key_from_text(k, str_of(hex, n), why->text, sizeof why->text);
    mem_wipe(bytes, sizeof bytes);
    mem_wipe(hex, sizeof hex);
    return e;
}

static enum err rotate(struct control *c, const struct master_key *k, struct control_why *why)
{
    enum err e = ERR_OK;
    /* One rotation at a time has the files: the lock of the change is the rotation's as well. */
    if (c->own_master_file)
        e = write_key(c->dir, NEXT_FILE, k, why);
    return e == ERR_OK ? rewrap(c, k, why) : e;
}

enum err rotate_master_key(struct control *c, struct str new_key, struct control_why *why)
{
    struct master_key k = {0};
    why->param = "new_key";
    enum err e = make_key(c, new_key, &k, why);
    if (e == ERR_OK && strcmp(k.id, crypt_master_id(c->crypt)) == 0)
        e = control_inner_fail(why, ERR_CONFLICT, "new_key", "This is the master key in use.");
    if (e == ERR_OK) {
        pthread_mutex_lock(&c->rotating);
        e = control_inner_begin(c, why);
        if (e == ERR_OK)
            e = control_inner_end(c, rotate(c, &k, why), why);
        if (e == ERR_OK && c->own_master_file)
            e = finish_files(c->dir, &k, why);
        pthread_mutex_unlock(&c->rotating);
    }
    master_key_wipe(&k);
    return e;
}
