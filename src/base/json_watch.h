/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_WATCH_H
#define BASE_JSON_WATCH_H

/*
 * json_watch: a list of paths compiled into a tree that json_scan walks beside the document.
 *
 * Each node is one step of a path. The member names below a node sit in a small hash table without
 * collisions (the compiler looks for a multiplier that gives none), so a name of the document costs
 * one multiplication and one comparison, whether it is watched or not.
 *
 * Nodes are numbered so that the descendants of a node follow it: clearing the marks of a subtree
 * is clearing a range of bits.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

#define JSON_PATH_DEPTH_MAX 12 /* steps of a watched path */
#define JSON_WATCH_NODES_MAX 250
#define JSON_WATCH_SLOTS_MAX 2048
#define JSON_WATCH_NONE 0xff

/* One watched path. `id` is the caller's, 1 … 65534; several paths may share one. */
struct json_path {
    const char *path;
    uint16_t id;
};

/* What of a name is hashed: all of it up to 16 bytes, both ends beyond. */
struct json_name {
    uint64_t head, tail;
};

/* The fields are for json_scan. */
struct json_node {
    struct json_name words;
    const char *name; /* into json_watch.text; "[]" for elements, "" for the document */
    uint64_t multiplier;
    uint16_t id;     /* 0 = not reported itself */
    uint16_t slots;  /* where its members' table begins in json_watch.slots */
    uint8_t shift;   /* 64 - log2 of the table's size */
    uint8_t n;       /* bytes of the name */
    uint8_t last;    /* the last node of the subtree */
    uint8_t element; /* the "[]" node below, or JSON_WATCH_NONE */
    bool has_members;
};

struct json_watch {
    size_t n;
    struct json_node nodes[JSON_WATCH_NODES_MAX];
    uint8_t slots[JSON_WATCH_SLOTS_MAX];
    char *text;
};

/*
 * Immutable after creation, may be shared by threads; made at start-up. The table need not outlive
 * the call. A bad table (too many, too deep, a path twice) is our bug: must().
 */
struct json_watch *json_watch_new(const struct json_path *paths, size_t n);
void json_watch_free(struct json_watch *w); /* NULL does nothing */

static inline struct json_name json_watch_words(const char *p, size_t n)
{
    struct json_name w = {0, 0};
    if (n >= 8) {
        memcpy(&w.head, p, 8);
        memcpy(&w.tail, p + n - 8, 8);
    } else if (n >= 4) {
        uint32_t a, b;
        memcpy(&a, p, 4);
        memcpy(&b, p + n - 4, 4);
        w.head = a;
        w.tail = b;
    } else if (n > 0) {
        w.head = (uint64_t)(unsigned char)p[0] | (uint64_t)(unsigned char)p[n / 2] << 8;
        w.tail = (unsigned char)p[n - 1];
    }
    return w;
}

static inline size_t json_watch_slot(const struct json_node *node, struct json_name w, size_t n)
{
    uint64_t mixed = (w.head ^ (w.tail << 23 | w.tail >> 41) ^ n) * node->multiplier;
    return node->slots + (size_t)(mixed >> node->shift);
}

/* The member `name` below node `at`, or JSON_WATCH_NONE. */
static inline uint8_t json_watch_member(const struct json_watch *w, uint8_t at, const char *p, size_t n)
{
    struct json_name words = json_watch_words(p, n);
    uint8_t found = w->slots[json_watch_slot(&w->nodes[at], words, n)];
    if (found == JSON_WATCH_NONE)
        return JSON_WATCH_NONE;
    const struct json_node *node = &w->nodes[found];
    if (node->n != n || node->words.head != words.head || node->words.tail != words.tail)
        return JSON_WATCH_NONE;
    return n <= 16 || memcmp(node->name, p, n) == 0 ? found : JSON_WATCH_NONE;
}

#endif
