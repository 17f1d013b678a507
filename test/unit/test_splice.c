/* SPDX-License-Identifier: Apache-2.0 */
/* Edits of a stream: the same result for every split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/splice.h"

static void edits_do_not_depend_on_splits(void **state)
{
    (void)state;
    static const char original[] = "0123456789";
    static const struct {
        struct splice list[4];
        size_t n;
        const char *result;
    } rows[] = {
        {{{0}}, 0, "0123456789"},
        {{{0, 0, {"ab", 2}}}, 1, "ab0123456789"},
        {{{10, 0, {"ab", 2}}}, 1, "0123456789ab"},
        {{{0, 10, {"", 0}}}, 1, ""},
        {{{0, 10, {"x", 1}}}, 1, "x"},
        {{{3, 2, {"abc", 3}}}, 1, "012abc56789"},
        {{{3, 2, {"", 0}}, {5, 1, {"", 0}}}, 2, "0126789"},
        {{{1, 0, {"a", 1}}, {1, 0, {"b", 1}}, {1, 3, {"c", 1}}}, 3, "0abc456789"},
        {{{0, 1, {"a", 1}}, {9, 1, {"b", 1}}, {10, 0, {"c", 1}}, {10, 0, {"d", 1}}}, 4, "a12345678bcd"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(splice_result_size(rows[i].list, rows[i].n, 10), strlen(rows[i].result));
        for (size_t step = 1; step <= 11; step++) {
            struct splicer sp;
            struct buf out;
            struct str piece;
            buf_init(&out, 100);
            splicer_init(&sp, rows[i].list, rows[i].n);
            for (struct str rest = STR(original); rest.n > 0; rest = str_from(rest, step)) {
                struct str chunk = str_head(rest, step);
                while (splicer_next(&sp, &chunk, &piece))
                    must(buf_add_str(&out, piece));
            }
            while (splicer_end(&sp, &piece))
                must(buf_add_str(&out, piece));
            assert_true(str_eq(buf_str(&out), str_c(rows[i].result)));
            buf_free(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits_do_not_depend_on_splits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
