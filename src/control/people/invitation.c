/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invitations in the database. A link's secret is stored as a keyed hash, like a key. Answering is one
 * transaction: the state is read, the membership made, the answer written, so of two answers one counts.
 */
#include "control/people/invitation.h"

#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/mem.h"
#include "base/must.h"
#include "control/people/people_inner.h"

#define SECRET_DIGITS 32
#define LIST_MAX 1000
#define ROW_ARENA 1024
#define ROW_ARENA_MAX 65536

#define COLUMNS                                                                                          \
    "id, public_id, email, role, coalesce(workspace_id, 0), state, invited_by, created_us, expires_us, " \
    "answered_us"

static const char *const states[] = {
    [INVITATION_PENDING] = "pending", [INVITATION_ACCEPTED] = "accepted", [INVITATION_DECLINED] = "declined",
    [INVITATION_REVOKED] = "revoked", [INVITATION_EXPIRED] = "expired",
};

const char *invitation_state_text(enum invitation_state state)
{
    return states[state];
}

/* ---- rows ---- */

static enum err read_row(struct store_stmt *st, struct arena *a, struct invitation *i, struct control_why *why)
{
    bool known = false;
    *i = (struct invitation){
        .id = store_i64(st, 0),
        .public_id = arena_dup(a, store_text(st, 1)),
        .email = arena_dup(a, store_text(st, 2)),
        .workspace_id = store_i64(st, 4),
        .invited_by = store_i64(st, 6),
        .created_us = store_i64(st, 7),
        .expires_us = store_i64(st, 8),
        .answered_us = store_i64(st, 9),
    };
    for (unsigned k = INVITATION_PENDING; k <= INVITATION_REVOKED && !known; k++) {
        known = str_eq(store_text(st, 5), str_c(states[k]));
        i->state = (enum invitation_state)k;
    }
    if (!known || !kind_role_from(store_text(st, 3), &i->role))
        return control_inner_fail(why, ERR_CORRUPT, "",
                                  "control.db: row %lld of invitation has a value that cannot be.", (long long)i->id);
    if (i->state == INVITATION_PENDING && clock_wall_us() >= i->expires_us)
        i->state = INVITATION_EXPIRED;
    return i->public_id.p && i->email.p ? ERR_OK : control_inner_arena_full(why);
}

/* Rows of a statement whose values have been bound; the last column bound is the limit. */
static enum err read_rows(struct control *c, struct store_stmt *st, struct arena *a, struct invitation **ret_rows,
                          size_t *ret_count, struct control_why *why)
{
    bool row = true;
    size_t n = 0;
    struct invitation *rows = arena_alloc(a, LIST_MAX * sizeof *rows);
    enum err e = rows ? ERR_OK : control_inner_arena_full(why);
    while (e == ERR_OK && row && n < LIST_MAX) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row)
            e = read_row(st, a, &rows[n++], why);
    }
    store_done(st);
    store_clear(st);
    *ret_rows = rows;
    *ret_count = n;
    return e;
}

enum err invitation_list(struct control *c, int64_t workspace_id, bool all, struct arena *a,
                         struct invitation **ret_rows, size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_sql(c,
                          "SELECT " COLUMNS " FROM invitation WHERE ?1 = 1 OR coalesce(workspace_id, 0) = ?2 "
                          "ORDER BY id DESC LIMIT ?3",
                          &st, why);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, all);
        store_bind_i64(st, 2, workspace_id);
        store_bind_i64(st, 3, LIST_MAX);
        e = read_rows(c, st, a, ret_rows, ret_count, why);
    }
    control_inner_end_read(c);
    return e;
}

enum err invitation_list_for(struct control *c, struct str email, struct arena *a, struct invitation **ret_rows,
                             size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    struct str lower;
    enum err e = people_inner_email(email, a, &lower, why);
    if (e == ERR_OK)
        e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_sql(c,
                          "SELECT " COLUMNS
                          " FROM invitation WHERE email = ?1 AND state = 'pending' AND expires_us > ?2 "
                          "ORDER BY id DESC LIMIT ?3",
                          &st, why);
    if (e == ERR_OK) {
        store_bind_text(st, 1, lower);
        store_bind_i64(st, 2, clock_wall_us());
        store_bind_i64(st, 3, LIST_MAX);
        e = read_rows(c, st, a, ret_rows, ret_count, why);
    }
    control_inner_end_read(c);
    return e;
}

