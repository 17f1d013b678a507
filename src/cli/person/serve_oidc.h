/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PERSON_SERVE_OIDC_H
#define CLI_PERSON_SERVE_OIDC_H

/* serve_oidc: the options of serve about the provider that people sign in at, checked before anything is opened. */

#include "cli/option.h"
#include "console/people/oidc.h"
#include "net/url.h"

#define SERVE_OIDC_WHY_MAX 400

struct serve_oidc {
    bool given; /* there is a provider */
    struct oidc_settings settings;
    char name[URL_HOST_MAX + 1];
    struct str domains[OPTION_LIST_MAX];
    char domain_texts[OPTION_LIST_MAX][URL_HOST_MAX + 1];
};

/* False with a sentence. `public_url` is that of the server, "" = not given. */
bool serve_oidc_read(const struct command *c, const struct option_value *values, struct str public_url,
                     struct serve_oidc *ret, char why[SERVE_OIDC_WHY_MAX]);
void serve_oidc_wipe(struct serve_oidc *o);

#endif
