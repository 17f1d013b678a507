/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Budget alerts: how much of a budget's period is spent, in percent of the whole period's amount.
 *
 * A budget is looked at with all alerts that name it, because of several thresholds that are reached only the highest
 * is said; those below it count as said too. The period is the one with today in it and, for bills that come
 * late, the one before, as far as the alert is older than its end.
 *
 * duration_in_days N narrows the time: from the start, only the costs of the first N days count; from the
 * end, all costs count, but nothing is said before the last N days have begun.
 *
 * A parent is the sum of its leaves: their amounts, and what their reports or segments cost.
 *
 * With the basis "forecast" it is what the period under way will have cost by its end: its days until yesterday and
 * the forecast of the others. Such alerts are a set of their own, and have no windows.
 */
#include <stdio.h>

#include "base/json_write.h"
#include "base/log.h"
#include "base/must.h"
#include "report/forecast/forecast_report.h"
#include "report/question/budget_period.h"
#include "report/watch/watch_fire.h"
#include "report/watch/watch_inner.h"
#include "report/watch/watch_text.h"

#define ALERTS_MAX 200
#define LEAVES_MAX 500
#define MEMO_MAX 16
#define KIND "budget_alert"
#define LATE_DAYS 35 /* the importer looks so far back every day */

/* One period of one budget without children. */
struct leaf {
    struct doc report; /* or a segment; id 0: there is none, it costs nothing */
    int64_t from, end; /* both belong to it */
    money_sum amount;
};

struct budget {
    struct watch_turn *turn;
    const struct doc *doc;
    struct leaf *leaves; /* LEAVES_MAX */
    size_t leaf_count;
    int64_t from, end; /* the earliest and the latest of them */
    money_sum amount;
    money_sum foreseen; /* at the end of all of them */
    bool is_foreseen;
    struct {
        int64_t until;
        money_sum spent;
    } memo[MEMO_MAX];
    size_t memo_count;
};

struct alert {
    struct doc doc;
    int64_t threshold, days; /* days 0: the whole period */
    bool from_end;
    bool forecast;
    bool hit;
    money_sum spent;
};

/* ---- the budget of a day ---- */

static void add_leaf(struct budget *b, struct str report, const struct budget_period *p)
{
    struct watch_turn *t = b->turn;
    struct leaf *l = &b->leaves[b->leaf_count];
    if (b->leaf_count == LEAVES_MAX)
        return;
    *l = (struct leaf){.from = p->from_day, .end = p->last_day, .amount = p->amount};
    if (report.n && docs_find(t->docs, DOCS_COST_REPORT, report, t->arena, &l->report) != ERR_OK &&
        docs_find(t->docs, DOCS_SEGMENT, report, t->arena, &l->report) != ERR_OK)
        l->report.id = 0;
    b->from = !b->leaf_count || l->from < b->from ? l->from : b->from;
    b->end = !b->leaf_count || l->end > b->end ? l->end : b->end;
    b->amount += l->amount;
    b->leaf_count++;
}

/* The periods with `day` in them, of the budget and of those below it. */
static void gather(struct budget *b, struct str text, int64_t day, unsigned depth)
{
    struct watch_turn *t = b->turn;
    struct jdoc body;
    jdoc_init(&body);
    if (depth > DOCS_DEPTH_MAX || !jdoc_parse(&body, text)) {
        jdoc_free(&body);
        return;
    }
    struct jval root = jdoc_root(&body), periods = jdoc_get(root, "periods"),
                children = jdoc_get(root, "child_budget_tokens");
    for (struct jval v = jdoc_first(periods); jdoc_has(v) && !jdoc_size(children); v = jdoc_next(periods, v)) {
        struct budget_period p;
        if (budget_period_read(periods, v, t->arena, &p) && p.from_day <= day && day <= p.last_day)
            add_leaf(b, jdoc_text(jdoc_get(root, "cost_report_token"), t->arena), &p);
    }
    for (struct jval v = jdoc_first(children); jdoc_has(v); v = jdoc_next(children, v)) {
        struct doc child;
        if (docs_find(t->docs, DOCS_BUDGET, jdoc_text(v, t->arena), t->arena, &child) == ERR_OK)
            gather(b, child.body, day, depth + 1);
    }
    jdoc_free(&body);
}

