/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_PEOPLE_OIDC_H
#define CONSOLE_PEOPLE_OIDC_H

/*
 * oidc: signing in at a provider of OpenID Connect: authorization code with PKCE (RFC 6749, 7636; OpenID Connect
 * Core 1.0 §3.1).
 *
 *     GET …/sign-in/oidc            a ticket into the browser's cookie, and off to the provider
 *     GET …/sign-in/oidc/callback   back with a code: ticket, state and issuer (RFC 9207) must agree; the code is
 *                                   traded for tokens, the ID token verified (control/people/jwt.h), the person
 *                                   found (control/people/identity.h), a session begun
 *
 * Nothing is kept here for a sign-in under way: state, nonce and PKCE's verifier are in the ticket, sealed
 * (oidc_ticket.h), so that strangers who begin a thousand sign-ins take nobody's place. What went wrong is
 * told on a page, in a sentence; the log has the detail.
 *
 * What the provider says about itself is read from its discovery document and key set and kept for an hour;
 * an unknown key has the set read again. All of it belongs to the console's thread.
 */

#include "base/secret.h"
#include "console/job.h"
#include "control/people/identity.h"

/* From the options of serve; good as long as the server. */
struct oidc_settings {
    struct str issuer; /* as the provider spells it */
    struct str client_id;
    struct secret client_secret; /* empty: a public client */
    struct str scopes;           /* "openid email profile" */
    struct str name;             /* what the button calls the provider */
    bool trusts_emails;          /* addresses count unless it is said that they were not verified */
    struct identity_rule rule;
};

#define OIDC_ISSUER_MAX 1024
/* Whether this can be an issuer: https, or http on a loopback address. NULL, or a sentence. */
const char *oidc_issuer_fault(struct str issuer);

struct oidc;
struct oidc *oidc_new(const struct oidc_settings *settings);
void oidc_free(struct oidc *o); /* NULL does nothing */

/* What the sign-in page offers: the provider's name; "" when there is none. */
struct str oidc_name(const struct oidc *o);
/* Whether the browser may be led there after a sign-in: a path of the console. */
bool oidc_return_ok(struct str path);

#endif
