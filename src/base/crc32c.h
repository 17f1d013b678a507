/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

/*
 * crc32c: the Castagnoli checksum (RFC 3720, appendix B.4), by the processor's instruction where
 * there is one, else by tables. Safe from any thread.
 */

#include <stddef.h>
#include <stdint.h>

/*
 * The checksum of the bytes before (`crc`, 0 for none) continued with `n` more:
 * crc32c(crc32c(0, a), b) is the checksum of a followed by b.
 */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

/* The same by tables only, to compare with. */
uint32_t crc32c_by_table(uint32_t crc, const void *p, size_t n);

#endif
