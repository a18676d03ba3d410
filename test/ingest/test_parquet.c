/* Parquet files written by pyarrow (test/golden/parquet/make.py): every value of every column by
 * its formula, in each encoding, compression and page version; damaged files. */
#include "ingest/parquet.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS 120
#define GOLDEN GENBA_SOURCE_DIR "/test/golden/parquet/"

#define assert_done(call)                                                                          \
    do {                                                                                           \
        if ((call) != GB_OK)                                                                       \
            fail_msg("%s", gb_error_message());                                                    \
    } while (0)

/* One column of a whole file, row by row, as the tests want to look at it. */
typedef struct column {
    const gb_parquet_column *about;
    int64_t row;
    int64_t items;          /* of this row */
    const uint8_t *present; /* [items] */
    gb_value_type type;
    const char *values; /* [items], converted */
    const gb_parquet_batch *batch;
    int64_t first; /* entry of the row's first item */
} column;

typedef void (*check_fn)(const column *c);

static double number(const column *c, int64_t item)
{
    const char *at = c->values + (size_t)item * gb_value_type_bytes(c->type);
    switch (c->type) {
    case GB_VALUE_F32:
        return *(const float *)(const void *)at;
    case GB_VALUE_F64:
        return *(const double *)(const void *)at;
    case GB_VALUE_U8:
        return *(const uint8_t *)at;
    case GB_VALUE_I16:
        return *(const int16_t *)(const void *)at;
    case GB_VALUE_I32:
        return *(const int32_t *)(const void *)at;
    case GB_VALUE_I64:
        return (double)*(const int64_t *)(const void *)at;
    default:
        fail_msg("type %d", (int)c->type);
        return 0;
    }
}

static void one(const column *c, gb_value_type type, double value)
{
    assert_int_equal(c->items, 1);
    assert_int_equal(c->present[0], 1);
    assert_int_equal(c->type, type);
    assert_true(number(c, 0) == value);
}

static void text(const column *c, const char *expected)
{
    const gb_parquet_batch *b = c->batch;
    size_t width = c->about->width, size = strlen(expected);
    const unsigned char *data =
        width ? b->values + (size_t)c->first * width : b->bytes + b->offset[c->first];
    assert_int_equal(c->items, 1);
    assert_int_equal(width ? width : (size_t)(b->offset[c->first + 1] - b->offset[c->first]), size);
    assert_memory_equal(data, expected, size);
}

static void check_i32(const column *c)
{
    one(c, GB_VALUE_I32, (double)(c->row * 7 - 300));
}
static void check_i64(const column *c)
{
    one(c, GB_VALUE_I64, (double)(c->row * c->row * 1000003));
}
static void check_u8(const column *c)
{
    one(c, GB_VALUE_U8, (double)(c->row % 256));
}
static void check_f32(const column *c)
{
    one(c, GB_VALUE_F32, (double)c->row * 0.25 - 3);
}
static void check_f64(const column *c)
{
    one(c, GB_VALUE_F64, (double)c->row / 7);
}
static void check_half(const column *c)
{
    one(c, GB_VALUE_F32, (double)c->row * 0.5);
}
static void check_bool(const column *c)
{
    one(c, GB_VALUE_U8, c->row % 3 == 0);
}
static void check_word(const column *c)
{
    char expected[32];
    snprintf(expected, sizeof expected, "row-%d", (int)(c->row % 17));
    text(c, expected);
    assert_int_equal(c->about->meaning, GB_PARQUET_TEXT);
}
static void check_path(const column *c)
{
    char expected[32];
    snprintf(expected, sizeof expected, "value/%03d/%05d", (int)c->row / 10, (int)c->row);
    text(c, expected);
}
static void check_fixed(const column *c)
{
    const unsigned char expected[5] = {(unsigned char)c->row, 1, 2, 3, 0};
    assert_int_equal(c->about->width, 5);
    assert_memory_equal(c->batch->values + 5 * c->first, expected, 5);
}
static void check_sparse(const column *c)
{
    assert_int_equal(c->present[0], c->row % 5 != 0);
    assert_true(number(c, 0) == (double)(c->row % 5 == 0 ? 0 : c->row));
}
static void check_words(const column *c)
{
    assert_int_equal(c->present[0], c->row % 7 != 0);
    text(c, c->row % 7 == 0 ? "" : "xxx" + 3 - c->row % 4);
}
static void check_triple(const column *c)
{
    assert_int_equal(c->items, 3);
    for (int64_t i = 0; i < 3; i++)
        assert_true(number(c, i) == (double)(c->row + i));
}
static void check_ragged(const column *c)
{
    assert_int_equal(c->items, c->row % 11 == 0 ? 0 : c->row % 4);
    for (int64_t i = 0; i < c->items; i++) {
        assert_int_equal(c->present[i], i != 2);
        assert_true(number(c, i) == (double)(i == 2 ? 0 : c->row + i));
    }
}
static void check_matrix(const column *c)
{
    assert_int_equal(c->items, 2);
    assert_true(number(c, 0) == (double)c->row && number(c, 1) == (double)c->row + 1);
}
static void check_record_a(const column *c)
{
    one(c, GB_VALUE_I16, (double)c->row);
}
static void check_record_b(const column *c)
{
    char expected[32];
    snprintf(expected, sizeof expected, "b%d", (int)c->row);
    text(c, expected);
}
static void check_time(const column *c)
{
    one(c, GB_VALUE_I64, (double)c->row * 1.5e9);
}
static void check_day(const column *c) /* 2020-01-01 is day 18262 */
{
    one(c, GB_VALUE_I64, (double)((18262 + c->row) * 86400 * INT64_C(1000000000)));
}
static void check_price(const column *c)
{
    one(c, GB_VALUE_F64, (double)c->row / 100);
}

