/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Teams in the database. What a person is in a workspace is worked out by the view `standing` (control_schema.c), which
 * the snapshot is made from, so a change here is in force with the next snapshot.
 */
#include "control/people/team.h"

#include <stdio.h>

#include "base/clock.h"
#include "control/control_text.h"
#include "control/people/people_inner.h"

#define ROW_ARENA 1024
#define ROW_ARENA_MAX (4u << 20)
#define COLUMNS "t.id, t.name, t.description, t.dashboard, t.created_us, t.updated_us"

/* ---- reading ---- */

/* All ids that a statement gives, at most `cap`. */
static enum err read_ids(struct control *c, struct store_stmt *st, size_t cap, struct arena *a, int64_t **ret,
                         size_t *ret_count, struct control_why *why)
{
    bool row = true;
    size_t n = 0;
    enum err e = ERR_OK;
    int64_t *ids = arena_alloc(a, (cap + 1) * sizeof *ids);
    if (!ids)
        e = control_inner_arena_full(why);
    while (e == ERR_OK && row && n < cap) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row)
            ids[n++] = store_i64(st, 0);
    }
    store_done(st);
    store_clear(st);
    *ret = ids;
    *ret_count = n;
    return e;
}

static enum err workspaces_of(struct control *c, struct team *t, struct arena *a, struct control_why *why)
{
    struct store_stmt *st;
    int64_t count = 0;
    enum err e = control_inner_sql(c, "SELECT count(*) FROM team_workspace WHERE team_id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, t->id);
    e = control_inner_number(c, st, 0, &count, why);
    if (e == ERR_OK)
        e = control_inner_sql(c, "SELECT workspace_id FROM team_workspace WHERE team_id = ?1 ORDER BY 1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, t->id);
    return read_ids(c, st, (size_t)count, a, &t->workspaces, &t->workspace_count, why);
}

static enum err read_row(struct store_stmt *st, struct arena *a, struct team *t, struct control_why *why)
{
    *t = (struct team){
        .id = store_i64(st, 0),
        .name = arena_dup(a, store_text(st, 1)),
        .description = arena_dup(a, store_text(st, 2)),
        .dashboard = arena_dup(a, store_text(st, 3)),
        .created_us = store_i64(st, 4),
        .updated_us = store_i64(st, 5),
    };
    return t->name.p && t->description.p && t->dashboard.p ? ERR_OK : control_inner_arena_full(why);
}

static enum err find(struct control *c, int64_t id, struct arena *a, struct team *ret, struct control_why *why)
{
    struct store_stmt *st;
    bool row;
    enum err e = control_inner_sql(c, "SELECT " COLUMNS " FROM team t WHERE t.id = ?1 AND t.deleted_us = 0", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (!row)
        e = control_inner_fail(why, ERR_NOT_FOUND, "team", "There is no such team.");
    else
        e = read_row(st, a, ret, why);
    store_done(st);
    store_clear(st);
    return e == ERR_OK ? workspaces_of(c, ret, a, why) : e;
}

enum err team_find(struct control *c, int64_t id, struct arena *a, struct team *ret, struct control_why *why)
{
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = find(c, id, a, ret, why);
    control_inner_end_read(c);
    return e;
}

static enum err list(struct control *c, struct arena *a, struct team *rows, size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    size_t n = 0;
    enum err e = control_inner_sql(c, "SELECT " COLUMNS " FROM team t WHERE t.deleted_us = 0 ORDER BY t.id", &st, why);
    if (e != ERR_OK)
        return e;
    while (e == ERR_OK && row && n < TEAM_LIST_MAX) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row)
            e = read_row(st, a, &rows[n++], why);
    }
    store_done(st);
    for (size_t i = 0; e == ERR_OK && i < n; i++)
        e = workspaces_of(c, &rows[i], a, why);
    *ret_count = n;
    return e;
}

enum err team_list(struct control *c, struct arena *a, struct team **ret_rows, size_t *ret_count,
                   struct control_why *why)
{
    *ret_count = 0;
    *ret_rows = arena_alloc(a, TEAM_LIST_MAX * sizeof **ret_rows);
    enum err e = *ret_rows ? control_inner_begin_read(c, why) : control_inner_arena_full(why);
    if (e != ERR_OK)
        return e;
    e = list(c, a, *ret_rows, ret_count, why);
    control_inner_end_read(c);
    return e;
}

/* ?1 the team. Everyone's has all people, with their role in the organization. */
#define MEMBERS                                                                                              \
    "FROM member m LEFT JOIN team_member t ON t.member_id = m.id AND t.team_id = ?1 WHERE m.deleted_us = 0 " \
    "AND (t.team_id IS NOT NULL OR ?1 = 1) "

static enum err read_members(struct control *c, struct store_stmt *st, struct arena *a, struct team_member *rows,
                             size_t cap, size_t *ret_count, struct control_why *why)
{
    bool row = true;
    size_t n = 0;
    enum err e = ERR_OK;
    while (e == ERR_OK && row && n < cap) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        if (e != ERR_OK || !row)
            break;
        struct member *m = &rows[n].member;
        *m = (struct member){
            .id = store_i64(st, 0), .name = arena_dup(a, store_text(st, 1)), .email = arena_dup(a, store_text(st, 2))};
        if (!kind_role_from(store_text(st, 3), &m->role) || !kind_role_from(store_text(st, 4), &rows[n].role))
            e = control_inner_fail(why, ERR_CORRUPT, "", "control.db: somebody has a role that cannot be.");
        else if (!m->name.p || !m->email.p)
            e = control_inner_arena_full(why);
        n++;
    }
    store_done(st);
    store_clear(st);
    *ret_count = n;
    return e;
}

