/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_BILL_BILL_SCHEMA_H
#define REPORT_BILL_BILL_SCHEMA_H

/*
 * bill_schema: the tables of bill.db, column by column, for those who write SQL against them.
 *
 * Money is two whole-number columns, `micro` and `pico`: micro × 10^-6 + pico × 10^-12 dollars, so
 * SUM(micro) and SUM(pico) are exact and cannot overflow, and bill_money(SUM(micro), SUM(pico)) is
 * the sum. Neither is in any normal form; two amounts are compared by bill_money only. Quantities
 * are `quantity` whole units and `nano` billionths of one, in the same way. Days are days since
 * 1970-01-01 UTC, months are months since 1970-01 (bill_day_of, bill_month_of …). Times end in _us:
 * wall-clock microseconds. An id of 0 means none.
 *
 *   accounts      one admin-key integration
 *     id            the integration's id in control.db
 *     workspace     its workspace's id; slug is the integration's
 *     organization  "org-…", "" until known; title: the organization's name or ""
 *     status        enum bill_status; error: a sentence, "" when fine; failures in a row
 *     created_us, success_us (0 = never), refresh_us (the next one; 0 = none planned)
 *     backfill_day  the oldest day wanted; back_day: everything from here on has been imported
 *                   (0 = nothing yet)
 *     names_us, hourly_us, daily_us, monthly_us   last success of each kind of window
 *     no_keys       1: upstream refused to group costs by key, so rows have no key
 *     kept          1: the integration is gone, its costs were to stay (status DISCONNECTED)
 *     kind          enum bill_account_kind: an importer of OpenAI's bill, files, or OpenAI's old usage page
 *     prepaid       1: the bill is drawn from credits bought before; note: a description
 *
 *   names         projects, keys, users of an account; an object keeps its id when it is renamed
 *     id            what `project`, `key` and `user` columns hold
 *     account, kind (enum bill_name), ext ("proj_…"), name (newest, "" unknown), project (of a key:
 *     id of its project, else 0), hint (a key's masked text, a user's e-mail), archived (0, 1)
 *
 *   terms         texts that repeat: id, text. Id 0 is ""
 *
 *   items         line items; derived columns follow bill_line.h and are made anew when its table changes
 *     id, line_item (raw, as billed)
 *     service, category, subcategory, tier   ids of terms: "Embeddings"; the model or product;
 *                   "input", "cached input" …; "", "priority", "batch", "flex"
 *     model         id of a term: category without -YYYY-MM-DD, for matching; 0 when it is no model
 *     A line item with tabs in it is of a file (bill_line.h).
 *
 *   bill_rows     what was billed: one row a (account, day, project, key, item, charge, unit)
 *     day, account, project, key (ids of names), item (id of items)
 *     charge        enum bill_charge
 *     unit          id of a term: "Tokens", "Images" …; 0 when upstream named none
 *     micro, pico, quantity, nano
 *     amount_text, quantity_text   as billed, where the columns could not hold every digit; else NULL
 *     Clustered by (account, day, project, key, item, charge, unit). Reports read the rollups below
 *     where they can; the sums of every rollup equal those of bill_rows, in every transaction.
 *
 *   days          state of a (account, day) bucket; no row: never imported
 *     hash          SHA-256 of its content; rows; micro, pico: its total
 *     state         enum bill_day_state; total_micro, total_pico: what upstream says ungrouped, NULL unknown
 *     stored_us (last looked at), changed_us (last time it differed)
 *
 *   corrections   what changed in a month that was closed: after minus before
 *     id, account, day, project, key, item, charge, unit, micro, pico, quantity, nano, found_us
 *
 *   usage_rows    what upstream counted; grain 0 = by the day, 1 = by the hour. The same use stands in
 *                 both where both were imported: never add the two grains up
 *     account, kind (enum bill_usage), grain, start (hours since 1970 UTC; days: their first hour)
 *     project, user, key (names); model, batch (0, 1, -1 unknown), tier, extra, source (terms: image
 *     size / search context level / vector store; image source)
 *     one column for each row of BILL_FIGURE_TABLE
 *     Clustered by (account, kind, grain, start, project, user, key, model, batch, tier, extra, source).
 *   usage_buckets (account, kind, grain, start): hash, rows, stored_us
 *
 *   pulls         the log of the importer, newest 10,000: id, account, at_us, endpoint, window (from_day
 *                 … until_day, exclusive), rows, changed, ms, pages, hash, status (HTTP, 0 none), error
 *
 *   uploads       files of an account of kind FILES: id, account, name, rows, micro, pico, from_day … until_day
 *                 (exclusive), author (id of a key), created_us
 *   upload_rows   their rows, as texts: bill_rows of a day are made of all files' rows of that day
 *
 * Rollups. Each row sums bill_rows over the columns it does not have; `rows` is how many there are.
 * All have account, charge, unit, rows, micro, pico, quantity, nano, and for the rest:
 *
 *   day_service     day, project, service                    clustered by account, day …
 *   day_item        day, project, item
 *   month_sku       month, service, category, subcategory    clustered by account, month …
 *   month_service   month, project, service
 *   month_key       month, project, key
 *
 * Everything else by the month is packed (bill_pack.h):
 *
 *   places        what rows have beside their day: id, account, project, key, item, charge, unit. A place
 *                 stays when its last row goes
 *   month_pack    account, month, sums: the sums of its rows by place
 *
 * bill_rollup() names the smallest one that has the columns a report needs. Where a report needs
 * subcategory, tier, model or line_item, it joins items by the column `item`.
 */

