/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies in the database. What one means for a model API is a rule of limit/, made anew whenever the
 * policy or the list of the model API changes.
 */
#include "control/model/token_policy.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/json/jdoc.h"
#include "base/must.h"
#include "control/control_text.h"
#include "control/limit/rule_inner.h"
#include "control/model/model_inner.h"
#include "control/model/token_cap.h"
#include "control/people/actor.h"
#include "control/people/audit.h"

#define JSON_MAX 4096
#define ROW_ARENA 16384
#define ROW_ARENA_MAX (1 << 20)

/* Model APIs whose list has the name ?2, of the workspace ?1. */
#define USERS                                                                \
    "model_api m WHERE m.workspace_id = ?1 AND m.deleted_us = 0 AND EXISTS " \
    "(SELECT 1 FROM json_each(CASE m.policies WHEN '' THEN '[]' ELSE m.policies END) WHERE value = ?2)"

#define POLICY_COLUMNS                                                                                  \
    "p.id, p.workspace_id, p.name, p.display_name, p.labels, p.type, p.resource_types, p.locations, "   \
    "p.flavors, p.max_tokens, p.sandbox, p.created_us, p.updated_us, p.created_by, p.updated_by, "      \
    "(SELECT count(*) FROM model_api m WHERE m.workspace_id = p.workspace_id AND m.deleted_us = 0 AND " \
    " EXISTS (SELECT 1 FROM json_each(CASE m.policies WHEN '' THEN '[]' ELSE m.policies END) WHERE value = p.name))"

/* ---- rows ---- */

static enum err read_row(struct store_stmt *st, struct arena *a, struct token_policy *p, struct control_why *why)
{
    *p = (struct token_policy){
        .id = store_i64(st, 0),
        .workspace_id = store_i64(st, 1),
        .sandbox = store_i64(st, 10) != 0,
        .created_us = store_i64(st, 11),
        .updated_us = store_i64(st, 12),
        .models = (uint64_t)store_i64(st, 15),
    };
    struct {
        struct str *field;
        int column;
    } texts[] = {{&p->name, 2},           {&p->display_name, 3}, {&p->labels, 4},  {&p->type, 5},
                 {&p->resource_types, 6}, {&p->locations, 7},    {&p->flavors, 8}, {&p->max_tokens, 9},
                 {&p->created_by, 13},    {&p->updated_by, 14}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i].field = arena_dup(a, store_text(st, texts[i].column));
        if (!texts[i].field->p)
            return control_inner_arena_full(why);
    }
    return ERR_OK;
}

/* Inside a transaction. ERR_NOT_FOUND without a sentence of its own when there is none. */
static enum err find(struct control *c, int64_t workspace_id, struct str name, struct arena *a,
                     struct token_policy *ret_row, struct control_why *why)
{
    struct store_stmt *st;
    bool row;
    enum err e = control_inner_sql(c,
                                   "SELECT " POLICY_COLUMNS " FROM token_policy p WHERE p.workspace_id = ?1 AND "
                                   "p.name = ?2 AND p.deleted_us = 0",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    store_bind_text(st, 2, name);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (!row)
        e = control_inner_fail(why, ERR_NOT_FOUND, "name", "There is no such policy in this workspace.");
    else
        e = read_row(st, a, ret_row, why);
    store_done(st);
    store_clear(st);
    return e;
}

enum err token_policy_find(struct control *c, int64_t workspace_id, struct str name, struct arena *a,
                           struct token_policy *ret_row, struct control_why *why)
{
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = find(c, workspace_id, name, a, ret_row, why);
    control_inner_end_read(c);
    return e;
}

static enum err list(struct control *c, int64_t workspace_id, struct arena *a, struct token_policy *rows,
                     size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    enum err e = control_inner_sql(c,
                                   "SELECT " POLICY_COLUMNS " FROM token_policy p WHERE p.workspace_id = ?1 AND "
                                   "p.deleted_us = 0 ORDER BY p.id",
                                   &st, why);
    *ret_count = 0;
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    while (e == ERR_OK && row && *ret_count < TOKEN_POLICY_MAX) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row)
            e = read_row(st, a, &rows[(*ret_count)++], why);
    }
    store_done(st);
    store_clear(st);
    return e;
}

