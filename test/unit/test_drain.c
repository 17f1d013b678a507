/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The drain, without threads: journals in, rows out, exactly once, whatever fails or is killed on the
 * way. Expectations are made from the same seeds as the records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "ledger/drain/drain.h"
#include "ledger/journal_read.h"
#include "ledger/journal_recover.h"
#include "ledger/query.h"
#include "ledger/query_cost.h"
#include "ledger/schema.h"
#include "ledger/verify.h"
#include "ledger_fixture.h"

#define SEED 5
#define WORKERS 2
#define FIRST_US INT64_C(1795329600000000)

static char *const dir = fixture_test_dir;
static char journal_dir[FIXTURE_PATH_MAX], bodies_dir[FIXTURE_PATH_MAX], db_path[FIXTURE_PATH_MAX];

static void make_dirs(void)
{
    fixture_path(journal_dir, dir, SCHEMA_JOURNAL_DIR);
    fixture_path(bodies_dir, dir, SCHEMA_BODIES_DIR);
    fixture_path(db_path, dir, SCHEMA_FILE);
    assert_int_equal(file_mkdir(dir, 0700), ERR_OK);
    assert_int_equal(file_mkdir(journal_dir, 0700), ERR_OK);
    assert_int_equal(file_mkdir(bodies_dir, 0700), ERR_OK);
}

static int make_dir(void **state)
{
    int made = fixture_make_dir(state);
    make_dirs();
    return made;
}

/* Records go to the workers in turn, a second apart, so that they fill several hours. */
static int64_t id_of(uint64_t i)
{
    return record_id_floor(FIRST_US + (int64_t)i * 20000000) | (int64_t)(i % WORKERS) << 6;
}

static bool has_bodies(uint64_t i)
{
    return i % 3 == 0;
}

/* What a process has: journals for the workers, a database, a drain. */
struct process {
    struct journal *journals[WORKERS];
    struct store_db *db;
    struct drain *drain;
    uint64_t first[WORKERS];
};

static enum err open_drain(struct process *p)
{
    struct drain_options o = {.journal_dir = journal_dir, .bodies_dir = bodies_dir};
    enum err e = store_open(db_path, NULL, &p->db);
    if (e == ERR_OK)
        e = schema_migrate(p->db);
    for (unsigned w = 0; w < WORKERS; w++) {
        o.journals[w] = p->journals[w];
        o.live_from[w] = p->first[w];
    }
    o.db = p->db;
    return e == ERR_OK ? drain_open(&o, &p->drain) : e;
}

static void open_journals(struct process *p, uint64_t segment_bytes)
{
    struct journal_recovery found;
    assert_int_equal(journal_recover(journal_dir, &found), ERR_OK);
    for (unsigned w = 0; w < WORKERS; w++) {
        p->first[w] = found.next_sequence[w];
        const struct journal_options o = {.dir = journal_dir,
                                          .worker = w,
                                          .first_sequence = p->first[w],
                                          .segment_bytes = segment_bytes,
                                          .last_id = found.last_id};
        assert_int_equal(journal_open(&o, &p->journals[w]), ERR_OK);
    }
}

static void begin(struct process *p, uint64_t segment_bytes)
{
    *p = (struct process){.db = NULL};
    open_journals(p, segment_bytes);
    assert_int_equal(open_drain(p), ERR_OK);
}

static void end(struct process *p)
{
    drain_close(p->drain);
    store_close(p->db);
    for (unsigned w = 0; w < WORKERS; w++)
        journal_close(p->journals[w]);
}

static void add(struct process *p, uint64_t i)
{
    static struct fixture_record f;
    fixture_record(&f, SEED, i, id_of(i), has_bodies(i));
    journal_add(p->journals[i % WORKERS], &f.r);
}

