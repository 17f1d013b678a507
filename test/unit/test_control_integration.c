/* SPDX-License-Identifier: Apache-2.0 */
/* Integrations: what is taken, what is refused, where the key may go, and what of it can be found in files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "control/control_integration.h"
#include "control/control_key.h"
#include "control/snapshot.h"
#include "control_bench.h"
#include "store/sqlite.h"

#define ADMIN "an-admin-key-for-the-tests-A"
#define CANARY "sk-proj-CANARY0123456789CANARY"

static struct control_why why;

static struct control_integration made;

static enum err make(struct bench *t, struct control *c, int64_t workspace, const char *slug, const char *kind,
                     const char *url, const char *key)
{
    const struct control_integration_spec spec = {.slug = str_c(slug),
                                                  .kind = str_c(kind),
                                                  .base_url = url ? str_c(url) : str_of(NULL, 0),
                                                  .api_key = key ? str_c(key) : str_of(NULL, 0)};
    return control_integration_create(c, workspace, &spec, t->arena, &made, &why);
}

/* The header lines that would go upstream. */
static void lines_are(struct control *c, int64_t workspace, const char *slug, const char *want)
{
    struct snapshot *s = control_snapshot(c);
    const struct snapshot_integration *i = snapshot_find_integration(s, workspace, str_c(slug));
    assert_non_null(i);
    assert_false(i->broken);
    if (!str_eq(secret_reveal(&i->head_lines), str_c(want)))
        fail_msg("%s has other header lines", slug);
    snapshot_unref(s);
}

