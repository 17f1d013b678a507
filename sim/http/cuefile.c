/* SPDX-License-Identifier: Apache-2.0 */
/* Rules own a copy of their line; every text in them is a view of it. */
#include "sim/http/cuefile.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/json/jdoc.h"
#include "base/mem.h"
#include "base/must.h"
#include "sim/http/apierr.h"
#include "sim/http/call.h"
#include "sim/http/caller.h"

#define RULES_MAX 1000
#define FILE_MAX (4u << 20)
#define MATCHES 5

struct rule {
    struct str match[MATCHES]; /* in the order of `match_names`; "" = any */
    uint64_t from, to, every, seen;
    struct cue cue;
};

struct cuefile {
    struct arena *arena;
    struct rule rules[RULES_MAX];
    unsigned n;
};

static const char *const match_names[MATCHES] = {"method", "path", "model", "operation", "key"};

struct cuefile *cuefile_new(void)
{
    struct cuefile *f = mem_zalloc(sizeof *f);
    f->arena = arena_new(4096, FILE_MAX * 8);
    return f;
}

void cuefile_free(struct cuefile *f)
{
    if (!f)
        return;
    arena_free(f->arena);
    mem_free(f);
}

void cuefile_clear(struct cuefile *f)
{
    arena_reset(f->arena);
    f->n = 0;
}

void cuefile_rewind(struct cuefile *f)
{
    for (unsigned i = 0; i < f->n; i++)
        f->rules[i].seen = 0;
}

static struct str value_text(struct jval v, struct arena *a)
{
    if (jdoc_kind(v) == JDOC_STRING)
        return arena_dup(a, jdoc_text(v, a));
    return arena_dup(a, jdoc_raw(v));
}

static bool read_do(struct rule *r, struct jval actions, struct arena *a, char *why, size_t why_cap)
{
    for (struct jval e = jdoc_first(actions); jdoc_has(e); e = jdoc_next(actions, e)) {
        struct str name = jdoc_escaped(e);
        if (!cue_set(&r->cue, name, value_text(jdoc_value(e), a))) {
            snprintf(why, why_cap, "'%.*s' is no action, or has a bad value", STR_ARG(name));
            return false;
        }
    }
    return true;
}

static bool read_match(struct rule *r, struct jval match, struct arena *a, char *why, size_t why_cap)
{
    for (struct jval e = jdoc_first(match); jdoc_has(e); e = jdoc_next(match, e)) {
        unsigned i = 0;
        while (i < MATCHES && !jdoc_is(e, match_names[i]))
            i++;
        if (i == MATCHES) {
            snprintf(why, why_cap, "'%.*s' is nothing to match by", STR_ARG(jdoc_escaped(e)));
            return false;
        }
        r->match[i] = value_text(jdoc_value(e), a);
    }
    return true;
}

static bool read_rule(struct cuefile *f, struct jval line, char *why, size_t why_cap)
{
    if (f->n == RULES_MAX) {
        snprintf(why, why_cap, "more than %d rules", RULES_MAX);
        return false;
    }
    struct rule *r = &f->rules[f->n];
    *r = (struct rule){.every = jdoc_count(jdoc_find(line, "every"), 1)};
    uint64_t nth = jdoc_count(jdoc_find(line, "nth"), 0);
    r->from = nth ? nth : jdoc_count(jdoc_find(line, "from"), 1);
    r->to = nth ? nth : jdoc_count(jdoc_find(line, "to"), UINT64_MAX);
    if (!r->every || !jdoc_has(jdoc_find(line, "do"))) {
        snprintf(why, why_cap, "a rule needs \"do\", and an \"every\" above 0");
        return false;
    }
    if (!read_match(r, jdoc_find(line, "match"), f->arena, why, why_cap) ||
        !read_do(r, jdoc_find(line, "do"), f->arena, why, why_cap))
        return false;
    f->n++;
    return true;
}

static bool read_line(struct cuefile *f, struct jval line, struct caller_book *callers, int64_t now, char *why,
                      size_t why_cap)
{
    struct jval key = jdoc_find(line, "key");
    if (!jdoc_has(key))
        return read_rule(f, line, why, why_cap);
    struct arena *a = f->arena;
    caller_require(callers, jdoc_text(key, a), jdoc_text(jdoc_find(line, "project"), a),
                   jdoc_text(jdoc_find(line, "user"), a), jdoc_text(jdoc_find(line, "name"), a), now);
    return true;
}

