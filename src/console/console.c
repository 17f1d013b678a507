/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From exchange to job and back. The console has one thread: admin requests are few, and one at a
 * time they need no locks of their own.
 */
#include "console/console.h"

#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "console/blaxel/tenant.h"
#include "console/blaxel/upstream_models.h"
#include "console/catalog.h"
#include "console/console_inner.h"
#include "console/cookie.h"
#include "console/fetch.h"
#include "console/people/oidc.h"
#include "console/portkey/dialect.h"
#include "console/vantage/access/calls.h"
#include "console/vantage/access/persons.h"
#include "console/vantage/vantage_reply.h"
#include "control/people/actor.h"
#include "control/people/device.h"
#include "control/people/reach.h"
#include "control/people/session.h"
#include "control/people/tries.h"
#include "gateway/credentials.h"
#include "gateway/model_api.h"
#include "gateway/reply.h"
#include "gateway/worker.h"
#include "ledger/query.h"
#include "report/docs/docs.h"
#include "report/docs/docs_audit.h"
#include "report/vql/vql.h"

#define ARENA_FIRST 4096
#define ARENA_CAP (16u << 20)
#define ARENA_SPARE (48u << 20) /* for the small things that are written of what was read */

static void job_free(struct job *j)
{
    snapshot_unref(j->snapshot);
    fetch_free(j->fetch);
    arena_free(j->arena);
    buf_free(&j->body);
    buf_free(&j->lines);
    buf_free(&j->reply);
    mem_free(j);
}

/* On the worker's thread: the job is done. */
static void job_deliver(void *ctx)
{
    struct job *j = ctx;
    if (!j->x) {
        job_free(j);
        return;
    }
    j->x->app_data = NULL;
    bool ok = buf_add_str(&j->lines, str_c(j->own_lines));
    must(ok);
    http_reply(j->x, j->status, j->type, buf_str(&j->lines), buf_str(&j->reply));
    job_free(j);
}

/* Who makes the changes of this job. */
static void set_actor(const struct job *j)
{
    static const struct str sources[] = {[JOB_NATIVE] = {"native", 6},
                                         [JOB_PORTKEY] = {"portkey", 7},
                                         [JOB_BLAXEL] = {"blaxel", 6},
                                         [JOB_VANTAGE] = {"vantage", 7}};
    struct actor actor = {.ip = j->peer, .request_id = j->request_id, .source = sources[j->route->dialect]};
    if (j->key) {
        actor.key_id = j->key->id;
        actor.key = j->key->public_id;
        actor.member_id = j->key->member_id;
        actor.name = j->key->member ? j->key->member->name : j->key->name;
        if (j->key->session)
            actor.source = STR("console");
    }
    actor_set(&actor);
}

/* What takes an owner concerns the organization: who owns a workspace alone is its admin in all other things. */
static bool allowed(const struct snapshot_key *key, enum kind_role role, enum job_access access)
{
    switch (access) {
    case JOB_PROBE:
    case JOB_PUBLIC:
    case JOB_VIEWER:
        return true;
    case JOB_MEMBER:
        return role <= KIND_ROLE_MEMBER;
    case JOB_ADMIN:
        return role <= KIND_ROLE_ADMIN;
    case JOB_OWNER:
        return role == KIND_ROLE_OWNER && reach_organizes(key, KIND_ROLE_OWNER);
    }
    return false;
}

/*
 * A list of scopes is what an admin wanted the key to do: with a scope on it a member's key may do what
 * else takes an admin, though never what takes an owner. A viewer's never may more than look.
 */
bool console_may_call(const struct snapshot_key *key, enum kind_role role, const struct route *route)
{
    bool by_role = allowed(key, role, route->access);
    if (route->scope == JOB_SCOPE_ANY || key->scopes == SNAPSHOT_SCOPES_ALL)
        return by_role;
    if (route->scope == JOB_SCOPE_ALL)
        return false;
    enum snapshot_scope scope = (enum snapshot_scope)(route->scope - JOB_SCOPE_ALL - 1);
    bool widened = role <= KIND_ROLE_MEMBER && route->access <= JOB_ADMIN;
    return snapshot_key_may(key, scope) && (by_role || widened);
}

