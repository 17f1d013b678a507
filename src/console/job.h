/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_JOB_H
#define CONSOLE_JOB_H

/*
 * job: one admin request. Made on a worker's thread, run on the console's thread, answered on the
 * worker's thread again. While it runs the worker touches nothing in it but `x`.
 *
 * A handler reads the request here and calls one of the job_reply functions once.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/json_write.h"
#include "base/list.h"
#include "control/snapshot.h"
#include "gateway/gateway.h"
#include "gateway/worker.h"

struct console;
struct control_why;
struct job;

/* Who may call a route. */
enum job_access {
    JOB_PROBE,  /* no key; run by the worker at once, so it must not wait for anything */
    JOB_PUBLIC, /* no key */
    JOB_VIEWER, /* any key of the workspace */
    JOB_MEMBER,
    JOB_ADMIN,
    JOB_OWNER,
};

/* What a key with a list of scopes needs on it for a route. */
enum job_scope {
    JOB_SCOPE_ANY, /* nothing in particular */
    JOB_SCOPE_ALL, /* only a key without a list may */
#define X(name, text) JOB_SCOPE_##name,
    SNAPSHOT_SCOPE_TABLE(X)
#undef X
};

/* How errors look. */
enum job_dialect { JOB_NATIVE, JOB_PORTKEY, JOB_BLAXEL, JOB_VANTAGE };

struct route {
    struct str method;
    struct str path; /* "{}" stands for one segment, "{*}" for one or more */
    enum job_access access;
    enum job_scope scope;
    enum job_dialect dialect;
    void (*run)(struct job *j);
    const char *summary; /* one line, for openapi.json and the docs */
};

#define JOB_PARAMS_MAX 4
#define JOB_BODY_MAX (1u << 20)
#define JOB_COSTS_MAX (7u << 20) /* of files of costs: 2 MB, which a form may write three times as long */
#define JOB_REPLY_MAX (64u << 20)

/* What Blaxel's clients say in their heads; of Vantage's only host and proto, of others only proto. */
struct job_blaxel {
    struct str workspace, version, host, proto;
};

struct job {
    struct exchange_owner owner; /* first: x->app_data points here */
    struct console *console;
    struct http_exchange *x; /* the worker's; NULL once the client is gone */
    struct loop *loop;
    struct worker *worker;
    struct list node; /* the console's queue */
    struct arena *arena;
    struct snapshot *snapshot;      /* a reference */
    const struct snapshot_key *key; /* NULL for public routes without a key */
    const struct route *route;
    struct str method, path, query;
    struct str peer, request_id;       /* for the audit log */
    struct str authorization;          /* of public Blaxel routes, that is, of /oauth/token */
    struct str cookie;                 /* of public routes of ours, that is, of signing in */
    struct str params[JOB_PARAMS_MAX]; /* what stood for "{}" */
    struct job_blaxel blaxel;
    int64_t workspace_id; /* whose things it is about: the key's, or the one that Blaxel's clients name */
    enum kind_role role;  /* of the key, there */
    struct fetch *fetch;  /* fetch.h; NULL: none was asked for */
    struct buf body;
    bool submitted; /* it is or was with the console's thread */

    int status;
    struct str type;                  /* of the reply */
    char own_lines[WORKER_LINES_MAX]; /* what every answer carries */
    struct buf lines, reply;
    struct json_write json; /* writes into reply */
};

/* The value of a query parameter, percent-decoded, in the arena; empty when absent. */
struct str job_query(struct job *j, struct str name);
bool job_query_u64(struct job *j, struct str name, uint64_t fallback, uint64_t max, uint64_t *ret);

/*
 * From here on the job is about that workspace, and j->key is the caller's key as it is there. False when the key
 * has no business there, unanswered; or may not do there what the route does, answered (j->status).
 */
bool job_enter(struct job *j, int64_t workspace_id);

/* Answers. After job_reply_json the caller writes one value with j->json and returns. */
void job_reply_json(struct job *j, int status);
void job_reply_bytes(struct job *j, int status, struct str type, struct str bytes);
void job_reply_empty(struct job *j, int status);
void job_fail(struct job *j, enum err e, struct str param, struct str detail);
/* The body of an error in a dialect, and the header lines that are particular to it; both appended. */
bool job_error_json(enum job_dialect dialect, enum err e, struct str param, struct str detail, struct buf *lines,
                    struct buf *out) __attribute__((warn_unused_result));
/* From a control function's failure. */
void job_fail_why(struct job *j, enum err e, const struct control_why *why);

#endif