bool cuefile_add(struct cuefile *f, struct str text, struct caller_book *callers, int64_t now, char *why,
                 size_t why_cap)
{
    unsigned before = f->n, number = 0;
    struct str line;
    struct jdoc doc;
    bool ok = true;
    jdoc_init(&doc);
    while (ok && text.n && str_split(&text, '\n', &line)) {
        char reason[256] = "";
        number++;
        line = str_trim(line);
        if (line.n && line.p[line.n - 1] == '\r')
            line = str_trim(str_head(line, line.n - 1));
        if (!line.n || line.p[0] == '#')
            continue;
        if (!jdoc_parse(&doc, line) || jdoc_kind(jdoc_root(&doc)) != JDOC_OBJECT) {
            str_copy(reason, sizeof reason, STR("it is not a JSON object"));
            ok = false;
        } else {
            ok = read_line(f, jdoc_root(&doc), callers, now, reason, sizeof reason);
        }
        if (!ok)
            snprintf(why, why_cap, "line %u: %s", number, reason);
    }
    jdoc_free(&doc);
    if (!ok)
        f->n = before;
    return ok;
}

bool cuefile_load(struct cuefile *f, const char *path, struct caller_book *callers, int64_t now, char *why,
                  size_t why_cap)
{
    int fd = -1;
    size_t n = 0;
    char reason[300];
    if (file_open(path, O_RDONLY, 0, &fd) != ERR_OK) {
        snprintf(why, why_cap, "%s: %s", path, file_failure());
        return false;
    }
    char *text = mem_alloc(FILE_MAX);
    bool ok = file_read_at(fd, text, FILE_MAX, 0, &n) == ERR_OK;
    if (!ok)
        snprintf(why, why_cap, "%s: %s", path, file_failure());
    file_close(fd);
    if (ok && !cuefile_add(f, str_of(text, n), callers, now, reason, sizeof reason)) {
        snprintf(why, why_cap, "%s: %s", path, reason);
        ok = false;
    }
    mem_free(text);
    return ok;
}

static bool fits(struct str pattern, struct str text)
{
    if (!pattern.n)
        return true;
    if (pattern.p[pattern.n - 1] == '*')
        return str_starts(text, str_head(pattern, pattern.n - 1));
    return str_eq(pattern, text);
}

static bool fits_key(struct str pattern, const struct caller *caller)
{
    if (!pattern.n)
        return true;
    return caller && (str_eq(pattern, str_c(caller->key_id)) || str_ends(str_c(caller->hint), pattern));
}

static bool takes(struct rule *r, const struct call *c)
{
    if (!fits(r->match[0], c->method) || !fits(r->match[1], c->path) || !fits(r->match[2], str_c(c->model_asked)) ||
        !fits(r->match[3], str_c(c->route ? c->route->operation : "")) || !fits_key(r->match[4], c->caller))
        return false;
    uint64_t n = ++r->seen;
    return n >= r->from && n <= r->to && (n - r->from) % r->every == 0;
}

const struct cue *cuefile_match(struct cuefile *f, const struct call *c)
{
    const struct cue *found = NULL;
    for (unsigned i = 0; i < f->n; i++)
        if (takes(&f->rules[i], c) && !found)
            found = &f->rules[i].cue;
    return found;
}

void cuefile_put(struct call *c)
{
    char why[300];
    struct buf out;
    cuefile_clear(c->sim->script);
    if (!cuefile_add(c->sim->script, buf_str(&c->body), c->sim->callers, call_now(c), why, sizeof why)) {
        apierr_invalid(c, "script", "%s", why);
        return;
    }
    buf_init(&out, 256);
    must(buf_printf(&out, "{\"object\":\"sim.script\",\"rules\":%u}", c->sim->script->n));
    answer_json(c, 200, &out);
}

void cuefile_delete(struct call *c)
{
    cuefile_clear(c->sim->script);
    answer_empty(c, 204);
}
