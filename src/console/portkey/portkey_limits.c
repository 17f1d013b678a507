/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts are read as decimal text, never through a floating point number. */
#include "console/portkey/portkey_limits.h"

#include "base/clock.h"
#include "base/money.h"
#include "console/console_inner.h"
#include "console/native/output.h"
#include "control/limit/ruleset.h"
#include "gateway/limits/limits.h"

/* ---- reading ---- */

static bool refuse(struct given *g, const char *param, const char *detail)
{
    if (!g->job->status)
        job_fail(g->job, ERR_BAD_PARAMETER, str_c(param), str_c(detail));
    return false;
}

/* A number of dollars or of tokens; 0 when absent. */
static bool read_amount(struct given *g, struct jval object, const char *name, enum limit_measure measure, int64_t *ret)
{
    struct jval v = given_member(object, name);
    uint64_t whole = 0;
    *ret = 0;
    if (!jdoc_has(v))
        return true;
    if (jdoc_kind(v) != JDOC_NUMBER)
        return refuse(g, name, "it must be a number");
    if (measure == LIMIT_COST)
        return (money_parse(jdoc_raw(v), ret) && *ret >= 0 && *ret <= LIMIT_AMOUNT_MAX) ||
               refuse(g, name, "it must be a number of dollars from 0 to two million");
    if (!str_to_u64(jdoc_raw(v), &whole) || whole > LIMIT_AMOUNT_MAX)
        return refuse(g, name, "it must be a whole number");
    *ret = (int64_t)whole;
    return true;
}

static bool read_period(struct given *g, struct jval object, struct window *w)
{
    struct str period = given_text(g, object, "periodic_reset");
    struct jval days = given_member(object, "periodic_reset_days");
    int64_t next;
    const int64_t *at = given_time(g, object, "next_usage_reset_at", &next);
    uint64_t count = 0;
    *w = (struct window){WINDOW_NEVER, 1, 0};
    if (g->job->status)
        return false;
    if (period.n && jdoc_has(days))
        return refuse(g, "periodic_reset_days", "give either periodic_reset or periodic_reset_days");
    if (jdoc_has(days)) {
        if (!str_to_u64(jdoc_raw(days), &count) || count < 1 || count > 365)
            return refuse(g, "periodic_reset_days", "it is a whole number from 1 to 365");
        *w = (struct window){WINDOW_ANCHOR, (uint32_t)count, at ? *at : 0};
    } else if (str_eq(period, STR("weekly"))) {
        *w = at ? (struct window){WINDOW_ANCHOR, 7, *at} : (struct window){WINDOW_WEEK_SUNDAY, 1, 0};
    } else if (str_eq(period, STR("monthly"))) {
        *w = (struct window){WINDOW_MONTH, 1, 0};
        if (at && window_at(w, *at).start_us != *at)
            return refuse(g, "next_usage_reset_at", "a monthly budget is reset on the 1st at 00:00 UTC");
    } else if (period.n) {
        return refuse(g, "periodic_reset", "it is weekly or monthly");
    } else if (at) {
        return refuse(g, "next_usage_reset_at", "it goes with periodic_reset or periodic_reset_days");
    }
    return true;
}

static bool read_measure(struct given *g, struct jval object, enum limit_measure otherwise, enum limit_measure *ret)
{
    struct str type = given_text(g, object, "type");
    *ret = otherwise;
    if (g->job->status || !type.n)
        return g->job->status == 0;
    return limit_measure_parse(type, ret) ||
           refuse(g, "type", "it is cost or tokens for usage, requests or tokens for rates");
}

/* What is wrong with the amounts and windows, whatever it is to hang on. */
static bool check(struct given *g, const struct limit *l)
{
    struct limit with = *l;
    const char *param = "";
    with.attach = LIMIT_WORKSPACE;
    with.attach_id = with.workspace_id = 1;
    const char *fault = limit_check(&with, &param);
    return !fault || refuse(g, param, fault);
}

bool portkey_limits_read_budget(struct given *g, struct jval object, struct limit *ret)
{
    *ret = (struct limit){.kind = LIMIT_BUDGET};
    if (!read_measure(g, object, LIMIT_COST, &ret->measure) ||
        !read_amount(g, object, "credit_limit", ret->measure, &ret->max) ||
        !read_amount(g, object, "alert_threshold", ret->measure, &ret->alert_at) ||
        !read_period(g, object, &ret->window))
        return false;
    ret->mode = limit_default_mode(ret->kind, ret->measure);
    return check(g, ret);
}

