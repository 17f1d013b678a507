/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of stored texts, one character class after the other. */
#include "control/control_text.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

/* Length of the UTF-8 sequence at the front (RFC 3629: shortest form, no surrogates), or 0. */
static size_t utf8_length(struct str s)
{
    unsigned char c = (unsigned char)s.p[0];
    unsigned low = 0x80, high = 0xbf; /* bounds of the second byte */
    size_t n = c < 0x80 ? 1 : c >= 0xc2 && c <= 0xdf ? 2 : c >= 0xe0 && c <= 0xef ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
    if (n == 0 || n > s.n)
        return 0;
    if (c == 0xe0)
        low = 0xa0;
    if (c == 0xed)
        high = 0x9f;
    if (c == 0xf0)
        low = 0x90;
    if (c == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < n; i++) {
        unsigned char follow = (unsigned char)s.p[i];
        if (follow < low || follow > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return n;
}

bool control_text_is_name(struct str text, size_t max)
{
    if (text.n == 0 || text.n > max || text.p[0] == ' ' || text.p[text.n - 1] == ' ')
        return false;
    while (text.n > 0) {
        size_t n = utf8_length(text);
        unsigned char c = (unsigned char)text.p[0];
        bool control = c < 0x20 || c == 0x7f || (c == 0xc2 && n == 2 && (unsigned char)text.p[1] < 0xa0);
        if (n == 0 || control)
            return false;
        text = str_from(text, n);
    }
    return true;
}

bool control_text_is_slug(struct str text)
{
    if (text.n == 0 || text.n > 63 || text.p[0] == '-' || text.p[0] == '_')
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (!is_lower(text.p[i]) && !is_digit(text.p[i]) && text.p[i] != '-' && text.p[i] != '_')
            return false;
    return true;
}

bool control_text_is_workspace(struct str text)
{
    static const char *const taken[] = {"api",     "assets", "console", "health",  "livez",    "metrics",
                                        "openapi", "readyz", "run",     "static",  "tollgate", "v0",
                                        "v1",      "v2",     "v3",      "v4",      "login",    "logout",
                                        "oauth",   "docs",   "admin",   "sandbox", "models",   "public"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        if (str_eq(text, str_c(taken[i])))
            return false;
    return control_text_is_slug(text) && str_find(text, '_') < 0;
}

bool control_text_is_token(struct str text, size_t max)
{
    if (text.n == 0 || text.n > max || str_eq(text, STR(".")) || str_eq(text, STR("..")))
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool letter = is_lower(c) || (c >= 'A' && c <= 'Z');
        if (!letter && !is_digit(c) && c != '-' && c != '_' && c != '.' && c != ':')
            return false;
    }
    return true;
}

bool control_text_is_api_version(struct str text)
{
    static const char pattern[] = "dddd-dd-dd";
    if (str_eq(text, STR("v1")))
        return true;
    if (str_ends(text, STR("-preview")))
        text = str_head(text, text.n - 8);
    if (text.n != sizeof pattern - 1)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (pattern[i] == 'd' ? !is_digit(text.p[i]) : text.p[i] != '-')
            return false;
    return true;
}

bool control_text_is_visible(struct str text, size_t max)
{
    if (text.n == 0 || text.n > max)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= ' ' || text.p[i] > '~')
            return false;
    return true;
}
