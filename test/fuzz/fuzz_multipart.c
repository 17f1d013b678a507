/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forms from any bytes. Input: the content type up to the first line feed, one byte for the pieces, then
 * the body. The pieces make no difference; names and values keep their bounds; and what was reported is
 * reported again from a form written plainly.
 */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "openai/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define PLAIN_BOUNDARY "oHuhVYYOjoNIBjCBTEyDdQEhXotqHJyNKvXzF"

struct fields {
    struct buf text;  /* lengths, names and values */
    struct buf plain; /* the same as a form */
    unsigned count;
};

static void on_field(void *arg, struct str name, struct str value)
{
    struct fields *f = arg;
    must(name.n > 0 && name.n < MULTIPART_NAME_MAX && value.n <= MULTIPART_VALUE_MAX);
    must(!memchr(name.p, '\\', name.n) && !memchr(name.p, '\n', name.n) && !memchr(name.p, '\r', name.n));
    must(buf_printf(&f->text, "%zu %zu ", name.n, value.n) && buf_add_str(&f->text, name) &&
         buf_add_str(&f->text, value));
    must(buf_add_str(&f->plain, STR("--" PLAIN_BOUNDARY "\r\nContent-Disposition: form-data; name=\"")) &&
         buf_add_str(&f->plain, name) && buf_add_str(&f->plain, STR("\"\r\n\r\n")) && buf_add_str(&f->plain, value) &&
         buf_add_str(&f->plain, STR("\r\n")));
    f->count++;
}

static void run(struct str type, struct str body, uint64_t seed, unsigned most, struct fields *ret)
{
    struct rng_seeded rng = {seed};
    struct multipart m;
    buf_init(&ret->text, 1 << 20);
    buf_init(&ret->plain, 1 << 20);
    ret->count = 0;
    multipart_init(&m, type, on_field, ret);
    must(m.delimiter_n <= MULTIPART_BOUNDARY_MAX + 4);
    while (body.n) {
        size_t n = most ? 1 + rng_seeded_below(&rng, most) : body.n;
        n = n < body.n ? n : body.n;
        char *copy = mem_alloc(n);
        memcpy(copy, body.p, n);
        multipart_feed(&m, str_of(copy, n));
        mem_free(copy);
        body = str_from(body, n);
    }
    must(ret->count == m.fields);
}

static void fields_free(struct fields *f)
{
    buf_free(&f->text);
    buf_free(&f->plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const uint8_t *lf = n ? memchr(p, '\n', n) : NULL;
    if (!lf || lf + 1 == p + n)
        return 0;
    struct str type = {(const char *)p, (size_t)(lf - p)}, body = {(const char *)lf + 2, n - type.n - 2};
    struct fields whole, pieces, again;
    run(type, body, 0, 0, &whole);
    run(type, body, lf[1], 1 + lf[1], &pieces);
    must(str_eq(buf_str(&whole.text), buf_str(&pieces.text)));
    must(buf_add_str(&whole.plain, STR("--" PLAIN_BOUNDARY "--\r\n")));
    run(STR("multipart/form-data; boundary=" PLAIN_BOUNDARY), buf_str(&whole.plain), lf[1], 40, &again);
    must(str_eq(buf_str(&whole.text), buf_str(&again.text)));
    fields_free(&whole);
    fields_free(&pieces);
    fields_free(&again);
    return 0;
}
