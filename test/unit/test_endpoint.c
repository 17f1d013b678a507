/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint table: each row is found by its own path, nothing hides behind another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "openai/endpoint.h"

/* What clients send, and the operation that must be found. */
static const struct {
    const char *method, *path, *operation;
} calls[] = {
    {"POST", "/chat/completions", "chat.completions"},
    {"POST", "/chat/completions/", "chat.completions"},
    {"GET", "/chat/completions", "chat.completions.list"},
    {"POST", "/chat/completions/chatcmpl-1", "chat.completions.update"},
    {"POST", "/responses/input_tokens", "responses.input_tokens"},
    {"POST", "/responses/resp_1/cancel", "responses.cancel"},
    {"GET", "/responses/resp_1", "responses.retrieve"},
    {"GET", "/models/ft:gpt-4o:acme::id", "models.retrieve"},
    {"POST", "/engines/davinci/completions", "completions"},
    {"POST", "/threads/runs", "threads.create_and_run"},
    {"POST", "/threads/thread_1/runs", "threads.runs.create"},
    {"GET", "/files/file-1/content", "files.content"},
    {"GET", "/realtime", "realtime"},
    {"post", "/embeddings", "other"}, /* methods are case-sensitive */
    {"POST", "/Embeddings", "other"}, /* and so are paths */
    {"PUT", "/embeddings", "other"},
    {"POST", "/files//content", "other"},
    {"POST", "/embeddings/x", "other"},
    {"POST", "/", "other"},
    {"POST", "", "other"},
};

static void calls_find_their_operation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        const struct endpoint *e = endpoint_find(str_c(calls[i].method), str_c(calls[i].path));
        if (!str_eq(e->operation, str_c(calls[i].operation)))
            fail_msg("%s %s: %.*s", calls[i].method, calls[i].path, STR_ARG(e->operation));
    }
}

/* "{}" as a segment is matched by "{}" too, so a pattern is a path of its own. */
static void every_row_can_be_reached(void **state)
{
    size_t count;
    const struct endpoint *rows = endpoint_rows(&count);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        const struct endpoint *found = endpoint_find(rows[i].method, rows[i].path);
        if (found != &rows[i])
            fail_msg("%.*s %.*s is taken by %.*s", STR_ARG(rows[i].method), STR_ARG(rows[i].path),
                     STR_ARG(found->path));
    }
}

static void what_has_usage_says_so(void **state)
{
    size_t count;
    const struct endpoint *rows = endpoint_rows(&count);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        bool counts_only = rows[i].shape == USAGE_SHAPE_INPUT_TOKENS;
        if ((rows[i].flags & ENDPOINT_BILLED) && rows[i].shape == USAGE_SHAPE_NONE)
            continue; /* billed, and its usage cannot be read: unpriced */
        if (!counts_only && (rows[i].shape != USAGE_SHAPE_NONE) != ((rows[i].flags & ENDPOINT_BILLED) != 0))
            fail_msg("%.*s has usage that is not billed", STR_ARG(rows[i].operation));
    }
}

static void unknown_paths_are_read_for_known_usage(void **state)
{
    (void)state;
    const struct endpoint *write = endpoint_find(STR("POST"), STR("/rerank"));
    const struct endpoint *read = endpoint_find(STR("GET"), STR("/rerank"));
    assert_int_equal(write->shape, USAGE_SHAPE_OTHER);
    assert_int_equal(read->shape, USAGE_SHAPE_OTHER);
    assert_true(write->flags & ENDPOINT_BILLED);
    assert_false(read->flags & ENDPOINT_BILLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_find_their_operation),
        cmocka_unit_test(every_row_can_be_reached),
        cmocka_unit_test(what_has_usage_says_so),
        cmocka_unit_test(unknown_paths_are_read_for_known_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
