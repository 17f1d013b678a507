/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of reports.db and what is done with them. The body is the truth; links are its index: made anew
 * with every body, used to find who names a token.
 */
#include "report/docs/docs.h"

#include <errno.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "report/docs/docs_inner.h"
#include "report/docs/docs_view.h"

#define PATH_MAX_BYTES 4096
#define REMOVE_MAX 10000
#define VIRTUAL_TAGS_MAX 50

static const struct store_migration migrations[] = {
    {1, "resources and links",
     "CREATE TABLE docs (id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL,"
     " workspace INTEGER NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL, created_by TEXT NOT NULL,"
     " fixed INTEGER NOT NULL, created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL);"
     "CREATE INDEX docs_by_kind ON docs (kind, workspace, id);"
     "CREATE TABLE links (target TEXT NOT NULL, source INTEGER NOT NULL, field TEXT NOT NULL, dies INTEGER NOT NULL,"
     " PRIMARY KEY (target, source, field)) WITHOUT ROWID;"
     "CREATE INDEX links_by_source ON links (source);"},
    {2, "values of business metrics, exported files",
     "CREATE TABLE metric_values (metric INTEGER NOT NULL, day INTEGER NOT NULL, label TEXT NOT NULL,"
     " amount TEXT NOT NULL, forecast INTEGER NOT NULL, PRIMARY KEY (metric, forecast, day, label)) WITHOUT ROWID;"
     "CREATE TABLE exports (token TEXT PRIMARY KEY, workspace INTEGER NOT NULL, kind TEXT NOT NULL,"
     " attributes TEXT NOT NULL, secret TEXT NOT NULL, name TEXT NOT NULL, content BLOB NOT NULL,"
     " created_us INTEGER NOT NULL, until_us INTEGER NOT NULL);"},
    {3, "what alerts have found and said (report/watch)",
     "CREATE TABLE alert_fired (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key TEXT NOT NULL,"
     " workspace INTEGER NOT NULL, at_us INTEGER NOT NULL, open INTEGER NOT NULL, message TEXT NOT NULL,"
     " UNIQUE (kind, key));"
     "CREATE INDEX alert_fired_open ON alert_fired (id) WHERE open;"
     "CREATE TABLE alert_events (id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE,"
     " workspace INTEGER NOT NULL, alert TEXT NOT NULL, report TEXT NOT NULL, created_us INTEGER NOT NULL,"
     " triggered_us INTEGER NOT NULL, description TEXT NOT NULL, change TEXT NOT NULL, groupings TEXT NOT NULL);"
     "CREATE INDEX alert_events_by_alert ON alert_events (alert, id);"
     "CREATE TABLE anomalies (id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE,"
     " workspace INTEGER NOT NULL, report TEXT NOT NULL, provider TEXT NOT NULL, service TEXT NOT NULL,"
     " category TEXT NOT NULL, first_day INTEGER NOT NULL, last_day INTEGER NOT NULL, created_us INTEGER NOT NULL,"
     " alerted_us INTEGER NOT NULL, amount TEXT NOT NULL, previous TEXT NOT NULL, average TEXT NOT NULL,"
     " expected TEXT NOT NULL, status TEXT NOT NULL, feedback TEXT NOT NULL, resource TEXT NOT NULL,"
     " resource_name TEXT NOT NULL);"
     "CREATE UNIQUE INDEX anomalies_once ON anomalies (report, provider, service, category, first_day);"
     "CREATE INDEX anomalies_by_day ON anomalies (workspace, first_day);"
     "CREATE TABLE watch_marks (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"},
    {4, "lines that wait for the audit log",
     "CREATE TABLE changes (id INTEGER PRIMARY KEY AUTOINCREMENT, time_us INTEGER NOT NULL, source TEXT NOT NULL,"
     " key_id INTEGER NOT NULL, key TEXT NOT NULL, member_id INTEGER NOT NULL, name TEXT NOT NULL, ip TEXT NOT NULL,"
     " request_id TEXT NOT NULL, workspace INTEGER NOT NULL, action TEXT NOT NULL, type TEXT NOT NULL,"
     " object TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL);"},
};

#define COLUMNS "d.id, d.token, d.kind, d.workspace, d.title, d.body, d.created_by, d.fixed, d.created_us, d.updated_us"

enum err docs_store_failed(struct docs *d, enum err e)
{
    return DOCS_FAIL(d, e, "%s: %.300s", DOCS_FILE, store_reason(d->db));
}

