/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: epoll, a binary heap of timers, a mutex-guarded list of posted calls that is
 * looked at only after its eventfd fired.
 *
 * Requeued descriptors: a callback that stops early for fairness asks to be called again; such
 * wishes live in a growing array that is swapped each turn. An entry is cleared when its descriptor
 * is removed, and so are kernel events of the same turn.
 */
#include "net/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

#define EVENTS_PER_TURN 256
#define NO_TIMER UINT64_MAX

struct posted {
    void (*fn)(void *ctx);
    void *ctx;
    struct posted *next;
};

struct wish {
    struct loop_io *io;
    unsigned ready;
};

struct wishes {
    struct wish *items;
    size_t count, cap;
};

struct loop {
    int epoll_fd;
    int event_fd;
    _Atomic bool stopping;
    uint64_t now_us;
    struct epoll_event events[EVENTS_PER_TURN];
    int event_count; /* of the running turn, for removal while dispatching */
    struct wishes wished, running;
    struct loop_timer **heap; /* 1-based */
    size_t timers, heap_cap;
    struct list hooks;
    bool hooks_wanted;
    struct loop_grave *graves;
    pthread_mutex_t post_lock;
    struct posted *posts, **posts_tail;
    char *scratch;
    size_t held; /* bytes kept for slow sides */
};

struct loop *loop_new(void)
{
    struct loop *l = mem_zalloc(sizeof *l);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct epoll_event wake = {.events = EPOLLIN, .data.ptr = NULL};
    if (l->epoll_fd < 0 || l->event_fd < 0 || epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->event_fd, &wake) != 0) {
        if (l->epoll_fd >= 0)
            close(l->epoll_fd);
        if (l->event_fd >= 0)
            close(l->event_fd);
        mem_free(l);
        return NULL;
    }
    list_init(&l->hooks);
    pthread_mutex_init(&l->post_lock, NULL);
    l->posts_tail = &l->posts;
    l->scratch = mem_alloc(LOOP_SCRATCH);
    l->now_us = clock_mono_us();
    return l;
}

static void bury_all(struct loop *l)
{
    while (l->graves) {
        struct loop_grave *g = l->graves;
        l->graves = g->next;
        g->on_free(g);
    }
}

uint64_t loop_now_us(const struct loop *l)
{
    return l->now_us;
}

char *loop_scratch(struct loop *l)
{
    return l->scratch;
}

void loop_hold(struct loop *l, size_t before, size_t now)
{
    must(l->held >= before);
    l->held = l->held - before + now;
}

size_t loop_read_max(const struct loop *l)
{
    return l->held > LOOP_HELD_EASY ? LOOP_READ_SMALL : LOOP_SCRATCH;
}

/* Descriptors. */

bool loop_add(struct loop *l, struct loop_io *io, int fd)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = io};
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
        return false;
    io->fd = fd;
    return true;
}

static void wishes_clear(struct wishes *w, const struct loop_io *io)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->items[i].io == io)
            w->items[i].io = NULL;
}

void loop_remove(struct loop *l, struct loop_io *io)
{
    if (io->fd >= 0) {
        epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
        io->fd = -1;
    }
    for (int i = 0; i < l->event_count; i++)
        if (l->events[i].data.ptr == io)
            l->events[i].events = 0;
    wishes_clear(&l->wished, io);
    wishes_clear(&l->running, io);
}

void loop_requeue(struct loop *l, struct loop_io *io, unsigned ready)
{
    struct wishes *w = &l->wished;
    for (size_t i = w->count; i > 0 && i + 8 > w->count; i--) {
        if (w->items[i - 1].io == io) {
            w->items[i - 1].ready |= ready;
            return;
        }
    }
    if (w->count == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 64;
        w->items = mem_realloc(w->items, w->cap * sizeof *w->items);
    }
    w->items[w->count++] = (struct wish){io, ready};
}

static void run_wishes(struct loop *l)
{
    struct wishes taken = l->wished;
    l->wished = l->running;
    l->wished.count = 0;
    l->running = taken;
    for (size_t i = 0; i < l->running.count; i++) {
        struct wish w = l->running.items[i];
        if (w.io)
            w.io->on_ready(w.io, w.ready);
    }
    l->running.count = 0;
}

/* Timers: a binary heap ordered by due time; slot is the timer's place in it. */

static void heap_put(struct loop *l, size_t slot, struct loop_timer *t)
{
    l->heap[slot] = t;
    t->slot = slot;
}

static void heap_up(struct loop *l, size_t slot, struct loop_timer *t)
{
    while (slot > 1 && l->heap[slot / 2]->due_us > t->due_us) {
        heap_put(l, slot, l->heap[slot / 2]);
        slot /= 2;
    }
    heap_put(l, slot, t);
}

static void heap_down(struct loop *l, size_t slot, struct loop_timer *t)
{
    for (;;) {
        size_t child = slot * 2;
        if (child > l->timers)
            break;
        if (child < l->timers && l->heap[child + 1]->due_us < l->heap[child]->due_us)
            child++;
        if (l->heap[child]->due_us >= t->due_us)
            break;
        heap_put(l, slot, l->heap[child]);
        slot = child;
    }
    heap_put(l, slot, t);
}

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t due_us)
{
    if (t->slot) {
        uint64_t before = t->due_us;
        t->due_us = due_us;
        if (due_us < before)
            heap_up(l, t->slot, t);
        else
            heap_down(l, t->slot, t);
        return;
    }
    if (l->timers + 2 > l->heap_cap) {
        l->heap_cap = l->heap_cap ? l->heap_cap * 2 : 64;
        l->heap = mem_realloc(l->heap, l->heap_cap * sizeof(struct loop_timer *));
    }
    t->due_us = due_us;
    l->timers++;
    heap_up(l, l->timers, t);
}

