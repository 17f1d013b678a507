/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An upstream for benchmarks: answers like OpenAI's chat completions, with as little work as
 * possible. It is no simulator (that is tollgate-sim) and checks nothing.
 *
 *     mock_openai PORT
 *
 * The header `x-mock` says how to answer, so that models keep their real names and have prices:
 *
 *     rBYTES   size of a JSON answer (600)           nCOUNT   answer as a stream with so many events
 *     cBYTES   size of one event (220)               iMS      time between events (0 = at once)
 *
 * joined by '-': "r4096", "n400-i10". Each event is one chunk and one write, and begins its text with
 * 'T' and 19 digits of the monotonic clock in nanoseconds, by which a client on the same host measures
 * how long it was under way. Those who ask for the usage get it as OpenAI sends it: an event of its
 * own at the end, and "usage":null in all others.
 */
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "net/http_server.h"
#include "net/loop.h"

#define MODEL "gpt-4o-mini-2024-07-18"
#define ANSWER_MAX (16u << 20)
#define EVENT_MAX 16384
#define ANSWERS_KEPT 8
#define BURST 16 /* events that are due at once, before other connections have their turn */

struct wish {
    uint64_t reply_bytes, event_bytes, events, interval_ms;
};

struct answer {
    uint64_t size;
    struct buf body;
};

struct mock {
    struct loop *loop;
    struct answer answers[ANSWERS_KEPT];
    unsigned answer_count;
};

/* One exchange. Freed when the connection says that it is over. */
struct work {
    struct mock *mock;
    struct http_exchange *x;
    struct loop_timer timer;
    struct wish wish;
    uint64_t sent; /* events */
    uint64_t begun_us;
    bool wants_usage;
};

/* --- what is wished -------------------------------------------------------------------------- */

static struct wish wish_of(struct str text)
{
    struct wish w = {.reply_bytes = 600, .event_bytes = 220};
    struct str part;
    uint64_t value;
    while (str_split(&text, '-', &part)) {
        if (!part.n || !str_to_u64(str_from(part, 1), &value))
            continue;
        switch (part.p[0]) {
        case 'r':
            w.reply_bytes = value < ANSWER_MAX / 2 ? value : ANSWER_MAX / 2;
            break;
        case 'n':
            w.events = value;
            break;
        case 'c':
            w.event_bytes = value < EVENT_MAX ? value : EVENT_MAX;
            break;
        case 'i':
            w.interval_ms = value;
            break;
        default:
            break;
        }
    }
    return w;
}

/* --- JSON answers ---------------------------------------------------------------------------- */

static const char answer_begin[] =
    "{\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion\",\"created\":1741570283,"
    "\"model\":\"" MODEL "\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"";
static const char answer_end[] =
    "\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":250,"
    "\"completion_tokens\":120,\"total_tokens\":370,\"prompt_tokens_details\":{\"cached_tokens\":0}},"
    "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_fc9f1d7035\"}";

static struct str answer_of(struct mock *m, uint64_t size)
{
    static const char words[] = "Tokens are counted per request and priced by model. ";
    for (unsigned i = 0; i < m->answer_count; i++)
        if (m->answers[i].size == size)
            return buf_str(&m->answers[i].body);
    must(m->answer_count < ANSWERS_KEPT);
    struct answer *a = &m->answers[m->answer_count++];
    a->size = size;
    buf_init(&a->body, ANSWER_MAX);
    size_t fixed = sizeof answer_begin + sizeof answer_end - 2;
    bool ok = buf_add_str(&a->body, STR(answer_begin));
    for (size_t i = 0; fixed + i < size; i++)
        ok = ok && buf_add_byte(&a->body, words[i % (sizeof words - 1)]);
    ok = ok && buf_add_str(&a->body, STR(answer_end));
    must(ok);
    return buf_str(&a->body);
}

/* --- streams --------------------------------------------------------------------------------- */

#define EVENT_BEGIN                                                                                  \
    "data: {\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\"," \
    "\"created\":1741570283,\"model\":\"" MODEL "\",\"choices\":["

static const char event_first[] =
    EVENT_BEGIN "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";
static const char event_text[] = EVENT_BEGIN "{\"index\":0,\"delta\":{\"content\":\"T";
static const char event_text_end[] = "\"},\"finish_reason\":null}]}\n\n";
static const char event_text_end_null[] = "\"},\"finish_reason\":null}],\"usage\":null}\n\n";
static const char event_last[] = EVENT_BEGIN "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
static const char event_done[] = "data: [DONE]\n\n";

static struct str text_event(char out[EVENT_MAX + 64], size_t size, struct str end)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    size_t n = sizeof event_text - 1;
    memcpy(out, event_text, n);
    int digits =
        snprintf(out + n, 24, "%019llu", (unsigned long long)t.tv_sec * 1000000000u + (unsigned long long)t.tv_nsec);
    n += (size_t)digits;
    while (n + end.n < size)
        out[n++] = ' ';
    memcpy(out + n, end.p, end.n);
    return str_of(out, n + end.n);
}

