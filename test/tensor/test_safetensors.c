/* Files of named tensors: what was saved is read; what is cut or edited is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tensor/safetensors.h"

static char path[] = "/tmp/genba_safetensors_XXXXXX";

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static gb_tensors *sample(void)
{
    gb_tensors *set = NULL;
    gb_tensor *t;
    assert_int_equal(gb_tensors_create(&set), GB_OK);
    assert_int_equal(gb_tensors_add(set, "block.0.weight", GB_F32, GB_SHAPE(2, 3), &t), GB_OK);
    for (int i = 0; i < 6; i++)
        ((float *)t->data)[i] = (float)i * .25f - 1.0f;
    assert_int_equal(gb_tensors_add(set, "small", GB_I8, GB_SHAPE(3), &t), GB_OK);
    memcpy(t->data, "abc", 3);
    assert_int_equal(gb_tensors_add(set, "half", GB_BF16, GB_SHAPE(1, 2, 1, 1, 1), &t), GB_OK);
    ((uint16_t *)t->data)[1] = gb_bf16_from_f32(3.0f);
    assert_int_equal(gb_tensors_add(set, "step \"\xC3\xA9", GB_I32, GB_SCALAR, &t), GB_OK);
    *(int32_t *)t->data = -7;
    return set;
}

static void save(const gb_tensors *set)
{
    const char *metadata[] = {"format", "test", NULL};
    if (gb_tensors_save(set, path, metadata) != GB_OK)
        fail_msg("%s", gb_error_message());
}

static void round_trip(void **state)
{
    (void)state;
    gb_tensors *set = sample(), *read = NULL;
    save(set);
    if (gb_tensors_load(path, &read) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_int_equal(gb_tensors_count(read), gb_tensors_count(set));
    for (int64_t i = 0; i < gb_tensors_count(set); i++) {
        const char *name, *other;
        const gb_tensor *a = gb_tensors_at(set, i, &name), *b = gb_tensors_at(read, i, &other);
        assert_string_equal(name, other);
        assert_int_equal(a->dtype, b->dtype);
        assert_true(gb_shape_equal(&a->shape, &b->shape));
        assert_memory_equal(a->data, b->data, gb_tensor_bytes(a));
    }
    gb_tensors_destroy(read);
    gb_tensors_destroy(set);
}

static void empty_set(void **state)
{
    (void)state;
    gb_tensors *set = NULL, *read = NULL;
    assert_int_equal(gb_tensors_create(&set), GB_OK);
    assert_int_equal(gb_tensors_save(set, path, NULL), GB_OK);
    assert_int_equal(gb_tensors_load(path, &read), GB_OK);
    assert_int_equal(gb_tensors_count(read), 0);
    gb_tensors_destroy(read);
    gb_tensors_destroy(set);
}

static gb_status read_bytes(const unsigned char *data, size_t size, gb_tensors **out)
{
    FILE *file = fmemopen((void *)(uintptr_t)data, size ? size : 1, "rb");
    assert_non_null(file);
    gb_status status = gb_tensors_read(file, "memory", size, out);
    fclose(file);
    return status;
}

static void cut_at_every_byte_and_edited_at_every_byte(void **state)
{
    (void)state;
    gb_tensors *set = sample(), *read = NULL;
    gb_file_view view;
    save(set);
    assert_int_equal(gb_file_map(path, &view), GB_OK);
    for (size_t size = 0; size < view.size; size++) {
        assert_int_not_equal(read_bytes(view.data, size, &read), GB_OK);
        assert_null(read);
        assert_true(strncmp(gb_error_message(), "memory", 6) == 0);
    }
    unsigned char *copy = malloc(view.size);
    assert_non_null(copy);
    uint64_t header;
    memcpy(&header, view.data, sizeof header);
    for (size_t at = 0; at < view.size; at++) {
        memcpy(copy, view.data, view.size);
        copy[at] ^= 0x15;
        gb_status status = read_bytes(copy, view.size, &read);
        if (at >= 8 + header) /* any bit of the data */
            assert_int_equal(status, GB_ERR_CORRUPT);
        if (status == GB_OK)
            gb_tensors_destroy(read);
        read = NULL;
    }
    free(copy);
    gb_file_unmap(&view);
    gb_tensors_destroy(set);
}

static void expect_refused_(const char *header, size_t data, gb_status status, int line)
{
    unsigned char bytes[1024] = {0};
    uint64_t length = strlen(header);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, length);
    gb_tensors *read = NULL;
    gb_status got = read_bytes(bytes, 8 + length + data, &read);
    if (got != status)
        fail_msg("line %d: %s: %s", line, gb_status_name(got), gb_error_message());
    gb_tensors_destroy(read);
}
#define expect_refused(header, data, status) expect_refused_(header, data, status, __LINE__)

#define F32_AT(begin, end) "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[" begin "," end "]}"

static void headers_that_lie(void **state)
{
    (void)state;
    expect_refused("{\"a\":" F32_AT("0", "8") "}", 8, GB_OK);
    expect_refused("{\"a\":" F32_AT("0", "8") "}", 9, GB_ERR_CORRUPT);
    expect_refused("{\"a\":" F32_AT("0", "8") "}", 7, GB_ERR_CORRUPT);
    expect_refused("{\"a\":" F32_AT("0", "4") "}", 4, GB_ERR_SCHEMA);
    expect_refused("{\"a\":" F32_AT("8", "0") "}", 8, GB_ERR_CORRUPT);
    expect_refused("{\"a\":" F32_AT("-8", "0") "}", 8, GB_ERR_SCHEMA);
    expect_refused("{\"a\":" F32_AT("0", "8") ",\"b\":" F32_AT("4", "12") "}", 12, GB_ERR_CORRUPT);
    expect_refused("{\"a\":" F32_AT("0", "8") ",\"b\":" F32_AT("0", "8") "}", 8, GB_ERR_CORRUPT);
    expect_refused("{\"a\":" F32_AT("0", "8") ",\"b\":" F32_AT("16", "24") "}", 24, GB_ERR_CORRUPT);
    expect_refused("{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8,
                   GB_ERR_UNSUPPORTED);
    expect_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":"
                   "[0,0]}}",
                   0, GB_ERR_SCHEMA);
    expect_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0,
                   GB_ERR_SCHEMA);
    expect_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
                   GB_ERR_UNSUPPORTED);
    expect_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", 4,
                   GB_ERR_SCHEMA);
    expect_refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, GB_ERR_SCHEMA);
    expect_refused("{\"__metadata__\":{\"x\":3}}", 0, GB_ERR_SCHEMA);
    expect_refused("[]", 0, GB_ERR_SCHEMA);
    expect_refused("{", 0, GB_ERR_PARSE);
    unsigned char huge[16];
    memset(huge, 0xFF, sizeof huge);
    gb_tensors *read = NULL;
    assert_int_equal(read_bytes(huge, sizeof huge, &read), GB_ERR_PARSE);
    assert_int_equal(gb_tensors_load("/nowhere.safetensors", &read), GB_ERR_IO);
    assert_int_equal(gb_tensors_load("/tmp", &read), GB_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(empty_set),
        cmocka_unit_test(cut_at_every_byte_and_edited_at_every_byte),
        cmocka_unit_test(headers_that_lie),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
