/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

/*
 * dial: the one way out. Every outgoing connection is made here: name resolution, the address
 * check after resolution, connect with a second address tried when the first is slow, the tunnel
 * through HTTPS_PROXY, TLS with verification. The result is a ready sock.
 *
 * One dialer per worker; it shares the TLS context and the address rules with the others.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/loop.h"
#include "net/sock.h"

struct address_set;
struct dial;
struct dialer;
struct resolver;
struct tls_client;

struct dial_settings {
    struct resolver *resolver;         /* this worker's */
    struct tls_client *tls;            /* shared */
    const struct address_set *allowed; /* private ranges that may be reached; shared */
    uint64_t connect_timeout_us;       /* resolution, connect, tunnel and handshake together */
    /* From HTTPS_PROXY, HTTP_PROXY and NO_PROXY; empty when unset. Good as long as the dialer. */
    struct str https_proxy, http_proxy, no_proxy;
};

struct dial_target {
    struct str host; /* name or literal, without brackets */
    uint16_t port;
    bool tls;
};

/* `sock` is the caller's when err is ERR_OK. `detail` is a sentence without secrets. */
typedef void dial_done_fn(void *ctx, enum err err, struct sock sock, const char *detail);

struct dialer *dialer_new(struct loop *l, const struct dial_settings *settings);
void dialer_free(struct dialer *d);

/* `done` is called later, never from inside. The target's host is copied. */
struct dial *dial_start(struct dialer *d, const struct dial_target *target, dial_done_fn *done, void *ctx);
/* `done` will not be called. */
void dial_cancel(struct dial *d);

#endif
