/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_KEY_FILE_H
#define CONTROL_KEY_FILE_H

/*
 * key_file: a small file that holds one secret in one line.
 *
 * Made whole or not at all: written under another name, synced, and linked to its own name, which
 * fails when somebody else was first. So a crash at any point leaves either no file or a complete
 * one, and of two that start at once one wins and the other reads the winner's.
 */

#include <stdbool.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

#define KEY_FILE_MAX 4096

/*
 * The file's content without one line end. ERR_NOT_FOUND when there is none, ERR_FILE_FAILED with a
 * sentence in `why` otherwise. `private` refuses a file that group or others may read or write.
 */
enum err key_file_read(const char *path, bool private, struct secret *ret_text, char *why, size_t why_cap) ERR_USE;
/* Makes the file, mode 0600, durable. ERR_CONFLICT when it exists already. */
enum err key_file_make(const char *path, struct str text, char *why, size_t why_cap) ERR_USE;
/* Removes it; not being there is fine. */
enum err key_file_remove(const char *path, char *why, size_t why_cap) ERR_USE;

#endif
