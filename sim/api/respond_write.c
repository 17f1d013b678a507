/* SPDX-License-Identifier: Apache-2.0 */
/* A finished response as JSON: what the request said, as it said it, and the output items. */
#include "base/must.h"
#include "sim/api/api.h"
#include "sim/api/chat.h"
#include "sim/api/respond.h"
#include "sim/model/bill.h"
#include "sim/model/phrase.h"
#include "sim/simid.h"

#define IMAGE_TOKENS 20 /* of noise as image data: 1,920 bytes */

/* A member of the request, or its default. */
static void echo(struct call *c, struct json_write *w, const char *name, const char *missing)
{
    struct jval v = jdoc_find(c->json, name);
    json_write_member_raw(w, name, jdoc_has(v) ? jdoc_raw(v) : str_c(missing));
}

static void item_begin(struct json_write *w, struct str id, const char *type, bool status)
{
    json_write_object(w);
    json_write_member_string(w, "id", id);
    json_write_member_string(w, "type", str_c(type));
    if (status)
        json_write_member_string(w, "status", STR("completed"));
}

static void prose_member(struct json_write *w, const char *name, uint64_t seed, uint64_t tokens)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    must(phrase_prose(&text, seed, tokens));
    json_write_member_string(w, name, buf_str(&text));
    buf_free(&text);
}

