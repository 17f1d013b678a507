/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_TARGET_REFUSAL_H
#define GATEWAY_TARGET_REFUSAL_H

/*
 * refusal: an answer the gateway gives itself in Portkey's contract: before any target
 * ("Portkey Error: …"), in place of a target's answer (412, 446, gateway exceptions), or for a bad
 * config. One table declares them. Other errors are in base/err_table.h.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Columns: name, HTTP status, family, type, code, what the record says, message ("%s" once at most). */
#define REFUSAL_TABLE(X)                                                                                                \
    X(KEY_INVALID, 401, KEY, "invalid_request_error", "03", KEY_INVALID, "Invalid API Key")                             \
    X(KEY_EXPIRED, 401, KEY, "invalid_request_error", "01", KEY_INVALID, "Portkey API Key Expired")                     \
    X(KEY_FORBIDDEN, 403, KEY, "request_forbidden", "033", FORBIDDEN, "Forbidden!")                                     \
    X(NO_PROVIDER, 400, REQUEST, "invalid_request_error", "", NO_INTEGRATION,                                           \
      "Either x-portkey-config or x-portkey-provider header is required")                                               \
    X(BAD_PROVIDER, 400, REQUEST, "invalid_request_error", "", BAD_PARAMETER, "Invalid provider passed")                \
    X(CONFIG_WITHOUT_PROVIDER, 400, REQUEST, "invalid_request_error", "", NO_INTEGRATION,                               \
      "Either x-portkey-provider needs to be passed. Or the x-portkey-config header should have a valid config with "   \
      "provider details in it.")                                                                                        \
    X(BAD_HOST, 400, REQUEST, "invalid_request_error", "", BAD_PARAMETER, "Invalid custom host")                        \
    X(UNKNOWN_KEYS, 400, REQUEST, "invalid_request_error", "", NOT_FOUND, "Following keys are not valid: %s")           \
    X(CONFIG_NOT_JSON, 400, REQUEST, "invalid_request_error", "", BAD_PARAMETER,                                        \
      "Invalid config passed. You need to pass a valid json")                                                           \
    X(CONFIG_INVALID, 400, REQUEST, "invalid_request_error", "", BAD_PARAMETER, "Invalid config passed")                \
    X(CONFIG_UNKNOWN, 400, REQUEST, "invalid_request_error", "", NOT_FOUND, "Invalid config id passed")                 \
    X(CONFIG_FIXED, 400, REQUEST, "invalid_request_error", "", FORBIDDEN,                                               \
      "Cannot override default config set for this API key.")                                                           \
    X(ONE_TARGET, 400, REQUEST, "invalid_request_error", "", BAD_PARAMETER,                                             \
      "Invalid config provided. Maximum one target is allowed for batch/file/fine_tuning requests")                     \
    X(ROUTER, 400, REQUEST, "invalid_request_error", "", BAD_PARAMETER, "%s")                                           \
    X(NO_DEPLOYMENT, 400, EXCEPTION, "invalid_request_error", "", BAD_PARAMETER,                                        \
      "No azure alias passed/default config found")                                                                     \
    X(TARGET_BROKEN, 400, EXCEPTION, "invalid_request_error", "", NO_INTEGRATION, "%s")                                 \
    X(UNSUPPORTED, 400, EXCEPTION, "invalid_request_error", "", BAD_PARAMETER, "%s")                                    \
    X(TOKEN_FAILED, 401, TARGET, "authentication_error", "", UPSTREAM_BAD_HTTP, "%s")                                   \
    X(MODEL_NOT_ALLOWED, 412, TARGET, "model_not_allowed_error", "", FORBIDDEN,                                         \
      "Model %s is not allowed for this integration")                                                                   \
    X(ACCOUNT_EXPIRED, 401, TARGET, "virtual_key_expired_error", "", FORBIDDEN, "Portkey Virtual Key %s Expired")       \
    X(TIMEOUT, 408, TARGET, "timeout_error", "", UPSTREAM_TIMEOUT,                                                      \
      "Request exceeded the timeout sent in the request: %sms")                                                         \
    X(CONNECT_TIMEOUT, 503, TARGET, "upstream_connection_error", "", UPSTREAM_CONNECT_TIMEOUT, "%s")                    \
    X(CONNECTION, 500, TARGET, "upstream_connection_error", "", UPSTREAM_CONNECT, "%s")                                 \
    X(HOOKS_DENIED, 446, TARGET, "hooks_failed", "", FORBIDDEN,                                                         \
      "The guardrail checks defined in the config failed. You can find more information in the `hook_results` object.") \
    X(BODY_NOT_KEPT, 413, REQUEST, "invalid_request_error", "request_too_large", BODY_TOO_LARGE,                        \
      "This config changes or checks the body, which is only possible up to 16 MiB; send a smaller one, or use a "      \
      "config without overrides and guardrails.")

enum refusal {
#define X(name, status, family, type, code, err, message) REFUSAL_##name,
    REFUSAL_TABLE(X)
#undef X
        REFUSAL_COUNT
};

/*
 * How the body looks and whether fallback goes on.
 *   KEY        {"status":"failure","message":"Portkey Error: <message>. Error Code: <code>","error":{…}}
 *   REQUEST    {"status":"failure","message":…,"error":{…}}; no target was tried
 *   EXCEPTION  as REQUEST, with x-portkey-gateway-exception: true; ends every fallback
 *   TARGET     {"error":{"message","type","param":null,"code":null or the code}}; an ordinary status for fallback
 */
enum refusal_family { REFUSAL_FAMILY_KEY, REFUSAL_FAMILY_REQUEST, REFUSAL_FAMILY_EXCEPTION, REFUSAL_FAMILY_TARGET };

struct refusal_info {
    const char *name;
    uint16_t status;
    enum refusal_family family;
    const char *type, *code;
    enum err err;
    const char *message;
};
const struct refusal_info *refusal_info(enum refusal which);
/*
 * The JSON answer. `detail` takes the place of "%s". `more` is "" or further members as raw JSON
 * (`"errors":[…]`, `"hook_results":{…}`), put at the end of the object.
 */
bool refusal_json(struct buf *out, enum refusal which, struct str detail, struct str more)
    __attribute__((warn_unused_result));

#endif
