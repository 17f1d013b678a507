/* SPDX-License-Identifier: Apache-2.0 */
/* GET /organization/costs, and the old billing pages made of the same sums. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "sim/http/apierr.h"
#include "sim/http/reply.h"
#include "sim/org/org.h"

#define DAY 86400
#define DAY_US (INT64_C(86400) * 1000000)

static void write_result(struct call *c, struct json_write *w, const struct org_query *q, const struct org_match *from,
                         size_t n)
{
    money_sum sum = 0;
    uint64_t quantity = 0;
    const char *unit = from[0].row->cost.unit;
    bool by_line = q->group >> ORGSUM_BY_LINE & 1;
    for (size_t i = 0; i < n; i++) {
        sum += from[i].row->cost.pusd;
        quantity += from[i].row->cost.quantity;
    }
    json_write_object(w);
    json_write_member_string(w, "object", STR("organization.costs.result"));
    json_write_key(w, STR("amount"));
    json_write_object(w);
    json_write_member_money(w, "value", sum);
    json_write_member_string(w, "currency", STR("usd"));
    json_write_object_end(w);
    org_write_dimension(c, w, q, "line_item", ORGSUM_BY_LINE, from[0].row);
    org_write_dimension(c, w, q, "project_id", ORGSUM_BY_PROJECT, from[0].row);
    org_write_dimension(c, w, q, "api_key_id", ORGSUM_BY_KEY, from[0].row);
    org_write_dimension(c, w, q, "user_id", ORGSUM_BY_USER, from[0].row);
    json_write_member_null(w, "api_source");
    if (by_line) {
        json_write_member_uint(w, "quantity", quantity);
        json_write_member_text(w, "quantity_unit", str_c(unit));
    } else {
        json_write_member_null(w, "quantity");
        json_write_member_null(w, "quantity_unit");
    }
    json_write_member_string(w, "organization_id", STR(SIM_ORGANIZATION));
    json_write_member_string(w, "organization_name", STR("Simulator"));
    json_write_object_end(w);
}

void org_costs(struct call *c)
{
    struct org_query q;
    size_t n;
    if (!org_query_read(c, &q, true))
        return;
    struct org_match *matches = org_query_match(c, &q, CALL_WORK_COUNT, &n);
    org_query_answer(c, &q, matches, n, write_result);
}

/* The days from start_date to end_date (exclusive), line items as groups. */
static bool read_dates(struct call *c, struct org_query *q)
{
    int64_t start, end;
    if (!clock_parse(call_query(c, "start_date"), &start) || !clock_parse(call_query(c, "end_date"), &end) ||
        end <= start || end - start > 400 * DAY_US) {
        apierr_invalid(c, "start_date", "'start_date' and 'end_date' must be dates, at most 400 days apart.");
        return false;
    }
    *q = (struct org_query){.start = start / 1000000, .end = end / 1000000, .width = DAY, .batch = -1};
    q->count = q->total = (uint64_t)((q->end - q->start) / DAY);
    q->group = 1u << ORGSUM_BY_LINE;
    struct str project = call_query(c, "project_id");
    if (project.n) {
        q->filter[ORGSUM_BY_PROJECT][0] = project;
        q->filters[ORGSUM_BY_PROJECT] = 1;
    }
    return true;
}

static money_sum sum_of(const struct org_match *m, size_t n)
{
    money_sum sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += m[i].row->cost.pusd;
    return sum;
}

static size_t group_end(const struct org_query *q, const struct org_match *m, size_t at, size_t n)
{
    size_t end = at + 1;
    while (end < n && org_query_same(q, &m[at], &m[end]))
        end++;
    return end;
}

/* Amounts in cents, as this page had them. */
void org_billing_usage(struct call *c)
{
    struct org_query q;
    size_t n, at = 0;
    struct reply r;
    if (!read_dates(c, &q))
        return;
    struct org_match *m = org_query_match(c, &q, CALL_WORK_COUNT, &n);
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", STR("list"));
    json_write_key(w, STR("daily_costs"));
    json_write_array(w);
    for (uint64_t day = 0; day < q.total; day++) {
        json_write_object(w);
        json_write_member_int(w, "timestamp", q.start + (int64_t)day * DAY);
        json_write_key(w, STR("line_items"));
        json_write_array(w);
        while (at < n && m[at].bucket == day) {
            size_t end = group_end(&q, m, at, n);
            json_write_object(w);
            json_write_member_string(w, "name", str_c(orgsum_text(c->sim->orgsum, m[at].row->by[ORGSUM_BY_LINE])));
            json_write_member_money(w, "cost", sum_of(&m[at], end - at) * 100);
            json_write_object_end(w);
            at = end;
        }
        json_write_array_end(w);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_write_member_money(w, "total_usage", sum_of(m, n) * 100);
    reply_send(c, &r, 200);
    mem_free(m);
}

void org_billing_export(struct call *c)
{
    struct org_query q;
    size_t n;
    struct reply r;
    if (!read_dates(c, &q))
        return;
    q.group |= 1u << ORGSUM_BY_PROJECT;
    struct org_match *m = org_query_match(c, &q, CALL_WORK_COUNT, &n);
    struct json_write *w = reply_begin(&r);
    json_write_member_string(w, "object", STR("list"));
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t at = 0, end; at < n; at = end) {
        char date[CLOCK_TEXT_MAX];
        end = group_end(&q, m, at, n);
        int64_t when = q.start + (int64_t)m[at].bucket * DAY;
        money_sum sum = sum_of(&m[at], end - at);
        clock_format(when * 1000000, 0, date);
        json_write_object(w);
        json_write_member_int(w, "timestamp", when);
        json_write_member_string(w, "currency", STR("usd"));
        json_write_member_string(w, "name", str_c(orgsum_text(c->sim->orgsum, m[at].row->by[ORGSUM_BY_LINE])));
        json_write_member_money(w, "cost", sum * 100);
        json_write_key(w, STR("cost_in_major"));
        json_write_money_string(w, sum);
        json_write_member_string(w, "date", str_of(date, 10));
        json_write_member_string(w, "organization_id", STR(SIM_ORGANIZATION));
        json_write_member_string(w, "organization_name", STR("Simulator"));
        json_write_member_string(w, "project_id", str_c(orgsum_text(c->sim->orgsum, m[at].row->by[ORGSUM_BY_PROJECT])));
        json_write_member_string(w, "project_name", STR("Default project"));
        json_write_object_end(w);
    }
    json_write_array_end(w);
    reply_send(c, &r, 200);
    mem_free(m);
}
