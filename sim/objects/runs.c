/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs of assistants. What a run will have said and done is decided when it is made; then it is
 * either told as events, or the run is shown queued and is complete when it is next looked at. A
 * run whose assistant has a function asks for its output first.
 */
#include "base/must.h"
#include "sim/http/apierr.h"
#include "sim/model/bill.h"
#include "sim/model/compose.h"
#include "sim/model/modelbook.h"
#include "sim/model/tally.h"
#include "sim/objects/objects.h"

#define PER_MESSAGE 3

struct run {
    struct compose say;
    struct str thread_id, run_id, step_id, message_id, call_id, assistant_id, model;
    struct str thread, queued, in_progress, final; /* the run's JSON in its states */
    struct str step_begun, step_final, message_begun, message_final;
    bool with_thread, resumed;
    unsigned phase;
    uint64_t at;
};

/* A member of the request, or of the assistant. */
static struct str setting(struct call *c, const struct shelf_item *assistant, const char *name)
{
    struct jval v = jdoc_find(c->json, name);
    return jdoc_has(v) ? arena_dup(c->arena, jdoc_raw(v)) : assistant ? crud_member(c, assistant, name) : STR("");
}

static uint64_t count_prompt(struct call *c, struct run *r, struct str instructions)
{
    enum tokenizer_encoding e = compose_encoding(r->model);
    struct str messages = call_format(c, "threads/%.*s/messages", STR_ARG(r->thread_id));
    uint64_t n = PER_MESSAGE + tally_text(c->sim->tally, e, instructions);
    for (struct shelf_item *i = shelf_first(c->sim->shelf, messages, false); i; i = shelf_next(i, false)) {
        struct jdoc doc;
        jdoc_init(&doc);
        must(jdoc_parse(&doc, i->json));
        struct jval content = jdoc_find(jdoc_root(&doc), "content");
        n += PER_MESSAGE;
        for (struct jval p = jdoc_first(content); jdoc_has(p); p = jdoc_next(content, p))
            n += tally_escaped(c->sim->tally, e, jdoc_escaped(jdoc_find(jdoc_find(p, "text"), "value")));
        jdoc_free(&doc);
    }
    return n;
}

/* What the model does; a tool only the first time. */
static void decide(struct call *c, struct run *r, struct str tools, struct str instructions)
{
    struct compose_ask ask = {.model = r->model};
    struct jdoc doc;
    jdoc_init(&doc);
    ask.tokens_max = jdoc_count(jdoc_find(c->json, "max_completion_tokens"), 0);
    if (tools.n && jdoc_parse(&doc, tools))
        compose_choose_tool(c, jdoc_root(&doc), jdoc_find(c->json, "tool_choice"), true, r->resumed, &ask);
    bill_new(c, CALL_WORK_COMPLETIONS);
    bill_name(c, r->model, STR("default"));
    c->bill->input = count_prompt(c, r, instructions);
    compose_make(c, &ask, 0, &r->say);
    jdoc_free(&doc);
}

static struct str usage_text(struct call *c, uint64_t input, uint64_t output)
{
    return call_format(c, "{\"prompt_tokens\":%llu,\"completion_tokens\":%llu,\"total_tokens\":%llu}",
                       (unsigned long long)input, (unsigned long long)output, (unsigned long long)(input + output));
}

static struct str quoted(struct call *c, struct str text)
{
    struct buf out;
    buf_init(&out, (size_t)1 << 30);
    must(json_write_quoted(&out, text));
    struct str q = arena_dup(c->arena, buf_str(&out));
    buf_free(&out);
    return q;
}

static struct str tool_calls(struct call *c, struct run *r)
{
    return call_format(c, "[{\"id\":\"%.*s\",\"type\":\"function\",\"function\":{\"name\":%.*s,\"arguments\":%.*s}}]",
                       STR_ARG(r->call_id), STR_ARG(quoted(c, r->say.tool)), STR_ARG(quoted(c, r->say.text)));
}

