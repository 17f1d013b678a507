/* SPDX-License-Identifier: Apache-2.0 */
/* What an installation has: the first start, keys, integrations, and what of them may be seen in files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/control.h"
#include "control/control_integration.h"
#include "control/control_key.h"
#include "control/snapshot.h"
#include "control_bench.h"
#include "store/sqlite.h"

#define ADMIN_A "an-admin-key-for-the-tests-A"
#define ADMIN_B "an-admin-key-for-the-tests-B"
#define MASTER_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define MASTER_B "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static struct control_why why;

/* ---- the first start ---- */

static void the_first_start_makes_everything_once(void **state)
{
    struct bench *t = *state;
    struct secret first = {0};
    struct stat st;
    struct control *c = bench_open(t, NULL);
    assert_true(t->start.first);
    assert_false(t->start.admin_key_changed);
    assert_int_equal(t->start.admin_key.n, APIKEY_LEN);
    secret_set(&first, secret_reveal(&t->start.admin_key));
    assert_int_equal(bench_judge(c, secret_reveal(&first)), SNAPSHOT_ADMITTED);

    static const char *const names[] = {"master.key", "admin.key", "control.db"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        bench_path(t, names[i], path);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    struct snapshot *s = control_snapshot(c);
    const struct snapshot_key *k = snapshot_find_key(s, secret_reveal(&first));
    assert_int_equal(k->role, KIND_ROLE_OWNER);
    assert_true(str_eq(k->workspace->name, STR("default")));
    assert_int_equal(k->workspace->id, 1);
    assert_true(k->member_id != 0);
    snapshot_unref(s);
    assert_true(strncmp(control_master_key_id(c), "mk-", 3) == 0);
    control_close(c);

    c = bench_open(t, NULL);
    assert_false(t->start.first);
    assert_int_equal(t->start.admin_key.n, 0); /* printed once */
    assert_int_equal(bench_judge(c, secret_reveal(&first)), SNAPSHOT_ADMITTED);
    control_close(c);

    char path[128];
    bench_path(t, "admin.key", path);
    assert_int_equal(unlink(path), 0); /* as its owner should, once it is read */
    c = bench_open(t, NULL);
    assert_int_equal(t->start.admin_key.n, 0);
    assert_int_equal(bench_judge(c, secret_reveal(&first)), SNAPSHOT_ADMITTED);
    assert_int_equal(access(path, F_OK), -1);
    control_close(c);
    secret_wipe(&first);
}

static void an_admin_key_of_the_operator_is_adopted_and_replaced(void **state)
{
    struct bench *t = *state;
    char path[128];
    bench_path(t, "admin.key", path);
    struct control *c = bench_open(t, ADMIN_A);
    assert_true(t->start.first);
    assert_true(t->start.admin_key_changed);
    assert_int_equal(t->start.admin_key.n, 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(bench_judge(c, STR(ADMIN_A)), SNAPSHOT_ADMITTED);
    control_close(c);

    c = bench_open(t, ADMIN_A);
    assert_false(t->start.admin_key_changed);
    control_close(c);
    c = bench_open(t, ADMIN_B);
    assert_true(t->start.admin_key_changed);
    assert_int_equal(bench_judge(c, STR(ADMIN_B)), SNAPSHOT_ADMITTED);
    assert_int_equal(bench_judge(c, STR(ADMIN_A)), SNAPSHOT_UNKNOWN);
    control_close(c);
    c = bench_open(t, NULL); /* stays when it is no longer given */
    assert_int_equal(bench_judge(c, STR(ADMIN_B)), SNAPSHOT_ADMITTED);
    assert_int_equal(access(path, F_OK), -1);
    control_close(c);
    c = bench_open(t, ADMIN_A); /* and back again */
    assert_int_equal(bench_judge(c, STR(ADMIN_A)), SNAPSHOT_ADMITTED);
    assert_int_equal(bench_judge(c, STR(ADMIN_B)), SNAPSHOT_UNKNOWN);
    control_close(c);
}

static void a_given_key_ends_the_made_one_and_its_file(void **state)
{
    struct bench *t = *state;
    char path[128], same[64];
    bench_path(t, "admin.key", path);
    struct control *c = bench_open(t, NULL);
    struct str made = secret_reveal(&t->start.admin_key);
    str_copy(same, sizeof same, made);
    control_close(c);
    c = bench_open(t, same); /* the very key of the file, given as a variable */
    assert_false(t->start.admin_key_changed);
    assert_int_equal(access(path, F_OK), 0);
    control_close(c);
    c = bench_open(t, ADMIN_A);
    assert_int_equal(bench_judge(c, str_c(same)), SNAPSHOT_UNKNOWN);
    assert_int_equal(access(path, F_OK), -1);
    control_close(c);
}

static void unfit_admin_keys_are_refused_and_leave_nothing(void **state)
{
    struct bench *t = *state;
    static const char *const bad[] = {"", "short", "12345678901234567890123", "has white space in the middle of it",
                                      "changeme-changeme-changeme"};
    char path[128];
    bench_path(t, "control.db", path);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(bench_try_open(t, NULL, NULL, bad[i], &why), ERR_BAD_OPTION);
        assert_non_null(strstr(why.text, "TOLLGATE_ADMIN_KEY"));
        assert_int_equal(access(path, F_OK), -1);
    }
    /* The text of a key that was made here for somebody else. */
    struct control *c = bench_open(t, NULL);
    struct secret key = {0};
    char text[64];
    bench_make_key(t, c, "member", KIND_ROLE_MEMBER, &key);
    str_copy(text, sizeof text, secret_reveal(&key));
    control_close(c);
    assert_int_equal(bench_try_open(t, NULL, NULL, text, &why), ERR_BAD_OPTION);
    assert_null(strstr(why.text, text));
    secret_wipe(&key);
}

static void master_keys_come_from_one_place_and_must_fit(void **state)
{
    struct bench *t = *state;
    char file[128], id[32];
    struct control *c;
    assert_int_equal(bench_try_open(t, MASTER_A, "/some/file", NULL, &why), ERR_BAD_OPTION);
    assert_int_equal(bench_try_open(t, "", NULL, NULL, &why), ERR_BAD_MASTER_KEY);
    assert_int_equal(bench_try_open(t, NULL, "/nonexistent/file", NULL, &why), ERR_FILE_FAILED);
    assert_int_equal(bench_try_open(t, MASTER_A, NULL, ADMIN_A, &why), ERR_OK);
    c = t->opened;
    str_copy(id, sizeof id, str_c(control_master_key_id(c)));
    control_close(c);
    bench_path(t, "master.key", file);
    assert_int_equal(access(file, F_OK), -1); /* nothing on the disk */

    assert_int_equal(bench_try_open(t, MASTER_B, NULL, NULL, &why), ERR_BAD_MASTER_KEY);
    assert_non_null(strstr(why.text, id)); /* the one that is needed */
    assert_int_equal(bench_try_open(t, NULL, NULL, NULL, &why), ERR_BAD_MASTER_KEY);
    assert_non_null(strstr(why.text, id));
    assert_int_equal(access(file, F_OK), -1); /* and none was made instead */

    bench_write_file(t, "elsewhere", MASTER_A "\n", 0444);
    bench_path(t, "elsewhere", file);
    assert_int_equal(bench_try_open(t, NULL, file, NULL, &why), ERR_OK);
    c = t->opened;
    assert_string_equal(control_master_key_id(c), id);
    assert_int_equal(bench_judge(c, STR(ADMIN_A)), SNAPSHOT_ADMITTED);
    control_close(c);

    bench_write_file(t, "master.key", MASTER_A "\n", 0644);
    assert_int_equal(bench_try_open(t, NULL, NULL, NULL, &why), ERR_FILE_FAILED);
    assert_non_null(strstr(why.text, "chmod 600"));
}

static void a_second_process_is_kept_out(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN_A);
    assert_int_equal(bench_try_open(t, NULL, NULL, ADMIN_A, &why), ERR_CONFLICT);
    assert_non_null(strstr(why.text, "in use"));
    control_close(c);
    c = bench_open(t, ADMIN_A);
    control_close(c);
}

