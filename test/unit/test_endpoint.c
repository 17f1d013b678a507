/* SPDX-License-Identifier: Apache-2.0 */
/* The table of operations: each row is found by its own path, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "openai/endpoint.h"

/* A path of the row's pattern, with `id` for each "{}". */
static struct str path_of(const struct endpoint *row, const char *id)
{
    static char path[256];
    size_t n = 0;
    for (size_t i = 0; i < row->path.n; i++) {
        if (row->path.p[i] == '{') {
            n += (size_t)snprintf(path + n, sizeof path - n, "%s", id);
            i++;
        } else {
            path[n++] = row->path.p[i];
        }
    }
    return str_of(path, n);
}

static void each_row_is_found_by_its_path(void **state)
{
    (void)state;
    size_t count;
    const struct endpoint *rows = endpoint_rows(&count);
    assert_true(count > 100);
    static const char *const ids[] = {"x", "file-abc123", "a.b:c@d%2Fe", "{}", "chat"};
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < sizeof ids / sizeof ids[0]; k++) {
            struct str path = path_of(&rows[i], ids[k]);
            const struct endpoint *found = endpoint_find(rows[i].method, path);
            if (found != &rows[i])
                fail_msg("%.*s %.*s is taken for %.*s", STR_ARG(rows[i].method), STR_ARG(path),
                         STR_ARG(found->operation));
        }
    }
}

static void rows_are_whole_and_like_names_are_like_operations(void **state)
{
    (void)state;
    size_t count;
    const struct endpoint *rows = endpoint_rows(&count);
    for (size_t i = 0; i < count; i++) {
        assert_true(rows[i].path.n > 1 && rows[i].path.p[0] == '/' && rows[i].path.p[rows[i].path.n - 1] != '/');
        assert_true(rows[i].operation.n > 0);
        assert_true(rows[i].method.n >= 3);
        bool reads = str_eq(rows[i].method, STR("GET")) || str_eq(rows[i].method, STR("DELETE"));
        assert_int_equal(reads, rows[i].body == ENDPOINT_NO_BODY);
        if (rows[i].flags & ENDPOINT_ASK_USAGE)
            assert_int_equal(rows[i].body, ENDPOINT_JSON);
        for (size_t k = 0; k < i; k++)
            if (str_eq(rows[i].operation, rows[k].operation) &&
                (rows[i].shape != rows[k].shape || rows[i].body != rows[k].body || rows[i].flags != rows[k].flags))
                fail_msg("two different rows are named %.*s", STR_ARG(rows[i].operation));
    }
}

static void expect(const char *method, const char *path, const char *operation)
{
    const struct endpoint *e = endpoint_find(str_c(method), str_c(path));
    if (!str_eq(e->operation, str_c(operation)))
        fail_msg("%s %s is %.*s, not %s", method, path, STR_ARG(e->operation), operation);
}

static void what_is_near_a_row_is_not_the_row(void **state)
{
    (void)state;
    expect("POST", "/chat/completions", "chat.completions");
    expect("POST", "/chat/completions/", "chat.completions");
    expect("GET", "/chat/completions", "chat.completions.list");
    expect("POST", "/chat/completions/c1", "chat.completions.update");
    expect("GET", "/models/gpt-4o", "models.retrieve");
    static const char *const near[] = {"/chat/completion",
                                       "/chat/completionss",
                                       "/Chat/completions",
                                       "chat/completions",
                                       "//chat/completions",
                                       "/chat//completions",
                                       "/chat/completions//",
                                       "/chat",
                                       "/chat/completion%73",
                                       "/chat/completions/a/b",
                                       "",
                                       "/",
                                       "/embedding",
                                       "/embeddings/x",
                                       "/x/embeddings"};
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++)
        expect("POST", near[i], "other");
    expect("post", "/chat/completions", "other");
    expect("PUT", "/chat/completions", "other");
    expect("", "/chat/completions", "other");
    expect("GET", "/models//", "other");
}

static void an_unknown_path_is_billed_only_when_it_may_act(void **state)
{
    (void)state;
    static const char *const reads[] = {"GET", "HEAD", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < 4; i++) {
        const struct endpoint *e = endpoint_find(str_c(reads[i]), STR("/new/thing"));
        assert_int_equal(e->flags & ENDPOINT_BILLED, 0);
        assert_int_equal(e->body, ENDPOINT_NO_BODY);
    }
    const struct endpoint *e = endpoint_find(STR("POST"), STR("/new/thing"));
    assert_int_equal(e->flags & ENDPOINT_BILLED, ENDPOINT_BILLED);
    assert_int_equal(e->body, ENDPOINT_RAW);
    assert_ptr_equal(endpoint_find(STR("PATCH"), STR("/new")), e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_is_found_by_its_path),
        cmocka_unit_test(rows_are_whole_and_like_names_are_like_operations),
        cmocka_unit_test(what_is_near_a_row_is_not_the_row),
        cmocka_unit_test(an_unknown_path_is_billed_only_when_it_may_act),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
