/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting after a restart: requests are counted while they are recorded, over a month's end; then a
 * fresh set of counters is filled from the ledger, and every rule must stand where it stood.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"
#include "gateway/limits/rebuild.h"
#include "ledger/drain/drain.h"
#include "ledger/query.h"
#include "ledger/schema.h"
#include "ledger_fixture.h"
#include "limits_rig.h"

#define COUNT 4000
#define STEP_US INT64_C(21000000)          /* 23 hours in all */
#define FIRST_US INT64_C(1796032800000000) /* 2026-11-30T10:00:00Z */
#define LAST_US (FIRST_US + (int64_t)COUNT * STEP_US)
#define RULES 14

static char dir[FIXTURE_PATH_MAX];
static struct query *q;
static struct limits *live;
static struct snapshot *s;
static struct fixture_record *records;

static struct limit policy(enum limit_kind kind, enum limit_measure measure, const char *conditions,
                           const char *group_by, enum window_unit unit)
{
    return (struct limit){.attach = LIMIT_POLICY,
                          .workspace_id = 1,
                          .name = STR("p"),
                          .kind = kind,
                          .measure = measure,
                          .window = {unit, 1, 0},
                          .max = LIMIT_AMOUNT_MAX,
                          .conditions = str_c(conditions),
                          .group_by = str_c(group_by)};
}

static struct limit budget(enum limit_attach attach, int64_t id, enum window_unit unit, int64_t from_us)
{
    struct limit l = limits_rig_budget(attach, id, 1000000000, LIMIT_HARD);
    l.window = (struct window){unit, 1, 0};
    l.counted_from_us = from_us;
    l.alert_at = 1;
    return l;
}

/* The rules that there are at that moment. */
static struct snapshot *make_rules(int64_t now_us)
{
    struct limit rules[RULES] = {
        budget(LIMIT_KEY, 11, WINDOW_MONTH, 0),
        budget(LIMIT_KEY, 11, WINDOW_NEVER, FIRST_US + INT64_C(7777) * 1000000), /* begins inside of an hour */
        budget(LIMIT_KEY, 12, WINDOW_DAY, LAST_US - INT64_C(20000000) * 60),
        budget(LIMIT_MEMBER, 5, WINDOW_WEEK, 0),
        budget(LIMIT_WORKSPACE, 1, WINDOW_NEVER, 0),
        limits_rig_rate(LIMIT_WORKSPACE, 1, LIMIT_REQUESTS, LIMIT_AMOUNT_MAX, WINDOW_DAY),
        limits_rig_rate(LIMIT_WORKSPACE, 1, LIMIT_TOKENS, LIMIT_AMOUNT_MAX, WINDOW_MINUTE),
        limits_rig_rate(LIMIT_INTEGRATION, 21, LIMIT_REQUESTS, LIMIT_AMOUNT_MAX, WINDOW_WEEK),
        budget(LIMIT_ACCESS, 22, WINDOW_MONTH, 0),
        limits_rig_cap(LIMIT_KEY, 12, LIMIT_AMOUNT_MAX, LIMIT_AMOUNT_MAX, LIMIT_AMOUNT_MAX, WINDOW_HOUR),
        policy(LIMIT_BUDGET, LIMIT_COST, "[{\"key\":\"provider\",\"value\":\"@second\"}]", "[{\"key\":\"api_key\"}]",
               WINDOW_MONTH),
        policy(LIMIT_BUDGET, LIMIT_TOKENS, "[{\"key\":\"metadata.env\",\"excludes\":\"test\"}]",
               "[{\"key\":\"metadata.team\"},{\"key\":\"model\"}]", WINDOW_DAY),
        policy(LIMIT_BUDGET, LIMIT_COST, "[{\"key\":\"config\",\"value\":\"*\"}]", "[{\"key\":\"model\"}]",
               WINDOW_NEVER),
        policy(LIMIT_RATE, LIMIT_REQUESTS, "", "[{\"key\":\"metadata.team\"}]", WINDOW_HOUR),
    };
    size_t n = 0;
    for (size_t i = 0; i < RULES; i++) {
        rules[i].id = (int64_t)i + 1;
        if (rules[i].counted_from_us <= now_us)
            rules[n++] = rules[i];
    }
    return limits_rig_snapshot(rules, n);
}

