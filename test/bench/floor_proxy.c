/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that a proxy between keep-alive connections can do: what is measured beside it is what
 * everything else costs.
 *
 *     floor_proxy PORT UPSTREAM_PORT
 *
 * It reads how long messages are and nothing else: no header is looked at but Content-Length and
 * Transfer-Encoding, none is changed, there are no time-outs, logs or limits. A request borrows the
 * upstream connection that was used last and gives it back after the answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"

#define READ_BYTES 65536
#define KEPT_MAX (64u << 20)
#define EVENTS 256

enum part { PART_HEAD, PART_LENGTH, PART_CHUNK_SIZE, PART_CHUNK, PART_TRAILER, PART_WHOLE };

struct end {
    struct list node; /* of upstream ends that are free, or of those that are to be freed */
    int fd;           /* -1 when closed */
    bool upstream;
    struct end *peer; /* NULL when none is borrowed */
    struct buf out;   /* what the socket did not take */
    /* The message that is being read from here. */
    enum part part;
    struct buf head; /* when it came in pieces */
    uint64_t left;
    char line[20];
    size_t line_n;
};

static int epoll_fd;
static struct sockaddr_in upstream_address;
static struct list pool, graves;

static struct end *end_new(int fd, bool upstream)
{
    struct end *e = mem_zalloc(sizeof *e);
    int on = 1;
    e->fd = fd;
    e->upstream = upstream;
    list_init(&e->node);
    buf_init(&e->out, KEPT_MAX);
    buf_init(&e->head, READ_BYTES);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = e};
    must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0);
    return e;
}

static void end_close(struct end *e)
{
    if (!e || e->fd < 0)
        return;
    close(e->fd);
    e->fd = -1;
    buf_free(&e->out);
    buf_free(&e->head);
    list_remove(&e->node);
    list_append(&graves, &e->node);
    struct end *peer = e->peer;
    e->peer = NULL;
    if (peer)
        peer->peer = NULL;
    end_close(peer);
}

static struct end *upstream_end(void)
{
    if (!list_empty(&pool)) {
        struct end *e = list_entry(pool.next, struct end, node);
        list_remove(&e->node);
        return e;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&upstream_address, sizeof upstream_address) == 0)
        return end_new(fd, true);
    if (fd >= 0)
        close(fd);
    return NULL;
}

/* --- framing --------------------------------------------------------------------------------- */

static void read_head(struct end *e, struct str head)
{
    e->part = PART_WHOLE;
    e->left = 0;
    e->line_n = 0;
    for (ptrdiff_t at; (at = str_find(head, '\n')) >= 0;) {
        head = str_from(head, (size_t)at + 1);
        if (str_starts_nocase(head, STR("content-length:"))) {
            struct str value = str_from(head, 15);
            ptrdiff_t end = str_find(value, '\r');
            if (str_to_u64(str_trim(str_head(value, end < 0 ? 0 : (size_t)end)), &e->left) && e->left)
                e->part = PART_LENGTH;
        } else if (str_starts_nocase(head, STR("transfer-encoding:"))) {
            e->part = PART_CHUNK_SIZE;
        }
    }
}

/* How many of the bytes belong to the head; sets the part that follows when it is whole. */
static size_t take_head(struct end *e, struct str bytes)
{
    size_t had = buf_size(&e->head);
    struct str all = bytes;
    if (had) {
        must(buf_add_str(&e->head, bytes));
        all = buf_str(&e->head);
    }
    ptrdiff_t at = str_search(all, STR("\r\n\r\n"));
    if (at < 0) {
        if (!had)
            must(buf_add_str(&e->head, bytes));
        return bytes.n;
    }
    read_head(e, str_head(all, (size_t)at + 2));
    buf_free(&e->head);
    return (size_t)at + 4 - had;
}

static bool take_line(struct end *e, char c)
{
    if (c != '\n') {
        if (c != '\r' && e->line_n < sizeof e->line)
            e->line[e->line_n++] = c;
        return true;
    }
    struct str line = str_of(e->line, e->line_n);
    e->line_n = 0;
    if (e->part == PART_TRAILER) {
        e->part = line.n ? PART_TRAILER : PART_WHOLE;
        return true;
    }
    bool ok = str_hex_to_u64(line, &e->left);
    e->part = e->left ? PART_CHUNK : PART_TRAILER;
    e->left += 2; /* the line break behind a chunk */
    return ok;
}

