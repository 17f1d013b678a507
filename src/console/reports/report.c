/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /tollgate/v1/report: query parameters to a cost query over the bills that were imported into the key's
 * workspace, and over what its requests cost; rows to JSON. Amounts are strings with all their digits.
 */
#include "base/clock.h"
#include "console/console_inner.h"
#include "console/native/filter.h"
#include "console/native/native.h"
#include "console/vantage/access/persons.h"
#include "report/bill/bill.h"
#include "report/cost/cost.h"
#include "report/cost/cost_dates.h"
#include "report/question/question.h"
#include "report/question/question_known.h"

#define LIMIT_DEFAULT 1000
#define LIMIT_MAX 5000
#define PAGE_MAX 1000000

struct request {
    struct job *job;
    struct question *question; /* owned */
    struct cost_query query;
};

/* --- reading the request --------------------------------------------------------------------- */

static bool read_filter(struct request *r)
{
    char why[QUESTION_WHY_MAX] = "";
    enum err e = question_new(r->job->console->docs, r->job->workspace_id, r->job->arena, &r->question, why);
    if (e == ERR_OK)
        e = question_filter(r->question, job_query(r->job, STR("filter")), why);
    if (e != ERR_OK) {
        job_fail(r->job, e, e == ERR_BAD_PARAMETER ? STR("filter") : STR(""), str_c(why));
        return false;
    }
    r->query = r->question->query;
    return true;
}

/* Segments are read where they are asked for, as the caller sees them. */
static bool read_segments(struct request *r)
{
    char why[QUESTION_WHY_MAX] = "";
    if (!persons_view(r->job))
        return false;
    enum err e = question_segments(r->question, why);
    persons_view_end(r->job);
    if (e != ERR_OK)
        job_fail(r->job, e, STR("group_by"), str_c(why));
    r->query.segments = r->question->query.segments;
    return e == ERR_OK;
}

static bool read_groups(struct request *r)
{
    struct str rest = job_query(r->job, STR("group_by")), part;
    while (rest.n && str_split(&rest, ',', &part)) {
        struct cost_query *q = &r->query;
        if (q->group_count == COST_GROUPS_MAX || !cost_group_parse(str_trim(part), &q->groups[q->group_count])) {
            job_fail(r->job, ERR_BAD_PARAMETER, STR("group_by"),
                     STR("up to twelve of provider, organization, project, operation, cost_category, cost_subcategory, "
                         "api_key, model, charge_type, usage_unit, service_tier, batch, user_id, region, ledger, "
                         "line_item, workspace, member, model_api, segment, tagged, tag:KEY"));
            return false;
        }
        if (q->groups[q->group_count++].by == COST_BY_SEGMENT && !read_segments(r))
            return false;
    }
    return true;
}

/* An interval by its name, or since and until; without either the running month. */
static bool read_dates(struct request *r)
{
    struct str text = job_query(r->job, STR("interval"));
    int64_t now_us = clock_wall_us(), today = bill_day_of(now_us), since_us, until_us;
    enum cost_interval interval = COST_INTERVAL_THIS_MONTH;
    if (text.n && (!cost_dates_parse(text, &interval) || interval == COST_INTERVAL_CUSTOM)) {
        job_fail(r->job, ERR_BAD_PARAMETER, STR("interval"),
                 STR("this_month, last_month, last_7_days and so on; two dates are since and until"));
        return false;
    }
    struct cost_dates d = cost_dates_resolve(interval, today);
    if (!filter_time(r->job, STR("since"), bill_day_us(d.from_day), &since_us) ||
        !filter_time(r->job, STR("until"), bill_day_us(d.until_day), &until_us))
        return false;
    r->query.from_day = bill_day_of(since_us);
    r->query.until_day = bill_day_of(until_us + BILL_DAY_US - 1);
    return true;
}

static bool read_rest(struct request *r)
{
    struct str bin = job_query(r->job, STR("bin"));
    r->query.bin = COST_BIN_TOTAL;
    if (bin.n && !cost_bin_parse(bin, &r->query.bin)) {
        job_fail(r->job, ERR_BAD_PARAMETER, STR("bin"), STR("total, cumulative, hour, day, week, month or quarter"));
        return false;
    }
    if (!job_query_u64(r->job, STR("limit"), LIMIT_DEFAULT, LIMIT_MAX, &r->query.limit) || !r->query.limit) {
        job_fail(r->job, ERR_BAD_PARAMETER, STR("limit"), STR("a number from 1 to 5000"));
        return false;
    }
    if (!job_query_u64(r->job, STR("page"), 1, PAGE_MAX, &r->query.page) || !r->query.page) {
        job_fail(r->job, ERR_BAD_PARAMETER, STR("page"), STR("a number from 1 to 1000000"));
        return false;
    }
    r->query.ascending = str_eq(job_query(r->job, STR("order")), STR("asc"));
    return true;
}

