/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache's disk tier. It may forget, but what it says must be right: after restarts, kills in the
 * middle of writes, damage anywhere in the file and disks that are full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache_rig.h"
#include "gateway/cache/semantic.h"
#include "ledger_fixture.h"
#include "store/sqlite.h"

#define MEMORY (64u << 20)
#define DISK (64u << 20)
#define SOME 300

static void path_of(char out[FIXTURE_PATH_MAX], const char *name)
{
    fixture_path(out, fixture_test_dir, name);
}

static size_t size_of(const char *name)
{
    char path[FIXTURE_PATH_MAX];
    struct stat st;
    path_of(path, name);
    return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

static bool there(const char *name)
{
    char path[FIXTURE_PATH_MAX];
    path_of(path, name);
    return access(path, F_OK) == 0;
}

static size_t body_bytes(uint64_t i)
{
    return i * 37 % 9000;
}

static void put_some(struct cache *c, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        if (i % 200 == 199) /* the queue is bounded */
            cache_rig_settle(c);
        cache_rig_put(c, i, body_bytes(i));
    }
}

/* How many are found; each of them must be right. */
static unsigned found(struct cache *c, uint64_t from, uint64_t to)
{
    unsigned n = 0;
    for (uint64_t i = from; i < to; i++) {
        const struct cache_entry *e = cache_rig_find(c, i);
        assert_true(!e || cache_rig_right(e, i, body_bytes(i)));
        n += e != NULL;
        cache_release(e);
    }
    return n;
}

static void a_restart_keeps_what_was_put(void **state)
{
    (void)state;
    struct cache *c = cache_rig_open(MEMORY, DISK);
    struct cache_stats s;
    assert_false(there("cache.db")); /* nothing is made before it is used */
    put_some(c, 0, SOME);
    cache_close(c);
    c = cache_rig_open(MEMORY, DISK);
    assert_int_equal(found(c, 0, SOME), SOME); /* at once, while the index is being read */
    assert_int_equal(found(c, SOME, SOME + 50), 0);
    cache_stats_of(c, &s);
    assert_int_equal(s.entries, SOME);
    assert_int_equal(s.disk_entries, SOME);
    assert_true(s.disk_bytes > 0);
    assert_true(s.disk_bytes <= size_of("cache.db") + size_of("cache.db-wal"));
    assert_int_equal(s.dropped, 0);
    cache_close(c);
}

static void a_miss_costs_no_look_at_the_disk(void **state)
{
    (void)state;
    unsigned char key[CACHE_KEY_BYTES];
    bool on_disk;
    struct cache *c = cache_rig_open(MEMORY, DISK);
    put_some(c, 0, 50);
    cache_close(c);
    c = cache_rig_open(MEMORY, DISK);
    assert_null(cache_rig_fetch(c, 99)); /* the index has been read when this is answered */
    for (uint64_t i = 0; i < 100; i++) {
        cache_rig_key(i, key);
        assert_null(cache_find(c, key, 0, &on_disk));
        assert_int_equal(on_disk, i < 50);
    }
    cache_close(c);
}

static void only_the_owner_can_read_the_file(void **state)
{
    (void)state;
    char path[FIXTURE_PATH_MAX];
    struct stat st;
    struct cache *c = cache_rig_open(MEMORY, DISK);
    put_some(c, 0, 10);
    cache_rig_settle(c);
    path_of(path, "cache.db");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    path_of(path, "cache.db-wal");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    cache_close(c);
}

static void an_expired_answer_does_not_come_back(void **state)
{
    (void)state;
    unsigned char key[CACHE_KEY_BYTES];
    struct cache_stats s;
    bool on_disk;
    struct cache *c = cache_rig_open(MEMORY, DISK);
    struct cache_answer a = *cache_rig_answer(1, 100);
    a.expires_us = clock_wall_us() + 300000;
    cache_rig_key(1, key);
    cache_put(c, key, &a);
    cache_rig_put(c, 2, 100);
    cache_close(c);
    const struct timespec pause = {0, 400000000};
    nanosleep(&pause, NULL);
    c = cache_rig_open(MEMORY, DISK);
    assert_null(cache_rig_fetch(c, 1));
    cache_release(cache_rig_fetch(c, 2));
    assert_null(cache_find(c, key, 0, &on_disk));
    assert_false(on_disk);
    for (int i = 0; i < 100; i++) { /* figures follow the work */
        cache_stats_of(c, &s);
        if (s.disk_entries == 1)
            break;
        nanosleep(&pause, NULL);
    }
    assert_int_equal(s.disk_entries, 1);
    cache_close(c);
}

