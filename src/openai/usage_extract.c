/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The field names, as lists of paths, and the arithmetic of parts and totals.
 *
 * The same figure has several names: prompt_tokens and input_tokens; details under
 * prompt_tokens_details (chat), input_tokens_details (responses, images) and input_token_details
 * (transcription, realtime). All are watched everywhere, under the prefixes a shape needs.
 */
#include "openai/usage_extract.h"

#include <pthread.h>

#include "base/must.h"

#define FIGURE(name) USAGE_FIGURE_##name
#define PATH(name) USAGE_PATH_##name
#define TEXT(kind) (USAGE_PATH_TEXT + USAGE_TEXT_##kind)

#define INPUT_DETAILS(p)                                                                                           \
    {p ".cached_tokens", FIGURE(CACHED)}, {p ".cached_tokens_details.text_tokens", FIGURE(CACHED_TEXT)},           \
        {p ".cached_tokens_details.audio_tokens", FIGURE(CACHED_AUDIO)},                                           \
        {p ".cached_tokens_details.image_tokens", FIGURE(CACHED_IMAGE)}, {p ".cache_write_tokens", FIGURE(WRITE)}, \
        {p ".cache_write_tokens_details.ttl_30m_tokens", FIGURE(WRITE_30M)},                                       \
        {p ".cache_write_tokens_details.ttl_12h_tokens", FIGURE(WRITE_12H)}, {p ".text_tokens", FIGURE(IN_TEXT)},  \
        {p ".audio_tokens", FIGURE(IN_AUDIO)},                                                                     \
    {                                                                                                              \
        p ".image_tokens", FIGURE(IN_IMAGE)                                                                        \
    }

#define OUTPUT_DETAILS(p)                                                               \
    {p ".reasoning_tokens", FIGURE(REASONING)}, {p ".text_tokens", FIGURE(OUT_TEXT)},   \
        {p ".audio_tokens", FIGURE(OUT_AUDIO)}, {p ".image_tokens", FIGURE(OUT_IMAGE)}, \
        {p ".accepted_prediction_tokens", FIGURE(ACCEPTED)},                            \
    {                                                                                   \
        p ".rejected_prediction_tokens", FIGURE(REJECTED)                               \
    }

/* A usage object in the words of chat. */
#define CHAT_USAGE                                                                                               \
    {"usage", PATH(USAGE)}, {"usage.prompt_tokens", FIGURE(INPUT)}, {"usage.completion_tokens", FIGURE(OUTPUT)}, \
        {"usage.total_tokens", FIGURE(TOTAL)}, {"usage.input_tokens", FIGURE(INPUT)},                            \
        {"usage.output_tokens", FIGURE(OUTPUT)}, {"usage.prompt_cache_hit_tokens", FIGURE(CACHED)},              \
        INPUT_DETAILS("usage.prompt_tokens_details"), INPUT_DETAILS("usage.input_tokens_details"),               \
        OUTPUT_DETAILS("usage.completion_tokens_details"), OUTPUT_DETAILS("usage.output_tokens_details")

/* … and in those of everything newer. */
#define USAGE(p)                                                                                                 \
    {p "usage", PATH(USAGE)}, {p "usage.seconds", FIGURE(DURATION_MS)}, {p "usage.input_tokens", FIGURE(INPUT)}, \
        {p "usage.output_tokens", FIGURE(OUTPUT)}, {p "usage.total_tokens", FIGURE(TOTAL)},                      \
        INPUT_DETAILS(p "usage.input_tokens_details"), INPUT_DETAILS(p "usage.input_token_details"),             \
        OUTPUT_DETAILS(p "usage.output_tokens_details"), OUTPUT_DETAILS(p "usage.output_token_details")

#define ERROR_OBJECT(p)                                                             \
    {p, PATH(ERROR)}, {p ".type", PATH(ERROR_TYPE)}, {p ".code", PATH(ERROR_CODE)}, \
    {                                                                               \
        p ".message", PATH(ERROR_MESSAGE)                                           \
    }

