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

/* A watched path and its id. The lists below are made of such rows and of lists. */
#define ROW(path, id) {path, id},

#define INPUT_DETAILS(p)                                                   \
    ROW(p ".cached_tokens", FIGURE(CACHED))                                \
    ROW(p ".cached_tokens_details.text_tokens", FIGURE(CACHED_TEXT))       \
    ROW(p ".cached_tokens_details.audio_tokens", FIGURE(CACHED_AUDIO))     \
    ROW(p ".cached_tokens_details.image_tokens", FIGURE(CACHED_IMAGE))     \
    ROW(p ".cache_write_tokens", FIGURE(WRITE))                            \
    ROW(p ".cache_write_tokens_details.ttl_30m_tokens", FIGURE(WRITE_30M)) \
    ROW(p ".cache_write_tokens_details.ttl_12h_tokens", FIGURE(WRITE_12H)) \
    ROW(p ".text_tokens", FIGURE(IN_TEXT))                                 \
    ROW(p ".audio_tokens", FIGURE(IN_AUDIO))                               \
    ROW(p ".image_tokens", FIGURE(IN_IMAGE))

#define OUTPUT_DETAILS(p)                                  \
    ROW(p ".reasoning_tokens", FIGURE(REASONING))          \
    ROW(p ".text_tokens", FIGURE(OUT_TEXT))                \
    ROW(p ".audio_tokens", FIGURE(OUT_AUDIO))              \
    ROW(p ".image_tokens", FIGURE(OUT_IMAGE))              \
    ROW(p ".accepted_prediction_tokens", FIGURE(ACCEPTED)) \
    ROW(p ".rejected_prediction_tokens", FIGURE(REJECTED))

/* A usage object in the words of chat. */
#define CHAT_USAGE                                       \
    ROW("usage", PATH(USAGE))                            \
    ROW("usage.prompt_tokens", FIGURE(INPUT))            \
    ROW("usage.completion_tokens", FIGURE(OUTPUT))       \
    ROW("usage.total_tokens", FIGURE(TOTAL))             \
    ROW("usage.input_tokens", FIGURE(INPUT))             \
    ROW("usage.output_tokens", FIGURE(OUTPUT))           \
    ROW("usage.prompt_cache_hit_tokens", FIGURE(CACHED)) \
    INPUT_DETAILS("usage.prompt_tokens_details")         \
    INPUT_DETAILS("usage.input_tokens_details")          \
    OUTPUT_DETAILS("usage.completion_tokens_details")    \
    OUTPUT_DETAILS("usage.output_tokens_details")

/* … and in those of everything newer. */
#define USAGE(p)                                    \
    ROW(p "usage", PATH(USAGE))                     \
    ROW(p "usage.seconds", FIGURE(DURATION_MS))     \
    ROW(p "usage.input_tokens", FIGURE(INPUT))      \
    ROW(p "usage.output_tokens", FIGURE(OUTPUT))    \
    ROW(p "usage.total_tokens", FIGURE(TOTAL))      \
    INPUT_DETAILS(p "usage.input_tokens_details")   \
    INPUT_DETAILS(p "usage.input_token_details")    \
    OUTPUT_DETAILS(p "usage.output_tokens_details") \
    OUTPUT_DETAILS(p "usage.output_token_details")

#define ERROR_OBJECT(p)              \
    ROW(p, PATH(ERROR))              \
    ROW(p ".type", PATH(ERROR_TYPE)) \
    ROW(p ".code", PATH(ERROR_CODE)) \
    ROW(p ".message", PATH(ERROR_MESSAGE))

#define ANSWER(p)               \
    ROW(p "id", PATH(ID))       \
    ROW(p "model", PATH(MODEL)) \
    ROW(p "service_tier", PATH(TIER))

#define EVENT                     \
    ROW("type", PATH(TYPE))       \
    ROW("code", PATH(EVENT_CODE)) \
    ROW("message", PATH(EVENT_MESSAGE))

#define CHOICE_TEXT(p)                                    \
    ROW(p ".content", TEXT(CONTENT))                      \
    ROW(p ".refusal", TEXT(REFUSAL))                      \
    ROW(p ".reasoning_content", TEXT(REASONING))          \
    ROW(p ".reasoning", TEXT(REASONING))                  \
    ROW(p ".tool_calls[].function.name", TEXT(TOOL))      \
    ROW(p ".tool_calls[].function.arguments", TEXT(TOOL)) \
    ROW(p ".tool_calls[].custom.name", TEXT(TOOL))        \
    ROW(p ".tool_calls[].custom.input", TEXT(TOOL))       \
    ROW(p ".function_call.name", TEXT(TOOL))              \
    ROW(p ".function_call.arguments", TEXT(TOOL))         \
    ROW(p ".audio.transcript", TEXT(TRANSCRIPT))

