/* SPDX-License-Identifier: Apache-2.0 */
/* Counts by label: each attempt in one place, a bound on places, sums over workers, reading while counting. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/series.h"
#include "openai/cost.h"

static const struct cost priced = {.state = COST_PRICED, .total_pusd = 1500};
static const struct cost unpriced = {.state = COST_UNPRICED};

static struct record attempt(const char *model, uint16_t status)
{
    struct record r = {.workspace_id = 7, .integration_id = 3, .model_asked = str_c(model), .status = status};
    r.routing.provider = STR("openai");
    r.usage.input_total_tok = 10;
    r.usage.output_total_tok = 4;
    r.first_byte_us = 20000;
    r.total_us = 70000;
    r.overhead_us = 60;
    return r;
}

static void count(struct series *s, struct record r)
{
    series_count(s, &r, &priced);
}

static const struct series_sample *find(struct series_sum *sum, const char *model, unsigned status_class)
{
    unsigned n;
    const struct series_sample *samples = series_sum_get(sum, &n);
    for (unsigned i = 0; i < n; i++)
        if (!samples[i].other && str_eq(samples[i].model, str_c(model)) && samples[i].status_class == status_class)
            return &samples[i];
    return NULL;
}

static unsigned size_of(struct series_sum *sum)
{
    unsigned n;
    (void)series_sum_get(sum, &n);
    return n;
}

static void an_attempt_counts_once_under_its_labels(void **state)
{
    (void)state;
    struct series *s = series_new();
    count(s, attempt("gpt-4o", 200));
    count(s, attempt("gpt-4o", 200));
    count(s, attempt("gpt-4o", 503));
    struct record r = attempt("gpt-4o", 200);
    series_count(s, &r, &unpriced);
    struct series_sum *sum = series_sum_new();
    series_sum_add(sum, s);
    assert_int_equal(size_of(sum), 2);
    const struct series_sample *good = find(sum, "gpt-4o", 2), *bad = find(sum, "gpt-4o", 5);
    assert_non_null(good);
    assert_non_null(bad);
    assert_int_equal(good->workspace_id, 7);
    assert_int_equal(good->integration_id, 0); /* the provider says it */
    assert_true(str_eq(good->provider, STR("openai")));
    const struct series_values *v = &good->values;
    assert_int_equal(v->attempts, 3);
    assert_int_equal(v->unpriced, 1);
    assert_int_equal(v->cost_nusd, 3); /* two times one and a half */
    assert_int_equal(v->input_tok, 30);
    assert_int_equal(v->output_tok, 12);
    assert_int_equal(v->sum_us[SERIES_TOTAL], 210000);
    assert_int_equal(v->bucket[SERIES_FIRST_BYTE][1], 3); /* 10 … 25 ms */
    assert_int_equal(v->bucket[SERIES_TOTAL][3], 3);      /* 50 … 100 ms */
    assert_int_equal(v->bucket[SERIES_OVERHEAD][2], 3);   /* 50 … 100 µs */
    assert_int_equal(bad->values.attempts, 1);
    series_sum_free(sum);
    series_free(s);
}

static void buckets_hold_their_upper_bound(void **state)
{
    (void)state;
    for (int h = 0; h < SERIES_HISTOGRAM_COUNT; h++) {
        const uint64_t *bounds = series_bounds((enum series_histogram)h);
        for (int b = 1; b < SERIES_BUCKETS; b++)
            assert_true(bounds[b] > bounds[b - 1]);
    }
    struct series *s = series_new();
    struct record r = attempt("m", 200);
    r.first_byte_us = 0; /* no answer came: nothing to observe */
    r.total_us = series_bounds(SERIES_TOTAL)[4];
    r.overhead_us = UINT64_C(1) << 40;
    count(s, r);
    r.total_us++;
    count(s, r);
    struct series_sum *sum = series_sum_new();
    series_sum_add(sum, s);
    const struct series_values *v = &find(sum, "m", 2)->values;
    assert_int_equal(v->bucket[SERIES_TOTAL][4], 1);
    assert_int_equal(v->bucket[SERIES_TOTAL][5], 1);
    assert_int_equal(v->bucket[SERIES_OVERHEAD][SERIES_BUCKETS], 2);
    for (int b = 0; b <= SERIES_BUCKETS; b++)
        assert_int_equal(v->bucket[SERIES_FIRST_BYTE][b], 0);
    series_sum_free(sum);
    series_free(s);
}

