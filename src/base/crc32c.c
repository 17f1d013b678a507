/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C, reflected polynomial 0x82f63b78.
 *
 * The instruction takes 8 bytes in one cycle but its result comes three cycles later, so long
 * inputs are cut in three lanes that run side by side. A lane's result is then moved past the
 * bytes that follow it: appending a fixed number of zero bytes is a linear map of the 32 bits,
 * kept as four tables of 256 words. The tables are made once, on first use.
 */
#include "base/crc32c.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#define POLYNOMIAL 0x82f63b78u
#define LANE_BYTES 512

static uint32_t byte_table[8][256]; /* [k][b]: byte b followed by k zero bytes */
static uint32_t lane_table[4][256]; /* a checksum moved past LANE_BYTES zero bytes, by its bytes */
static bool has_instruction;
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static uint32_t past_zero_bytes(uint32_t crc, size_t count)
{
    while (count--)
        crc = byte_table[0][crc & 0xff] ^ (crc >> 8);
    return crc;
}

static void make_tables(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? (crc >> 1) ^ POLYNOMIAL : crc >> 1;
        byte_table[0][b] = crc;
    }
    for (uint32_t b = 0; b < 256; b++) {
        for (unsigned k = 1; k < 8; k++)
            byte_table[k][b] = past_zero_bytes(byte_table[k - 1][b], 1);
        for (unsigned k = 0; k < 4; k++)
            lane_table[k][b] = past_zero_bytes(b << (8 * k), LANE_BYTES);
    }
#if defined(__x86_64__)
    has_instruction = __builtin_cpu_supports("sse4.2");
#endif
}

static uint32_t by_table(uint32_t crc, const unsigned char *p, size_t n)
{
    for (; n >= 8; p += 8, n -= 8) {
        uint32_t low = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
        crc = byte_table[7][low & 0xff] ^ byte_table[6][low >> 8 & 0xff] ^ byte_table[5][low >> 16 & 0xff] ^
              byte_table[4][low >> 24] ^ byte_table[3][p[4]] ^ byte_table[2][p[5]] ^ byte_table[1][p[6]] ^
              byte_table[0][p[7]];
    }
    while (n--)
        crc = byte_table[0][(crc ^ *p++) & 0xff] ^ (crc >> 8);
    return crc;
}

uint32_t crc32c_by_table(uint32_t crc, const void *p, size_t n)
{
    pthread_once(&tables_once, make_tables);
    return ~by_table(~crc, p, n);
}

#if defined(__x86_64__)

static uint64_t word_at(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t past_lane(uint32_t crc)
{
    return lane_table[0][crc & 0xff] ^ lane_table[1][crc >> 8 & 0xff] ^ lane_table[2][crc >> 16 & 0xff] ^
           lane_table[3][crc >> 24];
}

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const unsigned char *p, size_t n)
{
    uint64_t a = crc;
    while (n >= (size_t)3 * LANE_BYTES) {
        uint64_t b = 0, c = 0;
        for (size_t i = 0; i < LANE_BYTES; i += 8) {
            a = _mm_crc32_u64(a, word_at(p + i));
            b = _mm_crc32_u64(b, word_at(p + LANE_BYTES + i));
            c = _mm_crc32_u64(c, word_at(p + (size_t)2 * LANE_BYTES + i));
        }
        a = past_lane(past_lane((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
        p += (size_t)3 * LANE_BYTES;
        n -= (size_t)3 * LANE_BYTES;
    }
    for (; n >= 8; p += 8, n -= 8)
        a = _mm_crc32_u64(a, word_at(p));
    uint32_t rest = (uint32_t)a;
    while (n--)
        rest = _mm_crc32_u8(rest, *p++);
    return rest;
}

#else

static uint32_t by_instruction(uint32_t crc, const unsigned char *p, size_t n)
{
    return by_table(crc, p, n);
}

#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
    pthread_once(&tables_once, make_tables);
    return has_instruction ? ~by_instruction(~crc, p, n) : ~by_table(~crc, p, n);
}
