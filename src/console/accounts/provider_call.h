/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_ACCOUNTS_PROVIDER_CALL_H
#define CONSOLE_ACCOUNTS_PROVIDER_CALL_H

/*
 * provider_call: calls to a stored account's provider, on behalf of its admin.
 */

#include "console/fetch.h"
#include "console/job.h"

/* The account in the path, of the caller's workspace. NULL: the job was answered. */
const struct snapshot_integration *provider_call_account(struct job *j);
/*
 * `method` on `path`, which is put behind the account's address, with `content` as JSON if it is not "". NULL: the
 * handler returns, and runs again when the answer is there (fetch.h).
 */
const struct fetch *provider_call(struct job *j, unsigned step, const struct snapshot_integration *i,
                                  const char *method, struct str path, struct str content);
/* What a status of the provider's, or the lack of one, means for who set up the account: a sentence. */
struct str provider_call_says(const struct fetch *f, const struct snapshot_integration *i);

#endif
