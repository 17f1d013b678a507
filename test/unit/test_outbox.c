/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbox: a letter once, in order, over restarts, kills at any file call, failing disks and a full table; and the
 * pauses between tries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/must.h"
#include "control_bench.h"
#include "report/notify/outbox.h"
#include "store/sqlite.h"

#define NOW_US (INT64_C(1795352442) * 1000000)
#define S INT64_C(1000000)
#define CALLS_MAX 3000

static const struct outbox_skip nothing = {.lanes = {"", 0}};

static struct outbox *opened(struct bench *t, struct control *c, int64_t now_us)
{
    char why[NOTIFY_WHY_MAX];
    struct outbox *o = NULL;
    enum err e = outbox_open(t->dir, c, now_us, &o, why);
    if (e != ERR_OK)
        fail_msg("%s", why);
    return o;
}

static enum err put_at(struct outbox *o, const char *id, const char *lane, int64_t now_us, bool *ret_new)
{
    int64_t row;
    const struct notify_message m = {.channel = NOTIFY_MAIL,
                                     .workspace_id = 1,
                                     .kind = "test",
                                     .id = str_c(id),
                                     .to = STR("ann@example.com"),
                                     .subject = STR("Subject"),
                                     .text = STR("the text that is a secret"),
                                     .link = STR("/console/#/x"),
                                     .json = STR("{}")};
    const struct outbox_letter letter = {.message = &m, .lane = str_c(lane), .shown = m.to};
    return outbox_put(o, &letter, now_us, &row, ret_new);
}

static void put(struct outbox *o, const char *id, int64_t now_us)
{
    bool is_new;
    assert_int_equal(put_at(o, id, "smtp", now_us, &is_new), ERR_OK);
    assert_true(is_new);
}

/* The key of the next one, or "" when nothing is due. */
static const char *next_key(struct outbox *o, int64_t now_us, struct outbox_item *item)
{
    bool found;
    assert_int_equal(outbox_next(o, now_us, &nothing, item, &found), ERR_OK);
    return found ? item->key : "";
}

static void the_same_id_is_one_letter(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct outbox *o = opened(t, c, NOW_US);
    struct outbox_item item;
    bool is_new;
    put(o, "a", NOW_US);
    assert_int_equal(put_at(o, "a", "smtp", NOW_US, &is_new), ERR_OK);
    assert_false(is_new);
    assert_string_equal(next_key(o, NOW_US, &item), "a");
    assert_true(str_eq(item.message.text, STR("the text that is a secret")));
    assert_true(str_eq(item.message.link, STR("/console/#/x")));
    assert_int_equal(outbox_sent(o, &item, NOW_US), ERR_OK);
    outbox_item_done(&item);
    outbox_close(o);
    o = opened(t, c, NOW_US);
    assert_int_equal(put_at(o, "a", "smtp", NOW_US, &is_new), ERR_OK);
    assert_false(is_new);
    assert_string_equal(next_key(o, NOW_US + 1000 * S, &item), "");
    outbox_close(o);
    control_close(c);
}

static void the_file_tells_nothing(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct outbox *o = opened(t, c, NOW_US);
    char command[300];
    put(o, "a", NOW_US);
    snprintf(command, sizeof command, "grep -q 'text that is a secret' '%s'/notify.db*", t->dir);
    assert_int_not_equal(system(command), 0);
    outbox_close(o);
    assert_int_not_equal(system(command), 0);
    control_close(c);
}

