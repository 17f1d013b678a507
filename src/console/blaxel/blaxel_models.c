/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model APIs: Blaxel's metadata and spec to control's rows and back. There is nothing to deploy, so a
 * model is deployed as soon as it is stored.
 */
#include <stdio.h>

#include "base/must.h"
#include "console/blaxel/blaxel.h"
#include "console/blaxel/listing.h"
#include "console/blaxel/tenant.h"
#include "console/console_inner.h"
#include "console/native/output.h"
#include "console/portkey/given.h"
#include "control/model/model.h"

#define REVISIONS_SHOWN 100

/* ---- writing ---- */

static void write_json(struct json_write *w, const char *name, struct str json, const char *empty)
{
    json_write_member_raw(w, name, json.n ? json : str_c(empty));
}

static void write_given(struct json_write *w, const char *name, struct str text)
{
    if (text.n)
        json_write_member_string(w, name, text);
}

static void write_url(struct job *j, const char *name, struct str model)
{
    struct buf url;
    buf_init(&url, 4096);
    bool ok =
        tenant_origin(j, &url) && buf_printf(&url, "/run/%.*s/models/%.*s", STR_ARG(tenant_name(j)), STR_ARG(model));
    must(ok);
    json_write_member_string(&j->json, name, buf_str(&url));
    buf_free(&url);
}

static void write_metadata(struct job *j, const struct model_row *m)
{
    struct json_write *w = &j->json;
    json_write_key(w, STR("metadata"));
    json_write_object(w);
    json_write_member_string(w, "name", m->name);
    json_write_member_string(w, "displayName", m->display_name.n ? m->display_name : m->name);
    if (m->external_id.n)
        json_write_member_string(w, "externalId", m->external_id);
    write_json(w, "labels", m->labels, "{}");
    json_write_member_string(w, "workspace", tenant_name(j));
    json_write_member_string(w, "plan", STR(""));
    write_url(j, "url", m->name);
    output_time(w, "createdAt", m->created_us);
    output_time(w, "updatedAt", m->updated_us);
    json_write_member_string(w, "createdBy", m->created_by);
    json_write_member_string(w, "updatedBy", m->updated_by);
    json_write_object_end(w);
}

static void write_spec(struct json_write *w, const struct model_row *m)
{
    json_write_key(w, STR("spec"));
    json_write_object(w);
    json_write_member_bool(w, "enabled", m->enabled);
    write_json(w, "integrationConnections", m->integrations, "[]");
    write_json(w, "policies", m->policies, "[]");
    write_json(w, "flavors", m->flavors, "[]");
    json_write_member_bool(w, "sandbox", m->sandbox);
    json_write_key(w, STR("runtime"));
    json_write_object(w);
    json_write_member_string(w, "type", m->type);
    json_write_member_string(w, "model", m->model);
    /* The Python SDK does not know an empty generation. */
    write_given(w, "organization", m->organization);
    write_given(w, "endpointName", m->endpoint_name);
    write_given(w, "generation", m->generation);
    if (m->any_model)
        json_write_member_bool(w, "allowModelOverride", true);
    if (m->configuration.n)
        json_write_member_raw(w, "configuration", m->configuration);
    json_write_object_end(w);
    json_write_object_end(w);
}

/* What is asked of a model goes to its integrations; with none of them left there is nowhere to go. */
static struct str status_of(const struct job *j, const struct model_row *m)
{
    struct jdoc doc;
    bool any = false;
    if (!m->enabled)
        return STR("DEACTIVATED");
    jdoc_init(&doc);
    if (jdoc_parse(&doc, m->integrations))
        for (struct jval v = jdoc_first(jdoc_root(&doc)); !any && jdoc_has(v); v = jdoc_next(jdoc_root(&doc), v))
            any = snapshot_find_integration(j->snapshot, m->workspace_id, jdoc_escaped(v)) != NULL;
    jdoc_free(&doc);
    return any ? STR("DEPLOYED") : STR("FAILED");
}

static void write_model(struct job *j, const void *row)
{
    const struct model_row *m = row;
    struct json_write *w = &j->json;
    json_write_object(w);
    write_metadata(j, m);
    write_spec(w, m);
    json_write_member_string(w, "status", status_of(j, m));
    json_write_member_raw(w, "events", STR("[]"));
    json_write_object_end(w);
}

static void reply(struct job *j, enum err e, const struct model_row *m, const struct control_why *why)
{
    if (e) {
        job_fail_why(j, e, why);
        return;
    }
    /* What was just made may name an integration that is newer than the job's snapshot. */
    struct snapshot *newest = control_snapshot(j->console->settings.control);
    snapshot_unref(j->snapshot);
    j->snapshot = newest;
    job_reply_json(j, 200);
    write_model(j, m);
}

/* ---- reading ---- */

/* The member as compact text; p == NULL when it is absent or null. */
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

static bool flag_of(struct given *g, struct jval object, const char *name, bool missing)
{
    bool store;
    const bool *given = given_bool(g, object, name, &store);
    return given ? *given : missing;
}

