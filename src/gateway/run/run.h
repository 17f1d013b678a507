/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_RUN_RUN_H
#define GATEWAY_RUN_RUN_H

/*
 * run: the course of a routed request.
 *
 * A request is routed when its headers, its key or its workspace ask for anything but one attempt
 * at the default integration. Its config is planned once (plan/plan.h); then steps are tried:
 *
 *     run.c    what is asked for: options, config, the plan
 *     step.c   one step: target, guardrails, body, cache, call      ◀─┐
 *     after.c  what came of it: retry, fall back, check, or the end ──┘
 *
 * Every try that ends is one record. The client gets nothing before it is settled that this answer
 * is the one: answers that may be discarded are held (relay.h). From the first byte on there is no
 * second try.
 *
 * A run belongs to its request and its worker. At most one thing is waited for at a time.
 */

#include "gateway/cache/semantic.h"
#include "gateway/hooks/hooks.h"
#include "gateway/plan/plan.h"
#include "gateway/request.h"
#include "gateway/stages.h"
#include "gateway/target/azure_token.h"
#include "gateway/target/target.h"
#include "openai/request_facts.h"

struct batch_output;
struct embed_call;

#define RUN_BODY_MAX (16u << 20) /* more cannot be sent twice, checked or changed */
#define RUN_RETRY_AFTER_MAX_MS 60000
#define RUN_TOKENS_MAX 4 /* awaited for one step: what comes may be gone before its turn, but not for ever */

struct run {
    struct request *r;
    struct arena *arena;         /* the request's as long as it is routed */
    struct arena *request_arena; /* what it had before */
    struct options options;
    const struct config *config; /* a reference; NULL: none */
    struct plan plan;
    const struct config_node *node;         /* of this step; NULL without a config */
    const struct config_settings *settings; /* never NULL */
    struct config_settings header_settings; /* without a config: what headers ask for */
    unsigned step;
    bool planned;
    bool streamed; /* the body passes as it comes: there is one try */
    enum http1_framing stream_framing;
    uint64_t stream_length;

    /* What the client sent. */
    struct http1_field *fields; /* copies, but for those that never pass */
    unsigned field_count;
    struct str pass_lines; /* instead of `fields` for a request that was routed by its model alone */
    struct str metadata_header;
    struct str model;              /* as in the body or the query */
    struct request_facts *facts;   /* of the whole JSON body; NULL: none */
    struct request_facts *changed; /* of what a target gets instead; NULL: the same */

    /* The step. */
    struct target target;
    bool has_target;
    struct str base; /* the body before edits: the client's, or as a guardrail changed it */
    struct azure_token_wait token_wait;
    bool token_waits;
    unsigned tokens_awaited; /* in this step */
    struct hooks_run *hooks_run;
    struct str before, after;              /* results of guardrails: JSON arrays; "" = none applied */
    enum record_hooks hooks, hooks_before; /* of both, and of the request's alone */
    bool hooks_looked;                     /* some guardrail applied */

    /* The cache. */
    enum record_cache cache;
    bool cache_wanted; /* a good answer is to be kept */
    unsigned char cache_key[CACHE_KEY_BYTES];
    struct cache_fetch *cache_fetch;
    const struct cache_entry *hit; /* a reference */
    struct str hit_type;           /* media type of the answer made from it */
    struct buf tee;                /* of a stream that is to be kept: as it came */
    struct buf untouched;          /* of a held answer that a guardrail added to: as it came */
    struct embed_call *embed;
    struct batch_output *batch; /* looking for the file of a batch */

    /* The try. */
    unsigned retry;
    bool used_up;           /* all tries are used and the answer would be worth another */
    bool waited_as_told;    /* a Retry-After was followed: further waits are 0 */
    int64_t retry_after_ms; /* of the last answer; -1 = none */
    uint64_t allowance_ms;  /* what may still be waited at upstream's wish */
    struct loop_timer wait, timeout;
    bool timed_out;

    /* Of tries that are over. */
    struct cost cost_before;
    uint64_t overhead_before_us;
};

/* The stage: reads what the head asks for. */
enum next run_options(struct request *r);
/* A plain request turns out to name an integration in its model: "@slug/model". */
void run_promote(struct request *r);
/* Takes a copy of the facts of a whole JSON body. */
void run_take_facts(struct request *r, const struct request_facts *facts);
/* Plans and begins the first step. */
void run_start(struct request *r);
/*
 * The same for a body that passes as it comes. When it is to go on later, the client is paused and
 * intake_go_on is called.
 */
void run_start_streamed(struct request *r, enum http1_framing framing, uint64_t length);
/* Stops whatever is waited for. */
void run_cancel(struct request *r);
void run_free(struct request *r);
void run_spares_free(struct worker *w);

/* Whether an answer of that status must be held to its end, since it may not be the client's as it is. */
bool run_holds(const struct request *r, int status);
/* Whether one that is too large to be held may go to the client as it is: no guardrail has to see it. */
bool run_lets_go(const struct request *r);
/* Whether another try is possible at all as long as nothing was sent. */
bool run_may_repeat(const struct request *r);
/* Whether upstream must answer without a content coding. */
bool run_reads_answer(const struct request *r);
/* x-portkey-* lines of an answer. */
void run_add_lines(const struct request *r, struct buf *out);
/* What goes before the first event of a stream; "" mostly. */
struct str run_prelude(struct request *r);
/* The routing part of a record. */
void run_fill(const struct request *r, struct record *rec);
/* Adds what earlier tries cost. */
void run_add_cost(const struct request *r, struct cost *cost, uint64_t *overhead_us);
/* The record of the answer that the client gets was made: the answer may be kept. */
void run_recorded(struct request *r, const struct record *rec, const struct cost *cost);
/* Bytes of a stream from upstream. */
void run_tee(struct request *r, struct str bytes);

#endif
