/* SPDX-License-Identifier: Apache-2.0 */
/* What bill and ledger have in common: skus in one spelling, places of keys, and what integrations were before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "control/control_integration.h"
#include "control_bench.h"
#include "reconcile_rig.h"
#include "report/match/match_links.h"

#define ADMIN "an-admin-key-for-the-tests-A"

static struct control_why why;

static struct match *make(struct reconcile_rig *r, const struct match_scope *scope)
{
    struct bill_reader *reader;
    struct match *m = NULL;
    assert_int_equal(bill_reader_open(r->dir, &reader), ERR_OK);
    assert_int_equal(match_new(bill_reader_db(reader), scope, r->links, r->link_count, &m), ERR_OK);
    bill_reader_close(reader);
    return m;
}

/* --- skus ------------------------------------------------------------------------------------ */

static void line_items_and_meters_meet(void **state)
{
    static const struct {
        const char *line, *model;
        enum meter meter;
        const char *tier;
        bool batch;
    } rows[] = {
        {"gpt-4o-2024-08-06, input", "gpt-4o-2024-08-06", METER_INPUT, "default", false},
        {"gpt-4o-2024-08-06, input", "gpt-4o", METER_INPUT, "", false},
        {"gpt-4o-2024-08-06, cached input", "gpt-4o-2024-11-20", METER_CACHED, "auto", false},
        {"gpt-5.6, cache writes", "gpt-5.6", METER_CACHE_WRITE, "", false},
        {"gpt-5.6, cache writes 12h", "gpt-5.6", METER_CACHE_WRITE_12H, "", false},
        {"priority | gpt-5, output", "gpt-5", METER_OUTPUT, "priority", false},
        {"flex | o3, output", "o3-2025-04-16", METER_OUTPUT, "flex", false},
        {"batch | gpt-4o, input", "gpt-4o", METER_INPUT, "", true},
        {"gpt-5.4, input, long context", "gpt-5.4", METER_INPUT, "", false},
        {"gpt-realtime audio, input", "gpt-realtime", METER_AUDIO_INPUT, "", false},
        {"gpt-realtime audio, cached input", "gpt-realtime", METER_AUDIO_CACHED, "", false},
        {"gpt-image-1 image, output", "gpt-image-1", METER_IMAGE_OUTPUT, "", false},
        {"gpt-image-1 text, input", "gpt-image-1", METER_INPUT, "", false},
        {"DALL·E 3, standard, 1024x1024", "dall-e-3", METER_IMAGES, "", false},
        {"ft-gpt-4o-2024-08-06, output", "ft:gpt-4o-2024-08-06:acme::abc", METER_OUTPUT, "", false},
        {"whisper-1, audio", "whisper-1", METER_AUDIO_MS, "", false},
        {"tts-1, characters", "tts-1", METER_CHARACTERS, "priority", false},
        {"web search tool calls", "gpt-5", METER_WEB_SEARCH, "", false},
        {"file search tool calls", "gpt-4.1", METER_FILE_SEARCH, "", false},
        {"assistants api | code interpreter", "gpt-4o", METER_CODE_SESSION, "", false},
    };
    struct match *m;
    const struct match_scope scope = {.all = true};
    (void)state;
    assert_int_equal(match_new(NULL, &scope, NULL, 0, &m), ERR_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool is_long;
        uint32_t billed = match_line(m, str_c(rows[i].line), &is_long);
        uint32_t metered = match_meter(m, str_c(rows[i].model), rows[i].meter, str_c(rows[i].tier), rows[i].batch);
        if (billed != metered)
            fail_msg("%s is not %s", rows[i].line, rows[i].model);
        assert_int_equal(is_long, strstr(rows[i].line, "long context") != NULL);
    }
    uint32_t other = match_line(m, STR("assistants api | file search storage"), NULL);
    assert_int_equal(match_sku(m, other)->meter, METER_COUNT);
    assert_true(str_eq(match_sku(m, other)->model, STR("assistants api | file search storage")));
    assert_int_not_equal(match_line(m, STR("gpt-4o, input"), NULL), match_line(m, STR("gpt-4o-mini, input"), NULL));
    match_free(m);
}

