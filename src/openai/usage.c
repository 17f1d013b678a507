/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of the tables in usage.h. */
#include "openai/usage.h"

#include "base/must.h"

static const struct meter_info meters[METER_COUNT] = {
#define X(name, text, unit, what) [METER_##name] = {text, unit, what},
    METER_TABLE(X)
#undef X
};

static const char *const sources[USAGE_SOURCE_COUNT] = {
    [USAGE_NONE] = "none",           [USAGE_REPORTED] = "reported", [USAGE_MEASURED] = "measured",
    [USAGE_ESTIMATED] = "estimated", [USAGE_UNKNOWN] = "unknown",
};

const struct meter_info *meter_info(enum meter m)
{
    must(m < METER_COUNT);
    return &meters[m];
}

const char *usage_source_text(enum usage_source s)
{
    must(s < USAGE_SOURCE_COUNT);
    return sources[s];
}
