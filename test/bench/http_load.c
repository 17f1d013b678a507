/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSTs chat requests over keep-alive connections and measures latency and, of the process under
 * test, CPU time for each request.
 *
 *     http_load -p PORT [-c CONNECTIONS] [-r RATE] [-d MS] [-w MS] [-b BYTES] [-i] [-s]
 *               [-H "Name: value"]… [-P PID]
 *
 * Without -r every connection always has a request under way. With it, RATE requests fall due each
 * second; one that finds all connections busy waits, and its latency counts from when it was due. A
 * request that is late only because this program woke late counts from when it was sent.
 *
 * CPU time: the process is left alone after the warm-up until it is quiet, then loaded, then waited
 * for until it is quiet again. So what it puts off (a ledger filled by another thread) is counted.
 *
 * Output: one line of key=value; times in microseconds.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include "bench_util.h"

#define READ_BYTES 262144
#define HEAD_MAX 8192
#define EVENTS 256
#define PAUSE_NS 50000000
#define GRACE_NS 5000000000u /* for answers that are under way at the end */

struct settings {
    uint16_t port;
    unsigned connections;
    uint64_t rate, run_ms, warm_ms, body_bytes;
    bool image, stream;
    long pid;
    struct buf headers;
};

enum part { PART_HEAD, PART_LENGTH, PART_CHUNK_SIZE, PART_CHUNK, PART_CHUNK_END, PART_TRAILER };

struct conn {
    int fd;
    bool busy, want_output, close_after;
    size_t written;
    uint64_t sent_ns, due_ns;
    enum part part;
    char head[HEAD_MAX];
    size_t head_n;
    uint64_t left;
    char line[20];
    size_t line_n;
    unsigned status;
};

struct load {
    struct settings settings;
    struct sockaddr_in address;
    struct buf request;
    int epoll_fd;
    struct conn *conns;
    struct conn **idle; /* open loop: connections without a request */
    unsigned idle_count, busy_count;
    bool counting, stopping;
    uint64_t ok, failed, refused, reconnects, bytes;
    uint64_t all_busy_ns; /* when a connection became free after all had been busy */
    struct bench_times times;
};

/* --- connections ----------------------------------------------------------------------------- */

static bool conn_open(struct load *l, struct conn *c)
{
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return false;
    if (connect(c->fd, (struct sockaddr *)&l->address, sizeof l->address) != 0) {
        close(c->fd);
        c->fd = -1;
        return false;
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    c->want_output = false;
    return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, c->fd, &e) == 0;
}

static void conn_want_output(struct load *l, struct conn *c, bool wanted)
{
    struct epoll_event e = {.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};
    if (c->want_output != wanted)
        epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
    c->want_output = wanted;
}

static bool conn_push(struct load *l, struct conn *c)
{
    struct str rest;
    while ((rest = str_from(buf_str(&l->request), c->written)).n) {
        ssize_t n = send(c->fd, rest.p, rest.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            conn_want_output(l, c, true);
            return true;
        }
        if (n <= 0)
            return false;
        c->written += (size_t)n;
    }
    conn_want_output(l, c, false);
    return true;
}

static void conn_free(struct load *l, struct conn *c)
{
    if (c->busy) {
        if (!l->idle_count)
            l->all_busy_ns = bench_now_ns();
        l->idle[l->idle_count++] = c;
        l->busy_count--;
    }
    c->busy = false;
}

static void conn_fail(struct load *l, struct conn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    if (c->busy && l->counting)
        l->failed++;
    l->reconnects++;
    conn_free(l, c);
}

/* Takes an idle connection and sends a request on it. */
static void send_next(struct load *l, uint64_t due_ns)
{
    struct conn *c = l->idle[--l->idle_count];
    c->busy = true;
    l->busy_count++;
    c->written = c->head_n = 0;
    c->part = PART_HEAD;
    c->close_after = false;
    c->sent_ns = bench_now_ns();
    c->due_ns = due_ns;
    if ((c->fd < 0 && !conn_open(l, c)) || !conn_push(l, c))
        conn_fail(l, c);
}

/* --- answers --------------------------------------------------------------------------------- */

enum progress { MORE, WHOLE, BROKEN };

static bool line_is(const char *line, const char *name)
{
    return str_starts_nocase(str_c(line), str_c(name));
}

