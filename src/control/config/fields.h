/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CONFIG_FIELDS_H
#define CONTROL_CONFIG_FIELDS_H

/*
 * fields: members of a config's objects, by name and type.
 *
 * Names are given in snake_case and found in camelCase too ("onStatusCodes", "promptID"). A member
 * that is null counts as not given. A member of the wrong type, or given twice, is an error and then
 * counts as not given. Each reader says whether it was given; outputs are untouched otherwise.
 */

#include "control/config/config_inner.h"

const char *fields_name(enum field f);
/* Does `given` mean `name`? */
bool fields_is(struct str given, const char *name);
/* The field of that name, in either spelling; FIELD_COUNT when it is none. */
enum field fields_find(struct str given);

struct jval fields_get(struct compile *c, struct jval object, enum field f);
bool fields_has(struct compile *c, struct jval object, enum field f);
/* The member when it is of that kind, else absent. */
struct jval fields_container(struct compile *c, struct jval object, enum field f, enum jdoc_kind kind);
/* An element of a list at the present place: whether it is of that kind. */
bool fields_check(struct compile *c, struct jval value, const char *name, enum jdoc_kind kind);

/* Without control characters: most of these end in a header or a URL. */
bool fields_text(struct compile *c, struct jval object, enum field f, struct str *ret);
bool fields_bool(struct compile *c, struct jval object, enum field f, bool *ret);
/* A whole number; more than `max` is lowered to it. */
bool fields_count(struct compile *c, struct jval object, enum field f, uint64_t max, uint64_t *ret);
bool fields_codes(struct compile *c, struct jval object, enum field f, struct config_codes *ret);
bool fields_strings(struct compile *c, struct jval object, enum field f, struct config_strings *ret);
/* An object, as written; "" is left when it is not given. */
bool fields_raw(struct compile *c, struct jval object, enum field f, struct str *ret);

#endif
