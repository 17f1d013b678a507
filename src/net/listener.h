/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

/*
 * listener: a listening socket of one worker (SO_REUSEPORT). When the process runs out of
 * descriptors it gives up a spare one to answer waiting clients with 503, one after another, so that
 * they get an answer rather than silence; it goes on by itself once descriptors are free.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "net/loop.h"

struct listener;
struct tls_server;

/* Takes ownership of `fd`. `peer` is the client's address as text. */
typedef void listener_accept_fn(void *ctx, int fd, const char *peer, struct tls_server *tls);

/* NULL on failure; `why` says what the system said. */
struct listener *listener_new(struct loop *l, struct str address, struct tls_server *tls, listener_accept_fn *accept,
                              void *ctx, char *why, size_t why_cap);
/* Whether nobody listens there yet, another process with SO_REUSEPORT included. `why` says what the system said. */
bool listener_address_free(struct str address, char *why, size_t why_cap);
void listener_free(struct listener *s);
uint16_t listener_port(const struct listener *s);

#endif
