/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_TARGET_TARGET_INNER_H
#define GATEWAY_TARGET_TARGET_INNER_H

/*
 * target_inner: the work sheet of one target_resolve, for the files that share it:
 * target_choose.c says whose account, target_place.c which host, azure_target.c which deployment and
 * token, target_lines.c what goes into the head. A step returns false when it has refused.
 */

#include <stdbool.h>

#include "control/base_url.h"
#include "gateway/target/target.h"

struct target_work {
    const struct target_input *in;
    struct arena *arena;
    struct target_result *ret;
    struct target *t; /* &ret->target */
    /* Models: "@slug/" taken off. */
    struct str model;      /* what the body will ask for, overrides applied */
    bool model_cut;        /* some "@slug/" was in the model that is sent */
    struct str model_slug; /* of the request's model; "" = none */
    struct str node_slug;  /* of override_params.model */
    /* Whose account; the caller's or the config's key where it is not a stored one. */
    struct str key;     /* a secret */
    bool config_secret; /* a secret out of the config will be sent */
    bool forward_beta;  /* OpenAI-Beta is to be forwarded whatever the target */
    bool forward_own;   /* the client's Authorization passes and is the credential */
    struct config_strings forward;
    /* Where to. */
    bool custom; /* url is a custom host or a resource's, and holds */
    struct base_url url;
    struct str base_path;
    /* Azure. */
    struct config_azure azure; /* header over config */
    struct str api_version;
    struct str token; /* in place of any key; a secret */
};

/* A refusal; always false. `detail` is copied. */
bool target_refuse(struct target_work *w, enum refusal which, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool target_out_of_memory(struct target_work *w);

/* The config target's settings, or an empty set. */
const struct config_settings *target_settings(const struct target_work *w);
/* The base URL that holds besides the account's own: header over config. "" = none. */
struct str target_custom_host(const struct target_work *w);

bool target_choose(struct target_work *w);
bool target_place(struct target_work *w);
bool target_lines(struct target_work *w);
/* Merges Azure's fields; before all steps. */
void azure_target_fields(struct target_work *w);
/* Whether a secret of the config's Azure fields will be sent. */
bool azure_target_config_secret(const struct target_work *w);
/* Whether a token is given, or a mode with all it needs. */
bool azure_target_has_token(const struct target_work *w);
/* Deployment, version, path and models. */
bool azure_target_path(struct target_work *w);
/* Sets w->token where the mode wants one. */
enum target_verdict azure_target_token(struct target_work *w);

#endif
