/* Parquet written here and read back: every type, lists of three depths, several row groups and
 * pages, dictionaries and what is too varied for one; and the runs that indices are packed in. */
#include "ingest/parquet_encoding.h"
#include "ingest/parquet_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATH "test_parquet_write.parquet"

#define assert_done(call)                                                                          \
    do {                                                                                           \
        if ((call) != GB_OK)                                                                       \
            fail_msg("%s", gb_error_message());                                                    \
    } while (0)

/* Sequences of every make: long runs, short runs, none, at every length, there and back. */
static void runs(void **state)
{
    (void)state;
    enum {
        MOST = 300
    };
    uint32_t values[MOST], found[MOST];
    for (int kind = 0; kind < 6; kind++)
        for (int width = 1; width <= 32; width += 1 + width / 3)
            for (int64_t count = 0; count <= MOST; count += 1 + count / 9) {
                gb_parquet_buffer to = {0};
                uint64_t most = (UINT64_C(1) << width) - 1;
                for (int64_t i = 0; i < count; i++)
                    values[i] = (uint32_t)(most & (kind == 0   ? (uint64_t)i * 2654435761u
                                                   : kind == 1 ? 1
                                                   : kind == 2 ? (uint64_t)(i / 9)
                                                   : kind == 3 ? (uint64_t)(i / 20 * 77)
                                                   : kind == 4 ? (uint64_t)(i % 13 == 0)
                                                               : UINT64_MAX));
                assert_done(gb_rle_write(&to, values, count, width));
                gb_rle rle;
                gb_rle_begin(&rle, to.data, to.size, width);
                assert_true(gb_rle_read(&rle, count, found));
                assert_memory_equal(found, values, (size_t)count * 4);
                if (kind == 1 && count > 8)
                    assert_true(to.size <= 9);
                free(to.data);
            }
}

enum {
    F32,
    I64,
    TRUTH,
    SMALL,
    WORD,
    VECTOR,
    PICTURE,
    TASKS,
    VARIED,
    FIELDS
};
static const gb_parquet_field fields[FIELDS] = {
    [F32] = {.name = "timestamp", .type = GB_VALUE_F32},
    [I64] = {.name = "index", .type = GB_VALUE_I64},
    [TRUTH] = {.name = "next.done", .type = GB_VALUE_U8, .is_bool = true},
    [SMALL] = {.name = "small", .type = GB_VALUE_I16},
    [WORD] = {.name = "word", .type = GB_VALUE_BYTES},
    [VECTOR] = {.name = "action", .type = GB_VALUE_F32, .lists = 1, .extent = {3}},
    [PICTURE] = {.name = "stats/camera/min", .type = GB_VALUE_F64, .lists = 3, .extent = {3, 2, 1}},
    [TASKS] = {.name = "tasks", .type = GB_VALUE_BYTES, .lists = 1},
    [VARIED] = {.name = "varied", .type = GB_VALUE_F64, .lists = 1},
};

#define ROWS 40000

static void put_row(gb_parquet_writer *w, int64_t row)
{
    float time = (float)row / 30, vector[3] = {(float)row, (float)(row % 5), -1};
    uint8_t truth = row % 7 == 0;
    int16_t small = (int16_t)(row % 1000 - 500);
    double picture[6], varied[20];
    char word[32];
    const char *text = word, *tasks[3] = {"pick", word, ""};
    snprintf(word, sizeof word, "word %d", (int)(row % 100));
    for (int i = 0; i < 6; i++)
        picture[i] = (double)(row * 6 + i);
    for (int i = 0; i < 20; i++)
        varied[i] = (double)row + i / 32.0;
    assert_done(gb_parquet_put(w, F32, &time, 1));
    assert_done(gb_parquet_put(w, I64, &row, 1));
    assert_done(gb_parquet_put(w, TRUTH, &truth, 1));
    assert_done(gb_parquet_put(w, SMALL, &small, 1));
    assert_done(gb_parquet_put_texts(w, WORD, &text, NULL, 1));
    assert_done(gb_parquet_put(w, VECTOR, vector, 1));
    assert_done(gb_parquet_put(w, PICTURE, picture, 1));
    assert_done(gb_parquet_put_texts(w, TASKS, tasks, NULL, row % 4));
    assert_done(gb_parquet_put_list(w, VARIED, varied, row % 21));
}