static enum err members(struct control *c, int64_t id, struct arena *a, struct team_member **ret_rows,
                        size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    struct team t;
    int64_t count = 0;
    enum err e = find(c, id, a, &t, why);
    if (e == ERR_OK)
        e = control_inner_sql(c, "SELECT count(*) " MEMBERS, &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    e = control_inner_number(c, st, 0, &count, why);
    if (e == ERR_OK && !(*ret_rows = arena_alloc(a, ((size_t)count + 1) * sizeof **ret_rows)))
        e = control_inner_arena_full(why);
    if (e == ERR_OK)
        e = control_inner_sql(
            c, "SELECT m.id, m.name, m.email, m.role, coalesce(t.role, m.role) " MEMBERS "ORDER BY m.id", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    return read_members(c, st, a, *ret_rows, (size_t)count, ret_count, why);
}

enum err team_members(struct control *c, int64_t id, struct arena *a, struct team_member **ret_rows, size_t *ret_count,
                      struct control_why *why)
{
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = members(c, id, a, ret_rows, ret_count, why);
    control_inner_end_read(c);
    return e;
}

enum err team_of(struct control *c, int64_t member_id, struct arena *a, int64_t **ret_ids, size_t *ret_count,
                 struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_sql(c, "SELECT 1 UNION SELECT team_id FROM team_member WHERE member_id = ?1 ORDER BY 1", &st,
                          why);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, member_id);
        e = read_ids(c, st, TEAM_LIST_MAX, a, ret_ids, ret_count, why);
    }
    control_inner_end_read(c);
    return e;
}

enum err team_strongest(struct control *c, int64_t id, enum kind_role *ret, struct control_why *why)
{
    struct team_member *rows;
    size_t count = 0;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    enum err e = team_members(c, id, a, &rows, &count, why);
    *ret = KIND_ROLE_COUNT;
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        if (rows[i].role < *ret)
            *ret = rows[i].role;
    arena_free(a);
    return e;
}

/* ---- the audit log ---- */

static void describe(struct json_write *w, const void *object)
{
    const struct team *t = object;
    json_write_member_string(w, "name", t->name);
    json_write_member_string(w, "description", t->description);
    json_write_member_text(w, "default_dashboard_token", t->dashboard);
    json_write_key(w, STR("workspaces"));
    json_write_array(w);
    for (size_t i = 0; i < t->workspace_count; i++)
        json_write_int(w, t->workspaces[i]);
    json_write_array_end(w);
}

