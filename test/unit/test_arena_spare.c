/* SPDX-License-Identifier: Apache-2.0 */
/* What lies beyond an arena's cap: room for small things, and for those alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"

#define CAP ((size_t)64 << 10)
#define SPARE ((size_t)32 << 10)

static size_t taken(struct arena *a, size_t one)
{
    size_t n = 0;
    while (arena_alloc(a, one))
        n += one;
    return n;
}

static void without_spare_the_cap_holds_for_all(void **state)
{
    struct arena *a = arena_new(64, CAP);
    (void)state;
    assert_true(taken(a, 10000) <= CAP);
    assert_true(taken(a, 16) <= CAP);
    assert_null(arena_alloc(a, 1));
    arena_free(a);
}

static void small_things_go_beyond_the_cap_and_end_too(void **state)
{
    struct arena *a = arena_new(64, CAP);
    (void)state;
    arena_spare(a, SPARE);
    assert_true(taken(a, ARENA_SMALL + 1) <= CAP);
    size_t small = taken(a, 64);
    assert_in_range(small, SPARE / 2, CAP + SPARE);
    assert_null(arena_alloc(a, ARENA_SMALL + 1));
    assert_null(arena_alloc(a, CAP + 1));
    assert_true(arena_used(a) <= CAP + SPARE);
    arena_reset(a);
    assert_non_null(arena_alloc(a, ARENA_SMALL + 1));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_spare_the_cap_holds_for_all),
        cmocka_unit_test(small_things_go_beyond_the_cap_and_end_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
