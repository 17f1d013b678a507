/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rotation of the master key: killed at every file call, with readers and writers beside it, the next
 * start opens everything with one key or the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/must.h"
#include "control/control_integration.h"
#include "control/people/audit.h"
#include "control/people/rotate.h"
#include "control_bench.h"
#include "store/sqlite.h"

#define PROVIDER_KEY "sk-provider-0123456789"

static const char given_old[] = "00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f";
static const char given_new[] = "f0e1d2c3b4a5968778695a4b3c2d1e0fffeeddccbbaa99887766554433221100";

static void connect_account(struct bench *t, struct control *c)
{
    struct control_why why;
    struct control_integration row;
    const struct control_integration_spec spec = {
        .slug = STR("oa"), .kind = STR("openai"), .api_key = STR(PROVIDER_KEY)};
    if (control_integration_create(c, 1, &spec, t->arena, &row, &why) != ERR_OK)
        fail_msg("%s", why.text);
}

/* Everything sealed opens. */
static bool opens(struct control *c)
{
    struct snapshot *s = control_snapshot(c);
    const struct snapshot_integration *i = snapshot_find_integration(s, 1, STR("oa"));
    bool ok = i && !i->broken && str_search(secret_reveal(&i->head_lines), STR(PROVIDER_KEY)) >= 0;
    snapshot_unref(s);
    return ok;
}

static bool exists(struct bench *t, const char *name)
{
    char path[128];
    bench_path(t, name, path);
    return access(path, F_OK) == 0;
}

static void fresh(struct bench *t)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf '%s'/*", t->dir);
    assert_int_equal(system(command), 0);
    arena_reset(t->arena);
    struct control *c = bench_open(t, NULL);
    connect_account(t, c);
    control_close(c);
}

static void everything_opens_before_while_and_afterwards(void **state)
{
    struct bench *t = *state;
    char before[MASTER_KEY_ID_MAX];
    struct control_why why;
    struct audit_result log;
    int64_t id;
    fresh(t);
    struct control *c = bench_open(t, NULL);
    str_copy(before, sizeof before, str_c(control_master_key_id(c)));
    for (int i = 0; i < 5; i++) {
        assert_int_equal(rotate_master_key(c, STR(""), &why), ERR_OK);
        assert_string_not_equal(before, control_master_key_id(c));
        assert_true(opens(c));
    }
    assert_false(exists(t, "master.key.next"));
    /* what is made afterwards is sealed under the new key as well */
    assert_int_equal(control_workspace_create(c, STR("later"), STR(""), &id, &why), ERR_OK);
    str_copy(before, sizeof before, str_c(control_master_key_id(c)));
    control_close(c);
    c = bench_open(t, NULL);
    assert_string_equal(before, control_master_key_id(c));
    assert_true(opens(c));
    control_close(c);
    assert_int_equal(audit_verify(t->dir, NULL, 0, NULL, &log, &why), ERR_OK);
    assert_int_equal(log.findings, 0);
}

static void a_given_key_takes_a_given_one(void **state)
{
    struct bench *t = *state;
    struct control_why why;
    assert_int_equal(bench_try_open(t, given_old, NULL, NULL, &why), ERR_OK);
    struct control *c = t->opened;
    connect_account(t, c);
    assert_int_equal(rotate_master_key(c, STR(""), &why), ERR_MISSING_PARAMETER);
    assert_int_equal(rotate_master_key(c, STR("short"), &why), ERR_BAD_PARAMETER);
    assert_int_equal(rotate_master_key(c, STR(given_old), &why), ERR_CONFLICT);
    assert_true(opens(c));
    assert_int_equal(rotate_master_key(c, STR(given_new), &why), ERR_OK);
    assert_true(opens(c));
    control_close(c);
    assert_false(exists(t, "master.key"));
    assert_int_equal(bench_try_open(t, given_old, NULL, NULL, &why), ERR_BAD_MASTER_KEY);
    assert_non_null(strstr(why.text, "mk-"));
    assert_int_equal(bench_try_open(t, given_new, NULL, NULL, &why), ERR_OK);
    assert_true(opens(t->opened));
    control_close(t->opened);
}