enum err docs_open(const char *dir, struct docs **ret, char *why, size_t why_cap)
{
    char path[PATH_MAX_BYTES];
    struct docs *d = mem_zalloc(sizeof *d);
    int n = snprintf(path, sizeof path, "%s/%s", dir, DOCS_FILE);
    must(n > 0 && (size_t)n < sizeof path);
    enum err e = store_open(path, NULL, &d->db);
    if (e != ERR_OK)
        snprintf(why, why_cap, "%s cannot be opened: %s", path, store_open_reason());
    else if ((e = store_migrate(d->db, migrations, sizeof migrations / sizeof migrations[0])) != ERR_OK)
        snprintf(why, why_cap, "%s: %s", path, store_reason(d->db));
    else if ((e = store_exec(d->db, "CREATE TEMP TABLE hidden (id INTEGER PRIMARY KEY)")) != ERR_OK)
        snprintf(why, why_cap, "%s: %s", path, store_reason(d->db));
    if (e != ERR_OK) {
        docs_close(d);
        return e;
    }
    *ret = d;
    return ERR_OK;
}

void docs_close(struct docs *d)
{
    if (d)
        store_close(d->db);
    mem_free(d);
}

const char *docs_reason(const struct docs *d)
{
    return d->reason;
}

struct store_db *docs_db(struct docs *d)
{
    return d->db;
}

void docs_set_filter_check(struct docs *d, docs_filter_fn *fn, void *ctx)
{
    d->filter = fn;
    d->filter_ctx = ctx;
}

struct str docs_new_token(const char *prefix, struct arena *a)
{
    char text[DOCS_TOKEN_MAX];
    int n = snprintf(text, sizeof text, "%s%016llx", prefix, (unsigned long long)rng_u64());
    struct str token = arena_dup(a, str_of(text, (size_t)n));
    must(token.p); /* arenas here are of a request's size */
    return token;
}

/* ---- reading ---- */

static enum err read_row(struct docs *d, struct store_stmt *st, struct arena *a, struct doc *ret)
{
    *ret = (struct doc){.id = store_i64(st, 0),
                        .token = arena_dup(a, store_text(st, 1)),
                        .kind = (enum docs_kind)store_i64(st, 2),
                        .workspace = store_i64(st, 3),
                        .title = arena_dup(a, store_text(st, 4)),
                        .body = arena_dup(a, store_text(st, 5)),
                        .created_by = arena_dup(a, store_text(st, 6)),
                        .fixed = store_i64(st, 7) != 0,
                        .created_us = store_i64(st, 8),
                        .updated_us = store_i64(st, 9)};
    bool ok = ret->token.p && ret->title.p && ret->body.p && ret->created_by.p && ret->kind < DOCS_KIND_COUNT;
    return ok ? ERR_OK : DOCS_FAIL(d, ERR_STORE_FAILED, "there is too much to answer at once; ask for fewer");
}

enum err docs_lookup(struct docs *d, struct str token, struct arena *a, struct doc *ret)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(d->db, "SELECT " COLUMNS " FROM docs d WHERE d.token = ?1", &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_text(st, 1, token);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = docs_store_failed(d, e);
    else
        e = row ? read_row(d, st, a, ret) : ERR_NOT_FOUND;
    store_done(st);
    store_clear(st);
    return e;
}

static enum err find(struct docs *d, enum docs_kind kind, struct str token, bool unseen, struct arena *a,
                     struct doc *ret)
{
    enum err e = docs_lookup(d, token, a, ret);
    if (e == ERR_NOT_FOUND || (e == ERR_OK && (ret->kind != kind || !(unseen || docs_view_sees(d, ret->id)))))
        return DOCS_FAIL(d, ERR_NOT_FOUND, "There is no %s %.60s", docs_kind_info(kind)->text,
                         token.n < DOCS_TOKEN_MAX ? arena_dup(a, token).p : "of this token");
    return e;
}

enum err docs_find(struct docs *d, enum docs_kind kind, struct str token, struct arena *a, struct doc *ret)
{
    return find(d, kind, token, false, a, ret);
}

enum err docs_find_any(struct docs *d, enum docs_kind kind, struct str token, struct arena *a, struct doc *ret)
{
    return find(d, kind, token, true, a, ret);
}

