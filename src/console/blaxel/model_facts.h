/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_BLAXEL_MODEL_FACTS_H
#define CONSOLE_BLAXEL_MODEL_FACTS_H

/*
 * model_facts: what the price catalogue knows of a model that a provider's list names: how much fits into it, what
 * goes in and comes out, what it costs, when it ends.
 */

#include "base/json_write.h"

struct price_catalog;

/* Members of the open object; a model that is not known has nulls. A fine-tuned or dated id has its base's facts. */
void model_facts_write(struct json_write *w, const struct price_catalog *c, struct str id);

#endif
