/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a realtime session says: a response in text, in speech with its transcript, or a function
 * call; and the transcription of what it heard. All events of a response go out at once.
 */
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "sim/api/api.h"
#include "sim/api/realtime.h"
#include "sim/kept/crud.h"
#include "sim/model/compose.h"
#include "sim/model/phrase.h"
#include "sim/simid.h"

#define SAMPLES_BYTES_PER_S 48000
#define CACHE_STEP 64

struct answer_of {
    struct realtime *r;
    struct compose say;
    struct str response_id, item_id, call_id;
    bool audio;
    struct str modalities; /* JSON */
};

/* Old and new names of events: "response.output_text.delta" was "response.text.delta". */
static const char *named(struct realtime *r, const char *what)
{
    return call_format(r->c, "response.%s%s", r->beta ? "" : "output_", what).p;
}

static struct json_write *placed(struct answer_of *a, struct buf *out, struct json_write *w, const char *type,
                                 bool content)
{
    realtime_event(a->r, out, w, type);
    json_write_member_string(w, "response_id", a->response_id);
    json_write_member_string(w, "item_id", a->item_id);
    json_write_member_uint(w, "output_index", 0);
    if (content)
        json_write_member_uint(w, "content_index", 0);
    return w;
}

static void write_item(struct answer_of *a, struct json_write *w, bool done)
{
    bool tool = a->say.kind != COMPOSE_TEXT;
    json_write_object(w);
    json_write_member_string(w, "id", a->item_id);
    json_write_member_string(w, "object", STR("realtime.item"));
    json_write_member_string(w, "type", tool ? STR("function_call") : STR("message"));
    json_write_member_string(w, "status", done ? STR("completed") : STR("in_progress"));
    if (tool) {
        json_write_member_string(w, "name", a->say.tool);
        json_write_member_string(w, "call_id", a->call_id);
        json_write_member_string(w, "arguments", done ? a->say.text : STR(""));
    } else {
        json_write_member_string(w, "role", STR("assistant"));
        json_write_key(w, STR("content"));
        json_write_array(w);
        if (done) {
            json_write_object(w);
            json_write_member_string(w, "type", a->audio ? STR("output_audio") : STR("output_text"));
            json_write_member_string(w, a->audio ? "transcript" : "text", a->say.text);
            json_write_object_end(w);
        }
        json_write_array_end(w);
    }
    json_write_object_end(w);
}

static void send_response(struct answer_of *a, bool done)
{
    struct call *c = a->r->c;
    struct buf out;
    struct json_write w;
    realtime_event(a->r, &out, &w, done ? "response.done" : "response.created");
    json_write_key(&w, STR("response"));
    json_write_object(&w);
    json_write_member_string(&w, "object", STR("realtime.response"));
    json_write_member_string(&w, "id", a->response_id);
    json_write_member_string(&w, "status",
                             !done        ? STR("in_progress")
                             : a->say.cut ? STR("incomplete")
                                          : STR("completed"));
    json_write_member_raw(&w, "status_details",
                          done && a->say.cut ? STR("{\"type\":\"incomplete\",\"reason\":\"max_output_tokens\"}")
                                             : STR("null"));
    json_write_key(&w, STR("output"));
    json_write_array(&w);
    if (done)
        write_item(a, &w, true);
    json_write_array_end(&w);
    json_write_member_string(&w, "conversation_id", call_format(c, "conv_%.*s", STR_ARG(str_from(a->r->id, 5))));
    json_write_member_raw(&w, a->r->beta ? "modalities" : "output_modalities", a->modalities);
    json_write_member_raw(&w, "max_output_tokens", STR("\"inf\""));
    json_write_key(&w, STR("usage"));
    if (done && bill_wanted(c))
        bill_write_realtime(c, &w);
    else
        json_write_null(&w);
    json_write_member_null(&w, "metadata");
    json_write_object_end(&w);
    realtime_event_end(a->r, &out, &w);
}

static void send_item(struct answer_of *a, bool done)
{
    struct buf out;
    struct json_write w;
    realtime_event(a->r, &out, &w, done ? "response.output_item.done" : "response.output_item.added");
    json_write_member_string(&w, "response_id", a->response_id);
    json_write_member_uint(&w, "output_index", 0);
    json_write_key(&w, STR("item"));
    write_item(a, &w, done);
    realtime_event_end(a->r, &out, &w);
}

static void send_part(struct answer_of *a, bool done)
{
    struct buf out;
    struct json_write w;
    placed(a, &out, &w, done ? "response.content_part.done" : "response.content_part.added", true);
    json_write_key(&w, STR("part"));
    json_write_object(&w);
    json_write_member_string(&w, "type", a->audio ? STR("audio") : STR("text"));
    json_write_member_string(&w, a->audio ? "transcript" : "text", done ? a->say.text : STR(""));
    json_write_object_end(&w);
    realtime_event_end(a->r, &out, &w);
}

