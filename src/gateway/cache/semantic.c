/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strings that are compared by meaning are cut out of the messages and joined by line feeds; what
 * is between the cuts is hashed as it stands, and this hash takes the place of the messages where the
 * group is made the way keys are. So roles, names, tools and all parameters are in the group, whatever
 * they are called. A body that could be read in two ways (a deciding member twice) and content that is
 * no text are not compared.
 */
#include "gateway/cache/semantic.h"

#include <string.h>

#include "base/encode.h"
#include "base/json/jdoc.h"
#include "base/json_bytes.h"
#include "base/json_text.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/must.h"
#include "gateway/cache/inner.h"
#include "gateway/cache/key.h"
#include "openai/estimate.h"

#define ROUNDING 1e-6f /* two equal vectors may come out this much below 1 */

/* --- the question ---------------------------------------------------------------------------- */

struct reading {
    struct key_hash hash;
    struct str rest; /* of the messages, behind the last cut */
    struct buf *room;
    size_t begin; /* of our text in the room */
    bool ok;
};

/* The string is compared by meaning; what came before it must be equal. */
static void cut(struct reading *r, struct jval string)
{
    struct str raw = jdoc_escaped(string);
    size_t before = (size_t)(raw.p - r->rest.p);
    must(raw.p >= r->rest.p);
    must(before + raw.n <= r->rest.n);
    key_hash_text(&r->hash, str_head(r->rest, before));
    r->rest = str_from(r->rest, before + raw.n);
    if (buf_size(r->room) > r->begin && !buf_add_byte(r->room, '\n'))
        r->ok = false;
    if (!json_unescape_buf(raw, r->room))
        r->ok = false;
}

static bool means(struct jval v, struct str text)
{
    return jdoc_kind(v) == JDOC_STRING && json_string_eq(jdoc_escaped(v), text);
}

/* The member of that name; false when it comes twice. */
static bool member_once(struct jval object, struct str name, struct jval *ret)
{
    unsigned count = 0;
    *ret = (struct jval){NULL, 0};
    for (struct jval m = jdoc_first(object); jdoc_has(m); m = jdoc_next(object, m)) {
        if (!json_string_eq(jdoc_escaped(m), name))
            continue;
        *ret = jdoc_value(m);
        count++;
    }
    return count <= 1;
}

/* Text, or parts that are all text; nothing at all (a call of tools) has no meaning to compare. */
static void read_content(struct reading *r, struct jval content)
{
    struct jval type, text;
    if (jdoc_kind(content) == JDOC_STRING) {
        cut(r, content);
        return;
    }
    if (jdoc_kind(content) != JDOC_ARRAY) {
        r->ok = r->ok && (!jdoc_has(content) || jdoc_kind(content) == JDOC_NULL);
        return;
    }
    for (struct jval p = jdoc_first(content); jdoc_has(p); p = jdoc_next(content, p)) {
        if (jdoc_kind(p) != JDOC_OBJECT || !member_once(p, STR("type"), &type) || !means(type, STR("text")) ||
            !member_once(p, STR("text"), &text) || jdoc_kind(text) != JDOC_STRING) {
            r->ok = false;
            return;
        }
        cut(r, text);
    }
}

static void read_messages(struct reading *r, struct jval messages)
{
    struct jval role, content;
    unsigned n = 0;
    if (jdoc_kind(messages) != JDOC_ARRAY || jdoc_size(messages) > SEMANTIC_MESSAGES_MAX) {
        r->ok = false;
        return;
    }
    for (struct jval m = jdoc_first(messages); jdoc_has(m) && r->ok; m = jdoc_next(messages, m)) {
        if (jdoc_kind(m) != JDOC_OBJECT || !member_once(m, STR("role"), &role) ||
            !member_once(m, STR("content"), &content)) {
            r->ok = false;
            return;
        }
        bool system = n++ == 0 && (means(role, STR("system")) || means(role, STR("developer")));
        if (!system)
            read_content(r, content);
    }
}

