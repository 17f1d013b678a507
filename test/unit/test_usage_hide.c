/* SPDX-License-Identifier: Apache-2.0 */
/* What the gateway's own include_usage caused must not be seen; everything else must. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/must.h"
#include "openai/usage_hide.h"

#define DROPPED ((const char *)NULL)

static void check(const char *event, const char *seen)
{
    size_t at = 0, n = 0;
    struct buf b;
    buf_init(&b, 4096);
    enum usage_hide hide = usage_hide_event(str_c(event), &at, &n);
    if (hide != USAGE_HIDE_DROP) {
        must(buf_add_str(&b, str_head(str_c(event), hide == USAGE_HIDE_CUT ? at : SIZE_MAX)));
        if (hide == USAGE_HIDE_CUT)
            must(buf_add_str(&b, str_from(str_c(event), at + n)));
    }
    bool same = hide == USAGE_HIDE_DROP ? !seen : seen && str_eq(buf_str(&b), str_c(seen));
    if (!same) {
        print_error("event    %sgot      %d %.*s\nexpected %s\n", event, hide, STR_ARG(buf_str(&b)),
                    seen ? seen : "dropped");
        fail();
    }
    buf_free(&b);
}

static void passed(const char *event)
{
    check(event, event);
}

static void usage_null_and_one_comma_go(void **state)
{
    (void)state;
    check("data: {\"id\":\"x\",\"choices\":[{\"delta\":{}}],\"usage\":null,\"obfuscation\":\"y\"}\n\n",
          "data: {\"id\":\"x\",\"choices\":[{\"delta\":{}}],\"obfuscation\":\"y\"}\n\n");
    check("data: {\"id\":\"x\",\"choices\":[{}],\"usage\":null}\n\n", "data: {\"id\":\"x\",\"choices\":[{}]}\n\n");
    check("data: {\"usage\":null,\"choices\":[{}]}\r\n\r\n", "data: {\"choices\":[{}]}\r\n\r\n");
    check("data: {\"usage\":null}\n\n", "data: {}\n\n");
    check("data:{ \"a\" : 1 , \"usage\" : null , \"b\" : 2 }\r\r", "data:{ \"a\" : 1 , \"b\" : 2 }\r\r");
    check("data: { \"a\" : 1 , \"usage\" : null }\n\n", "data: { \"a\" : 1  }\n\n");
    check(": note\ndata: {\"a\":1,\"usage\":null}\nid: 1\n\n", ": note\ndata: {\"a\":1}\nid: 1\n\n");
    check("data: {\"choices\":[],\"usage\":null,\"prompt_filter_results\":[]}\n\n",
          "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n");
}

static void the_extra_chunk_goes(void **state)
{
    (void)state;
    check("data: {\"id\":\"x\",\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n", DROPPED);
    check("data: {\"usage\":{\"prompt_tokens\":1},\"choices\":[ ]}\r\n\r\n", DROPPED);
    check("\ndata: {\"choices\":[],\"usage\":{}}\n\n", DROPPED);
}

static void all_else_is_passed(void **state)
{
    (void)state;
    passed("data: {\"id\":\"x\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n");
    passed("data: [DONE]\n\n");
    passed(": ping\n\n");
    passed("\n");
    passed("");
    /* Usage with choices is not the extra chunk: such hosts send it unasked. */
    passed("data: {\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1}}\n\n");
    /* The word in a text. */
    passed("data: {\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\":null,\"}}]}\n\n");
    passed("data: {\"choices\":[{\"delta\":{\"content\":\"usage\"}}]}\n\n");
    /* The name at another place. */
    passed("data: {\"choices\":[{\"delta\":{},\"usage\":null}]}\n\n");
    passed("data: {\"choices\":[{\"delta\":{\"usage\":{}}}]}\n\n");
    passed("data: {\"x\":{\"choices\":[],\"usage\":{}}}\n\n");
    passed("data: {\"usage\":{\"prompt_tokens\":1}}\n\n");
    passed("data: {\"choices\":[],\"usage\":5}\n\n");
    passed("data: {\"choices\":{},\"usage\":{}}\n\n");
    /* What is not understood is not touched. */
    passed("data: {\"choices\":[],\"usage\":null\n\n");
    passed("data: {\"choices\":[],\"usage\":nul}\n\n");
    passed("data: {\"usage\":null,\"usage\":null}\n\n");
    passed("data: {\"choices\":[],\"usage\":{},\"choices\":[{}]}\n\n");
    passed("data: {\"choices\":[],\ndata: \"usage\":null}\n\n");
    passed("event: \"usage\"\n\n");
    passed("data: \"usage\"\n\n");
    passed("data: [\"usage\"]\n\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usage_null_and_one_comma_go),
        cmocka_unit_test(the_extra_chunk_goes),
        cmocka_unit_test(all_else_is_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
