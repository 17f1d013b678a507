/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_DOCS_DOCS_H
#define REPORT_DOCS_DOCS_H

/*
 * docs: the report resources that people make: cost reports, folders, saved filters, dashboards, budgets,
 * alerts, annotations, … kept in DIR/reports.db.
 *
 * A resource is a token, a workspace and a JSON body with every field of its kind (docs_kind.h). Tokens
 * that a body names are kept as links too, so that what uses a resource is found. When a resource goes, its token
 * disappears from the bodies of others, and what cannot be without it goes too; all in one transaction.
 *
 * A connection belongs to one thread; several on one file work side by side. Errors: ERR_NOT_FOUND,
 * ERR_BAD_PARAMETER, ERR_MISSING_PARAMETER, ERR_CONFLICT (the state forbids it), ERR_LIMIT_REACHED,
 * ERR_STORE_FAILED …; docs_reason() has a sentence.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json/jdoc.h"
#include "base/str.h"
#include "report/docs/docs_kind.h"
#include "store/sqlite.h"

#define DOCS_FILE "reports.db"
#define DOCS_TOKEN_MAX 48
#define DOCS_BODY_MAX (256u << 10)
/* Resources of one kind in a workspace. */
#define DOCS_COUNT_MAX 10000
/* Folders, budgets and segments within each other. */
#define DOCS_DEPTH_MAX 10

struct docs;

enum err docs_open(const char *dir, struct docs **ret, char *why, size_t why_cap) ERR_USE;
void docs_close(struct docs *d); /* NULL does nothing */
/* Why the last call that failed did. */
const char *docs_reason(const struct docs *d);
/* For tables of other owners in this file, and for one picture of several reads. */
struct store_db *docs_db(struct docs *d);

struct doc {
    int64_t id;
    struct str token;
    enum docs_kind kind;
    int64_t workspace;
    struct str title;      /* "" where the kind has none */
    struct str body;       /* JSON object, one line */
    struct str created_by; /* token of a person; "" unknown */
    int64_t created_us, updated_us;
    bool fixed; /* cannot be deleted */
};

/*
 * Whether a text is a filter. ERR_OK, or ERR_BAD_PARAMETER with a sentence. For docs_set_filter_check.
 */
typedef enum err docs_filter_fn(void *ctx, struct str filter, char *why, size_t why_cap);
void docs_set_filter_check(struct docs *d, docs_filter_fn *fn, void *ctx);

struct docs_new {
    enum docs_kind kind;
    int64_t workspace;
    struct str created_by;
    struct str token; /* "" = a new one */
    bool fixed;
};
/* From a request's JSON object. What comes back lives in `a`. */
enum err docs_create(struct docs *d, const struct docs_new *what, struct jval given, struct arena *a,
                     struct doc *ret) ERR_USE;
/* Fields that `given` does not have stay. */
enum err docs_update(struct docs *d, const struct doc *before, struct jval given, struct arena *a,
                     struct doc *ret) ERR_USE;
/* ERR_CONFLICT for what is fixed. */
enum err docs_remove(struct docs *d, const struct doc *doc) ERR_USE;

/* ERR_NOT_FOUND also when it is of another kind, or the viewer does not see it (docs_view.h). */
enum err docs_find(struct docs *d, enum docs_kind kind, struct str token, struct arena *a, struct doc *ret) ERR_USE;
/* Whoever looks: for what holds for everybody. */
enum err docs_find_any(struct docs *d, enum docs_kind kind, struct str token, struct arena *a, struct doc *ret) ERR_USE;

/* Zero-initialised: everything that the viewer sees. */
struct docs_query {
    enum docs_kind kind;
    const int64_t *workspaces; /* those that may be seen */
    size_t workspace_count;
    struct str search;  /* in the title, whatever its case */
    struct str target;  /* only those that name this token */
    size_t skip, limit; /* limit 0: only count */
    bool unseen;        /* also what the viewer does not see: for rules that hold for all */
};
/* Oldest first. *ret_total counts all that the query lets through. */
enum err docs_list(struct docs *d, const struct docs_query *q, struct arena *a, struct doc **ret, size_t *ret_count,
                   uint64_t *ret_total) ERR_USE;

/* Tokens of resources of `kind` that name this one. */
enum err docs_users(struct docs *d, enum docs_kind kind, struct str token, struct arena *a, struct str **ret,
                    size_t *ret_count) ERR_USE;

/* The report that every workspace has, "All Resources"; made when it is not there. */
enum err docs_default_report(struct docs *d, int64_t workspace, struct arena *a, struct doc *ret) ERR_USE;

#endif