static void send_delta(struct answer_of *a, const char *type, struct str delta, bool content)
{
    struct buf out;
    struct json_write w;
    placed(a, &out, &w, type, content);
    if (!content)
        json_write_member_string(&w, "call_id", a->call_id);
    json_write_member_string(&w, "delta", delta);
    realtime_event_end(a->r, &out, &w);
}

static void send_whole(struct answer_of *a, const char *type, const char *member, struct str text, bool content)
{
    struct buf out;
    struct json_write w;
    placed(a, &out, &w, type, content);
    if (!content) {
        json_write_member_string(&w, "call_id", a->call_id);
        json_write_member_string(&w, "name", a->say.tool);
    }
    if (member)
        json_write_member_string(&w, member, text);
    realtime_event_end(a->r, &out, &w);
}

static void speak(struct answer_of *a)
{
    struct realtime *r = a->r;
    struct bill *b = r->c->bill;
    uint64_t at = 0;
    while (at < a->say.text.n && !r->ch->closed) {
        uint64_t before = b->output;
        struct str piece = compose_piece(r->c, &a->say, &at);
        send_delta(a, a->audio ? named(r, "audio_transcript.delta") : named(r, "text.delta"), piece, true);
        if (a->audio) {
            struct buf data;
            uint64_t tokens = (b->output - before) * API_AUDIO_PER_TOKEN;
            buf_init(&data, 1 << 24);
            must(api_audio_base64(&data, r->c->seed + at, tokens));
            send_delta(a, named(r, "audio.delta"), buf_str(&data), true);
            buf_free(&data);
            b->audio_out += tokens;
            b->output += tokens;
        }
    }
    if (a->audio) {
        send_whole(a, named(r, "audio.done"), NULL, STR(""), true);
        send_whole(a, named(r, "audio_transcript.done"), "transcript", a->say.text, true);
    } else {
        send_whole(a, named(r, "text.done"), "text", a->say.text, true);
    }
}

static void call_function(struct answer_of *a)
{
    uint64_t at = 0;
    while (at < a->say.text.n && !a->r->ch->closed)
        send_delta(a, "response.function_call_arguments.delta", compose_piece(a->r->c, &a->say, &at), false);
    send_whole(a, "response.function_call_arguments.done", "arguments", a->say.text, false);
}

static void send_limits(struct realtime *r)
{
    struct buf out;
    struct json_write w;
    realtime_event(r, &out, &w, "rate_limits.updated");
    json_write_member_raw(&w, "rate_limits",
                          STR("[{\"name\":\"requests\",\"limit\":10000,\"remaining\":9999,\"reset_seconds\":0.006},"
                              "{\"name\":\"tokens\",\"limit\":30000000,\"remaining\":29999000,\"reset_seconds\":"
                              "0.002}]"));
    realtime_event_end(r, &out, &w);
}

/* Adds what the response consumed to the session's total. */
static void add_total(struct bill *total, const struct bill *b)
{
#define X(field, what) total->field += b->field;
    BILL_TABLE(X)
#undef X
}

static void bill_input(struct realtime *r)
{
    struct bill *b = r->c->bill, zero = {.input = 0};
    *b = zero;
    b->audio_in = r->audio_in;
    b->image_in = r->image_in;
    b->input = r->text_in + r->audio_in + r->image_in;
    b->cached = r->said_before / CACHE_STEP * CACHE_STEP;
    if (b->cached > r->text_in + r->audio_in)
        b->cached = r->text_in + r->audio_in;
    /* Text is cached before audio. */
    b->audio_cached = b->cached > r->text_in ? b->cached - r->text_in : 0;
    r->said_before = b->input;
    bill_cue(r->c);
}

static bool wants_audio(struct jval modalities)
{
    for (struct jval m = jdoc_first(modalities); jdoc_has(m); m = jdoc_next(modalities, m))
        if (jdoc_is(m, "audio"))
            return true;
    return false;
}

static void read_settings(struct realtime *r, struct jval settings, struct answer_of *a, struct compose_ask *ask)
{
    struct call *c = r->c;
    const char *names[] = {"output_modalities", "modalities"};
    struct jval given = {NULL, 0}, session = {NULL, 0};
    struct jdoc doc;
    jdoc_init(&doc);
    must(jdoc_parse(&doc, r->session->json));
    session = jdoc_root(&doc);
    for (int i = 0; i < 2 && !jdoc_has(given); i++)
        given = jdoc_find(settings, names[i]);
    if (!jdoc_has(given))
        given = jdoc_find(session, "output_modalities");
    a->audio = wants_audio(given);
    a->modalities = arena_dup(c->arena, jdoc_raw(given));
    struct jval tools = jdoc_find(settings, "tools"), choice = jdoc_find(settings, "tool_choice");
    compose_choose_tool(c, jdoc_has(tools) ? tools : jdoc_find(session, "tools"),
                        jdoc_has(choice) ? choice : jdoc_find(session, "tool_choice"), false, r->tool_answered, ask);
    ask->tool = arena_dup(c->arena, ask->tool);
    ask->tokens_max = jdoc_count(jdoc_find(settings, "max_output_tokens"), 0);
    c->seed = simid_mix(c->seed, ++r->turn);
    compose_make(c, ask, 0, &a->say);
    jdoc_free(&doc);
}

