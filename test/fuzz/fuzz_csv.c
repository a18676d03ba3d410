/* Any bytes as a table, without a map and with one of several: a status with a message or whole
 * recordings, never a crash; counts add up; strict and tolerant agree when nothing was wrong; what
 * segments, threads' blocks and going on later make is the same samples. The input's first byte
 * chooses the map. */
#include "../ingest/memory.h"
#include "ingest/guess.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The C library loads a module for each encoding and drops it when the last user closes it: held
 * open, a run takes a fraction of the time. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const encodings[] = {"cp932",  "cp1252",   "euc-jp",
                                            "latin1", "utf-16le", "utf-16be"};
    static gb_transcoder *held[sizeof encodings / sizeof *encodings];
    (void)argc, (void)argv;
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
        if (gb_transcoder_create(encodings[i], &held[i]) != GB_OK)
            abort();
    return 0;
}

#define HEAD "name: fuzz\nreader: csv\nfiles: ['*']\n"

static const char *const map_texts[] = {
    HEAD "csv: {header_names_extra: ignore, missing: [xx]}\n"
         "time: {column: '#1'}\n"
         "group: ['#2']\n"
         "streams:\n"
         "  - {name: a, columns: ['#3', '#1'], range: {max: 5}}\n"
         "  - {name: b, columns: ['#4'], optional: true, sentinels: [-1]}\n",
    HEAD "csv: {encoding: utf-8, missing: ['-9']}\n"
         "streams:\n"
         "  - {name: n, columns: ['#1'], kind: text}\n"
         "  - {name: c, columns: ['#2'], categories: [on, off, '1'], optional: true}\n"
         "  - {name: e, columns: ['#3'], kind: event, optional: true}\n"
         "  - {name: i, columns: ['#4'], value_type: i16, optional: true}\n",
    HEAD "csv: {widths: [3, 1, 4], skip_rows: 1, encoding: utf-8}\n"
         "group: ['#2']\n"
         "streams: [{name: a, columns: ['#1', '#3'], value_type: f32}]\n",
    HEAD "csv: {header: absent, delimiter: comma, extra_columns: report}\n"
         "time: {column: '#1', time_column: '#2', format: day_first, zone: '+09:00'}\n"
         "streams: [{name: a, columns: ['#3']}, {name: u, columns: ['#3'], value_type: u64}]\n",
    HEAD "csv: {encoding: cp932, bad_cells: strict}\n"
         "streams: [{name: a, columns: ['#1']}, {name: t, columns: ['#2'], kind: text}]\n",
};
enum {
    MAPS = sizeof map_texts / sizeof *map_texts
};

static const gb_stream_map *map_of(int number)
{
    static gb_stream_map *maps[MAPS]; /* parsed once: the maps have a fuzzer of their own */
    if (!maps[number] && gb_stream_map_parse(map_texts[number], strlen(map_texts[number]),
                                             "fuzz.yaml", &maps[number]) != GB_OK) {
        fprintf(stderr, "%s\n", gb_error_message());
        abort();
    }
    return maps[number];
}

static void check(gb_status status, const gb_ingest_report *report, const gb_dataset *dataset)
{
    if (report->rows_read != report->rows_stored + report->rows_rejected)
        abort();
    if (status != GB_OK) {
        if (gb_error_message()[0] == 0)
            abort();
        return;
    }
    int64_t rows = 0;
    for (int64_t r = 0; r < gb_dataset_count(dataset); r++)
        rows += gb_recording_stream(gb_dataset_get(dataset, r), 0)->count;
    if (rows != report->rows_stored || rows == 0)
        abort();
}

static gb_status without_map(const uint8_t *data, size_t size, gb_bad_cells bad_cells)
{
    gb_ingest_options options = gb_ingest_options_defaults();
    options.bad_cells = bad_cells;
    options.line_limit_bytes = 2048;
    gb_ingest_report report = {0};
    gb_dataset *dataset = NULL;
    gb_rows rows;
    bool mark;
    gb_status status = gb_rows_open_memory(data, size, "fuzz.csv", 2048, &rows, &mark);
    if (status != GB_OK)
        return status;
    status = gb_guess_rows(&rows, &options, &report, &dataset);
    check(status, &report, dataset);
    if (bad_cells == GB_BAD_CELLS_STRICT && status == GB_OK &&
        (report.cells_bad != 0 || report.rows_rejected != 0))
        abort();
    gb_rows_close(&rows);
    gb_dataset_destroy(dataset);
    return status;
}

static gb_status
with_map(int number, const uint8_t *data, size_t size, int64_t segment, gb_ingest_report *report)
{
    gb_ingest_options options = gb_ingest_options_defaults();
    gb_dataset *dataset = NULL;
    memset(report, 0, sizeof *report);
    options.line_limit_bytes = 2048;
    options.segment_bytes = segment;
    if (gb_dataset_create(&dataset) != GB_OK)
        abort();
    gb_status status = read_memory(map_of(number), data, size, &options, report, dataset);
    check(status, report, dataset);
    gb_dataset_destroy(dataset);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gb_ingest_report whole, parts;
    if (size == 0)
        return 0;
    int number = data[0] % (MAPS + 1);
    data++;
    size--;
    if (number == MAPS) {
        bool strict = without_map(data, size, GB_BAD_CELLS_STRICT) == GB_OK;
        bool tolerant = without_map(data, size, GB_BAD_CELLS_TOLERANT) == GB_OK;
        if (strict && !tolerant)
            abort();
        return 0;
    }
    gb_status once = with_map(number, data, size, 1 << 20, &whole);
    gb_status cut = with_map(number, data, size, 41, &parts);
    if (once != cut)
        abort();
    if (once == GB_OK &&
        (whole.rows_stored != parts.rows_stored || whole.cells_bad != parts.cells_bad ||
         whole.cells_missing != parts.cells_missing))
        abort();
    return 0;
}