/* The only row, or ERR_NOT_FOUND; values bound before. */
static enum err read_one(struct control *c, struct store_stmt *st, struct arena *a, struct invitation *ret,
                         struct control_why *why)
{
    bool row;
    enum err e = store_step(st, &row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (!row)
        e = control_inner_fail(why, ERR_NOT_FOUND, "invitation",
                               "There is no such invitation; check link or id, or ask for a new one.");
    else
        e = read_row(st, a, ret, why);
    store_done(st);
    store_clear(st);
    return e;
}

static void hash_of(struct control *c, struct str secret, unsigned char out[APIKEY_HASH_BYTES])
{
    if (!apikey_hash((const unsigned char *)secret_reveal(&c->pepper).p, secret, out))
        memset(out, 0, APIKEY_HASH_BYTES); /* nobody's */
}

static enum err find_by_secret(struct control *c, struct str secret, struct arena *a, struct invitation *ret,
                               struct control_why *why)
{
    struct store_stmt *st;
    unsigned char hash[APIKEY_HASH_BYTES];
    enum err e = control_inner_sql(c, "SELECT " COLUMNS " FROM invitation WHERE hash = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    hash_of(c, secret, hash);
    store_bind_blob(st, 1, str_of((const char *)hash, sizeof hash));
    return read_one(c, st, a, ret, why);
}

/* The pending one for this address and workspace. */
static enum err find_pending(struct control *c, struct str email, int64_t workspace_id, struct arena *a,
                             struct invitation *ret, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c,
                                   "SELECT " COLUMNS " FROM invitation WHERE state = 'pending' AND email = ?1 AND "
                                   "coalesce(workspace_id, 0) = ?2 ORDER BY id DESC LIMIT 1",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, email);
    store_bind_i64(st, 2, workspace_id);
    return read_one(c, st, a, ret, why);
}

/* ---- changes ---- */

static enum err note(struct control *c, const char *action, const struct invitation *i, struct control_why *why)
{
    struct audit_text t;
    audit_text_begin(&t);
    json_write_member_string(&t.w, "email", i->email);
    json_write_member_string(&t.w, "role", str_c(kind_role_text(i->role)));
    json_write_member_int(&t.w, "expires_us", i->expires_us);
    const struct audit_change change = {.workspace_id = i->workspace_id,
                                        .action = action,
                                        .object_type = "invitation",
                                        .object_id = i->public_id,
                                        .after = audit_text_end(&t)};
    enum err e = audit_note(c, &change, why);
    audit_text_free(&t);
    return e;
}

static enum err write_state(struct control *c, const struct invitation *i, enum invitation_state state,
                            struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c, "UPDATE invitation SET state = ?2, answered_us = ?3 WHERE id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, i->id);
    store_bind_text(st, 2, str_c(states[state]));
    store_bind_i64(st, 3, clock_wall_us());
    return control_inner_run(c, st, why);
}

static enum err insert(struct control *c, const struct invitation *i, struct str secret, int64_t *ret_id,
                       struct control_why *why)
{
    struct store_stmt *st;
    unsigned char hash[APIKEY_HASH_BYTES];
    enum err e = control_inner_sql(c,
                                   "INSERT INTO invitation(public_id, email, role, workspace_id, hash, state, "
                                   "invited_by, created_us, expires_us) "
                                   "VALUES (?1, ?2, ?3, ?4, ?5, 'pending', ?6, ?7, ?8)",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    hash_of(c, secret, hash);
    store_bind_text(st, 1, i->public_id);
    store_bind_text(st, 2, i->email);
    store_bind_text(st, 3, str_c(kind_role_text(i->role)));
    if (i->workspace_id != 0)
        store_bind_i64(st, 4, i->workspace_id);
    store_bind_blob(st, 5, str_of((const char *)hash, sizeof hash));
    store_bind_i64(st, 6, i->invited_by);
    store_bind_i64(st, 7, i->created_us);
    store_bind_i64(st, 8, i->expires_us);
    e = control_inner_run(c, st, why);
    *ret_id = store_last_id(c->db);
    return e;
}

/* ERR_CONFLICT when the person has what the invitation offers. */
static enum err check_new(struct control *c, const struct invitation *i, struct control_why *why)
{
    struct store_stmt *st;
    int64_t there = 0;
    enum err e =
        control_inner_sql(c,
                          "SELECT 1 FROM member m WHERE m.email = ?1 AND m.deleted_us = 0 AND (?2 = 0 OR EXISTS "
                          "(SELECT 1 FROM membership s WHERE s.member_id = m.id AND s.workspace_id = ?2))",
                          &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, i->email);
    store_bind_i64(st, 2, i->workspace_id);
    e = control_inner_number(c, st, 0, &there, why);
    if (e == ERR_OK && there)
        e = control_inner_fail(why, ERR_CONFLICT, "email", "This person is a member already.");
    return e;
}

static enum err create(struct control *c, struct invitation *i, struct str secret, struct arena *a,
                       struct control_why *why)
{
    struct invitation old;
    enum err e = i->workspace_id ? control_inner_need_workspace(c, i->workspace_id, why) : ERR_OK;
    if (e == ERR_OK)
        e = check_new(c, i, why);
    if (e != ERR_OK)
        return e;
    e = find_pending(c, i->email, i->workspace_id, a, &old, why);
    if (e == ERR_OK)
        e = write_state(c, &old, INVITATION_REVOKED, why);
    else if (e == ERR_NOT_FOUND)
        e = ERR_OK;
    if (e == ERR_OK)
        e = insert(c, i, secret, &i->id, why);
    return e == ERR_OK ? note(c, "invitation.create", i, why) : e;
}

enum err invitation_create(struct control *c, const struct invitation_spec *spec, struct arena *a,
                           struct invitation *ret, struct secret *ret_secret, struct control_why *why)
{
    char public_id[16], secret[sizeof INVITATION_PREFIX - 1 + SECRET_DIGITS];
    struct invitation i = {.role = spec->role, .workspace_id = spec->workspace_id, .created_us = clock_wall_us()};
    enum err e = people_inner_email(spec->email, a, &i.email, why);
    if (e != ERR_OK)
        return e;
    memcpy(secret, INVITATION_PREFIX, sizeof INVITATION_PREFIX - 1);
    encode_base62_random(secret + sizeof INVITATION_PREFIX - 1, SECRET_DIGITS);
    encode_base62_random(public_id, sizeof public_id);
    i.expires_us = i.created_us + INVITATION_LASTS_US;
    i.public_id = arena_dup(a, str_of(public_id, sizeof public_id));
    i.invited_by = actor_get()->member_id;
    e = i.public_id.p ? control_inner_begin(c, why) : control_inner_arena_full(why);
    if (e == ERR_OK)
        e = control_inner_end(c, create(c, &i, str_of(secret, sizeof secret), a, why), why);
    if (e == ERR_OK) {
        *ret = i;
        secret_set(ret_secret, str_of(secret, sizeof secret));
    }
    mem_wipe(secret, sizeof secret);
    return e;
}

static enum err check_open(const struct invitation *i, struct control_why *why)
{
    switch (i->state) {
    case INVITATION_PENDING:
        return ERR_OK;
    case INVITATION_EXPIRED:
        return control_inner_fail(why, ERR_NOT_FOUND, "invitation", "This invitation has expired; ask for a new one.");
    default:
        return control_inner_fail(why, ERR_CONFLICT, "invitation", "This invitation was %s already.", states[i->state]);
    }
}

/* `member_id` 0: the member with the address, who is made when there is none. */
static enum err accept(struct control *c, const struct invitation *i, int64_t member_id, struct str name,
                       struct arena *a, struct member *ret_member, struct control_why *why)
{
    struct member_spec spec = {.name = name, .email = i->email, .role = KIND_ROLE_MEMBER};
    enum err e = check_open(i, why);
    if (e == ERR_OK && member_id == 0)
        e = people_inner_id_of(c, i->email, &member_id, why);
    if (i->workspace_id == 0)
        spec.role = i->role;
    if (e == ERR_OK && member_id == 0)
        e = people_inner_insert(c, &spec, &member_id, why);
    if (e == ERR_OK)
        e = people_inner_find(c, member_id, a, ret_member, why);
    if (e == ERR_OK && i->workspace_id)
        e = people_inner_join(c, i->workspace_id, ret_member, i->role, why);
    if (e == ERR_OK)
        e = write_state(c, i, INVITATION_ACCEPTED, why);
    return e == ERR_OK ? note(c, "invitation.accept", i, why) : e;
}

enum err people_inner_accept_all(struct control *c, struct str email, struct str name, struct arena *a, int64_t *ret_id,
                                 struct control_why *why)
{
    struct store_stmt *st;
    struct invitation *rows = NULL;
    struct member m = {0};
    size_t n = 0;
    enum err e = control_inner_sql(c,
                                   "SELECT " COLUMNS
                                   " FROM invitation WHERE email = ?1 AND state = 'pending' AND expires_us > ?2 AND "
                                   "(workspace_id IS NULL OR EXISTS (SELECT 1 FROM workspace w WHERE w.id = "
                                   "workspace_id AND w.deleted_us = 0)) ORDER BY id LIMIT ?3",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, email);
    store_bind_i64(st, 2, clock_wall_us());
    store_bind_i64(st, 3, LIST_MAX);
    e = read_rows(c, st, a, &rows, &n, why);
    for (size_t i = 0; e == ERR_OK && i < n; i++)
        e = accept(c, &rows[i], m.id, name, a, &m, why);
    *ret_id = m.id;
    return e;
}

/*
 * A link opens no account that is there already: whoever made the invitation has the link too. ERR_FORBIDDEN when the
 * address is a member's who has no password.
 */
static enum err check_password(struct control *c, const struct invitation *i, struct arena *a, struct control_why *why)
{
    struct member m;
    int64_t member_id = 0;
    enum err e = people_inner_id_of(c, i->email, &member_id, why);
    if (e != ERR_OK || !member_id)
        return e;
    e = people_inner_find(c, member_id, a, &m, why);
    if (e == ERR_OK && !m.has_password)
        e = control_inner_fail(why, ERR_FORBIDDEN, "password",
                               "This address is a member's, who has no password, and a link sets none. Sign in at your "
                               "provider, or accept without one and have an admin of the organization set it.");
    return e;
}

enum err invitation_accept(struct control *c, struct str secret, struct str name, bool with_password, struct arena *a,
                           struct member *ret_member, struct control_why *why)
{
    struct invitation i;
    struct member m;
    enum err e = name.n ? people_inner_name(name, why) : ERR_OK;
    if (e == ERR_OK)
        e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = find_by_secret(c, secret, a, &i, why);
    if (e == ERR_OK)
        e = check_open(&i, why);
    if (e == ERR_OK && with_password)
        e = check_password(c, &i, a, why);
    if (e == ERR_OK)
        e = accept(c, &i, 0, name, a, &m, why);
    e = control_inner_end(c, e, why);
    if (e == ERR_OK)
        *ret_member = m;
    return e;
}

/* The pending invitation of a member to a workspace. */
static enum err find_as(struct control *c, int64_t member_id, int64_t workspace_id, struct arena *a,
                        struct invitation *ret, struct control_why *why)
{
    struct member m;
    enum err e = people_inner_find(c, member_id, a, &m, why);
    return e == ERR_OK ? find_pending(c, m.email, workspace_id, a, ret, why) : e;
}

enum err invitation_accept_as(struct control *c, int64_t member_id, int64_t workspace_id, struct control_why *why)
{
    struct invitation i;
    struct member m;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = find_as(c, member_id, workspace_id, a, &i, why);
    if (e == ERR_OK)
        e = accept(c, &i, member_id, STR(""), a, &m, why);
    e = control_inner_end(c, e, why);
    arena_free(a);
    return e;
}

static enum err decline(struct control *c, const struct invitation *i, struct control_why *why)
{
    enum err e = check_open(i, why);
    if (e == ERR_OK)
        e = write_state(c, i, INVITATION_DECLINED, why);
    return e == ERR_OK ? note(c, "invitation.decline", i, why) : e;
}

enum err invitation_decline(struct control *c, struct str secret, struct control_why *why)
{
    struct invitation i;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = find_by_secret(c, secret, a, &i, why);
    if (e == ERR_OK)
        e = decline(c, &i, why);
    e = control_inner_end(c, e, why);
    arena_free(a);
    return e;
}

enum err invitation_decline_as(struct control *c, int64_t member_id, int64_t workspace_id, struct control_why *why)
{
    struct invitation i;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = find_as(c, member_id, workspace_id, a, &i, why);
    if (e == ERR_OK)
        e = decline(c, &i, why);
    e = control_inner_end(c, e, why);
    arena_free(a);
    return e;
}

static enum err revoke(struct control *c, int64_t workspace_id, struct str id_or_email, struct arena *a,
                       struct control_why *why)
{
    struct store_stmt *st;
    struct invitation i;
    enum err e =
        control_inner_sql(c,
                          "SELECT " COLUMNS " FROM invitation WHERE coalesce(workspace_id, 0) = ?1 AND "
                          "state = 'pending' AND (public_id = ?2 OR email = lower(?2)) ORDER BY id DESC LIMIT 1",
                          &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    store_bind_text(st, 2, id_or_email);
    e = read_one(c, st, a, &i, why);
    if (e == ERR_OK)
        e = write_state(c, &i, INVITATION_REVOKED, why);
    return e == ERR_OK ? note(c, "invitation.revoke", &i, why) : e;
}

enum err invitation_revoke(struct control *c, int64_t workspace_id, struct str id_or_email, struct control_why *why)
{
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = control_inner_end(c, revoke(c, workspace_id, id_or_email, a, why), why);
    arena_free(a);
    return e;
}