/* The changes that end the run. */
static struct str final_changes(struct call *c, struct run *r)
{
    uint64_t output = r->say.text_tok + r->say.reasoning_tok;
    if (r->say.kind == COMPOSE_TEXT)
        return call_format(c, "{\"status\":\"%s\",\"completed_at\":%lld,\"required_action\":null,\"usage\":%.*s%s}",
                           r->say.cut ? "incomplete" : "completed", (long long)call_now(c),
                           STR_ARG(usage_text(c, c->bill->input, output)),
                           r->say.cut ? ",\"incomplete_details\":{\"reason\":\"max_completion_tokens\"}" : "");
    return call_format(c,
                       "{\"status\":\"requires_action\",\"required_action\":{\"type\":\"submit_tool_outputs\","
                       "\"submit_tool_outputs\":{\"tool_calls\":%.*s}}}",
                       STR_ARG(tool_calls(c, r)));
}

static struct shelf_item *put(struct call *c, const struct crud *d, struct str id, struct str changes,
                              struct str *ret_begun)
{
    struct buf out;
    struct json_write w;
    buf_init(&out, 64 << 20);
    json_write_init(&w, &out);
    crud_fill(c, &w, str_c(d->shape), id, false);
    must(json_write_done(&w));
    struct shelf_item *i = shelf_put(c->sim->shelf, crud_collection(c, d), id, buf_str(&out));
    buf_free(&out);
    crud_change_text(c, i, changes);
    *ret_begun = arena_dup(c->arena, i->json);
    return i;
}

static void put_message(struct call *c, struct run *r)
{
    struct shelf_item *i = put(c, &objects_message, r->message_id,
                               call_format(c,
                                           "{\"role\":\"assistant\",\"run_id\":\"%.*s\",\"assistant_id\":%.*s,"
                                           "\"status\":\"in_progress\",\"completed_at\":null,\"content\":[]}",
                                           STR_ARG(r->run_id), STR_ARG(r->assistant_id)),
                               &r->message_begun);
    crud_change_text(c, i,
                     call_format(c,
                                 "{\"status\":\"completed\",\"completed_at\":%lld,\"content\":[{\"type\":\"text\","
                                 "\"text\":{\"value\":%.*s,\"annotations\":[]}}]}",
                                 (long long)call_now(c), STR_ARG(quoted(c, r->say.text))));
    r->message_final = arena_dup(c->arena, i->json);
}

static void put_step(struct call *c, struct run *r)
{
    bool text = r->say.kind == COMPOSE_TEXT;
    struct str details =
        text ? call_format(c, "{\"type\":\"message_creation\",\"message_creation\":{\"message_id\":\"%.*s\"}}",
                           STR_ARG(r->message_id))
             : call_format(c, "{\"type\":\"tool_calls\",\"tool_calls\":%.*s}", STR_ARG(tool_calls(c, r)));
    struct shelf_item *i =
        put(c, &objects_run_step, r->step_id,
            call_format(c,
                        "{\"type\":\"%s\",\"assistant_id\":%.*s,\"status\":\"in_progress\","
                        "\"completed_at\":null,\"step_details\":%.*s}",
                        text ? "message_creation" : "tool_calls", STR_ARG(r->assistant_id), STR_ARG(details)),
            &r->step_begun);
    if (text)
        crud_change_text(c, i,
                         call_format(c, "{\"status\":\"completed\",\"completed_at\":%lld,\"usage\":%.*s}",
                                     (long long)call_now(c),
                                     STR_ARG(usage_text(c, c->bill->input, r->say.text_tok + r->say.reasoning_tok))));
    r->step_final = arena_dup(c->arena, i->json);
}

/* Events. */

enum phase {
    THREAD_CREATED,
    RUN_CREATED,
    RUN_QUEUED,
    RUN_BEGUN,
    STEP_CREATED,
    STEP_BEGUN,
    MESSAGE_CREATED,
    MESSAGE_BEGUN,
    PIECES,
    MESSAGE_DONE,
    STEP_DONE,
    RUN_DONE,
    DONE,
};

