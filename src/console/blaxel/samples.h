/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_BLAXEL_SAMPLES_H
#define CONSOLE_BLAXEL_SAMPLES_H

/*
 * samples: what was asked of model APIs in some time, one entry a request, out of the ledger's rows, and
 * the statistics that Blaxel's metrics are made of. Times are microseconds; attempts whose answer the
 * client did not get are left out. At most SAMPLES_MAX, the newest.
 */

#include "console/job.h"

#define SAMPLES_MAX 200000u

struct sample {
    int64_t at_us;                    /* wall clock, when it began */
    uint64_t total_us, first_byte_us; /* 0 = none */
    uint32_t input_tok, output_tok;
    uint32_t workload; /* index of the model API's name */
    uint16_t status;
    bool stream;
};

struct samples {
    struct sample *list; /* newest first; owned */
    size_t count;
    struct str *names; /* of model APIs, in the job's arena */
    size_t name_count;
};

/*
 * Of one model API, or of all of the workspace (model "").
 * False when the job was answered. Then, too, samples_free.
 */
bool samples_load(struct job *j, struct str model, int64_t from_us, int64_t to_us, struct samples *ret);
void samples_free(struct samples *s);

/* A part of a list: those in [from, to). */
struct samples_span {
    const struct sample *list;
    size_t count;
};
struct samples_span samples_between(const struct samples *s, int64_t from_us, int64_t to_us);

/* What of a sample is looked at; false when it has none. */
typedef bool samples_value_fn(const struct sample *s, uint64_t *ret_us);
bool samples_duration(const struct sample *s, uint64_t *ret_us);
/* Of streams only. */
bool samples_first_token(const struct sample *s, uint64_t *ret_us);

struct samples_stats {
    size_t count;
    uint64_t average_us, p50_us, p90_us, p99_us; /* 0 without values */
};
/* `status` 0: of all. */
struct samples_stats samples_stats_of(struct samples_span span, samples_value_fn *value, unsigned status);

#define SAMPLES_CODES_MAX 64
/* The statuses that occur, in order, with how often. */
struct samples_code {
    unsigned status;
    size_t count;
};
size_t samples_codes(struct samples_span span, struct samples_code out[SAMPLES_CODES_MAX]);

#endif
