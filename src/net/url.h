/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_URL_H
#define NET_URL_H

/*
 * url: base URLs of upstream hosts and proxies, and the query strings that clients send.
 *
 * A base URL decides where stored credentials go, so there is one reading of it and no repair:
 * plain ASCII, http or https, a host name or an address in its one usual spelling, an optional port
 * and path. What other programs may read in two ways (numbers that might be addresses, dot
 * segments, backslashes, percent signs in the host) is refused with a sentence that says so.
 *
 * Views point into the text that was parsed. No I/O, no state; safe from any thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define URL_MAX 2048
#define URL_HOST_MAX 253

enum url_scheme { URL_HTTP, URL_HTTPS };

enum url_use {
    URL_BASE,  /* "https://host[:port][/path]" */
    URL_PROXY, /* "[http[s]://][user[:password]@]host[:port][/]" */
};

struct url {
    enum url_scheme scheme;
    uint16_t port;               /* the scheme's own when none is given */
    char host[URL_HOST_MAX + 1]; /* lower case, no brackets, no final dot */
    struct str path;             /* "" or "/v1": no slash at its end */
    struct str user, password;   /* as written (percent-encoded); proxies only; a secret */
};

/* ERR_BAD_PARAMETER with a constant sentence, which never quotes the text, otherwise. */
enum err url_parse(struct str text, enum url_use use, struct url *ret, const char **ret_why) ERR_USE;

/*
 * A whole URL to be asked, "https://host/path?query": what url_parse reads, then the path as it is to be
 * sent ("/" when there is none, with its final slash), then "" or "?query". A fragment is left out. False with a
 * constant sentence, which never quotes the text: such a URL may be a credential.
 */
bool url_split(struct str text, struct url *ret, struct str *ret_path, struct str *ret_query, const char **ret_why)
    __attribute__((warn_unused_result));

/*
 * The host of a URL by itself, without brackets: its usual spelling goes to `out`. False when it is
 * neither a host name nor an address. Names whose last label is a number are neither (RFC 3986
 * §3.2.2 leaves them to each reader; some read "127.1" and "0x7f.1" as addresses).
 */
bool url_host(struct str text, char out[URL_HOST_MAX + 1]);
/* True for IPv4 and IPv6 addresses as url_host gives them. */
bool url_host_is_address(const char *host);

#define URL_AUTHORITY_MAX (URL_HOST_MAX + 10)
/* "host", "host:8443", "[::1]:8443": for the Host field. The scheme's own port is left out. */
size_t url_authority(const char *host, uint16_t port, enum url_scheme scheme, char out[URL_AUTHORITY_MAX]);

/* Appends "Basic dXNlcjpwYXNz" for the user of a proxy URL; false when it does not fit or does not decode. */
bool url_basic(const struct url *u, struct buf *out) __attribute__((warn_unused_result));

/*
 * Whether NO_PROXY excepts this host: a list with commas or spaces of "*", names (which also stand
 * for all names below them, with or without a dot in front), addresses; each with an optional port.
 */
bool url_no_proxy(struct str list, const char *host, uint16_t port);

/* Percent-encoding. */

enum url_part {
    URL_IN_PATH,
    URL_IN_QUERY, /* '+' is a space */
};
/* The input itself where nothing is encoded, else a copy. False for "%zz", "%", "%00" and a full arena. */
bool url_decode(struct str text, enum url_part part, struct arena *a, struct str *ret)
    __attribute__((warn_unused_result));
/* Appends the text with everything but unreserved characters encoded. */
bool url_encode(struct buf *out, struct str text) __attribute__((warn_unused_result));

/* Query strings. */

#define URL_PARAMS_MAX 1000

struct url_query {
    struct str rest;
    struct arena *arena;
    unsigned count;
    bool bad; /* the iteration ended because the text is not a query string, or too much of one */
};

/* name=value, name[]=value, name[key]=value: decoded. */
struct url_param {
    struct str name;
    struct str key; /* what is between the brackets */
    bool bracket;
    struct str value;
};

/* `query` is what follows "?". Views in parameters are good as long as it and the arena are. */
void url_query_init(struct url_query *q, struct str query, struct arena *a);
/* False at the end; then look at q->bad. */
bool url_query_next(struct url_query *q, struct url_param *ret);
/* The first value of a name without brackets. False when it is not there. */
bool url_query_find(struct str query, struct str name, struct arena *a, struct str *ret_value);

#endif
