/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in checks. The first byte chooses the check and the side; the rest is, between bytes
 * 0xff, the check's parameters, the request body, the answer and the metadata. Whatever they are, a
 * run ends, its results are JSON, and a changed body is JSON if the old one was.
 */
#include "base/json/jdoc.h"
#include "base/must.h"
#include "gateway/hooks/check.h"

static bool is_json(struct str s)
{
    struct jdoc doc;
    jdoc_init(&doc);
    bool ok = jdoc_parse(&doc, s);
    jdoc_free(&doc);
    return ok;
}

static const struct endpoint *endpoint_of(unsigned i)
{
    static const char *const paths[] = {"/chat/completions", "/completions", "/embeddings"};
    return endpoint_find(STR("POST"), str_c(paths[i % 3]));
}

static void not_called(void *ctx, const struct hooks_result *result)
{
    (void)ctx;
    must(!result); /* a run without webhooks ends at once */
}

/* The n-th check that needs no other host. */
static struct str local_check(unsigned n)
{
    size_t count;
    const struct check *rows = check_rows(&count);
    while (rows[n % count].kind == CHECK_REMOTE)
        n++;
    return rows[n % count].id;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n < 2)
        return 0;
    struct str rest = str_of((const char *)p + 2, n - 2), part[4];
    for (int i = 0; i < 4; i++)
        if (!str_split(&rest, '\xff', &part[i]))
            part[i] = STR("");
    struct config_check checks[] = {
        {.id = local_check(p[0]), .parameters = part[0], .enabled = true, .fail_on_error = p[1] & 1},
        {.id = STR("default.wordCount"), .parameters = STR("{\"maxWords\":3}"), .enabled = true},
    };
    struct config_hook hook = {.id = STR("h"),
                               .type = p[1] & 2 ? STR("mutator") : STR("guardrail"),
                               .deny = p[1] & 4,
                               .sequential = p[1] & 8,
                               .checks = checks,
                               .check_count = 2,
                               .on_fail = part[3]};
    struct config_hooks hooks = {&hook, 1};
    struct hooks_input in = {.when = p[1] & 16 ? HOOKS_AFTER : HOOKS_BEFORE,
                             .hooks = &hooks,
                             .endpoint = endpoint_of(p[1] >> 5),
                             .request_body = part[1],
                             .response_body = part[2],
                             .metadata = part[3],
                             .model = STR("m")};
    struct arena *a = arena_new(4096, 16 << 20);
    struct hooks_result result;
    struct hooks_run *run;
    bool over = hooks_begin(&in, a, not_called, NULL, &result, &run);
    must(over && !run && is_json(result.results));
    struct str old = in.when == HOOKS_BEFORE ? part[1] : part[2];
    must(!result.body.p || !is_json(old) || is_json(result.body));
    struct buf out;
    buf_init(&out, 1 << 20);
    if (hooks_add_results(part[2], result.results, STR(""), &out) && is_json(part[2]))
        must(is_json(buf_str(&out)));
    buf_free(&out);
    arena_free(a);
    return 0;
}
