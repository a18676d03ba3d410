/* Keys and encrypted files: what was written comes back, in any order, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "genba/store.h"
#include "record/memory_file.h"

enum {
    HEADER = 64,
    SEGMENT = 64 << 10,
    TAG = 16
};

static gb_key key_of(unsigned char first)
{
    gb_key key = {{first, 2, 3}};
    return key;
}

static unsigned char pattern(size_t at)
{
    return (unsigned char)(at * 131 + (at >> 8) * 7 + 1);
}

/* Writes size bytes of the pattern in pieces. */
static void write_pattern(memory_file *file, const gb_key *key, size_t size, size_t piece)
{
    gb_bytes_out *out = NULL;
    unsigned char *plain = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        plain[i] = pattern(i);
    assert_int_equal(gb_bytes_out_encrypted(memory_file_write(file), key, &out), GB_OK);
    for (size_t done = 0; done < size; done += piece) {
        size_t count = size - done < piece ? size - done : piece;
        assert_int_equal(out->write(out, plain + done, count), GB_OK);
    }
    assert_int_equal(out->close(out), GB_OK);
    assert_true(file->closed);
    free(plain);
}

static void read_range(gb_bytes_in *in, size_t at, size_t size)
{
    const unsigned char *data = NULL;
    assert_int_equal(in->read(in, at, size, &data), GB_OK);
    for (size_t i = 0; i < size; i++)
        if (data[i] != pattern(at + i))
            fail_msg("byte %zu differs", at + i);
}

/* Opens and reads all of it; GB_OK only when all is as written. */
static gb_status read_all(memory_file *file, const gb_key *key, size_t size)
{
    gb_bytes_in *in = NULL;
    gb_status status = gb_bytes_in_encrypted(memory_file_read(file), key, &in);
    if (status != GB_OK) {
        assert_null(in);
        return status;
    }
    const unsigned char *data = NULL;
    status = in->read(in, 0, (size_t)in->size, &data);
    if (status == GB_OK) {
        assert_int_equal(in->size, size);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(data[i], pattern(i));
    }
    in->close(in);
    return status;
}

/* ---- keys ---- */

static void test_key_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/genba_key_XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/plant.key", folder);
    gb_key key = {{0}}, again = {{0}};
    assert_int_equal(gb_key_load(path, &key), GB_ERR_IO);
    assert_int_equal(gb_key_create(path), GB_OK);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(info.st_size, 65);
    assert_int_equal(gb_key_load(path, &key), GB_OK);
    assert_int_equal(gb_key_create(path), GB_ERR_ARGUMENT);
    assert_int_equal(gb_key_load(path, &again), GB_OK);
    assert_memory_equal(&key, &again, sizeof key);
    chmod(path, 0640);
    assert_int_equal(gb_key_load(path, &again), GB_ERR_ARGUMENT);
    assert_non_null(strstr(gb_error_message(), "640"));

    static const char digits[] = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
    static const struct {
        int digits;
        const char *behind;
        gb_status due;
    } rows[] = {{64, "", GB_OK},
                {64, "\r\n", GB_OK},
                {63, "", GB_ERR_ARGUMENT},
                {62, "\n", GB_ERR_ARGUMENT},
                {0, "", GB_ERR_ARGUMENT},
                {64, "0", GB_ERR_ARGUMENT},
                {64, " x", GB_ERR_ARGUMENT},
                {64, "\n0011223344556677", GB_ERR_ARGUMENT},
                {63, "g", GB_ERR_ARGUMENT}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        char text[128];
        int size = snprintf(text, sizeof text, "%.*s%s", rows[r].digits, digits, rows[r].behind);
        assert_int_equal(gb_file_replace(path, text, (size_t)size), GB_OK);
        chmod(path, 0600);
        assert_int_equal(gb_key_load(path, &again), rows[r].due);
    }
    for (int i = 0; i < GB_KEY_BYTES; i++)
        assert_int_equal(again.bytes[i], i);
    assert_int_equal(gb_key_load(folder, &again), GB_ERR_ARGUMENT);
    unlink(path);
    rmdir(folder);
}

static void test_key_derive(void **state)
{
    (void)state;
    gb_key key = key_of(1), other = key_of(2), a, b, c, d;
    gb_key_derive(&key, "store", &a);
    gb_key_derive(&key, "store", &b);
    gb_key_derive(&key, "pseudonym", &c);
    gb_key_derive(&other, "store", &d);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_not_equal(&a, &c, sizeof a);
    assert_memory_not_equal(&a, &d, sizeof a);
    assert_memory_not_equal(&a, &key, sizeof a);
    gb_key_derive(&key, "store", &key);
    assert_memory_equal(&a, &key, sizeof a);
}

/* ---- what was written comes back ---- */

