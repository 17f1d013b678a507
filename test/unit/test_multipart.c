/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forms: the text fields of a body in any pieces; and no field that another reader could see
 * differently.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "openai/multipart.h"

#define TYPE "multipart/form-data; boundary=b"
#define PART(disposition, value) "--b\r\nContent-Disposition: form-data; " disposition "\r\n\r\n" value "\r\n"
#define END "--b--\r\n"

static struct buf fields; /* "name=value;" for each */

static void on_field(void *arg, struct str name, struct str value)
{
    assert_ptr_equal(arg, &fields);
    assert_true(buf_add_str(&fields, name) && buf_add_byte(&fields, '=') && buf_add_str(&fields, value) &&
                buf_add_byte(&fields, ';'));
}

static void run(const char *type, struct str body, size_t cut, size_t step)
{
    struct multipart *m = mem_alloc(sizeof *m);
    buf_reset(&fields);
    multipart_init(m, str_c(type), on_field, &fields);
    for (size_t at = 0; at < body.n;) {
        size_t n = at < cut ? cut - at : body.n - at;
        n = n > step ? step : n;
        char *copy = mem_alloc(n);
        memcpy(copy, body.p + at, n);
        multipart_feed(m, str_of(copy, n));
        mem_free(copy);
        at += n;
    }
    mem_free(m);
}

static void check_n(const char *type, struct str body, const char *wanted)
{
    for (size_t i = 0; i <= 2 * body.n; i++) {
        run(type, body, i <= body.n ? i : 0, i <= body.n ? SIZE_MAX : i - body.n);
        if (!str_eq(buf_str(&fields), str_c(wanted)))
            fail_msg("'%.*s' instead of '%s' at %zu in: %.*s", STR_ARG(buf_str(&fields)), wanted, i, STR_ARG(body));
    }
}

static void check(const char *body, const char *wanted)
{
    check_n(TYPE, str_c(body), wanted);
}

static void text_fields_are_reported(void **state)
{
    (void)state;
    check(PART("name=\"model\"", "whisper-1") END, "model=whisper-1;");
    check(PART("name=\"a\"", "1") PART("name=\"b\"", "") PART("name=c", "3") END, "a=1;b=;c=3;");
    check(PART("name=\"a\"", "two\r\nlines") END, "a=two\r\nlines;");
    check(PART("name=\"a\"", "\r\n\r") END, "a=\r\n\r;");
    check("--b\r\ncontent-DISPOSITION:form-data;NAME=\"a\"\r\nContent-Type: text/plain\r\n\r\n1\r\n" END, "a=1;");
    check("--b\r\nX: y\r\nContent-Disposition: form-data; x=\"; name=z\"; name=\"a\"\r\n\r\n1\r\n" END, "a=1;");
    check(PART("name=\"a\";", "1") END, "a=1;");
    check(PART("name = \"a\" ; x=y", "1") END, "a=1;");
    check(PART("name=\"a;b=c\"", "1") END, "a;b=c=1;");
}

static void files_are_not(void **state)
{
    (void)state;
    check(PART("name=\"file\"; filename=\"a.wav\"", "data\r\nmore") PART("name=\"model\"", "w") END, "model=w;");
    check(PART("filename=\"a.wav\"; name=\"file\"", "data") END, "");
    check(PART("name=\"file\"; filename=a", "data") END, "");
    check(PART("name=\"file\"; filename*=utf-8''a", "data") END, "");
    check(PART("name=\"file\"; filename=\"\"", "data") END, "");
    check(PART("name=\"file\"; filename=\"x; name=model\"", "data") END, "");
}

static void the_frame_of_the_body_is_skipped(void **state)
{
    (void)state;
    check("preamble\r\n" PART("name=\"a\"", "1") END, "a=1;");
    check("\r\n" PART("name=\"a\"", "1") END, "a=1;");
    check("preamble--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n" END, "");
    check(PART("name=\"a\"", "1") END "\r\n" PART("name=\"late\"", "2") END, "a=1;");
    check("--b \t\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b-- \r\n", "a=1;");
    check("--b\r\n\r\nno head\r\n" PART("name=\"a\"", "1") END, "a=1;");
    check(END PART("name=\"a\"", "1") END, "");
    check("", "");
}