static void each_kind_has_its_defaults(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    static const struct {
        const char *kind, *url, *key, *want_url, *want_version, *want_lines;
    } rows[] = {
        {"openai", NULL, "sk-1", "https://api.openai.com/v1", "", "Authorization: Bearer sk-1\r\n"},
        {"openai", "https://eu.api.openai.com", "sk-1", "https://eu.api.openai.com/v1", "",
         "Authorization: Bearer sk-1\r\n"},
        {"openai", "http://127.0.0.1:9000/", "sk-1", "http://127.0.0.1:9000/v1", "", "Authorization: Bearer sk-1\r\n"},
        {"openai", "http://sim:9000/other", "sk-1", "http://sim:9000/other", "", "Authorization: Bearer sk-1\r\n"},
        {"openai-admin", NULL, "sk-admin-1", "https://api.openai.com/v1", "", "Authorization: Bearer sk-admin-1\r\n"},
        {"openai-compatible", "http://localhost:11434/v1", NULL, "http://localhost:11434/v1", "", ""},
        {"openai-compatible", "https://api.example.com", "k", "https://api.example.com", "",
         "Authorization: Bearer k\r\n"},
        {"azure-openai", "https://r.openai.azure.com", "abc", "https://r.openai.azure.com/openai", "v1",
         "api-key: abc\r\n"},
        {"azure-openai", "https://r.openai.azure.com/openai/", "abc", "https://r.openai.azure.com/openai", "v1",
         "api-key: abc\r\n"},
        {"azure-openai", "https://r.openai.azure.com/openai/v1", "abc", "https://r.openai.azure.com/openai", "v1",
         "api-key: abc\r\n"},
        {"azure-openai", "https://gw.example/east/openai", "abc", "https://gw.example/east/openai", "v1",
         "api-key: abc\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char slug[16];
        snprintf(slug, sizeof slug, "i%zu", i);
        if (make(t, c, 1, slug, rows[i].kind, rows[i].url, rows[i].key) != ERR_OK)
            fail_msg("row %zu: %s", i, why.text);
        assert_true(str_eq(made.base_url, str_c(rows[i].want_url)));
        assert_true(str_eq(made.api_version, str_c(rows[i].want_version)));
        assert_true(str_eq(made.name, str_c(slug)));
        assert_int_equal(made.is_default, i == 0);
        lines_are(c, 1, slug, rows[i].want_lines);
    }
    control_close(c);
}

static void wrong_integrations_are_refused_with_the_parameter(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    char huge[4098];
    memset(huge, 'k', sizeof huge);
    huge[4097] = '\0';
    const bool yes = true;
    const struct {
        struct control_integration_spec spec;
        enum err want;
        const char *param;
    } rows[] = {
        {{.kind = STR("openai"), .api_key = STR("k")}, ERR_MISSING_PARAMETER, "slug"},
        {{.slug = STR("Open"), .kind = STR("openai"), .api_key = STR("k")}, ERR_BAD_PARAMETER, "slug"},
        {{.slug = STR("a/b"), .kind = STR("openai"), .api_key = STR("k")}, ERR_BAD_PARAMETER, "slug"},
        {{.slug = STR("-a"), .kind = STR("openai"), .api_key = STR("k")}, ERR_BAD_PARAMETER, "slug"},
        {{.slug = STR("s"), .api_key = STR("k")}, ERR_MISSING_PARAMETER, "kind"},
        {{.slug = STR("s"), .kind = STR("anthropic"), .api_key = STR("k")}, ERR_BAD_PARAMETER, "kind"},
        {{.slug = STR("s"), .kind = STR("openai")}, ERR_MISSING_PARAMETER, "api_key"},
        {{.slug = STR("s"), .kind = STR("openai"), .api_key = STR("")}, ERR_MISSING_PARAMETER, "api_key"},
        {{.slug = STR("s"), .kind = STR("openai"), .api_key = STR("sk-1\r\nX: y")}, ERR_BAD_PARAMETER, "api_key"},
        {{.slug = STR("s"), .kind = STR("openai"), .api_key = STR("sk 1")}, ERR_BAD_PARAMETER, "api_key"},
        {{.slug = STR("s"), .kind = STR("openai"), .api_key = STR("sk-…abcd")}, ERR_BAD_PARAMETER, "api_key"},
        {{.slug = STR("s"), .kind = STR("openai"), .api_key = STR("sk-...abcd")}, ERR_BAD_PARAMETER, "api_key"},
        {{.slug = STR("s"), .kind = STR("openai"), .api_key = STR("sk-********abcd")}, ERR_BAD_PARAMETER, "api_key"},
        {{.slug = STR("s"), .kind = STR("openai"), .api_key = {huge, 4097}}, ERR_BAD_PARAMETER, "api_key"},
        {{.slug = STR("s"), .kind = STR("openai"), .api_key = STR("k"), .base_url = STR("ftp://x")},
         ERR_BAD_PARAMETER,
         "base_url"},
        {{.slug = STR("s"), .kind = STR("openai"), .api_key = STR("k"), .base_url = STR("http://u:p@x")},
         ERR_BAD_PARAMETER,
         "base_url"},
        {{.slug = STR("s"), .kind = STR("azure-openai"), .api_key = STR("k")}, ERR_MISSING_PARAMETER, "base_url"},
        {{.slug = STR("s"), .kind = STR("openai-compatible")}, ERR_MISSING_PARAMETER, "base_url"},
        {{.slug = STR("s"),
          .kind = STR("azure-openai"),
          .api_key = STR("k"),
          .base_url = STR("https://r/openai/deployments/d")},
         ERR_BAD_PARAMETER,
         "base_url"},
        {{.slug = STR("s"),
          .kind = STR("azure-openai"),
          .api_key = STR("k"),
          .base_url = STR("https://r/openai/v1"),
          .api_version = STR("2024-10-21")},
         ERR_BAD_PARAMETER,
         "api_version"},
        {{.slug = STR("s"),
          .kind = STR("azure-openai"),
          .api_key = STR("k"),
          .base_url = STR("https://r"),
          .api_version = STR("latest")},
         ERR_BAD_PARAMETER,
         "api_version"},
        {{.slug = STR("s"), .kind = STR("openai"), .api_key = STR("k"), .api_version = STR("v1")},
         ERR_BAD_PARAMETER,
         "api_version"},
        {{.slug = STR("s"), .kind = STR("openai"), .api_key = STR("k"), .deployments = STR("{\"a\":\"b\"}")},
         ERR_BAD_PARAMETER,
         "deployments"},
        {{.slug = STR("s"),
          .kind = STR("azure-openai"),
          .api_key = STR("k"),
          .base_url = STR("https://r"),
          .deployments = STR("{\"a\":1}")},
         ERR_BAD_PARAMETER,
         "deployments"},
        {{.slug = STR("s"), .kind = STR("openai"), .api_key = STR("k"), .organization = STR("org\r\nX: y")},
         ERR_BAD_PARAMETER,
         "organization"},
        {{.slug = STR("s"), .kind = STR("openai"), .api_key = STR("k"), .project = STR("a b")},
         ERR_BAD_PARAMETER,
         "project"},
        {{.slug = STR("s"),
          .kind = STR("azure-openai"),
          .api_key = STR("k"),
          .base_url = STR("https://r"),
          .organization = STR("org-1")},
         ERR_BAD_PARAMETER,
         "organization"},
        {{.slug = STR("s"), .kind = STR("openai"), .api_key = STR("k"), .name = STR("a\nb")},
         ERR_BAD_PARAMETER,
         "name"},
        {{.slug = STR("s"), .kind = STR("openai-admin"), .api_key = STR("k"), .is_default = &yes},
         ERR_BAD_PARAMETER,
         "is_default"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum err e = control_integration_create(c, 1, &rows[i].spec, t->arena, &made, &why);
        if (e != rows[i].want || strcmp(why.param, rows[i].param) != 0)
            fail_msg("row %zu: %d about '%s': %s", i, (int)e, why.param, why.text);
        assert_true(strlen(why.text) > 15);
    }
    assert_int_equal(make(t, c, 99, "s", "openai", NULL, "k"), ERR_NOT_FOUND);
    assert_int_equal(make(t, c, 1, "s", "openai", NULL, "k"), ERR_OK);
    assert_int_equal(make(t, c, 1, "s", "openai", NULL, "k"), ERR_CONFLICT);
    control_close(c);
}

static void changes_keep_what_is_not_given(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    const struct control_integration_spec spec = {.slug = STR("az"),
                                                  .kind = STR("azure-openai"),
                                                  .base_url = STR("https://r.openai.azure.com"),
                                                  .api_key = STR(CANARY),
                                                  .api_version = STR("2024-10-21"),
                                                  .deployments = STR("{\"gpt-4o\":\"d1\"}"),
                                                  .name = STR("Azure")};
    assert_int_equal(control_integration_create(c, 1, &spec, t->arena, &made, &why), ERR_OK);
    assert_true(str_eq(made.key_hint, STR("sk-…NARY")));
    const struct control_integration_spec name = {.name = STR("Renamed")};
    assert_int_equal(control_integration_update(c, 1, STR("az"), &name, t->arena, &made, &why), ERR_OK);
    assert_true(str_eq(made.name, STR("Renamed")));
    assert_true(str_eq(made.api_version, STR("2024-10-21")));
    assert_true(str_eq(made.deployments, STR("[{\"alias\":\"gpt-4o\",\"deployment\":\"d1\"}]")));
    lines_are(c, 1, "az", "api-key: " CANARY "\r\n");
    struct snapshot *s = control_snapshot(c);
    const struct snapshot_integration *i = snapshot_find_integration(s, 1, STR("az"));
    assert_true(str_eq(snapshot_find_deployment(i, STR("gpt-4o"))->deployment, STR("d1")));
    assert_true(str_eq(i->api_version, STR("2024-10-21")));
    snapshot_unref(s);

    const struct control_integration_spec clear = {
        .deployments = STR(""), .api_version = STR(""), .api_key = STR("new-key")};
    assert_int_equal(control_integration_update(c, 1, STR("az"), &clear, t->arena, &made, &why), ERR_OK);
    assert_int_equal(made.deployments.n, 0);
    assert_true(str_eq(made.api_version, STR("v1")));
    assert_true(str_eq(made.key_hint, STR("…")));
    lines_are(c, 1, "az", "api-key: new-key\r\n");

    const struct control_integration_spec kind = {.kind = STR("openai")}, slug = {.slug = STR("other")},
                                          gone = {.api_key = STR("")};
    assert_int_equal(control_integration_update(c, 1, STR("az"), &kind, t->arena, &made, &why), ERR_BAD_PARAMETER);
    assert_int_equal(control_integration_update(c, 1, STR("az"), &slug, t->arena, &made, &why), ERR_BAD_PARAMETER);
    assert_int_equal(control_integration_update(c, 1, STR("az"), &gone, t->arena, &made, &why), ERR_MISSING_PARAMETER);
    assert_int_equal(control_integration_update(c, 1, STR("no"), &name, t->arena, &made, &why), ERR_NOT_FOUND);
    control_close(c);
    c = bench_open(t, ADMIN); /* all of it is stored */
    lines_are(c, 1, "az", "api-key: new-key\r\n");
    assert_int_equal(control_integration_find(c, 1, STR("az"), t->arena, &made, &why), ERR_OK);
    assert_true(str_eq(made.name, STR("Renamed")));
    control_close(c);
}

static void a_stored_key_never_follows_to_another_host(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    assert_int_equal(make(t, c, 1, "oa", "openai", NULL, CANARY), ERR_OK);
    static const char *const elsewhere[] = {"https://evil.example/v1", "http://api.openai.com/v1",
                                            "https://api.openai.com:8443/v1", "http://127.0.0.1/v1"};
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        const struct control_integration_spec move = {.base_url = str_c(elsewhere[i])};
        assert_int_equal(control_integration_update(c, 1, STR("oa"), &move, t->arena, &made, &why), ERR_BAD_PARAMETER);
        assert_string_equal(why.param, "base_url");
        assert_null(strstr(why.text, CANARY));
    }
    const struct control_integration_spec path = {.base_url = STR("https://api.openai.com/v2")};
    assert_int_equal(control_integration_update(c, 1, STR("oa"), &path, t->arena, &made, &why), ERR_OK);
    const struct control_integration_spec with_key = {.base_url = STR("http://127.0.0.1/v1"), .api_key = STR("other")};
    assert_int_equal(control_integration_update(c, 1, STR("oa"), &with_key, t->arena, &made, &why), ERR_OK);
    lines_are(c, 1, "oa", "Authorization: Bearer other\r\n");
    control_close(c);
}

static int64_t default_of(struct control *c, int64_t workspace)
{
    struct snapshot *s = control_snapshot(c);
    const struct snapshot_integration *i = snapshot_workspace_of(s, workspace)->default_integration;
    int64_t id = i ? i->id : 0;
    snapshot_unref(s);
    return id;
}

static void a_workspace_has_at_most_one_default(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    const bool yes = true, no = false;
    int64_t first, second;
    assert_int_equal(make(t, c, 1, "admin", "openai-admin", NULL, "k"), ERR_OK);
    assert_int_equal(default_of(c, 1), 0);
    assert_int_equal(make(t, c, 1, "first", "openai", NULL, "k"), ERR_OK);
    first = made.id;
    assert_int_equal(make(t, c, 1, "second", "openai", NULL, "k"), ERR_OK);
    second = made.id;
    assert_int_equal(default_of(c, 1), first);
    const struct control_integration_spec be = {.is_default = &yes}, not_be = {.is_default = &no};
    assert_int_equal(control_integration_update(c, 1, STR("second"), &be, t->arena, &made, &why), ERR_OK);
    assert_int_equal(default_of(c, 1), second);
    assert_int_equal(control_integration_find(c, 1, STR("first"), t->arena, &made, &why), ERR_OK);
    assert_false(made.is_default);
    assert_int_equal(control_integration_delete(c, 1, STR("second"), &why), ERR_OK);
    assert_int_equal(default_of(c, 1), 0); /* nobody else pays by surprise */
    assert_int_equal(control_integration_update(c, 1, STR("first"), &be, t->arena, &made, &why), ERR_OK);
    assert_int_equal(control_integration_update(c, 1, STR("first"), &not_be, t->arena, &made, &why), ERR_OK);
    assert_int_equal(default_of(c, 1), 0);
    assert_int_equal(make(t, c, 1, "third", "openai", NULL, "k"), ERR_OK);
    assert_int_equal(default_of(c, 1), made.id);
    control_close(c);
}

static void a_deleted_slug_is_free_and_its_id_is_not(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    struct control_integration *rows;
    size_t count;
    assert_int_equal(make(t, c, 1, "oa", "openai", NULL, CANARY), ERR_OK);
    int64_t id = made.id;
    assert_int_equal(control_integration_delete(c, 1, STR("oa"), &why), ERR_OK);
    assert_int_equal(control_integration_delete(c, 1, STR("oa"), &why), ERR_NOT_FOUND);
    struct snapshot *s = control_snapshot(c);
    assert_null(snapshot_integration_of(s, id));
    snapshot_unref(s);
    assert_int_equal(make(t, c, 1, "oa", "openai", NULL, CANARY), ERR_OK);
    assert_true(made.id > id);
    assert_int_equal(make(t, c, 1, "ab", "openai", NULL, CANARY), ERR_OK);
    assert_int_equal(control_integration_list(c, 1, t->arena, &rows, &count, &why), ERR_OK);
    assert_int_equal(count, 2);
    assert_true(str_eq(rows[0].slug, STR("ab")));
    assert_true(str_eq(rows[1].slug, STR("oa")));
    control_close(c);
}

static void the_same_slug_in_two_workspaces_is_two_accounts(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    int64_t other;
    assert_int_equal(control_workspace_create(c, STR("team-a"), STR(""), &other, &why), ERR_OK);
    assert_int_equal(make(t, c, 1, "oa", "openai", NULL, "key-one"), ERR_OK);
    assert_int_equal(make(t, c, other, "oa", "openai", NULL, "key-two"), ERR_OK);
    lines_are(c, 1, "oa", "Authorization: Bearer key-one\r\n");
    lines_are(c, other, "oa", "Authorization: Bearer key-two\r\n");
    assert_int_equal(control_integration_delete(c, other, STR("oa"), &why), ERR_OK);
    lines_are(c, 1, "oa", "Authorization: Bearer key-one\r\n");
    control_close(c);
}

/* ---- what can be found in files ---- */

/* How many files of the directory hold these bytes. */
static int files_with(const struct bench *t, struct str needle)
{
    int hits = 0;
    DIR *d = opendir(t->dir);
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        char path[400];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", t->dir, e->d_name);
        assert_int_equal(stat(path, &st), 0);
        if (!S_ISREG(st.st_mode) || st.st_size == 0)
            continue;
        char *bytes = malloc((size_t)st.st_size);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
        close(fd);
        hits += memmem(bytes, (size_t)st.st_size, needle.p, needle.n) != NULL;
        free(bytes);
    }
    closedir(d);
    return hits;
}

