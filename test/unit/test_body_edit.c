/* SPDX-License-Identifier: Apache-2.0 */
/* Edits of request bodies: each rule by itself, then random ones against the model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/json/jdoc.h"
#include "base/must.h"
#include "body_model.h"
#include "openai/body_edit.h"

#define OUT_MAX (1 << 20)

static struct buf out;
static bool asked;

static enum body_edit_result run(const char *body, const struct body_edits *edits)
{
    buf_free(&out);
    buf_init(&out, OUT_MAX);
    return body_edit(str_c(body), edits, &out, &asked);
}

static void expect(const char *body, const struct body_edits *edits, const char *wanted)
{
    enum body_edit_result result = run(body, edits);
    struct str got = result == BODY_EDIT_DONE ? buf_str(&out) : str_c(body);
    if (!str_eq(got, str_c(wanted)))
        fail_msg("%s became %.*s, not %s", body, STR_ARG(got), wanted);
    assert_int_equal(result, strcmp(body, wanted) == 0 ? BODY_EDIT_SAME : BODY_EDIT_DONE);
    if (result == BODY_EDIT_SAME)
        assert_int_equal(buf_size(&out), 0);
}

static void without_wishes_nothing_is_even_read(void **state)
{
    (void)state;
    expect("not JSON at all", &(struct body_edits){.ask_usage = false}, "not JSON at all");
}

static void an_override_replaces_or_adds(void **state)
{
    (void)state;
    struct body_member m[] = {{STR("t"), STR(" 0.10 ")}, {STR("new \"one\""), STR("{\"a\": 1}")}};
    struct body_edits e = {.overrides = m, .override_count = 2};
    expect("{ \"t\" : 1 , \"b\":2 }", &e, "{ \"t\" : 0.10 , \"b\":2,\"new \\\"one\\\"\":{\"a\": 1} }");
    expect("{}", &e, "{\"t\":0.10,\"new \\\"one\\\"\":{\"a\": 1}}");
    expect("\n{\n}\n", &e, "\n{\"t\":0.10,\"new \\\"one\\\"\":{\"a\": 1}\n}\n");
    e.override_count = 1;
    expect("{\"t\":0.10}", &e, "{\"t\":0.10}");
    expect("{\"x\":{\"t\":5},\"\\u0074\":[5,{\"t\":6}]}", &e, "{\"x\":{\"t\":5},\"\\u0074\":0.10}");
}

static void no_doubled_member_keeps_an_old_value(void **state)
{
    (void)state;
    struct body_member m[] = {{STR("t"), STR("0")}, {STR("t"), STR("1")}};
    struct body_edits e = {.overrides = m, .override_count = 2};
    expect("{\"t\":5,\"a\":1,\"\\u0074\":6,\"t\":7}", &e, "{\"t\":1,\"a\":1}");
    expect("{\"t\":1,\"a\":1,\"t\":7}", &e, "{\"t\":1,\"a\":1}");
    struct body_edits model = {.model = STR("m")};
    expect("{\"model\":\"m\",\"model\":\"x\"}", &model, "{\"model\":\"m\"}");
    expect("{\"model\":\"x\",\"model\":\"m\"}", &model, "{\"model\":\"m\"}");
    struct str path = STR("t");
    struct body_edits drop = {.drop = &path, .drop_count = 1};
    expect("{\"t\":5, \"a\":1,\"\\u0074\":6 , \"t\":7}", &drop, "{ \"a\":1}");
}

static void a_default_is_for_what_is_absent(void **state)
{
    (void)state;
    struct body_member d[] = {{STR("t"), STR("9")}, {STR("u"), STR("8")}, {STR("t"), STR("7")}};
    struct body_member o[] = {{STR("u"), STR("1")}};
    struct body_edits e = {.defaults = d, .default_count = 3};
    expect("{\"t\":null}", &e, "{\"t\":null,\"u\":8}");
    expect("{\"a\":{\"t\":1}}", &e, "{\"a\":{\"t\":1},\"t\":9,\"u\":8}");
    e.overrides = o;
    e.override_count = 1;
    expect("{\"u\":3}", &e, "{\"u\":1,\"t\":9}");
    expect("{}", &e, "{\"u\":1,\"t\":9}");
}

static void the_model_is_stronger_than_an_override(void **state)
{
    (void)state;
    struct body_member o[] = {{STR("model"), STR("\"o\"")}};
    struct body_edits e = {.overrides = o, .override_count = 1, .model = STR("m\n")};
    expect("{\"model\":\"x\"}", &e, "{\"model\":\"m\\n\"}");
    expect("{\"model\":\"m\\u000a\"}", &e, "{\"model\":\"m\\u000a\"}");
    expect("{\"model\":17,\"a\":1}", &e, "{\"model\":\"m\\n\",\"a\":1}");
    expect("{\"a\":1}", &e, "{\"a\":1,\"model\":\"m\\n\"}");
    struct body_edits d = {.defaults = o, .default_count = 1, .model = STR("m")};
    expect("{\"a\":1}", &d, "{\"a\":1,\"model\":\"m\"}");
}

static void drops_take_their_comma(void **state)
{
    (void)state;
    struct str paths[] = {STR("a"), STR("m[*].x"), STR("k.l.m"), STR("z[1]"), STR("z[2]")};
    struct body_edits e = {.drop = paths, .drop_count = 5};
    expect("{\"a\":1}", &e, "{}");
    expect("{\"a\":1,\"b\":2}", &e, "{\"b\":2}");
    expect("{\"b\":2,\"a\":1}", &e, "{\"b\":2}");
    expect("{\n  \"b\": 2,\n  \"a\": 1,\n  \"c\": 3\n}", &e, "{\n  \"b\": 2,\n  \"c\": 3\n}");
    expect("{\"a\":1,\"m\":[{\"x\":1,\"y\":2},{\"y\":1,\"x\":2},{\"x\":3},4,[{\"x\":1}]],\"a\":2}", &e,
           "{\"m\":[{\"y\":2},{\"y\":1},{},4,[{\"x\":1}]]}");
    expect("{\"k\":{\"l\":{\"m\":1,\"n\":2}}}", &e, "{\"k\":{\"l\":{\"n\":2}}}");
    expect("{\"z\":[0,1,2,3]}", &e, "{\"z\":[0,3]}");
    expect("{\"z\":[0 , 1 , 2 ]}", &e, "{\"z\":[0  ]}");
    expect("{\"z\":{\"1\":2}}", &e, "{\"z\":{\"1\":2}}");
}

static void paths_that_lead_nowhere_do_nothing(void **state)
{
    (void)state;
    struct str paths[] = {STR(""),       STR("."),   STR("a."),    STR("a..b"),     STR("a[0"),      STR("a[]"),
                          STR("a[b]"),   STR("[0]"), STR("a[0]b"), STR("a[*].b.c"), STR("a[-1]"),    STR("a.0"),
                          STR("a.b[0]"), STR("*"),   STR("A"),     STR("a[9]"),     STR("a[0].[1]"), STR("a[0][1]x")};
    struct body_edits e = {.drop = paths, .drop_count = sizeof paths / sizeof *paths};
    expect("{\"a\":[1,[2,3],{\"b\":1}],\"\":2,\"*a\":3}", &e, "{\"a\":[1,[2,3],{\"b\":1}],\"\":2,\"*a\":3}");
}

static void drops_come_last(void **state)
{
    (void)state;
    struct body_member o[] = {{STR("tools"), STR("[{\"x\":1,\"y\":2},{\"x\":3}]")}, {STR("p"), STR("1")}};
    struct body_member d[] = {{STR("q"), STR("{\"r\":1}")}};
    struct str paths[] = {STR("tools[*].x"), STR("p"), STR("q.r"), STR("model")};
    struct body_edits e = {.overrides = o,
                           .override_count = 2,
                           .defaults = d,
                           .default_count = 1,
                           .model = STR("m"),
                           .drop = paths,
                           .drop_count = 4};
    expect("{\"p\":5,\"model\":\"x\"}", &e, "{\"tools\":[{\"y\":2},{}],\"q\":{}}");
    expect("{\"tools\":null}", &e, "{\"tools\":[{\"y\":2},{}],\"q\":{}}");
}

static void a_path_may_have_32_steps(void **state)
{
    (void)state;
    char path[64], body[400], wanted[400];
    size_t n = 0, open = 0;
    for (int i = 0; i < 32; i++) {
        n += (size_t)snprintf(path + n, sizeof path - n, i ? ".a" : "a");
        open += (size_t)snprintf(body + open, sizeof body - open, "{\"a\":");
    }
    static const char closing[] = "}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}";
    assert_int_equal(strlen(closing), 32);
    snprintf(wanted, sizeof wanted, "%.*s%s", (int)open - 4, body, closing);
    snprintf(body + open, sizeof body - open, "1%s", closing);
    struct str drop = str_c(path);
    struct body_edits e = {.drop = &drop, .drop_count = 1};
    expect(body, &e, wanted);
}

static void expect_asked(const char *body, const char *wanted, bool wanted_asked)
{
    struct body_edits e = {.ask_usage = true};
    expect(body, &e, wanted);
    assert_int_equal(asked, wanted_asked);
}

static void usage_is_asked_for_beside_other_options(void **state)
{
    (void)state;
    expect_asked("{\"stream\":true}", "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}", true);
    expect_asked("{}", "{\"stream_options\":{\"include_usage\":true}}", true);
    expect_asked("{\"stream_options\":null}", "{\"stream_options\":{\"include_usage\":true}}", true);
    expect_asked("{\"stream_options\":{ }}", "{\"stream_options\":{\"include_usage\":true }}", true);
    expect_asked("{\"stream_options\":{\"o\":false}}", "{\"stream_options\":{\"o\":false,\"include_usage\":true}}",
                 true);
    expect_asked("{\"stream_options\":{\"include_usage\":false,\"o\":1}}",
                 "{\"stream_options\":{\"include_usage\":true,\"o\":1}}", true);
    expect_asked("{\"stream_options\":{\"include_usage\":1,\"include_usage\":0}}",
                 "{\"stream_options\":{\"include_usage\":true,\"include_usage\":true}}", true);
    expect_asked("{\"stream_options\":{\"include_usage\": true}}", "{\"stream_options\":{\"include_usage\": true}}",
                 false);
    expect_asked("{\"stream_options\":\"odd\"}", "{\"stream_options\":\"odd\"}", false);
}

static void usage_is_asked_for_in_what_a_config_gives(void **state)
{
    (void)state;
    struct body_member m[] = {{STR("stream_options"), STR("{\"o\":1}")}};
    struct body_edits e = {.overrides = m, .override_count = 1, .ask_usage = true};
    expect("{\"stream_options\":{\"include_usage\":true}}", &e,
           "{\"stream_options\":{\"o\":1,\"include_usage\":true}}");
    assert_true(asked);
    struct body_edits d = {.defaults = m, .default_count = 1, .ask_usage = true};
    expect("{}", &d, "{\"stream_options\":{\"o\":1,\"include_usage\":true}}");
    struct str paths[] = {STR("stream_options.include_usage")};
    d.drop = paths;
    d.drop_count = 1;
    expect("{}", &d, "{\"stream_options\":{\"o\":1}}");
    assert_false(asked);
    expect("{\"stream_options\":null}", &d, "{\"stream_options\":null}");
    assert_false(asked);
}

static void what_is_no_object_is_refused(void **state)
{
    (void)state;
    struct body_edits e = {.model = STR("m")};
    const char *const bodies[] = {"",  " ",      "[1]",     "\"x\"",    "12",        "null",
                                  "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":[1}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_int_equal(run(bodies[i], &e), BODY_EDIT_NOT_AN_OBJECT);
        assert_int_equal(buf_size(&out), 0);
    }
}

static void an_output_that_does_not_fit_is_left_alone(void **state)
{
    (void)state;
    struct body_member m[] = {{STR("t"), STR("[1,{\"x\":2}]")}};
    struct str paths[] = {STR("t[1].x"), STR("b")};
    struct body_edits e = {
        .overrides = m, .override_count = 1, .model = STR("mm"), .ask_usage = true, .drop = paths, .drop_count = 2};
    const char *body = "{\"b\":1,\"t\":5,\"c\":[1,2,3]}";
    assert_int_equal(run(body, &e), BODY_EDIT_DONE);
    size_t size = buf_size(&out);
    for (size_t max = 3; max <= size + 3; max++) {
        struct buf small;
        buf_init(&small, max);
        assert_true(buf_add_str(&small, STR("old")));
        bool fits = max == size + 3;
        assert_int_equal(body_edit(str_c(body), &e, &small, &asked), fits ? BODY_EDIT_DONE : BODY_EDIT_TOO_LARGE);
        assert_int_equal(buf_size(&small), fits ? size + 3 : 3);
        assert_int_equal(asked, fits);
        buf_free(&small);
    }
}

static void too_many_names_to_compare_are_refused(void **state)
{
    (void)state;
    static struct body_member many[20000];
    struct buf body;
    buf_init(&body, OUT_MAX);
    for (size_t i = 0; i < 20000; i++)
        many[i] = (struct body_member){STR("k"), STR("1")};
    assert_true(buf_add_str(&body, STR("{\"a\":1")));
    for (int i = 0; i < 20000; i++)
        assert_true(buf_add_str(&body, STR(",\"b\":1")));
    assert_true(buf_add_str(&body, STR("}")) && buf_add_byte(&body, '\0'));
    struct body_edits e = {.overrides = many, .override_count = 20000};
    assert_int_equal(run(buf_str(&body).p, &e), BODY_EDIT_TOO_LARGE);
    buf_free(&body);
}

static void a_member_is_found_by_its_meaning(void **state)
{
    (void)state;
    struct str body = STR(" {\"a\":{\"b\":1}, \"\\u0062\" : [1, 2] ,\"b\":3,\"s\":\"x\"}");
    assert_true(str_eq(body_member_find(body, STR("a")), STR("{\"b\":1}")));
    assert_true(str_eq(body_member_find(body, STR("b")), STR("[1, 2]")));
    assert_true(str_eq(body_member_find(body, STR("s")), STR("\"x\"")));
    assert_null(body_member_find(body, STR("c")).p);
    assert_null(body_member_find(STR("[1]"), STR("c")).p);
    assert_null(body_member_find(STR("{}"), STR("")).p);
    assert_null(body_member_find(STR("{\"a\""), STR("a")).p);
}

/* --- random ones ------------------------------------------------------------------------------------- */

