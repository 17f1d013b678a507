/* SPDX-License-Identifier: Apache-2.0 */
/* The writer: what it writes is JSON and means what was given; wrong use ends the program. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json_scan.h"
#include "base/json_text.h"
#include "base/json_write.h"
#include "base/must.h"

static void assert_text(const struct buf *b, const char *text)
{
    struct str s = buf_str(b);
    if (!str_eq(s, str_c(text))) {
        print_error("got      %.*s\nexpected %s\n", STR_ARG(s), text);
        fail();
    }
    struct json_scan scan;
    json_scan_init(&scan, NULL, NULL, NULL);
    json_scan_feed(&scan, s.p, s.n);
    assert_int_equal(json_scan_end(&scan), JSON_COMPLETE);
}

static void objects_and_arrays_nest(void **state)
{
    (void)state;
    struct buf b;
    struct json_write w;
    buf_init(&b, 1000);
    json_write_init(&w, &b);
    json_write_object(&w);
    json_write_key(&w, STR("a"));
    json_write_array(&w);
    json_write_int(&w, -1);
    json_write_uint(&w, UINT64_MAX);
    json_write_int(&w, INT64_MIN);
    json_write_array(&w);
    json_write_array_end(&w);
    json_write_object(&w);
    json_write_object_end(&w);
    json_write_bool(&w, true);
    json_write_bool(&w, false);
    json_write_null(&w);
    json_write_string(&w, STR("x"));
    json_write_array_end(&w);
    json_write_key(&w, STR("b\n"));
    json_write_raw(&w, STR("{\"raw\": 1}"));
    json_write_key(&w, STR(""));
    json_write_uint(&w, 0);
    json_write_object_end(&w);
    assert_true(json_write_done(&w));
    assert_text(&b, "{\"a\":[-1,18446744073709551615,-9223372036854775808,[],{},true,false,null,\"x\"],"
                    "\"b\\n\":{\"raw\": 1},\"\":0}");
    buf_free(&b);
}

static void members_are_written_in_one_call(void **state)
{
    (void)state;
    struct buf b;
    struct json_write w;
    buf_init(&b, 1000);
    json_write_init(&w, &b);
    json_write_object(&w);
    json_write_member_string(&w, "s", STR("v"));
    json_write_member_int(&w, "i", -5);
    json_write_member_uint(&w, "u", 5);
    json_write_member_bool(&w, "b", true);
    json_write_member_null(&w, "n");
    json_write_member_raw(&w, "r", STR("[1]"));
    json_write_member_text(&w, "t", STR("text"));
    json_write_member_text(&w, "e", STR(""));
    json_write_object_end(&w);
    assert_true(json_write_done(&w));
    assert_text(&b, "{\"s\":\"v\",\"i\":-5,\"u\":5,\"b\":true,\"n\":null,\"r\":[1],\"t\":\"text\",\"e\":null}");
    buf_free(&b);
}

static void money_is_exact_decimal_text(void **state)
{
    (void)state;
    struct buf b;
    struct json_write w;
    buf_init(&b, 1000);
    json_write_init(&w, &b);
    json_write_array(&w);
    json_write_money(&w, 0);
    json_write_money(&w, 123400000);
    json_write_money(&w, -MONEY_PUSD_PER_USD);
    json_write_money(&w, 1);
    json_write_money_string(&w, (money_sum)MONEY_PUSD_PER_USD * 1000000000000);
    json_write_array_end(&w);
    assert_true(json_write_done(&w));
    assert_text(&b, "[0.00,0.0001234,-1.00,0.000000000001,\"1000000000000.00\"]");
    buf_free(&b);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    static const struct {
        struct str plain;
        const char *json;
    } rows[] = {
        {{"", 0}, "\"\""},
        {{"plain text of more than sixteen bytes", 37}, "\"plain text of more than sixteen bytes\""},
        {{"\"\\/\b\f\n\r\t", 8}, "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
        {{"\0\x01\x1f\x7f", 4}, "\"\\u0000\\u0001\\u001f\x7f\""},
        {{"\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x98\x80", 11}, "\"\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x98\x80\""},
        /* No UTF-8: lone continuation, cut sequences, overlong, surrogate, beyond the last plane. */
        {{"\x80", 1}, "\"\xef\xbf\xbd\""},
        {{"a\xc3", 2}, "\"a\xef\xbf\xbd\""},
        {{"\xc3(", 2}, "\"\xef\xbf\xbd(\""},
        {{"\xe4\xb8", 2}, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xc0\x80", 2}, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xe0\x80\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xed\xa0\x80", 3}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xf4\x90\x80\x80", 4}, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {{"\xff\xfe", 2}, "\"\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf b;
        buf_init(&b, 1000);
        assert_true(json_write_quoted(&b, rows[i].plain));
        assert_text(&b, rows[i].json);
        buf_free(&b);
    }
}

