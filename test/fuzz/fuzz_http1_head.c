/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message heads from any bytes. Input: one byte of choices, then the head. What is accepted has one
 * framing, no byte that another parser could cut at, and reads the same again when written out plainly;
 * and the pieces it comes in make no difference.
 */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/http1_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct http1_field one[HTTP1_FIELDS_MAX], two[HTTP1_FIELDS_MAX];

struct choice {
    bool response, to_head;
    unsigned piece;
};

static enum http1_parse parse(const struct choice *c, struct str s, size_t seen, struct http1_field *fields,
                              struct http1_head *h, enum err *e)
{
    return c->response ? http1_parse_response(s, seen, c->to_head, fields, h, e)
                       : http1_parse_request(s, seen, fields, h, e);
}

static bool inside(struct str s, struct str whole)
{
    return s.n == 0 || (s.p >= whole.p && s.p + s.n <= whole.p + whole.n);
}

/* Lines end in CR LF and begin with no space; no control character is left but tab. */
static void check_bytes(struct str head)
{
    must(str_ends(head, STR("\r\n\r\n")));
    must(head.n <= HTTP1_HEAD_MAX);
    for (size_t i = 0; i < head.n; i++) {
        unsigned char c = (unsigned char)head.p[i];
        if (c == '\r')
            must(i + 1 < head.n && head.p[i + 1] == '\n');
        else if (c == '\n')
            must(i > 0 && head.p[i - 1] == '\r' &&
                 (i + 1 == head.n || (head.p[i + 1] != ' ' && head.p[i + 1] != '\t')));
        else
            must(c == '\t' || (c >= ' ' && c != 0x7f));
    }
}

static unsigned count_of(const struct http1_head *h, const char *name)
{
    unsigned count = 0;
    for (unsigned i = 0; i < h->field_count; i++)
        count += str_eq_nocase(h->fields[i].name, str_c(name));
    return count;
}

static void check_framing(const struct choice *c, const struct http1_head *h)
{
    unsigned lengths = count_of(h, "content-length"), codings = count_of(h, "transfer-encoding");
    must(lengths + codings <= 1);
    must(count_of(h, "content_length") + count_of(h, "transfer_encoding") == 0);
    if (h->framing == HTTP1_LENGTH)
        must(lengths == 1 && h->content_length <= INT64_MAX);
    if (h->framing == HTTP1_CHUNKED)
        must(codings == 1 && h->minor == 1);
    if (h->framing == HTTP1_UNTIL_CLOSE)
        must(c->response && lengths + codings == 0 && !h->keep_alive);
    if (h->framing == HTTP1_NO_BODY && !c->response)
        must(lengths + codings == 0);
    if (!c->response) {
        must(count_of(h, "host") == (h->minor ? 1u : count_of(h, "host")) && count_of(h, "host") <= 1);
        must(count_of(h, "authorization") <= 1 && count_of(h, "content-type") <= 1);
        must(h->target.p[0] == '/' || str_eq(h->target, STR("*")));
        must(!h->upgrade_websocket || h->framing == HTTP1_NO_BODY);
    }
}

static void check_views(const struct http1_head *h, struct str whole)
{
    must(inside(h->method, whole) && inside(h->target, whole) && inside(h->host, whole) && inside(h->reason, whole));
    must(inside(h->path, h->target) && inside(h->query, h->target));
    must(h->field_count <= HTTP1_FIELDS_MAX);
    for (unsigned i = 0; i < h->field_count; i++) {
        const struct http1_field *f = &h->fields[i];
        must(f->name.n && inside(f->name, whole) && inside(f->value, whole));
        must(http1_value_valid(f->value));
        must(str_eq(str_trim(f->value), f->value));
        must(f->id < HTTP1_FIELD_COUNT && f->id == http1_field_id_of(f->name));
        (void)http1_hop_by_hop(h, f);
    }
}

static void add(struct buf *b, struct str s)
{
    must(buf_add_str(b, s));
}

/* Written plainly, one space where white space may be, it says the same. */
static void check_again(const struct choice *c, const struct http1_head *h)
{
    struct buf b;
    struct http1_head again;
    enum err e;
    buf_init(&b, HTTP1_HEAD_MAX * 2);
    if (c->response) {
        must(buf_printf(&b, "HTTP/1.%d %d ", h->minor, h->status));
        add(&b, h->reason);
    } else {
        add(&b, h->method);
        add(&b, STR(" "));
        add(&b, h->target);
        must(buf_printf(&b, " HTTP/1.%d", h->minor));
    }
    add(&b, STR("\r\n"));
    for (unsigned i = 0; i < h->field_count; i++) {
        add(&b, h->fields[i].name);
        add(&b, STR(": "));
        add(&b, h->fields[i].value);
        add(&b, STR("\r\n"));
    }
    add(&b, STR("\r\n"));
    if (buf_size(&b) <= HTTP1_HEAD_MAX) { /* a space behind each colon may make it larger */
        must(parse(c, buf_str(&b), 0, two, &again, &e) == HTTP1_COMPLETE);
        must(again.size == buf_size(&b) && again.minor == h->minor && again.status == h->status);
        must(str_eq(again.method, h->method) && str_eq(again.target, h->target) && str_eq(again.query, h->query));
        must(again.framing == h->framing && again.content_length == h->content_length);
        must(again.keep_alive == h->keep_alive && again.expect_continue == h->expect_continue);
        must(again.upgrade_websocket == h->upgrade_websocket && again.field_count == h->field_count);
        for (unsigned i = 0; i < h->field_count; i++)
            must(str_eq(again.fields[i].value, h->fields[i].value) && again.fields[i].id == h->fields[i].id);
    }
    buf_free(&b);
}

/* Fed in pieces the result is the same, and complete no earlier than at its end. */
static void check_pieces(const struct choice *c, struct str s, enum http1_parse whole, size_t size, enum err err)
{
    size_t seen = 0, step = c->piece ? c->piece : s.n;
    enum http1_parse got = HTTP1_PARTIAL;
    struct http1_head h;
    enum err e = ERR_OK;
    for (size_t n = step < s.n ? step : s.n; got == HTTP1_PARTIAL && seen < s.n; n = n + step < s.n ? n + step : s.n) {
        char *copy = mem_alloc(n);
        memcpy(copy, s.p, n);
        got = parse(c, str_of(copy, n), seen, two, &h, &e);
        seen = n;
        mem_free(copy);
    }
    must(got == whole);
    if (whole == HTTP1_COMPLETE)
        must(h.size == size && seen - size < step);
    /* What is wrong twice may be found in another order. */
    (void)err;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct http1_head h;
    enum err e = ERR_OK;
    if (!n || n > HTTP1_HEAD_MAX + 2)
        return 0;
    struct choice c = {.response = p[0] & 1, .to_head = p[0] & 2, .piece = p[0] >> 2};
    struct str s = {(const char *)p + 1, n - 1};
    enum http1_parse got = parse(&c, s, 0, one, &h, &e);
    if (got == HTTP1_COMPLETE) {
        check_bytes(str_head(s, h.size));
        check_views(&h, str_head(s, h.size));
        check_framing(&c, &h);
        check_again(&c, &h);
    } else if (got == HTTP1_REFUSED) {
        must(e != ERR_OK && err_info(e)->status >= 400);
    }
    if (s.n && (n < 4096 || c.piece > 16 || !c.piece))
        check_pieces(&c, s, got, got == HTTP1_COMPLETE ? h.size : 0, e);
    return 0;
}
