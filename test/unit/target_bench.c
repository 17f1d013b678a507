/* SPDX-License-Identifier: Apache-2.0 */
/* The accounts of the tests of targets, and what a question's answer looks like. */
#include "target_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "control/snapshot_build.h"
#include "net/address.h"

static struct snapshot *snapshot;
static struct arena *arena;
static struct address_set *allowed;
static struct config *config;
static char said[8192];
struct target_result target_bench_result;

static void add(struct snapshot_build *b, int64_t id, const char *slug, enum kind_integration kind, const char *url,
                const char *key, struct snapshot_build_integration more)
{
    char why[300];
    more.id = id;
    more.workspace_id = 1;
    more.slug = str_c(slug);
    more.kind = kind;
    more.api_key = str_c(key);
    must(base_url_parse(str_c(url), &more.url, why, sizeof why) == ERR_OK);
    snapshot_build_integration(b, &more);
}

static void add_azure(struct snapshot_build *b)
{
    static const struct snapshot_deployment three[] = {
        {{"gpt-4o", 6}, {"my-4o", 5}, {"", 0}, {"", 0}, false},
        {{"gpt-4o-mini", 11}, {"my-mini", 7}, {"gpt-4o-mini-2024", 16}, {"2025-01-01", 10}, false},
        {{"ft", 2}, {"tuned", 5}, {"gpt-4o.ft-1", 11}, {"", 0}, false},
    };
    static const struct snapshot_deployment one[] = {{{"gpt-4o", 6}, {"only", 4}, {"", 0}, {"", 0}, true}};
    add(b, 20, "az", KIND_INTEGRATION_AZURE_OPENAI, "https://az.example/openai", "az-key",
        (struct snapshot_build_integration){
            .api_version = STR(TARGET_DATED), .deployments = three, .deployment_count = 3});
    add(b, 21, "azd", KIND_INTEGRATION_AZURE_OPENAI, "https://azd.example/openai", "azd-key",
        (struct snapshot_build_integration){.api_version = STR("v1"), .deployments = one, .deployment_count = 1});
    add(b, 22, "azn", KIND_INTEGRATION_AZURE_OPENAI, "https://azn.example/openai", "azn-key",
        (struct snapshot_build_integration){.api_version = STR(TARGET_DATED)});
}

static void build(void)
{
    static const unsigned char pepper[APIKEY_PEPPER_BYTES] = {1};
    const struct snapshot_build_integration plain = {.broken = false};
    struct snapshot_build *b = snapshot_build_begin(1, pepper);
    snapshot_build_workspace(b, 1, STR("default"), STR(""));
    snapshot_build_workspace(b, 2, STR("bare"), STR(""));
    add(b, 10, "openai", KIND_INTEGRATION_OPENAI, "https://openai.example/v1", "sk-openai-key",
        (struct snapshot_build_integration){
            .is_default = true, .organization = STR("org-stored"), .project = STR("p")});
    add(b, 11, "a", KIND_INTEGRATION_OPENAI, "https://a.example/v1", "sk-a-key", plain);
    add(b, 12, "b", KIND_INTEGRATION_OPENAI, "http://b.example:8080/deep/v1", "sk-b-key", plain);
    add(b, 13, "compat", KIND_INTEGRATION_OPENAI_COMPATIBLE, "https://compat.example", "", plain);
    add(b, 14, "broken", KIND_INTEGRATION_OPENAI, "https://a.example/v1", "",
        (struct snapshot_build_integration){.broken = true});
    add(b, 15, "admin", KIND_INTEGRATION_OPENAI_ADMIN, "https://a.example/v1", "sk-admin", plain);
    add_azure(b);
    snapshot = snapshot_build_end(b);
}

int target_bench_open(void **state)
{
    char why[200];
    (void)state;
    build();
    arena = arena_new(4096, 512 * 1024);
    allowed = address_set_new();
    assert_int_equal(address_set_add(allowed, STR("127.0.0.0/8"), why, sizeof why), ERR_OK);
    return 0;
}

int target_bench_close(void **state)
{
    (void)state;
    config_unref(config);
    config = NULL;
    snapshot_unref(snapshot);
    arena_free(arena);
    address_set_free(allowed);
    return 0;
}

