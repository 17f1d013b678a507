/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue: what is refused and where, layers, periods, names, listings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "openai/cost.h"
#include "openai/endpoint.h"
#include "openai/price_list.h"

#define HEADER "kind,model,operation,meter,tier,context,quality,size,from,to,value,per,basis,note\n"
#define PRICES "# tollgate prices 2026-11-22.01\n" HEADER
#define MODELS                          \
    "# tollgate models 2026-11-22.01\n" \
    "model,operations,input,output,context_window,max_output,released,shutdown_on,note\n"
/* Lines 3 to 7 of most catalogues here. */
#define BASE                                                \
    PRICES "group,,chat,,,,,,,,text,,,\n"                   \
           "price,m,text,input,,,,,,,2,1000000 tokens,,\n"  \
           "price,m,text,output,,,,,,,8,1000000 tokens,,\n" \
           "times,m,text,*,batch,,,,,,0.5,,,\n"             \
           "alias,m-2026-01-01,,,,,,,,,m,,,\n"

static struct price_catalog *build(const char *prices, const char *overrides)
{
    struct price_source source = {.prices = str_c(prices), .models = STR(MODELS), .overrides = str_c(overrides)};
    struct price_catalog *c = NULL;
    struct price_fault fault = {0};
    if (price_catalog_new(&source, &c, &fault) != ERR_OK)
        print_error("%s:%u: %s\n", fault.file, fault.line, fault.reason);
    return c;
}

static struct price_catalog *build_builtin(const char *overrides)
{
    struct price_source source = price_source_builtin();
    struct price_catalog *c = NULL;
    struct price_fault fault = {0};
    source.overrides = str_c(overrides);
    if (price_catalog_new(&source, &c, &fault) != ERR_OK)
        print_error("%s:%u: %s\n", fault.file, fault.line, fault.reason);
    return c;
}

/* Pico-dollars of a million units of one meter; -1 when unpriced. */
static int64_t million(const struct price_catalog *c, const char *model, enum meter meter, const char *tier,
                       const char *when)
{
    struct usage u = {.source = USAGE_REPORTED};
    struct price_query q = {.model = str_c(model), .operation = STR("chat.completions"), .service_tier = str_c(tier)};
    struct cost cost;
    assert_true(clock_parse(str_c(when), &q.when_us));
    u.quantity[meter] = 1000000;
    cost_of(c, &q, &u, &cost);
    return cost.state == COST_UNPRICED ? -1 : cost.total_pusd;
}

#define USD INT64_C(1000000000000)
#define NOW "2026-11-22T00:00:00Z"

struct bad {
    const char *text;
    unsigned line;
    const char *reason; /* part of it */
};

static void refuses(const char *file, const char *before, const struct bad *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[20000];
        struct price_source source = {.prices = STR(BASE), .models = STR(MODELS)};
        struct price_catalog *c = (struct price_catalog *)(uintptr_t)8; /* must stay as it is */
        struct price_fault fault = {0};
        assert_true((size_t)snprintf(text, sizeof text, "%s%s", before, cases[i].text) < sizeof text);
        struct str *field = strcmp(file, "prices") == 0   ? &source.prices
                            : strcmp(file, "models") == 0 ? &source.models
                                                          : &source.overrides;
        *field = str_c(text);
        enum err e = price_catalog_new(&source, &c, &fault);
        if (e != ERR_BAD_PRICES || fault.line != cases[i].line || !strstr(fault.reason, cases[i].reason) ||
            strcmp(fault.file, file) != 0)
            print_error("case %zu of %s: %s:%u: '%s', not line %u '%s'\n", i, file, fault.file ? fault.file : "-",
                        fault.line, fault.reason, cases[i].line, cases[i].reason);
        assert_int_equal(e, ERR_BAD_PRICES);
        assert_ptr_equal(c, (void *)(uintptr_t)8);
        assert_string_equal(fault.file, file);
        assert_int_equal(fault.line, cases[i].line);
        assert_non_null(strstr(fault.reason, cases[i].reason));
    }
}

#define REFUSES(file, before, cases) refuses(file, before, cases, sizeof(cases) / sizeof *(cases))

