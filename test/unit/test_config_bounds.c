/* SPDX-License-Identifier: Apache-2.0 */
/* Configs that are too large, too deep, or try too often; and what stands just below that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/must.h"
#include "control/config/config.h"

#define PROVIDER "\"provider\":\"openai\",\"api_key\":\"sk-1\""
#define LEAF "{" PROVIDER "}"

static struct config_errors why;

/* `n` times `item`, with commas, between `before` and `after`. */
static struct config *repeated(const char *before, const char *item, const char *after, size_t n)
{
    struct buf b;
    struct config *c = NULL;
    buf_init(&b, 1u << 20);
    must(buf_add_str(&b, str_c(before)));
    for (size_t i = 0; i < n; i++)
        must((i == 0 || buf_add_byte(&b, ',')) && buf_add_str(&b, str_c(item)));
    must(buf_add_str(&b, str_c(after)));
    enum err e = config_compile(buf_str(&b), &c, &why);
    assert_int_equal(e == ERR_OK, c != NULL);
    buf_free(&b);
    return c;
}

#define FALLBACK_OPEN "{\"strategy\":{\"mode\":\"fallback\"},\"targets\":["
#define BALANCE_OPEN "{\"strategy\":{\"mode\":\"loadbalance\"},\"targets\":["

static void too_many_attempts_are_refused(void **state)
{
    (void)state;
    struct config *c = repeated(FALLBACK_OPEN, LEAF, "]}", 100);
    assert_int_equal(c->attempts_max, 100);
    config_unref(c);
    assert_null(repeated(FALLBACK_OPEN, LEAF, "]}", 101));
    assert_int_equal(why.n, 1);
    assert_string_equal(why.text[0],
                        "path: targets, message: At worst this makes 101 attempts, and 100 is the most; use "
                        "fewer targets in fallback or fewer retries");
    assert_null(repeated("{\"strategy\":{\"mode\":\"single\"},\"targets\":[" FALLBACK_OPEN,
                         "{" PROVIDER ",\"retry\":{\"attempts\":5}}", "]}]}", 17));
    assert_int_equal(why.n, 1);
    assert_string_equal(why.text[0],
                        "path: targets,0,targets, message: At worst this makes 102 attempts, and 100 is the "
                        "most; use fewer targets in fallback or fewer retries");
    c = repeated(BALANCE_OPEN, "{" PROVIDER ",\"retry\":{\"attempts\":5}}", "]}", 500);
    assert_int_equal(c->attempts_max, 6);
    config_unref(c);
}

static void size_and_depth_are_bounded(void **state)
{
    (void)state;
    struct config *c = repeated(BALANCE_OPEN, LEAF, "]}", CONFIG_NODES_MAX - 1);
    assert_int_equal(c->node_count, CONFIG_NODES_MAX);
    config_unref(c);
    assert_null(repeated(BALANCE_OPEN, LEAF, "]}", CONFIG_NODES_MAX));
    assert_string_equal(why.text[0], "path: targets, message: More than 1000 targets in one config");
    for (int levels = CONFIG_DEPTH_MAX - 1; levels <= CONFIG_DEPTH_MAX; levels++) {
        struct buf b;
        buf_init(&b, 1u << 16);
        for (int i = 0; i < levels; i++)
            must(buf_add_str(&b, STR(FALLBACK_OPEN)));
        must(buf_add_str(&b, STR(LEAF)));
        for (int i = 0; i < levels; i++)
            must(buf_add_str(&b, STR("]}")));
        enum err e = config_compile(buf_str(&b), &c, &why);
        assert_int_equal(e, levels < CONFIG_DEPTH_MAX ? ERR_OK : ERR_BAD_PARAMETER);
        if (!e)
            config_unref(c);
        buf_free(&b);
    }
    assert_non_null(strstr(why.text[0], "Nested deeper than 16"));
    char *big = mem_alloc(CONFIG_TEXT_MAX + 2);
    memset(big, ' ', CONFIG_TEXT_MAX + 2);
    memcpy(big, LEAF, sizeof LEAF - 1);
    assert_int_equal(config_compile(str_of(big, CONFIG_TEXT_MAX), &c, &why), ERR_OK);
    config_unref(c);
    assert_int_equal(config_compile(str_of(big, CONFIG_TEXT_MAX + 1), &c, &why), ERR_BAD_PARAMETER);
    assert_string_equal(why.text[0], "path: , message: A config has at most 262144 bytes");
    mem_free(big);
}

