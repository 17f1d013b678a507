/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_OUTLET_SEAL_H
#define CONTROL_OUTLET_SEAL_H

/*
 * seal: secrets of the organization in files that are not control.db, under the same envelope (crypt.h):
 * sealed with the organization's data key, for one place, so that they open nowhere else.
 *
 * Any thread; waits for control's lock, so not on a worker's loop.
 */

#include "base/buf.h"
#include "base/secret.h"
#include "control/control.h"
#include "control/crypt.h"

/* Appends to `out`, which must have room for plain.n + CRYPT_OVERHEAD; plain.n ≤ CRYPT_PLAIN_MAX. */
void seal_put(struct control *c, struct crypt_place place, struct str plain, struct buf *out);
/* ERR_CORRUPT when it was altered or belongs somewhere else. */
enum err seal_open(struct control *c, struct crypt_place place, struct str sealed, struct secret *ret_plain) ERR_USE;

#endif
