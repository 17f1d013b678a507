/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

/* utf8: whether bytes are well-formed UTF-8 (RFC 3629), and what to do with ISO 8859-1. */

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

bool utf8_valid(struct str s);
/* Appends ISO 8859-1 text as UTF-8: what older clients put into header fields. False: it does not fit. */
bool utf8_from_latin1(struct str s, struct buf *out) __attribute__((warn_unused_result));

#endif
