/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_HTTP_FORMREAD_H
#define SIM_HTTP_FORMREAD_H

/*
 * formread: a multipart/form-data body (RFC 7578), read as it arrives.
 *
 * Parts with a file name become blobs and pass through; the others are small texts and are kept. The
 * order of parts does not matter to the reader of the result. Lines end with CRLF, as the RFC says.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "sim/kept/blob.h"

#define FORMREAD_PARTS_MAX 256

struct formread_part {
    struct str name, filename, type; /* as long as the form */
    struct blob *blob;               /* files; a reference of the form's */
    struct buf text;                 /* others */
};

struct formread {
    struct blob_pool *pool;
    char delimiter[80]; /* "\r\n--" and the boundary */
    size_t delimiter_n;
    struct buf pending;
    uint8_t state;
    struct formread_part parts[FORMREAD_PARTS_MAX];
    unsigned n;
};

/* NULL when the content type names no boundary. */
struct formread *formread_new(struct blob_pool *pool, struct str content_type);
void formread_free(struct formread *f); /* NULL does nothing */
/* False when the body is not a form. */
bool formread_feed(struct formread *f, struct str bytes);
/* After the last byte: false when the closing delimiter did not come. */
bool formread_end(struct formread *f);

/* The first part of that name, "name[]" included; NULL when there is none. */
const struct formread_part *formread_find(const struct formread *f, const char *name);
/* Its text; "" when there is none. */
struct str formread_text(const struct formread *f, const char *name);
/* A number that follows from names and contents, not from the boundary. */
uint64_t formread_hash(const struct formread *f, uint64_t seed);

#endif
