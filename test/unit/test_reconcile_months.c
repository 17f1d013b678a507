/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The identities of reconciliation on random months of simulated use: late data, restatements, deletions, retries, cut
 * streams, answers out of the cache, traffic around the gateway, other prices, free tokens. What the rows should add up to
 * is summed here while the use is made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "ledger_fixture.h"
#include "reconcile_rig.h"

#define MONTHS 1000
#define DAYS 30
#define CALLS_MAX 60

struct sums {
    money_sum billed, metered, excluded;
    money_sum by_key[4];
};

struct play {
    struct reconcile_rig *r;
    struct rng_seeded rng;
    bool honest; /* everything passes through the gateway, nothing else happens */
    int64_t first;
    struct sums s;
};

static const char *const keys[] = {"key_1", "key_2", "key_3", "key_9"};
static const char *const projects[] = {"proj_a", "proj_a", "proj_b", "proj_c"};
static const int64_t integrations[] = {RIG_ONE, RIG_TWO, RIG_THREE, 0};
static const char *const models[] = {"gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18", "text-embedding-3-small", "gpt-5.4",
                                     "gpt-no-price"};

static uint64_t below(struct play *p, uint64_t n)
{
    return rng_seeded_below(&p->rng, n);
}

static bool one_in(struct play *p, uint64_t n)
{
    return !p->honest && below(p, n) == 0;
}

static struct rig_call random_call(struct play *p, unsigned who)
{
    struct rig_call c = {.day = p->first + (int64_t)below(p, DAYS),
                         .second = (unsigned)below(p, 86400),
                         .integration = integrations[who],
                         .key = keys[who],
                         .project = projects[who],
                         .model = models[below(p, p->honest ? 4 : 5)],
                         .tier = ""};
    c.quantity[METER_INPUT] = 1 + below(p, one_in(p, 5) ? 2000000 : 20000);
    if (!strstr(c.model, "embedding")) {
        c.quantity[METER_CACHED] = below(p, 3) ? 0 : below(p, 20000);
        c.quantity[METER_OUTPUT] = 1 + below(p, 5000);
    }
    return c;
}

/* A day has bill rows in the order they were made; what is billed at any price is noted. */
static void bill(struct play *p, unsigned who, const struct rig_call *c, unsigned num, unsigned den)
{
    money_sum sum = reconcile_rig_bill(p->r, c, num, den);
    if (strcmp(c->model, "gpt-no-price") == 0) {
        struct rig_row row = {.unit = "tokens", .pusd = 1 + (money_sum)below(p, 5000000000), .quantity = 0};
        snprintf(row.project, sizeof row.project, "%s", c->project);
        snprintf(row.key, sizeof row.key, "%s", c->key);
        snprintf(row.line, sizeof row.line, "%s, input", c->model);
        reconcile_rig_bill_row(p->r, c->day, &row);
        sum += row.pusd;
    }
    p->s.billed += sum;
    p->s.by_key[who] += sum;
}

static void play_call(struct play *p)
{
    unsigned who = (unsigned)below(p, p->honest ? 3 : 4);
    struct rig_call c = random_call(p, who);
    unsigned tries = one_in(p, 8) ? 2 : 1;
    bool bypassed = who == 3 || one_in(p, 10), unbilled = one_in(p, 15), cut = one_in(p, 12);
    unsigned num = 1, den = 1;
    if (one_in(p, 10))
        num = (unsigned)below(p, 4), den = 2;
    if (one_in(p, 20)) {
        struct rig_call azure = c;
        azure.integration = RIG_AZURE;
        p->s.excluded += reconcile_rig_meter(p->r, &azure);
    }
    for (unsigned i = 0; i < tries; i++) {
        if (!unbilled)
            bill(p, who, &c, num, den);
        if (bypassed)
            continue;
        struct rig_call seen = c;
        if (cut) {
            seen.estimated = true;
            seen.quantity[METER_OUTPUT] = c.quantity[METER_OUTPUT] * below(p, 3) / 2;
        }
        p->s.metered += reconcile_rig_meter(p->r, &seen);
    }
    if (one_in(p, 10)) {
        c.cached = true;
        reconcile_rig_meter(p->r, &c);
    }
}

/* Late data and restatements: a day is first imported short, some rows are gone in between, the last state counts. */
static void import(struct play *p, int64_t now_us)
{
    for (int64_t day = p->first; day < p->first + DAYS; day++) {
        size_t n = p->r->row_count[day - p->first];
        if (!n)
            continue;
        if (one_in(p, 3))
            reconcile_rig_import(p->r, day, 1 + below(p, n), now_us);
        if (one_in(p, 4)) {
            reconcile_rig_import(p->r, day, 0, now_us);
            reconcile_rig_import(p->r, day, below(p, n), now_us);
        }
        reconcile_rig_import(p->r, day, 0, now_us);
        /* A deletion that stays. */
        struct rig_row *last = &p->r->rows[day - p->first][n - 1];
        if (one_in(p, 6)) {
            p->s.billed -= last->pusd;
            for (unsigned k = 0; k < 4; k++)
                p->s.by_key[k] -= strcmp(last->key, keys[k]) == 0 ? last->pusd : 0;
            p->r->row_count[day - p->first]--;
            reconcile_rig_import(p->r, day, 0, now_us);
        }
    }
    reconcile_rig_store(p->r);
}

