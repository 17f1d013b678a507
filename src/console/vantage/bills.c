/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of costs. What is written to the bill goes through the importer, which owns the writer; each call is a small
 * closure for it.
 */
#include "console/vantage/bills.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/must.h"
#include "console/console_inner.h"
#include "console/vantage/accounts.h"
#include "console/vantage/vantage.h"
#include "console/vantage/vantage_reply.h"
#include "report/bill/bill_upload.h"
#include "report/import/import.h"
#include "report/upload/upload_read.h"

#define ACCOUNT_PREFIX "accss_crdntl_"
#define FILE_PREFIX "usr_csts_upld_"
#define NAME_MAX_BYTES 200
#define READ_ARENA_MAX ((size_t)64 << 20)

/* ---- writing to the bill ---- */

/* False when the job was answered. */
static bool write_bill(struct job *j, import_bill_fn *run, void *ctx)
{
    char why[IMPORT_WHY_MAX] = "bills are not kept by this server";
    struct import *im = j->console->settings.import;
    enum err e = im ? import_with_bill(im, run, ctx, why) : ERR_STORE_FAILED;
    if (e != ERR_OK)
        vantage_fail_err(j, e, why);
    return e == ERR_OK;
}

struct naming {
    int64_t account, workspace;
    struct str name, note; /* p == NULL: as it is */
    bool prepaid;
};

static enum err run_create(struct bill *b, void *ctx)
{
    struct naming *n = ctx;
    return bill_files_create(b, n->workspace, n->name, n->note, clock_wall_us(), &n->account);
}

static enum err run_update(struct bill *b, void *ctx)
{
    const struct naming *n = ctx;
    return bill_files_update(b, n->account, n->name, n->note);
}

static enum err run_mode(struct bill *b, void *ctx)
{
    const struct naming *n = ctx;
    return bill_account_set_prepaid(b, n->account, n->prepaid);
}

static enum err run_remove(struct bill *b, void *ctx)
{
    const struct naming *n = ctx;
    return bill_account_remove(b, n->account);
}

/* ---- providers ---- */

static bool read_text(struct job *j, struct jval given, const char *name, struct str *ret)
{
    char why[100];
    struct jval v = jdoc_get(given, name);
    *ret = jdoc_kind(v) == JDOC_STRING ? str_trim(jdoc_text(v, j->arena)) : (struct str){NULL, 0};
    if (ret->n <= NAME_MAX_BYTES)
        return true;
    snprintf(why, sizeof why, "%s has at most %d bytes", name, NAME_MAX_BYTES);
    vantage_fail(j, 400, why);
    return false;
}

bool bills_update(struct job *j, int64_t account, struct jval given)
{
    struct naming n = {.account = account};
    if (!read_text(j, given, "name", &n.name) || !read_text(j, given, "description", &n.note))
        return false;
    if (n.name.p && !n.name.n)
        n.name.p = NULL;
    return (!n.name.p && !n.note.p) || write_bill(j, run_update, &n);
}

bool bills_set_mode(struct job *j, int64_t account, struct jval given)
{
    struct jval mode = jdoc_find(given, "billing_mode");
    struct naming n = {.account = account, .prepaid = jdoc_is(mode, "prepaid")};
    if (!jdoc_has(mode))
        return true;
    if (!n.prepaid && !jdoc_is(mode, "postpaid")) {
        vantage_fail(j, 400, "billing_mode must be one of: postpaid, prepaid");
        return false;
    }
    return write_bill(j, run_mode, &n);
}

bool bills_remove(struct job *j, int64_t account)
{
    struct naming n = {.account = account};
    return write_bill(j, run_remove, &n);
}

/* The account of the path, one whose costs are files. False when the job was answered. */
static bool find_account(struct job *j, struct bill_account *ret)
{
    struct sight s;
    int64_t id;
    if (!ask_sight(j, &s))
        return false;
    struct bill_reader *r = accounts_reader(j);
    bool found = r && ask_id(ask_token(j, 0), ACCOUNT_PREFIX, &id) &&
                 bill_account_find(bill_reader_db(r), id, j->arena, ret) == ERR_OK && ask_sees(&s, ret->workspace);
    bill_reader_close(r);
    if (!found)
        vantage_fail(j, 404, "There is no such integration");
    else if (ret->kind != BILL_FILES)
        vantage_fail(j, 422, "This integration imports its costs itself; make a custom provider for files");
    return found && ret->kind == BILL_FILES;
}

static void write_provider(struct job *j, const struct naming *n)
{
    struct json_write *w = &j->json;
    job_reply_json(j, 201);
    json_write_object(w);
    json_write_member_string(w, "token", ask_id_token(j, ACCOUNT_PREFIX, n->account));
    json_write_member_string(w, "provider", STR("custom_provider"));
    json_write_member_null(w, "account_identifier");
    json_write_member_string(w, "status", str_c(bill_status_text(BILL_IMPORTED)));
    json_write_member_null(w, "last_updated");
    json_write_key(w, STR("workspace_tokens"));
    json_write_array(w);
    json_write_string(w, ask_id_token(j, "wrkspc_", n->workspace));
    json_write_array_end(w);
    vantage_time(w, "created_at", clock_wall_us());
    json_write_key(w, STR("managed_account_tokens"));
    json_write_array(w);
    json_write_array_end(w);
    json_write_member_string(w, "description", n->note);
    json_write_member_string(w, "name", n->name);
    json_write_object_end(w);
}