/* One prompt, as text. */
static void read_prompt(struct reading *r, struct jval prompt)
{
    if (jdoc_kind(prompt) == JDOC_ARRAY && jdoc_size(prompt) == 1)
        prompt = jdoc_first(prompt);
    if (jdoc_kind(prompt) == JDOC_STRING)
        cut(r, prompt);
    else
        r->ok = false;
}

/* Short bodies cannot have too many tokens: a token is at least a byte. */
static bool short_enough(struct jval root, const struct endpoint *e, struct str body)
{
    return body.n <= SEMANTIC_TOKENS_MAX ||
           estimate_prompt_tok(e->shape, jdoc_escaped(jdoc_find(root, "model")), body) <= SEMANTIC_TOKENS_MAX;
}

/* The messages or the prompt; what is between the cuts goes into `digest`. */
static bool read_body(struct reading *r, struct jval root, struct str name, unsigned char digest[CACHE_KEY_BYTES])
{
    struct jval what;
    if (jdoc_kind(root) != JDOC_OBJECT || !member_once(root, name, &what))
        return false;
    r->rest = jdoc_raw(what);
    key_hash_begin(&r->hash);
    if (str_eq(name, STR("messages")))
        read_messages(r, what);
    else
        read_prompt(r, what);
    key_hash_text(&r->hash, r->rest);
    key_hash_end(&r->hash, digest);
    return r->ok && buf_size(r->room) > r->begin;
}

bool semantic_question(const struct cache_key_parts *parts, const struct endpoint *e, struct buf *room,
                       struct semantic_question *ret)
{
    bool chat = str_eq(e->operation, STR("chat.completions"));
    struct str name = chat ? STR("messages") : STR("prompt");
    struct reading r = {.room = room, .begin = buf_size(room), .ok = true};
    unsigned char digest[CACHE_KEY_BYTES];
    struct key_hash group;
    struct jdoc doc;
    if (!chat && !str_eq(e->operation, STR("completions")))
        return false;
    jdoc_init(&doc);
    bool ok = jdoc_parse(&doc, parts->body) && read_body(&r, jdoc_root(&doc), name, digest) &&
              short_enough(jdoc_root(&doc), e, parts->body);
    jdoc_free(&doc);
    if (!ok) {
        buf_cut(room, r.begin);
        return false;
    }
    key_hash_begin(&group);
    key_hash_text(&group, STR("question"));
    key_hash_parts(&group, parts);
    key_hash_body(&group, parts->body, name, str_of((const char *)digest, sizeof digest));
    key_hash_end(&group, ret->group);
    ret->text = str_from(buf_str(room), r.begin);
    return true;
}

/* --- finding and keeping --------------------------------------------------------------------- */

static struct jobs_vector vector_of(int64_t workspace_id, const struct semantic_question *q, const float *vector,
                                    unsigned dimensions)
{
    struct jobs_vector v = {.workspace_id = workspace_id, .dimensions = dimensions, .numbers = vector};
    must(dimensions > 0);
    must(dimensions <= SEMANTIC_DIMENSIONS_MAX);
    memcpy(v.group, q->group, sizeof v.group);
    return v;
}

struct cache_fetch *semantic_find(struct cache *c, int64_t workspace_id, const struct semantic_question *q,
                                  const float *vector, unsigned dimensions, float threshold, struct loop *l,
                                  cache_fetch_fn *fn, void *ctx)
{
    struct jobs_vector v = vector_of(workspace_id, q, vector, dimensions);
    v.threshold = threshold - ROUNDING;
    return jobs_look(c->jobs, NULL, &v, l, fn, ctx);
}