#define RESPONSE(p)                                                                                    \
    ANSWER(p)                                                                                          \
    ROW(p "status", PATH(STATUS))                                                                      \
    ROW(p "incomplete_details.reason", PATH(REASON))                                                   \
    ERROR_OBJECT(p "error")                                                                            \
    ROW(p "tools[].model", PATH(SIDE_MODEL))                                                           \
    ROW(p "tool_usage", PATH(TOOL_USAGE))                                                              \
    ROW(p "tool_usage.web_search.num_requests", FIGURE(SEARCHES))                                      \
    ROW(p "tool_usage.image_gen.input_tokens", FIGURE(TOOL_INPUT))                                     \
    ROW(p "tool_usage.image_gen.input_tokens_details.image_tokens", FIGURE(TOOL_IN_IMAGE))             \
    ROW(p "tool_usage.image_gen.output_tokens", FIGURE(TOOL_OUTPUT))                                   \
    ROW(p "tool_usage.image_gen.output_tokens_details.text_tokens", FIGURE(TOOL_OUT_TEXT))             \
    ROW(p "tool_usage.image_gen.cached_tokens", FIGURE(TOOL_CACHED))                                   \
    ROW(p "tool_usage.image_gen.cached_tokens_details.cached_image_tokens", FIGURE(TOOL_CACHED_IMAGE)) \
    ROW(p "output", PATH(OUTPUT))                                                                      \
    ROW(p "output[]", PATH(ITEM))                                                                      \
    ROW(p "output[].type", PATH(ITEM_TYPE))                                                            \
    ROW(p "output[].action.type", PATH(ITEM_ACTION))                                                   \
    ROW(p "output[].container_id", PATH(ITEM_CONTAINER))

/* Usage of responses; only `usage` of the terminal event, or of the body. */
#define RESPONSE_USAGE(p)                         \
    ROW(p "usage", PATH(USAGE))                   \
    ROW(p "usage.input_tokens", FIGURE(INPUT))    \
    ROW(p "usage.output_tokens", FIGURE(OUTPUT))  \
    ROW(p "usage.total_tokens", FIGURE(TOTAL))    \
    INPUT_DETAILS(p "usage.input_tokens_details") \
    OUTPUT_DETAILS(p "usage.output_tokens_details")

#define CHAT_PATHS                               \
    ANSWER("")                                   \
    ROW("system_fingerprint", PATH(FINGERPRINT)) \
    CHAT_USAGE                                   \
    ERROR_OBJECT("error")                        \
    ROW("choices[].finish_reason", PATH(FINISH)) \
    ROW("choices[].text", TEXT(CONTENT))         \
    CHOICE_TEXT("choices[].delta")               \
    CHOICE_TEXT("choices[].message")

static const struct json_path chat_paths[] = {CHAT_PATHS};

#define RESPONSE_PATHS                               \
    EVENT                                            \
    ROW("delta", PATH(DELTA))                        \
    RESPONSE("")                                     \
    RESPONSE("response.")                            \
    RESPONSE_USAGE("")                               \
    RESPONSE_USAGE("response.")                      \
    ROW("output[].content[].text", TEXT(CONTENT))    \
    ROW("output[].content[].refusal", TEXT(REFUSAL)) \
    ROW("output[].summary[].text", TEXT(REASONING))  \
    ROW("output[].name", TEXT(TOOL))                 \
    ROW("output[].arguments", TEXT(TOOL))            \
    ROW("output[].input", TEXT(TOOL))

static const struct json_path response_paths[] = {RESPONSE_PATHS};

#define REALTIME_PATHS                                               \
    EVENT                                                            \
    ROW("delta", PATH(DELTA))                                        \
    USAGE("")                                                        \
    USAGE("response.")                                               \
    RESPONSE("response.")                                            \
    ERROR_OBJECT("error")                                            \
    ROW("response.status_details.reason", PATH(REASON))              \
    ROW("session.id", PATH(ID))                                      \
    ROW("session.model", PATH(MODEL))                                \
    ROW("session.audio.input.transcription.model", PATH(SIDE_MODEL)) \
    ROW("session.input_audio_transcription.model", PATH(SIDE_MODEL))

