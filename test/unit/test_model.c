/* SPDX-License-Identifier: Apache-2.0 */
/* Model APIs: what may be stored, revisions, what the data path sees, integrations that are in use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/config/config.h"
#include "control/control_integration.h"
#include "control/limit/ruleset.h"
#include "control/model/model.h"
#include "control/model/token_policy.h"
#include "control/snapshot.h"
#include "control_bench.h"

#define ADMIN "an-admin-key-for-the-tests-A"

static struct control_why why;
static struct model_row made;

static void connect(struct bench *t, struct control *c, const char *slug)
{
    struct control_integration row;
    const struct control_integration_spec spec = {
        .slug = str_c(slug), .kind = STR("openai"), .api_key = STR("sk-proj-0123456789abcdef")};
    assert_int_equal(control_integration_create(c, 1, &spec, t->arena, &row, &why), ERR_OK);
}

static struct model_row plain(const char *name)
{
    return (struct model_row){
        .name = str_c(name), .enabled = true, .integrations = STR("[\"openai-main\"]"), .model = STR("gpt-4o-mini")};
}

static enum err make(struct bench *t, struct control *c, const struct model_row *m)
{
    return model_create(c, 1, m, t->arena, &made, &why);
}

static struct control *open_with_openai(struct bench *t)
{
    struct control *c = bench_open(t, ADMIN);
    connect(t, c, "openai-main");
    return c;
}

static void a_model_is_stored_and_compiled(void **state)
{
    struct bench *t = *state;
    struct control *c = open_with_openai(t);
    struct model_row m = plain("support"), found;
    m.organization = STR("org-1");
    m.labels = STR("{\"team\":\"cx\"}");
    assert_int_equal(make(t, c, &m), ERR_OK);
    control_close(c);
    c = bench_open(t, ADMIN);
    assert_int_equal(model_find(c, 1, STR("support"), t->arena, &found, &why), ERR_OK);
    assert_true(str_eq(found.type, STR("openai")));
    assert_true(str_eq(found.labels, m.labels));
    assert_int_equal(found.revision, 1);
    assert_true(found.created_us > 0);
    struct snapshot *s = control_snapshot(c);
    const struct snapshot_model *seen = snapshot_find_model(s, 1, STR("support"));
    assert_non_null(seen);
    assert_true(str_eq(seen->model, STR("gpt-4o-mini")));
    assert_true(seen->enabled);
    assert_true(str_eq(seen->config->slug, STR("models/support")));
    const struct config_settings *settings = &seen->config->root->settings;
    assert_int_equal(settings->override_params.n, 1);
    assert_true(str_eq(settings->override_params.list[0].json, STR("\"@openai-main/gpt-4o-mini\"")));
    assert_true(str_eq(settings->openai_organization, STR("org-1")));
    snapshot_unref(s);
    control_close(c);
}

static void several_integrations_are_a_fallback_in_their_order(void **state)
{
    struct bench *t = *state;
    struct control *c = open_with_openai(t);
    connect(t, c, "backup");
    struct model_row m = plain("two");
    m.integrations = STR("[\"openai-main\",\"backup\"]");
    assert_int_equal(make(t, c, &m), ERR_OK);
    struct snapshot *s = control_snapshot(c);
    const struct config_node *root = snapshot_find_model(s, 1, STR("two"))->config->root;
    assert_int_equal(root->mode, CONFIG_FALLBACK);
    assert_int_equal(root->target_count, 2);
    snapshot_unref(s);
    m.name = STR("balanced");
    m.configuration = STR("{\"strategy\":{\"mode\":\"loadbalance\"},\"retry\":{\"attempts\":2}}");
    assert_int_equal(make(t, c, &m), ERR_OK);
    s = control_snapshot(c);
    root = snapshot_find_model(s, 1, STR("balanced"))->config->root;
    assert_int_equal(root->mode, CONFIG_LOADBALANCE);
    snapshot_unref(s);
    control_close(c);
}

static void what_cannot_be_is_refused_by_name(void **state)
{
    struct bench *t = *state;
    struct control *c = open_with_openai(t);
    static const struct {
        const char *name, *integrations, *model, *type, *configuration, *param;
    } cases[] = {
        {"", "[\"openai-main\"]", "m", "", "", "name"},
        {"Upper", "[\"openai-main\"]", "m", "", "", "name"},
        {"under_score", "[\"openai-main\"]", "m", "", "", "name"},
        {"a23456789-123456789-123456789-123456789-123456789-", "[\"openai-main\"]", "m", "", "", "name"},
        {"ok", "[]", "m", "", "", "integrationConnections"},
        {"ok", "[\"openai-main\",\"openai-main\"]", "m", "", "", "integrationConnections"},
        {"ok", "{}", "m", "", "", "integrationConnections"},
        {"ok", "[\"nowhere\"]", "m", "", "", "integrationConnections"},
        {"ok", "[\"openai-main\"]", "", "", "", "runtime.model"},
        {"ok", "[\"openai-main\"]", "two words", "", "", "runtime.model"},
        {"ok", "[\"openai-main\"]", "m", "anthropic", "", "runtime.type"},
        {"ok", "[\"openai-main\"]", "m", "", "[1]", "runtime.configuration"},
        {"ok", "[\"openai-main\"]", "m", "", "{\"api_key\":\"sk\"}", "runtime.configuration"},
        {"ok", "[\"openai-main\"]", "m", "", "{\"strategy\":{\"mode\":\"odd\"}}", "runtime.configuration"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct model_row m = {.name = str_c(cases[i].name),
                              .integrations = str_c(cases[i].integrations),
                              .model = str_c(cases[i].model),
                              .type = str_c(cases[i].type),
                              .configuration = str_c(cases[i].configuration)};
        enum err e = make(t, c, &m);
        assert_true(e == ERR_BAD_PARAMETER || e == ERR_MISSING_PARAMETER);
        assert_string_equal(why.param, cases[i].param);
    }
    struct model_row longest = plain("a23456789-123456789-123456789-123456789-123456789");
    assert_int_equal(make(t, c, &longest), ERR_OK);
    assert_int_equal(make(t, c, &longest), ERR_CONFLICT);
    control_close(c);
}

static void every_change_is_a_revision(void **state)
{
    struct bench *t = *state;
    struct control *c = open_with_openai(t);
    struct model_row m = plain("rev");
    struct model_revision *list;
    size_t count;
    assert_int_equal(model_update(c, 1, &m, t->arena, &made, &why), ERR_NOT_FOUND);
    assert_int_equal(make(t, c, &m), ERR_OK);
    m.model = STR("gpt-4o");
    assert_int_equal(model_update(c, 1, &m, t->arena, &made, &why), ERR_OK);
    m.enabled = false;
    assert_int_equal(model_update(c, 1, &m, t->arena, &made, &why), ERR_OK);
    assert_int_equal(made.revision, 3);
    assert_int_equal(model_revisions(c, 1, m.name, 10, t->arena, &list, &count, &why), ERR_OK);
    assert_int_equal(count, 3);
    assert_int_equal(list[0].number, 3);
    assert_true(str_search(list[0].spec, STR("\"enabled\":false")) > 0);
    assert_int_equal(list[2].number, 1);
    struct snapshot *s = control_snapshot(c);
    const struct snapshot_model *seen = snapshot_find_model(s, 1, m.name);
    assert_false(seen->enabled);
    assert_int_equal(seen->config->version, 3);
    snapshot_unref(s);
    m.integrations = STR("[\"gone\"]");
    assert_int_equal(model_update(c, 1, &m, t->arena, &made, &why), ERR_BAD_PARAMETER);
    assert_int_equal(model_revisions(c, 1, m.name, 10, t->arena, &list, &count, &why), ERR_OK);
    assert_int_equal(count, 3);
    control_close(c);
}

static void an_integration_in_use_stays(void **state)
{
    struct bench *t = *state;
    struct control *c = open_with_openai(t);
    struct model_row m = plain("user-of-it"), gone;
    assert_int_equal(make(t, c, &m), ERR_OK);
    assert_int_equal(control_integration_delete(c, 1, STR("openai-main"), &why), ERR_IN_USE);
    assert_non_null(strstr(why.text, "user-of-it"));
    assert_int_equal(model_delete(c, 1, m.name, t->arena, &gone, &why), ERR_OK);
    assert_true(str_eq(gone.model, m.model));
    assert_int_equal(model_delete(c, 1, m.name, t->arena, &gone, &why), ERR_NOT_FOUND);
    struct snapshot *s = control_snapshot(c);
    assert_null(snapshot_find_model(s, 1, m.name));
    snapshot_unref(s);
    assert_int_equal(control_integration_delete(c, 1, STR("openai-main"), &why), ERR_OK);
    control_close(c);
}

static void a_name_is_free_again_and_another_model(void **state)
{
    struct bench *t = *state;
    struct control *c = open_with_openai(t);
    struct model_row m = plain("again"), gone, *list;
    struct model_revision *revisions;
    size_t count;
    assert_int_equal(make(t, c, &m), ERR_OK);
    int64_t first = made.id;
    assert_int_equal(model_delete(c, 1, m.name, t->arena, &gone, &why), ERR_OK);
    m.model = STR("gpt-4o");
    assert_int_equal(make(t, c, &m), ERR_OK);
    assert_true(made.id > first);
    struct snapshot *s = control_snapshot(c);
    assert_true(str_eq(snapshot_find_model(s, 1, m.name)->model, STR("gpt-4o")));
    snapshot_unref(s);
    assert_int_equal(model_revisions(c, 1, m.name, 10, t->arena, &revisions, &count, &why), ERR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(model_list(c, 1, t->arena, &list, &count, &why), ERR_OK);
    assert_int_equal(count, 1);
    control_close(c);
}

static enum err make_policy(struct bench *t, struct control *c, const char *name, const char *max_tokens)
{
    struct token_policy row;
    const struct token_policy p = {.name = str_c(name), .type = STR("maxToken"), .max_tokens = str_c(max_tokens)};
    return token_policy_create(c, 1, &p, t->arena, &row, &why);
}

/* The caps on the model API that the data path sees, and the sum of their totals. */
static size_t caps_of(struct control *c, struct str model, int64_t *ret_sum)
{
    struct snapshot *s = control_snapshot(c);
    struct ruleset_list list = ruleset_find(snapshot_limits(s), LIMIT_MODEL, snapshot_find_model(s, 1, model)->id, 1);
    size_t count = list.count;
    *ret_sum = 0;
    for (size_t i = 0; i < list.count; i++)
        *ret_sum += list.rules[i]->limit.max;
    snapshot_unref(s);
    return count;
}

