/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_CREDENTIALS_H
#define GATEWAY_CREDENTIALS_H

/* credentials: where in a head a caller's key stands. Shared with the console. */

#include "base/str.h"
#include "net/http1_head.h"

/* The presented key, a view into the head; empty when there is none. */
struct str credentials_find(const struct http1_head *head);

#endif