static const struct {
    const char *text;
    enum window_unit unit;
} units[] = {
    {"rps", WINDOW_SECOND}, {"rpm", WINDOW_MINUTE}, {"rph", WINDOW_HOUR}, {"rpd", WINDOW_DAY}, {"rpw", WINDOW_WEEK}};
#define UNIT_COUNT (sizeof units / sizeof units[0])

bool portkey_limits_read_rate(struct given *g, struct jval object, struct limit *ret)
{
    struct str unit = given_text(g, object, "unit");
    size_t i = 0;
    *ret = (struct limit){.kind = LIMIT_RATE};
    if (!read_measure(g, object, LIMIT_REQUESTS, &ret->measure) ||
        !read_amount(g, object, "value", LIMIT_TOKENS, &ret->max))
        return false;
    while (i < UNIT_COUNT && !str_eq(unit, str_c(units[i].text)))
        i++;
    if (i == UNIT_COUNT)
        return refuse(g, "unit", "it is rps, rpm, rph, rpd or rpw");
    ret->window = (struct window){units[i].unit, 1, 0};
    ret->mode = limit_default_mode(ret->kind, ret->measure);
    return check(g, ret);
}

typedef bool read_one_fn(struct given *g, struct jval object, struct limit *ret);

/* An object, an array of objects, or nothing. */
static bool read_list(struct given *g, struct jval object, const char *name, read_one_fn *read, struct limit *list,
                      size_t *ret_count, bool *ret_has)
{
    bool present = false;
    struct jval v = given_nullable(object, name, &present);
    *ret_count = 0;
    *ret_has = present;
    if (!jdoc_has(v) || jdoc_size(v) == 0)
        return !jdoc_has(v) || jdoc_kind(v) == JDOC_OBJECT || jdoc_kind(v) == JDOC_ARRAY ||
               refuse(g, name, "it must be an object or an array of them");
    if (jdoc_kind(v) == JDOC_OBJECT) {
        *ret_count = 1;
        return read(g, v, &list[0]);
    }
    for (struct jval e = jdoc_first(v); jdoc_has(e); e = jdoc_next(v, e)) {
        if (jdoc_kind(e) != JDOC_OBJECT || *ret_count == PORTKEY_LIMITS_MAX)
            return refuse(g, name, "it must be an array of at most 16 objects");
        if (!read(g, e, &list[(*ret_count)++]))
            return false;
    }
    return true;
}

bool portkey_limits_read(struct given *g, struct jval object, struct portkey_limits *ret)
{
    *ret = (struct portkey_limits){0};
    return read_list(g, object, "usage_limits", portkey_limits_read_budget, ret->budgets, &ret->budget_count,
                     &ret->has_budgets) &&
           read_list(g, object, "rate_limits", portkey_limits_read_rate, ret->rates, &ret->rate_count, &ret->has_rates);
}

enum err portkey_limits_put(struct job *j, const struct rule_place *place, const struct portkey_limits *limits,
                            struct control_why *why)
{
    struct control *c = j->console->settings.control;
    enum err e = ERR_OK;
    if (limits->has_budgets)
        e = rule_replace(c, place, LIMIT_BUDGET, limits->budgets, limits->budget_count, why);
    if (e == ERR_OK && limits->has_rates)
        e = rule_replace(c, place, LIMIT_RATE, limits->rates, limits->rate_count, why);
    return e;
}

/* ---- writing ---- */

static void write_amount(struct json_write *w, const char *name, enum limit_measure measure, int64_t amount)
{
    char text[MONEY_TEXT_MAX];
    if (measure != LIMIT_COST) {
        json_write_member_int(w, name, amount);
        return;
    }
    size_t n = money_format(amount, text);
    if (n > 3 && str_eq(str_of(text + n - 3, 3), STR(".00"))) /* 5, not 5.00 */
        n -= 3;
    json_write_member_raw(w, name, str_of(text, n));
}

