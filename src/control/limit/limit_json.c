/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing; what an amount or a window may be is for limit_check to say. */
#include "control/limit/limit_json.h"

#include "base/clock.h"
#include "base/json/jdoc.h"
#include "base/money.h"
#include "base/must.h"

#define JSON_MAX 65536
#define DAYS_MAX 365

/* Columns: Portkey's unit of a rate, and the window. */
static const struct {
    const char *text;
    enum window_unit unit;
} rate_units[] = {
    {"rps", WINDOW_SECOND}, {"rpm", WINDOW_MINUTE}, {"rph", WINDOW_HOUR}, {"rpd", WINDOW_DAY}, {"rpw", WINDOW_WEEK}};

/* ---- reading ---- */

static bool given(struct jval v)
{
    return jdoc_has(v) && jdoc_kind(v) != JDOC_NULL;
}

/* A member that is not there, or null, is fine. */
static const char *read_mode(struct jval object, struct limit *l, const char **ret_param)
{
    struct jval v = jdoc_find(object, "mode");
    *ret_param = "mode";
    l->mode = limit_default_mode(l->kind, l->measure);
    if (!given(v))
        return NULL;
    if (!jdoc_is(v, "hard") && !jdoc_is(v, "soft"))
        return "A limit's \"mode\" is \"hard\" or \"soft\".";
    l->mode = jdoc_is(v, "hard") ? LIMIT_HARD : LIMIT_SOFT;
    return NULL;
}

/* Dollars or tokens, above 0. */
static bool read_amount(struct jval v, const struct limit *l, int64_t *ret_amount)
{
    if (jdoc_kind(v) != JDOC_NUMBER)
        return false;
    if (l->measure == LIMIT_COST)
        return money_parse(jdoc_raw(v), ret_amount) && *ret_amount > 0 && *ret_amount <= LIMIT_AMOUNT_MAX;
    uint64_t n = jdoc_count(v, 0);
    if (n < 1 || n > LIMIT_AMOUNT_MAX)
        return false;
    *ret_amount = (int64_t)n;
    return true;
}

static const char *read_credit(struct jval object, struct limit *l, const char **ret_param)
{
    struct jval type = jdoc_find(object, "type"), alert = jdoc_find(object, "alert_threshold");
    *ret_param = "type";
    l->measure = LIMIT_COST;
    if (given(type) && !jdoc_is(type, "cost") && !jdoc_is(type, "tokens"))
        return "A usage limit's \"type\" is \"cost\" or \"tokens\".";
    if (jdoc_is(type, "tokens"))
        l->measure = LIMIT_TOKENS;
    *ret_param = "credit_limit";
    if (!read_amount(jdoc_find(object, "credit_limit"), l, &l->max))
        return "A usage limit needs \"credit_limit\": a number of dollars above 0, or of tokens if \"type\" is "
               "\"tokens\".";
    *ret_param = "alert_threshold";
    if (given(alert) && !str_eq(jdoc_raw(alert), STR("0")) && !read_amount(alert, l, &l->alert_at))
        return "The \"alert_threshold\" is a number in the unit of \"credit_limit\".";
    return NULL;
}

static const char *read_days(struct jval days, struct jval next, struct limit *l, const char **ret_param)
{
    uint64_t n = jdoc_count(days, 0);
    int64_t at = 0;
    *ret_param = "periodic_reset_days";
    if (n < 1 || n > DAYS_MAX)
        return "The \"periodic_reset_days\" are a whole number from 1 to 365.";
    l->window = (struct window){WINDOW_ANCHOR, (uint32_t)n, 0};
    if (!given(next))
        return NULL;
    *ret_param = "next_usage_reset_at";
    if (jdoc_kind(next) != JDOC_STRING || !clock_parse(jdoc_escaped(next), &at) || at < 0)
        return "The \"next_usage_reset_at\" is a time like 2026-12-01T00:00:00Z.";
    l->window.anchor_us = at;
    return NULL;
}

/* A time that is given back as it was shown, or is over, changes nothing. */
static const char *check_next(struct jval next, const struct limit *l, int64_t now_us, const char **ret_param)
{
    int64_t at = 0;
    *ret_param = "next_usage_reset_at";
    if (!given(next))
        return NULL;
    if (jdoc_kind(next) != JDOC_STRING || !clock_parse(jdoc_escaped(next), &at))
        return "The \"next_usage_reset_at\" is a time like 2026-12-01T00:00:00Z.";
    if (at > now_us && at != window_at(&l->window, now_us).end_us)
        return "Weeks and months are reset at fixed times; for a \"next_usage_reset_at\" of your own use "
               "\"periodic_reset_days\".";
    return NULL;
}

