/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_USAGE_METER_H
#define OPENAI_USAGE_METER_H

/*
 * usage_meter: watches one exchange's response bytes and says what it consumed.
 *
 * A tap: it is given the same bytes the client gets, in any chunks, and never holds, changes or
 * delays them. No heap; one struct per open exchange, so it is kept small. What upstream reports
 * becomes the disjoint meters of usage.h; beside that a few facts of the answer.
 *
 *     usage_meter_init(&m, USAGE_SHAPE_CHAT, USAGE_WIRE_SSE, on_text, arg);
 *     usage_meter_feed(&m, bytes, n);   as they come, decompressed
 *     usage_meter_end(&m);              also when the stream broke off
 *     usage_meter_get(&m, &usage);
 *
 * Trouble in the bytes is never an error here: malformed JSON, impossible numbers and cut streams
 * set flags, and what could be read is used. Usage repeated in one answer: the last one counts;
 * in a realtime session each response adds.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/json_scan.h"
#include "base/str.h"
#include "openai/sse.h"
#include "openai/usage.h"

/* Columns: name, what answers like this. */
#define USAGE_SHAPE_TABLE(X)                                                \
    X(NONE, "operations without usage: lists, files, moderations")          \
    X(CHAT, "chat.completions")                                             \
    X(COMPLETIONS, "legacy text completions")                               \
    X(RESPONSES, "responses, their retrieval excluded; compact; decisions") \
    X(INPUT_TOKENS, "responses/input_tokens: a count, nothing consumed")    \
    X(EMBEDDINGS, "embeddings")                                             \
    X(IMAGES, "image generation, edit, variation")                          \
    X(TRANSCRIPTION, "audio transcription and translation")                 \
    X(SPEECH, "text to speech")                                             \
    X(REALTIME, "realtime sessions: responses add up")                      \
    X(LIVE, "live sessions: seconds, cumulative")                           \
    X(RUNS, "assistants' runs")                                             \
    X(BATCH, "a batch object")                                              \
    X(FINE_TUNE, "a fine-tuning job")                                       \
    X(VIDEO, "a video job")                                                 \
    X(OTHER, "unknown paths: a usage object of a known form is read if there is one")

enum usage_shape {
#define X(name, what) USAGE_SHAPE_##name,
    USAGE_SHAPE_TABLE(X)
#undef X
        USAGE_SHAPE_COUNT
};

/* How the bytes are framed. */
enum usage_wire {
    USAGE_WIRE_OPAQUE,   /* nothing to read (binary audio, srt text): bytes are ignored */
    USAGE_WIRE_JSON,     /* the body is one JSON document */
    USAGE_WIRE_SSE,      /* server-sent events */
    USAGE_WIRE_MESSAGES, /* JSON messages (WebSocket text); usage_meter_message_end after each */
};

enum usage_text_kind {
    USAGE_TEXT_CONTENT,   /* what the model says */
    USAGE_TEXT_REASONING, /* reasoning text or its summary */
    USAGE_TEXT_TOOL,      /* names and arguments of tool calls */
    USAGE_TEXT_REFUSAL,
    USAGE_TEXT_TRANSCRIPT, /* words of audio output */
    USAGE_TEXT_KIND_COUNT
};

/*
 * Output text, unescaped UTF-8, for counting tokens when usage never arrives. Pieces of one string
 * follow each other; a piece may end inside a UTF-8 sequence. The view is good during the call.
 */
typedef void usage_text_fn(void *arg, enum usage_text_kind kind, struct str text);

/* Ends that were seen; bits. */
enum {
    USAGE_END_DONE = 1,       /* data: [DONE], or the assistants' done event */
    USAGE_END_COMPLETED = 2,  /* the event that completes such an answer; a complete JSON body */
    USAGE_END_INCOMPLETE = 4, /* response.incomplete, thread.run.incomplete, … */
    USAGE_END_FAILED = 8,     /* response.failed, thread.run.failed, cancelled, expired */
    USAGE_END_ERROR = 16,     /* an error object or error event */
};

/* Raw figures of one document; own use. */
#define USAGE_COUNT_MAX 34

