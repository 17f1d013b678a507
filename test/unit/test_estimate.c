/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Estimates of prompt tokens: the published examples to the token, then each form a body may take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/encode.h"
#include "base/mem.h"
#include "openai/estimate.h"
#include "openai/estimate/cursor.h"
#include "openai/estimate/image_size.h"
#include "openai/estimate/image_tok.h"
#include "openai/tokenizer.h"

static uint64_t chat(const char *model, const char *body)
{
    return estimate_prompt_tok(USAGE_SHAPE_CHAT, str_c(model), str_c(body));
}

static uint64_t responses(const char *body)
{
    return estimate_prompt_tok(USAGE_SHAPE_RESPONSES, STR("gpt-4o"), str_c(body));
}

static uint64_t words(const char *text)
{
    return tokenizer_count(TOKENIZER_O200K, str_c(text));
}

/* The example messages of the cookbook's page, and the figures the API gave for them. */
#define COOKBOOK_MESSAGES                                                                                            \
    "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"You are a helpful, pattern-following "        \
    "assistant that translates corporate jargon into plain English.\"},{\"role\":\"system\",\"name\":"               \
    "\"example_user\",\"content\":\"New synergies will help drive top-line growth.\"},{\"role\":\"system\","         \
    "\"name\":\"example_assistant\",\"content\":\"Things working well together will increase revenue.\"},"           \
    "{\"role\":\"system\",\"name\":\"example_user\",\"content\":\"Let's circle back when we have more bandwidth to " \
    "touch base on opportunities for increased leverage.\"},{\"role\":\"system\",\"name\":\"example_assistant\","    \
    "\"content\":\"Let's talk later when we're less busy about how to do better.\"},{\"role\":\"user\","             \
    "\"content\":\"This late pivot means we don't have time to boil the ocean for the client deliverable.\"}]}"

static void the_published_messages_are_exact(void **state)
{
    (void)state;
    assert_int_equal(chat("gpt-4", COOKBOOK_MESSAGES), 129);
    assert_int_equal(chat("gpt-4-0613", COOKBOOK_MESSAGES), 129);
    assert_int_equal(chat("gpt-3.5-turbo", COOKBOOK_MESSAGES), 129);
    assert_int_equal(chat("gpt-3.5-turbo-0301", COOKBOOK_MESSAGES), 127);
    assert_int_equal(chat("gpt-4o", COOKBOOK_MESSAGES), 124);
    assert_int_equal(chat("gpt-4o-mini", COOKBOOK_MESSAGES), 124);
}

#define WEATHER_FUNCTION                                                                                     \
    "\"name\":\"get_current_weather\",\"description\":\"Get the current weather in a given location\","      \
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"location\":{\"type\":\"string\",\"description\":" \
    "\"The city and state, e.g. San Francisco, CA\"},\"unit\":{\"type\":\"string\",\"description\":"         \
    "\"The unit of temperature to return\",\"enum\":[\"celsius\",\"fahrenheit\"]}},\"required\":[\"location\"]}"
#define WEATHER_MESSAGES                                                                                         \
    "\"messages\":[{\"role\":\"system\",\"content\":\"You are a helpful assistant that can answer to questions " \
    "about the weather.\"},{\"role\":\"user\",\"content\":\"What's the weather like in San Francisco?\"}]"

static void the_published_tools_are_exact(void **state)
{
    (void)state;
    const char *wrapped =
        "{\"tools\":[{\"type\":\"function\",\"function\":{" WEATHER_FUNCTION "}}]," WEATHER_MESSAGES "}";
    assert_int_equal(chat("gpt-3.5-turbo", wrapped), 105);
    assert_int_equal(chat("gpt-4", wrapped), 105);
    assert_int_equal(chat("gpt-4o", wrapped), 101);
    assert_int_equal(chat("gpt-4o-mini", wrapped), 101);
    /* The old form, and the responses API's flat one, are the same function. */
    assert_int_equal(chat("gpt-4o", "{\"functions\":[{" WEATHER_FUNCTION "}]," WEATHER_MESSAGES "}"), 101);
    uint64_t plain = responses("{\"input\":\"x\"}");
    uint64_t flat = responses("{\"input\":\"x\",\"tools\":[{\"type\":\"function\"," WEATHER_FUNCTION "}]}");
    assert_int_equal(flat - plain, 101 - chat("gpt-4o", "{" WEATHER_MESSAGES "}"));
}