static void what_is_quoted_can_be_read_back(void **state)
{
    (void)state;
    struct buf b, back;
    buf_init(&b, 2000);
    buf_init(&back, 2000);
    for (unsigned seed = 0; seed < 2000; seed++) {
        char plain[64];
        unsigned r = seed * 2654435761u + 1;
        size_t n = seed % sizeof(plain);
        for (size_t i = 0; i < n; i++, r = r * 1103515245u + 12345u)
            plain[i] = (char)((r >> 16) % 128);
        buf_reset(&b);
        buf_reset(&back);
        assert_true(json_write_quoted(&b, str_of(plain, n)));
        struct str raw = str_head(str_from(buf_str(&b), 1), buf_size(&b) - 2);
        assert_true(json_unescape_buf(raw, &back));
        assert_true(str_eq(buf_str(&back), str_of(plain, n)));
        assert_true(json_string_eq(raw, str_of(plain, n)));
    }
    buf_free(&b);
    buf_free(&back);
}

static void a_full_buffer_is_told_at_the_end(void **state)
{
    (void)state;
    for (size_t max = 1; max < 40; max++) {
        struct buf b;
        struct json_write w;
        buf_init(&b, max);
        json_write_init(&w, &b);
        json_write_object(&w);
        json_write_member_string(&w, "name", STR("a\nb"));
        json_write_member_uint(&w, "n", 12345);
        json_write_object_end(&w);
        assert_int_equal(json_write_done(&w), max >= strlen("{\"name\":\"a\\nb\",\"n\":12345}"));
        assert_true(buf_size(&b) <= max);
        buf_free(&b);
    }
    struct buf b;
    buf_init(&b, 8);
    assert_true(buf_add_str(&b, STR("before")));
    assert_false(json_write_quoted(&b, STR("x\ny")));
    assert_true(str_eq(buf_str(&b), STR("before")));
    buf_free(&b);
}

/* --- Misuse --------------------------------------------------------------------------------------- */

static void value_without_name(struct json_write *w)
{
    json_write_object(w);
    json_write_null(w);
}

static void name_in_array(struct json_write *w)
{
    json_write_array(w);
    json_write_key(w, STR("a"));
}

static void name_twice(struct json_write *w)
{
    json_write_object(w);
    json_write_key(w, STR("a"));
    json_write_key(w, STR("b"));
}

static void name_without_value(struct json_write *w)
{
    json_write_object(w);
    json_write_key(w, STR("a"));
    json_write_object_end(w);
}

static void wrong_end(struct json_write *w)
{
    json_write_object(w);
    json_write_array_end(w);
}

static void two_documents(struct json_write *w)
{
    json_write_null(w);
    json_write_null(w);
}

static void left_open(struct json_write *w)
{
    json_write_array(w);
    (void)!json_write_done(w);
}

static void nothing_written(struct json_write *w)
{
    (void)!json_write_done(w);
}

static void too_deep(struct json_write *w)
{
    for (int i = 0; i <= JSON_WRITE_DEPTH_MAX; i++)
        json_write_array(w);
}

static void wrong_nesting_ends_the_program(void **state)
{
    (void)state;
    void (*const misuses[])(struct json_write *) = {value_without_name, name_in_array,   name_twice,
                                                    name_without_value, wrong_end,       two_documents,
                                                    left_open,          nothing_written, too_deep};
    for (size_t i = 0; i < sizeof(misuses) / sizeof(misuses[0]); i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct buf b;
            struct json_write w;
            close(STDERR_FILENO);
            signal(SIGABRT, SIG_DFL);
            buf_init(&b, 10000);
            json_write_init(&w, &b);
            misuses[i](&w);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_and_arrays_nest),         cmocka_unit_test(members_are_written_in_one_call),
        cmocka_unit_test(money_is_exact_decimal_text),     cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(what_is_quoted_can_be_read_back), cmocka_unit_test(a_full_buffer_is_told_at_the_end),
        cmocka_unit_test(wrong_nesting_ends_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
