/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_RECONCILE_RECONCILE_KIND_H
#define REPORT_RECONCILE_RECONCILE_KIND_H

/*
 * reconcile_kind: the closed sets of reconciliation: what rows are told apart by, what they are found to be, and why.
 * Texts are those of the API, the command line and exports. Append only.
 */

#include <stdbool.h>

#include "base/str.h"

/* Groupings. Columns: name, text in the API and key in JSON, heading in CSV. */
#define RECONCILE_BY_TABLE(X)                       \
    X(DAY, "day", "Day")                            \
    X(MONTH, "month", "Month")                      \
    X(ORGANIZATION, "organization", "Organization") \
    X(PROJECT, "project", "Project")                \
    X(KEY, "api_key", "API Key")                    \
    X(OPERATION, "operation", "Operation")          \
    X(MODEL, "model", "Model")                      \
    X(METER, "meter", "Meter")                      \
    X(TIER, "service_tier", "Service Tier")         \
    X(BATCH, "batch", "Batch")                      \
    X(STATUS, "status", "Status")

enum reconcile_by {
#define X(name, text, heading) RECONCILE_BY_##name,
    RECONCILE_BY_TABLE(X)
#undef X
        RECONCILE_BY_COUNT
};
const char *reconcile_by_text(enum reconcile_by by);
const char *reconcile_by_heading(enum reconcile_by by);
/* Also the words of cost queries: account_id, resource_id, service, cost_subcategory and the like. */
bool reconcile_by_parse(struct str text, enum reconcile_by *ret);

/* Columns: name, text, meaning. */
#define RECONCILE_STATUS_TABLE(X)                                                        \
    X(MATCHED, "matched", "billed and metered agree within the tolerance")               \
    X(VARIANCE, "variance", "they differ by more")                                       \
    X(UNMETERED, "unmetered", "billed, and nothing of it passed through the gateway")    \
    X(UNBILLED, "unbilled", "metered, and not on the bill 72 hours after the day's end") \
    X(OVER_METERED, "over_metered", "the gateway counted more than was billed")          \
    X(PENDING, "pending", "the bill of that time may still change")

enum reconcile_status {
#define X(name, text, meaning) RECONCILE_##name,
    RECONCILE_STATUS_TABLE(X)
#undef X
        RECONCILE_STATUS_COUNT
};
const char *reconcile_status_text(enum reconcile_status s);
const char *reconcile_status_meaning(enum reconcile_status s);

/* What a gap comes from. Columns: name, text, sentence. */
#define RECONCILE_CAUSE_TABLE(X)                                                                      \
    X(NONE, "", "")                                                                                   \
    X(BYPASSED, "bypassed", "used without the gateway")                                               \
    X(BATCH, "batch", "batch work, which the gateway does not meter")                                 \
    X(ESTIMATED, "estimated", "answers that broke off: tokens counted by the gateway, not by OpenAI") \
    X(UNPRICED, "unpriced", "requests without a price in the catalogue")                              \
    X(PRICE, "price", "OpenAI charged another price than the catalogue's")                            \
    X(FREE, "free", "used and not charged: free tokens, or a discount of all of it")                  \
    X(OWN_PRICE, "own_price", "the gateway priced it differently from today's catalogue")             \
    X(NOT_ON_BILL, "not_on_bill", "metered, and not on the bill")                                     \
    X(PENDING, "pending", "the bill of that time may still change")

enum reconcile_cause {
#define X(name, text, sentence) RECONCILE_CAUSE_##name,
    RECONCILE_CAUSE_TABLE(X)
#undef X
        RECONCILE_CAUSE_COUNT
};
const char *reconcile_cause_text(enum reconcile_cause c);
const char *reconcile_cause_sentence(enum reconcile_cause c);

/* How far the bill of a day is. Columns: name, text, meaning. */
#define RECONCILE_DAY_TABLE(X)                                                  \
    X(FINAL, "final", "settled")                                                \
    X(PROVISIONAL, "provisional", "ended less than 48 hours ago")               \
    X(INCONSISTENT, "inconsistent", "rows do not add up to OpenAI's own total") \
    X(MISSING, "missing", "not imported, of one organization at least")

enum reconcile_day_state {
#define X(name, text, meaning) RECONCILE_DAY_##name,
    RECONCILE_DAY_TABLE(X)
#undef X
        RECONCILE_DAY_COUNT
};
const char *reconcile_day_text(enum reconcile_day_state s);

#endif
