/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger as a whole, threads and processes included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "ledger/ledger.h"
#include "ledger/query.h"
#include "ledger/query_cost.h"
#include "ledger/schema.h"
#include "ledger/verify.h"
#include "ledger_fixture.h"
#include "store/sqlite.h"

#define SEED 41
#define WORKERS 3

static char *const dir = fixture_test_dir;

static struct ledger *open_with(struct ledger_options o)
{
    struct ledger *l;
    char why[LEDGER_WHY_MAX];
    o.dir = dir;
    o.workers = o.workers ? o.workers : WORKERS;
    o.drain_ms = o.drain_ms ? o.drain_ms : 5;
    enum err e = ledger_open(&o, &l, why);
    if (e != ERR_OK)
        print_message("%s\n", why);
    assert_int_equal(e, ERR_OK);
    return l;
}

static struct ledger *open_ledger(void)
{
    return open_with((struct ledger_options){.dir = dir});
}

/* Record `i` of a test; its id is made like the data path makes it. */
static int64_t add(struct ledger *l, struct record_ids *ids, unsigned worker, uint64_t i, bool bodies)
{
    struct fixture_record *f = malloc(sizeof *f);
    int64_t id = record_ids_next(ids, clock_wall_us());
    fixture_record(f, SEED, i, id, bodies);
    journal_add(ledger_journal(l, worker), &f->r);
    free(f);
    return id;
}

static bool count_row(void *context, const struct record *r)
{
    (void)r;
    ++*(uint64_t *)context;
    return true;
}

static uint64_t count_rows(void)
{
    struct query *q;
    struct query_sums total;
    const struct query_cost all = {.cost_state = -1};
    assert_int_equal(query_open(dir, &q), ERR_OK);
    assert_int_equal(query_cost(q, &all, NULL, NULL, &total), ERR_OK);
    query_close(q);
    return total.sums.attempts;
}

static void print_finding(void *context, enum verify_part part, struct str text)
{
    (void)context;
    print_message("%s: %.*s\n", verify_part_text(part), STR_ARG(text));
}

static struct verify_result verify(void)
{
    struct verify_result result;
    const struct verify_options o = {.finding = print_finding};
    assert_int_equal(verify_ledger(dir, &o, &result), ERR_OK);
    assert_int_equal(result.findings, 0);
    return result;
}

static void after_a_flush_everything_can_be_queried(void **state)
{
    (void)state;
    struct ledger *l = open_ledger();
    struct record_ids ids;
    record_ids_init(&ids, 0, ledger_last_id(l));
    for (uint64_t i = 0; i < 200; i++) {
        add(l, &ids, 0, i, i % 5 == 0);
        assert_int_equal(journal_flush(ledger_journal(l, 0)), ERR_OK);
        if (i % 40 == 0) {
            assert_int_equal(ledger_flush(l, 10000), ERR_OK);
            assert_int_equal(count_rows(), i + 1);
        }
    }
    assert_int_equal(ledger_flush(l, 10000), ERR_OK);
    struct ledger_status s;
    ledger_status(l, &s);
    assert_int_equal(s.rows_stored, 200);
    assert_int_equal(s.records_written, 200);
    assert_int_equal(s.records_lost, 0);
    assert_int_equal(s.lag_bytes, 0);
    assert_int_equal(s.body_rows, 40);
    assert_false(s.store_failing);
    assert_false(s.recovering);
    ledger_close(l, 1000);
    assert_int_equal(verify().rows, 200);
}

static void closing_stores_what_was_flushed(void **state)
{
    (void)state;
    struct ledger *l = open_with((struct ledger_options){.drain_ms = 60000});
    struct record_ids ids;
    record_ids_init(&ids, 2, ledger_last_id(l));
    for (uint64_t i = 0; i < 5000; i++)
        add(l, &ids, 2, i, false);
    assert_int_equal(journal_flush(ledger_journal(l, 2)), ERR_OK);
    ledger_close(l, 20000);
    assert_int_equal(count_rows(), 5000);
    verify();
}

