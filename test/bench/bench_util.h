/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_UTIL_H
#define BENCH_UTIL_H

/*
 * bench_util: what the load generators share: a clock, percentiles, the CPU time and memory of a
 * process and its descendants (from /proc), and request bodies.
 */

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"

static inline uint64_t bench_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The number at the front of `text`, after blanks; 0 when there is none. */
static inline uint64_t bench_number(const char *text)
{
    size_t n = 0;
    uint64_t value = 0;
    while (*text == ' ' || *text == '\t')
        text++;
    while (text[n] >= '0' && text[n] <= '9')
        n++;
    return str_to_u64(str_of(text, n), &value) ? value : 0;
}

/* --- times ----------------------------------------------------------------------------------- */

struct bench_times {
    uint32_t *tenths; /* of a microsecond */
    size_t n, cap;
};

static inline void bench_times_add(struct bench_times *t, uint64_t ns)
{
    uint64_t tenths = ns / 100;
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 65536;
        t->tenths = mem_realloc(t->tenths, t->cap * sizeof *t->tenths);
    }
    t->tenths[t->n++] = tenths > UINT32_MAX ? UINT32_MAX : (uint32_t)tenths;
}

static inline int bench_times_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static inline void bench_times_sort(struct bench_times *t)
{
    if (t->n)
        qsort(t->tenths, t->n, sizeof *t->tenths, bench_times_compare);
}

/* Microseconds, of sorted times; 0 when there are none. */
static inline double bench_times_at(const struct bench_times *t, double percent)
{
    return t->n ? t->tenths[(size_t)(percent / 100.0 * (double)(t->n - 1) + 0.5)] / 10.0 : 0;
}

/* --- a process and its descendants ----------------------------------------------------------- */

#define BENCH_PROCESSES_MAX 64

struct bench_usage {
    uint64_t cpu_ns; /* of all threads that live */
    uint64_t user_ticks, system_ticks;
    uint64_t rss_kb;
};

static inline bool bench_read_file(const char *path, char *out, size_t cap)
{
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(out, 1, cap - 1, f) : 0;
    out[n] = '\0';
    if (f)
        fclose(f);
    return n > 0;
}

/* Adds the threads' time on a CPU: the first number of schedstat. */
static inline void bench_add_threads(long pid, struct bench_usage *u)
{
    char path[320], text[256];
    snprintf(path, sizeof path, "/proc/%ld/task", pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof path, "/proc/%ld/task/%.200s/schedstat", pid, e->d_name);
        if (e->d_name[0] != '.' && bench_read_file(path, text, sizeof text))
            u->cpu_ns += bench_number(text);
    }
    if (d)
        closedir(d);
}

static inline void bench_add_process(long pid, struct bench_usage *u)
{
    char path[64], text[4096];
    unsigned long user = 0, system = 0;
    bench_add_threads(pid, u);
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    const char *end = bench_read_file(path, text, sizeof text) ? strrchr(text, ')') : NULL;
    if (end && sscanf(end + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2) {
        u->user_ticks += user;
        u->system_ticks += system;
    }
    snprintf(path, sizeof path, "/proc/%ld/status", pid);
    const char *rss = bench_read_file(path, text, sizeof text) ? strstr(text, "VmRSS:") : NULL;
    u->rss_kb += rss ? bench_number(rss + 6) : 0;
}

/* pid 0: nothing. Descendants are found through the kernel's list of children. */
static inline struct bench_usage bench_usage_of(long pid)
{
    struct bench_usage u = {0};
    long pids[BENCH_PROCESSES_MAX] = {pid};
    unsigned count = pid > 0;
    for (unsigned i = 0; i < count; i++) {
        char path[64], text[4096];
        struct str rest, word;
        uint64_t child;
        bench_add_process(pids[i], &u);
        snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", pids[i], pids[i]);
        rest = bench_read_file(path, text, sizeof text) ? str_c(text) : STR("");
        while (str_split(&rest, ' ', &word))
            if (str_to_u64(word, &child) && count < BENCH_PROCESSES_MAX)
                pids[count++] = (long)child;
    }
    return u;
}

#define BENCH_QUIET_SLICE_US 200000
#define BENCH_QUIET_SLICES_MAX 60

/* Waits until the process does next to nothing any more: what it does late belongs to the load too. */
static inline struct bench_usage bench_usage_quiet(long pid)
{
    struct bench_usage before = bench_usage_of(pid), now = before;
    for (int i = 0; pid > 0 && i < BENCH_QUIET_SLICES_MAX; i++) {
        usleep(BENCH_QUIET_SLICE_US);
        now = bench_usage_of(pid);
        if (now.cpu_ns - before.cpu_ns < BENCH_QUIET_SLICE_US * 1000 / 200) /* half a percent */
            break;
        before = now;
    }
    return now;
}

/* --- requests -------------------------------------------------------------------------------- */

/* A chat request of about `size` bytes in `out`: prose with escapes, or an image as a data URL. */
static inline void bench_body(struct buf *out, size_t size, bool stream, bool image)
{
    static const char *const words[] = {"the ",    "gateway ", "should ", "report ",       "tokens, ",
                                        "cost ",   "and ",     "for ",    "each ",         "model\\n",
                                        "while ",  "it ",      "keeps ",  "streams ",      "open; ",
                                        "please ", "latency ", "text. ",  "\\\"this\\\" ", "summarise "};
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *end =
        image ? "\"}}]}],\"temperature\":0.2,\"max_tokens\":256}" : "\"}],\"temperature\":0.2,\"max_tokens\":256}";
    struct rng_seeded rng = {.state = 2463534242u};
    bool ok = buf_printf(out, "{\"model\":\"gpt-4o-mini\",%s\"messages\":[{\"role\":\"user\",\"content\":%s",
                         stream ? "\"stream\":true," : "",
                         image ? "[{\"type\":\"text\",\"text\":\"What is in this image?\"},{\"type\":\"image_url\","
                                 "\"image_url\":{\"url\":\"data:image/png;base64,"
                               : "\"");
    size_t until = size > strlen(end) ? size - strlen(end) : 0;
    while (ok && buf_size(out) < until)
        ok = image ? buf_add_byte(out, base64[rng_seeded_below(&rng, 64)])
                   : buf_add_str(out, str_c(words[rng_seeded_below(&rng, sizeof words / sizeof words[0])]));
    ok = ok && buf_add_str(out, str_c(end));
    must(ok);
}

#endif
