/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_TLS_SESSION_H
#define NET_TLS_SESSION_H

/*
 * tls_session: TLS sessions that servers gave us, kept per host for one later use each.
 *
 * A session that was kept had its certificate verified for that very host by the same client, so
 * it is only ever given out for the same host. TLS 1.3 tickets are given out once (RFC 8446 C.4);
 * TLS 1.2 sessions may be used again. Bounded: TLS_SESSION_HOSTS hosts, the least recently used one
 * makes room; TLS_SESSION_EACH sessions each, the newest win. Any thread may call.
 */

#include "base/str.h"

#define TLS_SESSION_HOSTS 64
#define TLS_SESSION_EACH 8

struct ssl_session_st;
struct tls_sessions;

struct tls_sessions *tls_sessions_new(void) __attribute__((returns_nonnull));
void tls_sessions_free(struct tls_sessions *s); /* NULL does nothing */

/* Takes `session` over. */
void tls_sessions_keep(struct tls_sessions *s, struct str host, struct ssl_session_st *session);
/* A session for a new connection to `host`, the caller's from now on; NULL when there is none. */
struct ssl_session_st *tls_sessions_take(struct tls_sessions *s, struct str host);

#endif
