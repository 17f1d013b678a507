/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event without the word `"usage"` is passed without a closer look. The others are scanned: the
 * quotes of a string's content are escaped in JSON, so the word can only be a name or a whole value.
 */
#include "openai/usage_hide.h"

#include <pthread.h>

#include "base/json_bytes.h"
#include "base/json_scan.h"
#include "base/must.h"

enum { ID_CHOICES = 1, ID_USAGE };

static const struct json_path paths[] = {{"choices", ID_CHOICES}, {"usage", ID_USAGE}};

static struct json_watch *watch;

static void make_watch(void)
{
    watch = json_watch_new(paths, sizeof(paths) / sizeof(paths[0]));
}

struct chunk {
    bool no_choices;  /* `choices` is [] */
    bool usage_null, usage_object;
    bool strange;     /* a name twice */
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

enum usage_hide usage_hide_event(struct str event, size_t *ret_at, size_t *ret_n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct str json = {0};
    if (event.n == 0 || str_search(event, STR("\"usage\"")) < 0 || !only_data(event, &json))
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
