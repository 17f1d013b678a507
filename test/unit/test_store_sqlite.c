/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite driver: statements, transactions, migrations, and what happens when the disk fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "ledger_fixture.h"
#include "store/sqlite.h"

static char dir[FIXTURE_PATH_MAX], path[FIXTURE_PATH_MAX];

static int make_dir(void **state)
{
    (void)state;
    fixture_dir(dir);
    fixture_path(path, dir, "test.db");
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    file_set_faults(NULL);
    fixture_remove(dir);
    return 0;
}

static struct store_db *open_db(void)
{
    struct store_db *db;
    assert_int_equal(store_open(path, NULL, &db), ERR_OK);
    return db;
}

static int64_t number(struct store_db *db, const char *sql)
{
    struct store_stmt *st;
    bool row;
    assert_int_equal(store_prepare(db, sql, &st), ERR_OK);
    assert_int_equal(store_step(st, &row), ERR_OK);
    assert_true(row);
    int64_t v = store_i64(st, 0);
    store_done(st);
    return v;
}

static void values_come_back_as_they_were_bound(void **state)
{
    (void)state;
    struct store_db *db = open_db();
    struct store_stmt *st;
    bool row;
    assert_int_equal(store_exec(db, "CREATE TABLE t(a, b, c, d, e)"), ERR_OK);
    assert_int_equal(store_prepare(db, "INSERT INTO t VALUES(?1, ?2, ?3, ?4, ?5)", &st), ERR_OK);
    store_bind_i64(st, 1, INT64_MIN);
    store_bind_text(st, 2, STR("a'b\"; DROP TABLE t; --"));
    store_bind_blob(st, 3, str_of("\0\xff\0", 3));
    store_bind_text(st, 4, STR(""));
    assert_int_equal(store_run(st), ERR_OK);
    assert_int_equal(store_changes(db), 1);
    assert_int_equal(store_last_id(db), 1);
    assert_int_equal(store_prepare(db, "SELECT * FROM t", &st), ERR_OK);
    assert_int_equal(store_step(st, &row), ERR_OK);
    assert_true(row);
    assert_true(store_i64(st, 0) == INT64_MIN);
    assert_true(str_eq(store_text(st, 1), STR("a'b\"; DROP TABLE t; --")));
    assert_true(str_eq(store_text(st, 2), str_of("\0\xff\0", 3)));
    assert_true(store_is_blob(st, 2) && store_is_text(st, 1) && store_is_null(st, 4));
    assert_false(store_is_null(st, 3));
    assert_int_equal(store_text(st, 3).n, 0);
    assert_int_equal(store_step(st, &row), ERR_OK);
    assert_false(row);
    store_close(db);
}

static void the_same_text_gives_the_same_statement_without_old_values(void **state)
{
    (void)state;
    struct store_db *db = open_db();
    struct store_stmt *a, *b, *c;
    bool row;
    const char *sql = "SELECT ?1 UNION ALL SELECT 2";
    assert_int_equal(store_prepare(db, sql, &a), ERR_OK);
    store_bind_i64(a, 1, 7);
    assert_int_equal(store_step(a, &row), ERR_OK);
    assert_int_equal(store_prepare(db, sql, &b), ERR_OK); /* the first is between its rows */
    assert_ptr_not_equal(a, b);
    assert_int_equal(store_step(b, &row), ERR_OK);
    assert_true(store_is_null(b, 0));
    assert_int_equal(store_i64(a, 0), 7);
    store_done(a);
    store_done(b);
    assert_int_equal(store_prepare(db, sql, &c), ERR_OK);
    assert_true(c == a || c == b);
    assert_int_equal(store_step(c, &row), ERR_OK);
    assert_true(store_is_null(c, 0));
    store_close(db);
}

static void errors_have_their_kinds_and_words(void **state)
{
    (void)state;
    struct store_db *db = open_db();
    struct store_stmt *st;
    assert_int_equal(store_exec(db, "CREATE TABLE t(a UNIQUE)"), ERR_OK);
    assert_int_equal(store_exec(db, "INSERT INTO t VALUES(1)"), ERR_OK);
    assert_int_equal(store_prepare(db, "INSERT INTO t VALUES(?1)", &st), ERR_OK);
    store_bind_i64(st, 1, 1);
    assert_int_equal(store_run(st), ERR_CONFLICT);
    assert_non_null(strstr(store_reason(db), "UNIQUE"));
    store_bind_i64(st, 1, 2); /* the statement can be used again */
    assert_int_equal(store_run(st), ERR_OK);
    assert_int_equal(store_exec(db, "NONSENSE"), ERR_STORE_FAILED);
    assert_int_equal(store_prepare(db, "SELECT * FROM absent", &st), ERR_STORE_FAILED);
    assert_non_null(strstr(store_reason(db), "no such table"));
    store_close(db);
    fixture_write(path, "this is no database, however long it is; it goes on", 50);
    assert_int_equal(store_open(path, NULL, &db), ERR_CORRUPT);
    assert_non_null(strstr(store_open_reason(), "not a database"));
    fixture_path(path, dir, "no/such/place.db");
    assert_int_equal(store_open(path, NULL, &db), ERR_STORE_FAILED);
    assert_non_null(strstr(store_open_reason(), "No such file"));
}

