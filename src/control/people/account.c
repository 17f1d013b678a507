/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Service accounts in the database: a row of service_account, and one of api_key (kind 'account') that
 * stands for it in snapshots. The latter's hash is that of random bytes: nobody can present them.
 */
#include "control/people/account.h"

#include <string.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "control/control_text.h"
#include "control/people/grant.h"
#include "control/people/people_inner.h"
#include "control/people/reach.h"
#include "control/people/token.h"

#define CLIENT_PREFIX "sa-"
#define CLIENT_DIGITS 20
#define SECRET_PREFIX "ts-"
#define SECRET_DIGITS 40
#define NAME_MAX_BYTES 100
#define ROW_ARENA 1024
#define ROW_ARENA_MAX 65536

#define COLUMNS "id, workspace_id, client_id, name, description, last, role, created_us, updated_us"

/* ---- rows ---- */

static enum err read_row(struct store_stmt *st, struct arena *a, struct account *r, struct control_why *why)
{
    *r = (struct account){
        .id = store_i64(st, 0),
        .workspace_id = store_i64(st, 1),
        .client_id = arena_dup(a, store_text(st, 2)),
        .name = arena_dup(a, store_text(st, 3)),
        .description = arena_dup(a, store_text(st, 4)),
        .created_us = store_i64(st, 7),
        .updated_us = store_i64(st, 8),
    };
    str_copy(r->last, sizeof r->last, store_text(st, 5));
    if (!kind_role_from(store_text(st, 6), &r->role))
        return control_inner_fail(why, ERR_CORRUPT, "", "control.db: row %lld of service_account has an unknown role.",
                                  (long long)r->id);
    return r->client_id.p && r->name.p && r->description.p ? ERR_OK : control_inner_arena_full(why);
}

/* Inside a transaction. */
static enum err find(struct control *c, int64_t workspace_id, struct str client_id, struct arena *a,
                     struct account *ret, struct control_why *why)
{
    struct store_stmt *st;
    bool row;
    enum err e = control_inner_sql(c,
                                   "SELECT " COLUMNS " FROM service_account "
                                   "WHERE client_id = ?1 AND workspace_id = ?2 AND deleted_us = 0",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, client_id);
    store_bind_i64(st, 2, workspace_id);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (!row)
        e = control_inner_fail(why, ERR_NOT_FOUND, "client_id", "There is no such service account in this workspace.");
    else
        e = read_row(st, a, ret, why);
    store_done(st);
    store_clear(st);
    return e;
}

enum err account_find(struct control *c, int64_t workspace_id, struct str client_id, struct arena *a,
                      struct account *ret, struct control_why *why)
{
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = find(c, workspace_id, client_id, a, ret, why);
    control_inner_end_read(c);
    return e;
}

enum err account_list(struct control *c, int64_t workspace_id, struct arena *a, struct account **ret_rows,
                      size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    size_t n = 0;
    struct account *rows = arena_alloc(a, ACCOUNT_LIST_MAX * sizeof *rows);
    if (!rows)
        return control_inner_arena_full(why);
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_sql(c,
                          "SELECT " COLUMNS " FROM service_account WHERE workspace_id = ?1 AND deleted_us = 0 "
                          "ORDER BY id",
                          &st, why);
    if (e == ERR_OK)
        store_bind_i64(st, 1, workspace_id);
    while (e == ERR_OK && row && n < ACCOUNT_LIST_MAX) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row)
            e = read_row(st, a, &rows[n++], why);
    }
    control_inner_end_read(c);
    *ret_rows = rows;
    *ret_count = n;
    return e;
}

/* ---- checks ---- */

static enum err check(struct str name, struct str description, enum kind_role role, struct control_why *why)
{
    if (!control_text_is_name(name, NAME_MAX_BYTES))
        return control_inner_fail(why, name.n ? ERR_BAD_PARAMETER : ERR_MISSING_PARAMETER, "name",
                                  "A service account's name has 1 to %d bytes of UTF-8 without control characters.",
                                  NAME_MAX_BYTES);
    if (description.n && !control_text_is_name(description, ACCOUNT_DESCRIPTION_MAX))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "description",
                                  "A description has at most %d bytes of UTF-8 without control characters.",
                                  ACCOUNT_DESCRIPTION_MAX);
    if (role == KIND_ROLE_OWNER)
        return control_inner_fail(why, ERR_BAD_PARAMETER, "role", "A service account is admin, member or viewer.");
    return ERR_OK;
}

/* ---- changes ---- */