static void the_longest_due_comes_first_and_pauses_hold(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct outbox *o = opened(t, c, NOW_US);
    struct outbox_item item;
    int64_t due;
    put(o, "a", NOW_US);
    put(o, "b", NOW_US + 1);
    assert_string_equal(next_key(o, NOW_US - 1, &item), "");
    assert_string_equal(next_key(o, NOW_US + 2, &item), "a");
    assert_int_equal(outbox_later(o, &item, NOW_US + 60 * S, "busy"), ERR_OK);
    outbox_item_done(&item);
    assert_string_equal(next_key(o, NOW_US + 2, &item), "b");
    assert_int_equal(outbox_give_up(o, &item, NOW_US, "no such user"), ERR_OK);
    outbox_item_done(&item);
    assert_string_equal(next_key(o, NOW_US + 59 * S, &item), "");
    assert_int_equal(outbox_due(o, &nothing, &due), ERR_OK);
    assert_int_equal(due, NOW_US + 60 * S);
    assert_string_equal(next_key(o, NOW_US + 60 * S, &item), "a");
    assert_int_equal(item.tries, 1);
    outbox_item_done(&item);
    outbox_close(o);
    o = opened(t, c, NOW_US + 5 * S); /* a restart tries at once */
    assert_string_equal(next_key(o, NOW_US + 5 * S, &item), "a");
    outbox_item_done(&item);
    outbox_close(o);
    control_close(c);
}

static void lanes_and_letters_under_way_are_left_out(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct outbox *o = opened(t, c, NOW_US);
    struct outbox_item item;
    bool is_new, found;
    int64_t due, ids[1];
    assert_int_equal(put_at(o, "a", "one\"host", NOW_US, &is_new), ERR_OK);
    assert_int_equal(put_at(o, "b", "two", NOW_US + 1, &is_new), ERR_OK);
    struct outbox_skip skip = {.lanes = STR("[\"one\\\"host\"]")};
    assert_int_equal(outbox_next(o, NOW_US + 2, &skip, &item, &found), ERR_OK);
    assert_string_equal(item.key, "b");
    ids[0] = item.id;
    outbox_item_done(&item);
    skip.ids = ids;
    skip.id_count = 1;
    assert_int_equal(outbox_next(o, NOW_US + 2, &skip, &item, &found), ERR_OK);
    assert_false(found);
    assert_int_equal(outbox_due(o, &skip, &due), ERR_OK);
    assert_true(due == INT64_MAX);
    skip.lanes = STR("[]");
    assert_int_equal(outbox_next(o, NOW_US + 2, &skip, &item, &found), ERR_OK);
    assert_string_equal(item.key, "a");
    outbox_item_done(&item);
    outbox_close(o);
    control_close(c);
}

static void a_letter_that_was_altered_is_given_up(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct outbox *o = opened(t, c, NOW_US);
    struct outbox_item item;
    struct store_db *db;
    char path[128];
    put(o, "a", NOW_US);
    put(o, "b", NOW_US);
    bench_path(t, "notify.db", path);
    assert_int_equal(store_open(path, NULL, &db), ERR_OK);
    assert_int_equal(store_exec(db, "UPDATE outbox SET letter = (SELECT letter FROM outbox WHERE key = 'b') "
                                    "WHERE key = 'a'"),
                     ERR_OK);
    store_close(db);
    assert_string_equal(next_key(o, NOW_US, &item), "b");
    outbox_item_done(&item);
    struct outbox_row *rows;
    size_t count;
    assert_int_equal(outbox_list(o, 1, 0, 10, t->arena, &rows, &count), ERR_OK);
    assert_int_equal(count, 2);
    assert_int_equal(rows[1].state, OUTBOX_GIVEN_UP);
    assert_true(str_search(rows[1].reason, STR("cannot be opened")) >= 0);
    outbox_close(o);
    control_close(c);
}

static void fill(const char *path, const char *state)
{
    struct store_db *db;
    char sql[700];
    assert_int_equal(store_open(path, NULL, &db), ERR_OK);
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (VALUES(10) UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
             "INSERT INTO outbox SELECT i, 'k' || i, 0, 'test', 1, 'smtp', '', x'', 0, %s, 1, %lld, %lld, %lld + i, '' "
             "FROM n",
             NOTIFY_ROWS_MAX + 9, state, (long long)NOW_US, (long long)NOW_US, (long long)NOW_US);
    assert_int_equal(store_exec(db, sql), ERR_OK);
    store_close(db);
}

static int64_t rows_in(const char *path)
{
    struct store_db *db;
    struct store_stmt *st;
    bool row;
    assert_int_equal(store_open(path, NULL, &db), ERR_OK);
    assert_int_equal(store_prepare(db, "SELECT count(*) FROM outbox", &st), ERR_OK);
    assert_int_equal(store_step(st, &row), ERR_OK);
    int64_t n = store_i64(st, 0);
    store_done(st);
    store_close(db);
    return n;
}

