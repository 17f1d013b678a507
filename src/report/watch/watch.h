/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_WATCH_WATCH_H
#define REPORT_WATCH_WATCH_H

/*
 * watch: looks at the costs after every import that went well and once an hour, and tells people what they
 * wanted to be told.
 *
 * One thread, woken by watch_wake. A turn calls every evaluator of WATCH_TABLE in its order; an evaluator
 * looks at stored alerts and at costs and says what it found with watch_fire (watch_fire.h). What has been
 * said once is not said again: watch_fire has a key, and a row in DIR/reports.db remembers it. The row is
 * written before anything is sent, with the whole message in it, and every turn begins by sending what
 * is still to be sent; the outbox (notify.h) knows a message that it gets twice. So a kill between any two steps
 * neither loses a message nor doubles it.
 *
 * A turn is bounded: an evaluator gets WATCH_DOCS_MAX resources of its kind, or five seconds, then goes on where it was
 * in the next one, which follows at once. Amounts are whole numbers throughout; time is the wall clock of
 * base/clock.h, so tests set it.
 *
 * To add an evaluator: a function in a file of its own here (watch_eval.h has the type), and a row.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "report/notify/notify.h"

struct control;
struct watch;

#define WATCH_WHY_MAX 320
#define WATCH_PERIOD_S 3600
#define WATCH_DOCS_MAX 1000

/* When bill and metering differ by more than this on each of so many settled days, people are told. */
struct watch_gap {
    uint32_t ppm;       /* of the larger of both, in parts per million */
    unsigned days;      /* 0: nobody is told; at most 31 */
    int64_t least_pusd; /* smaller gaps are none */
};

struct watch_options {
    const char *dir;         /* the data directory */
    struct control *control; /* for addresses of people; NULL: there are none */
    struct notify *notify;   /* NULL: nothing is sent, everything is remembered */
    /* Instead of notify_send, for tests. */
    enum err (*send)(void *ctx, const struct notify_message *m);
    void *send_ctx;
    unsigned period_s; /* 0 = WATCH_PERIOD_S */
    struct watch_gap gap;
    bool by_hand; /* no thread: watch_turn is called instead; for tests */
};

enum err watch_open(const struct watch_options *options, struct watch **ret, char why[WATCH_WHY_MAX]) ERR_USE;
/* Waits for the evaluator under way. NULL does nothing. */
void watch_close(struct watch *w);

/* A turn, soon. `imported`: a bill has just been refreshed. Any thread; NULL does nothing. */
void watch_wake(struct watch *w, bool imported);
/* A whole round, now, on this thread; only when opened by hand. */
enum err watch_round(struct watch *w, bool imported) ERR_USE;

/* For metrics. Counters since the start of this process. */
struct watch_counts {
    uint64_t turns, failed; /* failed: evaluators that could not finish */
    uint64_t fired;         /* messages */
    bool busy;              /* a turn is under way, or wanted */
    int64_t done_us;        /* when the last round ended; 0 = none has */
};
void watch_count(struct watch *w, struct watch_counts *ret);

#endif
