/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys, accounts and the few pages of administration that are more than crud. A key that is made
 * here works at once, and one that is deleted stops working.
 */
#include <stdio.h>

#include "base/must.h"
#include "sim/http/apierr.h"
#include "sim/http/caller.h"
#include "sim/http/reply.h"
#include "sim/org/org.h"

static void write_owner(struct call *c, struct json_write *w, const struct caller *k)
{
    struct str accounts = call_format(c, "organization/projects/%s/service_accounts", k->project);
    struct shelf_item *account = k->account[0] ? shelf_get(c->sim->shelf, accounts, str_c(k->account)) : NULL;
    struct shelf_item *user = shelf_get(c->sim->shelf, STR("organization/users"), str_c(k->user));
    json_write_key(w, STR("owner"));
    json_write_object(w);
    json_write_member_string(w, "type", k->account[0] ? STR("service_account") : STR("user"));
    if (account)
        json_write_member_raw(w, "service_account", account->json);
    else if (user && !k->account[0])
        json_write_member_raw(w, "user", user->json);
    json_write_object_end(w);
}

static void write_key(struct call *c, struct json_write *w, const struct caller *k)
{
    json_write_object(w);
    json_write_member_string(w, "object", STR("organization.project.api_key"));
    json_write_member_string(w, "id", str_c(k->key_id));
    json_write_member_string(w, "name", str_c(k->name));
    json_write_member_string(w, "redacted_value", str_c(k->hint));
    json_write_member_int(w, "created_at", k->created);
    if (k->last_used)
        json_write_member_int(w, "last_used_at", k->last_used);
    else
        json_write_member_null(w, "last_used_at");
    json_write_member_null(w, "expires_at");
    json_write_member_string(w, "owner_project_access", STR("active"));
    write_owner(c, w, k);
    json_write_object_end(w);
}

static bool of_project(const struct caller *k, struct str project)
{
    return !k->admin && !k->revoked && str_eq(str_c(k->project), project);
}

void org_keys_list(struct call *c)
{
    struct str after = call_query(c, "after");
    uint64_t limit = call_query_count(c, "limit", 20), n = 0;
    bool begun = !after.n, more = false;
    const char *first = "", *last = "";
    const struct caller *k;
    struct reply r;
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", STR("list"));
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (unsigned i = 0; (k = caller_at(c->sim->callers, i)) != NULL && !more; i++) {
        if (!of_project(k, c->args[0]))
            continue;
        if (!begun) {
            begun = str_eq(str_c(k->key_id), after);
            continue;
        }
        more = n == limit;
        if (more)
            break;
        write_key(c, w, k);
        first = n++ ? first : k->key_id;
        last = k->key_id;
    }
    json_write_array_end(w);
    json_write_member_text(w, "first_id", str_c(first));
    json_write_member_text(w, "last_id", str_c(last));
    json_write_member_bool(w, "has_more", more);
    reply_send(c, &r, 200);
}

/* The key in the path; NULL with 404. */
static const struct caller *key_in_path(struct call *c)
{
    const struct caller *k = caller_by_id(c->sim->callers, c->args[1]);
    if (k && of_project(k, c->args[0]))
        return k;
    apierr_no_such(c, "API key", c->args[1]);
    return NULL;
}

static void answer_key(struct call *c, const struct caller *k)
{
    struct buf out;
    struct json_write w;
    buf_init(&out, 65536);
    json_write_init(&w, &out);
    write_key(c, &w, k);
    must(json_write_done(&w));
    answer_json(c, 200, &out);
}

void org_key_retrieve(struct call *c)
{
    const struct caller *k = key_in_path(c);
    if (k)
        answer_key(c, k);
}

void org_key_update(struct call *c)
{
    const struct caller *k = key_in_path(c);
    if (!k || !crud_check_required(c, "name"))
        return;
    must(caller_rename(c->sim->callers, c->args[1], jdoc_text(jdoc_find(c->json, "name"), c->arena)));
    answer_key(c, k);
}

static void answer_deleted(struct call *c, const char *object, struct str id)
{
    struct reply r;
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", str_c(object));
    json_write_member_text(w, "id", id);
    json_write_member_bool(w, "deleted", true);
    reply_send(c, &r, 200);
}

void org_key_delete(struct call *c)
{
    if (!key_in_path(c))
        return;
    must(caller_revoke(c->sim->callers, c->args[1]));
    answer_deleted(c, "organization.project.api_key.deleted", c->args[1]);
}

/* A key for a service account, made and shown this once. */
static const struct caller *make_key(struct call *c, struct str project, struct str account, struct str name,
                                     struct str *ret_value)
{
    *ret_value = call_id(c, "sk-svcacct-", 48);
    return caller_add(c->sim->callers, *ret_value, project, account, name, call_now(c));
}

static void write_new_key(struct json_write *w, const struct caller *k, struct str value, const char *object)
{
    json_write_member_string(w, "object", str_c(object));
    json_write_member_string(w, "id", str_c(k->key_id));
    json_write_member_string(w, "name", str_c(k->name));
    json_write_member_int(w, "created_at", k->created);
    json_write_member_null(w, "expires_at");
    json_write_member_string(w, "value", value);
}

