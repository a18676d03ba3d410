/* Tables as streams of blocks: the same whatever the threads, the segments and where reading was
 * taken up again; types, words, groups, rejects and drift as the map says. */
#include "ingest/csv.h"

#include "capture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static gb_stream_map *map_of(const char *rest)
{
    char text[4096];
    gb_stream_map *map = NULL;
    snprintf(text, sizeof text, "name: t\nreader: csv\nfiles: ['*']\n%s", rest);
    if (gb_stream_map_parse(text, strlen(text), "test.yaml", &map) != GB_OK)
        fail_msg("%s", gb_error_message());
    return map;
}

/* What a reading told its watch. */
typedef struct told {
    char rejects[8192], drift[2048];
    int reject_count, segments;
    int64_t segment_to;
    char state[65536];
    size_t state_size;
    int64_t stop_at; /* interrupt from this byte on; 0: never */
} told;

static gb_status on_reject(void *context,
                           const char *file,
                           int64_t row,
                           const char *column,
                           const char *reason,
                           const char *text,
                           size_t size)
{
    told *t = context;
    size_t used = strlen(t->rejects);
    (void)file;
    t->reject_count++;
    snprintf(t->rejects + used, sizeof t->rejects - used, "%lld|%s|%s|%.*s\n", (long long)row,
             column, reason, (int)size, text);
    return GB_OK;
}

static gb_status on_drift(void *context, const char *file, const char *message)
{
    told *t = context;
    size_t used = strlen(t->drift);
    (void)file;
    snprintf(t->drift + used, sizeof t->drift - used, "%s\n", message);
    return GB_OK;
}

static gb_status on_progress(void *context, int64_t done, int64_t all)
{
    told *t = context;
    assert_true(done <= all);
    if (t->stop_at > 0 && done >= t->stop_at)
        return gb_fail(GB_ERR_INTERRUPTED, "enough");
    return GB_OK;
}

static gb_status on_segment(void *context, int64_t source_to, const void *state, size_t size)
{
    told *t = context;
    assert_true(size < sizeof t->state);
    t->segments++;
    t->segment_to = source_to;
    t->state_size = size;
    memcpy(t->state, state, size);
    return GB_OK;
}

typedef struct job {
    const gb_stream_map *map;
    const char *text;
    size_t size;
    gb_ingest_options options;
    gb_ingest_report report;
    told told;
    capture *out;
    int64_t resume_at; /* with told.state */
} job;

static gb_status read_job(job *j)
{
    gb_input input;
    gb_rows rows;
    bool mark;
    char state[65536];
    gb_ingest_watch watch = {&j->told, on_reject, on_drift, on_progress, on_segment};
    GB_TRY(gb_input_open_memory(j->text, j->size, "f.csv", j->map->data->csv.encoding, &input));
    GB_TRY(gb_rows_open_input(&input, j->options.line_limit_bytes, &rows, &mark));
    memcpy(state, j->told.state, j->told.state_size);
    gb_source source = {.map = j->map,
                        .path = "f.csv",
                        .name = "f",
                        .options = &j->options,
                        .report = &j->report,
                        .watch = &watch,
                        .sink = &j->out->sink,
                        .resume_at = j->resume_at,
                        .resume_state = state,
                        .resume_state_size = j->told.state_size};
    gb_status status = gb_csv_read_mapped(&source, &rows);
    gb_rows_close(&rows);
    assert_int_equal(j->report.rows_read, j->report.rows_stored + j->report.rows_rejected);
    return status;
}

static job job_of(const gb_stream_map *map, const char *text, size_t size)
{
    job j = {.map = map, .text = text, .size = size, .options = gb_ingest_options_defaults()};
    j.out = capture_create();
    return j;
}

/* Reads a short text; the caller destroys the capture. */
static gb_status read_short(const char *map_text, const char *text, job *out)
{
    gb_stream_map *map = map_of(map_text);
    *out = job_of(map, text, strlen(text));
    gb_status status = read_job(out);
    gb_stream_map_destroy(map);
    return status;
}

static void expect_text(const job *j, const char *name, const char *stream, const char *expected)
{
    char *text = capture_text(j->out, name, stream);
    assert_string_equal(text, expected);
    free(text);
}

