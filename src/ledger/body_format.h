/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_BODY_FORMAT_H
#define LEDGER_BODY_FORMAT_H

/*
 * body_format: the bytes of body segments, for their writer and reader only. The layout is
 * described in body_store.h.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/wire.h"
#include "ledger/body_read.h"
#include "ledger/body_store.h"
#include "ledger/record.h"

#define BODY_VERSION 1
#define BODY_SUFFIX ".tgb"
#define BODY_HEAD_BYTES 32
#define BODY_BLOCK_HEAD_BYTES 24
#define BODY_PATH_MAX 4096
#define BODY_OFFSET_BITS 36
#define BODY_SEQUENCE_MAX UINT64_C(99999999) /* eight digits */
/* Longest row without its bytes. */
#define BODY_ROW_HEAD_MAX (8 + 1 + 6 * WIRE_VARINT_MAX + 2 * 32)

#define BODY_ROW_REQUEST_SHA 1u
#define BODY_ROW_RESPONSE_SHA 2u
#define BODY_ROW_HEADERS 4u
/* A block that one row of the largest size is added to. */
#define BODY_RAW_MAX (RECORD_BODIES_MAX + 2 * RECORD_HEADERS_MAX + BODY_BLOCK_BYTES + 1024)

static inline int64_t body_place(uint64_t sequence, uint64_t offset)
{
    return (int64_t)(sequence << BODY_OFFSET_BITS | offset);
}

static inline bool body_path(char out[BODY_PATH_MAX], const char *dir, uint64_t sequence)
{
    int n = snprintf(out, BODY_PATH_MAX, "%s/%08llu%s", dir, (unsigned long long)sequence, BODY_SUFFIX);
    return n > 0 && n < BODY_PATH_MAX;
}

static inline bool body_name_parse(struct str name, uint64_t *ret_sequence)
{
    return name.n == 8 + sizeof BODY_SUFFIX - 1 && str_ends(name, STR(BODY_SUFFIX)) &&
           str_to_u64(str_head(name, 8), ret_sequence);
}

static inline void body_put_head(unsigned char head[BODY_HEAD_BYTES], uint64_t sequence, int64_t created_us)
{
    memset(head, 0, BODY_HEAD_BYTES);
    memcpy(head, "TGB1", 4);
    unsigned char *p = wire_put_u32(head + 4, BODY_VERSION);
    wire_put_u64(wire_put_u64(p, sequence), (uint64_t)created_us);
    wire_put_u32(head + BODY_HEAD_BYTES - 4, crc32c(0, head, BODY_HEAD_BYTES - 4));
}

struct body_block_head {
    uint32_t raw_n, packed_n, rows, dictionary_offset, check;
};

static inline uint32_t body_block_check(const unsigned char *head, uint64_t sequence, uint64_t offset,
                                        const void *packed, size_t packed_n)
{
    unsigned char place[8];
    wire_put_u64(place, (uint64_t)body_place(sequence, offset));
    uint32_t check = crc32c(crc32c(0, place, sizeof place), head, BODY_BLOCK_HEAD_BYTES - 4);
    return crc32c(check, packed, packed_n);
}

static inline void body_put_block_head(unsigned char *p, const struct body_block_head *h, uint64_t sequence,
                                       uint64_t offset, const void *packed)
{
    memcpy(p, "tgbb", 4);
    wire_put_u32(wire_put_u32(p + 4, h->raw_n), h->packed_n);
    wire_put_u32(wire_put_u32(p + 12, h->rows), h->dictionary_offset);
    wire_put_u32(p + BODY_BLOCK_HEAD_BYTES - 4, body_block_check(p, sequence, offset, packed, h->packed_n));
}

static inline bool body_get_block_head(const unsigned char *p, struct body_block_head *ret)
{
    struct wire w = wire_of(p + 4, BODY_BLOCK_HEAD_BYTES - 4);
    ret->raw_n = wire_u32(&w);
    ret->packed_n = wire_u32(&w);
    ret->rows = wire_u32(&w);
    ret->dictionary_offset = wire_u32(&w);
    ret->check = wire_u32(&w);
    return memcmp(p, "tgbb", 4) == 0;
}

/* The parts of a row: the members of a record that are kept here. */
static inline unsigned char *body_put_row(unsigned char *p, const struct record *r)
{
    const struct record_body *request = &r->request_body, *response = &r->response_body;
    bool headers = r->request_headers.n || r->response_headers.n;
    p = wire_put_u64(p, (uint64_t)r->id);
    *p++ = (unsigned char)((request->has_sha256 ? BODY_ROW_REQUEST_SHA : 0) |
                           (response->has_sha256 ? BODY_ROW_RESPONSE_SHA : 0) | (headers ? BODY_ROW_HEADERS : 0));
    p = wire_put_varint(p, request->bytes.n);
    p = wire_put_varint(p, response->bytes.n);
    p = wire_put_varint(p, request->size_bytes);
    p = wire_put_varint(p, response->size_bytes);
    if (headers)
        p = wire_put_varint(wire_put_varint(p, r->request_headers.n), r->response_headers.n);
    if (request->has_sha256)
        p = wire_put_bytes(p, str_of((const char *)request->sha256, sizeof request->sha256));
    if (response->has_sha256)
        p = wire_put_bytes(p, str_of((const char *)response->sha256, sizeof response->sha256));
    if (headers)
        p = wire_put_bytes(wire_put_bytes(p, r->request_headers), r->response_headers);
    return wire_put_bytes(wire_put_bytes(p, request->bytes), response->bytes);
}

static inline void body_get_sha(struct wire *w, struct record_body *b)
{
    struct str sha;
    if (b->has_sha256 && (sha = wire_bytes(w, sizeof b->sha256)).n)
        memcpy(b->sha256, sha.p, sha.n);
}

/* The next row of an unpacked block; false at its end, and with w->bad set when it is not valid. */
static inline bool body_get_row(struct wire *w, int64_t *ret_id, struct body_pair *ret)
{
    struct record_body *request = &ret->request, *response = &ret->response;
    uint64_t request_headers_n = 0, response_headers_n = 0;
    if (w->bad || !wire_left(w))
        return false;
    *ret_id = (int64_t)wire_u64(w);
    uint8_t flags = wire_u8(w);
    uint64_t request_n = wire_varint(w), response_n = wire_varint(w);
    *request = (struct record_body){.size_bytes = wire_varint(w), .has_sha256 = flags & BODY_ROW_REQUEST_SHA};
    *response = (struct record_body){.size_bytes = wire_varint(w), .has_sha256 = flags & BODY_ROW_RESPONSE_SHA};
    if (flags & BODY_ROW_HEADERS) {
        request_headers_n = wire_varint(w);
        response_headers_n = wire_varint(w);
    }
    body_get_sha(w, request);
    body_get_sha(w, response);
    ret->request_headers = wire_bytes(w, request_headers_n);
    ret->response_headers = wire_bytes(w, response_headers_n);
    request->bytes = wire_bytes(w, request_n);
    response->bytes = wire_bytes(w, response_n);
    return !w->bad;
}

#endif
