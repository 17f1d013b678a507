/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys as Portkey's API makes them: of a workspace, with scopes and defaults. They have a member's role;
 * a list of scopes widens or narrows it (see may_call in console.c). Limits that we would not enforce are
 * refused rather than stored.
 */
#include "base/clock.h"
#include "base/must.h"
#include "console/console_inner.h"
#include "console/native/output.h"
#include "console/portkey/given.h"
#include "console/portkey/portkey.h"
#include "control/control_key.h"

#define KEYS_MAX 1000

/* ---- reading ---- */

static void write_scopes(struct json_write *w, scope_set scopes)
{
    json_write_key(w, STR("scopes"));
    json_write_array(w);
    for (unsigned i = 0; i < SNAPSHOT_SCOPE_COUNT; i++)
        if (scopes != SNAPSHOT_SCOPES_ALL && (scopes >> i & 1))
            json_write_string(w, str_c(scope_text((enum snapshot_scope)i)));
    json_write_array_end(w);
}

static void write_defaults(struct json_write *w, const struct control_key *k)
{
    json_write_key(w, STR("defaults"));
    json_write_object(w);
    json_write_member_text(w, "config_id", k->config);
    json_write_member_text(w, "config_slug", k->config);
    json_write_member_bool(w, "allow_config_override", !k->config_fixed);
    if (k->metadata.n)
        json_write_member_raw(w, "metadata", k->metadata);
    else
        json_write_member_null(w, "metadata");
    json_write_object_end(w);
}

static const char *status_of(const struct control_key *k)
{
    if (k->revoked_us)
        return "revoked";
    if (k->disabled)
        return "disabled";
    return k->expires_us && k->expires_us <= clock_wall_us() ? "expired" : "active";
}

static void write_fields(struct job *j, const struct control_key *k)
{
    struct json_write *w = &j->json;
    struct buf masked;
    const struct snapshot_workspace *ws = snapshot_workspace_of(j->snapshot, k->workspace_id);
    buf_init(&masked, 64);
    bool ok = buf_printf(&masked, APIKEY_PREFIX "********%s", k->last);
    must(ok);
    json_write_member_string(w, "id", k->public_id);
    json_write_member_string(w, "key", buf_str(&masked));
    json_write_member_string(w, "name", k->name);
    json_write_member_string(w, "type", STR("workspace-service"));
    json_write_member_string(w, "organisation_id", STR("default"));
    json_write_member_string(w, "workspace_id", ws ? ws->name : STR(""));
    json_write_member_string(w, "role", str_c(kind_role_text(k->role)));
    json_write_member_string(w, "status", str_c(status_of(k)));
    json_write_member_string(w, "creation_mode", STR("api"));
    write_scopes(w, k->scopes);
    write_defaults(w, k);
    output_time(w, "created_at", k->created_us);
    output_time(w, "last_updated_at", k->updated_us);
    output_time(w, "expires_at", k->expires_us);
    json_write_member_string(w, "object", STR("api-key"));
    buf_free(&masked);
}

void portkey_keys_list(struct job *j)
{
    struct control_key *rows = NULL;
    size_t count = 0;
    int64_t workspace_id;
    uint64_t skip, limit;
    struct control_why why = {.param = ""};
    if (!given_workspace(j, given_query(j, "workspace_id"), &workspace_id) ||
        !given_page(j, KEYS_MAX, KEYS_MAX, &skip, &limit))
        return;
    enum err e =
        control_key_list(j->console->settings.control, workspace_id, 0, KEYS_MAX, j->arena, &rows, &count, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    json_write_object(w);
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

/* The key in the path. False when the job was answered. */
static bool find(struct job *j, struct control_key *ret_row)
{
    struct control_why why = {.param = ""};
    enum err e =
        control_key_find(j->console->settings.control, j->key->workspace_id, j->params[0], j->arena, ret_row, &why);
    if (e)
        job_fail_why(j, e, &why);
    return !e;
}

void portkey_keys_get(struct job *j)
{
    struct control_key row;
    if (!find(j, &row))
        return;
    job_reply_json(j, 200);
    json_write_object(&j->json);
    write_fields(j, &row);
    json_write_object_end(&j->json);
}

/* ---- changing ---- */

/* What a body says about a key; NULL or p == NULL = not given. */
struct wishes {
    struct str name, config, metadata;
    const int64_t *expires_us;
    const scope_set *scopes;
    const bool *config_fixed;
    int64_t expires_store;
    scope_set scopes_store;
    bool fixed_store;
};

static bool is_empty(struct jval v)
{
    enum jdoc_kind kind = jdoc_kind(v);
    return !jdoc_has(v) || ((kind == JDOC_OBJECT || kind == JDOC_ARRAY) && jdoc_size(v) == 0);
}

static void read_scopes(struct given *g, struct wishes *w)
{
    struct jval list = given_member(g->root, "scopes");
    scope_set scopes = 0;
    if (!jdoc_has(list))
        return;
    if (jdoc_kind(list) != JDOC_ARRAY) {
        job_fail(g->job, ERR_BAD_PARAMETER, STR("scopes"), STR("it must be an array of strings"));
        return;
    }
    for (struct jval v = jdoc_first(list); jdoc_has(v); v = jdoc_next(list, v)) {
        enum snapshot_scope scope;
        if (!scope_from_text(jdoc_text(v, g->job->arena), &scope)) {
            struct buf text;
            buf_init(&text, 256);
            bool ok = buf_printf(&text, "there is no scope %.*s", STR_ARG(str_head(jdoc_raw(v), 100)));
            job_fail(g->job, ERR_BAD_PARAMETER, STR("scopes"), ok ? buf_str(&text) : STR(""));
            buf_free(&text);
            return;
        }
        scopes |= SCOPE_BIT(scope);
    }
    w->scopes_store = scopes ? scopes : SNAPSHOT_SCOPES_ALL;
    w->scopes = &w->scopes_store;
}

static void read_defaults(struct given *g, struct wishes *w)
{
    struct jval defaults = given_member(g->root, "defaults");
    bool may_override;
    w->config = given_text(g, defaults, "config_id");
    if (!w->config.p)
        w->config = given_text(g, defaults, "config_slug");
    w->metadata = given_object(g, defaults, "metadata");
    if (given_bool(g, defaults, "allow_config_override", &may_override)) {
        w->fixed_store = !may_override;
        w->config_fixed = &w->fixed_store;
    }
}

/* False when the job was answered. */
static bool read_wishes(struct given *g, struct wishes *w)
{
    static const char *const unknown[] = {"rate_limits", "usage_limits", "rotation_policy"};
    *w = (struct wishes){0};
    w->name = given_text(g, g->root, "name");
    w->expires_us = given_time(g, g->root, "expires_at", &w->expires_store);
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0] && !g->job->status; i++)
        if (!is_empty(given_member(g->root, unknown[i])))
            job_fail(g->job, ERR_BAD_PARAMETER, str_c(unknown[i]), STR("keys do not have these yet; leave it out"));
    if (!g->job->status)
        read_scopes(g, w);
    if (!g->job->status)
        read_defaults(g, w);
    return g->job->status == 0;
}