static void a_file_without_its_first_lines_is_refused(void **state)
{
    (void)state;
    static const struct bad prices[] = {
        {"", 1, "first line"},
        {HEADER, 1, "first line"},
        {"# tollgate models 2026-11-22.01\n" HEADER, 1, "first line"},
        {"# tollgate prices 2026-11-22\n" HEADER, 1, "version"},
        {"# tollgate prices 2026-13-22.01\n" HEADER, 1, "version"},
        {"# tollgate prices 2026-11-22.001\n" HEADER, 1, "version"},
        {"# tollgate prices 2026-11-22.x\n" HEADER, 1, "version"},
        {"# tollgate prices 1999-11-22.01\n" HEADER, 1, "version"},
        {"# tollgate prices 2026-11-22.01\n", 1, "column names are missing"},
        {"# tollgate prices 2026-11-22.01\nkind,model\n", 2, "column names are not"},
        {"\xef\xbb\xbf# tollgate prices 2026-11-22.01\n" HEADER, 1, "first line"},
        {"<html><title>404</title></html>\n", 1, "first line"},
    };
    REFUSES("prices", "", prices);
    static const struct bad overrides[] = {
        {"# tollgate prices x\n" HEADER, 1, "version"},
        {"kind,model\n", 1, "column names are not"},
        {"\n\n#\n", 3, "column names are missing"},
    };
    REFUSES("overrides", "", overrides);
}

static void a_line_that_is_no_row_is_refused(void **state)
{
    (void)state;
    static const struct bad cases[] = {
        {"price,x\n", 8, "2 fields, not 14"},
        {"price,x,text,input,,,,,,,2,1000000 tokens,,,\n", 8, "15 fields"},
        {",,,,,,,,,,,,,,,,,,,,,,,\n", 8, "more than 16 fields"},
        {"# fine\n\nprize,x,text,input,,,,,,,2,1000000 tokens,,\n", 10, "'prize' is no kind"},
        {",x,text,input,,,,,,,2,1000000 tokens,,\n", 8, "no kind"},
        {"price,x,text,input,,,,,,,2,1000000 tokens,,\"open\n", 8, "not closed"},
        {"price,x,text,input,,,,,,,2,1000000 tokens,,\"a\"b\n", 8, "followed by something else"},
        {"price,x,text,input,,,,,,,2,1000000 tokens,,a\"b\n", 8, "quote inside"},
        {"price,x,text,in\tput,,,,,,,2,1000000 tokens,,\n", 8, "control character"},
        {"price,x,text,input,,,,,,,2,1000000 tokens,,\x7f\n", 8, "control character"},
        {"\r\r\n", 8, "control character"},
    };
    REFUSES("prices", BASE, cases);
    REFUSES("overrides", BASE, cases);
}

static void a_row_that_cannot_be_meant_is_refused(void **state)
{
    (void)state;
    static const struct bad cases[] = {
        {"price,,text,input,,,,,,,2,1000000 tokens,,\n", 8, "price rows need a model"},
        {"price,x,text,,,,,,,,2,1000000 tokens,,\n", 8, "price rows need a meter"},
        {"price,x,text,input,,,,,,,,1000000 tokens,,\n", 8, "price rows need a value"},
        {"price,x,text,input,,,,,,,2,,,\n", 8, "price rows need a per"},
        {"price,x,text,inptu,,,,,,,2,1000000 tokens,,\n", 8, "'inptu' is no meter"},
        {"price,x,text,*,,,,,,,2,1000000 tokens,,\n", 8, "'*' is no meter"},
        {"price,x,txt,input,,,,,,,2,1000000 tokens,,\n", 8, "'txt' is no group"},
        {"price,x,free,input,,,,,,,2,1000000 tokens,,\n", 8, "'free' is no group"},
        {"price,x,text,input,fast,,,,,,2,1000000 tokens,,\n", 8, "'fast' is no service tier"},
        {"price,x,text,input,unknown,,,,,,2,1000000 tokens,,\n", 8, "'unknown' is no service tier"},
        {"price,x,text,input,,medium,,,,,2,1000000 tokens,,\n", 8, "'medium'"},
        {"price,x,text,input,,,,,,,two,1000000 tokens,,\n", 8, "'two' is no amount"},
        {"price,x,text,input,,,,,,,-2,1000000 tokens,,\n", 8, "between 0 and"},
        {"price,x,text,input,,,,,,,1000001,1000000 tokens,,\n", 8, "between 0 and"},
        {"price,x,text,input,,,,,,,0.0000000000001,1000000 tokens,,\n", 8, "no amount"},
        {"price,x,text,input,,,,,,,nan,1000000 tokens,,\n", 8, "no amount"},
        {"price,x,text,input,,,,,,,1e99,1000000 tokens,,\n", 8, "no amount"},
        {"price,x,text,input,,,,,,,\"2,5\",1000000 tokens,,\n", 8, "no amount"},
        {"price,x,text,input,,,,,,,2,million,,\n", 8, "'million' is no unit"},
        {"price,x,text,input,,,,,,,2,minute,,\n", 8, "counted in tokens, not priced per minute"},
        {"price,x,text,audio_ms,,,,,,,2,1000000 tokens,,\n", 8, "counted in milliseconds"},
        {"price,x,text,storage,,,,,,,2,hour,,\n", 8, "counted in gb_days"},
        {"price,x,text,input,,,hd,,,,2,1000000 tokens,,\n", 8, "no such quality or size"},
        {"price,x,text,audio_ms,,,,1x1,,,2,minute,,\n", 8, "no such quality or size"},
        {"price,x,images,images,,long,,,,,2,1 image,,\n", 8, "no long context"},
        {"price,x,text,web_search,batch,,,,,,2,1 call,,\n", 8, "no service tiers"},
        {"price,x,images,images,,,a||b,,,,2,1 image,,\n", 8, "alternative is empty"},
        {"price,x,images,images,,,,|,,,2,1 image,,\n", 8, "alternative is empty"},
        {"price,x,text,input,,,,,2026-02-30,,2,1000000 tokens,,\n", 8, "'2026-02-30' is no date"},
        {"price,x,text,input,,,,,,tomorrow,2,1000000 tokens,,\n", 8, "'tomorrow' is no date"},
        {"price,x,text,input,,,,,2026-01-02,2026-01-02,2,1000000 tokens,,\n", 8, "ends before it begins"},
        {"price,x,text,input,,,,,,,2,1000000 tokens,guess,\n", 8, "'guess'"},
    };
    REFUSES("prices", BASE, cases);
    REFUSES("overrides", PRICES "#\n#\n#\n#\n#\n", cases);
}

