/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as jansson reads them. */
#include "otlp_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

json_t *otlp_rig_spans(const json_t *document)
{
    const json_t *resource = json_array_get(json_object_get(document, "resourceSpans"), 0);
    const json_t *scope = json_array_get(json_object_get(resource, "scopeSpans"), 0);
    json_t *spans = json_object_get(scope, "spans");
    assert_true(json_is_array(spans));
    return spans;
}

const json_t *otlp_rig_attribute(const json_t *holder, const char *name)
{
    const json_t *list = json_object_get(holder, "attributes"), *found = NULL, *a;
    size_t i;
    json_array_foreach(list, i, a)
    {
        if (strcmp(json_string_value(json_object_get(a, "key")), name) == 0) {
            assert_null(found);
            found = json_object_get(a, "value");
            assert_int_equal(json_object_size(found), 1);
        }
    }
    return found;
}

const char *otlp_rig_text(const json_t *span, const char *name)
{
    return json_string_value(json_object_get(otlp_rig_attribute(span, name), "stringValue"));
}

long long otlp_rig_number(const json_t *span, const char *name)
{
    const char *text = json_string_value(json_object_get(otlp_rig_attribute(span, name), "intValue"));
    uint64_t v = 0;
    assert_true(text && str_to_u64(str_c(text), &v));
    return (long long)v;
}

const char *otlp_rig_member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

struct record otlp_rig_example(void)
{
    struct record r = {.id = 0x1122334455667788, .request_id = 0x1122334455667788, .started_us = 1700000000000001};
    r.total_us = 1500000;
    r.first_byte_us = 20500;
    r.overhead_us = 90;
    r.workspace_id = 1;
    r.key_id = 2;
    r.integration_id = 3;
    r.method = STR("POST");
    r.path = STR("/v1/chat/completions");
    r.operation = STR("chat.completions");
    r.model_asked = STR("gpt-4o");
    r.model_answered = STR("gpt-4o-2024-08-06");
    r.upstream_host = STR("api.example.com:8443");
    r.finish_reason = STR("stop");
    r.stream = true;
    r.status = r.upstream_status = 200;
    r.usage.source = USAGE_REPORTED;
    r.usage.quantity[METER_INPUT] = 80;
    r.usage.quantity[METER_CACHED] = 20;
    r.usage.input_total_tok = 100;
    r.usage.output_total_tok = 7;
    r.usage.reasoning_tok = 3;
    r.cost = (struct cost){.state = COST_PRICED, .total_pusd = 295000000};
    r.metadata = STR("{\"team\":\"search\",\"n\":7,\"deep\":{\"a\":1},\"text\":\"a\\\"b\\u00e9\\ud800\"}");
    r.user = STR("u-1");
    return r;
}
