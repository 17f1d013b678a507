/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict reader of provider addresses (RFC 3986, cut down to http and https without the parts that
 * have a second reading). Order: scheme, authority, path; each part is taken off the front.
 */
#include "control/base_url.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "net/address.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Whether a resolver could take the name's last label for a number, and so the name for an address. */
static bool ends_in_number(struct str host)
{
    size_t from = host.n;
    while (from > 0 && host.p[from - 1] != '.')
        from--;
    struct str label = str_from(host, from);
    bool digits = label.n > 0, hex = label.n > 1 && label.p[0] == '0' && (label.p[1] | 0x20) == 'x';
    uint64_t ignored;
    for (size_t i = 0; i < label.n; i++)
        digits = digits && is_digit(label.p[i]);
    return digits || (hex && (label.n == 2 || str_hex_to_u64(str_from(label, 2), &ignored)));
}

/* NULL when `host` is a proper DNS name (RFC 1123, with '_', which container networks use), else what is wrong. */
static const char *name_fault(struct str host)
{
    size_t label = 0;
    if (host.n == 0)
        return "base_url has no host.";
    if (host.n > BASE_URL_HOST_MAX)
        return "The host name in base_url is longer than 253 characters.";
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        if (c == '.') {
            if (label == 0 || host.p[i - 1] == '-')
                return "The host name in base_url has an empty label or one that ends in '-'.";
            label = 0;
            continue;
        }
        if (!is_alnum(c) && c != '_' && (c != '-' || label == 0))
            return "The host name in base_url may have letters, digits, '-' and '.' only; "
                   "write international names in their xn-- form.";
        if (++label > 63)
            return "A label of the host name in base_url is longer than 63 characters.";
    }
    if (label == 0)
        return "The host name in base_url ends in '.'; leave the dot out.";
    return host.p[host.n - 1] == '-' ? "The host name in base_url ends in '-'." : NULL;
}

/* Fills url->host from a name or a literal; NULL or what is wrong. */
static const char *read_host(struct str host, bool bracketed, struct base_url *url)
{
    struct sockaddr_storage sa;
    socklen_t len;
    bool literal = address_parse(host, 0, &sa, &len);
    if (bracketed) {
        if (!literal || sa.ss_family != AF_INET6)
            return "What stands in brackets in base_url is no IPv6 address.";
    } else if (!(literal && sa.ss_family == AF_INET)) {
        const char *fault = name_fault(host);
        if (fault)
            return fault;
        if (ends_in_number(host))
            return "The host in base_url looks like an address but is not written as four decimal numbers.";
    }
    if (literal) {
        address_format((const struct sockaddr *)&sa, url->host);
        return NULL;
    }
    for (size_t i = 0; i < host.n; i++)
        url->host[i] = (char)(host.p[i] >= 'A' && host.p[i] <= 'Z' ? host.p[i] | 0x20 : host.p[i]);
    url->host[host.n] = '\0';
    return NULL;
}

static const char *read_port(struct str text, struct base_url *url)
{
    uint64_t port;
    if (!str_to_u64(text, &port) || port < 1 || port > 65535)
        return "The port in base_url must be a number from 1 to 65535.";
    url->port = (uint16_t)port;
    return NULL;
}

static const char *read_authority(struct str authority, struct base_url *url)
{
    bool bracketed = authority.n > 0 && authority.p[0] == '[';
    struct str host, rest;
    if (str_find(authority, '@') >= 0)
        return "base_url must not contain a user name or password; give the key as the API key.";
    if (bracketed) {
        ptrdiff_t end = str_find(authority, ']');
        if (end < 0)
            return "base_url has '[' without ']'.";
        host = str_from(str_head(authority, (size_t)end), 1);
        rest = str_from(authority, (size_t)end + 1);
    } else {
        ptrdiff_t colon = str_find(authority, ':');
        host = colon < 0 ? authority : str_head(authority, (size_t)colon);
        rest = str_from(authority, host.n);
    }
    const char *fault = read_host(host, bracketed, url);
    url->port = url->tls ? 443 : 80;
    if (!fault && rest.n > 0)
        fault = rest.p[0] == ':' ? read_port(str_from(rest, 1), url) : "base_url has something behind ']'.";
    if (fault)
        return fault;
    const char *open = bracketed ? "[" : "", *close = bracketed ? "]" : "";
    if (url->port == (url->tls ? 443 : 80))
        snprintf(url->authority, sizeof url->authority, "%s%s%s", open, url->host, close);
    else
        snprintf(url->authority, sizeof url->authority, "%s%s%s:%u", open, url->host, close, (unsigned)url->port);
    return NULL;
}

/* "" or a path without empty, "." and ".." segments; a final '/' is taken off. */
static const char *read_path(struct str path, struct base_url *url)
{
    if (path.n > 0 && path.p[path.n - 1] == '/')
        path.n--;
    for (size_t i = 0; i < path.n; i++) {
        char c = path.p[i];
        if (!is_alnum(c) && !memchr("/-._~!$&'()*+,;=:@", c, 18))
            return "The path in base_url may not contain this character; '%' escapes are not taken either.";
    }
    struct str rest = str_from(path, 1), segment;
    while (path.n > 0 && str_split(&rest, '/', &segment))
        if (segment.n == 0 || str_eq(segment, STR(".")) || str_eq(segment, STR("..")))
            return "The path in base_url must not contain '//', '/./' or '/../'.";
    str_copy(url->path, sizeof url->path, path);
    return NULL;
}

static const char *read_url(struct str text, struct base_url *url)
{
    if (text.n == 0)
        return "base_url is empty.";
    if (text.n > BASE_URL_MAX)
        return "base_url is longer than 1024 characters.";
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= ' ' || text.p[i] > '~')
            return "base_url may have visible ASCII characters only.";
    url->tls = str_starts_nocase(text, STR("https://"));
    if (!url->tls && !str_starts_nocase(text, STR("http://")))
        return "base_url must begin with https:// or http://.";
    if (str_find(text, '?') >= 0 || str_find(text, '#') >= 0)
        return "base_url must not contain a query or a fragment.";
    text = str_from(text, url->tls ? 8 : 7);
    ptrdiff_t slash = str_find(text, '/');
    struct str authority = slash < 0 ? text : str_head(text, (size_t)slash);
    const char *fault = read_authority(authority, url);
    return fault ? fault : read_path(str_from(text, authority.n), url);
}

enum err base_url_parse(struct str text, struct base_url *ret_url, char *why, size_t why_cap)
{
    struct base_url url = {0};
    const char *fault = read_url(text, &url);
    if (fault) {
        snprintf(why, why_cap, "%s", fault);
        return ERR_BAD_PARAMETER;
    }
    *ret_url = url;
    return ERR_OK;
}

size_t base_url_format(const struct base_url *url, char out[BASE_URL_TEXT_MAX])
{
    return (size_t)snprintf(out, BASE_URL_TEXT_MAX, "%s://%s%s", url->tls ? "https" : "http", url->authority,
                            url->path);
}

bool base_url_same_origin(const struct base_url *a, const struct base_url *b)
{
    return a->tls == b->tls && a->port == b->port && strcmp(a->host, b->host) == 0;
}