void portkey_limits_write_budget(struct json_write *w, const struct limit *l)
{
    struct window_span span = window_at(&l->window, clock_wall_us());
    json_write_member_string(w, "type", str_c(limit_measure_text(l->measure)));
    write_amount(w, "credit_limit", l->measure, l->max);
    if (l->alert_at)
        write_amount(w, "alert_threshold", l->measure, l->alert_at);
    else
        json_write_member_null(w, "alert_threshold");
    bool weekly = l->window.unit == WINDOW_WEEK_SUNDAY || l->window.unit == WINDOW_WEEK;
    json_write_member_text(w, "periodic_reset",
                           weekly                           ? STR("weekly")
                           : l->window.unit == WINDOW_MONTH ? STR("monthly")
                                                            : STR(""));
    if (l->window.unit == WINDOW_ANCHOR)
        json_write_member_uint(w, "periodic_reset_days", l->window.step);
    else
        json_write_member_null(w, "periodic_reset_days");
    output_time(w, "next_usage_reset_at", l->window.unit == WINDOW_NEVER ? 0 : span.end_us);
}

void portkey_limits_write_rate(struct json_write *w, const struct limit *l)
{
    const char *unit = "";
    for (size_t i = 0; i < UNIT_COUNT; i++)
        if (units[i].unit == l->window.unit)
            unit = units[i].text;
    json_write_member_string(w, "type", str_c(limit_measure_text(l->measure)));
    json_write_member_string(w, "unit", str_c(unit));
    json_write_member_int(w, "value", l->max);
}

struct used {
    struct json_write *w;
    const struct limit *limit;
};

static bool write_state(void *context, const struct limits_state *state)
{
    const struct used *u = context;
    write_amount(u->w, "used", u->limit->measure, state->used);
    json_write_member_string(u->w, "status", state->exhausted ? STR("exhausted") : STR("active"));
    return false;
}

static void write_one(struct job *j, const struct limit *l)
{
    struct json_write *w = &j->json;
    const struct ruleset_rule *rule = ruleset_rule_of(snapshot_limits(j->snapshot), l->id);
    struct used used = {w, l};
    json_write_object(w);
    if (l->kind == LIMIT_BUDGET)
        portkey_limits_write_budget(w, l);
    else
        portkey_limits_write_rate(w, l);
    if (rule && l->kind == LIMIT_BUDGET && j->console->settings.limits)
        limits_states_of(j->console->settings.limits, rule, clock_wall_us(), write_state, &used);
    json_write_object_end(w);
}

enum shape { SHAPE_OBJECT, SHAPE_ARRAY, SHAPE_LOOSE };

static void write_kind(struct job *j, const struct limit *list, size_t count, enum limit_kind kind, enum shape shape)
{
    struct json_write *w = &j->json;
    size_t there = 0;
    bool any = false;
    for (size_t i = 0; i < count; i++)
        there += list[i].kind == kind;
    bool array = shape == SHAPE_ARRAY || (shape == SHAPE_LOOSE && there > 1);
    if (array)
        json_write_array(w);
    for (size_t i = 0; i < count; i++) {
        if (list[i].kind != kind || (!array && any))
            continue;
        write_one(j, &list[i]);
        any = true;
    }
    if (array)
        json_write_array_end(w);
    else if (!any)
        json_write_null(w);
}

enum err portkey_limits_write(struct job *j, const struct rule_place *place, enum portkey_limits_form form,
                              struct control_why *why)
{
    struct limit *list = NULL;
    size_t count = 0;
    bool by_workspace = place->attach == LIMIT_ACCESS || place->attach == LIMIT_MODEL;
    const struct rule_filter filter = {.workspace_id = by_workspace ? place->workspace_id : RULE_ANY_WORKSPACE,
                                       .attach = (int)place->attach,
                                       .attach_id = place->attach_id,
                                       .kind = -1,
                                       .source = &place->source};
    enum err e = rule_list(j->console->settings.control, &filter, j->arena, &list, &count, why);
    if (e != ERR_OK)
        return e;
    enum shape loose = form == PORTKEY_LIMITS_LOOSE ? SHAPE_LOOSE : SHAPE_ARRAY;
    json_write_key(&j->json, STR("usage_limits"));
    write_kind(j, list, count, LIMIT_BUDGET, form == PORTKEY_LIMITS_ONE ? SHAPE_OBJECT : loose);
    json_write_key(&j->json, STR("rate_limits"));
    write_kind(j, list, count, LIMIT_RATE, loose);
    return ERR_OK;
}

bool portkey_limits_exhausted(struct job *j, const struct rule_place *place)
{
    struct limits *l = j->console->settings.limits;
    return l && limits_exhausted(l, j->snapshot, place->attach, place->attach_id, place->workspace_id, clock_wall_us());
}
