/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_PLAN_EXPLAIN_H
#define GATEWAY_PLAN_EXPLAIN_H

/*
 * explain: why a plan came out as it did, a line for each decision, for people. Every function does
 * nothing unless it was asked for at the start, so that ordinary requests pay a comparison each.
 */

#include "gateway/plan/plan.h"

struct explain {
    bool on, cut;
    struct buf text;
};

void explain_init(struct explain *e, bool on);
/* The text goes to the arena; false when that is full. */
bool explain_done(struct explain *e, struct arena *a, struct str *ret) __attribute__((warn_unused_result));

void explain_single(struct explain *e, const struct config_node *node, size_t target);
void explain_fallback(struct explain *e, const struct config_node *node);
void explain_draw(struct explain *e, const struct config_node *node, double draw, double sum, unsigned target);
void explain_sticky(struct explain *e, const struct config_node *node, unsigned target);
void explain_condition(struct explain *e, const struct config_node *node, size_t condition, bool is_true);
void explain_route(struct explain *e, const struct config_node *target);
void explain_refusal(struct explain *e, const struct config_node *node, const char *text);
void explain_open(struct explain *e, const struct config_node *target);
void explain_all_open(struct explain *e, const struct config_node *node);

#endif
