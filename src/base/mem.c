/* SPDX-License-Identifier: Apache-2.0 */
/* The heap, with "out of memory" made the end of the program rather than a path nobody tests. */
#include "base/mem.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

void *mem_alloc(size_t size)
{
    void *p = malloc(size ? size : 1);
    must(p != NULL);
    return p;
}

void *mem_zalloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    must(p != NULL);
    return p;
}

void *mem_realloc(void *p, size_t size)
{
    void *q = realloc(p, size ? size : 1);
    must(q != NULL);
    return q;
}

char *mem_strndup(const char *p, size_t n)
{
    char *copy = mem_alloc(n + 1);
    if (n)
        memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

char *mem_strdup(const char *z)
{
    return mem_strndup(z, strlen(z));
}

void mem_free(void *p)
{
    free(p);
}

void mem_keep_freed(void)
{
    /* Not for what is larger than any body that is kept whole; either may be refused and is no loss. */
    (void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 8 << 20);
}

void mem_give_back(void)
{
    (void)malloc_trim(0);
}

void mem_wipe(void *p, size_t n)
{
    if (n)
        explicit_bzero(p, n);
}
