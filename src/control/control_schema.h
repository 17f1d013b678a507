/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_CONTROL_SCHEMA_H
#define CONTROL_CONTROL_SCHEMA_H

/*
 * control_schema: the tables of control.db, as numbered migrations. A migration that was released is
 * never changed; a new one is added behind it.
 */

#include "store/sqlite.h"

extern const struct store_migration control_schema[];
extern const unsigned control_schema_count;

#endif
