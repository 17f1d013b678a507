/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_ESTIMATE_H
#define OPENAI_ESTIMATE_H

/*
 * estimate: how many input tokens a request will be billed, worked out from its body.
 *
 * Needed before the answer (limits) and when the answer brings no usage. It is an estimate and must
 * be marked so by whoever stores it: upstream wraps messages, tools and schemas in text of its own,
 * which is known for some models only and may change. For plain text messages it is exact on the
 * models it was published for.
 *
 * Not counted, because it cannot be known here: audio and files, what previous_response_id,
 * conversation or a stored prompt bring along, hosted tools, reasoning kept by upstream.
 *
 * Pure, thread-safe, no heap, time linear in the body.
 */

#include <stdint.h>

#include "base/str.h"
#include "openai/usage_meter.h"

/*
 * `shape` says which operation's body it is: CHAT, COMPLETIONS, RESPONSES and INPUT_TOKENS,
 * EMBEDDINGS, IMAGES (the prompt's text); 0 for others. `model` decides encoding, overheads and the
 * price of images in tokens. A body that is no JSON object gives a token for each four bytes.
 */
uint64_t estimate_prompt_tok(enum usage_shape shape, struct str model, struct str body);

#endif
