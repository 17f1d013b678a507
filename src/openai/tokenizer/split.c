/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The regular expressions of the official encodings, by hand.
 *
 * Their alternatives are tried in order at each position and the first that matches wins, not the
 * longest. U is [Lu Lt Lm Lo M], W is [Ll Lm Lo M], (?i) folds Unicode case:
 *
 *   r50k    '(?:[sdmt]|ll|ve|re)   ?\p{L}+   ?\p{N}+   ?[^\s\p{L}\p{N}]+  \s+$  \s+(?!\S)  \s
 *   cl100k  '(?i:[sdmt]|ll|ve|re)  [^\r\n\p{L}\p{N}]?\p{L}+  \p{N}{1,3}  ?[^\s\p{L}\p{N}]+[\r\n]*
 *           \s+$  \s*[\r\n]  \s+(?!\S)  \s
 *   o200k   [^\r\n\p{L}\p{N}]?U*W+C?  [^\r\n\p{L}\p{N}]?U+W*C?  \p{N}{1,3}  ?[^\s\p{L}\p{N}]+[\r\n/]*
 *           \s*[\r\n]+  \s+(?!\S)  \s+          with C = (?i:'s|'t|'re|'ve|'m|'ll|'d)
 *
 * (" ?" is an optional space.) A set of classes is a bit mask. Each helper moves forward over one
 * run; the only backtracking, in o200k's first alternative and in the white space, is replaced by
 * remembering the last place that could be gone back to. No byte is looked at more than a few
 * times, so splitting is linear.
 */
#include "openai/tokenizer/split.h"

#include <stdbool.h>
#include <stdint.h>

#include "openai/tokenizer/image.h"

#define BIT(class) (1u << TOKENIZER_CLASS_##class)
#define SET_SPACE (BIT(SPACE) | BIT(NEWLINE))
#define SET_LETTER (BIT(UPPER) | BIT(LOWER) | BIT(LETTER))
#define SET_SYMBOL (BIT(OTHER) | BIT(MARK))
#define SET_PREFIX (BIT(OTHER) | BIT(MARK) | BIT(SPACE))
#define SET_U (BIT(UPPER) | BIT(LETTER) | BIT(MARK))
#define SET_W (BIT(LOWER) | BIT(LETTER) | BIT(MARK))

/* The bytes being split. */
struct view {
    const unsigned char *p;
    size_t n;
};

/* What is not named is OTHER, which is 0. */
static const uint8_t ascii[128] = {
    ['\t'] = TOKENIZER_CLASS_SPACE,         ['\v'] = TOKENIZER_CLASS_SPACE,
    ['\f'] = TOKENIZER_CLASS_SPACE,         [' '] = TOKENIZER_CLASS_SPACE,
    ['\n'] = TOKENIZER_CLASS_NEWLINE,       ['\r'] = TOKENIZER_CLASS_NEWLINE,
    ['0' ... '9'] = TOKENIZER_CLASS_NUMBER, ['A' ... 'Z'] = TOKENIZER_CLASS_UPPER,
    ['a' ... 'z'] = TOKENIZER_CLASS_LOWER,
};
_Static_assert(TOKENIZER_CLASS_OTHER == 0, "the table's default");

/*
 * Decodes one character that begins with a byte above 127. What is not UTF-8 (RFC 3629: overlong
 * forms, surrogates and code points above 10FFFF included) is one byte of class OTHER.
 */
static unsigned wide_bit(struct view v, size_t at, size_t *ret_len)
{
    const unsigned char *p = v.p + at;
    size_t left = v.n - at, len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t code = 0;
    *ret_len = 1;
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < len || (p[1] & 0xc0) != 0x80)
        return BIT(OTHER);
    if (len == 2) {
        code = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
    } else if (len == 3) {
        code = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
        if ((p[2] & 0xc0) != 0x80 || code < 0x800 || (code >= 0xd800 && code < 0xe000))
            return BIT(OTHER);
    } else {
        code = (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
        if ((p[2] & 0xc0) != 0x80 || (p[3] & 0xc0) != 0x80 || code < 0x10000 || code > 0x10ffff)
            return BIT(OTHER);
    }
    *ret_len = len;
    return 1u << tokenizer_image_class(code);
}

/* The class of the character at `at` < n, as a bit, and its length in bytes. */
static inline unsigned bit_at(struct view v, size_t at, size_t *ret_len)
{
    unsigned char c = v.p[at];
    if (c >= 0x80)
        return wide_bit(v, at, ret_len);
    *ret_len = 1;
    return 1u << ascii[c];
}

/* The end of the run of characters of `set` that begins at `at`; `at` itself when there is none. */
static inline size_t skip(struct view v, size_t at, unsigned set)
{
    size_t len;
    while (at < v.n && (bit_at(v, at, &len) & set))
        at += len;
    return at;
}

static bool is_letter(unsigned char c, char lower, bool fold)
{
    return c == (unsigned char)lower || (fold && (c | 0x20) == lower);
}

/* Length of a contraction at `at`, apostrophe included, or 0. */
static size_t contraction(struct view v, size_t at, bool fold)
{
    static const char two[][2] = {{'l', 'l'}, {'v', 'e'}, {'r', 'e'}};
    if (at + 2 > v.n || v.p[at] != '\'')
        return 0;
    unsigned char a = v.p[at + 1], b = at + 2 < v.n ? v.p[at + 2] : 0;
    if (is_letter(a, 's', fold) || is_letter(a, 't', fold) || is_letter(a, 'm', fold) || is_letter(a, 'd', fold))
        return 2;
    for (size_t i = 0; i < 3; i++)
        if (is_letter(a, two[i][0], fold) && is_letter(b, two[i][1], fold))
            return 3;
    /* U+017F, the long s, is the one letter outside ASCII that folds to one of these. */
    return fold && a == 0xc5 && b == 0xbf ? 3 : 0;
}

/* End of up to three digits from `at`; `at` when there is none. */
static size_t number(struct view v, size_t at)
{
    size_t len;
    for (int i = 0; i < 3 && at < v.n && (bit_at(v, at, &len) & BIT(NUMBER)); i++)
        at += len;
    return at;
}

/* End of an optional space and a run of `set`; 0 when there is no such run. */
static inline size_t spaced(struct view v, unsigned set)
{
    size_t from = v.p[0] == ' ' ? 1 : 0, end = skip(v, from, set);
    return end > from ? end : 0;
}

/*
 * The white space at the start. `whole_at_end`: the rule tries \s+$ before a line break.
 * `newlines`: the rule ends a piece behind the last line break.
 */
static size_t space(struct view v, bool whole_at_end, bool newlines)
{
    size_t at = 0, last = 0, line = 0, len;
    unsigned bit;
    while (at < v.n && ((bit = bit_at(v, at, &len)) & SET_SPACE)) {
        last = at;
        at += len;
        if (bit == BIT(NEWLINE))
            line = at;
    }
    if (at == v.n && whole_at_end)
        return at;
    if (newlines && line)
        return line;
    /* The last white space goes to what follows, if it is not the only one. */
    return at == v.n || last == 0 ? at : last;
}

static size_t split_r50k(struct view v)
{
    size_t end = contraction(v, 0, false);
    if (!end)
        end = spaced(v, SET_LETTER);
    if (!end)
        end = spaced(v, BIT(NUMBER));
    if (!end)
        end = spaced(v, SET_SYMBOL);
    return end ? end : space(v, true, false);
}

static size_t split_cl100k(struct view v)
{
    size_t len, end = contraction(v, 0, true);
    if (end)
        return end;
    unsigned first = bit_at(v, 0, &len);
    size_t from = first & SET_PREFIX ? len : 0;
    end = skip(v, from, SET_LETTER);
    if (end > from)
        return end;
    if (first & BIT(NUMBER))
        return number(v, 0);
    end = spaced(v, SET_SYMBOL);
    if (!end)
        return space(v, true, true);
    while (end < v.n && (v.p[end] == '\r' || v.p[end] == '\n'))
        end++;
    return end;
}

/* End of U*W+ from `at`, or 0. */
static size_t mixed_word(struct view v, size_t at)
{
    size_t len, both_end = 0, end;
    unsigned bit;
    while (at < v.n && ((bit = bit_at(v, at, &len)) & SET_U)) {
        at += len;
        if (bit & SET_W)
            both_end = at;
    }
    end = skip(v, at, SET_W);
    /* Without a W behind it, U* gives back down to the last character that is in both sets. */
    return end > at ? end : both_end;
}

static size_t split_o200k(struct view v)
{
    size_t len, end = 0;
    unsigned first = bit_at(v, 0, &len);
    size_t from = first & SET_PREFIX ? len : 0;
    if (from)
        end = mixed_word(v, from);
    if (!end && (first & (SET_U | SET_W)))
        end = mixed_word(v, 0);
    if (!end) {
        /* No W anywhere in the run, or the first alternative had matched. */
        end = skip(v, from, SET_U);
        end = end > from ? end : 0;
    }
    if (end)
        return end + contraction(v, end, true);
    if (first & BIT(NUMBER))
        return number(v, 0);
    end = spaced(v, SET_SYMBOL);
    if (!end)
        return space(v, false, true);
    while (end < v.n && (v.p[end] == '\r' || v.p[end] == '\n' || v.p[end] == '/'))
        end++;
    return end;
}

size_t tokenizer_split(enum tokenizer_rule rule, const unsigned char *p, size_t n)
{
    struct view v = {p, n};
    switch (rule) {
    case TOKENIZER_RULE_R50K:
        return split_r50k(v);
    case TOKENIZER_RULE_CL100K:
        return split_cl100k(v);
    case TOKENIZER_RULE_O200K:
        break;
    }
    return split_o200k(v);
}
