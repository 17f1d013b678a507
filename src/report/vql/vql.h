/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_VQL_VQL_H
#define REPORT_VQL_VQL_H

/*
 * vql: the query language of cost reports, as text and as a tree.
 *
 *     query     = and_list { OR and_list }
 *     and_list  = unary { AND unary }
 *     unary     = NOT unary | "(" query ")" | test
 *     test      = field ( "=" | "!=" | "<>" ) literal
 *               | field [NOT] IN "(" string { "," string } ")"
 *               | field [NOT] LIKE string            % stands for any text
 *               | field ( "~*" | "!~*" ) string      ignoring case, spaces and punctuation
 *               | "(" tags.name "," tags.value ")" [NOT] IN "(" pair { "," pair } ")"
 *     literal   = string | number | TRUE | FALSE | NULL
 *     string    = "'" any text, a quote written twice "'"
 *
 * NOT binds closer than AND, AND closer than OR. Keywords in any case; field names as they are. Negated
 * tests are the complement of the test, whatever the field: they are NOT with the test below it.
 *
 * costs.provider must be named with "=" in every branch (that is: each way through the ORs), and so must
 * costs.ledger if it is named at all. A tags.value test is about the key that the nearest tags.name test
 * in its AND list names, or in one around it; without one, about any key.
 *
 * A struct vql owns everything it points to and does not change; any thread may read it. Positions
 * count characters from 1. Text is data: nothing here or behind it becomes part of a statement.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define VQL_TEXT_MAX 32768
#define VQL_DEPTH_MAX 64
#define VQL_LITERALS_MAX 1000
#define VQL_PRINT_MAX (4u * VQL_TEXT_MAX) /* the longest normal form */

/* Columns: name, text as printed, what a value is. */
#define VQL_FIELD_TABLE(X)                                    \
    X(PROVIDER, "costs.provider", PROVIDER_NAME)              \
    X(ALLOCATION, "costs.allocation", SHARE)                  \
    X(REGION, "costs.region", TEXT)                           \
    X(MARKETPLACE, "costs.marketplace", BOOLEAN)              \
    X(ACCOUNT, "costs.account_id", TEXT)                      \
    X(BILLING_ACCOUNT, "costs.provider_account_id", TEXT)     \
    X(SERVICE, "costs.service", TEXT)                         \
    X(CATEGORY, "costs.category", TEXT)                       \
    X(SUBCATEGORY, "costs.subcategory", TEXT)                 \
    X(RESOURCE, "costs.resource_id", TEXT)                    \
    X(CHARGE_TYPE, "costs.charge_type", TEXT)                 \
    X(TAG_NAME, "tags.name", TEXT)                            \
    X(TAG_VALUE, "tags.value", TEXT)                          \
    /* Ours. A model is matched with and without its date. */ \
    X(MODEL, "costs.model", TEXT)                             \
    X(USER, "costs.user_id", TEXT)                            \
    X(TIER, "costs.service_tier", TEXT)                       \
    X(BATCH, "costs.batch", BOOLEAN)                          \
    X(LEDGER, "costs.ledger", LEDGER_NAME)                    \
    X(LINE_ITEM, "costs.line_item", TEXT)                     \
    X(WORKSPACE, "costs.workspace", TEXT)                     \
    X(MODEL_API, "costs.model_api", TEXT)                     \
    X(MEMBER, "costs.member", TEXT)

enum vql_field {
#define X(name, text, type) VQL_##name,
    VQL_FIELD_TABLE(X)
#undef X
        VQL_FIELD_COUNT
};
const char *vql_field_text(enum vql_field f);

/* Other words for a field, accepted and printed as the field. Columns: text, field. */
#define VQL_ALIAS_TABLE(X)                   \
    X("costs.organization", BILLING_ACCOUNT) \
    X("costs.project", ACCOUNT)              \
    X("costs.operation", SERVICE)            \
    X("costs.api_key", RESOURCE)

#define VQL_OPEN_AI "open_ai" /* "openai" means the same and is printed so */

enum vql_ledger { VQL_BILLED, VQL_METERED, VQL_ALLOCATED, VQL_ESTIMATED, VQL_LEDGER_COUNT };
const char *vql_ledger_text(enum vql_ledger l);

enum vql_kind {
    VQL_AND, /* two children or more */
    VQL_OR,  /* two children or more */
    VQL_NOT, /* one child */
    VQL_TEST,
    VQL_PAIRS, /* the charge carries every pair: values are name, value, name, value … */
    VQL_SHARE  /* costs.allocation: true, and the amounts of its branch count `share_ppm` millionths */
};

enum vql_op {
    VQL_EQ,
    VQL_IN,
    VQL_LIKE,
    VQL_FLEX, /* ~* */
    VQL_NULL  /* = NULL: without one; no values */
};

struct vql_node {
    enum vql_kind kind;
    size_t at; /* where it begins */
    struct vql_node *const *children;
    const struct str *values;
    size_t child_count, value_count;
    enum vql_field field;       /* TEST */
    enum vql_op op;             /* TEST; booleans are EQ "true" or EQ "false" */
    const struct vql_node *key; /* TEST of tags.value: the test of tags.name it is about, or NULL */
    uint32_t share_ppm;
};

struct vql;

struct vql_error {
    size_t at;      /* 0: about the whole */
    char text[256]; /* "VQL: expected ')' at position 57 near 'AND'" */
};

/* ERR_BAD_PARAMETER with *error filled. An empty text, or only spaces, is a query that lets everything through. */
enum err vql_parse(struct str text, struct vql **ret, struct vql_error *error) ERR_USE;
void vql_free(struct vql *q); /* NULL does nothing */

/* NULL: everything. */
const struct vql_node *vql_root(const struct vql *q);
/* Bit (1 << enum vql_ledger) for each ledger that is named; 0 when none is. */
unsigned vql_ledgers(const struct vql *q);
/* Whether a field stands anywhere in it. */
bool vql_uses(const struct vql *q, enum vql_field f);

/* The normal form: standard names, single spaces, no parentheses that say nothing. Parsing it gives the same tree. */
bool vql_print(const struct vql *q, struct buf *out) __attribute__((warn_unused_result));
/* A string literal, for those who put queries together. */
bool vql_print_string(struct str text, struct buf *out) __attribute__((warn_unused_result));

/* Whether a text passes a TEST; "" passes NULL. */
bool vql_match(const struct vql_node *test, struct str text);
bool vql_match_like(struct str pattern, struct str text);
/* a ~* b: equal when case, spaces and ASCII punctuation are left out. */
bool vql_match_flex(struct str a, struct str b);

#endif
