/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Realtime API: the session, its audio buffer and its conversation. Audio is counted as 16-bit
 * samples at 24 kHz, ten tokens a second. What a session consumed is recorded when it ends: its
 * responses as one row, the transcriptions of its input, another model's work, as a second one.
 */
#include "sim/api/realtime.h"

#include <string.h>

#include "base/must.h"
#include "sim/api/api.h"
#include "sim/http/apierr.h"
#include "sim/http/caller.h"
#include "sim/http/reply.h"
#include "sim/kept/crud.h"
#include "sim/kept/served.h"
#include "sim/model/modelbook.h"
#include "sim/model/tally.h"
#include "sim/simid.h"

#define BYTES_PER_TOKEN 4800
#define IMAGE_TOKENS 255
#define SESSIONS STR("realtime/sessions")

struct json_write *realtime_event(struct realtime *r, struct buf *out, struct json_write *w, const char *type)
{
    char id[40];
    memcpy(id, "event_", 6);
    struct rng_seeded *g = &r->c->ids;
    simid_letters(g, id + 6, 21);
    buf_init(out, (size_t)1 << 28);
    json_write_init(w, out);
    json_write_object(w);
    json_write_member_string(w, "type", str_c(type));
    json_write_member_string(w, "event_id", str_of(id, 27));
    return w;
}

void realtime_event_end(struct realtime *r, struct buf *out, struct json_write *w)
{
    json_write_object_end(w);
    must(json_write_done(w));
    channel_send(r->ch, buf_str(out));
    buf_free(out);
}

struct str realtime_setting(struct realtime *r, const char *name)
{
    return crud_member(r->c, r->session, name);
}

static void send_session(struct realtime *r, const char *type)
{
    struct buf out;
    struct json_write w;
    realtime_event(r, &out, &w, type);
    json_write_member_raw(&w, "session", r->session->json);
    realtime_event_end(r, &out, &w);
}

static void send_error(struct realtime *r, struct jval json, const char *code, const char *message)
{
    struct buf out;
    struct json_write w;
    struct jval id = jdoc_find(json, "event_id");
    realtime_event(r, &out, &w, "error");
    json_write_key(&w, STR("error"));
    json_write_object(&w);
    json_write_member_string(&w, "type", STR("invalid_request_error"));
    json_write_member_string(&w, "code", str_c(code));
    json_write_member_string(&w, "message", str_c(message));
    json_write_member_null(&w, "param");
    json_write_member_raw(&w, "event_id", jdoc_has(id) ? jdoc_raw(id) : STR("null"));
    json_write_object_end(&w);
    realtime_event_end(r, &out, &w);
}

static void send_plain(struct realtime *r, const char *type, const char *member, struct jval value)
{
    struct buf out;
    struct json_write w;
    realtime_event(r, &out, &w, type);
    if (member && jdoc_has(value))
        json_write_member_raw(&w, member, jdoc_raw(value));
    realtime_event_end(r, &out, &w);
}

void realtime_item_added(struct realtime *r, struct str id, struct str item)
{
    static const char *const now[] = {"conversation.item.added", "conversation.item.done"};
    static const char *const then[] = {"conversation.item.created"};
    for (int i = 0; i < (r->beta ? 1 : 2); i++) {
        struct buf out;
        struct json_write w;
        realtime_event(r, &out, &w, r->beta ? then[i] : now[i]);
        json_write_member_text(&w, "previous_item_id", str_c(r->last_item));
        json_write_member_raw(&w, "item", item);
        realtime_event_end(r, &out, &w);
    }
    str_copy(r->last_item, sizeof r->last_item, id);
}

/* The client's events. */

static void count_content(struct realtime *r, struct jval item)
{
    struct call *c = r->c;
    struct jval content = jdoc_find(item, "content"), output = jdoc_find(item, "output");
    enum tokenizer_encoding e = compose_encoding(r->model);
    r->text_in += 3 + tally_escaped(c->sim->tally, e, jdoc_escaped(output));
    for (struct jval p = jdoc_first(content); jdoc_has(p); p = jdoc_next(content, p)) {
        struct jval type = jdoc_find(p, "type");
        if (jdoc_is(type, "input_audio"))
            r->audio_in += 1 + jdoc_escaped(jdoc_find(p, "audio")).n * 3 / 4 / BYTES_PER_TOKEN;
        else if (jdoc_is(type, "input_image"))
            r->image_in += IMAGE_TOKENS;
        else
            r->text_in += tally_escaped(c->sim->tally, e, jdoc_escaped(jdoc_find(p, "text")));
    }
}