static void one_process_has_the_directory(void **state)
{
    (void)state;
    struct ledger *l = open_ledger(), *second;
    char why[LEDGER_WHY_MAX];
    const struct ledger_options o = {.dir = dir, .workers = 1};
    assert_int_equal(ledger_open(&o, &second, why), ERR_CONFLICT);
    assert_non_null(strstr(why, "another process"));
    ledger_close(l, 1000);
    assert_int_equal(ledger_open(&o, &l, why), ERR_OK);
    ledger_close(l, 1000);
}

static void a_start_that_fails_says_why(void **state)
{
    (void)state;
    struct ledger *l;
    char why[LEDGER_WHY_MAX], path[FIXTURE_PATH_MAX];
    struct ledger_options o = {.dir = "/nonexistent/place", .workers = 1};
    assert_int_equal(ledger_open(&o, &l, why), ERR_FILE_FAILED);
    assert_non_null(strstr(why, "No such file"));
    fixture_path(path, dir, SCHEMA_FILE);
    fixture_write(path, "garbage garbage garbage garbage garbage", 40);
    o.dir = dir;
    assert_int_equal(ledger_open(&o, &l, why), ERR_CORRUPT);
    assert_non_null(strstr(why, "not a database"));
}

static void ids_of_a_new_process_are_above_all_before(void **state)
{
    (void)state;
    struct record_ids ids;
    int64_t last = 0;
    for (int start = 0; start < 4; start++) {
        struct ledger *l = open_ledger();
        assert_true(ledger_last_id(l) >= last);
        record_ids_init(&ids, 1, ledger_last_id(l));
        struct fixture_record f;
        for (uint64_t i = 0; i < 10; i++) {
            /* The clock has gone back by a day each time. */
            last = record_ids_next(&ids, clock_wall_us() - (int64_t)start * 86400000000);
            fixture_record(&f, SEED, i, last, false);
            journal_add(ledger_journal(l, 1), &f.r);
        }
        assert_int_equal(journal_flush(ledger_journal(l, 1)), ERR_OK);
        ledger_close(l, start % 2 ? 0 : 5000);
    }
    ledger_close(open_ledger(), 5000);
    assert_int_equal(count_rows(), 40);
}

/* --- threads --------------------------------------------------------------------------------- */

struct worker {
    struct ledger *l;
    unsigned number;
    uint64_t count;
    pthread_t thread;
};

static void *work(void *context)
{
    struct worker *w = context;
    struct record_ids ids;
    record_ids_init(&ids, w->number, ledger_last_id(w->l));
    for (uint64_t i = 0; i < w->count; i++) {
        add(w->l, &ids, w->number, i, i % 10 == 0);
        if (i % 4 == 0 && journal_flush(ledger_journal(w->l, w->number)) != ERR_OK)
            return context;
    }
    return journal_flush(ledger_journal(w->l, w->number)) == ERR_OK ? NULL : context;
}

static _Atomic bool reading;

static void *read_often(void *context)
{
    struct query *q;
    (void)context;
    if (query_open(dir, &q) != ERR_OK)
        return q;
    while (atomic_load(&reading)) {
        struct query_sums total;
        uint64_t rows = 0;
        const struct query_cost all = {.cost_state = -1};
        struct query_filter f = query_filter_all();
        f.status = 200;
        f.limit = 50;
        if (query_cost(q, &all, NULL, NULL, &total) != ERR_OK || query_attempts(q, &f, count_row, &rows) != ERR_OK)
            return q;
        usleep(2000);
    }
    query_close(q);
    return NULL;
}