static void the_newer_answer_counts(void **state)
{
    (void)state;
    unsigned char key[CACHE_KEY_BYTES];
    struct cache *c = cache_rig_open(MEMORY, DISK);
    cache_rig_key(1, key);
    cache_put(c, key, cache_rig_answer(5, 300));
    cache_put(c, key, cache_rig_answer(6, 200));
    cache_close(c);
    c = cache_rig_open(MEMORY, DISK);
    const struct cache_entry *e = cache_rig_find(c, 1);
    assert_non_null(e);
    assert_true(cache_rig_right(e, 6, 200));
    cache_release(e);
    cache_close(c);
}

static void memory_may_be_smaller_than_the_disk(void **state)
{
    (void)state;
    struct cache_stats s;
    struct cache *c = cache_rig_open(100000, DISK);
    put_some(c, 0, SOME);
    cache_release(cache_rig_fetch(c, UINT64_MAX));
    cache_stats_of(c, &s);
    assert_true(s.memory_bytes <= 100000);
    cache_close(c);
    c = cache_rig_open(100000, DISK);
    assert_int_equal(found(c, 0, SOME), SOME);
    cache_close(c);
    c = cache_rig_open(0, DISK);
    assert_int_equal(found(c, 0, SOME), SOME);
    cache_close(c);
}

static void the_file_stays_within_its_cap(void **state)
{
    (void)state;
    const size_t cap = 400000;
    struct cache_stats s;
    struct cache *c = cache_rig_open(MEMORY, cap);
    for (uint64_t i = 0; i < 2000; i += 100) {
        put_some(c, i, i + 100);
        assert_true(size_of("cache.db") <= cap);
    }
    cache_close(c);
    assert_true(size_of("cache.db") <= cap);
    assert_true(size_of("cache.db") > cap / 2);
    c = cache_rig_open(MEMORY, cap);
    unsigned n = found(c, 0, 2000), newest = found(c, 1980, 2000);
    assert_in_range(n, 30, 1000);
    assert_int_equal(newest, 20); /* the oldest went */
    cache_stats_of(c, &s);
    assert_int_equal(s.disk_entries, n);
    cache_close(c);
}

static void a_lower_cap_shrinks_the_file(void **state)
{
    (void)state;
    const struct timespec pause = {0, 20000000};
    struct cache *c = cache_rig_open(MEMORY, DISK);
    for (uint64_t i = 0; i < 8; i++)
        cache_rig_put(c, i, 2000000);
    cache_rig_settle(c);
    cache_close(c);
    size_t before = size_of("cache.db");
    assert_true(before > 6000000);
    c = cache_rig_open(MEMORY, 3000000);
    for (int i = 0; i < 500 && size_of("cache.db") > before * 9 / 10; i++) {
        cache_release(cache_rig_fetch(c, UINT64_MAX));
        nanosleep(&pause, NULL);
    }
    cache_close(c);
    assert_true(size_of("cache.db") <= before * 9 / 10);
}

static void zero_means_no_file(void **state)
{
    (void)state;
    struct cache *c = cache_rig_open(MEMORY, 0);
    put_some(c, 0, 10);
    cache_close(c);
    assert_false(there("cache.db"));
}

/* --- kills ----------------------------------------------------------------------------------- */

static void write_until_killed(unsigned round)
{
    struct cache *c = cache_rig_open(round % 2 ? MEMORY : 50000, round % 3 ? DISK : 300000);
    for (uint64_t i = 0;; i = (i + 1) % 3000) {
        cache_rig_put(c, i, body_bytes(i));
        if (i % 100 == 99)
            cache_release(cache_rig_fetch(c, i));
    }
}

static void a_kill_never_leaves_a_wrong_answer(void **state)
{
    (void)state;
    unsigned rounds = 12 * fixture_scale(), kept = 0;
    for (unsigned i = 0; i < rounds; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            write_until_killed(i);
            _exit(0);
        }
        const struct timespec pause = {0, 30000000 + (long)(i * 7919 % 60) * 1000000};
        nanosleep(&pause, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        struct cache *c = cache_rig_open(MEMORY, DISK);
        kept += found(c, 0, 3000);
        cache_close(c);
    }
    assert_true(kept > 0);
    assert_false(there("cache.db.damaged"));
}

static void a_write_that_dies_half_way_is_no_answer(void **state)
{
    (void)state;
    for (uint64_t at = 1; at < 60; at += 3) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            struct file_faults faults = {.calls = FILE_CALL_BIT(FILE_WRITE), .kind = FILE_FAULT_KILL, .at = at};
            store_use_file_calls();
            file_set_faults(&faults);
            struct cache *c = cache_rig_open(MEMORY, DISK);
            put_some(c, at * 10, at * 10 + 40);
            cache_close(c);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        struct cache *c = cache_rig_open(MEMORY, DISK);
        found(c, 0, 1000);
        cache_close(c);
    }
    assert_false(there("cache.db.damaged"));
}

