/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_VANTAGE_ASK_H
#define CONSOLE_VANTAGE_ASK_H

/*
 * ask: what a request of Vantage's clients says, in whatever way they say it.
 *
 * Query parameters that are empty, "undefined" or "null" were not given. Lists come with commas, repeated,
 * or with "[]" behind the name; a comma between quotes belongs to a word. Every body may be missing.
 */

#include <stdbool.h>

#include "base/json/jdoc.h"
#include "console/job.h"
#include "control/control.h"
#include "report/docs/docs.h"

/* In the job's arena; "" when it was not given. */
struct str ask_text(struct job *j, const char *name);
/* settings[aggregate_by] */
struct str ask_member(struct job *j, const char *name, const char *key);
/* False when there are too many; then the job was answered. */
#define ASK_LIST_MAX 100
bool ask_list(struct job *j, const char *name, struct str list[ASK_LIST_MAX], size_t *ret_count);
/* The words of one text. False when there are too many. */
bool ask_words(struct job *j, struct str text, struct str list[ASK_LIST_MAX], size_t *ret_count);
/* A date, as a day since 1970; `ret` stays when it was not given. False when the job was answered. */
bool ask_day(struct job *j, const char *name, struct str text, int64_t *ret);

/* The body as an object; an empty one is {}. False when the job was answered. With jdoc_free in the end. */
bool ask_body(struct job *j, struct jdoc *ret);
/* Whether a title has these words in it, whatever their case. */
bool ask_contains(struct str text, struct str part);
/* The decoded token that stood for the n-th "{}". */
struct str ask_token(struct job *j, unsigned n);
/* The field of a form with that name, or the only one when `name` is not there: files, urlencoded, or the body itself. */
struct str ask_form(struct job *j, const char *name);

/* The same with room of its own. *ret_name: what the form calls the file, "" where it has no name. */
struct str ask_form_file(struct job *j, const char *name, struct arena *a, struct str *ret_name);

/* The workspaces in which the caller may make this call. */
struct sight {
    struct control_workspace *list;
    int64_t *ids;
    size_t count;
    bool everything; /* there is no other workspace */
};
/* False when the job was answered. */
bool ask_sight(struct job *j, struct sight *ret);
bool ask_sees(const struct sight *s, int64_t workspace);
/* "wrkspc_0000000000000001" */
#define ASK_TOKEN_MAX DOCS_TOKEN_MAX
struct str ask_id_token(struct job *j, const char *prefix, int64_t id);
bool ask_id(struct str token, const char *prefix, int64_t *ret);
/*
 * The workspace of that token; the only one when it is "". False when the job was answered: unknown, or
 * several to choose from.
 */
bool ask_workspace(struct job *j, const struct sight *s, struct str token, int64_t *ret);

/* The store; NULL never. */
struct docs *ask_docs(struct job *j);
/*
 * What is in no workspace is everybody's: all may read it, and change it who reaches every workspace. False
 * when the job was answered.
 */
bool ask_may_share(struct job *j, const struct sight *s);
/*
 * A resource that the caller may see and, unless the call only reads, change. Those of others are as if they
 * were not there. False when the job was answered.
 */
bool ask_doc(struct job *j, const struct sight *s, enum docs_kind kind, struct str token, struct doc *ret);

#endif
