/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_COST_COST_H
#define REPORT_COST_COST_H

/*
 * cost: cost queries. Which costs, told apart by what, and what they add up to.
 *
 *     struct cost_query q = cost_query_all();
 *     … scope, filters, from_day, until_day, groups, bin …
 *     if (cost_run(reader, &q, &result, &error) != ERR_OK) → error.text, a sentence
 *     result->rows … result->total …
 *     cost_result_free(result);
 *
 * Four ledgers: billed (what OpenAI charges, and what files say; the default), metered (what the gateway counted),
 * estimated (OpenAI's old usage pages, priced here) and allocated (what OpenAI charges, shared out to those whose
 * requests it was for; cost_shared.h). A filter chooses with costs.ledger; two are only added up when it names both.
 *
 * Sums are exact. An amount is a cost_sum, 10^-24 dollars in 128 bits, because a share of a pico-dollar is no whole
 * number of them. The total is the sum of all rows, those of other pages too; what does not fit is refused.
 *
 * Days are days since 1970-01-01 UTC. A reader belongs to one thread at a time. Results own all their texts.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "report/cost/cost_amount.h"
#include "report/cost/cost_tag.h"
#include "report/match/match.h"
#include "report/vql/vql.h"

/* --- what may be asked ----------------------------------------------------------------------- */

/* Groupings. Columns: name, text in the API, key in JSON, heading in CSV. TAG stands for "tag:<key>". */
#define COST_GROUP_TABLE(X)                                                           \
    X(PROVIDER, "provider", "provider", "Provider")                                   \
    X(BILLING_ACCOUNT, "billing_account_id", "billing_account_id", "Billing Account") \
    X(ACCOUNT, "account_id", "account_id", "Account")                                 \
    X(SERVICE, "service", "service", "Service")                                       \
    X(CATEGORY, "cost_category", "cost_category", "Service Category")                 \
    X(SUBCATEGORY, "cost_subcategory", "cost_subcategory", "Service Subcategory")     \
    X(RESOURCE, "resource_id", "resource_id", "Resource ID")                          \
    X(CHARGE_TYPE, "charge_type", "charge_type", "Charge Type")                       \
    X(REGION, "region", "region", "Region")                                           \
    X(UNIT, "usage_unit", "usage_unit", "Usage Unit")                                 \
    X(TAGGED, "tagged", "tagged", "Tagged")                                           \
    X(TAG, "tag", "tag", "Tag")                                                       \
    X(MODEL, "model", "model", "Model")                                               \
    X(USER, "user_id", "user_id", "User")                                             \
    X(TIER, "service_tier", "service_tier", "Service Tier")                           \
    X(BATCH, "batch", "batch", "Batch")                                               \
    X(LEDGER, "ledger", "ledger", "Ledger")                                           \
    X(LINE_ITEM, "line_item", "line_item", "Line Item")                               \
    X(WORKSPACE, "workspace", "workspace", "Workspace")                               \
    X(MODEL_API, "model_api", "model_api", "Model API")                               \
    X(MEMBER, "member", "member", "Member")                                           \
    X(SEGMENT, "segment", "segment", "Segment")

enum cost_by {
#define X(name, text, json, heading) COST_BY_##name,
    COST_GROUP_TABLE(X)
#undef X
        COST_BY_COUNT
};
const char *cost_by_text(enum cost_by by);
const char *cost_by_json(enum cost_by by);
const char *cost_by_heading(enum cost_by by);

struct cost_group {
    enum cost_by by;
    struct str tag; /* TAG: the key */
};
#define COST_GROUPS_MAX 12
/* "service", "tag:team", and the words organization, project, operation, api_key. False: unknown. `tag` is a view. */
bool cost_group_parse(struct str text, struct cost_group *ret);

/* Columns: name, text. TOTAL is ours: one bin for the whole period. */
#define COST_BIN_TABLE(X)       \
    X(CUMULATIVE, "cumulative") \
    X(DAY, "day")               \
    X(WEEK, "week")             \
    X(MONTH, "month")           \
    X(QUARTER, "quarter")       \
    X(HOUR, "hour")             \
    X(TOTAL, "total")

enum cost_bin {
#define X(name, text) COST_BIN_##name,
    COST_BIN_TABLE(X)
#undef X
        COST_BIN_COUNT
};
const char *cost_bin_text(enum cost_bin b);
bool cost_bin_parse(struct str text, enum cost_bin *ret);

