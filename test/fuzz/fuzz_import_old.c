/* SPDX-License-Identifier: Apache-2.0 */
/* Old usage pages: whatever comes, what is taken can be stored, and the rest is refused with a sentence. */
#include "base/must.h"
#include "openai/price.h"
#include "report/bill/bill_decimal.h"
#include "report/bill/bill_line.h"
#include "report/import/import_old.h"

static const struct price_catalog *prices(void)
{
    static struct price_catalog *catalog;
    struct price_source source = price_source_builtin();
    struct price_fault fault;
    if (!catalog)
        must(price_catalog_new(&source, &catalog, &fault) == ERR_OK);
    return catalog;
}

static void check(const struct import_old_rows *r)
{
    for (size_t i = 0; i < r->cost_count; i++) {
        struct bill_line l;
        money_sum v;
        bool exact;
        must(bill_decimal_read(r->costs[i].amount, 12, &v, &exact) && exact && v >= 0);
        must(bill_decimal_read(r->costs[i].quantity, 9, &v, &exact) && exact && v > 0);
        bill_line_read(r->costs[i].line_item, NULL, &l);
        must(l.service[0] != '\0');
    }
    for (unsigned kind = 0; kind < BILL_USAGE_COUNT; kind++)
        for (size_t i = 0; i < r->used_count[kind]; i++)
            for (size_t f = 0; f < BILL_FIGURE_COUNT; f++)
                must(r->used[kind][i].figure[f] >= 0);
    for (size_t i = 0; i < r->name_count; i++)
        must(r->names[i].ext.n > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    char why[IMPORT_PAGE_WHY_MAX] = "";
    struct import_old_rows rows;
    struct jdoc doc;
    struct arena *a = arena_new(4096, 1u << 20);
    jdoc_init(&doc);
    struct jval root = jdoc_parse(&doc, str_of((const char *)p, n)) ? jdoc_root(&doc) : (struct jval){0};
    enum err e = import_old_read(root, 20000, n % 8 ? prices() : NULL, a, &rows, why);
    if (e == ERR_OK)
        check(&rows);
    else
        must(e == ERR_OVERLOADED || why[0] != '\0');
    import_old_free(&rows);
    jdoc_free(&doc);
    arena_free(a);
    return 0;
}
