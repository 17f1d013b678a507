/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts are texts with all their digits; prices are dollars a unit, to 15 places. */
#include "console/reports/reconciliation_write.h"

#include <stdio.h>

#include "report/bill/bill.h"

#define PRICE_PLACES 15
#define QUANTITY_PLACES 3

/* --- JSON ------------------------------------------------------------------------------------ */

static void write_amount(struct json_write *w, const char *name, cost_sum amount)
{
    char text[COST_TEXT_MAX];
    json_write_member_string(w, name, str_of(text, cost_amount_format(amount, text)));
}

/* null: not known */
static void write_price(struct json_write *w, const char *name, cost_sum price)
{
    char text[COST_TEXT_MAX];
    if (price)
        json_write_member_string(w, name, str_of(text, cost_amount_format_rounded(price, PRICE_PLACES, text)));
    else
        json_write_member_null(w, name);
}

static void write_quantity(struct json_write *w, const char *name, money_sum quantity)
{
    char text[COST_TEXT_MAX];
    json_write_member_string(w, name, str_of(text, cost_amount_format_usage(quantity, QUANTITY_PLACES, text)));
}

static void write_day(struct json_write *w, const char *name, int64_t day)
{
    char text[BILL_DAY_TEXT_MAX];
    json_write_member_string(w, name, str_of(text, bill_day_format(day, text)));
}

static void write_causes(struct json_write *w, const struct reconcile_sums *s)
{
    json_write_key(w, STR("causes"));
    json_write_object(w);
    for (unsigned i = RECONCILE_CAUSE_NONE + 1; i < RECONCILE_CAUSE_COUNT; i++)
        if (s->cause[i])
            write_amount(w, reconcile_cause_text((enum reconcile_cause)i), s->cause[i]);
    json_write_object_end(w);
}

static void write_sums(struct json_write *w, const struct reconcile_row *row)
{
    const struct reconcile_sums *s = &row->sums;
    json_write_member_string(w, "status", str_c(reconcile_status_text(row->status)));
    json_write_member_text(w, "cause", str_c(reconcile_cause_text(row->cause)));
    write_amount(w, "billed", s->billed);
    write_amount(w, "metered", s->metered);
    write_amount(w, "gap", s->billed - s->metered);
    write_amount(w, "volume_gap", s->volume);
    write_amount(w, "rate_gap", s->rate);
    write_amount(w, "pricing_gap", s->pricing);
    write_causes(w, s);
    write_amount(w, "attributed", s->attributed);
    write_amount(w, "unattributed", s->unattributed);
    write_amount(w, "estimated", s->estimated);
    write_amount(w, "pending_billed", s->pending_billed);
    write_amount(w, "pending_metered", s->pending_metered);
    json_write_member_string(w, "currency", STR("USD"));
    if (row->unit.n) {
        json_write_member_string(w, "unit", row->unit);
        write_quantity(w, "billed_quantity", s->billed_quantity);
        write_quantity(w, "metered_quantity", s->metered_quantity);
        write_price(w, "book_unit_price", row->book_price);
        write_price(w, "billed_unit_price", row->billed_price);
        write_price(w, "metered_unit_price", row->metered_price);
    }
    json_write_member_uint(w, "attempts", s->attempts);
    json_write_member_uint(w, "estimated_attempts", s->estimated_attempts);
    json_write_member_uint(w, "unpriced_attempts", s->unpriced_attempts);
}

static void write_row(struct json_write *w, const struct reconcile_query *q, const struct reconcile_row *row)
{
    json_write_object(w);
    for (unsigned i = 0; i < q->group_count; i++) {
        char name[64];
        if (q->groups[i] == RECONCILE_BY_STATUS)
            continue; /* said below */
        json_write_member_string(w, reconcile_by_text(q->groups[i]), row->values[i]);
        if (!row->names[i].n)
            continue;
        snprintf(name, sizeof name, "%s_name", reconcile_by_text(q->groups[i]));
        json_write_member_string(w, name, row->names[i]);
    }
    write_sums(w, row);
    json_write_object_end(w);
}