static void read_options(const struct target_ask *ask, struct options *ret)
{
    struct http1_field fields[HTTP1_FIELDS_MAX];
    struct http1_head head;
    struct buf text;
    enum err e = ERR_OK;
    buf_init(&text, HTTP1_HEAD_MAX);
    bool ok = buf_add_str(&text, STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n"));
    if (ask->config && !ask->stored)
        ok = ok && buf_printf(&text, "x-portkey-config: %s\r\n", ask->config);
    for (const char *p = ask->headers ? ask->headers : ""; *p; p++)
        ok = ok && (*p == '\n' ? buf_add_str(&text, STR("\r\n")) : buf_add_byte(&text, *p));
    ok = ok && buf_add_str(&text, STR("\r\n"));
    assert_true(ok);
    assert_int_equal(http1_parse_request(buf_str(&text), 0, fields, &head, &e), HTTP1_COMPLETE);
    assert_true(options_read(&head, STR("tg-key"), arena, ret));
    buf_free(&text);
}

static const struct config_node *read_config(const struct target_ask *ask)
{
    struct config_errors why = {.n = 0};
    config_unref(config);
    config = NULL;
    if (!ask->config)
        return NULL;
    if (config_compile(str_c(ask->config), &config, &why) != ERR_OK)
        fail_msg("%s: %s", ask->config, why.text[0]);
    const struct config_node *n = config->root;
    while (n->target_count)
        n = &n->targets[0];
    return n;
}

static void say_ready(const struct target *t)
{
    char lines[4096];
    size_t n = 0;
    for (size_t i = 0; i < t->head_lines.n && n + 3 < sizeof lines; i++) {
        if (t->head_lines.p[i] == '\r')
            continue;
        if (t->head_lines.p[i] != '\n')
            lines[n++] = t->head_lines.p[i];
        else if (i + 1 < t->head_lines.n)
            n += (size_t)snprintf(lines + n, 3, "; ");
    }
    lines[n] = '\0';
    assert_true(t->head_lines.n == 0 || str_ends(t->head_lines, STR("\r\n")));
    assert_true(str_eq(t->provider, str_c(kind_integration_text(t->kind))));
    snprintf(said, sizeof said, "READY %s://%.*s%.*s | %s | %.*s | %.*s", t->tls ? "https" : "http",
             STR_ARG(t->authority), STR_ARG(t->request_path), lines, STR_ARG(t->send_model), STR_ARG(t->price_model));
}

const char *target_bench_ask(const struct target_ask *ask)
{
    struct options options;
    struct str method = str_c(ask->method ? ask->method : "POST");
    struct str path = str_c(ask->path ? ask->path : "/chat/completions");
    const char *workspace = ask->workspace ? ask->workspace : "default";
    arena_reset(arena);
    read_options(ask, &options);
    struct target_input in = {.snapshot = snapshot,
                              .workspace = snapshot_find_workspace(snapshot, str_c(workspace)),
                              .options = &options,
                              .node = read_config(ask),
                              .endpoint = endpoint_find(method, path),
                              .method = method,
                              .path = path,
                              .query = str_c(ask->query),
                              .model = str_c(ask->model),
                              .tokens = ask->tokens,
                              .allowed = allowed};
    assert_non_null(in.workspace);
    struct target_result *r = &target_bench_result;
    switch (target_resolve(&in, arena, r)) {
    case TARGET_READY:
        say_ready(&r->target);
        break;
    case TARGET_WAIT:
        snprintf(said, sizeof said, "WAIT");
        break;
    case TARGET_REFUSED:
        snprintf(said, sizeof said, "REFUSED %s%s%.*s", refusal_info(r->refusal)->name, r->detail.n ? " " : "",
                 STR_ARG(r->detail));
        break;
    }
    return said;
}

void target_bench_expect(const struct target_ask *ask, const char *answer)
{
    const char *got = target_bench_ask(ask);
    if (strcmp(got, answer) != 0)
        fail_msg("headers %s config %s model %s path %s:\n  got      %s\n  expected %s",
                 ask->headers ? ask->headers : "", ask->config ? ask->config : "", ask->model ? ask->model : "",
                 ask->path ? ask->path : "", got, answer);
}
