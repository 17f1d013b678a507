/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LIMITS_RIG_H
#define LIMITS_RIG_H

/*
 * limits_rig: snapshots with limits in them, and requests that meet them, for the tests of limits.
 *
 * Workspaces 1 "default" and 7 "team-a"; keys 11 (member 5) and 12 (member 6) in 1, 13 in 7;
 * integrations 21 "openai" and 22 "second" in 1, 23 "openai" in 7.
 */

#include <stddef.h>
#include <stdint.h>

#include "control/limit/ruleset.h"
#include "control/snapshot.h"
#include "gateway/limits/limits.h"

#define USD INT64_C(1000000000000)
#define LIMITS_RIG_NOW INT64_C(1795000000000000) /* 2026-11-18T11:06:40Z, a Wednesday */

/* Rules get the ids 1, 2, … unless they have one, and count from the beginning of time unless they say. */
struct snapshot *limits_rig_snapshot(const struct limit *rules, size_t count);
/* With a reset of one group of the last rule. */
struct snapshot *limits_rig_with_reset(const struct limit *rules, size_t count, struct str group, int64_t from_us);
/* A request with that key, and at that integration (0: none yet). */
struct limits_subject limits_rig_subject(struct snapshot *s, int64_t key_id, int64_t integration_id);

/* Short forms of rules. */
struct limit limits_rig_budget(enum limit_attach attach, int64_t id, int64_t usd_thousandths, enum limit_mode mode);
struct limit limits_rig_rate(enum limit_attach attach, int64_t id, enum limit_measure measure, int64_t value,
                             enum window_unit unit);
struct limit limits_rig_cap(enum limit_attach attach, int64_t id, int64_t input, int64_t output, int64_t total,
                            enum window_unit unit);

#endif
