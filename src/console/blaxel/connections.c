/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integration connections: Blaxel's config and secret maps to control's integrations and back. A
 * provider's key goes in and comes out as its first and last letters, for admins only.
 */
#include "console/blaxel/connections.h"
#include "console/blaxel/blaxel.h"
#include "console/blaxel/model_facts.h"
#include "console/blaxel/tenant.h"
#include "console/blaxel/upstream_models.h"
#include "console/catalog.h"
#include "console/console_inner.h"
#include "console/native/output.h"
#include "console/portkey/given.h"
#include "control/control_integration.h"
#include "net/url.h"

#define MODELS_MAX 10000

/* Blaxel's names of what we have; the first of a kind is what is shown. */
static const struct {
    const char *text;
    enum kind_integration kind;
} kinds[] = {
    {"openai", KIND_INTEGRATION_OPENAI},
    {"azure-openai-service", KIND_INTEGRATION_AZURE_OPENAI},
    {"azure-openai", KIND_INTEGRATION_AZURE_OPENAI},
    {"azure-ai-inference", KIND_INTEGRATION_AZURE_OPENAI},
    {"azure-marketplace", KIND_INTEGRATION_AZURE_OPENAI},
    {"openai-compatible", KIND_INTEGRATION_OPENAI_COMPATIBLE},
    {"openai-admin", KIND_INTEGRATION_OPENAI_ADMIN},
    {"openai-legacy", KIND_INTEGRATION_OPENAI_LEGACY},
};

static const char *type_of(enum kind_integration kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].kind == kind)
            return kinds[i].text;
    return "";
}

bool connections_kind(struct str type, enum kind_integration *ret)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (str_eq(type, str_c(kinds[i].text))) {
            *ret = kinds[i].kind;
            return true;
        }
    }
    return false;
}

/* ---- writing ---- */

static void write_pair(struct json_write *w, const char *name, struct str value)
{
    if (value.n)
        json_write_member_string(w, name, value);
}

static void write_connection(struct job *j, const struct control_integration *i)
{
    struct json_write *w = &j->json;
    json_write_object(w);
    json_write_key(w, STR("metadata"));
    json_write_object(w);
    json_write_member_string(w, "name", i->slug);
    json_write_member_string(w, "displayName", i->name);
    json_write_member_string(w, "workspace", tenant_name(j));
    output_time(w, "createdAt", i->created_us);
    output_time(w, "updatedAt", i->updated_us);
    json_write_object_end(w);
    json_write_key(w, STR("spec"));
    json_write_object(w);
    json_write_member_string(w, "integration", str_c(type_of(i->kind)));
    json_write_key(w, STR("config"));
    json_write_object(w);
    write_pair(w, "baseURL", i->base_url);
    write_pair(w, "organization", i->organization);
    write_pair(w, "project", i->project);
    write_pair(w, "apiVersion", i->api_version);
    write_pair(w, "deployments", i->deployments);
    json_write_object_end(w);
    json_write_key(w, STR("secret"));
    json_write_object(w);
    if (tenant_is_admin(j))
        write_pair(w, "apiKey", i->key_hint);
    json_write_object_end(w);
    json_write_member_bool(w, "sandbox", false);
    json_write_object_end(w);
    json_write_object_end(w);
}

static void reply(struct job *j, enum err e, const struct control_integration *row, const struct control_why *why)
{
    if (e) {
        job_fail_why(j, e, why);
        return;
    }
    job_reply_json(j, 200);
    write_connection(j, row);
}

/* ---- reading ---- */

/* The first of these names that is there; p == NULL when none is. */
static struct str either(struct given *g, struct jval object, const char *a, const char *b, const char *c)
{
    struct str text = given_text(g, object, a);
    if (!text.p)
        text = given_text(g, object, b);
    return text.p ? text : given_text(g, object, c);
}

/* A key as it was shown, sent back. */
static bool is_mask(struct str key)
{
    return str_search(key, STR("…")) >= 0 || str_search(key, STR("***")) >= 0;
}