static enum err note(struct control *c, const char *action, int64_t id, const struct team *before,
                     const struct team *after, struct control_why *why)
{
    char text[24];
    int n = snprintf(text, sizeof text, "team_%016llx", (unsigned long long)id);
    const struct audit_change change = {.action = action, .object_type = "team", .object_id = str_of(text, (size_t)n)};
    return audit_note_objects(c, &change, describe, before, after, why);
}

struct place {
    int64_t team_id;
    enum kind_role role; /* KIND_ROLE_COUNT: none */
};

static void describe_place(struct json_write *w, const void *object)
{
    const struct place *p = object;
    json_write_member_int(w, "team", p->team_id);
    if (p->role != KIND_ROLE_COUNT)
        json_write_member_string(w, "role", str_c(kind_role_text(p->role)));
}

static enum err note_place(struct control *c, int64_t id, const struct member *m, enum kind_role before,
                           enum kind_role after, struct control_why *why)
{
    const struct place was = {id, before}, is = {id, after};
    const struct audit_change change = {.action = before == KIND_ROLE_COUNT  ? "team_member.create"
                                                  : after == KIND_ROLE_COUNT ? "team_member.delete"
                                                                             : "team_member.update",
                                        .object_type = "team_member",
                                        .object_id = m->email.n ? m->email : m->name};
    return audit_note_objects(c, &change, describe_place, before == KIND_ROLE_COUNT ? NULL : &was,
                              after == KIND_ROLE_COUNT ? NULL : &is, why);
}

/* ---- who is in it ---- */

static enum err role_in(struct control *c, int64_t id, int64_t member_id, enum kind_role *ret, struct control_why *why)
{
    struct store_stmt *st;
    bool row;
    *ret = KIND_ROLE_COUNT;
    enum err e = control_inner_sql(c, "SELECT role FROM team_member WHERE team_id = ?1 AND member_id = ?2", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    store_bind_i64(st, 2, member_id);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (row && !kind_role_from(store_text(st, 0), ret))
        e = control_inner_fail(why, ERR_CORRUPT, "", "control.db: somebody has a role that cannot be.");
    store_done(st);
    store_clear(st);
    return e;
}

static enum err refuse_everyone(int64_t id, struct control_why *why)
{
    return id == TEAM_EVERYONE ? control_inner_fail(why, ERR_CONFLICT, "team",
                                                    "The team Everyone has everybody in it and cannot be left.")
                               : ERR_OK;
}

static enum err join(struct control *c, int64_t id, int64_t member_id, enum kind_role role, struct arena *a,
                     struct control_why *why)
{
    struct member m;
    struct store_stmt *st;
    enum kind_role before;
    enum err e = refuse_everyone(id, why);
    if (e == ERR_OK)
        e = people_inner_find(c, member_id, a, &m, why);
    if (e == ERR_OK)
        e = role_in(c, id, member_id, &before, why);
    if (e != ERR_OK || before == role)
        return e;
    e = control_inner_sql(c,
                          "INSERT INTO team_member(team_id, member_id, role) VALUES (?1, ?2, ?3) "
                          "ON CONFLICT DO UPDATE SET role = ?3",
                          &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, id);
    store_bind_i64(st, 2, member_id);
    store_bind_text(st, 3, str_c(kind_role_text(role)));
    e = control_inner_run(c, st, why);
    return e == ERR_OK ? note_place(c, id, &m, before, role, why) : e;
}

static enum err leave(struct control *c, int64_t id, int64_t member_id, struct arena *a, struct control_why *why)
{
    struct member m;
    enum kind_role before;
    enum err e = refuse_everyone(id, why);
    if (e == ERR_OK)
        e = people_inner_find(c, member_id, a, &m, why);
    if (e == ERR_OK)
        e = role_in(c, id, member_id, &before, why);
    if (e == ERR_OK && before == KIND_ROLE_COUNT)
        e = control_inner_fail(why, ERR_NOT_FOUND, "user", "This person is not in the team.");
    if (e == ERR_OK)
        e = people_inner_run(c, "DELETE FROM team_member WHERE team_id = ?1 AND member_id = ?2", id, member_id, why);
    return e == ERR_OK ? note_place(c, id, &m, before, KIND_ROLE_COUNT, why) : e;
}

/* Everybody of the list and nobody else. */
static enum err set_members(struct control *c, int64_t id, const struct team_change *what, struct arena *a,
                            struct control_why *why)
{
    struct team_member *rows;
    size_t count = 0;
    enum err e = refuse_everyone(id, why);
    if (e == ERR_OK)
        e = members(c, id, a, &rows, &count, why);
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        bool stays = false;
        for (size_t k = 0; k < what->member_count; k++)
            stays = stays || what->members[k] == rows[i].member.id;
        if (!stays)
            e = leave(c, id, rows[i].member.id, a, why);
    }
    for (size_t k = 0; e == ERR_OK && k < what->member_count; k++) {
        enum kind_role role = what->role;
        for (size_t i = 0; !what->role_given && i < count; i++)
            if (rows[i].member.id == what->members[k])
                role = rows[i].role;
        e = join(c, id, what->members[k], role, a, why);
    }
    return e;
}