static void planted_secrets_are_in_no_file(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    char slug[16], canary[64];
    struct secret keys[20] = {{0}};
    for (int i = 0; i < 20; i++) {
        snprintf(slug, sizeof slug, "i%d", i);
        snprintf(canary, sizeof canary, CANARY "-%02d", i);
        assert_int_equal(make(t, c, 1, slug, "openai", NULL, canary), ERR_OK);
        bench_make_key(t, c, "k", KIND_ROLE_MEMBER, &keys[i]);
        const struct control_integration_spec again = {.api_key = str_c(canary)};
        assert_int_equal(control_integration_update(c, 1, str_c(slug), &again, t->arena, &made, &why), ERR_OK);
        if (i % 3 == 0)
            assert_int_equal(control_integration_delete(c, 1, str_c(slug), &why), ERR_OK);
    }
    assert_true(files_with(t, STR("i19")) > 0); /* the search works */
    for (int round = 0; round < 2; round++) {   /* with the log in place, then folded back */
        assert_int_equal(files_with(t, STR("CANARY")), 0);
        assert_int_equal(files_with(t, STR(ADMIN)), 0);
        for (int i = 0; i < 20; i++) {
            struct str text = secret_reveal(&keys[i]);
            assert_int_equal(files_with(t, text), 0);
            assert_int_equal(files_with(t, str_head(str_from(text, 3), APIKEY_RANDOM_DIGITS)), 0);
        }
        if (round == 0)
            control_close(c);
    }
    for (int i = 0; i < 20; i++)
        secret_wipe(&keys[i]);
}

