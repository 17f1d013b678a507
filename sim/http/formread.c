/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes are collected in `pending` until they are surely content: all but as many as a delimiter
 * that may have begun. A line break is put before the first byte, so that the first delimiter looks
 * like the others.
 */
#include "sim/http/formread.h"

#include <string.h>

#include "base/mem.h"
#include "sim/simid.h"

#define PENDING_MAX (512 * 1024)
#define PIECE_MAX (64 * 1024)
#define HEADERS_MAX (16 * 1024)
#define TEXT_MAX (16 * 1024 * 1024)

enum state { PREAMBLE, BEHIND_DELIMITER, HEADERS, CONTENT, EPILOGUE };

/* The value of `name=` in a field such as: form-data; name="file"; filename="a.txt". */
static struct str parameter(struct str field, struct str name)
{
    struct str part;
    while (field.p && str_split(&field, ';', &part)) {
        part = str_trim(part);
        if (!str_starts_nocase(part, name) || part.n <= name.n || part.p[name.n] != '=')
            continue;
        part = str_from(part, name.n + 1);
        if (part.n >= 2 && part.p[0] == '"' && part.p[part.n - 1] == '"')
            part = str_of(part.p + 1, part.n - 2);
        return part;
    }
    return (struct str){NULL, 0};
}

struct formread *formread_new(struct blob_pool *pool, struct str content_type)
{
    struct str boundary = parameter(content_type, STR("boundary"));
    if (!boundary.n || boundary.n > 70)
        return NULL;
    struct formread *f = mem_zalloc(sizeof *f);
    f->pool = pool;
    memcpy(f->delimiter, "\r\n--", 4);
    memcpy(f->delimiter + 4, boundary.p, boundary.n);
    f->delimiter_n = boundary.n + 4;
    buf_init(&f->pending, PENDING_MAX);
    if (!buf_add_str(&f->pending, STR("\r\n"))) {
        formread_free(f);
        return NULL;
    }
    return f;
}

void formread_free(struct formread *f)
{
    if (!f)
        return;
    for (unsigned i = 0; i < f->n; i++) {
        struct formread_part *p = &f->parts[i];
        blob_put(p->blob);
        buf_free(&p->text);
        mem_free((void *)(uintptr_t)p->name.p);
        mem_free((void *)(uintptr_t)p->filename.p);
        mem_free((void *)(uintptr_t)p->type.p);
    }
    buf_free(&f->pending);
    mem_free(f);
}

static struct str kept(struct str s)
{
    return str_of(mem_strndup(s.p ? s.p : "", s.n), s.n);
}

static bool part_begin(struct formread *f, struct str headers)
{
    struct str line, disposition = {NULL, 0}, type = STR("application/octet-stream");
    if (f->n == FORMREAD_PARTS_MAX)
        return false;
    while (headers.n && str_split(&headers, '\n', &line)) {
        ptrdiff_t colon = str_find(line, ':');
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (colon < 0)
            continue;
        struct str value = str_trim(str_from(line, (size_t)colon + 1));
        if (str_eq_nocase(str_head(line, (size_t)colon), STR("content-disposition")))
            disposition = value;
        else if (str_eq_nocase(str_head(line, (size_t)colon), STR("content-type")))
            type = value;
    }
    struct str name = parameter(disposition, STR("name")), filename = parameter(disposition, STR("filename"));
    if (!name.p)
        return false;
    struct formread_part *p = &f->parts[f->n++];
    *p = (struct formread_part){.name = kept(name), .filename = kept(filename), .type = kept(type)};
    buf_init(&p->text, TEXT_MAX);
    if (filename.p)
        p->blob = blob_new(f->pool);
    return true;
}

static bool part_add(struct formread *f, size_t n)
{
    struct formread_part *p = &f->parts[f->n - 1];
    struct str bytes = str_head(buf_str(&f->pending), n);
    bool ok = true;
    if (p->blob)
        blob_add(p->blob, bytes);
    else
        ok = buf_add_str(&p->text, bytes);
    buf_take(&f->pending, n);
    return ok;
}

