/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kind of place an address is. The tables follow the IANA special-purpose address registries
 * (https://www.iana.org/assignments/iana-ipv4-special-registry/ and …/iana-ipv6-special-registry/),
 * stricter where a registry says "globally reachable" about something no provider lives on.
 *
 * IPv6 is read the other way round: only 2000::/3 is global unicast today, so whatever is outside of
 * it and in no row is reserved. Some IPv6 addresses carry an IPv4 one that packets may end up at, and
 * are judged by it: IPv4-mapped, NAT64 (its well-known prefix; public providers are reached that way
 * from IPv6-only networks), and the dead forms 6to4, IPv4-translated and IPv4-compatible, which are
 * never public. Teredo and the local-use NAT64 prefix are refused whole.
 *
 * An IPv4-mapped address is the same destination as the IPv4 address itself, so sets treat them
 * alike; the others are different destinations and must be allowed as IPv6.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"

struct range {
    unsigned char bytes[16];
    unsigned bits;
    enum address_kind kind;
};

/* First hit counts. */
static const struct range ranges4[] = {
    {{169, 254, 169, 254}, 32, ADDRESS_METADATA}, /* AWS, Azure, Google Cloud, and most others */
    {{169, 254, 170, 2}, 32, ADDRESS_METADATA},   /* AWS ECS task credentials */
    {{169, 254, 170, 23}, 32, ADDRESS_METADATA},  /* AWS EKS pod identity */
    {{100, 100, 100, 200}, 32, ADDRESS_METADATA}, /* Alibaba Cloud */
    {{192, 0, 0, 192}, 32, ADDRESS_METADATA},     /* Oracle Cloud */
    {{168, 63, 129, 16}, 32, ADDRESS_METADATA},   /* Azure's host agent, on a public-looking address */
    {{0}, 8, ADDRESS_UNSPECIFIED},
    {{10}, 8, ADDRESS_PRIVATE},
    {{100, 64}, 10, ADDRESS_SHARED},
    {{127}, 8, ADDRESS_LOOPBACK},
    {{169, 254}, 16, ADDRESS_LINK_LOCAL},
    {{172, 16}, 12, ADDRESS_PRIVATE},
    {{192, 0, 0}, 24, ADDRESS_RESERVED},
    {{192, 0, 2}, 24, ADDRESS_DOCUMENTATION},
    {{192, 88, 99}, 24, ADDRESS_RESERVED}, /* 6to4 relays, deprecated */
    {{192, 168}, 16, ADDRESS_PRIVATE},
    {{198, 18}, 15, ADDRESS_RESERVED}, /* benchmarks */
    {{198, 51, 100}, 24, ADDRESS_DOCUMENTATION},
    {{203, 0, 113}, 24, ADDRESS_DOCUMENTATION},
    {{224}, 4, ADDRESS_MULTICAST},
    {{255, 255, 255, 255}, 32, ADDRESS_BROADCAST},
    {{240}, 4, ADDRESS_RESERVED},
};

static const struct range ranges6[] = {
    {{0xfd, 0x00, 0x0e, 0xc2, [15] = 0x54, [14] = 0x02}, 128, ADDRESS_METADATA}, /* AWS */
    {{0xfd, 0x20, 0x00, 0xce, [15] = 0x54, [14] = 0x02}, 128, ADDRESS_METADATA}, /* Google Cloud */
    {{0}, 128, ADDRESS_UNSPECIFIED},
    {{[15] = 1}, 128, ADDRESS_LOOPBACK},
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, ADDRESS_PRIVATE}, /* local-use NAT64 */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, ADDRESS_DOCUMENTATION},
    {{0x20, 0x01, 0x00}, 23, ADDRESS_RESERVED}, /* IETF protocols: Teredo, ORCHID, benchmarks, … */
    {{0x3f, 0xff, 0x00}, 20, ADDRESS_DOCUMENTATION},
    {{0xfc}, 7, ADDRESS_PRIVATE},
    {{0xfe, 0x80}, 10, ADDRESS_LINK_LOCAL},
    {{0xfe, 0xc0}, 10, ADDRESS_PRIVATE}, /* site-local, deprecated but still routed by some */
    {{0xff}, 8, ADDRESS_MULTICAST},
    {{0x20}, 3, ADDRESS_PUBLIC},
};