static struct record_open open_of(uint64_t i)
{
    return (struct record_open){.id = id_of(i),
                                .request_id = id_of(i),
                                .started_us = record_id_time_us(id_of(i)),
                                .workspace_id = 1,
                                .key_id = 4,
                                .integration_id = 2,
                                .method = STR("POST"),
                                .path = STR("/v1/responses"),
                                .operation = STR("responses"),
                                .model_asked = STR("gpt-5"),
                                .trace_id = STR("a trace"),
                                .user = STR("someone"),
                                .metadata = STR("{\"a\":1}"),
                                .stream = true,
                                .request_bytes = 777,
                                .reserved_pusd = i % 2 ? 0 : 5000000 + (int64_t)i};
}

static void add_open(struct process *p, uint64_t i)
{
    const struct record_open o = open_of(i);
    journal_add_open(p->journals[i % WORKERS], &o);
}

static void flush(struct process *p)
{
    for (unsigned w = 0; w < WORKERS; w++)
        assert_int_equal(journal_flush(p->journals[w]), ERR_OK);
}

/* All batches until nothing is left; every failure is tried again, up to a limit. */
static unsigned drain_all(struct process *p)
{
    unsigned failures = 0;
    bool more = true;
    while (more) {
        if (drain_batch(p->drain, &more) != ERR_OK) {
            more = true;
            assert_true(++failures < 200);
            assert_true(drain_reason(p->drain)[0] != '\0');
        }
    }
    return failures;
}

/* --- what must be there ---------------------------------------------------------------------- */

struct expected {
    struct query *q;
    uint64_t next; /* the next record that must come, counted down */
    uint64_t rows, wrong;
};

static bool compare_row(void *context, const struct record *r)
{
    static struct fixture_record f;
    struct expected *x = context;
    uint64_t i = (uint64_t)(record_id_time_us(r->id) - FIRST_US) / 20000000;
    fixture_record(&f, SEED, i, id_of(i), has_bodies(i));
    x->rows++;
    bool same = fixture_equal(&f.r, r) && r->bodies_kept == has_bodies(i) && x->next-- == i + 1;
    if (same && r->bodies_kept && i % 27 == 0) {
        struct body_pair pair;
        same = query_bodies(x->q, r->id, &pair) == ERR_OK;
        if (same) {
            same = str_eq(pair.request.bytes, f.r.request_body.bytes) &&
                   str_eq(pair.response.bytes, f.r.response_body.bytes);
            body_pair_free(&pair);
        }
    }
    x->wrong += !same;
    return true;
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
    return result;
}

/* The rows are the records 0 … count-1, each once, all else agrees with them. */
static void check_rows(uint64_t count)
{
    struct expected x = {.next = count};
    struct query_filter all = query_filter_all();
    all.limit = QUERY_LIMIT_MAX;
    assert_true(count < QUERY_LIMIT_MAX);
    assert_int_equal(query_open(dir, &x.q), ERR_OK);
    assert_int_equal(query_attempts(x.q, &all, compare_row, &x), ERR_OK);
    query_close(x.q);
    assert_int_equal(x.rows, count);
    assert_int_equal(x.wrong, 0);
    struct verify_result v = verify();
    assert_int_equal(v.findings, 0);
    assert_int_equal(v.rows, count);
}

static void records_become_rows_and_rollups(void **state)
{
    (void)state;
    struct process p;
    begin(&p, 0);
    for (uint64_t i = 0; i < 3000; i++) {
        add_open(&p, i);
        add(&p, i);
        if (i % 10 == 0)
            flush(&p);
    }
    flush(&p);
    assert_int_equal(drain_all(&p), 0);
    struct drain_counts c = drain_counts(p.drain);
    assert_int_equal(c.rows, 3000);
    assert_int_equal(c.duplicates, 0);
    assert_int_equal(c.interrupted, 0);
    assert_int_equal(c.open_attempts, 0);
    end(&p);
    check_rows(3000);
}

