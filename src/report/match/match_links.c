/* SPDX-License-Identifier: Apache-2.0 */
/* Integrations as control knows them, now and before, with the host of each. */
#include "report/match/match_links.h"

#include <stdio.h>

#include "control/base_url.h"
#include "control/provider/past.h"

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