static void a_message_costs_its_strings_and_three(void **state)
{
    (void)state;
    assert_int_equal(chat("gpt-4o", "{}"), 3);
    assert_int_equal(chat("gpt-4o", "{\"messages\":[]}"), 3);
    assert_int_equal(chat("gpt-4o", "{\"messages\":[{}]}"), 6);
    uint64_t hello = chat("gpt-4o", "{\"messages\":[{\"role\":\"user\",\"content\":\"Hello there\"}]}");
    assert_int_equal(hello, 3 + 3 + 1 + words("Hello there"));
    const char *same[] = {
        " {\n \"messages\" : [ {\"content\":\"Hello there\", \"role\" : \"user\"} ] } ",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"\\u0048ello\\u0020there\"}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hello there\"}]}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"Hello there\",\"tool_call_id\":\"call_1\",\"audio\":null}]}",
        "{\"temperature\":1e-3,\"stop\":[\"x\",{\"y\":[]}],\"messages\":[{\"role\":\"user\",\"cont\\u0065nt\":\"Hello there\"}]}",
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        assert_int_equal(chat("gpt-4o", same[i]), hello);
}

static void calls_of_tools_are_counted(void **state)
{
    (void)state;
    uint64_t call = words("get") + words("{\"a\":\"b\"}");
    assert_int_equal(chat("gpt-4o",
                          "{\"messages\":[{\"role\":\"user\",\"content\":null,\"tool_calls\":[{\"id\":\"call_12\","
                          "\"type\":\"function\",\"function\":{\"name\":\"get\",\"arguments\":"
                          "\"{\\\"a\\\":\\\"b\\\"}\"}}]}]}"),
                     3 + 3 + 1 + call);
    assert_int_equal(
        responses("{\"input\":[{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"get\",\"arguments\":"
                  "\"{\\\"a\\\":\\\"b\\\"}\"},{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":"
                  "\"It rains\"}]}"),
        3 + 3 + 1 + call + 3 + words("It rains"));
}

static void hosted_tools_are_not_guessed(void **state)
{
    (void)state;
    assert_int_equal(
        responses("{\"input\":\"x\",\"tools\":[{\"type\":\"web_search\"},{\"type\":\"mcp\",\"server_label\":"
                  "\"a\",\"description\":\"b\"}]}"),
        responses("{\"input\":\"x\"}"));
}

static void nested_parameters_count_like_flat_ones(void **state)
{
    (void)state;
    const char *outer =
        "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"properties\":"
        "{\"a\":{\"type\":\"object\"}}}}}]}";
    const char *inner =
        "{\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"properties\":"
        "{\"a\":{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"array\",\"items\":{\"properties\":"
        "{\"c\":{\"type\":\"string\",\"description\":\"D.\"}}}}}}}}}}]}";
    assert_int_equal(chat("gpt-4o", outer), 3 + 7 + words("f:") + 3 + 3 + words("a:object:") + 12);
    assert_int_equal(chat("gpt-4o", inner) - chat("gpt-4o", outer),
                     3 + 3 + words("b:array:") + 3 + 3 + words("c:string:D"));
}

static void responses_take_text_and_items(void **state)
{
    (void)state;
    uint64_t bare = responses("{\"input\":\"Hello there\"}");
    assert_int_equal(bare, 3 + 3 + 1 + words("Hello there"));
    assert_int_equal(responses("{\"input\":[{\"role\":\"user\",\"content\":\"Hello there\"}]}"), bare);
    assert_int_equal(
        responses("{\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\","
                  "\"text\":\"Hello there\"}]}]}"),
        bare);
    assert_int_equal(responses("{\"instructions\":\"Be brief\",\"input\":\"Hello there\"}"),
                     bare + 3 + 1 + words("Be brief"));
    assert_int_equal(responses("{\"input\":\"Hello there\",\"text\":{\"format\":{\"type\":\"json_schema\",\"schema\":"
                               "{\"type\":\"object\"}}}}"),
                     bare + words("{\"type\":\"object\"}"));
    assert_int_equal(estimate_prompt_tok(USAGE_SHAPE_INPUT_TOKENS, STR("gpt-4o"), STR("{\"input\":\"Hello there\"}")),
                     bare);
}

static void prompts_are_texts_or_tokens(void **state)
{
    (void)state;
    struct str model = STR("text-embedding-3-small");
    uint64_t one = tokenizer_count(TOKENIZER_CL100K, STR("one two")),
             three = tokenizer_count(TOKENIZER_CL100K, STR("three"));
    assert_int_equal(estimate_prompt_tok(USAGE_SHAPE_EMBEDDINGS, model, STR("{\"input\":\"one two\"}")), one);
    assert_int_equal(estimate_prompt_tok(USAGE_SHAPE_EMBEDDINGS, model, STR("{\"input\":[\"one two\",\"three\"]}")),
                     one + three);
    assert_int_equal(estimate_prompt_tok(USAGE_SHAPE_EMBEDDINGS, model, STR("{\"input\":[1, 22 ,333]}")), 3);
    assert_int_equal(estimate_prompt_tok(USAGE_SHAPE_EMBEDDINGS, model, STR("{\"input\":[[1,2],[3]]}")), 3);
    assert_int_equal(estimate_prompt_tok(USAGE_SHAPE_EMBEDDINGS, model, STR("{}")), 0);
    assert_int_equal(estimate_prompt_tok(USAGE_SHAPE_COMPLETIONS, STR("davinci-002"),
                                         STR("{\"prompt\":\"one two\",\"suffix\":\"three\",\"n\":3}")),
                     one + three);
    assert_int_equal(estimate_prompt_tok(USAGE_SHAPE_IMAGES, STR("gpt-image-1"), STR("{\"prompt\":\"a cat\"}")),
                     words("a cat"));
    assert_int_equal(estimate_prompt_tok(USAGE_SHAPE_SPEECH, STR("tts-1"), STR("{\"input\":\"a cat\"}")), 0);
}

static void image_tokens_follow_the_published_examples(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        uint32_t width, height;
        bool low;
        uint64_t tok;
    } cases[] = {
        {"gpt-4o", 1024, 1024, false, 765},
        {"gpt-4o", 2048, 4096, false, 1105},
        {"gpt-4o", 4096, 8192, true, 85},
        {"gpt-4o", 512, 512, false, 255},
        {"gpt-4o", 1, 1, false, 255},
        {"gpt-4o", 60000, 1, false, 765},
        {"gpt-4o-mini", 1024, 1024, false, 25501},
        {"gpt-4-turbo", 1024, 1024, false, 765},
        {"o1-pro", 1024, 1024, false, 675},
        {"gpt-5", 1024, 1024, false, 630},
        {"gpt-6-astra", 1024, 1024, true, 70},
        {"computer-use-preview", 1024, 1024, false, 581},
        {"gpt-4.1-mini", 1024, 1024, false, 1659},
        {"gpt-5-mini", 1024, 1024, false, 1659},
        {"gpt-4.1-mini", 1800, 2400, false, 2353}, /* 1452 patches */
        {"o4-mini", 1024, 1024, false, 1762},
        {"gpt-5-nano", 32, 33, false, 5},
        {"ft:gpt-4o-2024-08-06:a::b", 1024, 1024, false, 765},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct estimate_image size = {cases[i].width, cases[i].height};
        uint64_t tok = estimate_image_tok(str_c(cases[i].model), size, cases[i].low);
        if (tok != cases[i].tok)
            fail_msg("%s %ux%u: %lu", cases[i].model, cases[i].width, cases[i].height, (unsigned long)tok);
    }
}

