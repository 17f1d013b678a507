/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of new rows, kept for a reader: each row once, in order, over restarts and kills, until the
 * reader is done with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "ledger/journal.h"
#include "ledger/ledger.h"
#include "ledger/query_arrivals.h"
#include "ledger_fixture.h"

#define IDS_MAX 100000

static char *const dir = fixture_test_dir;
static struct record_ids ids;

static struct ledger *open_ledger(bool keep)
{
    struct ledger *l;
    char why[LEDGER_WHY_MAX];
    const struct ledger_options o = {.dir = dir, .workers = 2, .drain_ms = 5, .keep_arrivals = keep};
    assert_int_equal(ledger_open(&o, &l, why), ERR_OK);
    record_ids_init(&ids, 0, ledger_last_id(l));
    return l;
}

static int64_t add(struct ledger *l, unsigned worker)
{
    struct fixture_record f;
    int64_t id = record_ids_next(&ids, clock_wall_us());
    fixture_record(&f, 7, (uint64_t)id, id, false);
    journal_add(ledger_journal(l, worker), &f.r);
    return id;
}

static void flush(struct ledger *l)
{
    for (unsigned w = 0; w < 2; w++)
        assert_int_equal(journal_flush(ledger_journal(l, w)), ERR_OK);
    assert_int_equal(ledger_flush(l, 20000), ERR_OK);
}

static int64_t found[IDS_MAX];

/* Everything behind `after`, page by page. */
static size_t read_all(int64_t after, int64_t *ret_through)
{
    struct query *q;
    size_t count = 0;
    struct arrivals_page page = {.through = after};
    assert_int_equal(query_open(dir, &q), ERR_OK);
    do {
        assert_true(count + QUERY_ARRIVALS_MAX <= IDS_MAX);
        assert_int_equal(query_arrivals(q, page.through, found + count, QUERY_ARRIVALS_MAX, &page), ERR_OK);
        assert_true(page.waiting >= page.count);
        count += page.count;
    } while (page.count);
    assert_int_equal(page.waiting, 0);
    query_close(q);
    *ret_through = page.through;
    return count;
}

static void rows_are_named_in_their_order_until_they_are_done_with(void **state)
{
    (void)state;
    struct ledger *l = open_ledger(true);
    static int64_t given[9000];
    int64_t through = 0, half;
    for (size_t i = 0; i < 9000; i++) {
        given[i] = add(l, 1);
        if (i == 4000)
            flush(l);
    }
    flush(l);
    assert_int_equal(read_all(0, &through), 9000);
    assert_memory_equal(found, given, sizeof given);
    assert_int_equal(read_all(through, &half), 0);
    ledger_arrivals_done(l, 1); /* the first entry */
    for (int i = 0; i < 500 && read_all(0, &half) == 9000; i++)
        usleep(10000);
    size_t left = read_all(0, &half);
    assert_true(left > 0 && left < 9000);
    assert_memory_equal(found, given + 9000 - left, left * sizeof given[0]);
    ledger_close(l, 1000);
}

static void a_restart_goes_on_where_the_reader_was(void **state)
{
    (void)state;
    struct ledger *l = open_ledger(true);
    int64_t through, again;
    add(l, 0);
    flush(l);
    assert_int_equal(read_all(0, &through), 1);
    ledger_arrivals_done(l, through);
    int64_t second = add(l, 0);
    flush(l);
    ledger_close(l, 5000);
    l = open_ledger(true);
    size_t count = read_all(0, &again);
    assert_true(count == 1 || count == 2); /* what was done may come again, what was not must */
    assert_int_equal(found[count - 1], second);
    assert_true(again > through); /* numbers are not used twice */
    ledger_close(l, 1000);
}

static void what_was_interrupted_is_named_too(void **state)
{
    (void)state;
    struct ledger *l = open_ledger(true);
    int64_t given[3000], through;
    for (int i = 0; i < 3000; i++) {
        given[i] = record_ids_next(&ids, clock_wall_us());
        const struct record_open o = {.id = given[i], .request_id = given[i], .started_us = clock_wall_us()};
        journal_add_open(ledger_journal(l, 0), &o);
    }
    flush(l);
    assert_int_equal(read_all(0, &through), 0);
    ledger_close(l, 5000);
    l = open_ledger(true);
    assert_int_equal(ledger_flush(l, 20000), ERR_OK);
    assert_int_equal(read_all(0, &through), 3000);
    uint64_t sum = 0, wanted = 0;
    for (int i = 0; i < 3000; i++) {
        sum += (uint64_t)found[i];
        wanted += (uint64_t)given[i];
    }
    assert_true(sum == wanted);
    ledger_close(l, 1000);
}

static void nothing_is_kept_for_nobody(void **state)
{
    (void)state;
    struct ledger *l = open_ledger(true);
    int64_t through;
    add(l, 0);
    flush(l);
    ledger_close(l, 1000);
    l = open_ledger(false);
    add(l, 0);
    flush(l);
    struct query *q;
    struct arrivals_page page;
    assert_int_equal(query_open(dir, &q), ERR_OK);
    assert_int_equal(query_arrivals(q, 0, found, QUERY_ARRIVALS_MAX, &page), ERR_STORE_FAILED);
    query_close(q);
    ledger_close(l, 1000);
    l = open_ledger(true);
    assert_int_equal(read_all(0, &through), 0); /* it begins now */
    ledger_close(l, 1000);
}

static void record_until_killed(void)
{
    struct ledger *l = open_ledger(true);
    for (;;) {
        for (int i = 0; i < 50; i++)
            add(l, (unsigned)i % 2);
        for (unsigned w = 0; w < 2; w++)
            assert_int_equal(journal_flush(ledger_journal(l, w)), ERR_OK);
        usleep(500);
    }
}

static int compare(const void *a, const void *b)
{
    int64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static bool is_named(void *context, const struct record *r)
{
    size_t *at = context;
    assert_true(*at > 0);
    assert_int_equal(found[--*at], r->id); /* both newest first */
    return true;
}

static void kills_leave_each_row_named_once(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            record_until_killed();
        usleep(20000 + (useconds_t)round * 15000);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
    struct ledger *l = open_ledger(true);
    assert_int_equal(ledger_flush(l, 20000), ERR_OK);
    int64_t through;
    size_t count = read_all(0, &through);
    assert_true(count > 0);
    qsort(found, count, sizeof found[0], compare);
    struct query *q;
    struct query_filter f = query_filter_all();
    size_t at = count;
    assert_int_equal(query_open(dir, &q), ERR_OK);
    for (f.limit = QUERY_LIMIT_MAX; at; f.before_id = found[at])
        assert_int_equal(query_attempts(q, &f, is_named, &at), ERR_OK);
    f.before_id = found[0];
    assert_int_equal(query_attempts(q, &f, is_named, &at), ERR_OK); /* none is left */
    query_close(q);
    ledger_close(l, 1000);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_make_dir, fixture_remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(rows_are_named_in_their_order_until_they_are_done_with),
        CASE(a_restart_goes_on_where_the_reader_was),
        CASE(what_was_interrupted_is_named_too),
        CASE(nothing_is_kept_for_nobody),
        CASE(kills_leave_each_row_named_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
