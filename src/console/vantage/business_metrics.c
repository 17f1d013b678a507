/* SPDX-License-Identifier: Apache-2.0 */
/* JSON and CSV to values of a metric and back. The store is docs_values. */
#include "console/vantage/business_metrics.h"

#include <stdio.h>

#include "base/must.h"
#include "console/console_inner.h"
#include "console/vantage/ask.h"
#include "console/vantage/resource_write.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"
#include "net/url.h"
#include "report/bill/bill.h"
#include "report/cost/cost_dates.h"
#include "report/docs/docs_values.h"

#define LIMIT 100
#define LIMIT_MAX 5000
#define LABELS_MAX 1000
#define ROWS_MAX 100000

static bool failed(struct job *j, enum err e)
{
    if (e != ERR_OK)
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
    return e != ERR_OK;
}

/* ---- in ---- */

static bool read_value(struct job *j, struct jval v, struct docs_value *ret)
{
    struct jval amount = jdoc_get(v, "amount");
    struct str date = jdoc_text(jdoc_get(v, "date"), j->arena);
    *ret = (struct docs_value){.label = jdoc_text(jdoc_get(v, "label"), j->arena)};
    if (!cost_dates_day_parse(str_head(date, 10), &ret->day)) {
        vantage_fail(j, 400, "a value needs a date, YYYY-MM-DD");
        return false;
    }
    if (jdoc_kind(amount) == JDOC_NUMBER)
        ret->amount = jdoc_raw(amount);
    else
        ret->amount = jdoc_text(amount, j->arena); /* "" for null: the day's value goes */
    return true;
}

static bool put_list(struct job *j, const struct doc *metric, struct jval list, bool forecast)
{
    size_t count = jdoc_size(list), n = 0;
    if (jdoc_kind(list) != JDOC_ARRAY)
        return true;
    if (count > ROWS_MAX) {
        vantage_fail(j, 422, "A metric takes at most 100,000 values at once");
        return false;
    }
    struct docs_value *rows = arena_alloc(j->arena, (count + 1) * sizeof *rows);
    must(rows);
    for (struct jval v = jdoc_first(list); jdoc_has(v); v = jdoc_next(list, v))
        if (!read_value(j, v, &rows[n++]))
            return false;
    return !failed(j, docs_values_put(ask_docs(j), metric->id, forecast, rows, count));
}

