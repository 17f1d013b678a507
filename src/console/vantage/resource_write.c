/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of the body come as they are stored; around them what every resource has and what a kind adds.
 * Clients with typed models fail on a missing key, so all of them are always there.
 */
#include "console/vantage/resource_write.h"

#include "base/clock.h"
#include "base/must.h"
#include "console/vantage/ask.h"
#include "console/vantage/report_forecasts.h"
#include "console/vantage/vantage_reply.h"
#include "report/bill/bill.h"
#include "report/cost/cost_dates.h"
#include "report/docs/docs_view.h"
#include "report/question/budget_period.h"

enum { CREATED = 1, UPDATED = 2, PLACE = 4 };

static unsigned frame_of(enum docs_kind kind)
{
    switch (kind) {
    case DOCS_FOLDER:
    case DOCS_DASHBOARD:
    case DOCS_COST_ALERT:
        return CREATED | UPDATED | PLACE;
    case DOCS_ANOMALY_NOTIFICATION:
    case DOCS_REPORT_FORECAST:
        return CREATED | UPDATED;
    case DOCS_COST_REPORT:
    case DOCS_SAVED_FILTER:
    case DOCS_BUDGET:
    case DOCS_BUDGET_ALERT:
    case DOCS_SEGMENT:
        return CREATED | PLACE;
    default:
        return 0;
    }
}

void resource_dates(struct str interval, char from[16], char to[16])
{
    enum cost_interval i;
    from[0] = to[0] = '\0';
    if (!cost_dates_parse(interval, &i) || i == COST_INTERVAL_CUSTOM)
        return;
    struct cost_dates d = cost_dates_resolve(i, bill_day_of(clock_wall_us()));
    bill_day_format(d.from_day, from);
    bill_day_format(d.until_day - 1, to);
}

static void write_tokens(struct job *j, const char *name, enum docs_kind kind, struct str token)
{
    struct str *list;
    size_t count;
    json_write_key(&j->json, str_c(name));
    json_write_array(&j->json);
    if (docs_users(ask_docs(j), kind, token, j->arena, &list, &count) == ERR_OK)
        for (size_t i = 0; i < count; i++)
            json_write_string(&j->json, list[i]);
    json_write_array_end(&j->json);
}

