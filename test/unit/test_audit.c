/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log: what each change leaves in it, that tampering is found wherever it happens, and that
 * a change and its row are there together or not at all, whenever the process is killed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "control/control_config.h"
#include "control/control_integration.h"
#include "control/control_key.h"
#include "control/people/actor.h"
#include "control/people/audit.h"
#include "control_bench.h"
#include "store/sqlite.h"

static const struct actor someone = {
    .key_id = 7,
    .key = {"AbCd1234", 8},
    .member_id = 3,
    .name = {"ann", 3},
    .ip = {"10.0.0.9", 8},
    .source = {"native", 6},
    .request_id = {"req-1", 5},
};

static size_t rows_of(struct bench *t, struct control *c, const char *action, struct audit_row **ret_rows)
{
    struct control_why why;
    uint64_t total;
    size_t count = 0;
    struct audit_filter f = {0};
    if (action)
        f.action = str_c(action);
    if (audit_list(c, &f, AUDIT_LIST_MAX, t->arena, ret_rows, &count, &total, &why) != ERR_OK)
        fail_msg("audit_list: %s", why.text);
    assert_int_equal(total, count);
    return count;
}

static uint64_t findings_of(struct bench *t, struct audit_result *ret)
{
    struct control_why why;
    struct audit_result result;
    if (audit_verify(t->dir, NULL, 0, NULL, &result, &why) != ERR_OK)
        fail_msg("audit_verify: %s", why.text);
    if (ret)
        *ret = result;
    return result.findings;
}

static void sql(struct bench *t, const char *text)
{
    char path[128];
    struct store_db *db;
    bench_path(t, "control.db", path);
    assert_int_equal(store_open(path, NULL, &db), ERR_OK);
    if (store_exec(db, text) != ERR_OK)
        fail_msg("%s: %s", text, store_reason(db));
    store_close(db);
}

/* One change of each kind that control has. */
static void make_changes(struct bench *t, struct control *c)
{
    struct control_why why;
    struct control_key key;
    struct control_integration integration;
    struct control_config config;
    struct secret text = {0};
    int64_t id;
    const struct str name = STR("other"), metadata = STR("{\"team\":\"a\"}");
    const struct control_key_spec key_spec = {.name = STR("x"), .role = KIND_ROLE_MEMBER};
    const struct control_key_change key_change = {.name = &name};
    const struct control_integration_spec oa = {
        .slug = STR("oa"), .kind = STR("openai"), .api_key = STR("sk-canary-0123456789")};
    const struct control_integration_spec rotated = {.api_key = STR("sk-canary-9876543210")};
    const struct control_config_spec spec = {.name = STR("c"), .text = STR("{\"provider\":\"@oa\"}")};
    const struct control_workspace_change change = {.display_name = &name, .metadata = &metadata};
    assert_int_equal(control_key_create(c, 1, &key_spec, t->arena, &key, &text, &why), ERR_OK);
    assert_int_equal(control_key_update(c, 1, key.public_id, &key_change, &why), ERR_OK);
    assert_int_equal(control_key_revoke(c, 1, key.public_id, &why), ERR_OK);
    assert_int_equal(control_key_revoke(c, 1, key.public_id, &why), ERR_OK); /* changes nothing: no row */
    assert_int_equal(control_workspace_create(c, STR("team-a"), STR(""), &id, &why), ERR_OK);
    assert_int_equal(control_workspace_update(c, id, &change, &why), ERR_OK);
    assert_int_equal(control_integration_create(c, 1, &oa, t->arena, &integration, &why), ERR_OK);
    assert_int_equal(control_integration_update(c, 1, STR("oa"), &rotated, t->arena, &integration, &why), ERR_OK);
    assert_int_equal(control_config_create(c, 1, &spec, t->arena, &config, &why), ERR_OK);
    assert_int_equal(control_config_update(c, 1, config.slug, &spec, t->arena, &config, &why), ERR_OK);
    assert_int_equal(control_config_delete(c, 1, config.slug, &why), ERR_OK);
    assert_int_equal(control_integration_delete(c, 1, STR("oa"), &why), ERR_OK);
    secret_wipe(&text);
}

