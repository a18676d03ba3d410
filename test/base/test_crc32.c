/* CRC-32: known answers, and the fast way against the tables at every length and alignment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crc32.h"
#include "genba/base.h"

static void known_answers(void **state)
{
    (void)state;
    assert_true(gb_crc32(0, "", 0) == 0);
    assert_true(gb_crc32(0, "123456789", 9) == 0xcbf43926u); /* the check value of CRC catalogues */
    unsigned char zeros[256] = {0};
    assert_true(gb_crc32(0, zeros, 32) == 0x190a55adu);
    assert_true(gb_crc32(0, zeros, 256) == gb_crc32_portable(0, zeros, 256));
}

static void both_ways_agree(void **state)
{
    (void)state;
    static unsigned char data[2048 + 16];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)gb_random_u32(7, 0, i);
    for (size_t size = 0; size <= 2048; size += size < 300 ? 1 : 61)
        for (size_t shift = 0; shift < 16; shift += 5) {
            uint32_t start = gb_random_u32(8, shift, size);
            assert_true(gb_crc32(start, data + shift, size) ==
                        gb_crc32_portable(start, data + shift, size));
        }
}

static void pieces_give_the_whole(void **state)
{
    (void)state;
    static unsigned char data[3000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * i >> 3);
    uint32_t whole = gb_crc32(0, data, sizeof data);
    for (size_t cut = 0; cut <= sizeof data; cut += 37)
        assert_true(gb_crc32(gb_crc32(0, data, cut), data + cut, sizeof data - cut) == whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(both_ways_agree),
        cmocka_unit_test(pieces_give_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