static const char *read_reset(struct jval object, enum window_unit week, int64_t now_us, struct limit *l,
                              const char **ret_param)
{
    struct jval reset = jdoc_find(object, "periodic_reset"), days = jdoc_find(object, "periodic_reset_days"),
                next = jdoc_find(object, "next_usage_reset_at");
    *ret_param = "periodic_reset";
    l->window = (struct window){WINDOW_NEVER, 1, 0};
    if (given(reset) && given(days))
        return "Give \"periodic_reset\" or \"periodic_reset_days\", not both.";
    if (given(days))
        return read_days(days, next, l, ret_param);
    if (!given(reset))
        return NULL;
    if (!jdoc_is(reset, "weekly") && !jdoc_is(reset, "monthly"))
        return "The \"periodic_reset\" is \"weekly\" or \"monthly\".";
    l->window.unit = jdoc_is(reset, "weekly") ? week : WINDOW_MONTH;
    return check_next(next, l, now_us, ret_param);
}

static const char *read_budget(struct jval object, enum window_unit week, int64_t now_us, struct limit *l,
                               const char **ret_param)
{
    l->kind = LIMIT_BUDGET;
    const char *bad = read_credit(object, l, ret_param);
    if (!bad)
        bad = read_reset(object, week, now_us, l, ret_param);
    return bad ? bad : read_mode(object, l, ret_param);
}

static const char *read_rate(struct jval object, struct limit *l, const char **ret_param)
{
    struct jval type = jdoc_find(object, "type"), unit = jdoc_find(object, "unit");
    l->kind = LIMIT_RATE;
    l->measure = jdoc_is(type, "tokens") ? LIMIT_TOKENS : LIMIT_REQUESTS;
    *ret_param = "type";
    if (given(type) && !jdoc_is(type, "tokens") && !jdoc_is(type, "requests"))
        return "A rate limit's \"type\" is \"requests\" or \"tokens\".";
    *ret_param = "unit";
    l->window = (struct window){WINDOW_NEVER, 1, 0};
    for (size_t i = 0; i < sizeof rate_units / sizeof rate_units[0]; i++)
        if (jdoc_is(unit, rate_units[i].text))
            l->window.unit = rate_units[i].unit;
    if (l->window.unit == WINDOW_NEVER)
        return "A rate limit's \"unit\" is one of rps, rpm, rph, rpd, rpw.";
    *ret_param = "value";
    if (!read_amount(jdoc_find(object, "value"), l, &l->max))
        return "A rate limit's \"value\" is a whole number above 0.";
    return read_mode(object, l, ret_param);
}

/* One of a list of budgets or rates. */
struct reading {
    enum limit_kind kind;
    int64_t now_us;
    struct limit *list;
    size_t count;
};

static const char *read_one(struct reading *r, struct jval v, const char **ret_param)
{
    struct limit l = {.source = STR(""), .name = STR(""), .conditions = STR(""), .group_by = STR("")};
    *ret_param = r->kind == LIMIT_BUDGET ? "usage_limits" : "rate_limits";
    if (jdoc_kind(v) != JDOC_OBJECT)
        return "A limit is an object.";
    if (jdoc_size(v) == 0)
        return NULL;
    if (r->count == LIMIT_ATTACHED_MAX)
        return "There are at most 16 limits on one object.";
    const char *bad = r->kind == LIMIT_BUDGET ? read_budget(v, WINDOW_WEEK_SUNDAY, r->now_us, &l, ret_param)
                                              : read_rate(v, &l, ret_param);
    if (!bad)
        r->list[r->count++] = l;
    return bad;
}

static const char *read_list(struct reading *r, struct jval v, const char **ret_param)
{
    const char *bad = NULL;
    if (jdoc_kind(v) == JDOC_NULL)
        return NULL;
    if (jdoc_kind(v) != JDOC_ARRAY)
        return read_one(r, v, ret_param);
    for (struct jval e = jdoc_first(v); jdoc_has(e) && !bad; e = jdoc_next(v, e))
        bad = read_one(r, e, ret_param);
    return bad;
}

static const char *read_text(struct reading *r, struct str json, size_t *ret_count, const char **ret_param)
{
    struct jdoc doc;
    const char *bad;
    *ret_param = r->kind == LIMIT_BUDGET ? "usage_limits" : "rate_limits";
    if (!json.n) {
        *ret_count = 0;
        return NULL;
    }
    if (json.n > JSON_MAX)
        return "The limits are too long.";
    jdoc_init(&doc);
    bad = jdoc_parse(&doc, json) ? read_list(r, jdoc_root(&doc), ret_param) : "This is not JSON.";
    jdoc_free(&doc);
    *ret_count = bad ? 0 : r->count;
    return bad;
}

