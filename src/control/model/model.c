/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model APIs in the database: `model_api` has what is in force, `model_revision` what was given each
 * time, as one JSON text.
 */
#include "control/model/model.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "base/must.h"
#include "control/model/model_check.h"
#include "control/model/model_inner.h"
#include "control/people/actor.h"
#include "control/people/audit.h"

#define SPEC_MAX (64u * 1024)
#define USERS_NAMED_MAX 3

/* ---- rows ---- */

enum err model_read_row(struct store_stmt *st, struct arena *a, struct model_row *m, struct control_why *why)
{
    *m = (struct model_row){
        .id = store_i64(st, 0),
        .workspace_id = store_i64(st, 1),
        .enabled = store_i64(st, 6) != 0,
        .sandbox = store_i64(st, 7) != 0,
        .any_model = store_i64(st, 8) != 0,
        .revision = (uint32_t)store_i64(st, 18),
        .created_us = store_i64(st, 19),
        .updated_us = store_i64(st, 20),
    };
    struct {
        struct str *field;
        int column;
    } texts[] = {{&m->name, 2},           {&m->display_name, 3},  {&m->external_id, 4},    {&m->labels, 5},
                 {&m->integrations, 9},   {&m->policies, 10},     {&m->flavors, 11},       {&m->type, 12},
                 {&m->model, 13},         {&m->organization, 14}, {&m->endpoint_name, 15}, {&m->generation, 16},
                 {&m->configuration, 17}, {&m->created_by, 21},   {&m->updated_by, 22}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i].field = arena_dup(a, store_text(st, texts[i].column));
        if (!texts[i].field->p)
            return control_inner_arena_full(why);
    }
    return ERR_OK;
}

