/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate key create | list | revoke */
#include <stdio.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/must.h"
#include "cli/api.h"
#include "net/url.h"

#define X(name, kind, fallback, env, min, max, metavar, text) \
    {name, OPTION_##kind, fallback, env, min, max, metavar, text},
static const struct option create_options[] = {
    {"name", OPTION_TEXT, NULL, NULL, 0, 0, "N", "What the key is called in logs and reports."},
    {"workspace", OPTION_TEXT, NULL, NULL, 0, 0, "W", "Workspace of the key. Default: that of the key in use."},
    {"role", OPTION_TEXT, "member", NULL, 0, 0, "ROLE", "owner, admin, member or viewer."},
    {"expires", OPTION_TEXT, NULL, NULL, 0, 0, "TIME", "When it ends, such as 2027-01-31T00:00:00Z."},
    {"record-bodies", OPTION_TEXT, "default", NULL, 0, 0, "WHEN", "default, on or off."},
    {"scope", OPTION_LIST, NULL, NULL, 0, 0, "S",
     "What the key may do, such as completions.write; several times. Default: what its role may."},
    {"config", OPTION_TEXT, NULL, NULL, 0, 0, "SLUG", "Routing config (pc-...) of requests that bring none."},
    {"no-config-override", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Refuse requests that bring a config of their own."},
    {"metadata", OPTION_TEXT, NULL, NULL, 0, 0, "JSON", "Object of strings, put over the metadata of every request."},
    {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the server's answer, not the key alone."},
    API_OPTIONS(X)};
static const struct option list_options[] = {
    {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the server's answer."}, API_OPTIONS(X)};
#undef X

static void write_defaults(struct json_write *w, const struct command *c, const struct option_value *v)
{
    const struct option_value *scopes = option_get(c, v, "scope");
    if (scopes->given) {
        json_write_key(w, STR("scopes"));
        json_write_array(w);
        for (size_t i = 0; i < scopes->list_count; i++)
            json_write_string(w, scopes->list[i]);
        json_write_array_end(w);
    }
    if (option_get(c, v, "config")->given)
        json_write_member_string(w, "config", option_get(c, v, "config")->text);
    if (option_get(c, v, "no-config-override")->given)
        json_write_member_bool(w, "config_fixed", true);
    if (option_get(c, v, "metadata")->given)
        json_write_member_raw(w, "metadata", option_get(c, v, "metadata")->text);
}

static int create(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct buf body;
    struct json_write w;
    struct api_answer answer;
    (void)operand_count;
    (void)operands;
    buf_init(&body, API_TEXT_MAX);
    json_write_init(&w, &body);
    json_write_object(&w);
    json_write_member_string(&w, "name", option_get(self, values, "name")->text);
    json_write_member_string(&w, "role", option_get(self, values, "role")->text);
    json_write_member_string(&w, "record_bodies", option_get(self, values, "record-bodies")->text);
    if (option_get(self, values, "workspace")->given)
        json_write_member_string(&w, "workspace", option_get(self, values, "workspace")->text);
    if (option_get(self, values, "expires")->given)
        json_write_member_string(&w, "expires_at", option_get(self, values, "expires")->text);
    write_defaults(&w, self, values);
    json_write_object_end(&w);
    bool ok = json_write_done(&w);
    must(ok);
    int status = api_call(self, values, "POST", STR("/tollgate/v1/keys"), buf_str(&body), &answer);
    if (status == EXIT_DONE && option_get(self, values, "json")->given) {
        printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
    } else if (status == EXIT_DONE) {
        json_t *root = api_json(&answer);
        printf("%s\n", api_text(root, "key"));
        json_decref(root);
    }
    if (answer.body.p)
        mem_wipe(answer.body.p, answer.body.cap);
    api_answer_free(&answer);
    buf_free(&body);
    return status;
}

static const char *state_of(const json_t *key)
{
    if (!json_is_null(json_object_get(key, "revoked_at")))
        return "revoked";
    return json_is_true(json_object_get(key, "disabled")) ? "disabled" : "active";
}

static int list(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct api_answer answer;
    (void)operand_count;
    (void)operands;
    int status = api_call(self, values, "GET", STR("/tollgate/v1/keys"), STR(""), &answer);
    if (status == EXIT_DONE && option_get(self, values, "json")->given) {
        printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
    } else if (status == EXIT_DONE) {
        json_t *root = api_json(&answer), *keys = json_object_get(root, "data"), *key;
        int names = api_column(keys, "name", 24);
        size_t i;
        printf("%-8s  %-5s  %-*s  %-6s  %-8s  %-20s  %s\n", "ID", "LAST4", names, "NAME", "ROLE", "STATE", "CREATED",
               "EXPIRES");
        json_array_foreach(keys, i, key)
        {
            printf("%-8s  %-5s  ", api_text(key, "id"), api_text(key, "last4"));
            api_cell(api_text(key, "name"), names);
            printf("%-6s  %-8s  %.19sZ  %s\n", api_text(key, "role"), state_of(key), api_text(key, "created_at"),
                   api_text(key, "expires_at"));
        }
        json_decref(root);
    }
    api_answer_free(&answer);
    return status;
}

static int revoke(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct api_answer answer;
    struct buf path;
    if (operand_count != 1) {
        fprintf(stderr, "tollgate key revoke: give the key's id, as 'tollgate key list' shows it\n");
        return EXIT_USAGE;
    }
    buf_init(&path, API_TEXT_MAX);
    bool ok = buf_add_str(&path, STR("/tollgate/v1/keys/")) && url_encode(&path, str_c(operands[0]));
    must(ok);
    int status = api_call(self, values, "DELETE", buf_str(&path), STR(""), &answer);
    if (status == EXIT_DONE && option_get(self, values, "json")->given)
        printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
    else if (status == EXIT_DONE)
        printf("revoked %s\n", operands[0]);
    api_answer_free(&answer);
    buf_free(&path);
    return status;
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

const struct command command_key_create = {
    "key create", "", "Make a key; it is printed alone, once.", create_options, COUNT(create_options), create};
const struct command command_key_list = {"key list",          "",  "List the workspace's keys.", list_options,
                                         COUNT(list_options), list};
const struct command command_key_revoke = {"key revoke",        "ID",  "Revoke a key, for ever.", list_options,
                                           COUNT(list_options), revoke};
