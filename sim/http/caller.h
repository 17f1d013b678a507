/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_HTTP_CALLER_H
#define SIM_HTTP_CALLER_H

/*
 * caller: who presents which key.
 *
 * A key nobody named before is accepted when it looks like one (sk-…) and gets an id, a project and
 * a user of its own that follow from the seed. With --require-key or keys in the script only those
 * are accepted. Keys themselves are not kept, only their fingerprints and what may be shown.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct sim;

struct caller {
    uint64_t fingerprint[2];
    char key_id[40]; /* "key_…" */
    char hint[16];   /* "sk-…wxyz" */
    char name[64];
    char project[48]; /* "proj_…" */
    char user[48];    /* "user-…" */
    char account[48]; /* the service account that owns the key, "" for users' keys */
    bool admin;       /* sk-admin-… */
    bool revoked;
    int64_t created, last_used; /* Unix seconds */
};

struct caller_book;

struct caller_book *caller_book_new(uint64_t seed);
void caller_book_free(struct caller_book *b);

/* From now on only keys added this way are accepted. "" for project or user: the default one. */
void caller_require(struct caller_book *b, struct str key, struct str project, struct str user, struct str name,
                    int64_t now);
/* A key made by the API itself (service accounts, admin keys); accepted in any case. */
const struct caller *caller_add(struct caller_book *b, struct str key, struct str project, struct str account,
                                struct str name, int64_t now);
/* NULL when the key is not accepted. `azure`: any key that is not empty will do. */
const struct caller *caller_of(struct caller_book *b, struct str key, bool azure, int64_t now);
/* False when there is no such key. */
bool caller_revoke(struct caller_book *b, struct str key_id);
bool caller_rename(struct caller_book *b, struct str key_id, struct str name);

/* Ids of what exists from the start. */
const char *caller_default_project(const struct caller_book *b);
const char *caller_default_user(const struct caller_book *b);

/* All callers, in order of arrival; NULL behind the last. */
const struct caller *caller_at(const struct caller_book *b, unsigned i);
const struct caller *caller_by_id(const struct caller_book *b, struct str key_id);

#endif
