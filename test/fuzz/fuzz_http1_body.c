/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Body framing from any bytes. Input: one byte for the framing, two for the pieces, then the body. The
 * pieces make no difference; chunks are read as a plain reader of the whole reads them; and content
 * framed anew gives itself.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "net/http1_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define CONTENT_MAX (1 << 20)
#define LINE_MAX_BYTES 4096
#define TRAILER_MAX_BYTES 16384

struct result {
    enum http1_body_state state;
    struct buf content;
    size_t used;
};

/* `most` 0: in one piece; else pieces of 1 to `most` bytes. */
static void run(const struct http1_head *head, struct str s, uint64_t seed, unsigned most, struct result *ret)
{
    struct rng_seeded rng = {seed};
    struct http1_body b;
    http1_body_begin(&b, head);
    buf_init(&ret->content, CONTENT_MAX);
    ret->state = HTTP1_BODY_MORE;
    ret->used = 0;
    do {
        size_t n = most ? 1 + rng_seeded_below(&rng, most) : s.n;
        n = n < s.n ? n : s.n;
        char *copy = mem_alloc(n);
        if (n)
            memcpy(copy, s.p, n);
        struct str piece = {copy, n}, data;
        do {
            ret->state = http1_body_next(&b, &piece, &data);
            if (ret->state == HTTP1_BODY_DATA)
                must(data.n > 0 && buf_add_str(&ret->content, data));
        } while (ret->state == HTTP1_BODY_DATA);
        must(ret->state != HTTP1_BODY_MORE || piece.n == 0);
        ret->used += n - piece.n;
        s = str_from(s, n);
        mem_free(copy);
    } while (s.n && ret->state == HTTP1_BODY_MORE);
    must(http1_body_ends_at_close(&b) == (ret->state == HTTP1_BODY_DONE || head->framing == HTTP1_UNTIL_CLOSE));
}

/* A plain reader of the chunked coding, over the whole. */

static int peek(struct str s, size_t at)
{
    return at < s.n ? (unsigned char)s.p[at] : -1;
}

static bool text_byte(int c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

static int hex_of(int c)
{
    const char *digits = "0123456789abcdef", *at = c > 0 ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Takes CR LF; -1 wrong, 0 more is needed, 1 taken. */
static int take_crlf(struct str s, size_t *at)
{
    if (peek(s, *at) < 0)
        return 0;
    if (peek(s, *at) != '\r')
        return -1;
    (*at)++;
    if (peek(s, *at) < 0)
        return 0;
    if (peek(s, *at) != '\n')
        return -1;
    (*at)++;
    return 1;
}

static int take_size(struct str s, size_t *at, uint64_t *ret_size)
{
    size_t digits = 0, line = 0;
    *ret_size = 0;
    for (; hex_of(peek(s, *at)) >= 0; (*at)++) {
        if (++digits > 15)
            return -1;
        *ret_size = *ret_size * 16 + (unsigned)hex_of(peek(s, *at));
    }
    if (peek(s, *at) < 0)
        return 0;
    if (!digits)
        return -1;
    if (peek(s, *at) == ';')
        for (; text_byte(peek(s, *at)); (*at)++)
            if (++line > LINE_MAX_BYTES)
                return -1;
    if (peek(s, *at) == '\r' && line + 1 > LINE_MAX_BYTES)
        return -1;
    return take_crlf(s, at);
}

static int take_trailers(struct str s, size_t *at)
{
    size_t bytes = 0;
    for (;;) {
        if (peek(s, *at) == '\r' || peek(s, *at) < 0)
            return take_crlf(s, at);
        size_t name = *at;
        for (; http1_token_byte((unsigned char)(peek(s, *at) < 0 ? 0 : peek(s, *at))); (*at)++)
            if (++bytes > TRAILER_MAX_BYTES)
                return -1;
        if (peek(s, *at) < 0)
            return 0;
        if (peek(s, *at) != ':' || *at == name)
            return -1;
        do {
            (*at)++;
            if (++bytes > TRAILER_MAX_BYTES)
                return -1;
        } while (text_byte(peek(s, *at)));
        if (peek(s, *at) == '\r' && ++bytes > TRAILER_MAX_BYTES)
            return -1;
        int end = take_crlf(s, at);
        if (end <= 0)
            return end;
    }
}

static enum http1_body_state reference(struct str s, struct buf *content, size_t *ret_used)
{
    size_t at = 0;
    for (;;) {
        uint64_t size;
        int got = take_size(s, &at, &size);
        if (got <= 0)
            return got ? HTTP1_BODY_BAD : HTTP1_BODY_MORE;
        if (!size)
            break;
        struct str data = str_head(str_from(s, at), size > s.n ? s.n : (size_t)size);
        must(buf_add_str(content, data));
        at += data.n;
        if (data.n < size)
            return HTTP1_BODY_MORE;
        got = take_crlf(s, &at);
        if (got <= 0)
            return got ? HTTP1_BODY_BAD : HTTP1_BODY_MORE;
    }
    int got = take_trailers(s, &at);
    *ret_used = at;
    return got > 0 ? HTTP1_BODY_DONE : got ? HTTP1_BODY_BAD : HTTP1_BODY_MORE;
}

static void check_reference(struct str s, const struct result *r)
{
    struct buf content;
    size_t used = 0;
    buf_init(&content, CONTENT_MAX);
    enum http1_body_state state = reference(s, &content, &used);
    must(state == r->state);
    must(str_eq(buf_str(&content), buf_str(&r->content)));
    must(state != HTTP1_BODY_DONE || used == r->used);
    buf_free(&content);
}

static void check_again(const struct http1_head *head, struct str content, uint64_t seed)
{
    struct buf framed;
    struct result again;
    buf_init(&framed, CONTENT_MAX * 2);
    if (content.n)
        must(buf_printf(&framed, "%zx\r\n", content.n) && buf_add_str(&framed, content) &&
             buf_add_str(&framed, STR("\r\n")));
    must(buf_add_str(&framed, STR("0\r\n\r\n")));
    run(head, buf_str(&framed), seed, 64, &again);
    must(again.state == HTTP1_BODY_DONE && again.used == buf_size(&framed));
    must(str_eq(buf_str(&again.content), content));
    buf_free(&again.content);
    buf_free(&framed);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const enum http1_framing framings[] = {HTTP1_CHUNKED, HTTP1_CHUNKED,     HTTP1_CHUNKED, HTTP1_CHUNKED,
                                                  HTTP1_LENGTH,  HTTP1_UNTIL_CLOSE, HTTP1_NO_BODY, HTTP1_CHUNKED};
    if (n < 3)
        return 0;
    struct http1_head head = {.framing = framings[p[0] & 7], .content_length = p[1]};
    struct str s = {(const char *)p + 3, n - 3};
    uint64_t seed = p[1] | (uint64_t)p[2] << 8;
    struct result whole, pieces;
    run(&head, s, 0, 0, &whole);
    run(&head, s, seed, 1 + p[2], &pieces);
    must(whole.state == pieces.state && whole.used == pieces.used);
    must(str_eq(buf_str(&whole.content), buf_str(&pieces.content)));
    if (head.framing == HTTP1_CHUNKED) {
        check_reference(s, &whole);
        if (whole.state == HTTP1_BODY_DONE)
            check_again(&head, buf_str(&whole.content), seed);
    }
    buf_free(&whole.content);
    buf_free(&pieces.content);
    return 0;
}
