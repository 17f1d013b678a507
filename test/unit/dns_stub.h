/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_DNS_STUB_H
#define TEST_UNIT_DNS_STUB_H

/*
 * dns_stub: a name server on the loopback interface for tests, UDP and TCP, in a thread of its own.
 * What it answers depends on the first label of the name that is asked for:
 *
 *   a, both, six      192.0.2.1; that and 2001:db8::1; the latter only (TTL 60)
 *   nx, fail, refuse  no such name; SERVFAIL; REFUSED
 *   empty             the name exists without addresses
 *   silent, silent6   never an answer; none to questions for IPv6, 192.0.2.1 else
 *   late6             192.0.2.1 at once, 2001:db8::1 after 20 ms
 *   garbage           bytes that are no DNS message
 *   spoof             a wrong answer with a wrong id, then the right one
 *   cname, loop       an alias of a (TTL 5) with its address; an alias of itself
 *   many              truncated over UDP, 500 addresses over TCP, fed in small pieces
 *   ttl0              TTL 0
 *   change            192.0.2.n, n = how many questions for IPv4 there were (TTL 2)
 *   down              as a, but SERVFAIL or silence while dns_stub_down says so
 */

#include <stdatomic.h>
#include <stdbool.h>

struct dns_stub;

struct dns_stub *dns_stub_new(void);
void dns_stub_free(struct dns_stub *s);
/* "127.0.0.1:port" */
const char *dns_stub_server(const struct dns_stub *s);
/* Questions whose name begins with this label. */
unsigned dns_stub_asked(const struct dns_stub *s, const char *label);

enum { DNS_STUB_UP, DNS_STUB_FAILS, DNS_STUB_SILENT };
extern _Atomic int dns_stub_down;

#endif
