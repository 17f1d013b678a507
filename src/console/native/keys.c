/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: JSON to control and back. A key's text appears in the answer to its creation only. */
#include "base/clock.h"
#include "console/console_inner.h"
#include "console/native/input.h"
#include "console/native/native.h"
#include "console/native/output.h"
#include "control/control_key.h"

#define KEYS_PER_PAGE 1000

static void write_key(struct json_write *w, const struct control_key *k, const struct secret *text)
{
    json_write_object(w);
    json_write_member_string(w, "id", k->public_id);
    json_write_member_string(w, "name", k->name);
    if (text)
        json_write_member_string(w, "key", secret_reveal(text));
    json_write_member_string(w, "last4", str_c(k->last));
    json_write_member_string(w, "role", str_c(kind_role_text(k->role)));
    json_write_member_string(w, "record_bodies", str_c(kind_bodies_text(k->record_bodies)));
    json_write_member_bool(w, "disabled", k->disabled);
    output_time(w, "created_at", k->created_us);
    output_time(w, "expires_at", k->expires_us);
    output_time(w, "revoked_at", k->revoked_us);
    json_write_object_end(w);
}

void keys_list(struct job *j)
{
    struct control_key *rows = NULL;
    size_t count = 0;
    struct control_why why = {.param = ""};
    enum err e = control_key_list(j->console->settings.control, j->key->workspace_id, 0, KEYS_PER_PAGE, j->arena, &rows,
                                  &count, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 200);
    json_write_object(&j->json);
    json_write_member_string(&j->json, "object", STR("list"));
    json_write_key(&j->json, STR("data"));
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        write_key(&j->json, &rows[i], NULL);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

/* A role nobody may hand out above their own. False when the job was answered. */
static bool read_role(struct job *j, struct str text, enum kind_role *ret)
{
    if (!kind_role_from(text, ret)) {
        job_fail(j, ERR_BAD_PARAMETER, STR("role"), STR("it is owner, admin, member or viewer"));
        return false;
    }
    if (*ret < j->key->role) {
        job_fail(j, ERR_FORBIDDEN, STR("role"), STR("nobody can give more rights than they have"));
        return false;
    }
    return true;
}

static bool read_bodies(struct job *j, struct str text, enum kind_bodies *ret)
{
    if (kind_bodies_from(text, ret))
        return true;
    job_fail(j, ERR_BAD_PARAMETER, STR("record_bodies"), STR("it is default, on or off"));
    return false;
}

void keys_create(struct job *j)
{
    struct input in;
    struct control_key_spec spec = {.role = KIND_ROLE_MEMBER, .record_bodies = KIND_BODIES_DEFAULT};
    struct control_why why = {.param = ""};
    struct control_key row;
    struct secret text = {0};
    int64_t workspace_id;
    if (!input_begin(&in, j))
        return;
    spec.name = input_text(&in, "name");
    struct str role = input_text(&in, "role"), bodies = input_text(&in, "record_bodies");
    struct str workspace = input_text(&in, "workspace");
    input_time(&in, "expires_at", &spec.expires_us);
    if (!input_check(&in) || (role.p && !read_role(j, role, &spec.role)) ||
        (bodies.p && !read_bodies(j, bodies, &spec.record_bodies)) || !input_workspace(j, workspace, &workspace_id)) {
        input_end(&in);
        return;
    }
    if (!spec.name.p)
        spec.name = STR("");
    enum err e = control_key_create(j->console->settings.control, workspace_id, &spec, j->arena, &row, &text, &why);
    input_end(&in);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 201);
    write_key(&j->json, &row, &text);
    secret_wipe(&text);
}

static void reply_with_key(struct job *j)
{
    struct control_key row;
    struct control_why why = {.param = ""};
    enum err e =
        control_key_find(j->console->settings.control, j->key->workspace_id, j->params[0], j->arena, &row, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 200);
    write_key(&j->json, &row, NULL);
}

/* An admin does not change an owner's key. False when the job was answered. */
static bool may_change(struct job *j)
{
    struct control_key row;
    struct control_why why = {.param = ""};
    enum err e =
        control_key_find(j->console->settings.control, j->key->workspace_id, j->params[0], j->arena, &row, &why);
    if (e)
        job_fail_why(j, e, &why);
    else if (row.role < j->key->role)
        job_fail(j, ERR_FORBIDDEN, STR(""), STR("this key has more rights than yours"));
    return j->status == 0;
}

void keys_update(struct job *j)
{
    struct input in;
    struct control_key_change change = {0};
    struct control_why why = {.param = ""};
    enum kind_role role;
    enum kind_bodies bodies;
    int64_t expires_us;
    bool disabled;
    if (!may_change(j) || !input_begin(&in, j))
        return;
    struct str name = input_text(&in, "name"), role_text = input_text(&in, "role");
    struct str bodies_text = input_text(&in, "record_bodies");
    change.disabled = input_bool(&in, "disabled", &disabled);
    change.expires_us = input_time(&in, "expires_at", &expires_us) ? &expires_us : NULL;
    if (name.p)
        change.name = &name;
    if (role_text.p && !j->status && read_role(j, role_text, &role))
        change.role = &role;
    if (bodies_text.p && !j->status && read_bodies(j, bodies_text, &bodies))
        change.record_bodies = &bodies;
    enum err e = ERR_OK;
    if (!j->status && input_check(&in))
        e = control_key_update(j->console->settings.control, j->key->workspace_id, j->params[0], &change, &why);
    input_end(&in);
    if (j->status)
        return;
    if (e)
        job_fail_why(j, e, &why);
    else
        reply_with_key(j);
}

void keys_revoke(struct job *j)
{
    struct control_why why = {.param = ""};
    if (!may_change(j))
        return;
    enum err e = control_key_revoke(j->console->settings.control, j->key->workspace_id, j->params[0], &why);
    if (e)
        job_fail_why(j, e, &why);
    else
        reply_with_key(j);
}
