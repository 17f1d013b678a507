/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket frames: the same messages whatever the splitting, every fault named, compressed streams
 * followed and bombs left alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <zlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "net/ws.h"

/* What a scanner said, as text: a line a message, without traces of how it was split. */
struct heard {
    struct buf log;
    struct buf message;
    unsigned pieces;
};

static void on_piece(void *ctx, const struct ws_piece *piece)
{
    struct heard *h = ctx;
    bool control = piece->opcode >= WS_CLOSE;
    h->pieces++;
    if (control) {
        assert_true(piece->begin);
        assert_true(piece->end);
        assert_true(buf_printf(&h->log, "%d[%u]%.*s\n", piece->opcode, piece->close_code, STR_ARG(piece->bytes)));
        return;
    }
    if (piece->begin)
        assert_int_equal(buf_size(&h->message), 0);
    assert_true(buf_add_str(&h->message, piece->bytes));
    if (piece->begin && !piece->end && !buf_size(&h->message))
        assert_true(piece->compressed); /* nothing is told twice */
    if (!piece->end)
        return;
    assert_true(buf_printf(&h->log, "%d%s%s ", piece->opcode, piece->compressed ? "z" : "", piece->lost ? "?" : ""));
    if (buf_size(&h->message) > 100)
        assert_true(buf_printf(&h->log, "%zu:%08lx\n", buf_size(&h->message),
                               crc32(0, (const Bytef *)buf_str(&h->message).p, (uInt)buf_size(&h->message))));
    else
        assert_true(buf_printf(&h->log, "%.*s\n", STR_ARG(buf_str(&h->message))));
    buf_reset(&h->message);
}

static void heard_init(struct heard *h)
{
    buf_init(&h->log, 1 << 20);
    buf_init(&h->message, 1 << 26);
    h->pieces = 0;
}

static void heard_done(struct heard *h)
{
    buf_free(&h->log);
    buf_free(&h->message);
}

/* Scans in pieces of `step` bytes (0: at once, or cut in two at `cut`); gives the fault. */
static enum ws_fault scan(struct str bytes, enum ws_from from, const struct ws_deflate *d, size_t step, size_t cut,
                          struct heard *h)
{
    struct ws_scan s;
    ws_scan_init(&s, from, d, on_piece, h);
    for (size_t at = 0; at < bytes.n;) {
        size_t n = step ? step : at < cut ? cut : bytes.n;
        if (n > bytes.n - at)
            n = bytes.n - at;
        /* A copy of its own size, so that reading past it is seen by sanitizers. */
        char *p = mem_strndup(bytes.p + at, n);
        bool ok = ws_scan_feed(&s, p, n);
        mem_free(p);
        assert_int_equal(ok, !s.fault);
        at += n;
    }
    enum ws_fault fault = s.fault;
    ws_scan_done(&s);
    return fault;
}

static void expect_everywhere(struct str bytes, enum ws_from from, const struct ws_deflate *d, const char *log,
                              enum ws_fault fault)
{
    for (size_t cut = 0; cut <= bytes.n + 1; cut++) {
        struct heard h;
        heard_init(&h);
        /* The last two rounds: byte by byte, and by threes. */
        size_t step = cut == bytes.n ? 1 : cut == bytes.n + 1 ? 3 : 0;
        assert_int_equal(scan(bytes, from, d, step, cut, &h), fault);
        assert_true(buf_add_byte(&h.log, '\0'));
        assert_string_equal(buf_str(&h.log).p, log);
        heard_done(&h);
    }
}