static void a_rule_that_cannot_be_meant_is_refused(void **state)
{
    (void)state;
    static const struct bad cases[] = {
        {"times,x,text,*,,,,,,,2,,,\n", 8, "one of the two"},
        {"times,x,text,*,batch,long,,,,,2,,,\n", 8, "one of the two"},
        {"times,x,text,*,batch,,,,,,0,,,\n", 8, "above 0"},
        {"times,x,text,*,batch,,,,,,100.1,,,\n", 8, "at most 100"},
        {"times,x,text,*,batch,,,,,,0.12345,,,\n", 8, "4 decimals"},
        {"times,x,text,*,batch,,,,,,-0.5,,,\n", 8, "above 0"},
        {"times,x,text,*,batch,,hd,,,,0.5,,,\n", 8, "times rows have no quality"},
        {"times,x,text,web_search,batch,,,,,,0.5,,,\n", 8, "neither tiers nor context"},
        {"regional,x,,input,,,,,,,1.1,,,\n", 8, "regional rows have no meter"},
        {"threshold,x,text,,,long,,,,,0,tokens,,\n", 8, "no number of tokens"},
        {"threshold,x,text,,,short,,,,,1000,tokens,,\n", 8, "is for the context 'long'"},
        {"threshold,x,text,,,long,,,,,1000,words,,\n", 8, "counts 'tokens'"},
        {"as,x,text,image_input,,,,,,,input,,,\n", 8, "its model is '*'"},
        {"as,*,text,image_input,,,,,,,images,,,\n", 8, "no other meter of the same unit"},
        {"as,*,text,input,,,,,,,input,,,\n", 8, "no other meter"},
        {"group,x,chat,,,,,,,,text,,,\n", 8, "group rows have no model"},
        {"group,,foo,,,,,,,,bar,,,\n", 8, "'bar' is no group"},
        {"group,,foo,,,,,,,,unknown,,,\n", 8, "'unknown' is no group"},
        {"alias,x,,,,,,,,,x,,,\n", 8, "names another model"},
        {"alias,*,,,,,,,,,m,,,\n", 8, "names another model"},
        {"alias,x,,,,,,,2026-01-01,,m,,,\n", 8, "alias rows have no from"},
        {"alias,x,,,,,,,,,nobody,,,\n", 8, "'nobody' has no prices"},
        {"alias,x,,,,,,,,,y,,,\nalias,y,,,,,,,,,x,,,\n", 9, "of itself"},
    };
    REFUSES("prices", BASE, cases);
    REFUSES("overrides", PRICES "#\n#\n#\n#\n#\n", cases);
}