void loop_timer_clear(struct loop *l, struct loop_timer *t)
{
    if (!t->slot)
        return;
    size_t slot = t->slot;
    must(l->heap[slot] == t);
    t->slot = 0;
    struct loop_timer *last = l->heap[l->timers--];
    if (last == t)
        return;
    if (slot > 1 && l->heap[slot / 2]->due_us > last->due_us)
        heap_up(l, slot, last);
    else
        heap_down(l, slot, last);
}

/* At most as many as there are now: a timer that sets itself again for at once waits for the next turn. */
static void run_timers(struct loop *l)
{
    for (size_t most = l->timers; most && l->timers && l->heap[1]->due_us <= l->now_us; most--) {
        struct loop_timer *t = l->heap[1];
        loop_timer_clear(l, t);
        t->on_time(t);
    }
}

/* Hooks, graves, posts. */

void loop_hook_add(struct loop *l, struct loop_hook *h)
{
    list_append(&l->hooks, &h->node);
}

void loop_hook_remove(struct loop_hook *h)
{
    list_remove(&h->node);
}

void loop_wake_hooks(struct loop *l)
{
    l->hooks_wanted = true;
}

static void run_hooks(struct loop *l)
{
    l->hooks_wanted = false;
    struct list *n = l->hooks.next;
    while (n != &l->hooks) {
        struct loop_hook *h = list_entry(n, struct loop_hook, node);
        n = n->next;
        h->on_turn_end(h);
    }
}

void loop_bury(struct loop *l, struct loop_grave *g)
{
    g->next = l->graves;
    l->graves = g;
}

static void ring(struct loop *l)
{
    uint64_t one = 1;
    ssize_t n = write(l->event_fd, &one, sizeof one);
    must(n == (ssize_t)sizeof one || errno == EAGAIN);
}

void loop_post(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    struct posted *p = mem_alloc(sizeof *p);
    *p = (struct posted){fn, ctx, NULL};
    pthread_mutex_lock(&l->post_lock);
    *l->posts_tail = p;
    l->posts_tail = &p->next;
    pthread_mutex_unlock(&l->post_lock);
    ring(l);
}

static void run_posts(struct loop *l)
{
    uint64_t count;
    if (read(l->event_fd, &count, sizeof count) < 0)
        return;
    pthread_mutex_lock(&l->post_lock);
    struct posted *p = l->posts;
    l->posts = NULL;
    l->posts_tail = &l->posts;
    pthread_mutex_unlock(&l->post_lock);
    while (p) {
        struct posted *next = p->next;
        p->fn(p->ctx);
        mem_free(p);
        p = next;
    }
}

static unsigned ready_of(uint32_t events)
{
    unsigned ready = 0;
    if (events & (EPOLLIN | EPOLLRDHUP))
        ready |= LOOP_READ;
    if (events & EPOLLOUT)
        ready |= LOOP_WRITE;
    if (events & EPOLLRDHUP)
        ready |= LOOP_END;
    if (events & (EPOLLERR | EPOLLHUP))
        ready |= LOOP_HUP | LOOP_READ | LOOP_WRITE;
    return ready;
}

/* Milliseconds to wait, rounded up so that a timer is due when the wait ends. */
static int wait_ms(struct loop *l, uint64_t wait_us)
{
    if (l->wished.count || l->hooks_wanted || l->graves)
        return 0;
    uint64_t due = l->timers ? l->heap[1]->due_us : NO_TIMER;
    uint64_t now = clock_mono_us();
    uint64_t until = due <= now ? 0 : due - now;
    if (due == NO_TIMER || until > wait_us)
        until = wait_us;
    if (until == NO_TIMER)
        return -1;
    uint64_t ms = (until + 999) / 1000;
    return ms > 3600000 ? 3600000 : (int)ms;
}

void loop_turn(struct loop *l, uint64_t wait_us)
{
    int n = epoll_wait(l->epoll_fd, l->events, EVENTS_PER_TURN, wait_ms(l, wait_us));
    must(n >= 0 || errno == EINTR);
    l->now_us = clock_mono_us();
    l->event_count = n < 0 ? 0 : n;
    bool posts = false;
    for (int i = 0; i < l->event_count; i++) {
        struct epoll_event e = l->events[i];
        if (!e.data.ptr) {
            posts = true;
        } else if (e.events) {
            struct loop_io *io = e.data.ptr;
            io->on_ready(io, ready_of(e.events));
        }
    }
    l->event_count = 0;
    run_wishes(l);
    if (posts)
        run_posts(l);
    run_timers(l);
    run_hooks(l);
    bury_all(l);
}

void loop_run(struct loop *l)
{
    while (!l->stopping)
        loop_turn(l, NO_TIMER);
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
    ring(l);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    run_posts(l);
    bury_all(l);
    close(l->epoll_fd);
    close(l->event_fd);
    pthread_mutex_destroy(&l->post_lock);
    mem_free(l->wished.items);
    mem_free(l->running.items);
    mem_free(l->heap);
    mem_free(l->scratch);
    mem_free(l);
}