#define ANSWER(p)                                 \
    {p "id", PATH(ID)}, {p "model", PATH(MODEL)}, \
    {                                             \
        p "service_tier", PATH(TIER)              \
    }

#define EVENT                                         \
    {"type", PATH(TYPE)}, {"code", PATH(EVENT_CODE)}, \
    {                                                 \
        "message", PATH(EVENT_MESSAGE)                \
    }

#define CHOICE_TEXT(p)                                                                                       \
    {p ".content", TEXT(CONTENT)}, {p ".refusal", TEXT(REFUSAL)}, {p ".reasoning_content", TEXT(REASONING)}, \
        {p ".reasoning", TEXT(REASONING)}, {p ".tool_calls[].function.name", TEXT(TOOL)},                    \
        {p ".tool_calls[].function.arguments", TEXT(TOOL)}, {p ".tool_calls[].custom.name", TEXT(TOOL)},     \
        {p ".tool_calls[].custom.input", TEXT(TOOL)}, {p ".function_call.name", TEXT(TOOL)},                 \
        {p ".function_call.arguments", TEXT(TOOL)},                                                          \
    {                                                                                                        \
        p ".audio.transcript", TEXT(TRANSCRIPT)                                                              \
    }

#define RESPONSE(p)                                                                                                \
    ANSWER(p), {p "status", PATH(STATUS)}, {p "incomplete_details.reason", PATH(REASON)}, ERROR_OBJECT(p "error"), \
        {p "tools[].model", PATH(SIDE_MODEL)}, {p "tool_usage", PATH(TOOL_USAGE)},                                 \
        {p "tool_usage.web_search.num_requests", FIGURE(SEARCHES)},                                                \
        {p "tool_usage.image_gen.input_tokens", FIGURE(TOOL_INPUT)},                                               \
        {p "tool_usage.image_gen.input_tokens_details.image_tokens", FIGURE(TOOL_IN_IMAGE)},                       \
        {p "tool_usage.image_gen.output_tokens", FIGURE(TOOL_OUTPUT)},                                             \
        {p "tool_usage.image_gen.output_tokens_details.text_tokens", FIGURE(TOOL_OUT_TEXT)},                       \
        {p "tool_usage.image_gen.cached_tokens", FIGURE(TOOL_CACHED)},                                             \
        {p "tool_usage.image_gen.cached_tokens_details.cached_image_tokens", FIGURE(TOOL_CACHED_IMAGE)},           \
        {p "output", PATH(OUTPUT)}, {p "output[]", PATH(ITEM)}, {p "output[].type", PATH(ITEM_TYPE)},              \
        {p "output[].action.type", PATH(ITEM_ACTION)},                                                             \
    {                                                                                                              \
        p "output[].container_id", PATH(ITEM_CONTAINER)                                                            \
    }

/* Usage of responses; only `usage` of the terminal event, or of the body. */
#define RESPONSE_USAGE(p)                                                                                         \
    {p "usage", PATH(USAGE)}, {p "usage.input_tokens", FIGURE(INPUT)}, {p "usage.output_tokens", FIGURE(OUTPUT)}, \
        {p "usage.total_tokens", FIGURE(TOTAL)}, INPUT_DETAILS(p "usage.input_tokens_details"),                   \
        OUTPUT_DETAILS(p "usage.output_tokens_details")

static const struct json_path chat_paths[] = {
    ANSWER(""),
    {"system_fingerprint", PATH(FINGERPRINT)},
    CHAT_USAGE,
    ERROR_OBJECT("error"),
    {"choices[].finish_reason", PATH(FINISH)},
    {"choices[].text", TEXT(CONTENT)},
    CHOICE_TEXT("choices[].delta"),
    CHOICE_TEXT("choices[].message"),
};

