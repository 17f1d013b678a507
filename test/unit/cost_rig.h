/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_COST_RIG_H
#define TEST_UNIT_COST_RIG_H

/* cost_rig: a bill in a directory of its own, for tests of cost queries. */

#include "report/bill/bill_write.h"
#include "report/cost/cost.h"

struct cost_rig {
    char dir[64];
    struct bill *bill;
    struct cost_reader *reader;
};

void cost_rig_open(struct cost_rig *r);
void cost_rig_close(struct cost_rig *r);

/* 2026-03-01 */
int64_t cost_rig_day(const char *text);
/* Fails the test with the sentence where it does not parse. */
struct vql *cost_rig_parse(struct str text);
/* Fails the test where the query does. */
struct cost_result *cost_rig_run(struct cost_rig *r, const struct cost_query *q);

#endif
