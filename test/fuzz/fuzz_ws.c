/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket streams from any bytes, with any splitting: the first byte chooses direction, extension
 * and cuts. The same facts must come out as from the stream in one piece, and output stays bounded.
 */
#include <string.h>

#include "base/must.h"
#include "net/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct facts {
    uint64_t hash, bytes;
    unsigned messages, controls, lost;
    bool open; /* between the first and the last piece of a message */
};

static void add(struct facts *f, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        f->hash = (f->hash ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001b3);
    f->bytes += s.n;
}

static void on_piece(void *ctx, const struct ws_piece *piece)
{
    struct facts *f = ctx;
    bool control = piece->opcode >= WS_CLOSE;
    const char note[3] = {(char)piece->opcode, (char)piece->compressed, (char)(piece->end && piece->lost)};
    if (control) {
        must(piece->begin);
        must(piece->end);
        must(piece->bytes.n <= WS_CONTROL_MAX);
        f->controls++;
        return; /* where it falls within a message is no fact of the message */
    }
    must(piece->opcode == WS_TEXT || piece->opcode == WS_BINARY);
    must(piece->begin == !f->open);
    must(!piece->lost || (piece->compressed && piece->end && !piece->bytes.n));
    add(f, piece->bytes);
    f->open = !piece->end;
    if (piece->end) {
        add(f, str_of(note, sizeof note));
        f->messages++;
        f->lost += piece->lost;
    }
}

static enum ws_fault run(const uint8_t *p, size_t n, uint8_t how, bool cut, struct facts *f)
{
    const struct ws_deflate d = {(how & 2) != 0, (how & 4) != 0, (how & 4) != 0};
    struct ws_scan s;
    uint64_t in = n;
    *f = (struct facts){0};
    ws_scan_init(&s, how & 1 ? WS_FROM_CLIENT : WS_FROM_SERVER, &d, on_piece, f);
    while (n) {
        size_t step = cut ? 1u + (how >> 4) : n;
        if (step > n)
            step = n;
        must(ws_scan_feed(&s, p, step) == !s.fault);
        p += step;
        n -= step;
    }
    /* Each message may inflate to the free bound and a hundred times its input. */
    must(f->bytes <= (uint64_t)(f->messages + 1) * (WS_INFLATE_FREE + 20000) + 200 * in);
    enum ws_fault fault = s.fault;
    ws_scan_done(&s);
    return fault;
}

/* What our own writer makes is read back as it was. */
static void round_trip(const uint8_t *p, size_t n, uint8_t how)
{
    struct buf b;
    struct facts f;
    buf_init(&b, n + WS_HEAD_MAX);
    must(ws_frame(&b, how & 1 ? WS_FROM_CLIENT : WS_FROM_SERVER, true, WS_BINARY, str_of((const char *)p, n)));
    must(run((const uint8_t *)buf_str(&b).p, buf_size(&b), how, true, &f) == WS_FAULT_NONE);
    must(f.messages == 1);
    must(f.bytes == n + 3);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct facts whole, cut;
    if (!n)
        return 0;
    uint8_t how = p[0];
    enum ws_fault a = run(p + 1, n - 1, how, false, &whole);
    enum ws_fault b = run(p + 1, n - 1, how, true, &cut);
    round_trip(p + 1, n - 1, how);
    ws_deflate_from(str_of((const char *)p, n));
    ws_key_valid(str_of((const char *)p, n));
    /* Where exactly a bomb is given up depends on how it came in. */
    if ((whole.lost && whole.bytes > WS_INFLATE_FREE / 2) || (cut.lost && cut.bytes > WS_INFLATE_FREE / 2))
        return 0;
    must(a == b);
    must(whole.messages == cut.messages);
    must(whole.controls == cut.controls);
    must(whole.lost == cut.lost);
    if (!a && !whole.open) {
        must(whole.hash == cut.hash);
        must(whole.bytes == cut.bytes);
    }
    return 0;
}
