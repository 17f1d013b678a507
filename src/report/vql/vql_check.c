/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the grammar does not say: which fields every branch must name, that a share is not negated, and
 * which key a tags.value test is about. Trees are as deep as VQL_DEPTH_MAX allows, twice.
 */
#include "base/must.h"
#include "report/vql/vql_inner.h"

/* Whether every way through the ORs names the field with "=". */
static bool every_branch_has(const struct vql_node *n, enum vql_field f)
{
    if (n->kind == VQL_TEST)
        return n->field == f && n->op == VQL_EQ;
    if (n->kind != VQL_AND && n->kind != VQL_OR)
        return false;
    for (size_t i = 0; i < n->child_count; i++)
        if (every_branch_has(n->children[i], f) != (n->kind == VQL_OR))
            return n->kind == VQL_AND;
    return n->kind == VQL_OR;
}

/* Where the first branch that does not begins. */
static size_t lacking_at(const struct vql_node *n, enum vql_field f)
{
    while (n->kind == VQL_OR) {
        size_t i = 0;
        while (every_branch_has(n->children[i], f))
            i++;
        n = n->children[i];
    }
    return n->at;
}

static bool has_share(const struct vql_node *n, size_t *ret_at)
{
    if (n->kind == VQL_SHARE) {
        *ret_at = n->at;
        return true;
    }
    for (size_t i = 0; i < n->child_count; i++)
        if (has_share(n->children[i], ret_at))
            return true;
    return false;
}

static bool negates_share(const struct vql_node *n, size_t *ret_at)
{
    if (n->kind == VQL_NOT)
        return has_share(n, ret_at);
    for (size_t i = 0; i < n->child_count; i++)
        if (negates_share(n->children[i], ret_at))
            return true;
    return false;
}

static bool names_key(const struct vql_node *n)
{
    return n->kind == VQL_TEST && n->field == VQL_TAG_NAME && n->op != VQL_NULL;
}

/* The test of tags.name that is nearest to child `i`; of two, the one before it. */
static const struct vql_node *nearest_key(const struct vql_node *list, size_t i)
{
    for (size_t distance = 1; distance < list->child_count; distance++) {
        if (distance <= i && names_key(list->children[i - distance]))
            return list->children[i - distance];
        if (i + distance < list->child_count && names_key(list->children[i + distance]))
            return list->children[i + distance];
    }
    return NULL;
}

static void bind_keys(struct vql_node *n, const struct vql_node *around)
{
    if (n->kind == VQL_TEST && n->field == VQL_TAG_VALUE)
        n->key = around;
    for (size_t i = 0; i < n->child_count; i++) {
        const struct vql_node *near = n->kind == VQL_AND ? nearest_key(n, i) : NULL;
        bind_keys(n->children[i], near ? near : around);
    }
}

/* The parser let none through that has no name. */
static enum vql_ledger ledger_of(struct str text)
{
    unsigned i = 0;
    while (!str_eq(text, str_c(vql_ledger_text((enum vql_ledger)i))))
        must(++i < VQL_LEDGER_COUNT);
    return (enum vql_ledger)i;
}

static void note_uses(struct vql *q, const struct vql_node *n)
{
    if (n->kind == VQL_TEST)
        q->uses[n->field] = true;
    if (n->kind == VQL_PAIRS)
        q->uses[VQL_TAG_NAME] = q->uses[VQL_TAG_VALUE] = true;
    if (n->kind == VQL_SHARE)
        q->uses[VQL_ALLOCATION] = true;
    if (n->kind == VQL_TEST && n->field == VQL_LEDGER)
        q->ledgers |= 1u << ledger_of(n->values[0]);
    for (size_t i = 0; i < n->child_count; i++)
        note_uses(q, n->children[i]);
}

bool vql_check(struct vql *q, struct vql_error *error)
{
    size_t at;
    struct vql_node *root = q->root;
    if (!root)
        return true;
    note_uses(q, root);
    if (negates_share(root, &at)) {
        vql_error_set(error, at, "costs.allocation cannot stand under NOT, at position %zu", at);
        return false;
    }
    if (!every_branch_has(root, VQL_PROVIDER)) {
        at = lacking_at(root, VQL_PROVIDER);
        vql_error_set(error, at, "costs.provider is required, with '=', in the branch at position %zu", at);
        return false;
    }
    if (q->uses[VQL_LEDGER] && !every_branch_has(root, VQL_LEDGER)) {
        at = lacking_at(root, VQL_LEDGER);
        vql_error_set(error, at,
                      "costs.ledger must be named in every branch or in none; the one at position %zu lacks it", at);
        return false;
    }
    bind_keys(root, NULL);
    return true;
}
