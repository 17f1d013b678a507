/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens. The payload is read only after its MAC was found right, so it is text that token_make wrote and
 * needs no general JSON reader.
 */
#include "control/people/token.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/encode.h"
#include "base/mem.h"
#include "base/must.h"

#define MAC_BYTES 32
#define PAYLOAD_MAX 300

static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
static const char *const uses[] = {[TOKEN_ACCESS] = "access", [TOKEN_REFRESH] = "refresh"};

static void mac(const unsigned char *key, size_t key_n, struct str text, unsigned char out[MAC_BYTES])
{
    unsigned n = 0;
    const unsigned char *done = HMAC(EVP_sha256(), key, (int)key_n, (const unsigned char *)text.p, text.n, out, &n);
    must(done != NULL);
    must(n == MAC_BYTES);
}

void token_key(const unsigned char pepper[APIKEY_PEPPER_BYTES], unsigned char out[TOKEN_KEY_BYTES])
{
    mac(pepper, APIKEY_PEPPER_BYTES, STR("tollgate token key 1"), out);
}

static bool add_base64(struct buf *out, const void *bytes, size_t n)
{
    char text[ENCODE_BASE64_MAX(PAYLOAD_MAX)];
    must(n <= PAYLOAD_MAX);
    return buf_add(out, text, encode_base64url(bytes, n, text));
}

bool token_make(const unsigned char key[TOKEN_KEY_BYTES], enum token_use use, struct str subject, int64_t key_id,
                int64_t now_s, struct buf *out)
{
    struct buf payload;
    unsigned char tag[MAC_BYTES];
    size_t begin = buf_size(out);
    int64_t lasts = use == TOKEN_ACCESS ? TOKEN_ACCESS_S : TOKEN_REFRESH_S;
    buf_init(&payload, PAYLOAD_MAX);
    bool ok = buf_printf(
        &payload, "{\"iss\":\"tollgate\",\"sub\":\"%.*s\",\"use\":\"%s\",\"key\":%lld,\"iat\":%lld,\"exp\":%lld}",
        STR_ARG(subject), uses[use], (long long)key_id, (long long)now_s, (long long)(now_s + lasts));
    ok = ok && add_base64(out, header, sizeof header - 1) && buf_add_byte(out, '.') &&
         add_base64(out, buf_str(&payload).p, buf_size(&payload));
    buf_free(&payload);
    if (!ok)
        return false;
    mac(key, TOKEN_KEY_BYTES, str_from(buf_str(out), begin), tag);
    return buf_add_byte(out, '.') && add_base64(out, tag, sizeof tag);
}

/* The decimal number behind `name` in what token_make wrote. */
static int64_t number(struct str payload, struct str name)
{
    uint64_t value = 0;
    ptrdiff_t at = str_search(payload, name);
    must(at >= 0);
    struct str rest = str_from(payload, (size_t)at + name.n);
    size_t n = 0;
    while (n < rest.n && rest.p[n] >= '0' && rest.p[n] <= '9')
        n++;
    bool is_number = str_to_u64(str_head(rest, n), &value);
    must(is_number && value <= INT64_MAX);
    return (int64_t)value;
}

bool token_read(const unsigned char key[TOKEN_KEY_BYTES], struct str text, struct token *ret)
{
    char first[ENCODE_BASE64_MAX(sizeof header)];
    unsigned char given[MAC_BYTES + 2], right[MAC_BYTES], payload[PAYLOAD_MAX];
    struct str rest = text, head, body;
    size_t n = 0;
    struct str expected = str_of(first, encode_base64url(header, sizeof header - 1, first));
    if (text.n > TOKEN_MAX || !str_split(&rest, '.', &head) || !str_split(&rest, '.', &body))
        return false;
    if (!str_eq(head, expected) || !encode_unbase64(rest, given, sizeof given, &n) || n != MAC_BYTES)
        return false;
    mac(key, TOKEN_KEY_BYTES, str_head(text, head.n + 1 + body.n), right);
    if (CRYPTO_memcmp(given, right, MAC_BYTES) != 0 || !encode_unbase64(body, payload, sizeof payload, &n))
        return false;
    struct str said = str_of((const char *)payload, n);
    ret->use = str_search(said, STR("\"use\":\"access\"")) >= 0 ? TOKEN_ACCESS : TOKEN_REFRESH;
    ret->key_id = number(said, STR("\"key\":"));
    ret->expires_s = number(said, STR("\"exp\":"));
    return true;
}