/* False when the job was answered. */
static bool read_model(struct given *g, struct model_row *m)
{
    struct jval metadata = jdoc_find(g->root, "metadata"), spec = jdoc_find(g->root, "spec");
    struct jval runtime = jdoc_find(spec, "runtime");
    *m = (struct model_row){
        .name = text_of(g, metadata, "name"),
        .display_name = text_of(g, metadata, "displayName"),
        .external_id = text_of(g, metadata, "externalId"),
        .labels = json_of(metadata, "labels"),
        .enabled = flag_of(g, spec, "enabled", true),
        .sandbox = flag_of(g, spec, "sandbox", false),
        .any_model = flag_of(g, runtime, "allowModelOverride", false),
        .integrations = json_of(spec, "integrationConnections"),
        .policies = json_of(spec, "policies"),
        .flavors = json_of(spec, "flavors"),
        .type = text_of(g, runtime, "type"),
        .model = text_of(g, runtime, "model"),
        .organization = text_of(g, runtime, "organization"),
        .endpoint_name = text_of(g, runtime, "endpointName"),
        .generation = text_of(g, runtime, "generation"),
        .configuration = json_of(runtime, "configuration"),
    };
    if (str_eq(m->configuration, STR("{}")))
        m->configuration = STR("");
    if (str_eq(m->labels, STR("{}")))
        m->labels = STR("");
    return g->job->status == 0;
}

/* ---- handlers ---- */

static struct str status_filter(struct job *j)
{
    return job_query(j, STR("status"));
}

/* Every word of the list must be a status there is. */
static bool check_statuses(struct job *j, struct str list)
{
    static const char *const known[] = {"UPLOADING",   "BUILDING",   "BUILT",    "DEPLOYING",
                                        "DEPLOYED",    "FAILED",     "DELETING", "DEACTIVATING",
                                        "DEACTIVATED", "TERMINATED", "CREATED",  "UPDATED"};
    struct str word;
    while (list.n && str_split(&list, ',', &word)) {
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            found |= str_eq_nocase(str_trim(word), str_c(known[i]));
        if (!found) {
            job_fail(j, ERR_BAD_PARAMETER, STR("status"),
                     STR("There is no such status; DEPLOYED and DEACTIVATED are two."));
            return false;
        }
    }
    return true;
}

static bool has_status(struct str list, struct str status)
{
    struct str word;
    bool found = !list.n;
    while (list.n && str_split(&list, ',', &word))
        found |= str_eq_nocase(str_trim(word), status);
    return found;
}

void blaxel_models_list(struct job *j)
{
    struct model_row *rows = NULL;
    struct control_why why = {.param = ""};
    struct listing listing;
    size_t total = 0, count = 0;
    struct str statuses = status_filter(j);
    if (!check_statuses(j, statuses) || !listing_read(&listing, j, statuses))
        return;
    enum err e = model_list(j->console->settings.control, j->workspace_id, j->arena, &rows, &total, &why);
    struct listing_item *items = e ? NULL : arena_alloc(j->arena, (total + 1) * sizeof *items);
    if (e || !items) {
        job_fail_why(j, e ? e : ERR_OVERLOADED, &why);
        return;
    }
    for (size_t i = 0; i < total; i++) {
        const struct model_row *m = &rows[i];
        items[count] = (struct listing_item){m->id, m->created_us, m->name, m->display_name, m->labels, m};
        count += (!listing.pages || has_status(statuses, status_of(j, m))) && listing_matches(&listing, &items[count]);
    }
    listing_reply(&listing, items, count, total, write_model);
}

void blaxel_models_get(struct job *j)
{
    struct model_row m;
    struct control_why why = {.param = ""};
    enum err e = model_find(j->console->settings.control, j->workspace_id, j->params[0], j->arena, &m, &why);
    reply(j, e, &m, &why);
}

void blaxel_models_create(struct job *j)
{
    struct given g;
    struct model_row given, made;
    struct control_why why = {.param = ""};
    if (!given_begin(&g, j))
        return;
    if (read_model(&g, &given)) {
        enum err e = model_create(j->console->settings.control, j->workspace_id, &given, j->arena, &made, &why);
        reply(j, e, &made, &why);
    }
    given_end(&g);
}

void blaxel_models_update(struct job *j)
{
    struct given g;
    struct model_row given, made;
    struct control_why why = {.param = ""};
    if (!given_begin(&g, j))
        return;
    bool ok = read_model(&g, &given);
    if (ok && given.name.n && !str_eq(given.name, j->params[0])) {
        job_fail(j, ERR_BAD_PARAMETER, STR("metadata.name"), STR("The name of a model API cannot be changed."));
    } else if (ok) {
        given.name = j->params[0];
        enum err e = model_update(j->console->settings.control, j->workspace_id, &given, j->arena, &made, &why);
        reply(j, e, &made, &why);
    }
    given_end(&g);
}

void blaxel_models_delete(struct job *j)
{
    struct model_row m;
    struct control_why why = {.param = ""};
    enum err e = model_delete(j->console->settings.control, j->workspace_id, j->params[0], j->arena, &m, &why);
    reply(j, e, &m, &why);
}

static void write_revision(struct json_write *w, const struct model_revision *r, size_t place)
{
    char id[16];
    int n = snprintf(id, sizeof id, "%u", r->number);
    json_write_object(w);
    json_write_member_string(w, "id", str_of(id, (size_t)n));
    json_write_member_string(w, "status", place == 0 ? STR("DEPLOYED") : STR("TERMINATED"));
    json_write_member_bool(w, "active", place == 0);
    json_write_member_bool(w, "previousActive", place == 1);
    json_write_member_bool(w, "canary", false);
    json_write_member_uint(w, "trafficPercent", place == 0 ? 100 : 0);
    output_time(w, "createdAt", r->created_us);
    json_write_member_string(w, "createdBy", r->created_by);
    json_write_member_raw(w, "spec", r->spec);
    json_write_object_end(w);
}

void blaxel_models_revisions(struct job *j)
{
    struct model_revision *rows = NULL;
    struct control_why why = {.param = ""};
    size_t count = 0;
    enum err e = model_revisions(j->console->settings.control, j->workspace_id, j->params[0], REVISIONS_SHOWN, j->arena,
                                 &rows, &count, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 200);
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        write_revision(&j->json, &rows[i], i);
    json_write_array_end(&j->json);
}
