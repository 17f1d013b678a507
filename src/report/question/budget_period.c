/* SPDX-License-Identifier: Apache-2.0 */
/* Dates and amounts were checked when the budget was stored; what does not read is no period. */
#include "report/question/budget_period.h"

#include "report/bill/bill.h"
#include "report/bill/bill_decimal.h"
#include "report/cost/cost_dates.h"

static bool day_of(struct jval period, const char *name, struct arena *a, int64_t *ret)
{
    return cost_dates_day_parse(jdoc_text(jdoc_get(period, name), a), ret);
}

bool budget_period_read(struct jval list, struct jval period, struct arena *a, struct budget_period *ret)
{
    int64_t next;
    bool exact;
    if (!day_of(period, "start_at", a, &ret->from_day) ||
        !bill_decimal_read(jdoc_text(jdoc_get(period, "amount"), a), 12, &ret->amount, &exact))
        return false;
    if (day_of(period, "end_at", a, &ret->last_day))
        return true;
    struct jval following = jdoc_next(list, period);
    bool cut = jdoc_has(following) && day_of(following, "start_at", a, &next) && next > ret->from_day;
    ret->last_day = cut ? next - 1 : bill_month_day(bill_month_of(ret->from_day) + 1) - 1;
    return true;
}
