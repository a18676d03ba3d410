/* The ways in that end in memory: one file, a folder, a CSV without a map; and the chain every file
 * runs through. Ingesting into a store is into_store.c. */
#include "ingest/clean.h"
#include "ingest/csv.h"
#include "ingest/folder.h"
#include "ingest/guess.h"
#include "ingest/run.h"

#include <stdlib.h>
#include <string.h>

gb_ingest_options gb_ingest_options_defaults(void)
{
    gb_ingest_options options;
    memset(&options, 0, sizeof options);
    options.line_limit_bytes = (size_t)16 << 20;
    options.period_s = 1;
    options.segment_bytes = (int64_t)256 << 20;
    return options;
}

/* NULLs and zeros become the defaults. */
gb_status gb_ingest_settle(const gb_ingest_options *given, gb_ingest_options *out)
{
    gb_ingest_options options = gb_ingest_options_defaults();
    if (given) {
        double period_s = given->period_s == 0 ? options.period_s : given->period_s;
        size_t limit = given->line_limit_bytes ? given->line_limit_bytes : options.line_limit_bytes;
        int64_t segment = given->segment_bytes ? given->segment_bytes : options.segment_bytes;
        options = *given;
        options.segment_bytes = segment;
        options.period_s = period_s;
        options.line_limit_bytes = limit;
    }
    if (!(options.period_s > 0 && options.period_s <= 1e9) || options.row_limit < 0 ||
        options.line_limit_bytes > (size_t)1 << 30 || options.segment_bytes < 1)
        return gb_fail(GB_ERR_ARGUMENT,
                       "ingest options: period_s %g, row_limit %lld, line_limit_bytes %zu, "
                       "segment_bytes %lld; expected a period above 0, a limit of 0 or more rows, "
                       "lines of at most 1 GiB and segments of at least a byte",
                       options.period_s, (long long)options.row_limit, options.line_limit_bytes,
                       (long long)options.segment_bytes);
    *out = options;
    return GB_OK;
}

gb_status gb_ingest_csv_guess(const char *path,
                              const gb_ingest_options *options,
                              gb_ingest_report *report,
                              gb_dataset **out)
{
    gb_ingest_options settled;
    GB_TRY(gb_ingest_settle(options, &settled));
    gb_ingest_report unread = {0};
    report = report ? report : &unread;
    gb_rows rows;
    GB_TRY(gb_rows_open_file(path, settled.line_limit_bytes, &rows, &report->byte_order_mark));
    gb_status status = gb_guess_rows(&rows, &settled, report, out);
    gb_rows_close(&rows);
    report->files++;
    return status;
}

/* The first pass of a source whose clocks are to be corrected: nothing is kept but their laws. */
static gb_status find_clocks(const gb_source *source, gb_drift_tracks *out)
{
    const gb_ingest_watch watch = {.context = source->watch->context,
                                   .progress = source->watch->progress};
    gb_ingest_report *scratch = calloc(1, sizeof *scratch);
    gb_sink *estimator = NULL, *clean = NULL;
    if (!scratch)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for a first pass", source->path);
    gb_source first = *source;
    first.report = scratch;
    first.watch = &watch;
    first.resume_at = 0;
    gb_status status = gb_drift_estimate_create(source->map, &estimator);
    if (status == GB_OK)
        status = gb_clean_create(source->map, &watch, scratch, source->path, estimator, &clean);
    first.sink = clean;
    if (status == GB_OK)
        status = gb_reader_find(source->map->data->reader)->read(&first);
    gb_sink_destroy(clean);
    if (status == GB_OK)
        status = gb_drift_estimate_finish(estimator, out);
    gb_sink_destroy(estimator);
    free(scratch);
    return status;
}

