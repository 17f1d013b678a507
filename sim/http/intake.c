/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever is wrong with a request, its body is read to the end before it is answered (as long as it
 * is not too large), so that the connection can be used again. The checks run in the order OpenAI
 * seems to have: path, key, body, model; then the cue may spoil everything.
 */
#include "sim/http/intake.h"

#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "sim/http/apierr.h"
#include "sim/http/call.h"
#include "sim/http/caller.h"
#include "sim/http/cuefile.h"
#include "sim/http/formread.h"
#include "sim/kept/served.h"
#include "sim/kept/shelf.h"
#include "sim/simid.h"

#define PROJECT_MAX 47

/* What refuses instead of a handler. */

static void refuse_unknown(struct call *c)
{
    if (c->surface == CALL_AZURE_DATED || c->surface == CALL_AZURE_V1)
        apierr(c, 404, "invalid_request_error", NULL, "404", "Resource not found");
    else
        apierr(c, 404, "invalid_request_error", NULL, NULL, "Invalid URL (%.*s %.*s)", STR_ARG(c->method),
               STR_ARG(str_head(c->target, 300)));
}

static void refuse_method(struct call *c)
{
    apierr(c, 405, "invalid_request_error", NULL, "method_not_supported",
           "Not allowed to %.*s on %.*s (HINT: Perhaps you meant to use a different HTTP method?)", STR_ARG(c->method),
           STR_ARG(str_head(c->target, 300)));
}

static void answer_options(struct call *c)
{
    answer_header(c, "Access-Control-Allow-Origin", STR("*"));
    answer_header(c, "Access-Control-Allow-Headers", STR("*"));
    answer_empty(c, 204);
}

static void refuse_missing_key(struct call *c)
{
    if (call_on_azure(c))
        apierr(c, 401, "invalid_request_error", NULL, "401",
               "Access denied due to invalid subscription key or wrong API endpoint.");
    else
        apierr(c, 401, "invalid_request_error", NULL, NULL,
               "You didn't provide an API key. You need to provide your API key in an Authorization header using "
               "Bearer auth (i.e. Authorization: Bearer YOUR_KEY).");
}

static void refuse_key(struct call *c)
{
    if (call_on_azure(c))
        refuse_missing_key(c);
    else
        apierr(c, 401, "invalid_request_error", NULL, "invalid_api_key",
               "Incorrect API key provided: %.*s. You can find your API key at "
               "https://platform.openai.com/account/api-keys.",
               STR_ARG(c->key_hint));
}

static void refuse_scope(struct call *c)
{
    apierr(c, 403, "invalid_request_error", NULL, NULL,
           "You have insufficient permissions for this operation. Missing scopes: %s.",
           c->route->flags & PATHS_ADMIN ? "api.management.read" : "model.request");
}

static void refuse_api_version(struct call *c)
{
    apierr(c, 404, "invalid_request_error", NULL, "404", "Resource not found");
}

static void refuse_large(struct call *c)
{
    apierr(c, 413, "invalid_request_error", NULL, "request_too_large", "The request body is larger than %llu bytes.",
           (unsigned long long)c->sim->opts.body_max);
}

static void refuse_json(struct call *c)
{
    apierr(c, 400, "invalid_request_error", NULL, NULL,
           "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP "
           "library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)");
}

static void refuse_form(struct call *c)
{
    apierr(c, 400, "invalid_request_error", NULL, NULL, "Could not parse multipart form");
}

static void refuse_cue(struct call *c)
{
    apierr(c, 400, "invalid_request_error", NULL, "bad_cue", "%.*s is no header of the simulator, or has a bad value.",
           STR_ARG(str_head(c->cue_wrong, 100)));
}

/* The head. */

/* Splits "/openai/deployments/{d}/chat/completions" and its relatives. */
static void surface_of(struct call *c)
{
    struct str t = c->target;
    ptrdiff_t at = str_find(t, '?');
    c->query = at < 0 ? STR("") : str_from(t, (size_t)at + 1);
    if (at >= 0)
        t = c->target = str_head(t, (size_t)at);
    if (str_starts(t, STR("/v1/"))) {
        c->surface = CALL_OPENAI;
        c->path = str_from(t, 3);
    } else if (str_starts(t, STR("/openai/v1/"))) {
        c->surface = CALL_AZURE_V1;
        c->path = str_from(t, 10);
    } else if (str_starts(t, STR("/openai/deployments/"))) {
        struct str rest = str_from(t, 20);
        ptrdiff_t slash = str_find(rest, '/');
        c->surface = CALL_AZURE_DATED;
        c->deployment = slash < 0 ? rest : str_head(rest, (size_t)slash);
        c->path = slash < 0 ? STR("/") : str_from(rest, (size_t)slash);
    } else if (str_starts(t, STR("/openai/"))) {
        c->surface = CALL_AZURE_DATED;
        c->path = str_from(t, 7);
    } else if (str_starts(t, STR("/sim/"))) {
        c->surface = CALL_OWN;
        c->path = t;
    } else {
        c->surface = CALL_OPENAI;
        c->path = STR("");
    }
}