static const struct json_path realtime_paths[] = {REALTIME_PATHS};

#define LIVE_PATHS                            \
    EVENT                                     \
    ERROR_OBJECT("error")                     \
    ROW("session.id", PATH(ID))               \
    ROW("session.model", PATH(MODEL))         \
    ROW("usage", PATH(USAGE))                 \
    ROW("usage.seconds", FIGURE(DURATION_MS)) \
    ROW("session.usage", PATH(USAGE))         \
    ROW("session.usage.seconds", FIGURE(DURATION_MS))

static const struct json_path live_paths[] = {LIVE_PATHS};

#define EMBEDDING_PATHS     \
    ANSWER("")              \
    CHAT_USAGE              \
    ERROR_OBJECT("error")   \
    ROW("data", PATH(DATA)) \
    ROW("data[]", PATH(DATA_ITEM))

static const struct json_path embedding_paths[] = {EMBEDDING_PATHS};

#define IMAGE_PATHS                             \
    EVENT                                       \
    ANSWER("")                                  \
    USAGE("")                                   \
    ERROR_OBJECT("error")                       \
    ROW("data", PATH(DATA))                     \
    ROW("data[]", PATH(DATA_ITEM))              \
    ROW("quality", PATH(QUALITY))               \
    ROW("size", PATH(SIZE))                     \
    ROW("svg_usage", PATH(SVG_USAGE))           \
    ROW("svg_usage.model", PATH(SIDE_MODEL))    \
    ROW("svg_usage.input", FIGURE(SVG_INPUT))   \
    ROW("svg_usage.output", FIGURE(SVG_OUTPUT)) \
    ROW("svg_usage.total", FIGURE(SVG_TOTAL))

static const struct json_path image_paths[] = {IMAGE_PATHS};

/* Transcription, translation, speech. */
#define AUDIO_PATHS                    \
    EVENT                              \
    ANSWER("")                         \
    USAGE("")                          \
    ERROR_OBJECT("error")              \
    ROW("duration", FIGURE(LENGTH_MS)) \
    ROW("delta", PATH(DELTA))          \
    ROW("text", PATH(WHOLE))

static const struct json_path audio_paths[] = {AUDIO_PATHS};

#define RUN_PATHS                                  \
    EVENT                                          \
    ANSWER("")                                     \
    CHAT_USAGE                                     \
    ROW("object", PATH(OBJECT))                    \
    ROW("status", PATH(STATUS))                    \
    ROW("incomplete_details.reason", PATH(REASON)) \
    ERROR_OBJECT("error")                          \
    ROW("last_error", PATH(ERROR))                 \
    ROW("last_error.code", PATH(ERROR_CODE))       \
    ROW("last_error.message", PATH(ERROR_MESSAGE)) \
    ROW("delta.content[].text.value", TEXT(CONTENT))

static const struct json_path run_paths[] = {RUN_PATHS};

#define JOB_PATHS               \
    ANSWER("")                  \
    USAGE("")                   \
    ROW("status", PATH(STATUS)) \
    ERROR_OBJECT("error")       \
    ROW("trained_tokens", FIGURE(TRAINED))

static const struct json_path job_paths[] = {JOB_PATHS};

#define VIDEO_PATHS                   \
    ANSWER("")                        \
    ROW("status", PATH(STATUS))       \
    ERROR_OBJECT("error")             \
    ROW("seconds", FIGURE(LENGTH_MS)) \
    ROW("size", PATH(SIZE))           \
    ROW("quality", PATH(QUALITY))

static const struct json_path video_paths[] = {VIDEO_PATHS};

#define COUNT_PATHS       \
    ERROR_OBJECT("error") \
    ROW("input_tokens", FIGURE(INPUT))

static const struct json_path count_paths[] = {COUNT_PATHS};

#define OTHER_PATHS                              \
    EVENT                                        \
    ANSWER("")                                   \
    CHAT_USAGE                                   \
    ROW("usage.seconds", FIGURE(DURATION_MS))    \
    INPUT_DETAILS("usage.input_token_details")   \
    OUTPUT_DETAILS("usage.output_token_details") \
    ERROR_OBJECT("error")                        \
    ROW("status", PATH(STATUS))

static const struct json_path other_paths[] = {OTHER_PATHS};

#define NONE_PATHS        \
    ERROR_OBJECT("error") \
    ROW("id", PATH(ID))   \
    ROW("model", PATH(MODEL))

