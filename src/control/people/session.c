/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions in the database. The slow comparison of a password is made outside of control's lock: first
 * read what is stored, then compare, then begin the change.
 */
#include "control/people/session.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "control/people/password.h"
#include "control/people/people_inner.h"
#include "control/people/tries.h"

#define TOKEN_DIGITS 40
#define ROW_ARENA 1024
#define ROW_ARENA_MAX 65536
/* A session's end is moved when it would move by this much: one snapshot for many uses. */
#define TOUCH_US (SESSION_IDLE_US / 12)

/* ---- what is stored ---- */

/* id 0: nobody has the address. `stored` is empty then, or when the person has no password. */
static enum err read_password(struct control *c, struct str email, int64_t member_id, int64_t *ret_id,
                              unsigned char stored[PASSWORD_STORED_BYTES], size_t *ret_n, struct control_why *why)
{
    struct store_stmt *st;
    bool row;
    *ret_id = 0;
    *ret_n = 0;
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_sql(
        c, "SELECT id, password FROM member WHERE deleted_us = 0 AND ((?1 <> '' AND email = ?1) OR id = ?2)", &st, why);
    if (e == ERR_OK) {
        store_bind_text(st, 1, email);
        store_bind_i64(st, 2, member_id);
        e = store_step(st, &row);
        if (e != ERR_OK) {
            e = control_inner_store_failed(c, e, why);
        } else if (row) {
            struct str blob = store_text(st, 1);
            *ret_id = store_i64(st, 0);
            *ret_n = blob.n == PASSWORD_STORED_BYTES ? blob.n : 0;
            memcpy(stored, blob.p, *ret_n);
        }
        store_done(st);
        store_clear(st);
    }
    control_inner_end_read(c);
    return e;
}

/* ---- slowing down ---- */

static enum err check_tries(struct control *c, struct str email, struct str peer, struct control_why *why)
{
    int64_t now = clock_wall_us();
    pthread_mutex_lock(&c->lock);
    bool ok = tries_allowed(c->tries, email, SESSION_ACCOUNT_TRIES, SESSION_TRIES_US, now) &&
              tries_allowed(c->tries, peer, SESSION_PEER_TRIES, SESSION_TRIES_US, now);
    pthread_mutex_unlock(&c->lock);
    return ok ? ERR_OK
              : control_inner_fail(why, ERR_RATE_LIMITED, "",
                                   "Too many wrong passwords; wait a quarter of an hour and try again.");
}

static enum err refuse(struct control *c, struct str email, struct str peer, struct control_why *why)
{
    int64_t now = clock_wall_us();
    pthread_mutex_lock(&c->lock);
    tries_failed(c->tries, email, SESSION_TRIES_US, now);
    tries_failed(c->tries, peer, SESSION_TRIES_US, now);
    pthread_mutex_unlock(&c->lock);
    return control_inner_fail(why, ERR_KEY_INVALID, "", "The e-mail address or the password is wrong.");
}

/* ---- changes ---- */

static enum err note(struct control *c, const char *action, struct str object, struct control_why *why)
{
    const struct audit_change change = {.action = action, .object_type = "session", .object_id = object};
    return audit_note(c, &change, why);
}

enum err people_inner_home(struct control *c, int64_t member_id, int64_t *ret_id, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c,
                                   "SELECT coalesce((SELECT min(w.id) FROM standing s JOIN workspace w "
                                   "ON w.id = s.workspace_id WHERE s.member_id = ?1 AND w.deleted_us = 0), "
                                   "(SELECT min(id) FROM workspace WHERE deleted_us = 0))",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, member_id);
    return control_inner_number(c, st, 0, ret_id, why);
}