static void a_transaction_is_whole_or_absent(void **state)
{
    (void)state;
    struct store_db *db = open_db(), *other;
    struct store_stmt *st;
    assert_int_equal(store_exec(db, "CREATE TABLE t(a UNIQUE)"), ERR_OK);
    const struct store_options impatient = {.busy_ms = 1};
    assert_int_equal(store_open(path, &impatient, &other), ERR_OK);
    assert_int_equal(store_begin(db), ERR_OK);
    assert_int_equal(store_exec(db, "INSERT INTO t VALUES(1)"), ERR_OK);
    assert_int_equal(number(other, "SELECT count(*) FROM t"), 0); /* readers do not wait */
    assert_int_equal(store_begin(other), ERR_STORE_FAILED);       /* writers do, for a while */
    assert_non_null(strstr(store_reason(other), "locked"));
    store_rollback(db);
    store_rollback(db); /* without a transaction: nothing */
    assert_int_equal(number(db, "SELECT count(*) FROM t"), 0);
    assert_int_equal(store_begin(db), ERR_OK);
    assert_int_equal(store_exec(db, "INSERT INTO t VALUES(1)"), ERR_OK);
    assert_int_equal(store_prepare(db, "INSERT INTO t VALUES(?1)", &st), ERR_OK);
    store_bind_i64(st, 1, 1);
    assert_int_equal(store_run(st), ERR_CONFLICT);
    assert_int_equal(store_commit(db), ERR_OK); /* one statement failed, the others stand */
    assert_int_equal(number(other, "SELECT count(*) FROM t"), 1);
    assert_int_equal(store_begin(db), ERR_OK);
    assert_int_equal(store_exec(db, "INSERT INTO t VALUES(5)"), ERR_OK);
    store_close(db); /* not committed */
    assert_int_equal(number(other, "SELECT count(*) FROM t"), 1);
    store_close(other);
}

static void a_read_only_connection_changes_nothing(void **state)
{
    (void)state;
    struct store_db *db, *reader;
    const struct store_options options = {.read_only = true};
    assert_int_equal(store_open(path, &options, &reader), ERR_STORE_FAILED); /* nor does it make files */
    assert_int_equal(access(path, F_OK), -1);
    db = open_db();
    assert_int_equal(store_exec(db, "CREATE TABLE t(a)"), ERR_OK);
    assert_int_equal(store_open(path, &options, &reader), ERR_OK);
    assert_int_equal(number(reader, "SELECT count(*) FROM t"), 0);
    assert_int_equal(store_exec(reader, "INSERT INTO t VALUES(1)"), ERR_STORE_FAILED);
    store_close(reader);
    store_close(db);
}

