/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters of any text. One that is accepted has a normal form, which is accepted too (unless it has become
 * too long) and is its own normal form; every test of it can be asked about any text.
 */
#include "base/must.h"
#include "report/vql/vql.h"

static void ask(const struct vql_node *n, struct str text)
{
    if (n->kind == VQL_TEST)
        (void)vql_match(n, text);
    must(n->kind != VQL_PAIRS || n->value_count % 2 == 0);
    must(n->kind != VQL_SHARE || (n->share_ppm > 0 && n->share_ppm <= 1000000));
    must((n->kind == VQL_AND || n->kind == VQL_OR) == (n->child_count > 1));
    for (size_t i = 0; i < n->child_count; i++)
        ask(n->children[i], text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_of((const char *)data, size);
    struct vql *q = NULL, *again = NULL;
    struct vql_error error;
    struct buf first, second;
    if (vql_parse(text, &q, &error)) {
        must(error.at <= size + 1);
        must(error.text[0] == 'V');
        return 0;
    }
    buf_init(&first, VQL_PRINT_MAX);
    buf_init(&second, VQL_PRINT_MAX);
    must(vql_print(q, &first));
    if (buf_size(&first) <= VQL_TEXT_MAX) {
        must(!vql_parse(buf_str(&first), &again, &error));
        must(vql_print(again, &second));
        must(str_eq(buf_str(&first), buf_str(&second)));
        must(vql_ledgers(q) == vql_ledgers(again));
    }
    if (vql_root(q))
        ask(vql_root(q), str_head(text, 64));
    buf_free(&first);
    buf_free(&second);
    vql_free(q);
    vql_free(again);
    return 0;
}