static const struct json_path none_paths[] = {NONE_PATHS};

#define LIST(shape, paths) [USAGE_SHAPE_##shape] = {paths, sizeof(paths) / sizeof((paths)[0])},

#define LISTS                         \
    LIST(NONE, none_paths)            \
    LIST(CHAT, chat_paths)            \
    LIST(COMPLETIONS, chat_paths)     \
    LIST(RESPONSES, response_paths)   \
    LIST(INPUT_TOKENS, count_paths)   \
    LIST(EMBEDDINGS, embedding_paths) \
    LIST(IMAGES, image_paths)         \
    LIST(TRANSCRIPTION, audio_paths)  \
    LIST(SPEECH, audio_paths)         \
    LIST(REALTIME, realtime_paths)    \
    LIST(LIVE, live_paths)            \
    LIST(RUNS, run_paths)             \
    LIST(BATCH, job_paths)            \
    LIST(FINE_TUNE, job_paths)        \
    LIST(VIDEO, video_paths)          \
    LIST(OTHER, other_paths)

static const struct list {
    const struct json_path *paths;
    size_t n;
} lists[USAGE_SHAPE_COUNT] = {LISTS};

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

#define ONE(name, event, kind, ends) {{name, sizeof(name) - 1}, USAGE_EVENT_##event, kind, ends},
#define DELTA_OF(name, kind) ONE(name ".delta", DELTA, USAGE_TEXT_##kind, 0)
#define END_OF(name, ends) ONE(name, END, 0, USAGE_END_##ends)

#define EVENTS                                                                        \
    DELTA_OF("response.output_text", CONTENT)                                         \
    DELTA_OF("response.text", CONTENT)                                                \
    DELTA_OF("response.refusal", REFUSAL)                                             \
    DELTA_OF("response.reasoning_text", REASONING)                                    \
    DELTA_OF("response.reasoning_summary_text", REASONING)                            \
    DELTA_OF("response.function_call_arguments", TOOL)                                \
    DELTA_OF("response.custom_tool_call_input", TOOL)                                 \
    DELTA_OF("response.mcp_call_arguments", TOOL)                                     \
    DELTA_OF("response.code_interpreter_call_code", TOOL)                             \
    DELTA_OF("response.shell_call_command", TOOL)                                     \
    DELTA_OF("response.audio.transcript", TRANSCRIPT)                                 \
    DELTA_OF("response.audio_transcript", TRANSCRIPT)                                 \
    DELTA_OF("response.output_audio_transcript", TRANSCRIPT)                          \
    DELTA_OF("transcript.text", CONTENT)                                              \
    END_OF("response.completed", COMPLETED)                                           \
    END_OF("response.incomplete", INCOMPLETE)                                         \
    END_OF("response.failed", FAILED)                                                 \
    END_OF("transcript.text.done", COMPLETED)                                         \
    END_OF("speech.audio.done", COMPLETED)                                            \
    END_OF("thread.run.completed", COMPLETED)                                         \
    END_OF("thread.run.incomplete", INCOMPLETE)                                       \
    END_OF("thread.run.requires_action", INCOMPLETE)                                  \
    END_OF("thread.run.failed", FAILED)                                               \
    END_OF("thread.run.cancelled", FAILED)                                            \
    END_OF("thread.run.expired", FAILED)                                              \
    END_OF("session.closed", COMPLETED)                                               \
    ONE("image_generation.completed", IMAGE, 0, USAGE_END_COMPLETED)                  \
    ONE("image_edit.completed", IMAGE, 0, USAGE_END_COMPLETED)                        \
    ONE("response.done", RESPONSE_DONE, 0, USAGE_END_COMPLETED)                       \
    ONE("conversation.item.input_audio_transcription.completed", TRANSCRIPTION, 0, 0) \
    ONE("session.usage.updated", SESSION_USAGE, 0, 0)                                 \
    ONE("thread.run.step.completed", STEP, 0, 0)                                      \
    ONE("thread.run.step.failed", STEP, 0, 0)                                         \
    ONE("thread.run.step.cancelled", STEP, 0, 0)                                      \
    ONE("thread.run.step.expired", STEP, 0, 0)                                        \
    ONE("error", ERROR, 0, USAGE_END_ERROR)

static const struct usage_event_info events[] = {EVENTS};

const struct usage_event_info *usage_extract_event(struct str name)
{
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        if (str_eq(events[i].name, name))
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
