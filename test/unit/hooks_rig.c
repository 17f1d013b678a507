/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks from JSON, and results read back. */
#include "hooks_rig.h"

#include <string.h>

#include "base/must.h"

void hooks_rig_open(struct hooks_rig *r)
{
    memset(r, 0, sizeof *r);
    jdoc_init(&r->doc);
    r->arena = arena_new(4096, 8 << 20);
    r->in.model = STR("gpt-5");
    r->in.provider = STR("openai");
    r->in.metadata = STR("{\"plan\":\"paid\",\"_user\":\"u\"}");
}

void hooks_rig_close(struct hooks_rig *r)
{
    arena_free(r->arena);
    jdoc_free(&r->doc);
}

static struct str copy(struct hooks_rig *r, const char *text)
{
    struct str s = arena_dup(r->arena, str_c(text));
    must(s.p);
    return s;
}

static struct str text_at(struct hooks_rig *r, struct jval object, const char *name, const char *missing)
{
    struct jval v = jdoc_get(object, name);
    return jdoc_has(v) ? jdoc_text(v, r->arena) : copy(r, missing);
}

static struct str raw_at(struct hooks_rig *r, struct jval object, const char *name, const char *missing)
{
    struct jval v = jdoc_get(object, name);
    struct str s = jdoc_has(v) ? arena_dup(r->arena, jdoc_raw(v)) : copy(r, missing);
    must(s.p);
    return s;
}

static bool true_at(struct jval object, const char *name)
{
    return jdoc_true(jdoc_get(object, name));
}

static void set_hook(struct hooks_rig *r, struct jval from, size_t i)
{
    struct jval checks = jdoc_get(from, "checks");
    struct config_check *to = r->checks[i];
    r->hooks[i] = (struct config_hook){
        .id = text_at(r, from, "id", "h"),
        .type = text_at(r, from, "type", "guardrail"),
        .deny = true_at(from, "deny"),
        .async = true_at(from, "async"),
        .sequential = true_at(from, "sequential"),
        .checks = to,
        .check_count = jdoc_size(checks),
        .on_success = raw_at(r, from, "on_success", ""),
        .on_fail = raw_at(r, from, "on_fail", ""),
    };
    must(r->hooks[i].check_count <= HOOKS_RIG_CHECKS);
    for (struct jval e = jdoc_first(checks); jdoc_has(e); e = jdoc_next(checks, e))
        *to++ = (struct config_check){
            .id = text_at(r, e, "id", ""),
            .parameters = raw_at(r, e, "parameters", "{}"),
            .enabled = jdoc_kind(jdoc_get(e, "is_enabled")) != JDOC_FALSE,
            .fail_on_error = true_at(jdoc_get(e, "parameters"), "failOnError"),
        };
}

void hooks_rig_set(struct hooks_rig *r, const char *json)
{
    struct jdoc doc;
    jdoc_init(&doc);
    must(jdoc_parse(&doc, copy(r, json)));
    struct jval all = jdoc_root(&doc);
    r->list = (struct config_hooks){r->hooks, jdoc_size(all)};
    must(r->list.n <= HOOKS_RIG_HOOKS);
    size_t i = 0;
    for (struct jval e = jdoc_first(all); jdoc_has(e); e = jdoc_next(all, e))
        set_hook(r, e, i++);
    jdoc_free(&doc);
}

static void done(void *ctx, const struct hooks_result *result)
{
    struct hooks_rig *r = ctx;
    must(!r->over);
    r->over = true;
    r->result = *result;
    r->calls++;
}

static const struct endpoint *endpoint_of(const char *operation)
{
    size_t n;
    const struct endpoint *rows = endpoint_rows(&n);
    for (size_t i = 0; i < n; i++)
        if (str_eq(rows[i].operation, str_c(operation)))
            return &rows[i];
    must(!operation); /* it is one of the table */
    return NULL;
}

bool hooks_rig_begin(struct hooks_rig *r, const char *operation, const char *request, const char *answer)
{
    r->in.when = answer ? HOOKS_AFTER : HOOKS_BEFORE;
    r->in.hooks = &r->list;
    r->in.endpoint = endpoint_of(operation);
    r->in.request_body = str_c(request);
    r->in.response_body = str_c(answer);
    r->over = false;
    r->calls = 0;
    r->run = NULL;
    struct hooks_result result;
    if (!hooks_begin(&r->in, r->arena, done, r, &result, &r->run)) {
        must(r->run && !r->over);
        return false;
    }
    must(!r->run && !r->over);
    r->result = result;
    r->over = true;
    return true;
}

struct jval hooks_rig_at(struct hooks_rig *r, const char *path)
{
    struct str rest = str_c(path), step;
    uint64_t index;
    char name[64];
    must(r->over && jdoc_parse(&r->doc, r->result.results));
    struct jval at = jdoc_root(&r->doc);
    must(jdoc_kind(at) == JDOC_ARRAY);
    while (rest.n && str_split(&rest, '.', &step)) {
        if (!str_to_u64(step, &index)) {
            at = jdoc_get(at, str_copy(name, sizeof name, step));
            continue;
        }
        struct jval list = at;
        for (at = jdoc_first(list); jdoc_has(at) && index > 0; index--)
            at = jdoc_next(list, at);
    }
    return at;
}