/* ---- faults ---- */

struct reader {
    struct control *control;
    atomic_bool stop;
    atomic_uint reads;
};

static void *read_on(void *arg)
{
    struct reader *r = arg;
    while (!atomic_load(&r->stop)) {
        must(opens(r->control));
        atomic_fetch_add(&r->reads, 1);
    }
    return NULL;
}

/* 0 done, 1 refused, -1 killed. */
static int rotate_in_child(struct bench *t, const struct file_faults *faults)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct control_why why;
        struct file_faults f = *faults;
        pthread_t thread;
        store_use_file_calls();
        struct reader r = {.control = bench_open(t, NULL)};
        must(pthread_create(&thread, NULL, read_on, &r) == 0);
        while (atomic_load(&r.reads) < 10)
            usleep(50);
        file_set_faults(&f);
        enum err e = rotate_master_key(r.control, STR(""), &why);
        file_set_faults(NULL);
        must(opens(r.control));
        atomic_store(&r.stop, true);
        must(pthread_join(thread, NULL) == 0);
        /* refused or not, what is made now must open at the next start */
        int64_t id;
        must(e == ERR_OK || strlen(why.text) > 10);
        must(control_workspace_create(r.control, STR("afterwards"), STR(""), &id, &why) == ERR_OK);
        _exit(e == ERR_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return -1;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* After whatever happened: opens, with no file left over, and rotates once more. */
static void check_after(struct bench *t, unsigned *ret_rotated)
{
    struct control_why why;
    struct audit_row *rows;
    uint64_t total = 0;
    size_t n;
    const struct audit_filter f = {.action = STR("master_key.rotate")};
    struct control *c = bench_open(t, NULL);
    assert_true(opens(c));
    assert_false(exists(t, "master.key.next"));
    assert_int_equal(audit_list(c, &f, 10, t->arena, &rows, &n, &total, &why), ERR_OK);
    *ret_rotated += n > 0;
    assert_int_equal(rotate_master_key(c, STR(""), &why), ERR_OK);
    assert_true(opens(c));
    control_close(c);
    c = bench_open(t, NULL);
    assert_true(opens(c));
    control_close(c);
}

static void killed_at_any_file_call_one_key_opens_everything(void **state)
{
    struct bench *t = *state;
    int code = -1;
    unsigned killed = 0, rotated = 0;
    for (uint64_t at = 1; code != 0 && at < 400; at++) {
        const struct file_faults f = {.calls = FILE_CALLS_ALL, .kind = FILE_FAULT_KILL, .at = at};
        fresh(t);
        code = rotate_in_child(t, &f);
        assert_true(code <= 0);
        killed += code == -1;
        check_after(t, &rotated);
    }
    assert_int_equal(code, 0);
    print_message("killed at each of %u file calls, %u times the new key was in force\n", killed, rotated - 1);
    assert_true(killed > 20);
    assert_true(rotated > 2);
}

static void a_failing_disk_leaves_one_key_in_force(void **state)
{
    struct bench *t = *state;
    static const int errors[] = {ENOSPC, EIO};
    unsigned refused = 0, rotated = 0;
    for (int round = 0; round < 2; round++) {
        for (uint64_t at = 1; at < 60; at++) {
            const struct file_faults f = {
                .calls = FILE_CALLS_ALL, .kind = FILE_FAULT_ERROR, .error = errors[round], .at = at};
            fresh(t);
            int code = rotate_in_child(t, &f);
            assert_true(code == 0 || code == 1);
            refused += code == 1;
            check_after(t, &rotated);
        }
    }
    print_message("%u refusals by a failing disk\n", refused);
    assert_true(refused > 10);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(everything_opens_before_while_and_afterwards),
        CASE(a_given_key_takes_a_given_one),
        CASE(killed_at_any_file_call_one_key_opens_everything),
        CASE(a_failing_disk_leaves_one_key_in_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
