/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Costs by the unit of a business metric: cost ÷ (metric ÷ scale), a row a metric and bin. Both are whole numbers
 * of small units, and so is the quotient, rounded towards zero at 10^-12.
 */
#include <stdio.h>

#include "base/must.h"
#include "console/console_inner.h"
#include "console/vantage/cost_ask.h"
#include "console/vantage/cost_csv.h"
#include "console/vantage/exports.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"
#include "report/bill/bill_decimal.h"
#include "report/cost/cost_dates.h"
#include "report/docs/docs_values.h"

#define LIMIT 100
#define LIMIT_MAX 5000
#define VALUES_MAX 100000
#define FILE_MAX (60u << 20)
#define PERCENT ((money_sum)100 * MONEY_PUSD_PER_USD)

struct unit_costs {
    struct job *job;
    const struct cost_ask *ask;
    const struct cost_result *costs; /* a row a bin */
    struct buf *file;                /* NULL: the answer is JSON */
    bool fits;                       /* into the file */
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

static void add_line(struct unit_costs *u, const struct str *cells, size_t count)
{
    for (size_t i = 0; i < count; i++)
        u->fits = u->fits && (!i || buf_add_byte(u->file, ',')) && cost_csv_cell(u->file, cells[i]);
    u->fits = u->fits && buf_add_byte(u->file, '\n');
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
    if (u->file) {
        char cost[MONEY_TEXT_MAX], units[24];
        int n = snprintf(units, sizeof units, "%llu", (unsigned long long)scale);
        const struct str cells[] = {str_of(date, cost_accrued(u->ask->query.bin, row->start_us, date)),
                                    metric->title,
                                    kind,
                                    str_of(units, (size_t)n),
                                    str_of(text, money_format(amount, text)),
                                    str_of(cost, money_format(value, cost))};
        add_line(u, cells, sizeof cells / sizeof cells[0]);
        return;
    }
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

static void write_metrics(struct unit_costs *u)
{
    struct jdoc report;
    jdoc_init(&report);
    bool ok = jdoc_parse(&report, u->ask->report.body);
    must(ok); /* ours */
    struct jval uses = jdoc_get(jdoc_root(&report), "business_metric_tokens_with_metadata");
    for (struct jval v = jdoc_first(uses); jdoc_has(v); v = jdoc_next(uses, v))
        write_metric(u, v);
    jdoc_free(&report);
}

static void reply(struct job *j, const struct cost_ask *a, const struct vantage_page *page,
                  const struct cost_result *costs)
{
    struct unit_costs u = {
        .job = j, .ask = a, .costs = costs, .skip = (page->page - 1) * page->limit, .left = page->limit};
    job_reply_json(j, 200);
    json_write_object(&j->json);
    json_write_key(&j->json, STR("unit_costs"));
    json_write_array(&j->json);
    write_metrics(&u);
    json_write_array_end(&j->json);
    vantage_links(j, page, u.seen, false);
    json_write_object_end(&j->json);
}

/* ---- as a file ---- */

static struct str attributes_of(struct job *j, const struct cost_ask *a)
{
    struct json_write w;
    struct buf out;
    buf_init(&out, 4096);
    json_write_init(&w, &out);
    json_write_object(&w);
    json_write_member_string(&w, "report_token", a->report.token);
    json_write_member_string(&w, "start_date", str_c(a->start));
    json_write_member_string(&w, "end_date", str_c(a->end));
    json_write_member_string(&w, "date_bin", str_c(cost_bin_text(a->query.bin)));
    json_write_object_end(&w);
    struct str text = json_write_done(&w) ? arena_dup(j->arena, buf_str(&out)) : STR("{}");
    buf_free(&out);
    return text;
}

static void store(struct job *j, const struct cost_ask *a, const struct cost_result *costs)
{
    static const struct str headings[] = {{"Date", 4},  {"Business Metric", 15},        {"Calculation", 11},
                                          {"Scale", 5}, {"Business Metric Amount", 22}, {"Unit Cost", 9}};
    struct docs_export x = {.workspace = a->workspace, .kind = STR("unit_costs"), .name = STR("unit-costs.csv")};
    struct buf file;
    struct unit_costs u = {.job = j, .ask = a, .costs = costs, .file = &file, .fits = true, .left = UINT64_MAX};
    buf_init(&file, FILE_MAX);
    add_line(&u, headings, sizeof headings / sizeof headings[0]);
    write_metrics(&u);
    x.attributes = attributes_of(j, a);
    x.content = buf_str(&file);
    enum err e = u.fits ? docs_exports_put(ask_docs(j), &x, j->arena) : ERR_OK;
    if (!u.fits)
        vantage_fail(j, 400, "The file would be too long; ask for a shorter period");
    else if (e != ERR_OK)
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
    else
        exports_reply(j, 202, &x);
    buf_free(&file);
}

void unit_costs_export(struct job *j)
{
    struct jdoc body;
    struct sight s;
    struct cost_ask *a;
    if (!ask_body(j, &body))
        return;
    struct jval root = jdoc_root(&body);
    struct cost_given given = {.report = jdoc_text(jdoc_get(root, "cost_report_token"), j->arena),
                               .start = jdoc_text(jdoc_get(root, "start_date"), j->arena),
                               .end = jdoc_text(jdoc_get(root, "end_date"), j->arena),
                               .bin = jdoc_text(jdoc_get(root, "date_bin"), j->arena),
                               .groups = {STR("provider")},
                               .group_count = 1};
    if (!given.report.n)
        vantage_fail(j, 400, "cost_report_token is required");
    if (given.report.n && ask_sight(j, &s) && cost_ask_begin(j, &s, &given, &a)) {
        a->query.ascending = true;
        if (a->query.bin == COST_BIN_HOUR)
            a->query.bin = COST_BIN_DAY;
        struct cost_result *result = cost_ask_run(j, a);
        if (result)
            store(j, a, result);
        cost_result_free(result);
        cost_ask_free(a);
    }
    jdoc_free(&body);
}

/* ---- as a list ---- */

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
