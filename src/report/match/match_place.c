/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places. Links make theirs first: those with a key, and the rest of a project or an organization. A billed row then
 * belongs to its key's place when a link claims the key, else to the rest of its project, else to the rest of its
 * organization, else it gets a place of its own that nothing is linked to.
 */
#include "base/mem.h"
#include "base/must.h"
#include "report/match/match_inner.h"

#define PLACES_MAX 4000000

/* --- places ---------------------------------------------------------------------------------- */

size_t match_place_count(const struct match *m)
{
    return m->place_count;
}

const struct match_place *match_place(const struct match *m, uint32_t place)
{
    must(place < m->place_count);
    return &m->places[place];
}

uint32_t match_place_make(struct match *m, int64_t account, int64_t project, int64_t key, bool linked)
{
    const int64_t at[3] = {account, project, key};
    uint32_t place;
    if (match_table_get(&m->made, at, &place)) {
        m->places[place].linked = m->places[place].linked || linked;
        return place;
    }
    if (m->place_count >= PLACES_MAX)
        return MATCH_NONE;
    if (m->place_count == m->place_cap) {
        m->place_cap = m->place_cap ? m->place_cap * 2 : 64;
        m->places = mem_realloc(m->places, m->place_cap * sizeof *m->places);
    }
    place = (uint32_t)m->place_count++;
    const struct match_account *a = match_inner_account(m, account);
    const struct match_name *p = match_inner_name(m, project), *k = match_inner_name(m, key);
    struct str none = STR("");
    m->places[place] = (struct match_place){.account = account,
                                            .project = project,
                                            .key = key,
                                            .linked = linked,
                                            .organization = a ? a->organization : none,
                                            .project_ext = p ? p->ext : none,
                                            .project_name = p ? p->name : none,
                                            .key_ext = k ? k->ext : none,
                                            .key_name = k ? k->name : none};
    match_table_put(&m->made, at, place);
    return place;
}

/* The linked place with these, if there is one. */
static bool claimed(const struct match *m, int64_t account, int64_t project, int64_t key, uint32_t *ret)
{
    const int64_t at[3] = {account, project, key};
    return match_table_get(&m->made, at, ret) && m->places[*ret].linked;
}

static uint32_t place_of(struct match *m, const struct match_account *a, int64_t project, int64_t key)
{
    uint32_t place;
    if (key && claimed(m, a->id, project, key, &place))
        return place;
    if (key && claimed(m, a->id, MATCH_ANY, key, &place)) /* OpenAI did not say which project the key is of */
        return place;
    if (claimed(m, a->id, project, MATCH_ANY, &place))
        return place;
    if (claimed(m, a->id, MATCH_ANY, MATCH_ANY, &place))
        return place;
    return match_place_make(m, a->id, project, a->no_keys && !key ? MATCH_ANY : key, false);
}

uint32_t match_billed(struct match *m, int64_t account, int64_t project, int64_t key)
{
    const int64_t at[3] = {account, project, key};
    uint32_t place;
    if (match_table_get(&m->seen, at, &place))
        return place;
    const struct match_account *a = match_inner_account(m, account);
    place = a ? place_of(m, a, project, key) : MATCH_NONE;
    match_table_put(&m->seen, at, place);
    return place;
}

/* --- traffic --------------------------------------------------------------------------------- */

size_t match_link_index(const struct match_link *links, size_t count, int64_t integration, int64_t at_us)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct match_link *l = &links[mid];
        if (l->integration < integration || (l->integration == integration && l->from_us <= at_us))
            low = mid + 1;
        else
            high = mid;
    }
    if (low > 0 && links[low - 1].integration == integration)
        return low - 1;
    return low < count && links[low].integration == integration ? low : count;
}

uint32_t match_metered(const struct match *m, int64_t integration, int64_t workspace, int64_t at_us,
                       enum match_miss *ret_miss)
{
    size_t at = match_link_index(m->links, m->link_count, integration, at_us);
    if (at == m->link_count) {
        bool own = match_inner_own_workspace(m, workspace);
        *ret_miss = !own ? MATCH_MISS_NO : integration ? MATCH_MISS_UNCLEAR : MATCH_MISS_OWN_KEY;
        return MATCH_NONE;
    }
    *ret_miss = m->link_miss[at];
    return m->link_place[at];
}
