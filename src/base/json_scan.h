/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

/*
 * json_scan: reads the few values we need out of JSON that arrives in pieces of any size.
 *
 * Push, no tree, no heap while scanning. The caller compiles a list of paths once (json_watch_new)
 * and then feeds bytes; each watched value is reported to a callback with its place in the
 * document. Everything else is only checked for being JSON. The state survives a split anywhere,
 * and the reports do not depend on where the splits are, except that a long string may come in
 * more or fewer pieces.
 *
 * Paths: member names joined by '.', and "[]" for any element of an array:
 * "model", "usage.prompt_tokens", "choices[].delta.content", "[].id" (the document is an array),
 * "" (the document itself). A path may be watched both as a value and as a prefix of others.
 * Member names are compared after unescaping, as the reader upstream will do.
 *
 * Checked: structure, literals, numbers, escapes, control characters in strings, nothing behind
 * the document. Not checked: UTF-8. Brackets are matched by kind down to JSON_DEPTH_STRICT; deeper
 * they are counted, and a document deeper than JSON_DEPTH_MAX is malformed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json_watch.h"
#include "base/str.h"

#define JSON_DEPTH_STRICT 256
#define JSON_DEPTH_MAX 10000
#define JSON_JOIN_MAX 64 /* strings up to this many raw bytes are always reported in one piece */

enum json_kind {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_OBJECT, /* begin */
    JSON_ARRAY,
    JSON_OBJECT_END,
    JSON_ARRAY_END,
};

enum {
    JSON_FIRST = 1,      /* the first (or only) piece of this value */
    JSON_LAST = 2,       /* the last (or only) piece */
    JSON_ESCAPED = 4,    /* a string that holds, up to here, a backslash */
    JSON_DUPLICATE = 8,  /* the same object had this member before */
    JSON_TRUNCATED = 16, /* a number longer than JSON_JOIN_MAX; raw is its beginning */
    JSON_EMPTY = 32,     /* of an *_END: the container has nothing in it */
};

struct json_value {
    uint16_t id;
    uint8_t kind;  /* enum json_kind */
    uint8_t flags; /* JSON_FIRST … */
    /*
     * Numbers and literals: their text. Strings: the bytes between the quotes, still escaped, or a
     * piece of them; a piece never ends inside an escape or a surrogate pair. Good during the call.
     */
    struct str raw;
    /* Offsets from the start of the document. */
    uint64_t start;     /* first byte of the value, a string's quote included; of an *_END: the bracket */
    uint64_t end;       /* one past the last byte; 0 while not known (no JSON_LAST, container begin) */
    uint64_t key_start; /* the opening quote of the member's name; array elements, document, *_END: = start */
};

/*
 * A scalar that came whole and would have under any splits: its raw text has up to JSON_JOIN_MAX
 * bytes. Ask this before comparing it with a word.
 */
static inline bool json_value_whole(const struct json_value *v)
{
    const unsigned whole = JSON_FIRST | JSON_LAST;
    return (v->flags & (whole | JSON_TRUNCATED)) == whole && v->raw.n <= JSON_JOIN_MAX;
}

typedef void json_scan_fn(void *arg, const struct json_value *v);

enum json_status {
    JSON_INCOMPLETE, /* valid so far; more must come */
    JSON_COMPLETE,   /* one whole value, and white space at most behind it */
    JSON_MALFORMED,  /* not JSON; json_scan_error_at says where. Final: further bytes are ignored */
};

/* The fields are json_scan's own. */
struct json_scan {
    const struct json_watch *watch;
    const char *chunk; /* during a call: the bytes being fed */
    json_scan_fn *fn;
    void *arg;
    uint64_t base;        /* offset of the current chunk's first byte */
    uint64_t value_start; /* of the scalar being read */
    uint64_t key_start;
    uint32_t depth;
    uint16_t hex;       /* code unit of the escape being read */
    uint8_t literal;    /* enum json_kind of the literal being read */
    bool key_alien;     /* the name being read can not be a watched one */
    uint64_t pair_end;  /* offset behind the last high surrogate escape */
    uint8_t state, sub; /* where we are in the grammar; inside a token */
    uint8_t tracked;    /* depth of watched containers */
    uint8_t here;       /* watch node of the innermost container, or none */
    uint8_t node;       /* watch node of the value to come, or none */
    uint8_t flags;      /* of the value being read */
    uint8_t join_n;
    uint8_t nodes[JSON_PATH_DEPTH_MAX + 1];
    uint64_t is_object[JSON_DEPTH_STRICT / 64];
    uint64_t seen[(JSON_WATCH_NODES_MAX + 63) / 64];
    char join[JSON_JOIN_MAX];
};

/* `watch` may be NULL: validation only. */
void json_scan_init(struct json_scan *s, const struct json_watch *watch, json_scan_fn *fn, void *arg);
/* Ready for another document with the same watch list; offsets begin at 0 again. */
void json_scan_reset(struct json_scan *s);
enum json_status json_scan_feed(struct json_scan *s, const char *p, size_t n);
/* There is no more. A document that is a bare number is complete only now. */
enum json_status json_scan_end(struct json_scan *s);
enum json_status json_scan_status(const struct json_scan *s);
/* Bytes fed so far or, of a malformed document, the offset of the byte that can not be there. */
uint64_t json_scan_error_at(const struct json_scan *s);

#endif
