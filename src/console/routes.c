/* SPDX-License-Identifier: Apache-2.0 */
/* Which handler serves a path. One table of all dialects; a path that is not in it does not exist. */
#include "base/must.h"
#include "console/blaxel/blaxel.h"
#include "console/console_inner.h"
#include "console/native/native.h"
#include "console/portkey/portkey.h"
#include "console/vantage/vantage.h"

static const struct route routes[] = {
#define ROUTE(method, path, access, scope, dialect, run, summary) \
    {{#method, sizeof(#method) - 1}, {path, sizeof(path) - 1}, JOB_##access, JOB_SCOPE_##scope, dialect, run, summary},
#define X(method, path, access, scope, run, summary) ROUTE(method, path, access, scope, JOB_NATIVE, run, summary)
    NATIVE_ROUTES(X)
#undef X
#define X(method, path, access, scope, run, summary) ROUTE(method, path, access, scope, JOB_PORTKEY, run, summary)
        PORTKEY_ROUTES(X)
#undef X
#define X(method, path, access, scope, run, summary) ROUTE(method, "/v0" path, access, scope, JOB_BLAXEL, run, summary)
            BLAXEL_ROUTES(X)
#undef X
#define X(method, path, access, scope, run, summary) ROUTE(method, "/api" path, access, scope, JOB_BLAXEL, run, summary)
                BLAXEL_ROUTES(X)
#undef X
#define X(method, path, access, scope, run, summary) ROUTE(method, path, access, scope, JOB_VANTAGE, run, summary)
                    VANTAGE_ROUTES(X)
#undef X
};

/* As endpoint paths: "{}" takes one segment, which is put into params; "{*}" all that is left, if anything. */
static bool match(struct str pattern, struct str path, struct str params[JOB_PARAMS_MAX])
{
    size_t i = 0, k = 0, count = 0;
    while (i < pattern.n && k < path.n) {
        if (pattern.p[i] == '{') {
            size_t begin = k;
            bool rest = pattern.p[i + 1] == '*';
            while (k < path.n && (rest || path.p[k] != '/'))
                k++;
            if (k == begin || count == JOB_PARAMS_MAX)
                return false;
            params[count++] = str_of(path.p + begin, k - begin);
            i += rest ? 3 : 2;
        } else if (pattern.p[i++] != path.p[k++]) {
            return false;
        }
    }
    return i == pattern.n && k == path.n;
}

const struct route *routes_find(struct str method, struct str path, struct str params[JOB_PARAMS_MAX], bool *ret_known)
{
    bool head = str_eq(method, STR("HEAD"));
    *ret_known = false;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        struct str found[JOB_PARAMS_MAX] = {{0}};
        if (!match(routes[i].path, path, found))
            continue;
        *ret_known = true;
        if (!str_eq(routes[i].method, method) && !(head && str_eq(routes[i].method, STR("GET"))))
            continue;
        memcpy(params, found, sizeof found);
        return &routes[i];
    }
    return NULL;
}

void routes_allow(struct str path, struct buf *out)
{
    bool ok = buf_add_str(out, STR("Allow:")), any = false;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        struct str found[JOB_PARAMS_MAX] = {{0}};
        if (!match(routes[i].path, path, found))
            continue;
        ok = ok && buf_add_str(out, any ? STR(", ") : STR(" ")) && buf_add_str(out, routes[i].method);
        any = true;
    }
    ok = ok && buf_add_str(out, STR("\r\n"));
    must(ok);
}

const struct route *routes_table(size_t *ret_count)
{
    *ret_count = sizeof routes / sizeof routes[0];
    return routes;
}
