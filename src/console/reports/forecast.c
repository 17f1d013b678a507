/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /tollgate/v1/forecast: what the days to come will cost, today being the first, of what a filter lets through;
 * everything together ("all", "all"), then each provider and service.
 */
#include "base/clock.h"
#include "console/console_inner.h"
#include "console/native/native.h"
#include "report/forecast/forecast_report.h"

#define DAYS_DEFAULT 30
#define PLACES 6

static enum err ask(struct job *j, uint64_t days, struct question **ret_question, struct forecast_report *ret,
                    char why[QUESTION_WHY_MAX])
{
    struct console *c = j->console;
    struct cost_error error = {.text = ""};
    struct bill_reader *bill = NULL;
    struct cost_reader *reader;
    struct question *q;
    enum err e = question_new(c->docs, j->workspace_id, j->arena, &q, why);
    if (e != ERR_OK)
        return e;
    *ret_question = q;
    if (bill_reader_open(c->settings.dir, &bill) != ERR_OK)
        bill = NULL; /* what is wrong, if anything, the query itself says */
    e = question_filter(q, job_query(j, STR("filter")), why);
    if (e == ERR_OK)
        e = question_scope(q, bill);
    bill_reader_close(bill);
    if (e == ERR_OK && (e = cost_reader_open(c->settings.dir, &reader, &error)) != ERR_OK)
        str_copy(why, QUESTION_WHY_MAX, str_c(error.text));
    if (e != ERR_OK)
        return e;
    e = forecast_report(q, reader, c->settings.control, bill_day_of(clock_wall_us()), (size_t)days, ret, why);
    cost_reader_close(reader);
    return e;
}

static void write_amount(struct json_write *w, const char *name, money_sum pusd)
{
    char text[COST_TEXT_MAX];
    size_t n = cost_amount_format_rounded((cost_sum)pusd * COST_PER_PUSD, PLACES, text);
    json_write_member_string(w, name, str_of(text, n));
}

static void write_row(struct json_write *w, const struct forecast_series *s, int64_t day,
                      const struct forecast_point *p)
{
    char text[BILL_DAY_TEXT_MAX];
    json_write_object(w);
    json_write_member_string(w, "date", str_of(text, bill_day_format(day, text)));
    json_write_member_string(w, "provider", s->provider);
    json_write_member_string(w, "service", s->service);
    write_amount(w, "amount", p->amount);
    write_amount(w, "lower", p->lower);
    write_amount(w, "upper", p->upper);
    json_write_object_end(w);
}

static void write_report(struct job *j, const struct forecast_report *f)
{
    struct json_write *w = &j->json;
    money_sum total = 0;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("forecast"));
    json_write_member_string(w, "currency", STR("USD"));
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t d = 0; d < f->days; d++) {
        total += f->series[0].points[d].amount;
        for (size_t i = 0; i < f->count; i++)
            write_row(w, &f->series[i], f->from_day + (int64_t)d, &f->series[i].points[d]);
    }
    json_write_array_end(w);
    write_amount(w, "total_cost", total);
    json_write_object_end(w);
    if (!json_write_done(w))
        job_fail(j, ERR_BAD_PARAMETER, STR("days"), STR("the answer would be too large; ask for fewer days"));
}

void forecast_read(struct job *j)
{
    char why[QUESTION_WHY_MAX] = "";
    struct question *q = NULL;
    struct forecast_report f;
    uint64_t days;
    if (!job_query_u64(j, STR("days"), DAYS_DEFAULT, FORECAST_DAYS_MAX, &days) || !days) {
        job_fail(j, ERR_BAD_PARAMETER, STR("days"), STR("a number from 1 to 366"));
        return;
    }
    enum err e = ask(j, days, &q, &f, why);
    if (e != ERR_OK)
        job_fail(j, e, STR("filter"), str_c(why));
    else
        write_report(j, &f);
    question_free(q);
}