enum err team_join(struct control *c, int64_t id, int64_t member_id, enum kind_role role, struct control_why *why)
{
    struct team t;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = find(c, id, a, &t, why);
    if (e == ERR_OK)
        e = join(c, id, member_id, role, a, why);
    e = control_inner_end(c, e, why);
    arena_free(a);
    return e;
}

enum err team_leave(struct control *c, int64_t id, int64_t member_id, struct control_why *why)
{
    struct team t;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = find(c, id, a, &t, why);
    if (e == ERR_OK)
        e = leave(c, id, member_id, a, why);
    e = control_inner_end(c, e, why);
    arena_free(a);
    return e;
}

/* ---- teams ---- */

static enum err check(struct control *c, int64_t id, const struct team_change *what, struct control_why *why)
{
    struct store_stmt *st;
    int64_t other = 0;
    if (what->description && what->description->n > TEAM_DESCRIPTION_MAX)
        return control_inner_fail(why, ERR_BAD_PARAMETER, "description", "A description has at most %d bytes.",
                                  TEAM_DESCRIPTION_MAX);
    if (!what->name)
        return ERR_OK;
    if (!control_text_is_name(*what->name, TEAM_NAME_MAX))
        return control_inner_fail(why, what->name->n ? ERR_BAD_PARAMETER : ERR_MISSING_PARAMETER, "name",
                                  "name is required: 1 to %d bytes of UTF-8 without control characters.",
                                  TEAM_NAME_MAX);
    if (id == TEAM_EVERYONE && !str_eq(*what->name, STR("Everyone")))
        return control_inner_fail(why, ERR_CONFLICT, "name", "The team Everyone keeps its name.");
    enum err e = control_inner_sql(c, "SELECT id FROM team WHERE name = ?1 AND id <> ?2 AND deleted_us = 0", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, *what->name);
    store_bind_i64(st, 2, id);
    e = control_inner_number(c, st, 0, &other, why);
    if (e == ERR_OK && other)
        e = control_inner_fail(why, ERR_CONFLICT, "name", "There is a team of this name already.");
    return e;
}

static enum err set_workspaces(struct control *c, int64_t id, const struct team_change *what, struct control_why *why)
{
    if (what->workspace_count > TEAM_WORKSPACES_MAX)
        return control_inner_fail(why, ERR_BAD_PARAMETER, "workspace_tokens", "A team has at most %d workspaces.",
                                  TEAM_WORKSPACES_MAX);
    enum err e = people_inner_run(c, "DELETE FROM team_workspace WHERE team_id = ?1 AND ?2 = 0", id, 0, why);
    for (size_t i = 0; e == ERR_OK && i < what->workspace_count; i++) {
        e = control_inner_need_workspace(c, what->workspaces[i], why);
        if (e == ERR_OK)
            e = people_inner_run(c, "INSERT OR IGNORE INTO team_workspace(team_id, workspace_id) VALUES (?1, ?2)", id,
                                 what->workspaces[i], why);
    }
    return e;
}

