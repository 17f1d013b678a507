/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop: order, time, and callbacks that remove what is about to be called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "http_rig.h"

#define MS 1000u

struct tick {
    struct loop_timer timer;
    unsigned fired;
    uint64_t at_us;
    struct tick *other;
    unsigned again;
};

static struct tick ticks[2000];

static void on_tick(struct loop_timer *t)
{
    struct tick *k = list_entry(t, struct tick, timer);
    k->fired++;
    k->at_us = loop_now_us(rig.loop);
    rig_say("%d;", (int)(k - ticks));
    if (k->other)
        loop_timer_clear(rig.loop, &k->other->timer);
    if (k->again) {
        k->again--;
        loop_timer_set(rig.loop, t, loop_now_us(rig.loop));
    }
}

static int tick_open(void **state)
{
    memset(ticks, 0, sizeof ticks);
    for (size_t i = 0; i < sizeof ticks / sizeof ticks[0]; i++)
        ticks[i].timer.on_time = on_tick;
    return rig_open(state);
}

static void at(int i, uint64_t ms)
{
    loop_timer_set(rig.loop, &ticks[i].timer, loop_now_us(rig.loop) + ms * MS);
}

static void timers_fire_in_order_of_time(void **state)
{
    (void)state;
    at(0, 300);
    at(1, 100);
    at(2, 200);
    rig_settle();
    assert_int_equal(buf_size(&rig.said), 0);
    rig_wait_us(150 * MS);
    rig_wait_us(1000 * MS);
    assert_true(str_eq(buf_str(&rig.said), STR("1;2;0;")));
}

static void a_timer_can_be_moved_both_ways(void **state)
{
    (void)state;
    at(0, 100);
    at(1, 200);
    at(2, 300);
    at(0, 400);
    at(2, 50);
    rig_wait_us(1000 * MS);
    assert_true(str_eq(buf_str(&rig.said), STR("2;1;0;")));
    assert_int_equal(ticks[0].fired, 1);
}

static void a_cleared_timer_does_not_fire(void **state)
{
    (void)state;
    at(0, 100);
    at(1, 100);
    loop_timer_clear(rig.loop, &ticks[0].timer);
    loop_timer_clear(rig.loop, &ticks[0].timer);
    rig_wait_us(1000 * MS);
    assert_int_equal(ticks[0].fired, 0);
    assert_int_equal(ticks[1].fired, 1);
}

static void a_timer_may_clear_another_that_is_due(void **state)
{
    (void)state;
    at(0, 100);
    at(1, 101);
    ticks[0].other = &ticks[1];
    rig_wait_us(1000 * MS);
    assert_int_equal(ticks[0].fired, 1);
    assert_int_equal(ticks[1].fired, 0);
}

static void a_timer_that_is_due_again_at_once_does_not_hold_the_turn(void **state)
{
    (void)state;
    at(0, 0);
    at(1, 0);
    ticks[0].again = 1000000;
    loop_turn(rig.loop, 2 * MS);
    loop_turn(rig.loop, 2 * MS);
    assert_in_range(ticks[0].fired, 1, 8);
    assert_int_equal(ticks[1].fired, 1);
    loop_timer_clear(rig.loop, &ticks[0].timer);
}

static void a_turn_waits_no_longer_than_the_next_timer(void **state)
{
    (void)state;
    uint64_t before = clock_mono_us();
    at(0, 20);
    while (!ticks[0].fired)
        loop_turn(rig.loop, 60000000);
    assert_in_range(clock_mono_us() - before, 20 * MS, 2000 * MS);
    assert_true(ticks[0].at_us >= before + 20 * MS);
}

/* The heap against a plain search, over random sets, moves and clears. */
static void many_timers_agree_with_a_list(void **state)
{
    (void)state;
    struct rng_seeded rng = {.state = 7};
    const int n = (int)(sizeof ticks / sizeof ticks[0]);
    uint64_t due[sizeof ticks / sizeof ticks[0]] = {0};
    uint64_t base = loop_now_us(rig.loop);
    for (int round = 0; round < 20000; round++) {
        int i = (int)(rng_seeded_u64(&rng) % (uint64_t)n);
        if (rng_seeded_u64(&rng) % 4 == 0) {
            loop_timer_clear(rig.loop, &ticks[i].timer);
            due[i] = 0;
        } else {
            due[i] = base + 1000000 + rng_seeded_u64(&rng) % 1000000;
            loop_timer_set(rig.loop, &ticks[i].timer, due[i]);
        }
    }
    for (int step = 0; step < 20; step++) {
        rig_wait_us(step ? 50000 : 1000000);
        uint64_t now = loop_now_us(rig.loop);
        for (int i = 0; i < n; i++)
            assert_int_equal(ticks[i].fired, due[i] && due[i] <= now);
    }
}