/* ---- what cells become ------------------------------------------------------------------------
 */

static void cells_become_what_the_map_says(void **state)
{
    (void)state;
    job j;
    gb_status status = read_short("time: {column: t, format: seconds}\n"
                                  "csv: {missing: [--], encoding: utf-8}\n"
                                  "streams:\n"
                                  "  - {name: d, columns: [d]}\n"
                                  "  - {name: v, columns: [i, d], value_type: f32}\n"
                                  "  - {name: i, columns: [i], value_type: i8}\n"
                                  "  - {name: mode, columns: [m], categories: [idle, run]}\n"
                                  "  - {name: note, columns: [n], kind: text}\n"
                                  "  - {name: alarm, columns: [a], kind: event}\n",
                                  "t,d,i,m,n,a\n"
                                  "0,0.1,1,idle,plain,E1\n"
                                  "1,-12.375,-128,run,\"a \"\"b\"\", c\",\n"
                                  "2,1e300,128,stop,,E2\n"
                                  "3,,1.0,,--,E3\n"
                                  "4,err,1.5,run,\xE6\xB8\xA9,E4\n"
                                  "5,12345678901234567890.5,0,--,\xFF,E5\n",
                                  &j);
    if (status != GB_OK)
        fail_msg("%s", gb_error_message());
    expect_text(&j, "f", "d",
                "0 0.10000000000000001, 0 none\n1000000000 -12.375, 0 none\n"
                "2000000000 1.0000000000000001e+300, 0 none\n3000000000 nan, 3 absent\n"
                "4000000000 nan, 3 not_a_value\n5000000000 1.2345678901234567e+19, 0 none\n");
    expect_text(&j, "f", "v",
                "0 1,0.10000000149011612, 0 none\n1000000000 -128,-12.375, 0 none\n"
                "2000000000 128,nan, 3 not_a_value\n3000000000 1,nan, 3 absent\n"
                "4000000000 1.5,nan, 3 not_a_value\n5000000000 0,1.2345679395506094e+19, 0 none\n");
    expect_text(&j, "f", "i",
                "0 1, 0 none\n1000000000 -128, 0 none\n2000000000 0, 3 not_a_value\n"
                "3000000000 1, 0 none\n4000000000 0, 3 not_a_value\n5000000000 0, 0 none\n");
    expect_text(&j, "f", "mode",
                "0 0, 0 none\n1000000000 1, 0 none\n2000000000 0, 3 not_a_value\n"
                "3000000000 0, 3 absent\n4000000000 1, 0 none\n5000000000 0, 3 absent\n");
    expect_text(&j, "f", "note",
                "0 plain 0 none\n1000000000 a \"b\", c 0 none\n2000000000  3 absent\n"
                "3000000000  3 absent\n4000000000 \xE6\xB8\xA9 0 none\n"
                "5000000000  3 not_a_value\n");
    expect_text(&j, "f", "alarm",
                "0 E1 0 none\n1000000000  3 absent\n2000000000 E2 0 none\n3000000000 E3 0 none\n"
                "4000000000 E4 0 none\n5000000000 E5 0 none\n");
    assert_int_equal(j.report.cells_bad, 7);
    assert_int_equal(j.report.rows_stored, 6);
    assert_non_null(strstr(j.told.rejects, "6|d|expected a number|err\n"));
    assert_non_null(strstr(j.told.rejects, "4|i|expected a whole number from -128 to 127|128\n"));
    capture_destroy(&j.out->sink);
}

static void rejected_rows_are_kept_whole(void **state)
{
    (void)state;
    job j;
    assert_int_equal(read_short("time: {column: t, format: datetime}\nstreams: [{name: a, columns: "
                                "[a]}]\n",
                                "t,a\n2020-01-01,1\nnever,2\n2020-01-02,3,4\n2020-01-03,\"5\"x\n"
                                "2020-01-04,6\n",
                                &j),
                     GB_OK);
    assert_string_equal(j.told.rejects,
                        "3|t|expected a date and time like 2016-07-01 00:15:00|never,2\n"
                        "4||expected as many fields in every row, found 3 fields instead of 2|"
                        "2020-01-02,3,4\n"
                        "5||expected a delimiter behind a closing quote|2020-01-03,\"5\"x\n");
    assert_int_equal(j.report.rows_rejected, 3);
    capture_destroy(&j.out->sink);
}