static void workers_drain_and_readers_run_side_by_side(void **state)
{
    (void)state;
    struct ledger *l = open_with((struct ledger_options){.segment_bytes = 300000});
    struct worker workers[WORKERS];
    pthread_t readers[2];
    void *result;
    atomic_store(&reading, true);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_often, NULL), 0);
    for (unsigned w = 0; w < WORKERS; w++) {
        workers[w] = (struct worker){.l = l, .number = w, .count = 3000};
        assert_int_equal(pthread_create(&workers[w].thread, NULL, work, &workers[w]), 0);
    }
    for (unsigned w = 0; w < WORKERS; w++) {
        assert_int_equal(pthread_join(workers[w].thread, &result), 0);
        assert_null(result);
    }
    assert_int_equal(ledger_flush(l, 30000), ERR_OK);
    assert_int_equal(count_rows(), 3000 * WORKERS);
    atomic_store(&reading, false);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(readers[i], &result), 0);
        assert_null(result);
    }
    verify(); /* beside the running one */
    ledger_close(l, 5000);
    verify();
}

static void followers_see_every_row_once_in_the_order_of_arrival(void **state)
{
    (void)state;
    struct ledger *l = open_ledger();
    struct record_ids ids;
    uint64_t cursor = 0, missed = 0;
    int64_t got[64], expected = 0;
    record_ids_init(&ids, 0, ledger_last_id(l));
    assert_int_equal(ledger_follow(l, &cursor, got, 64, 0, NULL), 0);
    for (uint64_t i = 0; i < 500; i++)
        add(l, &ids, 0, i, false);
    assert_int_equal(journal_flush(ledger_journal(l, 0)), ERR_OK);
    for (size_t seen = 0; seen < 500;) {
        size_t n = ledger_follow(l, &cursor, got, 64, 5000, &missed);
        assert_true(n > 0);
        assert_int_equal(missed, 0);
        for (size_t i = 0; i < n; i++) {
            assert_true(got[i] > expected);
            expected = got[i];
        }
        seen += n;
    }
    assert_int_equal(ledger_follow(l, &cursor, got, 64, 10, &missed), 0);
    uint64_t slow = cursor;
    for (uint64_t i = 0; i < 20000; i++)
        add(l, &ids, 0, i, false);
    assert_int_equal(journal_flush(ledger_journal(l, 0)), ERR_OK);
    assert_int_equal(ledger_flush(l, 20000), ERR_OK);
    assert_int_equal(ledger_follow(l, &slow, got, 64, 0, &missed), 64);
    assert_int_equal(missed, 20000 - 16384); /* it is told */
    ledger_close(l, 1000);
}

/* --- a database that does not work ----------------------------------------------------------- */

static void a_locked_database_delays_rows_and_loses_none(void **state)
{
    (void)state;
    struct ledger *l = open_ledger();
    struct record_ids ids;
    struct store_db *other;
    struct ledger_status s;
    char path[FIXTURE_PATH_MAX];
    fixture_path(path, dir, SCHEMA_FILE);
    record_ids_init(&ids, 0, ledger_last_id(l));
    assert_int_equal(store_open(path, NULL, &other), ERR_OK);
    assert_int_equal(store_begin(other), ERR_OK);
    for (uint64_t i = 0; i < 1000; i++) {
        add(l, &ids, 0, i, false);
        assert_int_equal(journal_flush(ledger_journal(l, 0)), ERR_OK); /* requests do not notice */
    }
    assert_int_equal(ledger_flush(l, 50), ERR_STORE_FAILED);
    ledger_status(l, &s);
    assert_true(s.lag_bytes > 100000);
    assert_int_equal(s.rows_stored, 0);
    store_rollback(other);
    store_close(other);
    assert_int_equal(ledger_flush(l, 20000), ERR_OK);
    assert_int_equal(count_rows(), 1000);
    ledger_close(l, 1000);
    verify();
}

