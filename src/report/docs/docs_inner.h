/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_DOCS_DOCS_INNER_H
#define REPORT_DOCS_DOCS_INNER_H

/* docs_inner: what the files of docs share. */

#include <stdio.h>

#include "base/buf.h"
#include "base/json_write.h"
#include "report/docs/docs.h"

struct control;

struct docs {
    struct store_db *db;
    docs_filter_fn *filter;
    void *filter_ctx;
    bool hiding;             /* docs_view.h */
    struct control *control; /* docs_audit.h; NULL: none */
    int64_t changed_us;      /* of the last line for the audit log */
    char reason[400];
};

#define DOCS_LINKS_MAX 2000
struct docs_link {
    const char *field; /* of the outermost object; static */
    struct str token;
    bool dies;
};

/* A body on its way from a request to the store. */
struct docs_body {
    struct docs *docs;
    struct arena *arena;
    int64_t workspace;
    struct json_write w;
    struct docs_link *links; /* in the arena */
    size_t link_count;
    const char *top; /* the outermost field */
    enum err err;    /* the first complaint; its sentence is docs_reason() */
    bool keeping;    /* what was there before is written again: it may name what is not seen */
};

/*
 * Writes an object of the shape with b->w: what is given, else what was before, else what is missing. False
 * when something was refused.
 */
bool docs_body_write(struct docs_body *b, const struct docs_shape *shape, struct jval given, struct jval before);

/*
 * What one field cannot say of itself. Before the body is written `given` may be replaced by another text;
 * afterwards the finished body is looked at. `id` is 0 for what is still to be made.
 */
enum err docs_rules_given(struct docs *d, enum docs_kind kind, bool made, struct arena *a, struct jval given,
                          struct str *ret_more) ERR_USE;
enum err docs_rules_body(struct docs *d, enum docs_kind kind, struct str token, struct jval body,
                         struct arena *a) ERR_USE;

/* Of a virtual tag's finished body. */
enum err docs_tags_check(struct docs *d, struct str token, struct jval body, struct arena *a) ERR_USE;

/* Writes a value without a token: from arrays it goes, a member becomes null, an object in an array that names it goes. */
void docs_scrub(struct json_write *w, struct jval v, struct str token);

/* Fails with a sentence. */
#define DOCS_FAIL(d, e, ...) (snprintf((d)->reason, sizeof(d)->reason, __VA_ARGS__), (enum err)(e))
enum err docs_store_failed(struct docs *d, enum err e);

/* Prefix and 16 hexadecimal digits. */
struct str docs_new_token(const char *prefix, struct arena *a);
/* ERR_NOT_FOUND without a sentence when there is none. */
enum err docs_lookup(struct docs *d, struct str token, struct arena *a, struct doc *ret) ERR_USE;
/* As docs_users, whatever the viewer sees. */
enum err docs_users_any(struct docs *d, enum docs_kind kind, struct str token, struct arena *a, struct str **ret,
                        size_t *ret_count) ERR_USE;

/* docs_audit.c. A line for the audit log, in the open transaction; nothing when `before` and `after` are the same. */
enum err docs_audit_note(struct docs *d, const struct doc *doc, const char *verb, struct str before,
                         struct str after) ERR_USE;
/* Ends a change: commits, or takes it back; lines for the log go their way. Returns how it went. */
enum err docs_finish(struct docs *d, enum err e) ERR_USE;
/* After a commit: carries lines over; what fails waits for the next time. */
void docs_audit_flush(struct docs *d);

#endif