static void drift_is_said_and_the_rest_is_read(void **state)
{
    (void)state;
    job j;
    const char map[] = "csv: {extra_columns: report, ignored: [id]}\n"
                       "streams:\n"
                       "  - {name: p, columns: [pressure]}\n"
                       "  - {name: t, columns: ['temp [degC]']}\n"
                       "  - {name: v, columns: [voltage]}\n";
    const char text[] = "id,presure,temp [degF],voltage,more\n1,2,3,4,5\n6,7,8,9,10\n";
    assert_int_equal(read_short(map, text, &j), GB_OK);
    assert_non_null(strstr(j.told.drift, "column pressure of stream p is missing; did you mean "
                                         "\"presure\"?"));
    assert_non_null(strstr(j.told.drift, "is called temp [degF] now: another unit?"));
    assert_non_null(strstr(j.told.drift, "more, is not in the map"));
    assert_null(strstr(j.told.drift, "id, is not"));
    assert_int_equal(j.out->recordings[0].streams, 1);
    expect_text(&j, "f", "v", "0 4, 0 none\n1000000000 9, 0 none\n");
    capture_destroy(&j.out->sink);
    char strict[512];
    snprintf(strict, sizeof strict, "%s", map);
    memcpy(strstr(strict, "extra_columns: report"), "bad_cells: strict    ", 21);
    assert_int_equal(read_short(strict, text, &j), GB_ERR_NOT_FOUND);
    capture_destroy(&j.out->sink);
}

static void fixed_widths_are_counted_in_characters(void **state)
{
    (void)state;
    job j;
    gb_status status = read_short("csv: {widths: [6, 4, 5], skip_rows: 2, header: present}\n"
                                  "streams: [{name: n, columns: [name], kind: text},\n"
                                  "          {name: a, columns: [a]}, {name: b, columns: [b]}]\n",
                                  "made by \"x\nline 2\n"
                                  "name  a   b\n"
                                  "\xE6\xB8\xA9\xE5\xBA\xA6    1.5  20\n"
                                  "\"q\"   2\n"
                                  "abcdef3   4    too much\n",
                                  &j);
    if (status != GB_OK)
        fail_msg("%s", gb_error_message());
    expect_text(&j, "f", "n", "0 \xE6\xB8\xA9\xE5\xBA\xA6 0 none\n1000000000 \"q\" 0 none\n");
    expect_text(&j, "f", "a", "0 1.5, 0 none\n1000000000 2, 0 none\n");
    expect_text(&j, "f", "b", "0 20, 0 none\n1000000000 nan, 3 absent\n");
    assert_string_equal(j.told.rejects,
                        "6||expected nothing behind the last of the widths|abcdef3   4    too "
                        "much\n");
    capture_destroy(&j.out->sink);
}

static void two_columns_and_a_zone_make_a_time(void **state)
{
    (void)state;
    job j;
    gb_status status =
        read_short("time: {column: date, time_column: clock, format: day_first, zone: "
                   "Europe/Berlin, ambiguous: later}\n"
                   "streams: [{name: a, columns: [a]}]\n",
                   "date,clock,a\n30.10.2016,01:30:00,1\n30.10.2016,02:30:00,2\n"
                   "30.10.2016,04:00:00,3\n30.10.2016,04:00:00Z,4\n30.10.2016,,5\n",
                   &j);
    if (status != GB_OK)
        fail_msg("%s", gb_error_message());
    expect_text(&j, "f", "a",
                "1477783800000000000 1, 0 none\n1477791000000000000 2, 1 ambiguous_time\n"
                "1477796400000000000 3, 0 none\n1477800000000000000 4, 0 none\n");
    assert_int_equal(j.report.rows_rejected, 1);
    capture_destroy(&j.out->sink);
}

