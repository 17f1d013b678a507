/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

/*
 * loop: one event loop, owned by one thread.
 *
 * Descriptors are registered once, edge-triggered, for input, output and hang-up; a callback is
 * told what became ready and must go on until the descriptor would block, or remember that more
 * may be there. Timers are one-shot. A turn is: wait, descriptor callbacks, posted calls, timers,
 * turn-end hooks, then objects given to loop_bury are freed, so no callback of the same turn meets
 * dead memory.
 *
 * Only loop_post and loop_stop may be called from other threads.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct loop;

enum loop_ready {
    LOOP_READ = 1,  /* input */
    LOOP_WRITE = 2, /* room for output */
    LOOP_HUP = 4,   /* the connection is broken or ended both ways */
    LOOP_END = 8,   /* the peer ended its sending: read on until the end, a short read is not the last */
};

struct loop_io {
    void (*on_ready)(struct loop_io *io, unsigned ready);
    int fd; /* -1 when not registered */
};

struct loop_timer {
    void (*on_time)(struct loop_timer *t);
    uint64_t due_us; /* monotonic; meaningful while set */
    size_t slot;     /* 1-based place in the heap; 0 = not set */
};

/* Called at the end of each turn that had work, in the order of registration. */
struct loop_hook {
    void (*on_turn_end)(struct loop_hook *h);
    struct list node;
};

/* Something to free when the turn is over. */
struct loop_grave {
    void (*on_free)(struct loop_grave *g);
    struct loop_grave *next;
};

struct loop *loop_new(void); /* NULL when the kernel refuses a descriptor */
void loop_free(struct loop *l);

/* Runs until loop_stop. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* One turn that waits at most `wait_us`; for tests and tools. */
void loop_turn(struct loop *l, uint64_t wait_us);

/* Monotonic microseconds at the start of this turn's callbacks: cheap, good for time-outs. */
uint64_t loop_now_us(const struct loop *l);

/* False when the kernel refuses (no memory, no watches left). */
bool loop_add(struct loop *l, struct loop_io *io, int fd) __attribute__((warn_unused_result));
void loop_remove(struct loop *l, struct loop_io *io); /* also when not registered */
/* Calls io->on_ready(ready) later in this turn or in the next one, without waiting for the kernel. */
void loop_requeue(struct loop *l, struct loop_io *io, unsigned ready);

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t due_us); /* moves it when set */
void loop_timer_clear(struct loop *l, struct loop_timer *t);

void loop_hook_add(struct loop *l, struct loop_hook *h);
void loop_hook_remove(struct loop_hook *h);
/* Asks for a turn end soon even when nothing else happens. */
void loop_wake_hooks(struct loop *l);
void loop_bury(struct loop *l, struct loop_grave *g);

/* Runs fn(ctx) on the loop's thread. Thread-safe. Posts that are still waiting at loop_free run there. */
void loop_post(struct loop *l, void (*fn)(void *ctx), void *ctx);

/* Shared scratch memory of the loop's thread, LOOP_SCRATCH bytes; its content lasts until the callback returns. */
#define LOOP_SCRATCH 262144
char *loop_scratch(struct loop *l);

/*
 * Bytes that connections of this loop keep because the other side is slow. Who keeps them says so; while
 * there are more than LOOP_HELD_EASY, reads are to be small, so that a thousand stalled connections
 * together keep little more than a few do.
 */
#define LOOP_HELD_EASY (16u << 20)
#define LOOP_READ_SMALL 16384
void loop_hold(struct loop *l, size_t before, size_t now);
/* The most to read at once: LOOP_SCRATCH or LOOP_READ_SMALL. */
size_t loop_read_max(const struct loop *l);

#endif
