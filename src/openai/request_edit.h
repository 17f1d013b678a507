/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_REQUEST_EDIT_H
#define OPENAI_REQUEST_EDIT_H

/*
 * request_edit: turns wishes ("another model", "ask for usage") into splices of the body.
 *
 * Only the named bytes change. The inserted texts are static or stand in `text`, so the edits are
 * good as long as the struct lives and does not move.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/splice.h"
#include "base/str.h"
#include "openai/request_facts.h"

struct request_edit {
    struct splice list[3]; /* ordered; for splicer_init */
    size_t n;
    char text[REQUEST_MODEL_MAX * 6 + 32];
};

/*
 * `model`: the new model name, or the empty view to keep the old one. It is put in place of the old
 * value, or added when there was none. `ask_usage`: add stream_options.include_usage, or set it.
 * False, and no edits, when the facts do not allow it: not an object, not complete, a duplicate of
 * the field, a model name that is too long, stream_options that is neither object nor null.
 * Edits that would change nothing are left out.
 */
bool request_edit_make(struct request_edit *e, const struct request_facts *f, struct str model, bool ask_usage)
    __attribute__((warn_unused_result));

#endif
