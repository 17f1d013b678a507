/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate model create | list | show | update | delete */
#include <stdio.h>

#include "base/mem.h"
#include "base/must.h"
#include "cli/api.h"
#include "net/url.h"

#define X(name, kind, fallback, env, min, max, metavar, text) \
    {name, OPTION_##kind, fallback, env, min, max, metavar, text},
#define WORKSPACE                                                              \
    {                                                                          \
        "workspace", OPTION_TEXT, NULL, NULL, 0, 0, "W",                       \
            "Workspace of the model API; needed when the key reaches several." \
    }
#define JSON                                                                      \
    {                                                                             \
        "json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the server's answer." \
    }
static const struct option create_options[] = {
    {"name", OPTION_TEXT, NULL, NULL, 0, 0, "N", "Its name: lower-case letters, digits and '-', at most 49."},
    {"connection", OPTION_LIST, NULL, NULL, 0, 0, "SLUG",
     "Provider account that serves it; several times: the next one is asked when one fails."},
    {"model", OPTION_TEXT, NULL, NULL, 0, 0, "MODEL", "The provider's name of the model, such as gpt-4o-mini."},
    {"type", OPTION_TEXT, "openai", NULL, 0, 0, "TYPE", "openai, azure-openai-service, groq, …"},
    {"organization", OPTION_TEXT, NULL, NULL, 0, 0, "ORG", "OpenAI organization to name upstream."},
    {"policy", OPTION_LIST, NULL, NULL, 0, 0, "P", "Policy it carries; several times."},
    {"allow-any-model", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Let requests name another model."},
    WORKSPACE,
    JSON,
    API_OPTIONS(X)};
static const struct option update_options[] = {
    {"model", OPTION_TEXT, NULL, NULL, 0, 0, "MODEL", "Another model of the provider's."},
    {"connection", OPTION_LIST, NULL, NULL, 0, 0, "SLUG", "Other provider accounts, in order."},
    {"policy", OPTION_LIST, NULL, NULL, 0, 0, "P", "Other policies; an empty one takes all away."},
    {"disable", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Serve no more requests."},
    {"enable", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Serve requests again."},
    WORKSPACE,
    JSON,
    API_OPTIONS(X)};
static const struct option look_options[] = {WORKSPACE, JSON, API_OPTIONS(X)};
#undef X

static const struct option_value *opt(const struct command *c, const struct option_value *v, const char *name)
{
    return option_get(c, v, name);
}

static void write_path(struct buf *path, const struct command *c, const struct option_value *v, const char *name)
{
    buf_init(path, API_TEXT_MAX);
    bool ok = buf_add_str(path, STR("/v0/models"));
    if (name)
        ok = ok && buf_add_byte(path, '/') && url_encode(path, str_c(name));
    must(ok);
    if (opt(c, v, "workspace")->given)
        api_add_param(path, "workspace", opt(c, v, "workspace")->text);
}

static const char *name_of(const struct command *c, int operand_count, char **operands)
{
    if (operand_count == 1)
        return operands[0];
    fprintf(stderr, "tollgate %s: give the model API's name, as 'tollgate model list' shows it\n", c->name);
    return NULL;
}

static json_t *names_of(const struct option_value *list)
{
    json_t *names = json_array();
    for (size_t i = 0; i < list->list_count; i++)
        if (list->list[i].n)
            json_array_append_new(names, json_stringn(list->list[i].p, list->list[i].n));
    return names;
}

static void put_text(json_t *object, const char *name, const struct option_value *v)
{
    if (v->given || v->text.n)
        json_object_set_new(object, name, json_stringn(v->text.p, v->text.n));
}

static void print_model(const json_t *model)
{
    const json_t *metadata = json_object_get(model, "metadata"), *spec = json_object_get(model, "spec");
    const json_t *runtime = json_object_get(spec, "runtime"), *name;
    size_t i;
    printf("name         %s\nstatus       %s\nurl          %s\nmodel        %s\ntype         %s\n",
           api_text(metadata, "name"), api_text(model, "status"), api_text(metadata, "url"), api_text(runtime, "model"),
           api_text(runtime, "type"));
    json_array_foreach(json_object_get(spec, "integrationConnections"), i, name)
        printf("connection   %s\n", json_string_value(name));
    json_array_foreach(json_object_get(spec, "policies"), i, name) printf("policy       %s\n", json_string_value(name));
    printf("changed      %.19sZ by %s\n", api_text(metadata, "updatedAt"), api_text(metadata, "updatedBy"));
}

/* Sends the model and prints what became of it. */
static int send_model(const struct command *c, struct option_value *v, const char *method, const char *name,
                      json_t *model)
{
    struct api_answer answer;
    struct buf path;
    char *text = json_dumps(model, JSON_COMPACT);
    must(text != NULL);
    write_path(&path, c, v, name);
    int status = api_call(c, v, method, buf_str(&path), str_c(text), &answer);
    if (status == EXIT_DONE && opt(c, v, "json")->given) {
        printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
    } else if (status == EXIT_DONE) {
        json_t *root = api_json(&answer);
        printf("%s\n", api_text(json_object_get(root, "metadata"), "url"));
        json_decref(root);
    }
    api_answer_free(&answer);
    buf_free(&path);
    mem_free(text);
    return status;
}

static int create(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    (void)operand_count;
    (void)operands;
    if (!opt(self, values, "name")->given || !opt(self, values, "connection")->given ||
        !opt(self, values, "model")->given) {
        fprintf(stderr, "tollgate model create: give --name, --connection and --model\n");
        return EXIT_USAGE;
    }
    json_t *runtime = json_object(), *metadata = json_object();
    put_text(metadata, "name", opt(self, values, "name"));
    put_text(runtime, "model", opt(self, values, "model"));
    put_text(runtime, "type", opt(self, values, "type"));
    if (opt(self, values, "organization")->given)
        put_text(runtime, "organization", opt(self, values, "organization"));
    if (opt(self, values, "allow-any-model")->given)
        json_object_set_new(runtime, "allowModelOverride", json_true());
    json_t *spec =
        json_pack("{s:o,s:o,s:o}", "runtime", runtime, "integrationConnections",
                  names_of(opt(self, values, "connection")), "policies", names_of(opt(self, values, "policy")));
    json_t *model = json_pack("{s:o,s:o}", "metadata", metadata, "spec", spec);
    int status = send_model(self, values, "POST", NULL, model);
    json_decref(model);
    return status;
}

/* What is there, with the given options put over it: a change replaces the whole. */
static int update(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct api_answer answer;
    struct buf path;
    const char *name = name_of(self, operand_count, operands);
    if (!name)
        return EXIT_USAGE;
    write_path(&path, self, values, name);
    int status = api_call(self, values, "GET", buf_str(&path), STR(""), &answer);
    buf_free(&path);
    json_t *model = status == EXIT_DONE ? json_loadb(buf_str(&answer.body).p, buf_size(&answer.body), 0, NULL) : NULL;
    api_answer_free(&answer);
    if (!model)
        return status == EXIT_DONE ? EXIT_FAILED : status;
    json_t *spec = json_object_get(model, "spec"), *runtime = json_object_get(spec, "runtime");
    if (opt(self, values, "model")->given)
        put_text(runtime, "model", opt(self, values, "model"));
    if (opt(self, values, "connection")->given)
        json_object_set_new(spec, "integrationConnections", names_of(opt(self, values, "connection")));
    if (opt(self, values, "policy")->given)
        json_object_set_new(spec, "policies", names_of(opt(self, values, "policy")));
    if (opt(self, values, "disable")->given)
        json_object_set_new(spec, "enabled", json_false());
    if (opt(self, values, "enable")->given)
        json_object_set_new(spec, "enabled", json_true());
    status = send_model(self, values, "PUT", name, model);
    json_decref(model);
    return status;
}

static int look(const struct command *c, struct option_value *v, const char *name)
{
    struct api_answer answer;
    struct buf path;
    write_path(&path, c, v, name);
    int status = api_call(c, v, "GET", buf_str(&path), STR(""), &answer);
    buf_free(&path);
    if (status == EXIT_DONE && opt(c, v, "json")->given) {
        printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
    } else if (status == EXIT_DONE) {
        json_t *root = api_json(&answer), *row;
        size_t i;
        if (name)
            print_model(root);
        else
            printf("%-32s  %-11s  %-28s  %s\n", "NAME", "STATUS", "MODEL", "CREATED");
        json_array_foreach(root, i, row)
        {
            const json_t *metadata = json_object_get(row, "metadata");
            const json_t *runtime = json_object_get(json_object_get(row, "spec"), "runtime");
            printf("%-32s  %-11s  %-28s  %.19sZ\n", api_text(metadata, "name"), api_text(row, "status"),
                   api_text(runtime, "model"), api_text(metadata, "createdAt"));
        }
        json_decref(root);
    }
    api_answer_free(&answer);
    return status;
}

static int list(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    (void)operand_count;
    (void)operands;
    return look(self, values, NULL);
}

static int show(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    const char *name = name_of(self, operand_count, operands);
    return name ? look(self, values, name) : EXIT_USAGE;
}

static int remove_one(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct api_answer answer;
    struct buf path;
    const char *name = name_of(self, operand_count, operands);
    if (!name)
        return EXIT_USAGE;
    write_path(&path, self, values, name);
    int status = api_call(self, values, "DELETE", buf_str(&path), STR(""), &answer);
    buf_free(&path);
    if (status == EXIT_DONE && opt(self, values, "json")->given)
        printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
    else if (status == EXIT_DONE)
        printf("deleted %s\n", name);
    api_answer_free(&answer);
    return status;
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

const struct command command_model_create = {
    "model create",        "",    "Make a model API; its address is printed alone.", create_options,
    COUNT(create_options), create};
const struct command command_model_list = {"model list",        "",  "List the workspace's model APIs.", look_options,
                                           COUNT(look_options), list};
const struct command command_model_show = {"model show",        "NAME", "Show a model API.", look_options,
                                           COUNT(look_options), show};
const struct command command_model_update = {
    "model update", "NAME", "Change a model API: a new revision.", update_options, COUNT(update_options), update};
const struct command command_model_delete = {"model delete",      "NAME",    "Delete a model API.", look_options,
                                             COUNT(look_options), remove_one};