static void test_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {
        0, 1, 15, 16, 17, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 5 * SEGMENT + 777};
    static const size_t pieces[] = {1000, SEGMENT, 3 * SEGMENT + 5};
    gb_key key = key_of(1);
    memory_file file = {0};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
            write_pattern(&file, &key, sizes[s], pieces[p]);
            size_t segments = sizes[s] ? (sizes[s] + SEGMENT - 1) / SEGMENT : 1;
            assert_int_equal(file.size, HEADER + sizes[s] + segments * TAG);
            assert_int_equal(read_all(&file, &key, sizes[s]), GB_OK);
        }
    memory_file_free(&file);
}

static void test_any_order(void **state)
{
    (void)state;
    enum {
        SIZE = 7 * SEGMENT + 123
    };
    gb_key key = key_of(1);
    memory_file file = {0};
    write_pattern(&file, &key, SIZE, 10000);
    gb_bytes_in *in = NULL;
    assert_int_equal(gb_bytes_in_encrypted(memory_file_read(&file), &key, &in), GB_OK);
    assert_int_equal(in->size, SIZE);
    assert_false(in->stable);
    for (uint64_t i = 0; i < 300; i++) {
        size_t at = (size_t)gb_random_below(7, 0, i, SIZE);
        size_t most = i % 3 ? 5000 : SIZE;
        size_t size = (size_t)gb_random_below(7, 1, i, (SIZE - at < most ? SIZE - at : most) + 1);
        read_range(in, at, size);
    }
    assert_int_equal(file.most_read, SEGMENT + TAG); /* never more than what is touched */
    const unsigned char *data = NULL;
    assert_int_equal(in->read(in, SIZE, 1, &data), GB_ERR_CORRUPT);
    assert_int_equal(in->read(in, UINT64_MAX, 2, &data), GB_ERR_CORRUPT);
    assert_int_equal(in->read(in, 1, SIZE_MAX, &data), GB_ERR_CORRUPT);
    assert_null(data);
    read_range(in, SIZE, 0);
    in->close(in);
    memory_file_free(&file);
}

/* The same content twice is two different files. */
static void test_salted(void **state)
{
    (void)state;
    gb_key key = key_of(1);
    memory_file a = {0}, b = {0};
    write_pattern(&a, &key, 1000, 1000);
    write_pattern(&b, &key, 1000, 1000);
    assert_memory_not_equal(a.data + 16, b.data + 16, 32);
    assert_memory_not_equal(a.data + HEADER, b.data + HEADER, 1000);
    memory_file_free(&a);
    memory_file_free(&b);
}

/* ---- and nothing else does ---- */

static void test_every_byte(void **state)
{
    (void)state;
    enum {
        SIZE = 300
    };
    gb_key key = key_of(1);
    memory_file file = {0};
    write_pattern(&file, &key, SIZE, SIZE);
    for (size_t i = 0; i < file.size; i++)
        for (int bit = 0; bit < 8; bit++) {
            file.data[i] ^= (unsigned char)(1 << bit);
            assert_int_equal(read_all(&file, &key, SIZE), GB_ERR_CORRUPT);
            file.data[i] ^= (unsigned char)(1 << bit);
        }
    size_t whole = file.size;
    for (file.size = 0; file.size < whole; file.size++)
        assert_int_equal(read_all(&file, &key, SIZE), GB_ERR_CORRUPT);
    file.data = realloc(file.data, file.room = 2 * whole + SEGMENT + 64);
    memset(file.data + whole, 0, file.room - whole);
    for (size_t more = 1; more < 40; more++) {
        file.size = whole + more;
        assert_int_equal(read_all(&file, &key, SIZE), GB_ERR_CORRUPT);
    }
    file.size = file.room;
    assert_int_equal(read_all(&file, &key, SIZE), GB_ERR_CORRUPT);
    memory_file_free(&file);
}

/* Of files with several segments: cut between and within them, bytes here and there. */
static void test_segments(void **state)
{
    (void)state;
    enum {
        SIZE = 3 * SEGMENT + 100,
        STEP = SEGMENT + TAG
    };
    gb_key key = key_of(1);
    memory_file file = {0};
    write_pattern(&file, &key, SIZE, SIZE);
    size_t whole = file.size;
    for (size_t i = 0; i < whole; i += 997) {
        file.data[i] ^= 1;
        assert_int_equal(read_all(&file, &key, SIZE), GB_ERR_CORRUPT);
        file.data[i] ^= 1;
    }
    for (size_t i = 0; i < 4; i++)
        for (size_t d = 0; d < 40; d++) {
            file.size = HEADER + i * STEP + d;
            assert_int_equal(read_all(&file, &key, SIZE), GB_ERR_CORRUPT);
        }
    file.size = whole;
    unsigned char *kept = malloc(2 * STEP);
    for (size_t i = 0; i < 3; i++) /* swapped */
        for (size_t j = 0; j < i; j++) {
            unsigned char *a = file.data + HEADER + i * STEP, *b = file.data + HEADER + j * STEP;
            memcpy(kept, a, STEP);
            memcpy(kept + STEP, b, STEP);
            memcpy(a, kept + STEP, STEP);
            memcpy(b, kept, STEP);
            assert_int_equal(read_all(&file, &key, SIZE), GB_ERR_CORRUPT);
            memcpy(a, kept, STEP);
            memcpy(b, kept + STEP, STEP);
        }
    assert_int_equal(read_all(&file, &key, SIZE), GB_OK);
    /* a segment taken out of the middle */
    memmove(file.data + HEADER + STEP, file.data + HEADER + 2 * STEP, whole - HEADER - 2 * STEP);
    file.size = whole - STEP;
    assert_int_equal(read_all(&file, &key, SIZE), GB_ERR_CORRUPT);
    free(kept);
    memory_file_free(&file);
}

