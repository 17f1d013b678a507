/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads of Slack, Teams and webhooks, read back by another JSON library; texts of messages and their holes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>

#include "report/notify/payload.h"
#include "report/notify/texts.h"

static json_t *written(enum notify_channel channel, const char *text, const char *link, const char *data)
{
    const struct notify_message m = {.channel = channel,
                                     .workspace_id = 3,
                                     .kind = "budget_alert",
                                     .id = STR("budget_alert/1"),
                                     .subject = STR("80 % of <the> budget & more"),
                                     .text = str_c(text),
                                     .json = str_c(data)};
    struct buf out;
    json_error_t why;
    buf_init(&out, PAYLOAD_MAX);
    assert_true(payload_write(&m, str_c(link), INT64_C(1795352442) * 1000000, &out));
    json_t *root = json_loadb(buf_str(&out).p, buf_size(&out), 0, &why);
    if (!root)
        fail_msg("%s", why.text);
    buf_free(&out);
    return root;
}

static void slack_gets_its_own_escapes(void **state)
{
    json_t *root = written(NOTIFY_SLACK, "a <!channel> & b\n", "https://x/?a=1&b=2", "");
    (void)state;
    assert_string_equal(json_string_value(json_object_get(root, "text")),
                        "*80 % of &lt;the&gt; budget &amp; more*\na &lt;!channel&gt; &amp; b\n\n"
                        "<https://x/?a=1&amp;b=2|Open>");
    json_decref(root);
    root = written(NOTIFY_SLACK, "a", "", "");
    assert_null(strstr(json_string_value(json_object_get(root, "text")), "Open"));
    json_decref(root);
}

static void teams_gets_a_card_with_a_block_a_line(void **state)
{
    json_t *root = written(NOTIFY_TEAMS, "one\n\ntwo [x](https://evil/)\n", "https://x/", "");
    (void)state;
    assert_string_equal(json_string_value(json_object_get(root, "type")), "message");
    const json_t *content = json_object_get(json_array_get(json_object_get(root, "attachments"), 0), "content");
    const json_t *body = json_object_get(content, "body");
    assert_int_equal(json_array_size(body), 3);
    const json_t *last = json_array_get(body, 2);
    assert_string_equal(json_string_value(json_object_get(last, "type")), "RichTextBlock"); /* no Markdown */
    const json_t *run = json_array_get(json_object_get(last, "inlines"), 0);
    assert_string_equal(json_string_value(json_object_get(run, "type")), "TextRun");
    assert_string_equal(json_string_value(json_object_get(run, "text")), "two [x](https://evil/)");
    const json_t *action = json_array_get(json_object_get(content, "actions"), 0);
    assert_string_equal(json_string_value(json_object_get(action, "url")), "https://x/");
    json_decref(root);
    root = written(NOTIFY_TEAMS, "", "", "");
    content = json_object_get(json_array_get(json_object_get(root, "attachments"), 0), "content");
    assert_null(json_object_get(content, "actions"));
    json_decref(root);
}

static void webhooks_get_everything(void **state)
{
    json_t *root = written(NOTIFY_WEBHOOK, "text \"quoted\"", "", "{\"used\": 1.50}");
    (void)state;
    assert_string_equal(json_string_value(json_object_get(root, "id")), "budget_alert/1");
    assert_string_equal(json_string_value(json_object_get(root, "type")), "budget_alert");
    assert_string_equal(json_string_value(json_object_get(root, "timestamp")), "2026-11-22T13:00:42Z");
    assert_int_equal(json_integer_value(json_object_get(root, "workspace_id")), 3);
    assert_true(json_is_null(json_object_get(root, "link")));
    assert_non_null(json_object_get(json_object_get(root, "data"), "used"));
    json_decref(root);
}

/* The example of the Standard Webhooks specification's libraries. */
static void signatures_are_those_of_standard_webhooks(void **state)
{
    char lines[PAYLOAD_SIGNED_MAX];
    (void)state;
    assert_true(payload_sign(STR("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), STR("msg_p5jXN8AQM9LWM0D4loKWxJek"),
                             1614265330, STR("{\"test\": 2432232314}"), lines));
    assert_string_equal(lines, "Idempotency-Key: msg_p5jXN8AQM9LWM0D4loKWxJek\r\n"
                               "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\nwebhook-timestamp: 1614265330\r\n"
                               "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n");
    assert_true(payload_sign(STR(""), STR("x"), 1, STR("{}"), lines));
    assert_null(strstr(lines, "signature"));
    assert_false(payload_sign(STR("whsec_***"), STR("x"), 1, STR("{}"), lines));
    assert_false(payload_sign(STR("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), STR("x"), 1, STR("{}"), lines));
}

static void texts_have_no_holes(void **state)
{
    struct buf subject, text;
    char longest[1000];
    const struct texts_value values[] = {
        {"percent", STR("80 %")},  {"object", STR("the key a\nb")}, {"place", STR("the workspace x")},
        {"used", STR("$1")},       {"threshold", STR("$0.80")},     {"budget", STR("")},
        {"group", STR("")},        {"since", STR("now")},           {"until", STR("")},
        {"what_next", STR("\xff")}};
    (void)state;
    buf_init(&subject, 4000);
    buf_init(&text, 4000);
    assert_true(texts_fill(TEXTS_BUDGET_ALERT, values, 10, &subject, &text));
    assert_true(str_eq(buf_str(&subject), STR("80 % of the budget of the key a b is used")));
    assert_true(str_search(buf_str(&text), STR("\nAlert at:  $0.80\nSince:     now\n\n?\n")) > 0);
    assert_true(str_find(buf_str(&text), '{') < 0);
    buf_reset(&subject);
    buf_reset(&text);
    for (size_t i = 0; i + 3 <= sizeof longest; i += 3)
        memcpy(longest + i, "\xe2\x82\xac", 3);
    const struct texts_value who[] = {{"who", str_of(longest, 999)}};
    assert_true(texts_fill(TEXTS_TEST, who, 1, &subject, &text));
    assert_true(str_search(buf_str(&text), str_of(longest, 999)) > 0);
    buf_reset(&subject);
    buf_reset(&text);
    const struct texts_value invite[] = {
        {"who", str_of(longest, 999)}, {"place", STR("x")}, {"role", STR("x")}, {"until", STR("x")}};
    assert_true(texts_fill(TEXTS_INVITATION, invite, 4, &subject, &text));
    assert_in_range(buf_size(&subject), NOTIFY_SUBJECT_MAX - 3, NOTIFY_SUBJECT_MAX);
    assert_true(str_ends(buf_str(&subject), STR("\xe2\x82\xac\xe2\x80\xa6")));
    buf_free(&subject);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slack_gets_its_own_escapes), cmocka_unit_test(teams_gets_a_card_with_a_block_a_line),
        cmocka_unit_test(webhooks_get_everything),    cmocka_unit_test(signatures_are_those_of_standard_webhooks),
        cmocka_unit_test(texts_have_no_holes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