static void messages_survive_any_splitting(void **state)
{
    (void)state;
    for (int from = WS_FROM_CLIENT; from <= WS_FROM_SERVER; from++) {
        enum ws_from f = (enum ws_from)from;
        struct buf b;
        buf_init(&b, 4096);
        assert_true(ws_frame(&b, f, true, WS_TEXT, STR("{\"type\":\"response.create\"}")));
        assert_true(ws_frame(&b, f, true, WS_TEXT, STR("")));
        assert_true(ws_frame(&b, f, true, WS_BINARY, STR("\x01\xff\x02")));
        assert_true(ws_frame(&b, f, false, WS_TEXT, STR("f\xc3")));
        assert_true(ws_frame(&b, f, true, WS_PING, STR("between")));
        assert_true(ws_frame(&b, f, false, WS_CONTINUATION, STR("")));
        assert_true(ws_frame(&b, f, false, WS_CONTINUATION, STR("\xbcr ")));
        assert_true(ws_frame(&b, f, true, WS_PONG, STR("")));
        assert_true(ws_frame(&b, f, true, WS_CONTINUATION, STR("\xf0\x9f\x98\x80")));
        assert_true(ws_frame(&b, f, false, WS_BINARY, STR("")));
        assert_true(ws_frame(&b, f, true, WS_CONTINUATION, STR("")));
        assert_true(ws_close_frame(&b, f, 1000, STR("done")));
        expect_everywhere(buf_str(&b), f, NULL,
                          "1 {\"type\":\"response.create\"}\n1 \n2 \x01\xff\x02\n9[0]between\n10[0]\n"
                          "1 f\xc3\xbcr \xf0\x9f\x98\x80\n2 \n8[1000]done\n",
                          WS_FAULT_NONE);
        buf_free(&b);
    }
}

static void lengths_of_all_three_forms_are_read(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 7, 8, 9, 125, 126, 127, 4095, 4096, 4097, 65535, 65536, 200001};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int from = WS_FROM_CLIENT; from <= WS_FROM_SERVER; from++) {
            size_t n = sizes[i];
            char *p = mem_alloc(n);
            struct buf b;
            struct heard h;
            struct rng_seeded g = {n};
            for (size_t k = 0; k < n; k++)
                p[k] = (char)rng_seeded_u64(&g);
            heard_init(&h);
            buf_init(&b, 1 << 20);
            assert_true(ws_frame(&b, (enum ws_from)from, true, WS_BINARY, str_of(p, n)));
            size_t head = 2u + (n < 126 ? 0 : n < 65536 ? 2 : 8) + (from == WS_FROM_CLIENT ? 4 : 0);
            assert_int_equal(buf_size(&b), head + n);
            assert_int_equal(scan(buf_str(&b), (enum ws_from)from, NULL, 0, head + n / 3, &h), WS_FAULT_NONE);
            assert_int_equal(scan(buf_str(&b), (enum ws_from)from, NULL, 1001, 0, &h), WS_FAULT_NONE);
            char line[64];
            if (n > 100) {
                size_t m = (size_t)snprintf(line, sizeof line, "2 %zu:%08lx\n", n, crc32(0, (const Bytef *)p, (uInt)n));
                assert_int_equal(buf_size(&h.log), 2 * m);
                assert_memory_equal(buf_str(&h.log).p, line, m);
                assert_memory_equal(buf_str(&h.log).p + m, line, m);
            }
            heard_done(&h);
            buf_free(&b);
            mem_free(p);
        }
    }
}

