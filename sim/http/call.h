/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_HTTP_CALL_H
#define SIM_HTTP_CALL_H

/*
 * call: one API call, from its head to the last byte of its answer.
 *
 * A call comes over HTTP (`x` set) or is a line of a batch (`x` NULL, `captured` receives the
 * answer). Views in it point into its arena unless said otherwise. `json` is there only while the
 * handler runs: a stream that goes on afterwards keeps what it needs in the arena.
 */

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json/jdoc.h"
#include "base/rng.h"
#include "openai/usage.h"
#include "sim/http/answer.h"
#include "sim/http/cue.h"
#include "sim/http/paths.h"
#include "sim/sim.h"

struct bill;
struct caller;
struct formread;

enum call_surface {
    CALL_OPENAI,      /* /v1/… */
    CALL_AZURE_DATED, /* /openai/…?api-version= */
    CALL_AZURE_V1,    /* /openai/v1/… */
    CALL_OWN,         /* /sim/… */
};

/* What the organization's usage pages call the work. */
enum call_work {
    CALL_WORK_NONE,
    CALL_WORK_COMPLETIONS,
    CALL_WORK_DECISIONS,
    CALL_WORK_EMBEDDINGS,
    CALL_WORK_MODERATIONS,
    CALL_WORK_IMAGES,
    CALL_WORK_SPEECHES,
    CALL_WORK_TRANSCRIPTIONS,
    CALL_WORK_VECTOR_STORES,
    CALL_WORK_CODE_SESSIONS,
    CALL_WORK_FILE_SEARCHES,
    CALL_WORK_WEB_SEARCHES,
    CALL_WORK_VIDEOS,
    CALL_WORK_TRAINING,
    CALL_WORK_COUNT
};

#define CALL_MODEL_MAX 96
#define CALL_WORD_MAX 24

/* What a call consumed, as the simulator served it; filled in as it goes. */
struct call_used {
    enum call_work work;
    struct usage usage;          /* disjoint quantities, and the totals as reported */
    char model[CALL_MODEL_MAX];  /* that answered */
    char source[CALL_WORD_MAX];  /* images: "image.generation", … */
    uint64_t images, characters; /* made or read, whatever they are billed by */
    uint64_t seconds_ms;         /* heard */
    bool batch;
    bool reported; /* the usage object was part of the answer */
    bool no_usage; /* the operation has a usage object, and it was left out on cue */
};

struct call_capture {
    int status;
    struct buf body;
    struct usage usage;
    char request_id[64];
};

struct call {
    unsigned magic;
    struct sim *sim;
    struct http_exchange *x; /* NULL: a line of a batch */
    struct list node;
    struct arena *arena;
    uint64_t number;       /* from 1, in order of arrival */
    uint64_t seed;         /* follows from the simulator's seed, the path and the body */
    struct rng_seeded ids; /* follows from the seed and the number */
    int64_t wall_us;
    enum call_surface surface;
    const struct route *route;              /* NULL: none */
    call_fn *refuse;                        /* answers instead of the route's handler */
    struct str method, target, path, query; /* path: below the base, "/chat/completions" */
    struct str args[PATHS_ARGS_MAX];
    struct str deployment, api_version; /* Azure */
    struct str content_type, accept_encoding, beta, project_wish, websocket_key, websocket_protocols;
    struct str client_id; /* X-Client-Request-Id */
    struct str key_hint;
    const struct caller *caller;
    const struct cue *cue;
    struct str cue_wrong;

    struct buf body;       /* JSON and other whole bodies */
    struct formread *form; /* multipart; owned */
    uint64_t body_bytes;
    EVP_MD_CTX *body_hash, *answer_hash; /* kept with the call */
    struct loop_timer stall;
    bool gathering; /* the body is not complete */
    bool too_large;
    bool upgrade; /* asks for a WebSocket */
    struct jdoc doc;
    struct jval json;

    char request_id[48];
    char model_asked[CALL_MODEL_MAX];
    struct bill *bill; /* NULL: nothing is consumed */
    struct call_used used;
    struct answer answer;
    struct call_capture *captured;
    void *raw; /* of an upgraded connection: whose */
    void (*on_raw)(struct call *c, struct str bytes, bool last);
    void (*on_raw_gone)(struct call *c);
    uint64_t row; /* its number in `served`, 0 while not recorded */
};

/* `x` NULL: a line of a batch. */
struct call *call_new(struct sim *sim, struct http_exchange *x);
void call_free(struct call *c);
/* Gives back a spare call for good. */
void call_scrap(struct call *c);

/* Text in the call's arena. */
struct str call_format(struct call *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "chatcmpl-" and `n` letters. */
struct str call_id(struct call *c, const char *prefix, size_t n);
struct str call_hex_id(struct call *c, const char *prefix, size_t n);
/* Unix seconds. */
int64_t call_now(const struct call *c);
static inline bool call_on_azure(const struct call *c)
{
    return c->surface == CALL_AZURE_DATED || c->surface == CALL_AZURE_V1;
}
struct str call_percent_decoded(struct call *c, struct str s);
/* The first value of a query parameter, percent-decoded; p NULL when there is none. */
struct str call_query(struct call *c, const char *name);
/*
 * All values of "name" and "name[]", in order; returns how many, at most `cap`.
 */
size_t call_query_all(struct call *c, const char *name, struct str *out, size_t cap);
uint64_t call_query_count(struct call *c, const char *name, uint64_t missing);

#endif