static void two_rows_for_one_thing_are_refused_at_the_second(void **state)
{
    (void)state;
    static const struct bad cases[] = {
        {"price,m,text,input,standard,short,,,,,3,1000000 tokens,,\n", 8, "line 4"},
        {"price,x,text,input,,,,,,2026-01-02,3,1000000 tokens,,\n"
         "price,x,text,output,,,,,,,3,1000000 tokens,,\n"
         "price,x,text,input,,,,,2026-01-01,,3,1000000 tokens,,\n",
         10, "line 8"},
        {"price,x,images,images,,,a|b,,,,3,1 image,,\nprice,x,images,images,,,b|c,,,,3,1 image,,\n", 9, "line 8"},
        {"price,x,images,images,,,a|a,,,,3,1 image,,\n", 8, "line 8"},
        {"group,,chat,,,,,,,,audio,,,\n", 8, "line 3"},
        {"alias,m-2026-01-01,,,,,,,,,m,,,\n", 8, "line 7"},
        {"times,m,text,*,batch,,,,,,0.4,,,\n", 8, "line 6"},
    };
    REFUSES("prices", BASE, cases);
}

static void models_are_checked_too(void **state)
{
    (void)state;
    static const struct bad cases[] = {
        {",,,,,,,,\n", 3, "model id"},
        {"a,,,,many,,,,\n", 3, "no number of tokens"},
        {"a,,,,,-1,,,\n", 3, "no number of tokens"},
        {"a,,,,,,soon,,\n", 3, "no date"},
        {"a,,,,,,,,\n\na,,,,,,,,\n", 5, "listed twice"},
        {"a,,,\n", 3, "4 fields, not 9"},
    };
    REFUSES("models", MODELS, cases);
}

static void a_text_without_end_is_refused(void **state)
{
    (void)state;
    size_t n = PRICE_CSV_TEXT_MAX + 1;
    char *text = malloc(n);
    struct price_catalog *c = NULL;
    struct price_fault fault = {0};
    assert_non_null(text);
    memset(text, '#', n);
    struct price_source source = {.prices = STR(BASE), .models = STR(MODELS), .overrides = str_of(text, n)};
    assert_int_equal(price_catalog_new(&source, &c, &fault), ERR_BAD_PRICES);
    assert_string_equal(fault.file, "overrides");
    assert_non_null(strstr(fault.reason, "larger than"));
    memcpy(text, BASE, sizeof BASE - 1);
    source.overrides = str_of(text, PRICE_CSV_TEXT_MAX);
    assert_int_equal(price_catalog_new(&source, &c, &fault), ERR_BAD_PRICES);
    assert_int_equal(fault.line, 8);
    assert_non_null(strstr(fault.reason, "longer than"));
    assert_null(c);
    free(text);
}

static void aliases_cannot_multiply_without_bound(void **state)
{
    (void)state;
    size_t cap = 4000000, n;
    char *text = malloc(cap);
    struct price_catalog *c = NULL;
    struct price_fault fault = {0};
    assert_non_null(text);
    n = (size_t)snprintf(text, cap, "%s", HEADER);
    for (int i = 0; i < 1000; i++)
        n += (size_t)snprintf(text + n, cap - n, "price,many,images,images,,,q%d,,,,1,1 image,,\n", i);
    for (int i = 0; i < 1000; i++)
        n += (size_t)snprintf(text + n, cap - n, "alias,a%04d,,,,,,,,,many,,,\n", i);
    struct price_source source = {.prices = STR(BASE), .models = STR(MODELS), .overrides = str_of(text, n)};
    assert_int_equal(price_catalog_new(&source, &c, &fault), ERR_BAD_PRICES);
    assert_non_null(strstr(fault.reason, "one too many"));
    n = (size_t)snprintf(text, cap, "%s", HEADER);
    for (int i = 0; i < 100001 && n + 60 < cap; i++)
        n += (size_t)snprintf(text + n, cap - n, "alias,a%d,,,,,,,,,m,,,\n", i);
    source.overrides = str_of(text, n);
    assert_int_equal(price_catalog_new(&source, &c, &fault), ERR_BAD_PRICES);
    assert_non_null(strstr(fault.reason, "more than 100000 rows"));
    assert_int_equal(fault.line, 100002);
    free(text);
}

static void a_reason_never_carries_raw_bytes(void **state)
{
    (void)state;
    struct price_source source = {.prices = STR(BASE "price,x,text,\xff\xfe%s%n,,,,,,,2,1000000 tokens,,\n"),
                                  .models = STR(MODELS)};
    struct price_catalog *c;
    struct price_fault fault = {0};
    assert_int_equal(price_catalog_new(&source, &c, &fault), ERR_BAD_PRICES);
    assert_string_equal(fault.reason, "'??%s%n' is no meter");
}

