/* SPDX-License-Identifier: Apache-2.0 */
/* What was sent to people, and whether sending works. */
#include "base/clock.h"
#include "console/console_inner.h"
#include "console/native/input.h"
#include "console/native/native.h"
#include "console/native/output.h"
#include "console/patience.h"
#include "control/outlet/outlet.h"
#include "report/notify/notices.h"
#include "report/notify/outbox.h"

#define LIST_DEFAULT 100
#define LIST_MAX 1000

static struct control *control_of(struct job *j)
{
    return j->console->settings.control;
}

/* --- what was sent --------------------------------------------------------------------------- */

static void write_row(struct json_write *w, const struct outbox_row *r)
{
    json_write_object(w);
    json_write_member_int(w, "id", r->id);
    json_write_member_string(w, "channel", r->channel);
    json_write_member_string(w, "kind", r->kind);
    json_write_member_string(w, "to", r->shown);
    json_write_member_string(w, "state", str_c(outbox_state_text(r->state)));
    json_write_member_uint(w, "tries", r->tries);
    json_write_member_text(w, "reason", r->reason);
    output_time(w, "created_at", r->created_us);
    output_time(w, "next_try_at", r->state == OUTBOX_WAITING ? r->due_us : 0);
    output_time(w, "settled_at", r->settled_us);
    json_write_object_end(w);
}

void notifications_list(struct job *j)
{
    struct outbox_row *rows = NULL;
    size_t count = 0;
    uint64_t limit, before;
    struct notify *n = j->console->settings.notify;
    if (!job_query_u64(j, STR("limit"), LIST_DEFAULT, LIST_MAX, &limit) ||
        !job_query_u64(j, STR("before"), 0, INT64_MAX, &before)) {
        job_fail(j, ERR_BAD_PARAMETER, STR("limit"), STR("limit is a number up to 1000, before the id of a message"));
        return;
    }
    enum err e =
        n ? outbox_list(notify_outbox(n), j->key->workspace_id, (int64_t)before, limit, j->arena, &rows, &count)
          : ERR_OK;
    if (e) {
        job_fail(j, e, STR(""), STR(""));
        return;
    }
    job_reply_json(j, 200);
    json_write_object(&j->json);
    json_write_member_string(&j->json, "object", STR("list"));
    json_write_member_bool(&j->json, "mail", notify_can(n, NOTIFY_MAIL));
    json_write_key(&j->json, STR("data"));
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        write_row(&j->json, &rows[i]);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

/* --- does it work ---------------------------------------------------------------------------- */

/* An address with an '@' is one of mail; anything else a stored channel. False when the job was answered. */
static bool read_receiver(struct job *j, struct str to, enum notify_channel *ret)
{
    static const enum notify_channel channels[OUTLET_KIND_COUNT] = {
        [OUTLET_SLACK] = NOTIFY_SLACK, [OUTLET_TEAMS] = NOTIFY_TEAMS, [OUTLET_WEBHOOK] = NOTIFY_WEBHOOK};
    struct secret url = {0}, key = {0};
    struct control_why why = {.param = ""};
    enum outlet_kind kind;
    *ret = NOTIFY_MAIL;
    if (str_find(to, '@') >= 0)
        return true;
    enum err e = outlet_open(control_of(j), j->key->workspace_id, to, &kind, &url, &key, &why);
    secret_wipe(&url);
    secret_wipe(&key);
    if (e)
        job_fail_why(j, e, &why);
    else
        *ret = channels[kind];
    return e == ERR_OK;
}

void notifications_test(struct job *j)
{
    struct input in;
    char why[NOTIFY_WHY_MAX] = "";
    enum notify_channel channel;
    if (!input_begin(&in, j))
        return;
    struct str given = input_text(&in, "to");
    struct str to = arena_dup(j->arena, given.p ? given : STR(""));
    bool ok = input_check(&in);
    input_end(&in);
    if (ok && !to.n)
        job_fail(j, ERR_MISSING_PARAMETER, STR("to"), STR("to is a mail address or the name of a channel"));
    if (!ok || !to.n || !read_receiver(j, to, &channel) || !patience_left(j))
        return;
    uint64_t began_us = clock_mono_us();
    struct str who = j->key->member ? j->key->member->name : j->key->name;
    enum err e = notices_test(j->console->settings.notify, channel, j->key->workspace_id, to, who, why);
    patience_used(j, began_us);
    if (e == ERR_BAD_PARAMETER || e == ERR_FORBIDDEN) {
        job_fail(j, ERR_BAD_PARAMETER, STR("to"), str_c(why));
        return;
    }
    if (e && e != ERR_UPSTREAM_CONNECT) {
        job_fail(j, e, STR(""), str_c(why));
        return;
    }
    job_reply_json(j, 200);
    json_write_object(&j->json);
    json_write_member_bool(&j->json, "sent", e == ERR_OK);
    json_write_member_text(&j->json, "error", str_c(why));
    json_write_object_end(&j->json);
}
