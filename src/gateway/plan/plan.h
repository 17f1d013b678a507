/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_PLAN_PLAN_H
#define GATEWAY_PLAN_PLAN_H

/*
 * plan: the attempts that a request may make, decided before the first byte goes upstream.
 *
 * A config's tree becomes a flat list of steps. Load balancing and conditions are decided here;
 * what is left open is how far fallback goes, which the status of each step decides by the step's
 * own list of jumps. So running a plan needs no tree and no recursion, and a plan can be printed.
 *
 *     step = 0
 *     for (;;) { status = try(step); next = plan_after(p, step, status, exception); if (next < 0) break; step = next; }
 *
 * Everything lives in the arena given to plan_make. Retries are inside a step.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "control/config/config.h"

struct breakers;
struct sticky_table;

struct plan_jump {
    bool any_status; /* everything outside 200 … 299 */
    struct config_codes codes;
    uint16_t step; /* where it goes on */
};

struct plan_step {
    const struct config_node *node;
    /* Not NULL: the step is no target but this answer, status 400, which ends the request (§3.3's four messages). */
    const char *refusal;
    const struct plan_jump *jumps; /* innermost fallback first */
    uint8_t jump_count;
    /* Where outcomes are counted: NULL, or the node whose circuit breaker is in force for this target. */
    const struct config_node *breaker;
};

struct plan {
    const struct config *config;
    const struct plan_step *steps;
    uint16_t step_count; /* ≥ 1 */
    const char *mode;    /* text of the root's strategy, "single" without one */
    /* Why it came out like this, one line each, for `tollgate plan`; only when asked for. */
    struct str explanation;
};

/* A header's value by its name in lower case; p == NULL when absent. */
typedef struct str plan_header_fn(void *ctx, struct str name);

struct plan_input {
    const struct config *config;
    struct str path;     /* url.pathname: "/v1/chat/completions" */
    struct str metadata; /* merged JSON object, or "" */
    struct str body;     /* JSON, or "" when it is none or was not kept */
    plan_header_fn *header;
    void *header_ctx;
    int64_t key_id;  /* sticky choices are per key */
    uint64_t random; /* 64 random bits: the same bits give the same plan */
    uint64_t now_us; /* monotonic */
    int64_t wall_us;
    struct breakers *breakers;   /* NULL: none is open */
    struct sticky_table *sticky; /* NULL: no choice is kept */
    bool explain;
};

/* False only when the arena is full. */
bool plan_make(const struct plan_input *in, struct arena *a, struct plan *ret) __attribute__((warn_unused_result));
/*
 * The load balancer's draw, 0 ≤ r < 1: the finalizer of splitmix64 over random + (id + 1) ×
 * 0x9e3779b97f4a7c15, its upper 53 bits. r times the sum of the weights of the targets that may be
 * used, walked through in their order, gives the target. So balancers within balancers draw
 * independently of each other from the same bits.
 */
double plan_draw(uint64_t random, uint32_t node_id);
/*
 * The step behind `step`, which ended with `status` after its retries; -1: that answer is the
 * request's. `exception`: the answer was x-portkey-gateway-exception, which ends every fallback.
 */
int plan_after(const struct plan *p, unsigned step, int status, bool exception);

/*
 * State that outlives a request, shared by all workers: a lock held for a few dozen instructions,
 * taken only for configs that use it. Bounded; what was not used for longest goes first.
 */
struct breakers *breakers_new(void);
void breakers_free(struct breakers *b);
/* Counts how a step ended. Stored configs only; others are ignored. */
void breakers_note(struct breakers *b, const struct config *c, const struct plan_step *step, int status,
                   uint64_t now_us);
bool breakers_open(struct breakers *b, const struct config *c, const struct config_node *node, uint64_t now_us);

struct sticky_table *sticky_new(void);
void sticky_free(struct sticky_table *t);

/*
 * The query of one condition. ERR_BAD_PARAMETER with the offending operator in `ret_operator`
 * ("$foo") for one that is unknown.
 */
struct condition_input {
    struct str metadata, body, path;
};
enum err condition_eval(struct str query, const struct condition_input *in, bool *ret_true,
                        struct str *ret_operator) ERR_USE;

#endif
