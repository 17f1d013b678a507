/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preload_connects: what a program connects to, seen from inside of it. Loaded with LD_PRELOAD by
 * ssrf.py.
 *
 * Every connect(2) of a stream socket is a line of the file named by CONNECTS_LOG, "address port",
 * before anything is sent, and is then led to 127.0.0.1 at CONNECTS_WORLD, where the test plays the
 * whole internet: no packet leaves the machine, and a connection that should not have been tried is
 * known even when nobody listens there. Port 53 of any address leads to CONNECTS_DNS, a name server of the
 * test's own, and /etc/resolv.conf is CONNECTS_RESOLV.
 *
 * A datagram socket's connect sends nothing (it is how a route is asked for), so only questions for
 * names are led elsewhere.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DNS_PORT 53

typedef int connect_fn(int fd, const struct sockaddr *sa, socklen_t size);
typedef FILE *fopen_fn(const char *path, const char *mode);

FILE *fopen64(const char *path, const char *mode);

/* dlsym gives object pointers; POSIX lets them be functions. */
static void next_function(const char *name, void *ret)
{
    void *p = dlsym(RTLD_NEXT, name);
    if (!p)
        abort();
    memcpy(ret, &p, sizeof p);
}

static uint16_t port_of(const char *name)
{
    const char *text = getenv(name);
    unsigned port = 0;
    return text && sscanf(text, "%5u", &port) == 1 ? (uint16_t)port : 0;
}

static void note(const char *address, unsigned port)
{
    const char *path = getenv("CONNECTS_LOG");
    char line[128];
    int n = snprintf(line, sizeof line, "%s %u\n", address, port);
    int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0 || write(fd, line, (size_t)n) != n)
        abort(); /* a test that sees nothing must not pass */
    close(fd);
}

/* The same kind of socket, to 127.0.0.1. */
static int lead(connect_fn *real, int fd, int family, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &in6.sin6_addr);
    if (family == AF_INET)
        return real(fd, (struct sockaddr *)&in, sizeof in);
    return real(fd, (struct sockaddr *)&in6, sizeof in6);
}

int connect(int fd, const struct sockaddr *sa, socklen_t size)
{
    connect_fn *real;
    char text[INET6_ADDRSTRLEN] = "?";
    struct sockaddr_in in = {0};
    struct sockaddr_in6 in6 = {0};
    int type = 0;
    socklen_t type_size = sizeof type;
    next_function("connect", &real);
    bool v4 = sa->sa_family == AF_INET && size >= sizeof in, v6 = sa->sa_family == AF_INET6 && size >= sizeof in6;
    if (!v4 && !v6)
        return real(fd, sa, size);
    memcpy(v4 ? (void *)&in : (void *)&in6, sa, v4 ? sizeof in : sizeof in6);
    unsigned port = ntohs(v4 ? in.sin_port : in6.sin6_port);
    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size);
    uint16_t dns = port_of("CONNECTS_DNS"), world = port_of("CONNECTS_WORLD");
    if (port == DNS_PORT && dns && type == SOCK_DGRAM)
        return lead(real, fd, sa->sa_family, dns);
    if (type != SOCK_STREAM)
        return real(fd, sa, size);
    inet_ntop(sa->sa_family, v4 ? (void *)&in.sin_addr : (void *)&in6.sin6_addr, text, sizeof text);
    note(text, port);
    return world ? lead(real, fd, sa->sa_family, world) : real(fd, sa, size);
}

static const char *other_file(const char *path)
{
    const char *resolv = getenv("CONNECTS_RESOLV");
    return resolv && strcmp(path, "/etc/resolv.conf") == 0 ? resolv : path;
}

FILE *fopen(const char *path, const char *mode)
{
    fopen_fn *real;
    next_function("fopen", &real);
    return real(other_file(path), mode);
}

FILE *fopen64(const char *path, const char *mode)
{
    fopen_fn *real;
    next_function("fopen64", &real);
    return real(other_file(path), mode);
}