/* ---- keys ---- */

static void keys_live_from_create_to_revoke(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN_A);
    struct control_key made, row;
    struct secret text = {0};
    const struct control_key_spec spec = {.name = STR("caf\xc3\xa9 bot"),
                                          .role = KIND_ROLE_MEMBER,
                                          .record_bodies = KIND_BODIES_OFF,
                                          .expires_us = clock_wall_us() + 3600 * INT64_C(1000000)};
    assert_int_equal(control_key_create(c, 1, &spec, t->arena, &made, &text, &why), ERR_OK);
    assert_int_equal(made.public_id.n, APIKEY_ID_LEN);
    assert_true(str_ends(secret_reveal(&text), str_c(made.last)));
    assert_null(memmem(secret_reveal(&text).p, text.n, made.public_id.p, made.public_id.n));
    struct snapshot *s = control_snapshot(c);
    const struct snapshot_key *k = snapshot_find_key(s, secret_reveal(&text));
    assert_non_null(k);
    assert_int_equal(k->id, made.id);
    assert_int_equal(k->record_bodies, KIND_BODIES_OFF);
    assert_int_equal(k->role, KIND_ROLE_MEMBER);
    assert_int_equal(k->expires_us, spec.expires_us);
    assert_true(str_eq(k->public_id, made.public_id));
    assert_true(str_eq(k->name, spec.name));
    snapshot_unref(s);

    const bool yes = true, no = false;
    const struct str name = STR("renamed");
    const enum kind_bodies on = KIND_BODIES_ON;
    const int64_t never = 0;
    const struct control_key_change off = {.disabled = &yes},
                                    rest = {.disabled = &no, .name = &name, .record_bodies = &on, .expires_us = &never};
    assert_int_equal(control_key_update(c, 1, made.public_id, &off, &why), ERR_OK);
    assert_int_equal(bench_judge(c, secret_reveal(&text)), SNAPSHOT_DISABLED);
    assert_int_equal(control_key_update(c, 1, made.public_id, &rest, &why), ERR_OK);
    assert_int_equal(bench_judge(c, secret_reveal(&text)), SNAPSHOT_ADMITTED);
    assert_int_equal(control_key_find(c, 1, made.public_id, t->arena, &row, &why), ERR_OK);
    assert_true(str_eq(row.name, name));
    assert_int_equal(row.record_bodies, KIND_BODIES_ON);
    assert_int_equal(row.expires_us, 0);
    assert_int_equal(row.created_us, made.created_us);

    assert_int_equal(control_key_revoke(c, 1, made.public_id, &why), ERR_OK);
    assert_int_equal(control_key_revoke(c, 1, made.public_id, &why), ERR_OK);
    assert_int_equal(bench_judge(c, secret_reveal(&text)), SNAPSHOT_REVOKED);
    assert_int_equal(control_key_update(c, 1, made.public_id, &rest, &why), ERR_KEY_REVOKED);
    control_close(c);
    c = bench_open(t, ADMIN_A); /* still so in the next life */
    assert_int_equal(bench_judge(c, secret_reveal(&text)), SNAPSHOT_REVOKED);
    secret_wipe(&text);
    control_close(c);
}

