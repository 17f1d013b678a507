/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: JSON to control and back. A key's text appears in the answer to its creation only. */
#include "base/clock.h"
#include "base/json/jdoc.h"
#include "console/console_inner.h"
#include "console/native/input.h"
#include "console/native/native.h"
#include "console/native/output.h"
#include "control/control_key.h"
#include "control/people/reach.h"

#define KEYS_PER_PAGE 1000

/* An array of names; null: no list, the role decides. */
static void write_scopes(struct json_write *w, scope_set scopes)
{
    if (scopes == SNAPSHOT_SCOPES_ALL) {
        json_write_member_null(w, "scopes");
        return;
    }
    json_write_key(w, STR("scopes"));
    json_write_array(w);
    for (unsigned i = 0; i < SNAPSHOT_SCOPE_COUNT; i++)
        if (scopes >> i & 1)
            json_write_string(w, str_c(scope_text((enum snapshot_scope)i)));
    json_write_array_end(w);
}

static void write_key(struct json_write *w, const struct control_key *k, const struct secret *text)
{
    json_write_object(w);
    json_write_member_string(w, "id", k->public_id);
    json_write_member_string(w, "name", k->name);
    if (text)
        json_write_member_string(w, "key", secret_reveal(text));
    json_write_member_string(w, "last4", str_c(k->last));
    json_write_member_string(w, "role", str_c(kind_role_text(k->role)));
    json_write_member_string(w, "record_bodies", str_c(kind_bodies_text(k->record_bodies)));
    json_write_member_bool(w, "disabled", k->disabled);
    write_scopes(w, k->scopes);
    json_write_member_text(w, "config", k->config);
    json_write_member_bool(w, "config_fixed", k->config_fixed);
    if (k->metadata.n)
        json_write_member_raw(w, "metadata", k->metadata);
    else
        json_write_member_null(w, "metadata");
    output_time(w, "created_at", k->created_us);
    output_time(w, "expires_at", k->expires_us);
    output_time(w, "revoked_at", k->revoked_us);
    json_write_object_end(w);
}

void keys_list(struct job *j)
{
    struct control_key *rows = NULL;
    size_t count = 0;
    struct control_why why = {.param = ""};
    enum err e = control_key_list(j->console->settings.control, j->key->workspace_id, 0, KEYS_PER_PAGE, j->arena, &rows,
                                  &count, &why);
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
        write_key(&j->json, &rows[i], NULL);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

/* A role nobody may hand out above their own. False when the job was answered. */
static bool read_role(struct job *j, struct str text, enum kind_role *ret)
{
    if (!kind_role_from(text, ret)) {
        job_fail(j, ERR_BAD_PARAMETER, STR("role"), STR("it is owner, admin, member or viewer"));
        return false;
    }
    if (reach_is_above(j->key, *ret, false)) {
        job_fail(j, ERR_FORBIDDEN, STR("role"), STR("nobody can give more rights than they have"));
        return false;
    }
    return true;
}

static bool read_bodies(struct job *j, struct str text, enum kind_bodies *ret)
{
    if (kind_bodies_from(text, ret))
        return true;
    job_fail(j, ERR_BAD_PARAMETER, STR("record_bodies"), STR("it is default, on or off"));
    return false;
}

static void refuse_scope(struct job *j, struct str name)
{
    struct buf text;
    buf_init(&text, 256);
    bool ok = buf_printf(&text, "there is no scope %.*s", STR_ARG(str_head(name, 100)));
    job_fail(j, ERR_BAD_PARAMETER, STR("scopes"), ok ? buf_str(&text) : name);
    buf_free(&text);
}

/* An array of names as bits; an empty one means no list. False when the job was answered. */
static bool read_scopes(struct job *j, struct str json, scope_set *ret)
{
    struct jdoc doc;
    scope_set scopes = 0;
    jdoc_init(&doc);
    bool parsed = jdoc_parse(&doc, json);
    struct jval list = jdoc_root(&doc);
    if (!parsed || jdoc_kind(list) != JDOC_ARRAY)
        job_fail(j, ERR_BAD_PARAMETER, STR("scopes"), STR("it is an array of names such as completions.write"));
    for (struct jval v = jdoc_first(list); !j->status && jdoc_has(v); v = jdoc_next(list, v)) {
        enum snapshot_scope scope;
        if (scope_from_text(jdoc_text(v, j->arena), &scope))
            scopes |= SCOPE_BIT(scope);
        else
            refuse_scope(j, jdoc_raw(v));
    }
    jdoc_free(&doc);
    *ret = scopes ? scopes : SNAPSHOT_SCOPES_ALL;
    return j->status == 0;
}

/* "{}" takes stored metadata away. */
static struct str metadata_of(struct str json)
{
    return str_eq(json, STR("{}")) ? STR("") : json;
}

void keys_create(struct job *j)
{
    struct input in;
    struct control_key_spec spec = {.role = KIND_ROLE_MEMBER, .record_bodies = KIND_BODIES_DEFAULT};
    struct control_why why = {.param = ""};
    struct control_key row;
    struct secret text = {0};
    int64_t workspace_id;
    if (!input_begin(&in, j))
        return;
    spec.name = input_text(&in, "name");
    struct str role = input_text(&in, "role"), bodies = input_text(&in, "record_bodies");
    struct str workspace = input_text(&in, "workspace"), scopes = input_json(&in, "scopes");
    spec.config = input_text(&in, "config");
    spec.metadata = metadata_of(input_json(&in, "metadata"));
    input_bool(&in, "config_fixed", &spec.config_fixed);
    input_time(&in, "expires_at", &spec.expires_us);
    if (!input_check(&in) || (scopes.p && !read_scopes(j, scopes, &spec.scopes)) ||
        (role.p && !read_role(j, role, &spec.role)) || (bodies.p && !read_bodies(j, bodies, &spec.record_bodies)) ||
        !input_workspace(j, workspace, &workspace_id)) {
        input_end(&in);
        return;
    }
    if (!spec.name.p)
        spec.name = STR("");
    enum err e = control_key_create(j->console->settings.control, workspace_id, &spec, j->arena, &row, &text, &why);
    input_end(&in);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 201);
    write_key(&j->json, &row, &text);
    secret_wipe(&text);
}

