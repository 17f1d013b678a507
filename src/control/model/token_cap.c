/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers are whole; what is absent is 0, but for the step. */
#include "control/model/token_cap.h"

#include "base/json/jdoc.h"

static bool read_threshold(struct jval object, const char *name, int64_t *ret)
{
    struct jval v = jdoc_find(object, name);
    uint64_t n = jdoc_has(v) ? jdoc_count(v, UINT64_MAX) : 0;
    if (n > LIMIT_AMOUNT_MAX)
        return false;
    *ret = (int64_t)n;
    return true;
}

static const char *read_window(struct jval root, struct window *ret, const char **ret_param)
{
    static const enum window_unit units[] = {WINDOW_MINUTE, WINDOW_HOUR, WINDOW_DAY, WINDOW_MONTH};
    struct jval step = jdoc_find(root, "step"), granularity = jdoc_find(root, "granularity");
    uint64_t n = jdoc_has(step) ? jdoc_count(step, 0) : 1;
    *ret_param = "maxTokens.granularity";
    *ret = (struct window){.unit = WINDOW_NEVER};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (jdoc_is(granularity, window_unit_text(units[i])))
            ret->unit = units[i];
    if (ret->unit == WINDOW_NEVER)
        return "The granularity is minute, hour, day or month.";
    *ret_param = "maxTokens.step";
    if (n < 1 || n > WINDOW_STEP_MAX)
        return "The step is a whole number from 1 to 100000.";
    ret->step = (uint32_t)n;
    return NULL;
}

static const char *read_cap(struct jval root, struct limit *l, const char **ret_param)
{
    *ret_param = "maxTokens";
    if (jdoc_kind(root) != JDOC_OBJECT)
        return "maxTokens is an object.";
    const char *fault = read_window(root, &l->window, ret_param);
    if (fault)
        return fault;
    *ret_param = "maxTokens";
    if (!read_threshold(root, "input", &l->input_max) || !read_threshold(root, "output", &l->output_max) ||
        !read_threshold(root, "total", &l->max))
        return "input, output and total are whole numbers of tokens; 0 means no limit.";
    return NULL;
}

const char *token_cap_read(struct str json, struct limit *ret, const char **ret_param)
{
    struct jdoc doc;
    const struct str none = STR("");
    struct limit l = {.kind = LIMIT_CAP,
                      .measure = LIMIT_TOKENS,
                      .mode = limit_default_mode(LIMIT_CAP, LIMIT_TOKENS),
                      .source = none,
                      .name = none,
                      .conditions = none,
                      .group_by = none};
    *ret_param = "maxTokens";
    jdoc_init(&doc);
    const char *fault = jdoc_parse(&doc, json) ? read_cap(jdoc_root(&doc), &l, ret_param) : "This is not JSON.";
    jdoc_free(&doc);
    if (!fault)
        *ret = l;
    return fault;
}