/* An edit is found when its segment is touched; the others can still be read. */
static void test_damage_is_local(void **state)
{
    (void)state;
    enum {
        SIZE = 3 * SEGMENT
    };
    gb_key key = key_of(1);
    memory_file file = {0};
    write_pattern(&file, &key, SIZE, SIZE);
    file.data[HEADER + SEGMENT + TAG + 5] ^= 4;
    gb_bytes_in *in = NULL;
    assert_int_equal(gb_bytes_in_encrypted(memory_file_read(&file), &key, &in), GB_OK);
    const unsigned char *data = NULL;
    for (int again = 0; again < 2; again++) {
        read_range(in, 0, SEGMENT);
        read_range(in, 2 * SEGMENT + 3, 50);
        assert_int_equal(in->read(in, SEGMENT + 1, 10, &data), GB_ERR_CORRUPT);
        assert_int_equal(in->read(in, SEGMENT - 1, 10, &data), GB_ERR_CORRUPT);
        assert_int_equal(in->read(in, 5, SIZE - 9, &data), GB_ERR_CORRUPT);
        assert_null(data);
    }
    in->close(in);
    memory_file_free(&file);
}

static void test_spliced(void **state)
{
    (void)state;
    enum {
        SIZE = 2 * SEGMENT + 100,
        STEP = SEGMENT + TAG
    };
    gb_key key = key_of(1);
    memory_file a = {0}, b = {0};
    write_pattern(&a, &key, SIZE, SIZE);
    write_pattern(&b, &key, SIZE, SIZE);
    unsigned char *kept = malloc(a.size);
    memcpy(kept, a.data, a.size);
    static const size_t cuts[][2] = {{0, HEADER},
                                     {HEADER, STEP},
                                     {HEADER + STEP, STEP},
                                     {HEADER + 2 * STEP, 100 + TAG},
                                     {HEADER, 2 * STEP + 100 + TAG}};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        memcpy(a.data + cuts[i][0], b.data + cuts[i][0], cuts[i][1]);
        assert_int_equal(read_all(&a, &key, SIZE), GB_ERR_CORRUPT);
        memcpy(a.data, kept, a.size);
    }
    assert_int_equal(read_all(&a, &key, SIZE), GB_OK);
    free(kept);
    memory_file_free(&a);
    memory_file_free(&b);
}

static void test_wrong_key(void **state)
{
    (void)state;
    gb_key key = key_of(1), other = key_of(2);
    memory_file file = {0};
    write_pattern(&file, &key, 100, 100);
    assert_int_equal(read_all(&file, &other, 100), GB_ERR_CORRUPT);
    assert_non_null(strstr(gb_error_message(), "this key does not open it"));
    memory_file_free(&file);
}

static void test_full_disk(void **state)
{
    (void)state;
    gb_key key = key_of(1);
    for (size_t limit = 1; limit < 3 * SEGMENT; limit += 9999) {
        memory_file file = {.limit = limit};
        gb_bytes_out *out = NULL;
        gb_status status = gb_bytes_out_encrypted(memory_file_write(&file), &key, &out);
        if (status == GB_OK) {
            unsigned char *plain = calloc(1, 3 * SEGMENT);
            status = out->write(out, plain, 3 * SEGMENT);
            free(plain);
            if (status != GB_OK) { /* it stays failed */
                assert_int_equal(out->write(out, "x", 1), status);
                out->abandon(out);
            } else {
                status = out->close(out);
            }
        }
        assert_int_equal(status, GB_ERR_IO);
        assert_true(file.abandoned && !file.closed);
        memory_file_free(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_files), cmocka_unit_test(test_key_derive),
        cmocka_unit_test(test_sizes),     cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_salted),    cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_segments),  cmocka_unit_test(test_damage_is_local),
        cmocka_unit_test(test_spliced),   cmocka_unit_test(test_wrong_key),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
