/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies: limits that hang on a workspace and say by conditions whom they concern, and by groups what is
 * counted apart. An id is the kind and the rule's number, "ul-12"; an entity's is the number of its group.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "console/console_inner.h"
#include "console/native/output.h"
#include "console/portkey/given.h"
#include "console/portkey/portkey.h"
#include "console/portkey/portkey_limits.h"
#include "control/limit/ruleset.h"
#include "gateway/limits/limits.h"

#define ENTITIES_MAX 1000
#define ID_TEXT_MAX 24

static const char *prefix_of(enum limit_kind kind)
{
    return kind == LIMIT_BUDGET ? "ul-" : "rl-";
}

static struct control *control_of(const struct job *j)
{
    return j->console->settings.control;
}

static bool fail(struct job *j, enum err e, const struct control_why *why)
{
    if (e)
        job_fail_why(j, e, why);
    return e == ERR_OK;
}

static bool workspace_asked(struct job *j, int64_t *ret_id)
{
    return given_workspace(j, given_query(j, "workspace_id"), ret_id);
}

/* ---- showing ---- */

static void write_json(struct json_write *w, const char *name, struct str json)
{
    json_write_member_raw(w, name, json.n ? json : STR("[]"));
}

static void write_policy(struct job *j, const struct limit *l)
{
    char id[ID_TEXT_MAX];
    struct json_write *w = &j->json;
    const struct snapshot_workspace *ws = snapshot_workspace_of(j->snapshot, l->workspace_id);
    snprintf(id, sizeof id, "%s%" PRId64, prefix_of(l->kind), l->id);
    json_write_object(w);
    json_write_member_string(w, "id", str_c(id));
    json_write_member_string(w, "name", l->name);
    json_write_member_string(w, "status", STR("active"));
    json_write_member_string(w, "organisation_id", STR("default"));
    json_write_member_string(w, "workspace_id", ws ? ws->name : STR(""));
    write_json(w, "conditions", l->conditions);
    write_json(w, "group_by", l->group_by);
    if (l->kind == LIMIT_BUDGET)
        portkey_limits_write_budget(w, l);
    else
        portkey_limits_write_rate(w, l);
    output_time(w, "created_at", l->created_us);
    output_time(w, "last_updated_at", l->updated_us);
    json_write_member_string(w, "object",
                             l->kind == LIMIT_BUDGET ? STR("policy_usage_limits") : STR("policy_rate_limits"));
    json_write_object_end(w);
}

static void list(struct job *j, enum limit_kind kind)
{
    struct limit *rows = NULL;
    size_t count = 0;
    int64_t workspace_id;
    uint64_t skip, limit;
    struct control_why why = {.param = ""};
    struct json_write *w = &j->json;
    if (!workspace_asked(j, &workspace_id) || !given_page(j, RULE_LIST_MAX, RULE_LIST_MAX, &skip, &limit))
        return;
    const struct str own = STR("");
    const struct rule_filter filter = {
        .workspace_id = workspace_id, .attach = LIMIT_POLICY, .kind = (int)kind, .source = &own};
    if (!fail(j, rule_list(control_of(j), &filter, j->arena, &rows, &count, &why), &why))
        return;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("list"));
    json_write_member_uint(w, "total", count);
    json_write_key(w, STR("data"));
    json_write_array(w);
    for (size_t i = skip; i < count && i - skip < limit; i++)
        write_policy(j, &rows[i]);
    json_write_array_end(w);
    json_write_object_end(w);
}

/* The policy in the path. False when the job was answered. */
static bool find(struct job *j, enum limit_kind kind, struct limit *ret)
{
    struct control_why why = {.param = "id", .text = "There is no such policy in this workspace."};
    int64_t workspace_id;
    uint64_t id = 0;
    struct str text = j->params[0];
    if (!workspace_asked(j, &workspace_id))
        return false;
    bool named = str_starts(text, str_c(prefix_of(kind))) && str_to_u64(str_from(text, 3), &id) && id <= INT64_MAX;
    enum err e = named ? rule_find(control_of(j), workspace_id, (int64_t)id, j->arena, ret, &why) : ERR_NOT_FOUND;
    if (e == ERR_OK && (ret->attach != LIMIT_POLICY || ret->kind != kind || ret->source.n))
        e = ERR_NOT_FOUND;
    return fail(j, e, &why);
}

static void get(struct job *j, enum limit_kind kind)
{
    struct limit l;
    if (!find(j, kind, &l))
        return;
    job_reply_json(j, 200);
    write_policy(j, &l);
}

