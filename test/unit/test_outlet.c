/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: what they are called, what is shown of them, and who gets to the address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "control/outlet/outlet.h"
#include "control/outlet/seal.h"
#include "control/people/audit.h"
#include "control/people/rotate.h"
#include "control_bench.h"

#define SLACK "https://hooks.slack.com/services/T0/B0/topsecretwxyz"

static struct outlet put(struct bench *t, struct control *c, int64_t workspace, const char *name, enum outlet_kind kind,
                         const char *url, struct secret *key)
{
    struct outlet made = {0};
    struct control_why why;
    if (outlet_put(c, workspace, str_c(name), kind, str_c(url), t->arena, &made, key, &why) != ERR_OK)
        fail_msg("%s", why.text);
    return made;
}

static void names_are_those_of_slack(void **state)
{
    struct bench *t = *state;
    struct str name;
    static const char *const bad[] = {"", "#", "a b", "a/b", "..", ".", "#\xc3\xa4", "a\n", "a\"b"};
    char longest[82];
    assert_true(outlet_name(STR("#Fin-Ops_2.x"), t->arena, &name));
    assert_true(str_eq(name, STR("fin-ops_2.x")));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (outlet_name(str_c(bad[i]), t->arena, &name))
            fail_msg("taken: %s", bad[i]);
    memset(longest, 'a', sizeof longest);
    assert_true(outlet_name(str_of(longest, 80), t->arena, &name));
    assert_false(outlet_name(str_of(longest, 81), t->arena, &name));
}

static void an_address_goes_in_and_only_senders_get_it_out(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct control_why why;
    struct secret key = {0}, url = {0}, none = {0};
    enum outlet_kind kind;
    char command[200];
    struct outlet made = put(t, c, 1, "#FinOps", OUTLET_SLACK, SLACK, &key);
    assert_true(str_eq(made.name, STR("finops")));
    assert_true(str_eq(made.hint, STR("hooks.slack.com \xe2\x80\xa6wxyz")));
    assert_int_equal(key.n, 0);
    made = put(t, c, 1, "short", OUTLET_TEAMS, "https://example.com/a", &key);
    assert_true(str_eq(made.hint, STR("example.com")));
    assert_int_equal(outlet_open(c, 1, STR("FINOPS"), &kind, &url, &none, &why), ERR_OK);
    assert_int_equal(kind, OUTLET_SLACK);
    assert_true(str_eq(secret_reveal(&url), STR(SLACK)));
    assert_int_equal(none.n, 0);
    assert_int_equal(outlet_open(c, 2, STR("finops"), &kind, &url, &none, &why), ERR_NOT_FOUND);
    snprintf(command, sizeof command, "grep -q topsecret '%s'/control.db*", t->dir);
    assert_int_not_equal(system(command), 0);
    struct audit_row *rows;
    size_t count;
    uint64_t total;
    const struct audit_filter filter = {.action = STR("channel.")};
    assert_int_equal(audit_list(c, &filter, 10, t->arena, &rows, &count, &total, &why), ERR_OK);
    assert_int_equal(count, 2);
    assert_true(str_search(rows[1].after, STR("wxyz")) > 0);
    assert_true(str_search(rows[1].after, STR("topsecret")) < 0);
    secret_wipe(&url);
    control_close(c);
}

static void a_webhook_keeps_its_key_and_another_kind_has_none(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct control_why why;
    struct secret first = {0}, again = {0}, url = {0}, key = {0};
    enum outlet_kind kind;
    put(t, c, 1, "hook", OUTLET_WEBHOOK, "https://example.com/a", &first);
    assert_true(str_starts(secret_reveal(&first), STR("whsec_")));
    put(t, c, 1, "hook", OUTLET_WEBHOOK, "https://example.com/b", &again);
    assert_int_equal(again.n, 0);
    assert_int_equal(outlet_open(c, 1, STR("hook"), &kind, &url, &key, &why), ERR_OK);
    assert_true(str_eq(secret_reveal(&key), secret_reveal(&first)));
    assert_int_equal(rotate_master_key(c, STR(""), &why), ERR_OK); /* what was sealed stays readable */
    assert_int_equal(outlet_open(c, 1, STR("hook"), &kind, &url, &key, &why), ERR_OK);
    assert_true(str_eq(secret_reveal(&url), STR("https://example.com/b")));
    put(t, c, 1, "hook", OUTLET_SLACK, "https://example.com/c", &again);
    secret_wipe(&key);
    assert_int_equal(outlet_open(c, 1, STR("hook"), &kind, &url, &key, &why), ERR_OK);
    assert_int_equal(key.n, 0);
    put(t, c, 1, "hook", OUTLET_WEBHOOK, "https://example.com/d", &again);
    assert_true(again.n > 0 && !str_eq(secret_reveal(&again), secret_reveal(&first)));
    secret_wipe(&first);
    secret_wipe(&again);
    secret_wipe(&url);
    secret_wipe(&key);
    control_close(c);
}

