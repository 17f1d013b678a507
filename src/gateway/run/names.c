/* SPDX-License-Identifier: Apache-2.0 */
/* One scan, with a list of the members that texts are made of. */
#include "gateway/run/names.h"

#include <pthread.h>

#include "base/json_scan.h"
#include "base/must.h"

static const struct json_path looked_at[] = {
    {"messages", 1},
    {"messages[].content", 1},
    {"messages[].content[].text", 1},
    {"messages[].content[].type", 1},
    {"prompt", 1},
    {"input", 1},
};

static struct json_watch *watch;

static void make_watch(void)
{
    watch = json_watch_new(looked_at, sizeof looked_at / sizeof looked_at[0]);
}

struct names {
    struct str body;
    bool plain;
};

static bool has_escapes(struct str body, uint64_t key_start, uint64_t value_start)
{
    for (uint64_t i = key_start; i < value_start; i++)
        if (body.p[i] == '\\')
            return true;
    return false;
}

static void on_value(void *arg, const struct json_value *v)
{
    struct names *n = arg;
    if (v->kind == JSON_OBJECT_END || v->kind == JSON_ARRAY_END)
        return;
    if (v->flags & JSON_DUPLICATE || has_escapes(n->body, v->key_start, v->start))
        n->plain = false;
}

bool names_are_plain(struct str body)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct names n = {.body = body, .plain = true};
    struct json_scan scan;
    must(pthread_once(&once, make_watch) == 0);
    json_scan_init(&scan, watch, on_value, &n);
    json_scan_feed(&scan, body.p, body.n);
    return n.plain;
}
