/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_PORTKEY_PORTKEY_LIMITS_H
#define CONSOLE_PORTKEY_PORTKEY_LIMITS_H

/*
 * portkey_limits: the members `usage_limits` and `rate_limits` of Portkey's resources as rules, and back.
 *
 *     "usage_limits": {"type": "cost"|"tokens", "credit_limit": 5, "alert_threshold": 4,
 *                      "periodic_reset": "weekly"|"monthly", "periodic_reset_days": 30,
 *                      "next_usage_reset_at": "2026-12-01T00:00:00Z"}      also in an array
 *     "rate_limits": [{"type": "requests"|"tokens", "unit": "rps"|"rpm"|"rph"|"rpd"|"rpw", "value": 60}]
 *
 * Money is in dollars. A budget's week begins on Sunday, a rate's on Monday. Null, {} and [] take limits
 * away; an absent member leaves them.
 */

#include "console/portkey/given.h"
#include "control/limit/rule.h"

#define PORTKEY_LIMITS_MAX LIMIT_ATTACHED_MAX

struct portkey_limits {
    bool has_budgets, has_rates; /* the member was there */
    struct limit budgets[PORTKEY_LIMITS_MAX], rates[PORTKEY_LIMITS_MAX];
    size_t budget_count, rate_count;
};

/* One budget, or rate, of the members of `object`. False when the job was answered. */
bool portkey_limits_read_budget(struct given *g, struct jval object, struct limit *ret);
bool portkey_limits_read_rate(struct given *g, struct jval object, struct limit *ret);
/* Both members of `object`, checked. False when the job was answered. */
bool portkey_limits_read(struct given *g, struct jval object, struct portkey_limits *ret);

/* From now on these limits hang there. */
enum err portkey_limits_put(struct job *j, const struct rule_place *place, const struct portkey_limits *limits,
                            struct control_why *why) ERR_USE;

/* The members of one budget, or rate, as above. */
void portkey_limits_write_budget(struct json_write *w, const struct limit *l);
void portkey_limits_write_rate(struct json_write *w, const struct limit *l);
/*
 * "usage_limits" and "rate_limits" of what hangs there. ERR_OK unless the rules cannot be read.
 */
enum portkey_limits_form {
    PORTKEY_LIMITS_ONE,   /* an object or null, and an array */
    PORTKEY_LIMITS_MANY,  /* two arrays */
    PORTKEY_LIMITS_LOOSE, /* null, an object, or an array of several: where Python's types want an object */
};
enum err portkey_limits_write(struct job *j, const struct rule_place *place, enum portkey_limits_form form,
                              struct control_why *why) ERR_USE;
/* Whether a budget there is used up. */
bool portkey_limits_exhausted(struct job *j, const struct rule_place *place);

#endif
