/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_REQUEST_FACTS_H
#define OPENAI_REQUEST_FACTS_H

/*
 * request_facts: what the gateway must know of a request body, read as it passes by.
 *
 * One table of fields serves all operations; a field that an operation does not have is just
 * absent. Fed in chunks; nothing is kept but the facts. Values keep their place in the body so
 * that request_edit can replace them. A field that appears twice is named in `duplicates`: the
 * reader upstream might use the other one, so the gateway refuses such a body.
 *
 * Forms (multipart) have no JSON body: give each text part to request_facts_form_field.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/json_scan.h"
#include "base/str.h"

enum {
    REQUEST_MODEL_MAX = 128,
    REQUEST_WORD_MAX = 32,
    REQUEST_NAME_MAX = 96,
};

/* Columns: name, path in the body. The first ones decide routing, limits or price. */
#define REQUEST_FIELD_TABLE(X)                        \
    X(MODEL, "model")                                 \
    X(STREAM, "stream")                               \
    X(STREAM_OPTIONS, "stream_options")               \
    X(INCLUDE_USAGE, "stream_options.include_usage")  \
    X(N, "n")                                         \
    X(BEST_OF, "best_of")                             \
    X(MAX_TOKENS, "max_tokens")                       \
    X(MAX_COMPLETION_TOKENS, "max_completion_tokens") \
    X(MAX_OUTPUT_TOKENS, "max_output_tokens")         \
    X(SERVICE_TIER, "service_tier")                   \
    X(USER, "user")                                   \
    X(SAFETY_IDENTIFIER, "safety_identifier")         \
    X(PROMPT_CACHE_KEY, "prompt_cache_key")           \
    X(CACHE_TTL, "prompt_cache_options.ttl")          \
    X(BACKGROUND, "background")                       \
    X(STORE, "store")                                 \
    X(QUALITY, "quality")                             \
    X(SIZE, "size")                                   \
    X(SECONDS, "seconds")                             \
    X(RESPONSE_FORMAT, "response_format")             \
    X(STREAM_FORMAT, "stream_format")                 \
    X(INPUT, "input")                                 \
    X(MODALITY, "modalities[]")                       \
    X(METADATA, "metadata")                           \
    X(DIMENSIONS, "dimensions")                       \
    X(ENCODING_FORMAT, "encoding_format")             \
    X(PREVIOUS_RESPONSE, "previous_response_id")      \
    X(TOOLS, "tools")                                 \
    X(REASONING_EFFORT, "reasoning_effort")

enum request_field {
#define X(name, path) REQUEST_FIELD_##name,
    REQUEST_FIELD_TABLE(X)
#undef X
        REQUEST_FIELD_COUNT
};
/* "model", "stream_options.include_usage", … */
const char *request_field_path(enum request_field f);

/* Where a value stands in the body. Absent when end == 0. */
struct request_place {
    uint64_t key_start, start, end;
    uint8_t kind; /* enum json_kind; JSON_OBJECT and JSON_ARRAY for containers */
};

struct request_facts {
    struct json_scan scan; /* own use */
    uint16_t text_n;       /* own use: bytes of the string being read */
    uint64_t size;         /* bytes fed */
    enum json_status status;

    uint32_t present;    /* bit per field */
    uint32_t duplicates; /* bit per field that came more than once */
    uint32_t invalid;    /* bit per field whose value has the wrong type, or is too big to act on */

    bool is_object;    /* the body is an object */
    bool object_empty; /* … without members */
    uint64_t brace;    /* offset of its opening brace */

    bool stream;        /* true only for a literal true */
    bool include_usage; /* stream_options.include_usage is a literal true */
    bool background, store, store_given;
    bool audio_wanted;  /* modalities has "audio" */
    bool cache_12h;     /* prompt_cache_options.ttl is "12h" */
    bool options_empty; /* stream_options is {} */

    uint64_t n, best_of; /* 0 = not given */
    uint64_t max_tokens; /* the largest given of the three limits; 0 = not given */
    uint64_t dimensions;
    uint64_t seconds_ms;
    uint64_t input_chars; /* Unicode code points of `input` when it is a string */

    struct request_place model_at, stream_options_at, include_usage_at, metadata_at, service_tier_at;

    /* Terminated, unescaped; cut values set the field's `invalid` bit. */
    char model[REQUEST_MODEL_MAX];
    char user[REQUEST_NAME_MAX];
    char safety_identifier[REQUEST_NAME_MAX];
    char prompt_cache_key[REQUEST_NAME_MAX];
    char service_tier[REQUEST_WORD_MAX];
    char quality[REQUEST_WORD_MAX];
    char size_text[REQUEST_WORD_MAX];
    char response_format[REQUEST_WORD_MAX]; /* the string, or the object's `type` */
    char stream_format[REQUEST_WORD_MAX];
    char reasoning_effort[REQUEST_WORD_MAX];
    char encoding_format[REQUEST_WORD_MAX];
};

void request_facts_init(struct request_facts *f);
enum json_status request_facts_feed(struct request_facts *f, const char *p, size_t n);
/* After the last byte. */
enum json_status request_facts_end(struct request_facts *f);
/* A text part of a form; takes the place of feed and end. Unknown names are ignored. */
void request_facts_form_field(struct request_facts *f, struct str name, struct str value);

static inline bool request_facts_has(const struct request_facts *f, enum request_field field)
{
    return (f->present >> field & 1) != 0;
}

#endif