/* False when the job was answered. */
static bool read_spec(struct given *g, struct control_integration_spec *spec)
{
    struct job *j = g->job;
    struct jval metadata = jdoc_find(g->root, "metadata"), body = jdoc_find(g->root, "spec");
    struct jval config = jdoc_find(body, "config"), secret = jdoc_find(body, "secret");
    enum kind_integration kind;
    *spec = (struct control_integration_spec){
        .slug = given_text(g, metadata, "name"),
        .name = given_text(g, metadata, "displayName"),
        .kind = given_text(g, body, "integration"),
        .base_url = either(g, config, "baseURL", "base_url", "endpoint"),
        .api_key = either(g, secret, "apiKey", "api_key", "key"),
        .organization = given_text(g, config, "organization"),
        .project = given_text(g, config, "project"),
        .api_version = given_text(g, config, "api_version"),
        .deployments = given_object(g, config, "deployments"),
    };
    if (j->status)
        return false;
    if (spec->name.p && !spec->name.n)
        spec->name = (struct str){NULL, 0};
    if (spec->kind.n && !connections_kind(spec->kind, &kind)) {
        job_fail(j, ERR_BAD_PARAMETER, STR("spec.integration"),
                 STR("The integration is openai, azure-openai-service or openai-compatible."));
        return false;
    }
    if (spec->kind.n)
        spec->kind = str_c(kind_integration_text(kind));
    return true;
}

/* ---- handlers ---- */

void connections_list(struct job *j)
{
    struct control_integration *rows = NULL;
    struct control_why why = {.param = ""};
    size_t count = 0;
    enum err e = control_integration_list(j->console->settings.control, j->workspace_id, j->arena, &rows, &count, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 200);
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        write_connection(j, &rows[i]);
    json_write_array_end(&j->json);
}

void connections_get(struct job *j)
{
    struct control_integration row;
    struct control_why why = {.param = ""};
    enum err e =
        control_integration_find(j->console->settings.control, j->workspace_id, j->params[0], j->arena, &row, &why);
    reply(j, e, &row, &why);
}

void connections_create(struct job *j)
{
    struct given g;
    struct control_integration_spec spec;
    struct control_integration row;
    struct control_why why = {.param = ""};
    if (!given_begin(&g, j))
        return;
    if (read_spec(&g, &spec)) {
        enum err e =
            control_integration_create(j->console->settings.control, j->workspace_id, &spec, j->arena, &row, &why);
        reply(j, e, &row, &why);
    }
    given_end(&g);
}

/* What a replacement leaves out is taken away, but for the key and the address it is bound to. */
void connections_update(struct job *j)
{
    struct given g;
    struct control_integration_spec spec;
    struct control_integration row;
    struct control_why why = {.param = ""};
    if (!given_begin(&g, j))
        return;
    if (read_spec(&g, &spec)) {
        if (is_mask(spec.api_key) || !spec.api_key.n)
            spec.api_key = (struct str){NULL, 0};
        if (jdoc_has(jdoc_find(jdoc_find(g.root, "spec"), "config"))) {
            if (!spec.organization.p)
                spec.organization = STR("");
            if (!spec.project.p)
                spec.project = STR("");
        }
        enum err e = control_integration_update(j->console->settings.control, j->workspace_id, j->params[0], &spec,
                                                j->arena, &row, &why);
        reply(j, e, &row, &why);
    }
    given_end(&g);
}

void connections_delete(struct job *j)
{
    struct control_integration row;
    struct control_why why = {.param = ""};
    struct control *control = j->console->settings.control;
    enum err e = control_integration_find(control, j->workspace_id, j->params[0], j->arena, &row, &why);
    if (!e)
        e = control_integration_delete(control, j->workspace_id, j->params[0], &why);
    reply(j, e, &row, &why);
}

/* ---- the catalogue ---- */

static void write_model(struct json_write *w, const struct price_catalog *c, const struct upstream_model *m)
{
    json_write_object(w);
    json_write_member_string(w, "id", m->id);
    json_write_member_string(w, "name", m->id);
    json_write_member_string(w, "author", m->owner);
    json_write_member_string(w, "endpoint", STR(""));
    output_time(w, "created_at", m->created_us);
    json_write_member_raw(w, "tags", STR("[]"));
    model_facts_write(w, c, m->id);
    json_write_object_end(w);
}