static void sql(const struct bench *t, const char *text)
{
    struct store_db *db;
    char path[128];
    bench_path(t, "control.db", path);
    assert_int_equal(store_open(path, NULL, &db), ERR_OK);
    if (store_exec(db, text) != ERR_OK)
        fail_msg("%s", store_reason(db));
    store_close(db);
}

static bool is_broken(struct control *c, int64_t workspace, const char *slug)
{
    struct snapshot *s = control_snapshot(c);
    const struct snapshot_integration *i = snapshot_find_integration(s, workspace, str_c(slug));
    assert_non_null(i);
    bool broken = i->broken;
    if (broken)
        assert_null(memmem(secret_reveal(&i->head_lines).p, i->head_lines.n, "Bearer", 6));
    snapshot_unref(s);
    return broken;
}

static void swapped_and_altered_ciphertexts_break_only_their_rows(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    int64_t other;
    assert_int_equal(control_workspace_create(c, STR("team-a"), STR(""), &other, &why), ERR_OK);
    assert_int_equal(make(t, c, 1, "a", "openai", NULL, "key-a"), ERR_OK);
    assert_int_equal(make(t, c, 1, "b", "openai", NULL, "key-b"), ERR_OK);
    assert_int_equal(make(t, c, 1, "good", "openai", NULL, "key-good"), ERR_OK);
    assert_int_equal(make(t, c, other, "a", "openai", NULL, "key-c"), ERR_OK);
    control_close(c);

    sql(t, "CREATE TEMP TABLE x AS SELECT id, sealed_key FROM integration;"
           "UPDATE integration SET sealed_key = (SELECT sealed_key FROM x WHERE x.id = 3 - integration.id) "
           "WHERE id IN (1, 2);"
           "UPDATE integration SET sealed_key = (SELECT sealed_key FROM x WHERE x.id = 1) WHERE id = 4");
    c = bench_open(t, ADMIN);
    assert_true(is_broken(c, 1, "a"));
    assert_true(is_broken(c, 1, "b"));
    assert_true(is_broken(c, other, "a"));
    lines_are(c, 1, "good", "Authorization: Bearer key-good\r\n");
    const struct control_integration_spec again = {.api_key = STR("key-a")}; /* connecting again repairs it */
    assert_int_equal(control_integration_update(c, 1, STR("a"), &again, t->arena, &made, &why), ERR_OK);
    lines_are(c, 1, "a", "Authorization: Bearer key-a\r\n");
    control_close(c);

    sql(t, "UPDATE integration SET base_url = 'gopher://x' WHERE id = 3");
    c = bench_open(t, ADMIN);
    assert_true(is_broken(c, 1, "good"));
    control_close(c);
}