static void every_fault_has_its_name(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        enum ws_fault fault;
        uint16_t code;
    } rows[] = {
#define ROW(literal, fault, code) {{(literal), sizeof(literal) - 1}, WS_FAULT_##fault, (code)}
        ROW("\x91\x00", RESERVED_BITS, 1002),
        ROW("\xc1\x00", RESERVED_BITS, 1002), /* nothing was agreed on */
        ROW("\xa1\x00", RESERVED_BITS, 1002),
        ROW("\x83\x00", OPCODE, 1002),
        ROW("\x87\x00", OPCODE, 1002),
        ROW("\x8b\x00", OPCODE, 1002),
        ROW("\x8f\x00", OPCODE, 1002),
        ROW("\x81\x80\x00\x00\x00\x00", MASK, 1002),
        ROW("\x81\x7e\x00\x7d", LENGTH, 1002),
        ROW("\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff", LENGTH, 1002),
        ROW("\x81\x7f\x80\x00\x00\x00\x00\x00\xff\xff", LENGTH, 1002),
        ROW("\x09\x00", CONTROL, 1002),
        ROW("\x89\x7e\x00\x7e", CONTROL, 1002),
        ROW("\x80\x00", ORDER, 1002),
        ROW("\x01\x00\x81\x00", ORDER, 1002),
        ROW("\x01\x00\x80\x00\x80\x00", ORDER, 1002),
        ROW("\x88\x01\x03", CLOSE_CODE, 1002),
        ROW("\x88\x02\x03\xed", CLOSE_CODE, 1002), /* 1005 */
        ROW("\x88\x02\x03\xe7", CLOSE_CODE, 1002), /* 999 */
        ROW("\x88\x02\x03\xec", CLOSE_CODE, 1002), /* 1004 */
        ROW("\x88\x02\x0b\xb7", CLOSE_CODE, 1002), /* 2999 */
        ROW("\x88\x02\x13\x88", CLOSE_CODE, 1002), /* 5000 */
        ROW("\x88\x03\x03\xe8\xff", UTF8, 1007),
        ROW("\x81\x01\x80", UTF8, 1007),
        ROW("\x81\x01\xc3", UTF8, 1007), /* ends within a character */
        ROW("\x81\x02\xc0\xaf", UTF8, 1007),
        ROW("\x81\x03\xe0\x9f\xbf", UTF8, 1007),
        ROW("\x81\x03\xed\xa0\x80", UTF8, 1007), /* a surrogate */
        ROW("\x81\x04\xf0\x8f\xbf\xbf", UTF8, 1007),
        ROW("\x81\x04\xf4\x90\x80\x80", UTF8, 1007),
        ROW("\x81\x01\xf5", UTF8, 1007),
        ROW("\x01\x01\xc3\x80\x01\x28", UTF8, 1007),
        ROW("\x88\x00\x89\x00", AFTER_CLOSE, 1002),
#undef ROW
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t cut = 0; cut <= rows[i].bytes.n; cut++) {
            struct heard h;
            heard_init(&h);
            if (scan(rows[i].bytes, WS_FROM_SERVER, NULL, 0, cut, &h) != rows[i].fault)
                fail_msg("row %zu, cut %zu", i, cut);
            heard_done(&h);
        }
        assert_int_equal(ws_fault_code(rows[i].fault), rows[i].code);
        assert_true(strlen(ws_fault_text(rows[i].fault)) > 10);
    }
    struct heard h;
    heard_init(&h);
    assert_int_equal(scan(STR("\x81\x00"), WS_FROM_CLIENT, NULL, 0, 0, &h), WS_FAULT_MASK);
    heard_done(&h);
}

static void close_frames_tell_code_and_reason(void **state)
{
    (void)state;
    struct buf b;
    static const char *const logs[] = {"8[1005]\n", "8[1000]\n", "8[4999]bye\n"};
    for (int i = 0; i < 3; i++) {
        buf_init(&b, 256);
        if (i == 0)
            assert_true(ws_frame(&b, WS_FROM_SERVER, true, WS_CLOSE, STR("")));
        else
            assert_true(ws_close_frame(&b, WS_FROM_SERVER, i == 1 ? 1000 : 4999, i == 1 ? STR("") : STR("bye")));
        expect_everywhere(buf_str(&b), WS_FROM_SERVER, NULL, logs[i], WS_FAULT_NONE);
        buf_free(&b);
    }
    /* A long reason is cut between characters. */
    char reason[200];
    for (size_t i = 0; i < sizeof reason; i += 2)
        memcpy(reason + i, "\xc3\xbc", 2);
    buf_init(&b, 256);
    assert_true(ws_close_frame(&b, WS_FROM_SERVER, 1001, str_of(reason, sizeof reason)));
    assert_int_equal(buf_size(&b), 2 + 2 + 122);
    struct heard h;
    heard_init(&h);
    assert_int_equal(scan(buf_str(&b), WS_FROM_SERVER, NULL, 0, 0, &h), WS_FAULT_NONE);
    heard_done(&h);
    buf_free(&b);
    buf_init(&b, 5);
    assert_false(ws_frame(&b, WS_FROM_CLIENT, true, WS_TEXT, STR("x")));
    assert_int_equal(buf_size(&b), 0);
    buf_free(&b);
}

/* --- compressed -------------------------------------------------------------------------------- */

