/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preload_tap: a copy of what a program says on its sockets. Loaded with LD_PRELOAD by the canary runs.
 *
 * Bytes sent on connections that were accepted go to TAP_DIR/clients.PID, those on connections that the
 * program made itself to TAP_DIR/upstreams.PID, as they are; so TLS is seen encrypted. TAP_MAX bytes of each
 * process and kind.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS_MAX 65536
#define TAP_MAX (64L << 20)

enum role { NONE, CLIENT, UPSTREAM, ROLES };

static _Atomic unsigned char roles[FDS_MAX];
static _Atomic int files[ROLES]; /* descriptor + 1 */
static _Atomic long written[ROLES];

/* dlsym gives object pointers; POSIX lets them be functions. */
static void next_function(const char *name, void *ret)
{
    void *p = dlsym(RTLD_NEXT, name);
    if (!p)
        abort();
    memcpy(ret, &p, sizeof p);
}

static void mark(int fd, enum role role)
{
    if (fd >= 0 && fd < FDS_MAX)
        roles[fd] = (unsigned char)role;
}

static int file_of(enum role role)
{
    char path[4096];
    int fd = files[role] - 1, none = 0;
    if (fd >= 0)
        return fd;
    snprintf(path, sizeof path, "%s/%s.%d", getenv("TAP_DIR") ? getenv("TAP_DIR") : "/nowhere",
             role == CLIENT ? "clients" : "upstreams", (int)getpid());
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        abort(); /* a test that sees nothing must not pass */
    if (!atomic_compare_exchange_strong(&files[role], &none, fd + 1)) {
        close(fd);
        fd = none - 1;
    }
    return fd;
}

static void copy(int fd, const struct iovec *iov, size_t count, ssize_t sent)
{
    enum role role = fd >= 0 && fd < FDS_MAX ? (enum role)roles[fd] : NONE;
    if (role == NONE || sent <= 0 || atomic_fetch_add(&written[role], sent) > TAP_MAX)
        return;
    size_t left = (size_t)sent;
    for (size_t i = 0; i < count && left; i++) {
        size_t n = iov[i].iov_len < left ? iov[i].iov_len : left;
        if (write(file_of(role), iov[i].iov_base, n) != (ssize_t)n)
            abort();
        left -= n;
    }
}

int accept4(int fd, struct sockaddr *restrict sa, socklen_t *restrict size, int flags)
{
    int (*real)(int, struct sockaddr *, socklen_t *, int);
    next_function("accept4", &real);
    int got = real(fd, sa, size, flags);
    mark(got, CLIENT);
    return got;
}

int connect(int fd, const struct sockaddr *sa, socklen_t size)
{
    int (*real)(int, const struct sockaddr *, socklen_t);
    next_function("connect", &real);
    mark(fd, UPSTREAM);
    return real(fd, sa, size);
}

int close(int fd)
{
    int (*real)(int);
    next_function("close", &real);
    mark(fd, NONE);
    return real(fd);
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
    ssize_t (*real)(int, const void *, size_t, int);
    next_function("send", &real);
    struct iovec one = {(void *)(size_t)p, n};
    ssize_t sent = real(fd, p, n, flags);
    copy(fd, &one, 1, sent);
    return sent;
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    ssize_t (*real)(int, const struct msghdr *, int);
    next_function("sendmsg", &real);
    ssize_t sent = real(fd, m, flags);
    copy(fd, m->msg_iov, m->msg_iovlen, sent);
    return sent;
}
