/* SPDX-License-Identifier: Apache-2.0 */
/* The other WebSockets: /responses, which tells responses as messages, and /live/sessions. */
#include <stdio.h>

#include "base/must.h"
#include "sim/api/api.h"
#include "sim/api/respond.h"
#include "sim/http/apierr.h"
#include "sim/http/channel.h"
#include "sim/kept/crud.h"
#include "sim/model/bill.h"
#include "sim/simid.h"

/* Responses. */

struct lane {
    struct bill total;
    struct str model;
    uint64_t turn;
};

static void send_failure(struct channel *ch, struct jval json)
{
    /* The error that a handler would have answered with. */
    struct call *c = ch->c;
    struct jdoc doc;
    struct buf out;
    jdoc_init(&doc);
    buf_init(&out, 1 << 20);
    must(jdoc_parse(&doc, buf_str(&c->answer.body)));
    struct jval error = jdoc_find(jdoc_root(&doc), "error"), stream = jdoc_find(json, "stream_id");
    must(buf_printf(&out, "{\"type\":\"error\",\"status\":%d,\"error\":%.*s%s%.*s}", c->answer.status,
                    STR_ARG(jdoc_raw(error)), jdoc_has(stream) ? ",\"stream_id\":" : "", STR_ARG(jdoc_raw(stream))));
    channel_send(ch, buf_str(&out));
    c->answer.begun = c->answer.whole = false;
    c->answer.status = 101;
    buf_free(&c->answer.body);
    buf_free(&out);
    jdoc_free(&doc);
}

static void send_events(struct channel *ch, struct respond *r, struct jval json)
{
    struct call *c = ch->c;
    struct jdoc doc;
    struct respond_events e;
    struct str stream = jdoc_raw(jdoc_find(json, "stream_id"));
    enum answer_step step = ANSWER_MORE;
    respond_events_begin(c, &e, r);
    jdoc_init(&doc);
    e.doc = &doc;
    while (step == ANSWER_MORE && !ch->closed) {
        struct buf out;
        const char *name;
        buf_init(&out, (size_t)1 << 30);
        step = respond_events_next(c, &e, &out, &name);
        if (stream.n && step != ANSWER_END) {
            buf_cut(&out, buf_size(&out) - 1);
            must(buf_printf(&out, ",\"stream_id\":%.*s}", STR_ARG(stream)));
        }
        if (step != ANSWER_END)
            channel_send(ch, buf_str(&out));
        buf_free(&out);
    }
    jdoc_free(&doc);
}

static void on_response(struct channel *ch, struct jval json)
{
    struct lane *lane = ch->state;
    struct call *c = ch->c;
    struct respond *r = arena_alloc(c->arena, sizeof *r);
    must(r != NULL);
    if (!jdoc_is(jdoc_find(json, "type"), "response.create")) {
        channel_send(ch,
                     STR("{\"type\":\"error\",\"status\":400,\"error\":{\"type\":\"invalid_request_error\",\"code\":"
                         "\"invalid_value\",\"message\":\"The event's type is unknown.\",\"param\":\"type\"}}"));
        return;
    }
    c->json = json;
    c->seed = simid_mix(c->seed, ++lane->turn);
    str_copy(c->model_asked, sizeof c->model_asked, jdoc_text(jdoc_find(json, "model"), c->arena));
    if (!respond_decide(c, r)) {
        send_failure(ch, json);
    } else {
        respond_keep(c, r);
        send_events(ch, r, json);
#define X(field, what) lane->total.field += c->bill->field;
        BILL_TABLE(X)
#undef X
        lane->model = r->model;
    }
    c->json = (struct jval){NULL, 0};
}

static void on_lane_gone(struct channel *ch)
{
    struct lane *lane = ch->state;
    if (ch->c->bill)
        *ch->c->bill = lane->total;
}

void api_responses_open(struct call *c)
{
    struct lane *lane = arena_alloc(c->arena, sizeof *lane);
    must(lane != NULL);
    channel_open(c, "responses", on_response, on_lane_gone, lane);
}

/* Live: sessions that are paid by the second. A second passes with 48,000 bytes of audio, whoever sends them. */

