/* SPDX-License-Identifier: Apache-2.0 */
/* The snapshot: look-ups, ready header lines, references under threads, and how long building and asking take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "control/config/config.h"
#include "control/snapshot.h"
#include "control/snapshot_build.h"

#define NOW_US INT64_C(1800000000000000)

static const unsigned char pepper[APIKEY_PEPPER_BYTES] = {3, 1, 4, 1, 5};

static void add_key(struct snapshot_build *b, int64_t id, int64_t workspace, const char *text,
                    enum snapshot_key_state state, int64_t expires_us)
{
    struct snapshot_key k = {
        .id = id,
        .workspace_id = workspace,
        .public_id = STR("AbCd1234"),
        .name = STR("a key"),
        .role = KIND_ROLE_MEMBER,
        .state = state,
        .expires_us = expires_us,
    };
    must(apikey_hash(pepper, str_c(text), k.hash));
    snapshot_build_key(b, &k);
}

static void add_integration(struct snapshot_build *b, int64_t id, int64_t workspace, const char *slug, bool is_default)
{
    char why[200];
    struct snapshot_build_integration in = {
        .id = id,
        .workspace_id = workspace,
        .slug = str_c(slug),
        .kind = KIND_INTEGRATION_OPENAI,
        .is_default = is_default,
        .organization = STR("org-1"),
        .api_key = STR("sk-0123456789"),
    };
    must(base_url_parse(STR("https://api.openai.com/v1"), &in.url, why, sizeof why) == ERR_OK);
    snapshot_build_integration(b, &in);
}

static struct snapshot *small(void)
{
    struct snapshot_build *b = snapshot_build_begin(5, pepper);
    snapshot_build_workspace(b, 1, STR("default"), STR(""));
    snapshot_build_workspace(b, 7, STR("team-a"), STR(""));
    add_key(b, 11, 1, "the-active-key", SNAPSHOT_KEY_ACTIVE, 0);
    add_key(b, 12, 7, "the-expiring-key", SNAPSHOT_KEY_ACTIVE, NOW_US);
    add_key(b, 13, 1, "the-disabled-key", SNAPSHOT_KEY_DISABLED, 0);
    add_key(b, 14, 1, "the-revoked-key", SNAPSHOT_KEY_REVOKED, 0);
    add_integration(b, 21, 1, "openai", true);
    add_integration(b, 22, 7, "openai", false);
    add_integration(b, 23, 7, "second", true);
    return snapshot_build_end(b);
}

static void an_empty_snapshot_answers_no(void **state)
{
    (void)state;
    const struct snapshot_key *k;
    struct snapshot *s = snapshot_build_end(snapshot_build_begin(0, pepper));
    assert_int_equal(snapshot_judge(s, STR("x"), NOW_US, &k), SNAPSHOT_UNKNOWN);
    assert_null(k);
    assert_null(snapshot_find_key(s, STR("x")));
    assert_null(snapshot_find_workspace(s, STR("default")));
    assert_null(snapshot_workspace_of(s, 1));
    assert_null(snapshot_find_integration(s, 1, STR("openai")));
    assert_null(snapshot_integration_of(s, 1));
    snapshot_unref(s);
    snapshot_unref(NULL);
    snapshot_build_cancel(snapshot_build_begin(0, pepper));
}

static void keys_are_judged_by_state_and_time(void **state)
{
    (void)state;
    struct snapshot *s = small();
    static const struct {
        const char *text;
        int64_t now_us;
        enum snapshot_verdict want;
        int64_t id;
    } rows[] = {
        {"the-active-key", NOW_US, SNAPSHOT_ADMITTED, 11},
        {"the-expiring-key", NOW_US - 1, SNAPSHOT_ADMITTED, 12},
        {"the-expiring-key", NOW_US, SNAPSHOT_EXPIRED, 12},
        {"the-disabled-key", NOW_US, SNAPSHOT_DISABLED, 13},
        {"the-revoked-key", NOW_US, SNAPSHOT_REVOKED, 14},
        {"the-active-kez", NOW_US, SNAPSHOT_UNKNOWN, 0},
        {"the-active-key ", NOW_US, SNAPSHOT_UNKNOWN, 0},
        {"", NOW_US, SNAPSHOT_UNKNOWN, 0},
        {"tg-", NOW_US, SNAPSHOT_MISTYPED, 0},
        {"tg-0000000000000000000000000000000000000z", NOW_US, SNAPSHOT_MISTYPED, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct snapshot_key *k = NULL;
        assert_int_equal(snapshot_judge(s, str_c(rows[i].text), rows[i].now_us, &k), rows[i].want);
        assert_int_equal(k ? k->id : 0, rows[i].id);
        assert_true(strlen(snapshot_verdict_text(rows[i].want)) > 10);
        bool active = rows[i].want == SNAPSHOT_ADMITTED || rows[i].want == SNAPSHOT_EXPIRED;
        assert_int_equal(snapshot_find_key(s, str_c(rows[i].text)) != NULL, active);
    }
    struct secret fresh = {0}; /* well formed but nobody's */
    const struct snapshot_key *k;
    apikey_make(&fresh);
    assert_int_equal(snapshot_judge(s, secret_reveal(&fresh), NOW_US, &k), SNAPSHOT_UNKNOWN);
    secret_wipe(&fresh);
    assert_string_equal(snapshot_find_key(s, STR("the-expiring-key"))->workspace->name.p, "team-a");
    snapshot_unref(s);
}

