/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_USAGE_HIDE_H
#define OPENAI_USAGE_HIDE_H

/*
 * usage_hide: keeps from the client what only our own stream_options.include_usage caused.
 *
 * For streams of chat.completions and completions into whose request the gateway put the option.
 * The answer is a cut, not a copy: all bytes that remain are upstream's own.
 */

#include <stddef.h>

#include "base/str.h"

enum usage_hide {
    USAGE_HIDE_PASS, /* as it is */
    USAGE_HIDE_DROP, /* the extra chunk (no choices, but usage): the whole event goes */
    USAGE_HIDE_CUT,  /* without *ret_n bytes at *ret_at: the `"usage":null` member and one comma */
};

/* `event` is one whole event, its empty line included (see sse_frame). */
enum usage_hide usage_hide_event(struct str event, size_t *ret_at, size_t *ret_n);

#endif