static void wrong_keys_are_refused_with_the_parameter(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN_A);
    char long_name[102];
    memset(long_name, 'n', sizeof long_name);
    const struct {
        int64_t workspace;
        struct str name;
        int64_t expires_us;
        enum err want;
        const char *param;
    } rows[] = {
        {1, STR(""), 0, ERR_MISSING_PARAMETER, "name"},
        {1, STR(" x"), 0, ERR_BAD_PARAMETER, "name"},
        {1, STR("a\nb"), 0, ERR_BAD_PARAMETER, "name"},
        {1, STR("a\x1b[31mb"), 0, ERR_BAD_PARAMETER, "name"},
        {1, STR("\xff"), 0, ERR_BAD_PARAMETER, "name"},
        {1, STR("\xc0\xaf"), 0, ERR_BAD_PARAMETER, "name"},
        {1, STR("\xed\xa0\x80"), 0, ERR_BAD_PARAMETER, "name"},
        {1,
         STR("a\xc2\x85"
             "b"),
         0, ERR_BAD_PARAMETER, "name"},
        {1, {long_name, 101}, 0, ERR_BAD_PARAMETER, "name"},
        {1, STR("x"), 1, ERR_BAD_PARAMETER, "expires_at"},
        {1, STR("x"), -1, ERR_BAD_PARAMETER, "expires_at"},
        {99, STR("x"), 0, ERR_NOT_FOUND, "workspace"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct control_key row;
        struct secret text = {0};
        const struct control_key_spec spec = {
            .name = rows[i].name, .role = KIND_ROLE_MEMBER, .expires_us = rows[i].expires_us};
        assert_int_equal(control_key_create(c, rows[i].workspace, &spec, t->arena, &row, &text, &why), rows[i].want);
        assert_string_equal(why.param, rows[i].param);
        assert_true(strlen(why.text) > 15);
        assert_null(text.p);
    }
    struct control_key row;
    const struct control_key_change none = {0};
    assert_int_equal(control_key_find(c, 1, STR("absent00"), t->arena, &row, &why), ERR_NOT_FOUND);
    assert_int_equal(control_key_update(c, 1, STR("absent00"), &none, &why), ERR_NOT_FOUND);
    assert_int_equal(control_key_revoke(c, 1, STR(""), &why), ERR_NOT_FOUND);
    control_close(c);
}

