/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_MULTIPART_H
#define OPENAI_MULTIPART_H

/*
 * multipart: reads the small text fields of a multipart/form-data body (RFC 7578) that passes by in
 * pieces of any size. Files are skipped; nothing is kept but the field being read.
 *
 * It never fails: a body that is no form simply has no fields. The field's name and value are views
 * into the struct, good during the callback. A part is not reported when its value is longer than
 * MULTIPART_VALUE_MAX, or when two readers could disagree about its name: no name or two, a name with
 * a backslash, a NUL or in a second encoding, lines that do not end in CR LF, folded lines.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define MULTIPART_BOUNDARY_MAX 70 /* RFC 2046 5.1.1 */
#define MULTIPART_LINE_MAX 512    /* of a part's header; a longer line with its name makes it doubtful */
#define MULTIPART_VALUE_MAX 1024
#define MULTIPART_NAME_MAX 64

typedef void multipart_field_fn(void *arg, struct str name, struct str value);

struct multipart {
    multipart_field_fn *field;
    void *arg;
    char delimiter[MULTIPART_BOUNDARY_MAX + 5]; /* CR LF "--" boundary */
    size_t delimiter_n;                         /* 0: the content type names no boundary */
    size_t matched;                             /* bytes of the delimiter matched so far */
    unsigned char state;
    unsigned char before; /* the state before what may be a delimiter */
    bool named;           /* the part has a Content-Disposition */
    bool skipped;         /* the part is not to be reported */
    size_t line_n, value_n;
    size_t fields;             /* reported so far; bounded */
    uint64_t offset, value_at; /* bytes fed; where the part's content begins */
    char name[MULTIPART_NAME_MAX];
    char line[MULTIPART_LINE_MAX];
    char value[MULTIPART_VALUE_MAX];
};

/* `content_type` is the header's value; its boundary parameter is copied. */
void multipart_init(struct multipart *m, struct str content_type, multipart_field_fn *field, void *arg);
void multipart_feed(struct multipart *m, struct str bytes);
/*
 * Where the value of the one small field of that name stands in a whole body. False when there is none, or
 * more than one.
 */
bool multipart_find(struct str content_type, struct str body, struct str name, struct str *ret_value);

#endif
