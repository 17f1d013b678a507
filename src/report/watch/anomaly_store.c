/* SPDX-License-Identifier: Apache-2.0 */
/* SQL of the table anomalies. */
#include "report/watch/anomaly_store.h"

#include "base/buf.h"
#include "report/docs/docs_inner.h"
#include "report/docs/docs_view.h"

#define COLUMNS                                                                                               \
    "id, token, workspace, report, provider, service, category, first_day, last_day, created_us, alerted_us," \
    " amount, previous, average, expected, status, feedback, resource, resource_name"

static bool read_row(struct store_stmt *st, struct arena *a, struct anomaly *ret)
{
    struct str *const texts[] = {&ret->token,    &ret->report,   &ret->provider,     &ret->service,  &ret->category,
                                 &ret->amount,   &ret->previous, &ret->average,      &ret->expected, &ret->status,
                                 &ret->feedback, &ret->resource, &ret->resource_name};
    static const int columns[] = {1, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16, 17, 18};
    *ret = (struct anomaly){.id = store_i64(st, 0),
                            .workspace = store_i64(st, 2),
                            .first_day = store_i64(st, 7),
                            .last_day = store_i64(st, 8),
                            .created_us = store_i64(st, 9),
                            .alerted_us = store_i64(st, 10)};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = arena_dup(a, store_text(st, columns[i]));
        if (!texts[i]->p)
            return false;
    }
    return true;
}

static enum err too_much(struct docs *d)
{
    return DOCS_FAIL(d, ERR_STORE_FAILED, "there is too much to answer at once; ask for fewer");
}

/* ---- reading ---- */

#define MATCHES                                                                                                   \
    " FROM anomalies WHERE (?1 IS NULL OR workspace IN (SELECT value FROM json_each(?1)))"                        \
    " AND (?2 IS NULL OR provider = ?2) AND (?3 IS NULL OR service = ?3) AND (?4 IS NULL OR category = ?4)"       \
    " AND (?5 IS NULL OR report = ?5) AND (?6 = 0 OR first_day >= ?6) AND (?7 = 0 OR first_day < ?7) AND id > ?8" \
    " AND " DOCS_VIEW_SEES("report")

static bool bind(struct store_stmt *st, const struct anomaly_query *q, struct buf *list)
{
    const struct str texts[] = {q->provider, q->service, q->category, q->report};
    bool ok = true;
    for (size_t i = 0; ok && i < q->workspace_count; i++)
        ok = buf_printf(list, "%c%lld", i ? ',' : '[', (long long)q->workspaces[i]);
    ok = ok && buf_add_str(list, q->workspace_count ? STR("]") : STR("[]"));
    if (q->workspaces)
        store_bind_text(st, 1, buf_str(list));
    for (int i = 0; i < 4; i++)
        if (texts[i].n)
            store_bind_text(st, 2 + i, texts[i]);
    store_bind_i64(st, 6, q->from_day);
    store_bind_i64(st, 7, q->until_day);
    store_bind_i64(st, 8, q->after_id);
    return ok;
}

static enum err count_rows(struct docs *d, const struct anomaly_query *q, struct buf *list, uint64_t *ret)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(d->db, "SELECT count(*)" MATCHES, &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    e = bind(st, q, list) ? store_step(st, &row) : ERR_STORE_FAILED;
    if (e == ERR_OK)
        *ret = (uint64_t)store_i64(st, 0);
    store_done(st);
    store_clear(st);
    return e == ERR_OK ? e : docs_store_failed(d, e);
}

