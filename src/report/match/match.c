/* SPDX-License-Identifier: Apache-2.0 */
/* The object: accounts and names are read, then links get their places, then line items their skus. */
#include "report/match/match.h"

#include "base/mem.h"
#include "report/bill/bill.h"
#include "report/match/match_inner.h"

#define NAMES_MAX 2000000

static const char *const miss_texts[][2] = {
#define X(name, text, sentence) {text, sentence},
    MATCH_MISS_TABLE(X)
#undef X
};

const char *match_miss_text(enum match_miss m)
{
    return miss_texts[m][0];
}

const char *match_miss_sentence(enum match_miss m)
{
    return miss_texts[m][1];
}

const struct match_account *match_inner_account(const struct match *m, int64_t id)
{
    for (size_t i = 0; i < m->account_count; i++)
        if (m->accounts[i].id == id)
            return &m->accounts[i];
    return NULL;
}

const struct match_name *match_inner_name(const struct match *m, int64_t id)
{
    size_t low = 0, high = m->name_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (m->names[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < m->name_count && m->names[low].id == id ? &m->names[low] : NULL;
}

bool match_inner_own_workspace(const struct match *m, int64_t workspace)
{
    for (size_t i = 0; i < m->workspace_count; i++)
        if (m->workspaces[i] == workspace)
            return true;
    return m->all;
}

/* --- reading --------------------------------------------------------------------------------- */

static bool in_scope(const struct match_scope *scope, int64_t account)
{
    for (size_t i = 0; i < scope->account_count; i++)
        if (scope->accounts[i] == account)
            return true;
    return scope->all;
}

/* The newest link of the account itself says which host its organization is at. */
static struct str host_of(const struct match *m, int64_t account)
{
    struct str host = STR("");
    for (size_t i = 0; i < m->link_count; i++)
        if (m->links[i].integration == account && m->links[i].kind == KIND_INTEGRATION_OPENAI_ADMIN)
            host = m->links[i].host;
    return host;
}

static enum err read_count(struct store_db *db, const char *sql, size_t max, size_t *ret)
{
    struct store_stmt *st;
    bool row;
    enum err e = store_prepare(db, sql, &st);
    if (e == ERR_OK)
        e = store_step(st, &row);
    if (e != ERR_OK)
        return e;
    int64_t n = row ? store_i64(st, 0) : 0;
    store_done(st);
    *ret = (size_t)n;
    return n >= 0 && (uint64_t)n <= max ? ERR_OK : ERR_BAD_PARAMETER;
}

_Static_assert(BILL_IMPORTED_COSTS == 0, "the kind in the statement below");

/* Only OpenAI's own bill can be compared with traffic. */
static enum err read_accounts(struct match *m, struct store_db *db, const struct match_scope *scope)
{
    struct store_stmt *st;
    size_t n;
    bool row;
    enum err e = read_count(db, "SELECT count(*) FROM accounts", 100000, &n);
    if (e == ERR_OK)
        e = store_prepare(db, "SELECT id, workspace, organization, no_keys FROM accounts WHERE kind = 0 ORDER BY id",
                          &st);
    if (e != ERR_OK)
        return e;
    m->accounts = arena_alloc(m->arena, (n + 1) * sizeof *m->accounts);
    while ((e = store_step(st, &row)) == ERR_OK && row && m->accounts && m->account_count < n) {
        if (!in_scope(scope, store_i64(st, 0)))
            continue;
        struct match_account *a = &m->accounts[m->account_count++];
        *a = (struct match_account){.id = store_i64(st, 0),
                                    .workspace = store_i64(st, 1),
                                    .organization = arena_dup(m->arena, store_text(st, 2)),
                                    .host = host_of(m, store_i64(st, 0)),
                                    .no_keys = store_i64(st, 3) != 0};
        if (!a->organization.p)
            break;
    }
    store_done(st);
    return e == ERR_OK && !m->accounts ? ERR_BAD_PARAMETER : e;
}

static enum err read_names(struct match *m, struct store_db *db)
{
    struct store_stmt *st;
    size_t n;
    bool row;
    enum err e = read_count(db, "SELECT count(*) FROM names", NAMES_MAX, &n);
    if (e == ERR_OK)
        e = store_prepare(db,
                          "SELECT id, account, kind, ext, name, hint, project FROM names WHERE kind IN (1, 2)"
                          " ORDER BY id",
                          &st);
    if (e != ERR_OK)
        return e;
    m->names = arena_alloc(m->arena, (n + 1) * sizeof *m->names);
    bool room = m->names != NULL;
    while ((e = store_step(st, &row)) == ERR_OK && row && room && m->name_count < n) {
        if (!match_inner_account(m, store_i64(st, 1)))
            continue;
        struct match_name *to = &m->names[m->name_count++];
        *to = (struct match_name){.id = store_i64(st, 0),
                                  .account = store_i64(st, 1),
                                  .is_key = store_i64(st, 2) == 2,
                                  .ext = arena_dup(m->arena, store_text(st, 3)),
                                  .name = arena_dup(m->arena, store_text(st, 4)),
                                  .hint = arena_dup(m->arena, store_text(st, 5)),
                                  .project = store_i64(st, 6)};
        room = to->ext.p && to->name.p && to->hint.p;
    }
    store_done(st);
    return e == ERR_OK && !room ? ERR_BAD_PARAMETER : e;
}

enum err match_new(struct store_db *bill, const struct match_scope *scope, const struct match_link *links,
                   size_t link_count, struct match **ret)
{
    struct match *m = mem_zalloc(sizeof *m);
    enum err e = ERR_OK;
    m->arena = arena_new(65536, MATCH_ARENA_MAX);
    m->all = scope->all;
    m->workspaces = scope->workspaces;
    m->workspace_count = scope->workspace_count;
    m->links = links;
    m->link_count = link_count;
    m->used = scope->used;
    m->link_place = mem_zalloc((link_count + 1) * sizeof *m->link_place);
    m->link_miss = mem_zalloc((link_count + 1) * sizeof *m->link_miss);
    if (bill) {
        e = read_accounts(m, bill, scope);
        if (e == ERR_OK)
            e = read_names(m, bill);
    }
    if (e == ERR_OK) {
        match_link_places(m);
        e = bill ? match_sku_items(m, bill) : ERR_OK;
    }
    if (e != ERR_OK) {
        match_free(m);
        return e;
    }
    *ret = m;
    return ERR_OK;
}

void match_free(struct match *m)
{
    if (!m)
        return;
    match_table_free(&m->made);
    match_table_free(&m->seen);
    mem_free(m->link_place);
    mem_free(m->link_miss);
    mem_free(m->places);
    mem_free(m->skus);
    mem_free(m->sku_slots);
    mem_free(m->items);
    mem_free(m->item_sku);
    arena_free(m->arena);
    mem_free(m);
}
