/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings are read character by character through next_char, which hides escapes; plain runs are
 * copied whole. Numbers become a mantissa of up to 19 digits and a power of ten, never a double.
 */
#include "base/json_text.h"

#include "base/json_bytes.h"
#include "base/must.h"

#define REPLACEMENT 0xfffd
#define UTF8_MAX 4

/* The code unit of a whole \uXXXX at p, or -1. */
static int code_unit(const char *p, size_t n)
{
    if (n < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    int unit = 0;
    for (int i = 2; i < 6; i++) {
        int digit = json_bytes_hex(p[i]);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* What the escape at p means, and its length in *ret_n. */
static uint32_t escape_char(const char *p, size_t n, size_t *ret_n)
{
    int unit = code_unit(p, n);
    if (unit < 0) {
        *ret_n = n < 2 ? n : 2;
        switch (n < 2 ? '\\' : p[1]) {
        case 'b':
            return '\b';
        case 'f':
            return '\f';
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        default:
            return (unsigned char)p[n < 2 ? 0 : 1];
        }
    }
    *ret_n = 6;
    if (unit < 0xd800 || unit > 0xdfff)
        return (uint32_t)unit;
    int low = unit < 0xdc00 ? code_unit(p + 6, n - 6) : -1;
    if (low < 0xdc00 || low > 0xdfff)
        return REPLACEMENT;
    *ret_n = 12;
    return 0x10000u + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
}

static size_t utf8_put(uint32_t c, char out[UTF8_MAX])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static size_t plain_run(struct str s)
{
    const char *slash = s.n ? memchr(s.p, '\\', s.n) : NULL;
    return slash ? (size_t)(slash - s.p) : s.n;
}

/* The longest n' ≤ cap such that s is not cut inside a UTF-8 sequence. */
static size_t cut_at_border(struct str s, size_t cap)
{
    if (s.n <= cap)
        return s.n;
    size_t n = cap;
    for (int i = 0; i < UTF8_MAX - 1 && n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80; i++)
        n--;
    return n;
}

size_t json_unescape(struct str raw, char *dst, size_t cap, size_t *ret_used)
{
    struct str rest = raw;
    size_t n = 0;
    while (rest.n > 0) {
        struct str run = str_head(rest, plain_run(rest));
        size_t fits = cut_at_border(run, cap - n);
        memcpy(dst + n, run.p, fits);
        n += fits;
        rest = str_from(rest, fits);
        if (fits < run.n || rest.n == 0)
            break;
        size_t used;
        char utf8[UTF8_MAX];
        size_t size = utf8_put(escape_char(rest.p, rest.n, &used), utf8);
        if (size > cap - n)
            break;
        memcpy(dst + n, utf8, size);
        n += size;
        rest = str_from(rest, used);
    }
    if (ret_used)
        *ret_used = raw.n - rest.n;
    return n;
}

bool json_unescape_buf(struct str raw, struct buf *out)
{
    /* Text never grows by unescaping. */
    if (raw.n == 0)
        return true;
    char *p = buf_reserve(out, raw.n);
    if (!p)
        return false;
    buf_commit(out, json_unescape(raw, p, raw.n, NULL));
    return true;
}

/* As json_unescape, but fills dst to the last byte, be it inside a character. */
static size_t fill(struct str *raw, char *dst, size_t cap)
{
    size_t n = 0;
    while (raw->n > 0) {
        size_t run = str_head(*raw, plain_run(*raw)).n;
        run = run < cap - n ? run : cap - n;
        memcpy(dst + n, raw->p, run);
        n += run;
        *raw = str_from(*raw, run);
        if (raw->n == 0 || raw->p[0] != '\\')
            break;
        size_t used;
        char utf8[UTF8_MAX];
        uint32_t c = escape_char(raw->p, raw->n, &used);
        size_t size = utf8_put(c ? c : '?', utf8);
        if (size > cap - n)
            break;
        memcpy(dst + n, utf8, size);
        n += size;
        *raw = str_from(*raw, used);
    }
    return n;
}

/* Without a UTF-8 sequence at the end that is not whole. */
static size_t trim(const char *dst, size_t n)
{
    size_t lead = n;
    while (lead > 0 && n - lead < UTF8_MAX - 1 && ((unsigned char)dst[lead - 1] & 0xc0) == 0x80)
        lead--;
    if (lead == 0)
        return n;
    unsigned char first = (unsigned char)dst[lead - 1];
    size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    return n - (lead - 1) < size ? lead - 1 : n;
}

uint16_t json_unescape_more(struct str raw, char *dst, size_t cap, uint16_t at)
{
    must(cap > 0);
    must(cap < JSON_TEXT_CUT);
    if (at == JSON_TEXT_CUT)
        return JSON_TEXT_CUT;
    must(at < cap);
    size_t n = at + fill(&raw, dst + at, cap - 1 - at);
    if (raw.n > 0)
        n = trim(dst, n);
    dst[n] = '\0';
    return raw.n > 0 ? JSON_TEXT_CUT : (uint16_t)n;
}

bool json_unescape_copy(struct str raw, char *dst, size_t cap)
{
    return json_unescape_more(raw, dst, cap, 0) != JSON_TEXT_CUT;
}

bool json_string_eq(struct str raw, struct str text)
{
    while (raw.n > 0) {
        size_t run = plain_run(raw);
        if (!str_starts(text, str_head(raw, run)))
            return false;
        text = str_from(text, run);
        raw = str_from(raw, run);
        if (raw.n == 0)
            break;
        size_t used;
        char utf8[UTF8_MAX];
        size_t size = utf8_put(escape_char(raw.p, raw.n, &used), utf8);
        if (!str_starts(text, str_of(utf8, size)))
            return false;
        text = str_from(text, size);
        raw = str_from(raw, used);
    }
    return text.n == 0;
}

uint64_t json_code_points(struct str raw)
{
    uint64_t n = 0;
    while (raw.n > 0) {
        size_t run = plain_run(raw);
        n += json_bytes_starts(raw.p, run);
        raw = str_from(raw, run);
        if (raw.n == 0)
            break;
        size_t used;
        escape_char(raw.p, raw.n, &used);
        raw = str_from(raw, used);
        n++;
    }
    return n;
}

bool json_has_nul(struct str raw)
{
    while (raw.n > 0) {
        raw = str_from(raw, plain_run(raw));
        size_t used = 0;
        if (raw.n > 0 && escape_char(raw.p, raw.n, &used) == 0)
            return true;
        raw = str_from(raw, used);
    }
    return false;
}

/* --- Numbers ------------------------------------------------------------------------------------ */

struct decimal {
    bool negative;
    uint64_t mantissa;
    int64_t exponent; /* value = mantissa × 10^exponent */
    bool more;        /* digits behind the mantissa's that are not all zero */
};

#define MANTISSA_ENOUGH UINT64_C(100000000000000000)
#define EXPONENT_ENOUGH 100000

/* Takes digits; those that no longer fit move the exponent instead. False when there is none. */
static bool take_digits(struct str *s, bool fraction, struct decimal *d)
{
    size_t i = 0;
    for (; i < s->n && json_bytes_is_digit(s->p[i]); i++) {
        unsigned digit = (unsigned)(s->p[i] - '0');
        if (d->mantissa < MANTISSA_ENOUGH) {
            d->mantissa = d->mantissa * 10 + digit;
            d->exponent -= fraction;
        } else {
            d->more |= digit > 0;
            d->exponent += !fraction;
        }
    }
    *s = str_from(*s, i);
    return i > 0;
}

static bool take_exponent(struct str *s, struct decimal *d)
{
    bool negative = str_starts(*s, STR("-"));
    if (negative || str_starts(*s, STR("+")))
        *s = str_from(*s, 1);
    int64_t value = 0;
    size_t i = 0;
    for (; i < s->n && json_bytes_is_digit(s->p[i]); i++)
        if (value < EXPONENT_ENOUGH)
            value = value * 10 + (s->p[i] - '0');
    *s = str_from(*s, i);
    d->exponent += negative ? -value : value;
    return i > 0;
}

static bool decimal_parse(struct str s, struct decimal *d)
{
    *d = (struct decimal){.negative = str_starts(s, STR("-"))};
    s = str_from(s, d->negative);
    if (!take_digits(&s, false, d))
        return false;
    if (str_starts(s, STR("."))) {
        s = str_from(s, 1);
        if (!take_digits(&s, true, d))
            return false;
    }
    if (str_starts(s, STR("e")) || str_starts(s, STR("E"))) {
        s = str_from(s, 1);
        if (!take_exponent(&s, d))
            return false;
    }
    return s.n == 0;
}

/* Makes the exponent 0. *ret_rest: what was cut off is 0 nothing, 1 below a half, 2 a half or more. */
static bool decimal_whole(const struct decimal *d, uint64_t *ret_value, int *ret_rest)
{
    uint64_t value = d->mantissa;
    int rest = d->more;
    if (value > 0 && d->negative)
        return false;
    for (int64_t e = d->exponent; e < 0 && (value > 0 || rest == 2); e++) {
        rest = value % 10 >= 5 ? 2 : value % 10 > 0 || rest > 0;
        value /= 10;
    }
    for (int64_t e = d->exponent; e > 0 && value > 0; e--) {
        if (value > JSON_COUNT_MAX)
            return false;
        value *= 10;
    }
    *ret_value = value;
    *ret_rest = rest;
    return value <= JSON_COUNT_MAX;
}

bool json_to_count(struct str raw, uint64_t *ret_count)
{
    struct decimal d;
    uint64_t value;
    int rest;
    if (!decimal_parse(raw, &d) || !decimal_whole(&d, &value, &rest) || rest != 0)
        return false;
    *ret_count = value;
    return true;
}

bool json_to_milli(struct str raw, uint64_t *ret_milli)
{
    struct decimal d;
    uint64_t value;
    int rest;
    if (!decimal_parse(raw, &d))
        return false;
    d.exponent += 3;
    if (!decimal_whole(&d, &value, &rest))
        return false;
    *ret_milli = value + (rest == 2);
    return true;
}