/* ---- changing ---- */

/* An array as text, in the body; "" when absent. */
static struct str read_array(struct given *g, const char *name, bool *ret_there)
{
    struct jval v = given_member(g->root, name);
    *ret_there = jdoc_has(v);
    if (!jdoc_has(v))
        return STR("");
    if (jdoc_kind(v) != JDOC_ARRAY && !g->job->status)
        job_fail(g->job, ERR_BAD_PARAMETER, str_c(name), STR("it must be an array of objects"));
    return jdoc_size(v) ? jdoc_raw(v) : STR("");
}

/* The body's members put over `l`, which is new or stored. False when the job was answered. */
static bool read_policy(struct given *g, struct limit *l, bool fresh)
{
    struct limit counted;
    bool has_conditions, has_groups;
    bool has_amount = jdoc_has(given_member(g->root, l->kind == LIMIT_BUDGET ? "credit_limit" : "value"));
    struct str name = given_text(g, g->root, "name");
    struct str conditions = read_array(g, "conditions", &has_conditions);
    struct str groups = read_array(g, "group_by", &has_groups);
    if (g->job->status)
        return false;
    if (fresh || has_amount) {
        bool ok = l->kind == LIMIT_BUDGET ? portkey_limits_read_budget(g, g->root, &counted)
                                          : portkey_limits_read_rate(g, g->root, &counted);
        if (!ok)
            return false;
        l->measure = counted.measure;
        l->mode = counted.mode;
        l->window = counted.window;
        l->max = counted.max;
        l->alert_at = counted.alert_at;
    }
    if (name.p)
        l->name = name;
    if (fresh || has_conditions)
        l->conditions = conditions;
    if (fresh || has_groups)
        l->group_by = groups;
    return true;
}

static void create(struct job *j, enum limit_kind kind)
{
    struct given g;
    struct limit l = {.attach = LIMIT_POLICY, .kind = kind, .name = STR(""), .source = STR("")};
    struct control_why why = {.param = ""};
    int64_t id;
    char text[ID_TEXT_MAX];
    if (!given_begin(&g, j))
        return;
    if (read_policy(&g, &l, true) && given_workspace(j, given_text(&g, g.root, "workspace_id"), &l.workspace_id) &&
        fail(j, rule_create(control_of(j), &l, &id, &why), &why)) {
        snprintf(text, sizeof text, "%s%" PRId64, prefix_of(kind), id);
        job_reply_json(j, 200);
        json_write_object(&j->json);
        json_write_member_string(&j->json, "id", str_c(text));
        json_write_member_string(&j->json, "object",
                                 kind == LIMIT_BUDGET ? STR("policy_usage_limits") : STR("policy_rate_limits"));
        json_write_object_end(&j->json);
    }
    given_end(&g);
}

static void update(struct job *j, enum limit_kind kind)
{
    struct given g;
    struct limit l;
    struct control_why why = {.param = ""};
    bool reset = false;
    if (!find(j, kind, &l) || !given_begin(&g, j))
        return;
    bool wanted = given_bool(&g, g.root, "reset_usage", &reset) && reset;
    if (!j->status && read_policy(&g, &l, false)) {
        enum err e = rule_update(control_of(j), l.workspace_id, l.id, &l, &why);
        if (e == ERR_OK && wanted)
            e = rule_reset(control_of(j), l.workspace_id, l.id, &why);
        if (fail(j, e, &why))
            job_reply_bytes(j, 200, STR("application/json"), STR("{}"));
    }
    given_end(&g);
}

static void delete (struct job *j, enum limit_kind kind)
{
    struct limit l;
    struct control_why why = {.param = ""};
    if (find(j, kind, &l) && fail(j, rule_remove(control_of(j), l.workspace_id, l.id, &why), &why))
        job_reply_bytes(j, 200, STR("application/json"), STR("{}"));
}

/* ---- what is counted apart ---- */

struct entities {
    struct job *job;
    size_t count;
    bool write;      /* else only look */
    uint64_t wanted; /* number of the group looked for */
    struct str found;
    bool is_found;
};

static void number_text(struct str group, char out[ID_TEXT_MAX])
{
    snprintf(out, ID_TEXT_MAX, "%016" PRIx64, policy_group_number(group));
}

