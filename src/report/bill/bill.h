/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_BILL_BILL_H
#define REPORT_BILL_BILL_H

/*
 * bill: what OpenAI says it charges, kept in DIR/bill.db.
 *
 * One object writes: the importer, on its thread (bill_write.h). Any number of readers have a
 * connection of their own, read-only, one a thread at a time; they never wait for the writer. Each
 * call of the writer that changes something is one transaction with all its rollups, so a reader
 * sees a day as it was or as it is, and the sums of rows and rollups always agree.
 *
 * Tables and columns: bill_schema.h. SQL against them: bill_reader_db.
 *
 *     bill_reader_open(dir, &r) … store_begin_read(bill_reader_db(r)) … store_rollback(…) …
 *
 * Money in the interface is money_sum: pico-dollars.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/money.h"
#include "base/str.h"
#include "report/bill/bill_schema.h"
#include "store/sqlite.h"

struct bill_reader;

/* Of an account; the text is the one of Vantage's API. Append only: the database stores the number. */
#define BILL_STATUS_TABLE(X)  \
    X(PENDING, "pending")     \
    X(IMPORTING, "importing") \
    X(IMPORTED, "imported")   \
    X(ERROR, "error")         \
    X(DISCONNECTED, "disconnected")

enum bill_status {
#define X(name, text) BILL_##name,
    BILL_STATUS_TABLE(X)
#undef X
        BILL_STATUS_COUNT
};
const char *bill_status_text(enum bill_status s);

/* Where an account's costs come from. Append only: the database stores the number. */
enum bill_account_kind {
    BILL_IMPORTED_COSTS, /* OpenAI's costs, by an admin key */
    BILL_FILES,          /* files that were uploaded (bill_upload.h); `slug` is "", `title` the provider's name */
    BILL_OLD_USAGE       /* OpenAI's old usage page, priced here: estimates, in a ledger of their own */
};
/* Accounts of kind FILES are no integrations; their ids begin here. */
#define BILL_FILES_FIRST (INT64_C(1) << 40)

enum bill_name { BILL_PROJECT = 1, BILL_KEY = 2, BILL_USER = 3 };

/* Append only. Only USAGE comes from OpenAI; the others from imports by hand. */
#define BILL_CHARGE_TABLE(X) \
    X(USAGE, "Usage")        \
    X(CREDIT, "Credit")      \
    X(TAX, "Tax")            \
    X(REFUND, "Refund")      \
    X(DISCOUNT, "Discount")  \
    X(FEE, "Fee")

enum bill_charge {
#define X(name, text) BILL_CHARGE_##name,
    BILL_CHARGE_TABLE(X)
#undef X
        BILL_CHARGE_COUNT
};
const char *bill_charge_text(enum bill_charge c);

enum bill_day_state {
    BILL_DAY_FINAL,
    BILL_DAY_PROVISIONAL, /* younger than BILL_PROVISIONAL_DAYS: it may still grow */
    BILL_DAY_INCONSISTENT /* rows did not add up to upstream's total: the rest is in BILL_UNATTRIBUTED */
};
#define BILL_PROVISIONAL_DAYS 3
/* The line item of the rest, without project and key. */
#define BILL_UNATTRIBUTED "(unattributed)"
/* A month is closed when so many days have passed since its end. */
#define BILL_CLOSE_DAYS 5

/* What usage_rows.kind stands for. Columns: name, the last part of its path. Append only. */
#define BILL_USAGE_TABLE(X)                                   \
    X(COMPLETIONS, "completions")                             \
    X(EMBEDDINGS, "embeddings")                               \
    X(MODERATIONS, "moderations")                             \
    X(IMAGES, "images")                                       \
    X(AUDIO_SPEECHES, "audio_speeches")                       \
    X(AUDIO_TRANSCRIPTIONS, "audio_transcriptions")           \
    X(VECTOR_STORES, "vector_stores")                         \
    X(CODE_INTERPRETER_SESSIONS, "code_interpreter_sessions") \
    X(FILE_SEARCH_CALLS, "file_search_calls")                 \
    X(WEB_SEARCH_CALLS, "web_search_calls")