/* --- damage ---------------------------------------------------------------------------------- */

static void a_file_that_is_no_database_is_put_aside(void **state)
{
    (void)state;
    char path[FIXTURE_PATH_MAX];
    path_of(path, "cache.db");
    fixture_write(path, "This is not a database, but a text of some length that one might take for it.", 77);
    log_set_level(LOG_OFF);
    struct cache *c = cache_rig_open(MEMORY, DISK);
    assert_null(cache_rig_fetch(c, 1));
    put_some(c, 0, 50);
    cache_close(c);
    assert_true(there("cache.db.damaged"));
    c = cache_rig_open(MEMORY, DISK);
    assert_int_equal(found(c, 0, 50), 50);
    cache_close(c);
    log_set_level(LOG_INFO);
}

static void damage_anywhere_never_makes_a_wrong_answer(void **state)
{
    (void)state;
    char path[FIXTURE_PATH_MAX];
    size_t size;
    unsigned kept = 0, lost = 0;
    struct cache *c = cache_rig_open(MEMORY, DISK);
    put_some(c, 0, 100);
    cache_close(c);
    path_of(path, "cache.db");
    char *good = fixture_read(path, &size), *bad = mem_alloc(size);
    log_set_level(LOG_OFF);
    for (size_t page = 0; page < size / 4096; page++) {
        memcpy(bad, good, size);
        size_t at = page * 4096 + page * 797 % 4096;
        if (page % 3 == 0)
            memset(bad + page * 4096, (int)page, 4096);
        else
            for (size_t i = at; i < at + 5 && i < size; i++)
                bad[i] = (char)(bad[i] ^ (page % 3 == 1 ? 0x10 : 0xff));
        fixture_write(path, bad, size);
        c = cache_rig_open(MEMORY, DISK);
        unsigned n = found(c, 0, 100);
        kept += n;
        lost += 100 - n;
        put_some(c, 100, 110);
        assert_int_equal(found(c, 100, 110), 10);
        cache_close(c);
    }
    log_set_level(LOG_INFO);
    print_message("%zu pages: %u answers found, %u lost\n", size / 4096, kept, lost);
    assert_true(kept > 0);
    assert_true(lost > 0);
    mem_free(good);
    mem_free(bad);
}

static void a_file_of_a_later_version_is_left_alone(void **state)
{
    (void)state;
    char path[FIXTURE_PATH_MAX];
    struct store_db *db;
    struct cache *c = cache_rig_open(MEMORY, DISK);
    put_some(c, 0, 10);
    cache_close(c);
    path_of(path, "cache.db");
    assert_int_equal(store_open(path, NULL, &db), ERR_OK);
    assert_int_equal(store_exec(db, "UPDATE tollgate_schema SET version = 99"), ERR_OK);
    store_close(db);
    log_set_level(LOG_OFF);
    c = cache_rig_open(MEMORY, DISK);
    put_some(c, 20, 30);
    assert_int_equal(found(c, 0, 10), 0);
    assert_int_equal(found(c, 20, 30), 10); /* memory goes on */
    cache_close(c);
    log_set_level(LOG_INFO);
    assert_true(there("cache.db"));
    assert_false(there("cache.db.damaged"));
}

/* --- failing disks --------------------------------------------------------------------------- */

static void a_full_disk_only_makes_it_forget(void **state)
{
    (void)state;
    struct cache_stats s;
    static struct file_faults faults;
    faults = (struct file_faults){
        .calls = FILE_CALL_BIT(FILE_WRITE), .kind = FILE_FAULT_ERROR, .error = ENOSPC, .at = 1, .stays = true};
    struct cache *c = cache_rig_open(MEMORY, DISK);
    put_some(c, 0, 20);
    cache_rig_settle(c);
    log_set_level(LOG_OFF);
    file_set_faults(&faults);
    put_some(c, 20, 40);
    const struct timespec pause = {0, 20000000};
    for (int i = 0; i < 500; i++) {
        cache_stats_of(c, &s);
        if (s.dropped == 20)
            break;
        nanosleep(&pause, NULL);
    }
    assert_int_equal(s.dropped, 20);
    assert_int_equal(found(c, 0, 40), 40);
    file_set_faults(NULL);
    log_set_level(LOG_INFO);
    put_some(c, 40, 60);
    cache_close(c);
    c = cache_rig_open(MEMORY, DISK);
    assert_int_equal(found(c, 0, 20), 20);
    assert_int_equal(found(c, 20, 40), 0);
    assert_int_equal(found(c, 40, 60), 20);
    cache_close(c);
}

