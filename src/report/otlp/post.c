/* SPDX-License-Identifier: Apache-2.0 */
/* The specification is OTLP 1.x, "OTLP/HTTP"; partial success is in the answer's body, as JSON. */
#include "report/otlp/post.h"

#include <stdio.h>
#include <zlib.h>

#include "base/arena.h"
#include "base/digits.h"
#include "base/json/jdoc.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/version.h"

#define SUFFIX "/v1/traces"
#define BODY_MAX (8u << 20)
#define HEAD_MAX (64u << 10)
#define ANSWER_MAX (64u << 10)
#define LINES_MAX (32u << 10)
#define HEADERS_MAX 32
#define RETRY_AFTER_MAX_S 300
#define GZIP_WINDOW (15 + 16) /* zlib: the largest window, with gzip's frame */

struct post {
    struct http_client *client;
    const struct post_target *target;
    struct http_call call;
    bool live;
    unsigned status;
    uint64_t retry_after_s;
    struct buf head, body, answer;
    post_done_fn *done;
    void *ctx;
};

/* --- the target ------------------------------------------------------------------------------ */

static bool is_token(struct str name)
{
    static const char other[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == 0 || !memchr(other, c, sizeof other - 1)))
            return false;
    }
    return name.n > 0;
}

static bool is_value(struct str value)
{
    for (size_t i = 0; i < value.n; i++)
        if ((unsigned char)value.p[i] < 0x20 || value.p[i] == 0x7f)
            return false;
    return value.n > 0;
}

/* Fields that belong to the message itself. */
static bool is_ours(struct str name)
{
    static const struct str ours[] = {{"host", 4},        {"content-length", 14},   {"content-type", 12},
                                      {"connection", 10}, {"content-encoding", 16}, {"transfer-encoding", 17}};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (str_eq_nocase(name, ours[i]))
            return true;
    return false;
}

static const char *add_header(struct str part, struct arena *a, struct buf *lines)
{
    ptrdiff_t at = str_find(part, '=');
    struct str value;
    if (at <= 0)
        return "each header is name=value, with commas between them";
    struct str name = str_trim(str_head(part, (size_t)at));
    if (!is_token(name) || is_ours(name))
        return "a header's name is not one that can be sent";
    if (!url_decode(str_trim(str_from(part, (size_t)at + 1)), URL_IN_PATH, a, &value) || !is_value(value))
        return "a header's value is empty or cannot be sent";
    bool ok = buf_add_str(lines, name) && buf_add_str(lines, STR(": ")) && buf_add_str(lines, value) &&
              buf_add_str(lines, STR("\r\n"));
    return ok ? NULL : "the headers are too long together";
}

static const char *read_headers(struct str text, struct secret *ret)
{
    struct arena *a = arena_new(1024, LINES_MAX);
    struct buf lines;
    struct str part;
    const char *why = NULL;
    unsigned count = 0;
    buf_init(&lines, LINES_MAX);
    while (!why && text.n && str_split(&text, ',', &part)) {
        if (str_trim(part).n)
            why = ++count > HEADERS_MAX ? "there are too many headers" : add_header(part, a, &lines);
    }
    if (!why)
        secret_set(ret, buf_str(&lines));
    buf_free(&lines);
    arena_free(a);
    return why;
}

enum err post_target_read(struct str endpoint, struct str headers, struct post_target *ret, char why[POST_WHY_MAX])
{
    const char *reason = "";
    *ret = (struct post_target){.lines = {NULL, 0}};
    if (url_parse(endpoint, URL_BASE, &ret->url, &reason) != ERR_OK) {
        snprintf(why, POST_WHY_MAX, "the collector's address is not usable: %s", reason);
        return ERR_BAD_OPTION;
    }
    bool whole = str_ends(ret->url.path, STR(SUFFIX));
    snprintf(ret->path, sizeof ret->path, "%.*s%s", STR_ARG(ret->url.path), whole ? "" : SUFFIX);
    url_authority(ret->url.host, ret->url.port, ret->url.scheme, ret->authority);
    reason = read_headers(headers, &ret->lines);
    if (reason) { /* never the text itself: it is a secret */
        snprintf(why, POST_WHY_MAX, "the headers for the collector are not usable: %s", reason);
        return ERR_BAD_OPTION;
    }
    return ERR_OK;
}

void post_target_done(struct post_target *t)
{
    secret_wipe(&t->lines);
}

/* --- the answer ------------------------------------------------------------------------------ */

static void finish(struct post *p, const struct post_result *result)
{
    p->live = false;
    p->done(p->ctx, result);
}

/* {"partialSuccess":{"rejectedSpans":"3","errorMessage":"…"}}; numbers may come as strings. */
static void read_partial(struct post *p, struct post_result *r)
{
    struct jdoc doc;
    jdoc_init(&doc);
    if (jdoc_parse(&doc, buf_str(&p->answer))) {
        struct jval partial = jdoc_find(jdoc_root(&doc), "partialSuccess");
        struct jval rejected = jdoc_find(partial, "rejectedSpans");
        r->rejected = jdoc_count(rejected, 0);
        if (!r->rejected && !str_to_u64(jdoc_escaped(rejected), &r->rejected))
            r->rejected = 0;
        struct str message = jdoc_escaped(jdoc_find(partial, "errorMessage"));
        snprintf(r->why, sizeof r->why, "%.*s", (int)(message.n < 200 ? message.n : 200), message.p);
    }
    jdoc_free(&doc);
}

