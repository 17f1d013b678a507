/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The overheads that OpenAI's cookbook found for functions ("How to count tokens with tiktoken",
 * tool calls): so many tokens around each function, property and enum item, beside those of
 * "name:description" and "name:type:description" without the final full stop.
 *
 * The cookbook knows flat parameters only. Properties of properties and of array items are counted
 * here by the same figures; other keywords of JSON schema are not counted.
 */
#include "openai/estimate/tools.h"

#include "base/json_text.h"

#define FUNCTION_O200K_TOK 7
#define FUNCTION_OTHER_TOK 10
#define TOOLS_END_TOK 12
#define PROPERTIES_TOK 3
#define PROPERTY_TOK 3
#define ENUM_TOK (-3)
#define ENUM_ITEM_TOK 3
#define SCHEMA_DEPTH_MAX 8

static struct str member_text(struct estimate_item object, struct str name)
{
    struct estimate_item item;
    return estimate_cursor_member(object, name, &item) ? item.text : STR("");
}

static struct str without_stop(struct str raw)
{
    return str_ends(raw, STR(".")) ? str_head(raw, raw.n - 1) : raw;
}

/* "name:type:description" and the enum. Negative only for an enum without items. */
static int64_t property_tok(struct estimate_text *t, struct str name, struct estimate_item schema)
{
    struct estimate_item list, item;
    int64_t tok = PROPERTY_TOK;
    if (estimate_cursor_member(schema, STR("enum"), &list) && list.kind == JSON_ARRAY) {
        tok += ENUM_TOK;
        for (struct estimate_cursor c = estimate_cursor_open(list); estimate_cursor_next(&c, &item);)
            tok += ENUM_ITEM_TOK + (int64_t)estimate_text_tok(t, item.text);
    }
    estimate_text_add(t, name);
    estimate_text_add(t, STR(":"));
    estimate_text_add(t, member_text(schema, STR("type")));
    estimate_text_add(t, STR(":"));
    estimate_text_add(t, without_stop(member_text(schema, STR("description"))));
    return tok + (int64_t)estimate_text_end(t);
}

static int64_t properties_tok(struct estimate_text *t, struct estimate_item schema, int depth)
{
    struct estimate_item properties, property, items;
    int64_t tok = 0;
    if (depth == SCHEMA_DEPTH_MAX)
        return 0;
    if (estimate_cursor_member(schema, STR("items"), &items))
        tok += properties_tok(t, items, depth + 1);
    if (!estimate_cursor_member(schema, STR("properties"), &properties) || properties.kind != JSON_OBJECT)
        return tok;
    bool any = false;
    for (struct estimate_cursor c = estimate_cursor_open(properties); estimate_cursor_next(&c, &property);) {
        tok += property_tok(t, property.key, property) + properties_tok(t, property, depth + 1);
        any = true;
    }
    return any ? tok + PROPERTIES_TOK : tok;
}

static int64_t function_tok(struct estimate_text *t, struct estimate_item f)
{
    bool o200k = t->encoding == TOKENIZER_O200K || t->encoding == TOKENIZER_O200K_HARMONY;
    int64_t tok = o200k ? FUNCTION_O200K_TOK : FUNCTION_OTHER_TOK;
    struct estimate_item parameters;
    estimate_text_add(t, member_text(f, STR("name")));
    estimate_text_add(t, STR(":"));
    estimate_text_add(t, without_stop(member_text(f, STR("description"))));
    tok += (int64_t)estimate_text_end(t);
    if (estimate_cursor_member(f, STR("parameters"), &parameters))
        tok += properties_tok(t, parameters, 0);
    return tok;
}

/* The object that names the function: the tool itself, or a member of it. False for hosted tools. */
static bool function_of(struct estimate_item tool, struct estimate_item *ret_function)
{
    struct estimate_item type;
    *ret_function = tool;
    if (tool.kind != JSON_OBJECT)
        return false;
    if (!estimate_cursor_member(tool, STR("type"), &type))
        return true; /* an element of `functions` */
    bool custom = json_string_eq(type.text, STR("custom"));
    if (!custom && !json_string_eq(type.text, STR("function")))
        return false;
    estimate_cursor_member(tool, custom ? STR("custom") : STR("function"), ret_function);
    return true;
}

uint64_t estimate_tools_tok(struct estimate_text *t, struct estimate_item tools)
{
    struct estimate_item tool, function;
    int64_t tok = 0;
    for (struct estimate_cursor c = estimate_cursor_open(tools); estimate_cursor_next(&c, &tool);)
        if (function_of(tool, &function))
            tok += function_tok(t, function);
    return tok > 0 ? (uint64_t)tok + TOOLS_END_TOK : 0;
}
