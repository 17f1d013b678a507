/* SPDX-License-Identifier: Apache-2.0 */
/* SQL of the table alert_events; rows are written by watch_fire.c. */
#include "report/watch/watch_events.h"

#include "report/docs/docs_inner.h"
#include "report/docs/docs_view.h"

#define COLUMNS "token, alert, report, created_us, triggered_us, description, change, groupings"
#define MATCHES " FROM alert_events WHERE alert = ?1 AND (?2 IS NULL OR report = ?2) AND " DOCS_VIEW_SEES("report")

static bool read_row(struct store_stmt *st, struct arena *a, struct watch_events_row *ret)
{
    struct str *const texts[] = {&ret->token,       &ret->alert,  &ret->report,
                                 &ret->description, &ret->change, &ret->groupings};
    static const int columns[] = {0, 1, 2, 5, 6, 7};
    ret->created_us = store_i64(st, 3);
    ret->triggered_us = store_i64(st, 4);
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

static enum err begin(struct docs *d, const char *sql, struct str alert, struct str report, struct store_stmt **ret)
{
    enum err e = store_prepare(d->db, sql, ret);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_text(*ret, 1, alert);
    if (report.n)
        store_bind_text(*ret, 2, report);
    return ERR_OK;
}

static enum err end(struct docs *d, struct store_stmt *st, enum err e)
{
    store_done(st);
    store_clear(st);
    return e == ERR_OK ? e : docs_store_failed(d, e);
}

enum err watch_events_list(struct docs *d, struct str alert, struct str report, size_t skip, size_t limit,
                           struct arena *a, struct watch_events_row **ret, size_t *ret_count, uint64_t *ret_total)
{
    struct store_stmt *st;
    bool row = false, fits = true;
    *ret = NULL;
    *ret_count = 0;
    enum err e = begin(d, "SELECT count(*)" MATCHES, alert, report, &st);
    if (e != ERR_OK)
        return e;
    e = store_step(st, &row);
    *ret_total = e == ERR_OK && row ? (uint64_t)store_i64(st, 0) : 0;
    e = end(d, st, e);
    if (e != ERR_OK || !limit || skip >= *ret_total)
        return e;
    size_t most = *ret_total - skip < limit ? (size_t)(*ret_total - skip) : limit;
    *ret = arena_alloc(a, most * sizeof **ret);
    if (!*ret)
        return too_much(d);
    e = begin(d, "SELECT " COLUMNS MATCHES " ORDER BY id DESC LIMIT ?3 OFFSET ?4", alert, report, &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 3, (int64_t)most);
    store_bind_i64(st, 4, (int64_t)skip);
    while (fits && (e = store_step(st, &row)) == ERR_OK && row && *ret_count < most)
        fits = read_row(st, a, &(*ret)[(*ret_count)++]);
    e = end(d, st, e);
    return fits ? e : too_much(d);
}

enum err watch_events_find(struct docs *d, struct str alert, struct str token, struct arena *a,
                           struct watch_events_row *ret)
{
    struct store_stmt *st;
    bool row = false, fits = true;
    enum err e = begin(d, "SELECT " COLUMNS MATCHES " AND token = ?3", alert, STR(""), &st);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 3, token);
    e = store_step(st, &row);
    if (e == ERR_OK && row)
        fits = read_row(st, a, ret);
    e = end(d, st, e);
    if (e == ERR_OK && !row)
        e = DOCS_FAIL(d, ERR_NOT_FOUND, "There is no event %.*s of this alert",
                      STR_ARG(str_head(token, DOCS_TOKEN_MAX)));
    return fits ? e : too_much(d);
}
