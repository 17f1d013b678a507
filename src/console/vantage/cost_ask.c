/* SPDX-License-Identifier: Apache-2.0 */
/* Dates, groupings and settings as they were asked for; report/question knows the report's. */
#include "console/vantage/cost_ask.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "console/console_inner.h"
#include "console/vantage/vantage_reply.h"
#include "report/cost/cost_dates.h"
#include "report/question/question_known.h"

static bool fail(struct job *j, const char *why)
{
    vantage_fail(j, 400, why);
    return false;
}

static struct str text_of(struct job *j, struct jval object, const char *name)
{
    struct str text = jdoc_text(jdoc_get(object, name), j->arena);
    return text.n ? arena_dup(j->arena, text) : STR("");
}

/* ---- dates, groupings, settings ---- */

static bool set_dates(struct job *j, const struct cost_given *given, struct jval report, struct cost_ask *a)
{
    int64_t today = bill_day_of(clock_wall_us()), from = 0, to = today;
    enum cost_interval interval = COST_INTERVAL_THIS_MONTH;
    struct str start = given->start, end = given->end, name = text_of(j, report, "date_interval");
    if (!start.n && !end.n) {
        start = text_of(j, report, "start_date");
        end = text_of(j, report, "end_date");
    }
    if (!ask_day(j, "start_date", start, &from) || !ask_day(j, "end_date", end, &to))
        return false;
    if (!start.n && end.n)
        from = bill_month_day(bill_month_of(to));
    if (start.n || end.n) {
        if (from > to)
            return fail(j, "start_date must not be after end_date");
        a->query.from_day = from;
        a->query.until_day = to + 1;
    } else {
        if (name.n)
            (void)cost_dates_parse(name, &interval);
        struct cost_dates d = cost_dates_resolve(interval, today);
        if (jdoc_true(jdoc_get(jdoc_get(report, "settings"), "complete_period")))
            d = cost_dates_complete(d, a->query.bin, today);
        a->query.from_day = d.from_day;
        a->query.until_day = d.until_day;
    }
    bill_day_format(a->query.from_day, a->start);
    bill_day_format(a->query.until_day - 1, a->end);
    return true;
}

static bool set_bin(struct job *j, const struct cost_given *given, struct jval report, struct cost_ask *a)
{
    struct str name = given->bin.n ? given->bin : text_of(j, report, "date_bin");
    a->query.bin = COST_BIN_DAY;
    bool known = !name.n || cost_bin_parse(name, &a->query.bin);
    if (!known || (given->bin.n && (a->query.bin == COST_BIN_CUMULATIVE || a->query.bin == COST_BIN_TOTAL)))
        return fail(j, "date_bin must be one of: day, week, month, quarter, hour");
    if (a->query.bin == COST_BIN_CUMULATIVE)
        a->query.bin = COST_BIN_DAY;
    return true;
}

static bool ask_segments(struct job *j, struct cost_ask *a)
{
    char why[QUESTION_WHY_MAX] = "";
    enum err e = question_segments(a->question, why);
    if (e != ERR_OK)
        vantage_fail_err(j, e, why);
    a->query.segments = a->question->query.segments;
    return e == ERR_OK;
}

/* Those that were asked for; else the report's, else the API's own. */
static bool set_groups(struct job *j, const struct cost_given *given, struct cost_ask *a)
{
    if (!given->group_count)
        return true;
    if (given->group_count > COST_GROUPS_MAX)
        return fail(j, "there are too many groupings");
    for (size_t i = 0; i < given->group_count; i++) {
        char why[160];
        if (cost_group_parse(given->groups[i], &a->query.groups[i])) {
            if (a->query.groups[i].by == COST_BY_SEGMENT && !ask_segments(j, a))
                return false;
            continue;
        }
        snprintf(why, sizeof why, "unknown grouping: %.*s", STR_ARG(str_head(given->groups[i], 100)));
        return fail(j, why);
    }
    a->query.group_count = (unsigned)given->group_count;
    return true;
}

static bool setting(struct job *j, const struct cost_given *given, struct jval report, const char *name, bool missing)
{
    struct jval own = jdoc_get(given->settings, name), saved = jdoc_get(jdoc_get(report, "settings"), name);
    struct str text = jdoc_has(given->settings) ? STR("") : ask_member(j, "settings", name);
    if (text.n)
        return str_eq(text, STR("true"));
    if (jdoc_has(own))
        return jdoc_true(own) || jdoc_is(own, "true");
    return jdoc_has(saved) ? jdoc_true(saved) : missing;
}

