/* SPDX-License-Identifier: Apache-2.0 */
/* Segment by segment; a first segment that belongs to another interface is no workspace. */
#include "gateway/target/model_path.h"

#include "gateway/target/path.h"

/* The next segment of "/a/b/c"; *path is what follows it. */
static struct str take_segment(struct str *path)
{
    if (!path->n || path->p[0] != '/')
        return STR("");
    struct str rest = str_from(*path, 1);
    ptrdiff_t slash = str_find(rest, '/');
    size_t n = slash < 0 ? rest.n : (size_t)slash;
    *path = str_from(rest, n);
    return str_head(rest, n);
}

static bool is_reserved(struct str segment)
{
    return str_eq(segment, STR("v0")) || str_eq(segment, STR("v1")) || str_eq(segment, STR("v2")) ||
           str_eq(segment, STR("api")) || str_eq(segment, STR("tollgate")) || str_eq(segment, STR("console"));
}

bool model_path_read(struct str path, struct model_path *ret)
{
    struct str first = take_segment(&path);
    if (str_eq(first, STR("run")))
        first = take_segment(&path);
    else if (is_reserved(first))
        return false;
    struct str models = take_segment(&path), model = take_segment(&path);
    if (!first.n || !str_eq(models, STR("models")) || !model.n)
        return false;
    bool bare =
        str_eq(path, STR("")) || str_eq(path, STR("/")) || str_eq(path, STR("/v1")) || str_eq(path, STR("/v1/"));
    struct str rest = bare ? STR("") : path_below_v1(path, NULL);
    *ret = (struct model_path){first, model, rest};
    return true;
}
