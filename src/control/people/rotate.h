/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_PEOPLE_ROTATE_H
#define CONTROL_PEOPLE_ROTATE_H

/*
 * rotate: another master key, while everything is in use. Only the data keys are wrapped anew; what they
 * seal stays as it is, and the data path, which holds everything open in its snapshot, notices nothing.
 *
 * When the key is in DIR/master.key, the steps are
 *
 *     1. DIR/master.key.next holds the new key
 *     2. one transaction: every data key wrapped with the new key, one row in the audit log
 *     3. DIR/master.key holds the new key; 4. DIR/master.key.next is gone
 *
 * and whatever a crash leaves of them, one of the two files opens everything: before step 2 is committed
 * the old one, afterwards the new one. The next start looks which, and finishes or forgets.
 *
 * When it comes from TOLLGATE_MASTER_KEY or _FILE, the operator brings the new one, and step 2 is all: from
 * then on the next start needs the new key, and says so when it gets the old one.
 */

#include "control/control.h"
#include "control/master_key.h"

/*
 * `new_key` as text, or "" to have one made (own file only; ERR_MISSING_PARAMETER otherwise). What is in
 * force afterwards is control_master_key_id. When ERR_FILE_FAILED is returned although that has changed,
 * the next start finishes the rotation.
 */
enum err rotate_master_key(struct control *c, struct str new_key, struct control_why *why) ERR_USE;

/*
 * At the start, before the master key is read from DIR/master.key: brings the files to where `needed_id`,
 * the key that the database needs, is in DIR/master.key. "" = it needs none yet.
 */
enum err rotate_settle(const char *dir, const char *needed_id, struct control_why *why) ERR_USE;

#endif
