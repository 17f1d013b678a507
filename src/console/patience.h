/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_PATIENCE_H
#define CONSOLE_PATIENCE_H

/*
 * patience: calls that wait on the console's thread for somebody outside, up to some seconds. Everybody else waits with
 * them, so a workspace may have PATIENCE_MAX of them in a minute that take long, whoever it is that does not answer.
 */

#include <stdbool.h>
#include <stdint.h>

struct job;

#define PATIENCE_MAX 3
#define PATIENCE_LONG_US UINT64_C(1000000)

/* Before such a call. False when the job was answered. */
bool patience_left(struct job *j);
/* After it; `began_us` is monotonic. */
void patience_used(struct job *j, uint64_t began_us);

#endif
