/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_USAGE_H
#define OPENAI_USAGE_H

/*
 * usage: what an exchange consumed, as disjoint billable quantities.
 *
 * OpenAI reports totals that contain their parts (cached tokens inside input tokens, reasoning
 * inside output). Here each unit is counted in exactly one meter, so that a cost is the plain sum
 * of quantity × price. What the vendor reported as totals is kept beside it for display.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* Columns: name, text used in JSON, CLI and SQL, unit, what it counts. Append only: the journal stores indices. */
#define METER_TABLE(X)                                                                         \
    X(INPUT, "input", "tokens", "text input, neither cached nor written to the cache")         \
    X(CACHED, "cached_input", "tokens", "text input read from the prompt cache")               \
    X(CACHE_WRITE, "cache_write", "tokens", "input written to the cache for 30 minutes")       \
    X(CACHE_WRITE_12H, "cache_write_12h", "tokens", "input written to the cache for 12 hours") \
    X(OUTPUT, "output", "tokens", "text output, reasoning included")                           \
    X(AUDIO_INPUT, "audio_input", "tokens", "audio input, not cached")                         \
    X(AUDIO_CACHED, "audio_cached_input", "tokens", "audio input read from the cache")         \
    X(AUDIO_OUTPUT, "audio_output", "tokens", "audio output")                                  \
    X(IMAGE_INPUT, "image_input", "tokens", "image input, not cached")                         \
    X(IMAGE_CACHED, "image_cached_input", "tokens", "image input read from the cache")         \
    X(IMAGE_OUTPUT, "image_output", "tokens", "image output")                                  \
    X(AUDIO_MS, "audio_ms", "milliseconds", "audio or session time billed by duration")        \
    X(VIDEO_MS, "video_ms", "milliseconds", "video billed by duration")                        \
    X(CHARACTERS, "characters", "characters", "input text billed by character")                \
    X(IMAGES, "images", "images", "images billed each")                                        \
    X(WEB_SEARCH, "web_search", "calls", "web search tool calls")                              \
    X(FILE_SEARCH, "file_search", "calls", "file search tool calls")                           \
    X(CODE_SESSION, "code_session", "sessions", "code interpreter container sessions")         \
    X(TRAINED, "trained", "tokens", "fine-tuning tokens")

enum meter {
#define X(name, text, unit, what) METER_##name,
    METER_TABLE(X)
#undef X
        METER_COUNT
};

enum usage_source {
    USAGE_NONE,      /* the operation has no usage (a file list, say) */
    USAGE_REPORTED,  /* upstream's own figures */
    USAGE_MEASURED,  /* counted exactly by us from the request (characters, images, seconds) */
    USAGE_ESTIMATED, /* counted by our tokenizer because upstream's figures did not arrive */
    USAGE_UNKNOWN,   /* there was usage, and no way to count it */
    USAGE_SOURCE_COUNT
};

#define USAGE_TEXT_MAX 24

struct usage {
    enum usage_source source;
    uint64_t quantity[METER_COUNT];
    /* As upstream reported, for display; parts of the meters above, never billed twice. */
    uint64_t input_total_tok;
    uint64_t output_total_tok;
    uint64_t reasoning_tok;
    uint64_t prediction_accepted_tok;
    uint64_t prediction_rejected_tok;
    /* True when upstream's figures contradicted themselves (a part above its total). */
    bool inconsistent;
    char service_tier[USAGE_TEXT_MAX]; /* the tier upstream says it used; "" when it said none */
    char quality[USAGE_TEXT_MAX];      /* images: quality and size as answered or asked */
    char size[USAGE_TEXT_MAX];
};

struct meter_info {
    const char *text, *unit, *what;
};
const struct meter_info *meter_info(enum meter m);
/* "reported", "estimated", … */
const char *usage_source_text(enum usage_source s);

#endif