static const struct json_path response_paths[] = {
    EVENT,
    {"delta", PATH(DELTA)},
    RESPONSE(""),
    RESPONSE("response."),
    RESPONSE_USAGE(""),
    RESPONSE_USAGE("response."),
    {"output[].content[].text", TEXT(CONTENT)},
    {"output[].content[].refusal", TEXT(REFUSAL)},
    {"output[].summary[].text", TEXT(REASONING)},
    {"output[].name", TEXT(TOOL)},
    {"output[].arguments", TEXT(TOOL)},
    {"output[].input", TEXT(TOOL)},
};

static const struct json_path realtime_paths[] = {
    EVENT,
    {"delta", PATH(DELTA)},
    USAGE(""),
    USAGE("response."),
    RESPONSE("response."),
    ERROR_OBJECT("error"),
    {"response.status_details.reason", PATH(REASON)},
    {"session.id", PATH(ID)},
    {"session.model", PATH(MODEL)},
    {"session.audio.input.transcription.model", PATH(SIDE_MODEL)},
    {"session.input_audio_transcription.model", PATH(SIDE_MODEL)},
};

static const struct json_path live_paths[] = {
    EVENT,
    ERROR_OBJECT("error"),
    {"session.id", PATH(ID)},
    {"session.model", PATH(MODEL)},
    {"usage", PATH(USAGE)},
    {"usage.seconds", FIGURE(DURATION_MS)},
    {"session.usage", PATH(USAGE)},
    {"session.usage.seconds", FIGURE(DURATION_MS)},
};

static const struct json_path embedding_paths[] = {
    ANSWER(""), CHAT_USAGE, ERROR_OBJECT("error"), {"data", PATH(DATA)}, {"data[]", PATH(DATA_ITEM)},
};

static const struct json_path image_paths[] = {
    EVENT,
    ANSWER(""),
    USAGE(""),
    ERROR_OBJECT("error"),
    {"data", PATH(DATA)},
    {"data[]", PATH(DATA_ITEM)},
    {"quality", PATH(QUALITY)},
    {"size", PATH(SIZE)},
    {"svg_usage", PATH(SVG_USAGE)},
    {"svg_usage.model", PATH(SIDE_MODEL)},
    {"svg_usage.input", FIGURE(SVG_INPUT)},
    {"svg_usage.output", FIGURE(SVG_OUTPUT)},
    {"svg_usage.total", FIGURE(SVG_TOTAL)},
};

/* Transcription, translation, speech. */
static const struct json_path audio_paths[] = {
    EVENT,
    ANSWER(""),
    USAGE(""),
    ERROR_OBJECT("error"),
    {"duration", FIGURE(LENGTH_MS)},
    {"delta", PATH(DELTA)},
    {"text", PATH(WHOLE)},
};

static const struct json_path run_paths[] = {
    EVENT,
    ANSWER(""),
    CHAT_USAGE,
    {"object", PATH(OBJECT)},
    {"status", PATH(STATUS)},
    {"incomplete_details.reason", PATH(REASON)},
    ERROR_OBJECT("error"),
    {"last_error", PATH(ERROR)},
    {"last_error.code", PATH(ERROR_CODE)},
    {"last_error.message", PATH(ERROR_MESSAGE)},
    {"delta.content[].text.value", TEXT(CONTENT)},
};

static const struct json_path job_paths[] = {
    ANSWER(""), USAGE(""), {"status", PATH(STATUS)}, ERROR_OBJECT("error"), {"trained_tokens", FIGURE(TRAINED)},
};

static const struct json_path video_paths[] = {
    ANSWER(""),           {"status", PATH(STATUS)},   ERROR_OBJECT("error"), {"seconds", FIGURE(LENGTH_MS)},
    {"size", PATH(SIZE)}, {"quality", PATH(QUALITY)},
};

