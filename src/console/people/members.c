/* SPDX-License-Identifier: Apache-2.0 */
/*
 * People and their roles. The organization's people are the business of its owners and admins; who is in a
 * workspace is that of the workspace's admins; leaving is everybody's own.
 */
#include "console/console_inner.h"
#include "console/native/native.h"
#include "console/native/output.h"
#include "console/people/people.h"
#include "control/people/identity.h"
#include "control/people/reach.h"
#include "control/people/session.h"

bool people_organizes(struct job *j)
{
    bool ok = reach_organizes(j->key, KIND_ROLE_ADMIN);
    if (!ok)
        job_fail(j, ERR_FORBIDDEN, STR(""), STR("this is for owners and admins of the organization"));
    return ok;
}

bool people_role(struct job *j, struct str text, enum kind_role otherwise, enum kind_role *ret)
{
    *ret = otherwise;
    if (text.p && !kind_role_from(text, ret)) {
        job_fail(j, ERR_BAD_PARAMETER, STR("role"), STR("it is owner, admin, member or viewer"));
        return false;
    }
    if (*ret < j->key->role) {
        job_fail(j, ERR_FORBIDDEN, STR("role"), STR("nobody hands out more rights than they have"));
        return false;
    }
    return true;
}

bool people_id(struct job *j, struct str text, int64_t *ret)
{
    uint64_t id = 0;
    if (!str_to_u64(text, &id) || id == 0 || id > INT64_MAX) {
        job_fail(j, ERR_NOT_FOUND, STR("id"), STR(""));
        return false;
    }
    *ret = (int64_t)id;
    return true;
}

void people_write_member(struct json_write *w, const struct member *m)
{
    json_write_object(w);
    json_write_member_int(w, "id", m->id);
    json_write_member_string(w, "name", m->name);
    json_write_member_text(w, "email", m->email);
    json_write_member_string(w, "role", str_c(kind_role_text(m->role)));
    json_write_member_bool(w, "has_password", m->has_password);
    output_time(w, "created_at", m->created_us);
    json_write_object_end(w);
}

static void list_begin(struct job *j)
{
    job_reply_json(j, 200);
    json_write_object(&j->json);
    json_write_member_string(&j->json, "object", STR("list"));
    json_write_key(&j->json, STR("data"));
    json_write_array(&j->json);
}