static void a_field_counts_only_when_it_is_complete(void **state)
{
    (void)state;
    const char *body = PART("name=\"a\"", "12") END;
    size_t n = strlen(body);
    for (size_t k = 0; k <= n; k++) {
        run(TYPE, str_of(body, k), 0, SIZE_MAX);
        assert_int_equal(buf_size(&fields) > 0, k >= n - 2);
    }
}

static void what_only_begins_like_a_delimiter_is_content(void **state)
{
    (void)state;
    check(PART("name=\"a\"", "1\r\n--") END, "a=1\r\n--;");
    check(PART("name=\"a\"", "1\r\n-b") END, "a=1\r\n-b;");
    check(PART("name=\"a\"", "1\r\n--bc\r\n2") END, "a=1\r\n--bc\r\n2;");
    check(PART("name=\"a\"", "1\r\n--b-\r\n2") END, "a=1\r\n--b-\r\n2;");
    check(PART("name=\"a\"", "1\r\n--b x\r\n2") END, "a=1\r\n--b x\r\n2;");
    check(PART("name=\"a\"", "1\r\n--b\n2") END, "a=1\r\n--b\n2;");
    check(PART("name=\"a\"", "1\r\n--b\r\r\n--b\r2") END, "a=1\r\n--b\r\r\n--b\r2;");
    check(PART("name=\"a\"", "1--b--\n--b--\r--b--") END, "a=1--b--\n--b--\r--b--;");
    check(PART("name=\"a\"", "\r\r\n\r\n-\r\n--\r\n") END, "a=\r\r\n\r\n-\r\n--\r\n;");
    /* Content like a delimiter and a part: a file may hold one, and it is no part. */
    check(PART("name=\"file\"; filename=x", "\r\n--bb\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nsmall")
              PART("name=\"model\"", "large") END,
          "model=large;");
}

