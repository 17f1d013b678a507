/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nearly every event that comes here ends in `"usage":null` and at most a few plain members. That
 * form is told by a look at the end of the line alone (cut_quick): the quotes of a text are escaped
 * in JSON, so the word stands for a name; and when nothing but plain members and the line's last
 * brace follow, it is a member of the event's own object.
 *
 * Events without the word are passed, all others are scanned.
 */
#include "openai/usage_hide.h"

#include <pthread.h>

#include "base/json_bytes.h"
#include "base/json_scan.h"
#include "base/must.h"
#include "openai/sse.h"

enum { ID_CHOICES = 1, ID_USAGE };

static const struct json_path paths[] = {{"choices", ID_CHOICES}, {"usage", ID_USAGE}};

static struct json_watch *watch;

static void make_watch(void)
{
    watch = json_watch_new(paths, sizeof(paths) / sizeof(paths[0]));
}

struct chunk {
    bool no_choices; /* `choices` is [] */
    bool usage_null, usage_object;
    bool strange;            /* a name twice */
    uint64_t key_start, end; /* of the usage member */
};

static void on_value(void *arg, const struct json_value *v)
{
    struct chunk *c = arg;
    if (v->flags & JSON_DUPLICATE)
        c->strange = true;
    if (v->id == ID_CHOICES) {
        c->no_choices |= v->kind == JSON_ARRAY_END && (v->flags & JSON_EMPTY) != 0;
        return;
    }
    c->usage_object |= v->kind == JSON_OBJECT;
    if (v->kind == JSON_NULL) {
        c->usage_null = true;
        c->key_start = v->key_start;
        c->end = v->end;
    }
}

/* Takes the next line, without its end, from the front of *rest. */
static struct str next_line(struct str *rest)
{
    size_t n = 0;
    while (n < rest->n && rest->p[n] != '\n' && rest->p[n] != '\r')
        n++;
    struct str line = str_head(*rest, n);
    bool crlf = n + 1 < rest->n && rest->p[n] == '\r' && rest->p[n + 1] == '\n';
    *rest = str_from(*rest, n + 1 + crlf);
    return line;
}

/* The value of the event's only data line; false when there is none or more than one. */
static bool only_data(struct str event, struct str *ret_data)
{
    unsigned lines = 0;
    while (event.n > 0) {
        struct str line = next_line(&event);
        if (!str_starts(line, STR("data:")))
            continue;
        *ret_data = str_from(line, 5);
        lines++;
    }
    return lines == 1;
}

/* Widens the member by the comma behind it, or else by the one before it. */
static void take_comma(struct str json, size_t *from, size_t *to)
{
    const char *end = json.p + json.n;
    const char *behind = json_bytes_skip_space(json.p + *to, end);
    if (behind < end && *behind == ',') {
        *to = (size_t)(json_bytes_skip_space(behind + 1, end) - json.p);
        return;
    }
    size_t before = *from;
    while (before > 0 && json_bytes_is_space(json.p[before - 1]))
        before--;
    if (before > 0 && json.p[before - 1] == ',')
        *from = before - 1;
}

/* --- The usual form -------------------------------------------------------------------------------- */

#define NAME "\"usage\""

/* Behind a string, number or literal, written without escapes or spaces; NULL when it is none. */
static const char *plain_scalar(const char *p, const char *end)
{
    if (p < end && *p == '"') {
        p = json_bytes_special(p + 1, end);
        return p < end && *p == '"' ? p + 1 : NULL;
    }
    const char *from = p;
    while (p < end && (json_bytes_is_digit(*p) || (*p >= 'a' && *p <= 'z') || *p == '.' || *p == '-'))
        p++;
    return p > from ? p : NULL;
}

/* Do only plain members follow at p, and then the brace that is the line's last byte? */
static bool plain_rest(const char *p, const char *end)
{
    while (p < end && *p == ',') {
        if (++p == end || *p != '"' || !(p = plain_scalar(p, end)) || p == end || *p != ':')
            return false;
        if (!(p = plain_scalar(p + 1, end)))
            return false;
    }
    return end - p == 1 && *p == '}';
}

/* `at` is the only place of the word in the event. False says nothing. */
static bool cut_quick(struct str event, size_t at, size_t *ret_at, size_t *ret_n)
{
    size_t line = (size_t)(sse_line_end(event.p, event.p + event.n) - event.p);
    size_t behind = at + sizeof(NAME ":null") - 1;
    if (!str_starts(event, STR("data: {")) || line + 4 < event.n || behind >= line ||
        memcmp(event.p + at, NAME ":null", behind - at) != 0)
        return false;
    for (size_t i = line; i < event.n; i++)
        if (event.p[i] != '\n' && event.p[i] != '\r')
            return false;
    bool first = event.p[at - 1] == '{', last = event.p[behind] == '}';
    if ((!first && event.p[at - 1] != ',') || !plain_rest(event.p + behind, event.p + line))
        return false;
    *ret_at = last && !first ? at - 1 : at;
    *ret_n = behind - *ret_at + !last;
    return true;
}

/* --- Any form -------------------------------------------------------------------------------------- */

static enum usage_hide scan_event(struct str event, size_t *ret_at, size_t *ret_n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct str json = {0};
    if (!only_data(event, &json))
        return USAGE_HIDE_PASS;
    must(pthread_once(&once, make_watch) == 0);
    struct chunk c = {0};
    struct json_scan s;
    json_scan_init(&s, watch, on_value, &c);
    if (json_scan_feed(&s, json.p, json.n) != JSON_COMPLETE || c.strange)
        return USAGE_HIDE_PASS;
    if (c.no_choices && c.usage_object)
        return USAGE_HIDE_DROP;
    if (!c.usage_null)
        return USAGE_HIDE_PASS;
    size_t from = (size_t)c.key_start, to = (size_t)c.end;
    take_comma(json, &from, &to);
    *ret_at = (size_t)(json.p - event.p) + from;
    *ret_n = to - from;
    return USAGE_HIDE_CUT;
}

/* Where the word stands behind `from`, or -1. Its 'g' is rarer in events than what it begins with. */
static ptrdiff_t find_name(struct str event, size_t from)
{
    const char *end = event.p + event.n, *p = event.p + from;
    while (p < end && (p = memchr(p, 'g', (size_t)(end - p)))) {
        if (p - event.p >= (ptrdiff_t)from + 4 && end - p >= 3 && memcmp(p - 4, NAME, sizeof NAME - 1) == 0)
            return p - event.p - 4;
        p++;
    }
    return -1;
}

enum usage_hide usage_hide_event(struct str event, size_t *ret_at, size_t *ret_n)
{
    ptrdiff_t at = find_name(event, 0);
    if (at < 0)
        return USAGE_HIDE_PASS;
    bool only = find_name(event, (size_t)at + 1) < 0;
    if (only && cut_quick(event, (size_t)at, ret_at, ret_n))
        return USAGE_HIDE_CUT;
    return scan_event(event, ret_at, ret_n);
}
