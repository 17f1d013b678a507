/* SPDX-License-Identifier: Apache-2.0 */
/* Stored configs: versions, defaults, who may not lose one, what of a text can be found in files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "control/config/config.h"
#include "control/control_config.h"
#include "control/control_key.h"
#include "control/snapshot.h"
#include "control_bench.h"
#include "store/sqlite.h"

#define ADMIN "an-admin-key-for-the-tests-A"
#define CANARY "sk-proj-CANARY0123456789CANARY"
#define TEXT_A "{\"strategy\":{\"mode\":\"fallback\"},\"targets\":[{\"provider\":\"@a\"},{\"provider\":\"@b\"}]}"
#define TEXT_B "{ \"retry\" : {\"attempts\":3}, \"provider\":\"@a\", \"x_unknown\":[1.50, null] }"
#define TEXT_SECRET "{\"provider\":\"openai\",\"api_key\":\"" CANARY "\"}"

static struct control_why why;
static struct control_config made;

static enum err make(struct bench *t, struct control *c, const char *name, const char *text)
{
    const struct control_config_spec spec = {.name = str_c(name), .text = str_c(text)};
    return control_config_create(c, 1, &spec, t->arena, &made, &why);
}

static enum err change(struct bench *t, struct control *c, struct str slug, const char *text)
{
    const struct control_config_spec spec = {.text = str_c(text)};
    return control_config_update(c, 1, slug, &spec, t->arena, &made, &why);
}

/* The version that the data path sees; 0 = none. */
static uint32_t version_seen(struct control *c, struct str slug)
{
    struct snapshot *s = control_snapshot(c);
    const struct config *config = snapshot_find_config(s, 1, slug);
    uint32_t version = config ? config->version : 0;
    if (config) {
        assert_true(str_eq(config->slug, slug));
        assert_int_equal(config->workspace_id, 1);
    }
    snapshot_unref(s);
    return version;
}

static void a_config_is_stored_compiled_and_shown_as_given(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    struct control_config found;
    assert_int_equal(make(t, c, "Mine", TEXT_B), ERR_OK);
    assert_true(str_starts(made.slug, STR("pc-")));
    assert_int_equal(made.slug.n, 15);
    assert_int_equal(made.version, 1);
    assert_false(made.is_default);
    assert_int_equal(version_seen(c, made.slug), 1);
    struct str slug = made.slug;
    control_close(c);
    c = bench_open(t, ADMIN);
    assert_int_equal(control_config_find(c, 1, slug, t->arena, &found, &why), ERR_OK);
    assert_true(str_eq(found.text, STR(TEXT_B)));
    assert_true(str_eq(found.name, STR("Mine")));
    assert_int_equal(version_seen(c, slug), 1);
    struct snapshot *s = control_snapshot(c);
    const struct config *config = snapshot_find_config(s, 1, slug);
    assert_int_equal(config->root->settings.retry.attempts, 3);
    assert_int_equal(config->id, found.id);
    assert_null(snapshot_find_config(s, 2, slug));
    snapshot_unref(s);
    control_close(c);
}

static void an_update_adds_a_version_and_keeps_the_old(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    struct control_config_version *rows;
    size_t count;
    uint64_t total;
    assert_int_equal(make(t, c, "Mine", TEXT_A), ERR_OK);
    struct str slug = made.slug;
    struct snapshot *before = control_snapshot(c);
    const struct config *first = snapshot_find_config(before, 1, slug);
    assert_int_equal(change(t, c, slug, TEXT_B), ERR_OK);
    assert_int_equal(made.version, 2);
    assert_int_equal(version_seen(c, slug), 2);
    assert_int_equal(first->version, 1); /* requests under way keep theirs */
    snapshot_unref(before);
    const struct control_config_spec rename = {.name = STR("Other")};
    assert_int_equal(control_config_update(c, 1, slug, &rename, t->arena, &made, &why), ERR_OK);
    assert_int_equal(made.version, 2);
    assert_true(str_eq(made.name, STR("Other")));
    assert_int_equal(control_config_versions(c, 1, slug, 0, 10, t->arena, &rows, &count, &total, &why), ERR_OK);
    assert_int_equal(count, 2);
    assert_int_equal(total, 2);
    assert_int_equal(rows[0].number, 2);
    assert_true(str_eq(rows[0].text, STR(TEXT_B)));
    assert_true(str_eq(rows[1].text, STR(TEXT_A)));
    assert_int_equal(control_config_versions(c, 1, slug, 1, 10, t->arena, &rows, &count, &total, &why), ERR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].number, 1);
    assert_int_equal(control_config_versions(c, 1, slug, UINT64_MAX, 10, t->arena, &rows, &count, &total, &why),
                     ERR_OK);
    assert_int_equal(count, 0);
    control_close(c);
}

