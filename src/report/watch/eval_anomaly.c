/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anomalies: every cost report's costs by provider, service and category, a day each, judged by anomaly_rule.h.
 *
 * Today and the days that a late bill may still change are judged, in both ledgers: what the gateway
 * has metered is there within the hour, what was billed is what counts. An anomaly is the same in both, so
 * it is told of once; its amounts are those of the bill as soon as there is one.
 *
 * The report's filters hold, its groupings do not. A day after an anomaly that is one too belongs to it. Where one
 * API key explains most of the excess, it is named.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "control/control.h"
#include "report/watch/anomaly_rule.h"
#include "report/watch/anomaly_store.h"
#include "report/watch/watch_eval.h"
#include "report/watch/watch_inner.h"

#define LATE_DAYS 7
#define WINDOW (ANOMALY_HISTORY_MAX + LATE_DAYS + 1)
#define MINIMUM_PUSD (10 * (money_sum)MONEY_PUSD_PER_USD)
#define ACTIVE_US (7 * BILL_DAY_US)
#define EXPLAINS_PERCENT 80
#define METERED "costs.provider = 'open_ai' AND costs.ledger = 'metered'"
#define FILTER_MAX 8192

struct look {
    struct watch_turn *turn;
    const struct doc *report;
    bool metered;
    bool decides; /* its amounts are the ones that are kept */
    int64_t from; /* the first day of the window */
};

struct series {
    struct str provider, service, category;
    money_sum days[WINDOW];
};

/* ---- which key ---- */

static bool add_test(struct buf *out, const char *field, struct str value)
{
    if (!value.n)
        return buf_printf(out, " AND %s = NULL", field);
    return buf_printf(out, " AND %s = ", field) && vql_print_string(value, out);
}

static enum err ask_key(const struct look *l, const struct series *s, int64_t day, struct cost_result **ret)
{
    char why[QUESTION_WHY_MAX];
    struct question *q;
    struct buf filter;
    enum err e = watch_question(l->turn, l->report, &q);
    if (e != ERR_OK)
        return e;
    buf_init(&filter, FILTER_MAX);
    bool fits = buf_add_str(&filter, STR("costs.provider = ")) && vql_print_string(s->provider, &filter) &&
                add_test(&filter, "costs.service", s->service) && add_test(&filter, "costs.category", s->category) &&
                (!l->metered || buf_add_str(&filter, STR(" AND costs.ledger = 'metered'")));
    e = fits ? question_filter(q, buf_str(&filter), why) : ERR_BAD_PARAMETER;
    if (e == ERR_OK)
        e = question_groups(q, STR("resource_id"), why);
    q->query.bin = COST_BIN_DAY;
    q->query.from_day = day - 7;
    q->query.until_day = day + 1;
    if (e == ERR_OK)
        e = watch_costs(l->turn, q, ret);
    buf_free(&filter);
    question_free(q);
    return e;
}

/* The key whose rise over its own last week is most of `excess`. */
static void name_key(const struct look *l, const struct series *s, int64_t day, money_sum excess, struct anomaly *a)
{
    struct cost_result *r;
    if (ask_key(l, s, day, &r) != ERR_OK)
        return; /* logged; the anomaly is one without this too */
    for (size_t i = 0; i < r->row_count; i++) {
        const struct cost_row *row = &r->rows[i];
        if (bill_day_of(row->start_us) != day || !row->values[0].n)
            continue;
        money_sum before = 0, rise;
        for (size_t k = 0; k < r->row_count; k++)
            if (bill_day_of(r->rows[k].start_us) != day && str_eq(r->rows[k].values[0], row->values[0]))
                before += cost_amount_pusd(r->rows[k].amount);
        rise = cost_amount_pusd(row->amount) - before / 7;
        if (rise * 100 >= excess * EXPLAINS_PERCENT) {
            a->resource = arena_dup(l->turn->arena, row->values[0]);
            a->resource_name = arena_dup(l->turn->arena, row->names[0]);
        }
    }
    cost_result_free(r);
}

