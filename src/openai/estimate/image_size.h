/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_ESTIMATE_IMAGE_SIZE_H
#define OPENAI_ESTIMATE_IMAGE_SIZE_H

/*
 * image_size: width and height of an image from its first bytes. PNG, JPEG, GIF and WebP, which
 * are what the API takes. Pixels are not looked at.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct estimate_image {
    uint32_t width, height; /* pixels, 1 to 65,535 */
};

/* False, and untouched, when the format is not known or the size stands further behind. */
bool estimate_image_size_of(struct str head, struct estimate_image *ret_size);
/* The same of a URL "data:…;base64,…", given as a JSON string's raw text. */
bool estimate_image_size_of_url(struct str raw, struct estimate_image *ret_size);

#endif
