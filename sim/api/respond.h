/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_API_RESPOND_H
#define SIM_API_RESPOND_H

/*
 * respond: the Responses API in three steps. respond_decide reads the request and makes the finished
 * response as JSON (respond_read.c, respond_write.c). respond_events tells a finished response as
 * the events it would have come in (respond_events.c); that serves the first stream, a later replay
 * of a stored response, and a WebSocket alike. responses.c has the handlers.
 */

#include "base/json_write.h"
#include "sim/model/compose.h"

/* What a request leads to. */
struct respond {
    struct str id, model, tier, message_id, call_id, tool_item_id, reasoning_id;
    int64_t created;
    bool stream, store, background, encrypted, logprobs, obfuscate, summary;
    unsigned top_logprobs;
    struct compose say;
    bool web_search, file_search, code, image, mcp;
    unsigned partial_images;
    struct str final; /* the finished response, JSON */
};

/* False when the request was answered with an error. `c->bill` says what a finished response consumes. */
bool respond_decide(struct call *c, struct respond *r);
/* Tokens of the input alone: instructions, items, tools, what went before. */
uint64_t respond_count_input(struct call *c, struct str model);
/* False, with an answer, when `input` or a reference is missing. */
bool respond_check(struct call *c);
/* The finished response. */
void respond_write(struct call *c, const struct respond *r, struct json_write *w);
/* The members of an image tool's usage and of searches; nothing when none was used. */
void respond_write_tool_usage(struct call *c, struct json_write *w);

/* A walk over the events of a finished response. */
struct respond_events {
    struct str final; /* JSON; as long as the walk */
    struct jdoc *doc; /* its nodes; made at the first step when empty */
    bool prose;       /* how its text was cut into pieces */
    bool background;
    bool obfuscate, logprobs;
    unsigned top_logprobs;
    unsigned partial_images;
    uint64_t sequence, skip_to; /* events below this number are passed over */
    uint64_t text_tok, reasoning_tok;
    bool live;           /* raises the call's bill as it goes */
    uint64_t fail_after; /* events, then response.failed; UINT64_MAX = never */
    /* Where we are. */
    unsigned phase, item, step;
    struct str text; /* of the item, while its deltas come */
    uint64_t at;
};

void respond_events_begin(struct call *c, struct respond_events *e, const struct respond *r);
/* One event: its JSON is appended, its name is static or in the arena. ANSWER_LAST with the last one. */
enum answer_step respond_events_next(struct call *c, struct respond_events *e, struct buf *json, const char **ret_name);
/* As an answer of server-sent events. */
void respond_events_answer(struct call *c, struct respond_events *e);

/* Keeps the response, and its input items, for GET; and puts both into the conversation, if there is one. */
void respond_keep(struct call *c, const struct respond *r);

#endif
