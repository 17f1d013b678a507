/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_BILL_BILL_UPLOAD_H
#define REPORT_BILL_BILL_UPLOAD_H

/*
 * bill_upload: bills that come as files. An account of kind FILES is a provider of its own ("custom
 * provider"); each file is kept row by row, and a day's costs are those of all files together. A file
 * of the same name takes the place of the one before, and removing one takes its costs along.
 *
 * Every call here is one transaction: a file is there whole, with everything summed up from it, or
 * not at all. Errors as in bill_write.h.
 */

#include "report/bill/bill_write.h"

#define BILL_UPLOAD_ROWS_MAX 10000
#define BILL_UPLOADS_MAX 10000 /* files of an account */

/* Makes an account; *ret_id is from BILL_FILES_FIRST on, and not one that was there before and is removed. */
enum err bill_files_create(struct bill *b, int64_t workspace, struct str name, struct str note, int64_t now_us,
                           int64_t *ret_id) ERR_USE;
/* A NULL text stays as it is. ERR_NOT_FOUND: there is no such account of files. */
enum err bill_files_update(struct bill *b, int64_t id, struct str name, struct str note) ERR_USE;
/* Of any account. */
enum err bill_account_set_kind(struct bill *b, int64_t id, enum bill_account_kind kind) ERR_USE;
enum err bill_account_set_prepaid(struct bill *b, int64_t id, bool prepaid) ERR_USE;

struct bill_upload_row {
    int64_t day;
    struct bill_cost cost; /* line_item with tabs (bill_line.h) */
};
struct bill_upload {
    int64_t id, account;
    struct str name;
    uint64_t rows;
    money_sum pusd;
    int64_t from_day, until_day; /* until_day exclusive */
    int64_t author;              /* id of a key */
    int64_t created_us;
};
/* `u` gives account, name and author; the rest of it is filled in. */
enum err bill_upload_put(struct bill *b, struct bill_upload *u, const struct bill_upload_row *rows, size_t count,
                         int64_t now_us) ERR_USE;
/* ERR_NOT_FOUND when the account has no such file. */
enum err bill_upload_remove(struct bill *b, int64_t account, int64_t id, int64_t now_us) ERR_USE;

/* The newest first; texts and list live in `a`. */
enum err bill_uploads(struct store_db *db, int64_t account, struct arena *a, struct bill_upload **ret,
                      size_t *ret_count) ERR_USE;

#endif
