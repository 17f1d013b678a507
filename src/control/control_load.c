/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything in the database as a snapshot. One pass over each table, in the order in which
 * snapshot_build wants them. An integration whose row cannot be understood any more is not left out
 * but marked as broken, so that its users are told what is wrong. For the same reason a config that
 * cannot be read is replaced by one that names it and leads nowhere: requests that were to follow it
 * are refused, and do not go another way. A version that the last snapshot has is not compiled again.
 *
 * Revoked keys stay in for REVOKED_SHOWN_US, so that a caller who still uses one is told so and
 * shows up in the records under the key's name; then they are as good as unknown.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "control/base_url.h"
#include "control/config/config.h"
#include "control/control_inner.h"
#include "control/deployment.h"
#include "control/limit/rule_inner.h"
#include "control/model/model_inner.h"
#include "control/snapshot_build.h"

#define REVOKED_SHOWN_US (INT64_C(90) * 24 * 3600 * 1000000)
#define SCRATCH_MAX ((size_t)1 << 20)

struct loader {
    struct control *control;
    struct snapshot_build *build;
    struct control_why *why;
    struct arena *scratch; /* reset for each row */
};

/* Calls `each` for every row of `st`, whose values have been bound. */
static enum err for_rows(struct loader *l, struct store_stmt *st,
                         enum err (*each)(struct loader *l, struct store_stmt *st))
{
    bool row = true;
    enum err e = ERR_OK;
    while (e == ERR_OK && row) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(l->control, e, l->why);
        else if (row)
            e = each(l, st);
    }
    store_done(st);
    store_clear(st);
    return e;
}

static enum err damaged(struct loader *l, const char *table, int64_t id)
{
    return control_inner_fail(l->why, ERR_CORRUPT, "", "control.db: row %lld of %s has a value that cannot be.",
                              (long long)id, table);
}

static enum err add_workspace(struct loader *l, struct store_stmt *st)
{
    snapshot_build_workspace(l->build, store_i64(st, 0), store_text(st, 1), store_text(st, 2));
    return ERR_OK;
}

static const char config_sql[] = "SELECT c.id, c.workspace_id, c.slug, c.version, c.is_default, v.id, v.sealed_text "
                                 "FROM config c JOIN workspace w ON w.id = c.workspace_id "
                                 "JOIN config_version v ON v.config_id = c.id AND v.number = c.version "
                                 "WHERE c.deleted_us = 0 AND w.deleted_us = 0 ORDER BY c.id";

static struct config *unreadable(struct str slug)
{
    char text[128];
    struct config *config = NULL;
    struct config_errors *errors = mem_zalloc(sizeof *errors);
    int n = snprintf(text, sizeof text, "{\"virtual_key\":\"%.*s cannot be read\"}", STR_ARG(str_head(slug, 63)));
    enum err e = config_compile(str_of(text, (size_t)n), &config, errors);
    must(e == ERR_OK);
    mem_free(errors);
    return config;
}

static struct config *compile(struct loader *l, struct store_stmt *st)
{
    const struct crypt_place place = {"config_version", store_i64(st, 5), "sealed_text"};
    struct secret text = {0};
    struct config *config = NULL;
    struct config_errors *errors = mem_zalloc(sizeof *errors);
    if (crypt_open(l->control->crypt, store_i64(st, 1), place, store_text(st, 6), &text) != ERR_OK ||
        config_compile(secret_reveal(&text), &config, errors) != ERR_OK)
        config = unreadable(store_text(st, 2));
    mem_free(errors);
    secret_wipe(&text);
    return config;
}

static enum err add_config(struct loader *l, struct store_stmt *st)
{
    int64_t id = store_i64(st, 0), workspace_id = store_i64(st, 1);
    uint32_t version = (uint32_t)store_i64(st, 3);
    struct str slug = store_text(st, 2);
    const struct snapshot *last = l->control->current;
    const struct config *known = last ? snapshot_find_config(last, workspace_id, slug) : NULL;
    struct config *config;
    if (known && known->id == id && known->version == version) {
        config = config_ref(known);
    } else {
        config = compile(l, st);
        config_name(config, id, slug, version, workspace_id);
    }
    snapshot_build_config(l->build, config, store_i64(st, 4) != 0);
    return ERR_OK;
}

/*
 * One row for a member, then one for each workspace that they are in. No join of both: `standing` has no index,
 * so each member would read all of it.
 */