static void a_full_disk_is_survived_and_what_was_lost_is_known(void **state)
{
    (void)state;
    struct ledger *l = open_with((struct ledger_options){.sync_ms = 10000});
    struct record_ids ids;
    struct ledger_status s;
    uint64_t stored = 0, refused = 0;
    record_ids_init(&ids, 0, ledger_last_id(l));
    struct file_faults f = {.calls = FILE_CALL_BIT(FILE_WRITE) | FILE_CALL_BIT(FILE_OPEN),
                            .kind = FILE_FAULT_TORN,
                            .error = ENOSPC,
                            .at = 1,
                            .stays = true};
    for (uint64_t i = 0; i < 900; i++) {
        if (i == 300)
            file_set_faults(&f);
        if (i == 600)
            file_set_faults(NULL);
        add(l, &ids, 0, i, i % 7 == 0);
        if (journal_flush(ledger_journal(l, 0)) == ERR_OK)
            stored++;
        else
            refused++;
        if (i % 50 == 0)
            usleep(10000);
    }
    assert_int_equal(refused, 300);
    assert_int_equal(ledger_flush(l, 20000), ERR_OK); /* normal soon after space is back */
    ledger_status(l, &s);
    assert_int_equal(s.records_lost, 300);
    assert_int_equal(s.rows_stored, stored);
    ledger_close(l, 5000);
    assert_int_equal(count_rows(), stored);
    assert_int_equal(verify().not_stored, 300);
}

static void the_spool_has_a_cap_and_the_count_beyond_it_is_exact(void **state)
{
    (void)state;
    struct ledger *l = open_with((struct ledger_options){.spool_max_bytes = 8 << 20, .sync_ms = 1, .workers = 1});
    struct record_ids ids;
    struct store_db *other;
    struct ledger_status s;
    char path[FIXTURE_PATH_MAX];
    uint64_t stored = 0, refused = 0;
    fixture_path(path, dir, SCHEMA_FILE);
    record_ids_init(&ids, 0, ledger_last_id(l));
    assert_int_equal(store_open(path, NULL, &other), ERR_OK);
    assert_int_equal(store_begin(other), ERR_OK);
    for (uint64_t i = 0; i < 3000 || refused == 0; i++) {
        assert_true(i < 20000);
        add(l, &ids, 0, i, true);
        *(journal_flush(ledger_journal(l, 0)) == ERR_OK ? &stored : &refused) += 1;
        if (i % 100 == 0)
            usleep(3000);
    }
    ledger_status(l, &s);
    assert_int_equal(s.records_lost, refused);
    assert_true(s.spool_full);
    assert_in_range(s.spool_bytes, 8 << 20, 16 << 20);
    store_rollback(other);
    store_close(other);
    assert_int_equal(ledger_flush(l, 30000), ERR_OK);
    for (int i = 0; i < 3000 && s.spool_full; i++) {
        usleep(1000);
        ledger_status(l, &s);
    }
    assert_false(s.spool_full); /* and it takes records again */
    add(l, &ids, 0, 1, true);
    assert_int_equal(journal_flush(ledger_journal(l, 0)), ERR_OK);
    ledger_close(l, 5000);
    assert_int_equal(count_rows(), stored + 1);
    assert_int_equal(verify().not_stored, refused);
}

static _Atomic unsigned fatal_calls;
static char fatal_why[256];

static void note_fatal(void *context, const char *why)
{
    (void)context;
    str_copy(fatal_why, sizeof fatal_why, str_c(why));
    atomic_fetch_add(&fatal_calls, 1);
}

static void a_journal_that_the_disk_refuses_to_keep_is_fatal(void **state)
{
    (void)state;
    struct ledger *l = open_with((struct ledger_options){.sync_ms = 1, .fatal = note_fatal});
    struct record_ids ids;
    record_ids_init(&ids, 0, ledger_last_id(l));
    struct file_faults f = {.calls = FILE_CALL_BIT(FILE_SYNC), .error = EIO, .at = 1, .stays = true};
    file_set_faults(&f);
    add(l, &ids, 0, 0, false);
    (void)!journal_flush(ledger_journal(l, 0));
    for (int i = 0; i < 5000 && !atomic_load(&fatal_calls); i++)
        usleep(1000);
    file_set_faults(NULL);
    assert_int_equal(atomic_load(&fatal_calls), 1);
    assert_non_null(strstr(fatal_why, "nput/output"));
    add(l, &ids, 0, 1, false);
    assert_int_equal(journal_flush(ledger_journal(l, 0)), ERR_JOURNAL_FAILED); /* nothing is promised any more */
    ledger_close(l, 100);
}

