/* SPDX-License-Identifier: Apache-2.0 */
/* The loop, the clock and the bare sockets of the HTTP tests. */
#include "http_rig.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/must.h"

#define PATIENCE 8000 /* turns of a millisecond */

struct rig rig;
static uint64_t ahead_us;
static char text[1 << 20];

static uint64_t mono_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000 + ahead_us;
}

static int64_t wall_us(void)
{
    return 1795000000000000 + (int64_t)mono_us();
}

static const struct clock_source source = {mono_us, wall_us};

int rig_open(void **state)
{
    (void)state;
    ahead_us = 0;
    clock_set_source(&source);
    rig.loop = loop_new();
    must(rig.loop != NULL);
    buf_init(&rig.said, 8 << 20);
    return 0;
}

int rig_close(void **state)
{
    (void)state;
    loop_free(rig.loop);
    buf_free(&rig.said);
    clock_set_source(NULL);
    return 0;
}

static void turn(void)
{
    loop_turn(rig.loop, 0);
}

static void turn_wait(void)
{
    loop_turn(rig.loop, 1000);
}

void rig_settle(void)
{
    for (int i = 0; i < 20; i++)
        turn();
    turn_wait();
    for (int i = 0; i < 5; i++)
        turn();
}

void rig_wait_us(uint64_t us)
{
    ahead_us += us;
    rig_settle();
}

void rig_say(const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    must(n >= 0);
    bool ok = buf_add(&rig.said, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
    must(ok);
}

static bool said(const char *words)
{
    return str_search(buf_str(&rig.said), str_c(words)) >= 0;
}

void rig_expect(const char *words)
{
    for (int i = 0; i < PATIENCE; i++) {
        if (said(words))
            return;
        turn_wait();
    }
    fail_msg("'%s' was not said, but: %.*s", words, STR_ARG(str_head(buf_str(&rig.said), 4000)));
}

void rig_expect_now(const char *words)
{
    rig_settle();
    if (!said(words))
        fail_msg("'%s' was not said, but: %.*s", words, STR_ARG(str_head(buf_str(&rig.said), 4000)));
}

void rig_expect_not(const char *words)
{
    rig_settle();
    if (said(words))
        fail_msg("'%s' was said: %.*s", words, STR_ARG(str_head(buf_str(&rig.said), 4000)));
}

unsigned rig_count(const char *words)
{
    struct str rest = buf_str(&rig.said);
    unsigned count = 0;
    for (ptrdiff_t at; (at = str_search(rest, str_c(words))) >= 0; count++)
        rest = str_from(rest, (size_t)at + strlen(words));
    return count;
}

void rig_forget(void)
{
    buf_reset(&rig.said);
}

/* Bare sockets. */

static struct sockaddr_in local(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

int peer_connect(uint16_t port)
{
    struct sockaddr_in a = local(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0);
    must(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    return fd;
}

int peer_listen(uint16_t *ret_port)
{
    struct sockaddr_in a = local(0);
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0);
    must(bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
    must(listen(fd, 64) == 0);
    must(getsockname(fd, (struct sockaddr *)&a, &size) == 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

int peer_accept(int listening)
{
    for (int i = 0; i < PATIENCE; i++) {
        struct pollfd p = {listening, POLLIN, 0};
        if (poll(&p, 1, 0) == 1) {
            int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
            must(fd >= 0);
            return fd;
        }
        turn_wait();
    }
    fail_msg("nobody connects");
    return -1;
}

size_t peer_write(int fd, const void *p, size_t n)
{
    ssize_t sent = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 ? (size_t)sent : 0;
}

void peer_send_n(int fd, const void *p, size_t n)
{
    const char *from = p;
    for (int i = 0; i < PATIENCE && n; i++) {
        ssize_t sent = send(fd, from, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN)
            return; /* the other side has closed; what it said before is still to be read */
        if (sent > 0) {
            from += sent;
            n -= (size_t)sent;
            turn();
        } else {
            turn_wait();
        }
    }
    assert_int_equal(n, 0);
}

void peer_send(int fd, const char *words)
{
    peer_send_n(fd, words, strlen(words));
}

const char *peer_read(int fd, const char *end)
{
    size_t n = 0, end_n = end ? strlen(end) : 0;
    for (int i = 0; i < PATIENCE; i++) {
        /* Byte by byte, so that what follows the wanted end is left for the next read. */
        ssize_t got = recv(fd, text + n, end ? 1 : sizeof text - 1 - n, MSG_DONTWAIT);
        if (got > 0) {
            n += (size_t)got;
            text[n] = '\0';
            must(n < sizeof text - 1);
            if (end && n >= end_n && memcmp(text + n - end_n, end, end_n) == 0)
                return text;
            i = 0;
            if (!end)
                turn();
            continue;
        }
        text[n] = '\0';
        if (got == 0 || errno != EAGAIN) {
            if (end)
                fail_msg("the connection ended after '%s', not with '%s'", text, end);
            return text;
        }
        turn_wait();
    }
    fail_msg("nothing follows '%s'", text);
    return NULL;
}

void peer_read_n(int fd, void *out, size_t n)
{
    char *to = out;
    for (int i = 0; i < PATIENCE && n; i++) {
        ssize_t got = recv(fd, to, n, MSG_DONTWAIT);
        if (got > 0) {
            to += got;
            n -= (size_t)got;
            i = 0;
            turn();
        } else if (got == 0) {
            break;
        } else {
            turn_wait();
        }
    }
    assert_int_equal(n, 0);
}

enum peer_end peer_end(int fd, bool wait)
{
    char discarded[65536];
    for (int i = 0; i < (wait ? PATIENCE : 3); i++) {
        ssize_t got = recv(fd, discarded, sizeof discarded, MSG_DONTWAIT);
        if (got == 0)
            return PEER_FIN;
        if (got < 0 && errno != EAGAIN)
            return PEER_RESET;
        if (got > 0)
            i = 0;
        turn_wait();
    }
    if (wait)
        fail_msg("the connection does not end");
    return PEER_OPEN;
}

void peer_close(int fd)
{
    close(fd);
    rig_settle();
}

void peer_reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    close(fd);
    rig_settle();
}

void peer_narrow(int fd)
{
    int n = 4096;
    must(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &n, sizeof n) == 0);
    must(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof n) == 0);
}
