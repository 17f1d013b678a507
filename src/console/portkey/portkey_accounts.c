/* SPDX-License-Identifier: Apache-2.0 */
/* What the three names of an account have in common: making, changing, showing. */
#include "console/portkey/portkey_accounts.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "console/console_inner.h"
#include "console/native/output.h"

#define SLUG_NAME_MAX 40
#define SLUG_TRIES 4

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

static struct rule_place place_of(const struct control_integration *i)
{
    return (struct rule_place){LIMIT_INTEGRATION, i->id, i->workspace_id, STR("")};
}

/* ---- making ---- */

/* "My Key (prod)" → "my-key-prod"; `extra` is appended. */
static void slug_from(struct str name, const char *extra, char out[64])
{
    size_t n = 0;
    for (size_t i = 0; i < name.n && n < SLUG_NAME_MAX; i++) {
        char c = name.p[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (plain || (n && out[n - 1] != '-'))
            out[n++] = plain ? c : '-';
    }
    while (n && out[n - 1] == '-')
        n--;
    if (!n) {
        memcpy(out, "key", 3);
        n = 3;
    }
    snprintf(out + n, 64 - n, "%s", extra);
}

static enum err create(struct job *j, int64_t workspace_id, struct str account, struct account_read *a,
                       struct control_integration *ret_row, struct control_why *why)
{
    char slug[64], extra[8] = "";
    enum err e = ERR_CONFLICT;
    bool made_up = !a->spec.slug.n;
    for (int i = 0; e == ERR_CONFLICT && i < SLUG_TRIES && (i == 0 || made_up); i++) {
        if (made_up) {
            if (i)
                snprintf(extra, sizeof extra, "-%06x", (unsigned)(rng_u64() & 0xffffff));
            slug_from(a->spec.name, extra, slug);
            a->spec.slug = str_c(slug);
        }
        e = account.n
                ? control_integration_share(control_of(j), workspace_id, account, &a->spec, j->arena, ret_row, why)
                : control_integration_create(control_of(j), workspace_id, &a->spec, j->arena, ret_row, why);
    }
    return e;
}

bool portkey_accounts_create(struct job *j, int64_t workspace_id, struct str account, struct account_read *a,
                             struct control_integration *ret_row)
{
    struct control_why why = {.param = ""}, ignored = {.param = ""};
    if (!a->spec.name.n) {
        job_fail(j, ERR_MISSING_PARAMETER, STR("name"), STR(""));
        return false;
    }
    enum err e = create(j, workspace_id, account, a, ret_row, &why);
    if (!fail(j, e, &why))
        return false;
    const struct rule_place place = place_of(ret_row);
    e = portkey_limits_put(j, &place, &a->limits, &why);
    if (e != ERR_OK && control_integration_delete(control_of(j), workspace_id, ret_row->slug, &ignored) != ERR_OK)
        why = ignored;
    return fail(j, e, &why);
}

/* ---- changing ---- */

static bool workspace_asked(struct job *j, int64_t *ret_id)
{
    return given_workspace(j, given_query(j, "workspace_id"), ret_id);
}

static void reply_done(struct job *j, enum err e, const struct control_why *why)
{
    if (fail(j, e, why))
        job_reply_bytes(j, 200, STR("application/json"), STR("{}"));
}

static void update(struct job *j, int64_t workspace_id, struct account_read *a)
{
    struct control_why why = {.param = ""};
    struct control_integration row;
    a->spec.slug = (struct str){NULL, 0}; /* SDKs repeat the one in the path */
    a->spec.kind = (struct str){NULL, 0};
    if (a->spec.api_key.p && !a->spec.api_key.n)
        a->spec.api_key = (struct str){NULL, 0};
    enum err e = control_integration_update(control_of(j), workspace_id, j->params[0], &a->spec, j->arena, &row, &why);
    const struct rule_place place = place_of(&row);
    if (e == ERR_OK)
        e = portkey_limits_put(j, &place, &a->limits, &why);
    if (e == ERR_OK && a->reset_usage)
        e = rule_reset_place(control_of(j), &place, &why);
    reply_done(j, e, &why);
}

void portkey_accounts_update(struct job *j)
{
    struct given g;
    struct account_read a;
    int64_t workspace_id;
    if (!given_begin(&g, j))
        return;
    struct str workspace = given_text(&g, g.root, "workspace_id");
    if (!workspace.n)
        workspace = given_query(j, "workspace_id");
    if (account_read(&g, &a) && given_workspace(j, workspace, &workspace_id))
        update(j, workspace_id, &a);
    given_end(&g);
}

void portkey_accounts_delete(struct job *j)
{
    struct control_why why = {.param = ""};
    int64_t workspace_id;
    if (workspace_asked(j, &workspace_id))
        reply_done(j, control_integration_delete(control_of(j), workspace_id, j->params[0], &why), &why);
}

/* ---- showing ---- */

struct control_integration *portkey_accounts_list(struct job *j, size_t *ret_count)
{
    struct control_integration *rows = NULL;
    struct control_why why = {.param = ""};
    int64_t workspace_id;
    if (!workspace_asked(j, &workspace_id))
        return NULL;
    enum err e = control_integration_list(control_of(j), workspace_id, j->arena, &rows, ret_count, &why);
    return fail(j, e, &why) ? rows : NULL;
}

bool portkey_accounts_find(struct job *j, struct control_integration *ret_row)
{
    struct control_why why = {.param = ""};
    int64_t workspace_id;
    return workspace_asked(j, &workspace_id) &&
           fail(j, control_integration_find(control_of(j), workspace_id, j->params[0], j->arena, ret_row, &why), &why);
}

bool portkey_accounts_is(const struct control_integration *i, enum portkey_account_form form)
{
    return form == PORTKEY_INTEGRATION ? !i->account.n : !i->hidden;
}

static const char *status_of(struct job *j, const struct control_integration *i)
{
    const struct rule_place place = place_of(i);
    if (i->expires_us && i->expires_us <= clock_wall_us())
        return "expired";
    return portkey_limits_exhausted(j, &place) ? "exhausted" : "active";
}

static void write_deployments(struct json_write *w, struct str stored)
{
    struct jdoc doc;
    struct arena *a = arena_new(4096, 1 << 20);
    jdoc_init(&doc);
    json_write_key(w, STR("azure_deployment_config"));
    json_write_array(w);
    bool parsed = stored.n && jdoc_parse(&doc, stored);
    struct jval list = jdoc_root(&doc);
    for (struct jval d = parsed ? jdoc_first(list) : (struct jval){0}; jdoc_has(d); d = jdoc_next(list, d)) {
        json_write_object(w);
        json_write_member_string(w, "alias", jdoc_text(jdoc_get(d, "alias"), a));
        json_write_member_string(w, "azure_deployment_name", jdoc_text(jdoc_get(d, "deployment"), a));
        json_write_member_text(w, "azure_api_version", jdoc_text(jdoc_get(d, "api_version"), a));
        json_write_member_text(w, "azure_model_slug", jdoc_text(jdoc_get(d, "model"), a));
        json_write_member_bool(w, "is_default", jdoc_true(jdoc_get(d, "default")));
        json_write_object_end(w);
    }
    json_write_array_end(w);
    jdoc_free(&doc);
    arena_free(a);
}

/* "https://RESOURCE.openai.azure.com/openai" → RESOURCE; "" for other hosts. */
static struct str resource_of(struct str url)
{
    ptrdiff_t end = str_search(url, STR(".openai.azure.com"));
    return str_starts(url, STR("https://")) && end > 8 ? str_of(url.p + 8, (size_t)end - 8) : STR("");
}

static void write_configurations(struct json_write *w, const char *name, const struct control_integration *i)
{
    json_write_key(w, str_c(name));
    json_write_object(w);
    struct str resource = resource_of(i->base_url);
    if (i->kind == KIND_INTEGRATION_AZURE_OPENAI) {
        json_write_member_string(w, "azure_auth_mode", STR("default"));
        json_write_member_text(w, "azure_resource_name", resource);
        json_write_member_string(w, "azure_api_version", i->api_version);
        write_deployments(w, i->deployments);
    } else {
        json_write_member_text(w, "openai_organization", i->organization);
        json_write_member_text(w, "openai_project", i->project);
    }
    if (!resource.n)
        json_write_member_string(w, "custom_host", i->base_url);
    json_write_object_end(w);
}

static void write_members(struct job *j, const struct control_integration *i, enum portkey_account_form form)
{
    struct json_write *w = &j->json;
    const struct snapshot_workspace *ws = snapshot_workspace_of(j->snapshot, i->workspace_id);
    const char *const objects[] = {"virtual-key", "provider", "integration"};
    struct str kind = str_c(kind_integration_text(i->kind));
    json_write_member_string(w, "id", i->slug);
    json_write_member_string(w, "slug", i->slug);
    json_write_member_string(w, "name", i->name);
    json_write_member_text(w, form == PORTKEY_INTEGRATION ? "description" : "note", i->note);
    json_write_member_string(w, "status", str_c(status_of(j, i)));
    json_write_member_string(w, "ai_provider_id", kind);
    json_write_member_string(w, "provider", kind);
    json_write_member_string(w, "ai_provider_name", kind);
    json_write_member_string(w, "integration_id", i->account.n ? i->account : i->slug);
    json_write_member_string(w, "organisation_id", STR("default"));
    json_write_member_string(w, "workspace_id", ws ? ws->name : STR(""));
    json_write_member_text(w, "masked_key", i->key_hint);
    json_write_member_bool(w, "is_default", i->is_default);
    output_time(w, "created_at", i->created_us);
    output_time(w, "last_updated_at", i->updated_us);
    output_time(w, "expires_at", i->expires_us);
    write_configurations(w, form == PORTKEY_INTEGRATION ? "configurations" : "model_config", i);
    if (form == PORTKEY_INTEGRATION) {
        json_write_member_bool(w, "allow_all_models", !i->only_listed);
        json_write_key(w, STR("global_workspace_access"));
        json_write_object(w);
        json_write_member_bool(w, "enabled", i->all_workspaces);
        json_write_object_end(w);
        json_write_member_string(w, "type", STR("workspace"));
    }
    json_write_member_string(w, "object", str_c(objects[form]));
}

void portkey_accounts_write(struct job *j, const struct control_integration *i, enum portkey_account_form form,
                            bool listed)
{
    struct control_why why = {.param = ""};
    const struct rule_place place = place_of(i);
    json_write_object(&j->json);
    write_members(j, i, form);
    enum portkey_limits_form limits = listed && form == PORTKEY_PROVIDER ? PORTKEY_LIMITS_LOOSE : PORTKEY_LIMITS_ONE;
    if (portkey_limits_write(j, &place, limits, &why) != ERR_OK) {
        job_fail_why(j, ERR_STORE_FAILED, &why);
        return;
    }
    json_write_object_end(&j->json);
}

void portkey_accounts_reply_list(struct job *j, enum portkey_account_form form)
{
    size_t count = 0, seen = 0, total = 0;
    uint64_t skip, limit;
    struct json_write *w = &j->json;
    struct str kind = given_query(j, "ai_provider_id");
    if (!given_page(j, CONTROL_INTEGRATION_MAX, CONTROL_INTEGRATION_MAX, &skip, &limit))
        return;
    struct control_integration *rows = portkey_accounts_list(j, &count);
    if (!rows)
        return;
    for (size_t i = 0; i < count; i++)
        if (portkey_accounts_is(&rows[i], form) &&
            (!kind.n || str_eq(kind, str_c(kind_integration_text(rows[i].kind)))))
            rows[total++] = rows[i];
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_bool(w, "success", true);
    json_write_member_string(w, "object", STR("list"));
    json_write_member_uint(w, "total", total);
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (seen = (size_t)skip; seen < total && seen - skip < limit && j->status == 200; seen++)
        portkey_accounts_write(j, &rows[seen], form, true);
    if (j->status != 200)
        return;
    json_write_array_end(w);
    json_write_object_end(w);
}

void portkey_accounts_reply_one(struct job *j, enum portkey_account_form form)
{
    struct control_integration row;
    struct control_why why = {.param = "slug", .text = "There is no such object in this workspace."};
    if (!portkey_accounts_find(j, &row))
        return;
    if (!portkey_accounts_is(&row, form)) {
        job_fail_why(j, ERR_NOT_FOUND, &why);
        return;
    }
    job_reply_json(j, 200);
    portkey_accounts_write(j, &row, form, false);
}
