/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_PEOPLE_OIDC_PROVIDER_H
#define CONSOLE_PEOPLE_OIDC_PROVIDER_H

/*
 * oidc_provider: what the identity provider says about itself: its endpoints (OpenID Connect Discovery 1.0) and
 * its keys (RFC 7517), fetched when a sign-in needs them and kept for PROVIDER_LASTS_US. When they cannot be
 * read again the old ones stay in use. A key that is not among them has the set read again, not more often than
 * each PROVIDER_AGAIN_US.
 *
 * Endpoints are https, or http where the issuer is (loopback only); they are dialled like every other address
 * (console/fetch.h). Only the console's thread calls.
 */

#include "console/fetch.h"
#include "console/people/oidc.h"
#include "control/people/jwt.h"

#define PROVIDER_LASTS_US (UINT64_C(3600) * 1000000)
#define PROVIDER_AGAIN_US (UINT64_C(5) * 1000000)
#define PROVIDER_DOCUMENT_MAX (256u << 10)
#define PROVIDER_ANSWER_MAX (256u << 10)
#define PROVIDER_WHY_MAX 320

/* Numbers of fetch_step. */
enum { PROVIDER_STEP_DOCUMENT, PROVIDER_STEP_TOKEN, PROVIDER_STEP_KEYS, PROVIDER_STEP_AGAIN, PROVIDER_STEP_USERINFO };

struct endpoint {
    struct dial_target target;
    struct str url, authority, path; /* url is "" where there is no such endpoint */
};

enum provider_auth { PROVIDER_BASIC, PROVIDER_POST };

struct provider {
    const struct oidc_settings *settings;
    struct arena *arena; /* of the document; NULL: none was read */
    struct endpoint authorize, token, keys_at, userinfo;
    enum provider_auth auth;
    bool names_issuer; /* its answers say who it is (RFC 9207) */
    uint64_t read_us, keys_read_us;
    struct jwk_set *keys;
    char why[PROVIDER_WHY_MAX]; /* after PROVIDER_FAILED: a sentence */
};

enum provider_state { PROVIDER_READY, PROVIDER_WAITS, PROVIDER_FAILED };

void provider_init(struct provider *p, const struct oidc_settings *settings);
void provider_done(struct provider *p);

/* The endpoints are there; or the job must return and is run again; or not, and p->why says it. */
enum provider_state provider_document(struct provider *p, struct job *j);
/* Whether that asks nothing. */
bool provider_is_known(const struct provider *p);
/* The same of p->keys. `again`: a key was missing among those there are. */
enum provider_state provider_keys(struct provider *p, struct job *j, bool again);
/* A request for one of the endpoints; its texts are put into the job's arena. */
enum provider_state provider_ask(struct provider *p, struct job *j, unsigned step, const struct endpoint *at,
                                 struct str lines, struct str content, const struct fetch **ret);

#endif
