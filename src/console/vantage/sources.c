/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where costs come from: providers, services, accounts, and the integrations that bring them. An
 * integration here is one of kind openai-admin; its token is made of its number, so nothing else needs to be kept.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "console/console_inner.h"
#include "console/fetch.h"
#include "console/vantage/accounts.h"
#include "console/vantage/bills.h"
#include "console/vantage/cost_ask.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"
#include "control/control_integration.h"
#include "net/url.h"
#include "report/cost/cost_dates.h"

#define PREFIX "accss_crdntl_"
#define PROVIDER "open_ai"
#define FILES_PROVIDER "custom_provider"
#define DEFAULT_URL "https://api.openai.com/v1"
#define SLUG "openai-admin"
#define SLUG_TRIES 100
#define FIRST_DAY 14610 /* 2010: before any bill */
#define KEY_HINT_MAX 64
#define HINT \
    "costs need an admin key (sk-admin-…), made by an owner of the organization; keys of projects cannot read them"

/* ---- what may be grouped and filtered by ---- */

/* The workspaces to look at: one by the query, else all that may be seen. False when the job was answered. */
static bool look(struct job *j, struct sight *s, struct bill_reader **ret_reader, struct accounts *ret)
{
    int64_t workspace = 0;
    struct str token = ask_text(j, "workspace_token");
    if (!ask_sight(j, s) || (token.n && !ask_workspace(j, s, token, &workspace)))
        return false;
    *ret_reader = accounts_reader(j);
    if (accounts_seen(j, *ret_reader, s, workspace, ret))
        return true;
    bill_reader_close(*ret_reader);
    return false;
}

static void write_provider(struct job *j, struct str name, struct str key)
{
    json_write_object(&j->json);
    json_write_member_string(&j->json, "name", name);
    json_write_member_string(&j->json, "key", key);
    json_write_object_end(&j->json);
}

void sources_providers(struct job *j)
{
    struct json_write *w = &j->json;
    struct bill_reader *r;
    struct accounts seen;
    struct sight s;
    if (!look(j, &s, &r, &seen))
        return;
    bill_reader_close(r);
    const struct vantage_page page = {1, 1000};
    size_t files = 0;
    for (size_t i = 0; i < seen.count; i++)
        files += seen.list[i].kind == BILL_FILES;
    job_reply_json(j, 200);
    json_write_object(w);
    vantage_links(j, &page, files + (seen.count > files), false);
    json_write_key(w, STR("cost_providers"));
    json_write_array(w);
    if (seen.count > files)
        write_provider(j, STR("OpenAI"), STR(PROVIDER));
    for (size_t i = 0; i < seen.count; i++) {
        char id[COST_PROVIDER_MAX];
        if (seen.list[i].kind == BILL_FILES)
            write_provider(j, seen.list[i].title, str_of(id, cost_provider_format(seen.list[i].id, id)));
    }
    json_write_array_end(w);
    json_write_object_end(w);
}

/*
 * What the costs of these accounts are told apart by beside the provider, of all time; `second` may be
 * COST_BY_COUNT. NULL when the job was answered.
 */
static struct cost_result *values_of(struct job *j, const struct accounts *seen, enum cost_by first,
                                     enum cost_by second)
{
    struct cost_query q = cost_query_all();
    struct cost_reader *reader;
    struct cost_result *result = NULL;
    struct cost_error error = {""};
    q.scope = (struct cost_scope){.accounts = seen->ids, .account_count = seen->count};
    q.from_day = FIRST_DAY;
    q.until_day = bill_day_of(clock_wall_us()) + 2;
    q.groups[0].by = COST_BY_PROVIDER;
    q.groups[1].by = first;
    q.groups[2].by = second;
    q.group_count = second == COST_BY_COUNT ? 2 : 3;
    q.bin = COST_BIN_TOTAL;
    enum err e = cost_reader_open(j->console->settings.dir, &reader, &error);
    if (e == ERR_OK) {
        e = cost_run(reader, &q, &result, &error);
        cost_reader_close(reader);
    }
    if (e != ERR_OK)
        vantage_fail_err(j, e, error.text);
    return e == ERR_OK ? result : NULL;
}

