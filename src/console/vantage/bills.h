/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_VANTAGE_BILLS_H
#define CONSOLE_VANTAGE_BILLS_H

/* bills: providers whose costs come as files ("custom providers"), and what is set on any account of a bill. */

#include <stdbool.h>

#include "base/json/jdoc.h"
#include "console/job.h"

/* Name and description of such a provider. False when the job was answered. */
bool bills_update(struct job *j, int64_t account, struct jval given);
/* "billing_mode" of any account: postpaid or prepaid; nothing when it was not given. False when the job was answered. */
bool bills_set_mode(struct job *j, int64_t account, struct jval given);
/* The provider goes with all its files. False when the job was answered. */
bool bills_remove(struct job *j, int64_t account);

#endif