/* Every kind of row that there is. */
static void make_record(struct fixture_record *f, uint64_t i, struct rng_seeded *g)
{
    static const char *const metadata[] = {"", "{\"team\":\"a\"}", "{\"team\":\"b\",\"env\":\"test\"}",
                                           "{\"team\":\"c\",\"env\":\"prod\"}"};
    static const char *const models[] = {"gpt-4o", "gpt-4o-mini", "o3"};
    static const char *const configs[] = {"", "pc-one"};
    fixture_record(f, 5, i, record_id_floor(FIRST_US + (int64_t)i * STEP_US), false);
    struct record *r = &f->r;
    r->workspace_id = 1;
    r->key_id = 11 + (int64_t)rng_seeded_below(g, 2);
    r->integration_id = rng_seeded_below(g, 5) ? 21 + (int64_t)rng_seeded_below(g, 2) : 0;
    r->attempt = i > 0 && rng_seeded_below(g, 6) == 0;
    r->request_id = r->attempt ? record_id_floor(FIRST_US + (int64_t)(i - 1) * STEP_US) : r->id;
    r->model_asked = str_c(models[rng_seeded_below(g, 3)]);
    r->metadata = str_c(metadata[rng_seeded_below(g, 4)]);
    r->routing.config = str_c(configs[rng_seeded_below(g, 2)]);
    r->routing.provider = rng_seeded_below(g, 2) ? STR("openai") : STR("");
    r->routing.cache = rng_seeded_below(g, 5) ? RECORD_CACHE_DISABLED : RECORD_CACHE_HIT;
    r->usage.input_total_tok = rng_seeded_below(g, 3000);
    r->usage.output_total_tok = rng_seeded_below(g, 3000);
    r->cost.state = rng_seeded_below(g, 6) ? COST_PRICED : COST_UNPRICED;
    memset(r->cost.part_pusd, 0, sizeof r->cost.part_pusd);
    r->cost.total_pusd = r->cost.state == COST_PRICED ? (int64_t)rng_seeded_below(g, USD / 100) : 0;
    r->cost.part_pusd[METER_INPUT] = r->cost.total_pusd;
}

static void count_live(const struct record *r)
{
    struct snapshot *now = make_rules(record_id_time_us(r->id));
    snapshot_unref(s);
    s = now;
    struct limits_subject key = limits_rig_subject(s, r->key_id, r->integration_id);
    const struct limits_estimate e = {.cost_pusd = USD, .input_tok = 5};
    bool hit = r->routing.cache == RECORD_CACHE_HIT;
    const struct limits_actual a = {.cost_pusd = r->cost.total_pusd,
                                    .unpriced = r->cost.state == COST_UNPRICED,
                                    .input_tok = hit && r->cost.state != COST_UNPRICED ? 0 : r->usage.input_total_tok,
                                    .output_tok =
                                        hit && r->cost.state != COST_UNPRICED ? 0 : r->usage.output_total_tok};
    struct limits_hold *hold = NULL;
    struct limits_refusal no;
    key.metadata = r->metadata;
    key.config = r->routing.config;
    key.model = r->model_asked;
    key.provider = r->integration_id ? STR("openai") : r->routing.provider;
    key.again = r->attempt > 0;
    assert_true(limits_admit(live, &key, LIMITS_BEFORE, &e, record_id_time_us(r->id), &hold, &no));
    assert_true(limits_admit(live, &key, LIMITS_TARGET, &e, record_id_time_us(r->id), &hold, &no));
    limits_settle(live, &hold, &a);
}

static void fill(void)
{
    char journal_dir[FIXTURE_PATH_MAX], bodies_dir[FIXTURE_PATH_MAX], path[FIXTURE_PATH_MAX];
    struct drain_options o = {.journal_dir = journal_dir, .bodies_dir = bodies_dir};
    struct drain *d;
    struct rng_seeded g = {99};
    fixture_path(journal_dir, dir, SCHEMA_JOURNAL_DIR);
    fixture_path(bodies_dir, dir, SCHEMA_BODIES_DIR);
    fixture_path(path, dir, SCHEMA_FILE);
    assert_int_equal(file_mkdir(journal_dir, 0700), ERR_OK);
    assert_int_equal(file_mkdir(bodies_dir, 0700), ERR_OK);
    const struct journal_options jo = {.dir = journal_dir, .first_sequence = 1};
    assert_int_equal(journal_open(&jo, &o.journals[0]), ERR_OK);
    o.live_from[0] = 1;
    assert_int_equal(store_open(path, NULL, &o.db), ERR_OK);
    assert_int_equal(schema_migrate(o.db), ERR_OK);
    assert_int_equal(drain_open(&o, &d), ERR_OK);
    for (uint64_t i = 0; i < COUNT; i++) {
        make_record(&records[i], i, &g);
        if (records[i].r.routing.cache == RECORD_CACHE_HIT)
            records[i].r.cost.state = COST_FREE, records[i].r.cost.total_pusd = records[i].r.cost.part_pusd[0] = 0;
        journal_add(o.journals[0], &records[i].r);
        count_live(&records[i].r);
    }
    assert_int_equal(journal_flush(o.journals[0]), ERR_OK);
    for (bool more = true; more;)
        assert_int_equal(drain_batch(d, &more), ERR_OK);
    drain_close(d);
    journal_close(o.journals[0]);
    assert_int_equal(store_checkpoint(o.db), ERR_OK);
    store_close(o.db);
}

