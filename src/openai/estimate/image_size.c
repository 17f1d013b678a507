/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where each format keeps its size:
 *
 *   PNG   big-endian words at 16 and 20, in the header chunk that must come first
 *   GIF   little-endian halves at 6 and 8
 *   WebP  by the first chunk at 12: "VP8X" 24 bits less one at 24 and 27; "VP8L" 14 bits less one
 *         each at 21; "VP8 " 14 bits each at 26 and 28
 *   JPEG  in the frame header segment (C0-CF but C4, C8, CC), behind others of any length
 *
 * A photograph's own preview can push the JPEG frame header beyond what is decoded of a URL; then
 * the size is not known.
 */
#include "openai/estimate/image_size.h"

#include "base/encode.h"
#include "base/json_text.h"

/* Characters of base64 that are decoded; a multiple of 4. */
#define URL_TEXT_MAX 12288

static uint32_t big16(struct str s, size_t at)
{
    return (uint32_t)(unsigned char)s.p[at] << 8 | (unsigned char)s.p[at + 1];
}

static uint32_t little16(struct str s, size_t at)
{
    return (uint32_t)(unsigned char)s.p[at + 1] << 8 | (unsigned char)s.p[at];
}

static uint32_t little24(struct str s, size_t at)
{
    return (uint32_t)(unsigned char)s.p[at + 2] << 16 | little16(s, at);
}

static struct estimate_image png_size(struct str s)
{
    struct estimate_image none = {0, 0};
    if (s.n < 24 || big16(s, 16) || big16(s, 20))
        return none;
    return (struct estimate_image){big16(s, 18), big16(s, 22)};
}

static struct estimate_image webp_size(struct str s)
{
    struct estimate_image none = {0, 0};
    if (s.n < 30 || !str_eq(str_head(str_from(s, 8), 4), STR("WEBP")))
        return none;
    struct str chunk = str_head(str_from(s, 12), 4);
    if (str_eq(chunk, STR("VP8X")))
        return (struct estimate_image){little24(s, 24) + 1, little24(s, 27) + 1};
    if (str_eq(chunk, STR("VP8 ")))
        return (struct estimate_image){little16(s, 26) & 0x3fff, little16(s, 28) & 0x3fff};
    if (!str_eq(chunk, STR("VP8L")))
        return none;
    uint32_t bits = little24(s, 21) | (uint32_t)(unsigned char)s.p[24] << 24;
    return (struct estimate_image){(bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1};
}

static struct estimate_image jpeg_size(struct str s)
{
    struct estimate_image none = {0, 0};
    for (size_t at = 2; at + 9 <= s.n && (unsigned char)s.p[at] == 0xff;) {
        unsigned char marker = (unsigned char)s.p[at + 1];
        if (marker == 0xff) {
            at++; /* fill byte */
            continue;
        }
        if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc)
            return (struct estimate_image){big16(s, at + 7), big16(s, at + 5)};
        at += 2 + big16(s, at + 2);
    }
    return none;
}

bool estimate_image_size_of(struct str head, struct estimate_image *ret_size)
{
    struct estimate_image size = {0, 0};
    if (str_starts(head, STR("\x89PNG\r\n\x1a\n")))
        size = png_size(head);
    else if (str_starts(head, STR("GIF8")) && head.n >= 10)
        size = (struct estimate_image){little16(head, 6), little16(head, 8)};
    else if (str_starts(head, STR("RIFF")))
        size = webp_size(head);
    else if (str_starts(head, STR("\xff\xd8\xff")))
        size = jpeg_size(head);
    if (size.width == 0 || size.height == 0 || size.width > UINT16_MAX || size.height > UINT16_MAX)
        return false;
    *ret_size = size;
    return true;
}

bool estimate_image_size_of_url(struct str raw, struct estimate_image *ret_size)
{
    char text[URL_TEXT_MAX], head[ENCODE_UNBASE64_MAX(URL_TEXT_MAX)];
    size_t n;
    if (!str_starts_nocase(raw, STR("data:")))
        return false;
    ptrdiff_t comma = str_find(raw, ',');
    if (comma < 0 || !str_ends(str_head(raw, (size_t)comma), STR(";base64")))
        return false;
    /* Some writers escape the slash, so the text may be longer than what it stands for. */
    struct str data = str_from(raw, (size_t)comma + 1);
    n = json_unescape(str_head(data, 2 * URL_TEXT_MAX), text, sizeof text, NULL);
    if (!encode_unbase64(str_of(text, n), head, sizeof head, &n))
        return false;
    return estimate_image_size_of(str_of(head, n), ret_size);
}
