/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a refused caller is told: Portkey's status, type, code and message by one table (portkey.md §8),
 * and a sentence for everybody else that says what is used up, until when, and what to do.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/money.h"
#include "gateway/limits/limits_inner.h"

#define SOON_S 60
#define FULL_RETRY_S 60

struct form {
    enum limits_family family;
    const char *budget_type, *rate_type;
    const char *budget_code, *rate_code;
    const char *budget, *rate; /* messages; %s: who, masked */
    const char *who;           /* in the sentence; %s: its name */
};

/* By what the rule hangs on. An integration that belongs to a workspace is what Portkey calls a virtual key. */
static const struct form forms[LIMIT_ATTACH_COUNT] = {
    [LIMIT_KEY] = {LIMITS_FAMILY_KEY, "insufficient_quota", "rate_limit_error", "04", "05",
                   "Portkey API Key Usage Limit Exceeded", "apikey %s rate limit exceeded", "this key"},
    [LIMIT_MEMBER] = {LIMITS_FAMILY_KEY, "insufficient_quota", "rate_limit_error", "04", "05",
                      "Portkey User Usage Limit Exceeded", "user %s rate limit exceeded", "this key's member"},
    [LIMIT_WORKSPACE] = {LIMITS_FAMILY_KEY, "insufficient_quota", "rate_limit_error", "04", "05",
                         "Portkey Workspace Usage Limit Exceeded", "workspace %s rate limit exceeded",
                         "the workspace %s"},
    [LIMIT_INTEGRATION] = {LIMITS_FAMILY_TARGET, "virtual_key_exhaust_error", "virtual_key_rate_limit_error", "", "",
                           "Portkey Virtual Key %s Usage Limit Exceeded", "Portkey Virtual Key %s Rate Limit Exceeded",
                           "the integration %s"},
    [LIMIT_ACCESS] = {LIMITS_FAMILY_TARGET, "workspace_integration_exhaust_error",
                      "workspace_integration_rate_limit_error", "", "",
                      "Portkey Workspace Integration %s Usage Limit Exceeded",
                      "Portkey Workspace Integration %s Rate Limit Exceeded", "the integration %s in this workspace"},
    [LIMIT_MODEL] = {LIMITS_FAMILY_TARGET, "model_exhaust_error", "model_rate_limit_error", "", "",
                     "Usage limit of this model exceeded", "Rate limit of this model exceeded", "this model API"},
    [LIMIT_POLICY] = {LIMITS_FAMILY_TARGET, "usage_limits_policy_exhaust_error", "rate_limits_policy_exhaust_error",
                      "06", "", "Usage limits policy %s exceeded", "Rate limits policy %s exceeded", "the policy %s"},
};

static const struct form organization_form = {
    LIMITS_FAMILY_TARGET,
    "integration_exhaust_error",
    "integration_rate_limit_error",
    "",
    "",
    "Portkey Integration %s Usage Limit Exceeded",
    "Portkey Integration %s Rate Limit Exceeded",
    "the integration %s",
};

static const struct form *form_of(const struct limit *l)
{
    return l->attach == LIMIT_INTEGRATION && l->workspace_id == 0 ? &organization_form : &forms[l->attach];
}

/* "ab********xyz": two characters, eight stars, three characters. */
static void mask(struct str text, char *out, size_t cap)
{
    struct str head = str_head(text, 2);
    struct str tail = text.n > 5 ? str_from(text, text.n - 3) : STR("");
    snprintf(out, cap, "%.*s********%.*s", STR_ARG(head), STR_ARG(tail));
}

static struct str name_of(const struct limit *l, const struct limits_subject *s)
{
    switch (l->attach) {
    case LIMIT_WORKSPACE:
        return s->key->workspace ? s->key->workspace->name : STR("");
    case LIMIT_INTEGRATION:
    case LIMIT_ACCESS:
        return s->integration ? s->integration->slug : STR("");
    case LIMIT_POLICY:
        return l->name;
    case LIMIT_KEY:
    case LIMIT_MEMBER:
    case LIMIT_MODEL:
    case LIMIT_ATTACH_COUNT:
        break;
    }
    return s->key->public_id;
}

/* `format` has one "%s" at most. */
static void put_name(const char *format, struct str name, char *out, size_t cap)
{
    struct str f = str_c(format);
    ptrdiff_t at = str_search(f, STR("%s"));
    if (at < 0)
        str_copy(out, cap, f);
    else
        snprintf(out, cap, "%.*s%.*s%s", (int)at, format, STR_ARG(str_head(name, 100)), format + at + 2);
}

static void put_message(const struct form *form, const struct limit *l, const struct limits_subject *s,
                        char out[LIMITS_MESSAGE_MAX])
{
    char who[64];
    struct str name = name_of(l, s);
    const char *format = l->kind == LIMIT_BUDGET ? form->budget : form->rate;
    if (l->attach == LIMIT_POLICY) {
        put_name(format, name, out, LIMITS_MESSAGE_MAX);
        return;
    }
    if (l->attach == LIMIT_KEY || l->attach == LIMIT_MEMBER) {
        char text[40];
        snprintf(text, sizeof text, "tg-%.*s", STR_ARG(str_head(name, 32)));
        mask(str_c(text), who, sizeof who);
    } else {
        mask(name, who, sizeof who);
    }
    put_name(format, str_c(who), out, LIMITS_MESSAGE_MAX);
}

/* "$0.25", "1200 tokens", "60 requests" */
static void put_amount(enum limit_measure measure, int64_t v, char *out, size_t cap)
{
    char money[MONEY_TEXT_MAX];
    if (measure == LIMIT_COST) {
        money_format(v < 0 ? 0 : v, money);
        snprintf(out, cap, "$%s", money);
    } else {
        snprintf(out, cap, "%lld %s", (long long)(v < 0 ? 0 : v), limit_measure_text(measure));
    }
}

