/* SPDX-License-Identifier: Apache-2.0 */
/* People: who reaches what with which key, how somebody comes in and goes, service accounts and their tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "control/control_key.h"
#include "control/people/account.h"
#include "control/people/audit.h"
#include "control/people/invitation.h"
#include "control/people/member.h"
#include "control/people/reach.h"
#include "control/people/token.h"
#include "control_bench.h"

#define OK(call)                                 \
    do {                                         \
        struct control_why why = {.param = ""};  \
        if ((call) != ERR_OK)                    \
            fail_msg("%s: %s", #call, why.text); \
    } while (0)
#define REFUSED(expected, call)                 \
    do {                                        \
        struct control_why why = {.param = ""}; \
        assert_int_equal((call), expected);     \
        assert_true(strlen(why.text) > 10);     \
    } while (0)

static int64_t ahead_us;

static int64_t later(void)
{
    return 1800000000 * INT64_C(1000000) + ahead_us;
}

static uint64_t mono(void)
{
    return 1;
}

static struct control *open_later(struct bench *t)
{
    static const struct clock_source source = {.mono_us = mono, .wall_us = later};
    ahead_us = 0;
    clock_set_source(&source);
    return bench_open(t, NULL);
}

static int teardown(void **state)
{
    clock_set_source(NULL);
    return bench_teardown(state);
}

static struct member make_member(struct bench *t, struct control *c, const char *email, enum kind_role role)
{
    struct member m = {0};
    const struct member_spec spec = {.email = str_c(email), .role = role};
    OK(member_create(c, &spec, t->arena, &m, &why));
    return m;
}

static int64_t make_workspace(struct control *c, const char *name)
{
    int64_t id = 0;
    OK(control_workspace_create(c, str_c(name), STR(""), &id, &why));
    return id;
}

static struct control_key make_key(struct bench *t, struct control *c, int64_t workspace_id, int64_t member_id,
                                   enum kind_role role, struct secret *ret_text)
{
    struct control_key row = {0};
    const struct control_key_spec spec = {.name = STR("k"), .role = role, .member_id = member_id};
    OK(control_key_create(c, workspace_id, &spec, t->arena, &row, ret_text, &why));
    return row;
}

/* The role in that workspace; KIND_ROLE_COUNT for none, or when the key does not let in at all. */
static enum kind_role role_of(struct control *c, const struct secret *text, int64_t workspace_id)
{
    const struct snapshot_key *k;
    struct reach r;
    enum kind_role role = KIND_ROLE_COUNT;
    struct snapshot *s = control_snapshot(c);
    if (snapshot_judge(s, secret_reveal(text), clock_wall_us(), &k) == SNAPSHOT_ADMITTED &&
        reach_workspace(s, k, workspace_id, &r)) {
        assert_int_equal(r.workspace->id, workspace_id);
        role = r.role;
    }
    snapshot_unref(s);
    return role;
}

static size_t reached(struct control *c, const struct secret *text)
{
    const struct snapshot_key *k;
    struct reach r;
    size_t n = 0;
    struct snapshot *s = control_snapshot(c);
    assert_int_equal(snapshot_judge(s, secret_reveal(text), clock_wall_us(), &k), SNAPSHOT_ADMITTED);
    while (reach_at(s, k, n, &r)) {
        struct reach again;
        assert_true(reach_workspace(s, k, r.workspace->id, &again));
        assert_int_equal(again.role, r.role);
        n++;
    }
    snapshot_unref(s);
    return n;
}

static void a_persons_key_reaches_what_the_person_does(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct secret text = {0};
    int64_t a = make_workspace(c, "a"), b = make_workspace(c, "b"), other = make_workspace(c, "other");
    struct member ann = make_member(t, c, "Ann@Example.com", KIND_ROLE_MEMBER);
    assert_true(str_eq(ann.email, STR("ann@example.com")));
    OK(membership_set(c, a, ann.id, KIND_ROLE_MEMBER, &why));
    OK(membership_set(c, b, ann.id, KIND_ROLE_ADMIN, &why));
    make_key(t, c, a, ann.id, KIND_ROLE_ADMIN, &text);
    assert_int_equal(role_of(c, &text, a), KIND_ROLE_MEMBER); /* the weaker of both */
    assert_int_equal(role_of(c, &text, b), KIND_ROLE_ADMIN);
    assert_int_equal(role_of(c, &text, other), KIND_ROLE_COUNT);
    assert_int_equal(role_of(c, &text, 1), KIND_ROLE_COUNT);
    assert_int_equal(role_of(c, &text, 999), KIND_ROLE_COUNT);
    assert_int_equal(reached(c, &text), 2);
    OK(membership_set(c, a, ann.id, KIND_ROLE_VIEWER, &why));
    assert_int_equal(role_of(c, &text, a), KIND_ROLE_VIEWER); /* with the call's return */
    secret_wipe(&text);
    control_close(c);
}

