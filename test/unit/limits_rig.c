/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots built by hand: no database is needed. */
#include "limits_rig.h"

#include <stdio.h>

#include "base/must.h"
#include "control/snapshot_build.h"

static const unsigned char pepper[APIKEY_PEPPER_BYTES] = {2, 7, 1, 8};

static void add_key(struct snapshot_build *b, int64_t id, int64_t workspace, int64_t member)
{
    char text[64], public_id[32], name[32];
    snprintf(text, sizeof text, "the-text-of-key-%lld", (long long)id);
    snprintf(public_id, sizeof public_id, "AbCd%04lld", (long long)id);
    snprintf(name, sizeof name, "key %lld", (long long)id);
    struct snapshot_key k = {.id = id,
                             .workspace_id = workspace,
                             .member_id = member,
                             .public_id = str_c(public_id),
                             .name = str_c(name),
                             .role = KIND_ROLE_MEMBER,
                             .metadata = STR("")};
    must(apikey_hash(pepper, str_c(text), k.hash));
    snapshot_build_key(b, &k);
}

static void add_integration(struct snapshot_build *b, int64_t id, int64_t workspace, const char *slug)
{
    char why[200];
    struct snapshot_build_integration in = {.id = id, .workspace_id = workspace, .slug = str_c(slug)};
    must(base_url_parse(STR("https://api.openai.com/v1"), &in.url, why, sizeof why) == ERR_OK);
    snapshot_build_integration(b, &in);
}

static struct snapshot_build *begin(void)
{
    struct snapshot_build *b = snapshot_build_begin(1, pepper);
    snapshot_build_workspace(b, 1, STR("default"), STR(""));
    snapshot_build_workspace(b, 7, STR("team-a"), STR(""));
    snapshot_build_member(b, 5, STR("ann"), KIND_ROLE_OWNER);
    snapshot_build_member(b, 6, STR("bob"), KIND_ROLE_OWNER);
    add_key(b, 11, 1, 5);
    add_key(b, 12, 1, 6);
    add_key(b, 13, 7, 0);
    add_integration(b, 21, 1, "openai");
    add_integration(b, 22, 1, "second");
    add_integration(b, 23, 7, "openai");
    return b;
}

static void add_rules(struct snapshot_build *b, const struct limit *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct limit l = rules[i];
        bool sound;
        if (!l.id)
            l.id = (int64_t)i + 1;
        snapshot_build_limit(b, &l, &sound);
        must(sound);
    }
}

struct snapshot *limits_rig_snapshot(const struct limit *rules, size_t count)
{
    struct snapshot_build *b = begin();
    add_rules(b, rules, count);
    return snapshot_build_end(b);
}

struct snapshot *limits_rig_with_reset(const struct limit *rules, size_t count, struct str group, int64_t from_us)
{
    struct snapshot_build *b = begin();
    add_rules(b, rules, count);
    snapshot_build_limit_reset(b, group, from_us);
    return snapshot_build_end(b);
}

struct limits_subject limits_rig_subject(struct snapshot *s, int64_t key_id, int64_t integration_id)
{
    const struct snapshot_key *k = snapshot_key_of(s, key_id);
    must(k != NULL);
    return (struct limits_subject){
        .snapshot = s,
        .key = k,
        .config = STR(""),
        .prompt = STR(""),
        .metadata = STR(""),
        .integration = integration_id ? snapshot_integration_of(s, integration_id) : NULL,
        .provider = integration_id ? STR("openai") : STR(""),
        .model = STR("gpt-4o-mini"),
    };
}

struct limit limits_rig_budget(enum limit_attach attach, int64_t id, int64_t usd_thousandths, enum limit_mode mode)
{
    return (struct limit){.attach = attach,
                          .attach_id = id,
                          .workspace_id = 1,
                          .kind = LIMIT_BUDGET,
                          .measure = LIMIT_COST,
                          .mode = mode,
                          .window = {WINDOW_MONTH, 1, 0},
                          .max = usd_thousandths * (USD / 1000)};
}

struct limit limits_rig_rate(enum limit_attach attach, int64_t id, enum limit_measure measure, int64_t value,
                             enum window_unit unit)
{
    return (struct limit){.attach = attach,
                          .attach_id = id,
                          .workspace_id = 1,
                          .kind = LIMIT_RATE,
                          .measure = measure,
                          .window = {unit, 1, 0},
                          .max = value};
}

struct limit limits_rig_cap(enum limit_attach attach, int64_t id, int64_t input, int64_t output, int64_t total,
                            enum window_unit unit)
{
    return (struct limit){.attach = attach,
                          .attach_id = id,
                          .workspace_id = 1,
                          .kind = LIMIT_CAP,
                          .measure = LIMIT_TOKENS,
                          .window = {unit, 1, 0},
                          .max = total,
                          .input_max = input,
                          .output_max = output};
}