static void write_reasoning(struct call *c, const struct respond *r, struct json_write *w)
{
    json_write_object(w);
    json_write_member_string(w, "id", r->reasoning_id);
    json_write_member_string(w, "type", STR("reasoning"));
    if (r->encrypted)
        json_write_member_string(w, "encrypted_content", call_id(c, "gAAAAAB", 120));
    json_write_key(w, STR("summary"));
    json_write_array(w);
    if (r->summary) {
        json_write_object(w);
        json_write_member_string(w, "type", STR("summary_text"));
        prose_member(w, "text", simid_mix(c->seed, 9), 18);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_write_object_end(w);
}

static void write_searches(struct call *c, const struct respond *r, struct json_write *w)
{
    if (r->web_search) {
        item_begin(w, call_hex_id(c, "ws_", 48), "web_search_call", true);
        json_write_key(w, STR("action"));
        json_write_object(w);
        json_write_member_string(w, "type", STR("search"));
        prose_member(w, "query", simid_mix(c->seed, 11), 5);
        json_write_object_end(w);
        json_write_object_end(w);
    }
    if (r->file_search) {
        item_begin(w, call_hex_id(c, "fs_", 48), "file_search_call", true);
        json_write_member_raw(w, "queries", STR("[\"what was asked\"]"));
        json_write_member_null(w, "results");
        json_write_object_end(w);
    }
}

static void write_image_item(struct call *c, struct json_write *w)
{
    struct buf data;
    buf_init(&data, 1 << 20);
    must(api_audio_base64(&data, c->seed, IMAGE_TOKENS));
    item_begin(w, call_hex_id(c, "ig_", 48), "image_generation_call", true);
    json_write_member_string(w, "background", STR("opaque"));
    json_write_member_string(w, "output_format", STR("png"));
    json_write_member_string(w, "quality", STR("medium"));
    json_write_member_string(w, "size", STR("1024x1024"));
    json_write_member_string(w, "result", buf_str(&data));
    json_write_object_end(w);
    buf_free(&data);
}

static void write_hosted(struct call *c, const struct respond *r, struct json_write *w)
{
    write_searches(c, r, w);
    if (r->code) {
        item_begin(w, call_hex_id(c, "ci_", 48), "code_interpreter_call", true);
        json_write_member_string(w, "code", STR("print(sum(range(10)))"));
        json_write_member_string(w, "container_id", call_hex_id(c, "cntr_", 48));
        json_write_member_raw(w, "outputs", STR("[{\"type\":\"logs\",\"logs\":\"45\"}]"));
        json_write_object_end(w);
    }
    if (r->image)
        write_image_item(c, w);
    if (r->mcp) {
        item_begin(w, call_hex_id(c, "mcpl_", 48), "mcp_list_tools", false);
        json_write_member_string(w, "server_label", STR("server"));
        json_write_member_raw(w, "tools", STR("[{\"name\":\"look\",\"input_schema\":{\"type\":\"object\"}}]"));
        json_write_object_end(w);
        item_begin(w, call_hex_id(c, "mcp_", 48), "mcp_call", false);
        json_write_member_string(w, "server_label", STR("server"));
        json_write_member_string(w, "name", STR("look"));
        json_write_member_string(w, "arguments", STR("{\"at\":\"the water\"}"));
        json_write_member_string(w, "output", STR("it is deep"));
        json_write_member_null(w, "error");
        json_write_member_null(w, "approval_request_id");
        json_write_object_end(w);
    }
}

static void write_message(const struct respond *r, struct json_write *w)
{
    json_write_object(w);
    json_write_member_string(w, "id", r->message_id);
    json_write_member_string(w, "type", STR("message"));
    json_write_member_string(w, "status", r->say.cut ? STR("incomplete") : STR("completed"));
    json_write_key(w, STR("content"));
    json_write_array(w);
    json_write_object(w);
    json_write_member_string(w, "type", STR("output_text"));
    json_write_member_raw(w, "annotations", STR("[]"));
    json_write_key(w, STR("logprobs"));
    json_write_array(w);
    json_write_array_end(w);
    json_write_member_string(w, "text", r->say.text);
    json_write_object_end(w);
    json_write_array_end(w);
    json_write_member_string(w, "role", STR("assistant"));
    json_write_object_end(w);
}

static void write_function(const struct respond *r, struct json_write *w)
{
    bool custom = r->say.kind == COMPOSE_CUSTOM_TOOL;
    item_begin(w, r->tool_item_id, custom ? "custom_tool_call" : "function_call", true);
    json_write_member_string(w, "call_id", r->call_id);
    json_write_member_string(w, "name", r->say.tool);
    json_write_member_string(w, custom ? "input" : "arguments", r->say.text);
    json_write_object_end(w);
}

void respond_write_tool_usage(struct call *c, struct json_write *w)
{
    const struct bill *b = c->bill;
    if (!b->tool_image_out && !b->web_search)
        return;
    json_write_key(w, STR("tool_usage"));
    json_write_object(w);
    json_write_key(w, STR("image_gen"));
    json_write_object(w);
    json_write_member_uint(w, "input_tokens", b->tool_image_in);
    json_write_key(w, STR("input_tokens_details"));
    json_write_object(w);
    json_write_member_uint(w, "image_tokens", b->tool_image_in);
    json_write_member_uint(w, "text_tokens", 0);
    json_write_object_end(w);
    json_write_member_uint(w, "output_tokens", b->tool_image_out);
    json_write_key(w, STR("output_tokens_details"));
    json_write_object(w);
    json_write_member_uint(w, "image_tokens", b->tool_image_out);
    json_write_member_uint(w, "text_tokens", 0);
    json_write_object_end(w);
    json_write_member_uint(w, "total_tokens", b->tool_image_in + b->tool_image_out);
    json_write_object_end(w);
    json_write_key(w, STR("web_search"));
    json_write_object(w);
    json_write_member_uint(w, "num_requests", b->web_search);
    json_write_object_end(w);
    json_write_object_end(w);
}

static void write_output(struct call *c, const struct respond *r, struct json_write *w)
{
    json_write_key(w, STR("output"));
    json_write_array(w);
    if (r->say.reasoning_tok)
        write_reasoning(c, r, w);
    write_hosted(c, r, w);
    if (r->say.kind == COMPOSE_TEXT)
        write_message(r, w);
    else
        write_function(r, w);
    json_write_array_end(w);
}

static void write_settings(struct call *c, const struct respond *r, struct json_write *w)
{
    struct jval reasoning = jdoc_find(c->json, "reasoning"), text = jdoc_find(c->json, "text");
    json_write_member_string(w, "model", r->model);
    write_output(c, r, w);
    echo(c, w, "parallel_tool_calls", "true");
    echo(c, w, "previous_response_id", "null");
    echo(c, w, "prompt", "null");
    echo(c, w, "prompt_cache_key", "null");
    echo(c, w, "prompt_cache_retention", "null");
    json_write_member_raw(w, "reasoning",
                          jdoc_has(reasoning) ? jdoc_raw(reasoning) : STR("{\"effort\":null,\"summary\":null}"));
    echo(c, w, "safety_identifier", "null");
    json_write_member_string(w, "service_tier", r->tier);
    json_write_member_bool(w, "store", r->store);
    echo(c, w, "temperature", "1.0");
    json_write_member_raw(
        w, "text", jdoc_has(text) ? jdoc_raw(text) : STR("{\"format\":{\"type\":\"text\"},\"verbosity\":\"medium\"}"));
    echo(c, w, "tool_choice", "\"auto\"");
    echo(c, w, "tools", "[]");
    echo(c, w, "top_logprobs", "0");
    echo(c, w, "top_p", "1.0");
    echo(c, w, "truncation", "\"disabled\"");
}

void respond_write(struct call *c, const struct respond *r, struct json_write *w)
{
    struct jval conversation = jdoc_find(c->json, "conversation");
    json_write_object(w);
    json_write_member_string(w, "id", r->id);
    json_write_member_string(w, "object", STR("response"));
    json_write_member_int(w, "created_at", r->created);
    json_write_member_string(w, "status", r->say.cut ? STR("incomplete") : STR("completed"));
    json_write_member_bool(w, "background", r->background);
    json_write_member_int(w, "completed_at", r->created);
    json_write_member_null(w, "error");
    json_write_member_raw(w, "incomplete_details",
                          r->say.cut ? STR("{\"reason\":\"max_output_tokens\"}") : STR("null"));
    echo(c, w, "instructions", "null");
    echo(c, w, "max_output_tokens", "null");
    echo(c, w, "max_tool_calls", "null");
    if (jdoc_kind(conversation) == JDOC_STRING) {
        json_write_key(w, STR("conversation"));
        json_write_object(w);
        json_write_member_raw(w, "id", jdoc_raw(conversation));
        json_write_object_end(w);
    } else if (jdoc_has(conversation)) {
        json_write_member_raw(w, "conversation", jdoc_raw(conversation));
    }
    write_settings(c, r, w);
    if (bill_wanted(c)) {
        bool reported = c->used.reported;
        json_write_key(w, STR("usage"));
        bill_write_responses(c, w);
        respond_write_tool_usage(c, w);
        c->used.reported = reported; /* it is, once it is sent */
    } else {
        json_write_member_null(w, "usage");
    }
    echo(c, w, "user", "null");
    echo(c, w, "metadata", "{}");
    json_write_object_end(w);
}
