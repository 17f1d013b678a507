/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint table as data, and the search in it. */
#include "openai/endpoint.h"

#include "openai/endpoint_table.h"

static const struct endpoint rows[] = {
#define X(method, path, operation, body, shape, flags) \
    {{#method, sizeof(#method) - 1},                   \
     {path, sizeof(path) - 1},                         \
     {operation, sizeof(operation) - 1},               \
     ENDPOINT_##body,                                  \
     USAGE_SHAPE_##shape,                              \
     flags},
    ENDPOINT_TABLE(X)
#undef X
};

static const struct endpoint other_read = {
    {"*", 1}, {"", 0}, {"other", 5}, ENDPOINT_NO_BODY, USAGE_SHAPE_OTHER, 0,
};
static const struct endpoint other_write = {
    {"*", 1}, {"", 0}, {"other", 5}, ENDPOINT_RAW, USAGE_SHAPE_OTHER, ENDPOINT_BILLED,
};

/* Segment by segment; "{}" takes any segment that is not empty. */
static bool path_matches(struct str pattern, struct str path)
{
    size_t i = 0, j = 0;
    while (i < pattern.n && j < path.n) {
        if (pattern.p[i] == '{') {
            size_t begin = j;
            while (j < path.n && path.p[j] != '/')
                j++;
            if (j == begin)
                return false;
            i += 2;
        } else if (pattern.p[i++] != path.p[j++]) {
            return false;
        }
    }
    return i == pattern.n && j == path.n;
}

const struct endpoint *endpoint_find(struct str method, struct str path)
{
    if (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (str_eq(rows[i].method, method) && path_matches(rows[i].path, path))
            return &rows[i];
    bool reads = str_eq(method, STR("GET")) || str_eq(method, STR("HEAD")) || str_eq(method, STR("DELETE")) ||
                 str_eq(method, STR("OPTIONS"));
    return reads ? &other_read : &other_write;
}

const struct endpoint *endpoint_rows(size_t *ret_count)
{
    *ret_count = sizeof rows / sizeof rows[0];
    return rows;
}
