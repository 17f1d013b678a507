/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_WRITE_H
#define BASE_JSON_WRITE_H

/*
 * json_write: writes compact JSON into a buf.
 *
 * Commas are put by the writer. Wrong nesting is our bug and ends the program (must). A full buffer
 * is the world's: writing goes on without effect and json_write_done says false at the end.
 * Strings may hold any bytes; what is not UTF-8 is written as U+FFFD, so that the result always is.
 *
 *     json_write_init(&w, &out);
 *     json_write_object(&w);
 *     json_write_key(&w, STR("id"));
 *     json_write_string(&w, id);
 *     json_write_object_end(&w);
 *     ok = json_write_done(&w);
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/money.h"
#include "base/str.h"

#define JSON_WRITE_DEPTH_MAX 64

struct json_write {
    struct buf *out;
    uint64_t objects;  /* bit d: the container at depth d is an object */
    uint64_t nonempty; /* bit d: it has a member already */
    uint8_t depth;
    bool keyed;  /* a member's name was written, its value is due */
    bool whole;  /* the document's one value is complete */
    bool failed; /* the buffer was full */
};

void json_write_init(struct json_write *w, struct buf *out);
/* False when the buffer was full; the content is then cut somewhere. must() hold: all containers closed. */
bool json_write_done(struct json_write *w) __attribute__((warn_unused_result));

void json_write_object(struct json_write *w);
void json_write_object_end(struct json_write *w);
void json_write_array(struct json_write *w);
void json_write_array_end(struct json_write *w);
void json_write_key(struct json_write *w, struct str name);

void json_write_string(struct json_write *w, struct str s);
void json_write_int(struct json_write *w, int64_t v);
void json_write_uint(struct json_write *w, uint64_t v);
void json_write_bool(struct json_write *w, bool v);
void json_write_null(struct json_write *w);
/* Dollars as a JSON number, "0.000123". */
void json_write_money(struct json_write *w, money_sum pusd);
/* Dollars as a JSON string, for readers that would make a double of a number. */
void json_write_money_string(struct json_write *w, money_sum pusd);
/* `json` is one valid JSON value, written as it is. */
void json_write_raw(struct json_write *w, struct str json);

/* Name and value in one call. */
void json_write_member_string(struct json_write *w, const char *name, struct str s);
void json_write_member_int(struct json_write *w, const char *name, int64_t v);
void json_write_member_uint(struct json_write *w, const char *name, uint64_t v);
void json_write_member_bool(struct json_write *w, const char *name, bool v);
void json_write_member_null(struct json_write *w, const char *name);
void json_write_member_money(struct json_write *w, const char *name, money_sum pusd);
void json_write_member_raw(struct json_write *w, const char *name, struct str json);
/* String, or null when empty. */
void json_write_member_text(struct json_write *w, const char *name, struct str s);

/* The string with quotes and escapes, outside any writer. False, nothing changed, when it does not fit. */
bool json_write_quoted(struct buf *out, struct str s) __attribute__((warn_unused_result));

#endif
