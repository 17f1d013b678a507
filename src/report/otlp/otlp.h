/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_OTLP_OTLP_H
#define REPORT_OTLP_OTLP_H

/*
 * otlp: sends what the ledger records to an OpenTelemetry collector, as traces by OTLP over HTTP.
 *
 * A thread of its own with a loop of its own follows the ledger in the order in which rows appear
 * (query_arrivals.h), makes spans of them (span.h) and posts them in batches (post.h), one at a
 * time. Only what the collector has taken is done with; the ledger keeps the rest, over restarts and
 * kills. So every row is sent at least once, and one that is sent twice has the same span id. A
 * collector that is slow, down or refuses makes this thread wait and costs nobody else anything.
 *
 * What can be missing at the collector, each with a counter and a line in the log: rows that
 * retention has removed while the collector was away (`gone`), and single spans that the collector
 * has refused itself (`rejected`).
 *
 * The ledger was opened with keep_arrivals. otlp_status: from any thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct address_set;
struct ledger;
struct otlp;
struct snapshot;
struct tls_client;

#define OTLP_WHY_MAX 256

struct otlp_options {
    const char *dir; /* the data directory */
    struct ledger *ledger;
    struct str endpoint; /* "https://host:4318"; "/v1/traces" is put behind its path */
    struct str headers;  /* "name=value,name=value"; a secret */
    /* As for the gateway; they outlive this object. */
    const struct address_set *allowed;
    struct tls_client *tls;
    struct str https_proxy, http_proxy, no_proxy;
    uint64_t connect_timeout_us;
    /* The newest snapshot, with a reference for the caller: for names. NULL: numbers only. */
    struct snapshot *(*names)(void *ctx);
    void *names_ctx;
    unsigned poll_ms;        /* how often new rows are looked for; 0 = 1000 */
    unsigned retry_first_ms; /* the first wait after a failure; 0 = 1000. It doubles up to a minute */
};

/*
 * Begins. ERR_BAD_OPTION with a sentence in `why`: endpoint or headers cannot be used, or the endpoint
 * is the literal of an address that is not allowed. A collector that is not there is no failure.
 */
enum err otlp_open(const struct otlp_options *options, struct otlp **ret, char why[OTLP_WHY_MAX]) ERR_USE;
/*
 * Sends what waits, for at most `timeout_ms` and without trying again; the rest is sent after the
 * next start. Before ledger_close. NULL does nothing.
 */
void otlp_close(struct otlp *o, unsigned timeout_ms);

struct otlp_status {
    uint64_t exported;      /* spans that the collector took */
    uint64_t rejected;      /* spans that it did not want */
    uint64_t gone;          /* rows that were removed before they could be sent */
    uint64_t posts, failed; /* batches that were answered well, and those that were not */
    uint64_t waiting;       /* rows that are not sent yet */
    uint64_t lag_seconds;   /* age of the oldest of them */
    bool failing;           /* the last batch was not taken */
    char reason[OTLP_WHY_MAX];
};
void otlp_status(struct otlp *o, struct otlp_status *ret);

#endif
