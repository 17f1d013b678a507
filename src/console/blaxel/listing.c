/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting in memory: a workspace has thousands of these, not millions. */
#include "console/blaxel/listing.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/json/jdoc.h"
#include "base/must.h"
#include "console/blaxel/tenant.h"

#define CURSOR_AGE_US (INT64_C(24) * 3600 * 1000000)
#define CURSOR_TEXT_MAX 256

static bool refuse(struct job *j, const char *param, const char *sentence)
{
    job_fail(j, ERR_BAD_PARAMETER, str_c(param), str_c(sentence));
    return false;
}

/* FNV-1a: a cursor is no secret, and who makes one up sees what they may see anyway. */
static uint64_t hash(uint64_t h, struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        h = (h ^ (unsigned char)text.p[i]) * UINT64_C(0x100000001b3);
    return (h ^ 0xff) * UINT64_C(0x100000001b3);
}

static struct str lower(struct job *j, struct str text)
{
    char *copy = arena_alloc(j->arena, text.n + 1);
    must(copy != NULL);
    for (size_t i = 0; i < text.n; i++)
        copy[i] = (char)(text.p[i] >= 'A' && text.p[i] <= 'Z' ? text.p[i] + 'a' - 'A' : text.p[i]);
    return str_of(copy, text.n);
}

static bool read_sort(struct listing *l, struct str text)
{
    static const char *const names[] = {"createdAt:desc", "createdAt:asc", "name:asc", "name:desc"};
    if (!text.n)
        return true;
    for (unsigned i = 0; i < 4; i++) {
        if (str_eq(text, str_c(names[i]))) {
            l->sort = i;
            return true;
        }
    }
    return refuse(l->job, "sort", "The sort is createdAt:desc, createdAt:asc, name:asc or name:desc.");
}

/* "hash made created id name" */
static bool read_cursor(struct listing *l, struct str text)
{
    char plain[CURSOR_TEXT_MAX];
    size_t n;
    uint64_t bound = 0;
    int64_t made_us = 0;
    struct str rest, part[4] = {{0}};
    if (!text.n)
        return true;
    bool ok = encode_unbase64(text, plain, sizeof plain, &n);
    rest = str_of(plain, ok ? n : 0);
    for (int i = 0; ok && i < 4; i++)
        ok = str_split(&rest, ' ', &part[i]);
    ok = ok && str_hex_to_u64(part[0], &bound) && str_to_i64(part[1], &made_us) && str_to_i64(part[2], &l->cursor_us) &&
         str_to_i64(part[3], &l->cursor_id);
    if (!ok)
        return refuse(l->job, "cursor", "This cursor is not one that was given out here.");
    if (bound != l->query_hash)
        return refuse(l->job, "cursor",
                      "This cursor belongs to another query; begin again without one when filters or sort change.");
    if (clock_wall_us() - made_us > CURSOR_AGE_US)
        return refuse(l->job, "cursor", "This cursor is older than a day; begin again without one.");
    l->cursor_name = arena_dup(l->job->arena, rest);
    l->has_cursor = true;
    return true;
}

static struct str write_cursor(const struct listing *l, const struct listing_item *last)
{
    char plain[CURSOR_TEXT_MAX];
    char *text = arena_alloc(l->job->arena, ENCODE_BASE64_MAX(sizeof plain));
    must(text != NULL);
    int n = snprintf(plain, sizeof plain, "%llx %lld %lld %lld %.*s", (unsigned long long)l->query_hash,
                     (long long)clock_wall_us(), (long long)last->created_us, (long long)last->id,
                     STR_ARG(str_head(last->name, 100)));
    return str_of(text, encode_base64url(plain, (size_t)n, text));
}

