/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of the folders are chained into one list, and indexed by the first segment of the path:
 * some 300 rows, at most a few dozen of them under one segment.
 */
#include "sim/http/paths.h"

#include <string.h>

#include "base/must.h"
#include "sim/routes.h"

#define BUCKETS 128
#define ROWS_MAX 1024

static const struct route *const tables[] = {routes_inference, routes_objects, routes_org, routes_own};

static struct {
    uint16_t first[BUCKETS]; /* index of a row + 1 */
    uint16_t next[ROWS_MAX];
    const struct route *row[ROWS_MAX];
    size_t n;
} at;

static struct str first_segment(struct str path)
{
    struct str rest = str_from(path, 1);
    ptrdiff_t slash = str_find(rest, '/');
    return slash < 0 ? rest : str_head(rest, (size_t)slash);
}

static unsigned bucket_of(struct str segment)
{
    unsigned h = 0;
    for (size_t i = 0; i < segment.n; i++)
        h = h * 31 + (unsigned char)segment.p[i];
    return h % BUCKETS;
}

void paths_init(void)
{
    if (at.n)
        return;
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        for (const struct route *r = tables[t]; r->method.n; r++) {
            must(at.n < ROWS_MAX && r->path.n && r->path.p[0] == '/');
            at.row[at.n++] = r;
        }
    }
    /* Backwards, so that a bucket's chain is in the order of the table. */
    for (size_t i = at.n; i-- > 0;) {
        unsigned b = bucket_of(first_segment(at.row[i]->path));
        at.next[i] = at.first[b];
        at.first[b] = (uint16_t)(i + 1);
    }
}

static bool matches(struct str pattern, struct str path, struct str args[PATHS_ARGS_MAX])
{
    size_t n = 0;
    struct str want, got;
    while (str_split(&pattern, '/', &want)) {
        if (!str_split(&path, '/', &got))
            return false;
        if (str_eq(want, STR("{}"))) {
            if (!got.n)
                return false;
            must(n < PATHS_ARGS_MAX);
            args[n++] = got;
        } else if (!str_eq(want, got)) {
            return false;
        }
    }
    return path.p == NULL;
}

const struct route *paths_find(struct str method, struct str path, struct str args[PATHS_ARGS_MAX], char ret_allow[64])
{
    size_t used = 0;
    ret_allow[0] = '\0';
    if (!path.n || path.p[0] != '/')
        return NULL;
    if (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    bool head = str_eq(method, STR("HEAD"));
    for (uint16_t i = at.first[bucket_of(first_segment(path))]; i; i = at.next[i - 1]) {
        const struct route *r = at.row[i - 1];
        if (!matches(r->path, path, args))
            continue;
        if (str_eq(r->method, method) || (head && str_eq(r->method, STR("GET"))))
            return r;
        if (used + r->method.n + 3 < 64) {
            if (used) {
                memcpy(ret_allow + used, ", ", 2);
                used += 2;
            }
            memcpy(ret_allow + used, r->method.p, r->method.n);
            used += r->method.n;
            ret_allow[used] = '\0';
        }
    }
    return NULL;
}

const struct route *paths_row(size_t i)
{
    return i < at.n ? at.row[i] : NULL;
}
