/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An integration's place: first the organizations that its traffic can belong to (same host, or both of OpenAI; the
 * organization it names), then among their keys those whose masked text agrees with its own.
 */
#include "base/must.h"
#include "report/match/match_inner.h"

#define HINT_TAIL_MIN 3 /* fewer characters would agree by chance */

/* What a search among keys found. */
struct found {
    size_t keys;                  /* how many agree */
    const struct match_name *key; /* the last of them */
    bool same_project, same_account;
};

/* --- hosts ----------------------------------------------------------------------------------- */

/* Regional hosts too. */
static bool of_open_ai(struct str host)
{
    return str_eq_nocase(host, STR("api.openai.com")) || str_ends(host, STR(".api.openai.com"));
}

static bool same_host(struct str a, struct str b)
{
    return str_eq_nocase(a, b) || (of_open_ai(a) && of_open_ai(b));
}

static bool reaches(const struct match_link *l, const struct match_account *a)
{
    if (l->kind == KIND_INTEGRATION_AZURE_OPENAI || !kind_integration_serves(l->kind))
        return false;
    if (l->organization.n && a->organization.n && !str_eq(l->organization, a->organization))
        return false;
    return a->host.n ? same_host(l->host, a->host) : of_open_ai(l->host);
}

/* --- masked keys ----------------------------------------------------------------------------- */

static bool is_mask(char c)
{
    return c == '*' || c == '.' || (c & 0x80) != 0; /* "…" in any encoding */
}

/* What is shown of a masked key: before the mask and behind it. False: nothing is masked. */
static bool ends_of(struct str hint, struct str *ret_head, struct str *ret_tail)
{
    size_t from = 0, to = hint.n;
    while (from < hint.n && !is_mask(hint.p[from]))
        from++;
    while (to > from && !is_mask(hint.p[to - 1]))
        to--;
    *ret_head = str_head(hint, from);
    *ret_tail = str_from(hint, to);
    return from < to;
}

/* Both show parts of one key, as far as one can see. */
static bool agree(struct str a, struct str b)
{
    struct str head_a, head_b, tail_a, tail_b;
    if (!ends_of(a, &head_a, &tail_a) || !ends_of(b, &head_b, &tail_b))
        return false;
    size_t head = head_a.n < head_b.n ? head_a.n : head_b.n;
    size_t tail = tail_a.n < tail_b.n ? tail_a.n : tail_b.n;
    return tail >= HINT_TAIL_MIN && str_eq(str_head(head_a, head), str_head(head_b, head)) &&
           str_eq(str_from(tail_a, tail_a.n - tail), str_from(tail_b, tail_b.n - tail));
}

static const struct match_name *find_project(const struct match *m, int64_t account, struct str ext)
{
    for (size_t i = 0; ext.n && i < m->name_count; i++)
        if (!m->names[i].is_key && m->names[i].account == account && str_eq(m->names[i].ext, ext))
            return &m->names[i];
    return NULL;
}

static struct found find_key(const struct match *m, const struct match_link *l)
{
    struct found f = {.same_project = true, .same_account = true};
    for (size_t i = 0; i < m->name_count; i++) {
        const struct match_name *n = &m->names[i];
        if (!n->is_key || !agree(n->hint, l->key_hint) || !reaches(l, match_inner_account(m, n->account)))
            continue;
        const struct match_name *project = find_project(m, n->account, l->project);
        if (project && n->project && n->project != project->id)
            continue;
        f.same_account = f.same_account && (!f.key || f.key->account == n->account);
        f.same_project = f.same_project && (!f.key || f.key->project == n->project);
        f.key = n;
        f.keys++;
    }
    return f;
}

/* --- places ---------------------------------------------------------------------------------- */

static uint32_t place_in(struct match *m, const struct match_link *l, const struct match_account *a,
                         const struct found *f)
{
    const struct match_name *project = find_project(m, a->id, l->project);
    bool known = f->keys > 0 && f->same_account && f->key->account == a->id;
    int64_t project_id = project ? project->id : known && f->same_project ? f->key->project : 0;
    int64_t key_id = known && f->keys == 1 && !a->no_keys ? f->key->id : MATCH_ANY;
    return match_place_make(m, a->id, project_id ? project_id : MATCH_ANY, key_id, true);
}

/* The only organization it can belong to; `*ret_count` says how many there are. */
static const struct match_account *only_account(const struct match *m, const struct match_link *l, size_t *ret_count)
{
    const struct match_account *only = NULL;
    *ret_count = 0;
    for (size_t i = 0; i < m->account_count; i++) {
        if (reaches(l, &m->accounts[i])) {
            only = &m->accounts[i];
            ++*ret_count;
        }
    }
    return *ret_count == 1 ? only : NULL;
}

static uint32_t place_link(struct match *m, const struct match_link *l, enum match_miss *miss)
{
    bool own = match_inner_own_workspace(m, l->workspace);
    struct found f = find_key(m, l);
    size_t count;
    const struct match_account *a = only_account(m, l, &count);
    bool named = (f.keys > 0 && f.same_account) || (l->organization.n && a && a->organization.n);
    *miss = MATCH_MISS_NO;
    if (f.keys > 0 && f.same_account)
        a = match_inner_account(m, f.key->account);
    bool exact = f.keys == 1 && a && !a->no_keys;
    if (a && (named || own) && (exact || !m->used || m->used[l - m->links]))
        return place_in(m, l, a, &f);
    if (own && kind_integration_serves(l->kind)) {
        bool other = l->kind == KIND_INTEGRATION_AZURE_OPENAI ||
                     (l->kind == KIND_INTEGRATION_OPENAI_COMPATIBLE && !of_open_ai(l->host));
        *miss = count > 1 ? MATCH_MISS_UNCLEAR : other ? MATCH_MISS_OTHER_BILLER : MATCH_MISS_NO_BILL;
    }
    return MATCH_NONE;
}

void match_link_places(struct match *m)
{
    for (size_t i = 0; i < m->link_count; i++)
        m->link_place[i] = place_link(m, &m->links[i], &m->link_miss[i]);
}