enum err token_policy_list(struct control *c, int64_t workspace_id, struct arena *a, struct token_policy **ret_rows,
                           size_t *ret_count, struct control_why *why)
{
    struct token_policy *rows = arena_alloc(a, TOKEN_POLICY_MAX * sizeof *rows);
    if (!rows)
        return control_inner_arena_full(why);
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = list(c, workspace_id, a, rows, ret_count, why);
    control_inner_end_read(c);
    *ret_rows = rows;
    return e;
}

static enum err users(struct control *c, int64_t workspace_id, struct str name, struct arena *a, struct str *names,
                      size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    size_t n = 0;
    enum err e = control_inner_sql(c, "SELECT m.name FROM " USERS " ORDER BY m.id", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    store_bind_text(st, 2, name);
    while (e == ERR_OK && row && n < MODEL_MAX) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row && !(names[n++] = arena_dup(a, store_text(st, 0))).p)
            e = control_inner_arena_full(why);
    }
    store_done(st);
    store_clear(st);
    *ret_count = n;
    return e;
}

enum err token_policy_users(struct control *c, int64_t workspace_id, struct str name, struct arena *a,
                            struct str **ret_names, size_t *ret_count, struct control_why *why)
{
    struct token_policy p;
    struct str *names = arena_alloc(a, MODEL_MAX * sizeof *names);
    if (!names)
        return control_inner_arena_full(why);
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = find(c, workspace_id, name, a, &p, why);
    if (e == ERR_OK)
        e = users(c, workspace_id, name, a, names, ret_count, why);
    control_inner_end_read(c);
    *ret_names = names;
    return e;
}

/* ---- checks ---- */

static bool is_array(struct str json)
{
    struct jdoc doc;
    jdoc_init(&doc);
    bool ok = !json.n || (json.n <= JSON_MAX && jdoc_parse(&doc, json) && jdoc_kind(jdoc_root(&doc)) == JDOC_ARRAY);
    jdoc_free(&doc);
    return ok;
}

static enum err check_resources(struct str json, struct control_why *why)
{
    static const char *const known[] = {"model", "function", "agent", "sandbox", "application", "job"};
    struct jdoc doc;
    bool ok = true;
    jdoc_init(&doc);
    if (json.n && jdoc_parse(&doc, json)) {
        struct jval root = jdoc_root(&doc);
        for (struct jval v = jdoc_first(root); ok && jdoc_has(v); v = jdoc_next(root, v)) {
            ok = false;
            for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
                ok |= jdoc_is(v, known[i]);
        }
    }
    jdoc_free(&doc);
    return ok ? ERR_OK
              : control_inner_fail(why, ERR_BAD_PARAMETER, "resourceTypes",
                                   "Resource types are model, function, agent, sandbox, application, job.");
}

static enum err check(const struct token_policy *p, struct control_why *why)
{
    struct limit cap;
    const char *param = "", *fault = NULL;
    if (!p->name.n)
        return control_inner_fail(why, ERR_MISSING_PARAMETER, "name", "A policy needs a name.");
    if (!control_text_is_slug(p->name) || str_find(p->name, '_') >= 0 || p->name.n > MODEL_NAME_MAX)
        return control_inner_fail(why, ERR_BAD_PARAMETER, "name",
                                  "A policy's name has 1 to %d lower-case letters, digits and '-', and begins with a "
                                  "letter or digit.",
                                  MODEL_NAME_MAX);
    if (p->display_name.n && !control_text_is_name(p->display_name, 63))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "displayName",
                                  "A display name has 1 to 63 bytes of UTF-8 without control characters.");
    if (p->labels.n > JSON_MAX || (p->labels.n && control_text_metadata_fault(p->labels)))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "labels",
                                  "Labels are an object of at most 64 strings, 4 KiB together.");
    bool is_cap = str_eq(p->type, STR("maxToken"));
    if (!is_cap && !str_eq(p->type, STR("location")) && !str_eq(p->type, STR("flavor")))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "type", "The type is maxToken, location or flavor.");
    if (!is_array(p->resource_types) || !is_array(p->locations) || !is_array(p->flavors))
        return control_inner_fail(why, ERR_BAD_PARAMETER, "spec",
                                  "resourceTypes, locations and flavors are arrays of at most 4 KiB.");
    if (is_cap && (!p->max_tokens.n || p->max_tokens.n > JSON_MAX))
        return control_inner_fail(why, ERR_MISSING_PARAMETER, "maxTokens", "A policy of maxToken needs maxTokens.");
    if (is_cap)
        fault = token_cap_read(p->max_tokens, &cap, &param);
    if (fault)
        return control_inner_fail(why, ERR_BAD_PARAMETER, param, "%s", fault);
    return check_resources(p->resource_types, why);
}

