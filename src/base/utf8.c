/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8: each sequence is read as a code point and held against the range its length stands for. */
#include "base/utf8.h"

/* Bytes of the sequence at the front, or 0 when it is malformed. */
static size_t sequence(const unsigned char *p, size_t n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (p[0] < 0x80)
        return 1;
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || len > n)
        return 0;
    uint32_t c = p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    bool surrogate = c >= 0xd800 && c <= 0xdfff;
    return c < least[len] || c > 0x10ffff || surrogate ? 0 : len;
}

bool utf8_valid(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0; i < s.n;) {
        size_t len = sequence(p + i, s.n - i);
        if (!len)
            return false;
        i += len;
    }
    return true;
}

bool utf8_from_latin1(struct str s, struct buf *out)
{
    bool ok = true;
    for (size_t i = 0; i < s.n && ok; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x80)
            ok = buf_add_byte(out, (char)(0xc0 | c >> 6));
        ok = ok && buf_add_byte(out, (char)(c < 0x80 ? c : 0x80 | (c & 0x3f)));
    }
    return ok;
}
