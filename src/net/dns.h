/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_DNS_H
#define NET_DNS_H

/*
 * dns: questions to name servers, on the loop. One question is for one family of addresses; tries,
 * further servers, search domains and the step to TCP for long answers are done here. No cache and
 * no hosts file: see resolve.h.
 *
 * Belongs to the loop's thread.
 */

#include <stdint.h>

#include "net/loop.h"

#define DNS_ADDRESSES_MAX 16

enum dns_result {
    DNS_FOUND,
    DNS_NO_NAME,    /* the name does not exist */
    DNS_NO_ADDRESS, /* it exists, but not with an address of this family */
    DNS_FAILED,     /* no usable answer: says nothing about the name */
    DNS_RESULT_COUNT
};

struct dns_address {
    int family;              /* AF_INET or AF_INET6 */
    unsigned char bytes[16]; /* network order; the first four for AF_INET */
};

struct dns_answer {
    enum dns_result result;
    const char *detail; /* a constant sentence when nothing was found */
    unsigned count;     /* the first ones of the server's order */
    uint32_t ttl_s;     /* the shortest of all records used */
    struct dns_address addresses[DNS_ADDRESSES_MAX];
};

struct dns;

/* `servers` is "host[:port],…" or NULL for the system's. NULL when there is no memory or no descriptor. */
struct dns *dns_new(struct loop *l, const char *servers);
/* Questions under way are dropped without an answer. */
void dns_free(struct dns *d);

/* `done` is called once, perhaps from inside; `answer` is good until it returns. */
typedef void dns_done_fn(void *ctx, int family, const struct dns_answer *answer);
void dns_ask(struct dns *d, const char *name, int family, dns_done_fn *done, void *ctx);

#endif
