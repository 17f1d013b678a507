/* SPDX-License-Identifier: Apache-2.0 */
/* What a cost alert has found. */
#include "console/vantage/ask.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"
#include "report/watch/watch_events.h"

#define LIMIT 100
#define LIMIT_MAX 1000

static void write_event(struct job *j, const struct watch_events_row *e)
{
    struct json_write *w = &j->json;
    json_write_object(w);
    json_write_member_string(w, "token", e->token);
    vantage_time(w, "created_at", e->created_us);
    vantage_time(w, "triggered_at", e->triggered_us);
    json_write_member_string(w, "description", e->description);
    json_write_member_string(w, "alert_type", STR("change_in_cost"));
    json_write_key(w, STR("metadata"));
    json_write_object(w);
    json_write_member_string(w, "change_in_cost", e->change);
    json_write_member_raw(w, "groupings", e->groupings);
    json_write_object_end(w);
    json_write_member_string(w, "report_token", e->report);
    json_write_member_string(w, "alert_token", e->alert);
    json_write_object_end(w);
}

void cost_events_list(struct job *j)
{
    struct vantage_page page;
    struct sight s;
    struct doc alert;
    struct watch_events_row *rows;
    size_t count;
    uint64_t total;
    if (!vantage_page_read(j, LIMIT, LIMIT_MAX, &page) || !ask_sight(j, &s) ||
        !ask_doc(j, &s, DOCS_COST_ALERT, ask_token(j, 0), &alert))
        return;
    enum err e = watch_events_list(ask_docs(j), alert.token, ask_text(j, "report_token"), (page.page - 1) * page.limit,
                                   page.limit, j->arena, &rows, &count, &total);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
        return;
    }
    job_reply_json(j, 200);
    json_write_object(&j->json);
    vantage_links(j, &page, total, false);
    json_write_key(&j->json, STR("cost_alert_events"));
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        write_event(j, &rows[i]);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

void cost_events_get(struct job *j)
{
    struct sight s;
    struct doc alert;
    struct watch_events_row row;
    if (!ask_sight(j, &s) || !ask_doc(j, &s, DOCS_COST_ALERT, ask_token(j, 0), &alert))
        return;
    enum err e = watch_events_find(ask_docs(j), alert.token, ask_token(j, 1), j->arena, &row);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
        return;
    }
    job_reply_json(j, 200);
    write_event(j, &row);
}