static const struct json_path count_paths[] = {
    ERROR_OBJECT("error"),
    {"input_tokens", FIGURE(INPUT)},
};

static const struct json_path other_paths[] = {
    EVENT,
    ANSWER(""),
    CHAT_USAGE,
    {"usage.seconds", FIGURE(DURATION_MS)},
    INPUT_DETAILS("usage.input_token_details"),
    OUTPUT_DETAILS("usage.output_token_details"),
    ERROR_OBJECT("error"),
    {"status", PATH(STATUS)},
};

static const struct json_path none_paths[] = {
    ERROR_OBJECT("error"),
    {"id", PATH(ID)},
    {"model", PATH(MODEL)},
};

#define LIST(paths)                               \
    {                                             \
        paths, sizeof(paths) / sizeof((paths)[0]) \
    }

static const struct list {
    const struct json_path *paths;
    size_t n;
} lists[USAGE_SHAPE_COUNT] = {
    [USAGE_SHAPE_NONE] = LIST(none_paths),          [USAGE_SHAPE_CHAT] = LIST(chat_paths),
    [USAGE_SHAPE_COMPLETIONS] = LIST(chat_paths),   [USAGE_SHAPE_RESPONSES] = LIST(response_paths),
    [USAGE_SHAPE_INPUT_TOKENS] = LIST(count_paths), [USAGE_SHAPE_EMBEDDINGS] = LIST(embedding_paths),
    [USAGE_SHAPE_IMAGES] = LIST(image_paths),       [USAGE_SHAPE_TRANSCRIPTION] = LIST(audio_paths),
    [USAGE_SHAPE_SPEECH] = LIST(audio_paths),       [USAGE_SHAPE_REALTIME] = LIST(realtime_paths),
    [USAGE_SHAPE_LIVE] = LIST(live_paths),          [USAGE_SHAPE_RUNS] = LIST(run_paths),
    [USAGE_SHAPE_BATCH] = LIST(job_paths),          [USAGE_SHAPE_FINE_TUNE] = LIST(job_paths),
    [USAGE_SHAPE_VIDEO] = LIST(video_paths),        [USAGE_SHAPE_OTHER] = LIST(other_paths),
};

static const struct json_watch *watches[USAGE_SHAPE_COUNT];

static void make_watches(void)
{
    for (unsigned i = 0; i < USAGE_SHAPE_COUNT; i++) {
        for (unsigned same = 0; same < i && !watches[i]; same++)
            if (lists[same].paths == lists[i].paths)
                watches[i] = watches[same];
        if (!watches[i])
            watches[i] = json_watch_new(lists[i].paths, lists[i].n);
    }
}

const struct json_watch *usage_extract_watch(enum usage_shape shape)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    must(shape < USAGE_SHAPE_COUNT);
    must(pthread_once(&once, make_watches) == 0);
    return watches[shape];
}

/* --- Events ------------------------------------------------------------------------------------- */

#define DELTA_OF(name, kind)                                   \
    {                                                          \
        name ".delta", USAGE_EVENT_DELTA, USAGE_TEXT_##kind, 0 \
    }
#define END_OF(name, ends)                         \
    {                                              \
        name, USAGE_EVENT_END, 0, USAGE_END_##ends \
    }

