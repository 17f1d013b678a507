/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_COST_H
#define OPENAI_COST_H

/*
 * cost: what an exchange costs, exactly, or why that is not known.
 *
 * Each meter of the usage is multiplied by its price and rounded once, to a whole pico-dollar
 * (half away from zero); the total is the plain sum of the parts. There is no cost of 0 by default:
 * a quantity without a price makes the whole exchange unpriced, and the cost says which one.
 *
 * Nothing here fails, allocates or locks; a cost takes well below a microsecond.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "openai/price.h"
#include "openai/usage.h"

/* Columns: name, text in JSON, CLI and SQL, meaning. Append only: the journal stores indices. */
#define COST_STATE_TABLE(X)                                                                  \
    X(NONE, "none", "nothing was consumed: no usage, or nothing sent upstream")              \
    X(PRICED, "priced", "exact by the catalogue")                                            \
    X(ESTIMATED, "estimated", "an approximation; the reason says what is not exact")         \
    X(UNPRICED, "unpriced", "something was consumed and has no price; the amount is absent") \
    X(FREE, "free", "the operation or the model costs nothing")

enum cost_state {
#define X(name, text, what) COST_##name,
    COST_STATE_TABLE(X)
#undef X
        COST_STATE_COUNT
};

/* Columns: name, text, sentence. Append only. */
#define COST_REASON_TABLE(X)                                                                       \
    X(EXACT, "", "")                                                                               \
    X(OPERATION, "operation", "the operation is not in the catalogue")                             \
    X(MODEL, "model", "the model is not in the catalogue")                                         \
    X(METER, "meter", "the model has no price for this meter")                                     \
    X(PERIOD, "period", "the model had no price at that time")                                     \
    X(TIER, "tier", "the model has no price in this service tier or context length")               \
    X(VARIANT, "variant", "there is no price for this quality or size")                            \
    X(USAGE, "usage", "something was consumed that nobody counted")                                \
    X(OVERFLOW, "overflow", "the amount is beyond every possible bill")                            \
    X(COUNTED_HERE, "counted_here", "the tokens were counted by the gateway, not by the provider") \
    X(INCONSISTENT, "inconsistent", "the provider's figures contradict each other")                \
    X(ROUGH_PRICE, "rough_price", "only an approximate price is known")                            \
    X(AGGREGATE, "aggregate", "a sum of several requests, some of which may have been long")

enum cost_reason {
#define X(name, text, what) COST_REASON_##name,
    COST_REASON_TABLE(X)
#undef X
        COST_REASON_COUNT
};

/* What was asked for and when. Views are needed during the call only. */
struct price_query {
    struct str model;         /* as answered, else as asked */
    struct str operation;     /* of the endpoint table */
    struct str service_tier;  /* as answered, else as asked; "" = standard */
    struct str quality, size; /* images, video; "" = those of the usage, else the default */
    struct str container;     /* memory of code sessions: "4g"; "" = the default */
    int64_t when_us;          /* when the request was made */
    bool batch;               /* through the Batch API: decides the tier */
    bool regional;            /* sent to a host with regional processing */
    bool aggregate;           /* the usage is a sum over several requests */
    bool web_search_preview;  /* web searches were made by the preview tool */
};

struct cost {
    int64_t total_pusd;             /* 0 when unpriced: absent, not nothing */
    int64_t part_pusd[METER_COUNT]; /* they add up to the total */
    enum cost_state state;
    enum cost_reason reason; /* why unpriced or estimated */
    enum meter meter;        /* what the reason is about; METER_COUNT = no single one */
    enum price_tier tier;    /* the one used */
    enum price_match match;  /* how the model was found */
    bool long_context;       /* above the model's threshold */
    uint32_t price_row;      /* of the first meter's price; 0 = none. See price_list.h */
};

void cost_of(const struct price_catalog *c, const struct price_query *query, const struct usage *usage,
             struct cost *ret_cost);

/*
 * The calculation in words, one line a meter: quantity, price row, factors, amount; then the total
 * or the reason. Made anew from the same arguments. False when `out` is full.
 */
bool cost_explain(const struct price_catalog *c, const struct price_query *query, const struct usage *usage,
                  struct buf *out);

const char *cost_state_text(enum cost_state s);
const char *cost_reason_text(enum cost_reason r);
const char *cost_reason_sentence(enum cost_reason r);

#endif
