/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens many streams of server-sent events at once and, while all of them are open, measures the CPU
 * time of the process under test for each event, the events' time under way, and its memory.
 *
 *     sse_load -p PORT [-n STREAMS] [-k EVENTS] [-i MS] [-r STREAMS_PER_SECOND] [-t SECONDS]
 *              [-H "Name: value"]… [-P PID]
 *
 * Each stream asks mock_openai for EVENTS events, one every MS milliseconds; the events carry the
 * time they were sent. The window lies between the moment the last stream was opened and the moment
 * the first one can end.
 *
 * Output: one line of key=value; times in microseconds. `merged` counts events that came in one
 * read behind another of the same stream.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include "bench_util.h"

#define READ_BYTES 262144
#define EVENTS_PER_WAIT 1024
#define SETTLE_NS 300000000u
#define WINDOW_MAX_NS 6000000000u
#define MARK "\"content\":\"T"
#define MARK_DIGITS 19
#define CARRY 64 /* of the last read, so that a mark or an end that was cut is seen */

struct settings {
    uint16_t port;
    unsigned streams;
    uint64_t events, interval_ms, per_second, seconds;
    long pid;
    struct buf headers;
};

struct stream {
    int fd;
    bool good; /* answered with 200 */
    char carry[CARRY];
    size_t carry_n;
    uint64_t events;
};

struct load {
    struct settings settings;
    struct sockaddr_in address;
    struct buf request;
    int epoll_fd;
    struct stream *streams;
    unsigned begun, open, peak;
    uint64_t failed;
    bool counting;
    uint64_t counted, merged;
    struct bench_times delays;
    struct bench_usage idle, from, to;
    uint64_t window_from_ns, window_to_ns;
};

/* --- streams --------------------------------------------------------------------------------- */

static bool stream_open(struct load *l, struct stream *s)
{
    int on = 1;
    struct str rest = buf_str(&l->request);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        return false;
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ssize_t n = -1;
    if (connect(s->fd, (struct sockaddr *)&l->address, sizeof l->address) == 0)
        while (rest.n && (n = send(s->fd, rest.p, rest.n, MSG_NOSIGNAL)) > 0)
            rest = str_from(rest, (size_t)n);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
    if (rest.n || fcntl(s->fd, F_SETFL, O_NONBLOCK) != 0 || epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, s->fd, &e) != 0) {
        close(s->fd);
        s->fd = -1;
        return false;
    }
    if (++l->open > l->peak)
        l->peak = l->open;
    return true;
}

static void stream_end(struct load *l, struct stream *s, bool good)
{
    close(s->fd);
    s->fd = -1;
    l->open--;
    if (!good || s->events != l->settings.events)
        l->failed++;
}

static void count_event(struct load *l, struct stream *s, struct str digits, uint64_t now_ns, unsigned of_read)
{
    uint64_t sent_ns;
    if (!str_to_u64(digits, &sent_ns))
        return;
    s->events++;
    if (!l->counting)
        return;
    l->counted++;
    l->merged += of_read > 0;
    bench_times_add(&l->delays, now_ns > sent_ns ? now_ns - sent_ns : 0);
}

/* Looks for events and the end in what was read, `text`, which begins with what was carried over. */
static void scan(struct load *l, struct stream *s, struct str text, uint64_t now_ns)
{
    ptrdiff_t at;
    unsigned found = 0;
    if (!s->good) {
        s->good = str_starts(str_from(text, 8), STR(" 200"));
        if (!s->good) {
            stream_end(l, s, false);
            return;
        }
    }
    while ((at = str_search(text, STR(MARK))) >= 0 && (size_t)at + sizeof MARK - 1 + MARK_DIGITS <= text.n) {
        text = str_from(text, (size_t)at + sizeof MARK - 1);
        count_event(l, s, str_head(text, MARK_DIGITS), now_ns, found++);
    }
    if (str_search(text, STR("[DONE]")) >= 0) {
        stream_end(l, s, true);
        return;
    }
    struct str rest = text.n > CARRY ? str_from(text, text.n - CARRY) : text;
    memcpy(s->carry, rest.p, rest.n);
    s->carry_n = rest.n;
}

static void on_ready(struct load *l, struct stream *s)
{
    static char room[CARRY + READ_BYTES];
    if (s->fd < 0)
        return;
    memcpy(room, s->carry, s->carry_n);
    ssize_t n = recv(s->fd, room + s->carry_n, READ_BYTES, 0);
    if (n > 0)
        scan(l, s, str_of(room, s->carry_n + (size_t)n), bench_now_ns());
    else if (n == 0 || errno != EAGAIN)
        stream_end(l, s, false);
}

/* --- running --------------------------------------------------------------------------------- */

static void open_due(struct load *l, uint64_t elapsed_ns)
{
    const struct settings *s = &l->settings;
    while (l->begun < s->streams && (uint64_t)l->begun * 1000000000u / s->per_second <= elapsed_ns)
        if (!stream_open(l, &l->streams[l->begun++]))
            l->failed++;
}

