/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is read of a request, and the edits made from it. Each body is also fed cut at every byte:
 * the facts must be the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json_text.h"
#include "base/must.h"
#include "openai/request_edit.h"
#include "openai/request_facts.h"

#define BIT(field) (UINT32_C(1) << REQUEST_FIELD_##field)

static void read_in_steps(struct request_facts *f, struct str body, size_t first, size_t step)
{
    request_facts_init(f);
    request_facts_feed(f, body.p, str_head(body, first).n);
    for (struct str rest = str_from(body, first); rest.n > 0; rest = str_from(rest, step))
        request_facts_feed(f, rest.p, str_head(rest, step).n);
    request_facts_end(f);
}

/* The scanner's state is not a fact. */
static void forget_scan(struct request_facts *f)
{
    memset(&f->scan, 0, sizeof(f->scan));
}

static void read_body(struct request_facts *f, const char *body)
{
    struct str s = str_c(body);
    read_in_steps(f, s, s.n, 1);
    struct request_facts whole = *f;
    forget_scan(&whole);
    for (size_t at = 0; at <= s.n; at++) {
        struct request_facts split;
        read_in_steps(&split, s, at, at ? s.n : 1);
        forget_scan(&split);
        assert_memory_equal(&whole, &split, sizeof(whole));
    }
}

static void chat_fields_are_read(void **state)
{
    (void)state;
    struct request_facts f;
    read_body(
        &f,
        "{\"model\":\"gpt-5.6\",\"messages\":[{\"role\":\"user\",\"content\":\"model\",\"model\":\"no\"}],\"stream\":true,"
        "\"stream_options\":{\"include_usage\":true,\"include_obfuscation\":false},\"n\":2,\"max_tokens\":100,"
        "\"max_completion_tokens\":200,\"service_tier\":\"flex\",\"user\":\"u-1\",\"safety_identifier\":\"s\\u0031\","
        "\"prompt_cache_key\":\"pk\",\"prompt_cache_options\":{\"mode\":\"explicit\",\"ttl\":\"12h\"},\"store\":false,"
        "\"modalities\":[\"text\",\"audio\"],\"metadata\":{\"a\":\"b\"},\"tools\":[],\"reasoning_effort\":\"low\","
        "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"model\":1}}}");
    assert_int_equal(f.status, JSON_COMPLETE);
    assert_true(f.is_object);
    assert_false(f.object_empty);
    assert_int_equal(f.duplicates, 0);
    assert_int_equal(f.invalid, 0);
    assert_string_equal(f.model, "gpt-5.6");
    assert_true(f.stream);
    assert_true(f.include_usage);
    assert_true(request_facts_has(&f, REQUEST_FIELD_STREAM_OPTIONS));
    assert_false(f.options_empty);
    assert_int_equal(f.n, 2);
    assert_int_equal(f.max_tokens, 200);
    assert_string_equal(f.service_tier, "flex");
    assert_string_equal(f.user, "u-1");
    assert_string_equal(f.safety_identifier, "s1");
    assert_string_equal(f.prompt_cache_key, "pk");
    assert_true(f.cache_12h);
    assert_true(f.store_given);
    assert_false(f.store);
    assert_true(f.audio_wanted);
    assert_string_equal(f.reasoning_effort, "low");
    assert_string_equal(f.response_format, "json_schema");
    assert_true(request_facts_has(&f, REQUEST_FIELD_TOOLS));
    assert_false(request_facts_has(&f, REQUEST_FIELD_BEST_OF));
}

