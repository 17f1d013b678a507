/* SPDX-License-Identifier: Apache-2.0 */
/*
 * People and memberships in the database. What protects against locking everybody out is checked after
 * the change, inside its transaction, so that every way to change is covered by one question.
 */
#include "control/people/member.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "control/control_text.h"
#include "control/people/people_inner.h"

#define ROW_ARENA 1024
#define ROW_ARENA_MAX 65536

#define COLUMNS "m.id, m.name, m.email, m.role, length(m.password) > 0, m.created_us"

/* ---- rows ---- */

/* From column `at` on. */
static enum err read_row(struct store_stmt *st, struct arena *a, struct member *m, struct control_why *why)
{
    *m = (struct member){
        .id = store_i64(st, 0),
        .name = arena_dup(a, store_text(st, 1)),
        .email = arena_dup(a, store_text(st, 2)),
        .has_password = store_i64(st, 4) != 0,
        .created_us = store_i64(st, 5),
    };
    if (!kind_role_from(store_text(st, 3), &m->role))
        return control_inner_fail(why, ERR_CORRUPT, "", "control.db: row %lld of member has a role that cannot be.",
                                  (long long)m->id);
    return m->name.p && m->email.p ? ERR_OK : control_inner_arena_full(why);
}

static enum err read_one(struct control *c, struct store_stmt *st, struct arena *a, struct member *ret,
                         struct control_why *why)
{
    bool row;
    enum err e = store_step(st, &row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (!row)
        e = control_inner_fail(why, ERR_NOT_FOUND, "user", "There is no such member.");
    else
        e = read_row(st, a, ret, why);
    store_done(st);
    store_clear(st);
    return e;
}

enum err people_inner_find(struct control *c, int64_t id, struct arena *a, struct member *ret, struct control_why *why)
{
    struct store_stmt *st;
    enum err e =
        control_inner_sql(c, "SELECT " COLUMNS " FROM member m WHERE m.id = ?1 AND m.deleted_us = 0", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    return read_one(c, st, a, ret, why);
}

enum err people_inner_id_of(struct control *c, struct str email, int64_t *ret_id, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c, "SELECT id FROM member WHERE email = ?1 AND deleted_us = 0", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, email);
    return control_inner_number(c, st, 0, ret_id, why);
}

enum err member_find(struct control *c, int64_t id, struct arena *a, struct member *ret, struct control_why *why)
{
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = people_inner_find(c, id, a, ret, why);
    control_inner_end_read(c);
    return e;
}

enum err member_find_email(struct control *c, struct str email, struct arena *a, struct member *ret,
                           struct control_why *why)
{
    struct str lower;
    int64_t id = 0;
    enum err e = people_inner_email(email, a, &lower, why);
    if (e == ERR_OK)
        e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = people_inner_id_of(c, lower, &id, why);
    if (e == ERR_OK)
        e = people_inner_find(c, id, a, ret, why);
    control_inner_end_read(c);
    return e;
}

enum err member_list(struct control *c, struct arena *a, struct member **ret_rows, size_t *ret_count,
                     struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    size_t n = 0;
    int64_t live = 0;
    struct member *rows = NULL;
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_sql(c, "SELECT count(*) FROM member WHERE deleted_us = 0", &st, why);
    if (e == ERR_OK)
        e = control_inner_number(c, st, 0, &live, why);
    size_t cap = live > MEMBER_LIST_MAX ? MEMBER_LIST_MAX : (size_t)live;
    if (e == ERR_OK && !(rows = arena_alloc(a, (cap + 1) * sizeof *rows)))
        e = control_inner_arena_full(why);
    if (e == ERR_OK)
        e = control_inner_sql(c, "SELECT " COLUMNS " FROM member m WHERE m.deleted_us = 0 ORDER BY m.id", &st, why);
    while (e == ERR_OK && row && n < cap) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row)
            e = read_row(st, a, &rows[n++], why);
    }
    if (rows)
        store_done(st);
    control_inner_end_read(c);
    *ret_rows = rows;
    *ret_count = n;
    return e;
}

/* ---- checks ---- */

