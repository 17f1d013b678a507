/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_OUTLET_OUTLET_H
#define CONTROL_OUTLET_OUTLET_H

/*
 * outlet: a channel, where messages for people go: a name that alerts and reports use ("finops"), and what stands
 * behind it: the address of an incoming webhook of Slack or Teams, or of any other receiver.
 *
 * Such an address is a credential: whoever has it can write there. An admin stores it, sealed, and it is
 * not shown again; only its host and last characters are. What goes to a plain webhook is signed with a
 * key that is made here and shown once, "whsec_…", so that the receiver knows whom it is from.
 *
 * Whether the host may be connected to is asked when a message is sent (net/address.h), not here.
 *
 * Errors and threads as in control.h; changes are in the audit log.
 */

#include "base/secret.h"
#include "control/control.h"

#define OUTLET_LIST_MAX 1000 /* of one workspace */
#define OUTLET_HINT_MAX 300

enum outlet_kind { OUTLET_SLACK, OUTLET_TEAMS, OUTLET_WEBHOOK, OUTLET_KIND_COUNT };
/* "slack", "teams", "webhook" */
const char *outlet_kind_text(enum outlet_kind kind);
bool outlet_kind_from(struct str text, enum outlet_kind *ret);

struct outlet {
    int64_t id;
    struct str name;
    enum outlet_kind kind;
    struct str hint; /* "hooks.slack.com …wxyz" */
    int64_t created_us, updated_us;
};

/*
 * A name as in Slack, with or without its '#': letters, digits, '-', '_', '.', at most 80. In lower case and
 * without the '#' it goes to `a`; false when it is none.
 */
bool outlet_name(struct str text, struct arena *a, struct str *ret);
/* "https://…" or "http://…", at most URL_MAX; NULL when it can be used, else a sentence that does not quote it. */
const char *outlet_url_fault(struct str url);

/*
 * Makes the channel, or gives it this kind and URL instead of those it had. `ret_key` is set when a key for
 * signing was made: for a new webhook; one that is changed keeps its key. ERR_LIMIT_REACHED.
 */
enum err outlet_put(struct control *c, int64_t workspace_id, struct str name, enum outlet_kind kind, struct str url,
                    struct arena *a, struct outlet *ret, struct secret *ret_key, struct control_why *why) ERR_USE;
/* By name. */
enum err outlet_list(struct control *c, int64_t workspace_id, struct arena *a, struct outlet **ret_rows,
                     size_t *ret_count, struct control_why *why) ERR_USE;
enum err outlet_delete(struct control *c, int64_t workspace_id, struct str name, struct control_why *why) ERR_USE;
/* The address itself, and the key ("" where there is none): for sending. ERR_NOT_FOUND. */
enum err outlet_open(struct control *c, int64_t workspace_id, struct str name, enum outlet_kind *ret_kind,
                     struct secret *ret_url, struct secret *ret_key, struct control_why *why) ERR_USE;

#endif
