/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configs: from text to a shared object, and its end.
 *
 * A config is one `held`: the public part first, then the count of references and the memory
 * behind it. The text is copied first and parsed in place, so that nearly all views are views of
 * that copy; what has escapes is unescaped into the arena. The reading itself is in tree.c and the
 * files it calls.
 */
#include "control/config/config.h"

#include <openssl/sha.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/must.h"
#include "control/config/config_inner.h"
#include "control/config/fields.h"

#define MAGIC 0x636f6e66u
#define ARENA_FIRST 2048

#define LEGACY_TEXT "This version of config is not supported in this route. Please migrate to the latest version"

struct held {
    struct config config; /* first: a pointer to it is a pointer to this */
    unsigned magic;
    _Atomic unsigned refs;
    struct arena *arena;
    char *text;
};

static struct held *held_of(const struct config *c)
{
    struct held *h = (struct held *)(uintptr_t)c;
    must(h->magic == MAGIC);
    return h;
}

/* --- errors and places ------------------------------------------------------------------------ */

void *compile_alloc(struct compile *c, size_t size)
{
    void *p = arena_alloc(c->arena, size);
    if (!p && !c->full) {
        c->full = true;
        compile_error(c, NULL, "The config is too large");
    }
    return p;
}

void compile_enter(struct compile *c, const char *name)
{
    must(c->path_n < sizeof c->path / sizeof c->path[0]);
    c->path[c->path_n++] = (struct compile_step){name, 0};
}

void compile_enter_index(struct compile *c, unsigned index)
{
    must(c->path_n < sizeof c->path / sizeof c->path[0]);
    c->path[c->path_n++] = (struct compile_step){NULL, index};
}

void compile_leave(struct compile *c)
{
    must(c->path_n > 0);
    c->path_n--;
}

/* Cut where it does not fit. */
static void append(char *text, size_t cap, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void append(char *text, size_t cap, const char *format, ...)
{
    va_list args;
    size_t used = strlen(text);
    va_start(args, format);
    vsnprintf(text + used, cap - used, format, args);
    va_end(args);
}

/* The same may be found twice by two readers of one member. */
static bool is_said(const struct config_errors *why, const char *text)
{
    for (size_t i = 0; i < why->n; i++)
        if (strcmp(why->text[i], text) == 0)
            return true;
    return false;
}

void compile_error(struct compile *c, const char *at, const char *format, ...)
{
    va_list args;
    char text[sizeof c->why->text[0]] = "path: ", message[sizeof text];
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    for (unsigned i = 0; i < c->path_n; i++) {
        const struct compile_step *s = &c->path[i];
        if (s->name)
            append(text, sizeof text, "%s%s", i ? "," : "", s->name);
        else
            append(text, sizeof text, "%s%u", i ? "," : "", s->index);
    }
    if (at)
        append(text, sizeof text, "%s%s", c->path_n ? "," : "", at);
    append(text, sizeof text, ", message: %s", message);
    c->failed = true;
    if (c->why->n < CONFIG_ERRORS_MAX && !is_said(c->why, text))
        memcpy(c->why->text[c->why->n++], text, sizeof text);
}

/* --- compiling -------------------------------------------------------------------------------- */

/* Configs of the first generation list their targets as `options`. */
static bool is_legacy(struct compile *c, struct jval root)
{
    if (!fields_has(c, root, FIELD_OPTIONS))
        return false;
    str_copy(c->why->message, sizeof c->why->message, STR(LEGACY_TEXT));
    compile_error(c, "options", "%s", "Not supported any more; list the providers in 'targets' and name a 'strategy'");
    return true;
}

static void read_document(struct compile *c, struct held *h)
{
    struct jval root = jdoc_root(&c->doc);
    struct config_node *node = compile_alloc(c, sizeof *node);
    if (!node || !fields_check(c, root, NULL, JDOC_OBJECT) || is_legacy(c, root))
        return;
    h->config.root = node;
    h->config.attempts_max = tree_compile(c, root, node);
    h->config.node_count = c->nodes;
    h->config.needs = c->needs | (h->config.attempts_max > 1 ? CONFIG_NEEDS_REPEAT : 0);
    if (c->bad_guardrails[0]) {
        str_copy(c->why->message, sizeof c->why->message, STR("Following guardrails are not valid: "));
        append(c->why->message, sizeof c->why->message, "%s", c->bad_guardrails);
    }
}

enum err config_compile(struct str text, struct config **ret_config, struct config_errors *why)
{
    *why = (struct config_errors){0};
    if (text.n > CONFIG_TEXT_MAX) {
        snprintf(why->text[why->n++], sizeof why->text[0], "path: , message: A config has at most %u bytes",
                 CONFIG_TEXT_MAX);
        return ERR_BAD_PARAMETER;
    }
    struct held *h = mem_zalloc(sizeof *h);
    h->magic = MAGIC;
    atomic_init(&h->refs, 1);
    h->arena = arena_new(ARENA_FIRST, CONFIG_MEMORY_MAX);
    h->text = mem_strndup(text.p, text.n);
    h->config.text = str_of(h->text, text.n);
    h->config.slug = STR("");
    SHA256((const unsigned char *)h->text, text.n, h->config.sha256);
    struct compile c = {.arena = h->arena, .why = why};
    jdoc_init(&c.doc);
    if (jdoc_parse(&c.doc, h->config.text))
        read_document(&c, h);
    else
        why->not_json = c.failed = true;
    jdoc_free(&c.doc);
    if (c.failed) {
        config_unref(&h->config);
        return ERR_BAD_PARAMETER;
    }
    *ret_config = &h->config;
    return ERR_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

struct config *config_ref(const struct config *c)
{
    struct held *h = held_of(c);
    must(atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed) > 0);
    return &h->config;
}

static void wipe(struct str secret)
{
    if (secret.n)
        mem_wipe((void *)(uintptr_t)secret.p, secret.n);
}

/* Secrets that had escapes are copies in the arena; the others are wiped with the text. */
static void wipe_node(const struct config_node *n)
{
    wipe(n->settings.api_key);
    wipe(n->settings.azure.ad_token);
    wipe(n->settings.azure.entra_client_secret);
    for (size_t i = 0; i < n->target_count; i++)
        wipe_node(&n->targets[i]);
}

void config_unref(const struct config *c)
{
    if (!c)
        return;
    struct held *h = held_of(c);
    if (atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (h->config.root)
        wipe_node(h->config.root);
    mem_wipe(h->text, h->config.text.n);
    mem_free(h->text);
    arena_free(h->arena);
    h->magic = 0;
    mem_free(h);
}

void config_name(struct config *c, int64_t id, struct str slug, uint32_t version, int64_t workspace_id)
{
    struct held *h = held_of(c);
    struct str copy = arena_dup(h->arena, slug);
    must(slug.n < CONFIG_TEXT_MAX);
    c->id = id;
    c->slug = copy.p ? copy : STR("");
    c->version = version;
    c->workspace_id = workspace_id;
}

bool config_codes_have(const struct config_codes *codes, int status)
{
    size_t low = 0, high = codes->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (codes->list[middle] == status)
            return true;
        if (codes->list[middle] < status)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
