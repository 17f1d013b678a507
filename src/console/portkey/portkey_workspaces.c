/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workspaces and who is in them. Portkey's id and slug of a workspace are its name here, Portkey's name is
 * the display name. A manager is an admin: only owners delete workspaces anyway.
 */
#include "console/portkey/portkey_workspaces.h"

#include <stdio.h>

#include "base/rng.h"
#include "console/console_inner.h"
#include "console/native/output.h"
#include "console/people/people.h"
#include "console/portkey/portkey.h"
#include "console/portkey/portkey_limits.h"
#include "control/people/member.h"
#include "control/people/reach.h"

#define USERS_MAX 100

static struct control *control_of(const struct job *j)
{
    return j->console->settings.control;
}

static bool fail(struct job *j, enum err e, const struct control_why *why)
{
    if (e)
        job_fail_why(j, e, why);
    return e == ERR_OK;
}

static void reply_done(struct job *j, enum err e, const struct control_why *why)
{
    if (fail(j, e, why))
        job_reply_bytes(j, 200, STR("application/json"), STR("{}"));
}

/* ---- roles, people ---- */

bool portkey_workspaces_role(struct job *j, struct str text, enum kind_role *ret)
{
    if (str_eq(text, STR("manager"))) {
        *ret = KIND_ROLE_ADMIN;
        return true;
    }
    if (kind_role_from(text, ret) && *ret != KIND_ROLE_OWNER)
        return true;
    job_fail(j, text.n ? ERR_BAD_PARAMETER : ERR_MISSING_PARAMETER, STR("role"),
             STR("a role in a workspace is admin, manager, member or viewer"));
    return false;
}

bool portkey_workspaces_person(struct job *j, struct str id, struct member *ret)
{
    uint64_t number = 0;
    struct control_why why = {.param = "id", .text = "There is no such user."};
    bool numbered = str_to_u64(id, &number) && number && number <= INT64_MAX;
    if (numbered && !reach_organizes(j->key, KIND_ROLE_OWNER)) /* who is where is not to be found out by counting */
        return fail(j, ERR_NOT_FOUND, &why);
    enum err e = numbered ? member_find(control_of(j), (int64_t)number, j->arena, ret, &why)
                          : member_find_email(control_of(j), id, j->arena, ret, &why);
    return fail(j, e, &why);
}

void portkey_workspaces_write_person(struct json_write *w, const struct member *m)
{
    char id[24];
    ptrdiff_t space = str_find(m->name, ' ');
    snprintf(id, sizeof id, "%lld", (long long)m->id);
    json_write_member_string(w, "id", str_c(id));
    json_write_member_string(w, "first_name", space < 0 ? m->name : str_head(m->name, (size_t)space));
    json_write_member_string(w, "last_name", space < 0 ? STR("") : str_from(m->name, (size_t)space + 1));
    json_write_member_text(w, "email", m->email);
}

/* ---- showing ---- */

static struct rule_place place_of(int64_t id)
{
    return (struct rule_place){LIMIT_WORKSPACE, id, id, STR("")};
}

static void write_defaults(struct json_write *w, const struct control_workspace *ws)
{
    json_write_key(w, STR("defaults"));
    json_write_object(w);
    if (ws->metadata.n)
        json_write_member_raw(w, "metadata", ws->metadata);
    else
        json_write_member_null(w, "metadata");
    json_write_member_text(w, "config_id", ws->default_config);
    json_write_object_end(w);
}

/* False when the job was answered. */
static bool write_users(struct job *j, int64_t id)
{
    struct membership *rows = NULL;
    size_t count = 0;
    struct control_why why = {.param = ""};
    struct json_write *w = &j->json;
    if (!fail(j, membership_list(control_of(j), id, j->arena, &rows, &count, &why), &why))
        return false;
    json_write_key(w, STR("users"));
    json_write_array(w);
    for (size_t i = 0; i < count; i++) {
        json_write_object(w);
        portkey_workspaces_write_person(w, &rows[i].member);
        json_write_member_string(w, "role", str_c(kind_role_text(rows[i].role)));
        json_write_object_end(w);
    }
    json_write_array_end(w);
    return true;
}