static void a_service_key_reaches_one_workspace(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct secret text = {0};
    int64_t a = make_workspace(c, "a");
    make_key(t, c, a, 0, KIND_ROLE_OWNER, &text);
    assert_int_equal(role_of(c, &text, a), KIND_ROLE_OWNER);
    assert_int_equal(role_of(c, &text, 1), KIND_ROLE_COUNT);
    assert_int_equal(reached(c, &text), 1);
    secret_wipe(&text);
    control_close(c);
}

static void admins_of_the_organization_reach_everything(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct secret text = {0}, weak = {0};
    int64_t a = make_workspace(c, "a");
    struct member bob = make_member(t, c, "bob@example.com", KIND_ROLE_ADMIN);
    make_key(t, c, 1, bob.id, KIND_ROLE_OWNER, &text);
    make_key(t, c, a, bob.id, KIND_ROLE_VIEWER, &weak);
    assert_int_equal(role_of(c, &text, 1), KIND_ROLE_ADMIN);
    assert_int_equal(role_of(c, &text, a), KIND_ROLE_ADMIN);
    assert_int_equal(role_of(c, &weak, 1), KIND_ROLE_VIEWER);
    assert_int_equal(reached(c, &text), 2);
    assert_int_equal(reached(c, &t->start.admin_key), 2);
    const enum kind_role member = KIND_ROLE_MEMBER;
    const struct member_change change = {.role = &member};
    OK(member_update(c, bob.id, &change, &why));
    assert_int_equal(role_of(c, &text, 1), KIND_ROLE_COUNT); /* no membership, no access */
    secret_wipe(&text);
    secret_wipe(&weak);
    control_close(c);
}

static void who_leaves_loses_access_at_once(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct secret text = {0};
    int64_t a = make_workspace(c, "a"), b = make_workspace(c, "b");
    struct member ann = make_member(t, c, "ann@example.com", KIND_ROLE_MEMBER);
    OK(membership_set(c, a, ann.id, KIND_ROLE_MEMBER, &why));
    OK(membership_set(c, b, ann.id, KIND_ROLE_MEMBER, &why));
    make_key(t, c, a, ann.id, KIND_ROLE_MEMBER, &text);
    OK(membership_remove(c, a, ann.id, &why));
    assert_int_equal(role_of(c, &text, a), KIND_ROLE_COUNT);
    assert_int_equal(role_of(c, &text, b), KIND_ROLE_MEMBER); /* its key serves where the person still is */
    OK(membership_remove(c, b, ann.id, &why));
    assert_int_equal(bench_judge(c, secret_reveal(&text)), SNAPSHOT_DISABLED);
    OK(membership_set(c, b, ann.id, KIND_ROLE_MEMBER, &why));
    assert_int_equal(bench_judge(c, secret_reveal(&text)), SNAPSHOT_ADMITTED);
    OK(member_delete(c, ann.id, &why));
    assert_int_equal(bench_judge(c, secret_reveal(&text)), SNAPSHOT_REVOKED);
    REFUSED(ERR_NOT_FOUND, member_delete(c, ann.id, &why));
    control_close(c);
    c = bench_open(t, NULL);
    assert_int_equal(bench_judge(c, secret_reveal(&text)), SNAPSHOT_REVOKED);
    secret_wipe(&text);
    control_close(c);
}

static void nobody_is_locked_out(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    int64_t a = make_workspace(c, "a");
    const enum kind_role admin = KIND_ROLE_ADMIN;
    const struct member_change demote = {.role = &admin};
    struct member ann = make_member(t, c, "ann@example.com", KIND_ROLE_MEMBER);
    struct member bob = make_member(t, c, "bob@example.com", KIND_ROLE_MEMBER);
    REFUSED(ERR_LAST_OWNER, member_update(c, 1, &demote, &why));
    REFUSED(ERR_LAST_OWNER, member_delete(c, 1, &why));
    OK(membership_set(c, a, ann.id, KIND_ROLE_ADMIN, &why));
    OK(membership_set(c, a, bob.id, KIND_ROLE_MEMBER, &why));
    REFUSED(ERR_LAST_OWNER, membership_set(c, a, ann.id, KIND_ROLE_MEMBER, &why));
    REFUSED(ERR_LAST_OWNER, membership_remove(c, a, ann.id, &why));
    REFUSED(ERR_LAST_OWNER, member_delete(c, ann.id, &why));
    OK(membership_remove(c, a, bob.id, &why));
    OK(membership_set(c, a, bob.id, KIND_ROLE_ADMIN, &why));
    OK(membership_remove(c, a, ann.id, &why));
    OK(member_delete(c, ann.id, &why));
    control_close(c);
}

