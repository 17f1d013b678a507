/* SPDX-License-Identifier: Apache-2.0 */
/* How a plan looks: first why it came out so, then its steps in the order they would be tried. */
#include "cli/plan_show.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json_write.h"

#define LABEL "   %-9s "

/* A buffer that remembers that it was full. */
struct page {
    struct buf *out;
    bool full;
};

static void put(struct page *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct page *p, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    p->full |= !buf_add_str(p->out, str_head(str_c(text), n < 0 ? 0 : (size_t)n));
}

static void put_codes(struct page *p, const struct config_codes *codes)
{
    for (size_t i = 0; i < codes->n; i++)
        put(p, "%s%u", i ? " " : "", codes->list[i]);
    if (!codes->n)
        put(p, "no status");
}

static const struct config_param *find_param(const struct config_params *params, struct str name)
{
    for (size_t i = 0; i < params->n; i++)
        if (str_eq(params->list[i].name, name))
            return &params->list[i];
    return NULL;
}

/* --- text ------------------------------------------------------------------------------------- */

static void put_target(struct page *p, const struct config_settings *s)
{
    const struct config_param *model = find_param(&s->override_params, STR("model"));
    if (s->provider.n)
        put(p, "%.*s", STR_ARG(s->provider));
    else if (s->virtual_key.n)
        put(p, "virtual key %.*s", STR_ARG(s->virtual_key));
    else if (s->prompt_id.n)
        put(p, "prompt %.*s", STR_ARG(s->prompt_id));
    else
        put(p, "the request's own provider, or the workspace's");
    if (s->api_key.n)
        put(p, ", with a key of its own");
    if (s->azure.deployment_id.n)
        put(p, ", deployment %.*s", STR_ARG(s->azure.deployment_id));
    if (model)
        put(p, ", model %.*s", STR_ARG(model->json));
    if (s->custom_host.n)
        put(p, ", at %.*s", STR_ARG(s->custom_host));
    put(p, "\n");
}

static void put_retry(struct page *p, const struct config_retry *r)
{
    if (!r->attempts || !r->codes.n)
        return;
    put(p, LABEL "up to %u more on ", "retry", r->attempts);
    put_codes(p, &r->codes);
    put(p, ", after 1");
    for (unsigned i = 1; i < r->attempts; i++)
        put(p, " %u", 1u << i);
    put(p, " s%s\n", r->use_retry_after ? ", or as Retry-After says" : "");
}

static void put_names(struct page *p, const char *what, const struct config_params *params, bool *any)
{
    for (size_t i = 0; i < params->n; i++)
        put(p, "%s%.*s", i ? ", " : *any ? "; " : "", STR_ARG(params->list[i].name));
    if (params->n)
        put(p, " %s", what);
    *any |= params->n > 0;
}

static void put_changes(struct page *p, const struct config_settings *s)
{
    bool any = false;
    if (!s->override_params.n && !s->default_params.n && !s->drop_params.n)
        return;
    put(p, LABEL, "changes");
    put_names(p, "set if absent", &s->default_params, &any);
    put_names(p, "replaced", &s->override_params, &any);
    for (size_t i = 0; i < s->drop_params.n; i++)
        put(p, "%s%.*s", i ? ", " : any ? "; " : "", STR_ARG(s->drop_params.list[i]));
    put(p, s->drop_params.n ? " dropped\n" : "\n");
}

static void put_rest(struct page *p, const struct config_settings *s)
{
    if (s->request_timeout_ms)
        put(p, LABEL "408 when nothing came after %llu ms\n", "timeout", (unsigned long long)s->request_timeout_ms);
    if (s->cache.mode)
        put(p, LABEL "%s, for %u s\n", "cache", s->cache.mode == CONFIG_CACHE_SIMPLE ? "simple" : "semantic",
            s->cache.max_age_s);
    if (s->before.n || s->after.n)
        put(p, LABEL "%zu before, %zu after\n", "checks", s->before.n, s->after.n);
    for (size_t i = 0; i < s->forward_headers.n; i++)
        put(p, i ? ", %s%.*s" : LABEL "%.*s", i ? "" : "forwards", STR_ARG(s->forward_headers.list[i]));
    if (s->forward_headers.n)
        put(p, "\n");
}

static void put_next(struct page *p, const struct plan_step *s)
{
    for (unsigned i = 0; i < s->jump_count; i++) {
        const struct plan_jump *j = &s->jumps[i];
        put(p, LABEL "to step %u on ", i ? "else" : "then", j->step + 1u);
        if (j->any_status)
            put(p, "any status outside 200-299");
        else
            put_codes(p, &j->codes);
        put(p, "\n");
    }
    put(p, LABEL "the answer is the client's\n", s->jump_count ? "else" : "then");
}

static void put_step(struct page *p, const struct plan *plan, unsigned i)
{
    const struct plan_step *s = &plan->steps[i];
    put(p, "\n%u. %.*s", i + 1, STR_ARG(s->node->path));
    if (s->node->name.n)
        put(p, " '%.*s'", STR_ARG(s->node->name));
    put(p, "\n");
    if (s->refusal) {
        put(p, LABEL "400: %s\n", "answer", s->refusal);
        return;
    }
    put(p, LABEL, "target");
    put_target(p, &s->node->settings);
    put_retry(p, &s->node->settings.retry);
    put_rest(p, &s->node->settings);
    put_changes(p, &s->node->settings);
    put_next(p, s);
}

