/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /tollgate/v1/reconciliation: the bills that the key's workspace sees, as reports have it, against the traffic of the
 * same organizations. Traffic of other workspaces counts where the integration's key or organization is on that bill: the
 * bill has its costs too, and only sums are shown.
 */
#include "base/clock.h"
#include "base/money.h"
#include "console/catalog.h"
#include "console/console_inner.h"
#include "console/native/native.h"
#include "console/reports/reconciliation_write.h"
#include "report/bill/bill.h"
#include "report/cost/cost_dates.h"
#include "report/match/match_links.h"
#include "report/question/question.h"

#define ACCOUNTS_MAX 64
#define LIMIT_DEFAULT 1000
#define LIMIT_MAX 5000
#define CSV_MAX (48u << 20)

/* --- reading the request --------------------------------------------------------------------- */

/* "2026-03" */
static bool read_month(struct str text, int64_t *ret_month)
{
    char day[16];
    int64_t first;
    if (text.n != 7)
        return false;
    str_copy(day, sizeof day, text);
    memcpy(day + 7, "-01", 4);
    if (!cost_dates_day_parse(str_c(day), &first))
        return false;
    *ret_month = bill_month_of(first);
    return true;
}

static bool read_day(struct job *j, const char *name, int64_t *day)
{
    struct str text = job_query(j, str_c(name));
    if (!text.n || cost_dates_day_parse(text, day))
        return true;
    job_fail(j, ERR_BAD_PARAMETER, str_c(name), STR("a day, such as 2026-03-01"));
    return false;
}

/* A month, or two days of which the last one counts; without either the running month. */
static bool read_dates(struct job *j, struct reconcile_query *q)
{
    struct str text = job_query(j, STR("month"));
    int64_t month = bill_month_of(bill_day_of(q->now_us)), last;
    if (text.n && !read_month(text, &month)) {
        job_fail(j, ERR_BAD_PARAMETER, STR("month"), STR("a month, such as 2026-03"));
        return false;
    }
    q->from_day = bill_month_day(month);
    last = bill_month_day(month + 1) - 1;
    if (!read_day(j, "start_date", &q->from_day) || !read_day(j, "end_date", &last))
        return false;
    q->until_day = last + 1;
    if (q->until_day > q->from_day)
        return true;
    job_fail(j, ERR_BAD_PARAMETER, STR("end_date"), STR("the last day is before the first"));
    return false;
}

static bool read_groups(struct job *j, struct reconcile_query *q)
{
    struct str rest = job_query(j, STR("group_by")), part;
    while (rest.n && str_split(&rest, ',', &part)) {
        if (q->group_count == RECONCILE_GROUPS_MAX || !reconcile_by_parse(str_trim(part), &q->groups[q->group_count])) {
            job_fail(j, ERR_BAD_PARAMETER, STR("group_by"),
                     STR("some of day, month, organization, project, api_key, operation, model, meter, service_tier, "
                         "batch, status"));
            return false;
        }
        q->group_count++;
    }
    return true;
}

/* Percent with up to four digits behind the point, into parts per million. */
static bool read_percent(struct str text, uint32_t *ret_ppm)
{
    int64_t pusd;
    if (!money_parse(text, &pusd) || pusd < 0 || pusd > 100 * MONEY_PUSD_PER_USD || pusd % (MONEY_PUSD_PER_USD / 10000))
        return false;
    *ret_ppm = (uint32_t)(pusd / (MONEY_PUSD_PER_USD / 10000));
    return true;
}

static bool read_tolerance(struct job *j, struct reconcile_query *q)
{
    struct str usd = job_query(j, STR("tolerance_usd")), percent = job_query(j, STR("tolerance_percent"));
    if (usd.n && (!money_parse(usd, &q->tolerance_pusd) || q->tolerance_pusd < 0)) {
        job_fail(j, ERR_BAD_PARAMETER, STR("tolerance_usd"), STR("an amount of dollars, such as 0.01"));
        return false;
    }
    if (percent.n && !read_percent(percent, &q->tolerance_ppm)) {
        job_fail(j, ERR_BAD_PARAMETER, STR("tolerance_percent"), STR("a number from 0 to 100, such as 0.5"));
        return false;
    }
    return true;
}

