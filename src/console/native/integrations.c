/* SPDX-License-Identifier: Apache-2.0 */
/* Integrations: JSON to control and back. The provider's key goes in and never comes out. */
#include "base/clock.h"
#include "console/console_inner.h"
#include "console/native/imports.h"
#include "console/native/input.h"
#include "console/native/native.h"
#include "console/native/output.h"
#include "console/patience.h"
#include "control/control_integration.h"
#include "control/integration_check.h"

static void write_integration(struct json_write *w, const struct control_integration *i)
{
    json_write_object(w);
    json_write_member_string(w, "slug", i->slug);
    json_write_member_string(w, "name", i->name);
    json_write_member_string(w, "kind", str_c(kind_integration_text(i->kind)));
    json_write_member_string(w, "base_url", i->base_url);
    json_write_member_text(w, "key_hint", i->key_hint);
    json_write_member_text(w, "organization", i->organization);
    json_write_member_text(w, "project", i->project);
    json_write_member_text(w, "api_version", i->api_version);
    if (i->deployments.n)
        json_write_member_raw(w, "deployments", i->deployments);
    json_write_member_bool(w, "is_default", i->is_default);
    if (i->account.n)
        json_write_member_string(w, "provider_of", i->account);
    json_write_member_text(w, "note", i->note);
    output_time(w, "expires_at", i->expires_us);
    output_time(w, "created_at", i->created_us);
    output_time(w, "updated_at", i->updated_us);
    json_write_object_end(w);
}

/* The body as a specification. False when the job was answered. */
static bool read_spec(struct job *j, struct input *in, struct control_integration_spec *spec, bool *is_default,
                      int64_t *ret_workspace)
{
    if (!input_begin(in, j))
        return false;
    struct str workspace = input_text(in, "workspace");
    spec->slug = input_text(in, "slug");
    spec->name = input_text(in, "name");
    spec->kind = input_text(in, "kind");
    spec->base_url = input_text(in, "base_url");
    spec->api_key = input_text(in, "api_key");
    spec->organization = input_text(in, "organization");
    spec->project = input_text(in, "project");
    spec->api_version = input_text(in, "api_version");
    spec->deployments = input_json(in, "deployments");
    spec->is_default = input_bool(in, "is_default", is_default);
    if (input_check(in) && input_workspace(j, workspace, ret_workspace))
        return true;
    input_end(in);
    return false;
}

/*
 * A key for bills is tried before it is stored, since upstream says at once whether it will ever do; what
 * cannot be asked now is stored and tried by the importer. False when the job was answered.
 */
static bool admin_key_may_do(struct job *j, const struct control_integration_spec *spec,
                             const struct control_integration *row)
{
    char organization[128], why[IMPORT_WHY_MAX];
    if (row->kind != KIND_INTEGRATION_OPENAI_ADMIN || !spec->api_key.n)
        return true;
    if (!patience_left(j))
        return false;
    uint64_t began_us = clock_mono_us();
    enum import_verdict verdict = imports_check(j, row->base_url, spec->api_key, organization, why);
    patience_used(j, began_us);
    if (verdict != IMPORT_KEY_REFUSED)
        return true;
    job_fail(j, ERR_BAD_PARAMETER, STR("api_key"), str_c(why));
    return false;
}

static void reply(struct job *j, int status, enum err e, const struct control_integration *row,
                  const struct control_why *why)
{
    if (e) {
        job_fail_why(j, e, why);
        return;
    }
    job_reply_json(j, status);
    write_integration(&j->json, row);
}

void integrations_list(struct job *j)
{
    struct control_integration *rows = NULL;
    size_t count = 0;
    struct control_why why = {.param = ""};
    enum err e =
        control_integration_list(j->console->settings.control, j->key->workspace_id, j->arena, &rows, &count, &why);
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
        write_integration(&j->json, &rows[i]);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

void integrations_create(struct job *j)
{
    struct input in;
    struct control_integration_spec spec = {0};
    struct control_integration row;
    struct control_why why = {.param = ""};
    bool is_default;
    int64_t workspace_id;
    if (!read_spec(j, &in, &spec, &is_default, &workspace_id))
        return;
    struct control_integration wanted = {.workspace_id = workspace_id};
    enum err e = integration_check_new(&spec, j->arena, &wanted, &why);
    bool may = e != ERR_OK || admin_key_may_do(j, &spec, &wanted);
    if (may && e == ERR_OK)
        e = control_integration_create(j->console->settings.control, workspace_id, &spec, j->arena, &row, &why);
    input_end(&in);
    if (may)
        reply(j, 201, e, &row, &why);
}

void integrations_update(struct job *j)
{
    struct input in;
    struct control_integration_spec spec = {0};
    struct control_integration row = {.id = 0};
    struct control_why why = {.param = ""};
    bool is_default;
    int64_t workspace_id;
    if (!read_spec(j, &in, &spec, &is_default, &workspace_id))
        return;
    struct control *c = j->console->settings.control;
    enum err e = control_integration_find(c, workspace_id, j->params[0], j->arena, &row, &why);
    struct control_integration wanted = row;
    if (e == ERR_OK)
        e = integration_check_change(&spec, j->arena, &wanted, &why);
    bool may = e != ERR_OK || admin_key_may_do(j, &spec, &wanted);
    if (may && e == ERR_OK)
        e = control_integration_update(c, workspace_id, j->params[0], &spec, j->arena, &row, &why);
    input_end(&in);
    if (may)
        reply(j, 200, e, &row, &why);
}

void integrations_delete(struct job *j)
{
    struct control_why why = {.param = ""};
    enum err e = control_integration_delete(j->console->settings.control, j->key->workspace_id, j->params[0], &why);
    if (e)
        job_fail_why(j, e, &why);
    else
        job_reply_empty(j, 204);
}
