/* SPDX-License-Identifier: Apache-2.0 */
/* The table `changes` is an outbox: filled by changes, emptied into the audit log, normally at once. */
#include "report/docs/docs_audit.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/must.h"
#include "control/control.h"
#include "control/people/actor.h"
#include "control/people/audit.h"
#include "report/docs/docs_inner.h"

#define BATCH 100
#define ARENA_CAP (64u << 20)

/* By the kind's number. */
static const char *const types[] = {
    [DOCS_COST_REPORT] = "cost_report",
    [DOCS_SAVED_FILTER] = "saved_filter",
    [DOCS_FOLDER] = "folder",
    [DOCS_DASHBOARD] = "dashboard",
    [DOCS_BUDGET] = "budget",
    [DOCS_BUDGET_ALERT] = "budget_alert",
    [DOCS_COST_ALERT] = "cost_alert",
    [DOCS_ANOMALY_NOTIFICATION] = "anomaly_notification",
    [DOCS_REPORT_NOTIFICATION] = "report_notification",
    [DOCS_ANNOTATION] = "annotation",
    [DOCS_BUSINESS_METRIC] = "business_metric",
    [DOCS_VIRTUAL_TAG] = "virtual_tag",
    [DOCS_SEGMENT] = "segment",
    [DOCS_WORKSPACE] = "report_settings",
    [DOCS_PERSON] = "user",
    [DOCS_INTEGRATION] = "bill",
    [DOCS_ACCESS_GRANT] = "access_grant",
    [DOCS_REPORT_FORECAST] = "report_forecast",
};

struct str docs_audit_type(enum docs_kind kind)
{
    bool named = kind < sizeof types / sizeof types[0] && types[kind];
    return named ? str_c(types[kind]) : str_c(docs_kind_info(kind)->path);
}

bool docs_audit_kind(struct str type, enum docs_kind *ret)
{
    for (unsigned k = 0; k < DOCS_KIND_COUNT; k++)
        if (str_eq(docs_audit_type((enum docs_kind)k), type)) {
            *ret = (enum docs_kind)k;
            return true;
        }
    return false;
}

/* ---- into the outbox ---- */

static struct str fitting(struct str body)
{
    return body.n <= AUDIT_JSON_MAX ? body : STR("{\"too_long\":true}");
}

/* Two changes of one connection never have one time: it tells them apart in the log. */
static int64_t next_us(struct docs *d)
{
    int64_t now = clock_wall_us();
    d->changed_us = now > d->changed_us ? now : d->changed_us + 1;
    return d->changed_us;
}

enum err docs_audit_note(struct docs *d, const struct doc *doc, const char *verb, struct str before, struct str after)
{
    const struct actor *actor = actor_get();
    struct store_stmt *st;
    char action[80];
    struct str type = docs_audit_type(doc->kind);
    int n = snprintf(action, sizeof action, "%.*s.%s", STR_ARG(type), verb);
    must(n > 0 && (size_t)n < sizeof action);
    if (str_eq(before, after))
        return ERR_OK;
    enum err e = store_prepare(d->db,
                               "INSERT INTO changes (time_us, source, key_id, key, member_id, name, ip, request_id,"
                               " workspace, action, type, object, before, after)"
                               " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
                               &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_i64(st, 1, next_us(d));
    store_bind_text(st, 2, actor->source);
    store_bind_i64(st, 3, actor->key_id);
    store_bind_text(st, 4, actor->key.p ? actor->key : STR(""));
    store_bind_i64(st, 5, actor->member_id);
    store_bind_text(st, 6, actor->name.p ? actor->name : STR(""));
    store_bind_text(st, 7, actor->ip.p ? actor->ip : STR(""));
    store_bind_text(st, 8, actor->request_id.p ? actor->request_id : STR(""));
    store_bind_i64(st, 9, doc->workspace);
    store_bind_text(st, 10, str_of(action, (size_t)n));
    store_bind_text(st, 11, type);
    store_bind_text(st, 12, doc->token);
    store_bind_text(st, 13, fitting(before));
    store_bind_text(st, 14, fitting(after));
    e = store_run(st);
    store_clear(st);
    return e == ERR_OK ? e : docs_store_failed(d, e);
}

/* ---- out of it ---- */

/* At most BATCH, oldest first. */
static enum err waiting(struct docs *d, struct arena *a, struct audit_elsewhere *list, size_t *ret_count,
                        int64_t *ret_last)
{
    struct store_stmt *st;
    bool row, fits = true;
    enum err e = store_prepare(d->db,
                               "SELECT id, time_us, source, key_id, key, member_id, name, ip, request_id, workspace,"
                               " action, type, object, before, after FROM changes ORDER BY id LIMIT ?1",
                               &st);
    *ret_count = 0;
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_i64(st, 1, BATCH);
    while (fits && (e = store_step(st, &row)) == ERR_OK && row) {
        struct str texts[10];
        static const int columns[10] = {2, 4, 6, 7, 8, 10, 11, 12, 13, 14};
        for (int i = 0; i < 10; i++) {
            texts[i] = arena_dup(a, store_text(st, columns[i]));
            fits = fits && texts[i].p;
        }
        if (!fits)
            break;
        *ret_last = store_i64(st, 0);
        list[(*ret_count)++] = (struct audit_elsewhere){
            .actor = {.source = texts[0],
                      .key_id = store_i64(st, 3),
                      .key = texts[1],
                      .member_id = store_i64(st, 5),
                      .name = texts[2],
                      .ip = texts[3],
                      .request_id = texts[4]},
            .change = {.workspace_id = store_i64(st, 9),
                       .action = texts[5].p,
                       .object_type = texts[6].p,
                       .object_id = texts[7],
                       .before = texts[8],
                       .after = texts[9],
                       .time_us = store_i64(st, 1)},
        };
    }
    store_done(st);
    store_clear(st);
    return e == ERR_OK ? e : docs_store_failed(d, e);
}

static enum err forget(struct docs *d, int64_t last)
{
    struct store_stmt *st;
    enum err e = store_prepare(d->db, "DELETE FROM changes WHERE id <= ?1", &st);
    if (e != ERR_OK)
        return docs_store_failed(d, e);
    store_bind_i64(st, 1, last);
    e = store_run(st);
    store_clear(st);
    return e == ERR_OK ? e : docs_store_failed(d, e);
}

void docs_audit_flush(struct docs *d)
{
    struct audit_elsewhere *list;
    size_t count = BATCH;
    enum err e = ERR_OK;
    while (d->control && e == ERR_OK && count == BATCH) {
        struct control_why why = {.param = "", .text = ""};
        int64_t last = 0;
        struct arena *a = arena_new(16384, ARENA_CAP);
        list = arena_alloc(a, BATCH * sizeof *list);
        must(list);
        e = waiting(d, a, list, &count, &last);
        if (e == ERR_OK && count)
            e = audit_note_elsewhere(d->control, list, count, &why);
        if (e == ERR_OK && count)
            e = forget(d, last);
        if (e != ERR_OK)
            log_warn("audit_lines_wait", LOG_TEXT("why", why.text[0] ? why.text : d->reason));
        arena_free(a);
    }
}

void docs_audit_to(struct docs *d, struct control *control)
{
    d->control = control;
    docs_audit_flush(d);
}