static void line_ends_quotes_and_comments_are_read(void **state)
{
    (void)state;
    struct price_catalog *c =
        build("# tollgate prices 2026-11-22.07\r\n"
              "kind,model,operation,meter,tier,context,quality,size,from,to,value,per,basis,note\r\n"
              "\r\n# nothing\r\n"
              "group,,chat,,,,,,,,text,,,\r\n"
              "price,\"m\",text,input,,,,,,,\"2\",1000000 tokens,,\"a, \"\"b\"\" c\"",
              NULL);
    struct price_line line;
    assert_non_null(c);
    assert_int_equal(million(c, "m", METER_INPUT, "", NOW), 2 * USD);
    assert_true(price_list_find_line(c, 6, &line));
    assert_true(str_eq(line.note, STR("a, \"b\" c")));
    assert_int_equal(price_catalog_version(c), 2026112207);
    price_catalog_free(c);
}

static void overrides_win_key_by_key(void **state)
{
    (void)state;
    struct price_catalog *c = build(BASE "price,m,text,input,priority,,,,,,5,1000000 tokens,,\n",
                                    HEADER "price,m,text,input,,,,,,,1,1000000 tokens,,agreed\n"
                                           "price,own,text,input,,,,,,,7,1000000 tokens,,\n"
                                           "alias,my-deployment,,,,,,,,,m-2026-01-01,,,\n");
    assert_non_null(c);
    assert_int_equal(million(c, "m", METER_INPUT, "", NOW), 1 * USD);
    assert_int_equal(million(c, "m", METER_OUTPUT, "", NOW), 8 * USD);
    /* Our factor applies to the user's price; our published price of another tier stays. */
    assert_int_equal(million(c, "m", METER_INPUT, "batch", NOW), USD / 2);
    assert_int_equal(million(c, "m", METER_INPUT, "priority", NOW), 5 * USD);
    assert_int_equal(million(c, "own", METER_INPUT, "", NOW), 7 * USD);
    assert_int_equal(million(c, "own", METER_OUTPUT, "", NOW), -1);
    /* Aliases follow: OpenAI answers the dated id. */
    assert_int_equal(million(c, "m-2026-01-01", METER_INPUT, "", NOW), 1 * USD);
    assert_int_equal(million(c, "my-deployment", METER_INPUT, "", NOW), 1 * USD);
    assert_int_equal(million(c, "my-deployment", METER_OUTPUT, "", NOW), 8 * USD);
    price_catalog_free(c);
}

static void an_override_may_hold_for_a_while(void **state)
{
    (void)state;
    struct price_catalog *c =
        build(BASE, HEADER "price,m,text,input,,,,,2026-03-01,2026-04-01T12:00:00Z,1,1000000 tokens,,\n");
    assert_non_null(c);
    assert_int_equal(million(c, "m", METER_INPUT, "", "2026-02-28T23:59:59.999999Z"), 2 * USD);
    assert_int_equal(million(c, "m", METER_INPUT, "", "2026-03-01T00:00:00Z"), 1 * USD);
    assert_int_equal(million(c, "m", METER_INPUT, "", "2026-04-01T11:59:59.999999Z"), 1 * USD);
    assert_int_equal(million(c, "m", METER_INPUT, "", "2026-04-01T12:00:00Z"), 2 * USD);
    price_catalog_free(c);
}

static void an_override_of_an_alias_keeps_the_rest(void **state)
{
    (void)state;
    struct price_catalog *c = build(BASE, HEADER "price,m-2026-01-01,text,input,,,,,,,3,1000000 tokens,,\n"
                                                 "group,,foo.bar,,,,,,,,text,,,\n"
                                                 "group,,chat,,,,,,,,free,,,\n");
    struct cost cost;
    struct usage u = {.source = USAGE_REPORTED};
    struct price_query q = {.model = STR("m-2026-01-01"), .operation = STR("foo.bar.list")};
    assert_non_null(c);
    u.quantity[METER_INPUT] = 1000000;
    u.quantity[METER_OUTPUT] = 1000000;
    cost_of(c, &q, &u, &cost);
    assert_int_equal(cost.total_pusd, 11 * USD);
    assert_int_equal(cost.price_row, PRICE_ROW_OVERRIDE | 2);
    q.operation = STR("chat.completions");
    cost_of(c, &q, &u, &cost);
    assert_int_equal(cost.state, COST_FREE);
    price_catalog_free(c);
}

static void an_override_for_all_operations_beats_ours_for_one(void **state)
{
    (void)state;
    struct price_catalog *c = build(BASE, HEADER "price,m,,input,,,,,,,1,1000000 tokens,,\n"
                                                 "price,m,text,output,,,,,,,9,1000000 tokens,,\n"
                                                 "price,m,,output,,,,,,,10,1000000 tokens,,\n");
    assert_non_null(c);
    assert_int_equal(million(c, "m", METER_INPUT, "", NOW), 1 * USD);
    assert_int_equal(million(c, "m", METER_OUTPUT, "", NOW), 9 * USD);
    price_catalog_free(c);
}

