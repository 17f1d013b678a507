/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of the closed sets. */
#include "report/reconcile/reconcile_kind.h"

#include "base/must.h"

static const char *const bys[][2] = {
#define X(name, text, heading) {text, heading},
    RECONCILE_BY_TABLE(X)
#undef X
};

static const char *const statuses[][2] = {
#define X(name, text, meaning) {text, meaning},
    RECONCILE_STATUS_TABLE(X)
#undef X
};

static const char *const causes[][2] = {
#define X(name, text, sentence) {text, sentence},
    RECONCILE_CAUSE_TABLE(X)
#undef X
};

static const char *const days[] = {
#define X(name, text, meaning) text,
    RECONCILE_DAY_TABLE(X)
#undef X
};

const char *reconcile_by_text(enum reconcile_by by)
{
    must(by < RECONCILE_BY_COUNT);
    return bys[by][0];
}

const char *reconcile_by_heading(enum reconcile_by by)
{
    must(by < RECONCILE_BY_COUNT);
    return bys[by][1];
}

bool reconcile_by_parse(struct str text, enum reconcile_by *ret)
{
    static const struct {
        const char *text;
        enum reconcile_by by;
    } others[] = {
        {"billing_account_id", RECONCILE_BY_ORGANIZATION},
        {"account_id", RECONCILE_BY_PROJECT},
        {"resource_id", RECONCILE_BY_KEY},
        {"key", RECONCILE_BY_KEY},
        {"service", RECONCILE_BY_OPERATION},
        {"cost_subcategory", RECONCILE_BY_METER},
        {"tier", RECONCILE_BY_TIER},
    };
    for (unsigned i = 0; i < RECONCILE_BY_COUNT; i++) {
        if (str_eq(text, str_c(bys[i][0]))) {
            *ret = (enum reconcile_by)i;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (str_eq(text, str_c(others[i].text))) {
            *ret = others[i].by;
            return true;
        }
    }
    return false;
}

const char *reconcile_status_text(enum reconcile_status s)
{
    must(s < RECONCILE_STATUS_COUNT);
    return statuses[s][0];
}

const char *reconcile_status_meaning(enum reconcile_status s)
{
    must(s < RECONCILE_STATUS_COUNT);
    return statuses[s][1];
}

const char *reconcile_cause_text(enum reconcile_cause c)
{
    must(c < RECONCILE_CAUSE_COUNT);
    return causes[c][0];
}

const char *reconcile_cause_sentence(enum reconcile_cause c)
{
    must(c < RECONCILE_CAUSE_COUNT);
    return causes[c][1];
}

const char *reconcile_day_text(enum reconcile_day_state s)
{
    must(s < RECONCILE_DAY_COUNT);
    return days[s];
}
