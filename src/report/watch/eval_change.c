/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cost alerts: a group of a report has changed by so many dollars, or percent, from one day, week, month or
 * quarter to the next. Weeks go from Sunday to Saturday.
 *
 * Looked at are the period under way and some of those before it, because bills come late. A rise is said as
 * soon as it is there, since a period only gets more expensive; a fall (a negative threshold) not before the
 * period's bill is final. A period that ended before the alert was made is only looked at when it is the last one.
 *
 * A group that the period before did not have has no percentage: only alerts in dollars tell of it. With a
 * percentage, minimum_threshold is how many dollars it must be at least.
 *
 * One message has all groups of a report and period that are found at one time; each is an event of its own, said once.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_write.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "report/bill/bill_decimal.h"
#include "report/cost/cost_dates.h"
#include "report/watch/watch_fire.h"
#include "report/watch/watch_text.h"

#define KIND "cost_alert"
#define HITS_MAX 1000
#define SHOWN_MAX 50
#define NAME_MAX_BYTES 300
#define PLACES 6 /* of thresholds */
#define PLACES_UNIT INT64_C(1000000)
#define PUSD_PER_UNIT INT64_C(1000000) /* a millionth of a dollar in pico-dollars */

enum interval { DAY, WEEK, MONTH, QUARTER, INTERVAL_COUNT };
static const struct {
    const char *text, *over;
    int64_t back; /* how many ended periods are looked at */
} intervals[INTERVAL_COUNT] = {{"day", "Day over day", 7},
                               {"week", "Week over week", 2},
                               {"month", "Month over month", 2},
                               {"quarter", "Quarter over quarter", 1}};

struct rule {
    struct watch_turn *turn;
    const struct doc *doc;
    struct jval body;
    enum interval interval;
    bool percent;
    money_sum threshold, minimum; /* millionths of a dollar, or of a percent */
};

/* One period's groups, in the order of their texts. */
struct side {
    int64_t from, until;
    struct cost_result *result;
    const struct cost_row **rows;
    size_t count;
};

struct hit {
    const struct cost_row *row; /* of either side: its groups */
    money_sum before, now;
    char key[WATCH_KEY_MAX];
    struct str key_text;
};

struct find {
    const struct rule *rule;
    const struct doc *report;
    unsigned groups;
    const struct side *before, *now;
    struct hit *hits; /* HITS_MAX */
    size_t count;
};

/* ---- periods ---- */

/* The first day of the period `back` periods before the one with `day`. */
static int64_t period_start(enum interval i, int64_t day, int64_t back)
{
    int64_t month = bill_month_of(day);
    switch (i) {
    case WEEK: /* 1970-01-04 was a Sunday */
        return (day + 4) / 7 * 7 - 4 - 7 * back;
    case MONTH:
        return bill_month_day(month - back);
    case QUARTER:
        return bill_month_day((month / 3 - back) * 3);
    case DAY:
    case INTERVAL_COUNT:
        break;
    }
    return day - back;
}

static int compare_rows(const void *a, const void *b, void *groups)
{
    const struct cost_row *const *x = a, *const *y = b;
    const unsigned *count = groups;
    for (unsigned i = 0; i < *count; i++) {
        int c = str_cmp((*x)->values[i], (*y)->values[i]);
        if (c)
            return c;
    }
    return 0;
}

static void drop(struct side *s)
{
    mem_free(s->rows);
    cost_result_free(s->result);
    *s = (struct side){.count = 0};
}

static enum err load(struct watch_turn *t, struct question *q, struct side *s)
{
    q->query.from_day = s->from;
    q->query.until_day = s->until;
    enum err e = watch_costs(t, q, &s->result);
    if (e != ERR_OK)
        return e;
    s->count = s->result->row_count;
    s->rows = mem_alloc((s->count + 1) * sizeof(const struct cost_row *));
    for (size_t i = 0; i < s->count; i++)
        s->rows[i] = &s->result->rows[i];
    qsort_r(s->rows, s->count, sizeof s->rows[0], compare_rows, &q->query.group_count);
    return ERR_OK;
}

/* ---- what is found ---- */

static bool is_hit(const struct rule *r, bool known_before, money_sum before, money_sum now, bool final)
{
    money_sum change = now - before, size = change < 0 ? -change : change;
    bool fall = r->threshold < 0;
    money_sum wanted = fall ? -r->threshold : r->threshold;
    if (!change || (change < 0) != fall || (fall && !final))
        return false;
    if (!r->percent)
        return size >= wanted * PUSD_PER_UNIT;
    return known_before && before > 0 && size >= r->minimum * PUSD_PER_UNIT &&
           size / PUSD_PER_UNIT * 100 * PLACES_UNIT >= wanted * (before / PUSD_PER_UNIT);
}

