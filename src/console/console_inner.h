/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_CONSOLE_INNER_H
#define CONSOLE_CONSOLE_INNER_H

/* console_inner: the console's own parts, for its files and handlers. */

#include <pthread.h>

#include "base/list.h"
#include "console/console.h"
#include "console/job.h"

struct console {
    struct console_settings settings;
    struct query *query; /* reads the ledger */
    struct docs *docs;   /* report resources */
    uint64_t started_us; /* monotonic */
    _Atomic(struct gateway *) gateway;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct list queue; /* of job.node, under the lock */
    unsigned queued;
    bool stopping;
    struct price_catalog *catalog; /* catalog.h */
    uint64_t catalog_read_us;
    struct upstream_models *upstream_models; /* blaxel/upstream_models.h */
    struct oidc *oidc;                       /* people/oidc.h; NULL: no provider to sign in at */
    struct device_table *devices;            /* control/people/device.h */
    struct tries *tries;                     /* what failed lately, by person or peer; control/people/tries.h */
    struct calls *calls;                     /* vantage/access/calls.h; NULL: no limit */
};

/* Whether clients come over TLS, here or in front of us; `proto` is what x-forwarded-proto says. */
bool console_is_secure(const struct console *c, struct str proto);
/* Whether a role and the key's scopes allow the route. */
bool console_may_call(const struct snapshot_key *key, enum kind_role role, const struct route *route);

#define CONSOLE_QUEUE_MAX 1000

/* The route tables of all dialects, in order; NULL when none matches. `ret_known` tells whether the path exists. */
const struct route *routes_find(struct str method, struct str path, struct str params[JOB_PARAMS_MAX], bool *ret_known);
/* "Allow: GET, POST\r\n" for a path that exists; appended to `out`. */
void routes_allow(struct str path, struct buf *out);
const struct route *routes_table(size_t *ret_count);

#endif