static void a_key_is_made_only_for_who_is_there(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct control_key row;
    struct secret text = {0};
    struct member ann = make_member(t, c, "ann@example.com", KIND_ROLE_MEMBER);
    const struct control_key_spec spec = {.name = STR("k"), .role = KIND_ROLE_MEMBER, .member_id = ann.id};
    const struct control_key_spec nobody = {.name = STR("k"), .role = KIND_ROLE_MEMBER, .member_id = 77};
    const struct control_key_spec account = {.name = STR("k"), .role = KIND_ROLE_MEMBER, .service_account_id = 5};
    const struct member_spec twice = {.email = STR("ANN@example.com"), .role = KIND_ROLE_MEMBER};
    struct member ignored;
    REFUSED(ERR_BAD_PARAMETER, control_key_create(c, 1, &spec, t->arena, &row, &text, &why));
    REFUSED(ERR_BAD_PARAMETER, control_key_create(c, 1, &nobody, t->arena, &row, &text, &why));
    REFUSED(ERR_BAD_PARAMETER, control_key_create(c, 1, &account, t->arena, &row, &text, &why));
    REFUSED(ERR_CONFLICT, member_create(c, &twice, t->arena, &ignored, &why));
    static const char *const bad[] = {"", "ann", "@x", "x@", "a@b@c", "a b@c", "<a@b>", "\xc3\xa9@x", "a@b\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct member_spec wrong = {.email = str_c(bad[i]), .role = KIND_ROLE_MEMBER};
        assert_int_not_equal(member_create(c, &wrong, t->arena, &ignored, &(struct control_why){.param = ""}), ERR_OK);
    }
    control_close(c);
}

/* ---- invitations ---- */

static struct invitation invite(struct bench *t, struct control *c, const char *email, int64_t workspace_id,
                                struct secret *ret)
{
    struct invitation i = {0};
    const struct invitation_spec spec = {.email = str_c(email), .role = KIND_ROLE_MEMBER, .workspace_id = workspace_id};
    OK(invitation_create(c, &spec, t->arena, &i, ret, &why));
    return i;
}

static size_t members_of(struct bench *t, struct control *c, int64_t workspace_id)
{
    struct membership *rows;
    size_t n = 0;
    OK(membership_list(c, workspace_id, t->arena, &rows, &n, &why));
    return n;
}

static void an_invitation_grants_nothing_before_it_is_accepted(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct secret link = {0}, key = {0};
    struct member m;
    struct invitation *rows;
    size_t n = 0;
    int64_t a = make_workspace(c, "a");
    invite(t, c, "New@Example.com", a, &link);
    assert_int_equal(members_of(t, c, a), 0);
    OK(invitation_list(c, a, false, t->arena, &rows, &n, &why));
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].state, INVITATION_PENDING);
    OK(invitation_accept(c, secret_reveal(&link), STR("New One"), false, t->arena, &m, &why));
    assert_true(str_eq(m.email, STR("new@example.com")));
    assert_true(str_eq(m.name, STR("New One")));
    assert_int_equal(m.role, KIND_ROLE_MEMBER);
    assert_int_equal(members_of(t, c, a), 1);
    make_key(t, c, a, m.id, KIND_ROLE_MEMBER, &key);
    assert_int_equal(role_of(c, &key, a), KIND_ROLE_MEMBER);
    REFUSED(ERR_CONFLICT, invitation_accept(c, secret_reveal(&link), STR(""), false, t->arena, &m, &why));
    REFUSED(ERR_CONFLICT, invitation_decline(c, secret_reveal(&link), &why));
    REFUSED(ERR_NOT_FOUND, invitation_accept(c, STR("ti-guess"), STR(""), false, t->arena, &m, &why));
    const struct invitation_spec again = {.email = STR("new@example.com"), .role = KIND_ROLE_MEMBER, .workspace_id = a};
    REFUSED(ERR_CONFLICT, invitation_create(c, &again, t->arena, &rows[0], &link, &why));
    secret_wipe(&link);
    secret_wipe(&key);
    control_close(c);
}

