/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties that every cost has, over a million random usages of the whole catalogue, and the
 * single rules that the golden table does not show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/money.h"
#include "base/rng.h"
#include "base/str.h"
#include "openai/cost.h"
#include "openai/price_list.h"

#define RANDOM_USAGES 1000000
#define YEAR_US INT64_C(31556952000000)

static struct price_catalog *catalog;

static struct str pick(struct rng_seeded *g, const char *const *words, size_t n)
{
    return str_c(words[rng_seeded_below(g, n)]);
}

/* Mostly ids of the catalogue, some of them with something behind. */
static struct str random_model(struct rng_seeded *g, char *out, size_t cap)
{
    static const char *const odd[] = {"", "gpt-7", "*", "ft:gpt-4o:acme::1", "gpt-35-turbo", "davinci:ft-acme-2022"};
    static const char *const ends[] = {"", "", "", "", "", "-2026-11-22", "-latest", "-0613", "-micro", ":acme::1"};
    if (rng_seeded_below(g, 20) == 0)
        return pick(g, odd, sizeof odd / sizeof *odd);
    const struct price_model *m = price_list_model(catalog, rng_seeded_below(g, price_list_models(catalog)));
    struct str end = pick(g, ends, sizeof ends / sizeof *ends);
    str_copy(out, cap, m->id);
    str_copy(out + m->id.n, cap - m->id.n, end);
    return str_of(out, m->id.n + end.n);
}

static uint64_t random_quantity(struct rng_seeded *g)
{
    static const unsigned bits[] = {1, 4, 8, 10, 12, 16, 18, 19, 20, 24, 32};
    if (rng_seeded_below(g, 2000) == 0)
        return rng_seeded_u64(g); /* beyond every bill */
    return rng_seeded_u64(g) >> (64 - bits[rng_seeded_below(g, sizeof bits / sizeof *bits)]);
}

static void random_case(struct rng_seeded *g, char *name, size_t cap, struct price_query *q, struct usage *u)
{
    static const char *const operations[] = {"chat.completions",
                                             "responses",
                                             "completions",
                                             "embeddings",
                                             "images.generate",
                                             "audio.speech",
                                             "audio.transcriptions",
                                             "realtime",
                                             "videos.create",
                                             "live",
                                             "fine_tuning.jobs.create",
                                             "decisions",
                                             "moderations",
                                             "models.list",
                                             "containers.create",
                                             "other"};
    static const char *const tiers[] = {"",     "",         "",     "default",   "auto",
                                        "flex", "priority", "fast", "ultrafast", "turbo"};
    static const char *const qualities[] = {"", "auto", "standard", "hd", "low", "medium", "high", "active"};
    static const char *const sizes[] = {"", "auto", "1024x1024", "1024x1536", "1792x1024", "720x1280", "9x9"};
    *q = (struct price_query){
        .model = random_model(g, name, cap),
        .operation = pick(g, operations, rng_seeded_below(g, 3) ? 3 : sizeof operations / sizeof *operations),
        .service_tier = pick(g, tiers, sizeof tiers / sizeof *tiers),
        .quality = pick(g, qualities, sizeof qualities / sizeof *qualities),
        .size = pick(g, sizes, sizeof sizes / sizeof *sizes),
        .batch = rng_seeded_below(g, 8) == 0,
        .regional = rng_seeded_below(g, 4) == 0,
        .aggregate = rng_seeded_below(g, 16) == 0,
        .web_search_preview = rng_seeded_below(g, 4) == 0,
        .when_us = 51 * YEAR_US + (int64_t)rng_seeded_below(g, (uint64_t)(7 * YEAR_US)),
    };
    *u = (struct usage){.source = USAGE_REPORTED, .inconsistent = rng_seeded_below(g, 50) == 0};
    if (rng_seeded_below(g, 10) == 0)
        u->source = (enum usage_source)rng_seeded_below(g, USAGE_SOURCE_COUNT);
    /* Mostly the meters of text; sometimes any. */
    unsigned meters = rng_seeded_below(g, 4) ? METER_OUTPUT + 1 : METER_COUNT;
    for (unsigned n = 1 + (unsigned)rng_seeded_below(g, 4); n > 0; n--)
        u->quantity[rng_seeded_below(g, meters)] = random_quantity(g);
}

