/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

/*
 * log: one line an event, to stderr, as `2026-11-22T06:28:13.123456Z info event key=value ...`.
 *
 * Values are quoted and escaped, so that no value can start a new line or a new field (CWE-117).
 * There is no function that takes a secret. Upper layers log, once; lower layers return errors.
 */

#include <stdint.h>

#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

struct log_field {
    const char *key;
    struct str text; /* used when p is set */
    int64_t number;  /* used otherwise */
};

#define LOG_STR(key, value) ((struct log_field){(key), (value), 0})
#define LOG_TEXT(key, z) ((struct log_field){(key), str_c(z), 0})
#define LOG_INT(key, value) ((struct log_field){(key), {NULL, 0}, (int64_t)(value)})

void log_set_level(enum log_level level);
/* False when `name` is no level ("debug", "info", "warn", "error", "off"). */
bool log_level_from(struct str name, enum log_level *ret_level);
bool log_enabled(enum log_level level);
/* Lines go to `fd` from now on (default 2). */
void log_set_fd(int fd);

void log_event(enum log_level level, const char *event, const struct log_field *fields, size_t count);

#define log_debug(event, ...) LOG_LINE(LOG_DEBUG, event, ##__VA_ARGS__)
#define log_info(event, ...) LOG_LINE(LOG_INFO, event, ##__VA_ARGS__)
#define log_warn(event, ...) LOG_LINE(LOG_WARN, event, ##__VA_ARGS__)
#define log_error(event, ...) LOG_LINE(LOG_ERROR, event, ##__VA_ARGS__)

#define LOG_LINE(level, event, ...)                                                                                    \
    (log_enabled(level)                                                                                                \
         ? log_event(level, event, (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}},                          \
                     sizeof((const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}}) / sizeof(struct log_field) - 1) \
         : (void)0)

#endif
