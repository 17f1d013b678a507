/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_HTTP_CUEFILE_H
#define SIM_HTTP_CUEFILE_H

/*
 * cuefile: the rules of a script: which requests are to go wrong, and how; and who may call.
 *
 * A script is one JSON object a line (empty lines and lines that begin with '#' are skipped):
 *
 *     {"match":{"path":"/chat/completions","model":"gpt-4o*"},"do":{"status":429},"from":3,"to":5}
 *     {"key":"sk-test-1","project":"proj_a","user":"user-b","name":"ci"}
 *
 * `match` may have method, path (below the base), model, operation, key (hint's last four letters or
 * key id); a '*' at the end stands for any rest. Of the requests that match, numbered from 1, the
 * rule takes those `from` … `to`, only `nth`, or `every` n-th; all when nothing is said. The first
 * rule that takes a request gives its cue; later rules still count it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "sim/http/cue.h"

struct call;
struct caller_book;
struct cuefile;

struct cuefile *cuefile_new(void);
void cuefile_free(struct cuefile *f);

/* Adds the rules of `text`, and its keys to `callers`. False with a sentence in `why`; nothing is added then. */
bool cuefile_add(struct cuefile *f, struct str text, struct caller_book *callers, int64_t now, char *why,
                 size_t why_cap);
/* Reads a file. */
bool cuefile_load(struct cuefile *f, const char *path, struct caller_book *callers, int64_t now, char *why,
                  size_t why_cap);
void cuefile_clear(struct cuefile *f);
/* Counts begin anew. */
void cuefile_rewind(struct cuefile *f);

/* The cue for a call whose model is known; NULL when no rule takes it. */
const struct cue *cuefile_match(struct cuefile *f, const struct call *c);

/* Handlers: PUT and DELETE /sim/script. */
void cuefile_put(struct call *c);
void cuefile_delete(struct call *c);

#endif
