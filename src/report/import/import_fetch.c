/* SPDX-License-Identifier: Apache-2.0 */
/* The loop is turned here until the answer is there, so the code above reads from top to bottom. */
#include "report/import/import_fetch.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json/jdoc.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/version.h"
#include "net/dial.h"
#include "net/http_client.h"
#include "net/loop.h"
#include "net/resolve.h"

#define HEAD_MAX (64u << 10)
#define POOL_IDLE_US (30 * UINT64_C(1000000))
#define TURN_US UINT64_C(1000000)
#define WORDS_MAX 160

struct import_fetch {
    struct import_way way;
    char *texts; /* copies of host, authority, base path */
    struct str host, authority, base_path;
    bool tls;
    uint16_t port;
    struct secret head_lines;
    struct loop *loop;
    struct resolver *resolver;
    struct dialer *dialer;
    struct http_client *client;
    struct loop_timer timer; /* sleep, or the limit of a call */
    struct http_call call;
    struct buf head, body;
    struct import_reply reply;
    bool live, done, too_large, slept;
    _Atomic bool cancelled;
};

/* --- making ---------------------------------------------------------------------------------- */

static void on_time(struct loop_timer *t)
{
    struct import_fetch *f = list_entry(t, struct import_fetch, timer);
    f->slept = true;
}

static bool open_parts(struct import_fetch *f)
{
    const struct import_way *w = &f->way;
    struct resolver_settings resolving = {.timeout_us = w->connect_timeout_us};
    struct http_client_settings pool = {.pool_idle_us = POOL_IDLE_US, .connections_per_origin_max = 1};
    f->loop = loop_new();
    f->resolver = f->loop ? resolver_new(f->loop, &resolving) : NULL;
    if (!f->resolver)
        return false;
    struct dial_settings dial = {.resolver = f->resolver,
                                 .tls = w->tls,
                                 .allowed = w->allowed,
                                 .connect_timeout_us = w->connect_timeout_us,
                                 .https_proxy = w->https_proxy,
                                 .http_proxy = w->http_proxy,
                                 .no_proxy = w->no_proxy};
    f->dialer = dialer_new(f->loop, &dial);
    f->client = http_client_new(f->loop, f->dialer, &pool);
    return true;
}

struct import_fetch *import_fetch_new(const struct import_way *way, const struct import_target *t)
{
    struct import_fetch *f = mem_zalloc(sizeof *f);
    size_t n = t->host.n + t->authority.n + t->base_path.n;
    f->way = *way;
    f->texts = mem_alloc(n + 1);
    f->host = str_of(f->texts, t->host.n);
    f->authority = str_of(f->texts + t->host.n, t->authority.n);
    f->base_path = str_of(f->texts + t->host.n + t->authority.n, t->base_path.n);
    memcpy(f->texts, t->host.p, t->host.n);
    memcpy(f->texts + t->host.n, t->authority.p, t->authority.n);
    memcpy(f->texts + t->host.n + t->authority.n, t->base_path.p, t->base_path.n);
    f->tls = t->tls;
    f->port = t->port;
    f->timer.on_time = on_time;
    secret_set(&f->head_lines, t->head_lines);
    buf_init(&f->head, HEAD_MAX);
    buf_init(&f->body, IMPORT_REPLY_MAX);
    if (!open_parts(f)) {
        import_fetch_free(f);
        return NULL;
    }
    return f;
}

void import_fetch_free(struct import_fetch *f)
{
    if (!f)
        return;
    if (f->live)
        http_call_cancel(&f->call);
    http_client_free(f->client);
    dialer_free(f->dialer);
    resolver_free(f->resolver);
    loop_free(f->loop);
    secret_wipe(&f->head_lines);
    if (f->head.p)
        mem_wipe(f->head.p, f->head.cap);
    buf_free(&f->head);
    buf_free(&f->body);
    mem_free(f->texts);
    mem_free(f);
}

static void wake(void *ctx)
{
    (void)ctx; /* that the turn has ended is all that is wanted */
}

void import_fetch_cancel(struct import_fetch *f)
{
    f->cancelled = true;
    loop_post(f->loop, wake, f);
}

bool import_fetch_cancelled(const struct import_fetch *f)
{
    return f->cancelled;
}

/* --- the answer ------------------------------------------------------------------------------ */