void org_service_account_create(struct call *c)
{
    struct shelf_item *i = crud_make(c, c->route->crud);
    struct str value;
    struct buf out;
    struct json_write w;
    if (!i)
        return;
    const struct caller *k = make_key(c, c->args[0], str_c(i->id), crud_member_text(c, i, "name"), &value);
    buf_init(&out, 65536);
    json_write_init(&w, &out);
    json_write_object(&w);
    write_new_key(&w, k, value, "organization.project.service_account.api_key");
    json_write_object_end(&w);
    must(json_write_done(&w));
    struct str whole =
        call_format(c, "%.*s,\"api_key\":%.*s}", STR_ARG(str_head(i->json, i->json.n - 1)), STR_ARG(buf_str(&out)));
    buf_reset(&out);
    must(buf_add_str(&out, whole));
    answer_json(c, 200, &out);
}

void org_service_key_create(struct call *c)
{
    struct str name = jdoc_text(jdoc_find(c->json, "name"), c->arena), value;
    struct shelf_item *account = crud_find(c, c->route->crud);
    struct reply r;
    if (!account)
        return;
    const struct caller *k = make_key(c, c->args[0], c->args[1], name, &value);
    struct json_write *w = reply_begin(&r);
    write_new_key(w, k, value, "organization.project.service_account.api_key");
    reply_send(c, &r, 200);
}

void org_admin_key_create(struct call *c)
{
    struct shelf_item *i = crud_make(c, c->route->crud);
    struct buf out;
    if (!i)
        return;
    struct str value = call_id(c, "sk-admin-", 48);
    const struct caller *k =
        caller_add(c->sim->callers, value, STR(""), STR(""), crud_member_text(c, i, "name"), call_now(c));
    crud_change_text(c, i, call_format(c, "{\"redacted_value\":\"%s\"}", k->hint));
    shelf_set_hidden(i, str_c(k->key_id));
    buf_init(&out, 65536);
    must(buf_printf(&out, "%.*s,\"value\":\"%.*s\"}", STR_ARG(str_head(i->json, i->json.n - 1)), STR_ARG(value)));
    answer_json(c, 200, &out);
}

void org_admin_key_delete(struct call *c)
{
    struct shelf_item *i = crud_find(c, c->route->crud);
    if (!i)
        return;
    (void)caller_revoke(c->sim->callers, i->hidden); /* false when its caller was forgotten; the object goes anyway */
    struct str id = arena_dup(c->arena, str_c(i->id));
    shelf_remove(c->sim->shelf, i);
    answer_deleted(c, "organization.admin_api_key.deleted", id);
}

/* A user of the organization becomes one of the project, under the same id. */
void org_project_user_create(struct call *c)
{
    struct str id = jdoc_text(jdoc_find(c->json, "user_id"), c->arena);
    struct shelf_item *user = shelf_get(c->sim->shelf, STR("organization/users"), id), *made;
    if (!crud_check_required(c, "role"))
        return;
    made = crud_make(c, c->route->crud);
    if (!made)
        return;
    struct str role = jdoc_raw(jdoc_find(c->json, "role"));
    struct str json =
        call_format(c,
                    "{\"object\":\"organization.project.user\",\"id\":\"%.*s\",\"name\":%.*s,\"email\":"
                    "%.*s,\"role\":%.*s,\"added_at\":%lld}",
                    STR_ARG(id), STR_ARG(user ? crud_member(c, user, "name") : STR("null")),
                    STR_ARG(user ? crud_member(c, user, "email") : STR("null")), STR_ARG(role), (long long)call_now(c));
    shelf_remove(c->sim->shelf, made);
    crud_answer(c, shelf_put(c->sim->shelf, crud_collection(c, c->route->crud), id, json));
}

/* {"certificate_ids":[…]}: those certificates, now active or not. */
void org_certificates_switch(struct call *c)
{
    struct jval ids = jdoc_find(c->json, "certificate_ids");
    bool on = str_ends(c->path, STR("/activate"));
    struct reply r;
    if (!crud_check_required(c, "certificate_ids"))
        return;
    struct json_write *w = reply_begin(&r);
    json_write_member_string(
        w, "object", on ? STR("organization.certificate.activation") : STR("organization.certificate.deactivation"));
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (struct jval e = jdoc_first(ids); jdoc_has(e); e = jdoc_next(ids, e)) {
        struct shelf_item *i = shelf_get(c->sim->shelf, STR("organization/certificates"), jdoc_text(e, c->arena));
        if (!i)
            continue;
        crud_change_text(c, i, on ? STR("{\"active\":true}") : STR("{\"active\":false}"));
        json_write_raw(w, i->json);
    }
    json_write_array_end(w);
    reply_send(c, &r, 200);
}