static void a_damaged_data_key_hurts_one_workspace_only(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    int64_t other;
    assert_int_equal(control_workspace_create(c, STR("team-a"), STR(""), &other, &why), ERR_OK);
    assert_int_equal(make(t, c, 1, "oa", "openai", NULL, "key-one"), ERR_OK);
    assert_int_equal(make(t, c, other, "oa", "openai", NULL, "key-two"), ERR_OK);
    control_close(c);
    sql(t, "UPDATE data_key SET wrapped = CAST(substr(wrapped, 1, 30) || zeroblob(39) AS BLOB) WHERE workspace_id = 2");
    c = bench_open(t, ADMIN);
    lines_are(c, 1, "oa", "Authorization: Bearer key-one\r\n");
    assert_true(is_broken(c, other, "oa"));
    assert_int_equal(make(t, c, other, "new", "openai", NULL, "key-new"), ERR_OK); /* with a new data key */
    control_close(c);
    c = bench_open(t, ADMIN);
    lines_are(c, other, "new", "Authorization: Bearer key-new\r\n");
    control_close(c);

    /* The organization's: nothing would work, so nothing starts. */
    sql(t, "UPDATE secret_setting SET sealed = zeroblob(length(sealed))");
    assert_int_equal(bench_try_open(t, NULL, NULL, ADMIN, &why), ERR_CORRUPT);
    sql(t,
        "UPDATE data_key SET wrapped = CAST(substr(wrapped, 1, 30) || zeroblob(39) AS BLOB) WHERE workspace_id IS NULL");
    assert_int_equal(bench_try_open(t, NULL, NULL, ADMIN, &why), ERR_CORRUPT);
}