/* Opens and closes the window. */
static void watch_window(struct load *l, uint64_t begun_ns, uint64_t now_ns)
{
    const struct settings *s = &l->settings;
    uint64_t first_end_ns = begun_ns + s->events * s->interval_ms * 1000000 - SETTLE_NS;
    if (l->begun < s->streams || l->window_to_ns)
        return;
    if (!l->window_from_ns) {
        l->window_from_ns = now_ns + SETTLE_NS;
    } else if (!l->counting && now_ns >= l->window_from_ns) {
        l->from = bench_usage_of(s->pid);
        l->window_from_ns = bench_now_ns();
        l->counting = true;
    } else if (l->counting && (now_ns >= first_end_ns || now_ns > l->window_from_ns + WINDOW_MAX_NS)) {
        l->to = bench_usage_of(s->pid);
        l->window_to_ns = bench_now_ns();
        l->counting = false;
    }
}

static void run(struct load *l)
{
    struct epoll_event events[EVENTS_PER_WAIT];
    uint64_t begun_ns = bench_now_ns(), now_ns;
    while ((now_ns = bench_now_ns()) < begun_ns + l->settings.seconds * 1000000000u) {
        open_due(l, now_ns - begun_ns);
        watch_window(l, begun_ns, now_ns);
        if (l->begun == l->settings.streams && (!l->open || l->window_to_ns))
            break;
        int n = epoll_wait(l->epoll_fd, events, EVENTS_PER_WAIT, l->begun < l->settings.streams ? 1 : 20);
        for (int i = 0; i < n; i++)
            on_ready(l, events[i].data.ptr);
    }
}

static void prepare(struct load *l)
{
    const struct settings *s = &l->settings;
    struct buf body;
    l->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(s->port)};
    l->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    buf_init(&body, 65536);
    buf_init(&l->request, 131072);
    bench_body(&body, 1024, true, false);
    bool ok =
        buf_printf(&l->request,
                   "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: application/json\r\n"
                   "Accept: text/event-stream\r\nUser-Agent: sse_load\r\nx-mock: n%llu-i%llu\r\n",
                   s->port, (unsigned long long)s->events, (unsigned long long)s->interval_ms) &&
        buf_add_str(&l->request, buf_str(&s->headers)) &&
        buf_printf(&l->request, "Content-Length: %zu\r\n\r\n", buf_size(&body)) &&
        buf_add_str(&l->request, buf_str(&body));
    must(ok);
    buf_free(&body);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->streams = mem_zalloc(s->streams * sizeof *l->streams);
}

static void print(const struct load *l)
{
    double seconds = (double)(l->window_to_ns - l->window_from_ns) / 1e9, events = l->counted ? (double)l->counted : 1;
    printf("streams=%u peak=%u failed=%llu events=%llu merged=%llu ev_s=%.0f delay_p50=%.1f delay_p99=%.1f",
           l->settings.streams, l->peak, (unsigned long long)l->failed, (unsigned long long)l->counted,
           (unsigned long long)l->merged, seconds > 0 ? (double)l->counted / seconds : 0,
           bench_times_at(&l->delays, 50), bench_times_at(&l->delays, 99));
    if (l->settings.pid)
        printf(" cpu_us=%.3f rss0_kb=%llu rss_kb=%llu kb_stream=%.2f",
               (double)(l->to.cpu_ns - l->from.cpu_ns) / 1e3 / events, (unsigned long long)l->idle.rss_kb,
               (unsigned long long)l->to.rss_kb,
               ((double)l->to.rss_kb - (double)l->idle.rss_kb) / (l->peak ? l->peak : 1));
    printf("\n");
}

static bool read_settings(struct settings *s, int argc, char **argv)
{
    int option;
    *s = (struct settings){.streams = 100, .events = 100, .interval_ms = 50, .per_second = 1000, .seconds = 60};
    buf_init(&s->headers, 16384);
    while ((option = getopt(argc, argv, "p:n:k:i:r:t:H:P:")) != -1) {
        uint64_t number = optarg ? bench_number(optarg) : 0;
        switch (option) {
        case 'p':
            s->port = (uint16_t)number;
            break;
        case 'n':
            s->streams = (unsigned)number;
            break;
        case 'k':
            s->events = number;
            break;
        case 'i':
            s->interval_ms = number;
            break;
        case 'r':
            s->per_second = number;
            break;
        case 't':
            s->seconds = number;
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
    return s->port && s->streams && s->streams <= 100000 && s->per_second && s->events && s->interval_ms;
}

int main(int argc, char **argv)
{
    struct load l = {0};
    if (!read_settings(&l.settings, argc, argv)) {
        fprintf(stderr, "sse_load: see the head of its source for the options\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1UL);
    prepare(&l);
    l.idle = bench_usage_of(l.settings.pid);
    run(&l);
    bench_times_sort(&l.delays);
    print(&l);
    return l.window_to_ns ? 0 : 1;
}