static void every_change_leaves_one_row_that_names_its_actor(void **state)
{
    struct bench *t = *state;
    static const char *const newest_first[] = {
        "integration.delete", "config.delete",    "config.update",      "config.create", "integration.rotate",
        "integration.create", "workspace.update", "workspace.create",   "key.revoke",    "key.update",
        "key.create",         "key.adopt",        "organization.create"};
    struct control *c = bench_open(t, NULL);
    struct audit_row *rows;
    actor_set(&someone);
    make_changes(t, c);
    actor_set(NULL);
    size_t n = rows_of(t, c, NULL, &rows);
    assert_int_equal(n, sizeof newest_first / sizeof newest_first[0]);
    for (size_t i = 0; i < n; i++) {
        bool first = i >= n - 2;
        assert_true(str_eq(rows[i].action, str_c(newest_first[i])));
        assert_int_equal(rows[i].seq, n - i);
        assert_true(str_eq(rows[i].source, first ? STR("start") : STR("native")));
        assert_true(str_eq(rows[i].name, first ? STR("tollgate") : someone.name));
        assert_int_equal(rows[i].key_id, first ? 0 : 7);
        assert_int_equal(rows[i].member_id, first ? 0 : 3);
        assert_true(first || str_eq(rows[i].ip, someone.ip));
        assert_true(first || str_eq(rows[i].request_id, someone.request_id));
        assert_true(rows[i].time_us > 0);
        assert_true(str_search(rows[i].before, STR("canary")) < 0);
        assert_true(str_search(rows[i].after, STR("canary")) < 0);
    }
    assert_true(str_search(rows[9].before, STR("\"name\":\"x\"")) >= 0);
    assert_true(str_search(rows[9].after, STR("\"name\":\"other\"")) >= 0);
    assert_int_equal(rows_of(t, c, "key.", &rows), 4);
    assert_int_equal(rows_of(t, c, "key.update", &rows), 1);
    assert_int_equal(findings_of(t, NULL), 0); /* while it is open */
    control_close(c);
    assert_int_equal(findings_of(t, NULL), 0);
}

static void a_refused_change_leaves_no_row(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct control_why why;
    struct audit_row *rows;
    struct control_integration row;
    int64_t id;
    size_t before = rows_of(t, c, NULL, &rows);
    const struct control_integration_spec bad = {.slug = STR("x"), .kind = STR("openai")};
    assert_int_not_equal(control_workspace_create(c, STR("default"), STR(""), &id, &why), ERR_OK);
    assert_int_not_equal(control_key_revoke(c, 1, STR("nobody00"), &why), ERR_OK);
    assert_int_not_equal(control_integration_create(c, 1, &bad, t->arena, &row, &why), ERR_OK);
    assert_int_equal(rows_of(t, c, NULL, &rows), before);
    control_close(c);
}

static void the_database_refuses_changes_of_the_log(void **state)
{
    struct bench *t = *state;
    static const char *const tries[] = {
        "UPDATE audit SET name = 'x'",
        "DELETE FROM audit",
        "REPLACE INTO audit SELECT 1, time_us, source, key_id, key, member_id, name, ip, request_id, workspace_id, "
        "action, object_type, object_id, before, after, previous, hash FROM audit WHERE seq = 2",
        "UPDATE audit_head SET seq = 1",
        "DELETE FROM audit_head",
    };
    char path[128];
    struct store_db *db;
    control_close(bench_open(t, NULL));
    bench_path(t, "control.db", path);
    assert_int_equal(store_open(path, NULL, &db), ERR_OK);
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++)
        assert_int_not_equal(store_exec(db, tries[i]), ERR_OK);
    store_close(db);
    assert_int_equal(findings_of(t, NULL), 0);
}

#define WITHOUT_TRIGGERS                                                                   \
    "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; DROP TRIGGER audit_next;" \
    "DROP TRIGGER audit_head_no_delete; DROP TRIGGER audit_head_next;"
#define WITH_TRIGGERS                                                                                     \
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, ''); END;"           \
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, ''); END;"           \
    "CREATE TRIGGER audit_next BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, ''); END;"                \
    "CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head BEGIN SELECT raise(ABORT, ''); END;" \
    "CREATE TRIGGER audit_head_next BEFORE UPDATE ON audit_head BEGIN SELECT raise(ABORT, ''); END;"

/* Tampers, checks that something is found, and puts the copy back. */
static void must_be_found(struct bench *t, const char *tampering)
{
    char command[512];
    snprintf(command, sizeof command, "cp '%s/control.db' '%s/saved'", t->dir, t->dir);
    assert_int_equal(system(command), 0);
    sql(t, WITHOUT_TRIGGERS);
    sql(t, tampering);
    sql(t, WITH_TRIGGERS);
    if (findings_of(t, NULL) == 0)
        fail_msg("not found: %s", tampering);
    snprintf(command, sizeof command, "rm -f '%s/control.db'* && mv '%s/saved' '%s/control.db'", t->dir, t->dir,
             t->dir);
    assert_int_equal(system(command), 0);
}

static void tampering_with_any_column_of_any_row_is_found(void **state)
{
    struct bench *t = *state;
    static const char *const columns[] = {
        "seq = 1000 + seq",
        "time_us = time_us + 1",
        "source = source || 'x'",
        "key_id = key_id + 1",
        "key = key || 'x'",
        "member_id = member_id + 1",
        "name = name || 'x'",
        "ip = ip || 'x'",
        "request_id = request_id || 'x'",
        "workspace_id = workspace_id + 1",
        "action = action || 'x'",
        "object_type = object_type || 'x'",
        "object_id = object_id || 'x'",
        "before = before || ' '",
        "after = after || ' '",
        "previous = CAST(zeroblob(31) || x'01' AS BLOB)",
        "hash = zeroblob(32)",
        /* what moves from one text to the next keeps the bytes in a row */
        "name = name || 'x', ip = substr(ip, 2)",
        "action = substr(action, 1, 2), object_type = substr(action, 3) || object_type",
    };
    struct control *c = bench_open(t, NULL);
    actor_set(&someone);
    make_changes(t, c);
    actor_set(NULL);
    control_close(c);
    sql(t, "PRAGMA wal_checkpoint(TRUNCATE)");
    struct audit_result whole;
    assert_int_equal(findings_of(t, &whole), 0);
    for (int64_t seq = 1; seq <= whole.seq; seq++) {
        for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
            char text[256];
            snprintf(text, sizeof text, "UPDATE audit SET %s WHERE seq = %lld", columns[i], (long long)seq);
            must_be_found(t, text);
        }
    }
    print_message("%zu kinds of tampering on %lld rows\n", sizeof columns / sizeof columns[0], (long long)whole.seq);
}

