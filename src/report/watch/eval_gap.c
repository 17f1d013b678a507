/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gap between bill and metering: said when it was above so many percent on each of the last so many settled days, for
 * every organization's bill. Said again only when it has moved by as much again, or was below in between; the mark
 * "gap/ACCOUNT" is the share that was said last, in parts per million. Days on which next to nothing was billed
 * or metered are within the tolerance of reconciliation and end a run.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_write.h"
#include "base/log.h"
#include "base/must.h"
#include "report/match/match_links.h"
#include "report/reconcile/reconcile.h"
#include "report/watch/watch_fire.h"
#include "report/watch/watch_inner.h"
#include "report/watch/watch_text.h"

#define KIND "reconciliation_gap"
#define SETTLED_DAYS 2 /* a day is settled 48 hours after its end */
#define DAYS_MAX 31
#define PPM 1000000

struct look {
    struct watch_turn *turn;
    struct watch_gap rule;
    const struct match_link *links;
    size_t link_count;
    const struct bill_account *account;
    int64_t workspace;   /* that is told */
    int64_t from, until; /* days */
};

static cost_sum size_of(cost_sum v)
{
    return v < 0 ? -v : v;
}

/* Billed less metered, of the larger of both, in parts per million. */
static int64_t share_of(cost_sum billed, cost_sum metered)
{
    cost_sum larger = size_of(billed) > size_of(metered) ? size_of(billed) : size_of(metered);
    return larger >= PPM ? (int64_t)((billed - metered) / (larger / PPM)) : 0;
}

/* Whether every day of the result is beyond the rule. */
static bool is_beyond(const struct look *l, const struct reconcile *r)
{
    for (size_t i = 0; i < r->day_count; i++) {
        const struct reconcile_day *d = &r->days[i];
        bool settled = d->state == RECONCILE_DAY_FINAL || d->state == RECONCILE_DAY_INCONSISTENT;
        cost_sum gap = size_of(d->billed - d->metered);
        if (!settled || gap <= watch_of_pusd(l->rule.least_pusd) ||
            llabs(share_of(d->billed, d->metered)) <= (int64_t)l->rule.ppm)
            return false;
    }
    return r->day_count == l->rule.days;
}

/* --- the message ----------------------------------------------------------------------------- */

static bool write_text(const struct look *l, const struct reconcile *r, struct buf *out)
{
    const struct reconcile_sums *s = &r->total.sums;
    char billed[WATCH_USD_MAX], metered[WATCH_USD_MAX], gap[WATCH_USD_MAX], from[BILL_DAY_TEXT_MAX],
        last[BILL_DAY_TEXT_MAX];
    bool ok =
        buf_printf(out,
                   "OpenAI's bill of %.*s and what the gateway metered have differed by more than %u.%u%% on each "
                   "day from %s to %s.\n\nBilled:  %s\nMetered: %s\nGap:     %s\n\n",
                   STR_ARG(l->account->organization), l->rule.ppm / 10000, l->rule.ppm / 1000 % 10,
                   watch_day(l->from, from), watch_day(l->until - 1, last), watch_usd(s->billed, billed),
                   watch_usd(s->metered, metered), watch_usd(s->billed - s->metered, gap));
    for (unsigned i = RECONCILE_CAUSE_NONE + 1; ok && i < RECONCILE_CAUSE_COUNT; i++)
        if (s->cause[i])
            ok = buf_printf(out, "%s: %s\n", watch_usd(s->cause[i], gap),
                            reconcile_cause_sentence((enum reconcile_cause)i));
    for (size_t i = 0; ok && i < r->shadow_count && i < 5; i++)
        ok = buf_printf(out, "%sproject %.*s, key %.*s: %s, never seen by the gateway\n", i ? "" : "\n",
                        STR_ARG(r->shadows[i].project), STR_ARG(r->shadows[i].key),
                        watch_usd(r->shadows[i].billed, billed));
    return ok && buf_printf(out, "\ntollgate reconcile --since %s has the details.\n", from);
}

static bool write_json(const struct look *l, const struct reconcile *r, struct buf *out)
{
    const struct reconcile_sums *s = &r->total.sums;
    char text[COST_TEXT_MAX], day[BILL_DAY_TEXT_MAX];
    struct json_write w;
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_member_string(&w, "organization", l->account->organization);
    json_write_member_string(&w, "start_date", str_of(day, bill_day_format(l->from, day)));
    json_write_member_string(&w, "end_date", str_of(day, bill_day_format(l->until - 1, day)));
    json_write_member_string(&w, "billed", str_of(text, cost_amount_format(s->billed, text)));
    json_write_member_string(&w, "metered", str_of(text, cost_amount_format(s->metered, text)));
    json_write_member_string(&w, "gap", str_of(text, cost_amount_format(s->billed - s->metered, text)));
    json_write_member_string(&w, "cause", str_c(reconcile_cause_text(r->total.cause)));
    json_write_object_end(&w);
    return json_write_done(&w);
}