void realtime_respond(struct realtime *r, struct jval settings)
{
    struct answer_of a = {.r = r};
    struct compose_ask ask = {.model = r->model};
    struct call *c = r->c;
    if (!c->bill)
        return; /* a session that only transcribes */
    read_settings(r, settings, &a, &ask);
    a.response_id = call_id(c, "resp_", 21);
    a.item_id = call_id(c, "item_", 21);
    a.call_id = call_id(c, "call_", 24);
    bill_input(r);
    send_response(&a, false);
    send_item(&a, false);
    if (a.say.kind == COMPOSE_TEXT) {
        send_part(&a, false);
        speak(&a);
        send_part(&a, true);
    } else {
        call_function(&a);
    }
    send_item(&a, true);
    struct buf item;
    struct json_write w;
    buf_init(&item, 1 << 24);
    json_write_init(&w, &item);
    write_item(&a, &w, true);
    must(json_write_done(&w));
    realtime_item_added(r, a.item_id, buf_str(&item));
    buf_free(&item);
    send_response(&a, true);
    send_limits(r);
    add_total(&r->total, c->bill);
    r->text_in += a.say.text_tok + 3;
    r->tool_answered = false;
}

/* The model that transcribes: session.audio.input.transcription.model, or the old place. */
static struct str transcriber(struct realtime *r)
{
    struct jdoc doc;
    jdoc_init(&doc);
    must(jdoc_parse(&doc, r->session->json));
    struct jval session = jdoc_root(&doc);
    struct jval t = jdoc_find(jdoc_find(jdoc_find(session, "audio"), "input"), "transcription");
    if (!jdoc_has(t))
        t = jdoc_find(session, "input_audio_transcription");
    struct str model = arena_dup(r->c->arena, jdoc_text(jdoc_find(t, "model"), r->c->arena));
    jdoc_free(&doc);
    if (!model.n && (jdoc_has(t) || r->transcription))
        model = STR("gpt-4o-transcribe");
    return model;
}

static void write_heard(struct realtime *r, struct json_write *w, const struct bill *b)
{
    json_write_key(w, STR("usage"));
    json_write_object(w);
    if (b->audio_ms) {
        json_write_member_string(w, "type", STR("duration"));
        json_write_member_uint(w, "seconds", (b->audio_ms + 999) / 1000);
    } else {
        json_write_member_string(w, "type", STR("tokens"));
        json_write_member_uint(w, "total_tokens", b->input + b->output);
        json_write_member_uint(w, "input_tokens", b->input);
        json_write_key(w, STR("input_token_details"));
        json_write_object(w);
        json_write_member_uint(w, "text_tokens", 0);
        json_write_member_uint(w, "audio_tokens", b->audio_in);
        json_write_object_end(w);
        json_write_member_uint(w, "output_tokens", b->output);
    }
    json_write_object_end(w);
    add_total(&r->heard, b);
}

void realtime_transcribe(struct realtime *r, struct str item_id, uint64_t audio_bytes)
{
    struct str model = transcriber(r);
    struct bill b = {.input = 0};
    struct buf text, out;
    struct json_write w;
    if (!model.n)
        return;
    uint64_t ms = audio_bytes * 1000 / SAMPLES_BYTES_PER_S, words = 3 + ms / 500;
    buf_init(&text, 1 << 24);
    must(phrase_prose(&text, simid_mix(r->c->seed, ++r->turn), words));
    str_copy(r->heard_by, sizeof r->heard_by, model);
    if (str_eq(model, STR("whisper-1"))) {
        b.audio_ms = ms ? ms : 1;
    } else {
        b.audio_in = b.input = 1 + ms / 100;
        b.output = words;
    }
    realtime_event(r, &out, &w, "conversation.item.input_audio_transcription.delta");
    json_write_member_string(&w, "item_id", item_id);
    json_write_member_uint(&w, "content_index", 0);
    json_write_member_string(&w, "delta", buf_str(&text));
    realtime_event_end(r, &out, &w);
    realtime_event(r, &out, &w, "conversation.item.input_audio_transcription.completed");
    json_write_member_string(&w, "item_id", item_id);
    json_write_member_uint(&w, "content_index", 0);
    json_write_member_string(&w, "transcript", buf_str(&text));
    write_heard(r, &w, &b);
    realtime_event_end(r, &out, &w);
    buf_free(&text);
}
