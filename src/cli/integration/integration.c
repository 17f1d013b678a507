/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate integration list | test | remove: the workspace's provider accounts; `tollgate connect` makes them. */
#include <stdio.h>

#include "base/must.h"
#include "cli/api.h"
#include "net/url.h"

#define X(name, kind, fallback, env, min, max, metavar, text) \
    {name, OPTION_##kind, fallback, env, min, max, metavar, text},
static const struct option options[] = {{"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the server's answer."},
                                        API_OPTIONS(X)};
#undef X

static int list(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct api_answer answer;
    (void)operand_count;
    (void)operands;
    int status = api_call(self, values, "GET", STR("/tollgate/v1/integrations"), STR(""), &answer);
    if (status == EXIT_DONE && option_get(self, values, "json")->given) {
        printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
    } else if (status == EXIT_DONE) {
        json_t *root = api_json(&answer), *rows = json_object_get(root, "data"), *row;
        int slugs = api_column(rows, "slug", 24);
        size_t i;
        printf("%-*s  %-17s  %-7s  %-16s  %s\n", slugs, "SLUG", "KIND", "DEFAULT", "KEY", "ADDRESS");
        json_array_foreach(rows, i, row)
        {
            bool is_default = json_is_true(json_object_get(row, "is_default"));
            api_cell(api_text(row, "slug"), slugs);
            printf("%-17s  %-7s  ", api_text(row, "kind"), is_default ? "yes" : "no");
            api_cell(api_text(row, "key_hint"), 16);
            printf("%s\n", api_text(row, "base_url"));
        }
        json_decref(root);
    }
    api_answer_free(&answer);
    return status;
}

/* The account's path and `tail` behind it. False when no slug was given; that was said. */
static bool path_of(const struct command *self, int operand_count, char **operands, const char *tail, struct buf *ret)
{
    if (operand_count != 1) {
        fprintf(stderr, "tollgate %s: give the account's slug, as 'tollgate integration list' shows it\n", self->name);
        return false;
    }
    bool ok = buf_add_str(ret, STR("/tollgate/v1/integrations/")) && url_encode(ret, str_c(operands[0])) &&
              buf_add_str(ret, str_c(tail));
    must(ok);
    return true;
}

static int show(const struct api_answer *answer, const char *slug)
{
    json_t *root = api_json(answer);
    bool ok = json_is_true(json_object_get(root, "ok"));
    const char *message = json_string_value(json_object_get(root, "message"));
    json_t *models = json_object_get(root, "models");
    if (ok && json_is_integer(models))
        printf("%s works: %lld models, %lld ms\n", slug, api_int(root, "models"), api_int(root, "milliseconds"));
    else if (ok)
        printf("%s works: %lld ms\n", slug, api_int(root, "milliseconds"));
    else
        printf("%s does not work.\n", slug);
    if (message)
        printf("%s\n", message);
    json_decref(root);
    return ok ? EXIT_DONE : EXIT_FAILED;
}

static int test(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct api_answer answer;
    struct buf path;
    buf_init(&path, API_TEXT_MAX);
    if (!path_of(self, operand_count, operands, "/test", &path)) {
        buf_free(&path);
        return EXIT_USAGE;
    }
    int status = api_call(self, values, "POST", buf_str(&path), STR("{}"), &answer);
    if (status == EXIT_DONE && option_get(self, values, "json")->given)
        printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
    else if (status == EXIT_DONE)
        status = show(&answer, operands[0]);
    api_answer_free(&answer);
    buf_free(&path);
    return status;
}

static int drop(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct api_answer answer;
    struct buf path;
    buf_init(&path, API_TEXT_MAX);
    if (!path_of(self, operand_count, operands, "", &path)) {
        buf_free(&path);
        return EXIT_USAGE;
    }
    int status = api_call(self, values, "DELETE", buf_str(&path), STR(""), &answer);
    if (status == EXIT_DONE && !option_get(self, values, "json")->given)
        printf("removed %s\n", operands[0]);
    api_answer_free(&answer);
    buf_free(&path);
    return status;
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

const struct command command_integration_list = {
    "integration list", "", "List the workspace's provider accounts.", options, COUNT(options), list};
const struct command command_integration_test = {
    "integration test", "SLUG", "Ask the provider whether an account works.", options, COUNT(options), test};
const struct command command_integration_remove = {
    "integration remove", "SLUG", "Disconnect an account; its key and its imported bill are deleted.", options,
    COUNT(options),       drop};