enum err people_inner_email(struct str email, struct arena *a, struct str *ret, struct control_why *why)
{
    size_t at = 0, ats = 0;
    char *lower = arena_alloc(a, email.n + 1);
    if (!lower)
        return control_inner_arena_full(why);
    for (size_t i = 0; i < email.n; i++) {
        char ch = email.p[i];
        lower[i] = ch >= 'A' && ch <= 'Z' ? (char)(ch - 'A' + 'a') : ch;
        if (ch == '@') {
            at = i;
            ats++;
        }
    }
    *ret = str_of(lower, email.n);
    bool plain = control_text_is_visible(*ret, MEMBER_EMAIL_MAX) && ats == 1 && at > 0 && at + 1 < email.n;
    for (size_t i = 0; i < email.n; i++)
        plain = plain && !strchr("<>\"(),:;\\[]", lower[i]);
    return plain ? ERR_OK
                 : control_inner_fail(why, email.n ? ERR_BAD_PARAMETER : ERR_MISSING_PARAMETER, "email",
                                      "An e-mail address such as ann@example.com is needed.");
}

enum err people_inner_name(struct str name, struct control_why *why)
{
    if (control_text_is_name(name, MEMBER_NAME_MAX))
        return ERR_OK;
    return control_inner_fail(why, ERR_BAD_PARAMETER, "name",
                              "A name has 1 to %d bytes of UTF-8 without control characters.", MEMBER_NAME_MAX);
}

/* After a change: somebody of the organization can still do everything. */
static enum err check_owner_left(struct control *c, struct control_why *why)
{
    struct store_stmt *st;
    int64_t left = 0;
    enum err e = control_inner_sql(c, "SELECT count(*) FROM member WHERE role = 'owner' AND deleted_us = 0", &st, why);
    if (e == ERR_OK)
        e = control_inner_number(c, st, 0, &left, why);
    if (e == ERR_OK && left == 0)
        e = control_inner_fail(why, ERR_LAST_OWNER, "role",
                               "This is the organization's last owner; make somebody else an owner first.");
    return e;
}

/* After `member_id` lost its rights in a workspace: it has another admin, unless it never had this one. */
static enum err check_admin_left(struct control *c, int64_t workspace_id, struct control_why *why)
{
    struct store_stmt *st;
    int64_t left = 0;
    enum err e = control_inner_sql(c,
                                   "SELECT count(*) FROM membership s JOIN member m ON m.id = s.member_id "
                                   "WHERE s.workspace_id = ?1 AND s.role IN ('owner', 'admin') AND m.deleted_us = 0",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    e = control_inner_number(c, st, 0, &left, why);
    if (e == ERR_OK && left == 0)
        e = control_inner_fail(why, ERR_LAST_OWNER, "role",
                               "This is the workspace's last admin; make somebody else an admin first.");
    return e;
}

/* ---- the audit log ---- */

static void describe(struct json_write *w, const void *object)
{
    const struct member *m = object;
    json_write_member_string(w, "name", m->name);
    json_write_member_string(w, "email", m->email);
    json_write_member_string(w, "role", str_c(kind_role_text(m->role)));
}

/* The address, or the id where there is none. */
static struct str called(const struct member *m, char store[24])
{
    if (m->email.n)
        return m->email;
    int n = snprintf(store, 24, "%lld", (long long)m->id);
    return str_of(store, (size_t)n);
}

/* One of `before` and `after` may be NULL. */
static enum err note(struct control *c, const char *action, const struct member *before, const struct member *after,
                     struct control_why *why)
{
    char id[24];
    struct audit_change change = {
        .action = action, .object_type = "member", .object_id = called(after ? after : before, id)};
    return audit_note_objects(c, &change, describe, before, after, why);
}

/* A role of KIND_ROLE_COUNT stands for none. */
static void describe_role(struct json_write *w, const void *object)
{
    const enum kind_role *role = object;
    if (*role != KIND_ROLE_COUNT)
        json_write_member_string(w, "role", str_c(kind_role_text(*role)));
}

static enum err note_membership(struct control *c, const char *action, int64_t workspace_id, const struct member *m,
                                enum kind_role before, enum kind_role after, struct control_why *why)
{
    char id[24];
    struct audit_change change = {
        .workspace_id = workspace_id, .action = action, .object_type = "membership", .object_id = called(m, id)};
    return audit_note_objects(c, &change, describe_role, &before, &after, why);
}

/* ---- members ---- */

enum err people_inner_run(struct control *c, const char *sql, int64_t first, int64_t second, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c, sql, &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, first);
    store_bind_i64(st, 2, second);
    return control_inner_run(c, st, why);
}

