/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_PORTKEY_GIVEN_H
#define CONSOLE_PORTKEY_GIVEN_H

/*
 * given: the JSON body of a Portkey request. Its clients send more than we know, and spell members
 * sometimes in snake_case and sometimes in camelCase: both are read, on every level, and what nobody
 * asks for is no fault. An empty body is an empty object. Names are asked for in snake_case.
 *
 * Wrong types are answered with 400; then j->status is set, and the reader gives what it gives for absent.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/json/jdoc.h"
#include "console/job.h"

struct given {
    struct job *job;
    struct jdoc doc;
    struct jval root;
};

/* False when the body is no JSON object; the job is answered then, and given_end not needed. */
bool given_begin(struct given *g, struct job *j);
void given_end(struct given *g);

/* The member in either spelling; absent when null. `object` may be absent. */
struct jval given_member(struct jval object, const char *name);
/* The same; *ret_present tells whether the member is there, null included. */
struct jval given_nullable(struct jval object, const char *name, bool *ret_present);
/* p == NULL when absent. The text lives in the job's arena. */
struct str given_text(struct given *g, struct jval object, const char *name);
/* true, false, 1, 0. NULL when absent, else `store` holds it. */
const bool *given_bool(struct given *g, struct jval object, const char *name, bool *store);
/* A JSON object, or a string that holds one, as text; p == NULL when absent. */
struct str given_object(struct given *g, struct jval object, const char *name);
/* A time as text. NULL when absent, else `store` holds it. */
const int64_t *given_time(struct given *g, struct jval object, const char *name, int64_t *store);
/* The same for an expiry: null and "" are 0, never. */
const int64_t *given_expiry(struct given *g, struct jval object, const char *name, int64_t *store);
/*
 * The id of the workspace that the text (member or query parameter `workspace_id`) names; the caller's own
 * when it is empty. Other workspaces are for owners, and for people who are in them. False when the job was
 * answered.
 */
bool given_workspace(struct job *j, struct str name, int64_t *ret_id);
/* A query parameter in either spelling. */
struct str given_query(struct job *j, const char *name);
/* page_size and current_page (from 0) as how many to skip and to show. False when the job was answered. */
bool given_page(struct job *j, uint64_t size_default, uint64_t size_max, uint64_t *ret_skip, uint64_t *ret_limit);

#endif