static void on_head(struct http_call *call, const struct http1_head *head)
{
    struct import_fetch *f = call->app_data;
    struct import_reply *r = &f->reply;
    r->status = head->status;
    for (unsigned i = 0; i < head->field_count; i++) {
        struct str name = head->fields[i].name, value = head->fields[i].value;
        uint64_t seconds;
        if (str_eq_nocase(name, STR("retry-after")) && str_to_u64(value, &seconds)) {
            r->asked_to_wait = true;
            r->retry_after_us =
                (seconds < IMPORT_RETRY_AFTER_MAX_S ? seconds : IMPORT_RETRY_AFTER_MAX_S) * UINT64_C(1000000);
        } else if (str_eq_nocase(name, STR("openai-organization"))) {
            str_copy(r->organization, sizeof r->organization, value);
        }
    }
}

static void on_body(struct http_call *call, struct str bytes, bool last)
{
    struct import_fetch *f = call->app_data;
    if (!f->too_large && !buf_add_str(&f->body, bytes))
        f->too_large = true;
    if (last) {
        f->live = false;
        f->done = true;
    }
}

static void on_failed(struct http_call *call, enum err why, const char *detail)
{
    struct import_fetch *f = call->app_data;
    f->live = false;
    f->done = true;
    f->reply.status = 0;
    snprintf(f->reply.why, sizeof f->reply.why, "%.300s", detail && detail[0] ? detail : err_info(why)->text);
}

static const struct http_call_app call_app = {.on_head = on_head, .on_body = on_body, .on_failed = on_failed};

/* Upstream's own words, as far as they are plain text; keys in them are masked by upstream. */
static void explain(struct import_fetch *f)
{
    struct import_reply *r = &f->reply;
    struct jdoc doc;
    char words[WORDS_MAX] = "";
    size_t n = 0;
    jdoc_init(&doc);
    if (jdoc_parse(&doc, buf_str(&f->body))) {
        struct str message = jdoc_escaped(jdoc_find(jdoc_find(jdoc_root(&doc), "error"), "message"));
        for (size_t i = 0; i < message.n && n + 1 < sizeof words; i++)
            if (message.p[i] >= ' ' && message.p[i] < 0x7f)
                words[n++] = message.p[i];
        words[n] = '\0';
    }
    jdoc_free(&doc);
    snprintf(r->why, sizeof r->why, "OpenAI answered with status %d%s%s", r->status, n ? ": " : "", words);
}

/* --- the call -------------------------------------------------------------------------------- */

static bool write_head(struct import_fetch *f, struct str path)
{
    struct buf *h = &f->head;
    buf_reset(h);
    return buf_add_str(h, STR("GET ")) && buf_add_str(h, f->base_path) && buf_add_str(h, path) &&
           buf_add_str(h, STR(" HTTP/1.1\r\nHost: ")) && buf_add_str(h, f->authority) &&
           buf_add_str(h, STR("\r\nUser-Agent: tollgate/" TOLLGATE_VERSION "\r\nAccept: application/json\r\n")) &&
           buf_add_str(h, secret_reveal(&f->head_lines)) && buf_add_str(h, STR("\r\n"));
}

static void turn_until(struct import_fetch *f, const bool *flag)
{
    while (!*flag && !f->cancelled)
        loop_turn(f->loop, TURN_US);
}

void import_fetch_get(struct import_fetch *f, struct str path, struct import_reply *ret)
{
    struct http_call_options options = {.first_byte_timeout_us = f->way.reply_timeout_us,
                                        .idle_timeout_us = f->way.reply_timeout_us};
    struct dial_target where = {f->host, f->port, f->tls};
    f->reply = (struct import_reply){.body = STR("")};
    f->done = f->too_large = false;
    buf_reset(&f->body);
    bool fits = write_head(f, path);
    must(fits);
    f->live = true;
    f->call = (struct http_call){.app = &call_app, .app_data = f};
    http_call_begin(f->client, &f->call, &where, &options, buf_str(&f->head), STR(""));
    turn_until(f, &f->done);
    if (!f->done) {
        http_call_cancel(&f->call);
        f->live = false;
        f->reply.status = 0;
        snprintf(f->reply.why, sizeof f->reply.why, "the import was stopped");
    } else if (f->too_large) {
        snprintf(f->reply.why, sizeof f->reply.why, "upstream's reply is larger than %u bytes", IMPORT_REPLY_MAX);
        f->reply.status = 0;
    } else if (f->reply.status && f->reply.status / 100 != 2) {
        explain(f);
    }
    f->reply.body = buf_str(&f->body);
    *ret = f->reply;
}

void import_fetch_sleep(struct import_fetch *f, uint64_t us)
{
    if (!us)
        return;
    f->slept = false;
    loop_timer_set(f->loop, &f->timer, clock_mono_us() + us);
    turn_until(f, &f->slept);
    loop_timer_clear(f->loop, &f->timer);
}