static const char member_sql[] =
    "SELECT id, name, role, NULL, NULL FROM member WHERE deleted_us = 0 UNION ALL "
    "SELECT m.id, NULL, NULL, w.id, s.role FROM standing s JOIN member m ON m.id = s.member_id AND m.deleted_us = 0 "
    "JOIN workspace w ON w.id = s.workspace_id AND w.deleted_us = 0 ORDER BY 1, 4";

static enum err add_member(struct loader *l, struct store_stmt *st)
{
    enum kind_role role;
    int64_t id = store_i64(st, 0);
    bool person = store_is_null(st, 3);
    if (!kind_role_from(store_text(st, person ? 2 : 4), &role))
        return damaged(l, person ? "member" : "membership", id);
    if (person)
        snapshot_build_member(l->build, id, store_text(st, 1), role);
    else
        snapshot_build_reach(l->build, store_i64(st, 3), role);
    return ERR_OK;
}

static const char key_sql[] =
    "SELECT k.id, k.workspace_id, k.member_id, k.public_id, k.name, k.role, k.record_bodies, k.disabled, "
    "       k.revoked_us, k.expires_us, k.hash, k.scopes, k.config_fixed, k.metadata, k.config_id, "
    "       k.previous_hash, k.previous_until_us, k.kind "
    "FROM api_key k JOIN workspace w ON w.id = k.workspace_id "
    "WHERE w.deleted_us = 0 AND (k.revoked_us = 0 OR k.revoked_us > ?1) "
    "AND (k.kind NOT IN ('session', 'device') OR k.expires_us > ?1) ORDER BY k.id";

static enum err add_key(struct loader *l, struct store_stmt *st)
{
    struct snapshot_key k = {
        .id = store_i64(st, 0),
        .workspace_id = store_i64(st, 1),
        .member_id = store_i64(st, 2),
        .public_id = store_text(st, 3),
        .name = store_text(st, 4),
        .expires_us = store_i64(st, 9),
        .config_fixed = store_i64(st, 12) != 0,
        .metadata = store_text(st, 13),
        .session = str_eq(store_text(st, 17), STR("session")),
        .device = str_eq(store_text(st, 17), STR("device")),
    };
    struct str hash = store_text(st, 10), unknown;
    if (!kind_role_from(store_text(st, 5), &k.role) || !kind_bodies_from(store_text(st, 6), &k.record_bodies) ||
        hash.n != sizeof k.hash || !scope_list_read(store_text(st, 11), &k.scopes, &unknown))
        return damaged(l, "api_key", k.id);
    k.default_config = snapshot_build_config_of(l->build, store_i64(st, 14));
    if (!k.default_config && !store_is_null(st, 14) && store_i64(st, 8) == 0)
        return damaged(l, "api_key", k.id); /* to forget it would send its requests another way */
    k.state = store_i64(st, 8) != 0   ? SNAPSHOT_KEY_REVOKED
              : store_i64(st, 7) != 0 ? SNAPSHOT_KEY_DISABLED
                                      : SNAPSHOT_KEY_ACTIVE;
    memcpy(k.hash, hash.p, sizeof k.hash);
    snapshot_build_key(l->build, &k);
    struct str previous = store_text(st, 15);
    int64_t until_us = store_i64(st, 16);
    if (previous.n == sizeof k.hash && until_us > clock_wall_us() - REVOKED_SHOWN_US) {
        /* The text before the last rotation: the same key, that ends sooner; by its id the one above is found. */
        memcpy(k.hash, previous.p, sizeof k.hash);
        if (!k.expires_us || until_us < k.expires_us)
            k.expires_us = until_us;
        snapshot_build_key(l->build, &k);
    }
    return ERR_OK;
}

/* A provider's account may be gone or closed to its workspace; then it is not there either. */
static const char integration_sql[] =
    "SELECT i.id, i.workspace_id, i.slug, a.kind, a.base_url, a.organization, a.project, a.api_version, "
    "       a.deployments, a.sealed_key, i.is_default, a.id, a.workspace_id, i.expires_us, i.hidden, a.all_models "
    "FROM integration i JOIN workspace w ON w.id = i.workspace_id "
    "JOIN integration a ON a.id = coalesce(i.parent_id, i.id) JOIN workspace aw ON aw.id = a.workspace_id "
    "WHERE w.deleted_us = 0 AND aw.deleted_us = 0 AND i.deleted_us = 0 AND a.deleted_us = 0 "
    "AND (a.workspace_id = i.workspace_id OR coalesce((SELECT x.enabled FROM integration_workspace x "
    "     WHERE x.integration_id = a.id AND x.workspace_id = i.workspace_id), a.all_workspaces)) "
    "ORDER BY i.id";

