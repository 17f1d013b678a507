/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox drops an id that it has had, as notify_send promises. */
#include "watch_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "report/cost/cost_dates.h"

#define ACCOUNT 3
#define ROWS_MAX 64

static int64_t now_us;
static size_t taken;

static int64_t fake_wall(void)
{
    return now_us;
}

static uint64_t fake_mono(void)
{
    return (uint64_t)now_us;
}

void watch_rig_now(const char *text)
{
    static const struct clock_source fake = {fake_mono, fake_wall};
    if (!clock_parse(str_c(text), &now_us))
        fail_msg("%s is no time", text);
    clock_set_source(&fake);
}

int64_t watch_rig_day(const char *text)
{
    int64_t day = 0;
    if (!cost_dates_day_parse(str_c(text), &day))
        fail_msg("%s is no day", text);
    return day;
}

static enum err outbox(void *ctx, const struct notify_message *m)
{
    struct watch_rig *r = ctx;
    if (r->answer != ERR_OK)
        return r->answer;
    for (size_t i = 0; i < r->count; i++)
        if (str_eq(str_c(r->sent[i].id), m->id))
            return ERR_OK;
    assert_true(r->count < WATCH_RIG_MESSAGES);
    struct watch_rig_message *s = &r->sent[r->count++];
    s->channel = m->channel;
    str_copy(s->kind, sizeof s->kind, str_c(m->kind));
    str_copy(s->id, sizeof s->id, m->id);
    str_copy(s->to, sizeof s->to, m->to);
    str_copy(s->subject, sizeof s->subject, m->subject);
    str_copy(s->text, sizeof s->text, m->text);
    str_copy(s->json, sizeof s->json, m->json);
    if (r->log >= 0) {
        char line[NOTIFY_ID_MAX + 2];
        int n = snprintf(line, sizeof line, "%s\n", s->id);
        assert_int_equal(write(r->log, line, (size_t)n), n);
    }
    return ERR_OK;
}

static void open_all(struct watch_rig *r)
{
    char why[WATCH_WHY_MAX] = "";
    struct watch_options o = {.dir = r->dir, .send = outbox, .send_ctx = r, .by_hand = true};
    if (bill_open(r->dir, &r->bill, why, sizeof why) != ERR_OK ||
        docs_open(r->dir, &r->docs, why, sizeof why) != ERR_OK || watch_open(&o, &r->watch, why) != ERR_OK)
        fail_msg("%s", why);
}

static void close_all(struct watch_rig *r)
{
    watch_close(r->watch);
    docs_close(r->docs);
    bill_close(r->bill);
}

void watch_rig_open(struct watch_rig *r)
{
    *r = (struct watch_rig){.log = -1};
    taken = 0;
    snprintf(r->dir, sizeof r->dir, "/tmp/test_watch.XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    r->arena = arena_new(1u << 16, 64u << 20);
    open_all(r);
    assert_int_equal(bill_account_put(r->bill, ACCOUNT, WATCH_RIG_PLACE, STR("admin"), 20000, 1), ERR_OK);
}

void watch_rig_reopen(struct watch_rig *r)
{
    close_all(r);
    open_all(r);
}

void watch_rig_close(struct watch_rig *r)
{
    char command[128];
    close_all(r);
    arena_free(r->arena);
    clock_set_source(NULL);
    snprintf(command, sizeof command, "rm -rf '%s'", r->dir);
    assert_int_equal(system(command), 0);
}

void watch_rig_bill(struct watch_rig *r, int64_t day, const char *rows)
{
    struct bill_cost costs[ROWS_MAX];
    struct bill_day d = {.account = ACCOUNT, .day = day, .costs = costs, .now_us = now_us};
    struct bill_stored stored;
    struct str rest = str_c(rows), row;
    while (str_split(&rest, ';', &row)) {
        struct str item, amount, key = STR("");
        bool ok = str_split(&row, '=', &item) && str_split(&row, '@', &amount);
        if (!ok)
            continue;
        if (row.p)
            key = row;
        assert_true(d.count < ROWS_MAX);
        costs[d.count++] = (struct bill_cost){.project = STR("proj_a"),
                                              .key = key,
                                              .line_item = item,
                                              .charge = BILL_CHARGE_USAGE,
                                              .amount = amount,
                                              .quantity = STR("")};
    }
    if (bill_day_put(r->bill, &d, &stored) != ERR_OK)
        fail_msg("%s", bill_reason(r->bill));
}

struct str watch_rig_make(struct watch_rig *r, enum docs_kind kind, const char *format, ...)
{
    char *text = mem_alloc(DOCS_BODY_MAX);
    struct docs_new what = {.kind = kind, .workspace = WATCH_RIG_PLACE};
    struct arena *arena = arena_new(1u << 16, 8u << 20);
    struct jdoc given;
    struct doc doc;
    va_list args;
    va_start(args, format);
    vsnprintf(text, DOCS_BODY_MAX, format, args);
    va_end(args);
    jdoc_init(&given);
    if (!jdoc_parse(&given, str_c(text)))
        fail_msg("%s", text);
    if (docs_create(r->docs, &what, jdoc_root(&given), arena, &doc) != ERR_OK)
        fail_msg("%s", docs_reason(r->docs));
    jdoc_free(&given);
    mem_free(text);
    struct str token = arena_dup(r->arena, doc.token);
    arena_free(arena);
    return token;
}

void watch_rig_round(struct watch_rig *r)
{
    assert_int_equal(watch_round(r->watch, true), ERR_OK);
}

const struct watch_rig_message *watch_rig_take(struct watch_rig *r, const char *kind)
{
    if (taken == r->count)
        fail_msg("no message where %s was to be", kind);
    assert_string_equal(r->sent[taken].kind, kind);
    return &r->sent[taken++];
}

void watch_rig_none(struct watch_rig *r)
{
    if (taken < r->count)
        fail_msg("a message too many: %s: %s", r->sent[taken].kind, r->sent[taken].subject);
}

int64_t watch_rig_number(struct watch_rig *r, const char *sql)
{
    struct store_stmt *st;
    bool row = false;
    assert_int_equal(store_prepare(docs_db(r->docs), sql, &st), ERR_OK);
    assert_int_equal(store_step(st, &row), ERR_OK);
    int64_t value = row ? store_i64(st, 0) : -1;
    store_done(st);
    return value;
}