static size_t skip_blanks(struct str text, size_t at)
{
    while (at < text.n && strchr(" \t\r\n", text.p[at]))
        at++;
    return at;
}

/* A string; in names \u escapes of ASCII are undone. Returns where it ends. */
static size_t normalise_string(struct str text, size_t at, struct buf *to)
{
    size_t end = at + 1;
    while (text.p[end] != '"')
        end += text.p[end] == '\\' ? 2 : 1;
    bool name = text.p[skip_blanks(text, end + 1)] == ':';
    while (at < end) {
        uint64_t c;
        if (name && strncmp(text.p + at, "\\u00", 4) == 0) {
            must(str_hex_to_u64(str_of(text.p + at + 4, 2), &c));
            must((c != '"' && c != '\\') || buf_add_byte(to, '\\'));
            must(buf_add_byte(to, (char)c));
            at += 6;
        } else {
            size_t n = text.p[at] == '\\' ? 2 : 1;
            must(buf_add(to, text.p + at, n));
            at += n;
        }
    }
    must(buf_add_byte(to, '"'));
    return end + 1;
}

/* Without white space: body_print's form. */
static void normalise(struct str text, struct buf *to)
{
    struct jdoc doc;
    jdoc_init(&doc);
    must(jdoc_parse(&doc, text));
    jdoc_free(&doc);
    for (size_t at = skip_blanks(text, 0); at < text.n; at = skip_blanks(text, at)) {
        if (text.p[at] == '"')
            at = normalise_string(text, at, to);
        else
            must(buf_add_byte(to, text.p[at++]));
    }
}

