/* SPDX-License-Identifier: Apache-2.0 */
/* Every new file takes along those whose day is over, and the oldest when there is too much of them. */
#include "report/docs/docs_exports.h"

#include "base/clock.h"
#include "base/must.h"
#include "base/rng.h"
#include "report/docs/docs_inner.h"

static enum err insert(struct docs *d, const struct docs_export *x)
{
    struct store_stmt *st;
    enum err e =
        store_prepare(d->db,
                      "INSERT INTO exports (token, workspace, kind, attributes, secret, name, content, created_us,"
                      " until_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                      &st);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, x->token);
    store_bind_i64(st, 2, x->workspace);
    store_bind_text(st, 3, x->kind);
    store_bind_text(st, 4, x->attributes);
    store_bind_text(st, 5, x->secret);
    store_bind_text(st, 6, x->name);
    store_bind_blob(st, 7, x->content);
    store_bind_i64(st, 8, x->created_us);
    store_bind_i64(st, 9, x->until_us);
    e = store_run(st);
    store_clear(st);
    return e;
}

static enum err sweep(struct docs *d, int64_t now_us)
{
    struct store_stmt *st;
    enum err e = store_prepare(d->db,
                               "DELETE FROM exports WHERE until_us < ?1 OR token IN (SELECT token FROM (SELECT token,"
                               " sum(length(content)) OVER (ORDER BY created_us DESC, token) AS held FROM exports)"
                               " WHERE held > ?2)",
                               &st);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, now_us);
    store_bind_i64(st, 2, DOCS_EXPORTS_BYTES_MAX);
    return store_run(st);
}

enum err docs_exports_put(struct docs *d, struct docs_export *x, struct arena *a)
{
    char secret[40];
    int n =
        snprintf(secret, sizeof secret, "%016llx%016llx", (unsigned long long)rng_u64(), (unsigned long long)rng_u64());
    x->token = docs_new_token("dta_xprt_", a);
    x->secret = arena_dup(a, str_of(secret, (size_t)n));
    must(x->secret.p);
    x->created_us = clock_wall_us();
    x->until_us = x->created_us + DOCS_EXPORT_KEPT_US;
    enum err e = store_begin(d->db);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    e = insert(d, x);
    if (e == ERR_OK)
        e = sweep(d, x->created_us);
    if (e == ERR_OK)
        e = store_commit(d->db);
    if (e != ERR_OK) {
        e = docs_store_failed(d, e);
        store_rollback(d->db);
    }
    return e;
}

enum err docs_exports_find(struct docs *d, struct str token, bool whole, struct arena *a, struct docs_export *ret)
{
    struct store_stmt *st;
    bool row;
    enum err e =
        store_prepare(d->db,
                      "SELECT workspace, kind, attributes, secret, name, CASE ?2 WHEN 1 THEN content ELSE '' END,"
                      " created_us, until_us FROM exports WHERE token = ?1 AND until_us >= ?3",
                      &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_text(st, 1, token);
    store_bind_i64(st, 2, whole);
    store_bind_i64(st, 3, clock_wall_us());
    e = store_step(st, &row);
    if (e != ERR_OK) {
        e = docs_store_failed(d, e);
    } else if (!row) {
        e = DOCS_FAIL(d, ERR_NOT_FOUND, "There is no such export; exports are kept for a day");
    } else {
        *ret = (struct docs_export){.token = token,
                                    .workspace = store_i64(st, 0),
                                    .kind = arena_dup(a, store_text(st, 1)),
                                    .attributes = arena_dup(a, store_text(st, 2)),
                                    .secret = arena_dup(a, store_text(st, 3)),
                                    .name = arena_dup(a, store_text(st, 4)),
                                    .content = arena_dup(a, store_text(st, 5)),
                                    .created_us = store_i64(st, 6),
                                    .until_us = store_i64(st, 7)};
        if (!ret->attributes.p || !ret->content.p || !ret->name.p || !ret->secret.p)
            e = DOCS_FAIL(d, ERR_STORE_FAILED, "the export is too large to be read at once");
    }
    store_done(st);
    store_clear(st);
    return e;
}
