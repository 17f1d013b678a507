/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing of WebSocket frames.
 *
 * The scanner is two states: gathering the 2 to 14 bytes of a frame's head, then passing its
 * payload on. Unmasked payload is given as it lies; masked payload is copied through a small buffer
 * on the stack. Control frames, which may stand between the fragments of a message, are gathered
 * whole.
 *
 * Inflating (RFC 7692 §7.2.2): a compressed message is a piece of one endless raw DEFLATE stream
 * that ends at a sync flush whose last four bytes are left away; they are put back here. When the
 * window cannot be kept in step any more, all later messages that need it are lost.
 */
#include "net/ws.h"

#include <openssl/evp.h>
#include <string.h>
#include <zlib.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"

#define COPY_BYTES 4096
#define OUT_BYTES 16384
#define WINDOW_BYTES 32768
/* Final blocks in a message; honest senders have none, or one. */
#define STREAM_ENDS_MAX 16

static const struct {
    uint16_t code;
    const char *text;
} faults[] = {
#define X(name, code, text) {code, text},
    WS_FAULT_TABLE(X)
#undef X
};

const char *ws_fault_text(enum ws_fault fault)
{
    return faults[fault].text;
}

uint16_t ws_fault_code(enum ws_fault fault)
{
    return faults[fault].code;
}