static void the_file_is_private(void **state)
{
    (void)state;
    struct stat st;
    store_close(open_db());
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* --- migrations ------------------------------------------------------------------------------ */

static const struct store_migration migrations[] = {
    {1, "first", "CREATE TABLE a(x INTEGER); INSERT INTO a VALUES(1); INSERT INTO a VALUES(2)"},
    {2, "second", "ALTER TABLE a ADD COLUMN y INTEGER; UPDATE a SET y = x * 10; CREATE INDEX a_y ON a(y)"},
    {3, "third", "CREATE TABLE b AS SELECT x, y FROM a; DROP TABLE a; ALTER TABLE b RENAME TO a"},
};

static int64_t schema_state(struct store_db *db)
{
    int version;
    assert_int_equal(store_version(db, &version), ERR_OK);
    if (version == 0)
        assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema WHERE name IN ('a', 'b')"), 0);
    if (version >= 1)
        assert_int_equal(number(db, "SELECT sum(x) FROM a"), 3);
    if (version >= 2)
        assert_int_equal(number(db, "SELECT sum(y) FROM a"), 30);
    if (version == 2)
        assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'a_y'"), 1);
    if (version >= 3)
        assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema WHERE name IN ('b', 'a_y')"), 0);
    return version;
}

static void migrations_run_once_in_order_and_are_written_down(void **state)
{
    (void)state;
    struct store_db *db = open_db();
    assert_int_equal(store_exec(db, "CREATE TABLE theirs(z); INSERT INTO theirs VALUES(99)"), ERR_OK);
    assert_int_equal(schema_state(db), 0);
    assert_int_equal(store_migrate(db, migrations, 1), ERR_OK);
    assert_int_equal(schema_state(db), 1);
    assert_int_equal(store_migrate(db, migrations, 3), ERR_OK);
    assert_int_equal(store_migrate(db, migrations, 3), ERR_OK);
    assert_int_equal(schema_state(db), 3);
    assert_int_equal(number(db, "SELECT count(*) FROM tollgate_schema"), 3);
    assert_int_equal(number(db, "SELECT count(*) FROM tollgate_schema WHERE name='second' AND applied_s > 0"), 1);
    assert_int_equal(number(db, "SELECT z FROM theirs"), 99); /* other tables are not ours */
    store_close(db);
}

static void an_older_program_refuses_a_newer_file(void **state)
{
    (void)state;
    struct store_db *db = open_db();
    assert_int_equal(store_migrate(db, migrations, 3), ERR_OK);
    assert_int_equal(store_migrate(db, migrations, 2), ERR_SCHEMA_NEWER);
    assert_non_null(strstr(store_reason(db), "newer"));
    assert_int_equal(schema_state(db), 3);
    store_close(db);
}

static void a_migration_that_fails_leaves_the_one_before(void **state)
{
    (void)state;
    static const struct store_migration bad[] = {
        {1, "first", "CREATE TABLE a(x INTEGER); INSERT INTO a VALUES(1); INSERT INTO a VALUES(2)"},
        {2, "bad", "ALTER TABLE a ADD COLUMN y INTEGER; INSERT INTO missing VALUES(1)"},
    };
    struct store_db *db = open_db();
    assert_int_equal(store_migrate(db, bad, 2), ERR_STORE_FAILED);
    assert_non_null(strstr(store_reason(db), "missing"));
    assert_int_equal(schema_state(db), 1);
    assert_int_equal(number(db, "SELECT count(*) FROM pragma_table_info('a')"), 1);
    assert_int_equal(store_migrate(db, migrations, 3), ERR_OK);
    assert_int_equal(schema_state(db), 3);
    store_close(db);
}

/* Migrates in a child that is killed at its n-th system call on a file. True when it got through. */
static bool migrate_and_kill(uint64_t at)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct file_faults f = {.calls = FILE_CALLS_ALL & ~FILE_CALL_BIT(FILE_READ), .kind = FILE_FAULT_KILL, .at = at};
        struct store_db *db;
        file_set_faults(&f);
        if (store_open(path, NULL, &db) != ERR_OK || store_migrate(db, migrations, 3) != ERR_OK)
            _exit(1);
        store_close(db);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return WIFEXITED(status);
}

static void a_kill_at_any_system_call_leaves_each_migration_whole_or_absent(void **state)
{
    (void)state;
    uint64_t at = 1;
    unsigned versions_seen = 0;
    for (bool through = false; !through; at++) {
        assert_true(at < 2000);
        through = migrate_and_kill(at);
        struct store_db *db = open_db();
        int64_t version = schema_state(db);
        versions_seen |= 1u << version;
        assert_int_equal(store_migrate(db, migrations, 3), ERR_OK); /* the next start needs no help */
        assert_int_equal(schema_state(db), 3);
        store_close(db);
        fixture_remove(dir);
        assert_int_equal(mkdir(dir, 0700), 0);
    }
    assert_int_equal(versions_seen, 0xf);
    assert_true(at > 20);
}

static void of_many_processes_that_start_at_once_one_migrates(void **state)
{
    (void)state;
    enum { PROCESSES = 8 };
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            struct store_db *db;
            const struct store_options patient = {.busy_ms = 60000};
            if (store_open(path, &patient, &db) != ERR_OK || store_migrate(db, migrations, 3) != ERR_OK)
                _exit(1);
            store_close(db);
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    struct store_db *db = open_db();
    assert_int_equal(schema_state(db), 3);
    assert_int_equal(number(db, "SELECT count(*) FROM tollgate_schema"), 3);
    store_close(db);
}

/* --- the disk -------------------------------------------------------------------------------- */