static void units_become_those_of_the_meter(void **state)
{
    (void)state;
    assert_int_equal(match_unit(METER_INPUT, STR("Tokens")), 1000000);
    assert_int_equal(match_unit(METER_INPUT, STR("1000 Tokens")), 1000000000);
    assert_int_equal(match_unit(METER_AUDIO_MS, STR("Minutes")), INT64_C(60000000000));
    assert_int_equal(match_unit(METER_IMAGES, STR("Images")), 1000000);
    assert_int_equal(match_unit(METER_WEB_SEARCH, STR("")), 1000000);
    assert_int_equal(match_unit(METER_INPUT, STR("GB-Hours")), 0);
    assert_int_equal(match_unit(METER_COUNT, STR("Tokens")), 0);
}

/* --- places ---------------------------------------------------------------------------------- */

static const struct match_place *place_of(struct reconcile_rig *r, struct match_link link, enum match_miss *miss)
{
    static struct match_place place;
    static char project[64];
    const struct match_scope scope = {.all = true};
    struct match_link *last = &r->links[r->link_count++];
    *last = link;
    last->integration = RIG_UNKNOWN;
    last->workspace = 1;
    struct match *m = make(r, &scope);
    uint32_t at = match_metered(m, RIG_UNKNOWN, 1, 1, miss);
    if (at != MATCH_NONE) {
        place = *match_place(m, at);
        place.project_ext = str_c(str_copy(project, sizeof project, place.project_ext)); /* the rest dies with m */
    }
    match_free(m);
    r->link_count--;
    return at == MATCH_NONE ? NULL : &place;
}

static struct match_link link_with(const char *host, const char *hint)
{
    return (struct match_link){.kind = KIND_INTEGRATION_OPENAI,
                               .name = STR("x"),
                               .host = str_c(host),
                               .organization = STR(""),
                               .project = STR(""),
                               .key_hint = str_c(hint)};
}

static void keys_are_found_by_what_is_shown_of_them(void **state)
{
    static const struct {
        const char *hint;
        bool found;
    } rows[] = {{"sk-…aaaa", true}, {"sk-…bbbb", true}, {"sk-…xaaa", false},
                {"sk-…", false},    {"", false},        {"rk-…aaaa", false}};
    struct reconcile_rig r;
    enum match_miss miss;
    (void)state;
    reconcile_rig_open(&r, 20000);
    r.link_count = 1; /* the account's own */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct match_place *p = place_of(&r, link_with("api.openai.com", rows[i].hint), &miss);
        assert_non_null(p);
        if ((p->key > 0) != rows[i].found)
            fail_msg("%s", rows[i].hint);
        assert_true(p->linked);
    }
    /* Two keys that look alike: only their project is known. */
    const struct bill_name_put twin = {.kind = BILL_KEY,
                                       .ext = STR("key_5"),
                                       .name = STR("twin"),
                                       .project = STR("proj_a"),
                                       .hint = STR("sk-...aaaa")};
    assert_int_equal(bill_names_put(r.bill, RIG_ACCOUNT, &twin, 1), ERR_OK);
    const struct match_place *p = place_of(&r, link_with("api.openai.com", "sk-…aaaa"), &miss);
    assert_true(p->key == MATCH_ANY && str_eq(p->project_ext, STR("proj_a")));
    reconcile_rig_close(&r);
}

static void what_is_no_business_of_the_bill_has_a_reason(void **state)
{
    struct reconcile_rig r;
    enum match_miss miss;
    (void)state;
    reconcile_rig_open(&r, 20000);
    r.link_count = 1;
    struct match_link link = link_with("x.openai.azure.com", "abc…defg");
    link.kind = KIND_INTEGRATION_AZURE_OPENAI;
    assert_null(place_of(&r, link, &miss));
    assert_int_equal(miss, MATCH_MISS_OTHER_BILLER);
    link = link_with("llm.example.com", "");
    link.kind = KIND_INTEGRATION_OPENAI_COMPATIBLE;
    assert_null(place_of(&r, link, &miss));
    assert_int_equal(miss, MATCH_MISS_OTHER_BILLER);
    link = link_with("127.0.0.1:8788", "sk-…aaaa");
    assert_null(place_of(&r, link, &miss));
    assert_int_equal(miss, MATCH_MISS_NO_BILL);
    /* A second organization: nothing tells whose it is, unless the integration does. */
    assert_int_equal(bill_account_put(r.bill, 8, 1, STR("other"), 20000, 1), ERR_OK);
    struct bill_account a = {.id = 8,
                             .organization = STR("org-b"),
                             .slug = STR("other"),
                             .title = STR(""),
                             .error = STR(""),
                             .workspace = 1,
                             .note = STR("")};
    assert_int_equal(bill_account_set(r.bill, &a), ERR_OK);
    assert_null(place_of(&r, link_with("api.openai.com", "sk-…none"), &miss));
    assert_int_equal(miss, MATCH_MISS_UNCLEAR);
    assert_non_null(place_of(&r, link_with("api.openai.com", "sk-…aaaa"), &miss));
    const struct match_scope scope = {.all = true};
    struct match *m = make(&r, &scope);
    assert_int_equal(match_metered(m, 0, 1, 1, &miss), MATCH_NONE);
    assert_int_equal(miss, MATCH_MISS_OWN_KEY);
    match_free(m);
    reconcile_rig_close(&r);
}

