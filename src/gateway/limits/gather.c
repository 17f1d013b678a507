/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rules a request meets. What hangs on the key, the member, … is found by one look-up each, and
 * not even that when no rule hangs on anything of its kind; policies of the workspace and of the
 * organization are asked one by one.
 */
#include "control/limit/ruleset.h"
#include "gateway/limits/limits_inner.h"

/*
 * What uses nothing is asked for rates of requests only. They count requests, and those that hang on a
 * target count its attempts.
 */
static bool concerns(const struct ruleset_rule *r, const struct limits_subject *s)
{
    return r->limit.measure == LIMIT_REQUESTS ? r->late || !s->again : !s->free;
}

static void add(const struct limits_subject *s, const struct ruleset_rule *rule, struct str group,
                struct limits_asks *ret)
{
    if (!concerns(rule, s))
        return;
    if (ret->count == LIMITS_ASKS_MAX)
        return; /* more than control lets in: the first ones hold */
    ret->list[ret->count++] = (struct limits_ask){.rule = rule, .group = group};
}

static void add_attached(const struct limits_subject *s, const struct ruleset *rules, enum limit_attach attach,
                         int64_t id, int64_t workspace_id, struct limits_asks *ret)
{
    if (id <= 0 || !ruleset_count(rules, attach))
        return;
    struct ruleset_list found = ruleset_find(rules, attach, id, workspace_id);
    for (uint32_t i = 0; i < found.count; i++)
        add(s, found.rules[i], STR(""), ret);
}

static struct policy_facts facts_of(const struct limits_subject *s)
{
    return (struct policy_facts){
        .api_key = s->key->public_id,
        .api_key_name = s->key->name,
        .workspace = s->key->workspace ? s->key->workspace->name : STR(""),
        .integration = s->integration ? s->integration->slug : STR(""),
        .provider = s->provider,
        .config = s->config,
        .prompt = s->prompt,
        .model = s->model,
        .metadata = s->metadata,
    };
}

static void add_policies(const struct limits_subject *s, const struct ruleset *rules, int64_t workspace_id, bool late,
                         const struct policy_facts *facts, struct limits_asks *ret)
{
    struct ruleset_list found = ruleset_find(rules, LIMIT_POLICY, 0, workspace_id);
    for (uint32_t i = 0; i < found.count; i++) {
        const struct ruleset_rule *r = found.rules[i];
        size_t n;
        if (r->late != late || sizeof ret->text - ret->text_n < POLICY_GROUP_TEXT_MAX)
            continue;
        if (!policy_matches(&r->policy, facts) || !policy_group_text(&r->policy, facts, ret->text + ret->text_n, &n))
            continue;
        add(s, r, str_of(ret->text + ret->text_n, n), ret);
        ret->text_n += n;
    }
}

void limits_gather(const struct limits_subject *s, enum limits_stage stage, struct limits_asks *ret)
{
    const struct ruleset *rules = snapshot_limits(s->snapshot);
    int64_t workspace = s->key->workspace_id;
    ret->count = 0;
    ret->text_n = 0;
    if (stage == LIMITS_BEFORE) {
        add_attached(s, rules, LIMIT_KEY, s->key->id, 0, ret);
        add_attached(s, rules, LIMIT_MEMBER, s->key->member_id, 0, ret);
        add_attached(s, rules, LIMIT_WORKSPACE, workspace, 0, ret);
        add_attached(s, rules, LIMIT_MODEL, s->model_api_id, 0, ret);
    } else if (s->integration) {
        add_attached(s, rules, LIMIT_INTEGRATION, s->integration->id, 0, ret);
        if (s->integration->account_id != s->integration->id) /* a provider: its account's hold too */
            add_attached(s, rules, LIMIT_INTEGRATION, s->integration->account_id, 0, ret);
        add_attached(s, rules, LIMIT_ACCESS, s->integration->account_id, workspace, ret);
    }
    if (!ruleset_count(rules, LIMIT_POLICY))
        return;
    struct policy_facts facts = facts_of(s);
    add_policies(s, rules, workspace, stage == LIMITS_TARGET, &facts, ret);
    add_policies(s, rules, 0, stage == LIMITS_TARGET, &facts, ret);
}
