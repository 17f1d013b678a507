/* SPDX-License-Identifier: Apache-2.0 */
/* Integrations: accounts with their keys, the models they serve, the workspaces that may use them. */
#include "base/mem.h"
#include "console/catalog.h"
#include "console/console_inner.h"
#include "console/portkey/portkey.h"
#include "console/portkey/portkey_accounts.h"
#include "control/people/reach.h"
#include "control/provider/access.h"
#include "control/provider/allow.h"
#include "openai/price_list.h"

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

static void reply_done(struct job *j)
{
    job_reply_bytes(j, 200, STR("application/json"), STR("{}"));
}

void portkey_integrations_list(struct job *j)
{
    portkey_accounts_reply_list(j, PORTKEY_INTEGRATION);
}

void portkey_integrations_get(struct job *j)
{
    portkey_accounts_reply_one(j, PORTKEY_INTEGRATION);
}

void portkey_integrations_update(struct job *j)
{
    struct control_integration row;
    struct control_why why = {.param = "slug", .text = "This is a provider; change it at /v1/providers."};
    if (!portkey_accounts_find(j, &row))
        return;
    if (row.account.n)
        job_fail_why(j, ERR_NOT_FOUND, &why);
    else
        portkey_accounts_update(j);
}

void portkey_integrations_delete(struct job *j)
{
    struct control_integration row;
    struct control_why why = {.param = "slug", .text = "This is a provider; delete it at /v1/providers."};
    if (!portkey_accounts_find(j, &row))
        return;
    if (row.account.n)
        job_fail_why(j, ERR_NOT_FOUND, &why);
    else
        portkey_accounts_delete(j);
}

/* ---- making ---- */

/* With a provider of another slug the integration is called by that one only. */
static bool create(struct job *j, struct given *g, int64_t workspace_id, struct account_read *a,
                   struct control_integration *ret_row)
{
    bool wanted = true, hidden;
    struct control_why why = {.param = ""};
    struct control_integration provider;
    const bool *given = given_bool(g, g->root, "create_default_provider", &wanted);
    struct str slug = given_text(g, g->root, "default_provider_slug");
    if (j->status)
        return false;
    bool other = slug.n && !str_eq(slug, a->spec.slug);
    hidden = other || (given && !wanted);
    a->spec.hidden = &hidden;
    if (!portkey_accounts_create(j, workspace_id, STR(""), a, ret_row))
        return false;
    if (!other || !wanted)
        return true;
    const struct control_integration_spec spec = {.slug = slug, .name = a->spec.name};
    enum err e =
        control_integration_share(control_of(j), workspace_id, ret_row->slug, &spec, j->arena, &provider, &why);
    if (e != ERR_OK) {
        struct control_why ignored = {.param = ""};
        if (control_integration_delete(control_of(j), workspace_id, ret_row->slug, &ignored) != ERR_OK)
            why = ignored;
    }
    return fail(j, e, &why);
}

void portkey_integrations_create(struct job *j)
{
    struct given g;
    struct account_read a;
    struct control_integration row;
    int64_t workspace_id;
    if (!given_begin(&g, j))
        return;
    if (account_read(&g, &a) && given_workspace(j, given_text(&g, g.root, "workspace_id"), &workspace_id) &&
        create(j, &g, workspace_id, &a, &row)) {
        job_reply_json(j, 200);
        json_write_object(&j->json);
        json_write_member_string(&j->json, "id", row.slug);
        json_write_member_string(&j->json, "slug", row.slug);
        json_write_member_string(&j->json, "object", STR("integration"));
        json_write_object_end(&j->json);
    }
    given_end(&g);
}

/* ---- models ---- */

static void write_model(struct json_write *w, struct str slug, bool enabled, const struct allow_model *entry)
{
    json_write_object(w);
    json_write_member_string(w, "slug", slug);
    json_write_member_string(w, "id", slug);
    json_write_member_bool(w, "enabled", enabled);
    json_write_member_bool(w, "is_custom", entry && entry->is_custom);
    json_write_member_bool(w, "is_finetune", entry && entry->base_model.n > 0);
    json_write_member_text(w, "base_model_slug", entry ? entry->base_model : STR(""));
    json_write_member_null(w, "pricing_config");
    json_write_object_end(w);
}

static bool has_entry(const struct allow_model *list, size_t count, struct str slug)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(list[i].slug, slug))
            return true;
    return false;
}

/* The entries, then OpenAI's other models. */
static size_t write_models(struct job *j, const struct control_integration *row, const struct allow_model *list,
                           size_t count, bool all)
{
    char why[256];
    size_t total = count;
    const struct price_catalog *catalog =
        row->kind == KIND_INTEGRATION_OPENAI ? catalog_get(j->console, why, sizeof why) : NULL;
    for (size_t i = 0; i < count; i++)
        write_model(&j->json, list[i].slug, list[i].enabled, &list[i]);
    for (size_t i = 0; catalog && i < price_list_models(catalog); i++) {
        struct str id = price_list_model(catalog, i)->id;
        if (has_entry(list, count, id))
            continue;
        write_model(&j->json, id, all, NULL);
        total++;
    }
    return total;
}

