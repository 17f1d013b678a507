/* SPDX-License-Identifier: Apache-2.0 */
/* Listening: parse the address, bind, accept until it would block. */
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/sock.h"

#define BACKLOG 4096
#define ACCEPTS_PER_TURN 64
#define RETRY_US 50000

struct listener {
    struct loop *loop;
    struct loop_io io;
    struct loop_timer retry; /* after the descriptors ran out */
    struct tls_server *tls;
    listener_accept_fn *accept;
    void *ctx;
    struct loop_grave grave; /* accepting may end with the server's end */
    int spare_fd;
    uint16_t port;
};

static const char busy_answer[] =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Type: application/json\r\n"
    "Content-Length: 127\r\n\r\n"
    "{\"error\":{\"message\":\"This gateway has no free connections; try again.\",\"type\":\"server_error\","
    "\"param\":null,\"code\":\"overloaded\"}}";

/* Says that we are busy, and closes; what was sent already is read, for else the close would be a reset. */
static void turn_away(const struct listener *s, int fd)
{
    char discarded[4096];
    if (!s->tls && send(fd, busy_answer, sizeof busy_answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        log_debug("shed_unanswered");
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 16 && recv(fd, discarded, sizeof discarded, MSG_DONTWAIT) > 0; i++)
        continue;
    close(fd);
}

/* No descriptors left: use the spare one to answer and close one client. False when there is none, or no client. */
static bool shed_one(struct listener *s)
{
    if (s->spare_fd < 0)
        return false;
    close(s->spare_fd);
    int fd = accept4(s->io.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        turn_away(s, fd);
    s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd >= 0;
}

static void peer_text(const struct sockaddr_storage *a, char out[INET6_ADDRSTRLEN])
{
    const void *address = a->ss_family == AF_INET6
                              ? (const void *)&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr
                              : (const void *)&((const struct sockaddr_in *)(const void *)a)->sin_addr;
    out[0] = '\0';
    inet_ntop(a->ss_family, address, out, INET6_ADDRSTRLEN);
}

static void on_ready(struct loop_io *io, unsigned ready)
{
    struct listener *s = list_entry(io, struct listener, io);
    (void)ready;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage from;
        socklen_t size = sizeof from;
        int fd = accept4(io->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            char peer[INET6_ADDRSTRLEN];
            peer_text(&from, peer);
            s->accept(s->ctx, fd, peer, s->tls);
            if (io->fd < 0)
                return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            while (i++ < ACCEPTS_PER_TURN && shed_one(s))
                continue;
            loop_timer_set(s->loop, &s->retry, loop_now_us(s->loop) + RETRY_US);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
    loop_requeue(s->loop, io, LOOP_READ);
}

static void on_retry(struct loop_timer *t)
{
    struct listener *s = list_entry(t, struct listener, retry);
    if (s->spare_fd < 0) /* another thread was faster last time */
        s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    on_ready(&s->io, LOOP_READ);
}

/* "host:port", "[v6]:port" or ":port". */
static bool split_address(struct str address, char host[256], char port[8])
{
    const char *colon = address.n ? memrchr(address.p, ':', address.n) : NULL;
    uint64_t number;
    if (!colon)
        return false;
    struct str h = str_of(address.p, (size_t)(colon - address.p)), p = str_from(address, h.n + 1);
    if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']')
        h = str_of(h.p + 1, h.n - 2);
    if (!str_to_u64(p, &number) || number > 65535 || h.n > 255 || p.n > 7)
        return false;
    str_copy(host, 256, h.n ? h : STR("0.0.0.0"));
    str_copy(port, 8, p);
    return true;
}

/*
 * True when nobody listens there. SO_REUSEPORT lets any process of this user join in, so a second
 * instance by mistake would silently take half of the clients: the first listener asks first.
 */
static bool address_free(const struct addrinfo *a)
{
    int one = 1, off = 0;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (a->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    bool is_free = bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, 1) == 0;
    int saved = errno;
    close(fd);
    errno = saved;
    return is_free;
}

static int bind_one(const struct addrinfo *a)
{
    int one = 1, off = 0;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (a->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    sock_watch(fd);
    if (bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* Resolves the address to bind to; NULL with a sentence in `why`. */
static struct addrinfo *find_address(struct str address, char *why, size_t why_cap)
{
    char host[256], port[8];
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found = NULL;
    if (!split_address(address, host, port)) {
        snprintf(why, why_cap, "'%.*s' is not HOST:PORT", STR_ARG(address));
        return NULL;
    }
    int status = getaddrinfo(host, port, &hints, &found);
    if (status != 0)
        snprintf(why, why_cap, "%s: %s", host, gai_strerror(status));
    return status == 0 ? found : NULL;
}

bool listener_address_free(struct str address, char *why, size_t why_cap)
{
    struct addrinfo *found = find_address(address, why, why_cap);
    if (!found)
        return false;
    bool is_free = address_free(found);
    if (!is_free)
        snprintf(why, why_cap, "%.*s: %s", STR_ARG(address), strerror(errno));
    freeaddrinfo(found);
    return is_free;
}

static int open_listening(struct str address, char *why, size_t why_cap)
{
    struct addrinfo *found = find_address(address, why, why_cap);
    if (!found)
        return -1;
    int fd = bind_one(found);
    if (fd < 0)
        snprintf(why, why_cap, "%.*s: %s", STR_ARG(address), strerror(errno));
    freeaddrinfo(found);
    return fd;
}

struct listener *listener_new(struct loop *l, struct str address, struct tls_server *tls, listener_accept_fn *accept,
                              void *ctx, char *why, size_t why_cap)
{
    int fd = open_listening(address, why, why_cap);
    if (fd < 0)
        return NULL;
    struct listener *s = mem_zalloc(sizeof *s);
    *s = (struct listener){.loop = l, .tls = tls, .accept = accept, .ctx = ctx};
    s->io = (struct loop_io){on_ready, -1};
    s->retry.on_time = on_retry;
    s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &size) == 0)
        s->port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                                    : ((struct sockaddr_in *)&bound)->sin_port);
    if (!loop_add(l, &s->io, fd)) {
        snprintf(why, why_cap, "the kernel refused to watch the socket: %s", strerror(errno));
        close(fd);
        mem_free(s);
        return NULL;
    }
    return s;
}

static void on_free(struct loop_grave *g)
{
    mem_free(list_entry(g, struct listener, grave));
}

void listener_free(struct listener *s)
{
    if (!s)
        return;
    int fd = s->io.fd;
    loop_remove(s->loop, &s->io);
    loop_timer_clear(s->loop, &s->retry);
    close(fd);
    if (s->spare_fd >= 0)
        close(s->spare_fd);
    s->grave.on_free = on_free;
    loop_bury(s->loop, &s->grave);
}

uint16_t listener_port(const struct listener *s)
{
    return s->port;
}
