/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Edits of request bodies. The first byte says what is wished; the rest is, between bytes 0xff, the
 * body, an override's name and value, a default's name and value, and drop paths. Whatever the body
 * is, nothing is read outside of it; of a body that is JSON the result is JSON too, says what was
 * wished, and a second edit finds nothing to do.
 */
#include "base/json/jdoc.h"
#include "base/json_text.h"
#include "base/must.h"
#include "base/utf8.h"
#include "openai/body_edit.h"

#define PARTS 9

static bool is_json(struct str s)
{
    struct jdoc doc;
    jdoc_init(&doc);
    bool ok = jdoc_parse(&doc, s);
    jdoc_free(&doc);
    return ok;
}

static struct str trimmed(struct str s)
{
    while (s.n && strchr(" \t\r\n", s.p[0]))
        s = str_from(s, 1);
    while (s.n && strchr(" \t\r\n", s.p[s.n - 1]))
        s.n--;
    return s;
}

static void check_done(struct str made, const struct body_edits *edits, bool asked)
{
    bool again;
    must(is_json(made));
    if (edits->drop_count)
        return;
    if (edits->override_count && !(edits->ask_usage && str_eq(edits->overrides->name, STR("stream_options"))) &&
        !(edits->model.n && str_eq(edits->overrides->name, STR("model"))))
        must(str_eq(body_member_find(made, edits->overrides->name), trimmed(edits->overrides->json)));
    if (edits->default_count)
        must(body_member_find(made, edits->defaults->name).p);
    if (edits->model.n) {
        struct str model = body_member_find(made, STR("model"));
        must(model.n > 2 && json_string_eq(str_of(model.p + 1, model.n - 2), edits->model));
    }
    must(!asked || body_member_find(body_member_find(made, STR("stream_options")), STR("include_usage")).p);
    /* A default or override of stream_options is put back and asked again; all else stays as it is. */
    if (edits->ask_usage && edits->override_count)
        return;
    struct buf out;
    buf_init(&out, 1 << 20);
    enum body_edit_result result = body_edit(made, edits, &out, &again);
    must(result == BODY_EDIT_SAME && !again);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n == 0)
        return 0;
    struct str rest = str_of((const char *)p + 1, n - 1), part[PARTS];
    for (int i = 0; i < PARTS; i++)
        if (!str_split(&rest, '\xff', &part[i]))
            part[i] = STR("");
    struct body_member o = {part[1], part[2]}, d = {part[3], part[4]};
    struct body_edits edits = {.overrides = &o,
                               .override_count = is_json(part[2]) && utf8_valid(part[1]),
                               .defaults = &d,
                               .default_count = is_json(part[4]) && utf8_valid(part[3]),
                               .model = p[0] & 1 ? STR("new\"model") : STR(""),
                               .ask_usage = p[0] & 2,
                               .drop = &part[5],
                               .drop_count = (p[0] >> 2 & 3) + (p[0] >> 4 & 1)};
    struct buf out;
    bool asked;
    bool valid = is_json(part[0]);
    buf_init(&out, p[0] & 32 ? 64 : 1 << 20);
    enum body_edit_result result = body_edit(part[0], &edits, &out, &asked);
    must(result == BODY_EDIT_DONE || (buf_size(&out) == 0 && !asked));
    must(!valid || result != BODY_EDIT_NOT_AN_OBJECT || trimmed(part[0]).p[0] != '{');
    if (valid && result == BODY_EDIT_DONE)
        check_done(buf_str(&out), &edits, asked);
    buf_free(&out);
    (void)body_member_find(part[0], part[1]);
    return 0;
}