static const char allowed_sql[] =
    "SELECT integration_id, slug, enabled FROM integration_model ORDER BY integration_id, slug";

static enum err add_allowed(struct loader *l, struct store_stmt *st)
{
    snapshot_build_allowed(l->build, store_i64(st, 0), store_text(st, 1), store_i64(st, 2) != 0);
    return ERR_OK;
}

static enum err add_integration(struct loader *l, struct store_stmt *st)
{
    char ignored[200];
    struct snapshot_build_integration in = {
        .id = store_i64(st, 0),
        .workspace_id = store_i64(st, 1),
        .slug = store_text(st, 2),
        .organization = store_text(st, 5),
        .project = store_text(st, 6),
        .api_version = store_text(st, 7),
        .is_default = store_i64(st, 10) != 0,
        .account_id = store_i64(st, 11),
        .expires_us = store_i64(st, 13),
        .hidden = store_i64(st, 14) != 0,
        .only_listed = store_i64(st, 15) == 0,
    };
    struct secret key = {0};
    struct str sealed = store_text(st, 9);
    struct snapshot_deployment *deployments = NULL;
    if (!kind_integration_from(store_text(st, 3), &in.kind))
        return damaged(l, "integration", in.id);
    arena_reset(l->scratch);
    const struct crypt_place place = {"integration", in.account_id, "sealed_key"};
    if (sealed.n > 0 && crypt_open(l->control->crypt, store_i64(st, 12), place, sealed, &key) != ERR_OK)
        in.broken = true;
    if (base_url_parse(store_text(st, 4), &in.url, ignored, sizeof ignored) != ERR_OK)
        in.broken = true;
    if (deployment_read(store_text(st, 8), l->scratch, &deployments, &in.deployment_count, ignored, sizeof ignored) !=
        ERR_OK)
        in.broken = true;
    in.deployments = deployments;
    in.api_key = in.broken ? STR("") : secret_reveal(&key);
    snapshot_build_integration(l->build, &in);
    secret_wipe(&key);
    return ERR_OK;
}

static enum err load_all(struct loader *l)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(
        l->control, "SELECT id, name, metadata FROM workspace WHERE deleted_us = 0 ORDER BY id", &st, l->why);
    if (e == ERR_OK)
        e = for_rows(l, st, add_workspace);
    if (e == ERR_OK)
        e = control_inner_sql(l->control, config_sql, &st, l->why);
    if (e == ERR_OK)
        e = for_rows(l, st, add_config);
    if (e == ERR_OK)
        e = model_load(l->control, l->build, l->why);
    if (e == ERR_OK)
        e = control_inner_sql(l->control, member_sql, &st, l->why);
    if (e == ERR_OK)
        e = for_rows(l, st, add_member);
    if (e == ERR_OK)
        e = control_inner_sql(l->control, key_sql, &st, l->why);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, clock_wall_us() - REVOKED_SHOWN_US);
        e = for_rows(l, st, add_key);
    }
    if (e == ERR_OK)
        e = control_inner_sql(l->control, allowed_sql, &st, l->why);
    if (e == ERR_OK)
        e = for_rows(l, st, add_allowed);
    if (e == ERR_OK)
        e = control_inner_sql(l->control, integration_sql, &st, l->why);
    if (e == ERR_OK)
        e = for_rows(l, st, add_integration);
    return e == ERR_OK ? rule_load(l->control, l->build, l->why) : e;
}

enum err control_load(struct control *c, struct snapshot **ret_snapshot, struct control_why *why)
{
    struct store_stmt *st;
    int64_t generation = 0;
    enum err e = control_inner_sql(c, "SELECT generation FROM organization", &st, why);
    if (e == ERR_OK)
        e = control_inner_number(c, st, 0, &generation, why);
    if (e != ERR_OK)
        return e;
    struct str pepper = secret_reveal(&c->pepper);
    must(pepper.n == APIKEY_PEPPER_BYTES);
    struct loader l = {.control = c, .why = why, .scratch = arena_new(32768, SCRATCH_MAX)};
    l.build = snapshot_build_begin((uint64_t)generation, (const unsigned char *)pepper.p);
    e = load_all(&l);
    arena_free(l.scratch);
    if (e == ERR_OK)
        *ret_snapshot = snapshot_build_end(l.build);
    else
        snapshot_build_cancel(l.build);
    return e;
}
