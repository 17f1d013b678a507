/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_RECORD_CODEC_H
#define LEDGER_RECORD_CODEC_H

/*
 * record_codec: records as bytes, in the journal and in the ledger's rows.
 *
 * A payload is a kind, a version, and fields, each a tag (number and form) and a value; what is
 * zero or empty is left out. A reader skips fields it does not know, so an older binary reads what
 * a newer one wrote, and a newer one sees zeros where an older one wrote nothing. Field numbers are
 * never used twice. A value that an older binary cannot have the meaning of (an outcome it does not
 * know) makes the payload unreadable rather than wrong.
 *
 * Texts are cut at the limits below. No heap, no I/O.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/money.h"
#include "ledger/record.h"

/* Longest texts that are kept; what is longer is cut. */
#define RECORD_TEXT_MAX 512
#define RECORD_METADATA_MAX 16384
/* Most bytes of an encoded record without its bodies. */
#define RECORD_ENCODED_MAX (RECORD_METADATA_MAX + RECORD_HOOK_RESULTS_MAX + 32 * (RECORD_TEXT_MAX + 12) + 1024)

enum record_kind {
    RECORD_KIND_OPEN = 1,  /* struct record_open */
    RECORD_KIND_CLOSE = 2, /* struct record */
    RECORD_KIND_GAP = 3,   /* struct record_gap */
};

/* Records that could not be written to the journal. */
struct record_gap {
    uint64_t records, opens;
    int64_t since_us, until_us; /* started_us of the first and the last of them */
    money_sum cost_pusd;        /* of those that had a cost */
    uint64_t unpriced;          /* records among them without one */
};

/* Each writes at most RECORD_ENCODED_MAX bytes and returns how many. Bodies are not among them. */
size_t record_encode(const struct record *r, unsigned char *out);
size_t record_encode_open(const struct record_open *o, unsigned char *out);
size_t record_encode_gap(const struct record_gap *g, unsigned char *out);

/*
 * What stands before a body's bytes, or those of a head's fields, which follow record_encode()'s in
 * the payload; at most RECORD_PART_HEAD_MAX bytes. An empty part has no bytes at all.
 */
enum record_part {
    RECORD_REQUEST_BODY,
    RECORD_RESPONSE_BODY,
    RECORD_REQUEST_HEADERS,
    RECORD_RESPONSE_HEADERS,
    RECORD_PART_COUNT
};
#define RECORD_PART_HEAD_MAX 16
size_t record_encode_part_head(enum record_part part, size_t n, unsigned char *out);

/* The fields that have no column of their own in the ledger, without kind and version. */
size_t record_encode_extra(const struct record *r, unsigned char *out);

/* The error with this code string; ERR_INTERNAL for a code of a newer version. */
enum err record_err_from(struct str code);

/* ERR_CORRUPT when the first byte is no kind, or of a version that cannot be read. */
enum err record_kind_of(struct str payload, enum record_kind *ret_kind) ERR_USE;

/* The id of an OPEN or CLOSE alone; the rest is not looked at. */
enum err record_decode_id(struct str payload, int64_t *ret_id) ERR_USE;
/* Views in the results point into the payload. ERR_CORRUPT when it is not readable. */
enum err record_decode(struct str payload, struct record *ret) ERR_USE;
enum err record_decode_open(struct str payload, struct record_open *ret) ERR_USE;
enum err record_decode_gap(struct str payload, struct record_gap *ret) ERR_USE;
/* Adds to *r, which holds what the columns gave. */
enum err record_decode_extra(struct str extra, struct record *r) ERR_USE;

#endif