/* As a sender does it: raw deflate, ended with a sync flush, without its last four bytes. */
static void add_compressed(struct buf *out, z_stream *z, struct str text, size_t fragment)
{
    static unsigned char packed[1 << 20];
    z->next_in = (unsigned char *)(uintptr_t)text.p;
    z->avail_in = (unsigned)text.n;
    z->next_out = packed;
    z->avail_out = sizeof packed;
    if (text.n)
        assert_int_equal(deflate(z, Z_SYNC_FLUSH), Z_OK);
    size_t n = text.n ? sizeof packed - z->avail_out - 4 : 1;
    if (!text.n)
        packed[0] = 0; /* RFC 7692 §7.2.3.6 */
    size_t first = fragment && fragment < n ? fragment : n;
    size_t head = buf_size(out);
    assert_true(ws_frame(out, WS_FROM_SERVER, first == n, WS_TEXT, str_of((char *)packed, first)));
    out->p[out->start + head] |= 0x40;
    if (first < n)
        assert_true(ws_frame(out, WS_FROM_SERVER, true, WS_CONTINUATION, str_of((char *)packed + first, n - first)));
}

static void compressed_messages_are_followed(void **state)
{
    (void)state;
    for (int fresh = 0; fresh < 2; fresh++) {
        struct ws_deflate d = {.on = true, .server_fresh = fresh};
        struct buf b;
        z_stream z = {0};
        assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
        buf_init(&b, 8192);
        for (int i = 0; i < 4; i++) {
            add_compressed(&b, &z, STR("{\"type\":\"response.done\",\"usage\":{\"total_tokens\":12}}"), i == 2 ? 5 : 0);
            if (fresh)
                deflateReset(&z);
        }
        add_compressed(&b, &z, STR(""), 0);
        assert_true(ws_frame(&b, WS_FROM_SERVER, true, WS_TEXT, STR("plain")));
        deflateEnd(&z);
        const char *one = "1z {\"type\":\"response.done\",\"usage\":{\"total_tokens\":12}}\n";
        char log[512];
        snprintf(log, sizeof log, "%s%s%s%s1z \n1 plain\n", one, one, one, one);
        expect_everywhere(buf_str(&b), WS_FROM_SERVER, &d, log, WS_FAULT_NONE);
        buf_free(&b);
    }
}

static void the_examples_of_the_rfc_are_read(void **state)
{
    (void)state;
    struct ws_deflate d = {.on = true};
    /* RFC 7692 §7.2.3: one block; shared window; no compression; final block; two blocks. */
    expect_everywhere(STR("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00"
                          "\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"
                          "\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00"
                          "\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"
                          "\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00"),
                      WS_FROM_SERVER, &d, "1z Hello\n1z Hello\n1z Hello\n1z Hello\n1z Hello\n1z Hello\n",
                      WS_FAULT_NONE);
    /* The window reaches back over a final block. */
    expect_everywhere(STR("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00\xc1\x05\xf2\x00\x11\x00\x00"), WS_FROM_SERVER, &d,
                      "1z Hello\n1z Hello\n", WS_FAULT_NONE);
    /* Only the first frame of a message says that it is compressed. */
    expect_everywhere(STR("\x41\x03\xf2\x48\xcd\xc0\x04\xc9\xc9\x07\x00"), WS_FROM_SERVER, &d, "",
                      WS_FAULT_RESERVED_BITS);
    expect_everywhere(STR("\xc9\x00"), WS_FROM_SERVER, &d, "", WS_FAULT_RESERVED_BITS);
}

static void damaged_and_oversized_messages_are_lost_not_fatal(void **state)
{
    (void)state;
    struct buf b;
    z_stream z = {0};
    struct heard h;
    static char zeros[60 << 20];
    for (int fresh = 0; fresh < 2; fresh++) {
        struct ws_deflate d = {.on = true, .server_fresh = fresh};
        memset(&z, 0, sizeof z);
        assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
        buf_init(&b, 1 << 20);
        add_compressed(&b, &z, str_of(zeros, sizeof zeros), 0); /* 1000 : 1 */
        deflateReset(&z);
        add_compressed(&b, &z, STR("after"), 0);
        deflateReset(&z);
        assert_true(ws_frame(&b, WS_FROM_SERVER, true, WS_TEXT, STR("\xff\xff\xff")));
        b.p[b.start + buf_size(&b) - 5] |= 0x40;
        add_compressed(&b, &z, STR("after damage"), 0);
        assert_true(ws_frame(&b, WS_FROM_SERVER, true, WS_TEXT, STR("plain")));
        deflateEnd(&z);
        heard_init(&h);
        assert_int_equal(scan(buf_str(&b), WS_FROM_SERVER, &d, 10000, 0, &h), WS_FAULT_NONE);
        assert_true(buf_add_byte(&h.log, '\0'));
        const char *log = strchr(buf_str(&h.log).p, '\n');
        assert_int_equal(strncmp(buf_str(&h.log).p, "1z? ", 4), 0);
        assert_string_equal(log,
                            fresh ? "\n1z after\n1z? \n1z after damage\n1 plain\n" : "\n1z? \n1z? \n1z? \n1 plain\n");
        /* Not much more than the bound was inflated. */
        assert_true(buf_size(&h.log) < 200);
        heard_done(&h);
        buf_free(&b);
    }
}

