/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer keeps two bits per open container (is it an object, has it something in it) and from
 * them knows whether a comma is due. Strings are copied in runs; a run ends at a byte that needs
 * an escape or at UTF-8 that is none.
 */
#include "base/json_write.h"

#include <stdio.h>

#include "base/json_bytes.h"
#include "base/must.h"

void json_write_init(struct json_write *w, struct buf *out)
{
    *w = (struct json_write){.out = out};
}

bool json_write_done(struct json_write *w)
{
    must(w->depth == 0);
    must(w->whole);
    return !w->failed;
}

static void put(struct json_write *w, const char *p, size_t n)
{
    if (!w->failed)
        w->failed = !buf_add(w->out, p, n);
}

static bool in_object(const struct json_write *w)
{
    return (w->objects >> (w->depth - 1) & 1) != 0;
}

static void comma(struct json_write *w)
{
    uint64_t bit = UINT64_C(1) << (w->depth - 1);
    if (w->nonempty & bit)
        put(w, ",", 1);
    w->nonempty |= bit;
}

/* Before any value: it must be one's turn. */
static void begin_value(struct json_write *w)
{
    if (w->depth == 0) {
        must(!w->whole);
        w->whole = true;
    } else if (in_object(w)) {
        must(w->keyed);
    } else {
        comma(w);
    }
    w->keyed = false;
}

static void open_container(struct json_write *w, bool object)
{
    begin_value(w);
    must(w->depth < JSON_WRITE_DEPTH_MAX);
    uint64_t bit = UINT64_C(1) << w->depth++;
    w->objects = object ? w->objects | bit : w->objects & ~bit;
    w->nonempty &= ~bit;
    put(w, object ? "{" : "[", 1);
}

static void close_container(struct json_write *w, bool object)
{
    must(w->depth > 0);
    must(in_object(w) == object);
    must(!w->keyed);
    w->depth--;
    put(w, object ? "}" : "]", 1);
}

void json_write_object(struct json_write *w)
{
    open_container(w, true);
}

void json_write_object_end(struct json_write *w)
{
    close_container(w, true);
}

void json_write_array(struct json_write *w)
{
    open_container(w, false);
}

void json_write_array_end(struct json_write *w)
{
    close_container(w, false);
}

/* --- Strings ------------------------------------------------------------------------------------ */

/* Length of the UTF-8 sequence at p (Unicode table 3-7), or 0 when there is none. p[0] is not ASCII. */
static size_t utf8_size(const unsigned char *p, size_t n)
{
    size_t size = p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;
    if (size == 0 || size > n)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool wrong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
                 (p[0] == 0xf4 && p[1] > 0x8f);
    return wrong ? 0 : size;
}

/* The length of the run at the front of s that can be written as it is. */
static size_t plain_run(struct str s)
{
    size_t n = (size_t)(json_bytes_special(s.p, s.p + s.n) - s.p);
    size_t i = 0;
    while (i < n) {
        if ((unsigned char)s.p[i] < 0x80) {
            i++;
            continue;
        }
        size_t size = utf8_size((const unsigned char *)s.p + i, n - i);
        if (size == 0)
            return i;
        i += size;
    }
    return n;
}

/* The escape of the one byte that ended a run. */
static struct str escape_of(char c, char hex[8])
{
    switch (c) {
    case '"':
        return STR("\\\"");
    case '\\':
        return STR("\\\\");
    case '\b':
        return STR("\\b");
    case '\f':
        return STR("\\f");
    case '\n':
        return STR("\\n");
    case '\r':
        return STR("\\r");
    case '\t':
        return STR("\\t");
    default:
        if ((unsigned char)c >= 0x80)
            return STR("\xef\xbf\xbd");
        snprintf(hex, 8, "\\u%04x", (unsigned)c);
        return str_of(hex, 6);
    }
}

bool json_write_quoted(struct buf *out, struct str s)
{
    size_t before = buf_size(out);
    bool fits = buf_add_byte(out, '"');
    while (s.n > 0 && fits) {
        size_t run = plain_run(s);
        fits = buf_add(out, s.p, run);
        s = str_from(s, run);
        if (s.n > 0 && fits) {
            char hex[8];
            fits = buf_add_str(out, escape_of(s.p[0], hex));
            s = str_from(s, 1);
        }
    }
    if (fits && buf_add_byte(out, '"'))
        return true;
    buf_cut(out, before);
    return false;
}

static void put_quoted(struct json_write *w, struct str s)
{
    if (!w->failed)
        w->failed = !json_write_quoted(w->out, s);
}

void json_write_key(struct json_write *w, struct str name)
{
    must(w->depth > 0);
    must(in_object(w));
    must(!w->keyed);
    comma(w);
    put_quoted(w, name);
    put(w, ":", 1);
    w->keyed = true;
}

/* --- Values ------------------------------------------------------------------------------------- */

void json_write_string(struct json_write *w, struct str s)
{
    begin_value(w);
    put_quoted(w, s);
}

void json_write_int(struct json_write *w, int64_t v)
{
    begin_value(w);
    if (v < 0)
        put(w, "-", 1);
    char digits[20];
    size_t at = sizeof(digits);
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    put(w, digits + at, sizeof(digits) - at);
}

void json_write_uint(struct json_write *w, uint64_t v)
{
    begin_value(w);
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    put(w, digits + at, sizeof(digits) - at);
}

void json_write_bool(struct json_write *w, bool v)
{
    begin_value(w);
    put(w, v ? "true" : "false", v ? 4 : 5);
}

void json_write_null(struct json_write *w)
{
    begin_value(w);
    put(w, "null", 4);
}

void json_write_money(struct json_write *w, money_sum pusd)
{
    char text[MONEY_TEXT_MAX];
    size_t n = money_format(pusd, text);
    begin_value(w);
    put(w, text, n);
}

void json_write_money_string(struct json_write *w, money_sum pusd)
{
    char text[MONEY_TEXT_MAX];
    size_t n = money_format(pusd, text);
    json_write_string(w, str_of(text, n));
}

void json_write_raw(struct json_write *w, struct str json)
{
    must(json.n > 0);
    begin_value(w);
    put(w, json.p, json.n);
}

/* --- Name and value ----------------------------------------------------------------------------- */

void json_write_member_string(struct json_write *w, const char *name, struct str s)
{
    json_write_key(w, str_c(name));
    json_write_string(w, s);
}

void json_write_member_int(struct json_write *w, const char *name, int64_t v)
{
    json_write_key(w, str_c(name));
    json_write_int(w, v);
}

void json_write_member_uint(struct json_write *w, const char *name, uint64_t v)
{
    json_write_key(w, str_c(name));
    json_write_uint(w, v);
}

void json_write_member_bool(struct json_write *w, const char *name, bool v)
{
    json_write_key(w, str_c(name));
    json_write_bool(w, v);
}

void json_write_member_null(struct json_write *w, const char *name)
{
    json_write_key(w, str_c(name));
    json_write_null(w);
}

void json_write_member_money(struct json_write *w, const char *name, money_sum pusd)
{
    json_write_key(w, str_c(name));
    json_write_money(w, pusd);
}

void json_write_member_raw(struct json_write *w, const char *name, struct str json)
{
    json_write_key(w, str_c(name));
    json_write_raw(w, json);
}

void json_write_member_text(struct json_write *w, const char *name, struct str s)
{
    json_write_key(w, str_c(name));
    if (s.n > 0)
        json_write_string(w, s);
    else
        json_write_null(w);
}