/* Content up to the next delimiter. False when more is needed; *ret_ok false when it is no form. */
static bool read_content(struct formread *f, bool *ret_ok)
{
    struct str held = buf_str(&f->pending), delimiter = str_of(f->delimiter, f->delimiter_n);
    bool counts = f->state == CONTENT;
    ptrdiff_t at = str_search(held, delimiter);
    size_t content = at >= 0 ? (size_t)at : held.n >= delimiter.n ? held.n - delimiter.n + 1 : 0;
    if (counts)
        *ret_ok = part_add(f, content);
    else
        buf_take(&f->pending, content);
    if (at < 0)
        return false;
    buf_take(&f->pending, delimiter.n);
    if (counts && f->parts[f->n - 1].blob)
        blob_end(f->parts[f->n - 1].blob);
    f->state = BEHIND_DELIMITER;
    return true;
}

/* Behind a delimiter: "--" ends the form, a line break begins a part. */
static bool read_behind(struct formread *f, bool *ret_ok)
{
    struct str held = buf_str(&f->pending);
    if (held.n < 2)
        return false;
    *ret_ok = true;
    if (str_starts(held, STR("--")))
        f->state = EPILOGUE;
    else if (str_starts(held, STR("\r\n")))
        f->state = HEADERS;
    else
        *ret_ok = false;
    /* The line break stays: it may be the first of the empty line behind no headers at all. */
    return *ret_ok;
}

static bool read_headers(struct formread *f, bool *ret_ok)
{
    struct str held = buf_str(&f->pending);
    ptrdiff_t at = str_search(held, STR("\r\n\r\n"));
    if (at < 0) {
        *ret_ok = held.n <= HEADERS_MAX;
        return false;
    }
    *ret_ok = part_begin(f, str_head(held, (size_t)at));
    buf_take(&f->pending, (size_t)at + 4);
    f->state = CONTENT;
    return true;
}

static bool run(struct formread *f)
{
    bool ok = true, more = true;
    while (ok && more) {
        switch ((enum state)f->state) {
        case PREAMBLE:
        case CONTENT:
            more = read_content(f, &ok);
            break;
        case BEHIND_DELIMITER:
            more = read_behind(f, &ok);
            break;
        case HEADERS:
            more = read_headers(f, &ok);
            break;
        case EPILOGUE:
            buf_reset(&f->pending);
            more = false;
            break;
        }
    }
    return ok;
}

bool formread_feed(struct formread *f, struct str bytes)
{
    while (bytes.n) {
        struct str piece = str_head(bytes, PIECE_MAX);
        if (!buf_add_str(&f->pending, piece) || !run(f))
            return false;
        bytes = str_from(bytes, piece.n);
    }
    return true;
}

bool formread_end(struct formread *f)
{
    return f->state == EPILOGUE;
}

const struct formread_part *formread_find(const struct formread *f, const char *name)
{
    struct str want = str_c(name);
    for (unsigned i = 0; f && i < f->n; i++) {
        struct str got = f->parts[i].name;
        if (str_eq(got, want) || (got.n == want.n + 2 && str_starts(got, want) && str_ends(got, STR("[]"))))
            return &f->parts[i];
    }
    return NULL;
}

struct str formread_text(const struct formread *f, const char *name)
{
    const struct formread_part *p = formread_find(f, name);
    return p && !p->blob ? buf_str(&p->text) : STR("");
}

uint64_t formread_hash(const struct formread *f, uint64_t seed)
{
    uint64_t h = seed;
    for (unsigned i = 0; i < f->n; i++) {
        const struct formread_part *p = &f->parts[i];
        struct str content = p->blob ? str_of((const char *)blob_sha256(p->blob), 32) : buf_str(&p->text);
        h += simid_mix(simid_hash(seed, p->name), simid_hash(seed, content));
    }
    return h;
}
