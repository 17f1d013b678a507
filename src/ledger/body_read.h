/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_BODY_READ_H
#define LEDGER_BODY_READ_H

/*
 * body_read: one attempt's bodies and header fields out of the segments that body_store writes. Any thread, any
 * process; nothing is kept open or in memory between two reads.
 */

#include <stdint.h>

#include "base/err.h"
#include "ledger/record.h"

struct body_pair {
    struct record_body request, response;         /* views into `memory` */
    struct str request_headers, response_headers; /* JSON, or "" */
    char *memory;
};

/*
 * ERR_NOT_FOUND: the segment is gone (retention). ERR_CORRUPT: what is there does not pass its
 * check or has no such attempt. ERR_FILE_FAILED: it could not be read.
 */
enum err body_read(const char *dir, int64_t place, int64_t id, struct body_pair *ret) ERR_USE;
void body_pair_free(struct body_pair *p);

/* For many reads in the order of places: keeps the last block. One thread. */
struct body_reader;
struct body_reader *body_reader_new(const char *dir); /* `dir` outlives it */
void body_reader_free(struct body_reader *r);         /* NULL does nothing */
/* As body_read; the result's views are good until the next call, and its `memory` is NULL. */
enum err body_reader_get(struct body_reader *r, int64_t place, int64_t id, struct body_pair *ret) ERR_USE;

/* The segment that holds the place, and the offset in it, for messages. */
uint64_t body_place_sequence(int64_t place);
uint64_t body_place_offset(int64_t place);

#endif