static void keys_of_another_workspace_are_not_there(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN_A);
    struct control_key row, *rows;
    struct secret text = {0};
    int64_t other = 0;
    size_t count;
    assert_int_equal(control_workspace_create(c, STR("team-a"), STR("Team A"), &other, &why), ERR_OK);
    const struct control_key_spec spec = {.name = STR("x"), .role = KIND_ROLE_ADMIN};
    assert_int_equal(control_key_create(c, other, &spec, t->arena, &row, &text, &why), ERR_OK);
    assert_int_equal(control_key_find(c, 1, row.public_id, t->arena, &row, &why), ERR_NOT_FOUND);
    assert_int_equal(control_key_revoke(c, 1, row.public_id, &why), ERR_NOT_FOUND);
    assert_int_equal(bench_judge(c, secret_reveal(&text)), SNAPSHOT_ADMITTED);
    assert_int_equal(control_key_list(c, other, 0, 10, t->arena, &rows, &count, &why), ERR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(control_key_list(c, 1, 0, 10, t->arena, &rows, &count, &why), ERR_OK);
    assert_int_equal(count, 1);
    assert_true(rows[0].is_admin_key);
    secret_wipe(&text);
    control_close(c);
}

static void lists_go_on_where_they_stopped(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN_A);
    struct control_key *rows;
    size_t count, seen = 0;
    int64_t after = 0;
    struct secret text = {0};
    for (int i = 0; i < 24; i++)
        bench_make_key(t, c, "k", KIND_ROLE_VIEWER, &text);
    do {
        assert_int_equal(control_key_list(c, 1, after, 7, t->arena, &rows, &count, &why), ERR_OK);
        for (size_t i = 0; i < count; i++) {
            assert_true(rows[i].id > after);
            after = rows[i].id;
        }
        seen += count;
    } while (count == 7);
    assert_int_equal(seen, 25);
    struct arena *tiny = arena_new(64, 4096);
    assert_int_equal(control_key_list(c, 1, 0, 1000, tiny, &rows, &count, &why), ERR_OVERLOADED);
    arena_free(tiny);
    secret_wipe(&text);
    control_close(c);
}

