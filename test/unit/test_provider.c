/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts: their providers, the models they serve, who has access; keys that are rotated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "control/control_integration.h"
#include "control/control_key.h"
#include "control/provider/access.h"
#include "control/provider/allow.h"
#include "control_bench.h"

#define ADMIN "an-admin-key-of-the-test-0123456789"

static struct control_why why;

static struct control_integration connect(struct bench *t, struct control *c, const char *slug)
{
    struct control_integration row;
    const struct control_integration_spec spec = {
        .slug = str_c(slug), .kind = STR("openai"), .api_key = STR("sk-0123456789abcdef")};
    assert_int_equal(control_integration_create(c, 1, &spec, t->arena, &row, &why), ERR_OK);
    return row;
}

static enum err share(struct bench *t, struct control *c, int64_t workspace, const char *account, const char *slug)
{
    struct control_integration row;
    const struct control_integration_spec spec = {.slug = str_c(slug)};
    return control_integration_share(c, workspace, str_c(account), &spec, t->arena, &row, &why);
}

/* -1: not there; else whether the model is served. */
static int serves(struct control *c, int64_t workspace, const char *slug, const char *model)
{
    struct snapshot *s = control_snapshot(c);
    const struct snapshot_integration *i = snapshot_find_integration(s, workspace, str_c(slug));
    int found = i ? snapshot_integration_allows(i, str_c(model)) : -1;
    snapshot_unref(s);
    return found;
}

static void a_provider_has_the_key_of_its_account(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    struct control_integration row = connect(t, c, "main"), found;
    assert_int_equal(share(t, c, 1, "main", "team"), ERR_OK);
    assert_int_equal(share(t, c, 1, "main", "team"), ERR_CONFLICT);
    assert_int_equal(share(t, c, 1, "none", "other"), ERR_NOT_FOUND);
    assert_int_equal(share(t, c, 1, "team", "other"), ERR_NOT_FOUND); /* a provider is no account */
    struct snapshot *s = control_snapshot(c);
    const struct snapshot_integration *main = snapshot_find_integration(s, 1, STR("main"));
    const struct snapshot_integration *team = snapshot_find_integration(s, 1, STR("team"));
    assert_true(main->account_id == row.id && team->account_id == row.id && team->id != row.id);
    assert_true(str_eq(secret_reveal(&main->head_lines), secret_reveal(&team->head_lines)));
    snapshot_unref(s);
    const struct control_integration_spec key = {.api_key = STR("sk-another-0123456789")};
    assert_int_equal(control_integration_update(c, 1, STR("team"), &key, t->arena, &found, &why), ERR_BAD_PARAMETER);
    assert_int_equal(control_integration_update(c, 1, STR("main"), &key, t->arena, &found, &why), ERR_OK);
    s = control_snapshot(c);
    team = snapshot_find_integration(s, 1, STR("team"));
    assert_true(str_search(secret_reveal(&team->head_lines), STR("sk-another")) >= 0);
    snapshot_unref(s);
    assert_int_equal(control_integration_delete(c, 1, STR("main"), &why), ERR_OK);
    assert_int_equal(control_integration_find(c, 1, STR("team"), t->arena, &found, &why), ERR_NOT_FOUND);
    control_close(c);
}

static void an_expiry_lies_in_the_future(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    struct control_integration row = connect(t, c, "main");
    int64_t past = clock_wall_us() - 1, later = clock_wall_us() + 1000000, never = 0;
    struct control_integration_spec spec = {.expires_us = &past};
    assert_int_equal(control_integration_update(c, 1, STR("main"), &spec, t->arena, &row, &why), ERR_BAD_PARAMETER);
    spec.expires_us = &later;
    assert_int_equal(control_integration_update(c, 1, STR("main"), &spec, t->arena, &row, &why), ERR_OK);
    struct snapshot *s = control_snapshot(c);
    assert_true(snapshot_find_integration(s, 1, STR("main"))->expires_us == later);
    snapshot_unref(s);
    spec.expires_us = &never;
    assert_int_equal(control_integration_update(c, 1, STR("main"), &spec, t->arena, &row, &why), ERR_OK);
    assert_true(row.expires_us == 0);
    control_close(c);
}

