/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection, step by step: RESOLVE the host (or the proxy), CONNECT to its addresses, a new
 * one a quarter of a second after the last while none has answered, TUNNEL through the proxy,
 * HANDSHAKE. One timer holds the deadline of it all.
 */
#include "net/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/address.h"
#include "net/http1_head.h"
#include "net/resolve.h"
#include "net/url.h"

#define MAGIC 0x6469616cu
#define NEXT_ADDRESS_US 250000
#define WHY_MAX 256
#define TUNNEL_HEAD_MAX 8192

struct dialer {
    struct loop *loop;
    struct dial_settings settings;
};

/* One address being tried. */
struct
try {
    struct dial *dial;
    struct loop_io io;
};

enum dial_state { DIAL_RESOLVE, DIAL_CONNECT, DIAL_TUNNEL, DIAL_HANDSHAKE, DIAL_OVER };

struct dial {
    unsigned magic;
    enum dial_state state;
    struct dialer *dialer;
    dial_done_fn *done;
    void *ctx;
    char host[URL_HOST_MAX + 1];
    uint16_t port;
    bool tls, proxied;
    struct url proxy;
    struct resolve *resolving;
    struct sockaddr_storage addresses[RESOLVE_ADDRESSES_MAX];
    unsigned address_count, next_address, trying;
    struct try tries[RESOLVE_ADDRESSES_MAX];
    struct sock sock;
    struct loop_io io;
    struct buf tunnel; /* the CONNECT request, then its answer */
    bool tunnel_sent;
    struct loop_timer deadline, next;
    struct loop_grave grave;
    enum err err; /* of the last address that failed */
    char why[WHY_MAX];
};

struct dialer *dialer_new(struct loop *l, const struct dial_settings *settings)
{
    struct dialer *d = mem_zalloc(sizeof *d);
    d->loop = l;
    d->settings = *settings;
    return d;
}

void dialer_free(struct dialer *d)
{
    mem_free(d);
}

static void on_free(struct loop_grave *g)
{
    struct dial *d = list_entry(g, struct dial, grave);
    d->magic = 0;
    buf_free(&d->tunnel);
    mem_free(d);
}

static void stop_try(struct dial *d, unsigned i)
{
    int fd = d->tries[i].io.fd;
    if (fd < 0)
        return;
    loop_remove(d->dialer->loop, &d->tries[i].io);
    close(fd);
    d->trying--;
}

/* Lets go of everything but the sock. */
static void release(struct dial *d)
{
    struct loop *l = d->dialer->loop;
    if (d->resolving)
        resolve_cancel(d->resolving);
    d->resolving = NULL;
    for (unsigned i = 0; i < d->next_address; i++)
        stop_try(d, i);
    loop_remove(l, &d->io);
    loop_timer_clear(l, &d->deadline);
    loop_timer_clear(l, &d->next);
    d->state = DIAL_OVER;
    loop_bury(l, &d->grave);
}

static void finish(struct dial *d, enum err e)
{
    struct sock sock = d->sock;
    release(d);
    if (e)
        sock_close(&sock);
    d->done(d->ctx, e, sock, d->why);
}

static void fail(struct dial *d, enum err e, const char *why)
{
    if (why != d->why)
        str_copy(d->why, sizeof d->why, str_c(why));
    finish(d, e);
}

void dial_cancel(struct dial *d)
{
    must(d->magic == MAGIC && d->state != DIAL_OVER);
    struct sock sock = d->sock;
    release(d);
    sock_close(&sock);
}

/* Handshake and tunnel: both drive the connected sock. */

static void handshake_run(struct dial *d)
{
    switch (sock_tls_handshake(&d->sock, d->why, sizeof d->why)) {
    case SOCK_DONE:
        finish(d, ERR_OK);
        break;
    case SOCK_AGAIN:
        break;
    default:
        fail(d, ERR_UPSTREAM_TLS, d->why);
    }
}

