/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual tags as the engine wants them (report/cost/cost_tag.h): values by name, by percentages, by the values of a
 * business metric, by other costs; the days a value holds for, and the month from which the tag holds.
 *
 * Transforms of labels are not applied, and a metric's label_key says nothing here: labels have no keys.
 */
#include <stdio.h>

#include "report/bill/bill_decimal.h"
#include "report/cost/cost_dates.h"
#include "report/docs/docs_values.h"
#include "report/question/question.h"

#define FAIL(e, ...) (snprintf(why, QUESTION_WHY_MAX, __VA_ARGS__), (enum err)(e))
#define PLACES 12
#define HUNDRED_PERCENT ((money_sum)100 * 1000000000000)
#define METRIC_VALUES_MAX 100000
#define DAYS_MAX 3000000

static struct str text_of(const struct question *q, struct jval object, const char *name)
{
    struct str text = jdoc_text(jdoc_get(object, name), q->arena);
    return text.n ? arena_dup(q->arena, text) : STR("");
}

static enum err no_room(char why[QUESTION_WHY_MAX])
{
    return FAIL(ERR_STORE_FAILED, "there are too many virtual tags");
}

/* ---- shares ---- */

static enum err read_percentages(struct question *q, struct jval list, struct cost_tag_value *v,
                                 char why[QUESTION_WHY_MAX])
{
    struct cost_share *shares = arena_alloc(q->arena, (jdoc_size(list) + 1) * sizeof *shares);
    bool exact;
    if (!shares)
        return no_room(why);
    for (struct jval s = jdoc_first(list); jdoc_has(s); s = jdoc_next(list, s)) {
        struct cost_share *share = &shares[v->share_count];
        *share = (struct cost_share){.month = COST_MONTH_ANY, .value = text_of(q, s, "value")};
        if (bill_decimal_read(jdoc_raw(jdoc_get(s, "pct")), PLACES, &share->weight, &exact))
            v->share_count++;
    }
    v->shares = shares;
    v->whole = HUNDRED_PERCENT;
    return ERR_OK;
}

/* "" in `list` is no label. */
static size_t read_labels(const struct question *q, struct jval list, struct str *labels)
{
    size_t n = 0;
    for (struct jval l = jdoc_first(list); jdoc_has(l); l = jdoc_next(list, l))
        labels[n++] = arena_dup(q->arena, jdoc_text(l, q->arena));
    return n;
}

/* What the metric comes to in each month, by label. */
static enum err read_metric(struct question *q, struct jval v, struct str token, struct cost_tag_value *ret,
                            char why[QUESTION_WHY_MAX])
{
    struct doc metric;
    struct docs_value *values;
    struct jval list = jdoc_get(v, "label_values");
    struct str *labels = arena_alloc(q->arena, (jdoc_size(list) + 1) * sizeof *labels);
    size_t count;
    bool exact;
    if (!labels)
        return no_room(why);
    if (docs_find(q->docs, DOCS_BUSINESS_METRIC, token, q->arena, &metric) != ERR_OK)
        return ERR_OK;
    struct docs_value_query ask = {.metric = metric.id,
                                   .from_day = -DAYS_MAX,
                                   .until_day = DAYS_MAX,
                                   .labels = labels,
                                   .label_count = read_labels(q, list, labels),
                                   .by_month = true,
                                   .limit = METRIC_VALUES_MAX};
    enum err e = docs_values_list(q->docs, &ask, q->arena, &values, &count);
    struct cost_share *shares = e == ERR_OK ? arena_alloc(q->arena, (count + 1) * sizeof *shares) : NULL;
    if (!shares)
        return e == ERR_OK ? no_room(why) : FAIL(e, "%.300s", docs_reason(q->docs));
    for (size_t i = 0; i < count; i++) {
        struct cost_share *share = &shares[ret->share_count];
        *share = (struct cost_share){.month = bill_month_of(values[i].day), .value = values[i].label};
        if (values[i].label.n && bill_decimal_read(values[i].amount, PLACES, &share->weight, &exact))
            ret->share_count++;
    }
    ret->shares = shares;
    return ERR_OK;
}

static enum err read_cost_metric(struct question *q, struct jval metric, struct cost_tag_value *v,
                                 char why[QUESTION_WHY_MAX])
{
    struct str filter = text_of(q, metric, "filter");
    v->metric_tag = text_of(q, jdoc_get(metric, "aggregation"), "tag");
    return filter.n ? question_parse(q, filter, &v->metric, why) : ERR_OK;
}