static void write_entity(struct entities *e, const struct limits_state *state)
{
    char id[ID_TEXT_MAX];
    struct json_write *w = &e->job->json;
    struct str rest = state->group_text, part;
    const struct policy *p = &state->rule->policy;
    number_text(state->group_text, id);
    json_write_object(w);
    json_write_member_string(w, "id", str_c(id));
    json_write_key(w, STR("value_key"));
    json_write_object(w);
    for (uint32_t i = 0; i < p->group_count && str_split(&rest, POLICY_SEPARATOR, &part); i++) {
        struct buf name;
        buf_init(&name, 256);
        bool ok = buf_add_str(&name, str_c(policy_subject_key(p->groups[i].subject))) &&
                  buf_add_str(&name, p->groups[i].field);
        json_write_key(w, ok ? buf_str(&name) : STR("value"));
        json_write_string(w, part);
        buf_free(&name);
    }
    json_write_object_end(w);
    if (state->rule->limit.measure == LIMIT_COST)
        json_write_member_money(w, "current_usage", state->used);
    else
        json_write_member_int(w, "current_usage", state->used);
    json_write_member_string(w, "status", state->exhausted ? STR("exhausted") : STR("active"));
    output_time(w, "last_reset_at", state->window_start_us);
    output_time(w, "next_usage_reset_at", state->window_end_us == INT64_MAX ? 0 : state->window_end_us);
    json_write_object_end(w);
}

static bool each(void *context, const struct limits_state *state)
{
    struct entities *e = context;
    if (e->write) {
        write_entity(e, state);
    } else if (policy_group_number(state->group_text) == e->wanted) {
        e->found = arena_dup(e->job->arena, state->group_text);
        e->is_found = true;
        return false;
    }
    return ++e->count < ENTITIES_MAX;
}

static void walk(struct job *j, const struct limit *l, struct entities *e)
{
    const struct ruleset_rule *rule = ruleset_rule_of(snapshot_limits(j->snapshot), l->id);
    if (rule && j->console->settings.limits)
        limits_states_of(j->console->settings.limits, rule, clock_wall_us(), each, e);
}

static void entities(struct job *j, enum limit_kind kind)
{
    struct limit l;
    struct entities e = {.job = j, .write = true};
    struct json_write *w = &j->json;
    if (!find(j, kind, &l))
        return;
    job_reply_json(j, 200);
    json_write_object(w);
    json_write_member_string(w, "object", STR("list"));
    json_write_key(w, STR("data"));
    json_write_array(w);
    walk(j, &l, &e);
    json_write_array_end(w);
    json_write_member_uint(w, "total", e.count);
    json_write_object_end(w);
}

static bool read_hex(struct str text, uint64_t *ret)
{
    *ret = 0;
    if (text.n != 16)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        *ret = *ret << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return true;
}

static void reset(struct job *j, enum limit_kind kind)
{
    struct limit l;
    struct entities e = {.job = j};
    struct control_why why = {.param = "id", .text = "The policy has counted nothing for such an entity."};
    if (!find(j, kind, &l))
        return;
    if (read_hex(j->params[1], &e.wanted))
        walk(j, &l, &e);
    enum err err = !e.is_found ? ERR_NOT_FOUND
                   : e.found.n ? rule_reset_group(control_of(j), l.workspace_id, l.id, e.found, &why)
                               : rule_reset(control_of(j), l.workspace_id, l.id, &why);
    if (fail(j, err, &why))
        job_reply_bytes(j, 200, STR("application/json"), STR("{}"));
}

#define HANDLERS(name, kind)                               \
    void portkey_policies_##name##_list(struct job *j)     \
    {                                                      \
        list(j, kind);                                     \
    }                                                      \
    void portkey_policies_##name##_get(struct job *j)      \
    {                                                      \
        get(j, kind);                                      \
    }                                                      \
    void portkey_policies_##name##_create(struct job *j)   \
    {                                                      \
        create(j, kind);                                   \
    }                                                      \
    void portkey_policies_##name##_update(struct job *j)   \
    {                                                      \
        update(j, kind);                                   \
    }                                                      \
    void portkey_policies_##name##_delete(struct job *j)   \
    {                                                      \
        delete (j, kind);                                  \
    }                                                      \
    void portkey_policies_##name##_entities(struct job *j) \
    {                                                      \
        entities(j, kind);                                 \
    }                                                      \
    void portkey_policies_##name##_reset(struct job *j)    \
    {                                                      \
        reset(j, kind);                                    \
    }

HANDLERS(usage, LIMIT_BUDGET)
HANDLERS(rate, LIMIT_RATE)