/* Inside a transaction. */
static enum err find(struct control *c, int64_t workspace_id, struct str name, struct arena *a,
                     struct model_row *ret_row, struct control_why *why)
{
    struct store_stmt *st;
    struct model_row found;
    bool row;
    enum err e = control_inner_sql(
        c, "SELECT " MODEL_COLUMNS " FROM model_api m WHERE m.workspace_id = ?1 AND m.name = ?2 AND m.deleted_us = 0",
        &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    store_bind_text(st, 2, name);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (!row)
        e = control_inner_fail(why, ERR_NOT_FOUND, "name", "There is no such model API in this workspace.");
    else
        e = model_read_row(st, a, &found, why);
    store_done(st);
    store_clear(st);
    if (e == ERR_OK)
        *ret_row = found;
    return e;
}

enum err model_find(struct control *c, int64_t workspace_id, struct str name, struct arena *a,
                    struct model_row *ret_row, struct control_why *why)
{
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = find(c, workspace_id, name, a, ret_row, why);
    control_inner_end_read(c);
    return e;
}

static enum err count_live(struct control *c, int64_t workspace_id, int64_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    enum err e =
        control_inner_sql(c, "SELECT count(*) FROM model_api WHERE workspace_id = ?1 AND deleted_us = 0", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    return control_inner_number(c, st, 0, ret_count, why);
}

static enum err list(struct control *c, int64_t workspace_id, struct arena *a, struct model_row *rows, size_t cap,
                     size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    size_t n = 0;
    enum err e = control_inner_sql(
        c, "SELECT " MODEL_COLUMNS " FROM model_api m WHERE m.workspace_id = ?1 AND m.deleted_us = 0 ORDER BY m.id",
        &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    while (e == ERR_OK && row && n < cap) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row)
            e = model_read_row(st, a, &rows[n++], why);
    }
    store_done(st);
    store_clear(st);
    *ret_count = n;
    return e;
}

enum err model_list(struct control *c, int64_t workspace_id, struct arena *a, struct model_row **ret_rows,
                    size_t *ret_count, struct control_why *why)
{
    struct model_row *rows = NULL;
    int64_t live = 0;
    size_t count = 0;
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = count_live(c, workspace_id, &live, why);
    if (e == ERR_OK && !(rows = arena_alloc(a, ((size_t)live + 1) * sizeof *rows)))
        e = control_inner_arena_full(why);
    if (e == ERR_OK)
        e = list(c, workspace_id, a, rows, (size_t)live, &count, why);
    control_inner_end_read(c);
    if (e != ERR_OK)
        return e;
    *ret_rows = rows;
    *ret_count = count;
    return ERR_OK;
}

/* ---- what a model API names ---- */

static enum err check_integration(struct control *c, int64_t workspace_id, struct str slug, struct control_why *why)
{
    struct store_stmt *st;
    int64_t usable = -1;
    enum err e = control_inner_sql(c,
                                   "SELECT kind NOT IN ('openai-admin', 'openai-legacy') FROM integration "
                                   "WHERE workspace_id = ?1 AND slug = ?2 AND deleted_us = 0",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, workspace_id);
    store_bind_text(st, 2, slug);
    e = control_inner_number(c, st, -1, &usable, why);
    if (e == ERR_OK && usable < 0)
        e = control_inner_fail(why, ERR_BAD_PARAMETER, "integrationConnections",
                               "There is no integration %.*s in this workspace; an admin connects one.", STR_ARG(slug));
    else if (e == ERR_OK && !usable)
        e = control_inner_fail(why, ERR_BAD_PARAMETER, "integrationConnections",
                               "The integration %.*s only reads usage and bills; it serves no model.", STR_ARG(slug));
    return e;
}

static enum err check_integrations(struct control *c, int64_t workspace_id, struct str json, struct control_why *why)
{
    struct jdoc doc;
    enum err e = ERR_OK;
    jdoc_init(&doc);
    bool parsed = jdoc_parse(&doc, json);
    must(parsed); /* model_check did */
    struct jval list_of = jdoc_root(&doc);
    for (struct jval v = jdoc_first(list_of); e == ERR_OK && jdoc_has(v); v = jdoc_next(list_of, v))
        e = check_integration(c, workspace_id, jdoc_escaped(v), why);
    jdoc_free(&doc);
    return e;
}

enum err model_check_unused(struct control *c, int64_t workspace_id, struct str slug, struct control_why *why)
{
    struct store_stmt *st;
    struct buf names;
    bool row = true, ok = true;
    unsigned n = 0;
    enum err e = control_inner_sql(c,
                                   "SELECT m.name FROM model_api m WHERE m.workspace_id = ?1 AND m.deleted_us = 0 AND "
                                   "EXISTS (SELECT 1 FROM json_each(m.integrations) WHERE value = ?2) ORDER BY m.id",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    buf_init(&names, 1024);
    store_bind_i64(st, 1, workspace_id);
    store_bind_text(st, 2, slug);
    while (e == ERR_OK && row) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        else if (row && n++ < USERS_NAMED_MAX)
            ok = ok && buf_printf(&names, "%s%.*s", n > 1 ? ", " : "", STR_ARG(store_text(st, 0)));
    }
    store_done(st);
    store_clear(st);
    if (n > USERS_NAMED_MAX)
        ok = ok && buf_printf(&names, " and %u more", n - USERS_NAMED_MAX);
    must(ok);
    if (e == ERR_OK && n)
        e = control_inner_fail(
            why, ERR_IN_USE, "slug",
            "These model APIs use the integration %.*s; give them another or delete them first: %.*s", STR_ARG(slug),
            STR_ARG(buf_str(&names)));
    buf_free(&names);
    return e;
}

/* ---- changes ---- */

static void write_raw(struct json_write *w, const char *name, struct str json)
{
    if (json.n)
        json_write_member_raw(w, name, json);
}

/* Inside an object. */
static void write_spec(struct json_write *w, const struct model_row *m)
{
    json_write_member_string(w, "displayName", m->display_name);
    json_write_member_bool(w, "enabled", m->enabled);
    json_write_member_bool(w, "allowModelOverride", m->any_model);
    write_raw(w, "labels", m->labels);
    write_raw(w, "integrationConnections", m->integrations);
    write_raw(w, "policies", m->policies);
    json_write_member_string(w, "type", m->type);
    json_write_member_string(w, "model", m->model);
    json_write_member_string(w, "organization", m->organization);
    json_write_member_string(w, "generation", m->generation);
    write_raw(w, "configuration", m->configuration);
}

static void describe(struct json_write *w, const void *object)
{
    write_spec(w, object);
}

/* NULL: not there. */
static enum err note(struct control *c, const char *action, const struct model_row *before,
                     const struct model_row *after, struct control_why *why)
{
    const struct model_row *m = before ? before : after;
    struct audit_change change = {
        .workspace_id = m->workspace_id, .action = action, .object_type = "model", .object_id = m->name};
    return audit_note_objects(c, &change, describe, before, after, why);
}

static enum err add_revision(struct control *c, const struct model_row *m, struct control_why *why)
{
    struct store_stmt *st;
    struct json_write w;
    struct buf spec;
    buf_init(&spec, SPEC_MAX);
    json_write_init(&w, &spec);
    json_write_object(&w);
    write_spec(&w, m);
    json_write_object_end(&w);
    bool fits = json_write_done(&w);
    must(fits);
    enum err e = control_inner_sql(
        c, "INSERT INTO model_revision(model_id, number, spec, created_us, created_by) VALUES (?1, ?2, ?3, ?4, ?5)",
        &st, why);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, m->id);
        store_bind_i64(st, 2, m->revision);
        store_bind_text(st, 3, buf_str(&spec));
        store_bind_i64(st, 4, m->updated_us);
        store_bind_text(st, 5, m->updated_by);
        e = control_inner_run(c, st, why);
    }
    buf_free(&spec);
    if (e == ERR_OK)
        e = control_inner_sql(c, "DELETE FROM model_revision WHERE model_id = ?1 AND number <= ?2", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, m->id);
    store_bind_i64(st, 2, (int64_t)m->revision - MODEL_REVISIONS_KEPT);
    return control_inner_run(c, st, why);
}

