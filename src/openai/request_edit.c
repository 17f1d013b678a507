/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New members go right behind an opening brace, in front of all others; so the only comma to think
 * of is the one behind them, which an empty object must not get.
 */
#include "openai/request_edit.h"

#include "base/json_write.h"
#include "base/must.h"

#define OPTION "\"include_usage\":true"
#define OPTIONS "\"stream_options\":{" OPTION "}"

static void add(struct request_edit *e, uint64_t at, uint64_t remove, struct str insert)
{
    must(e->n < sizeof(e->list) / sizeof(e->list[0]));
    e->list[e->n++] = (struct splice){.at = at, .remove = remove, .insert = insert};
}

static uint64_t place_size(const struct request_place *place)
{
    return place->end - place->start;
}

/* Appends to e->text; the view is good as long as e is. */
static struct str quoted_model(struct request_edit *e, struct str model, const char *before, const char *behind)
{
    struct buf b;
    buf_init(&b, sizeof(e->text));
    bool fits = buf_add_str(&b, str_c(before)) && json_write_quoted(&b, model) && buf_add_str(&b, str_c(behind));
    struct str made = {e->text, buf_size(&b)};
    if (fits)
        memcpy(e->text, buf_str(&b).p, made.n);
    buf_free(&b);
    return fits ? made : str_of(NULL, 0);
}

static bool edit_model(struct request_edit *e, const struct request_facts *f, struct str model, bool last)
{
    if (model.n == 0)
        return true;
    if (model.n >= REQUEST_MODEL_MAX || f->duplicates & UINT32_C(1) << REQUEST_FIELD_MODEL)
        return false;
    bool here = f->model_at.end > 0;
    bool comma = !(f->object_empty && last);
    struct str text = here ? quoted_model(e, model, "", "") : quoted_model(e, model, "\"model\":", comma ? "," : "");
    if (text.n == 0)
        return false;
    bool same = f->model_at.kind == JSON_STRING && !(f->invalid & UINT32_C(1) << REQUEST_FIELD_MODEL) &&
                str_eq(model, str_c(f->model));
    if (!here)
        add(e, f->brace + 1, 0, text);
    else if (!same)
        add(e, f->model_at.start, place_size(&f->model_at), text);
    return true;
}

static bool edit_usage(struct request_edit *e, const struct request_facts *f)
{
    uint32_t both = UINT32_C(1) << REQUEST_FIELD_STREAM_OPTIONS | UINT32_C(1) << REQUEST_FIELD_INCLUDE_USAGE;
    const struct request_place *options = &f->stream_options_at, *usage = &f->include_usage_at;
    if (f->duplicates & both)
        return false;
    if (options->end == 0)
        add(e, f->brace + 1, 0, f->object_empty ? STR(OPTIONS) : STR(OPTIONS ","));
    else if (options->kind == JSON_NULL)
        add(e, options->start, place_size(options), STR("{" OPTION "}"));
    else if (options->kind != JSON_OBJECT)
        return false;
    else if (usage->end == 0)
        add(e, options->start + 1, 0, f->options_empty ? STR(OPTION) : STR(OPTION ","));
    else if (!f->include_usage)
        add(e, usage->start, place_size(usage), STR("true"));
    return true;
}

/* By place; of two at the same place, the one added first stays first. */
static void sort(struct request_edit *e)
{
    for (size_t i = 1; i < e->n; i++) {
        struct splice moved = e->list[i];
        size_t at = i;
        for (; at > 0 && e->list[at - 1].at > moved.at; at--)
            e->list[at] = e->list[at - 1];
        e->list[at] = moved;
    }
}

bool request_edit_make(struct request_edit *e, const struct request_facts *f, struct str model, bool ask_usage)
{
    e->n = 0;
    bool usage_added = ask_usage && f->stream_options_at.end == 0;
    if (f->status != JSON_COMPLETE || !f->is_object || !edit_model(e, f, model, !usage_added) ||
        (ask_usage && !edit_usage(e, f))) {
        e->n = 0;
        return false;
    }
    sort(e);
    return true;
}