/* The item as the server shows it: with id, object and status; audio is not sent back. */
static void item_create(struct realtime *r, struct jval json)
{
    struct jval item = jdoc_find(json, "item");
    struct str id = jdoc_text(jdoc_find(item, "id"), r->c->arena);
    struct buf out;
    struct json_write w;
    if (jdoc_kind(item) != JDOC_OBJECT) {
        send_error(r, json, "missing_required_parameter", "Missing required parameter: 'item'.");
        return;
    }
    if (!id.n)
        id = call_id(r->c, "item_", 21);
    buf_init(&out, 32u << 20);
    json_write_init(&w, &out);
    json_write_object(&w);
    json_write_member_string(&w, "id", id);
    json_write_member_string(&w, "object", STR("realtime.item"));
    for (struct jval m = jdoc_first(item); jdoc_has(m); m = jdoc_next(item, m)) {
        if (jdoc_is(m, "id") || jdoc_is(m, "object") || jdoc_is(m, "status"))
            continue;
        json_write_key(&w, jdoc_escaped(m));
        json_write_raw(&w, jdoc_raw(jdoc_value(m)));
    }
    json_write_member_string(&w, "status", STR("completed"));
    json_write_object_end(&w);
    must(json_write_done(&w));
    count_content(r, item);
    r->tool_answered = jdoc_is(jdoc_find(item, "type"), "function_call_output");
    shelf_put(r->c->sim->shelf, call_format(r->c, "realtime/%.*s/items", STR_ARG(r->id)), id, buf_str(&out));
    realtime_item_added(r, id, buf_str(&out));
    buf_free(&out);
}

static void item_other(struct realtime *r, struct jval json, struct str what)
{
    struct jval id = jdoc_find(json, "item_id");
    struct str items = call_format(r->c, "realtime/%.*s/items", STR_ARG(r->id));
    struct shelf_item *i = shelf_get(r->c->sim->shelf, items, jdoc_text(id, r->c->arena));
    struct buf out;
    struct json_write w;
    if (!i) {
        send_error(r, json, "item_not_found", "There is no item with this id in the conversation.");
        return;
    }
    if (str_eq(what, STR("retrieve"))) {
        realtime_event(r, &out, &w, "conversation.item.retrieved");
        json_write_member_raw(&w, "item", i->json);
    } else if (str_eq(what, STR("delete"))) {
        realtime_event(r, &out, &w, "conversation.item.deleted");
        json_write_member_raw(&w, "item_id", jdoc_raw(id));
        shelf_remove(r->c->sim->shelf, i);
    } else {
        realtime_event(r, &out, &w, "conversation.item.truncated");
        json_write_member_raw(&w, "item_id", jdoc_raw(id));
        json_write_member_uint(&w, "content_index", jdoc_count(jdoc_find(json, "content_index"), 0));
        json_write_member_uint(&w, "audio_end_ms", jdoc_count(jdoc_find(json, "audio_end_ms"), 0));
    }
    realtime_event_end(r, &out, &w);
}

static void audio_commit(struct realtime *r, struct jval json)
{
    struct buf out;
    struct json_write w;
    if (!r->buffered) {
        send_error(r, json, "input_audio_buffer_commit_empty",
                   "Error committing input audio buffer: buffer too small.");
        return;
    }
    struct str id = call_id(r->c, "item_", 21);
    realtime_event(r, &out, &w, "input_audio_buffer.committed");
    json_write_member_text(&w, "previous_item_id", str_c(r->last_item));
    json_write_member_string(&w, "item_id", id);
    realtime_event_end(r, &out, &w);
    struct str item =
        call_format(r->c,
                    "{\"id\":\"%.*s\",\"object\":\"realtime.item\",\"type\":\"message\",\"status\":"
                    "\"completed\",\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"transcript\":"
                    "null}]}",
                    STR_ARG(id));
    shelf_put(r->c->sim->shelf, call_format(r->c, "realtime/%.*s/items", STR_ARG(r->id)), id, item);
    realtime_item_added(r, id, item);
    uint64_t bytes = r->buffered;
    r->audio_in += 1 + bytes / BYTES_PER_TOKEN;
    r->buffered = 0;
    realtime_transcribe(r, id, bytes);
}

