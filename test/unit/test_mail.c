/* SPDX-License-Identifier: Apache-2.0 */
/* Mail as bytes: addresses that may stand in an envelope, header fields that cannot be broken, text that survives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/rng.h"
#include "report/notify/mail.h"

#define TIME_US (INT64_C(1795352442) * 1000000) /* Sun, 22 Nov 2026 13:00:42 */

static const struct mail_from gate = {.address = "gate@example.com", .name = "Tollgate"};

static struct buf written(const struct mail *m)
{
    struct buf out;
    buf_init(&out, MAIL_MAX);
    assert_true(mail_write(m, &out));
    return out;
}

static struct mail mail_with(struct str subject, struct str text)
{
    return (struct mail){.from = &gate,
                         .to = STR("ann@example.com"),
                         .subject = subject,
                         .text = text,
                         .id = STR("test/1"),
                         .kind = "test",
                         .time_us = TIME_US};
}

/* ---- addresses ---- */

static void addresses_that_can_be_sent_to(void **state)
{
    static const char *const good[] = {"a@b.c",         "ann.lee+x@mail.example.com", "o'neil@example.com",
                                       "x@[192.0.2.1]", "x@[IPv6:2001:db8::1]",       "a!#$%&'*/=?^_`{|}~-@example.com",
                                       "1@xn--fsq.com"};
    static const char *const bad[] = {"",
                                      "a",
                                      "@b.c",
                                      "a@",
                                      "a b@c.d",
                                      "a@b c.d",
                                      "a@b.c\r\nRCPT TO:<x@y.z>",
                                      "a\n@b.c",
                                      "a@b.c>",
                                      "<a@b.c>",
                                      "a@b@c.d",
                                      ".a@b.c",
                                      "a.@b.c",
                                      "a..b@c.d",
                                      "\"a b\"@c.d",
                                      "a@b.c.",
                                      "a@-b.c",
                                      "a@127.0.0.1",
                                      "a@[127.1]",
                                      "a@[2001:db8::1]",
                                      "a@[IPv6:192.0.2.1]",
                                      "a@b,c.d",
                                      "a(c)@b.c",
                                      "\xc3\xa4@b.c",
                                      "a@\xc3\xa4.c",
                                      "a\\@b.c",
                                      "a@b..c"};
    char longest[400];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!mail_address_ok(str_c(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (mail_address_ok(str_c(bad[i])))
            fail_msg("taken: %s", bad[i]);
    assert_false(mail_address_ok(str_of("a@b.c\0d", 7)));
    memset(longest, 'a', sizeof longest);
    memcpy(longest + 64, "@example.com", 12);
    assert_true(mail_address_ok(str_of(longest, 76)));
    memcpy(longest + 65, "@example.com", 12);
    longest[64] = 'a';
    assert_false(mail_address_ok(str_of(longest, 77)));
}

static void senders_are_read_or_explained(void **state)
{
    struct mail_from from;
    (void)state;
    assert_null(mail_from_read(STR("a@b.c"), &from));
    assert_string_equal(from.address, "a@b.c");
    assert_string_equal(from.name, "");
    assert_null(mail_from_read(STR(" The Gate <a@b.c> "), &from));
    assert_string_equal(from.name, "The Gate");
    assert_null(mail_from_read(STR("\"Gate, \\\"The\\\"\" <a@b.c>"), &from));
    assert_string_equal(from.name, "Gate, \"The\"");
    assert_non_null(mail_from_read(STR("a@b.c\r\nBcc: d@e.f"), &from));
    assert_non_null(mail_from_read(STR("X\r\nBcc: d@e.f <a@b.c>"), &from));
    assert_non_null(mail_from_read(STR("\"X <a@b.c>"), &from));
    assert_non_null(mail_from_read(STR("X a@b.c>"), &from));
    assert_non_null(mail_from_read(STR(""), &from));
    assert_non_null(mail_from_read(STR("X\xff <a@b.c>"), &from));
}

/* ---- the header ---- */

static void a_plain_mail_is_as_it_should_be(void **state)
{
    struct mail m = mail_with(STR("Hello"), STR("One.\nTwo = 2\n"));
    struct buf out = written(&m);
    (void)state;
    assert_true(str_search(buf_str(&out), STR("Date: Sun, 22 Nov 2026 13:00:42 +0000\r\nFrom: \"Tollgate\"\r\n "
                                              "<gate@example.com>\r\nTo: <ann@example.com>\r\nSubject: Hello\r\n")) ==
                0);
    assert_true(str_search(buf_str(&out), STR("\r\n\r\nOne.\r\nTwo =3D 2\r\n")) > 0);
    buf_free(&out);
}

static void the_same_id_is_the_same_message_id(void **state)
{
    struct mail m = mail_with(STR("x"), STR("x"));
    char one[MAIL_ID_MAX], two[MAIL_ID_MAX];
    (void)state;
    mail_message_id(&m, one);
    m.text = STR("another");
    mail_message_id(&m, two);
    assert_string_equal(one, two);
    m.id = STR("test/2");
    mail_message_id(&m, two);
    assert_string_not_equal(one, two);
    assert_true(str_ends(str_c(one), STR("@example.com>")));
}

static void dates_are_right_on_every_weekday(void **state)
{
    char text[MAIL_DATE_MAX];
    (void)state;
    mail_date(0, text);
    assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 +0000");
    mail_date(INT64_C(951782400) * 1000000, text);
    assert_string_equal(text, "Tue, 29 Feb 2000 00:00:00 +0000");
    mail_date(INT64_C(1798761599) * 1000000, text);
    assert_string_equal(text, "Thu, 31 Dec 2026 23:59:59 +0000");
}

/* Decodes what mail_write made: the subject's words, and the text. */
static size_t decoded_subject(struct str mail, char *out, size_t cap)
{
    size_t n = 0;
    ptrdiff_t at = str_search(mail, STR("\r\nSubject: "));
    struct str rest = str_from(mail, (size_t)at + 11);
    while (str_starts(rest, STR("=?UTF-8?B?"))) {
        size_t got;
        rest = str_from(rest, 10);
        ptrdiff_t end = str_search(rest, STR("?="));
        assert_true(end > 0 && end + 12 <= 75);
        assert_true(encode_unbase64(str_head(rest, (size_t)end), out + n, cap - n, &got));
        n += got;
        rest = str_from(rest, (size_t)end + 2);
        assert_true(str_starts(rest, STR("\r\n")));
        if (str_starts(rest, STR("\r\n =?")))
            rest = str_from(rest, 3);
    }
    return n;
}

static unsigned hex_of(struct str two)
{
    unsigned char byte;
    assert_true(encode_unhex(two, &byte, 1));
    return byte;
}

static size_t decoded_text(struct str mail, char *out)
{
    size_t n = 0;
    struct str rest = str_from(mail, (size_t)str_search(mail, STR("\r\n\r\n")) + 4);
    for (size_t i = 0; i < rest.n; i++) {
        if (rest.p[i] == '=' && rest.p[i + 1] == '\r') {
            i += 2;
        } else if (rest.p[i] == '=') {
            out[n++] = (char)hex_of(str_of(rest.p + i + 1, 2));
            i += 2;
        } else if (rest.p[i] != '\r') {
            out[n++] = rest.p[i];
        }
    }
    return n;
}

/* Every line ends in CR LF, none is long, none holds another CR, LF or NUL; header and text are apart once. */
static void check_shape(struct str mail)
{
    struct str line, rest = mail;
    assert_true(str_ends(mail, STR("\r\n")));
    while (str_split(&rest, '\n', &line)) {
        if (!rest.p && !line.n)
            break;
        assert_true(line.n && line.p[line.n - 1] == '\r');
        assert_true(line.n <= 79);
        assert_null(memchr(line.p, '\r', line.n - 1));
        for (size_t i = 0; i + 1 < line.n; i++)
            assert_true((line.p[i] >= ' ' && line.p[i] <= '~') || line.p[i] == '\t');
    }
}

static void nothing_in_a_subject_makes_a_line_of_its_own(void **state)
{
    static const char *const subjects[] = {
        "x\r\nBcc: evil@example.com",
        "x\nBcc: evil@example.com",
        "x\r\n\r\nbody",
        "\r\n.\r\nRSET",
        "=?UTF-8?B?eA==?=",
        "plain =?x",
        "\x01\x02\x7f",
        "caf\xc3\xa9",
        "\xf0\x9f\x92\xb8 more than one word can hold \xf0\x9f\x92\xb8\xf0\x9f\x92\xb8\xf0\x9f\x92\xb8\xf0\x9f\x92\xb8",
        "bad \xff\xfe bytes \xc3"};
    (void)state;
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        struct mail m = mail_with(str_c(subjects[i]), STR("text\n"));
        struct buf out = written(&m);
        check_shape(buf_str(&out));
        assert_true(str_search(buf_str(&out), STR("\nBcc:")) < 0);
        assert_true(str_search(buf_str(&out), STR("\r\n.\r\n")) < 0);
        char back[1024];
        size_t n = decoded_subject(buf_str(&out), back, sizeof back);
        for (size_t k = 0; k < n; k++)
            assert_true((unsigned char)back[k] >= 0x20 && back[k] != 0x7f);
        buf_free(&out);
    }
}

static void a_name_with_anything_in_it_stays_in_its_field(void **state)
{
    struct mail_from from = {.address = "a@b.c"};
    struct mail m = mail_with(STR("x"), STR("x\n"));
    (void)state;
    m.from = &from;
    for (unsigned c = 1; c < 256; c++) {
        snprintf(from.name, sizeof from.name, "A%cB <x@y.z>", (int)c);
        struct buf out = written(&m);
        check_shape(buf_str(&out));
        buf_free(&out);
    }
}

/* ---- the text ---- */

static void any_text_survives(void **state)
{
    struct rng_seeded g = {7};
    char text[2000], back[8000], plain[2000];
    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        size_t n = rng_seeded_below(&g, sizeof text), kept = 0;
        for (size_t i = 0; i < n; i++) {
            uint64_t kind = rng_seeded_below(&g, 10);
            text[i] = kind == 0   ? '\n'
                      : kind == 1 ? ' '
                      : kind == 2 ? '.'
                      : kind == 3 ? (char)rng_seeded_below(&g, 256)
                                  : (char)(' ' + rng_seeded_below(&g, 95));
            if (text[i] == '\r')
                text[i] = 'r';
        }
        for (size_t i = 0; i < n; i++)
            plain[kept++] = text[i];
        if (n && plain[kept - 1] != '\n')
            plain[kept++] = '\n';
        struct mail m = mail_with(STR("x"), str_of(text, n));
        struct buf out = written(&m);
        check_shape(buf_str(&out));
        size_t got = decoded_text(buf_str(&out), back);
        assert_int_equal(got, kept);
        assert_memory_equal(back, plain, kept);
        buf_free(&out);
    }
}

static void lines_of_windows_end_once(void **state)
{
    struct mail m = mail_with(STR("x"), STR("a\r\nb\r\n\r\nc"));
    struct buf out = written(&m);
    (void)state;
    assert_true(str_ends(buf_str(&out), STR("\r\n\r\na\r\nb\r\n\r\nc\r\n")));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_that_can_be_sent_to),
        cmocka_unit_test(senders_are_read_or_explained),
        cmocka_unit_test(a_plain_mail_is_as_it_should_be),
        cmocka_unit_test(the_same_id_is_the_same_message_id),
        cmocka_unit_test(dates_are_right_on_every_weekday),
        cmocka_unit_test(nothing_in_a_subject_makes_a_line_of_its_own),
        cmocka_unit_test(a_name_with_anything_in_it_stays_in_its_field),
        cmocka_unit_test(any_text_survives),
        cmocka_unit_test(lines_of_windows_end_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
