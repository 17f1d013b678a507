/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Name servers by c-ares.
 *
 * c-ares expects to be called as long as a descriptor is ready, and reads no more than one message
 * of a TCP stream per call; our loop tells of readiness once. So on an event each descriptor is
 * asked with poll(2) until it has nothing more, a bounded number of times per turn.
 *
 * When /etc/resolv.conf changes, the channel is made anew as soon as it has no open question.
 */
#include "net/dns.h"

#include <ares.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"

#define STEPS_PER_TURN 16
#define RESOLV_CONF "/etc/resolv.conf"
/* The first try waits this long, each further one twice as long as the one before: 12 s in all. */
#define FIRST_TRY_MS 800
#define TRIES 4
/* Fits in one Ethernet frame whatever the path (https://www.dnsflagday.net/2020/). */
#define UDP_MAX 1232

struct dns {
    struct loop *loop;
    ares_channel channel;
    char *servers;           /* NULL = the system's */
    struct timespec changed; /* of resolv.conf, when the channel was made */
    unsigned open;           /* questions without an answer */
    bool freeing;
    struct loop_timer tick;
    struct list sockets;
};

struct dns_socket {
    struct dns *dns;
    struct loop_io io;
    struct list node;
    bool read, write;
};

struct question {
    struct dns *dns;
    int family;
    dns_done_fn *done;
    void *ctx;
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void library_prepare(void)
{
    must(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
}

/* Descriptors. */

static void tick_update(struct dns *d)
{
    struct timeval tv;
    if (ares_timeout(d->channel, NULL, &tv)) {
        uint64_t wait_us = (uint64_t)tv.tv_sec * 1000000 + (uint64_t)tv.tv_usec;
        loop_timer_set(d->loop, &d->tick, loop_now_us(d->loop) + wait_us);
    } else {
        loop_timer_clear(d->loop, &d->tick);
    }
}

static void on_tick(struct loop_timer *t)
{
    struct dns *d = list_entry(t, struct dns, tick);
    ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    tick_update(d);
}

static struct dns_socket *socket_find(struct dns *d, int fd)
{
    for (struct list *n = d->sockets.next; n != &d->sockets; n = n->next) {
        struct dns_socket *s = list_entry(n, struct dns_socket, node);
        if (s->io.fd == fd)
            return s;
    }
    return NULL;
}

static void on_ready(struct loop_io *io, unsigned ready)
{
    struct dns_socket *s = list_entry(io, struct dns_socket, io);
    struct dns *d = s->dns;
    int fd = io->fd;
    (void)ready;
    for (int step = 0; (s = socket_find(d, fd)) != NULL; step++) {
        struct pollfd p = {fd, (short)((s->read ? POLLIN : 0) | (s->write ? POLLOUT : 0)), 0};
        if (step == STEPS_PER_TURN) {
            loop_requeue(d->loop, &s->io, LOOP_READ | LOOP_WRITE);
            break;
        }
        if (poll(&p, 1, 0) <= 0)
            break;
        bool broken = p.revents & (POLLERR | POLLHUP | POLLNVAL);
        ares_process_fd(d->channel, broken || (p.revents & POLLIN) ? fd : ARES_SOCKET_BAD,
                        broken || (p.revents & POLLOUT) ? fd : ARES_SOCKET_BAD);
    }
    tick_update(d);
}

/* c-ares tells what it wants of a descriptor; nothing at all means that it is about to close it. */
static void on_socket(void *data, ares_socket_t fd, int readable, int writable)
{
    struct dns *d = data;
    struct dns_socket *s = socket_find(d, fd);
    if (!readable && !writable) {
        if (s) {
            loop_remove(d->loop, &s->io);
            list_remove(&s->node);
            mem_free(s);
        }
        return;
    }
    if (!s) {
        s = mem_zalloc(sizeof *s);
        *s = (struct dns_socket){.dns = d, .io = {on_ready, -1}};
        if (!loop_add(d->loop, &s->io, fd)) {
            mem_free(s); /* its questions time out */
            return;
        }
        list_append(&d->sockets, &s->node);
    }
    bool new_wish = (readable && !s->read) || (writable && !s->write);
    s->read = readable;
    s->write = writable;
    if (new_wish)
        loop_requeue(d->loop, &s->io, LOOP_READ | LOOP_WRITE); /* its edge may be past */
}

/* The channel. */

static struct timespec conf_changed(void)
{
    struct stat st;
    return stat(RESOLV_CONF, &st) == 0 ? st.st_mtim : (struct timespec){0, 0};
}

static bool channel_open(struct dns *d)
{
    char lookups[] = "b";
    struct ares_options o = {
        .flags = ARES_FLAG_EDNS,
        .timeout = FIRST_TRY_MS,
        .tries = TRIES,
        .lookups = lookups,
        .sock_state_cb = on_socket,
        .sock_state_cb_data = d,
        .ednspsz = UDP_MAX,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
               ARES_OPT_EDNSPSZ;
    d->changed = conf_changed();
    if (ares_init_options(&d->channel, &o, mask) != ARES_SUCCESS)
        return false;
    if (d->servers && ares_set_servers_ports_csv(d->channel, d->servers) != ARES_SUCCESS) {
        ares_destroy(d->channel);
        return false;
    }
    return true;
}

/* Follows a change of the system's servers; the old channel stays when a new one cannot be made. */
static void channel_refresh(struct dns *d)
{
    struct timespec now = conf_changed();
    if (d->servers || d->open || (now.tv_sec == d->changed.tv_sec && now.tv_nsec == d->changed.tv_nsec))
        return;
    ares_channel old = d->channel;
    if (channel_open(d))
        ares_destroy(old);
    else
        d->channel = old;
}

struct dns *dns_new(struct loop *l, const char *servers)
{
    struct dns *d = mem_zalloc(sizeof *d);
    pthread_once(&library_once, library_prepare);
    d->loop = l;
    d->servers = servers ? mem_strdup(servers) : NULL;
    d->tick.on_time = on_tick;
    list_init(&d->sockets);
    if (channel_open(d))
        return d;
    mem_free(d->servers);
    mem_free(d);
    return NULL;
}

void dns_free(struct dns *d)
{
    if (!d)
        return;
    d->freeing = true;
    ares_destroy(d->channel);
    must(list_empty(&d->sockets));
    must(d->open == 0);
    loop_timer_clear(d->loop, &d->tick);
    mem_free(d->servers);
    mem_free(d);
}

/* Answers. */

static void answer_failure(struct dns_answer *a, int status)
{
    a->result = DNS_FAILED;
    switch (status) {
    case ARES_ENOTFOUND:
        a->result = DNS_NO_NAME;
        a->detail = "the name does not exist";
        break;
    case ARES_SUCCESS:
    case ARES_ENODATA:
        a->result = DNS_NO_ADDRESS;
        a->detail = "the name has no address";
        break;
    case ARES_ETIMEOUT:
        a->detail = "the name servers do not answer";
        break;
    case ARES_ECONNREFUSED: /* c-ares says the same of all three */
        a->detail = "every name server failed (SERVFAIL), refused or cannot be reached";
        break;
    case ARES_EBADNAME:
        a->detail = "it is not a name that can be asked for";
        break;
    default:
        a->detail = "the name server's answer cannot be used";
        break;
    }
}

static void add_address(struct dns_answer *a, const struct ares_addrinfo_node *n)
{
    if (a->count == DNS_ADDRESSES_MAX)
        return;
    struct dns_address *to = &a->addresses[a->count];
    if (n->ai_family == AF_INET && n->ai_addrlen >= (ares_socklen_t)sizeof(struct sockaddr_in)) {
        struct sockaddr_in in;
        memcpy(&in, n->ai_addr, sizeof in);
        memcpy(to->bytes, &in.sin_addr, 4);
    } else if (n->ai_family == AF_INET6 && n->ai_addrlen >= (ares_socklen_t)sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 in6;
        memcpy(&in6, n->ai_addr, sizeof in6);
        memcpy(to->bytes, &in6.sin6_addr, 16);
    } else {
        return;
    }
    to->family = n->ai_family;
    a->count++;
}

static uint32_t shorter(uint32_t ttl_s, int record_s)
{
    uint32_t s = record_s < 0 ? 0 : (uint32_t)record_s;
    return s < ttl_s ? s : ttl_s;
}

static void on_answer(void *ctx, int status, int timeouts, struct ares_addrinfo *info)
{
    struct question *q = ctx;
    struct dns *d = q->dns;
    struct dns_answer a = {.result = DNS_FOUND, .ttl_s = UINT32_MAX};
    (void)timeouts;
    for (struct ares_addrinfo_node *n = info ? info->nodes : NULL; n; n = n->ai_next) {
        a.ttl_s = shorter(a.ttl_s, n->ai_ttl);
        add_address(&a, n);
    }
    for (struct ares_addrinfo_cname *c = info ? info->cnames : NULL; c; c = c->next)
        a.ttl_s = shorter(a.ttl_s, c->ttl);
    if (info)
        ares_freeaddrinfo(info);
    if (!a.count)
        answer_failure(&a, status);
    d->open--;
    if (!d->freeing)
        q->done(q->ctx, q->family, &a);
    mem_free(q);
}

void dns_ask(struct dns *d, const char *name, int family, dns_done_fn *done, void *ctx)
{
    struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NOSORT, .ai_family = family, .ai_socktype = SOCK_STREAM};
    struct question *q = mem_alloc(sizeof *q);
    channel_refresh(d);
    *q = (struct question){d, family, done, ctx};
    d->open++;
    ares_getaddrinfo(d->channel, name, NULL, &hints, on_answer, q);
    tick_update(d);
}
