/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Report notifications: what a report has cost, compared with the period before, and its biggest groups.
 *
 * When one is due (schedule.h) it waits until the bills it is about have been refreshed after that time, but for at most
 * WAIT_US: rather a notification with what is there than none. Each slot is sent once.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/must.h"
#include "report/watch/schedule.h"
#include "report/watch/watch_fire.h"
#include "report/watch/watch_text.h"

#define KIND "report_notification"
#define WAIT_US (INT64_C(90) * 60 * 1000000)
#define SHOWN_MAX 10
#define NAME_MAX_BYTES 200

struct note {
    struct watch_turn *turn;
    const struct doc *doc;
    struct jval body;
    struct doc report;
    struct schedule_slot slot;
    bool dollars;
    unsigned groups;
    struct cost_result *now, *before;
};

/* ---- what is in it ---- */

static cost_sum before_of(const struct note *n, const struct cost_row *row)
{
    for (size_t i = 0; i < n->before->row_count; i++) {
        bool same = true;
        for (unsigned k = 0; same && k < n->groups; k++)
            same = str_eq(n->before->rows[i].values[k], row->values[k]);
        if (same)
            return n->before->rows[i].amount;
    }
    return 0;
}

/* "+12%", "-$3.00", "new". */
static const char *change(const struct note *n, cost_sum before, cost_sum now, char out[WATCH_USD_MAX])
{
    char text[WATCH_USD_MAX];
    if (before <= 0 && !n->dollars)
        return now > 0 ? "new" : "-";
    if (n->dollars)
        watch_usd(now - before, text);
    else
        watch_percent(now - before, before, text);
    snprintf(out, WATCH_USD_MAX, "%s%.60s", now > before ? "+" : "", text);
    return out;
}

static void add_name(const struct note *n, const struct cost_row *row, struct buf *out)
{
    for (unsigned i = 0; i < n->groups; i++) {
        struct str name = row->names[i].n ? row->names[i] : row->values[i];
        name = name.n ? str_head(name, NAME_MAX_BYTES) : STR("(none)");
        if ((i && !buf_add_str(out, STR(", "))) || !buf_add_str(out, name))
            return;
    }
}

static bool write_text(const struct note *n, struct buf *out)
{
    char from[BILL_DAY_TEXT_MAX], end[BILL_DAY_TEXT_MAX], now[WATCH_USD_MAX], before[WATCH_USD_MAX];
    char by[WATCH_USD_MAX];
    bool ok = buf_printf(out, "%.300s\n%s to %s\n\nTotal: %s (%s), before: %s\n", n->report.title.p,
                         watch_day(n->slot.from_day, from), watch_day(n->slot.until_day - 1, end),
                         watch_usd(n->now->total, now), change(n, n->before->total, n->now->total, by),
                         watch_usd(n->before->total, before));
    for (size_t i = 0; ok && i < n->now->row_count && i < SHOWN_MAX; i++) {
        const struct cost_row *row = &n->now->rows[i];
        cost_sum was = before_of(n, row);
        ok = buf_printf(out, i ? "" : "\n");
        add_name(n, row, out);
        ok = ok && buf_printf(out, ": %s (%s)\n", watch_usd(row->amount, now), change(n, was, row->amount, by));
    }
    if (ok && n->now->row_count > SHOWN_MAX)
        ok = buf_printf(out, "and %zu more\n", n->now->row_count - SHOWN_MAX);
    return ok;
}

static void write_amount(struct json_write *w, const char *name, cost_sum amount)
{
    char text[COST_TEXT_MAX];
    json_write_member_string(w, name, str_of(text, cost_amount_format(amount, text)));
}