static void an_entry_decides_for_its_model(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    const struct allow_model list[] = {{.slug = STR("b"), .enabled = false}, {.slug = STR("a"), .enabled = true}};
    const struct allow_model bad = {.slug = STR("with space")};
    struct allow_model *rows;
    size_t count;
    bool all = false;
    (void)connect(t, c, "main");
    (void)connect(t, c, "other");
    assert_int_equal(share(t, c, 1, "main", "team"), ERR_OK);
    assert_int_equal(serves(c, 1, "main", "b"), 1);
    assert_int_equal(allow_set(c, 1, STR("main"), list, 2, NULL, &why), ERR_OK);
    for (int i = 0; i < 2; i++) {
        const char *slug = i ? "team" : "main";
        assert_int_equal(serves(c, 1, slug, "a"), 1);
        assert_int_equal(serves(c, 1, slug, "b"), 0);
        assert_int_equal(serves(c, 1, slug, "c"), 1);
    }
    assert_int_equal(serves(c, 1, "other", "b"), 1);
    assert_int_equal(allow_set(c, 1, STR("main"), NULL, 0, &all, &why), ERR_OK);
    assert_int_equal(serves(c, 1, "team", "a"), 1);
    assert_int_equal(serves(c, 1, "team", "c"), 0);
    assert_int_equal(allow_list(c, 1, STR("main"), t->arena, &rows, &count, &all, &why), ERR_OK);
    assert_int_equal(count, 2);
    assert_true(str_eq(rows[0].slug, STR("a")) && rows[0].enabled && !all);
    const struct str gone[] = {STR("a"), STR("never there")};
    assert_int_equal(allow_remove(c, 1, STR("main"), gone, 2, &why), ERR_OK);
    assert_int_equal(serves(c, 1, "team", "a"), 0);
    assert_int_equal(allow_set(c, 1, STR("main"), &bad, 1, NULL, &why), ERR_BAD_PARAMETER);
    assert_int_equal(allow_set(c, 1, STR("team"), list, 2, NULL, &why), ERR_NOT_FOUND);
    assert_int_equal(allow_set(c, 2, STR("main"), list, 2, NULL, &why), ERR_NOT_FOUND);
    control_close(c);
}

static void many_models_are_found_each(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    enum { N = 500 };
    struct allow_model list[N];
    char names[N][16];
    (void)connect(t, c, "x");
    (void)connect(t, c, "y");
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "m-%d", i);
        list[i] = (struct allow_model){.slug = str_c(names[i]), .enabled = i % 2 == 0};
    }
    assert_int_equal(allow_set(c, 1, STR("x"), list, N, NULL, &why), ERR_OK);
    list[0].enabled = false;
    assert_int_equal(allow_set(c, 1, STR("y"), list, 1, NULL, &why), ERR_OK);
    for (int i = 0; i < N; i++)
        assert_int_equal(serves(c, 1, "x", names[i]), i % 2 == 0);
    assert_int_equal(serves(c, 1, "y", "m-0"), 0);
    assert_int_equal(serves(c, 1, "y", "m-1"), 1);
    control_close(c);
}

static void without_access_there_is_no_provider(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    int64_t other;
    bool all = true;
    struct access_entry entry = {.enabled = true};
    struct access_entry *rows;
    size_t count;
    (void)connect(t, c, "main");
    assert_int_equal(control_workspace_create(c, STR("other"), STR(""), &other, &why), ERR_OK);
    entry.workspace_id = other;
    assert_int_equal(share(t, c, other, "main", "main"), ERR_NOT_FOUND);
    assert_int_equal(access_set(c, 1, STR("main"), &entry, 1, false, NULL, &why), ERR_OK);
    assert_int_equal(share(t, c, other, "main", "main"), ERR_OK);
    assert_int_equal(serves(c, other, "main", "m"), 1);
    entry.enabled = false;
    assert_int_equal(access_set(c, 1, STR("main"), &entry, 1, false, NULL, &why), ERR_OK);
    assert_int_equal(serves(c, other, "main", "m"), -1);
    assert_int_equal(access_set(c, 1, STR("main"), NULL, 0, false, &all, &why), ERR_OK);
    assert_int_equal(serves(c, other, "main", "m"), -1); /* denied by name */
    assert_int_equal(access_set(c, 1, STR("main"), NULL, 0, true, NULL, &why), ERR_OK);
    assert_int_equal(serves(c, other, "main", "m"), 1);
    assert_int_equal(access_list(c, 1, STR("main"), t->arena, &rows, &count, &all, &why), ERR_OK);
    assert_true(count == 0 && all);
    entry.workspace_id = 999;
    assert_int_equal(access_set(c, 1, STR("main"), &entry, 1, false, NULL, &why), ERR_NOT_FOUND);
    assert_int_equal(access_set(c, other, STR("main"), NULL, 0, false, &all, &why), ERR_NOT_FOUND);
    assert_int_equal(control_workspace_delete(c, 1, &why), ERR_IN_USE);
    assert_int_equal(control_workspace_delete(c, other, &why), ERR_OK);
    assert_int_equal(control_workspace_delete(c, other, &why), ERR_NOT_FOUND);
    control_close(c);
}