/* Where an IPv4 address stands inside an IPv6 one: prefix, first byte, and whether it is in use. */
static const struct {
    unsigned char bytes[16];
    unsigned bits, at;
    bool live;
} embeddings[] = {
    {{[10] = 0xff, [11] = 0xff}, 96, 12, true}, /* mapped, RFC 4291 */
    {{0x00, 0x64, 0xff, 0x9b}, 96, 12, true},   /* NAT64, RFC 6052 */
    {{0x20, 0x02}, 16, 2, false},               /* 6to4, RFC 3056 */
    {{[8] = 0xff, [9] = 0xff}, 96, 12, false},  /* IPv4-translated, RFC 2765 */
    {{0}, 96, 12, false},                       /* compatible, RFC 4291; not :: and ::1 */
};

static const char *const kind_texts[] = {
#define X(name, text) text,
    ADDRESS_KIND_TABLE(X)
#undef X
};

const char *address_kind_text(enum address_kind kind)
{
    must((unsigned)kind < ADDRESS_KIND_COUNT);
    return kind_texts[kind];
}

/* The address as bytes: 4, 16 or, for other families, 0 of them. */
struct bytes {
    unsigned char p[16];
    unsigned n;
};

static struct bytes bytes_of(const struct sockaddr *sa)
{
    struct bytes b = {.n = 0};
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        memcpy(b.p, &in.sin_addr, 4);
        b.n = 4;
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, sa, sizeof in);
        memcpy(b.p, &in.sin6_addr, 16);
        b.n = 16;
    }
    return b;
}

static bool prefix_eq(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static enum address_kind find_kind(const unsigned char *p, const struct range *ranges, size_t count,
                                   enum address_kind otherwise)
{
    for (size_t i = 0; i < count; i++)
        if (prefix_eq(p, ranges[i].bytes, ranges[i].bits))
            return ranges[i].kind;
    return otherwise;
}

static enum address_kind kind4(const unsigned char *p)
{
    return find_kind(p, ranges4, sizeof ranges4 / sizeof ranges4[0], ADDRESS_PUBLIC);
}

static enum address_kind kind6(const unsigned char *p)
{
    static const unsigned char zero[15];
    bool tiny = memcmp(p, zero, 15) == 0 && p[15] <= 1; /* :: and ::1 embed nothing */
    for (size_t i = 0; !tiny && i < sizeof embeddings / sizeof embeddings[0]; i++) {
        if (!prefix_eq(p, embeddings[i].bytes, embeddings[i].bits))
            continue;
        enum address_kind kind = kind4(p + embeddings[i].at);
        return kind == ADDRESS_PUBLIC && !embeddings[i].live ? ADDRESS_RESERVED : kind;
    }
    return find_kind(p, ranges6, sizeof ranges6 / sizeof ranges6[0], ADDRESS_RESERVED);
}

enum address_kind address_kind_of(const struct sockaddr *sa)
{
    struct bytes b = bytes_of(sa);
    return b.n == 4 ? kind4(b.p) : b.n == 16 ? kind6(b.p) : ADDRESS_UNKNOWN;
}

bool address_parse(struct str text, uint16_t port, struct sockaddr_storage *ret_sa, socklen_t *ret_len)
{
    char z[INET6_ADDRSTRLEN + 1];
    if (text.n == 0 || text.n >= sizeof z || memchr(text.p, '\0', text.n))
        return false;
    str_copy(z, sizeof z, text);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, z, &in.sin_addr) == 1) {
        memset(ret_sa, 0, sizeof *ret_sa);
        memcpy(ret_sa, &in, sizeof in);
        *ret_len = sizeof in;
        return true;
    }
    if (inet_pton(AF_INET6, z, &in6.sin6_addr) == 1) {
        memset(ret_sa, 0, sizeof *ret_sa);
        memcpy(ret_sa, &in6, sizeof in6);
        *ret_len = sizeof in6;
        return true;
    }
    return false;
}

