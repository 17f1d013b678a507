/* SPDX-License-Identifier: Apache-2.0 */
/* A directory with a bill and a reader of it; failures end the test with the sentence. */
#include "cost_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "report/cost/cost_dates.h"

void cost_rig_open(struct cost_rig *r)
{
    char why[256];
    struct cost_error error;
    *r = (struct cost_rig){.bill = NULL};
    snprintf(r->dir, sizeof r->dir, "/tmp/test_cost.XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    if (bill_open(r->dir, &r->bill, why, sizeof why) != ERR_OK)
        fail_msg("%s", why);
    if (cost_reader_open(r->dir, &r->reader, &error) != ERR_OK)
        fail_msg("%s", error.text);
}

void cost_rig_close(struct cost_rig *r)
{
    char command[128];
    cost_reader_close(r->reader);
    bill_close(r->bill);
    snprintf(command, sizeof command, "rm -rf '%s'", r->dir);
    assert_int_equal(system(command), 0);
}

int64_t cost_rig_day(const char *text)
{
    int64_t day = 0;
    if (!cost_dates_day_parse(str_c(text), &day))
        fail_msg("%s is no day", text);
    return day;
}

struct vql *cost_rig_parse(struct str text)
{
    struct vql *q = NULL;
    struct vql_error error;
    if (vql_parse(text, &q, &error) != ERR_OK)
        fail_msg("%.*s: %s", STR_ARG(text), error.text);
    return q;
}

struct cost_result *cost_rig_run(struct cost_rig *r, const struct cost_query *q)
{
    struct cost_result *result = NULL;
    struct cost_error error = {.text = ""};
    if (cost_run(r->reader, q, &result, &error) != ERR_OK)
        fail_msg("%s", error.text);
    return result;
}