/* --- checks ---------------------------------------------------------------------------------- */

static void check_identity(const struct reconcile_sums *s)
{
    cost_sum gap = s->billed - s->metered, causes = 0;
    for (unsigned i = 0; i < RECONCILE_CAUSE_COUNT; i++)
        causes += s->cause[i];
    assert_true(gap == s->volume + s->rate + s->pricing);
    assert_true(gap == causes);
    assert_true(s->billed == s->attributed + s->unattributed);
    assert_true(s->unattributed >= 0 && s->attributed >= 0);
}

static void check_groups(struct play *p, const struct reconcile_query *base, unsigned bits)
{
    struct reconcile_query q = *base;
    struct reconcile_sums sum = {.billed = 0};
    for (unsigned by = 0; by < RECONCILE_BY_COUNT; by++)
        if (bits >> by & 1)
            q.groups[q.group_count++] = (enum reconcile_by)by;
    struct reconcile *x = reconcile_rig_run(p->r, &q);
    for (size_t i = 0; i < x->row_count; i++) {
        const struct reconcile_sums *s = &x->rows[i].sums;
        check_identity(s);
        sum.billed += s->billed;
        sum.metered += s->metered;
        sum.volume += s->volume;
        sum.rate += s->rate;
        sum.pricing += s->pricing;
        sum.unattributed += s->unattributed;
        sum.attempts += s->attempts;
    }
    const struct reconcile_sums *t = &x->total.sums;
    check_identity(t);
    assert_true(sum.billed == t->billed && sum.metered == t->metered && sum.unattributed == t->unattributed);
    assert_true(sum.volume == t->volume && sum.rate == t->rate && sum.pricing == t->pricing);
    assert_int_equal(sum.attempts, t->attempts);
    assert_true(t->billed == p->s.billed * COST_PER_PUSD);
    assert_true(t->metered == p->s.metered * COST_PER_PUSD);
    if (p->honest)
        assert_true(t->billed == t->metered && !t->volume && !t->rate && !t->pricing && !t->unattributed);
    for (size_t i = 0; bits == 1u << RECONCILE_BY_KEY && i < x->row_count; i++)
        for (unsigned k = 0; k < 4; k++)
            if (str_eq(x->rows[i].values[0], str_c(keys[k])))
                assert_true(x->rows[i].sums.billed == p->s.by_key[k] * COST_PER_PUSD);
    cost_sum excluded = 0;
    for (size_t i = 0; i < x->excluded_count; i++)
        excluded += x->excluded[i].metered;
    assert_true(excluded == p->s.excluded * COST_PER_PUSD);
    reconcile_free(x);
}

struct given {
    money_sum billed, metered;
};

static bool add_given(void *ctx, const struct reconcile_billed *row)
{
    struct given *g = ctx;
    g->billed += row->billed;
    g->metered += row->metered;
    assert_true(row->metered >= 0);
    return true;
}

/* What rows of the bill are given of the metered side is never more than there is. */
static void check_each(struct play *p, const struct reconcile_query *q)
{
    struct given g = {0};
    struct cost_error error;
    assert_int_equal(reconcile_each(p->r->dir, q, add_given, &g, &error), ERR_OK);
    assert_true(g.billed == p->s.billed);
    assert_true(p->honest ? g.metered == p->s.metered : g.metered <= p->s.metered);
}

static void play_month(struct reconcile_rig *r, uint64_t seed)
{
    struct play p = {.r = r, .honest = seed % 5 == 0, .first = 20500 + (int64_t)(seed % 40), .rng = {seed}};
    reconcile_rig_clear(r, p.first);
    unsigned calls = 1 + (unsigned)below(&p, CALLS_MAX);
    for (unsigned i = 0; i < calls; i++)
        play_call(&p);
    int64_t now = bill_day_us(p.first + 10 + (int64_t)below(&p, 30));
    import(&p, now);
    struct reconcile_query q = reconcile_rig_query(r, p.first, p.first + DAYS, now);
    check_groups(&p, &q, 0);
    check_groups(&p, &q, 1u << RECONCILE_BY_KEY);
    check_groups(&p, &q, (unsigned)below(&p, 1u << RECONCILE_BY_COUNT));
    check_each(&p, &q);
}

static void identities_hold_on_random_months(void **state)
{
    struct reconcile_rig r;
    (void)state;
    reconcile_rig_open(&r, 20500);
    for (uint64_t seed = 0; seed < MONTHS * (uint64_t)fixture_scale(); seed++)
        play_month(&r, seed);
    reconcile_rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(identities_hold_on_random_months)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
