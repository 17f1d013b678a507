/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTE_MODEL_H
#define ROUTE_MODEL_H

/*
 * route_model: what a routing config makes of a request, as a recursion over the tree, written as
 * docs/ROUTING.md says it. It shares nothing with the compiler and the planner but the formula of
 * the draws, which it has a second time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUTE_TARGETS_MAX 4
#define ROUTE_KEYS 3 /* metadata.k0 … */

enum route_mode { ROUTE_SINGLE, ROUTE_LOADBALANCE, ROUTE_FALLBACK, ROUTE_CONDITIONAL };

struct route_condition {
    int key, value; /* metadata.k<key> is, or with `negated` is not, "<value>" */
    bool negated;
    bool unknown; /* its operator is one that does not exist, $like */
    int then;     /* targets are named "n<number>" */
};

struct route_node {
    int id; /* in the order of the text */
    int name;
    int weight;
    enum route_mode mode;
    struct route_node *targets[ROUTE_TARGETS_MAX];
    int target_count;         /* 0: a leaf */
    int codes[4], code_count; /* -1: none given */
    struct route_condition conditions[3];
    int condition_count;
    int default_name; /* -1: none */
    bool open;        /* of a leaf: its circuit breaker */
    int status;       /* of a leaf: what an attempt there ends with */
    bool exception;   /* … and it is the gateway's own failure */
};

struct route_model {
    uint64_t random;
    int metadata[ROUTE_KEYS]; /* -1: missing */
    bool breakers;            /* there are any */
    char trace[4096];         /* "config.targets[0]=500;config.targets[1]=200;" */
    size_t traced;
};

/* Appends one attempt to the trace. */
void route_trace(struct route_model *m, const char *path, const char *outcome);
void route_run(struct route_model *m, const struct route_node *root);

#endif
