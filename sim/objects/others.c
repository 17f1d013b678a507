/* SPDX-License-Identifier: Apache-2.0 */
/* Small ones: skills and their versions, webhook endpoints, the event stream of an agent's session. */
#include <stdio.h>

#include "base/must.h"
#include "sim/http/reply.h"
#include "sim/objects/objects.h"

/* Version 1 comes with the skill. */
void objects_skill_made(struct call *c, struct shelf_item *skill)
{
    struct str versions = call_format(c, "skills/%s/versions", skill->id);
    struct buf out;
    struct json_write w;
    buf_init(&out, 65536);
    json_write_init(&w, &out);
    json_write_object(&w);
    json_write_member_string(&w, "id", call_id(c, "skillver_", 24));
    json_write_member_string(&w, "object", STR("skill.version"));
    json_write_member_int(&w, "created_at", call_now(c));
    json_write_member_string(&w, "skill_id", str_c(skill->id));
    json_write_member_raw(&w, "name", crud_member(c, skill, "name"));
    json_write_member_raw(&w, "description", crud_member(c, skill, "description"));
    json_write_member_string(&w, "version", STR("1"));
    json_write_object_end(&w);
    must(json_write_done(&w));
    shelf_set_blob(shelf_put(c->sim->shelf, versions, STR("1"), buf_str(&out)), skill->blob);
    buf_free(&out);
}

/* Versions are addressed by their number. */
void objects_skill_version_create(struct call *c)
{
    struct shelf_item *made = crud_make(c, &objects_skill_version), *kept;
    if (!made)
        return;
    struct str collection = crud_collection(c, &objects_skill_version);
    struct str number = call_format(c, "%llu", (unsigned long long)shelf_count(c->sim->shelf, collection));
    crud_change_text(c, made, call_format(c, "{\"version\":\"%.*s\"}", STR_ARG(number)));
    kept = shelf_put(c->sim->shelf, collection, number, made->json);
    shelf_set_blob(kept, made->blob);
    shelf_remove(c->sim->shelf, made);
    struct shelf_item *skill = shelf_get(c->sim->shelf, STR("skills"), c->args[0]);
    if (skill)
        crud_change_text(c, skill, call_format(c, "{\"latest_version\":\"%.*s\"}", STR_ARG(number)));
    crud_answer(c, kept);
}

/* The signing secret is shown once. */
void objects_webhook_made(struct call *c, struct shelf_item *i)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    must(buf_add_str(&out, str_head(i->json, i->json.n - 1)));
    must(buf_printf(&out, ",\"signing_secret\":\"%.*s\"}", STR_ARG(call_id(c, "whsec_", 40))));
    answer_json(c, 200, &out);
}

void objects_webhook_test(struct call *c)
{
    struct shelf_item *i = crud_find(c, &objects_webhook);
    struct reply r;
    if (!i)
        return;
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", STR("webhook_endpoint.test"));
    json_write_member_string(w, "webhook_endpoint_id", str_c(i->id));
    json_write_member_string(w, "event_type", jdoc_text(jdoc_find(c->json, "event_type"), c->arena));
    json_write_member_bool(w, "success", true);
    json_write_member_uint(w, "status_code", 200);
    reply_send(c, &r, 200);
}

void objects_event_types(struct call *c)
{
    static const char *const types[] = {"batch.completed",
                                        "batch.failed",
                                        "batch.expired",
                                        "batch.cancelled",
                                        "response.completed",
                                        "response.failed",
                                        "response.cancelled",
                                        "response.incomplete",
                                        "eval.run.succeeded",
                                        "eval.run.failed",
                                        "eval.run.canceled",
                                        "fine_tuning.job.succeeded",
                                        "fine_tuning.job.failed",
                                        "fine_tuning.job.cancelled",
                                        "realtime.call.incoming",
                                        "video.completed",
                                        "video.failed"};
    struct reply r;
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", STR("list"));
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        json_write_string(w, str_c(types[i]));
    json_write_array_end(w);
    reply_send(c, &r, 200);
}

/* What a client sees of a session in which nothing happens: its state, once. */
static enum answer_step session_event(struct call *c, struct buf *out)
{
    const struct str *json = c->answer.state;
    struct str data =
        call_format(c, "{\"type\":\"session.status\",\"sequence_number\":0,\"session\":%.*s}", STR_ARG(*json));
    answer_frame(out, "session.status", data);
    return ANSWER_LAST;
}

void objects_session_stream(struct call *c)
{
    struct shelf_item *i = crud_find(c, c->route->crud);
    struct str *json = arena_alloc(c->arena, sizeof *json);
    if (!i || !json)
        return;
    *json = arena_dup(c->arena, i->json);
    answer_stream(c, ANSWER_NAMED, session_event, json);
}