static void the_person_invited_answers_without_the_link(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct secret link = {0};
    struct invitation *rows;
    size_t n = 0;
    int64_t a = make_workspace(c, "a"), b = make_workspace(c, "b");
    struct member ann = make_member(t, c, "ann@example.com", KIND_ROLE_MEMBER);
    struct member eve = make_member(t, c, "eve@example.com", KIND_ROLE_MEMBER);
    invite(t, c, "ann@example.com", a, &link);
    invite(t, c, "ann@example.com", b, &link);
    OK(invitation_list_for(c, STR("ann@example.com"), t->arena, &rows, &n, &why));
    assert_int_equal(n, 2);
    REFUSED(ERR_NOT_FOUND, invitation_accept_as(c, eve.id, a, &why));
    OK(invitation_accept_as(c, ann.id, a, &why));
    OK(invitation_decline_as(c, ann.id, b, &why));
    assert_int_equal(members_of(t, c, a), 1);
    assert_int_equal(members_of(t, c, b), 0);
    REFUSED(ERR_NOT_FOUND, invitation_accept_as(c, ann.id, b, &why));
    secret_wipe(&link);
    control_close(c);
}

static void invitations_end_by_time_revocation_and_a_newer_one(void **state)
{
    struct bench *t = *state;
    struct control *c = open_later(t);
    struct secret first = {0}, second = {0}, third = {0};
    struct member m;
    struct invitation *rows;
    size_t n = 0;
    int64_t a = make_workspace(c, "a");
    invite(t, c, "ann@example.com", a, &first);
    invite(t, c, "ann@example.com", a, &second);
    REFUSED(ERR_CONFLICT, invitation_accept(c, secret_reveal(&first), STR(""), false, t->arena, &m, &why));
    OK(invitation_revoke(c, a, STR("Ann@example.com"), &why));
    REFUSED(ERR_CONFLICT, invitation_accept(c, secret_reveal(&second), STR(""), false, t->arena, &m, &why));
    REFUSED(ERR_NOT_FOUND, invitation_revoke(c, a, STR("ann@example.com"), &why));
    invite(t, c, "ann@example.com", a, &third);
    ahead_us = INVITATION_LASTS_US;
    REFUSED(ERR_NOT_FOUND, invitation_accept(c, secret_reveal(&third), STR(""), false, t->arena, &m, &why));
    OK(invitation_list(c, a, false, t->arena, &rows, &n, &why));
    assert_int_equal(n, 3);
    assert_int_equal(rows[0].state, INVITATION_EXPIRED);
    ahead_us = INVITATION_LASTS_US - 1;
    OK(invitation_accept(c, secret_reveal(&third), STR(""), false, t->arena, &m, &why));
    secret_wipe(&first);
    secret_wipe(&second);
    secret_wipe(&third);
    control_close(c);
}

/* ---- service accounts ---- */

static enum snapshot_verdict judge_text(struct control *c, struct str text)
{
    return bench_judge(c, text);
}

