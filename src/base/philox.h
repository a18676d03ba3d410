/* Philox4x32-10 (Salmon et al. 2011, section 3.3): four random words from a 128-bit counter and a
 * 64-bit key, by ten rounds of two 32 x 32 bit products. Private to the room and its tests. */
#ifndef GENBA_BASE_PHILOX_H
#define GENBA_BASE_PHILOX_H

#include <stdint.h>

/* Written so that a loop over independent counters becomes vector code. */
static inline void gb_philox(uint32_t key0,
                             uint32_t key1,
                             uint32_t *word0,
                             uint32_t *word1,
                             uint32_t *word2,
                             uint32_t *word3)
{
    uint32_t c0 = *word0, c1 = *word1, c2 = *word2, c3 = *word3;
    for (int round = 0; round < 10; round++) {
        uint64_t product0 = (uint64_t)c0 * 0xD2511F53u, product1 = (uint64_t)c2 * 0xCD9E8D57u;
        c0 = (uint32_t)(product1 >> 32) ^ c1 ^ key0;
        c2 = (uint32_t)(product0 >> 32) ^ c3 ^ key1;
        c1 = (uint32_t)product1;
        c3 = (uint32_t)product0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    *word0 = c0;
    *word1 = c1;
    *word2 = c2;
    *word3 = c3;
}

#endif
