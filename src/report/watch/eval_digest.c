/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anomaly notifications: at most one summary a day of a report's anomalies that were found since the last one, are not
 * ignored, and are at least the notification's threshold over what was to be expected. An anomaly is in one
 * summary, that of its first day; what the notification is too young for is in none.
 */
#include <stdio.h>

#include "base/json_write.h"
#include "base/must.h"
#include "report/bill/bill_decimal.h"
#include "report/watch/anomaly_store.h"
#include "report/watch/watch_fire.h"
#include "report/watch/watch_text.h"

#define KIND "anomaly_summary"
#define FOUND_MAX 200
#define PLACES 12
#define MARK_MAX 128

struct digest {
    struct watch_turn *turn;
    const struct doc *doc;
    struct jval body;
    struct doc report;
    struct anomaly *list;
    size_t count;
    int64_t last_id; /* of those looked at */
    char mark[MARK_MAX];
};

static money_sum pusd_of(struct str text)
{
    money_sum value = 0;
    bool exact;
    return bill_decimal_read(text, PLACES, &value, &exact) ? value : 0;
}

static bool is_wanted(const struct digest *d, const struct anomaly *a, money_sum threshold)
{
    money_sum excess = pusd_of(a->amount) - pusd_of(a->expected);
    return a->created_us >= d->doc->created_us && !str_eq(a->status, STR(ANOMALY_IGNORED)) && excess >= threshold;
}

/* "2026-03-01 123": the day of the last summary ("-": none yet), and the last anomaly that was looked at. */
static enum err read_mark(struct digest *d, int64_t *ret_after, bool *ret_today)
{
    struct str text, rest, day, id;
    char today[BILL_DAY_TEXT_MAX];
    snprintf(d->mark, sizeof d->mark, KIND "/%.80s", d->doc->token.p);
    enum err e = watch_mark(d->turn, d->mark, &text);
    *ret_after = 0;
    *ret_today = false;
    rest = text;
    if (e != ERR_OK || !text.n || !str_split(&rest, ' ', &day) || !str_split(&rest, ' ', &id))
        return e;
    if (!str_to_i64(id, ret_after))
        *ret_after = 0;
    *ret_today = str_eq(day, str_of(today, bill_day_format(d->turn->today, today)));
    return e;
}

static enum err write_mark(struct watch_turn *t, void *ctx)
{
    struct digest *d = ctx;
    char text[64], today[BILL_DAY_TEXT_MAX];
    int n = snprintf(text, sizeof text, "%s %lld", watch_day(t->today, today), (long long)d->last_id);
    return watch_set_mark(t, d->mark, str_of(text, (size_t)n));
}

static bool write_text(const struct digest *d, struct buf *out)
{
    bool ok = buf_printf(out, "Unusual costs in the report \"%.300s\":\n", d->report.title.p);
    for (size_t i = 0; ok && i < d->count; i++) {
        const struct anomaly *a = &d->list[i];
        char day[BILL_DAY_TEXT_MAX], now[WATCH_USD_MAX], likely[WATCH_USD_MAX], week[WATCH_USD_MAX];
        ok = buf_printf(out, "\n%s, %.*s%s%.*s: %s\n  expected %s, seven days before on average %s\n",
                        watch_day(a->first_day, day), STR_ARG(str_head(a->service, 100)), a->category.n ? ", " : "",
                        STR_ARG(str_head(a->category, 100)), watch_usd(watch_of_pusd(pusd_of(a->amount)), now),
                        watch_usd(watch_of_pusd(pusd_of(a->expected)), likely),
                        watch_usd(watch_of_pusd(pusd_of(a->average)), week));
        if (ok && a->resource.n)
            ok = buf_printf(out, "  mostly by the key %.*s\n",
                            STR_ARG(str_head(a->resource_name.n ? a->resource_name : a->resource, 100)));
    }
    return ok;
}

