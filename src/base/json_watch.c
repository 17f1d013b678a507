/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiles watch lists. Runs at start-up only, so it is simple rather than fast: the paths are put
 * into a tree of siblings, the tree is numbered parents first, and for each node with members a
 * multiplier is tried until no two names share a slot of a table at least twice their number.
 */
#include "base/json_watch.h"

#include "base/mem.h"
#include "base/must.h"

#define TRIES_MAX 20000

/* A node while the tree is being built; indices, 0 = none (the root is nobody's child). */
struct sprout {
    struct str name;
    uint16_t id;
    uint16_t child, sibling;
};

struct garden {
    struct sprout sprouts[JSON_WATCH_NODES_MAX];
    size_t n;
};

static uint16_t child_of(struct garden *g, uint16_t parent, struct str name)
{
    uint16_t *link = &g->sprouts[parent].child;
    while (*link) {
        if (str_eq(g->sprouts[*link].name, name))
            return *link;
        link = &g->sprouts[*link].sibling;
    }
    must(g->n < JSON_WATCH_NODES_MAX);
    *link = (uint16_t)g->n;
    g->sprouts[g->n] = (struct sprout){.name = name};
    return (uint16_t)g->n++;
}

/* Takes the next step of a path: a member's name, or "[]". */
static struct str next_step(struct str *path)
{
    if (str_starts(*path, STR("."))) {
        *path = str_from(*path, 1);
        must(path->n > 0);
    }
    if (str_starts(*path, STR("[]"))) {
        *path = str_from(*path, 2);
        return STR("[]");
    }
    size_t n = 0;
    while (n < path->n && path->p[n] != '.' && path->p[n] != '[')
        n++;
    must(n > 0);
    must(n < JSON_WATCH_NONE);
    struct str name = str_head(*path, n);
    *path = str_from(*path, n);
    return name;
}

static void plant(struct garden *g, const struct json_path *row)
{
    must(row->id > 0);
    must(row->id < UINT16_MAX);
    struct str path = str_c(row->path);
    uint16_t at = 0;
    for (unsigned depth = 0; path.n > 0; depth++) {
        must(depth < JSON_PATH_DEPTH_MAX);
        at = child_of(g, at, next_step(&path));
    }
    must(g->sprouts[at].id == 0);
    g->sprouts[at].id = row->id;
}

/* Fills the table of `node` by its children's words; false when two of them want one slot. */
static bool try_slots(struct json_watch *w, const struct json_node *node, const uint8_t *members, size_t n, size_t size)
{
    memset(w->slots + node->slots, JSON_WATCH_NONE, size);
    for (size_t i = 0; i < n; i++) {
        const struct json_node *m = &w->nodes[members[i]];
        uint8_t *slot = &w->slots[json_watch_slot(node, m->words, m->n)];
        if (*slot != JSON_WATCH_NONE)
            return false;
        *slot = members[i];
    }
    return true;
}

static void make_table(struct json_watch *w, struct json_node *node, const uint8_t *members, size_t n,
                       size_t *slots_used)
{
    node->has_members = n > 0;
    unsigned bits = 1;
    while ((size_t)1 << bits < 2 * n)
        bits++;
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
    node->slots = (uint16_t)*slots_used;
    for (unsigned tries = 0;; tries++) {
        must(tries < TRIES_MAX);
        if (tries % 1000 == 999)
            bits++;
        must(*slots_used + ((size_t)1 << bits) <= JSON_WATCH_SLOTS_MAX);
        node->shift = (uint8_t)(64 - bits);
        node->multiplier = random | 1;
        if (try_slots(w, node, members, n, (size_t)1 << bits))
            break;
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    }
    *slots_used += (size_t)1 << bits;
}

/* Numbers the subtree of `from`, parents first. Recursion is as deep as a path is long. */
static uint8_t number(struct json_watch *w, const struct garden *g, uint16_t from, char **text, size_t *slots_used)
{
    const struct sprout *sprout = &g->sprouts[from];
    uint8_t at = (uint8_t)w->n++;
    struct json_node *node = &w->nodes[at];
    memcpy(*text, sprout->name.p, sprout->name.n);
    *node = (struct json_node){.words = json_watch_words(*text, sprout->name.n),
                               .name = *text,
                               .id = sprout->id,
                               .n = (uint8_t)sprout->name.n,
                               .element = JSON_WATCH_NONE};
    *text += sprout->name.n;

    uint8_t members[JSON_WATCH_NODES_MAX];
    size_t members_n = 0;
    for (uint16_t child = sprout->child; child; child = g->sprouts[child].sibling) {
        bool element = str_eq(g->sprouts[child].name, STR("[]"));
        uint8_t numbered = number(w, g, child, text, slots_used);
        if (element)
            node->element = numbered;
        else
            members[members_n++] = numbered;
    }
    node->last = (uint8_t)(w->n - 1);
    make_table(w, node, members, members_n, slots_used);
    return at;
}

struct json_watch *json_watch_new(const struct json_path *paths, size_t n)
{
    must(n > 0);
    struct garden *g = mem_zalloc(sizeof(*g));
    g->sprouts[0].name = STR("");
    g->n = 1;
    for (size_t i = 0; i < n; i++)
        plant(g, &paths[i]);
    size_t text_size = 1;
    for (size_t i = 0; i < g->n; i++)
        text_size += g->sprouts[i].name.n;

    struct json_watch *w = mem_zalloc(sizeof(*w));
    w->text = mem_zalloc(text_size);
    char *text = w->text;
    size_t slots_used = 0;
    number(w, g, 0, &text, &slots_used);
    must(w->n == g->n);
    mem_free(g);
    return w;
}

void json_watch_free(struct json_watch *w)
{
    if (!w)
        return;
    mem_free(w->text);
    mem_free(w);
}
