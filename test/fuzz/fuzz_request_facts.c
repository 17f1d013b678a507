/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request bodies: the same facts whole and in pieces; an edited body is JSON and says what was
 * wished, and its other bytes are the original's. The first byte seeds the splits.
 */
#include "base/buf.h"
#include "openai/request_edit.h"
#include "openai/request_facts.h"
#include "split.h"

static void read_body(struct request_facts *f, const uint8_t *p, size_t n, uint64_t seed)
{
    struct split split;
    struct str piece;
    request_facts_init(f);
    split_begin(&split, p, n, seed);
    while (split_next(&split, &piece))
        request_facts_feed(f, piece.p, piece.n);
    request_facts_end(f);
    memset(&f->scan, 0, sizeof(f->scan));
}

static void apply(const struct request_edit *e, const uint8_t *p, size_t n, uint64_t seed, struct buf *out)
{
    struct splicer sp;
    struct split split;
    struct str piece, part;
    splicer_init(&sp, e->list, e->n);
    split_begin(&split, p, n, seed);
    while (split_next(&split, &piece))
        while (splicer_next(&sp, &piece, &part))
            must(buf_add_str(out, part));
    while (splicer_end(&sp, &part))
        must(buf_add_str(out, part));
    must(buf_size(out) == splice_result_size(e->list, e->n, n));
}

/* Undoes the edits: what is left must be the original. */
static void check_untouched(const struct request_edit *e, struct str original, struct str edited)
{
    size_t from = 0, to = 0;
    for (size_t i = 0; i < e->n; i++) {
        size_t same = (size_t)e->list[i].at - from;
        must(str_eq(str_head(str_from(original, from), same), str_head(str_from(edited, to), same)));
        must(str_starts(str_from(edited, to + same), e->list[i].insert));
        from += same + (size_t)e->list[i].remove;
        to += same + e->list[i].insert.n;
    }
    must(str_eq(str_from(original, from), str_from(edited, to)));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n == 0)
        return 0;
    static struct request_facts f, split, after;
    struct request_edit e;
    uint64_t seed = 1u + p[0];
    struct str body = str_of((const char *)p + 1, n - 1);
    read_body(&f, p + 1, n - 1, 0);
    read_body(&split, p + 1, n - 1, seed);
    /* Of a broken body even a string that never ended may have been seen in part. */
    if (f.status == JSON_COMPLETE)
        must(memcmp(&f, &split, sizeof(f)) == 0);
    must(f.status == split.status);
    must(f.model_at.end <= body.n && f.stream_options_at.end <= body.n && f.metadata_at.end <= body.n);

    bool ask = p[0] & 1;
    struct str model = p[0] & 2 ? STR("new\"model") : STR("");
    if (request_edit_make(&e, &f, model, ask)) {
        struct buf out;
        buf_init(&out, 1 << 24);
        apply(&e, p + 1, n - 1, seed, &out);
        read_body(&after, (const uint8_t *)buf_str(&out).p, buf_size(&out), 0);
        must(after.status == JSON_COMPLETE);
        must(after.include_usage || !ask);
        must(model.n == 0 || str_eq(str_c(after.model), model));
        must((after.duplicates & ~f.duplicates) == 0);
        check_untouched(&e, body, buf_str(&out));
        buf_free(&out);
    }
    request_facts_form_field(&f, str_head(body, body.n / 2), str_from(body, body.n / 2));
    return 0;
}
