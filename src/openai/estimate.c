/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The published rule (OpenAI's cookbook, "How to count tokens with tiktoken"): 3 tokens around each
 * message, the tokens of its strings, 1 for a name, and 3 once for the beginning of the reply.
 *
 * Which strings of a message count is in the tables below. The same walk serves the items of the
 * responses API, which name the same things differently; no rule was published for those, and they
 * are taken for messages. Identifiers (id, tool_call_id, status, type) are bookkeeping and are not
 * counted.
 */
#include "openai/estimate.h"

#include "base/json_text.h"
#include "openai/estimate/cursor.h"
#include "openai/estimate/image_tok.h"
#include "openai/estimate/text.h"
#include "openai/estimate/tools.h"

#define MESSAGE_TOK 3
#define NAME_TOK 1
#define REPLY_TOK 3
#define ROLE_TOK 1 /* "user", "system", … where the body does not say it */
#define BYTES_PER_TOK 4

/* One estimate: the text counter, and what the model decides. */
struct estimate {
    struct estimate_text text;
    struct str model;
    int message_tok, name_tok;
};

/* What to do with a member of a message or of one of its parts. */
enum part {
    PART_TEXT,   /* text; or an array of parts */
    PART_NAME,   /* text, and the overhead of a name */
    PART_IMAGE,  /* a URL, or an object with one */
    PART_NESTED, /* an object or array of objects with members of this table */
};

static const struct {
    const char *name;
    enum part part;
} parts[] = {
    {"content", PART_TEXT},      {"text", PART_TEXT},
    {"role", PART_TEXT},         {"name", PART_NAME},
    {"refusal", PART_TEXT},      {"arguments", PART_TEXT},
    {"input", PART_TEXT},        {"output", PART_TEXT},
    {"summary", PART_TEXT},      {"image_url", PART_IMAGE},
    {"tool_calls", PART_NESTED}, {"function", PART_NESTED},
    {"custom", PART_NESTED},     {"function_call", PART_NESTED},
};

/* Objects in objects of a message that are followed; a call's function is the deepest that exists. */
#define PARTS_DEPTH_MAX 6

static bool member_is(struct estimate_item object, struct str name, struct str text)
{
    struct estimate_item item;
    return estimate_cursor_member(object, name, &item) && item.kind == JSON_STRING && json_string_eq(item.text, text);
}

/* `owner` is the part; its image_url is a string with `detail` beside it, or an object with both. */
static int64_t image_part_tok(struct estimate *e, struct estimate_item owner, struct estimate_item url)
{
    struct estimate_image size = ESTIMATE_IMAGE_USUAL;
    struct estimate_item inner;
    if (url.kind == JSON_OBJECT) {
        owner = url;
        if (estimate_cursor_member(owner, STR("url"), &inner))
            url = inner;
    }
    if (url.kind == JSON_STRING && !estimate_image_size_of_url(url.text, &size))
        size = ESTIMATE_IMAGE_USUAL;
    return (int64_t)estimate_image_tok(e->model, size, member_is(owner, STR("detail"), STR("low")));
}

static int64_t object_tok(struct estimate *e, struct estimate_item object, int depth);

/* The objects of an array; strings in it are text. */
static int64_t array_tok(struct estimate *e, struct estimate_item array, int depth)
{
    struct estimate_item item;
    int64_t tok = 0;
    for (struct estimate_cursor c = estimate_cursor_open(array); estimate_cursor_next(&c, &item);)
        tok += item.kind == JSON_STRING ? (int64_t)estimate_text_tok(&e->text, item.text) : object_tok(e, item, depth);
    return tok;
}

static int64_t part_tok(struct estimate *e, struct estimate_item owner, struct estimate_item item, enum part part,
                        int depth)
{
    if (part == PART_IMAGE)
        return image_part_tok(e, owner, item);
    if (item.kind == JSON_ARRAY)
        return array_tok(e, item, depth + 1);
    if (item.kind == JSON_OBJECT)
        return part == PART_NESTED ? object_tok(e, item, depth + 1) : 0;
    if (item.kind != JSON_STRING || part == PART_NESTED)
        return 0;
    /* Only a message has a name for itself; a call's name is text like its arguments. */
    int64_t overhead = part == PART_NAME && depth == 0 ? e->name_tok : 0;
    return overhead + (int64_t)estimate_text_tok(&e->text, item.text);
}

static int64_t object_tok(struct estimate *e, struct estimate_item object, int depth)
{
    struct estimate_item item;
    int64_t tok = 0;
    if (object.kind != JSON_OBJECT || depth > PARTS_DEPTH_MAX)
        return 0;
    for (struct estimate_cursor c = estimate_cursor_open(object); estimate_cursor_next(&c, &item);)
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
            if (json_string_eq(item.key, str_c(parts[i].name)))
                tok += part_tok(e, object, item, parts[i].part, depth);
    return tok;
}

/* The array `messages`, or `input` of the responses API. */
static int64_t messages_tok(struct estimate *e, struct estimate_item messages)
{
    struct estimate_item message;
    int64_t tok = 0;
    for (struct estimate_cursor c = estimate_cursor_open(messages); estimate_cursor_next(&c, &message);)
        tok += e->message_tok + object_tok(e, message, 0);
    return tok;
}

/* A message whose text stands alone in the body. */
static int64_t bare_message_tok(struct estimate *e, struct estimate_item text)
{
    return text.kind == JSON_STRING ? e->message_tok + ROLE_TOK + (int64_t)estimate_text_tok(&e->text, text.text)
                                    : messages_tok(e, text);
}

/* A schema is given to the model as it is written, as far as is known. */
static int64_t format_tok(struct estimate *e, struct estimate_item format)
{
    struct estimate_item inner, schema;
    if (estimate_cursor_member(format, STR("json_schema"), &inner))
        format = inner;
    return estimate_cursor_member(format, STR("schema"), &schema)
               ? (int64_t)tokenizer_count(e->text.encoding, schema.text)
               : 0;
}

/*
 * `prompt` and `input` of the operations without messages: a text, an array of texts, a text in
 * tokens, or an array of such.
 */
static int64_t prompt_tok(struct estimate *e, struct estimate_item prompt, int depth)
{
    struct estimate_item item;
    int64_t tok = 0;
    if (prompt.kind == JSON_STRING)
        return (int64_t)estimate_text_tok(&e->text, prompt.text);
    if (prompt.kind == JSON_NUMBER)
        return 1;
    if (prompt.kind != JSON_ARRAY || depth == 2)
        return 0;
    for (struct estimate_cursor c = estimate_cursor_open(prompt); estimate_cursor_next(&c, &item);)
        tok += prompt_tok(e, item, depth + 1);
    return tok;
}

static int64_t chat_tok(struct estimate *e, struct estimate_item body)
{
    struct estimate_item item;
    int64_t tok = REPLY_TOK;
    if (estimate_cursor_member(body, STR("messages"), &item))
        tok += messages_tok(e, item);
    if (estimate_cursor_member(body, STR("tools"), &item))
        tok += (int64_t)estimate_tools_tok(&e->text, item);
    if (estimate_cursor_member(body, STR("functions"), &item))
        tok += (int64_t)estimate_tools_tok(&e->text, item);
    if (estimate_cursor_member(body, STR("response_format"), &item))
        tok += format_tok(e, item);
    return tok;
}

static int64_t responses_tok(struct estimate *e, struct estimate_item body)
{
    struct estimate_item item, format;
    int64_t tok = REPLY_TOK;
    if (estimate_cursor_member(body, STR("instructions"), &item))
        tok += bare_message_tok(e, item);
    if (estimate_cursor_member(body, STR("input"), &item))
        tok += bare_message_tok(e, item);
    if (estimate_cursor_member(body, STR("tools"), &item))
        tok += (int64_t)estimate_tools_tok(&e->text, item);
    if (estimate_cursor_member(body, STR("text"), &item) && estimate_cursor_member(item, STR("format"), &format))
        tok += format_tok(e, format);
    return tok;
}

static int64_t member_prompt_tok(struct estimate *e, struct estimate_item body, struct str name)
{
    struct estimate_item item;
    return estimate_cursor_member(body, name, &item) ? prompt_tok(e, item, 0) : 0;
}

uint64_t estimate_prompt_tok(enum usage_shape shape, struct str model, struct str body)
{
    struct estimate e = {.model = model, .message_tok = MESSAGE_TOK, .name_tok = NAME_TOK};
    struct estimate_item document;
    int64_t tok = 0;
    if (!estimate_cursor_document(body, &document) || document.kind != JSON_OBJECT)
        return body.n / BYTES_PER_TOK;
    if (str_eq(model, STR("gpt-3.5-turbo-0301"))) {
        e.message_tok = 4;
        e.name_tok = -1;
    }
    estimate_text_init(&e.text, tokenizer_for_model(model));
    switch (shape) {
    case USAGE_SHAPE_CHAT:
        tok = chat_tok(&e, document);
        break;
    case USAGE_SHAPE_RESPONSES:
    case USAGE_SHAPE_INPUT_TOKENS:
        tok = responses_tok(&e, document);
        break;
    case USAGE_SHAPE_COMPLETIONS:
        tok = member_prompt_tok(&e, document, STR("prompt")) + member_prompt_tok(&e, document, STR("suffix"));
        break;
    case USAGE_SHAPE_EMBEDDINGS:
        tok = member_prompt_tok(&e, document, STR("input"));
        break;
    case USAGE_SHAPE_IMAGES:
        tok = member_prompt_tok(&e, document, STR("prompt"));
        break;
    default:
        break;
    }
    return tok > 0 ? (uint64_t)tok : 0;
}