struct live {
    struct str id, model;
    uint64_t bytes;
    bool started;
};

static void live_event(struct channel *ch, const char *type, struct str more)
{
    struct call *c = ch->c;
    struct buf out;
    buf_init(&out, 1 << 20);
    must(buf_printf(&out, "{\"type\":\"%s\",\"event_id\":\"%.*s\"%.*s}", type, STR_ARG(call_id(c, "event_", 21)),
                    STR_ARG(more)));
    channel_send(ch, buf_str(&out));
    buf_free(&out);
}

static struct str live_session(struct channel *ch)
{
    struct live *l = ch->state;
    return call_format(
        ch->c, ",\"session\":{\"id\":\"%.*s\",\"object\":\"live.session\",\"model\":\"%.*s\",\"status\":\"active\"}",
        STR_ARG(l->id), STR_ARG(l->model));
}

static struct str live_usage(struct channel *ch)
{
    struct live *l = ch->state;
    ch->c->bill->audio_ms = l->bytes * 1000 / 48000;
    ch->c->used.reported = true;
    return call_format(ch->c, ",\"usage\":{\"seconds\":%llu.%03llu}",
                       (unsigned long long)(ch->c->bill->audio_ms / 1000),
                       (unsigned long long)(ch->c->bill->audio_ms % 1000));
}

static void on_live(struct channel *ch, struct jval json)
{
    struct live *l = ch->state;
    struct call *c = ch->c;
    struct jval type = jdoc_find(json, "type"), model = jdoc_find(jdoc_find(json, "session"), "model");
    if (jdoc_is(type, "session.start")) {
        l->started = true;
        if (jdoc_has(model))
            l->model = arena_dup(c->arena, jdoc_text(model, c->arena));
        str_copy(c->model_asked, sizeof c->model_asked, l->model);
        bill_name(c, l->model, STR(""));
        live_event(ch, "session.started", live_session(ch));
    } else if (jdoc_is(type, "session.update")) {
        live_event(ch, "session.updated", live_session(ch));
    } else if (jdoc_is(type, "session.input_audio.append")) {
        l->bytes += jdoc_escaped(jdoc_find(json, "audio")).n * 3 / 4;
        live_event(ch, "session.usage.updated", live_usage(ch));
    } else if (jdoc_is(type, "session.close")) {
        live_event(ch, "session.closed",
                   call_format(c, ",\"reason\":\"close_requested\"%.*s%.*s", STR_ARG(live_session(ch)),
                               STR_ARG(live_usage(ch))));
        channel_close(ch, 1000, "");
    } else {
        live_event(ch, "error",
                   STR(",\"error\":{\"type\":\"invalid_request_error\",\"code\":\"invalid_value\",\"message\":\"The "
                       "event's type is unknown.\",\"param\":\"type\"}"));
    }
}

static void on_live_gone(struct channel *ch)
{
    (void)live_usage(ch);
}

void api_live_open(struct call *c)
{
    struct live *l = arena_alloc(c->arena, sizeof *l);
    struct str model = call_query(c, "model");
    must(l != NULL);
    l->id = call_id(c, "live_", 24);
    l->model = arena_dup(c->arena, model.n ? model : STR("gpt-live-1"));
    struct channel *ch = channel_open(c, "live", on_live, on_live_gone, l);
    if (!ch)
        return;
    bill_new(c, CALL_WORK_TRANSCRIPTIONS);
    bill_name(c, l->model, STR(""));
    live_event(ch, "session.created", live_session(ch));
}

/* GET /live/sessions/{}/content: what was recorded, a moment of noise. */
void api_live_recording(struct call *c)
{
    struct rng_seeded g = {simid_hash(c->sim->opts.seed, c->args[0])};
    struct buf out;
    buf_init(&out, 65536);
    must(buf_add_str(&out, STR("OggS")));
    while (buf_size(&out) < 4096) {
        uint64_t word = rng_seeded_u64(&g);
        must(buf_add(&out, &word, sizeof word));
    }
    answer_body(c, 200, STR("audio/ogg"), &out);
}
