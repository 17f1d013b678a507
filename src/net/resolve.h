/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

/*
 * resolve: host names to addresses, without ever blocking the loop.
 *
 * Sources, in this order: address literals; "localhost" and names below it (always the loopback
 * addresses, RFC 6761); the hosts file; name servers. Both families are asked for at once; when one
 * has come, the other has RESOLVE_OTHER_FAMILY_US to follow. The list is ordered for being tried one
 * after the other (RFC 8305): a family that this machine has no route for comes last, else IPv6
 * and IPv4 take turns.
 *
 * Answers are kept for their time to live, between 1 s and 5 min; failures for 1 s. When the name
 * servers fail, an answer that was good within the last hour may be used (RFC 8767). Callers who
 * ask for the same name at the same time share one question.
 *
 * One resolver per loop, used on its thread only. It does not judge addresses: see address.h.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"
#include "net/loop.h"

#define RESOLVE_ADDRESSES_MAX 16
#define RESOLVE_NAMES_MAX 512 /* kept or under way */
#define RESOLVE_OTHER_FAMILY_US 50000
#define RESOLVE_STALE_WAIT_US 1000000
#define RESOLVE_TTL_MAX_S 300
#define RESOLVE_STALE_MAX_S 3600
#define RESOLVE_HOSTS_TTL_S 5

struct resolve;
struct resolver;

/*
 * Stands in for hosts file and name servers: addresses with spaces between, "" when the name has
 * none, NULL when the name does not exist.
 */
typedef const char *resolve_hook_fn(void *ctx, const char *host, uint32_t *ret_ttl_s);

struct resolver_settings {
    uint64_t timeout_us;    /* of one resolution; 0 = 5 s */
    bool stale;             /* old answers may be used when name servers fail */
    const char *servers;    /* "127.0.0.1:5353,…"; NULL = the system's */
    const char *hosts_file; /* NULL = the system's */
    resolve_hook_fn *hook;  /* NULL = none */
    void *hook_ctx;
};

/* NULL when the kernel or the system's configuration does not allow one. */
struct resolver *resolver_new(struct loop *l, const struct resolver_settings *settings);
/* Resolutions under way are dropped without callback. */
void resolver_free(struct resolver *r); /* NULL does nothing */

/*
 * On ERR_OK 1 to RESOLVE_ADDRESSES_MAX addresses with the port asked for; else ERR_UPSTREAM_DNS and
 * a sentence in `detail`. Views are good until it returns.
 */
typedef void resolve_done_fn(void *ctx, enum err e, const struct sockaddr_storage *addresses, size_t count,
                             const char *detail);

/* `done` is called once, from the loop, never from inside. `host` is a name or a literal without brackets. */
struct resolve *resolve_start(struct resolver *r, struct str host, uint16_t port, resolve_done_fn *done, void *ctx);
/* `done` will not be called. Not from `done` itself: the resolution is over then. */
void resolve_cancel(struct resolve *w);

#endif
