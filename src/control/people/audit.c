/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log in control.db. A note costs one read of audit_head, one insert and one update, all in
 * the change's transaction. What is hashed is what is stored: verification hashes the row as read.
 */
#include "control/people/audit.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/must.h"
#include "control/control_inner.h"
#include "control/people/actor.h"

#define PREFIX "tollgate audit 1\n"
/* Names of people and keys are shorter; what comes from outside is cut. */
#define TEXT_MAX 256
/* Rows in which a change is looked for before it is noted a second time. */
#define NEWEST 1000

#define COLUMNS                                                                                  \
    "seq, time_us, source, key_id, key, member_id, name, ip, request_id, workspace_id, action, " \
    "object_type, object_id, before, after, previous, hash"

/* ---- the hash ---- */

static void hash_i64(EVP_MD_CTX *ctx, int64_t v)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)v >> (56 - 8 * i));
    must(EVP_DigestUpdate(ctx, bytes, sizeof bytes) == 1);
}

static void hash_text(EVP_MD_CTX *ctx, struct str text)
{
    hash_i64(ctx, (int64_t)text.n);
    must(EVP_DigestUpdate(ctx, text.p, text.n) == 1);
}

static void hash_row(const struct audit_row *r, unsigned char out[AUDIT_HASH_BYTES])
{
    unsigned n = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    must(ctx != NULL);
    must(EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1);
    must(EVP_DigestUpdate(ctx, PREFIX, sizeof PREFIX - 1) == 1);
    hash_i64(ctx, r->seq);
    hash_i64(ctx, r->time_us);
    hash_text(ctx, r->source);
    hash_i64(ctx, r->key_id);
    hash_text(ctx, r->key);
    hash_i64(ctx, r->member_id);
    hash_text(ctx, r->name);
    hash_text(ctx, r->ip);
    hash_text(ctx, r->request_id);
    hash_i64(ctx, r->workspace_id);
    hash_text(ctx, r->action);
    hash_text(ctx, r->object_type);
    hash_text(ctx, r->object_id);
    hash_text(ctx, r->before);
    hash_text(ctx, r->after);
    must(EVP_DigestUpdate(ctx, r->previous, AUDIT_HASH_BYTES) == 1);
    must(EVP_DigestFinal_ex(ctx, out, &n) == 1);
    must(n == AUDIT_HASH_BYTES);
    EVP_MD_CTX_free(ctx);
}

/* ---- noting ---- */

static enum err read_head(struct control *c, int64_t *ret_seq, unsigned char hash[AUDIT_HASH_BYTES],
                          struct control_why *why)
{
    struct store_stmt *st;
    bool row;
    enum err e = control_inner_sql(c, "SELECT seq, hash FROM audit_head WHERE id = 1", &st, why);
    if (e != ERR_OK)
        return e;
    e = store_step(st, &row);
    if (e != ERR_OK) {
        e = control_inner_store_failed(c, e, why);
    } else if (!row || store_text(st, 1).n != AUDIT_HASH_BYTES) {
        e = control_inner_fail(why, ERR_CORRUPT, "",
                               "control.db: the head of the audit log is damaged; 'tollgate audit verify' says more.");
    } else {
        *ret_seq = store_i64(st, 0);
        memcpy(hash, store_text(st, 1).p, AUDIT_HASH_BYTES);
    }
    store_done(st);
    return e;
}

static struct str hash_str(const unsigned char hash[AUDIT_HASH_BYTES])
{
    return str_of((const char *)hash, AUDIT_HASH_BYTES);
}

