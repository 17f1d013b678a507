/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_WATCH_WATCH_INNER_H
#define REPORT_WATCH_WATCH_INNER_H

/* watch_inner: what the files of watch share and evaluators do not need. */

#include "report/watch/watch_eval.h"

/*
 * Into the outbox. ERR_OK also for what will never be taken (nobody could do better the next time; it is
 * logged); anything else: the same again later.
 */
enum err watch_inner_send(struct watch *w, const struct notify_message *m) ERR_USE;
enum err watch_inner_send_admins(struct watch *w, const struct notify_message *m) ERR_USE;
/* Counts. */
void watch_inner_fired(struct watch *w);
struct control *watch_inner_control(const struct watch *w);
struct watch_gap watch_inner_gap(const struct watch *w);

#endif