/* Makes it a request that could have happened: an operation of the model, meters it has, its time. */
static void make_plausible(struct rng_seeded *g, struct price_query *q, struct usage *u)
{
    const struct price_model *m = price_list_model(catalog, rng_seeded_below(g, price_list_models(catalog)));
    struct str operations = m->operations;
    enum price_match match;
    q->model = m->id;
    str_split(&operations, '|', &q->operation);
    int64_t from_us = m->released_us == PRICE_LIST_NO_DATE ? 50 * YEAR_US : m->released_us;
    q->when_us = from_us + (int64_t)rng_seeded_below(g, (uint64_t)YEAR_US);
    if (rng_seeded_below(g, 3)) {
        q->service_tier = STR("");
        q->batch = false;
    }
    struct price_ask ask = {.group = price_group_of(catalog, q->operation), .when_us = q->when_us};
    const struct price_entry *e = price_find(catalog, m->id, &match);
    for (unsigned meter = 0; meter < METER_COUNT; meter++) {
        struct price_unit unit;
        u->quantity[meter] = 0;
        if (e && rng_seeded_below(g, 3) && price_unit(catalog, e, meter, &ask, &unit) == PRICE_FOUND)
            u->quantity[meter] = random_quantity(g);
    }
}

static bool used(const struct usage *u)
{
    for (int m = 0; m < METER_COUNT; m++)
        if (u->quantity[m])
            return true;
    return false;
}

/* What holds for every cost, whatever the input. */
static void check_cost(const struct usage *u, const struct cost *cost)
{
    int64_t sum = 0;
    for (int m = 0; m < METER_COUNT; m++) {
        assert_true(cost->part_pusd[m] >= 0);
        assert_true(cost->part_pusd[m] == 0 || u->quantity[m] > 0);
        assert_true(money_add(&sum, cost->part_pusd[m]));
    }
    assert_true(sum == cost->total_pusd);
    switch (cost->state) {
    case COST_PRICED:
        assert_int_equal(cost->reason, COST_REASON_EXACT);
        assert_true(u->source != USAGE_ESTIMATED && u->source != USAGE_UNKNOWN && !u->inconsistent);
        /* Half a second of whisper is nothing; all else costs something. */
        assert_true(cost->total_pusd > 0 || !used(u) || u->quantity[METER_AUDIO_MS] < 500);
        break;
    case COST_ESTIMATED:
        assert_true(cost->reason >= COST_REASON_COUNTED_HERE);
        break;
    case COST_UNPRICED:
        assert_true(cost->reason > COST_REASON_EXACT && cost->reason < COST_REASON_COUNTED_HERE);
        assert_true(cost->total_pusd == 0 && cost->price_row == 0);
        assert_true(cost->meter == METER_COUNT || u->quantity[cost->meter] > 0);
        break;
    case COST_FREE:
    case COST_NONE:
        assert_true(cost->total_pusd == 0);
        break;
    case COST_STATE_COUNT:
        fail();
    }
}

static bool has_amount(const struct cost *cost)
{
    return cost->state == COST_PRICED || cost->state == COST_ESTIMATED || cost->state == COST_FREE;
}

static void a_million_random_usages_cost_the_sum_of_their_parts(void **state)
{
    (void)state;
    struct rng_seeded g = {20261122};
    uint64_t states[COST_STATE_COUNT] = {0}, reasons[COST_REASON_COUNT] = {0}, compared = 0;
    char name[200];
    for (int i = 0; i < RANDOM_USAGES; i++) {
        struct price_query q;
        struct usage u;
        struct cost cost, more;
        random_case(&g, name, sizeof name, &q, &u);
        if (rng_seeded_below(&g, 4))
            make_plausible(&g, &q, &u);
        cost_of(catalog, &q, &u, &cost);
        check_cost(&u, &cost);
        states[cost.state]++;
        reasons[cost.reason]++;
        /* More of one thing never costs less. */
        unsigned m = (unsigned)rng_seeded_below(&g, rng_seeded_below(&g, 2) ? METER_COUNT : METER_OUTPUT + 1);
        if (__builtin_add_overflow(u.quantity[m], random_quantity(&g), &u.quantity[m]))
            continue;
        cost_of(catalog, &q, &u, &more);
        check_cost(&u, &more);
        if (has_amount(&cost) && has_amount(&more)) {
            assert_true(more.total_pusd >= cost.total_pusd);
            compared++;
        }
    }
    for (int s = 0; s < COST_STATE_COUNT; s++)
        print_message("%s %llu, ", cost_state_text((enum cost_state)s), (unsigned long long)states[s]);
    print_message("%llu compared with more\n", (unsigned long long)compared);
    /* The random cases reach everything. */
    for (int s = 0; s < COST_STATE_COUNT; s++)
        assert_true(states[s] > 100);
    for (int r = 0; r < COST_REASON_COUNT; r++)
        assert_true(reasons[r] > 0);
    assert_true(states[COST_PRICED] > RANDOM_USAGES / 5 && compared > RANDOM_USAGES / 5);
}

