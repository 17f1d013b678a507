/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_VANTAGE_ACCESS_PERSONS_H
#define CONSOLE_VANTAGE_ACCESS_PERSONS_H

/*
 * persons: people as Vantage names them, and what of the report resources a caller sees.
 *
 * Roles: owner, integration_owner (our admin), editor (our member), viewer. Users are "usr_" and the member's id,
 * teams "team_" and theirs. What a person set for themselves is a report resource with the person's token.
 */

#include <stdbool.h>

#include "console/vantage/ask.h"
#include "control/kind.h"

#define PERSONS_USER "usr_"
#define PERSONS_TEAM "team_"

struct str persons_role_word(enum kind_role role);
/* `otherwise` when it is "". False when the job was answered: no such role, or more rights than the caller's. */
bool persons_role(struct job *j, struct str word, enum kind_role otherwise, enum kind_role *ret);
/* Whether the caller is an owner or admin of the organization; without an answer. */
bool persons_is_organizer(const struct job *j);
/* False, and the job is answered, when they are not. */
bool persons_organize(struct job *j);

/*
 * Lets the store of report resources show what the caller may see, by the grants for their teams; the organization's
 * owners see everything. Before each handler. False when the job was answered.
 */
bool persons_view(struct job *j);
/* After it: the store is other handlers' too. */
void persons_view_end(struct job *j);
bool persons_sees_everything(const struct job *j);

/* Whether there is such a dashboard, or `token` is "". False when the job was answered. */
bool persons_check_dashboard(struct job *j, const struct sight *s, struct str token);
/* A token as JSON: itself while the caller sees that dashboard, else null. */
void persons_write_dashboard(struct job *j, const struct sight *s, struct str token);
/* The person's default dashboard; "" = none. */
struct str persons_dashboard(struct job *j, int64_t member_id);
/* The same, or that of the first of their teams that has one. */
struct str persons_dashboard_or_teams(struct job *j, int64_t member_id);
/* From the member default_dashboard_token of a body. False when the job was answered. */
bool persons_set_dashboard(struct job *j, const struct sight *s, int64_t member_id, struct jval body);

#endif