/* ---- what a policy means for a model API ---- */

/* False: nothing, as it is of another type, speaks of other things, or has no threshold. */
static bool cap_of(const struct token_policy *p, struct limit *ret)
{
    struct jdoc doc;
    const char *param;
    bool models = !p->resource_types.n || str_eq(p->resource_types, STR("[]"));
    if (!str_eq(p->type, STR("maxToken")) || token_cap_read(p->max_tokens, ret, &param))
        return false;
    jdoc_init(&doc);
    if (!models && jdoc_parse(&doc, p->resource_types))
        for (struct jval v = jdoc_first(jdoc_root(&doc)); jdoc_has(v); v = jdoc_next(jdoc_root(&doc), v))
            models |= jdoc_is(v, "model");
    jdoc_free(&doc);
    return models && (ret->max || ret->input_max || ret->output_max);
}

/* The rule of this policy on one model API; p == NULL: none. */
static enum err put_rule(struct control *c, int64_t workspace_id, int64_t model_id, struct str name,
                         const struct token_policy *p, struct control_why *why)
{
    char source[MODEL_NAME_MAX + 16];
    struct limit cap;
    int n = snprintf(source, sizeof source, "policy:%.*s", STR_ARG(str_head(name, MODEL_NAME_MAX)));
    const struct rule_place place = {LIMIT_MODEL, model_id, workspace_id, str_of(source, (size_t)n)};
    bool there = p && cap_of(p, &cap);
    return rule_inner_replace(c, &place, LIMIT_CAP, &cap, there ? 1 : 0, why);
}

/* Calls put_rule for every name of the list; with `attach` false the rules go. */
static enum err put_rules(struct control *c, int64_t workspace_id, int64_t model_id, struct str json, bool attach,
                          struct control_why *why)
{
    struct jdoc doc;
    struct token_policy p;
    enum err e = ERR_OK;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    jdoc_init(&doc);
    struct jval root = json.n && jdoc_parse(&doc, json) ? jdoc_root(&doc) : (struct jval){0};
    for (struct jval v = jdoc_first(root); e == ERR_OK && jdoc_has(v); v = jdoc_next(root, v)) {
        struct str name = jdoc_escaped(v);
        e = attach ? find(c, workspace_id, name, a, &p, why) : ERR_OK;
        if (e == ERR_NOT_FOUND)
            e = control_inner_fail(why, ERR_BAD_PARAMETER, "policies", "There is no policy %.*s in this workspace.",
                                   STR_ARG(name));
        if (e == ERR_OK)
            e = put_rule(c, workspace_id, model_id, name, attach ? &p : NULL, why);
    }
    jdoc_free(&doc);
    arena_free(a);
    return e;
}

/* Whether the name stands in the list. */
static bool names(struct str json, struct str name)
{
    struct jdoc doc;
    bool found = false;
    jdoc_init(&doc);
    struct jval root = json.n && jdoc_parse(&doc, json) ? jdoc_root(&doc) : (struct jval){0};
    for (struct jval v = jdoc_first(root); jdoc_has(v); v = jdoc_next(root, v))
        found |= str_eq(jdoc_escaped(v), name);
    jdoc_free(&doc);
    return found;
}