static void check_row(const gb_parquet_batch *b, int64_t in_batch, int64_t row)
{
    int64_t at = b[VECTOR].row_start[in_batch];
    float number = 0;
    int64_t whole = 0;
    double wide = 0;
    char word[32];
    memcpy(&number, b[F32].values + 4 * in_batch, 4);
    assert_true(number == (float)row / 30);
    memcpy(&whole, b[I64].values + 8 * in_batch, 8);
    assert_int_equal(whole, row);
    assert_int_equal(b[TRUTH].values[in_batch], row % 7 == 0);
    int32_t narrow = 0;
    memcpy(&narrow, b[SMALL].values + 4 * in_batch, 4);
    assert_int_equal(narrow, row % 1000 - 500);
    memcpy(&number, b[VECTOR].values + 4 * (at + 1), 4);
    assert_true(number == (float)(row % 5));
    assert_int_equal(b[VECTOR].row_start[in_batch + 1] - at, 3);
    at = b[PICTURE].row_start[in_batch];
    assert_int_equal(b[PICTURE].row_start[in_batch + 1] - at, 6);
    memcpy(&wide, b[PICTURE].values + 8 * (at + 5), 8);
    assert_true(wide == (double)(row * 6 + 5));
    at = b[TASKS].row_start[in_batch];
    assert_int_equal(b[TASKS].row_start[in_batch + 1] - at, row % 4);
    snprintf(word, sizeof word, "word %d", (int)(row % 100));
    if (row % 4 > 1)
        assert_memory_equal(b[TASKS].bytes + b[TASKS].offset[at + 1], word, strlen(word));
    assert_memory_equal(b[WORD].bytes + b[WORD].offset[in_batch], word, strlen(word));
    at = b[VARIED].row_start[in_batch];
    assert_int_equal(b[VARIED].row_start[in_batch + 1] - at, row % 21);
    if (row % 21 > 0) {
        memcpy(&wide, b[VARIED].values + 8 * (b[VARIED].row_start[in_batch + 1] - 1), 8);
        assert_true(wide == (double)row + (double)(row % 21 - 1) / 32);
    }
}

static void check_group(const gb_parquet *file, int group, int64_t *row)
{
    gb_parquet_batch batches[FIELDS] = {{0}};
    gb_parquet_cursor *cursors[FIELDS];
    for (int f = 0; f < FIELDS; f++)
        assert_done(gb_parquet_cursor_open(file, group, f, &cursors[f]));
    for (int64_t left = file->groups[group].rows; left > 0;) {
        int64_t take = left < 777 ? left : 777;
        for (int f = 0; f < FIELDS; f++)
            assert_done(gb_parquet_read(cursors[f], take, &batches[f]));
        for (int64_t r = 0; r < take; r++)
            check_row(batches, r, (*row)++);
        left -= take;
    }
    for (int f = 0; f < FIELDS; f++) {
        assert_done(gb_parquet_cursor_end(cursors[f]));
        gb_parquet_cursor_close(cursors[f]);
        gb_parquet_batch_free(&batches[f]);
    }
}

static void there_and_back(void **state)
{
    (void)state;
    gb_bytes_out *to = NULL;
    gb_parquet_writer *w = NULL;
    gb_parquet *file = NULL;
    const gb_pair pairs[] = {{"huggingface", "{\"info\": {}}"}};
    assert_done(gb_bytes_out_file(PATH, &to));
    assert_done(gb_parquet_writer_create(to, fields, FIELDS, pairs, 1, &w));
    for (int64_t row = 0; row < ROWS; row++) {
        put_row(w, row);
        if (row == 0 || row == 99 || row == 5000)
            assert_done(gb_parquet_writer_group(w));
    }
    assert_done(gb_parquet_writer_finish(w));
    assert_done(gb_parquet_open_file(PATH, &file));
    assert_int_equal(file->rows, ROWS);
    assert_int_equal(file->group_count, 4);
    assert_string_equal(gb_pair_find(file->pairs, file->pair_count, "huggingface"), pairs[0].value);
    assert_string_equal(file->columns[PICTURE].path,
                        "stats/camera/min.list.element.list.element.list.element");
    assert_string_equal(file->columns[PICTURE].name, "stats/camera/min");
    assert_int_equal(gb_parquet_value_type(&file->columns[SMALL]), GB_VALUE_I16);
    int64_t row = 0;
    for (int g = 0; g < file->group_count; g++)
        check_group(file, g, &row);
    assert_int_equal(row, ROWS);
    gb_parquet_close(file);
    remove(PATH);
}

static void rows_that_do_not_fit(void **state)
{
    (void)state;
    gb_bytes_out *to = NULL;
    gb_parquet_writer *w = NULL;
    int64_t number = 1;
    assert_done(gb_bytes_out_file(PATH, &to));
    assert_done(gb_parquet_writer_create(to, fields, FIELDS, NULL, 0, &w));
    assert_done(gb_parquet_put(w, I64, &number, 1));
    assert_int_equal(gb_parquet_writer_finish(w), GB_ERR_SHAPE);
    assert_false(gb_file_exists(PATH));
}

static void nothing_in_it(void **state)
{
    (void)state;
    gb_bytes_out *to = NULL;
    gb_parquet_writer *w = NULL;
    gb_parquet *file = NULL;
    assert_done(gb_bytes_out_file(PATH, &to));
    assert_done(gb_parquet_writer_create(to, fields, FIELDS, NULL, 0, &w));
    assert_done(gb_parquet_writer_finish(w));
    assert_done(gb_parquet_open_file(PATH, &file));
    assert_int_equal(file->rows, 0);
    assert_int_equal(file->column_count, FIELDS);
    gb_parquet_close(file);
    remove(PATH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(rows_that_do_not_fit),
        cmocka_unit_test(nothing_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