/* "[1,2]" for json_each; NULL for all. */
static bool bind_query(const struct docs *d, struct store_stmt *st, const struct docs_query *q, struct buf *list)
{
    bool ok = true;
    for (size_t i = 0; ok && i < q->workspace_count; i++)
        ok = buf_printf(list, "%c%lld", i ? ',' : '[', (long long)q->workspaces[i]);
    ok = ok && buf_add_str(list, q->workspace_count ? STR("]") : STR("[]"));
    store_bind_i64(st, 1, q->kind);
    if (q->workspaces)
        store_bind_text(st, 2, buf_str(list));
    if (q->search.n)
        store_bind_text(st, 3, q->search);
    if (q->target.n)
        store_bind_text(st, 4, q->target);
    store_bind_i64(st, 7, q->unseen || !d->hiding);
    return ok;
}

#define MATCHES                                                                                   \
    " FROM docs d WHERE d.kind = ?1"                                                              \
    " AND (?2 IS NULL OR d.workspace = 0 OR d.workspace IN (SELECT value FROM json_each(?2)))"    \
    " AND (?3 IS NULL OR instr(lower(d.title), lower(?3)))"                                       \
    " AND (?4 IS NULL OR EXISTS (SELECT 1 FROM links l WHERE l.source = d.id AND l.target = ?4))" \
    " AND (?7 OR d.id NOT IN (SELECT id FROM temp.hidden))"

static enum err count_rows(struct docs *d, const struct docs_query *q, struct buf *list, uint64_t *ret)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(d->db, "SELECT count(*)" MATCHES, &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    if (!bind_query(d, st, q, list))
        e = ERR_STORE_FAILED;
    if (e == ERR_OK)
        e = store_step(st, &row);
    if (e == ERR_OK)
        *ret = (uint64_t)store_i64(st, 0);
    store_done(st);
    store_clear(st);
    return e == ERR_OK ? e : docs_store_failed(d, e);
}

static enum err read_rows(struct docs *d, const struct docs_query *q, struct buf *list, struct arena *a,
                          struct doc *rows, size_t *ret_count)
{
    struct store_stmt *st;
    bool row = false;
    enum err e = store_prepare(d->db, "SELECT " COLUMNS MATCHES " ORDER BY d.id LIMIT ?5 OFFSET ?6", &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    bool ok = bind_query(d, st, q, list);
    store_bind_i64(st, 5, (int64_t)q->limit);
    store_bind_i64(st, 6, (int64_t)q->skip);
    *ret_count = 0;
    while (ok && (e = store_step(st, &row)) == ERR_OK && row && e == ERR_OK)
        if ((e = read_row(d, st, a, &rows[*ret_count])) != ERR_OK)
            break;
        else
            ++*ret_count;
    bool failed = e != ERR_OK && !row;
    store_done(st);
    store_clear(st);
    return failed ? docs_store_failed(d, e) : e;
}

enum err docs_list(struct docs *d, const struct docs_query *q, struct arena *a, struct doc **ret, size_t *ret_count,
                   uint64_t *ret_total)
{
    struct buf list;
    buf_init(&list, 1u << 20);
    enum err e = count_rows(d, q, &list, ret_total);
    buf_reset(&list);
    *ret_count = 0;
    *ret = NULL;
    if (e == ERR_OK && q->limit && q->skip < *ret_total) {
        size_t most = *ret_total - q->skip < q->limit ? (size_t)(*ret_total - q->skip) : q->limit;
        struct docs_query all = *q;
        all.limit = most;
        *ret = arena_alloc(a, most * sizeof **ret);
        e = *ret ? read_rows(d, &all, &list, a, *ret, ret_count)
                 : DOCS_FAIL(d, ERR_STORE_FAILED, "there is too much to answer at once; ask for fewer");
    }
    buf_free(&list);
    return e;
}

static enum err users(struct docs *d, enum docs_kind kind, struct str token, bool unseen, struct arena *a,
                      struct str **ret, size_t *ret_count)
{
    struct doc *rows;
    uint64_t total;
    struct docs_query q = {.kind = kind, .target = token, .limit = DOCS_COUNT_MAX, .unseen = unseen};
    enum err e = docs_list(d, &q, a, &rows, ret_count, &total);
    if (e != ERR_OK)
        return e;
    *ret = arena_alloc(a, (*ret_count + 1) * sizeof **ret);
    if (!*ret)
        return DOCS_FAIL(d, ERR_STORE_FAILED, "there is too much to answer at once");
    for (size_t i = 0; i < *ret_count; i++)
        (*ret)[i] = rows[i].token;
    return ERR_OK;
}

enum err docs_users(struct docs *d, enum docs_kind kind, struct str token, struct arena *a, struct str **ret,
                    size_t *ret_count)
{
    return users(d, kind, token, false, a, ret, ret_count);
}

enum err docs_users_any(struct docs *d, enum docs_kind kind, struct str token, struct arena *a, struct str **ret,
                        size_t *ret_count)
{
    return users(d, kind, token, true, a, ret, ret_count);
}

/* ---- writing ---- */

static enum err write_links(struct docs *d, int64_t id, const struct docs_link *links, size_t count)
{
    struct store_stmt *st;
    enum err e = store_prepare(d->db, "DELETE FROM links WHERE source = ?1", &st);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, id);
        e = store_run(st);
    }
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        e = store_prepare(d->db, "INSERT OR REPLACE INTO links (target, source, field, dies) VALUES (?1, ?2, ?3, ?4)",
                          &st);
        if (e != ERR_OK)
            break;
        store_bind_text(st, 1, links[i].token);
        store_bind_i64(st, 2, id);
        store_bind_text(st, 3, str_c(links[i].field));
        store_bind_i64(st, 4, links[i].dies);
        e = store_run(st);
        store_clear(st);
    }
    return e == ERR_OK ? e : docs_store_failed(d, e);
}