static void tokens_stand_for_the_account_until_they_expire_or_it_goes(void **state)
{
    struct bench *t = *state;
    struct control *c = open_later(t);
    struct account acc;
    struct secret secret = {0}, key = {0};
    struct buf access, refresh, again, ignored;
    struct control_key row;
    struct control_key *keys;
    size_t n = 0;
    const struct account_spec spec = {.name = STR("ci"), .role = KIND_ROLE_ADMIN};
    buf_init(&access, 1024);
    buf_init(&refresh, 1024);
    buf_init(&again, 1024);
    buf_init(&ignored, 1024);
    OK(account_create(c, 1, &spec, t->arena, &acc, &secret, &why));
    REFUSED(ERR_KEY_INVALID, account_tokens(c, acc.client_id, STR("ts-wrong"), &ignored, &ignored, &why));
    REFUSED(ERR_KEY_INVALID, account_tokens(c, STR("sa-none"), secret_reveal(&secret), &ignored, &ignored, &why));
    OK(account_tokens(c, acc.client_id, secret_reveal(&secret), &access, &refresh, &why));
    assert_int_equal(judge_text(c, buf_str(&access)), SNAPSHOT_ADMITTED);
    assert_int_not_equal(judge_text(c, buf_str(&refresh)), SNAPSHOT_ADMITTED); /* is for refreshing only */
    assert_int_not_equal(judge_text(c, secret_reveal(&secret)), SNAPSHOT_ADMITTED);
    const struct control_key_spec of_account = {
        .name = STR("k"), .role = KIND_ROLE_MEMBER, .service_account_id = acc.id};
    OK(control_key_create(c, 1, &of_account, t->arena, &row, &key, &why));
    assert_int_equal(row.role, KIND_ROLE_ADMIN); /* the account's */
    OK(control_key_list_of(c, 0, acc.id, t->arena, &keys, &n, &why));
    assert_int_equal(n, 1);
    OK(control_key_list(c, 1, 0, 100, t->arena, &keys, &n, &why));
    assert_int_equal(n, 2); /* the owner's and this one: what stands for the account is none */
    ahead_us = (int64_t)TOKEN_ACCESS_S * 1000000;
    assert_int_equal(judge_text(c, buf_str(&access)), SNAPSHOT_EXPIRED);
    OK(account_refresh(c, buf_str(&refresh), &again, &ignored, &why));
    assert_int_equal(judge_text(c, buf_str(&again)), SNAPSHOT_ADMITTED);
    REFUSED(ERR_KEY_INVALID, account_refresh(c, buf_str(&again), &ignored, &ignored, &why));
    OK(account_delete(c, 1, acc.client_id, &why));
    assert_int_equal(judge_text(c, buf_str(&again)), SNAPSHOT_REVOKED);
    assert_int_equal(judge_text(c, secret_reveal(&key)), SNAPSHOT_REVOKED);
    REFUSED(ERR_KEY_INVALID, account_refresh(c, buf_str(&refresh), &ignored, &ignored, &why));
    REFUSED(ERR_KEY_INVALID, account_tokens(c, acc.client_id, secret_reveal(&secret), &ignored, &ignored, &why));
    secret_wipe(&secret);
    secret_wipe(&key);
    buf_free(&access);
    buf_free(&refresh);
    buf_free(&again);
    buf_free(&ignored);
    control_close(c);
}

static void no_altered_token_lets_in(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct account acc;
    struct secret secret = {0};
    struct buf access, refresh;
    const struct account_spec spec = {.name = STR("ci"), .role = KIND_ROLE_MEMBER};
    unsigned tried = 0;
    buf_init(&access, 1024);
    buf_init(&refresh, 1024);
    OK(account_create(c, 1, &spec, t->arena, &acc, &secret, &why));
    OK(account_tokens(c, acc.client_id, secret_reveal(&secret), &access, &refresh, &why));
    for (size_t i = 0; i < buf_size(&access); i++) {
        char *at = access.p + access.start + i, kept = *at;
        for (int bit = 0; bit < 7; bit++) {
            *at = (char)(kept ^ 1 << bit);
            /* the last digit of a base64 text has bits that mean nothing; such a text is refused too */
            assert_int_not_equal(bench_judge(c, buf_str(&access)), SNAPSHOT_ADMITTED);
            tried++;
        }
        *at = kept;
    }
    for (size_t n = 0; n < buf_size(&access); n++)
        assert_int_not_equal(bench_judge(c, str_head(buf_str(&access), n)), SNAPSHOT_ADMITTED);
    /* "alg":"none" and another installation's */
    static const char none[] = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJrZXkiOjF9.";
    assert_int_not_equal(bench_judge(c, str_c(none)), SNAPSHOT_ADMITTED);
    unsigned char foreign[TOKEN_KEY_BYTES] = {1};
    struct buf other;
    buf_init(&other, 1024);
    assert_true(token_make(foreign, TOKEN_ACCESS, STR("x"), 1, clock_wall_us() / 1000000, &other));
    assert_int_not_equal(bench_judge(c, buf_str(&other)), SNAPSHOT_ADMITTED);
    assert_int_equal(bench_judge(c, buf_str(&access)), SNAPSHOT_ADMITTED);
    print_message("%u altered tokens, none let in\n", tried);
    buf_free(&other);
    buf_free(&access);
    buf_free(&refresh);
    secret_wipe(&secret);
    control_close(c);
}

