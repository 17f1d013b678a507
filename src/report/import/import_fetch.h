/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_IMPORT_IMPORT_FETCH_H
#define REPORT_IMPORT_IMPORT_FETCH_H

/*
 * import_fetch: one GET at a time from OpenAI's administration API, for a thread that has nothing else to do
 * meanwhile. It has a loop, a resolver and a client of its own, through the same dialer as everything
 * that goes out: address check, TLS with verification, proxy.
 *
 * The thread waits in import_fetch_get and import_fetch_sleep; import_fetch_cancel, from any thread, ends
 * that and everything after it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

struct address_set;
struct import_fetch;
struct tls_client;

#define IMPORT_WHY_MAX 320
#define IMPORT_REPLY_MAX (64u << 20)
#define IMPORT_RETRY_AFTER_MAX_S 3600

/* How to get out; as for the gateway. All of it outlives the fetcher. */
struct import_way {
    const struct address_set *allowed;
    struct tls_client *tls;
    struct str https_proxy, http_proxy, no_proxy;
    uint64_t connect_timeout_us, reply_timeout_us;
};

/* Where to; as in struct snapshot_integration. Views are copied. */
struct import_target {
    bool tls;
    uint16_t port;
    struct str host, authority, base_path;
    struct str head_lines; /* a secret: with the admin key */
};

/* NULL when the kernel refuses descriptors. */
struct import_fetch *import_fetch_new(const struct import_way *way, const struct import_target *target);
void import_fetch_free(struct import_fetch *f); /* NULL does nothing */
void import_fetch_cancel(struct import_fetch *f);
bool import_fetch_cancelled(const struct import_fetch *f);

struct import_reply {
    int status;         /* 0: none came */
    bool asked_to_wait; /* Retry-After was there */
    uint64_t retry_after_us;
    char organization[128];   /* header openai-organization, "" = not there */
    struct str body;          /* good until the next get */
    char why[IMPORT_WHY_MAX]; /* when none came, or it is no 2xx: a sentence, with upstream's own words cut short */
};
/* `path` stands behind the base path: "/organization/costs?…". */
void import_fetch_get(struct import_fetch *f, struct str path, struct import_reply *ret);
void import_fetch_sleep(struct import_fetch *f, uint64_t us);

#endif