/* The one that a key with a list of scopes lacks; "" when that is not the reason. */
static const char *missing_scope(const struct snapshot_key *key, const struct route *route)
{
    bool listed = key->scopes != SNAPSHOT_SCOPES_ALL && route->scope > JOB_SCOPE_ALL;
    return listed ? scope_text((enum snapshot_scope)(route->scope - JOB_SCOPE_ALL - 1)) : "";
}

/* Once the workspace is known. False when the job was answered. */
static bool begin_blaxel(struct job *j)
{
    if (!tenant_begin(j))
        return false;
    if (!j->key || console_may_call(j->key, j->role, j->route))
        return true;
    job_fail(j, ERR_FORBIDDEN, STR(""), str_c(missing_scope(j->key, j->route)));
    return false;
}

/* A failure costs the session some of its time, and the caller nothing. */
static void touch_session(struct job *j)
{
    struct control_why why = {.param = ""};
    if (session_touch(j->console->settings.control, j->key->id, j->key->expires_us, &why) != ERR_OK)
        log_warn("session not prolonged", LOG_TEXT("why", why.text));
}

/* What a dialect wants first. False when the job was answered. */
static bool begin(struct job *j)
{
    if (j->route->dialect == JOB_BLAXEL)
        return begin_blaxel(j);
    return j->route->dialect != JOB_VANTAGE || (calls_admit(j->console->calls, j) && persons_view(j));
}

static void run_job(struct job *j)
{
    set_actor(j);
    if (begin(j))
        j->route->run(j);
    if (j->route->dialect == JOB_VANTAGE)
        persons_view_end(j);
    if (j->key && j->key->session)
        touch_session(j);
    actor_set(NULL);
    if (!j->status && !fetch_is_wanted(j->fetch))
        job_fail(j, ERR_INTERNAL, STR(""), STR("the handler gave no answer"));
}

/* Hands the job to the console's thread; false when too many wait. */
static bool enqueue(struct job *j)
{
    struct console *c = j->console;
    pthread_mutex_lock(&c->lock);
    bool room = c->queued < CONSOLE_QUEUE_MAX && !c->stopping;
    if (room) {
        list_append(&c->queue, &j->node);
        c->queued++;
        pthread_cond_signal(&c->wake);
    }
    pthread_mutex_unlock(&c->lock);
    return room;
}

static void refuse(struct job *j, enum err e, struct str detail)
{
    struct http_exchange *x = j->x;
    x->app_data = NULL;
    reply_error(x, e, STR(""), detail, str_c(j->own_lines));
    job_free(j);
}

/* On the worker's thread: what the handler asked for is there, or why it is not. It runs again. */
static void on_fetched(void *ctx)
{
    struct job *j = ctx;
    if (!enqueue(j))
        refuse(j, ERR_OVERLOADED, STR("too many admin requests are waiting"));
}

/* On the worker's thread: the handler waits for something from upstream. */
static void job_fetch(void *ctx)
{
    struct job *j = ctx;
    if (j->x)
        fetch_begin(j->fetch, j->worker->client, on_fetched, j);
    else
        job_free(j);
}