static void keep(struct call *c, struct str *to, const struct http1_field *f)
{
    if (f)
        *to = arena_dup(c->arena, f->value);
}

static void read_fields(struct call *c, const struct http1_head *head)
{
    static const struct {
        const char *name;
        size_t offset;
    } wanted[] = {{"openai-beta", offsetof(struct call, beta)},
                  {"x-client-request-id", offsetof(struct call, client_id)},
                  {"sec-websocket-key", offsetof(struct call, websocket_key)}};
    c->method = arena_dup(c->arena, head->method);
    c->target = arena_dup(c->arena, head->target);
    for (unsigned i = 0; i < head->field_count; i++) {
        const struct http1_field *f = &head->fields[i];
        switch (f->id) {
        case HTTP1_CONTENT_TYPE:
            keep(c, &c->content_type, f);
            break;
        case HTTP1_ACCEPT_ENCODING:
            keep(c, &c->accept_encoding, f);
            break;
        case HTTP1_OPENAI_PROJECT:
            c->project_wish = arena_dup(c->arena, str_head(f->value, PROJECT_MAX));
            break;
        case HTTP1_SEC_WEBSOCKET_PROTOCOL:
            keep(c, &c->websocket_protocols, f);
            break;
        case HTTP1_OTHER:
            for (size_t k = 0; k < sizeof wanted / sizeof wanted[0]; k++)
                if (str_eq_nocase(f->name, str_c(wanted[k].name)))
                    keep(c, (struct str *)(void *)((char *)c + wanted[k].offset), f);
            break;
        default:
            break;
        }
    }
}

/* Browsers put the key of a WebSocket into a subprotocol. */
static struct str key_of_protocols(struct str protocols)
{
    struct str part, prefix = STR("openai-insecure-api-key.");
    while (protocols.n && str_split(&protocols, ',', &part)) {
        part = str_trim(part);
        if (str_starts(part, prefix))
            return str_from(part, prefix.n);
    }
    return STR("");
}

static struct str key_of(struct call *c, const struct http1_head *head)
{
    const struct http1_field *f = http1_find_id(head, HTTP1_API_KEY);
    if (f && call_on_azure(c))
        return f->value;
    f = http1_find_id(head, HTTP1_AUTHORIZATION);
    if (f && str_starts_nocase(f->value, STR("Bearer ")))
        return str_trim(str_from(f->value, 7));
    if (f)
        return STR("-");
    return key_of_protocols(c->websocket_protocols);
}

static void check_key(struct call *c, const struct http1_head *head)
{
    struct str key = key_of(c, head);
    if (!c->route || c->refuse || c->route->flags & PATHS_OPEN)
        return;
    c->caller = caller_of(c->sim->callers, key, call_on_azure(c), call_now(c));
    if (c->caller && !(c->route->flags & PATHS_EITHER) && c->caller->admin != !!(c->route->flags & PATHS_ADMIN))
        c->refuse = refuse_scope;
    if (c->caller)
        return;
    c->refuse = key.n ? refuse_key : refuse_missing_key;
    c->key_hint = key.n < 12 ? STR("***") : call_format(c, "%.*s***%.*s", 8, key.p, 4, key.p + key.n - 4);
}

static void find_route(struct call *c)
{
    char allow[64];
    c->route = paths_find(c->method, c->path, c->args, allow);
    for (int i = 0; i < PATHS_ARGS_MAX; i++)
        c->args[i] = call_percent_decoded(c, c->args[i]);
    if (c->route) {
        bool own = c->route->flags & PATHS_OWN;
        if (own != (c->surface == CALL_OWN))
            c->route = NULL;
    }
    if (!c->route && allow[0]) {
        answer_header(c, "Allow", str_c(allow));
        c->refuse = str_eq(c->method, STR("OPTIONS")) ? answer_options : refuse_method;
    } else if (!c->route) {
        c->refuse = refuse_unknown;
    }
    if (c->surface == CALL_AZURE_DATED) {
        c->api_version = call_query(c, "api-version");
        if (c->route && !c->api_version.n)
            c->refuse = refuse_api_version;
    }
}