static bool named(const struct body_member *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i].name, str_c(name)))
            return true;
    return false;
}

/* A top-level member that no wish speaks of. */
static bool is_untouched(const struct body_wishes *w, const char *name)
{
    for (size_t i = 0; i < w->edits.drop_count; i++)
        if (str_starts(w->drop[i], str_c(name)))
            return false;
    return !named(w->overrides, w->edits.override_count, name) && strcmp(name, "model") != 0 &&
           strcmp(name, "stream_options") != 0;
}

/* The untouched members of the body stand in the result with the same bytes, in the same order. */
static void check_untouched(const struct body_node *root, const struct body_wishes *w, struct str result)
{
    size_t from = 0;
    for (unsigned i = 0; i < root->n; i++) {
        if (!is_untouched(w, root->names[i]))
            continue;
        struct str raw = root->kids[i]->written;
        ptrdiff_t at = str_search(str_from(result, from), raw);
        must(at >= 0);
        from += (size_t)at + raw.n;
    }
}

static void check_jansson(struct str result, struct str wanted)
{
    json_t *a = json_loadb(result.p, result.n, JSON_DECODE_INT_AS_REAL, NULL);
    json_t *b = json_loadb(wanted.p, wanted.n, JSON_DECODE_INT_AS_REAL, NULL);
    must(!a == !b);
    must(!a || json_equal(a, b));
    json_decref(a);
    json_decref(b);
}

