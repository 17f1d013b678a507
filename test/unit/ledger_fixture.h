/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_FIXTURE_H
#define LEDGER_FIXTURE_H

/*
 * ledger_fixture: directories that go away, records made up from a seed, and comparisons, for the
 * tests of the ledger.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "ledger/record.h"

#define FIXTURE_PATH_MAX 4096

/* A fresh directory; its path is kept until fixture_remove. */
void fixture_dir(char out[FIXTURE_PATH_MAX]);
void fixture_remove(const char *dir); /* with everything in it */
/* Set-up and tear-down of a test with a directory of its own, fixture_test_dir. No fault is left behind. */
extern char fixture_test_dir[FIXTURE_PATH_MAX];
int fixture_make_dir(void **state);
int fixture_remove_dir(void **state);
/* ledger.db and its log as they are now, in place of what stands at `to`. */
void fixture_copy_database(const char *from, const char *to);
void fixture_path(char out[FIXTURE_PATH_MAX], const char *dir, const char *name);

/* How many times the usual effort: TOLLGATE_TEST_SCALE in the environment, from 1 to 1000. */
unsigned fixture_scale(void);

/* A file's bytes; freed with mem_free. */
char *fixture_read(const char *path, size_t *ret_n);
void fixture_write(const char *path, const char *p, size_t n);

/* Everything but ids and times is made from (seed, i): the same arguments give the same record. */
struct fixture_record {
    struct record r;
    char text[2048];
    char bodies[16384];
};
void fixture_record(struct fixture_record *f, uint64_t seed, uint64_t i, int64_t id, bool with_bodies);

/* Fails the running test when they differ in anything but `bodies_kept` and the bodies' bytes. */
void fixture_same(const struct record *a, const struct record *b);
bool fixture_equal(const struct record *a, const struct record *b);
/* The bytes of bodies and header fields. */
bool fixture_same_parts(const struct record *a, const struct record *b);

#endif