static void set_settings(struct job *j, const struct cost_given *given, struct jval report, struct cost_ask *a)
{
    struct cost_settings *s = &a->query.settings;
    struct str aggregate = jdoc_has(given->settings) ? text_of(j, given->settings, "aggregate_by")
                                                     : ask_member(j, "settings", "aggregate_by");
    s->include_credits = setting(j, given, report, "include_credits", false);
    s->include_refunds = setting(j, given, report, "include_refunds", false);
    s->include_discounts = setting(j, given, report, "include_discounts", true);
    s->include_tax = setting(j, given, report, "include_tax", true);
    s->amortize = setting(j, given, report, "amortize", true);
    s->unallocated = setting(j, given, report, "unallocated", false);
    a->aggregate = aggregate.n ? aggregate : text_of(j, jdoc_get(report, "settings"), "aggregate_by");
    if (!a->aggregate.n)
        a->aggregate = STR("cost");
}

/* ---- all of it ---- */

/* A filter that was given stands in place of the report's; what was saved on the report and its folders always holds. */
static bool ask_question(struct job *j, const struct cost_given *given, struct jval report, struct bill_reader *r,
                         struct cost_ask *a)
{
    char why[QUESTION_WHY_MAX] = "";
    a->filter = given->filter.n ? given->filter : text_of(j, report, "filter");
    enum err e = question_new(ask_docs(j), a->workspace, j->arena, &a->question, why);
    if (e == ERR_OK)
        e = question_filter(a->question, a->filter, why);
    if (e == ERR_OK)
        e = question_saved(a->question, report, why);
    if (e == ERR_OK) {
        e = question_file_tags(a->question, r, a->accounts.list, a->accounts.count);
        str_copy(why, sizeof why, e == ERR_OK ? STR("") : STR("the tags of files of costs cannot be read"));
    }
    if (e == ERR_OK)
        e = question_groups(a->question, given->group_count ? STR("") : text_of(j, report, "groupings"), why);
    if (e == ERR_OK) {
        a->query = a->question->query;
        return true;
    }
    vantage_fail_err(j, e, why);
    return false;
}

/* How keys and people are called, and whose traffic is on which bill. */
static bool ask_known(struct job *j, struct cost_ask *a)
{
    struct control_why why = {.param = ""};
    enum err e = question_known(j->console->settings.control, a->workspace, j->arena, &a->query, &why);
    if (e != ERR_OK)
        vantage_fail_err(j, e, why.text);
    return e == ERR_OK;
}

static bool fill(struct job *j, const struct sight *s, const struct cost_given *given, struct jval report,
                 struct cost_ask *a)
{
    struct bill_reader *r = accounts_reader(j);
    bool ok = accounts_seen(j, r, s, a->workspace, &a->accounts) && ask_question(j, given, report, r, a);
    bill_reader_close(r);
    ok = ok && set_bin(j, given, report, a) && set_dates(j, given, report, a) && set_groups(j, given, a);
    if (!ok)
        return false;
    set_settings(j, given, report, a);
    a->query.scope = (struct cost_scope){.accounts = a->accounts.ids,
                                         .account_count = a->accounts.count,
                                         .workspaces = &a->workspace,
                                         .workspace_count = 1};
    return ask_known(j, a);
}

bool cost_ask_begin(struct job *j, const struct sight *s, const struct cost_given *given, struct cost_ask **ret)
{
    struct jdoc report;
    struct cost_ask *a;
    if (!given->report.n && !given->filter.n)
        return fail(j, "give cost_report_token or filter");
    a = mem_zalloc(sizeof *a);
    a->query = cost_query_all();
    jdoc_init(&report);
    bool ok = given->report.n ? ask_doc(j, s, DOCS_COST_REPORT, given->report, &a->report)
                              : ask_workspace(j, s, given->workspace, &a->workspace);
    if (ok && given->report.n) {
        a->workspace = a->report.workspace;
        ok = jdoc_parse(&report, a->report.body);
        must(ok); /* ours */
    }
    ok = ok && fill(j, s, given, given->report.n ? jdoc_root(&report) : (struct jval){0}, a);
    jdoc_free(&report);
    if (ok)
        *ret = a;
    else
        cost_ask_free(a);
    return ok;
}

void cost_ask_free(struct cost_ask *a)
{
    if (a)
        question_free(a->question);
    mem_free(a);
}

struct cost_result *cost_ask_run(struct job *j, const struct cost_ask *a)
{
    struct cost_result *result = NULL;
    struct cost_reader *reader;
    struct cost_error error = {""};
    enum err e = cost_reader_open(j->console->settings.dir, &reader, &error);
    if (e == ERR_OK) {
        e = cost_run(reader, &a->query, &result, &error);
        cost_reader_close(reader);
    }
    if (e != ERR_OK)
        vantage_fail_err(j, e, error.text);
    return e == ERR_OK ? result : NULL;
}