/* Moves through the message; returns how many of the bytes belong to it, SIZE_MAX when it is broken. */
static size_t frame(struct end *e, struct str bytes)
{
    size_t at = 0;
    while (at < bytes.n && e->part != PART_WHOLE) {
        struct str rest = str_from(bytes, at);
        size_t n = rest.n < e->left ? rest.n : (size_t)e->left;
        switch (e->part) {
        case PART_HEAD:
            at += take_head(e, rest);
            break;
        case PART_LENGTH:
        case PART_CHUNK:
            at += n;
            e->left -= n;
            if (!e->left)
                e->part = e->part == PART_LENGTH ? PART_WHOLE : PART_CHUNK_SIZE;
            break;
        default:
            at++;
            if (!take_line(e, rest.p[0]))
                return SIZE_MAX;
        }
    }
    return at;
}

/* --- moving ---------------------------------------------------------------------------------- */

static bool push(struct end *to, struct str bytes)
{
    if (!buf_size(&to->out)) {
        ssize_t n = send(to->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return false;
        bytes = str_from(bytes, n > 0 ? (size_t)n : 0);
    }
    return !bytes.n || buf_add_str(&to->out, bytes);
}

static bool flush(struct end *e)
{
    while (buf_size(&e->out)) {
        ssize_t n = send(e->fd, e->out.p + e->out.start, buf_size(&e->out), MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN;
        buf_take(&e->out, (size_t)n);
    }
    buf_release(&e->out);
    return true;
}

/* An answer is whole: the upstream end is free again. */
static void give_back(struct end *upstream)
{
    struct end *client = upstream->peer;
    client->peer = upstream->peer = NULL;
    client->part = upstream->part = PART_HEAD;
    list_prepend(&pool, &upstream->node);
}

static bool pass(struct end *e, struct str bytes)
{
    if (e->upstream && !e->peer)
        return false; /* nobody asked */
    if (!e->upstream && !e->peer) {
        e->peer = upstream_end();
        if (!e->peer)
            return false;
        e->peer->peer = e;
    }
    size_t n = frame(e, bytes);
    if (n != bytes.n || !push(e->peer, bytes))
        return false;
    if (e->upstream && e->part == PART_WHOLE)
        give_back(e);
    return true;
}

static void on_ready(struct end *e, uint32_t events)
{
    static char room[READ_BYTES];
    if (e->fd >= 0 && (events & EPOLLOUT) && !flush(e))
        end_close(e);
    while (e->fd >= 0 && (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
        ssize_t n = recv(e->fd, room, sizeof room, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0 || !pass(e, str_of(room, (size_t)n)))
            end_close(e);
        if (n < (ssize_t)sizeof room && !(events & EPOLLRDHUP))
            return; /* a short read drained it */
    }
}

static void accept_all(int fd)
{
    int client;
    while ((client = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        end_new(client, false);
}

static bool port_of(const char *text, uint16_t *ret)
{
    uint64_t v;
    bool ok = str_to_u64(str_c(text), &v) && v <= 65535;
    *ret = ok ? (uint16_t)v : 0;
    return ok;
}

int main(int argc, char **argv)
{
    uint16_t port, upstream;
    int on = 1;
    if (argc != 3 || !port_of(argv[1], &port) || !port_of(argv[2], &upstream)) {
        fprintf(stderr, "usage: floor_proxy PORT UPSTREAM_PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    list_init(&pool);
    list_init(&graves);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    upstream_address = address;
    upstream_address.sin_port = htons(upstream);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4096) != 0) {
        perror("floor_proxy");
        return 1;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
    must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                on_ready(events[i].data.ptr, events[i].events);
            else
                accept_all(fd);
        }
        while (!list_empty(&graves)) {
            struct end *e = list_entry(graves.next, struct end, node);
            list_remove(&e->node);
            mem_free(e);
        }
    }
}
