/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_API_CHAT_H
#define SIM_API_CHAT_H

/*
 * chat: one chat completion as decided, shared by its files: reading the request (chat.c), counting
 * the prompt (chat_count.c), writing it whole (chat_write.c) and as events (chat_stream.c).
 */

#include "base/json_write.h"
#include "sim/model/compose.h"

#define CHAT_CHOICES_MAX 128

enum chat_phase { CHAT_ROLE, CHAT_PIECES, CHAT_FINISH, CHAT_ANNOTATE, CHAT_OVER };

struct chat_choice {
    struct compose say;
    struct str call_id, audio_id;
    const char *finish; /* "stop", "length", "tool_calls", "content_filter", "function_call" */
    enum chat_phase phase;
    uint64_t at; /* of the text */
};

struct chat {
    struct str id, model, tier, fingerprint;
    int64_t created;
    unsigned n;
    struct chat_choice *choice;
    bool stream, include_usage, obfuscate, logprobs, audio, old_functions;
    unsigned top_logprobs;
    struct str metadata; /* raw JSON, "{}" when none */
    bool store;
    bool azure, filter_async;
    /* Of a stream. */
    unsigned turn; /* whose piece is next */
    unsigned tail; /* events behind the choices */
    bool opened;   /* Azure: the first chunk went out */
    struct str prefix;
    struct rng_seeded padding;
};

/* False when the request was answered with an error. */
bool chat_count_prompt(struct call *c, const struct chat *chat);

/* The whole object. `stored`: with what only a stored completion shows. */
void chat_write(struct call *c, const struct chat *chat, struct json_write *w, bool stored);
void chat_write_logprobs(struct json_write *w, const struct compose *say, struct str text, unsigned top);
/* Azure's filter results; `prompt`: the member of the whole answer. */
void chat_write_filter(struct call *c, struct json_write *w, bool filtered);
void chat_write_prompt_filter(struct call *c, struct json_write *w);

/* Answers with events. */
void chat_stream(struct call *c, struct chat *chat);

#endif