/* NULL: the job was answered. */
static const struct price_catalog *facts(struct job *j)
{
    char why[512];
    const struct price_catalog *c = catalog_get(j->console, why, sizeof why);
    if (!c)
        job_fail(j, ERR_BAD_PRICES, STR(""), str_c(why));
    return c;
}

static void reply_list(struct job *j, const struct upstream_model *list, size_t count)
{
    struct str q = job_query(j, STR("q"));
    uint64_t limit;
    if (!job_query_u64(j, STR("limit"), MODELS_MAX, MODELS_MAX, &limit)) {
        job_fail(j, ERR_BAD_PARAMETER, STR("limit"), STR("The limit is a number up to 10000."));
        return;
    }
    const struct price_catalog *c = facts(j);
    if (!c)
        return;
    job_reply_json(j, 200);
    json_write_array(&j->json);
    for (size_t i = 0; i < count && limit; i++) {
        if (q.n && str_search(list[i].id, q) < 0)
            continue;
        write_model(&j->json, c, &list[i]);
        limit--;
    }
    json_write_array_end(&j->json);
}

static void reply_one(struct job *j, const struct upstream_model *list, size_t count, struct str id)
{
    struct str decoded;
    if (!url_decode(id, URL_IN_PATH, j->arena, &decoded))
        decoded = id;
    for (size_t i = 0; i < count; i++) {
        if (str_eq(list[i].id, id) || str_eq(list[i].id, decoded)) {
            const struct price_catalog *c = facts(j);
            if (!c)
                return;
            job_reply_json(j, 200);
            write_model(&j->json, c, &list[i]);
            return;
        }
    }
    job_fail(j, ERR_NOT_FOUND, STR("modelId"), STR("The provider's account has no such model."));
}

/* NULL: the job was answered. */
static const struct snapshot_integration *account_of(struct job *j)
{
    const struct snapshot_integration *i = snapshot_find_integration(j->snapshot, j->workspace_id, j->params[0]);
    if (!i)
        job_fail(j, ERR_NOT_FOUND, STR("connectionName"), STR("There is no such integration in this workspace."));
    else if (i->broken)
        job_fail(j, ERR_NO_INTEGRATION, STR("connectionName"), STR("The integration's key is broken; store it again."));
    return j->status ? NULL : i;
}

/* The workspace's default one of that type, or else any. */
static const struct snapshot_integration *account_of_type(struct job *j)
{
    struct control_integration *rows = NULL;
    struct control_why why = {.param = ""};
    enum kind_integration kind;
    size_t count = 0;
    const struct snapshot_integration *found = NULL;
    if (!connections_kind(j->params[0], &kind) ||
        control_integration_list(j->console->settings.control, j->workspace_id, j->arena, &rows, &count, &why))
        count = 0;
    for (size_t i = 0; i < count; i++)
        if (rows[i].kind == kind && (!found || rows[i].is_default))
            found = snapshot_find_integration(j->snapshot, j->workspace_id, rows[i].slug);
    if (!found)
        job_fail(j, ERR_NOT_FOUND, STR("integration"), STR("No integration of this type is connected here."));
    return found;
}

static void reply_models(struct job *j, const struct snapshot_integration *i, struct str id)
{
    struct upstream_model *list;
    size_t count;
    if (!i || !upstream_models_get(j, i, &list, &count))
        return;
    if (id.n)
        reply_one(j, list, count, id);
    else
        reply_list(j, list, count);
}

void connections_models(struct job *j)
{
    reply_models(j, account_of(j), STR(""));
}

void connections_model(struct job *j)
{
    reply_models(j, account_of(j), j->params[1]);
}

void connections_type_models(struct job *j)
{
    reply_models(j, account_of_type(j), STR(""));
}

void connections_type_model(struct job *j)
{
    reply_models(j, account_of_type(j), j->params[1]);
}

/* There is nothing to choose: a model of these providers has one endpoint. */
void connections_endpoints(struct job *j)
{
    if (account_of(j))
        job_reply_bytes(j, 200, STR("application/json"), STR("[]"));
}