static void policies_are_caps_on_the_models_that_carry_them(void **state)
{
    struct bench *t = *state;
    struct control *c = open_with_openai(t);
    struct model_row m = plain("capped");
    struct token_policy gone;
    int64_t sum;
    m.policies = STR("[\"day\",\"minute\"]");
    assert_int_equal(make(t, c, &m), ERR_BAD_PARAMETER);
    assert_string_equal(why.param, "policies");
    assert_int_equal(make_policy(t, c, "day", "{\"granularity\":\"day\",\"total\":100}"), ERR_OK);
    assert_int_equal(make_policy(t, c, "minute", "{\"granularity\":\"minute\",\"step\":5,\"total\":10}"), ERR_OK);
    assert_int_equal(make_policy(t, c, "off", "{\"granularity\":\"hour\",\"total\":0}"), ERR_OK);
    assert_int_equal(make(t, c, &m), ERR_OK);
    assert_int_equal(caps_of(c, m.name, &sum), 2);
    assert_int_equal(sum, 110);
    const struct token_policy changed = {
        .name = STR("day"), .type = STR("maxToken"), .max_tokens = STR("{\"granularity\":\"day\",\"total\":7}")};
    assert_int_equal(token_policy_update(c, 1, &changed, t->arena, &gone, &why), ERR_OK);
    assert_int_equal(gone.models, 1);
    assert_int_equal(caps_of(c, m.name, &sum), 2);
    assert_int_equal(sum, 17);
    assert_int_equal(token_policy_delete(c, 1, STR("day"), t->arena, &gone, &why), ERR_IN_USE);
    m.policies = STR("[\"minute\",\"off\"]");
    assert_int_equal(model_update(c, 1, &m, t->arena, &made, &why), ERR_OK);
    assert_int_equal(caps_of(c, m.name, &sum), 1);
    assert_int_equal(sum, 10);
    assert_int_equal(token_policy_delete(c, 1, STR("day"), t->arena, &gone, &why), ERR_OK);
    assert_int_equal(token_policy_find(c, 1, STR("day"), t->arena, &gone, &why), ERR_NOT_FOUND);
    control_close(c);
}