bool business_metrics_given(struct job *j, const struct doc *metric, struct jval given)
{
    static const char *const others[] = {"datadog_metric_fields", "cloudwatch_fields", "snowflake_metric_fields"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (jdoc_kind(jdoc_get(given, others[i])) == JDOC_OBJECT) {
            vantage_fail(j, 422, "Metrics are not fetched from other services; send values, or CSV");
            return false;
        }
    return put_list(j, metric, jdoc_get(given, "values"), false) &&
           put_list(j, metric, jdoc_get(given, "forecasted_values"), true);
}

static bool metric_of(struct job *j, struct doc *ret)
{
    struct sight s;
    return ask_sight(j, &s) && ask_doc(j, &s, DOCS_BUSINESS_METRIC, ask_token(j, 0), ret);
}

static struct str cell(struct str *line)
{
    struct str part = STR("");
    if (line->p && str_split(line, ',', &part))
        part = str_trim(part);
    if (part.n >= 2 && part.p[0] == '"' && part.p[part.n - 1] == '"')
        part = str_of(part.p + 1, part.n - 2);
    return part;
}

/* "date,amount,label": which column is which, by the first line. */
struct columns {
    int date, amount, label;
};

static bool read_header(struct str line, struct columns *ret)
{
    *ret = (struct columns){-1, -1, -1};
    for (int i = 0; i < 20 && line.p && line.n; i++) {
        struct str name = cell(&line);
        if (str_eq_nocase(name, STR("date")))
            ret->date = i;
        else if (str_eq_nocase(name, STR("amount")))
            ret->amount = i;
        else if (str_eq_nocase(name, STR("label")))
            ret->label = i;
    }
    return ret->date >= 0 && ret->amount >= 0;
}

static bool read_line(struct job *j, struct str line, const struct columns *c, size_t number, struct docs_value *ret)
{
    char why[100];
    struct str date = STR("");
    *ret = (struct docs_value){.amount = STR(""), .label = STR("")};
    for (int i = 0; i < 20 && line.p && line.n; i++) {
        struct str text = cell(&line);
        if (i == c->date)
            date = text;
        else if (i == c->amount)
            ret->amount = text;
        else if (i == c->label)
            ret->label = text;
    }
    if (ret->amount.n && cost_dates_day_parse(str_head(date, 10), &ret->day))
        return true;
    snprintf(why, sizeof why, "Row %zu: a row needs a date, YYYY-MM-DD, and an amount", number);
    vantage_fail(j, 422, why);
    return false;
}

static bool next_line(struct str *rest, struct str *ret)
{
    if (!rest->p || !str_split(rest, '\n', ret))
        return false;
    if (str_ends(*ret, STR("\r")))
        ret->n--;
    return true;
}

void business_metrics_csv(struct job *j)
{
    struct doc metric;
    struct columns columns;
    struct str rest = ask_form(j, "csv"), line;
    size_t count = 0, number = 1, cap = 1;
    for (size_t i = 0; i < rest.n; i++)
        cap += rest.p[i] == '\n';
    if (!metric_of(j, &metric))
        return;
    if (str_starts(rest, STR("\xEF\xBB\xBF")))
        rest = str_from(rest, 3);
    if (cap > ROWS_MAX || !next_line(&rest, &line) || !read_header(line, &columns)) {
        vantage_fail(j, 422, "The CSV needs a first line with the columns date, amount and, if wanted, label");
        return;
    }
    struct docs_value *rows = arena_alloc(j->arena, cap * sizeof *rows);
    must(rows);
    while (next_line(&rest, &line)) {
        number++;
        if (line.n && !read_line(j, line, &columns, number, &rows[count++]))
            return;
    }
    if (failed(j, docs_values_put(ask_docs(j), metric.id, false, rows, count)))
        return;
    job_reply_json(j, 200);
    resource_write(j, &metric, STR(""));
}

/* A filter comes in the query or, as the SDK does it, in the body. */
static bool wanted(struct job *j, struct jval body, const char *name, struct str *ret)
{
    struct jval v = jdoc_get(body, name);
    if (jdoc_kind(v) == JDOC_STRING) {
        *ret = jdoc_text(v, j->arena);
        return true;
    }
    return url_query_find(j->query, str_c(name), j->arena, ret);
}

void business_metrics_delete_values(struct job *j)
{
    struct docs_value_query q = {.from_day = INT64_MIN, .until_day = INT64_MAX};
    struct doc metric;
    struct jdoc body;
    struct str text = STR("");
    uint64_t deleted;
    if (!metric_of(j, &metric) || !ask_body(j, &body))
        return;
    struct jval root = jdoc_root(&body);
    bool ok = !wanted(j, root, "start_date", &text) || ask_day(j, "start_date", text, &q.from_day);
    text = STR("");
    if (ok && wanted(j, root, "end_date", &text) && text.n) {
        ok = ask_day(j, "end_date", text, &q.until_day);
        q.until_day += ok;
    }
    q.by_label = wanted(j, root, "label", &q.label); /* an empty one is meant: rows without a label */
    q.metric = metric.id;
    if (ok && !failed(j, docs_values_delete(ask_docs(j), &q, &deleted))) {
        job_reply_json(j, 200);
        json_write_object(&j->json);
        json_write_member_uint(&j->json, "deleted_count", deleted);
        json_write_object_end(&j->json);
    }
    jdoc_free(&body);
}

/* ---- out ---- */

static void write_value(struct json_write *w, const struct docs_value *v)
{
    char text[BILL_DAY_TEXT_MAX + 16];
    size_t n = bill_day_format(v->day, text);
    n += (size_t)snprintf(text + n, sizeof text - n, "T00:00:00Z");
    json_write_object(w);
    json_write_member_string(w, "date", str_of(text, n));
    json_write_member_string(w, "amount", v->amount);
    json_write_member_text(w, "label", v->label);
    json_write_object_end(w);
}

static void list_values(struct job *j, bool forecast)
{
    struct docs_value_query q = {.until_day = INT64_MAX, .from_day = INT64_MIN, .forecast = forecast};
    struct vantage_page page;
    struct doc metric;
    struct docs_value *rows;
    size_t count;
    struct str labels[ASK_LIST_MAX];
    if (!vantage_page_read(j, LIMIT, LIMIT_MAX, &page) || !metric_of(j, &metric) ||
        !ask_day(j, "start_date", ask_text(j, "start_date"), &q.from_day) ||
        !ask_list(j, "label_values", labels, &q.label_count))
        return;
    q.metric = metric.id;
    q.labels = labels;
    q.by_month = str_eq(ask_text(j, "date_bin"), STR("month"));
    q.skip = (page.page - 1) * page.limit;
    q.limit = page.limit;
    if (failed(j, docs_values_list(ask_docs(j), &q, j->arena, &rows, &count)))
        return;
    job_reply_json(j, 200);
    json_write_object(&j->json);
    json_write_key(&j->json, STR("values"));
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        write_value(&j->json, &rows[i]);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

void business_metrics_values(struct job *j)
{
    list_values(j, false);
}

void business_metrics_forecasts(struct job *j)
{
    list_values(j, true);
}

void business_metrics_labels(struct job *j)
{
    struct vantage_page page;
    struct doc metric;
    struct str *labels;
    size_t count;
    if (!vantage_page_read(j, LABELS_MAX, LABELS_MAX, &page) || !metric_of(j, &metric) ||
        failed(j, docs_values_labels(ask_docs(j), metric.id, j->arena, &labels, &count)))
        return;
    job_reply_json(j, 200);
    json_write_object(&j->json);
    vantage_links(j, &page, count, false);
    json_write_key(&j->json, STR("labels"));
    json_write_array(&j->json);
    for (size_t i = (page.page - 1) * page.limit, n = 0; i < count && n < page.limit; i++, n++) {
        json_write_object(&j->json);
        json_write_member_string(&j->json, "value", labels[i]);
        json_write_object_end(&j->json);
    }
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}
