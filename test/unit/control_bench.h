/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_BENCH_H
#define CONTROL_BENCH_H

/*
 * control_bench: what the tests of control have in common: a data directory of their own for each
 * case, and short ways to open it and to make a key. Failures end the case.
 */

#include "base/arena.h"
#include "base/secret.h"
#include "control/control.h"
#include "control/kind.h"
#include "control/snapshot.h"

struct bench {
    char dir[64];
    struct arena *arena;
    struct control *opened; /* by the last bench_try_open that succeeded; the case closes it */
    struct control_start start;
};

/* For cmocka_unit_test_setup_teardown; *state is the bench. */
int bench_setup(void **state);
int bench_teardown(void **state);

void bench_path(const struct bench *t, const char *name, char out[128]);
void bench_write_file(const struct bench *t, const char *name, const char *text, unsigned mode);

/* Opens with these; what the start gave is in t->start. */
enum err bench_try_open(struct bench *t, const char *master_key, const char *master_key_file, const char *admin_key,
                        struct control_why *why);
/* Opens with the directory's own master key. */
struct control *bench_open(struct bench *t, const char *admin_key);

/* In workspace 1. */
void bench_make_key(struct bench *t, struct control *c, const char *name, enum kind_role role, struct secret *ret_text);
/* What the newest snapshot says of a presented text, now. */
enum snapshot_verdict bench_judge(struct control *c, struct str presented);

#endif
