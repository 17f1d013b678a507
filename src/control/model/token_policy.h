/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_MODEL_TOKEN_POLICY_H
#define CONTROL_MODEL_TOKEN_POLICY_H

/*
 * token_policy: named policies that model APIs carry, as Blaxel has them. Same rules as model.h.
 *
 * One of type maxToken is a cap on each model API that names it (limit/rule.h, source "policy:<name>"),
 * counted for each on its own; a change holds from the next request on. All that a model API names are
 * asked, so the strictest wins. Types location and flavor are kept and shown, and mean nothing on one machine.
 */

#include "control/control.h"

#define TOKEN_POLICY_MAX 1000 /* live ones of a workspace */

struct token_policy {
    struct str name; /* lower-case letters, digits, '-' */
    struct str display_name;
    struct str labels;         /* object of strings; "" = none */
    struct str type;           /* "maxToken", "location", "flavor" */
    struct str resource_types; /* array; "" = all */
    struct str locations, flavors;
    struct str max_tokens; /* object; of maxToken only */
    bool sandbox;

    /* Given back, never read. */
    int64_t id, workspace_id;
    int64_t created_us, updated_us;
    struct str created_by, updated_by;
    uint64_t models; /* how many model APIs name it */
};

enum err token_policy_create(struct control *c, int64_t workspace_id, const struct token_policy *given, struct arena *a,
                             struct token_policy *ret_row, struct control_why *why) ERR_USE;
/* given->name says which; everything else is replaced. */
enum err token_policy_update(struct control *c, int64_t workspace_id, const struct token_policy *given, struct arena *a,
                             struct token_policy *ret_row, struct control_why *why) ERR_USE;
/* ERR_IN_USE while a model API names it. *ret_row is what it was. */
enum err token_policy_delete(struct control *c, int64_t workspace_id, struct str name, struct arena *a,
                             struct token_policy *ret_row, struct control_why *why) ERR_USE;
enum err token_policy_find(struct control *c, int64_t workspace_id, struct str name, struct arena *a,
                           struct token_policy *ret_row, struct control_why *why) ERR_USE;
/* Oldest first. */
enum err token_policy_list(struct control *c, int64_t workspace_id, struct arena *a, struct token_policy **ret_rows,
                           size_t *ret_count, struct control_why *why) ERR_USE;
/* Names of the model APIs that name it. */
enum err token_policy_users(struct control *c, int64_t workspace_id, struct str name, struct arena *a,
                            struct str **ret_names, size_t *ret_count, struct control_why *why) ERR_USE;

#endif