static const struct {
    const char *name;
    check_fn check;
} checks[] = {
    {"i32", check_i32},           {"i64", check_i64},           {"u8", check_u8},
    {"f32", check_f32},           {"f64", check_f64},           {"half", check_half},
    {"bool", check_bool},         {"word", check_word},         {"path", check_path},
    {"fixed", check_fixed},       {"sparse", check_sparse},     {"words", check_words},
    {"triple", check_triple},     {"ragged", check_ragged},     {"matrix", check_matrix},
    {"record.a", check_record_a}, {"record.b", check_record_b}, {"time", check_time},
    {"day", check_day},           {"price", check_price},
};

/* Reads a column in batches of `step` rows and hands each row to `check`. */
static gb_status
read_column(const gb_parquet *file, int number_of, int64_t step, check_fn check, int64_t *out_rows)
{
    const gb_parquet_column *about = &file->columns[number_of];
    gb_parquet_batch batch = {0};
    gb_status status = GB_OK;
    void *values = NULL;
    *out_rows = 0;
    for (int g = 0; g < file->group_count && status == GB_OK; g++) {
        gb_parquet_cursor *cursor = NULL;
        status = gb_parquet_cursor_open(file, g, number_of, &cursor);
        int64_t left = file->groups[g].rows;
        while (left > 0 && status == GB_OK) {
            int64_t take = left < step ? left : step;
            status = gb_parquet_read(cursor, take, &batch);
            if (status != GB_OK)
                break;
            column c = {.about = about, .type = gb_parquet_value_type(about), .batch = &batch};
            size_t bytes = gb_value_type_bytes(c.type);
            free(values);
            values = malloc((size_t)batch.entries * bytes + 1);
            if (bytes > 0)
                status = gb_parquet_convert(file, about, &batch, values);
            for (int64_t r = 0; r < take && status == GB_OK; r++, (*out_rows)++) {
                c.row = *out_rows;
                c.first = batch.row_start[r];
                c.items = batch.row_start[r + 1] - c.first;
                c.present = batch.present + c.first;
                c.values = (const char *)values + (size_t)c.first * bytes;
                if (check)
                    check(&c);
            }
            left -= take;
        }
        if (status == GB_OK)
            status = gb_parquet_cursor_end(cursor);
        gb_parquet_cursor_close(cursor);
    }
    free(values);
    gb_parquet_batch_free(&batch);
    return status;
}

static void check_file(const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, GOLDEN "%s.parquet", name);
    gb_parquet *file = NULL;
    assert_done(gb_parquet_open_file(path, &file));
    assert_int_equal(file->rows, ROWS);
    assert_int_equal(file->column_count, sizeof checks / sizeof *checks);
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        int number_of = gb_parquet_find(file, checks[i].name);
        int64_t rows = 0;
        if (number_of < 0)
            fail_msg("%s has no column %s", name, checks[i].name);
        static const int64_t steps[] = {1, 7, 1000};
        for (int s = 0; s < 3; s++) {
            if (read_column(file, number_of, steps[s], checks[i].check, &rows) != GB_OK)
                fail_msg("%s: %s", checks[i].name, gb_error_message());
            assert_int_equal(rows, ROWS);
        }
    }
    gb_parquet_close(file);
}

