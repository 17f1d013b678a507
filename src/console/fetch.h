/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_FETCH_H
#define CONSOLE_FETCH_H

/*
 * fetch: something that a handler needs from a provider, such as its list of models.
 *
 * The console's thread never waits for the network: a handler asks for it and returns without an answer;
 * the worker that has the client's connection makes the call, over its own pool, and the handler runs
 * again, from the beginning, with the result. A handler that needs several things numbers them; what it
 * has already is given again each time it runs.
 *
 * Calls go the one way out (net/dial.h): addresses are checked, certificates verified. FETCH_TOTAL_US is the
 * longest that one may take altogether.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/http_client.h"

struct job;
struct snapshot_integration;

struct fetch {
    enum { FETCH_WANTED, FETCH_UNDER_WAY, FETCH_THERE, FETCH_FAILED } state;
    int status;      /* of the answer */
    struct buf body; /* its content */
    enum err err;    /* FETCH_FAILED: why, with a sentence */
    char why[200];

    unsigned step;
    struct fetch *earlier; /* the job's one before */
    struct dial_target target;
    struct buf head;
    struct str content; /* of the request; the job's */
    uint64_t began_us;
    struct http_call call;
    void (*done)(void *ctx);
    void *ctx;
};

#define FETCH_BODY_MAX (8u << 20)
#define FETCH_TOTAL_US UINT64_C(60000000)
#define FETCH_STEPS_MAX 8

/*
 * For a handler: NULL when the call is still to be made (return then), else its result, good as long as the
 * job. `path` is put behind the integration's address: "/models".
 */
const struct fetch *fetch_get(struct job *j, const struct snapshot_integration *i, struct str path);

/* Any request; all texts are the job's. `lines` are whole header lines, which may be secrets. */
struct fetch_request {
    struct dial_target target;
    struct str method, authority, path; /* the path with its query */
    struct str lines;
    struct str content; /* "" = none; its type is among the lines */
    size_t answer_max;  /* bytes; at most FETCH_BODY_MAX */
};
/* As fetch_get, for the step of that number, below FETCH_STEPS_MAX. */
const struct fetch *fetch_step(struct job *j, unsigned step, const struct fetch_request *r);

/* For console.c. NULL is allowed where a fetch is. */
bool fetch_is_wanted(const struct fetch *f);
bool fetch_is_under_way(const struct fetch *f);
/* On the worker's thread; `done` is called once, later. */
void fetch_begin(struct fetch *f, struct http_client *client, void (*done)(void *ctx), void *ctx);
/* A call under way is dropped; then only on the worker's thread. */
void fetch_free(struct fetch *f);

#endif