static void a_full_table_drops_the_oldest_settled(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    char path[128];
    bool is_new;
    bench_path(t, "notify.db", path);
    outbox_close(opened(t, c, NOW_US));
    fill(path, "1");
    struct outbox *o = opened(t, c, NOW_US);
    put(o, "a", NOW_US);
    assert_int_equal(rows_in(path), NOTIFY_ROWS_MAX - 1000 + 1);
    assert_int_equal(put_at(o, "k10", "smtp", NOW_US, &is_new), ERR_OK);
    assert_true(is_new); /* the oldest is forgotten */
    assert_int_equal(put_at(o, "k50000", "smtp", NOW_US, &is_new), ERR_OK);
    assert_false(is_new);
    outbox_close(o);
    o = opened(t, c, NOW_US);
    put(o, "b", NOW_US + (OUTBOX_DAYS + 2) * 86400 * S);
    outbox_close(o);
    control_close(c);
}

static void a_table_full_of_waiting_letters_takes_no_more(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    char path[128];
    bool is_new;
    bench_path(t, "notify.db", path);
    outbox_close(opened(t, c, NOW_US));
    fill(path, "0");
    struct outbox *o = opened(t, c, NOW_US);
    assert_int_equal(put_at(o, "a", "smtp", NOW_US, &is_new), ERR_OVERLOADED);
    assert_non_null(strstr(outbox_failure(o), "100000"));
    assert_int_equal(put_at(o, "k10", "smtp", NOW_US, &is_new), ERR_OK); /* it is there */
    assert_false(is_new);
    outbox_close(o);
    control_close(c);
}

/* ---- pauses ---- */

static void pauses_double_up_to_an_hour_and_last_a_day(void **state)
{
    uint64_t sum = 0;
    unsigned tries = 0;
    (void)state;
    assert_int_equal(outbox_pause(5000000, 1, 0), 5000000 - 5000000 / 3);
    for (uint64_t chance = 0; chance < 5000000; chance += 9973) {
        uint64_t us = outbox_pause(5000000, 1, chance);
        assert_true(us >= 5000000 - 5000000 / 3 && us <= 5000000);
    }
    for (tries = 1; sum < (uint64_t)NOTIFY_LASTS_US; tries++) {
        uint64_t us = outbox_pause(5000000, tries, UINT64_MAX);
        assert_true(us <= OUTBOX_PAUSE_MAX_US);
        sum += us;
    }
    assert_in_range(tries, 30, 60); /* tries in a day */
    assert_true(outbox_pause(5000000, 4000000000u, 1) <= OUTBOX_PAUSE_MAX_US);
    assert_true(outbox_pause(1, 1, 0) >= 1);
}

/* ---- kills and failing disks ---- */

enum { CHILD_OK = 0, CHILD_ERROR = 1 };

/* Puts two letters, sends one; what is acknowledged is written to the pipe. */
static int use_once(struct bench *t, struct control *c, struct file_faults *f, int acknowledged)
{
    char why[NOTIFY_WHY_MAX];
    struct outbox *o = NULL;
    struct outbox_item item;
    bool is_new, found = false;
    int code = CHILD_ERROR;
    file_set_faults(f);
    if (outbox_open(t->dir, c, NOW_US, &o, why) != ERR_OK)
        return CHILD_ERROR;
    if (put_at(o, "a", "smtp", NOW_US, &is_new) == ERR_OK && write(acknowledged, "a", 1) == 1 &&
        put_at(o, "b", "smtp", NOW_US + 1, &is_new) == ERR_OK && write(acknowledged, "b", 1) == 1 &&
        outbox_next(o, NOW_US + 2, &nothing, &item, &found) == ERR_OK && found &&
        outbox_sent(o, &item, NOW_US) == ERR_OK && write(acknowledged, "s", 1) == 1)
        code = CHILD_OK;
    outbox_close(o);
    file_set_faults(NULL);
    return code;
}

