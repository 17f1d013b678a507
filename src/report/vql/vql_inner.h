/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_VQL_VQL_INNER_H
#define REPORT_VQL_VQL_INNER_H

/* vql_inner: what the files of the query language share. */

#include "base/arena.h"
#include "report/vql/vql.h"

struct vql {
    struct arena *arena; /* owns all nodes and texts */
    struct vql_node *root;
    unsigned ledgers;
    bool uses[VQL_FIELD_COUNT];
};

/* A sentence, cut to fit; `at` is part of it already. */
void vql_error_set(struct vql_error *error, size_t at, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Completes a tree: keys of tags.value tests, ledgers, fields in use. False: *error says what cannot be. */
bool vql_check(struct vql *q, struct vql_error *error) __attribute__((warn_unused_result));

#endif
