/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run goes through its hooks in order. A check that needs nobody is done on the spot; one that asks
 * another host is begun, and the run goes on with the next, unless the hook is `sequential` (or
 * changes bodies): then its checks wait for each other, and the next hook for it. When nothing is
 * left to wait for, the results are written and the run is over.
 *
 * What checks need meanwhile is in an arena of the run's own, since a body's text can be larger than
 * what a request may have. Only the results go to the caller's.
 */
#include "gateway/hooks/hooks.h"

#include "base/clock.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "gateway/hooks/check.h"
#include "gateway/hooks/hooks_results.h"
#include "gateway/hooks/subject.h"
#include "gateway/hooks/webhook.h"
#include "openai/body_edit.h"

#define ARENA_FIRST 8192
#define ARENA_CAP (16u << 20)
#define DATA_MAX (1u << 20)
#define BODY_MAX (16u << 20)
#define MAGIC 0x400c5u

struct hooks_run {
    unsigned magic;
    struct hooks_input in;
    struct arena *arena;  /* the caller's, for results */
    struct arena *memory; /* the run's own */
    hooks_done_fn *done;
    void *ctx;
    enum subject_kind kind;
    struct str request, response; /* as they are by now */
    bool changed;                 /* the one that this run may change was */
    struct jdoc request_doc, response_doc, metadata_doc, headers_doc;
    struct subject subject;
    bool subject_known;
    struct check_budget budget;
    struct hook_result *hooks; /* of in.hooks, in order */
    size_t next;               /* the hook to begin */
    struct hook_result *alone; /* sequential, and not over yet */
    unsigned pending;          /* webhooks under way */
};

/* --- what checks look at ----------------------------------------------------------------------------- */

static struct jval root_of(const struct jdoc *doc)
{
    return jdoc_kind(jdoc_root(doc)) == JDOC_OBJECT ? jdoc_root(doc) : (struct jval){NULL, 0};
}

static void read_doc(struct jdoc *doc, struct str text)
{
    if (!text.n || !jdoc_parse(doc, text))
        doc->count = 0;
}

static void read_bodies(struct hooks_run *run)
{
    bool before = run->in.when == HOOKS_BEFORE;
    read_doc(&run->request_doc, run->request);
    read_doc(&run->response_doc, run->response);
    run->subject_known = subject_read(run->kind, run->in.when, root_of(before ? &run->request_doc : &run->response_doc),
                                      run->memory, &run->subject);
}

static struct check_input input_of(struct hooks_run *run)
{
    return (struct check_input){
        .when = run->in.when,
        .kind = run->kind,
        .request_type = subject_type(run->kind),
        .request = root_of(&run->request_doc),
        .response = root_of(&run->response_doc),
        .metadata = root_of(&run->metadata_doc),
        .headers = root_of(&run->headers_doc),
        .text = STR(""),
        .model = run->in.model,
        .arena = run->memory,
        .budget = &run->budget,
    };
}

/* --- one check --------------------------------------------------------------------------------------- */

static void advance(struct hooks_run *run);

static struct str keep(struct hooks_run *run, struct str s)
{
    struct str copy = arena_dup(run->memory, s);
    return copy.p ? copy : STR("");
}

static void end_check(struct check_result *c)
{
    c->over = true;
    c->took_us = clock_mono_us() - c->begun_us;
}

static void fail_check(struct hooks_run *run, struct check_result *c, const char *error)
{
    c->verdict = false;
    c->error = keep(run, str_c(error));
    if (!c->error.n)
        c->error = STR("There is no room for the result.");
}

/* A new body for the request or the answer; checks from here on see it. */
static bool take_body(struct hooks_run *run, struct str body)
{
    if (body.n > BODY_MAX)
        return false;
    *(run->in.when == HOOKS_BEFORE ? &run->request : &run->response) = body;
    run->changed = true;
    read_bodies(run);
    return true;
}

/* Runs a check on the texts until one fails. */
static void run_texts(struct hooks_run *run, const struct check *check, struct jval parameters, struct buf *data,
                      struct check_outcome *out)
{
    struct check_input in = input_of(run);
    size_t n = check->kind == CHECK_TEXT ? run->subject.n : 1;
    if (check->kind == CHECK_TEXT && !run->subject_known) {
        check_error(out, "The text is too large to be looked at.");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct json_write w;
        buf_reset(data);
        json_write_init(&w, data);
        json_write_object(&w);
        *out = (struct check_outcome){.data = &w};
        if (check->kind == CHECK_TEXT) {
            in.text = run->subject.texts[i].text;
            in.text_null = run->subject.texts[i].null;
        }
        check->run(&in, parameters, out);
        json_write_object_end(&w);
        if (!json_write_done(&w))
            buf_reset(data);
        out->data = NULL;
        if (!out->verdict || out->error[0])
            return;
    }
}

