/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_NATIVE_OUTPUT_H
#define CONSOLE_NATIVE_OUTPUT_H

/* output: forms that several answers share. */

#include "base/json_write.h"
#include "ledger/record.h"

/* "name": "2026-11-22T06:28:13.123456Z", or null when 0. */
void output_time(struct json_write *w, const char *name, int64_t wall_us);
/* {"input": 12, …}: the meters that are not 0, by their names. */
void output_meters(struct json_write *w, const char *name, const uint64_t quantity[METER_COUNT]);

#endif
