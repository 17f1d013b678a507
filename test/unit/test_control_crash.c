/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control when the disk fails, when the process is killed at any file call, and when many threads use
 * it at once. Processes that are to die are forked; faults come from base/file.h, through which the
 * database's calls go as well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "control/config/config.h"
#include "control/control_config.h"
#include "control/control_integration.h"
#include "control/control_key.h"
#include "control/key_file.h"
#include "control/snapshot.h"
#include "control_bench.h"
#include "store/sqlite.h"

#define CALLS_MAX 5000 /* more file calls than any start makes */
#define LATER_STRIDE 5

enum { CHILD_OK = 0, CHILD_ERROR = 1, CHILD_WRONG = 2 };

/* Runs `body` in a process of its own. Its exit code, or -1 when it was killed. */
static int in_child(int (*body)(struct bench *t, struct file_faults *f), struct bench *t, struct file_faults *f)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        store_use_file_calls();
        _exit(body(t, f));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return -1;
    if (!WIFEXITED(status))
        fail_msg("the child ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

static int open_once(struct bench *t, struct file_faults *f)
{
    struct control_why why;
    file_set_faults(f);
    enum err e = bench_try_open(t, NULL, NULL, NULL, &why);
    file_set_faults(NULL);
    if (e != ERR_OK)
        return strlen(why.text) > 10 ? CHILD_ERROR : CHILD_WRONG;
    control_close(t->opened);
    return CHILD_OK;
}

/* What a start after whatever happened must give: the file's key opens, and there is one of everything. */
static void check_whole(struct bench *t)
{
    char path[128], why[200];
    struct secret text = {0};
    struct control_why cause;
    struct control_key *keys;
    struct control_workspace *workspaces;
    size_t count;
    struct control *c = bench_open(t, NULL);
    bench_path(t, "admin.key", path);
    assert_int_equal(key_file_read(path, true, &text, why, sizeof why), ERR_OK);
    assert_int_equal(bench_judge(c, secret_reveal(&text)), SNAPSHOT_ADMITTED);
    if (t->start.admin_key.n > 0)
        assert_true(str_eq(secret_reveal(&t->start.admin_key), secret_reveal(&text)));
    assert_int_equal(control_key_list(c, 1, 0, 10, t->arena, &keys, &count, &cause), ERR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(control_workspace_list(c, t->arena, &workspaces, &count, &cause), ERR_OK);
    assert_int_equal(count, 1);
    secret_wipe(&text);
    control_close(c);
}

static void fresh_dir(struct bench *t)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf '%s'/*", t->dir);
    assert_int_equal(system(command), 0);
    arena_reset(t->arena);
}

/* Faults that the child counts and the parent reads. */
static struct file_faults *shared_faults(void)
{
    void *p = mmap(NULL, sizeof(struct file_faults), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    return p;
}

static void killed_at_any_file_call_the_next_start_completes(void **state)
{
    struct bench *t = *state;
    uint64_t at = 0;
    int code = -1;
    while (code != CHILD_OK && ++at < CALLS_MAX) {
        struct file_faults f = {.calls = FILE_CALLS_ALL, .kind = FILE_FAULT_KILL, .at = at};
        fresh_dir(t);
        code = in_child(open_once, t, &f);
        assert_true(code == CHILD_OK || code == -1);
        check_whole(t);
    }
    print_message("first start: killed at each of %llu file calls\n", (unsigned long long)at - 1);
    assert_true(at > 30);
    assert_true(at < CALLS_MAX);
}

static void killed_again_and_again_it_still_completes(void **state)
{
    struct bench *t = *state;
    uint64_t at = 0;
    int code = -1;
    while (code != CHILD_OK && ++at < CALLS_MAX) {
        struct file_faults f = {.calls = FILE_CALLS_ALL, .kind = FILE_FAULT_KILL, .at = at};
        code = in_child(open_once, t, &f);
        assert_true(code == CHILD_OK || code == -1);
    }
    assert_true(at > 5);
    check_whole(t);
}

static void a_failing_disk_is_an_error_and_no_more(void **state)
{
    struct bench *t = *state;
    static const int errors[] = {ENOSPC, EIO};
    int refused = 0;
    struct file_faults *f = shared_faults();
    for (int round = 0; round < 4; round++) {
        int code = CHILD_ERROR;
        uint64_t at = 0;
        bool reached = true; /* a start makes as many file calls */
        while (reached &&
               (at += round ? LATER_STRIDE : 1) < CALLS_MAX) { /* every call once; the other ways in samples */
            *f = (struct file_faults){.calls = FILE_CALLS_ALL,
                                      .kind = round & 1 ? FILE_FAULT_TORN : FILE_FAULT_ERROR,
                                      .error = errors[round / 2],
                                      .at = at,
                                      .stays = round & 1};
            fresh_dir(t);
            code = in_child(open_once, t, f);
            reached = f->seen >= at;
            assert_true(code == CHILD_OK || code == CHILD_ERROR);
            refused += code == CHILD_ERROR;
            check_whole(t);
        }
        assert_int_equal(code, CHILD_OK);
    }
    print_message("first start: %d refusals by a failing disk\n", refused);
    assert_true(refused > 50);
    munmap(f, sizeof *f);
}

/* ---- changes under faults ---- */

struct change {
    const char *name;
    enum err (*run)(struct bench *t, struct control *c, struct control_why *why);
    bool (*shown)(struct bench *t, struct control *c); /* whether the snapshot has it */
};

static enum err run_key(struct bench *t, struct control *c, struct control_why *why)
{
    struct control_key row;
    struct secret text = {0};
    const struct control_key_spec spec = {.name = STR("x"), .role = KIND_ROLE_MEMBER};
    enum err e = control_key_create(c, 1, &spec, t->arena, &row, &text, why);
    secret_wipe(&text);
    return e;
}

static bool shown_key(struct bench *t, struct control *c)
{
    (void)t;
    struct snapshot *s = control_snapshot(c);
    bool shown = snapshot_key_count(s) == 2;
    snapshot_unref(s);
    return shown;
}

static enum err run_workspace(struct bench *t, struct control *c, struct control_why *why)
{
    (void)t;
    int64_t id;
    return control_workspace_create(c, STR("team-a"), STR(""), &id, why);
}

static bool shown_workspace(struct bench *t, struct control *c)
{
    (void)t;
    struct snapshot *s = control_snapshot(c);
    bool shown = snapshot_find_workspace(s, STR("team-a")) != NULL;
    snapshot_unref(s);
    return shown;
}

static enum err run_integration(struct bench *t, struct control *c, struct control_why *why)
{
    struct control_integration row;
    const struct control_integration_spec spec = {.slug = STR("oa"), .kind = STR("openai"), .api_key = STR("sk-1")};
    return control_integration_create(c, 1, &spec, t->arena, &row, why);
}

static bool shown_integration(struct bench *t, struct control *c)
{
    (void)t;
    struct snapshot *s = control_snapshot(c);
    const struct snapshot_integration *i = snapshot_find_integration(s, 1, STR("oa"));
    bool shown = i && !i->broken && i->head_lines.n > 0;
    snapshot_unref(s);
    return shown;
}

static enum err run_config(struct bench *t, struct control *c, struct control_why *why)
{
    struct control_config row;
    const bool yes = true;
    const struct control_config_spec spec = {
        .name = STR("x"), .text = STR("{\"provider\":\"@oa\",\"retry\":{\"attempts\":2}}"), .is_default = &yes};
    return control_config_create(c, 1, &spec, t->arena, &row, why);
}

static bool shown_config(struct bench *t, struct control *c)
{
    (void)t;
    struct snapshot *s = control_snapshot(c);
    const struct config *config = snapshot_workspace_of(s, 1)->default_config;
    bool shown = config && config->root->settings.retry.attempts == 2;
    snapshot_unref(s);
    return shown;
}

static const struct change changes[] = {
    {"key", run_key, shown_key},
    {"workspace", run_workspace, shown_workspace},
    {"integration", run_integration, shown_integration},
    {"config", run_config, shown_config},
};
static const struct change *the_change;

/* The change with faults; what is returned, shown and stored must agree; then once more without. */
static int change_once(struct bench *t, struct file_faults *f)
{
    struct control_why why = {.param = ""};
    if (bench_try_open(t, NULL, NULL, NULL, &why) != ERR_OK)
        return CHILD_WRONG;
    file_set_faults(f);
    enum err e = the_change->run(t, t->opened, &why);
    file_set_faults(NULL);
    if (the_change->shown(t, t->opened) != (e == ERR_OK))
        return CHILD_WRONG;
    if (e != ERR_OK && strlen(why.text) < 10)
        return CHILD_WRONG;
    if (e != ERR_OK && (the_change->run(t, t->opened, &why) != ERR_OK || !the_change->shown(t, t->opened)))
        return CHILD_WRONG;
    control_close(t->opened);
    return e == ERR_OK ? CHILD_OK : CHILD_ERROR;
}

static void a_change_is_returned_shown_and_stored_or_neither(void **state)
{
    struct bench *t = *state;
    for (size_t n = 0; n < sizeof changes / sizeof changes[0]; n++) {
        int failed = 0;
        the_change = &changes[n];
        for (uint64_t at = 1; at < 60; at++) {
            struct file_faults f = {.calls = FILE_CALLS_ALL, .kind = FILE_FAULT_ERROR, .error = EIO, .at = at};
            fresh_dir(t);
            control_close(bench_open(t, NULL));
            int code = in_child(change_once, t, &f);
            if (code != CHILD_OK && code != CHILD_ERROR)
                fail_msg("%s: call %llu", the_change->name, (unsigned long long)at);
            failed += code == CHILD_ERROR;
            struct control *c = bench_open(t, NULL);
            assert_true(the_change->shown(t, c));
            control_close(c);
        }
        print_message("%s: failed %d times\n", the_change->name, failed);
        assert_true(failed > 2);
    }
}

static int change_or_die(struct bench *t, struct file_faults *f)
{
    struct control_why why;
    if (bench_try_open(t, NULL, NULL, NULL, &why) != ERR_OK)
        return CHILD_WRONG;
    file_set_faults(f);
    return the_change->run(t, t->opened, &why) == ERR_OK ? CHILD_OK : CHILD_WRONG;
}

static void a_change_cut_by_kill_is_whole_or_absent(void **state)
{
    struct bench *t = *state;
    for (size_t n = 0; n < sizeof changes / sizeof changes[0]; n++) {
        int code = -1, there = 0, absent = 0;
        the_change = &changes[n];
        for (uint64_t at = 1; code != CHILD_OK && at < 200; at++) {
            struct file_faults f = {.calls = FILE_CALLS_ALL, .kind = FILE_FAULT_KILL, .at = at};
            struct control_why why;
            fresh_dir(t);
            control_close(bench_open(t, NULL));
            code = in_child(change_or_die, t, &f);
            assert_true(code == -1 || code == CHILD_OK);
            struct control *c = bench_open(t, NULL);
            bool shown = the_change->shown(t, c);
            there += shown;
            absent += !shown;
            if (code == CHILD_OK)
                assert_true(shown); /* acknowledged */
            if (!shown)
                assert_int_equal(the_change->run(t, c, &why), ERR_OK);
            control_close(c);
        }
        assert_int_equal(code, CHILD_OK);
        assert_true(there > 0);
        assert_true(absent > 0);
    }
}

/* ---- killed at any time ---- */

/* Makes keys until killed; each is told through the pipe after it was acknowledged. */
static void make_keys_until_killed(struct bench *t, int pipe_fd)
{
    struct control *c = bench_open(t, NULL);
    for (;;) {
        struct secret text = {0};
        arena_reset(t->arena);
        bench_make_key(t, c, "acknowledged", KIND_ROLE_MEMBER, &text);
        must(write(pipe_fd, secret_reveal(&text).p, APIKEY_LEN) == (ssize_t)APIKEY_LEN);
        secret_wipe(&text);
    }
}

static void acknowledged_keys_survive_kill(void **state)
{
    struct bench *t = *state;
    enum { ROUNDS = 8 };
    static char keys[4000][APIKEY_LEN];
    size_t count = 0;
    struct rng_seeded g = {5};
    for (int round = 0; round < ROUNDS; round++) {
        int ends[2];
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            make_keys_until_killed(t, ends[1]);
        close(ends[1]);
        usleep((useconds_t)(60000 + rng_seeded_below(&g, 60000)));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        while (count < 4000 && read(ends[0], keys[count], APIKEY_LEN) == (ssize_t)APIKEY_LEN)
            count++;
        close(ends[0]);
        struct control *c = bench_open(t, NULL);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(bench_judge(c, str_of(keys[i], APIKEY_LEN)), SNAPSHOT_ADMITTED);
        control_close(c);
    }
    print_message("%zu acknowledged keys over %d kills, all there\n", count, ROUNDS);
    mem_wipe(keys, sizeof keys);
}

/* ---- threads ---- */

enum { MAKERS = 3, EACH = 25 };

struct maker {
    pthread_t thread;
    struct control *control;
    int number;
};

static void *make_things(void *arg)
{
    struct maker *m = arg;
    struct arena *a = arena_new(4096, 1 << 20);
    for (int i = 0; i < EACH; i++) {
        struct control_why why;
        struct control_key key;
        struct secret text = {0};
        char slug[32];
        int n = snprintf(slug, sizeof slug, "i-%d-%d", m->number, i);
        arena_reset(a);
        const struct control_key_spec spec = {.name = str_of(slug, (size_t)n), .role = KIND_ROLE_MEMBER};
        must(control_key_create(m->control, 1, &spec, a, &key, &text, &why) == ERR_OK);
        if (i % 5 == 0) {
            struct control_integration row;
            const struct control_integration_spec in = {
                .slug = str_of(slug, (size_t)n), .kind = STR("openai"), .api_key = STR("sk-1")};
            must(control_integration_create(m->control, 1, &in, a, &row, &why) == ERR_OK);
        }
        struct snapshot *s = control_snapshot(m->control);
        must(snapshot_find_key(s, secret_reveal(&text)) != NULL); /* whoever made it can use it at once */
        snapshot_unref(s);
        must(control_key_revoke(m->control, 1, key.public_id, &why) == ERR_OK);
        secret_wipe(&text);
    }
    arena_free(a);
    return NULL;
}

struct reader {
    struct snapshot_slot slot;
    atomic_bool stop;
    uint64_t last;
};

static void to_reader(void *arg, struct snapshot *s)
{
    struct reader *r = arg;
    snapshot_slot_put(&r->slot, s);
}

static void *read_all(void *arg)
{
    struct reader *r = arg;
    for (;;) {
        bool last = atomic_load(&r->stop);
        struct snapshot *s = snapshot_slot_take(&r->slot);
        if (s) {
            must(snapshot_generation(s) > r->last);
            r->last = snapshot_generation(s);
            must(snapshot_workspace_of(s, 1) != NULL);
        }
        snapshot_unref(s);
        if (last && !s)
            return NULL;
        usleep(200);
    }
}

static void many_threads_change_and_one_follows(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct maker makers[MAKERS];
    struct reader r = {.last = 0};
    pthread_t reader;
    control_on_change(c, to_reader, &r);
    assert_int_equal(pthread_create(&reader, NULL, read_all, &r), 0);
    for (int i = 0; i < MAKERS; i++) {
        makers[i] = (struct maker){.control = c, .number = i};
        assert_int_equal(pthread_create(&makers[i].thread, NULL, make_things, &makers[i]), 0);
    }
    for (int i = 0; i < MAKERS; i++)
        assert_int_equal(pthread_join(makers[i].thread, NULL), 0);
    atomic_store(&r.stop, true);
    assert_int_equal(pthread_join(reader, NULL), 0);
    struct snapshot *s = control_snapshot(c);
    assert_int_equal(snapshot_generation(s), r.last);
    assert_int_equal(snapshot_key_count(s), 1 + MAKERS * EACH);
    snapshot_unref(s);
    control_close(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(killed_at_any_file_call_the_next_start_completes),
        CASE(killed_again_and_again_it_still_completes),
        CASE(a_failing_disk_is_an_error_and_no_more),
        CASE(a_change_is_returned_shown_and_stored_or_neither),
        CASE(a_change_cut_by_kill_is_whole_or_absent),
        CASE(acknowledged_keys_survive_kill),
        CASE(many_threads_change_and_one_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
