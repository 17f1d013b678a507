/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_KEY_FILE_H
#define CONTROL_KEY_FILE_H

/*
 * key_file: a small file that holds one secret in one line.
 *
 * Made whole or not at all: written under another name, synced, renamed, and the directory synced.
 * A crash at any point leaves either no file or a complete one. The caller holds a lock on the
 * directory, so nobody else makes the same file.
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
/* Makes `name` in `dir`, mode 0600, durable; replaces what was there. */
enum err key_file_make(const char *dir, const char *name, struct str text, char *why, size_t why_cap) ERR_USE;
/* Removes it; not being there is fine. */
enum err key_file_remove(const char *dir, const char *name, char *why, size_t why_cap) ERR_USE;

#endif