/* One transaction of two rows; ERR_OK means it must be there. */
static enum err insert_pair(struct store_db *db, int64_t v)
{
    struct store_stmt *st;
    enum err e = store_begin(db);
    for (int64_t k = 0; k < 2 && e == ERR_OK; k++) {
        e = store_prepare(db, "INSERT INTO t VALUES(?1, randomblob(3000))", &st);
        if (e != ERR_OK)
            break;
        store_bind_i64(st, 1, v * 2 + k);
        e = store_run(st);
    }
    if (e == ERR_OK)
        e = store_commit(db);
    if (e != ERR_OK)
        store_rollback(db);
    return e;
}

static void when_any_system_call_fails_commits_are_honest(void **state)
{
    (void)state;
    const struct {
        enum file_fault_kind kind;
        int error;
        bool stays;
    } ways[] = {{FILE_FAULT_ERROR, EIO, false},
                {FILE_FAULT_TORN, ENOSPC, false},
                {FILE_FAULT_TORN, ENOSPC, true},
                {FILE_FAULT_SHORT, EIO, false},
                {FILE_FAULT_ERROR, EINTR, false}};
    for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        for (uint64_t at = 1; at < 60; at += 2) {
            struct store_db *db = open_db();
            assert_int_equal(store_exec(db, "CREATE TABLE t(a, b)"), ERR_OK);
            struct file_faults f = {.calls = FILE_CALLS_ALL,
                                    .kind = ways[w].kind,
                                    .error = ways[w].error,
                                    .at = at,
                                    .stays = ways[w].stays};
            bool there[12];
            file_set_faults(&f);
            for (int i = 0; i < 12; i++) {
                if (i == 8)
                    file_set_faults(NULL); /* space returns */
                there[i] = insert_pair(db, i) == ERR_OK;
                assert_true(there[i] || i < 8);
            }
            store_close(db);
            db = open_db();
            for (int i = 0; i < 12; i++) {
                char sql[64];
                snprintf(sql, sizeof sql, "SELECT count(*) FROM t WHERE a / 2 = %d", i);
                int64_t n = number(db, sql);
                assert_true(n == 0 || n == 2);
                if (there[i])
                    assert_int_equal(n, 2);
            }
            assert_int_equal(number(db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
            store_close(db);
            fixture_remove(dir);
            assert_int_equal(mkdir(dir, 0700), 0);
        }
    }
}

static void note_complaint(void *context, struct str complaint)
{
    (void)complaint;
    ++*(unsigned *)context;
}

static bool stop_at_once(void *context)
{
    (void)context;
    return false;
}

static void damage_is_found_by_the_check(void **state)
{
    (void)state;
    struct store_db *db = open_db();
    unsigned complaints = 0;
    assert_int_equal(store_exec(db, "CREATE TABLE t(a, b); CREATE INDEX t_a ON t(a)"), ERR_OK);
    for (int i = 0; i < 200; i++)
        assert_int_equal(insert_pair(db, i), ERR_OK);
    assert_int_equal(store_check(db, note_complaint, NULL, &complaints), ERR_OK);
    assert_int_equal(complaints, 0);
    assert_int_equal(store_checkpoint(db), ERR_OK);
    store_close(db);
    size_t n;
    char *bytes = fixture_read(path, &n);
    for (size_t i = 8192; i + 4096 < n; i += 16384)
        memset(bytes + i, 0x5a, 100);
    fixture_write(path, bytes, n);
    db = open_db();
    enum err e = store_check(db, note_complaint, NULL, &complaints);
    assert_true(e == ERR_CORRUPT || complaints > 0);
    assert_int_equal(store_check(db, note_complaint, stop_at_once, &complaints) == ERR_OK, false);
    store_close(db);
    free(bytes);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(values_come_back_as_they_were_bound),
        CASE(the_same_text_gives_the_same_statement_without_old_values),
        CASE(errors_have_their_kinds_and_words),
        CASE(a_transaction_is_whole_or_absent),
        CASE(a_read_only_connection_changes_nothing),
        CASE(the_file_is_private),
        CASE(migrations_run_once_in_order_and_are_written_down),
        CASE(an_older_program_refuses_a_newer_file),
        CASE(a_migration_that_fails_leaves_the_one_before),
        CASE(a_kill_at_any_system_call_leaves_each_migration_whole_or_absent),
        CASE(of_many_processes_that_start_at_once_one_migrates),
        CASE(when_any_system_call_fails_commits_are_honest),
        CASE(damage_is_found_by_the_check),
    };
    store_use_file_calls();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
