/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_TOKENIZER_IMAGE_H
#define OPENAI_TOKENIZER_IMAGE_H

/*
 * tokenizer_image: access to the embedded tables. Part of tokenizer; nobody else includes it.
 */

#include "openai/tokenizer_table.h"

/* Defined by tokenizer_data.S, which tools/gen/tokenizer_data.sh writes. */
extern const unsigned char tokenizer_data[] __attribute__((visibility("hidden")));

static inline const struct tokenizer_image *tokenizer_image(void)
{
    return (const struct tokenizer_image *)(const void *)tokenizer_data;
}

/* `code` < 0x110000. */
static inline enum tokenizer_class tokenizer_image_class(uint32_t code)
{
    const struct tokenizer_image *image = tokenizer_image();
    uint32_t page = tokenizer_data[image->page_index_off + code / TOKENIZER_TABLE_PAGE];
    return tokenizer_data[image->page_off + page * TOKENIZER_TABLE_PAGE + code % TOKENIZER_TABLE_PAGE];
}

#endif
