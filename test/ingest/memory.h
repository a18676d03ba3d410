/* A table in memory read by a map into a dataset, all or nothing: what tests and fuzzers need. */
#ifndef GENBA_TEST_INGEST_MEMORY_H
#define GENBA_TEST_INGEST_MEMORY_H

#include "ingest/clean.h"
#include "ingest/csv.h"

#include <string.h>

static inline gb_status read_memory(const gb_stream_map *map,
                                    const void *text,
                                    size_t size,
                                    const gb_ingest_options *options,
                                    gb_ingest_report *report,
                                    gb_dataset *dataset)
{
    gb_dataset *read = NULL;
    gb_sink *sink = NULL, *clean = NULL;
    gb_input input;
    gb_rows rows;
    gb_ingest_watch nobody;
    memset(&nobody, 0, sizeof nobody);
    GB_TRY(gb_input_open_memory(text, size, "file.csv", map->data->csv.encoding, &input));
    GB_TRY(gb_rows_open_input(&input, options->line_limit_bytes, &rows, &report->byte_order_mark));
    gb_status status = gb_dataset_create(&read);
    if (status == GB_OK)
        status = gb_dataset_sink_create(read, &sink);
    if (status == GB_OK)
        status = gb_clean_create(map, &nobody, report, "file.csv", sink, &clean);
    gb_source source = {.map = map,
                        .path = "file.csv",
                        .name = "file",
                        .options = options,
                        .report = report,
                        .watch = &nobody,
                        .sink = clean};
    if (status == GB_OK)
        status = gb_csv_read_mapped(&source, &rows);
    if (status == GB_OK)
        status = gb_dataset_merge(dataset, read);
    gb_sink_destroy(clean);
    gb_sink_destroy(sink);
    gb_dataset_destroy(read);
    gb_rows_close(&rows);
    return status;
}

#endif