/* The stored hash is no credential: presenting it gives nothing. */
static void a_stolen_hash_lets_nobody_in(void **state)
{
    (void)state;
    struct snapshot *s = small();
    const struct snapshot_key *k;
    unsigned char hash[APIKEY_HASH_BYTES];
    assert_true(apikey_hash(pepper, STR("the-active-key"), hash));
    assert_int_equal(snapshot_judge(s, str_of((const char *)hash, sizeof hash), NOW_US, &k), SNAPSHOT_UNKNOWN);
    snapshot_unref(s);
}

static void integrations_belong_to_their_workspace(void **state)
{
    (void)state;
    struct snapshot *s = small();
    const struct snapshot_workspace *one = snapshot_find_workspace(s, STR("default"));
    const struct snapshot_workspace *seven = snapshot_workspace_of(s, 7);
    assert_int_equal(one->id, 1);
    assert_true(seven == snapshot_find_workspace(s, STR("team-a")));
    assert_null(snapshot_find_workspace(s, STR("Default")));
    assert_null(snapshot_find_workspace(s, STR("")));
    assert_int_equal(one->default_integration->id, 21);
    assert_int_equal(seven->default_integration->id, 23);
    assert_int_equal(snapshot_find_integration(s, 1, STR("openai"))->id, 21);
    assert_int_equal(snapshot_find_integration(s, 7, STR("openai"))->id, 22);
    assert_null(snapshot_find_integration(s, 1, STR("second")));
    assert_null(snapshot_find_integration(s, 8, STR("openai")));
    assert_int_equal(snapshot_integration_of(s, 23)->workspace->id, 7);
    assert_null(snapshot_integration_of(s, 24));
    assert_int_equal(snapshot_generation(s), 5);
    assert_int_equal(snapshot_key_count(s), 4);
    snapshot_unref(s);
}

static struct config *config_made(int64_t id, int64_t workspace, const char *slug)
{
    static struct config_errors errors;
    struct config *config;
    must(config_compile(STR("{\"retry\":{\"attempts\":2}}"), &config, &errors) == ERR_OK);
    config_name(config, id, str_c(slug), 1, workspace);
    return config;
}

