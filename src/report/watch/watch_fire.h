/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_WATCH_WATCH_FIRE_H
#define REPORT_WATCH_WATCH_FIRE_H

/*
 * watch_fire: says something once.
 *
 * The key is what makes two findings the same: alert, period, threshold, group. The first one writes a row with the whole message
 * and, in the same transaction, whatever belongs to it; annotation and messages follow from the row,
 * now or after a restart. Rows are remembered for WATCH_REMEMBERED_DAYS.
 */

#include "report/watch/watch_eval.h"

#define WATCH_REMEMBERED_DAYS 800
#define WATCH_KEY_MAX 700
#define WATCH_TO_MAX 200
#define WATCH_TEXT_MAX 60000

struct watch_to {
    enum notify_channel channel;
    struct str to;
};

/* Who is to be told. Zero-initialised: nobody. Texts live in the turn's arena. */
struct watch_people {
    struct watch_to list[WATCH_TO_MAX];
    size_t count;
    bool admins; /* those who look after the workspace */
};
/* Adds what a resource's body names: addresses, people of the workspace, channels. Nobody twice. */
void watch_people_add(struct watch_turn *t, int64_t workspace, struct jval body, struct watch_people *p);

/* What happened, for GET /v2/cost_alerts/{}/events. */
struct watch_event {
    struct str alert, report; /* tokens */
    int64_t triggered_us;
    struct str description, change; /* decimal text */
    struct str groupings;           /* JSON array of texts */
};

struct watch_alert {
    const char *kind; /* "budget_alert", …: [a-z_] */
    struct str key;   /* at most WATCH_KEY_MAX bytes, behind `kind` */
    int64_t workspace;
    const struct watch_people *people; /* NULL: nobody; it is remembered, and its annotation made, all the same */
    struct str subject, text, link;
    struct str json;           /* "" = {} */
    const struct str *reports; /* an annotation goes on these; none: no annotation */
    size_t report_count;
    int64_t day; /* of the annotation */
    /* Called in the same transaction when this was the first time, to write what belongs to it; NULL: nothing. */
    enum err (*with)(struct watch_turn *t, void *ctx);
    void *with_ctx;
};
/* *ret_first says whether it was the first time; may be NULL. */
enum err watch_fire(struct watch_turn *t, const struct watch_alert *alert, bool *ret_first) ERR_USE;
/* Whether this was said before. */
enum err watch_has_fired(struct watch_turn *t, const char *kind, struct str key, bool *ret) ERR_USE;
/* For watch_alert.with. */
enum err watch_event_add(struct watch_turn *t, int64_t workspace, const struct watch_event *v) ERR_USE;
/* Remembers without telling anybody. */
enum err watch_keep_quiet(struct watch_turn *t, const char *kind, struct str key, int64_t workspace) ERR_USE;

/* 32 hexadecimal digits of a hash, for keys of texts of any length. */
#define WATCH_DIGEST_MAX 33
struct str watch_digest(struct str text, char out[WATCH_DIGEST_MAX]);

/* A text by name that outlives the process: where an evaluator was. "" when there is none. */
enum err watch_mark(struct watch_turn *t, const char *name, struct str *ret) ERR_USE;
enum err watch_set_mark(struct watch_turn *t, const char *name, struct str value) ERR_USE;

/* Makes annotations and hands messages to the outbox, for all rows where that is still to be done. */
enum err watch_deliver(struct watch_turn *t) ERR_USE;
/* Removes what is too old, and what belongs to reports that are gone. */
enum err watch_tidy(struct watch_turn *t) ERR_USE;

#endif
