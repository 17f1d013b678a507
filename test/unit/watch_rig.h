/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_WATCH_RIG_H
#define TEST_UNIT_WATCH_RIG_H

/*
 * watch_rig: a watch that is turned by hand, over a bill and resources in a directory of its own, with a clock that
 * stands still until it is set, and an outbox that remembers.
 */

#include "report/bill/bill_write.h"
#include "report/docs/docs.h"
#include "report/watch/watch.h"

#define WATCH_RIG_PLACE 7
#define WATCH_RIG_MESSAGES 200

struct watch_rig_message {
    enum notify_channel channel;
    char kind[40], id[NOTIFY_ID_MAX], to[200], subject[NOTIFY_SUBJECT_MAX + 1], text[4000], json[2000];
};

struct watch_rig {
    char dir[64];
    struct bill *bill;
    struct docs *docs;
    struct watch *watch;
    struct arena *arena;
    struct watch_rig_message sent[WATCH_RIG_MESSAGES]; /* each id once, as the real outbox has it */
    size_t count;
    enum err answer; /* of the outbox */
    int log;         /* < 0 none: ids are written there too, for processes that are killed */
};

void watch_rig_open(struct watch_rig *r);
void watch_rig_close(struct watch_rig *r);
/* The watch and the stores again, as after a restart. */
void watch_rig_reopen(struct watch_rig *r);

/* "2026-03-05T10:00:00Z" */
void watch_rig_now(const char *text);
int64_t watch_rig_day(const char *text);

/* Replaces a day of the bill. `rows`: "line item=amount" with ';' between; a key may follow: "…=1.5@key_a". */
void watch_rig_bill(struct watch_rig *r, int64_t day, const char *rows);
/* A resource; its token lives in the rig's arena. */
struct str watch_rig_make(struct watch_rig *r, enum docs_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A round after an import. Fails the test where the round does. */
void watch_rig_round(struct watch_rig *r);
/* The next message that was not taken yet, of that kind; fails the test when there is none. Messages are taken in order. */
const struct watch_rig_message *watch_rig_take(struct watch_rig *r, const char *kind);
/* Fails when there is one. */
void watch_rig_none(struct watch_rig *r);
/* The first column of the first row. */
int64_t watch_rig_number(struct watch_rig *r, const char *sql);

#endif