/* False when the job was answered. */
static bool write_workspace(struct job *j, const struct control_workspace *ws, bool whole)
{
    struct json_write *w = &j->json;
    struct control_why why = {.param = ""};
    const struct rule_place place = place_of(ws->id);
    json_write_object(w);
    json_write_member_string(w, "id", ws->name);
    json_write_member_string(w, "slug", ws->name);
    json_write_member_string(w, "name", ws->display_name);
    json_write_member_text(w, "description", ws->description);
    json_write_member_string(w, "organisation_id", STR("default"));
    json_write_member_string(w, "status", portkey_limits_exhausted(j, &place) ? STR("exhausted") : STR("active"));
    json_write_member_uint(w, "is_default", str_eq(ws->name, STR("default")));
    write_defaults(w, ws);
    if (!fail(j, portkey_limits_write(j, &place, PORTKEY_LIMITS_MANY, &why), &why) ||
        (whole && !write_users(j, ws->id)))
        return false;
    output_time(w, "created_at", ws->created_us);
    output_time(w, "last_updated_at", ws->created_us);
    json_write_member_string(w, "object", STR("workspace"));
    json_write_object_end(w);
    return true;
}

void portkey_workspaces_list(struct job *j)
{
    struct control_workspace *rows = NULL;
    size_t count = 0, total = 0;
    uint64_t skip, limit;
    struct control_why why = {.param = ""};
    struct json_write *w = &j->json;
    struct str name = given_query(j, "name");
    if (!given_page(j, 1000, 1000, &skip, &limit) ||
        !fail(j, control_workspace_list(control_of(j), j->arena, &rows, &count, &why), &why))
        return;
    for (size_t i = 0; i < count; i++) { /* owners see all, others their own */
        bool seen = reach_organizes(j->key, KIND_ROLE_OWNER) || rows[i].id == j->key->workspace_id;
        if (seen && (!name.n || str_eq(name, rows[i].display_name) || str_eq(name, rows[i].name)))
            rows[total++] = rows[i];
    }
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("list"));
    json_write_member_uint(w, "total", total);
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = skip; i < total && i - skip < limit; i++)
        if (!write_workspace(j, &rows[i], false))
            return;
    json_write_array_end(w);
    json_write_object_end(w);
}

/* False when the job was answered. */
static bool reply_workspace(struct job *j, struct str name)
{
    struct control_workspace ws;
    struct control_why why = {.param = ""};
    if (!fail(j, control_workspace_find(control_of(j), name, j->arena, &ws, &why), &why))
        return false;
    job_reply_json(j, 200);
    return write_workspace(j, &ws, true);
}

void portkey_workspaces_get(struct job *j)
{
    int64_t id;
    if (given_workspace(j, j->params[0], &id))
        (void)reply_workspace(j, j->params[0]);
}

/* ---- changing ---- */

struct wishes {
    struct str name, slug, description, metadata;
    struct portkey_limits limits;
    int64_t users[USERS_MAX];
    enum kind_role roles[USERS_MAX];
    size_t user_count;
};

static bool read_defaults(struct given *g, struct wishes *w)
{
    static const char *const unheeded[] = {"input_guardrails", "output_guardrails", "user_api_key_config"};
    struct jval defaults = given_member(g->root, "defaults");
    w->metadata = given_object(g, defaults, "metadata");
    for (size_t i = 0; i < sizeof unheeded / sizeof unheeded[0] && !g->job->status; i++) {
        struct jval v = given_member(defaults, unheeded[i]);
        bool list = jdoc_kind(v) == JDOC_ARRAY || jdoc_kind(v) == JDOC_OBJECT;
        if (jdoc_has(v) && (!list || jdoc_size(v)))
            job_fail(g->job, ERR_BAD_PARAMETER, str_c(unheeded[i]), STR("workspaces do not have these; leave it out"));
    }
    if (str_eq(w->metadata, STR("{}")))
        w->metadata = STR("");
    return g->job->status == 0;
}

/* [{"id", "role"}] */
static bool read_users(struct given *g, struct wishes *w)
{
    struct job *j = g->job;
    struct jval list = given_member(g->root, "users");
    if (jdoc_has(list) && (jdoc_kind(list) != JDOC_ARRAY || jdoc_size(list) > USERS_MAX)) {
        job_fail(j, ERR_BAD_PARAMETER, STR("users"), STR("it is an array of at most 100 objects"));
        return false;
    }
    for (struct jval v = jdoc_first(list); jdoc_has(v); v = jdoc_next(list, v)) {
        struct member m;
        struct str id = given_text(g, v, "id"), role = given_text(g, v, "role");
        if (j->status || !portkey_workspaces_role(j, role.n ? role : STR("member"), &w->roles[w->user_count]) ||
            !portkey_workspaces_person(j, id.p ? id : STR(""), &m))
            return false;
        w->users[w->user_count++] = m.id;
    }
    return true;
}

