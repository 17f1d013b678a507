/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers filters, dates, groupings and virtual tags; report/cost does the rest. */
#include "console/vantage/cost_ask.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "console/console_inner.h"
#include "console/vantage/vantage_reply.h"
#include "report/cost/cost_dates.h"

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

/* ---- filters ---- */

static struct vql *parse(struct job *j, struct cost_ask *a, struct str text)
{
    struct vql_error error;
    struct vql *q;
    if (a->owned_count == sizeof a->owned / sizeof a->owned[0]) {
        fail(j, "there are too many filters");
        return NULL;
    }
    if (vql_parse(text, &q, &error) != ERR_OK) {
        fail(j, error.text);
        return NULL;
    }
    return a->owned[a->owned_count++] = q;
}

static bool add_filter(struct job *j, struct cost_ask *a, struct str text)
{
    if (!str_trim(text).n)
        return true;
    if (a->query.filter_count == COST_FILTERS_MAX)
        return fail(j, "there are too many saved filters on this report and its folders");
    const struct vql *q = parse(j, a, text);
    if (q)
        a->filters[a->query.filter_count++] = q;
    return q != NULL;
}

static bool add_saved(struct job *j, struct cost_ask *a, struct jval list)
{
    bool ok = true;
    for (struct jval v = jdoc_first(list); ok && jdoc_has(v); v = jdoc_next(list, v)) {
        struct doc saved;
        struct jdoc body;
        if (docs_find(ask_docs(j), DOCS_SAVED_FILTER, jdoc_text(v, j->arena), j->arena, &saved) != ERR_OK)
            continue;
        jdoc_init(&body);
        ok = !jdoc_parse(&body, saved.body) || add_filter(j, a, text_of(j, jdoc_root(&body), "filter"));
        jdoc_free(&body);
    }
    return ok;
}

static bool add_folders(struct job *j, struct cost_ask *a, struct str token)
{
    bool ok = true;
    for (unsigned depth = 0; ok && token.n && depth < DOCS_DEPTH_MAX; depth++) {
        struct doc folder;
        struct jdoc body;
        if (docs_find(ask_docs(j), DOCS_FOLDER, token, j->arena, &folder) != ERR_OK)
            break;
        jdoc_init(&body);
        ok = jdoc_parse(&body, folder.body) && add_saved(j, a, jdoc_get(jdoc_root(&body), "saved_filter_tokens"));
        token = ok ? text_of(j, jdoc_root(&body), "parent_folder_token") : STR("");
        jdoc_free(&body);
    }
    return ok;
}

/* ---- virtual tags ---- */

/* Values that are a share of something else are not worked out: their charges have no value of this key. */
static bool read_tag(struct job *j, struct cost_ask *a, struct jval body, struct cost_tag *ret)
{
    struct jval list = jdoc_get(body, "values");
    struct cost_tag_value *values = arena_alloc(j->arena, (jdoc_size(list) + 1) * sizeof *values);
    must(values);
    *ret = (struct cost_tag){.key = text_of(j, body, "key"), .values = values};
    for (struct jval v = jdoc_first(list); jdoc_has(v) && ret->count < COST_TAG_VALUES_MAX; v = jdoc_next(list, v)) {
        struct str name = text_of(j, v, "name"), filter = text_of(j, v, "filter");
        if (!name.n)
            continue;
        values[ret->count] = (struct cost_tag_value){.value = name};
        if (filter.n && !(values[ret->count].filter = parse(j, a, filter)))
            return false;
        ret->count++;
    }
    return true;
}

static bool add_tags(struct job *j, struct cost_ask *a)
{
    struct docs_query q = {.kind = DOCS_VIRTUAL_TAG, .limit = COST_TAGS_MAX};
    struct doc *rows;
    size_t count;
    uint64_t total;
    bool ok = true;
    if (docs_list(ask_docs(j), &q, j->arena, &rows, &count, &total) != ERR_OK) {
        job_fail(j, ERR_STORE_FAILED, STR(""), str_c(docs_reason(ask_docs(j))));
        return false;
    }
    a->tags = arena_alloc(j->arena, (count + 1) * sizeof *a->tags);
    must(a->tags);
    for (size_t i = 0; ok && i < count; i++) {
        struct jdoc body;
        jdoc_init(&body);
        ok = !jdoc_parse(&body, rows[i].body) || read_tag(j, a, jdoc_root(&body), &a->tags[a->query.tag_count++]);
        jdoc_free(&body);
    }
    a->query.tags = a->tags;
    return ok;
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

static bool set_groups(struct job *j, const struct cost_given *given, struct jval report, struct cost_ask *a)
{
    static const struct str defaults[] = {{"provider", 8}, {"service", 7}, {"account_id", 10}};
    const struct str *words = given->group_count ? given->groups : defaults;
    size_t count = given->group_count ? given->group_count : 3;
    struct str own[ASK_LIST_MAX], saved = text_of(j, report, "groupings");
    if (!given->group_count && saved.n) {
        if (!ask_words(j, saved, own, &count))
            return fail(j, "there are too many groupings");
        words = own;
    }
    if (count > COST_GROUPS_MAX)
        return fail(j, "there are too many groupings");
    for (size_t i = 0; i < count; i++) {
        char why[160];
        if (cost_group_parse(words[i], &a->query.groups[i]))
            continue;
        snprintf(why, sizeof why, "unknown grouping: %.*s", STR_ARG(str_head(words[i], 100)));
        return fail(j, why);
    }
    a->query.group_count = (unsigned)count;
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

static bool fill(struct job *j, const struct sight *s, const struct cost_given *given, struct jval report,
                 struct cost_ask *a)
{
    struct bill_reader *r = accounts_reader(j);
    bool ok = accounts_seen(j, r, s, a->workspace, &a->accounts);
    bill_reader_close(r);
    a->filter = given->filter.n ? given->filter : text_of(j, report, "filter");
    ok = ok && add_filter(j, a, a->filter) && add_saved(j, a, jdoc_get(report, "saved_filter_tokens")) &&
         add_folders(j, a, text_of(j, report, "folder_token")) && add_tags(j, a) && set_bin(j, given, report, a) &&
         set_dates(j, given, report, a) && set_groups(j, given, report, a);
    if (!ok)
        return false;
    set_settings(j, given, report, a);
    a->query.scope = (struct cost_scope){.accounts = a->accounts.ids,
                                         .account_count = a->accounts.count,
                                         .workspaces = &a->workspace,
                                         .workspace_count = 1};
    a->query.filters = a->filters;
    return true;
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
    for (size_t i = 0; a && i < a->owned_count; i++)
        vql_free(a->owned[i]);
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