static void an_unchanged_config_is_not_compiled_again(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    struct secret key = {0};
    assert_int_equal(make(t, c, "Mine", TEXT_A), ERR_OK);
    struct str slug = made.slug;
    struct snapshot *before = control_snapshot(c);
    bench_make_key(t, c, "k", KIND_ROLE_MEMBER, &key);
    struct snapshot *after = control_snapshot(c);
    assert_ptr_not_equal(before, after);
    assert_ptr_equal(snapshot_find_config(before, 1, slug), snapshot_find_config(after, 1, slug));
    snapshot_unref(before);
    assert_true(str_eq(snapshot_find_config(after, 1, slug)->text, STR(TEXT_A)));
    snapshot_unref(after);
    secret_wipe(&key);
    control_close(c);
}

static void wrong_configs_are_refused_with_a_reason(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    static const struct {
        const char *name, *text;
        enum err want;
        const char *param, *part;
    } rows[] = {
        {"", TEXT_A, ERR_MISSING_PARAMETER, "name", "name"},
        {" x", TEXT_A, ERR_BAD_PARAMETER, "name", "name"},
        {"x", NULL, ERR_MISSING_PARAMETER, "config", "JSON"},
        {"x", "{", ERR_BAD_PARAMETER, "config", "valid json"},
        {"x", "{\"strategy\":{\"mode\":\"nope\"},\"targets\":[{\"provider\":\"@a\"}]}", ERR_BAD_PARAMETER, "config",
         "path: strategy,mode"},
        {"x", "{\"api_key\":\"sk********abc\",\"provider\":\"openai\"}", ERR_BAD_PARAMETER, "config", "mask"},
        {"x", "{\"api_key\":\"********abc\",\"provider\":\"openai\"}", ERR_BAD_PARAMETER, "config", "mask"},
        {"x", "{\"api_key\":\"********\",\"provider\":\"openai\"}", ERR_BAD_PARAMETER, "config", "mask"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct control_config_spec spec = {.name = str_c(rows[i].name),
                                                 .text = rows[i].text ? str_c(rows[i].text) : str_of(NULL, 0)};
        if (control_config_create(c, 1, &spec, t->arena, &made, &why) != rows[i].want)
            fail_msg("row %zu: %s", i, why.text);
        assert_string_equal(why.param, rows[i].param);
        if (!strstr(why.text, rows[i].part))
            fail_msg("row %zu says: %s", i, why.text);
    }
    assert_int_equal(make(t, c, "stars", "{\"provider\":\"@a\",\"override_params\":{\"user\":\"a ******** divides\"}}"),
                     ERR_OK);
    char *huge = mem_zalloc(CONFIG_TEXT_MAX + 2);
    memset(huge, ' ', CONFIG_TEXT_MAX + 1);
    memcpy(huge, TEXT_A, strlen(TEXT_A));
    assert_int_equal(make(t, c, "x", huge), ERR_BAD_PARAMETER);
    huge[CONFIG_TEXT_MAX] = '\0';
    assert_int_equal(make(t, c, "x", huge), ERR_OK); /* the largest one is sealed, too */
    assert_int_equal(version_seen(c, made.slug), 1);
    mem_free(huge);
    assert_int_equal(change(t, c, STR("pc-none"), TEXT_A), ERR_NOT_FOUND);
    assert_int_equal(change(t, c, made.slug, "[]"), ERR_BAD_PARAMETER);
    assert_int_equal(version_seen(c, made.slug), 1);
    const struct control_config_spec spec = {.name = STR("x"), .text = STR(TEXT_A)};
    assert_int_equal(control_config_create(c, 99, &spec, t->arena, &made, &why), ERR_NOT_FOUND);
    control_close(c);
}

static struct str default_of(struct control *c, struct arena *a)
{
    struct snapshot *s = control_snapshot(c);
    const struct config *config = snapshot_workspace_of(s, 1)->default_config;
    struct str slug = config ? arena_dup(a, config->slug) : STR("");
    snapshot_unref(s);
    return slug;
}

static void a_workspace_has_at_most_one_default(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    struct control_workspace w;
    const bool yes = true, no = false;
    const struct control_config_spec first = {.name = STR("1"), .text = STR(TEXT_A), .is_default = &yes},
                                     be = {.is_default = &yes}, not_be = {.is_default = &no};
    assert_int_equal(control_config_create(c, 1, &first, t->arena, &made, &why), ERR_OK);
    struct str one = made.slug;
    assert_true(made.is_default);
    assert_true(str_eq(default_of(c, t->arena), one));
    assert_int_equal(make(t, c, "2", TEXT_A), ERR_OK);
    struct str two = made.slug;
    assert_true(str_eq(default_of(c, t->arena), one));
    assert_int_equal(control_config_update(c, 1, two, &be, t->arena, &made, &why), ERR_OK);
    assert_true(str_eq(default_of(c, t->arena), two));
    assert_int_equal(control_workspace_find(c, STR(""), t->arena, &w, &why), ERR_OK);
    assert_true(str_eq(w.default_config, two));
    assert_int_equal(control_config_find(c, 1, one, t->arena, &made, &why), ERR_OK);
    assert_false(made.is_default);
    assert_int_equal(control_config_delete(c, 1, one, &why), ERR_OK);
    assert_int_equal(control_config_delete(c, 1, two, &why), ERR_IN_USE);
    assert_non_null(strstr(why.text, "default"));
    assert_int_equal(control_config_update(c, 1, two, &not_be, t->arena, &made, &why), ERR_OK);
    assert_int_equal(default_of(c, t->arena).n, 0);
    assert_int_equal(control_config_delete(c, 1, two, &why), ERR_OK);
    assert_int_equal(version_seen(c, two), 0);
    control_close(c);
}

/* The key's own default config as the data path sees it, "" = none. */
static struct str config_of(struct control *c, struct str text, struct arena *a)
{
    struct snapshot *s = control_snapshot(c);
    const struct snapshot_key *k = snapshot_find_key(s, text);
    assert_non_null(k);
    struct str slug = k->default_config ? arena_dup(a, k->default_config->slug) : STR("");
    snapshot_unref(s);
    return slug;
}

static void a_config_that_keys_need_is_not_deleted(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    struct secret text = {0};
    struct control_key rows[5];
    assert_int_equal(make(t, c, "Mine", TEXT_A), ERR_OK);
    struct str slug = made.slug, other;
    for (int i = 0; i < 5; i++) {
        char name[16];
        int n = snprintf(name, sizeof name, "key-%d", i);
        const struct control_key_spec spec = {
            .name = str_of(name, (size_t)n), .role = KIND_ROLE_MEMBER, .config = slug, .config_fixed = true};
        assert_int_equal(control_key_create(c, 1, &spec, t->arena, &rows[i], &text, &why), ERR_OK);
        assert_true(str_eq(rows[i].config, slug));
        assert_true(rows[i].config_fixed);
    }
    assert_true(str_eq(config_of(c, secret_reveal(&text), t->arena), slug));
    assert_int_equal(control_config_delete(c, 1, slug, &why), ERR_IN_USE);
    assert_non_null(strstr(why.text, "key-0 ("));
    assert_non_null(strstr(why.text, "key-2 ("));
    assert_non_null(strstr(why.text, " and 2 more"));
    assert_null(strstr(why.text, "key-3"));
    for (int i = 0; i < 3; i++)
        assert_int_equal(control_key_revoke(c, 1, rows[i].public_id, &why), ERR_OK);
    assert_int_equal(make(t, c, "Other", TEXT_B), ERR_OK);
    other = made.slug;
    const struct str none = STR("");
    const struct control_key_change to_other = {.config = &other}, to_none = {.config = &none};
    assert_int_equal(control_key_update(c, 1, rows[3].public_id, &to_other, &why), ERR_OK);
    assert_int_equal(control_config_delete(c, 1, slug, &why), ERR_IN_USE);
    assert_int_equal(control_key_update(c, 1, rows[4].public_id, &to_none, &why), ERR_OK);
    assert_int_equal(config_of(c, secret_reveal(&text), t->arena).n, 0);
    assert_int_equal(control_config_delete(c, 1, slug, &why), ERR_OK);
    assert_int_equal(control_key_update(c, 1, rows[4].public_id, &(struct control_key_change){.config = &slug}, &why),
                     ERR_BAD_PARAMETER);
    assert_non_null(strstr(why.text, "pc-"));
    secret_wipe(&text);
    control_close(c);
    control_close(bench_open(t, ADMIN)); /* revoked keys still point at what is gone */
}

static void keys_have_scopes_and_metadata(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    struct secret text = {0};
    struct control_key row;
    scope_set scopes;
    struct str unknown;
    assert_true(scope_list_read(STR("completions.write, logs.view"), &scopes, &unknown));
    const struct control_key_spec listed = {
        .name = STR("k"), .role = KIND_ROLE_MEMBER, .scopes = scopes, .metadata = STR("{\"team\":\"a\"}")};
    assert_int_equal(control_key_create(c, 1, &listed, t->arena, &row, &text, &why), ERR_OK);
    assert_true(row.scopes == scopes);
    struct snapshot *s = control_snapshot(c);
    const struct snapshot_key *k = snapshot_find_key(s, secret_reveal(&text));
    assert_true(snapshot_key_may(k, SNAPSHOT_SCOPE_COMPLETIONS_WRITE));
    assert_true(snapshot_key_may(k, SNAPSHOT_SCOPE_LOGS_VIEW));
    assert_false(snapshot_key_may(k, SNAPSHOT_SCOPE_LOGS_LIST));
    assert_true(str_eq(k->metadata, STR("{\"team\":\"a\"}")));
    snapshot_unref(s);
    const scope_set all = SNAPSHOT_SCOPES_ALL;
    const struct str none = STR("");
    const struct control_key_change open = {.scopes = &all, .metadata = &none};
    assert_int_equal(control_key_update(c, 1, row.public_id, &open, &why), ERR_OK);
    s = control_snapshot(c);
    k = snapshot_find_key(s, secret_reveal(&text));
    assert_true(k->scopes == SNAPSHOT_SCOPES_ALL);
    assert_int_equal(k->metadata.n, 0);
    k = snapshot_find_key(s, STR(ADMIN));
    assert_true(k->scopes == SNAPSHOT_SCOPES_ALL); /* one that was made without saying anything */
    snapshot_unref(s);
    static const char *const bad[] = {"[]", "{\"a\":1}", "{\"a\":\"b\",\"a\":\"c\"}", "{\"\":\"x\"}", "{", "\"x\""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct control_key_spec spec = {.name = STR("k"), .metadata = str_c(bad[i])};
        struct str metadata = str_c(bad[i]);
        assert_int_equal(control_key_create(c, 1, &spec, t->arena, &row, &text, &why), ERR_BAD_PARAMETER);
        assert_string_equal(why.param, "metadata");
        const struct control_workspace_change w = {.metadata = &metadata};
        assert_int_equal(control_workspace_update(c, 1, &w, &why), ERR_BAD_PARAMETER);
    }
    assert_false(scope_list_read(STR("completions.write,nope.nope"), &scopes, &unknown));
    assert_true(str_eq(unknown, STR("nope.nope")));
    secret_wipe(&text);
    control_close(c);
}

static void a_workspace_has_metadata(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    const struct str metadata = STR("{\"_environment\":\"prod\"}"), none = STR("");
    const struct control_workspace_change change_it = {.metadata = &metadata}, clear = {.metadata = &none};
    struct control_workspace w;
    assert_int_equal(control_workspace_update(c, 1, &change_it, &why), ERR_OK);
    control_close(c);
    c = bench_open(t, ADMIN);
    struct snapshot *s = control_snapshot(c);
    assert_true(str_eq(snapshot_workspace_of(s, 1)->metadata, metadata));
    snapshot_unref(s);
    assert_int_equal(control_workspace_find(c, STR(""), t->arena, &w, &why), ERR_OK);
    assert_true(str_eq(w.metadata, metadata));
    assert_true(str_eq(w.display_name, STR("default")));
    assert_int_equal(control_workspace_update(c, 1, &clear, &why), ERR_OK);
    s = control_snapshot(c);
    assert_int_equal(snapshot_workspace_of(s, 1)->metadata.n, 0);
    snapshot_unref(s);
    assert_int_equal(control_workspace_update(c, 77, &clear, &why), ERR_NOT_FOUND);
    control_close(c);
}

/* ---- secrets ---- */

static bool file_has(const struct bench *t, const char *name, const char *needle)
{
    char path[128];
    bench_path(t, name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t cap = 8u << 20;
    char *bytes = mem_alloc(cap);
    ssize_t n = read(fd, bytes, cap);
    close(fd);
    bool has = n > 0 && str_search(str_of(bytes, (size_t)n), str_c(needle)) >= 0;
    mem_free(bytes);
    return has;
}

static void secrets_in_a_text_are_sealed_and_shown_masked(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    struct control_config_version *rows;
    struct control_config found;
    size_t count;
    uint64_t total;
    assert_int_equal(make(t, c, "Mine", TEXT_SECRET), ERR_OK);
    struct str slug = made.slug;
    assert_int_equal(control_config_find(c, 1, slug, t->arena, &found, &why), ERR_OK);
    assert_true(str_search(found.text, STR("********")) > 0);
    assert_true(str_search(found.text, STR("CANARY")) < 0);
    assert_int_equal(control_config_versions(c, 1, slug, 0, 10, t->arena, &rows, &count, &total, &why), ERR_OK);
    assert_true(str_search(rows[0].text, STR("CANARY")) < 0);
    struct snapshot *s = control_snapshot(c);
    assert_true(str_eq(snapshot_find_config(s, 1, slug)->root->settings.api_key, STR(CANARY)));
    snapshot_unref(s);
    assert_int_equal(
        control_config_update(c, 1, slug, &(struct control_config_spec){.text = found.text}, t->arena, &made, &why),
        ERR_BAD_PARAMETER); /* what was shown does not come back as a secret */
    static const char *const files[] = {"control.db", "control.db-wal", "control.db-shm"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        assert_false(file_has(t, files[i], "CANARY"));
    control_close(c);
    assert_false(file_has(t, "control.db", "CANARY"));
}

static void run_sql(const struct bench *t, const char *sql)
{
    char path[128];
    struct store_db *db;
    bench_path(t, "control.db", path);
    assert_int_equal(store_open(path, NULL, &db), ERR_OK);
    assert_int_equal(store_exec(db, sql), ERR_OK);
    store_close(db);
}

static void a_text_that_cannot_be_read_sends_nobody_elsewhere(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    struct control_config found;
    struct secret text = {0};
    struct control_key row;
    const bool yes = true;
    const struct control_config_spec spec = {.name = STR("d"), .text = STR(TEXT_A), .is_default = &yes};
    assert_int_equal(make(t, c, "Mine", TEXT_SECRET), ERR_OK);
    struct str slug = made.slug;
    const struct control_key_spec key = {.name = STR("k"), .role = KIND_ROLE_MEMBER, .config = slug};
    assert_int_equal(control_key_create(c, 1, &key, t->arena, &row, &text, &why), ERR_OK);
    assert_int_equal(control_config_create(c, 1, &spec, t->arena, &made, &why), ERR_OK);
    control_close(c);
    run_sql(t, "UPDATE config_version SET sealed_text = zeroblob(80) WHERE config_id = 1");
    c = bench_open(t, ADMIN);
    struct snapshot *s = control_snapshot(c);
    const struct config *config = snapshot_find_key(s, secret_reveal(&text))->default_config;
    assert_ptr_equal(config, snapshot_find_config(s, 1, slug));
    assert_int_equal(config->root->target_count, 0);
    assert_true(str_starts(config->root->settings.virtual_key, slug)); /* an account that cannot be */
    assert_int_equal(config->root->settings.api_key.n, 0);
    snapshot_unref(s);
    assert_int_equal(control_config_find(c, 1, slug, t->arena, &found, &why), ERR_OK);
    assert_int_equal(found.text.n, 0);
    assert_int_equal(change(t, c, slug, TEXT_A), ERR_OK); /* a new version repairs it */
    s = control_snapshot(c);
    assert_int_equal(snapshot_find_config(s, 1, slug)->root->target_count, 2);
    snapshot_unref(s);
    secret_wipe(&text);
    control_close(c);
}

static void a_sealed_text_opens_in_its_own_row_only(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    assert_int_equal(make(t, c, "one", TEXT_A), ERR_OK);
    struct str one = made.slug;
    assert_int_equal(make(t, c, "two", TEXT_B), ERR_OK);
    control_close(c);
    run_sql(t, "UPDATE config_version SET sealed_text = (SELECT sealed_text FROM config_version WHERE id = 2) "
               "WHERE id = 1");
    c = bench_open(t, ADMIN);
    struct snapshot *s = control_snapshot(c);
    assert_true(str_starts(snapshot_find_config(s, 1, one)->root->settings.virtual_key, one));
    snapshot_unref(s);
    control_close(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_config_is_stored_compiled_and_shown_as_given),
        CASE(an_update_adds_a_version_and_keeps_the_old),
        CASE(an_unchanged_config_is_not_compiled_again),
        CASE(wrong_configs_are_refused_with_a_reason),
        CASE(a_workspace_has_at_most_one_default),
        CASE(a_config_that_keys_need_is_not_deleted),
        CASE(keys_have_scopes_and_metadata),
        CASE(a_workspace_has_metadata),
        CASE(secrets_in_a_text_are_sealed_and_shown_masked),
        CASE(a_text_that_cannot_be_read_sends_nobody_elsewhere),
        CASE(a_sealed_text_opens_in_its_own_row_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