bool ws_close_code_ok(uint16_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/* UTF-8 that comes in pieces (RFC 3629 §4). */

static bool utf8_first(struct ws_utf8 *u, unsigned char c)
{
    u->low = 0x80;
    u->high = 0xbf;
    if (c >= 0xc2 && c <= 0xdf) {
        u->left = 1;
    } else if (c >= 0xe0 && c <= 0xef) {
        u->left = 2;
        u->low = c == 0xe0 ? 0xa0 : 0x80;
        u->high = c == 0xed ? 0x9f : 0xbf;
    } else if (c >= 0xf0 && c <= 0xf4) {
        u->left = 3;
        u->low = c == 0xf0 ? 0x90 : 0x80;
        u->high = c == 0xf4 ? 0x8f : 0xbf;
    } else {
        return false;
    }
    return true;
}

static bool utf8_more(struct ws_utf8 *u, struct str bytes)
{
    size_t i = 0;
    while (i < bytes.n) {
        unsigned char c = (unsigned char)bytes.p[i];
        uint64_t eight;
        if (u->left) {
            if (c < u->low || c > u->high)
                return false;
            u->low = 0x80;
            u->high = 0xbf;
            u->left--;
        } else if (bytes.n - i >= sizeof eight &&
                   (memcpy(&eight, bytes.p + i, sizeof eight), !(eight & UINT64_C(0x8080808080808080)))) {
            i += sizeof eight;
            continue;
        } else if (c >= 0x80 && !utf8_first(u, c)) {
            return false;
        }
        i++;
    }
    return true;
}

/* Messages. */

static void emit(struct ws_scan *s, struct str bytes, bool end)
{
    if (s->message == WS_TEXT && !s->lost) {
        if (!utf8_more(&s->utf8, bytes) || (end && s->utf8.left)) {
            s->fault = WS_FAULT_UTF8;
            return;
        }
    }
    const struct ws_piece piece = {
        .opcode = (enum ws_opcode)s->message,
        .begin = !s->begun,
        .end = end,
        .compressed = s->compressed,
        .lost = s->lost,
        .bytes = bytes,
    };
    s->begun = true;
    s->on_piece(s->ctx, &piece);
}

/* Inflating. */

struct ws_inflate {
    z_stream z;
    uint64_t in_bytes, out_bytes; /* of this message */
    unsigned ends;
    bool dead; /* out of step with the sender for good */
};

static struct ws_inflate *inflate_open(void)
{
    struct ws_inflate *f = mem_zalloc(sizeof *f);
    f->dead = inflateInit2(&f->z, -15) != Z_OK;
    return f;
}

static void inflate_close(struct ws_inflate *f)
{
    if (!f)
        return;
    inflateEnd(&f->z);
    mem_free(f);
}

/* A final block ended the stream, though not the message: a new stream begins with the same window. */
static bool inflate_again(struct ws_inflate *f)
{
    if (++f->ends > STREAM_ENDS_MAX)
        return false;
    unsigned char *window = mem_alloc(WINDOW_BYTES);
    unsigned n = 0;
    bool ok = inflateGetDictionary(&f->z, window, &n) == Z_OK && inflateReset(&f->z) == Z_OK &&
              (n == 0 || inflateSetDictionary(&f->z, window, n) == Z_OK);
    mem_free(window);
    return ok;
}

static bool inflate_over(const struct ws_inflate *f)
{
    return f->out_bytes > WS_INFLATE_MAX ||
           (f->out_bytes > WS_INFLATE_FREE && f->out_bytes / WS_INFLATE_RATIO_MAX > f->in_bytes);
}

/* False when the bytes cannot be read, or make too many. */
static bool inflate_bytes(struct ws_scan *s, struct str bytes)
{
    struct ws_inflate *f = s->inflate;
    unsigned char out[OUT_BYTES];
    must(bytes.n <= COPY_BYTES);
    f->in_bytes += bytes.n;
    f->z.next_in = (unsigned char *)(uintptr_t)bytes.p;
    f->z.avail_in = (unsigned)bytes.n;
    for (;;) {
        f->z.next_out = out;
        f->z.avail_out = sizeof out;
        int status = inflate(&f->z, Z_SYNC_FLUSH);
        size_t n = sizeof out - f->z.avail_out;
        f->out_bytes += n;
        if (inflate_over(f))
            return false;
        if (n)
            emit(s, str_of((const char *)out, n), false);
        if (s->fault)
            return true;
        if (status != Z_OK && status != Z_BUF_ERROR && (status != Z_STREAM_END || !inflate_again(f)))
            return false;
        if (f->z.avail_out && !f->z.avail_in)
            return true;
    }
}

static void compressed_begin(struct ws_scan *s)
{
    if (!s->inflate)
        s->inflate = inflate_open();
    struct ws_inflate *f = s->inflate;
    f->in_bytes = f->out_bytes = 0;
    f->ends = 0;
    if (s->fresh)
        f->dead = inflateReset(&f->z) != Z_OK;
    s->lost = f->dead;
}

static void compressed_bytes(struct ws_scan *s, struct str bytes, bool last)
{
    static const char tail[] = {0, 0, (char)0xff, (char)0xff};
    while (bytes.n && !s->lost && !s->fault) {
        struct str part = str_head(bytes, COPY_BYTES);
        bytes = str_from(bytes, part.n);
        s->lost = !inflate_bytes(s, part);
    }
    if (last && !s->lost && !s->fault)
        s->lost = !inflate_bytes(s, str_of(tail, sizeof tail));
    if (s->lost)
        s->inflate->dead = true;
    if (last && !s->fault)
        emit(s, str_of("", 0), true);
}

/* Frames. */

static void payload(struct ws_scan *s, struct str bytes, bool last)
{
    if (s->compressed)
        compressed_bytes(s, bytes, last);
    else
        emit(s, bytes, last);
    if (last && !s->fault)
        s->in_message = false;
}

static void control_end(struct ws_scan *s)
{
    struct ws_piece piece = {.opcode = (enum ws_opcode)s->opcode, .begin = true, .end = true};
    struct ws_utf8 reason = {0};
    piece.bytes = str_of((const char *)s->control, s->control_n);
    if (s->opcode == WS_CLOSE) {
        piece.close_code = 1005;
        if (s->control_n == 1)
            s->fault = WS_FAULT_CLOSE_CODE;
        if (s->control_n >= 2) {
            piece.close_code = (uint16_t)(s->control[0] << 8 | s->control[1]);
            piece.bytes = str_from(piece.bytes, 2);
            if (!ws_close_code_ok(piece.close_code))
                s->fault = WS_FAULT_CLOSE_CODE;
            else if (!utf8_more(&reason, piece.bytes) || reason.left)
                s->fault = WS_FAULT_UTF8;
        }
        s->closed = true;
    }
    if (!s->fault)
        s->on_piece(s->ctx, &piece);
}

static bool is_control(const struct ws_scan *s)
{
    return s->opcode >= WS_CLOSE;
}

static enum ws_fault head_check(const struct ws_scan *s)
{
    unsigned bits = s->head[0] & 0x70, length = s->head[1] & 0x7f;
    bool starts = s->opcode == WS_TEXT || s->opcode == WS_BINARY;
    if (s->closed)
        return WS_FAULT_AFTER_CLOSE;
    if (bits & ~0x40u || (bits && !(s->deflate && starts)))
        return WS_FAULT_RESERVED_BITS;
    if (s->opcode > WS_PONG || (s->opcode > WS_BINARY && s->opcode < WS_CLOSE))
        return WS_FAULT_OPCODE;
    if (s->masked != s->from_client)
        return WS_FAULT_MASK;
    if (is_control(s) && (!s->final || length > WS_CONTROL_MAX))
        return WS_FAULT_CONTROL;
    if ((length == 126 && s->left < 126) || (length == 127 && (s->left <= UINT16_MAX || s->left >> 63)))
        return WS_FAULT_LENGTH;
    if (!is_control(s) && starts == s->in_message)
        return WS_FAULT_ORDER;
    return WS_FAULT_NONE;
}

/* The head is complete. */
static void frame_begin(struct ws_scan *s)
{
    unsigned length = s->head[1] & 0x7f, extra = length < 126 ? 0 : length == 126 ? 2 : 8;
    s->final = s->head[0] & 0x80;
    s->opcode = s->head[0] & 0x0f;
    s->masked = s->head[1] & 0x80;
    s->left = extra ? 0 : length;
    for (unsigned i = 0; i < extra; i++)
        s->left = s->left << 8 | s->head[2 + i];
    s->at = 0;
    s->control_n = 0;
    if (s->masked)
        memcpy(s->mask, s->head + 2 + extra, sizeof s->mask);
    s->fault = head_check(s);
    if (s->fault || is_control(s) || s->opcode == WS_CONTINUATION)
        return;
    s->message = s->opcode;
    s->in_message = true;
    s->begun = s->lost = false;
    s->utf8.left = 0;
    s->compressed = s->head[0] & 0x40;
    if (s->compressed)
        compressed_begin(s);
}

/* Passes on `bytes`, masked or not, which lie within the frame. */
static void frame_bytes(struct ws_scan *s, struct str bytes)
{
    char copy[COPY_BYTES];
    while (!s->fault && (bytes.n || !s->left)) {
        struct str part = s->masked ? str_head(bytes, sizeof copy) : bytes;
        bytes = str_from(bytes, part.n);
        if (s->masked && part.n) {
            ws_mask(copy, part.p, part.n, s->mask, s->at);
            part.p = copy;
        }
        s->left -= part.n;
        s->at += part.n;
        if (is_control(s)) {
            if (part.n)
                memcpy(s->control + s->control_n, part.p, part.n);
            s->control_n = (uint8_t)(s->control_n + part.n);
            if (!s->left)
                control_end(s);
        } else if (part.n || s->final) {
            payload(s, part, s->final && !s->left);
        }
        if (!s->left) {
            s->head_n = s->head_need = 0; /* the next frame */
            return;
        }
    }
}

/* Takes bytes for the head; returns how many. */
static size_t head_bytes(struct ws_scan *s, const uint8_t *p, size_t n)
{
    size_t used = 0;
    while (used < n && (!s->head_need || s->head_n < s->head_need)) {
        s->head[s->head_n++] = p[used++];
        if (s->head_n == 2) {
            unsigned length = s->head[1] & 0x7f;
            s->head_need = (uint8_t)(2 + (length < 126 ? 0 : length == 126 ? 2 : 8) + (s->head[1] & 0x80 ? 4 : 0));
        }
    }
    return used;
}

void ws_scan_init(struct ws_scan *s, enum ws_from from, const struct ws_deflate *deflate, ws_piece_fn *on_piece,
                  void *ctx)
{
    *s = (struct ws_scan){.from_client = from == WS_FROM_CLIENT, .on_piece = on_piece, .ctx = ctx};
    if (deflate) {
        s->deflate = deflate->on;
        s->fresh = s->from_client ? deflate->client_fresh : deflate->server_fresh;
    }
}

void ws_scan_done(struct ws_scan *s)
{
    inflate_close(s->inflate);
    s->inflate = NULL;
}

bool ws_scan_feed(struct ws_scan *s, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    while (n && !s->fault) {
        size_t used;
        if (!s->head_need || s->head_n < s->head_need) {
            used = head_bytes(s, p, n);
            if (s->head_need && s->head_n == s->head_need) {
                frame_begin(s);
                if (!s->fault && !s->left)
                    frame_bytes(s, str_of("", 0));
            }
        } else {
            used = n < s->left ? n : (size_t)s->left;
            frame_bytes(s, str_of((const char *)p, used));
        }
        p += used;
        n -= used;
    }
    return !s->fault;
}

/* Handshake. */

bool ws_key_valid(struct str key)
{
    unsigned char nonce[16];
    size_t n;
    return key.n == 24 && encode_unbase64(key, nonce, sizeof nonce, &n) && n == sizeof nonce;
}

size_t ws_accept_key(struct str key, char out[WS_KEY_MAX])
{
    static const char suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 §1.3 */
    char text[24 + sizeof suffix];
    unsigned char digest[20];
    must(key.n == 24);
    memcpy(text, key.p, key.n);
    memcpy(text + key.n, suffix, sizeof suffix - 1);
    must(EVP_Digest(text, key.n + sizeof suffix - 1, digest, NULL, EVP_sha1(), NULL) == 1);
    return encode_base64(digest, sizeof digest, out);
}

/* "name; parameter; parameter=value" */
static struct ws_deflate extension(struct str text)
{
    struct ws_deflate d = {.on = false};
    struct str part;
    while (str_split(&text, ';', &part)) {
        ptrdiff_t equals = str_find(part, '=');
        struct str name = str_trim(equals < 0 ? part : str_head(part, (size_t)equals));
        if (!d.on && !str_eq_nocase(name, STR("permessage-deflate")))
            break;
        d.on = true;
        if (str_eq_nocase(name, STR("client_no_context_takeover")))
            d.client_fresh = true;
        if (str_eq_nocase(name, STR("server_no_context_takeover")))
            d.server_fresh = true;
    }
    return d;
}

struct ws_deflate ws_deflate_from(struct str extensions)
{
    struct ws_deflate d = {.on = false};
    struct str one;
    while (!d.on && str_split(&extensions, ',', &one))
        d = extension(one);
    return d;
}

/* Writing. */

size_t ws_head(bool final, enum ws_opcode opcode, uint64_t n, const uint8_t mask[4], uint8_t out[WS_HEAD_MAX])
{
    unsigned extra = n < 126 ? 0 : n <= UINT16_MAX ? 2 : 8;
    size_t at = 2;
    must(!(n >> 63));
    out[0] = (uint8_t)((final ? 0x80 : 0) | opcode);
    out[1] = (uint8_t)((mask ? 0x80 : 0) | (extra == 0 ? n : extra == 2 ? 126 : 127));
    while (extra)
        out[at++] = (uint8_t)(n >> 8 * --extra);
    if (mask) {
        memcpy(out + at, mask, 4);
        at += 4;
    }
    return at;
}

void ws_mask(void *to, const void *from, size_t n, const uint8_t mask[4], uint64_t at)
{
    uint8_t turned[8];
    uint64_t eight, wide;
    size_t i = 0;
    char *out = to;
    const char *in = from;
    for (unsigned k = 0; k < 8; k++)
        turned[k] = mask[(at + k) & 3];
    memcpy(&wide, turned, sizeof wide);
    for (; n - i >= sizeof eight; i += sizeof eight) {
        memcpy(&eight, in + i, sizeof eight);
        eight ^= wide;
        memcpy(out + i, &eight, sizeof eight);
    }
    for (; i < n; i++)
        out[i] = (char)((uint8_t)in[i] ^ turned[i & 7]);
}

bool ws_frame(struct buf *out, enum ws_from from, bool final, enum ws_opcode opcode, struct str payload_bytes)
{
    uint8_t mask[4], head[WS_HEAD_MAX];
    bool masked = from == WS_FROM_CLIENT;
    must(opcode < WS_CLOSE || (final && payload_bytes.n <= WS_CONTROL_MAX));
    if (masked)
        rng_bytes(mask, sizeof mask);
    size_t n = ws_head(final, opcode, payload_bytes.n, masked ? mask : NULL, head);
    if (payload_bytes.n > SIZE_MAX - n)
        return false;
    char *room = buf_reserve(out, n + payload_bytes.n);
    if (!room)
        return false;
    memcpy(room, head, n);
    if (masked)
        ws_mask(room + n, payload_bytes.p, payload_bytes.n, mask, 0);
    else if (payload_bytes.n)
        memcpy(room + n, payload_bytes.p, payload_bytes.n);
    buf_commit(out, n + payload_bytes.n);
    return true;
}

bool ws_close_frame(struct buf *out, enum ws_from from, uint16_t code, struct str reason)
{
    char text[WS_CONTROL_MAX];
    must(ws_close_code_ok(code));
    size_t n = reason.n < sizeof text - 2 ? reason.n : sizeof text - 2;
    while (n && n < reason.n && ((unsigned char)reason.p[n] & 0xc0) == 0x80)
        n--;
    text[0] = (char)(code >> 8);
    text[1] = (char)code;
    if (n)
        memcpy(text + 2, reason.p, n);
    return ws_frame(out, from, true, WS_CLOSE, str_of(text, n + 2));
}
