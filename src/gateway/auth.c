/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks. The key may come as OpenAI, Azure and Portkey clients send it, or, from browsers that
 * cannot set headers on a WebSocket, as a subprotocol. It is looked up in the snapshot and goes no
 * further: the upstream head is written without it.
 */
#include "base/clock.h"
#include "gateway/credentials.h"
#include "gateway/finish.h"
#include "gateway/model_api.h"
#include "gateway/request.h"
#include "gateway/stages.h"

#define PROTOCOL_KEY "openai-insecure-api-key."

static struct str bearer(struct str value)
{
    if (str_starts_nocase(value, STR("bearer ")))
        return str_trim(str_from(value, 7));
    return STR("");
}

static struct str from_protocols(struct str value)
{
    struct str part;
    while (str_split(&value, ',', &part)) {
        part = str_trim(part);
        if (str_starts(part, STR(PROTOCOL_KEY)))
            return str_from(part, sizeof PROTOCOL_KEY - 1);
    }
    return STR("");
}

struct str credentials_find(const struct http1_head *head)
{
    struct str found = STR("");
    const struct http1_field *f = http1_find_id(head, HTTP1_X_PORTKEY_API_KEY);
    if (f && f->value.n)
        return f->value;
    for (unsigned i = 0; i < head->field_count && !found.n; i++) {
        f = &head->fields[i];
        if (f->id == HTTP1_AUTHORIZATION)
            found = bearer(f->value);
        else if (f->id == HTTP1_API_KEY || f->id == HTTP1_X_API_KEY)
            found = f->value;
    }
    f = found.n ? NULL : http1_find_id(head, HTTP1_SEC_WEBSOCKET_PROTOCOL);
    return f ? from_protocols(f->value) : found;
}

enum next auth_run(struct request *r)
{
    struct str presented = r->blaxel ? model_api_credential(&r->x->head) : credentials_find(&r->x->head);
    r->portkey = http1_find_id(&r->x->head, HTTP1_X_PORTKEY_API_KEY) != NULL;
    if (!presented.n) {
        finish_with_error(r, ERR_KEY_MISSING, STR(""), STR(""));
        return DONE;
    }
    enum snapshot_verdict verdict = snapshot_judge(r->snapshot, presented, r->started_us, &r->key);
    if (verdict != SNAPSHOT_ADMITTED && r->portkey) {
        enum refusal which = verdict == SNAPSHOT_EXPIRED ? REFUSAL_KEY_EXPIRED : REFUSAL_KEY_INVALID;
        finish_with_refusal(r, which, STR(""), STR(""));
        return DONE;
    }
    if (verdict != SNAPSHOT_ADMITTED) {
        finish_with_error(r, ERR_KEY_INVALID, STR(""), str_c(snapshot_verdict_text(verdict)));
        return DONE;
    }
    bool may = snapshot_key_may(r->key, SNAPSHOT_SCOPE_COMPLETIONS_WRITE);
    if (!may && r->portkey) {
        finish_with_refusal(r, REFUSAL_KEY_FORBIDDEN, STR(""), STR(""));
        return DONE;
    }
    if (!may) {
        finish_with_error(r, ERR_FORBIDDEN, STR(""), STR("it does not have the scope completions.write"));
        return DONE;
    }
    if (r->blaxel && !model_api_admit(r)) /* before the role: it may lead to another workspace */
        return DONE;
    if (r->key->role == KIND_ROLE_VIEWER) {
        finish_with_error(r, ERR_FORBIDDEN, STR(""), STR("a viewer's key cannot send requests to a provider"));
        return DONE;
    }
    if (r->key->record_bodies != KIND_BODIES_DEFAULT)
        r->keep_bodies = r->key->record_bodies == KIND_BODIES_ON;
    return NEXT;
}
