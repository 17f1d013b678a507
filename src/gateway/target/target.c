/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of work: models, then whose account, where it is, the path, the credential. Each step
 * fills the work sheet (target_inner.h) or refuses. Nothing here waits; where a token is missing the
 * caller fetches it and comes again.
 */
#include "gateway/target/target.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/json_text.h"
#include "gateway/target/azure_url.h"
#include "gateway/target/options_list.h"
#include "gateway/target/target_inner.h"
#include "net/url.h"

#define DETAIL_MAX 700
#define PATH_MAX_BYTES 65536
#define TEXT(literal)                  \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

bool target_refuse(struct target_work *w, enum refusal which, const char *format, ...)
{
    char text[DETAIL_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct str copy = arena_dup(w->arena, str_c(text));
    w->ret->refusal = which;
    w->ret->detail = copy.p ? copy : STR("");
    return false;
}

bool target_out_of_memory(struct target_work *w)
{
    w->ret->refusal = REFUSAL_UNSUPPORTED;
    w->ret->detail = STR("The request's headers and config need more memory than one request may use; shorten them.");
    return false;
}

const struct config_settings *target_settings(const struct target_work *w)
{
    static const struct config_settings none;
    return w->in->node ? &w->in->node->settings : &none;
}

struct str target_custom_host(const struct target_work *w)
{
    struct str header = w->in->options->custom_host;
    return header.n ? header : target_settings(w)->custom_host;
}

bool target_split_model(struct str model, struct str *ret_slug, struct str *ret_model)
{
    if (model.n < 4 || model.p[0] != '@' || str_starts(model, STR("@cf/")) || str_starts(model, STR("@hf/")))
        return false;
    ptrdiff_t stroke = str_find(model, '/');
    if (stroke < 2 || (size_t)stroke + 1 == model.n)
        return false;
    *ret_slug = str_head(str_from(model, 1), (size_t)stroke - 1);
    *ret_model = str_from(model, (size_t)stroke + 1);
    return true;
}

/* A JSON string's meaning; "" for anything else. */
static struct str text_of(struct str json, struct arena *a)
{
    if (json.n < 2 || json.p[0] != '"')
        return STR("");
    struct str raw = str_of(json.p + 1, json.n - 2);
    if (str_find(raw, '\\') < 0)
        return raw;
    char *out = arena_alloc(a, raw.n);
    return out ? str_of(out, json_unescape(raw, out, raw.n, NULL)) : STR("");
}

static struct str param_model(const struct config_params *params, struct arena *a)
{
    for (size_t i = 0; i < params->n; i++)
        if (str_eq(params->list[i].name, STR("model")))
            return text_of(params->list[i].json, a);
    return STR("");
}

/* What is asked for in the end, and the accounts that models name on the way. */
static void read_models(struct target_work *w)
{
    const struct config_settings *s = target_settings(w);
    struct str over = param_model(&s->override_params, w->arena), bare = w->in->model;
    (void)target_split_model(bare, &w->model_slug, &bare);
    struct str asked = w->in->model.n ? w->in->model : param_model(&s->default_params, w->arena);
    w->model = over.n ? over : asked;
    if (over.n)
        w->model_cut = target_split_model(over, &w->node_slug, &w->model);
    else
        w->model_cut = target_split_model(asked, &bare, &w->model);
}

/* What may carry the gateway's key, speaks to gateways, or is written anew for each hop never passes, whoever asks. */
static bool may_pass(struct str name)
{
    static const struct str never[] = {TEXT("host"),
                                       TEXT("content-length"),
                                       TEXT("transfer-encoding"),
                                       TEXT("connection"),
                                       TEXT("upgrade"),
                                       TEXT("te"),
                                       TEXT("accept-encoding"),
                                       TEXT("cookie"),
                                       TEXT("sec-websocket-protocol")};
    if (str_starts_nocase(name, STR("x-portkey-")) || str_starts_nocase(name, STR("x-tollgate-")))
        return false;
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        if (str_eq_nocase(name, never[i]))
            return false;
    return true;
}

/* The names of client headers that pass, without those whose value is ours. */
static bool read_forward(struct target_work *w)
{
    const struct options *o = w->in->options;
    const struct config_strings *from =
        o->forward_headers.n ? &o->forward_headers : &target_settings(w)->forward_headers;
    for (size_t i = 0; i < from->n; i++)
        if (may_pass(from->list[i]) && !options_list_has(&o->withheld, from->list[i]) &&
            !options_list_add(&w->forward, from->list[i], w->arena))
            return target_out_of_memory(w);
    w->forward_beta = options_list_has(from, STR("openai-beta"));
    w->forward_own = o->own_authorization && options_list_has(&w->forward, STR("authorization"));
    if (w->forward.n) {
        struct config_strings *kept = arena_alloc(w->arena, sizeof *kept);
        if (!kept)
            return target_out_of_memory(w);
        *kept = w->forward;
        w->t->forward_headers[0] = kept;
    }
    return true;
}

static bool add_query(struct buf *out, struct str query, struct arena *a)
{
    struct str pair, slug, model;
    bool begun = false, ok = true;
    while (ok && str_split(&query, '&', &pair)) {
        if (!pair.n)
            continue;
        ok = buf_add_byte(out, begun ? '&' : '?');
        begun = true;
        if (ok && str_starts(pair, STR("model=")) && url_decode(str_from(pair, 6), URL_IN_QUERY, a, &model) &&
            target_split_model(model, &slug, &model))
            ok = buf_add_str(out, STR("model=")) && url_encode(out, model);
        else
            ok = ok && buf_add_str(out, pair);
    }
    return ok;
}

/* The query with "@slug/" taken off its model, and a '?' in front; p == NULL when it does not fit. */
static struct str clean_query(struct target_work *w)
{
    struct str query = w->in->query, result = {NULL, 0};
    struct buf out;
    if (!query.n)
        return STR("");
    buf_init(&out, PATH_MAX_BYTES);
    if (add_query(&out, query, w->arena))
        result = arena_dup(w->arena, buf_str(&out));
    buf_free(&out);
    return result;
}

static bool plain_path(struct target_work *w)
{
    struct str base = w->base_path, path = w->in->path, query = clean_query(w);
    size_t n = base.n + path.n + query.n;
    char *out = query.p ? arena_alloc(w->arena, n + 1) : NULL;
    if (!out)
        return target_out_of_memory(w);
    memcpy(out, base.p, base.n);
    memcpy(out + base.n, path.p, path.n);
    memcpy(out + base.n + path.n, query.p, query.n);
    w->t->request_path = str_of(out, n);
    if (w->model_cut)
        w->t->send_model = w->model;
    return true;
}

/* Azure's path from a query that no longer names accounts of ours. */
static bool azure_path(struct target_work *w)
{
    struct str query = clean_query(w);
    if (!query.p)
        return target_out_of_memory(w);
    struct target_input in = *w->in;
    const struct target_input *before = w->in;
    in.query = str_from(query, query.n ? 1 : 0);
    w->in = &in;
    bool ok = azure_target_path(w);
    w->in = before;
    return ok;
}

enum target_verdict target_resolve(const struct target_input *in, struct arena *a, struct target_result *ret)
{
    *ret = (struct target_result){.detail = STR("")};
    struct target_work w = {.in = in, .arena = a, .ret = ret, .t = &ret->target};
    read_models(&w);
    azure_target_fields(&w);
    if (!read_forward(&w) || !target_choose(&w) || !target_place(&w))
        return TARGET_REFUSED;
    w.t->provider = str_c(kind_integration_text(w.t->kind));
    bool azure = w.t->kind == KIND_INTEGRATION_AZURE_OPENAI;
    if (azure ? !azure_path(&w) : !plain_path(&w))
        return TARGET_REFUSED;
    enum target_verdict verdict = azure ? azure_target_token(&w) : TARGET_READY;
    if (verdict != TARGET_READY)
        return verdict;
    return target_lines(&w) ? TARGET_READY : TARGET_REFUSED;
}