static int begin(void **state)
{
    (void)state;
    fixture_dir(dir);
    records = mem_zalloc(COUNT * sizeof *records);
    s = make_rules(0);
    live = limits_new(NULL);
    fill();
    assert_int_equal(query_open(dir, &q), ERR_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    query_close(q);
    limits_free(live);
    snapshot_unref(s);
    mem_free(records);
    fixture_remove(dir);
    return 0;
}

struct seen {
    struct limits_state list[64];
    char groups[64][POLICY_GROUP_TEXT_MAX];
    size_t n;
};

static bool see(void *context, const struct limits_state *state)
{
    struct seen *seen = context;
    assert_true(seen->n < 64);
    seen->list[seen->n] = *state;
    memcpy(seen->groups[seen->n], state->group_text.p, state->group_text.n);
    seen->list[seen->n].group_text.p = seen->groups[seen->n];
    seen->n++;
    return true;
}

static const struct limits_state *same_group(const struct seen *in, struct str group)
{
    for (size_t i = 0; i < in->n; i++)
        if (str_eq(in->list[i].group_text, group))
            return &in->list[i];
    return NULL;
}

static void compare_rule(struct limits *fresh, int64_t id, int64_t now)
{
    static struct seen want, got;
    const struct ruleset_rule *rule = ruleset_rule_of(snapshot_limits(s), id);
    want.n = got.n = 0;
    limits_states_of(live, rule, now, see, &want);
    limits_states_of(fresh, rule, now, see, &got);
    for (size_t i = 0; i < want.n; i++) {
        const struct limits_state *w = &want.list[i], *g = same_group(&got, w->group_text);
        if (!g && w->used == 0)
            continue;
        if (!g || g->used != w->used || g->input_used != w->input_used || g->reserved != 0 ||
            g->window_start_us != w->window_start_us || g->alerted != w->alerted)
            fail_msg("rule %lld, group \"%.*s\": %lld live, %lld rebuilt", (long long)id, STR_ARG(w->group_text),
                     (long long)w->used, g ? (long long)g->used : -1);
    }
    assert_true(got.n <= want.n);
}

static void counters_stand_where_they_stood(void **state)
{
    (void)state;
    struct limits_rebuilt done;
    int64_t now = record_id_time_us(records[COUNT - 1].r.id) + 1000;
    struct limits *fresh = limits_new(NULL);
    assert_int_equal(limits_rebuild(fresh, s, q, now, &done), ERR_OK);
    assert_int_equal(done.rules, RULES);
    assert_true(done.groups > 0);
    assert_true(done.rows > 0 && done.rows < COUNT + 600);
    for (int64_t id = 1; id <= RULES; id++)
        compare_rule(fresh, id, now);
    limits_free(fresh);
}

/* Something was counted at all. */
static void every_rule_has_counted_something(void **state)
{
    (void)state;
    int64_t now = record_id_time_us(records[COUNT - 1].r.id) + 1000;
    for (int64_t id = 1; id <= RULES; id++) {
        static struct seen seen;
        int64_t used = 0;
        seen.n = 0;
        limits_states_of(live, ruleset_rule_of(snapshot_limits(s), id), now, see, &seen);
        for (size_t i = 0; i < seen.n; i++)
            used += seen.list[i].used;
        if (!used)
            fail_msg("rule %lld has counted nothing", (long long)id);
    }
}

static void without_rules_nothing_is_read(void **state)
{
    (void)state;
    struct limits_rebuilt done;
    struct snapshot *none = limits_rig_snapshot(NULL, 0);
    struct limits *fresh = limits_new(NULL);
    assert_int_equal(limits_rebuild(fresh, none, q, LAST_US, &done), ERR_OK);
    assert_int_equal(done.groups + done.rows, 0);
    limits_free(fresh);
    snapshot_unref(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_has_counted_something),
        cmocka_unit_test(counters_stand_where_they_stood),
        cmocka_unit_test(without_rules_nothing_is_read),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