static void join(const struct cost_row *row, unsigned groups, const char *with, const char *none, struct buf *out)
{
    for (unsigned i = 0; i < groups; i++) {
        struct str value = row->names[i].n ? row->names[i] : row->values[i];
        bool ok = (!i || buf_add_str(out, str_c(with))) && buf_add_str(out, value.n ? value : str_c(none));
        if (!ok)
            return; /* as much of it as there is room for */
    }
}

static struct str key_of(struct find *f, const struct cost_row *row, char out[WATCH_KEY_MAX])
{
    char day[BILL_DAY_TEXT_MAX], digest[WATCH_DIGEST_MAX];
    struct buf group;
    buf_init(&group, 64u << 10);
    for (unsigned i = 0; i < f->groups; i++)
        if (!buf_add_str(&group, row->values[i]) || !buf_add_byte(&group, '\x1f'))
            break;
    watch_digest(buf_str(&group), digest);
    buf_free(&group);
    int n = snprintf(out, WATCH_KEY_MAX, "%.60s/%.60s/%s/%s", f->rule->doc->token.p, f->report->token.p,
                     watch_day(f->now->from, day), digest);
    return str_of(out, (size_t)n);
}

static enum err check(struct find *f, const struct cost_row *before, const struct cost_row *now)
{
    struct watch_turn *t = f->rule->turn;
    struct hit *h = &f->hits[f->count];
    bool final = f->now->until + BILL_PROVISIONAL_DAYS <= t->today, known = false;
    *h = (struct hit){.row = now ? now : before,
                      .before = before ? cost_amount_pusd(before->amount) : 0,
                      .now = now ? cost_amount_pusd(now->amount) : 0};
    if (f->count == HITS_MAX || !is_hit(f->rule, before != NULL, h->before, h->now, final))
        return ERR_OK;
    h->key_text = key_of(f, h->row, h->key);
    enum err e = watch_has_fired(t, KIND, h->key_text, &known);
    if (e == ERR_OK && !known)
        f->count++;
    return e;
}

/* Both sides are in one order. */
static enum err compare(struct find *f)
{
    size_t b = 0, n = 0;
    enum err e = ERR_OK;
    while (e == ERR_OK && (b < f->before->count || n < f->now->count)) {
        int c = b == f->before->count ? 1
                : n == f->now->count  ? -1
                                      : compare_rows(&f->before->rows[b], &f->now->rows[n], &f->groups);
        e = check(f, c <= 0 ? f->before->rows[b] : NULL, c >= 0 ? f->now->rows[n] : NULL);
        b += c <= 0;
        n += c >= 0;
    }
    return e;
}

/* ---- what is said ---- */

static int by_size(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    money_sum p = x->now - x->before, q = y->now - y->before;
    p = p < 0 ? -p : p;
    q = q < 0 ? -q : q;
    return p == q ? 0 : p > q ? -1 : 1;
}

/* "Day over day costs for open_ai and Embeddings increased by $500.00." */
static void describe(const struct find *f, const struct hit *h, struct buf *out)
{
    char change[WATCH_USD_MAX];
    money_sum by = h->now - h->before;
    bool ok = buf_printf(out, "%s costs%s", intervals[f->rule->interval].over, f->groups ? " for " : "");
    join(h->row, f->groups, " and ", "(none)", out);
    ok = ok && buf_printf(out, " %s by %s.", by < 0 ? "decreased" : "increased",
                          watch_usd(watch_of_pusd(by < 0 ? -by : by), change));
    (void)ok; /* cut where there is no room */
}

static bool write_groups(const struct find *f, const struct hit *h, struct buf *out)
{
    struct json_write w;
    json_write_init(&w, out);
    json_write_array(&w);
    for (unsigned i = 0; i < f->groups; i++)
        json_write_string(&w, h->row->values[i]);
    json_write_array_end(&w);
    return json_write_done(&w);
}

static enum err add_event(struct find *f, const struct hit *h)
{
    char change[MONEY_TEXT_MAX];
    struct buf text, groups;
    struct watch_turn *t = f->rule->turn;
    buf_init(&text, NAME_MAX_BYTES + 200);
    buf_init(&groups, 64u << 10);
    describe(f, h, &text);
    struct watch_event event = {.alert = f->rule->doc->token,
                                .report = f->report->token,
                                .triggered_us = t->now_us,
                                .description = buf_str(&text),
                                .groupings = STR("[]")};
    event.change = str_of(change, money_format(h->now - h->before, change));
    if (write_groups(f, h, &groups))
        event.groupings = buf_str(&groups);
    enum err e = watch_keep_quiet(t, KIND, h->key_text, f->report->workspace);
    if (e == ERR_OK)
        e = watch_event_add(t, f->report->workspace, &event);
    buf_free(&text);
    buf_free(&groups);
    return e;
}