static void no_image_costs_more_than_the_largest(void **state)
{
    (void)state;
    for (uint32_t w = 1; w <= 65535; w = w * 3 / 2 + 1) {
        for (uint32_t h = 1; h <= 65535; h = h * 3 / 2 + 1) {
            struct estimate_image size = {w, h};
            assert_in_range(estimate_image_tok(STR("gpt-4.1-mini"), size, false), 2, (1536 * 162 + 99) / 100);
            assert_in_range(estimate_image_tok(STR("gpt-4o"), size, false), 255, 85 + 8 * 170);
        }
    }
}

static void image_sizes_are_read_from_their_heads(void **state)
{
    (void)state;
    static const struct {
        struct str head;
        uint32_t width, height;
    } cases[] = {
        {STR("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x07\x80\0\0\x04\x38\x08\x06"), 1920, 1080},
        {STR("GIF89a\x40\x01\xf0\x00..."), 320, 240},
        {STR("\xff\xd8\xff\xe0\0\x06JFIF\xff\xdb\0\x04..\xff\xff\xc2\0\x11\x08\x02\x58\x03\x20\x03"), 800, 600},
        {STR("RIFF....WEBPVP8X\x0a\0\0\0....\x7f\x02\0\xdf\x01\0"), 640, 480},
        {STR("RIFF....WEBPVP8 ....\0\0\0\x9d\x01\x2a\x80\x02\xe0\x01"), 640, 480},
        {STR("RIFF....WEBPVP8L....\x2f\x7f\xc2\x77\0....."), 640, 480},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct estimate_image size = {0, 0};
        if (!estimate_image_size_of(cases[i].head, &size) || size.width != cases[i].width ||
            size.height != cases[i].height)
            fail_msg("case %zu: %u x %u", i, size.width, size.height);
        for (size_t n = 0; n < cases[i].head.n; n++)
            (void)estimate_image_size_of(str_head(cases[i].head, n), &size);
    }
    struct estimate_image size = {7, 7};
    assert_false(estimate_image_size_of(STR(""), &size));
    assert_false(estimate_image_size_of(STR("%PDF-1.7 something"), &size));
    assert_false(estimate_image_size_of(STR("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\0\0\0\x04\x38\x08\x06"), &size));
    assert_false(estimate_image_size_of(STR("\xff\xd8\xff\xe0\0\0\0\0\0\0\0\0\0\0"), &size));
    assert_int_equal(size.width, 7);
}

