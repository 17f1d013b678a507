/* SPDX-License-Identifier: Apache-2.0 */
/* Keys by their public id and name, workspaces by their name, members by their address, else name. */
#include "report/question/question_known.h"

#include <stdio.h>

#include "base/must.h"
#include "control/control_key.h"
#include "control/people/member.h"
#include "report/match/match_links.h"

#define KEYS_MAX 100000
#define LISTS_MAX 256

struct known {
    struct control_key *keys[LISTS_MAX]; /* one list a workspace, each by id */
    size_t key_counts[LISTS_MAX], list_count;
    struct control_workspace *workspaces;
    size_t workspace_count;
    struct member *members; /* by id */
    size_t member_count;
};

static const struct control_key *find_key(const struct known *k, int64_t id)
{
    for (size_t l = 0; l < k->list_count; l++) {
        size_t low = 0, high = k->key_counts[l];
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (k->keys[l][middle].id == id)
                return &k->keys[l][middle];
            if (k->keys[l][middle].id < id)
                low = middle + 1;
            else
                high = middle;
        }
    }
    return NULL;
}

static bool key_text(void *context, int64_t id, struct str *ret_id, struct str *ret_name)
{
    const struct control_key *row = find_key(context, id);
    if (!row)
        return false;
    *ret_id = row->public_id;
    *ret_name = row->name;
    return true;
}

static bool workspace_text(void *context, int64_t id, struct str *ret_id, struct str *ret_name)
{
    const struct known *k = context;
    for (size_t i = 0; i < k->workspace_count; i++) {
        if (k->workspaces[i].id != id)
            continue;
        *ret_id = k->workspaces[i].name;
        *ret_name = k->workspaces[i].display_name;
        return true;
    }
    return false;
}

/* Whose the key is; a service key is nobody's. */
static bool member_text(void *context, int64_t id, struct str *ret_id, struct str *ret_name)
{
    const struct known *k = context;
    const struct control_key *row = find_key(k, id);
    for (size_t i = 0; row && row->member_id && i < k->member_count; i++) {
        const struct member *m = &k->members[i];
        if (m->id != row->member_id)
            continue;
        *ret_id = m->email.n ? m->email : m->name;
        *ret_name = m->name;
        return true;
    }
    return false;
}

static bool wants(const struct cost_query *q, unsigned *ret_ledgers)
{
    *ret_ledgers = 0;
    for (size_t i = 0; i < q->filter_count; i++)
        *ret_ledgers |= vql_ledgers(q->filters[i]);
    /* Costs that a tag is shared out by are asked for in the same way, with a filter of their own. */
    for (size_t i = 0; i < q->tag_count; i++)
        for (size_t k = 0; k < q->tags[i].count; k++)
            *ret_ledgers |= q->tags[i].values[k].metric ? vql_ledgers(q->tags[i].values[k].metric) : 0;
    return *ret_ledgers & (1u << VQL_METERED | 1u << VQL_ALLOCATED);
}

static enum err load(struct control *c, int64_t workspace, struct arena *a, const struct cost_query *q, struct known *k,
                     struct control_why *why)
{
    const int64_t *list = q->scope.all ? &workspace : q->scope.workspaces;
    size_t count = q->scope.all ? 1 : q->scope.workspace_count;
    enum err e = control_workspace_list(c, a, &k->workspaces, &k->workspace_count, why);
    if (e == ERR_OK)
        e = member_list(c, a, &k->members, &k->member_count, why);
    for (size_t i = 0; e == ERR_OK && i < count && i < LISTS_MAX; i++) {
        e = control_key_list(c, list[i], 0, KEYS_MAX, a, &k->keys[i], &k->key_counts[i], why);
        k->list_count = e == ERR_OK ? i + 1 : i;
    }
    return e;
}

enum err question_known(struct control *c, int64_t workspace, struct arena *a, struct cost_query *q,
                        struct control_why *why)
{
    unsigned ledgers;
    struct match_link *links = NULL;
    if (!wants(q, &ledgers))
        return ERR_OK;
    struct known *k = arena_alloc(a, sizeof *k);
    if (!k) {
        snprintf(why->text, sizeof why->text, "There are too many keys to name.");
        return ERR_BAD_PARAMETER;
    }
    q->known = (struct cost_known){.key = key_text, .workspace = workspace_text, .member = member_text, .context = k};
    enum err e = load(c, workspace, a, q, k, why);
    if (e == ERR_OK && (ledgers & 1u << VQL_ALLOCATED))
        e = match_links_load(c, a, &links, &q->known.link_count, why);
    q->known.links = links;
    return e;
}
