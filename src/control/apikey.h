/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_APIKEY_H
#define CONTROL_APIKEY_H

/*
 * apikey: the text that callers present, and what is stored of it.
 *
 *     tg-  N0f2…  (32 base-62 digits, 190 random bits)  4gfFC3  (CRC-32C of all before, 6 digits)
 *
 * The checksum tells a mistyped key from an unknown one without a look-up; it is no protection.
 * Its last four digits are what is shown of a key later: they give away at most 24 bits, so at
 * least 166 stay unknown.
 *
 * Stored is a SHA-256 over a secret of this installation (the pepper), the length, and the whole
 * presented text. A plain fast hash is right for what is random and long (ASVS 6.5.2); the
 * pepper makes a stolen table useless for checking guesses, and the hash itself is no credential.
 * Since the whole text is hashed whatever its shape, an operator's own key (TOLLGATE_ADMIN_KEY)
 * works the same way.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

#define APIKEY_PREFIX "tg-"
#define APIKEY_RANDOM_DIGITS 32
#define APIKEY_CHECK_DIGITS 6
#define APIKEY_LEN (sizeof APIKEY_PREFIX - 1 + APIKEY_RANDOM_DIGITS + APIKEY_CHECK_DIGITS)
/* Longest text that is hashed; longer ones are no keys of ours. */
#define APIKEY_PRESENTED_MAX 512
#define APIKEY_HASH_BYTES 32
#define APIKEY_PEPPER_BYTES 32
#define APIKEY_LAST 4
/* The id by which a key is spoken of: base-62 digits that have nothing to do with the key's text. */
#define APIKEY_ID_LEN 8
#define APIKEY_OWN_MIN 24

enum apikey_shape {
    APIKEY_OURS,     /* prefix, length and checksum are right: if it is unknown, it is unknown */
    APIKEY_MISTYPED, /* begins with our prefix but the rest does not hold together */
    APIKEY_FOREIGN,  /* not made by us: a provider's key, or an operator's own text */
};

/* A new key. */
void apikey_make(struct secret *ret_key);
/* A new public id, not terminated. */
void apikey_make_id(char out[APIKEY_ID_LEN]);
enum apikey_shape apikey_shape_of(struct str presented);

/* The stored form. False, with `out` untouched, when `presented` is empty or longer than a key may be. */
bool apikey_hash(const unsigned char pepper[APIKEY_PEPPER_BYTES], struct str presented,
                 unsigned char out[APIKEY_HASH_BYTES]) __attribute__((warn_unused_result));

/* What may be shown of a key: its last four characters, or nothing of a short one. */
void apikey_last(struct str key, char out[APIKEY_LAST + 1]);

/*
 * Whether an operator's own text may serve as a key: at least APIKEY_OWN_MIN characters, visible
 * ASCII without white space (it travels in a header), no text that stands in somebody's manual.
 * ERR_BAD_OPTION with a sentence in `why`, which never quotes the text.
 */
enum err apikey_check_own(struct str text, char *why, size_t why_cap) ERR_USE;

#endif