static void sums_are_exact_beyond_64_bits(void **state)
{
    (void)state;
    static struct fixture_record f;
    struct process p;
    struct query *q;
    struct query_sums total;
    const struct query_cost all = {.cost_state = -1};
    money_sum cost = 0;
    unsigned __int128 tokens = 0;
    begin(&p, 0);
    for (uint64_t i = 0; i < 50; i++) {
        fixture_record(&f, SEED, i, id_of(i), false);
        f.r.cost.state = COST_PRICED;
        f.r.cost.total_pusd = INT64_MAX - (int64_t)i;
        f.r.cost.part_pusd[METER_OUTPUT] = f.r.cost.total_pusd;
        f.r.usage.quantity[METER_OUTPUT] = UINT64_MAX - i;
        f.r.usage.output_total_tok = UINT64_MAX;
        cost += f.r.cost.total_pusd;
        tokens += f.r.usage.quantity[METER_OUTPUT];
        journal_add(p.journals[0], &f.r);
        flush(&p);
        assert_int_equal(drain_all(&p), 0); /* each batch adds to what is stored */
    }
    end(&p);
    assert_int_equal(query_open(dir, &q), ERR_OK);
    assert_int_equal(query_cost(q, &all, NULL, NULL, &total), ERR_OK);
    assert_true(total.sums.cost_pusd == cost);
    assert_true(total.sums.part_pusd[METER_OUTPUT] == cost);
    assert_true(total.sums.quantity[METER_OUTPUT] == tokens);
    assert_true(total.sums.output_tok == INT64_MAX); /* this one only shows */
    assert_int_equal(total.sums.attempts, 50);
    query_close(q);
}

static void a_record_that_comes_twice_is_one_row(void **state)
{
    (void)state;
    struct process p;
    begin(&p, 0);
    for (uint64_t i = 0; i < 100; i++)
        add(&p, i);
    flush(&p);
    drain_all(&p);
    for (uint64_t i = 0; i < 100; i++)
        add(&p, i);
    flush(&p);
    drain_all(&p);
    assert_int_equal(drain_counts(p.drain).duplicates, 100);
    end(&p);
    check_rows(100);
}

/* --- restarts -------------------------------------------------------------------------------- */

static void stopping_at_any_batch_and_starting_again_loses_and_doubles_nothing(void **state)
{
    (void)state;
    struct rng_seeded g = {77};
    uint64_t next = 0;
    for (unsigned round = 0; round < 30; round++) {
        struct process p;
        bool more;
        begin(&p, 8000);
        for (uint64_t k = rng_seeded_below(&g, 200); k > 0; k--) {
            add_open(&p, next);
            add(&p, next++);
            if (k % 9 == 0)
                flush(&p);
            if (k % 40 == 0)
                assert_int_equal(drain_batch(p.drain, &more), ERR_OK);
        }
        flush(&p);
        end(&p);
    }
    struct process p;
    begin(&p, 0);
    drain_all(&p);
    end(&p);
    check_rows(next);
}

/* Drains what is there in a child that is killed at its n-th call. True when it got through. */
static bool drain_and_kill(uint64_t at)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct process p = {.db = NULL};
        struct file_faults f = {.calls = FILE_CALLS_ALL & ~FILE_CALL_BIT(FILE_READ), .kind = FILE_FAULT_KILL, .at = at};
        bool more = true;
        file_set_faults(&f);
        if (open_drain(&p) != ERR_OK)
            _exit(1);
        while (more)
            if (drain_batch(p.drain, &more) != ERR_OK)
                _exit(1);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFEXITED(status);
}