static void configs_belong_to_their_workspace(void **state)
{
    (void)state;
    struct snapshot_build *b = snapshot_build_begin(5, pepper);
    snapshot_build_workspace(b, 1, STR("default"), STR("{\"a\":\"b\"}"));
    snapshot_build_workspace(b, 7, STR("team-a"), STR(""));
    for (int64_t id = 1; id <= 200; id++) {
        char slug[32];
        snprintf(slug, sizeof slug, "pc-%lld", (long long)id);
        snapshot_build_config(b, config_made(id, id % 2 ? 1 : 7, slug), id == 4);
    }
    assert_null(snapshot_build_config_of(b, 0));
    assert_null(snapshot_build_config_of(b, 201));
    struct snapshot_key k = {.id = 1,
                             .workspace_id = 1,
                             .public_id = STR("AbCd1234"),
                             .name = STR("a key"),
                             .scopes = SCOPE_BIT(SNAPSHOT_SCOPE_LOGS_VIEW),
                             .default_config = snapshot_build_config_of(b, 3),
                             .metadata = STR("{}")};
    must(apikey_hash(pepper, STR("a-key"), k.hash));
    snapshot_build_key(b, &k);
    struct snapshot *s = snapshot_build_end(b);
    assert_int_equal(snapshot_find_config(s, 1, STR("pc-3"))->id, 3);
    assert_int_equal(snapshot_find_config(s, 7, STR("pc-200"))->id, 200);
    assert_null(snapshot_find_config(s, 1, STR("pc-2")));
    assert_null(snapshot_find_config(s, 7, STR("pc-3")));
    assert_null(snapshot_find_config(s, 1, STR("")));
    assert_null(snapshot_workspace_of(s, 1)->default_config);
    assert_int_equal(snapshot_workspace_of(s, 7)->default_config->id, 4);
    assert_true(str_eq(snapshot_workspace_of(s, 1)->metadata, STR("{\"a\":\"b\"}")));
    const struct snapshot_key *found = snapshot_find_key(s, STR("a-key"));
    assert_ptr_equal(found->default_config, snapshot_find_config(s, 1, STR("pc-3")));
    assert_true(snapshot_key_may(found, SNAPSHOT_SCOPE_LOGS_VIEW));
    assert_false(snapshot_key_may(found, SNAPSHOT_SCOPE_COMPLETIONS_WRITE));
    struct config *kept = config_ref(found->default_config);
    snapshot_unref(s);
    assert_int_equal(kept->root->settings.retry.attempts, 2); /* who holds one keeps it */
    config_unref(kept);
}

static void what_goes_upstream_is_ready(void **state)
{
    (void)state;
    static const struct {
        enum kind_integration kind;
        const char *url, *organization, *project, *key, *lines, *host, *authority, *path;
        uint16_t port;
        bool tls;
    } rows[] = {
        {KIND_INTEGRATION_OPENAI, "https://api.openai.com/v1", "", "", "sk-1", "Authorization: Bearer sk-1\r\n",
         "api.openai.com", "api.openai.com", "/v1", 443, true},
        {KIND_INTEGRATION_OPENAI, "https://api.openai.com/v1", "org-x", "proj_y", "sk-1",
         "Authorization: Bearer sk-1\r\nOpenAI-Organization: org-x\r\nOpenAI-Project: proj_y\r\n", "api.openai.com",
         "api.openai.com", "/v1", 443, true},
        {KIND_INTEGRATION_AZURE_OPENAI, "https://r.openai.azure.com/openai", "", "", "abc", "api-key: abc\r\n",
         "r.openai.azure.com", "r.openai.azure.com", "/openai", 443, true},
        {KIND_INTEGRATION_OPENAI_COMPATIBLE, "http://[::1]:8000", "", "", "", "", "::1", "[::1]:8000", "", 8000, false},
        {KIND_INTEGRATION_OPENAI_ADMIN, "https://api.openai.com/v1", "", "", "sk-admin-1",
         "Authorization: Bearer sk-admin-1\r\n", "api.openai.com", "api.openai.com", "/v1", 443, true},
    };
    for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++) {
        char why[200];
        struct snapshot_build *b = snapshot_build_begin(1, pepper);
        snapshot_build_workspace(b, 1, STR("default"), STR(""));
        struct snapshot_build_integration in = {
            .id = 1,
            .workspace_id = 1,
            .slug = STR("s"),
            .kind = rows[n].kind,
            .organization = str_c(rows[n].organization),
            .project = str_c(rows[n].project),
            .api_key = str_c(rows[n].key),
        };
        assert_int_equal(base_url_parse(str_c(rows[n].url), &in.url, why, sizeof why), ERR_OK);
        snapshot_build_integration(b, &in);
        struct snapshot *s = snapshot_build_end(b);
        const struct snapshot_integration *i = snapshot_integration_of(s, 1);
        assert_true(str_eq(secret_reveal(&i->head_lines), str_c(rows[n].lines)));
        assert_true(str_eq(i->host, str_c(rows[n].host)));
        assert_true(str_eq(i->authority, str_c(rows[n].authority)));
        assert_true(str_eq(i->base_path, str_c(rows[n].path)));
        assert_int_equal(i->port, rows[n].port);
        assert_int_equal(i->tls, rows[n].tls);
        snapshot_unref(s);
    }
}