static void one_alternative_can_be_overridden(void **state)
{
    (void)state;
    struct price_catalog *c = build_builtin(HEADER "price,dall-e-3,images,images,,,standard,1024x1024,,,1,1 image,,\n");
    struct usage u = {.source = USAGE_MEASURED};
    struct price_query q = {.model = STR("dall-e-3"), .operation = STR("images.generate"), .size = STR("1024x1024")};
    struct cost cost;
    assert_non_null(c);
    assert_true(clock_parse(STR("2025-01-01"), &q.when_us));
    u.quantity[METER_IMAGES] = 1;
    q.quality = STR("standard");
    cost_of(c, &q, &u, &cost);
    assert_int_equal(cost.total_pusd, USD);
    q.quality = STR("hd");
    cost_of(c, &q, &u, &cost);
    assert_int_equal(cost.total_pusd, USD / 100 * 8);
    price_catalog_free(c);
}

static void an_override_alias_takes_the_place_of_our_prices(void **state)
{
    (void)state;
    struct price_catalog *c = build_builtin(HEADER "alias,gpt-4o,,,,,,,,,gpt-4o-mini,,,\n");
    assert_non_null(c);
    assert_int_equal(million(c, "gpt-4o", METER_OUTPUT, "", NOW), USD / 10 * 6);
    price_catalog_free(c);
}

static void the_example_of_the_manual_is_accepted(void **state)
{
    (void)state;
    static char text[40000];
    FILE *file = fopen("docs/PRICING.md", "rb");
    assert_non_null(file);
    struct str page = str_of(text, fread(text, 1, sizeof text, file));
    fclose(file);
    ptrdiff_t at = str_search(page, STR("```csv\n"));
    assert_true(at > 0);
    struct str example = str_from(page, (size_t)at + 7);
    ptrdiff_t end = str_search(example, STR("```\n"));
    assert_true(end > 0);
    struct price_source source = price_source_builtin();
    struct price_catalog *c = NULL;
    struct price_fault fault = {0};
    source.overrides = str_head(example, (size_t)end);
    if (price_catalog_new(&source, &c, &fault) != ERR_OK)
        print_error("%s:%u: %s\n", fault.file, fault.line, fault.reason);
    assert_non_null(c);
    assert_int_equal(million(c, "gpt-5.4-2026-03-05", METER_OUTPUT, "", NOW), 15 * USD);
    assert_int_equal(million(c, "gpt-5.4-2026-03-05", METER_OUTPUT, "", "2026-12-01T00:00:00Z"), USD / 10 * 126);
    /* A million input tokens are long: a published price that the example does not touch. */
    assert_int_equal(million(c, "gpt-5.4-2026-03-05", METER_INPUT, "", "2026-12-01T00:00:00Z"), 5 * USD);
    assert_int_equal(million(c, "team-blue-chat", METER_OUTPUT, "flex", "2026-12-01T00:00:00Z"), USD / 10 * 63);
    assert_int_equal(million(c, "llama-4-local", METER_OUTPUT, "", NOW), USD / 100 * 8);
    price_catalog_free(c);
}

static void versions_tell_catalogues_apart(void **state)
{
    (void)state;
    char text[PRICE_VERSION_TEXT_MAX];
    struct price_catalog *ours = build(BASE, NULL);
    struct price_catalog *one = build(BASE, "# tollgate prices 2026-12-01.03\n" HEADER);
    struct price_catalog *two = build(BASE, HEADER), *again = build(BASE, HEADER);
    assert_true(ours && one && two && again);
    assert_int_equal(price_catalog_version(ours), 2026112201);
    assert_int_equal(price_version_format(2026112201, text), 13);
    assert_string_equal(text, "2026-11-22.01");
    assert_int_equal(price_catalog_override_version(one), 2026120103);
    assert_int_equal(price_catalog_base_version(one), 2026112201);
    assert_int_equal(price_catalog_override_version(two), 0);
    assert_true(price_catalog_version(one) & 0x80000000);
    assert_int_not_equal(price_catalog_version(one), price_catalog_version(two));
    assert_int_equal(price_catalog_version(two), price_catalog_version(again));
    price_version_format(price_catalog_version(two), text);
    assert_memory_equal(text, "custom-", 7);
    price_catalog_free(ours);
    price_catalog_free(one);
    price_catalog_free(two);
    price_catalog_free(again);
    price_catalog_free(NULL);
}