static void another_workspaces_traffic_counts_where_its_key_is_billed(void **state)
{
    const int64_t accounts[] = {RIG_ACCOUNT}, workspaces[] = {1};
    const struct match_scope scope = {
        .accounts = accounts, .account_count = 1, .workspaces = workspaces, .workspace_count = 1};
    struct reconcile_rig r;
    enum match_miss miss;
    (void)state;
    reconcile_rig_open(&r, 20000);
    r.links[1].workspace = 2;
    r.links[2].workspace = 2;
    r.links[2].key_hint = STR("sk-…none");
    struct match *m = make(&r, &scope);
    assert_int_not_equal(match_metered(m, RIG_ONE, 2, 1, &miss), MATCH_NONE);
    assert_int_equal(match_metered(m, RIG_TWO, 2, 1, &miss), MATCH_NONE);
    assert_int_equal(miss, MATCH_MISS_NO); /* and is not even mentioned */
    match_free(m);
    reconcile_rig_close(&r);
}

/* --- the past -------------------------------------------------------------------------------- */

static void integrations_are_known_as_they_were(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, ADMIN);
    struct control_integration row;
    struct match_link *links;
    size_t count;
    struct control_integration_spec spec = {
        .slug = STR("a"), .kind = STR("openai"), .api_key = STR("sk-first-key-0000-aaaa")};
    assert_int_equal(control_integration_create(c, 1, &spec, t->arena, &row, &why), ERR_OK);
    spec = (struct control_integration_spec){.api_key = STR("sk-second-key-000-bbbb")};
    assert_int_equal(control_integration_update(c, 1, STR("a"), &spec, t->arena, &row, &why), ERR_OK);
    spec = (struct control_integration_spec){.name = STR("only a name")};
    assert_int_equal(control_integration_update(c, 1, STR("a"), &spec, t->arena, &row, &why), ERR_OK);
    spec = (struct control_integration_spec){.project = STR("proj_x")};
    assert_int_equal(control_integration_update(c, 1, STR("a"), &spec, t->arena, &row, &why), ERR_OK);
    assert_int_equal(control_integration_delete(c, 1, STR("a"), &why), ERR_OK);
    assert_int_equal(match_links_load(c, t->arena, &links, &count, &why), ERR_OK);
    assert_int_equal(count, 3);
    static const char *const hints[] = {"sk-…aaaa", "sk-…bbbb", "sk-…bbbb"}, *const projects[] = {"", "", "proj_x"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(links[i].integration, row.id);
        assert_true(str_eq(links[i].key_hint, str_c(hints[i])) && str_eq(links[i].project, str_c(projects[i])));
        assert_true(str_eq(links[i].host, STR("api.openai.com")));
        assert_true(i ? links[i].from_us > links[i - 1].from_us : links[i].from_us == 0);
        assert_int_equal(match_link_index(links, count, row.id, links[i].from_us), i);
    }
    assert_int_equal(match_link_index(links, count, row.id + 1, 5), count);
    control_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_items_and_meters_meet),
        cmocka_unit_test(units_become_those_of_the_meter),
        cmocka_unit_test(keys_are_found_by_what_is_shown_of_them),
        cmocka_unit_test(what_is_no_business_of_the_bill_has_a_reason),
        cmocka_unit_test(another_workspaces_traffic_counts_where_its_key_is_billed),
        cmocka_unit_test_setup_teardown(integrations_are_known_as_they_were, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
