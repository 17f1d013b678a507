/* SPDX-License-Identifier: Apache-2.0 */
/* Provider addresses: what is taken has one normal form, and nothing in it could leave its place in a head. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/must.h"
#include "control/base_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct base_url url, again;
    char why[300], text[BASE_URL_TEXT_MAX], text2[BASE_URL_TEXT_MAX];
    if (base_url_parse(str_of((const char *)bytes, n), &url, why, sizeof why) != ERR_OK)
        return 0;
    size_t len = base_url_format(&url, text);
    must(len < sizeof text);
    for (size_t i = 0; i < len; i++)
        must(text[i] > ' ' && text[i] < 0x7f);
    must(!strpbrk(text, "@?#\\") || (!strpbrk(text, "?#\\") && !strchr(url.authority, '@')));
    must(url.port != 0);
    must(url.host[0] != '\0');
    must(url.path[0] == '\0' || (url.path[0] == '/' && url.path[strlen(url.path) - 1] != '/'));
    must(base_url_parse(str_of(text, len), &again, why, sizeof why) == ERR_OK);
    must(base_url_format(&again, text2) == len && memcmp(text, text2, len) == 0);
    must(base_url_same_origin(&url, &again));
    return 0;
}
