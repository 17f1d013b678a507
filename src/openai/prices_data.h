/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAI_PRICES_DATA_H
#define OPENAI_PRICES_DATA_H

/*
 * prices_data: data/prices.csv and data/models.csv inside the program, so that it prices without
 * network and without files. prices_data.S includes the files by name: its include path must have
 * the folder data/ (INCLUDE_DIRECTORIES), and it must be assembled again when one of them changes
 * (OBJECT_DEPENDS). -DPRICES_CSV and -DMODELS_CSV name other files.
 */

#include <stddef.h>

extern const char prices_default[];
extern const size_t prices_default_size;
extern const char models_default[];
extern const size_t models_default_size;

#endif
