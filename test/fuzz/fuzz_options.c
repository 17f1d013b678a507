/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers and bodies of any kind: what they ask for is read within bounds, and whatever comes out of it
 * as a target can stand in a request head: no control characters, no second line.
 *
 * The input is a request head, then an empty line, then four lines: model, path, metadata of the key,
 * `user`.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/json/jdoc.h"
#include "base/must.h"
#include "control/snapshot_build.h"
#include "gateway/target/options.h"
#include "gateway/target/target.h"
#include "net/http1_head.h"

static struct snapshot *accounts(void)
{
    static const unsigned char pepper[APIKEY_PEPPER_BYTES] = {1};
    static const struct snapshot_deployment list[] = {{{"gpt-4o", 6}, {"my-4o", 5}, {"", 0}, {"", 0}, true}};
    struct snapshot_build *b = snapshot_build_begin(1, pepper);
    struct snapshot_build_integration in = {
        .id = 1, .workspace_id = 1, .slug = STR("a"), .kind = KIND_INTEGRATION_OPENAI, .api_key = STR("sk-stored")};
    char why[200];
    snapshot_build_workspace(b, 1, STR("default"), STR(""));
    must(base_url_parse(STR("https://a.example/v1"), &in.url, why, sizeof why) == ERR_OK);
    in.is_default = true;
    snapshot_build_integration(b, &in);
    in = (struct snapshot_build_integration){.id = 2,
                                             .workspace_id = 1,
                                             .slug = STR("z"),
                                             .kind = KIND_INTEGRATION_AZURE_OPENAI,
                                             .api_key = STR("az-stored"),
                                             .api_version = STR("2024-10-21"),
                                             .deployments = list,
                                             .deployment_count = 1};
    must(base_url_parse(STR("https://z.example/openai"), &in.url, why, sizeof why) == ERR_OK);
    snapshot_build_integration(b, &in);
    return snapshot_build_end(b);
}

static struct str take_line(struct str *rest)
{
    struct str line;
    return str_split(rest, '\n', &line) ? line : STR("");
}

static bool is_visible(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    return true;
}

/* Lines, each with a colon, none with control characters inside. */
static void check_lines(struct str lines)
{
    while (lines.n) {
        ptrdiff_t end = str_search(lines, STR("\r\n"));
        must(end > 0);
        struct str line = str_head(lines, (size_t)end);
        must(http1_value_valid(line));
        must(str_find(line, ':') > 0);
        lines = str_from(lines, (size_t)end + 2);
    }
}

/* `guessed`: the input has the stored keys' text itself. */
static void check_target(const struct target *t, bool guessed)
{
    bool stored = !guessed && str_search(t->head_lines, STR("-stored")) >= 0;
    must(t->host.n > 0 && t->port != 0);
    must(is_visible(t->host) && is_visible(t->authority));
    must(t->request_path.n > 0 && t->request_path.p[0] == '/');
    check_lines(t->head_lines);
    must(!stored || str_eq(t->host, STR("a.example")) || str_eq(t->host, STR("z.example")));
    for (size_t i = 0; t->forward_headers[0] && i < t->forward_headers[0]->n; i++)
        must(t->forward_headers[0]->list[i].n > 0);
}

static void check_metadata(struct str metadata)
{
    struct jdoc doc;
    jdoc_init(&doc);
    must(!metadata.n || (jdoc_parse(&doc, metadata) && jdoc_kind(jdoc_root(&doc)) == JDOC_OBJECT));
    jdoc_free(&doc);
}

static void resolve(const struct snapshot *s, const struct options *o, const struct http1_head *head, struct str text,
                    struct arena *a)
{
    struct str rest = str_from(text, head->size);
    struct target_result result;
    bool bad;
    struct str model = take_line(&rest), path = take_line(&rest), metadata = take_line(&rest);
    if (!path.n || path.p[0] != '/' || !is_visible(path)) /* as the parser of heads has them */
        path = STR("/chat/completions");
    struct target_input in = {.snapshot = s,
                              .workspace = snapshot_find_workspace(s, STR("default")),
                              .options = o,
                              .endpoint = endpoint_find(head->method, path),
                              .method = head->method,
                              .path = path,
                              .query = head->query,
                              .model = model};
    if (target_resolve(&in, a, &result) == TARGET_READY) {
        check_target(&result.target, str_search(text, STR("-stored")) >= 0);
        must(is_visible(result.target.request_path));
    }
    check_metadata(
        options_metadata(STR("{\"w\":\"1\"}"), metadata, metadata, o->baggage_metadata, take_line(&rest), a, &bad));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static struct snapshot *s;
    static struct arena *a;
    struct http1_field fields[HTTP1_FIELDS_MAX];
    struct http1_head head;
    struct options o;
    enum err e;
    struct str text = str_of((const char *)bytes, n);
    if (!s) {
        s = accounts();
        a = arena_new(4096, 512 * 1024);
    }
    if (http1_parse_request(text, 0, fields, &head, &e) != HTTP1_COMPLETE)
        return 0;
    arena_reset(a);
    (void)options_matter(&head);
    if (!options_read(&head, STR("tg-key"), a, &o))
        return 0;
    must(!str_eq(o.own_key, STR("tg-key")));
    must(o.forward_headers.n <= OPTIONS_LIST_MAX && o.sensitive_headers.n <= OPTIONS_LIST_MAX);
    check_metadata(o.baggage_metadata);
    resolve(s, &o, &head, text, a);
    return 0;
}
