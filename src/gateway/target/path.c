/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prefixes are taken off by whole segments, each kind at one place only: versions, then one "/proxy",
 * then versions again. So "/v1/v10" and "/v1/proxys" stay what they are, and the loop ends because
 * every step makes the path shorter.
 */
#include "gateway/target/path.h"

/* True when the path's first segment is `segment` (with its slash) and something follows it. */
static bool take(struct str *path, struct str segment)
{
    if (!str_starts(*path, segment) || path->n == segment.n || path->p[segment.n] != '/')
        return false;
    *path = str_from(*path, segment.n);
    return true;
}

bool path_is_v1(struct str path)
{
    return str_starts(path, STR("/v1/"));
}

struct str path_below_v1(struct str path, bool *ret_proxy)
{
    bool proxy = false;
    if (path_is_v1(path)) {
        while (take(&path, STR("/v1")))
            ;
        proxy = take(&path, STR("/proxy"));
        while (proxy && take(&path, STR("/v1")))
            ;
    }
    if (ret_proxy)
        *ret_proxy = proxy;
    return path;
}

bool path_batch_output(struct str method, struct str below, struct str *ret_id)
{
    if (!str_eq(method, STR("GET")) || !str_starts(below, STR("/batches/")))
        return false;
    struct str id = str_from(below, sizeof "/batches/" - 1);
    if (str_ends(id, STR("/")))
        id.n--;
    if (!str_ends(id, STR("/output")))
        return false;
    id.n -= sizeof "/output" - 1;
    if (!id.n || str_find(id, '/') >= 0)
        return false;
    *ret_id = id;
    return true;
}