static bool read_wishes(struct given *g, struct wishes *w)
{
    *w = (struct wishes){0};
    w->name = given_text(g, g->root, "name");
    w->slug = given_text(g, g->root, "slug");
    w->description = given_text(g, g->root, "description");
    return g->job->status == 0 && read_defaults(g, w) && portkey_limits_read(g, g->root, &w->limits) &&
           read_users(g, w);
}

/* False when the job was answered. */
static bool may_set_users(struct job *j, int64_t id, const struct wishes *w)
{
    for (size_t i = 0; i < w->user_count; i++)
        if (!people_may_set(j, id, w->users[i], w->roles[i]))
            return false;
    return true;
}

static enum err put(struct job *j, int64_t id, const struct wishes *w, bool rename, struct control_why *why)
{
    const struct control_workspace_change change = {.display_name = rename && w->name.p ? &w->name : NULL,
                                                    .metadata = w->metadata.p ? &w->metadata : NULL,
                                                    .description = w->description.p ? &w->description : NULL};
    const struct rule_place place = place_of(id);
    enum err e = control_workspace_update(control_of(j), id, &change, why);
    if (e == ERR_OK)
        e = portkey_limits_put(j, &place, &w->limits, why);
    for (size_t i = 0; e == ERR_OK && i < w->user_count; i++)
        e = membership_set(control_of(j), id, w->users[i], w->roles[i], why);
    return e;
}

/* "ws-" and what the name has of letters and digits, and six random ones. */
static void slug_from(struct str name, char out[64])
{
    size_t n = 3;
    snprintf(out, 64, "ws-");
    for (size_t i = 0; i < name.n && n < 40; i++) {
        char c = name.p[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (plain || out[n - 1] != '-')
            out[n++] = plain ? c : '-';
    }
    snprintf(out + n, 64 - n, "%s%06x", out[n - 1] == '-' ? "" : "-", (unsigned)(rng_u64() & 0xffffff));
}

static void create(struct job *j, const struct wishes *w)
{
    char made_up[64];
    int64_t id;
    struct control_why why = {.param = ""}, ignored = {.param = ""};
    struct str slug = w->slug;
    if (!w->name.n) {
        job_fail(j, ERR_MISSING_PARAMETER, STR("name"), STR(""));
        return;
    }
    if (!slug.n) {
        slug_from(w->name, made_up);
        slug = str_c(made_up);
    }
    enum err e = control_workspace_create(control_of(j), slug, w->name, &id, &why);
    if (e == ERR_OK) {
        e = put(j, id, w, false, &why);
        if (e != ERR_OK && control_workspace_delete(control_of(j), id, &ignored) != ERR_OK)
            why = ignored;
    }
    if (fail(j, e, &why))
        (void)reply_workspace(j, slug);
}

void portkey_workspaces_create(struct job *j)
{
    struct given g;
    struct wishes w;
    if (!given_begin(&g, j))
        return;
    if (read_wishes(&g, &w))
        create(j, &w);
    given_end(&g);
}

void portkey_workspaces_update(struct job *j)
{
    struct given g;
    struct wishes w;
    struct control_why why = {.param = ""};
    int64_t id;
    if (!given_workspace(j, j->params[0], &id) || !given_begin(&g, j))
        return;
    if (read_wishes(&g, &w) && may_set_users(j, id, &w))
        reply_done(j, put(j, id, &w, true, &why), &why);
    given_end(&g);
}

/* A body is not looked at: Node's SDK repeats its parameters there. */
void portkey_workspaces_delete(struct job *j)
{
    struct control_why why = {.param = ""};
    int64_t id;
    if (given_workspace(j, j->params[0], &id))
        reply_done(j, control_workspace_delete(control_of(j), id, &why), &why);
}

/* ---- who is in it ---- */

static void write_membership(struct job *j, const struct membership *m)
{
    struct json_write *w = &j->json;
    json_write_object(w);
    portkey_workspaces_write_person(w, &m->member);
    json_write_member_string(w, "role", str_c(kind_role_text(m->role)));
    json_write_member_string(w, "org_role", str_c(kind_role_text(m->member.role)));
    json_write_member_string(w, "status", STR("active"));
    json_write_member_string(w, "workspace_id", j->params[0]);
    json_write_key(w, STR("scopes"));
    json_write_array(w);
    json_write_array_end(w);
    output_time(w, "created_at", m->created_us);
    output_time(w, "last_updated_at", m->created_us);
    json_write_member_string(w, "object", STR("workspace-user"));
    json_write_object_end(w);
}

void portkey_workspaces_users(struct job *j)
{
    struct membership *rows = NULL;
    size_t count = 0, total = 0;
    uint64_t skip, limit;
    int64_t id;
    struct control_why why = {.param = ""};
    struct json_write *w = &j->json;
    struct str role = given_query(j, "role"), email = given_query(j, "email");
    if (!given_workspace(j, j->params[0], &id) || !given_page(j, 1000, 1000, &skip, &limit) ||
        !fail(j, membership_list(control_of(j), id, j->arena, &rows, &count, &why), &why))
        return;
    for (size_t i = 0; i < count; i++)
        if ((!role.n || str_eq(role, str_c(kind_role_text(rows[i].role)))) &&
            (!email.n || str_eq_nocase(email, rows[i].member.email)))
            rows[total++] = rows[i];
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("list"));
    json_write_member_uint(w, "total", total);
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = skip; i < total && i - skip < limit; i++)
        write_membership(j, &rows[i]);
    json_write_array_end(w);
    json_write_object_end(w);
}

