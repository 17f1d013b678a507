/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_PRICE_H
#define OPENAI_PRICE_H

/*
 * price: the catalogue of prices, and the search for one price in it.
 *
 * A catalogue is built from text: our prices (data/prices.csv), what is known about the models
 * (data/models.csv), and optionally the user's overrides in the form of prices.csv. It is built
 * whole or not at all; the fault names file, line and reason. Once built it never changes, so any
 * number of threads may read it; whoever built it frees it after the last reader. The texts are
 * copied; views returned from here are good as long as the catalogue.
 *
 * Amounts are pico-dollars (base/money.h), times are wall-clock microseconds, intervals are
 * half-open: a price holds from the first microsecond of `from` to the last before `to`.
 *
 * Most callers want cost_of (openai/cost.h) or the listings (openai/price_list.h), not price_unit.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "openai/price_csv.h"
#include "openai/usage.h"

/* What is priced alike. Columns: name, text in the catalogue. */
#define PRICE_GROUP_TABLE(X)      \
    X(UNKNOWN, "unknown")         \
    X(FREE, "free")               \
    X(TEXT, "text")               \
    X(DECISIONS, "decisions")     \
    X(EMBEDDINGS, "embeddings")   \
    X(IMAGES, "images")           \
    X(AUDIO, "audio")             \
    X(VIDEOS, "videos")           \
    X(FINE_TUNING, "fine_tuning") \
    X(UNMETERED, "unmetered") /* costs something that no answer reports */

enum price_group {
#define X(name, text) PRICE_GROUP_##name,
    PRICE_GROUP_TABLE(X)
#undef X
        PRICE_GROUP_COUNT
};

/* Columns: name, text. Append only: the journal may store indices. */
#define PRICE_TIER_TABLE(X)   \
    X(STANDARD, "standard")   \
    X(BATCH, "batch")         \
    X(FLEX, "flex")           \
    X(PRIORITY, "priority")   \
    X(ULTRAFAST, "ultrafast") \
    X(UNKNOWN, "unknown")

enum price_tier {
#define X(name, text) PRICE_TIER_##name,
    PRICE_TIER_TABLE(X)
#undef X
        PRICE_TIER_COUNT
};

/* How a model id was found. Columns: name, text. */
#define PRICE_MATCH_TABLE(X)               \
    X(NONE, "not in the catalogue")        \
    X(EXACT, "the id itself")              \
    X(SPELLING, "another spelling of it")  \
    X(SNAPSHOT, "the id without its date") \
    X(FINE_TUNED, "the fine-tuned base model")

enum price_match {
#define X(name, text) PRICE_MATCH_##name,
    PRICE_MATCH_TABLE(X)
#undef X
        PRICE_MATCH_COUNT
};

const char *price_group_text(enum price_group g);
const char *price_tier_text(enum price_tier t);
const char *price_match_text(enum price_match m);
/* OpenAI's service_tier: "", "auto", "default", "scale" are standard, "fast" is priority. */
enum price_tier price_tier_of(struct str service_tier);

/* In row ids: the line is one of the overrides. */
#define PRICE_ROW_OVERRIDE UINT32_C(0x80000000)

struct price_catalog;
struct price_entry; /* all prices of one model id */

struct price_source {
    struct str prices, models;
    struct str overrides; /* empty = none */
};

/* The texts inside the program; overrides empty. */
struct price_source price_source_builtin(void);

/* ERR_BAD_PRICES when a text is refused; then *ret_fault says why, and there is no catalogue. */
enum err price_catalog_new(const struct price_source *source, struct price_catalog **ret_catalog,
                           struct price_fault *ret_fault) ERR_USE;
void price_catalog_free(struct price_catalog *c); /* NULL does nothing */

/*
 * Date and serial of our prices, 2026112201. With overrides it is a fingerprint of both texts, with
 * the highest bit set: rows priced with other figures never carry the same version.
 */
uint32_t price_catalog_version(const struct price_catalog *c);
#define PRICE_VERSION_TEXT_MAX 24
/* "2026-11-22.01" or "custom-1a2b3c4d"; returns the length. */
size_t price_version_format(uint32_t version, char out[PRICE_VERSION_TEXT_MAX]);
uint32_t price_catalog_base_version(const struct price_catalog *c);
uint32_t price_catalog_override_version(const struct price_catalog *c); /* 0 = none given */

/* The group of an operation ("chat.completions"), by its longest dotted prefix in the catalogue. */
enum price_group price_group_of(const struct price_catalog *c, struct str operation);

/*
 * The prices of a model: the id itself; else with gpt-35 read as gpt-3.5; else without a trailing
 * date, "-latest" or "-stable"; else ft:<base> of a fine-tuned id. Never a mere prefix: an unknown
 * gpt-5-micro is not gpt-5. NULL when there is none.
 */
const struct price_entry *price_find(const struct price_catalog *c, struct str model, enum price_match *ret_match);

/* ---- One price ---- */

enum { PRICE_METER_STORAGE = METER_COUNT }; /* GB-days of vector storage: no request consumes it */

struct price_ask {
    enum price_group group;
    enum price_tier tier;
    bool long_context, regional;
    int64_t when_us;
    struct str quality, size; /* of the meter asked for; "" = "default" */
};

struct price_unit {
    int64_t unit_pusd;  /* cost = quantity × unit_pusd × num ÷ (per × den) */
    uint64_t per;       /* at most 3,600,000 */
    uint64_t num, den;  /* of tier, context and region together; at most 10^18 and 10^12 */
    bool whole_seconds; /* the quantity is first rounded to full seconds */
    bool estimate;      /* an approximate price */
    uint32_t row;       /* line of the file; PRICE_ROW_OVERRIDE set for a line of the overrides */
};

enum price_missing {
    PRICE_FOUND,
    PRICE_NO_MODEL,   /* the model is not in the catalogue */
    PRICE_NO_METER,   /* it has no price for this meter */
    PRICE_NO_PERIOD,  /* … at this time */
    PRICE_NO_TIER,    /* … in this service tier or context length */
    PRICE_NO_VARIANT, /* … of this quality or size */
};

/* `meter` is an enum meter or PRICE_METER_STORAGE; `e` may be NULL (tools have prices without a model). */
enum price_missing price_unit(const struct price_catalog *c, const struct price_entry *e, unsigned meter,
                              const struct price_ask *ask, struct price_unit *ret_unit) ERR_USE;
/* Input tokens above which a request is "long context"; UINT64_MAX when the model has no such rule. */
uint64_t price_threshold(const struct price_entry *e, enum price_group group, int64_t when_us);

#endif
