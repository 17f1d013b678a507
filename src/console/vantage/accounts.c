/* SPDX-License-Identifier: Apache-2.0 */
/* The list of workspaces is a resource with the integration's token. */
#include "console/vantage/accounts.h"

#include "base/must.h"
#include "console/console_inner.h"
#include "console/vantage/vantage_reply.h"

#define PLACES_MAX 1000

struct bill_reader *accounts_reader(struct job *j)
{
    struct bill_reader *r;
    return bill_reader_open(j->console->settings.dir, &r) == ERR_OK ? r : NULL;
}

void accounts_places(struct job *j, int64_t account, int64_t workspace, struct arena *a, struct str **ret,
                     size_t *ret_count)
{
    struct doc doc;
    struct jdoc body;
    struct str token = ask_id_token(j, "accss_crdntl_", account);
    *ret = arena_alloc(a, PLACES_MAX * sizeof **ret);
    must(*ret);
    *ret_count = 0;
    jdoc_init(&body);
    bool named = docs_find(ask_docs(j), DOCS_INTEGRATION, token, a, &doc) == ERR_OK && jdoc_parse(&body, doc.body);
    struct jval list = named ? jdoc_get(jdoc_root(&body), "workspace_tokens") : (struct jval){0};
    for (struct jval v = jdoc_first(list); jdoc_has(v) && *ret_count < PLACES_MAX; v = jdoc_next(list, v))
        (*ret)[(*ret_count)++] = arena_dup(a, jdoc_text(v, a));
    jdoc_free(&body);
    if (!named)
        (*ret)[(*ret_count)++] = ask_id_token(j, "wrkspc_", workspace);
}

/* There may be many accounts, each with many places: none of them stays in the job's arena. */
static bool is_seen(struct job *j, const struct bill_account *account, const struct sight *s, int64_t workspace)
{
    struct arena *a = arena_new(4096, ACCOUNTS_PLACES_ARENA);
    struct str *places;
    size_t count;
    int64_t id;
    bool seen = false;
    accounts_places(j, account->id, account->workspace, a, &places, &count);
    for (size_t i = 0; !seen && i < count; i++)
        seen = ask_id(places[i], "wrkspc_", &id) && (workspace ? id == workspace : id && ask_sees(s, id));
    arena_free(a);
    return seen;
}

bool accounts_seen(struct job *j, struct bill_reader *r, const struct sight *s, int64_t workspace, struct accounts *ret)
{
    size_t all = 0;
    ret->count = 0;
    if (r && bill_accounts(bill_reader_db(r), 0, j->arena, &ret->list, &all) != ERR_OK) {
        job_fail(j, ERR_STORE_FAILED, STR(""), STR("The bill cannot be read; look at the log"));
        return false;
    }
    ret->ids = arena_alloc(j->arena, (all + 1) * sizeof *ret->ids);
    must(ret->ids);
    for (size_t i = 0; i < all; i++)
        if (is_seen(j, &ret->list[i], s, workspace)) {
            ret->list[ret->count] = ret->list[i];
            ret->ids[ret->count++] = ret->list[i].id;
        }
    return true;
}