static void write_service(struct job *j, const struct cost_row *row)
{
    json_write_object(&j->json);
    json_write_member_string(&j->json, "name", row->values[1]);
    json_write_member_string(&j->json, "provider", row->values[0]);
    json_write_object_end(&j->json);
}

static bool is_asked(struct job *j, const char *name, struct str value)
{
    struct str wanted = ask_text(j, name);
    return !wanted.n || str_eq(wanted, value);
}

static void write_account(struct job *j, const struct cost_row *row)
{
    struct str id = row->values[1], name = row->names[1], provider = row->values[0];
    bool openai = str_eq(provider, STR(PROVIDER)) && is_asked(j, "provider", STR("openai"));
    struct str title = name.n ? name : id.n ? id : STR("(no project)");
    if ((!openai && !is_asked(j, "provider", provider)) || !is_asked(j, "account_id", id) ||
        !is_asked(j, "account_name", title))
        return;
    json_write_object(&j->json);
    json_write_member_string(&j->json, "title", title);
    json_write_member_string(&j->json, "account_id", id);
    json_write_member_string(&j->json, "provider_uuid", row->values[2]);
    json_write_member_string(&j->json, "provider", provider);
    json_write_object_end(&j->json);
}

static void list_values(struct job *j, const char *name, enum cost_by first, enum cost_by second,
                        void (*write)(struct job *j, const struct cost_row *row))
{
    const struct vantage_page page = {1, COST_ROWS_MAX};
    struct bill_reader *r;
    struct accounts seen;
    struct sight s;
    if (!look(j, &s, &r, &seen))
        return;
    bill_reader_close(r);
    struct cost_result *result = values_of(j, &seen, first, second);
    if (!result)
        return;
    job_reply_json(j, 200);
    json_write_object(&j->json);
    vantage_links(j, &page, 1, false);
    json_write_key(&j->json, str_c(name));
    json_write_array(&j->json);
    for (size_t i = 0; i < result->row_count; i++)
        write(j, &result->rows[i]);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
    cost_result_free(result);
}

void sources_services(struct job *j)
{
    list_values(j, "cost_services", COST_BY_SERVICE, COST_BY_COUNT, write_service);
}

void sources_accounts(struct job *j)
{
    list_values(j, "cost_provider_accounts", COST_BY_ACCOUNT, COST_BY_BILLING_ACCOUNT, write_account);
}

/* ---- integrations ---- */

struct source {
    struct control_integration row;
    struct bill_account bill; /* id 0: nothing of it was imported yet */
};

static bool is_source(const struct control_integration *i)
{
    return !kind_integration_serves(i->kind);
}

static bool is_files(const struct source *x)
{
    return x->bill.id && x->bill.kind == BILL_FILES;
}

/* Providers of which the costs come as files: no integrations of control, but shown as such. */
static void add_files(struct job *j, const struct sight *s, struct bill_reader *r, struct source **list, size_t *count,
                      size_t cap)
{
    struct bill_account *rows;
    size_t n = 0, all = 0;
    if (bill_accounts(bill_reader_db(r), 0, j->arena, &rows, &all) != ERR_OK)
        return;
    for (size_t i = 0; i < all; i++)
        n += rows[i].kind == BILL_FILES && ask_sees(s, rows[i].workspace);
    if (*count + n > cap) {
        struct source *more = arena_alloc(j->arena, (*count + n) * sizeof *more);
        if (more)
            memcpy(more, *list, *count * sizeof *more);
        *list = more;
    }
    for (size_t i = 0; *list && i < all; i++)
        if (rows[i].kind == BILL_FILES && ask_sees(s, rows[i].workspace))
            (*list)[(*count)++] = (struct source){.row = {.id = rows[i].id,
                                                          .workspace_id = rows[i].workspace,
                                                          .name = rows[i].title,
                                                          .created_us = rows[i].created_us},
                                                  .bill = rows[i]};
}

