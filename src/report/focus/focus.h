/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_FOCUS_FOCUS_H
#define REPORT_FOCUS_FOCUS_H

/*
 * focus: costs as the FinOps Open Cost and Usage Specification has them, versions 1.2, 1.3 and 1.4: a CSV file,
 * a row a (day, account, project, key, line item), and a file of metadata that describes it.
 *
 *     struct focus_query q = {.dir = dir, .version = FOCUS_1_3, .ledger = FOCUS_BILLED, … };
 *     focus_write(&q, sink, context, &done, &error)      calls the sink with pieces of the file
 *
 * Two ledgers, never in one file. Billed rows are what is on the bill: OpenAI's costs and files of costs.
 * Metered rows are what the gateway counted, seconds old: BilledCost is 0 in them and EffectiveCost what they
 * cost by the catalogue; a dataset that has both has everything twice.
 *
 * Which columns there are, from which version on, and what each is filled with: focus_column.h.
 * Numbers are decimals with all their digits; what there is no value for is an empty cell. A month that
 * was closed and has changed since has its rows as they were, and one row with ChargeClass "Correction" for each
 * change; their sum is the bill of today.
 *
 * Memory: names, and one day's figures. Billed rows are of one state of the bill, metered ones of one state a day.
 * One thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "report/cost/cost.h"
#include "report/match/match.h"

/* Columns: name, text. */
#define FOCUS_VERSION_TABLE(X) \
    X(1_2, "1.2")              \
    X(1_3, "1.3")              \
    X(1_4, "1.4")

enum focus_version {
#define X(name, text) FOCUS_##name,
    FOCUS_VERSION_TABLE(X)
#undef X
        FOCUS_VERSION_COUNT
};
#define FOCUS_DEFAULT FOCUS_1_3
const char *focus_version_text(enum focus_version v);
bool focus_version_parse(struct str text, enum focus_version *ret);

enum focus_ledger { FOCUS_BILLED, FOCUS_METERED };
const char *focus_ledger_text(enum focus_ledger l);
bool focus_ledger_parse(struct str text, enum focus_ledger *ret);

/* What the API shows for an id of control.db; views are good until the next call. False: unknown. */
typedef bool focus_text_fn(void *context, int64_t id, struct str *ret_id, struct str *ret_name);

struct focus_query {
    const char *dir; /* the data directory */
    enum focus_version version;
    enum focus_ledger ledger;
    int64_t from_day, until_day; /* until_day exclusive */
    struct cost_scope scope;
    const struct vql *const *filters; /* all must let a row through */
    size_t filter_count;
    const struct cost_tag *tags; /* become Tags, beside those of files */
    size_t tag_count;
    const struct match_link *links; /* match_links_load */
    size_t link_count;
    const struct price_catalog *prices; /* NULL: no list prices */
    focus_text_fn *key, *workspace;     /* metered rows */
    void *context;
    int64_t now_us;
    bool no_names;        /* without the line of columns */
    uint64_t skip, limit; /* rows to leave out at the beginning; at most, 0 = all */
};

struct focus_done {
    uint64_t rows;
    bool more; /* the limit was reached before the end */
};
/* False ends it, with ERR_CLIENT_GONE. */
typedef bool focus_sink(void *context, struct str bytes);
/* ERR_BAD_PARAMETER: the query is at fault, `error` says how. What was written until then is of no use. */
enum err focus_write(const struct focus_query *q, focus_sink *sink, void *context, struct focus_done *ret,
                     struct cost_error *error) ERR_USE;

/* The description of such a file, JSON; appended. False when `out` is full. */
bool focus_metadata(enum focus_version version, enum focus_ledger ledger, int64_t made_us, struct buf *out)
    __attribute__((warn_unused_result));

#define FOCUS_DAYS_MAX 1100

#endif
