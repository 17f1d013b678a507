/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of /responses and /decisions. */
#include "base/must.h"
#include "sim/api/api.h"
#include "sim/api/respond.h"
#include "sim/http/apierr.h"
#include "sim/http/reply.h"
#include "sim/kept/crud.h"
#include "sim/model/bill.h"
#include "sim/model/tally.h"
#include "sim/objects/objects.h"

static const struct crud kept_response = {.collection = "responses",
                                          .what = "response",
                                          .deleted = "{\"id\":\"$id\",\"object\":\"response\",\"deleted\":true}"};
static const struct crud kept_item = {
    .collection = "responses/{}/input_items", .what = "input item", .parent = &kept_response};

static struct str conversation_of(struct call *c)
{
    struct jval v = jdoc_find(c->json, "conversation");
    return jdoc_text(jdoc_kind(v) == JDOC_OBJECT ? jdoc_find(v, "id") : v, c->arena);
}

/* Input that is a string becomes one message. */
static void put_input(struct call *c, struct str collection)
{
    struct jval input = jdoc_find(c->json, "input");
    if (jdoc_kind(input) == JDOC_ARRAY) {
        objects_items_put(c, collection, input, NULL);
    } else if (jdoc_kind(input) == JDOC_STRING) {
        struct jdoc doc;
        struct buf text;
        buf_init(&text, (size_t)1 << 30);
        must(buf_add_str(&text, STR("[{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\","
                                    "\"text\":")) &&
             buf_add_str(&text, jdoc_raw(input)) && buf_add_str(&text, STR("}]}]")));
        jdoc_init(&doc);
        must(jdoc_parse(&doc, buf_str(&text)));
        objects_items_put(c, collection, jdoc_root(&doc), NULL);
        jdoc_free(&doc);
        buf_free(&text);
    }
}

void respond_keep(struct call *c, const struct respond *r)
{
    struct str conversation = conversation_of(c);
    if (conversation.n) {
        struct jdoc doc;
        jdoc_init(&doc);
        must(jdoc_parse(&doc, r->final));
        put_input(c, objects_items_of(c, conversation));
        objects_items_put(c, objects_items_of(c, conversation), jdoc_find(jdoc_root(&doc), "output"), NULL);
        jdoc_free(&doc);
    }
    if (!r->store)
        return;
    struct shelf_item *i = shelf_put(c->sim->shelf, STR("responses"), r->id, r->final);
    bool prose = r->say.prose && r->say.kind == COMPOSE_TEXT;
    shelf_set_hidden(i, call_format(c, "{\"prose\":%s,\"background\":%s,\"partial_images\":%u}",
                                    prose ? "true" : "false", r->background ? "true" : "false", r->partial_images));
    put_input(c, call_format(c, "responses/%.*s/input_items", STR_ARG(r->id)));
}

static struct respond_events *events_new(struct call *c)
{
    struct respond_events *e = arena_alloc(c->arena, sizeof *e);
    must(e != NULL);
    return e;
}

/* The response is shown queued, and is complete when it is next looked at. */
static void answer_queued(struct call *c, const struct respond *r)
{
    struct shelf_item *i = shelf_get(c->sim->shelf, STR("responses"), r->id);
    must(i != NULL);
    crud_change(c, i,
                "{\"status\":\"queued\",\"output\":[],\"usage\":null,\"completed_at\":null,"
                "\"incomplete_details\":null}");
    crud_later_text(c, i, r->final);
    answer_header(c, "openai-poll-after-ms", STR("20"));
    crud_answer(c, i);
}

void api_responses_create(struct call *c)
{
    struct respond *r = arena_alloc(c->arena, sizeof *r);
    must(r != NULL);
    if (!respond_decide(c, r))
        return;
    r->store |= r->background;
    respond_keep(c, r);
    if (r->stream) {
        struct respond_events *e = events_new(c);
        respond_events_begin(c, e, r);
        respond_events_answer(c, e);
    } else if (r->background) {
        answer_queued(c, r);
    } else {
        struct buf out;
        buf_init(&out, (size_t)1 << 31);
        must(buf_add_str(&out, r->final));
        c->used.reported = !c->used.no_usage;
        answer_json(c, 200, &out);
    }
}

void api_responses_retrieve(struct call *c)
{
    struct shelf_item *i = crud_find(c, &kept_response);
    struct jdoc doc;
    if (!i)
        return;
    if (!str_eq(call_query(c, "stream"), STR("true"))) {
        answer_header(c, "openai-poll-after-ms", STR("20"));
        crud_answer(c, i);
        return;
    }
    struct str after = call_query(c, "starting_after");
    struct respond_events *e = events_new(c);
    jdoc_init(&doc);
    must(jdoc_parse(&doc, i->hidden));
    *e =
        (struct respond_events){.final = arena_dup(c->arena, i->json),
                                .doc = &c->doc,
                                .prose = jdoc_true(jdoc_find(jdoc_root(&doc), "prose")),
                                .background = jdoc_true(jdoc_find(jdoc_root(&doc), "background")),
                                .partial_images = (unsigned)jdoc_count(jdoc_find(jdoc_root(&doc), "partial_images"), 0),
                                .obfuscate = !str_eq(call_query(c, "include_obfuscation"), STR("false")),
                                .skip_to = after.p ? call_query_count(c, "starting_after", 0) + 1 : 0,
                                .fail_after = UINT64_MAX};
    jdoc_free(&doc);
    respond_events_answer(c, e);
}