static void session_update(struct realtime *r, struct jval json)
{
    struct jval session = jdoc_find(json, "session");
    if (jdoc_kind(session) != JDOC_OBJECT) {
        send_error(r, json, "missing_required_parameter", "Missing required parameter: 'session'.");
        return;
    }
    crud_change_text(r->c, r->session, jdoc_raw(session));
    send_session(r, "session.updated");
}

static void on_message(struct channel *ch, struct jval json)
{
    struct realtime *r = ch->state;
    struct str type = jdoc_text(jdoc_find(json, "type"), r->c->arena);
    struct jval none = {NULL, 0};
    if (str_eq(type, STR("input_audio_buffer.append")))
        r->buffered += jdoc_escaped(jdoc_find(json, "audio")).n * 3 / 4;
    else if (str_eq(type, STR("response.create")))
        realtime_respond(r, jdoc_find(json, "response"));
    else if (str_eq(type, STR("conversation.item.create")))
        item_create(r, json);
    else if (str_starts(type, STR("conversation.item.")))
        item_other(r, json, str_from(type, 18));
    else if (str_eq(type, STR("session.update")))
        session_update(r, json);
    else if (str_eq(type, STR("input_audio_buffer.commit")))
        audio_commit(r, json);
    else if (str_eq(type, STR("input_audio_buffer.clear"))) {
        r->buffered = 0;
        send_plain(r, "input_audio_buffer.cleared", NULL, none);
    } else if (str_eq(type, STR("output_audio_buffer.clear")))
        send_plain(r, "output_audio_buffer.cleared", "response_id", jdoc_find(json, "response_id"));
    else if (str_eq(type, STR("response.cancel")))
        send_error(r, json, "response_cancel_not_active", "Cancellation failed: no active response found");
    else
        send_error(r, json, "invalid_value", "Invalid value: the event's type is unknown.");
}

/* The transcriptions get a row of their own. */
static void record_heard(struct realtime *r)
{
    struct call *c = r->c, *other;
    if (!r->heard_by[0])
        return;
    other = call_new(c->sim, NULL);
    other->surface = c->surface;
    other->caller = c->caller;
    other->project_wish = arena_dup(other->arena, c->project_wish);
    other->route = c->route;
    other->method = arena_dup(other->arena, c->method);
    other->target = arena_dup(other->arena, c->target);
    other->answer.status = 101;
    *bill_new(other, CALL_WORK_TRANSCRIPTIONS) = r->heard;
    other->used.seconds_ms = r->heard.audio_ms ? r->heard.audio_ms : r->heard.audio_in * 100;
    other->used.reported = true;
    bill_name(other, str_c(r->heard_by), STR(""));
    served_record_unhashed(other);
    call_free(other);
}

static void on_gone(struct channel *ch)
{
    struct realtime *r = ch->state;
    struct shelf *s = r->c->sim->shelf;
    if (r->c->bill)
        *r->c->bill = r->total;
    record_heard(r);
    if (shelf_get(s, SESSIONS, r->id) == r->session)
        shelf_remove(s, r->session);
    shelf_remove_below(s, call_format(r->c, "realtime/%.*s", STR_ARG(r->id)));
}