static void run_local(struct hooks_run *run, struct check_result *c, const struct check *check, struct jval parameters)
{
    struct buf data;
    struct check_outcome out = {.verdict = false};
    buf_init(&data, DATA_MAX);
    run_texts(run, check, parameters, &data, &out);
    c->verdict = out.verdict && !out.error[0];
    if (out.error[0])
        fail_check(run, c, out.error);
    else if (buf_size(&data))
        c->data = keep(run, buf_str(&data));
    if (!out.error[0] && out.body.p && !c->hook->hook->async) /* nobody waits for those: they change nothing */
        c->transformed = take_body(run, out.body);
    buf_free(&data);
}

/* --- webhooks ---------------------------------------------------------------------------------------- */

static void write_side(struct json_write *w, const char *name, struct str json, struct str text)
{
    json_write_key(w, str_c(name));
    json_write_object(w);
    json_write_member_raw(w, "json", json);
    json_write_member_string(w, "text", text);
    json_write_object_end(w);
}

/* The text of one side of the exchange; "" when there is none to be had. */
static struct str side_text(struct hooks_run *run, enum hooks_when when)
{
    struct subject *s = arena_alloc(run->memory, sizeof *s);
    const struct jdoc *doc = when == HOOKS_BEFORE ? &run->request_doc : &run->response_doc;
    struct str text;
    if (s && subject_read(run->kind, when, root_of(doc), run->memory, s) && subject_joined(s, run->memory, &text))
        return text;
    return STR("");
}

static bool write_payload(struct hooks_run *run, struct buf *out)
{
    struct json_write w;
    bool after = run->in.when == HOOKS_AFTER;
    json_write_init(&w, out);
    json_write_object(&w);
    write_side(&w, "request", jdoc_raw(root_of(&run->request_doc)), side_text(run, HOOKS_BEFORE));
    if (after)
        write_side(&w, "response", jdoc_raw(root_of(&run->response_doc)), side_text(run, HOOKS_AFTER));
    json_write_member_string(&w, "provider", run->in.provider);
    json_write_member_string(&w, "requestType", subject_type(run->kind));
    json_write_member_raw(&w, "metadata",
                          run->metadata_doc.count ? jdoc_raw(jdoc_root(&run->metadata_doc)) : STR("{}"));
    json_write_member_string(&w, "eventType", after ? STR("afterRequestHook") : STR("beforeRequestHook"));
    json_write_object_end(&w);
    return json_write_done(&w);
}

static void write_webhook_data(struct hooks_run *run, struct check_result *c, struct str url, struct jval answer)
{
    struct buf data;
    struct json_write w;
    struct jval more = jdoc_get(answer, "data");
    buf_init(&data, DATA_MAX);
    json_write_init(&w, &data);
    json_write_object(&w);
    json_write_member_bool(&w, "verdict", c->verdict);
    json_write_member_string(&w, "explanation",
                             c->verdict ? STR("The webhook said yes.") : STR("The webhook said no."));
    json_write_member_string(&w, "webhookUrl", webhook_host_of(url));
    json_write_member_raw(&w, "responseData", jdoc_has(more) ? jdoc_raw(more) : STR("null"));
    json_write_object_end(&w);
    if (json_write_done(&w))
        c->data = keep(run, buf_str(&data));
    buf_free(&data);
}

static void read_answer(struct hooks_run *run, struct check_result *c, struct str body)
{
    struct jdoc doc;
    jdoc_init(&doc);
    read_doc(&doc, body);
    struct jval answer = root_of(&doc), verdict = jdoc_get(answer, "verdict");
    enum jdoc_kind kind = jdoc_kind(verdict);
    if (c->log) {
        c->verdict = true;
    } else if (kind != JDOC_TRUE && kind != JDOC_FALSE) {
        fail_check(run, c, "The webhook's answer has no verdict that is true or false.");
    } else {
        const char *side = run->in.when == HOOKS_BEFORE ? "request" : "response";
        struct jval changed = jdoc_get(jdoc_get(jdoc_get(answer, "transformedData"), side), "json");
        c->verdict = kind == JDOC_TRUE;
        write_webhook_data(run, c, c->url, answer);
        struct str copy = jdoc_kind(changed) == JDOC_OBJECT ? arena_dup(run->memory, jdoc_raw(changed)) : STR("");
        if (jdoc_kind(changed) == JDOC_OBJECT)
            c->transformed = copy.p && take_body(run, copy);
    }
    jdoc_free(&doc);
}

