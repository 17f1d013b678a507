/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

/*
 * address: what kind of place an IP address is, and whether we may connect there.
 *
 * A gateway that connects wherever a stored host name leads can be made to talk to the machine it
 * runs on, to its neighbours, or to a cloud's metadata service (server-side request forgery). The
 * name is no help: only the address it resolved to is checked, right before every connect, so a
 * name that resolves differently the second time gains nothing. What is not plainly on the public
 * internet is refused unless the operator allowed it with --allow-upstream; metadata services
 * only when the operator named that very address, not a range around it.
 *
 * An IPv4 address written inside an IPv6 one is judged by the IPv4 address.
 *
 * A set is built at start-up and only read afterwards: any number of threads may ask it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

/* Columns: name, text for messages. PUBLIC is the only kind that needs no permission. */
#define ADDRESS_KIND_TABLE(X)             \
    X(PUBLIC, "public")                   \
    X(UNSPECIFIED, "unspecified")         \
    X(LOOPBACK, "loopback")               \
    X(PRIVATE, "private")                 \
    X(LINK_LOCAL, "link-local")           \
    X(SHARED, "shared carrier-grade NAT") \
    X(METADATA, "cloud metadata service") \
    X(MULTICAST, "multicast")             \
    X(BROADCAST, "broadcast")             \
    X(DOCUMENTATION, "documentation")     \
    X(RESERVED, "reserved")               \
    X(UNKNOWN, "neither IPv4 nor IPv6")

enum address_kind {
#define X(name, text) ADDRESS_##name,
    ADDRESS_KIND_TABLE(X)
#undef X
        ADDRESS_KIND_COUNT
};

/* Where `sa` leads. Any family; anything but AF_INET and AF_INET6 is UNKNOWN. */
enum address_kind address_kind_of(const struct sockaddr *sa);
const char *address_kind_text(enum address_kind kind);

/*
 * Reads a literal: dotted quad of four plain decimal numbers, or IPv6 as RFC 4291 (no brackets, no
 * zone). None of the old spellings (octal, hexadecimal, one number, fewer than four parts).
 * `port` is in host order. False when `text` is no literal.
 */
bool address_parse(struct str text, uint16_t port, struct sockaddr_storage *ret_sa, socklen_t *ret_len);

#define ADDRESS_TEXT_MAX 64
/* "192.0.2.1:443", "[2001:db8::1]:443", or without the port when it is 0; returns the length. */
size_t address_format(const struct sockaddr *sa, char out[ADDRESS_TEXT_MAX]);

/* A set of address ranges. */
struct address_set;

struct address_set *address_set_new(void) __attribute__((returns_nonnull));
void address_set_free(struct address_set *set); /* NULL does nothing */

#define ADDRESS_SET_MAX 256
/*
 * Adds "10.0.0.0/8", "fd00::/8" or a single address. Host bits behind the prefix are ignored.
 * ERR_BAD_OPTION with a sentence in `why` when it is no range or the set is full.
 */
enum err address_set_add(struct address_set *set, struct str cidr, char *why, size_t why_cap) ERR_USE;
bool address_set_has(const struct address_set *set, const struct sockaddr *sa);

/*
 * ERR_OK when a connection to `sa` is allowed: it is public, or `allow` (may be NULL) has it.
 * ERR_UPSTREAM_REFUSED_ADDRESS otherwise, with a sentence in `why` that names address and kind.
 */
enum err address_check(const struct sockaddr *sa, const struct address_set *allow, char *why, size_t why_cap) ERR_USE;

#endif
