/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stored configs. Portkey has shown two shapes over time, the members in "data" and the members at the
 * top; both are written. Its id of a config is the slug, its id of a version "pc-…@2".
 */
#include "base/clock.h"
#include "console/console_inner.h"
#include "console/native/output.h"
#include "console/portkey/given.h"
#include "console/portkey/portkey.h"
#include "control/control_config.h"

#define VERSIONS_PER_PAGE 20
#define VERSIONS_PER_PAGE_MAX 50

static void write_version_id(struct json_write *w, const char *name, struct str slug, uint32_t version)
{
    struct buf id;
    buf_init(&id, 128);
    bool ok = buf_printf(&id, "%.*s@%u", STR_ARG(slug), version);
    json_write_member_string(w, name, ok ? buf_str(&id) : slug);
    buf_free(&id);
}

static struct str workspace_name(const struct job *j, int64_t id)
{
    const struct snapshot_workspace *ws = snapshot_workspace_of(j->snapshot, id);
    return ws ? ws->name : STR("");
}

static void write_fields(struct job *j, const struct control_config *c)
{
    struct json_write *w = &j->json;
    json_write_member_string(w, "id", c->slug);
    json_write_member_string(w, "name", c->name);
    json_write_member_string(w, "slug", c->slug);
    json_write_member_string(w, "organisation_id", STR("default"));
    json_write_member_string(w, "workspace_id", workspace_name(j, c->workspace_id));
    json_write_member_uint(w, "is_default", c->is_default);
    json_write_member_string(w, "status", STR("active"));
    json_write_member_uint(w, "version", c->version);
    write_version_id(w, "version_id", c->slug, c->version);
    json_write_member_text(w, "owner_id", c->made_by);
    json_write_member_text(w, "updated_by", c->made_by);
    output_time(w, "created_at", c->created_us);
    output_time(w, "last_updated_at", c->updated_us);
    json_write_member_string(w, "format", STR("json"));
    json_write_member_string(w, "object", STR("config"));
}

static void write_text(struct json_write *w, struct str text)
{
    if (text.n)
        json_write_member_raw(w, "config", text);
    else
        json_write_member_null(w, "config"); /* it cannot be read any more */
}

/* Of a config in the path: the workspace is the caller's own, or an owner's choice. */
static bool workspace_asked(struct job *j, int64_t *ret_id)
{
    return given_workspace(j, given_query(j, "workspace_id"), ret_id);
}

/* ---- reading ---- */

