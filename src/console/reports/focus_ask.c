/* SPDX-License-Identifier: Apache-2.0 */
/* Names are views into lists that the job holds. */
#include "console/reports/focus_ask.h"

#include "base/clock.h"
#include "console/catalog.h"
#include "console/console_inner.h"
#include "console/native/filter.h"
#include "report/match/match_links.h"

static bool key_text(void *context, int64_t id, struct str *ret_id, struct str *ret_name)
{
    const struct names *names = context;
    *ret_id = names_key_id(names, id);
    *ret_name = names_key(names, id);
    return ret_id->n > 0;
}

static bool workspace_text(void *context, int64_t id, struct str *ret_id, struct str *ret_name)
{
    const struct names *names = context;
    *ret_id = *ret_name = names_workspace(names, id);
    return ret_id->n > 0;
}

enum err focus_ask_fill(struct job *j, struct focus_query *q, char why[FOCUS_ASK_WHY_MAX])
{
    struct control_why reason;
    struct match_link *links;
    q->dir = j->console->settings.dir;
    q->now_us = clock_wall_us();
    q->context = names_load(j);
    q->key = key_text;
    q->workspace = workspace_text;
    q->prices = catalog_get(j->console, why, FOCUS_ASK_WHY_MAX);
    enum err e = match_links_load(j->console->settings.control, j->arena, &links, &q->link_count, &reason);
    if (e != ERR_OK)
        str_copy(why, FOCUS_ASK_WHY_MAX, str_c(reason.text));
    else
        q->links = links;
    return e;
}

enum focus_ledger focus_ask_ledger(const struct vql *const *filters, size_t count)
{
    unsigned ledgers = 0;
    for (size_t i = 0; i < count; i++)
        ledgers |= vql_ledgers(filters[i]);
    return ledgers & 1u << VQL_METERED ? FOCUS_METERED : FOCUS_BILLED;
}

bool focus_ask_keep(void *context, struct str bytes)
{
    struct buf *out = context;
    return buf_add_str(out, bytes);
}
