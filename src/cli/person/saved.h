/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PERSON_SAVED_H
#define CLI_PERSON_SAVED_H

/*
 * saved: what `tollgate login` keeps: tokens by server, in TOLLGATE_CREDENTIALS or else
 * $XDG_CONFIG_HOME/tollgate/credentials.json or ~/.config/tollgate/credentials.json, mode 0600. A new file takes
 * the place of the old one whole, so that a command that is killed leaves one of the two.
 */

#include "cli/api.h"

/* "Bearer"-token for the server of --url, traded for a new one when it is about to end; empty when there is none. */
void saved_token(const struct command *c, const struct option_value *values, struct secret *ret);
/* From the answer of a token endpoint. False with a message. */
bool saved_put(const struct command *c, struct str url, const json_t *tokens);
/* True when there was one. */
bool saved_remove(const struct command *c, struct str url);

#endif