static const struct usage_event_info events[] = {
    DELTA_OF("response.output_text", CONTENT),
    DELTA_OF("response.text", CONTENT),
    DELTA_OF("response.refusal", REFUSAL),
    DELTA_OF("response.reasoning_text", REASONING),
    DELTA_OF("response.reasoning_summary_text", REASONING),
    DELTA_OF("response.function_call_arguments", TOOL),
    DELTA_OF("response.custom_tool_call_input", TOOL),
    DELTA_OF("response.mcp_call_arguments", TOOL),
    DELTA_OF("response.code_interpreter_call_code", TOOL),
    DELTA_OF("response.shell_call_command", TOOL),
    DELTA_OF("response.audio.transcript", TRANSCRIPT),
    DELTA_OF("response.audio_transcript", TRANSCRIPT),
    DELTA_OF("response.output_audio_transcript", TRANSCRIPT),
    DELTA_OF("transcript.text", CONTENT),
    END_OF("response.completed", COMPLETED),
    END_OF("response.incomplete", INCOMPLETE),
    END_OF("response.failed", FAILED),
    END_OF("transcript.text.done", COMPLETED),
    END_OF("speech.audio.done", COMPLETED),
    END_OF("thread.run.completed", COMPLETED),
    END_OF("thread.run.incomplete", INCOMPLETE),
    END_OF("thread.run.requires_action", INCOMPLETE),
    END_OF("thread.run.failed", FAILED),
    END_OF("thread.run.cancelled", FAILED),
    END_OF("thread.run.expired", FAILED),
    END_OF("session.closed", COMPLETED),
    {"image_generation.completed", USAGE_EVENT_IMAGE, 0, USAGE_END_COMPLETED},
    {"image_edit.completed", USAGE_EVENT_IMAGE, 0, USAGE_END_COMPLETED},
    {"response.done", USAGE_EVENT_RESPONSE_DONE, 0, USAGE_END_COMPLETED},
    {"conversation.item.input_audio_transcription.completed", USAGE_EVENT_TRANSCRIPTION, 0, 0},
    {"session.usage.updated", USAGE_EVENT_SESSION_USAGE, 0, 0},
    {"thread.run.step.completed", USAGE_EVENT_STEP, 0, 0},
    {"thread.run.step.failed", USAGE_EVENT_STEP, 0, 0},
    {"thread.run.step.cancelled", USAGE_EVENT_STEP, 0, 0},
    {"thread.run.step.expired", USAGE_EVENT_STEP, 0, 0},
    {"error", USAGE_EVENT_ERROR, 0, USAGE_END_ERROR},
};

const struct usage_event_info *usage_extract_event(struct str name)
{
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (str_eq(str_c(events[i].name), name))
            return &events[i];
    return NULL;
}

/* --- Arithmetic --------------------------------------------------------------------------------- */

static bool has(const struct usage_figures *f, enum usage_figure figure)
{
    return (f->have >> figure & 1) != 0;
}

/* 0 when it was not reported. */
static uint64_t get(const struct usage_figures *f, enum usage_figure figure)
{
    return has(f, figure) ? f->count[figure] : 0;
}

/* Takes up to `want` from *left; wanting more is a contradiction. */
static uint64_t take(uint64_t *left, uint64_t want, bool *bad)
{
    uint64_t taken = want < *left ? want : *left;
    *bad |= taken < want;
    *left -= taken;
    return taken;
}

/* The three kinds of tokens on one side of an exchange. */
struct split {
    uint64_t text, audio, image;
};

/* Takes `want` from the kinds in order, as far as they go. */
static struct split take_any(struct split *left, uint64_t want)
{
    bool unused = false;
    struct split s = {0};
    s.text = take(&left->text, want, &unused);
    s.audio = take(&left->audio, want - s.text, &unused);
    s.image = take(&left->image, want - s.text - s.audio, &unused);
    return s;
}

static struct split input_split(const struct usage_figures *f, uint64_t total, bool *bad)
{
    struct split s = {0};
    bool details = has(f, FIGURE(IN_TEXT)) || has(f, FIGURE(IN_AUDIO)) || has(f, FIGURE(IN_IMAGE));
    if (f->shape == USAGE_SHAPE_TRANSCRIPTION && !details) {
        s.audio = total;
        return s;
    }
    s.audio = take(&total, get(f, FIGURE(IN_AUDIO)), bad);
    s.image = take(&total, get(f, FIGURE(IN_IMAGE)), bad);
    s.text = total;
    *bad |= get(f, FIGURE(IN_TEXT)) > total;
    return s;
}

