/* SPDX-License-Identifier: Apache-2.0 */
/* Data directories for tests, removed afterwards. */
#include "control_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/control_key.h"

int bench_setup(void **state)
{
    struct bench *t = mem_zalloc(sizeof *t);
    /* In memory where there is such a place: these tests sync thousands of times. */
    const char *where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(t->dir, sizeof t->dir, "%s/tg-test-control-XXXXXX", where);
    t->arena = arena_new(65536, (size_t)16 << 20);
    *state = t;
    return mkdtemp(t->dir) ? 0 : -1;
}

int bench_teardown(void **state)
{
    struct bench *t = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", t->dir);
    int code = system(command);
    secret_wipe(&t->start.admin_key);
    arena_free(t->arena);
    mem_free(t);
    return code;
}

void bench_path(const struct bench *t, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", t->dir, name);
}

void bench_write_file(const struct bench *t, const char *name, const char *text, unsigned mode)
{
    char path[128];
    bench_path(t, name, path);
    unlink(path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, (mode_t)mode), 0);
}

enum err bench_try_open(struct bench *t, const char *master_key, const char *master_key_file, const char *admin_key,
                        struct control_why *why)
{
    const struct control_options options = {
        .dir = t->dir, .master_key = master_key, .master_key_file = master_key_file, .admin_key = admin_key};
    secret_wipe(&t->start.admin_key);
    return control_open(&options, &t->opened, &t->start, why);
}

struct control *bench_open(struct bench *t, const char *admin_key)
{
    struct control_why why;
    if (bench_try_open(t, NULL, NULL, admin_key, &why) != ERR_OK)
        fail_msg("control_open: %s", why.text);
    return t->opened;
}

void bench_make_key(struct bench *t, struct control *c, const char *name, enum kind_role role, struct secret *ret_text)
{
    struct control_why why;
    struct control_key row;
    const struct control_key_spec spec = {.name = str_c(name), .role = role};
    if (control_key_create(c, 1, &spec, t->arena, &row, ret_text, &why) != ERR_OK)
        fail_msg("control_key_create: %s", why.text);
}

enum snapshot_verdict bench_judge(struct control *c, struct str presented)
{
    const struct snapshot_key *k;
    struct snapshot *s = control_snapshot(c);
    enum snapshot_verdict verdict = snapshot_judge(s, presented, clock_wall_us(), &k);
    snapshot_unref(s);
    return verdict;
}
