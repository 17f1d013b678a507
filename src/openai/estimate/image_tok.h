/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_ESTIMATE_IMAGE_TOK_H
#define OPENAI_ESTIMATE_IMAGE_TOK_H

/*
 * image_tok: how many tokens a model takes an input image for, by the published rules.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "openai/estimate/image_size.h"

/* `low`: detail "low". An image of unknown size is given as ESTIMATE_IMAGE_USUAL. */
uint64_t estimate_image_tok(struct str model, struct estimate_image size, bool low);

#define ESTIMATE_IMAGE_USUAL ((struct estimate_image){1024, 1024})

#endif
