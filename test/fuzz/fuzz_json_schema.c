/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schemas and values, with a byte 0xff between them. A check ends; a schema and its double negation
 * agree, "anyOf" and "allOf" of one schema are that schema, and "not" of it is the opposite.
 */
#include "base/buf.h"
#include "base/must.h"
#include "gateway/hooks/json_schema.h"

static enum json_schema_result check(struct str schema, struct jval value, struct arena *a)
{
    struct jdoc doc;
    struct pattern_budget budget = {20000, PATTERN_TIME_US};
    struct json_schema_report report;
    jdoc_init(&doc);
    must(jdoc_parse(&doc, schema));
    enum json_schema_result r = json_schema_check(jdoc_root(&doc), value, a, &budget, &report);
    must(report.keyword && (r == JSON_SCHEMA_FITS || report.keyword[0]));
    jdoc_free(&doc);
    return r;
}

/* The schema inside of others; references to its root would then lead elsewhere. */
static enum json_schema_result wrapped(const char *before, struct str schema, const char *behind, struct jval value,
                                       struct arena *a)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    bool fits = buf_add_str(&b, str_c(before)) && buf_add_str(&b, schema) && buf_add_str(&b, str_c(behind));
    must(fits);
    enum json_schema_result r = check(buf_str(&b), value, a);
    buf_free(&b);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct str rest = str_of((const char *)p, n), schema, text;
    if (n == 0 || !str_split(&rest, '\xff', &schema) || !str_split(&rest, '\xff', &text))
        return 0;
    struct jdoc s, v;
    struct arena *a = arena_new(4096, 1 << 20);
    jdoc_init(&s);
    jdoc_init(&v);
    if (jdoc_parse(&s, schema) && jdoc_parse(&v, text)) {
        struct jval value = jdoc_root(&v);
        enum json_schema_result r = check(schema, value, a);
        if (r <= JSON_SCHEMA_DIFFERS && str_search(schema, STR("$ref")) < 0 && str_search(schema, STR("\\")) < 0) {
            enum json_schema_result opposite = r == JSON_SCHEMA_FITS ? JSON_SCHEMA_DIFFERS : JSON_SCHEMA_FITS;
            enum json_schema_result twice = wrapped("{\"not\":{\"not\":", schema, "}}", value, a);
            must(twice == r || twice == JSON_SCHEMA_TOO_MUCH);
            enum json_schema_result once = wrapped("{\"not\":", schema, "}", value, a);
            must(once == opposite || once == JSON_SCHEMA_TOO_MUCH);
            enum json_schema_result one = wrapped("{\"allOf\":[{\"anyOf\":[{\"oneOf\":[", schema, "]}]}]}", value, a);
            must(one == r || one == JSON_SCHEMA_TOO_MUCH);
        }
    }
    jdoc_free(&s);
    jdoc_free(&v);
    arena_free(a);
    return 0;
}
