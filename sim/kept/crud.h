/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_KEPT_CRUD_H
#define SIM_KEPT_CRUD_H

/*
 * crud: objects that are made, listed, fetched, changed and deleted, described by a table row each.
 *
 * `shape` is the JSON of a new object: its members with their defaults. A member that the request
 * gives replaces the default; a string that begins with '$' is filled in and cannot be given:
 *
 *     $id  $now  $now+3600  $arg0 … $arg5 (segments of the path)  $project  $user  $org
 *     $secret:prefix (random)  $body:name (of the request, or null)  $prose
 *     $file_bytes  $file_name (of the form's file)
 *
 * "{}" in `collection` stands for the path's segments in their order; the segment behind them is
 * the object's id.
 */

#include <stdbool.h>

#include "base/json_write.h"
#include "sim/http/call.h"
#include "sim/kept/shelf.h"

enum {
    CRUD_NEXT = 1,       /* lists carry `next` instead of ids */
    CRUD_OLDEST = 2,     /* lists begin with the oldest */
    CRUD_SINGLE = 4,     /* one object a collection, without an id in the path; it exists from the start */
    CRUD_ANYTHING = 8,   /* members that the shape does not know are kept too */
    CRUD_UPSERT = 16,    /* updating what is not there makes it */
    CRUD_NEED_FILE = 32, /* the form must have a file */
    CRUD_OWN = 64,       /* nothing of the request goes into the shape */
};

struct crud {
    const char *collection; /* "threads/{}/messages" */
    const char *what;       /* for "No such …" */
    const char *prefix;     /* of ids */
    const char *shape;
    const char *required; /* members that must be given, separated by commas; NULL = none */
    const char *deleted;  /* shape of the answer to DELETE */
    const char *act;      /* members that crud_act sets */
    const char *filters;  /* query parameters that must equal the member of that name; NULL = none */
    const struct crud *parent;
    unsigned flags;
    /* Called for a new object, which may be changed; may answer by itself. */
    void (*made)(struct call *c, struct shelf_item *i);
};

call_fn crud_create, crud_list, crud_retrieve, crud_update, crud_delete, crud_act;
/* The content of the file that came with the object. */
call_fn crud_content;
/* Answers with `shape` filled in; nothing is kept. */
call_fn crud_show;
/* 200 without a body. */
call_fn crud_nothing;

/* The pieces, for handlers that do more. */

/* The collection's name for this call. */
struct str crud_collection(struct call *c, const struct crud *d);
/* A new object by the request; NULL when the call was answered with an error. */
struct shelf_item *crud_make(struct call *c, const struct crud *d);
/* The object that the path names; NULL when the call was answered with 404. */
struct shelf_item *crud_find(struct call *c, const struct crud *d);
void crud_answer(struct call *c, const struct shelf_item *i);
/* Sets members: `changes` is a JSON object, filled in as a shape; as it stands in the _text form. */
void crud_change(struct call *c, struct shelf_item *i, const char *changes);
void crud_change_text(struct call *c, struct shelf_item *i, struct str changes);
/* The object will have these members when it is next asked for, or after the cue's work-ms. */
void crud_later(struct call *c, struct shelf_item *i, const char *changes);
void crud_later_text(struct call *c, struct shelf_item *i, struct str changes);
/* Applies what was announced by crud_later and is due. */
void crud_catch_up(struct call *c, struct shelf_item *i);
/* Writes `shape`, filled in, as one value. `from_body`: members of the request replace defaults. */
void crud_fill(struct call *c, struct json_write *w, struct str shape, struct str id, bool from_body);
/* A page of a collection, by `after`, `before`, `limit` and `order` of the query. */
void crud_answer_list(struct call *c, struct str collection, unsigned flags, const char *filters);
/* A member of the request's body or form, as JSON; p NULL when not given. In the arena. */
struct str crud_given(struct call *c, const char *name);
/* 400 when one of the comma-separated names is not given. */
bool crud_check_required(struct call *c, const char *names);
/* A member of a stored object, as JSON or as text, copied to the arena; "" when it has none. */
struct str crud_member(struct call *c, const struct shelf_item *i, const char *name);
struct str crud_member_text(struct call *c, const struct shelf_item *i, const char *name);

#endif