/* ---- one day ---- */

static struct str text_of(struct watch_turn *t, money_sum pusd)
{
    char text[COST_TEXT_MAX];
    struct str s = arena_dup(t->arena, str_of(text, cost_amount_format((cost_sum)pusd * COST_PER_PUSD, text)));
    must(s.p); /* emptied for every report */
    return s;
}

static void set_amounts(struct watch_turn *t, const struct anomaly_verdict *v, money_sum amount, struct anomaly *a)
{
    a->amount = text_of(t, amount);
    a->previous = text_of(t, v->previous);
    a->average = text_of(t, v->average);
    a->expected = text_of(t, v->expected);
}

static enum err make(const struct look *l, const struct series *s, int64_t day, const struct anomaly_verdict *v,
                     struct anomaly *a)
{
    struct watch_turn *t = l->turn;
    char token[DOCS_TOKEN_MAX];
    money_sum amount = s->days[day - l->from];
    int n = snprintf(token, sizeof token, ANOMALY_TOKEN "%016llx", (unsigned long long)rng_u64());
    a->token = str_of(token, (size_t)n);
    a->workspace = l->report->workspace;
    a->first_day = a->last_day = day;
    a->created_us = a->alerted_us = t->now_us;
    a->status = STR(ANOMALY_ACTIVE);
    a->resource = a->resource_name = STR("");
    set_amounts(t, v, amount, a);
    name_key(l, s, day, amount - v->expected, a);
    log_info("anomaly_found", LOG_STR("report", a->report), LOG_STR("service", a->service),
             LOG_STR("category", a->category), LOG_STR("amount", a->amount));
    return anomaly_insert(t->docs, a);
}

static enum err judge_day(const struct look *l, const struct series *s, int64_t day)
{
    struct watch_turn *t = l->turn;
    size_t at = (size_t)(day - l->from), first = 0;
    while (first < at && !s->days[first])
        first++;
    struct anomaly a = {
        .report = l->report->token, .provider = s->provider, .service = s->service, .category = s->category};
    struct anomaly_verdict v = anomaly_judge(s->days + first, at - first + 1, MINIMUM_PUSD);
    if (!v.known)
        return ERR_OK;
    struct anomaly near;
    enum err e = anomaly_near(t->docs, &a, day, t->arena, &near);
    bool there = e == ERR_OK;
    if (e == ERR_NOT_FOUND)
        return v.found ? make(l, s, day, &v, &a) : ERR_OK;
    if (!there)
        return e;
    bool renewed = near.first_day == day && l->decides && s->days[at] > 0;
    if (renewed)
        set_amounts(t, &v, s->days[at], &near);
    bool longer = v.found && day > near.last_day;
    near.last_day = longer ? day : near.last_day;
    return renewed || longer ? anomaly_renew(t->docs, &near) : ERR_OK;
}

/* ---- one report ---- */

static int compare_rows(const void *x, const void *y)
{
    const struct cost_row *a = *(const struct cost_row *const *)x, *b = *(const struct cost_row *const *)y;
    for (unsigned i = 0; i < 3; i++) {
        int c = str_cmp(a->values[i], b->values[i]);
        if (c)
            return c;
    }
    return 0;
}

