/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of the closed sets, and what may be stored.
 */
#include "control/limit/limit.h"

#include "base/must.h"
#include "control/control_text.h"

static const char *const attach_texts[] = {
#define X(name, text, what) text,
    LIMIT_ATTACH_TABLE(X)
#undef X
};
static const char *const kind_texts[] = {"budget", "rate", "cap"};
static const char *const measure_texts[] = {"cost", "tokens", "requests"};

_Static_assert(sizeof kind_texts / sizeof *kind_texts == LIMIT_KIND_COUNT, "every kind has a text");
_Static_assert(sizeof measure_texts / sizeof *measure_texts == LIMIT_MEASURE_COUNT, "every measure has a text");

static bool find(const char *const *texts, unsigned count, struct str text, unsigned *ret_at)
{
    for (unsigned i = 0; i < count; i++) {
        if (str_eq(text, str_c(texts[i]))) {
            *ret_at = i;
            return true;
        }
    }
    return false;
}

const char *limit_attach_text(enum limit_attach a)
{
    must((unsigned)a < LIMIT_ATTACH_COUNT);
    return attach_texts[a];
}

bool limit_attach_parse(struct str text, enum limit_attach *ret_attach)
{
    unsigned at;
    if (!find(attach_texts, LIMIT_ATTACH_COUNT, text, &at))
        return false;
    *ret_attach = (enum limit_attach)at;
    return true;
}

const char *limit_kind_text(enum limit_kind k)
{
    must((unsigned)k < LIMIT_KIND_COUNT);
    return kind_texts[k];
}

bool limit_kind_parse(struct str text, enum limit_kind *ret_kind)
{
    unsigned at;
    if (!find(kind_texts, LIMIT_KIND_COUNT, text, &at))
        return false;
    *ret_kind = (enum limit_kind)at;
    return true;
}

const char *limit_measure_text(enum limit_measure m)
{
    must((unsigned)m < LIMIT_MEASURE_COUNT);
    return measure_texts[m];
}

bool limit_measure_parse(struct str text, enum limit_measure *ret_measure)
{
    unsigned at;
    if (!find(measure_texts, LIMIT_MEASURE_COUNT, text, &at))
        return false;
    *ret_measure = (enum limit_measure)at;
    return true;
}

const char *limit_mode_text(enum limit_mode m)
{
    return m == LIMIT_HARD ? "hard" : "soft";
}

bool limit_mode_parse(struct str text, enum limit_mode *ret_mode)
{
    if (!str_eq(text, STR("hard")) && !str_eq(text, STR("soft")))
        return false;
    *ret_mode = str_eq(text, STR("hard")) ? LIMIT_HARD : LIMIT_SOFT;
    return true;
}

/* ---- checks ---- */

static bool amount_ok(int64_t v)
{
    return v >= 0 && v <= LIMIT_AMOUNT_MAX;
}

static const char *check_amounts(const struct limit *l, const char **ret_param)
{
    bool cap = l->kind == LIMIT_CAP;
    *ret_param = l->kind == LIMIT_BUDGET ? "credit_limit" : cap ? "maxTokens" : "value";
    if (!amount_ok(l->max) || !amount_ok(l->input_max) || !amount_ok(l->output_max))
        return "An amount is a number from 0 to 2305843009213693951 (pico-dollars, tokens or requests).";
    if (!cap && (l->input_max || l->output_max))
        return "Only caps limit input and output on their own.";
    if (!cap && l->max < 1)
        return "The limit must be above 0; to take it away, remove it.";
    *ret_param = "alert_threshold";
    if (!amount_ok(l->alert_at) || (l->alert_at > 0 && l->max > 0 && l->alert_at > l->max))
        return "The alert threshold must not be above the limit.";
    return NULL;
}

static const char *check_window(const struct limit *l, const char **ret_param)
{
    const struct window *w = &l->window;
    *ret_param = l->kind == LIMIT_BUDGET ? "periodic_reset" : l->kind == LIMIT_CAP ? "granularity" : "unit";
    if ((unsigned)w->unit >= WINDOW_UNIT_COUNT || w->step < 1 || w->step > WINDOW_STEP_MAX)
        return "The window is not one that exists; see docs/LIMITS.md.";
    if (w->anchor_us < 0 || (w->unit != WINDOW_ANCHOR && w->anchor_us != 0))
        return "Only windows of so many days have a moment to begin at.";
    if (w->unit == WINDOW_NEVER && l->kind != LIMIT_BUDGET)
        return "Only a budget may go without windows.";
    return NULL;
}

static const char *check_place(const struct limit *l, const char **ret_param)
{
    *ret_param = "attach";
    if ((unsigned)l->attach >= LIMIT_ATTACH_COUNT || l->workspace_id < 0)
        return "A limit hangs on a key, a member, a workspace, an integration, a model or is a policy.";
    if (l->attach == LIMIT_POLICY ? l->attach_id != 0 : l->attach_id < 1)
        return "A limit needs the object it hangs on; a policy has none but its workspace.";
    if (l->attach == LIMIT_ACCESS && l->workspace_id < 1)
        return "A limit on an integration in a workspace needs the workspace.";
    *ret_param = "conditions";
    if (l->attach != LIMIT_POLICY && (l->conditions.n || l->group_by.n))
        return "Only policies have conditions and groups.";
    *ret_param = "name";
    if (l->attach == LIMIT_POLICY && !control_text_is_name(l->name, LIMIT_NAME_MAX))
        return "A policy's name has 1 to 100 bytes of UTF-8 without control characters.";
    return NULL;
}

const char *limit_check(const struct limit *l, const char **ret_param)
{
    const char *bad = check_place(l, ret_param);
    if (bad)
        return bad;
    *ret_param = "type";
    if ((unsigned)l->kind >= LIMIT_KIND_COUNT || (unsigned)l->measure >= LIMIT_MEASURE_COUNT)
        return "A limit is a budget, a rate or a cap, on cost, tokens or requests.";
    if (l->kind == LIMIT_BUDGET && l->measure == LIMIT_REQUESTS)
        return "A budget is in money (\"cost\") or in \"tokens\".";
    if (l->kind == LIMIT_RATE && l->measure == LIMIT_COST)
        return "A rate is of \"requests\" or \"tokens\".";
    if (l->kind == LIMIT_CAP && l->measure != LIMIT_TOKENS)
        return "A cap is of tokens.";
    if (l->kind != LIMIT_BUDGET && l->alert_at)
        return "Only budgets have an alert threshold.";
    bad = check_amounts(l, ret_param);
    return bad ? bad : check_window(l, ret_param);
}
