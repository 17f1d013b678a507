/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs by RFC 3986, narrowed:
 *
 *   base   = scheme "://" host [":" port] path
 *   proxy  = [scheme "://"] [user [":" password] "@"] host [":" port] ["/"]
 *   scheme = "http" | "https"                           in any case
 *   host   = name | IPv4 | "[" IPv6 "]"                 no zone, no IPvFuture, no percent signs
 *   name   = label *("." label) ["."]                   label: 1-63 of letters, digits, "-", "_"
 *   port   = 1-65535                                    digits only
 *   path   = *("/" segment) ["/"]                       segment: 1 or more pchar, not "." or ".."
 *
 * No query, no fragment. Non-ASCII names are given in their "xn--" form.
 */
#include "net/url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/mem.h"

/* Classes of characters. */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_unreserved(char c)
{
    return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_pchar(char c)
{
    return is_unreserved(c) || is_one_of(c, "!$&'()*+,;=:@%");
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* The byte that "%41" at `p` stands for, or -1. `n` bytes are there. */
static int escaped(const char *p, size_t n)
{
    int high = n >= 3 ? hex_digit(p[1]) : -1;
    int low = n >= 3 ? hex_digit(p[2]) : -1;
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Hosts. */

static bool label_ok(struct str label)
{
    if (!label.n || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
        return false;
    for (size_t i = 0; i < label.n; i++)
        if (!is_alpha(label.p[i]) && !is_digit(label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
            return false;
    return true;
}

/* "7", "0x7f": a last label that some programs take for part of an address (URL Standard, "ends in a number"). */
static bool label_is_number(struct str label)
{
    size_t i = 0;
    while (i < label.n && is_digit(label.p[i]))
        i++;
    if (i == label.n)
        return true;
    if (label.n < 2 || label.p[0] != '0' || lower(label.p[1]) != 'x')
        return false;
    for (i = 2; i < label.n && hex_digit(label.p[i]) >= 0;)
        i++;
    return i == label.n;
}

static bool name_ok(struct str name)
{
    struct str label = {NULL, 0};
    while (str_split(&name, '.', &label))
        if (!label_ok(label))
            return false;
    return !label_is_number(label);
}

bool url_host_is_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

bool url_host(struct str text, char out[URL_HOST_MAX + 1])
{
    char host[URL_HOST_MAX + 1];
    unsigned char address[sizeof(struct in6_addr)];
    if (text.n && text.p[text.n - 1] == '.')
        text.n--; /* the root's dot: the same host */
    if (!text.n || text.n > URL_HOST_MAX)
        return false;
    for (size_t i = 0; i < text.n; i++)
        host[i] = lower(text.p[i]);
    host[text.n] = '\0';
    if (memchr(host, '\0', text.n))
        return false;
    if (inet_pton(AF_INET6, host, address) == 1) {
        inet_ntop(AF_INET6, address, out, URL_HOST_MAX + 1);
        return true;
    }
    if (inet_pton(AF_INET, host, address) != 1 && !name_ok(str_of(host, text.n)))
        return false;
    memcpy(out, host, text.n + 1);
    return true;
}

size_t url_authority(const char *host, uint16_t port, enum url_scheme scheme, char out[URL_AUTHORITY_MAX])
{
    bool v6 = strchr(host, ':') != NULL;
    bool own_port = port == (scheme == URL_HTTPS ? 443 : 80);
    char port_text[8] = "";
    if (!own_port)
        snprintf(port_text, sizeof port_text, ":%u", (unsigned)port);
    int n = snprintf(out, URL_AUTHORITY_MAX, "%s%.*s%s%s", v6 ? "[" : "", URL_HOST_MAX, host, v6 ? "]" : "", port_text);
    return (size_t)n;
}

/* The parts of a URL. Each takes its part off the front of `rest`. */

static bool take_scheme(struct str *rest, enum url_scheme *ret)
{
    if (str_starts_nocase(*rest, STR("https://"))) {
        *ret = URL_HTTPS;
        *rest = str_from(*rest, 8);
        return true;
    }
    if (str_starts_nocase(*rest, STR("http://"))) {
        *ret = URL_HTTP;
        *rest = str_from(*rest, 7);
        return true;
    }
    return false;
}

/* "host", "host:port", "[::1]:port"; the port's text is empty when there is none. */
static bool split_authority(struct str authority, struct str *ret_host, struct str *ret_port, bool *ret_bracket)
{
    struct str after;
    *ret_port = str_of("", 0);
    *ret_bracket = authority.n && authority.p[0] == '[';
    if (*ret_bracket) {
        ptrdiff_t end = str_find(authority, ']');
        if (end < 0)
            return false;
        *ret_host = str_of(authority.p + 1, (size_t)end - 1);
        after = str_from(authority, (size_t)end + 1);
    } else {
        ptrdiff_t colon = str_find(authority, ':');
        *ret_host = colon < 0 ? authority : str_head(authority, (size_t)colon);
        after = colon < 0 ? str_of("", 0) : str_from(authority, (size_t)colon);
    }
    if (!after.n)
        return true;
    *ret_port = str_from(after, 1);
    return after.p[0] == ':' && ret_port->n > 0;
}

static const char *read_authority(struct str authority, struct url *u)
{
    struct str host, port;
    bool bracket;
    uint64_t number;
    if (!split_authority(authority, &host, &port, &bracket))
        return "the host is followed by something that is not a port";
    if (!host.n)
        return "the host is missing";
    if (!url_host(host, u->host))
        return "the host is neither a name (letters, digits, '-', '.') nor an address in its usual form";
    if (bracket != (strchr(u->host, ':') != NULL))
        return "IPv6 addresses, and nothing else, stand in brackets";
    if (port.n) {
        if (port.n > 5 || !str_to_u64(port, &number) || number < 1 || number > 65535)
            return "the port is not a number from 1 to 65535";
        u->port = (uint16_t)number;
    }
    return NULL;
}

static bool is_dot_segment(struct str s)
{
    size_t dots = 0, i = 0;
    while (i < s.n) {
        if (s.p[i] == '.')
            i++;
        else if (s.p[i] == '%' && escaped(s.p + i, s.n - i) == '.')
            i += 3;
        else
            return false;
        dots++;
    }
    return dots == 1 || dots == 2;
}

static const char *read_path(struct str path, struct url *u)
{
    struct str rest, segment;
    if (path.n && path.p[path.n - 1] == '/')
        path.n--;
    u->path = path;
    for (size_t i = 0; i < path.n; i++) {
        char c = path.p[i];
        if (c == '?' || c == '#')
            return "a base URL has no query and no fragment";
        if (!is_pchar(c) && c != '/')
            return "the path has a character that is not allowed there; percent-encode it";
        int byte = c == '%' ? escaped(path.p + i, path.n - i) : ' ';
        if (byte < ' ' || byte == 0x7f || byte == '/' || byte == '\\')
            return "the path has a percent sign that does not begin an allowed escape";
    }
    rest = str_from(path, 1);
    while (path.n && str_split(&rest, '/', &segment))
        if (!segment.n || is_dot_segment(segment))
            return "the path has an empty segment, '.' or '..'";
    return NULL;
}

/* Where the authority ends. */
static size_t authority_length(struct str s)
{
    size_t n = 0;
    while (n < s.n && !is_one_of(s.p[n], "/?#"))
        n++;
    return n;
}

static const char *read_user(struct str *authority, enum url_use use, struct url *u)
{
    ptrdiff_t at = str_find(*authority, '@');
    if (at < 0)
        return NULL;
    if (use != URL_PROXY)
        return "a user name or password does not belong in this URL";
    struct str user = str_head(*authority, (size_t)at);
    *authority = str_from(*authority, (size_t)at + 1);
    for (size_t i = 0; i < user.n; i++) {
        bool escape_ok = user.p[i] != '%' || escaped(user.p + i, user.n - i) > 0;
        if (!is_pchar(user.p[i]) || !escape_ok)
            return "the user name or password has a character that must be percent-encoded";
    }
    ptrdiff_t colon = str_find(user, ':');
    u->user = colon < 0 ? user : str_head(user, (size_t)colon);
    u->password = colon < 0 ? str_of("", 0) : str_from(user, (size_t)colon + 1);
    return u->user.n ? NULL : "the user name is empty";
}

static const char *parse(struct str rest, enum url_use use, struct url *u)
{
    if (rest.n > URL_MAX)
        return "it is longer than 2,048 characters";
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] <= ' ' || rest.p[i] > '~' || rest.p[i] == '\\')
            return "it has a space, a backslash, or a character that is not plain ASCII";
    if (!take_scheme(&rest, &u->scheme) && (use != URL_PROXY || str_search(rest, STR("://")) >= 0))
        return use == URL_PROXY ? "a proxy is reached by http:// or https://"
                                : "it must begin with https:// or http://";
    u->port = u->scheme == URL_HTTPS ? 443 : 80;
    struct str authority = str_head(rest, authority_length(rest));
    rest = str_from(rest, authority.n);
    const char *why = read_user(&authority, use, u);
    if (!why)
        why = read_authority(authority, u);
    if (!why)
        why = rest.n && rest.p[0] != '/' ? "a base URL has no query and no fragment" : read_path(rest, u);
    if (!why && use == URL_PROXY && u->path.n)
        why = "a proxy has no path";
    return why;
}

enum err url_parse(struct str text, enum url_use use, struct url *ret, const char **ret_why)
{
    struct url u = {.scheme = URL_HTTP, .path = {"", 0}, .user = {"", 0}, .password = {"", 0}};
    const char *why = parse(text, use, &u);
    if (why) {
        *ret_why = why;
        return ERR_BAD_PARAMETER;
    }
    *ret = u;
    return ERR_OK;
}

bool url_split(struct str text, struct url *ret, struct str *ret_path, struct str *ret_query, const char **ret_why)
{
    ptrdiff_t hash = str_find(text, '#');
    text = str_head(text, hash < 0 ? text.n : (size_t)hash);
    *ret_why = "it is too long";
    if (text.n > URL_MAX)
        return false;
    *ret_why = "it has a character that must be percent-encoded";
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= ' ' || text.p[i] > '~')
            return false;
    ptrdiff_t mark = str_find(text, '?');
    struct str base = str_head(text, mark < 0 ? text.n : (size_t)mark);
    *ret_query = mark < 0 ? STR("") : str_from(text, (size_t)mark);
    if (url_parse(base, URL_BASE, ret, ret_why) != ERR_OK)
        return false;
    /* url_parse takes off a final slash, which matters here. */
    size_t slash = ret->path.n + (base.p[base.n - 1] == '/');
    *ret_path = ret->path.n ? str_of(ret->path.p, slash) : STR("/");
    return true;
}

/* Proxies. */

bool url_basic(const struct url *u, struct buf *out)
{
    char plain[2 * URL_MAX], text[ENCODE_BASE64_MAX(sizeof plain)];
    size_t n = 0;
    const struct str parts[2] = {u->user, u->password};
    for (int part = 0; part < 2; part++) {
        struct str s = parts[part];
        for (size_t i = 0; i < s.n && n < sizeof plain - 1; i++) {
            int byte = s.p[i] == '%' ? escaped(s.p + i, s.n - i) : (unsigned char)s.p[i];
            if (byte < 0)
                return false;
            plain[n++] = (char)byte;
            i += s.p[i] == '%' ? 2 : 0;
        }
        if (part == 0)
            plain[n++] = ':';
    }
    size_t text_n = encode_base64(plain, n, text);
    bool ok = buf_printf(out, "Basic %.*s", (int)text_n, text);
    mem_wipe(plain, sizeof plain);
    mem_wipe(text, sizeof text);
    return ok;
}

/* One entry of NO_PROXY. */
static bool excepts(struct str entry, struct str host, uint16_t port)
{
    struct str name = entry, port_text = {"", 0};
    bool bracket;
    uint64_t number;
    char usual[URL_HOST_MAX + 1];
    if (str_eq(entry, STR("*")))
        return true;
    /* A bare IPv6 address has colons but no port. */
    ptrdiff_t colon = str_find(entry, ':');
    bool bare = colon >= 0 && entry.p[0] != '[' && str_find(str_from(entry, (size_t)colon + 1), ':') >= 0;
    if (!bare && !split_authority(entry, &name, &port_text, &bracket))
        return false;
    if (port_text.n && (!str_to_u64(port_text, &number) || number != port))
        return false;
    if (name.n && name.p[0] == '.')
        name = str_from(name, 1);
    if (!url_host(name, usual))
        return false;
    name = str_c(usual);
    if (str_eq(name, host))
        return true;
    return !url_host_is_address(usual) && str_ends(host, name) && host.n > name.n && host.p[host.n - name.n - 1] == '.';
}

bool url_no_proxy(struct str list, const char *host, uint16_t port)
{
    size_t from = 0;
    for (size_t i = 0; i <= list.n; i++) {
        if (i < list.n && list.p[i] != ',' && list.p[i] != ' ')
            continue;
        struct str entry = str_of(list.p + from, i - from);
        from = i + 1;
        if (entry.n && excepts(entry, str_c(host), port))
            return true;
    }
    return false;
}

/* Percent-encoding. */

bool url_decode(struct str text, enum url_part part, struct arena *a, struct str *ret)
{
    size_t i = 0, n = 0;
    while (i < text.n && text.p[i] != '%' && (part != URL_IN_QUERY || text.p[i] != '+'))
        i++;
    if (i == text.n) {
        *ret = text;
        return true;
    }
    char *out = arena_alloc(a, text.n);
    if (!out)
        return false;
    for (i = 0; i < text.n; i++) {
        int byte = (unsigned char)text.p[i];
        if (byte == '%') {
            byte = escaped(text.p + i, text.n - i);
            i += 2;
        } else if (byte == '+' && part == URL_IN_QUERY) {
            byte = ' ';
        }
        if (byte <= 0)
            return false;
        out[n++] = (char)byte;
    }
    *ret = str_of(out, n);
    return true;
}

bool url_encode(struct buf *out, struct str text)
{
    static const char digits[] = "0123456789ABCDEF";
    if (text.n > SIZE_MAX / 3)
        return false;
    size_t need = text.n;
    for (size_t i = 0; i < text.n; i++)
        need += is_unreserved(text.p[i]) ? 0 : 2;
    char *p = buf_reserve(out, need);
    if (!p)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (is_unreserved(text.p[i])) {
            *p++ = text.p[i];
        } else {
            *p++ = '%';
            *p++ = digits[c >> 4];
            *p++ = digits[c & 15];
        }
    }
    buf_commit(out, need);
    return true;
}

/* Query strings. */

void url_query_init(struct url_query *q, struct str query, struct arena *a)
{
    *q = (struct url_query){.rest = query, .arena = a};
}

static void split_brackets(struct url_param *p)
{
    ptrdiff_t open = str_find(p->name, '[');
    p->key = str_of("", 0);
    p->bracket = open > 0 && p->name.p[p->name.n - 1] == ']';
    if (!p->bracket)
        return;
    p->key = str_of(p->name.p + open + 1, p->name.n - (size_t)open - 2);
    p->name = str_head(p->name, (size_t)open);
}

bool url_query_next(struct url_query *q, struct url_param *ret)
{
    struct str pair = {"", 0};
    struct url_param p;
    do {
        if (!q->rest.n)
            return false;
        ptrdiff_t end = str_find(q->rest, '&');
        pair = end < 0 ? q->rest : str_head(q->rest, (size_t)end);
        q->rest = end < 0 ? str_of("", 0) : str_from(q->rest, (size_t)end + 1);
    } while (!pair.n);
    ptrdiff_t equals = str_find(pair, '=');
    struct str name = equals < 0 ? pair : str_head(pair, (size_t)equals);
    struct str value = equals < 0 ? str_of("", 0) : str_from(pair, (size_t)equals + 1);
    if (++q->count > URL_PARAMS_MAX || !url_decode(name, URL_IN_QUERY, q->arena, &p.name) ||
        !url_decode(value, URL_IN_QUERY, q->arena, &p.value)) {
        q->bad = true;
        q->rest = str_of("", 0);
        return false;
    }
    split_brackets(&p);
    *ret = p;
    return true;
}

bool url_query_find(struct str query, struct str name, struct arena *a, struct str *ret_value)
{
    struct url_query q;
    struct url_param p;
    url_query_init(&q, query, a);
    while (url_query_next(&q, &p)) {
        if (!p.bracket && str_eq(p.name, name)) {
            *ret_value = p.value;
            return true;
        }
    }
    return false;
}
