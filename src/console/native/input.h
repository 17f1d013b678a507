/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_NATIVE_INPUT_H
#define CONSOLE_NATIVE_INPUT_H

/*
 * input: a JSON object of an admin request, read member by member. Unknown members are refused by
 * name, so that a misspelt one is never silently without effect.
 */

#include <stdbool.h>

#include "console/job.h"

struct json_t;

struct input {
    struct job *job;
    struct json_t *root; /* the tree; NULL once something was refused and answered */
    const char *known[24];
    size_t known_count;
};

/* False when the body is no JSON object; the job is answered then. */
bool input_begin(struct input *in, struct job *j);
/* p == NULL when absent or null. Views are good until input_end. Wrong types are answered with 400. */
struct str input_text(struct input *in, const char *name);
/* NULL when absent; otherwise `store` holds it. */
const bool *input_bool(struct input *in, const char *name, bool *store);
/* A time as RFC 3339 text, or null for none (0). False when absent or refused. */
bool input_time(struct input *in, const char *name, int64_t *ret_us);
/* A member that is any JSON, as compact text in the job's arena; p == NULL when absent. */
struct str input_json(struct input *in, const char *name);
/*
 * The id of the workspace of that name; of the caller's own when the name is absent (p == NULL).
 * Another one is entered (job_enter) if the caller reaches it. False when the job was answered with an error.
 */
bool input_workspace(struct job *j, struct str name, int64_t *ret_id);
/* Refuses members nobody asked for. False when the job was answered with an error. */
bool input_check(struct input *in);
void input_end(struct input *in);

#endif
