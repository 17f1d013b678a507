/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CRYPT_H
#define CONTROL_CRYPT_H

/*
 * crypt: secrets at rest, as an envelope.
 *
 *     master key  ──wraps──▶  data key of a workspace  ──seals──▶  provider key, pepper, …
 *
 * The master key never touches the database; it comes from the environment or a file. Each
 * workspace has data keys of its own, stored wrapped. Everything is AES-256-GCM with a fresh
 * random 96-bit nonce (a data key may seal 2^32 values before chance matters). The associated data
 * of a sealed value is its place: table, row and column, so a value moved to another row, column or
 * workspace does not open; that of a wrapped data key is its id and its workspace.
 *
 *     sealed   = 0x01  data key id (8, BE)     nonce (12)  ciphertext  tag (16)
 *     wrapped  = 0x02  master key id (8)       nonce (12)  ciphertext  tag (16)
 *
 * The master key's id and the key that wraps are both derived from it (HKDF-SHA-256) and
 * independent of each other; see master_key.h.
 *
 * A struct crypt is not thread-safe while keys are added; sealing and opening may run on any
 * number of threads after that.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

#define CRYPT_KEY_BYTES 32
/* How much longer a sealed value is than what it holds. */
#define CRYPT_OVERHEAD (1 + 8 + 12 + 16)
#define CRYPT_WRAPPED_BYTES (CRYPT_KEY_BYTES + CRYPT_OVERHEAD)
/* Longest value that is sealed. */
#define CRYPT_PLAIN_MAX (256u * 1024)

struct master_key; /* master_key.h */
struct crypt;

/* Takes the key's bytes over; `k` is empty afterwards. */
struct crypt *crypt_new(struct master_key *k) __attribute__((returns_nonnull));
void crypt_free(struct crypt *c); /* NULL does nothing */
const char *crypt_master_id(const struct crypt *c);

/*
 * Makes a data key, remembers it as `key_id` of `workspace_id`, appends its wrapped form
 * (CRYPT_WRAPPED_BYTES) to `out`, which must have room.
 */
void crypt_make_key(struct crypt *c, int64_t key_id, int64_t workspace_id, struct buf *out);
/*
 * Opens a wrapped data key and remembers it. ERR_BAD_MASTER_KEY, naming both keys in `why`, when
 * another master key wrapped it; ERR_CORRUPT when it was altered or moved.
 */
enum err crypt_add_key(struct crypt *c, int64_t key_id, int64_t workspace_id, struct str wrapped, char *why,
                       size_t why_cap) ERR_USE;
/* Forgets this data key and all with greater ids: they were not stored after all. */
void crypt_forget_from(struct crypt *c, int64_t key_id);
/* Whether something can be sealed for this workspace. */
bool crypt_has_key(const struct crypt *c, int64_t workspace_id);

/*
 * Another master key: from begin on, data keys are wrapped with it; crypt_rewrap_key appends one that is
 * known (false when it is not). end keeps the new key or goes back to the old one; without begin it does nothing.
 */
void crypt_rewrap_begin(struct crypt *c, const struct master_key *k);
bool crypt_rewrap_key(const struct crypt *c, int64_t key_id, struct buf *out) __attribute__((warn_unused_result));
void crypt_rewrap_end(struct crypt *c, bool keep);

struct crypt_place {
    const char *table;
    int64_t row;
    const char *column;
};

/*
 * Seals with the newest data key of the workspace, which must have one, and appends to `out`, which
 * must have room for plain.n + CRYPT_OVERHEAD bytes. plain.n ≤ CRYPT_PLAIN_MAX.
 */
void crypt_seal(const struct crypt *c, int64_t workspace_id, struct crypt_place place, struct str plain,
                struct buf *out);
/* ERR_CORRUPT when `sealed` was altered, cut, or belongs to another place or workspace. */
enum err crypt_open(const struct crypt *c, int64_t workspace_id, struct crypt_place place, struct str sealed,
                    struct secret *ret_plain) ERR_USE;

#endif
