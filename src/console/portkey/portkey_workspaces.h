/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_PORTKEY_PORTKEY_WORKSPACES_H
#define CONSOLE_PORTKEY_PORTKEY_WORKSPACES_H

/*
 * portkey_workspaces: how people and their roles look in Portkey's API, for all resources that speak of
 * them. A user's id is the member's number; where one is asked for, the address does as well.
 */

#include "base/json_write.h"
#include "console/portkey/given.h"
#include "control/kind.h"

struct member;

/* admin, manager (an admin here), member or viewer. False when the job was answered. */
bool portkey_workspaces_role(struct job *j, struct str text, enum kind_role *ret);
/* By number for owners, by address for all. False when the job was answered. */
bool portkey_workspaces_person(struct job *j, struct str id, struct member *ret);
/* id, first_name, last_name, email. */
void portkey_workspaces_write_person(struct json_write *w, const struct member *m);

#endif
