/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_OPTS_H
#define SIM_OPTS_H

/*
 * opts: the simulator's command line, from one table.
 *
 * Columns: field, kind (TEXT, COUNT, FLAG, LIST), default, placeholder, sentence. An option is written
 * "--field-name VALUE" or "--field-name=VALUE", underscores as hyphens; a FLAG has no value; a LIST may
 * be given several times.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define OPTS_TABLE(X)                                                                                              \
    X(listen, TEXT, "127.0.0.1:8788", "HOST:PORT", "Address to listen on; port 0 takes a free one and prints it.") \
    X(seed, COUNT, "1", "N", "Ids, texts and numbers follow from it; two runs with one seed answer alike.")        \
    X(latency_ms, COUNT, "0", "N", "Wait before every answer.")                                                    \
    X(chunk_ms, COUNT, "0", "N", "Wait between the events of a stream.")                                           \
    X(script, TEXT, "", "FILE", "Rules for failing on cue, one JSON object a line; see docs/SIMULATOR.md.")        \
    X(require_key, LIST, "", "KEY", "Accept this key and no other than those named; may be repeated.")             \
    X(count, TEXT, "exact", "exact|simple", "Count tokens with the tokenizer, or as a quarter of the bytes.")      \
    X(hash, TEXT, "on", "on|off", "SHA-256 of every body for /sim/requests; off saves time with large bodies.")    \
    X(ledger_rows, COUNT, "100000", "N", "Requests remembered for /sim/requests; totals are exact without end.")   \
    X(body_max, COUNT, "536870912", "BYTES", "Largest request body that is read; larger ones get 413.")            \
    X(store_max, COUNT, "268435456", "BYTES", "Memory for contents of files; the oldest give way.")                \
    X(connections_max, COUNT, "20000", "N", "Most connections at a time.")                                         \
    X(tls_cert, TEXT, "", "FILE", "Certificate chain (PEM); with --tls-key the listener speaks TLS.")              \
    X(tls_key, TEXT, "", "FILE", "Private key (PEM) of the certificate.")                                          \
    X(help, FLAG, "", "", "Print this and exit.")                                                                  \
    X(version, FLAG, "", "", "Print the version and exit.")

#define OPTS_LIST_MAX 64

struct opts_list {
    struct str items[OPTS_LIST_MAX];
    unsigned n;
};

typedef struct str opts_TEXT;
typedef uint64_t opts_COUNT;
typedef bool opts_FLAG;
typedef struct opts_list opts_LIST;

struct opts {
#define X(field, kind, preset, holder, help) opts_##kind field;
    OPTS_TABLE(X)
#undef X
};

/* Fills in the defaults, then reads the arguments. False with a sentence in `why`. Views point into argv. */
bool opts_read(struct opts *o, int argc, char **argv, char *why, size_t why_cap);
/* The text of --help, on standard output. */
void opts_print_help(void);

#endif