static void other_encodings_are_read(void **state)
{
    (void)state;
    static const char text[] = "n,a\n\x89\xB7\x93\x78,1\n\x87\x40,2\n"; /* cp932 */
    gb_stream_map *map = map_of("csv: {encoding: shift_jis}\n"
                                "streams: [{name: n, columns: [n], kind: text}]\n");
    job j = job_of(map, text, sizeof text - 1);
    assert_int_equal(read_job(&j), GB_OK);
    expect_text(&j, "f", "n",
                "0 \xE6\xB8\xA9\xE5\xBA\xA6 0 none\n1000000000 \xE2\x91\xA0 0 none\n");
    capture_destroy(&j.out->sink);
    gb_stream_map_destroy(map);
}

/* ---- the same whatever the way ----------------------------------------------------------------
 */

/* A random table with quotes, blanks, CRLF, bad cells, bad rows and interleaved groups. */
static char *random_table(uint64_t seed, int rows, size_t *out_size)
{
    char *text = malloc((size_t)rows * 200 + 100), *at = text;
    assert_non_null(text);
    at += sprintf(at, "g,t,x,y,note\n");
    static const char *const cells[] = {"1",
                                        "-2.5",
                                        "3.25e2",
                                        "",
                                        "NA",
                                        "oops",
                                        " 7 ",
                                        "\"8\"",
                                        "0.1",
                                        "1e-7",
                                        "99999",
                                        "-0",
                                        "12345678.12345678",
                                        "+4",
                                        "1.7976931348623157e308"};
    static const char *const notes[] = {"a", "\"b, c\"", "\"d\"\"e\"", "", "\"f\ng\"", " h "};
    for (int i = 0; i < rows; i++) {
        uint64_t r = gb_random_u64(seed, 1, (uint64_t)i);
        const char *x = cells[r % 15], *y = cells[(r >> 8) % 15], *note = notes[(r >> 16) % 6];
        int extra = (r >> 24) % 50 == 0, group = (int)((r >> 32) % 3);
        at += sprintf(at, "g%d,%d,%s,%s,%s%s%s", group, i, x, y, note, extra ? ",more" : "",
                      (r >> 40) % 5 == 0 ? "\r\n" : "\n");
        if ((r >> 48) % 40 == 0)
            at += sprintf(at, "\n  \n");
    }
    *out_size = (size_t)(at - text);
    return text;
}

static const char table_map[] = "time: {column: t, format: seconds}\n"
                                "group: [g]\n"
                                "streams:\n"
                                "  - {name: xy, columns: [x, y]}\n"
                                "  - {name: note, columns: [note], kind: text}\n";

static char *all_text(const job *j)
{
    char *all = calloc(1, 1);
    static const char *const parts[] = {"f/g0", "f/g1", "f/g2"};
    for (int g = 0; g < 3; g++)
        for (int s = 0; s < 2; s++) {
            char *one = capture_text(j->out, parts[g], s ? "note" : "xy");
            all = realloc(all, strlen(all) + strlen(one) + 1);
            assert_non_null(all);
            strcat(all, one);
            free(one);
        }
    return all;
}

/* The same table read the slow and obvious way. */
static char *slow_text(const char *text, size_t size)
{
    char *out[3][2], *at[3][2], *all = calloc(1, 6 * (size * 4 + 1000));
    gb_rows rows;
    bool mark, have = true;
    for (int i = 0; i < 6; i++)
        at[i / 2][i % 2] = out[i / 2][i % 2] = calloc(1, size * 4 + 1000);
    assert_int_equal(gb_rows_open_memory(text, size, "f", 4096, &rows, &mark), GB_OK);
    assert_int_equal(gb_rows_next(&rows, &have), GB_OK);
    for (;;) {
        assert_int_equal(gb_rows_next(&rows, &have), GB_OK);
        if (!have)
            break;
        if (rows.field_count != 5 || rows.fault != GB_ROW_WHOLE)
            continue;
        char cell[5][64];
        for (int c = 0; c < 5; c++) {
            memcpy(cell[c], rows.fields[c].text, rows.fields[c].size);
            cell[c][rows.fields[c].size] = 0;
        }
        int g = cell[0][1] - '0';
        const char *reason[2];
        double value[2];
        for (int v = 0; v < 2; v++) {
            char *end;
            value[v] = strtod(cell[2 + v], &end);
            bool number = *end == 0 && end != cell[2 + v];
            bool missing = !cell[2 + v][0] || strcmp(cell[2 + v], "NA") == 0;
            reason[v] = number ? "0 none" : missing ? "3 absent" : "3 not_a_value";
            value[v] = number ? value[v] : (double)NAN;
        }
        at[g][0] += sprintf(at[g][0], "%s000000000 %.17g,%.17g, %s\n", cell[1], value[0], value[1],
                            reason[0][0] == '0' ? reason[1] : reason[0]);
        at[g][1] += sprintf(at[g][1], "%s000000000 %s %s\n", cell[1], cell[4],
                            cell[4][0] ? "0 none" : "3 absent");
    }
    gb_rows_close(&rows);
    for (int i = 0; i < 6; i++) {
        strcat(all, out[i / 2][i % 2]);
        free(out[i / 2][i % 2]);
    }
    /* a time of 0 s has no zeros behind it */
    for (char *zero; (zero = strstr(all, "\n0000000000 ")) != NULL;)
        memmove(zero + 1, zero + 10, strlen(zero + 10) + 1);
    if (strncmp(all, "0000000000 ", 11) == 0)
        memmove(all, all + 9, strlen(all + 9) + 1);
    return all;
}

