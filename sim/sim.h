/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

/*
 * sim: what one simulator consists of. One thread, one loop; everything hangs on this struct.
 *
 * The path of a request: intake (HTTP, surface, route, key, body) → a handler of api/, objects/ or
 * org/ → answer (delays, faults, events, bytes) → served (the record of what went out).
 */

#include <openssl/evp.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json/jdoc.h"
#include "base/list.h"
#include "net/http_server.h"
#include "net/loop.h"
#include "sim/opts.h"

struct caller_book;
struct cuefile;
struct orgsum;
struct price_catalog;
struct served;
struct shelf;
struct tally;
struct tls_server;

struct sim {
    struct opts opts;
    struct loop *loop;
    struct http_server *server;
    struct tls_server *tls; /* NULL: plain */
    struct caller_book *callers;
    struct cuefile *script;
    struct tally *tally;
    struct served *served;
    struct orgsum *orgsum;
    struct shelf *shelf;
    struct price_catalog *prices;
    EVP_MD *sha256;
    struct list calls; /* under way */
    struct list spare_calls;
    struct list jobs; /* batches under way */
    unsigned spare_count;
    uint64_t numbers;      /* calls so far */
    struct jdoc spare_doc; /* memory of the last parse */
    struct buf frames;     /* scratch of answer.c */
    char date_line[48];    /* "Date: …\r\n" of `date_second` */
    int64_t date_second;
    char org_lines[512]; /* head lines that are the same for every answer */
};

#define SIM_ORGANIZATION "org-simulator0000000000000"

#endif
