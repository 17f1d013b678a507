/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PLAN_SHOW_H
#define CLI_PLAN_SHOW_H

/*
 * plan_show: a plan as text for people, and as JSON. Steps are numbered from 1. No secret of the
 * config is shown.
 */

#include "gateway/plan/plan.h"

#define PLAN_SHOW_MAX (8u << 20)

/* Both append to `out`; false when it is full. */
bool plan_show_text(const struct plan *p, uint64_t seed, struct buf *out) __attribute__((warn_unused_result));
bool plan_show_json(const struct plan *p, uint64_t seed, struct buf *out) __attribute__((warn_unused_result));

#endif
