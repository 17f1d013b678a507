/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens, key sets and claims from any bytes. A token that opens must be one that was signed: with the keys of
 * RFC 7515 that is the RFC's own example alone. What is read of a person must be text within its bounds.
 */
#include <string.h>

#include "base/must.h"
#include "base/utf8.h"
#include "control/people/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const char key[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
static const char example[] =
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
    "bS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQ"
    "xfKTUJqPP3-Kg6NU1Q";

static void check_person(const struct jwt_person *who)
{
    must(who->subject.n >= 1);
    must(who->subject.n <= 255);
    must(who->email.n <= JWT_TEXT_MAX);
    must(who->name.n <= JWT_TEXT_MAX);
    must(utf8_valid(who->subject));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct jwk_set *keys;
    const struct str text = {(const char *)p, n};
    const struct jwt_expect expect = {STR("https://id.example"), STR("tollgate"), STR("n-1"), STR("token"), 1800000000};
    const char *why = NULL;
    struct jwk_set *set = NULL;
    struct jwt_person who;
    struct jwt t = {JWK_RS256, text};
    struct arena *a = arena_new(4096, 1 << 20);
    if (!keys)
        must(jwk_set_parse(str_c(key), &keys, &why) == ERR_OK);
    enum jwt_fault fault = jwt_open(text, keys, a, &t);
    must(fault < JWT_FAULT_COUNT);
    must(fault != JWT_NONE || str_eq(text, str_c(example)));
    t = (struct jwt){(enum jwk_alg)(n % JWK_ALG_COUNT), text};
    if (jwt_claims(&t, &expect, a, &who) == JWT_NONE)
        check_person(&who);
    if (jwt_userinfo(text, a, &who) == JWT_NONE)
        check_person(&who);
    if (jwk_set_parse(text, &set, &why) == ERR_OK) {
        must(jwk_set_count(set) >= 1);
        must(jwt_open(str_c(example), set, a, &t) != JWT_FORM);
        jwk_set_free(set);
    } else {
        must(why != NULL);
    }
    arena_free(a);
    return 0;
}