static bool write_json(const struct note *n, struct buf *out)
{
    struct json_write w;
    char from[BILL_DAY_TEXT_MAX], end[BILL_DAY_TEXT_MAX];
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_member_string(&w, "report_notification_token", n->doc->token);
    json_write_member_string(&w, "cost_report_token", n->report.token);
    json_write_member_string(&w, "start_date", str_of(from, bill_day_format(n->slot.from_day, from)));
    json_write_member_string(&w, "end_date", str_of(end, bill_day_format(n->slot.until_day - 1, end)));
    write_amount(&w, "amount", n->now->total);
    write_amount(&w, "previous_amount", n->before->total);
    json_write_key(&w, STR("costs"));
    json_write_array(&w);
    for (size_t i = 0; i < n->now->row_count && i < SHOWN_MAX; i++) {
        json_write_object(&w);
        json_write_key(&w, STR("groupings"));
        json_write_array(&w);
        for (unsigned k = 0; k < n->groups; k++)
            json_write_string(&w, str_head(n->now->rows[i].values[k], NAME_MAX_BYTES));
        json_write_array_end(&w);
        write_amount(&w, "amount", n->now->rows[i].amount);
        write_amount(&w, "previous_amount", before_of(n, &n->now->rows[i]));
        json_write_object_end(&w);
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    return json_write_done(&w);
}

/* ---- asking and sending ---- */

static enum err ask(struct note *n)
{
    struct watch_turn *t = n->turn;
    struct question *q;
    enum err e = watch_question(t, &n->report, &q);
    if (e != ERR_OK)
        return e;
    n->groups = q->query.group_count;
    q->query.bin = COST_BIN_TOTAL;
    q->query.from_day = n->slot.from_day;
    q->query.until_day = n->slot.until_day;
    e = watch_costs(t, q, &n->now);
    q->query.from_day = n->slot.before_day;
    q->query.until_day = n->slot.from_day;
    if (e == ERR_OK)
        e = watch_costs(t, q, &n->before);
    question_free(q);
    return e;
}

static enum err say(struct note *n, struct str key)
{
    struct watch_turn *t = n->turn;
    struct watch_people people = {.count = 0};
    char subject[NOTIFY_SUBJECT_MAX], total[WATCH_USD_MAX], by[WATCH_USD_MAX];
    struct buf text, json;
    int s = snprintf(subject, sizeof subject, "%.150s: %s (%s)", n->doc->title.p, watch_usd(n->now->total, total),
                     change(n, n->before->total, n->now->total, by));
    buf_init(&text, WATCH_MESSAGE_MAX);
    buf_init(&json, WATCH_MESSAGE_MAX);
    bool ok = write_text(n, &text);
    (void)ok; /* a list that is too long is cut */
    watch_people_add(t, n->doc->workspace, n->body, &people);
    struct watch_alert alert = {.kind = KIND,
                                .key = key,
                                .workspace = n->doc->workspace,
                                .people = &people,
                                .subject = str_of(subject, (size_t)s < sizeof subject ? (size_t)s : sizeof subject - 1),
                                .text = buf_str(&text),
                                .link = STR("/console/"),
                                .json = write_json(n, &json) ? buf_str(&json) : STR("{}")};
    enum err e = watch_fire(t, &alert, NULL);
    buf_free(&text);
    buf_free(&json);
    return e;
}

/*
 * Bills that the report reads have been looked at since the slot; or it is too late to wait for them. Files of costs come
 * when somebody brings them.
 */
static bool is_fresh(struct note *n)
{
    struct watch_turn *t = n->turn;
    struct bill_account *rows;
    size_t count;
    if (t->now_us >= n->slot.at_us + WAIT_US ||
        question_accounts(t->docs, t->bill, n->doc->workspace, t->arena, &rows, &count) != ERR_OK)
        return true;
    for (size_t i = 0; i < count; i++)
        if (rows[i].kind != BILL_FILES && rows[i].status != BILL_DISCONNECTED && rows[i].success_us < n->slot.at_us)
            return false;
    return true;
}

static enum err look(struct watch_turn *t, const struct doc *doc, struct jval body)
{
    struct note n = {.turn = t, .doc = doc, .body = body};
    char key[WATCH_KEY_MAX], day[BILL_DAY_TEXT_MAX];
    enum schedule when;
    bool known;
    if (!schedule_parse(jdoc_text(jdoc_get(body, "frequency"), t->arena), &when))
        return ERR_OK;
    n.slot = schedule_slot(when, t->now_us);
    n.dollars = jdoc_is(jdoc_get(body, "change"), "dollars");
    if (doc->created_us > n.slot.at_us || t->now_us >= n.slot.late_us ||
        docs_find(t->docs, DOCS_COST_REPORT, jdoc_text(jdoc_get(body, "cost_report_token"), t->arena), t->arena,
                  &n.report) != ERR_OK)
        return ERR_OK;
    int k = snprintf(key, sizeof key, "%.80s/%s", doc->token.p, watch_day(bill_day_of(n.slot.at_us), day));
    enum err e = watch_has_fired(t, KIND, str_of(key, (size_t)k), &known);
    if (e != ERR_OK || known || !is_fresh(&n))
        return e;
    e = ask(&n);
    if (e == ERR_OK)
        e = say(&n, str_of(key, (size_t)k));
    cost_result_free(n.now);
    cost_result_free(n.before);
    return e;
}

enum err eval_notify_run(struct watch_turn *t)
{
    return watch_each(t, DOCS_REPORT_NOTIFICATION, look);
}
