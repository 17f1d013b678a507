/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a metric's rows in their order and adds up neighbours: SQL would make a double of a sum. */
#include "report/docs/docs_values.h"

#include <string.h>

#include "base/money.h"
#include "report/bill/bill.h"
#include "report/bill/bill_decimal.h"
#include "report/docs/docs_inner.h"

#define PLACES 12
#define LABEL_MAX 500
#define LABELS_MAX 10000
#define VALUES_TOLD_MAX 120

static enum err put_one(struct docs *d, int64_t metric, bool forecast, const struct docs_value *v)
{
    struct store_stmt *st;
    char text[MONEY_TEXT_MAX];
    money_sum amount;
    bool exact;
    if (v->label.n > LABEL_MAX)
        return DOCS_FAIL(d, ERR_BAD_PARAMETER, "a label may have at most %d bytes", LABEL_MAX);
    if (v->amount.n && !bill_decimal_read(v->amount, PLACES, &amount, &exact))
        return DOCS_FAIL(d, ERR_BAD_PARAMETER, "%.*s is no amount", STR_ARG(str_head(v->amount, 40)));
    enum err e = store_prepare(
        d->db,
        v->amount.n
            ? "INSERT OR REPLACE INTO metric_values (metric, forecast, day, label, amount) VALUES (?1, ?2, ?3, ?4, ?5)"
            : "DELETE FROM metric_values WHERE metric = ?1 AND forecast = ?2 AND day = ?3 AND label = ?4",
        &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_i64(st, 1, metric);
    store_bind_i64(st, 2, forecast);
    store_bind_i64(st, 3, v->day);
    store_bind_text(st, 4, v->label);
    if (v->amount.n)
        store_bind_text(st, 5, str_of(text, money_format(amount, text)));
    e = store_run(st);
    store_clear(st);
    return e == ERR_OK ? e : docs_store_failed(d, e);
}

/* ---- the audit log: how many values there were and are, not which ---- */

static enum err count_values(struct docs *d, int64_t metric, int64_t *ret)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(d->db, "SELECT count(*) FROM metric_values WHERE metric = ?1", &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_i64(st, 1, metric);
    e = store_step(st, &row);
    if (e == ERR_OK)
        *ret = store_i64(st, 0);
    store_done(st);
    store_clear(st);
    return e == ERR_OK ? e : docs_store_failed(d, e);
}

static struct str told(char out[VALUES_TOLD_MAX], int64_t values, const char *what, uint64_t changed)
{
    int n = what ? snprintf(out, VALUES_TOLD_MAX, "{\"values\":%lld,\"%s\":%llu}", (long long)values, what,
                            (unsigned long long)changed)
                 : snprintf(out, VALUES_TOLD_MAX, "{\"values\":%lld}", (long long)values);
    return str_of(out, (size_t)n);
}

/* In the transaction of the change. */
static enum err note_values(struct docs *d, int64_t metric, int64_t before, const char *what, uint64_t changed)
{
    char was[VALUES_TOLD_MAX], is[VALUES_TOLD_MAX], token[DOCS_TOKEN_MAX];
    struct doc doc = {.id = metric, .kind = DOCS_BUSINESS_METRIC};
    struct store_stmt *st;
    int64_t after = 0;
    bool row = false;
    enum err e = count_values(d, metric, &after);
    if (e == ERR_OK)
        e = store_prepare(d->db, "SELECT token FROM docs WHERE id = ?1", &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_i64(st, 1, metric);
    e = store_step(st, &row);
    if (row)
        doc.token = str_of(token, str_head(store_text(st, 0), sizeof token).n);
    if (row)
        memcpy(token, store_text(st, 0).p, doc.token.n);
    store_done(st);
    store_clear(st);
    if (e != ERR_OK || !row)
        return e == ERR_OK ? e : docs_store_failed(d, e);
    return docs_audit_note(d, &doc, "update", told(was, before, NULL, 0), told(is, after, what, changed));
}

enum err docs_values_put(struct docs *d, int64_t metric, bool forecast, const struct docs_value *list, size_t count)
{
    if (!count)
        return ERR_OK;
    int64_t before = 0;
    enum err e = store_begin(d->db);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    e = count_values(d, metric, &before);
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        e = put_one(d, metric, forecast, &list[i]);
    if (e == ERR_OK)
        e = note_values(d, metric, before, "values_written", count);
    return docs_finish(d, e);
}

/* ---- reading ---- */

struct walk {
    const struct docs_value_query *q;
    struct arena *a;
    struct docs_value *rows;
    size_t count, cap;
    uint64_t passed;
    bool open; /* `now` holds a row that others may be added to */
    struct docs_value now;
    money_sum sum;
};

static bool is_wanted(const struct docs_value_query *q, struct str label)
{
    if (q->by_label && !str_eq(q->label, label))
        return false;
    for (size_t i = 0; i < q->label_count; i++)
        if (str_eq(q->labels[i], label))
            return true;
    return !q->label_count;
}

static bool flush(struct walk *w)
{
    char text[MONEY_TEXT_MAX];
    if (!w->open)
        return true;
    w->open = false;
    if (w->passed++ < w->q->skip || w->count == w->q->limit)
        return true;
    if (w->count == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 64;
        struct docs_value *more = arena_alloc(w->a, cap * sizeof *more);
        if (!more)
            return false;
        if (w->count)
            memcpy(more, w->rows, w->count * sizeof *more);
        w->rows = more;
        w->cap = cap;
    }
    w->now.amount = arena_dup(w->a, str_of(text, money_format(w->sum, text)));
    w->rows[w->count++] = w->now;
    return w->now.amount.p && w->now.label.p;
}

static bool add(struct walk *w, int64_t day, struct str label, struct str amount)
{
    money_sum one;
    bool exact;
    if (!is_wanted(w->q, label) || !bill_decimal_read(amount, PLACES, &one, &exact))
        return true;
    if (w->q->by_month)
        day = bill_month_day(bill_month_of(day));
    if (w->open && (w->now.day != day || !str_eq(w->now.label, label)) && !flush(w))
        return false;
    if (!w->open) {
        w->open = true;
        w->now = (struct docs_value){.day = day, .label = arena_dup(w->a, label)};
        w->sum = 0;
    }
    w->sum += one;
    return true;
}

/* With months, rows of one label stand together in each. */
#define ROWS                                                                                     \
    "SELECT day, label, amount, CASE ?5 WHEN 1 THEN strftime('%Y%m', day * 86400, 'unixepoch') " \
    " ELSE day END AS bin FROM metric_values WHERE metric = ?1 AND forecast = ?2 AND day >= ?3 AND day < ?4"

enum err docs_values_list(struct docs *d, const struct docs_value_query *q, struct arena *a, struct docs_value **ret,
                          size_t *ret_count)
{
    struct walk w = {.q = q, .a = a};
    struct store_stmt *st;
    bool row, room = true;
    enum err e = store_prepare(d->db, ROWS " ORDER BY bin DESC, label, day", &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_i64(st, 1, q->metric);
    store_bind_i64(st, 2, q->forecast);
    store_bind_i64(st, 3, q->from_day);
    store_bind_i64(st, 4, q->until_day);
    store_bind_i64(st, 5, q->by_month);
    while (room && (e = store_step(st, &row)) == ERR_OK && row)
        room = add(&w, store_i64(st, 0), store_text(st, 1), store_text(st, 2));
    store_done(st);
    store_clear(st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    if (!room || !flush(&w))
        return DOCS_FAIL(d, ERR_STORE_FAILED, "there is too much to answer at once; ask for fewer");
    *ret = w.rows;
    *ret_count = w.count;
    return ERR_OK;
}

enum err docs_values_delete(struct docs *d, const struct docs_value_query *q, uint64_t *ret_count)
{
    struct store_stmt *st;
    int64_t before = 0;
    enum err e = store_begin(d->db);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    e = count_values(d, q->metric, &before);
    if (e == ERR_OK)
        e = store_prepare(d->db,
                          "DELETE FROM metric_values WHERE metric = ?1 AND forecast = ?2 AND day >= ?3"
                          " AND day < ?4 AND (?5 IS NULL OR label = ?5)",
                          &st);
    if (e != ERR_OK)
        return docs_finish(d, e);
    store_bind_i64(st, 1, q->metric);
    store_bind_i64(st, 2, q->forecast);
    store_bind_i64(st, 3, q->from_day);
    store_bind_i64(st, 4, q->until_day);
    if (q->by_label)
        store_bind_text(st, 5, q->label);
    e = store_run(st);
    *ret_count = (uint64_t)store_changes(d->db);
    store_clear(st);
    if (e != ERR_OK)
        e = docs_store_failed(d, e);
    else if (*ret_count)
        e = note_values(d, q->metric, before, "values_deleted", *ret_count);
    return docs_finish(d, e);
}

enum err docs_values_labels(struct docs *d, int64_t metric, struct arena *a, struct str **ret, size_t *ret_count)
{
    struct store_stmt *st;
    bool row;
    *ret_count = 0;
    *ret = arena_alloc(a, LABELS_MAX * sizeof **ret);
    enum err e = store_prepare(
        d->db, "SELECT DISTINCT label FROM metric_values WHERE metric = ?1 AND label != '' ORDER BY label LIMIT ?2",
        &st);
    if (e != ERR_OK || !*ret)
        return e != ERR_OK ? docs_store_failed(d, e) : DOCS_FAIL(d, ERR_STORE_FAILED, "there is no memory left");
    store_bind_i64(st, 1, metric);
    store_bind_i64(st, 2, LABELS_MAX);
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        struct str label = arena_dup(a, store_text(st, 0));
        if (label.p)
            (*ret)[(*ret_count)++] = label;
    }
    store_done(st);
    store_clear(st);
    return e == ERR_OK ? e : docs_store_failed(d, e);
}