static void on_webhook(void *ctx, const char *error, struct str body)
{
    struct check_result *c = ctx;
    struct hooks_run *run = c->run;
    must(run->magic == MAGIC && run->pending > 0);
    c->webhook = NULL;
    run->pending--;
    c->hook->pending--;
    if (error[0])
        fail_check(run, c, error);
    else
        read_answer(run, c, body);
    end_check(c);
    advance(run);
}

/* True when it is under way. */
static bool begin_webhook(struct hooks_run *run, struct check_result *c, struct jval parameters)
{
    struct webhook_settings settings;
    struct buf payload;
    const char *why;
    bool detached = c->hook->hook->async;
    c->log = str_eq(c->check->id, STR("default.log"));
    if (!webhook_settings_of(parameters, c->log ? "logURL" : "webhookURL", run->memory, &settings, &why)) {
        fail_check(run, c, why);
        return false;
    }
    c->url = settings.url;
    buf_init(&payload, WEBHOOK_PAYLOAD_MAX);
    if (!write_payload(run, &payload))
        why = "The webhook's payload is too large.";
    else if (detached)
        c->verdict = webhook_send(run->in.client, run->in.loop, &settings, buf_str(&payload), &why);
    else
        c->webhook = webhook_begin(run->in.client, run->in.loop, &settings, buf_str(&payload), on_webhook, c, &why);
    buf_free(&payload);
    if (!c->webhook && !c->verdict)
        fail_check(run, c, why);
    return c->webhook != NULL;
}

/* --- hooks ------------------------------------------------------------------------------------------- */

/* True when the check is under way. */
static bool begin_check(struct hooks_run *run, struct hook_result *h, struct check_result *c)
{
    const struct check *check = check_find(c->check->id);
    struct jdoc parameters;
    bool waits = false;
    c->run = run;
    c->hook = h;
    c->created_us = clock_wall_us();
    c->begun_us = clock_mono_us();
    jdoc_init(&parameters);
    if (!check)
        fail_check(run, c, "There is no check of this name here.");
    else if (!jdoc_parse(&parameters, c->check->parameters) || jdoc_kind(jdoc_root(&parameters)) != JDOC_OBJECT)
        fail_check(run, c, "The check's parameters must be an object.");
    else if (check->kind == CHECK_REMOTE)
        waits = begin_webhook(run, c, jdoc_root(&parameters));
    else
        run_local(run, c, check, jdoc_root(&parameters));
    jdoc_free(&parameters);
    if (waits) {
        run->pending++;
        h->pending++;
    } else {
        end_check(c);
    }
    return waits;
}

static bool is_alone(const struct config_hook *hook)
{
    return hook->sequential || str_eq(hook->type, STR("mutator"));
}

/* Begins the checks that can begin. */
static void run_checks(struct hooks_run *run, struct hook_result *h)
{
    bool alone = is_alone(h->hook) && !h->hook->async;
    while (h->next < h->count) {
        bool waits = begin_check(run, h, &h->checks[h->next++]);
        if (waits && alone)
            return;
    }
}

static void begin_hook(struct hooks_run *run, struct hook_result *h, const struct config_hook *hook)
{
    h->hook = hook;
    h->created_us = clock_wall_us();
    h->begun_us = clock_mono_us();
    h->checks = arena_alloc(run->memory, (hook->check_count + 1) * sizeof *h->checks);
    if (!h->checks) {
        h->lost = true;
        return;
    }
    for (size_t i = 0; i < hook->check_count; i++)
        if (hook->checks[i].enabled)
            h->checks[h->count++].check = &hook->checks[i];
    run_checks(run, h);
}

static void note_async(const struct hook_result *h)
{
    const char *verdict = h->verdict ? "passed" : "failed";
    for (size_t i = 0; i < h->count && h->verdict; i++)
        if (h->checks[i].url.n)
            verdict = "not awaited";
    log_info("guardrail_async", LOG_STR("hook", h->hook->id), LOG_TEXT("verdict", verdict));
}

static void settle_hook(struct hook_result *h)
{
    if (h->over || h->pending || h->next < h->count)
        return;
    h->over = true;
    h->took_us = clock_mono_us() - h->begun_us;
    h->verdict = !h->lost;
    for (size_t i = 0; i < h->count; i++)
        h->verdict =
            h->verdict && (h->checks[i].verdict || (h->checks[i].error.n && !h->checks[i].check->fail_on_error));
    if (h->hook->async)
        note_async(h);
}

/* --- the run ----------------------------------------------------------------------------------------- */