static void *console_main(void *arg)
{
    struct console *c = arg;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (list_empty(&c->queue) && !c->stopping)
            pthread_cond_wait(&c->wake, &c->lock);
        if (list_empty(&c->queue))
            break;
        struct job *j = list_entry(c->queue.next, struct job, node);
        list_remove(&j->node);
        c->queued--;
        pthread_mutex_unlock(&c->lock);
        run_job(j);
        loop_post(j->loop, j->status ? job_deliver : job_fetch, j);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void submit(struct job *j)
{
    j->submitted = true;
    if (!enqueue(j))
        refuse(j, ERR_OVERLOADED, STR("too many admin requests are waiting"));
}

static void on_body(struct http_exchange *x, struct str bytes, bool last)
{
    struct job *j = x->app_data;
    if (!buf_add_str(&j->body, bytes))
        refuse(j, ERR_BODY_TOO_LARGE, STR(""));
    else if (last)
        submit(j);
}

static void on_closed(struct http_exchange *x, enum err why)
{
    struct job *j = x->app_data;
    (void)why;
    j->x = NULL;
    /* A job that is with the console's thread is freed when it comes back. */
    if (!j->submitted || fetch_is_under_way(j->fetch))
        job_free(j);
}

static const struct http_app job_app = {.on_body = on_body, .on_closed = on_closed};

/* `json` is the answer's body, taken over. */
static void refuse_with(struct http_exchange *x, enum err e, struct buf *lines, struct buf *json, bool whole)
{
    reply_error_lines(lines, e);
    if (whole)
        http_reply(x, err_info(e)->status, STR("application/json"), buf_str(lines), buf_str(json));
    else
        http_abort(x);
    buf_free(lines);
    buf_free(json);
}

static void refuse_caller(struct http_exchange *x, enum job_dialect dialect, enum err e, struct str detail)
{
    char own[WORKER_LINES_MAX];
    struct buf lines, json;
    buf_init(&lines, 1024);
    buf_init(&json, 8192);
    bool ok = buf_add_str(&lines, worker_own_lines(x->server_ctx, &x->head, own));
    ok = ok && job_error_json(dialect, e, STR(""), detail, &lines, &json);
    refuse_with(x, e, &lines, &json, ok);
}

bool console_is_secure(const struct console *c, struct str proto)
{
    return c->settings.tls || str_eq_nocase(proto, STR("https")) || str_starts(c->settings.public_url, STR("https://"));
}

/* The session of a browser; "" when there is none. */
static struct str session_of(const struct console *c, const struct http1_head *head)
{
    const struct http1_field *proto = http1_find(head, STR("x-forwarded-proto"));
    return cookie_session(head, console_is_secure(c, proto ? proto->value : STR("")));
}

/* Vantage's callers name a workspace in what they send: any that they reach will do here (vantage/ask.h asks again). */
static bool may_somewhere(const struct snapshot *s, const struct snapshot_key *key, const struct route *route)
{
    struct reach there;
    bool may = console_may_call(key, key->role, route);
    for (size_t n = 0; !may && route->dialect == JOB_VANTAGE && reach_at(s, key, n, &there); n++)
        may = console_may_call(key, there.role, route);
    return may;
}

/* True when the key may call the route; otherwise the exchange is answered. */
static bool admit(const struct console *c, struct http_exchange *x, const struct route *route, struct snapshot *s,
                  const struct snapshot_key **ret_key)
{
    /* Who is not signed in yet could be signed in as somebody else by a form of another site. */
    if (route->access == JOB_PUBLIC && route->dialect == JOB_NATIVE && cookie_is_foreign(&x->head)) {
        refuse_caller(x, route->dialect, ERR_FORBIDDEN,
                      STR("another site's page asks for it; open the console itself"));
        return false;
    }
    if (route->access == JOB_PROBE || route->access == JOB_PUBLIC)
        return true;
    struct str presented = route->dialect == JOB_BLAXEL ? model_api_credential(&x->head) : credentials_find(&x->head);
    if (!presented.n)
        presented = session_of(c, &x->head);
    if (!presented.n) {
        refuse_caller(x, route->dialect, ERR_KEY_MISSING, STR(""));
        return false;
    }
    enum snapshot_verdict verdict = snapshot_judge(s, presented, clock_wall_us(), ret_key);
    if (verdict != SNAPSHOT_ADMITTED) {
        refuse_caller(x, route->dialect, ERR_KEY_INVALID, str_c(snapshot_verdict_text(verdict)));
        return false;
    }
    /* What Blaxel's callers may depends on the workspace they name. */
    if (route->dialect != JOB_BLAXEL && !may_somewhere(s, *ret_key, route)) {
        refuse_caller(x, route->dialect, ERR_FORBIDDEN, str_c(missing_scope(*ret_key, route)));
        return false;
    }
    return true;
}

/* Out of the header lines that every answer carries. */
static struct str request_id_of(struct str lines)
{
    static const char name[] = "x-tollgate-request-id: ";
    ptrdiff_t at = str_search(lines, STR(name));
    struct str id = STR("");
    if (at >= 0) {
        lines = str_from(lines, (size_t)at + sizeof name - 1);
        str_split(&lines, '\r', &id);
    }
    return id;
}

static struct str field(struct job *j, const struct http1_head *head, struct str name)
{
    const struct http1_field *f = http1_find(head, name);
    return f ? arena_dup(j->arena, f->value) : STR("");
}

static struct job *job_new(struct console *c, struct http_exchange *x, const struct route *route,
                           const struct str params[JOB_PARAMS_MAX])
{
    struct job *j = mem_zalloc(sizeof *j);
    *j = (struct job){
        .owner = {&job_app}, .console = c, .x = x, .loop = x->loop, .worker = x->server_ctx, .route = route};
    list_init(&j->node);
    j->arena = arena_new(ARENA_FIRST, ARENA_CAP);
    arena_spare(j->arena, ARENA_SPARE);
    j->method = arena_dup(j->arena, x->head.method);
    j->path = arena_dup(j->arena, x->head.path);
    j->query = arena_dup(j->arena, x->head.query);
    for (int i = 0; i < JOB_PARAMS_MAX; i++)
        j->params[i] = params[i].n ? arena_dup(j->arena, params[i]) : STR("");
    if (route->dialect == JOB_BLAXEL)
        j->blaxel = (struct job_blaxel){.workspace = field(j, &x->head, STR("x-blaxel-workspace")),
                                        .version = field(j, &x->head, STR("blaxel-version")),
                                        .host = field(j, &x->head, STR("host")),
                                        .proto = field(j, &x->head, STR("x-forwarded-proto"))};
    else if (route->dialect == JOB_VANTAGE)
        j->blaxel = (struct job_blaxel){.host = field(j, &x->head, STR("host")),
                                        .proto = field(j, &x->head, STR("x-forwarded-proto"))};
    else
        j->blaxel.proto = field(j, &x->head, STR("x-forwarded-proto"));
    if (route->dialect == JOB_BLAXEL && route->access == JOB_PUBLIC)
        j->authorization = field(j, &x->head, STR("authorization"));
    if (route->dialect == JOB_NATIVE && route->access == JOB_PUBLIC)
        j->cookie = field(j, &x->head, STR("cookie"));
    buf_init(&j->body, str_ends(route->path, STR("/costs.csv")) ? JOB_COSTS_MAX : JOB_BODY_MAX);
    buf_init(&j->lines, 8192);
    buf_init(&j->reply, JOB_REPLY_MAX);
    (void)worker_own_lines(x->server_ctx, &x->head, j->own_lines);
    j->peer = arena_dup(j->arena, http_peer(x));
    j->request_id = request_id_of(str_c(j->own_lines));
    return j;
}

static void refuse_path(struct http_exchange *x, struct str path, bool known)
{
    struct buf lines, json;
    char own[WORKER_LINES_MAX];
    buf_init(&lines, 1024);
    buf_init(&json, 8192);
    bool ok = buf_add_str(&lines, worker_own_lines(x->server_ctx, &x->head, own));
    if (known)
        routes_allow(path, &lines);
    if (str_starts(path, STR("/v0/")) || str_starts(path, STR("/api/")))
        ok = ok && job_error_json(JOB_BLAXEL, known ? ERR_METHOD_NOT_ALLOWED : ERR_ROUTE_UNKNOWN, STR(""), STR(""),
                                  &lines, &json);
    else if (str_starts(path, STR("/v2/")) && !known)
        ok = ok && vantage_unknown_json(&json);
    else if (str_starts(path, STR("/v2/")))
        ok = ok && vantage_error_json(&json, ERR_METHOD_NOT_ALLOWED, STR(""));
    else if (known)
        ok = ok && dialect_error_json(&json, ERR_METHOD_NOT_ALLOWED, STR(""), STR(""));
    else
        ok = ok && dialect_not_found_json(&json);
    refuse_with(x, known ? ERR_METHOD_NOT_ALLOWED : ERR_ROUTE_UNKNOWN, &lines, &json, ok);
}

/* Some SDK calls have the version twice. */
static struct str path_of(const struct http_exchange *x)
{
    struct str path = x->head.path;
    return str_starts(path, STR("/v1/v1/")) ? str_from(path, 3) : path;
}

void console_request(void *console, struct http_exchange *x)
{
    struct console *c = console;
    struct str params[JOB_PARAMS_MAX] = {{0}};
    bool known = false;
    const struct route *route = routes_find(x->head.method, path_of(x), params, &known);
    const struct snapshot_key *key = NULL;
    if (!route) {
        refuse_path(x, path_of(x), known);
        return;
    }
    struct snapshot *s = snapshot_ref(worker_snapshot(x->server_ctx));
    if (!admit(c, x, route, s, &key)) {
        snapshot_unref(s);
        return;
    }
    struct job *j = job_new(c, x, route, params);
    j->snapshot = s;
    j->key = key;
    j->workspace_id = key ? key->workspace_id : 0;
    j->role = key ? key->role : KIND_ROLE_VIEWER;
    x->app_data = j;
    if (route->access == JOB_PROBE) { /* whoever watches us must not wait behind a slow report */
        run_job(j);
        job_deliver(j);
    } else if (!x->has_body) {
        submit(j);
    }
}

/* For stored reports. */
static enum err filter_check(void *ctx, struct str filter, char *why, size_t why_cap)
{
    struct vql_error error;
    struct vql *parsed;
    enum err e = vql_parse(filter, &parsed, &error);
    (void)ctx;
    if (e == ERR_OK)
        vql_free(parsed);
    else
        snprintf(why, why_cap, "%s", error.text);
    return e;
}

struct console *console_new(const struct console_settings *settings, char *why, size_t why_cap)
{
    struct console *c = mem_zalloc(sizeof *c);
    sigset_t all, before;
    c->settings = *settings;
    c->started_us = clock_mono_us();
    if (query_open(settings->dir, &c->query) != ERR_OK) {
        snprintf(why, why_cap, "the ledger in %s cannot be read: %s", settings->dir, query_reason());
        mem_free(c);
        return NULL;
    }
    if (docs_open(settings->dir, &c->docs, why, why_cap) != ERR_OK) {
        query_close(c->query);
        mem_free(c);
        return NULL;
    }
    docs_set_filter_check(c->docs, filter_check, NULL);
    c->devices = device_table_new();
    c->tries = mem_zalloc(sizeof *c->tries);
    if (settings->oidc)
        c->oidc = oidc_new(settings->oidc);
    docs_audit_to(c->docs, settings->control);
    c->calls = calls_new(settings->vantage_calls, settings->vantage_report_calls);
    list_init(&c->queue);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&c->thread, NULL, console_main, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    must(failed == 0);
    return c;
}

void console_set_gateway(struct console *c, struct gateway *g)
{
    c->gateway = g;
}

void console_stop(struct console *c)
{
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
}

void console_free(struct console *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->wake);
    query_close(c->query);
    docs_close(c->docs);
    calls_free(c->calls);
    catalog_drop(c);
    upstream_models_drop(c);
    oidc_free(c->oidc);
    device_table_free(c->devices);
    mem_free(c->tries);
    mem_free(c);
}
