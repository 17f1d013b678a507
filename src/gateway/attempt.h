/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_ATTEMPT_H
#define GATEWAY_ATTEMPT_H

/* attempt: one exchange with one upstream target. */

#include "gateway/request.h"

/* Begins an exchange: the head (begun in r->upstream_head) and this body, which must stay where it is until upstream answers. */
void attempt_send(struct request *r, struct str body);
/* Begins an exchange whose body follows in pieces (intake.c gives them to r->call). */
void attempt_begin_streamed(struct request *r, enum http1_framing framing, uint64_t length);
/* Breaks it off; upstream sees the connection close. */
void attempt_cancel(struct request *r);

#endif
