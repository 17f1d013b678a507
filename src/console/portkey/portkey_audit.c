/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log. Ours has changes, not calls: each record is a change that was made, so the status is 200,
 * the method what such a change takes, and there is no address.
 */
#include <stdio.h>

#include "base/clock.h"
#include "console/console_inner.h"
#include "console/native/output.h"
#include "console/portkey/given.h"
#include "console/portkey/portkey.h"
#include "control/control.h"
#include "control/people/audit.h"
#include "control/people/reach.h"

#define PAGE_SIZE 50

static struct str method_of(struct str action)
{
    ptrdiff_t dot = str_find(action, '.');
    struct str verb = dot < 0 ? action : str_from(action, (size_t)dot + 1);
    if (str_eq(verb, STR("create")))
        return STR("POST");
    bool ends = str_eq(verb, STR("delete")) || str_eq(verb, STR("revoke")) || str_eq(verb, STR("remove"));
    return ends ? STR("DELETE") : STR("PUT");
}

static void write_json(struct json_write *w, const char *name, struct str json)
{
    if (json.n)
        json_write_member_raw(w, name, json);
    else
        json_write_member_null(w, name);
}

static void write_record(struct job *j, const struct audit_row *r)
{
    char id[24], user[24] = "";
    struct json_write *w = &j->json;
    const struct snapshot_workspace *ws = snapshot_workspace_of(j->snapshot, r->workspace_id);
    snprintf(id, sizeof id, "%lld", (long long)r->seq);
    if (r->member_id)
        snprintf(user, sizeof user, "%lld", (long long)r->member_id);
    json_write_object(w);
    json_write_member_string(w, "id", str_c(id));
    output_time(w, "timestamp", r->time_us);
    output_time(w, "created_at", r->time_us);
    json_write_member_string(w, "action", r->action);
    json_write_member_string(w, "resource_type", r->object_type);
    json_write_member_string(w, "resource_id", r->object_id);
    json_write_member_string(w, "method", method_of(r->action));
    json_write_member_null(w, "uri");
    json_write_member_uint(w, "response_status_code", 200);
    json_write_member_text(w, "user_id", str_c(user));
    json_write_member_text(w, "user_name", r->name);
    json_write_member_text(w, "api_key_id", r->key);
    json_write_member_text(w, "client_ip", r->ip);
    json_write_member_text(w, "request_id", r->request_id);
    json_write_member_string(w, "organisation_id", STR("default"));
    json_write_member_text(w, "workspace_id", ws ? ws->name : STR(""));
    write_json(w, "before", r->before);
    write_json(w, "request_body", r->after);
    json_write_object_end(w);
}

static bool refuse(struct job *j, const char *name, const char *detail)
{
    job_fail(j, ERR_BAD_PARAMETER, str_c(name), str_c(detail));
    return false;
}

static bool read_filter(struct job *j, struct audit_filter *f)
{
    static const char *const unknown[] = {"method", "uri", "response_status_code", "request_id"};
    struct str from = given_query(j, "start_time"), to = given_query(j, "end_time");
    struct str user = given_query(j, "user_id"), workspace = given_query(j, "workspace_id");
    uint64_t member = 0;
    *f = (struct audit_filter){.one_workspace = !reach_organizes(j->key, KIND_ROLE_OWNER) || workspace.n};
    if ((from.n && !clock_parse(from, &f->from_us)) || (to.n && !clock_parse(to, &f->to_us)))
        return refuse(j, "start_time", "start_time and end_time are times such as 2027-01-31T00:00:00Z");
    if (user.n && (!str_to_u64(user, &member) || !member || member > INT64_MAX))
        return refuse(j, "user_id", "it is the number of a user");
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        if (given_query(j, unknown[i]).n)
            return refuse(j, unknown[i], "the log has changes, not calls: there is nothing to compare with");
    f->member_id = (int64_t)member;
    return given_workspace(j, workspace, &f->workspace_id);
}

void portkey_audit_list(struct job *j)
{
    struct audit_row *rows = NULL;
    struct audit_filter f;
    size_t count = 0;
    uint64_t skip, limit, total = 0, page = 0;
    struct control_why why = {.param = ""};
    struct json_write *w = &j->json;
    struct str by_page = given_query(j, "page");
    if (!given_page(j, PAGE_SIZE, AUDIT_LIST_MAX, &skip, &limit) || !read_filter(j, &f))
        return;
    if (by_page.n && (!str_to_u64(by_page, &page) || page > AUDIT_LIST_MAX)) {
        (void)refuse(j, "page", "it is a number from 0 on");
        return;
    }
    skip += page * limit;
    if (skip + limit > AUDIT_LIST_MAX) {
        (void)refuse(j, "page", "only the newest 1000 records are paged through; narrow it with end_time");
        return;
    }
    enum err e = audit_list(j->console->settings.control, &f, skip + limit, j->arena, &rows, &count, &total, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("list"));
    json_write_member_uint(w, "total", total);
    json_write_key(w, STR("records"));
    json_write_array(w);
    for (size_t i = skip; i < count; i++)
        write_record(j, &rows[i]);
    json_write_array_end(w);
    json_write_object_end(w);
}
