/* SPDX-License-Identifier: Apache-2.0 */
/* The normal form of a query. */
#include <stdio.h>

#include "base/must.h"
#include "report/vql/vql.h"

static bool print_node(const struct vql_node *n, struct buf *out);

bool vql_print_string(struct str text, struct buf *out)
{
    bool ok = buf_add_byte(out, '\'');
    for (size_t i = 0; ok && i < text.n; i++)
        ok = (text.p[i] != '\'' || buf_add_byte(out, '\'')) && buf_add_byte(out, text.p[i]);
    return ok && buf_add_byte(out, '\'');
}

static bool print_list(const struct vql_node *n, size_t step, struct buf *out)
{
    bool ok = buf_add_byte(out, '(');
    for (size_t i = 0; ok && i < n->value_count; i += step) {
        if (i)
            ok = buf_add_str(out, STR(", "));
        if (step == 1)
            ok = ok && vql_print_string(n->values[i], out);
        else
            ok = ok && buf_add_byte(out, '(') && vql_print_string(n->values[i], out) && buf_add_str(out, STR(", ")) &&
                 vql_print_string(n->values[i + 1], out) && buf_add_byte(out, ')');
    }
    return ok && buf_add_byte(out, ')');
}

static bool print_operand(const struct vql_node *n, bool negated, struct buf *out)
{
    switch (n->op) {
    case VQL_NULL:
        return buf_add_str(out, negated ? STR(" != NULL") : STR(" = NULL"));
    case VQL_IN:
        return buf_add_str(out, negated ? STR(" NOT IN ") : STR(" IN ")) && print_list(n, 1, out);
    case VQL_LIKE:
        return buf_add_str(out, negated ? STR(" NOT LIKE ") : STR(" LIKE ")) && vql_print_string(n->values[0], out);
    case VQL_FLEX:
        return buf_add_str(out, negated ? STR(" !~* ") : STR(" ~* ")) && vql_print_string(n->values[0], out);
    case VQL_EQ:
        break;
    }
    must(n->op == VQL_EQ);
    if (!buf_add_str(out, negated ? STR(" != ") : STR(" = ")))
        return false;
    bool boolean = n->field == VQL_MARKETPLACE || n->field == VQL_BATCH;
    return boolean ? buf_add_str(out, n->values[0]) : vql_print_string(n->values[0], out);
}

static bool print_leaf(const struct vql_node *n, bool negated, struct buf *out)
{
    if (n->kind == VQL_PAIRS)
        return buf_add_str(out, STR("(tags.name, tags.value)")) &&
               buf_add_str(out, negated ? STR(" NOT IN ") : STR(" IN ")) && print_list(n, 2, out);
    return buf_add_str(out, str_c(vql_field_text(n->field))) && print_operand(n, negated, out);
}

static bool print_share(uint32_t ppm, struct buf *out)
{
    char digits[8];
    int n = snprintf(digits, sizeof digits, "%06u", (unsigned)(ppm % 1000000));
    while (n > 1 && digits[n - 1] == '0')
        n--;
    return buf_printf(out, "%s = %u.%.*s", vql_field_text(VQL_ALLOCATION), (unsigned)(ppm / 1000000), n, digits);
}

static bool print_children(const struct vql_node *n, struct buf *out)
{
    for (size_t i = 0; i < n->child_count; i++) {
        const struct vql_node *c = n->children[i];
        bool wrap = n->kind == VQL_AND && c->kind == VQL_OR;
        if (i && !buf_add_str(out, n->kind == VQL_AND ? STR(" AND ") : STR(" OR ")))
            return false;
        if ((wrap && !buf_add_byte(out, '(')) || !print_node(c, out) || (wrap && !buf_add_byte(out, ')')))
            return false;
    }
    return true;
}

static bool print_node(const struct vql_node *n, struct buf *out)
{
    switch (n->kind) {
    case VQL_AND:
    case VQL_OR:
        return print_children(n, out);
    case VQL_NOT:
        if (n->children[0]->kind == VQL_TEST || n->children[0]->kind == VQL_PAIRS)
            return print_leaf(n->children[0], true, out);
        return buf_add_str(out, STR("NOT (")) && print_node(n->children[0], out) && buf_add_byte(out, ')');
    case VQL_SHARE:
        return print_share(n->share_ppm, out);
    case VQL_TEST:
    case VQL_PAIRS:
        break;
    }
    return print_leaf(n, false, out);
}

bool vql_print(const struct vql *q, struct buf *out)
{
    const struct vql_node *root = vql_root(q);
    return !root || print_node(root, out);
}