static void images_in_messages_are_measured(void **state)
{
    (void)state;
    char url[128], body[512];
    (void)encode_base64("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\0\0\0\x02\0\x08\x06\0\0\0\xff\xff\xff", 33, url);
    static const struct {
        const char *before, *after;
    } forms[] = {
        {"{\"messages\":[{\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,",
         "\"}}]}]}"},
        {"{\"messages\":[{\"content\":[{\"type\":\"image_url\",\"image_url\":\"data:image/png;base64,", "\"}]}]}"},
        {"{\"messages\":[{\"content\":[{\"detail\":\"high\",\"image_url\":\"data:image\\/png;base64,", "\"}]}]}"},
    };
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(body, sizeof body, "%s%s%s", forms[i].before, url, forms[i].after);
        assert_int_equal(chat("gpt-4o", body), 3 + 3 + 255);
    }
    assert_int_equal(chat("gpt-4o", "{\"messages\":[{\"content\":[{\"image_url\":{\"url\":\"https://a/b.png\"}}]}]}"),
                     6 + 765);
    assert_int_equal(chat("gpt-4o",
                          "{\"messages\":[{\"content\":[{\"image_url\":{\"url\":\"https://a/b.png\",\"detail\":"
                          "\"low\"}}]}]}"),
                     6 + 85);
    assert_int_equal(responses("{\"input\":[{\"content\":[{\"type\":\"input_image\",\"detail\":\"low\",\"image_url\":"
                               "\"https://a/b.png\"}]}]}"),
                     6 + 85);
}

static void long_escaped_text_counts_like_plain_text(void **state)
{
    (void)state;
    size_t lines = 4000, n = 0, plain_n = 0;
    char *body = mem_alloc(lines * 64 + 64), *plain = mem_alloc(lines * 64);
    n += (size_t)snprintf(body, 64, "{\"input\":\"");
    for (size_t i = 0; i < lines; i++) {
        n += (size_t)snprintf(body + n, 64, "Line %zu says \\\"hello\\\" to the caf\\u00e9.\\n", i * 7919);
        plain_n += (size_t)snprintf(plain + plain_n, 64, "Line %zu says \"hello\" to the caf\xc3\xa9.\n", i * 7919);
    }
    n += (size_t)snprintf(body + n, 64, "\"}");
    assert_int_equal(estimate_prompt_tok(USAGE_SHAPE_EMBEDDINGS, STR("text-embedding-3-small"), str_of(body, n)),
                     tokenizer_count(TOKENIZER_CL100K, str_of(plain, plain_n)));
    mem_free(body);
    mem_free(plain);
}

