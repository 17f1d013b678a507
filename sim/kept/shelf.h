/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_KEPT_SHELF_H
#define SIM_KEPT_SHELF_H

/*
 * shelf: the objects that were made through the API: files, batches, threads, projects, …
 *
 * An object is JSON text with an id, in a collection; collections are named like their path
 * ("threads/thread_1/messages") and exist while something is in them. Everything is in memory and
 * bounded: when there are too many objects or bytes, the oldest objects vanish.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/str.h"
#include "sim/kept/blob.h"

#define SHELF_ID_MAX 80

struct shelf;
struct shelf_collection;

struct shelf_item {
    struct list in_collection, in_age;
    struct shelf_item *chain;
    struct shelf_collection *collection;
    char id[SHELF_ID_MAX];
    struct str json;   /* owned; good until the item is set or removed */
    struct blob *blob; /* its content, or NULL; a reference of its own */
    struct str hidden; /* JSON that no answer shows (a job's own notes); owned */
    int64_t due_us;    /* when `then` takes effect (wall clock); 0 = never */
    struct str then;   /* changes to come, as for crud_change; owned */
};

struct shelf *shelf_new(uint64_t blob_bytes_max);
void shelf_free(struct shelf *s);
/* Everything goes. */
void shelf_clear(struct shelf *s);
struct blob_pool *shelf_blobs(struct shelf *s);

/* Adds, or replaces the one with this id. The JSON is copied. Never NULL. */
struct shelf_item *shelf_put(struct shelf *s, struct str collection, struct str id, struct str json);
struct shelf_item *shelf_get(struct shelf *s, struct str collection, struct str id);
void shelf_set(struct shelf *s, struct shelf_item *i, struct str json);
void shelf_set_hidden(struct shelf_item *i, struct str json);
/* When the object is next looked at from `due_us` on, it will have these members. */
void shelf_set_then(struct shelf_item *i, int64_t due_us, struct str changes);
/* Takes a reference of its own. */
void shelf_set_blob(struct shelf_item *i, struct blob *blob);
void shelf_remove(struct shelf *s, struct shelf_item *i);
/* Removes a collection and all below it: "threads/thread_1" takes ".../messages" along. */
void shelf_remove_below(struct shelf *s, struct str collection);

/* In order of making; NULL at the end. */
struct shelf_item *shelf_first(struct shelf *s, struct str collection, bool newest_first);
struct shelf_item *shelf_next(struct shelf_item *i, bool newest_first);
uint64_t shelf_count(struct shelf *s, struct str collection);

#endif
