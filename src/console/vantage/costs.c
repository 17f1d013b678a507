/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v2/costs. Totals are of the whole period, rows of one page; every number is a text with all its digits. */
#include "base/must.h"
#include "console/console_inner.h"
#include "console/vantage/cost_ask.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"

#define LIMIT 100
#define LIMIT_MAX 5000
#define USAGE_PLACES 2

static void write_amount(struct json_write *w, const char *name, cost_sum amount)
{
    char text[COST_TEXT_MAX];
    json_write_member_string(w, name, str_of(text, cost_amount_format(amount, text)));
}

static void write_usage(struct json_write *w, struct str unit, money_sum amount)
{
    char text[COST_TEXT_MAX];
    size_t n = cost_amount_format_rounded((cost_sum)amount * COST_PER_PUSD, USAGE_PLACES, text);
    json_write_object(w);
    json_write_member_string(w, "amount", str_of(text, n));
    json_write_member_string(w, "unit", unit);
    json_write_object_end(w);
}

static void write_tags(struct json_write *w, const struct cost_query *q, const struct cost_row *row)
{
    struct buf pair;
    bool any = false;
    buf_init(&pair, 1u << 16);
    for (unsigned i = 0; i < q->group_count; i++) {
        if (q->groups[i].by != COST_BY_TAG)
            continue;
        if (!any) {
            json_write_member_text(w, "tag", row->values[i]);
            json_write_key(w, STR("tags"));
            json_write_array(w);
            any = true;
        }
        buf_reset(&pair);
        if (row->values[i].n && buf_add_str(&pair, q->groups[i].tag) && buf_add_byte(&pair, ':') &&
            buf_add_str(&pair, row->values[i]))
            json_write_string(w, buf_str(&pair));
    }
    if (any)
        json_write_array_end(w);
    buf_free(&pair);
}

static void write_row(struct json_write *w, const struct cost_query *q, const struct cost_row *row, bool usage)
{
    char at[COST_ACCRUED_MAX];
    json_write_object(w);
    json_write_member_string(w, "accrued_at", str_of(at, cost_accrued(q->bin, row->start_us, at)));
    write_amount(w, "amount", row->amount);
    json_write_member_string(w, "currency", STR("USD"));
    for (unsigned i = 0; i < q->group_count; i++) {
        enum cost_by by = q->groups[i].by;
        if (by == COST_BY_TAG)
            continue;
        json_write_member_string(w, cost_by_json(by), row->values[i]);
        if (by == COST_BY_RESOURCE)
            json_write_member_text(w, "resource_name", row->names[i]);
        else if (by == COST_BY_ACCOUNT)
            json_write_member_text(w, "account_name", row->names[i]);
    }
    write_tags(w, q, row);
    if (usage || row->unit.n) {
        json_write_key(w, STR("usage"));
        if (row->unit.n)
            write_usage(w, row->unit, row->usage);
        else
            json_write_null(w);
    }
    if (row->over_metered)
        json_write_member_bool(w, "over_metered", true);
    json_write_object_end(w);
}

static void write_counts(struct json_write *w, const struct cost_query *q, const struct cost_result *r)
{
    char at[COST_ACCRUED_MAX];
    json_write_member_uint(w, "total_count", r->group_total);
    json_write_key(w, STR("counts"));
    json_write_array(w);
    for (size_t i = 0; i < r->count_count; i++) {
        json_write_object(w);
        json_write_member_string(w, "accrued_at", str_of(at, cost_accrued(q->bin, r->counts[i].start_us, at)));
        json_write_member_uint(w, "count", r->counts[i].count);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void reply(struct job *j, const struct cost_ask *a, const struct vantage_page *page, const struct cost_result *r)
{
    struct json_write *w = &j->json;
    job_reply_json(j, 200);
    json_write_object(w);
    vantage_links(j, page, r->row_total, false);
    json_write_key(w, STR("total_cost"));
    json_write_object(w);
    write_amount(w, "amount", r->total);
    json_write_member_string(w, "currency", STR("USD"));
    json_write_object_end(w);
    json_write_key(w, STR("total_usage"));
    json_write_array(w);
    for (size_t i = 0; i < r->usage_count; i++)
        write_usage(w, r->usage[i].unit, r->usage[i].amount);
    json_write_array_end(w);
    if (str_eq(a->aggregate, STR("count")))
        write_counts(w, &a->query, r);
    if (r->by_day)
        json_write_member_string(w, "granularity", STR("day"));
    json_write_key(w, STR("costs"));
    json_write_array(w);
    for (size_t i = 0; i < r->row_count; i++)
        write_row(w, &a->query, &r->rows[i], str_eq(a->aggregate, STR("usage")));
    json_write_array_end(w);
    json_write_object_end(w);
}

void costs_list(struct job *j)
{
    struct cost_given given = {.report = ask_text(j, "cost_report_token"),
                               .filter = ask_text(j, "filter"),
                               .workspace = ask_text(j, "workspace_token"),
                               .start = ask_text(j, "start_date"),
                               .end = ask_text(j, "end_date"),
                               .bin = ask_text(j, "date_bin")};
    struct str order = ask_text(j, "order");
    struct vantage_page page;
    struct sight s;
    struct cost_ask *a;
    bool known = !order.n || str_eq(order, STR("asc")) || str_eq(order, STR("desc"));
    if (!known) {
        vantage_fail(j, 400, "order must be asc or desc");
        return;
    }
    if (!vantage_page_read(j, LIMIT, LIMIT_MAX, &page) || !ask_list(j, "groupings", given.groups, &given.group_count) ||
        !ask_sight(j, &s) || !cost_ask_begin(j, &s, &given, &a))
        return;
    a->query.page = page.page;
    a->query.limit = page.limit;
    a->query.ascending = str_eq(order, STR("asc"));
    struct cost_result *result = cost_ask_run(j, a);
    if (result)
        reply(j, a, &page, result);
    cost_result_free(result);
    cost_ask_free(a);
}
