/* SPDX-License-Identifier: Apache-2.0 */
/* Files that other objects make, and uploads: parts are put together in the order that is asked for. */
#include "base/must.h"
#include "sim/http/apierr.h"
#include "sim/http/formread.h"
#include "sim/objects/objects.h"

#define FILES STR("files")

struct shelf_item *objects_file_add(struct call *c, struct str name, const char *purpose, struct blob *blob)
{
    struct str id = call_id(c, "file-", 24);
    struct buf out;
    struct json_write w;
    buf_init(&out, 65536);
    json_write_init(&w, &out);
    json_write_object(&w);
    json_write_member_string(&w, "id", id);
    json_write_member_string(&w, "object", STR("file"));
    json_write_member_uint(&w, "bytes", blob_size(blob));
    json_write_member_int(&w, "created_at", call_now(c));
    json_write_member_null(&w, "expires_at");
    json_write_member_string(&w, "filename", name);
    json_write_member_string(&w, "purpose", str_c(purpose));
    json_write_member_string(&w, "status", STR("processed"));
    json_write_member_null(&w, "status_details");
    json_write_object_end(&w);
    must(json_write_done(&w));
    struct shelf_item *i = shelf_put(c->sim->shelf, FILES, id, buf_str(&out));
    shelf_set_blob(i, blob);
    buf_free(&out);
    return i;
}

/* expires_after[seconds] becomes a time. */
void objects_file_made(struct call *c, struct shelf_item *i)
{
    uint64_t seconds;
    if (str_to_u64(formread_text(c->form, "expires_after[seconds]"), &seconds) && seconds < UINT32_MAX)
        crud_change_text(c, i, call_format(c, "{\"expires_at\":%lld}", (long long)call_now(c) + (long long)seconds));
}

bool objects_file_bytes(struct call *c, struct str id, struct str *ret_bytes)
{
    struct shelf_item *i = shelf_get(c->sim->shelf, FILES, id);
    return i && i->blob && blob_bytes(i->blob, ret_bytes);
}

/* All parts, in the asked order, as one blob; NULL when one is missing. The caller's reference. */
static struct blob *put_together(struct call *c, struct str upload)
{
    struct str parts = call_format(c, "uploads/%.*s/parts", STR_ARG(upload));
    struct jval ids = jdoc_find(c->json, "part_ids");
    struct blob *whole = blob_new(shelf_blobs(c->sim->shelf));
    for (struct jval e = jdoc_first(ids); jdoc_has(e); e = jdoc_next(ids, e)) {
        struct shelf_item *part = shelf_get(c->sim->shelf, parts, jdoc_text(e, c->arena));
        struct str bytes;
        if (!part || !part->blob || !blob_bytes(part->blob, &bytes)) {
            apierr_no_such(c, "UploadPart", jdoc_text(e, c->arena));
            blob_end(whole);
            blob_put(whole);
            return NULL;
        }
        blob_add(whole, bytes);
    }
    blob_end(whole);
    return whole;
}

void objects_upload_complete(struct call *c)
{
    struct shelf_item *upload = crud_find(c, &objects_upload);
    if (!upload || !crud_check_required(c, "part_ids"))
        return;
    if (!str_eq(crud_member_text(c, upload, "status"), STR("pending"))) {
        apierr(c, 400, "invalid_request_error", NULL, NULL, "This Upload is not pending.");
        return;
    }
    struct blob *whole = put_together(c, str_c(upload->id));
    if (!whole)
        return;
    uint64_t want = 0;
    if (str_to_u64(crud_member(c, upload, "bytes"), &want) && want != blob_size(whole)) {
        apierr(c, 400, "invalid_request_error", NULL, NULL,
               "Sum of all parts' bytes (%llu) does not match the Upload's bytes (%llu).",
               (unsigned long long)blob_size(whole), (unsigned long long)want);
        blob_put(whole);
        return;
    }
    struct str purpose = arena_dup(c->arena, crud_member_text(c, upload, "purpose"));
    struct shelf_item *file = objects_file_add(c, crud_member_text(c, upload, "filename"), purpose.p, whole);
    blob_put(whole);
    crud_change_text(c, upload, call_format(c, "{\"status\":\"completed\",\"file\":%.*s}", STR_ARG(file->json)));
    crud_answer(c, upload);
}
