/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces as Blaxel shows them; one account for the whole installation. */
#include <stdio.h>

#include "console/blaxel/blaxel.h"
#include "console/blaxel/tenant.h"
#include "console/console_inner.h"
#include "console/native/output.h"
#include "console/portkey/given.h"
#include "control/control_integration.h"
#include "control/control_text.h"
#include "control/model/model.h"
#include "control/model/token_policy.h"
#include "control/people/account.h"

#define ACCOUNT "default"

static enum err write_counts(struct job *j, int64_t workspace_id, struct control_why *why)
{
    struct model_row *models;
    struct control_integration *integrations;
    struct json_write *w = &j->json;
    struct token_policy *policies;
    struct account *accounts;
    size_t model_count, integration_count, policy_count, account_count;
    struct control *control = j->console->settings.control;
    enum err e = model_list(control, workspace_id, j->arena, &models, &model_count, why);
    if (!e)
        e = control_integration_list(control, workspace_id, j->arena, &integrations, &integration_count, why);
    if (!e)
        e = token_policy_list(control, workspace_id, j->arena, &policies, &policy_count, why);
    if (!e)
        e = account_list(control, workspace_id, j->arena, &accounts, &account_count, why);
    if (e)
        return e;
    json_write_key(w, STR("resourceCounts"));
    json_write_object(w);
    json_write_member_uint(w, "models", model_count);
    json_write_member_uint(w, "policies", policy_count);
    json_write_member_uint(w, "integrationconnections", integration_count);
    json_write_member_uint(w, "serviceaccounts", account_count);
    json_write_object_end(w);
    return ERR_OK;
}

static enum err write_workspace(struct job *j, const struct control_workspace *row, bool counts,
                                struct control_why *why)
{
    struct json_write *w = &j->json;
    char id[24];
    enum err e = ERR_OK;
    int n = snprintf(id, sizeof id, "%lld", (long long)row->id);
    json_write_object(w);
    json_write_member_string(w, "name", row->name);
    json_write_member_string(w, "displayName", row->display_name);
    json_write_member_string(w, "id", str_of(id, (size_t)n));
    json_write_member_string(w, "accountId", STR(ACCOUNT));
    json_write_member_string(w, "region", STR("local"));
    json_write_member_raw(w, "labels", STR("{}"));
    json_write_member_string(w, "status", STR("ready"));
    json_write_member_string(w, "statusReason", STR(""));
    if (counts)
        e = write_counts(j, row->id, why);
    output_time(w, "createdAt", row->created_us);
    output_time(w, "updatedAt", row->created_us);
    json_write_object_end(w);
    return e;
}

static void reply_by_name(struct job *j, struct str name)
{
    struct control_workspace row;
    struct control_why why = {.param = ""};
    bool counts = str_eq(job_query(j, STR("countResources")), STR("true"));
    enum err e = control_workspace_find(j->console->settings.control, name, j->arena, &row, &why);
    if (!e) {
        job_reply_json(j, 200);
        e = write_workspace(j, &row, counts, &why);
    }
    if (e)
        job_fail_why(j, e, &why);
}

void blaxel_workspaces_list(struct job *j)
{
    struct control_workspace *rows = NULL;
    struct control_why why = {.param = ""};
    size_t count = 0;
    bool counts = str_eq(job_query(j, STR("countResources")), STR("true"));
    enum err e = control_workspace_list(j->console->settings.control, j->arena, &rows, &count, &why);
    if (!e) {
        job_reply_json(j, 200);
        json_write_array(&j->json);
    }
    for (size_t i = 0; !e && i < count; i++)
        if (tenant_reaches(j, rows[i].id))
            e = write_workspace(j, &rows[i], counts, &why);
    if (e)
        job_fail_why(j, e, &why);
    else
        json_write_array_end(&j->json);
}

void blaxel_workspaces_get(struct job *j)
{
    int64_t id;
    if (tenant_named(j, j->params[0], &id))
        reply_by_name(j, j->params[0]);
}

