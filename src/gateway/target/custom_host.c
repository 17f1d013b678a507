/* SPDX-License-Identifier: Apache-2.0 */
/* The syntax is base_url's; what is added here are names and addresses that stay out of reach. */
#include "gateway/target/custom_host.h"

#include <sys/socket.h>

#include "net/address.h"

#define LABELS_MAX 10

#define TEXT(literal)                  \
    {                                  \
        (literal), sizeof(literal) - 1 \
    }

static const struct str metadata_names[] = {TEXT("metadata"), TEXT("metadata.google.internal"),
                                            TEXT("metadata.azure.com"), TEXT("instance-data")};

/*
 * Names that mean something only inside some network (portkey.md 1.4), or nothing at all. Whoever
 * may send a request may not make the gateway look around in there; an admin connects such a host
 * as an integration.
 */
static const struct str dead_ends[] = {
    TEXT(".local"), TEXT(".localdomain"), TEXT(".internal"), TEXT(".intranet"), TEXT(".lan"),
    TEXT(".home"),  TEXT(".corp"),        TEXT(".test"),     TEXT(".invalid"),  TEXT(".onion"),
};

static const struct str azure_ends[] = {
    TEXT(".openai.azure.com"),           TEXT(".cognitiveservices.azure.com"),
    TEXT(".services.ai.azure.com"),      TEXT(".openai.azure.us"),
    TEXT(".cognitiveservices.azure.us"), TEXT(".openai.azure.cn"),
    TEXT(".cognitiveservices.azure.cn"),
};

static unsigned count_labels(struct str host)
{
    unsigned n = 1;
    for (size_t i = 0; i < host.n; i++)
        n += host.p[i] == '.';
    return n;
}

static bool address_allowed(struct str host, const struct address_set *allowed, bool *ret_allowed)
{
    struct sockaddr_storage sa;
    socklen_t len;
    char why[200];
    if (!address_parse(host, 0, &sa, &len))
        return false;
    *ret_allowed = address_check((const struct sockaddr *)&sa, allowed, why, sizeof why) == ERR_OK;
    return true;
}

static bool name_allowed(struct str host, const struct address_set *allowed)
{
    bool loopback_allowed = false;
    if (count_labels(host) > LABELS_MAX)
        return false;
    for (size_t i = 0; i < sizeof metadata_names / sizeof metadata_names[0]; i++)
        if (str_eq(host, metadata_names[i]))
            return false;
    for (size_t i = 0; i < sizeof dead_ends / sizeof dead_ends[0]; i++)
        if (str_ends(host, dead_ends[i]))
            return false;
    if (str_eq(host, STR("localhost")) || str_ends(host, STR(".localhost")))
        return address_allowed(STR("127.0.0.1"), allowed, &loopback_allowed) && loopback_allowed;
    return true;
}

bool custom_host_read(struct str text, const struct address_set *allowed, struct base_url *ret)
{
    struct base_url url;
    char why[300];
    bool ok;
    if (base_url_parse(str_trim(text), &url, why, sizeof why) != ERR_OK)
        return false;
    struct str host = str_c(url.host);
    if (!address_allowed(host, allowed, &ok))
        ok = name_allowed(host, allowed);
    if (ok)
        *ret = url;
    return ok;
}

bool custom_host_is_azure(const char *host)
{
    for (size_t i = 0; i < sizeof azure_ends / sizeof azure_ends[0]; i++)
        if (str_ends(str_c(host), azure_ends[i]))
            return true;
    return false;
}