static void a_large_honest_message_is_read_whole(void **state)
{
    (void)state;
    static char text[3 << 20];
    struct ws_deflate d = {.on = true};
    struct buf b;
    struct heard h;
    z_stream z = {0};
    struct rng_seeded g = {5};
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[rng_seeded_below(&g, 64) &
                                                                                     (i / 7000 % 2 ? 1 : 63)];
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    buf_init(&b, 8 << 20);
    for (size_t at = 0; at < sizeof text; at += sizeof text / 4)
        add_compressed(&b, &z, str_of(text + at, sizeof text / 4), 1000);
    deflateEnd(&z);
    heard_init(&h);
    assert_int_equal(scan(buf_str(&b), WS_FROM_SERVER, &d, 1447, 0, &h), WS_FAULT_NONE);
    char line[64];
    size_t at = 0;
    for (size_t k = 0; k < 4; k++) {
        size_t n = sizeof text / 4;
        size_t m =
            (size_t)snprintf(line, sizeof line, "1z %zu:%08lx\n", n, crc32(0, (const Bytef *)text + k * n, (uInt)n));
        assert_memory_equal(buf_str(&h.log).p + at, line, m);
        at += m;
    }
    assert_int_equal(at, buf_size(&h.log));
    heard_done(&h);
    buf_free(&b);
}

/* --- handshake --------------------------------------------------------------------------------- */

static void the_handshake_follows_the_rfc(void **state)
{
    (void)state;
    char out[WS_KEY_MAX];
    assert_int_equal(ws_accept_key(STR("dGhlIHNhbXBsZSBub25jZQ=="), out), 28);
    assert_string_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_true(ws_key_valid(STR("dGhlIHNhbXBsZSBub25jZQ==")));
    assert_false(ws_key_valid(STR("dGhlIHNhbXBsZSBub25jZQ=")));
    assert_false(ws_key_valid(STR("dGhlIHNhbXBsZSBub25jZSE=")));
    assert_false(ws_key_valid(STR("dGhlIHNhbXBsZSBub25j!Q==")));
    assert_false(ws_key_valid(STR("")));
}

static void extensions_are_read_from_the_answer(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct ws_deflate d;
    } rows[] = {
        {"", {false, false, false}},
        {"permessage-deflate", {true, false, false}},
        {"Permessage-Deflate ; server_no_context_takeover", {true, false, true}},
        {"permessage-deflate; client_no_context_takeover;server_no_context_takeover", {true, true, true}},
        {"x-other; client_no_context_takeover, permessage-deflate; server_max_window_bits=\"12\"",
         {true, false, false}},
        {"permessage-deflate-not; server_no_context_takeover", {false, false, false}},
        {"x; permessage-deflate", {false, false, false}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ws_deflate d = ws_deflate_from(str_c(rows[i].text));
        assert_int_equal(d.on, rows[i].d.on);
        assert_int_equal(d.client_fresh, rows[i].d.client_fresh);
        assert_int_equal(d.server_fresh, rows[i].d.server_fresh);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_survive_any_splitting),
        cmocka_unit_test(lengths_of_all_three_forms_are_read),
        cmocka_unit_test(every_fault_has_its_name),
        cmocka_unit_test(close_frames_tell_code_and_reason),
        cmocka_unit_test(compressed_messages_are_followed),
        cmocka_unit_test(the_examples_of_the_rfc_are_read),
        cmocka_unit_test(damaged_and_oversized_messages_are_lost_not_fatal),
        cmocka_unit_test(a_large_honest_message_is_read_whole),
        cmocka_unit_test(the_handshake_follows_the_rfc),
        cmocka_unit_test(extensions_are_read_from_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