static void random_tables_are_read_as_the_slow_way_does(void **state)
{
    (void)state;
    gb_stream_map *map = map_of(table_map);
    for (uint64_t seed = 0; seed < 30; seed++) {
        size_t size;
        char *text = random_table(seed, 400, &size), *slow = slow_text(text, size);
        job j = job_of(map, text, size);
        if (read_job(&j) != GB_OK)
            fail_msg("%s", gb_error_message());
        char *fast = all_text(&j);
        if (strcmp(fast, slow) != 0) {
            size_t i = 0;
            while (fast[i] == slow[i])
                i++;
            fail_msg("seed %d differs at %.60s\nexpected %.60s", (int)seed, fast + i, slow + i);
        }
        free(fast);
        free(slow);
        free(text);
        capture_destroy(&j.out->sink);
    }
    gb_stream_map_destroy(map);
}

static void threads_and_segments_change_nothing(void **state)
{
    (void)state;
    size_t size;
    char *text = random_table(7, 3000, &size);
    gb_stream_map *map = map_of(table_map);
    job plain = job_of(map, text, size);
    assert_int_equal(read_job(&plain), GB_OK);
    char *expected = all_text(&plain);
    for (int threads = 1; threads <= 3; threads++) {
        for (int64_t segment = 700; segment < 2 * (int64_t)size; segment = segment * 3 + 1) {
            job j = job_of(map, text, size);
            j.options.segment_bytes = segment;
            if (segment < (int64_t)size / 80)
                j.options.segment_bytes = (int64_t)size / 80;
            assert_int_equal(gb_pool_create(threads, &j.options.pool), GB_OK);
            if (read_job(&j) != GB_OK)
                fail_msg("%s", gb_error_message());
            char *got = all_text(&j);
            assert_string_equal(got, expected);
            assert_string_equal(j.told.rejects, plain.told.rejects);
            assert_int_equal(j.report.rows_read, plain.report.rows_read);
            assert_int_equal(j.report.cells_bad, plain.report.cells_bad);
            assert_memory_equal(j.report.examples, plain.report.examples,
                                sizeof plain.report.examples);
            if (j.options.segment_bytes < (int64_t)size)
                assert_true(j.told.segments > 0 && strstr(j.out->recordings[0].name, "/0000"));
            free(got);
            gb_pool_destroy(j.options.pool);
            capture_destroy(&j.out->sink);
        }
    }
    free(expected);
    capture_destroy(&plain.out->sink);
    gb_stream_map_destroy(map);
    free(text);
}