void bills_create(struct job *j)
{
    struct naming n = {.workspace = j->key->workspace_id};
    struct sight s;
    struct jdoc body;
    if (!ask_sight(j, &s) || !ask_body(j, &body))
        return;
    struct jval given = jdoc_root(&body);
    bool ok = read_text(j, given, "name", &n.name) && read_text(j, given, "description", &n.note);
    if (ok && !n.name.n) {
        vantage_fail(j, 400, "name is required");
        ok = false;
    }
    if (ok && !ask_sees(&s, n.workspace))
        ok = ask_workspace(j, &s, STR(""), &n.workspace);
    if (!n.note.p)
        n.note = STR("");
    if (ok && write_bill(j, run_create, &n))
        write_provider(j, &n);
    jdoc_free(&body);
}

/* ---- files ---- */

static void write_upload(struct job *j, const struct bill_upload *u)
{
    struct json_write *w = &j->json;
    char day[BILL_DAY_TEXT_MAX];
    json_write_object(w);
    json_write_member_string(w, "token", ask_id_token(j, FILE_PREFIX, u->id));
    json_write_member_string(w, "filename", u->name);
    json_write_key(w, STR("amount"));
    json_write_money_string(w, u->pusd);
    json_write_member_string(w, "start_date", str_of(day, bill_day_format(u->from_day, day)));
    json_write_member_string(w, "end_date", str_of(day, bill_day_format(u->until_day - 1, day)));
    json_write_member_string(w, "import_status", STR("complete"));
    json_write_member_string(w, "created_by_token", ask_id_token(j, "usr_", u->author));
    vantage_time(w, "created_at", u->created_us);
    json_write_member_uint(w, "rows", u->rows);
    json_write_object_end(w);
}

void bills_uploads(struct job *j)
{
    struct bill_account account;
    struct bill_upload *list;
    size_t count;
    if (!find_account(j, &account))
        return;
    struct bill_reader *r = accounts_reader(j);
    enum err e = r ? bill_uploads(bill_reader_db(r), account.id, j->arena, &list, &count) : ERR_STORE_FAILED;
    bill_reader_close(r);
    if (e != ERR_OK) {
        vantage_fail_err(j, e, "The bill cannot be read; look at the log");
        return;
    }
    job_reply_json(j, 200);
    json_write_object(&j->json);
    json_write_key(&j->json, STR("user_costs_uploads"));
    json_write_array(&j->json);
    for (size_t i = 0; i < count; i++)
        write_upload(j, &list[i]);
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

static void refuse(struct job *j, const struct upload_faults *f)
{
    char more[80];
    job_reply_json(j, 422);
    json_write_object(&j->json);
    json_write_key(&j->json, STR("errors"));
    json_write_array(&j->json);
    for (size_t i = 0; i < f->count; i++)
        json_write_string(&j->json, f->text[i]);
    if (f->total > f->count) {
        snprintf(more, sizeof more, "and %zu more", f->total - f->count);
        json_write_string(&j->json, str_c(more));
    }
    json_write_array_end(&j->json);
    json_write_object_end(&j->json);
}

/*
 * A file without a name of its own (a field of a form, or a Blob, which clients call "blob") is named after its
 * content: so another one does not take its place, and the same one sent twice does.
 */
static struct str name_of(struct job *j, struct str name, struct str content)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char text[40];
    if (name.n && !str_eq(name, STR("blob")))
        return str_head(name, NAME_MAX_BYTES);
    int ok = EVP_Digest(content.p, content.n, hash, &n, EVP_sha256(), NULL);
    must(ok == 1 && n >= 4);
    snprintf(text, sizeof text, "costs-%02x%02x%02x%02x.csv", hash[0], hash[1], hash[2], hash[3]);
    struct str kept = arena_dup(j->arena, str_c(text));
    must(kept.p);
    return kept;
}

struct putting {
    struct bill_upload upload;
    const struct bill_upload_row *rows;
    size_t count;
};

static enum err run_put(struct bill *b, void *ctx)
{
    struct putting *p = ctx;
    return bill_upload_put(b, &p->upload, p->rows, p->count, clock_wall_us());
}

static enum err run_remove_file(struct bill *b, void *ctx)
{
    const struct putting *p = ctx;
    return bill_upload_remove(b, p->upload.account, p->upload.id, clock_wall_us());
}

void bills_upload(struct job *j)
{
    struct bill_account account;
    struct upload_faults faults;
    struct bill_upload_row *rows;
    struct putting p;
    struct str name;
    if (!find_account(j, &account))
        return;
    struct arena *a = arena_new(65536, READ_ARENA_MAX);
    struct str content = ask_form_file(j, "csv", a, &name);
    if (!upload_read(content, a, &rows, &p.count, &faults)) {
        refuse(j, &faults);
    } else {
        p.rows = rows;
        p.upload =
            (struct bill_upload){.account = account.id, .name = name_of(j, name, content), .author = j->key->member_id};
        if (write_bill(j, run_put, &p)) {
            job_reply_json(j, 201);
            write_upload(j, &p.upload);
        }
    }
    arena_free(a);
}

void bills_remove_upload(struct job *j)
{
    struct bill_account account;
    struct putting p = {.count = 0};
    if (!find_account(j, &account))
        return;
    p.upload.account = account.id;
    if (!ask_id(ask_token(j, 1), FILE_PREFIX, &p.upload.id))
        vantage_fail(j, 404, "There is no such file");
    else if (write_bill(j, run_remove_file, &p))
        job_reply_empty(j, 204);
}
