/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_VANTAGE_ACCESS_CALLS_H
#define CONSOLE_VANTAGE_ACCESS_CALLS_H

/*
 * calls: how often Vantage's API may be called: so many calls an hour by everybody together, and so many in five
 * seconds of cost reports and their costs. Windows slide: a call counts until it is an hour, or five seconds, old.
 * What is refused does not count. Off where the limit is 0.
 *
 * On the console's thread only.
 */

#include <stdbool.h>
#include <stdint.h>

struct calls;
struct job;

#define CALLS_HOUR_MAX 1000000
#define CALLS_REPORTS_MAX 1000

/* Limits: by the hour, and of reports in five seconds. NULL when both are 0. */
struct calls *calls_new(uint64_t by_hour, uint64_t reports);
void calls_free(struct calls *c); /* NULL does nothing */
/* Counts the call. False when the job was answered with 429 and Retry-After. `c` may be NULL. */
bool calls_admit(struct calls *c, struct job *j);

#endif
