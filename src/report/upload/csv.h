/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_UPLOAD_CSV_H
#define REPORT_UPLOAD_CSV_H

/*
 * csv: comma-separated values as RFC 4180 has them, read record by record.
 *
 * A field in double quotes may hold commas, line breaks and, written twice, quotes. Lines end in LF or CRLF;
 * the last one need not end. Empty lines are passed over; a byte order mark at the beginning too.
 * Spaces belong to their field. What is not of this form is an error with the line it begins in.
 *
 * Fields are views into the text, or live in the arena where quotes were undone.
 */

#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"

#define CSV_FIELDS_MAX 128

enum csv_read {
    CSV_RECORD,
    CSV_END,
    CSV_TOO_MANY,  /* more than CSV_FIELDS_MAX fields */
    CSV_BAD_QUOTE, /* a quote that is not closed, or something behind a closing one, or one inside a bare field */
    CSV_NO_ROOM    /* the arena is full */
};

struct csv {
    struct str rest;
    size_t line; /* of what comes next, from 1 */
};

struct csv_record {
    struct str fields[CSV_FIELDS_MAX];
    size_t count;
    size_t line; /* where it begins */
};

void csv_init(struct csv *c, struct str text);
/* After an error there is nothing more to read. */
enum csv_read csv_next(struct csv *c, struct arena *a, struct csv_record *ret);

#endif
