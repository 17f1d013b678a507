/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers use to read the request and to answer it. */
#include "console/job.h"

#include "base/must.h"
#include "console/blaxel/blaxel_error.h"
#include "console/console_inner.h"
#include "console/portkey/dialect.h"
#include "console/vantage/vantage_reply.h"
#include "control/control.h"
#include "control/people/reach.h"
#include "gateway/reply.h"
#include "net/url.h"

struct str job_query(struct job *j, struct str name)
{
    struct str value;
    return url_query_find(j->query, name, j->arena, &value) ? value : STR("");
}

bool job_query_u64(struct job *j, struct str name, uint64_t fallback, uint64_t max, uint64_t *ret)
{
    struct str text = job_query(j, name);
    *ret = fallback;
    return !text.n || (str_to_u64(text, ret) && *ret <= max);
}

bool job_enter(struct job *j, int64_t workspace_id)
{
    struct snapshot_key *there;
    if (workspace_id != j->key->workspace_id) {
        there = arena_alloc(j->arena, sizeof *there);
        must(there != NULL);
        if (!reach_as(j->snapshot, j->key, workspace_id, there))
            return false;
        j->key = there;
        j->role = there->role;
        if (!console_may_call(there, there->role, j->route))
            job_fail(j, ERR_FORBIDDEN, STR("workspace"), STR("your role in that workspace does not allow it"));
    }
    j->workspace_id = workspace_id;
    return j->status == 0;
}

static void reply_begin(struct job *j, int status, struct str type)
{
    must(!j->status);
    j->status = status;
    j->type = type;
    bool ok = buf_add_str(&j->lines, STR("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"));
    must(ok);
}

void job_reply_json(struct job *j, int status)
{
    reply_begin(j, status, STR("application/json"));
    json_write_init(&j->json, &j->reply);
}

void job_reply_bytes(struct job *j, int status, struct str type, struct str bytes)
{
    reply_begin(j, status, type);
    bool ok = buf_add_str(&j->reply, bytes);
    must(ok);
}

void job_reply_empty(struct job *j, int status)
{
    reply_begin(j, status, STR(""));
}

void job_fail(struct job *j, enum err e, struct str param, struct str detail)
{
    buf_reset(&j->reply);
    buf_reset(&j->lines);
    j->status = 0;
    reply_begin(j, err_info(e)->status ? err_info(e)->status : 500, STR("application/json"));
    reply_error_lines(&j->lines, e);
    bool ok = job_error_json(j->route->dialect, e, param, detail, &j->lines, &j->reply);
    must(ok);
}

bool job_error_json(enum job_dialect dialect, enum err e, struct str param, struct str detail, struct buf *lines,
                    struct buf *out)
{
    switch (dialect) {
    case JOB_PORTKEY:
        return dialect_error_json(out, e, param, detail);
    case JOB_BLAXEL:
        return blaxel_error_lines(lines, e) && blaxel_error_json(out, e, param, detail);
    case JOB_VANTAGE:
        return vantage_error_json(out, e, detail);
    case JOB_NATIVE:
        break;
    }
    return reply_error_json(out, e, param, detail);
}

void job_fail_why(struct job *j, enum err e, const struct control_why *why)
{
    job_fail(j, e, str_c(why->param), str_c(why->text));
}
