/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a kept answer, for any client: what comes out is JSON, or events that hold JSON and
 * end as they must; a stream made from an object can be joined to an object again that says the same,
 * and says it again when it is told and joined once more.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json/jdoc.h"
#include "base/must.h"
#include "gateway/cache/cache.h"
#include "gateway/cache/render.h"

static const char *const paths[] = {"/chat/completions", "/completions", "/responses", "/embeddings"};

static bool render(struct str body, unsigned path, bool stored_stream, bool stream, bool usage, struct buf *out)
{
    struct cache_answer a = {.body = body, .stream = stored_stream};
    struct cache_replay how = {endpoint_find(STR("POST"), str_c(paths[path])), stream, usage};
    struct str type = STR("");
    buf_reset(out);
    bool ok = cache_render(&a, &how, out, &type);
    must(ok ? type.n > 0 : buf_size(out) == 0);
    return ok;
}

static bool is_json(struct str text)
{
    struct jdoc doc;
    jdoc_init(&doc);
    bool ok = jdoc_parse(&doc, text);
    jdoc_free(&doc);
    return ok;
}

/* Events of ours: at most one name, one line of JSON, one empty line. */
static void check_events(struct str stream, bool responses)
{
    struct str event = STR("");
    must(stream.n > 0);
    while (stream.n) {
        event = render_event(&stream);
        must(str_ends(event, STR("\n\n")));
        if (responses) {
            must(str_starts(event, STR("event: response.")));
            event = str_from(event, (size_t)str_find(event, '\n') + 1);
        }
        must(str_starts(event, STR("data: ")));
        event = str_head(str_from(event, 6), event.n - 8);
        if (!responses && stream.n == 0)
            break;
        must(is_json(event));
    }
    must(responses || str_eq(event, STR("[DONE]")));
}

/* An object was told: the story says what the object said. */
static void check_again(struct buf *told, unsigned path)
{
    struct buf first, second, stream;
    buf_init(&first, 64 << 20);
    buf_init(&second, 64 << 20);
    buf_init(&stream, 64 << 20);
    if (render(buf_str(told), path, true, false, false, &first)) {
        must(is_json(buf_str(&first)));
        must(render(buf_str(&first), path, false, true, true, &stream));
        must(render(buf_str(&stream), path, true, false, false, &second));
        must(str_eq(buf_str(&first), buf_str(&second)));
    }
    buf_free(&first);
    buf_free(&second);
    buf_free(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct buf out;
    if (n < 1)
        return 0;
    unsigned path = p[0] % 4;
    bool stored_stream = p[0] & 4, stream = p[0] & 8, usage = p[0] & 16;
    struct str body = str_of((const char *)p + 1, n - 1);
    buf_init(&out, 64 << 20);
    if (render(body, path, stored_stream, stream, usage, &out)) {
        if (!stored_stream && stream) {
            check_events(buf_str(&out), path == 2);
            check_again(&out, path);
        }
        if (stored_stream && !stream)
            must(is_json(buf_str(&out)));
        if (stored_stream && stream)
            must(buf_size(&out) <= body.n);
    }
    buf_free(&out);
    return 0;
}
