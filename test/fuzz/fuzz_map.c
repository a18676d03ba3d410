/* Any bytes as a stream map: a map that can be used, or a status that names the file. */
#include "../ingest/memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "t,a,b\n2020-01-01 00:00:00,1,2\n2020-01-01 00:00:01,3,x\n";
    gb_stream_map *map = NULL;
    if (gb_stream_map_parse((const char *)data, size, "fuzz.yaml", &map) != GB_OK) {
        if (map || !strstr(gb_error_message(), "fuzz.yaml"))
            abort();
        return 0;
    }
    gb_ingest_options options = gb_ingest_options_defaults();
    gb_ingest_report report = {0};
    gb_dataset *dataset = NULL;
    if (gb_dataset_create(&dataset) != GB_OK)
        abort();
    gb_status status = read_memory(map, text, sizeof text - 1, &options, &report, dataset);
    if ((status == GB_OK) != (gb_dataset_count(dataset) > 0))
        abort();
    gb_dataset_destroy(dataset);
    gb_stream_map_destroy(map);
    return 0;
}
