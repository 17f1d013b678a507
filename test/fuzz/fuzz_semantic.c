/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a question and as an embedding model's answer: a question's text is never longer than
 * its body, the same body gives the same question, and a vector has numbers, as many as were said.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "gateway/cache/semantic.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct semantic_question q, again;
    struct buf room;
    float vector[8] = {0};
    if (n < 1)
        return 0;
    struct cache_key_parts parts = {.workspace_id = 1, .body = str_of((const char *)p + 1, n - 1)};
    parts.metadata = parts.body;
    const struct endpoint *e = endpoint_find(STR("POST"), p[0] & 1 ? STR("/chat/completions") : STR("/completions"));
    buf_init(&room, 1 << 20);
    if (semantic_question(&parts, e, &room, &q)) {
        must(q.text.n > 0);
        must(q.text.n <= n);
        struct str first = q.text;
        char *copy = malloc(first.n);
        must(copy);
        memcpy(copy, first.p, first.n);
        buf_reset(&room);
        must(semantic_question(&parts, e, &room, &again));
        must(memcmp(q.group, again.group, sizeof q.group) == 0);
        must(str_eq(str_of(copy, first.n), again.text));
        free(copy);
    } else {
        must(buf_size(&room) == 0);
    }
    unsigned dimensions = semantic_vector_of(parts.body, vector, 8);
    must(dimensions <= 8);
    buf_free(&room);
    return 0;
}