static void nobody_locks_himself_out(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN_A);
    struct control_key *rows, second;
    struct secret text = {0};
    size_t count;
    const bool yes = true;
    const enum kind_role member = KIND_ROLE_MEMBER;
    const int64_t soon = clock_wall_us() + 1000000000;
    assert_int_equal(control_key_list(c, 1, 0, 10, t->arena, &rows, &count, &why), ERR_OK);
    const struct control_key_change changes[] = {{.disabled = &yes}, {.role = &member}, {.expires_us = &soon}};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(control_key_update(c, 1, rows[0].public_id, &changes[i], &why), ERR_LAST_OWNER);
    assert_int_equal(control_key_revoke(c, 1, rows[0].public_id, &why), ERR_LAST_OWNER);
    assert_int_equal(bench_judge(c, STR(ADMIN_A)), SNAPSHOT_ADMITTED);

    const struct control_key_spec spec = {.name = STR("second owner"), .role = KIND_ROLE_OWNER};
    assert_int_equal(control_key_create(c, 1, &spec, t->arena, &second, &text, &why), ERR_OK);
    assert_int_equal(control_key_revoke(c, 1, rows[0].public_id, &why), ERR_OK);
    assert_int_equal(control_key_revoke(c, 1, second.public_id, &why), ERR_LAST_OWNER);
    control_close(c);

    c = bench_open(t, ADMIN_A); /* revoked stays revoked, whatever the variable says */
    assert_false(t->start.admin_key_changed);
    assert_int_equal(bench_judge(c, STR(ADMIN_A)), SNAPSHOT_REVOKED);
    control_close(c);
    c = bench_open(t, NULL); /* and no new one is made by itself */
    assert_int_equal(t->start.admin_key.n, 0);
    control_close(c);
    c = bench_open(t, ADMIN_B); /* a new value is the operator's way back in */
    assert_true(t->start.admin_key_changed);
    assert_int_equal(bench_judge(c, STR(ADMIN_B)), SNAPSHOT_ADMITTED);
    secret_wipe(&text);
    control_close(c);
}

/* ---- workspaces, changes ---- */

static void workspace_names_are_url_safe_and_unique(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN_A);
    static const char *const bad[] = {"",
                                      "Team",
                                      "a b",
                                      "a_b",
                                      "-a",
                                      "a/b",
                                      "v1",
                                      "console",
                                      "run",
                                      "tollgate",
                                      "..",
                                      "a.b",
                                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct control_workspace w, *list;
    size_t count;
    int64_t id = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(control_workspace_create(c, str_c(bad[i]), STR(""), &id, &why), ERR_BAD_PARAMETER);
    assert_int_equal(control_workspace_create(c, STR("team-a"), STR("a\nb"), &id, &why), ERR_BAD_PARAMETER);
    assert_int_equal(control_workspace_create(c, STR("team-a"), STR("Team A"), &id, &why), ERR_OK);
    assert_int_equal(control_workspace_create(c, STR("team-a"), STR(""), &id, &why), ERR_CONFLICT);
    assert_int_equal(control_workspace_create(c, STR("default"), STR(""), &id, &why), ERR_CONFLICT);
    assert_int_equal(control_workspace_find(c, STR(""), t->arena, &w, &why), ERR_OK);
    assert_int_equal(w.id, 1);
    assert_int_equal(control_workspace_find(c, STR("team-a"), t->arena, &w, &why), ERR_OK);
    assert_int_equal(w.id, id);
    assert_true(str_eq(w.display_name, STR("Team A")));
    assert_int_equal(control_workspace_find(c, STR("team-b"), t->arena, &w, &why), ERR_NOT_FOUND);
    assert_int_equal(control_workspace_list(c, t->arena, &list, &count, &why), ERR_OK);
    assert_int_equal(count, 2);
    struct snapshot *s = control_snapshot(c);
    assert_int_equal(snapshot_find_workspace(s, STR("team-a"))->id, id);
    snapshot_unref(s);
    control_close(c);
}