/* ---- what it has cost ---- */

/* A segment is asked like a report with its filter. */
static enum err leaf_cost(struct watch_turn *t, const struct leaf *l, int64_t until, money_sum *ret)
{
    struct question *q;
    struct cost_result *result;
    *ret = 0;
    if (!l->report.id || until <= l->from)
        return ERR_OK;
    enum err e = watch_question(t, &l->report, &q);
    if (e != ERR_OK)
        return e;
    q->query.group_count = 0;
    q->query.bin = COST_BIN_TOTAL;
    q->query.from_day = l->from;
    q->query.until_day = until;
    e = watch_costs(t, q, &result);
    if (e == ERR_OK) {
        *ret = cost_amount_pusd(result->total);
        cost_result_free(result);
    }
    question_free(q);
    return e;
}

/* Of all leaves, days before `until`. */
static enum err spent(struct budget *b, int64_t until, money_sum *ret)
{
    money_sum sum = 0, one;
    for (size_t i = 0; i < b->memo_count; i++)
        if (b->memo[i].until == until) {
            *ret = b->memo[i].spent;
            return ERR_OK;
        }
    for (size_t i = 0; i < b->leaf_count; i++) {
        int64_t end = b->leaves[i].end + 1;
        enum err e = leaf_cost(b->turn, &b->leaves[i], end < until ? end : until, &one);
        if (e != ERR_OK)
            return e;
        sum += one;
    }
    if (b->memo_count < MEMO_MAX) {
        b->memo[b->memo_count].until = until;
        b->memo[b->memo_count++].spent = sum;
    }
    *ret = sum;
    return ERR_OK;
}

/* What a leaf will cost from today to its end. */
static enum err leaf_forecast(struct watch_turn *t, const struct leaf *l, money_sum *ret)
{
    char why[QUESTION_WHY_MAX] = "";
    struct question *q;
    struct forecast_report f;
    int64_t days = l->end - t->today + 1;
    *ret = 0;
    if (!l->report.id || days <= 0)
        return ERR_OK;
    enum err e = watch_question(t, &l->report, &q);
    if (e != ERR_OK)
        return e;
    e = forecast_report(q, t->reader, watch_inner_control(t->watch), t->today,
                        days < FORECAST_DAYS_MAX ? (size_t)days : FORECAST_DAYS_MAX, &f, why);
    for (size_t d = 0; e == ERR_OK && d < f.days; d++)
        *ret += f.series[0].points[d].amount;
    if (e != ERR_OK)
        log_warn("report_not_asked", LOG_STR("report", l->report.token), LOG_TEXT("why", why));
    question_free(q);
    return e;
}

static enum err foresee(struct budget *b, money_sum *ret)
{
    money_sum one;
    enum err e = b->is_foreseen ? ERR_OK : spent(b, b->turn->today, &b->foreseen);
    for (size_t i = 0; e == ERR_OK && !b->is_foreseen && i < b->leaf_count; i++)
        if ((e = leaf_forecast(b->turn, &b->leaves[i], &one)) == ERR_OK)
            b->foreseen += one;
    b->is_foreseen = e == ERR_OK;
    *ret = b->foreseen;
    return e;
}

/* ---- alerts ---- */

static bool read_alert(struct watch_turn *t, struct str token, struct alert *a)
{
    struct jdoc body;
    *a = (struct alert){.threshold = 0};
    if (docs_find(t->docs, DOCS_BUDGET_ALERT, token, t->arena, &a->doc) != ERR_OK)
        return false;
    jdoc_init(&body);
    bool ok = jdoc_parse(&body, a->doc.body);
    struct jval root = ok ? jdoc_root(&body) : (struct jval){0};
    ok = ok && str_to_i64(jdoc_raw(jdoc_get(root, "threshold")), &a->threshold);
    a->days = (int64_t)jdoc_count(jdoc_get(root, "duration_in_days"), 0);
    a->from_end = jdoc_is(jdoc_get(root, "period_to_track"), "end_of_the_month");
    a->forecast = jdoc_is(jdoc_get(root, "basis"), "forecast");
    a->days = a->forecast ? 0 : a->days;
    jdoc_free(&body);
    return ok;
}