static int in_child(struct bench *t, struct control *c, struct file_faults *f, char acknowledged[8])
{
    int status = 0, ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        store_use_file_calls();
        _exit(use_once(t, c, f, ends[1]));
    }
    close(ends[1]);
    ssize_t n = 0, got;
    while (n < 7 && (got = read(ends[0], acknowledged + n, (size_t)(7 - n))) > 0)
        n += got;
    acknowledged[n] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return -1;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Everything acknowledged is there and, unless it was marked as sent, waits; nothing is there twice. */
static void check_kept(struct bench *t, struct control *c, const char *acknowledged)
{
    struct outbox *o = opened(t, c, NOW_US);
    struct outbox_row *rows;
    size_t count;
    bool a = false, b = false, sent = false;
    assert_int_equal(outbox_list(o, 1, 0, 10, t->arena, &rows, &count), ERR_OK);
    assert_true(count <= 2);
    for (size_t i = 0; i < count; i++) {
        a = a || str_eq(rows[i].key, STR("a"));
        b = b || str_eq(rows[i].key, STR("b"));
        sent = sent || rows[i].state == OUTBOX_SENT;
    }
    assert_true(a || !strchr(acknowledged, 'a'));
    assert_true(b || !strchr(acknowledged, 'b'));
    assert_true(sent || !strchr(acknowledged, 's'));
    struct outbox_item item;
    unsigned waiting = 0;
    while (next_key(o, NOW_US + 10, &item)[0]) {
        assert_true(str_eq(item.message.text, STR("the text that is a secret")));
        assert_int_equal(outbox_sent(o, &item, NOW_US), ERR_OK);
        outbox_item_done(&item);
        waiting++;
    }
    assert_int_equal(waiting, count - (sent ? 1 : 0));
    outbox_close(o);
}

static void drop_files(struct bench *t)
{
    char command[160];
    snprintf(command, sizeof command, "rm -f '%s'/notify.db*", t->dir);
    assert_int_equal(system(command), 0);
    arena_reset(t->arena);
}

static void killed_at_any_file_call_nothing_acknowledged_is_lost(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    char acknowledged[8];
    uint64_t at = 0;
    int code = -1;
    while (code != CHILD_OK && ++at < CALLS_MAX) {
        struct file_faults f = {.calls = FILE_CALLS_ALL, .kind = FILE_FAULT_KILL, .at = at};
        drop_files(t);
        code = in_child(t, c, &f, acknowledged);
        assert_true(code == CHILD_OK || code == -1);
        check_kept(t, c, acknowledged);
    }
    print_message("killed at each of %llu file calls\n", (unsigned long long)at - 1);
    assert_true(at > 20);
    assert_true(at < CALLS_MAX);
    control_close(c);
}

static void a_failing_disk_is_an_error_and_no_more(void **state)
{
    static const int errors[] = {ENOSPC, EIO};
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    char acknowledged[8];
    for (unsigned i = 0; i < 2; i++) {
        int code = CHILD_ERROR;
        for (uint64_t at = 1; code != CHILD_OK && at < CALLS_MAX; at++) {
            struct file_faults f = {
                .calls = FILE_CALLS_ALL, .kind = FILE_FAULT_TORN, .error = errors[i], .at = at, .stays = at % 2 == 0};
            drop_files(t);
            code = in_child(t, c, &f, acknowledged);
            assert_true(code == CHILD_OK || code == CHILD_ERROR);
            check_kept(t, c, acknowledged);
        }
        assert_int_equal(code, CHILD_OK);
    }
    control_close(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(the_same_id_is_one_letter),
        CASE(the_file_tells_nothing),
        CASE(the_longest_due_comes_first_and_pauses_hold),
        CASE(lanes_and_letters_under_way_are_left_out),
        CASE(a_letter_that_was_altered_is_given_up),
        CASE(a_full_table_drops_the_oldest_settled),
        CASE(a_table_full_of_waiting_letters_takes_no_more),
        cmocka_unit_test(pauses_double_up_to_an_hour_and_last_a_day),
        CASE(killed_at_any_file_call_nothing_acknowledged_is_lost),
        CASE(a_failing_disk_is_an_error_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