static void secure_or_finish(struct dial *d)
{
    if (!d->tls) {
        finish(d, ERR_OK);
        return;
    }
    d->state = DIAL_HANDSHAKE;
    enum err e = sock_tls_connect(&d->sock, d->dialer->settings.tls, str_c(d->host));
    if (e)
        fail(d, ERR_UPSTREAM_TLS, "TLS could not be begun with this host name");
    else
        handshake_run(d);
}

static void tunnel_answer(struct dial *d)
{
    struct http1_field fields[HTTP1_FIELDS_MAX];
    struct http1_head head;
    enum err e;
    enum http1_parse parsed = http1_parse_response(buf_str(&d->tunnel), 0, true, fields, &head, &e);
    if (parsed == HTTP1_PARTIAL)
        return;
    if (parsed == HTTP1_REFUSED) {
        fail(d, ERR_UPSTREAM_PROXY, "the proxy's answer to CONNECT is not valid HTTP");
    } else if (head.status / 100 != 2) {
        snprintf(d->why, sizeof d->why, "the proxy answered CONNECT with status %d", head.status);
        fail(d, ERR_UPSTREAM_PROXY, d->why);
    } else if (head.size != buf_size(&d->tunnel)) {
        fail(d, ERR_UPSTREAM_PROXY, "the proxy sent bytes before the tunnel was in use");
    } else {
        buf_free(&d->tunnel);
        secure_or_finish(d);
    }
}

static void tunnel_run(struct dial *d)
{
    size_t n;
    while (!d->tunnel_sent) {
        struct str rest = buf_str(&d->tunnel);
        struct iovec iov = {(void *)(uintptr_t)rest.p, rest.n};
        enum sock_io io = sock_write(&d->sock, &iov, 1, &n);
        if (io == SOCK_AGAIN)
            return;
        if (io != SOCK_DONE) {
            fail(d, ERR_UPSTREAM_PROXY, "the proxy closed the connection");
            return;
        }
        buf_take(&d->tunnel, n);
        d->tunnel_sent = buf_size(&d->tunnel) == 0;
    }
    bool ended = false;
    while (!ended) {
        char *room = buf_reserve(&d->tunnel, 512);
        if (!room) {
            fail(d, ERR_UPSTREAM_PROXY, "the proxy's answer to CONNECT is too long");
            return;
        }
        enum sock_io io = sock_read(&d->sock, room, 512, &n);
        if (io == SOCK_AGAIN)
            break;
        if (io == SOCK_DONE)
            buf_commit(&d->tunnel, n);
        else
            ended = true;
    }
    if (buf_size(&d->tunnel)) /* a refusal may come with the end of the connection */
        tunnel_answer(d);
    if (ended && d->state == DIAL_TUNNEL)
        fail(d, ERR_UPSTREAM_PROXY, "the proxy closed the connection");
}

