/* SPDX-License-Identifier: Apache-2.0 */
/* The comparison is a merge of both periods' rows in the order of their groups. */
#include "console/vantage/cost_csv.h"

#include <stdlib.h>

#include "base/mem.h"

static bool is_number(struct str text)
{
    size_t i = text.n && text.p[0] == '-';
    bool digit = false;
    for (; i < text.n; i++) {
        digit |= text.p[i] >= '0' && text.p[i] <= '9';
        if ((text.p[i] < '0' || text.p[i] > '9') && text.p[i] != '.')
            return false;
    }
    return digit;
}

bool cost_csv_cell(struct buf *out, struct str text)
{
    bool formula = text.n && strchr("=+-@\t\r", text.p[0]) && !is_number(text), quote = false;
    for (size_t i = 0; i < text.n; i++)
        quote |= text.p[i] == '"' || text.p[i] == ',' || text.p[i] == '\n' || text.p[i] == '\r';
    bool ok = (!quote || buf_add_byte(out, '"')) && (!formula || buf_add_byte(out, '\''));
    for (size_t i = 0; ok && i < text.n; i++)
        ok = (text.p[i] != '"' || buf_add_byte(out, '"')) && buf_add_byte(out, text.p[i]);
    return ok && (!quote || buf_add_byte(out, '"'));
}

static bool add_amount(struct buf *out, cost_sum amount)
{
    char text[COST_TEXT_MAX];
    return buf_add_str(out, str_of(text, cost_amount_format(amount, text)));
}

static bool add_headings(struct buf *out, const struct cost_query *q)
{
    bool ok = true;
    for (unsigned i = 0; ok && i < q->group_count; i++) {
        struct buf name;
        buf_init(&name, 4096);
        ok = buf_add_str(&name, str_c(cost_by_heading(q->groups[i].by)));
        if (q->groups[i].by == COST_BY_TAG)
            ok = ok && buf_add_byte(&name, ':') && buf_add_str(&name, q->groups[i].tag);
        ok = ok && cost_csv_cell(out, buf_str(&name)) && buf_add_byte(out, ',');
        buf_free(&name);
    }
    return ok;
}

static bool add_groups(struct buf *out, const struct cost_query *q, const struct cost_row *row)
{
    bool ok = true;
    for (unsigned i = 0; ok && i < q->group_count; i++)
        ok = cost_csv_cell(out, row->values[i]) && buf_add_byte(out, ',');
    return ok;
}

bool cost_csv_rows(struct buf *out, const struct cost_query *q, const struct cost_result *r)
{
    bool ok = buf_add_str(out, STR("Date,")) && add_headings(out, q) &&
              buf_add_str(out, STR("Usage,Usage Unit,Cost,Currency\n"));
    for (size_t i = 0; ok && i < r->row_count; i++) {
        const struct cost_row *row = &r->rows[i];
        char date[COST_ACCRUED_MAX];
        ok = buf_add_str(out, str_of(date, cost_accrued(q->bin, row->start_us, date))) && buf_add_byte(out, ',') &&
             add_groups(out, q, row);
        if (ok && row->unit.n)
            ok = add_amount(out, (cost_sum)row->usage * COST_PER_PUSD);
        ok = ok && buf_add_byte(out, ',') && cost_csv_cell(out, row->unit) && buf_add_byte(out, ',') &&
             add_amount(out, row->amount) && buf_add_str(out, STR(",USD\n"));
    }
    return ok;
}

/* ---- comparison ---- */

static int compare(const void *a, const void *b, void *count)
{
    const struct cost_row *const *x = a, *const *y = b;
    for (unsigned i = 0; i < *(const unsigned *)count; i++) {
        int order = str_cmp((*x)->values[i], (*y)->values[i]);
        if (order)
            return order;
    }
    return 0;
}

static const struct cost_row **sorted(const struct cost_result *r, unsigned groups)
{
    const struct cost_row **list = mem_alloc((r->row_count + 1) * sizeof *list);
    for (size_t i = 0; i < r->row_count; i++)
        list[i] = &r->rows[i];
    qsort_r(list, r->row_count, sizeof *list, compare, &groups);
    return list;
}

bool cost_csv_comparison(struct buf *out, const struct cost_query *q, const struct cost_result *now,
                         const struct cost_result *before)
{
    unsigned groups = q->group_count;
    const struct cost_row **left = sorted(now, groups), **right = sorted(before, groups);
    bool ok = add_headings(out, q) && buf_add_str(out, STR("Cost,Previous Cost,Change,Currency\n"));
    for (size_t i = 0, k = 0; ok && (i < now->row_count || k < before->row_count);) {
        int order = i == now->row_count ? 1 : k == before->row_count ? -1 : compare(&left[i], &right[k], &groups);
        const struct cost_row *row = order <= 0 ? left[i] : right[k];
        cost_sum is = order <= 0 ? left[i]->amount : 0, was = order >= 0 ? right[k]->amount : 0;
        ok = add_groups(out, q, row) && add_amount(out, is) && buf_add_byte(out, ',') && add_amount(out, was) &&
             buf_add_byte(out, ',') && add_amount(out, is - was) && buf_add_str(out, STR(",USD\n"));
        i += order <= 0;
        k += order >= 0;
    }
    mem_free(left);
    mem_free(right);
    return ok;
}
