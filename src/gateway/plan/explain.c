/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of an explanation. Each begins with the place in the config it is about. */
#include "gateway/plan/explain.h"

#include <stdio.h>

#define TEXT_MAX (64u * 1024)

void explain_init(struct explain *e, bool on)
{
    *e = (struct explain){.on = on};
    buf_init(&e->text, TEXT_MAX);
}

bool explain_done(struct explain *e, struct arena *a, struct str *ret)
{
    if (!e->on)
        return true;
    struct str copy = arena_dup(a, buf_str(&e->text));
    buf_free(&e->text);
    *ret = copy;
    return copy.p != NULL;
}

/* What does not fit is left out, and so is all that follows. */
static void line(struct explain *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void line(struct explain *e, const char *format, ...)
{
    char text[512];
    va_list args;
    if (!e->on || e->cut)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    e->cut = !buf_printf(&e->text, "%s\n", text);
}

/* "429 500": for at most as many as a line takes. */
static const char *codes_text(const struct config_codes *codes, char out[256])
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < codes->n && n < 240; i++)
        n += (size_t)snprintf(out + n, 256 - n, "%s%u", i ? " " : "", codes->list[i]);
    return codes->n ? out : "no status";
}

void explain_single(struct explain *e, const struct config_node *node, size_t target)
{
    line(e, "%.*s: single, so targets[%zu] alone", STR_ARG(node->path), target);
}

void explain_fallback(struct explain *e, const struct config_node *node)
{
    char codes[256];
    line(e, "%.*s: fallback over %zu targets, goes on with %s", STR_ARG(node->path), node->target_count,
         node->any_status ? "every status outside 200-299" : codes_text(&node->on_status_codes, codes));
}

/* "0.7 0.3", as many as a line takes. */
static const char *weights_text(const struct config_node *node, char out[256])
{
    size_t n = 0;
    for (size_t i = 0; i < node->target_count && n < 220; i++)
        n += (size_t)snprintf(out + n, 256 - n, "%s%g", i ? " " : "", node->targets[i].weight);
    return out;
}

void explain_draw(struct explain *e, const struct config_node *node, double draw, double sum, unsigned target)
{
    char weights[256];
    if (e->on)
        line(e, "%.*s: loadbalance by weights %s, drew %.4f of %g, so targets[%u]", STR_ARG(node->path),
             weights_text(node, weights), draw * sum, sum, target);
}

void explain_sticky(struct explain *e, const struct config_node *node, unsigned target)
{
    line(e, "%.*s: loadbalance, sticky choice targets[%u]", STR_ARG(node->path), target);
}

void explain_condition(struct explain *e, const struct config_node *node, size_t condition, bool is_true)
{
    const struct config_condition *c = &node->conditions[condition];
    line(e, "%.*s: condition %zu of %zu is %s: %.*s%s", STR_ARG(node->path), condition + 1, node->condition_count,
         is_true ? "true" : "false", STR_ARG(str_head(c->query, 200)), c->query.n > 200 ? "..." : "");
}

void explain_route(struct explain *e, const struct config_node *target)
{
    line(e, "%.*s: conditional, so targets[%u], named '%.*s'", STR_ARG(target->parent->path), target->index,
         STR_ARG(str_head(target->name, 100)));
}

void explain_refusal(struct explain *e, const struct config_node *node, const char *text)
{
    line(e, "%.*s: answered with 400: %s", STR_ARG(node->path), text);
}

void explain_open(struct explain *e, const struct config_node *target)
{
    line(e, "%.*s: skipped, its circuit breaker is open", STR_ARG(target->path));
}

void explain_all_open(struct explain *e, const struct config_node *node)
{
    line(e, "%.*s: all circuit breakers are open, so none is skipped", STR_ARG(node->path));
}
