/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_LIMITS_LIMITS_H
#define GATEWAY_LIMITS_LIMITS_H

/*
 * limits: counts what keys, members, workspaces, integrations, model APIs and policies use, and says
 * no before it is too much. Reserve, settle, release:
 *
 *     struct limits_hold *hold = NULL;
 *     if (!limits_admit(l, &subject, LIMITS_BEFORE, &estimate, now, &hold, &refusal)) → answer the refusal
 *     if (!limits_admit(l, &subject, LIMITS_TARGET, &estimate, now, &hold, &refusal)) → the same; `hold` is
 *                                                                as it was before the call
 *     … upstream …
 *     limits_settle(l, &hold, &actual)   the attempt ended and may have used something
 *     limits_release(l, &hold)           nothing went upstream: as if it had never been
 *
 * One hold is for one attempt: it is admitted with an upper bound and settled with what was used. For
 * a further attempt of the same request begin anew, with subject.again set, so that no request is
 * counted twice. What an attempt uses belongs to the window its `now` lies in.
 *
 * All rules of one call are asked and reserved at once or not at all. A refusal takes nothing, but
 * request rates count the refused request too. Counters are shared by all workers; each stripe of them
 * has a lock that is held for a few dozen instructions, and only when a rule applies.
 *
 * Counting after a restart: rebuild.h. Times are wall-clock microseconds.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "control/limit/limit.h"
#include "control/snapshot.h"

struct limits;
struct limits_hold;
struct ruleset_rule;

/*
 * One crossing of an alert threshold. Called by the worker that settled, outside of locks: must not wait. A crossing
 * from before a restart is told again at the start (rebuild.h).
 */
struct limits_alert {
    int64_t rule_id;
    const struct limit *limit; /* views are good during the call */
    struct str group_text;     /* policy.h; "" without groups */
    int64_t used, max;
    int64_t window_start_us, window_end_us; /* INT64_MAX: never ends */
};
typedef void limits_alert_fn(void *context, const struct limits_alert *alert);

#define LIMITS_CEILING_PUSD_PER_TOK (60 * INT64_C(1000000)) /* 60 dollars a million */
#define LIMITS_UNPRICED_TOK 1000                            /* that every unpriced attempt counts beside its own */

struct limits_options {
    int64_t ceiling_pusd_per_tok; /* what tokens without a price count in budgets; 0 = LIMITS_CEILING_PUSD_PER_TOK */
    uint32_t counters_max;        /* all together; 0 = 200,000 */
    uint32_t groups_max;          /* of one rule; 0 = 10,000 */
    limits_alert_fn *alert;       /* NULL: only logged and counted */
    void *alert_context;
};

struct limits *limits_new(const struct limits_options *options) __attribute__((returns_nonnull)); /* NULL: defaults */
void limits_free(struct limits *l); /* NULL does nothing; holds that are left are given up */

enum limits_stage {
    LIMITS_BEFORE, /* key, member, workspace, model API, policies that need no target */
    LIMITS_TARGET, /* integration, integration in a workspace, policies about provider or model */
};

struct limits_subject {
    struct snapshot *snapshot;      /* a hold takes a reference of its own */
    const struct snapshot_key *key; /* never NULL */
    int64_t model_api_id;           /* 0 = not called through a model API */
    struct str config, prompt;      /* slugs; "" = none */
    struct str metadata;            /* merged JSON object; "" = none */
    /* TARGET only. */
    const struct snapshot_integration *integration; /* NULL: the caller's own credential */
    struct str provider;                            /* "openai" */
    struct str model;                               /* as upstream gets it */

    bool free;  /* the operation uses nothing (GET of files, batches, models …): only request rates are asked */
    bool again; /* a further attempt of a request that was let in: request rates of BEFORE are not asked */
};

struct limits_estimate {
    uint64_t input_tok;
    uint64_t output_tok; /* the most it can be: what the caller allowed, else what the model can */
    bool output_given;   /* the caller allowed it */
    int64_t cost_pusd;   /* upper bound for the whole attempt */
    int64_t
        cost_input_pusd; /* its part that is certain (input): what soft rules reserve when the caller set no bound */
    bool unpriced;       /* there is no price: both amounts are worked out from the tokens by the ceiling */
};

struct limits_actual {
    int64_t cost_pusd;
    bool unpriced; /* used something that has no price: counts tokens + LIMITS_UNPRICED_TOK at the ceiling */
    uint64_t input_tok, output_tok; /* as in the record's row; 0 for answers from the cache */
};

