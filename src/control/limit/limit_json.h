/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_LIMIT_LIMIT_JSON_H
#define CONTROL_LIMIT_LIMIT_JSON_H

/*
 * limit_json: limits as Portkey and Blaxel write them, and back.
 *
 *     budget  {"credit_limit":10.5,"type":"cost","alert_threshold":8,"periodic_reset":"monthly"}
 *     rate    {"type":"requests","unit":"rpm","value":60}
 *     cap     {"granularity":"day","step":1,"input":0,"output":0,"total":1000000}
 *     policy  a budget or a rate with "name", "conditions", "group_by"
 *
 * Beyond the contracts each takes "mode": "hard" or "soft". Money is read from the decimal text. A
 * reader returns NULL, or a sentence that says what is wrong, and then *ret_param names the member.
 * Texts of what was read are views into `json`, or in the arena. Unknown members are left alone.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json_write.h"
#include "base/str.h"
#include "control/limit/limit.h"

/*
 * `usage_limits` and `rate_limits` of a key, a workspace, …: an object, a list of them, null, {} or "".
 * At most LIMIT_ATTACHED_MAX go into `list`. Weeks begin on Sunday.
 */
const char *limit_json_budgets(struct str json, int64_t now_us, struct limit list[LIMIT_ATTACHED_MAX],
                               size_t *ret_count, const char **ret_param);
const char *limit_json_rates(struct str json, struct limit list[LIMIT_ATTACHED_MAX], size_t *ret_count,
                             const char **ret_param);
/* The body of a policy, of kind LIMIT_BUDGET or LIMIT_RATE. Weeks begin on Monday. */
const char *limit_json_policy(struct str json, enum limit_kind kind, int64_t now_us, struct arena *a, struct limit *ret,
                              const char **ret_param);
/* Blaxel's maxTokens. */
const char *limit_json_cap(struct str json, struct limit *ret, const char **ret_param);

/*
 * Writers of members, into an object that is open: of a budget credit_limit, type, alert_threshold,
 * periodic_reset, periodic_reset_days, next_usage_reset_at, mode; of a rate type, unit, value, mode.
 */
void limit_json_budget_members(struct json_write *w, const struct limit *l, int64_t now_us);
void limit_json_rate_members(struct json_write *w, const struct limit *l);
/* granularity, step, input, output, total, mode */
void limit_json_cap_members(struct json_write *w, const struct limit *l);
/* Everything, in our own words: for the audit log. */
void limit_json_all_members(struct json_write *w, const struct limit *l);

/* Tokens as they are, money as a decimal number of dollars. */
void limit_json_amount(struct json_write *w, const char *name, const struct limit *l, int64_t amount);

#endif