static void write_days(struct json_write *w, const struct reconcile *r)
{
    json_write_key(w, STR("completeness"));
    json_write_object(w);
    if (r->billed_through >= r->from_day)
        write_day(w, "billed_through", r->billed_through);
    else
        json_write_member_null(w, "billed_through");
    json_write_member_uint(w, "provisional_days", r->provisional);
    json_write_member_uint(w, "missing_days", r->missing);
    json_write_key(w, STR("days"));
    json_write_array(w);
    for (size_t i = 0; i < r->day_count; i++) {
        json_write_object(w);
        write_day(w, "day", r->days[i].day);
        json_write_member_string(w, "state", str_c(reconcile_day_text(r->days[i].state)));
        write_amount(w, "billed", r->days[i].billed);
        write_amount(w, "metered", r->days[i].metered);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_write_object_end(w);
}

static void write_prices(struct json_write *w, const struct reconcile *r)
{
    json_write_key(w, STR("price_suggestions"));
    json_write_array(w);
    for (size_t i = 0; i < r->price_count; i++) {
        const struct reconcile_price *p = &r->prices[i];
        json_write_object(w);
        json_write_member_text(w, "organization", p->organization);
        json_write_member_text(w, "model", p->model);
        json_write_member_string(w, "meter", p->meter);
        json_write_member_string(w, "service_tier", p->tier);
        json_write_member_string(w, "unit", p->unit);
        write_price(w, "observed_unit_price", p->observed);
        write_price(w, "book_unit_price", p->book);
        write_amount(w, "rate_gap", p->rate);
        write_quantity(w, "quantity", p->quantity);
        write_day(w, "first_day", p->first_day);
        write_day(w, "last_day", p->last_day);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void write_shadows(struct json_write *w, const struct reconcile *r)
{
    json_write_key(w, STR("shadow_traffic"));
    json_write_array(w);
    for (size_t i = 0; i < r->shadow_count; i++) {
        const struct reconcile_shadow *s = &r->shadows[i];
        json_write_object(w);
        json_write_member_text(w, "organization", s->organization);
        json_write_member_text(w, "project", s->project);
        json_write_member_text(w, "project_name", s->project_name);
        json_write_member_text(w, "api_key", s->key);
        json_write_member_text(w, "api_key_name", s->key_name);
        write_amount(w, "billed", s->billed);
        write_day(w, "first_day", s->first_day);
        write_day(w, "last_day", s->last_day);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void write_left_out(struct json_write *w, const struct reconcile *r)
{
    json_write_key(w, STR("excluded"));
    json_write_array(w);
    for (size_t i = 0; i < r->excluded_count; i++) {
        const struct reconcile_excluded *x = &r->excluded[i];
        json_write_object(w);
        json_write_member_string(w, "reason", str_c(match_miss_text(x->reason)));
        json_write_member_string(w, "meaning", str_c(match_miss_sentence(x->reason)));
        json_write_member_text(w, "integration", x->integration);
        write_amount(w, "metered", x->metered);
        json_write_member_uint(w, "attempts", x->attempts);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_write_key(w, STR("unpriced"));
    json_write_array(w);
    for (size_t i = 0; i < r->unpriced_count; i++) {
        json_write_object(w);
        json_write_member_text(w, "model", r->unpriced[i].model);
        json_write_member_uint(w, "attempts", r->unpriced[i].attempts);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

void reconciliation_write_json(struct json_write *w, const struct reconcile_query *q, const struct reconcile *r,
                               size_t limit)
{
    json_write_object(w);
    json_write_member_string(w, "object", STR("reconciliation"));
    write_day(w, "start_date", r->from_day);
    write_day(w, "end_date", r->until_day - 1);
    write_amount(w, "tolerance_usd", (cost_sum)q->tolerance_pusd * COST_PER_PUSD);
    write_amount(w, "tolerance_percent", (cost_sum)q->tolerance_ppm * COST_PER_PUSD * (MONEY_PUSD_PER_USD / 10000));
    write_days(w, r);
    json_write_key(w, STR("total"));
    json_write_object(w);
    write_sums(w, &r->total);
    json_write_object_end(w);
    json_write_member_uint(w, "rows", r->row_count);
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = 0; i < r->row_count && i < limit; i++)
        write_row(w, q, &r->rows[i]);
    json_write_array_end(w);
    write_prices(w, r);
    write_shadows(w, r);
    write_left_out(w, r);
    json_write_object_end(w);
}

/* --- CSV ------------------------------------------------------------------------------------- */

/* A cell that a spreadsheet would take for a formula gets an apostrophe. */
static bool add_text(struct buf *out, struct str text)
{
    bool formula = text.n && strchr("=+-@\t\r", text.p[0]), quote = false;
    for (size_t i = 0; i < text.n; i++)
        quote |= strchr("\",\r\n", text.p[i]) != NULL;
    bool ok = (!quote || buf_add_byte(out, '"')) && (!formula || buf_add_byte(out, '\''));
    for (size_t i = 0; ok && i < text.n; i++)
        ok = (text.p[i] != '"' || buf_add_byte(out, '"')) && buf_add_byte(out, text.p[i]);
    return ok && (!quote || buf_add_byte(out, '"')) && buf_add_byte(out, ',');
}

static bool add_number(struct buf *out, cost_sum amount)
{
    char text[COST_TEXT_MAX];
    return buf_add_str(out, str_of(text, cost_amount_format(amount, text))) && buf_add_byte(out, ',');
}

/* Ids are followed by what people call it. */
static bool has_name(enum reconcile_by by)
{
    return by == RECONCILE_BY_PROJECT || by == RECONCILE_BY_KEY;
}

static bool add_row(struct buf *out, const struct reconcile_query *q, const struct reconcile_row *row, bool total)
{
    const struct reconcile_sums *s = &row->sums;
    const cost_sum amounts[] = {s->billed,  s->metered,    s->billed - s->metered, s->volume,   s->rate,
                                s->pricing, s->attributed, s->unattributed,        s->estimated};
    char billed[COST_TEXT_MAX], metered[COST_TEXT_MAX];
    bool ok = true;
    for (unsigned i = 0; ok && i < q->group_count; i++) {
        ok = add_text(out, total ? (i ? STR("") : STR("Total")) : row->values[i]);
        if (has_name(q->groups[i]))
            ok = ok && add_text(out, total ? STR("") : row->names[i]);
    }
    ok = ok && add_text(out, str_c(reconcile_status_text(row->status))) &&
         add_text(out, str_c(reconcile_cause_sentence(row->cause)));
    for (size_t i = 0; ok && i < sizeof amounts / sizeof amounts[0]; i++)
        ok = add_number(out, amounts[i]);
    cost_amount_format_usage(s->billed_quantity, QUANTITY_PLACES, billed);
    cost_amount_format_usage(s->metered_quantity, QUANTITY_PLACES, metered);
    return ok && buf_printf(out, "%s,%s,%.*s,%llu,%llu,%llu\n", row->unit.n ? billed : "", row->unit.n ? metered : "",
                            STR_ARG(row->unit), (unsigned long long)s->attempts,
                            (unsigned long long)s->estimated_attempts, (unsigned long long)s->unpriced_attempts);
}

bool reconciliation_write_csv(struct buf *out, const struct reconcile_query *q, const struct reconcile *r)
{
    bool ok = true;
    for (unsigned i = 0; ok && i < q->group_count; i++) {
        struct str heading = str_c(reconcile_by_heading(q->groups[i]));
        ok = add_text(out, q->groups[i] == RECONCILE_BY_STATUS ? STR("Status of Cells") : heading);
        if (has_name(q->groups[i]))
            ok = ok && buf_printf(out, "%.*s Name,", STR_ARG(heading));
    }
    ok = ok && buf_add_str(out, STR("Status,Cause,Billed,Metered,Gap,Volume Gap,Rate Gap,Pricing Gap,Attributed,"
                                    "Unattributed,Estimated,Billed Quantity,Metered Quantity,Unit,Attempts,"
                                    "Estimated Attempts,Unpriced Attempts\n"));
    for (size_t i = 0; ok && i < r->row_count; i++)
        ok = add_row(out, q, &r->rows[i], false);
    return ok && add_row(out, q, &r->total, true);
}
