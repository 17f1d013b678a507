/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each period is one cost query. Shares are whole numbers of pico-dollars times days, so nothing is rounded
 * before the percent is.
 */
#include "console/vantage/budgets.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "console/vantage/cost_ask.h"
#include "console/vantage/vantage_reply.h"
#include "report/question/budget_period.h"

#define MONTHS_MAX 120
#define PERIODS_MAX 500

struct month {
    int64_t month;
    money_sum amount;     /* of the whole periods that begin in it */
    money_sum due, spent; /* of the days so far */
};

struct performance {
    struct job *job;
    const struct sight *sight;
    int64_t today;
    struct month months[MONTHS_MAX]; /* by month */
    size_t count;
};

static struct month *month_of(struct performance *p, int64_t month)
{
    size_t at = 0;
    while (at < p->count && p->months[at].month < month)
        at++;
    if (at < p->count && p->months[at].month == month)
        return &p->months[at];
    if (p->count == MONTHS_MAX)
        return NULL;
    memmove(&p->months[at + 1], &p->months[at], (p->count - at) * sizeof p->months[0]);
    p->months[at] = (struct month){.month = month};
    p->count++;
    return &p->months[at];
}

/* What the budget's report, or segment, has cost. False when the job was answered. */
static bool spent(struct performance *p, struct jval budget, int64_t from, int64_t to, money_sum *ret)
{
    struct job *j = p->job;
    struct str token = jdoc_text(jdoc_get(budget, "cost_report_token"), j->arena);
    char start[BILL_DAY_TEXT_MAX], end[BILL_DAY_TEXT_MAX];
    struct cost_given given = {.report = token};
    struct cost_ask *a;
    struct doc segment;
    struct jdoc body;
    *ret = 0;
    if (!token.n)
        return true;
    given.start = str_of(start, bill_day_format(from, start));
    given.end = str_of(end, bill_day_format(to, end));
    given.groups[given.group_count++] = STR("provider");
    jdoc_init(&body);
    if (docs_find(ask_docs(j), DOCS_SEGMENT, token, j->arena, &segment) == ERR_OK && jdoc_parse(&body, segment.body)) {
        struct str filter = jdoc_text(jdoc_get(jdoc_root(&body), "filter"), j->arena);
        given.report = STR("");
        given.filter = filter.n ? filter : STR(" "); /* without one it lets everything through, as for alerts */
        given.workspace = ask_id_token(j, "wrkspc_", segment.workspace);
    }
    jdoc_free(&body);
    if (!cost_ask_begin(j, p->sight, &given, &a))
        return false;
    a->query.bin = COST_BIN_TOTAL;
    struct cost_result *result = cost_ask_run(j, a);
    if (result)
        *ret = cost_amount_pusd(result->total);
    bool ok = result != NULL;
    cost_result_free(result);
    cost_ask_free(a);
    return ok;
}

static bool add_period(struct performance *p, struct jval budget, struct jval list, struct jval period)
{
    struct budget_period b;
    money_sum cost;
    if (!budget_period_read(list, period, p->job->arena, &b) || b.from_day > p->today)
        return true;
    int64_t days = b.last_day - b.from_day + 1, last = b.last_day < p->today ? b.last_day : p->today;
    struct month *m = month_of(p, bill_month_of(b.from_day));
    if (!m)
        return true;
    if (!spent(p, budget, b.from_day, last, &cost))
        return false;
    m->amount += b.amount;
    m->due += b.amount * (last - b.from_day + 1) / days;
    m->spent += cost;
    return true;
}

static bool add_budget(struct performance *p, struct str text, unsigned depth)
{
    struct job *j = p->job;
    struct jdoc body;
    bool ok = true;
    jdoc_init(&body);
    if (depth > DOCS_DEPTH_MAX || !jdoc_parse(&body, text)) {
        jdoc_free(&body);
        return true;
    }
    struct jval root = jdoc_root(&body), periods = jdoc_get(root, "periods"),
                children = jdoc_get(root, "child_budget_tokens");
    for (struct jval v = jdoc_first(periods); ok && jdoc_has(v); v = jdoc_next(periods, v))
        ok = add_period(p, root, periods, v);
    for (struct jval v = jdoc_first(children); ok && jdoc_has(v); v = jdoc_next(children, v)) {
        struct doc child;
        if (docs_find(ask_docs(j), DOCS_BUDGET, jdoc_text(v, j->arena), j->arena, &child) == ERR_OK)
            ok = add_budget(p, child.body, depth + 1);
    }
    jdoc_free(&body);
    return ok;
}

/* "-50%", "12.34%": hundredths of a percent, half away from zero. */
static size_t percent(const struct month *m, char out[48])
{
    money_sum over = m->spent - m->due, size = over < 0 ? -over : over;
    if (m->due <= 0)
        return (size_t)snprintf(out, 48, m->spent > 0 ? "100%%" : "0%%");
    /* A dollar's millionth is enough on both sides, and what is left fits in 128 bits. */
    money_sum hundredths = (size / 1000000 * 10000 + m->due / 2000000) / (m->due / 1000000 > 0 ? m->due / 1000000 : 1);
    unsigned long long whole = (unsigned long long)(hundredths / 100);
    unsigned part = (unsigned)(hundredths % 100);
    const char *sign = over < 0 && hundredths ? "-" : "";
    int n = part ? snprintf(out, 48, "%s%llu.%02u%%", sign, whole, part) : snprintf(out, 48, "%s%llu%%", sign, whole);
    return (size_t)n;
}

static bool write_months(const struct performance *p, struct buf *out)
{
    static const char *const names[] = {"January", "February", "March",     "April",   "May",      "June",
                                        "July",    "August",   "September", "October", "November", "December"};
    struct json_write w;
    json_write_init(&w, out);
    json_write_array(&w);
    for (size_t i = 0; i < p->count; i++) {
        const struct month *m = &p->months[i];
        char date[40], actual[48], amount[MONEY_TEXT_MAX];
        int n = snprintf(date, sizeof date, "%s, %lld", names[m->month % 12], (long long)(1970 + m->month / 12));
        json_write_object(&w);
        json_write_member_string(&w, "date", str_of(date, (size_t)n));
        json_write_member_string(&w, "actual", str_of(actual, percent(m, actual)));
        json_write_member_string(&w, "amount", str_of(amount, money_format(m->amount, amount)));
        json_write_object_end(&w);
    }
    json_write_array_end(&w);
    return json_write_done(&w);
}

bool budgets_performance(struct job *j, const struct sight *s, const struct doc *budget, struct str *ret)
{
    struct performance *p = mem_zalloc(sizeof *p);
    struct buf out;
    *p = (struct performance){.job = j, .sight = s, .today = bill_day_of(clock_wall_us())};
    buf_init(&out, 1u << 16);
    bool ok = add_budget(p, budget->body, 1);
    if (ok) {
        bool fits = write_months(p, &out);
        must(fits);
        *ret = arena_dup(j->arena, buf_str(&out));
        must(ret->p);
    }
    buf_free(&out);
    mem_free(p);
    return ok;
}