void portkey_configs_list(struct job *j)
{
    struct control_config *rows = NULL;
    size_t count = 0;
    int64_t workspace_id;
    struct control_why why = {.param = ""};
    uint64_t skip, limit;
    if (!workspace_asked(j, &workspace_id) || !given_page(j, CONTROL_CONFIG_MAX, CONTROL_CONFIG_MAX, &skip, &limit))
        return;
    enum err e = control_config_list(j->console->settings.control, workspace_id, j->arena, &rows, &count, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_bool(w, "success", true);
    json_write_member_string(w, "object", STR("list"));
    json_write_member_uint(w, "total", count);
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = skip; i < count && i - skip < limit; i++) {
        json_write_object(w);
        write_fields(j, &rows[i]);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_write_object_end(w);
}

void portkey_configs_get(struct job *j)
{
    struct control_config row;
    struct control_why why = {.param = ""};
    int64_t workspace_id;
    if (!workspace_asked(j, &workspace_id))
        return;
    enum err e = control_config_find(j->console->settings.control, workspace_id, j->params[0], j->arena, &row, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_bool(w, "success", true);
    json_write_key(w, STR("data"));
    json_write_object(w);
    write_fields(j, &row);
    write_text(w, row.text);
    json_write_object_end(w);
    write_fields(j, &row);
    write_text(w, row.text);
    json_write_object_end(w);
}

static void write_version(struct job *j, const struct control_config_version *v, uint32_t in_force)
{
    struct json_write *w = &j->json;
    json_write_object(w);
    write_version_id(w, "id", j->params[0], v->number);
    write_version_id(w, "version_id", j->params[0], v->number);
    json_write_member_uint(w, "version", v->number);
    json_write_member_string(w, "slug", j->params[0]);
    json_write_member_string(w, "status", v->number == in_force ? STR("active") : STR("archived"));
    json_write_member_text(w, "updated_by", v->made_by);
    output_time(w, "created_at", v->created_us);
    write_text(w, v->text);
    json_write_member_string(w, "object", STR("config_version"));
    json_write_object_end(w);
}

void portkey_configs_versions(struct job *j)
{
    struct control_config_version *rows = NULL;
    struct control_why why = {.param = ""};
    size_t count = 0;
    uint64_t skip, limit, total = 0;
    int64_t workspace_id;
    if (!workspace_asked(j, &workspace_id) || !given_page(j, VERSIONS_PER_PAGE, VERSIONS_PER_PAGE_MAX, &skip, &limit))
        return;
    enum err e = control_config_versions(j->console->settings.control, workspace_id, j->params[0], skip, limit,
                                         j->arena, &rows, &count, &total, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_bool(w, "success", true);
    json_write_member_string(w, "object", STR("list"));
    json_write_member_uint(w, "total", total);
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = 0; i < count; i++)
        write_version(j, &rows[i], (uint32_t)total);
    json_write_array_end(w);
    json_write_object_end(w);
}

/* ---- changing ---- */

static void reply_changed(struct job *j, enum err e, const struct control_config *row, const struct control_why *why)
{
    struct json_write *w = &j->json;
    if (e) {
        job_fail_why(j, e, why);
        return;
    }
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_bool(w, "success", true);
    json_write_key(w, STR("data"));
    json_write_object(w);
    json_write_member_string(w, "id", row->slug);
    json_write_member_string(w, "slug", row->slug);
    write_version_id(w, "version_id", row->slug, row->version);
    json_write_object_end(w);
    json_write_member_string(w, "id", row->slug);
    json_write_member_string(w, "slug", row->slug);
    write_version_id(w, "version_id", row->slug, row->version);
    json_write_member_string(w, "object", STR("config"));
    json_write_object_end(w);
}

/* False when the job was answered. */
static bool read_spec(struct given *g, struct control_config_spec *spec, bool *is_default)
{
    spec->name = given_text(g, g->root, "name");
    spec->text = given_object(g, g->root, "config");
    spec->is_default = given_bool(g, g->root, "is_default", is_default);
    spec->made_by = g->job->key->id;
    struct str status = given_text(g, g->root, "status");
    if (status.n && !str_eq(status, STR("active")) && !g->job->status)
        job_fail(g->job, ERR_BAD_PARAMETER, STR("status"), STR("a config is active until it is deleted"));
    return g->job->status == 0;
}

void portkey_configs_create(struct job *j)
{
    struct given g;
    struct control_config_spec spec = {0};
    struct control_config row;
    struct control_why why = {.param = ""};
    bool is_default;
    int64_t workspace_id;
    if (!given_begin(&g, j))
        return;
    struct str workspace = given_text(&g, g.root, "workspace_id");
    if (read_spec(&g, &spec, &is_default) && given_workspace(j, workspace, &workspace_id)) {
        if (!spec.name.p)
            spec.name = STR("");
        enum err e = control_config_create(j->console->settings.control, workspace_id, &spec, j->arena, &row, &why);
        reply_changed(j, e, &row, &why);
    }
    given_end(&g);
}

void portkey_configs_update(struct job *j)
{
    struct given g;
    struct control_config_spec spec = {0};
    struct control_config row;
    struct control_why why = {.param = ""};
    bool is_default;
    int64_t workspace_id;
    if (!given_begin(&g, j))
        return;
    struct str workspace = given_text(&g, g.root, "workspace_id");
    if (!workspace.n)
        workspace = given_query(j, "workspace_id");
    if (read_spec(&g, &spec, &is_default) && given_workspace(j, workspace, &workspace_id)) {
        enum err e = control_config_update(j->console->settings.control, workspace_id, j->params[0], &spec, j->arena,
                                           &row, &why);
        reply_changed(j, e, &row, &why);
    }
    given_end(&g);
}

void portkey_configs_delete(struct job *j)
{
    struct control_why why = {.param = ""};
    int64_t workspace_id;
    if (!workspace_asked(j, &workspace_id))
        return;
    enum err e = control_config_delete(j->console->settings.control, workspace_id, j->params[0], &why);
    if (e)
        job_fail_why(j, e, &why);
    else
        job_reply_bytes(j, 200, STR("application/json"), STR("{}"));
}
