/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A webhook is one object on the heap with its head, payload and what came of the answer. It ends in
 * end(), by the answer, a failure, the time limit or cancelling, and is buried: the HTTP client may
 * still be in a callback of it.
 */
#include "gateway/hooks/webhook.h"

#include <stdio.h>

#include "base/json_text.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/version.h"
#include "net/http_client.h"
#include "net/url.h"

#define HEAD_MAX 32768
#define HEADERS_MAX 64
#define MAGIC 0x3eb400cu

struct webhook {
    unsigned magic;
    struct http_call call;
    struct loop *loop;
    struct loop_timer timer;
    struct loop_grave grave;
    struct list node; /* detached: the thread's list */
    struct buf head, payload, answer;
    webhook_done_fn *done; /* NULL: detached */
    void *ctx;
    uint64_t timeout_ms;
    int status;
};

/* Of this thread; `next` NULL: not initialised. */
static _Thread_local struct list detached;
static _Thread_local unsigned detached_count;
static _Thread_local size_t detached_bytes;

/* --- settings ---------------------------------------------------------------------------------------- */

bool webhook_settings_of(struct jval parameters, const char *url_name, struct arena *a, struct webhook_settings *ret,
                         const char **ret_why)
{
    struct jval headers = jdoc_find(parameters, "headers"), timeout = jdoc_find(parameters, "timeout");
    *ret = (struct webhook_settings){.url = jdoc_text(jdoc_get(parameters, url_name), a), .headers = STR("")};
    *ret_why = "The webhook's URL is missing.";
    if (!ret->url.n)
        return false;
    *ret_why = "The webhook's headers must be an object of strings.";
    if (jdoc_kind(headers) == JDOC_OBJECT)
        ret->headers = jdoc_raw(headers);
    else if (jdoc_kind(headers) == JDOC_STRING) /* some write the object as a string */
        ret->headers = str_trim(jdoc_text(headers, a));
    else if (jdoc_has(headers))
        return false;
    *ret_why = "The webhook's timeout must be a whole number of milliseconds from 1 to 30000.";
    ret->timeout_ms = jdoc_has(timeout) ? jdoc_count(timeout, 0) : WEBHOOK_TIMEOUT_MS;
    return ret->timeout_ms > 0 && ret->timeout_ms <= WEBHOOK_TIMEOUT_MAX_MS;
}

struct str webhook_host_of(struct str url)
{
    ptrdiff_t slashes = str_search(url, STR("://"));
    size_t end = slashes < 0 ? 0 : (size_t)slashes + 3;
    while (slashes >= 0 && end < url.n && url.p[end] != '/' && url.p[end] != '?' && url.p[end] != '#')
        end++;
    return str_head(url, end);
}

/* --- head -------------------------------------------------------------------------------------------- */

static bool is_ours(struct str name)
{
    static const char *const names[] = {
        "host",    "content-length", "connection", "transfer-encoding", "upgrade",   "te",
        "trailer", "expect",         "keep-alive", "accept-encoding",   "user-agent"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq_nocase(name, str_c(names[i])))
            return true;
    return str_starts_nocase(name, STR("proxy-"));
}

static bool is_token(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!http1_token_byte((unsigned char)name.p[i]))
            return false;
    return name.n > 0;
}

/* A header line of the check's parameters. */
static bool add_header(struct buf *out, struct jval name, struct arena *a, bool *has_type)
{
    struct jval v = jdoc_value(name);
    struct str key = jdoc_text(name, a);
    struct str value = jdoc_kind(v) == JDOC_STRING ? jdoc_text(v, a) : jdoc_raw(v);
    if (jdoc_kind(v) == JDOC_OBJECT || jdoc_kind(v) == JDOC_ARRAY || !is_token(key) || !http1_value_valid(value))
        return false;
    if (is_ours(key))
        return true;
    *has_type = *has_type || str_eq_nocase(key, STR("content-type"));
    return buf_add_str(out, key) && buf_add_str(out, STR(": ")) && buf_add_str(out, value) &&
           buf_add_str(out, STR("\r\n"));
}

static bool add_headers(struct buf *out, struct str headers, bool *has_type)
{
    struct jdoc doc;
    struct arena *a = arena_new(1024, 4 * HEAD_MAX);
    bool right = true;
    unsigned n = 0;
    jdoc_init(&doc);
    if (headers.n) {
        right = jdoc_parse(&doc, headers) && jdoc_kind(jdoc_root(&doc)) == JDOC_OBJECT;
        struct jval all = right ? jdoc_root(&doc) : (struct jval){NULL, 0};
        for (struct jval e = jdoc_first(all); right && jdoc_has(e); e = jdoc_next(all, e))
            right = ++n <= HEADERS_MAX && add_header(out, e, a, has_type);
    }
    jdoc_free(&doc);
    arena_free(a);
    return right;
}

static const char *build_head(struct webhook *w, const struct webhook_settings *s, struct url *url)
{
    struct str path, query;
    char authority[URL_AUTHORITY_MAX];
    bool has_type = false;
    const char *ignored;
    if (!url_split(s->url, url, &path, &query, &ignored))
        return "The webhook's URL is not valid: it begins with https:// or http://, a host name, a path; other characters "
               "must be percent-encoded.";
    size_t n = url_authority(url->host, url->port, url->scheme, authority);
    if (!buf_printf(&w->head, "POST %.*s%.*s HTTP/1.1\r\nHost: %.*s\r\n", STR_ARG(path), STR_ARG(query), (int)n,
                    authority) ||
        !buf_printf(&w->head, "User-Agent: tollgate/%s\r\nAccept-Encoding: identity\r\nContent-Length: %zu\r\n",
                    TOLLGATE_VERSION, buf_size(&w->payload)))
        return "The webhook's URL is too long.";
    if (!add_headers(&w->head, s->headers, &has_type))
        return "The webhook's headers must be an object of strings that can be sent.";
    if ((!has_type && !buf_add_str(&w->head, STR("Content-Type: application/json\r\n"))) ||
        !buf_add_str(&w->head, STR("\r\n")))
        return "The webhook's headers are too long.";
    return NULL;
}

