/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_LIMITS_LIMITS_INNER_H
#define GATEWAY_LIMITS_LIMITS_INNER_H

/*
 * limits_inner: what the files of this folder share. Nobody else includes it.
 */

#include <stdatomic.h>

#include "gateway/limits/counters.h"
#include "gateway/limits/limits.h"

#define LIMITS_MAGIC 0x6c696d00u
/* Rules of one stage at most: control lets no more hang on one thing. */
#define LIMITS_ASKS_MAX (5 * LIMIT_ATTACHED_MAX + 2 * LIMIT_POLICIES_MAX)

struct limits {
    unsigned magic;
    struct limits_options options;
    struct counters *counters;
    atomic_uint_fast64_t admitted, refused[LIMIT_KIND_COUNT], refused_counters, alerts, unpriced, beyond, holds;
};

/* One rule that a request meets. Amounts as in struct counter. */
struct limits_ask {
    const struct ruleset_rule *rule;
    struct str group;
    struct counter *counter;
    int64_t need[COUNTER_QUANTITIES]; /* must still fit */
    int64_t hold[COUNTER_QUANTITIES]; /* is reserved */
};

struct limits_asks {
    uint32_t count;
    struct limits_ask list[LIMITS_ASKS_MAX];
    size_t text_n;
    char text[2 * LIMIT_POLICIES_MAX * POLICY_GROUP_TEXT_MAX];
};

/* gather.c: the rules that the request meets at that stage. */
void limits_gather(const struct limits_subject *s, enum limits_stage stage, struct limits_asks *ret);

/* What tokens without a price count. */
int64_t limits_ceiling(const struct limits *l, uint64_t tokens);
/* The charge of an attempt, the same live and from its row: pico-dollars. */
int64_t limits_charge(const struct limits *l, const struct limits_actual *a);
/* Whether the limit lets in what needs so much. */
bool limits_lets_in(const struct limit *l, const struct counter_state *c, const int64_t need[COUNTER_QUANTITIES]);

/* refuse.c */
void limits_refuse(const struct limits_ask *ask, const struct counter_state *seen, const struct limits_subject *s,
                   int64_t now_us, struct limits_refusal *ret);
void limits_refuse_full(const struct limits_ask *ask, struct limits_refusal *ret);

static inline int64_t limits_add(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

#endif