static enum err insert_row(struct control *c, struct model_row *m, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(
        c, "INSERT INTO model_api(workspace_id, name, created_us, created_by) VALUES (?1, ?2, ?3, ?4)", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, m->workspace_id);
    store_bind_text(st, 2, m->name);
    store_bind_i64(st, 3, m->created_us);
    store_bind_text(st, 4, m->created_by);
    e = control_inner_run(c, st, why);
    m->id = store_last_id(c->db);
    return e;
}

/* The next revision, in force from now on. */
static enum err write_row(struct control *c, struct model_row *m, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(
        c,
        "UPDATE model_api SET display_name = ?2, external_id = ?3, labels = ?4, enabled = ?5, sandbox = ?6, "
        "any_model = ?7, integrations = ?8, policies = ?9, flavors = ?10, type = ?11, model = ?12, organization = ?13, "
        "endpoint_name = ?14, generation = ?15, configuration = ?16, revision = ?17, updated_us = ?18, "
        "updated_by = ?19 WHERE id = ?1",
        &st, why);
    if (e != ERR_OK)
        return e;
    const struct str texts[] = {m->integrations, m->policies,      m->flavors,    m->type,         m->model,
                                m->organization, m->endpoint_name, m->generation, m->configuration};
    store_bind_i64(st, 1, m->id);
    store_bind_text(st, 2, m->display_name);
    store_bind_text(st, 3, m->external_id);
    store_bind_text(st, 4, m->labels);
    store_bind_i64(st, 5, m->enabled);
    store_bind_i64(st, 6, m->sandbox);
    store_bind_i64(st, 7, m->any_model);
    for (int i = 0; i < (int)(sizeof texts / sizeof texts[0]); i++)
        store_bind_text(st, 8 + i, texts[i]);
    store_bind_i64(st, 17, m->revision);
    store_bind_i64(st, 18, m->updated_us);
    store_bind_text(st, 19, m->updated_by);
    e = control_inner_run(c, st, why);
    return e == ERR_OK ? add_revision(c, m, why) : e;
}

static enum err create(struct control *c, struct model_row *m, struct control_why *why)
{
    struct store_stmt *st;
    int64_t live = 0, taken = 0;
    enum err e = control_inner_need_workspace(c, m->workspace_id, why);
    if (e == ERR_OK)
        e = control_inner_sql(c, "SELECT 1 FROM model_api WHERE workspace_id = ?1 AND name = ?2 AND deleted_us = 0",
                              &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, m->workspace_id);
    store_bind_text(st, 2, m->name);
    e = control_inner_number(c, st, 0, &taken, why);
    if (e == ERR_OK && taken)
        e = control_inner_fail(why, ERR_CONFLICT, "name", "A model API with this name exists already.");
    if (e == ERR_OK)
        e = count_live(c, m->workspace_id, &live, why);
    if (e == ERR_OK && live >= MODEL_MAX)
        e = control_inner_fail(why, ERR_LIMIT_REACHED, "", "A workspace has at most %d model APIs.", MODEL_MAX);
    if (e == ERR_OK)
        e = check_integrations(c, m->workspace_id, m->integrations, why);
    if (e == ERR_OK)
        e = insert_row(c, m, why);
    if (e == ERR_OK)
        e = write_row(c, m, why);
    if (e == ERR_OK)
        e = model_put_policies(c, m->workspace_id, m->id, STR(""), m->policies, why);
    return e == ERR_OK ? note(c, "model.create", NULL, m, why) : e;
}

enum err model_create(struct control *c, int64_t workspace_id, const struct model_row *given, struct arena *a,
                      struct model_row *ret_row, struct control_why *why)
{
    struct model_row m = *given, made;
    m.id = 0;
    m.workspace_id = workspace_id;
    m.revision = 1;
    m.created_us = m.updated_us = clock_wall_us();
    m.created_by = m.updated_by = actor_get()->name;
    enum err e = model_check(&m, why);
    if (e == ERR_OK)
        e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = create(c, &m, why);
    if (e == ERR_OK)
        e = find(c, workspace_id, m.name, a, &made, why);
    e = control_inner_end(c, e, why);
    if (e == ERR_OK)
        *ret_row = made;
    return e;
}