static void tunnel_begin(struct dial *d)
{
    char authority[URL_AUTHORITY_MAX];
    struct buf basic;
    d->state = DIAL_TUNNEL;
    buf_init(&d->tunnel, TUNNEL_HEAD_MAX);
    buf_init(&basic, 1024);
    /* CONNECT names the port always (RFC 9110 9.3.6): ask for the authority as of the other scheme. */
    url_authority(d->host, d->port, d->port == 443 ? URL_HTTP : URL_HTTPS, authority);
    bool ok = buf_printf(&d->tunnel, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", authority, authority);
    if (d->proxy.user.n) {
        ok = ok && url_basic(&d->proxy, &basic) && buf_add_str(&d->tunnel, STR("Proxy-Authorization: ")) &&
             buf_add_str(&d->tunnel, buf_str(&basic)) && buf_add_str(&d->tunnel, STR("\r\n"));
        if (basic.p)
            mem_wipe(basic.p, basic.cap);
    }
    buf_free(&basic);
    if (!ok || !buf_add_str(&d->tunnel, STR("\r\n")))
        fail(d, ERR_UPSTREAM_PROXY, "the credentials in the proxy's URL cannot be used");
    else
        tunnel_run(d);
}

static void on_sock_ready(struct loop_io *io, unsigned ready)
{
    struct dial *d = list_entry(io, struct dial, io);
    (void)ready;
    must(d->magic == MAGIC);
    if (d->state == DIAL_TUNNEL)
        tunnel_run(d);
    else if (d->state == DIAL_HANDSHAKE)
        handshake_run(d);
}

/* Connecting. */

static void connected(struct dial *d, int fd)
{
    for (unsigned i = 0; i < d->next_address; i++)
        stop_try(d, i);
    loop_timer_clear(d->dialer->loop, &d->next);
    sock_init(&d->sock, fd);
    if (!d->tls && !d->proxied) {
        finish(d, ERR_OK);
        return;
    }
    if (!loop_add(d->dialer->loop, &d->io, fd)) {
        fail(d, ERR_UPSTREAM_CONNECT, "the kernel refused to watch the connection");
        return;
    }
    if (d->proxied)
        tunnel_begin(d);
    else
        secure_or_finish(d);
}

static void try_next(struct dial *d);

static void on_try_ready(struct loop_io *io, unsigned ready)
{
    struct try *t = list_entry(io, struct try, io);
    struct dial *d = t->dial;
    int error = 0, fd = io->fd;
    socklen_t size = sizeof error;
    must(d->magic == MAGIC);
    if (!(ready & (LOOP_WRITE | LOOP_HUP)))
        return;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    loop_remove(d->dialer->loop, io);
    d->trying--;
    if (error == 0) {
        connected(d, fd);
        return;
    }
    close(fd);
    char text[ADDRESS_TEXT_MAX];
    address_format((const struct sockaddr *)&d->addresses[t - d->tries], text);
    d->err = ERR_UPSTREAM_CONNECT;
    snprintf(d->why, sizeof d->why, "%s: %s", text, strerror(error));
    try_next(d);
}

static socklen_t size_of(const struct sockaddr_storage *a)
{
    return a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/* Begins with one address; false when it is refused or fails at once. */
static bool try_address(struct dial *d, unsigned i)
{
    const struct sockaddr *sa = (const struct sockaddr *)&d->addresses[i];
    struct try *t = &d->tries[i];
    *t = (struct try){d, {on_try_ready, -1}};
    if (!d->proxied) {
        enum err e = address_check(sa, d->dialer->settings.allowed, d->why, sizeof d->why);
        if (e) {
            d->err = e;
            return false;
        }
    }
    int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (connect(fd, sa, size_of(&d->addresses[i])) == 0 || errno == EINPROGRESS) &&
        loop_add(d->dialer->loop, &t->io, fd)) {
        d->trying++;
        return true;
    }
    char text[ADDRESS_TEXT_MAX];
    address_format(sa, text);
    snprintf(d->why, sizeof d->why, "%s: %s", text, strerror(errno));
    d->err = ERR_UPSTREAM_CONNECT;
    if (fd >= 0)
        close(fd);
    return false;
}

static void try_next(struct dial *d)
{
    while (d->next_address < d->address_count) {
        if (try_address(d, d->next_address++)) {
            loop_timer_set(d->dialer->loop, &d->next, loop_now_us(d->dialer->loop) + NEXT_ADDRESS_US);
            return;
        }
    }
    if (!d->trying)
        fail(d, d->err, d->why);
}

static void on_next(struct loop_timer *t)
{
    struct dial *d = list_entry(t, struct dial, next);
    must(d->magic == MAGIC);
    if (d->next_address < d->address_count)
        try_next(d);
}

static void on_deadline(struct loop_timer *t)
{
    struct dial *d = list_entry(t, struct dial, deadline);
    static const char *const at[] = {"while resolving the name", "while connecting", "while the proxy opened a tunnel",
                                     "in the TLS handshake", ""};
    must(d->magic == MAGIC);
    snprintf(d->why, sizeof d->why, "timed out %s", at[d->state]);
    fail(d, ERR_UPSTREAM_CONNECT_TIMEOUT, d->why);
}

static void on_resolved(void *ctx, enum err e, const struct sockaddr_storage *addresses, size_t count,
                        const char *detail)
{
    struct dial *d = ctx;
    must(d->magic == MAGIC && d->state == DIAL_RESOLVE);
    d->resolving = NULL;
    if (e) {
        fail(d, e, detail);
        return;
    }
    must(count >= 1 && count <= RESOLVE_ADDRESSES_MAX);
    memcpy(d->addresses, addresses, count * sizeof *addresses);
    d->address_count = (unsigned)count;
    d->state = DIAL_CONNECT;
    try_next(d);
}

/* Which proxy, if any. False when its URL is not usable. */
static bool choose_proxy(struct dial *d)
{
    const struct dial_settings *s = &d->dialer->settings;
    struct str text = d->tls ? s->https_proxy : s->http_proxy;
    const char *why;
    if (!text.n || url_no_proxy(s->no_proxy, d->host, d->port))
        return true;
    d->proxied = true;
    return url_parse(text, URL_PROXY, &d->proxy, &why) == ERR_OK && d->proxy.scheme == URL_HTTP;
}

static void on_bad_proxy(struct loop_timer *t)
{
    struct dial *d = list_entry(t, struct dial, next);
    fail(d, ERR_UPSTREAM_PROXY, "the proxy's URL is not valid, or asks for TLS to the proxy, which is not supported");
}

/* RFC 6761: always the machine that resolves it, which behind a proxy is the proxy. Hosts are lower case (url.h). */
static bool is_localhost(struct str host)
{
    return str_eq(host, STR("localhost")) || str_ends(host, STR(".localhost"));
}

/*
 * Behind a proxy the name is not ours to resolve; an address in its place is checked all the same, and names that
 * are always this or the proxy's own machine are as good as one.
 */
static bool literal_allowed(struct dial *d)
{
    struct sockaddr_storage sa;
    socklen_t size;
    struct str host = is_localhost(str_c(d->host)) ? STR("127.0.0.1") : str_c(d->host);
    if (!address_parse(host, d->port, &sa, &size))
        return true;
    d->err = address_check((const struct sockaddr *)&sa, d->dialer->settings.allowed, d->why, sizeof d->why);
    return d->err == ERR_OK;
}

static void on_refused_literal(struct loop_timer *t)
{
    struct dial *d = list_entry(t, struct dial, next);
    fail(d, d->err, d->why);
}

struct dial *dial_start(struct dialer *dialer, const struct dial_target *target, dial_done_fn *done, void *ctx)
{
    struct dial *d = mem_zalloc(sizeof *d);
    *d = (struct dial){.magic = MAGIC,
                       .dialer = dialer,
                       .done = done,
                       .ctx = ctx,
                       .port = target->port,
                       .tls = target->tls,
                       .err = ERR_UPSTREAM_CONNECT};
    str_copy(d->host, sizeof d->host, target->host);
    str_copy(d->why, sizeof d->why, STR("no address could be connected to"));
    sock_init(&d->sock, -1);
    d->io = (struct loop_io){on_sock_ready, -1};
    d->grave.on_free = on_free;
    d->next.on_time = on_next;
    d->deadline.on_time = on_deadline;
    buf_init(&d->tunnel, TUNNEL_HEAD_MAX);
    uint64_t now = loop_now_us(dialer->loop);
    if (!choose_proxy(d)) {
        d->next.on_time = on_bad_proxy;
        loop_timer_set(dialer->loop, &d->next, now);
        return d;
    }
    loop_timer_set(dialer->loop, &d->deadline, now + dialer->settings.connect_timeout_us);
    if (d->proxied && !literal_allowed(d)) {
        d->next.on_time = on_refused_literal;
        loop_timer_set(dialer->loop, &d->next, now);
        return d;
    }
    const char *host = d->proxied ? d->proxy.host : d->host;
    d->resolving =
        resolve_start(dialer->settings.resolver, str_c(host), d->proxied ? d->proxy.port : d->port, on_resolved, d);
    return d;
}