/* " a minute", " in 3 days", "" */
static void put_period(const struct window *w, char *out, size_t cap)
{
    static const char *const words[WINDOW_UNIT_COUNT] = {
        [WINDOW_SECOND] = "second", [WINDOW_MINUTE] = "minute",    [WINDOW_HOUR] = "hour",   [WINDOW_DAY] = "day",
        [WINDOW_WEEK] = "week",     [WINDOW_WEEK_SUNDAY] = "week", [WINDOW_MONTH] = "month", [WINDOW_ANCHOR] = "day"};
    if (w->unit == WINDOW_NEVER)
        *out = '\0';
    else if (w->step == 1)
        snprintf(out, cap, " a %s", words[w->unit]);
    else
        snprintf(out, cap, " in %u %ss", w->step, words[w->unit]);
}

/* The one of three maxima that says no: what is taken of it, and what it is. */
static const char *which(const struct limits_ask *ask, const struct counter_state *c, int64_t *ret_taken,
                         int64_t *ret_max)
{
    const struct limit *l = &ask->rule->limit;
    const int64_t none[COUNTER_QUANTITIES] = {0};
    struct limit only = *l;
    int64_t main = limits_add(c->used[COUNTER_MAIN], c->reserved[COUNTER_MAIN]);
    int64_t output = limits_add(c->used[COUNTER_OUTPUT], c->reserved[COUNTER_OUTPUT]);
    only.max = only.output_max = 0;
    if (l->input_max && (!limits_lets_in(&only, c, ask->need) || !limits_lets_in(&only, c, none))) {
        *ret_taken = main;
        *ret_max = l->input_max;
        return "input ";
    }
    only.output_max = l->output_max;
    only.input_max = 0;
    if (l->output_max && !limits_lets_in(&only, c, ask->need)) {
        *ret_taken = output;
        *ret_max = l->output_max;
        return "output ";
    }
    *ret_taken = limits_add(main, output);
    *ret_max = l->max;
    return "";
}

static void put_end(const struct counter_state *c, char *out, size_t cap)
{
    char when[CLOCK_TEXT_MAX];
    if (c->end_us == INT64_MAX) {
        snprintf(out, cap, "ask an admin to raise or reset it");
        return;
    }
    clock_format(c->end_us, 0, when);
    snprintf(out, cap, "it is reset at %s", when);
}

static void put_sentence(const struct form *form, const struct limits_ask *ask, const struct counter_state *c,
                         const struct limits_subject *s, char out[LIMITS_SENTENCE_MAX])
{
    static const char *const nouns[] = {"budget", "rate limit", "token limit"};
    const struct limit *l = &ask->rule->limit;
    char who[128], limit[80], left[80], need[80], period[40], end[80];
    int64_t taken, max, wanted = limits_add(ask->need[COUNTER_MAIN], ask->need[COUNTER_OUTPUT]);
    const char *part = which(ask, c, &taken, &max);
    put_name(form->who, name_of(l, s), who, sizeof who);
    put_amount(l->measure, max, limit, sizeof limit);
    put_amount(l->measure, max - taken, left, sizeof left);
    put_amount(l->measure, wanted, need, sizeof need);
    put_period(&l->window, period, sizeof period);
    put_end(c, end, sizeof end);
    if (taken < max && l->measure != LIMIT_REQUESTS)
        snprintf(out, LIMITS_SENTENCE_MAX,
                 "This request may take up to %s, and the %s%s of %s (%s%s) has %s left; set a smaller maximum of "
                 "output tokens, or wait: %s.",
                 need, part, nouns[l->kind], who, limit, period, left, end);
    else
        snprintf(out, LIMITS_SENTENCE_MAX, "The %s%s of %s (%s%s) is used up; %s.", part, nouns[l->kind], who, limit,
                 period, end);
}

void limits_refuse(const struct limits_ask *ask, const struct counter_state *seen, const struct limits_subject *s,
                   int64_t now_us, struct limits_refusal *ret)
{
    const struct limit *l = &ask->rule->limit;
    const struct form *form = form_of(l);
    bool budget = l->kind == LIMIT_BUDGET;
    *ret = (struct limits_refusal){
        .rule = ask->rule,
        .family = l->kind == LIMIT_CAP ? LIMITS_FAMILY_BLAXEL : form->family,
        .status = budget ? 412 : 429,
        .type = budget ? form->budget_type : form->rate_type,
        .code = budget ? form->budget_code : form->rate_code,
        .openai_type = budget ? "insufficient_quota" : limit_measure_text(l->measure),
        .openai_code = budget ? "budget_exceeded" : "rate_limit_exceeded",
        .retry_after_s = window_seconds_left(seen->end_us, now_us),
    };
    ret->may_retry = l->kind == LIMIT_RATE && ret->retry_after_s <= SOON_S;
    put_message(form, l, s, ret->message);
    put_sentence(form, ask, seen, s, ret->sentence);
}

void limits_refuse_full(const struct limits_ask *ask, struct limits_refusal *ret)
{
    static const char text[] = "The policy has more groups than can be counted; an admin can group by something with "
                               "fewer values, or raise the number of counters.";
    *ret = (struct limits_refusal){
        .rule = ask->rule,
        .family = LIMITS_FAMILY_TARGET,
        .status = 503,
        .type = "server_error",
        .code = "",
        .openai_type = "server_error",
        .openai_code = "overloaded",
        .retry_after_s = FULL_RETRY_S,
    };
    str_copy(ret->message, sizeof ret->message, STR(text));
    str_copy(ret->sentence, sizeof ret->sentence, STR(text));
}