static enum err say(const struct look *l, const struct reconcile *r)
{
    struct watch_people people = {.admins = true};
    char key[WATCH_KEY_MAX], subject[NOTIFY_SUBJECT_MAX], day[BILL_DAY_TEXT_MAX], gap[WATCH_USD_MAX];
    struct buf text, json;
    cost_sum apart = r->total.sums.billed - r->total.sums.metered;
    int k = snprintf(key, sizeof key, "%lld/%s", (long long)l->account->id, watch_day(l->until - 1, day));
    int n = snprintf(subject, sizeof subject, "OpenAI billed %s %s than was metered in %u days",
                     watch_usd(size_of(apart), gap), apart > 0 ? "more" : "less", l->rule.days);
    buf_init(&text, WATCH_MESSAGE_MAX);
    buf_init(&json, WATCH_MESSAGE_MAX);
    bool ok = write_text(l, r, &text) && write_json(l, r, &json);
    must(ok);
    struct watch_alert alert = {.kind = KIND,
                                .key = str_of(key, (size_t)k),
                                .workspace = l->workspace,
                                .people = &people,
                                .subject = str_of(subject, (size_t)n),
                                .text = buf_str(&text),
                                .json = buf_str(&json),
                                .link = STR("/console/")};
    bool first = false;
    enum err e = watch_fire(l->turn, &alert, &first);
    if (e == ERR_OK && first)
        log_warn("bill_and_metering_differ", LOG_INT("account", l->account->id), LOG_STR("gap", str_c(gap)));
    buf_free(&text);
    buf_free(&json);
    return e;
}

/* --- judging --------------------------------------------------------------------------------- */

/* What was said last, in parts per million; 0: nothing since it was below. */
static enum err judge(struct look *l, const struct reconcile *r)
{
    char name[64], value[24];
    struct str mark;
    int64_t said = 0, share = share_of(r->total.sums.billed, r->total.sums.metered);
    bool beyond = is_beyond(l, r);
    snprintf(name, sizeof name, "gap/%lld", (long long)l->account->id);
    enum err e = watch_mark(l->turn, name, &mark);
    if (e != ERR_OK || (mark.n && !str_to_i64(mark, &said)))
        return e;
    if (beyond ? said && llabs(share - said) < (int64_t)l->rule.ppm : !said)
        return ERR_OK;
    if (beyond)
        e = say(l, r);
    int n = snprintf(value, sizeof value, "%lld", beyond ? (long long)share : 0LL);
    return e == ERR_OK ? watch_set_mark(l->turn, name, str_of(value, (size_t)n)) : e;
}

static enum err one_account(struct look *l)
{
    struct reconcile_query q = reconcile_query_month(bill_month_of(l->turn->today), l->turn->now_us);
    struct reconcile *result;
    struct cost_error error;
    l->until = l->turn->today - SETTLED_DAYS;
    l->from = l->until - l->rule.days;
    q.scope = (struct cost_scope){
        .accounts = &l->account->id, .account_count = 1, .workspaces = &l->workspace, .workspace_count = 1};
    q.links = l->links;
    q.link_count = l->link_count;
    q.from_day = l->from;
    q.until_day = l->until;
    enum err e = reconcile_run(l->turn->dir, &q, &result, &error);
    if (e != ERR_OK) {
        log_warn("reconciliation_failed", LOG_INT("account", l->account->id), LOG_STR("why", str_c(error.text)));
        return e;
    }
    e = judge(l, result);
    reconcile_free(result);
    return e;
}

enum err eval_gap_run(struct watch_turn *t)
{
    struct look l = {.turn = t, .rule = watch_inner_gap(t->watch)};
    struct control *control = watch_inner_control(t->watch);
    struct match_link *links;
    struct bill_account *accounts;
    struct control_why why;
    size_t count;
    if (!t->bill || !control || !l.rule.days || l.rule.days > DAYS_MAX)
        return ERR_OK;
    enum err e = match_links_load(control, t->arena, &links, &l.link_count, &why);
    if (e == ERR_OK)
        e = bill_accounts(bill_reader_db(t->bill), 0, t->arena, &accounts, &count);
    l.links = links;
    enum err first = e;
    for (size_t i = 0; e == ERR_OK && i < count && !watch_ending(t); i++) {
        if (accounts[i].kind != BILL_IMPORTED_COSTS || accounts[i].status != BILL_IMPORTED)
            continue;
        l.account = &accounts[i];
        l.workspace = question_told(t->docs, l.account, t->arena);
        if (!l.workspace)
            continue;
        enum err failed = one_account(&l); /* the others are looked at all the same */
        first = first == ERR_OK ? failed : first;
    }
    return first;
}
