/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate config create | list | show | update | delete | versions */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/json/jdoc.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/must.h"
#include "cli/api.h"
#include "net/url.h"

#define TEXT_MAX (256u * 1024)

#define X(name, kind, fallback, env, min, max, metavar, text) \
    {name, OPTION_##kind, fallback, env, min, max, metavar, text},
#define WORKSPACE                                                                                                    \
    {                                                                                                                \
        "workspace", OPTION_TEXT, NULL, NULL, 0, 0, "W", "Workspace of the config. Default: that of the key in use." \
    }
static const struct option create_options[] = {
    {"name", OPTION_TEXT, NULL, NULL, 0, 0, "N", "What the config is called."},
    {"file", OPTION_TEXT, NULL, NULL, 0, 0, "FILE", "Its text, a JSON object; - reads the standard input."},
    {"default", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Make it the workspace's default."},
    WORKSPACE,
    {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the server's answer, not the slug alone."},
    API_OPTIONS(X)};
static const struct option update_options[] = {
    {"name", OPTION_TEXT, NULL, NULL, 0, 0, "N", "A new name."},
    {"file", OPTION_TEXT, NULL, NULL, 0, 0, "FILE", "A new version's text, a JSON object; - reads the standard input."},
    {"default", OPTION_ON_OFF, NULL, NULL, 0, 0, "on|off", "Whether it is the workspace's default."},
    WORKSPACE,
    {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the server's answer."},
    API_OPTIONS(X)};
static const struct option look_options[] = {
    WORKSPACE, {"json", OPTION_FLAG, NULL, NULL, 0, 0, NULL, "Print the server's answer."}, API_OPTIONS(X)};
#undef X

static const struct option_value *opt(const struct command *c, const struct option_value *v, const char *name)
{
    return option_get(c, v, name);
}

/* "/v1/configs", the slug when there is one, what follows, the workspace. */
static void write_path(struct buf *path, const struct command *c, const struct option_value *v, const char *slug,
                       const char *more)
{
    buf_init(path, API_TEXT_MAX);
    bool ok = buf_add_str(path, STR("/v1/configs"));
    if (slug)
        ok = ok && buf_add_byte(path, '/') && url_encode(path, str_c(slug));
    ok = ok && buf_add_str(path, str_c(more));
    must(ok);
    api_add_param(path, "workspace_id", opt(c, v, "workspace")->text);
}

/* The one operand, or NULL with a message. */
static const char *slug_of(const struct command *c, int count, char **operands)
{
    if (count == 1)
        return operands[0];
    fprintf(stderr, "tollgate %s: give the config's slug, as 'tollgate config list' shows it\n", c->name);
    return NULL;
}

/* False with a message. */
static bool read_file(const struct command *c, struct str name, struct buf *out)
{
    char path[4096];
    bool standard = str_eq(name, STR("-"));
    str_copy(path, sizeof path, name);
    buf_init(out, TEXT_MAX + 1);
    FILE *f = standard ? stdin : fopen(path, "rb");
    char *room = buf_reserve(out, TEXT_MAX + 1);
    must(room != NULL);
    if (!f) {
        fprintf(stderr, "tollgate %s: %s: %s\n", c->name, path, strerror(errno));
        return false;
    }
    size_t n = fread(room, 1, TEXT_MAX + 1, f);
    bool failed = ferror(f) != 0;
    if (!standard)
        fclose(f);
    if (failed || n > TEXT_MAX) {
        fprintf(stderr, "tollgate %s: %s: %s\n", c->name, path,
                failed ? "it cannot be read" : "a config has at most 256 KiB");
        return false;
    }
    buf_commit(out, n);
    return true;
}

/* The body of a change. The text travels as a string, so that it is stored byte for byte. False with a message. */
static bool write_body(struct buf *body, const struct command *c, const struct option_value *v)
{
    struct json_write w;
    struct buf text;
    bool has_text = opt(c, v, "file")->given, fine = true;
    buf_init(body, API_TEXT_MAX);
    buf_init(&text, 1);
    if (has_text)
        fine = read_file(c, opt(c, v, "file")->text, &text);
    json_write_init(&w, body);
    json_write_object(&w);
    if (opt(c, v, "name")->given)
        json_write_member_string(&w, "name", opt(c, v, "name")->text);
    if (has_text && fine)
        json_write_member_string(&w, "config", buf_str(&text));
    if (opt(c, v, "default")->given)
        json_write_member_bool(&w, "is_default", opt(c, v, "default")->number != 0);
    if (opt(c, v, "workspace")->given)
        json_write_member_string(&w, "workspace_id", opt(c, v, "workspace")->text);
    json_write_object_end(&w);
    bool ok = json_write_done(&w);
    must(ok);
    if (text.p)
        mem_wipe(text.p, text.cap);
    buf_free(&text);
    return fine;
}

/* Sends a change and prints `member` of the answer behind `word`. */
static int change(const struct command *c, struct option_value *v, const char *method, const char *slug,
                  const char *word, const char *member)
{
    struct buf body, path;
    struct api_answer answer;
    int status = EXIT_USAGE;
    if (write_body(&body, c, v)) {
        write_path(&path, c, v, slug, "");
        status = api_call(c, v, method, buf_str(&path), buf_str(&body), &answer);
        buf_free(&path);
        if (status == EXIT_DONE && opt(c, v, "json")->given) {
            printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
        } else if (status == EXIT_DONE) {
            json_t *root = api_json(&answer);
            printf("%s%s\n", word, api_text(root, member));
            json_decref(root);
        }
        api_answer_free(&answer);
    }
    if (body.p)
        mem_wipe(body.p, body.cap);
    buf_free(&body);
    return status;
}

static int create(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    (void)operand_count;
    (void)operands;
    if (!opt(self, values, "name")->given || !opt(self, values, "file")->given) {
        fprintf(stderr, "tollgate config create: give --name and --file (--file - reads the standard input)\n");
        return EXIT_USAGE;
    }
    return change(self, values, "POST", NULL, "", "slug");
}

static int update(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    const char *slug = slug_of(self, operand_count, operands);
    return slug ? change(self, values, "PUT", slug, "now ", "version_id") : EXIT_USAGE;
}

/* Asks; prints the answer as it is with --json, else by `print`. */
static int look(const struct command *c, struct option_value *v, const char *slug, const char *more,
                void (*print)(const struct api_answer *answer))
{
    struct api_answer answer;
    struct buf path;
    write_path(&path, c, v, slug, more);
    int status = api_call(c, v, "GET", buf_str(&path), STR(""), &answer);
    buf_free(&path);
    if (status == EXIT_DONE && opt(c, v, "json")->given) {
        printf("%.*s\n", STR_ARG(buf_str(&answer.body)));
    } else if (status == EXIT_DONE) {
        print(&answer);
    }
    api_answer_free(&answer);
    return status;
}

static void print_list(const struct api_answer *answer)
{
    json_t *root = api_json(answer), *row;
    size_t i;
    printf("%-15s  %7s  %-7s  %-20s  %s\n", "SLUG", "VERSION", "DEFAULT", "CHANGED", "NAME");
    json_array_foreach(json_object_get(root, "data"), i, row)
    {
        printf("%-15s  %7lld  %-7s  %.19sZ  %s\n", api_text(row, "slug"), api_int(row, "version"),
               api_int(row, "is_default") ? "yes" : "", api_text(row, "last_updated_at"), api_text(row, "name"));
    }
    json_decref(root);
}

static int list(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    (void)operand_count;
    (void)operands;
    return look(self, values, NULL, "", print_list);
}

/* The raw text of a member of `object`: as stored, no number rounded. What would command a terminal is left out. */
static void print_text(struct jval object)
{
    struct str text = jdoc_raw(jdoc_find(object, "config"));
    if (!text.n)
        text = STR("its text cannot be read any more; give it a new version");
    for (size_t i = 0; i < text.n; i++) {
        unsigned char b = (unsigned char)text.p[i];
        bool c1 = b == 0xc2 && i + 1 < text.n && (unsigned char)text.p[i + 1] < 0xa0;
        if (c1)
            i++;
        else if ((b >= 0x20 && b != 0x7f) || b == '\n' || b == '\t')
            putchar(b);
    }
    putchar('\n');
}

static void print_one(const struct api_answer *answer)
{
    struct jdoc doc;
    jdoc_init(&doc);
    if (jdoc_parse(&doc, buf_str(&answer->body)))
        print_text(jdoc_root(&doc));
    jdoc_free(&doc);
}

static int show(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    const char *slug = slug_of(self, operand_count, operands);
    return slug ? look(self, values, slug, "", print_one) : EXIT_USAGE;
}

static void print_version(struct jval v, struct arena *a)
{
    struct str made = str_head(jdoc_text(jdoc_get(v, "created_at"), a), 19);
    struct str by = jdoc_text(jdoc_find(v, "updated_by"), a);
    printf("version %llu, made %.*sZ%s%.*s%s\n", (unsigned long long)jdoc_count(jdoc_get(v, "version"), 0),
           STR_ARG(made), by.n ? " by key " : "", STR_ARG(by),
           jdoc_is(jdoc_get(v, "status"), "active") ? ", in force" : "");
    print_text(v);
}

static void print_versions(const struct api_answer *answer)
{
    struct jdoc doc;
    struct arena *a = arena_new(4096, 1 << 20);
    jdoc_init(&doc);
    if (jdoc_parse(&doc, buf_str(&answer->body))) {
        struct jval rows = jdoc_get(jdoc_root(&doc), "data");
        for (struct jval v = jdoc_first(rows); jdoc_has(v); v = jdoc_next(rows, v))
            print_version(v, a);
    }
    jdoc_free(&doc);
    arena_free(a);
}

static int versions(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    const char *slug = slug_of(self, operand_count, operands);
    return slug ? look(self, values, slug, "/versions", print_versions) : EXIT_USAGE;
}

static int remove_one(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct api_answer answer;
    struct buf path;
    const char *slug = slug_of(self, operand_count, operands);
    if (!slug)
        return EXIT_USAGE;
    write_path(&path, self, values, slug, "");
    int status = api_call(self, values, "DELETE", buf_str(&path), STR(""), &answer);
    buf_free(&path);
    if (status == EXIT_DONE)
        printf("deleted %s\n", slug);
    api_answer_free(&answer);
    return status;
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

const struct command command_config_create = {
    "config create",       "",    "Store a routing config; its slug is printed alone.", create_options,
    COUNT(create_options), create};
const struct command command_config_list = {"config list",       "",  "List the workspace's configs.", look_options,
                                            COUNT(look_options), list};
const struct command command_config_show = {
    "config show", "SLUG", "Show a config, its secrets masked.", look_options, COUNT(look_options), show};
const struct command command_config_update = {
    "config update",       "SLUG", "Give a config a new version, name or rank.", update_options,
    COUNT(update_options), update};
const struct command command_config_delete = {
    "config delete", "SLUG", "Delete a config that nothing uses.", look_options, COUNT(look_options), remove_one};
const struct command command_config_versions = {
    "config versions", "SLUG", "Show all versions of a config.", look_options, COUNT(look_options), versions};
