/* SPDX-License-Identifier: Apache-2.0 */
/* One request, with its own fetcher: it must not wait behind a pull, and a pull not behind it. */
#include <stdio.h>

#include "base/clock.h"
#include "control/snapshot.h"
#include "report/import/import.h"
#include "report/import/import_gather.h"

#define HINT                                                                                                               \
    "costs need an admin key (sk-admin-…), made by an owner of the organization; keys of projects and service accounts " \
    "cannot read them"

struct import_target import_target_of(const struct snapshot_integration *i)
{
    return (struct import_target){.tls = i->tls,
                                  .port = i->port,
                                  .host = i->host,
                                  .authority = i->authority,
                                  .base_path = i->base_path,
                                  .head_lines = secret_reveal(&i->head_lines)};
}

/* The organization, where the reply names it. */
static enum import_verdict read_reply(const struct import_reply *r, char organization[128], char why[IMPORT_WHY_MAX])
{
    struct jdoc doc;
    struct import_page page;
    char reason[IMPORT_PAGE_WHY_MAX];
    struct arena *a = arena_new(1024, 1u << 20);
    enum import_verdict verdict = IMPORT_KEY_GOOD;
    jdoc_init(&doc);
    str_copy(organization, 128, str_c(r->organization));
    if (import_page_open(&doc, r->body, a, &page, reason) != ERR_OK) {
        snprintf(why, IMPORT_WHY_MAX, "%s", reason);
        verdict = IMPORT_KEY_UNKNOWN;
    }
    for (struct jval b = jdoc_first(page.data); verdict == IMPORT_KEY_GOOD && jdoc_has(b);
         b = jdoc_next(page.data, b)) {
        struct jval first = jdoc_first(jdoc_get(b, "results"));
        struct str id = jdoc_escaped(jdoc_find(first, "organization_id"));
        if (id.n)
            str_copy(organization, 128, id);
    }
    jdoc_free(&doc);
    arena_free(a);
    return verdict;
}

enum import_verdict import_check(const struct import_way *way, const struct import_target *target,
                                 char organization[128], char why[IMPORT_WHY_MAX])
{
    struct import_way quick = *way;
    struct import_reply r;
    char path[128];
    enum import_verdict verdict = IMPORT_KEY_UNKNOWN;
    int64_t yesterday = bill_day_of(clock_wall_us()) - 1;
    organization[0] = why[0] = '\0';
    if (quick.connect_timeout_us > IMPORT_CHECK_US / 2 || !quick.connect_timeout_us)
        quick.connect_timeout_us = IMPORT_CHECK_US / 2;
    quick.reply_timeout_us = IMPORT_CHECK_US / 4;
    struct import_fetch *f = import_fetch_new(&quick, target);
    if (!f) {
        snprintf(why, IMPORT_WHY_MAX, "the kernel refused the descriptors of an event loop");
        return verdict;
    }
    snprintf(path, sizeof path, "/organization/costs?start_time=%lld&limit=1", (long long)(yesterday * 86400));
    import_fetch_get(f, str_c(path), &r);
    if (r.status / 100 == 2)
        verdict = read_reply(&r, organization, why);
    else if (r.status == 401)
        snprintf(why, IMPORT_WHY_MAX, "OpenAI rejected the key (401); %s", HINT);
    else if (r.status == 403)
        snprintf(why, IMPORT_WHY_MAX, "the key may not read costs (403); %s", HINT);
    else
        str_copy(why, IMPORT_WHY_MAX, str_c(r.why));
    if (r.status == 401 || r.status == 403)
        verdict = IMPORT_KEY_REFUSED;
    import_fetch_free(f);
    return verdict;
}