static void a_kill_at_any_system_call_of_the_drain_changes_nothing_in_the_end(void **state)
{
    (void)state;
    struct rng_seeded g = {1};
    bool through = false;
    unsigned kills = 0;
    for (uint64_t at = 1; !through; at += 1 + rng_seeded_below(&g, 1 + at / 8)) {
        struct process p;
        begin(&p, 6000);
        for (uint64_t i = 0; i < 150; i++) {
            add_open(&p, i);
            add(&p, i);
            flush(&p);
        }
        end(&p);
        through = drain_and_kill(at);
        kills += !through;
        /* Killed once more on the way, further on, then done in peace. */
        drain_and_kill(at / 2 + 1);
        begin(&p, 0);
        drain_all(&p);
        end(&p);
        check_rows(150);
        fixture_remove(dir);
        make_dirs();
    }
    assert_true(kills > 10);
}

static void any_call_may_fail_and_the_next_try_goes_on(void **state)
{
    (void)state;
    const struct {
        enum file_fault_kind kind;
        int error;
        bool stays;
    } ways[] = {{FILE_FAULT_ERROR, EIO, false},
                {FILE_FAULT_TORN, ENOSPC, false},
                {FILE_FAULT_SHORT, EIO, false},
                {FILE_FAULT_ERROR, EINTR, false},
                {FILE_FAULT_TORN, ENOSPC, true}};
    for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        unsigned failures = 0;
        for (uint64_t at = 1; at < 60; at += 1 + at / 6) {
            struct process p;
            begin(&p, 6000);
            for (uint64_t i = 0; i < 120; i++) {
                add_open(&p, i);
                add(&p, i);
                flush(&p);
            }
            struct file_faults f = {.calls = FILE_CALLS_ALL,
                                    .kind = ways[w].kind,
                                    .error = ways[w].error,
                                    .at = at,
                                    .stays = ways[w].stays};
            bool more;
            file_set_faults(&f);
            for (unsigned k = 0; k < 5; k++)
                failures += drain_batch(p.drain, &more) != ERR_OK;
            file_set_faults(NULL);
            failures += drain_all(&p);
            assert_int_equal(drain_counts(p.drain).duplicates, 0);
            end(&p);
            check_rows(120);
            fixture_remove(dir);
            make_dirs();
        }
        assert_true(failures > 0 || ways[w].error == EINTR || ways[w].kind == FILE_FAULT_SHORT);
    }
}

/* --- open attempts --------------------------------------------------------------------------- */

struct interrupted {
    uint64_t rows, estimated, unpriced;
};

static bool check_interrupted(void *context, const struct record *r)
{
    struct interrupted *n = context;
    uint64_t i = (uint64_t)(record_id_time_us(r->id) - FIRST_US) / 20000000;
    struct record_open o = open_of(i);
    n->rows++;
    assert_int_equal(r->outcome, RECORD_INTERRUPTED);
    assert_int_equal(r->err, ERR_INTERRUPTED);
    assert_int_equal(r->status, 0);
    assert_true(str_eq(r->path, o.path) && str_eq(r->model_asked, o.model_asked) && str_eq(r->user, o.user));
    assert_true(str_eq(r->trace_id, o.trace_id) && str_eq(r->metadata, o.metadata) && r->stream);
    assert_int_equal(r->request_body.size_bytes, 777);
    assert_int_equal(r->key_id, 4);
    assert_int_equal(r->usage.source, USAGE_UNKNOWN);
    if (o.reserved_pusd > 0) {
        assert_int_equal(r->cost.state, COST_ESTIMATED);
        assert_int_equal(r->cost.total_pusd, o.reserved_pusd);
        n->estimated++;
    } else {
        assert_int_equal(r->cost.state, COST_UNPRICED); /* never a quiet zero */
        n->unpriced++;
    }
    return true;
}

static struct interrupted interrupted_rows(void)
{
    struct interrupted n = {0, 0, 0};
    struct query *q;
    struct query_filter f = query_filter_all();
    f.outcome = RECORD_INTERRUPTED;
    f.limit = 1000;
    assert_int_equal(query_open(dir, &q), ERR_OK);
    assert_int_equal(query_attempts(q, &f, check_interrupted, &n), ERR_OK);
    query_close(q);
    return n;
}