static void an_account_changes_role_and_secret(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct account acc;
    struct secret secret = {0}, fresh = {0};
    struct buf access, refresh;
    const enum kind_role viewer = KIND_ROLE_VIEWER, owner = KIND_ROLE_OWNER;
    const struct account_spec spec = {.name = STR("ci"), .role = KIND_ROLE_MEMBER};
    const struct account_change demote = {.role = &viewer}, promote = {.role = &owner};
    const struct snapshot_key *k;
    buf_init(&access, 1024);
    buf_init(&refresh, 1024);
    OK(account_create(c, 1, &spec, t->arena, &acc, &secret, &why));
    OK(account_tokens(c, acc.client_id, secret_reveal(&secret), &access, &refresh, &why));
    OK(account_update(c, 1, acc.client_id, &demote, t->arena, &acc, &why));
    REFUSED(ERR_BAD_PARAMETER, account_update(c, 1, acc.client_id, &promote, t->arena, &acc, &why));
    struct snapshot *s = control_snapshot(c);
    assert_int_equal(snapshot_judge(s, buf_str(&access), clock_wall_us(), &k), SNAPSHOT_ADMITTED);
    assert_int_equal(k->role, KIND_ROLE_VIEWER);
    snapshot_unref(s);
    OK(account_rotate(c, 1, acc.client_id, &fresh, &why));
    REFUSED(ERR_KEY_INVALID, account_tokens(c, acc.client_id, secret_reveal(&secret), &access, &refresh, &why));
    REFUSED(ERR_KEY_INVALID, account_refresh(c, buf_str(&refresh), &access, &access, &why));
    s = control_snapshot(c);
    assert_int_not_equal(snapshot_judge(s, buf_str(&access), clock_wall_us(), &k), SNAPSHOT_ADMITTED);
    snapshot_unref(s);
    OK(account_tokens(c, acc.client_id, secret_reveal(&fresh), &refresh, &refresh, &why));
    secret_wipe(&secret);
    secret_wipe(&fresh);
    buf_free(&access);
    buf_free(&refresh);
    control_close(c);
}

static void every_change_of_people_is_in_the_audit_log(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct control_why cause;
    struct audit_row *rows;
    struct audit_result result;
    struct account acc;
    struct secret secret = {0};
    uint64_t total;
    size_t n = 0;
    static const char *const newest_first[] = {
        "service_account.delete", "service_account.rotate", "service_account.create", "invitation.revoke",
        "invitation.create",      "member.delete",          "membership.delete",      "membership.update",
        "membership.create",      "member.create",          "workspace.create"};
    const struct account_spec spec = {.name = STR("ci"), .role = KIND_ROLE_MEMBER};
    int64_t a = make_workspace(c, "a");
    struct member ann = make_member(t, c, "ann@example.com", KIND_ROLE_MEMBER);
    OK(membership_set(c, a, ann.id, KIND_ROLE_VIEWER, &why));
    OK(membership_set(c, a, ann.id, KIND_ROLE_MEMBER, &why));
    OK(membership_set(c, a, ann.id, KIND_ROLE_MEMBER, &why)); /* changes nothing: no row */
    OK(membership_remove(c, a, ann.id, &why));
    OK(member_delete(c, ann.id, &why));
    invite(t, c, "eve@example.com", a, &secret);
    OK(invitation_revoke(c, a, STR("eve@example.com"), &why));
    OK(account_create(c, a, &spec, t->arena, &acc, &secret, &why));
    OK(account_rotate(c, a, acc.client_id, &secret, &why));
    OK(account_delete(c, a, acc.client_id, &why));
    const struct audit_filter f = {0};
    OK(audit_list(c, &f, 100, t->arena, &rows, &n, &total, &why));
    for (size_t i = 0; i < sizeof newest_first / sizeof newest_first[0]; i++)
        if (!str_eq(rows[i].action, str_c(newest_first[i])))
            fail_msg("%zu: %.*s", i, STR_ARG(rows[i].action));
    assert_int_equal(audit_verify(t->dir, NULL, 0, NULL, &result, &cause), ERR_OK);
    assert_int_equal(result.findings, 0);
    secret_wipe(&secret);
    control_close(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, bench_setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_persons_key_reaches_what_the_person_does),
        CASE(a_service_key_reaches_one_workspace),
        CASE(admins_of_the_organization_reach_everything),
        CASE(who_leaves_loses_access_at_once),
        CASE(nobody_is_locked_out),
        CASE(a_key_is_made_only_for_who_is_there),
        CASE(an_invitation_grants_nothing_before_it_is_accepted),
        CASE(the_person_invited_answers_without_the_link),
        CASE(invitations_end_by_time_revocation_and_a_newer_one),
        CASE(tokens_stand_for_the_account_until_they_expire_or_it_goes),
        CASE(no_altered_token_lets_in),
        CASE(an_account_changes_role_and_secret),
        CASE(every_change_of_people_is_in_the_audit_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