static enum err judge(struct budget *b, struct alert *a)
{
    int64_t until = b->turn->today + 1, first = b->end + 1 - a->days;
    a->hit = false;
    if (a->forecast && b->turn->today > b->end)
        return ERR_OK;
    if (a->days > 0 && a->from_end && b->turn->today < first)
        return ERR_OK;
    if (a->days > 0 && !a->from_end && until > b->from + a->days)
        until = b->from + a->days;
    enum err e = a->forecast ? foresee(b, &a->spent) : spent(b, until, &a->spent);
    a->hit = e == ERR_OK && b->amount > 0 && a->spent > 0 && a->spent * 100 >= b->amount * (money_sum)a->threshold;
    return e;
}

static struct str key_of(struct budget *b, const struct alert *a, char out[WATCH_KEY_MAX])
{
    char day[BILL_DAY_TEXT_MAX];
    int n = snprintf(out, WATCH_KEY_MAX, "%.60s/%.60s/%s/%lld%s", a->doc.token.p, b->doc->token.p,
                     watch_day(b->from, day), (long long)a->threshold, a->forecast ? "/forecast" : "");
    return str_of(out, (size_t)n);
}

static bool write_json(const struct budget *b, const struct alert *a, struct buf *out)
{
    struct json_write w;
    char from[BILL_DAY_TEXT_MAX], end[BILL_DAY_TEXT_MAX];
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_member_string(&w, "budget_alert_token", a->doc.token);
    json_write_member_string(&w, "budget_token", b->doc->token);
    json_write_member_string(&w, "budget_name", b->doc->title);
    json_write_member_int(&w, "threshold", a->threshold);
    json_write_member_string(&w, "basis", a->forecast ? STR("forecast") : STR("actual"));
    json_write_key(&w, a->forecast ? STR("forecast") : STR("spent"));
    json_write_money_string(&w, a->spent);
    json_write_key(&w, STR("amount"));
    json_write_money_string(&w, b->amount);
    json_write_member_string(&w, "start_at", str_of(from, bill_day_format(b->from, from)));
    json_write_member_string(&w, "end_at", str_of(end, bill_day_format(b->end, end)));
    json_write_object_end(&w);
    return json_write_done(&w);
}

/* The reports of the leaves, each once. */
static size_t reports_of(const struct budget *b, struct str *list)
{
    size_t count = 0;
    for (size_t i = 0; i < b->leaf_count; i++) {
        const struct doc *report = &b->leaves[i].report;
        bool known = !report->id || report->kind != DOCS_COST_REPORT || count == 100;
        for (size_t k = 0; k < count && !known; k++)
            known = str_eq(list[k], report->token);
        if (!known)
            list[count++] = report->token;
    }
    return count;
}