struct cost_settings {
    bool include_credits, include_refunds, include_discounts, include_tax, amortize, unallocated;
};
struct cost_settings cost_settings_default(void); /* no credits, no refunds, all else */

struct cost_scope {
    bool all;                  /* everything; the lists do not count */
    const int64_t *accounts;   /* ids of bill.db's accounts: what billed costs may be seen */
    const int64_t *workspaces; /* ids: what metered costs may be seen */
    size_t account_count, workspace_count;
};

/* What metered traffic is known by are ids of control.db; what the API shows for them. NULL: the number. */
typedef bool cost_text_fn(void *context, int64_t id, struct str *ret_id, struct str *ret_name);
struct cost_known {
    cost_text_fn *key, *workspace, *member; /* member: of a key's id, whose it is */
    const struct match_link *links;         /* allocated: whose traffic is on which bill (match_links_load) */
    size_t link_count;
    void *context;
};

struct cost_query {
    struct cost_scope scope;
    const struct vql *const *filters; /* all must let a charge through; shares are multiplied */
    size_t filter_count;
    int64_t from_day, until_day; /* until_day exclusive */
    struct cost_group groups[COST_GROUPS_MAX];
    unsigned group_count;
    enum cost_bin bin;
    struct cost_settings settings;
    const struct cost_tag *tags, *segments; /* segments NULL: none */
    size_t tag_count;
    struct cost_known known;
    void (*plan)(void *context, struct str line); /* lines of the database's plans, for benchmarks; NULL: unwanted */
    void *plan_context;
    bool ascending; /* by time; else newest first. Within a bin: most money first, then by the groups' texts */
    uint64_t limit; /* rows of a page; 0 = all */
    uint64_t page;  /* from 1; 0 = 1 */
};
#define COST_FILTERS_MAX 16
#define COST_ROWS_MAX 500000 /* of all pages together */
/* Everything, all of the scope, bin DAY, default settings; dates are the caller's to set. */
struct cost_query cost_query_all(void);

/* "custom_provider:accss_crdntl_0000010000000000": the provider of an account of files. Returns the length. */
#define COST_PROVIDER_MAX 64
size_t cost_provider_format(int64_t account, char out[COST_PROVIDER_MAX]);

/* --- what comes back ------------------------------------------------------------------------- */

struct cost_usage {
    struct str unit;
    money_sum amount; /* 10^-12 of a unit */
};

struct cost_row {
    int64_t start_us;         /* the bin's beginning, wall clock */
    const struct str *values; /* one a group: "" = none; ids, as the API shows them */
    const struct str *names;  /* one a group: what people call it; "" where nothing is known beyond the value */
    cost_sum amount;
    struct str unit;   /* of `usage`; "" when there is none or there are several */
    money_sum usage;   /* 10^-12 of a unit */
    uint64_t rows;     /* rows of the ledger in it */
    bool over_metered; /* allocated: the gateway counted more than was billed */
};

struct cost_count {
    int64_t start_us;
    uint64_t count;
};

struct cost_result {
    const struct cost_row *rows; /* of the page */
    size_t row_count;
    uint64_t row_total;             /* of all pages */
    cost_sum total;                 /* of all pages; with bin CUMULATIVE what the period adds up to */
    const struct cost_usage *usage; /* of all pages, a unit each, by unit */
    size_t usage_count;
    const struct cost_count *counts; /* of each bin: its different groups; in the order of the rows */
    size_t count_count;
    uint64_t group_total; /* different groups in the whole period */
    bool by_day;          /* hours were asked for, but some rows are only known by the day */
};

struct cost_error {
    char text[256]; /* a sentence */
};
struct cost_reader;
/* Of DIR/bill.db and DIR/ledger.db, as far as they are there: what is not has no rows. */
enum err cost_reader_open(const char *dir, struct cost_reader **ret, struct cost_error *error) ERR_USE;
void cost_reader_close(struct cost_reader *r); /* NULL does nothing */

/* ERR_BAD_PARAMETER: the query is at fault, `error` says how; else the store is. */
enum err cost_run(struct cost_reader *r, const struct cost_query *q, struct cost_result **ret,
                  struct cost_error *error) ERR_USE;
void cost_result_free(struct cost_result *r); /* NULL does nothing */

/* "2026-03-01", or "2026-03-01T05:00:00Z" for bin HOUR: accrued_at. Returns the length. */
#define COST_ACCRUED_MAX 32
size_t cost_accrued(enum cost_bin bin, int64_t start_us, char out[COST_ACCRUED_MAX]);

#endif
