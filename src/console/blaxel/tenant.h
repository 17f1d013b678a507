/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_BLAXEL_TENANT_H
#define CONSOLE_BLAXEL_TENANT_H

/*
 * tenant: what every call of Blaxel's control plane begins with: the version of the API it speaks, and
 * the workspace it is about (x-blaxel-workspace, else ?workspace=, else the only one that the key reaches).
 */

#include "console/job.h"

/*
 * Sets j->workspace_id and j->role. False when the job was answered: an unknown version, an unknown
 * workspace, one that the key has no part in, none named of several.
 */
bool tenant_begin(struct job *j);
/* Whether the key reaches that workspace. */
bool tenant_reaches(const struct job *j, int64_t workspace_id);
/*
 * The workspace of that name; j->role becomes the key's role there. False when the job was answered: 404
 * unknown, 403 out of reach.
 */
bool tenant_named(struct job *j, struct str name, int64_t *ret_id);
/* Lists of models and policies come in pages. */
bool tenant_has_pages(const struct job *j);
/* The workspace's name. */
struct str tenant_name(const struct job *j);
/* The key's role is enough for what admins do. */
bool tenant_is_admin(const struct job *j);
/* "https://host", where clients reach this server; appended. */
bool tenant_origin(const struct job *j, struct buf *out) __attribute__((warn_unused_result));

#endif