static void what_was_under_way_when_the_process_ended_is_interrupted(void **state)
{
    (void)state;
    struct process p;
    begin(&p, 0);
    for (uint64_t i = 0; i < 40; i++) {
        add_open(&p, i);
        if (i % 4 != 0)
            add(&p, i);
    }
    flush(&p);
    drain_all(&p);
    assert_int_equal(drain_counts(p.drain).open_attempts, 10);
    assert_int_equal(interrupted_rows().rows, 0); /* as long as this process lives */
    end(&p);
    for (int start = 0; start < 2; start++) { /* the second start finds nothing more */
        begin(&p, 0);
        drain_all(&p);
        assert_int_equal(drain_counts(p.drain).interrupted, start == 0 ? 10 : 0);
        assert_int_equal(drain_counts(p.drain).open_attempts, 0);
        struct interrupted n = interrupted_rows();
        assert_int_equal(n.rows, 10);
        assert_int_equal(n.estimated, 10);
        add_open(&p, 100 + (uint64_t)start); /* those of this process are not touched */
        add(&p, 100 + (uint64_t)start);
        flush(&p);
        drain_all(&p);
        end(&p);
    }
    assert_int_equal(verify().findings, 0);
}

static void without_a_reservation_an_interrupted_attempt_is_unpriced(void **state)
{
    (void)state;
    struct process p;
    begin(&p, 0);
    for (uint64_t i = 1; i < 20; i += 2)
        add_open(&p, i);
    flush(&p);
    end(&p);
    begin(&p, 0);
    drain_all(&p);
    end(&p);
    assert_int_equal(interrupted_rows().unpriced, 10);
}

static uint64_t fake_mono_us = 1000000;

static uint64_t fake_mono(void)
{
    return fake_mono_us;
}

static int64_t fake_wall(void)
{
    return FIRST_US + (int64_t)fake_mono_us;
}

static int64_t count_of(struct process *p, const char *sql)
{
    struct store_stmt *st;
    bool row;
    assert_int_equal(store_prepare(p->db, sql, &st), ERR_OK);
    assert_int_equal(store_step(st, &row), ERR_OK);
    int64_t n = store_i64(st, 0);
    store_done(st);
    return n;
}

static void only_attempts_that_last_long_reach_the_table(void **state)
{
    (void)state;
    const struct clock_source fake = {fake_mono, fake_wall};
    struct process p;
    clock_set_source(&fake);
    begin(&p, 0);
    for (uint64_t i = 0; i < 20; i++)
        add_open(&p, i);
    flush(&p);
    drain_all(&p);
    assert_int_equal(count_of(&p, "SELECT count(*) FROM open_attempts"), 0);
    fake_mono_us += 40000000;
    add(&p, 100); /* a batch comes by */
    flush(&p);
    drain_all(&p);
    assert_int_equal(count_of(&p, "SELECT count(*) FROM open_attempts"), 20);
    for (uint64_t i = 0; i < 15; i++)
        add(&p, i);
    flush(&p);
    drain_all(&p);
    assert_int_equal(count_of(&p, "SELECT count(*) FROM open_attempts"), 5);
    end(&p);
    begin(&p, 0);
    drain_all(&p);
    assert_int_equal(count_of(&p, "SELECT count(*) FROM open_attempts"), 0);
    end(&p);
    clock_set_source(NULL);
    struct interrupted n = interrupted_rows();
    assert_int_equal(n.rows, 5);
    assert_int_equal(verify().findings, 0);
}

