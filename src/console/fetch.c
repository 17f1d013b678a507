/* SPDX-License-Identifier: Apache-2.0 */
/* One request over the worker's own pool. The head holds a provider's key and is wiped. */
#include "console/fetch.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/version.h"
#include "console/job.h"

#define HEAD_MAX (64u << 10)
#define TIMEOUT_US UINT64_C(15000000)

static void over(struct fetch *f, enum err e, const char *why)
{
    f->state = e == ERR_OK ? FETCH_THERE : FETCH_FAILED;
    f->err = e;
    snprintf(f->why, sizeof f->why, "%.190s", why && why[0] ? why : err_info(e)->text);
    mem_wipe(f->head.p, f->head.cap);
    buf_free(&f->head);
    f->done(f->ctx);
}

static void on_head(struct http_call *call, const struct http1_head *head)
{
    struct fetch *f = call->app_data;
    f->status = head->status;
}

static void on_body(struct http_call *call, struct str bytes, bool last)
{
    struct fetch *f = call->app_data;
    if (!buf_add_str(&f->body, bytes)) {
        http_call_cancel(call);
        over(f, ERR_UPSTREAM_BAD_HTTP, "its answer is too long");
    } else if (!last && clock_mono_us() - f->began_us > FETCH_TOTAL_US) {
        http_call_cancel(call);
        over(f, ERR_UPSTREAM_IDLE, "its answer takes too long");
    } else if (last) {
        over(f, ERR_OK, NULL);
    }
}

static void on_failed(struct http_call *call, enum err why, const char *detail)
{
    over(call->app_data, why, detail);
}

static const struct http_call_app call_app = {.on_head = on_head, .on_body = on_body, .on_failed = on_failed};

/* The result of that step; NULL when it was not asked for. */
static const struct fetch *find(const struct job *j, unsigned step)
{
    const struct fetch *f = j->fetch;
    while (f && f->step != step)
        f = f->earlier;
    must(!f || f->state == FETCH_THERE || f->state == FETCH_FAILED);
    return f;
}

/* A further one, in front of the others. */
static struct fetch *ask(struct job *j, unsigned step, size_t answer_max)
{
    struct fetch *f = mem_zalloc(sizeof *f);
    must(step < FETCH_STEPS_MAX);
    must(!fetch_is_wanted(j->fetch));
    f->step = step;
    f->earlier = j->fetch;
    buf_init(&f->head, HEAD_MAX);
    buf_init(&f->body, answer_max);
    j->fetch = f;
    return f;
}

const struct fetch *fetch_get(struct job *j, const struct snapshot_integration *i, struct str path)
{
    const struct fetch *there = find(j, 0);
    if (there)
        return there;
    struct fetch *f = ask(j, 0, FETCH_BODY_MAX);
    f->target = (struct dial_target){i->host, i->port, i->tls}; /* the snapshot's, which the job holds */
    bool azure = i->kind == KIND_INTEGRATION_AZURE_OPENAI;
    bool v1 = !azure || str_eq(i->api_version, STR("v1"));
    struct str version = v1 ? STR("") : i->api_version;
    bool ok = buf_printf(&f->head,
                         "GET %.*s%s%.*s%s%.*s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: tollgate/" TOLLGATE_VERSION "\r\n"
                         "Accept: application/json\r\nAccept-Encoding: identity\r\n",
                         STR_ARG(i->base_path), azure && v1 ? "/v1" : "", STR_ARG(path),
                         v1 ? "" : "?api-version=", STR_ARG(version), STR_ARG(i->authority)) &&
              buf_add_str(&f->head, secret_reveal(&i->head_lines)) && buf_add_str(&f->head, STR("\r\n"));
    must(ok); /* every part is short */
    return NULL;
}

const struct fetch *fetch_step(struct job *j, unsigned step, const struct fetch_request *r)
{
    const struct fetch *there = find(j, step);
    if (there)
        return there;
    must(r->answer_max > 0);
    must(r->answer_max <= FETCH_BODY_MAX);
    struct fetch *f = ask(j, step, r->answer_max);
    f->target = r->target;
    f->content = r->content;
    bool ok = buf_printf(&f->head,
                         "%.*s %.*s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: tollgate/" TOLLGATE_VERSION "\r\n"
                         "Accept: application/json\r\nAccept-Encoding: identity\r\n",
                         STR_ARG(r->method), STR_ARG(r->path), STR_ARG(r->authority)) &&
              buf_add_str(&f->head, r->lines);
    if (r->content.n)
        ok = ok && buf_printf(&f->head, "Content-Length: %zu\r\n", r->content.n);
    ok = ok && buf_add_str(&f->head, STR("\r\n"));
    must(ok); /* the caller's addresses are short */
    return NULL;
}

bool fetch_is_wanted(const struct fetch *f)
{
    return f && f->state == FETCH_WANTED;
}

bool fetch_is_under_way(const struct fetch *f)
{
    return f && f->state == FETCH_UNDER_WAY;
}

void fetch_begin(struct fetch *f, struct http_client *client, void (*done)(void *ctx), void *ctx)
{
    struct http_call_options options = {.first_byte_timeout_us = TIMEOUT_US, .idle_timeout_us = TIMEOUT_US};
    must(f->state == FETCH_WANTED);
    f->state = FETCH_UNDER_WAY;
    f->done = done;
    f->ctx = ctx;
    f->began_us = clock_mono_us();
    f->call = (struct http_call){.app = &call_app, .app_data = f};
    http_call_begin(client, &f->call, &f->target, &options, buf_str(&f->head), f->content);
}

void fetch_free(struct fetch *f)
{
    while (f) {
        struct fetch *earlier = f->earlier;
        if (f->state == FETCH_UNDER_WAY)
            http_call_cancel(&f->call);
        if (f->head.p)
            mem_wipe(f->head.p, f->head.cap);
        if (f->body.p)
            mem_wipe(f->body.p, f->body.cap); /* it may hold tokens */
        buf_free(&f->head);
        buf_free(&f->body);
        mem_free(f);
        f = earlier;
    }
}