static void delta(struct call *c, struct run *r, struct buf *out)
{
    bool text = r->say.kind == COMPOSE_TEXT;
    struct str piece = quoted(c, compose_piece(c, &r->say, &r->at)), json;
    if (text)
        json = call_format(c,
                           "{\"id\":\"%.*s\",\"object\":\"thread.message.delta\",\"delta\":{\"content\":[{\"index\":0,"
                           "\"type\":\"text\",\"text\":{\"value\":%.*s,\"annotations\":[]}}]}}",
                           STR_ARG(r->message_id), STR_ARG(piece));
    else
        json =
            call_format(c,
                        "{\"id\":\"%.*s\",\"object\":\"thread.run.step.delta\",\"delta\":{\"step_details\":{\"type\":"
                        "\"tool_calls\",\"tool_calls\":[{\"index\":0,\"type\":\"function\",\"function\":{\"arguments\":"
                        "%.*s}}]}}}",
                        STR_ARG(r->step_id), STR_ARG(piece));
    answer_frame(out, text ? "thread.message.delta" : "thread.run.step.delta", json);
    if (r->at >= r->say.text.n)
        r->phase = text ? MESSAGE_DONE : RUN_DONE;
}

static const char *ending(const struct run *r)
{
    if (r->say.kind != COMPOSE_TEXT)
        return "thread.run.requires_action";
    return r->say.cut ? "thread.run.incomplete" : "thread.run.completed";
}

static enum answer_step next(struct call *c, struct buf *out)
{
    struct run *r = c->answer.state;
    bool text = r->say.kind == COMPOSE_TEXT;
    switch ((enum phase)r->phase++) {
    case THREAD_CREATED:
        answer_frame(out, "thread.created", r->thread);
        break;
    case RUN_CREATED:
        answer_frame(out, "thread.run.created", r->queued);
        break;
    case RUN_QUEUED:
        answer_frame(out, "thread.run.queued", r->queued);
        break;
    case RUN_BEGUN:
        answer_frame(out, "thread.run.in_progress", r->in_progress);
        break;
    case STEP_CREATED:
        answer_frame(out, "thread.run.step.created", r->step_begun);
        break;
    case STEP_BEGUN:
        answer_frame(out, "thread.run.step.in_progress", r->step_begun);
        c->bill->output += r->say.reasoning_tok;
        c->bill->reasoning += r->say.reasoning_tok;
        if (!text)
            r->phase = r->say.text.n ? PIECES : RUN_DONE;
        break;
    case MESSAGE_CREATED:
        answer_frame(out, "thread.message.created", r->message_begun);
        break;
    case MESSAGE_BEGUN:
        answer_frame(out, "thread.message.in_progress", r->message_begun);
        if (!r->say.text.n)
            r->phase = MESSAGE_DONE;
        break;
    case PIECES:
        r->phase = PIECES;
        delta(c, r, out);
        break;
    case MESSAGE_DONE:
        answer_frame(out, "thread.message.completed", r->message_final);
        break;
    case STEP_DONE:
        answer_frame(out, "thread.run.step.completed", r->step_final);
        break;
    case RUN_DONE:
        answer_frame(out, ending(r), r->final);
        c->used.reported = text;
        break;
    case DONE:
        must(buf_add_str(out, STR("event: done\ndata: [DONE]\n\n")));
        return ANSWER_LAST;
    }
    return ANSWER_MORE;
}