/* ---- when ---- */

static enum err read_spans(struct question *q, struct jval list, struct cost_tag_value *v, char why[QUESTION_WHY_MAX])
{
    struct cost_span *spans = arena_alloc(q->arena, (jdoc_size(list) + 1) * sizeof *spans);
    if (!spans)
        return no_room(why);
    for (struct jval r = jdoc_first(list); jdoc_has(r); r = jdoc_next(list, r)) {
        struct cost_span *s = &spans[v->span_count++];
        *s = (struct cost_span){-DAYS_MAX, DAYS_MAX};
        (void)cost_dates_day_parse(text_of(q, r, "start_date"), &s->from_day);
        if (cost_dates_day_parse(text_of(q, r, "end_date"), &s->until_day))
            s->until_day++;
    }
    v->spans = spans;
    return ERR_OK;
}

/* ---- a tag ---- */

static enum err read_value(struct question *q, struct jval v, struct cost_tag_value *ret, char why[QUESTION_WHY_MAX])
{
    struct str filter = text_of(q, v, "filter"), metric = text_of(q, v, "business_metric_token");
    struct jval shares = jdoc_get(v, "percentages"), costs = jdoc_get(v, "cost_metric"),
                days = jdoc_get(v, "date_ranges");
    *ret = (struct cost_tag_value){.value = text_of(q, v, "name")};
    enum err e = filter.n ? question_parse(q, filter, &ret->filter, why) : ERR_OK;
    if (e == ERR_OK && jdoc_size(shares))
        e = read_percentages(q, shares, ret, why);
    else if (e == ERR_OK && metric.n)
        e = read_metric(q, v, metric, ret, why);
    else if (e == ERR_OK && jdoc_kind(costs) == JDOC_OBJECT)
        e = read_cost_metric(q, costs, ret, why);
    return e == ERR_OK && jdoc_size(days) ? read_spans(q, days, ret, why) : e;
}

static enum err read_collapsed(struct question *q, struct jval list, struct cost_tag *ret, char why[QUESTION_WHY_MAX])
{
    struct str *keys = arena_alloc(q->arena, (jdoc_size(list) + 1) * sizeof *keys);
    if (!keys)
        return no_room(why);
    for (struct jval c = jdoc_first(list); jdoc_has(c); c = jdoc_next(list, c)) {
        keys[ret->collapsed_count] = text_of(q, c, "key");
        ret->collapsed_count += keys[ret->collapsed_count].n > 0;
    }
    ret->collapsed = keys;
    return ERR_OK;
}

static enum err read_tag(struct question *q, struct jval body, struct cost_tag *ret, char why[QUESTION_WHY_MAX])
{
    int64_t day;
    struct jval list = jdoc_get(body, "values");
    struct cost_tag_value *values = arena_alloc(q->arena, (jdoc_size(list) + 1) * sizeof *values);
    if (!values)
        return no_room(why);
    *ret = (struct cost_tag){
        .key = text_of(q, body, "key"), .values = values, .overridable = jdoc_true(jdoc_get(body, "overridable"))};
    if (cost_dates_day_parse(text_of(q, body, "backfill_until"), &day))
        ret->from_day = bill_month_day(bill_month_of(day));
    enum err e = read_collapsed(q, jdoc_get(body, "collapsed_tag_keys"), ret, why);
    for (struct jval v = jdoc_first(list); e == ERR_OK && jdoc_has(v) && ret->count < COST_TAG_VALUES_MAX;
         v = jdoc_next(list, v))
        e = read_value(q, v, &values[ret->count++], why);
    return e;
}

enum err question_virtual_tags(struct question *q, char why[QUESTION_WHY_MAX])
{
    struct docs_query all = {.kind = DOCS_VIRTUAL_TAG, .limit = COST_TAGS_MAX, .unseen = true};
    struct doc *rows;
    size_t count;
    uint64_t total;
    enum err e = docs_list(q->docs, &all, q->arena, &rows, &count, &total);
    if (e != ERR_OK)
        return FAIL(e, "%.300s", docs_reason(q->docs));
    q->tags = arena_alloc(q->arena, (count + 1) * sizeof *q->tags);
    if (!q->tags)
        return no_room(why);
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        struct jdoc body;
        jdoc_init(&body);
        if (jdoc_parse(&body, rows[i].body))
            e = read_tag(q, jdoc_root(&body), &q->tags[q->query.tag_count++], why);
        jdoc_free(&body);
    }
    q->query.tags = q->tags;
    return e;
}
