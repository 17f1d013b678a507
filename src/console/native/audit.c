/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log, newest first. Owners see all of it, admins what concerns their workspace. */
#include "control/people/audit.h"
#include "base/clock.h"
#include "base/encode.h"
#include "console/console_inner.h"
#include "console/native/native.h"
#include "console/native/output.h"
#include "control/control.h"
#include "control/people/reach.h"

static void write_json(struct json_write *w, const char *name, struct str json)
{
    if (json.n)
        json_write_member_raw(w, name, json);
    else
        json_write_member_null(w, name);
}

static void write_hash(struct json_write *w, const char *name, const unsigned char hash[AUDIT_HASH_BYTES])
{
    char hex[ENCODE_HEX_MAX(AUDIT_HASH_BYTES)];
    json_write_member_string(w, name, str_of(hex, encode_hex(hash, AUDIT_HASH_BYTES, hex)));
}

static void write_actor(struct json_write *w, const struct audit_row *r)
{
    json_write_key(w, STR("actor"));
    json_write_object(w);
    json_write_member_text(w, "key", r->key);
    if (r->member_id)
        json_write_member_int(w, "member", r->member_id);
    else
        json_write_member_null(w, "member");
    json_write_member_text(w, "name", r->name);
    json_write_member_text(w, "ip", r->ip);
    json_write_member_string(w, "source", r->source);
    json_write_object_end(w);
}

static void write_row(struct job *j, const struct audit_row *r)
{
    struct json_write *w = &j->json;
    const struct snapshot_workspace *ws = snapshot_workspace_of(j->snapshot, r->workspace_id);
    json_write_object(w);
    json_write_member_int(w, "seq", r->seq);
    output_time(w, "time", r->time_us);
    json_write_member_string(w, "action", r->action);
    json_write_member_string(w, "object_type", r->object_type);
    json_write_member_string(w, "object_id", r->object_id);
    json_write_member_text(w, "workspace", ws ? ws->name : STR(""));
    write_actor(w, r);
    write_json(w, "before", r->before);
    write_json(w, "after", r->after);
    json_write_member_text(w, "request_id", r->request_id);
    write_hash(w, "previous", r->previous);
    write_hash(w, "hash", r->hash);
    json_write_object_end(w);
}

/* False when the job was answered. */
static bool read_time(struct job *j, const char *name, int64_t *ret_us)
{
    struct str text = job_query(j, str_c(name));
    if (!text.n || clock_parse(text, ret_us))
        return true;
    job_fail(j, ERR_BAD_PARAMETER, str_c(name), STR("it is a time such as 2027-01-31T00:00:00Z"));
    return false;
}

void audit_log_list(struct job *j)
{
    struct audit_row *rows = NULL;
    struct audit_filter f = {.one_workspace = !reach_organizes(j->key, KIND_ROLE_OWNER),
                             .workspace_id = j->workspace_id};
    size_t count = 0;
    uint64_t limit, before, total = 0;
    struct control_why why = {.param = ""};
    if (!job_query_u64(j, STR("limit"), 100, AUDIT_LIST_MAX, &limit) ||
        !job_query_u64(j, STR("before"), 0, INT64_MAX, &before)) {
        job_fail(j, ERR_BAD_PARAMETER, STR("limit"), STR("limit is at most 1000, before a row's number"));
        return;
    }
    if (!read_time(j, "since", &f.from_us) || !read_time(j, "until", &f.to_us))
        return;
    struct str action = job_query(j, STR("action")), object = job_query(j, STR("object_id"));
    f.before_seq = (int64_t)before;
    if (action.n)
        f.action = action;
    if (object.n)
        f.object_id = object;
    enum err e = audit_list(j->console->settings.control, &f, limit, j->arena, &rows, &count, &total, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return;
    }
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("list"));
    json_write_member_uint(w, "total", total);
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = 0; i < count; i++)
        write_row(j, &rows[i]);
    json_write_array_end(w);
    json_write_object_end(w);
}
