/* SPDX-License-Identifier: Apache-2.0 */
/* Paths under /v1: doubled versions and the generic proxy's prefix come off, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/target/path.h"

static void each_spelling_has_one_operation_path(void **state)
{
    (void)state;
    static const struct {
        const char *path, *below;
        bool proxy;
    } rows[] = {
        {"/v1/chat/completions", "/chat/completions", false},
        {"/v1/v1/chat/completions", "/chat/completions", false},
        {"/v1/v1/v1/x", "/x", false},
        {"/v1/proxy/chat/completions", "/chat/completions", true},
        {"/v1/v1/proxy/x", "/x", true},
        {"/v1/proxy/v1/x", "/x", true},
        {"/v1/proxy/v1/v1/x", "/x", true},
        {"/v1/proxy/proxy/x", "/proxy/x", true}, /* the second one is the provider's */
        {"/v1/proxy/", "/", true},
        {"/v1/", "/", false},
        {"/v1/v1/", "/", false},
        {"/v1/v1", "/v1", false},
        {"/v1/proxy", "/proxy", false},
        {"/v1/v10/x", "/v10/x", false},
        {"/v1/proxyx/y", "/proxyx/y", false},
        {"/v1/x/v1/y", "/x/v1/y", false},
        {"/v1//v1/x", "//v1/x", false},
        {"/v1/V1/x", "/V1/x", false},
        {"/v2/x", "/v2/x", false},
        {"/v1", "/v1", false},
        {"/v10/x", "/v10/x", false},
        {"", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str path = str_c(rows[i].path);
        bool proxy = !rows[i].proxy;
        struct str below = path_below_v1(path, &proxy);
        if (!str_eq(below, str_c(rows[i].below)) || proxy != rows[i].proxy)
            fail_msg("%s gave %.*s, proxy %d", rows[i].path, STR_ARG(below), proxy);
        assert_true(below.p >= path.p && below.p + below.n == path.p + path.n); /* a view of the end */
        assert_true(str_eq(path_below_v1(path, NULL), below));
    }
}

static void only_paths_under_the_version_are_for_a_provider(void **state)
{
    (void)state;
    assert_true(path_is_v1(STR("/v1/x")));
    assert_true(path_is_v1(STR("/v1/")));
    assert_false(path_is_v1(STR("/v1")));
    assert_false(path_is_v1(STR("/v10/x")));
    assert_false(path_is_v1(STR("x/v1/")));
}

static void a_batch_output_is_known_by_its_path(void **state)
{
    (void)state;
    static const struct {
        const char *below, *id; /* NULL: it is something else */
    } rows[] = {
        {"/batches/batch_1/output", "batch_1"},
        {"/batches/batch_1/output/", "batch_1"},
        {"/batches/output/output", "output"},
        {"/batches/output", NULL},
        {"/batches//output", NULL},
        {"/batches/a/b/output", NULL},
        {"/batches/a/outputs", NULL},
        {"/batches/a", NULL},
        {"/files/a/output", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct str id = STR("untouched");
        bool found = path_batch_output(STR("GET"), str_c(rows[i].below), &id);
        assert_int_equal(found, rows[i].id != NULL);
        assert_true(str_eq(id, str_c(found ? rows[i].id : "untouched")));
        assert_false(path_batch_output(STR("POST"), str_c(rows[i].below), &id));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_spelling_has_one_operation_path),
        cmocka_unit_test(only_paths_under_the_version_are_for_a_provider),
        cmocka_unit_test(a_batch_output_is_known_by_its_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