/* The end of a stream, in one write. */
static void stream_end(struct work *w)
{
    char tail[1536];
    size_t n = 0;
    memcpy(tail, event_last, sizeof event_last - 1);
    n += sizeof event_last - 1;
    if (w->wants_usage) {
        int usage = snprintf(tail + n, sizeof tail - n,
                             EVENT_BEGIN "],\"usage\":{\"prompt_tokens\":250,\"completion_tokens\":%llu,"
                                         "\"total_tokens\":%llu}}\n\n",
                             (unsigned long long)w->wish.events, (unsigned long long)w->wish.events + 250);
        n += (size_t)usage;
    }
    memcpy(tail + n, event_done, sizeof event_done - 1);
    http_send_end(w->x, str_of(tail, n + sizeof event_done - 1));
}

static void stream_go_on(struct work *w)
{
    char event[EVENT_MAX + 64];
    struct loop *l = w->mock->loop;
    struct str end = w->wants_usage ? STR(event_text_end_null) : STR(event_text_end);
    for (unsigned burst = 0; w->sent < w->wish.events; burst++) {
        uint64_t due_us = w->begun_us + (w->sent + 1) * w->wish.interval_ms * 1000;
        if (due_us > clock_mono_us() && w->wish.interval_ms) {
            loop_timer_set(l, &w->timer, due_us);
            return;
        }
        if (burst == BURST || http_unsent(w->x) > HTTP_HIGH_WATER) {
            loop_timer_set(l, &w->timer, loop_now_us(l) + 1);
            return;
        }
        w->sent++;
        http_send(w->x, text_event(event, w->wish.event_bytes, end));
    }
    stream_end(w);
}

static void on_time(struct loop_timer *t)
{
    stream_go_on(list_entry(t, struct work, timer));
}

/* --- exchanges ------------------------------------------------------------------------------- */

static void answer(struct work *w)
{
    struct http_exchange *x = w->x;
    http_head_begin(x, 200);
    http_head_lines(x, STR("x-request-id: req_7c1ad2c5d4f94f3e8f1f0d5b2c7e9a10\r\nopenai-processing-ms: 1\r\n"));
    if (!w->wish.events) {
        struct str body = answer_of(w->mock, w->wish.reply_bytes);
        http_head_lines(x, STR("Content-Type: application/json\r\n"));
        http_head_end(x, HTTP1_LENGTH, body.n, false);
        http_send_end(x, body);
        return;
    }
    http_head_lines(x, STR("Content-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"));
    http_head_end(x, HTTP1_CHUNKED, 0, false);
    w->begun_us = clock_mono_us();
    http_send(x, STR(event_first));
    stream_go_on(w);
}

static void on_request(struct http_exchange *x)
{
    struct work *w = mem_zalloc(sizeof *w);
    const struct http1_field *f = http1_find(&x->head, STR("x-mock"));
    w->mock = x->server_ctx;
    w->x = x;
    w->wish = wish_of(f ? f->value : STR(""));
    w->timer.on_time = on_time;
    x->app_data = w;
    if (!x->has_body)
        answer(w);
}

static void on_body(struct http_exchange *x, struct str bytes, bool last)
{
    struct work *w = x->app_data;
    /* Only streams are asked, and their bodies are small enough to come whole. */
    if (w->wish.events && bytes.n)
        w->wants_usage |= str_search(bytes, STR("\"include_usage\":true")) >= 0;
    if (last)
        answer(w);
}

static void work_free(struct http_exchange *x)
{
    struct work *w = x->app_data;
    if (w)
        loop_timer_clear(w->mock->loop, &w->timer);
    mem_free(w);
    x->app_data = NULL;
}

static void on_closed(struct http_exchange *x, enum err why)
{
    (void)why;
    work_free(x);
}

static const struct http_app app = {
    .on_request = on_request, .on_body = on_body, .on_closed = on_closed, .on_done = work_free};

int main(int argc, char **argv)
{
    static const struct http_limits limits = {.head_timeout_us = 60000000,
                                              .keep_alive_us = 3600000000,
                                              .body_idle_us = 60000000,
                                              .stall_us = 60000000,
                                              .connections_max = 100000};
    char address[64], why[256];
    uint64_t port;
    if (argc != 2 || !str_to_u64(str_c(argv[1]), &port) || port > 65535) {
        fprintf(stderr, "usage: mock_openai PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    struct mock m = {.loop = loop_new()};
    must(m.loop != NULL);
    struct http_server *s = http_server_new(m.loop, &app, &limits, &m);
    snprintf(address, sizeof address, "127.0.0.1:%llu", (unsigned long long)port);
    if (http_server_listen(s, str_c(address), NULL, why, sizeof why) != ERR_OK) {
        fprintf(stderr, "mock_openai: %s\n", why);
        return 1;
    }
    printf("%u\n", http_server_port(s));
    fflush(stdout);
    loop_run(m.loop);
    return 0;
}
