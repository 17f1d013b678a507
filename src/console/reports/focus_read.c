/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /tollgate/v1/focus: a FOCUS file of the key's workspace, or a part of one. 206 says that there is more behind
 * `limit`: `tollgate export focus` puts large files together from such parts.
 */
#include "base/clock.h"
#include "console/console_inner.h"
#include "console/native/filter.h"
#include "console/native/native.h"
#include "console/reports/focus_ask.h"
#include "report/cost/cost_dates.h"
#include "report/question/question.h"

#define CONTENT_MAX (60u << 20)
#define ROWS_MAX UINT64_C(1000000000)
#define TOO_LONG "the file would be too long for one answer; ask for fewer days, or use 'tollgate export focus'"

static bool refuse(struct job *j, const char *param, const char *why)
{
    job_fail(j, ERR_BAD_PARAMETER, str_c(param), str_c(why));
    return false;
}

/* --- reading the request --------------------------------------------------------------------- */

static bool read_kind(struct job *j, struct focus_query *q)
{
    struct str version = job_query(j, STR("version")), ledger = job_query(j, STR("ledger"));
    q->version = FOCUS_DEFAULT;
    q->ledger = FOCUS_BILLED;
    if (version.n && !focus_version_parse(version, &q->version))
        return refuse(j, "version", "1.2, 1.3 or 1.4");
    if (ledger.n && !focus_ledger_parse(ledger, &q->ledger))
        return refuse(j, "ledger", "billed or metered");
    return true;
}

/* "2026-03" */
static bool read_month(struct str text, struct focus_query *q)
{
    char day[16];
    int64_t first;
    if (text.n != 7)
        return false;
    str_copy(day, sizeof day, text);
    memcpy(day + 7, "-01", 4);
    if (!cost_dates_day_parse(str_c(day), &first))
        return false;
    q->from_day = first;
    q->until_day = bill_month_day(bill_month_of(first) + 1);
    return true;
}

static bool read_dates(struct job *j, struct focus_query *q)
{
    struct str month = job_query(j, STR("month"));
    int64_t today = bill_day_of(clock_wall_us()), since_us, until_us;
    q->from_day = bill_month_day(bill_month_of(today));
    q->until_day = bill_month_day(bill_month_of(today) + 1);
    if (month.n && !read_month(month, q))
        return refuse(j, "month", "a month, such as 2026-03");
    if (!filter_time(j, STR("since"), bill_day_us(q->from_day), &since_us) ||
        !filter_time(j, STR("until"), bill_day_us(q->until_day), &until_us))
        return false;
    q->from_day = bill_day_of(since_us);
    q->until_day = bill_day_of(until_us + BILL_DAY_US - 1);
    return true;
}

static bool read_part(struct job *j, struct focus_query *q)
{
    struct str names = job_query(j, STR("names"));
    q->no_names = str_eq(names, STR("false"));
    if (!job_query_u64(j, STR("skip"), 0, ROWS_MAX, &q->skip))
        return refuse(j, "skip", "a number of rows");
    if (!job_query_u64(j, STR("limit"), 0, ROWS_MAX, &q->limit))
        return refuse(j, "limit", "a number of rows, 0 for all");
    return true;
}

/* --- the answer ------------------------------------------------------------------------------ */

static void answer(struct job *j, const struct focus_query *q)
{
    struct cost_error error;
    struct focus_done done;
    struct buf content;
    buf_init(&content, CONTENT_MAX);
    enum err e = focus_write(q, focus_ask_keep, &content, &done, &error);
    if (e == ERR_OK)
        job_reply_bytes(j, done.more ? 206 : 200, STR("text/csv; charset=utf-8"), buf_str(&content));
    else if (e == ERR_CLIENT_GONE)
        (void)refuse(j, "limit", TOO_LONG);
    else
        job_fail(j, e, STR(""), str_c(error.text));
    buf_free(&content);
}

/* Filter, tags and what the workspace sees. */
static enum err set_question(struct job *j, struct focus_query *q, struct question **ret, char why[QUESTION_WHY_MAX])
{
    struct bill_reader *bill = NULL;
    enum err e = question_new(j->console->docs, j->workspace_id, j->arena, ret, why);
    if (e == ERR_OK)
        e = question_filter(*ret, job_query(j, STR("filter")), why);
    if (e == ERR_OK && bill_reader_open(j->console->settings.dir, &bill) != ERR_OK)
        bill = NULL; /* what is wrong, if anything, focus_write says */
    if (e == ERR_OK)
        e = question_scope(*ret, bill);
    bill_reader_close(bill);
    if (e != ERR_OK)
        return e;
    const struct cost_query *c = &(*ret)->query;
    q->scope = c->scope;
    q->filters = c->filters;
    q->filter_count = c->filter_count;
    q->tags = c->tags;
    q->tag_count = c->tag_count;
    if (!job_query(j, STR("ledger")).n)
        q->ledger = focus_ask_ledger(q->filters, q->filter_count);
    return ERR_OK;
}

void focus_read(struct job *j)
{
    struct focus_query q = {.from_day = 0};
    struct question *question = NULL;
    char why[QUESTION_WHY_MAX] = "";
    _Static_assert(sizeof why == FOCUS_ASK_WHY_MAX, "one sentence serves both");
    if (!read_kind(j, &q) || !read_dates(j, &q) || !read_part(j, &q))
        return;
    enum err e = set_question(j, &q, &question, why);
    if (e == ERR_OK)
        e = focus_ask_fill(j, &q, why);
    if (e == ERR_OK)
        answer(j, &q);
    else
        job_fail(j, e, STR(""), str_c(why));
    question_free(question);
}

void focus_read_metadata(struct job *j)
{
    struct focus_query q = {.from_day = 0};
    struct buf out;
    if (!read_kind(j, &q))
        return;
    buf_init(&out, 1u << 20);
    if (focus_metadata(q.version, q.ledger, clock_wall_us(), &out))
        job_reply_bytes(j, 200, STR("application/json"), buf_str(&out));
    else
        job_fail(j, ERR_INTERNAL, STR(""), STR(""));
    buf_free(&out);
}