/* What the workspace sees, and how those are called that metered costs are of. */
static bool find_scope(struct request *r)
{
    struct bill_reader *bill = NULL;
    struct control_why why = {.param = ""};
    struct cost_query *own = &r->question->query;
    if (bill_reader_open(r->job->console->settings.dir, &bill))
        bill = NULL; /* what is wrong, if anything, the query itself says */
    enum err e = question_scope(r->question, bill);
    bill_reader_close(bill);
    if (e != ERR_OK) {
        job_fail(r->job, e, STR(""), STR("the imported bill cannot be read"));
        return false;
    }
    r->query.scope = own->scope;
    r->query.tags = own->tags;
    r->query.tag_count = own->tag_count;
    e = question_known(r->job->console->settings.control, r->job->workspace_id, r->job->arena, &r->query, &why);
    if (e != ERR_OK)
        job_fail_why(r->job, e, &why);
    return e == ERR_OK;
}

/* --- writing the answer ---------------------------------------------------------------------- */

static void write_amount(struct json_write *w, const char *name, cost_sum amount)
{
    char text[COST_TEXT_MAX];
    json_write_member_string(w, name, str_of(text, cost_amount_format(amount, text)));
}

static void write_usage(struct json_write *w, struct str unit, money_sum amount)
{
    char text[COST_TEXT_MAX];
    json_write_object(w);
    json_write_member_string(w, "amount", str_of(text, cost_amount_format_usage(amount, 2, text)));
    json_write_member_text(w, "unit", unit);
    json_write_object_end(w);
}

static void write_group(const struct request *r, unsigned i, const struct cost_row *row)
{
    struct json_write *w = &r->job->json;
    const struct cost_group *g = &r->query.groups[i];
    if (g->by == COST_BY_TAG)
        json_write_key(w, str_of(g->tag.p - 4, g->tag.n + 4)); /* "tag:" stands before it */
    else
        json_write_key(w, str_c(cost_by_json(g->by)));
    json_write_string(w, row->values[i]);
    if (row->names[i].n) {
        char name[64];
        struct str json = str_c(cost_by_json(g->by));
        str_copy(name, sizeof name - 5, json);
        memcpy(name + strlen(name), "_name", 6);
        json_write_member_string(w, name, row->names[i]);
    }
}

static void write_row(const struct request *r, const struct cost_row *row)
{
    struct json_write *w = &r->job->json;
    char text[COST_ACCRUED_MAX];
    json_write_object(w);
    json_write_member_string(w, "accrued_at", str_of(text, cost_accrued(r->query.bin, row->start_us, text)));
    for (unsigned i = 0; i < r->query.group_count; i++)
        write_group(r, i, row);
    write_amount(w, "amount", row->amount);
    json_write_member_string(w, "currency", STR("USD"));
    if (row->unit.n) {
        json_write_key(w, STR("usage"));
        write_usage(w, row->unit, row->usage);
    }
    if (row->over_metered)
        json_write_member_bool(w, "over_metered", true);
    json_write_object_end(w);
}

static void write_day(struct json_write *w, const char *name, int64_t day)
{
    char text[BILL_DAY_TEXT_MAX];
    json_write_member_string(w, name, str_of(text, bill_day_format(day, text)));
}

static void write_result(const struct request *r, const struct cost_result *result)
{
    struct json_write *w = &r->job->json;
    job_reply_json(r->job, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("report"));
    write_day(w, "since", r->query.from_day);
    write_day(w, "until", r->query.until_day);
    json_write_member_string(w, "bin", str_c(cost_bin_text(r->query.bin)));
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = 0; i < result->row_count; i++)
        write_row(r, &result->rows[i]);
    json_write_array_end(w);
    json_write_member_uint(w, "page", r->query.page);
    json_write_member_uint(w, "rows", result->row_total);
    write_amount(w, "total_cost", result->total);
    json_write_key(w, STR("total_usage"));
    json_write_array(w);
    for (size_t i = 0; i < result->usage_count; i++)
        write_usage(w, result->usage[i].unit, result->usage[i].amount);
    json_write_array_end(w);
    json_write_object_end(w);
    if (!json_write_done(w))
        job_fail(r->job, ERR_BAD_PARAMETER, STR("limit"), STR("the answer would be too large; ask for fewer rows"));
}

static void answer(struct request *r)
{
    struct cost_reader *reader;
    struct cost_result *result;
    struct cost_error error = {.text = ""};
    enum err e = cost_reader_open(r->job->console->settings.dir, &reader, &error);
    if (e) {
        job_fail(r->job, e, STR(""), str_c(error.text));
        return;
    }
    e = cost_run(reader, &r->query, &result, &error);
    if (e) {
        job_fail(r->job, e, STR(""), str_c(error.text));
    } else {
        write_result(r, result);
        cost_result_free(result);
    }
    cost_reader_close(reader);
}

void report_read(struct job *j)
{
    struct request r = {.job = j};
    if (read_filter(&r) && read_groups(&r) && read_dates(&r) && read_rest(&r) && find_scope(&r))
        answer(&r);
    question_free(r.question);
}
