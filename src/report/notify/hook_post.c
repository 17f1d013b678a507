/* SPDX-License-Identifier: Apache-2.0 */
/* The object is buried at its end, since the HTTP client may still be in a callback of it. */
#include "report/notify/hook_post.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/version.h"
#include "net/url.h"

#define HEAD_MAX 8192
#define BODY_MAX (2u << 20)
#define SAID_MAX 120 /* of the receiver's own words */
#define RETRY_AFTER_MAX_S 21600

struct hook_post {
    struct http_call call;
    struct loop *loop;
    struct loop_timer timer;
    struct loop_grave grave;
    struct buf head, body;
    int status;
    uint64_t retry_after_s;
    char said[SAID_MAX + 1];
    size_t said_n;
    char host[URL_HOST_MAX + 1];
    hook_post_done_fn *done;
    void *ctx;
};

/* --- ends ------------------------------------------------------------------------------------ */

static void on_free(struct loop_grave *g)
{
    struct hook_post *p = list_entry(g, struct hook_post, grave);
    if (p->head.p)
        mem_wipe(p->head.p, p->head.cap); /* the URL is a secret */
    buf_free(&p->head);
    buf_free(&p->body);
    mem_free(p);
}

static void release(struct hook_post *p)
{
    loop_timer_clear(p->loop, &p->timer);
    loop_bury(p->loop, &p->grave);
}

static void end(struct hook_post *p, const struct hook_post_result *r)
{
    release(p);
    p->done(p->ctx, r);
}

static bool may_pass(int status)
{
    return status == 408 || status == 425 || status == 429 || status >= 500;
}

static void judge(struct hook_post *p)
{
    struct hook_post_result r = {.verdict = HOOK_POST_TAKEN, .wait_us = p->retry_after_s * 1000000};
    if (p->status / 100 != 2) {
        r.verdict = may_pass(p->status) ? HOOK_POST_LATER : HOOK_POST_REFUSED;
        r.server = p->status == 429 || p->status >= 500;
        snprintf(r.why, sizeof r.why, "%.120s answered with status %d%s%s", p->host, p->status,
                 p->said_n              ? ": "
                 : p->status / 100 == 3 ? " (redirects are not followed)"
                                        : "",
                 p->said);
    }
    end(p, &r);
}

/* --- the answer ------------------------------------------------------------------------------ */

static void on_head(struct http_call *call, const struct http1_head *head)
{
    struct hook_post *p = call->app_data;
    p->status = head->status;
    for (unsigned i = 0; i < head->field_count; i++) {
        uint64_t seconds;
        if (str_eq_nocase(head->fields[i].name, STR("retry-after")) && str_to_u64(head->fields[i].value, &seconds))
            p->retry_after_s = seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S;
    }
}

/* The first words of a refusal; Slack's are "channel_is_archived" and the like. */
static void on_body(struct http_call *call, struct str bytes, bool last)
{
    struct hook_post *p = call->app_data;
    if (p->status / 100 >= 4)
        for (size_t i = 0; i < bytes.n && p->said_n < SAID_MAX; i++)
            p->said[p->said_n++] = bytes.p[i] >= ' ' && bytes.p[i] <= '~' ? bytes.p[i] : ' ';
    if (last)
        judge(p);
}

static void on_failed(struct http_call *call, enum err why, const char *detail)
{
    struct hook_post *p = call->app_data;
    struct hook_post_result r = {.verdict = why == ERR_UPSTREAM_REFUSED_ADDRESS ? HOOK_POST_REFUSED : HOOK_POST_LATER,
                                 .server = true};
    snprintf(r.why, sizeof r.why, "%.120s: %.180s", p->host, detail && detail[0] ? detail : err_info(why)->text);
    end(p, &r);
}

static const struct http_call_app call_app = {.on_head = on_head, .on_body = on_body, .on_failed = on_failed};

static void on_time(struct loop_timer *t)
{
    struct hook_post *p = list_entry(t, struct hook_post, timer);
    struct hook_post_result r = {.verdict = HOOK_POST_LATER, .server = true};
    snprintf(r.why, sizeof r.why, "%.120s did not answer within %u seconds", p->host,
             (unsigned)(HOOK_POST_TIMEOUT_US / 1000000));
    http_call_cancel(&p->call);
    end(p, &r);
}

/* --- the request ----------------------------------------------------------------------------- */

static bool write_request(struct hook_post *p, const struct url *u, struct str path, struct str query, struct str lines,
                          struct str body)
{
    char authority[URL_AUTHORITY_MAX];
    size_t n = url_authority(u->host, u->port, u->scheme, authority);
    return buf_printf(&p->head, "POST %.*s%.*s HTTP/1.1\r\nHost: %.*s\r\n", STR_ARG(path), STR_ARG(query), (int)n,
                      authority) &&
           buf_printf(&p->head,
                      "User-Agent: tollgate/%s\r\nAccept-Encoding: identity\r\n"
                      "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                      TOLLGATE_VERSION, body.n) &&
           buf_add_str(&p->head, lines) && buf_add_str(&p->head, STR("\r\n")) && buf_add_str(&p->body, body);
}

struct hook_post *hook_post_begin(struct http_client *client, struct loop *loop, struct str url, struct str lines,
                                  struct str body, hook_post_done_fn *done, void *ctx, char why[HOOK_POST_WHY_MAX])
{
    struct url u;
    struct str path, query;
    const char *reason;
    if (!url_split(url, &u, &path, &query, &reason)) {
        snprintf(why, HOOK_POST_WHY_MAX, "the receiver's URL cannot be used: %s", reason);
        return NULL;
    }
    struct hook_post *p = mem_zalloc(sizeof *p);
    p->loop = loop;
    p->done = done;
    p->ctx = ctx;
    p->timer.on_time = on_time;
    p->grave.on_free = on_free;
    str_copy(p->host, sizeof p->host, str_c(u.host));
    buf_init(&p->head, HEAD_MAX);
    buf_init(&p->body, BODY_MAX);
    if (!write_request(p, &u, path, query, lines, body)) {
        snprintf(why, HOOK_POST_WHY_MAX, "the message is too long to be sent");
        on_free(&p->grave);
        return NULL;
    }
    struct http_call_options options = {.first_byte_timeout_us = HOOK_POST_TIMEOUT_US,
                                        .idle_timeout_us = HOOK_POST_TIMEOUT_US};
    struct dial_target where = {str_c(p->host), u.port, u.scheme == URL_HTTPS};
    p->call = (struct http_call){.app = &call_app, .app_data = p};
    loop_timer_set(loop, &p->timer, loop_now_us(loop) + HOOK_POST_TIMEOUT_US);
    http_call_begin(client, &p->call, &where, &options, buf_str(&p->head), buf_str(&p->body));
    return p;
}

void hook_post_cancel(struct hook_post *p)
{
    http_call_cancel(&p->call);
    release(p);
}