/* One event: the start of the organization. Nothing the simulator does is audited. */
void org_audit_logs(struct call *c)
{
    struct reply r;
    struct str id = call_format(c, "audit_log-%s", caller_default_project(c->sim->callers));
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", STR("list"));
    json_write_key(w, STR("data"));
    json_write_array(w);
    if (!call_query(c, "after").n) {
        json_write_object(w);
        json_write_member_string(w, "id", id);
        json_write_member_string(w, "type", STR("project.created"));
        json_write_member_int(w, "effective_at", 1767225600);
        json_write_member_raw(w, "actor",
                              call_format(c,
                                          "{\"type\":\"session\",\"session\":{\"user\":{\"id\":\"%s\",\"email\":"
                                          "\"admin@example.com\"},\"ip_address\":\"127.0.0.1\"}}",
                                          caller_default_user(c->sim->callers)));
        json_write_member_raw(
            w, "project.created",
            call_format(c, "{\"id\":\"%s\",\"data\":{\"name\":\"default\",\"title\":\"Default project\"}}",
                        caller_default_project(c->sim->callers)));
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_write_member_string(w, "first_id", id);
    json_write_member_string(w, "last_id", id);
    json_write_member_bool(w, "has_more", false);
    reply_send(c, &r, 200);
}

/* The rate limits of a project: one for each of a few models, kept once they are changed. */
void org_rate_limits(struct call *c)
{
    static const char *const models[] = {"gpt-4o", "gpt-4o-mini", "gpt-5.4", "gpt-5.4-mini", "text-embedding-3-small"};
    struct str collection = crud_collection(c, c->route->crud);
    if (!shelf_count(c->sim->shelf, collection)) {
        for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
            struct str id = call_format(c, "rl-%s", models[i]);
            shelf_put(c->sim->shelf, collection, id,
                      call_format(c,
                                  "{\"object\":\"project.rate_limit\",\"id\":\"%.*s\",\"model\":\"%s\","
                                  "\"max_requests_per_1_minute\":10000,\"max_tokens_per_1_minute\":30000000,"
                                  "\"max_images_per_1_minute\":0,\"max_audio_megabytes_per_1_minute\":0,"
                                  "\"max_requests_per_1_day\":0,\"batch_1_day_max_input_tokens\":5000000000}",
                                  STR_ARG(id), models[i]));
        }
    }
    if (str_eq(c->method, STR("GET")))
        crud_answer_list(c, collection, CRUD_OLDEST, NULL);
    else
        crud_update(c);
}

/* {"role_id":…}: the assignment, with both its ends. */
void org_role_assign(struct call *c)
{
    struct str role_id = jdoc_text(jdoc_find(c->json, "role_id"), c->arena);
    bool group = str_search(c->path, STR("/groups/")) >= 0;
    struct shelf_item *role = shelf_get(c->sim->shelf, STR("organization/roles"), role_id);
    struct reply r;
    if (!crud_check_required(c, "role_id"))
        return;
    struct str json = role ? arena_dup(c->arena, role->json)
                           : call_format(c,
                                         "{\"id\":\"%.*s\",\"object\":\"role\",\"name\":\"role\",\"description\":null,"
                                         "\"permissions\":[],\"predefined_role\":false,\"resource_type\":"
                                         "\"api.organization\"}",
                                         STR_ARG(role_id));
    shelf_put(c->sim->shelf, crud_collection(c, c->route->crud), role_id, json);
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", group ? STR("group.role") : STR("user.role"));
    json_write_member_raw(w, "role", json);
    json_write_key(w, group ? STR("group") : STR("user"));
    json_write_object(w);
    json_write_member_string(w, "id", str_starts(c->path, STR("/projects/")) ? c->args[1] : c->args[0]);
    json_write_member_string(w, "object", group ? STR("group") : STR("organization.user"));
    json_write_member_string(w, "name", STR("name"));
    json_write_object_end(w);
    reply_send(c, &r, 200);
}

static void put(struct sim *sim, const char *collection, const char *id, const char *json)
{
    shelf_put(sim->shelf, str_c(collection), str_c(id), str_c(json));
}

void org_begin(struct sim *sim)
{
    const char *project = caller_default_project(sim->callers), *user = caller_default_user(sim->callers);
    char collection[128], json[512];
    snprintf(json, sizeof json,
             "{\"id\":\"%s\",\"object\":\"organization.project\",\"name\":\"Default project\",\"created_at\":"
             "1767225600,\"archived_at\":null,\"status\":\"active\",\"external_key_id\":null,\"residency\":"
             "\"GLOBAL\"}",
             project);
    put(sim, "organization/projects", project, json);
    snprintf(json, sizeof json,
             "{\"object\":\"organization.user\",\"id\":\"%s\",\"name\":\"Admin\",\"email\":\"admin@example.com\","
             "\"role\":\"owner\",\"added_at\":1767225600}",
             user);
    put(sim, "organization/users", user, json);
    snprintf(json, sizeof json,
             "{\"object\":\"organization.project.user\",\"id\":\"%s\",\"name\":\"Admin\",\"email\":"
             "\"admin@example.com\",\"role\":\"owner\",\"added_at\":1767225600}",
             user);
    snprintf(collection, sizeof collection, "organization/projects/%s/users", project);
    put(sim, collection, user, json);
}
