/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as any operation's body: the estimate stays within the body and within what the body
 * can be worth, and the heads of images are read within bounds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "openai/estimate.h"
#include "openai/estimate/image_size.h"

/* The dearest thing to write: an image part, {"image_url":0}, at gpt-4o-mini's price. */
#define TOK_PER_BYTE_MAX 4000

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const enum usage_shape shapes[] = {USAGE_SHAPE_CHAT, USAGE_SHAPE_RESPONSES, USAGE_SHAPE_EMBEDDINGS,
                                              USAGE_SHAPE_COMPLETIONS};
    static const char *const models[] = {"gpt-4o-mini", "gpt-3.5-turbo-0301", "gpt-4.1-mini", "ft:o4-mini:a"};
    struct estimate_image size;
    if (n < 1)
        return 0;
    struct str body = str_of((const char *)p + 1, n - 1), model = str_c(models[p[0] / 4 % 4]);
    uint64_t tok = estimate_prompt_tok(shapes[p[0] % 4], model, body);
    must(tok <= 100 + n * TOK_PER_BYTE_MAX);
    must(tok == estimate_prompt_tok(shapes[p[0] % 4], model, body));
    if (estimate_image_size_of(body, &size) || estimate_image_size_of_url(body, &size))
        must(size.width >= 1 && size.height >= 1);
    return 0;
}
