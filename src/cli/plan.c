/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate plan: where a request would go by a routing config, and why. Needs no server; what only
 * a server knows is taken as if it had just started: no circuit breaker is open, nobody is sticky.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json/jdoc.h"
#include "base/json_write.h"
#include "base/rng.h"
#include "cli/commands.h"
#include "cli/plan_show.h"
#include "gateway/target/options.h"

#define REQUEST_MAX (16u << 20)
#define READ_BYTES 65536
#define MEMORY_MAX (16u << 20)
#define SEED_MAX UINT32_MAX

static const struct option options[] = {
    {"config", OPTION_TEXT, NULL, NULL, 0, 0, "FILE", "The routing config, as JSON; '-' reads standard input."},
    {"request", OPTION_TEXT, NULL, NULL, 0, 0, "FILE",
     "The request: a body, or an object with path, headers, metadata and body; '-' reads standard input."},
    {"seed", OPTION_INT, NULL, NULL, 0, SEED_MAX, "N",
     "Draws of load balancing by this number. Default: another each time."},
    {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print JSON."},
};

struct request {
    struct jdoc doc;
    struct jval headers;
    struct str path, metadata, body;
    struct arena *arena;
};

static bool read_all(int fd, struct buf *out)
{
    for (;;) {
        char *room = buf_reserve(out, READ_BYTES);
        ssize_t n = room ? file_sys_read(fd, room, READ_BYTES) : -1;
        if (n <= 0)
            return n == 0;
        buf_commit(out, (size_t)n);
    }
}

/* `out` has its maximum. False, with a sentence on stderr. */
static bool read_file(struct str name, struct buf *out)
{
    char path[4096];
    int fd = STDIN_FILENO;
    bool is_stdin = str_eq(name, STR("-"));
    str_copy(path, sizeof path, is_stdin ? STR("standard input") : name);
    if (!is_stdin && file_open(path, O_RDONLY, 0, &fd) != ERR_OK) {
        fprintf(stderr, "tollgate plan: %s cannot be opened: %s\n", path, file_failure());
        return false;
    }
    bool ok = read_all(fd, out);
    if (!ok)
        fprintf(stderr, "tollgate plan: %s cannot be read, or has more than %zu bytes\n", path, out->max - READ_BYTES);
    if (!is_stdin)
        file_close(fd);
    return ok;
}

/* --- the request ------------------------------------------------------------------------------ */

/* A body has fields of its own; an envelope has a body in it, or none at all. */
static bool is_envelope(struct jval root)
{
    return jdoc_has(jdoc_get(root, "body")) || jdoc_has(jdoc_get(root, "path")) ||
           jdoc_has(jdoc_get(root, "headers")) ||
           (jdoc_has(jdoc_get(root, "metadata")) && !jdoc_has(jdoc_get(root, "model")));
}

static struct str header_of(void *ctx, struct str name)
{
    struct request *r = ctx;
    for (struct jval h = jdoc_first(r->headers); jdoc_has(h); h = jdoc_next(r->headers, h))
        if (str_eq_nocase(jdoc_text(h, r->arena), name))
            return jdoc_text(jdoc_value(h), r->arena);
    return str_of(NULL, 0);
}

static void read_request(struct request *r)
{
    struct jval root = jdoc_root(&r->doc), body = root;
    struct str given = STR("");
    bool bad;
    r->path = STR("/v1/chat/completions");
    if (is_envelope(root)) {
        struct str path = jdoc_text(jdoc_get(root, "path"), r->arena);
        body = jdoc_get(root, "body");
        r->headers = jdoc_get(root, "headers");
        given = jdoc_raw(jdoc_find(root, "metadata"));
        if (path.n)
            r->path = path;
    }
    ptrdiff_t query = str_find(r->path, '?');
    r->path = query < 0 ? r->path : str_head(r->path, (size_t)query);
    r->body = jdoc_raw(body);
    if (!given.n) {
        given = header_of(r, STR("x-portkey-metadata"));
        given = given.p ? given : STR("");
    }
    r->metadata =
        options_metadata(STR(""), STR(""), given, STR(""), jdoc_text(jdoc_get(body, "user"), r->arena), r->arena, &bad);
}

/* --- the config ------------------------------------------------------------------------------- */

static int show_errors(const struct config_errors *why, bool json)
{
    struct buf out;
    struct json_write w;
    const char *message = why->not_json     ? "Invalid config passed. You need to pass a valid json"
                          : why->message[0] ? why->message
                                            : "Invalid config passed";
    buf_init(&out, PLAN_SHOW_MAX);
    json_write_init(&w, &out);
    json_write_object(&w);
    json_write_member_string(&w, "status", STR("failure"));
    json_write_member_string(&w, "message", str_c(message));
    json_write_key(&w, STR("errors"));
    json_write_array(&w);
    for (size_t i = 0; i < why->n; i++)
        json_write_string(&w, str_c(why->text[i]));
    json_write_array_end(&w);
    json_write_object_end(&w);
    if (json && json_write_done(&w))
        printf("%.*s\n", STR_ARG(buf_str(&out)));
    buf_free(&out);
    fprintf(stderr, "tollgate plan: %s\n", message);
    for (size_t i = 0; i < why->n && !json; i++)
        fprintf(stderr, "  %s\n", why->text[i]);
    return EXIT_FAILED;
}

static int show_plan(const struct config *config, struct request *r, uint64_t seed, bool json)
{
    struct rng_seeded g = {seed};
    struct plan_input in = {.config = config,
                            .path = r->path,
                            .metadata = r->metadata,
                            .body = r->body,
                            .header = header_of,
                            .header_ctx = r,
                            .random = rng_seeded_u64(&g),
                            .now_us = clock_mono_us(),
                            .wall_us = clock_wall_us(),
                            .explain = true};
    struct plan plan;
    struct buf out;
    buf_init(&out, PLAN_SHOW_MAX);
    bool ok = plan_make(&in, r->arena, &plan) &&
              (json ? plan_show_json(&plan, seed, &out) : plan_show_text(&plan, seed, &out));
    if (ok)
        fwrite(buf_str(&out).p, 1, buf_size(&out), stdout);
    else
        fprintf(stderr, "tollgate plan: the plan is too large to be shown\n");
    buf_free(&out);
    return ok ? EXIT_DONE : EXIT_FAILED;
}

/* --- the command ------------------------------------------------------------------------------ */

static int plan_texts(struct str config_text, struct str request_text, uint64_t seed, bool json)
{
    static struct config_errors why;
    struct config *config = NULL;
    struct request r = {.arena = arena_new(4096, MEMORY_MAX)};
    int status = EXIT_FAILED;
    jdoc_init(&r.doc);
    if (config_compile(config_text, &config, &why)) {
        status = show_errors(&why, json);
    } else if (!jdoc_parse(&r.doc, request_text) || jdoc_kind(jdoc_root(&r.doc)) != JDOC_OBJECT) {
        fprintf(stderr, "tollgate plan: the request is no JSON object; give a body such as {\"model\":\"gpt-4o\"}\n");
    } else {
        read_request(&r);
        status = show_plan(config, &r, seed, json);
    }
    config_unref(config);
    jdoc_free(&r.doc);
    arena_free(r.arena);
    return status;
}

static int run(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    const struct option_value *config = option_get(self, values, "config"),
                              *request = option_get(self, values, "request"), *seed = option_get(self, values, "seed");
    struct buf config_text, request_text;
    (void)operand_count;
    (void)operands;
    if (!config->given) {
        fprintf(stderr, "tollgate plan: name the config with --config FILE\n");
        return EXIT_USAGE;
    }
    if (request->given && str_eq(config->text, STR("-")) && str_eq(request->text, STR("-"))) {
        fprintf(stderr, "tollgate plan: only one of --config and --request can be standard input\n");
        return EXIT_USAGE;
    }
    buf_init(&config_text, CONFIG_TEXT_MAX + READ_BYTES);
    buf_init(&request_text, REQUEST_MAX + READ_BYTES);
    int status = EXIT_FAILED;
    if (read_file(config->text, &config_text) && (!request->given || read_file(request->text, &request_text)))
        status = plan_texts(buf_str(&config_text), request->given ? buf_str(&request_text) : STR("{}"),
                            seed->given ? seed->number : rng_u64() & SEED_MAX, option_get(self, values, "json")->given);
    buf_free(&config_text);
    buf_free(&request_text);
    return status;
}

const struct command command_plan = {"plan",
                                     "",
                                     "Show where a request would go by a routing config, and why.",
                                     options,
                                     sizeof options / sizeof options[0],
                                     run};