static void stored_segments_are_deleted_and_open_attempts_do_not_hold_them(void **state)
{
    (void)state;
    struct process p;
    struct journal_segments all;
    begin(&p, 5000);
    add_open(&p, 0); /* lasts through all of it */
    for (uint64_t i = 1; i < 600; i++) {
        add_open(&p, i);
        add(&p, i);
        flush(&p);
    }
    drain_all(&p);
    assert_int_equal(journal_list(journal_dir, &all), ERR_OK);
    assert_in_range(all.count, WORKERS, 2 * WORKERS);
    assert_true(drain_counts(p.drain).deleted_bytes > 100000);
    journal_segments_free(&all);
    add(&p, 0);
    flush(&p);
    drain_all(&p);
    end(&p);
    check_rows(600);
}

/* --- damage ---------------------------------------------------------------------------------- */

struct losses {
    unsigned damaged, gaps;
    uint64_t bytes, records;
};

static bool count_loss(void *context, const struct query_loss *l)
{
    struct losses *n = context;
    if (str_eq(l->what, STR("not recorded"))) {
        n->gaps++;
        n->records += l->records;
    } else {
        n->damaged++;
        n->bytes += l->bytes;
    }
    return true;
}

static struct losses read_losses(void)
{
    struct losses n = {0, 0, 0, 0};
    struct query *q;
    assert_int_equal(query_open(dir, &q), ERR_OK);
    assert_int_equal(query_losses(q, 1000, count_loss, &n), ERR_OK);
    query_close(q);
    return n;
}

static void damage_inside_a_journal_costs_its_record_and_is_written_down(void **state)
{
    (void)state;
    struct process p;
    struct journal_segments all;
    char path[JOURNAL_PATH_MAX];
    begin(&p, 0);
    for (uint64_t i = 0; i < 100; i++)
        add(&p, i);
    flush(&p);
    end(&p);
    assert_int_equal(journal_list(journal_dir, &all), ERR_OK);
    assert_true(journal_path(path, journal_dir, &all.list[0]));
    size_t n;
    char *bytes = fixture_read(path, &n);
    bytes[n / 2] = (char)(bytes[n / 2] ^ 4);
    fixture_write(path, bytes, n);
    mem_free(bytes);
    journal_segments_free(&all);
    assert_int_equal(verify_ledger(dir, &(struct verify_options){.context = NULL}, &(struct verify_result){0}), ERR_OK);
    begin(&p, 0);
    drain_all(&p);
    struct drain_counts c = drain_counts(p.drain);
    assert_int_equal(c.rows, 99);
    assert_int_equal(c.damaged_places, 1);
    end(&p);
    struct losses l = read_losses();
    assert_int_equal(l.damaged, 1);
    assert_int_equal(l.bytes, c.damaged_bytes);
}

static void a_block_that_the_disk_never_gives_holds_up_nothing_else(void **state)
{
    (void)state;
    struct process p;
    uint64_t size;
    begin(&p, 0);
    for (uint64_t i = 0; i < 1200; i++)
        add(&p, i);
    flush(&p);
    size = journal_pos_offset(journal_written(p.journals[0]));
    assert_true(size > 1000000);
    end(&p);
    begin(&p, 0);
    struct file_faults f = {.calls = FILE_CALL_BIT(FILE_READ),
                            .error = EIO,
                            .at = 1,
                            .stays = true,
                            .from = 900000,
                            .to = 900001}; /* the database is smaller than that */
    file_set_faults(&f);
    unsigned failures = drain_all(&p);
    file_set_faults(NULL);
    struct drain_counts c = drain_counts(p.drain);
    assert_in_range(failures, 10, 100);
    assert_in_range(c.rows, 1190, 1199); /* what lay in the block, in both journals */
    assert_true(c.damaged_places > 0);
    end(&p);
    assert_true(read_losses().damaged > 0);
}