/* Descriptors. */

struct end {
    struct loop_io io;
    struct loop_grave grave;
    struct end *victim;
    unsigned calls, ready;
    bool freed, requeue;
};

static void on_end_ready(struct loop_io *io, unsigned ready)
{
    struct end *e = list_entry(io, struct end, io);
    e->calls++;
    e->ready |= ready;
    if (e->victim)
        loop_remove(rig.loop, &e->victim->io);
    if (e->requeue)
        loop_requeue(rig.loop, io, LOOP_READ);
}

static void end_open(struct end *e, int fd)
{
    *e = (struct end){.io = {on_end_ready, -1}};
    assert_true(loop_add(rig.loop, &e->io, fd));
}

static void readiness_is_told_once_an_edge(void **state)
{
    (void)state;
    int fd[2];
    struct end e;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    end_open(&e, fd[0]);
    rig_settle();
    assert_int_equal(e.calls, 1);
    assert_int_equal(e.ready, LOOP_WRITE);
    assert_int_equal(write(fd[1], "a", 1), 1);
    rig_settle();
    assert_int_equal(e.calls, 2);
    assert_true(e.ready & LOOP_READ);
    assert_false(e.ready & (LOOP_END | LOOP_HUP));
    assert_int_equal(shutdown(fd[1], SHUT_WR), 0);
    rig_settle();
    assert_true(e.ready & LOOP_END);
    close(fd[1]);
    rig_settle();
    assert_true(e.ready & LOOP_HUP);
    loop_remove(rig.loop, &e.io);
    loop_remove(rig.loop, &e.io);
    close(fd[0]);
}

static void what_is_removed_in_a_turn_is_not_called_in_it(void **state)
{
    (void)state;
    enum { N = 6 };
    int fd[N][2];
    struct end e[N];
    for (int i = 0; i < N; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd[i]), 0);
        end_open(&e[i], fd[i][0]);
    }
    rig_settle();
    for (int i = 0; i < N; i++) {
        e[i].calls = 0;
        e[i].victim = &e[i ^ 1]; /* whoever is called first removes the other */
        assert_int_equal(write(fd[i][1], "a", 1), 1);
    }
    rig_settle();
    for (int i = 0; i < N; i += 2)
        assert_int_equal(e[i].calls + e[i + 1].calls, 1);
    for (int i = 0; i < N; i++) {
        loop_remove(rig.loop, &e[i].io);
        close(fd[i][0]);
        close(fd[i][1]);
    }
}

static void a_wish_of_what_is_removed_is_forgotten(void **state)
{
    (void)state;
    struct end a = {.io = {on_end_ready, -1}}, b = {.io = {on_end_ready, -1}};
    a.victim = &b;
    loop_requeue(rig.loop, &a.io, LOOP_READ);
    loop_requeue(rig.loop, &b.io, LOOP_READ);
    rig_settle();
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 0);
    loop_requeue(rig.loop, &b.io, LOOP_READ);
    loop_remove(rig.loop, &b.io);
    rig_settle();
    assert_int_equal(b.calls, 0);
}

static void wishes_of_one_descriptor_are_joined(void **state)
{
    (void)state;
    struct end a = {.io = {on_end_ready, -1}};
    loop_requeue(rig.loop, &a.io, LOOP_READ);
    loop_requeue(rig.loop, &a.io, LOOP_HUP);
    rig_settle();
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.ready, LOOP_READ | LOOP_HUP);
}

static void a_wish_made_in_a_call_is_for_the_next_turn(void **state)
{
    (void)state;
    struct end a = {.io = {on_end_ready, -1}, .requeue = true};
    loop_requeue(rig.loop, &a.io, LOOP_READ);
    for (unsigned i = 1; i <= 5; i++) {
        loop_turn(rig.loop, 60000000); /* does not wait: there is a wish */
        assert_int_equal(a.calls, i);
    }
    loop_remove(rig.loop, &a.io);
}

static void many_wishes_are_all_kept(void **state)
{
    (void)state;
    struct end *many = mem_zalloc(500 * sizeof *many);
    for (int i = 0; i < 500; i++) {
        many[i].io = (struct loop_io){on_end_ready, -1};
        loop_requeue(rig.loop, &many[i].io, LOOP_READ);
    }
    rig_settle();
    for (int i = 0; i < 500; i++)
        assert_int_equal(many[i].calls, 1);
    mem_free(many);
}

static void on_grave(struct loop_grave *g)
{
    list_entry(g, struct end, grave)->freed = true;
}

static void bury_on_ready(struct loop_io *io, unsigned ready)
{
    struct end *e = list_entry(io, struct end, io);
    (void)ready;
    loop_bury(rig.loop, &e->grave);
    assert_false(e->freed);
}