static void doubtful_names_are_not_reported(void **state)
{
    (void)state;
    static const char *const doubtful[] = {
        PART("name=\"a\"; name=\"b\"", "1") END,
        PART("x=y", "1") END,
        PART("name=\"\"", "1") END,
        PART("name=", "1") END,
        PART("name", "1") END,
        PART("name=\"a", "1") END,
        PART("name=\"a\"b", "1") END,
        PART("name=a\"b\"", "1") END,
        PART("name=a b", "1") END,
        PART("name=\"a\\b\"", "1") END,
        PART("name=\"a\\\"; x=\\\"\"", "1") END,
        PART("name=\"a\"; name*=utf-8''b", "1") END,
        PART("name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"", "1") END,
        PART("name=\"a\"\r\n ; filename=\"x\"", "1") END,
        PART("name=\"a\"\nX: y", "1") END,
        PART("name=\"a\"\rX: y", "1") END,
        PART("name=\"aname-of-sixty-four-bytes-or-more-than-that-which-nobody-would-ever-use\"", "1") END,
        "--b\r\nX-Content-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n" END,
        "--b\nContent-Disposition: form-data; name=\"a\"\n\n1\n--b--\n",
    };
    for (size_t i = 0; i < sizeof doubtful / sizeof doubtful[0]; i++)
        check(doubtful[i], "");
    static const char nul[] = PART("name=\"a\0b\"", "1") END;
    check_n(TYPE, str_of(nul, sizeof nul - 1), "");
}

static void values_may_hold_any_byte(void **state)
{
    (void)state;
    char body[1024], wanted[600];
    size_t n = (size_t)snprintf(body, sizeof body, "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n");
    for (int c = 0; c < 256; c++)
        body[n++] = (char)c;
    memcpy(body + n, "\r\n--b--", 7);
    n += 7;
    memcpy(wanted, "a=", 2);
    memcpy(wanted + 2, body + n - 7 - 256, 256);
    wanted[258] = ';';
    run(TYPE, str_of(body, n), 0, SIZE_MAX);
    assert_true(str_eq(buf_str(&fields), str_of(wanted, 259)));
}

static void what_is_long_is_skipped(void **state)
{
    (void)state;
    for (size_t n = MULTIPART_VALUE_MAX; n <= MULTIPART_VALUE_MAX + 1; n++) {
        char *body = mem_alloc(4096);
        size_t at = (size_t)snprintf(body, 4096, "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n");
        memset(body + at, 'x', n);
        at += n;
        at += (size_t)snprintf(body + at, 4096 - at, "\r\n" PART("name=\"c\"", "1") END);
        run(TYPE, str_of(body, at), 0, SIZE_MAX);
        assert_int_equal(buf_size(&fields), n > MULTIPART_VALUE_MAX ? 4 : 2 + n + 1 + 4);
        mem_free(body);
    }
    /* A name that stands too far behind, and one line after such a line. */
    char line[1200], body[4096];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    int n = snprintf(body, sizeof body,
                     "--b\r\nContent-Disposition: form-data; name=a; x=%s; filename=y\r\n\r\n1\r\n"
                     "--b\r\nX: %s\r\nContent-Disposition: form-data; name=c\r\n\r\n2\r\n" END,
                     line, line);
    run(TYPE, str_of(body, (size_t)n), 0, SIZE_MAX);
    assert_true(str_eq(buf_str(&fields), STR("c=2;")));
}

static void the_number_of_fields_has_a_limit(void **state)
{
    (void)state;
    struct multipart m;
    buf_reset(&fields);
    multipart_init(&m, STR(TYPE), on_field, &fields);
    for (int i = 0; i < 1000; i++)
        multipart_feed(&m, STR(PART("name=a", "")));
    multipart_feed(&m, STR(END));
    assert_int_equal(buf_size(&fields), 64 * 3);
}

static void the_boundary_is_read_from_the_type(void **state)
{
    (void)state;
    struct str body = STR("--q; r\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--q; r--\r\n");
    check_n("multipart/form-data; boundary=\"q; r\"", body, "a=1;");
    check_n("Multipart/Form-Data;charset=x;BOUNDARY=\"q; r\" ;y=z", body, "a=1;");
    static const char *const none[] = {
        "",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=\"q; r",
        "multipart/form-data; boundary=q; boundary=\"q; r\"",
        "multipart/form-data; x=\"; boundary=q; r\"",
        "multipart/mixed; boundary=\"q; r\"",
        "text/plain; boundary=\"q; r\"",
        "multipart/form-data; boundary=\"a-boundary-that-is-longer-than-the-seventy-bytes-which-are-allowed-for-it\"",
    };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        check_n(none[i], body, "");
}

static int open_fields(void **state)
{
    (void)state;
    buf_init(&fields, 1 << 20);
    return 0;
}

static int close_fields(void **state)
{
    (void)state;
    buf_free(&fields);
    return 0;
}

static void the_value_of_one_field_is_found_in_its_place(void **state)
{
    (void)state;
    struct str type = STR("multipart/form-data; boundary=b"), value;
    struct str body = STR("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nmodel\r\n"
                          "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n@a/whisper-1\r\n--b--\r\n");
    assert_true(multipart_find(type, body, STR("model"), &value));
    assert_true(str_eq(value, STR("@a/whisper-1")));
    assert_true(value.p > body.p && value.p + value.n < body.p + body.n);
    assert_false(multipart_find(type, body, STR("prompt"), &value));
    struct str twice = STR("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nx\r\n"
                           "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ny\r\n--b--\r\n");
    assert_false(multipart_find(type, twice, STR("model"), &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_value_of_one_field_is_found_in_its_place),
        cmocka_unit_test(text_fields_are_reported),
        cmocka_unit_test(files_are_not),
        cmocka_unit_test(the_frame_of_the_body_is_skipped),
        cmocka_unit_test(a_field_counts_only_when_it_is_complete),
        cmocka_unit_test(what_only_begins_like_a_delimiter_is_content),
        cmocka_unit_test(doubtful_names_are_not_reported),
        cmocka_unit_test(values_may_hold_any_byte),
        cmocka_unit_test(what_is_long_is_skipped),
        cmocka_unit_test(the_number_of_fields_has_a_limit),
        cmocka_unit_test(the_boundary_is_read_from_the_type),
    };
    return cmocka_run_group_tests(tests, open_fields, close_fields);
}