/* Days in one array for each group; what has never cost the minimum is not looked at. */
static enum err judge_all(const struct look *l, const struct cost_result *r)
{
    struct watch_turn *t = l->turn;
    const struct cost_row **rows = mem_alloc((r->row_count + 1) * sizeof(const struct cost_row *));
    enum err e = ERR_OK;
    for (size_t i = 0; i < r->row_count; i++)
        rows[i] = &r->rows[i];
    qsort(rows, r->row_count, sizeof(const struct cost_row *), compare_rows);
    for (size_t i = 0, end; e == ERR_OK && i < r->row_count && !watch_ending(t); i = end) {
        struct series s = {rows[i]->values[0], rows[i]->values[1], rows[i]->values[2], {0}};
        bool worth = false;
        for (end = i; end < r->row_count && compare_rows(&rows[i], &rows[end]) == 0; end++) {
            int64_t at = bill_day_of(rows[end]->start_us) - l->from;
            must(at >= 0 && at < WINDOW);
            s.days[at] += cost_amount_pusd(rows[end]->amount);
            worth = worth || (at >= WINDOW - 1 - LATE_DAYS && s.days[at] >= MINIMUM_PUSD);
        }
        for (int64_t day = t->today - LATE_DAYS; worth && e == ERR_OK && day <= t->today; day++)
            e = judge_day(l, &s, day);
    }
    mem_free(rows);
    return e;
}

static enum err in_ledger(struct look *l)
{
    struct watch_turn *t = l->turn;
    char why[QUESTION_WHY_MAX];
    struct question *q;
    struct cost_result *result;
    enum err e = watch_question(t, l->report, &q);
    if (e != ERR_OK)
        return e;
    e = question_groups(q, STR("provider,service,cost_category"), why);
    if (e == ERR_OK && l->metered)
        e = question_filter(q, STR(METERED), why);
    bool billed_too = q->query.scope.account_count > 0;
    unsigned named = 0;
    for (size_t i = 0; i < q->query.filter_count; i++)
        named |= vql_ledgers(q->filters[i]);
    q->query.bin = COST_BIN_DAY;
    q->query.from_day = l->from;
    q->query.until_day = t->today + 1;
    l->decides = !l->metered || !billed_too;
    /* The second time only for reports that do not name their ledgers themselves: METERED is then the only one. */
    bool wanted = !l->metered || named == 1u << VQL_METERED;
    l->decides = l->decides || named == 1u << VQL_METERED;
    if (e == ERR_OK && wanted)
        e = watch_costs(t, q, &result);
    if (e == ERR_OK && wanted) {
        e = judge_all(l, result);
        cost_result_free(result);
    }
    question_free(q);
    return e;
}

static enum err look_at(struct watch_turn *t, const struct doc *doc, struct jval body)
{
    struct look l = {.turn = t, .report = doc, .from = t->today + 1 - WINDOW};
    (void)body;
    enum err e = in_ledger(&l);
    l.metered = true;
    return e == ERR_OK ? in_ledger(&l) : e;
}

static enum err make_default(struct watch_turn *t, int64_t workspace)
{
    struct arena *a = arena_new(16u << 10, 1u << 20);
    struct doc doc;
    enum err e = docs_default_report(t->docs, workspace, a, &doc);
    arena_free(a);
    return e;
}

/* A workspace whose costs nobody has looked at yet has its report of everything nevertheless. */
static enum err make_defaults(struct watch_turn *t)
{
    struct control_workspace *places = NULL;
    struct bill_account *rows;
    struct control_why why;
    struct control *control = watch_inner_control(t->watch);
    size_t count = 0, place_count = 0;
    enum err e = t->bill ? bill_accounts(bill_reader_db(t->bill), 0, t->arena, &rows, &count) : ERR_OK;
    if (e == ERR_OK && control)
        e = control_workspace_list(control, t->arena, &places, &place_count, &why);
    enum err first = e;
    for (size_t i = 0; e == ERR_OK && i < place_count + (control ? 0 : count); i++) {
        enum err failed = make_default(t, control ? places[i].id : rows[i].workspace);
        first = first == ERR_OK ? failed : first;
    }
    return first;
}

enum err eval_anomaly_run(struct watch_turn *t)
{
    enum err made = make_defaults(t); /* a workspace that cannot have one keeps no other from being looked at */
    enum err e = watch_each(t, DOCS_COST_REPORT, look_at);
    if (e == ERR_OK)
        e = anomaly_archive(t->docs, t->now_us - ACTIVE_US);
    return e == ERR_OK ? made : e;
}