static enum err insert_row(struct control *c, const struct audit_row *r, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c,
                                   "INSERT INTO audit(" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
                                   "?11, ?12, ?13, ?14, ?15, ?16, ?17)",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, r->seq);
    store_bind_i64(st, 2, r->time_us);
    store_bind_text(st, 3, r->source);
    store_bind_i64(st, 4, r->key_id);
    store_bind_text(st, 5, r->key);
    store_bind_i64(st, 6, r->member_id);
    store_bind_text(st, 7, r->name);
    store_bind_text(st, 8, r->ip);
    store_bind_text(st, 9, r->request_id);
    store_bind_i64(st, 10, r->workspace_id);
    store_bind_text(st, 11, r->action);
    store_bind_text(st, 12, r->object_type);
    store_bind_text(st, 13, r->object_id);
    store_bind_text(st, 14, r->before);
    store_bind_text(st, 15, r->after);
    store_bind_blob(st, 16, hash_str(r->previous));
    store_bind_blob(st, 17, hash_str(r->hash));
    return control_inner_run(c, st, why);
}

static enum err write_head(struct control *c, const struct audit_row *r, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c, "UPDATE audit_head SET seq = ?1, hash = ?2 WHERE id = 1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, r->seq);
    store_bind_blob(st, 2, hash_str(r->hash));
    return control_inner_run(c, st, why);
}

/* Never NULL, so that an empty text and none are the same. */
static struct str given(struct str text, size_t max)
{
    return text.p ? str_head(text, max) : STR("");
}

static enum err note_by(struct control *c, const struct actor *actor, const struct audit_change *change,
                        struct control_why *why)
{
    struct audit_row r = {
        .time_us = change->time_us ? change->time_us : clock_wall_us(),
        .source = given(actor->source, TEXT_MAX),
        .key_id = actor->key_id,
        .key = given(actor->key, TEXT_MAX),
        .member_id = actor->member_id,
        .name = given(actor->name, TEXT_MAX),
        .ip = given(actor->ip, TEXT_MAX),
        .request_id = given(actor->request_id, TEXT_MAX),
        .workspace_id = change->workspace_id,
        .action = str_c(change->action),
        .object_type = str_c(change->object_type),
        .object_id = given(change->object_id, TEXT_MAX),
        .before = given(change->before, AUDIT_JSON_MAX),
        .after = given(change->after, AUDIT_JSON_MAX),
    };
    must(change->before.n <= AUDIT_JSON_MAX && change->after.n <= AUDIT_JSON_MAX);
    enum err e = read_head(c, &r.seq, r.previous, why);
    if (e != ERR_OK)
        return e;
    r.seq++;
    hash_row(&r, r.hash);
    e = insert_row(c, &r, why);
    return e == ERR_OK ? write_head(c, &r, why) : e;
}

enum err audit_note(struct control *c, const struct audit_change *change, struct control_why *why)
{
    return note_by(c, actor_get(), change, why);
}

/* Whether the change is among the newest rows. */
static enum err is_noted(struct control *c, const struct audit_change *change, bool *ret, struct control_why *why)
{
    struct store_stmt *st;
    int64_t there = 0;
    enum err e = control_inner_sql(c,
                                   "SELECT 1 FROM audit WHERE seq > (SELECT seq FROM audit_head WHERE id = 1) - ?1 "
                                   "AND time_us = ?2 AND action = ?3 AND object_id = ?4",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, NEWEST);
    store_bind_i64(st, 2, change->time_us);
    store_bind_text(st, 3, str_c(change->action));
    store_bind_text(st, 4, change->object_id);
    e = control_inner_number(c, st, 0, &there, why);
    *ret = there != 0;
    return e;
}

enum err audit_note_elsewhere(struct control *c, const struct audit_elsewhere *list, size_t count,
                              struct control_why *why)
{
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        bool noted = false;
        e = is_noted(c, &list[i].change, &noted, why);
        if (e == ERR_OK && !noted)
            e = note_by(c, &list[i].actor, &list[i].change, why);
    }
    return control_inner_end_quiet(c, e, why);
}

void audit_text_begin(struct audit_text *t)
{
    buf_init(&t->buf, AUDIT_JSON_MAX);
    json_write_init(&t->w, &t->buf);
    json_write_object(&t->w);
}