static enum err insert(struct control *c, const struct member *m, struct str token, struct session *s,
                       struct control_why *why)
{
    struct store_stmt *st;
    int64_t now = clock_wall_us();
    struct control_inner_key key = {.member_id = m->id,
                                    .name = m->email.n ? m->email : m->name,
                                    .role = KIND_ROLE_OWNER, /* the person's own is the weaker one */
                                    .record_bodies = KIND_BODIES_DEFAULT,
                                    .expires_us = now + SESSION_IDLE_US,
                                    .text = token};
    enum err e = people_inner_home(c, m->id, &key.workspace_id, why);
    if (e == ERR_OK)
        e = control_inner_insert_key(c, &key, &s->key_id, why);
    s->expires_us = key.expires_us;
    s->until_us = now + SESSION_LASTS_US;
    if (e == ERR_OK)
        e = control_inner_sql(c, "UPDATE api_key SET kind = 'session', last = '', until_us = ?2 WHERE id = ?1", &st,
                              why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, s->key_id);
    store_bind_i64(st, 2, s->until_us);
    e = control_inner_run(c, st, why);
    return e == ERR_OK ? note(c, "session.create", key.name, why) : e;
}

static void make_token(struct secret *ret)
{
    char text[sizeof SESSION_PREFIX - 1 + TOKEN_DIGITS];
    memcpy(text, SESSION_PREFIX, sizeof SESSION_PREFIX - 1);
    encode_base62_random(text + sizeof SESSION_PREFIX - 1, TOKEN_DIGITS);
    secret_set(ret, str_of(text, sizeof text));
    mem_wipe(text, sizeof text);
}

enum err people_inner_open_session(struct control *c, const struct member *m, struct secret *ret_token,
                                   struct session *ret, struct control_why *why)
{
    make_token(ret_token);
    return insert(c, m, secret_reveal(ret_token), ret, why);
}

static enum err open_session(struct control *c, int64_t member_id, struct arena *a, struct member *ret_member,
                             struct secret *ret_token, struct session *ret, struct control_why *why)
{
    struct secret token = {0};
    struct member m;
    struct session s;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = people_inner_find(c, member_id, a, &m, why);
    if (e == ERR_OK)
        e = people_inner_open_session(c, &m, &token, &s, why);
    e = control_inner_end(c, e, why);
    if (e == ERR_OK) {
        *ret_member = m;
        *ret = s;
        secret_set(ret_token, secret_reveal(&token));
    }
    secret_wipe(&token);
    return e;
}

enum err session_sign_in(struct control *c, struct str email, struct str password, struct str peer, struct arena *a,
                         struct member *ret_member, struct secret *ret_token, struct session *ret,
                         struct control_why *why)
{
    unsigned char stored[PASSWORD_STORED_BYTES];
    size_t n = 0;
    int64_t id = 0;
    struct str lower;
    struct control_why ignored;
    if (people_inner_email(email, a, &lower, &ignored) != ERR_OK)
        lower = STR("nobody"); /* who has no address has no password; the answer is the same */
    enum err e = check_tries(c, lower, peer, why);
    if (e == ERR_OK)
        e = read_password(c, lower, 0, &id, stored, &n, why);
    if (e != ERR_OK)
        return e;
    bool right = password_check(str_of((const char *)stored, n), password) && id != 0;
    mem_wipe(stored, sizeof stored);
    if (!right)
        return refuse(c, lower, peer, why);
    pthread_mutex_lock(&c->lock);
    tries_forget(c->tries, lower);
    pthread_mutex_unlock(&c->lock);
    return open_session(c, id, a, ret_member, ret_token, ret, why);
}

enum err session_touch(struct control *c, int64_t key_id, int64_t expires_us, struct control_why *why)
{
    int64_t to = clock_wall_us() + SESSION_IDLE_US;
    if (to - expires_us < TOUCH_US)
        return ERR_OK;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = people_inner_run(c,
                         "UPDATE api_key SET expires_us = min(?2, until_us) WHERE id = ?1 AND kind = 'session' AND "
                         "revoked_us = 0 AND expires_us < min(?2, until_us)",
                         key_id, to, why);
    return control_inner_end(c, e, why);
}

