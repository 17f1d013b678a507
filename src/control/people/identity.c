/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One transaction finds or makes the member, links them, opens the session and notes what it did, so that
 * of two first sign-ins at a time one links and the other finds the link.
 */
#include "control/people/identity.h"

#include "base/clock.h"
#include "control/people/people_inner.h"

#define ROW_ARENA 1024
#define ROW_ARENA_MAX 65536

/* ---- what is linked ---- */

struct link {
    int64_t id;        /* 0 = none */
    int64_t member_id; /* whom it leads to */
    bool gone;         /* that member is no more */
};

static enum err find_link(struct control *c, const struct identity_claim *claim, struct link *ret,
                          struct control_why *why)
{
    struct store_stmt *st;
    bool row;
    enum err e = control_inner_sql(c,
                                   "SELECT i.id, i.member_id, m.deleted_us FROM identity i JOIN member m "
                                   "ON m.id = i.member_id WHERE i.issuer = ?1 AND i.subject = ?2",
                                   &st, why);
    *ret = (struct link){0};
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, claim->issuer);
    store_bind_text(st, 2, claim->subject);
    e = store_step(st, &row);
    if (e != ERR_OK)
        e = control_inner_store_failed(c, e, why);
    else if (row)
        *ret = (struct link){store_i64(st, 0), store_i64(st, 1), store_i64(st, 2) != 0};
    store_done(st);
    store_clear(st);
    return e;
}