void blaxel_workspaces_create(struct job *j)
{
    struct given g;
    struct control_why why = {.param = ""};
    int64_t id;
    if (!given_begin(&g, j))
        return;
    struct str name = given_text(&g, g.root, "name"), shown = given_text(&g, g.root, "displayName");
    if (!j->status) {
        enum err e = control_workspace_create(j->console->settings.control, name.p ? name : STR(""),
                                              shown.p ? shown : STR(""), &id, &why);
        if (e)
            job_fail_why(j, e, &why);
        else
            reply_by_name(j, name);
    }
    given_end(&g);
}

/* The workspace in the path, for its admins. False when the job was answered. */
static bool administered(struct job *j, int64_t *ret_id)
{
    if (!tenant_named(j, j->params[0], ret_id))
        return false;
    if (!tenant_is_admin(j))
        job_fail(j, ERR_FORBIDDEN, STR("workspace"), STR("Only admins of a workspace may change it."));
    return j->status == 0;
}

void blaxel_workspaces_delete(struct job *j)
{
    struct control_workspace row;
    struct control_why why = {.param = ""};
    struct control *control = j->console->settings.control;
    int64_t id;
    if (!administered(j, &id))
        return;
    enum err e = control_workspace_find(control, j->params[0], j->arena, &row, &why);
    if (!e)
        e = control_workspace_delete(control, id, &why);
    if (!e) {
        job_reply_json(j, 200);
        e = write_workspace(j, &row, false, &why);
    }
    if (e)
        job_fail_why(j, e, &why);
}

void blaxel_workspaces_update(struct job *j)
{
    struct given g;
    struct control_why why = {.param = ""};
    int64_t id;
    if (!administered(j, &id) || !given_begin(&g, j))
        return;
    struct str name = given_text(&g, g.root, "name"), shown = given_text(&g, g.root, "displayName");
    struct control_workspace_change change = {.display_name = shown.n ? &shown : NULL};
    if (!j->status && name.n && !str_eq(name, j->params[0]))
        job_fail(j, ERR_BAD_PARAMETER, STR("name"), STR("The name of a workspace cannot be changed."));
    if (!j->status) {
        enum err e = control_workspace_update(j->console->settings.control, id, &change, &why);
        if (e)
            job_fail_why(j, e, &why);
        else
            reply_by_name(j, j->params[0]);
    }
    given_end(&g);
}

/* Why nobody can have the name; "" when somebody can. */
static const char *unavailable(struct job *j, struct str name)
{
    if (snapshot_find_workspace(j->snapshot, name))
        return "taken";
    if (name.n > 1 && name.p[0] == 'v' && name.p[1] >= '0' && name.p[1] <= '9')
        return "forbidden_v_prefix";
    if (str_starts(name, STR("blaxel")))
        return "forbidden_blaxel";
    return control_text_is_workspace(name) ? "" : "forbidden_reserved";
}

void blaxel_workspaces_availability(struct job *j)
{
    struct given g;
    if (!given_begin(&g, j))
        return;
    struct str name = given_text(&g, g.root, "name");
    const char *reason = unavailable(j, name.p ? name : STR(""));
    bool with_reason = str_eq(job_query(j, STR("withReason")), STR("true"));
    given_end(&g);
    if (j->status)
        return;
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    if (!with_reason) {
        json_write_bool(w, !reason[0]);
        return;
    }
    json_write_object(w);
    json_write_member_bool(w, "available", !reason[0]);
    json_write_member_string(w, "reason", str_c(reason));
    json_write_member_string(
        w, "message",
        reason[0] ? STR("This name is taken or is kept for the program's own paths; choose another.") : STR(""));
    json_write_object_end(w);
}

/* ---- places: there is one ---- */

void blaxel_workspaces_locations(struct job *j)
{
    job_reply_bytes(j, 200, STR("application/json"),
                    STR("[{\"location\":\"local\",\"region\":\"local\",\"country\":\"\",\"continent\":\"\",\"status\":"
                        "\"healthy\",\"flavors\":[{\"name\":\"x86\",\"type\":\"cpu\"}]}]"));
}

void blaxel_workspaces_configuration(struct job *j)
{
    job_reply_bytes(j, 200, STR("application/json"),
                    STR("{\"continents\":[],\"countries\":[],\"regions\":[{\"name\":\"local\",\"location\":\"local\","
                        "\"country\":\"\",\"continent\":\"\",\"allowed\":\"all\"}],\"privateLocations\":[],"
                        "\"detectedRegion\":\"local\"}"));
}
