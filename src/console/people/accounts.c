/* SPDX-License-Identifier: Apache-2.0 */
/* Service accounts of the caller's workspace. */
#include "control/people/account.h"

#include "console/console_inner.h"
#include "console/native/native.h"
#include "console/native/output.h"
#include "console/people/people.h"

static void write_account(struct json_write *w, const struct account *a, const struct secret *secret)
{
    json_write_object(w);
    json_write_member_string(w, "client_id", a->client_id);
    json_write_member_string(w, "name", a->name);
    json_write_member_text(w, "description", a->description);
    json_write_member_string(w, "role", str_c(kind_role_text(a->role)));
    json_write_member_string(w, "last4", str_c(a->last));
    if (secret)
        json_write_member_string(w, "client_secret", secret_reveal(secret));
    output_time(w, "created_at", a->created_us);
    output_time(w, "updated_at", a->updated_us);
    json_write_object_end(w);
}

void accounts_list(struct job *j)
{
    struct account *rows = NULL;
    size_t count = 0;
    struct control_why why = {.param = ""};
    enum err e = account_list(j->console->settings.control, j->key->workspace_id, j->arena, &rows, &count, &why);
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
        write_account(&j->json, &rows[i], NULL);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

void accounts_create(struct job *j)
{
    struct input in;
    struct account made;
    struct secret secret = {0};
    struct account_spec spec;
    int64_t workspace_id;
    struct control_why why = {.param = ""};
    if (!input_begin(&in, j))
        return;
    struct str name = input_text(&in, "name"), description = input_text(&in, "description");
    struct str role = input_text(&in, "role"), workspace = input_text(&in, "workspace");
    spec.name = name.p ? name : STR("");
    spec.description = description.p ? description : STR("");
    bool ok = input_check(&in) && input_workspace(j, workspace, &workspace_id) &&
              people_role(j, role, KIND_ROLE_MEMBER, &spec.role);
    enum err e =
        ok ? account_create(j->console->settings.control, workspace_id, &spec, j->arena, &made, &secret, &why) : ERR_OK;
    input_end(&in);
    if (!ok)
        return;
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 201);
    write_account(&j->json, &made, &secret);
    secret_wipe(&secret);
}

void accounts_update(struct job *j)
{
    struct input in;
    struct account row;
    enum kind_role role;
    struct account_change change = {0};
    struct control_why why = {.param = ""};
    if (!input_begin(&in, j))
        return;
    struct str name = input_text(&in, "name"), description = input_text(&in, "description");
    struct str role_text = input_text(&in, "role");
    if (name.p)
        change.name = &name;
    if (description.p)
        change.description = &description;
    if (role_text.p)
        change.role = &role;
    bool ok = input_check(&in) && (!role_text.p || people_role(j, role_text, KIND_ROLE_MEMBER, &role));
    enum err e = ok ? account_update(j->console->settings.control, j->key->workspace_id, j->params[0], &change,
                                     j->arena, &row, &why)
                    : ERR_OK;
    input_end(&in);
    if (!ok)
        return;
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 200);
    write_account(&j->json, &row, NULL);
}

void accounts_delete(struct job *j)
{
    struct control_why why = {.param = ""};
    enum err e = account_delete(j->console->settings.control, j->key->workspace_id, j->params[0], &why);
    if (e)
        job_fail_why(j, e, &why);
    else
        job_reply_empty(j, 204);
}

void accounts_rotate(struct job *j)
{
    struct secret secret = {0};
    struct control_why why = {.param = ""};
    enum err e = account_rotate(j->console->settings.control, j->key->workspace_id, j->params[0], &secret, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 200);
    json_write_object(&j->json);
    json_write_member_string(&j->json, "client_id", j->params[0]);
    json_write_member_string(&j->json, "client_secret", secret_reveal(&secret));
    json_write_object_end(&j->json);
    secret_wipe(&secret);
}