static enum err note(struct control *c, const char *action, const struct account *before, const struct account *after,
                     struct control_why *why)
{
    struct audit_text text[2];
    const struct account *const rows[] = {before, after}, *r = after ? after : before;
    struct str said[2] = {{"", 0}, {"", 0}};
    for (int i = 0; i < 2; i++) {
        audit_text_begin(&text[i]);
        if (rows[i]) {
            json_write_member_string(&text[i].w, "name", rows[i]->name);
            json_write_member_text(&text[i].w, "description", rows[i]->description);
            json_write_member_string(&text[i].w, "role", str_c(kind_role_text(rows[i]->role)));
        }
        struct str json = audit_text_end(&text[i]);
        if (rows[i])
            said[i] = json;
    }
    const struct audit_change change = {.workspace_id = r->workspace_id,
                                        .action = action,
                                        .object_type = "service_account",
                                        .object_id = r->client_id,
                                        .before = said[0],
                                        .after = said[1]};
    enum err e = audit_note(c, &change, why);
    audit_text_free(&text[0]);
    audit_text_free(&text[1]);
    return e;
}

static void make_secret(struct secret *ret)
{
    char text[sizeof SECRET_PREFIX - 1 + SECRET_DIGITS];
    memcpy(text, SECRET_PREFIX, sizeof SECRET_PREFIX - 1);
    encode_base62_random(text + sizeof SECRET_PREFIX - 1, SECRET_DIGITS);
    secret_set(ret, str_of(text, sizeof text));
    mem_wipe(text, sizeof text);
}

static void hash_of(struct control *c, struct str secret, unsigned char out[APIKEY_HASH_BYTES])
{
    if (!apikey_hash((const unsigned char *)secret_reveal(&c->pepper).p, secret, out))
        memset(out, 0, APIKEY_HASH_BYTES);
}

