/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form follows from method and path; then base, path and query are put together. The client's
 * parameters keep their places and spelling; api-version and deployment are ours and replace what
 * the client gave for them.
 */
#include "gateway/target/azure_url.h"

#include "base/buf.h"
#include "net/url.h"

#define RESULT_MAX 65536
#define V1 "v1"

#define TEXT(literal)                  \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

static const struct str deployment_paths[] = {
    TEXT("/chat/completions"), TEXT("/completions"),  TEXT("/embeddings"),           TEXT("/images/generations"),
    TEXT("/images/edits"),     TEXT("/audio/speech"), TEXT("/audio/transcriptions"), TEXT("/audio/translations"),
};

static const struct str versioned_paths[] = {TEXT("/responses"), TEXT("/files"), TEXT("/batches"),
                                             TEXT("/fine_tuning")};

static bool is_below(struct str path, struct str top)
{
    return str_starts(path, top) && (path.n == top.n || path.p[top.n] == '/');
}

enum azure_url_form azure_url_form_of(struct str method, struct str path)
{
    if (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    if (str_eq(method, STR("POST")))
        for (size_t i = 0; i < sizeof deployment_paths / sizeof deployment_paths[0]; i++)
            if (str_eq(path, deployment_paths[i]))
                return AZURE_URL_DEPLOYMENT;
    for (size_t i = 0; i < sizeof versioned_paths / sizeof versioned_paths[0]; i++)
        if (is_below(path, versioned_paths[i]))
            return AZURE_URL_VERSIONED;
    return str_eq(path, STR("/realtime")) ? AZURE_URL_REALTIME : AZURE_URL_OTHER;
}

/* A parameter's name as written; nobody percent-encodes these. */
static struct str param_name(struct str pair)
{
    ptrdiff_t equals = str_find(pair, '=');
    return equals < 0 ? pair : str_head(pair, (size_t)equals);
}

static struct str param_value(struct str pair)
{
    return str_from(pair, param_name(pair).n + 1);
}

static struct str find_param(struct str query, struct str name)
{
    struct str pair;
    while (str_split(&query, '&', &pair))
        if (str_eq(param_name(pair), name))
            return param_value(pair);
    return STR("");
}

struct str azure_url_version(const struct azure_url_input *in, bool *ret_own)
{
    *ret_own = false;
    if (in->api_version.n)
        return in->api_version;
    struct str own = find_param(in->query, STR("api-version"));
    *ret_own = own.n > 0;
    return own.n || in->form == AZURE_URL_OTHER ? own : STR(V1);
}

/* Query strings, one parameter after the other. */

struct query {
    struct buf *out;
    bool begun, full;
};

static void put(struct query *q, struct str s)
{
    q->full = q->full || !buf_add_str(q->out, s);
}

static void put_pair(struct query *q, struct str pair)
{
    put(q, q->begun ? STR("&") : STR("?"));
    put(q, pair);
    q->begun = true;
}

static void put_param(struct query *q, struct str name, struct str value)
{
    put_pair(q, name);
    put(q, STR("="));
    q->full = q->full || !url_encode(q->out, value);
}

/* The client's parameters without those that will be put anew. */
static void put_clients(struct query *q, const struct azure_url_input *in, bool version_ours, bool v1)
{
    struct str rest = in->query, pair;
    bool names = in->form == AZURE_URL_REALTIME && in->deployment.n;
    while (str_split(&rest, '&', &pair)) {
        struct str name = param_name(pair);
        if (!pair.n || (version_ours && str_eq(name, STR("api-version"))) || (names && str_eq(name, STR("deployment"))))
            continue;
        if (names && v1 && str_eq(name, STR("model")))
            put_param(q, name, in->deployment);
        else
            put_pair(q, pair);
    }
}

static void put_query(struct query *q, const struct azure_url_input *in, struct str version, bool own)
{
    bool v1 = str_eq(version, STR(V1));
    bool theirs = in->form == AZURE_URL_OTHER && find_param(in->query, STR("api-version")).n;
    bool ours = version.n && !own && !theirs;
    put_clients(q, in, ours || (v1 && in->form != AZURE_URL_OTHER), v1);
    if (ours && !v1)
        put_param(q, STR("api-version"), version);
    if (in->form == AZURE_URL_REALTIME && in->deployment.n)
        put_param(q, STR("deployment"), in->deployment);
}

struct str azure_url_build(const struct azure_url_input *in, struct arena *a)
{
    struct buf out;
    bool own;
    struct str version = azure_url_version(in, &own), result = {NULL, 0};
    bool v1 = str_eq(version, STR(V1));
    buf_init(&out, RESULT_MAX);
    struct query q = {.out = &out};
    put(&q, in->base_path);
    if (v1)
        put(&q, STR("/" V1));
    if (in->form == AZURE_URL_DEPLOYMENT && !v1) {
        put(&q, STR("/deployments/"));
        q.full = q.full || !url_encode(&out, in->deployment);
    }
    put(&q, in->path);
    put_query(&q, in, version, own);
    if (!q.full)
        result = arena_dup(a, buf_str(&out));
    buf_free(&out);
    return result;
}

struct str azure_url_price_model(struct str model)
{
    ptrdiff_t at = str_search(model, STR(".ft"));
    if (at > 0 && ((size_t)at + 3 == model.n || model.p[at + 3] == '-'))
        return str_head(model, (size_t)at);
    return model;
}