static void cost_for(const char *model, const char *when, const struct usage *u, struct cost *cost)
{
    struct price_query q = {.model = str_c(model), .operation = STR("responses")};
    assert_true(clock_parse(str_c(when), &q.when_us));
    cost_of(catalog, &q, u, cost);
}

static void the_missing_meter_is_named(void **state)
{
    (void)state;
    struct usage u = {.source = USAGE_REPORTED};
    struct cost cost;
    u.quantity[METER_INPUT] = 10;
    u.quantity[METER_AUDIO_OUTPUT] = 1;
    cost_for("gpt-5", "2026-11-22", &u, &cost);
    assert_int_equal(cost.state, COST_UNPRICED);
    assert_int_equal(cost.reason, COST_REASON_METER);
    assert_int_equal(cost.meter, METER_AUDIO_OUTPUT);
    assert_int_equal(cost.part_pusd[METER_INPUT], 0);
    u.quantity[METER_AUDIO_OUTPUT] = 0;
    cost_for("gpt-5", "2026-11-22", &u, &cost);
    assert_int_equal(cost.state, COST_PRICED);
    assert_int_equal(cost.total_pusd, 12500000);
}

static void quality_and_size_come_from_the_usage_when_not_asked(void **state)
{
    (void)state;
    struct price_query q = {.model = STR("dall-e-3"), .operation = STR("images.generate")};
    struct usage u = {.source = USAGE_MEASURED, .quality = "hd", .size = "1024x1792"};
    struct cost cost;
    assert_true(clock_parse(STR("2025-01-01"), &q.when_us));
    u.quantity[METER_IMAGES] = 2;
    cost_of(catalog, &q, &u, &cost);
    assert_int_equal(cost.total_pusd, INT64_C(240000000000));
    q.quality = STR("standard");
    cost_of(catalog, &q, &u, &cost);
    assert_int_equal(cost.total_pusd, INT64_C(160000000000));
}

static void the_row_that_priced_it_is_kept(void **state)
{
    (void)state;
    struct usage u = {.source = USAGE_REPORTED};
    struct price_line line;
    struct cost cost;
    u.quantity[METER_OUTPUT] = 5;
    cost_for("gpt-5.6-luna", "2026-07-29T23:59:59Z", &u, &cost);
    assert_true(price_list_find_line(catalog, cost.price_row, &line));
    assert_true(str_eq(line.model, STR("gpt-5.6-luna")) && str_eq(line.value, STR("6")));
    cost_for("gpt-5.6-luna", "2026-07-30", &u, &cost);
    assert_true(price_list_find_line(catalog, cost.price_row, &line));
    assert_true(str_eq(line.meter, STR("output")) && str_eq(line.value, STR("1.2")));
    assert_int_equal(cost.tier, PRICE_TIER_STANDARD);
    assert_int_equal(cost.match, PRICE_MATCH_EXACT);
    assert_false(cost.long_context);
}

