/* SPDX-License-Identifier: Apache-2.0 */
/* One query by day, provider and service; each service's days stand in one array. */
#include "report/forecast/forecast_report.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "report/question/question_known.h"

#define LATE_DAYS 3
#define FAIL(e, ...) (snprintf(why, QUESTION_WHY_MAX, __VA_ARGS__), (enum err)(e))

struct work {
    struct arena *arena;
    int64_t from, today;
    size_t window;     /* days from `from` to yesterday */
    money_sum *total;  /* window */
    size_t first, end; /* of the window: what counts */
    size_t ahead;      /* from `end` on */
};

static int compare_rows(const void *x, const void *y)
{
    const struct cost_row *a = *(const struct cost_row *const *)x, *b = *(const struct cost_row *const *)y;
    int c = str_cmp(a->values[0], b->values[0]);
    return c ? c : str_cmp(a->values[1], b->values[1]);
}

static void find_ends(struct work *w, const struct cost_result *r)
{
    for (size_t i = 0; i < r->row_count; i++)
        w->total[bill_day_of(r->rows[i].start_us) - w->from] += cost_amount_pusd(r->rows[i].amount);
    w->end = w->window;
    while (w->end > 0 && w->window - w->end < LATE_DAYS && !w->total[w->end - 1])
        w->end--;
    while (w->first < w->end && !w->total[w->first])
        w->first++;
    w->ahead += w->window - w->end;
}

/* Days that are over by now were foreseen only to get to those that are not. */
static bool foresee(const struct work *w, const money_sum *days, struct forecast_series *s)
{
    s->points = arena_alloc(w->arena, w->ahead * sizeof *s->points);
    if (!s->points)
        return false;
    forecast_days(days + w->first, w->end - w->first, w->ahead, s->points);
    s->points += w->window - w->end;
    return true;
}

static bool add_series(struct work *w, const struct cost_row *const *rows, size_t count, struct forecast_series *s)
{
    money_sum *days = mem_zalloc((w->window + 1) * sizeof *days);
    for (size_t i = 0; i < count; i++)
        days[bill_day_of(rows[i]->start_us) - w->from] += cost_amount_pusd(rows[i]->amount);
    s->provider = arena_dup(w->arena, rows[0]->values[0]);
    s->service = arena_dup(w->arena, rows[0]->values[1]);
    bool ok = s->provider.p && s->service.p && foresee(w, days, s);
    mem_free(days);
    return ok;
}

/* The band of all together stays as far from the sum as it was from the total's own forecast. */
static void add_up(struct forecast_report *f)
{
    for (size_t d = 0; d < f->days && f->count > 1; d++) {
        struct forecast_point *all = &f->series[0].points[d];
        money_sum sum = 0;
        for (size_t i = 1; i < f->count; i++)
            sum += f->series[i].points[d].amount;
        all->lower += sum - all->amount;
        all->upper += sum - all->amount;
        all->lower = all->lower < 0 && sum >= 0 ? 0 : all->lower;
        all->amount = sum;
    }
}

static enum err make(struct work *w, const struct cost_result *r, struct forecast_report *f, char why[QUESTION_WHY_MAX])
{
    const struct cost_row **rows = mem_alloc((r->row_count + 1) * sizeof(const struct cost_row *));
    size_t groups = 1;
    for (size_t i = 0; i < r->row_count; i++)
        rows[i] = &r->rows[i];
    qsort(rows, r->row_count, sizeof(const struct cost_row *), compare_rows);
    for (size_t i = 1; i <= r->row_count; i++)
        groups += i == r->row_count || compare_rows(&rows[i - 1], &rows[i]) != 0;
    f->series = groups <= FORECAST_SERIES_MAX ? arena_alloc(w->arena, groups * sizeof *f->series) : NULL;
    bool ok = f->series && foresee(w, w->total, &f->series[0]);
    if (ok) {
        f->series[0].provider = f->series[0].service = STR("all");
        f->count = 1;
    }
    for (size_t i = 0, end; ok && i < r->row_count; i = end) {
        for (end = i + 1; end < r->row_count && compare_rows(&rows[i], &rows[end]) == 0;)
            end++;
        ok = add_series(w, rows + i, end - i, &f->series[f->count]);
        f->count += ok;
    }
    mem_free(rows);
    if (!ok)
        return FAIL(ERR_BAD_PARAMETER, "there are too many services to forecast; filter the report");
    add_up(f);
    return ERR_OK;
}

enum err forecast_report(struct question *q, struct cost_reader *r, struct control *c, int64_t today, size_t days,
                         struct forecast_report *ret, char why[QUESTION_WHY_MAX])
{
    struct cost_result *result;
    struct control_why reason = {.param = ""};
    struct work w = {.arena = q->arena, .today = today, .window = FORECAST_HISTORY_MAX + LATE_DAYS};
    must(days && days <= FORECAST_DAYS_MAX);
    w.from = today - (int64_t)w.window;
    w.ahead = days;
    *ret = (struct forecast_report){.from_day = today, .days = days};
    enum err e = question_groups(q, STR("provider,service"), why);
    q->query.bin = COST_BIN_DAY;
    q->query.from_day = w.from;
    q->query.until_day = today;
    if (e == ERR_OK && c && (e = question_known(c, q->workspace, q->arena, &q->query, &reason)) != ERR_OK)
        return FAIL(e, "%.300s", reason.text);
    if (e == ERR_OK)
        e = question_run(q, r, &result, why);
    if (e != ERR_OK)
        return e;
    w.total = mem_zalloc((w.window + 1) * sizeof *w.total);
    find_ends(&w, result);
    e = make(&w, result, ret, why);
    mem_free(w.total);
    cost_result_free(result);
    return e;
}
