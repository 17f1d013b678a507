/* SPDX-License-Identifier: Apache-2.0 */
/* A name server that behaves as asked; see the header. Message format: RFC 1035 §4. */
#include "dns_stub.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"

enum { LABELS = 32, TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28 };

_Atomic int dns_stub_down;

struct dns_stub {
    int udp, tcp, stop[2];
    char server[32];
    pthread_t thread;
    pthread_mutex_t lock;
    struct {
        char label[16];
        unsigned count, v4;
    } asked[LABELS];
};

struct message {
    unsigned char bytes[16384];
    size_t n;
};

struct query {
    const unsigned char *bytes;
    size_t n;
    size_t question_n; /* header and question section */
    char label[16];
    int type;
    bool tcp;
    unsigned v4; /* questions for IPv4 with this label, this one included */
};

static void put16(struct message *m, unsigned v)
{
    m->bytes[m->n++] = (unsigned char)(v >> 8);
    m->bytes[m->n++] = (unsigned char)v;
}

static void put_record(struct message *m, int type, unsigned ttl, const void *p, size_t n)
{
    put16(m, 0xc00c); /* the name of the question */
    put16(m, (unsigned)type);
    put16(m, 1);
    put16(m, 0);
    put16(m, ttl);
    put16(m, (unsigned)n);
    memcpy(m->bytes + m->n, p, n);
    m->n += n;
    m->bytes[7]++; /* records so far; many() sets the high byte */
}

static void begin(struct message *m, const struct query *q, unsigned code)
{
    memcpy(m->bytes, q->bytes, q->question_n);
    m->n = q->question_n;
    m->bytes[2] = 0x81; /* an answer, recursion was desired */
    m->bytes[3] = (unsigned char)(0x80 | code);
    memset(m->bytes + 6, 0, 6);
}

static void put_v4(struct message *m, const struct query *q, unsigned ttl, unsigned last)
{
    unsigned char v4[4] = {192, 0, 2, (unsigned char)last};
    if (q->type == TYPE_A)
        put_record(m, TYPE_A, ttl, v4, sizeof v4);
}

static void put_v6(struct message *m, const struct query *q, unsigned ttl)
{
    static const unsigned char v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    if (q->type == TYPE_AAAA)
        put_record(m, TYPE_AAAA, ttl, v6, sizeof v6);
}

static void put_alias(struct message *m, const struct query *q, bool loop)
{
    unsigned char target[] = "\x01"
                             "a\x04test";
    if (loop)
        put_record(m, TYPE_CNAME, 5, "\xc0\x0c", 2);
    else
        put_record(m, TYPE_CNAME, 5, target, sizeof target);
    if (loop || q->type != TYPE_A)
        return;
    unsigned char v4[] = {192, 0, 2, 1};
    size_t at = m->n;
    put_record(m, TYPE_A, 60, v4, sizeof v4);
    /* Its owner is the alias's target, which lies right behind the alias's fixed part. */
    m->bytes[at] = (unsigned char)(0xc0 | ((q->question_n + 12) >> 8));
    m->bytes[at + 1] = (unsigned char)(q->question_n + 12);
}

static void put_many(struct message *m, const struct query *q)
{
    if (!q->tcp) {
        m->bytes[2] |= 2; /* truncated */
        return;
    }
    for (unsigned i = 0; i < 500 && q->type == TYPE_A; i++)
        put_v4(m, q, 60, i);
    if (q->type == TYPE_A) {
        m->bytes[6] = 500 >> 8;
        m->bytes[7] = 500 & 255;
    }
}

/* False when there is to be no answer. */
static bool answer(const struct query *q, struct message *m)
{
    const char *l = q->label;
    bool v6 = q->type == TYPE_AAAA;
    begin(m, q, 0);
    if (!strcmp(l, "silent") || (!strcmp(l, "down") && dns_stub_down == DNS_STUB_SILENT) ||
        (!strcmp(l, "silent6") && v6))
        return false;
    if (!strcmp(l, "late6") && v6)
        usleep(20000);
    if (!strcmp(l, "nx"))
        begin(m, q, 3);
    else if (!strcmp(l, "fail") || (!strcmp(l, "down") && dns_stub_down == DNS_STUB_FAILS))
        begin(m, q, 2);
    else if (!strcmp(l, "refuse"))
        begin(m, q, 5);
    else if (!strcmp(l, "cname") || !strcmp(l, "loop"))
        put_alias(m, q, l[0] == 'l');
    else if (!strcmp(l, "many"))
        put_many(m, q);
    else if (!strcmp(l, "ttl0"))
        put_v4(m, q, 0, 1);
    else if (!strcmp(l, "change"))
        put_v4(m, q, 2, q->v4);
    else if (!strcmp(l, "garbage"))
        memset(m->bytes + 2, 0xff, m->n - 2);
    else if (strcmp(l, "empty") != 0 && strcmp(l, "six") != 0)
        put_v4(m, q, 60, 1);
    if (!strcmp(l, "both") || !strcmp(l, "six") || !strcmp(l, "late6"))
        put_v6(m, q, 60);
    return true;
}

