/* SPDX-License-Identifier: Apache-2.0 */
/* Teams: what they give in which workspace, who is in them, what stays of the team that has everybody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "control/control_key.h"
#include "control/people/audit.h"
#include "control/people/reach.h"
#include "control/people/team.h"
#include "control/snapshot_layout.h"
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

static int64_t make_member(struct bench *t, struct control *c, const char *email, enum kind_role role)
{
    struct member m = {0};
    const struct member_spec spec = {.email = str_c(email), .role = role};
    OK(member_create(c, &spec, t->arena, &m, &why));
    return m.id;
}

static int64_t make_workspace(struct control *c, const char *name)
{
    int64_t id = 0;
    OK(control_workspace_create(c, str_c(name), STR(""), &id, &why));
    return id;
}

static int64_t make_team(struct control *c, const char *name, const int64_t *workspaces, size_t count)
{
    int64_t id = 0;
    struct str text = str_c(name);
    const struct team_change what = {.name = &text, .workspaces = workspaces, .workspace_count = count};
    OK(team_create(c, &what, &id, &why));
    return id;
}

/* What the newest snapshot says that the person is in a workspace; KIND_ROLE_COUNT for nothing. */
static enum kind_role standing(struct control *c, int64_t member, int64_t workspace)
{
    struct snapshot *s = control_snapshot(c);
    struct snapshot_key key = {.granted = KIND_ROLE_OWNER, .workspace_id = -1};
    struct reach r = {.role = KIND_ROLE_COUNT};
    for (size_t i = 0; i < s->member_count; i++)
        if (s->members[i].id == member)
            key.member = &s->members[i];
    if (!key.member || !reach_workspace(s, &key, workspace, &r))
        r.role = KIND_ROLE_COUNT;
    snapshot_unref(s);
    return r.role;
}

static void a_team_gives_its_role_in_its_workspaces(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    int64_t a = make_workspace(c, "a"), b = make_workspace(c, "b"),
            ann = make_member(t, c, "ann@example.com", KIND_ROLE_MEMBER);
    int64_t team = make_team(c, "red", &a, 1);
    assert_int_equal(standing(c, ann, a), KIND_ROLE_COUNT);
    OK(team_join(c, team, ann, KIND_ROLE_VIEWER, &why));
    assert_int_equal(standing(c, ann, a), KIND_ROLE_VIEWER);
    assert_int_equal(standing(c, ann, b), KIND_ROLE_COUNT);
    OK(team_join(c, team, ann, KIND_ROLE_MEMBER, &why)); /* another role, not a second place */
    assert_int_equal(standing(c, ann, a), KIND_ROLE_MEMBER);
    const struct team_change moved = {.workspaces = &b, .workspace_count = 1};
    OK(team_update(c, team, &moved, &why));
    assert_int_equal(standing(c, ann, a), KIND_ROLE_COUNT);
    assert_int_equal(standing(c, ann, b), KIND_ROLE_MEMBER);
    OK(team_leave(c, team, ann, &why));
    assert_int_equal(standing(c, ann, b), KIND_ROLE_COUNT);
    REFUSED(ERR_NOT_FOUND, team_leave(c, team, ann, &why));
    control_close(c);
}

static void the_strongest_role_counts(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    int64_t a = make_workspace(c, "a"), ann = make_member(t, c, "ann@example.com", KIND_ROLE_MEMBER);
    int64_t weak = make_team(c, "weak", &a, 1), strong = make_team(c, "strong", &a, 1);
    OK(membership_set(c, a, ann, KIND_ROLE_MEMBER, &why));
    OK(team_join(c, weak, ann, KIND_ROLE_VIEWER, &why));
    assert_int_equal(standing(c, ann, a), KIND_ROLE_MEMBER); /* a team takes nothing away */
    OK(team_join(c, strong, ann, KIND_ROLE_ADMIN, &why));
    assert_int_equal(standing(c, ann, a), KIND_ROLE_ADMIN);
    OK(team_delete(c, strong, &why));
    assert_int_equal(standing(c, ann, a), KIND_ROLE_MEMBER);
    OK(membership_remove(c, a, ann, &why));
    assert_int_equal(standing(c, ann, a), KIND_ROLE_VIEWER);
    control_close(c);
}