static struct split output_split(const struct usage_figures *f, uint64_t total, bool *bad)
{
    struct split s = {0};
    bool details = has(f, FIGURE(OUT_TEXT)) || has(f, FIGURE(OUT_AUDIO)) || has(f, FIGURE(OUT_IMAGE));
    if (!details && f->shape == USAGE_SHAPE_IMAGES) {
        s.image = total;
    } else if (!details && f->shape == USAGE_SHAPE_SPEECH) {
        s.audio = total;
    } else {
        s.audio = take(&total, get(f, FIGURE(OUT_AUDIO)), bad);
        s.image = take(&total, get(f, FIGURE(OUT_IMAGE)), bad);
        s.text = total;
        *bad |= get(f, FIGURE(OUT_TEXT)) > total;
    }
    return s;
}

/* Takes the cached tokens out of *left. Without a split they are text as far as there is text. */
static struct split take_cached(const struct usage_figures *f, uint64_t input, struct split *left, bool *bad)
{
    uint64_t parts = get(f, FIGURE(CACHED_TEXT)) + get(f, FIGURE(CACHED_AUDIO)) + get(f, FIGURE(CACHED_IMAGE));
    uint64_t cached = has(f, FIGURE(CACHED)) ? get(f, FIGURE(CACHED)) : parts;
    *bad |= cached > input || parts > cached;
    struct split s = {0};
    s.audio = take(&left->audio, get(f, FIGURE(CACHED_AUDIO)) < cached ? get(f, FIGURE(CACHED_AUDIO)) : cached, bad);
    cached -= s.audio;
    s.image = take(&left->image, get(f, FIGURE(CACHED_IMAGE)) < cached ? get(f, FIGURE(CACHED_IMAGE)) : cached, bad);
    cached -= s.image;
    struct split rest = take_any(left, cached);
    return (struct split){rest.text, s.audio + rest.audio, s.image + rest.image};
}

/* Takes the tokens written to the cache out of *left. */
static void take_writes(const struct usage_figures *f, struct split *left, struct usage_sum *sum, bool *bad)
{
    uint64_t parts = get(f, FIGURE(WRITE_30M)) + get(f, FIGURE(WRITE_12H));
    uint64_t want = has(f, FIGURE(WRITE)) ? get(f, FIGURE(WRITE)) : parts;
    struct split s = take_any(left, want);
    uint64_t written = s.text + s.audio + s.image;
    *bad |= written < want || parts > want;
    bool divided = has(f, FIGURE(WRITE_30M)) || has(f, FIGURE(WRITE_12H));
    uint64_t long_lived = divided ? get(f, FIGURE(WRITE_12H)) : f->cache_12h ? written : 0;
    sum->quantity[METER_CACHE_WRITE_12H] = long_lived < written ? long_lived : written;
    sum->quantity[METER_CACHE_WRITE] = written - sum->quantity[METER_CACHE_WRITE_12H];
}

/* The totals, one of which may be missing: the other two give it. */
static void totals(const struct usage_figures *f, struct usage_sum *sum, bool *bad)
{
    uint64_t in = get(f, FIGURE(INPUT)), out = get(f, FIGURE(OUTPUT)), total = get(f, FIGURE(TOTAL));
    if (!has(f, FIGURE(INPUT)) && total > out)
        in = total - out;
    else if (!has(f, FIGURE(INPUT)))
        in = get(f, FIGURE(IN_TEXT)) + get(f, FIGURE(IN_AUDIO)) + get(f, FIGURE(IN_IMAGE));
    if (!has(f, FIGURE(OUTPUT)) && total > in)
        out = total - in;
    *bad |= has(f, FIGURE(TOTAL)) && total != in + out;
    sum->input_total_tok = in;
    sum->output_total_tok = out;
}

