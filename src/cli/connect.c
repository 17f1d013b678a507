/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate connect KIND: stores a provider account, or gives an existing one a new key or address. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"
#include "base/must.h"
#include "cli/api.h"

#define X(name, kind, fallback, env, min, max, metavar, text) \
    {name, OPTION_##kind, fallback, env, min, max, metavar, text},
static const struct option options[] = {
    {"slug", OPTION_TEXT, NULL, NULL, 0, 0, "S", "Short name of the account, addressed as @S. Default: the kind."},
    {"api-key-env", OPTION_TEXT, NULL, NULL, 0, 0, "VAR",
     "Environment variable that holds the provider's key; keys are never given on the command line."},
    {"base-url", OPTION_TEXT, NULL, NULL, 0, 0, "URL", "Where the provider is. Default: OpenAI's."},
    {"organization", OPTION_TEXT, NULL, NULL, 0, 0, "ID", "OpenAI organization that requests are billed to."},
    {"project", OPTION_TEXT, NULL, NULL, 0, 0, "ID", "OpenAI project that requests are billed to."},
    {"api-version", OPTION_TEXT, NULL, NULL, 0, 0, "V", "Azure: the api-version, or v1."},
    {"deployments", OPTION_TEXT, NULL, NULL, 0, 0, "JSON", "Azure: {\"model\": \"deployment\", ...}."},
    {"default", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Requests that name no account use this one."},
    {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the server's answer."},
    API_OPTIONS(X)};
#undef X

static void add(struct json_write *w, const char *name, struct str value)
{
    if (value.n)
        json_write_member_string(w, name, value);
}

/* A new account has slug and kind in its body; a change has the slug in its path and no kind. */
static void write_body(struct buf *out, const struct command *c, const struct option_value *v, struct str kind,
                       struct str slug, bool fresh)
{
    struct json_write w;
    const char *variable = option_get(c, v, "api-key-env")->given ? option_get(c, v, "api-key-env")->text.p : NULL;
    const char *key = variable ? getenv(variable) : NULL;
    json_write_init(&w, out);
    json_write_object(&w);
    if (fresh) {
        add(&w, "slug", slug);
        add(&w, "kind", kind);
    }
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

static int send(const struct command *c, const struct option_value *v, struct str kind, struct str slug)
{
    struct buf body, path;
    struct api_answer answer;
    buf_init(&body, 1 << 20);
    buf_init(&path, 4096);
    write_body(&body, c, v, kind, slug, true);
    int status = api_call_accepting(c, v, "POST", STR("/tollgate/v1/integrations"), buf_str(&body), 409, &answer);
    bool existed = status == EXIT_DONE && answer.status == 409;
    if (existed) {
        api_answer_free(&answer);
        buf_reset(&body);
        write_body(&body, c, v, kind, slug, false);
        bool ok = buf_printf(&path, "/tollgate/v1/integrations/%.*s", STR_ARG(slug));
        must(ok);
        status = api_call(c, v, "PATCH", buf_str(&path), buf_str(&body), &answer);
    }
    if (status == EXIT_DONE && option_get(c, v, "json")->given) {
        printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
    } else if (status == EXIT_DONE) {
        json_t *root = api_json(&answer);
        const char *hint = json_string_value(json_object_get(root, "key_hint"));
        printf("%s %s at %s %s%s%s\n", existed ? "updated" : "connected", api_text(root, "slug"),
               api_text(root, "base_url"), hint ? "with key " : "without a key", hint ? hint : "",
               json_is_true(json_object_get(root, "is_default")) ? " (default)" : "");
        json_decref(root);
    }
    api_answer_free(&answer);
    buf_free(&body);
    buf_free(&path);
    return status;
}

static int run(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    const struct option_value *variable = option_get(self, values, "api-key-env");
    if (operand_count != 1) {
        fprintf(stderr,
                "tollgate connect: say what to connect: openai, azure-openai, openai-compatible or openai-admin\n");
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
                                        "openai-compatible, openai-admin.",
                                        options,
                                        sizeof options / sizeof options[0],
                                        run};