struct str audit_text_end(struct audit_text *t)
{
    json_write_object_end(&t->w);
    return json_write_done(&t->w) ? buf_str(&t->buf) : STR("{\"too_long\":true}");
}

void audit_text_free(struct audit_text *t)
{
    buf_free(&t->buf);
}

enum err audit_note_objects(struct control *c, const struct audit_change *change, audit_describe_fn *describe,
                            const void *before, const void *after, struct control_why *why)
{
    struct audit_change full = *change;
    struct audit_text old, new;
    audit_text_begin(&old);
    audit_text_begin(&new);
    if (before) {
        describe(&old.w, before);
        full.before = audit_text_end(&old);
    }
    if (after) {
        describe(&new.w, after);
        full.after = audit_text_end(&new);
    }
    enum err e = audit_note(c, &full, why);
    audit_text_free(&old);
    audit_text_free(&new);
    return e;
}

/* ---- reading ---- */

/* Views into the statement's row. False when a hash has not its length. */
static bool view_row(struct store_stmt *st, struct audit_row *r)
{
    *r = (struct audit_row){
        .seq = store_i64(st, 0),
        .time_us = store_i64(st, 1),
        .source = store_text(st, 2),
        .key_id = store_i64(st, 3),
        .key = store_text(st, 4),
        .member_id = store_i64(st, 5),
        .name = store_text(st, 6),
        .ip = store_text(st, 7),
        .request_id = store_text(st, 8),
        .workspace_id = store_i64(st, 9),
        .action = store_text(st, 10),
        .object_type = store_text(st, 11),
        .object_id = store_text(st, 12),
        .before = store_text(st, 13),
        .after = store_text(st, 14),
    };
    struct str previous = store_text(st, 15), hash = store_text(st, 16);
    if (previous.n != AUDIT_HASH_BYTES || hash.n != AUDIT_HASH_BYTES)
        return false;
    memcpy(r->previous, previous.p, AUDIT_HASH_BYTES);
    memcpy(r->hash, hash.p, AUDIT_HASH_BYTES);
    return true;
}

static bool keep(struct arena *a, struct audit_row *r)
{
    struct str *const texts[] = {&r->source, &r->key,         &r->name,      &r->ip,     &r->request_id,
                                 &r->action, &r->object_type, &r->object_id, &r->before, &r->after};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = arena_dup(a, *texts[i]);
        if (!texts[i]->p)
            return false;
    }
    return true;
}

/* What the object was called after the change, or before its end. */
#define OBJECT "CASE after WHEN '' THEN before ELSE after END"
#define TITLE                                                                                                  \
    "CASE WHEN json_valid(" OBJECT ") THEN coalesce(json_extract(" OBJECT ", '$.title'), json_extract(" OBJECT \
    ", '$.name'), json_extract(" OBJECT ", '$.key'), '') ELSE '' END"

#define WHERE                                                                                                   \
    "WHERE (?1 = 0 OR workspace_id = ?2) AND (?3 = 0 OR time_us >= ?3) AND (?4 = 0 OR time_us < ?4) AND "       \
    "(?5 = 0 OR member_id = ?5) AND (?6 IS NULL OR substr(action, 1, length(?6)) = ?6) AND "                    \
    "(?6 IS NULL OR substr(?6, -1) = '.' OR action = ?6) AND (?7 IS NULL OR object_id = ?7) "                   \
    "AND (?11 IS NULL OR substr(action, instr(action, '.') + 1) = ?11) AND (?12 IS NULL OR object_type = ?12) " \
    "AND (?13 IS NULL OR instr(lower(" TITLE "), lower(?13))) AND (?14 = 0 OR key_id = ?14) "                   \
    "AND (?15 = 0 OR seq = ?15) AND (?17 = 0 OR (source = 'console') = (?17 > 0)) AND (?16 IS NULL OR workspace_id IN (SELECT value FROM json_each(?16))) "