bool listing_read(struct listing *l, struct job *j, struct str filters)
{
    uint64_t limit = LISTING_LIMIT;
    char workspace[24];
    *l = (struct listing){.job = j, .pages = tenant_has_pages(j)};
    struct str q = str_trim(job_query(j, STR("q"))), anchor = job_query(j, STR("anchor"));
    struct str sort = job_query(j, STR("sort")), size = job_query(j, STR("limit"));
    if (!l->pages)
        return true;
    if (q.n > LISTING_QUERY_MAX)
        return refuse(j, "q", "The search has at most 200 bytes.");
    if (size.n && !str_to_u64(size, &limit))
        return refuse(j, "limit", "The limit is a number from 1 on; more than 200 is taken as 200.");
    if (limit < 1)
        limit = 1;
    if (!read_sort(l, sort))
        return false;
    l->at_end = str_eq(anchor, STR("end"));
    if (anchor.n && !l->at_end)
        return refuse(j, "anchor", "The anchor is end, or is left out.");
    if (l->at_end && l->sort > LISTING_OLDEST)
        return refuse(j, "anchor", "anchor=end goes with a sort by createdAt.");
    l->limit = limit < LISTING_LIMIT_MAX ? limit : LISTING_LIMIT_MAX;
    l->text = q.n < 2 ? STR("") : lower(j, q);
    int n = snprintf(workspace, sizeof workspace, "%lld %u", (long long)j->workspace_id, (unsigned)l->sort);
    l->query_hash = hash(hash(hash(UINT64_C(0xcbf29ce484222325), str_of(workspace, (size_t)n)), l->text), filters);
    return read_cursor(l, job_query(j, STR("cursor")));
}

static bool has(const struct listing *l, struct str text)
{
    return text.n && str_search(lower(l->job, text), l->text) >= 0;
}

bool listing_matches(const struct listing *l, const struct listing_item *item)
{
    struct jdoc doc;
    bool found = !l->text.n || has(l, item->name) || has(l, item->display_name);
    jdoc_init(&doc);
    if (!found && item->labels.n && jdoc_parse(&doc, item->labels)) {
        struct jval root = jdoc_root(&doc);
        for (struct jval n = jdoc_first(root); !found && jdoc_has(n); n = jdoc_next(root, n))
            found = has(l, jdoc_text(n, l->job->arena)) || has(l, jdoc_text(jdoc_value(n), l->job->arena));
    }
    jdoc_free(&doc);
    return found;
}

static int by_time(const struct listing_item *x, const struct listing_item *y)
{
    if (x->created_us != y->created_us)
        return x->created_us < y->created_us ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int newest(const void *a, const void *b)
{
    return -by_time(a, b);
}

static int oldest(const void *a, const void *b)
{
    return by_time(a, b);
}

static int by_name(const void *a, const void *b)
{
    const struct listing_item *x = a, *y = b;
    return str_cmp(x->name, y->name);
}

static int by_name_down(const void *a, const void *b)
{
    return -by_name(a, b);
}

static int (*const orders[])(const void *, const void *) = {newest, oldest, by_name, by_name_down};

/* The first item behind the cursor. */
static size_t begin_of(const struct listing *l, const struct listing_item *items, size_t count)
{
    size_t at = 0;
    if (l->at_end)
        return count > l->limit ? count - l->limit : 0;
    if (!l->has_cursor)
        return 0;
    const struct listing_item last = {.id = l->cursor_id, .created_us = l->cursor_us, .name = l->cursor_name};
    while (at < count && orders[l->sort](&items[at], &last) <= 0)
        at++;
    return at;
}

void listing_reply(struct listing *l, struct listing_item *items, size_t count, size_t total,
                   void (*write)(struct job *j, const void *row))
{
    struct job *j = l->job;
    struct json_write *w = &j->json;
    qsort(items, count, sizeof *items, orders[l->sort]);
    size_t begin = begin_of(l, items, count);
    size_t end = l->pages && count - begin > l->limit ? begin + l->limit : count;
    job_reply_json(j, 200);
    if (l->pages) {
        json_write_object(w);
        json_write_key(w, STR("data"));
    }
    json_write_array(w);
    for (size_t i = begin; i < end; i++)
        write(j, items[i].row);
    json_write_array_end(w);
    if (!l->pages)
        return;
    json_write_key(w, STR("meta"));
    json_write_object(w);
    json_write_member_bool(w, "hasMore", end < count);
    json_write_member_string(w, "nextCursor", end < count ? write_cursor(l, &items[end - 1]) : STR(""));
    json_write_member_uint(w, "total", total);
    json_write_object_end(w);
    json_write_object_end(w);
}