/* A widget without a title has its report's. */
static void write_widgets(struct job *j, struct jval list)
{
    struct json_write *w = &j->json;
    json_write_key(w, STR("widgets"));
    json_write_array(w);
    for (struct jval e = jdoc_first(list); jdoc_has(e); e = jdoc_next(list, e)) {
        struct doc report;
        struct str token = jdoc_text(jdoc_get(e, "widgetable_token"), j->arena);
        struct str title = jdoc_text(jdoc_get(e, "title"), j->arena);
        if (!title.n && docs_find(ask_docs(j), DOCS_COST_REPORT, token, j->arena, &report) == ERR_OK)
            title = report.title;
        json_write_object(w);
        json_write_member_string(w, "widgetable_token", token);
        json_write_member_string(w, "title", title);
        json_write_member_raw(w, "settings", jdoc_raw(jdoc_get(e, "settings")));
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

/* The dates of a report are those of its interval, today. */
static bool write_date(struct job *j, struct jval body, struct str name)
{
    char from[16], to[16];
    bool start = str_eq(name, STR("start_date"));
    if (!start && !str_eq(name, STR("end_date")))
        return false;
    resource_dates(jdoc_text(jdoc_get(body, "date_interval"), j->arena), from, to);
    if (!from[0])
        return false;
    json_write_member_string(&j->json, start ? "start_date" : "end_date", str_c(start ? from : to));
    return true;
}

/* A period always says when it ends. */
static void write_periods(struct job *j, struct jval list)
{
    struct json_write *w = &j->json;
    json_write_key(w, STR("periods"));
    json_write_array(w);
    for (struct jval p = jdoc_first(list); jdoc_has(p); p = jdoc_next(list, p)) {
        char end[BILL_DAY_TEXT_MAX];
        struct budget_period b;
        json_write_object(w);
        json_write_member_raw(w, "start_at", jdoc_raw(jdoc_get(p, "start_at")));
        if (budget_period_read(list, p, j->arena, &b))
            json_write_member_string(w, "end_at", str_of(end, bill_day_format(b.last_day, end)));
        json_write_member_raw(w, "amount", jdoc_raw(jdoc_get(p, "amount")));
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

/* Without a month to begin with a virtual tag holds for all there is. */
#define FROM_THE_BEGINNING "1970-01-01"

/* Of a forecast that has gone only the kind is left. */
static bool write_forecast(struct job *j, struct jval forecast)
{
    bool named = jdoc_kind(jdoc_get(forecast, "report_forecast_token")) == JDOC_STRING;
    if (named || jdoc_is(jdoc_get(forecast, "kind"), "baseline"))
        return false;
    json_write_member_raw(&j->json, "default_forecast", STR("{\"kind\":\"baseline\",\"report_forecast_token\":null}"));
    return true;
}

static bool write_derived(struct job *j, const struct doc *doc, struct jval body, struct jval name)
{
    struct str key = jdoc_escaped(name);
    if (doc->kind == DOCS_COST_REPORT && str_eq(key, STR("default_forecast")))
        return write_forecast(j, jdoc_value(name));
    if (doc->kind == DOCS_COST_REPORT)
        return write_date(j, body, key);
    if (doc->kind == DOCS_DASHBOARD && str_eq(key, STR("widgets"))) {
        write_widgets(j, jdoc_value(name));
        return true;
    }
    if (doc->kind == DOCS_BUDGET && str_eq(key, STR("periods"))) {
        write_periods(j, jdoc_value(name));
        return true;
    }
    if (doc->kind == DOCS_VIRTUAL_TAG && str_eq(key, STR("backfill_until")) &&
        jdoc_kind(jdoc_value(name)) == JDOC_NULL) {
        json_write_member_string(&j->json, "backfill_until", STR(FROM_THE_BEGINNING));
        return true;
    }
    return false;
}

static void write_added(struct job *j, const struct doc *doc, struct str performance)
{
    struct json_write *w = &j->json;
    switch (doc->kind) {
    case DOCS_SAVED_FILTER:
        write_tokens(j, "cost_report_tokens", DOCS_COST_REPORT, doc->token);
        json_write_member_text(w, "created_by", doc->created_by);
        break;
    case DOCS_BUDGET:
        json_write_member_text(w, "user_token", doc->created_by);
        json_write_member_text(w, "created_by_token", doc->created_by);
        write_tokens(j, "budget_alert_tokens", DOCS_BUDGET_ALERT, doc->token);
        json_write_member_raw(w, "performance", performance.n ? performance : STR("[]"));
        break;
    case DOCS_BUDGET_ALERT:
        json_write_member_text(w, "user_token", doc->created_by);
        json_write_member_null(w, "integration_provider");
        break;
    case DOCS_BUSINESS_METRIC:
        json_write_member_text(w, "created_by_token", doc->created_by);
        json_write_member_string(w, "import_type", STR("csv"));
        json_write_member_null(w, "integration_token");
        break;
    case DOCS_VIRTUAL_TAG:
        json_write_member_text(w, "created_by_token", doc->created_by);
        break;
    case DOCS_REPORT_FORECAST:
        json_write_member_bool(w, "is_default", report_forecasts_is_default(j, doc));
        json_write_member_text(w, "created_by_token", doc->created_by);
        break;
    case DOCS_SEGMENT:
        json_write_member_null(w, "report_token");
        break;
    default:
        break;
    }
}

void resource_write(struct job *j, const struct doc *doc, struct str performance)
{
    struct json_write *w = &j->json;
    struct jdoc parsed;
    unsigned frame = frame_of(doc->kind);
    jdoc_init(&parsed);
    struct str shown;
    bool ok = docs_view_body(ask_docs(j), doc, j->arena, &shown) == ERR_OK && jdoc_parse(&parsed, shown);
    struct jval body = ok ? jdoc_root(&parsed) : (struct jval){0};
    json_write_object(w);
    json_write_member_string(w, "token", doc->token);
    for (struct jval n = jdoc_first(body); jdoc_has(n); n = jdoc_next(body, n))
        if (!write_derived(j, doc, body, n)) {
            json_write_key(w, jdoc_escaped(n));
            json_write_raw(w, jdoc_raw(jdoc_value(n)));
        }
    write_added(j, doc, performance);
    if (frame & CREATED)
        vantage_time(w, "created_at", doc->created_us);
    if (frame & UPDATED)
        vantage_time(w, "updated_at", doc->updated_us);
    if (frame & PLACE)
        json_write_member_string(w, "workspace_token", ask_id_token(j, "wrkspc_", doc->workspace));
    json_write_object_end(w);
    jdoc_free(&parsed);
}
