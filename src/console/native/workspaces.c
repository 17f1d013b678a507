/* SPDX-License-Identifier: Apache-2.0 */
/* Workspaces: JSON to control and back. */
#include "console/console_inner.h"
#include "console/native/input.h"
#include "console/native/native.h"
#include "console/native/output.h"
#include "control/control.h"
#include "control/people/reach.h"

static void write_workspace(struct json_write *w, const struct control_workspace *ws)
{
    json_write_object(w);
    json_write_member_string(w, "name", ws->name);
    json_write_member_string(w, "display_name", ws->display_name);
    if (ws->metadata.n)
        json_write_member_raw(w, "metadata", ws->metadata);
    else
        json_write_member_null(w, "metadata");
    json_write_member_text(w, "default_config", ws->default_config);
    output_time(w, "created_at", ws->created_us);
    json_write_object_end(w);
}

void workspaces_list(struct job *j)
{
    struct control_workspace *rows = NULL;
    size_t count = 0;
    struct control_why why = {.param = ""};
    enum err e = control_workspace_list(j->console->settings.control, j->arena, &rows, &count, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("list"));
    json_write_key(w, STR("data"));
    json_write_array(w);
    struct reach there;
    for (size_t i = 0; i < count; i++)
        if (reach_workspace(j->snapshot, j->key, rows[i].id, &there))
            write_workspace(w, &rows[i]);
    json_write_array_end(w);
    json_write_object_end(w);
}

void workspaces_update(struct job *j)
{
    struct input in;
    struct control_workspace_change change = {0};
    struct control_workspace row;
    struct control_why why = {.param = ""};
    struct control *control = j->console->settings.control;
    int64_t id;
    if (!input_workspace(j, j->params[0], &id) || !input_begin(&in, j))
        return;
    struct str name = input_text(&in, "display_name"), metadata = input_json(&in, "metadata");
    if (name.p)
        change.display_name = &name;
    if (str_eq(metadata, STR("{}")))
        metadata = STR("");
    if (metadata.p)
        change.metadata = &metadata;
    enum err e = ERR_OK;
    bool ok = input_check(&in);
    if (ok)
        e = control_workspace_update(control, id, &change, &why);
    if (ok && !e)
        e = control_workspace_find(control, j->params[0], j->arena, &row, &why);
    input_end(&in);
    if (!ok)
        return;
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 200);
    write_workspace(&j->json, &row);
}
