/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_BASE_URL_H
#define CONTROL_BASE_URL_H

/*
 * base_url: where a provider is. Much less than a URL: scheme, host, port, path, and nothing that
 * could be read in two ways. Refused are user information, query, fragment, "..", "//",
 * percent-encoded or non-ASCII hosts (IDNA names are given as "xn--"), a trailing dot, and every
 * spelling of an IPv4 address other than four plain decimal numbers (127.1, 0x7f000001, 2130706433:
 * a resolver may take them for an address where a reader does not).
 *
 * Whether the host may be connected to is decided later, by its address: see net/address.h.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define BASE_URL_MAX 1024
#define BASE_URL_HOST_MAX 253

struct base_url {
    bool tls;
    uint16_t port;
    char host[BASE_URL_HOST_MAX + 1];          /* lower case, no brackets */
    char authority[BASE_URL_HOST_MAX + 2 + 7]; /* brackets for IPv6; port unless it is the scheme's */
    char path[BASE_URL_MAX + 1];               /* "" or "/…", never ends in '/' */
};

/* ERR_BAD_PARAMETER with a sentence in `why`. */
enum err base_url_parse(struct str text, struct base_url *ret_url, char *why, size_t why_cap) ERR_USE;

#define BASE_URL_TEXT_MAX (BASE_URL_MAX + BASE_URL_HOST_MAX + 32)
/* The normal form, "https://api.openai.com/v1"; returns the length. */
size_t base_url_format(const struct base_url *url, char out[BASE_URL_TEXT_MAX]);
/* Whether a credential for `a` may be sent to `b`: same scheme, host and port. */
bool base_url_same_origin(const struct base_url *a, const struct base_url *b);

#endif
