/* Live messages, hostile: the first byte chooses the topic; a 0 byte ends a payload, the next
 * follows. */
#include "ingest/live.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const topics[] = {"plant/a", "spBv1.0/g/NBIRTH/n", "spBv1.0/g/DDATA/n/d",
                                         "spBv1.0/g/NDEATH/n", "spBv1.0/g"};
    gb_dataset *dataset = NULL;
    gb_sink *sink = NULL;
    gb_live *live = NULL;
    gb_recording_info info = {.name = "r"};
    int64_t samples = 0, now_ns = 1;
    if (gb_dataset_create(&dataset) != GB_OK || gb_dataset_sink_create(dataset, &sink) != GB_OK ||
        gb_live_create(NULL, 1000, &live) != GB_OK || gb_live_begin(live, sink, &info) != GB_OK)
        abort();
    while (size > 1) {
        const uint8_t *end = memchr(data + 1, 0, size - 1);
        /* protobuf holds zeros: half of the topics take all that is left */
        size_t payload = data[0] < 128 && end ? (size_t)(end - data) - 1 : size - 1;
        (void)!gb_live_take(live, topics[data[0] % 5], data + 1, payload, now_ns, data[0] & 64);
        (void)!gb_live_tick(live, now_ns += 500);
        data += payload + 1;
        size -= payload + 1;
    }
    (void)!gb_live_end(live, true, &samples);
    gb_live_destroy(live);
    gb_sink_destroy(sink);
    gb_dataset_destroy(dataset);
    return 0;
}
