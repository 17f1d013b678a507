/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the readers of the price files. The first byte says which file the rest is: prices,
 * overrides or models. What is refused must name a file, a line and a reason; what is accepted must
 * list and price without contradiction.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "openai/cost.h"
#include "openai/price_list.h"

#define HEADER "kind,model,operation,meter,tier,context,quality,size,from,to,value,per,basis,note\n"

static const struct price_source small = {
    .prices = {"# tollgate prices 2026-11-22.01\n" HEADER "group,,chat,,,,,,,,text,,,\n"
               "price,m,text,input,,,,,,,2,1000000 tokens,,\n"
               "price,m,text,input,,long,,,,,4,1000000 tokens,,\n"
               "threshold,m,text,,,long,,,,,1000,tokens,,\n"
               "times,m,text,*,batch,,,,,,0.5,,,\n"
               "regional,m,,,,,,,,,1.1,,,\n"
               "as,*,text,image_input,,,,,,,input,,,\n"
               "alias,n,,,,,,,,,m,,,\n",
               sizeof("# tollgate prices 2026-11-22.01\n" HEADER "group,,chat,,,,,,,,text,,,\n"
                      "price,m,text,input,,,,,,,2,1000000 tokens,,\n"
                      "price,m,text,input,,long,,,,,4,1000000 tokens,,\n"
                      "threshold,m,text,,,long,,,,,1000,tokens,,\n"
                      "times,m,text,*,batch,,,,,,0.5,,,\n"
                      "regional,m,,,,,,,,,1.1,,,\n"
                      "as,*,text,image_input,,,,,,,input,,,\n"
                      "alias,n,,,,,,,,,m,,,\n") -
                   1},
    .models = {"# tollgate models 2026-11-22.01\n"
               "model,operations,input,output,context_window,max_output,released,shutdown_on,note\n",
               sizeof("# tollgate models 2026-11-22.01\n"
                      "model,operations,input,output,context_window,max_output,released,shutdown_on,note\n") -
                   1},
};

static void check_cost(const struct price_catalog *c, struct str model, uint64_t quantity, bool batch, int64_t when_us)
{
    struct price_query q = {
        .model = model, .operation = STR("chat"), .when_us = when_us, .batch = batch, .regional = batch};
    struct usage u = {.source = USAGE_REPORTED};
    struct cost cost;
    int64_t sum = 0;
    u.quantity[METER_INPUT] = quantity;
    u.quantity[METER_IMAGES] = quantity & 1;
    cost_of(c, &q, &u, &cost);
    for (int m = 0; m < METER_COUNT; m++) {
        must(cost.part_pusd[m] >= 0);
        sum += cost.part_pusd[m];
    }
    must(sum == cost.total_pusd);
    must(cost.state != COST_UNPRICED || (cost.total_pusd == 0 && cost.reason != COST_REASON_EXACT));
}

static void use(const struct price_catalog *c)
{
    char text[PRICE_LIST_TEXT_MAX];
    struct price_line line, again;
    for (size_t i = 0; i < price_list_lines(c) && i < 64; i++) {
        price_list_line(c, i, &line);
        must(price_list_find_line(c, line.row, &again) && str_eq(line.value, again.value));
        must(price_list_format(c, line.row, text) < sizeof text);
        check_cost(c, line.model, 1, false, line.from_us);
        check_cost(c, line.model, 5000, true, line.to_us == PRICE_LIST_NO_DATE ? 0 : line.to_us - 1);
        check_cost(c, line.value, UINT64_MAX, true, 0);
        price_group_of(c, line.operation);
    }
    for (size_t i = 0; i < price_list_models(c) && i < 64; i++)
        must(price_list_find_model(c, price_list_model(c, i)->id) == price_list_model(c, i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct price_source source = small;
    struct price_catalog *c;
    struct price_fault fault = {0};
    if (!size)
        return 0;
    struct str text = str_of((const char *)data + 1, size - 1);
    switch (data[0] % 3) {
    case 0:
        source.prices = text;
        break;
    case 1:
        source.overrides = text;
        break;
    default:
        source.models = text;
        break;
    }
    if (price_catalog_new(&source, &c, &fault) != ERR_OK) {
        must(fault.file && fault.line > 0 && fault.reason[0]);
        return 0;
    }
    use(c);
    price_catalog_free(c);
    return 0;
}
