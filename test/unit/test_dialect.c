/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals as Portkey's clients read them: each status has its code, in all the places they look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json/jdoc.h"
#include "console/portkey/dialect.h"

static void each_status_has_its_code(void **state)
{
    static const struct {
        enum err e;
        int status;
        const char *code;
    } cases[] = {
        {ERR_BAD_PARAMETER, 400, "AB01"}, {ERR_NOT_FOUND, 404, "AB02"},    {ERR_FORBIDDEN, 403, "AB03"},
        {ERR_INTERNAL, 500, "AB04"},      {ERR_STORE_FAILED, 503, "AB04"}, {ERR_KEY_INVALID, 401, "AB05"},
        {ERR_RATE_LIMITED, 429, "AB06"},  {ERR_CONFLICT, 409, "AB07"},     {ERR_LIMIT_REACHED, 409, "AB07"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out;
        struct jdoc doc;
        buf_init(&out, 8192);
        jdoc_init(&doc);
        assert_int_equal(err_info(cases[i].e)->status, cases[i].status);
        assert_true(dialect_error_json(&out, cases[i].e, STR("p"), STR("why \"so\"")));
        assert_true(jdoc_parse(&doc, buf_str(&out)));
        struct jval root = jdoc_root(&doc), data = jdoc_get(root, "data"), error = jdoc_get(root, "error");
        assert_true(jdoc_is(jdoc_get(data, "errorCode"), cases[i].code));
        assert_int_equal(jdoc_kind(jdoc_get(root, "success")), JDOC_FALSE);
        assert_true(jdoc_is(jdoc_get(root, "status"), "failure"));
        assert_true(jdoc_has(jdoc_get(root, "message")) && jdoc_has(jdoc_get(error, "message")));
        assert_true(jdoc_is(jdoc_get(error, "param"), "p"));
        assert_int_equal(jdoc_is(jdoc_get(data, "message"), "Unauthorised Request"), cases[i].status == 401);
        jdoc_free(&doc);
        buf_free(&out);
    }
}

static void a_path_that_is_not_there_has_another_one(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 8192);
    assert_true(dialect_not_found_json(&out));
    assert_true(str_search(buf_str(&out), STR("\"AB08\"")) >= 0);
    assert_true(str_search(buf_str(&out), STR("\"message\":\"Not Found\"")) >= 0);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_status_has_its_code),
        cmocka_unit_test(a_path_that_is_not_there_has_another_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