/* --- what it is about ------------------------------------------------------------------------ */

/* The accounts whose bills the workspace sees. None: no bill was ever imported. */
static enum err find_accounts(struct job *j, struct reconcile_query *q)
{
    struct bill_reader *bill;
    struct bill_account *list;
    size_t count = 0, n = 0;
    int64_t *accounts = arena_alloc(j->arena, ACCOUNTS_MAX * sizeof *accounts);
    if (!accounts)
        return ERR_BAD_PARAMETER;
    q->scope = (struct cost_scope){.accounts = accounts, .workspaces = &j->workspace_id, .workspace_count = 1};
    if (bill_reader_open(j->console->settings.dir, &bill))
        return ERR_OK; /* what is wrong, if anything, reconcile_run says */
    enum err e = question_accounts(j->console->docs, bill, j->workspace_id, j->arena, &list, &count);
    for (size_t i = 0; !e && i < count && n < ACCOUNTS_MAX; i++)
        if (list[i].kind == BILL_IMPORTED_COSTS)
            accounts[n++] = list[i].id;
    q->scope.account_count = n;
    bill_reader_close(bill);
    return e;
}

static bool find_scope(struct job *j, struct reconcile_query *q)
{
    struct match_link *links;
    struct control_why why = {.param = ""};
    char reason[400];
    enum err e = find_accounts(j, q);
    if (e) {
        job_fail(j, e, STR(""), STR("the imported bill cannot be read"));
        return false;
    }
    e = match_links_load(j->console->settings.control, j->arena, &links, &q->link_count, &why);
    if (e) {
        job_fail_why(j, e, &why);
        return false;
    }
    q->links = links;
    q->prices = catalog_get(j->console, reason, sizeof reason);
    if (q->prices)
        return true;
    job_fail(j, ERR_BAD_PRICES, STR(""), str_c(reason));
    return false;
}

/* --- answering ------------------------------------------------------------------------------- */

static void reply_csv(struct job *j, const struct reconcile_query *q, const struct reconcile *r)
{
    struct buf out;
    buf_init(&out, CSV_MAX);
    if (reconciliation_write_csv(&out, q, r))
        job_reply_bytes(j, 200, STR("text/csv; charset=utf-8"), buf_str(&out));
    else
        job_fail(j, ERR_BAD_PARAMETER, STR("group_by"), STR("the answer would be too large; ask for fewer groups"));
    buf_free(&out);
}

static void reply_json(struct job *j, const struct reconcile_query *q, const struct reconcile *r, size_t limit)
{
    job_reply_json(j, 200);
    reconciliation_write_json(&j->json, q, r, limit);
    if (!json_write_done(&j->json))
        job_fail(j, ERR_BAD_PARAMETER, STR("limit"), STR("the answer would be too large; ask for fewer rows"));
}

void reconciliation_read(struct job *j)
{
    int64_t now_us = clock_wall_us();
    struct reconcile_query q = reconcile_query_month(bill_month_of(bill_day_of(now_us)), now_us);
    struct str format = job_query(j, STR("format"));
    struct reconcile *result;
    struct cost_error error = {.text = ""};
    uint64_t limit;
    if (!read_dates(j, &q) || !read_groups(j, &q) || !read_tolerance(j, &q))
        return;
    if (format.n && !str_eq(format, STR("csv")) && !str_eq(format, STR("json"))) {
        job_fail(j, ERR_BAD_PARAMETER, STR("format"), STR("json or csv"));
        return;
    }
    if (!job_query_u64(j, STR("limit"), LIMIT_DEFAULT, LIMIT_MAX, &limit) || !limit) {
        job_fail(j, ERR_BAD_PARAMETER, STR("limit"), STR("a number from 1 to 5000"));
        return;
    }
    if (!find_scope(j, &q))
        return;
    enum err e = reconcile_run(j->console->settings.dir, &q, &result, &error);
    if (e) {
        job_fail(j, e, STR(""), str_c(error.text));
        return;
    }
    if (str_eq(format, STR("csv")))
        reply_csv(j, &q, result);
    else
        reply_json(j, &q, result, limit);
    reconcile_free(result);
}