static void what_is_buried_lives_until_the_turn_ends(void **state)
{
    (void)state;
    struct end e = {.io = {bury_on_ready, -1}, .grave = {on_grave, NULL}};
    loop_requeue(rig.loop, &e.io, LOOP_READ);
    loop_turn(rig.loop, 0);
    assert_true(e.freed);
}

/* Posts and hooks. */

static void add_one(void *ctx)
{
    (*(unsigned *)ctx)++;
}

static void *poster(void *ctx)
{
    for (int i = 0; i < 10000; i++)
        loop_post(rig.loop, add_one, ctx);
    return NULL;
}

static void posts_of_other_threads_all_run_here(void **state)
{
    (void)state;
    pthread_t threads[3];
    unsigned sum = 0; /* touched by this thread only */
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, poster, &sum), 0);
    for (int i = 0; i < 20000 && sum < 30000; i++)
        loop_turn(rig.loop, 1000);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    rig_settle();
    assert_int_equal(sum, 30000);
}

static void post_again(void *ctx)
{
    add_one(ctx);
    if (*(unsigned *)ctx < 3)
        loop_post(rig.loop, post_again, ctx);
}

static void a_post_may_post(void **state)
{
    (void)state;
    unsigned sum = 0;
    loop_post(rig.loop, post_again, &sum);
    rig_settle();
    assert_int_equal(sum, 3);
}

static void posts_that_wait_run_when_the_loop_is_freed(void **state)
{
    (void)state;
    unsigned sum = 0;
    struct loop *l = loop_new();
    loop_post(l, add_one, &sum);
    loop_free(l);
    assert_int_equal(sum, 1);
}

static void *stopper(void *ctx)
{
    usleep(20000);
    loop_stop(ctx);
    return NULL;
}

static void a_running_loop_is_stopped_from_outside(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, stopper, rig.loop), 0);
    loop_run(rig.loop);
    pthread_join(thread, NULL);
}

struct hook {
    struct loop_hook hook;
    unsigned calls;
    bool once;
};

static void on_turn_end(struct loop_hook *h)
{
    struct hook *k = list_entry(h, struct hook, hook);
    k->calls++;
    if (k->once)
        loop_hook_remove(h);
}

static void hooks_run_at_the_end_of_turns_and_may_remove_themselves(void **state)
{
    (void)state;
    struct hook a = {.hook.on_turn_end = on_turn_end, .once = true}, b = {.hook.on_turn_end = on_turn_end};
    loop_hook_add(rig.loop, &a.hook);
    loop_hook_add(rig.loop, &b.hook);
    loop_turn(rig.loop, 0);
    loop_wake_hooks(rig.loop);
    loop_turn(rig.loop, 60000000); /* does not wait: a hook is wanted */
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 2);
    loop_hook_remove(&b.hook);
    loop_turn(rig.loop, 0);
    assert_int_equal(b.calls, 2);
}

static void reads_are_small_while_much_is_held(void **state)
{
    (void)state;
    assert_int_equal(loop_read_max(rig.loop), LOOP_SCRATCH);
    loop_hold(rig.loop, 0, LOOP_HELD_EASY);
    assert_int_equal(loop_read_max(rig.loop), LOOP_SCRATCH);
    loop_hold(rig.loop, 100, 101);
    assert_int_equal(loop_read_max(rig.loop), LOOP_READ_SMALL);
    loop_hold(rig.loop, LOOP_HELD_EASY, 0);
    assert_int_equal(loop_read_max(rig.loop), LOOP_SCRATCH);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, tick_open, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(timers_fire_in_order_of_time),
        CASE(a_timer_can_be_moved_both_ways),
        CASE(a_cleared_timer_does_not_fire),
        CASE(a_timer_may_clear_another_that_is_due),
        CASE(a_timer_that_is_due_again_at_once_does_not_hold_the_turn),
        CASE(a_turn_waits_no_longer_than_the_next_timer),
        CASE(many_timers_agree_with_a_list),
        CASE(readiness_is_told_once_an_edge),
        CASE(what_is_removed_in_a_turn_is_not_called_in_it),
        CASE(a_wish_of_what_is_removed_is_forgotten),
        CASE(wishes_of_one_descriptor_are_joined),
        CASE(a_wish_made_in_a_call_is_for_the_next_turn),
        CASE(many_wishes_are_all_kept),
        CASE(what_is_buried_lives_until_the_turn_ends),
        CASE(posts_of_other_threads_all_run_here),
        CASE(a_post_may_post),
        CASE(posts_that_wait_run_when_the_loop_is_freed),
        CASE(a_running_loop_is_stopped_from_outside),
        CASE(hooks_run_at_the_end_of_turns_and_may_remove_themselves),
        CASE(reads_are_small_while_much_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