enum err people_inner_insert(struct control *c, const struct member_spec *spec, int64_t *ret_id,
                             struct control_why *why)
{
    struct store_stmt *st;
    int64_t taken = 0;
    enum err e = people_inner_id_of(c, spec->email, &taken, why);
    if (e == ERR_OK && taken)
        e = control_inner_fail(why, ERR_CONFLICT, "email", "A member with this address exists already.");
    if (e == ERR_OK)
        e = control_inner_sql(c,
                              "INSERT INTO member(organization_id, name, email, role, created_us) "
                              "VALUES (?1, ?2, ?3, ?4, ?5)",
                              &st, why);
    if (e != ERR_OK)
        return e;
    struct member m = {.name = spec->name.n ? spec->name : spec->email, .email = spec->email, .role = spec->role};
    store_bind_i64(st, 1, CONTROL_ORGANIZATION_ID);
    store_bind_text(st, 2, m.name);
    store_bind_text(st, 3, m.email);
    store_bind_text(st, 4, str_c(kind_role_text(m.role)));
    store_bind_i64(st, 5, clock_wall_us());
    e = control_inner_run(c, st, why);
    *ret_id = store_last_id(c->db);
    return e == ERR_OK ? note(c, "member.create", NULL, &m, why) : e;
}

enum err member_create(struct control *c, const struct member_spec *spec, struct arena *a, struct member *ret,
                       struct control_why *why)
{
    struct member_spec checked = *spec;
    struct member made;
    int64_t id = 0;
    enum err e = people_inner_email(spec->email, a, &checked.email, why);
    if (e == ERR_OK && spec->name.n)
        e = people_inner_name(spec->name, why);
    if (e == ERR_OK)
        e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = people_inner_insert(c, &checked, &id, why);
    if (e == ERR_OK)
        e = people_inner_find(c, id, a, &made, why);
    e = control_inner_end(c, e, why);
    if (e == ERR_OK)
        *ret = made;
    return e;
}