/* Running. */

static bool is_json_body(const struct call *c)
{
    return !c->form && c->route && !(c->route->flags & PATHS_RAW) && buf_size(&c->body) > 0;
}

static void note_model(struct call *c)
{
    struct str model = c->deployment;
    if (!model.n && c->form)
        model = formread_text(c->form, "model");
    if (!model.n)
        model = jdoc_text(jdoc_find(c->json, "model"), c->arena);
    str_copy(c->model_asked, sizeof c->model_asked, model);
}

/* A rule's cue is copied: the script may be replaced while the call is under way. */
static void apply_script(struct call *c)
{
    const struct cue *rule = c->surface == CALL_OWN ? NULL : cuefile_match(c->sim->script, c);
    struct cue *own = rule ? arena_alloc(c->arena, sizeof *own) : NULL;
    if (!own)
        return;
    *own = *rule;
    for (unsigned i = 0; i < CUE_NAME_COUNT; i++) {
        if (cue_has(c->cue, i)) {
            own->value[i] = c->cue->value[i];
            own->given |= UINT64_C(1) << i;
        } else if (cue_has(rule, i)) {
            own->value[i].text = arena_dup(c->arena, rule->value[i].text);
        }
    }
    c->cue = own;
}

static bool fails_on_cue(const struct call *c)
{
    if (cue_has(c->cue, CUE_FAIL_AFTER_EVENTS))
        return false;
    return cue_has(c->cue, CUE_ERROR) || (cue_has(c->cue, CUE_STATUS) && cue_count(c->cue, CUE_STATUS, 200) != 200);
}

static void seed_set(struct call *c)
{
    uint64_t h = simid_hash(c->sim->opts.seed, c->path);
    c->seed = c->form ? formread_hash(c->form, h) : simid_hash(h, buf_str(&c->body));
}

static void choose(struct call *c)
{
    if (c->refuse) {
        c->refuse(c);
        return;
    }
    apply_script(c);
    if (fails_on_cue(c)) {
        apierr_on_cue(c, (int)cue_count(c->cue, CUE_STATUS, 0), cue_text(c->cue, CUE_ERROR));
        return;
    }
    if (str_starts(str_c(c->model_asked), STR("no-such-")) && !(c->route->flags & PATHS_NO_MODEL)) {
        if (c->surface == CALL_AZURE_DATED)
            apierr(c, 404, "", NULL, "DeploymentNotFound",
                   "The API deployment for this resource does not exist. If you created the deployment within the "
                   "last 5 minutes, please wait a moment and try again.");
        else
            apierr_no_model(c, str_c(c->model_asked));
        return;
    }
    c->route->run(c);
}

/* The request is complete. The call may be gone afterwards. */
static void run(struct call *c)
{
    struct sim *sim = c->sim;
    c->gathering = false;
    if (c->too_large)
        c->refuse = refuse_large;
    if (c->form && !c->refuse && !formread_end(c->form))
        c->refuse = refuse_form;
    if (is_json_body(c)) {
        c->doc = sim->spare_doc;
        jdoc_init(&sim->spare_doc);
        if (jdoc_parse(&c->doc, buf_str(&c->body)))
            c->json = jdoc_root(&c->doc);
        else if (!c->refuse)
            c->refuse = refuse_json;
    }
    if (!c->form || formread_end(c->form))
        seed_set(c);
    note_model(c);
    choose(c);
    c->json = (struct jval){NULL, 0};
    if (c->doc.nodes && !sim->spare_doc.nodes && c->doc.cap <= 65536) {
        sim->spare_doc = c->doc;
        jdoc_init(&c->doc);
    }
    jdoc_free(&c->doc);
    if (!c->on_raw)
        buf_free(&c->body);
    if (c->answer.begun)
        answer_start(c);
}

/* Requests of the server. */

static void on_stalled(struct loop_timer *t)
{
    struct call *c = list_entry(t, struct call, stall);
    http_resume(c->x);
}