/* Quantities that are settled. */
struct usage_sum {
    uint64_t quantity[METER_COUNT];
    uint64_t input_total_tok, output_total_tok, reasoning_tok, accepted_tok, rejected_tok;
};

/* The same of another model's work within the exchange; the meters that can occur there. */
struct usage_side {
    uint64_t input_tok, cached_tok, output_tok, audio_input_tok, audio_ms;
    uint64_t image_input_tok, image_cached_tok, image_output_tok;
};

struct usage_meter {
    /* Facts, to be read by the caller. Terminated; "" when not seen; cut to fit. */
    char model[80];         /* as answered */
    char side_model[40];    /* of usage_meter_side, when upstream names it */
    char id[64];            /* chatcmpl-…, resp_… */
    char fingerprint[24];   /* system_fingerprint */
    char finish_reason[24]; /* the last choice's; of responses the status or the reason of being incomplete */
    char service_tier[USAGE_TEXT_MAX];
    char quality[16], size[16];
    char error_type[32], error_code[48], error_message[96];
    uint32_t documents; /* JSON documents (events) read */
    uint32_t items;     /* images, embeddings, … in the last document's `data` */
    uint8_t ends;       /* USAGE_END_… */
    bool usage_seen;    /* a usage object with figures */
    bool malformed;     /* a document was not JSON; its figures were used if complete */
    bool cut;           /* the last document or event was incomplete */
    bool bad_number;    /* a figure was negative, fractional, huge or no number; it is not used */
    bool inconsistent;  /* a part above its total, or parts that do not add up */
    bool text_seen;     /* output text came */

    /* The request asked for a 12 h cache (set by the caller): for writes reported without a split. */
    bool cache_12h;

    /* Own use from here. */
    uint8_t shape, wire;
    bool committed; /* sum holds something upstream reported */
    bool side_seen;
    bool started;      /* the current document has bytes */
    bool usage_whole;  /* … and a usage object that is complete */
    bool others_whole; /* … and a complete figure outside of it */
    bool untrusted;    /* … and a total that is no number */
    bool error_here;   /* … and an error */
    bool run_step;     /* … and is a run's step */
    bool reason_here;  /* … and says why it is incomplete */
    uint8_t event;     /* … and is this enum usage_event */
    uint8_t event_ends, event_text;
    uint8_t item_type, item_skip;
    uint8_t done_matched; /* bytes of "[DONE]" */
    uint16_t kept_n;      /* bytes of the string being kept */
    uint16_t web_calls, file_calls, code_sessions;
    uint32_t container, item_container;
    uint64_t have; /* bit per figure of `count` */
    uint64_t count[USAGE_COUNT_MAX];
    struct usage_sum sum;
    struct usage_side side;
    usage_text_fn *text;
    void *text_arg;
    struct sse_parse sse;
    struct json_scan scan;
};

/* `text` may be NULL. */
void usage_meter_init(struct usage_meter *m, enum usage_shape shape, enum usage_wire wire, usage_text_fn *text,
                      void *arg);
void usage_meter_feed(struct usage_meter *m, const char *p, size_t n);
/* WebSocket: the message whose parts were fed is whole. */
void usage_meter_message_end(struct usage_meter *m);
/* No more bytes. */
void usage_meter_end(struct usage_meter *m);

/*
 * What was consumed, as far as upstream said. source is REPORTED; MEASURED for images that were
 * counted; NONE for shapes without usage; UNKNOWN when figures should have come and did not: the
 * caller then estimates from the text, or measures the request.
 */
void usage_meter_get(const struct usage_meter *m, struct usage *ret_usage);
/*
 * What ANOTHER model consumed within this exchange, at another price; false when nothing. It is not
 * part of usage_meter_get: price it as side_model and add its cost, or it is lost.
 *  - realtime: transcription of the input audio, by the session's transcription model;
 *  - responses: the image generation tool, by its image model;
 *  - images: svg_usage, by the model named there.
 */
bool usage_meter_side(const struct usage_meter *m, struct usage *ret_usage);

#endif