enum bill_usage {
#define X(name, text) BILL_USAGE_##name,
    BILL_USAGE_TABLE(X)
#undef X
        BILL_USAGE_COUNT
};
const char *bill_usage_text(enum bill_usage u);

/* --- days and money -------------------------------------------------------------------------- */

#define BILL_DAY_US (INT64_C(86400) * 1000000)
#define BILL_DAY_TEXT_MAX 16

int64_t bill_day_of(int64_t wall_us);
int64_t bill_day_us(int64_t day);                                 /* its midnight */
int64_t bill_month_of(int64_t day);                               /* months since 1970-01 */
int64_t bill_month_day(int64_t month);                            /* its first day */
size_t bill_day_format(int64_t day, char out[BILL_DAY_TEXT_MAX]); /* "2026-03-01" */

static inline money_sum bill_money(int64_t micro, int64_t pico)
{
    return (money_sum)micro * 1000000 + pico;
}
/* The normal form: 0 ≤ pico < 10^6. False when it is beyond 9 × 10^12 dollars. */
bool bill_money_split(money_sum pusd, int64_t *ret_micro, int64_t *ret_pico);

/* --- readers --------------------------------------------------------------------------------- */

/* ERR_NOT_FOUND: nothing has ever been imported here. bill_open_reason() has a sentence. */
enum err bill_reader_open(const char *dir, struct bill_reader **ret) ERR_USE;
void bill_reader_close(struct bill_reader *r); /* NULL does nothing */
const char *bill_open_reason(void);
/* For SQL of the caller's own; on the reader's thread. */
struct store_db *bill_reader_db(struct bill_reader *r);

struct bill_account {
    int64_t id, workspace;
    struct str slug, organization, title;
    enum bill_status status;
    struct str error;
    int64_t failures;
    int64_t created_us, success_us, refresh_us;
    int64_t backfill_day, back_day;
    int64_t names_us, hourly_us, daily_us, monthly_us;
    bool no_keys, kept, prepaid;
    enum bill_account_kind kind;
    struct str note;
};
/* Accounts of a workspace, or of all (0), by id. Texts and list live in `a`. */
enum err bill_accounts(struct store_db *db, int64_t workspace, struct arena *a, struct bill_account **ret,
                       size_t *ret_count) ERR_USE;
enum err bill_account_find(struct store_db *db, int64_t id, struct arena *a, struct bill_account *ret) ERR_USE;

/* One billed row with its names. Views are good until the callback returns. */
struct bill_row {
    int64_t account, day;
    int64_t project_id, key_id, item_id; /* ids of names and items */
    struct str project, project_name, key, key_name;
    struct str line_item, service, category, subcategory, tier, model;
    enum bill_charge charge;
    struct str unit;
    money_sum pusd;
    int64_t quantity, nano;
    struct str amount_text, quantity_text; /* "" unless the columns could not hold every digit */
};

/* Zero-initialised: everything. */
struct bill_filter {
    int64_t workspace, account;         /* 0 = any */
    int64_t from_day, until_day;        /* until_day exclusive; 0 = no end */
    struct str project, key, line_item; /* exact; p == NULL any, "" those without */
    struct str service, category, subcategory;
};
typedef bool bill_row_fn(void *ctx, const struct bill_row *row); /* false ends the iteration */
/* By account, day, project, key, item. */
enum err bill_rows_each(struct store_db *db, const struct bill_filter *f, bill_row_fn *fn, void *ctx) ERR_USE;
/* The exact sum of the same rows, and their number. */
enum err bill_rows_sum(struct store_db *db, const struct bill_filter *f, money_sum *ret_pusd,
                       uint64_t *ret_rows) ERR_USE;

/*
 * True when each rollup, and the days' totals, add up to the rows they were made of; else a sentence in
 * `why`. Reads everything.
 */
enum err bill_verify(struct store_db *db, bool *ret_ok, char *why, size_t why_cap) ERR_USE;

#endif