static void rows_that_cannot_be_are_named(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    assert_int_equal(make(t, c, 1, "oa", "openai", NULL, "key-one"), ERR_OK);
    control_close(c);
    sql(t, "UPDATE api_key SET role = 'emperor'");
    assert_int_equal(bench_try_open(t, NULL, NULL, NULL, &why), ERR_CORRUPT);
    assert_non_null(strstr(why.text, "row 1 of api_key"));
    sql(t, "UPDATE api_key SET role = 'owner'; UPDATE integration SET kind = 'teapot'");
    assert_int_equal(bench_try_open(t, NULL, NULL, NULL, &why), ERR_CORRUPT);
    assert_non_null(strstr(why.text, "row 1 of integration"));
    sql(t, "UPDATE tollgate_schema SET version = version + 1000");
    assert_int_equal(bench_try_open(t, NULL, NULL, NULL, &why), ERR_SCHEMA_NEWER);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(each_kind_has_its_defaults),
        CASE(wrong_integrations_are_refused_with_the_parameter),
        CASE(changes_keep_what_is_not_given),
        CASE(a_stored_key_never_follows_to_another_host),
        CASE(a_workspace_has_at_most_one_default),
        CASE(a_deleted_slug_is_free_and_its_id_is_not),
        CASE(the_same_slug_in_two_workspaces_is_two_accounts),
        CASE(planted_secrets_are_in_no_file),
        CASE(swapped_and_altered_ciphertexts_break_only_their_rows),
        CASE(a_damaged_data_key_hurts_one_workspace_only),
        CASE(rows_that_cannot_be_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
