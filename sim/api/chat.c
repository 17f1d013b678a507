/* SPDX-License-Identifier: Apache-2.0 */
/* POST /chat/completions: checks the request as OpenAI does, decides the answer, counts it. */
#include "sim/api/chat.h"

#include "base/json_text.h"
#include "base/must.h"
#include "sim/api/api.h"
#include "sim/http/apierr.h"
#include "sim/http/reply.h"
#include "sim/kept/shelf.h"
#include "sim/model/bill.h"
#include "sim/model/modelbook.h"

#define FILTER_VERSION_USAGE "2024-09-01"

struct str api_tier(struct call *c)
{
    static const struct {
        const char *asked, *answered;
    } tiers[] = {{"auto", "default"},  {"default", "default"},   {"flex", "flex"},          {"scale", "scale"},
                 {"fast", "priority"}, {"priority", "priority"}, {"ultrafast", "ultrafast"}};
    struct jval asked = jdoc_find(c->json, "service_tier");
    if (cue_has(c->cue, CUE_TIER))
        return cue_text(c->cue, CUE_TIER);
    for (size_t i = 0; i < sizeof tiers / sizeof tiers[0]; i++)
        if (jdoc_is(asked, tiers[i].asked))
            return str_c(tiers[i].answered);
    return STR("default");
}

bool api_model(struct call *c, struct str *ret_asked)
{
    if (!c->model_asked[0]) {
        apierr(c, 400, "invalid_request_error", NULL, NULL, "you must provide a model parameter");
        return false;
    }
    *ret_asked = arena_dup(c->arena, str_c(c->model_asked));
    return true;
}

struct str api_answering_model(struct call *c, struct str asked)
{
    if (cue_has(c->cue, CUE_MODEL))
        return cue_text(c->cue, CUE_MODEL);
    return arena_dup(c->arena, modelbook_answer(c->sim, modelbook_plain(asked, c->arena)));
}

bool api_check_range(struct call *c, const char *name, int64_t milli_min, int64_t milli_max)
{
    struct jval v = jdoc_find(c->json, name);
    if (!jdoc_has(v))
        return true;
    uint64_t milli = 0;
    struct str raw = jdoc_raw(v);
    bool negative = raw.n && raw.p[0] == '-';
    if (jdoc_kind(v) != JDOC_NUMBER) {
        apierr(c, 400, "invalid_request_error", name, "invalid_type",
               "Invalid type for '%s': expected a decimal, but got something else instead.", name);
        return false;
    }
    if (!json_to_milli(negative ? str_from(raw, 1) : raw, &milli))
        milli = 0;
    int64_t value = negative ? -(int64_t)milli : (int64_t)milli;
    if (value >= milli_min && value <= milli_max)
        return true;
    apierr(c, 400, "invalid_request_error", name,
           value < milli_min ? "decimal_below_min_value" : "decimal_above_max_value",
           "Invalid '%s': decimal %s value. Expected a value %s %lld, but got %.*s instead.", name,
           value < milli_min ? "below minimum" : "above maximum",
           value < milli_min ? ">=" : "<=", (long long)(value < milli_min ? milli_min : milli_max) / 1000,
           STR_ARG(str_head(raw, 32)));
    return false;
}

bool api_check_tier(struct call *c)
{
    static const char *const allowed[] = {"auto", "default", "flex", "scale", "fast", "priority", "ultrafast"};
    struct jval v = jdoc_find(c->json, "service_tier");
    if (!jdoc_has(v))
        return true;
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        if (jdoc_is(v, allowed[i]))
            return true;
    apierr_invalid(c, "service_tier", "Invalid service_tier argument: %.*s", STR_ARG(str_head(jdoc_raw(v), 60)));
    return false;
}