enum err session_sign_out(struct control *c, int64_t key_id, struct control_why *why)
{
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = people_inner_run(
        c, "UPDATE api_key SET revoked_us = ?2 WHERE id = ?1 AND kind IN ('session', 'device') AND revoked_us = 0",
        key_id, clock_wall_us(), why);
    if (e == ERR_OK && store_changes(c->db) > 0)
        e = note(c, "session.delete", actor_get()->name, why);
    return control_inner_end(c, e, why);
}

/* All sessions and devices of a person; inside a change. */
static enum err end_all(struct control *c, int64_t member_id, struct control_why *why)
{
    return people_inner_run(
        c,
        "UPDATE api_key SET revoked_us = ?2 WHERE member_id = ?1 AND kind IN ('session', 'device') AND revoked_us = 0",
        member_id, clock_wall_us(), why);
}

enum err session_sign_out_all(struct control *c, int64_t member_id, struct control_why *why)
{
    struct member m;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = people_inner_find(c, member_id, a, &m, why);
    if (e == ERR_OK)
        e = end_all(c, member_id, why);
    if (e == ERR_OK)
        e = note(c, "session.delete_all", m.email.n ? m.email : m.name, why);
    e = control_inner_end(c, e, why);
    arena_free(a);
    return e;
}

/* ---- passwords ---- */

static enum err write_password(struct control *c, int64_t member_id, const unsigned char stored[PASSWORD_STORED_BYTES],
                               struct arena *a, struct control_why *why)
{
    struct store_stmt *st;
    struct member m;
    enum err e = people_inner_find(c, member_id, a, &m, why);
    if (e == ERR_OK && !m.email.n)
        e = control_inner_fail(why, ERR_BAD_PARAMETER, "email",
                               "This member has no e-mail address to sign in with; set one first.");
    if (e == ERR_OK)
        e = control_inner_sql(c, "UPDATE member SET password = ?2 WHERE id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, member_id);
    store_bind_blob(st, 2, str_of((const char *)stored, PASSWORD_STORED_BYTES));
    e = control_inner_run(c, st, why);
    if (e == ERR_OK)
        e = end_all(c, member_id, why);
    return e == ERR_OK ? note(c, "password.set", m.email, why) : e;
}

/* The person's current one is `current`. */
static enum err check_current(struct control *c, int64_t member_id, struct str current, struct control_why *why)
{
    unsigned char stored[PASSWORD_STORED_BYTES];
    char called[32];
    size_t n = 0;
    int64_t id = 0;
    int k = snprintf(called, sizeof called, "member %lld", (long long)member_id);
    struct str who = str_of(called, (size_t)k);
    enum err e = check_tries(c, who, STR("change"), why);
    if (e == ERR_OK)
        e = read_password(c, STR(""), member_id, &id, stored, &n, why);
    if (e != ERR_OK)
        return e;
    bool right = password_check(str_of((const char *)stored, n), current) && id == member_id;
    mem_wipe(stored, sizeof stored);
    return right ? ERR_OK : refuse(c, who, who, why);
}

enum err session_set_password(struct control *c, int64_t member_id, struct str current, struct str password,
                              struct control_why *why)
{
    unsigned char stored[PASSWORD_STORED_BYTES];
    struct member m;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    enum err e = member_find(c, member_id, a, &m, why);
    const char *fault = e == ERR_OK ? password_fault(password, m.email, m.name) : NULL;
    if (fault)
        e = control_inner_fail(why, ERR_BAD_PARAMETER, "password", "%s", fault);
    if (e == ERR_OK && current.p)
        e = check_current(c, member_id, current, why);
    if (e == ERR_OK) {
        password_make(password, stored);
        e = control_inner_begin(c, why);
        if (e == ERR_OK)
            e = control_inner_end(c, write_password(c, member_id, stored, a, why), why);
        mem_wipe(stored, sizeof stored);
    }
    arena_free(a);
    return e;
}
