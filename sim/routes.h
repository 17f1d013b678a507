/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_ROUTES_H
#define SIM_ROUTES_H

/*
 * routes: the tables of operations, one a folder. Each ends with an empty row.
 */

#include "sim/http/paths.h"

extern const struct route routes_inference[];
extern const struct route routes_objects[];
extern const struct route routes_org[];
extern const struct route routes_own[];

#endif