static void a_power_cut_that_undoes_commits_loses_no_row_whose_journal_is_there(void **state)
{
    (void)state;
    struct rng_seeded g = {12};
    char kept[FIXTURE_PATH_MAX], shm[FIXTURE_PATH_MAX + 8];
    uint64_t next = 0;
    fixture_path(kept, dir, "kept.db");
    snprintf(shm, sizeof shm, "%s-shm", db_path);
    for (unsigned round = 0; round < 25; round++) {
        struct process p;
        bool more;
        begin(&p, 20000);
        drain_all(&p);
        uint64_t deleted = drain_counts(p.drain).deleted_bytes;
        fixture_copy_database(db_path, kept);
        for (unsigned k = 0; k < 12; k++) {
            for (unsigned i = 0; i < 20; i++) {
                add_open(&p, next);
                add(&p, next++);
            }
            flush(&p);
            assert_int_equal(drain_batch(p.drain, &more), ERR_OK);
            /* What a full sync has put on the disk stays there; so does anything, if luck will. */
            if (drain_counts(p.drain).deleted_bytes != deleted || rng_seeded_below(&g, 4) == 0)
                fixture_copy_database(db_path, kept);
            deleted = drain_counts(p.drain).deleted_bytes;
        }
        end(&p);
        fixture_copy_database(kept, db_path);
        assert_int_equal(file_unlink(shm), ERR_OK);
    }
    struct process p;
    begin(&p, 0);
    drain_all(&p);
    end(&p);
    assert_int_equal(file_unlink(kept), ERR_OK);
    check_rows(next);
}

static void records_that_were_not_written_are_counted_in_the_database(void **state)
{
    (void)state;
    struct process p;
    begin(&p, 0);
    struct file_faults f = {.calls = FILE_CALL_BIT(FILE_WRITE), .error = ENOSPC, .at = 1, .stays = true};
    file_set_faults(&f);
    for (uint64_t i = 0; i < 30; i++) {
        add(&p, i);
        assert_int_equal(journal_flush(p.journals[i % WORKERS]), ERR_JOURNAL_FAILED);
    }
    file_set_faults(NULL);
    add(&p, 30);
    add(&p, 31);
    flush(&p);
    drain_all(&p);
    end(&p);
    struct losses l = read_losses();
    assert_int_equal(l.gaps, WORKERS);
    assert_int_equal(l.records, 30);
    assert_int_equal(verify().not_stored, 30);
}

static void a_lost_database_begins_anew_from_the_journals_that_are_left(void **state)
{
    (void)state;
    struct process p;
    begin(&p, 0);
    for (uint64_t i = 0; i < 50; i++)
        add(&p, i);
    flush(&p);
    drain_all(&p);
    end(&p);
    assert_int_equal(file_unlink(db_path), ERR_OK);
    char wal[FIXTURE_PATH_MAX + 8];
    snprintf(wal, sizeof wal, "%s-wal", db_path);
    assert_int_equal(file_unlink(wal), ERR_OK);
    begin(&p, 0);
    drain_all(&p);
    end(&p);
    check_rows(50);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_dir, fixture_remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(records_become_rows_and_rollups),
        CASE(sums_are_exact_beyond_64_bits),
        CASE(a_record_that_comes_twice_is_one_row),
        CASE(stopping_at_any_batch_and_starting_again_loses_and_doubles_nothing),
        CASE(a_kill_at_any_system_call_of_the_drain_changes_nothing_in_the_end),
        CASE(any_call_may_fail_and_the_next_try_goes_on),
        CASE(what_was_under_way_when_the_process_ended_is_interrupted),
        CASE(without_a_reservation_an_interrupted_attempt_is_unpriced),
        CASE(only_attempts_that_last_long_reach_the_table),
        CASE(stored_segments_are_deleted_and_open_attempts_do_not_hold_them),
        CASE(damage_inside_a_journal_costs_its_record_and_is_written_down),
        CASE(a_block_that_the_disk_never_gives_holds_up_nothing_else),
        CASE(a_power_cut_that_undoes_commits_loses_no_row_whose_journal_is_there),
        CASE(records_that_were_not_written_are_counted_in_the_database),
        CASE(a_lost_database_begins_anew_from_the_journals_that_are_left),
    };
    store_use_file_calls();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