/* All integrations of the workspaces that the caller sees. False when the job was answered. */
static bool read_sources(struct job *j, const struct sight *s, struct source **ret, size_t *ret_count)
{
    struct bill_reader *r = accounts_reader(j);
    struct control_why why;
    size_t cap = 16;
    enum err e = ERR_OK;
    *ret = arena_alloc(j->arena, cap * sizeof **ret);
    *ret_count = 0;
    for (size_t w = 0; e == ERR_OK && *ret && w < s->count; w++) {
        struct control_integration *rows;
        size_t count;
        e = control_integration_list(j->console->settings.control, s->ids[w], j->arena, &rows, &count, &why);
        for (size_t i = 0; e == ERR_OK && *ret && i < count; i++) {
            if (!is_source(&rows[i]))
                continue;
            if (*ret_count == cap) {
                struct source *more = arena_alloc(j->arena, 2 * cap * sizeof *more);
                if (more)
                    memcpy(more, *ret, cap * sizeof *more);
                *ret = more;
                cap *= 2;
            }
            if (!*ret)
                break;
            struct source *one = &(*ret)[(*ret_count)++];
            *one = (struct source){.row = rows[i]};
            if (r && bill_account_find(bill_reader_db(r), rows[i].id, j->arena, &one->bill) != ERR_OK)
                one->bill.id = 0;
        }
    }
    if (e == ERR_OK && *ret && r)
        add_files(j, s, r, ret, ret_count, cap);
    bill_reader_close(r);
    if (e != ERR_OK)
        job_fail_why(j, e, &why);
    else if (!*ret)
        vantage_fail(j, 500, "There are too many integrations to list");
    return e == ERR_OK && *ret;
}

static void write_places(struct job *j, const struct source *x)
{
    struct arena *a = arena_new(4096, ACCOUNTS_PLACES_ARENA);
    struct str *places;
    size_t count;
    accounts_places(j, x->row.id, x->row.workspace_id, a, &places, &count);
    json_write_key(&j->json, STR("workspace_tokens"));
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        json_write_string(&j->json, places[i]);
    json_write_array_end(&j->json);
    arena_free(a);
}

static void write_source(struct job *j, const struct source *x)
{
    struct json_write *w = &j->json;
    bool known = x->bill.id != 0;
    json_write_object(w);
    json_write_member_string(w, "token", ask_id_token(j, PREFIX, x->row.id));
    json_write_member_string(w, "provider", is_files(x) ? STR(FILES_PROVIDER) : STR(PROVIDER));
    json_write_member_text(w, "account_identifier",
                           known && x->bill.organization.n ? x->bill.organization : x->row.organization);
    json_write_member_string(w, "status", str_c(bill_status_text(known ? x->bill.status : BILL_PENDING)));
    vantage_time(w, "last_updated", known ? x->bill.success_us : 0);
    write_places(j, x);
    vantage_time(w, "created_at", x->row.created_us);
    json_write_key(w, STR("managed_account_tokens"));
    json_write_array(w);
    json_write_array_end(w);
    json_write_member_string(w, "description", is_files(x) ? x->bill.note : x->row.name);
    if (is_files(x))
        json_write_member_string(w, "name", x->row.name);
    json_write_member_string(w, "billing_mode", known && x->bill.prepaid ? STR("prepaid") : STR("postpaid"));
    json_write_member_text(w, "error_message", known ? x->bill.error : STR(""));
    vantage_time(w, "next_refresh_at", known ? x->bill.refresh_us : 0);
    json_write_member_text(w, "key_hint", x->row.key_hint);
    json_write_object_end(w);
}