static bool is_about_the_document(unsigned status)
{
    return status == 400 || status == 413 || status == 422;
}

static void judge(struct post *p)
{
    struct post_result r = {.verdict = POST_LATER, .wait_us = p->retry_after_s * 1000000};
    if (p->status / 100 == 2) {
        r.verdict = POST_TAKEN;
        read_partial(p, &r);
    } else {
        r.verdict = is_about_the_document(p->status) ? POST_REFUSED : POST_LATER;
        snprintf(r.why, sizeof r.why, "the collector answered with status %u", p->status);
    }
    finish(p, &r);
}

static void on_head(struct http_call *call, const struct http1_head *head)
{
    struct post *p = call->app_data;
    p->status = (unsigned)head->status;
    for (unsigned i = 0; i < head->field_count; i++) {
        uint64_t seconds;
        if (str_eq_nocase(head->fields[i].name, STR("retry-after")) && str_to_u64(head->fields[i].value, &seconds))
            p->retry_after_s = seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S;
    }
}

static void on_body(struct http_call *call, struct str bytes, bool last)
{
    struct post *p = call->app_data;
    if (!buf_add_str(&p->answer, bytes)) /* more than anybody has to say: what is cut is not looked at */
        buf_reset(&p->answer);
    if (last)
        judge(p);
}

static void on_failed(struct http_call *call, enum err why, const char *detail)
{
    struct post_result r = {.verdict = POST_LATER};
    snprintf(r.why, sizeof r.why, "%.200s", detail && detail[0] ? detail : err_info(why)->text);
    finish(call->app_data, &r);
}

static const struct http_call_app call_app = {.on_head = on_head, .on_body = on_body, .on_failed = on_failed};

/* --- the call -------------------------------------------------------------------------------- */

struct post *post_new(struct http_client *c, const struct post_target *target)
{
    struct post *p = mem_zalloc(sizeof *p);
    p->client = c;
    p->target = target;
    buf_init(&p->head, HEAD_MAX);
    buf_init(&p->body, BODY_MAX);
    buf_init(&p->answer, ANSWER_MAX);
    return p;
}

void post_free(struct post *p)
{
    if (!p)
        return;
    if (p->live)
        http_call_cancel(&p->call);
    buf_free(&p->head);
    buf_free(&p->body);
    buf_free(&p->answer);
    mem_free(p);
}

bool post_busy(const struct post *p)
{
    return p->live;
}

static void compress_body(struct post *p, struct str json)
{
    z_stream z = {.zalloc = NULL};
    int e = deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY);
    must(e == Z_OK);
    size_t room = deflateBound(&z, json.n);
    char *out = buf_reserve(&p->body, room);
    must(out != NULL); /* documents are far below BODY_MAX */
    union {
        const char *in;
        Bytef *next;
    } from = {json.p}; /* zlib reads through a pointer that is not const */
    z.next_in = from.next;
    z.avail_in = (uInt)json.n;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)room;
    e = deflate(&z, Z_FINISH);
    must(e == Z_STREAM_END);
    buf_commit(&p->body, z.total_out);
    deflateEnd(&z);
}

static bool write_head(struct post *p)
{
    char digits[DIGITS_DECIMAL_MAX];
    const struct post_target *t = p->target;
    struct buf *h = &p->head;
    return buf_add_str(h, STR("POST ")) && buf_add_str(h, str_c(t->path)) &&
           buf_add_str(h, STR(" HTTP/1.1\r\nHost: ")) && buf_add_str(h, str_c(t->authority)) &&
           buf_add_str(h, STR("\r\nUser-Agent: tollgate/" TOLLGATE_VERSION "\r\n")) &&
           buf_add_str(h, secret_reveal(&t->lines)) &&
           buf_add_str(h, STR("Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: ")) &&
           buf_add_str(h, str_of(digits, digits_decimal(buf_size(&p->body), digits))) &&
           buf_add_str(h, STR("\r\n\r\n"));
}

void post_begin(struct post *p, struct str json, post_done_fn *done, void *ctx)
{
    struct http_call_options options = {.first_byte_timeout_us = POST_TIMEOUT_US, .idle_timeout_us = POST_TIMEOUT_US};
    const struct url *u = &p->target->url;
    struct dial_target where = {str_c(u->host), u->port, u->scheme == URL_HTTPS};
    must(!p->live);
    p->done = done;
    p->ctx = ctx;
    p->live = true;
    p->status = 0;
    p->retry_after_s = 0;
    buf_reset(&p->head);
    buf_reset(&p->body);
    buf_reset(&p->answer);
    compress_body(p, json);
    bool fits = write_head(p);
    must(fits);
    p->call = (struct http_call){.app = &call_app, .app_data = p};
    http_call_begin(p->client, &p->call, &where, &options, buf_str(&p->head), buf_str(&p->body));
}