/* --- the exchange ------------------------------------------------------------------------------------ */

static void free_webhook(struct webhook *w)
{
    w->magic = 0;
    buf_free(&w->head);
    buf_free(&w->payload);
    buf_free(&w->answer);
    mem_free(w);
}

static void on_free(struct loop_grave *g)
{
    free_webhook(list_entry(g, struct webhook, grave));
}

static void bury(struct webhook *w)
{
    if (!list_empty(&w->node)) {
        detached_count--;
        detached_bytes -= buf_size(&w->payload);
    }
    list_remove(&w->node);
    loop_timer_clear(w->loop, &w->timer);
    loop_bury(w->loop, &w->grave);
}

static void end(struct webhook *w, const char *error)
{
    must(w->magic == MAGIC);
    webhook_done_fn *done = w->done;
    w->done = NULL;
    bury(w);
    if (done)
        done(w->ctx, error, error[0] ? STR("") : buf_str(&w->answer));
}

static void on_time(struct loop_timer *t)
{
    struct webhook *w = list_entry(t, struct webhook, timer);
    char text[80];
    snprintf(text, sizeof text, "The webhook did not answer within %llu ms.", (unsigned long long)w->timeout_ms);
    http_call_cancel(&w->call);
    end(w, text);
}

static void on_head(struct http_call *call, const struct http1_head *head)
{
    struct webhook *w = call->app_data;
    w->status = head->status;
    if (w->done && head->framing == HTTP1_LENGTH && head->content_length > WEBHOOK_ANSWER_MAX) {
        http_call_cancel(call);
        end(w, "The webhook's answer is too large.");
    }
}

static void on_body(struct http_call *call, struct str bytes, bool last)
{
    struct webhook *w = call->app_data;
    if (w->done && !buf_add_str(&w->answer, bytes)) {
        if (!last)
            http_call_cancel(call);
        end(w, "The webhook's answer is too large.");
    } else if (last && (w->status < 200 || w->status > 299)) {
        char text[64];
        snprintf(text, sizeof text, "The webhook answered with status %d.", w->status);
        end(w, text);
    } else if (last) {
        end(w, "");
    }
}

static void on_drained(struct http_call *call)
{
    (void)call;
}

static void on_failed(struct http_call *call, enum err why, const char *detail)
{
    char text[200];
    (void)why;
    snprintf(text, sizeof text, "The webhook could not be asked: %s", detail);
    end(call->app_data, text);
}

static const struct http_call_app call_app = {on_head, on_body, on_drained, on_failed};

static struct webhook *new_webhook(struct loop *loop, const struct webhook_settings *s)
{
    struct webhook *w = mem_zalloc(sizeof *w);
    w->magic = MAGIC;
    w->loop = loop;
    w->timer.on_time = on_time;
    w->grave.on_free = on_free;
    w->timeout_ms = s->timeout_ms;
    w->call = (struct http_call){.app = &call_app, .app_data = w};
    list_init(&w->node);
    buf_init(&w->head, HEAD_MAX);
    buf_init(&w->payload, WEBHOOK_PAYLOAD_MAX);
    buf_init(&w->answer, WEBHOOK_ANSWER_MAX);
    return w;
}

struct webhook *webhook_begin(struct http_client *client, struct loop *loop, const struct webhook_settings *settings,
                              struct str payload, webhook_done_fn *done, void *ctx, const char **ret_why)
{
    struct webhook *w = new_webhook(loop, settings);
    struct url url;
    *ret_why =
        buf_add_str(&w->payload, payload) ? build_head(w, settings, &url) : "The webhook's payload is too large.";
    if (*ret_why) {
        free_webhook(w);
        return NULL;
    }
    w->done = done;
    w->ctx = ctx;
    uint64_t limit_us = w->timeout_ms * 1000;
    struct dial_target target = {str_c(url.host), url.port, url.scheme == URL_HTTPS};
    struct http_call_options options = {.first_byte_timeout_us = limit_us, .idle_timeout_us = limit_us};
    loop_timer_set(loop, &w->timer, loop_now_us(loop) + limit_us);
    http_call_begin(client, &w->call, &target, &options, buf_str(&w->head), buf_str(&w->payload));
    return w;
}

void webhook_cancel(struct webhook *w)
{
    must(w->magic == MAGIC);
    w->done = NULL;
    http_call_cancel(&w->call);
    bury(w);
}

bool webhook_send(struct http_client *client, struct loop *loop, const struct webhook_settings *settings,
                  struct str payload, const char **ret_why)
{
    if (!detached.next)
        list_init(&detached);
    *ret_why = "Too many webhooks that nobody waits for are under way.";
    if (detached_count >= WEBHOOK_DETACHED_MAX || payload.n > WEBHOOK_DETACHED_BYTES - detached_bytes)
        return false;
    struct webhook *w = webhook_begin(client, loop, settings, payload, NULL, NULL, ret_why);
    if (!w)
        return false;
    list_append(&detached, &w->node);
    detached_count++;
    detached_bytes += buf_size(&w->payload);
    return true;
}

void webhook_drop_detached(void)
{
    while (detached.next && !list_empty(&detached))
        webhook_cancel(list_entry(detached.next, struct webhook, node));
}
