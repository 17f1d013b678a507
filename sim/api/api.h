/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_API_API_H
#define SIM_API_API_H

/*
 * api: the handlers of inference: what costs tokens, seconds or images. Each is called with the
 * request complete and answers by sim/answer.h; none blocks.
 */

#include "sim/http/paths.h"
#include "sim/model/compose.h"

call_fn api_chat_create, api_completions_create, api_embeddings_create, api_moderations_create, api_edits_create;
call_fn api_responses_create, api_responses_retrieve, api_responses_delete, api_responses_cancel, api_responses_items,
    api_responses_count, api_responses_compact, api_decisions_create;
call_fn api_images_generate, api_images_edit, api_images_vary;
call_fn api_speech_create, api_transcriptions_create, api_translations_create;
call_fn api_realtime_open, api_realtime_call, api_realtime_secret, api_responses_open, api_live_open,
    api_live_recording;

/* Common pieces. */

/* Service tier as answered: auto → default, fast → priority; static, or the cue's. */
struct str api_tier(struct call *c);
/* The `model` of the body or form, checked; answers with an error and returns false when it is missing. */
bool api_model(struct call *c, struct str *ret_asked);
/* The model that answers, in the arena. */
struct str api_answering_model(struct call *c, struct str asked);
/* Checks a number of the body, bounds in thousandths; answers with an error when it is outside. */
bool api_check_range(struct call *c, const char *name, int64_t milli_min, int64_t milli_max);
bool api_check_tier(struct call *c);

/* Audio output: tokens for each token of the transcript, and bytes of 16-bit samples for each of those. */
#define API_AUDIO_PER_TOKEN 7
#define API_AUDIO_BYTES 96
/* Appends `tokens` worth of audio as base64; deterministic noise. */
bool api_audio_base64(struct buf *out, uint64_t seed, uint64_t tokens);

#endif
