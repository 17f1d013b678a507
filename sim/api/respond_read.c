/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a request: what it asks for, how long its input is, which tools it lets the model use. A
 * hosted tool that is offered is used once; a function is called unless its output came already.
 */
#include "base/json_text.h"
#include "base/must.h"
#include "sim/api/api.h"
#include "sim/api/respond.h"
#include "sim/http/apierr.h"
#include "sim/kept/shelf.h"
#include "sim/model/bill.h"
#include "sim/model/modelbook.h"
#include "sim/model/tally.h"

#define PER_ITEM 3
#define IMAGE_LOW 85
#define IMAGE_HIGH 765
#define FILE_TOKENS 250
#define TOOL 7
#define TOOL_IMAGE_IN 50
#define TOOL_IMAGE_OUT 1056
#define CACHE_WRITE_MIN 1024

static uint64_t count_parts(struct call *c, enum tokenizer_encoding e, struct jval parts)
{
    uint64_t n = 0;
    for (struct jval p = jdoc_first(parts); jdoc_has(p); p = jdoc_next(parts, p)) {
        struct jval type = jdoc_find(p, "type");
        if (jdoc_is(type, "input_image"))
            n += jdoc_is(jdoc_find(p, "detail"), "low") ? IMAGE_LOW : IMAGE_HIGH;
        else if (jdoc_is(type, "input_file"))
            n += FILE_TOKENS;
        else
            n += tally_escaped(c->sim->tally, e, jdoc_escaped(jdoc_find(p, "text")));
    }
    return n;
}

static uint64_t count_item(struct call *c, enum tokenizer_encoding e, struct jval item)
{
    static const char *const texts[] = {"role", "content", "arguments", "output", "name", "input"};
    uint64_t n = PER_ITEM;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct jval v = jdoc_find(item, texts[i]);
        n += jdoc_kind(v) == JDOC_ARRAY ? count_parts(c, e, v) : tally_escaped(c->sim->tally, e, jdoc_escaped(v));
    }
    return n;
}

/* What a response or conversation before this one adds to the input. */
static uint64_t count_before(struct call *c, enum tokenizer_encoding e)
{
    struct str id = jdoc_text(jdoc_find(c->json, "previous_response_id"), c->arena);
    struct shelf_item *i = id.n ? shelf_get(c->sim->shelf, STR("responses"), id) : NULL;
    uint64_t n = 0;
    struct jdoc doc;
    jdoc_init(&doc);
    if (i && jdoc_parse(&doc, i->json))
        n += jdoc_count(jdoc_find(jdoc_find(jdoc_root(&doc), "usage"), "total_tokens"), 0);
    struct jval conversation = jdoc_find(c->json, "conversation");
    if (jdoc_kind(conversation) == JDOC_OBJECT)
        conversation = jdoc_find(conversation, "id");
    struct str items = call_format(c, "conversations/%.*s/items", STR_ARG(jdoc_escaped(conversation)));
    for (i = shelf_first(c->sim->shelf, items, false); i; i = shelf_next(i, false))
        if (jdoc_parse(&doc, i->json))
            n += count_item(c, e, jdoc_root(&doc));
    jdoc_free(&doc);
    return n;
}

static uint64_t count_tools(struct call *c, enum tokenizer_encoding e)
{
    struct jval tools = jdoc_find(c->json, "tools");
    uint64_t n = 0;
    for (struct jval t = jdoc_first(tools); jdoc_has(t); t = jdoc_next(tools, t))
        n += TOOL + (jdoc_is(jdoc_find(t, "type"), "function") ? tally_text(c->sim->tally, e, jdoc_raw(t)) : 0);
    return n;
}

uint64_t respond_count_input(struct call *c, struct str model)
{
    enum tokenizer_encoding e = compose_encoding(model);
    struct jval input = jdoc_find(c->json, "input"), instructions = jdoc_find(c->json, "instructions");
    struct tally_prompt p;
    tally_prompt_begin(&p, model);
    uint64_t before = count_before(c, e);
    p.tokens = p.cached = before;
    tally_prompt_part(c->sim->tally, &p, jdoc_raw(instructions),
                      count_tools(c, e) + tally_escaped(c->sim->tally, e, jdoc_escaped(instructions)) + PER_ITEM);
    if (jdoc_kind(input) == JDOC_ARRAY)
        for (struct jval i = jdoc_first(input); jdoc_has(i); i = jdoc_next(input, i))
            tally_prompt_part(c->sim->tally, &p, jdoc_raw(i), count_item(c, e, i));
    else
        tally_prompt_part(c->sim->tally, &p, jdoc_raw(input),
                          PER_ITEM + tally_escaped(c->sim->tally, e, jdoc_escaped(input)));
    struct jval format = jdoc_find(jdoc_find(c->json, "text"), "format");
    if (jdoc_is(jdoc_find(format, "type"), "json_schema"))
        p.tokens += tally_text(c->sim->tally, e, jdoc_raw(format));
    tally_prompt_end(&p);
    if (c->bill)
        c->bill->cached = p.cached;
    return p.tokens;
}

bool respond_check(struct call *c)
{
    struct str previous = jdoc_text(jdoc_find(c->json, "previous_response_id"), c->arena);
    if (!jdoc_has(jdoc_find(c->json, "input")) && !jdoc_has(jdoc_find(c->json, "prompt")) && !previous.n &&
        !jdoc_has(jdoc_find(c->json, "conversation"))) {
        apierr(c, 400, "invalid_request_error", "input", "missing_required_parameter",
               "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation' must be provided.");
        return false;
    }
    if (previous.n && !shelf_get(c->sim->shelf, STR("responses"), previous)) {
        apierr(c, 400, "invalid_request_error", "previous_response_id", "previous_response_not_found",
               "Previous response with id '%.*s' not found.", STR_ARG(str_head(previous, 80)));
        return false;
    }
    return api_check_tier(c) && api_check_range(c, "temperature", 0, 2000) && api_check_range(c, "top_p", 0, 1000);
}