static void gather_begin(struct call *c, const struct http1_head *head)
{
    c->gathering = true;
    if (str_starts_nocase(c->content_type, STR("multipart/form-data")) && c->route && !(c->route->flags & PATHS_RAW)) {
        c->form = formread_new(shelf_blobs(c->sim->shelf), c->content_type);
        if (!c->form && !c->refuse)
            c->refuse = refuse_form;
    }
    if (head->framing == HTTP1_LENGTH && head->content_length > c->sim->opts.body_max && !c->form) {
        c->too_large = true;
        run(c);
    } else if (cue_has(c->cue, CUE_STALL_BODY_MS)) {
        http_pause(c->x);
        c->stall.on_time = on_stalled;
        loop_timer_set(c->sim->loop, &c->stall,
                       loop_now_us(c->sim->loop) + c->cue->value[CUE_STALL_BODY_MS].count * 1000 + 1);
    }
}

static void hashes_begin(struct call *c)
{
    if (!str_eq(c->sim->opts.hash, STR("on")))
        return;
    must(EVP_DigestInit_ex2(c->body_hash, c->sim->sha256, NULL) == 1);
    must(EVP_DigestInit_ex2(c->answer_hash, c->sim->sha256, NULL) == 1);
}

static void on_request(struct http_exchange *x)
{
    struct sim *sim = x->server_ctx;
    struct call *c = call_new(sim, x);
    x->app_data = c;
    hashes_begin(c);
    read_fields(c, &x->head);
    surface_of(c);
    c->cue = cue_of_head(&x->head, NULL, c->arena, &c->cue_wrong);
    if (!c->cue) {
        c->cue = &cue_none;
        c->cue_wrong = arena_dup(c->arena, c->cue_wrong);
        c->refuse = refuse_cue;
    } else {
        find_route(c);
        check_key(c, &x->head);
    }
    c->upgrade = x->head.upgrade_websocket;
    if (!x->has_body || cue_has(c->cue, CUE_EARLY))
        run(c);
    else
        gather_begin(c, &x->head);
}

static void take_body(struct call *c, struct str bytes)
{
    c->body_bytes += bytes.n;
    if (str_eq(c->sim->opts.hash, STR("on")))
        must(EVP_DigestUpdate(c->body_hash, bytes.p, bytes.n) == 1);
    if (c->too_large || !c->route)
        return;
    if (c->form) {
        if (!formread_feed(c->form, bytes) && !c->refuse)
            c->refuse = refuse_form;
    } else if (!buf_add_str(&c->body, bytes)) {
        c->too_large = true;
        buf_free(&c->body);
    }
}

static void on_body(struct http_exchange *x, struct str bytes, bool last)
{
    struct call *c = x->app_data;
    if (!c)
        return;
    if (c->on_raw) {
        c->on_raw(c, bytes, last);
        return;
    }
    if (!c->gathering)
        return;
    take_body(c, bytes);
    if (last)
        run(c);
}

static void on_drained(struct http_exchange *x)
{
    struct call *c = x->app_data;
    if (c && !c->on_raw)
        answer_on_drained(c);
}

static void on_closed(struct http_exchange *x, enum err why)
{
    struct call *c = x->app_data;
    (void)why;
    x->app_data = NULL;
    if (!c)
        return;
    if (c->on_raw_gone)
        c->on_raw_gone(c);
    if (c->row)
        served_mark_aborted(c);
    else
        served_record(c, true);
    call_free(c);
}

static void on_done(struct http_exchange *x)
{
    struct call *c = x->app_data;
    x->app_data = NULL;
    if (!c)
        return;
    if (c->on_raw_gone)
        c->on_raw_gone(c);
    call_free(c);
}

static void on_refused(void *ctx, enum err why)
{
    struct sim *sim = ctx;
    (void)why;
    served_count_refused(sim->served);
}

const struct http_app intake_app = {.on_request = on_request,
                                    .on_body = on_body,
                                    .on_drained = on_drained,
                                    .on_closed = on_closed,
                                    .on_done = on_done,
                                    .on_refused = on_refused};

void intake_inner(struct sim *sim, const struct intake_as *as, struct str method, struct str path, struct str body,
                  struct call_capture *ret)
{
    struct call *c = call_new(sim, NULL);
    c->captured = ret;
    c->surface = as->surface == CALL_OPENAI ? CALL_OPENAI : CALL_AZURE_V1;
    c->caller = as->caller;
    c->project_wish = arena_dup(c->arena, str_c(as->project));
    c->method = arena_dup(c->arena, method);
    c->target = c->path = arena_dup(c->arena, path);
    if (str_starts(c->path, STR("/v1/")))
        c->path = str_from(c->path, 3);
    c->used.batch = true;
    c->content_type = STR("application/json");
    hashes_begin(c);
    find_route(c);
    take_body(c, body);
    run(c);
    must(c->answer.ended);
    served_record(c, false);
    ret->usage = c->used.usage;
    call_free(c);
}
