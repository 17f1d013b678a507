/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_MODEL_MODEL_H
#define CONTROL_MODEL_MODEL_H

/*
 * model: model APIs: a named endpoint of a workspace, bound to integrations and one upstream model.
 * Same rules as control.h: may wait for the disk, any thread, failures explained in struct
 * control_why, results live in the caller's arena.
 *
 * A change replaces the whole model API, all but its name, and every accepted one is a revision. The
 * integrations stand in order: the first is asked, the others when it fails; with a configuration that
 * has a strategy of its own, by that. An integration that a model API uses cannot be deleted.
 *
 * Texts that are lists or objects are JSON, checked and compact. "" means "none" for all texts.
 */

#include "control/control.h"

#define MODEL_MAX 5000            /* live ones of a workspace */
#define MODEL_REVISIONS_KEPT 1000 /* of one model API, the newest */
#define MODEL_NAME_MAX 49
#define MODEL_INTEGRATIONS_MAX 16
#define MODEL_POLICIES_MAX 16

struct model_row {
    struct str name; /* lower-case letters, digits, '-' */
    struct str display_name, external_id;
    struct str labels; /* object of strings */
    bool enabled;
    bool sandbox;                      /* kept and shown, without effect */
    bool any_model;                    /* requests may name another model than `model` */
    struct str integrations, policies; /* arrays of slugs and names */
    struct str flavors;                /* array; kept and shown, without effect */
    struct str type;                   /* "openai"; "" becomes that */
    struct str model;                  /* upstream's name */
    struct str organization;           /* OpenAI-Organization upstream gets; "" = the integration's */
    struct str endpoint_name, generation;
    struct str configuration; /* object: strategy, retry, cache, request_timeout of a routing config */

    /* Given back, never read. */
    int64_t id, workspace_id;
    uint32_t revision;
    int64_t created_us, updated_us;
    struct str created_by, updated_by;
};

/*
 * The author is the thread's actor (people/actor.h). ERR_CONFLICT: the name is taken; ERR_BAD_PARAMETER: also an
 * unknown integration.
 */
enum err model_create(struct control *c, int64_t workspace_id, const struct model_row *given, struct arena *a,
                      struct model_row *ret_row, struct control_why *why) ERR_USE;
/* given->name says which. */
enum err model_update(struct control *c, int64_t workspace_id, const struct model_row *given, struct arena *a,
                      struct model_row *ret_row, struct control_why *why) ERR_USE;
/* *ret_row is what it was. */
enum err model_delete(struct control *c, int64_t workspace_id, struct str name, struct arena *a,
                      struct model_row *ret_row, struct control_why *why) ERR_USE;
enum err model_find(struct control *c, int64_t workspace_id, struct str name, struct arena *a,
                    struct model_row *ret_row, struct control_why *why) ERR_USE;
/* Oldest first. */
enum err model_list(struct control *c, int64_t workspace_id, struct arena *a, struct model_row **ret_rows,
                    size_t *ret_count, struct control_why *why) ERR_USE;

struct model_revision {
    uint32_t number;
    struct str spec; /* JSON: what was given */
    int64_t created_us;
    struct str created_by;
};
/* Newest first, at most `limit`. */
enum err model_revisions(struct control *c, int64_t workspace_id, struct str name, size_t limit, struct arena *a,
                         struct model_revision **ret_rows, size_t *ret_count, struct control_why *why) ERR_USE;

#endif
