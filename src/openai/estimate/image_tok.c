/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two methods. Tiles: shrink into a square of 2048, then until the short side is 768, and count
 * tiles of 512; each has a price, and the image has one. Patches: count patches of 32; above 1536
 * shrink so that they fit, and multiply by a factor. (OpenAI, "Images and vision", calculating
 * costs.) Models that are not listed are taken for the newest tile model; figures for
 * gpt-5.4 and later were never published in full.
 */
#include "openai/estimate/image_tok.h"

#define PATCH 32u
#define PATCHES_MAX 1536u
#define TILE 512u
#define SQUARE 2048u
#define SHORT_SIDE 768u

/* A fraction of 16 bits behind the point. */
#define ONE (UINT64_C(1) << 16)

/* percent = 0: tiles at `each` on top of `base`. Else patches, at so many hundredths of a token. */
struct rule {
    const char *prefix;
    uint32_t base, each, percent;
};

/* The first that fits wins: longer prefixes stand first. The last one fits all. */
static const struct rule rules[] = {
    {"gpt-4o-mini", 2833, 5667, 0},
    {"gpt-4o", 85, 170, 0},
    {"gpt-4.1-mini", 0, 0, 162},
    {"gpt-4.1-nano", 0, 0, 246},
    {"gpt-4", 85, 170, 0},
    {"o4-mini", 0, 0, 172},
    {"o1", 75, 150, 0},
    {"o3", 75, 150, 0},
    {"computer-use-preview", 65, 129, 0},
    {"gpt-5-mini", 0, 0, 162},
    {"gpt-5-nano", 0, 0, 246},
    {"", 70, 140, 0},
};

static uint64_t ceil_div(uint64_t a, uint64_t b)
{
    return (a + b - 1) / b;
}

/* `n` × by / of, to the nearest, but a pixel at least. */
static uint32_t scaled(uint32_t n, uint32_t by, uint32_t of)
{
    uint32_t pixels = (uint32_t)(((uint64_t)n * by + of / 2) / of);
    return pixels ? pixels : 1;
}

static uint64_t tiles(struct estimate_image s)
{
    uint32_t longer = s.width > s.height ? s.width : s.height;
    if (longer > SQUARE)
        s = (struct estimate_image){scaled(s.width, SQUARE, longer), scaled(s.height, SQUARE, longer)};
    uint32_t shorter = s.width < s.height ? s.width : s.height;
    if (shorter > SHORT_SIDE)
        s = (struct estimate_image){scaled(s.width, SHORT_SIDE, shorter), scaled(s.height, SHORT_SIDE, shorter)};
    return ceil_div(s.width, TILE) * ceil_div(s.height, TILE);
}

static uint64_t square_root(uint64_t n)
{
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 31; bit; bit >>= 1)
        if ((root + bit) * (root + bit) <= n)
            root += bit;
    return root;
}

/*
 * Shrunk to an area of PATCHES_MAX patches, both sides then have a fraction of a patch too many;
 * the image is shrunk once more by the larger share that one of them loses, so that this side is
 * whole.
 */
static uint64_t patches(struct estimate_image s)
{
    uint64_t count = ceil_div(s.width, PATCH) * ceil_div(s.height, PATCH);
    if (count <= PATCHES_MAX)
        return count;
    uint64_t area = (uint64_t)s.width * s.height;
    uint64_t ratio = square_root(ONE * ONE * PATCH * PATCH * PATCHES_MAX / area);
    uint64_t wide = s.width * ratio / PATCH, high = s.height * ratio / PATCH;
    uint64_t wide_n = wide / ONE, high_n = high / ONE;
    if (wide_n == 0 || high_n == 0) /* thinner than a patch */
        return PATCHES_MAX;
    if (wide_n * high <= high_n * wide)
        high_n = ceil_div(high * wide_n / wide * ONE + high * wide_n % wide * ONE / wide, ONE);
    else
        wide_n = ceil_div(wide * high_n / high * ONE + wide * high_n % high * ONE / high, ONE);
    count = wide_n * high_n;
    return count < PATCHES_MAX ? count : PATCHES_MAX;
}

uint64_t estimate_image_tok(struct str model, struct estimate_image size, bool low)
{
    const struct rule *r = rules;
    if (str_starts(model, STR("ft:")))
        model = str_from(model, 3);
    while (!str_starts(model, str_c(r->prefix)))
        r++;
    if (r->percent)
        return ceil_div(patches(size) * r->percent, 100);
    return r->base + (low ? 0 : tiles(size) * r->each);
}
