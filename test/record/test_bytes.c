/* Plain files and memory as sources and targets of bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "genba/mcap.h"

static const char *file_name(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/genba-test-bytes-%ld", (long)getpid());
    return path;
}

static void a_file_is_written_whole_and_read_anywhere(void **state)
{
    (void)state;
    const char *path = file_name();
    gb_bytes_out *out = NULL;
    assert_int_equal(gb_bytes_out_file(path, &out), GB_OK);
    assert_int_equal(out->write(out, "recor", 5), GB_OK);
    assert_false(gb_file_exists(path)); /* only close gives it its name */
    assert_int_equal(out->write(out, "ding", 4), GB_OK);
    assert_int_equal(out->close(out), GB_OK);

    gb_bytes_in *in = NULL;
    assert_int_equal(gb_bytes_in_file(path, &in), GB_OK);
    assert_true(in->size == 9);
    assert_true(in->stable);
    assert_string_equal(in->origin, path);
    const unsigned char *data = NULL;
    assert_int_equal(in->read(in, 3, 6, &data), GB_OK);
    assert_memory_equal(data, "ording", 6);
    assert_int_equal(in->read(in, 9, 0, &data), GB_OK);
    assert_int_equal(in->read(in, 3, 7, &data), GB_ERR_CORRUPT);
    assert_int_equal(in->read(in, UINT64_MAX, 2, &data), GB_ERR_CORRUPT);
    assert_int_equal(in->read(in, 2, SIZE_MAX, &data), GB_ERR_CORRUPT);
    in->close(in);
    unlink(path);
}

static void an_abandoned_file_leaves_nothing(void **state)
{
    (void)state;
    gb_bytes_out *out = NULL;
    assert_int_equal(gb_bytes_out_file(file_name(), &out), GB_OK);
    assert_int_equal(out->write(out, "x", 1), GB_OK);
    out->abandon(out);
    assert_false(gb_file_exists(file_name()));
    gb_bytes_in *in = NULL;
    assert_int_equal(gb_bytes_in_file(file_name(), &in), GB_ERR_IO);
    assert_null(in);
}

static void memory_is_read_in_place(void **state)
{
    (void)state;
    const char text[] = "abc";
    gb_bytes_in *in = NULL;
    assert_int_equal(gb_bytes_in_memory(text, 3, NULL, &in), GB_OK);
    const unsigned char *data = NULL;
    assert_int_equal(in->read(in, 1, 2, &data), GB_OK);
    assert_ptr_equal(data, text + 1);
    in->close(in);
    assert_int_equal(gb_bytes_in_memory(NULL, 0, "nothing", &in), GB_OK);
    assert_int_equal(in->read(in, 0, 1, &data), GB_ERR_CORRUPT);
    in->close(in);
    assert_int_equal(gb_bytes_in_memory(NULL, 1, "nothing", &in), GB_ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_written_whole_and_read_anywhere),
        cmocka_unit_test(an_abandoned_file_leaves_nothing),
        cmocka_unit_test(memory_is_read_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
