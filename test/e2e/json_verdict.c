/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the gateway sees in request bodies, for json_agree.py. Reads documents from stdin, each
 * behind its length (four bytes, lowest first); writes one line of JSON for each.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json_write.h"
#include "base/must.h"
#include "openai/request_facts.h"

#define DOCUMENT_MAX (1 << 20)

static void write_fields(struct json_write *w, const char *name, uint32_t bits)
{
    json_write_key(w, str_c(name));
    json_write_array(w);
    for (unsigned i = 0; i < REQUEST_FIELD_COUNT; i++)
        if (bits >> i & 1)
            json_write_string(w, str_c(request_field_path((enum request_field)i)));
    json_write_array_end(w);
}

static void write_facts(struct buf *out, const struct request_facts *f)
{
    struct json_write w;
    json_write_init(&w, out);
    json_write_object(&w);
    json_write_member_bool(&w, "ok", f->status == JSON_COMPLETE);
    json_write_member_bool(&w, "object", f->is_object);
    write_fields(&w, "present", f->present);
    write_fields(&w, "duplicates", f->duplicates);
    write_fields(&w, "invalid", f->invalid);
    json_write_member_string(&w, "model", str_c(f->model));
    json_write_member_bool(&w, "stream", f->stream);
    json_write_member_bool(&w, "include_usage", f->include_usage);
    json_write_member_uint(&w, "max_tokens", f->max_tokens);
    json_write_member_uint(&w, "n", f->n);
    json_write_member_string(&w, "service_tier", str_c(f->service_tier));
    json_write_object_end(&w);
    must(json_write_done(&w));
    must(buf_add_byte(out, '\n'));
}

/* In chunks of a size that changes from document to document. */
static void read_facts(struct request_facts *f, struct str doc, unsigned number)
{
    size_t step = number % 5 == 0 ? DOCUMENT_MAX : 1 + number % 40;
    request_facts_init(f);
    for (; doc.n > 0; doc = str_from(doc, step))
        request_facts_feed(f, doc.p, str_head(doc, step).n);
    request_facts_end(f);
}

int main(void)
{
    static char doc[DOCUMENT_MAX];
    static struct request_facts f;
    unsigned char head[4];
    struct buf out;
    buf_init(&out, 1 << 16);
    for (unsigned number = 0; fread(head, 1, 4, stdin) == 4; number++) {
        size_t n = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        if (n > sizeof(doc) || fread(doc, 1, n, stdin) != n)
            return 1;
        read_facts(&f, str_of(doc, n), number);
        buf_reset(&out);
        write_facts(&out, &f);
        fwrite(buf_str(&out).p, 1, buf_size(&out), stdout);
    }
    buf_free(&out);
    return ferror(stdout) != 0;
}