static void other_operations_are_read(void **state)
{
    (void)state;
    struct request_facts f;
    read_body(
        &f,
        "{\"model\":\"tts-1\",\"input\":\"h\\u00e9llo \xe4\xb8\xad \\ud83d\\ude00\\n\",\"voice\":\"x\",\"response_format\":\"mp3\","
        "\"stream_format\":\"sse\"}");
    assert_int_equal(f.input_chars, 10);
    assert_string_equal(f.response_format, "mp3");
    assert_string_equal(f.stream_format, "sse");
    read_body(&f, "{\"model\":\"m\",\"input\":[\"a\",\"bc\"],\"dimensions\":256,\"encoding_format\":\"base64\"}");
    assert_int_equal(f.input_chars, 0);
    assert_int_equal(f.dimensions, 256);
    assert_string_equal(f.encoding_format, "base64");
    read_body(&f, "{\"prompt\":\"x\",\"size\":\"1024x1536\",\"quality\":\"high\",\"n\":3,\"model\":\"gpt-image-2\"}");
    assert_string_equal(f.size_text, "1024x1536");
    assert_string_equal(f.quality, "high");
    read_body(&f, "{\"model\":\"sora-2\",\"seconds\":\"8\",\"size\":\"720x1280\"}");
    assert_int_equal(f.seconds_ms, 8000);
    read_body(
        &f,
        "{\"model\":\"o\",\"background\":true,\"store\":true,\"max_output_tokens\":1e3,\"previous_response_id\":\"resp_1\"}");
    assert_true(f.background);
    assert_true(f.store);
    assert_int_equal(f.max_tokens, 1000);
    assert_int_equal(f.invalid, 0);
    assert_true(request_facts_has(&f, REQUEST_FIELD_PREVIOUS_RESPONSE));
}

static void a_field_twice_is_named(void **state)
{
    (void)state;
    struct request_facts f;
    read_body(&f, "{\"model\":\"a\",\"mod\\u0065l\":\"b\",\"stream\":false,\"stream\":true}");
    assert_int_equal(f.duplicates, BIT(MODEL) | BIT(STREAM));
    read_body(&f, "{\"stream_options\":{\"include_usage\":false,\"include_\\u0075sage\":true}}");
    assert_int_equal(f.duplicates, BIT(INCLUDE_USAGE));
    read_body(&f, "{\"stream_options\":{\"include_usage\":false},\"stream_options\":{\"include_usage\":true}}");
    assert_int_equal(f.duplicates, BIT(STREAM_OPTIONS));
    read_body(&f, "{\"messages\":[],\"messages\":[],\"temperature\":1,\"temperature\":2}");
    assert_int_equal(f.duplicates, 0);
    read_body(&f, "{\"max_tokens\":1,\"max_tokens\":null}");
    assert_int_equal(f.duplicates, BIT(MAX_TOKENS));
}