static void the_texts_may_go_after_building(void **state)
{
    (void)state;
    char prices[] = BASE, models[] = MODELS "m,chat.completions,text,text,10,,2026-01-01,,\n";
    struct price_source source = {.prices = str_c(prices), .models = str_c(models)};
    struct price_catalog *c;
    struct price_fault fault;
    assert_int_equal(price_catalog_new(&source, &c, &fault), ERR_OK);
    memset(prices, 'x', sizeof prices);
    memset(models, 'x', sizeof models);
    assert_int_equal(million(c, "m", METER_INPUT, "", NOW), 2 * USD);
    assert_non_null(price_list_find_model(c, STR("m")));
    price_catalog_free(c);
}

static void a_name_is_never_taken_for_its_prefix(void **state)
{
    (void)state;
    struct price_catalog *c = build_builtin(NULL);
    static const struct {
        const char *id;
        enum price_match match;
    } names[] = {
        {"gpt-5", PRICE_MATCH_EXACT},
        {"gpt-5-2025-08-07", PRICE_MATCH_EXACT},
        {"gpt-5-2026-08-07", PRICE_MATCH_SNAPSHOT},
        {"gpt-5-latest", PRICE_MATCH_SNAPSHOT},
        {"gpt-35-turbo", PRICE_MATCH_SPELLING},
        {"ft:gpt-4o:acme::1", PRICE_MATCH_FINE_TUNED},
        {"gpt-5-micro", PRICE_MATCH_NONE},
        {"gpt-5-0807", PRICE_MATCH_NONE},
        {"gpt-image-2-1024", PRICE_MATCH_NONE},
        {"gpt-5-2025-00-07", PRICE_MATCH_NONE},
        {"gpt-5-1999-01-01", PRICE_MATCH_NONE},
        {"*", PRICE_MATCH_NONE},
        {"", PRICE_MATCH_NONE},
    };
    assert_non_null(c);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        enum price_match match;
        const struct price_entry *e = price_find(c, str_c(names[i].id), &match);
        if (match != names[i].match)
            print_error("%s: %s\n", names[i].id, price_match_text(match));
        assert_int_equal(match, names[i].match);
        assert_int_equal(e != NULL, match != PRICE_MATCH_NONE);
    }
    price_catalog_free(c);
}

static void long_names_are_unpriced_not_trouble(void **state)
{
    (void)state;
    struct price_catalog *c = build_builtin(NULL);
    enum price_match match;
    char name[2000];
    assert_non_null(c);
    for (size_t n = 0; n < sizeof name; n++) {
        static const char *const heads[] = {"ft:gpt-35-turbo", "gpt-35-turbo", "ft:", "gpt-5-"};
        for (size_t i = 0; i < 4; i++) {
            size_t head = strlen(heads[i]);
            memset(name, i & 1 ? '-' : '0', sizeof name);
            memcpy(name, heads[i], head);
            if (n > head + 1)
                name[n - 1] = ':';
            if (n > head)
                assert_true(price_find(c, str_of(name, n), &match) == NULL || i == 0 || i == 2 || match != 0);
        }
    }
    price_catalog_free(c);
}

static void storage_has_a_price_of_its_own(void **state)
{
    (void)state;
    struct price_catalog *c = build_builtin(NULL);
    struct price_ask ask = {.group = PRICE_GROUP_UNMETERED};
    struct price_unit unit;
    assert_non_null(c);
    assert_int_equal(price_unit(c, NULL, PRICE_METER_STORAGE, &ask, &unit), PRICE_FOUND);
    assert_int_equal(unit.unit_pusd, USD / 10);
    assert_int_equal(unit.per, 1);
    price_catalog_free(c);
}

static void every_operation_of_the_endpoint_table_has_a_group(void **state)
{
    (void)state;
    struct price_catalog *c = build_builtin(NULL);
    size_t n;
    const struct endpoint *rows = endpoint_rows(&n);
    assert_non_null(c);
    for (size_t i = 0; i < n; i++) {
        enum price_group g = price_group_of(c, rows[i].operation);
        bool billed = (rows[i].flags & ENDPOINT_BILLED) != 0;
        if (g == PRICE_GROUP_UNKNOWN || (billed && g == PRICE_GROUP_FREE))
            print_error("%.*s: %s\n", STR_ARG(rows[i].operation), price_group_text(g));
        assert_int_not_equal(g, PRICE_GROUP_UNKNOWN);
        assert_false(billed && g == PRICE_GROUP_FREE);
    }
    price_catalog_free(c);
}

