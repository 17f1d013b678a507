/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_MODEL_COMPOSE_H
#define SIM_MODEL_COMPOSE_H

/*
 * compose: decides what the model says to a request: prose, JSON for a schema, or a tool call; how
 * many tokens that is, and how many it thought about it before. All of it follows from the call's
 * seed, the request and the cue.
 */

#include <stdbool.h>
#include <stdint.h>

#include "openai/tokenizer.h"
#include "sim/http/call.h"

enum compose_kind { COMPOSE_TEXT, COMPOSE_TOOL, COMPOSE_CUSTOM_TOOL };

struct compose_ask {
    struct str model;        /* as answered */
    uint64_t tokens_max;     /* 0: no limit given */
    struct str effort;       /* reasoning effort; "" = the model's default */
    bool json;               /* any JSON object */
    struct jval schema;      /* JSON for this schema; absent: none */
    struct str tool;         /* "" = no tool is called */
    struct jval tool_schema; /* of its arguments */
    bool tool_is_custom;     /* takes free text */
};

struct compose {
    enum compose_kind kind;
    bool prose;      /* pieces are tokens, and need no escapes */
    struct str text; /* what is said, or the tool's arguments; in the arena */
    struct str tool;
    uint64_t text_tok, reasoning_tok;
    bool cut; /* the token limit was reached */
};

void compose_make(struct call *c, const struct compose_ask *ask, unsigned index, struct compose *ret);

/*
 * Which tool the model calls: the first of `tools`, or the one `choice` names; none after a tool has
 * answered, or when the choice is "none". `nested`: definitions stand in a member "function"
 * (chat) or at the top (responses). Fills in the three tool members of `ask`.
 */
void compose_choose_tool(struct call *c, struct jval tools, struct jval choice, bool nested, bool answered,
                         struct compose_ask *ask);

/*
 * A piece of `text` from `*at` on, which moves behind it; raises the bill's output in step, so that
 * all pieces together have raised it by text_tok.
 */
struct str compose_piece(struct call *c, const struct compose *say, uint64_t *at);
enum tokenizer_encoding compose_encoding(struct str model);

#endif
