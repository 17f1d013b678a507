/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_INTAKE_H
#define GATEWAY_INTAKE_H

/*
 * intake: the client's body on its way to upstream.
 *
 * A JSON body of at most INTAKE_BUFFER_MAX bytes is kept whole until its facts are known, edited
 * where an edit is due, and sent as one. A larger one is passed on as it comes and read on the way;
 * when it turns out to ask for a stream without usage, the wish for usage is put before its last
 * brace, which is possible because it goes out in chunks. Forms and everything else are passed on
 * as they come.
 *
 * Of a routed request everything is kept up to RUN_BODY_MAX, so that it can be sent again; what is
 * larger passes to the first target only.
 */

#include "gateway/request.h"

#define INTAKE_BUFFER_MAX (1u << 20)
#define INTAKE_LARGE_MAX (256u << 20) /* bodies above INTAKE_BUFFER_MAX that a worker keeps, all together */
#define INTAKE_KEPT_MAX (INTAKE_BUFFER_MAX + LOOP_SCRATCH) /* … and the read that goes beyond it */

struct request_facts;

/* Takes over what later stages and the record need. */
void intake_take_facts(struct request *r, const struct request_facts *f);
/* A body that passes may go on: the call to upstream has begun. */
void intake_go_on(struct request *r);
/* Body bytes from the client. */
void intake_body(struct request *r, struct str bytes, bool last);
/* Upstream took what was given: let the client go on. */
void intake_drained(struct request *r);
void intake_free(struct request *r);
void intake_spares_free(struct worker *w);

#endif
