/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H

/*
 * console: everything on the listener that is not a request for a provider: health, metrics, the
 * admin API, the web page. Handlers may wait for a disk, so they run on a thread of their own; a
 * worker only collects the request's body and sends the answer.
 */

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "net/http_server.h"

struct console;
struct cache;
struct control;
struct gateway;
struct import;
struct ledger;
struct limits;
struct notify;
struct oidc_settings;
struct otlp;
struct price_catalog;
struct watch;

struct console_settings {
    struct control *control;
    struct ledger *ledger;
    struct cache *cache;                          /* NULL: none */
    struct otlp *otlp;                            /* NULL: no traces are sent */
    struct limits *limits;                        /* NULL: nothing is counted */
    struct import *import;                        /* NULL: no bills are imported */
    struct watch *watch;                          /* NULL: nobody looks at alerts */
    struct notify *notify;                        /* NULL: nothing is sent to people */
    uint64_t vantage_calls, vantage_report_calls; /* vantage/access/calls.h; 0: no limit */
    const char *dir;                              /* the data directory, for reading the ledger */
    bool tls;                                     /* clients are served over TLS */
    const struct oidc_settings *oidc;             /* people/oidc.h; NULL: no provider to sign in at */
    bool no_passwords;                            /* people sign in at that provider only */
    struct str public_url; /* where clients reach this server, without a slash at the end; "" = as they ask */
    /* Reads the price files again. ERR_BAD_PRICES with a sentence. */
    enum err (*reload_prices)(void *ctx, char *why, size_t why_cap);
    /* The catalogue as those files say now, the caller's; NULL with a sentence. */
    struct price_catalog *(*load_prices)(void *ctx, char *why, size_t why_cap);
    void *ctx;
};

/* NULL with a sentence in `why` when the ledger cannot be read. */
struct console *console_new(const struct console_settings *settings, char *why, size_t why_cap);
/* Set once the gateway runs; before that the console answers 503. */
void console_set_gateway(struct console *c, struct gateway *g);
/* For gateway_settings.console; on the worker's thread. */
void console_request(void *console, struct http_exchange *x);
/* Finishes what is queued; from now on the console answers 503. Before the gateway stops. */
void console_stop(struct console *c);
/* After the gateway has stopped. */
void console_free(struct console *c);

#endif