enum err model_put_policies(struct control *c, int64_t workspace_id, int64_t model_id, struct str before,
                            struct str after, struct control_why *why)
{
    struct jdoc doc;
    enum err e = ERR_OK;
    jdoc_init(&doc);
    struct jval root = before.n && jdoc_parse(&doc, before) ? jdoc_root(&doc) : (struct jval){0};
    for (struct jval v = jdoc_first(root); e == ERR_OK && jdoc_has(v); v = jdoc_next(root, v))
        if (!names(after, jdoc_escaped(v)))
            e = put_rule(c, workspace_id, model_id, jdoc_escaped(v), NULL, why);
    jdoc_free(&doc);
    return e == ERR_OK ? put_rules(c, workspace_id, model_id, after, true, why) : e;
}

enum err model_drop_policies(struct control *c, int64_t model_id, struct control_why *why)
{
    return rule_inner_drop(c, LIMIT_MODEL, model_id, why);
}

/* On every model API that names it. */
static enum err apply(struct control *c, const struct token_policy *p, struct control_why *why)
{
    struct store_stmt *st;
    int64_t *ids = NULL, count = 0;
    size_t n = 0;
    bool row = true;
    enum err e = control_inner_sql(c, "SELECT count(*) FROM " USERS, &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, p->workspace_id);
    store_bind_text(st, 2, p->name);
    e = control_inner_number(c, st, 0, &count, why);
    if (e == ERR_OK)
        e = control_inner_sql(c, "SELECT m.id FROM " USERS, &st, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    ids = arena_alloc(a, ((size_t)count + 1) * sizeof *ids);
    must(ids != NULL); /* MODEL_MAX of them fit */
    store_bind_i64(st, 1, p->workspace_id);
    store_bind_text(st, 2, p->name);
    while (e == ERR_OK && row && n < (size_t)count) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row)
            ids[n++] = store_i64(st, 0);
    }
    store_done(st);
    store_clear(st);
    for (size_t i = 0; e == ERR_OK && i < n; i++)
        e = put_rule(c, p->workspace_id, ids[i], p->name, p, why);
    arena_free(a);
    return e;
}

/* ---- changes ---- */

static void describe(struct json_write *w, const void *object)
{
    const struct token_policy *p = object;
    json_write_member_string(w, "type", p->type);
    if (p->resource_types.n)
        json_write_member_raw(w, "resourceTypes", p->resource_types);
    if (p->max_tokens.n)
        json_write_member_raw(w, "maxTokens", p->max_tokens);
}

/* NULL: not there. */
static enum err note(struct control *c, const char *action, const struct token_policy *before,
                     const struct token_policy *after, struct control_why *why)
{
    const struct token_policy *p = before ? before : after;
    struct audit_change change = {
        .workspace_id = p->workspace_id, .action = action, .object_type = "policy", .object_id = p->name};
    return audit_note_objects(c, &change, describe, before, after, why);
}

static enum err write_row(struct control *c, const struct token_policy *p, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c,
                                   "UPDATE token_policy SET display_name = ?2, labels = ?3, type = ?4, "
                                   "resource_types = ?5, locations = ?6, flavors = ?7, max_tokens = ?8, sandbox = ?9, "
                                   "updated_us = ?10, updated_by = ?11 WHERE id = ?1",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, p->id);
    store_bind_text(st, 2, p->display_name);
    store_bind_text(st, 3, p->labels);
    store_bind_text(st, 4, p->type);
    store_bind_text(st, 5, p->resource_types);
    store_bind_text(st, 6, p->locations);
    store_bind_text(st, 7, p->flavors);
    store_bind_text(st, 8, p->max_tokens);
    store_bind_i64(st, 9, p->sandbox);
    store_bind_i64(st, 10, p->updated_us);
    store_bind_text(st, 11, p->updated_by);
    return control_inner_run(c, st, why);
}

