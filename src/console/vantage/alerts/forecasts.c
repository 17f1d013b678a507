/* SPDX-License-Identifier: Apache-2.0 */
/* What a report will cost: a row a day for everything, and one for each provider and service. */
#include <stdio.h>

#include "base/clock.h"
#include "console/console_inner.h"
#include "console/vantage/accounts.h"
#include "console/vantage/ask.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"
#include "report/cost/cost_dates.h"
#include "report/forecast/forecast_report.h"

#define LIMIT 100
#define LIMIT_MAX 1000
#define PLACES 6

struct span {
    int64_t today, from, last; /* both belong to it */
};

/* Without dates: the report's interval if that lies ahead, else to the end of the next month. */
static bool read_span(struct job *j, struct jval report, struct span *s)
{
    struct str start = ask_text(j, "start_date"), end = ask_text(j, "end_date");
    enum cost_interval interval = COST_INTERVAL_CUSTOM;
    s->today = s->from = bill_day_of(clock_wall_us());
    s->last = bill_month_day(bill_month_of(s->today) + 2) - 1;
    (void)cost_dates_parse(jdoc_text(jdoc_get(report, "date_interval"), j->arena), &interval);
    if (interval != COST_INTERVAL_CUSTOM && !start.n && !end.n) {
        struct cost_dates d = cost_dates_resolve(interval, s->today);
        s->from = d.from_day > s->today ? d.from_day : s->from;
        s->last = d.from_day > s->today ? d.until_day - 1 : s->last;
    }
    if (!ask_day(j, "start_date", start, &s->from) || !ask_day(j, "end_date", end, &s->last))
        return false;
    if (s->from > s->last) {
        vantage_fail(j, 400, "start_date must not be after end_date");
        return false;
    }
    int64_t most = s->today + FORECAST_DAYS_MAX - 1;
    s->from = s->from < s->today ? s->today : s->from;
    s->last = s->last > most ? most : s->last;
    return true;
}

static enum err run(struct job *j, const struct doc *report, struct jval body, const struct span *s,
                    struct question **ret_question, struct forecast_report *ret, char why[QUESTION_WHY_MAX])
{
    struct cost_error error = {.text = ""};
    struct cost_reader *reader;
    struct bill_reader *bill = accounts_reader(j);
    enum err e = question_new(ask_docs(j), report->workspace, j->arena, ret_question, why);
    if (e == ERR_OK)
        e = question_report(*ret_question, body, why);
    if (e == ERR_OK)
        e = question_scope(*ret_question, bill);
    bill_reader_close(bill);
    if (e != ERR_OK)
        return e;
    e = cost_reader_open(j->console->settings.dir, &reader, &error);
    if (e != ERR_OK) {
        snprintf(why, QUESTION_WHY_MAX, "%s", error.text);
        return e;
    }
    e = forecast_report(*ret_question, reader, j->console->settings.control, s->today, (size_t)(s->last - s->today + 1),
                        ret, why);
    cost_reader_close(reader);
    return e;
}

/* "all" chooses the rows of everything. */
static bool is_wanted(const struct forecast_series *f, struct str provider, struct str service)
{
    return (!provider.n || str_eq(provider, f->provider)) && (!service.n || str_eq(service, f->service));
}

static void write_amount(struct json_write *w, const char *name, money_sum pusd)
{
    char text[COST_TEXT_MAX];
    size_t n = cost_amount_format_rounded((cost_sum)pusd * COST_PER_PUSD, PLACES, text);
    json_write_member_string(w, name, str_of(text, n));
}

static void write_row(struct job *j, const struct forecast_series *f, int64_t day, const struct forecast_point *p)
{
    struct json_write *w = &j->json;
    char date[CLOCK_TEXT_MAX];
    json_write_object(w);
    json_write_member_string(w, "date", str_of(date, clock_format(bill_day_us(day), 0, date)));
    write_amount(w, "amount", p->amount);
    json_write_member_string(w, "provider", f->provider);
    json_write_member_string(w, "service", f->service);
    write_amount(w, "lower", p->lower);
    write_amount(w, "upper", p->upper);
    json_write_object_end(w);
}

static void reply(struct job *j, const struct vantage_page *page, const struct span *s, const struct forecast_report *f)
{
    struct str provider = ask_text(j, "provider"), service = ask_text(j, "service");
    uint64_t row = 0, first = (page->page - 1) * page->limit, total = 0;
    int64_t days = s->last >= s->from ? s->last - s->from + 1 : 0;
    if (str_eq(provider, STR("openai")))
        provider = STR("open_ai");
    for (size_t i = 0; i < f->count; i++)
        total += is_wanted(&f->series[i], provider, service) ? (uint64_t)days : 0;
    job_reply_json(j, 200);
    json_write_object(&j->json);
    vantage_links(j, page, total, false);
    json_write_key(&j->json, STR("forecasted_costs"));
    json_write_array(&j->json);
    for (int64_t day = s->from; day <= s->last && row < first + page->limit; day++)
        for (size_t i = 0; i < f->count; i++) {
            if (!is_wanted(&f->series[i], provider, service))
                continue;
            if (row >= first && row < first + page->limit)
                write_row(j, &f->series[i], day, &f->series[i].points[day - s->today]);
            row++;
        }
    json_write_array_end(&j->json);
    json_write_member_string(&j->json, "currency", STR("USD"));
    json_write_object_end(&j->json);
}

void forecasts_list(struct job *j)
{
    char why[QUESTION_WHY_MAX] = "";
    struct vantage_page page;
    struct sight sight;
    struct doc report;
    struct jdoc body;
    struct span span;
    struct question *q = NULL;
    struct forecast_report f = {.count = 0};
    if (!vantage_page_read(j, LIMIT, LIMIT_MAX, &page) || !ask_sight(j, &sight) ||
        !ask_doc(j, &sight, DOCS_COST_REPORT, ask_token(j, 0), &report))
        return;
    jdoc_init(&body);
    bool ok = jdoc_parse(&body, report.body) && read_span(j, jdoc_root(&body), &span);
    if (ok && span.last >= span.today) {
        enum err e = run(j, &report, jdoc_root(&body), &span, &q, &f, why);
        if (e != ERR_OK)
            vantage_fail_err(j, e, why);
        ok = e == ERR_OK;
    }
    if (ok)
        reply(j, &page, &span, &f);
    question_free(q);
    jdoc_free(&body);
}