/* ERR_FORBIDDEN when somebody else of this provider is the member already. */
static enum err check_free(struct control *c, const struct identity_claim *claim, int64_t member_id,
                           struct control_why *why)
{
    struct store_stmt *st;
    int64_t taken = 0;
    enum err e = control_inner_sql(c, "SELECT id FROM identity WHERE member_id = ?1 AND issuer = ?2", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_i64(st, 1, member_id);
    store_bind_text(st, 2, claim->issuer);
    e = control_inner_number(c, st, 0, &taken, why);
    if (e == ERR_OK && taken)
        e = control_inner_fail(why, ERR_FORBIDDEN, "",
                               "The address %.*s belongs to another account of your provider here; an admin can "
                               "take that link away.",
                               STR_ARG(claim->email));
    return e;
}

static enum err note_link(struct control *c, const struct identity_claim *claim, const struct member *m,
                          struct control_why *why)
{
    struct audit_text t;
    audit_text_begin(&t);
    json_write_member_string(&t.w, "issuer", claim->issuer);
    json_write_member_string(&t.w, "subject", claim->subject);
    json_write_member_int(&t.w, "member", m->id);
    const struct audit_change change = {
        .action = "identity.link", .object_type = "member", .object_id = m->email, .after = audit_text_end(&t)};
    enum err e = audit_note(c, &change, why);
    audit_text_free(&t);
    return e;
}

/* A link that led to somebody who is gone leads to the new member. */
static enum err write_link(struct control *c, const struct identity_claim *claim, const struct link *old,
                           const struct member *m, struct control_why *why)
{
    struct store_stmt *st;
    enum err e = control_inner_sql(c,
                                   old->id ? "UPDATE identity SET member_id = ?3, email = ?4, created_us = ?5, "
                                             "used_us = ?5 WHERE issuer = ?1 AND subject = ?2"
                                           : "INSERT INTO identity(issuer, subject, member_id, email, created_us, "
                                             "used_us) VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
                                   &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, claim->issuer);
    store_bind_text(st, 2, claim->subject);
    store_bind_i64(st, 3, m->id);
    store_bind_text(st, 4, claim->email);
    store_bind_i64(st, 5, clock_wall_us());
    e = control_inner_run(c, st, why);
    return e == ERR_OK ? note_link(c, claim, m, why) : e;
}

/* ---- who may ---- */

/* ERR_FORBIDDEN when the address cannot decide. */
static enum err check_email(const struct identity_claim *claim, struct control_why *why)
{
    if (!claim->email.n)
        return control_inner_fail(why, ERR_FORBIDDEN, "",
                                  "Your provider did not say which e-mail address you have; it must give the scope "
                                  "\"email\" to this server.");
    if (!claim->email_verified)
        return control_inner_fail(why, ERR_FORBIDDEN, "",
                                  "Your provider does not say that %.*s was verified; verify the address there first.",
                                  STR_ARG(claim->email));
    return ERR_OK;
}

static enum err check_domain(const struct identity_claim *claim, const struct identity_rule *rule,
                             struct control_why *why)
{
    ptrdiff_t at = str_find(claim->email, '@');
    if (!rule->domain_count)
        return ERR_OK;
    enum err e = check_email(claim, why);
    if (e != ERR_OK)
        return e;
    struct str domain = str_from(claim->email, (size_t)(at + 1));
    for (size_t i = 0; i < rule->domain_count; i++)
        if (str_eq(domain, rule->domains[i]))
            return ERR_OK;
    return control_inner_fail(why, ERR_FORBIDDEN, "",
                              "Addresses of %.*s may not sign in here; sign in with another account.", STR_ARG(domain));
}

/* Whether a member who is gone had the address. */
static enum err was_member(struct control *c, struct str email, bool *ret, struct control_why *why)
{
    struct store_stmt *st;
    int64_t id = 0;
    enum err e = control_inner_sql(c, "SELECT id FROM member WHERE email = ?1 AND deleted_us <> 0 LIMIT 1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, email);
    e = control_inner_number(c, st, 0, &id, why);
    *ret = id != 0;
    return e;
}

static enum err nobody(const struct identity_claim *claim, struct control_why *why)
{
    return control_inner_fail(why, ERR_FORBIDDEN, "",
                              "%.*s is not a member here; ask an admin to invite that address, then sign in again.",
                              STR_ARG(claim->email));
}

/* Somebody new, as the rule says. */
static enum err join(struct control *c, const struct identity_claim *claim, const struct identity_rule *rule,
                     struct arena *a, int64_t *ret_id, struct control_why *why)
{
    struct store_stmt *st;
    struct member m;
    int64_t workspace_id = 0;
    const struct member_spec spec = {.name = claim->name, .email = claim->email, .role = KIND_ROLE_MEMBER};
    enum err e = control_inner_sql(c, "SELECT id FROM workspace WHERE name = ?1 AND deleted_us = 0 LIMIT 1", &st, why);
    if (e != ERR_OK)
        return e;
    store_bind_text(st, 1, rule->join_workspace);
    e = control_inner_number(c, st, 0, &workspace_id, why);
    if (e == ERR_OK && !workspace_id)
        e = control_inner_fail(why, ERR_FORBIDDEN, "",
                               "The workspace %.*s, which new people are put into, does not exist; tell an admin.",
                               STR_ARG(rule->join_workspace));
    if (e == ERR_OK)
        e = people_inner_insert(c, &spec, ret_id, why);
    if (e == ERR_OK)
        e = people_inner_find(c, *ret_id, a, &m, why);
    return e == ERR_OK ? people_inner_join(c, workspace_id, &m, rule->join_role, why) : e;
}

/* Who has the address, is invited, or may come: *ret_id. */
static enum err find_by_email(struct control *c, const struct identity_claim *claim, const struct identity_rule *rule,
                              const struct link *old, struct arena *a, int64_t *ret_id, struct control_why *why)
{
    bool was = old->gone;
    enum err e = check_email(claim, why);
    if (e == ERR_OK)
        e = people_inner_id_of(c, claim->email, ret_id, why);
    if (e == ERR_OK && *ret_id)
        return check_free(c, claim, *ret_id, why);
    if (e == ERR_OK)
        e = people_inner_accept_all(c, claim->email, claim->name, a, ret_id, why);
    if (e == ERR_OK && !*ret_id && !was)
        e = was_member(c, claim->email, &was, why);
    if (e != ERR_OK || *ret_id)
        return e;
    return rule->join_workspace.n && !was ? join(c, claim, rule, a, ret_id, why) : nobody(claim, why);
}

/* ---- signing in ---- */

static enum err resolve(struct control *c, const struct identity_claim *claim, const struct identity_rule *rule,
                        struct arena *a, struct member *ret, struct control_why *why)
{
    struct link found;
    enum err e = check_domain(claim, rule, why);
    if (e == ERR_OK)
        e = find_link(c, claim, &found, why);
    if (e != ERR_OK)
        return e;
    if (found.id && !found.gone) {
        e = people_inner_run(c, "UPDATE identity SET used_us = ?2 WHERE id = ?1", found.id, clock_wall_us(), why);
        return e == ERR_OK ? people_inner_find(c, found.member_id, a, ret, why) : e;
    }
    int64_t id = 0;
    e = find_by_email(c, claim, rule, &found, a, &id, why);
    if (e == ERR_OK)
        e = people_inner_find(c, id, a, ret, why);
    return e == ERR_OK ? write_link(c, claim, &found, ret, why) : e;
}

enum err identity_sign_in(struct control *c, const struct identity_claim *claim, const struct identity_rule *rule,
                          struct arena *a, struct member *ret_member, struct secret *ret_token, struct session *ret,
                          struct control_why *why)
{
    struct identity_claim said = *claim;
    struct secret token = {0};
    struct control_why ignored = {.param = ""};
    struct member m;
    struct session s;
    if (!claim->email.n || people_inner_email(claim->email, a, &said.email, &ignored) != ERR_OK)
        said.email = STR(""); /* what is no address is none */
    if (claim->name.n && people_inner_name(claim->name, &ignored) != ERR_OK)
        said.name = STR("");
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    e = resolve(c, &said, rule, a, &m, why);
    if (e == ERR_OK)
        e = people_inner_open_session(c, &m, &token, &s, why);
    e = control_inner_end(c, e, why);
    if (e == ERR_OK) {
        *ret_member = m;
        *ret = s;
        secret_set(ret_token, secret_reveal(&token));
    }
    secret_wipe(&token);
    return e;
}

/* The rows of a statement whose values are bound. */
static enum err read_rows(struct control *c, struct store_stmt *st, struct arena *a, struct identity *rows,
                          size_t *ret_count, struct control_why *why)
{
    bool row = true;
    size_t n = 0;
    enum err e = ERR_OK;
    while (e == ERR_OK && row && n < IDENTITY_LIST_MAX) {
        e = store_step(st, &row);
        if (e != ERR_OK)
            e = control_inner_store_failed(c, e, why);
        if (e != ERR_OK || !row)
            continue;
        rows[n] = (struct identity){.issuer = arena_dup(a, store_text(st, 0)),
                                    .subject = arena_dup(a, store_text(st, 1)),
                                    .email = arena_dup(a, store_text(st, 2)),
                                    .created_us = store_i64(st, 3),
                                    .used_us = store_i64(st, 4)};
        if (!rows[n].issuer.p || !rows[n].subject.p || !rows[n].email.p)
            e = control_inner_arena_full(why);
        n++;
    }
    *ret_count = n;
    return e;
}

enum err identity_list(struct control *c, int64_t member_id, struct arena *a, struct identity **ret_rows,
                       size_t *ret_count, struct control_why *why)
{
    struct store_stmt *st;
    struct member m;
    *ret_rows = arena_alloc(a, IDENTITY_LIST_MAX * sizeof **ret_rows);
    enum err e = *ret_rows ? control_inner_begin_read(c, why) : control_inner_arena_full(why);
    if (e != ERR_OK)
        return e;
    e = people_inner_find(c, member_id, a, &m, why);
    if (e == ERR_OK)
        e = control_inner_sql(
            c, "SELECT issuer, subject, email, created_us, used_us FROM identity WHERE member_id = ?1 ORDER BY id", &st,
            why);
    if (e == ERR_OK) {
        store_bind_i64(st, 1, member_id);
        e = read_rows(c, st, a, *ret_rows, ret_count, why);
        store_done(st);
        store_clear(st);
    }
    control_inner_end_read(c);
    return e;
}

enum err identity_unlink(struct control *c, int64_t member_id, struct control_why *why)
{
    struct member m;
    enum err e = control_inner_begin(c, why);
    if (e != ERR_OK)
        return e;
    struct arena *a = arena_new(ROW_ARENA, ROW_ARENA_MAX);
    e = people_inner_find(c, member_id, a, &m, why);
    if (e == ERR_OK)
        e = people_inner_run(c, "DELETE FROM identity WHERE member_id = ?1 AND ?2 >= 0", member_id, 0, why);
    if (e == ERR_OK && store_changes(c->db) == 0)
        e = control_inner_fail(why, ERR_NOT_FOUND, "user", "This member is not linked to any provider.");
    const struct audit_change change = {
        .action = "identity.unlink", .object_type = "member", .object_id = e == ERR_OK ? m.email : STR("")};
    if (e == ERR_OK)
        e = audit_note(c, &change, why);
    e = control_inner_end(c, e, why);
    arena_free(a);
    return e;
}