const char *limit_json_budgets(struct str json, int64_t now_us, struct limit list[LIMIT_ATTACHED_MAX],
                               size_t *ret_count, const char **ret_param)
{
    struct reading r = {LIMIT_BUDGET, now_us, list, 0};
    return read_text(&r, json, ret_count, ret_param);
}

const char *limit_json_rates(struct str json, struct limit list[LIMIT_ATTACHED_MAX], size_t *ret_count,
                             const char **ret_param)
{
    struct reading r = {LIMIT_RATE, 0, list, 0};
    return read_text(&r, json, ret_count, ret_param);
}

/* A list as it stands; absent, null and [] are "". */
static struct str raw_list(struct jval v)
{
    return given(v) && !(jdoc_kind(v) == JDOC_ARRAY && jdoc_size(v) == 0) ? jdoc_raw(v) : STR("");
}

static const char *read_policy(struct jval root, enum limit_kind kind, int64_t now_us, struct arena *a, struct limit *l,
                               const char **ret_param)
{
    struct policy ignored;
    *ret_param = "";
    if (jdoc_kind(root) != JDOC_OBJECT)
        return "A policy is an object.";
    const char *bad =
        kind == LIMIT_BUDGET ? read_budget(root, WINDOW_WEEK, now_us, l, ret_param) : read_rate(root, l, ret_param);
    if (bad)
        return bad;
    *ret_param = "name";
    l->name = jdoc_text(jdoc_find(root, "name"), a);
    l->conditions = raw_list(jdoc_find(root, "conditions"));
    l->group_by = raw_list(jdoc_find(root, "group_by"));
    if (!l->name.n)
        return "A policy needs a \"name\".";
    l->name = arena_dup(a, l->name);
    if (!l->name.p)
        return "The policy is too large.";
    return policy_compile(l->conditions, l->group_by, a, &ignored, ret_param);
}

const char *limit_json_policy(struct str json, enum limit_kind kind, int64_t now_us, struct arena *a, struct limit *ret,
                              const char **ret_param)
{
    struct jdoc doc;
    struct limit l = {.attach = LIMIT_POLICY, .source = STR(""), .name = STR("")};
    must(kind == LIMIT_BUDGET || kind == LIMIT_RATE);
    *ret_param = "";
    if (json.n > JSON_MAX)
        return "The policy is too large.";
    jdoc_init(&doc);
    const char *bad =
        jdoc_parse(&doc, json) ? read_policy(jdoc_root(&doc), kind, now_us, a, &l, ret_param) : "This is not JSON.";
    jdoc_free(&doc);
    if (!bad)
        *ret = l;
    return bad;
}

static bool read_threshold(struct jval object, const char *name, int64_t *ret_amount)
{
    struct jval v = jdoc_find(object, name);
    uint64_t n = given(v) ? jdoc_count(v, UINT64_MAX) : 0;
    if (n > LIMIT_AMOUNT_MAX)
        return false;
    *ret_amount = (int64_t)n;
    return true;
}

static const char *read_cap(struct jval root, struct limit *l, const char **ret_param)
{
    static const enum window_unit units[] = {WINDOW_MINUTE, WINDOW_HOUR, WINDOW_DAY, WINDOW_MONTH};
    struct jval step = jdoc_find(root, "step"), granularity = jdoc_find(root, "granularity");
    uint64_t n = given(step) ? jdoc_count(step, 0) : 1;
    *ret_param = "maxTokens";
    if (jdoc_kind(root) != JDOC_OBJECT)
        return "maxTokens is an object.";
    *ret_param = "maxTokens.granularity";
    l->window = (struct window){WINDOW_NEVER, 1, 0};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (jdoc_is(granularity, window_unit_text(units[i])))
            l->window.unit = units[i];
    if (l->window.unit == WINDOW_NEVER)
        return "The granularity is one of minute, hour, day, month.";
    *ret_param = "maxTokens.step";
    if (n < 1 || n > WINDOW_STEP_MAX)
        return "The step is a whole number from 1 to 100000.";
    l->window.step = (uint32_t)n;
    *ret_param = "maxTokens";
    if (!read_threshold(root, "input", &l->input_max) || !read_threshold(root, "output", &l->output_max) ||
        !read_threshold(root, "total", &l->max))
        return "input, output and total are whole numbers of tokens; 0 means no limit.";
    return read_mode(root, l, ret_param);
}