static void broken_bodies_give_some_number(void **state)
{
    (void)state;
    struct str whole =
        STR("{\"tools\":[{\"type\":\"function\",\"function\":{" WEATHER_FUNCTION "}}]," WEATHER_MESSAGES "}");
    static const enum usage_shape shapes[] = {USAGE_SHAPE_CHAT, USAGE_SHAPE_RESPONSES, USAGE_SHAPE_COMPLETIONS,
                                              USAGE_SHAPE_EMBEDDINGS};
    for (size_t n = 0; n <= whole.n; n++) {
        char *cut = mem_alloc(n + 1); /* its end is guarded under the sanitizer */
        memcpy(cut, whole.p, n);
        for (size_t s = 0; s < 4; s++)
            assert_in_range(estimate_prompt_tok(shapes[s], STR("gpt-4o"), str_of(cut, n)), 0, 200);
        mem_free(cut);
    }
    assert_int_equal(chat("gpt-4o", "not json at all."), 4);
    assert_int_equal(chat("gpt-4o", "[1,2,3,4]"), 2);
    assert_int_equal(chat("gpt-4o", ""), 0);
    static const char *const odd[] = {
        "{",   "{\"",  "{\"messages\"", "{\"messages\":", "{\"messages\":[",   "{\"messages\":[{\"role\"",
        "{,}", "{]}]", "{\"a\"\"b\"}",  "{:::}",          "{\"messages\":{}}", "{\"messages\":[[[]]]}"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        assert_in_range(chat("gpt-4o", odd[i]), 3, 9);
}

static void deep_nesting_is_no_attack(void **state)
{
    (void)state;
    size_t depth = 200000, n = 0;
    char *body = mem_alloc(depth * 12 + 64);
    n += (size_t)snprintf(body, 64, "{\"messages\":[");
    for (size_t i = 0; i < depth; i++)
        n += (size_t)snprintf(body + n, 16, "{\"content\":[");
    assert_in_range(estimate_prompt_tok(USAGE_SHAPE_CHAT, STR("gpt-4o"), str_of(body, n)), 3, 100);
    mem_free(body);
}

static void the_cursor_walks_what_json_is(void **state)
{
    (void)state;
    struct estimate_item document, item;
    assert_true(estimate_cursor_document(
        STR(" {\"a\" : [1, -2.5e3,\"x\\\"]\",null,true,false,{}] ,\"\\u0062\":{\"c\":\"\"},\"a\":7} "), &document));
    assert_int_equal(document.kind, JSON_OBJECT);
    assert_true(estimate_cursor_member(document, STR("b"), &item));
    assert_true(str_eq(item.text, STR("{\"c\":\"\"}")));
    assert_true(estimate_cursor_member(document, STR("a"), &item)); /* the last one */
    assert_true(str_eq(item.text, STR("7")));
    assert_false(estimate_cursor_member(document, STR("c"), &item));
    assert_false(estimate_cursor_member(item, STR("c"), &item));
    struct estimate_cursor c = estimate_cursor_open(document);
    assert_true(estimate_cursor_next(&c, &item));
    static const struct {
        enum json_kind kind;
        const char *text;
    } elements[] = {{JSON_NUMBER, "1"},  {JSON_NUMBER, "-2.5e3"}, {JSON_STRING, "x\\\"]"}, {JSON_NULL, "null"},
                    {JSON_TRUE, "true"}, {JSON_FALSE, "false"},   {JSON_OBJECT, "{}"}};
    c = estimate_cursor_open(item);
    for (size_t i = 0; i < 7; i++) {
        assert_true(estimate_cursor_next(&c, &item));
        assert_int_equal(item.kind, elements[i].kind);
        assert_true(str_eq(item.text, str_c(elements[i].text)));
        assert_int_equal(item.key.n, 0);
    }
    assert_false(estimate_cursor_next(&c, &item));
    c = estimate_cursor_open(item);
    assert_false(estimate_cursor_next(&c, &item));
    assert_false(estimate_cursor_document(STR(" \n "), &item));
    assert_false(estimate_cursor_document(str_of(NULL, 0), &item));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_messages_are_exact),
        cmocka_unit_test(the_published_tools_are_exact),
        cmocka_unit_test(a_message_costs_its_strings_and_three),
        cmocka_unit_test(calls_of_tools_are_counted),
        cmocka_unit_test(hosted_tools_are_not_guessed),
        cmocka_unit_test(nested_parameters_count_like_flat_ones),
        cmocka_unit_test(responses_take_text_and_items),
        cmocka_unit_test(prompts_are_texts_or_tokens),
        cmocka_unit_test(image_tokens_follow_the_published_examples),
        cmocka_unit_test(no_image_costs_more_than_the_largest),
        cmocka_unit_test(image_sizes_are_read_from_their_heads),
        cmocka_unit_test(images_in_messages_are_measured),
        cmocka_unit_test(long_escaped_text_counts_like_plain_text),
        cmocka_unit_test(broken_bodies_give_some_number),
        cmocka_unit_test(deep_nesting_is_no_attack),
        cmocka_unit_test(the_cursor_walks_what_json_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
