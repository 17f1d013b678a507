/* SPDX-License-Identifier: Apache-2.0 */
/* Body framing: a byte machine for the chunk lines and trailers, whole slices for the content. */
#include "net/http1_body.h"

#define LINE_MAX_BYTES 4096     /* a chunk-size line with its extensions */
#define TRAILER_MAX_BYTES 16384 /* all trailers together */
#define SIZE_DIGITS_MAX 15

enum {
    SIZE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF
};

void http1_body_begin(struct http1_body *b, const struct http1_head *head)
{
    *b = (struct http1_body){.framing = head->framing, .state = SIZE};
    if (head->framing == HTTP1_LENGTH)
        b->left = head->content_length;
    b->done = head->framing == HTTP1_NO_BODY || (head->framing == HTTP1_LENGTH && b->left == 0);
}

bool http1_body_ends_at_close(const struct http1_body *b)
{
    return b->done || b->framing == HTTP1_UNTIL_CLOSE;
}

static struct str take(struct str *bytes, uint64_t n)
{
    struct str front = str_head(*bytes, n > bytes->n ? bytes->n : (size_t)n);
    *bytes = str_from(*bytes, front.n);
    return front;
}

static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of the size line. False when it does not fit the grammar. */
static bool size_byte(struct http1_body *b, unsigned char c)
{
    int digit = hex_digit(c);
    if (b->state == SIZE && digit >= 0) {
        if (b->digits++ == SIZE_DIGITS_MAX)
            return false;
        b->left = b->left << 4 | (unsigned)digit;
        return true;
    }
    if (!b->digits || ++b->line_bytes > LINE_MAX_BYTES)
        return false;
    if (c == '\r') {
        b->state = SIZE_LF;
        return true;
    }
    if (b->state == SIZE) {
        b->state = EXTENSION;
        return c == ';';
    }
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

/* One byte of a trailer: a name, a colon, a value. */
static bool trailer_byte(struct http1_body *b, unsigned char c)
{
    if (++b->line_bytes > TRAILER_MAX_BYTES)
        return false;
    if (b->state == TRAILER_NAME) {
        if (c == ':')
            b->state = TRAILER_VALUE;
        return c == ':' || http1_token_byte(c);
    }
    if (c == '\r')
        b->state = TRAILER_LF;
    return c == '\r' || c == '\t' || (c >= ' ' && c != 0x7f);
}

/* One byte outside the content. */
static bool grammar_byte(struct http1_body *b, unsigned char c)
{
    switch (b->state) {
    case SIZE:
    case EXTENSION:
        return size_byte(b, c);
    case SIZE_LF:
        b->state = b->left ? DATA : TRAILER_START;
        b->digits = 0;
        b->line_bytes = 0;
        return c == '\n';
    case DATA_CR:
        b->state = DATA_LF;
        return c == '\r';
    case DATA_LF:
        b->state = SIZE;
        return c == '\n';
    case TRAILER_START:
        b->state = c == '\r' ? END_LF : TRAILER_NAME;
        return c == '\r' || (http1_token_byte(c) && ++b->line_bytes <= TRAILER_MAX_BYTES);
    case TRAILER_NAME:
    case TRAILER_VALUE:
        return trailer_byte(b, c);
    case TRAILER_LF:
        b->state = TRAILER_START;
        return c == '\n';
    default: /* END_LF */
        b->done = c == '\n';
        return b->done;
    }
}

static enum http1_body_state chunked_next(struct http1_body *b, struct str *bytes, struct str *ret_data)
{
    while (bytes->n) {
        if (b->state == DATA) {
            *ret_data = take(bytes, b->left);
            b->left -= ret_data->n;
            if (!b->left)
                b->state = DATA_CR;
            return HTTP1_BODY_DATA;
        }
        unsigned char c = (unsigned char)bytes->p[0];
        *bytes = str_from(*bytes, 1);
        if (!grammar_byte(b, c))
            return HTTP1_BODY_BAD;
        if (b->done)
            return HTTP1_BODY_DONE;
    }
    return HTTP1_BODY_MORE;
}

enum http1_body_state http1_body_next(struct http1_body *b, struct str *bytes, struct str *ret_data)
{
    if (b->done)
        return HTTP1_BODY_DONE;
    if (b->framing == HTTP1_CHUNKED)
        return chunked_next(b, bytes, ret_data);
    if (!bytes->n)
        return HTTP1_BODY_MORE;
    if (b->framing == HTTP1_UNTIL_CLOSE) {
        *ret_data = take(bytes, bytes->n);
        return HTTP1_BODY_DATA;
    }
    *ret_data = take(bytes, b->left);
    b->left -= ret_data->n;
    b->done = b->left == 0;
    return HTTP1_BODY_DATA;
}