const char *limit_json_cap(struct str json, struct limit *ret, const char **ret_param)
{
    struct jdoc doc;
    struct limit l = {.kind = LIMIT_CAP,
                      .measure = LIMIT_TOKENS,
                      .source = STR(""),
                      .name = STR(""),
                      .conditions = STR(""),
                      .group_by = STR("")};
    *ret_param = "maxTokens";
    if (json.n > JSON_MAX)
        return "The policy is too large.";
    jdoc_init(&doc);
    const char *bad = jdoc_parse(&doc, json) ? read_cap(jdoc_root(&doc), &l, ret_param) : "This is not JSON.";
    jdoc_free(&doc);
    if (!bad)
        *ret = l;
    return bad;
}

/* ---- writing ---- */

void limit_json_amount(struct json_write *w, const char *name, const struct limit *l, int64_t amount)
{
    if (l->measure == LIMIT_COST)
        json_write_member_money(w, name, amount);
    else
        json_write_member_int(w, name, amount);
}

static void write_mode(struct json_write *w, const struct limit *l)
{
    json_write_member_string(w, "mode", l->mode == LIMIT_HARD ? STR("hard") : STR("soft"));
}

static void write_time(struct json_write *w, const char *name, int64_t us)
{
    char text[CLOCK_TEXT_MAX];
    json_write_member_string(w, name, str_of(text, clock_format(us, 0, text)));
}

void limit_json_budget_members(struct json_write *w, const struct limit *l, int64_t now_us)
{
    limit_json_amount(w, "credit_limit", l, l->max);
    json_write_member_string(w, "type", str_c(limit_measure_text(l->measure)));
    if (l->alert_at)
        limit_json_amount(w, "alert_threshold", l, l->alert_at);
    else
        json_write_member_null(w, "alert_threshold");
    if (l->window.unit == WINDOW_MONTH)
        json_write_member_string(w, "periodic_reset", STR("monthly"));
    else if (l->window.unit == WINDOW_WEEK || l->window.unit == WINDOW_WEEK_SUNDAY)
        json_write_member_string(w, "periodic_reset", STR("weekly"));
    else
        json_write_member_null(w, "periodic_reset");
    if (l->window.unit == WINDOW_ANCHOR)
        json_write_member_int(w, "periodic_reset_days", l->window.step);
    if (l->window.unit != WINDOW_NEVER)
        write_time(w, "next_usage_reset_at", window_at(&l->window, now_us).end_us);
    write_mode(w, l);
}

void limit_json_rate_members(struct json_write *w, const struct limit *l)
{
    const char *unit = "rpm";
    for (size_t i = 0; i < sizeof rate_units / sizeof rate_units[0]; i++)
        if (rate_units[i].unit == l->window.unit)
            unit = rate_units[i].text;
    json_write_member_string(w, "type", str_c(limit_measure_text(l->measure)));
    json_write_member_string(w, "unit", str_c(unit));
    json_write_member_int(w, "value", l->max);
    if (l->mode != limit_default_mode(l->kind, l->measure))
        write_mode(w, l);
}

void limit_json_cap_members(struct json_write *w, const struct limit *l)
{
    json_write_member_string(w, "granularity", str_c(window_unit_text(l->window.unit)));
    json_write_member_int(w, "step", l->window.step);
    json_write_member_int(w, "input", l->input_max);
    json_write_member_int(w, "output", l->output_max);
    json_write_member_int(w, "total", l->max);
    if (l->mode != LIMIT_SOFT)
        write_mode(w, l);
}

void limit_json_all_members(struct json_write *w, const struct limit *l)
{
    json_write_member_string(w, "on", str_c(limit_attach_text(l->attach)));
    json_write_member_int(w, "on_id", l->attach_id);
    json_write_member_text(w, "name", l->name);
    json_write_member_text(w, "source", l->source);
    json_write_member_string(w, "kind", str_c(limit_kind_text(l->kind)));
    json_write_member_string(w, "measure", str_c(limit_measure_text(l->measure)));
    write_mode(w, l);
    json_write_member_string(w, "window", str_c(window_unit_text(l->window.unit)));
    json_write_member_int(w, "step", l->window.step);
    if (l->window.unit == WINDOW_ANCHOR)
        write_time(w, "anchor", l->window.anchor_us);
    limit_json_amount(w, "max", l, l->max);
    if (l->kind == LIMIT_CAP) {
        json_write_member_int(w, "input_max", l->input_max);
        json_write_member_int(w, "output_max", l->output_max);
    }
    if (l->alert_at)
        limit_json_amount(w, "alert_at", l, l->alert_at);
    if (l->conditions.n)
        json_write_member_raw(w, "conditions", l->conditions);
    if (l->group_by.n)
        json_write_member_raw(w, "group_by", l->group_by);
    write_time(w, "counted_from", l->counted_from_us);
}