void sources_list(struct job *j)
{
    struct str provider = ask_text(j, "provider"), account = ask_text(j, "account_identifier");
    struct vantage_page page;
    struct sight s;
    struct source *list;
    size_t count, found = 0;
    if (account.n && !provider.n) {
        vantage_fail(j, 400, "account_identifier needs provider");
        return;
    }
    if (!vantage_page_read(j, 100, 1000, &page) || !ask_sight(j, &s) || !read_sources(j, &s, &list, &count))
        return;
    bool ours = !provider.n || str_eq(provider, STR(PROVIDER)) || str_eq(provider, STR("openai"));
    bool files = !provider.n || str_eq(provider, STR(FILES_PROVIDER));
    for (size_t i = 0; i < count; i++)
        if ((is_files(&list[i]) ? files : ours) &&
            (!account.n || str_eq(account, list[i].bill.id ? list[i].bill.organization : list[i].row.organization)))
            list[found++] = list[i];
    job_reply_json(j, 200);
    json_write_object(&j->json);
    vantage_links(j, &page, found, false);
    json_write_key(&j->json, STR("integrations"));
    json_write_array(&j->json);
    for (size_t i = (page.page - 1) * page.limit, n = 0; i < found && n < page.limit; i++, n++)
        write_source(j, &list[i]);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

/* The integration of the path. NULL when the job was answered. */
static const struct source *find(struct job *j, const struct sight *s)
{
    struct source *list;
    size_t count;
    int64_t id;
    if (!read_sources(j, s, &list, &count))
        return NULL;
    if (ask_id(ask_token(j, 0), PREFIX, &id))
        for (size_t i = 0; i < count; i++)
            if (list[i].row.id == id)
                return &list[i];
    vantage_fail(j, 404, "There is no such integration");
    return NULL;
}

static void reply(struct job *j, int status, const struct source *x)
{
    job_reply_json(j, status);
    write_source(j, x);
}

void sources_get(struct job *j)
{
    struct sight s;
    const struct source *x = ask_sight(j, &s) ? find(j, &s) : NULL;
    if (x)
        reply(j, 200, x);
}

/* ---- connecting ---- */

/* An integration that is not stored yet, for one call. False when the job was answered. */
static bool make_target(struct job *j, struct str base_url, struct str key, struct snapshot_integration *ret)
{
    struct url url;
    const char *why;
    char authority[URL_AUTHORITY_MAX];
    struct buf line;
    if (url_parse(base_url, URL_BASE, &url, &why) != ERR_OK) {
        vantage_fail(j, 400, why);
        return false;
    }
    bool plain = key.n > 0 && key.n < 1000;
    for (size_t i = 0; plain && i < key.n; i++)
        plain = key.p[i] > ' ' && key.p[i] < 127;
    if (!plain) {
        vantage_fail(j, 400, "api_key is required: an admin key of OpenAI, sk-admin-…");
        return false;
    }
    *ret = (struct snapshot_integration){
        .kind = KIND_INTEGRATION_OPENAI_ADMIN, .tls = url.scheme == URL_HTTPS, .port = url.port};
    ret->host = arena_dup(j->arena, str_c(url.host));
    ret->authority = arena_dup(j->arena, str_of(authority, url_authority(url.host, url.port, url.scheme, authority)));
    ret->base_path = url.path.n ? arena_dup(j->arena, url.path) : STR("/v1");
    buf_init(&line, 2048);
    bool ok = buf_printf(&line, "Authorization: Bearer %.*s\r\n", STR_ARG(key));
    must(ok && ret->host.p && ret->authority.p && ret->base_path.p);
    secret_set(&ret->head_lines, buf_str(&line));
    mem_wipe(line.p, line.cap);
    buf_free(&line);
    return true;
}

/* Asks upstream for a day of costs. False: the handler returns, as that is under way or the job was answered. */
static bool key_is_good(struct job *j, struct str base_url, struct str key, struct str *ret_organization)
{
    struct snapshot_integration target;
    char path[100];
    int64_t yesterday = bill_day_of(clock_wall_us()) - 1;
    struct jdoc body;
    *ret_organization = STR("");
    if (!make_target(j, base_url, key, &target))
        return false;
    snprintf(path, sizeof path, "/organization/costs?start_time=%lld&limit=1", (long long)(yesterday * 86400));
    const struct fetch *f = fetch_get(j, &target, str_c(path));
    secret_wipe(&target.head_lines);
    if (!f)
        return false;
    if (f->state == FETCH_THERE && (f->status == 401 || f->status == 403)) {
        vantage_fail(j, 422,
                     f->status == 401 ? "OpenAI rejected the key (401); " HINT
                                      : "OpenAI does not let this key read costs (403); " HINT);
        return false;
    }
    jdoc_init(&body);
    if (f->state == FETCH_THERE && f->status == 200 && jdoc_parse(&body, buf_str(&f->body))) {
        struct jval first = jdoc_first(jdoc_get(jdoc_first(jdoc_get(jdoc_root(&body), "data")), "results"));
        *ret_organization = arena_dup(j->arena, jdoc_text(jdoc_find(first, "organization_id"), j->arena));
    }
    jdoc_free(&body);
    return true;
}

static bool is_connected(struct job *j, struct str organization, int64_t but)
{
    struct bill_reader *r = organization.n ? accounts_reader(j) : NULL;
    struct bill_account *list = NULL;
    size_t count = 0;
    bool found = false;
    if (r && bill_accounts(bill_reader_db(r), 0, j->arena, &list, &count) == ERR_OK)
        for (size_t i = 0; i < count; i++)
            found |= list[i].id != but && str_eq(list[i].organization, organization);
    bill_reader_close(r);
    if (found)
        vantage_fail(j, 422, "This organization is connected already; a second key would count its costs twice");
    return found;
}

static bool set_places(struct job *j, const struct sight *s, int64_t id, int64_t workspace, struct jval given)
{
    struct jval list = jdoc_get(given, "workspace_tokens");
    const struct docs_new what = {
        .kind = DOCS_INTEGRATION, .workspace = workspace, .token = ask_id_token(j, PREFIX, id)};
    struct doc before, doc;
    int64_t place;
    if (jdoc_kind(list) != JDOC_ARRAY)
        return true;
    for (struct jval v = jdoc_first(list); jdoc_has(v); v = jdoc_next(list, v))
        if (!jdoc_text(v, j->arena).n || !ask_workspace(j, s, jdoc_text(v, j->arena), &place)) {
            vantage_fail(j, 404, "There is no such workspace");
            return false;
        }
    bool known = docs_find(ask_docs(j), DOCS_INTEGRATION, what.token, j->arena, &before) == ERR_OK;
    enum err e = known ? docs_update(ask_docs(j), &before, given, j->arena, &doc)
                       : docs_create(ask_docs(j), &what, given, j->arena, &doc);
    if (e != ERR_OK)
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
    return e == ERR_OK;
}

static enum err store_new(struct job *j, int64_t workspace, struct str name, struct str key, struct str base_url,
                          struct control_integration *ret, struct control_why *why)
{
    enum err e = ERR_CONFLICT;
    for (unsigned n = 1; e == ERR_CONFLICT && n <= SLUG_TRIES; n++) {
        char slug[32];
        snprintf(slug, sizeof slug, n == 1 ? SLUG : SLUG "-%u", n);
        const struct control_integration_spec spec = {.slug = str_c(slug),
                                                      .name = name.n ? name : STR("OpenAI"),
                                                      .kind = STR("openai-admin"),
                                                      .base_url = base_url,
                                                      .api_key = key};
        e = control_integration_create(j->console->settings.control, workspace, &spec, j->arena, ret, why);
    }
    return e;
}

/* The first workspace named has the integration; all of them see its costs. */
static bool home_of(struct job *j, const struct sight *s, struct jval given, int64_t *ret)
{
    struct str first = jdoc_text(jdoc_first(jdoc_get(given, "workspace_tokens")), j->arena);
    *ret = j->key->workspace_id;
    return (!first.n && ask_sees(s, *ret)) || ask_workspace(j, s, first, ret);
}

static void connect(struct job *j, const struct sight *s, struct jval given)
{
    struct str key = jdoc_text(jdoc_get(given, "api_key"), j->arena);
    struct str base_url = jdoc_text(jdoc_get(given, "base_url"), j->arena), organization;
    struct source made = {.bill = {0}};
    struct control_why why;
    int64_t workspace;
    if (!base_url.n)
        base_url = STR(DEFAULT_URL);
    if (!home_of(j, s, given, &workspace) || !key_is_good(j, base_url, key, &organization) ||
        is_connected(j, organization, 0))
        return;
    enum err e =
        store_new(j, workspace, jdoc_text(jdoc_get(given, "description"), j->arena), key, base_url, &made.row, &why);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, why.text);
        return;
    }
    if (!made.row.organization.n)
        made.row.organization = organization;
    if (set_places(j, s, made.row.id, workspace, given))
        reply(j, 201, &made);
}

