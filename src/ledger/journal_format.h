/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_JOURNAL_FORMAT_H
#define LEDGER_JOURNAL_FORMAT_H

/*
 * journal_format: the bytes of a segment's head and of an entry's head, for the writer and the
 * reader of the journal only. The layout is described in journal.h.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/wire.h"
#include "ledger/journal.h"

#define JOURNAL_VERSION 1
#define JOURNAL_SUFFIX ".tgj"
#define JOURNAL_ENTRY_MAGIC "tgje"
#define JOURNAL_ENTRY_MAGIC_BYTES 4
/* Where the head check begins: magic, length, chain come before it. */
#define JOURNAL_CHECKED_BYTES 12

/* What all checks of a segment start from. */
static inline uint32_t journal_seed(uint64_t key, uint64_t sequence, unsigned worker)
{
    unsigned char bytes[20];
    wire_put_u32(wire_put_u64(wire_put_u64(bytes, key), sequence), worker);
    return crc32c(0, bytes, sizeof bytes);
}

struct journal_entry_head {
    uint32_t length; /* of the payload */
    uint32_t chain;
    uint32_t head_check; /* the check of the payload goes on from here */
    uint32_t check;
};

static inline uint32_t journal_head_check(uint32_t seed, uint64_t offset, const unsigned char *head)
{
    unsigned char bytes[8 + JOURNAL_CHECKED_BYTES];
    wire_put_u64(bytes, offset);
    memcpy(bytes + 8, head, JOURNAL_CHECKED_BYTES);
    return crc32c(seed, bytes, sizeof bytes);
}

/* Writes all but the last field; returns the check to go on from over the payload. */
static inline uint32_t journal_put_entry_head(unsigned char *head, uint32_t seed, uint64_t offset, uint32_t length,
                                              uint32_t chain)
{
    memcpy(head, JOURNAL_ENTRY_MAGIC, JOURNAL_ENTRY_MAGIC_BYTES);
    wire_put_u32(wire_put_u32(head + JOURNAL_ENTRY_MAGIC_BYTES, length), chain);
    uint32_t check = journal_head_check(seed, offset, head);
    wire_put_u32(head + JOURNAL_CHECKED_BYTES, check);
    return check;
}

/* False when these 20 bytes are not the head of an entry at this offset. */
static inline bool journal_get_entry_head(const unsigned char *head, uint32_t seed, uint64_t offset,
                                          struct journal_entry_head *ret)
{
    if (memcmp(head, JOURNAL_ENTRY_MAGIC, JOURNAL_ENTRY_MAGIC_BYTES) != 0)
        return false;
    struct wire w = wire_of(head + JOURNAL_ENTRY_MAGIC_BYTES, JOURNAL_ENTRY_HEAD_BYTES - JOURNAL_ENTRY_MAGIC_BYTES);
    struct journal_entry_head h;
    h.length = wire_u32(&w);
    h.chain = wire_u32(&w);
    h.head_check = wire_u32(&w);
    h.check = wire_u32(&w);
    if (h.length > JOURNAL_PAYLOAD_MAX || h.head_check != journal_head_check(seed, offset, head))
        return false;
    *ret = h;
    return true;
}

#endif
