/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_PRICE_CSV_H
#define OPENAI_PRICE_CSV_H

/*
 * price_csv: reads the lines of a catalogue file (prices, models, overrides).
 *
 * Comma-separated values, one record a line; a field that holds a comma or a quote stands in double
 * quotes, and a quote inside is doubled. Lines end in LF or CRLF; empty lines and lines that begin
 * with '#' are skipped. The text is changed in place (quotes are undone), so it must be the
 * caller's own; the fields are views into it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum {
    PRICE_CSV_LINE_MAX = 4096,
    PRICE_CSV_TEXT_MAX = 8 * 1024 * 1024,
    PRICE_CSV_FIELDS_MAX = 16,
    PRICE_REASON_MAX = 160,
};

/* Why a text was refused. */
struct price_fault {
    const char *file; /* "prices", "models" or "overrides" */
    unsigned line;    /* from 1 */
    char reason[PRICE_REASON_MAX];
};

struct price_csv {
    char *p, *end;
    unsigned line; /* of the record that was read last */
    struct price_fault *fault;
};

void price_csv_init(struct price_csv *c, const char *file, char *text, size_t n, struct price_fault *fault);

/*
 * The version of the first line, "# tollgate <what> 2026-11-22.01", as the number 2026112201.
 * Without such a line the version is 0, which is a fault when `required`.
 */
bool price_csv_version(struct price_csv *c, const char *what, bool required, uint32_t *ret_version);

/* The next record must be the column names, exactly. */
bool price_csv_header(struct price_csv *c, const char *columns);

/*
 * Reads the next record, which must have exactly `count` fields. 1, or 0 at the end of the text,
 * or -1 with the fault filled in.
 */
int price_csv_next(struct price_csv *c, struct str *ret_fields, unsigned count);

/* Fills the fault for the record that was read last; returns false, for use in a return. */
bool price_csv_fail(struct price_csv *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
