/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_PASSWORD_H
#define CONTROL_PEOPLE_PASSWORD_H

/*
 * password: what is stored of one, and how a given one is compared with it.
 *
 *     0x01  log2 N (1)  r (1)  p (1)  salt (16)  scrypt (32)
 *
 * scrypt with N = 2^15, r = 8, p = 3: 32 MiB and a good tenth of a second. The cost stands in the stored
 * form, so it can be raised without making old ones useless. Comparing takes the same time whether the
 * password is right, wrong, or there is none to compare with. It blocks: not on a worker's loop.
 */

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define PASSWORD_STORED_BYTES (1 + 3 + 16 + 32)
#define PASSWORD_MIN 12
#define PASSWORD_MAX 256

/* NULL when the text may be a password; otherwise a sentence. `email` and `name` are not to be it. */
const char *password_fault(struct str text, struct str email, struct str name);
void password_make(struct str text, unsigned char out[PASSWORD_STORED_BYTES]);
/* `stored` may be empty: then false, after the same time. */
bool password_check(struct str stored, struct str text);

#endif