static enum err insert(struct docs *d, struct doc *doc)
{
    struct store_stmt *st;
    enum err e = store_prepare(d->db,
                               "INSERT INTO docs (token, kind, workspace, title, body, created_by, fixed, created_us,"
                               " updated_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
                               &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_text(st, 1, doc->token);
    store_bind_i64(st, 2, doc->kind);
    store_bind_i64(st, 3, doc->workspace);
    store_bind_text(st, 4, doc->title);
    store_bind_text(st, 5, doc->body);
    store_bind_text(st, 6, doc->created_by);
    store_bind_i64(st, 7, doc->fixed);
    store_bind_i64(st, 8, doc->created_us);
    e = store_run(st);
    store_clear(st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    doc->id = store_last_id(d->db);
    /* What a workspace has from the beginning nobody has made. */
    bool made = !(doc->fixed && doc->kind == DOCS_COST_REPORT);
    return made ? docs_audit_note(d, doc, "create", STR(""), doc->body) : ERR_OK;
}

static enum err replace(struct docs *d, const struct doc *doc, struct str before)
{
    struct store_stmt *st;
    enum err e = store_prepare(d->db, "UPDATE docs SET title = ?2, body = ?3, updated_us = ?4 WHERE id = ?1", &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_i64(st, 1, doc->id);
    store_bind_text(st, 2, doc->title);
    store_bind_text(st, 3, doc->body);
    store_bind_i64(st, 4, doc->updated_us);
    e = store_run(st);
    store_clear(st);
    return e == ERR_OK ? docs_audit_note(d, doc, "update", before, doc->body) : docs_store_failed(d, e);
}

/* The body by what was given and what was there; checked. `before` may be absent. */
static enum err make_body(struct docs *d, struct doc *doc, struct jval given, struct jval before, struct arena *a,
                          struct docs_body *b)
{
    struct jdoc merged, parsed;
    struct buf out;
    struct str more;
    const struct docs_kind_info *info = docs_kind_info(doc->kind);
    *b = (struct docs_body){.docs = d, .arena = a, .workspace = doc->workspace};
    b->links = arena_alloc(a, DOCS_LINKS_MAX * sizeof *b->links);
    enum err e = docs_rules_given(d, doc->kind, !jdoc_has(before), a, given, &more);
    if (e != ERR_OK || !b->links)
        return e != ERR_OK ? e : DOCS_FAIL(d, ERR_STORE_FAILED, "there is no memory left for this request");
    jdoc_init(&merged);
    jdoc_init(&parsed);
    buf_init(&out, DOCS_BODY_MAX);
    json_write_init(&b->w, &out);
    if (more.n) {
        bool ok = jdoc_parse(&merged, more);
        must(ok);
    }
    if (!docs_body_write(b, &info->shape, more.n ? jdoc_root(&merged) : given, before))
        e = b->err;
    else if (!json_write_done(&b->w) || !(doc->body = arena_dup(a, buf_str(&out))).p || !jdoc_parse(&parsed, doc->body))
        e = DOCS_FAIL(d, ERR_BAD_PARAMETER, "the body is too long");
    if (e == ERR_OK)
        e = docs_rules_body(d, doc->kind, doc->token, jdoc_root(&parsed), a);
    if (e == ERR_OK)
        doc->title = info->title ? arena_dup(a, jdoc_text(jdoc_get(jdoc_root(&parsed), info->title), a)) : STR("");
    buf_free(&out);
    jdoc_free(&merged);
    jdoc_free(&parsed);
    return e;
}

enum err docs_finish(struct docs *d, enum err e)
{
    if (e == ERR_OK && (e = store_commit(d->db)) != ERR_OK)
        e = docs_store_failed(d, e);
    if (e != ERR_OK)
        store_rollback(d->db);
    else
        docs_audit_flush(d);
    return e;
}

static enum err check_room(struct docs *d, enum docs_kind kind, int64_t workspace, struct arena *a)
{
    struct doc *rows;
    size_t count;
    uint64_t total;
    struct docs_query q = {.kind = kind, .workspaces = &workspace, .workspace_count = 1, .unseen = true};
    unsigned most = kind == DOCS_VIRTUAL_TAG ? VIRTUAL_TAGS_MAX : DOCS_COUNT_MAX;
    enum err e = docs_list(d, &q, a, &rows, &count, &total);
    if (e == ERR_OK && total >= most)
        e = DOCS_FAIL(d, ERR_LIMIT_REACHED, "There may be at most %u of this kind; delete one first", most);
    return e;
}

enum err docs_create(struct docs *d, const struct docs_new *what, struct jval given, struct arena *a, struct doc *ret)
{
    struct docs_body b;
    struct doc doc = {.kind = what->kind, .workspace = what->workspace, .fixed = what->fixed};
    doc.created_by = what->created_by.n ? what->created_by : STR("");
    doc.token = what->token.n ? what->token : docs_new_token(docs_kind_info(what->kind)->prefix, a);
    doc.created_us = doc.updated_us = clock_wall_us();
    enum err e = store_begin(d->db);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    e = check_room(d, what->kind, what->workspace, a);
    if (e == ERR_OK)
        e = make_body(d, &doc, given, (struct jval){0}, a, &b);
    if (e == ERR_OK)
        e = insert(d, &doc);
    if (e == ERR_OK)
        e = write_links(d, doc.id, b.links, b.link_count);
    e = docs_finish(d, e);
    if (e == ERR_OK)
        *ret = doc;
    return e;
}

enum err docs_update(struct docs *d, const struct doc *before, struct jval given, struct arena *a, struct doc *ret)
{
    struct docs_body b;
    struct jdoc old;
    struct doc doc;
    enum err e = store_begin(d->db);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    jdoc_init(&old);
    e = docs_find_any(d, before->kind, before->token, a, &doc); /* as it is now */
    struct str was = doc.body;
    doc.updated_us = clock_wall_us();
    if (e == ERR_OK && !jdoc_parse(&old, was))
        e = DOCS_FAIL(d, ERR_CORRUPT, "the stored body is no JSON");
    if (e == ERR_OK)
        e = make_body(d, &doc, given, jdoc_root(&old), a, &b);
    if (e == ERR_OK)
        e = replace(d, &doc, was);
    if (e == ERR_OK)
        e = write_links(d, doc.id, b.links, b.link_count);
    jdoc_free(&old);
    e = docs_finish(d, e);
    if (e == ERR_OK)
        *ret = doc;
    return e;
}

/* ---- removing ---- */

static enum err run_on(struct docs *d, const char *sql, int64_t id, struct str token)
{
    struct store_stmt *st;
    enum err e = store_prepare_once(d->db, sql, &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    if (token.n)
        store_bind_text(st, 1, token);
    else
        store_bind_i64(st, 1, id);
    e = store_run(st);
    store_drop(st);
    return e == ERR_OK ? e : docs_store_failed(d, e);
}

/* The token goes from the body of what named it. */
static enum err scrub(struct docs *d, struct doc *doc, struct str token, struct arena *a)
{
    struct jdoc parsed;
    struct json_write w;
    struct buf out;
    enum err e = ERR_OK;
    jdoc_init(&parsed);
    buf_init(&out, DOCS_BODY_MAX);
    json_write_init(&w, &out);
    if (!jdoc_parse(&parsed, doc->body)) {
        e = DOCS_FAIL(d, ERR_CORRUPT, "the stored body is no JSON");
    } else {
        struct str was = doc->body;
        docs_scrub(&w, jdoc_root(&parsed), token);
        doc->body = json_write_done(&w) ? arena_dup(a, buf_str(&out)) : (struct str){0};
        doc->updated_us = clock_wall_us();
        e = doc->body.p ? replace(d, doc, was) : DOCS_FAIL(d, ERR_STORE_FAILED, "a resource is too long to be changed");
    }
    buf_free(&out);
    jdoc_free(&parsed);
    return e;
}

struct user {
    int64_t id;
    bool dies;
    struct str token;
};

static enum err users_of(struct docs *d, struct str token, struct arena *a, struct user **ret, size_t *ret_count)
{
    struct store_stmt *st;
    bool row;
    size_t cap = 0;
    *ret_count = 0;
    enum err e = store_prepare(d->db,
                               "SELECT l.source, max(l.dies), d.token, (SELECT count(*) FROM links WHERE target = ?1)"
                               " FROM links l JOIN docs d ON d.id = l.source WHERE l.target = ?1 GROUP BY l.source",
                               &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_text(st, 1, token);
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        if (!cap) {
            cap = (size_t)store_i64(st, 3);
            *ret = cap > REMOVE_MAX ? NULL : arena_alloc(a, cap * sizeof **ret);
        }
        struct str name = arena_dup(a, store_text(st, 2));
        if (!*ret || !name.p) {
            e = ERR_LIMIT_REACHED;
            break;
        }
        (*ret)[(*ret_count)++] = (struct user){store_i64(st, 0), store_i64(st, 1) != 0, name};
    }
    store_done(st);
    store_clear(st);
    if (e == ERR_LIMIT_REACHED)
        return DOCS_FAIL(d, e, "too many resources use this one");
    return e == ERR_OK ? e : docs_store_failed(d, e);
}

static enum err remove_with_users(struct docs *d, int64_t id, struct str token, struct arena *a, unsigned depth)
{
    struct user *list = NULL;
    struct doc gone;
    size_t count = 0;
    if (depth > DOCS_DEPTH_MAX + 2)
        return DOCS_FAIL(d, ERR_CORRUPT, "resources name each other in a circle");
    enum err e = docs_lookup(d, token, a, &gone);
    if (e != ERR_OK)
        return e == ERR_NOT_FOUND ? ERR_OK : e; /* it went with another one */
    e = users_of(d, token, a, &list, &count);
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        struct doc doc;
        if (list[i].dies) {
            e = remove_with_users(d, list[i].id, list[i].token, a, depth + 1);
        } else {
            e = docs_lookup(d, list[i].token, a, &doc);
            e = e == ERR_OK ? scrub(d, &doc, token, a) : e == ERR_NOT_FOUND ? ERR_OK : e;
        }
    }
    if (e == ERR_OK)
        e = docs_audit_note(d, &gone, "delete", gone.body, STR(""));
    if (e == ERR_OK)
        e = run_on(d, "DELETE FROM links WHERE target = ?1", 0, token);
    if (e == ERR_OK)
        e = run_on(d, "DELETE FROM links WHERE source = ?1", id, STR(""));
    if (e == ERR_OK)
        e = run_on(d, "DELETE FROM metric_values WHERE metric = ?1", id, STR(""));
    return e == ERR_OK ? run_on(d, "DELETE FROM docs WHERE id = ?1", id, STR("")) : e;
}

enum err docs_remove(struct docs *d, const struct doc *doc)
{
    if (doc->fixed)
        return DOCS_FAIL(d, ERR_CONFLICT, "%.*s belongs to the workspace and cannot be deleted", STR_ARG(doc->title));
    enum err e = store_begin(d->db);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    struct arena *a = arena_new(16384, 256u << 20);
    e = docs_finish(d, remove_with_users(d, doc->id, doc->token, a, 1));
    arena_free(a);
    return e;
}

/* ---- the report of everything ---- */

enum err docs_default_report(struct docs *d, int64_t workspace, struct arena *a, struct doc *ret)
{
    struct store_stmt *st;
    struct jdoc given;
    bool row;
    enum err e = store_prepare(
        d->db, "SELECT " COLUMNS " FROM docs d WHERE d.kind = ?1 AND d.workspace = ?2 AND d.fixed = 1", &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_i64(st, 1, DOCS_COST_REPORT);
    store_bind_i64(st, 2, workspace);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = docs_store_failed(d, e);
    else if (row)
        e = read_row(d, st, a, ret);
    store_done(st);
    store_clear(st);
    if (e != ERR_OK || row)
        return e;
    const struct docs_new what = {.kind = DOCS_COST_REPORT, .workspace = workspace, .fixed = true};
    jdoc_init(&given);
    bool ok = jdoc_parse(&given, STR("{\"title\":\"All Resources\"}"));
    must(ok);
    e = docs_create(d, &what, jdoc_root(&given), a, ret);
    jdoc_free(&given);
    return e;
}