static void reply_with_key(struct job *j)
{
    struct control_key row;
    struct control_why why = {.param = ""};
    enum err e =
        control_key_find(j->console->settings.control, j->key->workspace_id, j->params[0], j->arena, &row, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 200);
    write_key(&j->json, &row, NULL);
}

/* An admin does not change an owner's key. False when the job was answered. */
static bool may_change(struct job *j)
{
    struct control_key row;
    struct control_why why = {.param = ""};
    enum err e =
        control_key_find(j->console->settings.control, j->key->workspace_id, j->params[0], j->arena, &row, &why);
    if (e)
        job_fail_why(j, e, &why);
    else if (reach_is_above(j->key, row.role, row.member_id != 0))
        job_fail(j, ERR_FORBIDDEN, STR(""), STR("this key has more rights than yours"));
    return j->status == 0;
}

/* Where the values of a change stand while it is made. */
struct wishes {
    struct control_key_change change;
    struct str name, config, metadata;
    enum kind_role role;
    enum kind_bodies bodies;
    int64_t expires_us;
    scope_set scopes;
    bool disabled, config_fixed;
};

static void read_wishes(struct input *in, struct wishes *w)
{
    struct job *j = in->job;
    w->name = input_text(in, "name");
    w->config = input_text(in, "config");
    struct str metadata = input_json(in, "metadata");
    struct str role = input_text(in, "role"), bodies = input_text(in, "record_bodies");
    struct str scopes = input_json(in, "scopes");
    w->change.disabled = input_bool(in, "disabled", &w->disabled);
    w->change.config_fixed = input_bool(in, "config_fixed", &w->config_fixed);
    w->change.expires_us = input_time(in, "expires_at", &w->expires_us) ? &w->expires_us : NULL;
    w->metadata = metadata_of(metadata);
    if (w->name.p)
        w->change.name = &w->name;
    if (w->config.p)
        w->change.config = &w->config;
    if (metadata.p)
        w->change.metadata = &w->metadata;
    if (scopes.p && !j->status && read_scopes(j, scopes, &w->scopes))
        w->change.scopes = &w->scopes;
    if (role.p && !j->status && read_role(j, role, &w->role))
        w->change.role = &w->role;
    if (bodies.p && !j->status && read_bodies(j, bodies, &w->bodies))
        w->change.record_bodies = &w->bodies;
}

void keys_update(struct job *j)
{
    struct input in;
    struct wishes w = {0};
    struct control_why why = {.param = ""};
    if (!may_change(j) || !input_begin(&in, j))
        return;
    read_wishes(&in, &w);
    enum err e = ERR_OK;
    if (!j->status && input_check(&in))
        e = control_key_update(j->console->settings.control, j->key->workspace_id, j->params[0], &w.change, &why);
    input_end(&in);
    if (j->status)
        return;
    if (e)
        job_fail_why(j, e, &why);
    else
        reply_with_key(j);
}

void keys_revoke(struct job *j)
{
    struct control_why why = {.param = ""};
    if (!may_change(j))
        return;
    enum err e = control_key_revoke(j->console->settings.control, j->key->workspace_id, j->params[0], &why);
    if (e)
        job_fail_why(j, e, &why);
    else
        reply_with_key(j);
}
