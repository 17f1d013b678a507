/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_TARGET_AZURE_URL_H
#define GATEWAY_TARGET_AZURE_URL_H

/*
 * azure_url: OpenAI's paths as Azure OpenAI's. No I/O and no state.
 *
 * Azure knows three forms: with the deployment in the path (model calls of dated versions), with
 * only the version as a parameter (responses, files, batches, fine-tuning), and the version-free
 * /openai/v1, where everything is as with OpenAI and the model's name is the deployment's.
 */

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

enum azure_url_form {
    AZURE_URL_DEPLOYMENT, /* …/deployments/{deployment}{path}?api-version= */
    AZURE_URL_VERSIONED,  /* …{path}?api-version= */
    AZURE_URL_REALTIME,   /* …/realtime?…&api-version=&deployment= */
    AZURE_URL_OTHER,      /* …{path}, with a version if one is configured */
};

/* `path` begins behind "/v1" and has no query. */
enum azure_url_form azure_url_form_of(struct str method, struct str path);

struct azure_url_input {
    enum azure_url_form form;
    struct str base_path;   /* ends in "/openai" */
    struct str path;        /* as above */
    struct str query;       /* the client's, without "?" */
    struct str api_version; /* "v1", a date, or "" = none configured */
    struct str deployment;  /* required for DEPLOYMENT; "" otherwise when there is none */
};

/*
 * The version that holds: the configured one, else the query's own (then *ret_own is set), else, for
 * all forms but OTHER, "v1".
 */
struct str azure_url_version(const struct azure_url_input *in, bool *ret_own);
/* What goes into the request line; p == NULL when the arena is full. */
struct str azure_url_build(const struct azure_url_input *in, struct arena *a);
/* The model that a name stands for when prices are looked up: what begins with ".ft" is cut. */
struct str azure_url_price_model(struct str model);

#endif
