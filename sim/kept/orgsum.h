/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_KEPT_ORGSUM_H
#define SIM_KEPT_ORGSUM_H

/*
 * orgsum: what the organization's usage and cost pages will say, summed as calls end.
 *
 * Usage is kept by minute and by everything one can group by; costs by UTC day and line item, each
 * call priced once with the project's catalogue. Both tables are bounded: usage that no longer fits
 * by the minute is kept by the day, and what does not fit at all is counted as lost. A model without
 * a price adds no cost.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/money.h"
#include "sim/http/call.h"

struct orgsum;

/* Columns: name, what it sums. */
#define ORGSUM_TABLE(X)                             \
    X(REQUESTS, "calls")                            \
    X(INPUT, "input tokens, everything included")   \
    X(CACHED, "of them cached")                     \
    X(WRITE_30M, "of them written to the cache")    \
    X(WRITE_12H, "of them written for 12 hours")    \
    X(OUTPUT, "output tokens, everything included") \
    X(AUDIO_IN, "audio input, cached included")     \
    X(AUDIO_CACHED, "of it cached")                 \
    X(AUDIO_OUT, "audio output")                    \
    X(IMAGE_IN, "image input, cached included")     \
    X(IMAGE_CACHED, "of it cached")                 \
    X(IMAGE_OUT, "image output")                    \
    X(IMAGES, "images made")                        \
    X(CHARACTERS, "characters spoken")              \
    X(MILLISECONDS, "audio heard")                  \
    X(CALLS, "searches, sessions")                  \
    X(BYTES, "stored")

enum orgsum_figure {
#define X(name, what) ORGSUM_##name,
    ORGSUM_TABLE(X)
#undef X
        ORGSUM_FIGURE_COUNT
};

/* What one can group and filter by. Texts are interned: their numbers stand for them. */
#define ORGSUM_DIMENSION_TABLE(X) X(PROJECT) X(USER) X(KEY) X(MODEL) X(TIER) X(SIZE) X(SOURCE) X(LINE)

enum orgsum_dimension {
#define X(name) ORGSUM_BY_##name,
    ORGSUM_DIMENSION_TABLE(X)
#undef X
        ORGSUM_DIMENSION_COUNT
};

struct orgsum_row {
    uint32_t minute; /* since 1970; of costs: the day's first */
    uint8_t work;    /* enum call_work; CALL_WORK_COUNT: a cost */
    bool batch;
    uint16_t by[ORGSUM_DIMENSION_COUNT];
    union {
        uint64_t figure[ORGSUM_FIGURE_COUNT];
        struct {
            money_sum pusd;
            uint64_t quantity;
            const char *unit;
        } cost;
    };
};

struct orgsum *orgsum_new(void);
void orgsum_free(struct orgsum *s);
void orgsum_reset(struct orgsum *s);

/* A call that was recorded. */
void orgsum_add(const struct call *c);

/* All rows, in no order; NULL behind the last. */
const struct orgsum_row *orgsum_row(const struct orgsum *s, uint32_t i);
/* The text of a dimension's number; "" is number 0. */
const char *orgsum_text(const struct orgsum *s, uint16_t number);
/* Calls that found no room. */
uint64_t orgsum_lost(const struct orgsum *s);

#endif