static enum err insert_row(struct control *c, struct token_policy *p, struct control_why *why)
{
    struct store_stmt *st;
    int64_t live = 0;
    enum err e = control_inner_need_workspace(c, p->workspace_id, why);
    if (e == ERR_OK)
        e = control_inner_sql(c, "SELECT count(*) FROM token_policy WHERE workspace_id = ?1 AND deleted_us = 0", &st,
                              why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, p->workspace_id);
    e = control_inner_number(c, st, 0, &live, why);
    if (e == ERR_OK && live >= TOKEN_POLICY_MAX)
        e = control_inner_fail(why, ERR_LIMIT_REACHED, "", "A workspace has at most %d policies.", TOKEN_POLICY_MAX);
    if (e == ERR_OK)
        e = control_inner_sql(c,
                              "INSERT INTO token_policy(workspace_id, name, created_us, created_by) "
                              "VALUES (?1, ?2, ?3, ?4)",
                              &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, p->workspace_id);
    store_bind_text(st, 2, p->name);
    store_bind_i64(st, 3, p->created_us);
    store_bind_text(st, 4, p->created_by);
    e = control_inner_run(c, st, why);
    p->id = store_last_id(c->db);
    return e;
}

enum err token_policy_create(struct control *c, int64_t workspace_id, const struct token_policy *given, struct arena *a,
                             struct token_policy *ret_row, struct control_why *why)
{
    struct token_policy p = *given, there;
    p.workspace_id = workspace_id;
    p.created_us = p.updated_us = clock_wall_us();
    p.created_by = p.updated_by = actor_get()->name;
    enum err e = check(&p, why);
    if (e == ERR_OK)
        e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = find(c, workspace_id, p.name, a, &there, why);
    if (e == ERR_OK)
        e = control_inner_fail(why, ERR_CONFLICT, "name", "A policy with this name exists already.");
    else if (e == ERR_NOT_FOUND)
        e = insert_row(c, &p, why);
    if (e == ERR_OK)
        e = write_row(c, &p, why);
    if (e == ERR_OK)
        e = note(c, "policy.create", NULL, &p, why);
    if (e == ERR_OK)
        e = find(c, workspace_id, p.name, a, ret_row, why);
    return control_inner_end(c, e, why);
}

enum err token_policy_update(struct control *c, int64_t workspace_id, const struct token_policy *given, struct arena *a,
                             struct token_policy *ret_row, struct control_why *why)
{
    struct token_policy p = *given, stored;
    enum err e = token_policy_find(c, workspace_id, given->name, a, &stored, why);
    p.workspace_id = workspace_id;
    p.updated_us = clock_wall_us();
    p.updated_by = actor_get()->name;
    if (e == ERR_OK)
        e = check(&p, why);
    if (e == ERR_OK)
        e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = find(c, workspace_id, p.name, a, &stored, why);
    p.id = stored.id;
    if (e == ERR_OK)
        e = write_row(c, &p, why);
    if (e == ERR_OK)
        e = apply(c, &p, why);
    if (e == ERR_OK)
        e = note(c, "policy.update", &stored, &p, why);
    if (e == ERR_OK)
        e = find(c, workspace_id, p.name, a, ret_row, why);
    return control_inner_end(c, e, why);
}

enum err token_policy_delete(struct control *c, int64_t workspace_id, struct str name, struct arena *a,
                             struct token_policy *ret_row, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = find(c, workspace_id, name, a, ret_row, why);
    if (e == ERR_OK && ret_row->models)
        e = control_inner_fail(why, ERR_IN_USE, "name", "%llu model APIs carry this policy; take it out of them first.",
                               (unsigned long long)ret_row->models);
    if (e == ERR_OK)
        e = control_inner_sql(c, "UPDATE token_policy SET deleted_us = ?2, updated_us = ?2 WHERE id = ?1", &st, why);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, ret_row->id);
        store_bind_i64(st, 2, clock_wall_us());
        e = control_inner_run(c, st, why);
    }
    if (e == ERR_OK)
        e = note(c, "policy.delete", ret_row, NULL, why);
    return control_inner_end(c, e, why);
}
