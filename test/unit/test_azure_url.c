/* SPDX-License-Identifier: Apache-2.0 */
/* OpenAI's paths as Azure's: every row of the contract, in both kinds of version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "gateway/target/azure_url.h"

#define DATED "2024-10-21"

static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(4096, 256 * 1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

struct row {
    const char *method, *path, *query, *version, *deployment, *expected;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct row *r = &rows[i];
        struct azure_url_input in = {.form = azure_url_form_of(str_c(r->method), str_c(r->path)),
                                     .base_path = STR("/openai"),
                                     .path = str_c(r->path),
                                     .query = str_c(r->query),
                                     .api_version = str_c(r->version),
                                     .deployment = str_c(r->deployment)};
        struct str url = azure_url_build(&in, arena);
        if (!str_eq(url, str_c(r->expected)))
            fail_msg("%s %s?%s (%s): %.*s is not %s", r->method, r->path, r->query, r->version, STR_ARG(url),
                     r->expected);
    }
}
#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof(rows)[0])

static void model_calls_of_dated_versions_name_the_deployment(void **state)
{
    (void)state;
    static const char *const paths[] = {"/chat/completions",     "/completions",       "/embeddings",
                                        "/images/generations",   "/images/edits",      "/audio/speech",
                                        "/audio/transcriptions", "/audio/translations"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct azure_url_input in = {.form = azure_url_form_of(STR("POST"), str_c(paths[i])),
                                     .base_path = STR("/openai"),
                                     .path = str_c(paths[i]),
                                     .api_version = STR(DATED),
                                     .deployment = STR("my-4o")};
        char expected[200];
        assert_int_equal(in.form, AZURE_URL_DEPLOYMENT);
        str_copy(expected, sizeof expected, STR("/openai/deployments/my-4o"));
        str_copy(expected + strlen(expected), sizeof expected - strlen(expected), str_c(paths[i]));
        str_copy(expected + strlen(expected), sizeof expected - strlen(expected), STR("?api-version=" DATED));
        struct str url = azure_url_build(&in, arena);
        assert_true(str_eq(url, str_c(expected)));
        in.api_version = STR("v1");
        str_copy(expected, sizeof expected, STR("/openai/v1"));
        str_copy(expected + strlen(expected), sizeof expected - strlen(expected), str_c(paths[i]));
        url = azure_url_build(&in, arena);
        assert_true(str_eq(url, str_c(expected)));
    }
}

static void jobs_files_and_responses_have_a_version_only(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"POST", "/responses", "", DATED, "d", "/openai/responses?api-version=" DATED},
        {"GET", "/responses/resp_1/input_items", "limit=2", DATED, "",
         "/openai/responses/resp_1/input_items?limit=2&api-version=" DATED},
        {"POST", "/files", "", DATED, "", "/openai/files?api-version=" DATED},
        {"GET", "/files/file-1/content", "", DATED, "", "/openai/files/file-1/content?api-version=" DATED},
        {"GET", "/batches", "after=b&limit=1", DATED, "", "/openai/batches?after=b&limit=1&api-version=" DATED},
        {"POST", "/batches/b/cancel", "", DATED, "", "/openai/batches/b/cancel?api-version=" DATED},
        {"POST", "/fine_tuning/jobs", "", DATED, "", "/openai/fine_tuning/jobs?api-version=" DATED},
        {"GET", "/fine_tuning/jobs/j/events", "", DATED, "", "/openai/fine_tuning/jobs/j/events?api-version=" DATED},
        {"POST", "/responses", "", "v1", "d", "/openai/v1/responses"},
        {"GET", "/batches", "after=b&api-version=" DATED, "v1", "", "/openai/v1/batches?after=b"},
        {"POST", "/files", "", "v1", "", "/openai/v1/files"},
    };
    CHECK(rows);
}

static void realtime_names_version_and_deployment_in_the_query(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"GET", "/realtime", "", DATED, "rt", "/openai/realtime?api-version=" DATED "&deployment=rt"},
        {"GET", "/realtime", "model=gpt-realtime&x=1", DATED, "rt",
         "/openai/realtime?model=gpt-realtime&x=1&api-version=" DATED "&deployment=rt"},
        {"GET", "/realtime", "deployment=theirs&model=m", DATED, "rt",
         "/openai/realtime?model=m&api-version=" DATED "&deployment=rt"},
        {"GET", "/realtime", "", "v1", "rt", "/openai/v1/realtime?deployment=rt"},
        {"GET", "/realtime", "model=gpt-realtime&x=1", "v1", "rt", "/openai/v1/realtime?model=rt&x=1&deployment=rt"},
        {"GET", "/realtime", "deployment=theirs", DATED, "", "/openai/realtime?deployment=theirs&api-version=" DATED},
    };
    CHECK(rows);
}

static void other_paths_get_a_version_when_one_is_configured(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"GET", "/models", "", DATED, "", "/openai/models?api-version=" DATED},
        {"GET", "/models", "a=b", DATED, "", "/openai/models?a=b&api-version=" DATED},
        {"GET", "/models", "a=b&api-version=2023-05-15", DATED, "", "/openai/models?a=b&api-version=2023-05-15"},
        {"GET", "/models", "", "", "", "/openai/models"},
        {"GET", "/models", "a=b", "", "", "/openai/models?a=b"},
        {"GET", "/models", "api-version=2023-05-15", "", "", "/openai/models?api-version=2023-05-15"},
        {"GET", "/chat/completions", "limit=1", DATED, "d", "/openai/chat/completions?limit=1&api-version=" DATED},
        {"POST", "/assistants", "", DATED, "", "/openai/assistants?api-version=" DATED},
        {"GET", "/models", "", "v1", "", "/openai/v1/models"},
        {"GET", "/models", "api-version=preview", "v1", "", "/openai/v1/models?api-version=preview"},
        {"POST", "/filesystem", "", DATED, "", "/openai/filesystem?api-version=" DATED},
    };
    CHECK(rows);
}

static void the_clients_own_parameters_are_kept_and_merged(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"POST", "/chat/completions", "a=1&b=%20", DATED, "d",
         "/openai/deployments/d/chat/completions?a=1&b=%20&api-version=" DATED},
        {"POST", "/chat/completions", "api-version=2023-05-15&a=1", DATED, "d",
         "/openai/deployments/d/chat/completions?a=1&api-version=" DATED},
        {"POST", "/chat/completions", "api-version=2023-05-15&a=1", "", "d",
         "/openai/deployments/d/chat/completions?api-version=2023-05-15&a=1"},
        {"POST", "/chat/completions", "", "", "d", "/openai/v1/chat/completions"},
        {"POST", "/chat/completions", "a=1", "", "d", "/openai/v1/chat/completions?a=1"},
        {"POST", "/chat/completions", "api-version=v1", "", "d", "/openai/v1/chat/completions"},
        {"POST", "/chat/completions", "&&a=1&", DATED, "d",
         "/openai/deployments/d/chat/completions?a=1&api-version=" DATED},
        {"POST", "/embeddings", "flag", DATED, "d", "/openai/deployments/d/embeddings?flag&api-version=" DATED},
    };
    CHECK(rows);
}

static void names_cannot_leave_their_place(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"POST", "/embeddings", "", DATED, "a/../b?c=d#e",
         "/openai/deployments/a%2F..%2Fb%3Fc%3Dd%23e/embeddings?api-version=" DATED},
        {"POST", "/embeddings", "", "x&y=z\r\n", "d", "/openai/deployments/d/embeddings?api-version=x%26y%3Dz%0D%0A"},
        {"GET", "/realtime", "", DATED, "a&b", "/openai/realtime?api-version=" DATED "&deployment=a%26b"},
    };
    CHECK(rows);
}

static void a_base_path_of_ones_own_stands_in_front(void **state)
{
    (void)state;
    struct azure_url_input in = {.form = AZURE_URL_DEPLOYMENT,
                                 .base_path = STR("/proxy/openai"),
                                 .path = STR("/chat/completions"),
                                 .api_version = STR(DATED),
                                 .deployment = STR("d")};
    struct str url = azure_url_build(&in, arena);
    assert_true(str_eq(url, STR("/proxy/openai/deployments/d/chat/completions?api-version=" DATED)));
}

static void prices_go_by_the_model_without_its_tuning(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"gpt-4o", "gpt-4o"},         {"gpt-4o.ft", "gpt-4o"}, {"gpt-35-turbo-0125.ft-0e208c", "gpt-35-turbo-0125"},
        {"gpt-4o.ftx", "gpt-4o.ftx"}, {".ft", ".ft"},          {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(str_eq(azure_url_price_model(str_c(rows[i][0])), str_c(rows[i][1])));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(model_calls_of_dated_versions_name_the_deployment),
        CASE(jobs_files_and_responses_have_a_version_only),
        CASE(realtime_names_version_and_deployment_in_the_query),
        CASE(other_paths_get_a_version_when_one_is_configured),
        CASE(the_clients_own_parameters_are_kept_and_merged),
        CASE(names_cannot_leave_their_place),
        CASE(a_base_path_of_ones_own_stands_in_front),
        CASE(prices_go_by_the_model_without_its_tuning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