/* --- retention and prices -------------------------------------------------------------------- */

static int64_t wall_offset_us;
static int64_t shifted_wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 + wall_offset_us;
}

static uint64_t real_mono(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void old_rows_go_and_their_sums_stay(void **state)
{
    (void)state;
    const struct clock_source source = {real_mono, shifted_wall};
    struct record_ids ids;
    struct ledger_status s;
    wall_offset_us = INT64_C(-40) * 86400000000;
    clock_set_source(&source);
    struct ledger *l = open_ledger();
    record_ids_init(&ids, 0, ledger_last_id(l));
    for (uint64_t i = 0; i < 2345; i++)
        add(l, &ids, 0, i, i % 100 == 0);
    assert_int_equal(journal_flush(ledger_journal(l, 0)), ERR_OK);
    ledger_close(l, 10000);
    wall_offset_us = 0;
    l = open_with((struct ledger_options){.rows_days = 30});
    record_ids_init(&ids, 0, ledger_last_id(l));
    for (uint64_t i = 0; i < 55; i++)
        add(l, &ids, 0, i, false);
    assert_int_equal(journal_flush(ledger_journal(l, 0)), ERR_OK);
    assert_int_equal(ledger_flush(l, 10000), ERR_OK);
    for (int i = 0; i < 10000; i++) {
        ledger_status(l, &s);
        if (s.rows_removed == 2345)
            break;
        usleep(1000);
    }
    assert_int_equal(s.rows_removed, 2345);
    ledger_close(l, 1000);
    clock_set_source(NULL);
    assert_int_equal(count_rows(), 2400); /* rollups know them all */
    assert_int_equal(verify().rows, 55);
}

/* Doubles what has a cost and gives ten dollars to what has none. */
static void price_anew(void *context, const struct record *r, struct cost *ret, uint32_t *ret_version)
{
    ++*(uint64_t *)context;
    *ret = r->cost;
    *ret_version = 99;
    if (r->cost.state == COST_UNPRICED) {
        ret->state = COST_PRICED;
        ret->reason = COST_REASON_EXACT;
        ret->part_pusd[METER_INPUT] = 10 * MONEY_PUSD_PER_USD;
        ret->total_pusd = 10 * MONEY_PUSD_PER_USD;
        return;
    }
    ret->total_pusd *= 2;
    for (unsigned m = 0; m < METER_COUNT; m++)
        ret->part_pusd[m] *= 2;
}

static struct query_sums sums_now(void)
{
    struct query *q;
    struct query_sums total;
    const struct query_cost all = {.cost_state = -1};
    assert_int_equal(query_open(dir, &q), ERR_OK);
    assert_int_equal(query_cost(q, &all, NULL, NULL, &total), ERR_OK);
    query_close(q);
    return total;
}

static void new_prices_change_rows_and_rollups_together(void **state)
{
    (void)state;
    struct ledger *l = open_ledger();
    struct record_ids ids;
    uint64_t calls = 0;
    record_ids_init(&ids, 0, ledger_last_id(l));
    for (uint64_t i = 0; i < 3500; i++)
        add(l, &ids, 0, i, false);
    assert_int_equal(journal_flush(ledger_journal(l, 0)), ERR_OK);
    assert_int_equal(ledger_flush(l, 10000), ERR_OK);
    struct query_sums before = sums_now();
    assert_true(before.unpriced > 50);
    struct ledger_reprice job = {.unpriced_only = true, .price = price_anew, .context = &calls};
    struct ledger_repriced done;
    assert_int_equal(ledger_reprice(l, &job, &done), ERR_OK);
    assert_int_equal(done.changed, before.unpriced);
    struct query_sums middle = sums_now();
    assert_int_equal(middle.unpriced, 0);
    assert_true(middle.sums.cost_pusd == before.sums.cost_pusd + (money_sum)before.unpriced * 10 * MONEY_PUSD_PER_USD);
    assert_true(done.after_pusd - done.before_pusd == middle.sums.cost_pusd - before.sums.cost_pusd);
    verify();
    job.unpriced_only = false;
    assert_int_equal(ledger_reprice(l, &job, &done), ERR_OK);
    struct query_sums after = sums_now();
    assert_true(after.sums.cost_pusd == 2 * middle.sums.cost_pusd);
    assert_int_equal(after.sums.attempts, 3500);
    assert_true(calls >= 3500);
    job.since_us = clock_wall_us() + 3600000000; /* nothing there */
    assert_int_equal(ledger_reprice(l, &job, &done), ERR_OK);
    assert_int_equal(done.looked_at, 0);
    ledger_close(l, 1000);
    verify();
}

/* --- kill -9 --------------------------------------------------------------------------------- */

/* What a worker tells through the pipe: an attempt whose open, or whose end, has been flushed. */
struct told {
    int64_t id;
    int64_t reserved_pusd; /* of an open; -1: it has ended */
};

#define UNDER_WAY 6

struct killed_worker {
    struct ledger *l;
    unsigned number;
    int out;
    uint64_t seed;
};

static void tell(int out, int64_t id, int64_t reserved)
{
    const struct told t = {id, reserved};
    if (write(out, &t, sizeof t) != sizeof t)
        _exit(1);
}

/* Keeps a few attempts under way and ends them in random order, as fast as it can, for ever. */
static void *work_until_killed(void *context)
{
    struct killed_worker *w = context;
    struct journal *j = ledger_journal(w->l, w->number);
    struct rng_seeded g = {w->seed};
    struct record_ids ids;
    struct record_open open[UNDER_WAY] = {{.id = 0}};
    struct fixture_record *f = malloc(sizeof *f);
    record_ids_init(&ids, w->number, ledger_last_id(w->l));
    for (uint64_t i = 0;; i++) {
        struct record_open *o = &open[rng_seeded_below(&g, UNDER_WAY)];
        bool ends = o->id != 0;
        if (ends) {
            fixture_record(f, w->seed, i, o->id, i % 3 == 0);
            journal_add(j, &f->r);
        } else {
            int64_t id = record_ids_next(&ids, clock_wall_us());
            *o = (struct record_open){.id = id,
                                      .request_id = id,
                                      .started_us = record_id_time_us(id),
                                      .workspace_id = 9,
                                      .reserved_pusd = 1 + (int64_t)rng_seeded_below(&g, 1000000)};
            journal_add_open(j, o);
        }
        if (journal_flush(j) != ERR_OK)
            _exit(1);
        tell(w->out, o->id, ends ? -1 : o->reserved_pusd);
        if (ends)
            o->id = 0;
    }
    return NULL;
}

static void run_until_killed(int out, uint64_t seed)
{
    struct killed_worker w[WORKERS];
    pthread_t threads[WORKERS];
    struct ledger *l = open_with((struct ledger_options){.segment_bytes = 200000, .sync_ms = 20});
    for (unsigned i = 0; i < WORKERS; i++) {
        w[i] = (struct killed_worker){l, i, out, seed * 100 + i};
        pthread_create(&threads[i], NULL, work_until_killed, &w[i]);
    }
    for (;;)
        pause();
}

/* Everything the killed processes have told, by id. */
struct books {
    struct told *list;
    size_t count, cap;
    uint64_t seen, unknown, wrong;
};

struct page {
    struct books *books;
    int64_t last_id;
    unsigned rows;
};

static int by_id(const void *a, const void *b)
{
    const struct told *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void enter(struct books *b, struct told t)
{
    if (b->count == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 1024;
        b->list = realloc(b->list, b->cap * sizeof t);
    }
    b->list[b->count++] = t;
}

/* What was told of one attempt, its beginning and perhaps its end, becomes one entry. */
static void join(struct books *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++) {
        if (n && b->list[n - 1].id == b->list[i].id) {
            if (b->list[i].reserved_pusd < 0)
                b->list[n - 1] = b->list[i];
        } else {
            b->list[n++] = b->list[i];
        }
    }
    b->count = n;
}

static bool compare_row(void *context, const struct record *r)
{
    struct books *b = context;
    const struct told key = {r->id, 0};
    const struct told *t = bsearch(&key, b->list, b->count, sizeof key, by_id);
    if (!t) {
        b->unknown++; /* flushed, and killed before it was told */
        return true;
    }
    b->seen++;
    if (t->reserved_pusd >= 0 && r->outcome == RECORD_INTERRUPTED)
        b->wrong += r->cost.total_pusd != t->reserved_pusd || r->cost.state != COST_ESTIMATED;
    else if (t->reserved_pusd < 0)
        b->wrong += r->outcome == RECORD_INTERRUPTED;
    return true;
}

static bool compare_page(void *context, const struct record *r)
{
    struct page *p = context;
    p->rows++;
    p->last_id = r->id;
    return compare_row(p->books, r);
}

static void check_books(struct books *b)
{
    struct query *q;
    struct page p = {.books = b};
    struct query_filter f = query_filter_all();
    qsort(b->list, b->count, sizeof *b->list, by_id);
    join(b);
    f.limit = 1000;
    assert_int_equal(query_open(dir, &q), ERR_OK);
    do {
        p.rows = 0;
        assert_int_equal(query_attempts(q, &f, compare_page, &p), ERR_OK);
        f.before_id = p.last_id;
    } while (p.rows == f.limit);
    query_close(q);
}

static void kill_one(struct books *b, uint64_t round, struct rng_seeded *g)
{
    int ends[2];
    struct told t;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        log_set_level(LOG_OFF);
        run_until_killed(ends[1], round);
    }
    close(ends[1]);
    usleep((useconds_t)(5000 + rng_seeded_below(g, 60000)));
    kill(child, SIGKILL);
    while (read(ends[0], &t, sizeof t) == sizeof t)
        enter(b, t);
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void fifty_kills_under_load_lose_and_double_no_acknowledged_attempt(void **state)
{
    (void)state;
    struct rng_seeded g = {3};
    struct books b = {NULL, 0, 0, 0, 0, 0};
    log_set_level(LOG_OFF);
    for (uint64_t round = 0; round < 50 * fixture_scale(); round++)
        kill_one(&b, round, &g);
    struct ledger *l = open_ledger();
    assert_int_equal(ledger_flush(l, 60000 * fixture_scale()), ERR_OK);
    ledger_close(l, 10000);
    log_set_level(LOG_INFO);
    check_books(&b);
    assert_true(b.count > 50);         /* there was load, on the slowest machine too */
    assert_int_equal(b.seen, b.count); /* each of them once: ids are the key */
    assert_int_equal(b.wrong, 0);
    assert_true(b.unknown <= 50 * fixture_scale() * WORKERS);
    verify();
    free(b.list);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_make_dir, fixture_remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(after_a_flush_everything_can_be_queried),
        CASE(closing_stores_what_was_flushed),
        CASE(one_process_has_the_directory),
        CASE(a_start_that_fails_says_why),
        CASE(ids_of_a_new_process_are_above_all_before),
        CASE(workers_drain_and_readers_run_side_by_side),
        CASE(followers_see_every_row_once_in_the_order_of_arrival),
        CASE(a_locked_database_delays_rows_and_loses_none),
        CASE(a_full_disk_is_survived_and_what_was_lost_is_known),
        CASE(the_spool_has_a_cap_and_the_count_beyond_it_is_exact),
        CASE(a_journal_that_the_disk_refuses_to_keep_is_fatal),
        CASE(old_rows_go_and_their_sums_stay),
        CASE(new_prices_change_rows_and_rollups_together),
        CASE(fifty_kills_under_load_lose_and_double_no_acknowledged_attempt),
    };
    store_use_file_calls();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