static void deployments_go_by_alias_then_default(void **state)
{
    (void)state;
    const struct snapshot_deployment list[] = {
        {STR("gpt-4o"), STR("prod-4o"), STR(""), STR(""), false},
        {STR("mini"), STR("prod-mini"), STR("gpt-4o-mini"), STR("2024-10-21"), true},
    };
    struct snapshot_integration i = {.deployments = list, .deployment_count = 2};
    assert_true(snapshot_find_deployment(&i, STR("gpt-4o")) == &list[0]);
    assert_true(snapshot_find_deployment(&i, STR("mini")) == &list[1]);
    assert_true(snapshot_find_deployment(&i, STR("other")) == &list[1]);
    i.deployment_count = 1;
    assert_null(snapshot_find_deployment(&i, STR("other")));
}

/* ---- threads ---- */

enum { WORKERS = 4, ROUNDS = 300 };

struct worker {
    pthread_t thread;
    struct snapshot_slot slot;
    atomic_bool *stop;
    uint64_t newest, taken;
};

/* What a worker does: take what is new at the turn of the loop, hold a reference per request. */
static void *work(void *arg)
{
    struct worker *w = arg;
    struct snapshot *current = NULL;
    for (;;) {
        bool last = atomic_load(w->stop);
        struct snapshot *fresh = snapshot_slot_take(&w->slot);
        if (fresh) {
            must(!current || snapshot_generation(fresh) > snapshot_generation(current));
            snapshot_unref(current);
            current = fresh;
            w->taken++;
        }
        if (current) {
            struct snapshot *mine = snapshot_ref(current);
            const struct snapshot_key *k = snapshot_find_key(mine, STR("the-active-key"));
            must(k != NULL);
            must(str_eq(k->workspace->name, STR("default")));
            must(k->workspace->default_integration->head_lines.n > 10);
            snapshot_unref(mine);
        }
        if (last && !fresh)
            break;
    }
    w->newest = current ? snapshot_generation(current) : 0;
    snapshot_unref(current);
    return NULL;
}

static void workers_swap_without_locks(void **state)
{
    (void)state;
    static struct worker workers[WORKERS];
    atomic_bool stop = false;
    for (int i = 0; i < WORKERS; i++) {
        workers[i].stop = &stop;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (uint64_t g = 1; g <= ROUNDS; g++) {
        struct snapshot_build *b = snapshot_build_begin(g, pepper);
        snapshot_build_workspace(b, 1, STR("default"), STR(""));
        add_key(b, 11, 1, "the-active-key", SNAPSHOT_KEY_ACTIVE, 0);
        add_integration(b, 21, 1, "openai", true);
        struct snapshot *s = snapshot_build_end(b);
        for (int i = 0; i < WORKERS; i++)
            snapshot_slot_put(&workers[i].slot, s);
        snapshot_unref(s);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].newest, ROUNDS); /* nobody is left behind */
        assert_true(workers[i].taken >= 1);
        assert_null(snapshot_slot_take(&workers[i].slot));
    }
}

/* ---- size ---- */

enum { MANY_KEYS = 10000, MANY_WORKSPACES = 1000 };

