/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

/*
 * mem: the heap, for `base`, `net` and start-up code. Small allocations never fail: the program
 * ends instead. Big ones are refused by the cap of whoever asks (buf, arena) before they come here.
 */

#include <stddef.h>

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *mem_realloc(void *p, size_t size) __attribute__((returns_nonnull, alloc_size(2)));
char *mem_strdup(const char *z) __attribute__((malloc, returns_nonnull));
/* A terminated copy of `n` bytes. */
char *mem_strndup(const char *p, size_t n) __attribute__((malloc, returns_nonnull));
void mem_free(void *p); /* NULL does nothing */

/*
 * For a process that goes on allocating what it frees, such as large bodies: up to some megabytes of
 * freed memory stay with each thread, because giving them back and asking for them again costs a page
 * fault for each page. Call before threads start.
 */
void mem_keep_freed(void);
/* Gives back what is free now: after a start, which needs more than what follows it. */
void mem_give_back(void);

/* Overwrites with zeros in a way the compiler keeps. */
void mem_wipe(void *p, size_t n);

#endif
