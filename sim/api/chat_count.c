/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokens of a chat prompt: three for a message and all its texts, three for the reply's beginning;
 * tools by the overheads that OpenAI's cookbook gives. Images count as one of 1024 × 1024 pixels,
 * audio by its length: figures that a test can foresee, not those of the real models.
 */
#include "openai/price_list.h"
#include "sim/api/chat.h"
#include "sim/http/apierr.h"
#include "sim/model/bill.h"
#include "sim/model/modelbook.h"
#include "sim/model/tally.h"

#define PER_MESSAGE 3
#define PER_NAME 1
#define REPLY 3
#define IMAGE_LOW 85
#define IMAGE_HIGH 765
#define FILE_TOKENS 250
#define AUDIO_BYTES_PER_TOKEN 3200
#define TOOL 7
#define TOOL_PROPERTIES 3
#define TOOL_PROPERTY 3
#define TOOLS_END 12
#define WINDOW_CHECK 4000
#define CACHE_WRITE_MIN 1024

struct counter {
    struct call *c;
    enum tokenizer_encoding encoding;
    uint64_t audio, image;
};

static uint64_t count(struct counter *t, struct jval v)
{
    return tally_escaped(t->c->sim->tally, t->encoding, jdoc_escaped(v));
}

static uint64_t count_part(struct counter *t, struct jval part)
{
    struct jval type = jdoc_find(part, "type");
    uint64_t n = 0;
    if (jdoc_is(type, "image_url")) {
        n = jdoc_is(jdoc_find(jdoc_find(part, "image_url"), "detail"), "low") ? IMAGE_LOW : IMAGE_HIGH;
        t->image += n;
        return n;
    }
    if (jdoc_is(type, "input_audio")) {
        struct str data = jdoc_escaped(jdoc_find(jdoc_find(part, "input_audio"), "data"));
        n = 1 + data.n * 3 / 4 / AUDIO_BYTES_PER_TOKEN;
        t->audio += n;
        return n;
    }
    if (jdoc_is(type, "file"))
        return FILE_TOKENS;
    return count(t, jdoc_find(part, "text")) + count(t, jdoc_find(part, "refusal"));
}

static uint64_t count_message(struct counter *t, struct jval m)
{
    struct jval content = jdoc_find(m, "content"), calls = jdoc_find(m, "tool_calls"), name = jdoc_find(m, "name");
    uint64_t n = PER_MESSAGE + count(t, jdoc_find(m, "role")) + count(t, content) + count(t, jdoc_find(m, "refusal"));
    if (jdoc_has(name))
        n += PER_NAME + count(t, name);
    if (jdoc_kind(content) == JDOC_ARRAY)
        for (struct jval p = jdoc_first(content); jdoc_has(p); p = jdoc_next(content, p))
            n += count_part(t, p);
    for (struct jval k = jdoc_first(calls); jdoc_has(k); k = jdoc_next(calls, k)) {
        struct jval function = jdoc_find(k, "function");
        n += count(t, jdoc_find(function, "name")) + count(t, jdoc_find(function, "arguments"));
    }
    return n;
}

static uint64_t count_function(struct counter *t, struct jval f)
{
    uint64_t n = TOOL + count(t, jdoc_find(f, "name")) + count(t, jdoc_find(f, "description")) + 1;
    struct jval properties = jdoc_find(jdoc_find(f, "parameters"), "properties");
    if (jdoc_size(properties))
        n += TOOL_PROPERTIES;
    for (struct jval p = jdoc_first(properties); jdoc_has(p); p = jdoc_next(properties, p)) {
        struct jval v = jdoc_value(p);
        n += TOOL_PROPERTY + count(t, p) + count(t, jdoc_find(v, "type")) + count(t, jdoc_find(v, "description")) + 2;
    }
    return n;
}

static uint64_t count_tools(struct counter *t)
{
    struct jval tools = jdoc_find(t->c->json, "tools"), functions = jdoc_find(t->c->json, "functions");
    uint64_t n = 0;
    for (struct jval k = jdoc_first(tools); jdoc_has(k); k = jdoc_next(tools, k))
        n += count_function(t, jdoc_find(k, "function"));
    for (struct jval k = jdoc_first(functions); jdoc_has(k); k = jdoc_next(functions, k))
        n += count_function(t, k);
    return n ? n + TOOLS_END : 0;
}

/* Predicted output: what agrees is accepted; we say three quarters do. */
static void count_prediction(struct counter *t, struct bill *b)
{
    struct jval prediction = jdoc_find(t->c->json, "prediction");
    uint64_t n = count(t, jdoc_find(prediction, "content"));
    b->accepted = n * 3 / 4;
    b->rejected = n - b->accepted;
    b->output += b->rejected;
}

bool chat_count_prompt(struct call *c, const struct chat *chat)
{
    struct counter t = {.c = c, .encoding = compose_encoding(chat->model)};
    struct jval messages = jdoc_find(c->json, "messages"), format = jdoc_find(c->json, "response_format");
    struct tally_prompt p;
    struct bill *b = c->bill;
    tally_prompt_begin(&p, chat->model);
    tally_prompt_part(c->sim->tally, &p, jdoc_raw(jdoc_find(c->json, "tools")), count_tools(&t));
    for (struct jval m = jdoc_first(messages); jdoc_has(m); m = jdoc_next(messages, m))
        tally_prompt_part(c->sim->tally, &p, jdoc_raw(m), count_message(&t, m));
    if (jdoc_is(jdoc_find(format, "type"), "json_schema"))
        p.tokens += tally_text(c->sim->tally, t.encoding, jdoc_raw(jdoc_find(format, "json_schema")));
    p.tokens += REPLY;
    tally_prompt_end(&p);
    b->input = p.tokens;
    b->audio_in = t.audio;
    b->cached = t.audio || t.image ? 0 : p.cached;
    bill_cache_writes(c, chat->model, CACHE_WRITE_MIN);
    count_prediction(&t, b);
    if (b->input < WINDOW_CHECK)
        return true;
    const struct price_model *m = price_list_find_model(c->sim->prices, chat->model);
    if (!m || !m->context_window || b->input <= m->context_window)
        return true;
    apierr(c, 400, "invalid_request_error", "messages", "context_length_exceeded",
           "This model's maximum context length is %llu tokens. However, your messages resulted in %llu tokens. "
           "Please reduce the length of the messages.",
           (unsigned long long)m->context_window, (unsigned long long)b->input);
    bill_drop(c);
    return false;
}