static void missing_moved_and_added_rows_are_found(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    make_changes(t, c);
    control_close(c);
    sql(t, "PRAGMA wal_checkpoint(TRUNCATE)");
    must_be_found(t, "DELETE FROM audit WHERE seq = 1");
    must_be_found(t, "DELETE FROM audit WHERE seq = 5");
    must_be_found(t, "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)");
    must_be_found(t, "DELETE FROM audit");
    must_be_found(t, "DELETE FROM audit_head");
    must_be_found(t, "UPDATE audit SET seq = 99 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4;"
                     "UPDATE audit SET seq = 4 WHERE seq = 99");
    must_be_found(t, "INSERT INTO audit SELECT seq + 1, time_us, source, key_id, key, member_id, name, ip, "
                     "request_id, workspace_id, action, object_type, object_id, before, after, hash, hash "
                     "FROM audit ORDER BY seq DESC LIMIT 1");
    assert_int_equal(findings_of(t, NULL), 0);
    sql(t, "DROP TRIGGER audit_no_update");
    assert_int_equal(findings_of(t, NULL), 1);
}

static void a_head_kept_elsewhere_finds_a_log_made_anew(void **state)
{
    struct bench *t = *state;
    struct audit_result kept, now;
    struct control_why why;
    struct control *c = bench_open(t, NULL);
    assert_int_equal(findings_of(t, &kept), 0);
    make_changes(t, c);
    control_close(c);
    assert_int_equal(audit_verify(t->dir, NULL, kept.seq, kept.hash, &now, &why), ERR_OK);
    assert_int_equal(now.findings, 0);
    assert_true(now.seq > kept.seq);
    kept.hash[3] ^= 1;
    assert_int_equal(audit_verify(t->dir, NULL, kept.seq, kept.hash, &now, &why), ERR_OK);
    assert_int_equal(now.findings, 1);
    assert_int_equal(audit_verify(t->dir, NULL, now.seq + 1, kept.hash, &now, &why), ERR_OK);
    assert_int_equal(now.findings, 1);
}

/* ---- killed ---- */

/* Makes a workspace; killed at the n-th file call. The exit code, or -1. */
static int change_in_child(struct bench *t, uint64_t at)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct control_why why;
        struct file_faults f = {.calls = FILE_CALLS_ALL, .kind = FILE_FAULT_KILL, .at = at};
        int64_t id;
        store_use_file_calls();
        struct control *c = bench_open(t, NULL);
        file_set_faults(&f);
        _exit(control_workspace_create(c, STR("team-a"), STR(""), &id, &why) == ERR_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -1 : WEXITSTATUS(status);
}

static void killed_at_any_file_call_there_are_both_or_neither(void **state)
{
    struct bench *t = *state;
    int code = -1, both = 0, neither = 0;
    for (uint64_t at = 1; code != 0 && at < 200; at++) {
        char command[160];
        struct audit_row *rows;
        snprintf(command, sizeof command, "rm -rf '%s'/*", t->dir);
        assert_int_equal(system(command), 0);
        arena_reset(t->arena);
        control_close(bench_open(t, NULL));
        code = change_in_child(t, at);
        assert_true(code <= 0);
        struct control *c = bench_open(t, NULL);
        struct snapshot *s = control_snapshot(c);
        bool there = snapshot_find_workspace(s, STR("team-a")) != NULL;
        assert_int_equal(rows_of(t, c, "workspace.create", &rows), there ? 1 : 0);
        assert_int_equal(findings_of(t, NULL), 0);
        both += there;
        neither += !there;
        snapshot_unref(s);
        control_close(c);
    }
    print_message("killed %d times: change and row %d times, neither %d times\n", both + neither - 1, both, neither);
    assert_true(both > 0);
    assert_true(neither > 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(every_change_leaves_one_row_that_names_its_actor),
        CASE(a_refused_change_leaves_no_row),
        CASE(the_database_refuses_changes_of_the_log),
        CASE(tampering_with_any_column_of_any_row_is_found),
        CASE(missing_moved_and_added_rows_are_found),
        CASE(a_head_kept_elsewhere_finds_a_log_made_anew),
        CASE(killed_at_any_file_call_there_are_both_or_neither),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