void portkey_integrations_models(struct job *j)
{
    struct control_integration row;
    struct control_why why = {.param = ""};
    struct allow_model *list = NULL;
    size_t count = 0;
    bool all = true;
    if (!portkey_accounts_find(j, &row))
        return;
    enum err e = allow_list(control_of(j), row.workspace_id, row.slug, j->arena, &list, &count, &all, &why);
    if (!fail(j, e, &why))
        return;
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("list"));
    json_write_member_bool(w, "allow_all_models", all);
    json_write_key(w, STR("models"));
    json_write_array(w);
    size_t total = write_models(j, &row, list, count, all);
    json_write_array_end(w);
    json_write_member_uint(w, "total", total);
    json_write_object_end(w);
}

static bool read_model(struct given *g, struct jval v, struct allow_model *ret)
{
    bool enabled = true, custom = false;
    *ret = (struct allow_model){.slug = given_text(g, v, "slug"), .base_model = given_text(g, v, "base_model_slug")};
    (void)given_bool(g, v, "enabled", &enabled);
    (void)given_bool(g, v, "is_custom", &custom);
    struct jval prices = given_member(v, "pricing_config");
    if (jdoc_has(prices) && jdoc_size(prices) && !g->job->status)
        job_fail(g->job, ERR_BAD_PARAMETER, STR("pricing_config"),
                 STR("prices of your own go into a price file (see docs/PRICING.md); leave it out"));
    ret->enabled = enabled;
    ret->is_custom = custom;
    if (!ret->slug.p)
        ret->slug = STR("");
    return g->job->status == 0;
}

static bool read_models(struct given *g, struct allow_model *list, size_t *ret_count)
{
    struct jval models = given_member(g->root, "models");
    *ret_count = 0;
    if (!jdoc_has(models))
        return true;
    if (jdoc_kind(models) != JDOC_ARRAY || jdoc_size(models) > ALLOW_MODELS_MAX) {
        job_fail(g->job, ERR_BAD_PARAMETER, STR("models"), STR("it is an array of at most 2000 objects"));
        return false;
    }
    for (struct jval v = jdoc_first(models); jdoc_has(v); v = jdoc_next(models, v))
        if (!read_model(g, v, &list[(*ret_count)++]))
            return false;
    return true;
}

void portkey_integrations_set_models(struct job *j)
{
    struct given g;
    struct control_integration row;
    struct control_why why = {.param = ""};
    size_t count;
    bool all = true;
    if (!portkey_accounts_find(j, &row) || !given_begin(&g, j))
        return;
    struct allow_model *list = mem_zalloc(ALLOW_MODELS_MAX * sizeof *list);
    const bool *all_models = given_bool(&g, g.root, "allow_all_models", &all);
    if (!j->status && read_models(&g, list, &count) &&
        fail(j, allow_set(control_of(j), row.workspace_id, row.slug, list, count, all_models, &why), &why))
        reply_done(j);
    mem_free(list);
    given_end(&g);
}

void portkey_integrations_drop_models(struct job *j)
{
    struct control_integration row;
    struct control_why why = {.param = ""};
    struct str slugs[100], part, list = given_query(j, "slugs");
    size_t count = 0;
    if (!portkey_accounts_find(j, &row))
        return;
    while (str_split(&list, ',', &part)) {
        part = str_trim(part);
        if (part.n && count == sizeof slugs / sizeof slugs[0]) {
            job_fail(j, ERR_BAD_PARAMETER, STR("slugs"), STR("at most 100 at once"));
            return;
        }
        if (part.n)
            slugs[count++] = part;
    }
    if (!count)
        job_fail(j, ERR_MISSING_PARAMETER, STR("slugs"), STR("name the models, with commas"));
    else if (fail(j, allow_remove(control_of(j), row.workspace_id, row.slug, slugs, count, &why), &why))
        reply_done(j);
}

/* ---- workspaces ---- */

static bool write_workspace(struct job *j, const struct control_integration *i, int64_t id, struct str name,
                            bool enabled)
{
    struct json_write *w = &j->json;
    struct control_why why = {.param = ""};
    const struct rule_place place = {LIMIT_ACCESS, i->id, id, STR("")};
    json_write_object(w);
    json_write_member_string(w, "id", name);
    json_write_member_string(w, "name", name);
    json_write_member_bool(w, "enabled", enabled);
    if (!fail(j, portkey_limits_write(j, &place, PORTKEY_LIMITS_LOOSE, &why), &why))
        return false;
    json_write_object_end(w);
    return true;
}

void portkey_integrations_workspaces(struct job *j)
{
    struct control_integration row;
    struct control_why why = {.param = ""};
    struct access_entry *list = NULL;
    struct json_write *w = &j->json;
    size_t count = 0;
    bool all = false;
    if (!portkey_accounts_find(j, &row))
        return;
    enum err e = access_list(control_of(j), row.workspace_id, row.slug, j->arena, &list, &count, &all, &why);
    if (!fail(j, e, &why))
        return;
    const struct snapshot_workspace *own = snapshot_workspace_of(j->snapshot, row.workspace_id);
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("list"));
    json_write_member_uint(w, "total", count + 1);
    json_write_key(w, STR("global_workspace_access"));
    json_write_object(w);
    json_write_member_bool(w, "enabled", all);
    json_write_object_end(w);
    json_write_key(w, STR("workspaces"));
    json_write_array(w);
    if (!write_workspace(j, &row, row.workspace_id, own ? own->name : STR(""), true))
        return;
    for (size_t i = 0; i < count; i++)
        if (!write_workspace(j, &row, list[i].workspace_id, list[i].workspace, list[i].enabled))
            return;
    json_write_array_end(w);
    json_write_object_end(w);
}