bool plan_show_text(const struct plan *plan, uint64_t seed, struct buf *out)
{
    struct page p = {out, false};
    struct str rest = plan->explanation, line;
    put(&p, "%s, %u %s, at worst %u %s (draw repeats with --seed %llu)\n", plan->mode, plan->step_count,
        plan->step_count == 1 ? "step" : "steps", plan->config->attempts_max,
        plan->config->attempts_max == 1 ? "attempt" : "attempts", (unsigned long long)seed);
    while (str_split(&rest, '\n', &line))
        if (line.n)
            put(&p, "   %.*s\n", STR_ARG(line));
    for (unsigned i = 0; i < plan->step_count; i++)
        put_step(&p, plan, i);
    return !p.full;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void write_codes(struct json_write *w, const char *name, const struct config_codes *codes)
{
    json_write_key(w, str_c(name));
    json_write_array(w);
    for (size_t i = 0; i < codes->n; i++)
        json_write_uint(w, codes->list[i]);
    json_write_array_end(w);
}

static void write_strings(struct json_write *w, const char *name, const struct config_strings *list)
{
    json_write_key(w, str_c(name));
    json_write_array(w);
    for (size_t i = 0; i < list->n; i++)
        json_write_string(w, list->list[i]);
    json_write_array_end(w);
}

static void write_params(struct json_write *w, const char *name, const struct config_params *params)
{
    json_write_key(w, str_c(name));
    json_write_object(w);
    for (size_t i = 0; i < params->n; i++) {
        json_write_key(w, params->list[i].name);
        json_write_raw(w, params->list[i].json);
    }
    json_write_object_end(w);
}

static void write_target(struct json_write *w, const struct config_settings *s)
{
    const struct config_param *model = find_param(&s->override_params, STR("model"));
    json_write_key(w, STR("target"));
    json_write_object(w);
    json_write_member_text(w, "provider", s->provider);
    json_write_member_text(w, "virtual_key", s->virtual_key);
    json_write_member_text(w, "prompt_id", s->prompt_id);
    json_write_member_text(w, "custom_host", s->custom_host);
    json_write_member_text(w, "deployment_id", s->azure.deployment_id);
    json_write_member_raw(w, "model", model ? model->json : STR("null"));
    json_write_object_end(w);
}

static void write_settings(struct json_write *w, const struct config_settings *s)
{
    static const char *const caches[] = {"none", "simple", "semantic"};
    json_write_key(w, STR("retry"));
    json_write_object(w);
    json_write_member_uint(w, "attempts", s->retry.attempts);
    write_codes(w, "on_status_codes", &s->retry.codes);
    json_write_member_bool(w, "use_retry_after_header", s->retry.use_retry_after);
    json_write_object_end(w);
    if (s->request_timeout_ms)
        json_write_member_uint(w, "request_timeout", s->request_timeout_ms);
    else
        json_write_member_null(w, "request_timeout");
    json_write_key(w, STR("cache"));
    json_write_object(w);
    json_write_member_string(w, "mode", str_c(caches[s->cache.mode]));
    json_write_member_uint(w, "max_age", s->cache.max_age_s);
    json_write_object_end(w);
    write_params(w, "default_params", &s->default_params);
    write_params(w, "override_params", &s->override_params);
    write_strings(w, "drop_params", &s->drop_params);
    write_strings(w, "forward_headers", &s->forward_headers);
    json_write_member_uint(w, "guardrails_before", s->before.n);
    json_write_member_uint(w, "guardrails_after", s->after.n);
}

static void write_next(struct json_write *w, const struct plan_step *s)
{
    json_write_key(w, STR("next"));
    json_write_array(w);
    for (unsigned i = 0; i < s->jump_count; i++) {
        const struct plan_jump *j = &s->jumps[i];
        json_write_object(w);
        if (j->any_status)
            json_write_member_string(w, "on", STR("outside 200-299"));
        else
            write_codes(w, "on", &j->codes);
        json_write_member_uint(w, "step", j->step + 1u);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void write_step(struct json_write *w, const struct plan_step *s, unsigned number)
{
    json_write_object(w);
    json_write_member_uint(w, "step", number);
    json_write_member_string(w, "path", s->node->path);
    json_write_member_text(w, "name", s->node->name);
    if (s->refusal) {
        json_write_member_uint(w, "status", 400);
        json_write_member_string(w, "message", str_c(s->refusal));
    } else {
        write_target(w, &s->node->settings);
        write_settings(w, &s->node->settings);
        write_next(w, s);
    }
    json_write_object_end(w);
}

bool plan_show_json(const struct plan *p, uint64_t seed, struct buf *out)
{
    struct json_write w;
    struct str rest = p->explanation, line;
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_member_string(&w, "mode", str_c(p->mode));
    json_write_member_uint(&w, "attempts_max", p->config->attempts_max);
    json_write_member_uint(&w, "seed", seed);
    json_write_key(&w, STR("why"));
    json_write_array(&w);
    while (str_split(&rest, '\n', &line))
        if (line.n)
            json_write_string(&w, line);
    json_write_array_end(&w);
    json_write_key(&w, STR("steps"));
    json_write_array(&w);
    for (unsigned i = 0; i < p->step_count; i++)
        write_step(&w, &p->steps[i], i + 1);
    json_write_array_end(&w);
    json_write_object_end(&w);
    return json_write_done(&w) && buf_add_byte(out, '\n');
}