static void read_fields(struct conn *c)
{
    c->status = (unsigned)bench_number(c->head + 9);
    c->part = PART_LENGTH;
    c->left = 0;
    c->line_n = 0;
    for (const char *line = strchr(c->head, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        if (line_is(line + 1, "content-length:"))
            c->left = bench_number(line + 16);
        else if (line_is(line + 1, "transfer-encoding:"))
            c->part = PART_CHUNK_SIZE;
        else if (line_is(line + 1, "connection: close"))
            c->close_after = true;
    }
}

static enum progress take_head(struct conn *c, struct str *bytes)
{
    size_t had = c->head_n, room = HEAD_MAX - 1 - had;
    struct str part = str_head(*bytes, room);
    memcpy(c->head + had, part.p, part.n);
    c->head_n += part.n;
    c->head[c->head_n] = '\0';
    const char *end = strstr(c->head, "\r\n\r\n");
    if (!end) {
        *bytes = str_from(*bytes, part.n);
        return part.n == room ? BROKEN : MORE;
    }
    *bytes = str_from(*bytes, (size_t)(end - c->head) + 4 - had);
    c->head[end - c->head + 2] = '\0';
    read_fields(c);
    return c->part == PART_LENGTH && !c->left ? WHOLE : MORE;
}

/* A size line or a trailer line; the sizes are hexadecimal. */
static enum progress take_line(struct conn *c, struct str *bytes)
{
    char byte = bytes->p[0];
    *bytes = str_from(*bytes, 1);
    if (byte != '\n') {
        if (byte != '\r' && c->line_n < sizeof c->line)
            c->line[c->line_n++] = byte;
        return MORE;
    }
    struct str line = str_of(c->line, c->line_n);
    c->line_n = 0;
    if (c->part == PART_TRAILER)
        return line.n ? MORE : WHOLE;
    if (!str_hex_to_u64(line, &c->left))
        return BROKEN;
    c->part = c->left ? PART_CHUNK : PART_TRAILER;
    return MORE;
}

static void take_content(struct conn *c, struct str *bytes)
{
    size_t n = bytes->n < c->left ? bytes->n : (size_t)c->left;
    *bytes = str_from(*bytes, n);
    c->left -= n;
}

static enum progress take(struct conn *c, struct str bytes)
{
    while (bytes.n) {
        enum progress p = MORE;
        switch (c->part) {
        case PART_HEAD:
            p = take_head(c, &bytes);
            break;
        case PART_LENGTH:
            take_content(c, &bytes);
            p = c->left ? MORE : WHOLE;
            break;
        case PART_CHUNK:
            take_content(c, &bytes);
            if (!c->left) {
                c->part = PART_CHUNK_END;
                c->left = 2;
            }
            break;
        case PART_CHUNK_END:
            take_content(c, &bytes);
            if (!c->left)
                c->part = PART_CHUNK_SIZE;
            break;
        case PART_CHUNK_SIZE:
        case PART_TRAILER:
            p = take_line(c, &bytes);
            break;
        }
        if (p != MORE)
            return p;
    }
    return MORE;
}

static void answered(struct load *l, struct conn *c)
{
    uint64_t now_ns = bench_now_ns();
    if (c->status / 100 != 2) {
        l->refused += l->counting;
    } else if (l->counting) {
        l->ok++;
        bench_times_add(&l->times, now_ns - (c->due_ns ? c->due_ns : c->sent_ns));
    }
    if (c->close_after) {
        close(c->fd);
        c->fd = -1;
        l->reconnects++;
    }
    conn_free(l, c);
}

static void on_ready(struct load *l, struct conn *c, uint32_t events, char *room)
{
    if (c->fd < 0)
        return;
    if ((events & EPOLLOUT) && !conn_push(l, c)) {
        conn_fail(l, c);
        return;
    }
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    ssize_t n = recv(c->fd, room, READ_BYTES, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    l->bytes += n > 0 ? (uint64_t)n : 0;
    switch (n > 0 && c->busy ? take(c, str_of(room, (size_t)n)) : BROKEN) {
    case MORE:
        break;
    case WHOLE:
        answered(l, c);
        break;
    case BROKEN:
        conn_fail(l, c);
        break;
    }
}

/* --- running --------------------------------------------------------------------------------- */

/* Sends what is due; returns how long nothing will be. */
static uint64_t send_due(struct load *l, uint64_t begun_ns, uint64_t *sent)
{
    if (l->stopping)
        return PAUSE_NS;
    while (l->idle_count) {
        uint64_t now_ns = bench_now_ns(), due_ns = 0;
        if (l->settings.rate) {
            due_ns = begun_ns + *sent * 1000000000u / l->settings.rate;
            if (due_ns > now_ns)
                return due_ns - now_ns < PAUSE_NS ? due_ns - now_ns : PAUSE_NS;
        }
        ++*sent;
        send_next(l, due_ns && due_ns <= l->all_busy_ns ? due_ns : 0);
    }
    return PAUSE_NS;
}

/* Loads for `ms`, then lets what is under way come to its end. Returns the time the load lasted. */
static uint64_t run(struct load *l, uint64_t ms, bool counting)
{
    static char room[READ_BYTES];
    struct epoll_event events[EVENTS];
    uint64_t begun_ns = bench_now_ns(), end_ns = begun_ns + ms * 1000000, sent = 0, now_ns;
    l->counting = counting;
    l->stopping = false;
    l->all_busy_ns = 0;
    while ((now_ns = bench_now_ns()) < end_ns || (l->busy_count && now_ns < end_ns + GRACE_NS)) {
        l->stopping = now_ns >= end_ns;
        struct timespec pause = {.tv_nsec = (long)send_due(l, begun_ns, &sent)};
        int n = epoll_pwait2(l->epoll_fd, events, EVENTS, &pause, NULL);
        for (int i = 0; i < n; i++)
            on_ready(l, events[i].data.ptr, events[i].events, room);
    }
    return bench_now_ns() - begun_ns;
}

static bool prepare(struct load *l)
{
    const struct settings *s = &l->settings;
    struct buf body;
    l->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(s->port)};
    l->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    buf_init(&body, 64u << 20);
    buf_init(&l->request, 65u << 20);
    bench_body(&body, s->body_bytes, s->stream, s->image);
    bool ok =
        buf_printf(&l->request,
                   "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/json\r\n"
                   "Accept: */*\r\nUser-Agent: http_load\r\n",
                   s->port) &&
        buf_add_str(&l->request, buf_str(&s->headers)) &&
        buf_printf(&l->request, "Content-Length: %zu\r\n\r\n", buf_size(&body)) &&
        buf_add_str(&l->request, buf_str(&body));
    must(ok);
    buf_free(&body);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->conns = mem_zalloc(s->connections * sizeof *l->conns);
    l->idle = mem_zalloc(s->connections * sizeof(struct conn *));
    for (unsigned i = 0; i < s->connections; i++) {
        if (!conn_open(l, &l->conns[i]))
            return false;
        l->idle[l->idle_count++] = &l->conns[i];
    }
    return true;
}

static void print(const struct load *l, uint64_t run_ns, const struct bench_usage *a, const struct bench_usage *z)
{
    double seconds = (double)run_ns / 1e9, ok = l->ok ? (double)l->ok : 1;
    uint64_t user = z->user_ticks - a->user_ticks, system = z->system_ticks - a->system_ticks;
    printf("rps=%.0f ok=%llu failed=%llu refused=%llu p50=%.1f p90=%.1f p99=%.1f", (double)l->ok / seconds,
           (unsigned long long)l->ok, (unsigned long long)l->failed, (unsigned long long)l->refused,
           bench_times_at(&l->times, 50), bench_times_at(&l->times, 90), bench_times_at(&l->times, 99));
    if (l->settings.pid)
        printf(" cpu_us=%.3f user_pct=%.0f rss_kb=%llu", (double)(z->cpu_ns - a->cpu_ns) / 1e3 / ok,
               user + system ? 100.0 * (double)user / (double)(user + system) : 0, (unsigned long long)z->rss_kb);
    printf("\n");
}

static bool read_settings(struct settings *s, int argc, char **argv)
{
    int option;
    *s = (struct settings){.connections = 32, .run_ms = 3000, .warm_ms = 200, .body_bytes = 1024};
    buf_init(&s->headers, 16384);
    while ((option = getopt(argc, argv, "p:c:r:d:w:b:isH:P:")) != -1) {
        uint64_t number = optarg ? bench_number(optarg) : 0;
        switch (option) {
        case 'p':
            s->port = (uint16_t)number;
            break;
        case 'c':
            s->connections = (unsigned)number;
            break;
        case 'r':
            s->rate = number;
            break;
        case 'd':
            s->run_ms = number;
            break;
        case 'w':
            s->warm_ms = number;
            break;
        case 'b':
            s->body_bytes = number;
            break;
        case 'i':
            s->image = true;
            break;
        case 's':
            s->stream = true;
            break;
        case 'P':
            s->pid = (long)number;
            break;
        case 'H':
            if (buf_printf(&s->headers, "%s\r\n", optarg))
                break;
            return false;
        default:
            return false;
        }
    }
    return s->port && s->connections && s->connections <= 20000;
}

int main(int argc, char **argv)
{
    struct load l = {0};
    if (!read_settings(&l.settings, argc, argv)) {
        fprintf(stderr, "http_load: see the head of its source for the options\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1UL);
    if (!prepare(&l)) {
        fprintf(stderr, "http_load: cannot connect to port %u\n", l.settings.port);
        return 1;
    }
    if (l.settings.warm_ms)
        run(&l, l.settings.warm_ms, false);
    struct bench_usage a = bench_usage_quiet(l.settings.pid);
    uint64_t run_ns = run(&l, l.settings.run_ms, true);
    struct bench_usage z = bench_usage_quiet(l.settings.pid);
    bench_times_sort(&l.times);
    print(&l, run_ns, &a, &z);
    return l.ok ? 0 : 1;
}
