/* SPDX-License-Identifier: Apache-2.0 */
/* Integrations as control knows them, now and before, with the host of each. */
#include "report/match/match_links.h"

#include <stdio.h>

#include "control/base_url.h"
#include "control/provider/past.h"
#include "ledger/schema.h"

#define HOURS 24

enum err match_links_load(struct control *c, struct arena *a, struct match_link **ret_links, size_t *ret_count,
                          struct control_why *why)
{
    struct past_integration *list;
    size_t count;
    enum err e = past_list(c, a, &list, &count, why);
    if (e != ERR_OK)
        return e;
    struct match_link *links = arena_alloc(a, (count + 1) * sizeof *links);
    bool room = links != NULL;
    for (size_t i = 0; room && i < count; i++) {
        struct base_url url;
        char reason[200];
        struct str host = STR("");
        if (base_url_parse(list[i].base_url, &url, reason, sizeof reason) == ERR_OK)
            host = arena_dup(a, str_c(url.authority));
        links[i] = (struct match_link){.integration = list[i].id,
                                       .workspace = list[i].workspace_id,
                                       .from_us = list[i].from_us,
                                       .kind = list[i].kind,
                                       .name = list[i].slug,
                                       .host = host,
                                       .organization = list[i].organization,
                                       .project = list[i].project,
                                       .key_hint = list[i].key_hint};
        room = host.p != NULL;
    }
    if (!room) {
        snprintf(why->text, sizeof why->text, "There are too many integrations to compare.");
        return ERR_BAD_PARAMETER;
    }
    *ret_links = links;
    *ret_count = count;
    return ERR_OK;
}

#define SELECT_USED                                                                                          \
    "SELECT DISTINCT r.hour, c.integration_id FROM rollups AS r CROSS JOIN combos AS c WHERE c.id = r.combo" \
    " AND r.hour >= ?1 AND r.hour < ?2 AND (r.cost_pusd <> 0 OR r.input_tok > 0 OR r.output_tok > 0)"

enum err match_links_used(struct store_db *ledger, const struct match_link *links, size_t count, int64_t from_day,
                          int64_t until_day, bool *used)
{
    struct store_stmt *st;
    bool row;
    enum err e = ledger ? store_prepare(ledger, SELECT_USED, &st) : ERR_OK;
    if (e != ERR_OK || !ledger)
        return e;
    store_bind_i64(st, 1, from_day * HOURS);
    store_bind_i64(st, 2, until_day * HOURS);
    while ((e = store_step(st, &row)) == ERR_OK && row) {
        size_t at = match_link_index(links, count, store_i64(st, 1), store_i64(st, 0) * SCHEMA_HOUR_US);
        if (at < count)
            used[at] = true;
    }
    store_clear(st);
    return e;
}