void semantic_put(struct cache *c, int64_t workspace_id, const struct semantic_question *q, const float *vector,
                  unsigned dimensions, const unsigned char key[CACHE_KEY_BYTES], const struct cache_answer *answer)
{
    struct jobs_vector v = vector_of(workspace_id, q, vector, dimensions);
    const struct cache_entry *e = inner_keep(c, key, answer);
    if (e)
        jobs_write(c->jobs, e, &v);
    cache_release(e);
}

/* --- the embedding model --------------------------------------------------------------------- */

bool semantic_ask(struct buf *out, struct str model, struct str text, unsigned dimensions)
{
    struct json_write w;
    size_t before = buf_size(out);
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_member_string(&w, "model", model);
    json_write_member_string(&w, "input", text);
    if (dimensions)
        json_write_member_uint(&w, "dimensions", dimensions);
    json_write_object_end(&w);
    if (json_write_done(&w))
        return true;
    buf_cut(out, before);
    return false;
}

/* Ten to the power of n, for the exponents that a float can make use of. */
static double power_of_ten(int n)
{
    double base = n < 0 ? 0.1 : 10, power = 1;
    for (unsigned rest = (unsigned)(n < 0 ? -n : n); rest; rest >>= 1, base *= base)
        if (rest & 1)
            power *= base;
    return power;
}

/* A JSON number, as near as a coordinate has to be. */
static float coordinate(struct str raw)
{
    const char *p = raw.p, *end = raw.p + raw.n;
    double value = 0;
    int exponent = 0, stated = 0;
    bool negative = p < end && *p == '-', down = false;
    for (p += negative; p < end && json_bytes_is_digit(*p); p++)
        value = value * 10 + (*p - '0');
    if (p < end && *p == '.') {
        for (p++; p < end && json_bytes_is_digit(*p); p++) {
            if (value < 1e17) { /* the rest is below any precision */
                value = value * 10 + (*p - '0');
                exponent--;
            }
        }
    }
    if (p < end && (*p | 0x20) == 'e') {
        p++;
        down = p < end && *p == '-';
        for (p += p < end && (*p == '-' || *p == '+'); p < end && json_bytes_is_digit(*p); p++)
            stated = stated < 1000 ? stated * 10 + (*p - '0') : stated;
    }
    exponent += down ? -stated : stated;
    if (exponent < -340)
        return 0;
    value *= power_of_ten(exponent < 300 ? exponent : 300);
    return (float)(negative ? -value : value);
}

static unsigned read_numbers(struct jval list, float *out, unsigned max)
{
    unsigned n = 0;
    for (struct jval v = jdoc_first(list); jdoc_has(v); v = jdoc_next(list, v)) {
        if (n == max || jdoc_kind(v) != JDOC_NUMBER)
            return 0;
        out[n++] = coordinate(jdoc_raw(v));
    }
    return n;
}

/* Little-endian floats, as this machine has them too. */
static unsigned read_base64(struct str text, float *out, unsigned max)
{
    size_t n = 0, room = ENCODE_UNBASE64_MAX(text.n);
    if (text.n == 0 || text.n > (size_t)max * 6 + 4)
        return 0;
    char *bytes = mem_alloc(room);
    bool ok = encode_unbase64(text, bytes, room, &n) && n % sizeof(float) == 0 && n <= max * sizeof(float);
    if (ok)
        memcpy(out, bytes, n);
    mem_free(bytes);
    return ok ? (unsigned)(n / sizeof(float)) : 0;
}

unsigned semantic_vector_of(struct str answer, float *out, unsigned max)
{
    struct jdoc doc;
    unsigned n = 0;
    jdoc_init(&doc);
    if (jdoc_parse(&doc, answer)) {
        struct jval vector = jdoc_find(jdoc_first(jdoc_find(jdoc_root(&doc), "data")), "embedding");
        if (jdoc_kind(vector) == JDOC_ARRAY)
            n = read_numbers(vector, out, max);
        else if (jdoc_kind(vector) == JDOC_STRING)
            n = read_base64(jdoc_escaped(vector), out, max);
    }
    jdoc_free(&doc);
    return n;
}