/* Reads the question and counts it. False when it is none. */
static bool read_query(struct dns_stub *s, const unsigned char *p, size_t n, bool tcp, struct query *q)
{
    *q = (struct query){.bytes = p, .n = n, .tcp = tcp};
    size_t at = 12;
    if (n < 17 || p[12] == 0 || p[12] >= sizeof q->label)
        return false;
    memcpy(q->label, p + 13, p[12]);
    while (at < n && p[at])
        at += p[at] + 1u;
    if (at + 5 > n)
        return false;
    q->type = p[at + 1] << 8 | p[at + 2];
    q->question_n = at + 5;
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < LABELS; i++) {
        if (s->asked[i].count && strcmp(s->asked[i].label, q->label) != 0)
            continue;
        memcpy(s->asked[i].label, q->label, sizeof q->label);
        s->asked[i].count++;
        s->asked[i].v4 += q->type == TYPE_A;
        q->v4 = s->asked[i].v4;
        break;
    }
    pthread_mutex_unlock(&s->lock);
    return true;
}

static void serve_udp(struct dns_stub *s)
{
    unsigned char b[2048];
    struct sockaddr_storage from;
    socklen_t from_n = sizeof from;
    struct query q;
    struct message m;
    ssize_t n = recvfrom(s->udp, b, sizeof b, 0, (struct sockaddr *)&from, &from_n);
    if (n <= 0 || !read_query(s, b, (size_t)n, false, &q) || !answer(&q, &m))
        return;
    if (!strcmp(q.label, "spoof")) {
        struct message wrong = m;
        wrong.bytes[0] ^= 0x55;
        if (q.type == TYPE_A)
            wrong.bytes[wrong.n - 1] = 66;
        sendto(s->udp, wrong.bytes, wrong.n, 0, (struct sockaddr *)&from, from_n);
    }
    sendto(s->udp, m.bytes, m.n, 0, (struct sockaddr *)&from, from_n);
}

static void serve_tcp(struct dns_stub *s)
{
    int fd = accept4(s->tcp, NULL, NULL, SOCK_CLOEXEC);
    unsigned char b[2048];
    size_t have = 0;
    ssize_t n;
    struct timeval patience = {.tv_usec = 300000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while (fd >= 0 && (n = recv(fd, b + have, sizeof b - have, 0)) > 0) {
        have += (size_t)n;
        while (have >= 2 && have >= 2u + (size_t)(b[0] << 8 | b[1])) {
            size_t size = (size_t)(b[0] << 8 | b[1]);
            struct query q;
            struct message m;
            if (read_query(s, b + 2, size, true, &q) && answer(&q, &m)) {
                unsigned char length[2] = {(unsigned char)(m.n >> 8), (unsigned char)m.n};
                send(fd, length, 1, MSG_NOSIGNAL);
                usleep(2000);
                send(fd, length + 1, 1, MSG_NOSIGNAL);
                for (size_t at = 0; at < m.n; at += 1000) {
                    usleep(1000);
                    send(fd, m.bytes + at, m.n - at < 1000 ? m.n - at : 1000, MSG_NOSIGNAL);
                }
            }
            have -= 2 + size;
            memmove(b, b + 2 + size, have);
        }
    }
    if (fd >= 0)
        close(fd);
}

static void *serve(void *p)
{
    struct dns_stub *s = p;
    for (;;) {
        struct pollfd fds[3] = {{s->udp, POLLIN, 0}, {s->tcp, POLLIN, 0}, {s->stop[0], POLLIN, 0}};
        poll(fds, 3, -1);
        if (fds[2].revents)
            return NULL;
        if (fds[0].revents)
            serve_udp(s);
        if (fds[1].revents)
            serve_tcp(s);
    }
}

struct dns_stub *dns_stub_new(void)
{
    struct dns_stub *s = mem_zalloc(sizeof *s);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    /* The same port for both; another one may be tried when TCP's is taken. */
    for (int i = 0;; i++) {
        must(i < 50);
        s->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        at.sin_port = 0;
        must(bind(s->udp, (struct sockaddr *)&at, sizeof at) == 0);
        must(getsockname(s->udp, (struct sockaddr *)&at, &n) == 0);
        if (bind(s->tcp, (struct sockaddr *)&at, sizeof at) == 0 && listen(s->tcp, 8) == 0)
            break;
        close(s->udp);
        close(s->tcp);
    }
    snprintf(s->server, sizeof s->server, "127.0.0.1:%u", ntohs(at.sin_port));
    pthread_mutex_init(&s->lock, NULL);
    must(pipe(s->stop) == 0);
    must(pthread_create(&s->thread, NULL, serve, s) == 0);
    return s;
}

void dns_stub_free(struct dns_stub *s)
{
    must(write(s->stop[1], "", 1) == 1);
    pthread_join(s->thread, NULL);
    close(s->udp);
    close(s->tcp);
    close(s->stop[0]);
    close(s->stop[1]);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

const char *dns_stub_server(const struct dns_stub *s)
{
    return s->server;
}

unsigned dns_stub_asked(const struct dns_stub *s, const char *label)
{
    unsigned count = 0;
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&s->lock;
    pthread_mutex_lock(lock);
    for (int i = 0; i < LABELS; i++)
        if (!strcmp(s->asked[i].label, label))
            count = s->asked[i].count;
    pthread_mutex_unlock(lock);
    return count;
}