/* Whose contract the answer follows. */
enum limits_family {
    LIMITS_FAMILY_KEY,    /* portkey.md §8 family A: "Portkey Error: <message>. Error Code: <code>" */
    LIMITS_FAMILY_TARGET, /* family B: an ordinary status of the target, fallback sees it */
    LIMITS_FAMILY_BLAXEL, /* the gateway envelope, code POLICY_VIOLATION, x-should-retry: false */
};

#define LIMITS_MESSAGE_MAX 200
#define LIMITS_SENTENCE_MAX 640
struct limits_refusal {
    const struct ruleset_rule *rule; /* lives with subject.snapshot */
    enum limits_family family;
    uint16_t status;                    /* 412, 429; 503 when out of counters */
    const char *type, *code;            /* Portkey: "virtual_key_exhaust_error"; "04", "05", "06" or "" */
    char message[LIMITS_MESSAGE_MAX];   /* Portkey: as in its contract */
    char sentence[LIMITS_SENTENCE_MAX]; /* for everybody else: what is used up, when it comes back, what to do */
    /* For callers who speak plain OpenAI: always 429 (503), with these. */
    const char *openai_type,
        *openai_code;       /* "insufficient_quota" "budget_exceeded"; "rate_limit_error" "rate_limit_exceeded" */
    bool may_retry;         /* soon, by itself: false → x-should-retry: false */
    uint64_t retry_after_s; /* to the window's end, rounded up, ≥ 1; for windows that never end: one day */
};

/*
 * True: let in; what was reserved is added to *hold (NULL when no rule applies, and stays so). False:
 * *ret_refusal says why and *hold is as before.
 */
bool limits_admit(struct limits *l, const struct limits_subject *subject, enum limits_stage stage,
                  const struct limits_estimate *estimate, int64_t now_us, struct limits_hold **hold,
                  struct limits_refusal *ret_refusal) __attribute__((warn_unused_result));
/* Both end the hold and set it to NULL; NULL does nothing. From any thread. */
void limits_settle(struct limits *l, struct limits_hold **hold, const struct limits_actual *actual);
void limits_release(struct limits *l, struct limits_hold **hold);

/* The upper bound of the attempt's cost, for the journal's open entry: what it counts if we are killed. NULL: 0. */
int64_t limits_held_pusd(const struct limits_hold *hold);

/* ---- looking ---- */

struct limits_state {
    const struct ruleset_rule *rule;
    struct str group_text;                  /* "" without groups */
    int64_t used, input_used, output_used;  /* pico-dollars, tokens or requests; the latter two of tokens only */
    int64_t reserved;                       /* by attempts under way */
    int64_t window_start_us, window_end_us; /* end INT64_MAX: never */
    bool exhausted;                         /* used up, whatever attempts under way give back */
    bool alerted;
};
typedef bool limits_state_fn(void *context, const struct limits_state *state); /* false: enough */
/*
 * How it stands with the rules on one thing (as ruleset_find), at `now_us`; rules that group: one call
 * for each group that was seen in this window. A rule without groups is always reported.
 */
void limits_states(struct limits *l, const struct snapshot *s, enum limit_attach attach, int64_t id,
                   int64_t workspace_id, int64_t now_us, limits_state_fn *each, void *context);
/* The same for one rule. */
void limits_states_of(struct limits *l, const struct ruleset_rule *rule, int64_t now_us, limits_state_fn *each,
                      void *context);
/* Whether a budget on it is used up: status `exhausted`. */
bool limits_exhausted(struct limits *l, const struct snapshot *s, enum limit_attach attach, int64_t id,
                      int64_t workspace_id, int64_t now_us);

/*
 * A new snapshot is in force: what was counted for rules that are gone may be forgotten. From any thread,
 * after changes; costs nothing until there is much to forget.
 */
void limits_set_snapshot(struct limits *l, const struct snapshot *s);

struct limits_counts {
    uint64_t admitted; /* calls that found a rule */
    uint64_t refused_budget, refused_rate, refused_cap, refused_counters;
    uint64_t alerts;
    uint64_t unpriced;        /* attempts that were counted by the ceiling */
    uint64_t beyond;          /* attempts that used more than a hard rule had reserved for them */
    uint64_t counters, holds; /* now */
};
void limits_count(const struct limits *l, struct limits_counts *ret);

#endif