static void wrong_types_are_named(void **state)
{
    (void)state;
    struct request_facts f;
    static const struct {
        const char *body;
        uint32_t invalid;
    } rows[] = {
        {"{\"model\":5}", BIT(MODEL)},
        {"{\"model\":[\"a\"]}", BIT(MODEL)},
        {"{\"model\":{\"a\":1}}", BIT(MODEL)},
        {"{\"model\":\"a\\u0000b\"}", BIT(MODEL)},
        {"{\"model\":null}", 0},
        {"{\"stream\":\"true\"}", BIT(STREAM)},
        {"{\"stream\":1}", BIT(STREAM)},
        {"{\"stream\":null}", 0},
        {"{\"n\":-1}", BIT(N)},
        {"{\"n\":1.5}", BIT(N)},
        {"{\"n\":\"1\"}", BIT(N)},
        {"{\"n\":1.0}", 0},
        {"{\"max_tokens\":1e400}", BIT(MAX_TOKENS)},
        {"{\"max_tokens\":99999999999999999999999999999999999999999999999999999999999999999999999999999999999999}",
         BIT(MAX_TOKENS)},
        {"{\"max_tokens\":true}", BIT(MAX_TOKENS)},
        {"{\"service_tier\":\"a-tier-name-that-is-longer-than-any\"}", BIT(SERVICE_TIER)},
        {"{\"seconds\":\"x\"}", BIT(SECONDS)},
        {"{\"response_format\":[]}", 0},
        {"{\"metadata\":[]}", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        read_body(&f, rows[i].body);
        if (f.invalid != rows[i].invalid) {
            print_error("%s: %x\n", rows[i].body, f.invalid);
            fail();
        }
    }
    assert_false(f.stream);
}

static void a_model_name_may_be_long_but_not_too_long(void **state)
{
    (void)state;
    for (size_t n = 60; n < 200; n++) {
        char body[300] = "{\"model\":\"";
        size_t at = strlen(body);
        memset(body + at, 'm', n);
        memcpy(body + at + n, "\"}", 3);
        struct request_facts f;
        read_body(&f, body);
        assert_int_equal(strlen(f.model), n < REQUEST_MODEL_MAX ? n : REQUEST_MODEL_MAX - 1);
        assert_int_equal(f.invalid, n < REQUEST_MODEL_MAX ? 0 : BIT(MODEL));
    }
}

static void bodies_that_are_no_object_are_told(void **state)
{
    (void)state;
    struct request_facts f;
    read_body(&f, "[{\"model\":\"x\"}]");
    assert_int_equal(f.status, JSON_COMPLETE);
    assert_false(f.is_object);
    assert_int_equal(f.present, 0);
    read_body(&f, " {} ");
    assert_true(f.is_object);
    assert_true(f.object_empty);
    assert_int_equal(f.brace, 1);
    read_body(&f, "");
    assert_int_equal(f.status, JSON_INCOMPLETE);
    read_body(&f, "{\"model\":\"a\"");
    assert_int_equal(f.status, JSON_INCOMPLETE);
    read_body(&f, "{\"model\":\"a\",}");
    assert_int_equal(f.status, JSON_MALFORMED);
}

static void forms_give_the_same_facts(void **state)
{
    (void)state;
    struct request_facts f;
    request_facts_init(&f);
    request_facts_form_field(&f, STR("model"), STR("gpt-4o\\transcribe"));
    request_facts_form_field(&f, STR("stream"), STR("true"));
    request_facts_form_field(&f, STR("n"), STR("2"));
    request_facts_form_field(&f, STR("seconds"), STR("4"));
    request_facts_form_field(&f, STR("response_format"), STR("verbose_json"));
    request_facts_form_field(&f, STR("prompt"), STR("x"));
    assert_string_equal(f.model, "gpt-4o\\transcribe");
    assert_true(f.stream);
    assert_int_equal(f.n, 2);
    assert_int_equal(f.seconds_ms, 4000);
    assert_string_equal(f.response_format, "verbose_json");
    assert_int_equal(f.invalid, 0);
    assert_int_equal(f.duplicates, 0);
    request_facts_form_field(&f, STR("model"), STR("b"));
    request_facts_form_field(&f, STR("n"), STR("-2"));
    assert_int_equal(f.duplicates, BIT(MODEL) | BIT(N));
    assert_int_equal(f.invalid, BIT(N));
}

/* --- Edits ---------------------------------------------------------------------------------------- */

static bool edit(const char *body, const char *model, bool ask_usage, struct buf *out)
{
    struct request_facts f;
    struct request_edit e;
    read_body(&f, body);
    buf_reset(out);
    if (!request_edit_make(&e, &f, str_c(model), ask_usage))
        return false;
    struct splicer sp;
    struct str piece;
    splicer_init(&sp, e.list, e.n);
    for (struct str rest = str_c(body); rest.n > 0; rest = str_from(rest, 3)) {
        struct str chunk = str_head(rest, 3);
        while (splicer_next(&sp, &chunk, &piece))
            must(buf_add_str(out, piece));
    }
    while (splicer_end(&sp, &piece))
        must(buf_add_str(out, piece));
    assert_int_equal(buf_size(out), splice_result_size(e.list, e.n, strlen(body)));
    return true;
}

static void edits_change_just_those_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *body, *model;
        bool ask;
        const char *result; /* NULL: refused */
    } rows[] = {
        {"{\"model\":\"a\",\"x\":1}", "", false, "{\"model\":\"a\",\"x\":1}"},
        {"{\"model\":\"a\",\"x\":1}", "a", false, "{\"model\":\"a\",\"x\":1}"},
        {"{\"model\":\"\\u0061\",\"x\":1}", "a", false, "{\"model\":\"\\u0061\",\"x\":1}"},
        {"{ \"model\" : \"a\" , \"x\":1}", "b\"c", false, "{ \"model\" : \"b\\\"c\" , \"x\":1}"},
        {"{\"model\":null,\"x\":1}", "b", false, "{\"model\":\"b\",\"x\":1}"},
        {"{\"model\":{\"z\":[]},\"x\":1}", "b", false, "{\"model\":\"b\",\"x\":1}"},
        {"{\"x\":1}", "b", false, "{\"model\":\"b\",\"x\":1}"},
        {" { } ", "b", false, " {\"model\":\"b\" } "},
        {"{\"stream\":true}", "", true, "{\"stream_options\":{\"include_usage\":true},\"stream\":true}"},
        {"\n{\"stream\":true}", "m", true,
         "\n{\"model\":\"m\",\"stream_options\":{\"include_usage\":true},\"stream\":true}"},
        {"{}", "m", true, "{\"model\":\"m\",\"stream_options\":{\"include_usage\":true}}"},
        {"{}", "", true, "{\"stream_options\":{\"include_usage\":true}}"},
        {"{\"stream_options\":{},\"model\":\"a\"}", "b", true,
         "{\"stream_options\":{\"include_usage\":true},\"model\":\"b\"}"},
        {"{\"stream_options\": { } }", "", true, "{\"stream_options\": {\"include_usage\":true } }"},
        {"{\"stream_options\":null}", "", true, "{\"stream_options\":{\"include_usage\":true}}"},
        {"{\"stream_options\":{\"include_obfuscation\":false}}", "", true,
         "{\"stream_options\":{\"include_usage\":true,\"include_obfuscation\":false}}"},
        {"{\"stream_options\":{\"include_usage\":false}}", "", true, "{\"stream_options\":{\"include_usage\":true}}"},
        {"{\"stream_options\":{\"include_usage\" : null }}", "", true,
         "{\"stream_options\":{\"include_usage\" : true }}"},
        {"{\"stream_options\":{\"include_usage\":true}}", "", true, "{\"stream_options\":{\"include_usage\":true}}"},
        {"{\"stream_options\":[]}", "", true, NULL},
        {"{\"stream_options\":true}", "", true, NULL},
        {"{\"stream_options\":{},\"stream_options\":{}}", "", true, NULL},
        {"{\"stream_options\":{\"include_usage\":false,\"include_usage\":false}}", "", true, NULL},
        {"{\"model\":\"a\",\"model\":\"b\"}", "c", false, NULL},
        {"{\"model\":\"a\",\"model\":\"b\"}", "", false, "{\"model\":\"a\",\"model\":\"b\"}"},
        {"[]", "a", false, NULL},
        {"{\"model\":\"a\"", "b", false, NULL},
        {"{\"model\":\"a\"}}", "b", false, NULL},
    };
    struct buf out;
    buf_init(&out, 1000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool ok = edit(rows[i].body, rows[i].model, rows[i].ask, &out);
        if (ok != (rows[i].result != NULL) || (ok && !str_eq(buf_str(&out), str_c(rows[i].result)))) {
            print_error("%s: %d %.*s\n", rows[i].body, ok, STR_ARG(buf_str(&out)));
            fail();
        }
    }
    buf_free(&out);
}