static bool write_json(const struct digest *d, struct buf *out)
{
    struct json_write w;
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_member_string(&w, "anomaly_notification_token", d->doc->token);
    json_write_member_string(&w, "cost_report_token", d->report.token);
    json_write_key(&w, STR("anomaly_alerts"));
    json_write_array(&w);
    for (size_t i = 0; i < d->count; i++) {
        const struct anomaly *a = &d->list[i];
        json_write_object(&w);
        json_write_member_string(&w, "token", a->token);
        json_write_member_string(&w, "provider", a->provider);
        json_write_member_string(&w, "service", a->service);
        json_write_member_text(&w, "category", a->category);
        json_write_member_string(&w, "amount", a->amount);
        json_write_member_string(&w, "previous_amount", a->previous);
        json_write_member_string(&w, "seven_day_average", a->average);
        json_write_object_end(&w);
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    return json_write_done(&w);
}

static enum err say(struct digest *d)
{
    struct watch_turn *t = d->turn;
    struct watch_people people = {.count = 0};
    char key[WATCH_KEY_MAX], day[BILL_DAY_TEXT_MAX], subject[NOTIFY_SUBJECT_MAX];
    struct buf text, json;
    int k = snprintf(key, sizeof key, "%.80s/%s", d->doc->token.p, watch_day(t->today, day));
    int n = snprintf(subject, sizeof subject, "%zu unusual cost%s in %.150s", d->count, d->count == 1 ? "" : "s",
                     d->report.title.p);
    buf_init(&text, WATCH_MESSAGE_MAX);
    buf_init(&json, WATCH_MESSAGE_MAX);
    bool ok = write_text(d, &text);
    (void)ok; /* a list that is too long is cut */
    watch_people_add(t, d->doc->workspace, d->body, &people);
    struct watch_alert alert = {.kind = KIND,
                                .key = str_of(key, (size_t)k),
                                .workspace = d->doc->workspace,
                                .people = &people,
                                .subject = str_of(subject, (size_t)n < sizeof subject ? (size_t)n : sizeof subject - 1),
                                .text = buf_str(&text),
                                .link = STR("/console/"),
                                .json = write_json(d, &json) ? buf_str(&json) : STR("{}"),
                                .with = write_mark,
                                .with_ctx = d};
    enum err e = watch_fire(t, &alert, NULL);
    buf_free(&text);
    buf_free(&json);
    return e;
}

/* A whole page of which nobody wants to hear: the next turn looks behind it. There was no summary today. */
static enum err pass_by(const struct digest *d)
{
    char text[64];
    int n = snprintf(text, sizeof text, "- %lld", (long long)d->last_id);
    return watch_set_mark(d->turn, d->mark, str_of(text, (size_t)n));
}

static enum err look(struct watch_turn *t, const struct doc *doc, struct jval body)
{
    struct digest d = {.turn = t, .doc = doc, .body = body};
    struct anomaly_query q = {.limit = FOUND_MAX};
    struct anomaly *rows;
    uint64_t total;
    int64_t threshold = 0;
    size_t count;
    bool today;
    if (docs_find(t->docs, DOCS_COST_REPORT, jdoc_text(jdoc_get(body, "cost_report_token"), t->arena), t->arena,
                  &d.report) != ERR_OK)
        return ERR_OK;
    enum err e = read_mark(&d, &q.after_id, &today);
    if (e != ERR_OK || today)
        return e;
    d.last_id = q.after_id;
    q.after_id = q.after_id ? q.after_id : -1; /* in the order of their ids from the first one on */
    q.report = d.report.token;
    if (!str_to_i64(jdoc_raw(jdoc_get(body, "threshold")), &threshold))
        threshold = 0;
    e = anomaly_list(t->docs, &q, t->arena, &rows, &count, &total);
    d.list = rows;
    for (size_t i = 0; e == ERR_OK && i < count; i++) {
        d.last_id = rows[i].id > d.last_id ? rows[i].id : d.last_id;
        if (is_wanted(&d, &rows[i], (money_sum)threshold * MONEY_PUSD_PER_USD))
            d.list[d.count++] = rows[i];
    }
    if (e == ERR_OK && d.count)
        return say(&d);
    return e == ERR_OK && count == FOUND_MAX ? pass_by(&d) : e;
}

enum err eval_digest_run(struct watch_turn *t)
{
    return watch_each(t, DOCS_ANOMALY_NOTIFICATION, look);
}