static bool tool_has_answered(struct call *c)
{
    struct jval input = jdoc_find(c->json, "input"), last = {NULL, 0};
    if (jdoc_kind(input) != JDOC_ARRAY)
        return false;
    for (struct jval i = jdoc_first(input); jdoc_has(i); i = jdoc_next(input, i))
        last = i;
    return str_ends(jdoc_escaped(jdoc_find(last, "type")), STR("_output"));
}

static void use_hosted(struct call *c, struct respond *r, struct jval tool)
{
    struct str type = jdoc_escaped(jdoc_find(tool, "type"));
    struct bill *b = c->bill;
    if (str_starts(type, STR("web_search"))) {
        r->web_search = true;
        b->web_search = 1;
    } else if (str_eq(type, STR("file_search"))) {
        r->file_search = true;
        b->file_search = 1;
    } else if (str_eq(type, STR("code_interpreter"))) {
        r->code = true;
        b->code_session = 1;
    } else if (str_eq(type, STR("image_generation"))) {
        r->image = true;
        r->partial_images = (unsigned)jdoc_count(jdoc_find(tool, "partial_images"), 0);
        b->tool_image_in = TOOL_IMAGE_IN;
        b->tool_image_out = TOOL_IMAGE_OUT + 100 * r->partial_images;
    } else if (str_eq(type, STR("mcp"))) {
        r->mcp = true;
    }
}

static bool includes(struct call *c, const char *what)
{
    struct jval include = jdoc_find(c->json, "include");
    for (struct jval i = jdoc_first(include); jdoc_has(i); i = jdoc_next(include, i))
        if (jdoc_is(i, what))
            return true;
    return false;
}

static void read_request(struct call *c, struct respond *r)
{
    struct jval store = jdoc_find(c->json, "store"), options = jdoc_find(c->json, "stream_options");
    r->created = call_now(c);
    r->id = call_hex_id(c, "resp_", 48);
    r->message_id = call_hex_id(c, "msg_", 48);
    r->reasoning_id = call_hex_id(c, "rs_", 48);
    r->tool_item_id = call_hex_id(c, "fc_", 48);
    r->call_id = call_id(c, "call_", 24);
    r->tier = arena_dup(c->arena, api_tier(c));
    r->stream = jdoc_true(jdoc_find(c->json, "stream")) && !c->captured;
    r->store = jdoc_kind(store) != JDOC_FALSE;
    r->background = jdoc_true(jdoc_find(c->json, "background"));
    r->encrypted = includes(c, "reasoning.encrypted_content");
    r->logprobs = includes(c, "message.output_text.logprobs");
    r->top_logprobs = (unsigned)jdoc_count(jdoc_find(c->json, "top_logprobs"), 0);
    r->obfuscate = jdoc_kind(jdoc_find(options, "include_obfuscation")) != JDOC_FALSE;
    struct jval summary = jdoc_find(jdoc_find(c->json, "reasoning"), "summary");
    r->summary = jdoc_kind(summary) == JDOC_STRING && !jdoc_is(summary, "none");
}

static void decide_words(struct call *c, struct respond *r)
{
    struct jval format = jdoc_find(jdoc_find(c->json, "text"), "format"), tools = jdoc_find(c->json, "tools");
    struct jval choice = jdoc_find(c->json, "tool_choice");
    struct compose_ask ask = {.model = r->model};
    bool answered = tool_has_answered(c);
    ask.tokens_max = jdoc_count(jdoc_find(c->json, "max_output_tokens"), 0);
    ask.effort = jdoc_text(jdoc_find(jdoc_find(c->json, "reasoning"), "effort"), c->arena);
    ask.json = jdoc_is(jdoc_find(format, "type"), "json_object");
    if (jdoc_is(jdoc_find(format, "type"), "json_schema"))
        ask.schema = jdoc_find(format, "schema");
    compose_choose_tool(c, tools, choice, false, answered, &ask);
    if (!answered && !jdoc_is(choice, "none"))
        for (struct jval t = jdoc_first(tools); jdoc_has(t); t = jdoc_next(tools, t))
            use_hosted(c, r, t);
    compose_make(c, &ask, 0, &r->say);
}

bool respond_decide(struct call *c, struct respond *r)
{
    struct str asked;
    if (!api_model(c, &asked) || !respond_check(c))
        return false;
    r->model = api_answering_model(c, asked);
    read_request(c, r);
    struct bill *b = bill_new(c, CALL_WORK_COMPLETIONS);
    bill_name(c, r->model, r->tier);
    b->input = respond_count_input(c, r->model);
    bill_cache_writes(c, r->model, CACHE_WRITE_MIN);
    decide_words(c, r);
    b->reasoning = r->say.reasoning_tok;
    b->output = r->say.reasoning_tok + r->say.text_tok;
    bill_cue(c);
    struct buf out;
    struct json_write w;
    buf_init(&out, (size_t)1 << 30);
    json_write_init(&w, &out);
    respond_write(c, r, &w);
    must(json_write_done(&w));
    r->final = arena_dup(c->arena, buf_str(&out));
    buf_free(&out);
    return true;
}