#include "base/err.h"
#include "store/sqlite.h"

#define BILL_FILE "bill.db"

/* Columns, in this order: name in the API, column. Append only; add a migration. */
#define BILL_FIGURE_TABLE(X)                                       \
    X(INPUT, "input_tokens", input_tok)                            \
    X(CACHED, "input_cached_tokens", cached_tok)                   \
    X(UNCACHED, "input_uncached_tokens", uncached_tok)             \
    X(WRITE, "input_cache_write_tokens", write_tok)                \
    X(WRITE_30M, "input_cache_write_30m_tokens", write_30m_tok)    \
    X(WRITE_12H, "input_cache_write_12h_tokens", write_12h_tok)    \
    X(OUTPUT, "output_tokens", output_tok)                         \
    X(TEXT_IN, "input_text_tokens", text_in_tok)                   \
    X(TEXT_OUT, "output_text_tokens", text_out_tok)                \
    X(TEXT_CACHED, "input_cached_text_tokens", text_cached_tok)    \
    X(AUDIO_IN, "input_audio_tokens", audio_in_tok)                \
    X(AUDIO_CACHED, "input_cached_audio_tokens", audio_cached_tok) \
    X(AUDIO_OUT, "output_audio_tokens", audio_out_tok)             \
    X(IMAGE_IN, "input_image_tokens", image_in_tok)                \
    X(IMAGE_CACHED, "input_cached_image_tokens", image_cached_tok) \
    X(IMAGE_OUT, "output_image_tokens", image_out_tok)             \
    X(IMAGES, "images", images)                                    \
    X(CHARACTERS, "characters", characters)                        \
    X(SECONDS, "seconds", seconds)                                 \
    X(BYTES, "usage_bytes", bytes)                                 \
    X(SESSIONS, "num_sessions", sessions)                          \
    X(CALLS, "num_requests", calls)                                \
    X(REQUESTS, "num_model_requests", requests)

enum bill_figure {
#define X(name, member, column) BILL_FIGURE_##name,
    BILL_FIGURE_TABLE(X)
#undef X
        BILL_FIGURE_COUNT
};

/* What a report needs to tell apart. */
enum {
    BILL_BY_DAY = 1, /* days; else months will do */
    BILL_BY_PROJECT = 2,
    BILL_BY_KEY = 4,
    BILL_BY_SERVICE = 8,
    BILL_BY_CATEGORY = 16,
    BILL_BY_SUBCATEGORY = 32,
    BILL_BY_ITEM = 64, /* line item, model, tier */
    BILL_BY_SKU = BILL_BY_SERVICE | BILL_BY_CATEGORY | BILL_BY_SUBCATEGORY,
};

/*
 * The rollups, smallest first. Columns: table, its period, its dimensions, what it can tell apart, whether
 * service … are to be had by joining items.
 */
#define BILL_ROLLUP_TABLE(X)                                                                        \
    X(month_sku, month, "service, category, subcategory", BILL_BY_SKU, false)                       \
    X(month_service, month, "project, service", BILL_BY_PROJECT | BILL_BY_SERVICE, false)           \
    X(month_key, month, "project, key", BILL_BY_PROJECT | BILL_BY_KEY, false)                       \
    X(day_service, day, "project, service", BILL_BY_DAY | BILL_BY_PROJECT | BILL_BY_SERVICE, false) \
    X(day_item, day, "project, item", BILL_BY_DAY | BILL_BY_PROJECT | BILL_BY_SKU | BILL_BY_ITEM, true)

struct bill_rollup {
    const char *table, *period; /* "month_sku", "month"; with `packed` "places" */
    unsigned by;                /* what it has as columns, or by joining items when `item` */
    bool item;                  /* service … are columns of items, to be joined by `item` */
    bool packed;                /* sums are in month_pack */
};
/* The smallest table with these; packs of months, or bill_rows itself, where no rollup has them. Static. */
const struct bill_rollup *bill_rollup(unsigned by);

enum err bill_schema_migrate(struct store_db *db) ERR_USE;
/* For readers: ERR_SCHEMA_NEWER, ERR_NOT_FOUND when there is no schema yet, ERR_OVERLOADED while rollups are made. */
enum err bill_schema_check(struct store_db *db) ERR_USE;

#endif
