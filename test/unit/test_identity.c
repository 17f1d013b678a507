/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in at a provider: who is whom, who may come, and who cannot take over whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/people/audit.h"
#include "control/people/identity.h"
#include "control/people/invitation.h"
#include "control/people/session.h"
#include "control_bench.h"

#define ISSUER "https://id.example"

static const struct identity_rule closed;
static const struct str example_com[] = {{"example.com", 11}};
static const struct identity_rule joins = {
    .domains = example_com, .domain_count = 1, .join_workspace = {"default", 7}, .join_role = KIND_ROLE_VIEWER};

static struct identity_claim claim(const char *subject, const char *email)
{
    return (struct identity_claim){STR(ISSUER), str_c(subject), str_c(email), true, STR("Ann")};
}

/* The member's id; 0 when refused, and then the sentence is in `why`. */
static int64_t enter(struct bench *t, struct control *c, struct identity_claim said, const struct identity_rule *rule,
                     struct control_why *why)
{
    struct member m;
    struct session s;
    struct secret token = {0};
    *why = (struct control_why){.param = ""};
    enum err e = identity_sign_in(c, &said, rule, t->arena, &m, &token, &s, why);
    if (e != ERR_OK) {
        assert_int_equal(e, ERR_FORBIDDEN);
        assert_true(strlen(why->text) > 30);
        return 0;
    }
    assert_true(secret_reveal(&token).n > 30);
    secret_wipe(&token);
    return m.id;
}

static int64_t add(struct bench *t, struct control *c, const char *email)
{
    struct member m;
    struct control_why why;
    const struct member_spec spec = {.name = STR(""), .email = str_c(email), .role = KIND_ROLE_MEMBER};
    if (member_create(c, &spec, t->arena, &m, &why) != ERR_OK)
        fail_msg("%s", why.text);
    return m.id;
}

static void invite(struct bench *t, struct control *c, const char *email, int64_t workspace_id, enum kind_role role)
{
    struct invitation i;
    struct secret secret = {0};
    struct control_why why;
    const struct invitation_spec spec = {str_c(email), role, workspace_id};
    if (invitation_create(c, &spec, t->arena, &i, &secret, &why) != ERR_OK)
        fail_msg("%s", why.text);
    secret_wipe(&secret);
}

static size_t noted(struct bench *t, struct control *c, const char *action)
{
    struct audit_row *rows;
    size_t n = 0;
    uint64_t total;
    struct control_why why;
    const struct audit_filter filter = {.action = str_c(action)};
    assert_int_equal(audit_list(c, &filter, 100, t->arena, &rows, &n, &total, &why), ERR_OK);
    return n;
}

static void a_member_is_linked_by_address_once_and_by_subject_from_then_on(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct control_why why;
    int64_t ann = add(t, c, "ann@example.com");
    assert_int_equal(enter(t, c, claim("s-1", "Ann@Example.com"), &closed, &why), ann);
    assert_int_equal(noted(t, c, "identity.link"), 1);
    /* later the provider may say what it likes about the address */
    assert_int_equal(enter(t, c, claim("s-1", "other@example.com"), &closed, &why), ann);
    struct identity_claim bare = claim("s-1", "");
    bare.email_verified = false;
    assert_int_equal(enter(t, c, bare, &closed, &why), ann);
    assert_int_equal(noted(t, c, "identity.link"), 1);
    assert_int_equal(noted(t, c, "session.create"), 3);
    control_close(c);
}

static void nobody_takes_over_a_member(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct control_why why;
    int64_t ann = add(t, c, "ann@example.com");
    struct identity_claim unverified = claim("s-9", "ann@example.com");
    unverified.email_verified = false;
    assert_int_equal(enter(t, c, unverified, &closed, &why), 0);
    assert_non_null(strstr(why.text, "verified"));
    assert_int_equal(enter(t, c, claim("s-9", ""), &closed, &why), 0);
    assert_int_equal(enter(t, c, claim("s-9", "ann@example.com\r\nx"), &closed, &why), 0);
    assert_int_equal(enter(t, c, claim("s-9", "bob@x@example.com"), &closed, &why), 0);
    assert_int_equal(enter(t, c, claim("s-1", "ann@example.com"), &closed, &why), ann);
    /* who gets the address of somebody later is somebody else */
    assert_int_equal(enter(t, c, claim("s-2", "ann@example.com"), &joins, &why), 0);
    assert_non_null(strstr(why.text, "another account"));
    /* the same subject at another provider is somebody else too; the address decides there */
    struct identity_claim elsewhere = claim("s-1", "eve@example.com");
    elsewhere.issuer = STR("https://other.example");
    assert_int_equal(enter(t, c, elsewhere, &closed, &why), 0);
    assert_int_equal(identity_unlink(c, ann, &why), ERR_OK);
    assert_int_equal(identity_unlink(c, ann, &why), ERR_NOT_FOUND);
    assert_int_equal(enter(t, c, claim("s-2", "ann@example.com"), &closed, &why), ann);
    assert_int_equal(enter(t, c, claim("s-1", "ann@example.com"), &closed, &why), 0);
    control_close(c);
}

