/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /embeddings. A vector follows from its text alone and has length 1, so that equal texts have
 * cosine 1. As numbers or, as both SDKs ask for, base64 of little-endian 32-bit floats.
 */
#include <stdio.h>

#include "base/encode.h"
#include "sim/api/api.h"
#include "sim/http/apierr.h"
#include "sim/http/reply.h"
#include "sim/model/bill.h"
#include "sim/model/tally.h"
#include "sim/simid.h"

#define DIMENSIONS_MAX 3072
#define INPUTS_MAX 2048

static unsigned natural_dimensions(struct str model)
{
    if (str_search(model, STR("3-large")) >= 0)
        return 3072;
    return 1536;
}

/* By Newton; `x` is of the order of 1,000, so this needs no library. */
static double square_root(double x)
{
    double r = x > 1 ? x : 1;
    for (int i = 0; i < 24; i++)
        r = (r + x / r) / 2;
    return r;
}

static void vector_of(uint64_t seed, unsigned n, float *out)
{
    struct rng_seeded g = {seed};
    double sum = 0;
    for (unsigned i = 0; i < n; i++) {
        out[i] = (float)((double)(int64_t)rng_seeded_u64(&g) / 9223372036854775808.0);
        sum += (double)out[i] * (double)out[i];
    }
    double length = square_root(sum);
    for (unsigned i = 0; i < n; i++)
        out[i] = (float)((double)out[i] / length);
}

struct embedder {
    struct call *c;
    struct json_write *w;
    struct str model;
    unsigned dimensions;
    bool base64;
    uint64_t index;
};

static void write_vector(struct embedder *e, const float *v)
{
    if (e->base64) {
        char text[ENCODE_BASE64_MAX(DIMENSIONS_MAX * 4) + 2] = "\"";
        size_t n = 1 + encode_base64(v, e->dimensions * sizeof(float), text + 1);
        text[n++] = '"';
        json_write_member_raw(e->w, "embedding", str_of(text, n));
        return;
    }
    json_write_key(e->w, STR("embedding"));
    json_write_array(e->w);
    for (unsigned i = 0; i < e->dimensions; i++) {
        char number[32];
        int n = snprintf(number, sizeof number, "%.9g", (double)v[i]);
        json_write_raw(e->w, str_of(number, (size_t)n));
    }
    json_write_array_end(e->w);
}

static void embed(struct embedder *e, struct str identity, uint64_t tokens)
{
    float v[DIMENSIONS_MAX];
    vector_of(simid_hash(simid_hash(e->c->sim->opts.seed, e->model), identity), e->dimensions, v);
    json_write_object(e->w);
    json_write_member_string(e->w, "object", STR("embedding"));
    json_write_member_uint(e->w, "index", e->index++);
    write_vector(e, v);
    json_write_object_end(e->w);
    e->c->bill->input += tokens;
}

static void embed_one(struct embedder *e, struct jval v)
{
    if (jdoc_kind(v) == JDOC_ARRAY)
        embed(e, jdoc_raw(v), jdoc_size(v)); /* tokens as numbers */
    else
        embed(e, jdoc_escaped(v), tally_escaped(e->c->sim->tally, compose_encoding(e->model), jdoc_escaped(v)));
}

/* A string, strings, tokens, or lists of tokens. */
static bool check_input(struct call *c, struct jval input)
{
    if (!jdoc_has(input)) {
        apierr_missing(c, "input");
        return false;
    }
    bool array = jdoc_kind(input) == JDOC_ARRAY;
    if ((!array && jdoc_kind(input) != JDOC_STRING) || (array && !jdoc_size(input)) ||
        (!array && !jdoc_escaped(input).n)) {
        apierr(c, 400, "invalid_request_error", "input", NULL,
               "'$.input' is invalid. Please check the API reference: "
               "https://platform.openai.com/docs/api-reference.");
        return false;
    }
    if (array && jdoc_kind(jdoc_first(input)) != JDOC_NUMBER && jdoc_size(input) > INPUTS_MAX) {
        apierr_invalid(c, "input", "'$.input' is too long: at most %d inputs.", INPUTS_MAX);
        return false;
    }
    return true;
}

static bool check_dimensions(struct call *c, struct embedder *e)
{
    struct jval wanted = jdoc_find(c->json, "dimensions");
    e->dimensions = natural_dimensions(e->model);
    if (!jdoc_has(wanted))
        return true;
    uint64_t n = jdoc_count(wanted, 0);
    if (n < 1 || n > e->dimensions) {
        apierr_invalid(c, "dimensions", "Invalid value for 'dimensions' = %.*s. Must be less than or equal to %u.",
                       STR_ARG(str_head(jdoc_raw(wanted), 24)), e->dimensions);
        return false;
    }
    e->dimensions = (unsigned)n;
    return true;
}

void api_embeddings_create(struct call *c)
{
    struct jval input = jdoc_find(c->json, "input");
    struct embedder e = {.c = c};
    struct reply r;
    struct str asked;
    if (str_starts(c->path, STR("/engines/")))
        str_copy(c->model_asked, sizeof c->model_asked, c->args[0]);
    if (!api_model(c, &asked))
        return;
    e.model = call_on_azure(c) ? api_answering_model(c, asked) : asked;
    if (!check_input(c, input) || !check_dimensions(c, &e))
        return;
    e.base64 = jdoc_is(jdoc_find(c->json, "encoding_format"), "base64");
    bill_new(c, CALL_WORK_EMBEDDINGS);
    bill_name(c, e.model, STR(""));
    e.w = reply_begin(&r);
    json_write_member_string(e.w, "object", STR("list"));
    json_write_key(e.w, STR("data"));
    json_write_array(e.w);
    if (jdoc_kind(input) == JDOC_ARRAY && jdoc_kind(jdoc_first(input)) != JDOC_NUMBER)
        for (struct jval v = jdoc_first(input); jdoc_has(v); v = jdoc_next(input, v))
            embed_one(&e, v);
    else
        embed_one(&e, input);
    json_write_array_end(e.w);
    json_write_member_string(e.w, "model", e.model);
    bill_cue(c);
    if (bill_wanted(c)) {
        json_write_key(e.w, STR("usage"));
        bill_write_embeddings(c, e.w);
    }
    reply_send(c, &r, 200);
}