static enum err fire(struct budget *b, const struct alert *a)
{
    struct watch_turn *t = b->turn;
    struct watch_people people = {.count = 0};
    char key[WATCH_KEY_MAX], subject[NOTIFY_SUBJECT_MAX], cost[WATCH_USD_MAX], amount[WATCH_USD_MAX];
    char part[WATCH_PERCENT_MAX], from[BILL_DAY_TEXT_MAX], end[BILL_DAY_TEXT_MAX];
    struct buf text, json;
    struct jdoc body;
    struct str reports[100];
    struct watch_alert alert = {.kind = KIND, .key = key_of(b, a, key), .workspace = b->doc->workspace};
    watch_percent(watch_of_pusd(a->spent), watch_of_pusd(b->amount), part);
    watch_usd(watch_of_pusd(a->spent), cost);
    watch_usd(watch_of_pusd(b->amount), amount);
    int n = snprintf(subject, sizeof subject, "Budget %.150s: %s of %s %s (%s; alert at %lld%%)", b->doc->title.p, cost,
                     amount, a->forecast ? "foreseen" : "spent", part, (long long)a->threshold);
    buf_init(&text, WATCH_MESSAGE_MAX);
    buf_init(&json, WATCH_MESSAGE_MAX);
    jdoc_init(&body);
    bool ok = buf_printf(&text, "The budget \"%.300s\" %s %lld%%.\n\n%s %s (%s)\nBudget: %s\nPeriod: %s to %s\n",
                         b->doc->title.p, a->forecast ? "will reach" : "has reached", (long long)a->threshold,
                         a->forecast ? "Foreseen:" : "Spent: ", cost, part, amount, watch_day(b->from, from),
                         watch_day(b->end, end));
    ok = ok && (!a->days || buf_printf(&text, "Counted: the %s %lld days of the period\n",
                                       a->from_end ? "last" : "first", (long long)a->days));
    ok = ok && write_json(b, a, &json) && jdoc_parse(&body, a->doc.body);
    must(ok);
    watch_people_add(t, b->doc->workspace, jdoc_root(&body), &people);
    alert.people = &people;
    alert.subject = str_of(subject, (size_t)n < sizeof subject ? (size_t)n : sizeof subject - 1);
    alert.text = buf_str(&text);
    alert.json = buf_str(&json);
    alert.link = STR("/console/");
    alert.reports = reports;
    alert.report_count = reports_of(b, reports);
    alert.day = t->today < b->end ? t->today : b->end;
    enum err e = watch_fire(t, &alert, NULL);
    jdoc_free(&body);
    buf_free(&text);
    buf_free(&json);
    return e;
}

/* Of those that are reached the highest is said; several of the same height each have their people. */
static enum err say(struct budget *b, struct alert *alerts, size_t count, bool forecast)
{
    int64_t top = INT64_MIN;
    char key[WATCH_KEY_MAX];
    enum err e = ERR_OK;
    for (size_t i = 0; i < count; i++)
        if (alerts[i].hit && alerts[i].forecast == forecast && alerts[i].threshold > top)
            top = alerts[i].threshold;
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        if (alerts[i].hit && alerts[i].forecast == forecast)
            e = alerts[i].threshold == top
                    ? fire(b, &alerts[i])
                    : watch_keep_quiet(b->turn, KIND, key_of(b, &alerts[i], key), b->doc->workspace);
    return e;
}

/* The periods with `day` in them. */
static enum err on_day(struct budget *b, struct alert *alerts, size_t count, int64_t day)
{
    enum err e = ERR_OK;
    b->leaf_count = b->memo_count = 0;
    b->is_foreseen = false;
    b->amount = 0;
    gather(b, b->doc->body, day, 1);
    if (!b->leaf_count)
        return ERR_OK;
    bool over = b->turn->today > b->end;
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        alerts[i].hit = false;
        if (!over || bill_day_of(alerts[i].doc.created_us) <= b->end)
            e = judge(b, &alerts[i]);
    }
    if (e == ERR_OK)
        e = say(b, alerts, count, false);
    return e == ERR_OK ? say(b, alerts, count, true) : e;
}

static enum err look(struct watch_turn *t, const struct doc *doc, struct jval body)
{
    struct budget b = {.turn = t, .doc = doc};
    struct str *tokens;
    size_t named, count = 0;
    (void)body;
    enum err e = docs_users(t->docs, DOCS_BUDGET_ALERT, doc->token, t->arena, &tokens, &named);
    if (e != ERR_OK || !named)
        return e;
    struct alert *alerts = arena_alloc(t->arena, ALERTS_MAX * sizeof *alerts);
    b.leaves = arena_alloc(t->arena, LEAVES_MAX * sizeof *b.leaves);
    if (!alerts || !b.leaves)
        return ERR_STORE_FAILED;
    for (size_t i = 0; i < named && count < ALERTS_MAX; i++)
        count += read_alert(t, tokens[i], &alerts[count]);
    e = on_day(&b, alerts, count, t->today);
    int64_t before = b.leaf_count ? b.from - 1 : bill_month_day(bill_month_of(t->today)) - 1;
    if (e == ERR_OK && before > t->today - LATE_DAYS)
        e = on_day(&b, alerts, count, before);
    return e;
}

enum err eval_budget_run(struct watch_turn *t)
{
    return watch_each(t, DOCS_BUDGET, look);
}
