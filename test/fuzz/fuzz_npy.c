/* Any bytes as a .npy or .npz file: a status with a message, or recordings whose rows add up. */
#include "ingest/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char map_text[] = "name: fuzz\nreader: npy\nfiles: ['*']\n";

static void read_file(const gb_stream_map *map, const char *path)
{
    gb_ingest_report report = {0};
    gb_ingest_options options = gb_ingest_options_defaults();
    gb_dataset *dataset = NULL;
    options.row_limit = 100000;
    if (gb_dataset_create(&dataset) != GB_OK)
        abort();
    gb_status status = gb_ingest_file(map, path, &options, &report, dataset);
    if (report.rows_read != report.rows_stored + report.rows_rejected)
        abort();
    if (status != GB_OK && gb_error_message()[0] == 0)
        abort();
    if (status == GB_OK &&
        gb_recording_stream(gb_dataset_get(dataset, 0), 0)->count != report.rows_stored)
        abort();
    gb_dataset_destroy(dataset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gb_stream_map *map = NULL;
    char path[64];
    int file = memfd_create("fuzz", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (file < 0 || write(file, data, size) != (ssize_t)size ||
        gb_stream_map_parse(map_text, sizeof map_text - 1, "fuzz.yaml", &map) != GB_OK)
        abort();
    read_file(map, path);
    gb_stream_map_destroy(map);
    close(file);
    return 0;
}
