/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

/* utf8: whether bytes are well-formed UTF-8 (RFC 3629). */

#include <stdbool.h>

#include "base/str.h"

bool utf8_valid(struct str s);

#endif
