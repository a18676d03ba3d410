/* CSV without a map: layouts found, dirt counted, every wrong file refused with a place. */
#include "ingest/guess.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static gb_status guess(const char *text,
                       size_t size,
                       gb_bad_cells bad_cells,
                       gb_ingest_report *report,
                       gb_dataset **out)
{
    gb_ingest_options options = gb_ingest_options_defaults();
    options.bad_cells = bad_cells;
    options.line_limit_bytes = 4096;
    memset(report, 0, sizeof *report);
    gb_rows rows;
    GB_TRY(gb_rows_open_memory(text, size, "memory.csv", options.line_limit_bytes, &rows,
                               &report->byte_order_mark));
    gb_status status = gb_guess_rows(&rows, &options, report, out);
    gb_rows_close(&rows);
    return status;
}

/* The one recording of a text that can be read. */
static gb_dataset *read_text(const char *text, gb_ingest_report *report)
{
    gb_dataset *dataset = NULL;
    gb_status status = guess(text, strlen(text), GB_BAD_CELLS_TOLERANT, report, &dataset);
    if (status != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_int_equal(gb_dataset_count(dataset), 1);
    assert_int_equal(report->rows_read, report->rows_stored + report->rows_rejected);
    return dataset;
}

static const gb_stream_view *stream_of(const gb_dataset *dataset, const char *name)
{
    const gb_recording *recording = gb_dataset_get(dataset, 0);
    int number = gb_recording_find(recording, name);
    if (number < 0)
        fail_msg("no stream %s", name);
    return gb_recording_stream(recording, number);
}

static void a_plain_file_is_read(void **state)
{
    (void)state;
    gb_ingest_report report;
    gb_dataset *dataset = read_text("date,load,note,temp\n"
                                    "2016-07-01 00:00:00,1.5,ok,20\n"
                                    "2016-07-01 01:00:00,-2.5e0,\"a, b\",21\n"
                                    "2016-07-01 02:00:00,NA,bad,22\n",
                                    &report);
    assert_int_equal(report.rows_stored, 3);
    assert_int_equal(report.cells_missing, 1);
    assert_int_equal(report.delimiter, ',');
    assert_true(report.header);
    assert_int_equal(report.time_format, GB_TIME_FORMAT_DATETIME);
    assert_string_equal(report.time_column, "date");
    assert_true(report.period_ns == 3600000000000LL && report.jitter_ns == 0);
    assert_int_equal(report.left_out_count, 1);
    assert_string_equal(report.left_out[0].name, "note");
    const gb_stream_view *load = stream_of(dataset, "load");
    assert_int_equal(load->count, 3);
    assert_true(load->values[1] == -2.5F && isnan(load->values[2]));
    assert_int_equal(load->quality[2], GB_QUALITY_MISSING);
    assert_true(load->time_ns[0] == 1467331200000000000LL);
    assert_ptr_equal(load->time_ns, stream_of(dataset, "temp")->time_ns);
    assert_string_equal(gb_recording_get_info(gb_dataset_get(dataset, 0))->name, "memory");
    gb_dataset_destroy(dataset);
}

static void european_files_are_read(void **state)
{
    (void)state;
    gb_ingest_report report;
    gb_dataset *dataset = read_text("\xEF\xBB\xBFZeit;Druck;Strom\r\n"
                                    "31.12.2019 23:59:59;1,5;2\r\n"
                                    "01.01.2020 00:00:00;2,25;3,5",
                                    &report);
    assert_true(report.byte_order_mark && report.decimal_comma);
    assert_int_equal(report.delimiter, ';');
    assert_int_equal(report.time_format, GB_TIME_FORMAT_DAY_FIRST);
    assert_true(stream_of(dataset, "Druck")->values[1] == 2.25F);
    assert_true(report.period_ns == 1000000000);
    gb_dataset_destroy(dataset);
}

static void other_layouts_are_found(void **state)
{
    (void)state;
    gb_ingest_report report;
    gb_dataset *dataset = read_text("1\t2\n3\t4\n", &report); /* no header */
    assert_false(report.header);
    assert_int_equal(report.delimiter, '\t');
    assert_int_equal(report.rows_stored, 2);
    assert_int_equal(report.time_format, GB_TIME_FORMAT_NONE);
    assert_true(stream_of(dataset, "column_2")->values[0] == 2);
    assert_true(stream_of(dataset, "column_2")->time_ns[1] == 1000000000);
    gb_dataset_destroy(dataset);

    dataset = read_text("a  b   c\n 1 2\t3 \n4  5 6\n", &report); /* runs of blanks */
    assert_int_equal(report.delimiter, ' ');
    assert_true(stream_of(dataset, "c")->values[0] == 3);
    gb_dataset_destroy(dataset);

    dataset = read_text("timestamp|x|x\n1467331200000|1|5\n1467331200500|2|6\n", &report);
    assert_int_equal(report.time_format, GB_TIME_FORMAT_EPOCH_MS);
    assert_true(report.period_ns == 500000000);
    assert_true(stream_of(dataset, "x_3")->values[1] == 6);
    gb_dataset_destroy(dataset);

    dataset = read_text("value\n1\n\n2\n3", &report); /* one column, a blank line */
    assert_int_equal(report.rows_stored, 3);
    gb_dataset_destroy(dataset);

    dataset = read_text("\"a \"\"b\"\"\",\"line\none\"\n\"1\",2\n\"3\",\"4\"\n", &report);
    assert_true(stream_of(dataset, "a \"b\"")->values[1] == 3);
    assert_true(stream_of(dataset, "line one")->values[1] == 4);
    gb_dataset_destroy(dataset);

    /* cp932: temperature and pressure in Japanese */
    dataset = read_text("\x89\xB7\x93\x78,\x88\xB3\x97\xCD\n1,2\n3,4\n", &report);
    (void)stream_of(dataset, "\xE6\xB8\xA9\xE5\xBA\xA6");
    assert_true(stream_of(dataset, "\xE5\x9C\xA7\xE5\x8A\x9B")->values[1] == 4);
    gb_dataset_destroy(dataset);
}

static void dirt_is_counted_and_kept_as_missing(void **state)
{
    (void)state;
    gb_ingest_report report;
    gb_dataset *dataset = read_text("time,a,b\n"
                                    "2020-01-01 00:00:00,1,1\n"
                                    "2020-01-01 00:00:10,oops,2\n"
                                    "2020-01-01 00:00:10,3\n"
                                    "2020-01-01 00:00:10,3,3\n"
                                    "2020-01-01 00:00:05,1e99,4\n"
                                    "yesterday,5,5\n"
                                    "2020-01-01 00:00:20,6,6\n"
                                    "2020-01-01 00:00:30,\"7\"x,7\n"
                                    "2020-01-01 00:00:30,8,8\n"
                                    "2020-01-01 00:00:40,9,9\n"
                                    "2020-01-01 00:00:50,10,10\n"
                                    "2020-01-01 00:01:00,11,11\n"
                                    "2020-01-01 00:01:10,12,12\n"
                                    "2020-01-01 00:01:20,13,13\n"
                                    "2020-01-01 00:01:30,14,14\n"
                                    "2020-01-01 00:01:40,15,15\n"
                                    "2020-01-01 00:01:50,16,16\n",
                                    &report);
    assert_int_equal(report.rows_read, 17);
    assert_int_equal(report.rows_rejected, 3);
    assert_int_equal(report.cells_bad, 2);
    assert_int_equal(report.time_repeated, 1);
    assert_int_equal(report.time_backwards, 1);
    assert_int_equal(report.example_count, 5);
    assert_int_equal(report.examples[0].row, 3);
    assert_int_equal(report.examples[0].column, 2);
    assert_string_equal(report.examples[0].name, "a");
    assert_string_equal(report.examples[0].text, "oops");
    assert_int_equal(report.examples[1].row, 4);
    const gb_stream_view *a = stream_of(dataset, "a");
    assert_int_equal(a->count, 14);
    assert_false(a->ordered);
    assert_int_equal(a->quality[1], GB_QUALITY_MISSING);
    assert_int_equal(stream_of(dataset, "b")->quality[2], GB_QUALITY_UNCERTAIN);
    assert_int_equal(stream_of(dataset, "b")->quality[3], GB_QUALITY_UNCERTAIN);
    gb_dataset_destroy(dataset);
}

typedef struct wrong_text {
    const char *text;
    size_t size; /* 0: up to the terminator */
    const char *message;
} wrong_text;

static void wrong_files_name_row_and_column(void **state)
{
    (void)state;
    const wrong_text cases[] = {
        {"", 0, "is empty"},
        {"\n\n \n", 0, "only blank lines"},
        {"a,b\n", 0, "a header and no rows"},
        {"t,a\n1,2\n3,x\n4,5\n6,7\n8,9\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n", 0,
         "row 3, column 2 (a): found \"x\", expected a number"},
        {"t,a\n1,2\n3\n4,5\n", 0, "row 3: 1 fields instead of 2"},
        {"date,a\n2020-01-01,2\n2020-01-02,2\n2020-01-03,2\n2020-01-04,2\nnever,5\n", 0,
         "row 6, column 1 (date): found \"never\", expected a date and time"},
        {"a,b\n1,\"2\n3,4\n", 0, "quote"},
        {"a,b\n1,2\n3,\0004\n5,6\n7,8\n", 22, "row 3, column 2 (b)"},
        {"\0\0\0\1\2\3binary\0\0\0\n\0\0", 18, "looks binary"},
        {"\xFF\xFE"
         "a\0b\0",
         6, "no rows below"},
        {"a,b\nx,y\nz,w\n", 0, "none of its 2 columns holds numbers"},
        {"a,b\n1,2,3\n4,5,6\n", 0, "the header has 2 names, the rows have 3 fields"},
        {"a\n1e999\n1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n", 0, "expected a number below 3.4e38"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gb_ingest_report report;
        gb_dataset *dataset = NULL;
        size_t size = cases[i].size ? cases[i].size : strlen(cases[i].text);
        gb_status status = guess(cases[i].text, size, GB_BAD_CELLS_STRICT, &report, &dataset);
        assert_int_equal(status, GB_ERR_PARSE);
        assert_null(dataset);
        assert_non_null(strstr(gb_error_message(), "memory.csv"));
        if (!strstr(gb_error_message(), cases[i].message))
            fail_msg("expected \"%s\" in: %s", cases[i].message, gb_error_message());
        assert_int_equal(report.rows_stored, 0);
        assert_int_equal(report.rows_read, report.rows_rejected);
    }
}

static void endless_lines_are_refused(void **state)
{
    (void)state;
    size_t size = (size_t)3 << 20;
    char *text = malloc(size);
    assert_non_null(text);
    gb_ingest_report report;
    gb_dataset *dataset = NULL;
    for (int variant = 0; variant < 3; variant++) {
        memset(text, variant == 1 ? ',' : '1', size);
        memcpy(text, "a,b\n1,2\n3,4\n", 12);
        if (variant == 2)
            text[12] = '"';
        assert_int_equal(guess(text, size, GB_BAD_CELLS_TOLERANT, &report, &dataset), GB_ERR_PARSE);
        if (!strstr(gb_error_message(), "row 4"))
            fail_msg("%s", gb_error_message());
    }
    free(text);
}

static void a_file_cut_anywhere_never_breaks(void **state)
{
    (void)state;
    static const char text[] = "\xEF\xBB\xBF\"date\",\"load \"\"1\"\"\",x\r\n"
                               "2016-07-01 00:00:00,\"1.5\",-9e-3\r\n"
                               "2016-07-01 00:15:00,2.5,\"\"\r\n"
                               "2016-07-01 00:30:00,\"3.5\",7\r\n";
    for (size_t cut = 0; cut < sizeof text; cut++) {
        char *copy = malloc(cut + 1); /* so that a sanitizer sees one byte too far */
        assert_non_null(copy);
        memcpy(copy, text, cut);
        for (int policy = GB_BAD_CELLS_STRICT; policy <= GB_BAD_CELLS_TOLERANT; policy++) {
            gb_ingest_report report;
            gb_dataset *dataset = NULL;
            gb_status status = guess(copy, cut, (gb_bad_cells)policy, &report, &dataset);
            assert_true((status == GB_OK) == (dataset != NULL));
            assert_int_equal(report.rows_read, report.rows_stored + report.rows_rejected);
            if (status != GB_OK)
                assert_true(strlen(gb_error_message()) > 10);
            gb_dataset_destroy(dataset);
        }
        free(copy);
    }
}

static void rows_span_pieces_of_the_buffer(void **state)
{
    (void)state;
    enum {
        ROWS = 60000
    };
    char *text = malloc((size_t)ROWS * 40), *at = text;
    assert_non_null(text);
    at += sprintf(at, "t,\"quoted\",x\n");
    for (int i = 0; i < ROWS; i++)
        at += sprintf(at, i % 3 ? "%d,\"%d\",%d.5\n" : "%d,%d,%d.5\r\n", i, i * 2, i);
    gb_ingest_report report;
    gb_dataset *dataset = NULL;
    assert_int_equal(guess(text, (size_t)(at - text), GB_BAD_CELLS_STRICT, &report, &dataset),
                     GB_OK);
    assert_int_equal(report.rows_stored, ROWS);
    assert_int_equal(report.bytes, at - text);
    const gb_stream_view *quoted = stream_of(dataset, "quoted"), *x = stream_of(dataset, "x");
    for (int i = 0; i < ROWS; i++)
        assert_true(quoted->values[i] == (float)(2 * i) && x->values[i] == (float)i + 0.5F &&
                    x->time_ns[i] == i * 1000000000LL);
    gb_dataset_destroy(dataset);
    free(text);
}

static void only_regular_files_are_opened(void **state)
{
    (void)state;
    gb_dataset *dataset = NULL;
    assert_int_equal(gb_ingest_csv_guess("/dev/zero", NULL, NULL, &dataset), GB_ERR_IO);
    assert_int_equal(gb_ingest_csv_guess("/tmp", NULL, NULL, &dataset), GB_ERR_IO);
    assert_non_null(strstr(gb_error_message(), "folder"));
    assert_int_equal(gb_ingest_csv_guess("/no/such.csv", NULL, NULL, &dataset), GB_ERR_IO);
    gb_ingest_options options = gb_ingest_options_defaults();
    options.period_s = -1;
    assert_int_equal(gb_ingest_csv_guess("/dev/zero", &options, NULL, &dataset), GB_ERR_ARGUMENT);
    assert_null(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_file_is_read),
        cmocka_unit_test(european_files_are_read),
        cmocka_unit_test(other_layouts_are_found),
        cmocka_unit_test(dirt_is_counted_and_kept_as_missing),
        cmocka_unit_test(wrong_files_name_row_and_column),
        cmocka_unit_test(endless_lines_are_refused),
        cmocka_unit_test(a_file_cut_anywhere_never_breaks),
        cmocka_unit_test(rows_span_pieces_of_the_buffer),
        cmocka_unit_test(only_regular_files_are_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
