/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REPORT_MATCH_MATCH_INNER_H
#define REPORT_MATCH_MATCH_INNER_H

/*
 * match_inner: what the files behind match.h share.
 *
 *   match         the object: what is loaded, and from where
 *   match_link    which organization, project and key an integration's traffic belongs to
 *   match_place   places: made, found, numbered
 *   match_sku     skus: line items and meters in one spelling
 */

#include "base/arena.h"
#include "report/match/match.h"
#include "report/match/match_table.h"

#define MATCH_ARENA_MAX ((size_t)256 << 20)

struct match_account {
    int64_t id, workspace;
    struct str organization;
    struct str host; /* of its admin key; "" = not known */
    bool no_keys;    /* its bill cannot tell keys apart */
};

/* A project or key of the bill. */
struct match_name {
    int64_t id, account;
    struct str ext, name, hint;
    int64_t project; /* of a key: the id of its project, or 0 */
    bool is_key;
};

struct match {
    struct arena *arena;
    bool all;
    const int64_t *workspaces;
    size_t workspace_count;
    struct match_account *accounts;
    size_t account_count;
    struct match_name *names; /* by id */
    size_t name_count;
    /* Links with the place of each, in the order given. */
    const struct match_link *links;
    size_t link_count;
    const bool *used; /* of each link; NULL: all */
    uint32_t *link_place;
    enum match_miss *link_miss;
    /* Places. `made`: (account, project, key) → place; `seen`: of billed rows → place. */
    struct match_place *places;
    size_t place_count, place_cap;
    struct match_table made, seen;
    /* Skus: texts "model TAB meter TAB tier" → number. */
    struct match_sku *skus;
    size_t sku_count, sku_cap;
    uint32_t *sku_slots; /* number + 1 */
    size_t sku_slot_count;
    /* Line items, by id. */
    int64_t *items;
    uint32_t *item_sku;
    size_t item_count;
};

const struct match_account *match_inner_account(const struct match *m, int64_t id);
const struct match_name *match_inner_name(const struct match *m, int64_t id); /* NULL: unknown */
bool match_inner_own_workspace(const struct match *m, int64_t workspace);

/* match_place.c: the place with exactly these; made when it is not there. */
uint32_t match_place_make(struct match *m, int64_t account, int64_t project, int64_t key, bool linked);

/* match_link.c: fills link_place and link_miss. */
void match_link_places(struct match *m);

/* match_sku.c: fills items. */
enum err match_sku_items(struct match *m, struct store_db *bill) ERR_USE;

#endif