static enum err add_events(struct watch_turn *t, void *ctx)
{
    struct find *f = ctx;
    enum err e = ERR_OK;
    (void)t;
    for (size_t i = 0; e == ERR_OK && i < f->count; i++)
        e = add_event(f, &f->hits[i]);
    return e;
}

static bool write_text(const struct find *f, struct buf *out)
{
    char from[BILL_DAY_TEXT_MAX], end[BILL_DAY_TEXT_MAX];
    bool ok = buf_printf(out, "%.300s: %s\n%s to %s, compared with the %s before.\n\n", f->rule->doc->title.p,
                         f->report->title.p, watch_day(f->now->from, from), watch_day(f->now->until - 1, end),
                         intervals[f->rule->interval].text);
    for (size_t i = 0; ok && i < f->count && i < SHOWN_MAX; i++) {
        const struct hit *h = &f->hits[i];
        char before[WATCH_USD_MAX], now[WATCH_USD_MAX], part[WATCH_PERCENT_MAX];
        struct buf name;
        buf_init(&name, NAME_MAX_BYTES);
        join(h->row, f->groups, ", ", "(none)", &name);
        ok = buf_printf(
            out, "%.*s: %s, was %s (%s%s)\n", STR_ARG(buf_str(&name)), watch_usd(watch_of_pusd(h->now), now),
            watch_usd(watch_of_pusd(h->before), before), h->now > h->before && h->before ? "+" : "",
            h->before ? watch_percent(watch_of_pusd(h->now - h->before), watch_of_pusd(h->before), part) : "new");
        buf_free(&name);
    }
    if (ok && f->count > SHOWN_MAX)
        ok = buf_printf(out, "… and %zu more\n", f->count - SHOWN_MAX);
    return ok;
}

static bool write_json(const struct find *f, struct buf *out)
{
    struct json_write w;
    char from[BILL_DAY_TEXT_MAX], end[BILL_DAY_TEXT_MAX];
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_member_string(&w, "cost_alert_token", f->rule->doc->token);
    json_write_member_string(&w, "title", f->rule->doc->title);
    json_write_member_string(&w, "cost_report_token", f->report->token);
    json_write_member_string(&w, "start_date", str_of(from, bill_day_format(f->now->from, from)));
    json_write_member_string(&w, "end_date", str_of(end, bill_day_format(f->now->until - 1, end)));
    json_write_key(&w, STR("changes"));
    json_write_array(&w);
    for (size_t i = 0; i < f->count && i < SHOWN_MAX; i++) {
        json_write_object(&w);
        json_write_key(&w, STR("groupings"));
        json_write_array(&w);
        for (unsigned k = 0; k < f->groups; k++)
            json_write_string(&w, str_head(f->hits[i].row->values[k], NAME_MAX_BYTES));
        json_write_array_end(&w);
        json_write_key(&w, STR("amount"));
        json_write_money_string(&w, f->hits[i].now);
        json_write_key(&w, STR("previous_amount"));
        json_write_money_string(&w, f->hits[i].before);
        json_write_object_end(&w);
    }
    json_write_array_end(&w);
    json_write_object_end(&w);
    return json_write_done(&w);
}

static enum err say(struct find *f)
{
    struct watch_turn *t = f->rule->turn;
    struct watch_people people = {.count = 0};
    char key[WATCH_KEY_MAX], subject[NOTIFY_SUBJECT_MAX];
    struct buf text, json, first;
    qsort(f->hits, f->count, sizeof f->hits[0], by_size);
    int k = snprintf(key, sizeof key, "message/%.*s", STR_ARG(f->hits[0].key_text));
    buf_init(&first, NAME_MAX_BYTES);
    describe(f, &f->hits[0], &first);
    int n = snprintf(subject, sizeof subject, "%.100s: %.*s", f->rule->doc->title.p,
                     (int)str_head(buf_str(&first), 180).n, buf_str(&first).p);
    buf_free(&first);
    buf_init(&text, WATCH_MESSAGE_MAX);
    buf_init(&json, WATCH_MESSAGE_MAX);
    bool ok = write_text(f, &text);
    (void)ok; /* a list that is too long is cut */
    watch_people_add(t, f->report->workspace, f->rule->body, &people);
    struct watch_alert alert = {
        .kind = KIND,
        .key = str_of(key, (size_t)k),
        .workspace = f->report->workspace,
        .people = &people,
        .subject = str_of(subject, (size_t)n < sizeof subject ? (size_t)n : sizeof subject - 1),
        .text = buf_str(&text),
        .link = STR("/console/"),
        .json = write_json(f, &json) ? buf_str(&json) : STR("{}"),
        .reports = &f->report->token,
        .report_count = 1,
        .day = f->now->until - 1 < t->today ? f->now->until - 1 : t->today,
        .with = add_events,
        .with_ctx = f,
    };
    enum err e = watch_fire(t, &alert, NULL);
    buf_free(&text);
    buf_free(&json);
    return e;
}