void sources_connect(struct job *j)
{
    struct sight s;
    struct jdoc body;
    if (!ask_sight(j, &s) || !ask_body(j, &body))
        return;
    connect(j, &s, jdoc_root(&body));
    jdoc_free(&body);
}

/* ---- changing ---- */

/* Another key for the same account: tried first. False when the handler returns. */
static bool rotate(struct job *j, const struct source *x, struct jval given)
{
    struct str key = jdoc_text(jdoc_get(given, "api_key"), j->arena), organization;
    struct str name = jdoc_text(jdoc_get(given, "description"), j->arena);
    struct control_integration row;
    struct control_why why;
    struct control_integration_spec spec = {.slug = {NULL, 0}};
    if (key.n && !key_is_good(j, x->row.base_url, key, &organization))
        return false;
    if (key.n && organization.n && x->bill.organization.n && !str_eq(organization, x->bill.organization)) {
        vantage_fail(j, 422, "This key is of another organization; connect that one by itself");
        return false;
    }
    if (key.n)
        spec.api_key = key;
    if (name.n)
        spec.name = name;
    if (!key.n && !name.n)
        return true;
    enum err e = control_integration_update(j->console->settings.control, x->row.workspace_id, x->row.slug, &spec,
                                            j->arena, &row, &why);
    if (e != ERR_OK)
        vantage_fail_err(j, e, why.text);
    return e == ERR_OK;
}

