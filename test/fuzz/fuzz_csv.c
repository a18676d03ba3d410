/* Any bytes as a CSV file, without a map and with one: a status with a message or whole recordings,
 * never a crash; counts add up; strict and tolerant agree when nothing was wrong. */
#include "../ingest/memory.h"
#include "ingest/guess.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char map_text[] = "name: fuzz\n"
                               "reader: csv\n"
                               "files: ['*']\n"
                               "csv: {header_names_extra: ignore, missing: [xx]}\n"
                               "time: {column: '#1'}\n"
                               "group: ['#2']\n"
                               "streams:\n"
                               "  - {name: a, columns: ['#3', '#1'], range: {max: 5}}\n"
                               "  - {name: b, columns: ['#4'], optional: true, sentinels: [-1]}\n";

static void check(gb_status status, const gb_ingest_report *report, const gb_dataset *dataset)
{
    if (report->rows_read != report->rows_stored + report->rows_rejected)
        abort();
    if (status != GB_OK) {
        if (report->rows_stored != 0 || gb_error_message()[0] == 0)
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

static void with_map(const uint8_t *data, size_t size)
{
    gb_ingest_options options = gb_ingest_options_defaults();
    gb_ingest_report report = {0};
    gb_stream_map *map = NULL;
    gb_dataset *dataset = NULL;
    if (gb_stream_map_parse(map_text, sizeof map_text - 1, "fuzz.yaml", &map) != GB_OK ||
        gb_dataset_create(&dataset) != GB_OK)
        abort();
    options.line_limit_bytes = 2048;
    check(read_memory(map, data, size, &options, &report, dataset), &report, dataset);
    gb_dataset_destroy(dataset);
    gb_stream_map_destroy(map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool strict = without_map(data, size, GB_BAD_CELLS_STRICT) == GB_OK;
    bool tolerant = without_map(data, size, GB_BAD_CELLS_TOLERANT) == GB_OK;
    if (strict && !tolerant)
        abort();
    with_map(data, size);
    return 0;
}