static enum err write(struct control *c, const struct team *t, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(
        c, "UPDATE team SET name = ?2, description = ?3, dashboard = ?4, updated_us = ?5 WHERE id = ?1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, t->id);
    store_bind_text(st, 2, t->name);
    store_bind_text(st, 3, t->description);
    store_bind_text(st, 4, t->dashboard);
    store_bind_i64(st, 5, clock_wall_us());
    return control_inner_run(c, st, why);
}

/* Everything that a change says. */
static enum err apply(struct control *c, int64_t id, const struct team_change *what, struct arena *a, struct team *ret,
                      struct control_why *why)
{
    struct team t;
    enum err e = check(c, id, what, why);
    if (e == ERR_OK)
        e = find(c, id, a, &t, why);
    if (e != ERR_OK)
        return e;
    t.name = what->name ? *what->name : t.name;
    t.description = what->description ? *what->description : t.description;
    t.dashboard = what->dashboard ? *what->dashboard : t.dashboard;
    e = write(c, &t, why);
    if (e == ERR_OK && what->workspaces)
        e = set_workspaces(c, id, what, why);
    if (e == ERR_OK && what->members)
        e = set_members(c, id, what, a, why);
    return e == ERR_OK ? find(c, id, a, ret, why) : e;
}

static enum err make(struct control *c, const struct team_change *what, struct arena *a, int64_t *ret_id,
                     struct control_why *why)
{
    struct store_stmt *st;
    struct team made;
    int64_t live = 0;
    enum err e = control_inner_sql(c, "SELECT count(*) FROM team WHERE deleted_us = 0", &st, why);
    if (e == ERR_OK)
        e = control_inner_number(c, st, 0, &live, why);
    if (e == ERR_OK && live >= TEAM_LIST_MAX)
        e = control_inner_fail(why, ERR_LIMIT_REACHED, "", "There may be at most %d teams.", TEAM_LIST_MAX);
    if (e == ERR_OK)
        e = control_inner_sql(c,
                              "INSERT INTO team(name, description, dashboard, created_us, updated_us) "
                              "VALUES ('', '', '', ?1, ?1)",
                              &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, clock_wall_us());
    e = control_inner_run(c, st, why);
    *ret_id = store_last_id(c->db);
    if (e == ERR_OK)
        e = apply(c, *ret_id, what, a, &made, why);
    return e == ERR_OK ? note(c, "team.create", *ret_id, NULL, &made, why) : e;
}

enum err team_create(struct control *c, const struct team_change *what, int64_t *ret_id, struct control_why *why)
{
    static const struct str nothing = {"", 0};
    struct team_change full = *what;
    if (!full.name)
        full.name = &nothing;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = control_inner_end(c, make(c, &full, a, ret_id, why), why);
    arena_free(a);
    return e;
}

enum err team_update(struct control *c, int64_t id, const struct team_change *what, struct control_why *why)
{
    struct team before, after;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = find(c, id, a, &before, why);
    if (e == ERR_OK)
        e = apply(c, id, what, a, &after, why);
    if (e == ERR_OK)
        e = note(c, "team.update", id, &before, &after, why);
    e = control_inner_end(c, e, why);
    arena_free(a);
    return e;
}

static enum err disband(struct control *c, int64_t id, struct arena *a, struct control_why *why)
{
    static const char *const steps[] = {"DELETE FROM team_member WHERE team_id = ?1 AND ?2 > 0",
                                        "DELETE FROM team_workspace WHERE team_id = ?1 AND ?2 > 0",
                                        "UPDATE team SET deleted_us = ?2 WHERE id = ?1"};
    struct team t;
    enum err e = find(c, id, a, &t, why);
    if (e == ERR_OK && id == TEAM_EVERYONE)
        e = control_inner_fail(why, ERR_CONFLICT, "team", "The team Everyone cannot be deleted.");
    for (size_t i = 0; e == ERR_OK && i < sizeof steps / sizeof steps[0]; i++)
        e = people_inner_run(c, steps[i], id, clock_wall_us(), why);
    return e == ERR_OK ? note(c, "team.delete", id, &t, NULL, why) : e;
}

enum err team_delete(struct control *c, int64_t id, struct control_why *why)
{
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = control_inner_end(c, disband(c, id, a, why), why);
    arena_free(a);
    return e;
}