static const char session_shape[] =
    "{\"type\":\"realtime\",\"object\":\"realtime.session\",\"id\":\"$id\",\"model\":\"\",\"output_modalities\":"
    "[\"audio\"],\"instructions\":\"\",\"tools\":[],\"tool_choice\":\"auto\",\"max_output_tokens\":\"inf\","
    "\"tracing\":null,\"truncation\":\"auto\",\"prompt\":null,\"expires_at\":\"$now+1800\",\"audio\":{\"input\":"
    "{\"format\":{\"type\":\"audio/pcm\",\"rate\":24000},\"transcription\":null,\"noise_reduction\":null,"
    "\"turn_detection\":null},\"output\":{\"format\":{\"type\":\"audio/pcm\",\"rate\":24000},\"voice\":\"alloy\","
    "\"speed\":1.0}},\"include\":null}";

static struct shelf_item *session_new(struct call *c, struct str id)
{
    struct buf out;
    struct json_write w;
    buf_init(&out, 65536);
    json_write_init(&w, &out);
    crud_fill(c, &w, str_c(session_shape), id, false);
    must(json_write_done(&w));
    struct shelf_item *i = shelf_put(c->sim->shelf, SESSIONS, id, buf_str(&out));
    buf_free(&out);
    return i;
}

static void session_begin(struct realtime *r)
{
    struct call *c = r->c;
    struct buf out;
    r->session = session_new(c, r->id);
    buf_init(&out, 4096);
    must(buf_add_str(&out, STR("{\"model\":")) && json_write_quoted(&out, r->model) &&
         buf_add_str(&out, r->transcription ? STR(",\"type\":\"transcription\",\"object\":"
                                                  "\"realtime.transcription_session\"}")
                                            : STR("}")));
    crud_change_text(c, r->session, buf_str(&out));
    buf_free(&out);
}

void api_realtime_open(struct call *c)
{
    struct realtime *r = arena_alloc(c->arena, sizeof *r);
    struct str model = call_query(c, "model"), deployment = call_query(c, "deployment");
    must(r != NULL);
    r->c = c;
    r->transcription = str_eq(call_query(c, "intent"), STR("transcription"));
    r->beta = str_search(c->beta.n ? c->beta : STR("-"), STR("realtime=v1")) >= 0;
    if (!model.n)
        model = deployment;
    if (!model.n && !r->transcription && !call_query(c, "call_id").n) {
        apierr_missing(c, "model");
        return;
    }
    r->model = arena_dup(c->arena, model.n ? model : STR("gpt-realtime"));
    str_copy(c->model_asked, sizeof c->model_asked, r->model);
    if (str_starts(r->model, STR("no-such-"))) {
        apierr_no_model(c, r->model);
        return;
    }
    r->ch = channel_open(c, "realtime", on_message, on_gone, r);
    if (!r->ch)
        return;
    r->id = call_id(c, "sess_", 21);
    if (!r->transcription) {
        bill_new(c, CALL_WORK_COMPLETIONS);
        bill_name(c, r->model, STR(""));
    }
    session_begin(r);
    send_session(r, "session.created");
}

/* POST /realtime/client_secrets: the session that it will open, as it would be. */
void api_realtime_secret(struct call *c)
{
    struct jval given = jdoc_find(c->json, "session");
    struct shelf_item *session = session_new(c, call_id(c, "sess_", 21));
    struct reply r;
    if (jdoc_kind(given) == JDOC_OBJECT)
        crud_change_text(c, session, jdoc_raw(given));
    if (jdoc_is(jdoc_find(given, "type"), "transcription"))
        crud_change_text(c, session, STR("{\"object\":\"realtime.transcription_session\"}"));
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "value", call_id(c, "ek_", 40));
    json_write_member_int(w, "expires_at", call_now(c) + 600);
    json_write_member_raw(w, "session", session->json);
    shelf_remove(c->sim->shelf, session);
    reply_send(c, &r, 200);
}

/* POST /realtime/calls: an SDP offer is answered with one. */
void api_realtime_call(struct call *c)
{
    struct buf out;
    struct str id = call_id(c, "rtc_", 24);
    buf_init(&out, 4096);
    must(buf_printf(&out,
                    "v=0\r\no=- %llu 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
                    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\n"
                    "a=rtpmap:111 opus/48000/2\r\n",
                    (unsigned long long)c->number));
    answer_header(c, "Location", call_format(c, "/v1/realtime/calls/%.*s", STR_ARG(id)));
    answer_body(c, 201, STR("application/sdp"), &out);
}