/* A run that exists as `i`, shown queued: decides it, tells it or shows it. */
static void carry_out(struct call *c, struct run *r, struct shelf_item *i, struct str tools, struct str instructions)
{
    r->run_id = arena_dup(c->arena, str_c(i->id));
    r->step_id = call_id(c, "step_", 24);
    r->message_id = call_id(c, "msg_", 24);
    r->call_id = call_id(c, "call_", 24);
    c->args[1] = r->run_id;
    decide(c, r, tools, instructions);
    r->queued = arena_dup(c->arena, i->json);
    crud_change(c, i, "{\"status\":\"in_progress\",\"started_at\":\"$now\"}");
    r->in_progress = arena_dup(c->arena, i->json);
    struct str changes = final_changes(c, r);
    crud_change_text(c, i, changes);
    r->final = arena_dup(c->arena, i->json);
    put_step(c, r);
    if (r->say.kind == COMPOSE_TEXT)
        put_message(c, r);
    if (jdoc_true(jdoc_find(c->json, "stream")) && !c->captured) {
        r->phase = r->with_thread ? THREAD_CREATED : r->resumed ? RUN_QUEUED : RUN_CREATED;
        answer_stream(c, ANSWER_NAMED, next, r);
        return;
    }
    c->bill->reasoning = r->say.reasoning_tok;
    c->bill->output = r->say.reasoning_tok + r->say.text_tok;
    shelf_set(c->sim->shelf, i, r->queued);
    answer_header(c, "openai-poll-after-ms", STR("20"));
    crud_answer(c, i);
    crud_later_text(c, i, changes);
}

static void create(struct call *c, struct run *r)
{
    struct str id = jdoc_text(jdoc_find(c->json, "assistant_id"), c->arena);
    struct shelf_item *assistant = shelf_get(c->sim->shelf, STR("assistants"), id);
    if (!crud_check_required(c, "assistant_id"))
        return;
    if (!assistant) {
        apierr_no_such(c, "assistant", id);
        return;
    }
    struct str tools = setting(c, assistant, "tools"), instructions = setting(c, assistant, "instructions");
    struct str model = setting(c, assistant, "model");
    r->assistant_id = quoted(c, id);
    r->model = arena_dup(c->arena, modelbook_answer(c->sim, model.n > 2 ? str_of(model.p + 1, model.n - 2) : model));
    struct shelf_item *i = crud_make(c, &objects_run);
    if (!i)
        return;
    crud_change_text(c, i,
                     call_format(c,
                                 "{\"status\":\"queued\",\"started_at\":null,\"expires_at\":%lld,\"tools\":%.*s,"
                                 "\"model\":%.*s,\"instructions\":%.*s}",
                                 (long long)call_now(c) + 600, STR_ARG(tools.n ? tools : STR("[]")), STR_ARG(model),
                                 STR_ARG(instructions.n > 4 ? instructions : STR("\"\""))));
    carry_out(c, r, i, tools, instructions);
}

static struct run *run_new(struct call *c)
{
    struct run *r = arena_alloc(c->arena, sizeof *r);
    must(r != NULL);
    return r;
}

void objects_run_create(struct call *c)
{
    struct run *r = run_new(c);
    r->thread_id = c->args[0];
    if (crud_find(c, &objects_thread))
        create(c, r);
}

void objects_thread_run(struct call *c)
{
    struct run *r = run_new(c);
    struct jval whole = c->json, thread = jdoc_find(c->json, "thread");
    c->json = thread;
    struct shelf_item *i = crud_make(c, &objects_thread);
    c->json = whole;
    if (!i)
        return;
    objects_thread_made(c, i);
    r->thread = arena_dup(c->arena, i->json);
    r->thread_id = c->args[0] = arena_dup(c->arena, str_c(i->id));
    r->with_thread = true;
    create(c, r);
}

/* The outputs are in: the run goes on and says something. */
void objects_run_outputs(struct call *c)
{
    struct shelf_item *i = crud_find(c, &objects_run);
    struct run *r = run_new(c);
    if (!i || !crud_check_required(c, "tool_outputs"))
        return;
    if (!str_eq(crud_member_text(c, i, "status"), STR("requires_action"))) {
        apierr(c, 400, "invalid_request_error", NULL, NULL, "Runs in status \"%.*s\" do not accept tool outputs.",
               STR_ARG(crud_member_text(c, i, "status")));
        return;
    }
    r->thread_id = c->args[0];
    r->resumed = true;
    r->assistant_id = crud_member(c, i, "assistant_id");
    r->model = arena_dup(c->arena, modelbook_answer(c->sim, crud_member_text(c, i, "model")));
    crud_change(c, i, "{\"status\":\"queued\",\"required_action\":null}");
    carry_out(c, r, i, crud_member(c, i, "tools"), crud_member(c, i, "instructions"));
}
