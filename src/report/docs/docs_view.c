/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is hidden stands in a temporary table of the connection, worked out anew for each viewer: grants are few, and a
 * result that is kept would have to follow every change of folders, reports and teams.
 */
#include "report/docs/docs_view.h"

#include "base/must.h"
#include "report/docs/docs_inner.h"

/*
 * ?1 the kind of grants, ?2 the viewer's teams as a JSON array. `verdict`: 1 allowed, 0 denied. Below it the
 * fields through which what is hidden hides something else.
 */
static const char hide_sql[] =
    "INSERT INTO temp.hidden (id) WITH RECURSIVE verdict (id, ok) AS ("
    " SELECT t.id, max(json_extract(g.body, '$.access') = 'allowed') FROM docs g"
    " JOIN links l ON l.source = g.id AND l.field = 'resource_token' JOIN docs t ON t.token = l.target"
    " WHERE g.kind = ?1 AND json_extract(g.body, '$.team_token') IN (SELECT value FROM json_each(?2)) GROUP BY t.id),"
    " gone (id) AS (SELECT id FROM verdict WHERE ok = 0 UNION"
    " SELECT l.source FROM gone JOIN docs t ON t.id = gone.id JOIN links l ON l.target = t.token"
    " AND l.field IN ('folder_token', 'parent_folder_token', 'parent_segment_token', 'cost_report_token',"
    " 'child_budget_tokens', 'resource_token')"
    " WHERE NOT EXISTS (SELECT 1 FROM verdict v WHERE v.id = l.source AND v.ok = 1))"
    " SELECT id FROM gone";

/* Those that are about several, when all of them are hidden. Budgets first: their alerts are about them. */
static const char hide_lists_sql[] =
    "INSERT OR IGNORE INTO temp.hidden (id) SELECT l.source FROM links l JOIN docs t ON t.token = l.target"
    " WHERE l.field IN ('report_tokens', 'budget_tokens') GROUP BY l.source"
    " HAVING sum(t.id NOT IN (SELECT id FROM temp.hidden)) = 0";

static enum err run(struct docs *d, const char *sql, struct str teams)
{
    struct store_stmt *st;
    enum err e = store_prepare(d->db, sql, &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    if (teams.n) {
        store_bind_i64(st, 1, DOCS_ACCESS_GRANT);
        store_bind_text(st, 2, teams);
    }
    e = store_run(st);
    store_clear(st);
    return e == ERR_OK ? e : docs_store_failed(d, e);
}

enum err docs_view_matters(struct docs *d, bool *ret)
{
    struct docs_query q = {.kind = DOCS_ACCESS_GRANT, .unseen = true};
    struct doc *rows;
    size_t count;
    uint64_t total = 0;
    struct arena *a = arena_new(1024, 4096);
    enum err e = docs_list(d, &q, a, &rows, &count, &total);
    arena_free(a);
    *ret = total > 0;
    return e;
}

static enum err hide(struct docs *d, const struct docs_viewer *v)
{
    struct json_write w;
    struct buf teams;
    buf_init(&teams, 1u << 20);
    json_write_init(&w, &teams);
    json_write_array(&w);
    for (size_t i = 0; i < v->team_count; i++)
        json_write_string(&w, v->teams[i]);
    json_write_array_end(&w);
    enum err e = json_write_done(&w) ? ERR_OK : DOCS_FAIL(d, ERR_LIMIT_REACHED, "you are in too many teams");
    if (e == ERR_OK)
        e = run(d, hide_sql, buf_str(&teams));
    if (e == ERR_OK)
        e = run(d, hide_lists_sql, STR(""));
    buf_free(&teams);
    return e;
}

enum err docs_view(struct docs *d, const struct docs_viewer *viewer)
{
    enum err e = run(d, "DELETE FROM temp.hidden", STR(""));
    d->hiding = viewer != NULL;
    if (e == ERR_OK && viewer)
        e = hide(d, viewer);
    if (e != ERR_OK)
        (void)run(d, "INSERT OR IGNORE INTO temp.hidden (id) SELECT id FROM main.docs", STR(""));
    return e;
}

bool docs_view_sees(struct docs *d, int64_t id)
{
    struct store_stmt *st;
    bool hidden = true;
    if (!d->hiding)
        return true;
    if (store_prepare(d->db, "SELECT 1 FROM temp.hidden WHERE id = ?1", &st) != ERR_OK)
        return false;
    store_bind_i64(st, 1, id);
    enum err e = store_step(st, &hidden);
    store_done(st);
    store_clear(st);
    return e == ERR_OK && !hidden;
}

bool docs_view_hides(struct docs *d, struct str token)
{
    struct store_stmt *st;
    bool row = true;
    if (!d->hiding)
        return false;
    if (store_prepare(d->db, "SELECT 1 FROM docs d JOIN temp.hidden h ON h.id = d.id WHERE d.token = ?1", &st) !=
        ERR_OK)
        return true;
    store_bind_text(st, 1, token);
    enum err e = store_step(st, &row);
    store_done(st);
    store_clear(st);
    return e != ERR_OK || row;
}

static enum err scrub(struct docs *d, struct str token, struct arena *a, struct str *body)
{
    struct jdoc parsed;
    struct json_write w;
    struct buf out;
    jdoc_init(&parsed);
    buf_init(&out, DOCS_BODY_MAX);
    json_write_init(&w, &out);
    bool ok = jdoc_parse(&parsed, *body);
    must(ok); /* ours */
    docs_scrub(&w, jdoc_root(&parsed), token);
    ok = json_write_done(&w) && (*body = arena_dup(a, buf_str(&out))).p;
    buf_free(&out);
    jdoc_free(&parsed);
    return ok ? ERR_OK : DOCS_FAIL(d, ERR_STORE_FAILED, "there is too much to answer at once; ask for fewer");
}

enum err docs_view_body(struct docs *d, const struct doc *doc, struct arena *a, struct str *ret)
{
    struct str tokens[DOCS_LINKS_MAX];
    struct store_stmt *st;
    size_t count = 0;
    bool row;
    *ret = doc->body;
    if (!d->hiding)
        return ERR_OK;
    enum err e = store_prepare(d->db,
                               "SELECT DISTINCT l.target FROM links l JOIN docs t ON t.token = l.target"
                               " JOIN temp.hidden h ON h.id = t.id WHERE l.source = ?1",
                               &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_i64(st, 1, doc->id);
    while ((e = store_step(st, &row)) == ERR_OK && row && count < DOCS_LINKS_MAX)
        tokens[count++] = arena_dup(a, store_text(st, 0));
    store_done(st);
    store_clear(st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    for (size_t i = 0; e == ERR_OK && i < count; i++)
        e = scrub(d, tokens[i], a, ret);
    return e;
}
