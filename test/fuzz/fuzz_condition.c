/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries of any text over metadata and bodies of any JSON: three parts with NUL bytes between
 * them. Inside $and and $or a query says the same as by itself.
 */
#include <string.h>

#include "base/buf.h"
#include "base/json_scan.h"
#include "base/must.h"
#include "gateway/plan/plan.h"

/* "" when it is no JSON, as for a body that was not kept. */
static struct str take_json(struct str *rest)
{
    struct str part = STR("");
    struct json_scan s;
    if (!str_split(rest, '\0', &part))
        return STR("");
    json_scan_init(&s, NULL, NULL, NULL);
    json_scan_feed(&s, part.p, part.n);
    return json_scan_end(&s) == JSON_COMPLETE ? part : STR("");
}

/* The query as the last one of a list. */
static bool is_true_in(const char *list, struct str query, const struct condition_input *in)
{
    struct buf text;
    struct str operator;
    bool is_true = false;
    buf_init(&text, 4u << 20);
    must(buf_add_str(&text, str_c(list)) && buf_add_str(&text, query) && buf_add_str(&text, STR("]}")));
    must(condition_eval(buf_str(&text), in, &is_true, &operator) == ERR_OK);
    buf_free(&text);
    return is_true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_of((const char *)data, size);
    struct condition_input in = {.path = STR("/v1/chat/completions")};
    struct str query = take_json(&rest), operator= STR("");
    in.metadata = take_json(&rest);
    in.body = take_json(&rest);
    bool is_true = false;
    if (!query.n) {
        query = str_of((const char *)data, size);
        if (condition_eval(query, &in, &is_true, &operator))
            must(operator.n <= size);
        return 0;
    }
    enum err e = condition_eval(query, &in, &is_true, &operator);
    if (e) {
        must(operator.n <= query.n);
        return 0;
    }
    must(is_true_in("{\"$and\":[", query, &in) == is_true);
    must(is_true_in("{\"$or\":[{\"params.n\":{\"$eq\":{}}},", query, &in) == is_true);
    return 0;
}
