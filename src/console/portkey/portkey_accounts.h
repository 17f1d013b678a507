/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_PORTKEY_PORTKEY_ACCOUNTS_H
#define CONSOLE_PORTKEY_PORTKEY_ACCOUNTS_H

/*
 * portkey_accounts: what Portkey calls virtual keys, providers and integrations. Here they are one thing,
 * an integration, and its further uses (control_integration.h):
 *
 *     integration    an account with a key
 *     provider       whatever can be called as "@slug": an integration, or a use of one
 *     virtual key    the older name: made like an integration, listed like a provider
 *
 * The key goes in and never comes out.
 */

#include "console/portkey/account_read.h"

/*
 * Makes it: an integration, or, when `account` is not "", a provider of that. Without a slug it gets
 * one made from its name. False when the job was answered.
 */
bool portkey_accounts_create(struct job *j, int64_t workspace_id, struct str account, struct account_read *a,
                             struct control_integration *ret_row);
/* PUT: 200 {} or a refusal. */
void portkey_accounts_update(struct job *j);
/* DELETE: the same. */
void portkey_accounts_delete(struct job *j);

/* Integrations of the workspace asked for. NULL when the job was answered. */
struct control_integration *portkey_accounts_list(struct job *j, size_t *ret_count);
/* The one in the path. False when the job was answered. */
bool portkey_accounts_find(struct job *j, struct control_integration *ret_row);

enum portkey_account_form { PORTKEY_VIRTUAL_KEY, PORTKEY_PROVIDER, PORTKEY_INTEGRATION };
/* Whether it is in a list of that form. */
bool portkey_accounts_is(const struct control_integration *i, enum portkey_account_form form);
/* The object; `listed`: as it stands in a list. */
void portkey_accounts_write(struct job *j, const struct control_integration *i, enum portkey_account_form form,
                            bool listed);
/* GET of a list and of one. */
void portkey_accounts_reply_list(struct job *j, enum portkey_account_form form);
void portkey_accounts_reply_one(struct job *j, enum portkey_account_form form);

#endif