static void everyone_is_in_everyone_and_stays(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct team everyone;
    struct team_member *rows;
    size_t count;
    enum kind_role strongest;
    struct str other = STR("All");
    int64_t a = make_workspace(c, "a"), ann = make_member(t, c, "ann@example.com", KIND_ROLE_VIEWER);
    OK(team_find(c, TEAM_EVERYONE, t->arena, &everyone, &why));
    assert_true(str_eq(everyone.name, STR("Everyone")));
    assert_int_equal(everyone.workspace_count, 0);
    assert_int_equal(standing(c, ann, a), KIND_ROLE_COUNT);
    OK(team_members(c, TEAM_EVERYONE, t->arena, &rows, &count, &why));
    assert_int_equal(count, 2);
    assert_int_equal(rows[1].member.id, ann);
    assert_int_equal(rows[1].role, KIND_ROLE_VIEWER);
    OK(team_strongest(c, TEAM_EVERYONE, &strongest, &why));
    assert_int_equal(strongest, KIND_ROLE_OWNER);
    REFUSED(ERR_CONFLICT, team_leave(c, TEAM_EVERYONE, ann, &why));
    REFUSED(ERR_CONFLICT, team_join(c, TEAM_EVERYONE, ann, KIND_ROLE_OWNER, &why));
    REFUSED(ERR_CONFLICT, team_delete(c, TEAM_EVERYONE, &why));
    const struct team_change renamed = {.name = &other}, emptied = {.members = &ann, .member_count = 1};
    REFUSED(ERR_CONFLICT, team_update(c, TEAM_EVERYONE, &renamed, &why));
    REFUSED(ERR_CONFLICT, team_update(c, TEAM_EVERYONE, &emptied, &why));
    const struct team_change opened = {.workspaces = &a, .workspace_count = 1};
    OK(team_update(c, TEAM_EVERYONE, &opened, &why));
    assert_int_equal(standing(c, ann, a), KIND_ROLE_VIEWER); /* what she is in the organization */
    control_close(c);
}

static void a_list_of_people_replaces_the_one_before(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct team_member *rows;
    size_t count;
    int64_t people[3] = {make_member(t, c, "a@example.com", KIND_ROLE_MEMBER),
                         make_member(t, c, "b@example.com", KIND_ROLE_MEMBER),
                         make_member(t, c, "c@example.com", KIND_ROLE_MEMBER)};
    int64_t team = make_team(c, "red", NULL, 0);
    struct team_change what = {.members = people, .member_count = 2, .role = KIND_ROLE_VIEWER};
    OK(team_update(c, team, &what, &why));
    what = (struct team_change){.members = people + 1, .member_count = 2, .role = KIND_ROLE_MEMBER};
    OK(team_update(c, team, &what, &why));
    OK(team_members(c, team, t->arena, &rows, &count, &why));
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].member.id, people[1]);
    assert_int_equal(rows[0].role, KIND_ROLE_VIEWER); /* keeps what they had */
    assert_int_equal(rows[1].role, KIND_ROLE_MEMBER);
    what.role_given = true;
    OK(team_update(c, team, &what, &why));
    OK(team_members(c, team, t->arena, &rows, &count, &why));
    assert_int_equal(rows[0].role, KIND_ROLE_MEMBER);
    const int64_t nobody = 999;
    what = (struct team_change){.members = &nobody, .member_count = 1, .role = KIND_ROLE_MEMBER};
    REFUSED(ERR_NOT_FOUND, team_update(c, team, &what, &why)); /* and nobody was taken out */
    OK(team_members(c, team, t->arena, &rows, &count, &why));
    assert_int_equal(count, 2);
    OK(member_delete(c, people[1], &why));
    OK(team_members(c, team, t->arena, &rows, &count, &why));
    assert_int_equal(count, 1);
    control_close(c);
}