static void list_end(struct job *j)
{
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

/* ---- the organization ---- */

void members_list(struct job *j)
{
    struct member *rows = NULL;
    size_t count = 0;
    struct control_why why = {.param = ""};
    if (!people_organizes(j))
        return;
    enum err e = member_list(j->console->settings.control, j->arena, &rows, &count, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    list_begin(j);
    for (size_t i = 0; i < count; i++)
        people_write_member(&j->json, &rows[i]);
    list_end(j);
}

static void reply_with(struct job *j, int status, int64_t id)
{
    struct member m;
    struct control_why why = {.param = ""};
    enum err e = member_find(j->console->settings.control, id, j->arena, &m, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, status);
    people_write_member(&j->json, &m);
}

void members_create(struct job *j)
{
    struct input in;
    struct member m;
    struct member_spec spec;
    struct control_why why = {.param = ""};
    struct control *control = j->console->settings.control;
    if (!people_organizes(j) || !input_begin(&in, j))
        return;
    spec.name = input_text(&in, "name");
    spec.email = input_text(&in, "email");
    struct str role = input_text(&in, "role"), password = input_text(&in, "password");
    enum err e = ERR_OK;
    bool ok = input_check(&in) && people_role(j, role, KIND_ROLE_MEMBER, &spec.role);
    if (ok)
        e = member_create(control, &spec, j->arena, &m, &why);
    if (ok && !e && password.p)
        e = session_set_password(control, m.id, (struct str){NULL, 0}, password, &why);
    input_end(&in);
    if (ok && e)
        job_fail_why(j, e, &why);
    else if (ok)
        reply_with(j, 201, m.id);
}

/* Nobody changes who has more rights than they. False when the job was answered. */
static bool may_change(struct job *j, int64_t id)
{
    struct member m;
    struct control_why why = {.param = ""};
    enum err e = member_find(j->console->settings.control, id, j->arena, &m, &why);
    if (e)
        job_fail_why(j, e, &why);
    else if (m.role < j->key->role)
        job_fail(j, ERR_FORBIDDEN, STR(""), STR("this member has more rights than you"));
    return j->status == 0;
}

void members_update(struct job *j)
{
    struct input in;
    int64_t id;
    enum kind_role role;
    struct member_change change = {0};
    struct control_why why = {.param = ""};
    struct control *control = j->console->settings.control;
    if (!people_organizes(j) || !people_id(j, j->params[0], &id) || !may_change(j, id) || !input_begin(&in, j))
        return;
    struct str name = input_text(&in, "name"), email = input_text(&in, "email");
    struct str role_text = input_text(&in, "role"), password = input_text(&in, "password");
    if (name.p)
        change.name = &name;
    if (email.p)
        change.email = &email;
    if (role_text.p)
        change.role = &role;
    enum err e = ERR_OK;
    bool ok = input_check(&in) && (!role_text.p || people_role(j, role_text, KIND_ROLE_MEMBER, &role));
    if (ok && (change.name || change.email || change.role))
        e = member_update(control, id, &change, &why);
    if (ok && !e && password.p)
        e = session_set_password(control, id, (struct str){NULL, 0}, password, &why);
    input_end(&in);
    if (ok && e)
        job_fail_why(j, e, &why);
    else if (ok)
        reply_with(j, 200, id);
}

void members_delete(struct job *j)
{
    int64_t id;
    struct control_why why = {.param = ""};
    if (!people_organizes(j) || !people_id(j, j->params[0], &id) || !may_change(j, id))
        return;
    enum err e = member_delete(j->console->settings.control, id, &why);
    if (e)
        job_fail_why(j, e, &why);
    else
        job_reply_empty(j, 204);
}

void members_identities(struct job *j)
{
    int64_t id;
    struct identity *rows = NULL;
    size_t count = 0;
    struct json_write *w = &j->json;
    struct control_why why = {.param = ""};
    if (!people_organizes(j) || !people_id(j, j->params[0], &id))
        return;
    enum err e = identity_list(j->console->settings.control, id, j->arena, &rows, &count, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("list"));
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = 0; i < count; i++) {
        json_write_object(w);
        json_write_member_string(w, "issuer", rows[i].issuer);
        json_write_member_string(w, "subject", rows[i].subject);
        json_write_member_string(w, "email", rows[i].email);
        output_time(w, "linked_at", rows[i].created_us);
        output_time(w, "used_at", rows[i].used_us);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_write_object_end(w);
}

void members_unlink(struct job *j)
{
    int64_t id;
    struct control_why why = {.param = ""};
    if (!people_organizes(j) || !people_id(j, j->params[0], &id) || !may_change(j, id))
        return;
    enum err e = identity_unlink(j->console->settings.control, id, &why);
    if (e)
        job_fail_why(j, e, &why);
    else
        job_reply_empty(j, 204);
}

/* ---- a workspace ---- */

bool people_may_set(struct job *j, int64_t workspace_id, int64_t member_id, enum kind_role role)
{
    struct reach there;
    struct membership *rows = NULL;
    size_t count = 0;
    struct control_why why = {.param = ""};
    if (!reach_workspace(j->snapshot, j->key, workspace_id, &there))
        return true; /* made by this call: nobody is in it */
    enum err e = membership_of(j->console->settings.control, member_id, j->arena, &rows, &count, &why);
    if (e)
        job_fail_why(j, e, &why);
    else if (role < there.role)
        job_fail(j, ERR_FORBIDDEN, STR("role"), STR("nobody hands out more rights than they have"));
    for (size_t i = 0; !j->status && i < count; i++)
        if (rows[i].workspace_id == workspace_id && rows[i].role < there.role && member_id != j->key->member_id)
            job_fail(j, ERR_FORBIDDEN, STR(""), STR("this person has more rights there than you"));
    return j->status == 0;
}

void members_of_workspace(struct job *j)
{
    struct membership *rows = NULL;
    size_t count = 0;
    int64_t workspace_id;
    struct control_why why = {.param = ""};
    if (!input_workspace(j, j->params[0], &workspace_id))
        return;
    enum err e = membership_list(j->console->settings.control, workspace_id, j->arena, &rows, &count, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    list_begin(j);
    for (size_t i = 0; i < count; i++) {
        json_write_object(&j->json);
        json_write_member_string(&j->json, "role", str_c(kind_role_text(rows[i].role)));
        output_time(&j->json, "joined_at", rows[i].created_us);
        json_write_key(&j->json, STR("member"));
        people_write_member(&j->json, &rows[i].member);
        json_write_object_end(&j->json);
    }
    list_end(j);
}

void members_set_role(struct job *j)
{
    struct input in;
    int64_t workspace_id, id;
    enum kind_role role;
    struct control_why why = {.param = ""};
    if (!input_workspace(j, j->params[0], &workspace_id) || !people_id(j, j->params[1], &id) || !input_begin(&in, j))
        return;
    struct str text = input_text(&in, "role");
    bool ok =
        input_check(&in) && people_role(j, text, KIND_ROLE_MEMBER, &role) && people_may_set(j, workspace_id, id, role);
    enum err e = ok ? membership_set(j->console->settings.control, workspace_id, id, role, &why) : ERR_OK;
    input_end(&in);
    if (ok && e)
        job_fail_why(j, e, &why);
    else if (ok)
        reply_with(j, 200, id);
}

void members_remove(struct job *j)
{
    int64_t workspace_id, id;
    struct control_why why = {.param = ""};
    if (!input_workspace(j, j->params[0], &workspace_id) || !people_id(j, j->params[1], &id))
        return;
    if (id != j->key->member_id && j->key->role > KIND_ROLE_ADMIN) {
        job_fail(j, ERR_FORBIDDEN, STR(""), STR("only an admin removes others"));
        return;
    }
    if (!people_may_set(j, workspace_id, id, KIND_ROLE_COUNT))
        return;
    enum err e = membership_remove(j->console->settings.control, workspace_id, id, &why);
    if (e)
        job_fail_why(j, e, &why);
    else
        job_reply_empty(j, 204);
}