/* "[1,2]" */
static bool write_list(struct buf *out, const struct audit_filter *f)
{
    bool ok = buf_add_byte(out, '[');
    for (size_t i = 0; ok && i < f->workspace_count; i++)
        ok = buf_printf(out, "%s%lld", i ? "," : "", (long long)f->workspaces[i]);
    return ok && buf_add_byte(out, ']');
}

static void bind_filter(struct store_stmt *st, const struct audit_filter *f, const struct buf *places)
{
    store_bind_i64(st, 1, f->one_workspace);
    store_bind_i64(st, 2, f->workspace_id);
    store_bind_i64(st, 3, f->from_us);
    store_bind_i64(st, 4, f->to_us);
    store_bind_i64(st, 5, f->member_id);
    if (f->action.p)
        store_bind_text(st, 6, f->action);
    if (f->object_id.p)
        store_bind_text(st, 7, f->object_id);
    if (f->verb.p)
        store_bind_text(st, 11, f->verb);
    if (f->object_type.p)
        store_bind_text(st, 12, f->object_type);
    if (f->title.p)
        store_bind_text(st, 13, f->title);
    store_bind_i64(st, 14, f->key_id);
    store_bind_i64(st, 15, f->seq);
    store_bind_i64(st, 17, f->by_people);
    if (f->workspaces)
        store_bind_text(st, 16, buf_str(places));
}

static enum err list(struct control *c, const struct audit_filter *f, const struct buf *places, struct arena *a,
                     struct audit_row *rows, size_t cap, size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    size_t n = 0;
    enum err e = control_inner_sql(
        c, "SELECT " COLUMNS " FROM audit " WHERE "AND (?8 = 0 OR seq < ?8) ORDER BY seq DESC LIMIT ?9 OFFSET ?10", &st,
        why);
    if (e != ERR_OK)
        return e;
    bind_filter(st, f, places);
    store_bind_i64(st, 8, f->before_seq);
    store_bind_i64(st, 9, (int64_t)cap);
    store_bind_i64(st, 10, (int64_t)f->skip);
    while (e == ERR_OK && row && n < cap) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row && !view_row(st, &rows[n]))
            e = control_inner_fail(why, ERR_CORRUPT, "", "control.db: row %lld of audit is damaged.",
                                   (long long)rows[n].seq);
        else if (row && !keep(a, &rows[n++]))
            e = control_inner_arena_full(why);
    }
    store_done(st);
    store_clear(st);
    *ret_count = n;
    return e;
}

enum err audit_list(struct control *c, const struct audit_filter *filter, size_t limit, struct arena *a,
                    struct audit_row **ret_rows, size_t *ret_count, uint64_t *ret_total, struct control_why *why)
{
    struct store_stmt *st;
    int64_t total = 0;
    size_t cap = limit < AUDIT_ROWS_MAX ? limit : AUDIT_ROWS_MAX, count = 0;
    struct audit_row *rows = arena_alloc(a, (cap + 1) * sizeof *rows);
    struct buf places;
    buf_init(&places, 1u << 20);
    enum err e = rows && write_list(&places, filter) ? control_inner_begin_read(c, why) : control_inner_arena_full(why);
    if (e != ERR_OK) {
        buf_free(&places);
        return e;
    }
    e = control_inner_sql(c, "SELECT count(*) FROM audit " WHERE, &st, why);
    if (e == ERR_OK) {
        bind_filter(st, filter, &places);
        e = control_inner_number(c, st, 0, &total, why);
    }
    if (e == ERR_OK)
        e = list(c, filter, &places, a, rows, cap, &count, why);
    control_inner_end_read(c);
    buf_free(&places);
    if (e != ERR_OK)
        return e;
    *ret_rows = rows;
    *ret_count = count;
    *ret_total = (uint64_t)total;
    return ERR_OK;
}

/* ---- checking ---- */

struct check {
    const struct audit_verify *to;
    struct audit_result result;
    int64_t expect_seq;
    const unsigned char *expect;
    bool met; /* the expected row was seen */
};

