/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong here would only show when somebody signs in, so it is said when the server starts. */
#include "cli/person/serve_oidc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "control/control_text.h"

#define SECRET_MAX 2048
#define TEXT_MAX 500

static bool complain(char why[SERVE_OIDC_WHY_MAX], const char *option, const char *fault)
{
    snprintf(why, SERVE_OIDC_WHY_MAX, "--%s: %s", option, fault);
    return false;
}

/* From the environment, or the file; neither: a public client. */
static bool read_secret(const struct option_value *file, struct secret *ret, char why[SERVE_OIDC_WHY_MAX])
{
    char text[SECRET_MAX + 2];
    struct str said = str_c(getenv("TOLLGATE_OIDC_CLIENT_SECRET"));
    if (file->given) {
        FILE *f = fopen(file->text.p, "rb");
        size_t n = f ? fread(text, 1, sizeof text, f) : 0;
        int error = errno;
        if (f)
            fclose(f);
        if (!f)
            return complain(why, "oidc-client-secret-file", strerror(error));
        while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
            n--;
        said = str_of(text, n);
        if (!n)
            return complain(why, "oidc-client-secret-file", "the file is empty");
    }
    bool ok = said.n <= SECRET_MAX;
    for (size_t i = 0; i < said.n; i++) /* RFC 6749, A.2 */
        ok = ok && said.p[i] >= ' ' && said.p[i] < 0x7f;
    if (ok)
        secret_set(ret, said);
    mem_wipe(text, sizeof text);
    return ok || complain(why, "oidc-client-secret-file", "a client secret is one line of ASCII characters");
}

static bool read_domains(const struct option_value *list, struct serve_oidc *o, char why[SERVE_OIDC_WHY_MAX])
{
    for (size_t i = 0; i < list->list_count; i++) {
        struct str domain = list->list[i];
        if (str_starts(domain, STR("@")))
            domain = str_from(domain, 1);
        if (!url_host(domain, o->domain_texts[i]) || url_host_is_address(o->domain_texts[i]))
            return complain(why, "oidc-allowed-domain", "give a domain as it stands in addresses, such as example.com");
        o->domains[i] = str_c(o->domain_texts[i]);
    }
    o->settings.rule.domains = o->domains;
    o->settings.rule.domain_count = list->list_count;
    return true;
}

/* "default:member" */
static bool read_join(const struct option_value *join, struct serve_oidc *o, char why[SERVE_OIDC_WHY_MAX])
{
    struct identity_rule *rule = &o->settings.rule;
    struct str rest = join->given ? join->text : STR(""), workspace = STR("");
    rule->join_workspace = STR("");
    if (!join->given)
        return true;
    if (!str_split(&rest, ':', &workspace) || !control_text_is_workspace(workspace) || !rest.p ||
        !kind_role_from(rest, &rule->join_role) || rule->join_role < KIND_ROLE_MEMBER)
        return complain(why, "oidc-join", "it is WORKSPACE:ROLE, and the role member or viewer: default:member");
    if (!rule->domain_count)
        return complain(why, "oidc-join",
                        "it needs --oidc-allowed-domain, or anybody with an account at the provider could come in");
    rule->join_workspace = workspace;
    return true;
}

static bool read_texts(const struct command *c, const struct option_value *values, struct serve_oidc *o,
                       char why[SERVE_OIDC_WHY_MAX])
{
    struct url u;
    const char *fault;
    struct oidc_settings *s = &o->settings;
    const struct option_value *name = option_get(c, values, "oidc-name"), *id = option_get(c, values, "oidc-client-id");
    s->issuer = option_get(c, values, "oidc-issuer")->text;
    s->client_id = id->given ? id->text : STR("");
    s->scopes = option_get(c, values, "oidc-scopes")->text;
    s->trusts_emails = option_get(c, values, "oidc-trust-email")->number;
    fault = oidc_issuer_fault(s->issuer);
    if (fault)
        return complain(why, "oidc-issuer", fault);
    if (!control_text_is_visible(s->client_id, TEXT_MAX))
        return complain(why, "oidc-client-id", "give the id that the provider has for this server");
    if (!control_text_is_name(s->scopes, TEXT_MAX) || !str_starts(s->scopes, STR("openid")))
        return complain(why, "oidc-scopes", "it begins with openid, such as \"openid email profile\"");
    if (name->given && !control_text_is_name(name->text, sizeof o->name - 1))
        return complain(why, "oidc-name", "a name has 1 to 253 bytes of UTF-8 without control characters");
    if (!name->given && url_parse(s->issuer, URL_BASE, &u, &fault) == ERR_OK)
        str_copy(o->name, sizeof o->name, str_c(u.host));
    else
        str_copy(o->name, sizeof o->name, name->text);
    s->name = str_c(o->name);
    return true;
}

bool serve_oidc_read(const struct command *c, const struct option_value *values, struct str public_url,
                     struct serve_oidc *ret, char why[SERVE_OIDC_WHY_MAX])
{
    static const char *const rest[] = {"oidc-client-id", "oidc-client-secret-file", "oidc-name", "oidc-allowed-domain",
                                       "oidc-join",      "oidc-trust-email"};
    const char *fault = NULL;
    struct url u;
    memset(ret, 0, sizeof *ret);
    ret->given = option_get(c, values, "oidc-issuer")->given;
    for (size_t i = 0; i < sizeof rest / sizeof rest[0] && !ret->given; i++)
        if (option_get(c, values, rest[i])->given)
            return complain(why, rest[i], "it needs --oidc-issuer");
    if (!ret->given)
        return option_get(c, values, "password-sign-in")->number ||
               complain(why, "password-sign-in", "without it and without --oidc-issuer nobody could sign in");
    if (!public_url.n)
        return complain(why, "oidc-issuer",
                        "it needs --public-url, the address that the provider leads people back to");
    if (url_parse(public_url, URL_BASE, &u, &fault) != ERR_OK)
        return complain(why, "public-url", fault);
    if (u.path.n)
        return complain(why, "public-url", "with --oidc-issuer it has no path: the console is at the top of its host");
    return read_texts(c, values, ret, why) && read_domains(option_get(c, values, "oidc-allowed-domain"), ret, why) &&
           read_join(option_get(c, values, "oidc-join"), ret, why) &&
           read_secret(option_get(c, values, "oidc-client-secret-file"), &ret->settings.client_secret, why);
}

void serve_oidc_wipe(struct serve_oidc *o)
{
    secret_wipe(&o->settings.client_secret);
}