/* ---- an alert ---- */

static enum err one_period(struct find *f, const struct side *before, const struct side *now)
{
    f->before = before;
    f->now = now;
    f->count = 0;
    enum err e = compare(f);
    return e == ERR_OK && f->count ? say(f) : e;
}

/* From the oldest period to the one under way, each loaded once. */
static enum err walk(struct find *f, struct question *q)
{
    const struct rule *r = f->rule;
    struct watch_turn *t = r->turn;
    int64_t back = intervals[r->interval].back, made = bill_day_of(r->doc->created_us);
    struct side before = {.count = 0}, now = {.count = 0};
    enum err e = ERR_OK;
    f->groups = q->query.group_count;
    for (int64_t n = back + 1; e == ERR_OK && n >= 0 && !watch_ending(t); n--) {
        int64_t from = period_start(r->interval, t->today, n), until = period_start(r->interval, t->today, n - 1);
        bool wanted = n <= 1 || until > made, wanted_next = n <= 2 || period_start(r->interval, t->today, n - 2) > made;
        if (!wanted && !wanted_next)
            continue;
        drop(&before);
        before = now;
        now = (struct side){.from = from, .until = until};
        e = load(t, q, &now);
        if (e == ERR_OK && wanted && n <= back && before.result)
            e = one_period(f, &before, &now);
    }
    drop(&before);
    drop(&now);
    return e;
}

static enum err on_report(const struct rule *r, struct str token, struct hit *hits)
{
    struct watch_turn *t = r->turn;
    struct doc report;
    struct question *q;
    struct jdoc body;
    char why[QUESTION_WHY_MAX];
    struct find f = {.rule = r, .report = &report, .hits = hits};
    if (docs_find(t->docs, DOCS_COST_REPORT, token, t->arena, &report) != ERR_OK)
        return ERR_OK;
    enum err e = watch_question(t, &report, &q);
    if (e != ERR_OK)
        return e;
    jdoc_init(&body);
    bool read = jdoc_parse(&body, report.body);
    must(read); /* ours */
    if (!jdoc_text(jdoc_get(jdoc_root(&body), "groupings"), t->arena).n)
        e = question_groups(q, STR("provider,service"), why);
    jdoc_free(&body);
    q->query.bin = COST_BIN_TOTAL;
    if (e == ERR_OK)
        e = walk(&f, q);
    question_free(q);
    return e;
}

static bool read_rule(struct rule *r)
{
    bool exact;
    r->interval = INTERVAL_COUNT;
    for (unsigned i = 0; i < INTERVAL_COUNT; i++)
        if (jdoc_is(jdoc_get(r->body, "interval"), intervals[i].text))
            r->interval = (enum interval)i;
    r->percent = jdoc_is(jdoc_get(r->body, "unit_type"), "percentage");
    r->minimum = 0;
    struct jval minimum = jdoc_find(r->body, "minimum_threshold");
    return r->interval < INTERVAL_COUNT &&
           bill_decimal_read(jdoc_raw(jdoc_get(r->body, "threshold")), PLACES, &r->threshold, &exact) &&
           (!jdoc_has(minimum) || bill_decimal_read(jdoc_raw(minimum), PLACES, &r->minimum, &exact));
}

static enum err look(struct watch_turn *t, const struct doc *doc, struct jval body)
{
    struct rule r = {.turn = t, .doc = doc, .body = body};
    struct jval list = jdoc_get(body, "report_tokens");
    struct hit *hits = mem_alloc((HITS_MAX + 1) * sizeof *hits);
    enum err first = ERR_OK;
    for (struct jval v = jdoc_first(list); read_rule(&r) && jdoc_has(v); v = jdoc_next(list, v)) {
        enum err e = on_report(&r, jdoc_text(v, t->arena), hits);
        first = first == ERR_OK ? e : first;
    }
    mem_free(hits);
    return first;
}

enum err eval_change_run(struct watch_turn *t)
{
    return watch_each(t, DOCS_COST_ALERT, look);
}