static void policies_that_cannot_be_are_refused(void **state)
{
    struct bench *t = *state;
    struct control *c = open_with_openai(t);
    static const char *const wrong[] = {"",
                                        "[]",
                                        "{}",
                                        "{\"granularity\":\"week\",\"total\":1}",
                                        "{\"granularity\":\"day\",\"step\":0,\"total\":1}",
                                        "{\"granularity\":\"day\",\"step\":1.5,\"total\":1}",
                                        "{\"granularity\":\"day\",\"total\":-1}",
                                        "{\"granularity\":\"day\",\"total\":\"1\"}",
                                        "{\"granularity\":\"day\",\"total\":9223372036854775807}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        enum err e = make_policy(t, c, "wrong", wrong[i]);
        assert_true(e == ERR_BAD_PARAMETER || e == ERR_MISSING_PARAMETER);
    }
    assert_int_equal(make_policy(t, c, "Wrong", "{\"granularity\":\"day\",\"total\":1}"), ERR_BAD_PARAMETER);
    assert_int_equal(make_policy(t, c, "right", "{\"granularity\":\"month\",\"ratioInputOverOutput\":2}"), ERR_OK);
    assert_int_equal(make_policy(t, c, "right", "{\"granularity\":\"month\"}"), ERR_CONFLICT);
    control_close(c);
}

static void an_open_model_names_its_provider_only(void **state)
{
    struct bench *t = *state;
    struct control *c = open_with_openai(t);
    struct model_row m = plain("open");
    m.any_model = true;
    assert_int_equal(make(t, c, &m), ERR_OK);
    struct snapshot *s = control_snapshot(c);
    const struct config_settings *settings = &snapshot_find_model(s, 1, m.name)->config->root->settings;
    assert_true(str_eq(settings->provider, STR("@openai-main")));
    assert_int_equal(settings->override_params.n, 0);
    assert_true(str_eq(settings->default_params.list[0].json, STR("\"gpt-4o-mini\"")));
    snapshot_unref(s);
    control_close(c);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(a_model_is_stored_and_compiled),
        CASE(several_integrations_are_a_fallback_in_their_order),
        CASE(what_cannot_be_is_refused_by_name),
        CASE(every_change_is_a_revision),
        CASE(an_integration_in_use_stays),
        CASE(a_name_is_free_again_and_another_model),
        CASE(policies_are_caps_on_the_models_that_carry_them),
        CASE(policies_that_cannot_be_are_refused),
        CASE(an_open_model_names_its_provider_only),
    };
    return cmocka_run_group_tests_name("model", cases, NULL, NULL);
}
