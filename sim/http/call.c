/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls are kept for reuse with their arena and hash contexts, so that a plain request costs few
 * allocations. Query parameters are read when asked for; few operations have any.
 */
#include "sim/http/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "sim/http/formread.h"
#include "sim/simid.h"

#define MAGIC 0x63616c6cu
#define ARENA_FIRST 2048
#define ARENA_CAP (256u << 20)
#define SPARE_MAX 256
#define BODY_KEPT 16384

static struct call *call_make(void)
{
    struct call *c = mem_zalloc(sizeof *c);
    c->arena = arena_new(ARENA_FIRST, ARENA_CAP);
    c->body_hash = EVP_MD_CTX_new();
    c->answer_hash = EVP_MD_CTX_new();
    must(c->body_hash && c->answer_hash);
    return c;
}

static struct call *call_take(struct sim *sim)
{
    if (list_empty(&sim->spare_calls))
        return call_make();
    struct call *c = list_entry(sim->spare_calls.next, struct call, node);
    list_remove(&c->node);
    sim->spare_count--;
    return c;
}

struct call *call_new(struct sim *sim, struct http_exchange *x)
{
    struct call *c = call_take(sim), kept = *c;
    memset(c, 0, sizeof *c);
    c->magic = MAGIC;
    c->arena = kept.arena;
    c->body_hash = kept.body_hash;
    c->answer_hash = kept.answer_hash;
    c->sim = sim;
    c->x = x;
    c->number = ++sim->numbers;
    c->ids.state = simid_mix(sim->opts.seed, c->number);
    c->wall_us = clock_wall_us();
    c->cue = &cue_none;
    buf_init(&c->body, sim->opts.body_max ? sim->opts.body_max : 1);
    buf_init(&c->answer.lines, 16384);
    buf_init(&c->answer.body, (size_t)1 << 31);
    jdoc_init(&c->doc);
    list_append(&sim->calls, &c->node);
    memcpy(c->request_id, "req_", 4);
    simid_hex(&c->ids, c->request_id + 4, 32);
    return c;
}

void call_scrap(struct call *c)
{
    arena_free(c->arena);
    EVP_MD_CTX_free(c->body_hash);
    EVP_MD_CTX_free(c->answer_hash);
    mem_free(c);
}

void call_free(struct call *c)
{
    struct sim *sim = c->sim;
    must(c->magic == MAGIC);
    answer_done(c);
    loop_timer_clear(sim->loop, &c->stall);
    formread_free(c->form);
    jdoc_free(&c->doc);
    buf_free(&c->body);
    list_remove(&c->node);
    c->magic = 0;
    if (sim->spare_count < SPARE_MAX) {
        arena_reset(c->arena);
        list_prepend(&sim->spare_calls, &c->node);
        sim->spare_count++;
        return;
    }
    call_scrap(c);
}

struct str call_format(struct call *c, const char *format, ...)
{
    va_list args, again;
    char small[256];
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    must(n >= 0);
    char *p = (size_t)n < sizeof small ? NULL : arena_alloc(c->arena, (size_t)n + 1);
    if (p)
        vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    if ((size_t)n < sizeof small)
        return arena_dup(c->arena, str_of(small, (size_t)n));
    return p ? str_of(p, (size_t)n) : STR("");
}

static struct str id_of(struct call *c, const char *prefix, size_t n, void (*fill)(struct rng_seeded *, char *, size_t))
{
    size_t head = strlen(prefix);
    char *p = arena_alloc(c->arena, head + n + 1);
    if (!p)
        return STR("");
    memcpy(p, prefix, head);
    fill(&c->ids, p + head, n);
    return str_of(p, head + n);
}

struct str call_id(struct call *c, const char *prefix, size_t n)
{
    return id_of(c, prefix, n, simid_letters);
}

struct str call_hex_id(struct call *c, const char *prefix, size_t n)
{
    return id_of(c, prefix, n, simid_hex);
}

int64_t call_now(const struct call *c)
{
    return c->wall_us / 1000000;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct str call_percent_decoded(struct call *c, struct str s)
{
    if (str_find(s, '%') < 0 && str_find(s, '+') < 0)
        return s;
    char *p = arena_alloc(c->arena, s.n + 1);
    size_t n = 0;
    if (!p)
        return STR("");
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%' && i + 2 < s.n && hex_digit(s.p[i + 1]) >= 0 && hex_digit(s.p[i + 2]) >= 0) {
            p[n++] = (char)(hex_digit(s.p[i + 1]) * 16 + hex_digit(s.p[i + 2]));
            i += 2;
        } else {
            p[n++] = s.p[i] == '+' ? ' ' : s.p[i];
        }
    }
    return str_of(p, n);
}

static bool names(struct str got, struct str name)
{
    return str_eq(got, name) ||
           (got.n == name.n + 2 && str_starts(got, name) && got.p[name.n] == '[' && got.p[name.n + 1] == ']');
}

size_t call_query_all(struct call *c, const char *name, struct str *out, size_t cap)
{
    struct str rest = c->query, part;
    size_t n = 0;
    while (n < cap && rest.n && str_split(&rest, '&', &part)) {
        ptrdiff_t equals = str_find(part, '=');
        struct str got = equals < 0 ? part : str_head(part, (size_t)equals);
        if (names(call_percent_decoded(c, got), str_c(name)))
            out[n++] = equals < 0 ? STR("") : call_percent_decoded(c, str_from(part, (size_t)equals + 1));
    }
    return n;
}

struct str call_query(struct call *c, const char *name)
{
    struct str value;
    return call_query_all(c, name, &value, 1) ? value : (struct str){NULL, 0};
}

uint64_t call_query_count(struct call *c, const char *name, uint64_t missing)
{
    uint64_t n;
    return str_to_u64(call_query(c, name), &n) ? n : missing;
}