static struct snapshot *many(uint64_t *ret_us)
{
    char text[40];
    static unsigned char hashes[MANY_KEYS][APIKEY_HASH_BYTES];
    for (int i = 0; i < MANY_KEYS; i++) {
        int n = snprintf(text, sizeof text, "key-number-%d", i);
        must(apikey_hash(pepper, str_of(text, (size_t)n), hashes[i]));
    }
    uint64_t start = clock_mono_us();
    struct snapshot_build *b = snapshot_build_begin(1, pepper);
    for (int i = 0; i < MANY_WORKSPACES; i++) {
        int n = snprintf(text, sizeof text, "workspace-%d", i);
        snapshot_build_workspace(b, i + 1, str_of(text, (size_t)n), STR(""));
    }
    for (int i = 0; i < MANY_KEYS; i++) {
        struct snapshot_key k = {.id = i + 1,
                                 .workspace_id = i % MANY_WORKSPACES + 1,
                                 .public_id = STR("AbCd1234"),
                                 .name = STR("one of many keys")};
        memcpy(k.hash, hashes[i], sizeof k.hash);
        snapshot_build_key(b, &k);
    }
    for (int i = 0; i < MANY_WORKSPACES; i++) {
        add_integration(b, 2 * i + 1, i + 1, "openai", true);
        add_integration(b, 2 * i + 2, i + 1, "backup", false);
    }
    struct snapshot *s = snapshot_build_end(b);
    *ret_us = clock_mono_us() - start;
    return s;
}

static void ten_thousand_keys_are_all_found(void **state)
{
    (void)state;
    uint64_t build_us, start;
    struct snapshot *s = many(&build_us);
    char text[40];
    for (int i = 0; i < MANY_KEYS; i++) {
        int n = snprintf(text, sizeof text, "key-number-%d", i);
        const struct snapshot_key *k = snapshot_find_key(s, str_of(text, (size_t)n));
        assert_non_null(k);
        assert_int_equal(k->id, i + 1);
        assert_int_equal(k->workspace->id, i % MANY_WORKSPACES + 1);
        n = snprintf(text, sizeof text, "other-number-%d", i);
        assert_null(snapshot_find_key(s, str_of(text, (size_t)n)));
    }
    for (int i = 0; i < MANY_WORKSPACES; i++) {
        int n = snprintf(text, sizeof text, "workspace-%d", i);
        assert_int_equal(snapshot_find_workspace(s, str_of(text, (size_t)n))->id, i + 1);
        assert_int_equal(snapshot_find_integration(s, i + 1, STR("backup"))->id, 2 * i + 2);
    }
    /* Figures, not limits: asserting time would make the test depend on the machine. */
    struct secret key = {0};
    apikey_make(&key);
    start = clock_mono_us();
    for (int i = 0; i < 100000; i++)
        assert_null(snapshot_find_key(s, secret_reveal(&key)));
    uint64_t miss_ns = (clock_mono_us() - start) / 100;
    start = clock_mono_us();
    for (int i = 0; i < 100000; i++)
        assert_non_null(snapshot_find_key(s, STR("key-number-4711")));
    uint64_t hit_ns = (clock_mono_us() - start) / 100;
    print_message("10,000 keys, 1,000 workspaces, 2,000 integrations: built in %llu us; hit %llu ns, miss %llu ns\n",
                  (unsigned long long)build_us, (unsigned long long)hit_ns, (unsigned long long)miss_ns);
    secret_wipe(&key);
    snapshot_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_snapshot_answers_no),
        cmocka_unit_test(keys_are_judged_by_state_and_time),
        cmocka_unit_test(a_stolen_hash_lets_nobody_in),
        cmocka_unit_test(integrations_belong_to_their_workspace),
        cmocka_unit_test(configs_belong_to_their_workspace),
        cmocka_unit_test(what_goes_upstream_is_ready),
        cmocka_unit_test(deployments_go_by_alias_then_default),
        cmocka_unit_test(workers_swap_without_locks),
        cmocka_unit_test(ten_thousand_keys_are_all_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
