/* SPDX-License-Identifier: Apache-2.0 */
/* Replies of the administration API: whatever comes, what is taken can be stored, and the rest is refused with a sentence. */
#include "base/must.h"
#include "report/bill/bill_decimal.h"
#include "report/bill/bill_line.h"
#include "report/import/import_page.h"

static void costs(struct jval results, struct arena *a)
{
    char why[IMPORT_PAGE_WHY_MAX] = "";
    for (struct jval v = jdoc_first(results); jdoc_has(v); v = jdoc_next(results, v)) {
        struct bill_cost c;
        struct import_page_organization o;
        struct bill_line l;
        money_sum amount;
        bool exact;
        if (import_page_cost(v, a, &c, &o, why) != ERR_OK) {
            must(why[0] != '\0');
            continue;
        }
        bill_line_read(c.line_item, NULL, &l);
        must(l.service[0] != '\0');
        if (bill_decimal_read(c.amount, 12, &amount, &exact) && exact) {
            char text[MONEY_TEXT_MAX];
            money_sum again;
            must(bill_decimal_read(str_of(text, money_format(amount, text)), 12, &again, &exact));
            must(exact && again == amount);
        }
    }
}

static void usage(struct jval results, enum bill_usage kind, struct arena *a)
{
    char why[IMPORT_PAGE_WHY_MAX] = "";
    for (struct jval v = jdoc_first(results); jdoc_has(v); v = jdoc_next(results, v)) {
        struct bill_used u;
        if (import_page_used(v, kind, a, &u, why) != ERR_OK)
            continue;
        for (size_t i = 0; i < BILL_FIGURE_COUNT; i++)
            must(u.figure[i] >= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct import_page page;
    struct jdoc doc;
    char why[IMPORT_PAGE_WHY_MAX] = "";
    if (n < 1)
        return 0;
    struct arena *a = arena_new(4096, 1u << 20);
    jdoc_init(&doc);
    enum bill_usage kind = (enum bill_usage)(p[0] % BILL_USAGE_COUNT);
    if (import_page_open(&doc, str_of((const char *)p + 1, n - 1), a, &page, why) == ERR_OK) {
        must(!page.has_more || page.next.n > 0);
        for (struct jval v = jdoc_first(page.data); jdoc_has(v); v = jdoc_next(page.data, v)) {
            struct bill_name_put name;
            struct jval results;
            int64_t start;
            if (import_page_name(v, BILL_KEY, STR("proj"), a, &name, why) == ERR_OK)
                must(name.ext.n > 0);
            if (import_page_bucket(v, 86400, &start, &results, why) != ERR_OK)
                continue;
            must(start >= 0);
            costs(results, a);
            usage(results, kind, a);
        }
    } else {
        must(why[0] != '\0' || arena_used(a) > 0);
    }
    jdoc_free(&doc);
    arena_free(a);
    return 0;
}
