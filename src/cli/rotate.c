/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate rotate-master-key: over a running server, or in a data directory that nobody serves. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/must.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "control/control.h"
#include "control/people/actor.h"
#include "control/people/rotate.h"

#define X(name, kind, fallback, env, min, max, metavar, text) \
    {name, OPTION_##kind, fallback, env, min, max, metavar, text},
static const struct option options[] = {
    {"data", OPTION_TEXT, NULL, NULL, 0, 0, "DIR",
     "Data directory of a server that is not running. Default: ask the running server."},
    {"new-key-env", OPTION_TEXT, NULL, NULL, 0, 0, "VAR",
     "Environment variable with the new key, 64 hexadecimal digits. Needed when the server gets its key from "
     "TOLLGATE_MASTER_KEY or _FILE; default: one is made and put into DIR/master.key."},
    API_OPTIONS(X)};
#undef X

static void print_done(const char *before, const char *after)
{
    printf("master key %s is out of use, %s is in force\n"
           "keep the old one as long as you keep backups from before\n",
           before, after);
}

static int offline(const char *dir, const char *new_key)
{
    char before[MASTER_KEY_ID_MAX], path[4200];
    struct control *c = NULL;
    struct control_start start = {0};
    struct control_why why = {.param = ""};
    const struct control_options o = {
        .dir = dir, .master_key = getenv("TOLLGATE_MASTER_KEY"), .master_key_file = getenv("TOLLGATE_MASTER_KEY_FILE")};
    const struct actor actor = {.name = STR("operator"), .source = STR("cli")};
    snprintf(path, sizeof path, "%s/control.db", dir);
    if (access(path, F_OK) != 0) {
        fprintf(stderr, "tollgate rotate-master-key: there is no %s; is it a data directory?\n", path);
        return EXIT_FAILED;
    }
    enum err e = control_open(&o, &c, &start, &why);
    secret_wipe(&start.admin_key);
    if (e == ERR_OK) {
        str_copy(before, sizeof before, str_c(control_master_key_id(c)));
        actor_set(&actor);
        e = rotate_master_key(c, new_key ? str_c(new_key) : STR(""), &why);
        actor_set(NULL);
    }
    if (e == ERR_OK)
        print_done(before, control_master_key_id(c));
    else
        fprintf(stderr, "tollgate rotate-master-key: %s\n", why.text);
    control_close(c);
    return e == ERR_OK ? EXIT_DONE : EXIT_FAILED;
}

static int online(const struct command *self, const struct option_value *values, const char *new_key)
{
    struct buf body;
    struct json_write w;
    struct api_answer answer;
    buf_init(&body, API_TEXT_MAX);
    json_write_init(&w, &body);
    json_write_object(&w);
    if (new_key)
        json_write_member_string(&w, "new_key", str_c(new_key));
    json_write_object_end(&w);
    bool ok = json_write_done(&w);
    must(ok);
    int status = api_call(self, values, "POST", STR("/tollgate/v1/master-key"), buf_str(&body), &answer);
    if (status == EXIT_DONE) {
        json_t *root = api_json(&answer);
        print_done(api_text(root, "previous_id"), api_text(root, "id"));
        json_decref(root);
    }
    mem_wipe(body.p, body.cap);
    api_answer_free(&answer);
    buf_free(&body);
    return status;
}

static int run(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    char name[256], dir[4096];
    const char *new_key = NULL;
    const struct option_value *variable = option_get(self, values, "new-key-env");
    const struct option_value *data = option_get(self, values, "data");
    (void)operand_count;
    (void)operands;
    if (variable->given) {
        str_copy(name, sizeof name, variable->text);
        new_key = getenv(name);
        if (!new_key || !*new_key) {
            fprintf(stderr, "tollgate rotate-master-key: the environment has no %s\n", name);
            return EXIT_USAGE;
        }
    }
    if (!data->given)
        return online(self, values, new_key);
    str_copy(dir, sizeof dir, data->text);
    return offline(dir, new_key);
}

const struct command command_rotate_master_key = {"rotate-master-key",
                                                  "",
                                                  "Wrap all stored secrets' keys with another master key.",
                                                  options,
                                                  sizeof options / sizeof options[0],
                                                  run};