static enum err read_rows(struct docs *d, const struct anomaly_query *q, struct buf *list, struct arena *a,
                          struct anomaly *rows, size_t most, size_t *ret_count)
{
    struct store_stmt *st;
    bool row = false, fits = true;
    enum err e =
        store_prepare(d->db,
                      q->after_id ? "SELECT " COLUMNS MATCHES " ORDER BY id LIMIT ?9 OFFSET ?10"
                                  : "SELECT " COLUMNS MATCHES " ORDER BY first_day DESC, id DESC LIMIT ?9 OFFSET ?10",
                      &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    fits = bind(st, q, list);
    store_bind_i64(st, 9, (int64_t)most);
    store_bind_i64(st, 10, (int64_t)q->skip);
    while (fits && (e = store_step(st, &row)) == ERR_OK && row && *ret_count < most)
        fits = read_row(st, a, &rows[(*ret_count)++]);
    store_done(st);
    store_clear(st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    return fits ? e : too_much(d);
}

enum err anomaly_list(struct docs *d, const struct anomaly_query *q, struct arena *a, struct anomaly **ret,
                      size_t *ret_count, uint64_t *ret_total)
{
    struct buf list;
    *ret = NULL;
    *ret_count = 0;
    buf_init(&list, 1u << 20);
    enum err e = count_rows(d, q, &list, ret_total);
    buf_reset(&list);
    if (e == ERR_OK && q->limit && q->skip < *ret_total) {
        size_t most = *ret_total - q->skip < q->limit ? (size_t)(*ret_total - q->skip) : q->limit;
        *ret = arena_alloc(a, most * sizeof **ret);
        e = *ret ? read_rows(d, q, &list, a, *ret, most, ret_count) : too_much(d);
    }
    buf_free(&list);
    return e;
}

enum err anomaly_find(struct docs *d, struct str token, struct arena *a, struct anomaly *ret)
{
    struct store_stmt *st;
    bool row = false;
    enum err e = store_prepare(d->db, "SELECT " COLUMNS " FROM anomalies WHERE token = ?1", &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_text(st, 1, token);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = docs_store_failed(d, e);
    else if (!row)
        e = DOCS_FAIL(d, ERR_NOT_FOUND, "There is no anomaly alert %.*s", STR_ARG(str_head(token, DOCS_TOKEN_MAX)));
    else
        e = read_row(st, a, ret) ? ERR_OK : too_much(d);
    store_done(st);
    store_clear(st);
    return e;
}

enum err anomaly_near(struct docs *d, const struct anomaly *like, int64_t day, struct arena *a, struct anomaly *ret)
{
    struct store_stmt *st;
    bool row = false;
    enum err e = store_prepare(d->db,
                               "SELECT " COLUMNS " FROM anomalies WHERE report = ?1 AND provider = ?2 AND service = ?3"
                               " AND category = ?4 AND first_day <= ?5 + 1 AND last_day >= ?5 - 1"
                               " ORDER BY first_day DESC LIMIT 1",
                               &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_text(st, 1, like->report);
    store_bind_text(st, 2, like->provider);
    store_bind_text(st, 3, like->service);
    store_bind_text(st, 4, like->category);
    store_bind_i64(st, 5, day);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = docs_store_failed(d, e);
    else if (!row)
        e = ERR_NOT_FOUND;
    else
        e = read_row(st, a, ret) ? ERR_OK : too_much(d);
    store_done(st);
    store_clear(st);
    return e;
}

/* ---- writing ---- */

static enum err finish(struct docs *d, struct store_stmt *st, enum err e)
{
    store_clear(st);
    return e == ERR_OK ? e : docs_store_failed(d, e);
}

enum err anomaly_update(struct docs *d, struct str token, struct str status, struct str feedback)
{
    struct store_stmt *st;
    enum err e = store_prepare(
        d->db, "UPDATE anomalies SET status = ?2, feedback = coalesce(?3, feedback) WHERE token = ?1", &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_text(st, 1, token);
    store_bind_text(st, 2, status);
    if (feedback.n)
        store_bind_text(st, 3, feedback);
    return finish(d, st, store_run(st));
}

enum err anomaly_insert(struct docs *d, const struct anomaly *a)
{
    const struct str texts[] = {a->token,    a->report,  a->provider, a->service, a->category, a->amount,
                                a->previous, a->average, a->expected, a->status,  a->resource, a->resource_name};
    struct store_stmt *st;
    enum err e = store_prepare(
        d->db,
        "INSERT OR IGNORE INTO anomalies (token, report, provider, service, category, amount, previous, average,"
        " expected, status, resource, resource_name, workspace, first_day, last_day, created_us, alerted_us,"
        " feedback) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, '')",
        &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    for (int i = 0; i < 12; i++)
        store_bind_text(st, i + 1, texts[i]);
    store_bind_i64(st, 13, a->workspace);
    store_bind_i64(st, 14, a->first_day);
    store_bind_i64(st, 15, a->last_day);
    store_bind_i64(st, 16, a->created_us);
    store_bind_i64(st, 17, a->alerted_us);
    return finish(d, st, store_run(st));
}

enum err anomaly_renew(struct docs *d, const struct anomaly *a)
{
    struct store_stmt *st;
    enum err e = store_prepare(d->db,
                               "UPDATE anomalies SET last_day = ?2, amount = ?3, previous = ?4, average = ?5,"
                               " expected = ?6 WHERE id = ?1",
                               &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_i64(st, 1, a->id);
    store_bind_i64(st, 2, a->last_day);
    store_bind_text(st, 3, a->amount);
    store_bind_text(st, 4, a->previous);
    store_bind_text(st, 5, a->average);
    store_bind_text(st, 6, a->expected);
    return finish(d, st, store_run(st));
}

enum err anomaly_archive(struct docs *d, int64_t before_us)
{
    struct store_stmt *st;
    enum err e = store_prepare(
        d->db, "UPDATE anomalies SET status = 'archived' WHERE status = 'active' AND created_us < ?1", &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_i64(st, 1, before_us);
    return finish(d, st, store_run(st));
}