static void one_case(uint64_t seed, bool jansson)
{
    struct body_dice d = {seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
    struct body_wishes w;
    struct buf body, made, wanted, normal;
    buf_init(&body, OUT_MAX);
    buf_init(&made, OUT_MAX);
    buf_init(&wanted, OUT_MAX);
    buf_init(&normal, OUT_MAX);
    struct body_node *root = body_random(&d, true, 4), *edited = root;
    body_write(&d, root, &body);
    body_locate(root, buf_str(&body));
    body_wish(&d, &w);
    bool wanted_asked = body_apply(&edited, &w), got_asked;
    enum body_edit_result result = body_edit(buf_str(&body), &w.edits, &made, &got_asked);
    must(result == BODY_EDIT_SAME || result == BODY_EDIT_DONE);
    struct str got = result == BODY_EDIT_SAME ? buf_str(&body) : buf_str(&made);
    body_print(edited, &wanted);
    normalise(got, &normal);
    if (!str_eq(buf_str(&normal), buf_str(&wanted)) || got_asked != wanted_asked)
        fail_msg("case %llu: %.*s became %.*s, not %.*s (asked %d)", (unsigned long long)seed, STR_ARG(buf_str(&body)),
                 STR_ARG(got), STR_ARG(buf_str(&wanted)), got_asked);
    check_untouched(root, &w, got);
    if (jansson)
        check_jansson(got, buf_str(&wanted));
    body_free(root);
    body_free(edited);
    body_wishes_free(&w);
    buf_free(&body);
    buf_free(&made);
    buf_free(&wanted);
    buf_free(&normal);
}

static void a_slow_model_agrees(void **state)
{
    (void)state;
    const char *count = getenv("BODY_EDIT_CASES");
    uint64_t cases = 100000;
    if (count)
        must(str_to_u64(str_c(count), &cases));
    for (uint64_t seed = 1; seed <= cases; seed++)
        one_case(seed, seed % 4 == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_wishes_nothing_is_even_read),
        cmocka_unit_test(an_override_replaces_or_adds),
        cmocka_unit_test(no_doubled_member_keeps_an_old_value),
        cmocka_unit_test(a_default_is_for_what_is_absent),
        cmocka_unit_test(the_model_is_stronger_than_an_override),
        cmocka_unit_test(drops_take_their_comma),
        cmocka_unit_test(paths_that_lead_nowhere_do_nothing),
        cmocka_unit_test(drops_come_last),
        cmocka_unit_test(a_path_may_have_32_steps),
        cmocka_unit_test(usage_is_asked_for_beside_other_options),
        cmocka_unit_test(usage_is_asked_for_in_what_a_config_gives),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(an_output_that_does_not_fit_is_left_alone),
        cmocka_unit_test(too_many_names_to_compare_are_refused),
        cmocka_unit_test(a_member_is_found_by_its_meaning),
        cmocka_unit_test(a_slow_model_agrees),
    };
    buf_init(&out, OUT_MAX);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&out);
    return failed;
}