static void names_are_given_once(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct str red = STR("red"), none = STR("");
    int64_t id = 0, team = make_team(c, "red", NULL, 0);
    const struct team_change same = {.name = &red}, empty = {.name = &none}, unnamed = {.name = NULL};
    const int64_t gone = 999;
    REFUSED(ERR_CONFLICT, team_create(c, &same, &id, &why));
    REFUSED(ERR_MISSING_PARAMETER, team_create(c, &empty, &id, &why));
    REFUSED(ERR_MISSING_PARAMETER, team_create(c, &unnamed, &id, &why));
    const struct team_change far = {.workspaces = &gone, .workspace_count = 1};
    REFUSED(ERR_NOT_FOUND, team_update(c, team, &far, &why));
    OK(team_delete(c, team, &why));
    REFUSED(ERR_NOT_FOUND, team_update(c, team, &same, &why));
    int64_t again = make_team(c, "red", NULL, 0);
    assert_true(again > team); /* ids are never used twice: grants speak of them */
    control_close(c);
}

static void a_workspace_that_goes_is_no_longer_a_teams(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct team team;
    int64_t *ids;
    size_t count;
    int64_t a = make_workspace(c, "a"), ann = make_member(t, c, "ann@example.com", KIND_ROLE_MEMBER);
    int64_t id = make_team(c, "red", &a, 1);
    OK(team_join(c, id, ann, KIND_ROLE_ADMIN, &why));
    OK(team_of(c, ann, t->arena, &ids, &count, &why));
    assert_int_equal(count, 2);
    assert_int_equal(ids[0], TEAM_EVERYONE);
    assert_int_equal(ids[1], id);
    OK(team_of(c, 0, t->arena, &ids, &count, &why));
    assert_int_equal(count, 1);
    OK(control_workspace_delete(c, a, &why));
    OK(team_find(c, id, t->arena, &team, &why));
    assert_int_equal(team.workspace_count, 0);
    control_close(c);
}

static void every_change_of_a_team_is_in_the_audit_log(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct audit_row *rows;
    size_t count;
    uint64_t total;
    int64_t ann = make_member(t, c, "ann@example.com", KIND_ROLE_MEMBER), team = make_team(c, "red", NULL, 0);
    struct str blue = STR("blue");
    const struct team_change renamed = {.name = &blue};
    OK(team_update(c, team, &renamed, &why));
    OK(team_join(c, team, ann, KIND_ROLE_VIEWER, &why));
    OK(team_join(c, team, ann, KIND_ROLE_VIEWER, &why)); /* nothing changes */
    OK(team_join(c, team, ann, KIND_ROLE_MEMBER, &why));
    OK(team_leave(c, team, ann, &why));
    OK(team_delete(c, team, &why));
    static const char *const expected[] = {"team.delete",        "team_member.delete", "team_member.update",
                                           "team_member.create", "team.update",        "team.create"};
    const struct audit_filter f = {0};
    OK(audit_list(c, &f, 6, t->arena, &rows, &count, &total, &why));
    assert_int_equal(count, 6);
    for (size_t i = 0; i < count; i++)
        assert_true(str_eq(rows[i].action, str_c(expected[i])));
    assert_true(str_search(rows[4].before, STR("\"name\":\"red\"")) > 0);
    assert_true(str_search(rows[4].after, STR("\"name\":\"blue\"")) > 0);
    control_close(c);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_team_gives_its_role_in_its_workspaces),
        CASE(the_strongest_role_counts),
        CASE(everyone_is_in_everyone_and_stays),
        CASE(a_list_of_people_replaces_the_one_before),
        CASE(names_are_given_once),
        CASE(a_workspace_that_goes_is_no_longer_a_teams),
        CASE(every_change_of_a_team_is_in_the_audit_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