static void dictionaries_and_snappy(void **state)
{
    (void)state;
    check_file("v1_snappy");
}
static void second_pages_and_zstd(void **state)
{
    (void)state;
    check_file("v2_zstd");
}
static void plain(void **state)
{
    (void)state;
    check_file("v1_plain");
}
static void gzip(void **state)
{
    (void)state;
    check_file("v1_gzip");
}
static void lz4(void **state)
{
    (void)state;
    check_file("v2_lz4");
}
static void differences_and_splits(void **state)
{
    (void)state;
    check_file("delta");
}
static void old_types(void **state)
{
    (void)state;
    gb_parquet *file = NULL;
    check_file("old");
    assert_done(gb_parquet_open_file(GOLDEN "old.parquet", &file));
    assert_int_equal(file->columns[gb_parquet_find(file, "time")].type, GB_PARQUET_INT96);
    assert_int_equal(file->columns[gb_parquet_find(file, "price")].type, GB_PARQUET_INT32);
    gb_parquet_close(file);
}

/* ---- damage -----------------------------------------------------------------------------------
 */

/* Everything of the small file that has a value, added up; a status as reading says. */
static gb_status read_all(const unsigned char *data, size_t size, double *out_sum)
{
    gb_bytes_in *from = NULL;
    gb_parquet *file = NULL;
    double sum = 0;
    assert_done(gb_bytes_in_memory(data, size, "small.parquet", &from));
    GB_TRY(gb_parquet_open(from, &file));
    gb_status status = GB_OK;
    for (int g = 0; g < file->group_count && status == GB_OK; g++)
        for (int c = 0; c < file->column_count && status == GB_OK; c++) {
            gb_parquet_cursor *cursor = NULL;
            gb_parquet_batch batch = {0};
            status = gb_parquet_cursor_open(file, g, c, &cursor);
            if (status == GB_OK)
                status = gb_parquet_read(cursor, file->groups[g].rows, &batch);
            if (status == GB_OK)
                status = gb_parquet_cursor_end(cursor);
            for (size_t i = 0;
                 status == GB_OK && i < (size_t)batch.entries * file->columns[c].width; i++)
                sum += (double)batch.values[i] * (double)(i % 1000 + 1);
            gb_parquet_cursor_close(cursor);
            gb_parquet_batch_free(&batch);
        }
    gb_parquet_close(file);
    *out_sum = sum;
    return status;
}

/* A message, and no leak or crash (the sanitizers watch). Every page has a checksum, the footer has
 * none: a flip there may pass unseen, but only where it changes no value. */
static void cut_and_flipped(void **state)
{
    (void)state;
    gb_file_view view;
    double sum = 0, found = 0;
    assert_done(gb_file_map(GOLDEN "small.parquet", &view));
    assert_done(read_all(view.data, view.size, &sum));
    assert_true(sum > 0);
    unsigned char *copy = malloc(view.size);
    assert_non_null(copy);
    for (size_t size = 0; size < view.size; size++) {
        memcpy(copy, view.data, size);
        assert_int_not_equal(read_all(copy, size, &found), GB_OK);
        assert_true(gb_error_message()[0] != 0);
    }
    memcpy(copy, view.data, view.size);
    uint32_t footer = 0;
    memcpy(&footer, view.data + view.size - 8, 4);
    size_t data_end = view.size - 8 - footer, unseen = 0;
    for (size_t i = 0; i < view.size; i++)
        for (int bit = 0; bit < 9; bit++) {
            unsigned flip = bit == 8 ? 0xffu : 1u << bit;
            copy[i] = (unsigned char)((view.data[i] ^ flip) & 0xffu);
            gb_status status = read_all(copy, view.size, &found);
            if (status == GB_OK && i < data_end && found != sum)
                fail_msg("byte %zu, bit %d: wrong values and no error", i, bit);
            unseen += status == GB_OK;
            copy[i] = view.data[i];
        }
    print_message("%zu of %zu flips change nothing that is read\n", unseen, 9 * view.size);
    free(copy);
    gb_file_unmap(&view);
}

static void no_parquet(void **state)
{
    (void)state;
    gb_parquet *file = NULL;
    assert_int_equal(gb_parquet_open_file(GOLDEN "make.py", &file), GB_ERR_PARSE);
    assert_int_equal(gb_parquet_open_file(GOLDEN "absent", &file), GB_ERR_IO);
    assert_null(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dictionaries_and_snappy),
        cmocka_unit_test(second_pages_and_zstd),
        cmocka_unit_test(plain),
        cmocka_unit_test(gzip),
        cmocka_unit_test(lz4),
        cmocka_unit_test(differences_and_splits),
        cmocka_unit_test(old_types),
        cmocka_unit_test(cut_and_flipped),
        cmocka_unit_test(no_parquet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
