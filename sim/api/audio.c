/* SPDX-License-Identifier: Apache-2.0 */
/* Audio: speech, transcriptions, translations. */
#include "base/encode.h"
#include "sim/api/api.h"
#include "sim/simid.h"

bool api_audio_base64(struct buf *out, uint64_t seed, uint64_t tokens)
{
    struct rng_seeded g = {seed};
    /* 96 bytes make 128 characters without padding, so pieces can be joined. */
    for (uint64_t i = 0; i < tokens; i++) {
        uint64_t samples[API_AUDIO_BYTES / 8];
        char *to = buf_reserve(out, ENCODE_BASE64_MAX(sizeof samples));
        if (!to)
            return false;
        for (size_t k = 0; k < API_AUDIO_BYTES / 8; k++)
            samples[k] = rng_seeded_u64(&g);
        buf_commit(out, encode_base64(samples, sizeof samples, to));
    }
    return true;
}
