/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_LIMIT_LIMIT_H
#define CONTROL_LIMIT_LIMIT_H

/*
 * limit: what one rule says: what it counts, in which windows, how much, and for whom.
 *
 * A struct limit is what is stored, changed and shown (rule.h), and, with `condition` and `group`
 * compiled, what the data path reads out of the snapshot (ruleset.h). The counting itself is the
 * gateway's (gateway/limits/limits.h).
 *
 * Amounts: pico-dollars for COST, tokens, or requests; 0 means "not limited". Times are wall-clock
 * microseconds. Views live as long as whatever the limit came from.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "control/limit/policy.h"
#include "control/limit/window.h"

/* What a rule hangs on. Columns: name, text, what attach_id is. Append only. */
#define LIMIT_ATTACH_TABLE(X)                                                              \
    X(KEY, "key", "a key")                                                                 \
    X(MEMBER, "member", "a member: all keys that are theirs")                              \
    X(WORKSPACE, "workspace", "a workspace")                                               \
    X(INTEGRATION, "integration", "an integration, whoever uses it")                       \
    X(ACCESS, "access", "an integration, as far as the workspace in workspace_id uses it") \
    X(MODEL, "model", "a model API")                                                       \
    X(POLICY, "policy", "the workspace in workspace_id, or 0: all; conditions and groups apply")

enum limit_attach {
#define X(name, text, what) LIMIT_##name,
    LIMIT_ATTACH_TABLE(X)
#undef X
        LIMIT_ATTACH_COUNT
};
const char *limit_attach_text(enum limit_attach a);
bool limit_attach_parse(struct str text, enum limit_attach *ret_attach);

/* Which contract a rule follows: what a refusal looks like and what may be in it. */
enum limit_kind {
    LIMIT_BUDGET, /* "budget": Portkey's usage_limits; 412 */
    LIMIT_RATE,   /* "rate": Portkey's rate_limits; 429 */
    LIMIT_CAP,    /* "cap": Blaxel's maxToken; 429 */
    LIMIT_KIND_COUNT
};
const char *limit_kind_text(enum limit_kind k);
bool limit_kind_parse(struct str text, enum limit_kind *ret_kind);

enum limit_measure {
    LIMIT_COST,     /* "cost" */
    LIMIT_TOKENS,   /* "tokens": input and output together; caps also each */
    LIMIT_REQUESTS, /* "requests": rates only; refused ones count too */
    LIMIT_MEASURE_COUNT
};
const char *limit_measure_text(enum limit_measure m);
bool limit_measure_parse(struct str text, enum limit_measure *ret_measure);

/*
 * HARD ("hard"): a request is let in when its upper bound still fits, which is then reserved, so the
 * limit is never passed. SOFT ("soft"): it is let in as long as the limit is not reached; the one that
 * crosses it completes.
 */
enum limit_mode { LIMIT_SOFT, LIMIT_HARD };
const char *limit_mode_text(enum limit_mode m);
bool limit_mode_parse(struct str text, enum limit_mode *ret_mode);

#define LIMIT_NAME_MAX 100
#define LIMIT_ATTACHED_MAX 16 /* rules on one key, member, workspace, … */
#define LIMIT_POLICIES_MAX 64 /* of one workspace, and of the organization */
#define LIMIT_AMOUNT_MAX (INT64_MAX / 4)

struct limit {
    int64_t id; /* 0: not stored yet */
    enum limit_attach attach;
    int64_t attach_id;    /* POLICY: 0 */
    int64_t workspace_id; /* where it belongs; 0: the organization */
    struct str source;    /* who keeps it: "" = by itself, "policy:cap-1m" … (rule_replace) */
    struct str name;      /* POLICY: shown; else "" */
    enum limit_kind kind;
    enum limit_measure measure;
    enum limit_mode mode;
    struct window window;
    int64_t max;                   /* of cost, requests, or tokens together */
    int64_t input_max, output_max; /* CAP only */
    int64_t alert_at;              /* 0 = no alert */
    struct str conditions;         /* JSON array of Portkey's form; POLICY only, "" = none */
    struct str group_by;           /* the same */
    int64_t counted_from_us;       /* nothing before this counts: when it was made, or last reset */
    int64_t created_us, updated_us;
};

/* The default: a budget in money is hard, all else is soft. See docs/LIMITS.md. */
static inline enum limit_mode limit_default_mode(enum limit_kind kind, enum limit_measure measure)
{
    return kind == LIMIT_BUDGET && measure == LIMIT_COST ? LIMIT_HARD : LIMIT_SOFT;
}

/* NULL, or a sentence that says what to do; *ret_param names the member at fault (static text). */
const char *limit_check(const struct limit *l, const char **ret_param);

#endif
