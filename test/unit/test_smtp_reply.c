/* SPDX-License-Identifier: Apache-2.0 */
/* What mail servers say: whole, cut anywhere, and what is no SMTP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/notify/smtp.h"
#include "report/notify/smtp_reply.h"

static void a_reply_is_read_whole_or_not_at_all(void **state)
{
    static const char text[] = "250-mail.example.com\r\n250-SIZE 1000\r\n250-AUTH PLAIN LOGIN X\r\n250 STARTTLS\r\n";
    struct smtp_reply r;
    (void)state;
    for (size_t n = 0; n < sizeof text - 1; n++)
        assert_int_equal(smtp_reply_read(str_of(text, n), &r), SMTP_REPLY_PARTIAL);
    assert_int_equal(smtp_reply_read(STR("250 ok\r\n220 next"), &r), SMTP_REPLY_WHOLE);
    assert_int_equal(r.size, 8);
    assert_int_equal(smtp_reply_read(str_c(text), &r), SMTP_REPLY_WHOLE);
    assert_int_equal(r.code, 250);
    assert_int_equal(r.size, sizeof text - 1);
    struct smtp_offers offers;
    smtp_reply_offers(&r, &offers);
    assert_true(offers.starttls && offers.plain && offers.login);
    assert_int_equal(offers.size_max, 1000);
}

static void offers_are_whole_words(void **state)
{
    static const char text[] = "250-STARTTLSX\r\n250-AUTH PLAINTEXT XLOGIN\r\n250-SIZE x\r\n250-auth=login\r\n250\r\n";
    struct smtp_reply r;
    struct smtp_offers offers;
    (void)state;
    assert_int_equal(smtp_reply_read(str_c(text), &r), SMTP_REPLY_WHOLE);
    smtp_reply_offers(&r, &offers);
    assert_false(offers.starttls);
    assert_false(offers.plain);
    assert_true(offers.login);
    assert_int_equal(offers.size_max, 0);
}

static void what_is_no_reply_is_refused(void **state)
{
    static const char *const bad[] = {"HTTP/1.1 400 Bad Request\r\n",
                                      "25 x\r\n",
                                      "2500 x\r\n",
                                      "250_x\r\n",
                                      "250 x\n",
                                      "\r\n",
                                      "\n",
                                      "150 x\r\n",
                                      "650 x\r\n",
                                      "250-x\r\n251 y\r\n",
                                      "2\r\n",
                                      "abc\r\n"};
    struct smtp_reply r;
    char endless[SMTP_REPLY_MAX + 100];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (smtp_reply_read(str_c(bad[i]), &r) != SMTP_REPLY_BAD)
            fail_msg("taken: %s", bad[i]);
    memset(endless, '2', sizeof endless);
    assert_int_equal(smtp_reply_read(str_of(endless, 2000), &r), SMTP_REPLY_PARTIAL);
    assert_int_equal(smtp_reply_read(str_of(endless, 2100), &r), SMTP_REPLY_BAD);
    for (size_t i = 0; i + 8 <= sizeof endless; i += 8)
        memcpy(endless + i, "250-xx\r\n", 8);
    assert_int_equal(smtp_reply_read(str_of(endless, sizeof endless / 8 * 8), &r), SMTP_REPLY_BAD);
}

static void what_was_said_is_one_plain_line(void **state)
{
    struct smtp_reply r;
    char said[SMTP_REPLY_SAID_MAX];
    (void)state;
    assert_int_equal(smtp_reply_read(STR("550-5.1.1 no \x1b[31m such\r\n550 user\r\n"), &r), SMTP_REPLY_WHOLE);
    smtp_reply_said(&r, said);
    assert_string_equal(said, "550 5.1.1 no ?[31m such");
    assert_int_equal(smtp_reply_read(STR("421\r\n"), &r), SMTP_REPLY_WHOLE);
    smtp_reply_said(&r, said);
    assert_string_equal(said, "421");
}

static void servers_are_read_or_explained(void **state)
{
    struct smtp_server s;
    static const char *const bad[] = {"mail.example.com",  "http://mail.example.com",
                                      "smtp://",           "smtp://:587",
                                      "smtp://m:0",        "smtp://m:65536",
                                      "smtp://m:x",        "smtp://u:p@m",
                                      "smtp://@m",         "smtp://u%zz@m",
                                      "smtp://u%0d%0aX@m", "smtp://m/path",
                                      "smtp://m x",        "smtp://127.1",
                                      "smtp://[::1",       "smtps://exa\r\nmple.com"};
    (void)state;
    assert_null(smtp_server_read(STR("smtp://post%40example.com@mail.example.com"), false, &s));
    assert_string_equal(s.user, "post@example.com");
    assert_string_equal(s.host, "mail.example.com");
    assert_int_equal(s.port, 587);
    assert_false(s.tls);
    assert_null(smtp_server_read(STR("smtps://a@b@mail.example.com:2465/"), false, &s));
    assert_string_equal(s.user, "a@b");
    assert_int_equal(s.port, 2465);
    assert_true(s.tls);
    assert_null(smtp_server_read(STR("smtp://[::1]:25"), true, &s));
    assert_string_equal(s.host, "::1");
    assert_int_equal(s.port, 25);
    assert_null(smtp_server_read(STR("smtps://[2001:db8::1]"), false, &s));
    assert_int_equal(s.port, 465);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!smtp_server_read(str_c(bad[i]), false, &s))
            fail_msg("taken: %s", bad[i]);
    assert_null(smtp_server_read(STR("smtp://127.0.0.1"), true, &s));
    assert_null(smtp_server_read(STR("smtp://localhost"), true, &s));
    assert_non_null(smtp_server_read(STR("smtp://10.0.0.1"), true, &s));
    assert_non_null(smtp_server_read(STR("smtp://localhost.example.com"), true, &s));
    assert_non_null(smtp_server_read(STR("smtps://localhost"), true, &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_read_whole_or_not_at_all), cmocka_unit_test(offers_are_whole_words),
        cmocka_unit_test(what_is_no_reply_is_refused),         cmocka_unit_test(what_was_said_is_one_plain_line),
        cmocka_unit_test(servers_are_read_or_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