static void note_change(void *arg, struct snapshot *s)
{
    uint64_t *log = arg;
    log[0]++;
    log[1] = snapshot_generation(s);
}

static void each_change_is_told_once_and_held_ones_together(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN_A);
    uint64_t log[2] = {0};
    struct secret text = {0};
    int64_t id;
    control_on_change(c, note_change, log);
    assert_int_equal(log[0], 1); /* what is there already */
    bench_make_key(t, c, "one", KIND_ROLE_MEMBER, &text);
    assert_int_equal(log[0], 2);
    uint64_t generation = log[1];
    assert_int_equal(control_workspace_create(c, STR("v1"), STR(""), &id, &why), ERR_BAD_PARAMETER);
    assert_int_equal(control_workspace_create(c, STR("default"), STR(""), &id, &why), ERR_CONFLICT);
    assert_int_equal(log[0], 2); /* failures change nothing */

    control_hold(c);
    control_hold(c);
    bench_make_key(t, c, "two", KIND_ROLE_MEMBER, &text);
    bench_make_key(t, c, "three", KIND_ROLE_MEMBER, &text);
    assert_int_equal(control_release(c, &why), ERR_OK);
    assert_int_equal(log[0], 2);
    assert_int_equal(bench_judge(c, secret_reveal(&text)), SNAPSHOT_UNKNOWN);
    assert_int_equal(control_release(c, &why), ERR_OK);
    assert_int_equal(log[0], 3);
    assert_int_equal(log[1], generation + 2);
    assert_int_equal(bench_judge(c, secret_reveal(&text)), SNAPSHOT_ADMITTED);
    control_hold(c);
    assert_int_equal(control_release(c, &why), ERR_OK);
    assert_int_equal(log[0], 3); /* nothing new, nothing told */
    secret_wipe(&text);
    control_close(c);
}

static void ten_thousand_keys_load_quickly(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN_A);
    struct store_db *db;
    char path[128];
    control_close(c);
    bench_path(t, "control.db", path);
    assert_int_equal(store_open(path, NULL, &db), ERR_OK);
    assert_int_equal(store_exec(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
                                    "INSERT INTO api_key(public_id, workspace_id, name, role, hash, last, created_us, "
                                    "updated_us) SELECT printf('%08d', i), 1, 'key ' || i, 'member', randomblob(32), "
                                    "'abcd', 1, 1 FROM n"),
                     ERR_OK);
    store_close(db);
    c = bench_open(t, ADMIN_A);
    struct secret text = {0};
    uint64_t start = clock_mono_us();
    bench_make_key(t, c, "one more", KIND_ROLE_MEMBER, &text);
    print_message("one change with 10,000 keys: %llu us\n", (unsigned long long)(clock_mono_us() - start));
    struct snapshot *s = control_snapshot(c);
    assert_int_equal(snapshot_key_count(s), 10002);
    snapshot_unref(s);
    secret_wipe(&text);
    control_close(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(the_first_start_makes_everything_once),
        CASE(an_admin_key_of_the_operator_is_adopted_and_replaced),
        CASE(a_given_key_ends_the_made_one_and_its_file),
        CASE(unfit_admin_keys_are_refused_and_leave_nothing),
        CASE(master_keys_come_from_one_place_and_must_fit),
        CASE(a_second_process_is_kept_out),
        CASE(keys_live_from_create_to_revoke),
        CASE(wrong_keys_are_refused_with_the_parameter),
        CASE(keys_of_another_workspace_are_not_there),
        CASE(lists_go_on_where_they_stopped),
        CASE(nobody_locks_himself_out),
        CASE(workspace_names_are_url_safe_and_unique),
        CASE(each_change_is_told_once_and_held_ones_together),
        CASE(ten_thousand_keys_load_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