void api_responses_delete(struct call *c)
{
    struct shelf_item *i = crud_find(c, &kept_response);
    struct reply r;
    if (!i)
        return;
    struct str id = arena_dup(c->arena, str_c(i->id));
    shelf_remove(c->sim->shelf, i);
    shelf_remove_below(c->sim->shelf, call_format(c, "responses/%.*s", STR_ARG(id)));
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "id", id);
    json_write_member_string(w, "object", STR("response"));
    json_write_member_bool(w, "deleted", true);
    reply_send(c, &r, 200);
}

void api_responses_cancel(struct call *c)
{
    struct shelf_item *i = shelf_get(c->sim->shelf, STR("responses"), c->args[0]);
    if (!i) {
        apierr_no_such(c, "response", c->args[0]);
        return;
    }
    if (!str_eq(crud_member(c, i, "background"), STR("true"))) {
        apierr(c, 400, "invalid_request_error", NULL, NULL, "Cannot cancel a synchronous response.");
        return;
    }
    if (i->due_us) {
        shelf_set_then(i, 0, STR(""));
        crud_change(c, i, "{\"status\":\"cancelled\"}");
    }
    crud_answer(c, i);
}

void api_responses_items(struct call *c)
{
    if (crud_find(c, &kept_response))
        crud_answer_list(c, crud_collection(c, &kept_item), 0, NULL);
}

void api_responses_count(struct call *c)
{
    struct str asked;
    struct reply r;
    if (!api_model(c, &asked))
        return;
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", STR("response.input_tokens"));
    json_write_member_uint(w, "input_tokens", respond_count_input(c, api_answering_model(c, asked)));
    reply_send(c, &r, 200);
}

void api_responses_compact(struct call *c)
{
    struct str asked;
    struct reply r;
    if (!api_model(c, &asked) || !respond_check(c))
        return;
    struct str model = api_answering_model(c, asked);
    bill_new(c, CALL_WORK_COMPLETIONS);
    bill_name(c, model, api_tier(c));
    c->bill->input = respond_count_input(c, model);
    c->bill->output = 40 + c->seed % 60;
    bill_cue(c);
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "id", call_hex_id(c, "resp_", 48));
    json_write_member_string(w, "object", STR("response.compaction"));
    json_write_member_int(w, "created_at", call_now(c));
    json_write_key(w, STR("output"));
    json_write_array(w);
    json_write_object(w);
    json_write_member_string(w, "id", call_hex_id(c, "cmp_", 48));
    json_write_member_string(w, "type", STR("compaction"));
    json_write_member_string(w, "encrypted_content", call_id(c, "gAAAAAB", 160));
    json_write_object_end(w);
    json_write_array_end(w);
    if (bill_wanted(c)) {
        json_write_key(w, STR("usage"));
        bill_write_responses(c, w);
    }
    reply_send(c, &r, 200);
}

/* Decisions: the first choice or level, with a share of certainty. */

static void write_probabilities(struct json_write *w, struct jval list, const char *of, bool numbered)
{
    uint32_t n = jdoc_size(list), i = 0;
    json_write_key(w, STR("probabilities"));
    json_write_array(w);
    for (struct jval e = jdoc_first(list); jdoc_has(e); e = jdoc_next(list, e), i++) {
        json_write_object(w);
        json_write_member_raw(w, of, jdoc_raw(jdoc_find(e, of)));
        if (numbered)
            json_write_member_uint(w, "value", i);
        json_write_member_raw(w, "probability", n == 1 ? STR("1.0") : i ? STR("0.05") : STR("0.9"));
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void write_answer(struct json_write *w, struct jval question)
{
    struct jval type = jdoc_find(question, "type"), name = jdoc_find(question, "name");
    struct jval choices = jdoc_find(question, "choices"), levels = jdoc_find(question, "levels");
    json_write_object(w);
    json_write_member_raw(w, "type", jdoc_has(type) ? jdoc_raw(type) : STR("\"refusal\""));
    json_write_member_raw(w, "name", jdoc_has(name) ? jdoc_raw(name) : STR("null"));
    if (jdoc_is(type, "predicate")) {
        json_write_member_raw(w, "probability", STR("0.875"));
    } else if (jdoc_is(type, "choice")) {
        json_write_member_raw(w, "choice", jdoc_raw(jdoc_find(jdoc_first(choices), "value")));
        json_write_member_raw(w, "confidence", STR("0.9"));
        write_probabilities(w, choices, "value", false);
    } else if (jdoc_is(type, "score")) {
        json_write_member_raw(w, "confidence", STR("0.9"));
        json_write_member_raw(w, "score", STR("0.1"));
        write_probabilities(w, levels, "label", true);
    }
    json_write_object_end(w);
}

void api_decisions_create(struct call *c)
{
    struct jval questions = jdoc_find(c->json, "questions");
    struct str asked;
    struct reply r;
    if (!api_model(c, &asked) || !crud_check_required(c, "input,questions"))
        return;
    struct str model = api_answering_model(c, asked);
    bill_new(c, CALL_WORK_DECISIONS);
    bill_name(c, model, STR(""));
    c->bill->input =
        respond_count_input(c, model) + tally_text(c->sim->tally, compose_encoding(model), jdoc_raw(questions));
    bill_cue(c);
    struct json_write *w = reply_begin(&r);
    json_write_key(w, STR("answers"));
    json_write_array(w);
    for (struct jval q = jdoc_first(questions); jdoc_has(q); q = jdoc_next(questions, q))
        write_answer(w, q);
    json_write_array_end(w);
    json_write_member_string(w, "model", model);
    if (bill_wanted(c)) {
        json_write_key(w, STR("usage"));
        bill_write_responses(c, w);
    }
    reply_send(c, &r, 200);
}
