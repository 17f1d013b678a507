/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_API_H
#define CLI_API_H

/*
 * api: how commands talk to a running server: one request, one answer, over the same outgoing
 * stack as the gateway's own.
 *
 * The server is --url or TOLLGATE_URL. The key is --key or TOLLGATE_KEY, else DIR/admin.key of --data or
 * TOLLGATE_DATA where one of these is given, else that of 'tollgate login' for this server (person/saved.h),
 * else admin.key of the usual directory, for who sits at the machine that serves.
 */

#include <jansson.h>

#include "base/buf.h"
#include "base/secret.h"
#include "cli/commands.h"

/* Put these into the options of every command that talks to a server. */
#define API_OPTIONS(X)                                                                          \
    X("url", TEXT, "http://127.0.0.1:8787", "TOLLGATE_URL", 0, 0, "URL", "The server.")         \
    X("key", TEXT, NULL, "TOLLGATE_KEY", 0, 0, "KEY",                                           \
      "Key to use; without it that of 'tollgate login', or the owner's in the data directory.") \
    X("data", TEXT, "tollgate-data", "TOLLGATE_DATA", 0, 0, "DIR", "Data directory, for its admin.key.")

/* For buffers of paths and bodies: more than a command line can hold, encoded. */
#define API_TEXT_MAX (16u << 20)

struct api_answer {
    int status;
    struct buf body;
};

/*
 * Calls `method path`. EXIT_DONE and an answer with a status below 400; otherwise the exit code,
 * with the reason printed to stderr.
 */
int api_call(const struct command *c, const struct option_value *values, const char *method, struct str path,
             struct str body, struct api_answer *ret_answer);
/* As api_call, but an answer with `accepted` status is also EXIT_DONE. */
int api_call_accepting(const struct command *c, const struct option_value *values, const char *method, struct str path,
                       struct str body, int accepted, struct api_answer *ret_answer);
/* With a key of the caller's, "" = none. Any answer is EXIT_DONE; EXIT_USAGE and EXIT_UNREACHABLE have been said. */
int api_call_with(const struct command *c, const struct option_value *values, const char *method, struct str path,
                  struct str body, struct str key, struct api_answer *ret_answer);
void api_answer_free(struct api_answer *a);

/*
 * The body as a tree for showing it: amounts of dollars as strings so that no digit is lost, control
 * characters in a form that no terminal obeys. NULL when it is no JSON.
 */
json_t *api_json(const struct api_answer *a);
/* "-" when absent. Good as long as the tree. */
const char *api_text(const json_t *object, const char *name);
long long api_int(const json_t *object, const char *name);

/*
 * Columns of tables for people: the characters (not bytes) of a text, the widest of a member of all rows but at least
 * `least`, and a text with the blanks that fill its column.
 */
int api_width(const char *text);
int api_column(const json_t *rows, const char *name, int least);
void api_cell(const char *text, int width);

/* "&name=value" or "?name=value", percent-encoded, when the option was given. */
void api_add_param(struct buf *path, const char *name, struct str value);

#endif
