/* SPDX-License-Identifier: Apache-2.0 */
/* Shared forms of JSON answers. */
#include "console/native/output.h"

#include "base/clock.h"

void output_time(struct json_write *w, const char *name, int64_t wall_us)
{
    char text[CLOCK_TEXT_MAX];
    if (wall_us == 0)
        json_write_member_null(w, name);
    else
        json_write_member_string(w, name, str_of(text, clock_format(wall_us, wall_us % 1000000 != 0, text)));
}

void output_meters(struct json_write *w, const char *name, const uint64_t quantity[METER_COUNT])
{
    json_write_key(w, str_c(name));
    json_write_object(w);
    for (unsigned m = 0; m < METER_COUNT; m++)
        if (quantity[m])
            json_write_member_uint(w, meter_info((enum meter)m)->text, quantity[m]);
    json_write_object_end(w);
}
