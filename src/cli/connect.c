/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate connect KIND: stores a provider account, or gives an existing one a new key or address. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/must.h"
#include "cli/api.h"
#include "net/url.h"

#define X(name, kind, fallback, env, min, max, metavar, text) \
    {name, OPTION_##kind, fallback, env, min, max, metavar, text},
static const struct option options[] = {
    {"slug", OPTION_TEXT, NULL, NULL, 0, 0, "S", "Short name of the account. Default: the kind."},
    {"api-key-env", OPTION_TEXT, NULL, NULL, 0, 0, "VAR",
     "Environment variable that holds the provider's key; keys are never given on the command line."},
    {"base-url", OPTION_TEXT, NULL, NULL, 0, 0, "URL", "Where the provider is. Default: OpenAI's."},
    {"organization", OPTION_TEXT, NULL, NULL, 0, 0, "ID", "OpenAI organization that requests are billed to."},
    {"project", OPTION_TEXT, NULL, NULL, 0, 0, "ID", "OpenAI project that requests are billed to."},
    {"api-version", OPTION_TEXT, NULL, NULL, 0, 0, "V", "Azure: the api-version, or v1."},
    {"deployments", OPTION_TEXT, NULL, NULL, 0, 0, "JSON", "Azure: {\"model\": \"deployment\", ...}."},
    {"workspace", OPTION_TEXT, NULL, NULL, 0, 0, "W", "Workspace of the account. Default: that of the key in use."},
    {"default", OPTION_FLAG, NULL, NULL, 0, 0, NULL,
     "Requests go to this account from now on; the first one connected is the default."},
    {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the server's answer."},
    API_OPTIONS(X)};
#undef X

static void add(struct json_write *w, const char *name, struct str value)
{
    if (value.n)
        json_write_member_string(w, name, value);
}

/* A new account has its slug in the body, a change has it in the path. The kind guards against a slug taken twice. */
static void write_body(struct buf *out, const struct command *c, const struct option_value *v, struct str kind,
                       struct str slug, bool fresh)
{
    struct json_write w;
    const char *variable = option_get(c, v, "api-key-env")->given ? option_get(c, v, "api-key-env")->text.p : NULL;
    const char *key = variable ? getenv(variable) : NULL;
    json_write_init(&w, out);
    json_write_object(&w);
    if (fresh)
        add(&w, "slug", slug);
    add(&w, "kind", kind);
    add(&w, "workspace", option_get(c, v, "workspace")->text);
    add(&w, "base_url", option_get(c, v, "base-url")->text);
    add(&w, "api_key", str_c(key));
    add(&w, "organization", option_get(c, v, "organization")->text);
    add(&w, "project", option_get(c, v, "project")->text);
    add(&w, "api_version", option_get(c, v, "api-version")->text);
    if (option_get(c, v, "deployments")->given)
        json_write_member_raw(&w, "deployments", option_get(c, v, "deployments")->text);
    if (option_get(c, v, "default")->given)
        json_write_member_bool(&w, "is_default", true);
    json_write_object_end(&w);
    bool ok = json_write_done(&w);
    must(ok);
}

/* Creates or changes the account; an answer with `accepted` status is EXIT_DONE too. */
static int put(const struct command *c, const struct option_value *v, struct str kind, struct str slug, bool fresh,
               int accepted, struct api_answer *answer)
{
    struct buf body, path;
    buf_init(&body, API_TEXT_MAX);
    buf_init(&path, API_TEXT_MAX);
    write_body(&body, c, v, kind, slug, fresh);
    bool ok = buf_add_str(&path, STR("/tollgate/v1/integrations")) &&
              (fresh || (buf_add_byte(&path, '/') && url_encode(&path, slug)));
    must(ok);
    int status = api_call_accepting(c, v, fresh ? "POST" : "PATCH", buf_str(&path), buf_str(&body), accepted, answer);
    mem_wipe(body.p, body.cap);
    buf_free(&body);
    buf_free(&path);
    return status;
}

static void print_account(const struct api_answer *answer, bool fresh)
{
    json_t *root = api_json(answer);
    const char *hint = json_string_value(json_object_get(root, "key_hint"));
    printf("%s %s at %s %s%s%s\n", fresh ? "connected" : "updated", api_text(root, "slug"), api_text(root, "base_url"),
           hint ? "with key " : "without a key", hint ? hint : "",
           json_is_true(json_object_get(root, "is_default")) ? " (default)" : "");
    json_decref(root);
}

/* With a key this is most likely a new account, without one a change; when it is not, the other is tried. */
static int send(const struct command *c, const struct option_value *v, struct str kind, struct str slug)
{
    struct api_answer answer;
    bool fresh = option_get(c, v, "api-key-env")->given;
    int other = fresh ? 409 : 404;
    int status = put(c, v, kind, slug, fresh, other, &answer);
    if (status == EXIT_DONE && answer.status == other) {
        api_answer_free(&answer);
        fresh = !fresh;
        status = put(c, v, kind, slug, fresh, 0, &answer);
    }
    if (status == EXIT_DONE && option_get(c, v, "json")->given)
        printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
    else if (status == EXIT_DONE)
        print_account(&answer, fresh);
    api_answer_free(&answer);
    return status;
}

static int run(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    const struct option_value *variable = option_get(self, values, "api-key-env");
    if (operand_count != 1) {
        fprintf(stderr,
                "tollgate connect: say what to connect: openai, azure-openai, openai-compatible, openai-admin or "
                "openai-legacy\n");
        return EXIT_USAGE;
    }
    if (variable->given && (!getenv(variable->text.p) || !getenv(variable->text.p)[0])) {
        fprintf(stderr, "tollgate connect: the environment variable %s is not set\n", variable->text.p);
        return EXIT_USAGE;
    }
    struct str kind = str_c(operands[0]), slug = option_get(self, values, "slug")->text;
    return send(self, values, kind, slug.n ? slug : kind);
}

const struct command command_connect = {"connect",
                                        "KIND",
                                        "Connect a provider account: openai, azure-openai, "
                                        "openai-compatible, openai-admin, openai-legacy.",
                                        options,
                                        sizeof options / sizeof options[0],
                                        run};
