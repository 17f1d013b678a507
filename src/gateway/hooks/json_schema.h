/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_HOOKS_JSON_SCHEMA_H
#define GATEWAY_HOOKS_JSON_SCHEMA_H

/*
 * json_schema: whether a JSON value is what a schema describes.
 *
 * The common keywords of draft 7, and of 2020-12 where they are the same: type, enum, const;
 * properties, patternProperties, additionalProperties, propertyNames, required, dependentRequired,
 * minProperties, maxProperties; items (also as a list), prefixItems, additionalItems, contains,
 * minItems, maxItems, uniqueItems; minLength, maxLength, pattern; minimum, maximum,
 * exclusiveMinimum, exclusiveMaximum, multipleOf; allOf, anyOf, oneOf, not, if/then/else; $ref
 * inside the schema ("#", "#/definitions/x", "#/$defs/x"). Other keywords, `format` among them, are
 * ignored. A keyword whose value has the wrong type, a $ref that leads nowhere, and a bad pattern
 * make the schema bad.
 *
 * Numbers are compared as written. Work is bounded by JSON_SCHEMA_STEPS_MAX and a depth.
 */

#include <stdbool.h>

#include "base/arena.h"
#include "base/json/jdoc.h"
#include "gateway/hooks/pattern.h"

#define JSON_SCHEMA_STEPS_MAX 300000
#define JSON_SCHEMA_DEPTH_MAX 64

enum json_schema_result {
    JSON_SCHEMA_FITS,
    JSON_SCHEMA_DIFFERS,
    JSON_SCHEMA_BAD,      /* the schema */
    JSON_SCHEMA_TOO_MUCH, /* work or depth */
};

/* Where and why it does not fit: the first place found. */
#define JSON_SCHEMA_PATH_MAX 200
struct json_schema_report {
    char path[JSON_SCHEMA_PATH_MAX]; /* "/a/0/b"; cut when longer */
    const char *keyword;             /* the one that was not satisfied, or is bad */
};

enum json_schema_result json_schema_check(struct jval schema, struct jval value, struct arena *a,
                                          struct pattern_budget *pattern, struct json_schema_report *report);

#endif
