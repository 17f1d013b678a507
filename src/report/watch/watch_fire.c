/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One row a finding. Its message is one JSON object with everything that is still to be done, so that what is sent
 * after a restart is what was found before it:
 *
 *     {"subject","text","link","json","admins",to":[{"channel","to"}],"annotation":{"token","day","reports"}}
 *
 * Messages get ids made of the row, so the outbox takes each of them once, and the annotation has its token
 * from the beginning, so it is made once.
 */
#include "report/watch/watch_fire.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/must.h"
#include "base/rng.h"
#include "report/bill/bill_inner.h"
#include "report/watch/watch_inner.h"

#define MESSAGE_MAX (1u << 20) /* text and recipients, in the longest spelling that JSON has for them */
#define DELIVER_MAX 500
#define TOKEN_EVENT "cstm_alrt_evnt_"
#define DAY_US (INT64_C(86400) * 1000000)

static struct store_db *db_of(struct watch_turn *t)
{
    return docs_db(t->docs);
}

static enum err failed(struct watch_turn *t, enum err e)
{
    log_error("watch_store_failed", LOG_TEXT("why", store_reason(db_of(t))));
    return e;
}

/* ---- marks, and what was said before ---- */

enum err watch_mark(struct watch_turn *t, const char *name, struct str *ret)
{
    struct store_stmt *st;
    bool row = false;
    *ret = STR("");
    enum err e = store_prepare(db_of(t), "SELECT value FROM watch_marks WHERE name = ?1", &st);
    if (e != ERR_OK)
        return failed(t, e);
    store_bind_text(st, 1, str_c(name));
    e = store_step(st, &row);
    if (e == ERR_OK && row)
        *ret = arena_dup(t->arena, store_text(st, 0));
    store_done(st);
    store_clear(st);
    return e == ERR_OK ? e : failed(t, e);
}

enum err watch_set_mark(struct watch_turn *t, const char *name, struct str value)
{
    struct store_stmt *st;
    enum err e = store_prepare(db_of(t), "INSERT OR REPLACE INTO watch_marks (name, value) VALUES (?1, ?2)", &st);
    if (e != ERR_OK)
        return failed(t, e);
    store_bind_text(st, 1, str_c(name));
    store_bind_text(st, 2, value);
    e = store_run(st);
    store_clear(st);
    return e == ERR_OK ? e : failed(t, e);
}

enum err watch_has_fired(struct watch_turn *t, const char *kind, struct str key, bool *ret)
{
    struct store_stmt *st;
    *ret = false;
    enum err e = store_prepare(db_of(t), "SELECT 1 FROM alert_fired WHERE kind = ?1 AND key = ?2", &st);
    if (e != ERR_OK)
        return failed(t, e);
    store_bind_text(st, 1, str_c(kind));
    store_bind_text(st, 2, key);
    e = store_step(st, ret);
    store_done(st);
    store_clear(st);
    return e == ERR_OK ? e : failed(t, e);
}

/* *ret_first: the row is new. */
static enum err insert(struct watch_turn *t, const struct watch_alert *alert, bool open, struct str message,
                       bool *ret_first)
{
    struct store_stmt *st;
    enum err e = store_prepare(db_of(t),
                               "INSERT OR IGNORE INTO alert_fired (kind, key, workspace, at_us, open, message)"
                               " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                               &st);
    if (e != ERR_OK)
        return failed(t, e);
    must(alert->key.n && alert->key.n <= WATCH_KEY_MAX);
    store_bind_text(st, 1, str_c(alert->kind));
    store_bind_text(st, 2, alert->key);
    store_bind_i64(st, 3, alert->workspace);
    store_bind_i64(st, 4, t->now_us);
    store_bind_i64(st, 5, open);
    store_bind_text(st, 6, message);
    e = store_run(st);
    *ret_first = e == ERR_OK && store_changes(db_of(t)) > 0;
    store_clear(st);
    return e == ERR_OK ? e : failed(t, e);
}

enum err watch_keep_quiet(struct watch_turn *t, const char *kind, struct str key, int64_t workspace)
{
    const struct watch_alert nothing = {.kind = kind, .key = key, .workspace = workspace};
    bool first;
    return insert(t, &nothing, false, STR("{}"), &first);
}

struct str watch_digest(struct str text, char out[WATCH_DIGEST_MAX])
{
    unsigned char hash[BILL_HASH_BYTES];
    bill_inner_sha256(text, hash);
    for (unsigned i = 0; i < (WATCH_DIGEST_MAX - 1) / 2; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
    return str_of(out, WATCH_DIGEST_MAX - 1);
}

/* ---- firing ---- */

static size_t token(const char *prefix, char out[DOCS_TOKEN_MAX])
{
    return (size_t)snprintf(out, DOCS_TOKEN_MAX, "%s%016llx", prefix, (unsigned long long)rng_u64());
}

static void write_to(struct json_write *w, const struct watch_people *people)
{
    json_write_member_bool(w, "admins", people && people->admins);
    json_write_key(w, STR("to"));
    json_write_array(w);
    for (size_t i = 0; people && i < people->count; i++) {
        json_write_object(w);
        json_write_member_int(w, "channel", people->list[i].channel);
        json_write_member_string(w, "to", people->list[i].to);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static bool write_message(const struct watch_alert *a, struct buf *out)
{
    struct json_write w;
    char issue[DOCS_TOKEN_MAX];
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_member_string(&w, "subject", str_head(a->subject, NOTIFY_SUBJECT_MAX));
    json_write_member_string(&w, "text", str_head(a->text, WATCH_TEXT_MAX));
    json_write_member_string(&w, "link", a->link);
    json_write_member_raw(&w, "json", a->json.n ? a->json : STR("{}"));
    write_to(&w, a->people);
    if (a->report_count) {
        json_write_key(&w, STR("annotation"));
        json_write_object(&w);
        json_write_member_string(&w, "token", str_of(issue, token("issue_", issue)));
        json_write_member_int(&w, "day", a->day);
        json_write_key(&w, STR("reports"));
        json_write_array(&w);
        for (size_t i = 0; i < a->report_count; i++)
            json_write_string(&w, a->reports[i]);
        json_write_array_end(&w);
        json_write_object_end(&w);
    }
    json_write_object_end(&w);
    return json_write_done(&w);
}

enum err watch_event_add(struct watch_turn *t, int64_t workspace, const struct watch_event *v)
{
    struct store_stmt *st;
    char text[DOCS_TOKEN_MAX];
    enum err e = store_prepare(db_of(t),
                               "INSERT INTO alert_events (token, workspace, alert, report, created_us, triggered_us,"
                               " description, change, groupings) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                               &st);
    if (e != ERR_OK)
        return failed(t, e);
    store_bind_text(st, 1, str_of(text, token(TOKEN_EVENT, text)));
    store_bind_i64(st, 2, workspace);
    store_bind_text(st, 3, v->alert);
    store_bind_text(st, 4, v->report);
    store_bind_i64(st, 5, t->now_us);
    store_bind_i64(st, 6, v->triggered_us);
    store_bind_text(st, 7, v->description);
    store_bind_text(st, 8, v->change);
    store_bind_text(st, 9, v->groupings);
    e = store_run(st);
    store_clear(st);
    return e == ERR_OK ? e : failed(t, e);
}

enum err watch_fire(struct watch_turn *t, const struct watch_alert *alert, bool *ret_first)
{
    struct buf message;
    bool first = false, known = false;
    if (ret_first)
        *ret_first = false;
    enum err e = watch_has_fired(t, alert->kind, alert->key, &known); /* the common case, without a transaction */
    if (e != ERR_OK || known)
        return e;
    buf_init(&message, MESSAGE_MAX);
    bool fits = write_message(alert, &message);
    must(fits);
    e = store_begin(db_of(t));
    if (e == ERR_OK)
        e = insert(t, alert, true, buf_str(&message), &first);
    if (e == ERR_OK && first && alert->with)
        e = alert->with(t, alert->with_ctx);
    if (e == ERR_OK && (e = store_commit(db_of(t))) != ERR_OK)
        e = failed(t, e);
    if (e != ERR_OK)
        store_rollback(db_of(t));
    buf_free(&message);
    if (e == ERR_OK && first) {
        watch_inner_fired(t->watch);
        log_info("alert_fired", LOG_TEXT("kind", alert->kind), LOG_STR("key", alert->key),
                 LOG_INT("workspace", alert->workspace));
    }
    if (ret_first)
        *ret_first = e == ERR_OK && first;
    return e;
}

/* ---- delivering ---- */

struct fired {
    int64_t id, workspace, at_us;
    struct str kind, message;
};

static enum err next_open(struct watch_turn *t, int64_t after, struct fired *ret, bool *ret_row)
{
    struct store_stmt *st;
    enum err e = store_prepare(db_of(t),
                               "SELECT id, workspace, at_us, kind, message FROM alert_fired"
                               " WHERE open AND id > ?1 ORDER BY id LIMIT 1",
                               &st);
    if (e != ERR_OK)
        return failed(t, e);
    store_bind_i64(st, 1, after);
    e = store_step(st, ret_row);
    if (e == ERR_OK && *ret_row)
        *ret = (struct fired){.id = store_i64(st, 0),
                              .workspace = store_i64(st, 1),
                              .at_us = store_i64(st, 2),
                              .kind = arena_dup(t->arena, store_text(st, 3)),
                              .message = arena_dup(t->arena, store_text(st, 4))};
    store_done(st);
    store_clear(st);
    return e == ERR_OK ? e : failed(t, e);
}

static enum err close_row(struct watch_turn *t, int64_t id)
{
    struct store_stmt *st;
    enum err e = store_prepare(db_of(t), "UPDATE alert_fired SET open = 0, message = '{}' WHERE id = ?1", &st);
    if (e != ERR_OK)
        return failed(t, e);
    store_bind_i64(st, 1, id);
    e = store_run(st);
    store_clear(st);
    return e == ERR_OK ? e : failed(t, e);
}

/* Reports that have gone meanwhile are left out; without any there is nothing to write on. */
static bool annotation_body(struct watch_turn *t, struct jval about, struct jval message, struct buf *out)
{
    struct json_write w;
    struct doc doc;
    char day[BILL_DAY_TEXT_MAX];
    int64_t number = 0;
    size_t count = 0;
    if (!str_to_i64(jdoc_raw(jdoc_get(about, "day")), &number))
        return false;
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_key(&w, STR("report_tokens"));
    json_write_array(&w);
    struct jval list = jdoc_get(about, "reports");
    for (struct jval v = jdoc_first(list); jdoc_has(v); v = jdoc_next(list, v)) {
        struct str report = jdoc_text(v, t->arena);
        if (docs_find(t->docs, DOCS_COST_REPORT, report, t->arena, &doc) != ERR_OK)
            continue;
        json_write_string(&w, report);
        count++;
    }
    json_write_array_end(&w);
    json_write_member_string(&w, "date", str_of(day, bill_day_format(number, day)));
    json_write_member_string(&w, "message", jdoc_text(jdoc_get(message, "subject"), t->arena));
    json_write_object_end(&w);
    return json_write_done(&w) && count > 0;
}

static enum err annotate(struct watch_turn *t, const struct fired *f, struct jval message)
{
    struct jval about = jdoc_get(message, "annotation");
    struct docs_new what = {.kind = DOCS_ANNOTATION, .workspace = f->workspace};
    struct doc doc;
    struct jdoc given;
    struct buf body;
    what.token = jdoc_text(jdoc_get(about, "token"), t->arena);
    if (!what.token.n || docs_find(t->docs, DOCS_ANNOTATION, what.token, t->arena, &doc) == ERR_OK)
        return ERR_OK;
    enum err e = ERR_OK;
    jdoc_init(&given);
    buf_init(&body, 64u << 10);
    if (annotation_body(t, about, message, &body) && jdoc_parse(&given, buf_str(&body)))
        e = docs_create(t->docs, &what, jdoc_root(&given), t->arena, &doc);
    if (e != ERR_OK)
        log_warn("annotation_refused", LOG_STR("kind", f->kind), LOG_TEXT("why", docs_reason(t->docs)));
    buf_free(&body);
    jdoc_free(&given);
    return e == ERR_STORE_FAILED ? e : ERR_OK;
}

/* The rest of the message is the same for everybody. */
static enum err send_all(struct watch_turn *t, const struct fired *f, struct jval message)
{
    char id[NOTIFY_ID_MAX];
    const char *kind = f->kind.p; /* terminated, as arena_dup does */
    struct notify_message m = {.workspace_id = f->workspace, .kind = kind};
    struct jval list = jdoc_get(message, "to");
    unsigned n = 0;
    enum err e = ERR_OK;
    m.subject = jdoc_text(jdoc_get(message, "subject"), t->arena);
    m.text = jdoc_text(jdoc_get(message, "text"), t->arena);
    m.link = jdoc_text(jdoc_get(message, "link"), t->arena);
    m.json = jdoc_raw(jdoc_get(message, "json"));
    for (struct jval v = jdoc_first(list); e == ERR_OK && jdoc_has(v); v = jdoc_next(list, v), n++) {
        int size = snprintf(id, sizeof id, "%.80s/%lld-%lld/%u", kind, (long long)f->at_us, (long long)f->id, n);
        m.id = str_of(id, (size_t)size);
        m.channel = (enum notify_channel)jdoc_count(jdoc_get(v, "channel"), NOTIFY_MAIL);
        m.to = jdoc_text(jdoc_get(v, "to"), t->arena);
        e = watch_inner_send(t->watch, &m);
    }
    if (e == ERR_OK && jdoc_true(jdoc_get(message, "admins"))) {
        int size = snprintf(id, sizeof id, "%.80s/%lld-%lld", kind, (long long)f->at_us, (long long)f->id);
        m.id = str_of(id, (size_t)size);
        m.channel = NOTIFY_MAIL;
        m.to = STR("");
        e = watch_inner_send_admins(t->watch, &m);
    }
    return e;
}

enum err watch_deliver(struct watch_turn *t)
{
    struct fired f = {.id = 0};
    bool row = false;
    enum err e;
    for (unsigned n = 0; n < DELIVER_MAX && !watch_ending(t); n++) {
        struct jdoc message;
        arena_reset(t->arena);
        e = next_open(t, f.id, &f, &row);
        if (e != ERR_OK || !row)
            return e;
        jdoc_init(&message);
        bool read = jdoc_parse(&message, f.message);
        must(read); /* ours */
        e = annotate(t, &f, jdoc_root(&message));
        if (e == ERR_OK)
            e = send_all(t, &f, jdoc_root(&message));
        jdoc_free(&message);
        if (e == ERR_OK)
            e = close_row(t, f.id);
        if (e != ERR_OK)
            return e; /* the row is still open: the next turn goes on here */
    }
    t->more = true;
    return ERR_OK;
}

/* ---- tidying up ---- */

enum err watch_tidy(struct watch_turn *t)
{
    static const char *const statements[] = {
        ("DELETE FROM alert_fired WHERE NOT open AND at_us < ?1"
         " AND id IN (SELECT id FROM alert_fired ORDER BY id LIMIT 10000)"),
        "DELETE FROM alert_events WHERE created_us < ?1 OR NOT EXISTS (SELECT 1 FROM docs WHERE token = alert)",
        "DELETE FROM anomalies WHERE created_us < ?1 OR NOT EXISTS (SELECT 1 FROM docs WHERE token = report)",
    };
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < sizeof statements / sizeof statements[0]; i++) {
        struct store_stmt *st;
        e = store_prepare(db_of(t), statements[i], &st);
        if (e != ERR_OK)
            break;
        store_bind_i64(st, 1, t->now_us - WATCH_REMEMBERED_DAYS * DAY_US);
        e = store_run(st);
        store_clear(st);
    }
    return e == ERR_OK ? e : failed(t, e);
}