static void models_and_prices_know_each_other(void **state)
{
    (void)state;
    struct price_catalog *c = build_builtin(NULL);
    size_t unpriced = 0;
    assert_non_null(c);
    assert_true(price_list_models(c) > 200);
    for (size_t i = 0; i < price_list_models(c); i++) {
        const struct price_model *m = price_list_model(c, i);
        bool is_free = str_search(m->operations, STR("moderations")) >= 0;
        unpriced += !m->priced && !is_free;
        /* Without a price a model says why. */
        assert_true(m->priced || is_free || m->note.n > 0);
    }
    assert_int_equal(unpriced, 7);
    for (size_t i = 0; i < price_list_lines(c); i++) {
        struct price_line line;
        price_list_line(c, i, &line);
        if (!line.model.n || str_eq(line.model, STR("*")))
            continue;
        const struct price_model *m = price_list_find_model(c, line.model);
        if (!m)
            print_error("%.*s has prices and is not in models.csv\n", STR_ARG(line.model));
        assert_non_null(m);
        assert_true(m->priced);
    }
    const struct price_model *m = price_list_find_model(c, STR("gpt-4.1-nano"));
    char text[CLOCK_TEXT_MAX];
    assert_non_null(m);
    assert_int_equal(m->context_window, 1047576);
    assert_int_equal(m->max_output, 32768);
    clock_format(m->shutdown_us, 0, text);
    assert_memory_equal(text, "2026-10-23", 10);
    assert_true(str_eq(m->input, STR("text|image")));
    price_catalog_free(c);
}

static void a_line_can_be_shown_in_words(void **state)
{
    (void)state;
    struct price_catalog *c = build(
        BASE, HEADER "price,m,images,images,batch,,a|b,1x1,2026-01-01,2026-02-01T06:00:00Z,2.50,1 image,estimate,n\n");
    char text[PRICE_LIST_TEXT_MAX];
    struct price_line line;
    assert_non_null(c);
    assert_int_equal(price_list_lines(c), 6);
    assert_true(price_list_format(c, 4, text) > 0);
    assert_string_equal(text, "prices line 4: m text input standard = 2 USD per 1000000 tokens");
    price_list_format(c, 3, text);
    assert_string_equal(text, "prices line 3: group chat = text");
    price_list_format(c, 6, text);
    assert_string_equal(text, "prices line 6: times m text batch = 0.5");
    price_list_format(c, PRICE_ROW_OVERRIDE | 2, text);
    assert_string_equal(text, "overrides line 2: m images images batch a|b 1x1 from 2026-01-01 until "
                              "2026-02-01T06:00:00Z = 2.50 USD per 1 image (estimate)");
    assert_int_equal(price_list_format(c, 99, text), 0);
    assert_string_equal(text, "");
    assert_false(price_list_find_line(c, 0, &line));
    price_list_line(c, 5, &line);
    assert_int_equal(line.row, PRICE_ROW_OVERRIDE | 2);
    assert_true(str_eq(line.note, STR("n")) && line.estimate);
    price_catalog_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_without_its_first_lines_is_refused),
        cmocka_unit_test(a_line_that_is_no_row_is_refused),
        cmocka_unit_test(a_row_that_cannot_be_meant_is_refused),
        cmocka_unit_test(a_rule_that_cannot_be_meant_is_refused),
        cmocka_unit_test(two_rows_for_one_thing_are_refused_at_the_second),
        cmocka_unit_test(models_are_checked_too),
        cmocka_unit_test(a_text_without_end_is_refused),
        cmocka_unit_test(aliases_cannot_multiply_without_bound),
        cmocka_unit_test(a_reason_never_carries_raw_bytes),
        cmocka_unit_test(line_ends_quotes_and_comments_are_read),
        cmocka_unit_test(overrides_win_key_by_key),
        cmocka_unit_test(an_override_may_hold_for_a_while),
        cmocka_unit_test(an_override_of_an_alias_keeps_the_rest),
        cmocka_unit_test(an_override_for_all_operations_beats_ours_for_one),
        cmocka_unit_test(one_alternative_can_be_overridden),
        cmocka_unit_test(an_override_alias_takes_the_place_of_our_prices),
        cmocka_unit_test(the_example_of_the_manual_is_accepted),
        cmocka_unit_test(versions_tell_catalogues_apart),
        cmocka_unit_test(the_texts_may_go_after_building),
        cmocka_unit_test(a_name_is_never_taken_for_its_prefix),
        cmocka_unit_test(long_names_are_unpriced_not_trouble),
        cmocka_unit_test(storage_has_a_price_of_its_own),
        cmocka_unit_test(every_operation_of_the_endpoint_table_has_a_group),
        cmocka_unit_test(models_and_prices_know_each_other),
        cmocka_unit_test(a_line_can_be_shown_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
