/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_AUDIT_H
#define CONTROL_PEOPLE_AUDIT_H

/*
 * audit: who changed what, when; one row for each change, in the change's own transaction, so that
 * neither is ever there without the other.
 *
 * Rows are chained: each has the hash of the one before it and a hash of its own over everything
 * it says, so a row that was altered, removed, put in or moved is found by audit_verify. The hash is
 * SHA-256 over the text "tollgate audit 1\n" and then, in this order, each column of the row
 *
 *     seq time_us source key_id key member_id name ip request_id workspace_id
 *     action object_type object_id before after previous
 *
 * a number as 8 bytes, a text as its length in 8 bytes and its bytes, both most significant byte first;
 * `previous` as its 32 bytes, all zero for the first row. The table audit_head holds number and
 * hash of the last row, so that rows missing at the end are found too. Triggers refuse updates and
 * deletions. Someone who may write the file can still make a whole new chain: who wants to exclude
 * that keeps the head that `tollgate audit verify` prints somewhere else, and has it compared later.
 *
 * `before` and `after` are JSON objects without secrets, or "".
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json_write.h"
#include "base/str.h"
#include "control/people/actor.h"

struct control;
struct control_why;
struct store_db;

#define AUDIT_HASH_BYTES 32
/* Longest `before` or `after`. */
#define AUDIT_JSON_MAX 65536

struct audit_change {
    int64_t workspace_id;    /* 0 = the organization */
    const char *action;      /* "integration.update" */
    const char *object_type; /* "integration" */
    struct str object_id;    /* public id, slug or name */
    struct str before, after;
    int64_t time_us; /* 0 = now */
};

/* Notes what the open change does, for the thread's actor. Only inside a change (control_inner.h). */
enum err audit_note(struct control *c, const struct audit_change *change, struct control_why *why) ERR_USE;

/*
 * Notes changes that were made in another file, in a transaction of its own. What is among the newest rows already, by time,
 * action and object, is not noted again, so a list of which nobody knows whether it arrived can be given once more.
 */
struct audit_elsewhere {
    struct audit_change change;
    struct actor actor;
};
enum err audit_note_elsewhere(struct control *c, const struct audit_elsewhere *list, size_t count,
                              struct control_why *why) ERR_USE;

/* Writes an object's members into `before` or `after`; no secret among them. */
typedef void audit_describe_fn(struct json_write *w, const void *object);
/* As audit_note, with `before` and `after` written from the objects; NULL: there was, or is, none. */
enum err audit_note_objects(struct control *c, const struct audit_change *change, audit_describe_fn *describe,
                            const void *before, const void *after, struct control_why *why) ERR_USE;

/*
 * For writing `before` and `after` piece by piece: begin, members with t.w, end. What would be too long is replaced
 * by {"too_long": true}.
 */
struct audit_text {
    struct buf buf;
    struct json_write w;
};
void audit_text_begin(struct audit_text *t);
/* Good until audit_text_free. */
struct str audit_text_end(struct audit_text *t);
void audit_text_free(struct audit_text *t);

/* ---- reading ---- */

struct audit_row {
    int64_t seq, time_us;
    struct str source;
    int64_t key_id;
    struct str key;
    int64_t member_id;
    struct str name, ip, request_id;
    int64_t workspace_id;
    struct str action, object_type, object_id, before, after;
    unsigned char previous[AUDIT_HASH_BYTES], hash[AUDIT_HASH_BYTES];
};

/* Zero-initialised: everything. */
struct audit_filter {
    int64_t workspace_id;         /* with `one_workspace` */
    bool one_workspace;           /* only rows of it */
    int64_t before_seq;           /* rows older than this; 0 = from the newest */
    int64_t from_us, to_us;       /* time in [from, to); 0 = open */
    int64_t member_id;            /* 0 = anybody */
    struct str action, object_id; /* p == NULL: any. An action ending in '.' stands for all that begin so */
    struct str verb;              /* what follows the action's dot; p == NULL: any */
    struct str object_type;       /* p == NULL: any */
    struct str title;             /* part of the object's title, name or key, whatever its case; p == NULL: any */
    int64_t key_id, seq;          /* 0 = any */
    int by_people;                /* 1: from the web console, -1: from anywhere else; 0 = any */
    const int64_t *workspaces;    /* only rows of these; NULL = any */
    size_t workspace_count;
    uint64_t skip; /* so many of the newest */
};
#define AUDIT_LIST_MAX 1000
#define AUDIT_ROWS_MAX 5000 /* what a caller that pages may ask for at once */
/* Newest first, at most `limit` and AUDIT_ROWS_MAX; *ret_total counts all that the filter lets through. */
enum err audit_list(struct control *c, const struct audit_filter *filter, size_t limit, struct arena *a,
                    struct audit_row **ret_rows, size_t *ret_count, uint64_t *ret_total,
                    struct control_why *why) ERR_USE;

/* ---- checking ---- */

struct audit_verify {
    /* Called for every finding, with a sentence. */
    void (*finding)(void *ctx, struct str text);
    void *ctx;
};
struct audit_result {
    uint64_t rows, findings;
    int64_t seq; /* of the last row; 0 = none */
    unsigned char hash[AUDIT_HASH_BYTES];
};
/*
 * Reads the whole log of DIR/control.db, which may be in use. When `expect_seq` is not 0 the row of that
 * number must have the hash `expect`. Errors: the file cannot be read; ret_why has the words.
 */
enum err audit_verify(const char *dir, const struct audit_verify *to, int64_t expect_seq,
                      const unsigned char expect[AUDIT_HASH_BYTES], struct audit_result *ret,
                      struct control_why *why) ERR_USE;

#endif
