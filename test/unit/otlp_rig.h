/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_OTLP_RIG_H
#define TEST_OTLP_RIG_H

/*
 * otlp_rig: documents for a collector, read back by another JSON library than the one that wrote them.
 */

#include <jansson.h>

#include "ledger/record.h"

/* The list of spans. */
json_t *otlp_rig_spans(const json_t *document);
/* The value object of an attribute: {"stringValue":…}; NULL when it is not there. Names are unique. */
const json_t *otlp_rig_attribute(const json_t *holder, const char *name);
const char *otlp_rig_text(const json_t *span, const char *name); /* NULL when it is not there */
long long otlp_rig_number(const json_t *span, const char *name); /* fails the test when it is not there */
const char *otlp_rig_member(const json_t *object, const char *name);

/* A chat that went well, streamed. */
struct record otlp_rig_example(void);

#endif