static void create(struct job *j, const struct wishes *w, int64_t workspace_id)
{
    struct control_key row;
    struct control_why why = {.param = ""};
    struct secret text = {0};
    const struct control_key_spec spec = {
        .name = w->name.p ? w->name : STR(""),
        .role = KIND_ROLE_MEMBER,
        .record_bodies = KIND_BODIES_DEFAULT,
        .expires_us = w->expires_us ? *w->expires_us : 0,
        .scopes = w->scopes ? *w->scopes : SNAPSHOT_SCOPES_ALL,
        .config = w->config.p ? w->config : STR(""),
        .config_fixed = w->config_fixed && *w->config_fixed,
        .metadata = w->metadata.p ? w->metadata : STR(""),
    };
    enum err e = control_key_create(j->console->settings.control, workspace_id, &spec, j->arena, &row, &text, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 200);
    json_write_object(&j->json);
    json_write_member_string(&j->json, "id", row.public_id);
    json_write_member_string(&j->json, "key", secret_reveal(&text));
    json_write_member_string(&j->json, "object", STR("api-key"));
    json_write_object_end(&j->json);
    secret_wipe(&text);
}

void portkey_keys_create(struct job *j)
{
    struct given g;
    struct wishes w;
    int64_t workspace_id;
    bool service = str_eq(j->params[1], STR("service"));
    if (!str_eq(j->params[0], STR("workspace")) || (!service && !str_eq(j->params[1], STR("user")))) {
        job_fail(j, ERR_BAD_PARAMETER, STR("type"), STR("keys are made at /v1/api-keys/workspace/service"));
        return;
    }
    if (!given_begin(&g, j))
        return;
    if (read_wishes(&g, &w) && given_workspace(j, given_text(&g, g.root, "workspace_id"), &workspace_id))
        create(j, &w, workspace_id);
    given_end(&g);
}

/* An admin does not change an owner's key. */
static bool may_change(struct job *j)
{
    struct control_key row;
    if (!find(j, &row))
        return false;
    if (row.role < j->key->role)
        job_fail(j, ERR_FORBIDDEN, STR(""), STR("this key has more rights than yours"));
    return j->status == 0;
}

static void reply_done(struct job *j, enum err e, const struct control_why *why)
{
    if (e)
        job_fail_why(j, e, why);
    else
        job_reply_bytes(j, 200, STR("application/json"), STR("{}"));
}

void portkey_keys_update(struct job *j)
{
    struct given g;
    struct wishes w;
    struct control_why why = {.param = ""};
    if (!may_change(j) || !given_begin(&g, j))
        return;
    if (read_wishes(&g, &w)) {
        const struct control_key_change change = {
            .name = w.name.p ? &w.name : NULL,
            .expires_us = w.expires_us,
            .scopes = w.scopes,
            .config = w.config.p ? &w.config : NULL,
            .config_fixed = w.config_fixed,
            .metadata = w.metadata.p ? &w.metadata : NULL,
        };
        enum err e =
            control_key_update(j->console->settings.control, j->key->workspace_id, j->params[0], &change, &why);
        reply_done(j, e, &why);
    }
    given_end(&g);
}

void portkey_keys_delete(struct job *j)
{
    struct control_why why = {.param = ""};
    if (may_change(j))
        reply_done(j, control_key_revoke(j->console->settings.control, j->key->workspace_id, j->params[0], &why), &why);
}