static enum err update(struct control *c, struct model_row *m, struct arena *a, struct model_row *ret_row,
                       struct control_why *why)
{
    struct model_row stored;
    enum err e = find(c, m->workspace_id, m->name, a, &stored, why);
    if (e == ERR_OK)
        e = check_integrations(c, m->workspace_id, m->integrations, why);
    if (e != ERR_OK)
        return e;
    m->id = stored.id;
    m->revision = stored.revision + 1;
    e = write_row(c, m, why);
    if (e == ERR_OK)
        e = model_put_policies(c, m->workspace_id, m->id, stored.policies, m->policies, why);
    if (e == ERR_OK)
        e = note(c, "model.update", &stored, m, why);
    return e == ERR_OK ? find(c, m->workspace_id, m->name, a, ret_row, why) : e;
}

enum err model_update(struct control *c, int64_t workspace_id, const struct model_row *given, struct arena *a,
                      struct model_row *ret_row, struct control_why *why)
{
    struct model_row m = *given, made, stored;
    enum err e = model_find(c, workspace_id, given->name, a, &stored, why); /* before complaints about what is in it */
    m.workspace_id = workspace_id;
    m.updated_us = clock_wall_us();
    m.updated_by = actor_get()->name;
    if (e == ERR_OK)
        e = model_check(&m, why);
    if (e == ERR_OK)
        e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = control_inner_end(c, update(c, &m, a, &made, why), why);
    if (e == ERR_OK)
        *ret_row = made;
    return e;
}

enum err model_delete(struct control *c, int64_t workspace_id, struct str name, struct arena *a,
                      struct model_row *ret_row, struct control_why *why)
{
    struct store_stmt *st;
    struct model_row m;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = find(c, workspace_id, name, a, &m, why);
    if (e == ERR_OK)
        e = control_inner_sql(c, "UPDATE model_api SET deleted_us = ?2, updated_us = ?2 WHERE id = ?1", &st, why);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, m.id);
        store_bind_i64(st, 2, clock_wall_us());
        e = control_inner_run(c, st, why);
    }
    if (e == ERR_OK)
        e = model_drop_policies(c, m.id, why);
    if (e == ERR_OK)
        e = note(c, "model.delete", &m, NULL, why);
    e = control_inner_end(c, e, why);
    if (e == ERR_OK)
        *ret_row = m;
    return e;
}

/* ---- revisions ---- */

static enum err revisions(struct control *c, const struct model_row *m, size_t limit, struct arena *a,
                          struct model_revision *rows, size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    bool row = true;
    size_t n = 0;
    enum err e = control_inner_sql(c,
                                   "SELECT number, spec, created_us, created_by FROM model_revision "
                                   "WHERE model_id = ?1 ORDER BY number DESC LIMIT ?2",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, m->id);
    store_bind_i64(st, 2, (int64_t)limit);
    while (e == ERR_OK && row && n < limit) {
        e = store_step(st, &row);
        if (e != ERR_OK) {
            e = control_inner_store_failed(c, e, why);
        } else if (row) {
            struct model_revision *r = &rows[n++];
            *r = (struct model_revision){.number = (uint32_t)store_i64(st, 0),
                                         .spec = arena_dup(a, store_text(st, 1)),
                                         .created_us = store_i64(st, 2),
                                         .created_by = arena_dup(a, store_text(st, 3))};
            e = r->spec.p && r->created_by.p ? ERR_OK : control_inner_arena_full(why);
        }
    }
    store_done(st);
    store_clear(st);
    *ret_count = n;
    return e;
}

enum err model_revisions(struct control *c, int64_t workspace_id, struct str name, size_t limit, struct arena *a,
                         struct model_revision **ret_rows, size_t *ret_count, struct control_why *why)
{
    struct model_row m;
    size_t cap = limit < MODEL_REVISIONS_KEPT ? limit : MODEL_REVISIONS_KEPT, count = 0;
    struct model_revision *rows = arena_alloc(a, (cap + 1) * sizeof *rows);
    if (!rows)
        return control_inner_arena_full(why);
    enum err e = control_inner_begin_read(c, why);
    if (e != ERR_OK)
        return e;
    e = find(c, workspace_id, name, a, &m, why);
    if (e == ERR_OK)
        e = revisions(c, &m, cap, a, rows, &count, why);
    control_inner_end_read(c);
    if (e != ERR_OK)
        return e;
    *ret_rows = rows;
    *ret_count = count;
    return ERR_OK;
}
