/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's side of what the drain writes down. */
#include "ledger/query_arrivals.h"

#include "ledger/query_conn.h"

_Static_assert(QUERY_ARRIVALS_MAX >= ARRIVALS_ENTRY_MAX, "an entry fits");

enum err query_arrivals(struct query *q, int64_t after, int64_t *ret_ids, size_t cap, struct arrivals_page *ret_page)
{
    struct query_conn *c;
    enum err e = query_begin(q, &c);
    if (e != ERR_OK)
        return e;
    e = arrivals_read(c->db, after, ret_ids, cap, ret_page);
    return query_end(q, c, e);
}

enum err query_arrivals_waiting(struct query *q, int64_t after, uint64_t *ret_ids)
{
    struct query_conn *c;
    enum err e = query_begin(q, &c);
    if (e != ERR_OK)
        return e;
    e = arrivals_waiting(c->db, after, ret_ids);
    return query_end(q, c, e);
}