/* What newer models take only through /v1/responses. */
static bool check_tools(struct call *c, struct str model)
{
    static const char *const only_responses[] = {"gpt-6-astra", "gpt-6.1-sol"};
    static const char *const unless_none[] = {"gpt-5.5", "gpt-5.6", "gpt-6-sol", "gpt-6-luna"};
    bool refused = false;
    if (!jdoc_size(jdoc_find(c->json, "tools")))
        return true;
    for (size_t i = 0; i < sizeof only_responses / sizeof only_responses[0]; i++)
        refused |= str_starts(model, str_c(only_responses[i]));
    for (size_t i = 0; i < sizeof unless_none / sizeof unless_none[0]; i++)
        refused |= str_starts(model, str_c(unless_none[i])) && !jdoc_is(jdoc_find(c->json, "reasoning_effort"), "none");
    if (refused)
        apierr(c, 400, "invalid_request_error", "tools", NULL,
               "Function tools are not supported with this model in v1/chat/completions unless 'reasoning_effort' is "
               "'none'. Please use /v1/responses instead.");
    return !refused;
}

static bool check_messages(struct call *c)
{
    struct jval messages = jdoc_find(c->json, "messages");
    if (!jdoc_has(messages)) {
        apierr_missing(c, "messages");
        return false;
    }
    if (jdoc_kind(messages) != JDOC_ARRAY) {
        apierr(c, 400, "invalid_request_error", "messages", "invalid_type",
               "Invalid type for 'messages': expected an array of objects, but got something else instead.");
        return false;
    }
    if (!jdoc_size(messages)) {
        apierr(c, 400, "invalid_request_error", "messages", "empty_array",
               "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array "
               "instead.");
        return false;
    }
    for (struct jval m = jdoc_first(messages); jdoc_has(m); m = jdoc_next(messages, m)) {
        if (!jdoc_has(jdoc_find(m, "role"))) {
            apierr_missing(c, "messages[].role");
            return false;
        }
    }
    return true;
}