static void a_cost_can_be_explained(void **state)
{
    (void)state;
    struct price_query q = {.model = STR("gpt-6.2-sol-2026-12-24"), .operation = STR("responses"), .regional = true};
    struct usage u = {.source = USAGE_REPORTED};
    struct buf out;
    char wanted[700];
    assert_true(clock_parse(STR("2026-12-25"), &q.when_us));
    q.service_tier = STR("flex");
    u.quantity[METER_INPUT] = 272000;
    u.quantity[METER_CACHE_WRITE] = 1;
    u.quantity[METER_WEB_SEARCH] = 1;
    buf_init(&out, 4096);
    assert_true(cost_explain(catalog, &q, &u, &out));
    assert_true(buf_add_byte(&out, '\0'));
    /* Line numbers are the catalogue's; all else is fixed. */
    for (size_t i = 0, k = 0; i < buf_size(&out) && k < sizeof wanted; i++) {
        char c = buf_str(&out).p[i];
        wanted[k] = c;
        k += !(c >= '0' && c <= '9' && k >= 1 && wanted[k - 1] == '#');
        if (k >= 5 && str_eq(str_of(wanted + k - 5, 5), STR("line ")))
            wanted[k++] = '#';
    }
    assert_string_equal(
        wanted, "gpt-6.2-sol-2026-12-24, found by the id without its date; flex, long context, regional; "
                "catalogue 2026-11-22.01\n"
                "input: 272000 by prices line #: gpt-6.2-sol text input standard long from 2026-11-01 = 4 USD per "
                "1000000 tokens, times 11/20: 0.5984 USD\n"
                "cache_write: 1 by prices line #: gpt-6.2-sol text cache_write standard from 2026-11-01 = 2.5 USD "
                "per 1000000 tokens, times 22/20: 0.00000275 USD\n"
                "web_search: 1 by prices line #: * web_search standard = 10 USD per 1000 calls: 0.01 USD\n"
                "total: 0.60840275 USD, priced\n");
    buf_free(&out);
    u.quantity[METER_TRAINED] = 7;
    buf_init(&out, 4096);
    assert_true(cost_explain(catalog, &q, &u, &out));
    assert_true(str_search(buf_str(&out), STR("\ntrained: 7, the model has no price for this meter\n")) > 0);
    assert_true(str_ends(buf_str(&out), STR("\nunpriced: the model has no price for this meter (trained)\n")));
    buf_free(&out);
    buf_init(&out, 100);
    assert_false(cost_explain(catalog, &q, &u, &out));
    buf_free(&out);
}

static void a_cost_takes_well_below_a_microsecond(void **state)
{
    (void)state;
    static const char *const names[] = {"gpt-5.4-2026-03-05", "ft:gpt-4.1-mini-2025-04-14:acme::abc",
                                        "gpt-4o-2031-01-01", "gpt-5-micro"};
    struct usage u = {.source = USAGE_REPORTED};
    struct price_query q = {.operation = STR("chat.completions"), .service_tier = STR("default")};
    assert_true(clock_parse(STR("2026-11-22"), &q.when_us));
    u.quantity[METER_INPUT] = 1000;
    u.quantity[METER_CACHED] = 300;
    u.quantity[METER_OUTPUT] = 77;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint64_t best_us = UINT64_MAX;
        q.model = str_c(names[i]);
        /* The quickest of some rounds: the machine may be busy. */
        for (int round = 0; round < 20; round++) {
            struct cost cost;
            uint64_t start = clock_mono_us();
            for (int k = 0; k < 10000; k++)
                cost_of(catalog, &q, &u, &cost);
            uint64_t took = clock_mono_us() - start;
            best_us = took < best_us ? took : best_us;
        }
        print_message("%s: %.0f ns\n", names[i], (double)best_us / 10);
#ifdef __OPTIMIZE__
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        assert_true(best_us < 10000);
#endif
#endif
    }
}

static int open_catalog(void **state)
{
    (void)state;
    struct price_source source = price_source_builtin();
    struct price_fault fault;
    return price_catalog_new(&source, &catalog, &fault) == ERR_OK ? 0 : -1;
}

static int close_catalog(void **state)
{
    (void)state;
    price_catalog_free(catalog);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_random_usages_cost_the_sum_of_their_parts),
        cmocka_unit_test(the_missing_meter_is_named),
        cmocka_unit_test(quality_and_size_come_from_the_usage_when_not_asked),
        cmocka_unit_test(the_row_that_priced_it_is_kept),
        cmocka_unit_test(a_cost_can_be_explained),
        cmocka_unit_test(a_cost_takes_well_below_a_microsecond),
    };
    return cmocka_run_group_tests(tests, open_catalog, close_catalog);
}
