/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_FETCH_H
#define CONSOLE_FETCH_H

/*
 * fetch: something that a handler needs from a provider, such as its list of models.
 *
 * The console's thread never waits for the network: a handler asks for it and returns without an answer;
 * the worker that has the client's connection makes the call, over its own pool, and the handler runs
 * again, from the beginning, with the result.
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

    struct dial_target target;
    struct buf head;
    struct http_call call;
    void (*done)(void *ctx);
    void *ctx;
};

#define FETCH_BODY_MAX (8u << 20)

/*
 * For a handler: NULL when the call is still to be made (return then), else its result, good as long as the
 * job. `path` is put behind the integration's address: "/models".
 */
const struct fetch *fetch_get(struct job *j, const struct snapshot_integration *i, struct str path);

/* For console.c. NULL is allowed where a fetch is. */
bool fetch_is_wanted(const struct fetch *f);
bool fetch_is_under_way(const struct fetch *f);
/* On the worker's thread; `done` is called once, later. */
void fetch_begin(struct fetch *f, struct http_client *client, void (*done)(void *ctx), void *ctx);
/* A call under way is dropped; then only on the worker's thread. */
void fetch_free(struct fetch *f);

#endif