static enum err update(struct control *c, int64_t id, const struct member_change *change, struct arena *a,
                       struct control_why *why)
{
    struct member before, m;
    struct store_stmt *st;
    int64_t other = 0;
    enum err e = people_inner_find(c, id, a, &before, why);
    if (e != ERR_OK)
        return e;
    m = before;
    if (change->name)
        m.name = *change->name;
    if (change->role)
        m.role = *change->role;
    if (change->email)
        e = people_inner_email(*change->email, a, &m.email, why);
    if (e == ERR_OK && change->email)
        e = people_inner_id_of(c, m.email, &other, why);
    if (e == ERR_OK && other && other != id)
        e = control_inner_fail(why, ERR_CONFLICT, "email", "A member with this address exists already.");
    if (e == ERR_OK)
        e = control_inner_sql(c, "UPDATE member SET name = ?2, email = ?3, role = ?4 WHERE id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    store_bind_text(st, 2, m.name);
    store_bind_text(st, 3, m.email);
    store_bind_text(st, 4, str_c(kind_role_text(m.role)));
    e = control_inner_run(c, st, why);
    if (e == ERR_OK)
        e = check_owner_left(c, why);
    return e == ERR_OK ? note(c, "member.update", &before, &m, why) : e;
}

enum err member_update(struct control *c, int64_t id, const struct member_change *change, struct control_why *why)
{
    enum err e = change->name ? people_inner_name(*change->name, why) : ERR_OK;
    if (e == ERR_OK)
        e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = control_inner_end(c, update(c, id, change, a, why), why);
    arena_free(a);
    return e;
}

/* The workspaces whose admin `id` is must have another one. */
static enum err check_workspaces_of(struct control *c, int64_t id, struct control_why *why)
{
    struct store_stmt *st;
    int64_t alone = 0;
    enum err e = control_inner_sql(
        c,
        "SELECT s.workspace_id FROM membership s WHERE s.member_id = ?1 AND s.role IN ('owner', 'admin') AND "
        "NOT EXISTS (SELECT 1 FROM membership o WHERE o.workspace_id = s.workspace_id AND o.member_id <> ?1 "
        "            AND o.role IN ('owner', 'admin')) LIMIT 1",
        &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    e = control_inner_number(c, st, 0, &alone, why);
    if (e == ERR_OK && alone)
        e = control_inner_fail(why, ERR_LAST_OWNER, "user",
                               "This is the last admin of a workspace; make somebody else an admin of it first.");
    return e;
}

static enum err expel(struct control *c, int64_t id, struct arena *a, struct control_why *why)
{
    struct member m;
    enum err e = people_inner_find(c, id, a, &m, why);
    if (e == ERR_OK)
        e = check_workspaces_of(c, id, why);
    if (e == ERR_OK)
        e = people_inner_run(c, "UPDATE member SET deleted_us = ?2, password = x'' WHERE id = ?1", id, clock_wall_us(),
                             why);
    if (e == ERR_OK)
        e = people_inner_run(c, "DELETE FROM membership WHERE member_id = ?1 AND ?2 >= 0", id, 0, why);
    if (e == ERR_OK)
        e = people_inner_run(c, "DELETE FROM team_member WHERE member_id = ?1 AND ?2 >= 0", id, 0, why);
    if (e == ERR_OK)
        e = people_inner_run(c, "UPDATE api_key SET revoked_us = ?2 WHERE member_id = ?1 AND revoked_us = 0", id,
                             clock_wall_us(), why);
    if (e == ERR_OK)
        e = check_owner_left(c, why);
    return e == ERR_OK ? note(c, "member.delete", &m, NULL, why) : e;
}

enum err member_delete(struct control *c, int64_t id, struct control_why *why)
{
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = expel(c, id, a, why);
    if (e == ERR_OK)
        e = control_inner_check_owner_key(c, why);
    e = control_inner_end(c, e, why);
    arena_free(a);
    return e;
}

/* ---- memberships ---- */

/* Whether a statement with one or two numbers bound has a row, and the role in its first column. */
static enum err read_role(struct control *c, const char *sql, int64_t first, int64_t second, bool *ret_there,
                          enum kind_role *ret, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c, sql, &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, first);
    store_bind_i64(st, 2, second);
    e = store_step(st, ret_there);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (*ret_there && !kind_role_from(store_text(st, 0), ret))
        e = control_inner_fail(why, ERR_CORRUPT, "", "control.db: somebody has a role that cannot be.");
    store_done(st);
    store_clear(st);
    return e;
}

/* KIND_ROLE_COUNT when there is none. */
static enum err role_in(struct control *c, int64_t workspace_id, int64_t member_id, enum kind_role *ret,
                        struct control_why *why)
{
    bool there = false;
    *ret = KIND_ROLE_COUNT;
    return read_role(c, "SELECT role FROM membership WHERE workspace_id = ?1 AND member_id = ?2", workspace_id,
                     member_id, &there, ret, why);
}

enum err people_inner_join(struct control *c, int64_t workspace_id, const struct member *m, enum kind_role role,
                           struct control_why *why)
{
    struct store_stmt *st;
    enum kind_role before;
    enum err e = control_inner_need_workspace(c, workspace_id, why);
    if (e == ERR_OK)
        e = role_in(c, workspace_id, m->id, &before, why);
    if (e == ERR_OK)
        e = control_inner_sql(c,
                              "INSERT INTO membership(member_id, workspace_id, role, created_us) "
                              "VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET role = ?3",
                              &st, why);
    if (e != ERR_OK || before == role)
        return e;
    store_bind_i64(st, 1, m->id);
    store_bind_i64(st, 2, workspace_id);
    store_bind_text(st, 3, str_c(kind_role_text(role)));
    store_bind_i64(st, 4, clock_wall_us());
    e = control_inner_run(c, st, why);
    if (e == ERR_OK && before <= KIND_ROLE_ADMIN)
        e = check_admin_left(c, workspace_id, why);
    if (e != ERR_OK)
        return e;
    return note_membership(c, before == KIND_ROLE_COUNT ? "membership.create" : "membership.update", workspace_id, m,
                           before, role, why);
}

enum err membership_set(struct control *c, int64_t workspace_id, int64_t member_id, enum kind_role role,
                        struct control_why *why)
{
    struct member m;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = people_inner_find(c, member_id, a, &m, why);
    if (e == ERR_OK)
        e = people_inner_join(c, workspace_id, &m, role, why);
    e = control_inner_end(c, e, why);
    arena_free(a);
    return e;
}

static enum err leave(struct control *c, int64_t workspace_id, const struct member *m, struct control_why *why)
{
    enum kind_role before;
    enum err e = role_in(c, workspace_id, m->id, &before, why);
    if (e == ERR_OK && before == KIND_ROLE_COUNT)
        e = control_inner_fail(why, ERR_NOT_FOUND, "user", "This member is not in the workspace.");
    if (e == ERR_OK)
        e = people_inner_run(c, "DELETE FROM membership WHERE member_id = ?1 AND workspace_id = ?2", m->id,
                             workspace_id, why);
    if (e == ERR_OK && before <= KIND_ROLE_ADMIN)
        e = check_admin_left(c, workspace_id, why);
    return e == ERR_OK ? note_membership(c, "membership.delete", workspace_id, m, before, KIND_ROLE_COUNT, why) : e;
}

enum err membership_remove(struct control *c, int64_t workspace_id, int64_t member_id, struct control_why *why)
{
    struct member m;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = people_inner_find(c, member_id, a, &m, why);
    if (e == ERR_OK)
        e = leave(c, workspace_id, &m, why);
    e = control_inner_end(c, e, why);
    arena_free(a);
    return e;
}

enum err people_inner_holder(struct control *c, int64_t workspace_id, int64_t member_id, int64_t service_account_id,
                             enum kind_role *role, struct control_why *why)
{
    bool there = true;
    enum kind_role found = *role;
    enum err e = ERR_OK;
    if (member_id)
        e = read_role(c,
                      "SELECT m.role FROM member m WHERE m.id = ?1 AND m.deleted_us = 0 AND (m.role IN ('owner', "
                      "'admin') OR EXISTS (SELECT 1 FROM standing s WHERE s.member_id = ?1 AND s.workspace_id = ?2))",
                      member_id, workspace_id, &there, &found, why);
    if (e == ERR_OK && !there)
        return control_inner_fail(why, ERR_BAD_PARAMETER, "user_id", "There is no such member in this workspace.");
    if (e == ERR_OK && service_account_id)
        e = read_role(c, "SELECT role FROM service_account WHERE id = ?1 AND workspace_id = ?2 AND deleted_us = 0",
                      service_account_id, workspace_id, &there, role, why);
    if (e == ERR_OK && !there)
        return control_inner_fail(why, ERR_BAD_PARAMETER, "client_id",
                                  "There is no such service account in this workspace.");
    return e;
}

#define MEMBERSHIP_SQL(where)                                                        \
    "SELECT " COLUMNS ", s.workspace_id, s.role, s.created_us FROM membership s "    \
    "JOIN member m ON m.id = s.member_id JOIN workspace w ON w.id = s.workspace_id " \
    "WHERE " where " AND m.deleted_us = 0 AND w.deleted_us = 0 ORDER BY s.member_id, s.workspace_id LIMIT ?2"

static enum err list(struct control *c, const char *sql, int64_t id, struct arena *a, struct membership **ret_rows,
                     size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    size_t n = 0;
    struct membership *rows = arena_alloc(a, MEMBERSHIP_LIST_MAX * sizeof *rows);
    enum err e = rows ? control_inner_sql(c, sql, &st, why) : control_inner_arena_full(why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    store_bind_i64(st, 2, MEMBERSHIP_LIST_MAX);
    while (e == ERR_OK && row && n < MEMBERSHIP_LIST_MAX) {
        struct membership *s = &rows[n];
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row)
            e = read_row(st, a, &s->member, why);
        if (e != ERR_OK || !row)
            continue;
        s->workspace_id = store_i64(st, 6);
        s->created_us = store_i64(st, 8);
        n++;
        if (!kind_role_from(store_text(st, 7), &s->role))
            e = control_inner_fail(why, ERR_CORRUPT, "", "control.db: a membership has a role that cannot be.");
    }
    store_done(st);
    store_clear(st);
    *ret_rows = rows;
    *ret_count = n;
    return e;
}

enum err membership_list(struct control *c, int64_t workspace_id, struct arena *a, struct membership **ret_rows,
                         size_t *ret_count, struct control_why *why)
{
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = list(c, MEMBERSHIP_SQL("s.workspace_id = ?1"), workspace_id, a, ret_rows, ret_count, why);
    control_inner_end_read(c);
    return e;
}

enum err membership_of(struct control *c, int64_t member_id, struct arena *a, struct membership **ret_rows,
                       size_t *ret_count, struct control_why *why)
{
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = list(c, MEMBERSHIP_SQL("s.member_id = ?1"), member_id, a, ret_rows, ret_count, why);
    control_inner_end_read(c);
    return e;
}
