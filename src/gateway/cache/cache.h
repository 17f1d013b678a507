/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_CACHE_CACHE_H
#define GATEWAY_CACHE_CACHE_H

/*
 * cache: answers that may be given again.
 *
 * One for the process, shared by all workers: entries are immutable and reference-counted, spread
 * over shards whose locks are held for a lookup in a table and never over I/O or copying. In memory
 * up to a byte cap, least recently used first out; with a directory also in DIR/cache.db, which a
 * thread of its own writes and reads, so that a restart keeps what was bought. What is on the disk
 * is known in memory by its key, so a miss costs no I/O.
 *
 * Keys are 32 bytes of SHA-256 over everything that must be equal (cache_key). Semantic entries are
 * found by the direction of a vector, exactly, among those with the same rest (semantic.h).
 *
 * Time is wall-clock microseconds: entries outlive the process.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "openai/endpoint.h"
#include "openai/usage.h"

struct cache;
struct cache_entry;
struct loop;

#define CACHE_KEY_BYTES 32
#define CACHE_ENTRY_MAX (4u << 20) /* larger answers are not kept */

struct cache_settings {
    const char *dir; /* NULL: memory only */
    uint64_t memory_max_bytes;
    uint64_t disk_max_bytes;
    unsigned semantic_max;      /* vectors per workspace */
    const char *semantic_model; /* whose vectors they are: those of another are dropped; NULL = "" */
};

/* `why` explains a failure; a damaged cache.db is put aside and begun anew, with a log line. */
enum err cache_open(const struct cache_settings *settings, struct cache **ret_cache, char *why, size_t why_cap) ERR_USE;
void cache_close(struct cache *c); /* what is queued for the disk is written first; NULL does nothing */

/* What must be equal for an answer to be given again. */
struct cache_key_parts {
    int64_t workspace_id;
    struct str upstream; /* authority and request path */
    struct str body; /* as it would go upstream; the order of members, stream and stream_options make no difference */
    bool has_namespace;
    struct str name_space; /* takes the place of the metadata */
    struct str metadata;   /* merged JSON object: member order does not matter */
};
void cache_key(const struct cache_key_parts *parts, unsigned char out[CACHE_KEY_BYTES]);
/* Whether answers of this operation may be kept: POST, no files, batches, fine-tuning, image edits, audio. */
bool cache_allows(const struct endpoint *e, struct str method);

/* An answer as it came: JSON, or the events of a stream. */
struct cache_answer {
    struct str content_type; /* "application/json" or "text/event-stream" */
    struct str body;         /* whole; of a stream with its usage chunk */
    struct str model;        /* that answered */
    struct usage usage;
    int64_t cost_pusd; /* what it cost, which a hit saves; -1 = unpriced */
    int64_t created_us;
    int64_t expires_us;
    bool stream;
};

/* Look-up in memory only: a reference, or NULL. *ret_on_disk: it may be there, ask cache_fetch. */
const struct cache_entry *cache_find(struct cache *c, const unsigned char key[CACHE_KEY_BYTES], int64_t now_us,
                                     bool *ret_on_disk);
const struct cache_answer *cache_answer_of(const struct cache_entry *e);
void cache_release(const struct cache_entry *e); /* NULL does nothing; any thread */

/* Reads from the disk; `fn` runs on the loop's thread with a reference, or NULL. */
struct cache_fetch;
typedef void cache_fetch_fn(void *ctx, const struct cache_entry *e);
struct cache_fetch *cache_fetch(struct cache *c, const unsigned char key[CACHE_KEY_BYTES], struct loop *l,
                                cache_fetch_fn *fn, void *ctx);
void cache_fetch_cancel(struct cache_fetch *f); /* `fn` will not be called */

/* Keeps a copy; takes the place of what has the same key. Never waits. */
void cache_put(struct cache *c, const unsigned char key[CACHE_KEY_BYTES], const struct cache_answer *answer);

struct cache_stats {
    uint64_t entries, memory_bytes, disk_entries, disk_bytes, vectors, evictions;
    uint64_t index_bytes; /* memory for knowing what is on the disk; beside memory_bytes */
    uint64_t dropped;     /* not written to the disk: the queue was full, or the disk failed */
};
void cache_stats_of(struct cache *c, struct cache_stats *ret);

/*
 * The bytes a client gets for a hit. A JSON answer as it is, or, to a client that asked for a
 * stream, as server-sent events that end in [DONE]: content in pieces, then finish_reason, then
 * the usage chunk when the client asked for usage. A kept stream goes to a client that asked for a
 * stream as it came (its usage chunk only when asked for), or to one that did not, joined into one
 * completion object. False when the form is not known (then it is no hit).
 */
struct cache_replay {
    const struct endpoint *endpoint;
    bool stream;        /* the client wants one */
    bool include_usage; /* … and usage in it */
};
bool cache_render(const struct cache_answer *answer, const struct cache_replay *how, struct buf *out,
                  struct str *ret_content_type) __attribute__((warn_unused_result));

#endif
