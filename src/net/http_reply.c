/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of the server's side: heads, content and framing into the socket. What the socket does not
 * take is kept in `out`. Nothing here ends an exchange or calls the application: whoever answers does
 * so from inside a callback of its own, so ends and failures are left to the loop's next call of the
 * connection.
 */
#include <stdio.h>

#include "base/digits.h"
#include "base/log.h"
#include "base/must.h"
#include "net/http_conn.h"
#include "net/http_server.h"

#define HEAD_ROOM 512 /* most heads fit in */

/* Keeps the unwritten rest of the vector. */
static void keep_rest(struct http_conn *c, const struct iovec *iov, int count, size_t written)
{
    for (int i = 0; i < count; i++) {
        size_t skip = written < iov[i].iov_len ? written : iov[i].iov_len;
        written -= skip;
        if (!buf_add(&c->out, (const char *)iov[i].iov_base + skip, iov[i].iov_len - skip))
            c->overflow = true;
    }
}

bool http_conn_output(struct http_conn *c, const struct iovec *more, int more_count)
{
    struct iovec iov[SOCK_IOV_MAX];
    size_t kept = buf_size(&c->out), total = kept, written = 0;
    int count = 0;
    must(more_count < SOCK_IOV_MAX);
    if (kept)
        iov[count++] = (struct iovec){c->out.p + c->out.start, kept};
    for (int i = 0; i < more_count; i++) {
        iov[count++] = more[i];
        total += more[i].iov_len;
    }
    int first = 0;
    if (!kept)
        c->moved_us = loop_now_us(c->server->loop);
    while (written < total && !c->blocked) {
        size_t n = 0;
        enum sock_io io = sock_write(&c->sock, iov + first, count - first, &n);
        if (io == SOCK_AGAIN)
            c->blocked = true;
        else if (io != SOCK_DONE)
            return false;
        written += n;
        if (n)
            c->moved_us = loop_now_us(c->server->loop);
        while (first < count && n >= iov[first].iov_len)
            n -= iov[first++].iov_len;
        if (first < count) {
            iov[first].iov_base = (char *)iov[first].iov_base + n;
            iov[first].iov_len -= n;
        }
    }
    buf_take(&c->out, written < kept ? written : kept);
    keep_rest(c, more, more_count, written > kept ? written - kept : 0);
    http_conn_account(c);
    buf_release(&c->out);
    return !c->overflow;
}

static void break_later(struct http_conn *c)
{
    c->broken = true;
    loop_requeue(c->server->loop, &c->io, LOOP_HUP);
}

void http_conn_write(struct http_conn *c, const struct iovec *iov, int count)
{
    if (c->state == CONN_CLOSED)
        return;
    if (!http_conn_output(c, iov, count)) {
        break_later(c);
        return;
    }
    if (c->reply_ended || buf_size(&c->out))
        http_conn_after_output(c);
}

/* The part of `bytes` that the framing of the answer has room for; breaks the connection when that is not all. */
static struct str framed_part(struct http_conn *c, struct str bytes)
{
    if (c->raw)
        return bytes;
    if (c->x.is_head || c->no_body)
        return str_of("", 0);
    if (!c->counted)
        return bytes;
    if (bytes.n > c->promised) {
        log_error("answer_longer_than_announced", LOG_TEXT("peer", c->peer));
        break_later(c);
        return str_of("", 0);
    }
    c->promised -= bytes.n;
    return bytes;
}

#define SIZE_LINE_MAX (DIGITS_HEX_MAX + 2)

/* The line before a chunk of `n` bytes; returns its length. */
static size_t put_size_line(char line[SIZE_LINE_MAX], size_t n)
{
    size_t digits = digits_hex(n, line);
    memcpy(line + digits, "\r\n", 2);
    return digits + 2;
}

void http_send(struct http_exchange *x, struct str bytes)
{
    struct http_conn *c = http_conn_of(x);
    char size_line[SIZE_LINE_MAX];
    struct iovec iov[3];
    if (c->state == CONN_CLOSED || c->broken || !bytes.n)
        return;
    must(c->head_ended);
    must(!c->reply_ended);
    bytes = framed_part(c, bytes);
    if (!bytes.n)
        return;
    struct iovec content = {(void *)(uintptr_t)bytes.p, bytes.n};
    if (!c->chunked) {
        iov[0] = content;
        http_conn_write(c, iov, 1);
        return;
    }
    char crlf[] = "\r\n";
    iov[0] = (struct iovec){size_line, put_size_line(size_line, bytes.n)};
    iov[1] = content;
    iov[2] = (struct iovec){crlf, 2};
    http_conn_write(c, iov, 3);
}