static void bad_addresses_are_refused_without_being_quoted(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    static const char *const bad[] = {"",
                                      "ftp://example.com/topsecret",
                                      "https://user:topsecret@example.com/",
                                      "https://exa mple.com/topsecret",
                                      "https://example.com/a\r\nX-Evil: topsecret",
                                      "https://127.1/topsecret",
                                      "example.com/topsecret"};
    struct outlet made;
    struct control_why why;
    struct secret key = {0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        enum err e = outlet_put(c, 1, STR("x"), OUTLET_SLACK, str_c(bad[i]), t->arena, &made, &key, &why);
        assert_int_equal(e, bad[i][0] ? ERR_BAD_PARAMETER : ERR_MISSING_PARAMETER);
        assert_null(strstr(why.text, "topsecret"));
    }
    put(t, c, 1, "teams", OUTLET_TEAMS,
        "https://x.webhook.office.com/webhookb2/0a-1b@2c-3d/IncomingWebhook/4e/5f?api-version=1&sp=%2Ftriggers&sig=a_b-c",
        &key);
    assert_int_equal(outlet_put(c, 99, STR("x"), OUTLET_SLACK, STR(SLACK), t->arena, &made, &key, &why), ERR_NOT_FOUND);
    control_close(c);
}

static void lists_are_of_one_workspace_and_end_with_it(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct control_why why;
    struct secret key = {0};
    struct outlet *rows;
    size_t count;
    int64_t other;
    assert_int_equal(control_workspace_create(c, STR("other"), STR(""), &other, &why), ERR_OK);
    put(t, c, 1, "b", OUTLET_SLACK, SLACK, &key);
    put(t, c, 1, "a", OUTLET_SLACK, SLACK, &key);
    put(t, c, other, "c", OUTLET_SLACK, SLACK, &key);
    assert_int_equal(outlet_list(c, 1, t->arena, &rows, &count, &why), ERR_OK);
    assert_int_equal(count, 2);
    assert_true(str_eq(rows[0].name, STR("a")));
    assert_int_equal(outlet_delete(c, 1, STR("c"), &why), ERR_NOT_FOUND);
    assert_int_equal(outlet_delete(c, 1, STR("a"), &why), ERR_OK);
    assert_int_equal(outlet_list(c, 1, t->arena, &rows, &count, &why), ERR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(control_workspace_delete(c, other, &why), ERR_OK);
    assert_int_equal(outlet_list(c, other, t->arena, &rows, &count, &why), ERR_OK);
    assert_int_equal(count, 0);
    control_close(c);
}

static void what_is_sealed_opens_in_its_place_only(void **state)
{
    struct bench *t = *state;
    struct control *c = bench_open(t, NULL);
    struct control_why why;
    struct secret plain = {0};
    struct buf sealed;
    buf_init(&sealed, 200);
    seal_put(c, (struct crypt_place){"notify.outbox", 7, "letter"}, STR("the letter"), &sealed);
    assert_int_equal(rotate_master_key(c, STR(""), &why), ERR_OK);
    assert_int_equal(seal_open(c, (struct crypt_place){"notify.outbox", 7, "letter"}, buf_str(&sealed), &plain),
                     ERR_OK);
    assert_true(str_eq(secret_reveal(&plain), STR("the letter")));
    assert_int_equal(seal_open(c, (struct crypt_place){"notify.outbox", 8, "letter"}, buf_str(&sealed), &plain),
                     ERR_CORRUPT);
    secret_wipe(&plain);
    buf_free(&sealed);
    control_close(c);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(names_are_those_of_slack),
        CASE(an_address_goes_in_and_only_senders_get_it_out),
        CASE(a_webhook_keeps_its_key_and_another_kind_has_none),
        CASE(bad_addresses_are_refused_without_being_quoted),
        CASE(lists_are_of_one_workspace_and_end_with_it),
        CASE(what_is_sealed_opens_in_its_place_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
