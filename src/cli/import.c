/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate import: has the server import OpenAI's bill, and shows how far it is. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json_write.h"
#include "base/must.h"
#include "cli/api.h"

#define PATH STR("/tollgate/v1/imports")
#define POLL_US 300000
#define BAR_WIDTH 30

#define X(name, kind, fallback, env, min, max, metavar, text) \
    {name, OPTION_##kind, fallback, env, min, max, metavar, text},
static const struct option options[] = {
    {"since", OPTION_TEXT, NULL, NULL, 0, 0, "DATE",
     "Import everything from this day on, such as 2026-01-01. Default: what is due."},
    {"integration", OPTION_TEXT, NULL, NULL, 0, 0, "S", "Only this integration. Default: all of kind openai-admin."},
    {"no-wait", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Begin it and return."},
    {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the server's answer."},
    API_OPTIONS(X)};
static const struct option status_options[] = {
    {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the server's answer."}, API_OPTIONS(X)};
#undef X

/* --- showing --------------------------------------------------------------------------------- */

static bool is_wanted(const json_t *account, struct str slug)
{
    return !slug.n || str_eq(slug, str_c(api_text(account, "integration")));
}

static bool is_running(const json_t *account)
{
    return json_is_true(json_object_get(account, "running"));
}

static void print_accounts(const json_t *root, struct str slug)
{
    const json_t *data = json_object_get(root, "data"), *a;
    size_t i;
    printf("%-20s  %-12s  %-20s  %-27s  %-10s  %s\n", "integration", "status", "organization", "last updated",
           "back to", "note");
    json_array_foreach(data, i, a)
    {
        const char *error = api_text(a, "error");
        if (!is_wanted(a, slug))
            continue;
        printf("%-20s  %-12s  %-20s  %-27s  %-10s  %s\n", api_text(a, "integration"), api_text(a, "status"),
               api_text(a, "organization"), api_text(a, "last_updated"), api_text(a, "imported_back_to"),
               strcmp(error, "-") != 0 ? error
               : is_running(a)         ? "importing now"
                                       : "");
    }
}

/* All accounts as one bar: "importing [#######.....]  61 of 96 steps, 1234 rows". */
static void print_bar(const json_t *root, struct str slug, bool last)
{
    const json_t *data = json_object_get(root, "data"), *a;
    long long done = 0, steps = 0, rows = 0;
    char bar[BAR_WIDTH + 1];
    size_t i;
    json_array_foreach(data, i, a)
    {
        if (!is_wanted(a, slug))
            continue;
        done += api_int(a, "steps_done");
        steps += api_int(a, "steps");
        rows += api_int(a, "rows");
    }
    for (i = 0; i < BAR_WIDTH; i++)
        bar[i] = (long long)i * steps < done * BAR_WIDTH ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\rimporting [%s]  %lld of %lld steps, %lld rows ", bar, done, steps, rows);
    if (last)
        fputc('\n', stderr);
    fflush(stderr);
}

static bool any_running(const json_t *root, struct str slug)
{
    const json_t *data = json_object_get(root, "data"), *a;
    size_t i;
    json_array_foreach(data, i, a)
    {
        if (is_wanted(a, slug) && is_running(a))
            return true;
    }
    return false;
}

static bool any_failed(const json_t *root, struct str slug)
{
    const json_t *data = json_object_get(root, "data"), *a;
    size_t i;
    json_array_foreach(data, i, a)
    {
        if (is_wanted(a, slug) && strcmp(api_text(a, "error"), "-") != 0)
            return true;
    }
    return false;
}

/* --- asking ---------------------------------------------------------------------------------- */

static int begin(const struct command *c, const struct option_value *v, struct api_answer *answer)
{
    struct buf body;
    struct json_write w;
    buf_init(&body, API_TEXT_MAX);
    json_write_init(&w, &body);
    json_write_object(&w);
    if (option_get(c, v, "since")->given)
        json_write_member_string(&w, "since", option_get(c, v, "since")->text);
    if (option_get(c, v, "integration")->given)
        json_write_member_string(&w, "integration", option_get(c, v, "integration")->text);
    json_write_object_end(&w);
    bool ok = json_write_done(&w);
    must(ok);
    int status = api_call(c, v, "POST", PATH, buf_str(&body), answer);
    buf_free(&body);
    return status;
}

static int show(const struct command *c, const struct option_value *v, const struct api_answer *answer, struct str slug)
{
    if (option_get(c, v, "json")->given) {
        printf("%.*s\n", STR_ARG(buf_str(&answer->body)));
        return EXIT_DONE;
    }
    json_t *root = api_json(answer);
    print_accounts(root, slug);
    json_decref(root);
    return EXIT_DONE;
}

/* Until nothing is under way any more; the last answer stays. */
static int follow(const struct command *c, const struct option_value *v, struct str slug, struct api_answer *answer)
{
    bool quiet = option_get(c, v, "json")->given || !isatty(STDERR_FILENO);
    bool running = true, failed = false;
    int status = EXIT_DONE;
    while (running && status == EXIT_DONE) {
        usleep(POLL_US);
        api_answer_free(answer);
        status = api_call(c, v, "GET", PATH, STR(""), answer);
        if (status != EXIT_DONE)
            break;
        json_t *root = api_json(answer);
        running = any_running(root, slug);
        failed = any_failed(root, slug);
        if (!quiet)
            print_bar(root, slug, !running);
        json_decref(root);
    }
    if (status == EXIT_DONE)
        show(c, v, answer, slug);
    return status == EXIT_DONE && failed ? EXIT_FAILED : status;
}

static int run(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct api_answer answer;
    struct str slug = option_get(self, values, "integration")->text;
    (void)operand_count;
    (void)operands;
    int status = begin(self, values, &answer);
    if (status == EXIT_DONE)
        status = option_get(self, values, "no-wait")->given ? show(self, values, &answer, slug)
                                                            : follow(self, values, slug, &answer);
    api_answer_free(&answer);
    return status;
}

static int run_status(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct api_answer answer;
    (void)operand_count;
    (void)operands;
    int status = api_call(self, values, "GET", PATH, STR(""), &answer);
    if (status == EXIT_DONE)
        status = show(self, values, &answer, STR(""));
    api_answer_free(&answer);
    return status;
}

const struct command command_import = {
    "import", "", "Import OpenAI's bill now, and wait for it.", options, sizeof options / sizeof options[0], run};
const struct command command_import_status = {"import status",
                                              "",
                                              "Show how far the import of OpenAI's bill is.",
                                              status_options,
                                              sizeof status_options / sizeof status_options[0],
                                              run_status};
