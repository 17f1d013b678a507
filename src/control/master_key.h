/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_MASTER_KEY_H
#define CONTROL_MASTER_KEY_H

/*
 * master_key: the one key that opens all others, and where it comes from.
 *
 * 32 random bytes, given as 64 hexadecimal digits or base64; no passphrase is taken, because
 * nothing here would slow down guessing one. It is known by its id, "mk-" and 16 hexadecimal
 * digits derived from it, which is stored beside what it wrapped and says nothing about it.
 */

#include <stdbool.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

#define MASTER_KEY_BYTES 32
#define MASTER_KEY_ID_BYTES 8
#define MASTER_KEY_ID_MAX 20

struct master_key {
    struct secret bytes; /* MASTER_KEY_BYTES */
    unsigned char id_bytes[MASTER_KEY_ID_BYTES];
    char id[MASTER_KEY_ID_MAX]; /* "mk-0123456789abcdef" */
};

/* "mk-…" for the stored form of an id. */
void master_key_id_text(const unsigned char id_bytes[MASTER_KEY_ID_BYTES], char out[MASTER_KEY_ID_MAX]);

/*
 * ERR_BAD_MASTER_KEY with a sentence in `why` when the text is not 32 bytes in one of the two
 * forms, or is plainly no random key (a few different bytes only).
 */
enum err master_key_from_text(struct master_key *k, struct str text, char *why, size_t why_cap) ERR_USE;
/* The same from a file; one line end behind the key is accepted. */
enum err master_key_from_file(struct master_key *k, const char *path, char *why, size_t why_cap) ERR_USE;
/*
 * The same from `name` in `dir`, which must be private. When there is none: makes a key and the file
 * if `may_make`, else ERR_NOT_FOUND.
 */
enum err master_key_from_own_file(struct master_key *k, const char *dir, const char *name, bool may_make, char *why,
                                  size_t why_cap) ERR_USE;
void master_key_wipe(struct master_key *k);

/*
 * HKDF-SHA-256 of the master key for one purpose; `n` bytes to `out`. Different `purpose` texts give
 * independent keys.
 */
void master_key_derive(const struct master_key *k, const char *purpose, unsigned char *out, size_t n);

#endif