static enum err insert(struct control *c, struct account *r, struct str secret, struct control_why *why)
{
    struct store_stmt *st;
    unsigned char hash[APIKEY_HASH_BYTES];
    enum err e = control_inner_sql(c,
                                   "INSERT INTO service_account(client_id, workspace_id, name, description, role, "
                                   "hash, last, created_us, updated_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    r->created_us = r->updated_us = clock_wall_us();
    hash_of(c, secret, hash);
    apikey_last(secret, r->last);
    store_bind_text(st, 1, r->client_id);
    store_bind_i64(st, 2, r->workspace_id);
    store_bind_text(st, 3, r->name);
    store_bind_text(st, 4, r->description);
    store_bind_text(st, 5, str_c(kind_role_text(r->role)));
    store_bind_blob(st, 6, str_of((const char *)hash, sizeof hash));
    store_bind_text(st, 7, str_c(r->last));
    store_bind_i64(st, 8, r->created_us);
    e = control_inner_run(c, st, why);
    r->id = store_last_id(c->db);
    return e;
}

/* The row of api_key that tokens name. */
static enum err insert_stand_in(struct control *c, const struct account *r, struct control_why *why)
{
    char nobodys[40];
    struct control_inner_key key = {.workspace_id = r->workspace_id,
                                    .name = r->name,
                                    .role = r->role,
                                    .record_bodies = KIND_BODIES_DEFAULT,
                                    .text = str_of(nobodys, sizeof nobodys)};
    int64_t id = 0;
    rng_bytes(nobodys, sizeof nobodys);
    enum err e = control_inner_insert_key(c, &key, &id, why);
    mem_wipe(nobodys, sizeof nobodys);
    if (e == ERR_OK)
        e = people_inner_run(c, "UPDATE api_key SET kind = 'account', last = '', service_account_id = ?2 WHERE id = ?1",
                             id, r->id, why);
    return e;
}

enum err account_create(struct control *c, int64_t workspace_id, const struct account_spec *spec, struct arena *a,
                        struct account *ret, struct secret *ret_secret, struct control_why *why)
{
    char client_id[sizeof CLIENT_PREFIX - 1 + CLIENT_DIGITS];
    struct secret secret = {0};
    struct account r = {.workspace_id = workspace_id, .role = spec->role};
    enum err e = check(spec->name, spec->description, spec->role, why);
    if (e != ERR_OK)
        return e;
    memcpy(client_id, CLIENT_PREFIX, sizeof CLIENT_PREFIX - 1);
    encode_base62_random(client_id + sizeof CLIENT_PREFIX - 1, CLIENT_DIGITS);
    r.client_id = arena_dup(a, str_of(client_id, sizeof client_id));
    r.name = arena_dup(a, spec->name);
    r.description = arena_dup(a, spec->description.n ? spec->description : STR(""));
    if (!r.client_id.p || !r.name.p || !r.description.p)
        return control_inner_arena_full(why);
    e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    make_secret(&secret);
    e = control_inner_need_workspace(c, workspace_id, why);
    if (e == ERR_OK)
        e = insert(c, &r, secret_reveal(&secret), why);
    if (e == ERR_OK)
        e = insert_stand_in(c, &r, why);
    if (e == ERR_OK)
        e = note(c, "service_account.create", NULL, &r, why);
    e = control_inner_end(c, e, why);
    if (e == ERR_OK) {
        *ret = r;
        secret_set(ret_secret, secret_reveal(&secret));
    }
    secret_wipe(&secret);
    return e;
}

static enum err write_row(struct control *c, struct account *r, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(
        c, "UPDATE service_account SET name = ?2, description = ?3, role = ?4, updated_us = ?5 WHERE id = ?1", &st,
        why);
    if (e != ERR_OK)
        return e;
    r->updated_us = clock_wall_us();
    store_bind_i64(st, 1, r->id);
    store_bind_text(st, 2, r->name);
    store_bind_text(st, 3, r->description);
    store_bind_text(st, 4, str_c(kind_role_text(r->role)));
    store_bind_i64(st, 5, r->updated_us);
    e = control_inner_run(c, st, why);
    if (e == ERR_OK)
        e = people_inner_run(c,
                             "UPDATE api_key SET role = (SELECT role FROM service_account WHERE id = ?1), "
                             "updated_us = ?2 WHERE service_account_id = ?1",
                             r->id, r->updated_us, why);
    return e;
}

static enum err update(struct control *c, int64_t workspace_id, struct str client_id,
                       const struct account_change *change, struct arena *a, struct account *r, struct control_why *why)
{
    struct account before;
    enum err e = find(c, workspace_id, client_id, a, r, why);
    if (e != ERR_OK)
        return e;
    before = *r;
    if (change->name)
        r->name = arena_dup(a, *change->name);
    if (change->description)
        r->description = arena_dup(a, *change->description);
    if (change->role)
        r->role = *change->role;
    if (!r->name.p || !r->description.p)
        return control_inner_arena_full(why);
    e = check(r->name, r->description, r->role, why);
    if (e == ERR_OK)
        e = write_row(c, r, why);
    return e == ERR_OK ? note(c, "service_account.update", &before, r, why) : e;
}

enum err account_update(struct control *c, int64_t workspace_id, struct str client_id,
                        const struct account_change *change, struct arena *a, struct account *ret,
                        struct control_why *why)
{
    struct account r;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_end(c, update(c, workspace_id, client_id, change, a, &r, why), why);
    if (e == ERR_OK)
        *ret = r;
    return e;
}

static enum err write_secret(struct control *c, const struct account *r, struct str secret, struct control_why *why)
{
    struct store_stmt *st;
    unsigned char hash[APIKEY_HASH_BYTES];
    char last[APIKEY_LAST + 1];
    enum err e = control_inner_sql(c, "UPDATE service_account SET hash = ?2, last = ?3, updated_us = ?4 WHERE id = ?1",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    hash_of(c, secret, hash);
    apikey_last(secret, last);
    store_bind_i64(st, 1, r->id);
    store_bind_blob(st, 2, str_of((const char *)hash, sizeof hash));
    store_bind_text(st, 3, str_c(last));
    store_bind_i64(st, 4, clock_wall_us());
    return control_inner_run(c, st, why);
}

/* Tokens made with the secret before name the row that stood in for the account: another one does from now on. */
static enum err end_tokens(struct control *c, const struct account *r, struct control_why *why)
{
    enum err e = people_inner_run(c,
                                  "UPDATE api_key SET revoked_us = ?2 WHERE service_account_id = ?1 AND "
                                  "kind = 'account' AND revoked_us = 0",
                                  r->id, clock_wall_us(), why);
    return e == ERR_OK ? insert_stand_in(c, r, why) : e;
}

enum err account_rotate(struct control *c, int64_t workspace_id, struct str client_id, struct secret *ret_secret,
                        struct control_why *why)
{
    struct account r;
    struct secret secret = {0};
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    make_secret(&secret);
    e = find(c, workspace_id, client_id, a, &r, why);
    if (e == ERR_OK)
        e = write_secret(c, &r, secret_reveal(&secret), why);
    if (e == ERR_OK)
        e = end_tokens(c, &r, why);
    if (e == ERR_OK)
        e = note(c, "service_account.rotate", &r, &r, why);
    e = control_inner_end(c, e, why);
    if (e == ERR_OK)
        secret_set(ret_secret, secret_reveal(&secret));
    secret_wipe(&secret);
    arena_free(a);
    return e;
}

static enum err expel(struct control *c, int64_t workspace_id, struct str client_id, struct arena *a,
                      struct control_why *why)
{
    struct account r;
    int64_t now = clock_wall_us();
    enum err e = find(c, workspace_id, client_id, a, &r, why);
    if (e == ERR_OK)
        e = people_inner_run(c, "UPDATE service_account SET deleted_us = ?2, hash = x'' WHERE id = ?1", r.id, now, why);
    if (e == ERR_OK)
        e = people_inner_run(c, "UPDATE api_key SET revoked_us = ?2 WHERE service_account_id = ?1 AND revoked_us = 0",
                             r.id, now, why);
    return e == ERR_OK ? note(c, "service_account.delete", &r, NULL, why) : e;
}

enum err account_delete(struct control *c, int64_t workspace_id, struct str client_id, struct control_why *why)
{
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = control_inner_end(c, expel(c, workspace_id, client_id, a, why), why);
    arena_free(a);
    return e;
}

/* ---- tokens ---- */

enum err people_inner_tokens(struct control *c, struct str subject, int64_t key_id, struct buf *ret_access,
                             struct buf *ret_refresh)
{
    unsigned char key[TOKEN_KEY_BYTES];
    int64_t now_s = clock_wall_us() / 1000000;
    token_key((const unsigned char *)secret_reveal(&c->pepper).p, key);
    bool ok = token_make(key, TOKEN_ACCESS, subject, key_id, now_s, ret_access) &&
              token_make(key, TOKEN_REFRESH, subject, key_id, now_s, ret_refresh);
    mem_wipe(key, sizeof key);
    return ok ? ERR_OK : ERR_OVERLOADED;
}

static enum err refused(struct control_why *why)
{
    return control_inner_fail(why, ERR_KEY_INVALID, "", "The client id, secret or token is wrong or no longer valid.");
}

/* The id of the stand-in of this client; 0 when the secret is not its. Inside a read. */
static enum err check_secret(struct control *c, struct str client_id, struct str secret, int64_t *ret_key_id,
                             struct control_why *why)
{
    struct store_stmt *st;
    bool row;
    unsigned char hash[APIKEY_HASH_BYTES];
    enum err e = control_inner_sql(c,
                                   "SELECT s.hash, k.id FROM service_account s JOIN api_key k "
                                   "ON k.service_account_id = s.id AND k.kind = 'account' "
                                   "WHERE s.client_id = ?1 AND s.deleted_us = 0 AND k.revoked_us = 0",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    *ret_key_id = 0;
    hash_of(c, secret, hash);
    store_bind_text(st, 1, client_id);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (row && store_text(st, 0).n == sizeof hash && CRYPTO_memcmp(store_text(st, 0).p, hash, sizeof hash) == 0)
        *ret_key_id = store_i64(st, 1);
    store_done(st);
    store_clear(st);
    return e;
}

enum err account_tokens(struct control *c, struct str client_id, struct str secret, struct buf *ret_access,
                        struct buf *ret_refresh, struct control_why *why)
{
    int64_t key_id = 0;
    if (!client_id.n || client_id.n > APIKEY_PRESENTED_MAX || !secret.n || secret.n > APIKEY_PRESENTED_MAX)
        return refused(why);
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = check_secret(c, client_id, secret, &key_id, why);
    if (e == ERR_OK)
        e = key_id ? people_inner_tokens(c, client_id, key_id, ret_access, ret_refresh) : refused(why);
    control_inner_end_read(c);
    return e;
}

enum err account_refresh(struct control *c, struct str refresh, struct buf *ret_access, struct buf *ret_refresh,
                         struct control_why *why)
{
    unsigned char key[TOKEN_KEY_BYTES];
    struct token t;
    int64_t now_us = clock_wall_us(), expires_us = 0;
    bool device = false;
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    token_key((const unsigned char *)secret_reveal(&c->pepper).p, key);
    bool good = token_read(key, refresh, &t) && t.use == TOKEN_REFRESH && now_us / 1000000 < t.expires_s;
    mem_wipe(key, sizeof key);
    const struct snapshot_key *k = good ? reach_key(c->current, t.key_id) : NULL;
    if (!k || k->state != SNAPSHOT_KEY_ACTIVE || (k->expires_us && now_us >= k->expires_us)) {
        e = refused(why);
    } else {
        e = people_inner_tokens(c, k->public_id, t.key_id, ret_access, ret_refresh);
        device = k->device;
        expires_us = k->expires_us;
    }
    control_inner_end_read(c);
    return e == ERR_OK && device ? grant_touch(c, t.key_id, expires_us, why) : e;
}