static void statuses_fall_into_classes(void **state)
{
    (void)state;
    static const struct {
        uint16_t status, upstream;
        unsigned status_class;
    } rows[] = {{0, 0, 0},     {0, 502, 5}, {101, 101, 1}, {246, 200, 2},
                {302, 302, 3}, {499, 0, 4}, {599, 0, 5},   {999, 0, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct series *s = series_new();
        struct series_sum *sum = series_sum_new();
        struct record r = attempt("", rows[i].status);
        r.upstream_status = rows[i].upstream;
        count(s, r);
        series_sum_add(sum, s);
        assert_non_null(find(sum, "", rows[i].status_class));
        series_sum_free(sum);
        series_free(s);
    }
}

/* Somebody who tries out names gets 404s, and they stay one series. */
static void names_nobody_knows_are_not_taken_in(void **state)
{
    (void)state;
    struct series *s = series_new();
    char name[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "guess-%d", i);
        count(s, attempt(name, 404));
    }
    count(s, attempt("gpt-4o", 429)); /* busy, so it exists */
    count(s, attempt("gpt-4o", 400));
    struct record r = attempt("alias", 404);
    r.model_answered = STR("alias-2024");
    count(s, r);
    struct series_sum *sum = series_sum_new();
    series_sum_add(sum, s);
    assert_int_equal(find(sum, "unknown", 4)->values.attempts, 1000);
    assert_int_equal(find(sum, "gpt-4o", 4)->values.attempts, 2);
    assert_int_equal(find(sum, "alias", 4)->values.attempts, 1);
    assert_int_equal(size_of(sum), 3);
    series_sum_free(sum);
    series_free(s);
}

static uint64_t all_attempts(struct series_sum *sum, bool other)
{
    unsigned n;
    uint64_t total = 0;
    const struct series_sample *samples = series_sum_get(sum, &n);
    for (unsigned i = 0; i < n; i++)
        if (!other || samples[i].other)
            total += samples[i].values.attempts;
    return total;
}

static void what_is_too_much_counts_as_other(void **state)
{
    (void)state;
    struct series *workers[3];
    struct series_sum *sum = series_sum_new();
    for (int w = 0; w < 3; w++) {
        workers[w] = series_new();
        for (int i = 0; i < 5000; i++) {
            char name[32];
            struct record r = attempt("", (uint16_t)(i % 2 ? 200 : 500));
            snprintf(name, sizeof name, "model-%d-%d", w, i % 500);
            r.model_asked = str_c(name);
            r.workspace_id = i % 7 + w * 10;
            count(workers[w], r);
        }
        series_sum_add(sum, workers[w]);
        assert_true(size_of(sum) <= SERIES_MAX);
        assert_int_equal(all_attempts(sum, false), (w + 1) * 5000); /* none is lost */
    }
    assert_true(all_attempts(sum, true) > 0);
    series_sum_free(sum);
    for (int w = 0; w < 3; w++)
        series_free(workers[w]);
}

static void workers_are_added_up_by_label(void **state)
{
    (void)state;
    struct series *a = series_new(), *b = series_new();
    count(a, attempt("first", 200));
    count(a, attempt("second", 200));
    count(b, attempt("second", 200)); /* another number in the other worker */
    count(b, attempt("first", 200));
    count(b, attempt("first", 200));
    struct record hit = attempt("first", 200);
    hit.routing.cache = RECORD_CACHE_HIT;
    count(b, hit);
    struct record kind = attempt("first", 200);
    kind.routing.provider = STR("");
    count(b, kind);
    struct series_sum *sum = series_sum_new();
    series_sum_add(sum, a);
    series_sum_add(sum, b);
    assert_int_equal(size_of(sum), 4);
    assert_int_equal(find(sum, "first", 2)->values.attempts, 3);
    assert_int_equal(find(sum, "second", 2)->values.attempts, 2);
    assert_int_equal(all_attempts(sum, false), 7);
    series_sum_free(sum);
    series_free(a);
    series_free(b);
}

static void long_names_are_cut(void **state)
{
    (void)state;
    char name[SERIES_NAME_BYTES + 20];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = 0;
    struct series *s = series_new();
    count(s, attempt(name, 200));
    name[SERIES_NAME_BYTES + 1] = 0;
    count(s, attempt(name, 200));
    struct series_sum *sum = series_sum_new();
    series_sum_add(sum, s);
    name[SERIES_NAME_BYTES] = 0;
    assert_int_equal(find(sum, name, 2)->values.attempts, 2);
    series_sum_free(sum);
    series_free(s);
}

#define ROUNDS 30000

static void *writer(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        char name[32];
        snprintf(name, sizeof name, "m%d", i % 150);
        count(arg, attempt(name, (uint16_t)(100 * (1 + i % 5))));
    }
    return NULL;
}

static void reading_goes_on_while_a_worker_counts(void **state)
{
    (void)state;
    struct series *s = series_new();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, writer, s), 0);
    uint64_t before = 0;
    for (int i = 0; i < 200; i++) {
        struct series_sum *sum = series_sum_new();
        series_sum_add(sum, s);
        uint64_t now = all_attempts(sum, false);
        assert_true(now >= before);
        before = now;
        series_sum_free(sum);
    }
    pthread_join(thread, NULL);
    struct series_sum *sum = series_sum_new();
    series_sum_add(sum, s);
    assert_int_equal(all_attempts(sum, false), ROUNDS);
    series_sum_free(sum);
    series_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_counts_once_under_its_labels),
        cmocka_unit_test(buckets_hold_their_upper_bound),
        cmocka_unit_test(statuses_fall_into_classes),
        cmocka_unit_test(names_nobody_knows_are_not_taken_in),
        cmocka_unit_test(what_is_too_much_counts_as_other),
        cmocka_unit_test(workers_are_added_up_by_label),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(reading_goes_on_while_a_worker_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
