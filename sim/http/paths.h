/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_HTTP_PATHS_H
#define SIM_HTTP_PATHS_H

/*
 * paths: the table of operations: method, path, name, handler.
 *
 * A path is written below the base ("/chat/completions/{}/messages"); "{}" stands for one segment.
 * Rows are searched in the order of the table among those with the same first segment, so a fixed
 * segment has to stand before a "{}" in its place.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define PATHS_ARGS_MAX 6

struct call;
struct crud;
typedef void call_fn(struct call *c);

enum {
    PATHS_ADMIN = 1,    /* needs an sk-admin-… key */
    PATHS_OPEN = 2,     /* needs no key */
    PATHS_RAW = 4,      /* the body is not JSON, whatever it is */
    PATHS_NO_MODEL = 8, /* `model` of the body is not checked */
    PATHS_EITHER = 16,  /* takes admin keys too */
    PATHS_OWN = 32,     /* the simulator's own, under /sim */
};

struct route {
    struct str method, path;
    const char *operation; /* "chat.completions" */
    call_fn *run;
    const struct crud *crud; /* for the generic handlers */
    unsigned flags;
};

/* Builds the index over the tables. Once, at start-up. */
void paths_init(void);
/*
 * The row for a request, its "{}" segments in `args`. NULL when there is none; *ret_allow (room for
 * 64 bytes) is then the list of methods that the path has, or "".
 */
const struct route *paths_find(struct str method, struct str path, struct str args[PATHS_ARGS_MAX], char ret_allow[64]);
/* Rows in the order of the tables; NULL behind the last. For documents and tests. */
const struct route *paths_row(size_t i);

#endif
