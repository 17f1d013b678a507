/* SPDX-License-Identifier: Apache-2.0 */
/* Policies of model APIs: Blaxel's metadata and spec to control's rows and back. */
#include "console/blaxel/blaxel.h"
#include "console/blaxel/listing.h"
#include "console/blaxel/tenant.h"
#include "console/console_inner.h"
#include "console/native/output.h"
#include "console/portkey/given.h"
#include "control/model/token_policy.h"

static void write_json(struct json_write *w, const char *name, struct str json, const char *empty)
{
    json_write_member_raw(w, name, json.n ? json : str_c(empty));
}

static void write_usage(struct json_write *w, const struct token_policy *p)
{
    static const char *const others[] = {"agents", "functions", "jobs", "sandboxes"};
    json_write_key(w, STR("usage"));
    json_write_object(w);
    json_write_member_uint(w, "models", p->models);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        json_write_member_uint(w, others[i], 0);
    json_write_object_end(w);
}

static void write_policy(struct job *j, const void *row)
{
    const struct token_policy *p = row;
    struct json_write *w = &j->json;
    json_write_object(w);
    json_write_key(w, STR("metadata"));
    json_write_object(w);
    json_write_member_string(w, "name", p->name);
    json_write_member_string(w, "displayName", p->display_name.n ? p->display_name : p->name);
    write_json(w, "labels", p->labels, "{}");
    json_write_member_string(w, "workspace", tenant_name(j));
    output_time(w, "createdAt", p->created_us);
    output_time(w, "updatedAt", p->updated_us);
    json_write_member_string(w, "createdBy", p->created_by);
    json_write_member_string(w, "updatedBy", p->updated_by);
    json_write_object_end(w);
    json_write_key(w, STR("spec"));
    json_write_object(w);
    json_write_member_string(w, "type", p->type);
    write_json(w, "resourceTypes", p->resource_types, "[]");
    write_json(w, "locations", p->locations, "[]");
    write_json(w, "flavors", p->flavors, "[]");
    if (p->max_tokens.n)
        json_write_member_raw(w, "maxTokens", p->max_tokens);
    json_write_member_bool(w, "sandbox", p->sandbox);
    json_write_object_end(w);
    write_usage(w, p);
    json_write_object_end(w);
}

static void reply(struct job *j, enum err e, const struct token_policy *p, const struct control_why *why)
{
    if (e) {
        job_fail_why(j, e, why);
        return;
    }
    job_reply_json(j, 200);
    write_policy(j, p);
}

static struct str json_of(struct jval object, const char *name)
{
    struct jval v = jdoc_find(object, name);
    return jdoc_has(v) ? jdoc_raw(v) : STR("");
}

static struct str text_of(struct given *g, struct jval object, const char *name)
{
    struct str text = given_text(g, object, name);
    return text.p ? text : STR("");
}

/* False when the job was answered. */
static bool read_policy(struct given *g, struct token_policy *p)
{
    struct jval metadata = jdoc_find(g->root, "metadata"), spec = jdoc_find(g->root, "spec");
    bool sandbox = false;
    *p = (struct token_policy){
        .name = text_of(g, metadata, "name"),
        .display_name = text_of(g, metadata, "displayName"),
        .labels = json_of(metadata, "labels"),
        .type = text_of(g, spec, "type"),
        .resource_types = json_of(spec, "resourceTypes"),
        .locations = json_of(spec, "locations"),
        .flavors = json_of(spec, "flavors"),
        .max_tokens = json_of(spec, "maxTokens"),
    };
    given_bool(g, spec, "sandbox", &sandbox);
    p->sandbox = sandbox;
    if (str_eq(p->labels, STR("{}")))
        p->labels = STR("");
    return g->job->status == 0;
}

void blaxel_policies_list(struct job *j)
{
    struct token_policy *rows = NULL;
    struct control_why why = {.param = ""};
    struct listing listing;
    size_t total = 0, count = 0;
    if (!listing_read(&listing, j, STR("policies")))
        return;
    enum err e = token_policy_list(j->console->settings.control, j->workspace_id, j->arena, &rows, &total, &why);
    struct listing_item *items = e ? NULL : arena_alloc(j->arena, (total + 1) * sizeof *items);
    if (e || !items) {
        job_fail_why(j, e ? e : ERR_OVERLOADED, &why);
        return;
    }
    for (size_t i = 0; i < total; i++) {
        const struct token_policy *p = &rows[i];
        items[count] = (struct listing_item){p->id, p->created_us, p->name, p->display_name, p->labels, p};
        count += listing_matches(&listing, &items[count]);
    }
    listing_reply(&listing, items, count, total, write_policy);
}

void blaxel_policies_get(struct job *j)
{
    struct token_policy p;
    struct control_why why = {.param = ""};
    enum err e = token_policy_find(j->console->settings.control, j->workspace_id, j->params[0], j->arena, &p, &why);
    reply(j, e, &p, &why);
}

void blaxel_policies_create(struct job *j)
{
    struct given g;
    struct token_policy given, made;
    struct control_why why = {.param = ""};
    if (!given_begin(&g, j))
        return;
    if (read_policy(&g, &given)) {
        enum err e = token_policy_create(j->console->settings.control, j->workspace_id, &given, j->arena, &made, &why);
        reply(j, e, &made, &why);
    }
    given_end(&g);
}

void blaxel_policies_update(struct job *j)
{
    struct given g;
    struct token_policy given, made;
    struct control_why why = {.param = ""};
    if (!given_begin(&g, j))
        return;
    bool ok = read_policy(&g, &given);
    if (ok && given.name.n && !str_eq(given.name, j->params[0])) {
        job_fail(j, ERR_BAD_PARAMETER, STR("metadata.name"), STR("The name of a policy cannot be changed."));
    } else if (ok) {
        given.name = j->params[0];
        enum err e = token_policy_update(j->console->settings.control, j->workspace_id, &given, j->arena, &made, &why);
        reply(j, e, &made, &why);
    }
    given_end(&g);
}

void blaxel_policies_delete(struct job *j)
{
    struct token_policy p;
    struct control_why why = {.param = ""};
    enum err e = token_policy_delete(j->console->settings.control, j->workspace_id, j->params[0], j->arena, &p, &why);
    reply(j, e, &p, &why);
}

void blaxel_policies_usages(struct job *j)
{
    struct str *names = NULL;
    struct control_why why = {.param = ""};
    struct json_write *w = &j->json;
    size_t count = 0;
    enum err e =
        token_policy_users(j->console->settings.control, j->workspace_id, j->params[0], j->arena, &names, &count, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_key(w, STR("models"));
    json_write_array(w);
    for (size_t i = 0; i < count; i++)
        json_write_string(w, names[i]);
    json_write_array_end(w);
    json_write_member_raw(w, "agents", STR("[]"));
    json_write_member_raw(w, "functions", STR("[]"));
    json_write_member_raw(w, "jobs", STR("[]"));
    json_write_member_raw(w, "sandboxes", STR("[]"));
    json_write_object_end(w);
}