static void lists_are_bounded(void **state)
{
    (void)state;
    assert_null(repeated("{\"override_params\":{", "\"a\":1", "}}", 257));
    assert_string_equal(why.text[0], "path: override_params, message: More than 256 members, inherited ones included");
    assert_null(repeated("{\"drop_params\":[", "\"a\"", "]}", 257));
    assert_null(repeated("{\"input_guardrails\":[", "{}", "]}", 257));
    assert_null(repeated("{\"before_request_hooks\":[{\"checks\":[", "{\"id\":\"a\"}", "]}]}", 257));
    assert_string_equal(why.text[0], "path: before_request_hooks,0,checks, message: More than 256 elements");
    assert_null(repeated("{\"strategy\":{\"mode\":\"loadbalance\",\"sticky\":{\"hash_fields\":[", "\"metadata.a\"",
                         "]}},\"targets\":[" LEAF "]}", 9));
    assert_string_equal(why.text[0], "path: strategy,sticky,hash_fields, message: More than 8 elements");
    assert_null(repeated("{\"retry\":{\"attempts\":1,\"on_status_codes\":[", "500", "]}}", 257));
    assert_null(repeated("{\"strategy\":{\"mode\":\"conditional\",\"conditions\":[", "{\"query\":{},\"then\":\"a\"}",
                         "]},\"targets\":[" LEAF "]}", 257));
    struct config *c = repeated("{\"retry\":{\"attempts\":1,\"on_status_codes\":[", "500", "]}}", 256);
    assert_int_equal(c->root->settings.retry.codes.n, 1);
    config_unref(c);
}

/* Every target inherits long lists and adds to them, so that each has copies of its own. */
static void memory_is_bounded(void **state)
{
    (void)state;
    struct config *c = NULL;
    for (int targets = 150; targets <= 400; targets += 250) {
        struct buf b;
        buf_init(&b, CONFIG_TEXT_MAX);
        must(buf_add_str(&b, STR("{\"override_params\":{\"api\":1")));
        for (int i = 0; i < 250; i++)
            must(buf_printf(&b, ",\"m%d\":%d", i, i));
        must(buf_add_str(&b, STR("},\"default_params\":{\"api\":1")));
        for (int i = 0; i < 250; i++)
            must(buf_printf(&b, ",\"m%d\":%d", i, i));
        must(buf_add_str(&b, STR("},\"strategy\":{\"mode\":\"loadbalance\"},\"targets\":[")));
        for (int i = 0; i < targets; i++)
            must(buf_printf(
                &b, "%s{\"api_key\":\"\\u0041-secret\",\"override_params\":{\"z\":1},\"default_params\":{\"z\":1}}",
                i ? "," : ""));
        must(buf_add_str(&b, STR("]}")));
        enum err e = config_compile(buf_str(&b), &c, &why);
        assert_int_equal(e, targets < 400 ? ERR_OK : ERR_BAD_PARAMETER);
        if (!e)
            config_unref(c);
        buf_free(&b);
    }
    assert_int_equal(why.n, 1);
    assert_non_null(strstr(why.text[0], "message: The config is too large"));
}

static void queries_are_bounded_and_their_needs_known(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        bool needs_params;
    } rows[] = {
        {"{\"metadata.a\":1}", false},    {"{\"url.pathname\":{\"$eq\":\"params.x\"}}", false},
        {"{\"params.a\":1}", true},       {"{\"$and\":[{\"metadata.a\":1},{\"$or\":[{\"params.a\":1}]}]}", true},
        {"{\"\\u0070arams.a\":1}", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[400];
        snprintf(
            text, sizeof text,
            "{\"strategy\":{\"mode\":\"conditional\",\"conditions\":[{\"query\":%s,\"then\":\"a\"}]},\"targets\":[" LEAF
            "]}",
            rows[i].query);
        struct config *c = NULL;
        assert_int_equal(config_compile(str_c(text), &c, &why), ERR_OK);
        assert_int_equal(c->needs, rows[i].needs_params ? CONFIG_NEEDS_PARAMS : 0);
        config_unref(c);
    }
    for (int depth = 31; depth <= 32; depth++) {
        struct buf b;
        struct config *c = NULL;
        buf_init(&b, 4096);
        must(
            buf_add_str(&b, STR("{\"strategy\":{\"mode\":\"conditional\",\"conditions\":[{\"then\":\"a\",\"query\":")));
        for (int i = 0; i < depth; i++)
            must(buf_add_str(&b, STR("{\"$and\":[")));
        must(buf_add_str(&b, STR("{}")));
        for (int i = 0; i < depth; i++)
            must(buf_add_str(&b, STR("]}")));
        must(buf_add_str(&b, STR("}]},\"targets\":[" LEAF "]}")));
        assert_int_equal(config_compile(buf_str(&b), &c, &why), depth == 31 ? ERR_OK : ERR_BAD_PARAMETER);
        config_unref(c);
        buf_free(&b);
    }
    assert_string_equal(why.text[0], "path: strategy,conditions,0,query, message: Nested deeper than 32");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_many_attempts_are_refused),
        cmocka_unit_test(size_and_depth_are_bounded),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(queries_are_bounded_and_their_needs_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
