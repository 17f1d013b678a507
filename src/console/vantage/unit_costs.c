/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Costs by the unit of a business metric: cost ÷ (metric ÷ scale), a row a metric and bin. Both are whole numbers
 * of small units, and so is the quotient, rounded towards zero at 10^-12.
 */
#include "base/must.h"
#include "console/console_inner.h"
#include "console/vantage/cost_ask.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"
#include "report/bill/bill_decimal.h"
#include "report/cost/cost_dates.h"
#include "report/docs/docs_values.h"

#define LIMIT 100
#define LIMIT_MAX 5000
#define VALUES_MAX 100000
#define PERCENT ((money_sum)100 * MONEY_PUSD_PER_USD)

struct unit_costs {
    struct job *job;
    const struct cost_ask *ask;
    const struct cost_result *costs; /* a row a bin */
    uint64_t skip, left, seen;
};

static uint64_t scale_of(struct str name)
{
    static const struct {
        const char *name;
        uint64_t scale;
    } scales[] = {{"per_hundred", 100}, {"per_thousand", 1000}, {"per_million", 1000000}, {"per_billion", 1000000000}};
    for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++)
        if (str_eq(name, str_c(scales[i].name)))
            return scales[i].scale;
    return 1;
}

/* a ÷ b × scale, where a has 10^-24 and b 10^-12 units: 10^-12. False when it does not fit. */
static bool divide(cost_sum a, money_sum b, uint64_t scale, money_sum *ret)
{
    money_sum whole, rest;
    if (b == 0 || __builtin_mul_overflow(a / b, (money_sum)scale, &whole) ||
        __builtin_mul_overflow(a % b, (money_sum)scale, &rest))
        return false;
    return !__builtin_add_overflow(whole, rest / b, ret);
}

/* False when there is no such number: no cost by the unit of nothing. */
static bool work_out(struct str kind, cost_sum cost, money_sum metric, uint64_t scale, money_sum *ret)
{
    if (str_eq(kind, STR("raw_business_metric"))) {
        *ret = metric;
        return true;
    }
    if (str_eq(kind, STR("gross_margin"))) { /* percent of what came in */
        if (!divide(cost, metric, 100, ret))
            return false;
        *ret = PERCENT - *ret;
        return true;
    }
    return divide(cost, metric, scale, ret);
}

static void write_row(struct unit_costs *u, const struct doc *metric, struct jval use, const struct cost_row *row,
                      money_sum amount)
{
    struct json_write *w = &u->job->json;
    struct str kind = jdoc_escaped(jdoc_get(use, "calculation_type"));
    char text[MONEY_TEXT_MAX], date[COST_ACCRUED_MAX];
    uint64_t scale = scale_of(jdoc_escaped(jdoc_get(use, "unit_scale")));
    money_sum value;
    if (!work_out(kind, row->amount, amount, scale, &value) || u->seen++ < u->skip || !u->left)
        return;
    u->left--;
    json_write_object(w);
    json_write_member_string(w, "business_metric_token", metric->token);
    json_write_member_string(w, "business_metric_title", metric->title);
    json_write_member_string(w, "calculation_type", kind);
    json_write_member_string(w, "unit_cost_amount", str_of(text, money_format(value, text)));
    json_write_member_string(w, "business_metric_amount", str_of(text, money_format(amount, text)));
    json_write_member_uint(w, "scale", scale);
    json_write_member_string(w, "date", str_of(date, cost_accrued(u->ask->query.bin, row->start_us, date)));
    json_write_object_end(w);
}

/* What the metric's values of a bin amount to. */
static money_sum sum_of(const struct unit_costs *u, const struct docs_value *values, size_t count, int64_t bin_day)
{
    money_sum sum = 0, one;
    bool exact;
    for (size_t i = 0; i < count; i++)
        if (cost_dates_bin(u->ask->query.bin, values[i].day, u->ask->query.from_day) == bin_day &&
            bill_decimal_read(values[i].amount, 12, &one, &exact))
            sum += one;
    return sum;
}

static void write_metric(struct unit_costs *u, struct jval use)
{
    struct job *j = u->job;
    struct docs_value_query q = {
        .from_day = u->ask->query.from_day, .until_day = u->ask->query.until_day, .limit = VALUES_MAX};
    struct doc metric;
    struct docs_value *values;
    struct str labels[ASK_LIST_MAX];
    struct jval wanted = jdoc_get(use, "label_filter");
    size_t count;
    if (docs_find(ask_docs(j), DOCS_BUSINESS_METRIC, jdoc_text(jdoc_get(use, "business_metric_token"), j->arena),
                  j->arena, &metric) != ERR_OK)
        return;
    for (struct jval v = jdoc_first(wanted); jdoc_has(v) && q.label_count < ASK_LIST_MAX; v = jdoc_next(wanted, v))
        labels[q.label_count++] = jdoc_text(v, j->arena);
    if (jdoc_has(jdoc_find(use, "label")) && !q.label_count)
        labels[q.label_count++] = jdoc_text(jdoc_get(use, "label"), j->arena);
    q.metric = metric.id;
    q.labels = labels;
    if (docs_values_list(ask_docs(j), &q, j->arena, &values, &count) != ERR_OK)
        return;
    for (size_t i = 0; i < u->costs->row_count; i++) {
        const struct cost_row *row = &u->costs->rows[i];
        int64_t day = cost_dates_bin(u->ask->query.bin, bill_day_of(row->start_us), u->ask->query.from_day);
        write_row(u, &metric, use, row, sum_of(u, values, count, day));
    }
}

static void reply(struct job *j, const struct cost_ask *a, const struct vantage_page *page,
                  const struct cost_result *costs)
{
    struct unit_costs u = {
        .job = j, .ask = a, .costs = costs, .skip = (page->page - 1) * page->limit, .left = page->limit};
    struct jdoc report;
    jdoc_init(&report);
    bool ok = jdoc_parse(&report, a->report.body);
    must(ok); /* ours */
    struct jval uses = jdoc_get(jdoc_root(&report), "business_metric_tokens_with_metadata");
    job_reply_json(j, 200);
    json_write_object(&j->json);
    json_write_key(&j->json, STR("unit_costs"));
    json_write_array(&j->json);
    for (struct jval v = jdoc_first(uses); jdoc_has(v); v = jdoc_next(uses, v))
        write_metric(&u, v);
    json_write_array_end(&j->json);
    vantage_links(j, page, u.seen, false);
    json_write_object_end(&j->json);
    jdoc_free(&report);
}

void unit_costs_list(struct job *j)
{
    struct cost_given given = {.report = ask_text(j, "cost_report_token"),
                               .start = ask_text(j, "start_date"),
                               .end = ask_text(j, "end_date"),
                               .bin = ask_text(j, "date_bin"),
                               .groups = {STR("provider")},
                               .group_count = 1};
    struct vantage_page page;
    struct sight s;
    struct cost_ask *a;
    if (!given.report.n) {
        vantage_fail(j, 400, "cost_report_token is required");
        return;
    }
    if (!vantage_page_read(j, LIMIT, LIMIT_MAX, &page) || !ask_sight(j, &s) || !cost_ask_begin(j, &s, &given, &a))
        return;
    if (a->query.bin == COST_BIN_HOUR)
        a->query.bin = COST_BIN_DAY;
    a->query.ascending = str_eq(ask_text(j, "order"), STR("asc"));
    struct cost_result *result = cost_ask_run(j, a);
    if (result)
        reply(j, a, &page, result);
    cost_result_free(result);
    cost_ask_free(a);
}