static void sum_tokens(const struct usage_figures *f, struct usage_sum *sum, bool *bad)
{
    totals(f, sum, bad);
    uint64_t *q = sum->quantity;
    struct split in = input_split(f, sum->input_total_tok, bad);
    struct split cached = take_cached(f, sum->input_total_tok, &in, bad);
    take_writes(f, &in, sum, bad);
    q[METER_INPUT] = in.text;
    q[METER_AUDIO_INPUT] = in.audio;
    q[METER_IMAGE_INPUT] = in.image;
    q[METER_CACHED] = cached.text;
    q[METER_AUDIO_CACHED] = cached.audio;
    q[METER_IMAGE_CACHED] = cached.image;

    struct split out = output_split(f, sum->output_total_tok, bad);
    q[METER_OUTPUT] = out.text;
    q[METER_AUDIO_OUTPUT] = out.audio;
    q[METER_IMAGE_OUTPUT] = out.image;
    sum->reasoning_tok = get(f, FIGURE(REASONING));
    sum->accepted_tok = get(f, FIGURE(ACCEPTED));
    sum->rejected_tok = get(f, FIGURE(REJECTED));
    *bad |= sum->reasoning_tok > sum->output_total_tok || sum->accepted_tok + sum->rejected_tok > sum->output_total_tok;
}

void usage_extract_sum(const struct usage_figures *f, struct usage_sum *ret_sum, bool *ret_inconsistent)
{
    memset(ret_sum, 0, sizeof(*ret_sum));
    sum_tokens(f, ret_sum, ret_inconsistent);
    uint64_t *q = ret_sum->quantity;
    q[METER_WEB_SEARCH] = get(f, FIGURE(SEARCHES));
    q[METER_TRAINED] = get(f, FIGURE(TRAINED));
    if (f->shape == USAGE_SHAPE_VIDEO)
        q[METER_VIDEO_MS] = get(f, FIGURE(LENGTH_MS));
    else if (!has(f, FIGURE(INPUT)) && has(f, FIGURE(DURATION_MS)))
        q[METER_AUDIO_MS] = get(f, FIGURE(DURATION_MS));
    else if (!has(f, FIGURE(INPUT)))
        q[METER_AUDIO_MS] = get(f, FIGURE(LENGTH_MS));
}

bool usage_extract_side(const struct usage_figures *f, struct usage_side *ret_side, bool *ret_inconsistent)
{
    uint64_t svg_in = get(f, FIGURE(SVG_INPUT)), svg_out = get(f, FIGURE(SVG_OUTPUT));
    /* Reasoning may stand beside the output; the total tells. */
    if (get(f, FIGURE(SVG_TOTAL)) > svg_in + svg_out)
        svg_out = get(f, FIGURE(SVG_TOTAL)) - svg_in;

    uint64_t in = get(f, FIGURE(TOOL_INPUT)), out = get(f, FIGURE(TOOL_OUTPUT)), cached = get(f, FIGURE(TOOL_CACHED));
    uint64_t in_image = take(&in, get(f, FIGURE(TOOL_IN_IMAGE)), ret_inconsistent);
    uint64_t out_text = take(&out, get(f, FIGURE(TOOL_OUT_TEXT)), ret_inconsistent);
    uint64_t cached_image = take(&cached, get(f, FIGURE(TOOL_CACHED_IMAGE)), ret_inconsistent);
    cached_image = take(&in_image, cached_image, ret_inconsistent);
    uint64_t cached_text = take(&in, cached, ret_inconsistent);
    *ret_side = (struct usage_side){.input_tok = in + svg_in,
                                    .cached_tok = cached_text,
                                    .output_tok = out_text + svg_out,
                                    .image_input_tok = in_image,
                                    .image_cached_tok = cached_image,
                                    .image_output_tok = out};
    return svg_in + svg_out + get(f, FIGURE(TOOL_INPUT)) + get(f, FIGURE(TOOL_OUTPUT)) > 0;
}