static bool check(struct call *c, struct str model)
{
    uint64_t n = jdoc_count(jdoc_find(c->json, "n"), 1);
    if (!check_messages(c) || !check_tools(c, model) || !api_check_tier(c) ||
        !api_check_range(c, "temperature", 0, 2000) || !api_check_range(c, "top_p", 0, 1000) ||
        !api_check_range(c, "presence_penalty", -2000, 2000) || !api_check_range(c, "frequency_penalty", -2000, 2000))
        return false;
    if (n < 1 || n > CHAT_CHOICES_MAX) {
        apierr_invalid(c, "n", "Invalid 'n': expected a value from 1 to %d.", CHAT_CHOICES_MAX);
        return false;
    }
    if (modelbook_reasons(model) && jdoc_has(jdoc_find(c->json, "max_tokens")) && !call_on_azure(c)) {
        apierr(c, 400, "invalid_request_error", "max_tokens", "unsupported_parameter",
               "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' "
               "instead.");
        return false;
    }
    bool asks_usage = jdoc_true(jdoc_find(jdoc_find(c->json, "stream_options"), "include_usage"));
    if (jdoc_has(jdoc_find(c->json, "stream_options")) && !jdoc_true(jdoc_find(c->json, "stream"))) {
        apierr(c, 400, "invalid_request_error", "stream_options", NULL,
               "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
        return false;
    }
    if (asks_usage && c->surface == CALL_AZURE_DATED && str_cmp(c->api_version, STR(FILTER_VERSION_USAGE)) < 0) {
        apierr(c, 400, "invalid_request_error", "stream_options", NULL,
               "Unrecognized request argument supplied: stream_options");
        return false;
    }
    return true;
}

static bool tool_has_answered(struct call *c)
{
    struct jval messages = jdoc_find(c->json, "messages"), last = {NULL, 0};
    for (struct jval m = jdoc_first(messages); jdoc_has(m); m = jdoc_next(messages, m))
        last = m;
    return jdoc_is(jdoc_find(last, "role"), "tool") || jdoc_is(jdoc_find(last, "role"), "function");
}

/* The old `functions` are tools without a type around them. */
static void choose_function(struct call *c, struct compose_ask *ask)
{
    struct jval functions = jdoc_find(c->json, "functions"), choice = jdoc_find(c->json, "function_call");
    struct jval first = jdoc_first(functions);
    if (!jdoc_has(first) || jdoc_is(choice, "none") || tool_has_answered(c))
        return;
    ask->tool = jdoc_text(jdoc_find(first, "name"), c->arena);
    ask->tool_schema = jdoc_find(first, "parameters");
}

static void ask_read(struct call *c, const struct chat *chat, struct compose_ask *ask)
{
    struct jval format = jdoc_find(c->json, "response_format");
    *ask = (struct compose_ask){.model = chat->model};
    ask->tokens_max =
        jdoc_count(jdoc_find(c->json, "max_completion_tokens"), jdoc_count(jdoc_find(c->json, "max_tokens"), 0));
    ask->effort = jdoc_text(jdoc_find(c->json, "reasoning_effort"), c->arena);
    ask->json = jdoc_is(jdoc_find(format, "type"), "json_object");
    if (jdoc_is(jdoc_find(format, "type"), "json_schema"))
        ask->schema = jdoc_find(jdoc_find(format, "json_schema"), "schema");
    compose_choose_tool(c, jdoc_find(c->json, "tools"), jdoc_find(c->json, "tool_choice"), true, tool_has_answered(c),
                        ask);
    if (chat->old_functions)
        choose_function(c, ask);
}

static void choices_make(struct call *c, struct chat *chat)
{
    struct compose_ask ask;
    bool filtered = chat->azure && cue_text_is(c->cue, CUE_CONTENT_FILTER, "output");
    ask_read(c, chat, &ask);
    chat->choice = arena_alloc(c->arena, chat->n * sizeof *chat->choice);
    must(chat->choice != NULL);
    for (unsigned i = 0; i < chat->n; i++) {
        struct chat_choice *choice = &chat->choice[i];
        struct compose *say = &choice->say;
        compose_make(c, &ask, i, say);
        choice->finish = say->cut ? "length" : "stop";
        if (say->kind != COMPOSE_TEXT) {
            choice->call_id = call_id(c, "call_", 24);
            if (!say->cut)
                choice->finish = chat->old_functions ? "function_call" : "tool_calls";
        }
        if (filtered)
            choice->finish = "content_filter";
        if (chat->audio && say->kind == COMPOSE_TEXT)
            choice->audio_id = call_hex_id(c, "audio_", 32);
    }
}

static bool wants_audio(struct call *c)
{
    struct jval modalities = jdoc_find(c->json, "modalities");
    for (struct jval m = jdoc_first(modalities); jdoc_has(m); m = jdoc_next(modalities, m))
        if (jdoc_is(m, "audio"))
            return true;
    return false;
}

static void chat_read(struct call *c, struct chat *chat)
{
    struct jval options = jdoc_find(c->json, "stream_options"), obfuscate = jdoc_find(options, "include_obfuscation");
    chat->created = call_now(c);
    chat->id = call_id(c, "chatcmpl-", 29);
    chat->fingerprint = call_hex_id(c, "fp_", 10);
    chat->tier = arena_dup(c->arena, api_tier(c));
    chat->n = (unsigned)jdoc_count(jdoc_find(c->json, "n"), 1);
    chat->stream = jdoc_true(jdoc_find(c->json, "stream")) && !c->captured;
    chat->include_usage = jdoc_true(jdoc_find(options, "include_usage"));
    chat->obfuscate = jdoc_kind(obfuscate) != JDOC_FALSE && !call_on_azure(c);
    chat->logprobs = jdoc_true(jdoc_find(c->json, "logprobs"));
    chat->top_logprobs = (unsigned)jdoc_count(jdoc_find(c->json, "top_logprobs"), 0);
    if (chat->top_logprobs > 20)
        chat->top_logprobs = 20;
    chat->audio = wants_audio(c);
    chat->old_functions = jdoc_size(jdoc_find(c->json, "functions")) && !jdoc_has(jdoc_find(c->json, "tools"));
    chat->store = jdoc_true(jdoc_find(c->json, "store"));
    chat->azure = call_on_azure(c);
    chat->filter_async = chat->azure && cue_text_is(c->cue, CUE_CONTENT_FILTER, "async");
    struct jval metadata = jdoc_find(c->json, "metadata");
    chat->metadata = jdoc_has(metadata) ? arena_dup(c->arena, jdoc_raw(metadata)) : STR("{}");
}

/* What a stored completion can be asked for later: itself, and its messages. */
static void keep(struct call *c, const struct chat *chat)
{
    struct buf out;
    struct json_write w;
    buf_init(&out, 1 << 28);
    json_write_init(&w, &out);
    chat_write(c, chat, &w, true);
    must(json_write_done(&w));
    struct shelf_item *i = shelf_put(c->sim->shelf, STR("chat/completions"), chat->id, buf_str(&out));
    shelf_set_hidden(i, jdoc_raw(jdoc_find(c->json, "messages")));
    buf_free(&out);
}

static void blocked(struct call *c)
{
    struct reply r;
    struct json_write *w = reply_begin(&r);
    json_write_key(w, STR("error"));
    json_write_object(w);
    json_write_member_string(w, "message",
                             STR("The response was filtered due to the prompt triggering Azure OpenAI's content "
                                 "management policy. Please modify your prompt and retry."));
    json_write_member_null(w, "type");
    json_write_member_string(w, "param", STR("prompt"));
    json_write_member_string(w, "code", STR("content_filter"));
    json_write_member_int(w, "status", 400);
    json_write_key(w, STR("innererror"));
    json_write_object(w);
    json_write_member_string(w, "code", STR("ResponsibleAIPolicyViolation"));
    json_write_key(w, STR("content_filter_result"));
    chat_write_filter(c, w, true);
    json_write_object_end(w);
    json_write_object_end(w);
    reply_send(c, &r, 400);
}

static void bill_all(struct call *c, const struct chat *chat)
{
    for (unsigned i = 0; i < chat->n; i++) {
        const struct compose *say = &chat->choice[i].say;
        c->bill->reasoning += say->reasoning_tok;
        c->bill->audio_out += chat->choice[i].audio_id.n ? API_AUDIO_PER_TOKEN * say->text_tok : 0;
        c->bill->output += say->reasoning_tok + say->text_tok;
    }
    c->bill->output += c->bill->audio_out;
    bill_cue(c);
}

void api_chat_create(struct call *c)
{
    struct str asked;
    if (!api_model(c, &asked))
        return;
    struct chat *chat = arena_alloc(c->arena, sizeof *chat);
    must(chat != NULL);
    chat->model = api_answering_model(c, asked);
    if (!check(c, chat->model))
        return;
    chat_read(c, chat);
    bill_new(c, CALL_WORK_COMPLETIONS);
    bill_name(c, chat->model, chat->tier);
    if (!chat_count_prompt(c, chat))
        return;
    if (chat->azure && cue_text_is(c->cue, CUE_CONTENT_FILTER, "prompt")) {
        blocked(c);
        return;
    }
    choices_make(c, chat);
    struct bill before = *c->bill;
    bill_all(c, chat);
    if (chat->store)
        keep(c, chat);
    if (chat->stream) {
        *c->bill = before; /* the events will raise it */
        chat_stream(c, chat);
        return;
    }
    struct buf out;
    struct json_write w;
    buf_init(&out, (size_t)1 << 31);
    json_write_init(&w, &out);
    chat_write(c, chat, &w, false);
    must(json_write_done(&w));
    answer_json(c, 200, &out);
}