static void free_run(struct hooks_run *run)
{
    run->magic = 0;
    jdoc_free(&run->request_doc);
    jdoc_free(&run->response_doc);
    jdoc_free(&run->metadata_doc);
    jdoc_free(&run->headers_doc);
    arena_free(run->memory);
    mem_free(run);
}

static enum hooks_verdict verdict_of(const struct hooks_run *run)
{
    enum hooks_verdict verdict = HOOKS_PASSED;
    for (size_t i = 0; i < run->in.hooks->n; i++) {
        const struct hook_result *h = &run->hooks[i];
        if (h->hook->async || h->verdict)
            continue;
        if (h->hook->deny)
            return HOOKS_DENIED;
        verdict = HOOKS_FAILED;
    }
    return verdict;
}

static struct hooks_result result_of(struct hooks_run *run)
{
    struct hooks_result result = {.verdict = verdict_of(run), .results = STR("[]")};
    struct buf text;
    buf_init(&text, BODY_MAX);
    if (hooks_results_write(run->hooks, run->in.hooks->n, &text)) {
        struct str copy = arena_dup(run->arena, buf_str(&text));
        if (copy.p)
            result.results = copy;
    }
    buf_free(&text);
    if (run->changed) {
        result.body = arena_dup(run->arena, run->in.when == HOOKS_BEFORE ? run->request : run->response);
        /* The old body must not pass in place of the one that a check wanted. */
        if (!result.body.p)
            result.verdict = HOOKS_DENIED;
    }
    return result;
}

/* Begins what can begin. True when everything is over. */
static bool step(struct hooks_run *run)
{
    while (run->next < run->in.hooks->n || run->alone) {
        if (run->alone) {
            run_checks(run, run->alone);
            settle_hook(run->alone);
            if (!run->alone->over)
                return false;
            run->alone = NULL;
            continue;
        }
        const struct config_hook *hook = &run->in.hooks->list[run->next];
        struct hook_result *h = &run->hooks[run->next];
        bool alone = is_alone(hook) && !hook->async;
        if (alone && run->pending)
            break;
        run->next++;
        begin_hook(run, h, hook);
        settle_hook(h);
        run->alone = alone && !h->over ? h : NULL;
        if (run->alone)
            return false;
    }
    for (size_t i = 0; i < run->next; i++)
        settle_hook(&run->hooks[i]);
    return !run->pending && run->next == run->in.hooks->n;
}

static void advance(struct hooks_run *run)
{
    if (!step(run))
        return;
    struct hooks_result result = result_of(run);
    hooks_done_fn *done = run->done;
    void *ctx = run->ctx;
    free_run(run);
    done(ctx, &result);
}

bool hooks_apply(const struct config_hooks *hooks, enum hooks_when when, const struct endpoint *endpoint)
{
    enum subject_kind kind = subject_kind_of(endpoint);
    if (!hooks->n || kind == SUBJECT_NONE)
        return false;
    return when == HOOKS_BEFORE || kind == SUBJECT_CHAT || kind == SUBJECT_COMPLETE;
}

bool hooks_begin(const struct hooks_input *in, struct arena *a, hooks_done_fn *done, void *ctx,
                 struct hooks_result *ret, struct hooks_run **ret_run)
{
    *ret = (struct hooks_result){.verdict = HOOKS_PASSED, .results = STR("[]")};
    *ret_run = NULL;
    if (!hooks_apply(in->hooks, in->when, in->endpoint))
        return true;
    struct hooks_run *run = mem_zalloc(sizeof *run);
    *run = (struct hooks_run){.magic = MAGIC, .in = *in, .arena = a, .done = done, .ctx = ctx};
    run->memory = arena_new(ARENA_FIRST, ARENA_CAP + 4 * (in->request_body.n + in->response_body.n));
    run->kind = subject_kind_of(in->endpoint);
    run->request = in->request_body;
    run->response = in->when == HOOKS_AFTER ? in->response_body : STR("");
    run->budget = (struct check_budget){CHECK_BYTES_MAX, PATTERN_BUDGET};
    run->hooks = arena_alloc(run->memory, in->hooks->n * sizeof *run->hooks);
    must(run->hooks);
    read_doc(&run->metadata_doc, in->metadata);
    read_doc(&run->headers_doc, in->request_headers);
    read_bodies(run);
    if (!step(run)) {
        *ret_run = run;
        return false;
    }
    *ret = result_of(run);
    free_run(run);
    return true;
}

void hooks_cancel(struct hooks_run *run)
{
    must(run->magic == MAGIC);
    for (size_t i = 0; i < run->next; i++)
        for (size_t k = 0; k < run->hooks[i].count; k++)
            if (run->hooks[i].checks[k].webhook)
                webhook_cancel(run->hooks[i].checks[k].webhook);
    free_run(run);
}