void http_send_end(struct http_exchange *x, struct str bytes)
{
    struct http_conn *c = http_conn_of(x);
    char size_line[SIZE_LINE_MAX], tail[] = "\r\n0\r\n\r\n", only[] = "0\r\n\r\n";
    struct iovec iov[3];
    int count = 0;
    if (c->state == CONN_CLOSED || c->broken)
        return;
    must(c->head_ended);
    must(!c->reply_ended);
    bytes = framed_part(c, bytes);
    bool framed = c->chunked && !x->is_head;
    if (c->counted && c->promised && !x->is_head && !c->broken) {
        log_error("answer_shorter_than_announced", LOG_TEXT("peer", c->peer));
        break_later(c);
    }
    if (c->broken)
        return;
    if (bytes.n) {
        if (framed) {
            iov[count++] = (struct iovec){size_line, put_size_line(size_line, bytes.n)};
        }
        iov[count++] = (struct iovec){(void *)(uintptr_t)bytes.p, bytes.n};
        if (framed)
            iov[count++] = (struct iovec){tail, sizeof tail - 1};
    } else if (framed) {
        iov[count++] = (struct iovec){only, sizeof only - 1};
    }
    if (!http_conn_output(c, iov, count)) {
        break_later(c);
        return;
    }
    c->reply_ended = true;
    if (!buf_size(&c->out))
        loop_requeue(c->server->loop, &c->io, 0);
    else
        http_conn_after_output(c);
}

void http_end(struct http_exchange *x)
{
    http_send_end(x, str_of("", 0));
}

/* Answer heads. They are collected in `out` and leave with the first body bytes. */

static void out_add(struct http_conn *c, struct str s)
{
    if (!buf_add_str(&c->out, s))
        c->overflow = true;
}

void http_head_begin(struct http_exchange *x, int status)
{
    struct http_conn *c = http_conn_of(x);
    if (c->state == CONN_CLOSED)
        return;
    must(!c->head_ended);
    char digits[DIGITS_DECIMAL_MAX];
    must(status >= 100);
    if (!buf_reserve(&c->out, HEAD_ROOM))
        c->overflow = true;
    out_add(c, STR("HTTP/1.1 "));
    out_add(c, str_of(digits, digits_decimal((uint64_t)status, digits)));
    out_add(c, STR(" "));
    out_add(c, str_c(http1_reason(status)));
    out_add(c, STR("\r\n"));
}

void http_head_field(struct http_exchange *x, struct str name, struct str value)
{
    struct http_conn *c = http_conn_of(x);
    if (c->state == CONN_CLOSED)
        return;
    must(http1_value_valid(value));
    out_add(c, name);
    out_add(c, STR(": "));
    out_add(c, value);
    out_add(c, STR("\r\n"));
}

void http_head_lines(struct http_exchange *x, struct str lines)
{
    struct http_conn *c = http_conn_of(x);
    if (c->state != CONN_CLOSED)
        out_add(c, lines);
}

void http_head_end(struct http_exchange *x, enum http1_framing framing, uint64_t length, bool close)
{
    struct http_conn *c = http_conn_of(x);
    char digits[DIGITS_DECIMAL_MAX];
    if (c->state == CONN_CLOSED)
        return;
    must(!c->head_ended);
    if (framing == HTTP1_CHUNKED && x->http10)
        framing = HTTP1_UNTIL_CLOSE;
    if (framing == HTTP1_LENGTH) {
        out_add(c, STR("Content-Length: "));
        out_add(c, str_of(digits, digits_decimal(length, digits)));
        out_add(c, STR("\r\n"));
        c->counted = true;
        c->promised = length;
    } else if (framing == HTTP1_CHUNKED) {
        out_add(c, STR("Transfer-Encoding: chunked\r\n"));
        c->chunked = true;
    }
    c->no_body = framing == HTTP1_NO_BODY;
    /* A request whose body is not all here yet may leave some of it behind. */
    c->close_after |= close || framing == HTTP1_UNTIL_CLOSE || c->server->draining || c->state == CONN_BODY;
    if (c->raw)
        out_add(c, STR("Connection: Upgrade\r\n\r\n"));
    else if (c->close_after)
        out_add(c, STR("Connection: close\r\n\r\n"));
    else if (x->http10)
        out_add(c, STR("Connection: keep-alive\r\n\r\n"));
    else
        out_add(c, STR("\r\n"));
    c->head_ended = true;
}

bool http_head_sent(const struct http_exchange *x)
{
    return http_conn_of_const(x)->head_ended;
}

void http_reply(struct http_exchange *x, int status, struct str content_type, struct str lines, struct str body)
{
    http_head_begin(x, status);
    if (content_type.n)
        http_head_field(x, STR("Content-Type"), content_type);
    http_head_lines(x, lines);
    http_head_end(x, status == 204 || status == 304 ? HTTP1_NO_BODY : HTTP1_LENGTH, body.n, false);
    http_send_end(x, body);
}

/* Answers what is not a request, and closes. */
void http_conn_refuse(struct http_conn *c, enum err why)
{
    char body[512], head[256];
    const struct err_info *info = err_info(why);
    int n =
        snprintf(body, sizeof body, "{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"param\":null,\"code\":\"%s\"}}",
                 info->text, info->type, info->code);
    must(n > 0 && n < (int)sizeof body);
    int h = snprintf(head, sizeof head,
                     "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n"
                     "Connection: close\r\n\r\n",
                     info->status, http1_reason(info->status), info->status == 503 ? "Retry-After: 1\r\n" : "", n);
    must(h > 0 && h < (int)sizeof head);
    struct iovec iov[2] = {{head, (size_t)h}, {body, (size_t)n}};
    if (http_conn_output(c, iov, 2))
        http_conn_linger(c);
    else
        http_conn_close(c, why);
}
