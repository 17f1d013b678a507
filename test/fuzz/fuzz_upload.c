/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of costs: whatever comes, fields are inside the file, what is taken can be stored and read back, and the rest
 * is refused with sentences.
 */
#include "base/must.h"
#include "report/bill/bill_decimal.h"
#include "report/bill/bill_line.h"
#include "report/upload/csv.h"
#include "report/upload/upload_read.h"

/* Records go forward, and what they hold is no longer than what was read. */
static void records(struct str text)
{
    static struct csv_record record;
    struct arena *a = arena_new(4096, 1u << 20);
    struct csv c;
    size_t held = 0, line = 0;
    csv_init(&c, text);
    while (csv_next(&c, a, &record) == CSV_RECORD) {
        must(record.count > 0 && record.count <= CSV_FIELDS_MAX && record.line > line);
        line = record.line;
        for (size_t i = 0; i < record.count; i++)
            held += record.fields[i].n;
    }
    must(held <= text.n && c.rest.n == 0);
    arena_free(a);
}

static void row(const struct bill_upload_row *r, struct arena *a)
{
    struct bill_line l;
    struct str tags = bill_line_part(r->cost.line_item, BILL_LINE_TAGS), again;
    money_sum v;
    bool exact;
    must(r->day >= 0 && r->cost.amount.n > 0);
    must(bill_decimal_read(r->cost.amount, 12, &v, &exact));
    must(!r->cost.quantity.n || bill_decimal_read(r->cost.quantity, 9, &v, &exact));
    bill_line_read(r->cost.line_item, NULL, &l);
    must(l.service[0] != '\0' && str_eq(str_c(l.service), bill_line_part(r->cost.line_item, BILL_LINE_SERVICE)));
    must(str_find(tags, '%') < 0 && str_find(tags, '\t') < 0);
    if (tags.n && upload_tags(tags, a, &again))
        must(str_eq(tags, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct str text = str_of((const char *)p, n);
    struct bill_upload_row *rows;
    struct upload_faults faults;
    size_t count;
    records(text);
    struct arena *a = arena_new(4096, 8u << 20);
    if (upload_read(text, a, &rows, &count, &faults)) {
        must(count > 0 && faults.total == 0);
        for (size_t i = 0; i < count; i++)
            row(&rows[i], a);
    } else {
        must(faults.total > 0 && faults.count > 0 && faults.count <= UPLOAD_FAULTS_MAX);
        for (size_t i = 0; i < faults.count; i++)
            must(faults.text[i].n > 0);
    }
    arena_free(a);
    return 0;
}