static void reading_goes_on_where_it_was_stopped(void **state)
{
    (void)state;
    size_t size;
    char *text = random_table(11, 2000, &size);
    static const char *const encodings[] = {"", "csv: {encoding: latin1}\n"};
    for (int e = 0; e < 2; e++) {
        char map_text[512];
        snprintf(map_text, sizeof map_text, "%s%s", encodings[e], table_map);
        gb_stream_map *map = map_of(map_text);
        job plain = job_of(map, text, size);
        plain.options.segment_bytes = (int64_t)size / 20;
        assert_int_equal(read_job(&plain), GB_OK);
        char *expected = all_text(&plain);
        for (int stop = 1; stop < 18; stop += 3) {
            job j = job_of(map, text, size);
            j.options.segment_bytes = (int64_t)size / 20;
            j.told.stop_at = (int64_t)size * stop / 20;
            assert_int_equal(read_job(&j), GB_ERR_INTERRUPTED);
            assert_string_equal(gb_error_message(), "enough");
            assert_int_equal(j.report.rows_rejected + j.report.rows_stored, j.report.rows_read);
            assert_true(j.report.rows_stored > 0);
            j.resume_at = j.told.segment_to;
            j.told.stop_at = 0;
            if (read_job(&j) != GB_OK)
                fail_msg("%s", gb_error_message());
            char *got = all_text(&j);
            assert_string_equal(got, expected);
            assert_string_equal(j.told.rejects, plain.told.rejects);
            assert_int_equal(j.report.rows_stored, plain.report.rows_stored);
            free(got);
            capture_destroy(&j.out->sink);
        }
        free(expected);
        capture_destroy(&plain.out->sink);
        gb_stream_map_destroy(map);
    }
    free(text);
}

/* A process that was killed goes on at its last segment: the same recordings, not only samples. */
static void the_same_recordings_after_the_last_segment(void **state)
{
    (void)state;
    char text[4000], *at = text + sprintf(text, "a\n");
    for (int i = 0; i < 600; i++)
        at += sprintf(at, "%d\n", i * 7);
    gb_stream_map *map = map_of("streams: [{name: a, columns: [a]}]\n"); /* rows are counted */
    job whole = job_of(map, text, strlen(text));
    whole.options.segment_bytes = 500;
    assert_int_equal(read_job(&whole), GB_OK);
    job j = job_of(map, text, strlen(text));
    j.options.segment_bytes = 500;
    j.told.stop_at = 1000;
    assert_int_equal(read_job(&j), GB_ERR_INTERRUPTED);
    j.told.stop_at = 0;
    j.resume_at = j.told.segment_to;
    assert_int_equal(read_job(&j), GB_OK);
    assert_int_equal(j.out->count, whole.out->count);
    for (int i = 0; i < j.out->count; i++) {
        assert_string_equal(j.out->recordings[i].name, whole.out->recordings[i].name);
        assert_string_equal(j.out->recordings[i].text[0], whole.out->recordings[i].text[0]);
    }
    /* another file, or a state that is not one */
    j.size--;
    assert_int_equal(read_job(&j), GB_ERR_MISMATCH);
    j.told.state_size = 5;
    assert_true(read_job(&j) != GB_OK);
    capture_destroy(&j.out->sink);
    capture_destroy(&whole.out->sink);
    gb_stream_map_destroy(map);
}

static void strict_reading_stops_at_the_first(void **state)
{
    (void)state;
    job j;
    char text[70000], *at = text + sprintf(text, "a,b\n");
    for (int i = 0; i < 5000; i++)
        at += sprintf(at, "%d,%d\n", i, i);
    sprintf(at, "1,x\ny,1\n");
    gb_status status = read_short("csv: {bad_cells: strict}\n"
                                  "streams: [{name: b, columns: [a]}, {name: a, columns: [b]}]\n",
                                  text, &j);
    assert_int_equal(status, GB_ERR_PARSE);
    assert_string_equal(gb_error_message(),
                        "f.csv, row 5002, column 2 (b): found \"x\", expected a number");
    assert_int_equal(j.report.rows_read, 5001);
    assert_int_equal(j.report.rows_stored, 0);
    capture_destroy(&j.out->sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_become_what_the_map_says),
        cmocka_unit_test(rejected_rows_are_kept_whole),
        cmocka_unit_test(drift_is_said_and_the_rest_is_read),
        cmocka_unit_test(fixed_widths_are_counted_in_characters),
        cmocka_unit_test(two_columns_and_a_zone_make_a_time),
        cmocka_unit_test(other_encodings_are_read),
        cmocka_unit_test(random_tables_are_read_as_the_slow_way_does),
        cmocka_unit_test(threads_and_segments_change_nothing),
        cmocka_unit_test(reading_goes_on_where_it_was_stopped),
        cmocka_unit_test(the_same_recordings_after_the_last_segment),
        cmocka_unit_test(strict_reading_stops_at_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