static void find(struct check *k, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void find(struct check *k, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    k->result.findings++;
    if (k->to && k->to->finding)
        k->to->finding(k->to->ctx, str_c(text));
}

static void check_row(struct check *k, struct store_stmt *st)
{
    struct audit_row r;
    unsigned char hash[AUDIT_HASH_BYTES];
    struct audit_result *v = &k->result;
    bool whole = view_row(st, &r);
    if (r.seq != v->seq + 1)
        find(k, "row %lld comes after row %lld: rows between them are missing.", (long long)r.seq, (long long)v->seq);
    hash_row(&r, hash);
    if (!whole || CRYPTO_memcmp(hash, r.hash, sizeof hash) != 0)
        find(k, "row %lld does not have the hash of what it says: it was altered.", (long long)r.seq);
    if (CRYPTO_memcmp(r.previous, v->hash, sizeof hash) != 0)
        find(k, "row %lld does not continue row %lld: one of them was put in or altered.", (long long)r.seq,
             (long long)v->seq);
    if (k->expect_seq != 0 && r.seq == k->expect_seq) {
        k->met = true;
        if (CRYPTO_memcmp(r.hash, k->expect, AUDIT_HASH_BYTES) != 0)
            find(k, "row %lld has another hash than expected: the log was made anew.", (long long)r.seq);
    }
    v->rows++;
    v->seq = r.seq;
    memcpy(v->hash, r.hash, sizeof v->hash);
}

static enum err check_rows(struct check *k, struct store_db *db)
{
    struct store_stmt *st;
    bool row = true;
    enum err e = store_prepare(db, "SELECT " COLUMNS " FROM audit ORDER BY seq", &st);
    while (e == ERR_OK && row) {
        e = store_step(st, &row);
        if (e == ERR_OK && row)
            check_row(k, st);
    }
    return e;
}

static enum err check_head(struct check *k, struct store_db *db)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(db, "SELECT seq, hash FROM audit_head WHERE id = 1", &st);
    if (e == ERR_OK)
        e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    if (!row)
        find(k, "the head of the log is missing.");
    else if (store_i64(st, 0) != k->result.seq)
        find(k, "the head says that the last row is %lld, but it is %lld.", (long long)store_i64(st, 0),
             (long long)k->result.seq);
    else if (!str_eq(store_text(st, 1), hash_str(k->result.hash)))
        find(k, "the head has another hash than the last row.");
    store_done(st);
    return ERR_OK;
}

static enum err check_triggers(struct check *k, struct store_db *db)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(
        db, "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ('audit', 'audit_head')", &st);
    if (e == ERR_OK)
        e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    if (!row || store_i64(st, 0) != 5)
        find(k, "the triggers that refuse changes of the log are not all there.");
    store_done(st);
    return ERR_OK;
}

enum err audit_verify(const char *dir, const struct audit_verify *to, int64_t expect_seq,
                      const unsigned char expect[AUDIT_HASH_BYTES], struct audit_result *ret, struct control_why *why)
{
    char path[PATH_MAX];
    const struct store_options options = {.read_only = true};
    struct check k = {.to = to, .expect_seq = expect_seq, .expect = expect};
    struct store_db *db;
    snprintf(path, sizeof path, "%s/control.db", dir);
    enum err e = store_open(path, &options, &db);
    if (e != ERR_OK)
        return control_inner_fail(why, e, "", "%s: %s", path, store_open_reason());
    e = store_begin_read(db);
    if (e == ERR_OK)
        e = check_rows(&k, db);
    if (e == ERR_OK)
        e = check_head(&k, db);
    if (e == ERR_OK)
        e = check_triggers(&k, db);
    if (e != ERR_OK)
        control_inner_fail(why, e, "", "%s: %s", path, store_reason(db));
    else if (expect_seq != 0 && !k.met)
        find(&k, "row %lld, whose hash is expected, is not there.", (long long)expect_seq);
    store_close(db);
    *ret = k.result;
    return e;
}