size_t address_format(const struct sockaddr *sa, char out[ADDRESS_TEXT_MAX])
{
    char text[INET6_ADDRSTRLEN] = "?";
    struct bytes b = bytes_of(sa);
    unsigned port = 0;
    if (b.n == 4) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        port = ntohs(in.sin_port);
        inet_ntop(AF_INET, b.p, text, sizeof text);
    } else if (b.n == 16) {
        struct sockaddr_in6 in;
        memcpy(&in, sa, sizeof in);
        port = ntohs(in.sin6_port);
        inet_ntop(AF_INET6, b.p, text, sizeof text);
    }
    int n = port == 0   ? snprintf(out, ADDRESS_TEXT_MAX, "%s", text)
            : b.n == 16 ? snprintf(out, ADDRESS_TEXT_MAX, "[%s]:%u", text, port)
                        : snprintf(out, ADDRESS_TEXT_MAX, "%s:%u", text, port);
    must(n > 0 && n < ADDRESS_TEXT_MAX);
    return (size_t)n;
}

/* Ranges in 16 bytes; IPv4 stands in its mapped form, so that one comparison serves both. */
struct address_set {
    unsigned count;
    struct range ranges[ADDRESS_SET_MAX];
};

struct address_set *address_set_new(void)
{
    return mem_zalloc(sizeof(struct address_set));
}

void address_set_free(struct address_set *set)
{
    mem_free(set);
}

/* `b` becomes 16 bytes; returns by how many bits prefixes grow. */
static unsigned map_to_6(struct bytes *b)
{
    if (b->n != 4)
        return 0;
    memmove(b->p + 12, b->p, 4);
    memset(b->p, 0, 10);
    b->p[10] = b->p[11] = 0xff;
    b->n = 16;
    return 96;
}

enum err address_set_add(struct address_set *set, struct str cidr, char *why, size_t why_cap)
{
    ptrdiff_t slash = str_find(cidr, '/');
    struct str text = slash < 0 ? cidr : str_head(cidr, (size_t)slash);
    struct sockaddr_storage sa;
    socklen_t len;
    if (!address_parse(text, 0, &sa, &len)) {
        snprintf(why, why_cap, "'%.*s' is no address range; write it like 10.0.0.0/8, 127.0.0.1 or fd00::/8.",
                 cidr.n < 80 ? (int)cidr.n : 80, cidr.p);
        return ERR_BAD_OPTION;
    }
    struct bytes b = bytes_of((const struct sockaddr *)&sa);
    uint64_t bits = b.n * 8;
    if (slash >= 0 && (!str_to_u64(str_from(cidr, (size_t)slash + 1), &bits) || bits > b.n * 8)) {
        snprintf(why, why_cap, "'%.*s' has no valid prefix length; it must be 0 to %u.", cidr.n < 80 ? (int)cidr.n : 80,
                 cidr.p, b.n * 8);
        return ERR_BAD_OPTION;
    }
    if (set->count == ADDRESS_SET_MAX) {
        snprintf(why, why_cap, "More than %d address ranges; join some of them.", ADDRESS_SET_MAX);
        return ERR_BAD_OPTION;
    }
    struct range *r = &set->ranges[set->count++];
    r->bits = (unsigned)bits + map_to_6(&b);
    memcpy(r->bytes, b.p, 16);
    return ERR_OK;
}

/* Whether a range of at least `min_bits` has it. A wide IPv6 range such as ::/0 says nothing about IPv4. */
static bool set_has(const struct address_set *set, const struct sockaddr *sa, unsigned min_bits)
{
    struct bytes b = bytes_of(sa);
    if (b.n == 0)
        return false;
    map_to_6(&b);
    if (min_bits < 96 && prefix_eq(b.p, embeddings[0].bytes, 96))
        min_bits = 96;
    for (unsigned i = 0; i < set->count; i++)
        if (set->ranges[i].bits >= min_bits && prefix_eq(b.p, set->ranges[i].bytes, set->ranges[i].bits))
            return true;
    return false;
}

bool address_set_has(const struct address_set *set, const struct sockaddr *sa)
{
    return set_has(set, sa, 0);
}

enum err address_check(const struct sockaddr *sa, const struct address_set *allow, char *why, size_t why_cap)
{
    enum address_kind kind = address_kind_of(sa);
    if (kind == ADDRESS_PUBLIC)
        return ERR_OK;
    if (allow && kind != ADDRESS_UNKNOWN && set_has(allow, sa, kind == ADDRESS_METADATA ? 128 : 0))
        return ERR_OK;
    char text[ADDRESS_TEXT_MAX];
    address_format(sa, text);
    snprintf(why, why_cap, "%s is a %s address; 'serve --allow-upstream' permits such addresses.", text,
             kind_texts[kind]);
    return ERR_UPSTREAM_REFUSED_ADDRESS;
}