#define WORKSPACES_MAX 200

struct shares {
    struct access_entry list[WORKSPACES_MAX];
    struct portkey_limits limits[WORKSPACES_MAX];
    size_t count;
    bool all, instead;
    const bool *all_given;
};

static bool read_workspace(struct given *g, struct jval v, const struct control_integration *of, struct shares *s)
{
    struct job *j = g->job;
    bool enabled = true;
    struct access_entry *entry = &s->list[s->count];
    struct str name = given_text(g, v, "id");
    if (!name.p)
        name = given_text(g, v, "workspace_id");
    (void)given_bool(g, v, "enabled", &enabled);
    if (j->status || !portkey_limits_read(g, v, &s->limits[s->count]))
        return false;
    if (!name.n) {
        job_fail(j, ERR_MISSING_PARAMETER, STR("workspaces"), STR("each entry needs the id of a workspace"));
        return false;
    }
    if (!given_workspace(j, name, &entry->workspace_id))
        return false;
    entry->enabled = enabled;
    if (!enabled && entry->workspace_id == of->workspace_id) {
        job_fail(j, ERR_BAD_PARAMETER, STR("workspaces"), STR("an integration's own workspace always has access"));
        return false;
    }
    s->count++;
    return true;
}

static bool read_shares(struct given *g, const struct control_integration *of, struct shares *s)
{
    struct job *j = g->job;
    struct jval list = given_member(g->root, "workspaces"), global = given_member(g->root, "global_workspace_access");
    if (jdoc_kind(global) == JDOC_OBJECT) {
        struct portkey_limits ignored;
        if (!portkey_limits_read(g, global, &ignored))
            return false;
        if (ignored.budget_count || ignored.rate_count)
            job_fail(j, ERR_BAD_PARAMETER, STR("global_workspace_access"),
                     STR("limits are given for each workspace, or for the integration"));
        s->all_given = given_bool(g, global, "enabled", &s->all);
    } else {
        s->all_given = given_bool(g, g->root, "global_workspace_access", &s->all);
    }
    (void)given_bool(g, g->root, "override_existing_workspace_access", &s->instead);
    if (!j->status && s->all_given && s->all && !reach_organizes(j->key, KIND_ROLE_OWNER))
        job_fail(j, ERR_FORBIDDEN, STR("global_workspace_access"), STR("only owners share with all workspaces"));
    if (!j->status && jdoc_has(list) && (jdoc_kind(list) != JDOC_ARRAY || jdoc_size(list) > WORKSPACES_MAX))
        job_fail(j, ERR_BAD_PARAMETER, STR("workspaces"), STR("it is an array of at most 200 objects"));
    if (j->status)
        return false;
    for (struct jval v = jdoc_first(list); jdoc_has(v); v = jdoc_next(list, v))
        if (!read_workspace(g, v, of, s))
            return false;
    return true;
}

/* Access, and for who has it a provider of the same slug, unless the slug is taken there. */
static enum err put_shares(struct job *j, const struct control_integration *of, const struct shares *s,
                           struct control_why *why)
{
    const struct control_integration_spec spec = {.slug = of->slug, .name = of->name};
    struct control_integration made;
    enum err e =
        access_set(control_of(j), of->workspace_id, of->slug, s->list, s->count, s->instead, s->all_given, why);
    for (size_t i = 0; e == ERR_OK && i < s->count; i++) {
        const struct access_entry *entry = &s->list[i];
        const struct rule_place place = {LIMIT_ACCESS, of->id, entry->workspace_id, STR("")};
        if (entry->enabled && entry->workspace_id != of->workspace_id && !of->hidden)
            e = control_integration_share(control_of(j), entry->workspace_id, of->slug, &spec, j->arena, &made, why);
        if (e == ERR_OK || e == ERR_CONFLICT)
            e = portkey_limits_put(j, &place, &s->limits[i], why);
    }
    return e;
}

void portkey_integrations_set_workspaces(struct job *j)
{
    struct given g;
    struct control_integration row;
    struct control_why why = {.param = ""};
    if (!portkey_accounts_find(j, &row) || !given_begin(&g, j))
        return;
    struct shares *s = mem_zalloc(sizeof *s);
    if (read_shares(&g, &row, s)) {
        control_hold(control_of(j));
        enum err e = put_shares(j, &row, s, &why);
        struct control_why late = {.param = ""};
        enum err released = control_release(control_of(j), &late);
        if (fail(j, e, &why) && fail(j, released, &late))
            reply_done(j);
    }
    mem_free(s);
    given_end(&g);
}
