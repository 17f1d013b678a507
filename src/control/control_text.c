/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of stored texts, one character class after the other. */
#include "control/control_text.h"

#include "base/arena.h"
#include "base/json/jdoc.h"
#include "base/utf8.h"

#define METADATA_MAX 16384
#define METADATA_MEMBERS_MAX 64

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

bool control_text_is_name(struct str text, size_t max)
{
    if (text.n == 0 || text.n > max || text.p[0] == ' ' || text.p[text.n - 1] == ' ' || !utf8_valid(text))
        return false;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool c1 = c == 0xc2 && (unsigned char)text.p[i + 1] < 0xa0; /* U+0080 to U+009F */
        if (c < 0x20 || c == 0x7f || c1)
            return false;
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

static const char *metadata_fault(struct jval root, struct arena *a)
{
    if (jdoc_kind(root) != JDOC_OBJECT)
        return "Metadata is a JSON object of strings.";
    if (jdoc_size(root) > METADATA_MEMBERS_MAX)
        return "Metadata has at most 64 members.";
    for (struct jval name = jdoc_first(root); jdoc_has(name); name = jdoc_next(root, name)) {
        struct str text = jdoc_text(name, a);
        struct jval value = jdoc_value(name);
        if (text.n == 0 || text.n > 128)
            return "Names of metadata have 1 to 128 bytes.";
        if (jdoc_kind(value) != JDOC_STRING)
            return "Values of metadata are strings.";
        if (jdoc_escaped(value).n > 1024)
            return "Values of metadata have at most 1024 bytes.";
        for (struct jval other = jdoc_first(root); other.at != name.at; other = jdoc_next(root, other))
            if (str_eq(jdoc_text(other, a), text))
                return "A name stands twice in this metadata.";
    }
    return NULL;
}

const char *control_text_metadata_fault(struct str text)
{
    struct jdoc doc;
    struct arena *a = arena_new(4096, 64 * METADATA_MAX);
    const char *fault = "Metadata has at most 16 KiB.";
    jdoc_init(&doc);
    if (text.n <= METADATA_MAX)
        fault = jdoc_parse(&doc, text) ? metadata_fault(jdoc_root(&doc), a) : "Metadata is a JSON object of strings.";
    jdoc_free(&doc);
    arena_free(a);
    return fault;
}
