/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_CACHE_KEY_H
#define GATEWAY_CACHE_KEY_H

/*
 * key: the hash that keys and groups are made with. Between begin and end on one thread.
 */

#include <stdint.h>

#include "gateway/cache/cache.h"

struct evp_md_ctx_st;

struct key_hash {
    struct evp_md_ctx_st *md;
    size_t gathered;
    char gather[512]; /* short parts that wait to be hashed together */
};

void key_hash_begin(struct key_hash *h);
void key_hash_number(struct key_hash *h, uint64_t v);
void key_hash_bytes(struct key_hash *h, struct str s); /* without its length */
void key_hash_text(struct key_hash *h, struct str s);  /* behind its length */
/* All parts but the body. */
void key_hash_parts(struct key_hash *h, const struct cache_key_parts *parts);
/*
 * The members of a body, whatever their order, but for those that say how the answer is to come. The
 * member `name`, if not "", counts as if it had this value. What is no object counts as it stands.
 */
void key_hash_body(struct key_hash *h, struct str body, struct str name, struct str value);
void key_hash_end(struct key_hash *h, unsigned char out[CACHE_KEY_BYTES]);

#endif
