/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_MATCH_MATCH_H
#define REPORT_MATCH_MATCH_H

/*
 * match: which billed costs and which metered traffic speak of the same thing.
 *
 * Both sides are brought to a place (whose: organization, project, key of OpenAI) and a sku (what: model,
 * meter, tier). Amounts of one day with the same place and the same sku may be compared, and a billed
 * amount may be shared out by what was metered there.
 *
 * Places. A bill says which key of OpenAI was used; the gateway knows the integration whose stored key it
 * sent. A link ties the two: the integration's OpenAI-Organization and OpenAI-Project, and the ends of its
 * key, compared with the masked keys ("sk-…abcd") that OpenAI lists. Where that names no single key, the
 * integration's traffic could be any of the keys that nothing else claims: those are one place together
 * ("rest"), of the project when that is known, else of the organization. So places never overlap, each
 * billed row has exactly one, and both sides are told apart as finely as both can be, never finer.
 *
 *   account no key known, no project known   (account, ANY, ANY), rest
 *   project known                            (account, project, ANY), rest
 *   key known                                (account, project, key)
 *   billed, claimed by no link               (account, project, key), or the rest it falls into
 *
 * Metered traffic has no place when it went to another biller (Azure, other hosts), or when nothing
 * tells to which of several organizations; enum match_miss says which.
 *
 * Skus. Model without its date, in lower case ("ft:gpt-4o-…:org::id" and "ft-gpt-4o-…" are "ft-gpt-4o");
 * tools that are billed by themselves (web search …) have no model. Long context is no part of it,
 * because hourly sums of the ledger do not tell it.
 *
 * Built for one reading of one state of bill.db, by one thread. Views live as long as the object.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "control/kind.h"
#include "openai/price.h"
#include "openai/usage.h"
#include "store/sqlite.h"

struct match;

/*
 * An integration as it was from `from_us` on. Read by match_links_load; tests make their own. Those of kind OPENAI_ADMIN
 * tell which host an account of the bill is at.
 */
struct match_link {
    int64_t integration; /* its id, as in the ledger; of OPENAI_ADMIN also the account's in bill.db */
    int64_t workspace;
    int64_t from_us; /* wall clock; 0 = always */
    enum kind_integration kind;
    struct str name;                  /* slug, to be shown */
    struct str host;                  /* "api.openai.com", "127.0.0.1:8788" */
    struct str organization, project; /* header values; "" = none given */
    struct str key_hint;              /* "sk-…abcd"; "" = none */
};

struct match_scope {
    const int64_t *accounts; /* of bill.db */
    size_t account_count;
    const int64_t *workspaces; /* whose traffic may be taken to an account without being named by key or organization */
    size_t workspace_count;
    bool all; /* the lists do not count */
    /*
     * One a link: it had traffic in the time that is asked about. Others make no rest, so that an account that nobody
     * uses does not blur the keys of those that are used. NULL: all had.
     */
    const bool *used;
};

/* The link that held at that time, in a list by integration and from_us; `count` when there is none. */
size_t match_link_index(const struct match_link *links, size_t count, int64_t integration, int64_t at_us);

/* By integration and from_us. Views of `links` must outlive the object. Inside a read transaction of bill.db. */
enum err match_new(struct store_db *bill, const struct match_scope *scope, const struct match_link *links,
                   size_t link_count, struct match **ret) ERR_USE;
void match_free(struct match *m); /* NULL does nothing */

/* --- places ---------------------------------------------------------------------------------- */

#define MATCH_ANY (-1)
#define MATCH_NONE UINT32_MAX

struct match_place {
    int64_t account;      /* id of bill.db's account */
    int64_t project, key; /* ids of bill.db's names; 0 = billed without one; MATCH_ANY = not told apart */
    bool linked;          /* an integration's traffic belongs here; false: nothing of the gateway can */
    struct str organization, project_ext, project_name, key_ext, key_name; /* "" = none, unknown, any */
};
/* Numbers of places are dense, from 0. Billed rows that were not seen before may add one. */
size_t match_place_count(const struct match *m);
const struct match_place *match_place(const struct match *m, uint32_t place);

/* Of a billed row. MATCH_NONE: an account that is not in the scope. */
uint32_t match_billed(struct match *m, int64_t account, int64_t project, int64_t key);

/* Why traffic has no place. Columns: name, text, sentence. */
#define MATCH_MISS_TABLE(X)                                                                                  \
    X(NO, "", "")                                                                                            \
    X(OTHER_BILLER, "other_biller", "it did not go to OpenAI")                                               \
    X(NO_BILL, "no_bill", "no bill of its organization was imported")                                        \
    X(UNCLEAR, "unclear", "it could belong to several organizations; give the integration its organization") \
    X(OWN_KEY, "own_key", "the caller brought a provider key of their own")

enum match_miss {
#define X(name, text, sentence) MATCH_MISS_##name,
    MATCH_MISS_TABLE(X)
#undef X
        MATCH_MISS_COUNT
};
const char *match_miss_text(enum match_miss m);
const char *match_miss_sentence(enum match_miss m);

/*
 * Of traffic through this integration (0: a key of the caller's own) at that time. MATCH_NONE with the reason,
 * or with MATCH_MISS_NO when it is none of the scope's business.
 */
uint32_t match_metered(const struct match *m, int64_t integration, int64_t workspace, int64_t at_us,
                       enum match_miss *ret_miss);

/* --- skus ------------------------------------------------------------------------------------ */

struct match_sku {
    struct str model;     /* "gpt-4o"; "" for tools; the whole line item when it was not understood */
    unsigned meter;       /* enum meter; METER_COUNT: not understood, nothing metered can be the same */
    enum price_tier tier; /* batches are BATCH */
};
size_t match_sku_count(const struct match *m);
const struct match_sku *match_sku(const struct match *m, uint32_t sku);

/* Of a line item, by its id in bill.db; MATCH_NONE: there is no such item. */
uint32_t match_item(const struct match *m, int64_t item);
/* The same by its text. `ret_long_context` may be NULL. */
uint32_t match_line(struct match *m, struct str line_item, bool *ret_long_context);
/* Of what was metered: model as answered (else as asked), meter, service tier as recorded, made in a batch. */
uint32_t match_meter(struct match *m, struct str model, unsigned meter, struct str service_tier, bool batch);

/*
 * How many units of the meter one unit of a billed quantity is, in millionths: "Tokens" 10^6 for tokens, "Seconds"
 * 10^9 for meters in milliseconds. 0: the unit does not fit the meter.
 */
int64_t match_unit(unsigned meter, struct str unit);

#endif