static void an_invitation_to_the_address_is_accepted(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct control_why why;
    struct membership *rows;
    size_t n;
    assert_int_equal(enter(t, c, claim("s-1", "ann@example.com"), &closed, &why), 0);
    assert_non_null(strstr(why.text, "ask an admin"));
    invite(t, c, "ann@example.com", 1, KIND_ROLE_ADMIN);
    int64_t ann = enter(t, c, claim("s-1", "ann@example.com"), &closed, &why);
    assert_true(ann > 0);
    assert_int_equal(membership_of(c, ann, t->arena, &rows, &n, &why), ERR_OK);
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].role, KIND_ROLE_ADMIN);
    assert_int_equal(rows[0].member.role, KIND_ROLE_MEMBER);
    assert_true(str_eq(rows[0].member.name, STR("Ann")));
    assert_int_equal(noted(t, c, "invitation.accept"), 1);
    assert_int_equal(enter(t, c, claim("s-1", "ann@example.com"), &closed, &why), ann);
    control_close(c);
}

static void people_join_by_themselves_only_where_that_was_said(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct control_why why;
    struct membership *rows;
    size_t n;
    static const char *const others[] = {"ann@example.org", "ann@sub.example.com", "ann@example.com.evil.org",
                                         "ann@notexample.com"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(enter(t, c, claim("s-1", others[i]), &joins, &why), 0);
        assert_non_null(strstr(why.text, "may not sign in here"));
    }
    int64_t ann = enter(t, c, claim("s-1", "ann@EXAMPLE.com"), &joins, &why);
    assert_true(ann > 0);
    assert_int_equal(membership_of(c, ann, t->arena, &rows, &n, &why), ERR_OK);
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].role, KIND_ROLE_VIEWER);
    /* the domain counts at every sign-in, of members too */
    assert_int_equal(enter(t, c, claim("s-1", "ann@example.org"), &joins, &why), 0);
    struct identity_claim unverified = claim("s-1", "ann@example.com");
    unverified.email_verified = false;
    assert_int_equal(enter(t, c, unverified, &joins, &why), 0);
    struct identity_rule nowhere = joins;
    nowhere.join_workspace = STR("no-such");
    assert_int_equal(enter(t, c, claim("s-2", "bob@example.com"), &nowhere, &why), 0);
    assert_int_equal(noted(t, c, "member.create"), 1);
    control_close(c);
}

static void who_was_removed_stays_out_until_invited_again(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct control_why why;
    int64_t ann = enter(t, c, claim("s-1", "ann@example.com"), &joins, &why), bob = add(t, c, "bob@example.com");
    assert_true(ann > 0);
    assert_int_equal(member_delete(c, ann, &why), ERR_OK);
    assert_int_equal(member_delete(c, bob, &why), ERR_OK); /* never signed in */
    assert_int_equal(enter(t, c, claim("s-1", "ann@example.com"), &joins, &why), 0);
    assert_int_equal(enter(t, c, claim("s-1", "ann2@example.com"), &joins, &why), 0); /* renamed there */
    assert_int_equal(enter(t, c, claim("s-3", "ann@example.com"), &joins, &why), 0);
    assert_int_equal(enter(t, c, claim("s-2", "bob@example.com"), &joins, &why), 0);
    invite(t, c, "ann@example.com", 1, KIND_ROLE_MEMBER);
    int64_t again = enter(t, c, claim("s-1", "ann@example.com"), &joins, &why);
    assert_true(again > 0);
    assert_int_not_equal(again, ann);
    assert_int_equal(enter(t, c, claim("s-1", "ann@example.com"), &closed, &why), again);
    control_close(c);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)
    const struct CMUnitTest cases[] = {
        CASE(a_member_is_linked_by_address_once_and_by_subject_from_then_on),
        CASE(nobody_takes_over_a_member),
        CASE(an_invitation_to_the_address_is_accepted),
        CASE(people_join_by_themselves_only_where_that_was_said),
        CASE(who_was_removed_stays_out_until_invited_again),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
