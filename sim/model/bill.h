/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_MODEL_BILL_H
#define SIM_MODEL_BILL_H

/*
 * bill: what a call consumes, in the terms of OpenAI's usage objects (totals that contain their
 * parts), and the many forms in which it is reported.
 *
 * A stream raises the figures as its events go out, so that whenever it ends the bill says what was
 * served. bill_settle turns it into the disjoint meters of the record.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/json_write.h"
#include "sim/http/call.h"

/* Columns: field, what it counts. */
#define BILL_TABLE(X)                                                       \
    X(input, "all input tokens")                                            \
    X(cached, "of them read from the cache, audio and images included")     \
    X(write_30m, "of them written to the cache for 30 minutes")             \
    X(write_12h, "of them written to the cache for 12 hours")               \
    X(audio_in, "of them audio")                                            \
    X(audio_cached, "of the cached ones audio")                             \
    X(image_in, "of them images")                                           \
    X(image_cached, "of the cached ones images")                            \
    X(output, "all output tokens")                                          \
    X(reasoning, "of them reasoning")                                       \
    X(audio_out, "of them audio")                                           \
    X(image_out, "of them images")                                          \
    X(accepted, "of them predicted by the caller, and right")               \
    X(rejected, "of them predicted by the caller, and wrong")               \
    X(tool_image_in, "image tool: input tokens, beside the totals above")   \
    X(tool_image_out, "image tool: output tokens, beside the totals above") \
    X(audio_ms, "audio billed by time")                                     \
    X(video_ms, "video")                                                    \
    X(characters, "text billed by character")                               \
    X(images, "images billed each")                                         \
    X(web_search, "web searches")                                           \
    X(file_search, "file searches")                                         \
    X(code_session, "container sessions")                                   \
    X(trained, "fine-tuning tokens")

struct bill {
#define X(field, what) uint64_t field;
    BILL_TABLE(X)
#undef X
    struct str forced; /* the usage object asked for by the cue; "" = none */
    bool cache_writes; /* the model reports them */
};

/* A bill for the call in its arena, c->bill. */
struct bill *bill_new(struct call *c, enum call_work work);
/* The request is refused after all: nothing is consumed. */
void bill_drop(struct call *c);
/* What the cue says about usage: cached and reasoning tokens, or a whole object. After the figures are set. */
void bill_cue(struct call *c);
/* For models that report it: what is not cached of a prompt of at least `min` tokens is written, by the asked ttl. */
void bill_cache_writes(struct call *c, struct str model, uint64_t min);
/* From c->bill to c->used. */
void bill_settle(struct call *c);
/* The model's name and tier as answered. */
void bill_name(struct call *c, struct str model, struct str tier);

/* Usage objects. Each writes the value only, and notes that it was reported. */
void bill_write_chat(struct call *c, struct json_write *w);
void bill_write_responses(struct call *c, struct json_write *w);
void bill_write_embeddings(struct call *c, struct json_write *w);
void bill_write_images(struct call *c, struct json_write *w);
void bill_write_transcription(struct call *c, struct json_write *w, bool by_time);
void bill_write_speech(struct call *c, struct json_write *w);
void bill_write_run(struct call *c, struct json_write *w);
void bill_write_realtime(struct call *c, struct json_write *w);
/* True when the answer is to carry a usage object. */
bool bill_wanted(struct call *c);

#endif
