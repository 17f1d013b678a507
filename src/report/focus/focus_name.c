/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names. A sku is what was used, "gpt-4o-2024-08-06/cached input", the same for everybody and at all times; its
 * price adds the service tier and whether it was a batch, since each has a published price of its own.
 */
#include <stdio.h>

#include "base/json_write.h"
#include "report/focus/focus_row.h"

#define DETAILS_MAX 4096
#define OPENAI "OpenAI"

static struct str joined(struct arena *a, struct str first, const char *between, struct str second)
{
    struct buf out;
    buf_init(&out, 8192);
    bool ok = buf_add_str(&out, first) && buf_add_str(&out, str_c(between)) && buf_add_str(&out, second);
    struct str text = ok ? arena_dup(a, buf_str(&out)) : STR("");
    buf_free(&out);
    return text.p ? text : STR("");
}

/* --- services -------------------------------------------------------------------------------- */

void focus_name_service(struct focus_row *row, struct str service, struct arena *a)
{
    static const char *const plain[] = {"Embeddings", "Moderations"};
    row->service = joined(a, STR(OPENAI), " ", service.n ? service : STR("Other"));
    row->category = STR("AI and Machine Learning");
    row->subcategory = STR("Generative AI");
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (str_eq(service, str_c(plain[i])))
            row->subcategory = STR("Machine Learning");
    if (!service.n || str_eq(service, STR("Other")))
        row->subcategory = STR("Other (AI and Machine Learning)");
}

/* --- skus ------------------------------------------------------------------------------------ */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80);
}

/* "Cached Input Tokens" of "cached input" in tokens; "Input Tokens, Long Context" of "input, long context". */
static struct str meter_name(const struct focus_sku *sku, struct arena *a)
{
    struct buf out;
    struct str text = sku->subcategory.n ? sku->subcategory : sku->model;
    bool ok = true, begin = true, named = !str_eq(sku->unit, STR("Tokens"));
    buf_init(&out, 4096);
    for (size_t i = 0; ok && i < text.n; i++) {
        char c = text.p[i] == '_' ? ' ' : text.p[i];
        if (c == ',' && !named) {
            ok = buf_add_byte(&out, ' ') && buf_add_str(&out, sku->unit);
            named = true;
        }
        ok = ok && buf_add_byte(&out, begin && c >= 'a' && c <= 'z' ? (char)(c - 32) : c);
        begin = !is_letter(c);
    }
    ok = ok && (named || (buf_add_byte(&out, ' ') && buf_add_str(&out, sku->unit)));
    struct str name = ok ? arena_dup(a, buf_str(&out)) : STR("");
    buf_free(&out);
    return name.p ? name : STR("");
}

/* Of keys that FOCUS does not define, each begins with x_. */
static struct str details_of(const struct focus_sku *sku, bool batch, struct str tier, struct arena *a)
{
    struct json_write w;
    struct buf out;
    buf_init(&out, DETAILS_MAX);
    json_write_init(&w, &out);
    json_write_object(&w);
    if (sku->short_model.n) {
        struct str version =
            sku->model.n > sku->short_model.n + 1 ? str_from(sku->model, sku->short_model.n + 1) : STR("");
        if (sku->developer.n)
            json_write_member_string(&w, "x_ModelDeveloper", sku->developer);
        json_write_member_string(&w, "x_ModelId", sku->short_model);
        if (version.n)
            json_write_member_string(&w, "x_ModelVersion", version);
    }
    json_write_member_string(&w, "x_ServiceTier", tier);
    json_write_member_bool(&w, "x_Batch", batch);
    json_write_object_end(&w);
    struct str text = json_write_done(&w) ? arena_dup(a, buf_str(&out)) : STR("");
    buf_free(&out);
    return text.p ? text : STR("");
}

void focus_name_sku(struct focus_row *row, const struct focus_sku *sku, struct arena *a)
{
    bool batch = str_eq(sku->tier, STR("batch"));
    struct str tier = batch || !sku->tier.n || str_eq(sku->tier, STR("auto")) ? STR("default") : sku->tier;
    row->sku = sku->subcategory.n ? joined(a, sku->model, "/", sku->subcategory) : sku->model;
    row->sku_price = joined(a, row->sku, "/", joined(a, tier, "/", batch ? STR("batch") : STR("single")));
    row->meter = meter_name(sku, a);
    row->details = details_of(sku, batch, tier, a);
}