gb_status gb_ingest_run(const gb_source *source)
{
    gb_sink *clean = NULL;
    gb_source cleaned = *source;
    gb_drift_tracks clocks = {0};
    if (source->map->data->drift_count > 0)
        GB_TRY(find_clocks(source, &clocks));
    gb_status status = gb_clean_create(source->map, source->watch, source->report, source->path,
                                       source->sink, &clean);
    if (status == GB_OK) {
        gb_clean_use_clocks(clean, &clocks);
        cleaned.sink = clean;
        status = gb_reader_find(source->map->data->reader)->read(&cleaned);
    }
    gb_sink_destroy(clean);
    gb_drift_tracks_free(&clocks);
    return status;
}

/* One file into the dataset, all or none. */
static gb_status read_one(const gb_stream_map *map,
                          const gb_folder_file *file,
                          const gb_ingest_options *options,
                          gb_ingest_report *report,
                          gb_dataset *dataset)
{
    gb_dataset *read = NULL;
    gb_sink *sink = NULL;
    GB_TRY(gb_dataset_create(&read));
    gb_status status = gb_dataset_sink_create(read, &sink);
    gb_ingest_watch nobody = {0};
    gb_source source = {.map = map,
                        .path = file->path,
                        .name = file->name,
                        .parts = file->parts,
                        .part_count = file->part_count,
                        .options = options,
                        .report = report,
                        .watch = &nobody,
                        .sink = sink};
    if (status == GB_OK)
        status = gb_ingest_run(&source);
    gb_sink_destroy(sink);
    if (status == GB_OK)
        status = gb_dataset_merge(dataset, read);
    gb_dataset_destroy(read);
    report->files++;
    return status;
}

static gb_status read_all(const gb_stream_map *map,
                          const char *path,
                          const gb_ingest_options *options,
                          gb_ingest_report *report,
                          gb_dataset *dataset)
{
    gb_ingest_options settled;
    GB_TRY(gb_ingest_settle(options, &settled));
    gb_ingest_report unread = {0};
    gb_folder_files list;
    GB_TRY(gb_folder_list(map, path, &list));
    gb_status status = GB_OK;
    for (int64_t i = 0; status == GB_OK && i < list.count; i++)
        status = read_one(map, &list.files[i], &settled, report ? report : &unread, dataset);
    gb_folder_free(&list);
    return status;
}

gb_status gb_ingest_file(const gb_stream_map *map,
                         const char *path,
                         const gb_ingest_options *options,
                         gb_ingest_report *report,
                         gb_dataset *dataset)
{
    gb_dataset *read = NULL;
    GB_TRY(gb_dataset_create(&read));
    gb_status status = read_all(map, path, options, report, read);
    if (status == GB_OK)
        status = gb_dataset_merge(dataset, read);
    gb_dataset_destroy(read);
    return status;
}

gb_status gb_ingest_folder(const gb_stream_map *map,
                           const char *folder,
                           const gb_ingest_options *options,
                           gb_ingest_report *report,
                           gb_dataset **out)
{
    gb_dataset *read = NULL;
    GB_TRY(gb_dataset_create(&read));
    gb_status status = read_all(map, folder, options, report, read);
    if (status != GB_OK) {
        gb_dataset_destroy(read);
        return status;
    }
    *out = read;
    return GB_OK;
}

gb_status gb_ingest_to_sink(const gb_stream_map *map,
                            const char *path,
                            const gb_ingest_options *options,
                            gb_ingest_report *report,
                            gb_sink *sink)
{
    gb_ingest_options settled;
    gb_ingest_report unread = {0};
    gb_folder_files list;
    const gb_ingest_watch nobody = {0};
    report = report ? report : &unread;
    GB_TRY(gb_ingest_settle(options, &settled));
    GB_TRY(gb_folder_list(map, path, &list));
    gb_status status = GB_OK;
    for (int64_t i = 0; status == GB_OK && i < list.count; i++) {
        gb_source source = {.map = map,
                            .path = list.files[i].path,
                            .name = list.files[i].name,
                            .parts = list.files[i].parts,
                            .part_count = list.files[i].part_count,
                            .options = &settled,
                            .report = report,
                            .watch = &nobody,
                            .sink = sink};
        status = gb_ingest_run(&source);
        report->files++;
    }
    gb_folder_free(&list);
    return status;
}
