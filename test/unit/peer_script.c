/* SPDX-License-Identifier: Apache-2.0 */
/* One thread, blocking sockets with a time limit. */
#include "peer_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define WAIT_S 10
#define EXPECT_MS 15000

static int listen_any(uint16_t *ret_port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

uint16_t peer_script_dead_port(void)
{
    uint16_t port;
    close(listen_any(&port));
    return port;
}

static void keep(struct peer_script *p, const char *bytes, size_t n)
{
    pthread_mutex_lock(&p->lock);
    if (n > sizeof p->text - 1 - p->n)
        n = sizeof p->text - 1 - p->n;
    memcpy(p->text + p->n, bytes, n);
    p->n += n;
    p->text[p->n] = '\0';
    pthread_mutex_unlock(&p->lock);
}

/* False when the peer has ended, or says nothing for long. */
static bool read_until(struct peer_script *p, int fd, const char *end)
{
    char tail[64] = "", byte;
    size_t n = strlen(end), have = 0;
    while (have < n || memcmp(tail + have - n, end, n) != 0) {
        if (recv(fd, &byte, 1, 0) != 1)
            return false;
        keep(p, &byte, 1);
        if (have == sizeof tail) {
            memmove(tail, tail + 1, sizeof tail - 1);
            have--;
        }
        tail[have++] = byte;
    }
    return true;
}

static void play(struct peer_script *p, int fd, const char *const *steps)
{
    struct timeval limit = {.tv_sec = WAIT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    for (unsigned i = 0; i < PEER_SCRIPT_STEPS && steps[i]; i++) {
        const char *step = steps[i];
        if (step[0] == '!') {
            p->held[p->held_count++ % 64] = fd;
            return;
        }
        if (step[0] == '>' && send(fd, step + 1, strlen(step + 1), MSG_NOSIGNAL) < 0)
            break;
        if (step[0] == '<' && !read_until(p, fd, step + 1))
            break;
    }
    close(fd);
}

static void *peer_main(void *arg)
{
    struct peer_script *p = arg;
    for (;;) {
        int fd = accept(p->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        unsigned at = p->connections++;
        keep(p, "--\n", 3);
        play(p, fd, p->scripts[at < p->script_count ? at : p->script_count - 1]);
    }
}

struct peer_script *peer_script_begin(const char *(*scripts)[PEER_SCRIPT_STEPS], unsigned count)
{
    struct peer_script *p = calloc(1, sizeof *p);
    assert_non_null(p);
    p->scripts = scripts;
    p->script_count = count;
    pthread_mutex_init(&p->lock, NULL);
    p->listener = listen_any(&p->port);
    assert_int_equal(listen(p->listener, 64), 0);
    assert_int_equal(pthread_create(&p->thread, NULL, peer_main, p), 0);
    return p;
}

void peer_script_end(struct peer_script *p)
{
    shutdown(p->listener, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->listener);
    for (unsigned i = 0; i < p->held_count && i < 64; i++)
        close(p->held[i]);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

unsigned peer_script_count(struct peer_script *p, const char *words)
{
    unsigned n = 0;
    pthread_mutex_lock(&p->lock);
    for (const char *at = p->text; (at = strstr(at, words)); at += strlen(words))
        n++;
    pthread_mutex_unlock(&p->lock);
    return n;
}

void peer_script_expect(struct peer_script *p, const char *words, unsigned count)
{
    const struct timespec tick = {0, 5000000};
    for (unsigned ms = 0; ms < EXPECT_MS; ms += 5) {
        if (peer_script_count(p, words) >= count)
            return;
        nanosleep(&tick, NULL);
    }
    pthread_mutex_lock(&p->lock);
    fail_msg("not %u times \"%s\" in:\n%s", count, words, p->text);
}
