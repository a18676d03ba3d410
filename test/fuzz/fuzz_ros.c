/* A schema of ROS 2 and a message, both hostile: the first line break pair parts them. */
#include "ingest/ros_topic.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char map_text[] = "name: robot\nreader: mcap\nfiles: [\"*.mcap\"]\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a/B", "sensor_msgs/Image", "sensor_msgs/PointCloud2",
                                        "tf2_msgs/TFMessage", "sensor_msgs/JointState"};
    if (size < 2)
        return 0;
    const char *name = names[data[0] % 5];
    const uint8_t *part = memchr(data + 1, 0, size - 1);
    if (!part)
        return 0;
    gb_arena *arena = NULL;
    gb_stream_map *map = NULL;
    gb_dataset *dataset = NULL;
    gb_sink *sink = NULL;
    gb_ros_topic *topic = NULL;
    const gb_ros_type *type = NULL;
    gb_ingest_report report = {0};
    gb_ingest_watch watch = {0};
    gb_ingest_options options = gb_ingest_options_defaults();
    gb_recording_info info = {.name = "r"};
    int recording = 0;
    if (gb_arena_create(64 << 20, &arena) != GB_OK ||
        gb_stream_map_parse(map_text, sizeof map_text - 1, "map", &map) != GB_OK ||
        gb_dataset_create(&dataset) != GB_OK || gb_dataset_sink_create(dataset, &sink) != GB_OK ||
        gb_sink_begin(sink, &info, &recording) != GB_OK)
        abort();
    gb_source source = {.map = map,
                        .path = "f",
                        .name = "f",
                        .options = &options,
                        .report = &report,
                        .watch = &watch,
                        .sink = sink};
    const char *schema = (const char *)data + 1;
    size_t schema_size = (size_t)(part - data) - 1, rest = size - (size_t)(part - data) - 1;
    if (gb_ros_type_parse(name, schema, schema_size, arena, &type) == GB_OK &&
        gb_ros_topic_create(&source, recording, "/t", type, &topic) == GB_OK) {
        for (int i = 0; i < 3; i++)
            if (gb_ros_topic_take(topic, part + 1, rest - rest * (size_t)i / 4, 1) == GB_ERR_MEMORY)
                break;
        (void)!gb_ros_topic_flush(topic);
    }
    gb_ros_topic_destroy(topic);
    gb_sink_destroy(sink);
    gb_dataset_destroy(dataset);
    gb_stream_map_destroy(map);
    gb_arena_destroy(arena);
    return 0;
}