static void an_edited_body_says_what_was_wished(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"model\":\"a\",\"stream\":true,\"messages\":[]}",
        "{\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":false},\"model\":\"a\"}",
        "{ \"stream\" : true }",
        "{\"stream_options\":{\"x\":{}},\"model\":\"a\"}",
    };
    /* Control characters take the most room. */
    char longest[REQUEST_MODEL_MAX];
    memset(longest, '\x01', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    const char *const models[] = {"b", "ft:gpt-4o:x\\y\"z", "\xc3\xa9", longest};
    struct buf out;
    buf_init(&out, 10000);
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < 4; k++) {
            assert_true(edit(bodies[i], models[k], true, &out));
            struct request_facts f;
            must(buf_add_byte(&out, '\0'));
            read_body(&f, buf_str(&out).p);
            assert_int_equal(f.status, JSON_COMPLETE);
            assert_string_equal(f.model, models[k]);
            assert_true(f.include_usage);
            assert_int_equal(f.duplicates, 0);
            /* Nothing is left to wish. */
            struct request_edit e;
            assert_true(request_edit_make(&e, &f, str_c(models[k]), true));
            assert_int_equal(e.n, 0);
        }
    }
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chat_fields_are_read),
        cmocka_unit_test(other_operations_are_read),
        cmocka_unit_test(a_field_twice_is_named),
        cmocka_unit_test(wrong_types_are_named),
        cmocka_unit_test(a_model_name_may_be_long_but_not_too_long),
        cmocka_unit_test(bodies_that_are_no_object_are_told),
        cmocka_unit_test(forms_give_the_same_facts),
        cmocka_unit_test(edits_change_just_those_bytes),
        cmocka_unit_test(an_edited_body_says_what_was_wished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