static void any_failing_call_only_makes_it_forget(void **state)
{
    (void)state;
    static struct file_faults faults;
    log_set_level(LOG_OFF);
    for (uint64_t at = 1; at <= 60; at++) {
        fixture_remove_dir(NULL);
        fixture_make_dir(NULL);
        struct cache *c = cache_rig_open(MEMORY, DISK);
        put_some(c, 0, 20);
        cache_close(c);
        faults = (struct file_faults){
            .calls = FILE_CALLS_ALL, .kind = at % 2 ? FILE_FAULT_ERROR : FILE_FAULT_TORN, .error = EIO, .at = at};
        file_set_faults(&faults);
        c = cache_rig_open(MEMORY, DISK);
        put_some(c, 20, 40);
        found(c, 0, 20);
        assert_int_equal(found(c, 20, 40), 20);
        cache_close(c);
        file_set_faults(NULL);
        c = cache_rig_open(MEMORY, DISK);
        found(c, 0, 40);
        put_some(c, 40, 45);
        assert_int_equal(found(c, 40, 45), 5);
        cache_close(c);
    }
    log_set_level(LOG_INFO);
}

/* --- queues ---------------------------------------------------------------------------------- */

static void a_full_queue_drops_and_counts(void **state)
{
    (void)state;
    struct cache_stats s;
    struct cache *c = cache_rig_open(MEMORY, DISK);
    const unsigned many = 60;
    for (uint64_t i = 0; i < many; i++)
        cache_rig_put(c, i, 1 << 20);
    cache_close(c);
    c = cache_rig_open(1 << 10, DISK);
    assert_null(cache_rig_fetch(c, UINT64_MAX));
    cache_stats_of(c, &s);
    assert_in_range(s.disk_entries, 10, many);
    for (uint64_t i = 0; i < many; i++) {
        const struct cache_entry *e = cache_rig_find(c, i);
        assert_true(!e || cache_rig_right(e, i, 1 << 20));
        cache_release(e);
    }
    cache_close(c);
}

static void must_not_be_called(void *ctx, const struct cache_entry *e)
{
    (void)ctx;
    (void)e;
    fail();
}

static void a_cancelled_look_reaches_nobody(void **state)
{
    (void)state;
    unsigned char key[CACHE_KEY_BYTES];
    struct cache *c = cache_rig_open(MEMORY, DISK);
    put_some(c, 0, 100);
    cache_close(c);
    for (int round = 0; round < 20; round++) {
        c = cache_rig_open(MEMORY, DISK);
        struct loop *own = loop_new(); /* goes away at once: nothing may be posted to it later */
        struct cache_fetch *f[50];
        for (uint64_t i = 0; i < 50; i++) {
            cache_rig_key(i, key);
            f[i] = cache_fetch(c, key, own, must_not_be_called, NULL);
        }
        if (round % 2) {
            const struct timespec pause = {0, 200000L * round};
            nanosleep(&pause, NULL);
        }
        for (int i = 0; i < 50; i++)
            cache_fetch_cancel(f[i]);
        loop_free(own);
        cache_close(c);
    }
}

int main(void)
{
    store_use_file_calls();
#define CASE(name) cmocka_unit_test_setup_teardown(name, cache_rig_begin, cache_rig_end)
    static const struct CMUnitTest tests[] = {
        CASE(a_restart_keeps_what_was_put),
        CASE(a_miss_costs_no_look_at_the_disk),
        CASE(only_the_owner_can_read_the_file),
        CASE(an_expired_answer_does_not_come_back),
        CASE(the_newer_answer_counts),
        CASE(memory_may_be_smaller_than_the_disk),
        CASE(the_file_stays_within_its_cap),
        CASE(a_lower_cap_shrinks_the_file),
        CASE(zero_means_no_file),
        CASE(a_kill_never_leaves_a_wrong_answer),
        CASE(a_write_that_dies_half_way_is_no_answer),
        CASE(a_file_that_is_no_database_is_put_aside),
        CASE(damage_anywhere_never_makes_a_wrong_answer),
        CASE(a_file_of_a_later_version_is_left_alone),
        CASE(a_full_disk_only_makes_it_forget),
        CASE(any_failing_call_only_makes_it_forget),
        CASE(a_full_queue_drops_and_counts),
        CASE(a_cancelled_look_reaches_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