void sources_update(struct job *j)
{
    struct sight s;
    struct jdoc body;
    const struct source *x = ask_sight(j, &s) ? find(j, &s) : NULL;
    if (!x || !ask_body(j, &body))
        return;
    struct jval given = jdoc_root(&body);
    bool ok = is_files(x) ? bills_update(j, x->row.id, given) : rotate(j, x, given);
    if (ok && bills_set_mode(j, x->row.id, given) && set_places(j, &s, x->row.id, x->row.workspace_id, given) &&
        (x = find(j, &s)))
        reply(j, 200, x);
    jdoc_free(&body);
}

void sources_delete(struct job *j)
{
    struct sight s;
    struct doc doc;
    struct control_why why;
    const struct source *x = ask_sight(j, &s) ? find(j, &s) : NULL;
    if (!x)
        return;
    if (is_files(x) && !bills_remove(j, x->row.id))
        return;
    enum err e = is_files(x)
                     ? ERR_OK
                     : control_integration_delete(j->console->settings.control, x->row.workspace_id, x->row.slug, &why);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, why.text);
        return;
    }
    if (docs_find(ask_docs(j), DOCS_INTEGRATION, ask_id_token(j, PREFIX, x->row.id), j->arena, &doc) == ERR_OK)
        e = docs_remove(ask_docs(j), &doc);
    if (e != ERR_OK)
        vantage_fail_err(j, e, docs_reason(ask_docs(j)));
    else
        job_reply_empty(j, 204);
}
