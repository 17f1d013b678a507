/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator's tables: every route can be reached, every shape is JSON, the gateway knows the names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json/jdoc.h"
#include "openai/endpoint.h"
#include "sim/kept/crud.h"

/* A path that the pattern fits: "x1" and so on for its "{}". */
static struct str example(struct str pattern, char out[256])
{
    size_t n = 0;
    for (size_t i = 0; i < pattern.n; i++) {
        if (pattern.p[i] == '{') {
            n += (size_t)snprintf(out + n, 256 - n, "x%zu", i);
            i++;
        } else {
            out[n++] = pattern.p[i];
        }
    }
    return str_of(out, n);
}

static void every_route_is_reached(void **state)
{
    (void)state;
    const struct route *r;
    paths_init();
    size_t i = 0;
    for (; (r = paths_row(i)) != NULL; i++) {
        struct str args[PATHS_ARGS_MAX];
        char path[256], allow[64];
        const struct route *found = paths_find(r->method, example(r->path, path), args, allow);
        if (found != r)
            fail_msg("%.*s %.*s is hidden by %.*s", STR_ARG(r->method), STR_ARG(r->path),
                     STR_ARG(found ? found->path : STR("nothing")));
        assert_non_null(r->run);
    }
    assert_true(i > 350);
}

static void unknown_paths_are_told_apart_from_wrong_methods(void **state)
{
    (void)state;
    struct str args[PATHS_ARGS_MAX];
    char allow[64];
    paths_init();
    assert_null(paths_find(STR("GET"), STR("/no/such"), args, allow));
    assert_string_equal(allow, "");
    assert_null(paths_find(STR("PATCH"), STR("/files/x"), args, allow));
    assert_string_equal(allow, "GET, DELETE");
    assert_non_null(paths_find(STR("HEAD"), STR("/models"), args, allow));
    assert_null(paths_find(STR("GET"), STR(""), args, allow));
    assert_null(paths_find(STR("GET"), STR("/files//content"), args, allow));
}

static void assert_json(const char *text, const char *what)
{
    struct jdoc d;
    if (!text)
        return;
    jdoc_init(&d);
    if (!jdoc_parse(&d, str_c(text)) || jdoc_kind(jdoc_root(&d)) != JDOC_OBJECT)
        fail_msg("%s: not a JSON object: %s", what, text);
    jdoc_free(&d);
}

static void every_shape_is_json(void **state)
{
    (void)state;
    const struct route *r;
    paths_init();
    for (size_t i = 0; (r = paths_row(i)) != NULL; i++) {
        if (!r->crud)
            continue;
        assert_json(r->crud->shape, r->operation);
        assert_json(r->crud->deleted, r->operation);
        assert_json(r->crud->act, r->operation);
        assert_true(r->run != crud_delete || r->crud->deleted);
        assert_true(r->run != crud_act || r->crud->act);
        assert_true(r->run != crud_create || (r->crud->shape && r->crud->prefix));
    }
}

/* What the gateway's table serves by a row of its own, the simulator answers, under the same name. */
static void the_gateways_operations_are_served(void **state)
{
    (void)state;
    size_t n, missing = 0;
    const struct endpoint *e = endpoint_rows(&n);
    paths_init();
    for (size_t i = 0; i < n; i++) {
        struct str args[PATHS_ARGS_MAX];
        char path[256], allow[64];
        const struct route *r = e[i].path.n ? paths_find(e[i].method, example(e[i].path, path), args, allow) : NULL;
        if (str_eq(e[i].method, STR("*")))
            continue;
        if (!r) {
            printf("not served: %.*s %.*s\n", STR_ARG(e[i].method), STR_ARG(e[i].path));
            missing++;
        } else if (!str_eq(str_c(r->operation), e[i].operation)) {
            printf("%.*s %.*s is %s here, %.*s there\n", STR_ARG(e[i].method), STR_ARG(e[i].path), r->operation,
                   STR_ARG(e[i].operation));
            missing++;
        }
    }
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_reached),
        cmocka_unit_test(unknown_paths_are_told_apart_from_wrong_methods),
        cmocka_unit_test(every_shape_is_json),
        cmocka_unit_test(the_gateways_operations_are_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