/* The person of the path in the workspace of the path. False when the job was answered. */
static bool find_membership(struct job *j, int64_t *ret_workspace, struct membership *ret)
{
    struct membership *rows = NULL;
    size_t count = 0;
    uint64_t number = 0;
    struct control_why why = {.param = "user_id", .text = "There is no such user in this workspace."};
    if (!given_workspace(j, j->params[0], ret_workspace) ||
        !fail(j, membership_list(control_of(j), *ret_workspace, j->arena, &rows, &count, &why), &why))
        return false;
    bool numbered = str_to_u64(j->params[1], &number);
    for (size_t i = 0; i < count; i++)
        if (numbered ? (uint64_t)rows[i].member.id == number : str_eq_nocase(rows[i].member.email, j->params[1])) {
            *ret = rows[i];
            return true;
        }
    return fail(j, ERR_NOT_FOUND, &why);
}

void portkey_workspaces_user(struct job *j)
{
    struct membership m;
    int64_t id;
    if (!find_membership(j, &id, &m))
        return;
    job_reply_json(j, 200);
    write_membership(j, &m);
}

void portkey_workspaces_add_users(struct job *j)
{
    struct given g;
    struct wishes w;
    struct control_why why = {.param = ""};
    enum err e = ERR_OK;
    int64_t id;
    if (!given_workspace(j, j->params[0], &id) || !given_begin(&g, j))
        return;
    w = (struct wishes){0};
    if (read_users(&g, &w) && may_set_users(j, id, &w)) {
        for (size_t i = 0; e == ERR_OK && i < w.user_count; i++)
            e = membership_set(control_of(j), id, w.users[i], w.roles[i], &why);
        reply_done(j, e, &why);
    }
    given_end(&g);
}

void portkey_workspaces_set_user(struct job *j)
{
    struct given g;
    struct membership m;
    struct control_why why = {.param = ""};
    enum kind_role role;
    int64_t id;
    if (!find_membership(j, &id, &m) || !given_begin(&g, j))
        return;
    struct str text = given_text(&g, g.root, "role");
    if (!j->status && portkey_workspaces_role(j, text.p ? text : STR(""), &role) &&
        people_may_set(j, id, m.member.id, role))
        reply_done(j, membership_set(control_of(j), id, m.member.id, role, &why), &why);
    given_end(&g);
}

void portkey_workspaces_remove_user(struct job *j)
{
    struct membership m;
    struct control_why why = {.param = ""};
    int64_t id;
    if (find_membership(j, &id, &m) && people_may_set(j, id, m.member.id, KIND_ROLE_COUNT))
        reply_done(j, membership_remove(control_of(j), id, m.member.id, &why), &why);
}
