/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_NOTIFY_OUTBOX_H
#define REPORT_NOTIFY_OUTBOX_H

/*
 * outbox: messages that wait to be sent, and what became of those before them: DIR/notify.db.
 *
 * A letter is put in with a commit that is on the disk, and is there until it is settled: sent or given
 * up. Its key is unique, so the same letter put in twice is one. What it says and where it goes is sealed
 * (control/outlet/seal.h) and wiped when it is settled; the row stays for OUTBOX_DAYS, so that nobody
 * gets the message again and an admin sees what was sent.
 *
 * Bounded: of NOTIFY_ROWS_MAX rows the oldest settled ones make room; when all of them wait, nothing is
 * taken any more. A lane is what fails together: a mail server, a host; who sends leaves out lanes
 * that are busy or known to be down.
 *
 * Times are wall clock, given by the caller. Any thread; waits for the disk.
 */

#include "base/secret.h"
#include "report/notify/notify.h"

struct outbox;

#define OUTBOX_DAYS 100
#define OUTBOX_LANE_MAX 300
#define OUTBOX_REASON_MAX 320
#define OUTBOX_BUSY_MAX 16

enum outbox_state { OUTBOX_WAITING, OUTBOX_SENT, OUTBOX_GIVEN_UP };
/* "waiting", "sent", "given_up" */
const char *outbox_state_text(enum outbox_state state);

/* ERR_FILE_FAILED, ERR_CORRUPT, …: a sentence in `why`. */
enum err outbox_open(const char *dir, struct control *control, int64_t now_us, struct outbox **ret,
                     char why[NOTIFY_WHY_MAX]) ERR_USE;
void outbox_close(struct outbox *o); /* NULL does nothing */

struct outbox_letter {
    const struct notify_message *message; /* all fields are kept */
    struct str lane;                      /* at most OUTBOX_LANE_MAX - 1 bytes */
    struct str shown;                     /* whom it is for, as it may be shown */
    bool once;                            /* it is tried one time only */
};
/* *ret_new is false when it was there before; then *ret_id is that row's. ERR_OVERLOADED, ERR_STORE_FAILED. */
enum err outbox_put(struct outbox *o, const struct outbox_letter *letter, int64_t now_us, int64_t *ret_id,
                    bool *ret_new) ERR_USE;

/* One that is due. Views are good until outbox_item_done. */
struct outbox_item {
    int64_t id, created_us;
    unsigned tries; /* so far */
    bool once;
    char lane[OUTBOX_LANE_MAX];
    char key[NOTIFY_ID_MAX + 1], kind[64];
    struct notify_message message;
    struct secret plain;
};
struct outbox_skip {
    const int64_t *ids; /* under way already; at most OUTBOX_BUSY_MAX */
    size_t id_count;
    struct str lanes; /* JSON array of texts */
};
/*
 * The one that has been due the longest; those that are tried once come first. *ret_found false: there is none. One that does not open any more is
 * given up here.
 */
enum err outbox_next(struct outbox *o, int64_t now_us, const struct outbox_skip *skip, struct outbox_item *ret,
                     bool *ret_found) ERR_USE;
void outbox_item_done(struct outbox_item *item);
/* When the next one outside of these is due; INT64_MAX: none waits. */
enum err outbox_due(struct outbox *o, const struct outbox_skip *skip, int64_t *ret_due_us) ERR_USE;

/* What became of a try. */
enum err outbox_sent(struct outbox *o, const struct outbox_item *item, int64_t now_us) ERR_USE;
enum err outbox_later(struct outbox *o, const struct outbox_item *item, int64_t due_us, const char *reason) ERR_USE;
enum err outbox_give_up(struct outbox *o, const struct outbox_item *item, int64_t now_us, const char *reason) ERR_USE;

/* The pause after the `tries`-th try: first, twice, …, at most OUTBOX_PAUSE_MAX_US; a third is `chance` (any number). */
#define OUTBOX_PAUSE_MAX_US (UINT64_C(3600) * 1000000)
uint64_t outbox_pause(uint64_t first_us, unsigned tries, uint64_t chance);

/* --- looking --------------------------------------------------------------------------------- */

struct outbox_row {
    int64_t id, workspace_id, created_us, due_us, settled_us; /* settled 0: it waits */
    struct str key, channel, kind, shown, reason;
    enum outbox_state state;
    unsigned tries;
};
/* Newest first, of one workspace; `before_id` 0: from the newest. */
enum err outbox_list(struct outbox *o, int64_t workspace_id, int64_t before_id, size_t limit, struct arena *a,
                     struct outbox_row **ret_rows, size_t *ret_count) ERR_USE;
/* By channel; waits for nothing. */
void outbox_waiting(struct outbox *o, uint64_t ret[NOTIFY_CHANNEL_COUNT]);
/* Why the last call of this thread failed. */
const char *outbox_failure(struct outbox *o);

#endif