static void a_rotated_key_has_two_texts_for_a_while(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    struct secret first = {0}, second = {0}, third = {0}, fourth = {0};
    struct control_key row;
    int64_t until;
    const struct control_key_spec spec = {
        .name = STR("k"), .role = KIND_ROLE_MEMBER, .overlap_us = 3600000000, .metadata = STR("")};
    assert_int_equal(control_key_create(c, 1, &spec, t->arena, &row, &first, &why), ERR_OK);
    assert_int_equal(control_key_rotate(c, 1, row.public_id, -1, &second, &until, &why), ERR_OK);
    assert_true(until > clock_wall_us() + 3500000000 && until <= clock_wall_us() + 3600000000);
    assert_int_equal(bench_judge(c, secret_reveal(&first)), SNAPSHOT_ADMITTED);
    assert_int_equal(bench_judge(c, secret_reveal(&second)), SNAPSHOT_ADMITTED);
    assert_int_equal(control_key_rotate(c, 1, row.public_id, 1, &third, &until, &why), ERR_OK);
    assert_int_equal(bench_judge(c, secret_reveal(&first)), SNAPSHOT_UNKNOWN);
    assert_int_equal(bench_judge(c, secret_reveal(&second)), SNAPSHOT_EXPIRED);
    assert_int_equal(bench_judge(c, secret_reveal(&third)), SNAPSHOT_ADMITTED);
    assert_int_equal(control_key_rotate(c, 1, row.public_id, 0, &fourth, &until, &why), ERR_OK);
    assert_int_equal(bench_judge(c, secret_reveal(&third)), SNAPSHOT_UNKNOWN);
    assert_int_equal(control_key_rotate(c, 1, row.public_id, CONTROL_KEY_OVERLAP_MAX_US + 1, &first, &until, &why),
                     ERR_BAD_PARAMETER);
    assert_int_equal(control_key_revoke(c, 1, row.public_id, &why), ERR_OK);
    assert_int_equal(bench_judge(c, secret_reveal(&fourth)), SNAPSHOT_REVOKED);
    assert_int_equal(control_key_rotate(c, 1, row.public_id, -1, &first, &until, &why), ERR_KEY_REVOKED);
    secret_wipe(&first);
    secret_wipe(&second);
    secret_wipe(&third);
    secret_wipe(&fourth);
    control_close(c);
}

static void a_key_of_the_organization_serves_no_requests(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    struct secret text = {0};
    struct control_key row;
    struct control_key_spec spec = {.name = STR("org"),
                                    .of_organization = true,
                                    .metadata = STR(""),
                                    .scopes = SCOPE_BIT(SNAPSHOT_SCOPE_COMPLETIONS_WRITE)};
    assert_int_equal(control_key_create(c, 1, &spec, t->arena, &row, &text, &why), ERR_BAD_PARAMETER);
    spec.scopes = 0;
    assert_int_equal(control_key_create(c, 1, &spec, t->arena, &row, &text, &why), ERR_OK);
    assert_true(row.of_organization && row.role == KIND_ROLE_OWNER);
    struct snapshot *s = control_snapshot(c);
    const struct snapshot_key *k = snapshot_find_key(s, secret_reveal(&text));
    assert_false(snapshot_key_may(k, SNAPSHOT_SCOPE_COMPLETIONS_WRITE));
    assert_true(snapshot_key_may(k, SNAPSHOT_SCOPE_WORKSPACES_CREATE));
    snapshot_unref(s);
    const scope_set wanted = SNAPSHOT_SCOPES_ALL;
    const struct control_key_change change = {.scopes = &wanted};
    assert_int_equal(control_key_update(c, 1, row.public_id, &change, &why), ERR_OK);
    s = control_snapshot(c);
    assert_false(snapshot_key_may(snapshot_find_key(s, secret_reveal(&text)), SNAPSHOT_SCOPE_COMPLETIONS_WRITE));
    snapshot_unref(s);
    secret_wipe(&text);
    control_close(c);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_provider_has_the_key_of_its_account),
        CASE(an_expiry_lies_in_the_future),
        CASE(an_entry_decides_for_its_model),
        CASE(many_models_are_found_each),
        CASE(without_access_there_is_no_provider),
        CASE(a_rotated_key_has_two_texts_for_a_while),
        CASE(a_key_of_the_organization_serves_no_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
